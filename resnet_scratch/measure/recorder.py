"""Looking over the shoulder of every layer of a network while it works."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Callable, Iterator

from ..layers import Sequential
from ..layers.layer import Layer

Wrap = Callable[[str, Layer, str, Callable[..., Any]], Callable[..., Any]]


@contextmanager
def watched(model: Layer, wrap: Wrap) -> Iterator[None]:
    """While it lasts, the forward and backward of each layer that has no layers below it are replaced.

    `wrap(name, layer, direction, method)` gets the layer's dotted name, the layer, "forward" or "backward", and the
    method as it was; what it returns is called in the method's place. Empty `Sequential`s (identities) are left out.
    """
    leaves = [
        (name, layer)
        for name, layer in model.named_layers()
        if not any(layer.children()) and not isinstance(layer, Sequential)
    ]
    for name, layer in leaves:
        for direction in ("forward", "backward"):
            setattr(layer, direction, wrap(name, layer, direction, getattr(layer, direction)))
    try:
        yield
    finally:
        for _, layer in leaves:
            del layer.forward, layer.backward  # from the object; the class's own come to light again


@contextmanager
def restored(model: Layer) -> Iterator[None]:
    """Behind it, every array of the model, learned or not (running averages), holds again what it held before."""
    before = [(buffer, buffer.value, buffer.value.copy()) for _, buffer in model.named_buffers()]
    try:
        yield
    finally:
        for buffer, value, copy in before:
            value[...] = copy  # in place, for whoever else holds the array
            buffer.value = value
