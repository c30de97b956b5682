"""What a network predicts: for a labelled data set, with loss and accuracy, and for any images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..checks import check_instance
from ..compute.backend import Array, to_device, to_numpy
from ..data import normalise, test_batches
from ..layers.layer import Layer
from ..losses import softmax, softmax_cross_entropy
from .weights import About

BATCH_SIZE = 256  # images: a compromise of speed and memory


@dataclass(frozen=True)
class Evaluation:
    """How well a network does on N labelled images."""

    loss: float  # mean cross-entropy
    accuracy: float  # 0 to 1
    probabilities: np.ndarray  # (N, classes) float32
    labels: np.ndarray  # (N,) the true ones

    @property
    def predictions(self) -> np.ndarray:
        """(N,) the most probable class of each image."""
        return self.probabilities.argmax(1)


def evaluate(model: Layer, images: Array, labels: Array, mean: np.ndarray, std: np.ndarray) -> Evaluation:
    """Loss, accuracy and probabilities for images uint8 (N, H, W, 3) with labels (N,), in evaluation mode.

    Images and labels must be on the model's device; `mean` and `std` (3,) are those of its training images.
    """
    check_instance("model", model, Layer)
    loss, parts = 0.0, []
    for x, batch_labels in test_batches(images, labels, BATCH_SIZE, mean, std):
        logits = model(x)
        loss += float(softmax_cross_entropy(logits, batch_labels)[0]) * len(x)
        parts.append(to_numpy(softmax(logits)))
    probabilities, labels = np.concatenate(parts), to_numpy(labels)
    return Evaluation(loss / len(labels), float((probabilities.argmax(1) == labels).mean()), probabilities, labels)


def predict(model: Layer, images: np.ndarray, about: About, device: str = "cpu") -> np.ndarray:
    """Probabilities (N, classes) for images uint8 (N, H, W, 3); `device` is the model's, `about` is from its file."""
    x = normalise(to_device(images, device), *about.normalisation())
    return to_numpy(softmax(model(x)))
