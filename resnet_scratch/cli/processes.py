"""Commands that several processes carry out together: started by mpiexec, or by --processes, which starts mpiexec."""

from __future__ import annotations

import functools
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import click

from ..compute.processes import INSTALL, find_mpiexec, launched_by_mpi, number_of_processes, processes
from ..experiment.console import COLUMNS_VARIABLE
from ..experiment.trainer import STOPPING
from .failures import CommandError
from .options import Integer, option


def across_processes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option --processes for a command, which all of these then carry out together."""

    @option(
        "--processes",
        "number",
        type=Integer(min=1),
        help="Processes that share the work and the processor's threads, over MPI. On several machines: mpiexec "
        "resnet-scratch ...  [default: 1]",
    )
    @functools.wraps(function)
    def command(*arguments: Any, number: int | None, **options: Any) -> Any:
        if number is not None and number > 1 and not launched_by_mpi():
            sys.exit(_by_mpiexec(number))
        with processes():
            if number is not None and number != number_of_processes():
                raise click.UsageError(f"--processes is {number}, but mpiexec has started {number_of_processes()}")
            return function(*arguments, **options)

    return command


def _by_mpiexec(number: int) -> int:
    """The exit status of mpiexec, which carries out the same command in `number` processes."""
    if (mpiexec := find_mpiexec()) is None:
        raise CommandError(f"--processes needs mpiexec, which is not on the PATH: {INSTALL}")
    if importlib.util.find_spec("mpi4py") is None:
        raise CommandError(f"--processes needs mpi4py, which is not installed: {INSTALL}")
    called = Path(sys.argv[0])  # on Windows without its .exe, so that it is no file
    program = [str(called)] if called.is_file() and called.name != "__main__.py" else ["-m", "resnet_scratch"]
    return _run([mpiexec, "-n", str(number), sys.executable, *program, *sys.argv[1:]])


def _run(command: list[str]) -> int:
    """Run mpiexec; returns its exit status, as a shell reports it.

    It passes on the signals that ask to stop, but a terminal that closes would end it and all processes at once: by
    SIGHUP, or because it cannot print any more. So it sees no terminal, and is sent SIGTERM instead.
    """
    environment = {**os.environ, **_terminal()}
    pipe = subprocess.PIPE
    mpiexec = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True, env=environment
    )

    def pass_on(number: int, frame: object) -> None:
        if os.name != "nt":  # on Windows, Ctrl-C is sent to all processes of a terminal
            mpiexec.send_signal(signal.SIGTERM if signal.Signals(number).name == "SIGHUP" else number)

    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP, for all that it starts
            signal.signal(number, pass_on)
    errors = threading.Thread(target=_print_all, args=(mpiexec.stderr, sys.stderr.buffer))
    errors.start()
    _print_all(mpiexec.stdout, sys.stdout.buffer)
    errors.join()
    status = mpiexec.wait()
    return status if status >= 0 else 128 - status  # ended by a signal


def _print_all(source: Any, target: BinaryIO) -> None:
    """Print what comes from a pipe until it ends; if the terminal is closed, drop it."""
    while text := source.read1():
        try:
            target.write(text)
            target.flush()
        except BrokenPipeError:  # `resnet-scratch ... | head`: so mpiexec learns of it, and ends
            return source.close()
        except OSError:
            pass


def _terminal() -> dict[str, str]:
    """The variable by which the processes learn what they cannot see: the width of the terminal, if there is one."""
    in_terminal = sys.stdout.isatty() and sys.stderr.isatty()
    return {COLUMNS_VARIABLE: str(os.get_terminal_size().columns)} if in_terminal else {}
