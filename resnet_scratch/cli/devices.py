"""The commands about devices: what works on this machine, and whether two devices agree."""

from __future__ import annotations

import click
import numpy as np

from ..models import build, configs
from ..table import wrap
from ..verify.crosscheck import TOLERANCE, crosscheck, first_difference, format_differences
from ..verify.doctor import WRONG, examine
from .options import MODEL, MODELS, Integer, option, resolved, threads_option


@click.command("doctor", short_help="What works on this machine.")
@threads_option
@click.pass_context
def doctor_command(context: click.Context) -> None:
    """What works on this machine, in about a minute: a report to paste into a message. Exit status 1 if something is
    wrong; having no GPU does not count."""
    wrong = False
    for line in examine():
        click.echo(wrap(line))
        wrong = wrong or WRONG in line
    context.exit(1 if wrong else 0)


@click.command("crosscheck", short_help="Do two devices compute the same, layer by layer?", epilog=MODELS)
@click.argument("model", type=MODEL, default="resnet8")
@option("--device", default="cuda", help="The device to check.", callback=resolved)
@option("--against", default="cpu", help="The device to compare it with.", callback=resolved)
@option("--batch-size", default=4, type=Integer(min=2), help="Images in the batch.")
@click.option("--float32", is_flag=True, help="As in training: shows rounding, without a verdict.")
@click.pass_context
def crosscheck_command(
    context: click.Context, model: str, device: str, against: str, batch_size: int, float32: bool
) -> None:
    """One forward and backward pass of MODEL (resnet8) on two devices; the largest difference in every layer. Exit
    status 1 when one is above what rounding explains."""
    if device == against:
        raise click.UsageError(f"there is nothing to compare: --device and --against are both {device}")
    rng = np.random.default_rng(0)
    network, size = build(model, rng=rng), configs.find(model).image_size
    images, labels = rng.standard_normal((batch_size, size, size, 3), np.float32), rng.integers(0, 10, batch_size)
    differences = crosscheck(network, images, labels, device, against, np.float32 if float32 else np.float64)
    click.echo(format_differences(differences))
    if float32:
        return
    first = first_difference(differences)
    if first is None:
        click.echo(f"{device} and {against} agree: no difference above {TOLERANCE:.0e}")
        return
    layer, direction = first
    click.echo(wrap(f"{device} and {against} differ by more than {TOLERANCE:.0e}, first in the {direction} of {layer}"))
    context.exit(1)
