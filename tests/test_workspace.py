import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from resnet_scratch import workspace
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.workspace import for_each_chunk, limit_blas_threads, num_threads, scratch


@pytest.mark.parametrize("images", [1, 2, 7, 64])
@pytest.mark.parametrize("bytes_per_image", [1, workspace.CHUNK_BYTES // 3, 10 * workspace.CHUNK_BYTES])
def test_chunks_cover_every_image_once_and_keep_to_their_size(set_threads, images, bytes_per_image):
    set_threads(1)
    chunks = []
    for_each_chunk(np.zeros((images, 1)), chunks.append, bytes_per_image)
    assert [k for chunk in chunks for k in range(images)[chunk]] == list(range(images))
    for chunk in chunks:
        length = chunk.stop - chunk.start
        assert length <= 1 or length * bytes_per_image <= workspace.CHUNK_BYTES
    assert len(chunks) == 1 or len(chunks) % 2 == 0  # two threads get the same share


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_what_bodies_return_is_summed(set_threads, small_chunks, threads):
    set_threads(threads)
    x = np.arange(1.0, 11)[:, None]
    assert for_each_chunk(x, lambda chunk: None, 1) is None
    assert for_each_chunk(x, lambda chunk: x[chunk].sum(0), 1).tolist() == [55]
    first, second = for_each_chunk(x, lambda chunk: (x[chunk].sum(0), (x[chunk] ** 2).sum(0)), 1)
    assert (first.tolist(), second.tolist()) == ([55], [385])


def test_the_sum_goes_in_the_order_of_chunks_not_of_arrival(set_threads, small_chunks):
    """The first chunk is held back until the last has come in: 1e8 + 1 - 1e8 + 1 is 1 in float32, in this order only."""
    set_threads(2)
    values, last_is_done = np.float32([1e8, 1, -1e8, 1]), threading.Event()

    def body(chunk):
        if chunk.start == 0:
            assert last_is_done.wait(10)
        elif chunk.stop == 4:
            last_is_done.set()
        return values[chunk].copy()

    assert for_each_chunk(values[:, None], body, 1).tolist() == [1]


def test_threads_work_side_by_side(set_threads, small_chunks):
    """Every body waits for two others: it can end only if three run at once."""
    set_threads(3)
    barrier = threading.Barrier(3, timeout=10)
    for_each_chunk(np.zeros((6, 1)), lambda chunk: barrier.wait() and None, 1)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("bad", range(6))
def test_an_exception_in_any_chunk_reaches_the_caller_and_breaks_nothing(set_threads, small_chunks, threads, bad):
    set_threads(threads)
    x = np.ones((6, 1))

    def body(chunk):
        if chunk.start == bad:
            raise KeyError(f"chunk {bad}")
        return x[chunk].sum(0)

    with pytest.raises(KeyError, match=f"chunk {bad}"):
        for_each_chunk(x, body, 1)
    assert for_each_chunk(x, lambda chunk: x[chunk].sum(0), 1).tolist() == [6]


def test_blas_is_held_to_one_thread_in_a_body_and_let_go_after():
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def blas_threads():
        return {pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"}

    with limit_blas_threads(2):
        inside = []
        for_each_chunk(np.ones((1, 1)), lambda chunk: inside.append(blas_threads()), 1)
        assert inside == [{1}] and blas_threads() == {2}


@pytest.mark.parametrize("threads", [2, 3, 5])
def test_a_training_step_is_the_same_to_the_bit_for_any_number_of_threads(set_threads, monkeypatch, threads):
    monkeypatch.setattr(workspace, "CHUNK_BYTES", 1 << 18)

    def step(threads):
        set_threads(threads)
        rng = np.random.default_rng(0)
        model = build("resnet20", rng=rng)
        x = rng.standard_normal((6, 16, 16, 3)).astype(np.float32)
        logits, cache = model.forward(x, training=True)
        loss, grad_logits = softmax_cross_entropy(logits, np.arange(6))
        grad_x = model.backward(grad_logits, cache)
        SGD(model.parameters(), weight_decay=1e-4).step(0.1)
        return [logits, loss, grad_x, *(buffer.value for _, buffer in model.named_buffers())]

    for many, one in zip(step(threads), step(1)):
        np.testing.assert_array_equal(many, one)


SCRIPT = """
import threading, numpy as np
from resnet_scratch import workspace
from resnet_scratch.models import build
workspace.CHUNK_BYTES = 1
build("resnet8", rng=np.random.default_rng(0))(np.ones((8, 8, 8, 3), np.float32))
print(workspace.num_threads(), sum(thread.name.startswith("resnet_scratch") for thread in threading.enumerate()))
"""


@pytest.mark.parametrize("threads, started", [(1, 0), (3, 2)])
def test_the_environment_says_how_many_and_with_one_no_thread_is_started(threads, started):
    environment = {**os.environ, workspace.THREADS_VARIABLE: str(threads)}
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(threads), str(started)]


@pytest.mark.parametrize("value", ["", "two", "-1", "1.5"])
def test_an_environment_that_makes_no_sense_is_an_error(monkeypatch, value):
    monkeypatch.setenv("RESNET_SCRATCH_THREADS", value)
    monkeypatch.setattr(workspace, "_threads", None)
    with pytest.raises(ValueError, match=f"RESNET_SCRATCH_THREADS must be a whole number of at least 1, got '{value}'"):
        num_threads()


def test_without_the_environment_it_is_the_processors_we_may_use(monkeypatch, set_threads):
    monkeypatch.delenv("RESNET_SCRATCH_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3, 5}, raising=False)
    monkeypatch.setattr(workspace, "_threads", None)
    assert num_threads() == 3


@pytest.mark.parametrize("threads", [0, -2])
def test_fewer_than_one_thread_is_refused(threads):
    with pytest.raises(ValueError, match=f"threads must be at least 1, got {threads}"):
        workspace.set_num_threads(threads)


def test_scratch_is_made_once_for_each_key_and_thread():
    made = []

    def make():
        made.append(object())
        return made[-1]

    first = scratch("test_workspace: one", make)
    assert scratch("test_workspace: one", make) is first and scratch("test_workspace: two", make) is not first
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(scratch("test_workspace: one", make)))
    thread.start()
    thread.join()
    assert elsewhere[0] is not first and len(made) == 3


def test_scratch_does_not_grow_without_end():
    held = [scratch(("test_workspace: many", k), object) for k in range(300)]
    again = [scratch(("test_workspace: many", k), object) for k in range(300)]
    assert sum(a is b for a, b in zip(held, again)) <= 100
