"""Checks of the exercises of tutorial 08.

A wrong answer is compared with what common mistakes give, on all cases together: on a single case mistakes look alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .compare import compare, number


def task_8_1(answer: Callable) -> None:
    """`sgd_step`: numbers computed by hand, then the velocity after three steps as a sum of gradients."""
    given = w, grad, velocity = np.array([[2.0, -4, 1]]), np.array([[1.0, 0, 3]]), np.array([[5.0, -1, 2]])
    rate, momentum, decay = 0.1, 0.8, 0.5
    wanted_w, wanted_v = np.array([[1.4, -3.72, 0.49]]), np.array([[6.0, -2.8, 5.1]])
    arrays = [array.copy() for array in given]
    new_w, new_v = _two_arrays(answer(*arrays, rate, momentum, decay), w.shape)
    g = grad + decay * w
    inside = momentum * velocity + rate * g
    told = f"for w {w[0]}, grad {grad[0]}, velocity {velocity[0]}, rate {rate}, momentum {momentum}, decay {decay}:"
    mistakes = {
        "the learning rate is inside your velocity, which is another convention; here the velocity is a sum of "
        "gradients, and the rate is a factor of the step": (w - inside, inside),
        "the learning rate is used twice, in the velocity and in the step": (w - rate * inside, inside),
        "the velocity points against the sum of the gradients; it is that sum": (wanted_w, -wanted_v),
    }
    compare((new_w, new_v), (wanted_w, wanted_v), mistakes, f"{told} w and velocity", only_mistakes=True)
    mistakes = {
        "the weight decay is missing from the gradient": momentum * velocity + grad,
        "the derivative of weight_decay / 2 * w**2 is weight_decay * w": momentum * velocity + grad + decay * w**2 / 2,
        "the decay must be added to the gradient, not subtracted": momentum * velocity + grad - decay * w,
        "your velocity is an average; it must be a sum: add the gradient with factor 1": momentum * velocity + 0.2 * g,
        "the old velocity must be multiplied by the momentum": velocity + g,
        "the old velocity is missing": g,
    }
    compare(new_v, wanted_v, mistakes, f"{told} velocity")
    mistakes = {
        "w must move against the velocity: minus, not plus": w + rate * wanted_v,
        "w moved by the gradient; it must move by the new velocity": w - rate * g,
        "w moved by the old velocity; compute the new one first": w - rate * velocity,
        "the learning rate is missing from the step": w - wanted_v,
    }
    compare(new_w, wanted_w, mistakes, f"{told} w")
    for shape in ((4,), (3, 3, 1, 2)):  # of a bias, and of the weight of a convolution
        gradients, v = np.random.default_rng(0).standard_normal((3, *shape)), np.zeros(shape)
        try:
            for gradient in gradients:
                _, v = _two_arrays(answer(np.ones(shape), gradient, v, 0.3, 0.5, 0.0), shape)
        except (ValueError, TypeError, IndexError) as error:
            raise AssertionError(f"it works for two axes but not for arrays of shape {shape}: {error}") from error
        compare(v, gradients[2] + gradients[1] / 2 + gradients[0] / 4, {}, "after 3 steps with momentum 0.5: velocity")


def _two_arrays(out: Any, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    assert isinstance(out, (tuple, list)) and len(out) == 2, "return two arrays, (the new w, the new velocity)"
    assert np.shape(out[0]) == np.shape(out[1]) == shape, f"both must have shape {shape}, got {[*map(np.shape, out)]}"
    return np.asarray(out[0]), np.asarray(out[1])


def task_8_2(answer: Callable) -> None:
    """`warmup_cosine`: at steps whose values are known without a formula."""
    cases = [  # step, total, warmup, peak: learning rate
        ((0, 100, 10, 2.0), 0.2),  # the first step of the warm-up
        ((4, 100, 10, 2.0), 1.0),
        ((9, 100, 10, 2.0), 2.0),  # the last one
        ((10, 100, 10, 2.0), 2.0),
        ((40, 100, 10, 2.0), 1.5),  # a third of the way down, where cos(pi / 3) is 1/2
        ((55, 100, 10, 2.0), 1.0),  # midway down
        ((100, 100, 10, 2.0), 0.0),
        ((0, 50, 0, 0.3), 0.3),
        ((25, 50, 0, 0.3), 0.15),
    ]
    wanted, got, told = [rate for _, rate in cases], [], "for (step, total_steps, warmup_steps, peak)"
    for given, _ in cases:
        try:
            with np.errstate(divide="raise", invalid="raise"):
                got.append(number(answer(*given)))
        except (ZeroDivisionError, FloatingPointError):
            raise AssertionError(f"{told} = {given} you divide by zero: warmup_steps is 0") from None

    def curve(rise: Callable, fall: Callable) -> list[float]:
        """The same points with other formulas: rise(step / warmup), fall(t, step / total)."""
        return [p * (rise(s / w) if s < w else fall((s - w) / (n - w), s / n)) for (s, n, w, p), _ in cases]

    def up(part: float) -> float:
        return part + 0.1

    def down(t: float, _: float = 0) -> float:
        return (1 + math.cos(math.pi * t)) / 2

    mistakes = {
        "the warm-up must start at peak / warmup_steps, not at 0: use step + 1": curve(lambda part: part, down),
        "the cosine starts after the warm-up, not at step 0": curve(up, lambda _, part: down(part)),
        "the peak is not used": [rate / given[3] for given, rate in cases],
        "your cosine goes down to -peak; it must end at 0": curve(up, lambda t, _: math.cos(math.pi * t)),
        "your curve is a quarter of a cosine; half of one is asked for": curve(
            up, lambda t, _: math.cos(math.pi * t / 2)
        ),
        "this decay is a straight line, not a cosine": curve(up, lambda t, _: 1 - t),
        "your cosine is upside down: it rises": curve(up, lambda t, _: 1 - down(t)),
    }
    for given, rate, mine in zip((given for given, _ in cases), wanted, got):
        if not math.isclose(mine, rate, abs_tol=1e-6):
            compare(got, wanted, mistakes, f"{told} = {given} the rate must be {rate:.4g}, got {mine:.4g}; all rates")


def task_8_3(answer: Callable) -> None:
    """`cutout`: pixel by pixel, by the distance of each from its centre."""
    for (N, H, W, C), size, centres in (
        ((4, 7, 9, 3), 3, [(3, 4), (2, 8), (0, 0), (6, 3)]),
        ((2, 6, 5, 1), 5, [(0, 2), (5, 4)]),
    ):
        images = np.random.default_rng(0).uniform(0.5, 1, (N, H, W, C))
        half = size // 2
        got = np.asarray(answer(images, np.array(centres), size))
        case = f"images of {H}x{W} pixels, size {size}, centres {centres}:"
        assert got.shape == images.shape, f"the shape must stay {images.shape}, got {got.shape}"
        changed = got != images
        assert (changed.all(-1) == changed.any(-1)).all(), f"{case} all channels of a pixel are hidden together"
        assert (got[changed] == 0).all(), f"{case} a hidden pixel must be 0, got {got[changed].max():.3g}"

        def squares(low: int, high: int, around: list) -> np.ndarray:
            """1 where the row and the column of a pixel are from `low` to `high` after those of the centre."""
            row, column = np.array(around).T[:, :, None, None]
            rows, columns = np.arange(H)[:, None] - row, np.arange(W) - column
            return ((low <= rows) & (rows <= high) & (low <= columns) & (columns <= high)).astype(int)

        wanted = squares(-half, half, centres)
        wrapped = np.zeros_like(wanted)
        for mask, (row, column) in zip(wrapped, centres):
            mask[row - half : row + half + 1, column - half : column + half + 1] = 1
        square = (np.arange(H)[:, None] < W) & (np.arange(W) < H)
        moved = [(np.clip(row, half, H - 1 - half), np.clip(column, half, W - 1 - half)) for row, column in centres]
        mistakes = {
            "a slice whose start is below 0 counts from the end: start at 0 there": wrapped,
            "the last row and column are missing: a slice excludes its end": squares(-half, half - 1, centres),
            "the square reaches size pixels to each side, which is too far": squares(-size, size, centres),
            "the given pixel is the centre of the square, not its corner": squares(0, size - 1, centres),
            "the row comes first, then the column": squares(-half, half, [(c, r) for r, c in centres]),
            "each image has a square of its own; yours is that of the first": squares(-half, half, centres[:1] * N),
            "each image has one square; yours has those of all images": np.broadcast_to(wanted.max(0), wanted.shape),
            "at the border the square must be cut off, not moved inside": squares(-half, half, moved),
            "the image need not be square: its rows end at H, its columns at W": wanted * square,
        }
        compare(changed.all(-1).astype(int), wanted, mistakes, f"{case} with 1 for hidden pixels, the images")


def task_8_4(answer: Callable) -> None:
    """`largest_stable_rate`: by rolling down the bowl, one per cent below the limit and one above."""
    cases = [([1.0, 20.0], 0.0), ([3.0], 0.0), ([5.0, 0.5, 2.0], 0.9), ([8.0, 8.0], 0.5)]
    got = [number(answer(list(curvatures), momentum)) for curvatures, momentum in cases]
    mistakes: dict[str, Callable] = {
        "the steepest direction sets the limit, not the flattest": lambda h, m: 2 * (1 + m) / min(h),
        "each direction has its own limit, and the lowest counts": lambda h, m: 2 * (1 + m) / sum(h),
        "this is the limit without momentum": lambda h, m: 2 / max(h),
        "momentum raises the limit, it does not lower it": lambda h, m: 2 * (1 - m) / max(h),
        "steps grow by 1 / (1 - momentum) only where the gradient keeps its sign": lambda h, m: 2 / (1 - m) / max(h),
        "a step may overshoot to the other side of 0, up to the same distance": lambda h, m: (1 + m) / max(h),
    }
    for (curvatures, momentum), rate in zip(cases, got):
        below, above = (_diverges(curvatures, momentum, factor * rate) for factor in (0.99, 1.01))
        if below or not above:
            told = f"for curvatures {curvatures} and momentum {momentum} you return {rate:.4g}, but SGD "
            told += "still diverges 1 % below it: too high" if below else "still converges 1 % above it: too low"
            for message, formula in mistakes.items():
                assert not np.allclose(got, [formula(h, m) for h, m in cases]), f"{message}\n{told}"
            raise AssertionError(told)


def _diverges(curvatures: list[float], momentum: float, rate: float) -> bool:
    """Whether SGD, from w = 1 in every direction, is further from 0 than it began after 3000 steps."""
    h = np.array(curvatures)
    w, v = np.ones_like(h), np.zeros_like(h)
    for _ in range(3000):
        v = momentum * v + h * w
        w = w - rate * v
        if not np.abs(w).max() < 1e6:
            return True
    return bool(np.abs(w).max() >= 1)


def task_8_5(answer: Callable) -> None:
    """`smooth`: against weighted means, written out."""
    for losses, beta in (([2.0, 2.0, 2.0], 0.9), ([4.0, 1.0, 3.0], 0.3), (np.arange(40.0).tolist(), 0.8)):
        K = len(losses)
        try:
            got = np.asarray(answer(list(losses), beta), float)
        except ZeroDivisionError:
            raise AssertionError("you divide by zero: count the losses from 1; the first divisor is 1 - beta") from None
        assert got.shape == (K,), f"{K} losses give {K} averages, got shape {got.shape}"

        def means(beta: float, losses: list[float] = losses) -> np.ndarray:
            """For each k the mean of the first k losses, with the weights ..., beta**2, beta, 1."""
            return np.array([np.average(losses[: k + 1], weights=beta ** np.arange(k, -1.0, -1)) for k in range(K)])

        wanted, correction = means(beta), 1 - beta ** np.arange(1, K + 1.0)
        fed_back, from_first, average = [], [losses[0]], 0.0
        for loss, divisor in zip(losses, correction):
            average = (beta * average + (1 - beta) * loss) / divisor
            fed_back.append(average)
        for loss in losses[1:]:
            from_first.append(beta * from_first[-1] + (1 - beta) * loss)
        mistakes = {
            "the first averages are too small; correct them": wanted * correction,
            "beta is the factor of the average, 1 - beta that of the new loss": means(1 - beta),
            "report the corrected average, but carry on with the uncorrected one": fed_back,
            "start at 0: an average that starts at the first loss gives it too much weight": from_first,
            "the average is corrected twice": wanted / correction,
            "all losses have the same weight; the last must have the largest": np.cumsum(losses) / np.arange(1, K + 1),
        }
        compare(got, wanted, mistakes, f"for beta {beta} and the losses {losses[:4]} ... the averages")
