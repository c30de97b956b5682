"""Names in figures: short enough to leave room, and in fonts that have their letters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..errors import printable
from ..table import shorten

FONTS = (  # Matplotlib's own; then those for Chinese, Japanese and Korean of Linux, Windows and macOS, where installed
    "DejaVu Sans",
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK TC", "Noto Sans CJK KR", "Noto Sans SC",
    "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback",
    "Microsoft YaHei", "SimHei", "SimSun", "Microsoft JhengHei", "Yu Gothic", "MS Gothic", "Malgun Gothic",
    "PingFang SC", "PingFang HK", "Hiragino Sans GB", "Hiragino Sans", "Heiti TC", "STHeiti", "Apple SD Gothic Neo",
    "Arial Unicode MS",
)  # fmt: skip


@contextmanager
def names_as_they_are() -> Iterator[None]:
    """Text as it is written: Matplotlib would take a class named `$a_{$` for mathematics, and has no Chinese font."""
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False, "font.family": _installed()}):
        yield


def labels(names: Sequence[str], width: int) -> list[str]:
    """The names as a figure shows them, each at most `width` letters wide, a Chinese one counting as two.

    A name with letters that no font has begins with its index instead, such as #3; a warning tells which letters.
    """
    from matplotlib import get_cachedir
    from matplotlib.font_manager import findfont, get_font

    names = [printable(name) for name in names]
    letters = {letter for name in names for letter in name if not letter.isspace()}
    for font in _installed():
        if letters:
            letters -= set(map(chr, get_font(findfont(font)).get_charmap()))
    if letters:
        some = " ".join(sorted(letters)[:8]) + (" ..." if len(letters) > 8 else "")
        warnings.warn(
            f"no font here has {some}: figures show numbers, from #0, for names with such letters. Install a "
            f"font that has them, such as Noto Sans CJK for Chinese, then delete fontlist-*.json in {get_cachedir()}",
            stacklevel=2,
        )
    shown = []
    for k, name in enumerate(names):
        rest = "".join(letter for letter in name if letter not in letters)
        shown.append(shorten(name if rest == name else f"#{k} {rest}".strip(), width))
    return shown


def _installed() -> list[str]:
    """Those of FONTS that are on this machine: Matplotlib logs each that it looks for in vain."""
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    return [name for name in FONTS if name in installed]
