"""What the processes of a training step send to one another, and how long that takes: the alpha-beta model.

A message of n bytes takes alpha + beta * n seconds: alpha is the latency, beta is 1 / bandwidth. A `Sum` over k
processes takes log2(k) messages, one after another, because `messages.all_sum` is recursive doubling.

Source: Thakur, Rabenseifner and Gropp 2005, "Optimization of Collective Communication Operations in MPICH", which has
this model, and the cost of recursive doubling in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from ..compute import batch
from ..compute.processes import number_of_processes, sum_over_processes
from ..layers.layer import restored
from ..models import ResNet
from ..optim import SGD
from ..schedules import constant
from ..train import train
from .summary import zeros_for

SIZES = tuple(4**k for k in range(3, 12))  # bytes: the messages that `measure_link` sends, from 64 B to 4 MB


@dataclass(frozen=True)
class Message:
    """One call of `sum_over_processes` or `from_first_process`, in which all processes take part."""

    kind: str  #: "sum" or "broadcast"
    size: int  #: bytes


def messages_of_step(model: ResNet, image_size: int) -> list[Message]:
    """The messages of one training step, in order. They do not depend on the images, nor on how many there are.

    The step is taken here, by this process, on the model's device, with learning rate 0 and a batch of two images
    (image_size, image_size, 3). The batch norms of `model` must have no groups.
    """
    images, labels = zeros_for(model, (2, image_size, image_size, 3)), zeros_for(model, (2,)).astype(np.int64)
    steps = train(model, SGD(model.parameters()), [(images, labels)], constant(0.0), total_steps=1)
    with restored(model), _recorded() as messages:
        next(steps)
    return messages


@contextmanager
def _recorded() -> Iterator[list[Message]]:
    """A list to which every message is added that `over_batch` would send if there were other processes."""
    messages: list[Message] = []
    before = dict(vars(batch))

    def record_sum(values: list[Any]) -> list[Any]:
        if values:
            messages.append(Message("sum", sum(getattr(value, "nbytes", 8) for value in values)))  # a number: 8
        return values

    def record_broadcast(value: Any) -> Any:
        messages.append(Message("broadcast", value.nbytes))
        return value

    vars(batch).update(sum_over_processes=record_sum, from_first_process=record_broadcast)
    try:
        yield messages
    finally:
        vars(batch).update(before)


@dataclass(frozen=True)
class Link:
    """What joins two processes: the network, or the program that packs and adds at its ends, or both."""

    latency: float  #: alpha, in seconds
    bandwidth: float  #: 1 / beta, in bytes per second

    def seconds(self, size: int) -> float:
        """How long one message of `size` bytes takes."""
        return self.latency + size / self.bandwidth

    def then(self, other: Link) -> Link:
        """Both, one after the other: the times of a message add up."""
        return Link(self.latency + other.latency, 1 / (1 / self.bandwidth + 1 / other.bandwidth))


def rounds(processes: int) -> int:
    """How many messages of a sum follow one another: log2 of a power of two; two more for any other number."""
    power = processes.bit_length() - 1
    return power if processes == 1 << power else power + 2


def communication_seconds(messages: Iterable[Message], processes: int, link: Link) -> float:
    """How long all the messages take, in turn. A broadcast is counted like a sum: its messages form a binary tree.

    What the model leaves out: processes that wait because another is late, and messages that share a cable.
    """
    return rounds(processes) * sum(link.seconds(message.size) for message in messages)


def measure_link(repeats: int = 20) -> Link:
    """The link between processes as it is, from the times of sums of 64 B to 4 MB; to be called in all processes.

    Each time is a median. The line through them is the one with the least squares of relative errors.
    Raises ValueError when there is one process only.
    """
    if (number := number_of_processes()) == 1:
        raise ValueError("there is no link to measure: this process is alone")
    rows, ones = [], np.ones(len(SIZES))
    for size in SIZES:
        values, seconds = [np.zeros(size // 4, np.float32)], []
        for _ in range(repeats + 2):  # the first two do not count
            start = time.perf_counter()
            for _ in range(2):  # who waits longer in the first, because the other was late, waits less in the second
                sum_over_processes(values)
            seconds.append((time.perf_counter() - start) / 2 / rounds(number))
        middle = median(seconds[2:])
        rows.append((1 / middle, size / middle))
    (latency, per_byte), *_ = np.linalg.lstsq(np.array(rows), ones, rcond=None)
    return Link(float(latency), 1 / float(per_byte))
