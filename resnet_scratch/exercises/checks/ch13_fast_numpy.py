"""Checks of the tasks of tutorial 13."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ...verify.definitions import (
    contributions,
    convolution,
    convolution_grad_weight,
    convolution_grad_x,
    output_size,
)
from .ch02_convolution_backward import explain
from .compare import compare

GEOMETRIES = [  # (x, kernel, channels out, stride, padding)
    ((1, 4, 4, 1), (3, 3), 1, 1, 0),
    ((2, 5, 6, 3), (3, 3), 4, 1, 1),
    ((2, 7, 6, 2), (3, 2), 3, 2, 1),
    ((1, 8, 5, 2), (2, 2), 2, 3, 0),
]


def task_13_1(answer: Callable) -> None:
    """`view_of_windows`: pixel by pixel, on images in one piece and on views."""
    around = np.zeros((60, 12))  # so that wrong strides read numbers of this array, and not memory of others
    around[25:34] = np.arange(1.0, 109.0).reshape(9, 12)
    whole = around[25:34]
    images = [
        ("in one piece", whole),
        ("float32", whole[:5, :6].astype(np.float32)),
        ("every other row of a larger one", whole[::2]),
        ("transposed", whole[:7].T),
        ("upside down", whole[::-1]),
    ]
    for name, image in images:
        for KH, KW, stride in [(3, 3, 1), (2, 2, 2), (3, 2, 2), (2, 4, 3)]:
            case = f"an image {image.shape}, {name}, kernel {(KH, KW)}, stride {stride}"
            view = answer(image, (KH, KW), stride)
            tops, lefts = range(0, len(image) - KH + 1, stride), range(0, image.shape[1] - KW + 1, stride)
            expected = np.array([[image[a : a + KH, b : b + KW] for b in lefts] for a in tops])
            assert view.shape == expected.shape, f"{case}: the view must be {expected.shape}, got {view.shape}"
            assert np.shares_memory(view, image), f"{case}: this is a copy; a view of the image is wanted"
            if np.array_equal(view, expected):
                continue
            for axis, what in ((2, "rows and columns inside"), (0, "the steps to the right and down between")):
                both = (slice(None),) * axis + (slice(min(view.shape[axis : axis + 2])),) * 2  # as square as it can be
                exchanged = np.array_equal(view[both], expected[both].swapaxes(axis, axis + 1))
                assert not exchanged, f"{case}: {what} the windows are exchanged"
            hint = "the bytes from pixel to pixel are in image.strides; do not compute them from the shape"
            if name == "in one piece":
                hint = "a step from window to window is `stride` rows or columns" if stride > 1 else "check the strides"
            where = np.argwhere(view != expected)[0].tolist()
            raise AssertionError(f"{case}: element {where} is the wrong pixel; {hint}")


def task_13_2(answer: Callable) -> None:
    """`cut`: the number of chunks counted by hand, and what was asked for of their sizes."""
    cases = [  # (images, bytes per image, budget, chunks)
        (8, 10, 200, 1),
        (8, 10, 40, 2),
        (8, 10, 39, 4),
        (10, 10, 35, 4),
        (128, 589_824, 5 << 19, 32),
        (5, 100, 30, 4),
        (1, 10, 3, 1),
        (7, 10, 20, 4),
        (5, 10, 25, 2),  # chunks of 2 and 3: the average fits, the larger one does not
        (7, 10, 30, 4),  # two chunks of 3 and 4 would not do: the smaller one fits, the average does not
    ]
    for images, size, budget, wanted in cases:
        case = f"{images} images of {size} bytes, budget {budget}"
        chunks = list(answer(images, size, budget))
        assert chunks and all(isinstance(chunk, slice) for chunk in chunks), f"{case}: wanted slices, got {chunks}"
        edges = [chunk.indices(images)[:2] for chunk in chunks]
        lengths = [stop - start for start, stop in edges]
        assert min(lengths) > 0, f"{case}: a chunk without images in {edges}"
        assert edges[0][0] == 0 and all(a[1] == b[0] for a, b in zip(edges, edges[1:])), (
            f"{case}: the first chunk must start at 0, and each other one where the one before it stops, got {edges}"
        )
        assert edges[-1][1] == images, f"{case}: the last chunk must stop at {images}, got {edges[-1][1]}"
        count = len(chunks)
        assert count & (count - 1) == 0, f"{case}: {count} chunks; their number must be a power of two"
        needed = images * size / count
        assert count >= wanted, f"{case}: {count} chunk(s) need {needed:g} bytes on average, more than the budget"
        assert count == wanted, f"{case}: {wanted} chunk(s) are enough, got {count}"
        assert max(lengths) - min(lengths) <= 1, f"{case}: chunks of {lengths} images are not even; a thread would wait"


def task_13_3(answer: Callable) -> None:
    """`tree_sum`: three trees written out, and the same bits for every order of arrival."""
    rng = np.random.default_rng(10)
    values = (rng.standard_normal((8, 50)) * 10.0 ** rng.integers(-3, 4, (8, 50))).astype(np.float32)
    s = list(values)
    four = (s[0] + s[1]) + (s[2] + s[3])
    trees = {1: s[0], 2: s[0] + s[1], 4: four, 8: four + ((s[4] + s[5]) + (s[6] + s[7]))}
    for chunks, wanted in trees.items():
        for _ in range(6):
            order = rng.permutation(chunks).tolist()
            given = values.copy()
            got = np.asarray(answer(((k, given[k]) for k in order), chunks))
            case = f"{chunks} partial sums, which arrive in the order {order}"
            assert np.array_equal(given, values), f"{case}: a partial sum was changed; write a + b, not a += b"
            assert got.shape == (50,), f"{case}: the sum of arrays (50,) has the shape (50,), got {got.shape}"
            assert np.allclose(got, wanted, rtol=1e-3, atol=1e-3), f"{case}: this is not the sum of all of them"
            assert got.dtype == np.float32, f"{case}: partial sums of float32 must give float32, got {got.dtype}"
            if np.array_equal(got, wanted):
                continue
            arrived, half = [s[k] for k in order], chunks // 2
            folded = reduce(np.add, [s[k] + s[k + half] for k in range(half)])
            if chunks == 8:
                folded = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
            mistakes = {
                "you added one after the other, in the order of arrival": reduce(np.add, arrived),
                "you added one after the other; the order is fixed, but it is not the tree's": reduce(
                    np.add, s[:chunks]
                ),
                "you added partial sums that are half of the list apart; the tree adds neighbours": folded,
            }
            for message, result in mistakes.items():
                assert not np.array_equal(got, result), f"{case}: {message}"
            raise AssertionError(f"{case}: the last digits are not those of ((s[0] + s[1]) + (s[2] + s[3])) + ...")


def task_13_4(answer: Callable) -> None:
    """`shifted_convolution`: by definition, and how much memory it had in use."""
    rng = np.random.default_rng(8)
    for shape, kernel_size, O, stride, padding in GEOMETRIES:
        x, weight = rng.standard_normal(shape), rng.standard_normal((*kernel_size, shape[3], O))
        expected = convolution(x, weight, None, stride, padding)
        case = f"x {shape}, weight {weight.shape}, stride {stride}, padding {padding}"
        got = np.asarray(answer(x, weight, stride, padding))
        assert got.shape == expected.shape, f"{case}: y must be {expected.shape}, got {got.shape}"
        assert got.dtype == x.dtype, f"{case}: y must have the dtype of x, {x.dtype}, got {got.dtype}"
        only_last = np.zeros_like(weight)
        only_last[-1, -1] = weight[-1, -1]
        last = convolution(x, only_last, None, stride, padding)
        mistakes = {
            "the slices move the wrong way: the kernel came out flipped": (
                convolution(x, weight[::-1, ::-1], None, stride, padding)
            ),
            "only the product of the last position was kept; add the products up (+=, not =)": last,
        }
        compare(got, expected, mistakes, f"{case}: y", only_mistakes=True)
        if not np.allclose(got, expected, atol=1e-5):
            explain(case, "y at", got, expected)
    x = rng.standard_normal((1, 64, 64, 16)).astype(np.float32)  # one image, so that its columns are all columns
    weight = rng.standard_normal((5, 5, 16, 16)).astype(np.float32)
    got, most = _peak(lambda: answer(x, weight, 1, 2))
    dtype = np.asarray(got).dtype
    assert dtype == np.float32, f"float32 images must give a float32 result, got {dtype}"
    _no_columns(most, 25 * x.nbytes)


def task_13_5(answer: Callable) -> None:
    """`shifted_gradients`: by definition, and how much memory it had in use."""
    rng = np.random.default_rng(9)
    for shape, kernel_size, O, stride, padding in GEOMETRIES:
        x, weight = rng.standard_normal(shape), rng.standard_normal((*kernel_size, shape[3], O))
        grad_y = rng.standard_normal((shape[0], *output_size(shape[1:3], kernel_size, stride, padding), O))
        expected = {
            "grad_x": convolution_grad_x(grad_y, weight, shape[1:3], stride, padding),
            "grad_weight": convolution_grad_weight(grad_y, x, kernel_size, stride, padding),
        }
        last = np.zeros_like(x)  # where each pixel keeps only what came back to it in the last product
        terms = contributions(shape[1:3], kernel_size, stride, padding)
        for oh, ow, kh, kw, h, w in sorted(terms, key=lambda term: term[2:4]):
            last[:, h, w] = grad_y[:, oh, ow] @ weight[kh, kw].T
        case = f"x {shape}, weight {weight.shape}, stride {stride}, padding {padding}"
        got = answer(grad_y, x, weight, stride, padding)
        assert isinstance(got, (tuple, list)) and len(got) == 2, f"{case}: return two arrays, (grad_x, grad_weight)"
        for (name, wanted), array in zip(expected.items(), map(np.asarray, got)):
            hint = "; is the padding cut off?" if name == "grad_x" else ""
            assert array.shape == wanted.shape, f"{case}: {name} must be {wanted.shape}, got {array.shape}{hint}"
            if np.allclose(array, wanted, atol=1e-5):
                continue
            assert name != "grad_x" or not np.allclose(array, last), (
                f"{case}: of the gradients that a pixel receives only the last was kept; add to the slice (+=, not =)"
            )
            explain(case, f"{name} at", array, wanted)
    x = rng.standard_normal((1, 64, 64, 16)).astype(np.float32)
    weight = rng.standard_normal((5, 5, 16, 16)).astype(np.float32)
    _, most = _peak(lambda: answer(x, x, weight, 1, 2))
    _no_columns(most, 25 * x.nbytes)


def _peak(job: Callable[[], Any]) -> tuple[Any, int]:
    """(what the job returned, the most bytes that it had in use)."""
    tracemalloc.start()
    try:
        return job(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _no_columns(most: int, columns: int) -> None:
    assert most < columns / 2, (
        f"you had {most / 1e6:.1f} MB in use, and all columns take {columns / 1e6:.1f} MB; use one position of the "
        "kernel at a time"
    )
