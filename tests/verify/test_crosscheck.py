"""Two devices, of which one goes wrong in a known layer."""

import numpy as np
import pytest

from resnet_scratch.compute.backend import array_module
from resnet_scratch.layers import BatchNorm2d, Linear, ReLU, Sequential
from resnet_scratch.models import build
from resnet_scratch.verify.crosscheck import TOLERANCE, crosscheck, first_difference, format_differences


@pytest.fixture
def setting(gpu):
    rng = np.random.default_rng(0)
    return build("resnet8", rng=rng), rng.standard_normal((4, 8, 8, 3), np.float32), np.arange(4)


def test_the_same_code_agrees_in_every_layer_and_the_model_is_left_alone(setting):
    model, images, labels = setting
    before = [buffer.value.copy() for _, buffer in model.named_buffers()]
    differences = crosscheck(model, images, labels, "cuda:0")
    assert len(differences) == 3 + 3 * 7 + 2 + 2  # stem; 7 layers a block; two shortcuts of option A; avgpool, fc
    assert differences[0].name == "conv1" and differences[-1].name == "fc"
    assert max(d.worst for d in differences) < TOLERANCE and first_difference(differences) is None
    assert all(np.array_equal(a, b.value) for a, (_, b) in zip(before, model.named_buffers()))
    assert all(parameter.grad is None for parameter in model.parameters())
    table = format_differences(differences).splitlines()
    assert len(table) == 29 and table[1].split()[:2] == ["conv1", "Conv2d"]


def test_it_computes_in_the_dtype_that_was_asked_for(setting, monkeypatch):
    seen = []
    go_wrong_on_the_gpu(monkeypatch, ReLU, "forward", lambda self, result: seen.append(result[0].dtype) or result)
    crosscheck(*setting, "cuda:0", dtype=np.float32)
    assert set(seen) == {np.dtype(np.float32)}


def go_wrong_on_the_gpu(monkeypatch, kind, direction, change):
    right = getattr(kind, direction)

    def wrong(self, x, *arguments, **keywords):
        result = right(self, x, *arguments, **keywords)
        return result if array_module(x) is np else change(self, result)

    monkeypatch.setattr(kind, direction, wrong)


def test_an_output_that_is_wrong_on_one_device_is_seen_there_first(setting, monkeypatch):
    go_wrong_on_the_gpu(monkeypatch, ReLU, "forward", lambda self, result: (result[0] * 1.5, result[1]))
    differences = crosscheck(*setting, "cuda:0")
    assert first_difference(differences) == ("relu", "forward")
    outputs = {d.name: d.output for d in differences}
    assert outputs["conv1"] < TOLERANCE and outputs["bn1"] < TOLERANCE and outputs["relu"] == pytest.approx(0.5)


def test_a_gradient_of_a_parameter_that_is_wrong_is_told_from_that_of_the_input(setting, monkeypatch):
    def change(self, grad_x):
        self.bias.grad = self.bias.grad * 3
        return grad_x

    go_wrong_on_the_gpu(monkeypatch, Linear, "backward", change)
    differences = crosscheck(*setting, "cuda:0")
    assert first_difference(differences) == ("fc", "backward")
    differences = {d.name: d for d in differences}
    assert differences["fc"].grad_parameters > 0.1 and differences["fc"].grad_input < TOLERANCE
    assert all(d.worst < TOLERANCE for name, d in differences.items() if name != "fc")


def test_a_layer_that_is_used_twice_is_compared_twice(gpu, rng, monkeypatch):
    relu, calls = ReLU(), []
    model = Sequential(relu=relu, fc=Linear(3, 3, rng=rng), again=relu)
    batch = rng.standard_normal((4, 3)), np.arange(4) % 3
    assert [d.name for d in crosscheck(model, *batch, "cuda:0")] == ["relu", "fc", "relu#2"]

    def second_is_wrong(self, result):
        calls.append(result)
        return (result[0] * 1.5, result[1]) if len(calls) == 2 else result

    go_wrong_on_the_gpu(monkeypatch, ReLU, "forward", second_is_wrong)
    differences = crosscheck(model, *batch, "cuda:0")
    assert first_difference(differences) == ("relu#2", "forward") and differences[2].output == pytest.approx(0.5)


def test_what_is_no_number_is_the_worst_of_all(setting, monkeypatch):
    go_wrong_on_the_gpu(monkeypatch, BatchNorm2d, "backward", lambda self, grad_x: grad_x * float("nan"))
    differences = crosscheck(*setting, "cuda:0")
    assert first_difference(differences) == ("layer3.0.bn2", "backward")  # the last batch norm is the first to go wrong
    differences = {d.name: d for d in differences}
    assert np.isnan(differences["bn1"].grad_input) and np.isnan(differences["bn1"].worst)
