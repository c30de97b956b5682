"""What mpiexec runs in several processes for the tests, `python in_processes.py ACTION ...`, and how they call it."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import numpy as np

from resnet_scratch.compute.backend import resolve_device
from resnet_scratch.compute.batch import Sum, over_batch
from resnet_scratch.compute.processes import find_mpiexec, number_of_processes, process_number, processes
from resnet_scratch.data import Dataset, training_batches
from resnet_scratch.experiment import run, storage
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.recipe import Recipe
from resnet_scratch.experiment.trainer import finish
from resnet_scratch.layers import BatchNorm2d
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import constant
from resnet_scratch.train import train

RECIPE = Recipe("tiny", "resnet8", "shapes", "", batch_size=64, epochs=3, schedule="one_cycle", learning_rate=0.05)
MPIEXEC = find_mpiexec()


def together(number: int | None, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    """Run this file in so many processes; None: in one, without MPI."""
    command = [sys.executable, __file__, *map(str, arguments)]
    if number is not None:
        command = [MPIEXEC, "-n", str(number), *command]
    here = {**os.environ, "OMP_NUM_THREADS": "1", "RESNET_SCRATCH_THREADS": "1", **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=here)


def noise() -> Dataset:
    """192 + 300 images of 8x8 pixels: three batches an epoch, and two to evaluate, one of them of 44 images."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (492, 8, 8, 3), np.uint8), rng.integers(0, 4, 492)
    return Dataset("noise", tuple("abcd"), images[:192], labels[:192], images[192:], labels[192:], mirror=True)


def weights(batch_size: str, group: str | None = None) -> None:
    """Print a hash of what four steps and an evaluation give; then the last loss and the number of correct images."""
    dataset, hashed = noise(), hashlib.sha256()
    model = build("resnet8", 4, rng=np.random.default_rng(0))
    for _, layer in model.named_layers():
        if isinstance(layer, BatchNorm2d) and group is not None:
            layer.group = int(group)
    batches = training_batches(dataset, int(batch_size), seed=0)
    *_, step = train(model, SGD(model.parameters()), batches, constant(0.05), 4)
    result = evaluate(model, dataset.test_images, dataset.test_labels, dataset.mean, dataset.std)
    for array in (*(buffer.value for _, buffer in model.named_buffers()), step.loss, result.loss, result.probabilities):
        hashed.update(np.asarray(array).tobytes())
    print(hashed.hexdigest(), f"{step.loss:.7f}", step.correct, f"{result.loss:.6f}")


def tree(*values: str) -> None:
    """Each process has one image, a number: the sum of all, as float32, and how many there are, as every one has it."""
    x = np.float32([values[process_number()]])
    total, images = over_batch(lambda x: (Sum(x.sum()), Sum(len(x))), x)
    os.write(1, f"{float(total)} {images!r} {type(total).__name__}\n".encode())


def on_gpus() -> None:
    """Three steps on the stand-in for CuPy, whose NCCL sends its messages over MPI. Every process prints its device,
    the last loss, a weight, how often the last step went over the host, sums of float32, int64 and Python's int, and
    the first one's shape."""
    sys.path.append(str(Path(__file__).parents[1]))
    from standin import STANDIN

    sys.modules["cupy"] = STANDIN
    device = resolve_device("auto")
    dataset = noise().to(device)
    model = build("resnet8", 4, rng=np.random.default_rng(0)).to(device)
    batches = training_batches(dataset, 64, seed=0)
    steps = train(model, SGD(model.parameters()), batches, constant(0.05), 3)
    _, (_, before), (step, after) = [(step, STANDIN._counts.to_host) for step in steps]
    x = STANDIN.asarray(np.arange(1, 4, dtype=np.float32) * (1 + process_number()))
    total, whole, count = over_batch(lambda x: (Sum(x.sum()), Sum((x.astype(int)).sum()), Sum(len(x))), x)
    weight = float(model.fc.weight.value[0, 0])
    sums = f"{float(total)} {int(whole)} {count} {total.shape}"
    os.write(1, f"{device} {float(step.loss):.5f} {weight:.6f} {after - before} {sums}\n".encode())


def whole_run(folder: str, what: str = "", when: str = "0", who: str = "0") -> None:
    """Start or resume the run in the folder; `what` happens in process `who` when it begins step `when`."""
    recipe = RECIPE
    if what == "diverge":
        recipe = Recipe("tiny", "resnet8", "shapes", "", 64, 1e30, "constant", epochs=3)
    if what == "groups":
        recipe = replace(RECIPE, batch_norm_group=32)
    if what == "other" and process_number() == int(who):
        recipe = Recipe("tiny", "resnet8", "shapes", "", 64, 0.06, "one_cycle", epochs=3)
    dataset = noise()
    if what == "data" and process_number() == int(who):
        dataset.train_images[0] += 1
    if (Path(folder) / run.STATE_FILE).exists():
        ours = storage.resume(Path(folder), "cpu", dataset=dataset)
    else:
        ours = storage.start(run.Settings(recipe), Path(folder), "cpu", dataset)
    backward = ours.model.backward_to_parameters

    def happens(*arguments: object) -> None:
        if ours.step == int(when) and process_number() == int(who):
            happen(what)
        backward(*arguments)
        if what == "uneven":  # as from a layer that adds up the gradients of its own images only
            ours.model.fc.bias.grad = ours.model.fc.bias.grad + process_number()

    ours.model.backward_to_parameters = happens
    result = finish(ours)
    print("result", getattr(result, "name", "finished"), "after step", ours.step, "of", number_of_processes())


def happen(what: str) -> None:
    if what == "raise":
        raise ArithmeticError("this process only")
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "stop":
        signal.raise_signal(signal.SIGTERM)
    if what == "slow":
        time.sleep(1)


def _print_at_once(*error: object) -> None:
    """A traceback in one piece: Python writes it in many, and mpiexec mixes those of several processes."""
    os.write(2, "".join(traceback.format_exception(*error)).encode())


if __name__ == "__main__":
    sys.excepthook = _print_at_once
    with processes():
        {"weights": weights, "tree": tree, "run": whole_run, "gpus": on_gpus}[sys.argv[1]](*sys.argv[2:])
