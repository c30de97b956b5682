"""The roofline: how fast a computation can be at best, given how much it computes with each byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from .style import BLACK, BLUE, GREEN, ORANGE

GROUPS = {  # kinds of layers that are drawn alike
    "Conv2d": (("Conv2d",), BLUE, "o"),
    "Linear": (("Linear",), GREEN, "D"),
    "BatchNorm2d, ReLU, Add": (("BatchNorm2d", "ReLU", "Add"), ORANGE, "s"),
}


def draw_roofline(intensities: Mapping[str, Sequence[float]], peak: float, bandwidth: float) -> Figure:
    """Layers on the roofline of a device.

    `intensities` has the operations per byte of the layers of each kind, such as {"Conv2d": [36.0, 70.5]}; `peak` is in
    operations per second and `bandwidth` in bytes per second.
    Source: Williams, Waterman and Patterson 2009, "Roofline", figure 1.
    """
    fig, ax = plt.subplots(figsize=(7, 3.6))
    across = np.geomspace(0.05, 500, 200)
    ax.loglog(across, np.minimum(peak, bandwidth * across) / 1e9, color=BLACK)
    ax.text(500, peak / 1e9 * 0.7, "limit: arithmetic", fontsize=8, ha="right", va="top")
    ax.text(0.4, bandwidth * 0.4 / 1e9 * 1.6, "limit: memory", fontsize=8, ha="right")
    for label, (kinds, colour, marker) in GROUPS.items():
        values = [value for kind in kinds for value in intensities.get(kind, ())]
        best = [min(peak, bandwidth * value) / 1e9 for value in values]
        ax.plot(values, best, marker, color=colour, label=label, alpha=0.7)
    ax.set_xlabel("arithmetic intensity (operations per byte)")
    ax.set_ylabel("best possible speed (GFLOP/s)")
    ax.legend(frameon=False, fontsize=8)
    fig.tight_layout()
    return fig
