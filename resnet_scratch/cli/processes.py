"""Commands that several processes carry out together: started by mpiexec, or by --processes, which starts it."""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..compute.processes import INSTALL, find_mpiexec, launched_by_mpi, processes
from .options import Integer, Mistake, option


def across_processes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option --processes for a command, which all of these then carry out together."""

    @option(
        "--processes",
        "number",
        type=Integer(min=1),
        help="Processes that share the work, over MPI. On several machines: mpiexec resnet-scratch ...  [default: 1]",
    )
    @functools.wraps(function)
    def command(*arguments: Any, number: int | None, **options: Any) -> Any:
        if number is not None and number > 1 and not launched_by_mpi():
            _start_again(number)
        with processes():
            return function(*arguments, **options)

    return command


def _start_again(number: int) -> None:
    """Replace this process by mpiexec, which starts the same command in `number` processes."""
    if (mpiexec := find_mpiexec()) is None:
        raise Mistake(f"--processes needs mpiexec, which is not on the PATH: {INSTALL}")
    if importlib.util.find_spec("mpi4py") is None:
        raise Mistake(f"--processes needs mpi4py, which is not installed: {INSTALL}")
    called = Path(sys.argv[0])
    program = ["-m", "resnet_scratch"] if called.name == "__main__.py" else [str(called)]
    sys.stdout.flush()
    os.execv(mpiexec, [mpiexec, "-n", str(number), sys.executable, *program, *sys.argv[1:]])
