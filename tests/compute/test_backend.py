import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from resnet_scratch.compute import backend, gpus
from resnet_scratch.compute.backend import (
    DeviceError,
    array_module,
    describe,
    devices,
    resolve_device,
    to_device,
    to_numpy,
    use_device_of,
    why_no_gpu,
)  # fmt: skip


def test_numpy_arrays_belong_to_numpy():
    assert array_module(np.zeros(3)) is np and array_module(np.float32(1)) is np


@pytest.mark.parametrize("x", [[1, 2], 3.0, None, "x"])
def test_what_is_no_array_is_refused(x):
    with pytest.raises(TypeError, match=f"expected a NumPy or CuPy array, got {type(x).__name__}"):
        array_module(x)


class Cupy(ModuleType):
    """A CuPy that fails: at import, when asked how many GPUs there are, or when it should compute."""

    def __init__(self, gpus=1, error=None):
        super().__init__("cupy")
        self.error = error
        if not isinstance(gpus, int):
            self.cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=self.fail))
        else:
            self.cuda = SimpleNamespace(runtime=SimpleNamespace(getDeviceCount=lambda: gpus), Device=self.fail)

    def fail(self, *arguments):
        raise self.error


class Broken:
    """Finds the package `cupy`, and fails when it is imported."""

    def __init__(self, error):
        self.error = error

    def find_spec(self, name, path=None, target=None):
        if name == "cupy":
            raise self.error


NO_DRIVER = RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is\ninsufficient")


def install(monkeypatch, cupy, packages=()):
    if isinstance(cupy, Exception):
        monkeypatch.delitem(sys.modules, "cupy", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Broken(cupy), *sys.meta_path])
    else:
        monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(backend, "cupy_packages", lambda: list(packages))


REASONS = {
    "not installed": (None, (), "CuPy is not installed: .*resnet_scratch.cuda12x.*; on Colab choose Runtime"),
    "no driver": (Cupy(gpus="?", error=NO_DRIVER), (), "no driver that suits it .RuntimeError: .*is insufficient"),
    "no GPU": (Cupy(gpus=0), (), "CuPy finds no GPU: it needs an NVIDIA GPU.*Colab"),
    "import fails": (OSError("libnvrtc.so"), ["cupy==14"], "cannot be imported .OSError: libnvrtc.*uninstall cupy==14"),
    "its own import fails": (ModuleNotFoundError("no fastrlock", name="fastrlock"), (), "imported .*no fastrlock"),
    "there twice": (KeyError("x"), ["cupy-cuda12x==14", "cupy-cuda13x==14"], "12x==14, cupy-cuda13x==14.*side by side"),
    "cannot compile": (Cupy(error=RuntimeError("no nvrtc")), (), "GPU 0, but cannot compute on it .*: no nvrtc"),
}  # fmt: skip


@pytest.mark.parametrize("case", REASONS)
def test_whatever_is_wrong_with_cupy_the_cpu_works_and_the_reason_is_told(monkeypatch, case):
    cupy, packages, reason = REASONS[case]
    install(monkeypatch, cupy, packages)
    assert devices() == ["cpu"] and resolve_device("auto") == resolve_device("cpu") == "cpu"
    message = f"device 'cuda:1' is not available: .*{reason}.*Without a GPU use device 'cpu'"
    with pytest.raises(DeviceError, match=message) as e:
        resolve_device("cuda:1")
    assert "\n" not in str(e.value) and why_no_gpu() in str(e.value)


@pytest.mark.parametrize("device", ["gpu", "", "CUDA", "cuda:", "cuda:one", "cuda:-1"])
def test_an_unknown_device_says_which_there_are(device):
    with pytest.raises(DeviceError, match="device must be 'cpu', 'cuda', 'cuda:<number>' or 'auto', got"):
        resolve_device(device)


def test_on_the_cpu_nothing_is_copied():
    x = np.zeros(3)
    assert to_device(x, "cpu") is x and to_numpy(x) is x and describe("cpu") == "cpu"


def test_gpus_are_found_and_named(standin):
    assert devices() == ["cpu", "cuda:0", "cuda:1"] and why_no_gpu() == ""
    assert [resolve_device(d) for d in ("auto", "cuda", "cuda:1", "cpu")] == ["cuda:0", "cuda:0", "cuda:1", "cpu"]
    with pytest.raises(DeviceError, match="device 'cuda:2' is not available: this machine has cpu, cuda:0, cuda:1"):
        resolve_device("cuda:2")
    assert describe("cuda:1") == "cuda:1 (Stand-in, 16.0 GB)"


@pytest.mark.parametrize("number, expected", [("0", "cuda:0"), ("1", "cuda:1"), ("2", "cuda:0"), ("5", "cuda:1")])
@pytest.mark.parametrize("name", ["MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK"])
def test_the_processes_of_a_machine_share_its_two_gpus(standin, monkeypatch, name, number, expected):
    monkeypatch.setenv(name, number)
    assert resolve_device("cuda") == resolve_device("auto") == expected
    assert resolve_device("cuda:1") == "cuda:1" and resolve_device("cpu") == "cpu"


def test_without_nccl_the_message_says_what_to_install(standin, monkeypatch):
    monkeypatch.setattr(standin.cuda.nccl, "available", False)
    with pytest.raises(DeviceError, match="need NCCL: pip install nvidia-nccl-cu12"):
        backend.load_nccl()


def test_two_processes_with_one_gpu_are_told(standin):
    class Communicator:
        size, rank = 2, 0

        def py2f(self):
            return -1

        def allgather(self, mine):
            return [mine, mine]

    with pytest.raises(DeviceError, match="each process needs a GPU of its own, got 2 processes on 1: start as many"):
        gpus.all_sum(Communicator(), [standin.asarray([1.0])])


def test_a_gpu_that_cannot_compute_is_left_out(standin, monkeypatch):
    right = standin.arange
    monkeypatch.setattr(standin, "arange", lambda n: right(n) * standin._current.device)  # on GPU 0 always 0
    assert devices() == ["cpu", "cuda:1"] and resolve_device("auto") == "cuda:1"


def test_to_a_gpu_and_back(standin):
    x = np.arange(3)
    there = to_device(x, "cuda:1")
    assert array_module(there) is standin and there.device.id == 1
    assert (there + there).device.id == 1  # it is the current one from now on
    assert to_device(there, "cuda:1") is there and to_device(there, "cpu").tolist() == [0, 1, 2]
    here = to_device(there, "cuda:0")
    assert here.device.id == 0 and here.tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError):
        there + there
    use_device_of(there)
    assert (there + there).tolist() == [0, 2, 4]
