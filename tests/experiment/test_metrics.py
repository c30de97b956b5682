"""Intervals, McNemar's test and calibration, against numbers computed by hand."""

import numpy as np
import pytest

from resnet_scratch.errors import UserError
from resnet_scratch.experiment.metrics import accuracy_interval, fit_temperature, mcnemar, reliability


@pytest.mark.parametrize("correct, total, z", [(5, 10, 1.96), (8376, 10_000, 1.96), (0, 10, 1.96), (3, 7, 1.0)])
def test_the_ends_of_the_interval_are_z_standard_deviations_away(correct, total, z):
    for p in accuracy_interval(correct, total, z):
        assert abs(correct / total - p) == pytest.approx(z * (p * (1 - p) / total) ** 0.5, abs=1e-7)


def test_the_interval_stays_between_0_and_1_and_shrinks():
    assert accuracy_interval(0, 10)[0] == 0 and accuracy_interval(10, 10)[1] == 1
    assert accuracy_interval(10, 10)[0] == pytest.approx(10 / (10 + 1.96**2))  # the other root at q = 1
    with pytest.raises(UserError, match="correct"):
        accuracy_interval(11, 10)


def right(both, only_a, only_b, neither):
    """Who is right, of so many images of each kind."""
    kinds = np.repeat([3, 1, 2, 0], [both, only_a, only_b, neither])
    return kinds & 1 > 0, kinds & 2 > 0


@pytest.mark.parametrize(
    "only_a, only_b, p",
    [(1, 9, 22 / 1024), (9, 1, 22 / 1024), (0, 3, 0.25), (2, 6, 74 / 256), (5, 5, 1), (0, 0, 1), (0, 2000, 0)],
)
def test_mcnemar_by_hand(only_a, only_b, p):
    assert mcnemar(*right(3, only_a, only_b, 4)) == pytest.approx(p)


def test_mcnemar_of_many_images_is_near_the_normal_distribution():
    p = mcnemar(*right(0, 949, 1051, 0))  # (1051 - 949 - 1) / sqrt(2000) = 2.2584 standard deviations
    assert p == pytest.approx(0.02392, rel=0.01)


def test_mcnemar_wants_bool_of_the_same_images():
    with pytest.raises(UserError, match="bool"):
        mcnemar(np.array([1, 0]), np.array([1, 1]))
    with pytest.raises(UserError, match="same N"):
        mcnemar(np.array([True]), np.array([True, False]))


def test_reliability_by_hand():
    confidence = np.array([0.95, 0.95, 0.65, 0.63, 1.0])
    found = reliability(np.stack([confidence, 1 - confidence], 1), np.array([0, 1, 0, 0, 1]), bins=10)
    np.testing.assert_allclose(found.share, [0.4, 0.6])
    np.testing.assert_allclose(found.confidence, [0.64, 2.9 / 3])
    np.testing.assert_allclose(found.accuracy, [1, 1 / 3])
    assert found.error == pytest.approx(0.4 * 0.36 + 0.6 * (2.9 / 3 - 1 / 3))


@pytest.mark.parametrize("too_large", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_a_factor(too_large):
    p = np.array([0.5, 0.3, 0.2])
    labels = np.repeat([0, 1, 2], [50, 30, 20])  # as often as the logits say
    logits = np.tile(too_large * np.log(p), (100, 1))
    assert fit_temperature(logits, labels) == pytest.approx(too_large, rel=0.01)
