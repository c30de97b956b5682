"""Matrix products of a tall matrix with a small one, as convolutions need them, in blocks that suit BLAS.

OpenBLAS first copies the operands of a large product into an order of its own. For a tall, narrow matrix that costs
about as much as the product. Small products (M * N * K up to a million) have kernels that read the operands in place;
so a tall product is handed over as a stack of small ones, which NumPy's matmul computes in one call.
"""

from __future__ import annotations

import numpy as np

from .backend import Array, array_module

SMALL_PRODUCT = 10**6  # OpenBLAS, interface/gemm.c and kernel/x86_64/sgemm_small_kernel_permit_skylakex.c


def matmul(a: Array, b: Array) -> Array:
    """a @ b (M, N), for a tall `a` (M, K) and a small `b` (K, N)."""
    xp = array_module(a)
    (M, K), N = a.shape, b.shape[1]
    block = _rows_per_block(K * N)
    whole = M - M % block if xp is np and block >= 8 else 0
    if not whole:
        return a @ b
    product = xp.matmul(a[:whole].reshape(-1, block, K), b).reshape(whole, N)
    return product if whole == M else xp.concatenate([product, a[whole:] @ b])


def matmul_transposed(a: Array, b: Array) -> Array:
    """a.T @ b (K, N), for tall `a` (M, K) and `b` (M, N): each block has a product of its own, and these are added up,
    so a block must be tall enough to be worth that."""
    xp = array_module(a)
    (M, K), N = a.shape, b.shape[1]
    block = _rows_per_block(K * N)
    whole = M - M % block if xp is np and block >= 64 else 0
    if not whole:
        return a.T @ b
    product = xp.matmul(a[:whole].reshape(-1, block, K).swapaxes(1, 2), b[:whole].reshape(-1, block, N)).sum(0)
    return product if whole == M else product + a[whole:].T @ b[whole:]


def _rows_per_block(multiply_adds_per_row: int) -> int:
    """The largest power of two of rows whose product is still small; 0 when a single row is too many."""
    rows = SMALL_PRODUCT // multiply_adds_per_row
    return 1 << (rows.bit_length() - 1) if rows else 0
