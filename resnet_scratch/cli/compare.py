"""`resnet-scratch compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import UserError, printable
from ..experiment import plots
from ..experiment.log import LOG_FILE, History, LogError, read_log
from ..experiment.weights import SETTINGS_FILE, recorded_settings
from ..table import format_table, short_names, wrap
from .options import FigureFile, option

CHOICES = (  # what an option of `train` sets or changes; the rest of a recipe goes with its name
    "recipe", "model", "dataset", "image_size", "mirror", "epochs", "steps", "length", "batch_size",
    "batch_norm_group", "optimizer", "learning_rate", "momentum", "nesterov", "weight_decay", "seed", "validation",
)  # fmt: skip


@click.command(short_help="Error curves of several runs in one figure.")
@click.argument("run_folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@option("--out", default="compare.png", type=FigureFile(), help="The figure to write.")
def compare(run_folders: tuple[Path, ...], out: Path) -> None:
    """Training and test error of several runs in one figure, and the settings in which they differ. Folders without a
    finished epoch are named, and left out.

    \b
    resnet-scratch train --model plain44 --run-dir runs/plain44
    resnet-scratch train --model resnet44 --run-dir runs/resnet44
    resnet-scratch compare runs/plain44 runs/resnet44
    """
    histories, settings, left_out = {}, {}, []
    for name, folder in zip(short_names(run_folders), run_folders):
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
    out.parent.mkdir(parents=True, exist_ok=True)
    plots.compare(histories, evaluated_on).savefig(out)
    click.echo(f"Written: {out}")


def _history(folder: Path) -> History:
    """The rows of the run's log, at least one. Raises LogError."""
    begun = (folder / SETTINGS_FILE).is_file() and not (folder / LOG_FILE).exists()
    if not (history := [] if begun else read_log(folder)):
        raise LogError(f"{folder} has no finished epoch yet")
    return history


def _length(recorded: dict[str, Any]) -> str:
    """Learning rates depend on the length that a run had at the time."""
    return "changed on the way" if recorded.get("earlier_lengths") else "as planned"


def _differences(settings: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each choice that is not the same in all runs, such as "seed: 1 in c; 0 in the other 3"."""
    choices = {
        run: {**recorded, **recipe, "recipe": recipe.get("name"), "length": _length(recorded)}
        for run, recorded in settings.items()
        if isinstance(recipe := recorded.get("recipe"), dict)
    }
    lines = []
    for name in CHOICES:
        runs: dict[str, list[str]] = {}
        for run, chosen in choices.items():
            runs.setdefault(str(chosen.get(name)), []).append(run)
        if len(runs) > 1:
            *rare, (usual, most) = sorted(runs.items(), key=lambda item: len(item[1]))
            texts = [f"{value} in {', '.join(those)}" for value, those in rare]
            texts.append(f"{usual} in {', '.join(most) if len(most) < 3 else f'the other {len(most)}'}")
            lines.append(printable(f"{name}: {'; '.join(texts)}"))
    return lines
