"""Drawings of plain and residual networks side by side: by depth, by layer, by step, and along slices of the loss."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, with_styles
from .training import WINDOW, moving_average

KINDS = {"plain": ("plain", ORANGE, "--", "s"), "resnet": ("residual", BLUE, "-", "o")}  # label, colour, line, marker
MOMENTS = ((SKY, ":"), (GREEN, "-."), (PURPLE, "--"), (BLUE, "-"), (ORANGE, "-"))  # of a training run, in their order


def plot_losses(ax: Axes, losses: Mapping[tuple[str, int], Sequence[float]], classes: int = 10) -> None:
    """Draw moving averages of losses by step, for each (kind, depth); deeper networks have wider lines.

    The depth is written at the end of each curve of a plain network. A grey line is the loss of guessing.
    """
    depths = sorted({depth for _, depth in losses})
    for (kind, depth), curve in losses.items():
        _, colour, line, _ = KINDS[kind]
        shade = 0.35 + 0.65 * (depths.index(depth) + 1) / len(depths)
        steps, values = np.arange(WINDOW, len(curve) + 1), moving_average(curve)
        ax.plot(steps, values, line, color=colour, alpha=shade, lw=0.8 + 1.6 * shade)
        if kind == "plain":
            ax.annotate(f"{depth}", (steps[-1], values[-1]), (4, 0), textcoords="offset points", fontsize=8,
                        color=colour, va="center")  # fmt: skip
    ax.axhline(math.log(classes), color=GREY, lw=0.8)
    ax.set(xlabel="step", ylabel="training loss")
    ax.set_ylim(0, None)
    _finish(ax, "dashed: plain, solid: residual", legend=False)


def plot_errors(ax: Axes, errors: Mapping[tuple[str, int], float]) -> None:
    """Draw the training error (a share, shown in per cent) of each (kind, depth), by depth."""
    for kind, (label, colour, line, marker) in KINDS.items():
        depths = sorted(depth for other, depth in errors if other == kind)
        percent = [100 * errors[kind, depth] for depth in depths]
        ax.plot(depths, percent, line, marker=marker, color=colour, label=label)
        ax.set_xticks(depths)
    ax.set(xlabel="layers", ylabel="training error (%)", ylim=(-3, 100))
    _finish(ax, "after the last step")


def plot_scales(ax: Axes, norms: Mapping[tuple[str, float], np.ndarray], title: str) -> None:
    """Draw gradient norms by layer on a logarithmic axis, for each (kind, scale of the weights)."""
    lines = dict(with_styles("scales", sorted({scale for _, scale in norms}, reverse=True), ("-", "--", ":")))
    for (kind, scale), values in norms.items():
        label, colour, _, marker = KINDS[kind]
        ax.semilogy(layers(values), values, lines[scale], marker=marker, markevery=6, ms=4, color=colour, lw=1.6,
                    label=f"{label}, s = {scale:g}")  # fmt: skip
    ax.set_xlabel("layer")
    _finish(ax, title)


def plot_moments(ax: Axes, values: Mapping[int, Sequence[float]], title: str, every_layer: bool = False) -> None:
    """Draw values by layer on a logarithmic axis, one curve for each step of training.

    With `every_layer` there is a value for each layer, else one for the end of each block of two layers.
    """
    for (step, curve), (colour, line) in with_styles("values", values.items(), MOMENTS):
        at = np.arange(1, len(curve) + 1) if every_layer else layers(curve)
        ax.semilogy(at, curve, line, color=colour, lw=1.8, label=f"step {step}")
    ax.set_xlabel("layer")
    _finish(ax, title)


def plot_steps(ax: Axes, values: Mapping[str, Mapping[int, float]], ylabel: str, title: str = "") -> None:
    """Draw how numbers change in training: for each label {step: value}, at evenly spaced positions."""
    styles = ((ORANGE, "--", "s"), (BLUE, "-", "o"), (PURPLE, ":", "^"), (GREEN, "-.", "v"))
    for (label, points), (colour, line, marker) in with_styles("values", values.items(), styles):
        ax.plot(range(len(points)), list(points.values()), line, marker=marker, color=colour, label=label)
        ax.set_xticks(range(len(points)), [str(step) for step in points])
    ax.set(xlabel="step (not to scale)", ylabel=ylabel)
    _finish(ax, title)


def plot_slices(ax: Axes, alphas: np.ndarray, slices: Mapping[str, Sequence[np.ndarray]], classes: int = 10) -> None:
    """Draw the loss along random directions, several for each kind. A grey line is the loss of guessing."""
    for kind, curves in slices.items():
        label, colour, line, _ = KINDS[kind]
        for k, curve in enumerate(curves):
            ax.plot(alphas, curve, line, color=colour, alpha=0.7, label=None if k else label)
    ax.axhline(math.log(classes), color=GREY, lw=0.8)
    ax.set(xlabel="step along a random direction", ylabel="loss")
    _finish(ax, "")


def layers(values: Sequence[float]) -> np.ndarray:
    """The numbers of the layers at the ends of blocks of two convolutions, after the first layer: 3, 5, 7, ..."""
    return 2 * np.arange(1, len(values) + 1) + 1


def _finish(ax: Axes, title: str, legend: bool = True) -> None:
    """What all have in common: a small title, a legend without a frame, no lines at the top and on the right."""
    ax.set_title(title, fontsize=10)
    if legend:
        ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
