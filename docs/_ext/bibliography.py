"""The works of bibliography.md, and where each is cited: the page says it, and a test compares the two.

A citation is authors and a year, as in "He et al. 2015" or "Ioffe and Szegedy (2015)". If a title follows in quotation
marks, it chooses among works of the same authors. Without one, the first work on the page that fits is meant. A whole
title in quotation marks is a citation by itself.
"""

import calendar
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).resolve().parent.parent
ROOT = DOCS.parent
PAGE = DOCS / "bibliography.md"

NAME = r"(?:[Vv]an (?:de[rn]? )?)?[A-Z][^\W\d_A-Z]\w*(?:-\w+)*"
CITATION = re.compile(
    rf"({NAME}(?:, {NAME})*(?:,? and {NAME}| et al\.)?),? \(?((?:1[89]|20)\d\d)\b" r'(?:\)?,? "([^"]+)")?'
)
ENTRY = re.compile(r"\* \*\*(.+?) (\d{4})\.\*\* \[(.+?)\]\(")
NOT_AUTHORS = {*calendar.month_name, "In", "Since"}


class Work(NamedTuple):
    """An entry of the page."""

    authors: str
    year: str
    title: str


@cache
def works() -> tuple[Work, ...]:
    """All entries, in the page's order. The page is read once, not for every file whose citations are looked up."""
    return tuple(Work(*found) for found in ENTRY.findall(_one_line(PAGE.read_text(encoding="utf-8"))))


def sources() -> list[Path]:
    """The files whose citations count: pages, the library's modules, tutorials, and measurements."""
    pages = [path for path in DOCS.glob("*.md") if path != PAGE] + [*DOCS.glob("[a-z]*/*.md")]
    code = ("resnet_scratch/**/*.py", "tutorials/[0-9]*.py", "benchmarks/*.py")
    return sorted(pages) + [path for pattern in code for path in sorted(ROOT.glob(pattern))]


def citations(path: Path) -> Iterator[tuple[str, Work | None]]:
    """(what is written, the work that it means or None) for each citation in a file."""
    text, known = _one_line(path.read_text(encoding="utf-8")), works()
    for found in CITATION.finditer(text):
        if found[1] not in NOT_AUTHORS:
            yield found[0], next((work for work in known if _means(*found.groups(), work)), None)
    yield from ((work.title, work) for work in known if f'"{work.title}"' in text)


def _means(authors: str, year: str, title: str | None, work: Work) -> bool:
    """Whether a citation's authors, and its title or else its year, are those of the work.

    The name before the authors may be the end of an earlier clause, "Before ResNets, Srivastava, Greff and ...".
    """
    cited, names = _names(authors), _names(work.authors)
    of_them = cited == names[:1] if authors.endswith("et al.") else names in (cited, cited[1:])
    return of_them and (title.strip(".,:").lower() in work.title.lower() if title else year == work.year)


def _names(authors: str) -> list[str]:
    return re.findall(NAME, authors.replace("Van ", "van "))


def _one_line(text: str) -> str:
    """A text without its line breaks and, in a comment, the signs that begin its lines."""
    return re.sub(r"\s+(?:#\s+)?", " ", text)


def _link(path: Path) -> str:
    """A link, in MyST, to the page on which a reader finds a source's citation."""
    if path.is_relative_to(DOCS):
        return f"[]({path.relative_to(DOCS).as_posix()})"
    if path.is_relative_to(ROOT / "benchmarks"):
        return f"`benchmarks/{path.name}`"
    stem = path.stem.removeprefix("ch")  # a task's module is named as its tutorial
    if (ROOT / "tutorials" / f"{stem}.py").exists():
        return f"[tutorial {stem[:2]}](tutorials/{stem}.ipynb)"
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return f"{{py:mod}}`{module.removeprefix('resnet_scratch.')} <{module}>`"


def _say_where(app, page: str, source: list[str]) -> None:
    """Add to each entry of the page the links to where it is cited."""
    if page != "bibliography":
        return
    where: dict[Work, dict[str, None]] = {work: {} for work in works()}  # a dict for a set in order
    for path in sources():
        for _, work in citations(path):
            if work:
                where[work][_link(path)] = None
    entries = re.split(r"\n(?=\* )", source[0])
    for k, work in enumerate(where, start=1):
        entries[k] = f"{entries[k].rstrip()} *Cited in:* {', '.join(where[work])}"
    source[0] = "\n".join(entries)


def setup(app) -> dict:
    app.connect("source-read", _say_where)
    app.connect("env-get-outdated", lambda *_: ["bibliography"])  # what it shows depends on all other files
    return {"parallel_read_safe": True}
