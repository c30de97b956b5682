"""What a network costs, layer by layer: shapes, parameters, multiply-adds, memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Iterator

import numpy as np

from ..compute.backend import Array
from ..layers import Conv2d, Linear
from ..layers.layer import Layer
from .recorder import restored, watched


@dataclass(frozen=True)
class Row:
    """One layer, for one image."""

    name: str
    kind: str
    output_shape: tuple[int, ...]  # without the batch axis
    parameters: int
    multiply_adds: int  # of convolutions and linear layers; the others' few operations are not counted, as usual
    memory: int  # bytes that stay in the layer's cache for backward, and that no layer before it keeps already


def summarise(model: Layer, image_size: int | tuple[int, int]) -> list[Row]:
    """Run one training-mode forward (on zeros, float32) and write down what every layer did.

    `model` takes images (N, H, W, 3); `image_size` is H = W, or (H, W). Running averages are left as they were.
    Raises ValueError when the image is too small for the network.
    """
    H, W = (image_size, image_size) if isinstance(image_size, int) else image_size
    images = np.zeros((2, H, W, 3), np.float32)  # two: the smallest batch that batch norm can train on
    rows: list[Row] = []
    held = {id(images)}  # what is kept by now; the caches below keep it alive, so no id is given out twice
    caches = []

    def wrap(name: str, layer: Layer, direction: str, method: Callable) -> Callable:
        def forward(*inputs, **keywords):
            y, cache = method(*inputs, **keywords)
            new = {id(a): a.nbytes for a in arrays_in(cache) if id(a) not in held}
            held.update(new)
            caches.append(cache)
            parameters, memory = sum(p.value.size for p in layer.parameters()), sum(new.values()) // len(images)
            rows.append(
                Row(name, type(layer).__name__, y.shape[1:], parameters, _multiply_adds(layer, y.shape), memory)
            )
            return y, cache

        return forward if direction == "forward" else method

    with restored(model), watched(model, wrap):
        model.forward(images, True)
    return rows


def format_summary(rows: list[Row]) -> str:
    """The rows as a table, with totals."""
    width = max(len("total, per image"), *(len(row.name) for row in rows))
    lines = [f"{'layer':<{width}}  {'kind':<15} {'output':<14} {'parameters':>12} {'multiply-adds':>15} {'memory':>11}"]
    for row in rows:
        shape = "x".join(map(str, row.output_shape))
        lines.append(
            f"{row.name:<{width}}  {row.kind:<15} {shape:<14} {row.parameters:>12,} {row.multiply_adds:>15,} "
            f"{row.memory / 1e3:>8.1f} kB"
        )
    parameters, products, memory = (sum(getattr(r, f) for r in rows) for f in ("parameters", "multiply_adds", "memory"))
    lines.append("-" * len(lines[0]))
    lines.append(
        f"{'total, per image':<{width}}  {'':<15} {'':<14} {parameters:>12,} {products:>15,} {memory / 1e3:>8.1f} kB"
    )
    return "\n".join(lines)


@dataclass(frozen=True)
class StepMemory:
    """Bytes of device memory that a training step needs."""

    kept: int  # weights, gradients and velocities; what layers keep for backward
    gpu_peak: int  # with what a GPU holds beside it for a moment; an estimate, within a tenth of what was counted


def training_memory(rows: list[Row], batch_size: int) -> StepMemory:
    """What a step of SGD with momentum in float32 needs for `batch_size` images, from the rows of `summarise`.

    For a moment a GPU holds, at the convolution where that is most, the columns of the whole batch and about six
    arrays as large as its output (gradients on both ways of a block, a padded copy, intermediate results); or, in a
    small batch, three copies of the largest parameters. On a processor columns are worked out chunk by chunk.
    """
    kept = 3 * 4 * sum(row.parameters for row in rows) + batch_size * sum(row.memory for row in rows)
    moments = [12 * max(row.parameters for row in rows)]
    for row in rows:
        columns = row.multiply_adds // row.output_shape[-1]  # KH * KW * C for each place in the output
        moments.append(4 * batch_size * (columns + 6 * math.prod(row.output_shape)))
    return StepMemory(kept, kept + max(moments))


def _multiply_adds(layer: Layer, output_shape: tuple[int, ...]) -> int:
    """For one image: every output number of a convolution sums KH * KW * C products, of a linear layer C."""
    if isinstance(layer, (Conv2d, Linear)):
        return math.prod(output_shape[1:]) * math.prod(layer.weight.value.shape[:-1])
    return 0


def arrays_in(cache: Any) -> Iterator[Array]:
    """Every array in a cache, however deep."""
    if isinstance(cache, (tuple, list)):
        for part in cache:
            yield from arrays_in(part)
    elif hasattr(cache, "nbytes") and getattr(cache, "ndim", 0):
        yield cache
