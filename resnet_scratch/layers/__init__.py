"""The layers: one operation per file, each with its forward and its backward."""

from .activation import ReLU
from .batchnorm import BatchNorm2d
from .conv import Conv2d
from .linear import Flatten, Linear
from .pooling import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from .residual import Add, SubsamplePad
from .sequential import Sequential

__all__ = [
    "Add", "AvgPool2d", "BatchNorm2d", "Conv2d", "Flatten", "GlobalAvgPool2d", "Linear", "MaxPool2d", "ReLU",
    "Sequential", "SubsamplePad",
]  # fmt: skip
