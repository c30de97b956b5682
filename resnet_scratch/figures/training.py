"""Drawings of training: losses by step, paths down a bowl, final losses by learning rate, and a whole run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, with_styles

STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (PURPLE, ":"))
WINDOW = 8  # steps over which noisy losses are averaged


def moving_average(losses: Sequence[float]) -> np.ndarray:
    """The mean of the last `WINDOW` losses, from step `WINDOW` on: n - WINDOW + 1 numbers for n losses, or none."""
    if len(losses) < WINDOW:  # NumPy would slide the losses along the window
        return np.empty(0)
    return np.convolve(losses, np.ones(WINDOW) / WINDOW, "valid")


def plot_curves(
    ax: Axes, curves: Mapping[str, Sequence[float]], y: str = "training loss", average: bool = True, legend: str = ""
) -> None:
    """Draw up to four curves by step, one for each label, with the legend's title `legend`.

    With `average`, each is a moving average, because the losses of single batches are noisy. Raises ValueError for more
    than four.
    """
    for (label, values), (colour, line) in with_styles("curves", curves.items(), STYLES):
        if average:
            values = moving_average(values)
        first = WINDOW if average else 1  # the step that the first value belongs to
        ax.plot(np.arange(first, first + len(values)), values, line, color=colour, lw=2, label=label)
    ax.set(xlabel="step", ylabel=y)
    ax.legend(frameon=False, fontsize=8, title=legend or None, title_fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def plot_paths(axes: Sequence[Axes], paths: Mapping[str, np.ndarray], curvatures: np.ndarray) -> None:
    """Draw paths (steps, 2) down the bowl sum(curvatures * w**2) / 2, one on each of the axes, over contours."""
    u, v = np.meshgrid(np.linspace(-2.3, 1.3, 80), np.linspace(-1.6, 1.6, 80))
    height = (curvatures[0] * u**2 + curvatures[1] * v**2) / 2
    for ax, (title, path) in zip(axes, paths.items(), strict=True):
        ax.contour(u, v, height, levels=np.geomspace(0.05, 30, 9), colors=GREY, linewidths=0.6)
        ax.plot(*path.T, ".-", color=BLUE, lw=1, ms=4)
        ax.plot(0, 0, "*", color=ORANGE, ms=9)
        ax.set(xlim=(-2.3, 1.3), ylim=(-1.6, 1.6), xlabel="$w_1$")
        ax.set_title(title, fontsize=9)
    axes[0].set_ylabel("$w_2$")


def plot_rates(ax: Axes, results: Mapping[str, Mapping[float, float]], legend: str = "") -> None:
    """Draw what came out for each learning rate, on a logarithmic axis, with a curve for each label.

    `results` maps a label to {learning rate: result}. The lowest result of each curve is marked.
    """
    for (label, losses), (colour, line) in with_styles("results", results.items(), STYLES):
        ax.semilogx(list(losses), list(losses.values()), line, marker=".", color=colour, lw=2, label=label)
        best = min(losses, key=losses.__getitem__)
        ax.plot(best, losses[best], "o", color=colour, ms=9)
    ax.set(xlabel="learning rate", ylabel="training loss")
    ax.legend(frameon=False, fontsize=8, title=legend or None, title_fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def show_images(axes: Sequence[Axes], images: Sequence[np.ndarray], titles: Sequence[str]) -> None:
    """Show uint8 images (H, W, 3), one on each of the axes."""
    for ax, image, title in zip(axes, images, titles, strict=True):
        ax.imshow(image)
        ax.set_title(title, fontsize=8)
        ax.set_axis_off()


def plot_run(ax: Axes, training: Sequence[float], tests: Mapping[int, float], title: str = "") -> None:
    """Draw the training loss of every step, its moving average, and the `tests`, {step: test loss}."""
    ax.plot(np.arange(1, len(training) + 1), training, color=GREY, lw=0.6, alpha=0.6)
    ax.plot(np.arange(WINDOW, len(training) + 1), moving_average(training), color=BLUE, lw=2, label="training")
    ax.plot(list(tests), list(tests.values()), "o--", color=ORANGE, label="test")
    ax.set(xlabel="step", ylabel="loss")
    ax.set_title(title, fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
