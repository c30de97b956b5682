"""What passes through the layers of a network: everything that measures or looks inside is built on this."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compute.backend import Array, array_module
from ..layers import Sequential
from ..layers.layer import Layer

METHODS = ("forward", "backward", "backward_to_parameters")


@dataclass(frozen=True)
class Event:
    """One call of one layer's forward or backward.

    forward: `inputs` are (x,), or (branch, shortcut) for an addition; `outputs` are (y,).
    backward: `inputs` are (grad_y,); `outputs` are the gradients with respect to the layer's inputs, one for each, and
    none for a `backward_to_parameters`, with which a training step's backward pass ends.
    """

    name: str  #: dotted, such as layer1.0.conv2; relu#2 at the layer's second use
    layer: Layer
    direction: str  #: "forward" or "backward"
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]
    cache: Any  #: that forward returned, or that backward was given
    seconds: float  #: that the call took, until the device had finished


@contextmanager
def observe(model: Layer, observer: Callable[[Event], None]) -> Iterator[None]:
    """Within the `with` block, call `observer(event)` after every forward and backward of every layer of `model`.

        with observe(model, lambda event: print(event.name, event.direction, event.outputs[0].shape)):
            model.forward(images, training=True)

    Layers that are made of other layers (blocks, Sequentials) are not reported: their parts are. An empty `Sequential`,
    the identity, is not reported either.

    A layer, such as one ReLU for all, may be used again before its backward: a use after the first is reported with its
    number, as `relu#2`, under the first name that the layer has. Its backwards come in the opposite order.
    """
    leaves: dict[int, tuple[str, Layer]] = {}
    for name, layer in model.named_layers():
        if not any(layer.children()) and not isinstance(layer, Sequential):
            leaves.setdefault(id(layer), (name, layer))
    before = [(layer, {k: v for k, v in vars(layer).items() if k in METHODS}) for _, layer in leaves.values()]
    try:
        for name, layer in leaves.values():
            _replace_methods(name, layer, observer)
        yield
    finally:
        for layer, methods in before:
            for method in METHODS:
                vars(layer).pop(method, None)  # an attribute of this one object hides its class's method: remove it
            vars(layer).update(methods)


def _replace_methods(name: str, layer: Layer, observer: Callable[[Event], None]) -> None:
    """Give this one object methods that call the ones it has, and then the observer."""
    forward, uses = layer.forward, 0  # the uses whose backward is still to come

    def report(direction: str, *what: Any) -> None:
        observer(Event(f"{name}#{uses}" if uses > 1 else name, layer, direction, *what))

    def observed_forward(*arguments: Any, **keywords: Any) -> tuple[Array, Any]:
        nonlocal uses
        _wait_for(arguments[0])  # what came before is not this layer's time
        start = time.perf_counter()
        y, cache = forward(*arguments, **keywords)
        _wait_for(y)
        seconds = time.perf_counter() - start
        inputs = tuple(argument for argument in arguments if not isinstance(argument, bool))  # without `training`
        uses += 1
        report("forward", inputs, (y,), cache, seconds)
        return y, cache

    def observed(backward: Callable[[Array, Any], Any]) -> Callable[[Array, Any], Any]:
        def observed_backward(grad_y: Array, cache: Any) -> Any:
            nonlocal uses
            _wait_for(grad_y)
            start = time.perf_counter()
            grad_x = backward(grad_y, cache)
            _wait_for(grad_y)
            seconds = time.perf_counter() - start
            outputs = () if grad_x is None else grad_x if isinstance(grad_x, tuple) else (grad_x,)
            report("backward", (grad_y,), outputs, cache, seconds)
            uses = max(0, uses - 1)
            return grad_x

        return observed_backward

    methods = {"forward": observed_forward, "backward": observed(layer.backward)}
    if type(layer).backward_to_parameters is not Layer.backward_to_parameters:  # that one calls `backward`
        methods["backward_to_parameters"] = observed(layer.backward_to_parameters)
    vars(layer).update(methods)


def _wait_for(array: Array) -> None:
    """Return when the array's device has computed it: a GPU returns from a call before it has finished."""
    if array_module(array) is not np:
        array.device.synchronize()
