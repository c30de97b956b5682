"""Whole networks as they are initialised, in float64, where rounding decides at no ReLU: then they agree to 1e-9."""

import numpy as np
import pytest
import torch
from compare import copy_weights, from_torch, to_torch, weight_from_torch
from networks import NETWORKS
from torch.nn import functional as F

from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build
from resnet_scratch.optim import SGD


def assert_near(ours, theirs, tolerance=1e-9):
    assert ours.dtype == theirs.dtype == np.float64
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize("name, size", [("resnet20", 16), ("preact20", 16), ("resnet18", 64), ("article", 32)])
def test_three_steps_of_training_then_evaluation(name, size):
    ours, theirs = build(name, rng=np.random.default_rng(4)).astype(np.float64), NETWORKS[name]().double()
    copy_weights(ours, theirs)
    optimizer = SGD(ours.parameters(), momentum=0.9, weight_decay=1e-3, nesterov=True)
    torch_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-3, nesterov=True)
    rng = np.random.default_rng(6)
    for _ in range(3):
        x, labels = rng.standard_normal((8, size, size, 3)), rng.integers(0, 10, 8)
        logits, cache = ours.forward(x, training=True)
        loss, grad_logits = softmax_cross_entropy(logits, labels, 0.1)
        grad_x = ours.backward(grad_logits, cache)
        optimizer.step(0.01)

        theirs.train()
        torch_x = to_torch(x, requires_grad=True)
        torch_loss = F.cross_entropy(theirs(torch_x), torch.tensor(labels), label_smoothing=0.1)
        torch_optimizer.zero_grad()
        torch_loss.backward()
        torch_optimizer.step()
        assert loss == pytest.approx(torch_loss.item(), rel=1e-9)
        assert_near(grad_x, from_torch(torch_x.grad))
    parameters, buffers = dict(theirs.named_parameters()), dict(theirs.named_buffers())
    for parameter_name, parameter in ours.named_parameters():
        assert_near(parameter.value, weight_from_torch(parameters.pop(parameter_name)))
    for buffer_name, buffer in ours.named_buffers():
        if buffer_name in buffers:
            assert_near(buffer.value, buffers[buffer_name].numpy())
    assert not parameters  # none of theirs is left over
    assert_near(ours(x), from_torch(theirs.eval()(to_torch(x))))
