"""Exercises of tutorial 08: the parts of training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def sgd_step(
    w: np.ndarray, grad: np.ndarray, velocity: np.ndarray, learning_rate: float, momentum: float, weight_decay: float
) -> tuple[np.ndarray, np.ndarray]:
    """Task 8.1: one step of SGD with momentum and weight decay.

    TODO: return (the new w, the new velocity), and leave the arrays that you are handed as they are. With g the
        gradient plus weight_decay times w, the new velocity is momentum * velocity + g, and w moves against it, by the
        learning rate times the new velocity.
    APPROACH: 1. The decay joins the gradient first. 2. The velocity remembers a part of itself. 3. The step is taken
        with the new velocity, not with the gradient.
    HINT: three lines; `+=` would change the caller's arrays.
    """
    ### BEGIN SOLUTION
    g = grad + weight_decay * w
    velocity = momentum * velocity + g
    return w - learning_rate * velocity, velocity
    ### END SOLUTION


def warmup_cosine(step: int, total_steps: int, warmup_steps: int, peak: float) -> float:
    """Task 8.2: a schedule, linearly up and then down along a cosine.

    TODO: return the learning rate at `step` (from 0). At the steps 0 to warmup_steps - 1 it rises linearly:
        1/warmup_steps of the peak at step 0, the whole peak at step warmup_steps - 1. From step warmup_steps on it
        goes down along half a cosine: `peak` at step warmup_steps, half of it midway, and zero at total_steps.
    APPROACH: 1. In the warm-up, which fraction of the peak belongs to step k? (The first is not 0: a step with rate 0
        would be wasted.) 2. Behind it, let t go from 0, at warmup_steps, to 1, at total_steps. 3. Half a cosine from 1
        to 0 is (1 + cos(pi t)) / 2.
    HINT: warmup_steps may be 0; then there is no warm-up, and nothing to divide by.
    """
    ### BEGIN SOLUTION
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    t = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * t)) / 2
    ### END SOLUTION


def cutout(images: np.ndarray, centres: np.ndarray, size: int) -> np.ndarray:
    """Task 8.3: augmentation by hiding a part (DeVries and Taylor 2017, "Cutout").

    TODO: `images` are (N, H, W, C), `centres` (N, 2) integers, the row and the column of one pixel of each image, and
        `size` is odd. Return a copy of the images in which a square of size x size pixels around each image's centre
        is zero, in all channels. What of the square lies outside the image is ignored.
    APPROACH: 1. Copy. 2. Image by image: rows from centre - size // 2 to centre + size // 2, both included, columns
        alike. 3. What does NumPy make of a slice that begins below zero?
    HINT: `max(0, ...)`.
    """
    ### BEGIN SOLUTION
    result, half = images.copy(), size // 2
    for image, (row, column) in zip(result, centres):
        image[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1] = 0
    return result
    ### END SOLUTION


def largest_stable_rate(curvatures: Sequence[float], momentum: float) -> float:
    """Task 8.4: the learning rate at which a bowl begins to throw you out.

    TODO: for L(w) = sum of curvatures[i] * w[i]**2 / 2 and SGD with `momentum`, return the learning rate below which w
        goes to 0 from everywhere, and above which it does not.
    APPROACH: 1. Without momentum each step multiplies w[i] by 1 - learning_rate * curvatures[i]. For which learning
        rates is that between -1 and 1? 2. This must hold in every direction. 3. With momentum the limit is (1 +
        momentum) times as high, in each direction.
    HINT: curvatures 1 and 20 have the limit 0.1 without momentum.
    """
    ### BEGIN SOLUTION
    return 2 * (1 + momentum) / max(curvatures)
    ### END SOLUTION


def smooth(losses: Sequence[float], beta: float) -> list[float]:
    """Task 8.5: a loss curve that can be read.

    TODO: return the running averages of the losses, as many as there are losses. The average a begins at 0; with each
        loss it becomes beta * a + (1 - beta) * loss. As it begins at 0 the first averages come out too small. Correct
        that: behind k losses, report a / (1 - beta**k).
    APPROACH: 1. Loop over the losses, and keep a. 2. Report the corrected average, but go on with the uncorrected one.
        3. Try it on losses that are all the same: what must come out?
    HINT: behind the first loss the corrected average is that loss. (Adam corrects its averages in the same way: Kingma
        and Ba 2014, section 3.)
    """
    ### BEGIN SOLUTION
    average, result = 0.0, []
    for k, loss in enumerate(losses, start=1):
        average = beta * average + (1 - beta) * loss
        result.append(average / (1 - beta**k))
    return result
    ### END SOLUTION
