"""The twin must be the network: same names, and the same numbers in float64."""

import numpy as np
import pytest
import torch

from resnet_scratch.models import build
from resnet_scratch.models.torch_twin import twin


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name, size", [
    ("resnet8", 16), ("plain8", 16), ("preact8", 16), ("article", 32), ("article-relu-after-add", 32), ("resnet50", 64),
])  # fmt: skip
def test_it_computes_the_same(name, size, training):
    model = build(name, rng=np.random.default_rng(0)).astype(np.float64)
    module = twin(model).double().train(training)
    x = np.random.default_rng(1).standard_normal((4, size, size, 3))
    theirs = module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(model.forward(x, training)[0], theirs, atol=1e-5)
    ours = {name for name, _ in model.named_buffers()}
    assert ours == {name for name in module.state_dict() if not name.endswith("num_batches_tracked")}
