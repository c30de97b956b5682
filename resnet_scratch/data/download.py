"""A large file from the first of several servers that has it; an interrupted download resumes where it stopped."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ..compute.locks import locked
from .dataset import DataError

TIMEOUT = 30  # seconds without a word from a server, after which the next one is tried


def download(urls: Sequence[str], folder: Path, name: str, size: int, md5: str) -> Path:
    """The path of the file `name` in `folder`, from the first of `urls` that delivers `size` bytes with this MD5.

    Raises DataError, which lists what went wrong with each. What has arrived is kept for the next attempt. One process
    downloads at a time, while others wait for its file.
    """
    import pooch

    def resume(url: str, output_file: str, _pooch: object) -> None:
        _resume(url, folder / f"{name}.part", size)
        os.replace(folder / f"{name}.part", output_file)  # if it is the wrong one, pooch removes it there

    pooch.get_logger().setLevel("WARNING")  # it announces each attempt; `_resume` says so where there is an answer
    problems: dict[str, list[str]] = {}  # servers by what went wrong
    for url in urls:
        try:
            with locked(folder / f"{name}.lock"):  # if another process is downloading it, the file is there afterwards
                return Path(pooch.retrieve(url, f"md5:{md5}", name, folder, downloader=resume))
        except Exception as error:  # no network, a full disk, a wrong checksum: another server may do better
            problems.setdefault(_reason(error), []).append(urlsplit(url).netloc)
    told = "; ".join(f"{', '.join(servers)}: {reason}" for reason, servers in problems.items())
    raise DataError(f"{name} could not be downloaded ({told})")


def _reason(error: Exception) -> str:
    """What went wrong, in a few words: the libraries below tell it once for each of their layers."""
    from requests import exceptions

    if isinstance(error, exceptions.HTTPError) and error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    if isinstance(error, ValueError) and (got := re.search(r"but got (?:md5:)?([0-9a-f]{32})", str(error))):
        return f"it has another file of this name, with the MD5 {got[1]}"
    reasons = {
        exceptions.SSLError: "its certificate cannot be verified",
        exceptions.ProxyError: "no connection through the proxy",
        exceptions.Timeout: f"no answer within {TIMEOUT} seconds",
        exceptions.ConnectionError: "no connection",
        exceptions.ChunkedEncodingError: "the connection broke off",
    }
    for kind, reason in reasons.items():
        if isinstance(error, kind):
            return reason
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _resume(url: str, part: Path, size: int) -> None:
    """Append to `part` what it lacks of the `size` bytes at `url`."""
    import requests
    from tqdm import tqdm

    with open(part, "ab") as file:
        if file.tell() >= size:
            return
        # "identity": the bytes as they are in the file, not unpacked on the way
        headers = {"Range": f"bytes={file.tell()}-", "Accept-Encoding": "identity"}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            response.raise_for_status()
            print(f"Downloading {part.stem} ({size / 1e6:.0f} MB) from {urlsplit(url).netloc}", file=sys.stderr)
            if response.status_code != requests.codes.partial_content:
                file.truncate(0)  # the server sends it from the beginning
                file.seek(0)
            with tqdm(total=size, initial=file.tell(), unit="B", unit_scale=True, disable=None) as bar:
                for chunk in response.iter_content(2**16):
                    bar.update(file.write(chunk))
                    if file.tell() > size:
                        file.truncate(0)
                        raise OSError(f"the server sends more than the {size:,} bytes of the file")
        if file.tell() < size:
            raise OSError(f"the server stopped after {file.tell():,} of the {size:,} bytes")
