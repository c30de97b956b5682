"""Tasks of tutorial 12: code for two kinds of arrays, what waits for what, and how long it should take."""

from __future__ import annotations

from collections.abc import Iterable

from ..compute.backend import Array, array_module


def leaky_relu(x: Array, slope: float) -> Array:
    """Task 12.1 (*, 10 minutes): one function, two libraries

    TODO: Return x where it is positive and `slope * x` elsewhere, in x's dtype. x may be a NumPy array or a CuPy array;
        the result must be an array of the same library. The slope is a Python float of any size. Do not change x.
    QUESTION: Which library does x belong to, and how can a function find out?
    POINTER: `xp = array_module(x)` is that library. Call its functions, such as `xp.where`, and never those of `np`.
    """
    ### BEGIN SOLUTION
    xp = array_module(x)
    return xp.where(x > 0, x, slope * x)
    ### END SOLUTION


def mean_loss(losses: Iterable[Array]) -> float:
    """Task 12.2 (*, 10 minutes): wait once

    TODO: `losses` yields the losses of the steps of an epoch: arrays with no axes, which live on a GPU. Return their
        mean as a Python float. Each `float(loss)` makes the processor wait until the GPU has finished everything up to
        that loss, so it may happen only once.
    QUESTION: Which parts of computing a mean can the GPU do, without the processor knowing a single number?
    POINTER: Adding two arrays on the GPU does not wait. Add them up there, count them in Python, and convert the
        result at the very end.
    """
    ### BEGIN SOLUTION
    total, count = 0, 0
    for loss in losses:
        total = total + loss
        count += 1
    return float(total) / count
    ### END SOLUTION


def training_bytes(parameters: int, activations: int, batch_size: int) -> int:
    """Task 12.3 (**, 10 minutes): will it fit?

    TODO: A network has `parameters` learned numbers and caches `activations` numbers per image for its backward pass.
        Everything is float32. You train it with SGD and momentum. Return how many bytes it occupies at the end of a
        forward pass, when the gradients of the previous step are still there.
    QUESTION: What does training keep for each parameter, besides its value? What grows with the batch, and what does
        not?
    POINTER: The backward pass writes a gradient for each parameter, and the optimizer remembers a velocity for each.
        A float32 number takes four bytes.
    """
    ### BEGIN SOLUTION
    return 4 * (3 * parameters + activations * batch_size)
    ### END SOLUTION


def roofline_seconds(operations: float, moved: float, peak: float, bandwidth: float) -> float:
    """Task 12.4 (**, 10 minutes): the shortest possible time

    TODO: A computation does `operations` floating-point operations and moves `moved` bytes to or from memory. The
        device does `peak` operations per second and moves `bandwidth` bytes per second, both at the same time. Return
        the shortest possible time in seconds.
    QUESTION: How long would it take if memory were infinitely fast? How long if arithmetic were?
    POINTER: The two run side by side, and the computation is over when both are done.
    """
    ### BEGIN SOLUTION
    return max(operations / peak, moved / bandwidth)
    ### END SOLUTION
