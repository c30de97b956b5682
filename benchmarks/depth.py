"""Plain networks against residual ones, from 20 to 56 layers, on CIFAR-10: the paper's figure 6, as small as it gets.

    python benchmarks/depth.py runs/depth --data-dir DIR            trains, or goes on where it stopped
    python benchmarks/depth.py runs/depth --figure depth.png

The networks are those of He et al. 2015, section 4.2. The recipe is `cifar10-quick`, but with twice the rate of
`cifar10-fast` (for batches of twice the size), with images of 16x16 pixels all the time and for fewer epochs, so that
eight networks take hours on two cores and not days.
"""

import dataclasses
from pathlib import Path

from many_runs import bring_to_its_end, draw_spreads, logs, parser, spread
from matplotlib.figure import Figure

from resnet_scratch.experiment.recipe import find
from resnet_scratch.figures.style import BLUE, ORANGE
from resnet_scratch.table import format_table

EPOCHS = 5
RECIPE = dataclasses.replace(
    find("cifar10-quick"), name="depth", epochs=EPOCHS, image_sizes=(16,), larger_at=(), learning_rate=0.4
)
KINDS = {"plain": ("plain", ORANGE), "resnet": ("residual", BLUE)}  # beginning of the models' names: word, colour
IMAGES = {"train": ("training", "--"), "test": ("test", "-")}
DEPTHS = (20, 32, 44, 56)


def errors(runs: Path, model: str, images: str) -> list[float]:
    """The error on the "train" or "test" images in the last epoch, in per cent, for each seed that has been run; 90, as
    by guessing, for one that diverged."""
    return [100 * (1 - log[-1][f"{images}_accuracy"]) if log else 90.0 for log in logs(runs, model, EPOCHS)]


def table(runs: Path) -> str:
    """A row for each depth: mean and standard deviation over the seeds."""
    columns = [(kind, images) for kind in KINDS for images in IMAGES]
    rows = [
        [depth, *(spread(errors(runs, f"{kind}{depth}", images), ".1f") for kind, images in columns)]
        for depth in DEPTHS
    ]
    names = [f"{KINDS[kind][0]}, {IMAGES[images][0]}" for kind, images in columns]
    return "errors (%)\n" + format_table({"layers": "", **dict.fromkeys(names, "")}, rows)


def draw(runs: Path) -> Figure:
    """The same as a figure, with error bars of one standard deviation."""
    figure, axes = draw_spreads({
        f"{word}, {of} images": ({depth: errors(runs, f"{kind}{depth}", images) for depth in DEPTHS}, colour, line)
        for kind, (word, colour) in KINDS.items()
        for images, (of, line) in IMAGES.items()
    })  # fmt: skip
    axes.set_xticks(DEPTHS)
    axes.set(xlabel="layers", ylabel="error (%)")
    return figure


if __name__ == "__main__":
    options = parser(__doc__).parse_args()
    if options.figure:
        draw(options.runs).savefig(options.figure, dpi=130)
    else:
        for seed in range(options.seeds):
            for depth in DEPTHS:
                for kind in KINDS:
                    recipe = dataclasses.replace(RECIPE, model=f"{kind}{depth}")
                    bring_to_its_end(recipe, seed, options.runs / f"{recipe.model}-{seed}", options.data_dir)
    print(table(options.runs))
