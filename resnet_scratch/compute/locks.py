"""The operating system's locks between processes: each is released when its process ends, however it ends.

Where there are no such locks (in a browser; on some network drives) nothing is locked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.2  # between two checks whether a lock is free


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one caller at a time is inside `locked(path)`: others wait. The file, which is empty, stays. Where it
    cannot be made, nothing is locked: nobody can write in its folder."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError:
        yield
        return
    try:
        while not lock(file):
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(file)


def lock(file: int) -> bool:
    """Lock an open file, given by its descriptor, until it is closed. False when somebody else has locked it."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return _lock_on_windows(file)
    except BlockingIOError:
        return False
    except OSError:
        pass  # this file system has no locks
    return True


def _lock_on_windows(file: int) -> bool:
    try:
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # types are checked as on Linux
    except ImportError:
        pass  # a browser, where there is only one process
    except OSError:
        return False
    return True
