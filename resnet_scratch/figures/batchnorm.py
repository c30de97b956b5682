"""Drawings for tutorial 04: what batch norm does to signals, to gradients, and to one image in different batches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .graphs import draw_graph
from .style import BACKWARD, BLACK, BLUE, FORWARD, GREEN, GREY, ORANGE, with_styles

LINES = ((ORANGE, "--"), (BLUE, "-"), (GREEN, "-."))  # told apart by their dashes, too


def draw_signals(sizes: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Figure:
    """The standard deviation after each layer, for each label: (without batch norm, with batch norm)."""
    fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.8), layout="constrained", sharey=True)
    for (label, both), (colour, dashes) in with_styles("sizes", sizes.items(), LINES):
        for ax, values in zip(axes, both):
            ax.semilogy(range(1, len(values) + 1), values, dashes, color=colour, linewidth=2, label=label)
    for ax, title in zip(axes, ("without batch norm", "with batch norm")):
        _label(ax, title, "layer")
    axes[0].set_ylabel("standard deviation")
    axes[0].legend(frameon=False, fontsize=8)
    return fig


def draw_steps(backward: bool) -> Figure:
    """Batch norm of one channel as a graph of small steps; with `backward`, the gradients that flow against them."""
    boxes = {"x": (0, 0), "mean": (1.6, 1.1), "d": (3.2, 0), "var": (4.8, 1.1), "s": (6.4, 1.1), "xhat": (8, 0)}
    boxes["y"] = (9.6, 0)
    labels = {"mean": r"$\mu$", "var": r"$\sigma^2$", "xhat": r"$\hat{x}$"}
    arrows = [("x", "mean"), ("x", "d"), ("mean", "d"), ("d", "var"), ("var", "s"), ("s", "xhat"), ("d", "xhat")]
    arrows.append(("xhat", "y"))
    bend = 0.22 if backward else 0.0
    fig, ax = plt.subplots(figsize=(8.5, 2.2), layout="constrained")
    draw_graph(ax, boxes, [(a, b, "") for a, b in arrows], FORWARD, labels, dict.fromkeys(arrows, bend))
    if backward:
        back = [(b, a) for a, b in arrows]
        draw_graph(ax, boxes, [(a, b, "") for a, b in back], BACKWARD, labels, dict.fromkeys(back, bend))
    ax.set_ylim(-0.7, 1.7)
    return fig


def draw_jacobian(jacobian: np.ndarray, grad_y: np.ndarray, left: np.ndarray) -> Figure:
    """A Jacobian (M, M), and what is left of an upstream gradient (M,) after the projection (M,)."""
    fig, axes = plt.subplots(1, 2, figsize=(7.5, 3), layout="constrained")
    limit = np.abs(jacobian).max()
    image = axes[0].imshow(jacobian, cmap="PuOr", vmin=-limit, vmax=limit)
    _label(axes[0], "J: every output depends on every input", "input j")
    axes[0].set_ylabel("output i")
    fig.colorbar(image, ax=axes[0], shrink=0.8)
    index = np.arange(len(grad_y))
    axes[1].bar(index - 0.2, grad_y, 0.4, color=GREY, label="upstream gradient g")
    axes[1].bar(index + 0.2, left, 0.4, color=BLUE, label="grad_x / s")
    axes[1].axhline(0, color=BLACK, linewidth=0.8)
    _label(axes[1], "what is left of a gradient", "index i")
    axes[1].legend(frameon=False, fontsize=8)
    return fig


def draw_circle(x: np.ndarray, xhat: np.ndarray, grad_x: np.ndarray) -> Figure:
    """Channels of three values, rows of x (K, 3), normalised xhat (K, 3), and gradients grad_x (K, 3), in the plane.

    The plane is that of the triples with sum 0, so x is drawn without its mean. Of the gradients only the direction is
    drawn: each has the same length here.
    """
    plane = np.array([[1, -1, 0], [1, 1, -2]]).T / np.sqrt([2, 6])  # two orthonormal directions
    points, normalised, arrows = (array @ plane for array in (x, xhat, grad_x))
    arrows = 0.9 * arrows / np.linalg.norm(arrows, axis=1, keepdims=True)
    fig, ax = plt.subplots(figsize=(4.2, 4.2), layout="constrained")
    ax.add_patch(plt.Circle((0, 0), math.sqrt(3), fill=False, color=GREY))
    for point, hat, arrow in zip(points, normalised, arrows):
        ax.plot(*zip(point, hat), color=GREY, linewidth=0.8, linestyle=":")
        line = {"arrowstyle": "->", "color": GREEN, "linewidth": 1.5}
        ax.annotate("", point + arrow, point, arrowprops=line)
    ax.plot(*points.T, "o", color=ORANGE, label="x, minus its mean")
    ax.plot(*normalised.T, "s", color=BLUE, markersize=5, label="xhat")
    ax.plot([], [], color=GREEN, label="direction of grad_x")
    limit = max(2, np.abs([points, points + arrows]).max()) + 0.2  # an arrow that ends outside would not be drawn
    ax.set(aspect="equal", xlim=(-limit, limit), ylim=(-limit, limit + 0.6))
    ax.legend(frameon=False, fontsize=8, loc="upper center", ncols=2)
    ax.set_axis_off()
    return fig


def draw_running(
    means: Sequence[float], variances: Sequence[float], mean: float, var: float, momentum: float
) -> Figure:
    """Running averages after 0, 1, 2, ... batches, and their expected approach to the true `mean` and `var`."""
    fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.6), layout="constrained")
    for ax, title, values, target in zip(axes, ("running mean", "running variance"), (means, variances), (mean, var)):
        steps = np.arange(len(values))
        ax.plot(steps, values, color=BLUE, linewidth=2, label="in the layer")
        ax.plot(steps, target + (values[0] - target) * (1 - momentum) ** steps, "--", color=ORANGE, label="expected")
        ax.axhline(target, color=GREY, linewidth=0.8, linestyle=":")
        _label(ax, title, "batches")
    axes[0].legend(frameon=False, fontsize=8)
    return fig


def draw_modes(losses: Mapping[str, Sequence[float]]) -> Figure:
    """The loss after each step, a curve for each label."""
    fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
    looks = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."))
    for (label, values), (colour, dashes) in with_styles("losses", losses.items(), looks):
        ax.semilogy(range(1, len(values) + 1), values, dashes, color=colour, linewidth=1.8, label=label)
    _label(ax, "", "training step")
    ax.set_ylabel("loss on 256 images")
    ax.legend(frameon=False, fontsize=8)
    return fig


def draw_spread(values: Mapping[int, np.ndarray], target: float) -> Figure:
    """For each batch size, the normalised values of one image among different others; a line at the `target`."""
    fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
    rng = np.random.default_rng(0)
    for k, drawn in enumerate(values.values()):
        ax.plot(k + rng.uniform(-0.25, 0.25, len(drawn)), drawn, ".", color=BLUE, markersize=3)
    ax.axhline(target, color=ORANGE, linewidth=1.5)
    ax.set_xticks(range(len(values)), map(str, values))
    _label(ax, "", "images in the batch")
    ax.set_ylabel("the same image, normalised")
    return fig


def _label(ax: Axes, title: str, xlabel: str) -> None:
    ax.set_title(title, fontsize=9)
    ax.set_xlabel(xlabel)
    ax.spines[["top", "right"]].set_visible(False)
