"""Answers to the tasks of tutorial 12: right ones, and wrong ones with a word of what each must be told."""

import numpy as np

from resnet_scratch.compute.backend import array_module
from resnet_scratch.exercises import ch12_gpu as solved


def float64_inside(x, slope):
    return np.where(x > 0, x, x * np.array([slope]))


def on_the_host(x, slope):
    return solved.leaky_relu(x if isinstance(x, np.ndarray) else x.get(), slope)


def in_a_copy(x, slope):
    y = x.copy()
    y[x <= 0] = slope * x[x <= 0]
    return y


def positive_and_negative_part(x, slope):
    xp = array_module(x)
    return (xp.maximum(x, 0) + slope * xp.minimum(x, 0)).astype(x.dtype)


def with_a_mask(x, slope):
    y, negative = x.copy(), ~(x > 0)
    y[negative] *= slope
    return y


def with_functions(x, slope):
    xp = array_module(x)
    y = xp.full_like(x, slope)
    y[xp.greater(x, 0)] = 1
    return xp.multiply(xp.copy(y), x)


def with_equality(x, slope):
    xp = array_module(x)
    negative = (abs(x) != x) & (x < xp.zeros(x.shape, x.dtype))
    return xp.where(xp.logical_not(negative), x, x * slope)


def joined(losses):
    losses = [loss.reshape(1) for loss in losses]
    xp = array_module(losses[0])
    return float(xp.divide(xp.concatenate(losses).sum(), len(losses)))


def filled_in(losses):
    losses = list(losses)
    xp = array_module(losses[0])
    row = xp.empty(len(losses), xp.float32)
    for k, loss in enumerate(losses):
        row[k] = loss
    return row.mean().item()


def stacked(losses):
    losses = list(losses)
    return float(array_module(losses[0]).stack(losses).mean())


def with_item(losses):
    total, count = 0, 0
    for loss in losses:
        total, count = total + loss, count + 1
    return total.item() / count


def going_twice(losses):
    total = sum(losses)
    return float(total) / sum(1 for _ in losses)


def leaky_in_place(x, slope):
    x[x < 0] *= slope
    return x


def slower(operations, moved, peak, bandwidth):
    arithmetic, memory = operations / peak, moved / bandwidth
    return arithmetic if arithmetic > memory else memory


def into_a_new_array(x, slope):
    xp = array_module(x)
    y = xp.multiply(x, slope, out=xp.empty_like(x))
    xp.copyto(y, x, where=x > 0)
    return y


def with_a_step(x, slope):
    return x * (slope + (1 - slope) * array_module(x).heaviside(x, 0))


def with_absolute(x, slope):
    return ((1 + slope) * x + (1 - slope) * array_module(x).absolute(x)) / 2


RIGHT = [
    ("12.1", in_a_copy),
    ("12.1", positive_and_negative_part),
    ("12.1", lambda x, slope: x * array_module(x).where(x > 0, 1, slope).astype(x.dtype)),
    ("12.1", with_a_mask),
    ("12.1", with_functions),
    ("12.1", with_equality),
    ("12.1", into_a_new_array),
    ("12.1", with_a_step),
    ("12.1", with_absolute),
    ("12.2", stacked),
    ("12.2", joined),
    ("12.2", filled_in),
    ("12.2", with_item),
    ("12.2", lambda losses: (lambda kept: float(sum(kept) / len(kept)))(list(losses))),
    ("12.3", lambda p, a, n: 12 * p + 4 * a * n),
    ("12.3", lambda p, a, n: sum(4 * count for count in (p, p, p, n * a))),
    ("12.3", lambda p, a, n: np.dtype(np.float32).itemsize * np.dot([3, n], [p, a])),
    ("12.4", slower),
    ("12.4", lambda o, m, p, b: o / min(p, b * (o / m))),
    ("12.4", lambda o, m, p, b: float(np.max([o / p, m / b]))),
]

WRONG = [
    ("12.1", lambda x, slope: np.where(x > 0, x, slope * x), "array_module"),
    ("12.1", float64_inside, "float64"),
    ("12.1", lambda x, slope: solved.leaky_relu(x, -slope), "y must be"),
    ("12.1", lambda x, slope: array_module(x).maximum(x, slope * x), "slopes up to 1"),
    ("12.1", on_the_host, "copied to the host"),
    ("12.1", leaky_in_place, "changed in place"),
    ("12.2", lambda losses: float(np.mean([float(loss) for loss in losses])), "waited 4 times"),
    ("12.2", lambda losses: np.mean(list(losses)), "not converted to a NumPy array"),
    ("12.2", lambda losses: np.mean([loss.numpy() for loss in losses]), "no attribute 'numpy'"),
    ("12.2", lambda losses: float(sum(losses)) / len(losses), "count them"),
    ("12.2", going_twice, "count them"),
    ("12.2", lambda losses: sum(losses) / 4, "Python float"),
    ("12.2", lambda losses: float(sum(losses)), "the mean of"),
    ("12.3", lambda p, a, n: 4 * (2 * p + a * n), "velocity"),
    ("12.3", lambda p, a, n: 4 * (3 * p + a) * n, "once for each image"),
    ("12.3", lambda p, a, n: 8 * (3 * p + a * n), "40,000"),
    ("12.4", lambda o, m, p, b: o / p + m / b, "the sum"),
    ("12.4", lambda o, m, p, b: o / p, "the faster"),
    ("12.4", lambda o, m, p, b: o / p if o > m else m / b, "Compare times"),
    ("12.4", lambda o, m, p, b: min(o / p, m / b), "the faster"),
    ("12.4", lambda *arguments: (6.0, 3.0), r"returned \(6.0, 3.0\), which the check cannot use"),
]
