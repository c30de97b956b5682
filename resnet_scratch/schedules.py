"""Learning-rate schedules: plain functions from the number of the step (from 0) to the learning rate."""

from __future__ import annotations

import math
from typing import Callable, Sequence

Schedule = Callable[[int], float]


def constant(learning_rate: float) -> Schedule:
    """The same learning rate at every step."""
    return lambda step: learning_rate


def multi_step(learning_rate: float, milestones: Sequence[int], factor: float = 0.1) -> Schedule:
    """Multiplied by `factor` at each milestone. The ResNet paper (section 4.2): 0.1, milestones 32000 and 48000."""
    if list(milestones) != sorted(set(milestones)):
        raise ValueError(f"milestones must rise, got {list(milestones)}")
    return lambda step: learning_rate * factor ** sum(step >= milestone for milestone in milestones)


def cosine(learning_rate: float, total_steps: int, final: float = 0.0) -> Schedule:
    """Half a cosine, from `learning_rate` at step 0 down to `final` at `total_steps` and after.

    Source: Loshchilov and Hutter 2016, "SGDR", equation 5.
    """
    _check_total(total_steps)
    return lambda step: (
        final + (learning_rate - final) * (1 + math.cos(math.pi * min(step, total_steps) / total_steps)) / 2
    )


def one_cycle(
    peak: float,
    total_steps: int,
    warmup_fraction: float = 0.3,
    start_factor: float = 0.1,
    final_factor: float = 0.001,
) -> Schedule:
    """Linearly up from peak * start_factor to `peak`, then linearly down to peak * final_factor at the last step.

    Source: Smith and Topin 2017, "Super-Convergence".
    """
    _check_total(total_steps)
    if not 0 < warmup_fraction < 1:
        raise ValueError(f"warmup_fraction must be between 0 and 1, got {warmup_fraction}")
    top, last = warmup_fraction * total_steps, total_steps - 1

    def schedule(step: int) -> float:
        if step < top:
            return peak * (start_factor + (1 - start_factor) * step / top)
        way_down = min(1.0, (step - top) / (last - top)) if last > top else 1.0
        return peak * (1 + (final_factor - 1) * way_down)

    return schedule


def warmup(schedule: Schedule, steps: int, learning_rate: float | None = None) -> Schedule:
    """`schedule` after a gentler beginning of `steps` steps: at a constant `learning_rate`, or, without one, rising
    linearly to the schedule's own.

    The ResNet paper (section 4.2) warms ResNet-110 up with 400 steps at 0.01; the linear rise is from Goyal et al.
    2017, "Accurate, Large Minibatch SGD", section 2.2.
    """
    if learning_rate is not None:
        return lambda step: learning_rate if step < steps else schedule(step)
    return lambda step: schedule(step) * min(1.0, (step + 1) / steps) if steps else schedule(step)


def _check_total(total_steps: int) -> None:
    if total_steps < 1:
        raise ValueError(f"total_steps must be at least 1, got {total_steps}")
