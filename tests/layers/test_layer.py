import numpy as np
import pytest

from resnet_scratch.compute.backend import DeviceError
from resnet_scratch.layers import BatchNorm2d, Conv2d, Linear, ReLU, Sequential
from resnet_scratch.layers.layer import Buffer, Layer, Parameter, restored

rng = np.random.default_rng(0)


@pytest.fixture
def network():
    return Sequential(conv1=Conv2d(3, 2, 1, rng=rng), rest=Sequential(BatchNorm2d(2), ReLU()))


def test_names_are_the_attributes_in_the_order_of_assignment(network):
    assert [name for name, _ in network.named_parameters()] == [
        "conv1.weight",
        "conv1.bias",
        "rest.0.weight",
        "rest.0.bias",
    ]
    assert [name for name, _ in network.named_buffers()][-2:] == ["rest.0.running_mean", "rest.0.running_var"]
    assert [name for name, _ in network.named_layers()] == ["", "conv1", "rest", "rest.0", "rest.1"]
    assert len(network.parameters()) == 4 and all(isinstance(p, Parameter) for p in network.parameters())


def test_astype_converts_everything_gradients_too(network):
    x = rng.standard_normal((2, 4, 4, 3), np.float32)
    y, cache = network.forward(x, training=True)
    network.backward(y, cache)
    assert network.astype(np.float64) is network
    assert {buffer.value.dtype for _, buffer in network.named_buffers()} == {np.dtype(np.float64)}
    assert {p.grad.dtype for p in network.parameters()} == {np.dtype(np.float64)}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_results_have_the_dtype_of_the_input(network, dtype):
    network.astype(dtype)
    y, cache = network.forward(rng.standard_normal((2, 4, 4, 3)).astype(dtype), training=True)
    grad = network.backward(y, cache)
    assert y.dtype == grad.dtype == dtype and {p.grad.dtype for p in network.parameters()} == {np.dtype(dtype)}


def test_a_layer_can_be_used_twice_before_it_goes_back():
    """Each backward takes its own cache: the gradients are those of two separate uses."""
    layer = Linear(3, 2, rng=rng).astype(np.float64)
    a, b = rng.standard_normal((2, 4, 3))
    (_, cache_a), (_, cache_b) = layer.forward(a), layer.forward(b)
    grad_y = rng.standard_normal((4, 2))
    for x, cache in ((b, cache_b), (a, cache_a)):
        layer.backward(grad_y, cache)
        np.testing.assert_allclose(layer.weight.grad, x.T @ grad_y)


def test_gradients_are_overwritten_not_accumulated():
    layer = Linear(3, 2, rng=rng)
    y, cache = layer.forward(rng.standard_normal((4, 3), np.float32))
    layer.backward(y, cache)
    first = layer.weight.grad.copy()
    layer.backward(y, cache)
    np.testing.assert_array_equal(layer.weight.grad, first)


def test_a_layer_must_say_what_it_does():
    with pytest.raises(NotImplementedError, match=r"^Half has no method forward\(x, training\)$"):
        type("Half", (Layer,), {})().forward(np.zeros(1))
    with pytest.raises(NotImplementedError, match=r"^Layer has no method backward\(grad_y, cache\)$"):
        Layer().backward(np.zeros(1), None)
    assert Layer().multiply_adds((3, 4)) == 0  # unless it says what it costs


def test_calling_a_layer_is_evaluation():
    class Told(Layer):
        def forward(self, x, training):
            return training, None

    assert Told()(np.zeros(1)) is False


def test_moving_to_the_cpu_changes_nothing(network):
    before = [buffer.value for _, buffer in network.named_buffers()]
    assert network.to("cpu") is network
    assert all(a is b.value for a, (_, b) in zip(before, network.named_buffers()))


def test_a_layer_moves_to_a_device_by_any_of_its_names(gpu):
    layer = Linear(2, 3, rng=np.random.default_rng(0))
    before = layer.weight.value.copy()
    for name in ("cuda", "auto", "cuda:0"):
        assert type(layer.to(name).weight.value) is gpu.ndarray
        assert np.array_equal(layer.to("cpu").weight.value, before)
    with pytest.raises(DeviceError, match="device must be .* got 'gpu'"):
        layer.to("gpu")


@pytest.mark.parametrize("gradients", [False, True])
def test_restored_puts_every_array_back_in_place(network, gradients):
    convolution, norm = network.conv1, network.rest[0]
    weight, copy = convolution.weight.value, convolution.weight.value.copy()
    convolution.bias.grad = kept = np.float32([5, 6])
    with pytest.raises(KeyError), restored(network, gradients):
        y, cache = network.forward(np.ones((2, 8, 8, 3), np.float32), training=True)
        convolution.weight.value += 1
        norm.weight.value = np.zeros(2, np.float32)
        kept += 1
        network.backward(y, cache)
        raise KeyError
    assert convolution.weight.value is weight and (weight == copy).all()
    assert (norm.weight.value == 1).all() and not norm.running_mean.value.any()
    if gradients:
        assert convolution.bias.grad is kept and kept.tolist() == [5, 6] and norm.weight.grad is None
    else:
        assert convolution.bias.grad is not kept and norm.weight.grad is not None


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float16])
def test_a_buffer_that_no_checkpoint_could_give_back_is_refused(dtype):
    with pytest.raises(ValueError, match=f"value must be float32 or float64, got {np.dtype(dtype)}"):
        Buffer(np.ones(3, dtype))


def test_a_gradient_that_is_a_number_by_mistake_stays_one():
    layer = Linear(2, 3, rng=np.random.default_rng(0))
    layer.bias.grad = 0.0
    layer.astype(np.float64)
    with restored(layer, gradients=True):
        layer.bias.grad = 1.0
    assert layer.bias.grad == 0.0 and layer.bias.value.dtype == np.float64
