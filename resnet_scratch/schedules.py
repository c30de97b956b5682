"""Learning-rate schedules. A schedule is a plain function: step, counted from 0 -> learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .checks import brief, check_number, check_whole
from .errors import UserError

Schedule = Callable[[int], float]


def constant(learning_rate: float) -> Schedule:
    """The same learning rate at every step."""
    check_number("learning_rate", learning_rate, at_least=0)
    return lambda step: learning_rate


def multi_step(learning_rate: float, milestones: Sequence[int]) -> Schedule:
    """`learning_rate`, divided by 10 at each milestone, a step number.

    Source: He et al. 2015, "Deep Residual Learning", section 4.2, with a learning rate of 0.1 and milestones 32000 and
    48000. Raises UserError if the milestones do not increase.
    """
    check_number("learning_rate", learning_rate, at_least=0)
    if not isinstance(milestones, (list, tuple)):
        raise UserError(f"milestones must be a list of steps, got {brief(milestones)}")
    for k, milestone in enumerate(milestones):
        check_whole(f"milestones[{k}]", milestone, 0)
    if list(milestones) != sorted(set(milestones)):
        raise UserError(f"milestones must increase, got {list(milestones)}")
    return lambda step: learning_rate * 0.1 ** sum(step >= milestone for milestone in milestones)


def cosine(learning_rate: float, total_steps: int) -> Schedule:
    """Half a cosine, from `learning_rate` at step 0 to 0 at step `total_steps` and after it.

    Source: Loshchilov and Hutter 2016, "SGDR: Stochastic Gradient Descent with Warm Restarts", equation 5, without
    restarts. Raises UserError if `total_steps` is less than 1.
    """
    check_number("learning_rate", learning_rate, at_least=0)
    check_whole("total_steps", total_steps)
    return lambda step: learning_rate * (1 + math.cos(math.pi * min(step, total_steps) / total_steps)) / 2


def one_cycle(peak: float, total_steps: int, warmup_fraction: float = 0.3) -> Schedule:
    """A linear increase from peak / 10 to `peak`, then a linear decrease to peak / 1000 at the last step.

    The increase takes `warmup_fraction` of the `total_steps`; if that leaves no step, nothing decreases. Source:
    Smith and Topin 2017, "Super-Convergence". Raises UserError if `total_steps` is less than 1 or
    `warmup_fraction` is not between 0 and 1.
    """
    check_number("peak", peak, at_least=0)
    check_whole("total_steps", total_steps)
    check_number("warmup_fraction", warmup_fraction, above=0, below=1)
    peak_step, last_step = warmup_fraction * total_steps, total_steps - 1

    def schedule(step: int) -> float:
        if step < peak_step:
            return peak * (0.1 + 0.9 * step / peak_step)
        decrease = min(1.0, (step - peak_step) / (last_step - peak_step)) if last_step > peak_step else 1.0
        return peak * (1 + (0.001 - 1) * decrease)

    return schedule


def warmup(schedule: Schedule, steps: int, learning_rate: float | None = None) -> Schedule:
    """`schedule` with a lower learning rate in the first `steps` steps.

    That is the constant `learning_rate`, as in He et al. 2015, section 4.2, who train ResNet-110 at 0.01 for the first
    400 steps. If `learning_rate` is None, the schedule's own learning rate is scaled by a factor that increases
    linearly to 1, as in Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.2.
    """
    check_schedule("schedule", schedule)
    check_whole("steps", steps, 0)
    if learning_rate is not None:
        check_number("learning_rate", learning_rate, at_least=0)
        return lambda step: learning_rate if step < steps else schedule(step)
    return lambda step: schedule(step) * min(1.0, (step + 1) / steps) if steps else schedule(step)


def check_schedule(name: str, schedule: Any) -> None:
    """Raises TypeError unless `schedule` is a function."""
    if not callable(schedule):
        raise TypeError(f"{name} must be a function of the step, such as constant(0.1), got {brief(schedule)}")
