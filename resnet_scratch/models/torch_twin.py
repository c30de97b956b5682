"""The same network in PyTorch, with the same weights: to compare results, speed and memory with. Needs torch."""

from __future__ import annotations

from collections import OrderedDict

from ..layers import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Sequential, SubsamplePad
from ..layers.layer import Layer
from . import ResNet
from .blocks import BasicBlock, Bottleneck, ReluBeforeAddBlock
from .preact import PreActBlock
from .torch_layout import to_torch


def twin(model: ResNet):
    """A torch.nn.Module, images (N, 3, H, W) -> logits, computing what `model` computes, eagerly, in the common way:
    torch.nn's own layers, ReLU in place. Raises ImportError with what to do when torch is not installed."""
    try:
        import torch
    except ImportError:
        raise ImportError("this needs PyTorch: pip install torch") from None
    module = _convert(model)
    state = {name: torch.from_numpy(to_torch(buffer.value)) for name, buffer in model.named_buffers()}
    module.load_state_dict({**module.state_dict(), **state}, strict=True)  # torch's own counters of batches stay
    return module


def _convert(layer: Layer):
    """One of our layers as one of torch's, with torch's initial weights."""
    from torch import nn

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
    if isinstance(layer, SubsamplePad):
        return _subsample_pad(layer)
    children = OrderedDict((name, _convert(child)) for name, child in layer.children() if type(child).__name__ != "Add")
    if isinstance(layer, Sequential):
        return nn.Sequential(children)
    return _block(type(layer), children)


def _subsample_pad(layer: SubsamplePad):
    from torch import nn
    from torch.nn.functional import pad

    class SubsamplePadModule(nn.Module):
        def forward(self, x):
            stop = layer.out_channels - layer.channels.stop
            return pad(x[:, :, :: layer.stride, :: layer.stride], (0, 0, 0, 0, layer.channels.start, stop))

    return SubsamplePadModule()


_FORWARDS = {
    BasicBlock: lambda b, x: b.relu2(b.bn2(b.conv2(b.relu1(b.bn1(b.conv1(x))))) + b.downsample(x)),
    ReluBeforeAddBlock: lambda b, x: b.relu2(b.bn2(b.conv2(b.relu1(b.bn1(b.conv1(x)))))) + b.downsample(x),
    Bottleneck: lambda b, x: b.relu3(
        b.bn3(b.conv3(b.relu2(b.bn2(b.conv2(b.relu1(b.bn1(b.conv1(x)))))))) + b.downsample(x)
    ),
    PreActBlock: lambda b, x: b.conv2(b.relu2(b.bn2(b.conv1(b.relu1(b.bn1(x)))))) + b.downsample(x),
}


def _block(kind: type, children: OrderedDict):
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, child in children.items():
                self.add_module(name, child)

        def forward(self, x):
            return _FORWARDS[kind](self, x)

    return Block()
