import numpy as np
import pytest

from resnet_scratch.products import multiply, multiply_transposed

SHAPES = [  # M rows (whole blocks of small products, remainders, fewer than a block), K, N
    (1, 1, 1), (7, 3, 2), (4096, 144, 16), (4099, 144, 16), (63, 27, 16), (2048, 16, 144), (1000, 576, 64),
    (517, 300, 500), (130, 2304, 256), (0, 4, 3),
]  # fmt: skip


def integers(rng, *shape, dtype):
    """Whole numbers so small that float32 adds up their products without rounding."""
    return rng.integers(-4, 5, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("M, K, N", SHAPES)
def test_products_are_exact_on_whole_numbers(rng, M, K, N, dtype):
    a, b, c = (integers(rng, *shape, dtype=dtype) for shape in [(M, K), (K, N), (M, N)])
    out = np.full((M, N), np.nan, dtype)
    multiply(a, b, out)
    np.testing.assert_array_equal(out, a.astype(np.int64) @ b.astype(np.int64))
    product = multiply_transposed(a, c)
    assert product.dtype == dtype
    np.testing.assert_array_equal(product, a.astype(np.int64).T @ c.astype(np.int64))
