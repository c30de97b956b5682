"""Batches of a data set: shuffled, augmented and normalised; the next one is prepared while the current one is used."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator

import numpy as np

from ..checks import brief, check_array, check_flag, check_instance, check_integers, check_whole
from ..compute.backend import Array, array_module, use_device_of
from ..compute.processes import part_of_batch
from .augment import IMAGES, normalise, random_crop, random_flip, resize
from .dataset import Dataset

Batch = tuple[Array, Array]  # images (N, H, W, 3) float32, labels (N,) int64
ImageSizes = Callable[[int], int | None]  # step, from 0 -> height and width of its images in pixels; None: their own


def training_batches(
    dataset: Dataset,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    augment: bool = True,
    image_sizes: ImageSizes | None = None,
    crop_padding: int = 4,
) -> Generator[Batch, None, None]:
    """Training batches without end, from step `start_step` on: images (batch_size, H, W, 3) float32, labels int64.

    With `augment` the images are randomly cropped, after `crop_padding` pixels of padding on each side (4 in He et al.
    2015, section 4.2), and flipped where the data set allows it. `image_sizes`, a function of the step, says to what
    height and width they are then resized, in pixels; None: they keep their size. Batches are on the device of the data
    set.

    The order of an epoch is a function of (seed, epoch), the augmentation of a batch one of (seed, step). A run that
    is resumed at any step therefore sees the same batches as an uninterrupted one. An epoch has N // batch_size
    batches; the few images left over are skipped in this epoch. A thread prepares the next batch while the current
    one is used; it ends when the iterator is closed or garbage-collected. Where threads cannot be started (in a
    browser, for one), batches are prepared when they are asked for.

    Where several processes share the batches, each gets its part of every batch.

    Raises UserError unless 1 <= batch_size <= the number of training images, and for fewer images than processes;
    TypeError for an image_sizes that is not a function.
    """
    check_instance("dataset", dataset, Dataset)
    check_whole("batch_size", batch_size, 1, len(dataset.train_images))
    part = part_of_batch(batch_size)
    check_whole("seed", seed, 0)
    check_whole("start_step", start_step, 0)
    check_flag("augment", augment)
    check_whole("crop_padding", crop_padding, 0)
    if image_sizes is not None and not callable(image_sizes):
        raise TypeError(f"image_sizes must be a function of the step, got {brief(image_sizes)}")
    steps_per_epoch = len(dataset.train_images) // batch_size

    def batches_from(step: int) -> Iterator[Batch]:
        """This process's parts of the batches, each prepared when it is asked for."""
        use_device_of(dataset.train_images)  # a new thread computes on GPU 0 until it is told otherwise
        xp = array_module(dataset.train_images)
        epoch, order = -1, np.empty(0, np.int64)
        while True:
            if step // steps_per_epoch != epoch:
                epoch = step // steps_per_epoch
                order = np.random.default_rng([seed, 0, epoch]).permutation(len(dataset.train_images))
            begin = step % steps_per_epoch * batch_size
            indices = xp.asarray(order[begin : begin + batch_size])
            rng = np.random.default_rng([seed, 1, step])
            images = dataset.train_images[indices]  # of the whole batch: the random numbers are drawn for all of it
            if augment:
                images = random_crop(images, crop_padding, rng)
            if augment and dataset.mirror:
                images = random_flip(images, rng)
            images = normalise(images[part], dataset.mean, dataset.std)
            size = image_sizes(step) if image_sizes else None
            yield images if size is None else resize(images, size), dataset.train_labels[indices[part]]
            step += 1

    return _prefetch(batches_from, start_step)


def test_batches(
    images: Array, labels: Array, batch_size: int, mean: np.ndarray, std: np.ndarray, image_size: int | None = None
) -> Iterator[Batch]:
    """All `images` (N, H, W, 3) uint8 with their labels (N,), in order, normalised; the last batch may be smaller.

    `mean` and `std` (3,) are of values scaled to 0..1, as in `Dataset.mean`. Images are resized to `image_size` pixels
    in height and width; None: they keep their size. Raises ValueError unless there is a label, an integer, for each
    image.
    """
    check_array("images", images, IMAGES)
    check_integers("labels", labels, images.shape[:1])
    check_whole("batch_size", batch_size)
    if image_size is not None:
        check_whole("image_size", image_size)

    def batch(part: slice) -> Batch:
        x = normalise(images[part], mean, std)
        return x if image_size is None else resize(x, image_size), labels[part]

    return (batch(slice(begin, begin + batch_size)) for begin in range(0, len(images), batch_size))


test_batches.__test__ = False  # type: ignore[attr-defined]  # tells pytest that this is not a test, despite its name


def _prefetch(batches_from: Callable[[int], Iterator[Batch]], step: int) -> Generator[Batch, None, None]:
    """The batches of `batches_from(step)`, the next one prepared in a thread while the current one is used.

    The batches are the same without that thread: where it cannot be started, and in a process forked from the one that
    started it (a fork copies no threads).
    """
    ready: queue.Queue = queue.Queue(maxsize=1)
    closed = threading.Event()

    def put(item: Batch | BaseException) -> None:
        while not closed.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def prepare() -> None:
        try:
            for batch in batches_from(step):
                put(batch)
                if closed.is_set():
                    return
        except BaseException as error:  # raised again in the thread that asks for batches
            put(error)

    worker = threading.Thread(target=prepare, name="resnet_scratch batches", daemon=True)
    try:
        worker.start()
    except RuntimeError:  # "can't start new thread": WebAssembly, or the system's limit. NotImplementedError is one too
        yield from batches_from(step)
        return
    process, taken = os.getpid(), 0
    try:
        while os.getpid() == process:
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            taken += 1
            yield item
    finally:
        if os.getpid() == process:
            closed.set()
            worker.join()
    yield from batches_from(step + taken)
