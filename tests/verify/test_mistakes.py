"""Each planted mistake is caught where it was made, and is gone afterwards."""

import numpy as np
import pytest

from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import Conv2d, ReLU
from resnet_scratch.verify.mistakes import MISTAKES, failing_checks, planted

AT = {  # which gradients are wrong, by reasoning about the mistake
    "conv-kernel-not-flipped": {"input"},
    "conv-grad-weight-averaged": {"weight"},
    "conv-grad-weight-flipped": {"weight"},
    "conv-grad-bias-of-one-column": {"bias"},
    "conv-grad-x-shifted": {"input"},
    "linear-grad-bias-averaged": {"bias"},
    "add-halves-gradient": {"input 0", "input 1"},
    "add-forgets-shortcut": {"input 1"},
}


@pytest.mark.parametrize("name", MISTAKES)
def test_it_is_caught_where_it_was_made(name):
    failed = failing_checks(name)
    assert failed
    wrong = {tensor.name for _, report in failed for tensor in report.tensors if tensor.problem}
    assert wrong == AT.get(name, {"input"})


@pytest.mark.parametrize("name", [name for name in MISTAKES if name.startswith("batchnorm-")])
def test_a_mistake_in_the_batch_s_statistics_leaves_evaluation_right(name):
    """There mean and variance are constants."""
    assert {case for case, _ in failing_checks(name)} == {"BatchNorm2d, training", "BatchNorm2d, groups of 2"}


def test_it_is_gone_afterwards():
    conv = Conv2d(2, 3, 3, padding=1, rng=np.random.default_rng(0)).astype(np.float64)
    x = np.random.default_rng(1).standard_normal((2, 5, 5, 2))
    assert gradcheck(conv, x)
    with pytest.raises(KeyError), planted("conv-kernel-not-flipped") as mistake:
        assert mistake.kind is Conv2d and not gradcheck(conv, x)
        raise KeyError
    assert gradcheck(conv, x)


def test_an_unknown_one():
    with pytest.raises(ValueError, match="there is no mistake 'conv'; there are conv-kernel"), planted("conv"):
        pass
    assert gradcheck(ReLU(), np.random.default_rng(0).standard_normal((2, 3)))


def test_it_is_in_the_first_layer_of_a_training_step_too():
    """There `backward_to_parameters` runs, of which a convolution has its own."""
    conv = Conv2d(2, 3, 3, padding=1, rng=np.random.default_rng(0)).astype(np.float64)
    y, x = conv.forward(np.random.default_rng(1).standard_normal((4, 5, 5, 2)))
    conv.backward_to_parameters(np.ones_like(y), x)
    right = conv.weight.grad
    with planted("conv-grad-weight-averaged"):
        conv.backward_to_parameters(np.ones_like(y), x)
        np.testing.assert_allclose(conv.weight.grad, right / 4)
    conv.backward_to_parameters(np.ones_like(y), x)
    np.testing.assert_array_equal(conv.weight.grad, right)
