"""Checks of the tasks of tutorial 14."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...layers import BatchNorm2d, Conv2d
from ...layers.layer import Parameter


def task_14_1(answer: Callable) -> None:
    """`to_torch_layout`: every number must be where PyTorch has it."""
    rng = np.random.default_rng(0)
    for name, shape, wanted, place in (
        ("images", (2, 3, 4, 5), (2, 5, 3, 4), lambda n, h, w, c: (n, c, h, w)),
        ("layer1.0.conv1.weight", (2, 3, 4, 5), (5, 4, 2, 3), lambda kh, kw, c, o: (o, c, kh, kw)),
        ("conv1.weight", (3, 3, 3, 3), (3, 3, 3, 3), lambda kh, kw, c, o: (o, c, kh, kw)),
        ("layer2.0.downsample.0.weight", (1, 1, 4, 5), (5, 4, 1, 1), lambda kh, kw, c, o: (o, c, kh, kw)),
        ("fc.weight", (4, 6), (6, 4), lambda i, o: (o, i)),
        ("bn1.bias", (7,), (7,), lambda c: (c,)),
    ):
        array = rng.standard_normal(shape)
        got = np.asarray(answer(name, array))
        assert got.shape == wanted, f"{name} of {shape} is {wanted} in PyTorch, got {got.shape}"
        for index in np.ndindex(*shape):
            assert got[place(*index)] == array[index], (
                f"{name}: the number at {index} belongs at {place(*index)} and is not there. The right shape is not "
                "enough: reshape keeps the numbers in their order, transpose moves them"
            )
        assert got.flags.c_contiguous, (
            f"{name}: the numbers do not lie in memory in the order of the axes; make the array contiguous, as files "
            "require (np.ascontiguousarray)"
        )


def task_14_2(answer: Callable) -> None:
    """`largest_difference`, on numbers computed by hand."""
    theirs = {"conv1.weight": np.array([[10.0, -20.0]]), "fc.bias": np.array([0.01, 0.02])}
    ours = {"conv1.weight": np.array([[10.0, -19.0]]), "fc.bias": np.array([0.01, 0.018])}
    name, difference = answer(ours, theirs)
    assert name != "conv1.weight", (
        "conv1.weight differs by more in absolute terms (1 against 0.002), but relative to its largest number it "
        "differs by only 5 %, and fc.bias by 10 %"
    )
    assert abs(difference - 1 / 9) > 1e-6, "you divided by the largest number of ours; b is from theirs"
    assert name == "fc.bias" and abs(difference - 0.1) < 1e-6, f"wanted ('fc.bias', 0.1), got {(name, difference)}"
    name, difference = answer({"a": np.array([-3.0, -5.0])}, {"a": np.array([2.0, -4.0])})
    assert abs(difference - 5 / 4) < 1e-6, (
        f"max |a - b| / max |b| of [-3, -5] and [2, -4] is 5 / 4, got {difference}; take both maxima, then one quotient"
    )
    for wrong, what in (
        ({"fc.bias": ours["fc.bias"]}, "a name that is missing"),
        ({**ours, "bn1.bias": np.ones(2)}, "a name too many"),
        ({**ours, "conv1.weight": np.array([[10.0], [-20.0]])}, "a shape that is not the same, (2, 1) and (1, 2),"),
    ):
        try:
            answer(wrong, theirs)
        except ValueError as error:
            assert any(n in str(error) for n in ("conv1.weight", "bn1.bias")), (
                f"the error must name the array, got: {error}"
            )
        except KeyError:
            raise AssertionError(f"{what} must raise ValueError, not KeyError") from None
        else:
            raise AssertionError(f"{what} must raise ValueError")


def task_14_3(answer: Callable) -> None:
    """`fold_batchnorm`: one convolution against the library's two layers, in evaluation."""
    rng = np.random.default_rng(0)
    conv = Conv2d(2, 3, 3, padding=1, bias=False, rng=rng).astype(np.float64)
    norm = BatchNorm2d(3, eps=0.3).astype(np.float64)  # large, so that a forgotten eps shows
    for buffer in (norm.weight, norm.bias, norm.running_mean):
        buffer.value = rng.standard_normal(3)
    norm.running_var.value = rng.uniform(0.5, 3, 3)
    arrays = [b.value for b in (conv.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)]
    weight, bias = map(np.asarray, answer(*arrays, 0.3))
    assert np.shape(weight) == (3, 3, 2, 3) and np.shape(bias) == (3,), (
        f"wanted shapes (3, 3, 2, 3) and (3,), got {np.shape(weight)} and {np.shape(bias)}"
    )
    folded = Conv2d(2, 3, 3, padding=1, rng=rng).astype(np.float64)
    folded.weight.value, folded.bias = weight, Parameter(bias)
    x = rng.standard_normal((2, 4, 5, 2))
    expected, got = norm(conv(x)), folded(x)
    if np.allclose(got, expected):
        return
    apart = got - expected
    if np.allclose(apart.std((0, 1, 2)), 0):
        raise AssertionError(
            f"right but for the bias, which is off by {apart.mean((0, 1, 2)).round(3)}: the bias is "
            "shift - mean * scale / sqrt(var + eps)"
        )
    ratio = (got - bias) / (expected - (norm.bias.value - norm.running_mean.value * norm.weight.value
                                        / np.sqrt(norm.running_var.value + 0.3)))  # fmt: skip
    raise AssertionError(
        f"the output is {np.median(ratio, (0, 1, 2)).round(3)} times what it should be, per channel; the factor is "
        "scale / sqrt(var + eps), with the eps given, and var is a variance, not yet a standard deviation"
    )


def task_14_4(value: Any) -> None:
    """`Value`: derivatives computed by hand."""
    for x, y, dy in ((-1.5, 0.0, 0.0), (2.0, 2.0, 1.0), (0.0, 0.0, 0.0)):
        a = value(x)
        out = a.relu()
        assert isinstance(out, value), f"relu must return a new Value, got {type(out).__name__}"
        assert out.data == y, f"relu of {x} is {y}, got {out.data}"
        out.backward()
        assert out.grad == 1, f"the gradient of the output itself must be 1, got {out.grad}"
        assert a.grad == dy, f"the derivative of relu at {x} is {dy}, got {a.grad}"
    a, b = value(2.0), value(-3.0)
    (a * b + a).backward()
    assert b.grad == 2, f"d(ab + a)/db is a = 2, got {b.grad}"
    assert a.grad != 1 and a.grad != -3, f"a was used twice: d(ab + a)/da is b + 1 = -2, got {a.grad}; use +=, not ="
    assert a.grad == -2, f"d(ab + a)/da is b + 1 = -2, got {a.grad}"
    a = value(3.0)
    square = a * a
    fourth = square * square
    (fourth + square).backward()
    assert a.grad == 4 * 27 + 2 * 3, (
        f"d(a^4 + a^2)/da at 3 is 114, got {a.grad}: was the gradient of a^2 passed on before both of its uses "
        "had added their part?"
    )
    (fourth + square).backward()
    assert a.grad == 114, f"a second backward must start from 0 and give 114 again, got {a.grad}"
    for swap in (False, True):
        a, two, three = value(1.0), value(2.0), value(3.0)
        near = a * two  # used one operation before the end, and three operations before
        far = (near * three).relu()
        (near + far if swap else far + near).backward()
        assert a.grad == 8, (
            f"d(2a + relu(2a * 3))/da is 2 + 6 = 8, got {a.grad}. 2a is used near the end and far from it, so it "
            "must wait for both uses; an order by distance from the end (breadth first) does not wait"
        )
    a = value(1.0)
    x = a
    visits = _Visits()
    for _ in range(60):  # a chain of residual connections y = x + x, with 2^60 ways from its end to its start
        x = x + x
        x.parents = visits.counted(x.parents)
    x.backward()
    assert a.grad == 2.0**60, f"x + x, sixty times, has the derivative 2^60, got {a.grad}"


class _Visits:
    """Counts how often the parents of values are looked at, so that an answer without a memo ends with a message."""

    count = 0

    def counted(self, parents: tuple) -> tuple:
        """The same parents, counted."""
        visits = self

        class Counted(tuple):
            def __iter__(self) -> Any:
                visits.add()
                return super().__iter__()

            def __getitem__(self, index: Any) -> Any:
                visits.add()
                return super().__getitem__(index)

        return Counted(parents)

    def add(self) -> None:
        """One visit more."""
        self.count += 1
        assert self.count < 20_000, (
            "x + x, sixty times: your backward visits the same values again and again, 2^60 times in all. Remember "
            "which values you have visited"
        )
