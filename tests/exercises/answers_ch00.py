"""Wrong answers that people give to the tasks of tutorial 00, and a word of what each must be told."""

import numpy as np


def changes_x(x):
    x[x < 0] = 0
    return x


def changes_grad(grad_y, x):
    grad_y *= x > 0
    return grad_y


RIGHT: list = []

WRONG = [
    ("0.1", lambda x: np.max(x), "np.maximum"),
    ("0.1", abs, "do not change sign"),
    ("0.1", changes_x, "x was changed"),
    ("0.1", lambda x: np.maximum(x, np.zeros(x.shape)), "float32 went in"),
    ("0.1", lambda x: np.minimum(x, 0), "relu of"),
    ("0.2", lambda grad_y, x: np.maximum(grad_y, 0), "relu of the gradient"),
    ("0.2", lambda grad_y, x: (x > 0).astype(float), "chain rule"),
    ("0.2", changes_grad, "changed in place"),
    ("0.2", lambda grad_y, x: grad_y * (x >= 0), "exactly 0"),
    ("0.2", lambda grad_y, x: grad_y, "exactly 0"),
    ("0.3", lambda logits, labels: (logits.argmax(0)[:1] == labels).mean(), "axis=1"),
    ("0.3", lambda logits, labels: (logits.argmax(1) == labels).sum(), "not the count"),
    ("0.3", lambda logits, labels: logits.argmax(1) == labels, "take the mean"),
]
