"""Graphs of a computation: boxes and arrows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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

    `labels` gives a box a text other than its name: several boxes may have the same text. `bend` curves the arrow
    from one box to another, such as {("x", "add"): 0.4}; positive values bend to the right of the arrow's direction.
    The text is beside the middle of its arrow: on the outside of a bend, and to the right of a straight arrow.
    Positions are in the units of `ax`, whose limits are set so that all boxes are inside. Drawing a second set of
    arrows on the same axes, in another colour and with another bend, shows a backward pass.
    """
    labels, bend = labels or {}, bend or {}
    drawn = {}
    for name, position in boxes.items():
        style = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": BLACK}
        drawn[name] = ax.text(*position, labels.get(name, name), ha="center", va="center", fontsize=10, bbox=style)
        drawn[name].set_zorder(2)  # drawn before the arrows, which end where the box has been drawn
    for start, end, text in arrows:
        curve = bend.get((start, end), 0.0)
        arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "connectionstyle": f"arc3,rad={curve}"}
        ends = {"patchA": drawn[start].get_bbox_patch(), "patchB": drawn[end].get_bbox_patch()}
        ax.annotate("", boxes[end], boxes[start], arrowprops={**arrow, **ends, "shrinkA": 1, "shrinkB": 1}, zorder=3)
        if text:
            middle, offset, (across, along) = _beside(boxes[start], boxes[end], curve)
            ax.annotate(text, middle, offset, textcoords="offset points", color=colour, fontsize=9, ha=across, va=along)
    across, along = zip(*boxes.values(), strict=True)
    ax.set_xlim(min(across) - 0.8, max(across) + 0.8)
    ax.set_ylim(min(along) - 0.8, max(along) + 0.8)
    ax.set_aspect("equal")  # so that a bend means the same in every direction
    ax.axis("off")


def _beside(start: Position, end: Position, bend: float) -> tuple[Position, Position, tuple[str, str]]:
    """Where the text of an arrow goes: the middle of the arrow, the text's offset from it in points, its alignment."""
    (x0, y0), (x1, y1) = start, end
    right, up = y1 - y0, x0 - x1  # to the right of the arrow's direction
    middle = (x0 + x1) / 2 + right * bend / 2, (y0 + y1) / 2 + up * bend / 2
    length = (right**2 + up**2) ** 0.5 * (-1 if bend < 0 else 1)
    right, up = right / length, up / length
    across = "center" if abs(right) < 0.3 else "left" if right > 0 else "right"
    along = "center" if abs(up) < 0.3 else "bottom" if up > 0 else "top"
    return middle, (4 * right, 4 * up), (across, along)
