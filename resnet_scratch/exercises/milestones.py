"""Milestones: networks that are made of a student's answers, and learn.

A network of the library is built, and the class of its layers is exchanged: `OwnConv2d` is a Conv2d whose forward and
backward call the answers. So the very same network, with the same weights, runs once on the library's code and once on
the student's, and both must learn alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from ..data.augment import normalise
from ..data.shapes import draw_images
from ..layers import BatchNorm2d, Conv2d, ReLU
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from ..models import build
from ..models.blocks import BasicBlock
from ..models.configs import ResNetConfig
from ..optim import SGD

Answers = Mapping[str, Any]  # a student's functions and classes, by the number of the task
CLASSES = (0, 8, 9)  # circle, stripes and checkers of the built-in data set
TRAIN_IMAGES, TEST_IMAGES = 3000, 400
BATCH_SIZE, PEAK_RATE, MOMENTUM, WEIGHT_DECAY = 32, 0.1, 0.9, 5e-4
COMPARED = 5  # steps that the library makes too


@dataclass(frozen=True)
class Milestone:
    """A network of which some parts are the student's."""

    title: str
    parts: dict[str, tuple[str, ...]]  # what the student's answers are used for, and the numbers of these tasks

    @property
    def needs(self) -> list[str]:
        """The numbers of the tasks."""
        return [number for numbers in self.parts.values() for number in numbers]


CONVOLUTION = {"convolution": ("1.4", "2.2", "2.3")}
LAYERS = {**CONVOLUTION, "batch norm": ("4.1", "4.2", "4.3"), "ReLU": ("0.1", "0.2"), "loss": ("5.3", "5.4")}
EVERYTHING = {**LAYERS, "block": ("6.5",), "update": ("8.1",)}
MILESTONES = {
    2: Milestone("Your own convolution learns the shapes", CONVOLUTION),
    5: Milestone("Your own layers learn the shapes", LAYERS),
    8: Milestone("Your own ResNet learns the shapes", EVERYTHING),
}


def milestone(chapter: int, answers: Answers, steps: int = 400) -> None:
    """Train a small ResNet to tell circles, stripes and checkers apart, with a student's answers in it.

    Prints how the loss falls and the test accuracy; or which tasks are still to do. The library's own network, with the
    same weights and images, makes the first steps too. Raises AssertionError when the two do not agree there, and
    KeyError for a chapter without a milestone.
    """
    goal = MILESTONES[chapter]
    missing = [number for number in goal.needs if number not in answers]
    if missing:
        print(f"{goal.title}: still to do are the tasks {', '.join(missing)}. Then run this cell again.")
        return
    print(f"{goal.title}. Yours: {', '.join(goal.parts)}.\n\n{'step':>4}  {'your loss':>9}  {'library':>9}")
    own, library = _small_resnet(), _small_resnet()
    use_answers(own, answers, goal.parts)
    reference = _train(library, {}, False, steps)
    for step, loss in enumerate(_train(own, answers if "loss" in goal.parts else {}, "update" in goal.parts, steps), 1):
        if step <= COMPARED:
            wanted = next(reference)
            print(f"{step:4}  {loss:9.4f}  {wanted:9.4f}")
            assert abs(loss - wanted) < 1e-3 * wanted, (
                f"step {step}: your loss is {loss:.4f} and the library's is {wanted:.4f}, with the same weights and "
                f"images; check again the tasks {', '.join(goal.needs)}"
            )
        elif step % (steps // 10) == 0:
            print(f"{step:4}  {loss:9.4f}")
    images, labels = _images(TEST_IMAGES, seed=1)
    accuracy = np.mean(own(images).argmax(1) == labels)
    print(f"\ntest accuracy {accuracy:.0%} after {steps} steps of {BATCH_SIZE} images; guessing gets 33%")


def use_answers(network: Layer, answers: Answers, parts: Mapping[str, Any]) -> None:
    """Exchange the classes of a network's layers for ones that run on the answers, for the `parts` named."""
    own: dict[type, type] = {}
    if "convolution" in parts:
        own[Conv2d] = own_conv2d(answers["1.4"], answers["2.2"], answers["2.3"])
    if "batch norm" in parts:
        own[BatchNorm2d] = own_batch_norm(answers["4.1"], answers["4.2"], answers["4.3"])
    if "ReLU" in parts:
        own[ReLU] = own_relu(answers["0.1"], answers["0.2"])
    if "block" in parts:
        own[BasicBlock] = answers["6.5"]
    for _, layer in list(network.named_layers()):
        layer.__class__ = own.get(type(layer), type(layer))


def own_conv2d(convolution: Callable, weight_gradient: Callable, add_back: Callable) -> type[Conv2d]:
    """A Conv2d that is made of the answers to tasks 1.4, 2.2 and 2.3."""

    class OwnConv2d(Conv2d):
        def forward(self, x, training=False):
            bias = np.zeros(self.out_channels, x.dtype) if self.bias is None else self.bias.value
            return convolution(x, self.weight.value, bias, self.stride[0], self.padding[0]), x

        def backward(self, grad_y, x):
            geometry = self.kernel_size, self.stride[0], self.padding[0]
            self.weight.grad = weight_gradient(x, grad_y, *geometry)
            if self.bias is not None:
                self.bias.grad = grad_y.sum((0, 1, 2))
            weight = self.weight.value.reshape(-1, self.out_channels)
            return add_back(grad_y.reshape(-1, self.out_channels) @ weight.T, x.shape, *geometry)

        backward_to_parameters = Layer.backward_to_parameters

    return OwnConv2d


def own_batch_norm(batch_norm: Callable, batch_norm_backward: Callable, update_running: Callable) -> type[BatchNorm2d]:
    """A BatchNorm2d that is made of the answers to tasks 4.1, 4.2 and 4.3. In evaluation it is the library's."""

    class OwnBatchNorm2d(BatchNorm2d):
        def forward(self, x, training=False):
            if not training:
                return super().forward(x)
            mean, var = self.running_mean, self.running_var
            mean.value, var.value = update_running(mean.value, var.value, x, self.momentum)
            return batch_norm(x, self.weight.value, self.bias.value, self.eps), x

        def backward(self, grad_y, x):
            one, zero = (np.ones_like(self.weight.value), np.zeros_like(self.weight.value))
            xhat = batch_norm(x, one, zero, self.eps)
            inverse_std = 1 / np.sqrt(x.var((0, 1, 2)) + self.eps)
            grad_x, self.weight.grad, self.bias.grad = batch_norm_backward(grad_y, xhat, inverse_std, self.weight.value)
            return grad_x

    return OwnBatchNorm2d


def own_relu(relu_forward: Callable, relu_backward: Callable) -> type[ReLU]:
    """A ReLU that is made of the answers to tasks 0.1 and 0.2."""

    class OwnReLU(ReLU):
        def forward(self, x, training=False):
            return relu_forward(x), x

        def backward(self, grad_y, x):
            return relu_backward(grad_y, x)

    return OwnReLU


def _small_resnet() -> Layer:
    config = ResNetConfig("milestone", "basic", (1, 1, 1), (8, 16, 32), stem="cifar", shortcut="B", image_size=32)
    return build(config, len(CLASSES), rng=np.random.default_rng(0))


def _images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """About `count` normalised images (N, 32, 32, 3) of the three classes, and their labels (N,), 0 to 2."""
    images, labels = draw_images(count * 10 // 3, np.random.default_rng(seed))
    wanted = np.isin(labels, CLASSES)
    images = images[wanted]
    mean, std = images.mean((0, 1, 2)) / 255, images.std((0, 1, 2)) / 255
    return normalise(images, mean, std), np.searchsorted(CLASSES, labels[wanted])


def _train(network: Layer, answers: Answers, own_update: bool, steps: int) -> Iterator[float]:
    """The five steps of training; yields the loss of each batch, before the update."""
    images, labels = _images(TRAIN_IMAGES, seed=0)
    rng = np.random.default_rng(2)
    optimizer = SGD(network.parameters(), MOMENTUM, WEIGHT_DECAY)
    for step in range(steps):
        learning_rate = PEAK_RATE * min((step + 1) / 40, 1 - step / steps)
        batch = rng.integers(0, len(images), BATCH_SIZE)
        logits, cache = network.forward(images[batch], training=True)
        loss, grad_logits = softmax_cross_entropy(logits, labels[batch])
        if answers:  # the student's softmax, and the gradient of the loss
            probabilities = answers["5.3"](logits)
            loss = -np.log(probabilities[np.arange(BATCH_SIZE), labels[batch]]).mean()
            grad_logits = answers["5.4"](probabilities, labels[batch])
        network.backward(grad_logits, cache)
        if own_update:
            for p, state in zip(optimizer.parameters, optimizer.states, strict=True):
                p.value, state["velocity"] = answers["8.1"](
                    p.value, p.grad, state["velocity"], learning_rate, MOMENTUM, WEIGHT_DECAY
                )
        else:
            optimizer.step(learning_rate)
        yield float(loss)
