"""The command that hands out the exercises."""

from __future__ import annotations

from pathlib import Path

import click

from ..exercises import CHAPTERS
from ..exercises.cut import write_exercises


@click.command("exercises", short_help="A copy of the exercises to solve, with their checks.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--chapter", "chapters", multiple=True, type=int, help="Only this chapter; may be given repeatedly.")
def exercises_command(folder: Path, chapters: tuple[int, ...]) -> None:
    """Write the exercises of the tutorials into FOLDER, without their solutions; pytest there checks your answers.

    Nothing that is there already is changed.

    \b
    resnet-scratch exercises my-exercises
    cd my-exercises
    pytest -m task1_1
    """
    try:
        written, kept = write_exercises(folder, chapters or CHAPTERS)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if kept:
        click.echo(f"left as they are: {', '.join(path.name for path in kept)}")
    click.echo(f"written to {folder}: {', '.join(path.name for path in written) or 'nothing, all was there'}")
    click.echo(f"next: cd {folder}, then pytest")
