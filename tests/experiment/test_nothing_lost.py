"""What a run keeps when it is interrupted, killed, or broken by its own numbers."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal

import numpy as np
import pytest
from tiny_run import RECIPE, assert_same_files, go, go_on, press_ctrl_c_at

from resnet_scratch.experiment import checkpoint, files, log, run, storage, trainer
from resnet_scratch.experiment.trainer import finish
from resnet_scratch.experiment.weights import load_model
from resnet_scratch.optim import SGD


@pytest.fixture(scope="module")
def made_once(tmp_path_factory, tiny_dataset):
    return go(tmp_path_factory.mktemp("made") / "once", tiny_dataset)[0].folder


@pytest.fixture
def whole(made_once, tmp_path):
    """The folder of a run that nobody interrupted."""
    return shutil.copytree(made_once, tmp_path / "whole")


@pytest.mark.parametrize("left_over", ["nothing", "an older one"])
@pytest.mark.parametrize("writes", range(1, 13))  # an epoch writes state, weights, the best weights, log
def test_a_run_killed_after_any_of_its_writes_ends_with_the_right_files(
    whole, tmp_path, tiny_dataset, monkeypatch, writes, left_over
):
    class Killed(BaseException):
        pass

    done, write = [], files.atomic_write

    def killed_later(path, content):
        if len(done) == writes + 1:  # the first one is config.json
            raise Killed
        done.append(path)
        write(path, content)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        for module in (checkpoint, storage, log):
            patch.setattr(module, "atomic_write", killed_later)
        go(tmp_path / "killed", tiny_dataset)
        raise Killed  # the best weights are not written in every epoch
    if left_over == "nothing":
        (tmp_path / "killed" / "model.safetensors").unlink(missing_ok=True)
    go_on(tmp_path / "killed", tiny_dataset)
    assert_same_files(tmp_path / "killed", whole)


def test_resuming_writes_the_weights_from_the_state_before_any_step(whole, tiny_dataset):
    expected = (whole / "model.safetensors").read_bytes()
    (whole / "model.safetensors").write_bytes(b"an epoch old")
    storage.resume(whole, "cpu", dataset=tiny_dataset)
    assert (whole / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("step", [0, 8, 17])
def test_a_signal_finishes_the_step_and_saves(whole, tmp_path, tiny_dataset, monkeypatch, capfd, name, step):
    number = getattr(signal, name)
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, step, number)
        press_ctrl_c_at(patch, step, number)  # `timeout` sends it twice
        stopped, result = go(tmp_path / "stopped", tiny_dataset)
    assert result is number and load_model(stopped.folder)[1].step == step + 1
    assert f"{name}: finishing this step and saving ..." in capfd.readouterr().err
    assert signal.getsignal(number) == signal.SIG_DFL
    go_on(stopped.folder, tiny_dataset)
    assert_same_files(stopped.folder, whole)


def test_a_signal_that_was_ignored_stays_ignored(tmp_path, tiny_dataset, monkeypatch):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    press_ctrl_c_at(monkeypatch, 3, signal.SIGHUP)
    assert go(tmp_path / "run", tiny_dataset)[0].finished
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_run_is_saved_every_few_minutes(tmp_path, tiny_dataset, monkeypatch):
    saved = []
    monkeypatch.setattr(trainer, "save", lambda run: saved.append(run.step))
    go(tmp_path / "a", tiny_dataset)
    assert saved == [6, 12, 18]  # after each epoch
    saved.clear()
    monkeypatch.setattr(trainer, "SAVE_SECONDS", 0)
    go(tmp_path / "b", tiny_dataset)
    assert saved == list(range(1, 19))


def test_an_epoch_is_saved_before_its_line_is_printed(tmp_path, tiny_dataset):
    def closed_pipe(line):
        if "1/3" in line:
            raise BrokenPipeError

    started = storage.start(run.Settings(RECIPE), tmp_path / "run", "cpu", tiny_dataset)
    with pytest.raises(BrokenPipeError):
        finish(started, closed_pipe)
    assert storage.resume(tmp_path / "run", "cpu", dataset=tiny_dataset).step == 6


def break_weights(step):
    """An `SGD.step` whose step of this number, from 1, leaves infinity in one weight."""
    right, steps = SGD.step, []

    def wrong(self, learning_rate):
        right(self, learning_rate)
        steps.append(None)
        if len(steps) == step:
            self.parameters[0].value[0, 0, 0, 0] = np.inf

    return wrong


FIRST = r"the loss has not been finite since step {} \(learning rate 0\.\d+, of at most 0.05\); .*with --lr 0.017$"
LAST = (
    r"model.conv1.weight .*not finite after step {} \(learning rate 0?[.\de-]+, of at most 0.05\); .*with --lr 0.017$"
)


@pytest.mark.parametrize(
    "broken, signal_at, message, kept",
    [
        (1, None, FIRST.format(2), 0),  # in the first epoch: nothing was saved
        (8, None, FIRST.format(9), 6),
        (8, 10, FIRST.format(9), 6),  # Ctrl-C does not save it
        (11, 10, LAST.format(11), 6),  # nor when the loss cannot show it yet
        (12, None, LAST.format(12), 6),  # the last update of an epoch
        (18, None, LAST.format(18), 12),  # and of the run
    ],
)
def test_numbers_that_are_no_longer_finite_end_the_run_and_keep_the_last_good_state(
    tmp_path, tiny_dataset, monkeypatch, broken, signal_at, message, kept
):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(SGD, "step", break_weights(broken))
        if signal_at is not None:
            press_ctrl_c_at(patch, signal_at)
        with pytest.raises(run.RunError, match=message) as raised:
            go(folder, tiny_dataset)
    if not kept:
        assert (
            "nothing was saved; start again with --lr" in str(raised.value)
            and not (folder / "state.safetensors").exists()
        )
        return
    assert f"{folder} keeps the state that was saved before" in str(raised.value)
    assert storage.resume(folder, "cpu", dataset=tiny_dataset).step == kept
    for name in ("model.safetensors", "best.safetensors"):
        model, about = load_model(folder / name)
        assert about.step <= kept and all(np.isfinite(buffer.value).all() for _, buffer in model.named_buffers())


def test_the_state_of_the_optimizer_is_looked_at_too(tmp_path, tiny_dataset, device):
    started = storage.start(run.Settings(RECIPE), tmp_path / "run", device, tiny_dataset)
    started.check_finite()
    started.optimizer.states[-1]["velocity"][0] = -np.inf
    started.optimizer.states[-1]["velocity"][1] = np.inf
    with pytest.raises(run.RunError, match="velocity.fc.bias is not finite"):
        storage.save(started)
    assert sorted(os.listdir(tmp_path / "run")) == [".lock", "config.json"]


def test_large_weights_are_no_infinite_weights(tmp_path, tiny_dataset):
    started = storage.start(run.Settings(RECIPE), tmp_path / "run", "cpu", tiny_dataset)
    started.model.fc.weight.value[:] = 3e38  # their float32 sum would overflow
    started.check_finite()


def test_a_loss_that_breaks_is_noticed_long_before_the_epoch_ends(tmp_path, tiny_dataset, monkeypatch):
    monkeypatch.setattr("resnet_scratch.experiment.console.REFRESH_SECONDS", 0)
    started = storage.start(run.Settings(RECIPE), tmp_path / "run", "cpu", tiny_dataset)
    started.model.fc.bias.value[:] = np.nan
    with pytest.raises(run.RunError, match=FIRST.format(1)):
        finish(started)
    assert started.step == 1


def test_a_test_loss_that_is_not_finite_is_an_error(whole, tiny_dataset, monkeypatch):
    resumed = storage.resume(whole, "cpu", dataset=tiny_dataset)
    resumed.model.fc.bias.value[:] = np.nan
    with pytest.raises(run.RunError, match=r"after step 18 the test loss is nan.*another folder, with --lr 0.017\b"):
        finish(resumed)


def test_the_best_weights_are_kept(tmp_path, tiny_dataset, monkeypatch):
    right, accuracies = trainer.evaluate, iter([0.5, 0.75, 0.75])
    better = lambda *arguments: dataclasses.replace(right(*arguments), accuracy=next(accuracies))  # noqa: E731
    monkeypatch.setattr(trainer, "evaluate", better)
    go(tmp_path / "run", tiny_dataset)
    assert load_model(tmp_path / "run" / "best.safetensors")[1].step == 12  # the first of equals
    assert load_model(tmp_path / "run")[1].step == 18


def test_an_evaluation_flips_only_what_may_be_flipped(tmp_path, tiny_dataset, monkeypatch):
    evaluate, flips = trainer.evaluate, []
    monkeypatch.setattr(trainer, "evaluate", lambda *given: flips.append(given[-1]) or evaluate(*given))
    recipe = dataclasses.replace(RECIPE, epochs=1, flip_in_evaluation=True)
    for mirror in (True, False):
        go(tmp_path / f"{mirror}", dataclasses.replace(tiny_dataset, mirror=mirror), recipe=recipe)
    assert flips == [True, False]
