"""Checks of the exercises of tutorial 10."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .compare import compare, number


def task_10_1(answer: Callable) -> None:
    """`accuracy_interval`: the roots of the equation, and what common mistakes give."""
    cases = [(5, 10, 1.96), (8376, 10_000, 1.96), (0, 10, 1.96), (10, 10, 1.96), (3, 7, 1.0)]
    got, wanted, simple, unsquared, centred, undivided = [], [], [], [], [], []
    for correct, total, z in cases:
        out = answer(correct, total, z)
        assert isinstance(out, (tuple, list, np.ndarray)) and len(out) == 2, f"return the pair (low, high), got {out!r}"
        got.append([float(p) for p in out])
        q = correct / total
        low, high = sorted(np.roots([1 + z * z / total, -2 * q - z * z / total, q * q]).real)
        wanted.append([low, high])
        half = z * math.sqrt(q * (1 - q) / total)
        simple.append([q - half, q + half])
        unsquared.append(sorted(np.roots([1 + z / total, -2 * q - z / total, q * q]).real))
        centred.append([q - (high - low) / 2, q + (high - low) / 2])
        undivided.append([low * (1 + z * z / total), high * (1 + z * z / total)])
    mistakes = {
        "low comes first, then high": [pair[::-1] for pair in wanted],
        "this is the simple q +- z * sqrt(q * (1 - q) / total). With all images right it is a single point, as if 10 "
        "images were proof. Compute the standard deviation from p, not q: solve the equation for p": simple,
        "z must be squared, because the equation was": unsquared,
        "the length is right, but the middle must not be q: it must lie nearer to 1/2": centred,
        "both solutions must be divided by 1 + z**2 / total": undivided,
        "these are percentages; give numbers from 0 to 1": 100 * np.array(wanted),
    }
    told = f"for (correct, total, z) = {cases} (low, high)"
    for mine, right in zip(got, wanted):
        if not np.allclose(mine, right, rtol=1e-6, atol=1e-7):
            compare(got, wanted, mistakes, told)
            raise AssertionError(f"{told} must be\n{np.array(wanted)}\ngot\n{np.array(got)}")


def task_10_2(answer: Callable) -> None:
    """`mcnemar`: sums of binomial coefficients by hand, and n = 3000 by logarithms."""
    cases = [  # right with both, with A only, with B only, with neither: p-value
        ((7, 1, 9, 2), 22 / 1024),  # 2 (1 + 10) / 2**10
        ((3, 9, 1, 0), 22 / 1024),
        ((0, 2, 6, 5), 74 / 256),  # 2 (1 + 8 + 28) / 2**8
        ((1, 0, 3, 1), 2 / 8),
        ((4, 5, 5, 4), 1.0),
        ((4, 0, 0, 2), 1.0),
    ]
    wanted, got = [p for _, p in cases], []
    for kinds, _ in cases:
        a, b = _right(kinds)
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                got.append(number(answer(a, b)))
        except ZeroDivisionError:
            raise AssertionError("A and B are right on the same images: n is 0, and the p-value is 1") from None
        assert not math.isnan(got[-1]), f"{_told(kinds)} you return nan; if n is 0, the p-value is 1"
        assert got[-1] <= 1, f"{_told(kinds)} you return {got[-1]:.4g}; a p-value is at most 1: cut it off there"

    def tail(most: Callable, tosses: Callable) -> list[float]:
        """The p-values with another sum: over k up to most(kinds), of tosses(kinds)."""
        return [min(1, 2 * sum(math.comb(tosses(k), j) for j in range(most(k) + 1)) / 2 ** tosses(k)) for k, _ in cases]

    def fewer(kinds: tuple) -> int:
        return min(kinds[1:3])

    def differing(kinds: tuple) -> int:
        return kinds[1] + kinds[2]

    chi = [(abs(k[1] - k[2]), math.sqrt(differing(k) or 1)) for k, _ in cases]
    mistakes = {
        "this is one-sided: A might just as well have been the worse one, so double it": [
            sum(math.comb(differing(k), j) for j in range(fewer(k) + 1)) / 2 ** differing(k) for k, _ in cases
        ],
        "the images on which both are right, or both wrong, say nothing: leave them out": tail(fewer, sum),
        "count results as rare OR rarer: include k = the smaller number": tail(lambda k: fewer(k) - 1, differing),
        "this is the probability of exactly this result; add those of all rarer ones": [
            min(1, 2 * math.comb(differing(k), fewer(k)) / 2 ** differing(k)) for k, _ in cases
        ],
        "this is the normal (chi-squared) approximation; for few images it is wrong: add up binomial terms": [
            math.erfc(d / s / math.sqrt(2)) for d, s in chi
        ],
        "this is the chi-squared approximation; for few images it is wrong: add up binomial terms": [
            math.erfc(max(d - 1, 0) / s / math.sqrt(2)) for d, s in chi
        ],
        "the result depends on which one is better: add up to the smaller of the two numbers": tail(
            lambda k: k[1], differing
        ),
    }
    for kinds, p, mine in zip((k for k, _ in cases), wanted, got):
        if not math.isclose(mine, p, rel_tol=1e-6):
            compare(got, wanted, mistakes, f"{_told(kinds)} p must be {p:.4g}, got {mine:.4g}; all p-values")
    try:
        many = number(answer(*_right((0, 1430, 1570, 0))))
    except OverflowError as error:
        raise AssertionError(
            f"for n = 3000: {error}; divide math.comb(n, k) by 2**n, with n and k as Python ints: int(...)"
        ) from error
    logs = [math.lgamma(3001) - math.lgamma(k + 1) - math.lgamma(3001 - k) - 3000 * math.log(2) for k in range(1431)]
    p = 2 * math.fsum(map(math.exp, logs))
    assert math.isclose(many, p, rel_tol=1e-6), (
        f"for 1430 images right with A only and 1570 with B only, p must be {p:.6g}, got {many:.6g}; does a power of "
        "0.5 become 0 somewhere?"
    )


def _right(kinds: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Which images A and B classify correctly, in random order, given how many both, only A, only B, or neither do."""
    kind = np.random.default_rng(0).permutation(np.repeat([3, 1, 2, 0], kinds))
    return kind & 1 > 0, kind & 2 > 0


def _told(kinds: tuple[int, int, int, int]) -> str:
    return f"for {kinds[1]} images right with A only and {kinds[2]} with B only (of {sum(kinds)}),"


def task_10_3(answer: Callable) -> None:
    """`confusion_counts`: a case by hand, a larger one counted pair by pair."""
    labels, predictions = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 1, 1, 1, 0, 2])
    expected = np.array([[1, 2, 0], [0, 1, 0], [1, 0, 1]])
    _compare_counts(np.asarray(answer(labels, predictions, 3)), expected, "labels 0 0 0 1 2 2, predicted 0 1 1 1 0 2")
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    expected = np.array([[sum((labels == t) & (predictions == p)) for p in range(5)] for t in range(5)])
    _compare_counts(np.asarray(answer(labels, predictions, 5)), expected, "300 images, none of them of class 4")


def _compare_counts(got: np.ndarray, expected: np.ndarray, case: str) -> None:
    assert got.shape == expected.shape, f"{case}: the matrix must be {expected.shape}, got {got.shape}"
    assert np.issubdtype(got.dtype, np.integer), (
        f"{case}: counts are whole numbers; make an integer array, not {got.dtype}"
    )
    if np.array_equal(got, expected):
        return
    assert not np.array_equal(got, expected.T), f"{case}: rows and columns are swapped: the row is the true class"
    assert not np.array_equal(got, np.minimum(expected, 1)), (
        f"{case}: every pair was counted once at most; counts[labels, predictions] += 1 does that"
    )
    t, p = np.argwhere(got != expected)[0]
    raise AssertionError(f"{case}: row {t}, column {p} must be {expected[t, p]}, got {got[t, p]}")


def task_10_4(answer: Callable) -> None:
    """`expected_calibration_error`: by hand."""
    # bins of a tenth. 0.95 twice, one right: |0.5 - 0.95| * 2/4; 0.65 and 0.63, both right: |1 - 0.64| * 2/4
    cases = [
        ([0.95, 0.95, 0.65, 0.63], [0, 1, 0, 0], 10, 0.225 + 0.18),
        ([1.0, 1.0, 1.0, 0.55], [0, 0, 1, 1], 10, 0.25 + 0.1375),  # 1.0 falls into the last bin
        ([0.75] * 4, [0, 0, 0, 1], 10, 0.0),
        ([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1], 1, 0.25),  # one bin: accuracy 0.5, confidence 0.75
        ([0.8] * 6 + [0.55] * 2, [0, 0, 0, 0, 0, 0, 1, 1], 4, 0.15 + 0.1375),  # too low, and too high
        ([0.75, 0.9], [0, 1], 4, 0.125 + 0.45),  # 0.75 is the right end of the third bin
    ]
    for confidences, truth, bins, expected in cases:
        probabilities, labels = np.array([[c, 1 - c] for c in confidences]), np.array(truth)
        got = number(answer(probabilities, labels, bins))
        if math.isclose(got, expected, abs_tol=1e-6):
            continue
        case = f"confidences {confidences}, right {(labels == 0).astype(int).tolist()}, {bins} bins"
        assert confidences[1:] != [0.9] or not math.isclose(got, 0.325, abs_tol=1e-6), (
            f"{case}: wanted {expected:.4g}, got {got:.4g}; 0.75 is the right end of the third bin, and belongs to it"
        )
        signed = abs((labels == 0).mean() - np.mean(confidences))
        assert bins == 1 or not math.isclose(got, signed, abs_tol=1e-6), (
            f"{case}: you return {got:.4g}, the difference between overall accuracy and confidence; overconfidence in "
            f"one bin must not make up for underconfidence in another. Wanted {expected:.4g}"
        )
        assert confidences[0] != 1.0 or not math.isclose(got, 0.1375, abs_tol=1e-6), (
            f"{case}: you return {got:.4g}; a confidence of exactly 1 fell into no bin"
        )
        raise AssertionError(
            f"{case}: wanted {expected:.4g}, got {got:.4g}; each bin is weighted by its share of the images, and the "
            "confidence is the probability of the predicted class alone"
        )


def task_10_5(answer: Callable) -> None:
    """`fit_temperature`: the loss must rise to both sides, for networks that are too sure and not sure enough."""
    rng = np.random.default_rng(3)
    honest = 1.5 * rng.standard_normal((4000, 5))
    p = np.exp(honest) / np.exp(honest).sum(1, keepdims=True)
    labels = (p.cumsum(1) < rng.random((len(p), 1))).sum(1).clip(0, 4)  # drawn from p, so `honest` is calibrated

    def loss(logits: np.ndarray, temperature: float) -> float:
        z = logits / temperature
        return float((np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), labels]).mean())

    for true in (3.0, 0.4, 1.0):
        logits = honest * true
        got = number(answer(logits, labels))
        assert got > 0, f"a temperature must be above 0, got {got}"
        # the optimum of the sample is near `true`, not on it; what is asked for is that the loss is smallest there
        best = min(np.geomspace(true / 1.3, true * 1.3, 1000), key=lambda t: loss(logits, t))
        assert true == 1 or not abs(got * best - 1) < 0.02, (
            f"for calibrated logits multiplied by {true} you return {got:.3f}, one over the temperature: the logits "
            f"are divided by T, so logits that are too large need T above 1; wanted {best:.3f}"
        )
        assert abs(got / best - 1) < 0.011, (
            f"for calibrated logits multiplied by {true} the loss is smallest at T = {best:.3f}, where it is "
            f"{loss(logits, best):.4f}; at your T = {got:.3f} it is {loss(logits, got):.4f}. (Accuracy cannot choose "
            "T: it is the same for every T)"
        )
