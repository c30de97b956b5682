import numpy as np
import pytest

from resnet_scratch.layers import ReLU
from resnet_scratch.models import build
from resnet_scratch.trace import watched


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
