"""Checks of the tasks of tutorial 03."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from ...gradcheck import gradcheck
from ...layers import BatchNorm2d, Linear
from ...verify.definitions import batch_norm, numerical_gradient
from .compare import ArgumentChanged, compare, number
from .contract import one_gradient


def task_3_1(answer: Callable) -> None:
    """`central_differences`: of cubes, whose central difference is 3 x^2 + h^2 exactly; then of another function."""
    for shape in ((3,), (2, 3), (2, 1, 2, 2)):
        x = np.random.default_rng(len(shape)).uniform(0.01, 1, shape)
        weights = np.random.default_rng(1).uniform(1, 2, shape)
        before, h = x.copy(), 0.1
        with suppress(ArgumentChanged):  # what follows says more
            got = np.asarray(answer(lambda a: float((weights * a**3).sum()), x, h))
        off = np.abs(x - before).max()
        assert off < 1e-9, f"x is not what it was: a number is still changed by {off:.1e}; put each number back"
        assert off == 0, (
            f"x is off by {off:.0e}: adding h and subtracting it again leaves a rounding error; store the number, and "
            "put that back"
        )
        assert got.shape == shape, f"for x of shape {shape} the gradient must have that shape, got {got.shape}"
        wanted = weights * (3 * x**2 + h**2)
        mistakes = {
            "this is the forward difference; evaluate f on both sides of x": weights * (3 * x**2 + 3 * x * h + h**2),
            "this is the backward difference; evaluate f on both sides of x": weights * (3 * x**2 - 3 * x * h + h**2),
            "twice too large: x - h and x + h are 2h apart, so divide by 2h": 2 * wanted,
            "half of what it should be: x - h and x + h are 2h apart, so divide by 2h, once": wanted / 2,
            "the sign is wrong: subtract f(x - h) from f(x + h)": -wanted,
            "the difference is not divided by 2h": wanted * 2 * h,
            "all numbers were changed together; change one, and keep the others as they are": wanted.sum(),
            "you changed the number by 2h on each side; change it by h": weights * (3 * x**2 + 4 * h**2),
            "you did not use h, but another step size": weights * 3 * x**2,
        }
        compare(got, wanted, mistakes, f"for a sum of weighted cubes of x {shape} and h = {h}, the result")
    x = np.linspace(-1, 1, 5)
    got = answer(lambda a: float(a[0] * a[1] + np.sin(a[2:]).sum()), x)
    wanted = np.array([-0.5, -1.0, 1.0, math.cos(0.5), math.cos(1)])
    compare(got, wanted, {}, f"with the default step, the gradient of x0 x1 + sin x2 + sin x3 + sin x4 at {x}")


def task_3_2(answer: Callable) -> None:
    """`best_step`: where the slopes of the two errors cancel, because there their sum is smallest."""
    cases = [(1.0, 3.0, 1e-15), (8.0, 6.0, 2.2e-16), (0.5, 20.0, 1.2e-7), (-2.0, 0.1, 2.2e-16), (3.0, -7.0, 1e-10)]
    for value, third, eps in cases:
        with np.errstate(all="ignore"):
            h = answer(value, third, eps)
        case = f"for f = {value}, f''' = {third} and eps = {eps},"
        assert np.isrealobj(h) and np.isfinite(h) and h > 0, (
            f"{case} the step must be a positive number, you return {h}: take the absolute values of f and f'''"
        )
        rounding, truncation = eps * abs(value) / h**2, h * abs(third) / 3  # the slopes of the two errors
        if math.isclose(rounding, truncation, rel_tol=0.03):  # 1 % of h, since their quotient has h**3
            continue
        v, t = abs(value), abs(third)
        for wrong, message in (
            (eps * v / t, "x ** 1 / 3 is x divided by 3; write x ** (1 / 3)"),
            (2 * math.sqrt(eps * v / t), "a square root is right for the forward difference, not the central one"),
            (math.sqrt(eps * v / t), "a square root is right for the forward difference, not the central one"),
            (math.sqrt(eps), "a square root is right for the forward difference, not the central one"),
            (eps ** (1 / 3), "the right order of magnitude, but f and f''' matter too"),
            ((3 * eps * t / v) ** (1 / 3), "f and f''' are swapped"),
            (
                (6 * eps * v / t) ** (1 / 3),
                "here the two errors are equal; their sum is smallest where its derivative is zero",
            ),
            ((eps * v / t) ** (1 / 3), "a factor is missing: the derivative of h**2 / 6 is h / 3"),
        ):
            assert not math.isclose(h, wrong, rel_tol=1e-6), f"{case} you return {h:.3g}: {message}"
        direction = "larger" if rounding > truncation else "smaller"
        raise AssertionError(f"{case} at your step, {h:.3g}, the error still falls if the step gets {direction}")


def task_3_3(answer: Callable) -> None:
    """`compare_gradients`: a layer with one wrong gradient, and a layer that behaves differently in training."""
    rng = np.random.default_rng(0)
    layer, x, g = _MeanBias(3, 2, rng=rng).astype(np.float64), rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    before, given = {"x": x.copy(), "weight": layer.weight.value.copy(), "bias": layer.bias.value.copy()}, g.copy()
    with suppress(ArgumentChanged):  # what follows says more
        got = answer(layer, x, given)
    for name, now in {"x": x, "weight": layer.weight.value, "bias": layer.bias.value}.items():
        assert np.array_equal(now, before[name]), (
            f"{name} must be as it was: numerical_gradient puts its numbers back, so something else changed it"
        )
    assert np.array_equal(given, g), (
        "backward changed your g in place; this layer does so on purpose, so give it a copy"
    )
    assert isinstance(got, dict), f"return a dictionary, got {type(got).__name__}"
    for name in ("input", "weight", "bias"):
        assert name in got, f'for Linear the keys are "input", "weight" and "bias"; {name!r} is missing'
    assert len(got) == 3, f'for Linear the keys are "input", "weight" and "bias", got {sorted(got)}'
    right = {"input": g @ before["weight"].T, "weight": x.T @ g, "bias": g.sum(0)}
    for name, numerical in right.items():
        analytic = numerical if name != "bias" else g.mean(0)  # the planted mistake
        pair = got[name]
        assert isinstance(pair, (tuple, list)) and len(pair) == 2, f"{name!r} must map to a pair, (backward, numerical)"
        told = f"for a Linear layer whose bias gradient is wrong on purpose, {name!r}"
        swapped = np.allclose(pair[0], numerical, atol=1e-7) and np.allclose(pair[1], analytic, atol=1e-7)
        if name == "bias":
            assert not swapped, f"{told}: the pair is swapped; the gradient from backward comes first"
        mistakes = {
            "the numerical gradient is zero: the loss did not notice the change. Did you pass a copy?": 0 * numerical,
            "your numerical gradient is that of backward; compute it from the forward pass": analytic,
            "L is the sum of y * g, not their mean": numerical / g.size,
            "L must contain g: with the sum of the outputs alone, every g is 1": _ones(x, before["weight"], g)[name],
            "the sign is wrong": -numerical,
        }
        compare(pair[1], numerical, mistakes, f"{told} (numerical)")
        mistakes = {"that is the numerical gradient; return what backward gives, even if it is wrong": numerical}
        compare(pair[0], analytic, mistakes if name == "bias" else {}, f"{told} (from backward)")
    norm, x, g = (
        BatchNorm2d(2).astype(np.float64),
        3 + rng.standard_normal((3, 2, 2, 2)),
        rng.standard_normal((3, 2, 2, 2)),
    )
    got = answer(norm, x.copy(), g)
    wanted = numerical_gradient(lambda x: float((batch_norm(x, np.ones(2), np.zeros(2), norm.eps) * g).sum()), x)
    mistakes = {"you called forward in evaluation mode; pass training=True, every time": g / (1 + norm.eps) ** 0.5}
    for place, kind in ((0, "from backward"), (1, "numerical")):
        compare(got["input"][place], wanted, mistakes, f"for a batch norm in training, 'input' ({kind})")


def task_3_4(answer: Callable) -> None:
    """`relative_error`, of arrays whose errors are computed by hand."""
    nan, inf = math.nan, math.inf
    told = {  # what the mistake is, by its result
        1 / 2: "without the root mean square, a small number next to large ones counts as much as a large one",
        1 / 3: "that is the standard deviation; the root mean square does not subtract the mean",
        1 / 4: "that is the mean of |analytic|, not its root mean square",
        1 / math.sqrt(26.5): "take the root mean square of `analytic`, not of `numerical`",
        1 / math.sqrt(50): "the mean is missing: this is the root of the sum of the squares",
        1 / 7: "the largest |analytic| is not its root mean square",
        0.1: "return the largest error, not the mean: one wrong number among a million must not go unnoticed",
        0.0: "take the absolute value of the difference",
    }
    signs = {0.0: "|1| and |-1| are equal, but 1 and -1 are not: subtract first, then take the absolute value"}
    cases = [
        ([7.0, 1], [7.0, 2], 0.2, told),  # the root mean square of `analytic` is 5
        ([2.0, 4], [2.0, 5], 0.2, {0.25: "|numerical| is larger here: divide by the largest of the three"}),
        ([2.0, 5], [2.0, 4], 0.2, {0.25: "|analytic| is larger here: divide by the largest of the three"}),
        ([1.0], [-1.0], 2.0, signs),
        ([[7.0, 7], [1, 1]], [[7.0, 7], [1, 3]], 0.4, {2 / 3: "there is one root mean square for the whole array"}),
        ([[7.0, 1], [7, 1]], [[7.0, 1], [7, 3]], 0.4, {2 / 3: "there is one root mean square for the whole array"}),
        ([0.0, 0], [0.0, 0], 0.0, {}),
        ([0.0, 0], [0.0, 2], 1.0, {0.0: "`analytic` is zero where `numerical` is not: that is wrong"}),
        ([1.0, nan], [1.0, 2], inf, {}),
        ([nan, 1.0], [2.0, 1], inf, {}),
        ([inf, 1.0], [1.0, 1], inf, {}),
        ([1.0, inf], [1.0, inf], inf, {}),
    ]
    for analytic, numerical, wanted, mistakes in cases:
        try:
            with np.errstate(all="ignore"):
                got = number(answer(np.array(analytic), np.array(numerical)))
        except ZeroDivisionError:
            told = f"for {analytic} and {numerical} you divide by zero; two arrays of zeros agree, so return 0.0"
            raise AssertionError(told) from None
        if got == wanted or math.isclose(got, wanted, rel_tol=1e-6):
            continue
        case = f"for {analytic} and {numerical} you return {got:.4g}"
        assert wanted != inf, f"{case}: with nan or infinity in either array, return infinity, so that the check fails"
        assert np.any(analytic) or np.any(numerical), f"{case}: two arrays of zeros agree, so return 0.0"
        for value, message in mistakes.items():
            assert not math.isclose(got, value, rel_tol=1e-6, abs_tol=1e-12), f"{case}: {message}"
        raise AssertionError(f"{case}, but the error is {wanted:.4g}")


def task_3_5(answer: Callable) -> None:
    """`UnitLength`: against central differences, and typical mistakes named."""
    for shape, seed in (((4, 3), 1), ((3, 3), 2), ((2, 5), 3), ((1, 3), 4)):
        rng = np.random.default_rng(seed)
        layer, x = answer(), 3 * rng.standard_normal(shape)
        y, cache = layer.forward(x.copy(), True)
        grad_y = rng.standard_normal(shape)
        given = grad_y.copy()
        grad_x = layer.backward(given, cache)
        assert (given == grad_y).all(), "backward changed grad_y in place; make a new array"
        grad_x = one_gradient(grad_x, x)
        r = np.linalg.norm(x, axis=1, keepdims=True)
        along = (grad_y * y).sum(1, keepdims=True)
        mistakes = {
            "that would be the gradient if r were a constant; r depends on x too": grad_y / r,
            "right up to a factor: the longer x is, the less y changes, so divide by r": grad_y - y * along,
            "the sign of the second term is wrong: a larger x_j makes r larger and y smaller": (grad_y + y * along) / r,
            "sum along axis 1: each row has a length of its own": (grad_y - y * (grad_y * y).sum()) / r,
            "the sum runs over the rows; it must run along each row, axis 1": (grad_y - y * (grad_y * y).sum(0)) / r,
            "the second term contains y, not x: x does not have length 1": (grad_y - x * along) / r,
            "take the sum, not the mean": (grad_y - y * along / shape[1]) / r,
            "the sum over i is missing: every y_i depends on every x_j of its row": (grad_y - y * grad_y * y) / r,
        }
        wanted = numerical_gradient(lambda x: float((x / np.sqrt((x**2).sum(1))[:, None] * grad_y).sum()), x)
        compare(grad_x, wanted, mistakes, f"grad_x for x {shape}")
        report = gradcheck(layer, x)
        assert report, f"backward and forward disagree for x {shape}:\n{report}"


class _MeanBias(Linear):
    """A linear layer with two mistakes: the gradient of its bias is a mean, and it changes grad_y in place."""

    def backward(self, grad_y: np.ndarray, x: np.ndarray) -> np.ndarray:
        grad_x = super().backward(grad_y, x)
        self.bias.grad = grad_y.mean(0)
        grad_y *= 0
        return grad_x


def _ones(x: np.ndarray, weight: np.ndarray, g: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients of a linear layer for the sum of its outputs."""
    ones = np.ones_like(g)
    return {"input": ones @ weight.T, "weight": x.T @ ones, "bias": ones.sum(0)}
