"""Your own data: a folder for each class, or arrays."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from resnet_scratch.cli import main
from resnet_scratch.data import DataError, Dataset, load, load_folder
from resnet_scratch.data.folder import left_out
from resnet_scratch.data.image_files import ImageFileError
from resnet_scratch.errors import UserError
from resnet_scratch.experiment import storage

COLOURS = {"blue": (0, 10, 200), "red": (200, 30, 0)}


def write(folder, count):
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for k in range(count):
            Image.new("RGB", (20 + k, 40), colour).save(folder / name / f"{k}.png")


@pytest.mark.parametrize("test", ["test", "val", "valid", "validation"])
def test_train_and_test_folders(tmp_path, test):
    write(tmp_path / "train", 3)
    write(tmp_path / test, 2)
    for name in ("notes.txt", "map.pgm"):  # Pillow could read the second one, `read_image_file` does not
        (tmp_path / "train" / "red" / name).write_text("P2 1 1 255 9")
    Image.new("L", (9, 9), 77).save(tmp_path / "train" / "red" / "grey.png")
    data = load(str(tmp_path), image_size=8)
    assert data.classes == ("blue", "red") and data.train_images.shape == (7, 8, 8, 3) and len(data.test_images) == 4
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1, 1] and data.test_labels.tolist() == [0, 0, 1, 1]
    assert (data.train_images[0] == COLOURS["blue"]).all() and (data.test_images[3] == COLOURS["red"]).all()
    assert (data.train_images[6] == 77).all()


def test_without_a_test_folder_a_fifth_is_held_out_always_the_same(tmp_path):
    write(tmp_path, 10)
    first, again = load(str(tmp_path)), load(str(tmp_path))
    assert len(first.train_images) == 16 and len(first.test_images) == 4
    assert (first.test_labels == again.test_labels).all() and first.train_labels.sum() + first.test_labels.sum() == 10


def test_the_fifth_is_one_of_each_class_and_each_class_is_trained_on(tmp_path):
    for name, count in {"many": 60, "four": 4, "one": 1}.items():
        (tmp_path / name).mkdir()
        for k in range(count):
            Image.new("L", (4, 4), k).save(tmp_path / name / f"{k}.png")
    data = load(str(tmp_path), image_size=4)
    assert data.classes == ("four", "many", "one")
    assert np.bincount(data.train_labels, minlength=3).tolist() == [3, 48, 1]
    assert np.bincount(data.test_labels, minlength=3).tolist() == [1, 12, 0]
    for label, count in enumerate((4, 60, 1)):  # nothing lost, nothing twice
        grey = [images[labels == label, 0, 0, 0] for images, labels in (
            (data.train_images, data.train_labels), (data.test_images, data.test_labels))]  # fmt: skip
        assert sorted(np.concatenate(grey)) == list(range(count))
    assert len(set(np.diff(data.train_labels))) > 1  # shuffled, not class by class
    with pytest.raises(DataError, match="images must be at least 2 of a class"):
        Dataset.from_arrays(np.zeros((3, 4, 4), np.uint8), np.arange(3), ["a", "b", "c"])


def test_a_train_folder_alone_is_divided(tmp_path):
    write(tmp_path / "train", 10)
    (tmp_path / "notes").mkdir()
    data = load(str(tmp_path))
    assert data.classes == ("blue", "red") and (len(data.train_images), len(data.test_images)) == (16, 4)


def test_a_class_may_be_called_train(tmp_path):
    write(tmp_path, 2)
    (tmp_path / "blue").rename(tmp_path / "train")
    assert load(str(tmp_path)).classes == ("red", "train")


def test_of_two_test_folders_the_other_is_named(tmp_path):
    for part, count in (("train", 3), ("test", 2), ("val", 1)):
        write(tmp_path / part, count)
    with pytest.warns(UserWarning, match="test is used for testing, not val"):
        assert len(load(str(tmp_path)).test_images) == 4


@pytest.mark.parametrize("train, test", [("train", "Test"), ("Train", "TEST"), ("TRAIN", "Validation")])
def test_the_names_of_these_folders_may_have_capitals(tmp_path, train, test):
    write(tmp_path / train, 3)
    write(tmp_path / test, 2)
    data = load(str(tmp_path))
    assert data.classes == ("blue", "red") and (len(data.train_images), len(data.test_images)) == (6, 4)


def test_of_two_folders_with_training_images_one_is_used_and_the_other_named(tmp_path):
    write(tmp_path / "train", 4)
    write(tmp_path / "Train", 3)
    if len(list(tmp_path.iterdir())) == 2:  # the file system tells them apart
        with pytest.warns(UserWarning, match="train is used for training, not Train"):
            load(str(tmp_path))


def test_what_is_left_out_is_counted(tmp_path):
    write(tmp_path / "train", 2)
    write(tmp_path / "test", 1)
    (tmp_path / "train" / "red" / "more" / "deep").mkdir(parents=True)
    (tmp_path / "train" / "red" / ".cache").mkdir()
    for name in ("train/a.png", "train/red/b.heic", "train/red/more/c.JPG", "train/red/more/deep/d.jpg",
                 "train/red/more/e.heic", "test/f.png", "test/blue/note", "train/red/.cache/g.png"):  # fmt: skip
        (tmp_path / name).touch()
    assert left_out(tmp_path) == {
        ".png beside the class folders": 2, ".heic": 1, ".jpg in folders inside a class folder": 2,
        ".heic in folders inside a class folder": 1, "note": 1,
    }  # fmt: skip


def test_a_class_that_only_the_test_images_have_is_named(tmp_path):
    write(tmp_path / "train", 2)
    write(tmp_path / "test", 1)
    (tmp_path / "test" / "green").mkdir()
    with pytest.raises(DataError, match="test must have the classes of the training images only, got also green"):
        load(str(tmp_path))


def test_a_single_class_is_refused_and_named(tmp_path):
    write(tmp_path / "photos", 2)  # one level too deep
    with pytest.raises(DataError, match="a folder of images for each class, at least two; got only photos"):
        load(str(tmp_path))


def test_all_files_that_cannot_be_read_are_told_at_once(tmp_path):
    for part, count in (("train", 16), ("test", 6)):
        write(tmp_path / part, count)
    for k in range(12):
        (tmp_path / "train" / "red" / f"{k}.png").write_bytes(b"spoilt")
    (tmp_path / "test" / "red" / "5.png").write_bytes(b"spoilt")
    with pytest.raises(ImageFileError, match="13 of 44 files cannot be read; move them away:") as raised:
        load(str(tmp_path))
    assert str(raised.value).count(".png cannot be read") == 10 and str(raised.value).endswith("and 3 more")
    for k in range(12):
        (tmp_path / "train" / "red" / f"{k}.png").unlink()
    with pytest.raises(ImageFileError, match=r"1 of 32 files .*\n.*test/red/5.png cannot be read"):
        load(str(tmp_path))


def test_what_load_does_not_use_is_refused(tmp_path):
    write(tmp_path, 2)
    with pytest.raises(TypeError, match="positional"):
        load(str(tmp_path), 16)
    with pytest.raises(DataError, match="data_dir .* leave it out for the folder"):
        load(str(tmp_path), data_dir=tmp_path)
    for call in (lambda: load(str(tmp_path), image_size="16"), lambda: load_folder(tmp_path, "16")):
        with pytest.raises(UserError, match="image_size must be a whole number of at least 1, got '16'"):
            call()


def test_a_run_on_a_folder_is_named_after_it_and_promises_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my photos", 15)  # 24 of the 30 to train on
    command = ("train", "--data", "my photos", "--image-size", "8", "--epochs", "1", "--device", "cpu")
    result = CliRunner().invoke(main, [*command, "--batch-size", "13"])
    assert result.exit_code == 0, result.output
    assert "1 step of 13 images" in result.output and "each epoch leaves out 11 of 24 images" in result.output
    (folder,) = (tmp_path / "runs").iterdir()
    recipe = json.loads((folder / "config.json").read_text())["recipe"]
    assert folder.name.startswith("my photos-resnet8-") and (recipe["name"], recipe["expect"]) == ("shapes", "")
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "training images, 24, got 128; try --batch-size 16" in " ".join(result.output.split())


@pytest.mark.parametrize("arguments, told", [
    (("train", "--image-size", "16"), "--image-size is for images from a folder; those of shapes keep their size"),
    (("data", "--data", "cifar10", "--image-size", "16"), "those of cifar10 keep their size"),
    (("train", "--recipe", "cifar10-quick", "--data", ".", "--image-size", "48"),
     "the recipe cifar10-quick trains at 24 and 32 pixels; leave out --image-size"),
])  # fmt: skip
def test_an_image_size_without_effect_is_refused(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2 and told in " ".join(result.output.split()) and not list(tmp_path.iterdir())


def test_mirror_images_are_allowed_where_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine", 10)

    def run(*arguments):
        result = CliRunner().invoke(main, arguments)
        return " ".join(result.output.split())

    for arguments, told in (((), "images not allowed"), (("--mirror",), "images allowed")):
        assert told in run("data", "--data", "mine", *arguments)
    for command in ("data", "train"):
        assert "--mirror is for images from a folder; shapes decides" in run(command, "--mirror")
    # a recipe that evaluates with mirror images too
    quick = ("train", "--recipe", "cifar10-quick", "--model", "resnet8", "--batch-size", "8", "--epochs", "1")
    trained = run(*quick, "--data", "mine", "--mirror", "--run-dir", "run", "--device", "cpu")
    accuracy = re.search(r"Final test accuracy ([\d.]+%) \(loss ([\d.]+)\)", trained).groups()
    resumed = storage.resume(tmp_path / "run", "cpu")
    resumed.lock.release()
    assert resumed.settings.mirror and resumed.dataset.mirror
    evaluated = run("evaluate", "run", "--device", "cpu")
    assert "and their mirror images: accuracy {}, loss {}".format(*accuracy) in evaluated


def test_names_of_classes_are_no_patterns_and_hidden_files_no_images(tmp_path):
    for name, colour in {"[ab]": 10, "a": 20, "a*": 30, "?": 40}.items():
        (tmp_path / name).mkdir()
        for file in ("0.png", "1.JPE", "2.jfif"):
            Image.new("L", (4, 4), colour).save(tmp_path / name / file, "png" if file == "0.png" else "jpeg")
        (tmp_path / name / "._0.png").write_bytes(b"\0\5\x16\7")  # macOS puts it there
    data = load(str(tmp_path), image_size=4)
    shown = dict(zip([*data.train_labels, *data.test_labels], [*data.train_images, *data.test_images]))
    assert len(data.train_images) == 8 and len(data.test_images) == 4
    assert data.classes == ("?", "[ab]", "a", "a*") and [int(shown[k].max()) for k in range(4)] == [40, 10, 20, 30]


def test_a_class_that_only_the_training_images_have_is_named(tmp_path):
    write(tmp_path / "train", 2)
    write(tmp_path / "val", 1)
    (tmp_path / "val" / "red" / "0.png").unlink()
    (tmp_path / "val" / "red").rmdir()
    with pytest.raises(DataError, match="val/red has no image files"):
        load(str(tmp_path))


@pytest.mark.parametrize("name", ["", "~nobody-of-this-name/x"])
def test_a_name_that_is_no_folder_is_told(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 2)  # the current folder, which "" does not mean
    with pytest.raises(DataError, match=f"there is no data set '{name}'"):
        load(name)
    result = CliRunner().invoke(main, ["data", "--data", name])
    assert result.exit_code == 2 and f"there is no data set '{name}'" in " ".join(result.output.split())


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(DataError, match="must have a folder of images for each class"):
        load(str(tmp_path))
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="cat has no image files"):
        load(str(tmp_path))


def test_arrays_grey_ones_too():
    images = np.arange(10 * 4 * 5, dtype=np.uint8).reshape(10, 4, 5)
    data = Dataset.from_arrays(images[:7], np.arange(7) % 2, ["a", "b"], test=(images[7:], [0, 1, 1]))
    assert data.train_images.shape == (7, 4, 5, 3) and data.test_labels.tolist() == [0, 1, 1]
    assert (data.test_images[2, 3, 4] == 199).all()
    split = Dataset.from_arrays(images, np.arange(10) % 2, ["a", "b"])
    assert len(split.train_images) == 8 and len(split.test_images) == 2


@pytest.mark.parametrize("images, labels, message", [
    (np.zeros((2, 4, 4, 3)), [0, 1], r"train_images must be \(N, H, W, 3\) uint8.*float64"),
    (np.zeros((2, 4, 4, 2), np.uint8), [0, 1], r"images must be .* got \(2, 4, 4, 2\)"),
    (np.zeros((0, 4, 4, 3), np.uint8), [], "images must be"),
    (np.zeros((2, 4, 4, 3), np.uint8), [0], "labels must be whole numbers, one for each of the 2 images"),
    (np.zeros((2, 4, 4, 3), np.uint8), [0.0, 1.0], r"labels must be whole numbers.*got \(2,\) float64"),
    (np.zeros((2, 4, 4, 3), np.uint8), [0, 2], "labels must be 0 to 1, .* got 0 to 2"),
])  # fmt: skip
def test_other_arrays_are_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        Dataset.from_arrays(images, labels, ["a", "b"])


def test_a_folder_is_shown_trained_on_and_evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine", 10)

    def run(*arguments, status=0):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == status, result.output
        return " ".join(result.output.split()) if status else result.output

    for name in ("a.HEIC", "b.heic", "Thumbs.db", ".hidden"):
        (tmp_path / "mine" / "red" / name).touch()
    shown = run("data", "--data", "mine", "--image-size", 8)
    assert shown.endswith("\nleft out: 2 .heic, 1 .db\n")
    assert "16 training and 4 test images\n8 x 8 pixels" in shown
    run(
        "train",
        "--data",
        "mine",
        "--image-size",
        8,
        "--epochs",
        1,
        "--batch-size",
        8,
        "--run-dir",
        "run",
        "--device",
        "cpu",
    )
    assert "4 test images" in run("evaluate", "run", "--device", "cpu")
    (tmp_path / "mine").rename("moved")
    resume = ("train", "--resume", "run", "--epochs", 2, "--device", "cpu")
    moved = run(*resume, status=2)
    assert "there is no data set" in moved and moved.endswith("train --resume run --data FOLDER")
    write(tmp_path / "other", 11)
    assert "are not those that the run in run was started with" in run(*resume, "--data", "other", status=2)
    assert "after step 2 of 4" in run(*resume, "--data", "moved")
    assert "4 test images" in run("evaluate", "run", "--device", "cpu")  # it knows where they are now
    result = CliRunner().invoke(main, ["data", "--data", "nowhere"])
    assert result.exit_code == 2 and "there is no data set 'nowhere'" in result.output
