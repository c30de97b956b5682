"""CIFAR-10: 60,000 colour photographs of 32x32 pixels in ten classes.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images". The binary version is read: records of
one label byte and 3072 pixel bytes, the red plane first, then green, then blue, each row by row.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Callable

import numpy as np

from .dataset import DataError, Dataset

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
FOLDER = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{k}.bin" for k in range(1, 6))
TEST_FILE = "test_batch.bin"
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD_BYTES = 1 + 3 * 32 * 32
RECORDS = 10_000  # per file
DATA_VARIABLE = "RESNET_SCRATCH_DATA"

_HOW_TO_GET_IT = f"download {URL} yourself and name it with --data-dir or {DATA_VARIABLE}"


def load_cifar10(data_dir: str | os.PathLike | None = None) -> Dataset:
    """CIFAR-10 from `data_dir`, else from the environment variable RESNET_SCRATCH_DATA, else downloaded once.

    `data_dir` is a folder that holds the .bin files, or holds `cifar-10-batches-bin`, or the .tar.gz archive itself.
    Raises DataError when files are missing or damaged, or nothing can be downloaded.
    """
    place = data_dir or os.environ.get(DATA_VARIABLE)
    read = _reader(Path(place).expanduser() if place else _download())
    parts = [_records(name, read(name)) for name in TRAIN_FILES]
    test_images, test_labels = _records(TEST_FILE, read(TEST_FILE))
    train_images, train_labels = (np.concatenate(arrays) for arrays in zip(*parts))
    return Dataset("cifar10", CLASSES, train_images, train_labels, test_images, test_labels, mirror=True)


def _download() -> Path:
    """The official archive in the user's cache, downloaded with a progress bar if it is not there yet."""
    import pooch

    try:
        path = pooch.retrieve(
            URL, f"md5:{MD5}", "cifar-10-binary.tar.gz", pooch.os_cache("resnet_scratch"), progressbar=True
        )
    except Exception as error:  # whatever went wrong (no network, a full disk, a wrong checksum): say what helps
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"CIFAR-10 could not be downloaded ({reason[:200]}); {_HOW_TO_GET_IT}") from error
    return Path(path)


def _reader(place: Path) -> Callable[[str], bytes]:
    """A function that gives the bytes of one of the files, from a folder or from an archive."""
    if place.is_dir():
        folder = place / FOLDER if (place / FOLDER).is_dir() else place

        def from_folder(name: str) -> bytes:
            if not (folder / name).is_file():
                raise DataError(f"{folder} has no {name}, so it is not CIFAR-10's binary version; {_HOW_TO_GET_IT}")
            return (folder / name).read_bytes()

        return from_folder
    if not place.is_file():
        raise DataError(f"there is no file or folder {place}; {_HOW_TO_GET_IT}")

    def from_archive(name: str) -> bytes:
        try:
            with tarfile.open(place) as archive:
                return archive.extractfile(f"{FOLDER}/{name}").read()
        except KeyError:
            raise DataError(f"{place} has no {FOLDER}/{name}, so it is not CIFAR-10's binary version") from None
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(
                f"{place} is not a whole .tar.gz archive ({error}); delete it and {_HOW_TO_GET_IT}"
            ) from None

    return from_archive


def _records(name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """(images (N, 32, 32, 3), labels (N,)) of one file."""
    if len(content) != RECORDS * RECORD_BYTES:
        raise DataError(
            f"{name} must have {RECORDS * RECORD_BYTES:,} bytes, got {len(content):,}: it is cut short, or another; "
            f"{_HOW_TO_GET_IT}"
        )
    records = np.frombuffer(content, np.uint8).reshape(RECORDS, RECORD_BYTES)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        bad = int(labels.argmax())
        raise DataError(
            f"{name} has the label {labels[bad]} in record {bad}; CIFAR-10's labels are 0 to 9. Is it CIFAR-100?"
        )
    planes = records[:, 1:].reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), labels
