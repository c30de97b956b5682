"""A trained network in one file: its weights, and all else that is needed to use them."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import without_numpy
from ..data import Dataset
from ..errors import UserError, printable
from ..layers import Layer
from ..models import ResNet, ResNetConfig, build
from .checkpoint import CheckpointError, count_numbers, load_weights, read_about, save_weights

WEIGHTS_FILE = "model.safetensors"  # its name in a run's folder
BEST_FILE = "best.safetensors"  # the same, as it was after the epoch with the highest accuracy on evaluation
SETTINGS_FILE = "config.json"  # beside them: the settings of the run, for people
ANY_NETWORK = "save_weights and load_weights of resnet_scratch.experiment.checkpoint are for any network"
SETTINGS = ("kernel_size", "stride", "padding", "eps")  # of layers, as far as evaluation depends on them
LARGEST_IMAGE = 2048  # pixels of height or width: what a file may ask `predict` for


@dataclass(frozen=True)
class About:
    """What a file of weights says about itself, so that nothing else is needed to use it."""

    config: dict[str, Any]  #: the fields of the model's ResNetConfig
    classes: tuple[str, ...]
    image_size: tuple[int, int]  #: height and width, in pixels, of the images it was last trained on
    mean: tuple[float, ...]  #: what is subtracted from each channel, of images scaled to 0..1
    std: tuple[float, ...]  #: what each channel is then divided by
    dataset: str
    recipe: str
    seed: int
    step: int

    def __post_init__(self) -> None:
        without_numpy(self)

    def check(self) -> None:
        """Raises UserError, which names the field, unless all is as a run writes it."""
        size, mean, std = _whole_numbers(self.image_size), _numbers(self.mean), _numbers(self.std)
        fits = len(size) == 2 and all(1 <= n <= LARGEST_IMAGE for n in size)
        rules = {
            "config": (isinstance(self.config, dict), "an object"),
            "classes": (_are_names(self.classes), "a list of names without control characters"),
            "image_size": (fits, f"height and width, each of 1 to {LARGEST_IMAGE} pixels"),
            "mean": (len(mean) == 3 and all(0 <= m <= 1 for m in mean), "three numbers from 0 to 1"),
            "std": (len(std) == 3 and all(0 < s <= 1 for s in std), "three numbers above 0 and at most 1"),
            "dataset": (_are_names((self.dataset,)), "a name"),
            "recipe": (_are_names((self.recipe,)), "a name"),
            "seed": (_whole_numbers((self.seed,)) and self.seed >= 0, "a whole number of at least 0"),
            "step": (_whole_numbers((self.step,)) and self.step >= 0, "a whole number of at least 0"),
        }
        for name, (is_right, wanted) in rules.items():
            if not is_right:
                raise UserError(f"{name} must be {wanted}, got {repr(getattr(self, name))[:80]}")

    @classmethod
    def of(
        cls, model: ResNet, dataset: Dataset, recipe: str, seed: int, step: int, image_size: int | None = None
    ) -> About:
        """The description of `model`, trained on `dataset` for `step` steps, most recently on images of this size;
        None: their own. Raises UserError for a network that is not a ResNet: it has no configuration to build from."""
        if not isinstance(model, ResNet):
            raise UserError(f"model must be a ResNet, got {type(model).__name__}; {ANY_NETWORK}")
        mean, std = tuple(map(float, dataset.mean)), tuple(map(float, dataset.std))
        size = dataset.train_images.shape[1:3] if image_size is None else (image_size, image_size)
        config = dataclasses.asdict(model.config)
        return cls(config, tuple(dataset.classes), tuple(size), mean, std, dataset.name, recipe, seed, step)

    def normalisation(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each channel, each (3,) float32, for `data.normalise`."""
        return np.array(self.mean, np.float32), np.array(self.std, np.float32)


def save_model(path: str | Path, model: ResNet, about: About) -> None:
    """Write weights and `about` to one file; `load_model` needs nothing else.

    Raises UserError for what `load_model` would refuse, as `check_as_built` does; the file is then as it was."""
    check_as_built(model, about)
    save_weights(path, model, dataclasses.asdict(about))


def check_as_built(model: Layer, about: About) -> None:
    """Raises UserError, which names the first difference, unless `model` has the layers and arrays that `load_model`
    would build from `about`, and fill with its weights; also for a wrong field of `about`."""
    about.check()
    built = _build(about, math.inf)
    if isinstance(model, ResNet) and model.classes != built.classes:
        raise UserError(f"about must name {model.classes} classes, as many as model has, got {built.classes}")
    ours, theirs = _described(model), _described(built)
    for name in theirs | ours:
        got, wanted = ours.get(name, "nothing"), theirs.get(name, "nothing")
        if got != wanted:
            raise UserError(f"{name or 'model'} is {got}, where load_model would build {wanted}; {ANY_NETWORK}")


def load_model(path: str | Path, device: str = "cpu") -> tuple[ResNet, About]:
    """The network in a file, or in a run's folder, on `device`, and what the file says about it.

    The file may come from anybody: all that it says is checked, and nothing is built that is larger than the file.
    Raises CheckpointError for a file that is missing, damaged or not ours, and DeviceError.
    """
    path = Path(path)
    if path.is_dir():
        path /= WEIGHTS_FILE
    fields = read_about(path)
    if "settings" in fields:
        raise CheckpointError(f"{path} is the state of a run; its weights are in {path.with_name(WEIGHTS_FILE)}")
    try:
        about = About(**_with_tuples(fields))
        about.check()
        model = _build(about, count_numbers(path))
    except (TypeError, KeyError) as error:
        raise CheckpointError(f"{path} was written by another version of resnet_scratch ({error})") from None
    except ValueError as error:
        raise CheckpointError(f"{path} does not describe a model: {error}") from None
    load_weights(path, model)
    for name, buffer in model.named_buffers():
        if name.endswith("running_var") and buffer.value.min() < 0:
            raise CheckpointError(f"{path} is unusable: {name} has a variance below 0")
    model.to(device)
    return model, about


def recorded_data_dir(path: str | Path) -> str | None:
    """The `--data-dir` of the run that wrote these weights (a file or the run's folder), if it is known."""
    data_dir = recorded_settings(path).get("data_dir")
    return data_dir if isinstance(data_dir, str) and "\0" not in data_dir else None


def recorded_flip(path: str | Path) -> bool:
    """Whether the run that wrote these weights averages over mirror images when it is evaluated, if it is known."""
    recipe = recorded_settings(path).get("recipe")
    return isinstance(recipe, dict) and recipe.get("flip_in_evaluation") is True


def recorded_mirror(path: str | Path) -> bool:
    """Whether the run that wrote these weights allowed mirror images of a folder's images, if it is known."""
    return recorded_settings(path).get("mirror") is True


def recorded_settings(path: str | Path) -> dict[str, Any]:
    """What the config.json beside these weights (a file or the run's folder) holds; {} where none can be read."""
    path = Path(path)
    try:
        settings = json.loads(((path if path.is_dir() else path.parent) / SETTINGS_FILE).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # weights without their run
    return settings if isinstance(settings, dict) else {}


class _Zeros(np.random.Generator):
    """In place of a random generator, for weights that a file's will replace: zeros, and no more than the file has."""

    def __init__(self, numbers: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.left = numbers

    def standard_normal(self, shape: tuple[int, ...]) -> np.ndarray:  # type: ignore[override]  # as layers call it
        self.left -= math.prod(shape)
        if self.left < 0:
            raise ValueError("its config asks for more weights than it holds")
        return np.zeros(shape)

    def uniform(self, low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:  # type: ignore[override]
        return self.standard_normal(shape)


def _build(about: About, numbers: float) -> ResNet:
    """The network that `about` describes, with zeros for weights, of which there may be at most `numbers`."""
    return build(ResNetConfig(**_with_tuples(about.config)), len(about.classes), rng=_Zeros(numbers))


def _described(network: Layer) -> dict[str, str]:
    """What is under each name in a network, in words: its layers and its arrays."""
    layers = {name: _kind(layer) for name, layer in network.named_layers()}
    return layers | {name: f"an array {buffer.value.shape}" for name, buffer in network.named_buffers()}


def _kind(layer: Layer) -> str:
    """The type of a layer, with its module unless it is the library's, and what else decides its output."""
    kind = type(layer)
    module = "" if kind.__module__.startswith("resnet_scratch.") else f" of {kind.__module__}"
    settings = [f"{key} {getattr(layer, key)}" for key in SETTINGS if hasattr(layer, key)]
    return f"a {kind.__name__}{module}" + (f" with {', '.join(settings)}" if settings else "")


def _with_tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` with tuples for lists: JSON knows lists only."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _numbers(values: object, kinds: tuple[type, ...] = (int, float)) -> tuple:
    """`values` if it is a tuple of numbers, else an empty one."""
    return values if isinstance(values, tuple) and all(type(value) in kinds for value in values) else ()


def _whole_numbers(values: object) -> tuple:
    return _numbers(values, (int,))


def _are_names(values: object) -> bool:
    """Whether these are a tuple of at least one name, none of which would move the terminal's cursor."""
    names = values if isinstance(values, tuple) else ()
    return bool(names) and all(isinstance(v, str) and printable(v) == v and "\n" not in v for v in names)
