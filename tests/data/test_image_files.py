from __future__ import annotations

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from resnet_scratch.data.image_files import ImageFileError, find_image_files, read_image_file
from resnet_scratch.errors import UserError


def saved(path, array, **settings):
    Image.fromarray(np.asarray(array, np.uint8)).save(path, **settings)
    return path


def test_an_image_of_the_right_size_keeps_every_pixel(tmp_path, rng):
    image = rng.integers(0, 256, (5, 7, 3))
    read = read_image_file(saved(tmp_path / "a.png", image), (5, 7))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, image)


def test_the_middle_is_kept_and_scaled_to_cover_the_size(tmp_path):
    wide = np.zeros((8, 24, 3))
    wide[:, 8:16] = 200, 100, 50  # the middle 8x8
    read = read_image_file(saved(tmp_path / "wide.png", wide), (4, 4))
    assert read.shape == (4, 4, 3)
    assert np.abs(read[:, 1:3].astype(int) - (200, 100, 50)).max() <= 5  # bicubic overshoots a little at an edge


def test_what_is_transparent_becomes_white_and_grey_becomes_three_channels(tmp_path):
    glass = np.zeros((4, 4, 4))
    glass[:2] = 10, 20, 30, 255
    read = read_image_file(saved(tmp_path / "glass.png", glass), (4, 4))
    assert (read[:2] == (10, 20, 30)).all() and (read[2:] == 255).all()
    assert (read_image_file(saved(tmp_path / "grey.png", np.full((4, 4), 77)), (4, 4)) == 77).all()


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90 degrees clockwise
    lying = np.zeros((4, 4, 3))
    lying[:, 0] = 255  # the left column, which is then the top row
    read = read_image_file(saved(tmp_path / "photo.png", lying, exif=exif), (4, 4))
    assert (read[0] == 255).all() and (read[1:] == 0).all()


def test_files_that_are_no_images_are_named(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ImageFileError, match="notes.txt cannot be read as an image"):
        read_image_file(tmp_path / "notes.txt", (4, 4))
    with pytest.raises(ImageFileError, match="missing.png cannot be read .No such file"):
        read_image_file(tmp_path / "missing.png", (4, 4))
    assert issubclass(ImageFileError, UserError)


RAMP = np.array([[0, 1 / 3], [2 / 3, 1]])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_is_scaled_not_clipped(tmp_path, suffix):
    Image.fromarray((RAMP * 65535).astype(np.uint16)).save(tmp_path / f"a.{suffix}")
    read = read_image_file(tmp_path / f"a.{suffix}", (2, 2))
    assert read.shape == (2, 2, 3) and read[..., 1].tolist() == [[0, 85], [170, 255]]
    Image.fromarray(np.full((2, 2), 32768, np.uint16)).save(tmp_path / f"a.{suffix}")
    assert (read_image_file(tmp_path / f"a.{suffix}", (2, 2)) == 128).all()  # half of white, though it is the lightest


@pytest.mark.parametrize("dtype, scale", [(np.int32, 3 * 10**6), (np.float32, 3), (np.float32, 3e37)])
def test_grey_of_32_bits_is_scaled_to_its_lightest_pixel(tmp_path, dtype, scale):
    Image.fromarray((RAMP * scale).astype(dtype)).save(tmp_path / "a.tif")
    assert read_image_file(tmp_path / "a.tif", (2, 2))[..., 2].tolist() == [[0, 85], [170, 255]]


def test_a_constant_is_black_and_not_a_number_is_refused(tmp_path):
    Image.fromarray(np.full((2, 2), 7, np.float32)).save(tmp_path / "a.tif")
    assert (read_image_file(tmp_path / "a.tif", (2, 2)) == 0).all()
    Image.fromarray(np.full((2, 2), np.nan, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(ImageFileError, match="not finite"):
        read_image_file(tmp_path / "a.tif", (2, 2))


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_the_formats_that_are_named_are_read(tmp_path, name):
    Image.new("RGB", (4, 4), (250, 250, 250)).save(tmp_path / "a.jpg", name)  # the content decides, not the name
    assert np.abs(read_image_file(tmp_path / "a.jpg", (4, 4)).astype(int) - 250).max() <= 2


@pytest.mark.parametrize("name", ["EPS", "PDF", "PPM", "TGA", "ICO", "PCX", "JPEG2000", "ICNS", "DDS"])
def test_other_formats_are_not_even_tried(tmp_path, name, monkeypatch):
    Image.new("RGB", (32, 32)).save(tmp_path / "a.jpg", name)
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("Ghostscript"))
    with pytest.raises(ImageFileError, match="a.jpg cannot be read as an image: it is none of PNG, JPEG, "):
        read_image_file(tmp_path / "a.jpg", (4, 4))


@pytest.mark.parametrize("sides", [(9_500, 9_500), (60_000, 60_000), (2**31 - 1, 1)])
def test_huge_images_are_refused_by_their_header(tmp_path, sides):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *sides, 8, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b""))
    with pytest.raises(ImageFileError, match="exceeds limit of .* pixels"):
        read_image_file(tmp_path / "a.png", (4, 4))


def test_folders_give_their_images_sorted(tmp_path):
    for name in ("b.PNG", "a.jpg", "notes.txt", "c.webp", "._a.jpg", ".thumbnail.png"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    found = find_image_files([tmp_path / "notes.txt", tmp_path])
    assert found == [tmp_path / name for name in ("notes.txt", "a.jpg", "b.PNG", "c.webp")]
    with pytest.raises(ImageFileError, match="there is no image file in .*empty; .png, .jpg"):
        find_image_files([tmp_path / "empty"])


def test_what_is_no_plain_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")  # opening it would wait for ever
    for path in (tmp_path / "pipe.png", tmp_path, "/dev/zero"):
        with pytest.raises(ImageFileError, match="it is not a file"):
            read_image_file(path, (4, 4))
