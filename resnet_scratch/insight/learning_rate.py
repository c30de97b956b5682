"""Which learning rate? Raise it from step to step, and see where the loss falls and where it explodes."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..compute.backend import Array
from ..layers.layer import Layer, restored
from ..optim import Optimizer
from ..train import train

EXPLODED = 4.0  # loss / lowest loss so far


def find_learning_rate(
    model: Layer,
    optimizer: Optimizer,
    batches: Iterable[tuple[Array, Array]],
    low: float = 1e-4,
    high: float = 10.0,
    steps: int = 100,
) -> tuple[np.ndarray, np.ndarray]:
    """(learning rates, losses): training steps whose learning rate grows from `low` to `high` by a constant factor.

    Stops early when the loss is above four times the lowest so far, or is not a number. Weights, running averages and
    the optimizer's state are restored. Raises ValueError unless 0 < low < high and steps is at least 2.

    Source: Smith 2015, "Cyclical Learning Rates for Training Neural Networks", section 3.3.
    """
    if not 0 < low < high:
        raise ValueError(f"low must be above 0 and below high, got low={low} and high={high}")
    if steps < 2:
        raise ValueError(f"steps must be at least 2, got {steps}")
    rates, losses, lowest = [], [], math.inf
    states = [{name: array.copy() for name, array in state.items()} for state in optimizer.states]
    scalars = dict(optimizer.scalars)
    with restored(model), np.errstate(all="ignore"):  # the last steps are meant to explode
        try:
            for step in train(model, optimizer, batches, lambda k: low * (high / low) ** (k / (steps - 1)), steps):
                loss = float(step.loss)
                rates.append(step.learning_rate)
                losses.append(loss)
                lowest = min(lowest, loss)
                if not loss <= EXPLODED * lowest:
                    break
        finally:
            optimizer.states, optimizer.scalars = states, scalars
    return np.array(rates), np.array(losses)
