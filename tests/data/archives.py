"""Small archives of CIFAR-10 and CIFAR-100 in their two versions, for the tests and for the fuzzer."""

from __future__ import annotations

import dataclasses
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np

from resnet_scratch.data import cifar10, cifar100
from resnet_scratch.data.cifar import Cifar, Version

RECORDS = 3  # per file, in place of 10,000 or 50,000


def small(cifar: Cifar) -> Cifar:
    """The same data set, with so few images in each file."""
    versions = [dataclasses.replace(v, records=dict.fromkeys(v.records, RECORDS)) for v in cifar.versions]
    return dataclasses.replace(cifar, versions=tuple(versions))


CIFAR10, CIFAR100 = small(cifar10.CIFAR10), small(cifar100.CIFAR100)
PYTHON, BINARY = CIFAR10.versions


class _Python2Pickler(pickle._Pickler):
    """Writes byte strings as Python 2 wrote its str: so are the files of the python versions."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_bytes(self, text):
        self.write(b"U" + bytes([len(text)]) + text if len(text) < 256 else b"T" + struct.pack("<i", len(text)) + text)
        self.memoize(text)

    dispatch[bytes] = save_bytes


def pickled(value) -> bytes:
    """`value` as Python 2 pickles it."""
    file = io.BytesIO()
    _Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue()


def records(file: int, classes: int = 10) -> np.ndarray:
    """As a record of CIFAR-10's binary version, record i of file f has the label (i + f) % 10 and the bytes i + f + k
    mod 256. Of CIFAR-100's, it has the coarse label i and the fine label 99 - i - f, and the same bytes."""
    numbers = np.arange(RECORDS)
    labels = [(numbers + file) % 10] if classes == 10 else [numbers, 99 - numbers - file]
    pixels = np.arange(3072) + numbers[:, None] + file
    return np.column_stack([*labels, pixels]).astype(np.uint8)


def contents(version: Version) -> dict[str, bytes]:
    """The files of a version."""
    files = {}
    for f, name in enumerate(version.records):
        if version in CIFAR10.versions:
            rows = records(f)
            labels = {b"labels": rows[:, 0].tolist()}
        else:
            rows = records(f, 100)
            labels = {b"coarse_labels": rows[:, 0].tolist(), b"fine_labels": rows[:, 1].tolist()}
        batch = {b"batch_label": b"x", **labels, b"data": rows[:, -3072:].copy(), b"filenames": [b"a"] * len(rows)}
        files[name] = pickled(batch) if version.pickled else rows.tobytes()
    return files


def write(path: Path, version: Version, change=lambda member: None, **settings) -> Path:
    """An archive of a version; `change` may alter each member's header."""
    with tarfile.open(path, "w:gz", compresslevel=1, **settings) as archive:
        for name, content in contents(version).items():
            member = tarfile.TarInfo(f"{version.folder}/{name}")
            member.size = len(content)
            change(member)
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path


def unpack(folder: Path, version: Version) -> Path:
    """The folder of a version's files, in `folder`."""
    (folder / version.folder).mkdir(parents=True)
    for name, content in contents(version).items():
        (folder / version.folder / name).write_bytes(content)
    return folder / version.folder
