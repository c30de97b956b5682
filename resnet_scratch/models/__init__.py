"""Residual networks: the blocks, the networks made of them, and a table of named configurations."""

from .configs import CONFIGS, NAMES, ResNetConfig
from .resnet import ResNet, build

__all__ = ["CONFIGS", "NAMES", "ResNet", "ResNetConfig", "build"]
