"""Checks of the exercises of tutorial 08."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def task_8_1(answer: Callable) -> None:
    """`sgd_step`: by hand, then three steps of numbers that differ in every argument."""
    cases = [  # w, gradient, velocity, learning rate, momentum, weight decay: new w, new velocity
        ((1.0, 2.0, 0.0, 0.5, 0.0, 0.0), (0.0, 2.0)),
        ((1.0, 2.0, 4.0, 0.1, 0.5, 0.0), (0.6, 4.0)),
        ((2.0, 1.0, 5.0, 0.1, 0.9, 0.5), (1.35, 6.5)),
        ((-4.0, 0.0, 0.0, 0.25, 0.9, 0.1), (-3.9, -0.4)),
    ]
    for given, (new_w, new_v) in cases:
        arrays, numbers = [np.full((2, 3), value) for value in given[:3]], given[3:]
        before = [array.copy() for array in arrays]
        out = answer(*arrays, *numbers)
        assert isinstance(out, tuple) and len(out) == 2, "return two arrays, (the new w, the new velocity)"
        for name, array, old in zip(("w", "grad", "velocity"), arrays, before):
            assert (array == old).all(), f"{name} was changed in place; make new arrays, without += and -="
        w, v = (float(np.mean(part)) for part in out)
        case = "for (w, grad, velocity, learning_rate, momentum, weight_decay) = " + str(given)
        if _close(w, new_w) and _close(v, new_v):
            assert np.shape(out[0]) == np.shape(out[1]) == (2, 3), "w and velocity keep their shapes"
            continue
        old_w, grad, old_v, rate, momentum, decay = given
        g = grad + decay * old_w
        for found, value, message in (
            (w, old_w + rate * new_v, "w moves against the gradient: minus, not plus"),
            (w, old_w - rate * g, "w moved by the gradient; the step is the learning rate times the new velocity"),
            (w, old_w - rate * old_v, "w moved by the old velocity; bring it up to date first"),
            (v, momentum * old_v + grad, "the weight decay is missing: g = grad + weight_decay * w"),
            (v, momentum * old_v + grad - decay * old_w, "the decay has the wrong sign: g = grad + weight_decay * w"),
            (v, momentum * old_v + (1 - momentum) * g, "the gradient enters the velocity whole, not by 1 - momentum"),
            (v, momentum * old_v + rate * g, "the learning rate stands outside: w - learning_rate * velocity"),
            (v, old_v + g, "the old velocity is to be multiplied by the momentum"),
        ):
            assert not _close(found, value), f"{case}: {message}"
        raise AssertionError(f"{case} w and velocity must become {new_w} and {new_v}, got {w:.6g} and {v:.6g}")


def task_8_2(answer: Callable) -> None:
    """`warmup_cosine`: at steps whose values are known without a formula."""
    cases = [  # step, total, warmup, peak: learning rate, what it is
        ((0, 100, 10, 1.0), 0.1, "the first step of the warm-up"),
        ((4, 100, 10, 2.0), 1.0, "half way through the warm-up"),
        ((9, 100, 10, 1.0), 1.0, "the last step of the warm-up"),
        ((10, 100, 10, 1.0), 1.0, "the first step behind the warm-up"),
        ((55, 100, 10, 0.4), 0.2, "midway down"),
        ((40, 100, 10, 1.0), 0.75, "a third of the way down, where cos(pi / 3) is 1/2"),
        ((100, 100, 10, 1.0), 0.0, "the end"),
        ((0, 50, 0, 0.3), 0.3, "the first step, without a warm-up"),
        ((25, 50, 0, 0.3), 0.15, "midway, without a warm-up"),
    ]
    for (step, total, warmup, peak), wanted, what in cases:
        case = f"at step {step} of {total}, warm-up {warmup}, peak {peak} ({what})"
        try:
            got = float(answer(step, total, warmup, peak))
        except ZeroDivisionError:
            raise AssertionError(f"{case} you divide by zero; without a warm-up skip that part") from None
        if _close(got, wanted, 1e-9):
            continue
        for value, message in (
            (peak * step / max(warmup, 1), "the rise begins at 1 / warmup_steps, not at 0: (step + 1) / warmup_steps"),
            (peak * (1 + math.cos(math.pi * step / total)) / 2, "the cosine begins behind the warm-up, not at step 0"),
            (wanted / peak, "the peak is not used"),
            (peak * math.cos(math.pi * (step - warmup) / (total - warmup)), "this goes down to -peak: (1 + cos) / 2"),
            (peak * (1 - (step - warmup) / (total - warmup)), "this is a straight line down, not a cosine"),
            (peak - wanted, "the curve is upside down: (1 + cos), not (1 - cos)"),
        ):
            assert not _close(got, value, 1e-9), f"{case} you return {got:.4g}, wanted {wanted:.4g}: {message}"
        raise AssertionError(f"{case} the learning rate is {wanted:.4g}, you return {got:.4g}")


def task_8_3(answer: Callable) -> None:
    """`cutout`: pixel by pixel, by the distance of each from its centre."""
    rng = np.random.default_rng(0)
    for (N, H, W, C), size, centres in (
        ((2, 7, 9, 3), 3, [(3, 4), (2, 6)]),
        ((3, 6, 5, 3), 5, [(0, 0), (5, 4), (3, 1)]),
        ((1, 4, 4, 1), 1, [(2, 3)]),
    ):
        images = rng.uniform(0.5, 1, (N, H, W, C))
        before = images.copy()
        got = np.asarray(answer(images, np.array(centres), size))
        assert (images == before).all(), "the images were changed in place; work on a copy"
        assert got.shape == images.shape, f"the shape must stay {images.shape}, got {got.shape}"
        for n, (row, column) in enumerate(centres):
            rows, columns = abs(np.arange(H) - row) <= size // 2, abs(np.arange(W) - column) <= size // 2
            hidden = rows[:, None] & columns
            zero = (got[n] == 0).all(-1)
            case = f"image {n} of {H}x{W} pixels, centre ({row}, {column}), size {size}"
            assert (zero == (got[n] == 0).any(-1)).all(), f"{case}: all channels are hidden together"
            assert zero.any(), (
                f"{case}: nothing is hidden. A slice that begins below zero counts from the end: begin at max(0, ...)"
            )
            if n and not (zero == hidden).all():
                first = abs(np.arange(H) - centres[0][0]) <= size // 2
                first = first[:, None] & (abs(np.arange(W) - centres[0][1]) <= size // 2)
                assert not zero[first].all(), f"{case}: the square of the first image is in this one too; one for each"
            turned = (abs(np.arange(H) - column) <= size // 2)[:, None] & (abs(np.arange(W) - row) <= size // 2)
            right = bool((zero == hidden).all())
            assert right or not (zero == turned).all(), f"{case}: the row comes first, then the column"
            assert zero.sum() == hidden.sum(), f"{case}: {hidden.sum()} pixels are to be zero, {zero.sum()} are"
            assert right, f"{case}: the square lies elsewhere; it must be\n{hidden.astype(int)}"
            assert (got[n][~hidden] == images[n][~hidden]).all(), f"{case}: pixels outside the square have changed"


def task_8_4(answer: Callable) -> None:
    """`largest_stable_rate`: by rolling down the bowl, one per cent below the limit and one above."""
    for curvatures, momentum in (([1.0, 20.0], 0.0), ([3.0], 0.0), ([5.0, 0.5, 2.0], 0.9), ([8.0, 8.0], 0.5)):
        got = float(answer(curvatures, momentum))
        below, above = (_distance(curvatures, momentum, factor * got) for factor in (0.99, 1.01))
        if below < 1e-3 and above > 1e3:
            continue
        steepest, case = max(curvatures), f"for curvatures {curvatures} and momentum {momentum} you return {got:.4g}"
        for value, message in (
            (2 * (1 + momentum) / min(curvatures), "the steepest direction sets the limit, not the flattest"),
            (2 * (1 + momentum) / sum(curvatures), "directions do not add up: each has its own limit, take the lowest"),
            (2 / steepest, "with momentum the limit is higher, by 1 + momentum"),
            (2 * (1 - momentum) / steepest, "momentum raises the limit: 1 + momentum, not 1 - momentum"),
            (2 / (1 - momentum) / steepest, "steps become 1 / (1 - momentum) as long; the limit has 1 + momentum"),
            ((1 + momentum) / steepest, "1 / curvature lands in the middle; as far to the other side is allowed"),
        ):
            assert not _close(got, value), f"{case}: {message}"
        told = "SGD diverges below it: it is too high" if below >= 1e-3 else "SGD converges above it: it is too low"
        raise AssertionError(f"{case}, and {told}")


def _distance(curvatures: list[float], momentum: float, rate: float) -> float:
    """How far from 0 SGD is after 3000 steps from w = 1 in every direction."""
    h = np.array(curvatures)
    w, v = np.ones_like(h), np.zeros_like(h)
    for _ in range(3000):
        v = momentum * v + h * w
        w = w - rate * v
        if np.abs(w).max() > 1e6:
            break
    return float(np.abs(w).max())


def task_8_5(answer: Callable) -> None:
    """`smooth`: against weighted means, written out."""
    rng = np.random.default_rng(0)
    for losses, beta in (([2.0, 2.0, 2.0], 0.9), ([4.0, 1.0, 3.0], 0.5), (rng.uniform(0, 3, 40).tolist(), 0.8)):
        got = np.asarray(answer(losses, beta), float)
        assert got.shape == (len(losses),), f"{len(losses)} losses give {len(losses)} averages, got shape {got.shape}"
        wanted: list[float] = []
        plain: list[float] = []
        turned: list[float] = []
        for k in range(1, len(losses) + 1):
            for b, result in ((beta, wanted), (1 - beta, turned)):
                weights = [b ** (k - 1 - i) for i in range(k)]  # the last loss counts most
                result.append(float(np.average(losses[:k], weights=weights)))
            plain.append((1 - beta) * sum(beta ** (k - 1 - i) * losses[i] for i in range(k)))
        if np.allclose(got, wanted):
            continue
        k = int(np.argmax(~np.isclose(got, wanted)))
        shown = np.round(losses[: k + 1], 3)
        case = f"for beta {beta} and losses {shown} the last average is {wanted[k]:.4g}, not {got[k]:.4g}"
        assert not np.allclose(got, plain), f"{case}: the averages begin too small; divide by 1 - beta**k"
        assert not np.allclose(got, turned), f"{case}: beta belongs to the average, 1 - beta to the new loss"
        assert not _close(got[k], plain[k] / (1 - beta**k) / (1 - beta**k)), f"{case}: corrected twice"
        fed_back, average = [], 0.0
        for i, loss in enumerate(losses, start=1):
            average = (beta * average + (1 - beta) * loss) / (1 - beta**i)
            fed_back.append(average)
        assert not np.allclose(got, fed_back), (
            f"{case}: report the corrected average, but go on with the uncorrected one"
        )
        from_first = [losses[0]]
        for loss in losses[1:]:
            from_first.append(beta * from_first[-1] + (1 - beta) * loss)
        assert not np.allclose(got, from_first), f"{case}: this begins at the first loss, which then counts too much"
        raise AssertionError(case)


def _close(a: float, b: float, tolerance: float = 1e-6) -> bool:
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=1e-9)
