"""Docstrings of this library as Sphinx reads them: an indented block after an empty line is shown as it is.

The docstrings are written to be read in the source and by `help`, where a formula is an indented block. In
reStructuredText such a block would be a quotation, its lines run together.

An incomplete docstring is a warning, and so an error. Every public name has one, with a summary of its own, and it
names each kind of error that the function raises itself.
"""

import ast
import inspect
import re
import textwrap

from numpydoc.validate import validate
from sphinx.util.logging import getLogger

CHECKS = {"GL03", "SS01", "SS04"}  # numpydoc's: empty lines, no summary, an indented summary
KINDS = {"class", "exception", "function", "method", "property"}


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


def check(app, what, name, obj, options, lines: list[str]) -> None:
    """Warn of what the docstring lacks."""
    module = getattr(getattr(obj, "fget", obj), "__module__", None) or ""
    if what in KINDS and module.startswith("resnet_scratch") and (problem := _incomplete(what, name, obj, lines)):
        getLogger(__name__).warning("%s: %s", name, problem, type="docstring")


def aliases(app, what, name, obj, options, signature: str | None, returns: str | None) -> tuple[str | None, str | None]:
    """A signature in which a type such as `Array` has its name also where it is within another, as in a tuple."""
    reference = re.compile(r"TypeAliasForwardRef\('(\w+)'\)")
    return signature and reference.sub(r"\1", signature), returns and reference.sub(r"\1", returns)


def _incomplete(what: str, name: str, obj, lines: list[str]) -> str:
    if not any(line.strip() for line in lines):
        return "no docstring"
    if problems := [text for code, text in validate(name)["errors"] if code in CHECKS]:
        return problems[0]
    for error in _raised(obj) if what in ("function", "method") else ():
        if error not in "\n".join(lines):
            return f"raises {error}, and does not say so"
    return ""


def _raised(function) -> set[str]:
    """The names of the exceptions that the function's own code raises."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    names = {exc.func.id for exc in raised if isinstance(exc, ast.Call) and isinstance(exc.func, ast.Name)}
    return names - {"NotImplementedError", "MissingMethod"}  # an abstract method's, which nobody is to see


def _in_list(lines: list[str]) -> bool:
    """Whether the last paragraph belongs to a list, whose items are indented too."""
    written = [line for line in lines if line.strip()]
    return bool(written) and bool(re.match(r"\s*(\*|-|\d+\.) ", written[-1]))


def _escaped(line: str) -> str:
    """Asterisks and trailing underscores outside of backticks are literal, except for the bullet of a list."""
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
    app.connect("autodoc-process-docstring", check, priority=400)  # before `formulas` changes the lines
    app.connect("autodoc-process-docstring", formulas)
    app.connect("autodoc-process-signature", aliases)
    return {"parallel_read_safe": True}
