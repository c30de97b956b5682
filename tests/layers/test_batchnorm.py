import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.compute import batch
from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.errors import UserError
from resnet_scratch.layers import BatchNorm2d
from resnet_scratch.verify import definitions

SHAPES = [(4, 5, 6, 3), (1, 3, 5, 2), (7, 1, 1, 3), (2, 1, 1, 1), (13, 3, 1, 5)]


@pytest.mark.parametrize("chunk_bytes", [1, 10**6])
@pytest.mark.parametrize("shape", SHAPES)
def test_training_is_the_definition(rng, put, monkeypatch, shape, chunk_bytes):
    monkeypatch.setattr(batch, "CHUNK_BYTES", chunk_bytes)
    layer = BatchNorm2d(shape[-1]).astype(np.float64)
    layer.weight.value, layer.bias.value = rng.standard_normal((2, shape[-1]))
    x = 5 + 2 * rng.standard_normal(shape)
    expected = definitions.batch_norm(x, layer.weight.value, layer.bias.value, 1e-5)
    assert_same(put(layer).forward(put(x), training=True)[0], expected)


def test_running_statistics_by_hand(put):
    """Values 0, 1, 2, 3: mean 1.5, biased variance 1.25, unbiased 5/3. With momentum 0.1 from 0 and 1."""
    layer = put(BatchNorm2d(1), np.float32)
    layer.forward(put([0, 1, 2, 3], np.float32).reshape(1, 2, 2, 1), training=True)
    assert layer.running_mean.value.tolist() == pytest.approx([0.15])
    assert layer.running_var.value.tolist() == pytest.approx([0.9 + 0.1 * 5 / 3])


def test_evaluation_uses_the_running_statistics_and_leaves_them(put):
    layer = BatchNorm2d(1, eps=0)
    layer.running_mean.value[:], layer.running_var.value[:], layer.weight.value[:], layer.bias.value[:] = 2, 4, 3, 1
    y, _ = put(layer).forward(put([2, 4, 0, 10]).reshape(4, 1, 1, 1), training=False)
    assert y[:, 0, 0, 0].tolist() == [1, 4, -2, 13]
    assert layer.running_mean.value.tolist() == [2] and layer.running_var.value.tolist() == [4]


def test_in_evaluation_the_way_back_takes_the_statistics_as_constants_by_hand(put):
    """xhat = (x - 2) / 2 = 0, 1, -1 and y = 3 xhat + 1, so grad_x = 3/2 grad_y. Unless told, it is evaluation."""
    layer = BatchNorm2d(1, eps=0)
    layer.running_mean.value[:], layer.running_var.value[:], layer.weight.value[:], layer.bias.value[:] = 2, 4, 3, 1
    _, cache = put(layer).forward(put([2, 4, 0]).reshape(3, 1, 1, 1))
    grad_x = layer.backward(put([10, 20, 6]).reshape(3, 1, 1, 1), cache)
    assert grad_x[:, 0, 0, 0].tolist() == [15, 30, 9]
    assert layer.weight.grad.tolist() == [20 - 6] and layer.bias.grad.tolist() == [36]


def test_the_cache_of_an_evaluation_outlives_a_later_batch_in_training(rng, put):
    layer, (x, grad_y) = put(BatchNorm2d(2)), put(rng.standard_normal((2, 2, 3, 3, 2)))
    _, cache = layer.forward(x)  # the running mean is 0, and the running variance 1
    layer.forward(put(5 + rng.standard_normal((2, 3, 3, 2))), training=True)
    layer.backward(grad_y, cache)
    assert_same(layer.weight.grad, (to_numpy(grad_y) * to_numpy(x)).sum((0, 1, 2)) / np.sqrt(1 + 1e-5))


@pytest.mark.parametrize("mean", [0, 100, -3000])
def test_a_mean_far_from_zero_costs_no_digits(rng, put, mean):
    """float32, standard deviation 1: the squares must not cancel."""
    x = (mean + rng.standard_normal((64, 8, 8, 2))).astype(np.float32)
    layer = put(BatchNorm2d(2, momentum=1.0), np.float32)
    layer.forward(put(x, np.float32), training=True)
    exact = x.astype(np.float64).reshape(-1, 2)
    np.testing.assert_allclose(to_numpy(layer.running_var.value), exact.var(0, ddof=1), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(layer.running_mean.value), exact.mean(0), rtol=1e-6, atol=1e-6)


def in_float64(x, weight, bias, grad_y, eps):
    """(y, grad_x, grad_weight) by the definition and its derivative, in float64 from beginning to end."""
    x, weight, bias, grad_y = (array.astype(np.float64) for array in (x, weight, bias, grad_y))
    std = np.sqrt(x.var((0, 1, 2)) + eps)
    xhat = (x - x.mean((0, 1, 2))) / std
    mean_g, mean_gx = grad_y.mean((0, 1, 2)), (grad_y * xhat).mean((0, 1, 2))
    grad_x = weight / std * (grad_y - mean_g - xhat * mean_gx)
    return weight * xhat + bias, grad_x, (grad_y * xhat).sum((0, 1, 2))


def multiplied_out(x, weight, bias, grad_y, eps):
    """The same as y = x * scale + offset and grad_x = grad_y * scale + x * slope + offset, in float32, but from mean
    and standard deviation that are exact."""
    exact = x.astype(np.float64)
    mean = exact.mean((0, 1, 2)).astype(np.float32)
    std = np.sqrt(exact.var((0, 1, 2)) + eps).astype(np.float32)
    count, scale = np.float32(x.size // x.shape[-1]), weight / std
    grad_weight = ((grad_y * x).sum((0, 1, 2)) - mean * grad_y.sum((0, 1, 2))) / std
    slope = -scale * grad_weight / count / std
    offset = -scale * grad_y.sum((0, 1, 2)) / count - mean * slope
    return x * scale + (bias - mean * scale), grad_y * scale + x * slope + offset, grad_weight


def errors(put, x, rng):
    """Errors relative to the largest value of (y, grad_x, grad_weight): the layer's, those of the other formula."""
    layer = BatchNorm2d(x.shape[-1])
    for parameter in layer.parameters():
        parameter.value = rng.standard_normal(x.shape[-1]).astype(np.float32)
    grad_y = rng.standard_normal(x.shape).astype(np.float32)
    given = x, layer.weight.value, layer.bias.value, grad_y, layer.eps
    y, cache = put(layer, np.float32).forward(put(x, np.float32), training=True)
    ours = [to_numpy(a) for a in (y, layer.backward(put(grad_y, np.float32), cache), layer.weight.grad)]
    assert {a.dtype for a in ours} == {np.dtype(np.float32)}
    exact = in_float64(*given)
    return [[np.abs(a - e).max() / np.abs(e).max() for a, e in zip(r, exact)] for r in (ours, multiplied_out(*given))]


@pytest.mark.parametrize("chunk_bytes", [1, batch.CHUNK_BYTES])
@pytest.mark.parametrize("shape, times", [
    ((128, 16, 16, 8), (30, 90)), ((33, 9, 7, 5), (10, 20)), ((1, 15, 9, 4), (3, 5)),
])  # fmt: skip
def test_a_mean_of_a_thousand_standard_deviations(rng, xp, put, monkeypatch, shape, times, chunk_bytes):
    """float32. Measured: y within 7e-6, which is the rounding of the mean to float32; grad_x within 2.5e-6, grad_weight
    within 3.4e-5. Multiplied out, grad_x is wrong by 9e-6 to 1.5e-5 and grad_weight by 3e-4 to 2.6e-3: for many
    images 60 and 180 times as much."""
    monkeypatch.setattr(batch, "CHUNK_BYTES", chunk_bytes)
    x = (1000 + rng.standard_normal(shape)).astype(np.float32)
    ours, other = errors(put, x, rng)
    assert ours[0] < 2e-5 and ours[1] < 6e-6 and ours[2] < 1e-4
    if xp is np:  # the stand-in for CuPy sums as NumPy does, number after number: less exact than BLAS, or a GPU
        assert other[1] > times[0] * ours[1] and other[2] > times[1] * ours[2]


def test_channels_far_from_one_another(rng, put):
    """Each channel's deviations are taken from a mean of its own: float32, means -3000, 0 and 3000, deviations of 1."""
    x = (np.array([-3000, 0, 3000]) + rng.standard_normal((9, 7, 5, 3))).astype(np.float32)
    layer = put(BatchNorm2d(3, momentum=1.0), np.float32)
    layer.forward(put(x, np.float32), training=True)
    exact = x.astype(np.float64).reshape(-1, 3)
    np.testing.assert_allclose(to_numpy(layer.running_var.value), exact.var(0, ddof=1), rtol=1e-5)


@pytest.mark.parametrize("chunk_bytes", [1, batch.CHUNK_BYTES])
@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize("images", [33, 128])
def test_one_image_far_from_all_others(rng, xp, put, monkeypatch, images, place, chunk_bytes):
    """Deviations are taken from the mean of the first image, which may be the odd one out: then their squares cancel,
    but only as far as that image is one of N. Measured: 7e-6; where NumPy sums number after number, 2.4e-4."""
    monkeypatch.setattr(batch, "CHUNK_BYTES", chunk_bytes)
    x = rng.standard_normal((images, 9, 7, 4)).astype(np.float32)
    x[place] += 1000
    assert max(errors(put, x, rng)[0]) < (3e-5 if xp is np else 1e-3)


def test_one_pixel_far_from_all_others(rng, put):
    """Also where it is the first, and in each channel in another way: deviations are taken from the channel's mean in
    the first image. Measured: within 1.2e-6; from the pixel itself, 2.7e-4."""
    x = rng.standard_normal((33, 9, 7, 4)).astype(np.float32)
    x[0, 0, 0] += [1000, -1000, 3000, 0]
    assert max(errors(put, x, rng)[0]) < 2e-5


def test_a_channel_that_never_varies_stays_finite(put):
    layer = put(BatchNorm2d(1), np.float32)
    y, cache = layer.forward(put(np.full((2, 3, 3, 1), 7), np.float32), training=True)
    grad = layer.backward(y + 1, cache)
    assert not y.any() and np.isfinite(to_numpy(grad)).all()


def test_the_gradient_at_the_input_has_no_mean_and_no_share_of_x(rng, put):
    """Adding a constant to x, or scaling it about its mean, changes nothing; so grad_x is orthogonal to both."""
    layer = put(BatchNorm2d(2, eps=0))
    x = put(rng.standard_normal((3, 4, 4, 2)))
    y, cache = layer.forward(x, training=True)
    grad = layer.backward(put(rng.standard_normal(y.shape)), cache)
    assert_same(grad.sum((0, 1, 2)), np.zeros(2))
    assert_same((grad * x).sum((0, 1, 2)), np.zeros(2))


@pytest.mark.parametrize("shape, group", [((6, 5, 4, 3), 2), ((9, 1, 1, 2), 3), ((4, 3, 3, 2), 4), ((3, 4, 2, 5), 1)])
def test_each_group_is_a_batch_of_its_own_by_the_definition(rng, put, shape, group):
    """Forward, backward and the sums of the weights' gradients, against the definition in float64 for each group."""
    layer = BatchNorm2d(shape[-1], group=group).astype(np.float64)
    weight, bias = layer.weight.value, layer.bias.value = rng.standard_normal((2, shape[-1]))
    x, grad_y = rng.standard_normal((2, *shape))
    x += 7 * np.arange(len(x))[:, None, None, None]  # so that the groups differ
    y, cache = put(layer).forward(put(x), training=True)
    grad_x = layer.backward(put(grad_y), cache)
    parts = [slice(start, start + group) for start in range(0, len(x), group)]
    expected = [in_float64(x[part], weight, bias, grad_y[part], layer.eps) for part in parts]
    ys, grads, grad_weights = zip(*expected)
    assert_same(y, np.concatenate(ys))
    assert_same(grad_x, np.concatenate(grads))
    assert_same(layer.weight.grad, sum(grad_weights))
    assert_same(layer.bias.grad, grad_y.sum((0, 1, 2)))


def test_running_statistics_of_groups_by_hand(put):
    """Groups (0, 2) and (10, 16): means 1 and 13, unbiased variances 2 and 18. Their means are 7 and 10; with momentum
    0.1 from 0 and 1. One group after another, as in the paper, it would be 1.39 for the mean."""
    layer = put(BatchNorm2d(1, group=2), np.float32)
    layer.forward(put([0, 2, 10, 16], np.float32).reshape(4, 1, 1, 1), training=True)
    assert layer.running_mean.value.tolist() == pytest.approx([0.7])
    assert layer.running_var.value.tolist() == pytest.approx([1.9])
    assert layer.running_mean.value.dtype == np.float32


def test_in_evaluation_groups_change_nothing(put):
    layer = BatchNorm2d(1, eps=0, group=2)
    layer.running_mean.value[:], layer.running_var.value[:] = 2, 4
    x = put([2, 4, 0]).reshape(3, 1, 1, 1)  # no whole groups
    y, cache = put(layer).forward(x)
    assert y[:, 0, 0, 0].tolist() == [0, 1, -1]
    assert layer.backward(x, cache)[:, 0, 0, 0].tolist() == [1, 2, 0]


def test_errors_of_groups():
    with pytest.raises(UserError, match="groups of 4 images needs whole groups in every process, got 6 images"):
        BatchNorm2d(3, group=4).forward(np.zeros((6, 4, 4, 3)), training=True)
    with pytest.raises(UserError, match="group must be a whole number of at least 1, got 0"):
        BatchNorm2d(3, group=0)
    layer = BatchNorm2d(3, group=2)
    _, cache = layer.forward(np.zeros((6, 4, 4, 3)), training=True)
    with pytest.raises(
        ValueError, match=r"grad_y must have the shape of the output, \(6, 4, 4, 3\), got \(4, 4, 4, 3\)"
    ):
        layer.backward(np.zeros((4, 4, 4, 3)), cache)


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"x must be \(N, H, W, 3\), got \(2, 4, 4, 2\)"):
        BatchNorm2d(3).forward(np.zeros((2, 4, 4, 2)))
    with pytest.raises(ValueError, match="channels must be a whole number of at least 1, got 0"):
        BatchNorm2d(0)
    with pytest.raises(ValueError, match="more than one value per channel"):
        BatchNorm2d(3).forward(np.zeros((1, 1, 1, 3)), training=True)
