"""Wrong answers that people give to the tasks of tutorial 10, and a word of what each must be told."""

from __future__ import annotations

import math

import numpy as np

from resnet_scratch.exercises import ch10_cifar10 as tasks


def simple_interval(correct, total, z=1.96):
    q = correct / total
    half = z * math.sqrt(q * (1 - q) / total)
    return q - half, q + half


def no_square(correct, total, z=1.96):
    low, high = tasks.accuracy_interval(correct, total, math.sqrt(z))
    return low, high


def counted_once(labels, predictions, classes):
    counts = np.zeros((classes, classes), int)
    counts[labels, predictions] += 1
    return counts


def seen_classes_only(labels, predictions, classes):
    return tasks.confusion_counts(labels, predictions, 1 + max(labels.max(), predictions.max()))


def right_ones_too(probabilities, labels, count):
    return np.argsort(-probabilities.max(1))[:count]


def least_sure(probabilities, labels, count):
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    return wrong[np.argsort(probabilities[wrong].max(1))][:count]


def by_true_class(probabilities, labels, count):
    wrong = np.flatnonzero(probabilities.argmax(1) != labels)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]], kind="stable")][:count]


def calibration(weighted=True, absolute=True, confidence=lambda p: p.max(1), last=0):
    def answer(probabilities, labels, bins=15):
        c, right = confidence(probabilities), probabilities.argmax(1) == labels
        error = 0.0
        for k in range(bins):
            inside = (np.ceil(c * bins) - 1 == k) if last == 0 else (np.floor(c * bins) == k)
            if inside.any():
                gap = right[inside].mean() - c[inside].mean()
                error += (inside.mean() if weighted else 1 / bins) * (abs(gap) if absolute else gap)
        return abs(error)

    return answer


RIGHT: list = []

WRONG = [
    ("10.1", simple_interval, "simple"),
    ("10.1", no_square, "does not solve"),
    ("10.1", lambda correct, total, z=1.96: tasks.accuracy_interval(correct, total, z)[::-1], "below high"),
    ("10.2", lambda t, p, classes: tasks.confusion_counts(p, t, classes), "swapped"),
    ("10.2", counted_once, "counted once"),
    ("10.2", seen_classes_only, r"must be \(5, 5\)"),
    ("10.3", right_ones_too, "is classified rightly"),
    ("10.3", least_sure, "least sure first"),
    ("10.3", by_true_class, "improbable the true class"),
    ("10.4", calibration(weighted=False), "share of the images"),
    ("10.4", calibration(absolute=False), "make up for"),
    ("10.4", calibration(last=1), "fell into no bin"),
    ("10.4", calibration(confidence=lambda p: p[:, 1]), "predicted class alone"),
    ("10.5", lambda logits, labels: 1 / tasks.fit_temperature(logits, labels), "one over the temperature"),
    ("10.5", lambda logits, labels: 1.0, "Accuracy cannot choose"),
    ("10.5", lambda logits, labels: -2.0, "above 0"),
]
