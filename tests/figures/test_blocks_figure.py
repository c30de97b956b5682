"""Drawings of blocks: every layer has a box, the shortcut is a straight line past the branch, gradients are named."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from resnet_scratch.figures import blocks
from resnet_scratch.figures.style import BACKWARD, FORWARD, SHORTCUT


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def boxes(ax):
    """The positions of the boxes, by their text."""
    return {text.get_text(): text.get_position() for text in ax.texts if text.get_bbox_patch() and text.get_text()}


def arrows(ax, colour):
    """The start and the end of each arrow of this colour."""
    drawn = [text for text in ax.texts if getattr(text, "arrow_patch", None)]
    return [(text.xyann, text.xy) for text in drawn if to_hex(text.arrow_patch.get_edgecolor()) == colour]


def words(ax):
    return [text.get_text() for text in ax.texts]


def test_a_unit_has_the_branch_beside_the_shortcut():
    ax = Figure().add_subplot()
    blocks.draw_unit(ax, ["conv1", "bn1"], ["relu2"])
    assert boxes(ax) == {"x": (0, 0), "conv1": (2, -1), "bn1": (2, -2), "+": (0, -3), "relu2": (0, -4), "y": (0, -5)}
    assert arrows(ax, SHORTCUT) == [((0, 0), (0, -3))]
    assert arrows(ax, FORWARD) == [
        ((0, 0), (2, -1)),
        ((2, -1), (2, -2)),
        ((2, -2), (0, -3)),
        ((0, -3), (0, -4)),
        ((0, -4), (0, -5)),
    ]
    assert not arrows(ax, BACKWARD)


def test_a_plain_unit_is_a_chain():
    ax = Figure().add_subplot()
    blocks.draw_unit(ax, ["F"], [], None)
    assert boxes(ax) == {"x": (0, 0), "F": (0, -1), "y": (0, -2)} and not arrows(ax, SHORTCUT)


def test_layers_on_the_shortcut_are_spaced_along_it():
    ax = Figure().add_subplot()
    blocks.draw_unit(ax, ["conv1", "bn1"], [], ["1x1"])
    assert boxes(ax)["1x1"] == (0, -1.5)
    assert arrows(ax, SHORTCUT) == [((0, 0), (0, -1.5)), ((0, -1.5), (0, -3))]


def test_every_gradient_goes_against_a_value():
    (ax,) = blocks.draw_block(backward=True).axes
    forward = arrows(ax, FORWARD) + arrows(ax, SHORTCUT)
    assert len(forward) == 9  # x to conv1 to bn1 to relu1 to conv2 to bn2 to +, x to +, + to relu2 to y
    assert sorted(arrows(ax, BACKWARD)) == sorted((end, start) for start, end in forward)
    assert words(ax).count("grad_sum") == 2, "the whole gradient goes both into the branch and into the shortcut"
    assert "grad_x = grad_sum + grad_branch" in words(ax)


def test_the_forward_block_says_what_each_step_does():
    (ax,) = blocks.draw_block().axes
    assert not arrows(ax, BACKWARD) and words(ax).count("each channel: mean 0, std 1") == 2


def test_each_shortcut_has_the_shape_of_its_branch():
    identity, option_a, option_b = blocks.draw_shortcuts().axes
    assert words(identity).count("N x 32 x 32 x 16") == 2
    for ax in (option_a, option_b):
        assert words(ax).count("N x 32 x 32 x 16") == words(ax).count("N x 16 x 16 x 32") == 1
    assert [len(arrows(ax, SHORTCUT)) for ax in (identity, option_a, option_b)] == [1, 3, 3]


def test_only_the_first_two_orders_have_layers_on_the_way_of_the_shortcut():
    axes = blocks.draw_orders().axes
    after = [[name for name, (x, y) in boxes(ax).items() if x == 0 and name not in "x+y"] for ax in axes]
    assert after == [["relu2"], ["bn2", "relu2"], [], []]
    branches = [[name for name, (x, y) in boxes(ax).items() if x > 0] for ax in axes]
    assert branches[0] == ["conv1", "bn1", "relu1", "conv2", "bn2"] and branches[1] == branches[0][:-1]
    assert branches[2] == [*branches[0], "relu2"]
    assert branches[3] == ["bn1", "relu1", "conv1", "bn2", "relu2", "conv2"]


def test_the_highway_has_a_gate_on_both_ways():
    plain, highway, residual = blocks.draw_ideas().axes
    assert {"· T", "· (1 - T)", "F", "T"} <= set(boxes(highway))
    assert len(arrows(highway, SHORTCUT)) == 2 and len(arrows(residual, SHORTCUT)) == 1
    assert not arrows(plain, SHORTCUT)


@pytest.mark.parametrize("nested", [False, True])
def test_classes_are_nested_on_the_right_only(nested):
    ax = blocks.draw_classes().axes[nested]
    first, second, third = (patch for patch in ax.patches if isinstance(patch, Ellipse))
    for small, large in ((first, second), (second, third)):
        edge = small.get_patch_transform().transform_path(small.get_path()).vertices
        inside = large.get_patch_transform().transform_path(large.get_path()).contains_points(edge)
        assert inside.all() == nested
