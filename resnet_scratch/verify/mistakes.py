"""Mistakes that people make in a backward, by name: plant one, and see which gradient check catches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compute.backend import Array, array_module
from ..gradcheck import Report, gradcheck
from ..layers import Add, AvgPool2d, BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU
from ..layers.layer import Layer
from ..models.blocks import BasicBlock
from .cases import CrossEntropy, cases

Backward = Callable[[Array, Any], Any]


@dataclass(frozen=True)
class Mistake:
    """A wrong backward for one kind of layer."""

    kind: type[Layer]
    what: str  #: what is wrong
    why: str  #: why people make it
    wrong_backward: Callable[[Any, Backward, Array, Any], Any]  #: (layer, right backward, grad_y, cache) -> grad_x


MISTAKES: dict[str, Mistake] = {}


def _mistake(kind: type[Layer], what: str, why: str) -> Callable:
    """Registers the function below it under its own name, with dashes."""

    def register(wrong_backward: Callable) -> Callable:
        wrong_backward.__doc__ = f"Mistake: {what} ({why})."
        MISTAKES[wrong_backward.__name__.replace("_", "-")] = Mistake(kind, what, why, wrong_backward)
        return wrong_backward

    return register


@contextmanager
def planted(name: str) -> Iterator[Mistake]:
    """Within the `with` block, every layer of the mistake's kind has the wrong backward. ValueError: unknown name."""
    if (mistake := MISTAKES.get(name)) is None:
        raise ValueError(f"there is no mistake {name!r}; there are {', '.join(MISTAKES)}")
    right_backward, fast_path = mistake.kind.backward, mistake.kind.backward_to_parameters

    def backward(layer: Layer, grad_y: Array, cache: Any) -> Any:
        return mistake.wrong_backward(layer, lambda g, c: right_backward(layer, g, c), grad_y, cache)

    mistake.kind.backward = backward  # type: ignore[method-assign, assignment]
    mistake.kind.backward_to_parameters = Layer.backward_to_parameters  # type: ignore[method-assign]
    try:
        yield mistake
    finally:
        mistake.kind.backward = right_backward  # type: ignore[method-assign]
        mistake.kind.backward_to_parameters = fast_path  # type: ignore[method-assign]


def failing_checks(name: str, seed: int = 0) -> list[tuple[str, Report]]:
    """Plant a mistake, check the gradients of every layer of that kind, and return (case, report) of all that fail."""
    failed = []
    with planted(name) as mistake:
        for case in cases(np.random.default_rng(seed)):
            if type(case.layer) is mistake.kind:
                report = gradcheck(case.layer.astype(np.float64), *case.inputs, training=case.training)
                if not report.passed:
                    failed.append((case.name, report))
    return failed


@_mistake(Conv2d, "the kernel is not flipped for grad_x", "forward does not flip it either")
def conv_kernel_not_flipped(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    weight = conv.weight.value
    conv.weight.value = weight[::-1, ::-1]
    grad_x = right(grad_y, x)
    conv.weight.value = weight
    return grad_x


@_mistake(Conv2d, "grad_weight is averaged over the batch", "the loss is a mean, but that is in grad_y already")
def conv_grad_weight_averaged(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    conv.weight.grad = conv.weight.grad / len(x)
    return grad_x


@_mistake(Conv2d, "grad_weight is flipped", "it was computed as a convolution and not flipped back")
def conv_grad_weight_flipped(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    conv.weight.grad = conv.weight.grad[::-1, ::-1]
    return grad_x


@_mistake(Conv2d, "grad_bias is not summed over the width", "there are three axes to sum over; one was forgotten")
def conv_grad_bias_of_one_column(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    if conv.bias is not None:
        conv.bias.grad = grad_y[:, :, 0].sum((0, 1))
    return grad_x


@_mistake(Conv2d, "grad_x is shifted by one row", "the padding was cropped at the wrong end")
def conv_grad_x_shifted(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    return array_module(grad_x).concatenate([grad_x[:, 1:], grad_x[:, :1]], 1)


def _batchnorm(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any, a: float, b: float) -> Array:
    """weight / std * (grad_y - a * mean(grad_y) - b * xhat * mean(grad_y * xhat)), which is right for a = b = 1."""
    grad_x = right(grad_y, cache)  # sets the gradients of weight and bias
    if isinstance(cache, list):
        return grad_x  # put together from groups, each of which has come here with its own cache
    x, mean, inverse_std, training = cache
    if not training:
        return grad_x  # mean and variance are constants, so there is nothing to get wrong
    xhat = (x - mean) * inverse_std
    g = grad_y - a * grad_y.mean((0, 1, 2)) - b * xhat * (grad_y * xhat).mean((0, 1, 2))
    return layer.weight.value * inverse_std * g


@_mistake(BatchNorm2d, "no gradient flows through the batch's mean", "the mean looks like a constant")
def batchnorm_mean_constant(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    return _batchnorm(layer, right, grad_y, cache, 0, 1)


@_mistake(BatchNorm2d, "no gradient flows through the batch's variance", "the variance looks like a constant")
def batchnorm_variance_constant(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    return _batchnorm(layer, right, grad_y, cache, 1, 0)


@_mistake(BatchNorm2d, "the means are divided by n - 1 in place of n", "the running variance is divided by n - 1")
def batchnorm_means_unbiased(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    n = grad_y.size / grad_y.shape[3]
    return _batchnorm(layer, right, grad_y, cache, n / (n - 1), n / (n - 1))


@_mistake(BatchNorm2d, "training uses the backward of evaluation", "in evaluation the statistics are constants")
def batchnorm_evaluation_backward(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    return _batchnorm(layer, right, grad_y, cache, 0, 0)


@_mistake(ReLU, "the gradient also passes where x was negative", "the mask was forgotten")
def relu_passes_everything(layer: ReLU, right: Backward, grad_y: Array, y: Array) -> Array:
    return grad_y * 1


@_mistake(ReLU, "the mask comes from the gradient, not from x", "max(grad_y, 0) looks like the forward")
def relu_mask_of_gradient(layer: ReLU, right: Backward, grad_y: Array, y: Array) -> Array:
    return array_module(grad_y).maximum(grad_y, 0)


@_mistake(ReLU, "grad_y is changed in place", "it saves an array; but the shortcut gets the same one")
def relu_in_place(layer: ReLU, right: Backward, grad_y: Array, y: Array) -> Array:
    grad_y *= y > 0
    return grad_y


@_mistake(MaxPool2d, "every pixel of a window gets the gradient", "it was written like the average")
def maxpool_gradient_to_all(layer: MaxPool2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    (_, shape), (KH, KW) = cache, layer.kernel_size
    return AvgPool2d(layer.kernel_size, layer.stride, layer.padding).backward(grad_y, shape) * (KH * KW)


@_mistake(AvgPool2d, "the gradient is not divided by the window's size", "forward divides already")
def avgpool_not_divided(layer: AvgPool2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    KH, KW = layer.kernel_size
    return right(grad_y, cache) * (KH * KW)


@_mistake(GlobalAvgPool2d, "the gradient is divided by the height only", "one of two axes was forgotten")
def global_avgpool_by_height(layer: GlobalAvgPool2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    grad_x = right(grad_y, cache)
    return grad_x * grad_x.shape[2]


@_mistake(Linear, "grad_bias is averaged over the batch", "the loss is a mean, but that is in grad_y already")
def linear_grad_bias_averaged(layer: Linear, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    if layer.bias is not None:
        layer.bias.grad = layer.bias.grad / len(x)
    return grad_x


@_mistake(Add, "each input gets half of the gradient", "it seems that the gradient has to be divided among them")
def add_halves_gradient(layer: Add, right: Backward, grad_y: Array, cache: tuple) -> tuple[Array, Array]:
    return grad_y / 2, grad_y / 2


@_mistake(Add, "no gradient flows through the shortcut", "the branch is where the weights are")
def add_forgets_shortcut(layer: Add, right: Backward, grad_y: Array, cache: tuple) -> tuple[Array, Array]:
    return grad_y, grad_y * 0


@_mistake(BasicBlock, "the shortcut's gradient is not added", "backward ends where the branch ends")
def block_forgets_shortcut(block: BasicBlock, right: Backward, grad_y: Array, cache: tuple) -> Array:
    shortcut, right_of_shortcut = block.downsample, block.downsample.backward
    shortcut.backward = lambda grad_y, cache: right_of_shortcut(grad_y, cache) * 0  # type: ignore[method-assign]
    try:
        return right(grad_y, cache)
    finally:
        del shortcut.backward


@_mistake(CrossEntropy, "the gradient is not divided by the batch size", "they forget that the loss is a mean")
def cross_entropy_not_averaged(layer: CrossEntropy, right: Backward, grad_y: Array, cache: Array) -> Array:
    return right(grad_y, cache) * len(cache)
