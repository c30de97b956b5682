import dataclasses

import numpy as np
import pytest

from resnet_scratch.data import DataError, Dataset, load


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 4, 5, 3), dtype=np.uint8)
    return Dataset("test", ("a", "b"), images[:20], np.arange(20) % 2, images[20:], np.arange(10) % 2, mirror=True)


def test_mean_and_std_are_those_of_the_training_pixels(dataset):
    pixels = dataset.train_images.reshape(-1, 3).astype(np.float64) / 255
    np.testing.assert_allclose(dataset.mean, pixels.mean(0), rtol=1e-6)
    np.testing.assert_allclose(dataset.std, pixels.std(0), rtol=1e-6)
    assert dataset.mean.dtype == dataset.std.dtype == np.float32


def test_split_divides_the_training_set_and_hides_the_test_set(dataset):
    split = dataset.split(validation=6, seed=3)
    assert len(split.train_images) == 14 and len(split.test_images) == 6
    both = np.concatenate([split.train_images, split.test_images])
    assert {image.tobytes() for image in both} == {image.tobytes() for image in dataset.train_images}
    label_of = {image.tobytes(): label for image, label in zip(dataset.train_images, dataset.train_labels)}
    assert all(label_of[i.tobytes()] == label for i, label in zip(split.test_images, split.test_labels))
    assert all(label_of[i.tobytes()] == label for i, label in zip(split.train_images, split.train_labels))


def test_split_is_drawn_at_random_from_its_seed():
    """The images lie class by class."""
    images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    data = Dataset("sorted", ("a", "b"), images, np.arange(40) // 20, images[:1], np.zeros(1, int), mirror=False)
    first, again, other = (data.split(10, seed).test_images[:, 0, 0, 0].tolist() for seed in (0, 0, 1))
    assert first == again != other and set(data.split(10).test_labels.tolist()) == {0, 1}


@pytest.mark.parametrize("validation", [0, 20, -1])
def test_split_leaves_images_in_both_parts(dataset, validation):
    with pytest.raises(ValueError, match=f"validation must be a whole number between 1 and 19, got {validation}"):
        dataset.split(validation)


def test_moving_keeps_the_statistics(dataset):
    moved = dataset.to("cpu")
    assert moved.mean is dataset.mean and np.array_equal(moved.test_images, dataset.test_images)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64])
def test_labels_of_any_integers_become_int64(dataset, dtype, xp):
    given = {f"{part}_labels": xp.asarray(getattr(dataset, f"{part}_labels"), dtype) for part in ("train", "test")}
    made = dataclasses.replace(dataset, **given)
    assert made.train_labels.dtype == made.test_labels.dtype == np.int64
    assert made.train_labels.tolist() == dataset.train_labels.tolist()


def test_an_unknown_name_lists_the_data_sets():
    with pytest.raises(DataError, match="'mnist'; choose from shapes, cifar10"):
        load("mnist")


def test_a_folder_of_data_for_the_one_that_is_generated_is_a_mistake(tmp_path):
    """Most likely the name of the data set was forgotten."""
    with pytest.raises(DataError, match="data_dir says where cifar10 and cifar100 are; leave it out for shapes"):
        load("shapes", data_dir=tmp_path)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"classes": ["a", "b"]}, "classes must be a tuple of names"),
        ({"classes": ()}, "classes must be"),
        ({"classes": ("a", 1)}, "classes must be"),
        ({"classes": ("a", "\x1b[31m")}, "classes must be .* without control characters"),
        ({"classes": ("a",)}, "train_labels must be 0 to 0, as there are 1 classes; got 0 to 1"),
        ({"train_images": [[1]]}, "train_images must be a NumPy or CuPy array, got list"),
        ({"test_images": np.zeros((10, 4, 5, 3))}, r"test_images must be .* got \(10, 4, 5, 3\) float64"),
        ({"test_images": np.zeros((10, 4, 5), np.uint8)}, "test_images must be"),
        ({"test_images": np.zeros((10, 4, 5, 1), np.uint8)}, "test_images must be"),
        ({"test_images": np.zeros((0, 4, 5, 3), np.uint8)}, "N at least 1"),
        ({"test_images": np.ma.zeros((10, 4, 5, 3), np.uint8)}, "must be a NumPy or CuPy array, got MaskedArray"),
        ({"train_labels": np.zeros(21, int)}, r"one for each of the 20 images; got \(21,\)"),
        ({"train_labels": np.zeros((20, 1), int)}, "train_labels must be"),
        ({"train_labels": np.zeros(20)}, "whole numbers.*float64"),
        ({"train_labels": [0] * 20}, "train_labels must be a NumPy"),
        ({"train_labels": np.full(20, -1)}, "must be 0 to 1.*got -1 to -1"),
        ({"train_labels": np.full(20, 2)}, "must be 0 to 1.*got 2 to 2"),
    ],
)
def test_a_data_set_checks_itself_when_it_is_made(dataset, change, message):
    with pytest.raises(DataError, match=message):
        dataclasses.replace(dataset, **change)
