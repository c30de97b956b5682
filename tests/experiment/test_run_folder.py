"""A run's folder: one run at a time, nothing overwritten, no remains, full disks; and what `resume` refuses."""

from __future__ import annotations

import dataclasses
import errno
import os
import subprocess
import sys

import pytest
from tiny_run import FILES, RECIPE, do_at, go, go_on

from resnet_scratch.experiment import files, run, storage
from resnet_scratch.experiment.checkpoint import CheckpointError
from resnet_scratch.experiment.trainer import finish


@pytest.fixture
def whole(tmp_path, tiny_dataset):
    """The folder of a run that nobody interrupted."""
    return go(tmp_path / "whole", tiny_dataset)[0].folder


HOLD = """
import sys; from pathlib import Path; from resnet_scratch.experiment.files import FolderLock
lock = FolderLock(Path(sys.argv[1])); lock.acquire(); print("locked", flush=True); sys.stdin.read()
"""


def test_two_runs_in_one_folder_are_refused_until_the_first_one_is_dead(whole, tiny_dataset):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, whole], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "locked\n"
        (whole / ".state.safetensors.7.tmp").touch()  # the other run may be writing it
        with pytest.raises(files.FolderInUse, match=f"another run is writing to {whole}"):
            storage.resume(whole, "cpu", dataset=tiny_dataset)
        with pytest.raises(files.FolderInUse, match=f"another run is writing to {whole}"):
            storage.start(run.Settings(RECIPE), whole, "cpu", tiny_dataset)
        assert (whole / ".state.safetensors.7.tmp").exists()
        holder.kill()
        holder.wait()
        resumed = storage.resume(whole, "cpu", dataset=tiny_dataset)
    with pytest.raises(files.FolderInUse):  # also within one process
        storage.resume(whole, "cpu", dataset=tiny_dataset)
    finish(resumed)  # releases the folder
    storage.resume(whole, "cpu", dataset=tiny_dataset)


def test_a_run_that_is_refused_leaves_the_folder_free(whole, tiny_dataset):
    with pytest.raises(run.RunError, match="holds a run already") as kept:
        storage.start(run.Settings(RECIPE), whole, "cpu", tiny_dataset)
    (whole / "state.safetensors").rename(whole / "moved")
    (whole / "state.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="damaged") as kept_too:
        storage.resume(whole, "cpu", dataset=tiny_dataset)
    (whole / "moved").rename(whole / "state.safetensors")
    assert storage.resume(whole, "cpu", dataset=tiny_dataset).finished and kept and kept_too


@pytest.mark.parametrize("content", ["precious", '{"seed": 1}', "[]"])
@pytest.mark.parametrize("name", sorted(FILES - {"state.safetensors"}) + ["config.json"])
def test_files_of_something_else_are_not_overwritten(tmp_path, tiny_dataset, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(run.RunError, match=f"{tmp_path} has a {name} but no run, and a new run would overwrite it"):
        storage.start(run.Settings(RECIPE), tmp_path, "cpu", tiny_dataset)
    assert (tmp_path / name).read_text() == content and {*os.listdir(tmp_path)} <= {name, ".lock"}


def test_a_run_that_ended_before_its_first_state_can_be_started_again(tmp_path, tiny_dataset, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        do_at(patch, 2, lambda: 1 / 0)
        go(tmp_path, tiny_dataset)
    assert {*os.listdir(tmp_path)} == {"config.json", ".lock"}
    assert go(tmp_path, tiny_dataset)[0].finished


def test_remains_of_unfinished_writes_are_removed_and_nothing_else(tmp_path, tiny_dataset):
    folder = tmp_path / "run"
    folder.mkdir()
    remains = [".state.safetensors.12345.tmp", ".config.json.12.tmp", *(f".{name}.12.tmp" for name in sorted(FILES))]
    others = {"notes.tmp", ".notes.tmp", "a.12.tmp", ".notes.txt.42.tmp", ".log.csv.copy.42.tmp", ".log.csv.x.tmp"}
    for name in (*remains, *others):
        (folder / name).touch()
    stopped, _ = go(folder, tiny_dataset)
    assert {name for name in os.listdir(folder) if name.endswith(".tmp")} == others
    (folder / remains[0]).touch()
    storage.resume(folder, "cpu", dataset=tiny_dataset)
    assert {name for name in os.listdir(folder) if name.endswith(".tmp")} == others


def test_a_full_disk_names_the_file_and_keeps_the_last_state(tmp_path, tiny_dataset, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        do_at(patch, 8, lambda: patch.setattr(os, "fsync", full))
        with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/run/state.safetensors'") as raised:
            go(tmp_path / "run", tiny_dataset)
    assert raised.value.errno == errno.ENOSPC
    assert not [name for name in os.listdir(tmp_path / "run") if name.endswith(".tmp")]
    assert go_on(tmp_path / "run", tiny_dataset)[0].finished


def test_a_write_below_a_file_names_what_was_to_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as raised:
        files.atomic_write(tmp_path / "file" / "x.onnx", b"")
    assert raised.value.filename == str(tmp_path / "file" / "x.onnx")


def other(array):
    """The array, but for one number."""
    changed = array.copy()
    changed.flat[-1] = (changed.flat[-1] + 1) % 4
    return changed


@pytest.mark.parametrize(
    "name, what",
    [
        ("train_images", "training images"),
        ("train_labels", "training labels"),
        ("test_images", "images to evaluate on"),
        ("test_labels", "labels to evaluate on"),
    ],
)
def test_other_data_are_refused_and_named(whole, tiny_dataset, name, what):
    changed = dataclasses.replace(tiny_dataset, **{name: other(getattr(tiny_dataset, name))})
    with pytest.raises(run.RunError, match=f"tiny data are not those .*started with: different {what}$"):
        storage.resume(whole, "cpu", dataset=changed)


def test_other_class_names_and_mirroring_are_refused(whole, tiny_dataset):
    changed = dataclasses.replace(tiny_dataset, classes=tiny_dataset.classes[::-1], mirror=True)
    with pytest.raises(run.RunError, match="different class names, mirror images$"):
        storage.resume(whole, "cpu", dataset=changed)


@pytest.mark.parametrize("step", [-1, 0, 7, 13, 17, 19, 10**9])  # the run stopped after step 12
def test_an_impossible_step_is_refused(tmp_path, tiny_dataset, monkeypatch, step):
    do_at(monkeypatch, 12, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        go(tmp_path / "run", tiny_dataset)
    resumed = storage.resume(tmp_path / "run", "cpu", dataset=tiny_dataset)
    resumed.step = step
    storage.save(resumed)
    resumed.lock.release()
    with pytest.raises(run.RunError, match=f"impossible: step {step} of 18, 6 to an epoch, 2 epochs in the log and 0"):
        storage.resume(tmp_path / "run", "cpu", dataset=tiny_dataset)


def test_a_state_of_another_version_is_refused(whole, tiny_dataset):
    arrays, about = storage.read_state(whole / "state.safetensors")
    resumed = storage.resume(whole, "cpu", dataset=tiny_dataset)
    resumed.lock.release()
    del about["data_checksums"]
    sums = arrays["epoch_sums"]
    storage.save_state(whole / "state.safetensors", resumed.model, resumed.optimizer, sums, about)
    with pytest.raises(run.RunError, match="another version of resnet_scratch .*data_checksums"):
        storage.resume(whole, "cpu", dataset=tiny_dataset)
