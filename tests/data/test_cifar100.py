"""CIFAR-100 has two labels, another layout of files and other names. What it shares: test_cifar10.py."""

import archives
import numpy as np
import pytest

from resnet_scratch.data import DataError, cifar100, load


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Three images in each file."""
    monkeypatch.setattr(cifar100, "CIFAR100", archives.CIFAR100)


@pytest.mark.parametrize("version", archives.CIFAR100.versions, ids=lambda version: version.folder)
def test_both_versions_have_the_same_images_and_fine_labels(tmp_path, version):
    paths = [archives.write(tmp_path / "c.tar.gz", version), archives.unpack(tmp_path / "unpacked", version)]
    for path in (*paths, tmp_path / "unpacked"):
        data = load("cifar100", data_dir=path)
        assert data.name == "cifar100" and data.train_images.shape == data.test_images.shape == (3, 32, 32, 3)
        assert data.train_labels.tolist() == [99, 98, 97] and data.test_labels.tolist() == [98, 97, 96]
        # byte 1024 * plane + 32 * row + column of image i in file f is that number + i + f, modulo 256
        assert data.train_images[2, 5, 7, 1] == (1024 + 32 * 5 + 7 + 2) % 256
        assert data.test_images[0, 31, 30, 2] == (2048 + 32 * 31 + 30 + 1) % 256
        assert data.classes[99] == "worm"


def test_the_layout_is_the_published_one():
    for version, md5 in zip((cifar100.BINARY, cifar100.PYTHON), (
        "03b5dce01913d631647c71ecec9e9cb8", "eb9058c3a382ffc7106e4002c42a8d85"
    )):  # fmt: skip
        assert version.md5 == md5 and list(version.records.values()) == [50_000, 10_000]
    assert [(v.folder, list(v.records), v.size) for v in (cifar100.PYTHON, cifar100.BINARY)] == [
        ("cifar-100-python", ["train", "test"], 169_001_437),
        ("cifar-100-binary", ["train.bin", "test.bin"], 168_513_733),
    ]
    assert len(cifar100.CLASSES) == len(set(cifar100.CLASSES)) == 100 and list(cifar100.CLASSES) == sorted(
        cifar100.CLASSES
    )
    assert [cifar100.CLASSES[k] for k in (0, 1, 49, 98)] == ["apple", "aquarium_fish", "mountain", "woman"]


def test_cifar10_is_not_taken_for_it(tmp_path):
    folder = archives.unpack(tmp_path, archives.BINARY)
    with pytest.raises(DataError, match="has no train.bin, so it is not all of CIFAR-100; download .*cifar-100-binary"):
        load("cifar100", data_dir=folder)


def test_a_label_above_99_is_named(tmp_path):
    folder = archives.unpack(tmp_path, archives.CIFAR100.versions[1])
    rows = np.frombuffer((folder / "test.bin").read_bytes(), np.uint8).reshape(3, 3074).copy()
    rows[1, 1] = 100
    (folder / "test.bin").write_bytes(rows.tobytes())
    with pytest.raises(DataError, match="test.bin has the label 100 in record 1; CIFAR-100's labels are 0 to 99"):
        load("cifar100", data_dir=folder)
