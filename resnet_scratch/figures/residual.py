"""Drawings for tutorial 06: signals and gradients on their way through many blocks, and feature maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import BLACK, BLUE, GREEN, GREY, ORANGE, with_styles

STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."), (GREY, ":"))  # of up to four kinds of blocks


def draw_signals(
    means: Mapping[str, Sequence[float]], deviations: Mapping[str, Sequence[float]], predicted: Sequence[float]
) -> Figure:
    """The mean and the standard deviation before the first block and after each, a curve for each kind of block.

    `predicted` is a mean that was computed by hand, drawn as a thin line.
    """
    fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
    _plot(axes[0], means, "mean of the signal")
    axes[0].plot(predicted, color=BLACK, lw=0.8, label="predicted")
    axes[0].legend(frameon=False, fontsize=8)
    _plot(axes[1], deviations, "standard deviation of the signal")
    axes[1].set_ylim(bottom=0)
    return fig


def draw_gradients(
    norms: Mapping[str, Sequence[float]], cosines: Mapping[str, Sequence[float]], chance: float
) -> Figure:
    """The size of the gradient before each block, and its cosine with the last one.

    The band from -`chance` to `chance` is what two random directions have in common.
    """
    fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
    _plot(axes[0], norms, "size of the gradient / size of the last one")
    axes[0].set_yscale("log")
    axes[0].legend(frameon=False, fontsize=8)
    axes[1].axhspan(-chance, chance, color=GREY, alpha=0.4, lw=0)
    _plot(axes[1], cosines, "cosine with the last gradient")
    axes[1].set_yscale("symlog", linthresh=0.01)
    return fig


def _plot(ax: Axes, curves: Mapping[str, Sequence[float]], title: str) -> None:
    for (label, values), (colour, line) in with_styles("curves", curves.items(), STYLES):
        ax.plot(values, line, color=colour, lw=2, label=label)
    ax.set_xlabel("blocks passed")
    ax.set_title(title, fontsize=10)
    ax.spines[["top", "right"]].set_visible(False)


def draw_maps(image: np.ndarray, maps: Mapping[str, np.ndarray]) -> Figure:
    """An image (H, W, 3), uint8, and one channel (H, W) of several arrays; blue is negative, red positive."""
    fig, axes = plt.subplots(1, 1 + len(maps), figsize=(2 * (1 + len(maps)), 2.4), layout="constrained")
    axes[0].imshow(image)
    axes[0].set_title("image", fontsize=9)
    limit = max(float(np.abs(values).max()) for values in maps.values())
    for ax, (title, values) in zip(axes[1:], maps.items()):
        drawn = ax.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set_title(title, fontsize=9)
    for ax in axes:
        ax.set_axis_off()
    fig.colorbar(drawn, ax=axes, shrink=0.7)
    return fig


def draw_frames(maps: Mapping[str, np.ndarray]) -> Figure:
    """What is the same in all images (H, W), for each kind of block, from 0 (black) to 1.5."""
    fig, axes = plt.subplots(1, len(maps), figsize=(2.5 * len(maps), 2.7), layout="constrained")
    for ax, (title, values) in zip(axes, maps.items()):
        drawn = ax.imshow(values, cmap="magma", vmin=0, vmax=1.5)
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
    fig.colorbar(drawn, ax=axes, shrink=0.8, label="the same in all images")
    return fig
