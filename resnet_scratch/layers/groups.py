"""Batch norm over groups of the batch: each group of successive images is normalised by its own statistics.

That is what most frameworks do where several processes share a batch: each normalises its own images only. Groups work
in a single process too, and the result does not depend on the number of processes, as long as each has whole groups.

Source: Hoffer, Hubara and Soudry 2017, "Train longer, generalize better", section 4, algorithm 1, "ghost batch norm".
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

from ..compute.backend import Array, array_module
from ..compute.batch import Sum, over_batch
from ..compute.processes import alone
from ..errors import UserError
from .layer import Buffer, check_gradient

if TYPE_CHECKING:
    from .batchnorm import BatchNorm2d


def forward_groups(norm: BatchNorm2d, x: Array, group: int) -> tuple[Array, list[tuple]]:
    """`norm.forward(x, training=True)` where every `group` images of x (N, H, W, C) are a batch of their own: y, and
    the cache of each group. Raises UserError when N is not a multiple of `group`."""
    if len(x) % group:
        raise UserError(f"batch normalisation over groups of {group} images needs whole groups in every process, "
                        f"got {len(x)} images")  # fmt: skip
    of_group = copy.copy(norm)  # it has the same weights; its running averages start anew for each group
    of_group.group, results, averages = None, [], []
    with alone():  # the class's methods, since an observer may have replaced the object's, to see a whole batch
        for images in _split(x, group):
            of_group.running_mean = Buffer(norm.running_mean.value.copy())
            of_group.running_var = Buffer(norm.running_var.value.copy())
            results.append(type(norm).forward(of_group, images, training=True))
            averages.append((of_group.running_mean.value, of_group.running_var.value))
    sum_mean, sum_var, count = _sum_over_groups(averages)
    norm.running_mean.value, norm.running_var.value = sum_mean / count, sum_var / count
    ys, caches = zip(*results)
    return array_module(x).concatenate(ys), list(caches)


def backward_groups(norm: BatchNorm2d, grad_y: Array, caches: list[tuple]) -> Array:
    """`norm.backward` for each group: grad_y (N, H, W, C) -> grad_x (N, H, W, C). The gradients of weight and bias are
    sums over all groups. Raises ValueError for a grad_y of another shape than the output's."""
    group, *image = caches[0][0].shape
    check_gradient(grad_y, (group * len(caches), *image))
    results, gradients = [], []
    with alone():
        for grads, cache in zip(_split(grad_y, group), caches):
            results.append(type(norm).backward(norm, grads, cache))
            gradients.append((norm.weight.grad, norm.bias.grad))
    norm.weight.grad, norm.bias.grad, _ = _sum_over_groups(gradients)
    return array_module(grad_y).concatenate(results)


def _split(images: Array, group: int) -> list[Array]:
    return [images[start : start + group] for start in range(0, len(images), group)]


def _sum_over_groups(pairs: list[tuple[Array, Array]]) -> tuple[Array, Array, int]:
    """Both arrays, and 1, summed over the groups of the whole batch. `pairs` has those of this process's groups."""
    # With an infinite footprint, a chunk has as few groups as it can. (The number of chunks is a power of two.) So the
    # tree fixes the order of the sum.
    first, second = (array_module(a[0]).concatenate([value[None] for value in a]) for a in zip(*pairs))
    return over_batch(lambda a, b: (Sum(a.sum(0)), Sum(b.sum(0)), Sum(len(a))), first, second, footprint=math.inf)
