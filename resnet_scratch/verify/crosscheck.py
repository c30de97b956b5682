"""The same network and the same batch on two devices: where do they begin to differ, and by how much?"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from ..compute.backend import Array, to_device, to_numpy
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from ..measure.recorder import watched

TOLERANCE = 1e-9  # in float64, where a sum in another order costs a few digits of sixteen


@dataclass(frozen=True)
class Difference:
    """One layer on two devices. Each number is the largest |a - b|, divided by the largest |a|."""

    name: str
    kind: str  # the name of the layer's class
    output: float
    grad_input: float
    grad_parameters: float  # of all its parameters the worst; 0 without parameters

    @property
    def worst(self) -> float:
        return float(np.max([self.output, self.grad_input, self.grad_parameters]))  # np.max: a nan stays one


def crosscheck(
    model: Layer, images: np.ndarray, labels: np.ndarray, device: str, against: str = "cpu", dtype: Any = np.float64
) -> list[Difference]:
    """Forward, softmax cross-entropy and backward on both devices, and every layer's `Difference`, in forward order.

    `images` (N, H, W, C) and `labels` (N,) are on the host; `model` is copied and left alone. Differences add up from
    layer to layer, so the first large one is where to look. In float32 a number that rounding moves over ReLU's kink
    makes large differences from there on, though both devices are right: take float64 to find mistakes.
    """
    one, other = (_pass(copy.deepcopy(model).to("cpu"), images, labels, place, dtype) for place in (against, device))
    kinds = {name: type(layer).__name__ for name, layer in model.named_layers()}
    return [
        Difference(name, kinds[name], *(_apart(one[name, p], other[name, p]) for p in ("output", "input", "weights")))
        for name, part in one
        if part == "output"
    ]


def where_it_begins(differences: list[Difference]) -> tuple[str, str] | None:
    """(name of the layer, "forward" or "backward") of the first difference above the tolerance, in the order in which
    things are computed: outputs from the first layer on, then gradients from the last layer back. None when all agree.
    """
    for d in differences:
        if not d.output <= TOLERANCE:
            return d.name, "forward"
    for d in reversed(differences):
        if not d.worst <= TOLERANCE:
            return d.name, "backward"
    return None


def format_differences(differences: list[Difference]) -> str:
    """The differences as a table."""
    width = max([len("layer"), *(len(d.name) for d in differences)])
    lines = [f"{'layer':<{width}}  {'kind':<15} {'output':>9} {'dL/dx':>9} {'dL/dw':>9}"]
    for d in differences:
        lines.append(
            f"{d.name:<{width}}  {d.kind:<15} {d.output:>9.1e} {d.grad_input:>9.1e} {d.grad_parameters:>9.1e}"
        )
    return "\n".join(lines)


def _pass(model: Layer, images: np.ndarray, labels: np.ndarray, device: str, dtype: Any) -> dict:
    """{(layer's name, "output" | "input" | "weights"): its arrays, on the host} of one pass on `device`."""
    seen: dict[tuple[str, str], list[np.ndarray]] = {}

    def note(name: str, part: str, *arrays: Array) -> None:
        seen[name, part] = [to_numpy(a).copy() for a in arrays]

    def wrap(name: str, layer: Layer, direction: str, method: Callable) -> Callable:
        def forward(*inputs: Array, **keywords: Any) -> tuple[Array, Any]:
            y, cache = method(*inputs, **keywords)
            if (name, "output") not in seen:  # a block's backward runs its addition's forward once more, on gradients
                note(name, "output", y)
            return y, cache

        def backward(grad_y: Array, cache: Any) -> Any:
            grad_x = method(grad_y, cache)
            note(name, "input", *(grad_x if isinstance(grad_x, tuple) else (grad_x,)))
            note(name, "weights", *(p.grad for p in layer.parameters()))
            return grad_x

        return forward if direction == "forward" else backward

    model.astype(dtype).to(device)
    with watched(model, wrap):
        logits, cache = model.forward(to_device(images.astype(dtype), device), training=True)
        model.backward(softmax_cross_entropy(logits, to_device(labels, device))[1], cache)
    return seen


def _apart(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The largest difference of corresponding arrays, each relative to its largest number."""
    worst = 0.0
    for a, b in zip(one, other, strict=True):
        size = float(np.abs(a).max()) or 1.0
        worst = float(np.maximum(worst, np.abs(a - b).max() / size))  # np.maximum: a nan stays one
    return worst
