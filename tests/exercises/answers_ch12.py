"""Wrong answers that people give to the tasks of tutorial 12, and a word of what each must be told."""

import numpy as np

from resnet_scratch.exercises import ch12_gpu as solved


def float64_inside(x, slope):
    return np.where(x > 0, x, x * np.array([slope]))


def on_the_host(x, slope):
    return solved.leaky_relu(x if isinstance(x, np.ndarray) else x.get(), slope)


RIGHT: list = []

WRONG = [
    ("12.1", lambda x, slope: np.where(x > 0, x, slope * x), "array_module"),
    ("12.1", float64_inside, "float64"),
    ("12.1", lambda x, slope: solved.leaky_relu(x, -slope), "it is"),
    ("12.1", on_the_host, "copied to the host"),
    ("12.2", lambda losses: float(np.mean([float(loss) for loss in losses])), "waited 4 times"),
    ("12.2", lambda losses: sum(losses) / 4, "Python float"),
    ("12.2", lambda losses: float(sum(losses)), "the mean of"),
    ("12.3", lambda p, a, n: 4 * (2 * p + a * n), "velocity"),
    ("12.3", lambda p, a, n: 4 * (3 * p + a) * n, "once for each image"),
    ("12.3", lambda p, a, n: 8 * (3 * p + a * n), "40,000"),
    ("12.4", lambda o, m, p, b: o / p + m / b, "the sum"),
    ("12.4", lambda o, m, p, b: o / p, "bound by memory"),
]
