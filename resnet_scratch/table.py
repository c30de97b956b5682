"""Text for a terminal: one printer for whatever the library reports row by row, lines that fit, commands to paste."""

from __future__ import annotations

import os
import shlex
import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

TERMINAL = 80  # characters in a line


def format_table(columns: Mapping[str, str], rows: Iterable[Sequence[Any]], total: Sequence[Any] | None = None) -> str:
    """The rows under their headings, with aligned columns; one line per row.

    `columns` maps each heading to the format of the numbers under it, such as ",d" or ".1f"; an empty format marks a
    column of text. Text is aligned to the left, numbers to the right. In any column a shape (2, 3) is printed as 2x3, a
    string as it is, and None as an empty cell. `total` is a last row, under a rule. Columns are two spaces apart, or
    one space where the table would not fit a terminal of 80 columns otherwise.

    Raises ValueError for a row that does not have one value per column.
    """
    formats = list(columns.values())
    table = [list(columns)]
    for row in [*rows, *([] if total is None else [total])]:
        table.append([_cell(value, spec) for value, spec in zip(row, formats, strict=True)])
    widths = [max(map(text_width, column)) for column in zip(*table)]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= TERMINAL else " "
    aligned = ["<" if spec == "" else ">" for spec in formats]
    lines = [gap.join(map(align, row, widths, aligned)).rstrip() for row in table]
    if total is not None:
        lines.insert(-1, "-" * max(map(text_width, lines)))
    return "\n".join(lines)


def text_width(text: str) -> int:
    """The columns of a terminal that `text` takes: a Chinese letter has two, an accent on the letter before it none."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def align(text: str, width: int, side: str = "<") -> str:
    """`text` filled with spaces to `width` columns; at the right end of them where `side` is ">"."""
    spaces = " " * (width - text_width(text))
    return spaces + text if side == ">" else text + spaces


def shorten(text: str, width: int) -> str:
    """`text`, or where that has more columns than `width`, its beginning and its end: either may tell names apart."""
    if text_width(text) <= width:
        return text
    before, after = text, text
    while text_width(before) > width // 2:
        before = before[:-1]
    while text_width(after) > (width - 1) // 2:
        after = after[1:]
    return f"{before}…{after}"


def wrap(text: str) -> str:
    """`text` broken at its spaces into lines of at most 80 columns; lines after the first are indented by two more.

    A word that is longer, such as a path, is left whole: it can still be copied.
    """
    indent = text[: len(text) - len(text.lstrip())]
    return textwrap.fill(
        text, TERMINAL, subsequent_indent=indent + "  ", break_long_words=False, break_on_hyphens=False
    )


def short_names(folders: Sequence[Path]) -> list[str]:
    """The folders' names without their paths; with their paths, where two have the same name."""
    names = [folder.resolve().name for folder in folders]
    return names if len(set(names)) == len(names) else list(map(str, folders))


def command_text(*words: Any) -> str:
    """A command to paste into a shell, quoted where needed, by the rules of Windows or of POSIX shells."""
    texts = list(map(str, words))
    if os.name != "nt":
        return shlex.join(texts)
    from subprocess import list2cmdline  # it imports a lot, and only Windows needs it

    return list2cmdline(texts)


def _cell(value: Any, spec: str) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return value if isinstance(value, str) else format(value, spec)
