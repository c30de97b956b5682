"""Adds what keyboard and screen reader users need, where the tools that make the pages leave it out."""

import re

EMPTY_HEADER = re.compile(r'<th class="head[^"]*"><p></p></th>')


def improve(app, page: str, template: str, context: dict, doctree) -> None:
    """Change a page's parts, in place: wide code and formulas can be scrolled with the keyboard, a heading in the
    navigation has a level, and a column without a name has no header."""
    if "body" in context:
        body = context["body"].replace("<pre>", '<pre tabindex="0">')
        body = body.replace('<div class="math-wrapper', '<div tabindex="0" class="math-wrapper')
        context["body"] = EMPTY_HEADER.sub("<td></td>", body)
    if "furo_navigation_tree" in context:
        tree = context["furo_navigation_tree"]
        context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app) -> dict:
    app.connect("html-page-context", improve, priority=900)  # after the theme
    return {"parallel_read_safe": True}
