"""How a command reports what went wrong, and what the library warns of."""

from __future__ import annotations

import re
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..compute.processes import is_first_process, is_to_print_error
from ..errors import UserError, printable
from ..table import wrap

LESS_MEMORY = {  # what helps a command for which the memory is too small; the others have no such options
    "summary": ": a smaller --image-size or --classes needs less",
    "crosscheck": ": a smaller --batch-size needs less",
    "bench": ": a smaller --batch-size or --image-size needs less; `resnet-scratch summary` says how much",
    "train": ": a smaller --batch-size or --image-size needs less; `resnet-scratch summary` says how much",
    "evaluate": ": fewer --threads need less",
    "predict": ": fewer --threads need less",
}


def one_line(text: str) -> str:
    """The lines of `text` as one. Unusual spaces stay, because a path may have them."""
    return re.sub(r" *\n *", " ", printable(text).strip())


class CommandError(click.ClickException):
    """A user's mistake: its message, in lines that fit a terminal, then perhaps a command to paste; exit status 2."""

    exit_code = 2  # as click's own usage errors; 1 is left for a gradient that is wrong

    def __init__(self, message: str, command: str = "") -> None:
        super().__init__(one_line(message))
        self.command = command

    def show(self, file: Any = None) -> None:
        # they all have the same command line, so a mistake in it is everybody's
        if is_to_print_error(all_have_it=isinstance(self.__cause__, click.UsageError)):
            click.echo(wrap(f"Error: {self.message}") + (f"\n{self.command}" if self.command else ""), file, err=True)


class Commands(click.Group):
    """Commands that report a user's mistake as a `CommandError`. Any other exception is a mistake of ours, or in a
    layer that you are writing, and keeps its traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            with _warnings_as_messages():
                return super().invoke(context)
        except (BrokenPipeError, click.exceptions.NoArgsIsHelpError, CommandError):
            raise  # click knows what to do with `resnet-scratch ... | head`, and with no command at all
        except (click.ClickException, UserError, OSError) as error:
            raise CommandError(self._message(error, context)) from error
        except MemoryError as error:  # NumPy's says how much, CuPy's too
            wanted = str(error).partition(" for an array")[0]
            less = LESS_MEMORY.get(context.invoked_subcommand or "", "")
            raise CommandError(f"not enough memory{wanted and f' ({wanted})'}{less}") from error
        except KeyboardInterrupt:
            click.echo("\nAborted!", err=True)  # on a line of its own, after the terminal's ^C
            context.exit(128 + signal.SIGINT)  # as a shell reports it; 1 would be a verdict of gradcheck, or doctor

    def _message(self, error: Exception, context: click.Context) -> str:
        """What the error says, with the name of the option in place of that of the argument that it set."""
        if isinstance(error, click.ClickException):
            return error.format_message()
        text = reason(error)
        for parameter in self.commands[context.invoked_subcommand or ""].params:
            name, shown = parameter.name or "", parameter.opts[0]
            if shown.startswith("--") and name != "device":  # which is also that of --against
                several = rf"(?<!\S){name}(?= must | says |, \d)"  # a path may have the same words
                text = re.sub(several if "_" in name else rf"^{name}(?= must )", shown, text)
        return text


@contextmanager
def _warnings_as_messages() -> Iterator[None]:
    """A warning to the user is printed as errors are, once. One of NumPy's, say, keeps the line that it comes from."""
    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if category is not UserWarning:
            return usual(message, category, *where, **more)
        if str(message) not in shown and is_first_process():
            click.echo(wrap(f"Warning: {one_line(str(message))}"), err=True)
        shown.add(str(message))

    with warnings.catch_warnings():
        usual = warnings.showwarning
        warnings.showwarning = show
        yield


def reason(error: Exception) -> str:
    """What an error says: for a file, its name and what is wrong, without the system's error number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)
