"""Your own images: a folder for each class, with image files in it."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from ..checks import check_whole
from .dataset import DataError, Dataset
from .image_files import SUFFIXES, ImageFileError, image_files_in, read_image_file

TEST_FOLDERS = ("test", "val", "valid", "validation")


def load_folder(path: str | Path, image_size: int = 32, mirror: bool = False) -> Dataset:
    """The images in PATH/CLASS/*, or in PATH/train/CLASS/* and PATH/test/CLASS/* (or val, valid, validation), scaled
    and centre-cropped to `image_size` pixels square. Grey images get three equal channels.

    Without a test folder a fifth of each class, drawn at random but always the same, is the test set. The name of the
    data set is the folder's path, so that `load` finds it again. `mirror` says whether training may flip the images.
    Raises DataError for fewer than two classes, a class without images, and one that only the test folder has;
    ImageFileError, which names the files, where some cannot be read.
    """
    check_whole("image_size", image_size)
    path = Path(os.path.expanduser(path)).resolve()
    train = path / "train" if _classes(path / "train") else path
    tests = [path / name for name in TEST_FOLDERS if train != path and (path / name).is_dir()]
    if len(tests) > 1:
        warnings.warn(f"{tests[0]} is used for testing, not {', '.join(f.name for f in tests[1:])}", stacklevel=2)
    classes = _classes(train)
    if len(classes) < 2:
        found = f"only {classes[0]}" if classes else "none"
        raise DataError(f"{train} must have a folder of images for each class, at least two; got {found}")
    parts = [_labelled_files(folder, classes) for folder in (train, *tests[:1])]
    images = _read([file for part in parts for file, _ in part], image_size)
    labels = np.array([label for part in parts for _, label in part], np.int64)
    count = len(parts[0])
    test = (images[count:], labels[count:]) if tests else None
    return Dataset.from_arrays(images[:count], labels[:count], classes, test=test, name=str(path), mirror=mirror)


def left_out(path: str | Path) -> Counter[str]:
    """How many files of each ending are in the folders of classes, but are not read because of it."""
    files = [file for depth in ("*/*", "*/*/*") for file in Path(path).glob(depth) if file.is_file()]
    shown = [f for f in files if not any(name.startswith(".") for name in f.relative_to(path).parts)]
    return Counter(f.suffix.lower() or f.name for f in shown if f.suffix.lower() not in SUFFIXES)


def _classes(folder: Path) -> tuple[str, ...]:
    """The names of the folders in a folder; none where it does not exist."""
    folders = folder.iterdir() if folder.is_dir() else ()
    return tuple(sorted(inner.name for inner in folders if inner.is_dir() and inner.name[0] != "."))


def _labelled_files(folder: Path, classes: tuple[str, ...]) -> list[tuple[Path, int]]:
    """The image files of all classes, each with its label."""
    if unknown := [name for name in _classes(folder) if name not in classes]:
        raise DataError(f"{folder} must have the classes of the training images only, got also {', '.join(unknown)}")
    labelled = []
    for label, name in enumerate(classes):
        files = image_files_in(folder / name) if (folder / name).is_dir() else []
        if not files:
            raise DataError(f"{folder / name} has no image files ({', '.join(SUFFIXES)})")
        labelled += [(file, label) for file in files]
    return labelled


def _read(files: list[Path], size: int) -> np.ndarray:
    """The images (N, size, size, 3) uint8. One error names all files that cannot be read."""
    images, errors = [], []
    for file in files:
        try:
            images.append(read_image_file(file, (size, size)))
        except ImageFileError as error:
            errors.append(str(error))
    if errors:
        told = ";\n".join(errors[:10]) + (f";\nand {len(errors) - 10} more" if len(errors) > 10 else "")
        raise ImageFileError(f"{len(errors)} of {len(files)} files cannot be read; move them away:\n{told}")
    return np.stack(images)
