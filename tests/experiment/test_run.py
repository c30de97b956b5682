"""Runs: what they learn, write and say, and the mistakes that are told. Stopped and resumed: `test_resume.py`."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from click.testing import CliRunner
from tiny_run import FILES, RECIPE, go, log, press_ctrl_c_at

from resnet_scratch.cli import main, tools
from resnet_scratch.errors import UserError
from resnet_scratch.experiment import new_folder, run, storage, trainer
from resnet_scratch.experiment.log import LogError, read_log, write_log
from resnet_scratch.experiment.trainer import finish, write_figures
from resnet_scratch.experiment.weights import load_model
from resnet_scratch.layers import BatchNorm2d
from resnet_scratch.train import Step


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
    assert len(lines) == 4 and lines[0].split()[:4] == ["epoch", "train", "loss", "accuracy"]
    assert lines[3].split()[0] == "3/3" and lines[3].split()[4] == f"{evaluation.accuracy:.1%}"
    assert {path.name for path in write_figures(done, evaluation)} == FILES
    assert {path.name for path in done.folder.iterdir()} == FILES | {"config.json", ".lock"}
    assert json.loads((done.folder / "config.json").read_text())["recipe"]["learning_rate"] == 0.05


def test_the_log_has_the_means_of_each_epoch(tmp_path, tiny_dataset, monkeypatch):
    """Losses 0, 1, ..., 17; of 8 images 6 are right in each step, and all in the last of an epoch."""

    def steps(*_):
        for k in range(18):
            yield Step(k + 1, k / 100, np.float32(k), np.int64(8 if k % 6 == 5 else 6))

    monkeypatch.setattr(trainer, "train", steps)
    rows = log(go(tmp_path / "run", tiny_dataset)[0].folder)
    assert [row["train_loss"] for row in rows] == ["2.5", "8.5", "14.5"]
    assert [row["train_accuracy"] for row in rows] == ["0.791667"] * 3  # 38 of 48
    assert [row["learning_rate"] for row in rows] == ["0.05", "0.11", "0.17"]  # of the last step


def test_a_run_may_be_trained_in_another_thread(tmp_path, tiny_dataset):
    """Only the main thread receives signals."""
    with ThreadPoolExecutor(1) as other:
        assert other.submit(go, tmp_path / "run", tiny_dataset).result()[0].finished


def test_the_log_tells_what_the_weights_do(finished, tiny_dataset):
    done, evaluation, _ = finished
    model, about = load_model(done.folder)
    assert about.classes == tiny_dataset.classes and about.step == 18 and about.image_size == (8, 8)
    pixels = tiny_dataset.train_images.reshape(-1, 3) / 255.0  # the normalisation, computed here
    np.testing.assert_allclose(about.mean, pixels.mean(0), rtol=1e-5)
    np.testing.assert_allclose(about.std, pixels.std(0), rtol=1e-5)
    x = ((tiny_dataset.test_images / 255.0 - about.mean) / about.std).astype(np.float32)
    logits = model(x).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    expected = -log_p[np.arange(20), tiny_dataset.test_labels].mean()
    assert evaluation.loss == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("sizes, larger_at, expected", [((), (), 8), ((6,), (), 6), ((6, 7), (0.5,), 7)])
def test_weights_name_the_size_that_the_run_evaluates_at(tmp_path, tiny_dataset, sizes, larger_at, expected):
    recipe = dataclasses.replace(RECIPE, epochs=2, image_sizes=sizes, larger_at=larger_at)
    done, _ = go(tmp_path / "run", tiny_dataset, recipe=recipe)
    assert load_model(done.folder)[1].image_size == (expected, expected)


def test_weights_of_a_run_stopped_among_its_small_images(tmp_path, tiny_dataset, monkeypatch):
    press_ctrl_c_at(monkeypatch, 3)
    stopped, _ = go(
        tmp_path / "run", tiny_dataset, recipe=dataclasses.replace(RECIPE, image_sizes=(6, 7), larger_at=(0.5,))
    )
    assert load_model(stopped.folder)[1].image_size == (6, 6)


def test_evaluate_computes_what_the_run_computed(tmp_path, tiny_dataset, monkeypatch):
    """With the same size of the images, and with flips if the run has them."""
    dataset = dataclasses.replace(tiny_dataset, mirror=True)
    monkeypatch.setattr(tools, "load", lambda *_, **__: dataset)
    recipe = dataclasses.replace(RECIPE, epochs=1, image_sizes=(6,), flip_in_evaluation=True)
    done, evaluation = go(tmp_path / "run", dataset, recipe=recipe)

    def output(*options):
        printed = CliRunner().invoke(main, ["evaluate", str(done.folder), "--device", "cpu", *options]).output
        return " ".join(printed.split())  # its first line is wrapped

    accuracy, loss = f"{evaluation.accuracy:.2%}", f"{evaluation.loss:.4f}"
    assert f"20 test images and their mirror images: accuracy {accuracy}, loss {loss}" in output()
    assert output("--flip") == output()
    assert "20 test images: accuracy" in output("--no-flip") and loss not in output("--no-flip")


def test_a_log_that_cannot_be_replaced_is_no_end_of_a_run(tmp_path, finished, monkeypatch):
    def refuse(path, content):
        raise PermissionError(13, "Permission denied", str(path))  # Windows, while a spreadsheet has it open

    with monkeypatch.context() as patch, pytest.warns(UserWarning, match="log.csv is not up to date: Permission"):
        patch.setattr("resnet_scratch.experiment.log.atomic_write", refuse)
        write_log(tmp_path, finished[0].history)
    write_log(tmp_path, finished[0].history)
    assert len(read_log(tmp_path)) == 3
    assert read_log(str(tmp_path)) == read_log(tmp_path / "log.csv") == read_log(tmp_path)


def test_the_same_seed_gives_the_same_run_and_another_seed_another(finished, tmp_path, tiny_dataset):
    again, _ = go(tmp_path / "again", tiny_dataset)
    other, _ = go(tmp_path / "other", tiny_dataset, seed=1)
    weights = [(r.folder / "model.safetensors").read_bytes() for r in (finished[0], again, other)]
    assert weights[0] == weights[1] != weights[2]
    assert log(finished[0].folder) == log(again.folder) != log(other.folder)


def test_a_recipe_with_groups_sets_them_in_every_batch_norm(finished, tmp_path, tiny_dataset):
    """Also in a run that is resumed."""
    done, _ = go(tmp_path / "run", tiny_dataset, recipe=dataclasses.replace(RECIPE, batch_norm_group=4))
    again = storage.resume(done.folder, "cpu", dataset=tiny_dataset)
    for ours in (done, again):
        groups = [layer.group for _, layer in ours.model.named_layers() if isinstance(layer, BatchNorm2d)]
        assert groups == [4] * 7  # resnet8: one in the stem, 2 in each of 3 blocks
    assert log(done.folder) != log(finished[0].folder)


def test_a_data_set_may_be_on_the_device_already(tmp_path, tiny_dataset, device):
    there = storage.start(run.Settings(RECIPE), tmp_path / "a", device, tiny_dataset.to(device))
    here = storage.start(run.Settings(RECIPE), tmp_path / "b", device, tiny_dataset)
    assert there.data_checksums == here.data_checksums


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
    assert "val loss" in lines[0]


def test_processes_may_have_the_same_data_in_different_folders_but_no_other_data(tmp_path, tiny_dataset):
    def identity(name, dataset):
        settings = run.Settings(dataclasses.replace(RECIPE, dataset=name), data_dir=f"/{name}")
        return run.build_run(settings, run.FolderLock(tmp_path), "cpu", dataset).identity()

    here = identity("/home/here/photos", tiny_dataset)
    assert identity("/home/there/photos", tiny_dataset) == here
    other = dataclasses.replace(tiny_dataset, train_labels=tiny_dataset.train_labels[::-1].copy())
    for dataset in (other, dataclasses.replace(tiny_dataset, classes=tuple("abcd"))):
        there = identity("/home/here/photos", dataset)
        assert {name for name in here if there[name] != here[name]} == {"data"}


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
    monkeypatch.setattr(new_folder.time, "strftime", lambda form: "20200101-000000")
    folders = [storage.start(run.Settings(RECIPE), None, "cpu", tiny_dataset).folder.as_posix() for _ in range(2)]
    assert folders == ["runs/tiny-resnet8-20200101-000000", "runs/tiny-resnet8-20200101-000000-2"]
