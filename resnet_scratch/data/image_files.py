"""Image files as arrays that a network can take."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError

# Pillow knows some forty formats, one of which starts Ghostscript, and goes by the content of a file, not by its name.
FORMATS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "GIF": (".gif",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
SUFFIXES = sum(FORMATS.values(), ())


class ImageFileError(UserError):
    """A file that cannot be read as an image."""


def find_image_files(paths: Sequence[Path]) -> list[Path]:
    """`paths`, with the image files in it, sorted, for each folder. Raises ImageFileError for a folder without any."""
    found: list[Path] = []
    for path in paths:
        files = image_files_in(path) if path.is_dir() else [path]
        if not files:
            raise ImageFileError(f"there is no image file in {path}; {', '.join(SUFFIXES)} are read")
        found += files
    return found


def image_files_in(folder: Path) -> list[Path]:
    """The image files in a folder, sorted; not the hidden ones, such as the ._cat.jpg that macOS adds to cat.jpg."""
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def read_image_file(path: str | Path, size: Sequence[int]) -> np.ndarray:
    """An image file as uint8 (H, W, 3) with `size` = (H, W) in pixels: scaled to just cover that, then centre-cropped.

    It is turned upright as its EXIF data say; what is transparent becomes white; an animation gives its first frame.
    16-bit grey is scaled so that 65535 is white, and 32-bit grey, which has no agreed white, from its darkest pixel to
    its lightest. Raises ImageFileError for a file that is missing, is none of FORMATS, is damaged, or has over 89
    megapixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    H, W = size
    if not Path(path).is_file():
        raise ImageFileError(f"{path} cannot be read ({'it is not a file' if Path(path).exists() else 'No such file'})")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Pillow looks at the size in the header, before it decodes; above its limit it only warns, up to twice that
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=list(FORMATS)) as file:
                image = ImageOps.exif_transpose(file)
                if image.mode[0] in "IF":
                    image = Image.fromarray(_eight_bits(image, white=65535 if "PNG" == file.format else None))
                if image.mode in ("RGBA", "LA", "PA", "La") or "transparency" in image.info:
                    image = image.convert("RGBA")
                    image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
                return np.asarray(ImageOps.fit(image.convert("RGB"), (W, H), Image.Resampling.BICUBIC))
    except UnidentifiedImageError:
        raise ImageFileError(f"{path} cannot be read as an image: it is none of {', '.join(FORMATS)}") from None
    except OSError as error:
        raise ImageFileError(f"{path} cannot be read ({error.strerror or error})") from None
    except Exception as error:  # decoders of damaged files stumble over whatever they do not expect
        reason = str(error)[:200] or type(error).__name__
        raise ImageFileError(f"{path} cannot be read as an image ({reason})") from None


def _eight_bits(image: Any, white: int | None) -> np.ndarray:
    """Grey of 16 or 32 bits as uint8 (H, W). `white` is the value of white; None: 65535, or of 32 bits the lightest."""
    grey = np.asarray(image).astype(np.float64)
    if not np.isfinite(grey).all():
        raise ValueError("it has pixels that are not finite numbers")
    low, high = (0.0, white or 65535.0) if white or image.mode.startswith("I;16") else (grey.min(), grey.max())
    return np.rint((grey - low) / (high - low or 1) * 255).astype(np.uint8)
