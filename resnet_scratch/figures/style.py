"""One style for all drawings. The colours can be told apart by colour-blind readers, and in grey.

Source: Okabe and Ito 2008, "Color Universal Design".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Style = TypeVar("Style")

BLUE, ORANGE, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
SKY, YELLOW, BLACK, GREY = "#56b4e9", "#e69f00", "#000000", "#999999"
FORWARD, BACKWARD, SHORTCUT = BLUE, ORANGE, GREEN  # arrows of the forward pass, of the backward pass, and shortcuts


def with_styles(name: str, items: Collection[Item], styles: Collection[Style]) -> Iterator[tuple[Item, Style]]:
    """Each of the items with a style of its own. Raises ValueError, which calls them by `name`, for more than there are
    styles: a drawing without some of its data would mislead."""
    if len(items) > len(styles):
        raise ValueError(f"{name} must be at most {len(styles)}, got {len(items)}")
    return zip(items, styles)
