"""The command `resnet-scratch`. Here options are read and results printed; all else is in the library."""

from __future__ import annotations

import io
import sys

import click

from .. import __version__
from .bench import bench_command, summary_command
from .compare import compare
from .devices import crosscheck_command, doctor_command
from .exchange import export_command, import_command
from .exercises import exercises_command, grade_command
from .failures import Commands
from .mistakes import break_command
from .tools import data_command, evaluate_command, gradcheck_command, predict_command
from .train import train

COMPLETION = """\b
To complete commands, options and names with <TAB>, add a line to your
shell's start-up file (resnet-scratch must be on the PATH):
  bash  eval "$(_RESNET_SCRATCH_COMPLETE=bash_source resnet-scratch)"
  zsh   eval "$(_RESNET_SCRATCH_COMPLETE=zsh_source resnet-scratch)"
  fish  _RESNET_SCRATCH_COMPLETE=fish_source resnet-scratch | source
"""


@click.group(
    cls=Commands,
    epilog=COMPLETION,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__)
def main() -> None:
    """Residual networks from scratch: train them, use them, look inside.

    \b
    resnet-scratch train                      two or three minutes, no download
    resnet-scratch predict RUN_FOLDER cat.png
    resnet-scratch COMMAND --help
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal cannot show must not end a command
            stream.reconfigure(errors="backslashreplace")


COMMANDS = (
    train, evaluate_command, predict_command, compare, import_command, export_command, summary_command, bench_command,
    gradcheck_command, data_command, break_command, exercises_command, grade_command, doctor_command,
    crosscheck_command,
)  # fmt: skip
for command in COMMANDS:
    main.add_command(command)
