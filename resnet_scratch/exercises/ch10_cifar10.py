"""Exercises of tutorial 10: what a test result says, and what it does not."""

from __future__ import annotations

import math

import numpy as np

from ..losses import log_softmax


def accuracy_interval(correct: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Task 10.1 (**, 15 minutes): how sure an accuracy is, measured on a limited number of images (Wilson's interval).

    TODO: `correct` of `total` test images were right. Return (low, high), the accuracies p for which this result is
        not further than z standard deviations from what was to be expected: the two solutions p of
        (correct / total - p)^2 = z^2 * p * (1 - p) / total.
    QUESTION: for 5 of 10 the interval is about 0.237 to 0.763; for 10 of 10 it does not end in a point.
    POINTER: 1. With q = correct / total and n = total, the solutions are
        (q + z^2 / 2n +- z * sqrt(q * (1 - q) / n + z^2 / 4n^2)) / (1 + z^2 / n). 2. Write it down; the smaller first.
    """
    ### BEGIN SOLUTION
    q, n = correct / total, total
    middle, half = q + z**2 / (2 * n), z * math.sqrt(q * (1 - q) / n + z**2 / (4 * n**2))
    return (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)
    ### END SOLUTION


def confusion_counts(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Task 10.2 (**, 15 minutes): the confusion matrix.

    TODO: return an integer array (classes, classes) whose row t, column p counts the images of true class t that were
        predicted as p. `labels` and `predictions` are (N,) integers.
    QUESTION: `counts[labels, predictions] += 1` adds only once where a pair occurs several times; `np.add.at`, or
        `np.bincount` of labels * classes + predictions, counts them all.
    POINTER: 1. Start with zeros. 2. For every image add one in the row of its label, the column of its prediction.
    """
    ### BEGIN SOLUTION
    return np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, classes)
    ### END SOLUTION


def worst_mistakes(probabilities: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Task 10.3 (**, 15 minutes): the images on which the network is wrong, and most sure of it.

    TODO: return the indices of at most `count` wrongly classified images, the one with the greatest confidence first.
        `probabilities` is (N, classes), `labels` (N,); the confidence is the probability of the predicted class.
    QUESTION: `np.flatnonzero` gives the indices where something is true; sort by the negative confidence.
    POINTER: 1. The prediction of each image is its most probable class. 2. Keep the indices where that is not the
        label. 3. Sort these by confidence, downwards. 4. Take the first `count`.
    """
    ### BEGIN SOLUTION
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(1), kind="stable")][:count]
    ### END SOLUTION


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> float:
    """Task 10.4 (**, 15 minutes): how far confidence and accuracy are apart (Guo et al. 2017, section 2).

    TODO: cut 0..1 into `bins` intervals of one length, the right end belonging to each. Put every image into the one
        that its confidence, the probability of its predicted class, falls into. Return the sum over the intervals of
        (share of the images in it) * |accuracy in it - mean confidence in it|.
    QUESTION: a network that is right on 80 % of the images on which it says 0.8, and so for every number, has error 0.
    POINTER: 1. Confidence and correctness of each image. 2. The number of its interval:
        ceil(confidence * bins) - 1. 3. For each interval that is not empty: share, accuracy, mean confidence. 4. Sum.
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
    """Task 10.5 (**, 15 minutes): temperature scaling (Guo et al. 2017, section 4.2)

    TODO: return the temperature T > 0 for which the mean cross-entropy of softmax(logits / T) with the labels is
        smallest, to within 1 %. It lies between 0.05 and 20.
    QUESTION: `log_softmax(logits / T)[np.arange(N), labels]` are the log-probabilities of the true classes.
    POINTER: 1. Write a function of T that gives the mean cross-entropy. 2. Try many values of T, evenly spaced in
        log(T), as a temperature of 0.5 is as far from 1 as one of 2. 3. Return the best.
    """
    ### BEGIN SOLUTION
    temperatures = np.geomspace(0.05, 20, 1201)  # 0.5 % from one to the next
    rows = np.arange(len(labels))
    losses = [-log_softmax(logits / temperature)[rows, labels].mean() for temperature in temperatures]
    return float(temperatures[np.argmin(losses)])
    ### END SOLUTION
