"""Graphs of a computation: boxes and arrows."""

from __future__ import annotations

from typing import Mapping, Sequence

from matplotlib.axes import Axes

from .style import BLACK, FORWARD

Position = tuple[float, float]


def draw_graph(
    ax: Axes,
    boxes: Mapping[str, Position],
    arrows: Sequence[tuple[str, str, str]],
    colour: str = FORWARD,
    labels: Mapping[str, str] | None = None,
    bend: Mapping[tuple[str, str], float] | None = None,
) -> None:
    """Draw named boxes at their positions (x, y), and arrows (from box, to box, text beside it) between them.

    `labels` gives a box another text than its name; several boxes may so have the same text. `bend` curves the arrow
    from one box to another, such as {("x", "add"): 0.4}; positive values bend to the right of the arrow's direction.
    Positions are in the units of `ax`, whose limits are set so that all boxes are inside. Drawing a second set of
    arrows on the same axes, in another colour and with another bend, shows a backward pass.
    """
    labels, bend = labels or {}, bend or {}
    for name, position in boxes.items():
        style = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": BLACK}
        ax.text(*position, labels.get(name, name), ha="center", va="center", fontsize=10, bbox=style, zorder=3)
    for start, end, text in arrows:
        curve = f"arc3,rad={bend.get((start, end), 0.0)}"
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "shrinkA": 16, "shrinkB": 16}
        ax.annotate("", boxes[end], boxes[start], arrowprops={**arrow, "connectionstyle": curve}, zorder=2)
        if text:
            ax.text(*_beside(boxes[start], boxes[end], bend.get((start, end), 0.0)), text, color=colour, fontsize=9)
    across, along = zip(*boxes.values(), strict=True)
    ax.set_xlim(min(across) - 0.8, max(across) + 0.8)
    ax.set_ylim(min(along) - 0.8, max(along) + 0.8)
    ax.set_aspect("equal")  # so that a bend means the same in every direction
    ax.axis("off")


def _beside(start: Position, end: Position, bend: float) -> Position:
    """A position for the text of an arrow: at its middle, a little to its right, further out where it is bent."""
    (x0, y0), (x1, y1) = start, end
    return (x0 + x1) / 2 + (y1 - y0) * bend / 2 + 0.06, (y0 + y1) / 2 - (x1 - x0) * bend / 2 + 0.06
