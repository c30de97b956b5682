"""One number per channel: summed from images, or spread over them. NumPy is fast on long rows and slow on rows of C
numbers; these two functions put the difference in one place."""

from __future__ import annotations

import numpy as np

from .backend import Array, array_module

LONG_ROW = 1 << 14  # numbers


def channel_sum(x: Array) -> Array:
    """The sum of x (N, H, W, C) over all but its last axis: (C,).

    On a CPU it is a row of ones times a matrix: BLAS adds rows many times faster than NumPy's sum does. On a GPU
    it is two sums: a single one would be the work of one or two blocks of threads, because CuPy gives each
    block at least 32 of the C results (`_get_block_specs` in its _reduction.pyx).
    """
    if array_module(x) is not np:
        return x.sum((1, 2)).sum(0)
    N, H, W, C = x.shape
    rows = np.ones(N * H, x.dtype) @ x.reshape(N * H, W * C)
    return rows.reshape(W, C).sum(0)


def per_channel(values: Array, shape: tuple[int, ...]) -> Array:
    """`values` (C,), repeated along the width, and along the height of small images, so that they broadcast against
    images of `shape` (N, H, W, C) in long rows."""
    if array_module(values) is not np:
        return values
    _, H, W, C = shape
    return np.tile(values, (H, W, 1) if H * W * C <= LONG_ROW else (W, 1))
