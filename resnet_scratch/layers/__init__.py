"""The layers: one operation per file, each with its forward and its backward; and what you need to write your own."""

from .activation import ReLU
from .batchnorm import BatchNorm2d
from .conv import Conv2d
from .layer import Layer, Parameter
from .linear import Flatten, Linear
from .pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from .residual import Add, SubsamplePad
from .sequential import Sequential

__all__ = [
    "Add", "AvgPool2d", "BatchNorm2d", "Conv2d", "Flatten", "GlobalAvgPool2d", "Layer", "Linear", "MaxPool2d",
    "Parameter", "ReLU", "Sequential", "SubsamplePad",
]  # fmt: skip
