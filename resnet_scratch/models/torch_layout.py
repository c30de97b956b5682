"""torch's layout of weights, in this one file: convolutions are (O, C, KH, KW) there and linear weights (out, in); here
they are (KH, KW, C, O) and (in, out). Biases and batch norm's arrays have one axis and are the same in both."""

from __future__ import annotations

import numpy as np

from ..compute.backend import Array, to_numpy

_TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0)}  # the order of the axes, by their number
_FROM_TORCH = {4: (2, 3, 1, 0), 2: (1, 0)}


def to_torch(weight: Array) -> np.ndarray:
    """(KH, KW, C, O) -> (O, C, KH, KW), (in, out) -> (out, in), any other shape as it is; on the CPU, same dtype.

    The result is contiguous: safetensors 0.8.0 writes a transposed view in the order of its memory, silently wrong.
    """
    return np.ascontiguousarray(to_numpy(weight).transpose(_TO_TORCH.get(weight.ndim, range(weight.ndim))))


def from_torch(weight: np.ndarray) -> np.ndarray:
    """(O, C, KH, KW) -> (KH, KW, C, O), (out, in) -> (in, out), any other shape as it is; contiguous, same dtype."""
    return np.ascontiguousarray(weight.transpose(_FROM_TORCH.get(weight.ndim, range(weight.ndim))))
