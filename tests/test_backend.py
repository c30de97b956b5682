import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from resnet_scratch.backend import DeviceError, array_module, devices, resolve_device, to_device, to_numpy


def test_numpy_arrays_belong_to_numpy():
    assert array_module(np.zeros(3)) is np and array_module(np.float32(1)) is np


@pytest.mark.parametrize("x", [[1, 2], 3.0, None, "x"])
def test_what_is_no_array_is_refused(x):
    with pytest.raises(TypeError, match=f"expected a NumPy or CuPy array, got {type(x).__name__}"):
        array_module(x)


def broken_cupy(error):
    class Runtime:
        @staticmethod
        def getDeviceCount():
            raise error

    module = ModuleType("cupy")
    module.cuda = ModuleType("cupy.cuda")
    module.cuda.runtime = Runtime
    return module


@pytest.mark.parametrize(
    "error", [RuntimeError("no driver"), OSError("libcuda"), KeyError("x"), ImportError("two CuPys")]
)
def test_a_broken_cupy_does_not_break_the_cpu(monkeypatch, error):
    monkeypatch.setitem(sys.modules, "cupy", broken_cupy(error))
    assert devices() == ["cpu"] and resolve_device("auto") == "cpu"


@pytest.mark.parametrize("device", ["cuda", "cuda:3"])
def test_a_gpu_that_is_not_there_says_what_to_do(monkeypatch, device):
    monkeypatch.setitem(sys.modules, "cupy", None)  # importing it raises ImportError
    with pytest.raises(DeviceError, match=r"is not here \(found: cpu\).*resnet_scratch\[cuda12x\]"):
        resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "", "CUDA"])
def test_an_unknown_device_says_which_there_are(device):
    with pytest.raises(DeviceError, match="device must be 'cpu', 'cuda', 'cuda:<number>' or 'auto', got"):
        resolve_device(device)


def test_on_the_cpu_nothing_is_copied():
    x = np.zeros(3)
    assert to_device(x, "cpu") is x and to_numpy(x) is x


class GPUArray:
    """An array of a CuPy that is only pretended."""

    def __init__(self, host):
        self.host = host

    def get(self):
        return self.host


GPUArray.__module__ = "cupy._core.core"  # where CuPy's own arrays come from


@pytest.fixture
def two_gpus(monkeypatch):
    """A CuPy that finds two GPUs; returns the numbers of those that were chosen."""
    chosen = []
    cupy = ModuleType("cupy")
    cupy.ndarray = cupy.asarray = GPUArray
    cupy.cuda = ModuleType("cupy.cuda")
    cupy.cuda.runtime = SimpleNamespace(getDeviceCount=lambda: 2)
    cupy.cuda.Device = lambda number: chosen.append(number) or nullcontext()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    return chosen


def test_gpus_are_found_and_named(two_gpus):
    assert devices() == ["cpu", "cuda:0", "cuda:1"]
    assert [resolve_device(d) for d in ("auto", "cuda", "cuda:1", "cpu")] == ["cuda:0", "cuda:0", "cuda:1", "cpu"]
    with pytest.raises(DeviceError, match="found: cpu, cuda:0, cuda:1"):
        resolve_device("cuda:2")


def test_to_a_gpu_and_back(two_gpus):
    x = np.arange(3)
    there = to_device(x, "cuda:1")
    assert type(there) is GPUArray and two_gpus == [1] and array_module(there) is sys.modules["cupy"]
    assert to_numpy(there) is x and to_device(there, "cpu") is x
