"""The drawings of tutorial 15: sums in cells, messages in time, and curves beside an ideal."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.colors import to_hex

from resnet_scratch.figures.processes import draw_messages, draw_ring, draw_scaling


def test_sums_that_are_complete_are_framed():
    before, after = [[{0}, {0}], [{1}, {1}]], [[{0}, {0, 1}], [{1}, {1}]]
    first, second = draw_ring([before, after]).axes
    assert [text.get_text() for text in first.texts] == ["0", "0", "1", "1"]
    assert [text.get_text() for text in second.texts] == ["0", "all", "1", "1"]
    assert (len(first.patches), len(second.patches)) == (4, 5), "a cell each, and one frame"
    assert (first.get_title(), second.get_title()) == ("at first", "round 1")
    frame = next(patch for patch in second.patches if not patch.get_fill())
    assert 1 < frame.get_x() < 2 and 0 < frame.get_y() < 1, "piece 1 of process 0: column 1, row 0"
    assert [patch.get_x() for patch in first.patches] == [0, 1, 0, 1]
    assert to_hex(second.patches[0].get_facecolor()) != to_hex(second.patches[1].get_facecolor())
    plt.close("all")


def test_a_round_lasts_as_long_as_its_longest_message():
    ax = plt.subplots()[1]
    sent = [(0, 1, 10), (1, 0, 40), (0, 1, 20), (1, 0, 20)]  # two rounds: 0.1 + 40 / 100, then 0.1 + 20 / 100
    assert draw_messages(ax, sent, 100, 0.1, "two") == pytest.approx(0.8)
    arrows = [(text.xyann, text.xy) for text in ax.texts]
    assert arrows[:2] == [((0, 0.0), (1, 0.5)), ((1, 0.0), (0, 0.5))]
    assert arrows[2][0] == (0, 0.5) and arrows[2][1] == (1, pytest.approx(0.8))
    assert ax.get_xticks().tolist() == [0, 1] and ax.get_title() == "two"
    plt.close("all")


def test_curves_are_drawn_as_given_beside_the_ideal():
    ax = plt.subplots()[1]
    draw_scaling(ax, {"a": {1: 1.0, 2: 1.5}, "b": {1: 1.0, 2: 1.9}}, "processes", "speed", {1: 1, 2: 2})
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert lines == {"ideal": [[1, 1], [2, 2]], "a": [[1, 1], [2, 1.5]], "b": [[1, 1], [2, 1.9]]}
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "log", "processes", "speed")
    ax = plt.subplots()[1]
    draw_scaling(ax, {"only": {1: 5.0}}, "x", "y")
    assert len(ax.lines) == 1
    plt.close("all")
