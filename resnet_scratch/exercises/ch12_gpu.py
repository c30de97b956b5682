"""Exercises of tutorial 12: code for two kinds of arrays, what waits for what, and how long it should take."""

from __future__ import annotations

from collections.abc import Iterable

from ..compute.backend import Array, array_module


def leaky_relu(x: Array, slope: float) -> Array:
    """Task 12.1: one function, two libraries.

    TODO: return x where it is above zero and slope * x elsewhere, in x's dtype, for a NumPy array or a CuPy array: what
        comes out is of the same library as x.
    APPROACH: 1. Ask which library x belongs to. 2. Call that library's functions, never `np`'s.
    HINT: `xp = array_module(x)`; `xp.where` takes a condition and two arrays.
    """
    ### BEGIN SOLUTION
    xp = array_module(x)
    return xp.where(x > 0, x, slope * x)
    ### END SOLUTION


def mean_loss(losses: Iterable[Array]) -> float:
    """Task 12.2: wait once.

    TODO: `losses` yields 0-d arrays, the losses of the steps of an epoch, which live on a GPU. Return their mean as a
        Python float. `float(loss)` makes the processor wait until the GPU has finished everything up to that loss: do
        it once only.
    APPROACH: 1. Add up on the device: adding does not wait. 2. Count on the host. 3. Bring over the result.
    HINT: there is one `float(...)` in the right answer, in its last line.
    """
    ### BEGIN SOLUTION
    total, count = 0, 0
    for loss in losses:
        total = total + loss
        count += 1
    return float(total) / count
    ### END SOLUTION


def training_bytes(parameters: int, activations: int, batch_size: int) -> int:
    """Task 12.3: will it fit?

    TODO: a network has so many parameters, and keeps so many numbers per image for its backward pass (`activations`).
        All are float32. Return the bytes that training with SGD and momentum keeps at the end of a forward pass, when
        the gradients of the last step are still there.
    APPROACH: 1. What does the optimizer keep for each parameter, beside its value and its gradient? 2. What grows with
        the batch?
    HINT: three numbers for each parameter, four bytes for each number.
    """
    ### BEGIN SOLUTION
    return 4 * (3 * parameters + activations * batch_size)
    ### END SOLUTION


def roofline_seconds(operations: float, moved: float, peak: float, bandwidth: float) -> float:
    """Task 12.4: how long must it take at least?

    TODO: something does `operations` floating-point operations and moves `moved` bytes to or from memory, on a device
        that can do `peak` operations and move `bandwidth` bytes a second, both at the same time. Return the least
        number of seconds that it takes.
    APPROACH: 1. How long would it take if memory were infinitely fast? 2. And if arithmetic were? 3. Both run at once.
    HINT: at the same time means: the slower of the two decides.
    """
    ### BEGIN SOLUTION
    return max(operations / peak, moved / bandwidth)
    ### END SOLUTION
