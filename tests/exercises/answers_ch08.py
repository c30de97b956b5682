"""Right answers in several styles to the tasks of tutorial 08, and wrong ones that people give."""

from __future__ import annotations

import math
from itertools import accumulate

import numpy as np


def sgd(
    velocity=lambda v, g, momentum, rate: momentum * v + g, step=lambda w, g, new, v, rate: w - rate * new, decay=1
):
    """sgd_step with one line wrong: how the velocity is made, or the step, or the factor of the decay."""

    def answer(w, grad, v, rate, momentum, weight_decay):
        g = grad + decay * weight_decay * w
        new = velocity(v, g, momentum, rate)
        return step(w, g, new, v, rate), new

    return answer


def sgd_in_place(w, grad, v, rate, momentum, decay):
    v *= momentum
    v += grad + decay * w
    w -= rate * v
    return w, v


def sgd_on_copies(w, grad, v, rate, momentum, decay):
    w, v = w.copy(), v.copy()
    v *= momentum
    v += grad
    v += decay * w
    w -= rate * v
    return [w, v]


def sgd_element_by_element(w, grad, velocity, rate, momentum, decay):
    new_w, new_v = np.empty_like(w), np.empty_like(velocity)
    for index in np.ndindex(w.shape):
        new_v[index] = momentum * velocity[index] + (grad[index] + decay * w[index])
        new_w[index] = w[index] - rate * new_v[index]
    return new_w, new_v


def sgd_in_two_loops(w, grad, velocity, rate, momentum, decay):
    new_w, new_v = np.empty_like(w), np.empty_like(velocity)
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            new_v[i, j] = momentum * velocity[i, j] + grad[i, j] + decay * w[i, j]
            new_w[i, j] = w[i, j] - rate * new_v[i, j]
    return new_w, new_v


def sgd_in_one_line(w, grad, v, rate, momentum, decay):
    return w * (1 - rate * decay) - rate * (grad + momentum * v), decay * w + grad + momentum * v


def sgd_of_the_mean(w, grad, v, rate, momentum, decay):
    v = momentum * v + grad + decay * w.mean()
    return w - rate * v, v


def square_decay(w, grad, v, rate, momentum, decay):
    v = momentum * v + grad + decay / 2 * w**2
    return w - rate * v, v


def schedule(rise=lambda step, warmup: (step + 1) / warmup, fall=lambda t: (1 + math.cos(math.pi * t)) / 2):
    def answer(step, total, warmup, peak):
        if step < warmup:
            return peak * rise(step, warmup)
        return peak * fall((step - warmup) / (total - warmup))

    return answer


def with_numpy(step, total, warmup, peak):
    steps = np.arange(total + 1)
    rates = peak * 0.5 * (1 + np.cos(np.pi * (steps - warmup) / (total - warmup)))
    rates[:warmup] = np.linspace(0, peak, warmup + 1)[1:]
    return rates[step]


def from_step_0(step, total, warmup, peak):
    return peak * (step + 1) / warmup if step < warmup else peak * (1 + math.cos(math.pi * step / total)) / 2


def divides_by_zero(step, total, warmup, peak):
    return peak * min((step + 1) / warmup, (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2)


def hide(rows=lambda centre, half: slice(max(0, centre - half), centre + half + 1), copy=True, square=None):
    """cutout with one thing wrong: which rows or columns are hidden around a centre."""

    def answer(images, centres, size):
        result = images.copy() if copy else images
        for n, (row, column) in enumerate(centres):
            if square is not None:
                row, column = square(row, column, centres)
            result[n, rows(row, size // 2), rows(column, size // 2)] = 0
        return result

    return answer


def one_channel(images, centres, size):
    result, half = images.copy(), size // 2
    for image, (row, column) in zip(result, centres):
        image[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1, 0] = 0
    return result


def hide_in_square(axis):
    """cutout that takes one side of the image, of rows or of columns, for both."""

    def answer(images, centres, size):
        result, half, side = images.copy(), size // 2, images.shape[axis]
        for image, (row, column) in zip(result, centres):
            rows, columns = ((max(0, k - half), min(side, k + half + 1)) for k in (row, column))
            image[slice(*rows), slice(*columns)] = 0
        return result

    return answer


def all_squares_everywhere(images, centres, size):
    result = images
    for centre in centres:
        result = hide()(result, [centre] * len(images), size)
    return result


def hide_by_mask(images, centres, size):
    rows = abs(np.arange(images.shape[1]) - centres[:, :1]) <= size // 2
    columns = abs(np.arange(images.shape[2]) - centres[:, 1:]) <= size // 2
    return np.where((rows[:, :, None] & columns[:, None])[..., None], 0, images)


def hide_pixel_by_pixel(images, centres, size):
    result = np.array(images)
    for n, i, j in np.ndindex(images.shape[:3]):
        if max(abs(i - centres[n][0]), abs(j - centres[n][1])) <= size // 2:
            result[n, i, j] = 0
    return result


def hide_in_padded(images, centres, size):
    half = size // 2
    padded = np.pad(images, ((0, 0), (half, half), (half, half), (0, 0)))
    for n, (row, column) in enumerate(centres):
        padded[n, row : row + size, column : column + size] = 0
    return padded[:, half : half + images.shape[1], half : half + images.shape[2]]


def by_halving(curvatures, momentum):
    low, high = 0.0, 100.0
    while high - low > 1e-6:
        rate = (low + high) / 2
        growth = 0.0
        for h in curvatures:
            growth = max(growth, *np.abs(np.roots([1, rate * h - 1 - momentum, momentum])))
        low, high = (rate, high) if growth < 1 else (low, rate)
    return low


def by_rolling(curvatures, momentum):
    rate, h = 4 / max(curvatures), np.array(curvatures)
    while True:
        w, v = np.ones_like(h), np.zeros_like(h)
        for _ in range(300):
            v = momentum * v + h * w
            w = np.clip(w - rate * v, -10, 10)
        if np.abs(w).max() < 1:
            return rate
        rate *= 0.998


def averages(start=lambda losses: 0.0, correct=True, feed_back=False, turned=False, count_from=1):
    def answer(losses, beta):
        average, result = start(losses), []
        share = 1 - beta if turned else beta
        for k, loss in enumerate(losses, start=count_from):
            average = share * average + (1 - share) * loss
            reported = average / (1 - share**k) if correct else average
            average = reported if feed_back else average
            result.append(reported)
        return result

    return answer


def with_weights(losses, beta):
    return np.array([np.average(losses[: k + 1], weights=beta ** np.arange(k, -1.0, -1)) for k in range(len(losses))])


def with_accumulate(losses, beta):
    plain = list(accumulate(losses, lambda a, loss: beta * a + (1 - beta) * loss, initial=0.0))[1:]
    ones = accumulate([1.0] * len(losses), lambda a, loss: beta * a + (1 - beta) * loss, initial=0.0)
    return [a / one for a, one in zip(plain, list(ones)[1:])]


def with_growing_divisor(losses, beta):
    total = weight = 0.0
    result = []
    for loss in losses:
        total, weight = beta * total + loss, beta * weight + 1
        result.append(total / weight)
    return tuple(result)


RIGHT: list = [
    ("8.1", sgd()),
    ("8.1", sgd_on_copies),
    ("8.1", sgd_element_by_element),
    ("8.1", sgd_in_one_line),
    ("8.2", schedule(fall=lambda t: math.cos(math.pi * t / 2) ** 2)),
    ("8.2", schedule(fall=lambda t: np.float64(0.5) - np.sin(np.pi * (t - 0.5)) / 2)),
    ("8.2", with_numpy),
    ("8.3", hide_by_mask),
    ("8.3", hide_pixel_by_pixel),
    ("8.3", hide_in_padded),
    ("8.4", by_halving),
    ("8.4", by_rolling),
    ("8.4", lambda curvatures, momentum: min((2 + 2 * momentum) / h for h in curvatures)),
    ("8.4", lambda curvatures, momentum: np.min(2 * (1 + momentum) / np.array(curvatures))),
    ("8.5", with_weights),
    ("8.5", with_accumulate),
    ("8.5", with_growing_divisor),
    ("8.1", lambda *arguments: [array.tolist() for array in sgd_on_copies(*arguments)]),
    ("8.2", lambda *arguments: np.float32(with_numpy(*arguments))),
]

WRONG = [
    ("8.1", sgd(step=lambda w, g, new, v, rate: w + rate * new), "minus, not plus"),
    ("8.1", sgd(step=lambda w, g, new, v, rate: w - rate * g), "moved by the gradient"),
    ("8.1", sgd(step=lambda w, g, new, v, rate: w - rate * v), "moved by the old velocity"),
    ("8.1", sgd(step=lambda w, g, new, v, rate: w - new), "learning rate is missing"),
    ("8.1", sgd(lambda v, g, momentum, rate: momentum * v + (1 - momentum) * g), "is an average"),
    ("8.1", sgd(lambda v, g, momentum, rate: momentum * v + rate * g), "used twice"),
    (
        "8.1",
        sgd(lambda v, g, momentum, rate: momentum * v + rate * g, lambda w, g, new, v, rate: w - new),
        "another convention",
    ),
    ("8.1", sgd(lambda v, g, momentum, rate: v + g), "multiplied by the momentum"),
    ("8.1", sgd(lambda v, g, momentum, rate: momentum * v - g, lambda w, g, new, v, rate: w + rate * new), "velocity"),
    ("8.1", sgd(decay=0), "decay is missing"),
    ("8.1", sgd(decay=-1), "not subtracted"),
    ("8.1", square_decay, "derivative of"),
    ("8.1", sgd_of_the_mean, "velocity must be"),
    ("8.1", sgd(step=lambda w, g, new, v, rate: (w - rate * new).mean()), "both must have shape"),
    ("8.1", lambda w, *others: w, "return two arrays"),
    ("8.1", sgd_in_place, "in place"),
    ("8.1", sgd_in_two_loops, r"two axes but not for arrays of shape \(4,\)"),
    ("8.2", schedule(rise=lambda step, warmup: step / warmup), "not at 0"),
    ("8.2", schedule(fall=lambda t: 1 - t), "straight line"),
    ("8.2", schedule(fall=lambda t: math.cos(math.pi * t)), "down to -peak"),
    ("8.2", schedule(fall=lambda t: math.cos(math.pi * t / 2)), "quarter"),
    ("8.2", schedule(fall=lambda t: (1 - math.cos(math.pi * t)) / 2), "upside down"),
    ("8.2", lambda step, total, warmup, peak: schedule()(step, total, warmup, 1), "peak is not used"),
    ("8.2", from_step_0, "after the warm-up"),
    ("8.2", divides_by_zero, "divide by zero"),
    ("8.3", hide(lambda centre, half: slice(centre - half, centre + half + 1)), "below 0"),
    ("8.3", hide(lambda centre, half: slice(max(0, centre - half), centre + half)), "excludes its end"),
    ("8.3", hide(lambda centre, half: slice(max(0, centre - 2 * half - 1), centre + 2 * half + 2)), "too far"),
    ("8.3", hide(lambda centre, half: slice(centre, centre + 2 * half + 1)), "not its corner"),
    ("8.3", hide(copy=False), "in place"),
    ("8.3", hide(square=lambda row, column, centres: centres[0]), "that of the first"),
    ("8.3", hide(square=lambda row, column, centres: (column, row)), "row comes first"),
    ("8.3", all_squares_everywhere, "those of all images"),
    ("8.3", one_channel, "all channels"),
    ("8.3", hide_in_square(1), "need not be square"),
    ("8.3", hide_in_square(2), "need not be square"),
    ("8.3", lambda images, centres, size: np.where(hide_by_mask(images, centres, size) == 0, 0.5, images), "must be 0"),
    ("8.3", lambda images, centres, size: images[:, :-1], "shape must stay"),
    ("8.4", lambda curvatures, momentum: 2 * (1 + momentum) / min(curvatures), "steepest"),
    ("8.4", lambda curvatures, momentum: 2 * (1 + momentum) / sum(curvatures), "the lowest counts"),
    ("8.4", lambda curvatures, momentum: (1 + momentum) / max(curvatures), "other side"),
    ("8.4", lambda curvatures, momentum: 2 / max(curvatures), "without momentum"),
    ("8.4", lambda curvatures, momentum: 2 * (1 - momentum) / max(curvatures), "raises"),
    ("8.4", lambda curvatures, momentum: 2 / (1 - momentum) / max(curvatures), "keeps its sign"),
    ("8.4", lambda curvatures, momentum: 3 * (1 + momentum) / max(curvatures), "too high"),
    ("8.4", lambda curvatures, momentum: 1.5 * (1 + momentum) / max(curvatures), "too low"),
    ("8.5", averages(correct=False), "too small"),
    ("8.5", lambda losses, beta: [loss / (1 - beta**k) for k, loss in enumerate(losses)], "divide by zero"),
    ("8.5", averages(turned=True), "beta is the factor"),
    ("8.5", averages(feed_back=True), "uncorrected"),
    ("8.5", averages(start=lambda losses: losses[0], correct=False), "too much weight"),
    ("8.5", averages(count_from=2), "averages must be"),
    ("8.5", lambda losses, beta: np.cumsum(losses) / np.arange(1, len(losses) + 1), "same weight"),
    ("8.5", lambda losses, beta: [float(np.mean(losses))], "averages, got shape"),
]
