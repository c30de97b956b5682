"""Runs that are stopped and resumed: the same to the bit as those that nobody interrupted."""

from __future__ import annotations

import dataclasses
import signal

import numpy as np
import pytest
from tiny_run import FILES, RECIPE, go, log, press_ctrl_c_at

from resnet_scratch import data
from resnet_scratch.experiment import storage
from resnet_scratch.experiment.evaluation import predict
from resnet_scratch.experiment.trainer import finish, write_figures
from resnet_scratch.experiment.weights import load_model


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
