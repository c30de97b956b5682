"""Which part of an image a prediction depends on: the gradient with respect to the pixels, Grad-CAM, and occlusion.

The first two start a backward pass at the logit of one class, with the network in evaluation mode. Images are
normalised, as the network takes them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..checks import check_whole
from ..compute.backend import Array, array_module, to_numpy
from ..layers import Sequential
from ..layers.layer import Layer


def saliency(model: Layer, images: Array, classes: Array | None = None) -> Array:
    """|d logit / d pixel|, the largest over the channels: (N, H, W) for images (N, H, W, C).

    `classes` (N,) says which class's logit to take for each image; None takes the predicted class. Raises ValueError
    for classes that do not exist.

    Source: Simonyan, Vedaldi and Zisserman 2014, "Deep Inside Convolutional Networks", section 3.
    """
    logits, cache = model.forward(images)
    return abs(model.backward(one_hot(logits, classes), cache)).max(3)


def grad_cam(model: Sequential, images: Array, layer: str = "layer3", classes: Array | None = None) -> Array:
    """Grad-CAM: maps (N, H, W) from 0 to 1. 1 is the strongest evidence for the class, 0 is none.

    `layer` is the name of one of `model`'s direct layers, such as a ResNet's stage "layer3", with the output
    A (N, h, w, K). Each of its K maps is weighted by the mean of d logit / dA over all positions (equation 1). The ReLU
    of the weighted sum (equation 2) is scaled to a maximum of 1 and interpolated to the size of the images.

    Raises ValueError when there is no such layer, or its output is not (N, h, w, K), or a class does not exist.

    Source: Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
    section 3.
    """
    children = list(model.children())
    names = [name for name, _ in children]
    if layer not in names:
        raise ValueError(f"layer must be one of {', '.join(names)}, got {layer!r}")
    first, rest = children[: names.index(layer) + 1], children[names.index(layer) + 1 :]
    features = images
    for _, child in first:
        features = child(features)
    if features.ndim != 4:
        raise ValueError(f"layer must have an output (N, h, w, K); that of {layer!r} is {features.shape}")
    logits, caches = features, []
    for _, child in rest:
        logits, cache = child.forward(logits)
        caches.append(cache)
    gradient = one_hot(logits, classes)
    for (_, child), cache in zip(reversed(rest), reversed(caches)):
        gradient = child.backward(gradient, cache)
    xp = array_module(features)
    weights = gradient.mean((1, 2), keepdims=True)  # (N, 1, 1, K)
    heat = xp.maximum((features * weights).sum(3), 0)  # (N, h, w)
    heat = heat / xp.maximum(heat.max((1, 2), keepdims=True), np.finfo(np.float32).tiny)
    N, H, W, _ = images.shape
    rows, columns = (xp.asarray(_interpolation(new, old)) for new, old in ((H, heat.shape[1]), (W, heat.shape[2])))
    return (rows @ heat @ columns.T).astype(images.dtype)


def occlusion_map(score: Callable[[Array], Array], image: Array, size: int, fill: float = 0.0) -> Array:
    """By how much the score falls when a square of the image (H, W, C) is set to `fill`: (H // size, W // size).

    `score` takes images (N, H, W, C) and returns N numbers. The squares of `size` pixels lie side by side; what is left
    over at the right and at the bottom is never covered.

    Source: Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2.
    """
    check_whole("size", size, 1, min(image.shape[:2]))
    rows, columns = image.shape[0] // size, image.shape[1] // size
    covered = image[None].repeat(rows * columns, axis=0)
    for k in range(rows * columns):
        row, column = size * (k // columns), size * (k % columns)
        covered[k, row : row + size, column : column + size] = fill
    return (score(image[None])[0] - score(covered)).reshape(rows, columns)


def one_hot(logits: Array, classes: Array | None) -> Array:
    """The gradient of the chosen logits with respect to all logits: (N, classes).

    `classes` (N,) chooses a logit of each image; None takes the largest. Raises ValueError for other shapes or numbers.
    """
    xp, (N, K) = array_module(logits), logits.shape
    chosen = to_numpy(logits.argmax(1) if classes is None else xp.asarray(classes))
    if chosen.shape != (N,) or chosen.dtype.kind not in "iu" or not ((0 <= chosen) & (chosen < K)).all():
        raise ValueError(f"classes must be {N} integers from 0 to {K - 1}, got {classes!r}")
    one_hot = np.zeros((N, K), logits.dtype)
    one_hot[np.arange(N), chosen] = 1
    return xp.asarray(one_hot)


def _interpolation(new: int, old: int) -> np.ndarray:
    """The matrix (new, old) of linear interpolation between the centres of pixels; constant outside the outermost."""
    positions = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - abs(positions[:, None] - np.arange(old))).astype(np.float32)
