"""The gradient check of everything there is: each layer, each block, the loss and whole small networks."""

from __future__ import annotations

from typing import Callable, Collection, Iterator

import numpy as np

from ..compute.backend import Array, to_device
from ..gradcheck import Report, gradcheck
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


class CrossEntropy(Layer):
    """The loss as a layer, logits (N, classes) -> loss (), so that it can be checked like one."""

    def __init__(self, labels: Array, label_smoothing: float) -> None:
        self.labels, self.label_smoothing = labels, label_smoothing

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Array]:
        return softmax_cross_entropy(x, self.labels, self.label_smoothing)

    def backward(self, grad_y: Array, cache: Array) -> Array:
        return grad_y * cache


def cases(rng: np.random.Generator) -> Iterator[tuple[str, Layer, tuple[np.ndarray, ...], bool]]:
    """(name, layer, inputs, training) of everything to check."""

    def image(channels: int, height: int = 6, width: int = 5, images: int = 2) -> np.ndarray:
        return rng.standard_normal((images, height, width, channels))

    for kernel_size, stride, padding in [
        (3, 1, 1),
        (3, 2, 1),
        (1, 1, 0),
        (1, 2, 0),
        ((3, 2), (2, 1), (0, 1)),
        (3, 1, 3),
    ]:
        layer = Conv2d(2, 3, kernel_size, stride, padding, rng=rng)
        yield f"Conv2d {kernel_size}, stride {stride}, padding {padding}", layer, (image(2),), True
    for training in (True, False):
        layer = BatchNorm2d(3)
        layer.weight.value, layer.bias.value = rng.standard_normal(3), rng.standard_normal(3)
        layer.running_mean.value, layer.running_var.value = rng.standard_normal(3), rng.uniform(0.5, 2, 3)
        yield f"BatchNorm2d, {'training' if training else 'evaluation'}", layer, (2 + 3 * image(3),), training
    yield "ReLU", ReLU(), (image(3),), True
    yield "MaxPool2d 3, stride 2, padding 1", MaxPool2d(3, 2, 1), (image(2),), True
    yield "MaxPool2d 2", MaxPool2d(2), (image(2),), True
    yield "AvgPool2d (3, 2), stride 2, padding 1", AvgPool2d((3, 2), 2, 1), (image(2),), True
    yield "GlobalAvgPool2d", GlobalAvgPool2d(), (image(3),), True
    yield "Flatten", Flatten(), (image(3),), True
    yield "Linear", Linear(5, 4, rng=rng), (rng.standard_normal((3, 5)),), True
    yield "Add", Add(), (image(2), image(2)), True
    yield "SubsamplePad (option A)", SubsamplePad(2, 5, 2), (image(2),), True
    yield (
        "Sequential",
        Sequential(Linear(5, 4, rng=rng), ReLU(), Linear(4, 3, rng=rng)),
        (rng.standard_normal((3, 5)),),
        True,
    )
    for smoothing in (0.0, 0.1):
        labels = rng.integers(0, 5, 4)
        yield (
            f"cross-entropy, smoothing {smoothing}",
            CrossEntropy(labels, smoothing),
            (rng.standard_normal((4, 5)),),
            True,
        )
    for name, block in BLOCKS.items():
        for shortcut in "A" if name == "plain" else "AB":
            for stride in (1, 2):
                layer = block(4, 4 if stride == 1 else 8, stride, shortcut, rng)
                label = f"{block.__name__}, stride {stride}" + ("" if name == "plain" else f", option {shortcut}")
                yield label, _away_from_ties(layer, rng), (image(4, 6, 6),), True
    for name in BLOCKS:
        stem, shortcut, size = ("imagenet", "B", 16) if name == "relu_before_add" else ("cifar", "A", 8)
        config = ResNetConfig(f"small {name} net", name, (1, 1), (4, 8), stem, shortcut, size)
        for training in (True, False):
            label = f"{config.name}, {'training' if training else 'evaluation'}"
            yield label, _away_from_ties(build(config, 5, rng=rng), rng), (image(3, size, size),), training


def _away_from_ties(layer: Layer, rng: np.random.Generator) -> Layer:
    """Draw the scales and shifts of all batch norms: with shifts of 0, exact zeros meet the kink of the next ReLU."""
    for _, norm in layer.named_layers():
        if isinstance(norm, BatchNorm2d):
            norm.weight.value, norm.bias.value = (
                rng.uniform(0.5, 1.5, norm.channels),
                rng.standard_normal(norm.channels),
            )
    return layer


def check_everything(
    device: str = "cpu",
    seed: int = 0,
    show: Callable[[str, Report], None] = lambda name, report: None,
    names: Collection[str] | None = None,
) -> bool:
    """Run every case on `device`, or those of `names`, hand each report to `show`, and tell whether all passed."""
    passed = True
    for name, layer, inputs, training in cases(np.random.default_rng(seed)):
        if names is not None and name not in names:
            continue
        layer.astype(np.float64).to(device)
        if isinstance(layer, CrossEntropy):
            layer.labels = to_device(layer.labels, device)
        report = gradcheck(layer, *(to_device(x, device) for x in inputs), training=training)
        show(name, report)
        passed = passed and report.passed
    return passed
