"""`--processes`, and commands under mpiexec: one process prints, and a mistake is told once."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys

import pytest
from in_process import TRAIN, is_one_message

from resnet_scratch.cli import processes as cli_processes
from resnet_scratch.compute.processes import find_mpiexec

MPIEXEC = find_mpiexec()
needs_mpi = pytest.mark.skipif(
    MPIEXEC is None or importlib.util.find_spec("mpi4py") is None, reason="mpi4py or mpiexec is not installed"
)


def command(*arguments, mpiexec=()):
    here = {**os.environ, "OMP_NUM_THREADS": "1"}
    line = [*mpiexec, sys.executable, "-m", "resnet_scratch", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, env=here)


@pytest.fixture
def images(tmp_path):
    """A folder of 80 images of 8x8 pixels in two classes."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for k in range(80):
        folder = tmp_path / "images" / "ab"[k % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(folder / f"{k}.png")
    return tmp_path / "images"


@needs_mpi
def test_two_processes_print_and_write_what_one_does(tmp_path, images):
    train = ("train", "--model", "resnet8", "--data", images, "--image-size", 8, "--epochs", 2, "--batch-size", 16)
    texts = {}
    for number in (1, 2):
        result = command(*train, "--device", "cpu", "--processes", number, "--run-dir", tmp_path / str(number))
        assert result.returncode == 0, result.stderr
        texts[number] = result.stdout.replace(str(tmp_path / str(number)), "FOLDER").splitlines()
    one, two = ([line.split()[:5] for line in texts[number] if "images/s" not in line] for number in (1, 2))
    assert one == two  # the lines end in times
    weights = [(tmp_path / number / "model.safetensors").read_bytes() for number in "12"]
    assert weights[0] == weights[1]
    evaluated = [command("evaluate", tmp_path / "2", "--device", "cpu", "--processes", n) for n in (1, 2)]
    assert " ".join(evaluated[0].stdout.split()).count("test images: accuracy") == 1
    assert evaluated[0].stdout == evaluated[1].stdout


@needs_mpi
@pytest.mark.parametrize("wrong, message", [
    (("--nonsense",), "No such option"),
    (("--batch-size", 2), "a batch must have an image for each of the 3 processes"),
])  # fmt: skip
def test_a_mistake_is_told_once(tmp_path, wrong, message):
    result = command("train", *wrong, "--run-dir", tmp_path / "run", mpiexec=(MPIEXEC, "-n", "3"))
    assert result.returncode == 2 and not (tmp_path / "run").exists()
    assert result.stderr.count("Error: ") == 1 and message in " ".join(result.stderr.split())


@pytest.fixture
def started(monkeypatch):
    """The commands that would have been run."""
    lines = []
    monkeypatch.setattr(cli_processes, "_run", lambda command: lines.append(command) or 0)
    monkeypatch.setattr(shutil, "which", lambda name, path=None: f"/bin/{name}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    return lines


@pytest.mark.parametrize("called, program", [
    ("resnet-scratch", ["resnet-scratch"]),
    ("__main__.py", ["-m", "resnet_scratch"]),
    ("Scripts/resnet-scratch", ["-m", "resnet_scratch"]),  # of Windows: the file is resnet-scratch.exe
])  # fmt: skip
def test_mpiexec_starts_the_same_command(invoke, started, monkeypatch, tmp_path, called, program):
    for name in ("resnet-scratch", "__main__.py"):
        (tmp_path / name).touch()
    monkeypatch.setattr(sys, "argv", [called, "train", "--processes", "3"])
    assert invoke("train", "--processes", 3).exit_code == 0
    arguments = ["/bin/mpiexec", "-n", "3", sys.executable, *program, "train", "--processes", "3"]
    assert started == [arguments]


def test_what_is_missing_is_named(invoke, started, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = invoke("train", "--processes", 2)
    assert is_one_message(result, "--processes needs mpi4py", "pip install 'resnet_scratch[mpi]'")
    monkeypatch.setattr(shutil, "which", lambda name, path=None: None)
    assert is_one_message(invoke("train", "--processes", 2), "--processes needs mpiexec", "pip install")
    assert started == []


def test_one_process_needs_no_mpi(invoke, started):
    assert invoke(*TRAIN, "--processes", 1).exit_code == 0 and started == []


def test_a_run_can_be_resumed_in_other_processes(invoke, started, trained):
    assert invoke("train", "--resume", "run", "--processes", 2).exit_code == 0 and len(started) == 1
    assert invoke("train", "--resume", "run", "--processes", 1).exit_code == 0


@needs_mpi
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are for POSIX")
@pytest.mark.parametrize("end, status", [("close", signal.SIGTERM), ("ctrl-c", signal.SIGINT)])
def test_in_a_terminal_they_show_a_bar_and_save_when_it_is_closed_or_at_ctrl_c(tmp_path, images, end, status):
    import fcntl
    import pty
    import termios

    def begin():
        """As in a terminal of its own, which Ctrl-C and its end reach it through; tests under nohup ignore both."""
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 90, 0, 0))  # rows, columns
    train = ("train", "--model", "resnet8", "--data", images, "--image-size", 8, "--epochs", 5000, "--batch-size", 16)
    job = subprocess.Popen(
        [sys.executable, "-m", "resnet_scratch", *map(str, train), "--processes", "2", "--run-dir", tmp_path / "run"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=begin,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    os.close(theirs)
    shown = ""
    while "epoch 4/5000 |" not in shown:
        if not select.select([ours], [], [], 120)[0]:
            os.killpg(job.pid, signal.SIGKILL)
            pytest.fail(f"nothing more after {shown}")
        shown += os.read(ours, 1000).decode(errors="replace")
    lines = re.split("[\r\n]+", shown)
    assert {len(line) for line in lines if line.startswith("epoch 2/5000 |")} == {89}  # the last column is left free
    assert [line.split()[0] for line in lines if "/5000   " in line] == ["1/5000", "2/5000", "3/5000"]
    if end == "ctrl-c":
        os.write(ours, b"\x03")
        with contextlib.suppress(OSError):  # that is how a terminal ends which nobody writes to any more
            while True:
                shown += os.read(ours, 1000).decode(errors="replace")
        assert "To continue:" in shown
    os.close(ours)
    assert job.wait(timeout=60) == 128 + status
    assert (tmp_path / "run" / "state.safetensors").exists()


@needs_mpi
def test_what_processes_gain():
    result = command(
        "bench", "resnet8", "--image-size", 16, "--batch-size", 6, "--repeats", 1, "--threads", 1, "--processes", 2
    )
    assert result.returncode == 0, result.stderr
    heading, one, shared, each = (line.split() for line in result.stdout.splitlines()[1:])
    assert heading == ["processes", "threads", "batch", "images/s", "speed-up", "messages"]
    assert [row[0] for row in (one, shared, each)] == ["1", "2", "2"]
    assert [row[2] for row in (one, shared, each)] == ["6", "6", "12"]
    assert (one[4], one[5]) == ("1.00", "0.0%")
    assert all(0 < float(row[5].rstrip("%")) < 100 for row in (shared, each))
    refused = command("bench", "resnet8", "--layers", "--processes", 2)
    assert refused.returncode == 2 and "--layers are for one process" in " ".join(refused.stderr.split())
