"""Wrong answers that people give to the tasks of tutorial 08, and a word of what each must be told."""

from __future__ import annotations

import math

import numpy as np


def sgd(velocity, step=lambda w, g, v, rate: w - rate * v):
    """sgd_step with one line wrong: how the velocity is made of (v, g, momentum, rate), or the step."""

    def answer(w, grad, v, rate, momentum, decay):
        g = grad + decay * w
        new = velocity(v, g, momentum, rate)
        return step(w, g, new, rate), new

    return answer


def right_velocity(v, g, momentum, rate):
    return momentum * v + g


def in_place(w, grad, v, rate, momentum, decay):
    v *= momentum
    v += grad + decay * w
    w -= rate * v
    return w, v


def no_decay(w, grad, v, rate, momentum, decay):
    v = momentum * v + grad
    return w - rate * v, v


def schedule(rise=lambda step, warmup: (step + 1) / warmup, fall=lambda t: (1 + math.cos(math.pi * t)) / 2):
    def answer(step, total, warmup, peak):
        if step < warmup:
            return peak * rise(step, warmup)
        return peak * fall((step - warmup) / (total - warmup))

    return answer


def from_step_0(step, total, warmup, peak):
    return peak * (step + 1) / warmup if step < warmup else peak * (1 + math.cos(math.pi * step / total)) / 2


def divides_by_zero(step, total, warmup, peak):
    return peak * min((step + 1) / warmup, (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2)


def hide(rows, copy=True, square=None):
    """cutout with one thing wrong: which rows or columns are hidden around a centre."""

    def answer(images, centres, size):
        result = images.copy() if copy else images
        for n, (row, column) in enumerate(centres):
            if square is not None:
                row, column = square(row, column, centres)
            result[n, rows(row, size // 2), rows(column, size // 2)] = 0
        return result

    return answer


def right_rows(centre, half):
    return slice(max(0, centre - half), centre + half + 1)


def one_channel(images, centres, size):
    result, half = images.copy(), size // 2
    for image, (row, column) in zip(result, centres):
        image[right_rows(row, half), right_rows(column, half), 0] = 0
    return result


def averages(start=lambda losses: 0.0, correct=True, feed_back=False, turned=False):
    def answer(losses, beta):
        average, result = start(losses), []
        share = 1 - beta if turned else beta
        for k, loss in enumerate(losses, start=1):
            average = share * average + (1 - share) * loss
            reported = average / (1 - share**k) if correct else average
            average = reported if feed_back else average
            result.append(reported)
        return result

    return answer


RIGHT: list = []

WRONG = [
    ("8.1", sgd(right_velocity, lambda w, g, v, rate: w + rate * v), "minus, not plus"),
    ("8.1", sgd(right_velocity, lambda w, g, v, rate: w - rate * g), "moved by the gradient"),
    ("8.1", sgd(lambda v, g, momentum, rate: momentum * v + (1 - momentum) * g), "whole"),
    ("8.1", sgd(lambda v, g, momentum, rate: momentum * v + rate * g), "outside"),
    ("8.1", no_decay, "decay is missing"),
    ("8.1", in_place, "in place"),
    ("8.2", schedule(rise=lambda step, warmup: step / warmup), "not at 0"),
    ("8.2", schedule(fall=lambda t: 1 - t), "straight line"),
    ("8.2", schedule(fall=lambda t: math.cos(math.pi * t)), "down to -peak"),
    ("8.2", schedule(fall=lambda t: (1 - math.cos(math.pi * t)) / 2), "upside down"),
    ("8.2", from_step_0, "behind the warm-up"),
    ("8.2", divides_by_zero, "divide by zero|the learning rate is"),
    ("8.3", hide(lambda centre, half: slice(centre - half, centre + half + 1)), "below zero"),
    ("8.3", hide(lambda centre, half: slice(max(0, centre - half), centre + half)), "pixels are to be zero"),
    ("8.3", hide(right_rows, copy=False), "in place"),
    ("8.3", hide(right_rows, square=lambda row, column, centres: centres[0]), "one for each"),
    ("8.3", hide(right_rows, square=lambda row, column, centres: (column, row)), "row comes first"),
    ("8.3", one_channel, "all channels"),
    ("8.4", lambda curvatures, momentum: 2 * (1 + momentum) / min(curvatures), "steepest"),
    ("8.4", lambda curvatures, momentum: 1 / max(curvatures), "other side|too low"),
    ("8.4", lambda curvatures, momentum: 2 / max(curvatures), "by 1 \\+ momentum"),
    ("8.4", lambda curvatures, momentum: 2 * (1 - momentum) / max(curvatures), "raises"),
    ("8.4", lambda curvatures, momentum: 2 / (1 - momentum) / max(curvatures), "steps become"),
    ("8.4", lambda curvatures, momentum: 3 * (1 + momentum) / max(curvatures), "too high"),
    ("8.5", averages(correct=False), "too small"),
    ("8.5", averages(turned=True), "beta belongs"),
    ("8.5", averages(feed_back=True), "uncorrected"),
    ("8.5", averages(start=lambda losses: losses[0], correct=False), "counts too much"),
    ("8.5", lambda losses, beta: [float(np.mean(losses))], "averages, got shape"),
]
