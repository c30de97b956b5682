"""Drawings of a test result: what is drawn is what was given."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from resnet_scratch.experiment.metrics import Reliability
from resnet_scratch.figures.evaluation import plot_coverage, plot_intervals, plot_reliability


def test_an_interval_is_a_bar_with_a_point():
    ax = Figure().add_subplot()
    plot_intervals(ax, {"one": (0.5, 0.6, 0.75), "other": (0.1, 0.2, 0.4)})
    bar, point, other, _ = ax.lines
    assert list(bar.get_xdata()) == [50, 75] and list(point.get_xdata()) == [60]
    assert list(other.get_xdata()) == pytest.approx([10, 40]) and list(other.get_ydata()) == [1, 1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "other"]
    assert [text.get_text() for text in ax.texts] == ["60.00%", "20.00%"]
    low, high = ax.get_ylim()
    assert low > high, "the first row is at the top"


def test_a_larger_share_of_the_images_is_a_larger_point():
    ax = Figure().add_subplot()
    found = Reliability(np.array([0.25, 0.75]), np.array([0.5, 0.9]), np.array([0.4, 1.0]))
    plot_reliability(ax, found, "as trained")
    points = ax.collections[0]
    assert points.get_offsets().tolist() == [[0.5, 0.4], [0.9, 1.0]]
    small, large = points.get_sizes()
    assert (large - 12) == pytest.approx(3 * (small - 12)) and ax.get_title() == "as trained"
    assert [line.get_linestyle() for line in ax.lines] == [":", "-"]


def test_coverage_starts_with_the_surest_answers():
    ax = Figure().add_subplot()
    plot_coverage(ax, np.array([0.5, 0.9, 0.7, 0.8]), np.array([False, True, False, True]))
    curve, level = ax.lines
    assert list(curve.get_xdata()) == [25, 50, 75, 100]
    assert list(curve.get_ydata()) == pytest.approx([100, 100, 200 / 3, 50])
    assert set(level.get_ydata()) == {50}
