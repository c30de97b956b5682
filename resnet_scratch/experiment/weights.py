"""A trained network in one file: its weights, and all else that is needed to use them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Dataset
from ..models import ResNet, ResNetConfig, build
from .checkpoint import CheckpointError, load_weights, read_about, save_weights

WEIGHTS_FILE = "model.safetensors"  # its name in a run's folder
BEST_FILE = "best.safetensors"  # the same, as it was after the epoch with the highest accuracy on evaluation


@dataclass(frozen=True)
class About:
    """What a file of weights says about itself, so that nothing else is needed to use it."""

    config: dict[str, Any]  # the fields of the model's ResNetConfig
    classes: tuple[str, ...]
    image_size: tuple[int, int]  # height and width, in pixels, of the images it was trained on
    mean: tuple[float, ...]  # of each channel, of images scaled to 0..1: what the network expects to be subtracted
    std: tuple[float, ...]  # and to be divided by
    dataset: str
    recipe: str
    seed: int
    step: int

    @classmethod
    def of(cls, model: ResNet, dataset: Dataset, recipe: str, seed: int, step: int) -> About:
        """The description of `model`, trained on `dataset` for `step` steps."""
        mean, std = tuple(map(float, dataset.mean)), tuple(map(float, dataset.std))
        size = dataset.train_images.shape[1:3]
        config = dataclasses.asdict(model.config)
        return cls(config, tuple(dataset.classes), tuple(size), mean, std, dataset.name, recipe, seed, step)

    def normalisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each channel, each (3,) float32, for `data.normalise`."""
        return np.array(self.mean, np.float32), np.array(self.std, np.float32)


def save_model(path: str | Path, model: ResNet, about: About) -> None:
    """Write weights and `about` to one file; `load_model` needs nothing else."""
    save_weights(path, model, dataclasses.asdict(about))


def load_model(path: str | Path, device: str = "cpu") -> tuple[ResNet, About]:
    """The network in a file, or in a run's folder, on `device`, and what the file says about it.

    Raises CheckpointError for a file that is missing, damaged or not ours, and DeviceError.
    """
    path = Path(path)
    if path.is_dir():
        path /= WEIGHTS_FILE
    fields = read_about(path)
    try:
        about = About(**_with_tuples(fields))
        config = ResNetConfig(**_with_tuples(about.config))
        model = build(config, len(about.classes), rng=np.random.default_rng(0))
    except (TypeError, KeyError) as error:
        raise CheckpointError(f"{path} was written by another version of resnet_scratch ({error})") from None
    load_weights(path, model)
    model.to(device)
    return model, about


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` with tuples for lists: JSON knows lists only."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
