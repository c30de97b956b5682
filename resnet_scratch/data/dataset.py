"""What a data set is: images and labels to train on and to test on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..compute.backend import Array, to_device, to_numpy
from ..errors import UserError


class DataError(UserError):
    """Data that are missing, damaged or not what they should be; the message says what to do."""


@dataclass(frozen=True)
class Dataset:
    """Images (N, H, W, 3) of uint8 with labels (N,) of int64, in a part to train on and a part to test on."""

    name: str
    classes: tuple[str, ...]  # the class names; a label is an index into them
    train_images: Array
    train_labels: Array
    test_images: Array
    test_labels: Array
    mirror: bool  # whether a mirrored image still shows the same class

    @cached_property
    def mean(self) -> np.ndarray:
        """The mean of each channel over the training images, scaled to 0..1: (3,) float32."""
        return self._moments[0]

    @cached_property
    def std(self) -> np.ndarray:
        """The standard deviation of each channel over the training images, scaled to 0..1: (3,) float32."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        # exactly, from how often each of the 256 values occurs, in place of a float copy of all images
        pixels = to_numpy(self.train_images)
        counts = np.stack([np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(3)])  # (3, 256)
        values = np.arange(256) / 255
        weights = counts / counts.sum(1, keepdims=True)
        mean = weights @ values
        var = (weights * (values - mean[:, None]) ** 2).sum(1)
        return mean.astype(np.float32), np.sqrt(var).astype(np.float32)

    def to(self, device: str) -> Dataset:
        """The same data on `device`, where batches of it are then prepared: as uint8 it takes a quarter of the room."""
        names = ("train_images", "train_labels", "test_images", "test_labels")
        moved = replace(self, **{name: to_device(getattr(self, name), device) for name in names})
        vars(moved)["_moments"] = self._moments  # they stay on the host, and are worked out once
        return moved

    def split(self, validation: int = 5000, seed: int = 0) -> Dataset:
        """The same data with `validation` of the training images, drawn at random, in place of the test images.

        He et al. 2015, section 4.2, hold 5,000 of CIFAR-10's 50,000 training images out in this way to choose settings;
        the test images are for the end. Raises ValueError unless some images are left on both sides.
        """
        images = len(self.train_images)
        if not 0 < validation < images:
            raise ValueError(f"validation must be between 1 and {images - 1}, got {validation}")
        order = np.random.default_rng(seed).permutation(images)
        held_out, kept = order[:validation], order[validation:]
        return replace(
            self,
            train_images=self.train_images[kept],
            train_labels=self.train_labels[kept],
            test_images=self.train_images[held_out],
            test_labels=self.train_labels[held_out],
        )
