"""Files that are always whole, and a folder that only one run writes to.

Where several processes share a run, only the first of them writes, and locks the folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ..compute.locks import lock
from ..compute.processes import is_first_process
from ..errors import UserError

LOCK_FILE = ".lock"


class FolderInUse(UserError):
    """Another run is writing to the folder."""


def atomic_write(path: str | Path, content: bytes) -> None:
    """Write a file so that its name always stands for the whole old content or the whole new content.

    Raises OSError, which names the file, when that is not possible: on a full disk, say. The old content is then kept.
    """
    if not is_first_process():
        return
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(unfinished, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # otherwise a power cut could leave the new name with none of the content
        os.replace(unfinished, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):  # it has its new name, or could not be made
            unfinished.unlink()


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove what `atomic_write` left in the folder when its process was killed while it wrote a file of these names.
    No other process may be writing there."""
    for name in names:
        for path in folder.glob(f".{name}.*.tmp"):
            if re.fullmatch(r"\d+\.tmp", path.name.removeprefix(f".{name}.")):
                path.unlink()


class FolderLock:
    """A folder that one run has for itself, from `acquire` to `release` or to the end of its process, however it ends.

    It is a lock of the operating system on an empty file, which stays in the folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file: int | None = None  # the descriptor of the locked file

    def acquire(self) -> None:
        """Lock the folder; nothing happens when this object has it already. Raises FolderInUse when another has it."""
        if self._file is not None or not is_first_process():
            return
        file = os.open(self.folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
        if not lock(file):
            os.close(file)
            raise FolderInUse(f"another run is writing to {self.folder}: wait for it to end, or choose another folder")
        self._file = file

    def release(self) -> None:
        """Release the lock; calling this twice is harmless."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    __del__ = release
