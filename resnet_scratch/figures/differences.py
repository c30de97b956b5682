"""Drawings for tutorial 03: slopes through two points, their errors by step, and gradients against one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, with_styles


def draw_secants(f: Callable, x: float, slope: float, h: float) -> Figure:
    """A forward and a central difference of `f` at x: the line through their two points beside the tangent."""
    fig, axes = plt.subplots(1, 2, figsize=(7.5, 3), layout="constrained", sharey=True)
    around = np.linspace(x - 2.2 * h, x + 1.5 * h, 100)
    for ax, title, colour, points in (
        (axes[0], "forward", ORANGE, (x, x + h)),
        (axes[1], "central", BLUE, (x - h, x + h)),
    ):
        low, high = (f(point) for point in points)
        secant = low + (high - low) / (points[1] - points[0]) * (around - points[0])
        ax.plot(around, f(around), color=GREY, linewidth=2, label="f")
        ax.plot(around, f(x) + slope * (around - x), ":", color=BLACK, linewidth=1, label="tangent")
        ax.plot(around, secant, "--", color=colour, linewidth=2, label="through the two points")
        ax.plot(points, (low, high), "o", color=colour)
        _label(ax, f"{title} difference, h = {h:g}", "x")
        ax.legend(frameon=False, fontsize=8, loc="upper left")
    return fig


def draw_errors(
    steps: np.ndarray,
    measured: Mapping[str, tuple[np.ndarray, np.ndarray]],
    predicted: Mapping[str, Mapping[str, np.ndarray]],
) -> Figure:
    """The error of a slope by step, in a panel for each name: points for the `measured` errors (forward, central), and
    up to three lines for the `predicted` parts of the error, by label. Both axes are logarithmic."""
    fig, axes = plt.subplots(1, len(measured), figsize=(8.5, 3.6), layout="constrained", sharey=True, squeeze=False)
    for ax, (name, pair) in zip(axes[0], measured.items()):
        for label, errors, marker, colour in zip(("forward", "central"), pair, "so", (ORANGE, BLUE)):
            shown = np.maximum(errors, 1e-17)  # an error of exactly 0 is not on a logarithmic axis
            ax.loglog(steps, shown, marker, markersize=4, color=colour, label=f"{label}, measured")
        looks = (("-", ORANGE), ("-", BLUE), ("--", BLACK))
        for (label, errors), (style, colour) in with_styles("predicted", predicted[name].items(), looks):
            ax.loglog(steps, errors, style, linewidth=1, color=colour, label=label)
        _label(ax, name, "step h")
        ax.set_ylim(1e-15, 10)
    axes[0, 0].set_ylabel("error of the slope")
    axes[0, -1].legend(frameon=False, fontsize=8, loc="lower left")
    return fig


def draw_kink(x: float, steps: Sequence[float]) -> Figure:
    """ReLU near 0, and the lines through x - h and x + h for up to three steps h. The axes are in millionths."""
    fig, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
    width = max(abs(x) + h for h in steps) * 1e6
    around = np.array([-width, 0, width])
    ax.plot(around, np.maximum(around, 0), color=GREY, linewidth=2, label="ReLU")
    for h, (style, colour) in with_styles("steps", steps, (("o--", ORANGE), ("s-", BLUE), ("^-.", GREEN))):
        ends = np.array([x - h, x + h]) * 1e6
        ax.plot(ends, np.maximum(ends, 0), style, color=colour, markersize=5, label=f"h = {h:.0e}")
    _label(ax, "", "x, in millionths")
    ax.set_ylabel("y, in millionths")
    ax.legend(frameon=False, fontsize=8)
    return fig


def draw_portraits(pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """For each name, the gradients (from backward, numerical) of every number: a point each, and the diagonal."""
    rows = -(-len(pairs) // 3)
    fig, axes = plt.subplots(rows, 3, figsize=(7.5, 2.4 * rows), layout="constrained", squeeze=False)
    for ax, (name, (analytic, numerical)) in zip(axes.flat, pairs.items()):
        limit = 1.1 * max(np.abs(analytic).max(), np.abs(numerical).max())
        ax.plot([-limit, limit], [-limit, limit], color=GREY, linewidth=0.8)
        ax.plot(numerical.ravel(), analytic.ravel(), "o", markersize=3, color=BLUE)
        _label(ax, name, "")
    for ax in axes.flat[len(pairs) :]:
        ax.set_axis_off()
    fig.supxlabel("numerical gradient", fontsize=9)
    fig.supylabel("from backward", fontsize=9)
    return fig


def _label(ax: Axes, title: str, xlabel: str) -> None:
    ax.set_title(title, fontsize=10)
    ax.set_xlabel(xlabel)
    ax.spines[["top", "right"]].set_visible(False)
