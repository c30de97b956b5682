"""Every relative link of the tutorials, of their notebooks and of the repository's own pages leads to a file."""

import json
import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *sorted((ROOT / "tutorials").glob("[0-9]*.py")),
    *sorted((ROOT / "tutorials" / "notebooks").glob("*.ipynb")),
    ROOT / "tutorials" / "README.md",
    *sorted(ROOT.glob("*.md")),
]


def relative_links(path: Path) -> list[str]:
    """The targets of a page's Markdown links, without those to other sites and within the page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    if path.suffix == ".py":
        text = "\n".join(line[2:] for line in text.splitlines() if line.startswith("# "))
    return [target.partition("#")[0] for target in re.findall(r"\]\((?!https?:|#)([^)\s]+)\)", text)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_to_files(path):
    dead = [target for target in relative_links(path) if not (path.parent / target).exists()]
    assert not dead


def test_links_are_found_in_files_and_in_notebooks():
    assert relative_links(ROOT / "tutorials" / "00_start.py")[-1] == "01_convolution.py"
    assert relative_links(ROOT / "tutorials" / "notebooks" / "00_start.ipynb")[-1] == "01_convolution.ipynb"


def test_on_the_site_a_tutorial_leads_to_the_pages_that_are_there(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    links = import_module("links")
    text = "[results](../docs/results.md#cifar-10), [next](01_convolution.py), [the README](../README.md)"
    assert links.of_tutorial(text) == "[results](../results.md#cifar-10), [next](01_convolution.ipynb), the README"
    text = "[speed](../performance.md), [next](../../tutorials/01_convolution.py), [`a.py`](../../resnet_scratch/a.py)"
    here = "[speed](../performance.md), [next](../tutorials/01_convolution.ipynb), `a.py`"
    assert links.of_page(text, "../tutorials/") == here
    assert links.of_page("[a](howto.md), [b](../CONTRIBUTING.md)", "tutorials/") == "[a](howto.md), b"


def test_a_package_index_gets_links_that_lead_somewhere(monkeypatch):
    """setup.py makes them of README's, once setup.cfg names the address of the repository."""
    monkeypatch.setattr("setuptools.setup", lambda **_: None)
    for_an_index = runpy.run_path(str(ROOT / "setup.py"))["for_an_index"]
    page = "![a](x.png) [b](d.md#e) [c](https://f) [d](#g)"
    assert for_an_index(page, None) == "a b [c](https://f) [d](#g)"
    assert for_an_index(page, "U") == "![a](U/raw/main/x.png) [b](U/blob/main/d.md#e) [c](https://f) [d](#g)"
