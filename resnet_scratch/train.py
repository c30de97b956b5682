"""The training loop. What surrounds it (log, evaluation, checkpoints) consumes it from outside: `experiment/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .compute.backend import Array
from .layers.layer import Layer
from .losses import softmax_cross_entropy
from .optim import Optimizer
from .schedules import Schedule


class Step(NamedTuple):
    """What one step of training yields. Loss and correct stay on the device: reading them would make a GPU wait."""

    number: int  # of steps done, from 1
    learning_rate: float
    loss: Array  # 0-d: mean cross-entropy of the batch, before the update
    correct: Array  # 0-d: how many images of the batch were classified correctly


def train(
    model: Layer,
    optimizer: Optimizer,
    batches: Iterable[tuple[Array, Array]],
    learning_rates: Schedule,
    total_steps: int,
    start_step: int = 0,
    label_smoothing: float = 0.0,
) -> Iterator[Step]:
    """Train, one batch (images (N, H, W, C), labels (N,)) per step, up to `total_steps`; yields after every step.

    1. Initialise: the weights were drawn at random when `model` was built.
    """
    for step, (images, labels) in zip(range(start_step, total_steps), batches):
        logits, cache = model.forward(images, training=True)  # 2. forward: what the network thinks
        loss, grad_logits = softmax_cross_entropy(logits, labels, label_smoothing)  # 3. loss: how wrong that is
        model.backward_to_parameters(grad_logits, cache)  # 4. backward: how the loss changes with each weight
        optimizer.step(learning_rates(step))  # 5. update: each weight a little against its gradient
        del cache  # or it would stay in memory beside the next step's
        yield Step(step + 1, learning_rates(step), loss, (logits.argmax(1) == labels).sum())
