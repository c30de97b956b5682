"""Drawings of convolution: frames around the right cells, a bar for each window, colours by sign, given curves."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from resnet_scratch.figures.convolution import (
    draw_channels,
    draw_gliding,
    draw_im2col,
    draw_reuse,
    draw_windows,
)


def frames(ax):
    """(first row, first column, rows, columns) of each frame, and its line."""
    return [((r.get_y() + 0.5, r.get_x() + 0.5, r.get_height(), r.get_width()), r.get_linestyle()) for r in ax.patches]


def test_the_window_of_each_number_of_the_result_is_framed():
    image, kernel = np.arange(12).reshape(3, 4), np.array([[1, 0], [0, 2]])
    y = np.array([[10, 13, 16], [22, 25, 28]])  # 0 + 2 * 5, 1 + 2 * 6, ...
    fig = draw_gliding(image, kernel, y)
    drawn_kernel, *drawn, result = fig.axes
    assert [ax.get_title() for ax in drawn[:2]] == ["window (0, 0): sum 10", "window (0, 1): sum 13"]
    assert [frames(ax)[0][0] for ax in drawn[2:4]] == [(0, 2, 2, 2), (1, 0, 2, 2)]
    assert len(drawn) == 6 and not frames(drawn_kernel) and not frames(result)
    plt.close(fig)


def test_a_marked_window_is_framed_in_the_image_in_the_columns_and_in_the_result():
    image, kernel = np.arange(9).reshape(3, 3), np.array([[1, 0], [0, 0]])
    columns = np.array([[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]])
    fig = draw_im2col(image, columns, kernel, np.array([[0, 1], [3, 4]]), marked=[(0, 1), (1, 0)])
    first, second = zip(*(frames(ax) for ax in fig.axes if ax.patches))
    assert [cells for cells, _ in first] == [(0, 1, 2, 2), (1, 0, 1, 4), (0, 1, 1, 1)]
    assert [cells for cells, _ in second] == [(1, 0, 2, 2), (2, 0, 1, 4), (1, 0, 1, 1)]
    assert {line for _, line in first} == {"-"} and {line for _, line in second} == {"--"}, "told apart without colour"
    labels = [label.get_text() for label in fig.axes[1].get_yticklabels(minor=True)]
    assert labels == ["(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)"]
    plt.close(fig)
    with pytest.raises(ValueError, match="at most 2 windows"):
        draw_im2col(image, columns, kernel, np.zeros((2, 2)), marked=[(0, 0), (0, 1), (1, 0)])


@pytest.mark.parametrize(
    "size, kernel, stride, padding, begins", [(5, 3, 2, 1, [-1, 1, 3]), (6, 3, 2, 0, [0, 2]), (4, 4, 1, 0, [0])]
)
def test_a_bar_for_each_window(size, kernel, stride, padding, begins):
    ax = Figure().add_subplot()
    draw_windows(ax, size, kernel, stride, padding)
    bars = [line.get_xdata() for line in ax.lines]
    assert [round(bar[0]) for bar in bars] == begins and all(round(bar[1] - bar[0]) == kernel for bar in bars)
    assert len(ax.patches) == size + 2 * padding, "a cell for each pixel and each zero"


def test_a_channel_with_negative_numbers_is_white_at_zero():
    fig = draw_channels({"grey": np.ones((2, 3)), "signed": np.array([[-1.0, 4.0]])})
    grey, signed = (ax.images[0] for ax in fig.axes)
    assert grey.cmap.name == "gray" and grey.get_clim() == (0, 1)
    assert signed.cmap.name == "RdBu_r" and signed.get_clim() == (-4, 4)
    plt.close(fig)


def test_times_and_speeds_are_drawn_against_the_number_of_kernels():
    fig = draw_reuse([1, 2], [3.0, 4.0], [5.0, 6.0])
    curves = [[float(y) for y in ax.lines[0].get_ydata()] for ax in fig.axes]
    assert curves == [[3, 4], [5, 6]] and list(fig.axes[0].lines[0].get_xdata()) == [1, 2]
    plt.close(fig)
