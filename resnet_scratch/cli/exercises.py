"""The command that writes the students' copy of the exercises."""

from __future__ import annotations

from pathlib import Path

import click

from ..exercises import CHAPTERS
from ..exercises.handout import write_exercises
from ..table import command_text, wrap


@click.command("exercises", short_help="Write the exercises, with tests of the answers.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--chapter", "chapters", multiple=True, type=int, help="Only this chapter. May be given several times.")
def exercises_command(folder: Path, chapters: tuple[int, ...]) -> None:
    """Write the exercises of the tutorials into FOLDER, without solutions. Run pytest there to check your answers.

    Existing files are not changed.

    \b
    resnet-scratch exercises my-exercises
    cd my-exercises
    pytest -m task1_1
    """
    written, kept = write_exercises(folder, chapters or CHAPTERS)
    if kept:
        click.echo(wrap(f"unchanged: {', '.join(path.name for path in kept)}"))
    names = ", ".join(path.name for path in written) or "nothing, all files exist"
    click.echo(wrap(f"written to {folder}: {names}"))
    click.echo(f"next:\n    {command_text('cd', folder)}\n    pytest")
