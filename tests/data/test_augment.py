import numpy as np
import pytest

from resnet_scratch.compute.backend import to_device, to_numpy
from resnet_scratch.data import normalise, random_crop, random_flip


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(1, 256, (200, 8, 6, 3), dtype=np.uint8)


def test_each_crop_is_one_of_all_possible_crops_and_all_occur(device, images):
    crops = random_crop(to_device(images, device), 2, np.random.default_rng(1))
    assert crops.shape == images.shape and crops.dtype == np.uint8
    crops = to_numpy(crops)
    seen = set()
    for image, crop in zip(images, crops):
        padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
        places = [(t, l) for t in range(5) for l in range(5) if np.array_equal(padded[t : t + 8, l : l + 6], crop)]
        assert len(places) == 1
        seen.add(places[0])
    assert len(seen) == 25  # with 200 draws of 25 places a correct crop misses one about once in 140 seeds; this is one


def test_no_padding_means_no_crop(images):
    assert random_crop(images, 0, np.random.default_rng(0)) is images


def test_about_half_are_mirrored_and_the_rest_are_as_they_were(device, images):
    flipped = to_numpy(random_flip(to_device(images, device), np.random.default_rng(0)))
    mirrored = [np.array_equal(f, i[:, ::-1]) for f, i in zip(flipped, images)]
    same = [np.array_equal(f, i) for f, i in zip(flipped, images)]
    assert all(m != s for m, s in zip(mirrored, same)) and 70 < sum(mirrored) < 130


def test_normalise(device, images):
    mean, std = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.2, 0.25, 0.3], np.float32)
    result = normalise(to_device(images, device), mean, std)
    assert result.dtype == np.float32
    np.testing.assert_allclose(to_numpy(result), (images.astype(np.float64) / 255 - mean) / std, atol=2e-6)
