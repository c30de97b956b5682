"""Answers to the tasks of tutorial 14: right ones, and wrong ones with a word of what each must be told."""

import numpy as np

from resnet_scratch.exercises import ch14_pytorch as solved


class Wrong(solved.Value):
    """Sums and products stay in the wrong class."""

    def __add__(self, other):
        return type(self)(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return type(self)(self.data * other.data, (self, other), (other.data, self.data))

    def relu(self):
        return type(self)(max(self.data, 0.0), (self,), (float(self.data > 0),))


class NoRelu(solved.Value):
    def relu(self):
        pass


class SetsInsteadOfAdding(Wrong):
    def backward(self, grad=1.0):
        self.grad = grad
        for parent, local in zip(self.parents, self.local_grads):
            SetsInsteadOfAdding.backward(parent, grad * local)


class KeepsOldGradients(Wrong):
    def backward(self):
        order = in_order(self)
        self.grad = 1.0
        for value in reversed(order):
            for parent, local in zip(value.parents, value.local_grads):
                parent.grad += value.grad * local


def in_order(value, seen=None):
    seen = {} if seen is None else seen
    if id(value) not in seen:
        for parent in value.parents:
            in_order(parent, seen)
        seen[id(value)] = value
    return list(seen.values())


class LeakyRelu(Wrong):
    def relu(self):
        return LeakyRelu(max(self.data, 0.0), (self,), (1.0,))


def reshaped(name, array):
    return array.reshape(solved.to_torch_layout(name, array).shape)


def as_view(name, array):
    return array.transpose((0, 3, 1, 2) if name == "images" else {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim])


def linear_forgotten(name, array):
    return array if array.ndim == 2 else solved.to_torch_layout(name, array)


def unscaled_mean(weight, scale, shift, mean, var, eps):
    return weight * scale / np.sqrt(var + eps), shift - mean


def without_eps(weight, scale, shift, mean, var, eps):
    return solved.fold_batchnorm(weight, scale, shift, mean, var, 0.0)


def var_as_std(weight, scale, shift, mean, var, eps):
    return weight * scale / (var + eps), shift - mean * scale / (var + eps)


def without_bias(weight, scale, shift, mean, var, eps):
    return weight * scale / np.sqrt(var + eps), 0 * shift


def absolute(ours, theirs):
    distance = {name: abs(ours[name] - theirs[name]).max() for name in ours}
    worst = max(distance, key=distance.get)
    return worst, distance[worst]


def stretched(ours, theirs):
    if ours.keys() != theirs.keys():
        raise ValueError("names: conv1.weight bn1.bias")
    distance = {name: abs(ours[name] - theirs[name]).max() / abs(theirs[name]).max() for name in ours}
    worst = max(distance, key=distance.get)
    return worst, distance[worst]


def compared(difference):
    """largest_difference with another difference of two arrays."""

    def answer(ours, theirs):
        solved.largest_difference(ours, theirs)
        differences = {name: difference(ours[name], b) for name, b in theirs.items()}
        worst = max(differences, key=differences.get)
        return worst, differences[worst]

    return answer


def missing_name(ours, theirs):
    return max(((name, abs(ours[name] - b).max() / abs(b).max()) for name, b in theirs.items()), key=lambda d: d[1])


class OneAtZero(Wrong):
    def relu(self):
        return type(self)(max(self.data, 0.0), (self,), (float(self.data >= 0),))


class BreadthFirst(Wrong):
    """Each value once, in the order of its distance from the end."""

    def backward(self):
        order = [self]
        for value in order:
            order += [parent for parent in dict.fromkeys(value.parents) if not any(parent is other for other in order)]
        for value in order:
            value.grad = 0.0
        self.grad = 1.0
        for value in order:
            for parent, local in zip(value.parents, value.local_grads):
                parent.grad += value.grad * local


class WithoutMemo(Wrong):
    """Every way from the end to the start on its own: right, and endless."""

    def backward(self):
        def clear(value):
            value.grad = 0.0
            for parent in value.parents:
                clear(parent)

        def add(value, grad):
            value.grad += grad
            for parent, local in zip(value.parents, value.local_grads):
                add(parent, grad * local)

        clear(self)
        add(self, 1.0)


class ByRecursion(Wrong):
    def backward(self):
        order = in_order(self)
        for value in order:
            value.grad = 0.0
        self.grad = 1.0
        while order:
            value = order.pop()
            for k in range(len(value.parents)):
                value.parents[k].grad += value.grad * value.local_grads[k]


class ByCountingUses(Wrong):
    """Kahn's algorithm: a value is ready when all of its uses have come back."""

    def backward(self):
        uses, stack, seen = {}, [self], {id(self)}
        while stack:
            value = stack.pop()
            value.grad = 0.0
            for parent in value.parents:
                uses[id(parent)] = uses.get(id(parent), 0) + 1
                if id(parent) not in seen:
                    seen.add(id(parent))
                    stack.append(parent)
        self.grad, ready = 1.0, [self]
        while ready:
            value = ready.pop()
            for parent, local in zip(value.parents, value.local_grads):
                parent.grad += local * value.grad
                uses[id(parent)] -= 1
                if not uses[id(parent)]:
                    ready.append(parent)


class ByForwardMode(Wrong):
    """The derivative with respect to each value separately, from the start to the end."""

    def backward(self):
        order = in_order(self)
        for wanted in order:
            tangent = {id(value): float(value is wanted) for value in order}
            for value in order:
                if value is not wanted:
                    tangent[id(value)] = sum(
                        local * tangent[id(parent)] for parent, local in zip(value.parents, value.local_grads)
                    )
            wanted.grad = tangent[id(self)]


def by_moveaxis(name, array):
    if array.ndim == 4:
        array = np.moveaxis(array, 3, 1) if name == "images" else np.moveaxis(array, [3, 2], [0, 1])
    elif array.ndim == 2:
        array = array.T
    return array.copy("C")


def by_einsum(name, array):
    return np.einsum(
        {"images": "nhwc->nchw"}.get(name, {4: "hwco->ochw", 2: "io->oi", 1: "o->o"}[array.ndim]), array
    ).copy()


def by_swapping(name, array):
    if name == "images":
        return np.ascontiguousarray(array.swapaxes(1, 3).swapaxes(2, 3))
    return np.array(array.T if array.ndim < 4 else array.T.swapaxes(2, 3), order="C")


def by_name(name, array):
    if name == "images":
        array = array.transpose(0, 3, 1, 2)
    elif "conv" in name:
        array = array.transpose(3, 2, 0, 1)
    elif "fc" in name and array.ndim == 2:
        array = array.T
    return np.ascontiguousarray(array)


def per_channel(weight, scale, shift, mean, var, eps):
    folded, bias = weight.copy(), np.zeros(len(scale))
    for o in range(len(scale)):
        std = (var[o] + eps) ** 0.5
        folded[..., o] *= scale[o] / std
        bias[o] = shift[o] - scale[o] * mean[o] / std
    return folded, bias


def with_a_loop(ours, theirs):
    for name in [*ours, *theirs]:
        if name not in ours or name not in theirs:
            raise ValueError(f"{name} is missing")
    worst, largest = "", -1.0
    for name, b in theirs.items():
        if ours[name].shape != b.shape:
            raise ValueError(f"shapes of {name}")
        difference = np.abs(b - ours[name]).max() / np.abs(b).max()
        if difference > largest:
            worst, largest = name, difference
    return worst, float(largest)


def with_sorting(ours, theirs):
    if set(ours) != set(theirs):
        raise ValueError(f"names differ: {set(ours) ^ set(theirs)}")
    if wrong := [name for name in ours if np.shape(ours[name]) != np.shape(theirs[name])]:
        raise ValueError(f"shapes differ: {wrong}")

    def difference(name):
        return np.linalg.norm((ours[name] - theirs[name]).ravel(), np.inf) / np.linalg.norm(
            theirs[name].ravel(), np.inf
        )

    name = sorted(ours, key=difference)[-1]
    return name, difference(name)


def from_pairs(ours, theirs):
    if len(ours) != len(theirs) or any(name not in theirs for name in ours):
        raise ValueError(" ".join([*ours, *theirs]))
    pairs = []
    for name in ours:
        if ours[name].shape != theirs[name].shape:
            raise ValueError(name)
        pairs.append((max(abs(ours[name] - theirs[name]).flat) / max(abs(theirs[name]).flat), name))
    return max(pairs)[::-1]


RIGHT = [
    ("14.1", by_moveaxis),
    ("14.1", by_einsum),
    ("14.1", by_swapping),
    ("14.3", per_channel),
    ("14.3", lambda w, a, b, m, v, eps: (w * a * (v + eps) ** -0.5, b - a * m * (v + eps) ** -0.5)),
    (
        "14.3",
        lambda w, a, b, m, v, eps: (np.einsum("hwco,o->hwco", w, a / np.sqrt(v + eps)), (b - m * a / np.sqrt(v + eps))),
    ),
    ("14.4", ByRecursion),
    ("14.4", ByCountingUses),
    ("14.4", ByForwardMode),
    ("14.2", with_a_loop),
    ("14.2", with_sorting),
    ("14.2", from_pairs),
    ("14.1", lambda name, array: solved.to_torch_layout(name, array).tolist()),
    ("14.3", lambda *arguments: [array.tolist() for array in solved.fold_batchnorm(*arguments)]),
]

WRONG = [
    ("14.1", reshaped, "transpose moves them"),
    ("14.1", as_view, "contiguous"),
    ("14.1", linear_forgotten, "fc.weight of"),
    ("14.1", by_name, "downsample"),
    ("14.3", unscaled_mean, "the bias is shift - mean"),
    ("14.3", without_bias, "the bias is shift - mean"),
    ("14.3", without_eps, "the eps given"),
    ("14.3", var_as_std, "not yet a standard deviation"),
    ("14.4", SetsInsteadOfAdding, "used twice"),
    ("14.4", NoRelu, "relu must return a new Value, got NoneType"),
    ("14.4", KeepsOldGradients, "start from 0"),
    ("14.4", LeakyRelu, "derivative of relu"),
    ("14.4", OneAtZero, r"relu at 0\.0 is 0"),
    ("14.4", BreadthFirst, "breadth first"),
    ("14.4", WithoutMemo, "Remember which values"),
    ("14.2", absolute, "in absolute terms"),
    ("14.2", stretched, "a shape that is not the same"),
    ("14.2", lambda ours, theirs: solved.largest_difference(theirs, ours), "b is from theirs"),
    ("14.2", compared(lambda a, b: (abs(a - b) / abs(b)).max()), "5 / 4, got 2.5"),
    ("14.2", compared(lambda a, b: abs(abs(a) - abs(b)).max() / abs(b).max()), "5 / 4, got 0.25"),
    ("14.2", missing_name, "not KeyError"),
    ("14.2", lambda ours, theirs: (0.1,), r"returned \(0.1,\), which the check cannot use: ValueError: not enough"),
    (
        "14.3",
        lambda *arguments: (np.ones((3, 3, 2, 3)),) * 3,
        r"returned \(array.*\.\.\., which the check cannot use: ValueError",
    ),
]
