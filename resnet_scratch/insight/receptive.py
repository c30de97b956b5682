"""How much of the image one number in the network depends on."""

from __future__ import annotations

from dataclasses import dataclass

from ..layers import AvgPool2d, Conv2d, MaxPool2d
from ..layers.layer import Layer


@dataclass(frozen=True)
class Field:
    """What one number of a layer's output depends on, along the height of the image, in pixels of the image."""

    name: str
    size: int  #: of the receptive field
    jump: int  #: the distance between the fields of two neighbours


def receptive_fields(model: Layer) -> list[Field]:
    """The receptive field after every convolution and pooling on the main path, in forward order.

    A kernel of size k with stride s, applied to numbers with a field of r pixels and a jump of j, gives numbers with a
    field of r + (k - 1) j pixels and a jump of s j. Shortcuts are left out: their field is smaller than the branch's.

    Source: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", section 2.
    """
    fields, size, jump = [], 1, 1
    for name, layer in model.named_layers():
        if isinstance(layer, (Conv2d, MaxPool2d, AvgPool2d)) and "downsample" not in name.split("."):
            size += (layer.kernel_size[0] - 1) * jump
            jump *= layer.stride[0]
            fields.append(Field(name, size, jump))
    return fields
