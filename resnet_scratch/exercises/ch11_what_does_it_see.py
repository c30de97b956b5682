"""Exercises of tutorial 11: what a trained network looks at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers.layer import Layer
from ..losses import softmax_cross_entropy


def saliency_map(model: Layer, image: np.ndarray, label: int) -> np.ndarray:
    """Task 11.1 (**, 15 minutes): a saliency map

    TODO: `image` is one normalised image (H, W, 3). Return (H, W): for each pixel the largest, over its three channels,
        of |d logit / d number|, where the logit is that of the class `label`. Run the network in evaluation mode.
    QUESTION: `model.backward` takes the gradient with respect to the logits. What is the gradient of one of the logits
        with respect to all of them?
    POINTER: It is 1 for that class and 0 for the others. `image[None]` is a batch of one, and `np.zeros_like(logits)`
        has the right shape and dtype. `model.forward` returns (logits, cache).
    """
    ### BEGIN SOLUTION
    logits, cache = model.forward(image[None], training=False)
    grad_logits = np.zeros_like(logits)
    grad_logits[0, label] = 1
    return np.abs(model.backward(grad_logits, cache)[0]).max(-1)
    ### END SOLUTION


def class_activation_map(features: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
    """Task 11.2 (*, 10 minutes): where in the image is the evidence for a class? (class activation map)

    TODO: `features` (H, W, C) is the input of the global average pooling, and `class_weights` (C,) is the column of the
        last linear layer that belongs to the class. Return (H, W): at each position the sum over the channels of weight
        times feature, with negative values set to zero, scaled so that the largest value is 1. If nothing is positive,
        return zeros.
    QUESTION: Which matrix product is a weighted sum over the last axis?
    POINTER: `features @ class_weights`. Divide by the maximum only if it is not 0.
    """
    ### BEGIN SOLUTION
    heat = np.maximum(features @ class_weights, 0)
    return heat / heat.max() if heat.max() > 0 else heat
    ### END SOLUTION


def cost_of_covering(
    score: Callable[[np.ndarray], np.ndarray], image: np.ndarray, size: int, fill: float
) -> np.ndarray:
    """Task 11.3 (**, 15 minutes): what does it cost to cover a part of the image? (occlusion map)

    TODO: Divide the image (H, W, 3) into squares of `size` x `size` pixels, side by side from the top left corner; H
        and W are multiples of `size`. Return (H // size, W // size): by how much the score falls when that square alone
        is set to `fill`. `score` takes images (N, H, W, 3) and returns N numbers. Do not change `image`.
    QUESTION: How do you make sure that only one square is covered at a time?
    POINTER: Take a fresh copy of the image for each square. All copies can go through `score` as one batch;
        `image[None]` is a batch of one image. The fall is the score of the image minus that of the copy, so it is
        positive where covering hurts.
    """
    ### BEGIN SOLUTION
    rows, columns = image.shape[0] // size, image.shape[1] // size
    covered = np.repeat(image[None], rows * columns, axis=0)
    for k, copy in enumerate(covered):
        row, column = divmod(k, columns)
        copy[row * size : (row + 1) * size, column * size : (column + 1) * size] = fill
    return (score(image[None])[0] - score(covered)).reshape(rows, columns)
    ### END SOLUTION


def fooling_image(model: Layer, image: np.ndarray, label: int, epsilon: float) -> np.ndarray:
    """Task 11.4 (**, 15 minutes): an image that fools the network (fast gradient sign method)

    TODO: `image` (H, W, 3) is normalised and of the class `label`. Return an image of the same shape in which every
        number has moved by exactly `epsilon`, up or down, such that the cross-entropy loss grows as fast as possible.
        (Where the gradient is exactly 0, leave the number alone.) Use evaluation mode, and do not change `image`.
    QUESTION: To first order the loss changes by the sum of gradient times movement. If each movement is +epsilon or
        -epsilon, which makes the sum largest?
    POINTER: The one with the sign of the gradient: `np.sign`. `softmax_cross_entropy(logits, labels)` returns the loss
        and the gradient with respect to the logits, for a batch; `model.backward` takes that to the image.
    """
    ### BEGIN SOLUTION
    logits, cache = model.forward(image[None], training=False)
    _, grad_logits = softmax_cross_entropy(logits, np.array([label]))
    return image + epsilon * np.sign(model.backward(grad_logits, cache)[0])
    ### END SOLUTION


def class_image(
    model: Layer, label: int, start: np.ndarray, steps: int, learning_rate: float, decay: float
) -> np.ndarray:
    """Task 11.5 (**, 20 minutes): an image that a class likes best (gradient ascent)

    TODO: Begin with the image `start` (H, W, 3), and take `steps` steps of gradient ascent, each of `learning_rate`
        times the gradient, on the function logit - decay * (the sum of the squares of the image's numbers). The logit
        is that of the class `label`, in evaluation mode. Return the image, and do not change `start`.
    QUESTION: What is the gradient of the second term, and which way do you go to make a function larger?
    POINTER: 2 * decay * image, with a minus in front. Ascent adds the gradient. The gradient of the logit is that of
        the saliency map, before the absolute value; it must be computed anew in each step.
    """
    ### BEGIN SOLUTION
    image = start
    for _ in range(steps):
        logits, cache = model.forward(image[None], training=False)
        grad_logits = np.zeros_like(logits)
        grad_logits[0, label] = 1
        image = image + learning_rate * (model.backward(grad_logits, cache)[0] - 2 * decay * image)
    return image
    ### END SOLUTION
