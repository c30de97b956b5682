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
