"""What a training run is. `storage.py` keeps it in a folder, `trainer.py` trains it to the end.

The random state of a run is its seed and the number of its step, because batches are a pure function of both.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__, data
from ..compute.backend import resolve_device, to_numpy
from ..compute.processes import number_of_processes, part_of_batch
from ..errors import UserError
from ..layers import BatchNorm2d
from ..models import ResNet, build
from ..optim import Optimizer
from .checkpoint import not_finite
from .files import FolderLock
from .log import History
from .recipe import Recipe
from .sums import EpochSums
from .weights import About

STATE_FILE = "state.safetensors"


class RunError(UserError):
    """A run that cannot start, continue or be resumed."""


@dataclass(frozen=True)
class EarlierLength:
    """Up to `until_step`, the learning rates were those of a run of `total_steps`."""

    until_step: int
    total_steps: int


@dataclass(frozen=True)
class Settings:
    """All that decides a run: with the same settings, the same run, bit for bit."""

    recipe: Recipe
    seed: int = 0
    validation: int = 0  #: the number of training images that are held out and evaluated on, not the test images
    data_dir: str | None = None
    image_size: int = 32  #: of the images from a folder
    mirror: bool = False  #: whether they may be flipped left to right
    earlier_lengths: tuple[EarlierLength, ...] = ()  #: if the length was changed; the recipe has the present one


@dataclass
class Run:
    """A run as it is after `step` steps."""

    lock: FolderLock  #: on its folder
    settings: Settings
    dataset: data.Dataset
    data_checksums: dict[str, Any]  #: what `_data_checksums` returns for it
    device: str
    model: ResNet
    optimizer: Optimizer
    sums: EpochSums
    step: int = 0
    seconds: float = 0.0  #: since the start, over all resumptions
    epoch_seconds: float = 0.0  #: of training in the current epoch
    history: History = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """The run's folder, which it has locked."""
        return self.lock.folder

    @property
    def steps_per_epoch(self) -> int:
        """The number of whole batches that the training images make."""
        return len(self.dataset.train_images) // self.settings.recipe.batch_size

    @property
    def total_steps(self) -> int:
        """The number of steps of the whole run."""
        return self.settings.recipe.total_steps(self.steps_per_epoch)

    @property
    def epochs(self) -> int:
        """The number of epochs; the last one may be cut short."""
        return math.ceil(self.total_steps / self.steps_per_epoch)

    @property
    def finished(self) -> bool:
        """Whether all steps have been taken."""
        return self.step >= self.total_steps

    @property
    def image_size(self) -> int | None:
        """The height and width of the images that it was last trained on, and is evaluated on; None: their own."""
        last = max(self.step - 1, 0)
        lengths = [earlier.total_steps for earlier in self.settings.earlier_lengths if last < earlier.until_step]
        return self.settings.recipe.sizes_at((*lengths, self.total_steps)[0])(last)

    @property
    def evaluated_on(self) -> str:
        """Which images the run is evaluated on: "validation" or "test"."""
        return "validation" if self.settings.validation else "test"

    def identity(self) -> dict[str, Any]:
        """What must be the same in all processes that share the run; where the data are may differ, not the data."""
        recipe = dataclasses.replace(self.settings.recipe, dataset="")  # its name may be a folder's path
        weights = (np.ascontiguousarray(to_numpy(buffer.value)).data for _, buffer in self.model.named_buffers())
        return {
            "version of resnet_scratch": __version__,
            "version of NumPy": np.__version__,
            "settings": dataclasses.replace(self.settings, recipe=recipe, data_dir=None),
            "data": self.data_checksums,
            "step": self.step,
            f"weights after step {self.step}": [zlib.crc32(array) for array in weights],
        }

    def training_means(self) -> tuple[float, float]:
        """Mean loss and accuracy over the batches of the epoch so far, each as it was before its update.

        Waits for the device. Raises RunError when the loss is not finite, with the step since which it is not.
        """
        steps, loss, correct = self.sums.to_array().tolist()
        if not math.isfinite(loss):
            first = self.step - self.sums.steps + int(self.sums.finite_steps) + 1
            raise self.diverged(f"the loss has not been finite since step {first}", first)
        return loss / steps, correct / (steps * self.settings.recipe.batch_size)

    def check_finite(self) -> None:
        """Raise RunError when the loss, a weight or a number of the optimizer's is not finite. Waits for the device."""
        if self.sums.steps:
            self.training_means()
        if names := not_finite(self.model, self.optimizer):
            more = f" and {len(names) - 1} more arrays are" if len(names) > 1 else " is"
            raise self.diverged(f"{names[0]}{more} not finite after step {self.step}", self.step)

    def diverged(self, what: str, step: int) -> RunError:
        """The error that says what is not finite since that step, and what to do."""
        highest = self.settings.recipe.learning_rate
        rate = self.settings.recipe.learning_rates(self.total_steps)(step - 1)
        way_out = "nothing was saved; start again"
        if (self.folder / STATE_FILE).exists():  # resumed, it would be the same bit for bit
            way_out = (
                f"{self.folder} keeps the state that was saved before; resuming would end here again: start again, in "
                "another folder,"
            )
        return RunError(
            f"{what} (learning rate {rate:.3g}, of at most {highest:.3g}); {way_out} with --lr {highest / 3:.2g}"
        )


def build_run(settings: Settings, lock: FolderLock, device: str, dataset: data.Dataset | None) -> Run:
    """The run at step 0, in memory only. `dataset` replaces the one that the recipe names.

    Raises RunError when the settings do not suit the data.
    """
    recipe, device = settings.recipe, resolve_device(device)
    _check_parts(recipe)
    if dataset is None:
        dataset = data.load(
            recipe.dataset, data_dir=settings.data_dir, image_size=settings.image_size, mirror=settings.mirror
        )
    images = f"the number of training images, {len(dataset.train_images)}"
    if settings.validation:
        if settings.validation >= len(dataset.train_images):
            raise RunError(f"validation must be below {images}, got {settings.validation}")
        dataset = dataset.split(settings.validation)
        images = f"the number of training images, {len(dataset.train_images)}"
    if recipe.batch_size > len(dataset.train_images):
        enough = min(32, 2 ** (len(dataset.train_images).bit_length() - 1))
        raise RunError(f"batch_size must be at most {images}, got {recipe.batch_size}; try --batch-size {enough}")
    model = build(recipe.model, len(dataset.classes), rng=np.random.default_rng(settings.seed))
    for _, layer in model.named_layers():
        if isinstance(layer, BatchNorm2d):
            layer.group = recipe.batch_norm_group
    model.to(device)
    optimizer = recipe.make_optimizer(model.parameters())
    checksums, sums = _data_checksums(dataset), EpochSums.zeros(device)
    run = Run(lock, settings, dataset.to(device), checksums, device, model, optimizer, sums)
    About.of(model, dataset, recipe.name, settings.seed, 0, run.image_size).check()  # now, not after training
    return run


def _check_parts(recipe: Recipe) -> None:
    """Raises where a process would have no image of a batch, or only part of a group for batch norm."""
    part_of_batch(recipe.batch_size)
    group, number = recipe.batch_norm_group, number_of_processes()
    if group is not None and recipe.batch_size % (group * number):
        raise RunError(
            f"batch_size must be a multiple of {group * number}, so that each of the {number} processes has whole "
            f"groups of {group} images for batch norm; got {recipe.batch_size}"
        )


def _data_checksums(dataset: data.Dataset) -> dict[str, Any]:
    """What has to be the same when a run is resumed, as JSON can hold it; images and labels as checksums."""
    arrays = {
        "training images": dataset.train_images,
        "training labels": dataset.train_labels,
        "images to evaluate on": dataset.test_images,
        "labels to evaluate on": dataset.test_labels,
    }
    checksums = {name: zlib.crc32(np.ascontiguousarray(to_numpy(array)).data) for name, array in arrays.items()}
    return {**checksums, "class names": list(dataset.classes), "mirror images": dataset.mirror}
