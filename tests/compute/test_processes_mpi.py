"""Processes that share every batch, as mpiexec starts them: the same bits, and all end together."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from in_processes import MPIEXEC, together

sys.path.append(str(Path(__file__).parents[1] / "experiment"))  # for what a run's files must be
from tiny_run import assert_same_files

pytestmark = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason="mpi4py or mpiexec is not installed"
)


def printed(number, *arguments, **environment):
    result = together(number, *arguments, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("values, expected", [
    # by hand, in float32, where numbers near 1e8 are multiples of 8
    ([1e8, -1e8], "0.0 2"),
    ([1e8, 1, -1e8, 1], "0.0 4"),  # (1e8 + 1) + (-1e8 + 1) = 1e8 - 1e8; one after another it would be 1
    ([1e8, -1e8, 1, 1], "2.0 4"),  # with the even and the odd ones apart it would be 0
    ([1e8, -1e8, 3, 1e8, 5, -1e8, 7, 11], "24.0 8"),
    ([1e8, 1, -1e8], "1.0 3"),  # number 2 gives its value to number 0 first
])  # fmt: skip
def test_a_sum_is_that_of_the_tree_in_every_process(values, expected):
    lines = printed(len(values), "tree", *values).splitlines()
    assert lines == [f"{expected} float32"] * len(values)


def test_another_library_s_mpiexec_is_an_error_not_two_runs_of_one_process():
    result = together(2, "tree", 1, 2, OMPI_COMM_WORLD_SIZE="4")
    assert result.returncode != 0 and "has started 4 processes, mpi4py sees 2" in result.stderr


@pytest.mark.parametrize("batch_size, numbers", [(64, (1, 2, 4, 8)), (48, (2,)), (16, (2,))])
def test_the_weights_are_those_of_one_process_to_the_bit(batch_size, numbers):
    """Those of one process with two threads, too."""
    alone = printed(None, "weights", batch_size)
    assert printed(None, "weights", batch_size, RESNET_SCRATCH_THREADS="2") == alone
    for number in numbers:
        assert printed(number, "weights", batch_size) == alone, number


@pytest.mark.parametrize("batch_size, group, numbers", [(64, 16, (2, 4)), (48, 8, (2,)), (64, 4, (8,))])
def test_with_groups_too_they_are_those_of_one_process_to_the_bit(batch_size, group, numbers):
    """48 images have 6 groups: no power of two."""
    alone = printed(None, "weights", batch_size, group)
    assert alone != printed(None, "weights", batch_size)
    for number in numbers:
        assert printed(number, "weights", batch_size, group) == alone, number


def test_a_group_must_lie_within_one_process(tmp_path):
    """64 images in 4 processes are 16 each."""
    assert "result finished" in printed(2, "run", tmp_path / "two", "groups")
    result = together(4, "run", tmp_path / "four", "groups")
    assert result.returncode != 0 and not (tmp_path / "four" / "state.safetensors").exists()
    assert result.stderr.count("RunError: batch_size must be a multiple of 128, so that each of the 4 processes") == 4
    assert "ends all of them" not in result.stderr  # because all have seen it
    result = together(4, "weights", 64, 32)
    assert result.returncode != 0 and "needs whole groups in every process, got 16 images" in result.stderr


def test_each_process_has_a_gpu_and_nccl_adds():
    """On the stand-in for CuPy, which refuses two processes on one GPU. A step takes nothing over the host."""
    (alone,), both = (sorted(printed(number, "gpus").splitlines()) for number in (None, 2))
    assert [line.split()[0] for line in both] == ["cuda:0", "cuda:1"]
    first, second = (line.split()[1:] for line in both)
    assert first == second and first[2:] == ["0", "18.0", "18", "6", "()"]  # 1 + 2 + 3, and twice as much
    loss, weight = map(float, alone.split()[1:3])
    assert [float(n) for n in first[:2]] == pytest.approx([loss, weight], rel=1e-3)


def test_another_number_of_processes_gives_the_same_but_for_rounding():
    (alone, *numbers), (three, *others) = (printed(number, "weights", 64).split() for number in (None, 3))
    assert alone != three  # so the hash can tell
    assert [float(n) for n in others] == pytest.approx([float(n) for n in numbers], rel=1e-4)


def test_a_run_goes_on_in_another_number_of_processes_to_the_bit(tmp_path):
    """Each time only one of them is told to stop, and all stop after the same step."""
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    assert printed(None, "run", whole).endswith("result finished after step 9 of 1\n")
    for number, step, who in ((4, 1, 3), (None, 3, 0), (8, 4, 5), (2, 7, 0)):
        output = printed(number, "run", folder, "stop", step, who)
        assert output.endswith(f"result SIGTERM after step {step + 1} of {number or 1}\n")
    assert printed(4, "run", folder).endswith("result finished after step 9 of 4\n")
    assert_same_files(folder, whole)


@pytest.mark.parametrize("what, message", [("raise", "ArithmeticError: this process only"), ("kill", "Killed")])
@pytest.mark.parametrize("who", [0, 2])
def test_a_process_that_is_gone_ends_all_with_a_message(tmp_path, what, message, who):
    start = time.monotonic()
    result = together(3, "run", tmp_path, what, 4, who)
    assert time.monotonic() - start < 60  # of which the start takes a few; without a message it would wait for ever
    assert result.returncode != 0 and message in result.stdout + result.stderr
    assert "finished" not in result.stdout
    if what == "raise":
        assert f"process {who} of 0 to 2 ends all of them:" in result.stderr


def test_a_loss_that_is_not_finite_ends_all_after_the_same_step(tmp_path):
    result = together(2, "run", tmp_path, "diverge")
    steps = re.findall(r"RunError: the loss has not been finite since step (\d+)", result.stderr)
    assert result.returncode != 0 and len(steps) == 2 and len(set(steps)) == 1, result.stderr
    assert "ends all of them" not in result.stderr  # because all have seen it


@pytest.mark.parametrize("what, named", [("other", "settings"), ("data", "data")])
def test_a_process_with_another_recipe_or_data_set_is_refused(tmp_path, what, named):
    result = together(3, "run", tmp_path, what, 0, 2)
    assert result.returncode != 0
    message = f"ProcessesError: process 2 cannot work with process 0: different {named}\n"
    assert result.stderr.count(message) == 3, result.stderr
    assert not (tmp_path / "state.safetensors").exists()


def test_weights_that_drift_apart_end_all_after_the_epoch(tmp_path):
    result = together(2, "run", tmp_path, "uneven")
    message = "ProcessesError: process 1 cannot work with process 0: different weights after step 3\n"
    assert result.returncode != 0 and result.stderr.count(message) == 2, result.stderr
    assert not (tmp_path / "state.safetensors").exists()


def test_what_only_the_first_process_finds_wrong_all_are_told(tmp_path):
    (tmp_path / "model.safetensors").touch()
    result = together(2, "run", tmp_path)
    assert result.returncode != 0 and result.stderr.count("RunError: ") == 2
    assert "ends all of them" not in result.stderr


def test_processes_killed_at_random_moments_end_and_the_run_goes_on():
    """`benchmarks/process_kills.py` kills as many as you like."""
    script = Path(__file__).parents[2] / "benchmarks" / "process_kills.py"
    result = subprocess.run([sys.executable, script, "--kills", "2"], capture_output=True, text=True, timeout=200)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.splitlines()[-1].endswith("equal bit for bit")
