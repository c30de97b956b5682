import numpy as np
import pytest

from resnet_scratch.layers import ReLU
from resnet_scratch.measure.recorder import restored, watched
from resnet_scratch.models import build


def test_every_layer_is_watched_in_the_order_it_runs_and_then_left_alone():
    model, seen = build("resnet8", rng=np.random.default_rng(0)), []

    def wrap(name, layer, direction, method):
        def noted(*inputs, **keywords):
            seen.append((direction, name))
            return method(*inputs, **keywords)

        return noted

    x = np.zeros((2, 8, 8, 3), np.float32)
    with watched(model, wrap):
        y, cache = model.forward(x, training=True)
        model.backward(y, cache)
    assert seen[:5] == [("forward", n) for n in ("conv1", "bn1", "relu", "layer1.0.conv1", "layer1.0.bn1")]
    assert seen[-1] == ("backward", "conv1") and ("backward", "layer3.0.downsample") in seen
    assert not any(name.endswith("layer1.0.downsample") for _, name in seen)  # an identity
    count = len(seen)
    model.forward(x)
    assert len(seen) == count and model.relu.forward.__func__ is ReLU.forward


def test_layers_are_left_alone_after_an_error_too():
    model = build("resnet8", rng=np.random.default_rng(0))
    with pytest.raises(ValueError), watched(model, lambda name, layer, direction, method: method):
        model.forward(np.zeros((1, 8, 8, 4), np.float32))
    assert "forward" not in vars(model.conv1)


def test_restored_puts_every_array_back_in_place():
    model = build("resnet8", rng=np.random.default_rng(0))
    weight, copy = model.fc.weight.value, model.fc.weight.value.copy()
    with pytest.raises(KeyError), restored(model):
        model.forward(np.ones((2, 8, 8, 3), np.float32), training=True)
        model.fc.weight.value += 1
        model.bn1.weight.value = np.zeros(16, np.float32)
        raise KeyError
    assert model.fc.weight.value is weight and (weight == copy).all()
    assert (model.bn1.weight.value == 1).all() and not model.bn1.running_mean.value.any()
