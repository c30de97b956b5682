"""What several test files share."""

from __future__ import annotations

import importlib
import os
import sys

import numpy as np
import pytest
from standin import STANDIN

from resnet_scratch.compute import backend, batch, threads
from resnet_scratch.data import Dataset
from resnet_scratch.layers.layer import Layer


@pytest.fixture(scope="session")
def tiny_dataset() -> Dataset:
    """48 + 20 images of 8x8 pixels in 4 classes, told apart by their colour, which no random crop takes away."""
    colours = np.array([[150, 0, 0], [0, 150, 0], [0, 0, 150], [150, 150, 150]])

    def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 4, count)
        images = colours[labels][:, None, None] + rng.integers(0, 100, (count, 8, 8, 3))
        return images.astype(np.uint8), labels.astype(np.int64)

    return Dataset("tiny", ("red", "green", "blue", "light grey"), *draw(48, 1), *draw(20, 2), mirror=False)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="standin", choices=("standin", "cuda"), help="cuda: the tests that run on two "
                     "backends run on NumPy and on a real GPU, in place of the stand-in for CuPy")  # fmt: skip
    parser.addoption("--answers", action="store_true", help="also try all right and wrong answers to the tasks")


def pytest_configure(config: pytest.Config) -> None:
    """Workers that test side by side would only slow each other down if the BLAS of each had all cores."""
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests marked `answers`, more than a thousand, unless they are asked for: CI does."""
    if not config.getoption("--answers"):
        chosen = [item for item in items if not item.get_closest_marker("answers")]
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("answers")])
        items[:] = chosen


@pytest.fixture(autouse=True)
def look_for_gpus_again():
    """The library looks once in a process; here each test may have another CuPy."""
    backend._look_for_gpus.cache_clear()
    yield
    backend._look_for_gpus.cache_clear()


@pytest.fixture
def gpu(request, monkeypatch):
    """CuPy: the stand-in for it, or with `--device cuda` the real one."""
    if request.config.getoption("--device") == "cuda":
        yield importlib.import_module("cupy")
        return
    monkeypatch.setitem(sys.modules, "cupy", STANDIN)
    yield STANDIN
    STANDIN.cuda.Device(0).use()


@pytest.fixture
def standin(request, gpu):
    """The stand-in for CuPy, for what a real GPU does not show: two devices, their names, a call that is watched."""
    if request.config.getoption("--device") == "cuda":
        pytest.skip("for the stand-in only")
    return gpu


@pytest.fixture(params=["numpy", "cupy"])
def xp(request):
    """The array module that a test runs on: NumPy, then CuPy."""
    return np if request.param == "numpy" else request.getfixturevalue("gpu")


@pytest.fixture
def device(xp):
    """The name of the device that a test runs on: "cpu", then "cuda:0"."""
    return "cpu" if xp is np else "cuda:0"


@pytest.fixture
def put(xp):
    """Brings an array, or a layer with all that it holds, to `xp` and to float64, or another dtype; None: as it is."""

    def put(thing, dtype=np.float64):
        if not isinstance(thing, Layer):
            return xp.asarray(thing, dtype)
        for _, buffer in thing.named_buffers():
            buffer.map(lambda value: xp.asarray(value, dtype))
        return thing

    return put


@pytest.fixture
def set_threads():
    """`threads.set_num_threads`, undone after the test."""
    before = threads.num_threads()
    yield threads.set_num_threads
    threads.set_num_threads(before)


@pytest.fixture
def small_chunks(monkeypatch):
    """As many chunks as the number of images allows: the largest power of two that is no larger."""
    monkeypatch.setattr(batch, "CHUNK_BYTES", 1)
