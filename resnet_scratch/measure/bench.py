"""How fast is it, and compared with what? Times are medians; what is compared runs in turn: machines are noisy."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import repeat
from statistics import median
from typing import Any

import numpy as np

from ..compute.backend import Array, array_module, to_device, wait_for
from ..compute.threads import limit_blas_threads, num_threads
from ..data import load_shapes, training_batches
from ..losses import softmax_cross_entropy
from ..models import ResNet, build
from ..optim import SGD
from ..schedules import constant
from ..train import train
from .recorder import Event, observe
from .summary import summarise

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 5e-4
Job = Callable[[], Any]


@dataclass(frozen=True)
class Workload:
    """What is measured: one network with ten classes and one batch of random images, on one device."""

    model: str
    batch_size: int
    image_size: int
    device: str = "cpu"

    def batch(self) -> tuple[Array, Array]:
        """Images (N, H, W, 3), float32, and labels (N,)."""
        rng = np.random.default_rng(0)
        images = rng.standard_normal((self.batch_size, self.image_size, self.image_size, 3), np.float32)
        return to_device(images, self.device), to_device(rng.integers(0, 10, self.batch_size), self.device)

    def network(self) -> ResNet:
        """The network, on the device, with weights that are the same each time."""
        model = build(self.model, 10, rng=np.random.default_rng(0))
        model.to(self.device)
        return model


def numpy_jobs(workload: Workload) -> dict[str, Job]:
    """{"training step": ..., "inference": ...} in this library, on NumPy or CuPy. The step is that of `train.train`."""
    batch, model = workload.batch(), workload.network()
    optimizer = SGD(model.parameters(), momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    steps = train(model, optimizer, repeat(batch), constant(LEARNING_RATE), total_steps=sys.maxsize)

    def step() -> None:
        next(steps)
        wait_for(workload.device)

    def inference() -> None:
        model(batch[0])
        wait_for(workload.device)

    return {"training step": step, "inference": inference}


def relu_in_place(module: Any) -> Any:
    """The same module of torch's, without an array for the output of each ReLU: as torchvision's ResNets have them."""
    import torch

    for part in module.modules():
        if isinstance(part, torch.nn.ReLU):
            part.inplace = True
    return module


def torch_jobs(workload: Workload, channels_last: bool) -> dict[str, Job]:
    """The same in PyTorch on the CPU, in eager mode, with images in one of its two memory layouts.

    Raises ImportError where PyTorch is not installed.
    """
    import torch

    from ..models.torch_twin import twin

    torch.set_num_threads(num_threads())
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images, labels = workload.batch()
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).contiguous(memory_format=layout)
    y = torch.from_numpy(labels)
    model = relu_in_place(twin(workload.network())).to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), LEARNING_RATE, MOMENTUM, weight_decay=WEIGHT_DECAY)

    def step() -> None:
        model.train()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def inference() -> None:
        model.eval()
        with torch.inference_mode():
            model(x)

    return {"training step": step, "inference": inference}


LIBRARIES: dict[str, Callable[[Workload], dict[str, Job]]] = {
    "resnet_scratch": numpy_jobs,
    "torch NCHW": lambda workload: torch_jobs(workload, channels_last=False),
    "torch channels_last": lambda workload: torch_jobs(workload, channels_last=True),
}


def race(jobs: dict[str, Job], repeats: int) -> dict[str, list[float]]:
    """Seconds of each job, `repeats` times, in turn (A B C A B C ...), after two rounds that do not count."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for turn in range(repeats + 2):
        for name, job in jobs.items():
            start = time.perf_counter()
            job()
            if turn >= 2:
                seconds[name].append(time.perf_counter() - start)
    return dict(seconds)


def multiply_adds(workload: Workload) -> dict[str, int]:
    """Of one training step and of one inference, for the whole batch.

    Each layer's backward has two products of its forward's size, one for each gradient. The first layer has one:
    training needs no gradient with respect to the images.
    """
    rows = summarise(workload.network(), workload.image_size)
    forward = workload.batch_size * sum(row.multiply_adds for row in rows)
    return {"training step": 3 * forward - workload.batch_size * rows[0].multiply_adds, "inference": forward}


@dataclass
class LayerTime:
    """What one layer costs in a training step."""

    name: str
    kind: str  #: the name of its class
    multiply_adds: int  #: forward and backward, for the whole batch
    forward: float = 0.0  #: seconds
    backward: float = 0.0  #: seconds; the first layer's include the gradient with respect to the images


def layer_times(workload: Workload, repeats: int) -> list[LayerTime]:
    """The time of each layer's forward and backward: medians of `repeats` passes, after one that does not count."""
    images, labels = workload.batch()
    model = workload.network()
    rows: dict[str, LayerTime] = {}
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)

    def add_time(event: Event) -> None:
        seconds[event.name, event.direction].append(event.seconds)
        if event.name not in rows:
            N, *output_shape = event.outputs[0].shape
            products = 3 * N * event.layer.multiply_adds(tuple(output_shape))
            rows[event.name] = LayerTime(event.name, type(event.layer).__name__, products)

    for counts in [False] + [True] * repeats:
        with observe(model, add_time):
            logits, cache = model.forward(images, training=True)
            model.backward(softmax_cross_entropy(logits, labels)[1], cache)
        if not counts:
            seconds.clear()
    for (name, direction), times in seconds.items():
        setattr(rows[name], direction, median(times))
    return list(rows.values())


def waiting_share(workload: Workload, steps: int) -> float:
    """The share of training time, 0 to 1, that is spent waiting for the next batch of the built-in data set (32x32).

    The next batch is cropped, mirrored and normalised in another thread while a step runs.
    """
    dataset = load_shapes().to(workload.device)
    model = workload.network()
    optimizer = SGD(model.parameters(), momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    waited = 0.0
    with closing(training_batches(dataset, workload.batch_size, seed=0)) as source:

        def batches() -> Iterator[tuple[Array, Array]]:
            nonlocal waited
            while True:
                start = time.perf_counter()
                batch = next(source)
                waited += time.perf_counter() - start
                yield batch

        for step in train(model, optimizer, batches(), constant(LEARNING_RATE), steps + 2):
            if step.number == 2:  # the first two steps do not count
                wait_for(workload.device)
                waited, start = 0.0, time.perf_counter()
        wait_for(workload.device)
    return waited / (time.perf_counter() - start)


def sgemm_peak(size: int = 2048, device: str = "cpu") -> float:
    """The multiply-adds per second of one large float32 matrix product on all threads: what the machine can do."""
    a = to_device(np.random.default_rng(0).standard_normal((size, size), np.float32), device)
    out = array_module(a).empty(a.shape, a.dtype)

    def product() -> None:
        array_module(a).matmul(a, a, out=out)
        wait_for(device)

    with limit_blas_threads(num_threads()):
        seconds = race({"sgemm": product}, 10)["sgemm"]
    return size**3 / min(seconds)
