"""Processes that share every batch, in one process: their parts, and what happens without MPI."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from resnet_scratch.compute import messages, processes, threads
from resnet_scratch.compute.batch import Sum, _number_of_chunks, over_batch
from resnet_scratch.compute.processes import ProcessesError, part_of_batch
from resnet_scratch.data import training_batches


@pytest.fixture
def pretend(monkeypatch):
    """Let this process believe that it is number `rank` of `size`. It cannot send messages."""
    return lambda rank, size: monkeypatch.setattr(processes, "_comm", SimpleNamespace(rank=rank, size=size))


@pytest.mark.parametrize("size, images, expected", [
    (1, 5, [5]), (2, 8, [4, 4]), (4, 128, [32] * 4), (3, 128, [42, 43, 43]), (8, 8, [1] * 8), (4, 6, [1, 2, 1, 2]),
])  # fmt: skip
def test_parts_of_a_batch(pretend, size, images, expected):
    numbers, parts = np.arange(images), []
    for rank in range(size):
        pretend(rank, size)
        parts.append(numbers[part_of_batch(images)])
    assert [len(part) for part in parts] == expected
    assert np.concatenate(parts).tolist() == numbers.tolist()


def test_fewer_images_than_processes_are_refused(pretend):
    pretend(0, 4)
    with pytest.raises(ProcessesError, match="^a batch must have an image for each of the 4 processes, got 3$"):
        part_of_batch(3)


@pytest.mark.parametrize("augment", [True, False])
def test_parts_of_the_training_batches_are_the_whole_ones(pretend, tiny_dataset, augment):
    """With the same crops and mirror images."""

    def three():
        batches = training_batches(tiny_dataset, 16, seed=3, start_step=1, augment=augment)
        result = [next(batches) for _ in range(3)]
        batches.close()
        return result

    whole, parts = three(), []
    for rank in range(3):
        pretend(rank, 3)
        parts.append(three())
    for step, (images, labels) in enumerate(whole):
        np.testing.assert_array_equal(np.concatenate([part[step][0] for part in parts]), images)
        np.testing.assert_array_equal(np.concatenate([part[step][1] for part in parts]), labels)


@pytest.mark.parametrize("images, megabytes, expected", [
    (128, 1, 8), (64, 1, 8), (63, 1, 4), (16, 1, 2), (15, 1, 1), (128, 80, 32), (15, 80, 8), (128, 10**6, 128),
])  # fmt: skip
def test_processes_have_the_chunks_of_one(pretend, images, megabytes, expected):
    """By hand: at most 2.6 MB in a chunk, and at least 8 chunks if these have 8 images."""
    assert _number_of_chunks(images, megabytes * 10**6) == expected
    for size in (2, 4, 8):
        if images % size == 0 and expected >= size:
            pretend(0, size)
            assert _number_of_chunks(images // size, megabytes * 10**6 / size) * size == expected


@pytest.mark.parametrize("size, images", [(3, 128), (3, 3), (5, 100), (16, 128), (7, 640)])
def test_other_numbers_of_processes_have_a_power_of_two_of_chunks_too(pretend, size, images):
    for rank in range(size):
        pretend(rank, size)
        mine = len(range(*part_of_batch(images).indices(images)))
        assert _number_of_chunks(mine, 10**8 / size) in {1, 2, 4, 8, 16, 32, 64, 128} & set(range(mine + 1))


def test_a_kernels_own_sums_are_those_of_its_chunk(pretend, small_chunks, set_threads):
    """They are computed inside a part of a batch: no messages are sent, which would fail here."""
    pretend(0, 2)
    set_threads(2)
    x = np.arange(4.0)
    y = over_batch(lambda x: np.full(len(x), over_batch(lambda x: Sum(x.sum()), x)), x)
    assert y.tolist() == [0, 1, 2, 3]


def test_on_a_gpu_a_kernels_own_sums_are_those_of_its_process(pretend, gpu):
    """There the batch of a process is a single chunk. No messages are sent here either."""
    pretend(0, 2)
    y = over_batch(lambda x: x * over_batch(lambda x: Sum(x.sum()), x), gpu.arange(4.0))
    assert y.tolist() == [0, 6, 12, 18]


def test_alone(pretend):
    pretend(1, 2)
    with processes.alone():
        assert processes.number_of_processes() == 1 and part_of_batch(5) == slice(0, 5)
        assert over_batch(lambda x: Sum(x.sum()), np.arange(4.0)) == 6
    assert processes.number_of_processes() == 2


def test_processors_are_shared_unless_threads_were_chosen(monkeypatch):
    monkeypatch.setattr(threads, "processors", lambda: frozenset(range(9)))
    monkeypatch.setattr(threads, "_threads", None)
    monkeypatch.setattr(threads, "_default", 9)
    monkeypatch.delenv(threads.THREADS_VARIABLE, raising=False)
    threads.share_processors(4)
    assert threads.num_threads() == 2
    threads.share_processors(10)
    assert threads.num_threads() == 1
    monkeypatch.setenv(threads.THREADS_VARIABLE, "7")
    monkeypatch.setattr(threads, "_default", None)
    threads.share_processors(4)
    assert threads.num_threads() == 7
    threads.set_num_threads(3)
    assert threads.num_threads() == 3


def test_without_mpi_there_is_one_process_and_nothing_is_imported():
    code = "import sys; sys.modules['mpi4py'] = None\nfrom resnet_scratch.compute.processes import *\n"
    code += "with processes(): print(number_of_processes(), is_first_process(), largest(1, 2), share_out(str, [1, 2]))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "1 True (1, 2) ['1', '2']\n", result.stderr


def test_a_process_of_mpiexec_without_mpi4py_says_what_to_install(monkeypatch):
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(
        ProcessesError, match=r"need mpi4py and an MPI library .*: pip install 'resnet_scratch\[mpi\]'$"
    ):
        with processes.processes():
            pass


class Mailbox:
    """MPI's communicator of two processes, as far as `all_sum` uses it: the other one is given, and sends `theirs`."""

    def __init__(self, rank, theirs):
        self.rank, self.size, self.theirs = rank, 2, theirs

    def Sendrecv(self, message, partner, recvbuf, source):
        assert partner == source == 1 - self.rank and message.dtype == recvbuf.dtype == np.uint8
        recvbuf[:] = np.frombuffer(self.theirs, np.uint8)


@pytest.mark.parametrize("rank", [0, 1])
def test_values_of_all_kinds_in_one_message_keep_type_shape_and_device(xp, rank):
    """By hand. The first value has an odd number of bytes, so that the others are not aligned in the message. It is of
    a dtype that does not go by NCCL from a GPU."""
    ours = [xp.asarray([1, 2, 3], np.uint8), np.asarray([[0.5], [1.5]]), 7, np.float32(0.25), 1.5, np.asarray(2.0)]
    theirs = b"\x01\x01\x02" + np.float64([10, 20]).tobytes() + np.int64(5).tobytes()
    theirs += np.float32(1).tobytes() + np.float64([2.25, 3]).tobytes()
    total = messages.all_sum(Mailbox(rank, theirs), ours)
    assert [type(value) for value in total[:5]] == [type(value) for value in ours[:5]]
    assert [total[0].tolist(), total[1].tolist(), *total[2:5], float(total[5])] == [
        [2, 3, 5], [[10.5], [21.5]], 12, 1.25, 3.75, 5,
    ]  # fmt: skip
    assert total[0].dtype == np.uint8 and total[1].dtype == np.float64 and total[1].shape == (2, 1)
    assert ours[0].tolist() == [1, 2, 3]  # as before


@pytest.mark.parametrize("error, text", [(KeyboardInterrupt(), "KeyboardInterrupt"), (OSError("full"), "full")])
def test_a_process_says_what_ends_it_and_all_others(capsys, error, text):
    comm = SimpleNamespace(rank=1, size=2, Abort=lambda status: None)
    with pytest.raises(type(error)):
        processes._end_all(comm, error)
    assert capsys.readouterr().err == f"\nprocess 1 of 0 to 1 ends all of them:\nError: {text}\n"
