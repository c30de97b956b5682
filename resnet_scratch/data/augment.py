"""Data augmentation (random crops and horizontal flips), normalisation and resizing.

Source of the augmentation: He et al. 2015, "Deep Residual Learning", section 4.2: 4 pixels are padded on each side, and
a crop of the original size is randomly sampled from the padded image or its horizontal flip. Random numbers are drawn
on the host, even for images on a GPU, so CPU and GPU see the same crops.
"""

from __future__ import annotations

import numpy as np

from ..checks import check_array, check_floats, check_rng, check_whole
from ..compute.backend import Array, array_module
from ..compute.batch import over_batch
from ..compute.channels import per_channel
from ..layers.windows import pad, windows

IMAGES = ("N", "H", "W", "C")


def random_crop(images: Array, padding: int, rng: np.random.Generator) -> Array:
    """Pad each image with `padding` zeros on every side, then crop it to its old size at a random position.

    images: (N, H, W, C) of any dtype -> (N, H, W, C) of the same dtype. The position is uniform over the
    (2 * padding + 1)^2 possible ones, and drawn for each image separately.
    """
    check_array("images", images, IMAGES)
    check_whole("padding", padding, 0)
    check_rng(rng)
    xp = array_module(images)
    N, H, W, _ = images.shape
    tops, lefts = (xp.asarray(rng.integers(0, 2 * padding + 1, N)) for _ in range(2))
    crops = windows(pad(images, (padding, padding)), (H, W), (1, 1))  # all of them, as a view
    return xp.ascontiguousarray(crops[xp.arange(N), tops, lefts])


def random_flip(images: Array, rng: np.random.Generator) -> Array:
    """Flip each image left to right with probability 1/2. images: (N, H, W, C) -> (N, H, W, C)."""
    check_array("images", images, IMAGES)
    check_rng(rng)
    xp = array_module(images)
    flipped = xp.asarray(np.flatnonzero(rng.random(len(images)) < 0.5))
    result = images.copy()
    result[flipped] = images[flipped, :, ::-1]
    return result


def normalise(images: Array, mean: Array, std: Array) -> Array:
    """(image / 255 - mean) / std, the input of a network.

    images: (N, H, W, C) uint8; mean, std: (C,), of pixel values scaled to 0..1 -> (N, H, W, C) float32.
    Raises ValueError for images or statistics of another shape or dtype, and for a std that is not above 0.
    """
    check_array("images", images, IMAGES)
    if images.dtype != np.uint8:
        raise ValueError(f"images must be uint8, values 0 to 255, got {images.dtype}")
    check_floats("mean", mean, images.shape[3:])
    check_floats("std", std, images.shape[3:])
    if not (std > 0).all():
        raise ValueError(f"std must be above 0 in every channel, got {std}")
    xp = array_module(images)
    scale, shift = (xp.asarray(values, dtype=xp.float32) for values in (1 / (255 * std), -mean / std))
    return images * per_channel(scale, images.shape) + per_channel(shift, images.shape)


def resize(images: Array, size: int) -> Array:
    """The images scaled to `size` pixels in height and width. (N, H, W, C) float -> (N, size, size, C) of that dtype.

    Along an axis, a pixel of the result is a weighted mean of pixels: the weights decrease linearly with the distance
    from its centre, to 0 at the distance of one pixel of the coarser of the two images. This is bilinear interpolation
    with antialiasing, as in Pillow and PyTorch. Raises ValueError for images that are not an array of floats.
    """
    check_floats("images", images, IMAGES)
    check_whole("size", size)
    _, H, W, C = images.shape
    if (H, W) == (size, size):
        return images
    rows, columns = (array_module(images).asarray(_resizing(n, size), dtype=images.dtype) for n in (H, W))

    def resized(images: Array) -> Array:
        shorter = rows @ images.reshape(-1, H, W * C)
        return (columns @ shorter.reshape(-1, W, C)).reshape(-1, size, size, C)

    return over_batch(resized, images)  # not all at once: BLAS's own threads would change the last bits


def _resizing(old: int, new: int) -> np.ndarray:
    """(new, old): the weights with which `old` pixels in a row make `new` ones; those of each new pixel add up to 1."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    distances = abs(centres[:, None] - (np.arange(old) + 0.5)) / max(scale, 1.0)
    weights = np.maximum(1 - distances, 0)
    return weights / weights.sum(1, keepdims=True)
