import dataclasses
import multiprocessing
import threading
from itertools import islice

import numpy as np
import pytest

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.data import Dataset, test_batches, training_batches
from resnet_scratch.errors import UserError


@pytest.fixture
def dataset(device):
    """23 images; every pixel of image i is 10 * i + 10, and its label is i."""
    images = np.full((23, 8, 8, 3), 10, np.uint8) * (np.arange(23, dtype=np.uint8) + 1)[:, None, None, None]
    names = tuple("abcdefghijklmnopqrstuvw")
    return Dataset("test", names, images, np.arange(23), images[:5], np.arange(5), mirror=True).to(device)


def take(batches, count):
    """The next `count` batches, on the host."""
    taken = [(to_numpy(images), to_numpy(labels)) for images, labels in islice(batches, count)]
    batches.close()
    return taken


def assert_same_batches(ours, expected):
    assert len(ours) == len(expected)
    for (images, labels), (expected_images, expected_labels) in zip(ours, expected):
        assert np.array_equal(images, expected_images) and np.array_equal(labels, expected_labels)


def test_an_epoch_has_no_image_twice_and_labels_belong_to_their_images(dataset):
    epoch = take(training_batches(dataset, 5, seed=0, augment=False), 4)
    labels = np.concatenate([labels for _, labels in epoch])
    assert len(set(labels.tolist())) == 20
    images = np.concatenate([images for images, _ in epoch])
    expected = ((10 * labels + 10) / 255 - dataset.mean[0]) / dataset.std[0]
    np.testing.assert_allclose(images[:, 3, 3, 0], expected, atol=1e-5)


def test_every_epoch_is_shuffled_differently(dataset):
    batches = take(training_batches(dataset, 23, seed=0), 2)
    assert batches[0][1].tolist() != batches[1][1].tolist()
    assert sorted(batches[0][1]) == sorted(batches[1][1]) == list(range(23))


@pytest.mark.parametrize("start", [1, 4, 7, 9])
def test_resuming_at_any_step_gives_bitwise_the_same_batches(dataset, start):
    whole = take(training_batches(dataset, 5, seed=7), 12)
    assert_same_batches(take(training_batches(dataset, 5, 7, start), 12 - start), whole[start:])


def test_the_size_of_the_images_is_a_function_of_the_step(dataset):
    plain = take(training_batches(dataset, 5, seed=7), 5)
    batches = take(training_batches(dataset, 5, seed=7, image_sizes=[4, 4, 6, None, 16].__getitem__), 5)
    assert [images.shape for images, _ in batches] == [(5, n, n, 3) for n in (4, 4, 6, 8, 16)]
    assert [labels.tolist() for _, labels in batches] == [labels.tolist() for _, labels in plain]
    assert_same_batches(batches[3:4], plain[3:4])


def test_test_images_of_another_size(dataset):
    [(images, labels)] = test_batches(dataset.test_images, dataset.test_labels, 5, dataset.mean, dataset.std, 4)
    expected = (10 * to_numpy(labels) + 10) / 255 - dataset.mean[0]
    assert images.shape == (5, 4, 4, 3)
    np.testing.assert_allclose(to_numpy(images)[:, 2, 1, 0], expected / dataset.std[0], atol=1e-5)


def test_another_seed_gives_another_order(dataset):
    (_, a), (_, b) = take(training_batches(dataset, 20, 0), 1)[0], take(training_batches(dataset, 20, 1), 1)[0]
    assert a.tolist() != b.tolist()


def test_augmentation_shows_black_padding_and_can_be_switched_off(dataset):
    black = -dataset.mean[0] / dataset.std[0]
    (images, _), (plain, _) = (take(training_batches(dataset, 23, 0, augment=a), 1)[0] for a in (True, False))
    assert np.isclose(images, black).any() and not np.isclose(plain, black).any()


@pytest.mark.parametrize("padding", [0, 1, 3])
def test_a_crop_shifts_an_image_by_the_padding_at_most(dataset, padding):
    black = to_numpy(-dataset.mean[0] / dataset.std[0])
    batches = take(training_batches(dataset, 23, 0, crop_padding=padding), 20)
    shown = np.concatenate([to_numpy(images)[..., 0] for images, _ in batches])
    rows_of_padding = np.isclose(shown, black).all(2).sum(1)
    assert set(rows_of_padding) == set(range(padding + 1))


@pytest.mark.parametrize("mirror", [True, False])
def test_images_are_flipped_where_the_data_set_allows_it(device, mirror):
    """All are light on the left. Of 230, about half become light on the right, or none."""
    images, labels = np.zeros((23, 8, 8, 3), np.uint8), np.arange(23) % 2
    images[:, :, :4] = 200
    data = Dataset("left", ("a", "b"), images, labels, images, labels, mirror).to(device)
    batches = take(training_batches(data, 23, seed=0, crop_padding=0), 10)
    flipped = sum(int((x[:, 0, 0, 0] < x[:, 0, -1, 0]).sum()) for x, _ in batches)
    assert 80 < flipped < 150 if mirror else flipped == 0


def test_every_step_and_every_seed_has_crops_of_its_own(dataset):
    black = to_numpy(-dataset.mean[0] / dataset.std[0])
    shown = [x for seed in (0, 1) for x, _ in take(training_batches(dataset, 5, seed), 3)]  # of one epoch
    assert len({np.isclose(x[..., 0], black).tobytes() for x in shown}) == 6


def test_the_thread_ends_with_the_iterator(dataset):
    def workers():
        return [t for t in threading.enumerate() if t.name == "resnet_scratch batches"]

    batches = training_batches(dataset, 5, seed=0)
    next(batches)
    assert len(workers()) == 1
    batches.close()
    assert workers() == []
    batches = training_batches(dataset, 5, seed=0)
    next(batches)
    del batches  # garbage-collected rather than closed
    assert workers() == []


def test_an_error_in_the_thread_is_raised_in_the_caller(dataset):
    broken = dataclasses.replace(dataset)
    vars(broken)["train_labels"] = dataset.train_labels[:3]  # past the checks of a data set
    with pytest.raises(IndexError):
        take(training_batches(broken, 5, seed=0), 4)


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), NotImplementedError])
def test_without_threads_the_batches_are_the_same(dataset, monkeypatch, error):
    expected = take(training_batches(dataset, 5, seed=7), 6)

    def start(thread):
        raise error

    monkeypatch.setattr(threading.Thread, "start", start)
    before = threading.active_count()
    assert_same_batches(take(training_batches(dataset, 5, seed=7), 6), expected)
    assert threading.active_count() == before


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of a process with threads, which is the point here
def test_a_forked_process_continues_with_the_same_batches(tiny_dataset):
    """The child has a copy of the iterator, but not of its thread."""
    expected = take(training_batches(tiny_dataset, 5, seed=7), 6)
    batches = training_batches(tiny_dataset, 5, seed=7)
    first = [next(batches), next(batches)]
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=lambda: results.put(take(batches, 4)), daemon=True)
    child.start()
    child.join(timeout=60)
    assert child.exitcode == 0, "the child waits for a thread that it does not have"
    assert_same_batches(first + results.get(), expected)
    assert_same_batches(first + take(batches, 4), expected)


@pytest.mark.parametrize("batch_size", [0, 24])
def test_an_impossible_batch_size_is_an_error(dataset, batch_size):
    with pytest.raises(UserError, match=f"batch_size must be a whole number between 1 and 23, got {batch_size}"):
        training_batches(dataset, batch_size, seed=0)


def test_test_batches_contain_all_images_in_order(dataset):
    batches = test_batches(dataset.train_images, dataset.train_labels, 10, dataset.mean, dataset.std)
    batches = [(to_numpy(images), to_numpy(labels)) for images, labels in batches]
    assert [len(images) for images, _ in batches] == [10, 10, 3]
    assert np.concatenate([labels for _, labels in batches]).tolist() == list(range(23))
    expected = (20 / 255 - dataset.mean[0]) / dataset.std[0]
    np.testing.assert_allclose(batches[0][0][1, :, :, 0], expected, atol=1e-5)
