"""The Dataset class: training and test images with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..checks import brief, check_flag, check_instance, check_whole, is_array
from ..compute.backend import Array, to_device, to_numpy
from ..errors import UserError, printable


class DataError(UserError):
    """Data are missing, damaged or not in the expected format. The message says what to do."""


@dataclass(frozen=True)
class Dataset:
    """A training set and a test set: images with labels.

    Raises DataError for arrays of another shape or dtype, and for labels that are not indices of `classes`.
    """

    name: str
    classes: tuple[str, ...]  #: the names of the classes; a label is an index into them
    train_images: Array  #: (N, H, W, 3) uint8
    train_labels: Array  #: (N,) int64
    test_images: Array  #: as those for training
    test_labels: Array  #: as those for training
    mirror: bool  #: whether an image that is flipped left to right still shows the same class

    def __post_init__(self) -> None:
        names_are_right = isinstance(self.classes, tuple) and all(isinstance(name, str) for name in self.classes)
        if not names_are_right or not self.classes or any(printable(n) != n or "\n" in n for n in self.classes):
            raise DataError(f"classes must be a tuple of names without control characters, got {brief(self.classes)}")
        check_instance("name", self.name, str)
        check_flag("mirror", self.mirror)
        for part in ("train", "test"):
            images, labels = (getattr(self, f"{part}_{kind}") for kind in ("images", "labels"))
            for kind, array in (("images", images), ("labels", labels)):
                if not is_array(array):
                    raise DataError(f"{part}_{kind} must be a NumPy or CuPy array, got {type(array).__name__}")
            if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8 or 0 in images.shape:
                raise DataError(
                    f"{part}_images must be (N, H, W, 3) uint8, values 0 to 255 of red, green and blue, N at least 1; "
                    f"got {images.shape} {images.dtype}"
                )
            if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
                raise DataError(
                    f"{part}_labels must be whole numbers, one for each of the {len(images)} images; "
                    f"got {labels.shape} {labels.dtype}"
                )
            lowest, highest = int(labels.min()), int(labels.max())
            if not 0 <= lowest <= highest < len(self.classes):
                raise DataError(
                    f"{part}_labels must be 0 to {len(self.classes) - 1}, as there are {len(self.classes)} classes; "
                    f"got {lowest} to {highest}"
                )
            # a uint8 label would overflow in arithmetic
            object.__setattr__(self, f"{part}_labels", labels.astype(np.int64, copy=False))

    @classmethod
    def from_arrays(
        cls,
        images: np.ndarray,
        labels: np.ndarray,
        classes: Sequence[str],
        test: tuple[np.ndarray, np.ndarray] | None = None,
        name: str = "your data",
        mirror: bool = False,
    ) -> Dataset:
        """Your own images (N, H, W, 3) uint8, or grey (N, H, W) or (N, H, W, 1), with labels (N,), indices into the
        names `classes`. Grey images get three equal channels.

        `test` are images and labels to test on. Without them a fifth of each class is held out at random, always the
        same: at least one image, except of a class that has only one, which is trained on. Raises DataError for arrays
        of another dtype or shape, for labels that are not the index of a class, and where nothing can be held out.
        """
        if not isinstance(classes, (list, tuple)):
            raise DataError(f"classes must be a list of names, got {brief(classes)}")
        if test is not None and not (isinstance(test, (tuple, list)) and len(test) == 2):
            raise DataError(f"test must be a pair, images and labels, got {brief(test)}")
        train = in_colour(images), np.asanyarray(labels)
        held_out = (in_colour(test[0]), np.asanyarray(test[1])) if test else train
        dataset = cls(name, tuple(classes), *train, *held_out, mirror)
        return dataset if test else dataset._hold_out_a_fifth()

    @cached_property
    def mean(self) -> np.ndarray:
        """The mean of each channel over the training images, (3,) float32, for pixel values scaled to 0..1.

        Raises DataError where a channel is the same in all images, so that its standard deviation, by which images are
        divided, is 0, and where no pixel is above 1.
        """
        return self._moments[0]

    @cached_property
    def std(self) -> np.ndarray:
        """The standard deviation of each channel over the training images, likewise (3,) float32."""
        return self._moments[1]

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        # from a histogram of the 256 pixel values: exact, and without a float copy of all images
        pixels = to_numpy(self.train_images)
        counts = np.stack([np.bincount(pixels[..., c].ravel(), minlength=256) for c in range(3)])  # (3, 256)
        constant = [name for name, count in zip(("red", "green", "blue"), counts) if np.count_nonzero(count) == 1]
        if constant:
            raise DataError(f"train_images must vary in each channel, got the same {' and '.join(constant)} everywhere")
        if not counts[:, 2:].any():
            raise DataError("train_images must have pixel values 0 to 255, got 0 and 1 only; multiply them by 255")
        values = np.arange(256) / 255
        weights = counts / counts.sum(1, keepdims=True)
        mean = weights @ values
        var = (weights * (values - mean[:, None]) ** 2).sum(1)
        return mean.astype(np.float32), np.sqrt(var).astype(np.float32)

    def to(self, device: str) -> Dataset:
        """The same data on `device`, which then also prepares the batches. uint8 takes a quarter of the memory of
        float32."""
        names = ("train_images", "train_labels", "test_images", "test_labels")
        moved = replace(self, **{name: to_device(getattr(self, name), device) for name in names})
        vars(moved)["_moments"] = self._moments  # computed once, and kept on the host
        return moved

    def split(self, validation: int = 5000, seed: int = 0) -> Dataset:
        """The same data with a validation set, `validation` random training images, in place of the test set.

        Choose hyperparameters on it, and keep the test set for the end. He et al. 2015, section 4.2, split CIFAR-10's
        training set into 45,000 and 5,000 images in this way. Raises UserError unless both parts have images.
        """
        images = len(self.train_images)
        check_whole("validation", validation, 1, images - 1)
        check_whole("seed", seed, 0)
        order = np.random.default_rng(seed).permutation(images)
        return self._divide(kept=order[validation:], held_out=order[:validation])

    def _hold_out_a_fifth(self) -> Dataset:
        """The same data with a fifth of each class's training images in place of the test set."""
        labels, held_out = self.train_labels, []
        order = np.random.default_rng(0).permutation(len(labels))
        for label in np.unique(labels):
            of_class = order[labels[order] == label]
            held_out += [*of_class[: min(max(1, len(of_class) // 5), len(of_class) - 1)]]
        if not held_out:
            raise DataError("images must be at least 2 of a class, of which one is held out to test on, got 1 of each")
        testing = np.isin(order, held_out)
        return self._divide(kept=order[~testing], held_out=order[testing])

    def _divide(self, kept: np.ndarray, held_out: np.ndarray) -> Dataset:
        """The same data with some of the training images, of these indices, in place of the test set."""
        return replace(
            self,
            train_images=self.train_images[kept],
            train_labels=self.train_labels[kept],
            test_images=self.train_images[held_out],
            test_labels=self.train_labels[held_out],
        )


def in_colour(images: np.ndarray) -> np.ndarray:
    """Grey images (N, H, W) or (N, H, W, 1) with three equal channels; others as they are."""
    images = np.asanyarray(images)
    images = images[..., None] if images.ndim == 3 else images
    return np.repeat(images, 3, axis=3) if images.shape[3:] == (1,) else images
