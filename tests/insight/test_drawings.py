"""What is on the axes is what was asked for."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from resnet_scratch.insight.drawings import draw_feature_maps, draw_filters, draw_heat


@pytest.fixture
def axes():
    return Figure().subplots()


def test_filters(axes, put):
    weight = np.zeros((1, 1, 3, 2))
    weight[0, 0, 0, 0] = 7  # pure red
    weight[0, 0, :, 1] = -2, -2, -2  # as dark as can be
    draw_filters(axes, put(weight))
    shown = axes.images[0].get_array()
    assert shown.shape == (1, 3, 3)  # two tiles of one pixel, a white line between them
    assert shown[0].tolist() == [[1, 0.5, 0.5], [1, 1, 1], [0, 0, 0]]


def test_feature_maps_are_scaled_one_by_one(axes, put):
    activation = np.zeros((1, 2, 3))
    activation[0, :, 0] = -5, 5
    activation[0, :, 1] = 0, 1000
    draw_feature_maps(axes, put(activation))  # the third is constant
    shown = axes.images[0].get_array()
    assert shown[[0, 0, 0, 0, 2, 2], [0, 1, 3, 4, 0, 1]].tolist() == [0, 1, 0, 1, 0, 0]
    assert shown.mask.sum() == 3 * 5 - 6  # the lines, and the fourth tile, are no values


def test_heat_lies_over_the_image_in_grey(axes):
    heat = np.array([[0.0, 1.0]])
    draw_heat(axes, np.array([[[0, 30, 60], [255, 255, 255]]], np.uint8), heat)
    below, above = axes.images
    assert below.get_array().tolist() == [[30, 255]] and above.get_array().tolist() == [[0, 1]]
    assert above.get_alpha().tolist() == [[0, 0.75]]


def test_mistakes_are_named(axes):
    with pytest.raises(ValueError, match=r"weight must be \(KH, KW, 3, O\)"):
        draw_filters(axes, np.zeros((3, 3, 16, 16)))
    with pytest.raises(ValueError, match=r"activation must be \(H, W, C\)"):
        draw_feature_maps(axes, np.zeros((1, 4, 4, 3)))
    with pytest.raises(ValueError, match="heat must have"):
        draw_heat(axes, np.zeros((4, 4, 3)), np.zeros((2, 2)))
