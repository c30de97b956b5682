"""What the user can put right: one base class, whose message the command line shows without a traceback."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    """`text` with control characters other than line breaks as escapes such as \\x1b: a name that comes from a file
    must not be able to move the terminal's cursor."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cs") else repr(c)[1:-1] for c in text)


class UserError(ValueError):
    """Something that the user chose, typed or handed over cannot work. The message names it, what it is and what is
    wanted."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
