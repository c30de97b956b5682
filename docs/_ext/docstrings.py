"""Docstrings of this library as Sphinx reads them: an indented block after an empty line is shown as it is.

The docstrings are written to be read in the source and by `help`, where a formula is an indented block. In
reStructuredText such a block would be a quotation, its lines run together.
"""

import re


def formulas(app, what, name, obj, options, lines: list[str]) -> None:
    """Put `::` before each indented block of the docstring's lines, in place."""
    out: list[str] = []
    inside = False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not inside and out and not out[-1].strip() and not _in_list(out):
            out += ["::", ""]
            inside = True
        elif line.strip() and not indented:
            inside = False
        out.append(line if inside else _escaped(line))
    lines[:] = out


def _in_list(lines: list[str]) -> bool:
    """Whether the last paragraph belongs to a list, whose items are indented too."""
    written = [line for line in lines if line.strip()]
    return bool(written) and bool(re.match(r"\s*(\*|-|\d+\.) ", written[-1]))


def _escaped(line: str) -> str:
    """Asterisks and trailing underscores outside of backticks are meant as they are, but for the bullet of a list."""
    head, *parts = re.split(r"(`[^`]*`)", line)
    parts = [head, *parts]
    bullet = re.match(r"\s*\* ", line)
    for k in range(0, len(parts), 2):
        text = parts[k]
        start = bullet.end() if k == 0 and bullet else 0
        text = text[:start] + text[start:].replace("*", r"\*").replace("|", r"\|")
        parts[k] = re.sub(r"(\w)_(?=\W|$)", r"\1\\_", text)
    return "".join(parts)


def setup(app) -> dict:
    app.connect("autodoc-process-docstring", formulas)
    return {"parallel_read_safe": True}
