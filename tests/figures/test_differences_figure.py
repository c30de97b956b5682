"""Drawings of tutorial 03 show the slopes, errors and gradients that they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_scratch.figures.differences import draw_errors, draw_kink, draw_portraits, draw_secants


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def slope(line):
    x, y = line.get_data()
    return (y[-1] - y[0]) / (x[-1] - x[0])


def test_secants_go_through_their_points():
    for ax, expected, xs in zip(draw_secants(lambda x: x**2, 3.0, 6.0, 1.0).axes, (7, 6), ([3, 4], [2, 4])):
        _, tangent, secant, points = ax.lines
        assert np.isclose(slope(tangent), 6) and np.isclose(slope(secant), expected)  # of 9 and 16, and of 4 and 16
        assert list(points.get_xdata()) == xs and list(points.get_ydata()) == [x**2 for x in xs]


def test_every_error_is_a_point_and_every_prediction_a_line():
    steps = np.array([1e-1, 1e-2])
    measured = {"float64": (np.array([1e-2, 0.0]), np.array([1e-3, 1e-5]))}
    (ax,) = draw_errors(steps, measured, {"float64": {"truncation": np.array([2e-2, 2e-3])}}).axes
    forward, central, line = (list(drawn.get_ydata()) for drawn in ax.lines)
    assert forward == [1e-2, 1e-17] and central == [1e-3, 1e-5] and line == [2e-2, 2e-3]
    assert ax.get_xscale() == ax.get_yscale() == "log" and ax.get_title() == "float64"


def test_a_large_step_crosses_the_kink():
    _, large, small = draw_kink(3e-6, (1e-5, 1e-6)).axes[0].lines
    assert np.allclose(large.get_xydata(), [[-7, 0], [13, 13]]) and np.allclose(small.get_xydata(), [[2, 2], [4, 4]])


def test_a_portrait_for_each_pair():
    pairs = {name: (np.array([[2.0 * k]]), np.array([[1.0 * k]])) for k, name in enumerate("ABCD", 1)}
    axes = draw_portraits(pairs).axes
    assert [ax.get_title() for ax in axes[:4]] == list("ABCD") and not any(ax.axison for ax in axes[4:])
    assert axes[2].lines[1].get_xydata().tolist() == [[3, 6]]
