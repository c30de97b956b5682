import io
import tarfile

import numpy as np
import pytest

from resnet_scratch.data import DataError, cifar10, load

FILES = [f"data_batch_{k}.bin" for k in range(1, 6)] + ["test_batch.bin"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in CIFAR-10's binary layout. Record i of file f has label i % 10 and bytes i + f + k mod 256."""
    folder = tmp_path_factory.mktemp("data") / "cifar-10-batches-bin"
    folder.mkdir()
    for f, name in enumerate(FILES):
        records = np.empty((10_000, 3073), np.uint8)
        records[:, 0] = np.arange(10_000) % 10
        records[:, 1:] = np.arange(3072) + np.arange(10_000)[:, None] + f
        records.tofile(folder / name)
    return folder


@pytest.mark.parametrize("outer", [False, True])
def test_channels_come_last(folder, outer):
    data = load("cifar10", folder.parent if outer else folder)
    assert data.train_images.shape == (50_000, 32, 32, 3) and data.test_images.shape == (10_000, 32, 32, 3)
    assert (
        data.train_labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1] and data.train_labels.dtype == np.int64
    )
    # byte 1024 * plane + 32 * row + column of record 3 in the third file, which is training image 20,003
    for row, column, plane in [(0, 0, 0), (5, 7, 0), (5, 7, 1), (31, 31, 2)]:
        assert data.train_images[20_003, row, column, plane] == (1024 * plane + 32 * row + column + 3 + 2) % 256
    assert data.test_images[0, 0, 1, 0] == 1 + 5
    assert data.mirror and data.classes[0] == "airplane" and data.classes[9] == "truck"


def test_the_environment_variable_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv("RESNET_SCRATCH_DATA", str(folder))
    assert len(load("cifar10").train_images) == 50_000


def test_reads_an_archive(folder, tmp_path):
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(folder, "cifar-10-batches-bin")
    data = load("cifar10", tmp_path / "c.tar.gz")
    assert data.train_images[20_003, 5, 7, 1] == (1024 + 32 * 5 + 7 + 3 + 2) % 256


def test_a_missing_file_is_named(folder, tmp_path):
    (tmp_path / FILES[0]).write_bytes((folder / FILES[0]).read_bytes())
    with pytest.raises(DataError, match="has no data_batch_2.bin.*--data-dir"):
        load("cifar10", tmp_path)


def test_a_truncated_file_is_named(folder, tmp_path):
    (tmp_path / FILES[0]).write_bytes((folder / FILES[0]).read_bytes()[:-1])
    with pytest.raises(DataError, match="data_batch_1.bin must have 30,730,000 bytes, got 30,729,999"):
        load("cifar10", tmp_path)


def test_a_label_above_nine_is_named(folder, tmp_path):
    content = bytearray((folder / FILES[0]).read_bytes())
    content[3073 * 7] = 10
    (tmp_path / FILES[0]).write_bytes(content)
    with pytest.raises(DataError, match="label 10 in record 7"):
        load("cifar10", tmp_path)


def test_a_missing_path_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="there is no file or folder .*nowhere; download https"):
        load("cifar10", tmp_path / "nowhere")


def test_a_file_that_is_not_an_archive_is_an_error(tmp_path):
    (tmp_path / "c.tar.gz").write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match="is not a complete .tar.gz archive"):
        load("cifar10", tmp_path / "c.tar.gz")


def test_an_archive_of_something_else_is_an_error(tmp_path):
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("hello.txt"), io.BytesIO())
    with pytest.raises(DataError, match="has no cifar-10-batches-bin/data_batch_1.bin"):
        load("cifar10", tmp_path / "c.tar.gz")


def test_without_a_network_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("RESNET_SCRATCH_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path)
    monkeypatch.setattr(cifar10, "URL", "http://127.0.0.1:9/cifar-10-binary.tar.gz")  # nothing listens on port 9
    with pytest.raises(DataError, match="could not be downloaded .*--data-dir"):
        load("cifar10")


def test_the_checksum_is_the_published_one():
    assert cifar10.MD5 == "c32a1d4ab5d03f1284b67883e8d87530"
