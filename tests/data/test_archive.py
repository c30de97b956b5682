from __future__ import annotations

import gzip
import io
import tarfile

import archives
import numpy as np
import pytest

from resnet_scratch.data import DataError, cifar10, load
from resnet_scratch.data.archive import read_archive


@pytest.fixture(autouse=True)
def few_records(monkeypatch):
    monkeypatch.setattr(cifar10, "CIFAR10", archives.CIFAR10)


@pytest.mark.parametrize("version", archives.CIFAR10.versions, ids=lambda version: version.folder)
def test_flipped_bits_never_load_silently(tmp_path, version):
    path = archives.write(tmp_path / "c.tar.gz", version)
    whole, content = load("cifar10", data_dir=path), bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    refused = 0
    for position in rng.integers(0, len(content) * 8, 400):
        content[position // 8] ^= 1 << position % 8
        path.write_bytes(content)
        content[position // 8] ^= 1 << position % 8
        try:
            data = load("cifar10", data_dir=path)
        except DataError:
            refused += 1
        else:  # a bit that means nothing: gzip stores a time and a file name, with no checksum
            assert np.array_equal(data.train_images, whole.train_images), position
            assert np.array_equal(data.train_labels, whole.train_labels), position
    assert refused > 300


def test_a_truncated_archive_is_refused_wherever_it_ends(tmp_path):
    content = archives.write(tmp_path / "c.tar.gz", archives.BINARY).read_bytes()
    for length in (*range(0, len(content), 97), len(content) - 1):
        (tmp_path / "cut").write_bytes(content[:length])
        with pytest.raises(DataError, match="cut is not a complete .tar.gz archive"):
            load("cifar10", data_dir=tmp_path / "cut")


KINDS = [
    (tarfile.DIRTYPE, "a folder"),
    (tarfile.CHRTYPE, "a device"),
    (tarfile.BLKTYPE, "a device"),
    (tarfile.FIFOTYPE, "a pipe"),
    (tarfile.SYMTYPE, "a symbolic link"),
    (tarfile.LNKTYPE, "a link"),
    (tarfile.GNUTYPE_SPARSE, "something else"),
]


@pytest.mark.parametrize("kind, name", KINDS)
@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_a_member_that_is_no_file_is_refused(tmp_path, kind, name, format):
    def change(member):
        if member.name.endswith("data_batch_2.bin"):
            member.type, member.linkname, member.size = kind, member.name, 0  # a link: to itself

    path = archives.write(tmp_path / "c.tar.gz", archives.BINARY, change, format=format)
    with pytest.raises(DataError, match=f"data_batch_2.bin must be a file, got {name};"):
        load("cifar10", data_dir=path)


def header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("size", [20 * 2**30, 2**60])
def test_a_member_that_claims_to_be_huge_is_refused_before_it_is_read(tmp_path, size):
    with gzip.open(tmp_path / "c.tar.gz", "w") as file:
        file.write(header("cifar-10-batches-bin/test_batch.bin", size))
    with pytest.raises(DataError, match=f"test_batch.bin must have at most 18,438 bytes, got {size:,}"):
        load("cifar10", data_dir=tmp_path / "c.tar.gz")


def test_a_negative_size_is_refused(tmp_path):
    with gzip.open(tmp_path / "c.tar.gz", "w") as file:
        file.write(header("cifar-10-batches-bin/test_batch.bin", -512))
    with pytest.raises(DataError, match="has the size -512"):
        load("cifar10", data_dir=tmp_path / "c.tar.gz")


@pytest.mark.parametrize("first", [header("readme", 2**40), header("x", 10) * 2, b""])
def test_a_bomb_is_refused_once_it_is_larger_than_cifar10(tmp_path, first):
    with gzip.open(tmp_path / "c.tar.gz", "w", compresslevel=1) as file:
        file.write(first)
        for _ in range(64):
            file.write(bytes(2**20))
    limits = {"a": 1000, "b": 1000}
    with pytest.raises(DataError, match="unpacks to more than 1,050,576 bytes, so it is another archive"):
        read_archive(tmp_path / "c.tar.gz", limits)


def test_other_members_are_passed_over(tmp_path):
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        for name, content in (("./readme", b"r" * 700), ("./a", b"aa"), ("b", b""), ("../c", b"c")):
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1.5  # a fraction of a second makes an extended header
            archive.addfile(member, io.BytesIO(content))
    assert read_archive(tmp_path / "c.tar.gz", {"a": 2, "b": 2, "c": 2}) == {"a": b"aa", "b": b""}
