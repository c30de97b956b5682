"""What every layer puts out."""

from __future__ import annotations

from typing import Any, Callable

from ..compute.backend import Array
from ..layers.layer import Layer
from ..measure.recorder import watched


def activations(model: Layer, images: Array) -> dict[str, Array]:
    """The output of every layer, by its dotted name, for images (N, H, W, C), in evaluation mode."""
    outputs: dict[str, Array] = {}

    def wrap(name: str, layer: Layer, direction: str, method: Callable) -> Callable:
        def forward(*inputs: Array, **keywords: Any) -> tuple[Array, Any]:
            y, cache = method(*inputs, **keywords)
            outputs[name] = y
            return y, cache

        return forward if direction == "forward" else method

    with watched(model, wrap):
        model(images)
    return outputs
