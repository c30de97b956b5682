"""What the user can put right: one base class, which the command line shows as one line without a traceback."""

from __future__ import annotations


class UserError(ValueError):
    """Something that the user chose, typed or handed over cannot work. The message names it, what it is and what is
    wanted."""
