"""A quadratic-like problem whose largest stable learning rate is known."""

import itertools

import numpy as np
import pytest

from resnet_scratch.insight.learning_rate import find_learning_rate
from resnet_scratch.models import build
from resnet_scratch.optim import SGD


def setting(put):
    rng = np.random.default_rng(0)
    model = put(build("resnet8", 3, rng=rng), np.float32)
    batch = put(rng.standard_normal((8, 8, 8, 3)), np.float32), put(np.arange(8) % 3, np.int64)
    return model, SGD(model.parameters(), momentum=0.9), itertools.repeat(batch)


def test_rates_grow_by_one_factor_and_everything_is_put_back(put):
    model, optimizer, batches = setting(put)
    optimizer.states[0]["velocity"][...] = 0.25
    before = {name: b.value.copy() for name, b in model.named_buffers()}
    rates, losses = find_learning_rate(model, optimizer, batches, 1e-4, 1e-2, steps=5)
    assert rates == pytest.approx([1e-4, 10**-3.5, 1e-3, 10**-2.5, 1e-2])
    assert losses[-1] < losses[0]  # it did train meanwhile
    assert all((before[name] == b.value).all() for name, b in model.named_buffers())
    first, *others = (state["velocity"] for state in optimizer.states)
    assert (first == 0.25).all() and not any(velocity.any() for velocity in others)
    assert optimizer.parameters[0].value is model.conv1.weight.value


def test_it_stops_when_the_loss_explodes(put):
    model, optimizer, batches = setting(put)
    rates, losses = find_learning_rate(model, optimizer, batches, 1e-3, 1e6, steps=40)
    assert len(rates) == len(losses) < 40
    assert not losses[-1] <= 4 * losses[:-1].min() and (losses[:-1] <= 4 * np.minimum.accumulate(losses[:-1])).all()


@pytest.mark.parametrize("wrong", [dict(low=0), dict(low=2, high=1), dict(steps=1)])
def test_mistakes_are_named(put, wrong):
    with pytest.raises(ValueError, match="|".join(wrong)):
        find_learning_rate(*setting(put), **wrong)
