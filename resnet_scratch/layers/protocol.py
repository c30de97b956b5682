"""Does a layer keep the protocol? What a layer promises beside the right numbers: see `Layer`, and docs/design.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..compute.backend import Array, array_module
from .layer import Layer, restored


class BrokenPromise(AssertionError):
    """A layer that breaks the protocol. The message says how, and what to do."""


def checked_forward(layer: Layer, *inputs: Array, training: bool = True) -> tuple[Array, Any]:
    """The output and the cache of a forward pass. Raises BrokenPromise where it does not return both, or changes its
    input."""
    before = [x.copy() for x in inputs]
    forward: Callable[..., Any] = layer.forward  # of any number of inputs: an addition has two
    out = forward(*inputs, training)
    if not (isinstance(out, (tuple, list)) and len(out) == 2):
        raise BrokenPromise(
            f"forward must return two things, (y, cache), got {type(out).__name__}: did you forget the cache?"
        )
    if any((x != old).any() for x, old in zip(inputs, before)):
        raise BrokenPromise("forward changed x in place: make a new array, because a shortcut needs x too")
    return out[0], out[1]


def check_promises(layer: Layer, *inputs: Array, training: bool = True) -> None:
    """Raises BrokenPromise for a layer that breaks the protocol. Its arrays, and gradients, are as before afterwards.

    Forward must give the same output for the same input; backward must leave `grad_y` alone, and use the cache that it
    is given and nothing that forward kept in the layer.
    """
    with restored(layer, gradients=True):
        y, cache = checked_forward(layer, *inputs, training=training)
        if not _near(checked_forward(layer, *inputs, training=training)[0], y):
            raise BrokenPromise(
                "forward is not deterministic: the same input gave two outputs; let it draw the same numbers"
            )
        upstream = array_module(y).asarray(np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype))
        grad_y = upstream.copy()
        grads = _gradients(layer, layer.backward, grad_y, cache)
        if (grad_y != upstream).any():
            raise BrokenPromise(
                "backward changed grad_y in place: make a new array (g * mask, not g *= mask), because an addition "
                "hands the same array to two layers"
            )
        _, cache = checked_forward(layer, *inputs, training=training)
        checked_forward(layer, *(x[::-1] + 1 for x in inputs), training=training)  # used once more before backward
        again = _gradients(layer, layer.backward, grad_y, cache)
        if not (_near_all(again[0], grads[0]) and _near_all(again[1], grads[1])):
            raise BrokenPromise(
                "backward must use the cache that it is given. Yours uses something that forward kept on self: when "
                "the layer is used twice, that belongs to the second use"
            )


def check_short_cuts(layer: Layer, *inputs: Array, training: bool = True) -> None:
    """Raises BrokenPromise unless `layer(x)` is the output of forward, and `backward_to_parameters` sets the gradients
    that backward sets. The layer's arrays, and gradients, are as before afterwards."""
    with restored(layer, gradients=True):
        if type(layer).__call__ is not Layer.__call__:
            y, _ = checked_forward(layer, *inputs, training=False)
            if not _near(layer(*inputs), y):
                raise BrokenPromise("layer(x) is not what forward computes: correct __call__, or remove it")
        if type(layer).backward_to_parameters is not Layer.backward_to_parameters:
            y, cache = checked_forward(layer, *inputs, training=training)
            _, grads = _gradients(layer, layer.backward, y.copy(), cache)
            y, cache = checked_forward(layer, *inputs, training=training)
            if not _near_all(_gradients(layer, layer.backward_to_parameters, y.copy(), cache)[1], grads):
                raise BrokenPromise(
                    "backward_to_parameters sets other gradients than backward: correct it, or remove it"
                )


def turned_into_float64(layer: Layer, *inputs: Array, training: bool = True) -> str:
    """Which result for float32 has another dtype, "the output" say; "" if none. The layer's arrays are as before
    afterwards."""
    with restored(layer, gradients=True):
        layer.astype(np.float32)
        y, cache = checked_forward(layer, *(x.astype(np.float32) for x in inputs), training=training)
        if y.dtype != np.float32:
            return "the output"
        of_inputs, of_parameters = _gradients(layer, layer.backward, y.copy(), cache)
        names = [f"the gradient w.r.t. {name}" for name, _ in layer.named_parameters()]
        named = [*(("the gradient w.r.t. the input", grad) for grad in of_inputs), *zip(names, of_parameters)]
        return next((name for name, grad in named if grad is not None and grad.dtype != np.float32), "")


def _gradients(
    layer: Layer, backward: Callable[[Array, Any], Any], grad_y: Array, cache: Any
) -> tuple[list[Array], list[Array]]:
    """What this backward returns, for each input, and what it sets, for each parameter: copies."""
    returned = backward(grad_y, cache)
    returned = returned if isinstance(returned, (tuple, list)) else [returned]
    both = returned, [parameter.grad for parameter in layer.parameters()]
    of_inputs, of_parameters = ([None if grad is None else grad.copy() for grad in grads] for grads in both)
    return of_inputs, of_parameters


def _near_all(found: list[Array], expected: list[Array]) -> bool:
    return len(found) == len(expected) and all(map(_near, found, expected))


def _near(found: Array, expected: Array) -> bool:
    """Whether two arrays, or two times None, agree but for rounding."""
    if found is None or expected is None:
        return found is expected
    xp = array_module(expected)
    scale = float(xp.abs(expected).max()) if expected.size else 0.0
    return found.shape == expected.shape and not float(xp.abs(found - expected).max()) > 1e-9 * scale
