"""Where weights begin: Kaiming initialisation, from an explicit random generator.

Source: He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers", section 2.2. A layer followed by ReLU keeps the
size of its signal when Var[w] = 2 / fan_in (equation 10), and that of its gradient when Var[w] = 2 / fan_out
(equation 14).
"""

from __future__ import annotations

import math

import numpy as np

from ..checks import check_number, check_rng


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight whose last two axes are (in, out): how many inputs one output sums over, and
    how many outputs one input reaches. For a convolution (KH, KW, C, O) each counts KH * KW times.

    Raises ValueError for a shape of fewer than two axes, or with an axis of size 0.
    """
    if len(shape) < 2 or min(shape) < 1:
        raise ValueError(f"shape must be (..., in, out), each at least 1, got {shape}")
    positions = math.prod(shape[:-2])
    return positions * shape[-2], positions * shape[-1]


def kaiming_std(shape: tuple[int, ...], mode: str = "fan_in", gain: float = math.sqrt(2)) -> float:
    """The standard deviation gain / sqrt(fan). The default gain of sqrt(2) is ReLU's.

    Source: He et al. 2015, "Delving Deep into Rectifiers", equations 10 and 14.
    Raises ValueError for a `mode` that is neither "fan_in" nor "fan_out", and for a gain that is not above 0.
    """
    check_number("gain", gain, above=0)
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', got {mode!r}")
    return gain / math.sqrt(fans(shape)[mode == "fan_out"])


def kaiming_normal(
    shape: tuple[int, ...], rng: np.random.Generator, mode: str = "fan_in", gain: float = math.sqrt(2)
) -> np.ndarray:
    """Normally distributed weights (float32) with standard deviation gain / sqrt(fan)."""
    check_rng(rng)
    return (kaiming_std(shape, mode, gain) * rng.standard_normal(shape)).astype(np.float32)


def kaiming_uniform(
    shape: tuple[int, ...], rng: np.random.Generator, mode: str = "fan_in", gain: float = math.sqrt(2)
) -> np.ndarray:
    """Uniformly distributed weights (float32) of the same standard deviation s, so from -sqrt(3) s to sqrt(3) s."""
    check_rng(rng)
    bound = math.sqrt(3) * kaiming_std(shape, mode, gain)
    return rng.uniform(-bound, bound, shape).astype(np.float32)
