"""From `cifar10-fast` to `cifar10-quick`, idea by idea: what each gives, in accuracy and in time.

    python benchmarks/quick_ladder.py runs/ladder --data-dir DIR           trains, or goes on where it stopped
    python benchmarks/quick_ladder.py runs/ladder --figure ladder.png --over-time quick.png

Each rung adds its idea to the rung before. `no-...` is `cifar10-quick` without one of the ideas. All train for ten
epochs, with seed 0, then with seed 1, and so on: the times for one seed can be compared, if nothing else runs. The last
idea, flips in evaluation, needs no training, so every run uses it, and is evaluated once more without it. With
--pytorch FOLDER, the figure over time also shows the run of pytorch_recipe.py in that folder.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

from many_runs import DIVERGED, bring_to_its_end, logs, parser, spread
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from resnet_scratch import load_data, load_model
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.log import read_log
from resnet_scratch.experiment.recipe import Recipe, find
from resnet_scratch.experiment.run import Run
from resnet_scratch.figures.style import BLUE, GREY, ORANGE
from resnet_scratch.table import format_table

RUNGS: dict[str, tuple[str, dict[str, Any]]] = {  # name of the runs: the idea, and what it changes in the recipe
    "fast": ("cifar10-fast: ResNet-20", {"flip_in_evaluation": True}),
    "model": ("ResNet-8, wide, with patches", {"model": "resnet8-wide"}),
    "rate": ("256 images, rate 0.6, highest early", {"batch_size": 256, "learning_rate": 0.6, "peak_at": 0.2}),
    "nesterov": ("Nesterov; biases, norms not decayed", {"nesterov": True, "decay_biases_and_norms": False}),
    "smoothing": ("labels smoothed by 0.1", {"label_smoothing": 0.1}),
    "crop": ("shifts of 2 pixels, not of 4", {"crop_padding": 2}),
    "sizes": ("24x24 pixels at first: cifar10-quick", {"image_sizes": (24, 32), "larger_at": (0.4,)}),
}
EPOCHS = find("cifar10-quick").epochs
WITHOUT_FLIPS = "without_flips.txt"  # in a run's folder: the accuracy of its last weights without flips


def rungs() -> dict[str, Recipe]:
    """The recipe of each rung. Raises AssertionError unless the last one is cifar10-quick."""
    made, recipe = {}, find("cifar10-fast")
    for name, (_, changes) in RUNGS.items():
        made[name] = recipe = dataclasses.replace(recipe, **changes)
    quick = find("cifar10-quick")
    assert dataclasses.replace(recipe, name=quick.name, expect=quick.expect) == quick, "the ladder ends elsewhere"
    return made


def without_one() -> dict[str, Recipe]:
    """cifar10-quick without one of its ideas, with cifar10-fast's setting in its place.

    Smaller images are not among these ideas: without them, cifar10-quick is the rung before the last."""
    fast, *_, quick = rungs().values()
    return {
        f"no-{name}": dataclasses.replace(quick, **{field: getattr(fast, field) for field in changes})
        for name, (_, changes) in list(RUNGS.items())[1:-1]
    }


def idea_of(name: str) -> str:
    """What a row of the table says about these runs."""
    return f"without: {RUNGS[name.removeprefix('no-')][0]}" if name.startswith("no-") else RUNGS[name][0]


def run(
    recipe: Recipe, seed: int, folder: Path, data_dir: str | None, begin: Callable[[Run], None] | None = None
) -> None:
    """Bring this run to its end, and evaluate its last weights without flips, unless it diverged."""
    bring_to_its_end(recipe, seed, folder, data_dir, begin)
    if not (folder / WITHOUT_FLIPS).exists() and not (folder / DIVERGED).exists():
        model, about = load_model(folder)
        data = load_data(recipe.dataset, data_dir=data_dir)
        found = evaluate(model, data.test_images, data.test_labels, *about.normalisation())
        (folder / WITHOUT_FLIPS).write_text(f"{found.accuracy}\n")


def results(runs: Path, name: str) -> tuple[list[float], list[float], list[float]]:
    """Of the seeds that have been run: accuracy without and with flips, in per cent, and minutes with evaluation."""
    ended = [log for log in logs(runs, name, EPOCHS) if log]
    without = [100 * float(path.read_text()) for path in sorted(runs.glob(f"{name}-[0-9]*/{WITHOUT_FLIPS}"))]
    return without, [100 * log[-1]["test_accuracy"] for log in ended], [log[-1]["seconds"] / 60 for log in ended]


def table(runs: Path) -> str:
    """A row for each rung, and for each idea that was left out: mean and standard deviation over the seeds."""
    rows = [
        [idea_of(name), *(spread(values, form) for values, form in zip(results(runs, name), (".2f", ".2f", ".1f")))]
        for name in (*rungs(), *without_one())
    ]
    return format_table({"idea": "", "accuracy (%)": "", "with flips": "", "minutes": ""}, rows)


def draw(runs: Path) -> Figure:
    """The accuracy of each rung with flips, and of each idea left out: a point for each seed, a line at their mean."""
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    colours = dict.fromkeys(rungs(), BLUE) | dict.fromkeys(without_one(), ORANGE)
    with_flips = {name: found for name in colours if (found := results(runs, name)[1])}
    for row, (name, accuracies) in enumerate(with_flips.items()):
        colour = colours[name]
        axes.plot(accuracies, [row] * len(accuracies), "o", color=colour, markersize=5, alpha=0.6, clip_on=False)
        axes.plot([mean(accuracies)] * 2, [row - 0.3, row + 0.3], color=colour, linewidth=2)
    axes.set_yticks(range(len(with_flips)), [idea_of(name) for name in with_flips])
    axes.invert_yaxis()
    axes.set_xlabel("test accuracy with flips (%)")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#e5e5e5")
    axes.set_axisbelow(True)
    return figure


def draw_over_time(runs: Path, pytorch: Path | None) -> Figure:
    """Test accuracy over time: the first rung, the last one, and PyTorch with the first one's recipe."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    curves = [(name, logs(runs, name, EPOCHS)) for name in ("fast", "sizes")]
    styles = {"fast": (GREY, "cifar10-fast here"), "sizes": (BLUE, "cifar10-quick here")}
    drawn = [(*styles[name], log) for name, found in curves for log in found if log]
    if pytorch is not None:
        drawn.append((ORANGE, "cifar10-fast in PyTorch", read_log(pytorch)))
    for colour, label, log in drawn:
        minutes, accuracy = [row["seconds"] / 60 for row in log], [100 * row["test_accuracy"] for row in log]
        known = label in [line.get_label() for line in axes.lines]
        axes.plot(minutes, accuracy, color=colour, marker="o", markersize=3, label=None if known else label)
    axes.set(xlabel="minutes, evaluation included", ylabel="test accuracy (%)", xlim=(0, None))
    axes.xaxis.set_major_locator(MultipleLocator(2))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5")
    axes.legend(frameon=False)
    return figure


if __name__ == "__main__":
    arguments = parser(__doc__)
    made = rungs() | without_one()
    arguments.add_argument("--runs-of", nargs="+", choices=list(made), default=list(made), metavar="NAME")
    arguments.add_argument("--over-time", type=Path, metavar="FIGURE", help="the second figure")
    arguments.add_argument("--pytorch", type=Path, metavar="FOLDER")
    options = arguments.parse_args()
    if options.figure:
        draw(options.runs).savefig(options.figure, dpi=130)
    if options.over_time:
        draw_over_time(options.runs, options.pytorch).savefig(options.over_time, dpi=130)
    if not options.figure and not options.over_time:
        for seed in range(options.seeds):
            for name in options.runs_of:
                run(made[name], seed, options.runs / f"{name}-{seed}", options.data_dir)
    print(table(options.runs))
