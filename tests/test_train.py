from __future__ import annotations

import gc
import itertools
import tracemalloc
import weakref

import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.layers import Linear
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.train import train


def zero_linear(put) -> tuple[Linear, SGD]:
    model = Linear(1, 2, rng=np.random.default_rng(0))
    model.weight.value[...] = 0
    put(model, np.float32)
    return model, SGD(model.parameters(), momentum=0.0)


def test_one_step_by_hand(put):
    # weights 0: both logits 0, both probabilities 1/2, loss ln 2; grad_logits = p - q = (-1/2, 1/2);
    # grad_weight = x * grad_logits = (-1, 1), grad_bias = (-1/2, 1/2); learning rate 0.1
    model, optimizer = zero_linear(put)
    batch = put([[2]], np.float32), put([0], np.int64)
    (step,) = train(model, optimizer, [batch], lambda step: 0.1, total_steps=1)
    assert (step.number, step.learning_rate, int(step.correct)) == (1, 0.1, 1)
    assert float(step.loss) == pytest.approx(np.log(2))
    assert_same(model.weight.value, np.array([[0.1, -0.1]]), 1e-7)
    assert_same(model.bias.value, np.array([0.05, -0.05]), 1e-7)


def test_it_counts_the_images_that_were_right_before_the_update(put):
    """Logits (x, -x), so the answers are 0, 1, 0 where 0, 0, 1 would be right."""
    model, optimizer = zero_linear(put)
    model.weight.value[...] = put([[1, -1]], np.float32)
    batch = put([[1], [-1], [2]], np.float32), put([0, 0, 1], np.int64)
    (step,) = train(model, optimizer, [batch], lambda step: 10.0, total_steps=1)
    assert int(step.correct) == 1


def test_it_starts_where_it_is_told_and_stops_after_the_last_step(put):
    model, optimizer = zero_linear(put)
    taken = []

    def batches():
        while True:
            taken.append(1)
            yield put(np.ones((3, 1)), np.float32), put(np.zeros(3), np.int64)

    steps = list(train(model, optimizer, batches(), lambda step: step / 100, total_steps=7, start_step=4))
    assert [step.number for step in steps] == [5, 6, 7]
    assert [step.learning_rate for step in steps] == [0.04, 0.05, 0.06]
    assert len(taken) == 3  # no batch is prepared that nobody uses


def test_a_schedule_with_a_state_is_asked_once_a_step(put):
    model, optimizer = zero_linear(put)
    batch = put([[1]], np.float32), put([0], np.int64)
    rates = iter([0.5, 0.25, 0.125])
    steps = list(train(model, optimizer, [batch] * 3, lambda step: next(rates), total_steps=3))
    assert [step.learning_rate for step in steps] == [0.5, 0.25, 0.125] and next(rates, None) is None


def test_the_caller_can_stop_between_steps_and_see_what_was_learned(put):
    model, optimizer = zero_linear(put)
    batch = put(np.ones((2, 1)), np.float32), put([1, 1], np.int64)
    losses = []
    for step in train(model, optimizer, iter([batch] * 100), lambda step: 0.5, total_steps=100):
        losses.append(float(step.loss))
        if step.number == 5:
            break
    assert len(losses) == 5 and losses == sorted(losses, reverse=True)


def test_leaving_out_the_gradient_of_the_images_trains_as_well(put, rng):
    """Three steps, in float64, against the loop written out with the full way back."""
    images, labels = put(rng.standard_normal((6, 8, 8, 3))), put(rng.integers(0, 10, 6), np.int64)
    ours, theirs = (put(build("resnet8", rng=np.random.default_rng(0))) for _ in range(2))
    list(train(ours, SGD(ours.parameters()), [(images, labels)] * 3, lambda step: 0.1, 3))
    optimizer = SGD(theirs.parameters())
    for _ in range(3):
        logits, cache = theirs.forward(images, training=True)
        assert theirs.backward(softmax_cross_entropy(logits, labels)[1], cache).shape == images.shape
        optimizer.step(0.1)
    start = build("resnet8", rng=np.random.default_rng(0)).parameters()
    for a, b, before in zip(ours.parameters(), theirs.parameters(), start, strict=True):
        assert_same(a.value, b.value, 1e-10)
        assert np.abs(to_numpy(a.value) - before.value).max() > 1e-4


def test_what_a_step_kept_is_gone_before_the_next_one_begins():
    """Or training would need twice the memory."""
    alive = []

    class Keep(Linear):
        def forward(self, x, training=False):
            assert not any(reference() is not None for reference in alive)
            cache = x.copy()
            alive.append(weakref.ref(cache))
            return super().forward(x, training)[0], cache

    model = Keep(1, 2, rng=np.random.default_rng(0))
    batch = np.ones((2, 1), np.float32), np.array([0, 1])
    list(train(model, SGD(model.parameters()), [batch] * 3, lambda step: 0.1, 3))
    assert len(alive) == 3


def test_many_steps_leak_no_memory():
    rng = np.random.default_rng(0)
    model = build("resnet8", rng=rng)
    batch = rng.standard_normal((4, 8, 8, 3), np.float32), rng.integers(0, 10, 4)
    optimizer, memory = SGD(model.parameters()), []
    tracemalloc.start()
    for step in train(model, optimizer, itertools.repeat(batch), lambda step: 1e-3, 110):
        if step.number in (20, 50, 80, 110):
            gc.collect()
            memory.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    growth = np.diff(memory).min()  # a leak grows every time; what other tests left running may allocate once
    assert growth < 30 * 64  # not even one small array, or object, for each step
