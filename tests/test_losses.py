import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.losses import log_softmax, softmax, softmax_cross_entropy


def test_softmax_by_hand(put):
    assert_same(softmax(put(np.log([[1, 2, 5]]))), np.array([[1 / 8, 2 / 8, 5 / 8]]))


def test_loss_and_gradient_by_hand(put):
    """Probabilities (1/4, 3/4) twice, labels 0 and 1: loss (ln 4 + ln 4/3) / 2; gradient (p - q) / 2."""
    logits = put(np.log([[1, 3], [1, 3]]))
    loss, gradient = softmax_cross_entropy(logits, put([0, 1], np.int64))
    assert float(loss) == pytest.approx((np.log(4) + np.log(4 / 3)) / 2)
    assert_same(gradient, np.array([[-3 / 8, 3 / 8], [1 / 8, -1 / 8]]))


def test_label_smoothing_by_hand(put):
    """Smoothing 0.2 over two classes: q = (0.9, 0.1)."""
    loss, gradient = softmax_cross_entropy(put(np.log([[1, 3]])), put([0], np.int64), 0.2)
    assert float(loss) == pytest.approx(0.9 * np.log(4) + 0.1 * np.log(4 / 3))
    assert_same(gradient, np.array([[0.25 - 0.9, 0.75 - 0.1]]))


def test_smoothing_of_one_forgets_the_label(put):
    """q = 1/2 for both classes."""
    loss, gradient = softmax_cross_entropy(put(np.log([[1, 3]])), put([0], np.int64), 1)
    assert float(loss) == pytest.approx((np.log(4) + np.log(4 / 3)) / 2)
    assert_same(gradient, np.array([[-0.25, 0.25]]))


def test_each_image_is_shifted_by_its_own_largest_logit(put):
    """Shifted by the largest of all, the second row would underflow to log 0."""
    loss, gradient = softmax_cross_entropy(put([[1e4, 0], [0, 0]], np.float32), put([0, 1], np.int64))
    assert float(loss) == pytest.approx(np.log(2) / 2)
    assert_same(gradient, np.array([[0, 0], [0.25, -0.25]]), 1e-6)


def test_softmax_of_any_number_of_axes_is_along_the_last(put):
    expected = np.array([[[1 / 4, 3 / 4], [2 / 4, 2 / 4], [4 / 5, 1 / 5]]])
    assert_same(softmax(put(np.log([[[1, 3], [2, 2], [4, 1]]]))), expected)


def test_logits_far_below_zero_do_not_underflow(put):
    loss, _ = softmax_cross_entropy(put([[-1e4, -1e4]], np.float32), put([0], np.int64))
    assert float(loss) == pytest.approx(np.log(2))


@pytest.mark.parametrize("images", [1, 2, 5])
@pytest.mark.parametrize("smoothing", [0, 0.3])
def test_the_mean_is_over_the_batch_however_it_is_cut(rng, small_chunks, images, smoothing):
    """Image by image; five images are cut into chunks of one and two."""
    logits, labels = rng.standard_normal((images, 3)), rng.integers(0, 3, images)
    expected_loss, expected_gradient = 0.0, np.zeros((images, 3))
    for n in range(images):
        p = np.exp(logits[n]) / np.exp(logits[n]).sum()
        for k in range(3):
            q = smoothing / 3 + (1 - smoothing) * (k == labels[n])
            expected_loss -= q * np.log(p[k]) / images
            expected_gradient[n, k] = (p[k] - q) / images
    loss, gradient = softmax_cross_entropy(logits, labels, smoothing)
    assert float(loss) == pytest.approx(expected_loss, rel=1e-12)
    assert_same(gradient, expected_gradient)


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_labels_of_any_integer_type(put, kind):
    loss, _ = softmax_cross_entropy(put(np.log([[1, 3]])), put([1], kind))
    assert float(loss) == pytest.approx(np.log(4 / 3))


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_logits_of_any_size_stay_finite(put, size):
    logits = put([[size, -size, 0]], np.float32)
    for label, expected in [(0, 0.0), (2, size)]:
        loss, gradient = softmax_cross_entropy(logits, put([label], np.int64))
        assert float(loss) == pytest.approx(expected) and np.isfinite(to_numpy(gradient)).all()
    assert log_softmax(logits)[0, 0] == 0


def test_a_network_that_knows_nothing_has_the_loss_ln_classes(put):
    loss, _ = softmax_cross_entropy(put(np.zeros((4, 10)), np.float32), put(np.arange(4), np.int64))
    assert float(loss) == pytest.approx(np.log(10)) and loss.dtype == np.float32 and loss.shape == ()


@pytest.mark.parametrize(
    "labels, smoothing, message",
    [
        (np.array([0, 3]), 0, "labels must be 0 to 2, got 0 to 3"),
        (np.array([-1, 0]), 0, "labels must be 0 to 2, got -1 to 0"),
        (np.array([0.0, 1.0]), 0, "labels must be integers, got float64"),
        (np.array([], int), 0, r"labels must be \(2,\), got \(0,\)"),
        (np.array([0, 1, 2]), 0, r"labels must be \(2,\), got \(3,\)"),
        (np.array([0, 1]), 1.5, "label_smoothing must be at least 0 and at most 1, got 1.5"),
    ],
)
def test_errors_name_the_argument(labels, smoothing, message):
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(np.zeros((2, 3)), labels, smoothing)
