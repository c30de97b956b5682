"""Wrong answers that people give to the tasks of tutorial 03, and a word of what each must be told."""

from __future__ import annotations

import numpy as np

from resnet_scratch.exercises import ch03_gradient_checking as tasks


def gradient(slope, put_back=lambda x, place, kept, h: x.__setitem__(place, kept)):
    """numerical_gradient with another `slope(ask, h)`, where ask(k) is f with the place moved by k steps."""

    def answer(f, x, h=1e-5):
        result = np.zeros(x.shape)
        for place in np.ndindex(x.shape):
            kept = x[place]

            def ask(k, place=place, kept=kept):
                x[place] = kept + k * h
                return f(x)

            result[place] = slope(ask, h)
            put_back(x, place, kept, h)
        return result

    return answer


def central(ask, h):
    return (ask(1) - ask(-1)) / (2 * h)


def leave(x, place, kept, h):
    pass


def add_up(x, place, kept, h):
    x[place] += h  # the last question was asked at kept - h


def all_together(f, x, h=1e-5):
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


def flat(f, x, h=1e-5):
    return tasks.numerical_gradient(f, x, h).ravel()


def error(difference, size, reduce=np.max, watchful=True):
    def answer(a, n):
        if watchful and not (np.isfinite(a).all() and np.isfinite(n).all()):
            return np.inf
        return float(reduce(difference(a, n) / np.maximum(size(a, n), 1e-300)))

    return answer


def rms(a):
    return np.sqrt((a**2).mean())


def apart(a, n):
    return np.abs(a - n)


def larger(a, n):
    return np.maximum(np.maximum(np.abs(a), np.abs(n)), rms(a))


def unit(backward):
    """UnitLength with this backward(grad_y, y, r)."""
    return type("Wrong", (tasks.UnitLength,), {"backward": lambda self, g, cache: backward(g, *cache)})


def in_place(g, y, r):
    g -= y * (g * y).sum(1, keepdims=True)
    return g / r


RIGHT: list = []

WRONG = [
    ("3.1", gradient(lambda ask, h: (ask(1) - ask(0)) / h), "forward difference"),
    ("3.1", gradient(lambda ask, h: (ask(0) - ask(-1)) / h), "backward difference"),
    ("3.1", gradient(lambda ask, h: (ask(1) - ask(-1)) / h), "twice too large"),
    ("3.1", gradient(lambda ask, h: (ask(1) - ask(-1)) / (4 * h)), "half of what"),
    ("3.1", gradient(lambda ask, h: (ask(-1) - ask(1)) / (2 * h)), "sign"),
    ("3.1", gradient(lambda ask, h: ask(1) - ask(-1)), "not divided"),
    ("3.1", gradient(central, leave), "put each number back"),
    ("3.1", gradient(central, add_up), "rounding behind"),
    ("3.1", all_together, "moved together"),
    ("3.1", flat, "must have that shape"),
    ("3.1", gradient(lambda ask, h: (ask(2) - ask(-2)) / (4 * h)), "must have the slope"),
    ("3.2", error(apart, lambda a, n: np.maximum(np.abs(a), rms(a))), "not by `analytic`"),
    ("3.2", error(apart, lambda a, n: np.maximum(np.abs(n), rms(n))), "not by `numerical`"),
    ("3.2", error(lambda a, n: np.abs(np.abs(a) - np.abs(n)), larger), "difference first"),
    ("3.2", error(lambda a, n: a - n, larger), "absolute value"),
    ("3.2", error(apart, lambda a, n: np.maximum(np.abs(a), np.abs(n))), "root mean square"),
    ("3.2", error(apart, larger, np.mean), "not the mean"),
    ("3.2", error(apart, larger, watchful=False), "not a number"),
    ("3.2", lambda a, n: float("nan") if not a.any() else tasks.relative_error(a, n), "divide by something else"),
    ("3.3", lambda value, third, eps: np.sqrt(eps * abs(value / third)), "square root"),
    ("3.3", lambda value, third, eps: eps ** (1 / 3), "sizes of f"),
    ("3.3", lambda value, third, eps: (3 * eps * abs(third / value)) ** (1 / 3), "changed places"),
    ("3.3", lambda value, third, eps: (6 * eps * abs(value / third)) ** (1 / 3), "slopes are"),
    ("3.3", lambda value, third, eps: (eps * abs(value / third)) ** (1 / 3), "factor is missing"),
    ("3.3", lambda value, third, eps: (3 * eps * value / third) ** (1 / 3), "absolute values"),
    ("3.3", lambda value, third, eps: (2 * eps * abs(value / third)) ** (1 / 3), "gets larger"),
    ("3.4", unit(lambda g, y, r: g / r), "depends on x too"),
    ("3.4", unit(lambda g, y, r: g - y * (g * y).sum(1, keepdims=True)), "divide by r"),
    ("3.4", unit(lambda g, y, r: (g + y * (g * y).sum(1, keepdims=True)) / r), "sign of the second"),
    ("3.4", unit(lambda g, y, r: (g - y * (g * y).sum()) / r), "of its own"),
    ("3.4", unit(lambda g, y, r: (g - y * (g * y).sum(0)) / r), "along each row"),
    ("3.4", unit(lambda g, y, r: (g - y * g * y) / r), "sum over i"),
    ("3.4", unit(lambda g, y, r: (g - y * r * (g * y).sum(1, keepdims=True)) / r), "not x"),
    ("3.4", unit(in_place), "in place"),
    ("3.4", unit(lambda g, y, r: -g), "disagree"),
    ("3.4", unit(lambda g, y, r: g[0]), "shape of x"),
]
