"""Whole networks, drawn layer by layer: the boxes and shapes of the paper's networks, and a shortcut for each block."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch, Polygon

from resnet_scratch.figures.architecture import draw_architecture
from resnet_scratch.figures.style import SHORTCUT
from resnet_scratch.models import build


@pytest.fixture
def drawn():
    def draw(name, classes=10):
        (ax,) = draw_architecture(build(name, classes, rng=np.random.default_rng(0))).axes
        return ax, [text.get_text() for text in ax.texts if text.get_text()]

    yield draw
    plt.close("all")


def shortcuts(ax):
    lines = [line for line in ax.lines if to_hex(line.get_color()) == SHORTCUT and len(line.get_xdata()) > 1]
    return [line.get_linestyle() for line in lines]


def test_a_network_on_a_gpu_is_drawn_too(drawn, device):
    (ax,) = draw_architecture(build("resnet8", rng=np.random.default_rng(0)).to(device)).axes
    assert [text.get_text() for text in ax.texts if text.get_text()] == drawn("resnet8")[1]


def test_resnet20_has_the_layers_and_shapes_of_the_paper(drawn):
    ax, texts = drawn("resnet20")
    counts = {"3x3, 16": 7, "3x3, 32, /2": 1, "3x3, 32": 5, "3x3, 64, /2": 1, "3x3, 64": 5, "average": 1, "linear": 1}
    assert {text: texts.count(text) for text in counts} == counts
    assert len([patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]) == sum(counts.values())
    assert shortcuts(ax) == [*"---", "--", *"--", "--", *"--"]
    shapes = [text for text in texts if " x " in text or "logits" in text]
    assert shapes[0] == "image\n32 x 32 x 3"
    assert shapes[1:] == ["32 x 32 x 16", "32 x 32 x 16", "16 x 16 x 32", "8 x 8 x 64", "10 logits"]


def test_resnet18_has_the_layers_and_shapes_of_the_paper(drawn):
    ax, texts = drawn("resnet18", 1000)
    counts = {"7x7, 64, /2": 1, "max 3x3, /2": 1, "3x3, 64": 4, "3x3, 128, /2": 1, "3x3, 128": 3, "3x3, 256, /2": 1}
    counts |= {"3x3, 256": 3, "3x3, 512, /2": 1, "3x3, 512": 3}
    assert {text: texts.count(text) for text in counts} == counts
    assert shortcuts(ax) == ["-", "-", *("--", "-") * 3]
    assert "56 x 56 x 64" in texts and "7 x 7 x 512" in texts and "1000 logits" in texts


def test_cuboids_are_to_scale(drawn):
    ax, _ = drawn("resnet20")
    faces = [patch.get_xy() for patch in ax.patches if isinstance(patch, Polygon)]
    fronts, tops = faces[0::3], faces[1::3]
    sides = [np.ptp(front[:, 1]) for front in fronts]
    depths = [top[2, 0] - top[1, 0] for top in tops]
    assert np.allclose(np.divide(sides, sides[0]), [1, 1, 1 / 2, 1 / 4])  # 32, 32, 16 and 8 pixels
    assert np.allclose(np.divide(depths, depths[0]), [1, 1, 2, 4])  # 16, 16, 32 and 64 channels


def test_long_stages_are_shortened(drawn):
    ax, texts = drawn("resnet50")  # 3, 4, 6 and 3 blocks of 3 convolutions
    assert "3 more" in texts and len(shortcuts(ax)) == 3 + 4 + 3 + 3
    assert shortcuts(ax)[0] == "--", "the first block changes the channels from 64 to 256"


def test_a_plain_network_has_no_shortcut(drawn):
    assert not shortcuts(drawn("plain8")[0])


def test_boxes_do_not_overlap(drawn):
    ax, _ = drawn("resnet20")
    boxes = [patch for patch in ax.patches if isinstance(patch, FancyBboxPatch)]
    for a, b in zip(boxes, boxes[1:]):
        assert a.get_y() != b.get_y() or a.get_x() + a.get_width() < b.get_x()
