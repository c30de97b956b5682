"""Does an answer that is a layer keep the contract between forward, cache and backward?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...gradcheck import Report
from ...layers.layer import Layer
from ...layers.protocol import check_promises, checked_forward


def contract(layer: Layer, x: np.ndarray, needs_cache: bool = True) -> tuple[np.ndarray, Any]:
    """y and the cache of a forward pass, if the layer keeps the contract between forward, cache and backward."""
    y, cache = checked_forward(layer, x)
    assert cache is not None or not needs_cache, (
        "your cache is None; return in it what backward will need, and do not keep it on self"
    )
    return np.asarray(y), cache


def check_backward(layer: Layer, x: np.ndarray) -> np.ndarray:
    """grad_x for the gradient `upstream(y)`, if backward keeps the contract."""
    y, cache = contract(layer, x, needs_cache=False)
    check_promises(layer, x)
    return one_gradient(layer.backward(upstream(y), cache), x)


def one_gradient(grad_x: Any, x: np.ndarray, hint: str = "") -> np.ndarray:
    """What backward returned, if it is one gradient with the shape of x. The `hint` is for a wrong shape."""
    assert grad_x is not None, "backward returns nothing; it must return grad_x"
    assert not isinstance(grad_x, tuple), (
        f"backward must return grad_x only, got a tuple of {len(grad_x)}; put the gradients of parameters into their "
        "grad, such as self.weight.grad"
    )
    shape = np.shape(grad_x)
    assert shape == x.shape, f"grad_x must have the shape of x, {x.shape}, got {shape}{hint}"
    return np.asarray(grad_x)


def upstream(y: np.ndarray) -> np.ndarray:
    """A random gradient with respect to y."""
    return np.random.default_rng(1).standard_normal(y.shape)


def blame(report: Report, grad_x: np.ndarray, mistakes: Mapping[str, np.ndarray]) -> None:
    """Raise AssertionError for a failed gradient check: with the mistake that gives this grad_x, if there is one."""
    for message, result in mistakes.items():
        assert not _same(grad_x, result), message
    failed = ", ".join(tensor.name for tensor in report.tensors if tensor.problem)
    raise AssertionError(f"backward does not match forward: wrong gradient with respect to {failed}.\n{report}")


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-6, atol=1e-9)
