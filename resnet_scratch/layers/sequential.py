"""One layer after another."""

from __future__ import annotations

import operator
from collections.abc import Iterator

from ..checks import check_instance
from ..compute.backend import Array
from ..errors import UserError
from .layer import Layer


class Sequential(Layer):
    """Layers in a row, each fed with the output of the one before. Without layers it is the identity.

    `Sequential(a, b)` names them "0" and "1", as PyTorch does; `Sequential(conv1=a, bn1=b)` gives them these names.
    `row[0]` is the first and `row[-1]` the last, `len(row)` is their number, and `for layer in row` goes through them.
    Raises TypeError for what is not a layer, such as a list of layers, and UserError for a name that is not allowed and
    when a layer with parameters occurs twice.
    """

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        for name, layer in [*((str(k), layer) for k, layer in enumerate(layers)), *named.items()]:
            check_instance(f"layer {name!r}", layer, Layer, "a list of layers is given as Sequential(*layers)")
            if "." in name or hasattr(self, name):
                raise UserError(f"a layer's name must have no dot and be unused in {type(self).__name__}, got {name!r}")
            setattr(self, name, layer)
        list(self.named_buffers())  # raises when one is there twice

    def __iter__(self) -> Iterator[Layer]:
        return (layer for _, layer in self.children())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int) -> Layer:
        return list(self)[operator.index(index)]  # no slice: its layers would have other names

    def forward(self, x: Array, training: bool = False) -> tuple[Array, list]:
        """x -> the last layer's output. The cache is the list of the layers' caches."""
        caches = []
        for layer in self:
            x, cache = layer.forward(x, training)
            caches.append(cache)
        return x, caches

    def backward(self, grad_y: Array, caches: list) -> Array:
        """grad_y -> grad_x, by the chain rule: from the last layer to the first."""
        for layer, cache in zip(reversed(list(self)), reversed(caches), strict=True):
            grad_y = layer.backward(grad_y, cache)
        return grad_y

    def backward_to_parameters(self, grad_y: Array, caches: list) -> None:
        """As `backward`, but the first layer computes the gradients of its parameters only."""
        layers = list(self)
        for layer, cache in zip(reversed(layers[1:]), reversed(caches[1:]), strict=True):
            grad_y = layer.backward(grad_y, cache)
        if layers:
            layers[0].backward_to_parameters(grad_y, caches[0])

    def __call__(self, x: Array) -> Array:
        """Inference: each layer's cache is dropped before the next layer runs."""
        for layer in self:
            x = layer(x)
        return x
