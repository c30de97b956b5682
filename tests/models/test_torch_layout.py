import numpy as np
import pytest

from resnet_scratch.models.torch_layout import from_torch, to_torch


def test_convolutions_element_by_element(xp):
    ours = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    theirs = to_torch(xp.asarray(ours))
    assert theirs.shape == (5, 4, 2, 3)
    for kh, kw, c, o in np.ndindex(2, 3, 4, 5):
        assert theirs[o, c, kh, kw] == ours[kh, kw, c, o]


def test_linear_weights_element_by_element(xp):
    ours = np.random.default_rng(0).standard_normal((2, 3))
    theirs = to_torch(xp.asarray(ours))
    assert theirs.tolist() == [[ours[0, 0], ours[1, 0]], [ours[0, 1], ours[1, 1]], [ours[0, 2], ours[1, 2]]]


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 3, 3, 3), (2, 3), (4,)])
def test_there_and_back_is_contiguous_and_the_same(shape):
    ours = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    theirs = to_torch(ours)
    back = from_torch(theirs)
    assert theirs.flags.c_contiguous and back.flags.c_contiguous
    np.testing.assert_array_equal(back, ours, strict=True)
