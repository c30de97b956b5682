"""Where in a picture the network finds what it says: the gradient at the pixels, and Grad-CAM.

Both go backward from the logit of one class, through the network in evaluation mode.
"""

from __future__ import annotations

import numpy as np

from ..compute.backend import Array, array_module, to_numpy
from ..layers import Sequential
from ..layers.layer import Layer


def saliency(model: Layer, images: Array, classes: Array | None = None) -> Array:
    """|d logit / d pixel|, the largest over the channels: (N, H, W) for images (N, H, W, C).

    `classes` (N,) says which class's logit is meant for each image; None: the one that the network predicts.

    Source: Simonyan, Vedaldi and Zisserman 2013, "Deep Inside Convolutional Networks", section 3.
    """
    logits, cache = model.forward(images)
    return abs(model.backward(_one_hot(logits, classes), cache)).max(3)


def grad_cam(model: Sequential, images: Array, layer: str = "layer3", classes: Array | None = None) -> Array:
    """Grad-CAM: (N, H, W) from 0 to 1, one for the place that speaks loudest for the class; zero where nothing does.

    `layer` is the name of one of the layers in `model`'s row, a stage of a ResNet such as "layer3", whose output
    A (N, h, w, K) is looked at. Each of its K maps is weighted by the mean of d logit / dA over places (equation 1);
    the weighted sum, without what is below zero (equation 2), is scaled to 1 and interpolated to the images' size.

    Raises ValueError when there is no such layer, or when it does not put out images. Source: Selvaraju et al. 2017,
    "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", section 3.
    """
    children = list(model.children())
    names = [name for name, _ in children]
    if layer not in names:
        raise ValueError(f"layer must be one of {', '.join(names)}, got {layer!r}")
    behind = names.index(layer) + 1
    x, caches = images, []
    for k, (_, child) in enumerate(children):
        x, cache = child.forward(x)
        caches.append(cache)
        if k == behind - 1:
            features = x
    if features.ndim != 4:
        raise ValueError(f"layer must put out images (N, h, w, K); {layer!r} puts out {features.shape}")
    gradient = _one_hot(x, classes)
    for (_, child), cache in zip(reversed(children[behind:]), reversed(caches[behind:])):
        gradient = child.backward(gradient, cache)
    xp = array_module(features)
    weights = gradient.mean((1, 2), keepdims=True)  # (N, 1, 1, K)
    heat = xp.maximum((features * weights).sum(3), 0)  # (N, h, w)
    heat = heat / xp.maximum(heat.max((1, 2), keepdims=True), np.finfo(np.float32).tiny)
    N, H, W, _ = images.shape
    rows, columns = (xp.asarray(_interpolation(new, old)) for new, old in ((H, heat.shape[1]), (W, heat.shape[2])))
    return (rows @ heat @ columns.T).astype(images.dtype)


def _one_hot(logits: Array, classes: Array | None) -> Array:
    """The gradient of the chosen logits at all logits: (N, classes)."""
    N, K = logits.shape
    chosen = to_numpy(logits).argmax(1) if classes is None else np.asarray(classes)
    if chosen.shape != (N,) or chosen.dtype.kind not in "iu" or not ((0 <= chosen) & (chosen < K)).all():
        raise ValueError(f"classes must be {N} whole numbers from 0 to {K - 1}, got {classes!r}")
    one_hot = np.zeros((N, K), logits.dtype)
    one_hot[np.arange(N), chosen] = 1
    return array_module(logits).asarray(one_hot)


def _interpolation(new: int, old: int) -> np.ndarray:
    """The matrix (new, old) that interpolates linearly between the centres of pixels; constant beyond the outermost."""
    places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    return np.maximum(0, 1 - abs(places[:, None] - np.arange(old))).astype(np.float32)
