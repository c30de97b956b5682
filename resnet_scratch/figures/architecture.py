"""The layers of a whole network in the order of the forward pass: stem, stages with their blocks, head."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Polygon

from ..layers import Conv2d, MaxPool2d, Sequential
from ..layers.layer import Layer
from ..measure.summary import Row, summarise
from ..models.resnet import ResNet
from .style import BLACK, BLUE, FORWARD, PURPLE, SHORTCUT, SKY, YELLOW

COLOURS = {"Conv2d": BLUE, "MaxPool2d": YELLOW, "GlobalAvgPool2d": YELLOW, "Linear": PURPLE}  # the layers with a box
MOST = 4  # blocks that are drawn of a stage
BOX, GAP, DOWN, CUBE, PLUS = 1.75, 0.45, 2.1, 1.25, 0.17  # a box, between boxes, between rows; a cuboid; a +
Point = tuple[float, float]


def draw_architecture(model: ResNet) -> Figure:
    """Draw a network row by row: its stem, its stages block by block, and its head.

    A box is a convolution (its window, its channels, and "/2" for a stride of 2), a pooling layer or the classifier.
    The line over a block is its shortcut, which is dashed where the shape changes. On the right is each row's output:
    height x width x channels, and a cuboid with these sides, on one scale for the pixels and one for the channels.
    Of a stage with more than four blocks, the middle ones are left out.
    """
    rows = [r for r in summarise(model, model.config.image_size) if r.kind in COLOURS and "downsample" not in r.name]
    stages: dict[str, list[Row]] = {}
    for row in rows:
        stages.setdefault(_stage(row.name), []).append(row)
    fig, ax = plt.subplots(layout="constrained")
    layers = dict(model.named_layers())
    ends = [_draw_row(ax, inside, layers, -DOWN * k) for k, inside in enumerate(stages.values())]
    right = max(ends) + 0.5
    shapes = [inside[-1].output_shape for inside in stages.values()]
    pixels, channels = (max(shape[k] for shape in shapes if len(shape) == 3) for k in (0, 2))
    size = model.config.image_size
    ax.text(-0.1, 0, f"image\n{size} x {size} x 3", ha="right", va="center", fontsize=9)
    for k, (stage, shape, end) in enumerate(zip(stages, shapes, ends)):
        y = -DOWN * k
        ax.text(-2.3, y, stage, ha="right", va="center", fontsize=10, weight="bold")
        _arrow(ax, (end, y), (right, y))
        text = " x ".join(map(str, shape)) if len(shape) == 3 else f"{shape[0]} logits"
        ax.text(right + 0.1, y, text, va="center", fontsize=9)
        if len(shape) == 3:
            _draw_cuboid(ax, (right + 2.6, y), CUBE * shape[0] / pixels, CUBE * shape[2] / channels)
            below = [(right + 0.7, y - 0.25), (right + 0.7, y - DOWN / 2), (0, y - DOWN / 2), (0, y - DOWN)]
            ax.plot(*zip(*below), color=FORWARD, linewidth=1.4, solid_joinstyle="round")
    parameters = sum(parameter.value.size for parameter in model.parameters())
    ax.set_title(f"{model.config.name}: {parameters:,} parameters (batch norms and ReLUs are not drawn)", fontsize=10)
    ax.set(xlim=(-3.6, right + 4.9), ylim=(-DOWN * (len(stages) - 1) - 0.6, 1.1), aspect="equal")
    fig.set_size_inches(0.52 * (right + 8.5), 0.52 * (DOWN * len(stages) + 0.6) + 0.3)
    ax.axis("off")
    return fig


def _stage(name: str) -> str:
    """The row that a layer is drawn in: its stage, or "stem" before the stages and "head" after them."""
    first = name.partition(".")[0]
    return first if first.startswith("layer") else "head" if first in ("avgpool", "fc") else "stem"


def _draw_row(ax: Axes, rows: list[Row], layers: dict[str, Layer], y: float) -> float:
    """Draw the boxes of a stage from x = 0 on, with arrows and shortcuts. Returns where the next arrow begins."""
    blocks: dict[str, list[Row]] = {}
    for row in rows:  # a layer outside the stages is a block of its own
        blocks.setdefault(".".join(row.name.split(".")[:2]), []).append(row)
    left_out = list(blocks)[MOST - 2 : -1] if len(blocks) > MOST else []
    x = 0.0
    for name, inside in blocks.items():
        if name in left_out:
            if name == left_out[0]:
                _arrow(ax, (x, y), (x + GAP, y))
                ax.text(x + GAP + 0.9, y, f"{len(left_out)} more", ha="center", va="center", fontsize=9, style="italic")
                x += GAP + 1.8
            continue
        block = layers[name]
        shortcut = getattr(block, "has_shortcut", False)
        fork = x + 0.2
        for row in inside:
            begin = x + GAP + (0.15 if shortcut and row is inside[0] else 0)
            _arrow(ax, (x, y), (begin, y))
            _draw_box(ax, (begin, y), row.kind, _text(layers[row.name], row))
            x = begin + BOX
        if shortcut:
            same = isinstance(block.downsample, Sequential) and len(block.downsample) == 0
            middle = x + GAP + PLUS
            _arrow(ax, (x, y), (middle - PLUS, y))
            _draw_shortcut(ax, fork, middle, y, "-" if same else "--")
            x = middle + PLUS
    return x


def _text(layer: Layer, row: Row) -> str:
    """What is written in the box of a layer: "3x3, 64, /2" for a convolution with 64 kernels and stride 2."""
    if isinstance(layer, (Conv2d, MaxPool2d)):
        window, stride = "x".join(map(str, layer.kernel_size)), layer.stride[0]
        name = f"{window}, {row.output_shape[-1]}" if isinstance(layer, Conv2d) else f"max {window}"
        return f"{name}, /{stride}" if stride > 1 else name
    return "average" if row.kind == "GlobalAvgPool2d" else "linear"


def _draw_box(ax: Axes, left: Point, kind: str, text: str) -> None:
    """A box that begins at `left`, the middle of its left side."""
    x, y = left
    style = "round,pad=0,rounding_size=0.12"
    colour = _tint(COLOURS[kind], 0.35)
    ax.add_patch(FancyBboxPatch((x, y - 0.32), BOX, 0.64, boxstyle=style, facecolor=colour, edgecolor=BLACK))
    ax.text(x + BOX / 2, y, text, ha="center", va="center", fontsize=8.5)


def _draw_shortcut(ax: Axes, fork: float, middle: float, y: float, line: str) -> None:
    """A line from the fork over the block to the addition, which is a circle with a plus."""
    path = [(fork, y), (fork, y + 0.68), (middle, y + 0.68), (middle, y + 0.45)]
    ax.plot(*zip(*path), line, color=SHORTCUT, linewidth=1.6)
    ax.plot([fork], [y], "o", color=SHORTCUT, markersize=3)
    _arrow(ax, (middle, y + 0.5), (middle, y + PLUS), SHORTCUT)
    ax.add_patch(Circle((middle, y), PLUS, facecolor="white", edgecolor=BLACK))
    for dx, dy in ((0.1, 0), (0, 0.1)):
        ax.plot([middle - dx, middle + dx], [y - dy, y + dy], color=BLACK, linewidth=1)


def _draw_cuboid(ax: Axes, left: Point, side: float, depth: float) -> None:
    """A cuboid in oblique projection: a square front with this side, and a depth. `left` is the middle of its left."""
    x, y = left[0], left[1] - side / 2
    dx, dy = 0.8 * depth, 0.3 * depth
    front = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    top = [front[3], front[2], (front[2][0] + dx, front[2][1] + dy), (front[3][0] + dx, front[3][1] + dy)]
    flank = [front[1], front[2], (front[2][0] + dx, front[2][1] + dy), (front[1][0] + dx, front[1][1] + dy)]
    for face, share in ((front, 0.45), (top, 0.25), (flank, 0.7)):
        ax.add_patch(Polygon(face, facecolor=_tint(SKY, share), edgecolor=BLACK, linewidth=0.8))


def _arrow(ax: Axes, start: Point, end: Point, colour: str = FORWARD) -> None:
    arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 9}
    ax.annotate("", end, start, arrowprops=arrow)


def _tint(colour: str, share: float) -> list[float]:
    """The colour mixed with white."""
    return [1 - share + share * channel for channel in to_rgb(colour)]
