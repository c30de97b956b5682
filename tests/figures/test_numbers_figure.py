"""A matrix with its numbers: each in its cell, frames around the right ones."""

import numpy as np
from matplotlib.figure import Figure

from resnet_scratch.figures.numbers import draw_numbers


def test_each_number_is_in_its_cell_and_the_frame_is_around_the_cells():
    ax = Figure().add_subplot()
    draw_numbers(ax, np.array([[1, 0.25, -3], [40, 5, 6]]), "a title", [((1, 0, 1, 2), "red")], shade=True)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written[(1, 0)] == "0.25" and written[(2, 0)] == "-3" and written[(0, 1)] == "40"
    (frame,) = ax.patches
    assert (*frame.get_xy(), frame.get_width(), frame.get_height()) == (-0.5, 0.5, 2, 1)
    assert ax.get_title() == "a title" and ax.images[0].get_array().max() == 40
    assert ax.images[0].get_array().min() >= 0, "shaded by size, regardless of sign"


def test_gradients_are_orange_and_values_blue():
    ax = Figure().add_subplot()
    draw_numbers(ax, np.ones((1, 1)), shade=True)
    draw_numbers(ax, np.ones((1, 1)), shade=True, gradient=True)
    assert [image.get_cmap().name for image in ax.images] == ["Blues", "Oranges"]
