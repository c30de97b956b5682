"""Drawings of training: what is drawn is what was given, at the right steps."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from resnet_scratch.figures.training import WINDOW, plot_curves, plot_paths, plot_rates, plot_run, show_images


def lines(ax):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}


def test_a_curve_is_averaged_over_the_last_steps():
    ax = Figure().add_subplot()
    plot_curves(ax, {"falls": [*range(2 * WINDOW, 0, -1)]})
    steps, values = lines(ax)["falls"]
    assert steps == list(range(WINDOW, 2 * WINDOW + 1))
    assert values == pytest.approx(np.arange(2 * WINDOW, WINDOW - 1, -1) - (WINDOW - 1) / 2)
    with pytest.raises(ValueError, match="at most 4, got 5"):
        plot_curves(ax, dict.fromkeys("abcde", [1.0]))


def test_a_run_too_short_for_an_average_has_none():
    """One that diverges stops after a few steps."""
    ax = Figure().add_subplot()
    plot_curves(ax, {"diverges": [2.3, 50.0, np.nan]})
    plot_run(ax, [2.3, 2.2, 2.1], {3: 2.0})
    assert lines(ax)["diverges"] == lines(ax)["training"] == ([], [])
    assert lines(ax)["test"] == ([3], [2.0])


def test_paths_are_drawn_on_axes_of_their_own():
    axes = Figure().subplots(1, 2)
    plot_paths(axes, {"a": np.zeros((3, 2)), "b": np.ones((2, 2))}, np.array([1.0, 20.0]))
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    assert len(axes[0].lines[0].get_xdata()) == 3 and len(axes[1].lines[0].get_xdata()) == 2


def test_the_best_rate_is_marked():
    ax = Figure().add_subplot()
    plot_rates(ax, {"SGD": {0.1: 2.0, 1.0: 1.0, 10.0: 3.0}})
    assert lines(ax)["SGD"] == ([0.1, 1.0, 10.0], [2.0, 1.0, 3.0])
    assert list(ax.lines[1].get_xdata()) == [1.0] and ax.get_xscale() == "log"


def test_a_run_and_images_are_drawn():
    ax, *others = Figure().subplots(1, 3)
    plot_run(ax, [1.0] * 10, {5: 2.0, 10: 1.5})
    assert lines(ax)["test"] == ([5, 10], [2.0, 1.5]) and lines(ax)["training"] == ([8, 9, 10], [1.0] * 3)
    show_images(others, np.zeros((2, 4, 4, 3), np.uint8), ["a", ""])
    assert others[0].get_title() == "a" and others[0].images[0].get_array().shape == (4, 4, 3)
