"""From `cifar10-fast` to `cifar10-quick`, idea by idea: what each gives, in accuracy and in time.

    python benchmarks/quick_ladder.py runs/ladder --data-dir DIR           trains, or goes on where it stopped
    python benchmarks/quick_ladder.py runs/ladder --figure docs/images/quick.png

Each rung adds its idea to the rung before, and all train for ten epochs. All rungs are run with seed 0, then with seed
1, and so on: times of a round can be compared, if nothing else runs. The last idea, flips in evaluation, needs no
training, so every rung has it, and is evaluated once more without. With --pytorch FOLDER, the figure also has the run
that pytorch_recipe.py left.
"""

import dataclasses
from pathlib import Path
from typing import Any

from many_runs import DIVERGED, bring_to_its_end, logs, parser, spread
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from resnet_scratch import load_data, load_model
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.log import read_log
from resnet_scratch.experiment.recipe import Recipe, find
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
WITHOUT_FLIPS = "without_flips.txt"  # the accuracy that the last weights have then, in a run's folder


def recipes() -> dict[str, Recipe]:
    """The recipe of each rung. Raises AssertionError unless the last one is cifar10-quick."""
    made, recipe = {}, find("cifar10-fast")
    for name, (_, changes) in RUNGS.items():
        made[name] = recipe = dataclasses.replace(recipe, **changes)
    quick = find("cifar10-quick")
    assert dataclasses.replace(recipe, name=quick.name, expect=quick.expect) == quick, "the ladder ends elsewhere"
    return made


def run(recipe: Recipe, seed: int, folder: Path, data_dir: str | None) -> None:
    """Bring this run to its end, and evaluate its last weights without flips, unless it diverged."""
    bring_to_its_end(recipe, seed, folder, data_dir)
    if not (folder / WITHOUT_FLIPS).exists() and not (folder / DIVERGED).exists():
        model, about = load_model(folder)
        data = load_data(recipe.dataset, data_dir)
        found = evaluate(model, data.test_images, data.test_labels, *about.normalisation())
        (folder / WITHOUT_FLIPS).write_text(f"{found.accuracy}\n")


def table(runs: Path) -> str:
    """A row for each rung: accuracy with and without flips, and minutes with evaluation, over the seeds."""
    rows = []
    for name, recipe in recipes().items():
        assert recipe.epochs is not None
        ended = [log for log in logs(runs, name, recipe.epochs) if log]
        accuracies = [100 * log[-1]["test_accuracy"] for log in ended]
        without = [100 * float(path.read_text()) for path in sorted(runs.glob(f"{name}-[0-9]*/{WITHOUT_FLIPS}"))]
        minutes = [log[-1]["seconds"] / 60 for log in ended]
        rows.append([RUNGS[name][0], *(spread(of, ".2f") for of in (without, accuracies)), spread(minutes, ".1f")])
    return format_table({"idea": "", "accuracy (%)": "", "with flips": "", "minutes": ""}, rows)


def draw(runs: Path, pytorch: Path | None) -> Figure:
    """Test accuracy over time: the first rung, the last one, and PyTorch with the first one's recipe."""
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    made = recipes()
    curves = [(name, logs(runs, name, made[name].epochs or 0)) for name in ("fast", "sizes")]
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
    arguments.add_argument("--rungs", nargs="+", choices=list(RUNGS), default=list(RUNGS))
    arguments.add_argument("--pytorch", type=Path, metavar="FOLDER")
    options = arguments.parse_args()
    if options.figure:
        draw(options.runs, options.pytorch).savefig(options.figure, dpi=130)
    else:
        made = recipes()
        for seed in range(options.seeds):
            for name in options.rungs:
                run(made[name], seed, options.runs / f"{name}-{seed}", options.data_dir)
    print(table(options.runs))
