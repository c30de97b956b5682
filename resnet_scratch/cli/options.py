"""What the commands share: options, and how a user's mistake is reported."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..compute.backend import NOT_INSTALLED, describe, resolve_device, why_no_gpu
from ..compute.threads import num_threads, set_num_threads
from ..errors import did_you_mean
from ..models import configs
from ..table import command_text, wrap


class Name(click.ParamType):
    """One of `names`. <TAB> completes it; a name that does not exist is an error that lists similar ones, then all."""

    def __init__(self, kind: str, names: Iterable[str], listed: str = "") -> None:
        self.name, self.names = kind, tuple(names)
        self.listed = listed or ", ".join(self.names)

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        if value not in self.names:
            meant = did_you_mean(value, self.names) or "."
            self.fail(f"there is no {self.name} {value!r}{meant} There are: {self.listed}", param, context)
        return value

    def shell_complete(self, context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in self.names if name.startswith(incomplete)]


def _families() -> list[str]:
    """The models, a family in each string, such as "resnet18, 34, 50, 101, 152"."""
    families: dict[tuple[str, int], list[str]] = {}
    for config in configs.CONFIGS.values():
        letters = config.name.rstrip("0123456789")
        families.setdefault((letters, config.image_size), []).append(config.name[len(letters) :])
    return [letters + ", ".join(depths) for (letters, _), depths in families.items()]


MODEL = Name("model", configs.NAMES, "; ".join(_families()))
MODELS = "\b\nModels:\n" + "\n".join(_families())  # for the help


class Number(click.FloatRange):
    """A finite number in a range."""

    name = "number"  # click's "float range" is in its messages

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> float:
        number = super().convert(value, param, context)
        if not math.isfinite(number):
            self.fail(f"must be a finite number, got {value}", param, context)
        return number


class Integer(click.IntRange):
    """A whole number in a range."""

    name = "integer"


class _Named(click.Path):
    """A path. An empty name is a mistake, such as a shell variable that is not set."""

    what, hint = "file", ""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=self.what == "file", dir_okay=self.what == "folder")

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        if value == "":
            self.fail(f"the name of the {self.what} is empty{self.hint}", param, context)
        return super().convert(value, param, context)


class Folder(_Named):
    """A folder."""

    what, hint = "folder", "; the current folder is '.'"


class File(_Named):
    """A file to write."""


class FigureFile(File):
    """A file to write a figure to, with an ending that Matplotlib knows; .png is added to a name without any."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        from matplotlib.figure import Figure  # takes a moment

        path = Path(str(super().convert(value, param, context)))
        known = Figure().canvas.get_supported_filetypes()
        if path.suffix and path.suffix[1:].lower() not in known:
            self.fail(
                f"the name of a figure must end in one of .{', .'.join(known)}; got {str(path)!r}", param, context
            )
        return path if path.suffix else path.with_suffix(".png")


def program() -> str:
    """How this program was called, so that a printed hint can be pasted: as `resnet-scratch` where that is on the PATH,
    else by its path, or by `python -m`."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return command_text(sys.executable, "-m", "resnet_scratch")
    found = shutil.which("resnet-scratch")
    if called.stem != "resnet-scratch":
        return "resnet-scratch"
    names = called.resolve(), called.with_suffix(".exe").resolve()  # Windows leaves .exe out
    return "resnet-scratch" if found and Path(found).resolve() in names else command_text(called)


def command_line(*arguments: Any) -> str:
    """A command of this program as a line to paste: as it was called, with quotation marks where they are needed."""
    return f"    {program()} {command_text(*arguments)}"


def option(*names: str, **settings: Any) -> Callable:
    """click's option, with its default shown."""
    return click.option(*names, **{"show_default": True, **settings})


def _set_threads(context: click.Context, parameter: click.Parameter, threads: int | None) -> None:
    if threads is not None:
        set_num_threads(threads)
    try:
        num_threads()  # the environment may have the last word, and may have it wrong
    except ValueError as error:
        raise click.UsageError(str(error)) from error


DEVICE_HELP = "cpu, cuda, cuda:1, ... or auto: a GPU if one works."


def resolved(context: click.Context, parameter: click.Parameter, device: str) -> str:
    """The device that is meant. `auto` says on the standard error which that is."""
    name = resolve_device(device)
    if device == "auto" and name != "cpu":
        click.echo(wrap(f"device: {describe(name)}"), err=True)
    elif device == "auto" and why_no_gpu() != NOT_INSTALLED:  # somebody wanted a GPU and does not get one
        click.echo(wrap(f"device: cpu, not a GPU: {why_no_gpu()}"), err=True)
    return name


device_option = option("--device", default="auto", help=DEVICE_HELP, callback=resolved)
threads_option = option(
    "--threads",
    type=Integer(min=1),
    help="CPU threads.  [default: all]",
    expose_value=False,
    callback=_set_threads,
)
weights_argument = click.argument("weights", type=click.Path(path_type=Path))
