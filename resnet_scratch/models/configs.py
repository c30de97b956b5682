"""The networks, by name. A configuration is data: to make another network, write another line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ResNetConfig:
    """What distinguishes one network from another."""

    name: str
    block: str  # "basic", "relu_before_add", "bottleneck", "preact" or "plain"
    blocks: tuple[int, ...]  # how many blocks each stage has
    widths: tuple[int, ...]  # channels of each stage, before a bottleneck's expansion
    stem: str  # "cifar": a 3x3 convolution; "imagenet": 7x7 with stride 2, and a 3x3 max-pool with stride 2
    shortcut: str  # where shapes change: "A" (subsample and pad) or "B" (1x1 convolution); unused by "plain"
    image_size: int  # height and width of the images it was designed for
    zero_init: bool = False  # begin with every block the identity: its last batch norm scales by 0


def _cifar(name: str, depth: int, block: str) -> ResNetConfig:
    """He et al. 2015, section 4.2: 6n + 2 layers, the first, 2n for each of three stages, and the classifier."""
    n = (depth - 2) // 6
    return ResNetConfig(name, block, (n, n, n), (16, 32, 64), "cifar", "A", 32)


def _imagenet(depth: int, block: str, blocks: tuple[int, ...]) -> ResNetConfig:
    """He et al. 2015, table 1."""
    return ResNetConfig(f"resnet{depth}", block, blocks, (64, 128, 256, 512), "imagenet", "B", 224)


# The small network of the article this project grew from; its block in both orders of the last ReLU and the addition.
_ARTICLE = ResNetConfig("article", "relu_before_add", (2, 2, 2), (64, 128, 256), "imagenet", "B", 32)

_CIFAR_DEPTHS = (8, 14, 20, 32, 44, 56, 110, 1202)

_CONFIGS = [
    *(_cifar(f"resnet{depth}", depth, "basic") for depth in _CIFAR_DEPTHS),
    *(_cifar(f"plain{depth}", depth, "plain") for depth in _CIFAR_DEPTHS),
    *(_cifar(f"preact{depth}", depth, "preact") for depth in _CIFAR_DEPTHS),
    _imagenet(18, "basic", (2, 2, 2, 2)),
    _imagenet(34, "basic", (3, 4, 6, 3)),
    _imagenet(50, "bottleneck", (3, 4, 6, 3)),
    _imagenet(101, "bottleneck", (3, 4, 23, 3)),
    _imagenet(152, "bottleneck", (3, 8, 36, 3)),
    _ARTICLE,
    replace(_ARTICLE, name="article-relu-after-add", block="basic"),
]

CONFIGS: dict[str, ResNetConfig] = {config.name: config for config in _CONFIGS}
NAMES: tuple[str, ...] = tuple(CONFIGS)


def find(name: str) -> ResNetConfig:
    """The configuration of that name. Raises ValueError, with names that are near, when there is none."""
    if name not in CONFIGS:
        near = difflib.get_close_matches(name, NAMES, n=4, cutoff=0.4)
        raise ValueError(f"there is no model {name!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    return CONFIGS[name]
