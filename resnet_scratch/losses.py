"""The loss: how far the network's answer is from the label, and the gradient with which backward begins."""

from __future__ import annotations

import numpy as np

from .compute.backend import Array, array_module
from .compute.batch import Sum, over_batch


def log_softmax(logits: Array) -> Array:
    """log(exp(logits) / sum(exp(logits))) along the last axis. Subtracting the largest logit first changes nothing, but
    keeps exp from overflowing, whatever the size of the logits."""
    xp = array_module(logits)
    shifted = logits - logits.max(-1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(-1, keepdims=True))


def softmax(logits: Array) -> Array:
    """The probabilities exp(logits) / sum(exp(logits)) along the last axis."""
    return array_module(logits).exp(log_softmax(logits))


def softmax_cross_entropy(logits: Array, labels: Array, label_smoothing: float = 0.0) -> tuple[Array, Array]:
    """The mean over the batch of -sum_k q_k log p_k, and its gradient with respect to the logits, (p - q) / N.

    `logits` (N, classes) and integer `labels` (N,) give a loss of shape () and a gradient (N, classes). p is the
    softmax of the logits; q is 1 - label_smoothing on the label plus label_smoothing / classes on every class.

    Source: Goodfellow, Bengio and Courville 2016, "Deep Learning", section 6.2.2.3; label smoothing from Szegedy et
    al. 2015, "Rethinking the Inception Architecture", section 7.
    Raises ValueError for shapes that do not fit, labels that are no integers, or a smoothing outside 0 to 1; labels
    are checked against the number of classes on the CPU only, where looking at them does not stall anything.
    """
    xp = array_module(logits)
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or len(labels) == 0:
        raise ValueError(f"logits (N, classes) and labels (N,) do not fit: got {logits.shape} and {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, got {labels.dtype}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be between 0 and 1, got {label_smoothing}")
    N, classes = logits.shape
    if isinstance(labels, np.ndarray) and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(f"labels must be 0 to {classes - 1}, got {labels.min()} to {labels.max()}")

    def kernel(logits: Array, labels: Array) -> tuple[Sum, Array]:
        log_p = log_softmax(logits)
        q = xp.full(logits.shape, label_smoothing / classes, logits.dtype)
        q[xp.arange(len(labels)), labels] += 1 - label_smoothing
        return Sum(-(q * log_p).sum() / N), (xp.exp(log_p) - q) / N

    return over_batch(kernel, logits, labels)
