"""NumPy or CuPy: the one place that decides, and the only file that names CuPy.

Layers never choose a device. They ask `array_module(x)` which library their input belongs to and call the same
functions on it, so one layer file serves both, and both can live in one process.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import warnings
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from ..errors import UserError

Array = Any  # a numpy.ndarray or a cupy.ndarray: one name for both, for signatures
INSTALL = "pip install 'resnet_scratch[cuda12x]' (or [cuda13x]; nvidia-smi shows which CUDA the driver has)"
ON_COLAB = "on Colab choose Runtime, Change runtime type, GPU"
NOT_INSTALLED = f"CuPy is not installed: with an NVIDIA GPU and its driver, {INSTALL}; {ON_COLAB}"
NO_DRIVER = f"it needs an NVIDIA GPU and its driver; {ON_COLAB}"

NO_NCCL = "several processes on GPUs need NCCL: pip install nvidia-nccl-cu12 (or nvidia-nccl-cu13)"
# in the environment, by mpiexec: which of the processes on this machine this one is, from 0
NUMBERS_HERE = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")


class DeviceError(UserError):
    """A device was asked for that this machine cannot give."""


def array_module(x: Array) -> Any:
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
    """The devices that work on this machine: `["cpu"]`, or `["cpu", "cuda:0", ...]` where CuPy can use GPUs."""
    return list(_look_for_gpus()[0])


def why_no_gpu() -> str:
    """What stands between this machine and a GPU, and what to do about it; "" where one works."""
    return _look_for_gpus()[1]


@cache  # once is enough, and looking computes something on every GPU
def _look_for_gpus() -> tuple[list[str], str]:
    """(the devices that work, why there is no GPU among them). Never raises: whatever is wrong, the CPU still works."""
    try:
        import cupy
    except ModuleNotFoundError as error:
        if error.name == "cupy":
            return ["cpu"], NOT_INSTALLED
        return ["cpu"], _broken("CuPy cannot be imported", error)
    except Exception as error:  # a CuPy that is broken, or installed twice, raises almost anything
        return ["cpu"], _broken("CuPy cannot be imported", error)
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:
        return ["cpu"], f"CuPy finds no GPU, or no driver that suits it ({_one_line(error)}): {NO_DRIVER}"
    if count == 0:
        return ["cpu"], f"CuPy finds no GPU: {NO_DRIVER}"
    found, why = ["cpu"], ""
    for k in range(count):
        try:
            with cupy.cuda.Device(k):
                if int(cupy.arange(4).sum()) != 6:  # compiles and runs a first kernel
                    raise ArithmeticError("0 + 1 + 2 + 3 is not 6")
        except Exception as error:
            why = _broken(f"CuPy finds GPU {k}, but cannot compute on it", error)
        else:
            found.append(f"cuda:{k}")
    return found, "" if len(found) > 1 else why


def _broken(what: str, error: Exception) -> str:
    packages = cupy_packages()
    if len(packages) > 1:
        doubled = f"{what}: {', '.join(packages)} are installed side by side and break one another"
        return f"{doubled}; pip uninstall all of them, then {INSTALL}"
    return f"{what} ({_one_line(error)}); to fix it, pip uninstall {' '.join(packages) or 'cupy'}, then {INSTALL}"


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def cupy_packages() -> list[str]:
    """The packages that bring a CuPy, such as cupy-cuda12x, with their versions. Several break one another."""
    from importlib.metadata import distributions

    found = ((d.metadata["Name"] or "", d.version) for d in distributions())
    return sorted({f"{name}=={version}" for name, version in found if re.fullmatch(r"cupy(-(cuda|rocm).*)?", name)})


def resolve_device(device: str) -> str:
    """`"cpu"`, `"cuda"`, `"cuda:1"` or `"auto"` (a GPU if one works) as the name of a device that works here.

    MPI's processes on this machine take its GPUs in turn: for each, `"cuda"` and `"auto"` mean the next GPU. Sums over
    processes need a GPU for each.
    Raises DeviceError, saying what to install or change, when there is no such device.
    """
    if device == "cpu":
        return device
    if device != "auto" and not (isinstance(device, str) and re.fullmatch(r"cuda(:\d+)?", device)):
        raise DeviceError(f"device must be 'cpu', 'cuda', 'cuda:<number>' or 'auto', got {device!r}")
    found, why = _look_for_gpus()
    if device in ("auto", "cuda") and len(found) > 1:
        process = next((int(os.environ[name]) for name in NUMBERS_HERE if name in os.environ), 0)
        return found[1 + process % (len(found) - 1)]
    if device == "auto":
        return "cpu"
    name = "cuda:0" if device == "cuda" else device
    if name in found:
        return name
    reason = f"{why}. Without a GPU use device 'cpu'" if why else f"this machine has {', '.join(found)}"
    raise DeviceError(f"device {device!r} is not available: {reason}")


def describe(device: str) -> str:
    """A working device, in words: "cpu", or "cuda:0 (Tesla T4, 15.8 GB)"."""
    if device == "cpu":
        return device
    import cupy

    properties = cupy.cuda.runtime.getDeviceProperties(_number(device))
    return f"{device} ({properties['name'].decode()}, {properties['totalGlobalMem'] / 1e9:.1f} GB)"


def cuda_versions() -> str:
    """Which CUDA the driver supports, and which CuPy was built with; there must be a GPU."""
    import cupy

    driver, built = (cupy.cuda.runtime.driverGetVersion(), cupy.cuda.runtime.runtimeGetVersion())
    return ", ".join(
        f"{what} {version // 1000}.{version % 1000 // 10}"
        for what, version in (("the driver supports CUDA", driver), ("CuPy was built with", built))
    )


def to_device(x: Array, device: str) -> Array:
    """`x` on `device` ("cpu", "cuda", "cuda:1" or "auto"), which becomes this thread's current device; not copied
    if it is there already. Raises DeviceError."""
    device = resolve_device(device)
    if device == "cpu":
        return to_numpy(x)
    import cupy

    cupy.cuda.Device(_number(device)).use()  # CuPy computes on the current device, wherever the arrays are
    return cupy.asarray(x)


def use_device_of(x: Array) -> None:
    """Make the device of `x` this thread's current one: every thread begins with GPU 0."""
    if array_module(x) is not np:
        x.device.use()


def load_nccl() -> Any:
    """CuPy's module for NCCL, NVIDIA's library by which GPUs exchange messages. Raises DeviceError without it."""
    import cupy

    with suppress(ImportError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a missing library: that is reported below
        importlib.import_module("cupy.cuda.nccl")  # from CuPy 14 on it is a file of its own
    if not cupy.cuda.nccl.available:
        raise DeviceError(NO_NCCL)
    return cupy.cuda.nccl


def wait_for(device: str) -> None:
    """Return when `device` has finished its work: a GPU runs asynchronously."""
    if device != "cpu":
        import cupy

        cupy.cuda.Device(_number(device)).synchronize()


def to_numpy(x: Array) -> np.ndarray:
    """`x` as a NumPy array; a copy only if it lives on a GPU."""
    return x if array_module(x) is np else x.get()


def _number(device: str) -> int:
    return int(device.partition(":")[2] or 0)
