"""Checks of the tasks of tutorial 02."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...gradcheck import gradcheck
from ...layers import windows
from ...layers.protocol import checked_forward
from ...verify.definitions import (
    col2im,
    contributions,
    convolution_grad_weight,
    convolution_grad_x,
    numerical_gradient,
    output_size,
)
from .contract import check_backward, one_gradient
from .traces import calls, python_steps


def task_2_1(answer: Callable) -> None:
    """`small_graph`: against central differences of the loss, written in one line."""

    def loss(values: np.ndarray) -> float:
        x, w = values
        return float((np.tanh(w * x) - x) ** 2)

    for x, w in [(0.5, 3.0), (-1.2, 0.7), (2.0, -0.4)]:
        got = answer(x, w)
        case = f"x = {x}, w = {w}"
        assert np.shape(got) == (3,), f"{case}: return the three numbers (L, grad_x, grad_w), got {got!r}"
        L, grad_x, grad_w = map(float, got)
        expected_x, expected_w = numerical_gradient(loss, np.array([x, w]))
        y, e = np.tanh(w * x), np.tanh(w * x) - x
        through_w, slope = 2 * e * (1 - y**2) * w, 1 - y**2
        assert abs(L - e**2) < 1e-6, f"{case}: L must be {e**2:.6f}, got {L:.6f}"
        hints = {
            "grad_x": [
                (through_w, "this is the path through w * x alone; x is also subtracted in e = y - x"),
                (-2 * e, "this is the path through e = y - x alone; x is also used in w * x"),
                (through_w + 2 * e, "the gradients of both uses are added, but e = y - x has a minus sign"),
                (expected_x / 2, "the derivative of e ** 2 is 2 * e"),
                (2 * e * (1 - (w * x) ** 2) * w - 2 * e, "the derivative of tanh is 1 - y ** 2, with y the output"),
                (2 * e * w - 2 * e, "the derivative of tanh is missing"),
            ],
            "grad_w": [
                (expected_w / 2, "the derivative of e ** 2 is 2 * e"),
                (2 * e * x, "the derivative of tanh is missing"),
                (2 * e * (1 - (w * x) ** 2) * x, "the derivative of tanh is 1 - y ** 2, with y the output"),
                (2 * e * slope, "u = w * x, so a change of w by 1 changes u by x"),
            ],
        }
        for name, value, expected in (("grad_x", grad_x, expected_x), ("grad_w", grad_w, expected_w)):
            hint = next((f"; {hint}" for other, hint in hints[name] if abs(value - other) < 1e-5), "")
            assert abs(value - expected) < 1e-5, f"{case}: {name} must be {expected:.6f}, got {value:.6f}{hint}"


def task_2_2(answer: Callable) -> None:
    """`weight_gradient`: against the definition."""
    rng = np.random.default_rng(3)
    for shape, kernel_size, O, stride, padding in [
        ((1, 3, 3, 1), (2, 2), 1, 1, 0),
        ((3, 5, 6, 2), (3, 3), 4, 1, 1),
        ((2, 7, 5, 3), (3, 2), 2, 2, 1),
    ]:
        OH, OW = output_size(shape[1:3], kernel_size, stride, padding)
        x, grad_y = rng.standard_normal(shape), rng.standard_normal((shape[0], OH, OW, O))
        expected = convolution_grad_weight(grad_y, x, kernel_size, stride, padding)
        first = convolution_grad_weight(grad_y[:1], x[:1], kernel_size, stride, padding)
        got = np.asarray(answer(x, grad_y, kernel_size, stride, padding))
        case = f"x {shape}, kernel {kernel_size}, stride {stride}, padding {padding}"
        assert got.shape == expected.shape, f"{case}: wanted the weight's shape, {expected.shape}, got {got.shape}"
        if np.allclose(got, expected, atol=1e-5):  # as `explain` compares; the answer may have added up in float32
            continue
        assert not np.allclose(got, expected / shape[0]), (
            f"{case}: you took the mean over the batch; all images used the weight, so their parts are added (the "
            "loss takes the mean over the batch, so its factor 1 / N is in grad_y already)"
        )
        assert not np.allclose(got, first), f"{case}: only the first image of the batch was counted"
        assert not np.allclose(got, expected[::-1, ::-1]), (
            f"{case}: your gradient is flipped; the kernel is flipped only for the gradient with respect to the images"
        )
        explain(case, "at weight", got, expected)


def task_2_3(answer: Callable) -> None:
    """`add_back`: number by number; by itself, and without `np.add.at`."""
    rng = np.random.default_rng(4)
    for shape, kernel_size, stride, padding, dtype in [
        ((1, 4, 4, 1), (3, 3), 1, 0, np.float64),
        ((2, 5, 6, 3), (3, 2), 1, 1, np.float64),
        ((2, 7, 6, 2), (3, 3), 2, 1, np.float32),
        ((1, 9, 8, 2), (2, 2), 3, 0, np.float64),
    ]:
        OH, OW = output_size(shape[1:3], kernel_size, stride, padding)
        terms = list(contributions(shape[1:3], kernel_size, stride, padding))
        N, (KH, KW), C = shape[0], kernel_size, shape[3]
        columns = rng.standard_normal((N * OH * OW, KH * KW * C)).astype(dtype)
        numbers = columns.reshape(N, OH, OW, KH, KW, C)
        expected = col2im(columns, shape, kernel_size, stride, padding)
        counts = col2im(np.ones_like(columns), shape, kernel_size, stride, padding)
        earliest, latest = np.zeros(shape), np.zeros(shape)
        for oh, ow, kh, kw, h, w in terms:
            latest[:, h, w] = numbers[:, oh, ow, kh, kw]
        for oh, ow, kh, kw, h, w in reversed(terms):
            earliest[:, h, w] = numbers[:, oh, ow, kh, kw]
        got = np.asarray(answer(columns, shape, kernel_size, stride, padding))
        case = f"images {shape}, kernel {kernel_size}, stride {stride}, padding {padding}"
        assert got.shape == shape, f"{case}: the images must be {shape}, got {got.shape}; is the padding cut off?"
        assert got.dtype == dtype, f"{case}: the dtype must be that of the columns, {np.dtype(dtype)}, got {got.dtype}"
        if np.allclose(got, expected, atol=1e-5):
            continue
        assert not any(np.allclose(got, one, atol=1e-5) for one in (earliest, latest)), (
            f"{case}: each pixel got one number only; the others were lost. Use +=, not =, and do not add into the "
            "view of all windows, where several elements share the same memory"
        )
        assert not np.allclose(got * np.maximum(counts, 1), expected, atol=1e-5), (
            f"{case}: you took the mean of what comes back to a pixel; the transpose of copying is adding"
        )
        explain(case, "at pixel", got, expected)
    called = calls(answer, columns, shape, kernel_size, stride, padding)
    assert windows.col2im.__code__ not in called, (
        "the sums are right, but they are the library's: write your own col2im"
    )
    assert not any(getattr(one, "__self__", None) is np.add and one.__name__ == "at" for one in called), (
        "the sums are right, but np.add.at adds one number at a time, which is slow; add slices with +="
    )
    columns = np.ones((64, 128))
    _, steps = [python_steps(answer, columns, (4, 7, 7, 8), (4, 4), 1, 0) for _ in range(2)]  # 3.12 counts no first run
    assert steps < 10 * columns.size, (
        "the sums are right, but there is a loop over single numbers, which is too slow for the milestone; add slices"
    )


def task_2_4(answer: Callable) -> None:
    """`input_gradient`: by definition, each gradient sent back through the weight that it came by."""
    rng = np.random.default_rng(5)
    for shape, kernel_size, O, padding in [
        ((1, 3, 3, 1), (2, 2), 1, 0),
        ((2, 4, 5, 3), (3, 3), 3, 1),  # as many channels out as in: their order can be mistaken without an error
        ((2, 5, 4, 2), (3, 3), 4, 0),
        ((1, 6, 5, 3), (3, 2), 2, 1),
        ((3, 5, 4, 2), (3, 3), 1, 2),
    ]:
        OH, OW = output_size(shape[1:3], kernel_size, 1, padding)
        grad_y = rng.standard_normal((shape[0], OH, OW, O))
        weight = rng.standard_normal((*kernel_size, shape[3], O))

        def sent_back(weight: np.ndarray) -> np.ndarray:
            return convolution_grad_x(grad_y, weight, shape[1:3], 1, padding)

        case = f"images {shape}, weight {weight.shape}, padding {padding}"
        got, expected = np.asarray(answer(grad_y, weight, padding)), sent_back(weight)
        assert got.shape == shape, (
            f"{case}: the gradient has the shape of the images, {shape}, got {got.shape}; grad_y is padded by "
            "KH - 1 - padding rows and KW - 1 - padding columns"
        )
        if np.allclose(got, expected, atol=1e-5):
            continue
        assert not np.allclose(got, sent_back(weight[::-1, ::-1])), f"{case}: the kernel was not flipped"
        if shape[3] == O:
            assert not np.allclose(got, sent_back(weight.swapaxes(2, 3))), (
                f"{case}: the kernel's channel axes were not swapped: backward goes from O channels to C (a reshape to "
                "(KH, KW, O, C) does not swap them, swapaxes does)"
            )
        assert not np.allclose(got, sent_back(weight[::-1])) and not np.allclose(got, sent_back(weight[:, ::-1])), (
            f"{case}: the kernel was flipped along one axis only; flip both"
        )
        explain(case, "at pixel", got, expected)


def task_2_5(answer: Callable) -> None:
    """`DepthwiseConv2d`: forward by definition, backward by the gradient checker."""
    rng = np.random.default_rng(6)
    for shape, kernel_size, stride, padding in [((1, 4, 5, 2), (3, 3), 1, 1), ((2, 7, 6, 3), (3, 2), 2, 0)]:
        x, weight = rng.standard_normal(shape), rng.standard_normal((*kernel_size, shape[3]))
        expected = np.zeros((shape[0], *output_size(shape[1:3], kernel_size, stride, padding), shape[3]))
        for oh, ow, kh, kw, h, w in contributions(shape[1:3], kernel_size, stride, padding):
            expected[:, oh, ow] += x[:, h, w] * weight[kh, kw]
        case = f"x {shape}, weight {weight.shape}, stride {stride}, padding {padding}"
        layer = answer(weight.copy(), stride, padding)
        y, cache = checked_forward(layer, x)
        assert np.shape(y) == expected.shape, f"{case}: y must be {expected.shape}, got {np.shape(y)}"
        if not np.allclose(y, expected, atol=1e-5):
            explain(f"{case}: forward", "y", y, expected)
        one_gradient(layer.backward(np.ones_like(y), cache), x, "; is the padding cut off?")
        assert layer.weight.grad is not None, f"{case}: backward must set self.weight.grad"
        assert (got := np.shape(layer.weight.grad)) == weight.shape, (
            f"{case}: self.weight.grad must be {weight.shape}, got {got}; sum over the batch and over positions, not "
            "over channels"
        )
        report = gradcheck(layer, x)
        assert report, f"{case}: the gradient check failed (input is x)\n{report}"
        check_backward(layer, x)


def explain(case: str, where: str, got: np.ndarray, expected: np.ndarray) -> None:
    """Raise AssertionError with the first number that is wrong."""
    wrong = ~np.isclose(got, expected, atol=1e-5)
    place = tuple(np.argwhere(wrong)[0].tolist())
    numbers = f"must be {expected[place]:.5f}, got {got[place]:.5f}"
    raise AssertionError(f"{case}: {where} {place} {numbers} ({wrong.sum()} of {wrong.size} are wrong)")
