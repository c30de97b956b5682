"""What works on this machine: a report to send to somebody who can help."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator

import numpy as np
import psutil

from .. import __version__
from ..compute.backend import cuda_versions, cupy_packages, describe, devices, to_device, why_no_gpu
from ..compute.threads import THREADS_VARIABLE, num_threads
from ..gradcheck import Report
from ..measure.bench import Workload, numpy_jobs, race, sgemm_peak
from ..models import build
from ..optim import SGD
from ..schedules import constant
from ..train import train
from .cases import check_cases
from .crosscheck import crosscheck, first_difference

CASES = (  # a selection: all cases, with their many small kernels, would take a GPU minutes
    "Conv2d 3, stride 1, padding 1", "Conv2d 3, stride 2, padding 1", "BatchNorm2d, training", "ReLU",
    "MaxPool2d 3, stride 2, padding 1", "Linear", "cross-entropy, smoothing 0.1", "BasicBlock, stride 2, option A",
)  # fmt: skip
WRONG = "WRONG"


def examine() -> Iterator[str]:
    """Yields the report line by line, as results come in. A line with "WRONG" in it names a problem."""
    yield f"resnet_scratch {__version__}, Python {platform.python_version()}, NumPy {np.__version__}"
    yield f"{platform.platform()}, {platform.machine()}"
    chosen = os.environ.get(THREADS_VARIABLE, "not set")
    yield f"processor threads: {num_threads()} of {os.cpu_count()} ({THREADS_VARIABLE}: {chosen})"
    yield f"memory: {_memory()}"
    yield from _blas()
    packages = cupy_packages()
    yield f"CuPy: {', '.join(packages) or 'not installed'}"
    if len(packages) > 1:
        yield f"  {WRONG}: several CuPys are installed, and each breaks the others; pip uninstall all but one"
    found = devices()
    yield f"GPU: {', '.join(map(describe, found[1:])) or why_no_gpu()}"
    if len(found) > 1:
        yield f"  {cuda_versions()}"
    for device in found:
        yield from _check_device(device)


def _check_device(device: str) -> Iterator[str]:
    yield f"{device}:"
    start = time.perf_counter()
    reports: dict[str, Report] = {}
    right = check_cases(device, show=reports.__setitem__, names=CASES)
    worst = max(report.error for report in reports.values())
    wrong = ", ".join(name for name, report in reports.items() if not report.passed)
    verdict = f"largest relative error {worst:.1e}" if right else f"{WRONG}: {wrong}"
    yield f"  {len(reports)} gradient checks: {verdict} ({time.perf_counter() - start:.1f} s)"
    rng = np.random.default_rng(0)
    images, labels = rng.standard_normal((16, 32, 32, 3), np.float32), rng.integers(0, 10, 16)
    yield f"  ten steps on one batch: {_train_briefly(device, images, labels)}"
    if device != "cpu":
        differences = crosscheck(build("resnet8", rng=rng), images[:4], labels[:4], device)
        agree = "agree" if first_difference(differences) is None else f"{WRONG}: they differ"
        worst = np.max([d.worst for d in differences])
        yield f"  compared with cpu in float64, layer by layer: {agree} (largest difference {worst:.1e})"
    workload = Workload("resnet20", 64, 32, device=device)
    seconds = race(numpy_jobs(workload), 3)
    speeds = (f"{kind} {workload.batch_size / min(times):.0f} images/s" for kind, times in seconds.items())
    yield f"  {workload.model}, {workload.batch_size} images: {', '.join(speeds)}"
    yield f"  one large matrix product: {2 * sgemm_peak(device=device) / 1e9:.0f} GFLOP/s (float32)"


def _train_briefly(device: str, images: np.ndarray, labels: np.ndarray) -> str:
    """Ten training steps on one batch: whether the loss falls."""
    model = build("resnet8", rng=np.random.default_rng(0)).to(device)
    batch = to_device(images, device), to_device(labels, device)
    steps = train(model, SGD(model.parameters()), [batch] * 10, constant(0.05), 10)
    losses = [float(step.loss) for step in steps]
    fell = f"loss {losses[0]:.2f} to {losses[-1]:.2f}"
    return fell if losses[-1] < 0.8 * losses[0] else f"{WRONG}: {fell}, it should fall"


def _memory() -> str:
    """The machine's memory: all of it, and what a program can have before the system swaps."""
    memory = psutil.virtual_memory()
    return f"{memory.total / 1e9:.1f} GB, of which {memory.available / 1e9:.1f} GB are available"


def _blas() -> Iterator[str]:
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        yield f"BLAS: unknown; {WRONG}: threadpoolctl is missing, so BLAS's threads and ours compete for the cores"
        return
    for library in threadpool_info():
        if library["user_api"] == "blas":
            version, kernels = library.get("version"), library.get("architecture", "unknown")
            yield f"BLAS: {library['internal_api']} {version}, kernels for {kernels}, {library['num_threads']} threads"
