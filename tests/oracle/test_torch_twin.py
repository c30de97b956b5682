"""The twin must be the network: same names, and the same numbers in float64."""

import numpy as np
import pytest
import torch

from resnet_scratch.errors import UserError
from resnet_scratch.layers import Add, AvgPool2d, Flatten, Linear, ReLU, Sequential
from resnet_scratch.models import build
from resnet_scratch.models.torch_twin import twin


def assert_same(model, size, training):
    """The network and its twin give the same logits for the same images."""
    module = twin(model).double().train(training)
    x = np.random.default_rng(1).standard_normal((4, size, size, 3))
    theirs = module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(model.forward(x, training)[0], theirs, atol=1e-5)
    ours = {name for name, _ in model.named_buffers()}
    assert ours == {name for name in module.state_dict() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name, size", [
    ("resnet8", 16), ("plain8", 16), ("preact8", 16), ("article", 32), ("article-relu-after-add", 32), ("resnet50", 64),
])  # fmt: skip
def test_it_computes_the_same(name, size, training):
    assert_same(build(name, rng=np.random.default_rng(0)).astype(np.float64), size, training)


def test_layers_that_no_network_of_ours_has():
    rng = np.random.default_rng(0)
    model = build("resnet8", rng=rng)
    model.avgpool = Sequential(AvgPool2d(2, 1, 1), Flatten())  # 4x4 pixels become 5x5
    model.fc = Linear(5 * 5 * 64, 10, rng=rng)
    assert_same(model.astype(np.float64), 16, False)


def test_rows_with_a_formula_of_their_own_and_flattened_rows():
    class Twice(Sequential):
        def __call__(self, x):
            return self[0](self[0](x))

    rng = np.random.default_rng(0)
    model = build("resnet8", rng=rng)
    model.avgpool, model.fc = Sequential(model.avgpool, Flatten()), Sequential(Twice(Linear(64, 64, rng=rng)), model.fc)
    x = rng.standard_normal((2, 16, 16, 3))
    theirs = twin(model.astype(np.float64)).double().eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(model(x), theirs.detach().numpy(), atol=1e-5)


def test_a_relu_whose_input_is_used_again():
    class ReluFirst(Sequential):
        def __call__(self, x):
            return self[1](self[0](x), x)

    model = build("resnet8", rng=np.random.default_rng(0))
    model.conv1 = Sequential(model.conv1, ReluFirst(ReLU(), Add()))
    x = np.random.default_rng(1).standard_normal((2, 16, 16, 3))
    theirs = twin(model.astype(np.float64)).double().eval()(torch.from_numpy(x.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(model(x), theirs.detach().numpy(), atol=1e-5)


def test_a_layer_without_a_counterpart_is_named():
    class LeakyReLU(ReLU):
        pass

    model = build("resnet8", rng=np.random.default_rng(0))
    model.relu = LeakyReLU()
    with pytest.raises(UserError, match="relu \\(LeakyReLU\\) has no counterpart in PyTorch"):
        twin(model)
