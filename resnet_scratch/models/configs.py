"""The networks by name. A network is described by data: to add one, add a line to the table below."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..checks import brief, check_flag, check_instance, check_whole, without_numpy
from ..errors import UserError, did_you_mean

STEMS = ("cifar", "patch", "imagenet")
SHORTCUTS = ("A", "B")


@dataclass(frozen=True)
class ResNetConfig:
    """The architecture of a network, from which `build` makes the layers. Raises UserError for a value that is not
    allowed."""

    name: str
    block: str  #: "basic", "relu_before_add", "bottleneck", "preact", "plain", or one that you add to resnet.BLOCKS
    blocks: tuple[int, ...]  #: the number of blocks in each stage
    widths: tuple[int, ...]  #: the channels of each stage; a bottleneck's output has four times as many
    stem: str  #: "cifar": 3x3 convolution; "patch": 4x4, stride 2; "imagenet": 7x7, stride 2, then a max-pool, stride 2
    shortcut: str  #: where the shape changes: "A" (subsample, zero-pad) or "B" (1x1 convolution); "plain" has none
    image_size: int  #: the height and width in pixels of the images that it was designed for
    zero_init: bool = False  #: every block starts as the identity: the weight of its last batch norm is 0

    def __post_init__(self) -> None:
        without_numpy(self)
        for name in ("name", "block"):
            if not isinstance(value := getattr(self, name), str):
                raise UserError(f"{name} must be a string, got {type(value).__name__}")
        for name in ("blocks", "widths"):
            value = getattr(self, name)
            if not isinstance(value, tuple) or not value:
                raise UserError(f"{name} must be a tuple of whole numbers of at least 1, got {brief(value)}")
            for k, number in enumerate(value):
                check_whole(f"{name}[{k}]", number)
        if len(self.blocks) != len(self.widths):
            raise UserError(
                f"blocks and widths must have a number for each stage, got {len(self.blocks)} and {len(self.widths)}"
            )
        for name, choices in (("stem", STEMS), ("shortcut", SHORTCUTS)):
            if (value := getattr(self, name)) not in choices:
                raise UserError(f"{name} must be one of {', '.join(map(repr, choices))}, got {brief(value)}")
        check_whole("image_size", self.image_size)
        check_flag("zero_init", self.zero_init)


def _cifar(name: str, depth: int, block: str) -> ResNetConfig:
    """He et al. 2015, section 4.2: 6n + 2 layers, namely a convolution, three stages of 2n layers, and a classifier."""
    n = (depth - 2) // 6
    return ResNetConfig(name, block, (n, n, n), (16, 32, 64), "cifar", "A", 32)


def _imagenet(depth: int, block: str, blocks: tuple[int, ...]) -> ResNetConfig:
    """He et al. 2015, table 1."""
    return ResNetConfig(f"resnet{depth}", block, blocks, (64, 128, 256, 512), "imagenet", "B", 224)


# The small network of the article that this project began with. Its block has the last ReLU before the addition; the
# second entry has it after the addition, as in the paper.
_ARTICLE = ResNetConfig("article", "relu_before_add", (2, 2, 2), (64, 128, 256), "imagenet", "B", 32)

# It learns CIFAR-10 faster on a processor than ResNet-20: few layers, with twice the channels (Zagoruyko and Komodakis
# 2016, "Wide Residual Networks"), none of which works on more than 16x16 positions, because the stem takes patches.
_WIDE = replace(_cifar("resnet8-wide", 8, "basic"), widths=(32, 64, 128), stem="patch")

_CIFAR_DEPTHS = (8, 14, 20, 32, 44, 56, 110, 1202)

_CONFIGS = [
    *(_cifar(f"resnet{depth}", depth, "basic") for depth in _CIFAR_DEPTHS),
    *(_cifar(f"plain{depth}", depth, "plain") for depth in _CIFAR_DEPTHS),
    *(_cifar(f"preact{depth}", depth, "preact") for depth in _CIFAR_DEPTHS),
    _WIDE,
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
    """The configuration of this name. Raises UserError, which suggests similar names, if there is none."""
    check_instance("name", name, str)
    if name not in CONFIGS:
        raise UserError(f"there is no model {name!r}{did_you_mean(name, NAMES)}")
    return CONFIGS[name]
