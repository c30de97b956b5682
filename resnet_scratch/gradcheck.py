"""Is my backward right? Compare it with central differences of the forward.

For a random cotangent g the scalar L(x) = sum(forward(x) * g) has the gradient backward(g). Numerically,

    dL/dv  ~  (L(x + h v) - L(x - h v)) / 2h        with an error of order h^2, plus rounding of order 1e-16 / h

for any direction v: a single element of a small tensor, a random direction through a large one. (If g were all
ones, L would be blind to mistakes in batch normalisation, whose outputs always have the same sum.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .checks import check_array, check_flag, check_instance, check_number, check_whole
from .compute.backend import Array, array_module, to_numpy
from .layers.layer import Layer, restored
from .layers.protocol import BrokenPromise, check_fast_paths, check_promises, turned_into_float64
from .table import format_table, wrap

STEPS = (1e-5, 1e-6, 1e-7)  # a smaller one is tried when a larger one disagrees: it crosses fewer kinks
SMALL = 256  # tensors of at most this size are checked element by element, larger ones in random directions
DIRECTIONS = 16
MOST_SKIPPED = 0.25
FLOAT64 = (
    "is float64 for an input of float32, so training takes twice the memory: compute with Python's numbers, "
    "and make arrays as np.zeros(shape, x.dtype)"
)
SURPLUS = "more than inputs; those of parameters belong in their grad; a list of rows counts as several: np.array(rows)"
Loss = Callable[[], float]


@dataclass
class TensorCheck:
    """How the gradient with respect to one tensor, an input or a parameter, compared."""

    name: str
    shape: tuple[int, ...]
    error: float = 0.0  #: the largest |backward - numerical| / max(|backward|, |numerical|, rms of the gradient)
    where: str = ""  #: the index, or the direction, of that largest error
    compared: int = 0
    skipped: int = 0  #: at a kink of ReLU or max, where there is no derivative to compare with
    problem: str = ""  #: why it failed; empty when it passed


@dataclass
class Report:
    """All tensors of one layer; true when every one passed."""

    tensors: list[TensorCheck] = field(default_factory=list)
    note: str = ""  #: what is not wrong, but not as it should be

    @property
    def passed(self) -> bool:
        """Whether something was checked and every tensor passed."""
        return bool(self.tensors) and not any(tensor.problem for tensor in self.tensors)

    @property
    def error(self) -> float:
        """The largest relative error of all tensors."""
        return max((tensor.error for tensor in self.tensors), default=np.inf)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        """A table with the relative error of each tensor, and under it what is wrong."""
        columns = {"gradient w.r.t.": "", "shape": "", "error": ".1e", "at": "", "checked": "d", "": ""}
        rows = [(t.name, t.shape, t.error, t.where, t.compared, "FAILED" if t.problem else "ok") for t in self.tensors]
        problems = [wrap(f"FAILED: {t.name}: {t.problem}") for t in self.tensors if t.problem]
        notes = [wrap(f"note: {self.note}")] if self.note else []
        return "\n".join([format_table(columns, rows), *problems, *notes])


def gradcheck(layer: Layer, *inputs: Array, training: bool = True, tolerance: float = 1e-6, seed: int = 0) -> Report:
    """Compare `layer.backward` with central differences, with respect to every input and every parameter.

    `inputs` are what `layer.forward` takes. They must be float64, and so must the layer's parameters
    (`layer.astype(np.float64)`) and its output: float32 has too few digits. The report fails a tensor whose largest
    relative error is above `tolerance`, whose gradient is zero everywhere (which shows nothing), or where kinks left
    too little to compare. It fails a layer that breaks the protocol (`layers.protocol`). It notes where float32
    becomes float64.

    The inputs are copied. The layer's parameters, their `grad` and its running statistics have their old values
    afterwards, even when forward or backward raises. Raises ValueError without inputs, and for arrays of another dtype.
    """
    check_instance("layer", layer, Layer)
    check_flag("training", training)
    check_number("tolerance", tolerance, above=0)
    check_whole("seed", seed, 0)
    if not inputs:
        raise ValueError("gradcheck needs at least one input")
    named = [("input", x, "x") for x in inputs] + [(n, p.value, "layer") for n, p in layer.named_parameters()]
    for name, array, owner in named:
        check_array(name, array)
        if array.dtype != np.float64:
            raise ValueError(f"gradcheck needs float64, got {name} of {array.dtype}; try {owner}.astype(np.float64)")
    with restored(layer, gradients=True):
        return _check_all(layer, [x.copy() for x in inputs], training, tolerance, np.random.default_rng([seed, 1]))


def _check_all(layer: Layer, inputs: list[Array], training: bool, tolerance: float, rng: np.random.Generator) -> Report:
    """One forward and backward, then each tensor's gradient against differences of further forwards."""
    names = ["input"] if len(inputs) == 1 else [f"input {k}" for k in range(len(inputs))]
    forward: Callable[..., tuple[Array, Any]] = layer.forward  # of any number of inputs
    try:
        check_promises(layer, *inputs, training=training)
        float64 = turned_into_float64(layer, *inputs, training=training)
        y, cache = forward(*inputs, training=training)
        if y.dtype != np.float64:  # float32 has too few digits for differences
            raise BrokenPromise(f"float64 went in and {y.dtype} came out: make arrays as np.zeros(shape, x.dtype)")
        if not np.isfinite(host := to_numpy(y)).all():
            raise BrokenPromise(f"forward gave {'nan' if np.isnan(host).any() else 'infinity'} for this input")
    except BrokenPromise as error:
        shapes = {names[0]: inputs[0].shape, **{name: p.value.shape for name, p in layer.named_parameters()}}
        name = error.parameter or names[0]
        return Report([TensorCheck(name, shapes[name], np.inf, problem=str(error))])
    xp = array_module(y)
    cotangent = xp.asarray(rng.standard_normal(y.shape))
    gradients = layer.backward(cotangent, cache)
    gradients = tuple(gradients) if isinstance(gradients, (tuple, list)) else (gradients,)
    gradients += (None,) * (len(inputs) - len(gradients))  # a forgotten input has no gradient

    def loss() -> float:
        return float((forward(*inputs, training=training)[0] * cotangent).sum())

    # how much rounding alone can change the loss
    rounding = np.finfo(np.float64).eps * max(1.0, float(xp.abs(y * cotangent).sum()))
    tensors = list(zip(names, inputs, gradients))
    tensors += [(name, parameter.value, parameter.grad) for name, parameter in layer.named_parameters()]
    # all gradients are copied before the first check runs forward again: a layer may reuse its arrays
    tensors = [(name, x, gradient.copy() if hasattr(gradient, "shape") else gradient) for name, x, gradient in tensors]
    checks = [_check(name, x, gradient, loss, rounding, tolerance, rng) for name, x, gradient in tensors]
    report = Report(checks, f"{float64} {FLOAT64}" if float64 else "")
    if (surplus := len(gradients) - len(inputs)) > 0:
        report.tensors[0].problem = f"backward returned too many gradients: {surplus} {SURPLUS}"
    if report:
        try:
            check_fast_paths(layer, *inputs, training=training)
        except BrokenPromise as error:
            next(t for t in checks if t.name == (error.parameter or names[0])).problem = str(error)
    return report


def _check(
    name: str, x: Array, gradient: Any, loss: Loss, rounding: float, tolerance: float, rng: np.random.Generator
) -> TensorCheck:
    """Compare one tensor's gradient, in every element or along random directions."""
    check = TensorCheck(name, x.shape)
    if (shape := getattr(gradient, "shape", None)) != x.shape:
        got = "none" if gradient is None else type(gradient).__name__ if shape is None else f"shape {shape}"
        check.error, check.problem = np.inf, f"the gradient must have shape {x.shape}, got {got}"
        return check
    gradient = to_numpy(gradient)
    rms = float(np.sqrt(np.mean(gradient**2)))
    largest = rms  # of all slopes seen
    middle = loss()
    for where, direction in _directions(x.shape, rng):
        expected = float((gradient * direction).sum())
        error, numerical, kink = _compare(x, direction, expected, rms, loss, middle, tolerance)
        largest = max(largest, abs(numerical))
        if error > tolerance and kink:
            check.skipped += 1
            continue
        check.compared += 1
        if not error <= check.error:  # also when it is nan
            check.error, check.where = error, where
    kinks = check.skipped > MOST_SKIPPED * (check.compared + check.skipped)
    disagree = not check.error <= tolerance
    if largest < rounding / STEPS[-1]:
        check.problem = "zero everywhere, or lost in rounding, so nothing was compared"
    elif (kinks or disagree) and max(check.error, tolerance) * largest < 10 * rounding / STEPS[0]:
        check.problem = "the outputs are so large that rounding hides the slopes: check with smaller ones"
    elif kinks:
        check.problem = f"{check.skipped} of {check.compared + check.skipped} points lie on a kink"
    elif disagree:
        check.problem = f"backward and forward disagree by more than {tolerance:.0e}"
    return check


def _directions(shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """(name, direction): each element of a small tensor, as a unit vector; random unit vectors for a large one."""
    size = int(np.prod(shape))
    if size <= SMALL:
        for k, direction in enumerate(np.eye(size)):
            yield str(tuple(int(i) for i in np.unravel_index(k, shape))), direction.reshape(shape)
    else:
        for k in range(DIRECTIONS):
            direction = rng.standard_normal(shape)
            yield f"direction {k}", direction / np.linalg.norm(direction)


def _compare(
    x: Array, direction: Array, expected: float, rms: float, loss: Loss, middle: float, tolerance: float
) -> tuple[float, float, bool]:
    """(relative error, numerical slope, whether a kink explains the error), for the best of the step sizes.

    `middle` is the loss where x is now."""
    origin, best = x.copy(), (np.inf, 0.0, False)
    shift = array_module(x).asarray(direction)
    for step in STEPS:
        x[...] = origin + step * shift
        above = loss()
        x[...] = origin - step * shift
        below = loss()
        x[...] = origin
        numerical = (above - below) / (2 * step)
        difference = abs(expected - numerical)
        error = difference / max(abs(expected), abs(numerical), rms, np.finfo(np.float64).tiny)
        # a kink between x - hv and x + hv bends L, which changes the central difference by at most half of the bend
        bend = abs(above - 2 * middle + below) / step
        if not error >= best[0]:
            best = (error, numerical, bend >= difference)
        if error <= tolerance:
            break
    return best
