"""CIFAR-10: 60,000 colour photographs of 32x32 pixels in ten classes.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images". This reads the binary version: each
record is one label byte and 3072 pixel bytes, the red channel first, then green, then blue, each in row-major order.
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

_HOW_TO_GET_IT = f"download {URL} yourself and pass its path with --data-dir or {DATA_VARIABLE}"


def load_cifar10(data_dir: str | os.PathLike | None = None) -> Dataset:
    """CIFAR-10: 50,000 training and 10,000 test images (N, 32, 32, 3) uint8, labels (N,) int64.

    It is read from `data_dir`, or else from the path in the environment variable RESNET_SCRATCH_DATA, or else
    downloaded (170 MB) into the user's cache, once. The path may be the folder of the .bin files, the folder that
    contains `cifar-10-batches-bin`, or the .tar.gz archive. Raises DataError if a file is missing or damaged, or if
    the download fails.
    """
    path = data_dir or os.environ.get(DATA_VARIABLE)
    read = _reader(Path(path).expanduser() if path else _download())
    parts = [_parse_records(name, read(name)) for name in TRAIN_FILES]
    test_images, test_labels = _parse_records(TEST_FILE, read(TEST_FILE))
    train_images, train_labels = (np.concatenate(arrays) for arrays in zip(*parts))
    return Dataset("cifar10", CLASSES, train_images, train_labels, test_images, test_labels, mirror=True)


def _download() -> Path:
    """The path of the official archive in the user's cache, downloaded first if it is not there yet."""
    import pooch

    try:
        path = pooch.retrieve(
            URL, f"md5:{MD5}", "cifar-10-binary.tar.gz", pooch.os_cache("resnet_scratch"), progressbar=True
        )
    except Exception as error:  # no network, a full disk, a wrong checksum: the remedy is the same
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"CIFAR-10 could not be downloaded ({reason[:200]}); {_HOW_TO_GET_IT}") from error
    return Path(path)


def _reader(path: Path) -> Callable[[str], bytes]:
    """A function that returns the bytes of a file of this name, from a folder or from an archive."""
    if path.is_dir():
        folder = path / FOLDER if (path / FOLDER).is_dir() else path

        def from_folder(name: str) -> bytes:
            if not (folder / name).is_file():
                raise DataError(f"{folder} has no {name}, so it is not CIFAR-10's binary version; {_HOW_TO_GET_IT}")
            return (folder / name).read_bytes()

        return from_folder
    if not path.is_file():
        raise DataError(f"there is no file or folder {path}; {_HOW_TO_GET_IT}")

    def from_archive(name: str) -> bytes:
        try:
            with tarfile.open(path) as archive:
                return archive.extractfile(f"{FOLDER}/{name}").read()
        except KeyError:
            raise DataError(f"{path} has no {FOLDER}/{name}, so it is not CIFAR-10's binary version") from None
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DataError(
                f"{path} is not a complete .tar.gz archive ({error}); delete it and {_HOW_TO_GET_IT}"
            ) from None

    return from_archive


def _parse_records(name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The images (10000, 32, 32, 3) and labels (10000,) of a file with this content."""
    if len(content) != RECORDS * RECORD_BYTES:
        raise DataError(
            f"{name} must have {RECORDS * RECORD_BYTES:,} bytes, got {len(content):,}: truncated, or another file; "
            f"{_HOW_TO_GET_IT}"
        )
    records = np.frombuffer(content, np.uint8).reshape(RECORDS, RECORD_BYTES)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        bad = int(labels.argmax())
        raise DataError(
            f"{name} has the label {labels[bad]} in record {bad}; CIFAR-10's labels are 0 to 9. Is it CIFAR-100?"
        )
    images = records[:, 1:].reshape(-1, 3, 32, 32)  # (N, C, H, W)
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels
