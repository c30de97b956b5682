"""What a user of a terminal of 80 columns sees, completes with <TAB>, and pastes."""

from __future__ import annotations

import dataclasses
import shlex
import signal
import sys

import numpy as np
import pytest
from click.shell_completion import ShellComplete
from in_process import TRAIN, is_one_message
from PIL import Image

from resnet_scratch.cli import devices, main, options, tools
from resnet_scratch.cli.failures import one_line
from resnet_scratch.measure import bench
from resnet_scratch.models import NAMES
from resnet_scratch.verify import cases, doctor
from resnet_scratch.verify.mistakes import MISTAKES

LONGEST = max((case.name for case in cases.cases(np.random.default_rng(0))), key=len)


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def fits(result) -> bool:
    """Whether something was printed, and every line of it has at most 80 columns."""
    lines = result.output.splitlines()
    assert lines and isinstance(result.exception, (SystemExit, type(None))), result.output
    assert [line for line in lines if len(line) > 80] == []
    return True


@pytest.mark.parametrize("command", [(), *((name,) for name in main.commands)], ids=str)
def test_every_help_fits(invoke, command):
    result = invoke(*command, "--help")
    assert fits(result) and result.exit_code == 0


def test_a_training_fits_and_so_does_what_uses_it(invoke, tmp_path):
    folder = "runs/cifar10-fast-resnet20-20261124-190000"
    train = ("--batch-size", 8, "--device", "cpu", "--validation", 8, "--model", "resnet8", "--run-dir", folder)
    assert fits(invoke("train", "--epochs", 1, *train))
    longer = invoke("train", "--resume", folder, "--epochs", 2)
    assert fits(longer) and longer.exit_code == 0
    Image.new("RGB", (8, 8)).save("a.png")
    for command in (
        ("compare", folder),
        ("evaluate", folder),
        ("predict", folder, "a.png"),
        ("import", f"{folder}/model.safetensors", "--normalisation", "cifar10", "--out", "imported"),
        ("data",),
        ("exercises", "mine"),
        ("exercises", "mine"),  # all files exist
        ("grade", "mine", "--chapter", 0),
    ):
        result = invoke(*command)
        assert result.exit_code == 0 and fits(result), result.output


@pytest.mark.parametrize(
    "command",
    [
        ("summary", "preact110", "--image-size", 64, "--batch-size", 10_000),
        ("summary", "article-relu-after-add"),
        ("bench", "article-relu-after-add", "--batch-size", 2, "--image-size", 16, "--repeats", 1, "--layers"),
        ("break",),
        ("break", "cross-entropy-not-averaged"),
        ("crosscheck", "preact14", "--device", "cuda"),
        ("crosscheck", "preact14", "--device", "cuda", "--float32"),
    ],
    ids=lambda command: " ".join(map(str, command)),
)
def test_tables_fit(invoke, gpu, command, monkeypatch):
    monkeypatch.setattr(bench, "sgemm_peak", lambda device: 1e11)
    assert fits(invoke(*command))


def test_the_gradient_check_and_the_doctor_fit(invoke, monkeypatch):
    check = cases.check_cases
    monkeypatch.setattr(cases, "check_cases", lambda *arguments: check(*arguments, names=(LONGEST,)))
    result = invoke("gradcheck", "--verbose")
    assert LONGEST in result.output and fits(result)
    versions = ["numpy 2.4.1"] * 20
    monkeypatch.setattr(devices, "examine", lambda: iter([f"  {doctor.WRONG}: {', '.join(versions)}"]))
    assert fits(invoke("doctor"))


@pytest.mark.parametrize(
    "command",
    [
        ("summary", "resnt20"),
        ("train", "--recipe", "cifar"),
        ("train", "--data", "nowhere"),
        ("train", "--optimizer", "lion"),
        ("break", "relu"),
        ("crosscheck", "--device", "cuda"),
        ("evaluate", "nowhere.safetensors"),
    ],
    ids=" ".join,
)
def test_errors_fit(invoke, command):
    result = invoke(*command)
    assert fits(result) and is_one_message(result)


def test_the_accuracy_on_many_images_with_a_long_name_fits(trained, invoke, tiny_dataset, monkeypatch):
    dataset = dataclasses.replace(tiny_dataset, name="/home/a-user/some photographs of mine", mirror=True)
    monkeypatch.setattr(tools, "load", lambda *_, **__: dataset)
    result = invoke("evaluate", "run", "--flip")
    assert (
        result.exit_code == 0 and fits(result) and "images and their mirror images: accuracy" in one_line(result.output)
    )


def test_a_wrong_name_is_answered_with_similar_names_and_then_all(invoke):
    message = " ".join(invoke("train", "--model", "resnt20").output.split())
    similar, _, all_names = message.partition("There are: ")
    assert "there is no model 'resnt20'; did you mean resnet20, " in similar
    families = [family.split(", ") for family in all_names.split("; ")]
    letters = [family[0].rstrip("0123456789") for family in families]
    assert letters == ["resnet", "plain", "preact", "resnet8-wide", "resnet", "article", "article-relu-after-add"]
    listed = [first for first, *_ in families]
    listed += [name + depth for name, (_, *depths) in zip(letters, families) for depth in depths]
    assert sorted(listed) == sorted(NAMES)
    for command in ("train", "summary", "bench", "crosscheck"):
        assert "  resnet8, 14, 20, 32, 44, 56, 110, 1202\n" in invoke(command, "--help").output
    assert is_one_message(invoke("break", "relu-in-plaice"), "did you mean relu-in-place")
    assert is_one_message(invoke("train", "--data", "shape"), "did you mean shapes", "or a folder that exists")
    assert is_one_message(invoke("train", "--recipe", "xyz"), "no recipe 'xyz'. There are: shapes, ")


def completed(*words: str) -> list[str]:
    *before, incomplete = words
    found = ShellComplete(main, {}, "resnet-scratch", "_RESNET_SCRATCH_COMPLETE").get_completions(before, incomplete)
    return [item.value if item.type == "plain" else f"{item.type}: {item.value}" for item in found]


def test_tab_completes_names():
    assert completed("train", "--model", "preact1") == ["preact14", "preact110", "preact1202"]
    assert completed("summary", "resnet15") == completed("bench", "resnet15") == ["resnet152"]
    assert completed("train", "--recipe", "pap") == ["paper", "paper110"]
    assert completed("train", "--data", "sh") == completed("data", "--data", "sh") == ["shapes"]
    assert completed("evaluate", "run", "--data", "./my") == ["dir: ./my"]  # then the shell completes folders
    assert completed("break", "relu-") == [name for name in MISTAKES if name.startswith("relu-")]
    assert len(completed("break", "relu-")) == 3
    assert "--momentum" in completed("train", "--m") and completed("su") == ["summary"]
    assert completed("train", "--resume", "ru") == ["dir: ru"]


@pytest.mark.parametrize(
    "option, value, why",
    [
        ("--lr", "0", "x>0"),
        ("--lr", "inf", "finite"),
        ("--lr", "abc", "'abc' is not a valid number"),
        ("--momentum", "1", "0<=x<1"),
        ("--momentum", "nan", "finite"),
        ("--weight-decay", "-0.1", "x>=0"),
        ("--seed", "-1", "x>=0"),
        ("--batch-size", "many", "'many' is not a valid integer"),
    ],
)
def test_numbers_out_of_range_are_refused_by_their_option(invoke, option, value, why):
    assert is_one_message(invoke("train", option, value), f"'{option}'", why)


def test_a_run_is_extended_and_says_what_that_means(trained, invoke, tmp_path):
    result = invoke("train", "--resume", "run", "--epochs", 5)
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    # one_cycle over 30 steps is highest, 0.05, at step 9 (from 0), and a thousandth of it at step 29; step 18 is 9 / 20
    # of the way: 0.05 * (1 - 0.999 * 9 / 20) = 0.0275
    assert "after step 18 of 30 It had 18 steps. From step 19 on, the learning rate is that of the one_cycle" in said
    assert "schedule over 30 steps, 0.0275 at first." in said
    assert "  5/5  " in result.output and "  3/5  " not in result.output
    assert is_one_message(invoke("train", "--resume", "run", "--epochs", 4), "epochs must be at least 5", "got 4")
    assert is_one_message(invoke("train", "--resume", "run", "--lr", 1), "keeps the run's settings; leave out --lr")


def test_a_hint_can_be_pasted(invoke, gpu, monkeypatch):
    monkeypatch.setattr(options, "program", lambda: "the/program")
    monkeypatch.setattr(sys.modules["resnet_scratch.cli.train"], "finish", lambda run, echo: signal.SIGINT)
    stopped = invoke(*TRAIN[:-1], "my run").output.splitlines()[-1]
    assert shlex.split(stopped) == ["the/program", "train", "--resume", "my run"]
    refused = invoke("bench", "resnet8", "--device", "cuda", "--memory")
    assert refused.exit_code == 2
    hint = shlex.split(refused.output.splitlines()[-1])
    assert hint == ["the/program", "summary", "resnet8", "--batch-size", "128"]
    *_, folder, tests = invoke("exercises", "my answers").output.splitlines()
    assert shlex.split(folder) == ["cd", "my answers"] and shlex.split(tests) == [sys.executable, "-m", "pytest"]
