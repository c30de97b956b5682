"""Weights and training states in files: safetensors, under torchvision's names and in torch's layout.

This is the only file that knows torch's layout: convolutions (O, C, KH, KW) and linear weights (out, in), where the
library has (KH, KW, C, O) and (in, out). So `safetensors.torch.load_file` gives a state dict that torch loads as it is.

Every file is complete in itself and written atomically: whatever happens while it is written, under its name stands
the old file or the new one, whole. What a file knows beside arrays is one JSON text in its metadata; one key only,
because safetensors writes several in no fixed order, and the same run should give the same file to the bit.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Mapping

import numpy as np

from ..compute.backend import Array, array_module, to_numpy
from ..layers.layer import Layer
from ..optim import SGD

METADATA_KEY = "resnet_scratch"
TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0)}  # axes by the number of axes; biases and norms (1) are the same in both
FROM_TORCH = {4: (2, 3, 1, 0), 2: (1, 0)}
IGNORED = "num_batches_tracked"  # torch's batch norm counts its batches; nothing here or there needs the count
STEP_SUMS = "epoch_sums"


class CheckpointError(ValueError):
    """A file of weights that cannot be read, or does not fit the model."""


def save_weights(path: str | Path, model: Layer, about: Mapping[str, Any]) -> None:
    """Write the model's arrays, float32, and `about` (anything that JSON can hold) to one safetensors file."""
    _write(path, {name: _to_torch(buffer.value) for name, buffer in model.named_buffers()}, about)


def load_weights(path: str | Path, model: Layer) -> None:
    """Fill the model's arrays from a file: ours, or torchvision's of the same network.

    Raises CheckpointError, naming what is missing, what is not known and what has the wrong shape; the model is then
    as it was. Arrays keep their dtype and device.
    """
    arrays = {name: array for name, array in _read(path).items() if not name.endswith(IGNORED)}
    _fill({name: buffer for name, buffer in model.named_buffers()}, arrays, path)


def read_about(path: str | Path) -> dict[str, Any]:
    """What was passed as `about` when the file was written. Raises CheckpointError for a file that is not ours."""
    with _open(path) as file:
        metadata = file.metadata() or {}
    if METADATA_KEY not in metadata:
        raise CheckpointError(f"{path} was not written by resnet_scratch: it does not say which model it belongs to")
    return json.loads(metadata[METADATA_KEY])


def save_state(path: str | Path, model: Layer, optimizer: SGD, epoch_sums: Array, about: Mapping[str, Any]) -> None:
    """Write all that a resumed run needs: weights, velocities, the sums of the epoch under way, and `about`.

    It is one file, not weights here and velocities there, so that no crash can leave two that do not belong together.
    """
    arrays = {f"model.{name}": _to_torch(buffer.value) for name, buffer in model.named_buffers()}
    for (name, _), velocity in zip(model.named_parameters(), optimizer.velocities, strict=True):
        arrays[f"velocity.{name}"] = _to_torch(velocity)
    arrays[STEP_SUMS] = np.ascontiguousarray(to_numpy(epoch_sums))
    _write(path, arrays, about)


def load_state(path: str | Path, model: Layer, optimizer: SGD) -> np.ndarray:
    """Fill model and optimizer from a file of `save_state`; returns the sums of the epoch under way.

    Raises CheckpointError as `load_weights` does.
    """
    arrays = _read(path)
    if STEP_SUMS not in arrays:
        raise CheckpointError(f"{path} is not the state of a run; weights alone cannot be resumed")
    sums = arrays.pop(STEP_SUMS)
    places: dict[str, Any] = {f"model.{name}": buffer for name, buffer in model.named_buffers()}
    for (name, _), velocity in zip(model.named_parameters(), optimizer.velocities, strict=True):
        places[f"velocity.{name}"] = _Place(velocity)
    _fill(places, arrays, path)
    return sums


class _Place:
    """A velocity, in the form of a `Buffer`: what can be filled. Filled in place, as the optimizer holds the array."""

    def __init__(self, value: Array) -> None:
        self.value = value


def _fill(places: Mapping[str, Any], arrays: Mapping[str, np.ndarray], path: str | Path) -> None:
    """Copy each array to the place of its name, after everything has been checked."""
    problems = _listed("missing", sorted(places.keys() - arrays.keys()))
    problems += _listed("not in the model", sorted(arrays.keys() - places.keys()))
    ours = {name: _from_torch(array) for name, array in arrays.items()}
    wrong = [name for name in places if name in ours and ours[name].shape != places[name].value.shape]
    problems += _listed(
        "of the wrong shape",
        [f"{n} {arrays[n].shape}, the model has {_torch_shape(places[n].value)}" for n in wrong],
    )
    if problems:
        raise CheckpointError(f"{path} does not fit the model: {'; '.join(problems)}")
    for name, place in places.items():
        place.value[...] = array_module(place.value).asarray(ours[name].astype(place.value.dtype))


def _listed(what: str, names: list[str], most: int = 4) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return [f"{what}: {', '.join(names[:most])}{more}"]


def _torch_shape(value: Array) -> tuple[int, ...]:
    return tuple(value.shape[axis] for axis in TO_TORCH.get(value.ndim, range(value.ndim)))


def _to_torch(value: Array) -> np.ndarray:
    """In torch's layout, float32, on the CPU. Contiguous: safetensors 0.8.0 writes a transposed view in the order of
    its memory, which is silently wrong."""
    array = to_numpy(value).astype(np.float32, copy=False)
    return np.ascontiguousarray(array.transpose(TO_TORCH.get(array.ndim, tuple(range(array.ndim)))))


def _from_torch(array: np.ndarray) -> np.ndarray:
    return array.transpose(FROM_TORCH.get(array.ndim, tuple(range(array.ndim))))


def _write(path: str | Path, arrays: dict[str, np.ndarray], about: Mapping[str, Any]) -> None:
    from safetensors.numpy import save

    atomic_write(path, save(arrays, {METADATA_KEY: json.dumps(about, sort_keys=True)}))


def atomic_write(path: str | Path, content: bytes) -> None:
    """Write a file so that its name always stands for the whole old content or the whole new one."""
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave the new name with none of the content
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _open(path: str | Path):
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise CheckpointError(f"no such file: {path}")
    try:
        return safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged or not a safetensors file ({error})") from None


def _read(path: str | Path) -> dict[str, np.ndarray]:
    with _open(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}
