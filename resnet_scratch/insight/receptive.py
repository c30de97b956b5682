"""How much of the picture one number in the network depends on."""

from __future__ import annotations

from dataclasses import dataclass

from ..layers import AvgPool2d, Conv2d, MaxPool2d
from ..layers.layer import Layer


@dataclass(frozen=True)
class Field:
    """What one number behind a layer can see along the height of the image, in pixels of the image."""

    name: str
    size: int  # of the receptive field
    jump: int  # how far apart the fields of two neighbours are


def receptive_fields(model: Layer) -> list[Field]:
    """The receptive field behind every convolution and pooling on the main path, in forward order.

    A kernel of k that moves by s, on numbers that see r pixels and lie j apart, makes numbers that see r + (k - 1) j
    pixels and lie s j apart. Shortcuts are left out: they see less than the branch beside them.

    Source: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", section 2.
    """
    fields, size, jump = [], 1, 1
    for name, layer in model.named_layers():
        if isinstance(layer, (Conv2d, MaxPool2d, AvgPool2d)) and "downsample" not in name.split("."):
            size += (layer.kernel_size[0] - 1) * jump
            jump *= layer.stride[0]
            fields.append(Field(name, size, jump))
    return fields
