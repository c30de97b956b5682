"""Drawings of tutorial 04 show the numbers they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_scratch.figures.batchnorm import (
    draw_circle,
    draw_jacobian,
    draw_modes,
    draw_running,
    draw_signals,
    draw_spread,
    draw_steps,
)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_signals_have_a_curve_for_each_label_and_panel():
    left, right = draw_signals({"small": ([2.0, 1.0], [1.0, 1.0]), "large": ([4.0, 8.0], [1.0, 1.0])}).axes
    assert [line.get_ydata().tolist() for line in left.lines] == [[2, 1], [4, 8]]
    assert [line.get_ydata().tolist() for line in right.lines] == [[1, 1], [1, 1]]


@pytest.mark.parametrize("backward, arrows", [(False, 8), (True, 16)])
def test_every_arrow_of_the_graph_has_one_back(backward, arrows):
    texts = draw_steps(backward).axes[0].texts
    assert sum(getattr(text, "arrow_patch", None) is not None for text in texts) == arrows


def test_the_jacobian_and_the_two_gradients():
    jacobian = np.array([[1.0, -1.0], [-1.0, 1.0]])
    image, bars, *_ = draw_jacobian(jacobian, np.array([3.0, 1.0]), np.array([1.0, -1.0])).axes
    assert np.array_equal(image.images[0].get_array(), jacobian)
    assert [bar.get_height() for bar in bars.patches] == [3, 1, 1, -1]


def test_normalised_triples_lie_on_the_circle():
    x = np.array([[1.0, 2.0, 6.0], [0.0, 0.0, 3.0]])
    xhat = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    ax = draw_circle(x, xhat, np.ones((2, 1)) * [1.0, -1.0, 0.0]).axes[0]
    points = next(line for line in ax.lines if line.get_label() == "xhat").get_xydata()
    assert np.allclose(np.linalg.norm(points, axis=1), ax.patches[0].radius)
    assert np.isclose(ax.patches[0].radius, np.sqrt(3))


def test_arrows_of_the_circle_end_inside_the_axes():
    ax = draw_circle(np.array([[9.0, -9.0, 0.0]]), np.array([[1.0, -1.0, 0.0]]), np.array([[1.0, -1.0, 0.0]])).axes[0]
    assert ax.get_xlim()[1] > 9 * np.sqrt(2) + 0.9 and ax.get_ylim()[1] > ax.get_xlim()[1]


def test_running_averages_beside_their_expected_approach():
    ax = draw_running([0.0, 0.5], [1.0, 2.0], mean=1.0, var=3.0, momentum=0.5).axes[1]
    assert [line.get_ydata().tolist() for line in ax.lines[:2]] == [[1, 2], [1, 2]]


def test_a_loss_curve_for_each_label():
    ax = draw_modes({"batch": [3.0, 1.0], "running": [4.0, 2.0]}).axes[0]
    assert {line.get_label(): line.get_ydata().tolist() for line in ax.lines} == {"batch": [3, 1], "running": [4, 2]}


def test_every_batch_size_has_its_column():
    ax = draw_spread({2: np.array([-1.0, 1.0]), 8: np.array([0.5])}, target=1.0).axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines[:2]] == [[-1, 1], [0.5]]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "8"]
