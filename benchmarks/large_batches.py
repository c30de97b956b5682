"""Accuracy against the size of the batch, on CIFAR-10: what happens to a run when many processes share a batch.

    python benchmarks/large_batches.py runs/large-batches --data-dir DIR            trains, or goes on where it stopped
    python benchmarks/large_batches.py runs/large-batches --figure large_batches.png

A small network on small images, so that a run takes minutes; every run sees the same number of images. Three rules for
the learning rate: the same for every size; proportional to the size ("linear", Goyal et al. 2017, "Accurate, Large
Minibatch SGD", section 2.1); and proportional, but raised linearly from 0 at first ("linear + warm-up", 2.2). The last
column has the third rule, and batch norm over groups of 32 images, as if each process had 32 and shared no sums.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from many_runs import bring_to_its_end, draw_spreads, logs, parser, spread
from matplotlib.figure import Figure

from resnet_scratch.experiment.recipe import Recipe
from resnet_scratch.figures.style import BLUE, GREEN, GREY, ORANGE
from resnet_scratch.table import format_table

BASE = Recipe(
    name="large-batches",
    model="resnet8",
    dataset="cifar10",
    expect="",
    batch_size=128,
    epochs=4,
    schedule="multi_step",
    milestones=(0.6, 0.85),
    learning_rate=0.1,
    nesterov=True,
    weight_decay=5e-4,
    image_sizes=(16,),
)
SIZES = (128, 512, 1024, 2048)
RULES: dict[str, tuple[Callable[[int], float], float, int | None]] = {
    # name: learning rate for a batch k times as large, the part of the run that is warm-up, images in a group of norms
    "same rate": (lambda k: BASE.learning_rate, 0.0, None),
    "linear": (lambda k: k * BASE.learning_rate, 0.0, None),
    "linear + warm-up": (lambda k: k * BASE.learning_rate, 0.2, None),
    "norms of 32": (lambda k: k * BASE.learning_rate, 0.2, 32),
}
STYLES = {
    "same rate": (GREY, ":"),
    "linear": (ORANGE, "--"),
    "linear + warm-up": (BLUE, "-"),
    "norms of 32": (GREEN, "-."),
}


def name_of(rule: str, size: int) -> str:
    """What the runs of this rule and size are called; their seed is added."""
    return f"{rule.replace(' + ', '-').replace(' ', '-')}-{size}"


def train(runs: Path, rule: str, size: int, seed: int, data_dir: str | None) -> None:
    """Bring this run to its end, wherever it is."""
    rate, warmup, group = RULES[rule]
    recipe = dataclasses.replace(
        BASE, batch_size=size, learning_rate=rate(size // BASE.batch_size), warmup=warmup, batch_norm_group=group
    )
    bring_to_its_end(recipe, seed, runs / f"{name_of(rule, size)}-{seed}", data_dir)


def accuracies(runs: Path, rule: str, size: int) -> list[float]:
    """The test accuracies, in per cent, of the seeds that have been run; 10, as by guessing, for one that diverged."""
    if rule == "same rate" and size == BASE.batch_size:
        rule = "linear"  # the same runs
    found = logs(runs, name_of(rule, size), BASE.epochs)
    return [100 * log[-1]["test_accuracy"] if log else 10.0 for log in found]


def table(runs: Path) -> str:
    """A row for each size: mean and standard deviation over the seeds, for each rule."""
    rows = []
    for size in SIZES:
        found = [accuracies(runs, rule, size) for rule in RULES]
        rows.append([size, *(spread(a, ".1f") if len(a) > 1 else "" for a in found)])
    return format_table({"batch": ",d", **dict.fromkeys(RULES, "")}, rows)


def draw(runs: Path) -> Figure:
    """The same as a figure, with error bars of one standard deviation."""
    figure, axes = draw_spreads({
        rule: ({size: found for size in SIZES if len(found := accuracies(runs, rule, size)) > 1}, *STYLES[rule])
        for rule in STYLES
    })  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    axes.set(xlabel="images in a batch", ylabel="test accuracy (%)")
    return figure


if __name__ == "__main__":
    options = parser(__doc__).parse_args()
    if options.figure:
        draw(options.runs).savefig(options.figure, dpi=130)
    else:
        for seed in range(options.seeds):
            for size in SIZES:
                for rule in RULES if size > BASE.batch_size else ["linear"]:
                    train(options.runs, rule, size, seed, options.data_dir)
    print(table(options.runs))
