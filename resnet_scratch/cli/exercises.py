"""The commands that write the students' copy of the exercises, and grade what comes back."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..errors import printable
from ..exercises import CHAPTERS
from ..exercises.grading import grade_hand_ins, marks_table, messages, write_grades
from ..exercises.handout import write_exercises
from ..table import command_text, wrap
from .options import File, Folder, Number, option

chapter_option = click.option(
    "--chapter", "chapters", multiple=True, type=int, help="Only this chapter. May be given several times."
)


@click.command("exercises", short_help="Write the exercises, with tests of the answers.")
@click.argument("folder", type=Folder())
@chapter_option
def exercises_command(folder: Path, chapters: tuple[int, ...]) -> None:
    """Write the exercises of the tutorials into FOLDER, without solutions. Run pytest there to check your answers.

    Your answers are kept: of existing files, only the tests and pytest.ini are written anew.

    \b
    resnet-scratch exercises my-exercises
    cd my-exercises
    python -m pytest -m task1_1
    """
    written, kept = write_exercises(folder, chapters or CHAPTERS)
    if kept:
        click.echo(wrap(f"unchanged: {', '.join(path.name for path in kept)}"))
    click.echo(wrap(f"written to {folder}: {', '.join(path.name for path in written)}"))
    click.echo(f"next:\n    {command_text('cd', folder)}\n    {command_text(sys.executable, '-m', 'pytest')}")


@click.command("grade", short_help="Grade hand-ins: students and their tasks in a table.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@chapter_option
@option("--seconds", type=Number(min=0, min_open=True), default=60, help="The time limit of each answer.")
@click.option(
    "--out",
    type=File(),
    help="A CSV file for the grades, with one for the messages beside it.",
)
def grade_command(folders: tuple[Path, ...], chapters: tuple[int, ...], seconds: float, out: Path | None) -> None:
    """Grade the answers in FOLDERS, one for each student: files of `resnet-scratch exercises`, or the `my-answers` of
    the notebooks. It runs the students' code, with your permissions.

    \b
    resnet-scratch grade hand-ins/* --chapter 4 --out grades.csv
    """
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)  # now, not after grading
    students = grade_hand_ins(folders, chapters, seconds)
    for line in [] if out else printable(messages(students)).splitlines():
        click.echo(wrap(line))
    click.echo(marks_table(students))
    if out:
        click.echo(wrap(f"Written: {out}, and what is wrong with each answer: {write_grades(out, students)}"))
