"""The messages of a step against shapes written down by hand and against real ones, and times against formulas."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from resnet_scratch.compute.processes import find_mpiexec
from resnet_scratch.measure import link
from resnet_scratch.measure.link import Link, Message
from resnet_scratch.models import build


def resnet8():
    return build("resnet8", 10, rng=np.random.default_rng(0))


def test_the_messages_of_a_resnet8_by_hand():
    """Float32: 4 bytes. An integer: 8. A batch norm of C channels says: a value near the mean, its forward sums (two
    per channel, and the number of pixels), its backward sums (as many). A convolution says its gradient."""
    widths = [16, 16, 16, 32, 32, 64, 64]  # of the seven batch norms, in order
    kernels = [27 * 16, 144 * 16, 144 * 16, 144 * 32, 288 * 32, 288 * 64, 576 * 64]  # and of their convolutions
    forward = [m for C in widths for m in (Message("broadcast", 4 * C), Message("sum", 8 * C + 8))]
    backward = {Message("sum", 8 * C + 8) for C in widths} | {Message("sum", 4 * n) for n in kernels}
    messages = link.messages_of_step(resnet8(), 16)
    assert messages[:14] == forward
    # the loss and how many images there are; the classifier's weights and biases; then 14 of backward; how many correct
    assert messages[14:16] == [Message("sum", 4 + 8), Message("sum", 4 * 650)]
    assert len(messages) == 14 + 2 + 14 + 1 and messages[-1] == Message("sum", 8)
    assert set(messages[16:-1]) == backward
    assert sum(m.size for m in messages[16:-1]) == sum(8 * C + 8 for C in widths) + 4 * sum(kernels)


def test_the_size_of_images_does_not_matter_and_the_model_stays_as_it_was():
    model = resnet8()
    before = [buffer.value.copy() for _, buffer in model.named_buffers()]
    assert link.messages_of_step(model, 8) == link.messages_of_step(resnet8(), 24)
    assert all(np.array_equal(b.value, value) for (_, b), value in zip(model.named_buffers(), before, strict=True))


def test_on_any_device_the_messages_are_the_same(device):
    assert link.messages_of_step(resnet8().to(device), 16) == link.messages_of_step(resnet8(), 16)


@pytest.mark.parametrize("processes, expected", [(1, 0), (2, 1), (4, 2), (1024, 10), (3, 3), (6, 4)])
def test_rounds(processes, expected):
    """3: one gives to another, two exchange, one is given back."""
    assert link.rounds(processes) == expected


def test_the_cost_of_a_step_by_hand():
    """8 processes, 3 rounds, alpha = 1 ms, 1 MB/s: (1 + 2) ms for 2 kB and (1 + 0.5) ms for 500 B, three times."""
    messages = [Message("sum", 2000), Message("broadcast", 500)]
    assert link.communication_seconds(messages, 8, Link(1e-3, 1e6)) == pytest.approx(13.5e-3)
    assert link.communication_seconds(messages, 1, Link(1e-3, 1e6)) == 0


def test_two_links_one_after_the_other():
    """100 MB/s and 25 MB/s: a MB takes 10 + 40 ms, as at 20 MB/s."""
    both = Link(1e-3, 100e6).then(Link(2e-3, 25e6))
    assert (both.latency, both.bandwidth) == (pytest.approx(3e-3), pytest.approx(20e6))


def test_a_link_of_known_speed_is_measured(monkeypatch):
    """Sums that take 2 ms and 1 ms per 100 kB, between 4 processes: half of that for each of their two rounds."""
    now = [0.0]

    def send(values):
        now[0] += 2e-3 + values[0].nbytes * 1e-8

    monkeypatch.setattr(link, "number_of_processes", lambda: 4)
    monkeypatch.setattr(link, "sum_over_processes", send)
    monkeypatch.setattr(link.time, "perf_counter", lambda: now[0])
    measured = link.measure_link(repeats=3)
    assert measured.latency == pytest.approx(1e-3) and measured.bandwidth == pytest.approx(200e6)


def test_alone_there_is_no_link():
    with pytest.raises(ValueError, match="alone"):
        link.measure_link()


REAL = """
import numpy as np
from resnet_scratch.compute import messages
from resnet_scratch.compute.processes import processes, process_number
from resnet_scratch.measure.bench import Workload, numpy_jobs
said = []
def listen(kind, function):
    def call(comm, values):
        parts = values if kind == "sum" else [values]
        said.append((kind, sum(np.asarray(part).nbytes for part in parts)))
        return function(comm, values)
    return call
messages.all_sum, messages.broadcast = listen("sum", messages.all_sum), listen("broadcast", messages.broadcast)
with processes():
    numpy_jobs(Workload("resnet8", 4, 16))["training step"]()
    print(said)
"""


@pytest.mark.skipif(
    find_mpiexec() is None or importlib.util.find_spec("mpi4py") is None, reason="mpi4py or mpiexec is not installed"
)
def test_the_messages_are_those_that_two_processes_send(tmp_path):
    script = Path(tmp_path, "step.py")
    script.write_text(REAL)
    command = [find_mpiexec(), "-n", "2", sys.executable, str(script)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    said = [(message.kind, message.size) for message in link.messages_of_step(resnet8(), 16)]
    assert result.stdout.strip() == str(said)
