"""Exercises of tutorial 14: layouts, names, and what autograd does. They need no PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_torch_layout(name: str, array: np.ndarray) -> np.ndarray:
    """Task 14.1 (**, 15 minutes): an array of ours as PyTorch lays it out.

    TODO: `array` is one of this library's: images or activations (N, H, W, C) when `name` is "images", else a
        parameter: a convolution's weight (KH, KW, C, O), a linear layer's weight (in, out), or one with a single axis.
        Return it in PyTorch's order of axes: (N, C, H, W), (O, C, KH, KW), (out, in), unchanged; and contiguous in
        memory.
    QUESTION: `array.transpose(...)` takes the old axes in the new order; `np.ascontiguousarray` copies where it must.
    POINTER: 1. Tell the cases apart by the name and the number of axes. 2. Say for each axis of the result which axis
        of the array it is. 3. A transposed array is a view: make it contiguous.
    """
    ### BEGIN SOLUTION
    if name == "images":
        axes: tuple[int, ...] = (0, 3, 1, 2)
    else:
        axes = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
    return np.ascontiguousarray(array.transpose(axes))
    ### END SOLUTION


def fold_batchnorm(
    weight: np.ndarray, scale: np.ndarray, shift: np.ndarray, mean: np.ndarray, var: np.ndarray, eps: float = 1e-5
) -> tuple[np.ndarray, np.ndarray]:
    """Task 14.2 (**, 15 minutes): a batch norm disappears into the convolution before it.

    When networks are carried over for use, not for training, batch norms are often folded into their convolutions.

    TODO: `weight` (KH, KW, C, O) is that of a convolution without bias; the others, each (O,), are the batch norm's
        weight, bias and running statistics. Return (new weight, bias (O,)) of one convolution that does what both did
        in evaluation. The arguments are not changed.
    QUESTION: output channels are the last axis of `weight`, so a factor (O,) multiplies just the right numbers.
    POINTER: 1. Write down y = scale * (conv(x) - mean) / sqrt(var + eps) + shift. 2. A convolution is linear in its
        weights: what multiplies conv(x), per output channel? 3. What is left is the bias.
    """
    ### BEGIN SOLUTION
    factor = scale / np.sqrt(var + eps)
    return weight * factor, shift - mean * factor
    ### END SOLUTION


class Value:
    """Task 14.3 (**, 15 minutes): autograd, in thirty lines.

    A number that remembers how it was made: `parents` are the values it came from, and `local_grads` the derivative of
    this number with respect to each. `+` and `*` are done, and so is `Value(3.0)`, a number that came from nowhere.

    TODO: write `relu()`, which gives a new Value, and `backward()`, which sets `grad` of this number to 1 and of every
        number that it was made from, however far back, to the derivative of this one with respect to it. A number that
        was used twice gets the sum of both ways.
    QUESTION: without the order, a number could hand its gradient on before it has got all of it.
    POINTER: 1. Put all numbers into an order in which each stands before those it was made from: visit the parents
        first, then append yourself; then reverse. 2. Set all gradients to 0 and this one's to 1. 3. Go through the
        order and add to each parent's gradient: your own gradient times the local one.
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
        """Sets `grad` of this number and of all that it was made from."""
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


def largest_difference(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> tuple[str, float]:
    """Task 14.4 (**, 15 minutes): do two sets of gradients agree?

    TODO: both dictionaries hold arrays under names. Return (name, difference) of the array that differs most, where the
        difference of two arrays is max |a - b| / max |b|, b from `theirs`. Raise ValueError, naming the names, when one
        has a name that the other lacks, or when two arrays differ in shape (NumPy would stretch one to fit).
    QUESTION: `ours.keys() ^ theirs.keys()` are the names that only one of them has.
    POINTER: 1. Compare the sets of names. 2. For each name compare shapes, then numbers. 3. Keep the largest.
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
