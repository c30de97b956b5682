"""Checks of the exercises of tutorial 13."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
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

GEOMETRIES = [  # (x, kernel, channels out, stride, padding)
    ((1, 4, 4, 1), (3, 3), 1, 1, 0),
    ((2, 5, 6, 3), (3, 3), 4, 1, 1),
    ((2, 7, 6, 2), (3, 2), 3, 2, 1),
    ((1, 8, 5, 2), (2, 2), 2, 3, 0),
]


def task_13_1(answer: Callable) -> None:
    """`shifted_convolution`: by definition, and how much memory it had in use."""
    rng = np.random.default_rng(8)
    for shape, kernel_size, O, stride, padding in GEOMETRIES:
        x, weight = rng.standard_normal(shape), rng.standard_normal((*kernel_size, shape[3], O))
        expected = convolution(x, weight, None, stride, padding)
        flipped = convolution(x, weight[::-1, ::-1], None, stride, padding)
        case = f"x {shape}, weight {weight.shape}, stride {stride}, padding {padding}"
        got = np.asarray(answer(x, weight, stride, padding))
        assert got.shape == expected.shape, f"{case}: y must be {expected.shape}, got {got.shape}"
        if not np.allclose(got, expected):
            assert not np.allclose(got, flipped), f"{case}: the slices move the wrong way: the kernel came out flipped"
            explain(case, "y at", got, expected)
    x = rng.standard_normal((4, 32, 32, 16)).astype(np.float32)
    weight = rng.standard_normal((5, 5, 16, 16)).astype(np.float32)
    got, most = _peak(lambda: answer(x, weight, 1, 2))
    assert got.dtype == np.float32, f"float32 pictures must give a float32 result, got {got.dtype}"
    _no_columns(most, 25 * x.nbytes)


def task_13_2(answer: Callable) -> None:
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
        given = grad_y.copy()
        got = answer(grad_y, x, weight, stride, padding)
        assert isinstance(got, tuple) and len(got) == 2, f"{case}: return two arrays, (grad_x, grad_weight)"
        assert np.array_equal(grad_y, given), f"{case}: grad_y was changed; others may need it still"
        for (name, wanted), array in zip(expected.items(), got):
            hint = "; is the padding cut off?" if name == "grad_x" else ""
            assert array.shape == wanted.shape, f"{case}: {name} must be {wanted.shape}, got {array.shape}{hint}"
            assert name != "grad_x" or np.allclose(array, wanted) or not np.allclose(array, last), (
                f"{case}: of what comes back to a pixel only the last was kept; add to the slice (+=, not =)"
            )
            if not np.allclose(array, wanted):
                explain(case, f"{name} at", array, wanted)
    x = rng.standard_normal((4, 32, 32, 16)).astype(np.float32)
    weight = rng.standard_normal((5, 5, 16, 16)).astype(np.float32)
    _, most = _peak(lambda: answer(x, x, weight, 1, 2))
    _no_columns(most, 25 * x.nbytes)


def task_13_3(answer: Callable) -> None:
    """`view_of_windows`: pixel by pixel, on pictures in one piece and on views."""
    whole = np.arange(1.0, 109.0).reshape(9, 12)
    pictures = [
        ("in one piece", whole),
        ("a float32 one", whole[:5, :6].astype(np.float32)),
        ("every other row of one", whole[::2]),
        ("a transposed one", whole[:7].T),
        ("one upside down", whole[::-1]),
    ]
    for name, image in pictures:
        for kernel, stride in [(3, 1), (2, 2), (3, 2)]:
            case = f"a picture {image.shape}, {name}, kernel {kernel}, stride {stride}"
            view = answer(image, kernel, stride)
            tops, lefts = (range(0, size - kernel + 1, stride) for size in image.shape)
            expected = np.array([[image[a : a + kernel, b : b + kernel] for b in lefts] for a in tops])
            assert view.shape == expected.shape, f"{case}: the view must be {expected.shape}, got {view.shape}"
            assert np.shares_memory(view, image), f"{case}: this is a copy; a view of the picture is wanted"
            if np.array_equal(view, expected):
                continue
            assert not np.array_equal(view, expected.transpose(0, 1, 3, 2)), (
                f"{case}: rows and columns within the windows are exchanged"
            )
            hint = "the bytes from pixel to pixel are in image.strides, do not work them out from the shape"
            if name == "in one piece":
                hint = "a step from window to window is `stride` rows or columns" if stride > 1 else "check the strides"
            place = np.argwhere(view != expected)[0]
            raise AssertionError(f"{case}: at {place.tolist()} there is another pixel than there should be; {hint}")


def task_13_4(answer: Callable) -> None:
    """`cut`: the four properties that were asked for."""
    cases = [(8, 10, 40), (9, 10, 80), (10, 10, 35), (128, 589824, 2 << 20), (5, 100, 30), (1, 10, 1000), (6, 10, 19)]
    for images, size, budget in cases:
        case = f"{images} images of {size} bytes, budget {budget}"
        chunks = list(answer(images, size, budget))
        assert chunks and all(isinstance(chunk, slice) for chunk in chunks), f"{case}: wanted slices, got {chunks}"
        edges = [(chunk.start, chunk.stop) for chunk in chunks]
        lengths = [end - begin for begin, end in edges]
        assert min(lengths) > 0, f"{case}: a chunk without images in {edges}"
        assert edges[0][0] == 0 and all(a[1] == b[0] for a, b in zip(edges, edges[1:])), (
            f"{case}: each chunk must begin where the one before it ends, got {edges}"
        )
        assert edges[-1][1] == images, f"{case}: the last chunk must end at {images}, got {edges[-1][1]}"
        most = max(1, budget // size)
        assert max(lengths) <= most, f"{case}: {max(lengths)} images need {max(lengths) * size} bytes, over the budget"
        fewest = len(range(0, images, most))
        assert len(chunks) == fewest, f"{case}: {fewest} chunks are enough, got {len(chunks)}: {lengths}"
        assert max(lengths) - min(lengths) <= 1, f"{case}: chunks of {lengths} images are not even; a thread would wait"


def task_13_5(answer: Callable) -> None:
    """`sum_in_threads`: are the threads at work together, is the order kept, do errors come out?"""
    chunks = [slice(k, k + 1) for k in range(12)]
    rng = np.random.default_rng(10)
    shares = (rng.standard_normal((12, 50)) * 10.0 ** rng.integers(-3, 4, (12, 50))).astype(np.float32)
    expected = shares[0].copy()
    for row in shares[1:]:
        expected = expected + row
    together = threading.Barrier(2)
    lock, calls, finished = threading.Lock(), [], [threading.Event() for _ in chunks]

    def share(chunk: slice) -> np.ndarray:
        """The first two meet, or else nothing runs at the same time; and of each pair the second is done first."""
        k = chunk.start
        with lock:
            calls.append(k)
            among_the_first = len(calls) <= 2
        try:
            if among_the_first:
                together.wait(timeout=2)
        except threading.BrokenBarrierError:
            raise AssertionError(
                "chunks were worked on one after the other; two threads must be at work at the same time"
            ) from None
        if k % 2 == 0:
            finished[k + 1].wait(timeout=0.2)
        finished[k].set()
        return shares[k]

    before = shares.copy()
    got = np.asarray(answer(share, chunks, 2))
    assert sorted(calls) == list(range(12)), f"each of 12 chunks must be worked on once, got calls for {sorted(calls)}"
    assert np.array_equal(shares, before), (
        "a share was changed: `total += ...` into the first array that was handed out"
    )
    assert got.shape == (50,), f"the sum of arrays (50,) has the shape (50,), got {got.shape}"
    assert np.allclose(got, expected, rtol=1e-3), "this is not the sum of all shares"
    assert np.array_equal(got, expected), (
        "the sum differs in its last digits: it was not added up in the order of the chunks"
    )

    def fails(chunk: slice) -> np.ndarray:
        if chunk.start == 7:
            raise KeyError("chunk 7")
        return shares[chunk.start]

    try:
        answer(fails, chunks, 3)
    except KeyError:
        return
    raise AssertionError("an error in one of the chunks was lost: the sum came back as if nothing had happened")


def _peak(job: Callable[[], Any]) -> tuple[Any, int]:
    """(what the job returned, the most bytes that it had in use)."""
    tracemalloc.start()
    try:
        return job(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _no_columns(most: int, columns: int) -> None:
    assert most < columns / 2, (
        f"you had {most / 1e6:.1f} MB in use, and all columns are {columns / 1e6:.1f} MB; do one place of the kernel "
        "at a time"
    )
