"""A hand-worked pass through two linear layers, and bookkeeping on a real network."""

import numpy as np
import pytest

from resnet_scratch.insight.passes import format_records, record
from resnet_scratch.layers import Linear, ReLU, Sequential
from resnet_scratch.models import build


def test_a_pass_computed_by_hand(put):
    """x = (1, 2), W1 = diag(1, -1), relu, W2 = I: logits (1, 0), label 0.

    softmax = (s, 1-s) with s = 1 / (1 + 1/e); dL/dlogits = (s-1, 1-s); at relu's input (s-1, 0), and so for x.
    """
    rng = np.random.default_rng(0)
    model = Sequential(first=Linear(2, 2, rng=rng), relu=ReLU(), last=Linear(2, 2, rng=rng)).astype(np.float64)
    model.first.weight.value = np.diag([1.0, -1.0])
    model.last.weight.value = np.eye(2)
    first, relu, last = record(put(model), put([[1, 2]]), put([0], np.int64))
    missing = 1 - 1 / (1 + np.exp(-1))  # 1 - s
    assert (first.name, first.kind, first.output_shape) == ("first", "Linear", (1, 2))
    assert (first.mean, first.std) == (-0.5, 1.5) and (relu.mean, relu.std) == (0.5, 0.5)  # of (1, -2) and (1, 0)
    assert last.grad_norm == pytest.approx(missing * np.sqrt(2))
    assert relu.grad_norm == pytest.approx(missing) and first.grad_norm == pytest.approx(missing)
    # dL/dW2 = (1, 0)^T (s-1, 1-s), dL/db2 = (s-1, 1-s); dL/dW1 = (1, 2)^T (s-1, 0), dL/db1 = (s-1, 0)
    assert last.grad_weight_norm == pytest.approx(missing * np.sqrt(2 + 2))
    assert first.grad_weight_norm == pytest.approx(missing * np.sqrt(1 + 4 + 1))
    assert relu.grad_weight_norm is None
    assert (first.memory, relu.memory, last.memory) == (0, 16, 0)  # of two float64: the rest is kept by others
    lines = [line.split()[:7] for line in format_records([first, relu]).splitlines()]
    assert lines == [
        ["layer", "output", "mean", "std", "dx", "dw", "kept"],
        ["first", "2", "-0.50", "1.50", "2.7e-01", "6.6e-01", "0"],  # sqrt(6) of what is missing
        ["relu", "2", "0.50", "0.50", "2.7e-01", "0", lines[2][-1]],  # 16 bytes; no dw; then a time
    ]


def test_every_layer_has_a_record_and_the_model_is_left_alone(put):
    rng = np.random.default_rng(0)
    model = put(build("resnet8", rng=rng), np.float32)
    before = {name: b.value.copy() for name, b in model.named_buffers()}
    records = record(model, put(rng.standard_normal((4, 16, 16, 3)), np.float32), put(np.arange(4), np.int64))
    assert all((before[name] == b.value).all() for name, b in model.named_buffers())
    assert len(records) == 3 + 3 * 7 + 2 + 2  # stem; 7 layers a block; two shortcuts of option A; avgpool, fc
    assert records[0].name == "conv1" and records[-1].name == "fc"
    assert records[0].output_shape == (4, 16, 16, 16) and all(r.forward_ms > 0 and r.backward_ms > 0 for r in records)


def test_each_use_of_a_layer_has_a_record(put):
    """x = (3, 0), relu, minus 1, relu: logits (2, 0) of (2, -1), label 1. dL/dlogits = (s, -s) with s = 1 / (1 + e^-2);
    of which relu lets (s, 0) through, twice."""
    relu, last = ReLU(), Linear(2, 2, rng=np.random.default_rng(0))
    last.weight.value, last.bias.value = np.eye(2), -np.ones(2)
    first, _, second = record(put(Sequential(relu=relu, last=last, again=relu)), put([[3, 0]]), put([1], np.int64))
    assert (first.name, second.name) == ("relu", "relu#2") and (first.mean, second.mean) == (1.5, 1)
    s = 1 / (1 + np.exp(-2))
    assert second.grad_norm == pytest.approx(s) and first.grad_norm == pytest.approx(s)
