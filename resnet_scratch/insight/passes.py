"""One forward and one backward pass, written down layer by layer: shapes, statistics, gradients, memory, time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Callable

from ..compute.backend import Array, array_module
from ..layers.layer import Layer
from ..losses import softmax_cross_entropy
from ..measure.recorder import restored, watched
from ..measure.summary import arrays_in


@dataclass(frozen=True)
class Record:
    """What one layer did in a training step. Times are of one run, taken while the layer was being watched."""

    name: str
    kind: str  # the name of its class
    output_shape: tuple[int, ...]  # with the batch
    parameters: int  # how many numbers it learns
    cache_bytes: int  # what its cache keeps alive for backward and no layer before it does
    forward_ms: float
    backward_ms: float
    mean: float  # of the output's numbers
    std: float
    grad_norm: float  # 2-norm of dL/dx at the layer's (first) input
    grad_weight_norm: float  # 2-norm of the gradients of its parameters together; 0 without parameters


def record(model: Layer, images: Array, labels: Array, training: bool = True) -> list[Record]:
    """Forward, mean softmax cross-entropy, backward, and a `Record` for each layer, in the order of the forward pass.

    `images` (N, H, W, C) are floating-point, `labels` (N,) whole numbers. Running averages are left as they were; the
    parameters' gradients are those of this pass. The standard deviations behind the batch norms are the "layer
    responses" of He et al. 2015, "Deep Residual Learning for Image Recognition", figure 7.
    """
    rows: dict[str, dict[str, Any]] = {}
    held = {id(images)}  # what is kept by now; the caches keep it alive, so that no id is given out twice

    def wrap(name: str, layer: Layer, direction: str, method: Callable) -> Callable:
        def forward(*inputs: Array, **keywords: Any) -> tuple[Array, Any]:
            start = time.perf_counter()
            y, cache = method(*inputs, **keywords)
            milliseconds = 1e3 * (time.perf_counter() - start)
            if name not in rows:  # a block's backward runs its addition's forward once more, on gradients
                new = {id(a): a.nbytes for a in arrays_in(cache) if id(a) not in held}
                held.update(new)
                rows[name] = dict(
                    name=name,
                    kind=type(layer).__name__,
                    output_shape=y.shape,
                    parameters=sum(p.value.size for p in layer.parameters()),
                    cache_bytes=sum(new.values()),
                    forward_ms=milliseconds,
                    mean=float(y.mean()),
                    std=float(y.std()),
                )
            return y, cache

        def backward(grad_y: Array, cache: Any) -> Any:
            start = time.perf_counter()
            grad_x = method(grad_y, cache)
            rows[name]["backward_ms"] = 1e3 * (time.perf_counter() - start)
            rows[name]["grad_norm"] = _norm(grad_x[0] if isinstance(grad_x, tuple) else grad_x)
            rows[name]["grad_weight_norm"] = _norm(*(p.grad for p in layer.parameters()))
            return grad_x

        return forward if direction == "forward" else backward

    with restored(model), watched(model, wrap):
        logits, cache = model.forward(images, training)
        model.backward(softmax_cross_entropy(logits, labels)[1], cache)
    return [Record(**row) for row in rows.values()]


def format_records(records: list[Record]) -> str:
    """The records as a table."""
    width = max([len("layer"), *(len(r.name) for r in records)])
    head = f"{'layer':<{width}}  {'kind':<13} {'output':<15} {'cache kB':>9} {'fwd ms':>7} {'bwd ms':>7}"
    lines = [f"{head} {'mean':>7} {'std':>7} {'|dL/dx|':>9} {'|dL/dw|':>9}"]
    for r in records:
        shape = "x".join(map(str, r.output_shape))
        lines.append(
            f"{r.name:<{width}}  {r.kind:<13} {shape:<15} {r.cache_bytes / 1e3:>9.1f} {r.forward_ms:>7.2f} "
            f"{r.backward_ms:>7.2f} {r.mean:>7.2f} {r.std:>7.2f} {r.grad_norm:>9.2e} {r.grad_weight_norm:>9.2e}"
        )
    return "\n".join(lines)


def _norm(*arrays: Array) -> float:
    """The 2-norm of all the arrays together, worked out in float64."""
    return float(sum(float((a.astype(array_module(a).float64) ** 2).sum()) for a in arrays)) ** 0.5
