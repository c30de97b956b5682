from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from resnet_scratch.data.pictures import PictureError, read_picture
from resnet_scratch.errors import UserError


def saved(path, array, **settings):
    Image.fromarray(np.asarray(array, np.uint8)).save(path, **settings)
    return path


def test_an_image_of_the_right_size_keeps_every_pixel(tmp_path, rng):
    image = rng.integers(0, 256, (5, 7, 3))
    read = read_picture(saved(tmp_path / "a.png", image), (5, 7))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, image)


def test_the_middle_is_kept_and_scaled_to_cover_the_size(tmp_path):
    wide = np.zeros((8, 24, 3))
    wide[:, 8:16] = 200, 100, 50  # the middle 8x8
    read = read_picture(saved(tmp_path / "wide.png", wide), (4, 4))
    assert read.shape == (4, 4, 3)
    assert np.abs(read[:, 1:3].astype(int) - (200, 100, 50)).max() <= 5  # bicubic overshoots a little at an edge


def test_what_is_transparent_becomes_white_and_grey_becomes_three_channels(tmp_path):
    glass = np.zeros((4, 4, 4))
    glass[:2] = 10, 20, 30, 255
    read = read_picture(saved(tmp_path / "glass.png", glass), (4, 4))
    assert (read[:2] == (10, 20, 30)).all() and (read[2:] == 255).all()
    assert (read_picture(saved(tmp_path / "grey.png", np.full((4, 4), 77)), (4, 4)) == 77).all()


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90 degrees clockwise
    lying = np.zeros((4, 4, 3))
    lying[:, 0] = 255  # the left column, which is then the top row
    read = read_picture(saved(tmp_path / "photo.png", lying, exif=exif), (4, 4))
    assert (read[0] == 255).all() and (read[1:] == 0).all()


def test_files_that_are_no_images_are_named(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(PictureError, match="notes.txt cannot be read as a picture"):
        read_picture(tmp_path / "notes.txt", (4, 4))
    with pytest.raises(PictureError, match="missing.png cannot be read .No such file"):
        read_picture(tmp_path / "missing.png", (4, 4))
    assert issubclass(PictureError, UserError)
