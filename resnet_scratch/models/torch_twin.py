"""The same network in PyTorch, with the same weights: to compare results, speed and memory with. Needs torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from ..layers import Add, BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Sequential, SubsamplePad
from ..layers.layer import Layer
from .resnet import ResNet
from .torch_layout import to_torch


def twin(model: ResNet) -> Any:
    """A torch.nn.Module, images (N, 3, H, W) -> logits (N, classes), that computes what `model` computes, eagerly, with
    torch.nn's own layers and ReLU in place. Raises ImportError, saying what to install, when torch is missing."""
    try:
        import torch
    except ImportError:
        raise ImportError("this needs PyTorch: pip install torch") from None
    module = _convert(model)
    state = {name: torch.from_numpy(to_torch(buffer.value)) for name, buffer in model.named_buffers()}
    module.load_state_dict({**module.state_dict(), **state}, strict=True)  # torch's own counters of batches stay
    return module


def _convert(layer: Layer) -> Any:
    """One of our layers as one of torch's, with torch's initial weights."""
    from torch import nn
    from torch.nn.functional import pad

    if isinstance(layer, Conv2d):
        bias = layer.bias is not None
        return nn.Conv2d(
            layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, bias=bias
        )
    if isinstance(layer, BatchNorm2d):
        return nn.BatchNorm2d(layer.channels, layer.eps, layer.momentum)
    if isinstance(layer, ReLU):
        return nn.ReLU(inplace=True)
    if isinstance(layer, MaxPool2d):
        return nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding)
    if isinstance(layer, GlobalAvgPool2d):
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    if isinstance(layer, Linear):
        return nn.Linear(layer.in_features, layer.out_features, layer.bias is not None)
    if isinstance(layer, Add):
        return _module(lambda add, branch, shortcut: branch + shortcut)
    if isinstance(layer, SubsamplePad):
        step, before, after = layer.stride, layer.channels.start, layer.out_channels - layer.channels.stop
        return _module(lambda shortcut, x: pad(x[:, :, ::step, ::step], (0, 0, 0, 0, before, after)))
    children = OrderedDict((name, _convert(child)) for name, child in layer.children())
    if isinstance(layer, Sequential):
        return nn.Sequential(children)
    return _module(type(layer).__call__, children)  # a block is a formula over its layers, ours or torch's


def _module(forward: Callable[..., Any], children: Mapping[str, Any] = {}) -> Any:
    """A torch.nn.Module with these modules as attributes, that computes forward(itself, *inputs)."""
    from torch import nn

    class Module(nn.Module):  # type: ignore[misc]  # torch is optional, so its classes are Any
        def __init__(self) -> None:
            super().__init__()
            for name, child in children.items():
                self.add_module(name, child)

        def forward(self, *inputs: Any) -> Any:
            return forward(self, *inputs)

    return Module()
