"""No drawing leaves out data: where there are more curves than ways to tell them apart, that is an error."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from resnet_scratch.figures import batchnorm, costs, depth, differences, functions, processes, residual, training
from resnet_scratch.measure.summary import Row

VALUES = [1.0, 2.0, 3.0]


def many(number, value=VALUES):
    """A curve for each of so many labels."""
    return {f"{k}": value for k in range(number)}


def shares(ax, number):
    costs.draw_shares(ax, [Row(f"layer{k}.conv", "Conv2d", (1,), 1, 1, 1) for k in range(number)], "")


BY_STEP = {1: 0.5, 2: 0.25}
DRAWINGS = {  # with the number of curves that it can tell apart
    "training.plot_curves": (4, lambda ax, n: training.plot_curves(ax, many(n))),
    "training.plot_rates": (4, lambda ax, n: training.plot_rates(ax, many(n, BY_STEP))),
    "functions.plot_functions": (3, lambda ax, n: functions.plot_functions(ax, VALUES, many(n), "x")),
    "batchnorm.draw_signals": (3, lambda ax, n: batchnorm.draw_signals(many(n, (VALUES, VALUES)))),
    "batchnorm.draw_modes": (3, lambda ax, n: batchnorm.draw_modes(many(n))),
    "residual.draw_signals": (4, lambda ax, n: residual.draw_signals(many(n), many(n), VALUES)),
    "residual.draw_gradients": (4, lambda ax, n: residual.draw_gradients(many(n), many(n), 0.1)),
    "depth.plot_moments": (5, lambda ax, n: depth.plot_moments(ax, dict(enumerate(many(n).values())), "")),
    "depth.plot_steps": (4, lambda ax, n: depth.plot_steps(ax, many(n, BY_STEP), "y")),
    "depth.plot_scales": (3, lambda ax, n: depth.plot_scales(ax, {("plain", 2.0**k): VALUES for k in range(n)}, "")),
    "costs.draw_shares": (4, shares),
    "costs.draw_fields": (4, lambda ax, n: costs.draw_fields(many(n), 32)),
    "costs.draw_seen": (2, lambda ax, n: costs.draw_seen(many(n, np.ones((2, 2))))),
    "processes.draw_scaling": (4, lambda ax, n: processes.draw_scaling(ax, many(n, BY_STEP), "x", "y")),
    "differences.draw_kink": (3, lambda ax, n: differences.draw_kink(0.0, [1e-6] * n)),
    "differences.draw_errors": (
        3,
        lambda ax, n: differences.draw_errors(np.array(VALUES), {"f": (VALUES, VALUES)}, {"f": many(n)}),
    ),
}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", DRAWINGS)
def test_more_curves_than_can_be_told_apart_are_an_error(name):
    most, draw = DRAWINGS[name]
    _, ax = plt.subplots()
    draw(ax, most)
    with pytest.raises(ValueError, match=f"must be at most {most}, got {most + 1}$"):
        draw(ax, most + 1)
