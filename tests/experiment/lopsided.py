"""A small network for tests of files, and all its values."""

from __future__ import annotations

import numpy as np

from resnet_scratch.compute.backend import to_numpy
from resnet_scratch.layers import BatchNorm2d, Conv2d, Linear, Sequential


def lopsided(seed: int = 0) -> Sequential:
    """A network no two of whose axes are equally long, so that no transposition goes unseen."""
    rng = np.random.default_rng(seed)
    model = Sequential(conv=Conv2d(2, 3, (4, 5), rng=rng), bn=BatchNorm2d(3), fc=Linear(6, 7, rng=rng))
    for _, buffer in model.named_buffers():
        buffer.value[...] = rng.standard_normal(buffer.value.shape)
    return model


def values(model) -> dict[str, np.ndarray]:
    return {name: to_numpy(buffer.value).copy() for name, buffer in model.named_buffers()}
