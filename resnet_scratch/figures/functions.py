"""Functions of one number, as curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from .style import BLUE, GREEN, ORANGE, with_styles

STYLES = ((BLUE, "-"), (ORANGE, "--"), (GREEN, "-."))


def plot_functions(
    ax: Axes, x: Sequence[float], functions: Mapping[str, Sequence[float]], x_label: str, title: str = ""
) -> None:
    """Draw up to three functions of x, given as their values, with their names in a legend."""
    for (label, values), (colour, line) in with_styles("functions", functions.items(), STYLES):
        ax.plot(x, values, line, color=colour, lw=2, label=label)
    ax.set_xlabel(x_label)
    ax.set_title(title, fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
