"""Your own images: a folder for each class, with image files in it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from .dataset import DataError, Dataset
from .image_files import SUFFIXES, image_files_in, read_image_file

TEST_FOLDERS = ("test", "val")


def load_folder(path: str | Path, image_size: int = 32, mirror: bool = False) -> Dataset:
    """The images in PATH/CLASS/*, or in PATH/train/CLASS/* and PATH/test/CLASS/* (or val), scaled and centre-cropped
    to `image_size` pixels square. Grey images get three equal channels.

    Without a test folder a fifth of the images, drawn at random but always the same, are the test set. The name of the
    data set is the folder's path, so that `load` finds it again. `mirror` says whether training may flip the images.
    Raises DataError for a folder without classes or images, and ImageFileError for a file that is not an image.
    """
    path = Path(os.path.expanduser(path)).resolve()
    test = next((path / name for name in TEST_FOLDERS if (path / name).is_dir()), None)
    train = path / "train" if test and (path / "train").is_dir() else path
    classes = tuple(sorted(folder.name for folder in train.iterdir() if folder.is_dir() and folder.name[0] != "."))
    if not classes:
        raise DataError(f"{train} must have a folder of images for each class, got none")
    images, labels = _read(train, classes, image_size)
    held_out = _read(test, classes, image_size) if test and train != path else None
    return Dataset.from_arrays(images, labels, classes, test=held_out, name=str(path), mirror=mirror)


def _read(folder: Path, classes: tuple[str, ...], size: int) -> tuple[np.ndarray, np.ndarray]:
    """All images of the classes (N, size, size, 3) uint8, and their labels (N,)."""
    images, labels = [], []
    for label, name in enumerate(classes):
        files = image_files_in(folder / name) if (folder / name).is_dir() else []
        if not files:
            raise DataError(f"{folder / name} has no image files ({', '.join(SUFFIXES)})")
        images += [read_image_file(file, (size, size)) for file in files]
        labels += [label] * len(files)
    return np.stack(images), np.array(labels, np.int64)
