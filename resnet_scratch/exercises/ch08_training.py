"""Exercises of tutorial 08: the parts of training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def sgd_step(
    w: np.ndarray, grad: np.ndarray, velocity: np.ndarray, learning_rate: float, momentum: float, weight_decay: float
) -> tuple[np.ndarray, np.ndarray]:
    """Task 8.1 (**, 20 minutes): one step of SGD with momentum and weight decay

    TODO: Return (the new w, the new velocity). Leave the arrays that you are given unchanged. All three have the same
        shape, with any number of axes: a bias has one axis, the weight of a convolution four.

        - The velocity after step t is `d_t + momentum * d_{t-1} + momentum**2 * d_{t-2} + ...`. The argument `velocity`
          is that sum after the previous step.
        - w moves in the opposite direction of the new velocity, by the learning rate times the velocity.
        - Weight decay adds `weight_decay / 2 * sum(w**2)` to the loss. Each d_t is the gradient of the loss with this
          term; `grad` is the gradient without it.
    QUESTION: Write the sums of two successive steps below each other. What turns the old one into the new one? And what
        is the derivative of `weight_decay / 2 * w**2` with respect to w?
    POINTER: Three lines are enough: d from `grad` and w, then the new velocity from the old one and d, then the new w
        from the new velocity. Note that `+=` and `-=` change the caller's arrays.
    """
    ### BEGIN SOLUTION
    d = grad + weight_decay * w
    velocity = momentum * velocity + d
    return w - learning_rate * velocity, velocity
    ### END SOLUTION


def warmup_cosine(step: int, total_steps: int, warmup_steps: int, peak: float) -> float:
    """Task 8.2 (**, 15 minutes): a schedule with a linear warm-up and a cosine decay

    TODO: Return the learning rate at `step`, which counts from 0. In steps 0 to `warmup_steps - 1` the rate rises
        linearly: it is `peak / warmup_steps` at step 0 and `peak` at step `warmup_steps - 1`. From step `warmup_steps`
        on it follows half a period of a cosine: `peak` at step `warmup_steps`, half of it midway, and 0 at step
        `total_steps`. `warmup_steps` may be 0.
    QUESTION: Why is the first rate not 0? And which function of t falls from 1 at t = 0 to 0 at t = 1 along a cosine?
    POINTER: After the warm-up, let t be the fraction of the remaining steps that has been taken. A cosine goes from 1
        to -1 while its angle goes from 0 to pi; shift and scale it so that it ends at 0.
    """
    ### BEGIN SOLUTION
    if step < warmup_steps:
        return peak * (step + 1) / warmup_steps
    t = (step - warmup_steps) / (total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * t)) / 2
    ### END SOLUTION


def cutout(images: np.ndarray, centres: np.ndarray, size: int) -> np.ndarray:
    """Task 8.3 (**, 15 minutes): augmentation by hiding a square (DeVries and Taylor 2017, "Cutout")

    TODO: `images` are (N, H, W, C). `centres` (N, 2) are integers, the row and the column of one pixel of each image.
        `size` is odd. Return a copy of the images in which the square of `size` x `size` pixels around each image's
        centre is 0 in all channels. The part of a square that is outside its image is ignored.
    QUESTION: Which rows does a square of size 3 around row 0 cover, and what does NumPy make of the slice `[-1:2]`?
    POINTER: Work on a copy, image by image. The rows go from `row - size // 2` to `row + size // 2`, both included; a
        slice excludes its end, and its start must not be below 0.
    """
    ### BEGIN SOLUTION
    result, half = images.copy(), size // 2
    for image, (row, column) in zip(result, centres):
        image[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1] = 0
    return result
    ### END SOLUTION


def largest_stable_rate(curvatures: Sequence[float], momentum: float) -> float:
    """Task 8.4 (***, 30 minutes): the largest learning rate that is stable, with momentum

    TODO: For the loss L(w) = sum of `curvatures[i] * w[i]**2 / 2` and SGD with `momentum`, return the learning rate
        below which w tends to 0 from every starting point and above which it does not. Derive a formula, or find the
        number with a program: to within 1 % is enough.
    QUESTION: If you eliminate the velocity, how does w_{t+1} depend on w_t and w_{t-1}? For which numbers z is z**t a
        solution, and what must hold for those numbers if w is to tend to 0?
    POINTER: z solves a quadratic equation. The product of its two roots is the momentum, which is below 1, so the first
        root to leave the unit circle leaves it at z = 1 or at z = -1. Put both into the equation. With a program:
        bisect an interval of learning rates whose lower end converges and whose upper end diverges.
    """
    ### BEGIN SOLUTION
    return 2 * (1 + momentum) / max(curvatures)
    ### END SOLUTION


def smooth(losses: Sequence[float], beta: float) -> list[float]:
    """Task 8.5 (**, 15 minutes): a running average of a loss curve

    TODO: Return the running averages of the losses, one for each loss. The average `a` starts at 0, and each loss
        changes it to `beta * a + (1 - beta) * loss`. Because it starts at 0, the first averages are too small. Correct
        them: divide by a number such that equal losses give the same loss back, at every step.
    QUESTION: Let all losses be 1. What is `a` after one loss, after two, after k?
    POINTER: With losses of 1, `a` is `1 - beta**k` after k of them: the weights of k losses add up to that. Report the
        corrected average, but carry on with the uncorrected one.
    """
    ### BEGIN SOLUTION
    average, result = 0.0, []
    for k, loss in enumerate(losses, start=1):
        average = beta * average + (1 - beta) * loss
        result.append(average / (1 - beta**k))
    return result
    ### END SOLUTION
