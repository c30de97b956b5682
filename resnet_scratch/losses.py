"""The loss: how far the network's answer is from the label, and the gradient with which backward begins."""

from __future__ import annotations

import numpy as np

from .checks import check_floats, check_integers, check_number
from .compute.backend import Array, array_module
from .compute.batch import Sum, over_batch


def log_softmax(logits: Array) -> Array:
    """log(exp(logits) / sum(exp(logits))) along the last axis. Subtracting the largest logit first changes nothing, but
    keeps exp from overflowing, whatever the size of the logits.

    A logit of -inf has probability 0. Where a row holds nan or +inf, or -inf only, nothing is defined: the row is nan.
    """
    check_floats("logits", logits)
    xp = array_module(logits)
    with np.errstate(over="ignore", invalid="ignore"):  # a difference too large for a float is -inf
        shifted = logits - logits.max(-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(-1, keepdims=True))


def softmax(logits: Array) -> Array:
    """The probabilities exp(logits) / sum(exp(logits)) along the last axis."""
    log_p = log_softmax(logits)
    return array_module(log_p).exp(log_p)


def softmax_cross_entropy(logits: Array, labels: Array, label_smoothing: float = 0.0) -> tuple[Array, Array]:
    """The mean over the batch of -sum_k q_k log p_k, and its gradient with respect to the logits, (p - q) / N.

    `logits` (N, classes) and integer `labels` (N,) give a loss of shape () and a gradient (N, classes). p is the
    softmax of the logits; q is 1 - label_smoothing on the label plus label_smoothing / classes on every class; and
    0 log 0 is 0, so that a wrong class may have a logit of -inf. For the true class, -inf makes the loss infinite.

    Source: Goodfellow, Bengio and Courville 2016, "Deep Learning", section 6.2.2.3; label smoothing from Szegedy et
    al. 2015, "Rethinking the Inception Architecture", section 7.
    Raises ValueError for shapes that do not fit, labels that are not integers, or a smoothing outside 0 to 1; labels
    are checked against the number of classes on the CPU only, where looking at them does not stall anything.
    """
    check_floats("logits", logits, ("N", "classes"))
    check_integers("labels", labels, logits.shape[:1])
    check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)
    xp = array_module(logits)
    classes = logits.shape[1]
    if isinstance(labels, np.ndarray) and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(f"labels must be 0 to {classes - 1}, got {labels.min()} to {labels.max()}")

    def kernel(logits: Array, labels: Array) -> tuple[Sum, Array, Sum]:
        log_p = log_softmax(logits)
        q = xp.full(logits.shape, label_smoothing / classes, logits.dtype)
        q[xp.arange(len(labels)), labels] += 1 - label_smoothing
        return Sum(-(q * xp.where(q > 0, log_p, 0)).sum()), xp.exp(log_p) - q, Sum(len(labels))

    loss, grad_logits, N = over_batch(kernel, logits, labels)
    return loss / N, grad_logits / N
