"""Recipes: all the choices of a training run under one name. Data, not code: for another recipe, write another entry.

Lengths inside a recipe are fractions of the run, so that a run of another length keeps the shape of its schedule.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import schedules
from ..checks import check_flag, check_instance, check_number, check_whole, without_numpy
from ..errors import UserError, did_you_mean
from ..layers.layer import Parameter
from ..optim import SGD, Adam, Optimizer


class RecipeError(UserError):
    """A recipe that does not exist, or whose numbers make no sense."""


@dataclass(frozen=True)
class Recipe:
    """What a run is made of. Its length is given in `epochs` or in `steps` (batches), one of the two. Raises UserError
    for numbers that make no sense, and TypeError for what is not a tuple."""

    name: str
    model: str  #: a name from models.NAMES
    dataset: str  #: a name from data.NAMES
    expect: str  #: the test accuracy to expect, and what it was measured with; "": nobody knows
    batch_size: int
    learning_rate: float  #: the highest of the schedule
    schedule: str  #: "constant", "multi_step", "cosine" or "one_cycle"
    epochs: int | None = None
    steps: int | None = None
    peak_at: float = 0.3  #: one_cycle: when the learning rate is highest
    milestones: tuple[float, ...] = ()  #: multi_step: when the learning rate is divided by 10
    warmup: float = 0.0  #: the fraction of the run during which the rate warms up
    warmup_learning_rate: float | None = None  #: the rate of the warm-up; None: it rises linearly
    optimizer: str = "sgd"  #: or "adam", which wants a smaller learning rate: 0.001 to 0.01
    momentum: float = 0.9  #: adam: its beta1
    nesterov: bool = False  #: sgd only
    weight_decay: float = 0.0
    decay_biases_and_norms: bool = True
    label_smoothing: float = 0.0
    augment: bool = True  #: random crops; random mirror images where the data set allows them
    crop_padding: int = 4  #: pixels on each side of an image before it is cropped: the most by which it is shifted
    image_sizes: tuple[int, ...] = ()  #: height and width of the images, one after the other; (): the data set's own
    larger_at: tuple[float, ...] = ()  #: when the next of these sizes begins
    batch_norm_group: int | None = None  #: images that share batch norm's statistics; None: the whole batch
    flip_in_evaluation: bool = False  #: average the logits of each image and its mirror image

    def __post_init__(self) -> None:
        without_numpy(self)
        check_whole("batch_size", self.batch_size)
        check_number("learning_rate", self.learning_rate, above=0)
        for name in ("epochs", "steps", "batch_norm_group"):
            if (value := getattr(self, name)) is not None:
                check_whole(name, value)
        if (self.epochs is None) == (self.steps is None):
            raise RecipeError(f"a recipe has either epochs or steps; got epochs={self.epochs}, steps={self.steps}")
        check_number("peak_at", self.peak_at, above=0, below=1)
        check_number("warmup", self.warmup, at_least=0, at_most=1)
        if self.warmup_learning_rate is not None:
            check_number("warmup_learning_rate", self.warmup_learning_rate, at_least=0)
        check_number("momentum", self.momentum, at_least=0, below=1)
        check_number("weight_decay", self.weight_decay, at_least=0)
        check_number("label_smoothing", self.label_smoothing, at_least=0, at_most=1)
        check_whole("crop_padding", self.crop_padding, 0)
        for name in ("nesterov", "decay_biases_and_norms", "augment", "flip_in_evaluation"):
            check_flag(name, getattr(self, name))
        for name in ("milestones", "image_sizes", "larger_at"):
            check_instance(name, getattr(self, name), tuple)
            for k, value in enumerate(getattr(self, name)):
                if name == "image_sizes":
                    check_whole(f"{name}[{k}]", value)
                else:
                    check_number(f"{name}[{k}]", value, at_least=0, at_most=1)
        if len(self.larger_at) != max(len(self.image_sizes) - 1, 0) or list(self.larger_at) != sorted(self.larger_at):
            raise RecipeError(
                f"larger_at must say in order when each of image_sizes but the first begins, got {self.larger_at} "
                f"for {self.image_sizes}"
            )
        group = self.batch_norm_group
        if group is not None and self.batch_size % group:
            raise RecipeError(f"batch_norm_group must divide batch_size, {self.batch_size}, got {group}")
        for name, choices in (("schedule", _SCHEDULES), ("optimizer", OPTIMIZERS)):
            if (choice := getattr(self, name)) not in choices:
                raise RecipeError(f"{name} must be one of {', '.join(choices)}, got {choice!r}")
        if self.nesterov and self.optimizer != "sgd":
            raise RecipeError(f"nesterov is for sgd, got the optimizer {self.optimizer!r}")

    def total_steps(self, steps_per_epoch: int) -> int:
        """The length of the run in steps."""
        if self.steps is not None:
            return self.steps
        assert self.epochs is not None  # a recipe has one of the two
        return self.epochs * steps_per_epoch

    def learning_rates(self, total_steps: int) -> schedules.Schedule:
        """The schedule, stretched over a run of `total_steps`: from the step (from 0) to its learning rate."""
        schedule = _SCHEDULES[self.schedule](self, total_steps)
        warmup_steps = round(self.warmup * total_steps)
        return schedules.warmup(schedule, warmup_steps, self.warmup_learning_rate) if warmup_steps else schedule

    def sizes_at(self, total_steps: int) -> Callable[[int], int | None]:
        """From the step (from 0) of a run of `total_steps` to the height and width of its images in pixels, or None:
        their own. Source: Howard 2018, "Training Imagenet in 3 hours for USD 25" ("progressive resizing")."""
        if not self.image_sizes:
            return lambda step: None
        starts = [round(part * total_steps) for part in self.larger_at]
        return lambda step: self.image_sizes[sum(step >= start for start in starts)]

    def make_optimizer(self, parameters: list[Parameter]) -> Optimizer:
        """The optimizer, before its first step."""
        return OPTIMIZERS[self.optimizer](self, parameters)


_SCHEDULES: dict[str, Callable[[Recipe, int], schedules.Schedule]] = {
    "constant": lambda recipe, total: schedules.constant(recipe.learning_rate),
    "multi_step": lambda recipe, total: schedules.multi_step(
        recipe.learning_rate, sorted({round(part * total) for part in recipe.milestones})
    ),
    "cosine": lambda recipe, total: schedules.cosine(recipe.learning_rate, total),
    "one_cycle": lambda recipe, total: schedules.one_cycle(recipe.learning_rate, total, recipe.peak_at),
}


def _decay(recipe: Recipe) -> dict[str, Any]:
    return {"weight_decay": recipe.weight_decay, "decay_biases_and_norms": recipe.decay_biases_and_norms}


OPTIMIZERS: dict[str, Callable[[Recipe, list[Parameter]], Optimizer]] = {
    "sgd": lambda recipe, p: SGD(p, momentum=recipe.momentum, nesterov=recipe.nesterov, **_decay(recipe)),
    "adam": lambda recipe, p: Adam(p, beta1=recipe.momentum, **_decay(recipe)),
}

_PAPER: dict[str, Any] = dict(  # He et al. 2015, "Deep Residual Learning for Image Recognition", section 4.2
    dataset="cifar10",
    batch_size=128,
    steps=64_000,
    schedule="multi_step",
    learning_rate=0.1,
    milestones=(32 / 64, 48 / 64),  # divided by 10 at 32k and at 48k steps
    weight_decay=1e-4,
)

_RECIPES = [
    Recipe(
        name="shapes",
        model="resnet8",
        dataset="shapes",
        expect="96.3 +- 0.9 % (mean and standard deviation of seeds 0, 1, 2; NumPy 2.4)",
        batch_size=128,
        epochs=12,
        schedule="one_cycle",
        learning_rate=0.2,
        weight_decay=5e-4,
    ),
    Recipe(
        name="cifar10-fast",
        model="resnet20",
        dataset="cifar10",
        expect="83.4 +- 0.1 % (mean and standard deviation of seeds 0, 1, 2; NumPy 2.4) on a JPEG-compressed copy of "
        "CIFAR-10, where PyTorch 2.13 reached 83.7 and 83.3 % with this recipe; not measured on the original",
        batch_size=128,
        epochs=10,
        schedule="one_cycle",
        learning_rate=0.2,
        weight_decay=5e-4,
    ),
    Recipe(
        name="cifar10-quick",
        model="resnet8-wide",
        dataset="cifar10",
        expect="84.0 +- 0.4 % (mean and standard deviation of seeds 0, 1, 2; NumPy 2.4) on a JPEG-compressed copy of "
        "CIFAR-10, in half of PyTorch 2.13's time for cifar10-fast; not measured on the original",
        batch_size=256,
        epochs=10,
        schedule="one_cycle",
        peak_at=0.2,
        learning_rate=0.6,
        nesterov=True,
        weight_decay=5e-4,
        decay_biases_and_norms=False,
        label_smoothing=0.1,
        crop_padding=2,
        image_sizes=(24, 32),
        larger_at=(0.4,),
        flip_in_evaluation=True,
    ),
    Recipe(
        name="paper",
        model="resnet20",
        expect="91.25 % for resnet20, 92.49 % for resnet32, 92.83 % for resnet44, 93.03 % for resnet56 "
        "(the paper's table 6, one run each; not measured here)",
        **_PAPER,
    ),
    Recipe(
        name="paper110",
        model="resnet110",
        expect="93.39 +- 0.16 % (the paper's table 6, five runs, best 93.57 %; not measured here)",
        warmup=400 / 64_000,  # "we use 0.01 to warm up the training", about 400 steps, section 4.2
        warmup_learning_rate=0.01,
        **_PAPER,
    ),
]

RECIPES: dict[str, Recipe] = {recipe.name: recipe for recipe in _RECIPES}


def find(name: str) -> Recipe:
    """The recipe of that name. Raises RecipeError, with similar names, when there is none."""
    check_instance("name", name, str)
    if name not in RECIPES:
        others = did_you_mean(name, RECIPES) or f"; there are {', '.join(RECIPES)}"
        raise RecipeError(f"there is no recipe {name!r}{others}")
    return RECIPES[name]
