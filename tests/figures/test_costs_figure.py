"""The drawings of tutorial 07: shares add up to 100 %, fields and gradients are drawn as given."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_scratch.figures.costs import draw_fields, draw_seen, draw_shares


def test_shares_of_the_stages():
    def row(name, memory, multiply_adds, parameters):
        return SimpleNamespace(name=name, memory=memory, multiply_adds=multiply_adds, parameters=parameters)

    rows = [
        row("conv1", 9, 9, 9),
        row("layer1.0.a", 30, 5, 1),
        row("layer1.1.a", 30, 5, 1),
        row("layer2.0.a", 20, 30, 6),
    ]
    ax = plt.figure().add_subplot()
    draw_shares(ax, rows, "two stages")
    assert [bar.get_width() for bar in ax.patches] == [75, 25, 25, 75, 25, 75]  # memory, multiply-adds, parameters
    assert [label.get_text() for label in ax.get_yticklabels()] == ["memory", "multiply-adds", "parameters"]
    plt.close("all")


def test_fields_run_from_the_first_layer_to_the_last():
    ax = draw_fields({"a": [3, 5, 9], "b": [7, 11]}, image_size=32).axes[0]
    lines = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert lines["a"] == [[0, 3], [0.5, 5], [1, 9]] and lines["b"] == [[0, 7], [1, 11]]
    plt.close("all")


def test_gradients_are_drawn_as_shares():
    axes = draw_seen({"a": np.array([[0.0, 1.0], [1.0, 2.0]]), "b": np.eye(2)}).axes
    assert np.square(axes[0].images[0].get_array()).sum() == pytest.approx(1)
    assert axes[2].lines[0].get_ydata().tolist() == [0.25, 0.75]
    plt.close("all")
