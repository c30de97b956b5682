"""Answers to the tasks of tutorial 00: right ones, and wrong ones with a word of what each must be told."""

import numpy as np


def changes_x(x):
    x[x < 0] = 0
    return x


def changes_grad(grad_y, x):
    grad_y *= x > 0
    return grad_y


def by_mask(x):
    y = x.copy()
    y[y < 0] = 0
    return y


def relu_in_two_loops(x):
    y = np.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if x[i, j] > 0:
                y[i, j] = x[i, j]
    return y


def in_rows(grad_y, x):
    return np.reshape([g if v > 0 else 0 for g, v in zip(grad_y.flat, x.flat)], (len(x), -1))


def with_loops(logits, labels):
    right = 0
    for row, label in zip(logits.tolist(), labels.tolist()):
        right += row.index(max(row)) == label
    return right / len(labels)


RIGHT = [
    ("0.1", by_mask),
    ("0.1", lambda x: x * (x > 0)),
    ("0.1", lambda x: np.where(x > 0, x, 0)),
    ("0.1", lambda x: (x + abs(x)) / 2),
    ("0.2", lambda grad_y, x: np.where(x > 0, grad_y, 0)),
    ("0.2", lambda grad_y, x: grad_y * (np.sign(x) == 1)),
    ("0.2", lambda grad_y, x: np.where(x > 0, grad_y, 0).tolist()),
    ("0.3", with_loops),
    ("0.3", lambda logits, labels: np.count_nonzero(np.argmax(logits, 1) == labels) / labels.size),
    ("0.3", lambda logits, labels: np.mean(logits[np.arange(len(labels)), labels] == logits.max(1))),
]

WRONG = [
    ("0.1", lambda x: np.max(x), "np.maximum"),
    ("0.1", abs, "do not change sign"),
    ("0.1", changes_x, "x was changed"),
    ("0.1", lambda x: np.maximum(x, np.zeros(x.shape)), "float32 went in"),
    ("0.1", lambda x: np.minimum(x, 0), "relu of"),
    ("0.1", relu_in_two_loops, "images"),
    ("0.2", lambda grad_y, x: np.maximum(grad_y, 0), "relu of the gradient"),
    ("0.2", lambda grad_y, x: (x > 0).astype(float), "chain rule"),
    ("0.2", changes_grad, "changed in place"),
    ("0.2", lambda grad_y, x: grad_y * (x >= 0), "exactly 0"),
    ("0.2", lambda grad_y, x: grad_y, "does not depend on x"),
    ("0.2", lambda grad_y, x: [[g if v > 0 else 0 for g, v in zip(*rows)] for rows in zip(grad_y, x)], "images"),
    ("0.2", in_rows, "images .*: the result must have the shape"),
    ("0.3", lambda logits, labels: (logits.argmax(0) == labels).mean(), "axis=1"),
    ("0.3", lambda logits, labels: (logits.argmax(1) == labels).sum(), "not the count"),
    ("0.3", lambda logits, labels: logits.argmax(1) == labels, "take the mean"),
    ("0.3", lambda logits, labels: (logits.argmax(1) == labels).sum() / logits.shape[1], "not of classes"),
]
