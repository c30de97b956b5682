"""Weights from PyTorch, and back; networks for ONNX Runtime: files that other programs wrote, or will read."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..checks import brief, check_whole
from ..errors import UserError
from ..models import ResNet, build
from ..models.recognise import UnknownNetworkError, recognise, torchvision_names
from ..models.torch_layout import to_torch
from .checkpoint import CheckpointError, fill, read_about, read_arrays
from .files import atomic_write
from .onnx_graph import onnx_model
from .torch_file import read_state_dict
from .weights import About, check_as_built, load_model, save_model

NORMALISATIONS = {  # mean and standard deviation of the training images: red, green, blue, scaled to 0..1
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
UNKNOWN = "unknown"  # the data set of a network whose file does not say what it was trained on
Normalisation = tuple[Sequence[float], Sequence[float]]


class Imported(NamedTuple):
    """A network whose weights came from elsewhere."""

    model: ResNet  #: with the file's weights
    about: About  #: what is known of it
    new_last_layer: bool  #: the file had no last layer: its weights were drawn at random


def import_model(
    path: str | Path,
    classes: int | Sequence[str] | None = None,
    normalisation: Normalisation | None = None,
    seed: int = 0,
    image_size: int | None = None,
) -> Imported:
    """The network in a file of PyTorch's weights: a .safetensors file, or a state dict that `torch.save` wrote,
    alone or inside a checkpoint. `models/recognise.py` says which networks and names are known.

    `classes` are the classes' names, or their number; they are named "0", "1", ... unless given. A file without the
    last layer needs them, and gets a new layer, drawn from `seed`. `normalisation` is (mean, std) of the images that
    the network was trained on; unless given, ImageNet's if the first convolution is 7x7, else CIFAR-10's.
    `image_size` is their height and width; unless given, that of the network in the table of models, or else 224 or 32
    by the same rule. A file that `save_model` wrote says all this itself, and what it says holds unless other values
    are given.

    Raises CheckpointError for a file that cannot be read or does not fit, UnknownNetworkError for another network, and
    UserError for classes that do not suit it, for a normalisation that is not of values scaled to 0..1, for an image
    size out of range, and for a seed below 0.
    """
    check_whole("seed", seed, 0)
    if Path(path).is_dir():
        raise CheckpointError(f"{path} is a folder: name the file with the weights in it")
    new_last_layer = False
    if _says_what_it_is(path):
        model, about = load_model(path)
        if classes is not None:
            about = dataclasses.replace(about, classes=_class_names(classes, len(about.classes), path))
    else:
        model, about, new_last_layer = _recognised(path, classes, seed)
    if normalisation is not None:
        mean, std = _mean_and_std(normalisation)
        about = dataclasses.replace(about, mean=mean, std=std)
    if image_size is not None:
        about = dataclasses.replace(about, image_size=(image_size, image_size))
    about.check()
    return Imported(model, about, new_last_layer)


def _says_what_it_is(path: str | Path) -> bool:
    """Whether the file is one that `save_model` wrote, of this version or another."""
    try:
        return {"config", "classes"} <= read_about(path).keys()
    except CheckpointError:
        return False


def _recognised(path: str | Path, classes: int | Sequence[str] | None, seed: int) -> Imported:
    """The network in a file that does not say what it is; its images are taken to be like ImageNet's or CIFAR-10's."""
    arrays = read_arrays(path) if Path(path).suffix == ".safetensors" else _read_torch(path)
    try:
        arrays = torchvision_names(arrays)
        config = recognise({name: array.shape for name, array in arrays.items()})
    except UnknownNetworkError as error:
        raise UnknownNetworkError(f"{path}: {error}") from None
    names = _class_names(classes, len(arrays["fc.weight"]) if "fc.weight" in arrays else None, path)
    model = build(config, len(names), rng=np.random.default_rng(seed))
    new_last_layer = "fc.weight" not in arrays and "fc.bias" not in arrays
    if new_last_layer:
        arrays |= {name: to_torch(b.value) for name, b in model.named_buffers() if name.startswith("fc.")}
    fill({name: buffer.value for name, buffer in model.named_buffers()}, arrays, path)
    mean, std = NORMALISATIONS["imagenet" if config.stem == "imagenet" else "cifar10"]
    size = (config.image_size, config.image_size)
    about = About(dataclasses.asdict(config), names, size, mean, std, UNKNOWN, "imported", seed, 0)
    return Imported(model, about, new_last_layer)


def export_model(path: str | Path, model: ResNet, about: About) -> None:
    """Write the network for other programs, in the form that the ending names.

    .onnx is the whole network, for ONNX Runtime: `onnx_model` says what it takes. .safetensors, .pth and .pt are its
    weights under torchvision's names, for PyTorch: `model.load_state_dict` takes them as they are. Raises UserError
    for another ending, where onnx is missing for .onnx or torch for .pth, for a layer that has no form in ONNX, for
    a wrong field of `about`, and for weights of a network that is no longer what `about` says.
    """
    about.check()
    suffix = Path(path).suffix
    if suffix == ".safetensors":
        return save_model(path, model, about)
    if suffix == ".onnx":
        return atomic_write(path, onnx_model(model, about).SerializeToString())
    if suffix not in (".pth", ".pt"):
        raise UserError(f"the file to write must end in .onnx, .safetensors, .pth or .pt, got {str(path)!r}")
    check_as_built(model, about)
    torch = _torch(f"writing {path}")
    arrays = {name: to_torch(buffer.value).astype(np.float32) for name, buffer in model.named_buffers()}
    content = io.BytesIO()
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, content)
    atomic_write(path, content.getvalue())


def _read_torch(path: str | Path) -> dict[str, np.ndarray]:
    if not Path(path).is_file():
        raise CheckpointError(f"no such file: {path}")
    return read_state_dict(_torch(f"reading {path}"), path)


def _class_names(classes: int | Sequence[str] | None, in_file: int | None, path: str | Path) -> tuple[str, ...]:
    """The names of the classes; `in_file` is their number in the file's last layer, if it has one."""
    if classes is None:
        classes = in_file
    if classes is None:
        raise UserError(f"{path} has no last layer (fc): give the classes for a new one, their names or their number")
    if isinstance(classes, Integral):
        check_whole("classes", classes)
        classes = tuple(map(str, range(classes)))
    if isinstance(classes, str) or not isinstance(classes, Iterable):
        raise UserError(f"classes must be names or their number, got {brief(classes)}")
    names = tuple(map(str, classes))
    if in_file not in (None, len(names)):
        raise UserError(f"{path} has a last layer of {in_file} outputs, got {len(names)} classes")
    return names


def _mean_and_std(normalisation: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The two as tuples, or UserError."""
    try:
        mean, std = (tuple(map(float, values)) for values in normalisation)
    except (TypeError, ValueError):
        message = f"normalisation must be (mean, std), three numbers each, got {brief(normalisation)}"
        raise UserError(message) from None
    return mean, std


def _torch(purpose: str) -> Any:
    try:
        import torch
    except ImportError:
        raise UserError(f"{purpose} needs PyTorch (pip install torch); a .safetensors file does not") from None
    return torch
