"""Networks drawn to scale: the boxes have the proportions of the paper's table, and each block has its shortcut."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from resnet_scratch.figures.networks import draw_network
from resnet_scratch.models import build


def drawn(name):
    ax = Figure().add_subplot()
    draw_network(ax, build(name, rng=np.random.default_rng(0)))
    boxes = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    shortcuts = [line for line in ax.lines if line.get_linestyle() in ("-", "--")]
    return ax, boxes, shortcuts


def test_resnet20_has_the_heights_widths_and_shortcuts_of_the_paper():
    ax, boxes, shortcuts = drawn("resnet20")
    assert len(boxes) == 1 + 18 + 1 + 1  # the first convolution, 9 blocks of two, average pooling, classifier
    heights, widths = (
        [round(f(box) / f(boxes[0]), 6) for box in boxes] for f in (Rectangle.get_height, Rectangle.get_width)
    )
    assert heights == pytest.approx(
        [1] * 7 + [1 / 2] * 6 + [1 / 4] * 6 + [1 / 32] * 2
    )  # 32, 16, 8 pixels, then a vector
    assert widths == pytest.approx([1] * 7 + [2] * 6 + [4] * 6 + [4, 10 / 16])  # 16, 32, 64 channels, 10 classes
    assert [line.get_linestyle() for line in shortcuts] == [*"---", "--", *"--", "--", *"--"]
    assert "layer3\n6 conv\n8x8x64" in [text.get_text() for text in ax.texts]


def test_a_plain_network_has_no_shortcut():
    assert not drawn("plain8")[2]


def test_boxes_do_not_overlap_and_are_inside_the_axes():
    ax, boxes, _ = drawn("resnet8")
    assert all(a.get_x() + a.get_width() < b.get_x() for a, b in zip(boxes, boxes[1:]))
    assert 0 < boxes[0].get_x() and boxes[-1].get_x() + boxes[-1].get_width() < ax.get_xlim()[1]
