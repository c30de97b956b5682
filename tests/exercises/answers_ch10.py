"""Right answers in several styles to the tasks of tutorial 10, and wrong ones that people give."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np

from resnet_scratch.exercises import ch10_cifar10 as tasks


def interval_by_roots(correct, total, z=1.96):
    s, q = z * z / total, correct / total
    low, high = sorted(np.roots([1 + s, -(2 * q + s), q * q]).real)
    return low, high


def interval_as_in_books(correct, total, z=1.96):
    q = correct / total
    centre = (correct + z**2 / 2) / (total + z**2)
    half = z / (total + z**2) * math.sqrt(total * q * (1 - q) + z**2 / 4)
    return [centre - half, centre + half]


def interval_by_bisection(correct, total, z=1.96):
    q = correct / total

    def end(inside, outside):
        for _ in range(200):
            p = (inside + outside) / 2
            if abs(q - p) <= z * math.sqrt(p * (1 - p) / total):
                inside = p
            else:
                outside = p
        return inside

    middle = (q + z**2 / total / 2) / (1 + z**2 / total)
    return end(middle, 0.0), end(middle, 1.0)


def simple_interval(correct, total, z=1.96):
    q = correct / total
    half = z * math.sqrt(q * (1 - q) / total)
    return q - half, q + half


def cut_off(correct, total, z=1.96):
    low, high = simple_interval(correct, total, z)
    return max(low, 0), min(high, 1)


def no_square(correct, total, z=1.96):
    return tasks.accuracy_interval(correct, total, math.sqrt(z))


def around_q(correct, total, z=1.96):
    low, high = tasks.accuracy_interval(correct, total, z)
    return correct / total - (high - low) / 2, correct / total + (high - low) / 2


def mcnemar_of(n, rarer):
    """An answer that computes the p-value from the two numbers of images."""

    def answer(right_a, right_b):
        only_a, only_b = int((right_a > right_b).sum()), int((right_b > right_a).sum())
        return n(min(only_a, only_b), only_a + only_b) if rarer else n(only_a, only_a + only_b)

    return answer


def by_fractions(k, n):
    return float(min(Fraction(1), 2 * sum((Fraction(math.comb(n, j), 2**n) for j in range(k + 1)), Fraction(0))))


def by_logarithms(k, n):
    logs = [math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1) - n * math.log(2) for j in range(k + 1)]
    return min(1.0, 2 * sum(math.exp(value) for value in logs))


def by_pascals_triangle(k, n):
    heads = np.array([1.0])  # the distribution of the number of heads, toss by toss
    for _ in range(n):
        heads = (np.append(heads, 0) + np.append(0, heads)) / 2
    return min(1.0, 2 * heads[: k + 1].sum())


def outcome_by_outcome(right_a, right_b):
    """Over both sides of the distribution, in a dictionary of the pairs."""
    pairs = Counter(zip(right_a.tolist(), right_b.tolist()))
    b, c = pairs[True, False], pairs[False, True]
    total = 0
    for k in range(b + c + 1):
        if abs(2 * k - (b + c)) >= abs(b - c):
            total += math.comb(b + c, k)
    return total / 2 ** (b + c)


def chi_squared(corrected):
    def answer(k, n):
        distance = max(abs(n - 2 * k) - corrected, 0)
        return math.erfc(distance / math.sqrt(n or 1) / math.sqrt(2))

    return answer


def one_sided(k, n):
    return sum(math.comb(n, j) for j in range(k + 1)) / 2**n


def all_images(right_a, right_b):
    k = int(min((right_a & ~right_b).sum(), (right_b & ~right_a).sum()))
    return by_fractions(k, len(right_a))


def with_powers(k, n):
    return min(1.0, 2 * sum(math.comb(n, j) * 0.5**n for j in range(k + 1)))


def with_numpys_counts(right_a, right_b):
    only_a, only_b = (right_a & ~right_b).sum(), (right_b & ~right_a).sum()
    n = only_a + only_b
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n)


def in_float(k, n):
    half = np.prod(np.full(n, 0.5))
    return min(1.0, 2 * sum(float(min(math.comb(n, j), 10**300)) * half for j in range(k + 1)))


def counted_in_a_loop(labels, predictions, classes):
    counts = [[0] * classes for _ in range(classes)]
    for t, p in zip(labels, predictions):
        counts[t][p] += 1
    return counts


def counted_with_add_at(labels, predictions, classes):
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predictions), 1)
    return counts


def counted_by_one_hot(labels, predictions, classes):
    one_hot = np.eye(classes, dtype=int)
    return one_hot[labels].T @ one_hot[predictions]


def counted_once(labels, predictions, classes):
    counts = np.zeros((classes, classes), int)
    counts[labels, predictions] += 1
    return counts


def seen_classes_only(labels, predictions, classes):
    return tasks.confusion_counts(labels, predictions, 1 + max(labels.max(), predictions.max()))


def right_end(c, bins):
    return np.ceil(c * bins) - 1


def left_end(c, bins):
    return np.floor(c * bins)


def left_end_but_for_1(c, bins):
    return np.minimum(np.floor(c * bins), bins - 1)


def calibration(weighted=True, absolute=True, confidence=lambda p: p.max(1), number=right_end):
    def answer(probabilities, labels, bins=15):
        c, right = confidence(probabilities), probabilities.argmax(1) == labels
        error = 0.0
        for k in range(bins):
            inside = number(c, bins) == k
            if inside.any():
                gap = right[inside].mean() - c[inside].mean()
                error += (inside.mean() if weighted else 1 / bins) * (abs(gap) if absolute else gap)
        return abs(error)

    return answer


def calibration_by_sums(probabilities, labels, bins=15):
    """|sum of right - sum of confidence| of each interval, over N."""
    confidence = probabilities.max(1)
    number = np.ceil(confidence * bins).astype(int) - 1
    gaps = np.bincount(number, (probabilities.argmax(1) == labels) - confidence, minlength=bins)
    return np.abs(gaps).sum() / len(labels)


def calibration_by_digitize(probabilities, labels, bins=15):
    confidence, right = np.max(probabilities, axis=1), np.argmax(probabilities, axis=1) == labels
    number = np.digitize(confidence, np.arange(bins + 1) / bins, right=True)
    return sum(
        np.mean(number == k) * abs(np.mean(right[number == k]) - np.mean(confidence[number == k]))
        for k in set(number.tolist())
    )


def calibration_by_image(probabilities, labels, bins=15):
    sums: dict = {}
    for row, label in zip(probabilities, labels):
        entry = sums.setdefault(math.ceil(row.max() * bins), [0.0, 0.0])
        entry[0] += row.max()
        entry[1] += row.argmax() == label
    return sum(abs(confident - right) for confident, right in sums.values()) / len(labels)


def cross_entropy(logits, labels, temperature):
    z = logits / temperature
    return (np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), labels]).mean()


def temperature_by_thirds(logits, labels):
    low, high = math.log(0.05), math.log(20)
    for _ in range(100):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        if cross_entropy(logits, labels, math.exp(a)) < cross_entropy(logits, labels, math.exp(b)):
            high = b
        else:
            low = a
    return math.exp((low + high) / 2)


def temperature_by_newton(logits, labels):
    """On the inverse temperature, in which the loss is convex."""
    beta, true = 0.05, logits[np.arange(len(labels)), labels]
    for _ in range(100):
        p = np.exp(beta * logits - np.logaddexp.reduce(beta * logits, axis=1)[:, None])
        mean = (p * logits).sum(1)
        beta -= (mean - true).mean() / ((p * logits**2).sum(1) - mean**2).mean()
    return 1 / beta


def temperature_by_a_finer_grid(logits, labels):
    best = 1.0
    for span in (20, 2, 1.1, 1.01):
        grid = best * np.geomspace(1 / span, span, 41)
        best = min(grid, key=lambda t: cross_entropy(logits, labels, t))
    return best


RIGHT: list = [
    ("10.1", interval_by_roots),
    ("10.1", interval_as_in_books),
    ("10.1", interval_by_bisection),
    ("10.2", mcnemar_of(by_fractions, True)),
    ("10.2", mcnemar_of(by_logarithms, True)),
    ("10.2", mcnemar_of(by_pascals_triangle, True)),
    ("10.2", outcome_by_outcome),
    ("10.3", counted_in_a_loop),
    ("10.3", counted_with_add_at),
    ("10.3", counted_by_one_hot),
    ("10.4", calibration_by_sums),
    ("10.4", calibration_by_digitize),
    ("10.4", calibration_by_image),
    ("10.5", temperature_by_thirds),
    ("10.5", temperature_by_newton),
    ("10.5", temperature_by_a_finer_grid),
    ("10.4", lambda p, *rest: np.float32(tasks.expected_calibration_error(p.astype(np.float32), *rest))),
]

WRONG = [
    ("10.1", simple_interval, "simple q"),
    ("10.1", cut_off, "single point"),
    ("10.1", no_square, "must be squared"),
    ("10.1", around_q, "nearer to 1/2"),
    ("10.1", lambda correct, total, z=1.96: tasks.accuracy_interval(correct, total, z)[::-1], "low comes first"),
    ("10.1", lambda *given: [100 * p for p in tasks.accuracy_interval(*given)], "percentages"),
    ("10.1", lambda correct, total, z=1.96: correct / total, "return the pair"),
    ("10.2", mcnemar_of(one_sided, True), "one-sided"),
    ("10.2", mcnemar_of(by_fractions, False), "the smaller of the two"),
    ("10.2", mcnemar_of(lambda k, n: 2 * by_logarithms(k, n), True), "at most 1"),
    ("10.2", mcnemar_of(lambda k, n: by_fractions(k - 1, n), True), "OR rarer"),
    ("10.2", mcnemar_of(lambda k, n: min(1, 2 * math.comb(n, k) / 2**n), True), "exactly this result"),
    ("10.2", mcnemar_of(chi_squared(0), True), "approximation"),
    ("10.2", mcnemar_of(chi_squared(1), True), "chi-squared approximation"),
    ("10.2", all_images, "leave them out"),
    ("10.2", mcnemar_of(with_powers, True), "Python ints"),
    ("10.2", with_numpys_counts, r"int\(\.\.\.\)"),
    ("10.2", mcnemar_of(lambda k, n: by_fractions(k, n) if n else math.nan, True), "if n is 0, the p-value is 1"),
    ("10.2", mcnemar_of(in_float, True), "become 0"),
    ("10.3", lambda t, p, classes: tasks.confusion_counts(p, t, classes), "swapped"),
    ("10.3", counted_once, "counted once"),
    ("10.3", seen_classes_only, r"must be \(5, 5\)"),
    ("10.3", lambda *given: tasks.confusion_counts(*given).astype(float), "make an integer array, not float64"),
    ("10.4", calibration(weighted=False), "share of the images"),
    ("10.4", calibration(absolute=False), "make up for"),
    ("10.4", calibration(number=left_end), "fell into no bin"),
    ("10.4", calibration(number=left_end_but_for_1), "right end of the third bin"),
    ("10.4", calibration(confidence=lambda p: p[:, 1]), "predicted class alone"),
    ("10.5", lambda logits, labels: 1 / tasks.fit_temperature(logits, labels), "one over the temperature"),
    ("10.5", lambda logits, labels: 1.0, "Accuracy cannot choose"),
    ("10.5", lambda logits, labels: -2.0, "above 0"),
    ("10.1", lambda *arguments: (0.5, None), r"returned \(0.5, None\), which the check cannot use"),
]
