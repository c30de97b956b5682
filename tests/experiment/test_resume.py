"""Runs that are stopped and resumed: the same to the bit as those that nobody interrupted."""

from __future__ import annotations

import dataclasses
import json
import signal
from contextlib import closing

import numpy as np
import pytest
from tiny_run import FILES, RECIPE, assert_same_files, go, log, press_ctrl_c_at

from resnet_scratch import data, schedules
from resnet_scratch.experiment import run, storage
from resnet_scratch.experiment.evaluation import predict
from resnet_scratch.experiment.trainer import finish, write_figures
from resnet_scratch.experiment.weights import load_model
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.train import train


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


def test_crops_are_as_wide_as_the_recipe_says(tmp_path, tiny_dataset):
    narrow, _ = go(tmp_path / "narrow", tiny_dataset, recipe=dataclasses.replace(RECIPE, crop_padding=0))
    wide, _ = go(tmp_path / "wide", tiny_dataset)
    assert log(narrow.folder) != log(wide.folder)


def test_a_run_reads_its_data_where_they_are_and_remembers_where_they_moved(tmp_path, tiny_dataset, monkeypatch):
    asked = []
    monkeypatch.setattr(data, "load", lambda name, **where: asked.append(where["data_dir"]) or tiny_dataset)
    go(tmp_path / "run", None, recipe=dataclasses.replace(RECIPE, epochs=1), data_dir="/here")
    for moved in (None, "/there", None):
        storage.resume(tmp_path / "run", "cpu", data_dir=moved).lock.release()
    assert asked == ["/here", "/here", "/there", "/there"]


def test_a_run_on_growing_images_is_resumed_to_the_bit(tmp_path, tiny_dataset, monkeypatch):
    recipe = dataclasses.replace(RECIPE, image_sizes=(5, 8), larger_at=(0.4,), flip_in_evaluation=True)
    whole, evaluation = go(tmp_path / "whole", tiny_dataset, recipe=recipe)
    plain, _ = go(tmp_path / "plain", tiny_dataset)
    assert evaluation.accuracy > 0.5 and log(whole.folder) != log(plain.folder)
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, 4)
        go(tmp_path / "stopped", tiny_dataset, recipe=recipe)
    resumed = storage.resume(tmp_path / "stopped", "cpu", dataset=tiny_dataset)
    finish(resumed, lambda line: None)
    assert log(resumed.folder) == log(whole.folder)
    assert (resumed.folder / "model.safetensors").read_bytes() == (whole.folder / "model.safetensors").read_bytes()


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


@pytest.mark.parametrize("seed, changes", [(3, {}), (0, {"label_smoothing": 0.3}), (0, {"augment": False})])
def test_a_run_is_the_loop_of_train_with_its_seed_and_its_recipes_choices(tmp_path, tiny_dataset, seed, changes):
    recipe = dataclasses.replace(RECIPE, epochs=1, schedule="constant", **changes)
    done, _ = go(tmp_path / "run", tiny_dataset, recipe=recipe, seed=seed)
    model = build("resnet8", 4, rng=np.random.default_rng(seed))
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=1e-4)
    rate, smoothing = schedules.constant(0.05), changes.get("label_smoothing", 0.0)
    with closing(data.training_batches(tiny_dataset, 8, seed, augment=changes.get("augment", True))) as batches:
        list(train(model, optimizer, batches, rate, 6, label_smoothing=smoothing))
    for ours, expected in zip(done.model.parameters(), model.parameters(), strict=True):
        np.testing.assert_array_equal(ours.value, expected.value)


def by_hand(dataset, lengths):
    """The weights after training without a run: {steps until here: total steps of the schedule} in `lengths`."""
    model = build("resnet8", 4, rng=np.random.default_rng(0))
    batches = data.training_batches(dataset, RECIPE.batch_size, 0)

    def rate(step):
        total = next(total for until, total in lengths.items() if step < until)
        return schedules.one_cycle(0.05, total, 0.3)(step)

    with closing(batches):
        for _ in train(model, SGD(model.parameters(), momentum=0.9, weight_decay=1e-4), batches, rate, max(lengths)):
            pass
    return {name: buffer.value for name, buffer in model.named_buffers()}


@pytest.mark.parametrize("epochs, stop", [(5, 17), (4, 8), (2, 8)])  # after its end; in mid-epoch; made shorter
def test_a_run_of_another_length_follows_the_schedule_of_that_length_from_there_on(
    tmp_path, tiny_dataset, monkeypatch, epochs, stop
):
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, stop)
        go(tmp_path / "run", tiny_dataset)
    resumed = storage.resume(tmp_path / "run", "cpu", dataset=tiny_dataset)
    storage.set_epochs(resumed, epochs)
    finish(resumed, lambda line: None)
    expected = by_hand(tiny_dataset, {stop + 1: 18, 6 * epochs: 6 * epochs})
    for name, value in load_model(resumed.folder)[0].named_buffers():
        np.testing.assert_array_equal(value.value, expected[name])
    assert [row["step"] for row in log(resumed.folder)] == [str(6 * k) for k in range(1, epochs + 1)]
    settings = json.loads((resumed.folder / "config.json").read_text())
    assert settings["recipe"]["epochs"] == epochs
    assert settings["earlier_lengths"] == [{"until_step": stop + 1, "total_steps": 18}]


def test_an_extended_run_can_be_stopped_and_extended_again_to_the_bit(tmp_path, tiny_dataset, monkeypatch):
    folders = [tmp_path / "whole", tmp_path / "stopped"]
    for folder in folders:
        go(folder, tiny_dataset, recipe=dataclasses.replace(RECIPE, epochs=1))
        extended = storage.resume(folder, "cpu", dataset=tiny_dataset)
        storage.set_epochs(extended, 2)
        with monkeypatch.context() as patch:
            if folder.name == "stopped":
                press_ctrl_c_at(patch, 8)
            finish(extended, lambda line: None)
        again = storage.resume(folder, "cpu", dataset=tiny_dataset)
        assert again.total_steps == 12 and again.settings.earlier_lengths == (run.EarlierLength(6, 6),)
        finish(again, lambda line: None)
    assert_same_files(*folders)


@pytest.mark.parametrize("stop, epochs, size", [(12, 3, 8), (3, 1, 4)])  # a longer run, and a shorter one
def test_weights_keep_the_size_of_the_images_they_were_trained_on_when_the_length_changes(
    tmp_path, tiny_dataset, monkeypatch, stop, epochs, size
):
    """In two epochs of six steps the size grows with step 6. Over three epochs it would be step 9, over one step 3."""
    recipe = dataclasses.replace(RECIPE, epochs=2, image_sizes=(4, 8), larger_at=(0.5,))
    with monkeypatch.context() as patch:
        if stop < 12:
            press_ctrl_c_at(patch, stop)
        go(tmp_path / "run", tiny_dataset, recipe=recipe)
    resumed = storage.resume(tmp_path / "run", "cpu", dataset=tiny_dataset)
    storage.set_epochs(resumed, epochs)
    assert resumed.image_size == size and load_model(tmp_path / "run")[1].image_size == (size, size)


def test_without_a_schedule_an_extended_run_is_the_longer_run(tmp_path, tiny_dataset):
    constant = dataclasses.replace(RECIPE, schedule="constant", epochs=2)
    longer, _ = go(tmp_path / "longer", tiny_dataset, recipe=constant)
    go(tmp_path / "run", tiny_dataset, recipe=dataclasses.replace(constant, epochs=1))
    resumed = storage.resume(tmp_path / "run", "cpu", dataset=tiny_dataset)
    storage.set_epochs(resumed, 2)
    finish(resumed, lambda line: None)
    assert_same_files(resumed.folder, longer.folder)


def test_lengths_that_cannot_be(tmp_path, tiny_dataset, monkeypatch):
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, 8)
        go(tmp_path / "run", tiny_dataset)
    resumed = storage.resume(tmp_path / "run", "cpu", dataset=tiny_dataset)
    before = resumed.settings
    with pytest.raises(run.RunError, match=f"epochs must be at least 2: the run in {tmp_path}/run has begun .*; got 1"):
        storage.set_epochs(resumed, 1)
    storage.set_epochs(resumed, 3)  # as it was
    assert resumed.settings is before
    go(tmp_path / "steps", tiny_dataset, recipe=dataclasses.replace(RECIPE, epochs=None, steps=8))
    ended = storage.resume(tmp_path / "steps", "cpu", dataset=tiny_dataset)
    with pytest.raises(run.RunError, match="cannot be extended: it has ended with step 8, within epoch 2"):
        storage.set_epochs(ended, 4)


def test_resuming_writes_the_settings_from_the_state(finished, tiny_dataset):
    path = finished[0].folder / "config.json"
    expected = path.read_text()
    path.write_text("as they were before the run was extended and killed")
    storage.resume(finished[0].folder, "cpu", dataset=tiny_dataset)
    assert path.read_text() == expected
