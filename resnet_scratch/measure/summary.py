"""What a network costs, layer by layer: shapes, parameters, multiply-adds, memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..compute.backend import Array, array_module, use_device_of
from ..layers import BatchNorm2d
from ..layers.layer import Layer, restored
from ..table import format_table
from .recorder import Event, observe


@dataclass(frozen=True)
class Row:
    """One layer, for one image."""

    name: str
    kind: str
    output_shape: tuple[int, ...]  #: without the batch axis
    parameters: int
    multiply_adds: int  #: what the layer says itself: `Layer.multiply_adds`
    memory: int  #: bytes in the layer's cache, kept until backward; an array in several caches counts in the first


def summarise(model: Layer, image_size: int | tuple[int, int]) -> list[Row]:
    """Run one forward pass in training mode (zeros, float32, on the model's device): a `Row` for each layer, in order.

    `model` takes images (N, H, W, 3); `image_size` is H = W, or (H, W). Running averages are left as they were.
    Raises ValueError when the image is too small for the network.
    """
    H, W = (image_size, image_size) if isinstance(image_size, (int, np.integer)) else image_size
    groups = [layer.group or 1 for _, layer in model.named_layers() if isinstance(layer, BatchNorm2d)]
    images = zeros_for(model, (max(2, math.lcm(*groups)), H, W, 3))  # as few as batch norm can train on
    rows: list[Row] = []
    kept = {id(images): images}  # every array that some cache holds by now; held here too, so that no id is used twice

    def add_row(event: Event) -> None:
        y, layer = event.outputs[0], event.layer
        memory = bytes_added(kept, event.cache)
        rows.append(
            Row(
                name=event.name,
                kind=type(layer).__name__,
                output_shape=y.shape[1:],
                parameters=sum(parameter.value.size for parameter in layer.parameters()),
                multiply_adds=layer.multiply_adds(y.shape[1:]),
                memory=memory // len(images),
            )
        )

    with restored(model), observe(model, add_row):
        model.forward(images, training=True)
    return rows


def zeros_for(model: Layer, shape: tuple[int, ...]) -> Array:
    """Zeros, float32, on the device of the model, which becomes the current one."""
    arrays = [buffer.value for _, buffer in model.named_buffers()] or [np.zeros(0)]
    use_device_of(arrays[0])
    return array_module(arrays[0]).zeros(shape, np.float32)


def format_summary(rows: list[Row]) -> str:
    """The rows as a table with totals; multiply-adds in millions, memory in kB (1000 bytes), both for one image."""
    columns = {"layer": "", "kind": "", "output": "", "parameters": ",d", "mult-adds M": ",.2f", "kept kB": ",.0f"}
    lines = [
        (row.name, row.kind, row.output_shape, row.parameters, row.multiply_adds / 1e6 or None, row.memory / 1e3)
        for row in rows
    ]
    products, memory = sum(row.multiply_adds for row in rows) / 1e6, sum(row.memory for row in rows) / 1e3
    return format_table(
        columns, lines, total=("total", None, None, sum(row.parameters for row in rows), products, memory)
    )


@dataclass(frozen=True)
class StepMemory:
    """Bytes of device memory that a training step needs."""

    kept: int  #: weights, gradients and velocities; what layers keep for backward
    gpu_peak: int  #: plus what a GPU holds for a moment; an estimate, within 10 % of what was counted


def training_memory(rows: list[Row], batch_size: int) -> StepMemory:
    """The memory of a step of SGD with momentum in float32, for `batch_size` images, from the rows of `summarise`.

    At its peak a GPU also holds, for the convolution that needs most, the columns of the whole batch and
    about six arrays as large as its output (gradients of both paths of a block, a padded copy, intermediate results);
    or, in a small batch, three copies of the largest parameters. A CPU computes columns chunk by chunk.
    """
    kept = 3 * 4 * sum(row.parameters for row in rows) + batch_size * sum(row.memory for row in rows)
    moments = [12 * max(row.parameters for row in rows)]
    for row in rows:
        columns = row.multiply_adds // row.output_shape[-1]  # KH * KW * C for each pixel of the output
        moments.append(4 * batch_size * (columns + 6 * math.prod(row.output_shape)))
    return StepMemory(kept, kept + max(moments))


def bytes_added(kept: dict[int, Array], cache: Any) -> int:
    """How many bytes a cache needs in addition to the arrays of other caches, which are `kept` by id; adds its own."""
    new = {id(array): array for array in arrays_in(cache) if id(array) not in kept}
    kept.update(new)
    return sum(array.nbytes for array in new.values())


def arrays_in(cache: Any) -> Iterator[Array]:
    """Every array in a cache, however deep."""
    if isinstance(cache, (tuple, list)):
        for part in cache:
            yield from arrays_in(part)
    elif hasattr(cache, "nbytes") and getattr(cache, "ndim", None):
        yield cache
