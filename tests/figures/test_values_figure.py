"""Drawings of values: every number is written into its cell, and every function is drawn."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from resnet_scratch.figures.values import plot_functions, show_numbers


def test_every_number_is_in_its_cell():
    ax = Figure().add_subplot()
    show_numbers(ax, np.array([[1, 2, 3, 4], [5, 6, 7.5, 8]]), "x", window=2)
    assert {text.get_position(): text.get_text() for text in ax.texts}[(2, 1)] == "7.5"
    assert len(ax.texts) == 8 and ax.get_title() == "x"
    assert {tuple(line.get_xdata()) for line in ax.lines} >= {(1.5, 1.5)}  # between the two windows


def test_functions_are_drawn_with_their_names():
    ax = Figure().add_subplot()
    plot_functions(ax, [0, 1], {"a": [1, 2], "b": [3, 4]}, "x")
    assert [(line.get_label(), list(line.get_ydata())) for line in ax.lines] == [("a", [1, 2]), ("b", [3, 4])]
    with pytest.raises(ValueError, match="at most 3, got 4"):
        plot_functions(ax, [0], dict.fromkeys("abcd", [0]), "x")
