"""The drawings of tutorial 13: curves, rungs and pairs are drawn as given, and labelled."""

import matplotlib.pyplot as plt
import pytest

from resnet_scratch.figures.speed import draw_curve, draw_ladder, draw_pairs


def texts(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_a_curve_with_a_size_and_a_level():
    ax = draw_curve({16: 2.0, 64: 8.0}, "rows", "GFLOP/s", {"limit": 32}, {"stacks": 10.0}).axes[0]
    curve, size, level = (line.get_xydata().tolist() for line in ax.lines)
    assert curve == [[16, 2], [64, 8]]
    assert [x for x, _ in size] == [32, 32] and [y for _, y in level] == [10, 10]
    assert ax.get_xscale() == "log" and legend(ax) == ["limit", "stacks"]
    assert ax.get_ylim() == pytest.approx((0, 11)), "a tenth above the highest value"
    plt.close("all")


def test_a_curve_alone():
    ax = draw_curve({1: 4.0, 2: 2.0}, "a", "b", {}, {}).axes[0]
    assert len(ax.lines) == 1 and ax.get_legend() is None and ax.get_ylim() == pytest.approx((0, 4.4))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("a", "b")
    plt.close("all")


def test_the_ladder_begins_at_the_bottom():
    ax = draw_ladder({"0 loops": 12345.0, "1 columns": 67.8, "2 library": 9.0}, 5.0, "all at full speed").axes[0]
    assert [bar.get_width() for bar in ax.patches] == [12345, 67.8, 9]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0 loops", "1 columns", "2 library"]
    assert texts(ax) == [" 12,345", " 67.8", " 9.0"] and ax.get_title() == "dashed: all at full speed"
    assert ax.lines[0].get_xdata()[0] == 5 and ax.get_xscale() == "log"
    assert ax.patches[2].get_hatch() and not ax.patches[1].get_hatch(), "the last rung looks different in grey, too"
    plt.close("all")


def test_pairs_are_side_by_side():
    ax = draw_pairs(["a", "b", "c"], {"one": [1.0, 2, 3], "two": [3.0, 4, 8]}, "ms").axes[0]
    assert [bar.get_height() for bar in ax.patches] == [1, 2, 3, 3, 4, 8]
    middles = [bar.get_x() + bar.get_width() / 2 for bar in ax.patches]
    assert middles == pytest.approx([-0.2, 0.8, 1.8, 0.2, 1.2, 2.2])
    assert texts(ax) == ["1.0", "2.0", "3.0", "3.0", "4.0", "8.0"] and ax.get_ylim() == pytest.approx((0, 9.2))
    assert legend(ax) == ["one", "two"]
    with pytest.raises(ValueError):
        draw_pairs(["a", "b"], {"one": [1.0, 2], "two": [3.0]}, "ms")
    plt.close("all")
