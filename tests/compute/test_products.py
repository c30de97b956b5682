import numpy as np
import pytest

from resnet_scratch.compute.products import multiply, multiply_transposed


@pytest.mark.parametrize("K, N", [(1, 1), (27, 16), (144, 16), (576, 64), (1000, 2000)])
@pytest.mark.parametrize("M", [1, 7, 255, 256, 257, 1500])
def test_both_products(M, K, N):
    rng = np.random.default_rng(0)
    a, b, c = (rng.integers(-3, 4, shape).astype(np.float32) for shape in ((M, K), (K, N), (M, N)))
    out = np.full((M, N), np.nan, np.float32)
    multiply(a, b, out)
    np.testing.assert_array_equal(out, np.einsum("mk,kn->mn", a, b, optimize=True))  # small integers: exact
    np.testing.assert_array_equal(multiply_transposed(a, c), np.einsum("mk,mn->kn", a, c, optimize=True))
