"""Residual blocks, drawn as the shortcut (a straight line down the left) with the branch beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from .graphs import Position, draw_graph
from .style import BACKWARD, BLACK, BLUE, FORWARD, GREEN, GREY, ORANGE, PURPLE, SHORTCUT, SKY, YELLOW

LINES = ((BLUE, GREEN, ORANGE), ("-", "--", "-."))  # told apart by their dashes, too
WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}  # the background of a text on a line
RIGHT = 2.0  # where the branch is; the shortcut is at 0
TINTS = {"conv": SKY, "bn": YELLOW, "relu": PURPLE}  # what a layer's name contains, and the colour of its box
BASIC = ("conv1", "bn1", "relu1", "conv2", "bn2")
STEPS = {
    "x": "x (N, H, W, C), used twice",
    "conv1": "weighted sums of 3x3 pixels",
    "bn1": "each channel: mean 0, std 1",
    "relu1": "negative numbers become 0",
    "conv2": "weighted sums of 3x3 pixels",
    "bn2": "each channel: mean 0, std 1",
    "add": "x + F(x)",
    "relu2": "negative numbers become 0",
    "y": "y (N, H, W, C)",
}
GRADIENTS = {
    ("y", "relu2"): "g",
    ("relu2", "add"): "grad_sum = g · [y > 0]",
    ("add", "bn2"): "grad_sum",
    ("conv1", "x"): "grad_branch",
}
ORDERS: dict[str, tuple[Sequence[str], Sequence[str]]] = {  # the layers of the branch, and those after the addition
    "(a) original\nReLU after the addition": (BASIC, ("relu2",)),
    "(b) batch norm\nafter the addition": (BASIC[:4], ("bn2", "relu2")),
    "(c) ReLU before\nthe addition": ((*BASIC, "relu2"), ()),
    "(e) pre-activation": (("bn1", "relu1", "conv1", "bn2", "relu2", "conv2"), ()),
}


def draw_unit(
    ax: Axes,
    branch: Sequence[str],
    after: Sequence[str] = ("relu2",),
    shortcut: Sequence[str] | None = (),
    backward: Mapping[tuple[str, str], str] | None = None,
    height: int = 0,
) -> None:
    """Draw one block from x down to y: the layers of its branch, those after the addition, those on the shortcut.

    `shortcut` is None for a block without one. With `backward` the gradients are drawn too, as arrows against those of
    the forward pass; it says what is written beside them, such as {("y", "relu2"): "g"}. Blocks with the same `height`,
    in layers, are drawn to the same scale.
    """
    boxes, arrows = _layout(branch, after, shortcut)
    labels = {"add": "+"}
    bend = 0.0 if backward is None else 0.16
    on_shortcut = {*(shortcut or ()), "x", "add"}
    for colour, on in ((FORWARD, False), (SHORTCUT, True)):
        mine = [arrow for arrow in arrows if (shortcut is not None and on_shortcut.issuperset(arrow)) is on]
        if mine:
            draw_graph(ax, boxes, [(*arrow, "") for arrow in mine], colour, labels, dict.fromkeys(mine, bend))
    if backward is not None:
        back = [(end, start) for start, end in arrows]
        draw_graph(
            ax,
            boxes,
            [(*arrow, backward.get(arrow, "")) for arrow in back],
            BACKWARD,
            labels,
            dict.fromkeys(back, bend),
        )
    _tint_boxes(ax, boxes, labels)
    lowest = min(min(y for _, y in boxes.values()), -height)
    ax.set(xlim=(-1.2, RIGHT + 1.2), ylim=(lowest - 0.6, 0.6))


def draw_block(backward: bool = False) -> Figure:
    """The basic block as a graph, with what each step does; with `backward`, the gradients and their names instead."""
    fig, ax = plt.subplots(figsize=(6.2, 6), layout="constrained")
    draw_unit(ax, BASIC, backward=GRADIENTS if backward else None)
    ax.set_xlim(-1.2, RIGHT + 3.4)
    if backward:
        ax.text(0.6, -3.5, "grad_sum", color=BACKWARD, fontsize=9, va="center")  # between the two columns
        ax.text(0.3, 0.2, "grad_x = grad_sum + grad_branch", color=BACKWARD, fontsize=9, va="bottom")
    else:
        for k, name in enumerate(BASIC, start=1):
            ax.text(RIGHT + 0.7, -k, STEPS[name], fontsize=9, va="center")
        for k, name in enumerate(("add", "relu2", "y"), start=len(BASIC) + 1):
            ax.text(0.7, -k, STEPS[name], fontsize=9, va="center")
        ax.text(0.4, 0, STEPS["x"], fontsize=9, va="center")
        ax.text(-0.2, -3, "shortcut", color=SHORTCUT, fontsize=9, rotation=90, ha="center", va="center")
        ax.text(RIGHT - 0.2, -5.55, "F(x)", color=FORWARD, fontsize=9, va="center")
    return fig


def draw_shortcuts() -> Figure:
    """The three shortcuts beside each other: the identity, option A and option B, with the shapes of their arrays."""
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 5.6), layout="constrained")
    before, after = "N x 32 x 32 x 16", "N x 16 x 16 x 32"
    cases = {
        "identity\nthe shape stays": ((), BASIC, before, before),
        "option A\nno parameters": (("every 2nd\npixel", "pad with\nzeros"), ("conv1 /2", *BASIC[1:]), before, after),
        "option B\na convolution": (("1x1 conv\n/2", "bn"), ("conv1 /2", *BASIC[1:]), before, after),
    }
    for ax, (title, (shortcut, branch, x, y)) in zip(axes, cases.items()):
        draw_unit(ax, branch, shortcut=shortcut)
        ax.text(0.4, 0.0, x, fontsize=9, va="center", color=BLACK)
        lowest = -(len(branch) + 3)
        ax.text(0.4, lowest, y, fontsize=9, va="center", color=BLACK)
        ax.set_title(title, fontsize=10)
    return fig


def draw_orders() -> Figure:
    """Four orders of the same layers: (a), (b), (c) and (e) of figure 4 in He et al. 2016, "Identity Mappings"."""
    fig, axes = plt.subplots(1, len(ORDERS), figsize=(11.5, 5.4), layout="constrained")
    height = 1 + max(len(branch) + len(after) for branch, after in ORDERS.values()) + 1
    for ax, (title, (branch, after)) in zip(axes, ORDERS.items()):
        draw_unit(ax, branch, after, height=height)
        ax.set_title(title, fontsize=10)
    return fig


def draw_ideas() -> Figure:
    """A plain layer, a highway layer and a residual layer beside each other."""
    fig, axes = plt.subplots(1, 3, figsize=(9.5, 3.4), layout="constrained")
    draw_unit(axes[0], ["F"], (), None)
    draw_unit(axes[2], ["F"], ())
    boxes: dict[str, Position] = {"x": (0, 0), "T": (1.3, -1), "F": (2.6, -1), "keep": (0, -2), "gate": (2.6, -2)}
    boxes |= {"add": (0, -3), "y": (0, -4)}
    labels = {"keep": "· (1 - T)", "gate": "· T", "add": "+"}
    gates = [("x", "T"), ("T", "gate"), ("T", "keep")]
    branch = [("x", "F"), ("F", "gate"), ("gate", "add"), ("add", "y")]
    draw_graph(axes[1], boxes, [(*arrow, "") for arrow in gates], GREY, labels)
    draw_graph(axes[1], boxes, [(*arrow, "") for arrow in branch], FORWARD, labels, {("x", "F"): -0.2})
    draw_graph(axes[1], boxes, [("x", "keep", ""), ("keep", "add", "")], SHORTCUT, labels)
    titles = ("plain: y = F(x)", "highway: y = F(x) · T(x) + x · (1 - T(x))", "residual: y = F(x) + x")
    for ax, title in zip(axes, titles):
        ax.set(xlim=(-1.2, 3.4), ylim=(-4.5, 0.5))
        ax.set_title(title, fontsize=10)
    return fig


def draw_classes() -> Figure:
    """What networks of growing depth can compute, as regions: not nested on the left, nested on the right."""
    fig, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    wandering = [((0, 0), 1.6, 1.1, 0), ((-0.5, 0.35), 2.3, 1.5, 25), ((-1.3, 0.2), 3.2, 2.1, -20)]
    nested = [((0, 0), 1.6, 1.1, 0), ((0.15, 0.05), 2.6, 1.8, 10), ((0.35, 0.1), 3.8, 2.6, 10)]
    for ax, title, regions in zip(axes, ("not nested", "nested"), (wandering, nested)):
        for k, ((middle, width, height, angle), colour, line) in enumerate(zip(regions, *LINES), start=1):
            ax.add_patch(Ellipse(middle, width, height, angle=angle, fill=False, lw=2, ec=colour, ls=line))
            side = 0.72 if ax is axes[1] else -0.72
            label = (middle[0] - 0.31 * width, middle[1] + side * height / 2)
            ax.text(*label, rf"$\mathcal{{F}}_{k}$", color=colour, fontsize=12, ha="center", va="center", bbox=WHITE)
        ax.plot(1.75, 0.5, "*", color=BLACK, markersize=12)
        ax.text(1.75, 0.3, "best", fontsize=9, ha="center", va="top", bbox=WHITE)
        ax.set(aspect="equal", xlim=(-3.1, 2.9), ylim=(-1.5, 1.7))
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
    return fig


def _layout(
    branch: Sequence[str], after: Sequence[str], shortcut: Sequence[str] | None
) -> tuple[dict[str, Position], list[tuple[str, str]]]:
    """The positions of all boxes, and the arrows between them."""
    end = -(len(branch) + 1)
    boxes: dict[str, Position] = {"x": (0, 0)}
    column = 0.0 if shortcut is None else RIGHT
    boxes |= {name: (column, -k) for k, name in enumerate(branch, start=1)}
    tail = [*after, "y"] if shortcut is None else ["add", *after, "y"]
    boxes |= {name: (0, end - k) for k, name in enumerate(tail)}
    chain = ["x", *branch, *tail]
    arrows = list(zip(chain, chain[1:]))
    if shortcut is not None:
        step = end / (len(shortcut) + 1)
        boxes |= {name: (0, step * k) for k, name in enumerate(shortcut, start=1)}
        chain = ["x", *shortcut, "add"]
        arrows += list(zip(chain, chain[1:]))
    return boxes, arrows


def _tint_boxes(ax: Axes, names: Iterable[str], labels: Mapping[str, str]) -> None:
    """Give the boxes of convolutions, batch norms and ReLUs their light colours."""
    shown = {labels.get(name, name) for name in names}
    for text in ax.texts:
        kind = next((kind for kind in TINTS if kind in text.get_text()), None)
        if kind and text.get_text() in shown and text.get_bbox_patch():
            text.get_bbox_patch().set_facecolor([(2 + channel) / 3 for channel in to_rgb(TINTS[kind])])
