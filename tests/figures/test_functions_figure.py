"""Functions as curves: each is drawn, with its name."""

import pytest
from matplotlib.figure import Figure

from resnet_scratch.figures.functions import plot_functions


def test_functions_are_drawn_with_their_names():
    ax = Figure().add_subplot()
    plot_functions(ax, [0, 1], {"a": [1, 2], "b": [3, 4]}, "x")
    assert [(line.get_label(), list(line.get_ydata())) for line in ax.lines] == [("a", [1, 2]), ("b", [3, 4])]
    with pytest.raises(ValueError, match="at most 3, got 4"):
        plot_functions(ax, [0], dict.fromkeys("abcd", [0]), "x")
