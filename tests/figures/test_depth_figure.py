"""Drawings of plain and residual networks: what is drawn is what was given, at the right layers and steps."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from resnet_scratch.figures.depth import (
    plot_errors,
    plot_losses,
    plot_moments,
    plot_scales,
    plot_slices,
    plot_steps,
)


@pytest.fixture
def ax():
    return Figure().add_subplot()


def lines(ax):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}


def test_losses_are_averages_of_eight_and_the_depth_is_written_at_the_end(ax):
    plot_losses(ax, {("plain", 8): [2.0] * 10, ("resnet", 8): [1.0] * 10, ("plain", 20): [3.0] * 10})
    assert [list(line.get_xdata()) for line in ax.lines[:3]] == [[8, 9, 10]] * 3
    assert [line.get_ydata()[-1] for line in ax.lines[:3]] == pytest.approx([2, 1, 3])
    assert [text.get_text() for text in ax.texts] == ["8", "20"]
    assert ax.lines[-1].get_ydata()[0] == math.log(10)
    assert ax.lines[0].get_linewidth() < ax.lines[2].get_linewidth()


def test_errors_are_in_per_cent_and_sorted_by_depth(ax):
    plot_errors(ax, {("plain", 20): 0.5, ("plain", 8): 0.25, ("resnet", 8): 0.0, ("resnet", 20): 0.125})
    assert lines(ax) == {"plain": ([8, 20], [25, 50]), "residual": ([8, 20], [0, 12.5])}


def test_norms_are_at_the_last_layers_of_blocks(ax):
    plot_scales(ax, {("plain", 1.0): np.array([4.0, 2.0, 1.0]), ("plain", 0.5): np.ones(3)}, "title")
    assert lines(ax)["plain, s = 1"] == ([3, 5, 7], [4, 2, 1])
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"] and ax.get_yscale() == "log"


def test_moments_of_training_differ_in_colour_and_line(ax):
    plot_moments(ax, {0: [1.0, 2.0], 20: [3.0, 4.0]}, "blocks")
    assert lines(ax) == {"step 0": ([3, 5], [1, 2]), "step 20": ([3, 5], [3, 4])}
    assert len({(line.get_color(), line.get_linestyle()) for line in ax.lines}) == 2
    ax.clear()
    plot_moments(ax, {1: [1.0, 2.0]}, "convolutions", every_layer=True)
    assert lines(ax)["step 1"] == ([1, 2], [1, 2])


def test_steps_are_evenly_spaced_and_named(ax):
    plot_steps(ax, {"cosine": {0: -1.0, 5: 0.0, 200: 1.0}}, "y")
    assert lines(ax) == {"cosine": ([0, 1, 2], [-1, 0, 1])}
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "5", "200"]


def test_slices_of_a_kind_have_one_entry_in_the_legend(ax):
    plot_slices(ax, np.array([-1.0, 1.0]), {"plain": [np.zeros(2), np.ones(2)], "resnet": [np.ones(2)]})
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["plain", "residual"]
    assert [list(line.get_ydata()) for line in ax.lines[:3]] == [[0, 0], [1, 1], [1, 1]]
