"""Small matrices with each number written into its cell."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

Cells = tuple[int, int, int, int]  # first row, first column, rows, columns


def draw_numbers(
    ax: Axes,
    array: np.ndarray,
    title: str = "",
    frames: Sequence[tuple[Cells, str]] = (),
    shade: bool = False,
    gradient: bool = False,
) -> None:
    """Draw a matrix (rows, columns), each number written into its cell.

    `frames` are outlines around some cells, and their colours. With `shade`, a cell is darker the larger its number is,
    regardless of sign: blue for values of the forward pass, orange for a `gradient`.
    """
    for (row, column), value in np.ndenumerate(array):
        ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=9)
    limit = 2.5 * np.abs(array).max() if shade else 1
    colours = "Oranges" if gradient else "Blues"
    ax.imshow(np.abs(array) if shade else np.zeros(array.shape), cmap=colours, vmin=0, vmax=limit)
    ax.set_xticks(np.arange(array.shape[1] + 1) - 0.5, [])
    ax.set_yticks(np.arange(array.shape[0] + 1) - 0.5, [])
    ax.tick_params(length=0)
    ax.grid(color="#cccccc")
    ax.set_title(title, fontsize=10)
    for cells, colour in frames:
        draw_frame(ax, cells, colour)


def draw_frame(ax: Axes, cells: Cells, colour: str, line: str = "-") -> None:
    """Draw an outline around some cells of a matrix that `draw_numbers` has drawn."""
    row, column, height, width = cells
    corner = (column - 0.5, row - 0.5)
    frame = Rectangle(corner, width, height, fill=False, edgecolor=colour, linestyle=line, linewidth=3, zorder=3)
    ax.add_patch(frame).set_clip_on(False)
