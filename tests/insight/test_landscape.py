"""Slices of a loss that is known in closed form."""

import numpy as np
import pytest

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.insight.landscape import filter_normalised_direction, loss_slice, loss_surface
from resnet_scratch.layers import Linear
from resnet_scratch.models import build


def test_each_filter_of_the_direction_is_as_long_as_the_filter(device):
    model = build("resnet8", rng=np.random.default_rng(0)).to(device)
    direction = filter_normalised_direction(model, np.random.default_rng(1))
    for parameter, step in zip(model.parameters(), direction, strict=True):
        step, value = to_numpy(step), to_numpy(parameter.value)
        assert step.shape == value.shape and step.dtype == np.float32
        if value.ndim == 1:
            assert not step.any()
            continue
        for o in range(step.shape[-1]):  # one filter after another
            assert np.linalg.norm(step[..., o]) == pytest.approx(np.linalg.norm(value[..., o]), rel=1e-4)
            assert not np.allclose(step[..., o], value[..., o])


def logistic(put):
    """Logits (w, 0) at x = 1, label 0: the loss is log(1 + exp(-w))."""
    model = Linear(1, 2, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
    model.weight.value = np.array([[0.5, 0.0]])
    return put(model), put(np.ones((1, 1))), put([0], np.int64)


def test_a_slice_computed_by_hand(put):
    model, x, labels = logistic(put)
    alphas = [-1.0, 0.0, 2.0]
    losses = loss_slice(model, x, labels, [put([[1, 0]])], alphas)
    assert losses == pytest.approx([np.log1p(np.exp(-(0.5 + a))) for a in alphas])
    assert model.weight.value.tolist() == [[0.5, 0.0]]


def test_a_surface_computed_by_hand(put):
    model, x, labels = logistic(put)
    alphas = [-1.0, 0.0, 3.0]
    surface = loss_surface(model, x, labels, [put([[1, 0]])], [put([[0, 1]])], alphas)
    assert surface == pytest.approx(np.array([[np.log1p(np.exp(b - (0.5 + a))) for a in alphas] for b in alphas]))


def test_running_averages_and_weights_are_left_alone(put):
    rng = np.random.default_rng(0)
    model = put(build("resnet8", 3, rng=rng), np.float32)
    images = put(rng.standard_normal((4, 8, 8, 3)), np.float32)
    before = {name: b.value.copy() for name, b in model.named_buffers()}
    direction = filter_normalised_direction(model, rng)
    first, middle, last = loss_slice(model, images, put([0, 1, 2, 0], np.int64), direction, [-1, 0, 1])
    assert first != middle != last
    assert all((before[name] == b.value).all() for name, b in model.named_buffers())


def test_a_direction_of_another_model(put):
    model, x, labels = logistic(put)
    with pytest.raises(ValueError, match="drawn for another model"):
        loss_slice(model, x, labels, [put(np.ones((2, 2)))], [0.0])
