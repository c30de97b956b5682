"""Checks of the exercises of tutorial 03."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...gradcheck import gradcheck


def task_3_1(answer: Callable) -> None:
    """`numerical_gradient`: of cubes, where the central difference is 3 x^2 + h^2 to the last digit."""
    for shape in ((3,), (2, 3), (2, 1, 2, 2)):
        x = np.random.default_rng(len(shape)).uniform(0.01, 1, shape)
        weights = np.random.default_rng(1).uniform(1, 2, shape)
        before, h = x.copy(), 0.1
        got = np.asarray(answer(lambda a: float((weights * a**3).sum()), x, h))
        far = np.abs(x - before).max()
        assert far < 1e-9, f"x is not what it was: a place was left moved by {far:.1e}; put each number back"
        assert far == 0, (
            f"x is off by {far:.0e}: adding h and taking it off again leaves rounding behind; keep the number, and put "
            "that back"
        )
        assert got.shape == shape, f"for x of shape {shape} the gradient must have that shape, got {got.shape}"
        wanted = weights * (3 * x**2 + h**2)
        if np.allclose(got, wanted, rtol=1e-9):
            continue
        for value, message in (
            (weights * (3 * x**2 + 3 * x * h + h**2), "this is the forward difference; ask f on both sides of x"),
            (weights * (3 * x**2 - 3 * x * h + h**2), "this is the backward difference; ask f on both sides of x"),
            (2 * wanted, "twice too large: x - h and x + h are 2h apart, so divide by 2h"),
            (wanted / 2, "half of what it should be: x - h and x + h are 2h apart, so divide by 2h, once"),
            (-wanted, "the sign is wrong: f above minus f below"),
            (wanted * 2 * h, "the difference is not divided by 2h"),
            (np.full(shape, wanted.sum()), "all places were moved together; move one, with the others where they are"),
        ):
            assert not np.allclose(got, value, rtol=1e-9), f"for a sum of cubes and h = {h}: {message}"
        place = np.unravel_index(np.abs(got - wanted).argmax(), shape)
        at = tuple(int(k) for k in place)
        raise AssertionError(
            f"at {at} a sum of cubes must have the slope {wanted[place]:.6f}, you return {got[place]:.6f}"
        )
    x = np.linspace(-1, 1, 5)
    got = np.asarray(answer(lambda a: float(a[0] * a[1] + np.sin(a[2:]).sum()), x))
    wanted = np.array([-0.5, -1.0, 1.0, math.cos(0.5), math.cos(1)])
    assert np.allclose(got, wanted, atol=1e-8), f"for x0 x1 + sin x2 + ... at {x} the gradient is {wanted}, got {got}"


def task_3_2(answer: Callable) -> None:
    """`relative_error`: values worked out by hand."""
    nan, inf = math.nan, math.inf
    signed = "a difference below zero counts as well: take its absolute value"
    cases = [
        (
            [3.0, 4.0],
            [3.0, 5.0],
            0.2,
            {0.25: "divide by the larger of the two numbers, not by `analytic`", 0.0: signed},
        ),
        ([3.0, 5.0], [3.0, 4.0], 0.2, {0.25: "divide by the larger of the two numbers, not by `numerical`"}),
        ([1.0], [-1.0], 2.0, {0.0: "|1| and |-1| are equal, but 1 and -1 are not: take the difference first"}),
        ([2.0, 2.0], [3.0, 2.0], 1 / 3, {0.0: signed}),
        (
            [2.0, -1.0, 0.0],
            [2.0, -1.0, 1e-11],
            1e-11 / math.sqrt(5 / 3),
            {1.0: "rounding at a place that is zero became an error of 1; divide at least by the root mean square"},
        ),
        ([0.0, 0.0], [0.0, 0.0], 0.0, {}),
        ([[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [2.0, 2.0]], 0.5, {}),
        ([1.0, nan], [1.0, 2.0], inf, {}),
        ([nan, 1.0], [2.0, 1.0], inf, {}),
        ([1.0, 2.0], [1.0, inf], inf, {}),
    ]
    for analytic, numerical, wanted, mistakes in cases:
        a, n = np.array(analytic), np.array(numerical)
        with np.errstate(all="ignore"):
            got = float(answer(a, n))
        case = f"for {analytic} and {numerical}"
        if got == wanted or math.isclose(got, wanted, rel_tol=1e-9):
            continue
        for value, message in mistakes.items():
            assert not math.isclose(got, value, rel_tol=1e-9, abs_tol=1e-30), f"{case} you return {got:.3g}: {message}"
        assert wanted != inf, f"{case} you return {got}: what is not a number must not pass, return inf"
        assert wanted != 0, f"{case} the error is 0, you return {got}: where the size is 0, divide by something else"
        share = [abs(x - y) for x, y in zip(a.ravel(), n.ravel()) if x != y]
        assert got >= wanted or len(share) > 1, (
            f"{case} you return {got:.3g}, which is less than {wanted:.3g}: return the largest error, not the mean, "
            "or one wrong number among a million right ones would not be seen"
        )
        raise AssertionError(f"{case} the error is {wanted:.3g}, you return {got:.3g}")


def task_3_3(answer: Callable) -> None:
    """`best_step`: there the two errors must pull equally hard, which is where their sum is smallest."""
    cases = [(1.0, 3.0, 1e-15), (8.0, 6.0, 2.2e-16), (0.5, 20.0, 1.2e-7), (-2.0, 0.1, 2.2e-16), (3.0, -7.0, 1e-10)]
    for value, third, eps in cases:
        with np.errstate(all="ignore"):
            h = answer(value, third, eps)
        case = f"for f = {value}, f''' = {third} and eps = {eps}"
        assert np.isrealobj(h) and np.isfinite(h) and h > 0, (
            f"{case} the step must be a number above 0, you return {h}: sizes have no sign, so take absolute values"
        )
        rounding, truncation = eps * abs(value) / h**2, h * abs(third) / 3  # the slopes of the two errors
        if math.isclose(rounding, truncation, rel_tol=1e-6):
            continue
        for wrong, message in (
            (2 * math.sqrt(eps * abs(value) / abs(third)), "a square root belongs to the forward difference"),
            (math.sqrt(eps * abs(value) / abs(third)), "a square root belongs to the forward difference"),
            (math.sqrt(eps), "a square root belongs to the forward difference"),
            (eps ** (1 / 3), "the right order of size; but the sizes of f and f''' matter too"),
            ((3 * eps * abs(third) / abs(value)) ** (1 / 3), "f and f''' have changed places"),
            (
                (6 * eps * abs(value) / abs(third)) ** (1 / 3),
                "here the two errors are equal; their sum is smallest where their slopes are, so differentiate first",
            ),
            ((eps * abs(value) / abs(third)) ** (1 / 3), "the factor is missing: the slope of h^2 / 6 is h / 3"),
        ):
            assert not math.isclose(h, wrong, rel_tol=1e-6), f"{case} you return {h:.3g}: {message}"
        raise AssertionError(
            f"{case} at your step {h:.3g} the error still falls when the step gets "
            f"{'larger' if rounding > truncation else 'smaller'}"
        )


def task_3_4(answer: Callable) -> None:
    """`UnitLength`: against central differences, and typical mistakes named."""
    for shape, seed in (((4, 3), 1), ((3, 3), 2), ((2, 5), 3), ((1, 3), 4)):
        rng = np.random.default_rng(seed)
        layer, x = answer(), 3 * rng.standard_normal(shape)
        y, cache = layer.forward(x.copy(), True)
        grad_y = rng.standard_normal(shape)
        handed = grad_y.copy()
        grad_x = np.asarray(layer.backward(handed, cache))
        assert (handed == grad_y).all(), "backward changed grad_y in place; make a new array"
        assert grad_x.shape == shape, f"grad_x must have the shape of x, {shape}, got {grad_x.shape}"
        report = gradcheck(layer, x)
        if report:
            continue
        r = np.linalg.norm(x, axis=1, keepdims=True)
        along = (grad_y * y).sum(1, keepdims=True)
        for wrong, message in (
            (grad_y / r, "that is the gradient if r were a constant; r depends on x too"),
            (grad_y - y * along, "right up to a factor: a longer x turns less, so divide by r"),
            ((grad_y + y * along) / r, "the sign of the second term: a larger x_j makes r larger, and y smaller"),
            ((grad_y - y * (grad_y * y).sum()) / r, "sum along axis 1: each row has a length of its own"),
            (
                (grad_y - y * (grad_y * y).sum(0)) / r,
                "the sum goes over the rows here; it must go along each row, axis 1",
            ),
            ((grad_y - x * along) / r, "the second term has y, not x: x is not of length 1"),
            ((grad_y - y * grad_y * y) / r, "the sum over i is missing: every y_i depends on every x_j of its row"),
        ):
            assert not np.allclose(grad_x, wrong, rtol=1e-7, atol=1e-10), f"wrong gradient: {message}"
        raise AssertionError(f"backward and forward disagree for x {shape}:\n{report}")
