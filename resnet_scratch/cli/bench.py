"""The commands that say what a network costs: `summary` counts, `bench` measures."""

from __future__ import annotations

from statistics import median

import click
import numpy as np

from ..compute.backend import describe
from ..compute.processes import number_of_processes
from ..compute.threads import num_threads
from ..data.shapes import TRAIN_IMAGES
from ..experiment.weights import LARGEST_IMAGE
from ..measure import bench
from ..measure.memory import peak_memory
from ..measure.scaling import scaling
from ..measure.summary import format_summary, summarise, training_memory
from ..models import build, configs
from ..table import format_table, wrap
from .failures import CommandError
from .options import DEVICE_HELP, MODEL, MODELS, Integer, command_line, option, resolved, threads_option
from .processes import across_processes

OURS = "resnet_scratch"
image_size_option = option(
    "--image-size", type=Integer(min=1, max=LARGEST_IMAGE), help="Height and width.  [default: the model's own]"
)


@click.command("summary", short_help="What a network costs, layer by layer.", epilog=MODELS)
@click.argument("model", type=MODEL)
@option("--classes", default=10, type=Integer(min=1), help="Number of classes.")
@image_size_option
@option("--batch-size", default=128, type=Integer(min=1), help="Images per training step, for its memory.")
def summary_command(model: str, classes: int, image_size: int | None, batch_size: int) -> None:
    """Shapes, parameters, multiply-adds and memory of MODEL, layer by layer.

    \b
    resnet-scratch summary resnet20
    resnet-scratch summary resnet18 --batch-size 32
    resnet-scratch summary resnet50 --classes 1000
    """
    network = build(model, classes, rng=np.random.default_rng(0))
    size = image_size or network.config.image_size
    rows = summarise(network, size)
    click.echo(format_summary(rows))
    step = training_memory(rows, batch_size)
    click.echo("mult-adds, in millions, and kept memory are those of one image")
    click.echo(
        wrap(
            f"a training step of {batch_size} image{'s' if batch_size > 1 else ''}, float32: {step.kept / 1e6:,.0f} MB "
            f"for weights, gradients, velocities and kept arrays; on a GPU, with a layer's columns, at most "
            f"{step.gpu_peak / 1e6:,.0f} MB"
        )
    )


@click.command("bench", short_help="How fast a network trains and infers.", epilog=MODELS)
@click.argument("model", type=MODEL, default="resnet20")
@option("--batch-size", default=128, type=Integer(min=2), help="Images per step.")
@image_size_option
@option("--repeats", default=10, type=Integer(min=1), help="Timings; their median is printed.")
@option("--against", type=click.Choice(["torch"]), help="Also time the same network in PyTorch.")
@click.option("--layers", is_flag=True, help="Also the time of each layer.")
@click.option("--memory", is_flag=True, help="Also the peak memory of training.")
@option("--device", default="cpu", help=DEVICE_HELP, callback=resolved)
@threads_option
@across_processes
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
    """Images per second of MODEL (resnet20), for training steps and for inference, on random images.

    \b
    resnet-scratch bench resnet20 --layers
    resnet-scratch bench resnet18 --batch-size 8 --against torch --memory
    resnet-scratch bench resnet20 --processes 2    what two gain, on one machine
    """
    if number_of_processes() > 1 and (against or memory or layers):
        raise click.UsageError("--against, --memory and --layers are for one process")
    if device != "cpu" and (against or memory):
        raise CommandError(
            f"--against and --memory work on the CPU only, got --device {device}; to see what a GPU needs, run",
            command_line("summary", model, "--batch-size", batch_size),
        )
    workload = bench.Workload(model, batch_size, image_size or configs.find(model).image_size, device=device)
    size = workload.image_size
    if number_of_processes() > 1:
        click.echo(f"{model}, batches of {batch_size} images of {size}x{size}, float32, medians of {repeats}")
        click.echo(_scaling(workload, repeats))
        return
    where = f"{num_threads()} threads, NumPy {np.__version__}" if device == "cpu" else describe(device)
    click.echo(f"{model}, batches of {batch_size} images of {size}x{size}, float32, medians of {repeats};\non {where}")
    peak = bench.sgemm_peak(device=device)
    click.echo(f"one large matrix product (sgemm): {2 * peak / 1e9:.0f} GFLOP/s\n")
    libraries = tuple(bench.LIBRARIES) if against else (OURS,)
    try:
        jobs = {library: bench.LIBRARIES[library](workload) for library in libraries}
    except ImportError as error:
        raise click.UsageError(str(error)) from error
    click.echo(_speeds(workload, jobs, repeats, peak))
    if size == 32 and batch_size <= TRAIN_IMAGES:
        share = bench.waiting_share(workload, repeats)
        click.echo(f"waiting for the next batch of the built-in data set: {share:.1%} of training")
    if memory:
        used = [(library, peak_memory(library, workload, num_threads()) / 1e6) for library in libraries]
        click.echo("\n" + format_table({"": "", "peak memory MB": ",.0f"}, used))
    if layers:
        click.echo("\n" + _layers(bench.layer_times(workload, repeats), peak))


def _speeds(workload: bench.Workload, jobs: dict[str, dict[str, bench.Job]], repeats: int, peak: float) -> str:
    """Images per second of each library; its time divided by ours; its share of the speed of a large product."""
    rows, work = [], bench.multiply_adds(workload)
    for kind in ("training step", "inference"):
        seconds = bench.race({library: jobs[library][kind] for library in jobs}, repeats)
        for library, times in seconds.items():
            ratio = median(theirs / ours for theirs, ours in zip(times, seconds[OURS]))
            middle = median(times)
            rows.append((kind, library, workload.batch_size / middle, ratio, work[kind] / middle / peak))
    columns = {"": "", "library": "", "images/s": ",.0f", "time / ours": ".2f", "of sgemm": ".0%"}
    return format_table(columns, rows)


def _layers(rows: list[bench.LayerTime], peak: float) -> str:
    """Each layer's times, its share of their sum, and its share of the speed of a large product."""
    forward, backward = sum(row.forward for row in rows), sum(row.backward for row in rows)
    lines = []
    for row in rows:
        seconds = row.forward + row.backward
        of_sgemm = row.multiply_adds / seconds / peak if row.multiply_adds else None
        share = seconds / (forward + backward)
        lines.append((row.name, row.kind, 1e3 * row.forward, 1e3 * row.backward, share, of_sgemm))
    total = ("total", None, 1e3 * forward, 1e3 * backward, 1.0, None)
    columns = {"layer": "", "kind": "", "fwd ms": ",.2f", "bwd ms": ",.2f", "share": ".1%", "of sgemm": ".0%"}
    return format_table(columns, lines, total)


def _scaling(workload: bench.Workload, repeats: int) -> str:
    """What several processes gain on this machine."""
    rows = [
        (r.processes, r.threads, r.images, r.images / r.seconds, r.speedup, r.communication)
        for r in scaling(workload, repeats)
    ]
    columns = {"processes": "d", "threads": "d", "batch": ",", "images/s": ",.0f", "speed-up": ".2f", "messages": ".1%"}
    return format_table(columns, rows)
