"""What is gradient-checked: each layer, each block, the loss, and whole small networks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from traceback import walk_tb
from typing import NamedTuple

import numpy as np

from ..compute.backend import Array, to_device
from ..compute.threads import num_threads
from ..gradcheck import Report, TensorCheck, gradcheck
from ..layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    SubsamplePad,
)  # fmt: skip
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from ..models import ResNetConfig, build
from ..models.resnet import BLOCKS
from .definitions import Pair


class Case(NamedTuple):
    """A layer and what its gradients are checked with."""

    name: str  #: in the report
    layer: Layer  #: in float64
    inputs: tuple[np.ndarray, ...]  #: of `forward`
    training: bool = True  #: whether `forward` is called for training


class CrossEntropy(Layer):
    """The loss as a layer, logits (N, classes) -> loss (), so that its gradient can be checked like a layer's."""

    def __init__(self, labels: Array, label_smoothing: float) -> None:
        self.labels, self.label_smoothing = labels, label_smoothing

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        """Logits x (N, classes) -> loss (). The cache is the gradient."""
        return softmax_cross_entropy(x, self.labels, self.label_smoothing)

    def backward(self, grad_y: Array, cache: Array) -> Array:
        """grad_y () -> grad_x (N, classes)."""
        return grad_y * cache


def cases(rng: np.random.Generator) -> Iterator[Case]:
    """Everything that is checked; `rng` draws weights and inputs. Sizes are unequal, and some odd, on purpose."""

    def images(channels: int, height: int = 5, width: int = 4, count: int = 3) -> np.ndarray:
        return rng.standard_normal((count, height, width, channels))

    def rows(count: int, size: int) -> np.ndarray:
        return rng.standard_normal((count, size))

    windows: list[tuple[Pair, Pair, Pair]] = [
        (3, 1, 1),
        (3, 2, 1),
        (1, 1, 0),
        (1, 2, 0),
        ((3, 2), (2, 1), (0, 1)),
        (3, 1, 3),
    ]
    for kernel_size, stride, padding in windows:
        conv = Conv2d(2, 3, kernel_size, stride, padding, rng=rng)
        yield Case(f"Conv2d {kernel_size}, stride {stride}, padding {padding}", conv, (images(2),))
    for training in (True, False):
        norm = BatchNorm2d(3)
        norm.weight.value, norm.bias.value = rng.standard_normal(3), rng.standard_normal(3)
        norm.running_mean.value, norm.running_var.value = rng.standard_normal(3), rng.uniform(0.5, 2, 3)
        yield Case(f"BatchNorm2d, {'training' if training else 'evaluation'}", norm, (2 + 0.5 * images(3),), training)
    norm = BatchNorm2d(3, group=2)
    norm.weight.value, norm.bias.value = rng.standard_normal(3), rng.standard_normal(3)
    yield Case("BatchNorm2d, groups of 2", norm, (2 + 0.5 * images(3, count=6),))
    yield Case("ReLU", ReLU(), (images(3),))
    yield Case("MaxPool2d 3, stride 2, padding 1", MaxPool2d(3, 2, 1), (images(2),))
    yield Case("MaxPool2d 2", MaxPool2d(2), (images(2),))
    yield Case("AvgPool2d (3, 2), stride 2, padding 1", AvgPool2d((3, 2), 2, 1), (images(2),))
    yield Case("GlobalAvgPool2d", GlobalAvgPool2d(), (images(3),))
    yield Case("Flatten", Flatten(), (images(3),))
    yield Case("Linear", Linear(5, 4, rng=rng), (rows(3, 5),))
    yield Case("Add", Add(), (images(2), images(2)))
    yield Case("SubsamplePad (option A)", SubsamplePad(2, 5, 2), (images(2),))
    yield Case("Sequential", Sequential(Linear(5, 4, rng=rng), ReLU(), Linear(4, 3, rng=rng)), (rows(3, 5),))
    for smoothing in (0.0, 0.1):
        labels = rng.integers(0, 5, 4)
        yield Case(f"cross-entropy, smoothing {smoothing}", CrossEntropy(labels, smoothing), (rows(4, 5),))
    for block in BLOCKS.values():
        for shortcut in "AB" if block.has_shortcut else "A":
            for stride in (1, 2):
                layer = block(4, 4 if stride == 1 else 8, stride, shortcut, rng)
                label = f"{block.__name__}, stride {stride}" + (f", option {shortcut}" if block.has_shortcut else "")
                yield Case(label, _randomise_norms(layer, rng), (images(4, 5, 6),))
    stems = [("basic", "patch", 8), ("basic", "imagenet", 16)]
    for name, stem, size in [*((name, "cifar", 8) for name in BLOCKS), *stems]:
        # so wide that most kernels are checked in directions: single elements are checked above
        config = ResNetConfig(f"small {name} net, {stem} stem", name, (1, 1), (10, 12), stem, "A", size)
        # evaluation differs in batch norm only, which has a case above, so one network is enough
        for training in (True, False) if (name, stem) == ("basic", "cifar") else (True,):
            label = f"{config.name}, {'training' if training else 'evaluation'}"
            network = _randomise_norms(build(config, 6, rng=rng), rng)
            yield Case(label, network, (images(3, size, size),), training)


def _randomise_norms(layer: Layer, rng: np.random.Generator) -> Layer:
    """Draw scales and shifts of all batch norms: shifts of 0 would put exact zeros on the kinks of the ReLUs."""
    for _, norm in layer.named_layers():
        if isinstance(norm, BatchNorm2d):
            norm.weight.value = rng.uniform(0.5, 1.5, norm.channels)
            norm.bias.value = rng.standard_normal(norm.channels)
    return layer


def check_cases(
    device: str = "cpu",
    seed: int = 0,
    show: Callable[[str, Report], None] = lambda name, report: None,
    names: Collection[str] | None = None,
) -> bool:
    """Check the gradients of every case, or of those in `names`, in float64 on `device`; True if all passed.

    `show(name, report)` is called after each case. A layer that raises an error fails its case. Raises UserError for a
    RESNET_SCRATCH_THREADS that is not a number of threads.
    """
    passed = True
    num_threads()  # raises an error for a wrong number of threads, which is no layer's mistake
    for name, layer, inputs, training in cases(np.random.default_rng(seed)):
        if names is not None and name not in names:
            continue
        layer.astype(np.float64).to(device)
        if isinstance(layer, CrossEntropy):
            layer.labels = to_device(layer.labels, device)
        moved = [to_device(x, device) for x in inputs]
        try:
            report = gradcheck(layer, *moved, training=training)
        except Exception as error:
            report = Report([TensorCheck("input", moved[0].shape, np.inf, problem=_told(error))])
        show(name, report)
        passed = passed and report.passed
    return passed


def _told(error: Exception) -> str:
    """Such as "backward raised ValueError: no such axis (conv.py:85)"."""
    calls = [(frame, line) for frame, line in walk_tb(error.__traceback__)]
    names = [frame.f_code.co_name for frame, _ in calls]
    method = next((name for name in reversed(names) if name in ("forward", "backward")), "gradcheck")
    frame, line = [call for call in calls if not call[0].f_globals.get("__name__", "").startswith("numpy")][-1]
    return f"{method} raised {type(error).__name__}: {error} ({Path(frame.f_code.co_filename).name}:{line})"
