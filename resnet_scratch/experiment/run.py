"""What a training run is, and its folder: begun, saved, resumed. `trainer.py` brings it forward.

The random state of a run is its seed and the number of its step, because batches are a pure function of both. So what
`resume` continues is, to the bit, the run that was never interrupted.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .. import data
from ..compute.backend import Array, resolve_device, to_device
from ..models import ResNet, build
from ..optim import SGD
from .checkpoint import atomic_write, load_state, read_about, save_state
from .evaluation import WEIGHTS_FILE, About, save_model
from .recipe import Recipe

STATE_FILE, LOG_FILE = "state.safetensors", "log.csv"
COLUMNS = (
    "epoch",
    "step",
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "seconds",
    "images_per_second",
)


class RunError(ValueError):
    """A run that cannot start, go on or be read."""


@dataclass(frozen=True)
class Settings:
    """All that decides a run: with the same settings, the same run, to the bit."""

    recipe: Recipe
    seed: int = 0
    validation: int = 0  # so many training images are held out and stand in for the test images
    data_dir: str | None = None


@dataclass
class Run:
    """A run and where it stands. Saved whole by `save`, found again by `resume`."""

    folder: Path
    settings: Settings
    dataset: data.Dataset
    data_checksum: int
    device: str
    model: ResNet
    optimizer: SGD
    sums: Array  # of the epoch under way: steps, loss, correct images; float64 (3,) on the device
    step: int = 0
    seconds: float = 0.0  # since the start, over all resumptions
    epoch_seconds: float = 0.0  # of training in the epoch under way
    history: list[dict[str, float]] = field(default_factory=list)  # a row of log.csv per epoch

    @property
    def steps_per_epoch(self) -> int:
        return len(self.dataset.train_images) // self.settings.recipe.batch_size

    @property
    def total_steps(self) -> int:
        return self.settings.recipe.total_steps(self.steps_per_epoch)

    @property
    def finished(self) -> bool:
        return self.step >= self.total_steps

    def about(self) -> About:
        return About.of(self.model, self.dataset, self.settings.recipe.name, self.settings.seed, self.step)


def start(
    settings: Settings, folder: Path | None = None, device: str = "auto", dataset: data.Dataset | None = None
) -> Run:
    """A new run at step 0. The folder defaults to runs/<recipe>-<model>-<date>-<time>.

    `dataset` stands in for the one that the recipe names. Raises RunError when the folder holds a run already.
    """
    run = _build(settings, Path(), device, dataset)
    run.folder = _new_folder(settings.recipe, folder)
    config = dataclasses.asdict(settings)
    atomic_write(run.folder / "config.json", (json.dumps(config, indent=2) + "\n").encode())
    return run


def resume(folder: Path, device: str = "auto", data_dir: str | None = None, dataset: data.Dataset | None = None) -> Run:
    """The run in `folder`, where it was stopped. Raises RunError when there is none, or the data are others."""
    if not (folder / STATE_FILE).is_file():
        raise RunError(f"{folder} holds no run that could be resumed: there is no {STATE_FILE} in it")
    about = read_about(folder / STATE_FILE)
    try:
        recipe = Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in about["settings"]["recipe"].items()})
        settings = Settings(**{**about["settings"], "recipe": recipe})
    except (TypeError, KeyError) as error:
        raise RunError(f"the run in {folder} was begun by another version of resnet_scratch ({error})") from None
    if data_dir is not None:
        settings = dataclasses.replace(settings, data_dir=data_dir)
    run = _build(settings, folder, device, dataset)
    if run.data_checksum != about["data_checksum"]:
        raise RunError(f"the {run.dataset.name} data are not those that the run in {folder} began with")
    run.sums[:] = to_device(load_state(folder / STATE_FILE, run.model, run.optimizer), run.device)
    run.step, run.history = about["step"], about["history"]
    run.seconds, run.epoch_seconds = about["seconds"], about["epoch_seconds"]
    write_log(run.folder / LOG_FILE, run.history)  # it may be older, or newer, than the state
    return run


def save(run: Run) -> None:
    """Write the state (all that `resume` needs), the weights alone (what others load) and the log; each atomically."""
    about = {
        "settings": dataclasses.asdict(run.settings),
        "data_checksum": run.data_checksum,
        "step": run.step,
        "seconds": run.seconds,
        "epoch_seconds": run.epoch_seconds,
        "history": run.history,
    }
    save_state(run.folder / STATE_FILE, run.model, run.optimizer, run.sums, about)
    save_model(run.folder / WEIGHTS_FILE, run.model, run.about())
    write_log(run.folder / LOG_FILE, run.history)


def write_log(path: Path, history: list[dict[str, float]]) -> None:
    """One row per epoch, with a header, as a spreadsheet opens it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in history:
        writer.writerow([row[c] if isinstance(row[c], int) else format(row[c], ".6g") for c in COLUMNS])
    atomic_write(path, text.getvalue().encode())


def read_log(folder: Path) -> list[dict[str, float]]:
    """The rows of a run's log.csv. Raises RunError when there is none, or none that can be read."""
    path = folder / LOG_FILE
    if not path.is_file():
        raise RunError(f"{folder} is not the folder of a run: there is no {LOG_FILE} in it")
    with open(path, newline="") as file:
        try:
            return [{column: float(row[column]) for column in COLUMNS} for row in csv.DictReader(file)]
        except (KeyError, TypeError, ValueError):
            raise RunError(f"{path} is not a log of a run: it must have the columns {', '.join(COLUMNS)}") from None


def _build(settings: Settings, folder: Path, device: str, dataset: data.Dataset | None) -> Run:
    recipe, device = settings.recipe, resolve_device(device)
    if dataset is None:
        dataset = data.load(recipe.dataset, settings.data_dir)
    if settings.validation:
        if settings.validation >= len(dataset.train_images):
            raise RunError(
                f"validation must be below the number of training images, {len(dataset.train_images)}, "
                f"got {settings.validation}"
            )
        dataset = dataset.split(settings.validation)
    if recipe.batch_size > len(dataset.train_images):
        raise RunError(
            f"batch_size must be at most the number of training images, {len(dataset.train_images)}, "
            f"got {recipe.batch_size}"
        )
    model = build(recipe.model, len(dataset.classes), rng=np.random.default_rng(settings.seed))
    model.to(device)
    optimizer = SGD(
        model.parameters(), recipe.momentum, recipe.weight_decay, recipe.nesterov, recipe.decay_biases_and_norms
    )
    checksum = 0
    for array in (dataset.train_images, dataset.train_labels):
        checksum = zlib.crc32(np.ascontiguousarray(array), checksum)
    sums = to_device(np.zeros(3), device)
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
