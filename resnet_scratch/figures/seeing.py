"""Drawings of what a network sees: rows of images, and of maps over them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from matplotlib.axes import Axes

from ..insight.drawings import draw_heat
from .style import BLACK, ORANGE


def show_row(
    axes: Sequence[Axes],
    images: Sequence[np.ndarray],
    titles: Sequence[str] = (),
    label: str = "",
    marked: Collection[int] = (),
) -> None:
    """Show images (H, W, 3), uint8 or from 0 to 1, one on each of the axes, with `label` to the left of the row.

    The titles of the `marked` images, by position, are orange.
    """
    for ax, image in zip(axes, images, strict=True):
        ax.imshow(image, interpolation="nearest")
    _frame(axes, titles, label, marked)


def show_maps(axes: Sequence[Axes], maps: Sequence[np.ndarray], label: str = "", signed: bool = False) -> None:
    """Show maps (H, W), one on each of the axes, each on its own scale.

    White is 0 and black is the largest number; with `signed`, red is positive and blue is negative.
    """
    for ax, values in zip(axes, maps, strict=True):
        limit = abs(values).max() or 1.0
        kind = {"cmap": "RdBu_r", "vmin": -limit} if signed else {"cmap": "gray_r", "vmin": 0}
        ax.imshow(values, vmax=limit, interpolation="nearest", **kind)
    _frame(axes, (), label, ())


def show_heats(
    axes: Sequence[Axes],
    images: Sequence[np.ndarray],
    heats: Sequence[np.ndarray],
    titles: Sequence[str] = (),
    label: str = "",
    marked: Collection[int] = (),
) -> None:
    """Show heats (H, W), from 0 to 1, over grey images (H, W, 3), one on each of the axes. `marked`: see `show_row`."""
    for ax, image, heat in zip(axes, images, heats, strict=True):
        draw_heat(ax, image, heat)
    _frame(axes, titles, label, marked)


def _frame(axes: Sequence[Axes], titles: Sequence[str], label: str, marked: Collection[int]) -> None:
    for position, (ax, title) in enumerate(zip(axes, titles if len(titles) else [""] * len(axes), strict=True)):
        ax.set_axis_off()
        ax.set_title(title, fontsize=8, color=ORANGE if position in marked else BLACK)
    axes[0].text(-0.08, 0.5, label, transform=axes[0].transAxes, rotation=90, ha="right", va="center", fontsize=9)
