"""What every layer is: parameters, a forward and a backward."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from numbers import Number
from typing import TYPE_CHECKING, Any

from ..checks import check_float_dtype, check_floats
from ..compute.backend import Array, resolve_device, to_device
from ..errors import UserError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import Self

Cache = Any  # what forward hands to backward; each layer says what is in it


class Buffer:
    """An array that belongs to a layer but is not learned, such as a running mean: float32 or float64, as checkpoints
    keep them. Raises ValueError for any other."""

    def __init__(self, value: Array) -> None:
        check_floats("value", value)
        self.value = value

    def map(self, function: Callable[[Array], Array]) -> None:
        """Replace the array by `function` of it (to move it to another device or dtype)."""
        self.value = function(self.value)

    def __repr__(self) -> str:
        """Its shape and dtype; `value` has the numbers."""
        return f"{type(self).__name__}({self.value.shape}, {self.value.dtype})"


class Parameter(Buffer):
    """An array that is learned. `grad` has the shape and dtype of `value`; None before the first backward."""

    def __init__(self, value: Array) -> None:
        super().__init__(value)
        self.grad: Array = None

    def map(self, function: Callable[[Array], Array]) -> None:
        super().map(function)
        self.grad = function(self.grad) if hasattr(self.grad, "dtype") else self.grad  # it may be a number by mistake


def check_images(x: Array, channels: int | str = "C") -> None:
    """Raises ValueError unless x is a batch of images (N, H, W, channels), float32 or float64."""
    check_floats("x", x, ("N", "H", "W", channels))


def check_gradient(grad_y: Array, output_shape: tuple[int, ...]) -> None:
    """Raises ValueError unless grad_y has the shape of the output: a wrong one would be broadcast, silently."""
    if getattr(grad_y, "shape", output_shape) != tuple(output_shape):
        raise ValueError(f"grad_y must have the shape of the output, {tuple(output_shape)}, got {grad_y.shape}")
    check_floats("grad_y", grad_y)


class MissingMethod(NotImplementedError):
    """A layer was used whose class lacks a method, or misspells its name."""


class Layer:
    """A function with a derivative that is written by hand.

    `forward` returns its output and a cache, everything that `backward` will need. The cache is handed back, not kept
    on the layer: it can be looked at, a layer can be used twice, and nothing stays alive by accident.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        """A class with a forward or backward of its own does not inherit the fast path of the one it overrides."""
        super().__init_subclass__(**keywords)
        for own, fast_path in (("forward", "__call__"), ("backward", "backward_to_parameters")):
            giver = next(base for base in cls.__mro__ if fast_path in vars(base))
            if own in vars(cls) and own in vars(giver) and giver is not cls:
                setattr(cls, fast_path, getattr(Layer, fast_path))

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Cache]:
        """The output for `x`, and the cache for `backward`. `training` matters to batch normalisation only."""
        raise MissingMethod(f"{type(self).__name__} has no method forward(x, training)")

    def backward(self, grad_y: Array, cache: Cache) -> Array:
        """The gradient with respect to the input, from that with respect to the output; sets each parameter's `grad`.

        `grad_y` is never changed in place: a residual addition passes the same array to two layers.
        """
        raise MissingMethod(f"{type(self).__name__} has no method backward(grad_y, cache)")

    def backward_to_parameters(self, grad_y: Array, cache: Cache) -> None:
        """As `backward`, where nobody needs the gradient with respect to the input: a network's first layer is fed with
        images, which training does not change. A layer that can save the work does so."""
        self.backward(grad_y, cache)

    def __call__(self, *inputs: Array) -> Array:
        """The output in evaluation mode, and nothing kept: inference. An addition has two inputs, other layers one."""
        return self.forward(*inputs, training=False)[0]  # type: ignore[misc]  # in order, then training

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """The multiply-adds of one image's forward pass, given the shape of its output without the batch axis: what
        papers count as the cost of a layer. 0 here, as for every layer whose few operations are not counted."""
        return 0

    def children(self) -> Iterator[tuple[str, Layer]]:
        """The layers held as attributes, with their names, in the order they were assigned."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Layer))

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """This layer and all below it, with dotted names such as `layer1.0.conv2`.

        Raises UserError for layers, or parameters, in a list, tuple or dict: they would have no name and go untrained.
        """
        yield prefix, self
        for name, value in vars(self).items():
            path = f"{prefix}.{name}" if prefix else name
            if isinstance(value, Layer):
                yield from value.named_layers(path)
            elif _is_container_of_layers(value):
                kind = type(value).__name__
                raise UserError(f"{path} must be a layer, got a {kind} of layers; use Sequential(*layers)")

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """All arrays of this layer and those below, learned or not, under torchvision's names (`bn1.running_mean`).

        Raises UserError when one occurs twice, because its layer does: `backward` overwrites its gradient, so the
        gradient of the other use would be lost. (A layer without arrays, such as ReLU, may be used twice.)
        """
        names: dict[Buffer, str] = {}
        for prefix, layer in self.named_layers():
            for name, value in vars(layer).items():
                if isinstance(value, Buffer):
                    path = f"{prefix}.{name}" if prefix else name
                    if value in names:
                        used = f"{names[value]} and {path} must be two arrays, got one"
                        raise UserError(f"{used}: backward would overwrite its gradient, so make two layers")
                    names[value] = path
                    yield path, value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The arrays that are learned, with their names."""
        return ((name, value) for name, value in self.named_buffers() if isinstance(value, Parameter))

    def parameters(self) -> list[Parameter]:
        """The arrays that are learned."""
        return [parameter for _, parameter in self.named_parameters()]

    def to(self, device: str) -> Self:
        """Move every array of this layer, and of those below, to `device` ("cpu", "cuda", "cuda:1" or "auto"); returns
        the layer itself. Raises DeviceError."""
        device = resolve_device(device)  # a wrong name is an error even where there is no array to move
        for _, buffer in self.named_buffers():
            buffer.map(lambda value: to_device(value, device))
        return self

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert every array of this layer, and of those below, to `dtype`, float32 or float64; returns the layer
        itself. Raises UserError for any other dtype."""
        check_float_dtype("dtype", dtype)
        for _, buffer in self.named_buffers():
            buffer.map(lambda value: value.astype(dtype))
        return self

    def __repr__(self) -> str:
        """The call that makes this layer, as far as its arguments are kept as attributes, and the layers below it by
        their names. Equal ones in a row are written once: `(1-8): 8 x BasicBlock(...)`."""
        arguments = ", ".join(self._arguments())
        if not any(self.children()):
            return f"{type(self).__name__}({arguments})"
        lines = [arguments] if arguments else []
        for text, group in groupby(self.children(), lambda child: repr(child[1])):
            first, *more = [name for name, _ in group]
            lines.append(f"({first}-{more[-1]}): {1 + len(more)} x {text}" if more else f"({first}): {text}")
        return "\n".join([f"{type(self).__name__}(", *(textwrap.indent(line, "  ") for line in lines), ")"])

    def _arguments(self) -> Iterator[str]:
        """`3`, `16`, `kernel_size=(3, 3)`: the arguments of the constructor that differ from their defaults."""
        named = False  # a number is written without its name, up to the first argument that is left out
        for name, parameter in inspect.signature(type(self)).parameters.items():
            value, default = getattr(self, name, self), parameter.default
            if isinstance(default, bool) and value is not self:
                value = value is not None and value is not False  # `bias` is kept as an array, or None
            if not isinstance(value, (Number, str, tuple, type(None))):  # also where it is not kept
                named = True
            elif value not in (default, (default, default)):
                named = named or not isinstance(value, Number) or default is not inspect.Parameter.empty
                yield f"{name}={value!r}" if named else repr(value)


@contextmanager
def restored(layer: Layer, gradients: bool = False) -> Iterator[None]:
    """After the `with` block, every array of the layer and of those below, learned or not (running averages), has its
    old values again. With `gradients`, so has every parameter's gradient."""
    before = [(buffer, "value", buffer.value) for _, buffer in layer.named_buffers()]
    if gradients:
        before += [(parameter, "grad", parameter.grad) for parameter in layer.parameters()]
    copies = [array.copy() if hasattr(array, "copy") else array for _, _, array in before]
    try:
        yield
    finally:
        for (buffer, attribute, array), old in zip(before, copies):
            with suppress(TypeError, ValueError):  # a gradient that is None, no array, or read-only: it is as it was
                array[...] = old  # in place: others may hold the same array
            setattr(buffer, attribute, array)


def _is_container_of_layers(value: Any) -> bool:
    """Whether a list, tuple or dict holds a layer or a parameter, however deep."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return any(isinstance(v, (Layer, Buffer)) or _is_container_of_layers(v) for v in values)
