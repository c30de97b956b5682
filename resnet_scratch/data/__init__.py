"""Data: the built-in data set, CIFAR-10, augmentation, and batches of them."""

from __future__ import annotations

import os

from .augment import normalise, random_crop, random_flip
from .batches import test_batches, training_batches
from .cifar10 import load_cifar10
from .dataset import DataError, Dataset
from .shapes import load_shapes

NAMES = ("shapes", "cifar10")


def load(name: str = "shapes", data_dir: str | os.PathLike | None = None) -> Dataset:
    """The data set of that name: "shapes" is generated, "cifar10" read from `data_dir` or downloaded.

    Raises DataError for another name, or when CIFAR-10 is not to be had.
    """
    if name == "shapes":
        return load_shapes()
    if name == "cifar10":
        return load_cifar10(data_dir)
    raise DataError(f"there is no data set {name!r}; there are {', '.join(NAMES)}")


__all__ = [
    "DataError", "Dataset", "NAMES", "load", "load_cifar10", "load_shapes", "normalise", "random_crop", "random_flip",
    "test_batches", "training_batches",
]  # fmt: skip
