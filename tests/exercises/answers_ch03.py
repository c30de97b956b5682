"""Answers to the tasks of tutorial 03: right ones, and wrong ones with a word of what each must be told."""

import math

import numpy as np

from resnet_scratch.exercises import ch03_gradient_checking as solved
from resnet_scratch.verify.definitions import numerical_gradient


def gradient(slope, put_back=lambda x, index, value, h: x.__setitem__(index, value)):
    """central_differences with another `slope(f_at, h)`, where f_at(k) is f with the number changed by k steps."""

    def answer(f, x, h=1e-5):
        result = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            value = x[index]

            def f_at(k, index=index, value=value):
                x[index] = value + k * h
                return f(x)

            result[index] = slope(f_at, h)
            put_back(x, index, value, h)
        return result

    return answer


def central(f_at, h):
    return (f_at(1) - f_at(-1)) / (2 * h)


def leave(x, index, value, h):
    pass


def add_up(x, index, value, h):
    x[index] += h  # f was last evaluated at value - h


def all_together(f, x, h=1e-5):
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


def flat(f, x, h=1e-5):
    return solved.central_differences(f, x, h).ravel()


def own_step(f, x, h=1e-5):
    return solved.central_differences(f, x, 1e-5)


def with_unit_vectors(f, x, h=1e-5):
    units = np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([f(x + h * e) - f(x - h * e) for e in units]).reshape(x.shape) / (2 * h)


def on_flat_copies(f, x, h=1e-5):
    slopes = []
    for k in range(x.size):
        above, below = x.copy(), x.copy()
        above.flat[k] += h
        below.flat[k] -= h
        slopes.append((f(above) - f(below)) / h / 2)
    return np.reshape(slopes, x.shape)


def with_nditer(f, x, h=1e-5):
    gradient, kept = np.empty_like(x), x.copy()
    it = np.nditer(kept, flags=["multi_index"])
    for value in it:
        values = []
        for shift in (h, -h):
            x[it.multi_index] = value + shift
            values.append(f(x))
        x[...] = kept
        gradient[it.multi_index] = np.subtract(*values) / (2 * h)
    return gradient


def step_by_logarithms(value, third_derivative, eps):
    return math.exp(math.log(3 * eps * abs(value / third_derivative)) / 3)


def step_by_roots(value, third_derivative, eps):
    roots = np.roots([abs(third_derivative) / 3, 0, 0, -eps * abs(value)])
    return roots[np.abs(roots.imag).argmin()].real


def step_by_newton(value, third_derivative, eps):
    h, target = 1.0, 3 * eps * abs(value) / abs(third_derivative)
    for _ in range(200):
        h -= (h**3 - target) / (3 * h**2)
    return np.float64(h)


def checker(loss=None, training=True, copy=True, order=slice(None), give=None, parameters=True, key="input"):
    """compare_gradients with some mistakes."""

    def answer(layer, x, g):
        def of(_):
            y = layer.forward(x, training=training)[0]
            return float((y * g).sum() if loss is None else loss(y, g))

        _, cache = layer.forward(x, training=training)
        grad_x = layer.backward(g.copy() if copy else g, cache)
        pairs = {key: (grad_x, numerical_gradient(of, x))}
        for name, parameter in layer.named_parameters() if parameters else ():
            pairs[name] = (parameter.grad, numerical_gradient(of, parameter.value))
        return {name: tuple(pair[order]) if give is None else give(pair) for name, pair in pairs.items()}

    return answer


def with_copies(layer, x, g):
    def loss(_):
        return float((layer.forward(x, training=True)[0] * g).sum())

    grad_x = layer.backward(g.copy(), layer.forward(x, training=True)[1])
    pairs = {"input": (grad_x, numerical_gradient(loss, x.copy()))}
    return pairs | {n: (p.grad, numerical_gradient(loss, p.value.copy())) for n, p in layer.named_parameters()}


def weights_left_changed(layer, x, g):
    pairs = solved.compare_gradients(layer, x, g)
    for parameter in layer.parameters():
        parameter.value += 1e-5
    return pairs


def in_lists(layer, x, g):
    _, cache = layer.forward(x, training=True)
    arrays, gradients = {"input": x}, {"input": layer.backward(np.array(g), cache)}
    for name, parameter in layer.named_parameters():
        arrays[name], gradients[name] = parameter.value, parameter.grad
    result = {}
    for name, array in arrays.items():
        numerical = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            value, losses = array[index], []
            for shift in (1e-5, -1e-5):
                array[index] = value + shift
                losses.append(np.vdot(layer.forward(x, training=True)[0], g))
            array[index] = value
            numerical[index] = (losses[0] - losses[1]) / 2e-5
        result[name] = [gradients[name], numerical]
    return result


def of_its_argument(layer, x, g):
    """The loss as a function of x; parameters are replaced."""

    def of_x(x):
        return np.sum(np.multiply(layer.forward(x, True)[0], g))

    y, cache = layer.forward(x.copy(), training=True)
    result = {"input": (layer.backward(g + 0, cache), solved.central_differences(of_x, x.copy()))}
    for name, parameter in layer.named_parameters():

        def of_parameter(value, parameter=parameter, kept=parameter.value):
            parameter.value = value
            loss = of_x(x)
            parameter.value = kept
            return loss

        result[name] = (parameter.grad.copy(), solved.central_differences(of_parameter, parameter.value.copy()))
    return result


def with_tensordot(layer, x, g):
    def loss(array):
        return np.tensordot(layer.forward(x, training=True)[0], g, g.ndim)

    names, arrays = ["input"], [x]
    for name, parameter in layer.named_parameters():
        names.append(name)
        arrays.append(parameter.value)
    numerical = [solved.central_differences(loss, array, 1e-6) for array in arrays]
    grad_x = layer.backward(g.copy(), layer.forward(x, training=True)[1])
    return dict(zip(names, zip([grad_x, *(p.grad for p in layer.parameters())], numerical)))


def error(difference, size, reduce=np.max, watchful=True):
    def answer(a, n):
        if watchful and not (np.isfinite(a).all() and np.isfinite(n).all()):
            return np.inf
        return float(reduce(difference(a, n) / np.maximum(size(a, n), 1e-300)))

    return answer


def rms(a):
    return np.sqrt((a**2).mean())


def apart(a, n):
    return np.abs(a - n)


def at_least(floor):
    return lambda a, n: np.maximum(np.maximum(np.abs(a), np.abs(n)), floor(a))


def error_in_a_loop(analytic, numerical):
    floor = math.sqrt(sum(a * a for a in analytic.flat) / analytic.size)
    worst = 0.0
    for a, n in zip(analytic.flat, numerical.flat):
        if not (math.isfinite(a) and math.isfinite(n)):
            return math.inf
        size = max(abs(a), abs(n), floor)
        if size:
            worst = max(worst, abs(a - n) / size)
    return worst


def error_by_stacking(analytic, numerical):
    both = np.stack([analytic, numerical])
    if np.isnan(both).any() or np.isinf(both).any():
        return math.inf
    floor = np.linalg.norm(analytic) / np.sqrt(analytic.size)
    size = np.clip(np.abs(both).max(0), floor, None)
    return float((np.ptp(both, axis=0)[size > 0] / size[size > 0]).max(initial=0))


def error_by_dividing(analytic, numerical):
    with np.errstate(all="ignore"):
        size = np.maximum.reduce([abs(analytic), abs(numerical), np.full(analytic.shape, rms(analytic))])
        quotient = abs(analytic - numerical) / size
    if not np.isfinite(analytic + numerical).all():
        return np.inf
    return np.nanmax(np.nan_to_num(quotient))


def no_zeros(a, n):
    return float("nan") if not a.any() and not n.any() else solved.relative_error(a, n)


def zero_is_right(a, n):
    return 0.0 if not a.any() else solved.relative_error(a, n)


def unit(backward):
    """UnitLength with this backward(grad_y, y, r)."""
    return type("Other", (solved.UnitLength,), {"backward": lambda self, g, cache: backward(g, *cache)})


def in_place(g, y, r):
    g -= y * (g * y).sum(1, keepdims=True)
    return g / r


def with_jacobians(g, y, r):
    rows = []
    for one_g, one_y, one_r in zip(g, y, r):
        jacobian = (np.eye(len(one_y)) - np.outer(one_y, one_y)) / one_r
        rows.append(jacobian.T @ one_g)
    return np.array(rows)


def in_steps(g, y, r):
    x = y * r
    grad_r = -(g * x).sum(1, keepdims=True) / r**2  # y = x / r
    grad_square = grad_r / (2 * r)  # r = sqrt(square)
    return g / r + grad_square * 2 * x


def error_of_floats(analytic, numerical):
    a, n = analytic.ravel().tolist(), numerical.ravel().tolist()
    rms = (sum(x * x for x in a) / len(a)) ** 0.5
    return max(abs(x - y) / max(abs(x), abs(y), rms) for x, y in zip(a, n))


class ReturnsTwo(solved.UnitLength):
    def backward(self, grad_y, cache):
        return super().backward(grad_y, cache), grad_y[:1]


def step_on_a_grid(value, third_derivative, eps):
    h = np.geomspace(1e-8, 1e2, 200_001)
    return h[np.argmin(h**2 * abs(third_derivative) / 6 + eps * abs(value) / h)]


RIGHT = [
    ("3.1", with_unit_vectors),
    ("3.1", on_flat_copies),
    ("3.1", with_nditer),
    ("3.2", step_by_logarithms),
    ("3.2", step_by_roots),
    ("3.2", step_by_newton),
    ("3.3", in_lists),
    ("3.3", of_its_argument),
    ("3.3", with_tensordot),
    ("3.4", error_in_a_loop),
    ("3.4", error_by_stacking),
    ("3.4", error_by_dividing),
    ("3.5", unit(with_jacobians)),
    ("3.5", unit(in_steps)),
    ("3.5", unit(lambda g, y, r: g / r - y / r * np.einsum("nc,nc->n", g, y)[:, None])),
    ("3.4", lambda *pair: solved.relative_error(*(array.astype(np.float32) for array in pair))),
    ("3.2", step_on_a_grid),
]

WRONG = [
    ("3.1", gradient(lambda f_at, h: (f_at(1) - f_at(0)) / h), "forward difference"),
    ("3.1", gradient(lambda f_at, h: (f_at(0) - f_at(-1)) / h), "backward difference"),
    ("3.1", gradient(lambda f_at, h: (f_at(1) - f_at(-1)) / h), "twice too large"),
    ("3.1", gradient(lambda f_at, h: (f_at(1) - f_at(-1)) / (4 * h)), "half of what"),
    ("3.1", gradient(lambda f_at, h: (f_at(-1) - f_at(1)) / (2 * h)), "sign"),
    ("3.1", gradient(lambda f_at, h: f_at(1) - f_at(-1)), "not divided"),
    ("3.1", gradient(central, leave), "put each number back"),
    ("3.1", gradient(central, add_up), "rounding error"),
    ("3.1", all_together, "changed together"),
    ("3.1", flat, "must have that shape"),
    ("3.1", gradient(lambda f_at, h: (f_at(2) - f_at(-2)) / (4 * h)), "2h on each side"),
    ("3.1", own_step, "did not use h"),
    ("3.2", lambda value, third, eps: np.sqrt(eps * abs(value / third)), "square root"),
    ("3.2", lambda value, third, eps: eps ** (1 / 3), "matter too"),
    ("3.2", lambda value, third, eps: (3 * eps * abs(value / third)) ** 1 / 3, "divided by 3"),
    ("3.2", lambda value, third, eps: (3 * eps * abs(third / value)) ** (1 / 3), "swapped"),
    ("3.2", lambda value, third, eps: (6 * eps * abs(value / third)) ** (1 / 3), "derivative is zero"),
    ("3.2", lambda value, third, eps: (eps * abs(value / third)) ** (1 / 3), "factor is missing"),
    ("3.2", lambda value, third, eps: (3 * eps * value / third) ** (1 / 3), "absolute values"),
    ("3.2", lambda value, third, eps: (2 * eps * abs(value / third)) ** (1 / 3), "gets larger"),
    ("3.3", checker(training=False), "evaluation mode"),
    ("3.3", checker(copy=False), "give it a copy"),
    ("3.3", checker(loss=lambda y, g: y.sum()), "L must contain g"),
    ("3.3", checker(loss=lambda y, g: (y * g).mean()), "not their mean"),
    ("3.3", checker(order=slice(None, None, -1)), "swapped"),
    ("3.4", lambda a, n: abs(a - n) / np.sqrt(np.mean(a**2)), "a single number is wanted"),
    ("3.4", error_of_floats, "you divide by zero"),
    ("3.3", checker(give=lambda pair: (pair[0], pair[0])), "compute it from the forward pass"),
    ("3.3", checker(give=lambda pair: (pair[1], pair[1])), "return what backward gives"),
    ("3.3", checker(give=lambda pair: abs(pair[0] - pair[1]).max()), "must map to a pair"),
    ("3.3", checker(parameters=False), "'weight' is missing"),
    ("3.3", checker(key="x"), "'input' is missing"),
    ("3.3", with_copies, "pass a copy"),
    ("3.3", weights_left_changed, "weight must be as it was"),
    ("3.3", lambda layer, x, g: list(solved.compare_gradients(layer, x, g)), "return a dictionary"),
    ("3.4", error(apart, lambda a, n: np.maximum(np.abs(a), rms(a))), "numerical. is larger here"),
    ("3.4", error(apart, lambda a, n: np.maximum(np.abs(n), rms(a))), "analytic. is larger here"),
    ("3.4", error(lambda a, n: np.abs(np.abs(a) - np.abs(n)), at_least(rms)), "subtract first"),
    ("3.4", error(lambda a, n: a - n, at_least(rms)), "absolute value"),
    ("3.4", error(apart, at_least(lambda a: 0)), "without the root mean square"),
    ("3.4", error(apart, lambda a, n: at_least(rms)(n, a)), "not of `numerical`"),
    ("3.4", error(apart, at_least(np.linalg.norm)), "the mean is missing"),
    ("3.4", error(apart, at_least(lambda a: np.abs(a).mean())), "the mean of .analytic."),
    ("3.4", error(apart, at_least(np.max)), "is not its root mean square"),
    ("3.4", error(apart, at_least(np.std)), "standard deviation"),
    ("3.4", error(apart, at_least(lambda a: np.sqrt((a**2).mean(-1, keepdims=True)))), "one root mean square"),
    ("3.4", error(apart, at_least(lambda a: np.sqrt((a**2).mean(0)))), "one root mean square"),
    ("3.4", error(apart, at_least(rms), np.mean), "not the mean"),
    ("3.4", error(apart, at_least(rms), watchful=False), "return infinity"),
    ("3.4", lambda a, n: np.nan if np.isnan(a + n).any() else error_in_a_loop(a, n), "return infinity"),
    ("3.4", no_zeros, "so return 0.0"),
    ("3.4", zero_is_right, "that is wrong"),
    ("3.5", unit(lambda g, y, r: g / r), "depends on x too"),
    ("3.5", unit(lambda g, y, r: g - y * (g * y).sum(1, keepdims=True)), "divide by r"),
    ("3.5", unit(lambda g, y, r: (g + y * (g * y).sum(1, keepdims=True)) / r), "sign of the second"),
    ("3.5", unit(lambda g, y, r: (g - y * (g * y).sum()) / r), "of its own"),
    ("3.5", unit(lambda g, y, r: (g - y * (g * y).sum(0)) / r), "along each row"),
    ("3.5", unit(lambda g, y, r: (g - y * g * y) / r), "sum over i"),
    ("3.5", unit(lambda g, y, r: (g - y * r * (g * y).sum(1, keepdims=True)) / r), "not x"),
    ("3.5", unit(lambda g, y, r: (g - y * (g * y).mean(1, keepdims=True)) / r), "not the mean"),
    ("3.5", unit(in_place), "in place"),
    ("3.5", unit(lambda g, y, r: list((g - y * (g * y).sum(1, keepdims=True)) / r)), r"np\.array"),
    ("3.5", unit(lambda g, y, r: -g), "must be"),
    ("3.5", unit(lambda g, y, r: g[0]), "shape of x"),
    ("3.2", lambda f, third, eps: (1.0, 2.0), r"returned \(1.0, 2.0\), which the check cannot use"),
    ("3.5", ReturnsTwo, "backward must return grad_x only, got a tuple of 2"),
]
