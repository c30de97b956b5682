"""What several test files share."""

from __future__ import annotations

import numpy as np
import pytest

from resnet_scratch.data import Dataset


@pytest.fixture
def tiny_dataset() -> Dataset:
    """48 + 20 images of 8x8 pixels in 4 classes, told apart by their colour, which no random crop takes away."""
    colours = np.array([[150, 0, 0], [0, 150, 0], [0, 0, 150], [150, 150, 150]])

    def draw(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 4, count)
        images = colours[labels][:, None, None] + rng.integers(0, 100, (count, 8, 8, 3))
        return images.astype(np.uint8), labels.astype(np.int64)

    return Dataset("tiny", ("red", "green", "blue", "light grey"), *draw(48, 1), *draw(20, 2), mirror=False)
