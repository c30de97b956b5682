"""Whole networks against PyTorch: outputs, all gradients, and ten steps of training."""

import networks
import numpy as np
import pytest
import torch
from compare import assert_layers_agree, assert_near, away_from_kinks, copy_weights, to_torch, weight_from_torch
from networks import NETWORKS, option_a, option_b
from torch.nn import functional as F

from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build
from resnet_scratch.models.blocks import BasicBlock, Bottleneck
from resnet_scratch.models.variants import PreActBlock, ReluBeforeAddBlock
from resnet_scratch.optim import SGD


def images(count, size):
    return np.random.default_rng(0).standard_normal((count, size, size, 3)).astype(np.float32)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "name, count, size",
    [("resnet20", 16, 32), ("resnet18", 8, 64), ("preact20", 16, 32), ("article", 8, 64)],
)
def test_outputs_and_gradients(name, count, size, training):
    ours = away_from_kinks(build(name, rng=np.random.default_rng(4)))
    assert_layers_agree(ours, NETWORKS[name](), images(count, size), training)


OPTIONS = {"A": option_a, "B": option_b}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("shortcut", OPTIONS)
@pytest.mark.parametrize("kind", ["Basic", "ReluFirst", "PreAct", "Bottleneck"])
def test_blocks(kind, shortcut, stride, training):
    block = {"Basic": BasicBlock, "ReluFirst": ReluBeforeAddBlock, "PreAct": PreActBlock, "Bottleneck": Bottleneck}[
        kind
    ]
    ours = block(8, 8 * stride, stride, shortcut, np.random.default_rng(4))
    theirs = getattr(networks, kind)(8, 8 * stride, stride, OPTIONS[shortcut])
    x = np.random.default_rng(0).standard_normal((4, 8, 6, 8)).astype(np.float32)
    assert_layers_agree(ours, theirs, x, training)


@pytest.mark.parametrize("decay_biases_and_norms", [True, False])
@pytest.mark.parametrize("nesterov", [True, False])
def test_ten_steps_stay_together(nesterov, decay_biases_and_norms):
    """Same network, batches, recipe. Float32 rounding grows with every step, so the learning rate is a small one."""
    ours, theirs = away_from_kinks(build("resnet20", rng=np.random.default_rng(5))), NETWORKS["resnet20"]()
    copy_weights(ours, theirs)
    theirs.train()
    groups = {True: [], False: []}
    for parameter in theirs.parameters():
        groups[decay_biases_and_norms or parameter.ndim > 1].append(parameter)
    torch_optimizer = torch.optim.SGD(
        [{"params": groups[True], "weight_decay": 5e-2}, {"params": groups[False], "weight_decay": 0.0}],
        lr=0.01, momentum=0.9, nesterov=nesterov,
    )  # fmt: skip
    optimizer = SGD(
        ours.parameters(),
        momentum=0.9,
        weight_decay=5e-2,
        nesterov=nesterov,
        decay_biases_and_norms=decay_biases_and_norms,
    )
    rng = np.random.default_rng(6)
    for _ in range(10):
        x, labels = rng.standard_normal((16, 32, 32, 3)).astype(np.float32), rng.integers(0, 10, 16)
        logits, cache = ours.forward(x, training=True)
        loss, grad_logits = softmax_cross_entropy(logits, labels)
        ours.backward(grad_logits, cache)
        optimizer.step(0.01)
        torch_loss = F.cross_entropy(theirs(to_torch(x)), torch.tensor(labels))
        torch_optimizer.zero_grad()
        torch_loss.backward()
        torch_optimizer.step()
        assert loss == pytest.approx(torch_loss.item(), rel=1e-4)
    parameters = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert_near(parameter.value, weight_from_torch(parameters[name]), 1e-4, name)
