"""The solutions pass; wrong answers that people give are told what is wrong with them."""

import numpy as np
import pytest

from resnet_scratch.exercises import ch12_gpu as solved
from resnet_scratch.exercises import check


def float64_inside(x, slope):
    return np.where(x > 0, x, x * np.array([slope]))


def on_the_host(x, slope):
    return solved.leaky_relu(x if isinstance(x, np.ndarray) else x.get(), slope)


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


@pytest.mark.parametrize(
    "task, name",
    [("12.1", "leaky_relu"), ("12.2", "mean_loss"), ("12.3", "training_bytes"), ("12.4", "roofline_seconds")],
)
def test_the_solution_is_right(task, name, capsys):
    check(task, getattr(solved, name))
    assert capsys.readouterr().out == f"task {task}: right\n"


@pytest.mark.parametrize("task, answer, message", WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(task, answer, message):
    with pytest.raises(AssertionError, match=message):
        check(task, answer)
