"""Does an answer that is a layer keep the contract between forward, cache and backward?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...gradcheck import Report
from ...layers.layer import Layer


def contract(layer: Layer, x: np.ndarray, needs_cache: bool = True) -> tuple[np.ndarray, Any]:
    """y and the cache of a forward pass, if the layer keeps the contract between forward, cache and backward."""
    before = x.copy()
    out = layer.forward(x, True)
    assert isinstance(out, (tuple, list)) and len(out) == 2, (
        f"forward must return two things, (y, cache); yours returns {type(out).__name__}. Did you forget the cache?"
    )
    y, cache = out
    assert (x == before).all(), "forward changed x in place; make a new array, because the shortcut needs x too"
    assert cache is not None or not needs_cache, (
        "your cache is None; return in it what backward will need, and do not keep it on self"
    )
    return np.asarray(y), cache


def check_backward(layer: Layer, x: np.ndarray) -> np.ndarray:
    """grad_x for the gradient `upstream(y)`, if backward keeps the contract."""
    y, cache = contract(layer, x, needs_cache=False)
    grad_y = upstream(y)
    kept = grad_y.copy()
    grad_x = layer.backward(grad_y, cache)
    assert (grad_y == kept).all(), (
        "backward changed grad_y in place; make a new array (g * mask, not g *= mask), because an addition hands the "
        "same array to two layers"
    )
    assert grad_x is not None, "backward returns nothing; it must return grad_x"
    assert np.shape(grad_x) == x.shape, f"grad_x must have the shape of x, {x.shape}, got {np.shape(grad_x)}"
    grads = [np.copy(p.grad) for p in layer.parameters()]
    y, cache = layer.forward(x, True)
    layer.forward(x[::-1] + 1, True)  # the layer is used once more before backward
    again = layer.backward(grad_y, cache)
    same_grads = all(np.array_equal(grad, p.grad) for grad, p in zip(grads, layer.parameters()))
    assert np.allclose(again, grad_x) and same_grads, (
        "backward must use the cache that it is given. Yours uses something that forward kept on self: when the layer "
        "is used twice, that belongs to the second use"
    )
    return np.asarray(grad_x)


def upstream(y: np.ndarray) -> np.ndarray:
    """A random gradient with respect to y."""
    return np.random.default_rng(1).standard_normal(y.shape)


def blame(report: Report, grad_x: np.ndarray, mistakes: Mapping[str, np.ndarray]) -> None:
    """Raise AssertionError for a failed gradient check: with the mistake that gives this grad_x, if there is one."""
    for message, result in mistakes.items():
        assert not _same(grad_x, result), message
    failed = ", ".join(tensor.name for tensor in report.tensors if tensor.problem)
    raise AssertionError(f"backward does not fit forward: wrong gradient with respect to {failed}.\n{report}")


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-6, atol=1e-9)
