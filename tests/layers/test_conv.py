import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.layers import Conv2d, conv
from resnet_scratch.verify import definitions


@pytest.mark.parametrize("kernel, stride, padding", [
    ((3, 3), (1, 1), (1, 1)), ((3, 3), (2, 2), (1, 1)), ((1, 1), (1, 1), (0, 0)), ((1, 1), (2, 2), (0, 0)),
    ((2, 3), (1, 2), (0, 1)), ((3, 1), (2, 1), (2, 0)), ((5, 4), (1, 1), (0, 0)), ((2, 2), (3, 3), (1, 1)),
])  # fmt: skip
def test_forward_and_backward_are_the_definitions(rng, put, kernel, stride, padding):
    layer = Conv2d(2, 3, kernel, stride, padding, rng=rng).astype(np.float64)
    layer.bias.value[:] = rng.standard_normal(3)
    x = rng.standard_normal((2, 6, 5, 2))
    expected = definitions.convolution(x, layer.weight.value, layer.bias.value, stride, padding)
    grad_y = rng.standard_normal(expected.shape)
    grad_x = definitions.convolution_grad_x(grad_y, layer.weight.value, (6, 5), stride, padding)
    grad_weight = definitions.convolution_grad_weight(grad_y, x, kernel, stride, padding)
    y, cache = put(layer).forward(put(x))
    assert_same(y, expected)
    assert_same(layer.backward(put(grad_y), cache), grad_x)
    assert_same(layer.weight.grad, grad_weight)
    assert_same(layer.bias.grad, grad_y.sum((0, 1, 2)))


@pytest.mark.parametrize("kernel, padding", [(3, 1), (3, 0), (2, 1), (5, 2), ((1, 3), (0, 2)), (1, 0)])
def test_both_ways_back_agree(rng, put, kernel, padding):
    """With stride 1 the gradient as a convolution must be the gradient by scattering."""
    layer = put(Conv2d(2, 3, kernel, 1, padding, rng=rng))
    x = put(rng.standard_normal((3, 6, 5, 2)))
    grad_y = put(rng.standard_normal(layer(x).shape))
    by_convolution, first = layer._backward_as_convolution(grad_y, x), layer.weight.grad
    by_definition, second = layer._backward_by_definition(grad_y, x), layer.weight.grad
    assert_same(by_convolution, by_definition)
    assert_same(first, second)


def test_backward_by_hand(rng, put):
    """A 2x2 kernel [1 2; 3 4] on a 2x3 image makes two numbers; their gradients are 1 and 10."""
    layer = Conv2d(1, 1, 2, rng=rng)
    layer.weight.value[..., 0, 0] = [[1, 2], [3, 4]]
    layer, x = put(layer), put([[1, 2, 3], [4, 5, 6]]).reshape(1, 2, 3, 1)
    y, cache = layer.forward(x)
    assert y[0, 0, :, 0].tolist() == [1 + 4 + 12 + 20, 2 + 6 + 15 + 24]
    grad_x = layer.backward(put([1, 10]).reshape(1, 1, 2, 1), cache)
    assert grad_x[0, :, :, 0].tolist() == [[1, 2 + 10, 20], [3, 4 + 30, 40]]
    assert layer.weight.grad[..., 0, 0].tolist() == [[1 + 20, 2 + 30], [4 + 50, 5 + 60]]
    assert layer.bias.grad.tolist() == [11]


@pytest.mark.parametrize("stride", [1, 2])
def test_the_way_back_to_the_parameters_spreads_nothing_over_the_image(rng, put, monkeypatch, stride):
    """It is right by the definition, and neither scatters nor multiplies by the weights."""
    layer = put(Conv2d(2, 3, 3, stride, 1, rng=rng))
    x = rng.standard_normal((5, 6, 5, 2))
    y, cache = layer.forward(put(x))
    grad_y = rng.standard_normal(y.shape)
    for name in ("col2im", "matmul"):
        monkeypatch.setattr(conv, name, None)
    layer.weight.value = put(np.full((3, 3, 2, 3), np.nan))
    assert layer.backward_to_parameters(put(grad_y), cache) is None
    assert_same(layer.weight.grad, definitions.convolution_grad_weight(grad_y, x, (3, 3), (stride,) * 2, (1, 1)))
    assert_same(layer.bias.grad, grad_y.sum((0, 1, 2)))


@pytest.mark.parametrize("stride", [1, 2])
def test_backward_leaves_its_arguments_alone(rng, stride):
    layer = Conv2d(2, 3, 3, stride, 1, rng=rng)
    x = rng.standard_normal((2, 6, 6, 2), np.float32)
    y, cache = layer.forward(x)
    grad_y = rng.standard_normal(y.shape).astype(np.float32)
    before = grad_y.copy(), x.copy()
    layer.backward(grad_y, cache)
    assert np.array_equal(grad_y, before[0]) and np.array_equal(x, before[1])


def test_errors_name_the_argument(rng):
    with pytest.raises(ValueError, match=r"x must be \(N, H, W, 3\), got \(2, 3, 8, 8\)"):
        Conv2d(3, 4, 3, rng=rng).forward(np.zeros((2, 3, 8, 8), np.float32))
    with pytest.raises(
        ValueError, match=r"kernel_size \(9, 9\) does not fit into an image of \(4, 4\) padded by \(1, 1\)"
    ):
        Conv2d(3, 4, 9, padding=1, rng=rng).forward(np.zeros((1, 4, 4, 3), np.float32))
    for wrong in (0, 2.5, None, (3, 3, 3)):
        with pytest.raises(ValueError, match="kernel_size must be an int or a pair of ints, each at least 1, got"):
            Conv2d(3, 4, wrong, rng=rng)
    with pytest.raises(ValueError, match="x must be float32 or float64, got uint8; data.normalise"):
        Conv2d(3, 4, 3, rng=rng).forward(np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match=r"x must be non-empty, got \(0, 8, 8, 3\)"):
        Conv2d(3, 4, 3, rng=rng).forward(np.zeros((0, 8, 8, 3), np.float32))


def test_numpys_integers_are_integers(rng):
    assert Conv2d(3, 4, np.int64(3), rng=rng).kernel_size == (3, 3)


@pytest.mark.parametrize("stride, padding, way", [
    (1, 2, "_backward_as_convolution"), (1, 3, "_backward_by_definition"), (2, 1, "_backward_by_definition"),
])  # fmt: skip
def test_which_way_back_is_taken(rng, monkeypatch, stride, padding, way):
    """A 3x3 kernel padded by 3 has windows that lie wholly beyond the border: no convolution turns that round."""
    layer, taken = Conv2d(2, 3, 3, stride, padding, rng=rng), []
    for name in ("_backward_as_convolution", "_backward_by_definition"):
        monkeypatch.setattr(layer, name, lambda grad_y, x, name=name: taken.append(name))
    y, cache = layer.forward(np.zeros((1, 4, 4, 2), np.float32))
    layer.backward(y, cache)
    assert taken == [way]


def test_weights_begin_kaiming_normal_by_fan_out(rng):
    layer = Conv2d(32, 64, 3, rng=rng)
    assert layer.weight.value.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert not layer.bias.value.any()
