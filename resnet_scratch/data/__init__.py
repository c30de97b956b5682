"""Data sets, data augmentation and batches."""

from __future__ import annotations

import os
from collections.abc import Callable

from ..checks import check_flag, check_instance, check_whole
from . import cifar10, cifar100, shapes
from .augment import normalise, random_crop, random_flip, resize
from .batches import test_batches, training_batches
from .cifar10 import load_cifar10
from .cifar100 import load_cifar100
from .dataset import DataError, Dataset
from .folder import load_folder
from .shapes import load_shapes


def _shapes(data_dir: str | os.PathLike | None) -> Dataset:
    if data_dir is not None:
        raise DataError("data_dir says where cifar10 and cifar100 are; leave it out for shapes, which is generated")
    return load_shapes()


# To add a data set, add a function that takes the user's --data-dir, or None, and returns a Dataset.
_LOADERS: dict[str, Callable[[str | os.PathLike | None], Dataset]] = {
    "shapes": _shapes,
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
}
NAMES = tuple(_LOADERS)
CLASSES = {"shapes": shapes.CLASSES, "cifar10": cifar10.CLASSES, "cifar100": cifar100.CLASSES}  # known before loading


class UnknownDataError(DataError):
    """There is no data set of this name, and no such folder."""


def load(
    name: str = "shapes", *, data_dir: str | os.PathLike | None = None, image_size: int = 32, mirror: bool = False
) -> Dataset:
    """The data set of this name: "shapes" is generated; "cifar10" and "cifar100" are read from `data_dir`, or
    downloaded. Any other name is the path of a folder of your own, with a folder of images for each class: see
    `load_folder`. They are scaled to `image_size`, and `mirror` says whether training may flip them; a data set with a
    name keeps the size of its images, 32x32, and decides about flips itself, whatever is passed here.

    Raises UnknownDataError if there is no data set of this name, and DataError if it cannot be read or downloaded, or
    if a `data_dir` is given for shapes or a folder.
    """
    check_instance("name", name, str)
    check_whole("image_size", image_size)
    check_flag("mirror", mirror)
    if name not in _LOADERS and os.path.isdir(os.path.expanduser(name)):
        if data_dir is not None:
            raise DataError(f"data_dir says where cifar10 and cifar100 are; leave it out for the folder {name}")
        return load_folder(name, image_size, mirror)
    if name not in _LOADERS:
        raise UnknownDataError(f"there is no data set {name!r}; choose from {', '.join(NAMES)}, or a folder of images")
    return _LOADERS[name](data_dir)


__all__ = [
    "DataError", "Dataset", "NAMES", "UnknownDataError", "load", "load_cifar10", "load_cifar100", "load_folder",
    "load_shapes", "normalise", "random_crop", "random_flip", "resize", "test_batches", "training_batches",
]  # fmt: skip
