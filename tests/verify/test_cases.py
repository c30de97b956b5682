import re

import numpy as np
import pytest

from resnet_scratch import layers
from resnet_scratch.models.resnet import BLOCKS
from resnet_scratch.verify.cases import cases, check_cases

CASES = {name: (layer, inputs, training) for name, layer, inputs, training in cases(np.random.default_rng(0))}


@pytest.mark.parametrize("name", CASES)
def test_gradients_agree_to_a_millionth(device, name):
    reports = {}
    assert check_cases(device, show=reports.__setitem__, names=[name]), f"\n{reports[name]}"
    assert list(reports) == [name] and reports[name].error < 1e-6


def test_every_layer_and_every_block_is_among_the_cases():
    checked = {type(part).__name__ for layer, _, _ in CASES.values() for _, part in layer.named_layers()}
    assert set(layers.__all__) - {"Layer", "Parameter"} <= checked
    assert {block.__name__ for block in BLOCKS.values()} <= checked


def test_the_run_over_everything_fails_when_one_case_fails(monkeypatch):
    """With ReLU's backward broken, exactly the cases with a ReLU in them fail."""
    few = {name: case for name, case in CASES.items() if name in ("ReLU", "Linear", "Sequential")}
    monkeypatch.setattr("resnet_scratch.verify.cases.cases", lambda rng: ((n, *case) for n, case in few.items()))
    assert check_cases()
    monkeypatch.setattr(layers.ReLU, "backward", lambda self, grad_y, y: grad_y)
    failed = []
    assert not check_cases(show=lambda name, report: report.passed or failed.append(name))
    assert failed == ["ReLU", "Sequential"]


def test_a_layer_that_raises_fails_its_case_and_the_others_are_checked(monkeypatch):
    few = {name: case for name, case in CASES.items() if name in ("ReLU", "Linear", "Sequential")}
    monkeypatch.setattr("resnet_scratch.verify.cases.cases", lambda rng: ((n, *case) for n, case in few.items()))

    def backward(self, grad_y, y):
        return np.zeros(3) + np.zeros(4)

    monkeypatch.setattr(layers.ReLU, "backward", backward)
    reports = {}
    assert not check_cases(show=reports.__setitem__)
    assert {name: report.passed for name, report in reports.items()} == dict(ReLU=False, Linear=True, Sequential=False)
    told = r"backward raised ValueError: operands could not be broadcast .* \(test_cases.py:\d+\)"
    assert all(re.fullmatch(told, reports[name].tensors[0].problem) for name in ("ReLU", "Sequential"))
