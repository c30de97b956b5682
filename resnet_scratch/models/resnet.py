"""From a configuration to a network: stem, stages of blocks, pooling, classifier."""

from __future__ import annotations

import numpy as np

from ..checks import brief, check_instance, check_rng, check_whole
from ..errors import UserError
from ..layers import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Sequential
from ..layers.layer import Layer
from .blocks import BasicBlock, Block, Bottleneck, PlainBlock
from .configs import ResNetConfig, find
from .variants import PreActBlock, ReluBeforeAddBlock

BLOCKS: dict[str, type[Block]] = {  # by the name in a configuration; add one of your own
    "basic": BasicBlock,
    "relu_before_add": ReluBeforeAddBlock,
    "bottleneck": Bottleneck,
    "preact": PreActBlock,
    "plain": PlainBlock,
}

STEM_CONVOLUTIONS = {"cifar": (3, 1, 1), "patch": (4, 2, 1), "imagenet": (7, 2, 3)}  # kernel size, stride, padding


class ResNet(Sequential):
    """A residual network, images (N, H, W, 3) -> logits (N, classes): a row of named layers,

    conv1, bn1, relu, maxpool (imagenet stem only), layer1, layer2, ..., avgpool, fc

    where layer1, layer2, ... are the stages, each a row of blocks; all but the first begin with stride 2. Where the
    blocks begin with batch norm and ReLU (pre-activation), these two move from the stem to after the last block (He et
    al. 2016, appendix).
    """

    config: ResNetConfig
    classes: int

    def __init__(self, config: ResNetConfig, classes: int, rng: np.random.Generator) -> None:
        check_instance("config", config, ResNetConfig)
        check_whole("classes", classes)
        check_rng(rng)
        if config.block not in BLOCKS:
            raise UserError(
                f"block must be one of {', '.join(BLOCKS)}, got {brief(config.block)}; "
                "one of your own has to be added to models.resnet.BLOCKS first"
            )
        self.config, self.classes = config, classes
        block = BLOCKS[config.block]
        channels = config.widths[0]  # of the next layer's input
        layers: dict[str, Layer] = {}
        kernel_size, stride, padding = STEM_CONVOLUTIONS[config.stem]
        layers["conv1"] = Conv2d(3, channels, kernel_size, stride, padding, bias=False, rng=rng)
        if not block.norm_first:
            layers["bn1"], layers["relu"] = BatchNorm2d(channels), ReLU()
        if config.stem == "imagenet":
            layers["maxpool"] = MaxPool2d(3, stride=2, padding=1)
        for stage, (width, count) in enumerate(zip(config.widths, config.blocks), start=1):
            blocks = []
            for k in range(count):
                blocks.append(block(channels, width, 2 if k == 0 and stage > 1 else 1, config.shortcut, rng))
                channels = width * block.expansion
            layers[f"layer{stage}"] = Sequential(*blocks)
        if block.norm_first:
            layers["bn1"], layers["relu"] = BatchNorm2d(channels), ReLU()
        layers["avgpool"] = GlobalAvgPool2d()
        layers["fc"] = Linear(channels, classes, rng=rng)
        super().__init__(**layers)
        if config.zero_init:
            self._zero_last_scales()

    def _zero_last_scales(self) -> None:
        """Zero the scale of each block's last batch norm, so that training starts from the identity: Goyal et al. 2017,
        "Accurate, Large Minibatch SGD", section 5.1. Raises ValueError for blocks that have no such norm: a plain block
        would pass on nothing, and a pre-activation block ends in a convolution; and for a wrong name of it."""
        block = BLOCKS[self.config.block]
        if block.last_norm is None:
            raise ValueError(
                f"zero_init needs blocks that end in a batch norm beside a shortcut, got {self.config.block!r}"
            )
        for _, layer in self.named_layers():
            if isinstance(layer, block):
                norm = dict(layer.named_layers()).get(block.last_norm)
                if not isinstance(norm, BatchNorm2d):
                    what = f"a batch norm of the block {self.config.block!r}"
                    raise UserError(f"last_norm must name {what}, got {block.last_norm!r}")
                norm.weight.value[:] = 0


def build(name: str | ResNetConfig, classes: int = 10, *, rng: np.random.Generator) -> ResNet:
    """The network of that name, or of a configuration of your own, with weights drawn from `rng`.

    Raises ValueError for a name that does not exist (and suggests similar ones), or for classes below 1.
    """
    return ResNet(find(name) if isinstance(name, str) else name, classes, rng)
