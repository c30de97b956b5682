"""More images than there are: random crops and mirror images; and normalisation.

Source: He et al. 2015, "Deep Residual Learning", section 4.2: 4 pixels are padded on each side, and a crop of the old
size is sampled from the padded image or its mirror image. Random numbers are drawn on the host,
wherever the images are.
"""

from __future__ import annotations

import numpy as np

from ..compute.backend import Array, array_module


def random_crop(images: Array, padding: int, rng: np.random.Generator) -> Array:
    """`images` (N, H, W, C) padded by `padding` zeros on every side, each cut back to (H, W) at a random place."""
    if padding == 0:
        return images
    xp = array_module(images)
    N, H, W, C = images.shape
    padded = xp.zeros((N, H + 2 * padding, W + 2 * padding, C), images.dtype)
    padded[:, padding : padding + H, padding : padding + W] = images
    tops, lefts = (xp.asarray(rng.integers(0, 2 * padding + 1, N)) for _ in range(2))
    windows = xp.lib.stride_tricks.sliding_window_view(padded, (H, W), (1, 2))  # (N, 2P+1, 2P+1, C, H, W)
    return xp.ascontiguousarray(windows.transpose(0, 1, 2, 4, 5, 3)[xp.arange(N), tops, lefts])


def random_flip(images: Array, rng: np.random.Generator) -> Array:
    """Each of `images` (N, H, W, C) mirrored left to right, or not, with equal probability."""
    xp = array_module(images)
    mirrored = xp.asarray(rng.random(len(images)) < 0.5)
    return xp.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def normalise(images: Array, mean: Array, std: Array) -> Array:
    """uint8 `images` (N, H, W, C) -> float32 (image / 255 - mean) / std, with `mean` and `std` (C,) in 0..1."""
    xp = array_module(images)
    scale = xp.asarray(1 / (255 * std), dtype=xp.float32)
    shift = xp.asarray(-mean / std, dtype=xp.float32)
    return images * xp.tile(scale, images.shape[2]).reshape(-1, len(scale)) + shift
