"""The commands that use a trained network, or look inside networks and data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..data import CLASSES, NAMES, UnknownDataError, load
from ..data.folder import left_out
from ..data.image_files import ImageFileError, find_image_files, read_image_file
from ..errors import printable
from ..experiment import plots
from ..experiment.evaluation import Evaluation, evaluate, images_at_once, predict
from ..experiment.exchange import UNKNOWN
from ..experiment.weights import load_model, recorded_data_dir, recorded_flip, recorded_mirror
from ..table import align, format_table, shorten, text_width, wrap
from ..verify import cases
from .exchange import per_channel
from .failures import CommandError, one_line
from .options import (
    DEVICE_HELP,
    FigureFile,
    Integer,
    command_line,
    device_option,
    option,
    resolved,
    threads_option,
    weights_argument,
)  # fmt: skip
from .processes import across_processes
from .settings import check_mirror, data_dir_option, data_option, image_size_option, mirror_option, size_of_images

MOST_CLASSES, WORST = 20, 5  # `evaluate` lists all classes if there are at most this many, else the worst ones


@click.command("evaluate", short_help="Test accuracy of a trained network.")
@weights_argument
@data_option(None, otherwise="the one it was trained on")
@data_dir_option
@option(
    "--flip/--no-flip",
    default=None,
    help="Average the logits of each image and its mirror image.  [default: as the run does]",
)
@device_option
@threads_option
@across_processes
def evaluate_command(weights: Path, data: str | None, data_dir: Path | None, flip: bool | None, device: str) -> None:
    """Test loss and accuracy of the network in WEIGHTS, a run's folder or its model.safetensors.

    Data are read from where the run had them, unless --data-dir names another place."""
    model, about = load_model(weights, device)
    H, W = about.image_size
    if H != W:
        raise CommandError(
            f"{weights} is for images of height {H} and width {W}; evaluate takes data sets of square images only"
        )
    if data in CLASSES:
        _check_classes(weights, about.classes, data, CLASSES[data])  # before they are downloaded
    known = recorded_data_dir(weights) if data in (None, about.dataset) else None
    try:
        dataset = load(data or about.dataset, data_dir=data_dir or known, image_size=H)
    except UnknownDataError as error:
        unknown = "does not say what it was trained on"
        what = unknown if about.dataset == UNKNOWN else f"was trained on {about.dataset!r}, which is not here"
        example = {10: "cifar10", 100: "cifar100"}.get(len(about.classes), "FOLDER_OF_IMAGES")
        raise CommandError(
            f"{weights} {what}: name a data set with --data, for example",
            command_line("evaluate", weights, "--data", example),
        ) from error
    _check_classes(weights, about.classes, dataset.name, dataset.classes)
    dataset = dataset.to(device)
    size = H if about.dataset != UNKNOWN else None  # of a network from elsewhere it is a guess
    flip = recorded_flip(weights) and (dataset.mirror or recorded_mirror(weights)) if flip is None else flip
    result = evaluate(model, dataset.test_images, dataset.test_labels, *about.normalisation(), size, flip)
    click.echo(
        wrap(
            f"{about.config['name']} on {dataset.name}, {len(dataset.test_images):,} test images"
            f"{' and their mirror images' if flip else ''}: accuracy {result.accuracy:.2%}, loss {result.loss:.4f}"
        )
    )
    click.echo(_accuracies(result, dataset.classes))


def _check_classes(weights: Path, known: Sequence[str], name: str, classes: Sequence[str]) -> None:
    """Raises UsageError unless the network and the data set `name` have the same classes, or as many without names."""
    if tuple(known) not in (tuple(classes), tuple(map(str, range(len(classes))))):
        raise click.UsageError(f"{weights} is for {_listed(known)}; {name} has {_listed(classes)}")


def _listed(classes: Sequence[str]) -> str:
    names = [shorten(name, 20) for name in classes[:4]] + ["..."] * (len(classes) > 4)
    return f"the {len(classes)} classes {', '.join(names)}"


def _accuracies(result: Evaluation, classes: Sequence[str]) -> str:
    """The accuracy of each class: a mean may hide one that is never recognised. Of many classes, the worst ones."""
    counts = plots.confusion_matrix(result.labels, result.predictions, len(classes))
    right, images = counts.diagonal(), counts.sum(1)
    rows = [
        (shorten(printable(classes[k]), 50), images[k], right[k] / images[k]) for k in np.flatnonzero(images).tolist()
    ]
    heading = "class"
    if len(rows) > MOST_CLASSES:
        heading, rows = f"worst {WORST} of {len(rows)} classes", sorted(rows, key=lambda row: row[2])[:WORST]
    return format_table({heading: "", "images": ",d", "accuracy": ".1%"}, rows)


@click.command("predict", short_help="Classify image files.")
@weights_argument
@click.argument("files", nargs=-1, required=True, metavar="IMAGES...", type=click.Path(path_type=Path))
@option("--top", default=3, type=Integer(min=1), help="How many classes to name.")
@device_option
@threads_option
@click.pass_context
def predict_command(context: click.Context, weights: Path, files: tuple[Path, ...], top: int, device: str) -> None:
    """What the network in WEIGHTS (a run's folder or its model.safetensors) sees in IMAGES: image files, or folders
    of them. PNG, JPEG, GIF, BMP, WebP and TIFF are read. Exit status 2 if any file could not be read.

    \b
    resnet-scratch predict runs/cifar10-fast-resnet20-... cat.jpg dog.png
    resnet-scratch predict runs/cifar10-fast-resnet20-... photographs
    """
    model, about = load_model(weights, device)
    paths, failed = find_image_files(files), False
    at_once = images_at_once(about.image_size)
    for begin in range(0, len(paths), at_once):
        images = {}
        for path in paths[begin : begin + at_once]:
            try:
                images[path] = read_image_file(path, about.image_size)
            except ImageFileError as error:
                click.echo(wrap(f"Error: {one_line(str(error))}"), err=True)
                failed = True
        if not images:
            continue
        for path, probabilities in zip(images, predict(model, np.stack(list(images.values())), about)):
            best = probabilities.argsort(kind="stable")[::-1][:top]
            seen = ", ".join(f"{about.classes[k]} {probabilities[k]:.1%}" for k in best)
            click.echo(f"{one_line(str(path))}: {seen}")
    if failed:
        context.exit(2)


@click.command("gradcheck", short_help="Check every backward by central differences.")
@option("--seed", default=0, type=Integer(min=0), help="Draws weights, inputs and directions.")
@option("--device", default="cpu", help=DEVICE_HELP, callback=resolved)
@click.option("--verbose", is_flag=True, help="Also a line for each tensor.")
@click.pass_context
def gradcheck_command(context: click.Context, seed: int, device: str, verbose: bool) -> None:
    """Check every backward against central differences: layers, blocks, whole nets. Exit status 1 if one is wrong."""

    def show(name: str, report: Any) -> None:
        click.echo(f"{name:<47}  {report.error:>7.1e}  {'ok' if report.passed else 'FAILED'}")
        if verbose or not report.passed:
            click.echo("".join(f"  {line}\n" for line in str(report).splitlines()))

    click.echo(f"{'':<47}  {'error':>7}")
    if not cases.check_cases(device, seed, show):
        click.echo("Not every gradient is right.")
        context.exit(1)
    click.echo("Every gradient is right.")


@click.command("data", short_help="Show a data set.")
@data_option("shapes")
@data_dir_option
@image_size_option
@mirror_option
@option("--sheet", type=FigureFile(), help="Write a figure with some images of each class here.")
def data_command(data: str, data_dir: Path | None, image_size: int | None, mirror: bool, sheet: Path | None) -> None:
    """How many images a data set has, of what size, and of which classes.

    \b
    resnet-scratch data --sheet shapes.png
    resnet-scratch data --data cifar10         downloads it if need be
    """
    check_mirror(data, mirror)
    dataset = load(data, data_dir=data_dir, image_size=size_of_images(data, image_size), mirror=mirror)
    H, W = dataset.train_images.shape[1:3]
    click.echo(
        f"{dataset.name}: {len(dataset.train_images):,} training and {len(dataset.test_images):,} test images\n"
        f"{H} x {W} pixels, mirror images {'allowed' if dataset.mirror else 'not allowed'}\n"
        f"scaled to 0..1: mean {per_channel(dataset.mean)}; std {per_channel(dataset.std)}"
    )
    names = [shorten(printable(name), 56) for name in dataset.classes]
    width = max(16, *map(text_width, names))
    for k, name in enumerate(names):
        training, test = ((labels == k).sum() for labels in (dataset.train_labels, dataset.test_labels))
        click.echo(f"{k:4} {align(name, width)} {training:7,} {test:7,}")
    if others := left_out(dataset.name) if data not in NAMES else None:
        click.echo(wrap("left out: " + ", ".join(f"{count} {printable(end)}" for end, count in others.most_common())))
    if sheet:
        sheet.parent.mkdir(parents=True, exist_ok=True)
        plots.contact_sheet(dataset.train_images, dataset.train_labels, dataset.classes).savefig(sheet)
        click.echo(f"Written: {sheet}")
