"""Does a layer keep the protocol? What a layer promises besides the right numbers: see `Layer`, and docs/design.md."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from ..compute.backend import Array, array_module, to_numpy
from .layer import Layer, restored

KEPT_ON_SELF = (
    "backward must use the cache that it is given. Yours uses something that forward kept on self: when the layer is "
    "used twice, that belongs to the second use"
)


class BrokenPromise(AssertionError):
    """A layer that breaks the protocol. The message says how, and what to do; `parameter` names the one concerned, or
    is empty."""

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


def checked_forward(layer: Layer, *inputs: Array, training: bool = True) -> tuple[Array, Any]:
    """The output and the cache of a forward pass. Raises BrokenPromise where it does not return both, or changes its
    input."""
    before = [x.copy() for x in inputs]
    forward: Callable[..., Any] = layer.forward  # of any number of inputs: an addition has two
    out = forward(*inputs, training=training)
    if not (isinstance(out, (tuple, list)) and len(out) == 2):
        raise BrokenPromise(
            f"forward must return two things, (y, cache), got {type(out).__name__}: did you forget the cache?"
        )
    if not _equal(inputs, before):
        raise BrokenPromise("forward changed x in place: make a new array, because a shortcut needs x too")
    return out[0], out[1]


def check_promises(layer: Layer, *inputs: Array, training: bool = True) -> None:
    """Raises BrokenPromise for a layer that breaks the protocol. Its arrays and gradients are restored afterwards.

    Forward must give the same output for the same input. Backward must leave `grad_y`, x and the values of the
    parameters alone, overwrite their gradients, and use the cache that it is given and nothing that forward kept in the
    layer.
    """
    with restored(layer, gradients=True):
        before = [x.copy() for x in inputs]
        y, cache = checked_forward(layer, *inputs, training=training)
        if not _near([checked_forward(layer, *inputs, training=training)[0]], [y]):
            raise BrokenPromise(
                "forward is not deterministic: the same input gave two outputs; draw the same random numbers each time"
            )
        upstream = array_module(y).asarray(np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype))
        grad_y = upstream.copy()
        values = [parameter.value.copy() for parameter in layer.parameters()]
        first = _gradients(layer, layer.backward, grad_y, cache)
        if not _equal([grad_y], [upstream]):
            raise BrokenPromise(
                "backward changed grad_y in place: make a new array (g * mask, not g *= mask), because an addition "
                "hands the same array to two layers"
            )
        if not _equal(inputs, before):
            raise BrokenPromise("backward changed x in place: make a new array, because the layer before keeps x too")
        for (name, parameter), value in zip(layer.named_parameters(), values):
            if not _equal([parameter.value], [value]):
                raise BrokenPromise(
                    f"backward changed the value of {name}: set its grad, and leave the value to the optimizer", name
                )
        _, cache = checked_forward(layer, *inputs, training=training)
        layer.backward(grad_y, cache)  # once more, where the gradients of the parameters are there already
        if name := _first_apart(layer, _of_parameters(layer), first[1]):
            raise BrokenPromise("backward must overwrite the gradients of its parameters; yours adds to them", name)
        _, cache = checked_forward(layer, *inputs, training=training)
        _use_again(layer, inputs, training)
        try:
            again = _gradients(layer, layer.backward, grad_y, cache)
        except Exception as error:
            raise BrokenPromise(KEPT_ON_SELF) from error
        if not (_near(again[0], first[0]) and _near(again[1], first[1])):
            raise BrokenPromise(KEPT_ON_SELF)


def check_fast_paths(layer: Layer, *inputs: Array, training: bool = True) -> None:
    """Raises BrokenPromise unless `layer(x)` is the output of forward, and `backward_to_parameters` sets the gradients
    that backward sets. The layer's arrays and gradients are restored afterwards."""
    with restored(layer, gradients=True):
        if type(layer).__call__ is not Layer.__call__:
            y, _ = checked_forward(layer, *inputs, training=False)
            if not _near([layer(*inputs)], [y]):
                raise BrokenPromise("layer(x) is not what forward computes: correct __call__, or remove it")
        if type(layer).backward_to_parameters is not Layer.backward_to_parameters:
            found = []
            for backward in (layer.backward, layer.backward_to_parameters):
                y, cache = checked_forward(layer, *inputs, training=training)
                found.append(_gradients(layer, backward, y.copy(), cache)[1])
            if name := _first_apart(layer, *found):
                raise BrokenPromise(
                    "backward_to_parameters sets other gradients than backward: correct it, or remove it", name
                )


def turned_into_float64(layer: Layer, *inputs: Array, training: bool = True) -> str:
    """The name of the first result, such as "the output", that is float64 for float32; "" if there is none. The layer's
    arrays are restored afterwards."""
    with restored(layer, gradients=True):
        layer.astype(np.float32)
        y, cache = checked_forward(layer, *(x.astype(np.float32) for x in inputs), training=training)
        if y.dtype == np.float64:
            return "the output"
        of_inputs, of_parameters = _gradients(layer, layer.backward, y.copy(), cache)
        names = [f"the gradient w.r.t. {name}" for name, _ in layer.named_parameters()]
        named = [*(("the gradient w.r.t. the input", grad) for grad in of_inputs), *zip(names, of_parameters)]
        return next((name for name, grad in named if grad is not None and grad.dtype == np.float64), "")


Gradients = list  # of NumPy arrays, with None for one that is missing


def _gradients(
    layer: Layer, backward: Callable[[Array, Any], Any], grad_y: Array, cache: Any
) -> tuple[Gradients, Gradients]:
    """What this backward returns, for each input, and what it sets, for each parameter: copies."""
    for parameter in layer.parameters():
        parameter.grad = None
    returned = backward(grad_y, cache)
    returned = returned if isinstance(returned, (tuple, list)) else [returned]
    return [_copy(grad) for grad in returned], _of_parameters(layer)


def _of_parameters(layer: Layer) -> Gradients:
    return [_copy(parameter.grad) for parameter in layer.parameters()]


def _copy(grad: Any) -> np.ndarray | None:
    """A gradient as a NumPy array of its own; it may be a list, or a number, where it is wrong."""
    return None if grad is None else np.array(to_numpy(grad) if hasattr(grad, "dtype") else grad)


def _use_again(layer: Layer, inputs: tuple[Array, ...], training: bool) -> None:
    """Use the layer for other inputs, if it takes any: a batch of twice the size, or one of the same."""
    forward: Callable[..., Any] = layer.forward
    for others in ([array_module(x).concatenate((x, x)) for x in inputs], inputs):
        with suppress(Exception):  # labels of a loss may fit one size only, and a domain may be small
            forward(*(2 * x[::-1] + 1 for x in others), training=training)
            return


def _equal(found: Any, expected: Any) -> bool:
    return all(np.array_equal(to_numpy(a), to_numpy(b), equal_nan=True) for a, b in zip(found, expected))


def _first_apart(layer: Layer, found: Gradients, expected: Gradients) -> str:
    """The name of the first parameter whose two gradients disagree; "" if none do."""
    names = [name for name, _ in layer.named_parameters()]
    return next((name for name, a, b in zip(names, found, expected) if not _near([a], [b])), "")


def _near(found: list[Any], expected: list[Any]) -> bool:
    """Whether the arrays agree but for rounding; None agrees with None."""
    for a, b in zip(found, expected, strict=True):
        if a is None or b is None:
            if a is not b:
                return False
            continue
        a, b = (np.asarray(to_numpy(x), float) for x in (a, b))
        if a.shape != b.shape or (abs(a - b) > 1e-9 * abs(b).max(initial=0)).any():
            return False
    return True
