"""Small archives in CIFAR-10's two forms, for the tests and for the fuzzer."""

from __future__ import annotations

import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np

from resnet_scratch.data import cifar10

RECORDS = 3  # per file, in place of 10,000


class _Python2Pickler(pickle._Pickler):
    """Writes byte strings as Python 2 wrote its str: so are the files of CIFAR-10's python version."""

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


def records(file: int) -> np.ndarray:
    """Record i of file f has the label (i + f) % 10 and the bytes i + f + k mod 256."""
    content = np.empty((RECORDS, 3073), np.uint8)
    content[:, 0] = (np.arange(RECORDS) + file) % 10
    content[:, 1:] = np.arange(3072) + np.arange(RECORDS)[:, None] + file
    return content


def contents(version: cifar10.Version) -> dict[str, bytes]:
    """The files of a version."""
    files = {}
    for f, name in enumerate(version.files):
        rows = records(f)
        batch = {b"batch_label": b"x", b"labels": rows[:, 0].tolist(), b"data": rows[:, 1:], b"filenames": [b"a"]}
        files[name] = rows.tobytes() if version is cifar10.BINARY else pickled(batch)
    return files


def write(path: Path, version: cifar10.Version, change=lambda member: None, **settings) -> Path:
    """An archive of a version; `change` may alter each member's header."""
    with tarfile.open(path, "w:gz", compresslevel=1, **settings) as archive:
        for name, content in contents(version).items():
            member = tarfile.TarInfo(f"{version.folder}/{name}")
            member.size = len(content)
            change(member)
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return path
