"""One forward and one backward pass, recorded layer by layer: times, statistics, gradients."""

from __future__ import annotations

from dataclasses import dataclass

from ..compute.backend import Array, array_module
from ..layers.layer import Layer, restored
from ..losses import softmax_cross_entropy
from ..measure.recorder import Event, observe
from ..measure.summary import bytes_added
from ..table import format_table


@dataclass
class Record:
    """What one layer did in one training pass. The times are those of a single run, while it was observed."""

    name: str
    kind: str  #: the name of its class
    output_shape: tuple[int, ...]  #: with the batch axis
    mean: float  #: of the output
    std: float
    memory: int  #: bytes in its cache, kept until backward; an array in several caches counts in the first
    forward_ms: float
    backward_ms: float = 0.0
    grad_norm: float = 0.0  #: 2-norm of the gradient with respect to the layer's (first) input
    grad_weight_norm: float | None = None  #: 2-norm of the gradient with respect to all its parameters, if it has any


def record(model: Layer, images: Array, labels: Array) -> list[Record]:
    """Forward in training mode, mean softmax cross-entropy, backward: a `Record` for each layer, in forward order.

    `images` (N, H, W, C) are floating-point, `labels` (N,) integers. Running averages are left as they were; the
    parameters' gradients are those of this pass. The standard deviations of the batch norms' outputs are the "layer
    responses" of He et al. 2015, "Deep Residual Learning for Image Recognition", figure 7.
    """
    records: dict[str, Record] = {}
    kept = {id(images): images}

    def note(event: Event) -> None:
        first, milliseconds = event.outputs[0], 1e3 * event.seconds
        if event.direction == "forward":
            kind, mean, std = type(event.layer).__name__, float(first.mean()), float(first.std())
            memory = bytes_added(kept, event.cache)
            records[event.name] = Record(event.name, kind, first.shape, mean, std, memory, milliseconds)
        else:
            row = records[event.name]
            row.backward_ms = milliseconds
            row.grad_norm = _norm(first)
            if parameters := event.layer.parameters():
                row.grad_weight_norm = _norm(*(parameter.grad for parameter in parameters))

    with restored(model), observe(model, note):
        logits, cache = model.forward(images, training=True)
        model.backward(softmax_cross_entropy(logits, labels)[1], cache)
    return list(records.values())


def format_records(records: list[Record]) -> str:
    """The records as a table: of the output its shape without the batch axis, mean and standard deviation; the 2-norms
    of the gradients with respect to the input (dx) and the parameters (dw); what is kept, in kB (1000 bytes); the times
    of forward and backward (fwd, bwd), in milliseconds."""
    columns = {
        "layer": "", "output": "", "mean": ".2f", "std": ".2f", "dx": ".1e", "dw": ".1e", "kept kB": ",.0f",
        "fwd ms": ".1f", "bwd ms": ".1f",
    }  # fmt: skip
    rows = [
        (r.name, r.output_shape[1:], r.mean, r.std, r.grad_norm, r.grad_weight_norm, r.memory / 1e3,
         r.forward_ms, r.backward_ms)
        for r in records
    ]  # fmt: skip
    return format_table(columns, rows)


def _norm(*arrays: Array) -> float:
    """The 2-norm of all the arrays together, computed in float64."""
    return float(sum(float((a.astype(array_module(a).float64) ** 2).sum()) for a in arrays)) ** 0.5
