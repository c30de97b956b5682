"""How tests compare arrays. What layers are compared with is in `resnet_scratch.verify.definitions`."""

import numpy as np

from resnet_scratch.compute.backend import to_numpy


def assert_same(ours, expected, tolerance=1e-12):
    """Equal up to rounding, relative to the largest value, and of one shape."""
    ours, expected = to_numpy(ours), to_numpy(expected)
    assert ours.shape == expected.shape
    np.testing.assert_allclose(ours, expected, rtol=0, atol=tolerance * max(1.0, np.abs(expected).max(initial=0)))
