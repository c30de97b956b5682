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


def test_split_holds_out_training_images_and_leaves_the_test_images_alone(dataset):
    split = dataset.split(validation=6, seed=3)
    assert len(split.train_images) == 14 and len(split.test_images) == 6
    together = np.concatenate([split.train_images, split.test_images])
    assert {image.tobytes() for image in together} == {image.tobytes() for image in dataset.train_images}
    where = {image.tobytes(): label for image, label in zip(dataset.train_images, dataset.train_labels)}
    assert all(where[i.tobytes()] == label for i, label in zip(split.test_images, split.test_labels))
    assert all(where[i.tobytes()] == label for i, label in zip(split.train_images, split.train_labels))


@pytest.mark.parametrize("validation", [0, 20, -1])
def test_split_refuses_to_leave_nothing(dataset, validation):
    with pytest.raises(ValueError, match=f"validation must be between 1 and 19, got {validation}"):
        dataset.split(validation)


def test_moving_keeps_the_statistics(dataset):
    moved = dataset.to("cpu")
    assert moved.mean is dataset.mean and np.array_equal(moved.test_images, dataset.test_images)


def test_an_unknown_name_says_which_there_are():
    with pytest.raises(DataError, match="'mnist'; there are shapes, cifar10"):
        load("mnist")
