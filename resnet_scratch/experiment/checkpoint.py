"""Weights and the states of runs as safetensors files, under torchvision's names and in torch's layout.

`safetensors.torch.load_file` turns a file of weights into a state dict that torch loads as it is. Every
file is complete in itself and written atomically: its name always stands for the whole old file or the whole new one.
What a file says besides its arrays is one JSON text in its metadata, under one key: safetensors writes several keys in
no fixed order, and the same run should give the same file bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import brief
from ..compute.backend import Array, array_module, to_numpy
from ..errors import UserError
from ..layers.layer import Layer
from ..models.torch_layout import from_torch, to_torch
from ..optim import Optimizer
from .files import atomic_write

METADATA_KEY = "resnet_scratch"
IGNORED = "num_batches_tracked"  # torch's batch norm counts its batches; nothing here or there needs the count
EPOCH_SUMS, CHECKSUM = "epoch_sums", "checksum"
DTYPES = ("F16", "F32", "F64", "I64")  # safetensors' names of those that are read; I64 for counters


class CheckpointError(UserError):
    """A file of weights that cannot be read, or does not fit the model."""


def save_weights(path: str | Path, model: Layer, about: Mapping[str, Any]) -> None:
    """Write the model's arrays, as float32, and `about` (anything that JSON can hold) to one safetensors file.

    Raises CheckpointError for infinities and NaN, which `load_weights` would refuse; the file is then as it was."""
    with np.errstate(over="ignore"):  # a float64 may be too large for float32: the next line sees it
        arrays = {name: to_torch(buffer.value).astype(np.float32, copy=False) for name, buffer in model.named_buffers()}
    if bad := [name for name, array in arrays.items() if not np.isfinite(array).all()]:
        raise CheckpointError(f"{path} was not written: {_listed('not finite numbers in float32', bad)}")
    _write(path, arrays, about)


def load_weights(path: str | Path, model: Layer) -> None:
    """Fill the model's arrays from a file: ours, or torchvision's of the same network. They keep dtype and device.
    Raises CheckpointError, which names what is missing, unknown or of the wrong shape; the model is then unchanged."""
    arrays = {name: array for name, array in read_arrays(path).items() if not name.endswith(IGNORED)}
    fill({name: buffer.value for name, buffer in model.named_buffers()}, arrays, path)


def read_about(path: str | Path) -> dict[str, Any]:
    """What was passed as `about` when the file was written. Raises CheckpointError for a file that is not ours."""
    with _open(path) as file:
        return _about_in(file, path)


def count_numbers(path: str | Path) -> int:
    """How many numbers a file holds, according to its header."""
    with _open(path) as file:
        return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())


def save_state(
    path: str | Path, model: Layer, optimizer: Optimizer, epoch_sums: np.ndarray, about: Mapping[str, Any]
) -> None:
    """Write all that a resumed run needs: weights, the optimizer's states and scalars, `epoch_sums`, and `about`.

    Every array keeps its dtype, so nothing is rounded. It is one file, so that no crash leaves two that do not belong
    together. A checksum over all shows later damage. Raises CheckpointError for scalars but floats and 64-bit ints.
    """
    for name, value in optimizer.scalars.items():
        if not isinstance(value, float) and not (type(value) is int and -(2**63) <= value < 2**63):
            raise CheckpointError(f"optimizer.scalars[{name!r}] must be a float or a 64-bit int, got {brief(value)}")
    arrays = {name: to_torch(array) for name, array in _arrays_of(model, optimizer).items()}
    arrays |= {f"optimizer.{name}": np.array(value) for name, value in optimizer.scalars.items()}
    arrays[EPOCH_SUMS] = epoch_sums
    _write(path, arrays, {**about, CHECKSUM: _checksum(arrays, about)})


State = tuple[dict[str, np.ndarray], dict[str, Any]]  # the arrays of a run's state, and its `about`


def read_state(path: str | Path) -> State:
    """All that `save_state` wrote to the file. Raises CheckpointError when anything in it has changed since."""
    with _open(path) as file:  # once: about and arrays are those of one file, even if it is replaced meanwhile
        about, arrays = _about_in(file, path), _arrays_in(file, path)
    if EPOCH_SUMS not in arrays:
        raise CheckpointError(f"{path} is not the state of a run; weights alone cannot be resumed")
    checksum = about.pop(CHECKSUM, None)
    if checksum is None:
        raise CheckpointError(f"{path} has no checksum: it is damaged, or of an earlier version of resnet_scratch")
    if checksum != _checksum(arrays, about):
        raise CheckpointError(f"{path} is damaged: its content does not have the checksum that it was written with")
    return arrays, about


def load_state(path: str | Path, arrays: Mapping[str, np.ndarray], model: Layer, optimizer: Optimizer) -> np.ndarray:
    """Fill model and optimizer with `arrays`, which `read_state` read from `path`; returns the state's `epoch_sums`.
    Raises CheckpointError as `load_weights` does."""
    arrays = dict(arrays)
    epoch_sums = arrays.pop(EPOCH_SUMS)
    names = {name: f"optimizer.{name}" for name in optimizer.scalars}
    if missing := [name for name in names.values() if name not in arrays]:
        raise CheckpointError(f"{path} does not fit the optimizer: missing: {', '.join(missing)}")
    read = {name: arrays.pop(names[name]) for name in names}
    wrong = [names[k] for k, v in read.items() if v.shape or not isinstance(optimizer.scalars[k], type(v.item()))]
    wrong += [EPOCH_SUMS] if epoch_sums.shape != (3,) else []  # steps, losses, right answers
    if wrong:
        raise CheckpointError(f"{path} is unusable: {', '.join(wrong)} cannot be what a run has written")
    fill(_arrays_of(model, optimizer), arrays, path)
    optimizer.scalars.update((name, value.item()) for name, value in read.items())
    return epoch_sums


def not_finite(model: Layer, optimizer: Optimizer) -> list[str]:
    """The names of the state's arrays with infinities or NaN in them. Waits for a GPU only once if there are none."""
    arrays = _arrays_of(model, optimizer)
    with np.errstate(invalid="ignore"):  # inf - inf
        if math.isfinite(sum(array.sum(dtype=np.float64) for array in arrays.values())):
            return []
    return [name for name, array in arrays.items() if not np.isfinite(to_numpy(array)).all()]


def _checksum(arrays: Mapping[str, np.ndarray], about: Mapping[str, Any]) -> str:
    """SHA-256 of `about` and of the names, dtypes, shapes and contents of the arrays."""
    sums = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        sums.update(f"{name} {array.dtype} {array.shape}".encode())
        sums.update(array.tobytes())
    return sums.hexdigest()


def _arrays_of(model: Layer, optimizer: Optimizer) -> dict[str, Array]:
    """The arrays of a run's state by their names in the file, such as `model.fc.bias` and `velocity.fc.bias`."""
    arrays = {f"model.{name}": buffer.value for name, buffer in model.named_buffers()}
    for (name, _), state in zip(model.named_parameters(), optimizer.states, strict=True):
        arrays |= {f"{kind}.{name}": array for kind, array in state.items()}
    return arrays


def fill(targets: Mapping[str, Array], arrays: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Copy each array, in torch's layout, into the target of its name, after everything has been checked.

    Raises CheckpointError when names, shapes or dtypes do not fit, or a number is not finite; then nothing was copied.
    """
    ours = {name: from_torch(array) for name, array in arrays.items()}
    wrong = [name for name in targets if name in ours and ours[name].shape != targets[name].shape]
    shapes = [f"{name} {arrays[name].shape}, the model has {to_torch(targets[name]).shape}" for name in wrong]
    kinds = [f"{name} ({array.dtype})" for name, array in arrays.items() if array.dtype.kind != "f"]
    problems = [
        _listed("missing", sorted(targets.keys() - arrays.keys())),
        _listed("not in the model", sorted(arrays.keys() - targets.keys())),
        _listed("of the wrong shape", shapes),
        _listed("not floating-point numbers", kinds),
    ]
    if any(problems):
        raise CheckpointError(f"{path} does not fit the model: {'; '.join(filter(None, problems))}")
    with np.errstate(over="ignore"):  # a float64 may be too large for the model's float32: the next line sees it
        ours = {name: ours[name].astype(target.dtype) for name, target in targets.items()}
    if bad := [name for name, array in ours.items() if not np.isfinite(array).all()]:
        raise CheckpointError(f"{path} is unusable: {_listed('not finite numbers', bad)}")
    for name, target in targets.items():
        target[...] = array_module(target).asarray(ours[name])


def _listed(what: str, names: list[str]) -> str:
    """What is wrong, and with the first few of which names; "" where there are none."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{what}: {', '.join(names[:4])}{more}" if names else ""


def _write(path: str | Path, arrays: dict[str, np.ndarray], about: Mapping[str, Any]) -> None:
    from safetensors.numpy import save

    atomic_write(path, save(arrays, {METADATA_KEY: json.dumps(about, sort_keys=True)}))


def _open(path: str | Path) -> Any:
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise CheckpointError(f"no such file: {path}")
    try:
        return safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file ({error})") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror or error})") from None


def read_arrays(path: str | Path) -> dict[str, np.ndarray]:
    """All arrays of a safetensors file by name, in torch's layout. Raises CheckpointError for other kinds."""
    with _open(path) as file:
        return _arrays_in(file, path)


def _about_in(file: Any, path: str | Path) -> dict[str, Any]:
    metadata = file.metadata() or {}
    if METADATA_KEY not in metadata:
        raise CheckpointError(f"{path} was not written by resnet_scratch: it does not say which model it belongs to")
    try:
        about = json.loads(metadata[METADATA_KEY])
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"what {path} says about its model is not JSON ({error})") from None
    if not isinstance(about, dict):
        raise CheckpointError(f"what {path} says about its model must be an object, got {type(about).__name__}")
    return about


def _arrays_in(file: Any, path: str | Path) -> dict[str, np.ndarray]:
    kinds = {name: file.get_slice(name).get_dtype() for name in file.keys()}
    if unknown := [f"{name} ({kind})" for name, kind in kinds.items() if kind not in DTYPES]:
        raise CheckpointError(f"{path} is unusable: {_listed('of a dtype other than ' + ', '.join(DTYPES), unknown)}")
    return {name: file.get_tensor(name) for name in kinds}
