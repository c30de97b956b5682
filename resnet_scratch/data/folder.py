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
    """The images in PATH/CLASS/*, or in PATH/train/CLASS/* and PATH/test/CLASS/* (or val, valid, validation; with or
    without capitals), scaled and centre-cropped to `image_size` pixels square. Grey images get three equal channels.

    Without a test folder a fifth of each class, drawn at random but always the same, is the test set. The name of the
    data set is the folder's path, so that `load` finds it again. `mirror` says whether training may flip the images.
    Raises DataError for fewer than two classes, a class without images, and one that only the test folder has;
    ImageFileError, which names the files, where some cannot be read.
    """
    check_whole("image_size", image_size)
    path = Path(os.path.expanduser(path)).resolve()
    trains, tests = _parts(path)
    for (used, *others), purpose in ((trains, "training"), (tests or [path], "testing")):
        if others:
            warnings.warn(f"{used} is used for {purpose}, not {', '.join(f.name for f in others)}", stacklevel=2)
    train, classes = trains[0], _classes(trains[0])
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
    """How many files, by ending and place, are in the folders of classes or beside them, but are not read."""
    trains, tests = _parts(Path(path))
    counts: Counter[str] = Counter()
    for part in (trains[0], *tests[:1]):
        inside = [file for name in _classes(part) for file in (part / name).rglob("*")]
        for file in (*part.iterdir(), *inside):
            parts = file.relative_to(part).parts
            where = {1: " beside the class folders", 2: ""}.get(len(parts), " in folders inside a class folder")
            hidden = any(name.startswith(".") for name in parts)
            if file.is_file() and not hidden and (where or file.suffix.lower() not in SUFFIXES):
                counts[(file.suffix.lower() or file.name) + where] += 1
    return counts


def _parts(path: Path) -> tuple[list[Path], list[Path]]:
    """The folders with training images, and those with test images, which may be none. The first ones are used."""
    trains = [folder for folder in _named(path, "train") if _classes(folder)]
    return trains or [path], [folder for name in TEST_FOLDERS if trains for folder in _named(path, name)]


def _named(path: Path, name: str) -> list[Path]:
    """The folders of this name in a folder, in whatever letters; first the one in small letters."""
    return sorted((path / found for found in _classes(path) if found.lower() == name), reverse=True)


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
