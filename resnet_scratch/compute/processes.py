"""Processes that share every batch: the same computation on one machine or many, over MPI.

Every process holds the whole model, and its part of the images of every batch. It computes whatever is per image for
its own part; a sum over the batch is completed by exchanging messages. `over_batch` sees to that, so layers
(except batch norm over groups), optimizers and the training loop know nothing about processes.

    with processes():      # with `mpiexec -n 4 python script.py`: four processes that work together; else one alone
        ...

Inside, all must do the same things in the same order, because each waits for the messages of the others; `alone()` is
the exception. mpi4py is imported only in a process that MPI has started.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ..errors import UserError
from . import messages
from .backend import Array
from .threads import processors, share_processors

T = TypeVar("T")
LAUNCHED = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")  # in the environment, by mpiexec
SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")  # likewise
INSTALL = "pip install 'resnet_scratch[mpi]'"
PATIENCE = 3.0  # seconds that a process with an error waits for the others to have one too

_comm: Any = None  # MPI's communicator of the processes that work together; None: this one is alone
_is_first = True
_all_failed = False


class ProcessesError(UserError):
    """Processes that cannot work together."""


def launched_by_mpi() -> bool:
    """Whether mpiexec, or a cluster's own command, has started this process."""
    return any(name in os.environ for name in LAUNCHED)


def find_mpiexec() -> str | None:
    """The path of mpiexec: the one beside this Python, else the first on the PATH; None where there is none."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return shutil.which("mpiexec", path=path)


def is_to_print_error(all_have_it: bool) -> bool:
    """Whether this process is to print its error: where all have one, only the first process is."""
    number = next((os.environ[name] for name in LAUNCHED if name in os.environ), "0")
    return number == "0" or not (all_have_it or _all_failed)


def number_of_processes() -> int:
    """How many processes share a batch: 1 outside of `processes()`."""
    return 1 if _comm is None else _comm.size


def process_number() -> int:
    """Which of them this is, from 0."""
    return 0 if _comm is None else _comm.rank


def is_first_process() -> bool:
    """Whether this is the one that writes files and messages. It stays so after `processes()` has ended."""
    return _is_first


@contextmanager
def processes() -> Iterator[None]:
    """Inside, all processes that MPI has started together share every batch. In any other process nothing happens.

    What is printed inside is printed by the first of them only. Each uses as many threads as it has processors to
    itself, unless a number was chosen. An exception that not all raise ends them all: none waits for ever for messages
    from one that is gone. Raises ProcessesError where mpi4py or its MPI library is missing, or is not mpiexec's.
    """
    global _comm, _is_first, _all_failed
    if _comm is not None or not launched_by_mpi():
        yield
        return
    MPI = _import_mpi()
    world, errors = MPI.COMM_WORLD.Dup(), MPI.COMM_WORLD.Dup()
    neighbours = world.Split_type(MPI.COMM_TYPE_SHARED).allgather(processors())  # those on this machine
    share_processors(neighbours.count(processors()))
    with ExitStack() as stack:
        if world.rank > 0:
            stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        _comm, _is_first = world, world.rank == 0
        try:
            yield
        except BaseException as error:
            _all_failed = _all_arrive(errors, PATIENCE)
            if not _all_failed:
                _end_all(world, error)
            raise
        finally:
            _comm = None


def _import_mpi() -> Any:
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # mpi4py raises RuntimeError where it finds no MPI library
        reason = str(error).partition("\n")[0]
        raise ProcessesError(f"several processes need mpi4py and an MPI library ({reason}): {INSTALL}") from error
    seen = MPI.COMM_WORLD.size
    if (started := next((int(os.environ[name]) for name in SIZES if name in os.environ), seen)) != seen:
        raise ProcessesError(f"mpiexec has started {started} processes, mpi4py sees {seen}: its MPI library differs; "
                             "use the mpiexec beside this Python, or set MPI4PY_LIBMPI")  # fmt: skip
    return MPI


def wait_for_all() -> None:
    """Return when all processes have called this; until then, leave the processors to those that work."""
    if _comm is not None:
        _all_arrive(_comm, math.inf)


def _all_arrive(comm: Any, patience: float) -> bool:
    """Whether all processes call this within `patience` seconds."""
    request, deadline = comm.Ibarrier(), time.monotonic() + patience
    while not request.Test():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)
    return True


def _end_all(comm: Any, error: BaseException) -> NoReturn:
    """Say what happened to this process, and end all."""
    if comm.size > 1:
        print(f"\nprocess {comm.rank} of 0 to {comm.size - 1} ends all of them:", file=sys.stderr)
    if isinstance(error, (UserError, OSError, KeyboardInterrupt)):
        print(f"Error: {str(error) or type(error).__name__}", file=sys.stderr)
    else:
        traceback.print_exception(error)
    sys.stderr.flush()
    comm.Abort(1)
    raise error  # in case it returns


@contextmanager
def alone() -> Iterator[None]:
    """Inside, this process computes without the others, as if there were none."""
    global _comm
    before, _comm = _comm, None
    try:
        yield
    finally:
        _comm = before


def part_of_batch(images: int) -> slice:
    """Which of the images of a whole batch are this process's: as many as another's, give or take one.

    Raises ProcessesError when there are fewer images than processes.
    """
    if images < (size := number_of_processes()):
        raise ProcessesError(f"a batch must have an image for each of the {size} processes, got {images}")
    return slice(images * process_number() // size, images * (process_number() + 1) // size)


def sum_over_processes(values: list[Any]) -> list[Any]:
    """Each of the values (arrays or numbers), added over all processes; see `messages.all_sum`."""
    return messages.all_sum(_comm, values) if _comm is not None and values else values


def from_first_process(value: Array) -> Array:
    """The first process's value of an array that has the same shape and dtype in all."""
    return messages.broadcast(_comm, value) if _comm is not None else value


def share_out(function: Callable[[Any], T], items: Sequence[Any]) -> list[T]:
    """`[function(item) for item in items]` in every process, where each item's result is computed by one, alone."""
    size, rank = number_of_processes(), process_number()
    with alone():
        results = [function(item) for item in items[rank::size]]
    everyone = [results] if _comm is None else _comm.allgather(results)
    return [everyone[k % size][k // size] for k in range(len(items))]


def by_first_process(function: Callable[[], T]) -> T:
    """What `function()` returns in the first process, which alone calls it, for all. What it raises, all raise."""
    if _comm is None:
        return function()
    answer: tuple[Any, Exception | None] = None, None
    if _is_first:
        try:
            answer = function(), None
        except Exception as error:
            answer = None, error
    result, raised = _comm.bcast(answer)
    if raised is not None:
        raise raised
    return result


def largest(*numbers: int) -> tuple[int, ...]:
    """The largest value that any process has of each number: so all decide alike what only one process knows."""
    return numbers if _comm is None else tuple(map(max, zip(*_comm.allgather(numbers))))


def check_same(facts: Callable[[], Mapping[str, Any]]) -> None:
    """Raises ProcessesError, in all processes, naming those of `facts()` that are not the same in all."""
    if _comm is None:
        return
    everyone = _comm.allgather(dict(facts()))
    for number, theirs in enumerate(everyone):
        if different := [name for name, value in theirs.items() if value != everyone[0].get(name)]:
            raise ProcessesError(f"process {number} cannot work with process 0: different {', '.join(different)}")
