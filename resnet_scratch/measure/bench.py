"""How fast is it, and compared with what? Times are medians; comparisons take turns, because machines are noisy."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Callable, Iterator

import numpy as np

from ..compute.backend import Array, array_module, to_device, wait_for
from ..compute.threads import limit_blas_threads, num_threads
from ..data import load_shapes, training_batches
from ..layers import Conv2d, Linear
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from ..models import ResNet, build
from ..optim import SGD
from ..train import train
from .recorder import watched
from .summary import summarise

LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.01, 0.9, 5e-4
Job = Callable[[], Any]


@dataclass(frozen=True)
class Task:
    """What is measured: one network, one batch of random pictures, on one device."""

    model: str
    batch_size: int
    image_size: int
    classes: int = 10
    device: str = "cpu"

    def data(self) -> tuple[Array, Array]:
        rng = np.random.default_rng(0)
        images = rng.standard_normal((self.batch_size, self.image_size, self.image_size, 3), np.float32)
        return to_device(images, self.device), to_device(rng.integers(0, self.classes, self.batch_size), self.device)

    def network(self) -> ResNet:
        model = build(self.model, self.classes, rng=np.random.default_rng(0))
        model.to(self.device)
        return model


def our_jobs(task: Task) -> dict[str, Job]:
    """{"training step": ..., "inference": ...} with this library's layers."""
    (images, labels), model = task.data(), task.network()
    optimizer = SGD(model.parameters(), MOMENTUM, WEIGHT_DECAY)

    def step() -> None:
        logits, cache = model.forward(images, training=True)
        _, grad_logits = softmax_cross_entropy(logits, labels)
        model.backward(grad_logits, cache)
        optimizer.step(LEARNING_RATE)
        wait_for(task.device)

    def inference() -> None:
        model(images)
        wait_for(task.device)

    return {"training step": step, "inference": inference}


def torch_jobs(task: Task, channels_last: bool) -> dict[str, Job]:
    """The same with PyTorch on the CPU, eagerly, in one of its two layouts of images."""
    import torch

    from ..models.torch_twin import twin

    torch.set_num_threads(num_threads())
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images, labels = task.data()
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).contiguous(memory_format=layout)
    y = torch.from_numpy(labels)
    model = twin(task.network()).to(memory_format=layout)
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


RIVALS: dict[str, Callable[[Task], dict[str, Job]]] = {
    "resnet_scratch": our_jobs,
    "torch NCHW": lambda task: torch_jobs(task, channels_last=False),
    "torch channels_last": lambda task: torch_jobs(task, channels_last=True),
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


def multiply_adds(task: Task) -> dict[str, float]:
    """Of one training step and of one inference: going back costs a layer two products of the size of its forward's."""
    rows = summarise(replace(task, device="cpu").network(), task.image_size)
    forward = float(task.batch_size * sum(row.multiply_adds for row in rows))
    return {"training step": 3 * forward, "inference": forward}


def layer_times(task: Task, repeats: int) -> list[tuple[str, str, float, float, float]]:
    """For each layer (name, kind, forward s, backward s, multiply-adds of both) of one training step; medians."""
    images, labels = task.data()
    model = task.network()
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    work: dict[str, float] = defaultdict(float)
    kinds: dict[str, str] = {}

    def wrap(name: str, layer: Layer, direction: str, method: Callable) -> Callable:
        def timed(*inputs, **keywords):
            start = time.perf_counter()
            result = method(*inputs, **keywords)
            wait_for(task.device)
            times[name, direction].append(time.perf_counter() - start)
            kinds[name] = type(layer).__name__
            if isinstance(layer, (Conv2d, Linear)) and direction == "forward":
                weight = layer.weight.value
                work[name] = 3.0 * result[0].size * (weight.size // weight.shape[-1])
            return result

        return timed

    with watched(model, wrap):
        for _ in range(repeats + 1):
            logits, cache = model.forward(images, training=True)
            model.backward(softmax_cross_entropy(logits, labels)[1], cache)
    middle = {key: median(seconds[1:]) for key, seconds in times.items()}
    return [
        (n, kind, middle.get((n, "forward"), 0.0), middle.get((n, "backward"), 0.0), work[n])
        for n, kind in kinds.items()
    ]


def waiting_share(task: Task, steps: int) -> float:
    """The share of training time that is spent waiting for the next batch, on the built-in data set (32x32 images).

    Batches are cropped, mirrored and normalised while the step before them runs.
    """
    dataset = load_shapes().to(task.device)
    model = task.network()
    optimizer = SGD(model.parameters(), MOMENTUM, WEIGHT_DECAY)
    waited = 0.0
    with closing(training_batches(dataset, task.batch_size, seed=0)) as source:

        def batches() -> Iterator[tuple[Array, Array]]:
            nonlocal waited
            while True:
                start = time.perf_counter()
                batch = next(source)
                waited += time.perf_counter() - start
                yield batch

        for step in train(model, optimizer, batches(), lambda k: LEARNING_RATE, steps + 2):
            if step.number == 2:  # what comes before does not count
                wait_for(task.device)
                waited, begun = 0.0, time.perf_counter()
        wait_for(task.device)
    return waited / (time.perf_counter() - begun)


def sgemm_peak(size: int = 2048, device: str = "cpu") -> float:
    """The multiply-adds per second of one large float32 matrix product on all threads: what the machine can do."""
    a = to_device(np.random.default_rng(0).standard_normal((size, size), np.float32), device)
    xp = array_module(a)
    out = xp.empty(a.shape, a.dtype)

    def product() -> None:
        xp.matmul(a, a, out=out)
        wait_for(device)

    with limit_blas_threads(num_threads()):
        seconds = race({"sgemm": product}, 10)["sgemm"]
    return size**3 / min(seconds)
