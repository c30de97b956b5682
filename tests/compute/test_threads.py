"""Threads that share work, BLAS held to one, and a process that forks."""

import os
import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager

import numpy as np
import pytest

from resnet_scratch.compute import threads
from resnet_scratch.compute.batch import Sum, over_batch
from resnet_scratch.compute.threads import in_parallel, limit_blas_threads, num_threads, set_num_threads


def test_with_one_thread_none_is_started(set_threads):
    set_threads(1)
    before, seen = threading.active_count(), []
    in_parallel(lambda: seen.append(threading.get_ident()), 64)
    assert seen == [threading.get_ident()] and threading.active_count() == before


@pytest.mark.parametrize("number, most, expected", [(2, 64, 2), (3, 64, 3), (7, 3, 3), (7, 1, 1)])
def test_as_many_threads_as_asked_for_work_at_the_same_time(set_threads, number, most, expected):
    set_threads(number)
    all_in, seen = threading.Barrier(expected, timeout=20), set()

    def work():
        all_in.wait()  # passes only when all wait in it at once
        seen.add(threading.get_ident())

    in_parallel(work, most)
    assert len(seen) == expected


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_where_no_more_threads_can_be_started_those_that_there_are_do_the_work(
    set_threads, small_chunks, monkeypatch, allowed
):
    start, started = threading.Thread.start, []

    def limited(thread):
        if len(started) == allowed:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    x = np.random.default_rng(0).standard_normal((64, 5), np.float32)
    set_threads(1)
    expected = over_batch(lambda x: Sum(x.sum(0)), x)
    monkeypatch.setattr(threading.Thread, "start", limited)
    threads._helpers.cache_clear()
    set_threads(4)
    for _ in range(3):
        assert np.array_equal(over_batch(lambda x: Sum(x.sum(0)), x), expected)
    assert len(started) == allowed
    threads._helpers.cache_clear()
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda: 1 / 0, 4)
    threads._helpers.cache_clear()


def test_a_thread_that_waits_keeps_no_array(set_threads):
    set_threads(3)
    all_in = threading.Barrier(3, timeout=20)
    x = np.ones(4)
    reference = weakref.ref(x)
    in_parallel(lambda x=x: all_in.wait(), 3)
    del x
    assert reference() is None


def test_the_caller_s_errstate_is_that_of_every_thread(set_threads):
    set_threads(3)
    all_in, seen = threading.Barrier(3, timeout=20), []

    def work():
        all_in.wait()
        seen.append(np.geterr()["divide"])

    for chosen in ("raise", "ignore"):
        with np.errstate(divide=chosen):
            in_parallel(work, 3)
    assert seen == ["raise"] * 3 + ["ignore"] * 3


def test_choosing_the_number_again_and_again_starts_no_new_threads(set_threads):
    def choose():
        for number in (1, 2, 3, 5):
            set_threads(number)
            in_parallel(lambda: None, 8)

    choose()
    before = threading.active_count()
    for _ in range(10):
        choose()
    assert threading.active_count() == before


def test_the_number_may_change_while_a_call_begins(set_threads, monkeypatch):
    """It has counted its helpers when another thread chooses one thread, for which there are none: it must not wait."""
    set_threads(3)

    @contextmanager
    def meanwhile():
        set_num_threads(1)
        yield

    monkeypatch.setattr(threads, "_one_thread_for_blas", meanwhile())
    seen = []
    caller = threading.Thread(target=in_parallel, args=(lambda: seen.append(1), 8), daemon=True)
    caller.start()
    caller.join(20)
    assert not caller.is_alive() and seen == [1, 1, 1]


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "2", None])
def test_a_wrong_number_is_refused(set_threads, wrong):
    before = num_threads()
    with pytest.raises(ValueError, match=f"threads must be a whole number of at least 1, got {wrong!r}"):
        set_num_threads(wrong)
    assert num_threads() == before


@pytest.mark.parametrize("value, expected", [
    ("3", "3"), ("0", "RESNET_SCRATCH_THREADS must be a whole number of at least 1, got '0'"),
    ("two", "RESNET_SCRATCH_THREADS must be a whole number of at least 1, got 'two'"),
])  # fmt: skip
def test_the_environment_chooses_the_number_of_threads(value, expected):
    code = "from resnet_scratch.compute.threads import num_threads; print(num_threads())"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                            env={**os.environ, "RESNET_SCRATCH_THREADS": value})  # fmt: skip
    assert expected in result.stdout + result.stderr


@pytest.fixture
def blas():
    """The numbers of threads of all BLAS libraries, which are 2 before the test."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threadpoolctl.threadpool_limits(2, "blas"):
        yield lambda: {i["num_threads"] for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas"}


@pytest.mark.parametrize("number", [1, 3])
def test_blas_is_held_to_one_thread_inside_and_gets_its_threads_back(blas, small_chunks, set_threads, number):
    set_threads(number)
    inside = []
    for images in (1, 4):
        over_batch(lambda x: inside.append(blas()), np.zeros(images))
        assert blas() == {2}
    with pytest.raises(ZeroDivisionError):
        over_batch(lambda x: 1 / 0, np.zeros(4))
    assert inside == [{1}] * 5 and blas() == {2}
    with limit_blas_threads(1):
        assert blas() == {1}
    assert blas() == {2}


@pytest.mark.parametrize("leaving", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_blas_gets_its_threads_back_in_whatever_order_callers_leave(blas, set_threads, leaving):
    """All callers live on after they have left: threadpoolctl 3.8 obeys only the first of them."""
    set_threads(1)
    may_leave, left = ([threading.Event() for _ in range(3)] for _ in range(2))
    may_end = threading.Event()
    for k in range(3):  # one after another enters
        entered = threading.Event()

        def work(k=k, entered=entered):
            entered.set()
            assert may_leave[k].wait(20)

        def caller(k=k, work=work):
            in_parallel(work, 1)
            left[k].set()
            may_end.wait(20)

        threading.Thread(target=caller, daemon=True).start()
        assert entered.wait(20)
    for k in leaving:
        assert blas() == {1}
        may_leave[k].set()
        assert left[k].wait(20)
    assert blas() == {2}
    with limit_blas_threads(1):  # and whoever comes next is obeyed
        assert blas() == {1}
    may_end.set()


SETUP = """
import os, threading
import numpy as np
from resnet_scratch.compute import batch, threads
batch.CHUNK_BYTES = 1
threads.set_num_threads(2)
blas = threads._blas()  # None without threadpoolctl

def total():
    both = threading.Barrier(2, timeout=20)  # passes only when two threads compute a part each
    def kernel(x):
        both.wait()
        assert blas is None or {library["num_threads"] for library in blas.info()} == {1}
        return batch.Sum(x.sum())
    return batch.over_batch(kernel, np.array([40, 2]))

def in_a_child():
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if total() == total() == 42 else 1)
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

assert total() == 42
"""
AFTER_USE = "assert in_a_child() == 0; assert total() == 42"
FROM_A_KERNEL = "assert batch.over_batch(lambda x: batch.Sum(in_a_child()), np.zeros(1)) == 0; assert total() == 42"
WHILE_OTHERS_ARE_INSIDE = """
both_in, may_end = threading.Barrier(3, timeout=20), threading.Event()
def kernel(x):
    both_in.wait()
    assert may_end.wait(20)
other = threading.Thread(target=batch.over_batch, args=(kernel, np.zeros(2)))
other.start()
both_in.wait()
assert in_a_child() == 0
may_end.set()
other.join(20)
with threads._one_thread_for_blas._lock:  # and in the very moment when another thread enters or leaves
    assert in_a_child() == 0
assert total() == 42
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("code", [AFTER_USE, FROM_A_KERNEL, WHILE_OTHERS_ARE_INSIDE])
def test_a_child_of_a_fork_has_threads_of_its_own(code):
    result = subprocess.run([sys.executable, "-c", SETUP + code], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr


def test_unless_chosen_there_is_a_thread_for_each_processor_that_may_be_used(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 8}, raising=False)
    monkeypatch.setattr(threads, "_threads", None)
    monkeypatch.setattr(threads, "_default", None)
    monkeypatch.delenv(threads.THREADS_VARIABLE, raising=False)
    assert threads.processors() == {3, 5, 8} and num_threads() == 3
