"""Drawings of convolution: a bar for each window, colours by sign, and the curves that were given."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from resnet_scratch.figures.convolution import draw_channels, draw_reuse, draw_windows


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
