"""The drawings of tutorial 00 show the right images under the right names."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_scratch.data import Dataset
from resnet_scratch.figures.start import draw_loss, draw_one_of_each, draw_predictions


@pytest.fixture
def dataset():
    def grey(*levels):
        return np.stack([np.full((4, 4, 3), level, np.uint8) for level in levels])

    train, test = grey(10, 20, 30, 40, 50, 60), grey(1, 2, 3)
    return Dataset(
        "greys", ("one", "two", "three"), train, np.array([2, 1, 1, 0, 0, 2]), test, np.array([0, 1, 2]), mirror=True
    )


def shown(fig):
    return [(ax.get_title(), int(ax.images[0].get_array()[0, 0, 0])) for ax in fig.axes if ax.images]


def test_one_of_each(dataset):
    assert shown(draw_one_of_each(dataset)) == [("one", 40), ("two", 20), ("three", 10)]
    plt.close("all")


def test_predictions(dataset):
    fig = draw_predictions(dataset, np.array([0, 2, 2]))
    assert shown(fig) == [("one", 1), ("three?\nit is: two", 2), ("three", 3)]
    plt.close("all")


def test_loss():
    ax = draw_loss([3.0, 2.0, 1.0], guessing=2.3).axes[0]
    assert ax.lines[0].get_xydata().tolist() == [[1, 3], [2, 2], [3, 1]] and ax.get_ylim()[0] == 0
    plt.close("all")
