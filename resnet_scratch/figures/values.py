"""Drawings of values: small arrays as tables of numbers, and functions of one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from .style import BLACK, BLUE, GREEN, ORANGE

STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."))


def show_numbers(ax: Axes, numbers: np.ndarray, title: str, gradient: bool = False, window: int | None = None) -> None:
    """Write the numbers (H, W) into a grid of cells, which are darker where a number is larger.

    Blue for values of the forward pass, orange for a `gradient`. Lines enclose windows of `window` x `window` cells.
    """
    ax.imshow(numbers, cmap="Oranges" if gradient else "Blues", vmin=0, vmax=max(1.6 * numbers.max(), 1))
    for (i, j), value in np.ndenumerate(numbers):
        ax.text(j, i, f"{value:g}", ha="center", va="center")
    for edge in range(window, max(numbers.shape), window) if window else ():
        ax.axhline(edge - 0.5, color=BLACK)
        ax.axvline(edge - 0.5, color=BLACK)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=10)


def plot_functions(
    ax: Axes, x: Sequence[float], functions: Mapping[str, Sequence[float]], x_label: str, title: str = ""
) -> None:
    """Draw up to three functions of x, given as their values, with their names in a legend."""
    if len(functions) > len(STYLES):
        raise ValueError(f"functions must be at most {len(STYLES)}, got {len(functions)}")
    for (label, values), (colour, line) in zip(functions.items(), STYLES):
        ax.plot(x, values, line, color=colour, lw=2, label=label)
    ax.set_xlabel(x_label)
    ax.set_title(title, fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
