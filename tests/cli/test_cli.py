from __future__ import annotations

import csv
import dataclasses
import errno
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from in_process import TRAIN, is_one_message
from PIL import Image

from resnet_scratch import data
from resnet_scratch.cli import main, options, tools
from resnet_scratch.compute import backend
from resnet_scratch.experiment import checkpoint, evaluation, log, trainer
from resnet_scratch.experiment.recipe import RECIPES
from resnet_scratch.experiment.weights import load_model, save_model
from resnet_scratch.gradcheck import Report, TensorCheck
from resnet_scratch.layers import ReLU
from resnet_scratch.optim import SGD
from resnet_scratch.verify import cases


def width(path: str) -> int:
    with Image.open(path) as image:
        return image.width


def test_train_says_what_it_does_and_where_things_are(trained, tmp_path):
    with open("run/log.csv", newline="") as file:
        last = list(csv.DictReader(file))[-1]
    assert "48 images to train on, 20 test images, 4 classes" in trained
    assert "18 steps of 8 images" in trained and "results go to run\n" in trained
    assert f"Final test accuracy {float(last['test_accuracy']):.2%}" in trained
    written = trained.split("Written:\n")[1].split()
    assert len(written) == 7 and all((tmp_path / path).stat().st_size > 0 for path in written)
    assert "\r" not in trained  # no progress bar where there is no terminal


def test_train_takes_another_optimizer_than_the_recipe_s(invoke):
    result = invoke(*TRAIN, "--epochs", 1, "--optimizer", "adam", "--momentum", 0.5, "--weight-decay", 0.01)
    assert result.exit_code == 0, result.output
    with open("run/config.json") as file:
        recipe = json.load(file)["recipe"]
    assert (recipe["optimizer"], recipe["learning_rate"], recipe["epochs"]) == ("adam", 0.05, 1)
    assert (recipe["momentum"], recipe["weight_decay"]) == (0.5, 0.01)
    assert is_one_message(invoke("train", "--optimizer", "lion"), "--optimizer", "lion", "adam")


def test_evaluate_agrees_with_the_log(trained, invoke):
    accuracy = trained.split("Final test accuracy ")[1].split("%")[0]
    for weights in ("run", "run/model.safetensors"):
        result = invoke("evaluate", weights)
        assert result.exit_code == 0 and f"resnet8 on tiny, 20 test images: accuracy {accuracy}%" in result.output


def test_evaluate_shows_that_only_one_class_is_ever_answered(trained, invoke, tiny_dataset, monkeypatch):
    model, about = load_model("run")
    model.fc.weight.value[:], model.fc.bias.value[:] = 0, np.eye(4)[2]
    save_model("run/model.safetensors", model, about)
    rows = [line.split() for line in invoke("evaluate", "run").output.splitlines()[1:]]
    assert rows[0] == ["class", "images", "accuracy"] and len(rows) == 5
    assert [row[-1] for row in rows[1:]] == ["0.0%", "0.0%", "100.0%", "0.0%"]
    assert sum(int(row[-2]) for row in rows[1:]) == 20
    monkeypatch.setattr(tools, "MOST_CLASSES", 3)
    monkeypatch.setattr(tools, "WORST", 2)
    heading, *worst = invoke("evaluate", "run").output.splitlines()[1:]
    assert heading.startswith("worst 2 of 4 classes  ") and [row.split()[-1] for row in worst] == ["0.0%", "0.0%"]


def test_predict_names_what_is_in_image_files(trained, invoke, tiny_dataset, tmp_path):
    image = np.zeros((40, 60, 4), np.uint8)  # another size and shape, with transparency
    image[...] = 0, 200, 0, 255
    image[:, 10:50] = 200, 50, 50, 255  # the middle 40 x 40, which is what is looked at
    Image.fromarray(image).save("wide.png")
    Image.fromarray(tiny_dataset.train_images[0]).save("image.bmp")
    result = invoke("predict", "run", "wide.png", "image.bmp", "--top", 2)
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert first.startswith("wide.png: red ")
    assert second.startswith("image.bmp: ") and second.count("%") == 2


@pytest.fixture
def send(monkeypatch):
    """`send(signal, step)` sends the signal while that step's batch (from 0) is being prepared, in the next command."""
    batches = data.training_batches
    before = {name: signal.getsignal(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGHUP")}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background

    def arrange(number: int, step: int) -> None:
        def sending(*arguments, **keywords):
            monkeypatch.setattr(data, "training_batches", batches)
            for k, batch in enumerate(batches(*arguments, **keywords)):
                if k == step:
                    signal.raise_signal(number)
                yield batch

        monkeypatch.setattr(data, "training_batches", sending)

    for name in ("SIGTERM", "SIGHUP"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    yield arrange
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.parametrize("name, status", [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_says_how_to_go_on_and_resume_does(invoke, send, name, status):
    send(getattr(signal, name), 9)
    result = invoke(*TRAIN)
    assert result.exit_code == status
    assert "Stopped after step 10 of 18" in result.output
    command = result.output.strip().splitlines()[-1].split()
    assert command == ["resnet-scratch", "train", "--resume", "run"]
    assert is_one_message(invoke(*command[1:], "--seed", 3), "--resume", "--seed")
    result = invoke(*command[1:])
    assert result.exit_code == 0 and "after step 10 of 18" in result.output and "\n  3/3  " in result.output


def test_a_full_disk_ends_with_the_command_that_continues_where_there_is_something_to_continue(invoke, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(log, "atomic_write", full)  # the state is written before the log
        result = invoke(*TRAIN)
        patch.setattr(checkpoint, "atomic_write", full)
        nothing = invoke(*TRAIN, "--run-dir", "other")
    assert result.exit_code == nothing.exit_code == 2
    assert "\nError: run/log.csv: No space left. " in result.output
    assert nothing.output.endswith("\nError: other/state.safetensors: No space left\n")
    command = result.output.strip().splitlines()[-1].split()
    assert command == ["resnet-scratch", "train", "--resume", "run"]
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "atomic_write", full)  # the figures are written last
        result = invoke(*command[1:])
    assert result.exit_code == 2 and "after step 6 of 18" in result.output and "\n  3/3  " in result.output
    assert result.output.strip().splitlines()[-1].split() == command
    result = invoke(*command[1:])
    assert result.exit_code == 0 and "after step 18 of 18" in result.output and "run/curves.png" in result.output


def test_a_printed_command_calls_the_program_as_it_was_called(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [".venv/bin/resnet-scratch", "train"])
    assert options.program() == ".venv/bin/resnet-scratch"  # not on the PATH
    monkeypatch.setattr(sys, "argv", ["/somewhere/resnet_scratch/__main__.py", "train"])
    assert options.program() == f"{sys.executable} -m resnet_scratch"
    monkeypatch.setattr(shutil, "which", lambda name: str(tmp_path / "resnet-scratch.exe"))
    for folder, expected in ((tmp_path, "resnet-scratch"), ("other", "other/resnet-scratch")):
        monkeypatch.setattr(sys, "argv", [f"{folder}/resnet-scratch", "train"])  # Windows leaves .exe out
        assert options.program() == expected


def test_a_closed_terminal_stops_the_run_and_nothing_more_is_printed(invoke, send):
    send(signal.SIGHUP, 9)
    result = invoke(*TRAIN)
    assert result.exit_code == 129 and "Stopped" not in result.output
    assert "Continuing run\nafter step 10 of 18" in invoke("train", "--resume", "run").output


def test_numbers_that_are_no_longer_finite_are_one_line(invoke, monkeypatch):
    monkeypatch.setattr(SGD, "step", lambda self, rate: self.parameters[0].value.fill(np.nan))
    result = invoke(*TRAIN)
    assert result.exit_code == 2
    message = " ".join(result.output[result.output.index("Error: ") :].split())
    assert message.startswith("Error: the loss has not been finite since step 2 (learning rate 0.0")


def test_a_folder_s_name_must_not_be_empty(invoke, tmp_path):
    for option in ("--run-dir", "--resume"):
        assert is_one_message(invoke("train", option, ""), option, "empty")
    assert not list(tmp_path.iterdir())


def test_the_best_weights_are_a_file_to_use(trained, invoke):
    assert "20 test images: accuracy" in invoke("evaluate", "run/best.safetensors").output


def test_what_a_recipe_should_reach_is_said_of_the_whole_recipe_only(invoke, monkeypatch):
    short = dataclasses.replace(RECIPES["shapes"], epochs=1, batch_size=8, expect="a third")
    monkeypatch.setitem(RECIPES, "shapes", short)
    assert "This recipe should reach: a third\n" in invoke("train", "--run-dir", "all").stdout
    assert "should reach" not in invoke("train", "--validation", 8, "--run-dir", "fewer").stdout
    assert "should reach" not in invoke("train", "--epochs", 2, "--run-dir", "longer").stdout


def test_compare_says_in_what_runs_differ_and_which_it_leaves_out(trained, invoke, tmp_path):
    other = [{"run": "other", 0.05: 0.01, 3: 1}.get(word, word) for word in TRAIN]
    assert invoke(*other, "--validation", 8).exit_code == 0
    (tmp_path / "begun").mkdir()
    shutil.copy("run/config.json", "begun")
    (tmp_path / "empty").mkdir()
    result = invoke("compare", "run", "other", "begun", "empty")
    assert result.exit_code == 0
    heading, *_, epochs, rate, validation, written = result.stdout.splitlines()
    assert heading.split() == "run epoch train error test or validation error".split()
    assert (epochs, rate) == ("epochs: 3 in run; 1 in other", "learning_rate: 0.05 in run; 0.01 in other")
    assert validation == "validation: 0 in run; 8 in other" and written == "Written: compare.png"
    assert result.stderr.startswith("Left out: begun has no finished epoch yet; empty is not the folder of a run")
    assert "  validation error\n" in invoke("compare", "other").stdout
    assert is_one_message(invoke("compare", "begun"), "begun has no finished epoch yet")


def test_compare_says_that_a_run_changed_its_length(trained, invoke):
    assert invoke("train", "--resume", "run", "--epochs", 4).exit_code == 0
    straight = [{"run": "straight", 3: 4}.get(word, word) for word in TRAIN]
    assert invoke(*straight).exit_code == 0
    differences = invoke("compare", "run", "straight").stdout.splitlines()
    assert "length: changed on the way in run; as planned in straight" in differences


def test_compare_needs_no_settings(trained, invoke):
    shutil.copytree("run", "bare")
    Path("bare/config.json").unlink()
    for runs in (("bare", "run"), ("run", "bare")):
        assert len(invoke("compare", *runs).stdout.splitlines()) == 4  # a heading, two runs, the figure's name


def test_compare_draws_runs(trained, invoke, tmp_path):
    result = invoke("compare", "run", "run", "--out", "both.png")
    assert result.exit_code == 0 and result.output.count("train error") == 1
    assert width("both.png") > 600
    assert is_one_message(invoke("compare", "run", "nowhere"), "nowhere", "does not exist")
    Path("empty").mkdir()
    assert is_one_message(invoke("compare", "empty"), "no log.csv")
    assert "Written: figure.png\n" in invoke("compare", "run", "--out", "figure").output and width("figure.png") > 600
    for command in (("compare", "nowhere", "--out"), ("data", "--sheet")):
        wrong = invoke(*command, "figure.xyz")
        assert is_one_message(wrong, "must end in one of", ".png", ".pdf", "got 'figure.xyz'")


def test_data_counts_the_classes_and_draws_a_sheet(invoke, tiny_dataset):
    result = invoke("data", "--sheet", "sheet.png")
    assert result.exit_code == 0, result.output
    assert "48 training and 20 test images\n8 x 8 pixels" in result.output
    row = next(line for line in result.output.splitlines() if "light grey" in line)
    assert row.split()[-2:] == [
        str(list(tiny_dataset.train_labels).count(3)),
        str(list(tiny_dataset.test_labels).count(3)),
    ]
    assert width("sheet.png") > 300


def test_summary_counts_the_known_parameters(invoke):
    result = invoke("summary", "resnet20")
    assert result.exit_code == 0 and "269,722" in result.output and "training step of 128 images" in result.output


@pytest.mark.parametrize("problem, status", [("", 0), ("wrong", 1)])
def test_gradcheck_prints_a_table_and_fails_when_a_gradient_is_wrong(invoke, monkeypatch, problem, status):
    def check(device, seed, show):
        report = Report([TensorCheck("input", (2, 3), 1e-9, "(0, 0)", 6, problem=problem)])
        show("Linear", report)
        return report.passed

    monkeypatch.setattr(cases, "check_cases", check)
    result = invoke("gradcheck")
    assert result.exit_code == status
    assert ("FAILED" in result.output) == bool(status) and "Linear" in result.output


def test_the_table_of_gradcheck_is_in_line(invoke, monkeypatch):
    def check(device, seed, show):
        for name, *_ in cases.cases(np.random.default_rng(0)):
            show(name, Report([TensorCheck("input", (2, 3), 1e-9, "(0, 0)", 6)]))
        return True

    monkeypatch.setattr(cases, "check_cases", check)
    table = invoke("gradcheck").output.splitlines()[:-1]
    assert len(table) > 20 and len({line.index("e-09") for line in table[1:]}) == 1
    assert table[0].endswith("error") and len(table[0]) == len(table[1].removesuffix("  ok"))


def test_ctrl_c_is_no_wrong_gradient(invoke, monkeypatch):
    def press_ctrl_c(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cases, "check_cases", press_ctrl_c)
    assert invoke("gradcheck").exit_code == 130


@pytest.mark.parametrize(
    "arguments, parts",
    [
        (("train", "--model", "resnt20"), ("resnt20", "did you mean resnet20")),
        (("train", "--recipe", "papr"), ("papr", "paper")),
        (("train", "--epochs", "0"), ("--epochs", "0")),
        (("train", "--batch-size", "1000"), ("--batch-size must be at most", "48", "1000")),
        (("train", "--device", "tpu"), ("device", "tpu")),
        (("train", "--resume", "nowhere"), ("nowhere", "resume")),
        (("evaluate", "nowhere.safetensors"), ("no such file", "nowhere.safetensors")),
        (("predict", "nowhere.safetensors", "cat.png"), ("no such file",)),
        (("summary", "resnet"), ("resnet",)),
        (("summary",), ("MODEL",)),
        (("trian",), ("trian",)),
    ],
)
def test_a_users_mistake_is_one_message(invoke, arguments, parts):
    assert is_one_message(invoke(*arguments), *parts), invoke(*arguments).output


def test_a_file_that_is_no_image_is_one_message(trained, invoke, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert is_one_message(invoke("predict", "run", "notes.txt"), "notes.txt", "image")
    assert is_one_message(invoke("predict", "run", "missing.png"), "missing.png")
    (tmp_path / "run" / "model.safetensors").write_bytes(b"nonsense")
    assert is_one_message(invoke("evaluate", "run"), "damaged")


def test_predict_takes_folders_in_batches_and_one_bad_file_stops_nothing(trained, invoke, tmp_path, monkeypatch):
    (tmp_path / "album").mkdir()
    for k in range(7):
        Image.new("RGB", (8, 8), (200, 30 * k, 0)).save(f"album/{k}.png")
    (tmp_path / "album" / "3.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0")
    (tmp_path / "album" / "9\x1b[2J.gif").write_bytes(b"")
    sizes = []
    real = tools.predict
    monkeypatch.setattr(tools, "predict", lambda model, x, *rest: sizes.append(len(x)) or real(model, x, *rest))
    monkeypatch.setattr(evaluation, "PIXELS_AT_ONCE", 3 * 8 * 8)
    result = invoke("predict", "run", "album", "missing.png", "--top", 1)
    assert result.exit_code == 2 and sizes == [3, 2, 1]
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [f"album/{k}.png" for k in (0, 1, 2, 4, 5, 6)]
    errors = result.stderr.replace("\n  ", " ").splitlines()  # each in one line, as it was before it was wrapped
    assert len(errors) == 3 and all(line.startswith("Error: ") for line in errors) and "\x1b" not in result.output
    assert all(name in line for name, line in zip(("3.png", "9\\x1b[2J.gif", "missing.png"), errors))


def test_evaluate_remembers_where_the_data_are(trained, invoke, tmp_path, tiny_dataset, monkeypatch):
    asked = []
    monkeypatch.setattr(
        tools, "load", lambda name, data_dir, image_size: asked.append((name, data_dir)) or tiny_dataset
    )
    settings = json.loads((tmp_path / "run" / "config.json").read_text())
    (tmp_path / "run" / "config.json").write_text(json.dumps({**settings, "data_dir": "/data/here"}))
    monkeypatch.setitem(tools.CLASSES, "cifar10", tiny_dataset.classes)
    for arguments in ((), ("--data-dir", "there"), ("--data", "cifar10")):
        assert invoke("evaluate", "run/model.safetensors", *arguments).exit_code == 0
    assert asked == [("tiny", "/data/here"), ("tiny", Path("there")), ("cifar10", None)]


def test_evaluate_does_not_fetch_data_of_other_classes(trained, invoke, monkeypatch):
    monkeypatch.setattr(tools, "load", lambda *_, **__: pytest.fail("it was loaded"))
    result = invoke("evaluate", "run", "--data", "cifar10")
    assert is_one_message(result, "run is for the 4 classes red, green, blue, light grey; cifar10 has the 10 classes "
                          "airplane, automobile, bird, cat, ...")  # fmt: skip


def test_evaluate_names_the_classes_of_both(trained, invoke, tiny_dataset, monkeypatch):
    other = dataclasses.replace(tiny_dataset, name="/my/photos", classes=("c" * 58, "b", "e", "d"))
    monkeypatch.setattr(tools, "load", lambda *_, **__: other)
    assert is_one_message(invoke("evaluate", "run"), "/my/photos has the 4 classes cccccccccc\u2026ccccccccc, b, e, d")


def test_data_aligns_and_shortens_names(invoke, tiny_dataset, monkeypatch):
    names = ("\u732b", "a class with a name of 30 chars", "x" * 99, "d")
    monkeypatch.setattr(tools, "load", lambda *_, **__: dataclasses.replace(tiny_dataset, classes=names))
    rows = invoke("data").output.splitlines()[-4:]
    assert [len(row) + row.count("\u732b") for row in rows] == [77] * 4 and names[1] in rows[1]


def test_a_mistake_of_ours_keeps_its_traceback(invoke, monkeypatch):
    monkeypatch.setattr(tools, "load", lambda *_, **__: 1 / 0)
    assert isinstance(invoke("data").exception, ZeroDivisionError)


@pytest.mark.parametrize("command", [(), *((name,) for name in main.commands)])
def test_every_command_explains_itself(invoke, command):
    result = invoke(*command, "--help")
    assert result.exit_code == 0 and "Usage: " in result.output and "--help" in result.output


def test_python_dash_m_is_the_same_command():
    result = subprocess.run([sys.executable, "-m", "resnet_scratch", "--version"], capture_output=True, text=True)
    assert result.stdout.startswith("resnet-scratch, version ")


def test_exercises(invoke, tmp_path):
    result = invoke("exercises", tmp_path / "mine", "--chapter", 6)
    assert result.exit_code == 0 and "ch06_residual_connection.py" in result.output
    assert "your turn" in (tmp_path / "mine" / "ch06_residual_connection.py").read_text()
    again = invoke("exercises", tmp_path / "mine", "--chapter", 6)
    assert again.exit_code == 0 and "unchanged: README.md" in again.output
    wrong = invoke("exercises", tmp_path / "mine", "--chapter", 60)
    assert is_one_message(wrong, "chapter must be one of")


def test_grade(invoke, tmp_path):
    answer = tmp_path / "hand-ins" / "anna" / "my-answers" / "task_12_1.py"
    answer.parent.mkdir(parents=True)
    answer.write_text("1 / 0")
    shown = invoke("grade", "hand-ins/anna")
    assert shown.exit_code == 0 and "anna, task 12.1: error\n" in shown.output and "line 1:\n" in shown.output
    assert "\nstudent  right  12\nanna         0  !?" in shown.output
    written = invoke("grade", "hand-ins/anna", "--out", "marks/grades.csv")
    assert written.exit_code == 0 and "ZeroDivisionError" not in written.output
    assert "anna,0,error,missing" in (tmp_path / "marks" / "grades.csv").read_text()
    assert "ZeroDivisionError" in (tmp_path / "marks" / "grades-messages.txt").read_text()
    assert is_one_message(invoke("grade", "hand-ins/ben"), "'hand-ins/ben' does not exist")
    assert is_one_message(invoke("grade", "hand-ins/anna", "--seconds", 0), "'--seconds'", "x>0")


def test_break(invoke):
    listed = invoke("break")
    assert listed.exit_code == 0 and "add-forgets-shortcut" in listed.output
    caught = invoke("break", "add-forgets-shortcut")
    assert caught.exit_code == 0 and "input 1" in caught.output and "caught by 1 gradient checks" in caught.output
    assert is_one_message(invoke("break", "ad"), "there is no mistake 'ad'")


def test_crosscheck_tells_where_two_devices_begin_to_differ(invoke, gpu, monkeypatch):
    result = invoke("crosscheck", "resnet8", "--device", "cuda")
    assert result.exit_code == 0 and "cuda:0 and cpu agree" in result.output.splitlines()[-1]
    right = ReLU.forward
    wrong = lambda self, x, training=False: right(self, x if isinstance(x, np.ndarray) else x + 1)  # noqa: E731
    monkeypatch.setattr(ReLU, "forward", wrong)
    result = invoke("crosscheck", "resnet8", "--device", "cuda")
    assert result.exit_code == 1 and result.output.splitlines()[-1].endswith("first in the forward of relu")
    result = invoke("crosscheck", "--device", "cpu")
    assert result.exit_code == 2 and "--device and --against are both cpu" in result.output


def test_auto_says_which_gpu_it_takes_or_why_none(invoke, standin, monkeypatch):
    assert invoke("gradcheck", "--device", "auto", "--help").exit_code == 0
    monkeypatch.setattr("resnet_scratch.verify.cases.check_cases", lambda device, seed, show: device == "cuda:0")
    result = invoke("gradcheck", "--device", "auto")
    assert result.exit_code == 0 and "device: cuda:0 (Stand-in, 16.0 GB)" in result.stderr
    monkeypatch.setattr(standin.cuda.runtime, "getDeviceCount", lambda: 0)
    backend._look_for_gpus.cache_clear()
    assert "device: cpu, not a GPU: CuPy finds no GPU" in invoke("gradcheck", "--device", "auto").stderr


def test_doctor_s_verdict_is_its_exit_status(invoke, monkeypatch):
    for lines, status in ((["all is well"], 0), (["fine", "  this is WRONG: so"], 1)):
        monkeypatch.setattr("resnet_scratch.cli.devices.examine", lambda lines=lines: iter(lines))
        result = invoke("doctor")
        assert result.exit_code == status and result.output.splitlines() == lines
