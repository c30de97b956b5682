import dataclasses
import hashlib
import io
import tarfile

import archives
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
    data = load("cifar10", data_dir=folder.parent if outer else folder)
    assert data.train_images.shape == (50_000, 32, 32, 3) and data.test_images.shape == (10_000, 32, 32, 3)
    assert (
        data.train_labels[:12].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1] and data.train_labels.dtype == np.int64
    )
    # byte 1024 * plane + 32 * row + column of record 3 in the third file, which is training image 20,003
    for row, column, plane in [(0, 0, 0), (5, 7, 0), (5, 7, 1), (31, 31, 2)]:
        assert data.train_images[20_003, row, column, plane] == (1024 * plane + 32 * row + column + 3 + 2) % 256
    assert data.test_images[0, 0, 1, 0] == 1 + 5
    assert data.mirror and data.classes[0] == "airplane" and data.classes[9] == "truck"


def test_the_layout_is_the_published_one():
    for version, folder, ending, size in [
        (cifar10.PYTHON, "cifar-10-batches-py", "", 170_498_071),
        (cifar10.BINARY, "cifar-10-batches-bin", ".bin", 170_052_171),
    ]:
        assert version.folder == folder and version.size == size
        assert version.records == {name.replace(".bin", ending): 10_000 for name in FILES}
    assert cifar10.CLASSES == tuple("airplane automobile bird cat deer dog frog horse ship truck".split())


def test_the_environment_variable_names_the_folder(folder, monkeypatch):
    monkeypatch.setenv("RESNET_SCRATCH_DATA", str(folder))
    assert len(load("cifar10").train_images) == 50_000


def test_reads_an_archive(folder, tmp_path):
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz", compresslevel=1) as archive:
        archive.add(folder, "cifar-10-batches-bin")
    data = load("cifar10", data_dir=tmp_path / "c.tar.gz")
    assert data.train_images[20_003, 5, 7, 1] == (1024 + 32 * 5 + 7 + 3 + 2) % 256


def test_a_missing_file_is_named(folder, tmp_path):
    (tmp_path / FILES[0]).write_bytes((folder / FILES[0]).read_bytes())
    with pytest.raises(DataError, match="has no data_batch_2.bin.*--data-dir"):
        load("cifar10", data_dir=tmp_path)


def test_a_truncated_file_is_named(folder, tmp_path):
    (tmp_path / FILES[0]).write_bytes((folder / FILES[0]).read_bytes()[:-1])
    with pytest.raises(DataError, match="data_batch_1.bin must have 30,730,000 bytes, got 30,729,999"):
        load("cifar10", data_dir=tmp_path)


def test_a_label_above_nine_is_named(folder, tmp_path):
    content = bytearray((folder / FILES[0]).read_bytes())
    content[3073 * 7] = 10
    (tmp_path / FILES[0]).write_bytes(content)
    with pytest.raises(DataError, match="label 10 in record 7"):
        load("cifar10", data_dir=tmp_path)


def test_a_missing_path_says_what_to_do(tmp_path):
    with pytest.raises(DataError, match="there is no file or folder .*nowhere; download https"):
        load("cifar10", data_dir=tmp_path / "nowhere")


def test_a_file_that_is_not_an_archive_is_an_error(tmp_path):
    (tmp_path / "c.tar.gz").write_bytes(b"<html>not found</html>")
    told = r"is not a complete .tar.gz archive \(.*\); download https:.* yourself and pass its path with --data-dir"
    with pytest.raises(DataError, match=told) as raised:
        load("cifar10", data_dir=tmp_path / "c.tar.gz")
    assert "delete" not in str(raised.value)  # it is the user's file


def test_an_archive_of_something_else_is_an_error(tmp_path):
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("hello.txt"), io.BytesIO())
    with pytest.raises(DataError, match="has no cifar-10-batches-bin/data_batch_1.bin.*--data-dir"):
        load("cifar10", data_dir=tmp_path / "c.tar.gz")


@pytest.fixture
def few(monkeypatch):
    """CIFAR-10 with three images in each file."""
    monkeypatch.setattr(cifar10, "CIFAR10", archives.CIFAR10)


@pytest.mark.parametrize("version", archives.CIFAR10.versions, ids=lambda version: version.folder)
def test_a_damaged_official_archive_is_refused_by_its_name_and_by_its_size(few, tmp_path, monkeypatch, version):
    official = archives.write(tmp_path / version.archive, version)
    with pytest.raises(
        DataError, match=f"MD5 is {version.md5}, got [0-9a-f]{{32}}: it is damaged or incomplete; download"
    ):
        load("cifar10", data_dir=official)
    renamed = official.rename(tmp_path / "mine.tar.gz")
    assert len(load("cifar10", data_dir=renamed).test_images) == archives.RECORDS
    same_size = dataclasses.replace(version, size=renamed.stat().st_size)
    monkeypatch.setattr(cifar10, "CIFAR10", dataclasses.replace(archives.CIFAR10, versions=(same_size,)))
    with pytest.raises(DataError, match="it is damaged"):
        load("cifar10", data_dir=renamed)


def test_both_versions_have_the_same_images_as_archives_and_as_folders(few, tmp_path):
    for version in archives.CIFAR10.versions:
        for path in (archives.write(tmp_path / "c.tar.gz", version), archives.unpack(tmp_path, version)):
            data = load("cifar10", data_dir=path)
            images = [archives.records(f)[:, 1:].reshape(-1, 3, 32, 32) for f in range(6)]
            np.testing.assert_array_equal(data.train_images.transpose(0, 3, 1, 2), np.concatenate(images[:5]))
            np.testing.assert_array_equal(data.test_images.transpose(0, 3, 1, 2), images[5])
            assert data.train_labels.tolist() == [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6]
            assert data.test_labels.tolist() == [5, 6, 7] and data.train_labels.dtype == np.int64


@pytest.mark.parametrize("version", archives.CIFAR10.versions, ids=lambda version: version.folder)
def test_an_archive_is_found_in_its_folder_unless_its_files_are_there_too(few, tmp_path, monkeypatch, version):
    path = archives.write(tmp_path / version.archive, version)
    right = dataclasses.replace(version, md5=hashlib.md5(path.read_bytes()).hexdigest())
    monkeypatch.setattr(cifar10, "CIFAR10", dataclasses.replace(archives.CIFAR10, versions=(right,)))
    assert load("cifar10", data_dir=tmp_path).test_labels.tolist() == [5, 6, 7]
    path.write_bytes(b"damaged")
    with pytest.raises(DataError, match="is damaged"):
        load("cifar10", data_dir=tmp_path)
    archives.unpack(tmp_path, version)
    assert load("cifar10", data_dir=tmp_path).test_labels.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    "change, message",
    [
        ({b"labels": [0, 1]}, "a list of 3 labels"),
        ({b"labels": [0, 1, 10**9]}, "label 1000000000 in record 2"),
        ({b"labels": [0, 1, 2**70]}, "a list of 3 labels"),
        ({b"labels": [0, 1, b"x"]}, "a list of 3 labels"),
        ({b"data": np.zeros((3, 3071), np.uint8)}, r"a uint8 array of the shape \(3, 3072\) expected"),
        ({b"data": np.zeros((3, 3072), np.int8)}, "uint8"),
        ({b"data": [1]}, "an array expected"),
    ],
)
def test_a_batch_of_something_else_is_named(few, tmp_path, change, message):
    batch = {b"labels": [0, 1, 2], b"data": np.zeros((3, 3072), np.uint8)}
    (tmp_path / "data_batch_1").write_bytes(archives.pickled({**batch, **change}))
    for name in list(archives.PYTHON.records)[1:]:
        (tmp_path / name).write_bytes(archives.pickled(batch))
    with pytest.raises(DataError, match=f"data_batch_1 .*{message}"):
        load("cifar10", data_dir=tmp_path)


def test_the_checksums_are_the_published_ones():
    assert cifar10.BINARY.md5 == "c32a1d4ab5d03f1284b67883e8d87530"
    assert cifar10.PYTHON.md5 == "c58f30108f718f92721af3b95e74349a"


def test_a_path_that_is_passed_goes_before_the_environment_variable(few, tmp_path, monkeypatch):
    monkeypatch.setenv("RESNET_SCRATCH_DATA", str(tmp_path / "nowhere"))
    folder = archives.unpack(tmp_path, archives.BINARY)
    assert load("cifar10", data_dir=folder).test_labels.tolist() == [5, 6, 7]
    with pytest.raises(DataError, match="nowhere, which RESNET_SCRATCH_DATA names; download"):
        load("cifar10")
