"""The training loop. Log, evaluation and checkpoints consume its steps from outside: see `experiment/`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from .checks import brief, check_instance, check_whole
from .compute.backend import Array
from .compute.batch import Sum, over_batch
from .errors import UserError
from .layers.layer import Layer
from .losses import softmax_cross_entropy
from .optim import Optimizer
from .schedules import Schedule, check_schedule


class Step(NamedTuple):
    """What one step of training yields. Loss and correct stay on the device: reading them would make a GPU wait."""

    number: int  #: of steps done, from 1
    learning_rate: float  #: of this step
    loss: Array  #: 0-d: mean cross-entropy of the batch, before the update
    correct: Array  #: 0-d: how many images of the batch were classified correctly


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

    Images are float32 and normalised, as `training_batches` makes them. Labels are smoothed as in
    `softmax_cross_entropy`. A run that goes on after `start_step` steps takes its learning rate from there, and needs
    the batches from there. It ends early if there are no more batches.

    Nothing happens until the steps are asked for, as in `for step in train(...)`. Raises TypeError for what is not a
    model, optimizer, schedule or source of batches, and UserError for an optimizer of another model's parameters.
    """
    _check(model, optimizer, batches, learning_rates, total_steps, start_step)  # at once, not at the first step

    def steps() -> Iterator[Step]:
        # 1. initialise: the weights were drawn at random when `model` was built
        for step, batch in zip(range(start_step, total_steps), batches):
            images, labels = _pair(batch)
            logits, cache = model.forward(images, training=True)  # 2. forward: what the network thinks
            loss, grad_logits = softmax_cross_entropy(logits, labels, label_smoothing)  # 3. loss: how wrong that is
            model.backward_to_parameters(grad_logits, cache)  # 4. backward: how the loss changes with each weight
            learning_rate = learning_rates(step)
            optimizer.step(learning_rate)  # 5. update: each weight a little against its gradient
            del cache  # or it would stay in memory beside the next step's
            yield Step(step + 1, learning_rate, loss, over_batch(_count_correct, logits, labels))

    return steps()


def _check(model: Any, optimizer: Any, batches: Any, learning_rates: Any, total_steps: Any, start_step: Any) -> None:
    """Raises an error that names the argument of `train` that is wrong."""
    check_instance("model", model, Layer)
    check_instance("optimizer", optimizer, Optimizer)
    if not hasattr(batches, "__iter__"):
        raise TypeError(f"batches must be pairs, as from training_batches, got {type(batches).__name__}")
    check_schedule("learning_rates", learning_rates)
    check_whole("total_steps", total_steps, 0)
    check_whole("start_step", start_step, 0)
    if not set(optimizer.parameters) <= set(model.parameters()):
        raise UserError("optimizer must hold parameters of model, got one with others; make it from model.parameters()")


def _count_correct(logits: Array, labels: Array) -> Sum:
    return Sum((logits.argmax(1) == labels).sum())


def _pair(batch: Any) -> tuple[Array, Array]:
    """A batch as (images, labels). Raises TypeError when it is something else."""
    if not isinstance(batch, (tuple, list)) or len(batch) != 2:
        raise TypeError(f"a batch must be a pair (images, labels), got {brief(batch)}")
    return batch[0], batch[1]
