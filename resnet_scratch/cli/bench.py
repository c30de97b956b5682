"""The command that measures speed and memory."""

from __future__ import annotations

from statistics import median

import click
import numpy as np

from ..compute.backend import describe
from ..compute.threads import num_threads
from ..measure import bench
from ..measure.memory import peak_memory
from ..models import configs
from .options import DEVICES, Model, option, resolved, threads_option

TORCH = ("torch NCHW", "torch channels_last")


@click.command("bench", short_help="How fast a network trains and infers.")
@click.argument("model", type=Model(), default="resnet20")
@option("--batch-size", default=128, type=click.IntRange(min=2), help="Images per step.")
@option("--image-size", type=click.IntRange(min=1), help="Height and width.  [default: the model's own]")
@option("--repeats", default=10, type=click.IntRange(min=1), help="How often each is timed; medians count.")
@option("--against", type=click.Choice(["torch"]), help="Time the same network in PyTorch, in turn with ours.")
@click.option("--layers", is_flag=True, help="Also a line for each layer.")
@click.option("--memory", is_flag=True, help="Also the peak memory of training, in processes of their own.")
@option("--device", default="cpu", help=DEVICES, callback=resolved)
@threads_option
def bench_command(
    model: str,
    batch_size: int,
    image_size: int | None,
    repeats: int,
    against: str | None,
    layers: bool,
    memory: bool,
    device: str,
) -> None:
    """Images per second of MODEL (resnet20), for training steps and for inference, on random pictures.

    \b
    resnet-scratch bench resnet20 --layers
    resnet-scratch bench resnet18 --batch-size 8 --against torch --memory
    """
    if device != "cpu" and (against or memory):
        raise click.UsageError(f"--against and --memory are for the processor; on {device}, see `summary --batch-size`")
    task = bench.Task(model, batch_size, image_size or configs.find(model).image_size, device=device)
    where = f"{num_threads()} threads, NumPy {np.__version__}" if device == "cpu" else describe(device)
    rivals = ("resnet_scratch", *(TORCH if against else ()))
    click.echo(
        f"{model}, batch of {batch_size} images of {task.image_size}x{task.image_size}, float32, "
        f"{where}; medians of {repeats}, taken in turn"
    )
    peak = bench.sgemm_peak(device=device)
    click.echo(f"one large matrix product there: {2 * peak / 1e9:.0f} GFLOP/s\n")
    try:
        jobs = {rival: bench.RIVALS[rival](task) for rival in rivals}
    except ImportError as error:
        raise click.UsageError(str(error)) from error
    click.echo(f"{'':<16}{'':<22}{'images/s':>10}{'ours is x times':>18}{'x of sgemm peak':>18}")
    work = bench.multiply_adds(task)
    for kind in ("training step", "inference"):
        seconds = bench.race({rival: jobs[rival][kind] for rival in rivals}, repeats)
        for rival in rivals:
            ratio = median(theirs / ours for theirs, ours in zip(seconds[rival], seconds["resnet_scratch"]))
            share = work[kind] / median(seconds[rival]) / peak
            speed = batch_size / median(seconds[rival])
            click.echo(
                f"{kind:<16}{rival:<22}{speed:>10.0f}{f'{ratio:.2f}' if rival in TORCH else '':>18}{share:>18.0%}"
            )
    if task.image_size == 32:
        share = bench.waiting_share(task, repeats)
        click.echo(f"waiting for the next batch of the built-in data set: {share:.1%} of a training run's time")
    if memory:
        click.echo("")
        for rival in rivals:
            used = peak_memory(rival, task, num_threads())
            click.echo(f"{'peak memory':<16}{rival:<22}{used / 1e6:>7.0f} MB")
    if layers:
        rows = bench.layer_times(task, repeats)
        total = sum(forward + backward for _, _, forward, backward, _ in rows)
        click.echo(f"\n{'layer':<24}{'kind':<15}{'forward ms':>11}{'backward ms':>12}{'of step':>9}{'x of peak':>11}")
        for name, kind, forward, backward, products in rows:
            seconds, share = forward + backward, f"{products / (forward + backward) / peak:.0%}" if products else ""
            click.echo(
                f"{name:<24}{kind:<15}{1e3 * forward:>11.2f}{1e3 * backward:>12.2f}{seconds / total:>9.1%}{share:>11}"
            )
