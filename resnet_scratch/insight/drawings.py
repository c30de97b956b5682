"""Figures of what is inside a network. Each function draws on Matplotlib axes that it is given."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..compute.backend import Array, to_numpy

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_filters(axes: Axes, weight: Array) -> None:
    """The filters of a first convolution, weight (KH, KW, 3, O), as O small images: grey is zero.

    Each filter is divided by its own largest weight. Raises ValueError unless it has three input channels.
    """
    weight = to_numpy(weight)
    if weight.ndim != 4 or weight.shape[2] != 3:
        raise ValueError(f"weight must be (KH, KW, 3, O), with three input channels, got {weight.shape}")
    filters = weight.transpose(3, 0, 1, 2)  # (O, KH, KW, 3)
    largest = np.maximum(abs(filters).max((1, 2, 3), keepdims=True), np.finfo(np.float32).tiny)
    axes.imshow(_grid(0.5 + 0.5 * filters / largest), interpolation="nearest")
    axes.set_axis_off()


def draw_feature_maps(axes: Axes, activation: Array) -> None:
    """The channels of one image's activation (H, W, C) as C small images, each scaled to its own range.

    Raises ValueError for another shape.
    """
    activation = to_numpy(activation)
    if activation.ndim != 3:
        raise ValueError(f"activation must be (H, W, C), of one image, got {activation.shape}")
    maps = activation.transpose(2, 0, 1).astype(np.float64)  # (C, H, W)
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    scaled = (maps - low) / np.where(high > low, high - low, 1)
    axes.imshow(_grid(scaled, line=np.nan), cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()


def draw_heat(axes: Axes, image: Array, heat: Array) -> None:
    """`heat` (H, W), 0..1, over `image` (H, W, 3), uint8 or 0..1, in grey: the hotter, the more opaque.

    Raises ValueError where the sizes differ.
    """
    image, heat = to_numpy(image), to_numpy(heat)
    if heat.shape != image.shape[:2]:
        raise ValueError(f"heat must have the image's height and width {image.shape[:2]}, got {heat.shape}")
    axes.imshow(image.mean(2), cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
    axes.imshow(heat, cmap="inferno", vmin=0, vmax=1, alpha=0.75 * np.clip(heat, 0, 1))
    axes.set_axis_off()


def _grid(tiles: np.ndarray, line: float = 1.0) -> np.ndarray:
    """Tiles (n, H, W) or (n, H, W, 3) in a grid; `line` is the value of the lines between them and of empty tiles."""
    n, H, W = tiles.shape[:3]
    columns = math.ceil(math.sqrt(n))
    rows = -(-n // columns)
    grid = np.full((rows * (H + 1) - 1, columns * (W + 1) - 1, *tiles.shape[3:]), line)
    for k, tile in enumerate(tiles):
        row, column = divmod(k, columns)
        grid[row * (H + 1) : row * (H + 1) + H, column * (W + 1) : column * (W + 1) + W] = tile
    return grid
