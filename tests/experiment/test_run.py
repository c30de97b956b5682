"""Runs, and how they are brought to their end: `run.py`, `storage.py`, `trainer.py`, `console.py`, `log.py`."""

from __future__ import annotations

import dataclasses
import io
import json
import signal
import sys

import numpy as np
import pytest
from tiny_run import RECIPE, go, log, press_ctrl_c_at

from resnet_scratch import data
from resnet_scratch.errors import UserError
from resnet_scratch.experiment import console, run, storage
from resnet_scratch.experiment.evaluation import predict
from resnet_scratch.experiment.log import LogError, read_log
from resnet_scratch.experiment.trainer import finish, write_figures
from resnet_scratch.experiment.weights import load_model

FIGURES = {"curves.png", "confusion.png", "predictions.png"}
FILES = FIGURES | {"log.csv", "model.safetensors", "best.safetensors", "state.safetensors"}


@pytest.fixture
def finished(tmp_path, tiny_dataset):
    """A run that nobody interrupted."""
    lines = []
    return *go(tmp_path / "whole", tiny_dataset, lines), lines


def test_a_run_learns_logs_and_writes_its_files(finished):
    done, evaluation, lines = finished
    rows = log(done.folder)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [row["step"] for row in rows] == ["6", "12", "18"]  # 48 images make 6 batches of 8
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert (
        float(rows[-1]["test_accuracy"]) == evaluation.accuracy == np.mean(evaluation.predictions == evaluation.labels)
    )
    assert evaluation.accuracy > 0.5  # of 4 classes
    assert len(lines) == 3 and "epoch 3/3" in lines[2] and f"accuracy {evaluation.accuracy:6.1%}" in lines[2]
    assert {path.name for path in write_figures(done, evaluation)} == FILES
    assert {path.name for path in done.folder.iterdir()} == FILES | {"config.json", ".lock"}
    assert json.loads((done.folder / "config.json").read_text())["recipe"]["learning_rate"] == 0.05


def test_the_log_tells_what_the_weights_do(finished, tiny_dataset):
    done, evaluation, _ = finished
    model, about = load_model(done.folder)
    assert about.classes == tiny_dataset.classes and about.step == 18 and about.image_size == (8, 8)
    pixels = tiny_dataset.train_images.reshape(-1, 3) / 255.0  # the normalisation, worked out here
    np.testing.assert_allclose(about.mean, pixels.mean(0), rtol=1e-5)
    np.testing.assert_allclose(about.std, pixels.std(0), rtol=1e-5)
    x = ((tiny_dataset.test_images / 255.0 - about.mean) / about.std).astype(np.float32)
    logits = model(x).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -log_p[np.arange(20), tiny_dataset.test_labels].mean()
    assert evaluation.loss == pytest.approx(expected, rel=1e-4)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(finished, tmp_path, tiny_dataset):
    again, _ = go(tmp_path / "again", tiny_dataset)
    other, _ = go(tmp_path / "other", tiny_dataset, seed=1)
    weights = [(r.folder / "model.safetensors").read_bytes() for r in (finished[0], again, other)]
    assert weights[0] == weights[1] != weights[2]
    assert log(finished[0].folder) == log(again.folder) != log(other.folder)


@pytest.mark.parametrize("step", [0, 8, 11, 17])  # the first; in mid-epoch; the last of an epoch, and of the run
def test_ctrl_c_finishes_the_step_and_the_resumed_run_is_the_same_to_the_bit(
    finished, tmp_path, tiny_dataset, monkeypatch, step
):
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, step)
        stopped, evaluation = go(tmp_path / "stopped", tiny_dataset)
    assert evaluation is signal.SIGINT and stopped.step == step + 1
    assert load_model(stopped.folder)[1].step == step + 1
    resumed = storage.resume(stopped.folder, "cpu", dataset=tiny_dataset)
    assert finish(resumed, lambda line: None).accuracy == finished[1].accuracy
    assert log(resumed.folder) == log(finished[0].folder)
    files = [folder / "model.safetensors" for folder in (resumed.folder, finished[0].folder)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert_same_optimizer(resumed.optimizer, finished[0].optimizer)


def assert_same_optimizer(ours, theirs):
    assert ours.scalars == theirs.scalars
    for state, other in zip(ours.states, theirs.states, strict=True):
        assert state and state.keys() == other.keys()
        for name in state:
            np.testing.assert_array_equal(state[name], other[name], strict=True)


def test_a_run_with_adam_learns_and_is_resumed_to_the_bit(tmp_path, tiny_dataset, monkeypatch):
    recipe = dataclasses.replace(RECIPE, optimizer="adam", learning_rate=0.01)
    whole, evaluation = go(tmp_path / "whole", tiny_dataset, recipe=recipe)
    assert evaluation.accuracy > 0.5 and whole.optimizer.scalars == {"steps": 18}
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, 8)
        go(tmp_path / "stopped", tiny_dataset, recipe=recipe)
    resumed = storage.resume(tmp_path / "stopped", "cpu", dataset=tiny_dataset)
    assert resumed.step == resumed.optimizer.scalars["steps"] == 9
    finish(resumed, lambda line: None)
    assert log(resumed.folder) == log(whole.folder)
    assert (resumed.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
    assert_same_optimizer(resumed.optimizer, whole.optimizer)


def test_the_sums_of_an_epoch_that_was_interrupted_come_back_bit_for_bit(tmp_path, tiny_dataset, monkeypatch, device):
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, 8)
        stopped, _ = go(tmp_path / "stopped", tiny_dataset, device=device)
    resumed = storage.resume(stopped.folder, device, dataset=tiny_dataset)
    assert resumed.sums.steps == stopped.sums.steps == 3  # of the second epoch, which began at step 6
    assert type(resumed.sums.loss) is type(stopped.sums.loss) and resumed.sums.loss.dtype == np.float64
    assert float(resumed.sums.loss) == float(stopped.sums.loss) > 0
    assert float(resumed.sums.correct) == float(stopped.sums.correct) > 0


def test_a_run_on_a_gpu_stops_goes_on_and_leaves_files_for_any_device(gpu, tmp_path, tiny_dataset, monkeypatch):
    whole, evaluation = go(tmp_path / "whole", tiny_dataset, device="cuda:0")
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, 8)
        stopped, nothing = go(tmp_path / "stopped", tiny_dataset, device="cuda:0")
    assert nothing is signal.SIGINT and stopped.step == 9 and evaluation.accuracy > 0.5
    resumed = storage.resume(stopped.folder, "cuda:0", dataset=tiny_dataset)
    finish(resumed, lambda line: None)
    assert log(resumed.folder) == log(whole.folder)
    assert (resumed.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()
    model, about = load_model(whole.folder)  # on the CPU
    there = evaluation.probabilities
    assert np.abs(predict(model, tiny_dataset.test_images, about) - there).max() < 1e-4
    assert {path.name for path in write_figures(whole, evaluation)} == FILES


def test_a_second_ctrl_c_stops_at_once_and_the_handler_is_put_back(tmp_path, tiny_dataset, monkeypatch):
    batches = data.training_batches

    def pressing(*arguments):
        for batch in batches(*arguments):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            yield batch

    monkeypatch.setattr(data, "training_batches", pressing)
    with pytest.raises(KeyboardInterrupt):
        go(tmp_path / "run", tiny_dataset)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_state_alone_brings_a_folder_back(finished, tiny_dataset):
    done = finished[0]
    expected = log(done.folder)
    (done.folder / "log.csv").write_text("a crash left")  # the log is written after the state
    (done.folder / "model.safetensors").unlink()
    resumed = storage.resume(done.folder, "cpu", dataset=tiny_dataset)
    assert resumed.finished and log(done.folder) == expected
    assert finish(resumed).accuracy == finished[1].accuracy  # nothing left to train: only evaluated


def test_a_run_measured_in_steps_ends_within_an_epoch(tmp_path, tiny_dataset):
    done, evaluation = go(tmp_path / "run", tiny_dataset, recipe=dataclasses.replace(RECIPE, epochs=None, steps=8))
    assert [row["step"] for row in log(done.folder)] == ["6", "8"] and len(evaluation.labels) == 20
    resumed = storage.resume(done.folder, "cpu", dataset=tiny_dataset)
    assert finish(resumed).loss == evaluation.loss


def test_held_out_images_replace_the_test_images(tmp_path, tiny_dataset):
    lines = []
    recipe = dataclasses.replace(RECIPE, epochs=1)
    done, evaluation = go(tmp_path / "run", tiny_dataset, lines, recipe, validation=12)
    assert len(done.dataset.train_images) == 36 and len(evaluation.labels) == 12
    assert "validation loss" in lines[0]


def test_mistakes_about_folders_and_data_are_told(finished, tmp_path, tiny_dataset):
    folder = finished[0].folder
    with pytest.raises(run.RunError, match="holds a run already.*--resume"):
        storage.start(run.Settings(RECIPE), folder, "cpu", tiny_dataset)
    with pytest.raises(run.RunError, match="no run that could be resumed"):
        storage.resume(tmp_path / "nowhere", "cpu", dataset=tiny_dataset)
    with pytest.raises(LogError, match="no log.csv"):
        read_log(tmp_path)
    (tmp_path / "log.csv").write_text("epoch,step\n1,2\n")
    with pytest.raises(LogError, match="must have the columns epoch, step, learning_rate"):
        read_log(tmp_path)
    others = dataclasses.replace(tiny_dataset, train_images=255 - tiny_dataset.train_images)
    with pytest.raises(run.RunError, match="tiny data are not those"):
        storage.resume(folder, "cpu", dataset=others)
    with pytest.raises(run.RunError, match="batch_size must be at most the number of training images, 48, got 64"):
        storage.start(run.Settings(dataclasses.replace(RECIPE, batch_size=64)), tmp_path / "x", "cpu", tiny_dataset)
    with pytest.raises(run.RunError, match="validation must be below the number of training images, 48, got 48"):
        storage.start(run.Settings(RECIPE, validation=48), tmp_path / "x", "cpu", tiny_dataset)
    assert not (tmp_path / "x").exists()
    assert issubclass(run.RunError, UserError) and issubclass(LogError, UserError)


def test_runs_that_start_in_one_second_get_folders_of_their_own(tmp_path, tiny_dataset, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(storage.time, "strftime", lambda form: "20200101-000000")
    folders = [storage.start(run.Settings(RECIPE), None, "cpu", tiny_dataset).folder.as_posix() for _ in range(2)]
    assert folders == ["runs/tiny-resnet8-20200101-000000", "runs/tiny-resnet8-20200101-000000-2"]


def test_a_terminal_gets_a_progress_bar(tmp_path, tiny_dataset, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "REFRESH_SECONDS", 0)
    monkeypatch.setenv("COLUMNS", "120")
    go(tmp_path / "run", tiny_dataset)
    shown = sys.stderr.getvalue()
    assert all(part in shown for part in ("epoch 1/3", "epoch 3/3", "48.0/48.0", "images/s", "loss ", "accuracy "))


def test_times_are_readable():
    assert [console.duration(s) for s in (0.4, 59, 75, 3600, 7384)] == [
        "0 s",
        "59 s",
        "1 min 15 s",
        "1 h 0 min",
        "2 h 3 min",
    ]
