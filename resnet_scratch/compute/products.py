"""Matrix products of a tall matrix with a small one, as convolutions need them, in blocks that suit BLAS.

OpenBLAS copies the operands of a large product into an order of its own first. For a tall, narrow matrix that costs
about as much as the product. Small products (M * N * K up to a million) have kernels that read the operands where they
lie; so a tall product is handed over as a stack of small ones, which NumPy's matmul runs through in one call.
"""

from __future__ import annotations

import numpy as np

from .backend import Array, array_module

SMALL_PRODUCT = 10**6  # OpenBLAS, interface/gemm.c and kernel/x86_64/sgemm_small_kernel_permit_skylakex.c


def multiply(a: Array, b: Array, out: Array) -> None:
    """out = a @ b, for `a` (M, K), `b` (K, N) and `out` (M, N)."""
    xp = array_module(a)
    (M, K), N = a.shape, b.shape[1]
    block = _block_rows(K * N)
    whole = M - M % block if xp is np and block >= 8 else 0
    if whole:
        xp.matmul(a[:whole].reshape(-1, block, K), b, out=out[:whole].reshape(-1, block, N))
    if whole < M:
        xp.matmul(a[whole:], b, out=out[whole:])


def multiply_transposed(a: Array, b: Array) -> Array:
    """a.T @ b (K, N), for `a` (M, K) and `b` (M, N): each block has a result of its own, and these are added up, so
    blocks must be long enough to be worth that."""
    xp = array_module(a)
    (M, K), N = a.shape, b.shape[1]
    block = _block_rows(K * N)
    whole = M - M % block if xp is np and block >= 64 else 0
    if not whole:
        return a.T @ b
    total = xp.matmul(a[:whole].reshape(-1, block, K).swapaxes(1, 2), b[:whole].reshape(-1, block, N)).sum(0)
    if whole < M:
        total += a[whole:].T @ b[whole:]
    return total


def _block_rows(multiply_adds_per_row: int) -> int:
    """The largest power of two of rows that still makes a small product; 0 when a single row is too many."""
    rows = SMALL_PRODUCT // multiply_adds_per_row
    return 1 << (rows.bit_length() - 1) if rows else 0
