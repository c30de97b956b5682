"""What every layer is: parameters, a forward and a backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..compute.backend import Array, resolve_device, to_device

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from typing_extensions import Self

Cache = Any  # what forward hands to backward; each layer says what is in it


class Buffer:
    """An array that belongs to a layer but is not learned, such as a running mean."""

    def __init__(self, value: Array) -> None:
        self.value = value

    def map(self, function: Callable[[Array], Array]) -> None:
        """Replace the array by `function` of it (to move it to another device or dtype)."""
        self.value = function(self.value)


class Parameter(Buffer):
    """An array that is learned. `grad` has the shape and dtype of `value`; None before the first backward."""

    def __init__(self, value: Array) -> None:
        super().__init__(value)
        self.grad: Array = None

    def map(self, function: Callable[[Array], Array]) -> None:
        super().map(function)
        self.grad = None if self.grad is None else function(self.grad)


def check_images(x: Array, channels: int | None = None) -> None:
    """Raises ValueError unless x is a batch of images (N, H, W, channels) of floating-point numbers, N at least 1."""
    if x.ndim != 4 or channels not in (None, x.shape[3]):
        raise ValueError(f"x must be (N, H, W, {'C' if channels is None else channels}), got {x.shape}")
    if len(x) == 0:
        raise ValueError(f"x must have at least one image, got {x.shape}")
    if x.dtype.kind != "f":
        raise ValueError(f"x must be floating-point numbers, got {x.dtype}; data.normalise makes them of pictures")


def check_gradient(grad_y: Array, output_shape: tuple[int, ...]) -> None:
    """Raises ValueError unless grad_y has the shape of the output: a wrong one would be broadcast, silently."""
    if grad_y.shape != tuple(output_shape):
        raise ValueError(f"grad_y must have the shape of the output, {tuple(output_shape)}, got {grad_y.shape}")


class Layer:
    """A function with a derivative that is written by hand.

    `forward` returns its output and a cache, everything that `backward` will need. The cache is handed back, not kept
    on the layer: it can be looked at, a layer can be used twice, and nothing stays alive by accident.
    """

    def forward(self, x: Array, training: bool = False) -> tuple[Array, Cache]:
        """The output for `x`, and the cache for `backward`. `training` matters to batch normalisation only."""
        raise NotImplementedError

    def backward(self, grad_y: Array, cache: Cache) -> Array:
        """The gradient with respect to the input, from that with respect to the output; sets each parameter's `grad`.

        `grad_y` is never changed in place: a residual addition passes the same array to two layers.
        """
        raise NotImplementedError

    def backward_to_parameters(self, grad_y: Array, cache: Cache) -> None:
        """As `backward`, where nobody needs the gradient with respect to the input: a network's first layer is fed with
        images, which training does not change. A layer that can save the work does so."""
        self.backward(grad_y, cache)

    def __call__(self, x: Array) -> Array:
        """The output in evaluation mode, and nothing kept: inference."""
        return self.forward(x, training=False)[0]

    def multiply_adds(self, output_shape: tuple[int, ...]) -> int:
        """The multiply-adds of one image's forward pass, given the shape of its output without the batch axis: what
        papers count as the cost of a layer. 0 here, as for every layer whose few operations are not counted."""
        return 0

    def children(self) -> Iterator[tuple[str, Layer]]:
        """The layers held as attributes, with their names, in the order they were assigned."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Layer))

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """This layer and all below it, with dotted names such as `layer1.0.conv2`."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_layers(f"{prefix}.{name}" if prefix else name)

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """All arrays of this layer and those below, learned or not, under torchvision's names (`bn1.running_mean`)."""
        for prefix, layer in self.named_layers():
            for name, value in vars(layer).items():
                if isinstance(value, Buffer):
                    yield f"{prefix}.{name}" if prefix else name, value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The arrays that are learned, with their names."""
        return ((name, value) for name, value in self.named_buffers() if isinstance(value, Parameter))

    def parameters(self) -> list[Parameter]:
        """The arrays that are learned."""
        return [parameter for _, parameter in self.named_parameters()]

    def to(self, device: str) -> Self:
        """Move every array of this layer, and of those below, to `device` ("cpu", "cuda", "cuda:1" or "auto"); returns
        the layer itself. Raises DeviceError."""
        device = resolve_device(device)  # a wrong name is told also where there is no array to move
        for _, buffer in self.named_buffers():
            buffer.map(lambda value: to_device(value, device))
        return self

    def astype(self, dtype: DTypeLike) -> Self:
        """Convert every array of this layer, and of those below, to `dtype`; returns the layer itself."""
        for _, buffer in self.named_buffers():
            buffer.map(lambda value: value.astype(dtype))
        return self
