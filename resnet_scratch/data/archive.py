"""Files from a .tar.gz archive that may come from anybody: read in one pass, to the end, in bounded memory and time.

Reading to the end matters: the checksum of all that was unpacked is the last thing in the file.
"""

from __future__ import annotations

import gzip
import posixpath
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from .dataset import DataError

BLOCK = 512  # a tar file is a row of blocks: for each member a header, then its content, filled up to whole blocks
OTHER_BYTES = 2**20  # headers, padding, readme files: what an archive may hold besides the files that are wanted
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)
_KINDS = {
    tarfile.LNKTYPE: "a link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.DIRTYPE: "a folder",
    tarfile.FIFOTYPE: "a pipe",
}


def read_archive(path: Path, limits: Mapping[str, int]) -> dict[str, bytes]:
    """The contents of the members that `limits` names, as far as the archive has them; a limit is in bytes.

    Raises DataError for an archive that is damaged, holds something other than a plain file under such a name, or
    unpacks to more than the limits allow.
    """
    try:
        with gzip.open(path) as stream:
            return _read_members(_Bounded(stream, path, sum(limits.values()) + OTHER_BYTES), path, limits)
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path} is not a complete .tar.gz archive ({error})") from None


class _Bounded:
    """A stream that ends in an error after `limit` bytes: a small archive can unpack to terabytes."""

    def __init__(self, stream: gzip.GzipFile, path: Path, limit: int) -> None:
        self.stream, self.path, self.limit, self.left = stream, path, limit, limit

    def read(self, size: int) -> bytes:
        """At most `size` bytes; fewer only at the end of the stream."""
        self.left -= size
        if self.left < 0:
            raise DataError(f"{self.path} unpacks to more than {self.limit:,} bytes, so it is another archive")
        return self.stream.read(size)

    def read_exactly(self, size: int) -> bytes:
        content = self.read(size)
        if len(content) < size:
            raise EOFError("the end is missing")
        return content

    def skip(self, size: int) -> None:
        while size > 0:
            size -= len(self.read_exactly(min(size, 2**20)))


def _read_members(stream: _Bounded, path: Path, limits: Mapping[str, int]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    while any(header := stream.read_exactly(BLOCK)):  # a block of zeros ends the archive
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")  # the header's own checksum is tested
        if member.size < 0:
            raise tarfile.ReadError(f"{member.name} has the size {member.size}")
        name = posixpath.normpath(member.name)
        if name in limits:
            if member.type not in _FILE_TYPES:
                raise DataError(f"{path}: {name} must be a file, got {_KINDS.get(member.type, 'something else')}")
            if member.size > limits[name]:
                raise DataError(f"{path}: {name} must have at most {limits[name]:,} bytes, got {member.size:,}")
            contents[name] = stream.read_exactly(member.size)
        else:
            stream.skip(member.size)
        stream.skip(-member.size % BLOCK)
    while stream.read(2**14):  # the rest is padding
        pass
    return contents
