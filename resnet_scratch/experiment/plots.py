"""Plots of runs and data, each a Matplotlib `Figure`: a notebook shows it, `figure.savefig(path)` writes it.

Matplotlib is imported inside the functions, so that only what draws waits for it. The figures are made
without pyplot, which would keep them all alive and look for a screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..table import text_width
from .lettering import labels as in_letters
from .lettering import names_as_they_are
from .log import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAIN, TEST, RIGHT, WRONG, FAINT = "#4477aa", "#cc5533", "#227733", "#bb2222", "#999999"
RUN_COLOURS = ("#4477aa", "#cc5533", "#228833", "#aa3377", "#ccaa22", "#44aacc", "#777777")
RUN_STYLES = ("-", "--", ":", "-.")
DPI = 130


@names_as_they_are()
def curves(history: History, evaluated_on: str = "test") -> Figure:
    """Loss and accuracy of training and test images over the epochs. Raises ValueError for an empty history."""
    _check_not_empty("history", history)
    figure = _figure(9.5, 3.8)
    epochs = [row["epoch"] for row in history]
    for axes, quantity, scale in zip(figure.subplots(1, 2), ("loss", "accuracy"), (1, 100)):
        finals = []
        for kind, colour, name in (("train", TRAIN, "training (augmented)"), ("test", TEST, evaluated_on)):
            values = [scale * row[f"{kind}_{quantity}"] for row in history]
            axes.plot(epochs, values, color=colour, marker="o", markersize=3 if len(epochs) < 60 else 0, label=name)
            finals.append((values[-1], colour))
        _write_finals(axes, epochs[-1], finals, "{:.3f}" if quantity == "loss" else "{:.1f} %")
        _label_axes(axes, "epoch", "cross-entropy loss" if quantity == "loss" else "accuracy (%)")
        _integer_epochs(axes, epochs)
        axes.set_ylim(bottom=0, top=102 if quantity == "accuracy" else None)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, frameon=False)
    return figure


@names_as_they_are()
def compare(histories: Mapping[str, History], evaluated_on: str = "test") -> Figure:
    """Errors of several runs over the epochs, on training images and on the others: the form of figure 1 of He et al.
    2015, in which a deep plain net trains worse than a shallow one. Raises ValueError for an empty history."""
    names = in_letters(list(histories), 40)
    longest = max(map(text_width, names), default=0)
    size = (9.5 + 0.17 * max(0, longest - 20), max(4.2, 1.4 + 0.225 * len(names)))  # in inches: as large as its legends
    figure = _figure(*size)
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, kind, title in (
        (left, "train", "training images (augmented)"),
        (right, "test", f"{evaluated_on} images"),
    ):
        for k, (name, history) in enumerate(zip(names, histories.values())):
            _check_not_empty(f"the history of {name}", history)
            errors = [100 * (1 - row[f"{kind}_accuracy"]) for row in history]
            colour, style = RUN_COLOURS[k % len(RUN_COLOURS)], RUN_STYLES[k // len(RUN_COLOURS) % len(RUN_STYLES)]
            epochs, label = [row["epoch"] for row in history], f"{errors[-1]:.1f} %  {name}"  # _a alone would be hidden
            axes.plot(epochs, errors, style, color=colour, marker="o", markersize=3, label=label)
        _label_axes(axes, "epoch", "error (%)" if axes is left else "")
        _integer_epochs(axes, [row["epoch"] for history in histories.values() for row in history])
        axes.set_title(title, fontsize=10)
        axes.legend(frameon=False, title="at the end")
    left.set_ylim(bottom=0)  # of both axes, and last: it turns off automatic limits
    return figure


@names_as_they_are()
def confusion(labels: np.ndarray, predictions: np.ndarray, classes: Sequence[str]) -> Figure:
    """The confusion matrix of labels (N,) and predictions (N,): row = true class, column = predicted class, in per cent
    of the row."""
    K, classes = len(classes), in_letters(classes, 20)
    counts = confusion_matrix(labels, predictions, K)
    percent = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = min(2.0 + 0.5 * K + 0.1 * max(10, *map(text_width, classes)), 14)
    figure = _figure(size, size * 0.92)
    axes = figure.subplots()
    image = axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    ticks = range(0, K, max(1, K // 30))
    axes.set_xticks(ticks, [classes[k] for k in ticks], rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, [classes[k] for k in ticks])
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for row, column in np.argwhere(percent > 0.5) if K <= 20 else ():
        colour = "white" if percent[row, column] > 55 else "black"
        axes.text(column, row, f"{percent[row, column]:.0f}", ha="center", va="center", color=colour, fontsize=9)
    axes.spines[:].set_visible(False)
    axes.set_title(
        f"{(labels == predictions).mean():.1%} of {len(labels)} images right\nper cent of each row", fontsize=10
    )
    figure.colorbar(image, ax=axes, shrink=0.8, format="%d %%").outline.set_visible(False)
    return figure


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """(classes, classes) counts, from labels and predictions (N,): row = true class, column = predicted class."""
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predictions), 1)
    return counts


@names_as_they_are()
def predictions(
    images: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], columns: int = 7
) -> Figure:
    """Images uint8 (N, H, W, 3) with their three most probable classes: some that are right, evenly spaced, and below
    them those that are wrong with the greatest confidence. labels (N,), probabilities (N, classes)."""
    predicted, classes = probabilities.argmax(1), in_letters(classes, 13)
    right, wrong = np.flatnonzero(predicted == labels), np.flatnonzero(predicted != labels)
    right = right[np.linspace(0, len(right) - 1, min(columns, len(right))).astype(int)]
    wrong = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:columns]
    figure = _figure(1.45 * columns, 5.6)
    parts: Any = figure.subfigures(2, 1)
    for part, chosen, title, colour in zip(
        parts, (right, wrong), ("right", "wrong, with the greatest confidence"), (RIGHT, WRONG)
    ):
        part.suptitle(title if len(chosen) else f"{title}: none", color=colour, fontsize=11, x=0.01, ha="left")
        grid = part.subplots(2, columns, height_ratios=(2.1, 1), squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for k, index in enumerate(chosen):
            _show_image(grid[0, k], images[index], f"is {classes[labels[index]]}")
            _bars(grid[1, k], probabilities[index], labels[index], classes, colour)
    return figure


@names_as_they_are()
def contact_sheet(images: np.ndarray, labels: np.ndarray, classes: Sequence[str], columns: int = 10) -> Figure:
    """The first images uint8 (N, H, W, 3) of each class, a row per class."""
    figure = _figure(0.75 * columns + 1.2, 0.78 * len(classes))
    classes = in_letters(classes, 20)
    grid = figure.subplots(len(classes), columns, squeeze=False)
    for k, row in enumerate(grid):
        members = np.flatnonzero(labels == k)[:columns]
        for axes in row:
            axes.set_axis_off()
        for axes, index in zip(row, members):
            _show_image(axes, images[index], "")
        row[0].text(-0.15, 0.5, classes[k], transform=row[0].transAxes, ha="right", va="center", fontsize=10)
    return figure


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def _label_axes(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e5e5", linewidth=0.8)
    axes.set_axisbelow(True)


def _integer_epochs(axes: Axes, epochs: Sequence[float]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=10, min_n_ticks=1))
    axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)


def _write_finals(axes: Axes, x: float, finals: list[tuple[float, str]], form: str) -> None:
    """The last value of each curve to the right of its end, the higher one a little above and the lower one below."""
    for offset, (value, colour) in zip((-5, 5), sorted(finals)):
        axes.annotate(
            form.format(value),
            (x, value),
            (6, offset),
            textcoords="offset points",
            color=colour,
            fontsize=9,
            va="center",
            annotation_clip=False,
        )


def _show_image(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_title(title, fontsize=9, pad=3)


def _bars(axes: Axes, probabilities: np.ndarray, label: int, classes: Sequence[str], colour: str) -> None:
    """The three most probable classes as bars with their names in them; the true one's name in bold."""
    best = np.argsort(-probabilities, kind="stable")[:3]
    axes.barh(
        range(len(best)), probabilities[best], color=[colour] + [FAINT] * (len(best) - 1), alpha=0.35, height=0.85
    )
    for y, k in enumerate(best):
        weight = "bold" if k == label else "normal"
        axes.text(0.02, y, classes[k], va="center", fontsize=8, weight=weight)
        axes.text(1.0, y, f"{probabilities[k]:.0%}", va="center", ha="right", fontsize=8)
    axes.set_xlim(0, 1)
    axes.set_ylim(2.5, -0.5)


def _check_not_empty(what: str, history: History) -> None:
    if not history:
        raise ValueError(f"{what} is empty: a run has its first row after its first epoch")
