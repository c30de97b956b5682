"""The same network and the same batch on two devices: which layer differs first, and by how much?"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compute.backend import Array, to_device, to_numpy
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from ..measure.recorder import Event, observe
from ..table import format_table

TOLERANCE = 1e-9  # in float64, where a sum in another order changes only the last of 16 digits


@dataclass(frozen=True)
class Difference:
    """One layer on two devices. Each number is the largest |a - b|, divided by the largest |a|."""

    name: str
    kind: str  #: the name of the layer's class
    output: float
    grad_input: float
    grad_parameters: float  #: the worst of its parameters; 0 without parameters

    @property
    def worst(self) -> float:
        """The largest of the three differences."""
        return float(np.max([self.output, self.grad_input, self.grad_parameters]))  # np.max: a nan stays a nan


def crosscheck(
    model: Layer, images: np.ndarray, labels: np.ndarray, device: str, against: str = "cpu", dtype: Any = np.float64
) -> list[Difference]:
    """Forward, softmax cross-entropy and backward on both devices, and every layer's `Difference`, in forward order.

    `images` (N, H, W, C) and `labels` (N,) are on the host; `model` is copied and left as it is. Differences add up
    from layer to layer, so look at the first large one. Use float64 to find mistakes: in float32, rounding moves some
    number across ReLU's kink, and all later differences are large though both devices are right.
    """
    reference, candidate = (_one_pass(model, images, labels, name, dtype) for name in (against, device))
    return [
        Difference(name, kind, *(_largest_difference(a, b) for a, b in zip(arrays, candidate[name, kind], strict=True)))
        for (name, kind), arrays in reference.items()
    ]


def first_difference(differences: list[Difference]) -> tuple[str, str] | None:
    """(name of the layer, "forward" or "backward") of the first difference above the tolerance; None when all agree.

    First in the order of the computation: outputs from the first layer to the last, then gradients from the last layer
    to the first.
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
    columns = {"layer": "", "kind": "", "output": ".1e", "dL/dx": ".1e", "dL/dw": ".1e"}
    return format_table(columns, [(d.name, d.kind, d.output, d.grad_input, d.grad_parameters) for d in differences])


def _one_pass(model: Layer, images: np.ndarray, labels: np.ndarray, device: str, dtype: Any) -> dict:
    """{(layer's name, kind): [outputs, inputs' gradients, parameters' gradients]}, in forward order, on the host."""
    seen: dict[tuple[str, str], list[list[np.ndarray]]] = {}

    def keep(event: Event) -> None:
        arrays = seen.setdefault((event.name, type(event.layer).__name__), [])
        arrays.append(_copies(event.outputs))
        if event.direction == "backward":
            arrays.append(_copies(parameter.grad for parameter in event.layer.parameters()))

    model = copy.deepcopy(model).to("cpu").astype(dtype).to(device)
    with observe(model, keep):
        logits, cache = model.forward(to_device(images.astype(dtype), device), training=True)
        model.backward(softmax_cross_entropy(logits, to_device(labels, device))[1], cache)
    return seen


def _copies(arrays: Iterable[Array]) -> list[np.ndarray]:
    return [to_numpy(array).copy() for array in arrays]


def _largest_difference(reference: list[np.ndarray], candidate: list[np.ndarray]) -> float:
    """The largest difference of corresponding arrays, each relative to the reference's largest number."""
    worst = 0.0
    for a, b in zip(reference, candidate, strict=True):
        size = float(np.abs(a).max()) or 1.0
        worst = float(np.maximum(worst, np.abs(a - b).max() / size))  # np.maximum: a nan stays a nan
    return worst
