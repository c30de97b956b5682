import numpy as np
import pytest
import torch
from torch.nn import functional as F

from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.schedules import cosine, multi_step


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("scale", [1e-3, 1, 1e4])
def test_cross_entropy(scale, smoothing):
    rng = np.random.default_rng(0)
    logits, labels = (scale * rng.standard_normal((8, 10))).astype(np.float32), rng.integers(0, 10, 8)
    loss, gradient = softmax_cross_entropy(logits, labels, smoothing)
    theirs = torch.tensor(logits, requires_grad=True)
    torch_loss = F.cross_entropy(theirs, torch.tensor(labels), label_smoothing=smoothing)
    torch_loss.backward()
    assert loss == pytest.approx(torch_loss.item(), rel=1e-5)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), atol=1e-6)


def rates(schedule_class, steps, **keywords):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = schedule_class(optimizer, **keywords)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_multi_step():
    theirs = rates(torch.optim.lr_scheduler.MultiStepLR, 100, milestones=[32, 48], gamma=0.1)
    np.testing.assert_allclose([multi_step(0.1, [32, 48])(k) for k in range(100)], theirs)


def test_cosine():
    theirs = rates(torch.optim.lr_scheduler.CosineAnnealingLR, 50, T_max=50)
    np.testing.assert_allclose([cosine(0.1, 50)(k) for k in range(50)], theirs)
