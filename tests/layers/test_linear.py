import numpy as np
import pytest

from reference import assert_same
from resnet_scratch.layers import Flatten, Linear


def test_forward_and_backward_by_hand(put, rng):
    layer = put(Linear(2, 3, rng=rng))
    layer.weight.value, layer.bias.value = put([[1, 2, 3], [4, 5, 6]]), put([10, 20, 30])
    y, cache = layer.forward(put([[1, 1], [0, 2]]))
    assert_same(y, [[15, 27, 39], [18, 30, 42]])
    assert_same(layer.backward(put([[1, 0, 0], [0, 1, 2]]), cache), [[1, 4], [8, 17]])
    assert_same(layer.weight.grad, [[1, 0, 0], [1, 2, 4]])
    assert_same(layer.bias.grad, [1, 1, 2])


def test_chunks_add_up(put, rng, small_chunks):
    layer = put(Linear(4, 3, rng=rng))
    x, grad_y = rng.standard_normal((7, 4)), rng.standard_normal((7, 3))
    y, cache = layer.forward(put(x))
    assert_same(y, np.einsum("ni,io->no", x, layer.weight.value))
    layer.backward(put(grad_y), cache)
    assert_same(layer.weight.grad, np.einsum("ni,no->io", x, grad_y))


def test_weights_begin_uniform_as_in_pytorch(rng):
    layer = Linear(100, 400, rng=rng)
    assert 0.099 < abs(layer.weight.value).max() <= 0.1
    assert layer.weight.value.std() == pytest.approx(0.1 / 3**0.5, rel=0.02)
    assert layer.bias.value.tolist() == [0] * 400


def test_without_a_bias(put, rng):
    layer = put(Linear(2, 3, bias=False, rng=rng))
    y, cache = layer.forward(put(np.zeros((1, 2))))
    layer.backward(y, cache)
    assert_same(y, np.zeros((1, 3)))
    assert [name for name, _ in layer.named_parameters()] == ["weight"]


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 2, 4), (4,)])
def test_another_number_of_features_is_refused(rng, shape):
    with pytest.raises(ValueError, match=r"x must be \(N, 4\), got \("):
        Linear(4, 2, rng=rng)(np.zeros(shape, np.float32))


def test_flatten_keeps_reading_order_and_comes_back(put):
    x = np.arange(24.0).reshape(2, 2, 3, 2)
    y, cache = Flatten().forward(put(x))
    assert_same(y, [list(range(12)), list(range(12, 24))])
    assert_same(Flatten().backward(y, cache), x)
