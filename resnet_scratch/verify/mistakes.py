"""Mistakes that people make in a backward, each under a name: plant one, and see which check catches it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Callable, Iterator

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
    what: str  # is wrong
    why: str  # people make it
    wrong: Callable[[Any, Backward, Array, Any], Any]  # (layer, the right backward, grad_y, cache) -> grad_x


MISTAKES: dict[str, Mistake] = {}


def _mistake(kind: type[Layer], what: str, why: str) -> Callable:
    """Enters the function below under its own name, with dashes."""

    def enter(wrong: Callable) -> Callable:
        MISTAKES[wrong.__name__.replace("_", "-")] = Mistake(kind, what, why, wrong)
        return wrong

    return enter


@contextmanager
def planted(name: str) -> Iterator[Mistake]:
    """While it lasts, every layer of the mistake's kind goes backward wrongly. ValueError for an unknown name."""
    if name not in MISTAKES:
        raise ValueError(f"there is no mistake {name!r}; there are {', '.join(MISTAKES)}")
    mistake = MISTAKES[name]
    right = mistake.kind.backward

    def backward(layer: Layer, grad_y: Array, cache: Any) -> Any:
        return mistake.wrong(layer, lambda g, c: right(layer, g, c), grad_y, cache)

    mistake.kind.backward = backward  # type: ignore[method-assign]
    try:
        yield mistake
    finally:
        mistake.kind.backward = right  # type: ignore[method-assign]


def catch(name: str, seed: int = 0) -> list[tuple[str, Report]]:
    """Plant a mistake, check the gradients of every layer of that kind, and return (case, report) of all that fail."""
    failed = []
    with planted(name) as mistake:
        for case, layer, inputs, training in cases(np.random.default_rng(seed)):
            if type(layer) is mistake.kind:
                report = gradcheck(layer.astype(np.float64), *inputs, training=training)
                if not report.passed:
                    failed.append((case, report))
    return failed


@_mistake(Conv2d, "the kernel is not turned by 180 degrees for grad_x", "forward does not turn it either")
def conv_kernel_not_turned(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    weight = conv.weight.value
    conv.weight.value = weight[::-1, ::-1]
    grad_x = right(grad_y, x)
    conv.weight.value = weight
    return grad_x


@_mistake(Conv2d, "grad_weight is averaged over the batch", "the loss is averaged already, and once is enough")
def conv_weight_gradient_averaged(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    conv.weight.grad = conv.weight.grad / len(x)
    return grad_x


@_mistake(Conv2d, "grad_weight is turned by 180 degrees", "it was computed as a convolution and not turned back")
def conv_weight_gradient_turned(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    conv.weight.grad = conv.weight.grad[::-1, ::-1]
    return grad_x


@_mistake(Conv2d, "grad_bias misses the sum over the width", "three axes to sum over, and one was forgotten")
def conv_bias_gradient_of_one_column(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    if conv.bias is not None:
        conv.bias.grad = grad_y[:, :, 0].sum((0, 1))
    return grad_x


@_mistake(Conv2d, "grad_x is shifted by one row", "padding was cropped off the wrong end")
def conv_input_gradient_shifted(conv: Conv2d, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    return array_module(grad_x).concatenate([grad_x[:, 1:], grad_x[:, :1]], 1)


def _batchnorm(layer: BatchNorm2d, grad_y: Array, cache: Any, mean_of: float, projection_of: float) -> Array:
    """scale * (grad_y - mean_of * mean(grad_y) - projection_of * xhat * mean(grad_y * xhat)): right with ones."""
    x, mean, inverse_std, training = cache
    xhat = (x - mean) * inverse_std
    g = grad_y - mean_of * grad_y.mean((0, 1, 2)) - projection_of * xhat * (grad_y * xhat).mean((0, 1, 2))
    return layer.weight.value * inverse_std * g


@_mistake(BatchNorm2d, "no gradient flows through the batch's mean", "the mean looks like a constant")
def batchnorm_mean_taken_as_constant(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    right(grad_y, cache)
    return _batchnorm(layer, grad_y, cache, 0, 1)


@_mistake(BatchNorm2d, "no gradient flows through the batch's variance", "the variance looks like a constant")
def batchnorm_variance_taken_as_constant(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    right(grad_y, cache)
    return _batchnorm(layer, grad_y, cache, 1, 0)


@_mistake(BatchNorm2d, "the means are divided by N - 1 images instead of N", "the running variance is divided so")
def batchnorm_means_unbiased(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    right(grad_y, cache)
    values = grad_y.size / grad_y.shape[3]
    return _batchnorm(layer, grad_y, cache, values / (values - 1), values / (values - 1))


@_mistake(BatchNorm2d, "in training, backward is that of evaluation", "in evaluation the statistics are constants")
def batchnorm_backward_of_evaluation(layer: BatchNorm2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    right(grad_y, cache)
    return _batchnorm(layer, grad_y, cache, 0, 0)


@_mistake(ReLU, "every gradient passes", "where x was negative, nothing came out, but something goes back in")
def relu_passes_everything(layer: ReLU, right: Backward, grad_y: Array, y: Array) -> Array:
    return grad_y * 1


@_mistake(ReLU, "the mask is that of the gradient, not of x", "max(grad_y, 0) looks so much like forward")
def relu_of_the_gradient(layer: ReLU, right: Backward, grad_y: Array, y: Array) -> Array:
    return array_module(grad_y).maximum(grad_y, 0)


@_mistake(ReLU, "grad_y is changed in place", "it saves an array; but the shortcut was handed the same one")
def relu_in_place(layer: ReLU, right: Backward, grad_y: Array, y: Array) -> Array:
    grad_y *= y > 0
    return grad_y


@_mistake(MaxPool2d, "every pixel of a window gets the gradient", "the average shares it out; the maximum does not")
def maxpool_gradient_for_all(layer: MaxPool2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    same = AvgPool2d(layer.kernel_size, layer.stride, layer.padding)
    _, spread = same.forward(right(grad_y, cache))
    KH, KW = layer.kernel_size
    return same.backward(grad_y, spread) * (KH * KW)


@_mistake(AvgPool2d, "the gradient is not divided by the window's size", "forward divides, so why divide again")
def avgpool_not_divided(layer: AvgPool2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    KH, KW = layer.kernel_size
    return right(grad_y, cache) * (KH * KW)


@_mistake(GlobalAvgPool2d, "the gradient is divided by the height only", "one of two axes was forgotten")
def global_avgpool_divided_once(layer: GlobalAvgPool2d, right: Backward, grad_y: Array, cache: Any) -> Array:
    grad_x = right(grad_y, cache)
    return grad_x * grad_x.shape[2]


@_mistake(Linear, "grad_bias is averaged over the batch", "the loss is averaged already, and once is enough")
def linear_bias_gradient_averaged(layer: Linear, right: Backward, grad_y: Array, x: Array) -> Array:
    grad_x = right(grad_y, x)
    layer.bias.grad = layer.bias.grad / len(x)
    return grad_x


@_mistake(Add, "the gradient is shared out, half to each", "as if there were only so much of it")
def add_shares_the_gradient(layer: Add, right: Backward, grad_y: Array, cache: None) -> tuple[Array, Array]:
    return grad_y / 2, grad_y / 2


@_mistake(Add, "nothing goes back through the shortcut", "the branch is where the weights are")
def add_forgets_the_shortcut(layer: Add, right: Backward, grad_y: Array, cache: None) -> tuple[Array, Array]:
    return grad_y, grad_y * 0


@_mistake(BasicBlock, "what comes back through the shortcut is not added", "backward ends where the branch ends")
def block_without_the_shortcuts_gradient(block: BasicBlock, right: Backward, grad_y: Array, cache: tuple) -> Array:
    *_, downsample, _, relu2 = cache
    through_shortcut = block.downsample.backward(block.relu2.backward(grad_y, relu2), downsample)
    return right(grad_y, cache) - through_shortcut


@_mistake(CrossEntropy, "the gradient is not divided by the number of images", "the loss is a mean, but who recalls")
def cross_entropy_not_averaged(layer: CrossEntropy, right: Backward, grad_y: Array, cache: Array) -> Array:
    return right(grad_y, cache) * len(cache)
