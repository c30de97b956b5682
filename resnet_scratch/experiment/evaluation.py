"""What a network predicts: for a labelled data set, with loss and accuracy, and for any images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..checks import check_array, check_flag, check_instance, check_integers
from ..compute.backend import Array, array_module, to_numpy, use_device_of
from ..compute.processes import share_out
from ..data import normalise, test_batches
from ..data.dataset import in_colour
from ..errors import UserError
from ..layers.layer import Layer
from ..losses import softmax, softmax_cross_entropy
from .weights import About

BATCH_SIZE = 256  # images: a compromise of speed and memory
PIXELS_AT_ONCE = 2**19  # what `predict` puts through the network at once: 512 images of CIFAR-10's size


@dataclass(frozen=True, repr=False)
class Evaluation:
    """How well a network does on N labelled images."""

    loss: float  #: mean cross-entropy
    accuracy: float  #: 0 to 1
    probabilities: np.ndarray  #: (N, classes) float32
    labels: np.ndarray  #: (N,) the true ones

    @property
    def predictions(self) -> np.ndarray:
        """(N,) the most probable class of each image."""
        return self.probabilities.argmax(1)

    def __repr__(self) -> str:
        """What it comes to, without the arrays."""
        return f"Evaluation(accuracy {self.accuracy:.2%}, loss {self.loss:.4f}, {len(self.labels)} images)"


def evaluate(
    model: Layer,
    images: Array,
    labels: Array,
    mean: np.ndarray,
    std: np.ndarray,
    image_size: int | None = None,
    flip: bool = False,
) -> Evaluation:
    """Loss, accuracy and probabilities for images uint8 (N, H, W, 3) with labels (N,), in evaluation mode.

    Images and labels must be on the model's device; `mean` and `std` (3,) are those of its training images,
    of values scaled to 0..1, as in `Dataset.mean`. The images are resized to `image_size` pixels in height and width;
    None: they keep their size. With `flip`, an image's logits are the means of its own and of those of its mirror
    image: the two make different mistakes (Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional
    Neural Networks", section 4.1, average over flips and crops).
    Raises TypeError for images or labels that are no arrays, and ValueError unless there is a label, an integer, for
    each image.
    """
    check_instance("model", model, Layer)
    check_array("images", images, ("N", "H", "W", 3))
    check_integers("labels", labels, images.shape[:1])
    check_flag("flip", flip)

    def evaluate_from(begin: int) -> tuple[float, np.ndarray]:
        part = slice(begin, begin + BATCH_SIZE)
        [(x, batch_labels)] = test_batches(images[part], labels[part], BATCH_SIZE, mean, std, image_size)
        logits = (model(x) + model(x[:, :, ::-1])) / 2 if flip else model(x)
        return float(softmax_cross_entropy(logits, batch_labels)[0]) * len(x), to_numpy(softmax(logits))

    losses, parts = zip(*share_out(evaluate_from, range(0, len(images), BATCH_SIZE)))
    probabilities, labels = np.concatenate(parts), to_numpy(labels)
    accuracy = float((probabilities.argmax(1) == labels).mean())
    return Evaluation(sum(losses) / len(labels), accuracy, probabilities, labels)


def predict(model: Layer, images: np.ndarray, about: About) -> np.ndarray:
    """Probabilities (N, classes) for images uint8 (N, H, W, 3), or grey ones, (N, H, W) or (N, H, W, 1).

    `about` is from the model's file. Many images are classified in parts, so that memory does not grow with their
    number. Raises UserError for images of another shape or dtype.
    """
    colour = in_colour(images)
    is_one_image = np.ndim(images) == 3 and np.shape(images)[2] in (1, 3)
    if is_one_image or colour.ndim != 4 or colour.shape[3] != 3 or colour.dtype != np.uint8:
        hint = "; a single image is image[None]" if is_one_image else ""
        raise UserError(
            f"images must be (N, H, W, 3) uint8, or grey (N, H, W), got {np.shape(images)} {colour.dtype}{hint}"
        )
    check_array("images", colour)
    weights, at_once = model.parameters()[0].value, images_at_once(colour.shape[1:3])
    use_device_of(weights)  # the images go where the model is

    def predict_from(begin: int) -> np.ndarray:
        part = array_module(weights).asarray(colour[begin : begin + at_once])
        return to_numpy(softmax(model(normalise(part, *about.normalisation()))))

    return np.concatenate([predict_from(begin) for begin in range(0, len(colour), at_once)])


def images_at_once(image_size: tuple[int, ...]) -> int:
    """How many images (H, W) `predict` puts through the network at once."""
    return max(1, PIXELS_AT_ONCE // math.prod(image_size))
