"""The roofline rises with the intensity up to the corner, and is flat after it."""

import matplotlib.pyplot as plt
import pytest

from resnet_scratch.figures.roofline import draw_roofline


def test_layers_lie_on_the_roofline():
    ax = draw_roofline({"Conv2d": [100.0], "ReLU": [0.25, 1.0]}, peak=20e9, bandwidth=4e9).axes[0]
    points = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert points["Conv2d"] == [[100.0, 20.0]], "bound by arithmetic: 20 GFLOP/s"
    assert points["BatchNorm2d, ReLU, Add"] == [[0.25, 1.0], [1.0, 4.0]], (
        "bound by memory: 4 GFLOP/s per operation/byte"
    )
    roof = ax.lines[0].get_ydata()
    assert roof[0] == pytest.approx(0.2) and roof[-1] == 20
    plt.close("all")
