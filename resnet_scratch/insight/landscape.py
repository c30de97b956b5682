"""Slices of the loss as a function of all weights.

Images (N, H, W, C) are normalised, as the network takes them; labels are (N,). A direction has an array of the shape of
each parameter, in the order of `model.parameters()`.

Source: Li, Xu, Taylor, Studer and Goldstein 2018, "Visualizing the Loss Landscape of Neural Nets", section 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..compute.backend import Array, array_module
from ..layers.layer import Layer, restored
from ..losses import softmax_cross_entropy

Direction = list[Array]  # one array per parameter, in the parameters' order


def filter_normalised_direction(model: Layer, rng: np.random.Generator) -> Direction:
    """A random direction in which each filter has the norm of the model's filter; zero for biases and batch norms.

    A filter computes one output channel: it is all numbers of a weight that share its last index. Without this scaling
    a network with large weights would look flat, because batch norm cancels the scale of the filters before it.
    """
    direction = []
    for parameter in model.parameters():
        value = parameter.value
        xp = array_module(value)
        if value.ndim < 2:
            direction.append(xp.zeros_like(value))
            continue
        step = xp.asarray(rng.standard_normal(value.shape).astype(value.dtype))
        axes = tuple(range(value.ndim - 1))
        direction.append(step * xp.sqrt((value**2).sum(axes) / (step**2).sum(axes)))
    return direction


def loss_slice(model: Layer, images: Array, labels: Array, direction: Direction, alphas: Sequence[float]) -> np.ndarray:
    """The loss at weights + alpha * direction, for each alpha: (len(alphas),).

    Batch norm uses the statistics of the batch, because the running averages belong to the original weights. The model
    is left as it was. Raises ValueError when the direction was drawn for another model.
    """
    return _losses(model, images, labels, [direction], [(alpha,) for alpha in alphas])


def loss_surface(
    model: Layer,
    images: Array,
    labels: Array,
    direction_x: Direction,
    direction_y: Direction,
    alphas: Sequence[float],
) -> np.ndarray:
    """The loss at weights + a * direction_x + b * direction_y: (len(alphas), len(alphas)), row = b, column = a.

    Otherwise as `loss_slice`.
    """
    points = [(a, b) for b in alphas for a in alphas]
    return _losses(model, images, labels, [direction_x, direction_y], points).reshape(len(alphas), len(alphas))


def _losses(
    model: Layer, images: Array, labels: Array, directions: list[Direction], points: Sequence[tuple[float, ...]]
) -> np.ndarray:
    """The loss at weights + sum(coefficient * direction) for each point, which has a coefficient per direction."""
    parameters = model.parameters()
    for direction in directions:
        if [d.shape for d in direction] != [p.value.shape for p in parameters]:
            raise ValueError("direction must hold an array of each parameter's shape; was it drawn for another model?")
    losses = []
    with restored(model):
        origin = [p.value.copy() for p in parameters]
        for coefficients in points:
            for k, parameter in enumerate(parameters):
                moved = origin[k] + sum(float(a) * direction[k] for a, direction in zip(coefficients, directions))
                parameter.value = moved.astype(origin[k].dtype)
            losses.append(float(softmax_cross_entropy(model.forward(images, training=True)[0], labels)[0]))
    return np.array(losses)
