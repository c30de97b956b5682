"""Checks of the exercises of tutorial 06."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...gradcheck import gradcheck
from ...layers.layer import Layer
from ...verify.definitions import pool


def _unchanged(layer: Layer, x: np.ndarray) -> None:
    """Neither forward nor backward may write into what they are handed."""
    before = x.copy()
    y, cache = layer.forward(x, True)
    assert (x == before).all(), "forward changed x in place; make a new array: whoever handed it in needs it as well"
    handed = np.random.default_rng(1).standard_normal(y.shape)
    kept = handed.copy()
    layer.backward(handed, cache)
    assert (handed == kept).all(), (
        "backward changed grad_y in place; make a new array (g * mask, not g *= mask): an addition hands the very same "
        "array to two layers"
    )


def task_6_1(answer: Callable) -> None:
    """`TinyResidual`: forward number by number, backward against central differences."""
    layer = answer(2, np.random.default_rng(0))
    layer.weight.value = np.array([[1.0, -1.0], [0.5, 2.0]])
    y, _ = layer.forward(np.array([[2.0, -1.0], [1.0, 1.0]]), True)  # x W = [[1.5, -4], [1.5, 1]]
    wanted = np.array([[3.5, -1.0], [2.5, 2.0]])
    assert np.shape(y) == (2, 2), f"y must have the shape of x, (2, 2), got {np.shape(y)}"
    assert not np.allclose(y, [[3.5, 0.0], [2.5, 2.0]]), (
        "the ReLU stands behind the addition in your forward; in y = x + relu(x W) it is on the branch only"
    )
    assert not np.allclose(y, [[1.5, 0.0], [1.5, 1.0]]), "y is the branch only; add x: y = x + relu(x W)"
    assert np.allclose(y, wanted), f"for x = [[2, -1], [1, 1]] and W = [[1, -1], [.5, 2]] y must be {wanted}, got {y}"
    for shape, seed in (((3, 2), 0), ((5, 4), 1), ((1, 3), 2)):
        rng = np.random.default_rng(seed)
        layer, x = answer(shape[1], rng), rng.standard_normal(shape)
        _unchanged(layer, x)
        report = gradcheck(layer, x)
        if report:
            continue
        y, cache = layer.forward(x, True)
        grad_y = rng.standard_normal(y.shape)
        grad_x = np.asarray(layer.backward(grad_y, cache))
        grad_h = grad_y * (x @ layer.weight.value > 0)
        assert not _same(grad_x, grad_h @ layer.weight.value.T), (
            "grad_x is what comes back through the branch; x also went through the shortcut, whose gradient is grad_y"
        )
        assert not _same(grad_x, grad_y), "grad_x is the shortcut's only; add grad_h W^T, what comes through the branch"
        assert not _same(grad_x, grad_y + grad_y @ layer.weight.value.T), (
            "the ReLU is missing on the way back: where x W was not positive the branch gets no gradient"
        )
        assert not _same(grad_x, grad_h + grad_h @ layer.weight.value.T), (
            "the ReLU stands on the branch only: the shortcut's part of grad_x is grad_y, without the mask"
        )
        raise AssertionError(f"the gradients do not fit the forward:\n{report}")


def task_6_2(answer: Callable) -> None:
    """`AveragePad`: against the definition of pooling; backward against central differences."""
    for (N, H, W, C), O in (((1, 2, 2, 1), 2), ((2, 4, 6, 3), 5), ((2, 6, 2, 2), 2)):
        rng = np.random.default_rng(H)
        x = rng.standard_normal((N, H, W, C))
        layer = answer(C, O)
        y = np.asarray(layer.forward(x, True)[0])
        assert y.shape == (N, H // 2, W // 2, O), (
            f"for x {x.shape} and {O} output channels y must be {(N, H // 2, W // 2, O)}, got {y.shape}"
        )
        sums = pool(x, np.sum, kernel_size=2, stride=2)
        assert not y[..., C:].any(), (
            f"the channels from {C} on must be zero, the means come first; channel {C} has {y[0, 0, 0, C:]}"
        )
        found = y[..., :C]
        assert not _same(found, sums), "these are sums over 2x2 pixels; the mean is a quarter of them"
        assert not _same(found, x[:, ::2, ::2]), "this takes one pixel of four, as option A; take the mean of all four"
        assert np.allclose(found, sums / 4), (
            f"y at row 0, column 0 must be {sums[0, 0, 0] / 4}, the mean of x[0, :2, :2], got {found[0, 0, 0]}"
        )
        _unchanged(layer, x)
        single = layer.forward(x.astype(np.float32), True)[0].dtype
        assert single == np.float32, f"for x of float32 y must be float32, got {single}: make arrays with x.dtype"
        if gradcheck(layer, x):
            continue
        y, cache = layer.forward(x, True)
        grad_x = np.asarray(layer.backward(np.ones_like(y), cache))
        assert grad_x.shape == x.shape, f"grad_x must have the shape of x, {x.shape}, got {grad_x.shape}"
        assert not np.allclose(grad_x, 1), (
            "each of the four pixels entered with 1/4, so it gets 1/4 of the gradient, not all"
        )
        assert not (grad_x[:, ::2, ::2] != 0).all() or grad_x[:, 1::2, 1::2].any(), (
            "only the upper left pixel of each 2x2 gets a gradient; all four went into the mean"
        )
        raise AssertionError(f"the gradient does not fit the forward:\n{gradcheck(layer, x)}")


def task_6_3(answer: Callable) -> None:
    """`NormAfterAddBlock`: backward against central differences, and the two ways apart."""
    for shape, seed in (((2, 4, 5, 3), 0), ((3, 3, 3, 2), 1)):
        rng = np.random.default_rng(seed)
        layer, x = answer(shape[3], rng).astype(np.float64), rng.standard_normal(shape)
        for norm in (layer.bn1, layer.bn2):  # numbers that are no exact zeros, away from ReLU's kink
            norm.weight.value, norm.bias.value = rng.uniform(0.5, 1.5, shape[3]), rng.uniform(-0.5, 0.5, shape[3])
        _unchanged(layer, x)
        report = gradcheck(layer, x)
        if report:
            continue
        y, (conv1, bn1, relu1, conv2, add, bn2, relu2) = layer.forward(x, True)
        grad_y = rng.standard_normal(y.shape)
        grad_x = np.asarray(layer.backward(grad_y, (conv1, bn1, relu1, conv2, add, bn2, relu2)))
        behind_relu = grad_y * (y > 0)
        shortcut = layer.bn2.backward(behind_relu, bn2)
        failed = [tensor.name for tensor in report.tensors if tensor.problem]
        if failed == ["input"]:
            branch = shortcut
            for inner, cache in ((layer.conv2, conv2), (layer.relu1, relu1), (layer.bn1, bn1), (layer.conv1, conv1)):
                branch = inner.backward(branch, cache)
            assert not _same(grad_x, branch), (
                "every parameter's gradient is right, grad_x is not: it lacks what comes back through the shortcut"
            )
            assert not _same(grad_x, branch + grad_y), (
                "the shortcut's part of grad_x is grad_y as it was handed in; x went through bn2 and relu2 as well, so "
                "take the gradient behind these two, at the addition"
            )
            assert not _same(grad_x, branch + behind_relu), (
                "the shortcut's part of grad_x has not been through bn2, which stands behind the addition here"
            )
        raise AssertionError(
            f"wrong gradient at {', '.join(failed)}. The first mistake lies behind the last of these layers, in the "
            f"order of the forward:\n{report}"
        )


def task_6_4(answer: Callable) -> None:
    """`mean_after`: by hand, and against a simulation."""
    root = math.sqrt(2 * math.pi)
    for blocks, start, scale in ((10, 0.0, 1.0), (54, 0.4, 1.0), (20, 1.0, 0.5), (7, -2.0, 0.0)):
        got, wanted = float(answer(blocks, start, scale)), start + 0.3989422804014327 * blocks * scale
        if math.isclose(got, wanted, rel_tol=1e-6):
            continue
        case = f"for {blocks} blocks, start {start} and scale {scale}"
        for value, message in (
            (
                start + blocks * scale / 2,
                "half of the numbers are positive, and E[relu(z)^2] is half, but E[relu(z)] is 1 / sqrt(2 pi)",
            ),
            (start + blocks / root, "the scale is not used: z is `scale` times a standard normal variable"),
            (
                start + blocks * scale**2 / root,
                "the scale enters squared; that is so for variances, not for means",
            ),
            (
                start + math.sqrt(blocks) * scale / root,
                "the root of the number of blocks is for the spread of independent signals; means add",
            ),
            (blocks * scale / root, "the signal had a mean to begin with, `start`"),
            (start + scale / root, "that is one block; every block adds as much"),
            (start, "the mean does not stay: relu(z) is never negative, so every block lifts it"),
        ):
            assert not math.isclose(got, value, rel_tol=1e-6), f"{case} you return {got:.4g}: {message}"
        raise AssertionError(f"{case} the mean is {wanted:.4g}, you return {got:.4g}")
    rng = np.random.default_rng(0)
    signal = np.full(200_000, 0.3)
    for _ in range(6):
        signal = signal + np.maximum(0.7 * rng.standard_normal(signal.size), 0)
    got = float(answer(6, 0.3, 0.7))
    assert abs(got - signal.mean()) < 0.02, (
        f"a simulation of 6 blocks ended at {signal.mean():.3f}, you return {got:.3f}"
    )


def task_6_5(answer: Callable) -> None:
    """`ResidualBlock`: the formula, then backward against central differences, with and without a projection."""
    for channels, width, stride in ((3, 3, 1), (2, 4, 2)):
        rng = np.random.default_rng(channels)
        layer, x = (
            answer(channels, width, stride, "B", rng).astype(np.float64),
            rng.standard_normal((3, 5, 6, channels)),
        )
        for norm in (layer.bn1, layer.bn2):  # away from ReLU's kink
            norm.weight.value, norm.bias.value = (
                rng.uniform(0.5, 1.5, width),
                rng.uniform(-0.5, 0.5, width),
            )
        case = f"{channels} to {width} channels, stride {stride}"
        y, branch, shortcut = (
            layer.forward(x)[0],
            layer.bn2(layer.conv2(layer.relu1(layer.bn1(layer.conv1(x))))),
            x,
        )
        shortcut = layer.downsample(x)
        assert np.shape(y) == branch.shape, f"{case}: y must have the shape {branch.shape}, got {np.shape(y)}"
        assert not _same(y, np.maximum(branch, 0)), f"{case}: the shortcut is missing from y"
        assert not _same(y, branch + shortcut), f"{case}: the last ReLU is missing"
        assert not _same(y, np.maximum(branch, 0) + shortcut), f"{case}: add first, then apply relu2 to the sum"
        assert _same(y, np.maximum(branch + shortcut, 0)), f"{case}: y is not relu(branch + shortcut) in evaluation"
        trained = layer.forward(x, training=True)[0]
        assert not _same(trained, y), f"{case}: pass `training` on to every layer; batch norm needs it"
        report = gradcheck(layer, x)
        assert report, f"{case}: backward does not fit forward:\n{report}"


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-6, atol=1e-9)
