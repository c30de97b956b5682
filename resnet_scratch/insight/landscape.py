"""Slices through the loss as a function of all weights.

Source: Li, Xu, Taylor, Studer and Goldstein 2018, "Visualizing the Loss Landscape of Neural Nets", section 4.
"""

from __future__ import annotations

from typing import Sequence

import numpy as np

from ..compute.backend import Array, array_module
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from ..measure.recorder import restored

Direction = list[Array]  # one array per parameter, in the parameters' order


def filter_normalised_direction(model: Layer, rng: np.random.Generator) -> Direction:
    """A random direction in which each filter's part is as long as the filter itself; zero for biases and norms.

    A filter is what makes one output channel: all numbers of a weight that share its last index. Without this scaling
    a network with large weights would look flat: batch norm takes the scale of the filters in front of it away.
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


def loss_slice(
    model: Layer, images: Array, labels: Array, direction: Direction, alphas: Sequence[float]
) -> np.ndarray:
    """The loss at weights + alpha * direction, for each alpha: (len(alphas),).

    Batch norm uses the batch's own statistics: running averages would belong to the unmoved weights. The model is left
    as it was. Raises ValueError when the direction is not one of this model.
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

    As `loss_slice` otherwise.
    """
    places = [(a, b) for b in alphas for a in alphas]
    return _losses(model, images, labels, [direction_x, direction_y], places).reshape(len(alphas), len(alphas))


def _losses(
    model: Layer, images: Array, labels: Array, directions: list[Direction], places: list[tuple[float, ...]]
) -> np.ndarray:
    parameters = model.parameters()
    for direction in directions:
        if [d.shape for d in direction] != [p.value.shape for p in parameters]:
            raise ValueError("direction must hold an array of each parameter's shape; was it drawn for another model?")
    losses = []
    with restored(model):
        origin = [p.value.copy() for p in parameters]
        for place in places:
            for k, parameter in enumerate(parameters):
                moved = origin[k] + sum(float(a) * direction[k] for a, direction in zip(place, directions))
                parameter.value = moved.astype(origin[k].dtype)
            losses.append(float(softmax_cross_entropy(model.forward(images, training=True)[0], labels)[0]))
    return np.array(losses)
