"""`resnet-scratch train`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..compute.backend import describe
from ..compute.processes import by_first_process
from ..data import UnknownDataError
from ..experiment import storage
from ..experiment.console import duration
from ..experiment.recipe import OPTIMIZERS, RECIPES
from ..experiment.run import STATE_FILE, Run
from ..experiment.trainer import finish, write_figures
from ..table import wrap
from .failures import CommandError, reason
from .options import (
    MODEL,
    MODELS,
    Folder,
    Integer,
    Name,
    Number,
    command_line,
    device_option,
    option,
    threads_option,
)  # fmt: skip
from .processes import across_processes
from .settings import data_dir_option, data_option, image_size_option, mirror_option, settings_of


def _recipe_list() -> str:
    lines = "\n\n".join(f"{r.name}: {r.model} on {r.dataset}. Expect {r.expect}." for r in RECIPES.values())
    return f"Recipes:\n\n{lines}"


@click.command(short_help="Train a network.", epilog=f"{MODELS}\n\n{_recipe_list()}")
@option("--recipe", default="shapes", type=Name("recipe", RECIPES), help="All choices under one name; see below.")
@option("--model", type=MODEL, help="The network; see below.  [default: the recipe's]")
@data_option(None, otherwise="the recipe's")
@data_dir_option
@image_size_option
@mirror_option
@option(
    "--epochs",
    type=Integer(min=1),
    help="Length of the whole run, schedule included.  [default: the recipe's]",
)
@option("--batch-size", type=Integer(min=1), help="Images per step.  [default: the recipe's]")
@option(
    "--lr",
    "learning_rate",
    type=Number(min=0, min_open=True),
    help="The highest learning rate of the schedule.  [default: the recipe's]",
)
@option(
    "--momentum",
    type=Number(min=0, max=1, max_open=True),
    help="The momentum of sgd, or the beta1 of adam.  [default: the recipe's]",
)
@option("--weight-decay", type=Number(min=0), help="Shrinks the weights at each step.  [default: the recipe's]")
@option(
    "--optimizer",
    type=click.Choice(list(OPTIMIZERS)),
    help="adam needs an --lr of its own, 0.001 to 0.01.  [default: the recipe's]",
)
@option(
    "--batch-norm-group",
    type=Integer(min=1),
    metavar="N",
    help="Take batch norm's statistics over every N successive images, as processes that do not share statistics "
    "would. [default: the whole batch's]",
)
@option("--seed", default=0, type=Integer(min=0), help="Decides everything random: same seed, same run, bit for bit.")
@option(
    "--validation",
    default=0,
    type=Integer(min=0),
    metavar="N",
    help="Hold out N training images and evaluate on them, not on the test images.",
)
@option("--run-dir", type=Folder(), help="Folder for the results.  [default: a new one in runs/]")
@option("--resume", type=Folder(), metavar="RUN_FOLDER", help="Continue a run; see above.")
@device_option
@threads_option
@across_processes
@click.pass_context
def train(context: click.Context, /, device: str, resume: Path | None, data_dir: Path | None, **choices: Any) -> None:
    """Train a network; figures, log and weights go to a folder of the run's own.

    \b
    resnet-scratch train                    shapes, drawn here: no download
    resnet-scratch train --recipe cifar10-fast
    resnet-scratch train --model plain44    and resnet44: see `compare`
    resnet-scratch train --resume runs/shapes-resnet8-...

    --resume continues a run that was stopped. The result is the same, bit for bit, as if it had never been interrupted,
    even with another number of --processes: 1, 2, 4 or 8 of them, with the same number of images each and at least 8.
    If your folder of images has moved, --data says where it is.

    --resume with --epochs gives a run another length, even one that has ended. Steps already taken are kept. From the
    next step on, the learning rate is that of the schedule over all epochs, so it may rise again; the run is not the
    one that would have been started with that many epochs. config.json in its folder records the change.
    """
    if resume:
        run = _resume(context, resume, device, choices["data"], data_dir, choices["epochs"])
    else:
        run = storage.start(settings_of(data_dir=data_dir, **choices), choices["run_dir"], device)
    recipe, dataset = run.settings.recipe, run.dataset
    parameters = sum(parameter.value.size for parameter in run.model.parameters())
    click.echo(f"{recipe.model}: {parameters:,} parameters, on {describe(run.device)}")
    click.echo(
        f"{dataset.name}: {len(dataset.train_images):,} images to train on, {len(dataset.test_images):,} "
        f"{run.evaluated_on} images, {len(dataset.classes)} classes"
    )
    plural = "s" if run.total_steps > 1 else ""
    click.echo(f"{run.total_steps:,} step{plural} of {recipe.batch_size} images (Ctrl-C stops and saves)")
    images = len(dataset.train_images)
    if not resume and (left_out := images % recipe.batch_size) > images / 10:
        click.echo(wrap(f"each epoch leaves out {left_out} of {images} images: a smaller --batch-size uses more"))
    click.echo(f"results go to {run.folder}")
    with _way_to_continue(run):
        evaluation = finish(run, click.echo)
    if isinstance(evaluation, signal.Signals):
        if evaluation.name != "SIGHUP":  # which says that the terminal is gone
            click.echo(f"Stopped after step {run.step} of {run.total_steps}. To continue:")
            click.echo(command_line("train", "--resume", run.folder))
        context.exit(128 + evaluation)  # as a shell reports it
    click.echo(
        f"Final {run.evaluated_on} accuracy {evaluation.accuracy:.2%} "
        f"(loss {evaluation.loss:.4f}) after {duration(run.seconds)}"
    )
    if recipe == RECIPES.get(recipe.name) and not (run.settings.validation or run.settings.earlier_lengths):
        click.echo(wrap(f"This recipe should reach: {recipe.expect}"))
    with _way_to_continue(run):
        paths = by_first_process(lambda: write_figures(run, evaluation))
    click.echo("Written:")
    for path in paths:
        click.echo(f"    {path}")


@contextmanager
def _way_to_continue(run: Run) -> Iterator[None]:
    """Where something cannot be written, on a full disk, say: a CommandError that names the command that continues the
    run, and draws the figures of one that has ended."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError) or not (run.folder / STATE_FILE).exists():
            raise
        message = f"{reason(error)}. The run is kept as it was saved last. Once that is fixed, continue it:"
        raise CommandError(message, command_line("train", "--resume", run.folder)) from error


def _resume(
    context: click.Context, folder: Path, device: str, data: str | None, data_dir: Path | None, epochs: int | None
) -> Run:
    """The run in the folder, with another length where `epochs` were given. All other settings are the run's own."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
        if given and parameter.name not in ("resume", "device", "threads", "number", "data", "data_dir", "epochs"):
            raise click.UsageError(f"--resume keeps the run's settings; leave out {parameter.opts[0]}")
    try:
        run = storage.resume(folder, device, str(data_dir.resolve()) if data_dir else None, data_name=data)
    except UnknownDataError as error:
        where = command_line("train", "--resume", folder, "--data", "FOLDER")
        raise CommandError(f"{error}. If the folder has moved, say where it is:", where) from error
    before = run.total_steps
    if epochs is not None:
        storage.set_epochs(run, epochs)
    click.echo(f"Continuing {run.folder}\nafter step {run.step} of {run.total_steps}")
    if run.total_steps != before and not run.finished:
        recipe = run.settings.recipe
        rate = recipe.learning_rates(run.total_steps)(run.step)
        click.echo(
            wrap(
                f"It had {before} steps. From step {run.step + 1} on, the learning rate is that of the "
                f"{recipe.schedule} schedule over {run.total_steps} steps, {rate:.3g} at first."
            )
        )
    return run
