"""Tasks of tutorial 14: layouts, a folded batch norm, and what autograd does. They need no PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_torch_layout(name: str, array: np.ndarray) -> np.ndarray:
    """Task 14.1 (*, 10 minutes): an array in PyTorch's layout

    TODO: `array` comes from this library. If `name` is "images", it is a batch of images or activations (N, H, W, C).
        Otherwise it is a parameter: the weight of a convolution (KH, KW, C, O), the weight of a linear layer (in, out),
        or an array with a single axis. Return it with PyTorch's order of axes: (N, C, H, W), (O, C, KH, KW), (out, in),
        or as it is. The result must be contiguous in memory. Do not change `array`.
    QUESTION: How do you tell the four cases apart?
    POINTER: `array.transpose(...)` takes the old axes in their new order. It returns a view of the same memory, and
        `np.ascontiguousarray` copies it if necessary.
    """
    ### BEGIN SOLUTION
    if name == "images":
        axes: tuple[int, ...] = (0, 3, 1, 2)
    else:
        axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
    return np.ascontiguousarray(array.transpose(axes))
    ### END SOLUTION


def largest_difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> tuple[str, float]:
    """Task 14.2 (**, 15 minutes): do two sets of gradients agree?

    TODO: Both dictionaries map names to arrays. The difference of two arrays is `max |a - b| / max |b|`, with b from
        `theirs`. Return the name of the array that differs most, and its difference as a float. Raise ValueError, with
        the names in its message, if a name is in only one of the dictionaries, or if two arrays have different shapes.
        No array contains nan, and none in `theirs` is zero everywhere.
    QUESTION: What does NumPy do if you subtract an array (2, 1) from an array (1, 2)?
    POINTER: `ours.keys() ^ theirs.keys()` are the names in only one of the two. Compare the shapes before you subtract.
    """
    ### BEGIN SOLUTION
    alone = ours.keys() ^ theirs.keys()
    if alone:
        raise ValueError(f"only one of the two has {', '.join(sorted(alone))}")
    for name in ours:
        if ours[name].shape != theirs[name].shape:
            raise ValueError(f"{name} is {ours[name].shape} here and {theirs[name].shape} there")
    differences = {name: float(abs(ours[name] - b).max() / abs(b).max()) for name, b in theirs.items()}
    worst = max(differences, key=differences.__getitem__)
    return worst, differences[worst]
    ### END SOLUTION


def fold_batchnorm(
    weight: np.ndarray, scale: np.ndarray, shift: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray]:
    """Task 14.3 (**, 15 minutes): fold a batch norm into the convolution before it

    TODO: `weight` (KH, KW, C, O) belongs to a convolution without a bias. The other arrays, each (O,), are the weight
        (`scale`), the bias (`shift`) and the running statistics of the batch norm after it. Return the weight and the
        bias (O,) of a single convolution that computes what the two layers compute in evaluation. Do not change the
        arguments.
    QUESTION: The output is `scale * (conv(x) - mean) / sqrt(var + eps) + shift`. What multiplies conv(x), and what is
        left?
    POINTER: A convolution is linear in its weights, so a factor of its output can be moved into them. The output
        channels are the last axis of `weight`, so multiplying by an array (O,) scales each kernel by its own factor.
    """
    ### BEGIN SOLUTION
    factor = scale / np.sqrt(var + eps)
    return weight * factor, shift - mean * factor
    ### END SOLUTION


class Value:
    """Task 14.4 (***, 45 minutes): autograd in thirty lines

    A `Value` is a number that remembers how it was computed. `parents` are the values it was computed from, and
    `local_grads` are its derivatives with respect to each of them. `+` and `*` are given, and so is `Value(3.0)`, a
    number that was not computed from anything.

    TODO: Write `relu()`, which returns a new Value, and `backward()`. The derivative of relu at 0 is taken as 0.
        `backward` sets `grad` of this value to 1, and `grad` of every value that it was computed from, however
        indirectly, to the derivative of this value with respect to it. If a value was used twice, add the gradients of
        both uses. Calling `backward()` again must give the same result.
    QUESTION: A value may pass its gradient on to its parents only when its own gradient is complete. In which order
        must you visit the values?
    POINTER: A depth-first search that appends a value after all of its parents gives a list in which parents come
        first; go through it in reverse. Remember which values you have visited, or a value that is used twice at each
        of 60 steps will be visited 2^60 times. Then set all gradients to 0 and this one to 1, and for each value add
        `value.grad * local_grad` to the gradient of each parent.
    """

    def __init__(self, data: float, parents: tuple[Any, ...] = (), local_grads: tuple[float, ...] = ()) -> None:
        self.data, self.grad, self.parents, self.local_grads = data, 0.0, parents, local_grads

    def __add__(self, other: Value) -> Value:
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Value) -> Value:
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def relu(self) -> Value:
        """max(self, 0)."""
        ### BEGIN SOLUTION
        return Value(max(self.data, 0.0), (self,), (float(self.data > 0),))
        ### END SOLUTION

    def backward(self) -> None:
        """Sets `grad` of this value and of every value that it was computed from."""
        ### BEGIN SOLUTION
        order: list[Value] = []
        visited: set[int] = set()

        def visit(value: Value) -> None:
            if id(value) not in visited:
                visited.add(id(value))
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        for value in order:
            value.grad = 0.0
        self.grad = 1.0
        for value in reversed(order):
            for parent, local in zip(value.parents, value.local_grads):
                parent.grad += value.grad * local
        ### END SOLUTION
