import numpy as np

from reference import assert_same
from resnet_scratch.layers import ReLU


def test_forward_cuts_below_zero_and_backward_lets_through_above(put):
    y, cache = ReLU().forward(put([[-2, -0.0, 0, 1e-30], [3, -1, 0.5, 7]]))
    assert_same(y, [[0, 0, 0, 1e-30], [3, 0, 0.5, 7]], 0)
    grad_y = put([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert_same(ReLU().backward(grad_y, cache), [[0, 0, 0, 4], [5, 0, 7, 8]], 0)


def test_any_shape(put, rng, small_chunks):
    for shape in [(5,), (3, 4), (2, 3, 4, 5)]:
        x = rng.standard_normal(shape)
        y, cache = ReLU().forward(put(x))
        assert_same(y, np.where(x > 0, x, 0), 0)
        assert_same(ReLU().backward(put(x), cache), np.where(x > 0, x, 0), 0)


def test_what_is_not_a_number_stays_so(put):
    """A network that has diverged must show it, not hide it behind zeros."""
    assert np.isnan(ReLU()(put([np.nan, 1.0]))).tolist() == [True, False]
