"""What a trained network says: about a data set, and about pictures from files."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

import numpy as np

from ..compute.backend import Array, to_device, to_numpy
from ..data import Dataset, normalise, test_batches
from ..layers.layer import Layer
from ..losses import softmax, softmax_cross_entropy
from ..models import ResNet, ResNetConfig, build
from .checkpoint import CheckpointError, load_weights, read_about, save_weights

WEIGHTS_FILE = "model.safetensors"


class PictureError(ValueError):
    """A file that cannot be read as a picture."""


@dataclass(frozen=True)
class About:
    """What a file of weights says about itself, so that nothing else is needed to use it."""

    config: dict[str, Any]  # the fields of the model's ResNetConfig
    classes: tuple[str, ...]
    image_size: tuple[int, int]  # height and width of the images it was trained on
    mean: tuple[float, ...]  # per channel, of images scaled to 0..1: what the network expects to be taken off
    std: tuple[float, ...]
    dataset: str
    recipe: str
    seed: int
    step: int

    @classmethod
    def of(cls, model: ResNet, dataset: Dataset, recipe: str, seed: int, step: int) -> About:
        """Put together from what a run is made of."""
        mean, std = tuple(map(float, dataset.mean)), tuple(map(float, dataset.std))
        size = dataset.train_images.shape[1:3]
        config = dataclasses.asdict(model.config)
        return cls(config, tuple(dataset.classes), tuple(size), mean, std, dataset.name, recipe, seed, step)

    def normalisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation, each (3,) float32."""
        return np.array(self.mean, np.float32), np.array(self.std, np.float32)


def save_model(path: str | Path, model: ResNet, about: About) -> None:
    """Write weights and `about` to one file; `load_model` needs nothing else."""
    save_weights(path, model, dataclasses.asdict(about))


def load_model(path: str | Path, device: str = "cpu") -> tuple[ResNet, About]:
    """The network in a file (or in a run's folder), ready for inference on `device`. Raises CheckpointError."""
    path = Path(path)
    if path.is_dir():
        path /= WEIGHTS_FILE
    fields = read_about(path)
    try:
        tuples = {name: tuple(value) for name, value in fields.items() if isinstance(value, list)}
        about = About(**{**fields, **tuples})
        config = {name: tuple(value) if isinstance(value, list) else value for name, value in about.config.items()}
        model = build(ResNetConfig(**config), len(about.classes), rng=np.random.default_rng(0))
    except (TypeError, KeyError) as error:
        raise CheckpointError(f"{path} was written by another version of resnet_scratch ({error})") from None
    load_weights(path, model)
    model.to(device)
    return model, about


@dataclass(frozen=True)
class Evaluation:
    """How a network does on labelled images."""

    loss: float  # mean cross-entropy
    accuracy: float  # 0 to 1
    probabilities: np.ndarray  # (N, classes) float32
    labels: np.ndarray  # (N,) the true ones

    @property
    def predictions(self) -> np.ndarray:
        """(N,) the most probable class of each image."""
        return self.probabilities.argmax(1)


def evaluate(
    model: Layer, images: Array, labels: Array, mean: np.ndarray, std: np.ndarray, batch_size: int = 256
) -> Evaluation:
    """Loss, accuracy and probabilities for images uint8 (N, H, W, 3), all of them, in order, in evaluation mode."""
    loss, parts = 0.0, []
    for x, batch_labels in test_batches(images, labels, batch_size, mean, std):
        logits = model(x)
        loss += float(softmax_cross_entropy(logits, batch_labels)[0]) * len(x)
        parts.append(to_numpy(softmax(logits)))
    probabilities, labels = np.concatenate(parts), to_numpy(labels)
    return Evaluation(loss / len(labels), float((probabilities.argmax(1) == labels).mean()), probabilities, labels)


def predict(model: Layer, images: np.ndarray, about: About, device: str = "cpu") -> np.ndarray:
    """Probabilities (N, classes) for images uint8 (N, H, W, 3)."""
    x = normalise(to_device(images, device), *about.normalisation())
    return to_numpy(softmax(model(x)))


def read_picture(path: str | Path, size: Sequence[int]) -> np.ndarray:
    """A picture file as uint8 (H, W, 3) with `size` = (H, W): scaled until it just covers that, then centre-cropped.

    Raises PictureError for what is no picture.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    H, W = size
    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)  # photographs that say "this side up"
            if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
                picture = picture.convert("RGBA")
                ground = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(ground, picture)
            return np.asarray(ImageOps.fit(picture.convert("RGB"), (W, H), Image.Resampling.BICUBIC))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise PictureError(f"{path} cannot be read as a picture ({error})") from None
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror or error})") from None
