"""NumPy or CuPy: the one place that decides, and the only file that names CuPy.

Layers never choose a device. They ask `array_module(x)` which library their input belongs to and call the same
functions on it, so one layer file serves both, and both can live in one process.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

Array = Any  # a numpy.ndarray or a cupy.ndarray: one name for both, for signatures


class DeviceError(RuntimeError):
    """A device was asked for that this machine cannot give."""


def array_module(x: Array):
    """The module, `numpy` or `cupy`, whose functions work on the array `x`.

    Raises TypeError for anything that is not an array (a list, say): silent conversion hides mistakes.
    """
    if isinstance(x, (np.ndarray, np.generic)):
        return np
    module = sys.modules.get(type(x).__module__.partition(".")[0])
    if module is None or not isinstance(x, getattr(module, "ndarray", ())):
        raise TypeError(f"expected a NumPy or CuPy array, got {type(x).__name__}")
    return module


def devices() -> list[str]:
    """The devices that work on this machine: `["cpu"]`, or `["cpu", "cuda:0", ...]` where CuPy finds GPUs."""
    try:
        import cupy

        return ["cpu", *(f"cuda:{k}" for k in range(cupy.cuda.runtime.getDeviceCount()))]
    except Exception:  # a CuPy that is missing, doubled or without a driver raises almost anything; the CPU still works
        return ["cpu"]


def resolve_device(device: str) -> str:
    """`"cpu"`, `"cuda"`, `"cuda:1"` or `"auto"` (a GPU if one works) as the name of a device that works here.

    Raises DeviceError, saying what to install or change, when there is no such device.
    """
    found = devices()
    if device == "auto":
        return found[1] if len(found) > 1 else "cpu"
    name = "cuda:0" if device == "cuda" else device
    if name in found:
        return name
    if name.startswith("cuda:"):
        raise DeviceError(
            f"device {device!r} is not here (found: {', '.join(found)}); a GPU needs an NVIDIA driver and "
            "pip install 'resnet_scratch[cuda12x]' (or [cuda13x]); without a GPU use device 'cpu'"
        )
    raise DeviceError(f"device must be 'cpu', 'cuda', 'cuda:<number>' or 'auto', got {device!r}")


def to_device(x: Array, device: str) -> Array:
    """`x` on `device` ("cpu", "cuda:0", ...); not copied if it is there already."""
    if device == "cpu":
        return to_numpy(x)
    import cupy

    with cupy.cuda.Device(int(device.partition(":")[2] or 0)):
        return cupy.asarray(x)


def to_numpy(x: Array) -> np.ndarray:
    """`x` as a NumPy array; a copy only if it lives on a GPU."""
    return x if array_module(x) is np else x.get()
