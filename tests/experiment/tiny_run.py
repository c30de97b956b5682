"""A run of 18 steps that takes a moment, for the tests: started, stopped at a step, compared."""

from __future__ import annotations

import csv
import signal

import numpy as np

from resnet_scratch import data
from resnet_scratch.experiment import run, storage
from resnet_scratch.experiment.recipe import Recipe
from resnet_scratch.experiment.trainer import finish

RECIPE = Recipe(
    name="tiny",
    model="resnet8",
    dataset="shapes",
    expect="",
    batch_size=8,
    epochs=3,
    schedule="one_cycle",
    learning_rate=0.05,
    weight_decay=1e-4,
)
FIGURES = {"curves.png", "confusion.png", "predictions.png"}
FILES = FIGURES | {"log.csv", "model.safetensors", "best.safetensors", "state.safetensors"}  # without config.json
TIMES = ("seconds", "images_per_second")


def go(folder, dataset, lines=None, recipe=RECIPE, device="cpu", **settings):
    """Start a run and bring it as far as it gets."""
    started = storage.start(run.Settings(recipe, **settings), folder, device, dataset)
    return started, finish(started, (lines if lines is not None else []).append)


def go_on(folder, dataset, lines=None):
    """Resume a run and bring it as far as it gets."""
    resumed = storage.resume(folder, "cpu", dataset=dataset)
    return resumed, finish(resumed, (lines if lines is not None else []).append)


def log(folder) -> list[dict[str, str]]:
    with open(folder / "log.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)]


def do_at(monkeypatch, step: int, action) -> None:
    """Call `action` when the batch of that step (from 0) is asked for, in the run's own thread."""
    batches = data.training_batches

    def acting(dataset, batch_size, seed, start_step=0, *rest):
        for k, batch in enumerate(batches(dataset, batch_size, seed, start_step, *rest), start_step):
            if k == step:
                action()
            yield batch

    monkeypatch.setattr(data, "training_batches", acting)


def press_ctrl_c_at(monkeypatch, step: int, number: int = signal.SIGINT) -> None:
    do_at(monkeypatch, step, lambda: signal.raise_signal(number))


def assert_same_files(folder, other) -> None:
    """The same weights, best weights and log, to the bit; and the same states, but for the times."""
    for name in ("model.safetensors", "best.safetensors"):
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    assert log(folder) == log(other)
    states = [storage.read_state(path / "state.safetensors")[0] for path in (folder, other)]
    assert states[0].keys() == states[1].keys()
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name], strict=True)
