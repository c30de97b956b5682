"""Drawings of a test result: intervals, a reliability diagram, and accuracy when only the surest answers count."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

from ..experiment.metrics import Reliability
from .style import BLACK, BLUE, GREY, ORANGE


def plot_intervals(ax: Axes, intervals: Mapping[str, tuple[float, float, float]]) -> None:
    """Draw (low, accuracy, high), each from 0 to 1, as a point on a bar, a row for each label, in per cent."""
    for row, (low, accuracy, high) in enumerate(intervals.values()):
        ax.plot([100 * low, 100 * high], [row, row], "-|", color=BLUE, lw=2, ms=10)
        ax.plot(100 * accuracy, row, "o", color=ORANGE)
        ax.text(100 * accuracy, row - 0.15, f"{accuracy:.2%}", ha="center", va="bottom", fontsize=8)
    ax.set_yticks(range(len(intervals)), list(intervals))
    ax.set_ylim(len(intervals) - 0.6, -0.6)
    ax.set_xlabel("accuracy (%)")
    ax.spines[["top", "right"]].set_visible(False)


def plot_reliability(ax: Axes, found: Reliability, title: str = "") -> None:
    """Draw accuracy against confidence. The area of a point grows with the share of the images that it represents."""
    ax.plot([0, 1], [0, 1], ":", color=BLACK, lw=1, label="calibrated")
    ax.plot(found.confidence, found.accuracy, "-", color=BLUE, lw=1, label="network")
    ax.scatter(found.confidence, found.accuracy, 12 + 300 * found.share, color=BLUE)
    ax.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    ax.set_title(title, fontsize=9)
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    ax.spines[["top", "right"]].set_visible(False)


def plot_coverage(ax: Axes, confidence: np.ndarray, right: np.ndarray) -> None:
    """Draw the accuracy of the surest answers alone, against how many answers are given, in per cent.

    `confidence` (N,) and `right` (N,) bool belong to the same N images.
    """
    N = len(right)
    number = np.arange(1, N + 1)
    surest_first = right[np.argsort(-confidence, kind="stable")]
    start = max(N // 50, 1) - 1  # the accuracy of a handful of answers jumps about
    accuracy = 100 * np.cumsum(surest_first) / number
    ax.plot(100 * number[start:] / N, accuracy[start:], color=BLUE, lw=2, label="the surest answers")
    ax.axhline(100 * right.mean(), color=GREY, lw=1, ls="--", label="all answers")
    ax.set(xlabel="answers given (% of the images, the surest first)", ylabel="of these, correct (%)", ylim=(None, 101))
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
