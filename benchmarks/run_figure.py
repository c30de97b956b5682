"""The figure of a run in README.md: its curves, and test images with the network's answers.

resnet-scratch train --run-dir runs/figure && python benchmarks/run_figure.py runs/figure docs/images/run.png
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from resnet_scratch import evaluate, load_data, load_model
from resnet_scratch.experiment.log import read_log
from resnet_scratch.figures.style import BLUE, GREY, ORANGE


def draw(folder: str) -> Figure:
    """Loss and accuracy by epoch on the left; on the right sixteen test images, four wrong answers first."""
    history = read_log(Path(folder))
    model, about = load_model(folder)
    data = load_data(about.dataset)
    result = evaluate(model, data.test_images, data.test_labels, *about.normalisation())
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.9, 1))

    loss, accuracy = left.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for axes, quantity, scale in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        for kind, colour, line in (("train", BLUE, "-"), ("test", ORANGE, "--")):
            axes.plot(epochs, [scale * row[f"{kind}_{quantity}"] for row in history], line, color=colour, label=kind)
        axes.set(xlabel="epoch", xticks=epochs, title="loss" if quantity == "loss" else "accuracy (%)")
        axes.spines[["top", "right"]].set_visible(False)
    loss.set_yscale("log")
    accuracy.set_ylim(0, 100)
    for axes, guessing in ((loss, np.log(len(data.classes))), (accuracy, 100 / len(data.classes))):
        axes.axhline(guessing, color=GREY, lw=0.8, ls=":")
        axes.text(epochs[-1], guessing, "guessing", color=GREY, fontsize=8, ha="right", va="bottom")
    loss.legend(frameon=False)
    accuracy.annotate(
        f"{100 * result.accuracy:.1f} %", (epochs[-1], 100 * result.accuracy), (0, -18), textcoords="offset points",
        ha="right", color=ORANGE,
    )  # fmt: skip

    right.suptitle("test images and answers", fontsize=11)
    wrong = np.flatnonzero(result.predictions != result.labels)[:4]
    chosen = [*wrong, *np.flatnonzero(result.predictions == result.labels)[: 16 - len(wrong)]]
    for axes, k in zip(right.subplots(4, 4).flat, chosen):
        right_answer = result.predictions[k] == result.labels[k]
        axes.imshow(data.test_images[k], interpolation="nearest")
        axes.set_axis_off()
        name = data.classes[result.predictions[k]]
        axes.set_title(name if right_answer else f"{name}?", fontsize=8, color="black" if right_answer else ORANGE)
    return figure


if __name__ == "__main__":
    draw(sys.argv[1]).savefig(sys.argv[2], dpi=110)
