import numpy as np
import pytest

from resnet_scratch.compute.backend import to_device, to_numpy
from resnet_scratch.compute.threads import limit_blas_threads
from resnet_scratch.data import normalise, random_crop, random_flip, resize


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


def test_a_row_of_four_pixels_becomes_two_by_hand(device):
    # A new pixel is two old ones wide. Its weights fall to 0 at a distance of two old pixels from its centre, 1:
    # the old centres 0.5, 1.5, 2.5 get 1 - 0.25, 1 - 0.25, 1 - 0.75, in all 7/4.
    images = np.array([7.0, 14, 28, 70])[None, None, :, None].repeat(4, axis=1)
    expected = [(3 * 7 + 3 * 14 + 28) / 7, (14 + 3 * 28 + 3 * 70) / 7]
    resized = to_numpy(resize(to_device(images, device), 2))
    np.testing.assert_allclose(resized[0, :, :, 0], [expected] * 2, rtol=1e-14)


def test_a_resized_image_of_one_colour_keeps_it(device):
    images = np.ones((2, 9, 5, 3), np.float32) * np.float32([1, -2, 3])
    for size in (1, 4, 7, 20):
        resized = resize(to_device(images, device), size)
        assert resized.shape == (2, size, size, 3) and resized.dtype == np.float32
        np.testing.assert_allclose(to_numpy(resized), images[:, :1, :1].repeat(size, 1).repeat(size, 2), rtol=1e-6)


def test_resized_images_have_the_same_bits_however_many_threads_blas_has():
    """A batch is made beside the layers, which take BLAS's threads away while they compute."""
    images = np.random.default_rng(0).standard_normal((64, 64, 64, 3)).astype(np.float32)
    resized = []
    for threads in (1, 2, 4):
        with limit_blas_threads(threads):
            resized.append(resize(images, 48))
    assert np.array_equal(resized[0], resized[1]) and np.array_equal(resized[0], resized[2])
