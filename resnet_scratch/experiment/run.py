"""A training run and its folder: started, saved, resumed. `trainer.py` brings it to its end.

The random state of a run is its seed and the number of its step, because batches are a pure function of both. So what
`resume` continues is, to the bit, the run that was never interrupted.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import data
from ..compute.backend import resolve_device
from ..errors import UserError
from ..models import ResNet, build
from ..optim import Optimizer
from .checkpoint import atomic_write, load_state, read_about, save_state
from .log import History, write_log
from .recipe import Recipe
from .sums import EpochSums
from .weights import WEIGHTS_FILE, About, save_model

STATE_FILE, SETTINGS_FILE = "state.safetensors", "config.json"


class RunError(UserError):
    """A run that cannot start, continue or be resumed."""


@dataclass(frozen=True)
class Settings:
    """All that decides a run: with the same settings, the same run, to the bit."""

    recipe: Recipe
    seed: int = 0
    validation: int = 0  # the number of training images that are held out and evaluated on, not the test images
    data_dir: str | None = None
    image_size: int = 32  # of the images from a folder


@dataclass
class Run:
    """A run as it is after `step` steps. `save` writes all of it, `resume` reads it back."""

    folder: Path
    settings: Settings
    dataset: data.Dataset
    data_checksum: int
    device: str
    model: ResNet
    optimizer: Optimizer
    sums: EpochSums
    step: int = 0
    seconds: float = 0.0  # since the start, over all resumptions
    epoch_seconds: float = 0.0  # of training in the current epoch
    history: History = field(default_factory=list)

    @property
    def steps_per_epoch(self) -> int:
        return len(self.dataset.train_images) // self.settings.recipe.batch_size

    @property
    def total_steps(self) -> int:
        return self.settings.recipe.total_steps(self.steps_per_epoch)

    @property
    def epochs(self) -> int:
        """The number of epochs; the last one may be cut short."""
        return math.ceil(self.total_steps / self.steps_per_epoch)

    @property
    def finished(self) -> bool:
        return self.step >= self.total_steps

    @property
    def evaluated_on(self) -> str:
        """Which images the run is evaluated on: "validation" or "test"."""
        return "validation" if self.settings.validation else "test"

    def training_means(self) -> tuple[float, float]:
        """Mean loss and accuracy over the batches of the epoch so far, each as it was before its update.

        Waits for the device. Raises RunError when the loss is not a finite number.
        """
        steps, loss, correct = self.sums.to_array().tolist()
        if not math.isfinite(loss):
            raise RunError(f"the loss is no longer a number after step {self.step}: a lower --learning-rate may help")
        return loss / steps, correct / (steps * self.settings.recipe.batch_size)


def start(
    settings: Settings, folder: Path | None = None, device: str = "auto", dataset: data.Dataset | None = None
) -> Run:
    """A new run at step 0. The folder defaults to runs/<recipe>-<model>-<date>-<time>.

    `dataset` replaces the one that the recipe names. Raises RunError when the folder holds a run already, or when the
    settings do not suit the data.
    """
    run = _build(settings, Path(), device, dataset)
    run.folder = _new_folder(settings.recipe, folder)
    text = json.dumps(dataclasses.asdict(settings), indent=2) + "\n"
    atomic_write(run.folder / SETTINGS_FILE, text.encode())
    return run


def resume(folder: Path, device: str = "auto", data_dir: str | None = None, dataset: data.Dataset | None = None) -> Run:
    """The run in `folder`, as it was last saved. Raises RunError when there is none, or the data have changed."""
    if not (folder / STATE_FILE).is_file():
        raise RunError(f"{folder} holds no run that could be resumed: there is no {STATE_FILE} in it")
    about = read_about(folder / STATE_FILE)
    try:
        recipe = Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in about["settings"]["recipe"].items()})
        settings = Settings(**{**about["settings"], "recipe": recipe})
    except (TypeError, KeyError) as error:
        raise RunError(f"the run in {folder} was started by another version of resnet_scratch ({error})") from None
    if data_dir is not None:
        settings = dataclasses.replace(settings, data_dir=data_dir)
    run = _build(settings, folder, device, dataset)
    if run.data_checksum != about["data_checksum"]:
        raise RunError(f"the {run.dataset.name} data are not those that the run in {folder} was started with")
    run.sums = EpochSums.from_array(load_state(folder / STATE_FILE, run.model, run.optimizer), run.device)
    run.step, run.history = about["step"], about["history"]
    run.seconds, run.epoch_seconds = about["seconds"], about["epoch_seconds"]
    write_log(run.folder, run.history)  # the file may be older, or newer, than the state
    return run


def save(run: Run) -> None:
    """Write the state (all that `resume` needs), the weights alone (what others load) and the log; each atomically."""
    recipe, seed = run.settings.recipe, run.settings.seed
    about = {
        "settings": dataclasses.asdict(run.settings),
        "data_checksum": run.data_checksum,
        "step": run.step,
        "seconds": run.seconds,
        "epoch_seconds": run.epoch_seconds,
        "history": run.history,
    }
    save_state(run.folder / STATE_FILE, run.model, run.optimizer, run.sums.to_array(), about)
    save_model(run.folder / WEIGHTS_FILE, run.model, About.of(run.model, run.dataset, recipe.name, seed, run.step))
    write_log(run.folder, run.history)


def _build(settings: Settings, folder: Path, device: str, dataset: data.Dataset | None) -> Run:
    recipe, device = settings.recipe, resolve_device(device)
    if dataset is None:
        dataset = data.load(recipe.dataset, settings.data_dir, settings.image_size)
    images = f"the number of training images, {len(dataset.train_images)}"
    if settings.validation:
        if settings.validation >= len(dataset.train_images):
            raise RunError(f"validation must be below {images}, got {settings.validation}")
        dataset = dataset.split(settings.validation)
        images = f"the number of training images, {len(dataset.train_images)}"
    if recipe.batch_size > len(dataset.train_images):
        raise RunError(f"batch_size must be at most {images}, got {recipe.batch_size}")
    model = build(recipe.model, len(dataset.classes), rng=np.random.default_rng(settings.seed))
    model.to(device)
    optimizer = recipe.make_optimizer(model.parameters())
    checksum = 0
    for array in (dataset.train_images, dataset.train_labels):
        checksum = zlib.crc32(np.ascontiguousarray(array), checksum)
    sums = EpochSums.zeros(device)
    return Run(folder, settings, dataset.to(device), checksum, device, model, optimizer, sums)


def _new_folder(recipe: Recipe, folder: Path | None) -> Path:
    if folder is not None:
        if (folder / STATE_FILE).exists():
            raise RunError(
                f"{folder} holds a run already: continue it with --resume {folder}, or choose another folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    name = f"{recipe.name}-{recipe.model}-{time.strftime('%Y%m%d-%H%M%S')}"
    for suffix in ("", *(f"-{k}" for k in range(2, 100))):  # several runs may start within one second
        folder = Path("runs") / (name + suffix)
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise RunError(f"there are too many runs named {name} already")
