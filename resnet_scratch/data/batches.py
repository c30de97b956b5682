"""Batches: the data set in a new order each epoch, augmented and normalised, prepared while the last step runs."""

from __future__ import annotations

import queue
import threading
from typing import Generator, Iterator

import numpy as np

from ..compute.backend import Array, array_module, follow
from .augment import normalise, random_crop, random_flip
from .dataset import Dataset

Batch = tuple[Array, Array]  # images (N, H, W, 3) float32, labels (N,) int64
PADDING = 4  # pixels: He et al. 2015, section 4.2


def training_batches(
    dataset: Dataset, batch_size: int, seed: int, start_step: int = 0, augment: bool = True
) -> Generator[Batch, None, None]:
    """Batches for training, without end, from step `start_step` on; with `augment` randomly cropped, and mirrored where
    the data allow it. They are on the device that the data set is on.

    The order of an epoch is a function of (seed, epoch), the augmentation of a batch of (seed, step): so a run that is
    resumed at any step gets the very batches it would have got. An epoch has N // batch_size batches; the few images
    left over at its end wait for another epoch's order. One batch is prepared ahead, in a thread of its own, which ends
    when the iterator is closed or forgotten. Raises ValueError when a batch is larger than the data set.
    """
    images = len(dataset.train_images)
    if not 1 <= batch_size <= images:
        raise ValueError(f"batch_size must be between 1 and {images}, the number of training images, got {batch_size}")
    return _one_ahead(_training_batches(dataset, batch_size, seed, start_step, augment))


def _training_batches(dataset: Dataset, batch_size: int, seed: int, start_step: int, augment: bool) -> Iterator[Batch]:
    follow(dataset.train_images)  # this runs in a thread of its own
    xp = array_module(dataset.train_images)
    steps_per_epoch = len(dataset.train_images) // batch_size
    step, epoch, order = start_step, -1, np.empty(0, np.int64)
    while True:
        if step // steps_per_epoch != epoch:
            epoch = step // steps_per_epoch
            order = np.random.default_rng([seed, 0, epoch]).permutation(len(dataset.train_images))
        place = step % steps_per_epoch * batch_size
        chosen = xp.asarray(order[place : place + batch_size])
        rng = np.random.default_rng([seed, 1, step])
        images = dataset.train_images[chosen]
        if augment:
            images = random_crop(images, PADDING, rng)
        if augment and dataset.mirror:
            images = random_flip(images, rng)
        yield normalise(images, dataset.mean, dataset.std), dataset.train_labels[chosen]
        step += 1


def test_batches(
    images: np.ndarray, labels: np.ndarray, batch_size: int, mean: np.ndarray, std: np.ndarray
) -> Iterator[Batch]:
    """All of `images`, in order, normalised; the last batch is what is left."""
    for k in range(0, len(images), batch_size):
        yield normalise(images[k : k + batch_size], mean, std), labels[k : k + batch_size]


test_batches.__test__ = False  # it is no test, whatever pytest may think of its name


def _one_ahead(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """The same batches, each prepared in another thread while the one before it is used."""
    ready: queue.Queue = queue.Queue(maxsize=1)
    stop = threading.Event()

    def put(item: object) -> None:
        while not stop.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def prepare() -> None:
        try:
            for batch in batches:
                put(batch)
                if stop.is_set():
                    return
        except BaseException as error:  # handed over, to be raised where the batch is wanted
            put(error)

    worker = threading.Thread(target=prepare, name="resnet_scratch batches", daemon=True)
    worker.start()
    try:
        while True:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        worker.join()
