"""`resnet-scratch train` and `compare`."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Any

import click

from ..compute.backend import describe
from ..errors import UserError
from ..experiment import plots, storage
from ..experiment.console import duration
from ..experiment.log import read_log
from ..experiment.recipe import OPTIMIZERS, RECIPES
from ..experiment.recipe import find as find_recipe
from ..experiment.run import Settings
from ..experiment.trainer import finish, write_figures
from .options import (
    Folder,
    Model,
    data_dir_option,
    data_option,
    device_option,
    image_size_option,
    option,
    program,
    threads_option,
)  # fmt: skip


def _recipe_list() -> str:
    lines = "\n\n".join(f"{r.name}: {r.model} on {r.dataset}. Expect {r.expect}." for r in RECIPES.values())
    return f"Recipes:\n\n{lines}"


@click.command(short_help="Train a network.", epilog=_recipe_list())
@option("--recipe", default="shapes", type=click.Choice(list(RECIPES)), help="All choices under one name; see below.")
@option("--model", type=Model(), help="Another model than the recipe's: resnet20, plain44, ...")
@data_option(None, otherwise="the recipe's")
@data_dir_option
@image_size_option
@option("--epochs", type=click.IntRange(min=1), help="Another length; the schedule is stretched to it.")
@option("--batch-size", type=click.IntRange(min=1), help="Images per step.  [default: the recipe's]")
@option(
    "--learning-rate",
    type=click.FloatRange(min=0, min_open=True),
    help="The highest of the schedule.  [default: the recipe's]",
)
@option(
    "--optimizer",
    type=click.Choice(list(OPTIMIZERS)),
    help="adam wants a smaller --learning-rate, 0.001 to 0.01.  [default: the recipe's]",
)
@option(
    "--seed", default=0, type=click.IntRange(min=0), help="Decides everything random: same seed, same run, to the bit."
)
@option(
    "--validation",
    default=0,
    type=click.IntRange(min=0),
    metavar="N",
    help="Hold out N training images and evaluate on them, not on the test images.",
)
@option("--run-dir", type=Folder(), help="Folder for the results.  [default: a new one in runs/]")
@option("--resume", type=Folder(), metavar="RUN_FOLDER", help="Continue a run that was stopped.")
@device_option
@threads_option
@click.pass_context
def train(context: click.Context, /, device: str, resume: Path | None, data_dir: Path | None, **choices: Any) -> None:
    """Train a network; figures, log and weights go to a folder of the run's own.

    \b
    resnet-scratch train                                    shapes, drawn by the library: no download
    resnet-scratch train --recipe cifar10-fast
    resnet-scratch train --model plain44                    and resnet44: see `compare`
    resnet-scratch train --resume runs/shapes-resnet8-...   after Ctrl-C
    """
    if resume:
        given = [
            name for name in choices if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        ]
        if given:
            raise click.UsageError(f"--resume keeps the run's settings; leave out --{given[0].replace('_', '-')}")
        run = storage.resume(resume, device, str(data_dir.resolve()) if data_dir else None)
        click.echo(f"Continuing {run.folder} after step {run.step} of {run.total_steps}")
    else:
        run = storage.start(_settings(data_dir=data_dir, **choices), choices["run_dir"], device)
    recipe, dataset = run.settings.recipe, run.dataset
    parameters = sum(parameter.value.size for parameter in run.model.parameters())
    click.echo(f"{recipe.model}: {parameters:,} parameters, on {describe(run.device)}")
    click.echo(
        f"{dataset.name}: {len(dataset.train_images):,} images to train on, {len(dataset.test_images):,} "
        f"{run.evaluated_on} images, {len(dataset.classes)} classes"
    )
    click.echo(
        f"{run.total_steps:,} steps of {recipe.batch_size} images; results go to {run.folder} (Ctrl-C stops and saves)"
    )
    evaluation = finish(run, click.echo)
    if isinstance(evaluation, signal.Signals):
        if evaluation.name != "SIGHUP":  # which says that the terminal is gone
            click.echo(
                f"Stopped after step {run.step} of {run.total_steps}. To continue:\n"
                f"    {program()} train --resume {run.folder}"
            )
        context.exit(128 + evaluation)  # as a shell reports it
    click.echo(
        f"Final {run.evaluated_on} accuracy {evaluation.accuracy:.2%} "
        f"(loss {evaluation.loss:.4f}) after {duration(run.seconds)}"
    )
    if recipe == RECIPES.get(recipe.name):
        click.echo(f"This recipe should reach: {recipe.expect}")
    click.echo("Written:")
    for path in write_figures(run, evaluation):
        click.echo(f"    {path}")


def _settings(
    recipe: str, data: str | None, data_dir: Path | None, seed: int, validation: int, image_size: int, **choices: Any
) -> Settings:
    """The settings of a run: the recipe, with what was chosen differently."""
    names = ("model", "batch_size", "learning_rate", "epochs", "optimizer")
    changes = {name: choices[name] for name in names if choices[name] is not None}
    if data is not None:
        changes["dataset"] = data
    if "epochs" in changes:
        changes["steps"] = None
    folder = str(data_dir.resolve()) if data_dir else None  # absolute: a run may be resumed from another folder
    return Settings(dataclasses.replace(find_recipe(recipe), **changes), seed, validation, folder, image_size)


@click.command(short_help="Errors of several runs in one figure.")
@click.argument("run_folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@option("--out", default="compare.png", type=click.Path(path_type=Path, dir_okay=False), help="The figure to write.")
def compare(run_folders: tuple[Path, ...], out: Path) -> None:
    """Training and test error of several runs in one figure.

    \b
    resnet-scratch train --model plain44 --run-dir runs/plain44
    resnet-scratch train --model resnet44 --run-dir runs/resnet44
    resnet-scratch compare runs/plain44 runs/resnet44
    """
    names = [folder.resolve().name for folder in run_folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in run_folders]
    histories = {name: read_log(folder) for name, folder in zip(names, run_folders)}
    for name, history in histories.items():
        if not history:
            raise UserError(f"{name} has no finished epoch yet")
        last = history[-1]
        click.echo(
            f"{name}: after epoch {last['epoch']:.0f} train error {1 - last['train_accuracy']:.2%}, "
            f"test error {1 - last['test_accuracy']:.2%}"
        )
    plots.compare(histories).savefig(out)
    click.echo(f"Written: {out}")
