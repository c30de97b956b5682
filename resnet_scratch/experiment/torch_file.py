"""State dicts in files that `torch.save` wrote, and why another file is none."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .checkpoint import CheckpointError

STATE_DICTS = ("state_dict", "model_state_dict", "model", "net")  # what training scripts call it in their checkpoints
ZIP, PICKLE = b"PK", b"\x80"  # how a file begins that torch wrote since version 1.6, and before


def read_state_dict(torch: Any, path: str | Path) -> dict[str, np.ndarray]:
    """The arrays of a state dict, alone or inside a checkpoint. Nothing but tensors and plain containers is ever
    loaded. Raises CheckpointError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises almost anything at a file that is damaged or holds more than weights
        why = _why_not(Path(path), error)
        raise CheckpointError(f"{path} {why}; it must be what torch.save(model.state_dict(), path) writes") from None
    arrays = {}
    for name, tensor in _state_dict(content, torch.Tensor, path).items():
        try:
            arrays[name] = tensor.detach().float().numpy()
        except (TypeError, RuntimeError) as error:  # a sparse one, or one without numbers
            raise CheckpointError(f"{path} is unusable: {name} is not a plain array ({error})") from None
    return arrays


def _why_not(path: Path, error: Exception) -> str:
    """What is wrong with a file that torch did not read. Its own messages take many lines, and vary."""
    with open(path, "rb") as file:
        begins = file.read(2)
    damaged = "is damaged or incomplete"
    if begins == ZIP:
        try:
            with zipfile.ZipFile(path) as archive:
                if not any(name.endswith("/data.pkl") for name in archive.namelist()):
                    return "was not written by torch.save"
                if archive.testzip() is not None:
                    return damaged
        except Exception:  # whatever zipfile meets in a file from anywhere
            return damaged
    elif begins[:1] != PICKLE:
        return "was not written by torch.save"
    elif not isinstance(error, pickle.UnpicklingError):
        return damaged
    return "holds more than weights, perhaps a whole model, whose code could do anything"


def _state_dict(content: Any, tensor: type, path: str | Path) -> Mapping[str, Any]:
    """The state dict in what a file holds: all of it, or under one of the usual keys."""
    candidates = [content]
    if isinstance(content, Mapping):
        candidates += [content[key] for key in STATE_DICTS if key in content]
    for state in candidates:
        if isinstance(state, Mapping) and state:
            if all(isinstance(name, str) and isinstance(value, tensor) for name, value in state.items()):
                return state
    held = ", ".join(map(str, list(content)[:6])) if isinstance(content, Mapping) else type(content).__name__
    raise CheckpointError(f"{path} must hold a state dict, alone or under one of {', '.join(STATE_DICTS)}; got {held}")
