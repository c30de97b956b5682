import numpy as np
import pytest

from resnet_scratch.compute.backend import to_device
from resnet_scratch.layers import Add, BatchNorm2d, Linear, ReLU, Sequential
from resnet_scratch.layers.layer import Layer
from resnet_scratch.measure.recorder import observe
from resnet_scratch.models import build


def test_every_layer_is_observed_in_the_order_it_runs_and_only_within_the_block():
    model, seen = build("resnet8", rng=np.random.default_rng(0)), []
    x = np.zeros((2, 8, 8, 3), np.float32)
    with observe(model, lambda event: seen.append((event.direction, event.name))):
        y, cache = model.forward(x, training=True)
        model.backward(y, cache)
    assert seen[:5] == [("forward", n) for n in ("conv1", "bn1", "relu", "layer1.0.conv1", "layer1.0.bn1")]
    assert seen[-1] == ("backward", "conv1") and ("backward", "layer3.0.downsample") in seen
    assert not any(name.endswith("layer1.0.downsample") for _, name in seen)  # an identity
    names = {direction: [n for d, n in seen if d == direction] for direction in ("forward", "backward")}
    # stem; 7 layers in each of 3 blocks; two shortcuts of option A; avgpool, fc: each runs once forward, once backward
    assert len(names["forward"]) == len(set(names["forward"])) == 3 + 3 * 7 + 2 + 2
    assert sorted(names["forward"]) == sorted(names["backward"])
    model.forward(x)
    assert len(seen) == 2 * 28 and model.relu.forward.__func__ is ReLU.forward


def test_a_batch_norm_over_groups_is_observed_as_one_layer(rng):
    norm, seen = BatchNorm2d(3, group=2), []
    with observe(norm, lambda event: seen.append((event.direction, event.outputs[0].shape))):
        y, cache = norm.forward(rng.standard_normal((6, 4, 4, 3)), training=True)
        norm.backward(y, cache)
    assert seen == [("forward", (6, 4, 4, 3)), ("backward", (6, 4, 4, 3))]


class Residual(Layer):
    """y = x + relu(x)."""

    def __init__(self):
        self.relu, self.add = ReLU(), Add()

    def forward(self, x, training=False):
        h, relu = self.relu.forward(x, training)
        y, add = self.add.forward(h, x, training)
        return y, (relu, add)

    def backward(self, grad_y, cache):
        g, grad_shortcut = self.add.backward(grad_y, cache[1])
        return self.relu.backward(g, cache[0]) + grad_shortcut


def test_an_event_holds_what_went_in_and_what_came_out(put):
    """x = (1, -2): relu(x) = (1, 0), y = (2, -2). For grad_y = (1, 1) the gradient is (1, 0) + (1, 1)."""
    events = []
    model, x, grad_y = Residual(), put([[1, -2]]), put([[1, 1]])
    with observe(model, events.append):
        y, cache = model.forward(x, training=True)
        model.backward(grad_y, cache)
    relu, add, add_back, relu_back = events
    assert [(e.name, e.direction, e.layer) for e in events] == [
        ("relu", "forward", model.relu), ("add", "forward", model.add),
        ("add", "backward", model.add), ("relu", "backward", model.relu),
    ]  # fmt: skip
    assert len(relu.inputs) == 1 and relu.inputs[0] is x and relu.outputs[0].tolist() == [[1, 0]]
    assert [a.tolist() for a in add.inputs] == [[[1, 0]], [[1, -2]]]
    assert [a.tolist() for a in add.outputs] == [[[2, -2]]]
    assert add_back.inputs[0] is grad_y and [a.tolist() for a in add_back.outputs] == [[[1, 1]], [[1, 1]]]
    assert relu_back.inputs[0].tolist() == [[1, 1]] and relu_back.outputs[0].tolist() == [[1, 0]]
    assert relu.cache is cache[0] is relu_back.cache and all(event.seconds >= 0 for event in events)


def test_each_use_of_a_layer_has_a_name_of_its_own(put):
    """The next pass counts anew."""
    relu, seen = ReLU(), []
    model = Sequential(first=relu, second=relu, third=relu)
    with observe(model, lambda event: seen.append((event.direction, event.name))):
        for _ in range(2):
            y, cache = model.forward(put([[1.0, -1.0]]), training=True)
            model.backward(y, cache)
    names = ["first", "first#2", "first#3"]
    assert seen == 2 * ([("forward", name) for name in names] + [("backward", name) for name in reversed(names)])


def test_a_training_step_is_observed_to_its_end():
    """At the first convolution it asks for the gradients of the parameters only."""
    model, seen = build("resnet8", rng=np.random.default_rng(0)), []
    x = np.zeros((2, 8, 8, 3), np.float32)
    with observe(model, lambda event: seen.append((event.direction, event.name, len(event.outputs)))):
        for _ in range(2):
            y, cache = model.forward(x, training=True)
            model.backward_to_parameters(y, cache)
    assert seen[:56] == seen[56:] and len({name for _, name, _ in seen}) == 28
    assert seen[55] == ("backward", "conv1", 0)
    assert not {"forward", "backward", "backward_to_parameters"} & set(vars(model.conv1))


def test_observers_can_be_nested_and_a_replaced_method_stays():
    layer, seen = ReLU(), []
    layer.forward = lambda x, training=False: (x + 1, None)
    mine = layer.forward
    with observe(layer, lambda event: seen.append("outer")), observe(layer, lambda event: seen.append("inner")):
        assert layer(np.zeros(1)).tolist() == [1]
    assert seen == ["outer", "inner"] and layer.forward is mine


def test_the_time_of_a_gpu_is_that_until_it_has_finished(standin, monkeypatch):
    waits = []
    monkeypatch.setattr(standin.cuda.Device, "synchronize", lambda self: waits.append(self.id))
    layer = ReLU()
    with observe(layer, lambda event: waits.append(event.direction)):
        y, cache = layer.forward(to_device(np.ones((1, 2)), "cuda:1"))
        layer.backward(y, cache)
    assert waits == [1, 1, "forward", 1, 1, "backward"]  # before, so that nothing earlier counts, and after


def test_layers_are_left_alone_after_an_error_too():
    model = build("resnet8", rng=np.random.default_rng(0))
    with pytest.raises(ValueError), observe(model, lambda event: None):
        model.forward(np.zeros((1, 8, 8, 4), np.float32))
    assert not {"forward", "backward"} & set(vars(model.conv1))


def test_a_layer_without_layers_inside_is_observed_itself():
    layer, seen = Linear(2, 3, rng=np.random.default_rng(0)), []
    with observe(layer, seen.append):
        layer(np.zeros((1, 2), np.float32))
    assert [(event.name, event.layer) for event in seen] == [("", layer)]
