"""The output of every layer."""

from __future__ import annotations

from ..compute.backend import Array
from ..layers.layer import Layer
from ..measure.recorder import Event, observe


def activations(model: Layer, images: Array) -> dict[str, Array]:
    """The output of every layer that is not made of others, by its dotted name, for normalised images
    (N, H, W, C), in evaluation mode."""
    outputs: dict[str, Array] = {}

    def keep(event: Event) -> None:
        outputs[event.name] = event.outputs[0]

    with observe(model, keep):
        model.forward(images)  # not model(images): a layer may have a fast path that is not its forward
    return outputs
