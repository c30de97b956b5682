"""The metadata lives in setup.cfg, except README as a package index shows it, where relative links lead nowhere.

A link to a file leads to that file at the `url` of setup.cfg. While setup.cfg gives none, its text remains, of an image
its description.
"""

import configparser
import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent


def for_an_index(text: str, url: str | None) -> str:
    def link(match: re.Match[str]) -> str:
        image, words, path = match.groups()
        return f"{image}[{words}]({url}/{'raw' if image else 'blob'}/main/{path})" if url else words

    return re.sub(r"(!?)\[([^]]*)\]\((?!https?://|#)([^)]*)\)", link, text)


config = configparser.ConfigParser(interpolation=None)
config.read(ROOT / "setup.cfg", encoding="utf-8")
setup(long_description=for_an_index((ROOT / "README.md").read_text(encoding="utf-8"), config["metadata"].get("url")))
