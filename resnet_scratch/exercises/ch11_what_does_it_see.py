"""Exercises of tutorial 11: what a trained network looks at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..layers.layer import Layer


def filter_picture(weight: np.ndarray) -> np.ndarray:
    """Task 11.1 (**, 15 minutes): a filter of the first layer as a picture.

    TODO: `weight` (KH, KW, 3) is one filter, with positive and negative numbers. Return an array of the same shape with
        values in 0..1: a weight of zero becomes 0.5, the weight that is largest in size becomes 0 or 1.
    QUESTION: scaling minimum to 0 and maximum to 1 would move the zero, and then you could not see what is positive.
    POINTER: 1. Find the largest absolute value. 2. Divide by it: now all is in -1..1. 3. Bring that to 0..1, zero to
        the middle. 4. A filter of zeros is grey all over, not a division by zero.
    """
    ### BEGIN SOLUTION
    largest = np.abs(weight).max()
    return 0.5 + 0.5 * weight / (largest if largest > 0 else 1)
    ### END SOLUTION


def saliency_map(model: Layer, image: np.ndarray, label: int) -> np.ndarray:
    """Task 11.2 (**, 15 minutes): a saliency map (Simonyan, Vedaldi and Zisserman 2013, section 3)

    TODO: `image` is one normalised image (H, W, 3). Return (H, W): for each pixel the largest, over its three channels,
        of |d logit_label / d value|.
    QUESTION: `image[None]` is a batch of one; `np.zeros_like(logits)` has the right shape and dtype.
    POINTER: 1. Make a batch of one and run `model.forward` in evaluation mode: (logits, cache). 2. The gradient at the
        logits is 1 for the class `label` and 0 elsewhere: it is the logit that is derived, not the loss.
        3. `model.backward` takes that to the gradient at the image. 4. Absolute value, largest over the channels.
    """
    ### BEGIN SOLUTION
    logits, cache = model.forward(image[None], training=False)
    grad_logits = np.zeros_like(logits)
    grad_logits[0, label] = 1
    return np.abs(model.backward(grad_logits, cache)[0]).max(-1)
    ### END SOLUTION


def class_activation_map(features: np.ndarray, class_weights: np.ndarray) -> np.ndarray:
    """Task 11.3 (**, 15 minutes): where in the image a class is seen (Zhou et al. 2016, equation 2).

    TODO: `features` (H, W, C) is what enters the global average pooling, `class_weights` (C,) the column of the last
        linear layer that belongs to the class. Return (H, W): the sum over the channels of weight times feature,
        negative values set to zero, scaled so that the largest value is 1 (all zeros stay zeros).
    QUESTION: `features @ class_weights`.
    POINTER: 1. A weighted sum over the last axis: a matrix product. 2. ReLU. 3. Divide by the maximum, if it is not 0.
    """
    ### BEGIN SOLUTION
    heat = np.maximum(features @ class_weights, 0)
    return heat / heat.max() if heat.max() > 0 else heat
    ### END SOLUTION


def occlusion_map(score: Callable[[np.ndarray], np.ndarray], image: np.ndarray, size: int, fill: float) -> np.ndarray:
    """Task 11.4 (**, 15 minutes): an occlusion map (Zeiler and Fergus 2014, section 4.2)

    TODO: cut the image (H, W, 3) into squares of `size` x `size` pixels, side by side from the top left corner; H and W
        are multiples of `size`. Return (H // size, W // size): by how much the score falls when that square is set to
        `fill` and everything else is left. `score` takes images (N, H, W, 3) and returns N numbers.
    QUESTION: all copies can go through `score` as one batch; forget `.copy()` and the squares add up.
    POINTER: 1. The score of the whole image. 2. For each square: a copy of the image with the square filled. 3. The
        score of the copy; store the difference, positive where covering makes the score fall.
    """
    ### BEGIN SOLUTION
    rows, columns = image.shape[0] // size, image.shape[1] // size
    covered = np.repeat(image[None], rows * columns, axis=0)
    for k, copy in enumerate(covered):
        row, column = divmod(k, columns)
        copy[row * size : (row + 1) * size, column * size : (column + 1) * size] = fill
    return (score(image[None])[0] - score(covered)).reshape(rows, columns)
    ### END SOLUTION
