"""The command that writes the students' copy of the exercises."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UserError
from ..exercises import CHAPTERS
from ..exercises.handout import write_exercises


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
    try:
        written, kept = write_exercises(folder, chapters or CHAPTERS)
    except UserError as error:
        raise click.UsageError(str(error)) from error
    if kept:
        click.echo(f"unchanged: {', '.join(path.name for path in kept)}")
    click.echo(f"written to {folder}: {', '.join(path.name for path in written) or 'nothing, all files exist'}")
    click.echo(f"next: cd {folder}, then pytest")
