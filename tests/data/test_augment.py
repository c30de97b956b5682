import numpy as np
import pytest

from resnet_scratch.compute.backend import to_device, to_numpy
from resnet_scratch.data import normalise, random_crop, random_flip


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(1, 256, (200, 8, 6, 3), dtype=np.uint8)


def test_crops_are_sampled_from_every_possible_position(device, images):
    crops = random_crop(to_device(images, device), 2, np.random.default_rng(1))
    assert crops.shape == images.shape and crops.dtype == np.uint8
    crops = to_numpy(crops)
    seen = set()
    for image, crop in zip(images, crops):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
        positions = [(i, j) for i in range(5) for j in range(5) if np.array_equal(padded[i : i + 8, j : j + 6], crop)]
        assert len(positions) == 1
        seen.add(positions[0])
    assert len(seen) == 25  # 200 uniform draws miss one of the 25 positions with one seed in 140; not with this one


def test_without_padding_there_is_one_crop_the_image_itself(images):
    assert np.array_equal(random_crop(images, 0, np.random.default_rng(0)), images)


def test_about_half_of_the_images_are_flipped_left_to_right(device, images):
    flipped = to_numpy(random_flip(to_device(images, device), np.random.default_rng(0)))
    changed = [np.array_equal(f, i[:, ::-1]) for f, i in zip(flipped, images)]
    unchanged = [np.array_equal(f, i) for f, i in zip(flipped, images)]
    assert all(c != u for c, u in zip(changed, unchanged)) and 70 < sum(changed) < 130


def test_normalise_subtracts_the_mean_and_divides_by_the_standard_deviation(device, images):
    mean, std = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.2, 0.25, 0.3], np.float32)
    result = normalise(to_device(images, device), mean, std)
    assert result.dtype == np.float32
    np.testing.assert_allclose(to_numpy(result), (images.astype(np.float64) / 255 - mean) / std, atol=2e-6)
