"""Checks of the exercises of tutorial 10."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def task_10_1(answer: Callable) -> None:
    """`accuracy_interval`: the equation itself, and a case that the simple formula gets wrong."""
    for correct, total, z in ((5, 10, 1.96), (8376, 10_000, 1.96), (0, 10, 1.96), (10, 10, 1.96), (3, 7, 1.0)):
        case = f"for {correct} of {total} right, z = {z},"
        got = answer(correct, total, z)
        assert len(got) == 2, f"{case} return the pair (low, high), got {got!r}"
        low, high = map(float, got)
        assert low < high, f"{case} low must be below high, got {low:.4f} and {high:.4f}"
        q = correct / total
        simple = z * math.sqrt(q * (1 - q) / total)
        assert not (math.isclose(low, q - simple, abs_tol=1e-9) and math.isclose(high, q + simple, abs_tol=1e-9)), (
            f"{case} you return {low:.4f} to {high:.4f}, the simple q +- z * sqrt(q (1 - q) / n): with all images "
            "right it would be a single point, as if 10 images were proof; solve the equation for p"
        )
        for p in (low, high):
            left, right = (q - p) ** 2, z**2 * p * (1 - p) / total
            assert math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-12), (
                f"{case} p = {p:.6f} does not solve (q - p)^2 = z^2 p (1 - p) / n: the left side is {left:.3g}, the "
                f"right side {right:.3g}"
            )
        middle = (low + high) / 2
        assert 0 < middle < 1, f"{case} the interval must lie within 0..1, got {low:.4f} to {high:.4f}"


def task_10_2(answer: Callable) -> None:
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
    if np.array_equal(got, expected):
        return
    assert not np.array_equal(got, expected.T), f"{case}: rows and columns are swapped: the row is the true class"
    assert not np.array_equal(got, np.minimum(expected, 1)), (
        f"{case}: every pair was counted once at most; counts[labels, predictions] += 1 does that"
    )
    t, p = np.argwhere(got != expected)[0]
    raise AssertionError(f"{case}: row {t}, column {p} must be {expected[t, p]}, got {got[t, p]}")


def task_10_3(answer: Callable) -> None:
    """`worst_mistakes`: five images by hand, and fewer mistakes than asked for."""
    probabilities = np.array(
        [[0.1, 0.9, 0.0], [0.6, 0.3, 0.1], [0.3, 0.0, 0.7], [0.05, 0.95, 0.0], [0.99, 0.005, 0.005], [0.4, 0.45, 0.15]]
    )
    labels = np.array([0, 1, 0, 1, 2, 2])  # 3 is right; the confidences of the others: 0.9, 0.6, 0.7, 0.99, 0.45
    got = np.asarray(answer(probabilities, labels, 3)).tolist()
    assert 3 not in got, f"image 3 is classified rightly, got {got}: keep only those whose prediction is not the label"
    assert got != [5, 1, 2], f"got {got}, the least sure first; the greatest confidence comes first"
    by_truth = [int(k) for k in np.argsort(probabilities[range(6), labels], kind="stable") if k != 3]
    assert got == [4, 0, 2] or got != by_truth[:3], (
        f"got {got}, sorted by how improbable the true class is; the confidence in the predicted class counts"
    )
    assert got == [4, 0, 2], f"with confidences 0.9, 0.6, 0.7, (right), 0.99, 0.45 the worst are [4, 0, 2], got {got}"
    got = np.asarray(answer(probabilities, labels, 10)).tolist()
    assert got == [4, 0, 2, 1, 5], f"of 10 asked for there are only 5 mistakes, [4, 0, 2, 1, 5], got {got}"


def task_10_4(answer: Callable) -> None:
    """`expected_calibration_error`: by hand."""

    def two_classes(confidences: list[float]) -> np.ndarray:
        return np.array([[c, 1 - c] for c in confidences])

    # bins of a tenth. 0.95 twice, one right: |0.5 - 0.95| * 2/4; 0.65 and 0.63, both right: |1 - 0.64| * 2/4
    cases = [
        ([0.95, 0.95, 0.65, 0.63], [0, 1, 0, 0], 10, 0.225 + 0.18),
        ([1.0, 1.0, 1.0, 0.55], [0, 0, 1, 1], 10, 0.25 + 0.1375),  # 1.0 falls into the last bin
        ([0.75] * 4, [0, 0, 0, 1], 10, 0.0),
        ([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1], 1, 0.25),  # one bin: accuracy 0.5, confidence 0.75
        ([0.8] * 6 + [0.55] * 2, [0, 0, 0, 0, 0, 0, 1, 1], 4, 0.15 + 0.1375),  # too low, and too high
    ]
    for confidences, truth, bins, expected in cases:
        probabilities, labels = two_classes(confidences), np.array(truth)
        got = float(answer(probabilities, labels, bins))
        if math.isclose(got, expected, abs_tol=1e-9):
            continue
        case = f"confidences {confidences}, right {(labels == 0).astype(int).tolist()}, {bins} bins"
        signed = abs((labels == 0).mean() - np.mean(confidences))
        assert bins == 1 or not math.isclose(got, signed, abs_tol=1e-9), (
            f"{case}: you return {got:.4g}, the difference of the overall accuracy and confidence; too sure in one bin "
            f"must not make up for not sure enough in another. Wanted {expected:.4g}"
        )
        assert confidences[0] != 1.0 or not math.isclose(got, 0.1375, abs_tol=1e-9), (
            f"{case}: you return {got:.4g}; a confidence of exactly 1 fell into no bin"
        )
        raise AssertionError(
            f"{case}: wanted {expected:.4g}, got {got:.4g}; each bin counts with its share of the images, and the "
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
        got = float(answer(logits, labels))
        assert got > 0, f"a temperature must be above 0, got {got}"
        # the optimum of the sample is near `true`, not on it; what is asked for is that the loss is smallest there
        best = min(np.geomspace(true / 1.3, true * 1.3, 1000), key=lambda t: loss(logits, t))
        assert true == 1 or not abs(got * best - 1) < 0.02, (
            f"for logits that are {true} times too large you return {got:.3f}, one over the temperature: the logits "
            f"are divided by T, so logits that are too large need T above 1; wanted {best:.3f}"
        )
        assert abs(got / best - 1) < 0.011, (
            f"for logits that are {true} times too large the loss is smallest at T = {best:.3f}, where it is "
            f"{loss(logits, best):.4f}; at your T = {got:.3f} it is {loss(logits, got):.4f}. (Accuracy cannot choose "
            "T: it is the same for every T)"
        )
