"""Wrong answers that people give to the tasks of tutorial 11, and a word of what each must be told."""

from __future__ import annotations

import numpy as np

from resnet_scratch.losses import softmax_cross_entropy


def saliency(training=False, start="logit", reduce=lambda g: np.abs(g).max(-1)):
    def answer(model, image, label):
        logits, cache = model.forward(image[None], training)
        if start == "loss":
            grad = softmax_cross_entropy(logits, np.array([label]))[1]
        elif start == "all":
            grad = np.ones_like(logits)
        else:
            grad = np.eye(logits.shape[1])[[label]]
        return reduce(model.backward(grad, cache)[0])

    return answer


def heat(relu=True, scale=True):
    def answer(features, weights):
        values = features @ weights
        values = np.maximum(values, 0) if relu else values
        return values / values.max() if scale else values

    return answer


def stretched(features, weights):
    values = features @ weights
    return (values - values.min()) / (values.max() - values.min())


def occlusion(sign=1, fresh=True, filled=True, difference=True, in_place=False):
    def answer(score, image, size, fill):
        rows, columns = image.shape[0] // size, image.shape[1] // size
        result, whole, copy = np.empty((rows, columns)), score(image[None])[0], image.copy()
        for row, column in np.ndindex(rows, columns):
            copy = image if in_place else image.copy() if fresh else copy
            copy[row * size : (row + 1) * size, column * size : (column + 1) * size] = fill if filled else 0
            covered = score(copy[None])[0]
            result[row, column] = sign * (whole - covered) if difference else covered
        return result

    return answer


RIGHT: list = []

WRONG = [
    ("11.1", lambda w: (w - w.min()) / (w.max() - w.min() or 1), "must become 0.5"),
    ("11.1", lambda w: 0.5 + 0.5 * w / np.abs(w).max(), "zeros is grey"),
    ("11.1", lambda w: w / (np.abs(w).max() or 1), "must become 0.5"),
    ("11.1", lambda w: 0.5 + w / (np.abs(w).max() or 1), "must become"),
    ("11.2", saliency(training=True), "evaluation mode"),
    ("11.2", saliency(start="loss"), "gradient of the loss"),
    ("11.2", saliency(start="all"), "sum of all logits"),
    ("11.2", saliency(reduce=lambda g: np.abs(g).sum(-1)), "sum over the channels"),
    ("11.2", saliency(reduce=lambda g: g.max(-1)), "absolute value"),
    ("11.2", saliency(reduce=lambda g: g), r"must be \(8, 6\)"),
    ("11.2", saliency(reduce=lambda g: np.abs(g).max(-1) / np.abs(g).max()), "at row"),
    ("11.3", heat(relu=False), "negative"),
    ("11.3", heat(scale=False), "not scaled"),
    ("11.3", heat(), "divides by zero"),
    ("11.3", stretched, "stretched"),
    ("11.4", occlusion(sign=-1), "other way round"),
    ("11.4", occlusion(fresh=False), "add up"),
    ("11.4", occlusion(filled=False), "not to fill"),
    ("11.4", occlusion(difference=False), "scores of the covered"),
    ("11.4", occlusion(in_place=True), "was changed"),
]
