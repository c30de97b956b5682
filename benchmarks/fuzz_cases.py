"""What fuzz.py reads: for each reader, small valid files, how they are changed, and the call that reads them."""

from __future__ import annotations

import gzip
import io
import random
import struct
import sys
import tarfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "data")]

import archives  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

from resnet_scratch.data import cifar10  # noqa: E402
from resnet_scratch.data.cifar import Version  # noqa: E402
from resnet_scratch.data.image_files import read_image_file  # noqa: E402
from resnet_scratch.errors import UserError  # noqa: E402
from resnet_scratch.experiment.checkpoint import (  # noqa: E402
    EPOCH_SUMS,
    load_state,
    read_arrays,
    read_state,
    save_state,
)
from resnet_scratch.experiment.weights import load_model  # noqa: E402
from resnet_scratch.optim import Adam  # noqa: E402

Cases = Callable[[random.Random], bytes]


def mutate(content: bytes, rng: random.Random, others: list[bytes]) -> bytes:
    """`content` after one to eight random changes."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        where, length = rng.randrange(len(data) + 1), rng.choice((1, 2, 4, 8, 64, 512))
        kind = rng.randrange(8)
        if kind <= 1 and where < len(data):
            data[where] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data[where : where + length] = rng.choice((b"\0", b"\xff", b"\x7f", b"9", b"[", b'"')) * length
        elif kind == 3:
            del data[where:]
        elif kind == 4:
            del data[where : where + length]
        elif kind == 5:
            data[where:where] = data[where : where + length]
        elif kind == 6:
            other = rng.choice(others)
            begin = rng.randrange(len(other))
            data[where : where + length] = other[begin : begin + length]
        else:
            data[where : where + length] = rng.randbytes(min(length, 8))
    return bytes(data)


def from_seeds(seeds: list[bytes]) -> Cases:
    return lambda rng: mutate(rng.choice(seeds), rng, seeds)


# Each of these makes what it needs in `folder` and returns what makes a case and what reads it.
def records(folder: Path) -> tuple[Cases, Callable]:
    return _in_folder(archives.BINARY, folder)


def pickles(folder: Path) -> tuple[Cases, Callable]:
    return _in_folder(archives.PYTHON, folder)


def _in_folder(version: Version, folder: Path) -> tuple[Cases, Callable]:
    contents = archives.contents(version)
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    def read(content: bytes) -> None:
        (folder / next(iter(version.records))).write_bytes(content)
        cifar10.load_cifar10(folder)

    return from_seeds(list(contents.values())), read


def tars(folder: Path) -> tuple[Cases, Callable]:
    seeds = []
    for version in archives.CIFAR10.versions:
        for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            seeds.append(archives.write(folder / "seed", version, format=format).read_bytes())
    inner = [gzip.decompress(seed) for seed in seeds]
    path = folder / "c.tar.gz"

    def case(rng: random.Random) -> bytes:
        if rng.random() < 0.5:
            return mutate(rng.choice(seeds), rng, seeds)
        content = bytearray(mutate(rng.choice(inner), rng, inner))
        if len(content) >= 512 and rng.random() < 0.5:  # change the first header, make its checksum right
            content[rng.choice((124, 156, 157, 345)) + rng.randrange(8)] = rng.choice(b"0123456789xgLKS\x80\xff\0")
            content[148:156] = b"%06o\0 " % (256 + sum(content[:148]) + sum(content[156:512]))
        return gzip.compress(bytes(content), 1)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        cifar10.load_cifar10(path)

    return case, read


WEIGHTS = ROOT / "tests/experiment/weights_57ce254.safetensors"
WORDS = [
    b"1000000000", b"-1", b"null", b"1e999", b"[]", b"[2]", b"{}", b"F16", b"BF16", b"F64", b"I64", b"\\u001b", b"true",
    b"NaN",
]  # fmt: skip


def _safetensors_cases(seed: bytes) -> Cases:
    """One value or word in the header for another, or anything anywhere."""
    length = struct.unpack("<Q", seed[:8])[0]
    header, body = seed[8 : 8 + length], seed[8 + length :]

    def case(rng: random.Random) -> bytes:
        kind = rng.random()
        if kind < 0.2:
            return mutate(seed, rng, [seed])
        if kind < 0.5:
            return seed[: 8 + length] + mutate(body, rng, [body])[: len(body)].ljust(len(body), b"\0")
        changed = header
        for _ in range(rng.choice((1, 1, 2))):
            begin = rng.randrange(len(changed))
            end = min((i for i in (changed.find(c, begin + 1) for c in b",]}:") if i > 0), default=len(changed))
            changed = changed[: begin + 1] + rng.choice(WORDS) + changed[end:]
        if rng.random() < 0.3:
            changed = mutate(header, rng, [header])
        return struct.pack("<Q", len(changed)) + changed + body

    return case


def weights(folder: Path) -> tuple[Cases, Callable]:
    def read(content: bytes) -> None:
        (folder / "w").write_bytes(content)
        load_model(folder / "w")

    return _safetensors_cases(WEIGHTS.read_bytes()), read


def states(folder: Path) -> tuple[Cases, Callable]:
    model, _ = load_model(WEIGHTS)
    optimizer, path = Adam(model.parameters()), folder / "s"
    save_state(path, model, optimizer, np.zeros(3), {"step": 1})

    def read(content: bytes) -> None:
        path.write_bytes(content)
        with suppress(UserError):
            read_state(path)
        # The checksum stops nearly every case before the code that follows.
        load_state(path, {EPOCH_SUMS: np.zeros(3), **read_arrays(path)}, model, optimizer)

    return _safetensors_cases(path.read_bytes()), read


def images(folder: Path) -> tuple[Cases, Callable]:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    images = [Image.fromarray(pixels), Image.fromarray(pixels[..., 0]), Image.fromarray(pixels).quantize(16)]
    images.append(Image.fromarray(np.dstack([pixels, pixels[..., :1]])))
    images.append(Image.fromarray(pixels[..., 0].astype(np.uint16) * 257))
    seeds = []
    for image in images:
        for name in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"):
            for settings in ({}, {"compression": "tiff_lzw"}, {"compression": "tiff_adobe_deflate"}):
                file = io.BytesIO()
                try:
                    image.save(file, name, **settings)
                except OSError:  # not every format has every mode
                    continue
                seeds.append(file.getvalue())
    seeds = list(dict.fromkeys(seeds))

    def case(rng: random.Random) -> bytes:
        content = mutate(rng.choice(seeds), rng, seeds)
        return _png_checksums(content) if rng.random() < 0.7 else content

    def read(content: bytes) -> None:
        (folder / "a").write_bytes(content)
        read_image_file(folder / "a", (4, 4))

    return case, read


def _png_checksums(content: bytes) -> bytes:
    """A PNG with the checksum of each chunk made right; anything else as it is."""
    data, at = bytearray(content), 8
    while content[:4] == b"\x89PNG" and at + 12 <= len(data):
        end = at + 8 + struct.unpack(">I", data[at : at + 4])[0]
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)


READERS = {"records": records, "pickles": pickles, "tars": tars, "weights": weights, "states": states, "images": images}
