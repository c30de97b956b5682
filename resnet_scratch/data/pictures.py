"""Image files as arrays that a network can take."""

from __future__ import annotations

from pathlib import Path
from typing import Sequence

import numpy as np

from ..errors import UserError


class PictureError(UserError):
    """A file that cannot be read as an image."""


def read_picture(path: str | Path, size: Sequence[int]) -> np.ndarray:
    """An image file as uint8 (H, W, 3) with `size` = (H, W) in pixels: scaled to just cover that, then centre-cropped.

    It is turned upright as its EXIF data say; what is transparent becomes white. Raises PictureError for a file that is
    missing or is not an image.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    H, W = size
    try:
        with Image.open(path) as file:
            image = ImageOps.exif_transpose(file)
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
            return np.asarray(ImageOps.fit(image.convert("RGB"), (W, H), Image.Resampling.BICUBIC))
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError) as error:
        raise PictureError(f"{path} cannot be read as a picture ({error})") from None
    except OSError as error:
        raise PictureError(f"{path} cannot be read ({error.strerror or error})") from None
