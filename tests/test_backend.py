import builtins
import sys
import types
from contextlib import nullcontext

import numpy as np
import pytest

from resnet_scratch import backend


class FakeArray:
    """An array of the CuPy that `cupy` below pretends to be."""

    def __init__(self, host):
        self.host = host

    def get(self):
        return self.host


FakeArray.__module__ = "cupy._core.core"  # as CuPy's own arrays have it


@pytest.fixture
def no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # so that importing it raises ImportError


@pytest.fixture
def cupy(monkeypatch):
    """A CuPy on a machine with two GPUs, as far as backend.py looks."""
    chosen = []
    cuda = types.SimpleNamespace(
        runtime=types.SimpleNamespace(getDeviceCount=lambda: 2), Device=lambda k: chosen.append(k) or nullcontext()
    )
    module = types.SimpleNamespace(ndarray=FakeArray, cuda=cuda, asarray=FakeArray, chosen=chosen)
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.mark.parametrize("x", [np.zeros(3), np.zeros((), np.float32), np.float64(1)])
def test_numpy_is_the_module_of_numpy_arrays(x):
    assert backend.array_module(x) is np


def test_cupy_is_the_module_of_its_arrays(cupy):
    assert backend.array_module(FakeArray(None)) is cupy


@pytest.mark.parametrize("x", [[1, 2], 3.0, None, types.SimpleNamespace()])
def test_anything_else_is_refused(x):
    with pytest.raises(TypeError, match=f"expected a NumPy or CuPy array, got {type(x).__name__}"):
        backend.array_module(x)


def test_without_cupy_there_is_the_processor(no_cupy):
    assert backend.devices() == ["cpu"]
    assert backend.resolve_device("auto") == backend.resolve_device("cpu") == "cpu"


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:7"])
def test_a_missing_gpu_is_an_error_that_says_what_to_do(no_cupy, device):
    with pytest.raises(backend.DeviceError, match=r"is not here \(found: cpu\).*pip install .*without a GPU use"):
        backend.resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "", "CPU"])
def test_a_device_that_is_none_is_an_error(no_cupy, device):
    with pytest.raises(backend.DeviceError, match=f"device must be 'cpu', .*got '{device}'"):
        backend.resolve_device(device)


@pytest.mark.parametrize("error", [RuntimeError("cudaErrorNoDevice"), OSError("libcuda.so"), ImportError("two CuPys")])
def test_a_broken_cupy_leaves_the_processor(monkeypatch, error):
    real = builtins.__import__

    def broken(name, *rest):
        if name == "cupy":
            raise error
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.setattr(builtins, "__import__", broken)
    assert backend.devices() == ["cpu"]


def test_gpus_are_found_and_named(cupy):
    assert backend.devices() == ["cpu", "cuda:0", "cuda:1"]
    wanted = ["auto", "cuda", "cuda:1", "cpu"]
    assert [backend.resolve_device(name) for name in wanted] == ["cuda:0", "cuda:0", "cuda:1", "cpu"]
    with pytest.raises(backend.DeviceError, match="found: cpu, cuda:0, cuda:1"):
        backend.resolve_device("cuda:2")


def test_there_and_back(cupy):
    x = np.arange(3)
    there = backend.to_device(x, "cuda:1")
    assert type(there) is FakeArray and cupy.chosen == [1]
    assert backend.to_numpy(there) is x and backend.to_device(there, "cpu") is x


def test_what_is_there_already_is_not_copied():
    x = np.arange(3)
    assert backend.to_device(x, "cpu") is x and backend.to_numpy(x) is x
