import math

import numpy as np
import pytest

from reference import assert_same
from resnet_scratch.losses import log_softmax, softmax, softmax_cross_entropy

LOGITS = [[0, math.log(3)], [math.log(4), 0]]  # probabilities 1/4, 3/4 and 4/5, 1/5


def test_softmax_by_hand(put):
    assert_same(softmax(put(LOGITS)), [[0.25, 0.75], [0.8, 0.2]])
    assert_same(log_softmax(put(LOGITS)), np.log([[0.25, 0.75], [0.8, 0.2]]))


def test_loss_and_gradient_by_hand(put, xp):
    loss, gradient = softmax_cross_entropy(put(LOGITS), xp.asarray([0, 0]))
    assert float(loss) == pytest.approx((math.log(4) + math.log(5 / 4)) / 2) and loss.shape == ()
    assert_same(gradient, [[-0.375, 0.375], [-0.1, 0.1]])


def test_label_smoothing_by_hand(put, xp):
    """Smoothing of 0.2 over two classes asks for 0.9 and 0.1."""
    loss, gradient = softmax_cross_entropy(put(LOGITS[:1]), xp.asarray([0]), label_smoothing=0.2)
    assert float(loss) == pytest.approx(0.9 * math.log(4) + 0.1 * math.log(4 / 3))
    assert_same(gradient, [[0.25 - 0.9, 0.75 - 0.1]])


@pytest.mark.parametrize("classes", [1, 2, 1000])
def test_knowing_nothing_costs_the_logarithm_of_the_classes(put, xp, classes):
    loss, _ = softmax_cross_entropy(put(np.full((3, classes), 7.0)), xp.asarray([0, classes - 1, classes // 2]))
    assert float(loss) == pytest.approx(math.log(classes))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_logits_of_any_size(put, xp, dtype, size):
    """Right and sure costs nothing, wrong and sure costs the difference; nothing overflows."""
    logits = put([[size, -size, 0], [-size, size, 0]], dtype)
    loss, gradient = softmax_cross_entropy(logits, xp.asarray([0, 0]))
    assert float(loss) == pytest.approx(size, rel=1e-6)  # (0 + 2 * size) / 2
    assert_same(gradient, [[0, 0, 0], [-0.5, 0.5, 0]])
    assert loss.dtype == gradient.dtype == dtype


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_common_shift_changes_nothing_and_gradients_sum_to_zero(put, xp, rng, smoothing):
    logits, labels = rng.standard_normal((5, 7)), xp.asarray(rng.integers(0, 7, 5))
    loss, gradient = softmax_cross_entropy(put(logits), labels, smoothing)
    shifted_loss, shifted_gradient = softmax_cross_entropy(put(logits + 100), labels, smoothing)
    assert float(shifted_loss) == pytest.approx(float(loss), rel=1e-12)
    assert_same(shifted_gradient, gradient)
    assert_same(gradient.sum(1), np.zeros(5))


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_any_integers_are_labels(put, xp, dtype):
    loss, _ = softmax_cross_entropy(put(LOGITS), xp.asarray([1, 1], dtype))
    assert float(loss) == pytest.approx((math.log(4 / 3) + math.log(5)) / 2)


@pytest.mark.parametrize(
    "logits, labels, smoothing, message",
    [
        ((2, 3), [0], 0, r"do not fit: got \(2, 3\) and \(1,\)"),
        ((2, 3), [[0], [1]], 0, r"do not fit: got \(2, 3\) and \(2, 1\)"),
        ((2, 3, 1), [0, 1], 0, r"do not fit: got \(2, 3, 1\) and \(2,\)"),
        ((2, 3), [0.0, 1.0], 0, "labels must be integers, got float64"),
        ((2, 3), [0, 3], 0, "labels must be 0 to 2, got 0 to 3"),
        ((2, 3), [-1, 2], 0, "labels must be 0 to 2, got -1 to 2"),
        ((2, 3), [0, 1], 1.5, "label_smoothing must be between 0 and 1, got 1.5"),
    ],
)
def test_mistakes_are_named(logits, labels, smoothing, message):
    with pytest.raises(ValueError, match=message):
        softmax_cross_entropy(np.zeros(logits), np.asarray(labels), smoothing)
