"""Errors that the user can fix: one base class, whose message the command line shows without a traceback."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable


def printable(text: str) -> str:
    """`text` with control characters other than line breaks as escapes such as \\x1b: a name that comes from a file
    must not be able to move the terminal's cursor."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs") else repr(c)[1:-1] for c in text)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """ "; did you mean ...?" with those of `names` that are similar to `name`; "" where none is."""
    similar = difflib.get_close_matches(name, names, n=4, cutoff=0.4)
    return f"; did you mean {', '.join(similar)}?" if similar else ""


class UserError(ValueError):
    """Something that the user chose, typed or handed over cannot work. The message names it, what it is and what is
    wanted."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
