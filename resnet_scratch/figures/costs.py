"""Drawings for tutorial 07: what a network costs stage by stage, and what its layers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..measure.summary import Row
from .style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, YELLOW, with_styles

STAGES = (BLUE, SKY, YELLOW, ORANGE)
FIELDS = {"memory": "memory", "multiply_adds": "multiply-adds", "parameters": "parameters"}


def draw_shares(ax: Axes, rows: Sequence[Row], title: str) -> None:
    """The share of each stage in the network's memory, multiply-adds and parameters, as stacked bars in per cent.

    `rows` are those of `summarise`; layers outside of the stages are left out.
    """
    stages = sorted({row.name.split(".")[0] for row in rows if row.name.startswith("layer")})
    for k, field in enumerate(FIELDS):
        sums = [sum(getattr(row, field) for row in rows if row.name.startswith(stage)) for stage in stages]
        left = 0.0
        for (stage, value), colour in with_styles("stages", dict(zip(stages, sums)).items(), STAGES):
            share = 100 * value / sum(sums)
            ax.barh(k, share, left=left, color=colour, label=stage if k == 0 else None)
            if share > 8:
                white = colour in (BLUE, ORANGE)
                ax.text(left + share / 2, k, f"{share:.0f}", ha="center", va="center", color="w" if white else "k")
            left += share
    ax.set(title=title, xlabel="% of all stages", xlim=(0, 100))
    ax.set_yticks(range(len(FIELDS)), list(FIELDS.values()))
    ax.legend(ncols=4, fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22), handlelength=1)
    ax.spines[["top", "right"]].set_visible(False)


def draw_fields(fields: Mapping[str, Sequence[int]], image_size: int) -> Figure:
    """The receptive fields of the convolutions of several networks, in pixels, from the first to the last."""
    fig, ax = plt.subplots(figsize=(7.5, 3), layout="constrained")
    looks = ((":", ORANGE), ("-", BLUE), ("--", GREEN), ("-.", PURPLE))
    for (name, sizes), (style, colour) in with_styles("fields", fields.items(), looks):
        ax.plot(np.linspace(0, 1, len(sizes)), sizes, style, color=colour, lw=2, label=name)
    ax.axhline(image_size, color=GREY, lw=0.8)
    ax.text(0.005, image_size * 1.06, f"an image of {image_size}x{image_size}", color=GREY, fontsize=8)
    ax.set(xlabel="position in the network (0: first layer, 1: last layer)", ylabel="receptive field (pixels)")
    ax.set_yscale("log")
    ax.set_yticks([3, 10, 32, 100, 300], ["3", "10", "32", "100", "300"])
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return fig


def draw_seen(gradients: Mapping[str, np.ndarray]) -> Figure:
    """How much each pixel counts: an image (H, W) of non-negative gradients per network, and the sums of columns."""
    count = len(gradients)
    widths = [1.0] * count + [1.3]
    fig, axes = plt.subplots(1, count + 1, figsize=(8.5, 2.8), layout="constrained", width_ratios=widths)
    looks = with_styles("gradients", gradients.items(), ((ORANGE, "--"), (BLUE, "-")))
    for ax, ((name, gradient), (colour, style)) in zip(axes, looks):
        share = gradient / gradient.sum()
        ax.imshow(np.sqrt(share), cmap="magma")
        ax.set_title(name, fontsize=9)
        ax.set_axis_off()
        axes[-1].plot(share.sum(0), style, color=colour, label=name, lw=1.8)
    axes[-1].set_xlabel("column of the image")
    axes[-1].set_title("share of each column", fontsize=9)
    axes[-1].legend(frameon=False, fontsize=8)
    axes[-1].spines[["top", "right"]].set_visible(False)
    return fig
