"""The two CIFAR data sets: how they are published, and how they are read. `cifar10.py` and `cifar100.py` say the rest.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images". Each comes in two versions with the
same images. Binary: a file is a row of records, each a label or two, a byte each, and 3072 pixel bytes, the red channel
first, then green, then blue, each in row-major order. Python: a file is a pickled dict with these bytes under "data"
and a list of labels.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .archive import read_archive
from .dataset import DataError, Dataset
from .download import download
from .unpickle import UnpickleError, as_bytes_array, unpickle

PIXEL_BYTES = 3 * 32 * 32
DATA_VARIABLE = "RESNET_SCRATCH_DATA"


@dataclass(frozen=True)
class Version:
    """One of the forms in which a data set is published."""

    archive: str
    size: int  #: of the archive, in bytes
    md5: str
    urls: tuple[str, ...]
    folder: str  #: the name of the folder in the archive
    records: Mapping[str, int]  #: the number of images in each file: those with training images, then the test images
    pickled: bool  #: whether this is the python version


@dataclass(frozen=True)
class Cifar:
    """What tells one of the data sets from the other, and how it is read."""

    name: str
    title: str  #: its name in messages
    classes: tuple[str, ...]
    label_bytes: int  #: of a record of the binary version, before the pixels; the last one is the label
    labels_key: bytes  #: of the list of labels in a file of the python version
    versions: tuple[Version, ...]  #: in the order in which they are tried; the last one is the binary, from its author

    def load(self, data_dir: str | os.PathLike | None) -> Dataset:
        """The data set from a folder, an archive or the network: see `load_cifar10`.

        Raises DataError when it cannot be found, downloaded or read, or is damaged.
        """
        name = data_dir or os.environ.get(DATA_VARIABLE)
        path = Path(os.path.expanduser(name)) if name else self._download()
        if not path.exists():
            named = "" if data_dir else f", which {DATA_VARIABLE} names"
            raise DataError(f"there is no file or folder {path}{named}; {self._how_to_get_it}")
        try:
            version, read = self._open_folder(path) if path.is_dir() else self._open_archive(path)
            parts = [self._parse(name, read(name), count, version) for name, count in version.records.items()]
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror or error})") from None
        train_images, train_labels = (np.concatenate(arrays) for arrays in zip(*parts[:-1]))
        return Dataset(self.name, self.classes, train_images, train_labels, *parts[-1], mirror=True)

    def downloaded(self) -> list[Version]:
        """The versions whose archives are in the user's cache."""
        return [version for version in self.versions if (_cache() / version.archive).is_file()]

    @property
    def _how_to_get_it(self) -> str:
        url = self.versions[-1].urls[0]
        return f"download {url} yourself and pass its path with --data-dir or {DATA_VARIABLE}"

    def _download(self) -> Path:
        """The path of an official archive in the user's cache, downloaded first if none is there yet."""
        there, problems = self.downloaded(), []
        for version in sorted(self.versions, key=lambda version: version not in there):
            try:
                return download(version.urls, _cache(), version.archive, version.size, version.md5)
            except DataError as error:
                problems.append(str(error))
        raise DataError(f"{'; '.join(problems)}; {self._how_to_get_it}")

    def _most_bytes(self, count: int) -> int:
        """More than a file of `count` images has, in either version."""
        return 2 * count * (self.label_bytes + PIXEL_BYTES)

    def _open_folder(self, path: Path) -> tuple[Version, Callable[[str], bytes]]:
        """The version that is in a folder, and a function from the name of one of its files to the content."""
        folders = [(v, path / v.folder if (path / v.folder).is_dir() else path) for v in self.versions]
        unpacked = [(v, folder) for v, folder in folders if any((folder / name).is_file() for name in v.records)]
        packed = [path / v.archive for v in self.versions if (path / v.archive).is_file()]
        if packed and not unpacked:
            return self._open_archive(packed[0])
        version, folder = (unpacked or folders[-1:])[0]

        def read(name: str) -> bytes:
            if not (folder / name).is_file():
                raise DataError(f"{folder} has no {name}, so it is not all of {self.title}; {self._how_to_get_it}")
            with open(folder / name, "rb") as file:
                return file.read(self._most_bytes(version.records[name]))

        return version, read

    def _open_archive(self, path: Path) -> tuple[Version, Callable[[str], bytes]]:
        """The same for an archive."""
        for version in self.versions:
            if path.name == version.archive or path.stat().st_size == version.size:
                self._check_md5(path, version)
        limits = {f"{v.folder}/{name}": self._most_bytes(n) for v in self.versions for name, n in v.records.items()}
        try:
            members = read_archive(path, limits)
        except DataError as error:
            raise DataError(f"{error}; {self._how_to_get_it}") from None
        found = [v for v in self.versions if any(f"{v.folder}/{name}" in members for name in v.records)]
        version = (found or self.versions[-1:])[0]

        def read(name: str) -> bytes:
            member = f"{version.folder}/{name}"
            if member not in members:
                raise DataError(f"{path} has no {member}, so it is not all of {self.title}; {self._how_to_get_it}")
            return members.pop(member)

        return version, read

    def _check_md5(self, path: Path, version: Version) -> None:
        """Raises DataError if this file, which claims by its name or size to be the official archive, is another."""
        import pooch

        if (md5 := pooch.file_hash(path, "md5")) != version.md5:
            raise DataError(
                f"{path} is not the official {version.archive}, whose MD5 is {version.md5}, got {md5}: it is damaged "
                f"or incomplete; {self._how_to_get_it}. (An archive of your own needs another name.)"
            )

    def _parse(self, name: str, content: bytes, count: int, version: Version) -> tuple[np.ndarray, np.ndarray]:
        """The images (count, 32, 32, 3) and labels (count,) of a file."""
        pixels, labels = (self._parse_python if version.pickled else self._parse_binary)(name, content, count)
        if labels.max() >= len(self.classes):
            bad = int(labels.argmax())
            raise DataError(
                f"{name} has the label {labels[bad]} in record {bad}; {self.title}'s labels are 0 to "
                f"{len(self.classes) - 1}"
            )
        images = pixels.reshape(-1, 3, 32, 32)  # (N, C, H, W)
        return np.ascontiguousarray(images.transpose(0, 2, 3, 1)), labels

    def _parse_binary(self, name: str, content: bytes, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The pixels (count, 3072) and labels (count,) of a file of the binary version."""
        size = self.label_bytes + PIXEL_BYTES  # of a record
        if len(content) != count * size:
            raise DataError(
                f"{name} must have {count * size:,} bytes, got {len(content):,}: truncated, or another file; "
                f"{self._how_to_get_it}"
            )
        records = np.frombuffer(content, np.uint8).reshape(count, size)
        return records[:, self.label_bytes :], records[:, self.label_bytes - 1].astype(np.int64)

    def _parse_python(self, name: str, content: bytes, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The same of a file of the python version."""
        try:
            batch = unpickle(content, most_steps=100 + 10 * count)  # it takes three or four for each image
            if type(batch) is not dict:
                raise UnpickleError(f"a dict expected, got {type(batch).__name__}")
            pixels = as_bytes_array(batch.get(b"data"), (count, PIXEL_BYTES))
        except UnpickleError as error:
            wanted = f"a file of {self.title}'s python version"
            raise DataError(f"{name} is not {wanted} ({error}); {self._how_to_get_it}") from None
        labels = batch.get(self.labels_key)
        if (
            type(labels) is not list
            or len(labels) != count
            or not all(type(k) is int and 0 <= k < 2**31 for k in labels)
        ):
            key = self.labels_key.decode()
            raise DataError(f"{name} must have a list of {count:,} labels under {key!r}; {self._how_to_get_it}")
        return pixels, np.array(labels, np.int64)


def _cache() -> Path:
    import pooch

    return Path(pooch.os_cache("resnet_scratch"))
