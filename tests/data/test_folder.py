"""Your own data: a folder for each class, or arrays."""

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from resnet_scratch.cli import main
from resnet_scratch.data import DataError, Dataset, load

COLOURS = {"blue": (0, 10, 200), "red": (200, 30, 0)}


def write(folder, count):
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for k in range(count):
            Image.new("RGB", (20 + k, 40), colour).save(folder / name / f"{k}.png")


@pytest.mark.parametrize("test", ["test", "val"])
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


def test_names_of_classes_are_no_patterns_and_hidden_files_no_images(tmp_path):
    for name, colour in {"[ab]": 10, "a": 20, "a*": 30, "?": 40}.items():
        (tmp_path / name).mkdir()
        Image.new("L", (4, 4), colour).save(tmp_path / name / "0.png")
        (tmp_path / name / "._0.png").write_bytes(b"\0\5\x16\7")  # macOS puts it there
    data = load(str(tmp_path), image_size=4)
    shown = dict(zip([*data.train_labels, *data.test_labels], [*data.train_images, *data.test_images]))
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
    (tmp_path / "cat").mkdir()
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

    shown = run("data", "--data", "mine", "--image-size", 8)
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
    assert "there is no data set" in run(*resume, status=2)
    write(tmp_path / "other", 11)
    assert "are not those that the run in run was started with" in run(*resume, "--data", "other", status=2)
    assert "after step 2 of 4" in run(*resume, "--data", "moved")
    assert "4 test images" in run("evaluate", "run", "--device", "cpu")  # it knows where they are now
    result = CliRunner().invoke(main, ["data", "--data", "nowhere"])
    assert result.exit_code == 2 and "there is no data set 'nowhere'" in result.output
