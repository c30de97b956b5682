"""What a result on test images says: how sure it is, which of two classifiers is better, and calibration.

Arrays here are NumPy arrays, such as those of an `Evaluation`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import check_integers, check_number, check_whole
from ..errors import UserError
from ..losses import log_softmax


def accuracy_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval (low, high) for a classifier's true accuracy, given `correct` of `total` test images.

    It contains the accuracies p from which correct / total is at most z standard deviations, sqrt(p (1 - p) / total),
    away. For z = 1.96 about 95 of 100 such intervals contain the true accuracy.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    check_whole("total", total)
    check_whole("correct", correct, 0, total)
    check_number("z", z, above=0)
    q, spread = correct / total, z * z / total
    half = math.sqrt(q * (1 - q) * spread + spread * spread / 4)
    low, high = (q + spread / 2 - half) / (1 + spread), (q + spread / 2 + half) / (1 + spread)
    return max(0.0, low), min(1.0, high)


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """The two-sided p-value of McNemar's exact test: are two classifiers equally accurate?

    `right_a` and `right_b` (N,) bool say for the same N images whether each classifier is right. If the two are equally
    accurate, an image that only one of them gets right is as likely to be A's as B's.

    Source: McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages".
    Raises UserError for arrays that are not bool, or not of the same N images.
    """
    right_a, right_b = np.asarray(right_a), np.asarray(right_b)
    if right_a.shape != right_b.shape or right_a.ndim != 1 or right_a.dtype != bool or right_b.dtype != bool:
        raise UserError(
            f"right_a and right_b must be bool (N,), of the same N images, got {right_a.dtype} {right_a.shape} and "
            f"{right_b.dtype} {right_b.shape}"
        )
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n = only_a + only_b
    ways = math.fsum(math.comb(n, k) / 2**n for k in range(min(only_a, only_b) + 1))  # whole numbers do not overflow
    return min(1.0, 2 * ways)


@dataclass(frozen=True)
class Reliability:
    """Confidence and accuracy by interval of confidence, for the intervals that contain images."""

    share: np.ndarray  #: of the images
    confidence: np.ndarray  #: mean
    accuracy: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean of |accuracy - confidence|, weighted by the share of the images."""
        return float((self.share * abs(self.accuracy - self.confidence)).sum())


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> Reliability:
    """Confidence against accuracy, for probabilities (N, classes) and labels (N,), in `bins` intervals of equal length.

    The right end belongs to an interval. Source: Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural
    Networks", section 2.
    """
    check_integers("labels", labels, probabilities.shape[:1])
    check_whole("bins", bins)
    confidence, right = probabilities.max(1).astype(np.float64), probabilities.argmax(1) == labels
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(number, minlength=bins)
    filled = count > 0
    sums = (np.bincount(number, values, minlength=bins)[filled] for values in (confidence, right))
    return Reliability(count[filled] / len(labels), *(total / count[filled] for total in sums))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature T from 0.05 to 20, to within 1 %, with the lowest cross-entropy of softmax(logits / T).

    Source: Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", section 4.2.
    """
    check_integers("labels", labels, logits.shape[:1])
    rows, temperatures = np.arange(len(labels)), np.geomspace(0.05, 20, 601)  # 1 % from one to the next
    losses = [-float(log_softmax(logits / t)[rows, labels].mean()) for t in temperatures]
    return float(temperatures[np.argmin(losses)])
