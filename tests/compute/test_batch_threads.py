"""`over_batch` with several threads at work: errors, nesting, several callers, memory over thousands of calls."""

import gc
import threading
import time
import tracemalloc

import numpy as np
import pytest

from resnet_scratch.compute.batch import Sum, over_batch


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("bad", [0, 40, 63])
def test_an_error_in_any_chunk_reaches_the_caller(small_chunks, set_threads, threads, bad):
    set_threads(threads)
    x = np.arange(64)

    def kernel(x):
        if bad in x:
            raise RuntimeError("a chunk went wrong")
        return Sum(x.sum())

    for _ in range(3):
        with pytest.raises(RuntimeError, match="a chunk went wrong"):
            over_batch(kernel, x)
        assert over_batch(lambda x: Sum(x.sum()), x) == 2016  # the threads work on


@pytest.mark.parametrize("who", ["the caller", "the helper"])
def test_an_error_in_either_thread_reaches_the_caller(small_chunks, set_threads, who):
    set_threads(2)
    both, caller = threading.Barrier(2, timeout=20), threading.get_ident()

    def kernel(x):
        both.wait()
        if (threading.get_ident() == caller) == (who == "the caller"):
            raise RuntimeError("a chunk went wrong")

    with pytest.raises(RuntimeError, match="a chunk went wrong"):
        over_batch(kernel, np.arange(2))


def test_no_kernel_is_still_running_when_an_error_is_raised(small_chunks, set_threads):
    """Chunks fail at different times; what they write to belongs to the caller again afterwards."""
    set_threads(4)
    all_in, running = threading.Barrier(4, timeout=20), []

    def kernel(k):
        running.append(int(k[0]))
        all_in.wait()
        time.sleep(0.05 * k[0])
        running.remove(int(k[0]))
        raise RuntimeError("a chunk went wrong")

    with pytest.raises(RuntimeError):
        over_batch(kernel, np.arange(4))
    assert running == []


def test_a_kernel_may_call_it_too(small_chunks, set_threads):
    """Both threads are inside a kernel when each spreads more work: neither may wait for the other."""
    set_threads(2)
    both = threading.Barrier(2, timeout=20)
    inner = []

    def kernel(x):
        both.wait()
        y = over_batch(lambda x: inner.append(len(x)) or 2 * x, x)
        return y, Sum(over_batch(lambda y: Sum(y.sum()), y))

    y, total = over_batch(kernel, np.arange(2))
    assert y.tolist() == [0, 2] and total == 2 and inner == [1, 1]
    both = threading.Barrier(1)
    assert over_batch(lambda x: Sum(over_batch(lambda x: Sum(x.sum()), x)), np.arange(100)) == 4950


def test_two_threads_of_the_caller_at_the_same_time(small_chunks, set_threads):
    set_threads(3)
    start, wrong = threading.Barrier(4, timeout=20), []

    def caller(k):
        x = np.arange(16.0) + k
        start.wait()
        for _ in range(200):
            y, total = over_batch(lambda x: (x + 1, Sum(x.sum())), x)
            if not np.array_equal(y, x + 1) or total != 120 + 16 * k:
                wrong.append(k)

    callers = [threading.Thread(target=caller, args=(k,), daemon=True) for k in range(4)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(30)
    assert not any(thread.is_alive() for thread in callers) and wrong == []


def test_thousands_of_calls_leave_nothing_behind(small_chunks, set_threads):
    set_threads(2)
    x = np.ones(8)

    def fail(x):
        raise RuntimeError

    def calls(count):
        for _ in range(count):
            over_batch(lambda x: (x + 1, Sum(x.sum())), x)
            with pytest.raises(RuntimeError):
                over_batch(fail, x)

    tracemalloc.start()
    memory, threads = [], []
    for count in (200, 2000):
        calls(count)
        gc.collect()
        memory.append(tracemalloc.get_traced_memory()[0])
        threads.append(threading.active_count())
    tracemalloc.stop()
    assert memory[1] - memory[0] < 2000 * 16 and threads[0] == threads[1]  # not even one small object for each call
