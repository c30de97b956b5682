import numpy as np

from resnet_scratch.insight.features import activations
from resnet_scratch.layers import Linear, ReLU, Sequential


def test_each_layer_s_output(put):
    model = Sequential(double=Linear(2, 2, rng=np.random.default_rng(0)), relu=ReLU()).astype(np.float64)
    model.double.weight.value = 2 * np.eye(2)
    seen = activations(put(model), put([[1, -3]]))
    assert list(seen) == ["double", "relu"]
    assert seen["double"].tolist() == [[2, -6]] and seen["relu"].tolist() == [[2, 0]]
    assert model(put([[1, 1]])).tolist() == [[2, 2]]  # and nobody watches any more


def test_a_layer_that_is_used_twice_has_two_outputs(put):
    relu, flip = ReLU(), Linear(1, 1, rng=np.random.default_rng(0)).astype(np.float64)
    flip.weight.value[:], flip.bias.value[:] = -1, 2
    seen = activations(put(Sequential(relu, flip, relu)), put([[5]]))
    assert {name: output.tolist() for name, output in seen.items()} == {"0": [[5]], "1": [[-3]], "0#2": [[0]]}
