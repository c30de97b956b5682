"""The same network in PyTorch, with the same weights: to compare results, speed and memory with. Needs torch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import UserError
from ..layers import (
    Add,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    SubsamplePad,
)
from ..layers.layer import Layer
from .resnet import ResNet
from .torch_layout import to_torch


def _conv(nn: Any, layer: Conv2d) -> Any:
    bias = layer.bias is not None
    return nn.Conv2d(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, bias=bias)


def _subsample_pad(nn: Any, layer: SubsamplePad) -> Any:
    from torch.nn.functional import pad

    step, before, after = layer.stride, layer.old_channels.start, layer.out_channels - layer.old_channels.stop
    return _module(lambda shortcut, x: pad(x[:, :, ::step, ::step], (0, 0, 0, 0, before, after)))


# What each layer is in PyTorch, with torch's initial weights: a function of torch.nn and the layer.
COUNTERPARTS: dict[type[Layer], Callable[[Any, Any], Any]] = {
    Add: lambda nn, layer: _module(lambda add, branch, shortcut: branch + shortcut),
    AvgPool2d: lambda nn, layer: nn.AvgPool2d(layer.kernel_size, layer.stride, layer.padding),
    BatchNorm2d: lambda nn, layer: nn.BatchNorm2d(layer.channels, layer.eps, layer.momentum),
    Conv2d: _conv,
    Flatten: lambda nn, layer: _module(lambda flatten, x: x.movedim(1, -1).flatten(1)),  # channels last, as here
    GlobalAvgPool2d: lambda nn, layer: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    Linear: lambda nn, layer: nn.Linear(layer.in_features, layer.out_features, layer.bias is not None),
    MaxPool2d: lambda nn, layer: nn.MaxPool2d(layer.kernel_size, layer.stride, layer.padding),
    ReLU: lambda nn, layer: nn.ReLU(),
    SubsamplePad: _subsample_pad,
}


def twin(model: ResNet) -> Any:
    """A torch.nn.Module, images (N, 3, H, W) -> logits (N, classes), that computes what `model` computes, eagerly, with
    torch.nn's own layers. (Batch norm over groups is not among them: in training, the twin normalises whole batches.)

    Raises ImportError, saying what to install, when torch is missing. Raises UserError for a layer that is neither one
    of the library's nor a formula over layers.
    """
    try:
        import torch
    except ImportError:
        raise ImportError("this needs PyTorch: pip install torch") from None
    module = _convert(model, "")
    state = {name: torch.from_numpy(to_torch(buffer.value)) for name, buffer in model.named_buffers()}
    module.load_state_dict({**module.state_dict(), **state}, strict=True)  # torch's own counters of batches stay
    return module


def _convert(layer: Layer, name: str) -> Any:
    """The layer of this name as one of torch's, with torch's initial weights."""
    from torch import nn

    if type(layer) in COUNTERPARTS:
        return COUNTERPARTS[type(layer)](nn, layer)
    formula = type(layer).__call__
    if formula is Layer.__call__:
        raise UserError(
            f"{name or 'model'} ({type(layer).__name__}) has no counterpart in PyTorch: add it to COUNTERPARTS in "
            "models/torch_twin.py, or write its __call__ as a formula over its layers"
        )
    children = OrderedDict((key, _convert(child, f"{name}.{key}" if name else key)) for key, child in layer.children())
    if formula is Sequential.__call__:
        return nn.Sequential(children)
    kind = nn.Sequential if isinstance(layer, Sequential) else nn.Module
    return _module(formula, children, kind)  # a block is a formula over its layers, ours or torch's


def _module(forward: Callable[..., Any], children: Mapping[str, Any] = {}, kind: Any = None) -> Any:
    """A torch.nn.Module, or one of another `kind`, with these modules as attributes, that computes
    forward(itself, *inputs)."""
    from torch import nn

    class Module(kind or nn.Module):  # type: ignore[misc]  # torch is optional, so its classes are Any
        def __init__(self) -> None:
            super().__init__()
            for name, child in children.items():
                self.add_module(name, child)

        def forward(self, *inputs: Any) -> Any:
            return forward(self, *inputs)

    return Module()
