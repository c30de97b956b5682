"""Rows of images and maps: each on its own axes, on the right scale."""

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from resnet_scratch.figures.seeing import show_heats, show_maps, show_row
from resnet_scratch.figures.style import ORANGE


def test_a_row_has_titles_and_a_label():
    axes = Figure().subplots(1, 2)
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    show_row(axes, images, ["cat", "dog"], "image", marked={1})
    assert [ax.images[0].get_array().tolist() for ax in axes] == images.tolist()
    assert [ax.get_title() for ax in axes] == ["cat", "dog"] and axes[0].texts[0].get_text() == "image"
    assert [same_color(ax.title.get_color(), ORANGE) for ax in axes] == [False, True]
    with pytest.raises(ValueError):
        show_row(axes, images[:1])


def test_each_map_has_its_own_scale():
    axes = Figure().subplots(1, 3)
    maps = [np.array([[1.0, 3.0]]), np.array([[-4.0, 2.0]]), np.zeros((1, 2))]
    show_maps(axes, maps)
    assert [ax.images[0].get_clim() for ax in axes] == [(0, 3), (0, 4), (0, 1)]
    axes = Figure().subplots(1, 3)
    show_maps(axes, maps, signed=True)
    assert [ax.images[0].get_clim() for ax in axes] == [(-3, 3), (-4, 4), (-1, 1)], "0 is in the middle"


def test_a_heat_lies_over_its_image():
    axes = Figure().subplots(1, 2)
    show_heats(axes, np.zeros((2, 2, 2, 3), np.uint8), np.array([[[0.0, 1], [0, 0]], [[0, 0], [0, 0.5]]]), ["a", "b"])
    assert [len(ax.images) for ax in axes] == [2, 2]
    assert [ax.images[1].get_array().max() for ax in axes] == [1, 0.5]
