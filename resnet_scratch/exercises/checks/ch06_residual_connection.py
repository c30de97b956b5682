"""Checks of the exercises of tutorial 06."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ...gradcheck import gradcheck
from ...verify.definitions import pool
from .compare import compare, number
from .contract import blame, check_backward, contract, upstream


def task_6_1(answer: Callable) -> None:
    """`TinyResidual`: forward number by number, backward against central differences."""
    layer = answer(2, np.random.default_rng(0))
    layer.weight.value = np.array([[1.0, -1.0], [0.5, 2.0]])
    y, _ = contract(layer, np.array([[2.0, -1.0], [1.0, 1.0]]))  # x W = [[1.5, -4], [1.5, 1]]
    assert y.shape == (2, 2), f"y must have the shape of x, (2, 2), got {y.shape}"
    mistakes = {
        "your ReLU comes after the addition; in y = x + relu(x W) it is on the branch only": [[3.5, 0], [2.5, 2]],
        "y is the branch only; add x: y = x + relu(x W)": [[1.5, 0], [1.5, 1]],
        "the ReLU is missing: y = x + relu(x W)": [[3.5, -5], [2.5, 2]],
        "x W is the matrix product, `x @ W`, not the product of the elements": [[4, 0], [1.5, 3]],
        "W is transposed: in y = x + relu(x W), x W is x @ W": [[5, -1], [1, 3.5]],
    }
    compare(y, [[3.5, -1], [2.5, 2]], mistakes, "for x = [[2, -1], [1, 1]] and W = [[1, -1], [0.5, 2]], y")
    for shape, seed in (((3, 2), 0), ((5, 4), 1), ((1, 3), 2)):
        rng = np.random.default_rng(seed)
        layer, x = answer(shape[1], rng), rng.standard_normal(shape)
        grad_x = check_backward(layer, x)
        weight, grad_y = layer.weight.value, upstream(x)
        assert layer.weight.grad is not None, "backward must set self.weight.grad, the gradient with respect to W"
        mistakes = {
            "grad_x is only what comes back through the branch; x also went through the shortcut, whose gradient is "
            "grad_y": (grad_h := grad_y * (x @ weight > 0)) @ weight.T,
            "grad_x is only what comes back through the shortcut; add grad_h W^T, the part of the branch": grad_y,
            "the ReLU is missing in backward: where x W is not positive, the branch gets no gradient": grad_y
            + grad_y @ weight.T,
            "the ReLU is on the branch only: the shortcut's part of grad_x is grad_y, without the mask": grad_h
            + grad_h @ weight.T,
            "the mask is h > 0, not y > 0: the ReLU does not see the sum": grad_y
            + (grad_y * (x + np.maximum(x @ weight, 0) > 0)) @ weight.T,
            "the branch's part of grad_x needs W transposed: grad_h W^T": grad_y + grad_h @ weight,
        }
        report = gradcheck(layer, x)
        if not report:
            blame(report, grad_x, mistakes)


def task_6_2(answer: Callable) -> None:
    """`AveragePad`: against the definition of pooling; backward against central differences."""
    for (N, H, W, C), O in (((1, 2, 2, 1), 2), ((2, 4, 6, 3), 5), ((2, 6, 2, 2), 2)):
        x = np.random.default_rng(H).standard_normal((N, H, W, C))
        layer = answer(C, O)
        y, _ = contract(layer, x, needs_cache=False)
        wanted = (N, H // 2, W // 2, O)
        assert y.shape == wanted, f"for x {x.shape} and {O} output channels y must be {wanted}, got {y.shape}"
        assert y.dtype == x.dtype, f"for {x.dtype} x, y must be {x.dtype}, got {y.dtype}: make arrays with x.dtype"
        sums = pool(x, np.sum, kernel_size=2, stride=2)
        assert not y[..., C:].any(), (
            f"the channels from {C} on must be zero, and the means come first; channel {C} has {y[0, 0, 0, C:]}"
        )
        mistakes = {
            "these are sums of 2x2 blocks of pixels; the mean is a quarter of the sum": sums,
            "this takes one pixel in four, as option A does; take the mean of all four": x[:, ::2, ::2],
        }
        compare(y[..., :C], sums / 4, mistakes, f"the first {C} channels of y")
        single = layer.forward(x.astype(np.float32), True)[0].dtype
        assert single == np.float32, f"for float32 x, y must be float32, got {single}: make arrays with x.dtype"
        grad_x, quarter = check_backward(layer, x), upstream(y)[..., :C] / 4
        spread = quarter.repeat(2, axis=1).repeat(2, axis=2)
        corner = np.zeros_like(x)
        corner[:, ::2, ::2] = quarter
        mistakes = {
            "each of the four pixels enters the mean with the factor 1/4, so it gets 1/4 of the gradient": 4 * spread,
            "only the upper left pixel of each block gets a gradient; all four are in the mean": corner,
            "the upper left pixel of each block gets the whole gradient; each of the four gets a quarter": 4 * corner,
        }
        if not (report := gradcheck(layer, x)):
            blame(report, grad_x, mistakes)


def task_6_3(answer: Callable) -> None:
    """`NormAfterAddBlock`: backward against central differences, and the two paths apart."""
    for shape, seed in (((2, 4, 5, 3), 0), ((3, 3, 3, 2), 1)):
        rng = np.random.default_rng(seed)
        layer, x = _off_kinks(answer(shape[3], rng), rng), rng.standard_normal(shape)
        grad_x, report = check_backward(layer, x), gradcheck(layer, x)
        if report:
            continue
        y, (conv1, bn1, relu1, conv2, _, bn2, _) = layer.forward(x, True)
        grad_y = upstream(y)

        def branch(g: np.ndarray) -> np.ndarray:
            g = layer.relu1.backward(layer.conv2.backward(g, conv2), relu1)
            return layer.conv1.backward(layer.bn1.backward(g, bn1), conv1)

        after_relu = grad_y * (y > 0)
        shortcut = layer.bn2.backward(after_relu, bn2)
        without_relu = layer.bn2.backward(grad_y, bn2)
        mistakes = {
            "grad_x is only what comes back through the branch; add what comes back through the shortcut": branch(
                shortcut
            ),
            "grad_x is only what comes back through the shortcut; add what comes back through the branch": shortcut,
            "the shortcut's part of grad_x is grad_y as you were given it; x went through bn2 and relu2 as well, so "
            "take the gradient of the sum, after bn2.backward": branch(shortcut) + grad_y,
            "the shortcut's part of grad_x has not been through bn2, which comes after the addition here": branch(
                shortcut
            )
            + after_relu,
            "relu2 is missing in backward": branch(without_relu) + without_relu,
        }
        blame(report, grad_x, mistakes)


def task_6_4(answer: Callable) -> None:
    """`mean_after`: by hand, and against a simulation."""
    cases = [(10, 0.0, 1.0), (54, 0.4, 1.0), (20, 1.0, 0.5), (7, -2.0, 0.0)]
    got = [number(answer(*case)) for case in cases]
    mistakes: dict[str, Callable] = {
        "half of the numbers are positive, but E[relu(z)] is not 1/2": lambda n, a, c: a + n * c / 2,
        "the scale is not used: z is `scale` times a standard normal variable": lambda n, a, c: a + n / root,
        "the scale enters squared; that is so for variances, not for means": lambda n, a, c: a + n * c**2 / root,
        "means add; the square root is for the spread of independent signals": lambda n, a, c: (
            a + math.sqrt(n) * c / root
        ),
        "add `start`, the mean before the first block": lambda n, a, c: n * c / root,
        "that is the mean after one block; every block adds the same amount": lambda n, a, c: a + c / root,
        "the mean does not stay the same: relu(z) is never negative, so every block raises it": lambda n, a, c: a,
        "this is E[|z|]; relu makes half of the numbers zero": lambda n, a, c: a + 2 * n * c / root,
    }
    root = math.sqrt(2 * math.pi)
    wanted = [start + 0.3989422804014327 * blocks * scale for blocks, start, scale in cases]
    results = {message: [formula(*case) for case in cases] for message, formula in mistakes.items()}
    compare(got, wanted, results, f"for (blocks, start, scale) = {', '.join(map(str, cases))} the means")
    rng = np.random.default_rng(0)
    signal = np.full(200_000, 0.3)
    for _ in range(6):
        signal = signal + np.maximum(0.7 * rng.standard_normal(signal.size), 0)
    mean = number(answer(6, 0.3, 0.7))
    assert abs(mean - signal.mean()) < 0.02, f"a simulation of 6 blocks gave {signal.mean():.3f}, you return {mean:.3f}"


def task_6_5(answer: Callable) -> None:
    """`ResidualBlock`: the formula in both modes, then backward against central differences, with and without a
    projection."""
    for channels, width, stride in ((3, 3, 1), (2, 4, 2)):
        rng = np.random.default_rng(channels)
        layer = _off_kinks(answer(channels, width, stride, "B", rng), rng)
        x = rng.standard_normal((3, 5, 6, channels))
        case = f"{channels} to {width} channels, stride {stride}"
        ys = []
        contract(layer, x)
        for training in (False, True):
            y = np.asarray(layer.forward(x, training)[0])
            branch, shortcut, _ = _parts(layer, x, training)
            mode = "training" if training else "evaluation"
            assert np.shape(y) == branch.shape, f"{case}: y must have the shape {branch.shape}, got {np.shape(y)}"
            mistakes = {
                "the shortcut is missing from y": np.maximum(branch, 0),
                "the last ReLU is missing": branch + shortcut,
                "add first, then apply relu2 to the sum": np.maximum(branch, 0) + shortcut,
                "pass `training` on to every layer; batch norm needs it": np.maximum(
                    sum(_parts(layer, x, not training)[:2]), 0
                ),
            }
            compare(y, np.maximum(branch + shortcut, 0), mistakes, f"{case}, in {mode}: y", only_mistakes=True)
            assert np.allclose(y, np.maximum(branch + shortcut, 0)), (
                f"{case}, in {mode}: y is not relu2(F(x) + shortcut); did every layer get `training`, the shortcut too?"
            )
            ys.append(y)
        grad_x, report = check_backward(layer, x), gradcheck(layer, x)
        if report:
            continue
        grad_y = upstream(ys[1])
        grad_sum = grad_y * (ys[1] > 0)
        _, _, back = _parts(layer, x, True)
        (through_branch, through_shortcut), whole = back(grad_sum), back(grad_y)
        mistakes = {
            "grad_x is only what comes back through the branch; x also went through the shortcut": through_branch,
            "grad_x is only what comes back through the shortcut; add what comes back through the branch": (
                through_shortcut
            ),
            "the shortcut's gradient is that of the sum, after relu2.backward, not grad_y": through_branch + whole[1],
            "relu2 is missing in backward": whole[0] + whole[1],
        }
        blame(report, grad_x, mistakes)


def _parts(layer: Any, x: np.ndarray, training: bool) -> tuple[np.ndarray, np.ndarray, Callable]:
    """What the branch and the shortcut of a `ResidualBlock` put out, and their backward pass."""
    caches, h = {}, x
    for name in ("conv1", "bn1", "relu1", "conv2", "bn2"):
        h, caches[name] = getattr(layer, name).forward(h, training)
    shortcut, downsample = layer.downsample.forward(x, training)

    def back(grad_sum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        g = grad_sum
        for name in reversed(caches):
            g = getattr(layer, name).backward(g, caches[name])
        return g, layer.downsample.backward(grad_sum, downsample)

    return h, shortcut, back


def _off_kinks(layer: Any, rng: np.random.Generator) -> Any:
    """The layer in float64, with random scales and biases, so that no ReLU sees an exact zero."""
    layer = layer.astype(np.float64)
    for norm in (layer.bn1, layer.bn2):
        norm.weight.value = rng.uniform(0.5, 1.5, norm.weight.value.shape)
        norm.bias.value = rng.uniform(-0.5, 0.5, norm.bias.value.shape)
    return layer
