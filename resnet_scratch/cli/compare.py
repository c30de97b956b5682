"""`resnet-scratch compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UserError, printable
from ..experiment import plots
from ..experiment.log import LOG_FILE, History, LogError, read_log
from ..experiment.storage import SETTINGS_FILE
from ..experiment.weights import recorded_settings
from ..table import format_table, wrap
from .options import FigureFile, option

NO_CHOICES = ("name", "expect", "data_dir")  # what is in the settings but does not make a run another one


@click.command(short_help="Errors of several runs in one figure.")
@click.argument("run_folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--out", default="compare.png", type=FigureFile(), help="The figure to write.")
def compare(run_folders: tuple[Path, ...], out: Path) -> None:
    """Training and test error of several runs in one figure, and the settings in which they differ. Folders without a
    finished epoch are named, and left out.

    \b
    resnet-scratch train --model plain44 --run-dir runs/plain44
    resnet-scratch train --model resnet44 --run-dir runs/resnet44
    resnet-scratch compare runs/plain44 runs/resnet44
    """
    names = [folder.resolve().name for folder in run_folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in run_folders]
    histories, settings, left_out = {}, {}, []
    for name, folder in zip(names, run_folders):
        try:
            histories[name], settings[name] = _history(folder), recorded_settings(folder)
        except LogError as error:
            left_out.append(str(error))
    if not histories:
        raise UserError("; ".join(left_out))
    if left_out:
        click.echo(wrap(f"Left out: {printable('; '.join(left_out))}"), err=True)
    evaluated_on = " or ".join(sorted({"validation" if s.get("validation") else "test" for s in settings.values()}))
    rows = [
        (name, last["epoch"], 1 - last["train_accuracy"], 1 - last["test_accuracy"])
        for name, (*_, last) in histories.items()
    ]
    columns = {"run": "", "epoch": ".0f", "train error": ".2%", f"{evaluated_on} error": ".2%"}
    click.echo(format_table(columns, rows))
    for line in _differences(settings):
        click.echo(wrap(line))
    plots.compare(histories, evaluated_on).savefig(out)
    click.echo(f"Written: {out}")


def _history(folder: Path) -> History:
    """The rows of the run's log, at least one. Raises LogError."""
    begun = (folder / SETTINGS_FILE).is_file() and not (folder / LOG_FILE).exists()
    if not (history := [] if begun else read_log(folder)):
        raise LogError(f"{folder} has no finished epoch yet")
    return history


def _differences(settings: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each setting that is not the same in all runs, such as "seed: 0 in a, b; 1 in c"."""
    choices = {
        run: {"recipe": recipe.get("name"), **recipe, **{k: v for k, v in recorded.items() if k != "recipe"}}
        for run, recorded in settings.items()
        if isinstance(recipe := recorded.get("recipe"), dict)
    }
    lines = []
    for name in {name: None for chosen in choices.values() for name in chosen if name not in NO_CHOICES}:
        runs: dict[str, list[str]] = {}
        for run, chosen in choices.items():
            runs.setdefault(str(chosen.get(name)), []).append(run)
        if len(runs) > 1:
            lines.append(printable(f"{name}: " + "; ".join(f"{value} in {', '.join(runs[value])}" for value in runs)))
    return lines
