"""A whole network, drawn to scale: what becomes of an image's height and its channels on the way to the logits."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from ..layers import Sequential
from ..measure.summary import Row, summarise
from ..models.resnet import ResNet
from .style import BLUE, GREY, PURPLE, SHORTCUT, YELLOW

COLOURS = {"Conv2d": BLUE, "MaxPool2d": YELLOW, "GlobalAvgPool2d": YELLOW, "Linear": PURPLE}  # the layers with a box
GAP = 0.45  # between two boxes; the boxes of a whole network are 20 wide and at most 6 high
WIDTH, HEIGHT = 20.0, 6.0


def draw_network(ax: Axes, model: ResNet) -> None:
    """Draw a network from left to right, with a box for each convolution, each pooling and the classifier.

    A box is what its layer puts out: as high as its image (H), as wide as it has channels (C), each on a scale from
    zero. Its colour says what the layer is. A shortcut is an arc over its block, dashed where the shape changes. The
    shapes are those of a forward pass on images of `model.config.image_size`.
    """
    size = model.config.image_size
    rows = [r for r in summarise(model, size) if r.kind in COLOURS and "downsample" not in r.name]
    highest = max(_height(row) for row in rows)
    per_channel = WIDTH / sum(row.output_shape[-1] for row in rows)
    left = GAP
    extent: dict[str, list[float]] = {}  # where a block or a stage begins and ends
    for row in rows:
        width, height = row.output_shape[-1] * per_channel, _height(row) * HEIGHT / highest
        box = Rectangle((left, -height / 2), width, height, facecolor=COLOURS[row.kind], alpha=0.75, linewidth=0)
        ax.add_patch(box)
        for part in (_stage(row.name), _block(row.name)):
            top = max(height / 2, extent.get(part, [0, 0, 0])[2])
            extent[part] = [extent.get(part, [left])[0], left + width, top]
        left += width + GAP
    for name, layer in model.named_layers():
        if name in extent and getattr(layer, "has_shortcut", False):
            start, end, top = extent[name]
            same_shape = isinstance(layer.downsample, Sequential) and not any(layer.downsample.children())
            _draw_shortcut(ax, start - GAP / 2, end + GAP / 2, top, "-" if same_shape else "--")
    for stage in dict.fromkeys(_stage(row.name) for row in rows):
        start, end, top = extent[stage]
        ax.text((start + end) / 2, -top - 0.2, _label(stage, rows), ha="center", va="top", fontsize=7)
    parameters = sum(parameter.value.size for parameter in model.parameters())
    ax.set_title(f"{model.config.name}: {parameters:,} parameters; images of {size}x{size} pixels", fontsize=10)
    ax.set_xlim(0, left)
    ax.set_ylim(-HEIGHT / 2 - 1.6, HEIGHT / 2 + 1.2)
    ax.axis("off")


def _height(row: Row) -> int:
    """The height in pixels of what a layer puts out; 1 for a vector of channels."""
    return row.output_shape[0] if len(row.output_shape) == 3 else 1


def _stage(name: str) -> str:
    """The first part of a layer's name: `layer1` for `layer1.0.conv2`."""
    return name.partition(".")[0]


def _block(name: str) -> str:
    """The first two parts: `layer1.0` for `layer1.0.conv2`."""
    return ".".join(name.split(".")[:2])


def _label(stage: str, rows: list[Row]) -> str:
    """The name of a stage, and the shape of what it puts out."""
    inside = [row for row in rows if _stage(row.name) == stage]
    count = f"{len(inside)} conv\n" if len(inside) > 1 else ""
    return f"{stage}\n{count}" + "x".join(map(str, inside[-1].output_shape))


def _draw_shortcut(ax: Axes, start: float, end: float, top: float, style: str) -> None:
    """An arc with an arrow head, from before a block to after it, over boxes that reach up to `top`."""
    bridge = top + 0.45
    ax.plot([start, start, end], [0, bridge, bridge], style, color=SHORTCUT, linewidth=1.2)
    arrow = {"arrowstyle": "-|>", "color": SHORTCUT, "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (end, 0), (end, bridge), arrowprops=arrow)
    ax.plot([start], [0], ".", color=GREY, markersize=3)
