import numpy as np
import pytest

from resnet_scratch.data import load
from resnet_scratch.data.shapes import CLASSES, draw


@pytest.fixture(scope="module")
def dataset():
    return load("shapes")


def test_it_has_the_form_of_cifar10(dataset):
    assert dataset.train_images.shape == (10_000, 32, 32, 3) and dataset.train_images.dtype == np.uint8
    assert dataset.test_images.shape == (2_000, 32, 32, 3) and dataset.test_labels.dtype == np.int64
    assert len(dataset.classes) == 10 and dataset.mirror


def test_classes_are_equally_frequent_and_in_no_order(dataset):
    assert np.bincount(dataset.train_labels).tolist() == [1000] * 10
    assert np.bincount(dataset.test_labels).tolist() == [200] * 10
    assert len(set(dataset.train_labels[:30].tolist())) > 5


def test_the_same_seed_gives_the_same_pictures_and_another_seed_others():
    pictures, labels = draw(300, np.random.default_rng(5))
    again, same = draw(300, np.random.default_rng(5))
    others, _ = draw(300, np.random.default_rng(6))
    assert np.array_equal(pictures, again) and np.array_equal(labels, same)
    assert not np.array_equal(pictures, others)


def test_no_picture_is_in_both_parts(dataset):
    train = {image.tobytes() for image in dataset.train_images}
    assert len(train) == 10_000 and not any(image.tobytes() in train for image in dataset.test_images)


def test_a_linear_classifier_on_the_pixels_stays_under_40_percent(dataset):
    """Ridge regression to one-hot labels, in closed form: no colour and no place gives the class away."""
    x, y = (part.reshape(len(part), -1) / np.float32(255) - 0.5 for part in (dataset.train_images, dataset.test_images))
    x, y = x.astype(np.float32), y.astype(np.float32)
    weights = np.linalg.solve(x.T @ x + 1000 * np.eye(3072, dtype=np.float32), x.T @ np.eye(10)[dataset.train_labels])
    accuracy = ((y @ weights).argmax(1) == dataset.test_labels).mean()
    assert 0.05 < accuracy < 0.4


def test_colours_say_nothing(dataset):
    """The mean colour of each class is that of all, within a few grey levels."""
    means = np.array([dataset.train_images[dataset.train_labels == k].mean((0, 1, 2)) for k in range(len(CLASSES))])
    assert np.abs(means - means.mean(0)).max() < 5
