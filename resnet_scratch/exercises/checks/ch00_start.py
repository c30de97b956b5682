"""Checks of the tasks of tutorial 00."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .compare import compare, number


def task_0_1(answer: Callable) -> None:
    """`relu_forward`, against numbers computed by hand."""
    x = np.array([[-2.0, 0.0, 3.0], [0.5, -0.1, 7.0]])
    y = answer(x)
    assert np.shape(y) == x.shape, (
        f"the output must have x's shape {x.shape}, got {np.shape(y)}; np.max finds one largest number, np.maximum "
        "compares element by element"
    )
    assert not np.array_equal(y, abs(x)), "-2 came out as 2: negative numbers become zero, they do not change sign"
    expected = np.array([[0, 0, 3], [0.5, 0, 7]])
    assert np.array_equal(y, expected), f"relu of\n{x}\nis\n{expected}\ngot\n{y}"
    y32 = np.asarray(answer(x.astype(np.float32)))
    assert y32.dtype == np.float32, (
        f"float32 went in and {y32.dtype} came out: keep x's dtype, or the network needs twice the memory"
    )
    _try_on_images(lambda: answer(x.reshape(1, 2, 3, 1)), expected)


def task_0_2(answer: Callable) -> None:
    """`relu_backward`, against numbers computed by hand."""
    x = np.array([[-2.0, 0.0, 3.0], [0.5, -0.1, 7.0]])
    grad_y = np.array([[1.0, 2.0, -3.0], [4.0, -5.0, 6.0]])
    grad_x = np.asarray(answer(grad_y, x))
    assert grad_x.shape == x.shape, f"the gradient must have x's shape {x.shape}, got {grad_x.shape}"
    assert not np.array_equal(grad_x, grad_y), (
        "you returned grad_y unchanged: where x is negative, the output does not depend on x"
    )
    assert not np.array_equal(grad_x, np.maximum(grad_y, 0)), (
        "that is relu of the gradient: whether a gradient passes depends on the sign of x, not on its own sign"
    )
    assert not np.array_equal(grad_x, (x > 0).astype(float)), (
        "that is the derivative of relu alone; by the chain rule it multiplies grad_y"
    )
    assert not np.array_equal(grad_x, grad_y * (x >= 0)), (
        "where x is exactly 0 the derivative is taken as 0 here, as in PyTorch; use x > 0"
    )
    expected = np.array([[0, 0, -3], [4, 0, 6]])
    assert np.array_equal(grad_x, expected), f"for x\n{x}\nand grad_y\n{grad_y}\ngrad_x is\n{expected}\ngot\n{grad_x}"
    _try_on_images(lambda: answer(grad_y.reshape(1, 2, 3, 1), x.reshape(1, 2, 3, 1)), expected)


def _try_on_images(run: Callable, expected: np.ndarray) -> None:
    """The same numbers once more, as one image of two rows, three columns and one channel."""
    told = "it works for two axes but not for images (N, H, W, C)"
    try:
        got = np.asarray(run())
    except (ValueError, TypeError, IndexError) as error:
        raise AssertionError(f"{told}: {error}") from error
    compare(got, expected.reshape(1, 2, 3, 1), {}, f"{told}: the result")


def task_0_3(answer: Callable) -> None:
    """`accuracy`, on four images counted by hand."""
    logits = np.array(
        [[0.1, 5.0, 0.2, -9.0], [3.0, 1.0, 2.0, -9.0], [-3.0, -2.0, -1.0, -9.0], [9.0, 8.0, 7.0, -9.0]]
    )  # the answers are 1, 0, 2, 0
    for labels, right in (([1, 0, 2, 0], 4), ([1, 2, 2, 1], 2), ([0, 1, 0, 1], 0), ([1, 1, 1, 1], 1)):
        got = answer(logits, np.array(labels))
        assert np.ndim(got) == 0, f"one number is wanted, got an array of shape {np.shape(got)}: take the mean"
        assert got != right or right < 2, f"{right} of 4 right must give {right / 4}, a fraction, not the count {got}"
        assert abs(float(got) - right / 4) < 1e-12, (
            f"the largest outputs are in columns 1, 0, 2, 0; with the labels {labels}, {right} of 4 are right, which "
            f"is {right / 4}; got {got}. Is argmax taken along each row, axis=1?"
        )
    half = number(answer(logits[:2], np.array([1, 2])))  # fewer images than classes
    assert abs(half - 1 / 2) < 1e-12, (
        f"1 of 2 images is right, which is 0.5; with 4 classes you return {half:.4g}: divide by the number of images, "
        "not of classes"
    )
