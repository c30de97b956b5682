"""Milestones: networks that are made of a student's answers, and learn.

A network of the library is built, and the classes of its layers are exchanged for ones that call the answers
(`own_layers`). So the very same network, with the same weights, runs once on the library's code and once on the
student's, and both must learn alike. Before that, each task is checked once more, so that the right task is blamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from ..data.augment import normalise
from ..data.shapes import draw_images
from ..gradcheck import gradcheck
from ..layers import BatchNorm2d, Conv2d, ReLU
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from ..models import build
from ..models.blocks import BasicBlock
from ..models.configs import ResNetConfig
from ..optim import SGD
from . import grade
from .kept import VARIABLE, folder
from .own_layers import Answers, own_loss, own_sgd, use_answers

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

    Prints which tasks are still to do; or, if there are none, that each part is right, how the loss falls, and the test
    accuracy. The library's own network, with the same weights and images, makes the first steps too. Raises
    AssertionError for a wrong answer, which it names, and if the two networks do not agree; and KeyError for a chapter
    without a milestone.
    """
    goal = MILESTONES[chapter]
    missing = [number for number in goal.needs if number not in answers]
    if missing:
        print(f"{goal.title}: first answer the tasks {', '.join(missing)}, then run this cell again.")
        print(f"(Right answers from notebooks are kept in {folder().absolute()}; set {VARIABLE} for another folder.)")
        return
    print(f"{goal.title}.\n")
    for part, numbers in goal.parts.items():
        print(f"your {part} (tasks {', '.join(numbers)}): {_check_part(part, numbers, answers)}")
    print(f"\n{'step':>4}  {'your loss':>9}  {'library':>9}")
    reference = _train([], {}, steps)
    for step, (network, loss) in enumerate(_train(goal.parts, answers, steps), start=1):
        if step <= COMPARED:
            _, wanted = next(reference)
            print(f"{step:4}  {loss:9.4f}  {wanted:9.4f}")
            assert abs(loss - wanted) < 1e-3 * wanted, (
                f"step {step}: your loss is {loss:.4f} and the library's is {wanted:.4f}, with the same weights and "
                f"images, although the answers to {', '.join(goal.needs)} passed their own checks. Do they work for "
                f"batches of {BATCH_SIZE} images, and for float32?"
            )
        elif step % max(1, steps // 10) == 0:
            print(f"{step:4}  {loss:9.4f}")
    images, labels = _images(TEST_IMAGES, seed=1)
    accuracy = np.mean(network(images).argmax(1) == labels)
    print(f"\ntest accuracy {accuracy:.0%} after {steps} steps of {BATCH_SIZE} images; guessing gets 33%")


def _check_part(part: str, numbers: tuple[str, ...], answers: Answers) -> str:
    """Check the tasks of a part by themselves, and the gradients of the layer that is made of them.

    Returns what to print. Raises AssertionError, which names the task or the layer, if one is wrong.
    """
    for number in numbers:
        try:
            grade(number, answers[number])
        except AssertionError as error:
            raise AssertionError(f"your {part} is not right yet, because of task {number}: {error}") from None
    if part not in CHECKED:
        return "right"
    layer, shape = CHECKED[part]()
    use_answers(layer, answers, [part])
    report = gradcheck(layer.astype(np.float64), np.random.default_rng(0).standard_normal(shape))
    assert report, f"the answers to {', '.join(numbers)} pass their own checks, but not together as a {part}:\n{report}"
    return f"right, and so are its gradients: relative error {report.error:.0e}"


CHECKED: dict[str, Callable[[], tuple[Layer, tuple[int, ...]]]] = {  # a layer of each kind, and the shape of its input
    "convolution": lambda: (Conv2d(3, 4, (3, 2), stride=2, padding=1, rng=np.random.default_rng(1)), (2, 5, 6, 3)),
    "batch norm": lambda: (BatchNorm2d(3), (4, 2, 3, 3)),
    "ReLU": lambda: (ReLU(), (2, 3, 4, 5)),
    "block": lambda: (BasicBlock(2, 4, 2, "B", np.random.default_rng(1)), (3, 6, 4, 2)),
}


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


def _train(parts: Iterable[str], answers: Answers, steps: int) -> Iterator[tuple[Layer, float]]:
    """The five steps of training, with the answers as `parts`; yields the network, and the loss before each update."""
    network = _small_resnet()
    use_answers(network, answers, parts)
    loss_function = own_loss(answers["5.3"], answers["5.4"]) if "loss" in parts else softmax_cross_entropy
    optimizer_class = own_sgd(answers["8.1"]) if "update" in parts else SGD
    optimizer = optimizer_class(network.parameters(), momentum=MOMENTUM, weight_decay=WEIGHT_DECAY)
    images, labels = _images(TRAIN_IMAGES, seed=0)
    rng = np.random.default_rng(2)
    for step in range(steps):
        batch = rng.integers(0, len(images), BATCH_SIZE)
        logits, cache = network.forward(images[batch], training=True)
        loss, grad_logits = loss_function(logits, labels[batch])
        network.backward(grad_logits, cache)
        optimizer.step(PEAK_RATE * min((step + 1) / 40, 1 - step / steps))
        yield network, float(loss)
