"""Checks of the exercises of tutorial 09."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ...gradcheck import gradcheck
from ...layers import Conv2d
from ...layers.protocol import checked_forward
from ...models.blocks import BasicBlock
from .compare import compare, number


def task_9_1(answer: Callable) -> None:
    """`identity_kernel`: the library's own convolution with it must return images unchanged."""
    rng = np.random.default_rng(0)
    for channels, size in ((1, 3), (3, 3), (4, 5), (2, 1)):
        weight = np.asarray(answer(channels, size))
        shape = (size, size, channels, channels)
        assert weight.shape == shape, f"the weights must have shape {shape}, got {weight.shape}"
        conv = Conv2d(channels, channels, size, padding=size // 2, rng=rng).astype(np.float64)
        conv.weight.value[...] = weight
        x = rng.standard_normal((2, 6, 7, channels))
        y = conv(x)
        if np.allclose(y, x):
            continue
        total = x.sum(-1, keepdims=True)
        assert not np.allclose(y, np.broadcast_to(total, x.shape)), (
            "every output channel got the sum of all input channels: at the centre the matrix (in, out) must be the "
            "identity, np.eye, not all ones"
        )
        if np.count_nonzero(weight) == channels:
            row, column = np.argwhere(np.abs(weight).sum((2, 3)) > 0)[0]
            assert (row, column) == (size // 2, size // 2), (
                f"the image is shifted: your ones are in row {row}, column {column} of the window; the output's own "
                f"pixel is at its centre, row {size // 2}, column {size // 2}"
            )
        raise AssertionError(
            f"with {channels} channels and size {size} the image comes out changed; only the centre may be non-zero, "
            f"and there it must be the identity; the sum of all weights is {weight.sum():g}, not {channels}"
        )


def task_9_2(answer: Callable) -> None:
    """`signal_scale`: against values computed by hand, and a simulation."""
    cases = ((1, 2, 3.0, 3.0), (3, 8, 1.0, 8.0), (10, 72, 1 / 6, 1.0), (4, 32, 1 / 8, 1 / 16))
    for layers, fan_in, std, expected in cases:
        got = number(answer(layers, fan_in, std))
        if math.isclose(got, expected, rel_tol=1e-6):
            continue
        case = f"for {layers} layers, fan_in {fan_in}, weight_std {std:.4g}"
        assert not math.isclose(got, expected**2, rel_tol=1e-6), (
            f"{case} you return {got:.4g}, the factor of the mean square; take its square root, {expected:.4g}"
        )
        assert not math.isclose(got, expected * 2 ** (layers / 2), rel_tol=1e-6), (
            f"{case} you return {got:.4g}: ReLU sets half of the signal to zero, which halves the mean square at each "
            f"layer; wanted {expected:.4g}"
        )
        assert not math.isclose(got, expected ** (1 / layers), rel_tol=1e-6), (
            f"{case} you return {got:.4g}, the factor of one layer; the factors multiply to {expected:.4g}"
        )
        raise AssertionError(f"{case} the factor is {expected:.4g}, you return {got:.4g}")

    rng = np.random.default_rng(0)
    width, layers, std = 400, 5, 0.06
    h = start = rng.standard_normal((300, width))
    for _ in range(layers):
        h = np.maximum(h, 0) @ (std * rng.standard_normal((width, width)))
    measured = math.sqrt((h**2).mean() / (start**2).mean())
    got = number(answer(layers, width, std))
    assert abs(got / measured - 1) < 0.1, (
        f"a random network with {layers} layers of {width} inputs and weight_std {std} changed the root mean square by "
        f"{measured:.3f}; your formula says {got:.3f}"
    )


def task_9_3(answer: Callable) -> None:
    """`relative_step`: with lengths known by hand (3-4-5 and 5-12-13), and a velocity of zero."""
    w, velocity, fraction = np.array([[3.0, 0.0], [0.0, 4.0]]), np.array([[0.0, 12.0], [-5.0, 0.0]]), 0.26
    wanted = np.array([[3.0, -1.2], [0.5, 4.0]])  # the step is 0.26 * 5 = 1.3 long, a tenth of the velocity
    got = np.asarray(answer(w, velocity, fraction))
    assert got.shape == w.shape, f"the new weights must have shape {w.shape}, got {got.shape}"
    step = w - wanted
    mistakes = {
        "the step must go against the velocity: minus, not plus": w + step,
        "you return the step; the new weights are w minus the step": step,
        "the step is `fraction` long; it must be `fraction` times as long as w": w - step / 5,
        "the velocity must be divided by its norm, so that only its direction counts": w - 13 * step,
        "this is plain SGD, whose step depends on the length of the velocity": w - fraction * velocity,
        "the quotient of the norms is upside down: multiply by the norm of w, divide by that of the velocity": (
            w - fraction * 13 / 5 * velocity
        ),
        "divide by the norm of the velocity, not by its square: take the root": w - step / 13,
        "each number moves by a fraction of itself; the norm of the whole step counts": (
            w - fraction * abs(w) * np.sign(velocity)
        ),
        "each number is rescaled by itself; use the norms of the whole arrays": w - fraction * 5 * np.sign(velocity),
    }
    compare(got, wanted, mistakes, f"w {w.tolist()}, velocity {velocity.tolist()}, fraction {fraction}: new weights")
    try:
        with np.errstate(all="ignore"):
            still = np.asarray(answer(w.copy(), np.zeros_like(w), fraction))
    except ZeroDivisionError:
        still = np.full_like(w, np.nan)
    assert not np.isnan(still).any(), "with a velocity of zero you divide by zero; return w as it is"
    assert np.array_equal(still, w), f"with a velocity of zero the weights must stay {w.tolist()}, got {still.tolist()}"
    weight = np.random.default_rng(3).standard_normal((3, 3, 4, 2))
    direction = np.random.default_rng(4).standard_normal(weight.shape)
    moved = np.asarray(answer(weight, direction, 0.01)) - weight
    assert math.isclose(math.sqrt((moved**2).sum()), 0.01 * math.sqrt((weight**2).sum()), rel_tol=1e-6), (
        "for weights (3, 3, 4, 2) the step is not a hundredth as long as the weights: take one norm of all numbers"
    )


def task_9_4(answer: Callable) -> None:
    """`filter_normalise`: the norms of the filters one by one, and the direction of each."""
    rng = np.random.default_rng(1)
    for shape in ((3, 3, 2, 4), (1, 1, 5, 3), (3, 2, 4, 4)):
        direction, weight = rng.standard_normal(shape), rng.standard_normal(shape) * rng.uniform(0.1, 3, shape[-1])
        got = np.asarray(answer(direction, weight))
        assert got.shape == shape, f"the shape must stay {shape}, got {got.shape}"
        for o in range(shape[-1]):
            wanted, found = np.linalg.norm(weight[..., o].ravel()), np.linalg.norm(got[..., o].ravel())
            if not math.isclose(wanted, found, rel_tol=1e-6):
                whole = math.isclose(np.linalg.norm(got.ravel()), np.linalg.norm(weight.ravel()), rel_tol=1e-6)
                assert not whole, (
                    f"the norm of the whole layer fits, but filter {o} has {found:.4g} where the weights have "
                    f"{wanted:.4g}: normalise each filter by itself, not the layer"
                )
                assert not math.isclose(found, 1, rel_tol=1e-6), (
                    f"filter {o} of the direction has norm 1; multiply by the norm of the weights' filter, {wanted:.4g}"
                )
                raise AssertionError(
                    f"filter {o} (everything with last index {o}) must have the norm {wanted:.4g} of the weights' "
                    f"filter, got {found:.4g}; sum over the axes 0, 1 and 2"
                )
            along = (got[..., o] * direction[..., o]).sum() / found / np.linalg.norm(direction[..., o].ravel())
            assert math.isclose(along, 1, rel_tol=1e-6), f"filter {o} must keep its direction, only its length changes"


def task_9_5(answer: Callable) -> None:
    """`ScaledAdd`: as it begins, the gradient check with alpha away from zero, and a whole block with it."""
    rng = np.random.default_rng(2)
    branch, shortcut = rng.standard_normal((2, 3, 4, 5)), rng.standard_normal((2, 3, 4, 5))
    layer = answer().astype(np.float64)
    assert layer.alpha.value.shape == (1,) and layer.alpha.value[0] == 0, "alpha must begin as zero, of shape (1,)"
    y, _ = checked_forward(layer, branch, shortcut)
    assert np.array_equal(y, shortcut), "with alpha = 0 the output must be the shortcut, unchanged"
    layer.alpha.value[:] = 0.7
    y, cache = layer.forward(branch, shortcut, True)
    assert np.allclose(y, 0.7 * branch + shortcut), "y must be alpha * branch + shortcut"
    grad_y = rng.standard_normal(y.shape)
    gradients = layer.backward(grad_y, cache)
    assert isinstance(gradients, (tuple, list)) and len(gradients) == 2, (
        "backward must return two gradients, (grad_branch, grad_shortcut)"
    )
    assert not np.allclose(gradients[0], grad_y), (
        "grad_branch is grad_y itself: the branch went through a product with alpha, so its gradient does too"
    )
    assert layer.alpha.grad is not None, "backward must set self.alpha.grad"
    assert np.shape(layer.alpha.grad) == (1,), (
        f"self.alpha.grad must have the shape (1,) of alpha, got {np.shape(layer.alpha.grad)}: alpha is one number "
        "that affects all of y, so sum over all of y"
    )
    report = gradcheck(layer, branch, shortcut)
    assert report, f"backward does not match forward (input 0 is the branch, input 1 the shortcut):\n{report}"
    block = BasicBlock(3, 4, 2, "B", rng)
    block.add = answer()
    block.add.alpha.value[:] = 0.7
    report = gradcheck(block.astype(np.float64), rng.standard_normal((2, 5, 6, 3)))
    assert report, f"the addition is right by itself, but a block with it fails the gradient check:\n{report}"
