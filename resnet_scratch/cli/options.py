"""What the commands share: options, and how a user's mistake is reported."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..compute.backend import NOT_INSTALLED, describe, resolve_device, why_no_gpu
from ..compute.threads import num_threads, set_num_threads
from ..data import NAMES as DATASETS
from ..errors import UserError, printable
from ..models import configs


class OneLineErrors(click.Group):
    """A user's mistake ends as one line and exit status 2. Any other exception is a mistake of ours, or in a layer that
    you are writing, and keeps its traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except BrokenPipeError:
            raise  # `resnet-scratch ... | head`: click knows what to do
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            error.ctx = None  # else click prints how the command is used above the error
            raise
        except (UserError, OSError) as error:
            # exit status 2, as for any mistake in usage; 1 is left for a gradient that is wrong
            raise click.UsageError(" ".join(printable(str(error)).split())) from error


class Model(click.ParamType):
    """The name of a model that exists."""

    name = "model"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        try:
            return configs.find(value).name
        except ValueError as error:
            self.fail(str(error), param, context)


class Folder(click.Path):
    """A folder. An empty name is a mistake (a variable of the shell that is not set), not the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, file_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        if value == "":
            self.fail("the name of the folder is empty; the current folder is '.'", param, context)
        return super().convert(value, param, context)


class DataSet(click.ParamType):
    """The name of a data set, or the path of a folder of images."""

    name = "data"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        if value in DATASETS:
            return value
        if not Path(value).expanduser().is_dir():
            self.fail(f"must be {', '.join(DATASETS)} or a folder that exists, got {value!r}", param, context)
        return str(Path(value).expanduser().resolve())  # a run may be resumed from another folder


def program() -> str:
    """How this program was called, so that a printed hint can be pasted: as `resnet-scratch` where that is on the PATH,
    else by its path, or by `python -m`."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m resnet_scratch"
    found = shutil.which("resnet-scratch")
    if found and (called.stem != "resnet-scratch" or Path(found).resolve() == called.resolve()):
        return "resnet-scratch"
    return shlex.quote(str(called)) if called.stem == "resnet-scratch" else "resnet-scratch"


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


data_dir_option = option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the data set's files or archive are."
)
image_size_option = option(
    "--image-size", default=32, type=click.IntRange(min=1), help="Height and width of images from a folder."
)
DEVICES = "cpu, cuda, cuda:1, ... or auto: a GPU if one works."


def resolved(context: click.Context, parameter: click.Parameter, device: str) -> str:
    """The device that is meant. `auto` says on the standard error which that is."""
    name = resolve_device(device)
    if device == "auto" and name != "cpu":
        click.echo(f"device: {describe(name)}", err=True)
    elif device == "auto" and why_no_gpu() != NOT_INSTALLED:  # somebody wanted a GPU and does not get one
        click.echo(f"device: cpu, not a GPU: {why_no_gpu()}", err=True)
    return name


device_option = option("--device", default="auto", help=DEVICES, callback=resolved)
threads_option = option(
    "--threads",
    type=click.IntRange(min=1),
    help="Processor threads.  [default: all]",
    expose_value=False,
    callback=_set_threads,
)
weights_argument = click.argument("weights", type=click.Path(path_type=Path))


def data_option(default: str | None, otherwise: str = "") -> Callable:
    """--data, the name of a data set; without a default, `otherwise` says in the help what is taken."""
    text = "Data set, or a folder with a folder of images for each class."
    text += f"  [default: {otherwise}]" if otherwise else ""
    return option("--data", type=DataSet(), default=default, metavar="|".join((*DATASETS, "FOLDER")), help=text)
