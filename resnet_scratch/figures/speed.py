"""Drawings of tutorial 13: speed against size, the times of the ladder's rungs, and pairs of times side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .style import BLACK, BLUE, GREEN, GREY, ORANGE

BARS = ((BLUE, ""), (ORANGE, "///"))  # the colour and the hatching of the bars of a pair


def draw_curve(
    values: Mapping[float, float], x: str, y: str, sizes: Mapping[str, float], levels: Mapping[str, float]
) -> Figure:
    """A curve {size: value} over a logarithmic axis of sizes, with the names of its axes.

    `sizes` are marked by dashed vertical lines, and `levels`, values to compare with, by dotted horizontal ones; their
    labels are in a legend above the axes.
    """
    fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    ax.plot(list(values), list(values.values()), "o-", color=BLUE)
    for label, size in sizes.items():
        ax.axvline(size, color=ORANGE, linestyle="--", label=label)
    for label, level in levels.items():
        ax.axhline(level, color=GREEN, linestyle=":", linewidth=2, label=label)
    ax.set_xscale("log", base=2)
    ax.set(xlabel=x, ylabel=y, ylim=(0, 1.1 * max(*values.values(), *levels.values(), 0)))
    if sizes or levels:
        ax.legend(frameon=False, fontsize=9, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0)
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    return fig


def draw_ladder(milliseconds: Mapping[str, float], limit: float, limit_label: str) -> Figure:
    """The time of each rung as a bar on a logarithmic axis, the first rung at the bottom; `limit` is a dashed line."""
    fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
    bars = ax.barh(list(milliseconds), list(milliseconds.values()), color=BLUE)
    bars[-1].set(facecolor=ORANGE, hatch="///", edgecolor="white")
    for k, value in enumerate(milliseconds.values()):
        ax.text(value, k, f" {value:,.{0 if value >= 100 else 1}f}", va="center", fontsize=9)
    ax.axvline(limit, color=BLACK, linestyle="--", linewidth=1)
    ax.set_title(f"dashed: {limit_label}", fontsize=9, color=BLACK)
    ax.set_xscale("log")
    ax.set(xlabel="milliseconds, forward (logarithmic)", xlim=(1, 10 * max(milliseconds.values())))
    ax.spines[["top", "right"]].set_visible(False)
    return fig


def draw_pairs(names: Sequence[str], pairs: Mapping[str, Sequence[float]], y: str) -> Figure:
    """Two bars side by side for each of the `names`; `pairs` has the values of each of the two, by label."""
    fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
    for (label, values), (colour, hatch), shift in zip(pairs.items(), BARS, (-0.2, 0.2), strict=True):
        positions = np.arange(len(names)) + shift
        ax.bar(positions, values, 0.38, color=colour, hatch=hatch, edgecolor="white", label=label)
        for position, value in zip(positions, values, strict=True):
            ax.text(position, value, f"{value:.1f}", ha="center", va="bottom", fontsize=8)
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel=y, ylim=(0, 1.15 * max(max(values) for values in pairs.values())))
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return fig
