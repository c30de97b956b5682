import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from resnet_scratch.compute import batch as workspace
from resnet_scratch.compute.batch import for_each_chunk, num_threads, scratch, set_num_threads
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build


@pytest.fixture(autouse=True)
def as_before():
    before = num_threads()
    yield
    set_num_threads(before)


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(workspace, "CHUNK_BYTES", 1 << 15)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("images, bytes_per_image", [(1, 1), (3, 1 << 15), (10, 10**9), (128, 1 << 15), (129, 1 << 14)])
def test_chunks_cover_every_image_once(small_chunks, threads, images, bytes_per_image):
    set_num_threads(threads)
    touched = np.zeros(images, int)

    def body(chunk):
        assert chunk.start < chunk.stop
        touched[chunk] += 1

    assert for_each_chunk(touched, body, bytes_per_image) is None
    assert (touched == 1).all()


def test_sums_are_added_in_the_order_of_the_chunks(small_chunks):
    """Summing 1e8, 1, -1e8, 1 ... in float32 depends on the order: every thread count must give the one-by-one sum."""
    values = np.float32([1e8, 1, -1e8, 1] * 16)
    expected = np.float32(0)
    for value in values:
        expected += value
    for threads in (1, 2, 3, 7):
        set_num_threads(threads)
        total = for_each_chunk(values, lambda chunk: values[chunk].reshape(1, -1).sum(1), 1 << 15)
        assert total[0] == expected


def test_several_sums_at_once(small_chunks):
    x = np.arange(64.0)
    a, b = for_each_chunk(x, lambda chunk: (np.array([x[chunk].sum()]), np.array([(x[chunk] ** 2).sum()])), 1 << 14)
    assert (a[0], b[0]) == (64 * 63 / 2, 63 * 64 * 127 / 6)


def training_step(threads):
    set_num_threads(threads)
    model = build("resnet8", rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    images, labels = rng.standard_normal((24, 32, 32, 3), np.float32), rng.integers(0, 10, 24)
    logits, cache = model.forward(images, training=True)
    loss, grad_logits = softmax_cross_entropy(logits, labels)
    grad_images = model.backward(grad_logits, cache)
    buffers = [buffer.value for _, buffer in model.named_buffers()]
    return [logits, loss, grad_images, *buffers, *(p.grad for p in model.parameters())]


def test_a_training_step_is_the_same_to_the_bit_for_any_number_of_threads(small_chunks):
    one = training_step(1)
    for threads in (2, 3, 5):
        assert all(np.array_equal(a, b) for a, b in zip(one, training_step(threads), strict=True))


@pytest.mark.parametrize("bad", [0, 40, 63])
def test_an_error_in_any_chunk_reaches_the_caller(small_chunks, bad):
    set_num_threads(3)

    def body(chunk):
        if chunk.start <= bad < chunk.stop:
            raise RuntimeError("chunk went wrong")

    with pytest.raises(RuntimeError, match="chunk went wrong"):
        for_each_chunk(np.zeros(64), body, 1 << 14)
    for_each_chunk(np.zeros(64), lambda chunk: None, 1 << 14)  # and the threads work on


def test_no_body_is_still_running_when_an_error_is_raised(small_chunks):
    """Two helpers fail or finish at different times; what they write to belongs to the caller again afterwards."""
    set_num_threads(3)
    all_in, running = threading.Barrier(3, timeout=20), []

    def body(chunk):
        running.append(chunk.start)
        all_in.wait()
        if chunk.start == 0:
            running.remove(chunk.start)
            raise RuntimeError("first")
        time.sleep(0.1 * chunk.start)
        running.remove(chunk.start)
        raise RuntimeError("later")

    with pytest.raises(RuntimeError):
        for_each_chunk(np.zeros(3), body, 1 << 15)
    assert running == []


def test_with_one_thread_none_is_started(small_chunks):
    set_num_threads(1)
    seen = set()
    for_each_chunk(np.zeros(64), lambda chunk: seen.add(threading.get_ident()), 1 << 14)
    assert seen == {threading.get_ident()}


def test_two_threads_work_at_the_same_time(small_chunks):
    set_num_threads(2)
    both = threading.Barrier(2, timeout=20)  # passes only when two bodies wait in it at once
    for_each_chunk(np.zeros(2), lambda chunk: both.wait(), 1 << 15)


def test_a_body_may_share_out_work_of_its_own(small_chunks):
    """Both threads are inside a body when each shares out more work: neither may wait for the other."""
    set_num_threads(2)
    both = threading.Barrier(2, timeout=20)
    inner = []

    def body(chunk):
        both.wait()
        for_each_chunk(np.zeros(2), inner.append, 1 << 15)

    for_each_chunk(np.zeros(2), body, 1 << 15)
    assert len(inner) == 4


def test_blas_is_held_to_one_thread_inside_and_left_as_it_was():
    threadpoolctl = pytest.importorskip("threadpoolctl")

    def blas():
        return {i["filepath"]: i["num_threads"] for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas"}

    before, inside = blas(), []
    for_each_chunk(np.zeros(1), lambda chunk: inside.append(blas()), 1)
    assert before and set(inside[0].values()) == {1} and blas() == before


def test_scratch_is_made_once_per_thread_and_key():
    made = []

    def make():
        made.append(threading.get_ident())
        return object()

    key = "test_scratch"
    assert scratch(key, make) is scratch(key, make)
    other = threading.Thread(target=scratch, args=(key, make))
    other.start()
    other.join()
    assert len(made) == len(set(made)) == 2


@pytest.mark.parametrize("value, expected", [
    ("3", "3"), ("0", "RESNET_SCRATCH_THREADS must be a whole number of at least 1, got '0'"),
    ("two", "RESNET_SCRATCH_THREADS must be a whole number of at least 1, got 'two'"),
])  # fmt: skip
def test_the_environment_chooses_the_number_of_threads(value, expected):
    code = "from resnet_scratch.compute.batch import num_threads; print(num_threads())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            env={**os.environ, "RESNET_SCRATCH_THREADS": value})  # fmt: skip
    assert expected in result.stdout + result.stderr


@pytest.mark.parametrize("images", [1, 3, 7, 64])
@pytest.mark.parametrize("bytes_per_image", [1, workspace.CHUNK_BYTES // 3, 10 * workspace.CHUNK_BYTES])
def test_chunks_keep_to_their_size_and_two_threads_get_as_many_each(images, bytes_per_image):
    set_num_threads(1)
    chunks = []
    for_each_chunk(np.zeros(images), chunks.append, bytes_per_image)
    lengths = [chunk.stop - chunk.start for chunk in chunks]
    assert min(lengths) >= 1 and all(
        length == 1 or length * bytes_per_image <= workspace.CHUNK_BYTES for length in lengths
    )
    assert len(chunks) in (1, images) or len(chunks) % 2 == 0


def test_the_sum_waits_for_a_chunk_that_comes_late(monkeypatch):
    """The first chunk is held back until the last is done: 1e8 + 1 - 1e8 + 1 is 1 in float32 in this order only."""
    monkeypatch.setattr(workspace, "CHUNK_BYTES", 1)
    set_num_threads(2)
    values, last_is_done = np.float32([1e8, 1, -1e8, 1]), threading.Event()

    def body(chunk):
        if chunk.start == 0:
            assert last_is_done.wait(20)
        elif chunk.stop == 4:
            last_is_done.set()
        return values[chunk].copy()

    assert for_each_chunk(values, body, 1).tolist() == [1]


def test_scratch_does_not_grow_without_end():
    kept = [scratch(("test_scratch, many", k), object) for k in range(300)]
    again = [scratch(("test_scratch, many", k), object) for k in range(300)]
    assert sum(a is b for a, b in zip(kept, again)) <= 100
