import numpy as np
import pytest

import reference
from reference import assert_same
from resnet_scratch.layers import Conv2d

GEOMETRIES = [  # height and width, kernel, stride, padding; the first four have a backward that is a convolution
    ((5, 4), 3, 1, 1), ((5, 4), 3, 1, 0), ((4, 5), (2, 3), 1, (0, 2)), ((3, 4), 1, 1, 0), ((6, 5), 3, 2, 1),
    ((6, 5), (2, 3), (3, 1), (1, 0)), ((5, 6), 1, 2, 0), ((7, 4), 2, 3, 0), ((3, 3), 3, 1, 3), ((2, 3), (1, 2), 1, 2),
]  # fmt: skip


@pytest.mark.parametrize("size, kernel_size, stride, padding", GEOMETRIES)
def test_forward_and_backward_are_those_of_seven_loops(put, rng, small_chunks, size, kernel_size, stride, padding):
    layer = put(Conv2d(2, 3, kernel_size, stride, padding, rng=rng))
    weight, bias = rng.standard_normal(layer.weight.value.shape), rng.standard_normal(3)
    layer.weight.value, layer.bias.value = put(weight), put(bias)
    x = rng.standard_normal((3, *size, 2))
    y, cache = layer.forward(put(x), training=True)
    assert_same(y, reference.conv(x, weight, bias, stride, padding))

    grad_y = rng.standard_normal(y.shape)
    grad_x = layer.backward(put(grad_y), cache)
    expected = reference.conv_backward(grad_y, x, weight, stride, padding)
    for ours, loops in zip((grad_x, layer.weight.grad, layer.bias.grad), expected):
        assert_same(ours, loops)


@pytest.mark.parametrize("stride, way", [(1, "_backward_as_convolution"), (2, "_backward_by_scattering")])
def test_each_way_back_is_taken(put, rng, monkeypatch, stride, way):
    layer, taken = put(Conv2d(2, 3, 3, stride, 1, rng=rng)), []
    for name in ("_backward_as_convolution", "_backward_by_scattering"):
        monkeypatch.setattr(layer, name, lambda grad_y, x, name=name: taken.append(name))
    y, cache = layer.forward(put(np.zeros((1, 4, 4, 2))))
    layer.backward(y, cache)
    assert taken == [way]


def test_a_kernel_that_picks_one_neighbour_shifts_the_image(put, rng):
    layer = put(Conv2d(1, 1, 3, padding=1, bias=False, rng=rng))
    layer.weight.value = put(np.eye(9)[5].reshape(3, 3, 1, 1))  # right of the middle: the kernel is not flipped
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    assert_same(layer(put(x))[0, :, :, 0], [[2, 3, 0], [5, 6, 0], [8, 9, 0]])


def test_without_a_bias_there_is_no_such_parameter(rng):
    assert [name for name, _ in Conv2d(2, 3, 3, bias=False, rng=rng).named_parameters()] == ["weight"]
    assert [name for name, _ in Conv2d(2, 3, 3, rng=rng).named_parameters()] == ["weight", "bias"]


def test_weights_begin_kaiming_normal_by_fan_out_and_biases_at_zero(rng):
    layer = Conv2d(32, 64, 3, rng=rng)
    assert layer.weight.value.shape == (3, 3, 32, 64)
    assert layer.weight.value.std() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)
    assert layer.bias.value.tolist() == [0] * 64


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(kernel_size=0), "kernel_size must be.*at least 1, got 0"),
        (dict(kernel_size=(3, 3, 3)), r"kernel_size must be.*got \(3, 3, 3\)"),
        (dict(kernel_size=3, stride=(1, 0)), r"stride must be.*at least 1, got \(1, 0\)"),
        (dict(kernel_size=3, padding=-1), "padding must be.*at least 0, got -1"),
    ],
)
def test_impossible_geometry_is_refused(rng, arguments, message):
    with pytest.raises(ValueError, match=message):
        Conv2d(2, 3, rng=rng, **arguments)


@pytest.mark.parametrize("shape", [(2, 5, 5, 3), (5, 5, 2), (2, 25)])
def test_images_of_another_shape_are_refused(rng, shape):
    with pytest.raises(ValueError, match=r"x must be \(N, H, W, 2\), got \(" + ", ".join(map(str, shape))):
        Conv2d(2, 3, 3, rng=rng)(np.zeros(shape, np.float32))


def test_a_kernel_larger_than_the_image_is_refused(rng):
    with pytest.raises(ValueError, match=r"kernel_size \(5, 5\) does not fit into an image of \(3, 2\)"):
        Conv2d(2, 3, 5, rng=rng)(np.zeros((1, 3, 2, 2), np.float32))
