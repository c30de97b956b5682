import threading
from itertools import islice

import numpy as np
import pytest

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.data import Dataset, test_batches, training_batches


@pytest.fixture
def dataset(device):
    """Twenty-three images, image i plain of value 10 * i + 10, with label i."""
    images = np.full((23, 8, 8, 3), 10, np.uint8) * (np.arange(23, dtype=np.uint8) + 1)[:, None, None, None]
    return Dataset("test", tuple("abc"), images, np.arange(23), images[:5], np.arange(5), mirror=True).to(device)


def take(batches, count):
    """The next batches, on the host."""
    taken = [(to_numpy(images), to_numpy(labels)) for images, labels in islice(batches, count)]
    batches.close()
    return taken


def test_an_epoch_has_every_image_at_most_once_and_labels_stay_with_their_images(dataset):
    epoch = take(training_batches(dataset, 5, seed=0, augment=False), 4)
    labels = np.concatenate([labels for _, labels in epoch])
    assert len(set(labels.tolist())) == 20
    images = np.concatenate([images for images, _ in epoch])
    expected = ((10 * labels + 10) / 255 - dataset.mean[0]) / dataset.std[0]
    np.testing.assert_allclose(images[:, 3, 3, 0], expected, atol=1e-5)


def test_each_epoch_has_another_order(dataset):
    batches = take(training_batches(dataset, 23, seed=0), 2)
    assert batches[0][1].tolist() != batches[1][1].tolist()
    assert sorted(batches[0][1]) == sorted(batches[1][1]) == list(range(23))


@pytest.mark.parametrize("start", [1, 4, 7, 9])
def test_starting_later_gives_the_same_batches_to_the_bit(dataset, start):
    whole = take(training_batches(dataset, 5, seed=7), 12)
    for (images, labels), (more, same) in zip(whole[start:], take(training_batches(dataset, 5, 7, start), 12 - start)):
        assert np.array_equal(images, more) and np.array_equal(labels, same)


def test_seeds_differ(dataset):
    (_, a), (_, b) = take(training_batches(dataset, 20, 0), 1)[0], take(training_batches(dataset, 20, 1), 1)[0]
    assert a.tolist() != b.tolist()


def test_augmentation_shifts_black_in_and_can_be_left_out(dataset):
    black = -dataset.mean[0] / dataset.std[0]
    (images, _), (plain, _) = (take(training_batches(dataset, 23, 0, augment=a), 1)[0] for a in (True, False))
    assert np.isclose(images, black).any() and not np.isclose(plain, black).any()


def test_the_thread_ends_with_the_iterator(dataset):
    def helpers():
        return [t for t in threading.enumerate() if t.name == "resnet_scratch batches"]

    batches = training_batches(dataset, 5, seed=0)
    next(batches)
    assert len(helpers()) == 1
    batches.close()
    assert helpers() == []
    batches = training_batches(dataset, 5, seed=0)
    next(batches)
    del batches  # forgotten rather than closed
    assert helpers() == []


def test_an_error_while_preparing_reaches_the_caller(dataset):
    broken = Dataset("broken", ("a",), dataset.train_images, dataset.train_labels[:3], dataset.test_images,
                     dataset.test_labels, mirror=False)  # fmt: skip
    with pytest.raises(IndexError):
        take(training_batches(broken, 5, seed=0), 4)


@pytest.mark.parametrize("batch_size", [0, 24])
def test_a_batch_size_that_does_not_fit(dataset, batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be between 1 and 23.*got {batch_size}"):
        training_batches(dataset, batch_size, seed=0)


def test_test_batches_have_all_images_in_order(dataset):
    batches = test_batches(dataset.train_images, dataset.train_labels, 10, dataset.mean, dataset.std)
    batches = [(to_numpy(images), to_numpy(labels)) for images, labels in batches]
    assert [len(images) for images, _ in batches] == [10, 10, 3]
    assert np.concatenate([labels for _, labels in batches]).tolist() == list(range(23))
    expected = (20 / 255 - dataset.mean[0]) / dataset.std[0]
    np.testing.assert_allclose(batches[0][0][1, :, :, 0], expected, atol=1e-5)
