"""Which network is this? Weights from elsewhere, recognised by the names and shapes of their arrays alone.

It knows torchvision's names (resnet18 to resnet152), and those of the common CIFAR repositories on github.com:
akamaster/pytorch_resnet_cifar10 (`linear` for `fc`, shortcuts of option A, which have no arrays, and `module.` before
every name), kuangliu/pytorch-cifar (`linear`, `shortcut` for `downsample`, four stages after a 3x3 convolution) and
chenyaofo/pytorch-cifar-models (torchvision's names, option B).

Two networks may have the same arrays. Then the usual one is taken: blocks with a shortcut, not plain ones; the last
ReLU after the addition, not before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import UserError
from .configs import CONFIGS, ResNetConfig

Shape = tuple[int, ...]
# By the first kernel's size; with the usual size of the images.
_STEMS = {3: ("cifar", 32), 4: ("patch", 32), 7: ("imagenet", 224)}


class UnknownNetworkError(UserError):
    """Arrays that belong to none of the networks that can be built here."""


def torchvision_names(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The same arrays under torchvision's names, without torch's counters of batches. Raises UnknownNetworkError where
    two would have the same name."""
    names = list(arrays)
    while names and all(name.startswith("module.") for name in names):  # torch's DataParallel puts it there
        arrays = {name.removeprefix("module."): array for name, array in arrays.items()}
        names = list(arrays)
    renamed = {re.sub(r"^linear\.", "fc.", name).replace(".shortcut.", ".downsample."): arrays[name] for name in names}
    if len(renamed) < len(arrays):
        raise UnknownNetworkError("two arrays would have the same name, such as linear.weight and fc.weight")
    return {name: array for name, array in renamed.items() if not name.endswith("num_batches_tracked")}


def recognise(shapes: Mapping[str, Shape]) -> ResNetConfig:
    """The configuration of the network whose arrays have these names (torchvision's) and shapes (torch's layout).

    Its size is bounded by that of the arrays: every block's 3x3 convolution is among them, with the right shape. That
    all arrays are there and fit is left to whoever fills the network. Raises UnknownNetworkError.
    """
    blocks = _count_blocks(shapes)
    bottleneck = "layer1.0.conv3.weight" in shapes
    widths = tuple((*shapes.get(f"layer{stage}.0.conv2.weight", ()), 0)[0] for stage in range(1, len(blocks) + 1))
    for stage, (width, count) in enumerate(zip(widths, blocks), start=1):
        for k in range(count):
            _demand(shapes, f"layer{stage}.{k}.conv2.weight", (width, width, 3, 3))
    kernel = (0, *shapes.get("conv1.weight", ()))[-1]
    if kernel not in _STEMS:
        raise UnknownNetworkError(
            f"conv1.weight must be a 3x3, a 4x4 or a 7x7 convolution, got {shapes.get('conv1.weight')}"
        )
    _demand(shapes, "conv1.weight", (widths[0], 3, kernel, kernel))
    channels = widths[-1] * (4 if bottleneck else 1)
    if "fc.weight" in shapes:
        _demand(shapes, "fc.weight", (*shapes["fc.weight"][:1], channels))
    norm_first = shapes.get("bn1.weight") == (channels,) != (widths[0],)
    block = "bottleneck" if bottleneck else "preact" if norm_first else "basic"
    shortcut = "B" if any(".downsample." in name for name in shapes) else "A"
    stem, size = _STEMS[kernel]
    depth = sum(blocks) * (3 if bottleneck else 2) + 2
    name = f"{'preact' if norm_first else 'resnet'}{depth}-{stem}-{widths[0]}-{shortcut}"
    return _known(ResNetConfig(name, block, blocks, widths, stem, shortcut, size))


def _count_blocks(shapes: Mapping[str, Shape]) -> tuple[int, ...]:
    """The number of blocks in each stage."""
    matches = [re.fullmatch(r"layer(\d{1,2})\.(\d{1,4})\.conv2\.weight", name) for name in shapes]
    found = sorted((int(match[1]), int(match[2])) for match in matches if match)
    stages = range(1, max((stage for stage, _ in found), default=0) + 1)
    blocks = tuple(1 + max((k for s, k in found if s == stage), default=0) for stage in stages)
    wanted = [(stage, k) for stage, count in zip(stages, blocks) for k in range(count)]
    if missing := sorted(set(wanted) - set(found)):
        raise UnknownNetworkError(
            f"layer{missing[0][0]}.{missing[0][1]}.conv2.weight is missing; a ResNet's stages are layer1, layer2, ..., "
            "and the blocks of each are 0, 1, ..."
        )
    if not found or found != wanted:
        raise UnknownNetworkError(
            f"these are not a ResNet's arrays, with names such as layer1.0.conv2.weight; got {_some(shapes)}"
        )
    return blocks


def _known(config: ResNetConfig) -> ResNetConfig:
    """The entry of the table that describes the same layers, or else `config` itself."""
    for known in CONFIGS.values():
        if replace(config, name=known.name, image_size=known.image_size) == known:
            return known
    return config


def _demand(shapes: Mapping[str, Shape], name: str, shape: Shape) -> None:
    if shapes.get(name) != shape or 0 in shape:
        raise UnknownNetworkError(f"{name} must have the shape {shape}, got {shapes.get(name)}")


def _some(shapes: Mapping[str, Shape]) -> str:
    names = list(shapes)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "none"
