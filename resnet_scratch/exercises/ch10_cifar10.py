"""Exercises of tutorial 10: what a test result says, and what it does not."""

from __future__ import annotations

import math

import numpy as np

from ..losses import log_softmax


def accuracy_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Task 10.1 (**, 20 minutes): how sure an accuracy is (Wilson's interval)

    TODO: `correct` of `total` test images were classified correctly. If the true accuracy is p, the measured accuracy
        q = correct / total has the standard deviation sqrt(p * (1 - p) / total). Return (low, high), the two values of
        p for which q is exactly z standard deviations away from p.
    QUESTION: Write the condition as an equation and square it. What kind of equation in p is it? (Why would it be wrong
        to take sqrt(q * (1 - q) / total)? Try it for 10 of 10.)
    POINTER: (q - p)**2 = z**2 * p * (1 - p) / total is quadratic in p. With s = z**2 / total it is
        (1 + s) * p**2 - (2 * q + s) * p + q**2 = 0. For 5 of 10 the solutions are about 0.237 and 0.763.
    """
    ### BEGIN SOLUTION
    q, s = correct / total, z**2 / total
    middle, half = q + s / 2, math.sqrt(s * q * (1 - q) + s**2 / 4)
    return (middle - half) / (1 + s), (middle + half) / (1 + s)
    ### END SOLUTION


def mcnemar(right_a: np.ndarray, right_b: np.ndarray) -> float:
    """Task 10.2 (**, 20 minutes): is one of two classifiers better? (McNemar's exact test)

    TODO: `right_a` and `right_b` (N,) bool say for the same N images whether classifier A and classifier B are right.
        Some images only A gets right, others only B; let n be the number of both kinds together. Suppose that the two
        are equally accurate. Then each of the n images is like the toss of a fair coin. Return the p-value: twice the
        probability that n tosses give at most m heads, but never more than 1; m is the number of images of the rarer
        kind. It must also work for n = 3000. Do not change the arguments.
    QUESTION: What do the images that both classifiers get right, or both get wrong, tell you? And what is the
        probability of exactly k heads in n tosses?
    POINTER: Nothing: leave them out. The probability is math.comb(n, k) / 2**n; add it up for k from 0 to the smaller
        of the two numbers. With Python ints, `math.comb(n, k)` and `2**n` are exact for any n; so convert NumPy's
        counts with `int(...)`. 2.0**n overflows.
    """
    ### BEGIN SOLUTION
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n = only_a + only_b
    ways = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1))
    return min(1.0, 2 * ways / 2**n)
    ### END SOLUTION


def confusion_counts(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Task 10.3 (*, 10 minutes): the confusion matrix

    TODO: Return an integer array (classes, classes). Row t, column p counts the images of the true class t that were
        predicted as p. `labels` and `predictions` (N,) are integers.
    QUESTION: What does `counts[labels, predictions] += 1` do where the same pair occurs twice?
    POINTER: It adds 1 once. A loop over the images counts all, and so does `np.add.at`, or `np.bincount` of
        labels * classes + predictions.
    """
    ### BEGIN SOLUTION
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)
    ### END SOLUTION


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Task 10.4 (**, 20 minutes): how far apart confidence and accuracy are (expected calibration error)

    TODO: Cut 0..1 into `bins` intervals of equal length; the right end of each belongs to it. Sort the images into them
        by confidence, the probability of the predicted class. Return the sum over the intervals of
        (share of all images) * |accuracy - mean confidence|. `probabilities` is (N, classes), `labels` (N,).
    QUESTION: Which interval does a confidence of exactly 1 belong to? What does an interval without images add?
    POINTER: The last one, and nothing. The number of the interval is ceil(confidence * bins) - 1. Loop over the
        intervals, and take the mean of the images in each with a mask.
    """
    ### BEGIN SOLUTION
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    number = np.ceil(confidence * bins) - 1
    error = 0.0
    for k in range(bins):
        inside = number == k
        if inside.any():
            error += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    return float(error)
    ### END SOLUTION


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """Task 10.5 (**, 15 minutes): one number that repairs the confidence (temperature scaling)

    TODO: Return the temperature T > 0 for which the mean cross-entropy of softmax(logits / T) with the labels is
        smallest, to within 1 %. It lies between 0.05 and 20. `logits` is (N, classes), `labels` (N,).
    QUESTION: Why can the accuracy not be used to choose T? Which candidates would you try, if T = 0.5 is as far from 1
        as T = 2?
    POINTER: The largest logit stays the largest, so the accuracy is the same for every T. Try a grid that is even in
        log T (`np.geomspace`). `log_softmax(logits / T)[np.arange(N), labels]` are the log-probabilities of the true
        classes.
    """
    ### BEGIN SOLUTION
    temperatures = np.geomspace(0.05, 20, 1201)  # 0.5 % from one to the next
    rows = np.arange(len(labels))
    losses = [-log_softmax(logits / temperature)[rows, labels].mean() for temperature in temperatures]
    return float(temperatures[np.argmin(losses)])
    ### END SOLUTION
