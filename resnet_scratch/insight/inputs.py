"""Change the image instead of the weights: images that fool a network, and images that excite it.

Both take the gradient of a number at the end of the network with respect to the pixels, in evaluation mode. Images
are normalised, as the network takes them.
"""

from __future__ import annotations

from ..checks import check_number, check_whole
from ..compute.backend import Array, array_module
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from .saliency import one_hot


def fgsm(model: Layer, images: Array, labels: Array, epsilon: float | Array) -> Array:
    """The fast gradient sign method: images + epsilon * sign(d loss / d images), for images (N, H, W, C).

    Every number moves by `epsilon`, up or down, so that the cross-entropy with the `labels` (N,) grows. `epsilon` is a
    number, or one for each channel (C,).

    Source: Goodfellow, Shlens and Szegedy 2015, "Explaining and Harnessing Adversarial Examples", section 4.
    """
    logits, cache = model.forward(images)
    slope = model.backward(softmax_cross_entropy(logits, labels)[1], cache)
    sign = (slope > 0).astype(images.dtype) - (slope < 0).astype(images.dtype)
    return images + (array_module(images).asarray(epsilon) * sign).astype(images.dtype)


def class_images(
    model: Layer, start: Array, classes: Array, steps: int = 100, learning_rate: float = 1.0, decay: float = 0.01
) -> Array:
    """Gradient ascent on the pixels: images (N, H, W, C) for which the logits of the `classes` (N,) are large.

    Each step adds learning_rate * (d logit / d image - 2 * decay * image), which climbs logit - decay * |image|^2.
    Raises ValueError for classes that do not exist.

    Source: Simonyan, Vedaldi and Zisserman 2014, "Deep Inside Convolutional Networks", section 2.
    """
    check_whole("steps", steps, 0)
    check_number("learning_rate", learning_rate, above=0)
    check_number("decay", decay, at_least=0)
    learning_rate, decay = float(learning_rate), float(decay)  # a NumPy float64 would turn the images into float64
    images = start
    for _ in range(steps):
        logits, cache = model.forward(images)
        slope = model.backward(one_hot(logits, classes), cache)
        images = images + learning_rate * (slope - 2 * decay * images)
    return images
