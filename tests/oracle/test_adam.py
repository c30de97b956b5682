"""Adam against torch.optim, with weight decay (AdamW) and without (Adam), over steps with random gradients."""

import numpy as np
import pytest
import torch

from resnet_scratch.layers.layer import Parameter
from resnet_scratch.optim import Adam

SHAPES = [(3, 4), (5,)]


def trained(steps, dtype, make_torch, **settings):
    """(ours, torch's) parameters after `steps` steps with the same gradients and a learning rate that changes."""
    rng = np.random.default_rng(0)
    starts = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    ours = [Parameter(start.copy()) for start in starts]
    theirs = [torch.nn.Parameter(torch.tensor(start)) for start in starts]
    optimizer, torch_optimizer = Adam(ours, **settings), make_torch(theirs)
    for step in range(steps):
        learning_rate = 0.01 / (1 + step)
        for parameter, other in zip(ours, theirs):
            gradient = (10.0 ** (step % 4 - 2) * rng.standard_normal(parameter.value.shape)).astype(dtype)
            parameter.grad, other.grad = gradient, torch.tensor(gradient)
        optimizer.step(learning_rate)
        for group in torch_optimizer.param_groups:
            group["lr"] = learning_rate
        torch_optimizer.step()
    return [p.value for p in ours], [p.detach().numpy() for p in theirs]


@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-12), (np.float32, 1e-6)])
@pytest.mark.parametrize(
    "make_torch, settings",
    [
        (lambda p: torch.optim.AdamW(p, weight_decay=0.3), dict(weight_decay=0.3)),
        (
            lambda p: torch.optim.AdamW(p, betas=(0.7, 0.95), eps=1e-3, weight_decay=0.1),
            dict(beta1=0.7, beta2=0.95, eps=1e-3, weight_decay=0.1),
        ),
        (lambda p: torch.optim.Adam(p, weight_decay=0), dict()),
        (
            lambda p: torch.optim.AdamW([{"params": p[:1], "weight_decay": 0.3}, {"params": p[1:], "weight_decay": 0}]),
            dict(weight_decay=0.3, decay_biases_and_norms=False),
        ),
    ],
    ids=["AdamW", "AdamW with other numbers", "Adam", "AdamW on weights only"],
)
def test_twenty_steps_of_adam(make_torch, settings, dtype, tolerance):
    ours, theirs = trained(20, dtype, make_torch, **settings)
    for value, expected in zip(ours, theirs, strict=True):
        assert value.dtype == expected.dtype == dtype
        np.testing.assert_allclose(value, expected, rtol=0, atol=tolerance)
