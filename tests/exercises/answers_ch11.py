"""Right answers in several styles to the tasks of tutorial 11, and wrong ones that people give."""

from __future__ import annotations

import numpy as np

from resnet_scratch.exercises import ch11_what_does_it_see as tasks
from resnet_scratch.losses import softmax, softmax_cross_entropy


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


def saliency_of_copies(model, image, label):
    """A batch of three, one gradient for each channel's copy."""
    logits, cache = model.forward(np.stack([image] * 3))
    grad = model.backward(np.tile(np.arange(logits.shape[1]) == label, (3, 1)).astype(logits.dtype), cache)
    return np.maximum.reduce([abs(grad[c, :, :, c]) for c in range(3)])


def saliency_pixel_by_pixel(model, image, label):
    logits, cache = model.forward(image[None], False)
    grad = model.backward(np.eye(logits.shape[1])[label][None], cache)
    return [[max(abs(float(g)) for g in pixel) for pixel in row] for row in grad[0]]


def cam_by_einsum(features, weights):
    heat = np.einsum("ijc,c->ij", features, weights).clip(min=0)
    return heat / max(heat.max(), 1e-300)


def cam_in_a_loop(features, weights):
    heat = sum(weight * features[:, :, c] for c, weight in enumerate(weights))
    heat = np.where(heat > 0, heat, 0.0)
    if heat.any():
        heat /= heat.max()
    return heat


def cam_by_tensordot(features, weights):
    heat = np.tensordot(features, weights, axes=(2, 0))
    largest = max(heat.max(), 0)
    return np.zeros_like(heat) if largest == 0 else np.maximum(heat / largest, 0)


def covering_with_masks(score, image, size, fill):
    rows, columns = image.shape[0] // size, image.shape[1] // size
    masks = np.eye(rows * columns).reshape(-1, rows, columns).repeat(size, 1).repeat(size, 2)[..., None]
    return (score(image[None]) - score(np.where(masks > 0, fill, image))).reshape(rows, columns)


def covering_in_order(score, image, size, fill):
    whole = float(score(image[np.newaxis])[0])
    result = []
    for top in range(0, image.shape[0], size):
        result.append([])
        for left in range(0, image.shape[1], size):
            copy = np.array(image)
            copy[top : top + size, left : left + size, :] = fill
            result[-1].append(whole - float(score(copy[np.newaxis])[0]))
    return np.array(result)


def fooling(start="loss", sign=1, move=np.sign, training=False, add=True):
    def answer(model, image, label, epsilon):
        logits, cache = model.forward(image[None], training)
        one_hot = np.eye(logits.shape[1])[[label]]
        grad = softmax_cross_entropy(logits, np.array([label]))[1] if start == "loss" else one_hot
        return (image if add else 0) + sign * epsilon * move(model.backward(grad, cache)[0])

    return answer


def fooling_with_where(model, image, label, epsilon):
    logits, cache = model.forward(image[None])
    grad_x = model.backward(softmax(logits) - np.eye(logits.shape[1])[label], cache)[0]
    moved = image.copy()
    moved[grad_x > 0] += epsilon
    moved[grad_x < 0] -= epsilon
    return moved


def fooling_by_division(model, image, label, epsilon):
    logits, cache = model.forward(np.expand_dims(image, 0))
    slope = np.squeeze(model.backward(softmax_cross_entropy(logits, np.array([label]))[1], cache), 0)
    return image + epsilon * slope / np.where(slope == 0, 1, abs(slope))


def fooling_down(model, image, label, epsilon):
    """Down the log-probability, with a gradient of its own."""
    logits, cache = model.forward(image[None])
    return image - epsilon * np.sign(model.backward(np.eye(logits.shape[1])[[label]] - softmax(logits), cache)[0])


def fooling_in_place(model, image, label, epsilon):
    image[...] = tasks.fooling_image(model, image, label, epsilon)
    return image


def ascent(sign=1, factor=2, start_with="logit", training=False, anew=True, in_place=False):
    def answer(model, label, start, steps, learning_rate, decay):
        image, slope = start if in_place else start.copy(), None
        for _ in range(steps):
            if slope is None or anew:
                logits, cache = model.forward(image[None], training)
                one_hot = np.eye(logits.shape[1])[[label]]
                slope = model.backward(one_hot if start_with == "logit" else one_hot - softmax(logits), cache)[0]
            image += sign * learning_rate * (slope - factor * decay * image)
        return image

    return answer


def ascent_by_shrinking(model, label, start, steps, learning_rate, decay):
    """The decay as a factor, as in SGD."""
    image = start
    for _ in range(steps):
        logits, cache = model.forward(image[None])
        slope = model.backward((np.arange(logits.shape[1]) == label)[None].astype(float), cache)[0]
        image = (1 - 2 * learning_rate * decay) * image + learning_rate * slope
    return image


def ascent_by_recursion(model, label, start, steps, learning_rate, decay):
    if steps == 0:
        return start
    before = ascent_by_recursion(model, label, start, steps - 1, learning_rate, decay)
    return tasks.class_image(model, label, before, 1, learning_rate, decay)


RIGHT: list = [
    ("11.1", saliency_of_copies),
    ("11.1", saliency_pixel_by_pixel),
    ("11.1", saliency()),
    ("11.2", cam_by_einsum),
    ("11.2", cam_in_a_loop),
    ("11.2", cam_by_tensordot),
    ("11.3", covering_with_masks),
    ("11.3", covering_in_order),
    ("11.3", occlusion()),
    ("11.4", fooling_with_where),
    ("11.4", fooling_by_division),
    ("11.4", fooling_down),
    ("11.5", ascent()),
    ("11.5", ascent_by_shrinking),
    ("11.5", ascent_by_recursion),
]

WRONG = [
    ("11.1", saliency(training=True), "evaluation mode"),
    ("11.1", saliency(start="loss"), "gradient of the loss"),
    ("11.1", saliency(start="all"), "sum of all logits"),
    ("11.1", saliency(reduce=lambda g: np.abs(g).sum(-1)), "sum over the channels"),
    ("11.1", saliency(reduce=lambda g: g.max(-1)), "absolute value"),
    ("11.1", saliency(reduce=lambda g: g), r"must be \(8, 6\)"),
    ("11.1", saliency(reduce=lambda g: np.abs(g).max(-1) / np.abs(g).max()), "at row"),
    ("11.2", heat(relu=False), "negative"),
    ("11.2", heat(scale=False), "not scaled"),
    ("11.2", heat(), "divides by zero"),
    ("11.2", stretched, "stretched"),
    ("11.3", occlusion(sign=-1), "other way round"),
    ("11.3", lambda score, image, size, fill: score(image), "is a batch"),
    ("11.3", occlusion(fresh=False), "add up"),
    ("11.3", occlusion(filled=False), "not to fill"),
    ("11.3", occlusion(difference=False), "scores of the covered"),
    ("11.3", occlusion(in_place=True), "was changed"),
    ("11.4", fooling(sign=-1), "against the gradient"),
    ("11.4", fooling(start="logit"), "raises the logit"),
    ("11.4", fooling(start="logit", sign=-1), "other logits"),
    ("11.4", fooling(move=lambda g: g), "take the sign"),
    ("11.4", fooling(move=lambda g: g / abs(g).max()), "was scaled"),
    ("11.4", fooling(move=lambda g: g / np.linalg.norm(g)), "must become"),
    ("11.4", fooling(training=True), "evaluation mode"),
    ("11.4", fooling(add=False), "add it to the image"),
    ("11.4", fooling_in_place, "was changed"),
    ("11.5", ascent(sign=-1), "go down"),
    ("11.5", ascent(factor=0), "decay is not used"),
    ("11.5", ascent(factor=1), "2 . decay . image"),
    ("11.5", ascent(factor=-2), "subtract it"),
    ("11.5", ascent(start_with="loss"), "log-probability"),
    ("11.5", ascent(training=True), "evaluation mode"),
    ("11.5", ascent(anew=False), "computed anew"),
    ("11.5", ascent(in_place=True), "in place"),
    ("11.5", lambda model, label, start, steps, *rest: tasks.class_image(model, label, start, 1, *rest), "one step"),
]
