"""Links that lead into the repository lead to the site's own pages, where there is one.

The pages in `docs/` and the tutorials are read in the repository too, where a link to a tutorial leads to its file.
"""

import re

TUTORIAL = re.compile(r"\]\((?:(?:\.\./)+tutorials/)?(\d\d_\w+)\.py\)")
PAGE = re.compile(r"\]\(\.\./docs/(\w+)\.md")
REPOSITORY = r"\[([^\]]*)\]\({way_out}(?!docs/\w+\.md)[^)]*\.(?:py|md)\)"


def of_page(text: str, folder: str) -> str:
    """A page's text for the site: a tutorial's file becomes its page, any other file of the repository just a name.

    `folder` is the way from the page to the tutorials.
    """
    text = TUTORIAL.sub(rf"]({folder}\1.ipynb)", text)
    text = text.replace("](../tutorials/README.md)", "](course.md)")
    way_out = r"\.\./" * (folder.count("../") + 1)
    return re.sub(REPOSITORY.format(way_out=way_out), r"\1", text)


def of_tutorial(text: str) -> str:
    """The text of one of a tutorial's cells for the site."""
    text = re.sub(REPOSITORY.format(way_out=r"\.\./"), r"\1", TUTORIAL.sub(r"](\1.ipynb)", text))
    return PAGE.sub(r"](../\1.md", text)


def _rewrite(app, page: str, source: list[str]) -> None:
    if not page.startswith("tutorials/"):  # their notebooks are written with links that suit
        source[0] = of_page(source[0], "../" * page.count("/") + "tutorials/")


def setup(app) -> dict:
    app.connect("source-read", _rewrite)
    return {"parallel_read_safe": True}
