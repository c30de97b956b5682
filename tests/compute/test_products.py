import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.compute import products
from resnet_scratch.compute.products import matmul, matmul_transposed

SHAPES = pytest.mark.parametrize("K, N", [(1, 1), (3, 1), (1, 5), (27, 16), (144, 16), (576, 64), (1000, 2000)])
ROWS = pytest.mark.parametrize("M", [1, 2, 7, 8, 63, 64, 65, 255, 256, 257, 1500])
SMALL = pytest.mark.parametrize("small_product", [10**6, 2000])  # 2000: blocks also where the matrices are tiny


@SHAPES
@ROWS
@SMALL
def test_both_products(rng, xp, monkeypatch, M, K, N, small_product):
    monkeypatch.setattr(products, "SMALL_PRODUCT", small_product)
    a, b, c = (rng.integers(-3, 4, shape) for shape in ((M, K), (K, N), (M, N)))
    there = [xp.asarray(array, np.float32) for array in (a, b, c)]
    a, b, c = (array.astype(np.float64) for array in (a, b, c))
    assert_same(matmul(there[0], there[1]), a @ b, 0)  # small integers: exact
    assert_same(matmul_transposed(there[0], there[2]), a.T @ c, 0)
    assert matmul(there[0], there[1]).dtype == matmul_transposed(there[0], there[2]).dtype == np.float32


@pytest.mark.parametrize("M", [1, 257, 5003])
def test_matrices_that_lie_transposed_or_with_gaps(rng, xp, M):
    a, b, c = (rng.standard_normal(shape) for shape in ((M, 90), (90, 16), (M, 16)))
    for turned in (lambda m: xp.asarray(m.T.copy()).T, lambda m: xp.asarray(np.repeat(m, 2, 1))[:, ::2]):
        assert_same(matmul(turned(a), turned(b)), a @ b)
        assert_same(matmul_transposed(turned(a), turned(c)), a.T @ c)


def test_only_a_processor_gets_blocks(rng, gpu):
    """Otherwise these tests would test `@`: a GPU's product is one launch, and NumPy's is taken apart."""
    a, b = rng.standard_normal((3000, 144)), rng.standard_normal((144, 16))
    before, (a_there, b_there) = None, (gpu.asarray(a), gpu.asarray(b))
    if hasattr(gpu, "_counts"):
        before = gpu._counts.launches
        matmul(a_there, b_there)
        assert gpu._counts.launches == before + 1
    blocks = products._rows_per_block(144 * 16)
    assert blocks == 256  # 256 * 144 * 16 = 589,824 is less than a million, twice as much is not
    assert products._rows_per_block(10**6) == 1 and products._rows_per_block(10**6 + 1) == 0


@pytest.mark.parametrize("M, K, N, there, back", [
    (1500, 144, 16, [(5, 256, 144)], [(5, 144, 256)]),  # 2304 multiply-adds a row, so 256 rows are less than a million
    (255, 144, 16, [], []),  # less than a block
    (17, 1250, 100, [(2, 8, 1250)], []),  # 125,000 a row: blocks of 8 rows, which is enough without an addition
    (17, 1250, 101, [], []),  # blocks of 4 are not
    (130, 125, 125, [(2, 64, 125)], [(2, 125, 64)]),  # 15,625 a row: blocks of 64, which is enough with one
    (130, 125, 126, [(4, 32, 125)], []),  # blocks of 32 are not
])  # fmt: skip
def test_tall_products_are_taken_apart_into_small_ones(monkeypatch, M, K, N, there, back):
    stacks, right = [], np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b: stacks.append(a.shape) or right(a, b))
    matmul(np.ones((M, K)), np.ones((K, N)))
    assert stacks == there
    stacks.clear()
    matmul_transposed(np.ones((M, K)), np.ones((M, N)))
    assert stacks == back
