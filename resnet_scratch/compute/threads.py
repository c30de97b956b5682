"""Threads that share the chunks of a batch, and BLAS kept from starting more."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from contextvars import copy_context
from functools import cache, lru_cache, partial
from numbers import Integral
from queue import SimpleQueue
from typing import Any, TypeVar

from ..errors import UserError

THREADS_VARIABLE = "RESNET_SCRATCH_THREADS"
T = TypeVar("T")

_threads: int | None = None  # as chosen
_default: int | None = None  # where none was chosen
_this_thread = threading.local()


def num_threads() -> int:
    """How many threads share a batch: as set, else from RESNET_SCRATCH_THREADS, else all processors we may use.

    Raises UserError when that variable is not a whole number of at least 1.
    """
    global _default
    if _threads is not None:
        return _threads
    if _default is None:
        value = os.environ.get(THREADS_VARIABLE, str(len(processors())))
        if not (value.isdecimal() and int(value) > 0):
            raise UserError(f"{THREADS_VARIABLE} must be a whole number of at least 1, got {value!r}")
        _default = int(value)
    return _default


def set_num_threads(threads: int) -> None:
    """Choose how many threads share a batch. With one, none is started. Results do not depend on it.

    Raises ValueError unless `threads` is a whole number of at least 1.
    """
    global _threads
    if not isinstance(threads, Integral) or threads < 1:
        raise ValueError(f"threads must be a whole number of at least 1, got {threads!r}")
    _threads = int(threads)


def processors() -> frozenset[int]:
    """The numbers of the processors that this process may use."""
    if sys.platform in ("emscripten", "wasi"):  # in a browser no thread can be started
        return frozenset([0])
    available = getattr(os, "sched_getaffinity", None)
    return frozenset(available(0) if available else range(os.cpu_count() or 1))


def share_processors(processes: int) -> None:
    """Where no number of threads was chosen, give each of the `processes` an equal share of the processors."""
    global _default
    if THREADS_VARIABLE not in os.environ:
        _default = max(1, len(processors()) // processes)


def inside_parallel() -> bool:
    """Whether the caller is itself `work` of `in_parallel` or `as_part`."""
    return getattr(_this_thread, "busy", False)


def as_part(work: Callable[[], T]) -> T:
    """`work()`, as a part of something larger: in it, `inside_parallel` is true."""
    before = inside_parallel()
    _this_thread.busy = True
    try:
        return work()
    finally:
        _this_thread.busy = before


def in_parallel(work: Callable[[], None], most: int) -> None:
    """Call `work()` in all threads at once, but in no more than `most`, and return when all are done.

    The threads share the work among themselves, and have the caller's context, such as its `np.errstate`. A `work` that
    calls this again goes on alone: all threads may be busy with work like it. Raises what `work` raises, after all
    threads have ended: the arrays they write to are the caller's.
    """
    if inside_parallel():
        return work()
    threads = num_threads()  # asked once: it may change meanwhile
    tasks, started = _helpers(threads if most > 1 else 1)
    helpers = min(started, most - 1)
    with _one_thread_for_blas:
        done: SimpleQueue = SimpleQueue()
        for _ in range(helpers):
            tasks.put((copy_context(), partial(as_part, work), done))
        try:
            as_part(work)
        finally:
            errors = [done.get() for _ in range(helpers)]
    for error in errors:
        if error is not None:
            raise error


@cache
def _helpers(threads: int) -> tuple[SimpleQueue, int]:
    """The queue of (the caller's context, work, where to put the error or None) from which helper threads take, and
    how many do: one fewer than `threads`, since the caller works too, or as many as the system lets us start. They are
    started once for each number of threads, and wait when another is chosen.

    A region of a few hundred microseconds is the common case here, so waking a helper must be cheap: a plain queue
    does it in a quarter of the time that `concurrent.futures` takes.
    """
    tasks: SimpleQueue = SimpleQueue()

    def help_out() -> None:
        while True:
            context, work, done = tasks.get()
            error: BaseException | None = None
            try:
                context.run(work)
            except BaseException as raised:  # handed over, to be raised in the thread that asked
                error = raised
            del context, work  # or a thread that waits would keep the arrays that it worked on last
            done.put(error)
            del done, error

    started = 0
    with suppress(RuntimeError):  # "can't start new thread"
        for k in range(threads - 1):
            threading.Thread(target=help_out, name=f"resnet_scratch {k + 1}", daemon=True).start()
            started += 1
    return tasks, started


class _OneThreadForBlas:
    """A context in which NumPy's BLAS starts no threads of its own. It may be entered by several threads at a time:
    the first to enter notes how many threads BLAS had, the last to leave gives them back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[tuple[Any, int]] = []  # (library, its threads) of those that had more than one

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0 and (blas := _blas()) is not None:
                self._before = [(library, n) for library in blas.lib_controllers if (n := library.num_threads) != 1]
                for library, _ in self._before:
                    _set_threads(library, 1)
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for library, threads in self._before:
                    _set_threads(library, threads)


_one_thread_for_blas = _OneThreadForBlas()


@lru_cache(maxsize=1)
def _blas() -> Any:
    """What limits the threads of NumPy's BLAS; None where threadpoolctl is not installed or finds no BLAS."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return None
    return ThreadpoolController().select(user_api="blas")


def _set_threads(library: Any, threads: int) -> None:
    """Set the threads of a BLAS, from any of ours. threadpoolctl 3.8 obeys only the thread that set them first, and
    silently ignores all others; but here the last thread to leave, which restores them, may be another."""
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(threads)
    release(force=True)


def limit_blas_threads(threads: int) -> Any:
    """A context in which NumPy's BLAS uses this many threads. Without threadpoolctl it does nothing."""
    blas = _blas()
    return nullcontext() if blas is None else blas.limit(limits=threads)


def _after_fork() -> None:
    """A fork copies the thread that called it and no other: the child begins without helpers and with free locks."""
    _helpers.cache_clear()
    _this_thread.busy = False
    _one_thread_for_blas.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
