"""Checks of the exercises of tutorial 01."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...verify.definitions import convolution, im2col


def task_1_1(answer: Callable) -> None:
    """`output_size`: against counting the places where a window fits."""
    cases = [(4, 3, 1, 0), (5, 5, 1, 0), (32, 3, 1, 1), (32, 3, 2, 1), (6, 3, 2, 0), (7, 3, 3, 0), (224, 7, 2, 3)]
    mistakes: list[tuple[Callable, str]] = [  # (what such a mistake would answer, what to say)
        (lambda s, k, d, p: (s + 2 * p - k) // d, "the first window takes no step, add it"),
        (lambda s, k, d, p: (s + p - k) // d + 1, "the padding is on both sides, it counts twice"),
        (lambda s, k, d, p: -(-(s + 2 * p - k) // d) + 1, "round down: the last window would reach beyond the picture"),
    ]
    got = [answer(*case) for case in cases]
    hints = [hint for mistake, hint in mistakes if got == [mistake(*case) for case in cases]]
    for (size, kernel, stride, padding), count in zip(cases, got):
        case = f"size {size}, kernel {kernel}, stride {stride}, padding {padding}"
        assert isinstance(count, (int, np.integer)), f"{case}: a count is a whole number (int), got {count!r}; use //"
        end = size + 2 * padding
        expected = len([begin for begin in range(0, end, stride) if begin + kernel <= end])
        assert count == expected, "; ".join([f"{case}: {expected} windows fit, got {count}", *hints])


def task_1_2(answer: Callable) -> None:
    """`design_kernels`: on a single bright pixel and on random pictures, against moves of the picture itself."""
    weight = np.asarray(answer())
    assert weight.shape == (3, 3, 1, 3), f"the weight must be (KH, KW, C, O) = (3, 3, 1, 3), got {weight.shape}"
    for seed in (0, 1):
        picture = np.random.default_rng(seed).standard_normal((5, 6))
        around = np.zeros((7, 8))
        around[1:-1, 1:-1] = picture

        def moved(down: int, right: int) -> np.ndarray:
            """The picture moved; zeros come in at the border."""
            return around[1 - down : 6 - down, 1 - right : 7 - right]

        right, mean, fall = np.moveaxis(convolution(picture[None, :, :, None], weight, padding=1)[0], 2, 0)
        assert not np.allclose(right, moved(0, -1)), (
            "channel 0 moves the picture to the left: a weight on the right brings what is on the right here, and the "
            "kernel is not flipped"
        )
        assert not np.allclose(right, moved(1, 0)) and not np.allclose(right, moved(-1, 0)), (
            "channel 0 moves the picture up or down: the first axis of the weight is the row, the second the column"
        )
        assert np.allclose(right, moved(0, 1)), "channel 0 does not move the picture one pixel to the right"
        nine = sum(moved(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1))
        assert not np.allclose(mean, nine), "channel 1 is the sum of the nine; their mean is a ninth of it"
        assert np.allclose(mean, nine / 9), "channel 1 is not the mean of nine: each of the nine weights must be 1/9"
        assert not np.allclose(fall, picture - moved(-1, 0)), (
            "channel 2 has the other sign: below MINUS the pixel itself"
        )
        assert not np.allclose(fall, moved(1, 0) - picture), (
            "channel 2 takes the pixel above instead of below: row 0 of a kernel meets what is above"
        )
        assert not np.allclose(fall, moved(-1, 0) - moved(1, 0)), (
            "channel 2 is below minus above; it must be below minus the pixel itself, in the middle of the window"
        )
        assert np.allclose(fall, moved(-1, 0) - picture), "channel 2 is not the pixel below minus the pixel itself"


def task_1_3(answer: Callable) -> None:
    """`columns_of`: number by number, from the image's own indices."""
    example = np.arange(16.0).reshape(4, 4, 1)
    cases = [
        (example, (3, 3), 1, 0),
        (np.arange(1, 61, dtype=np.float32).reshape(4, 5, 3), (2, 3), 1, 0),
        (np.arange(1, 71, dtype=np.float64).reshape(5, 7, 2), (3, 3), 2, 1),
        (np.arange(1, 13, dtype=np.float32).reshape(3, 2, 2), (1, 1), 2, 0),
    ]
    for image, kernel_size, stride, padding in cases:
        given = image.copy()
        got = np.asarray(answer(image, kernel_size, stride, padding))
        case = f"image {image.shape}, kernel {kernel_size}, stride {stride}, padding {padding}"
        expected = im2col(image[None], kernel_size, stride, padding)
        assert np.array_equal(image, given), f"{case}: the image itself was changed"
        if got.shape == expected.T.shape != expected.shape and np.array_equal(got.T, expected):
            raise AssertionError(f"{case}: the windows are the columns of your matrix; here each window is a row")
        assert got.shape == expected.shape, f"{case}: the matrix must be {expected.shape}, got {got.shape}"
        assert got.dtype == image.dtype, f"{case}: the dtype must stay {image.dtype}, got {got.dtype}"
        if np.array_equal(got, expected):
            continue
        KH, KW, C = *kernel_size, image.shape[2]
        channel_first = expected.reshape(-1, KH, KW, C).transpose(0, 3, 1, 2).reshape(expected.shape)
        assert not np.array_equal(got, channel_first), (
            f"{case}: within your rows the channel comes first; the order is kernel row, kernel column, channel"
        )
        column_first = expected.reshape(-1, KH, KW, C).transpose(0, 2, 1, 3).reshape(expected.shape)
        assert not np.array_equal(got, column_first), (
            f"{case}: within your rows the kernel's columns come before its rows"
        )
        assert sorted(got.tolist()) != sorted(expected.tolist()), (
            f"{case}: the rows are right but in another order; windows come in reading order, row by row"
        )
        row, column = np.argwhere(got != expected)[0]
        raise AssertionError(
            f"{case}: in row {row}, column {column} of the matrix there must be {expected[row, column]:g}, got "
            f"{got[row, column]:g}; {'is the border zero? ' if padding else ''}does the window begin at place * stride?"
        )


def task_1_4(answer: Callable) -> None:
    """`convolution`: against the seven loops of the definition."""
    rng = np.random.default_rng(7)
    for shape, kernel_size, O, stride, padding, dtype in [
        ((1, 4, 4, 1), (3, 3), 1, 1, 0, np.float64),
        ((2, 5, 7, 3), (3, 3), 4, 1, 1, np.float64),
        ((3, 6, 5, 2), (3, 2), 5, 2, 1, np.float64),
        ((2, 4, 6, 3), (1, 1), 2, 2, 0, np.float32),
    ]:
        x = rng.standard_normal(shape).astype(dtype)
        weight = rng.standard_normal((*kernel_size, shape[3], O)).astype(dtype)
        bias = rng.standard_normal(O).astype(dtype)
        expected = convolution(x, weight, None, stride, padding)
        got = np.asarray(answer(x, weight, bias, stride, padding))
        case = f"x {shape}, weight {weight.shape}, stride {stride}, padding {padding}"
        assert got.shape == expected.shape, f"{case}: y must be {expected.shape}, got {got.shape}"
        assert got.dtype == dtype, f"{case}: y must have the dtype of x, {np.dtype(dtype)}, got {got.dtype}"

        def like(other: np.ndarray) -> bool:
            return bool(np.allclose(got, other, rtol=1e-4, atol=1e-4))

        if like(expected + bias):
            continue
        assert not like(expected), f"{case}: the bias is missing: bias[o] is added to every place of channel o"
        flipped = convolution(x, weight[::-1, ::-1], bias, stride, padding)
        assert not like(flipped), f"{case}: your kernel is flipped; here it is used as it is"
        flat = weight.transpose(3, 0, 1, 2).reshape(-1, O).reshape(weight.shape)
        assert not like(convolution(x, flat, bias, stride, padding)), (
            f"{case}: you transposed the weight before reshaping it; as it lies it is the matrix (KH*KW*C, O)"
        )
        N, OH, OW, _ = expected.shape
        mixed = (expected + bias).reshape(N, -1, O).swapaxes(1, 2).reshape(expected.shape)
        assert not like(mixed), (
            f"{case}: pixels and channels of y are mixed up; reshape the product (N*OH*OW, O) without a transposition"
        )
        wanted = expected + bias
        place = tuple(np.argwhere(~np.isclose(got, wanted, rtol=1e-4, atol=1e-4))[0].tolist())
        raise AssertionError(f"{case}: y{list(place)} must be {wanted[place]:.5f}, got {got[place]:.5f}")


def task_1_5(answer: Callable) -> None:
    """`cost`: worked by hand."""
    cases = [  # (arguments, parameters, multiply-adds, bytes of the columns)
        (((1, 4, 4, 1), 3, 1, 1, 0), (10, 36, 144)),  # 4 windows of 9 numbers
        (((2, 4, 6, 3), 3, 5, 1, 1), (140, 6480, 5184)),  # 48 windows of 27 numbers, 5 kernels
        (((1, 5, 5, 2), 3, 4, 2, 1), (76, 648, 648)),  # 9 windows of 18 numbers, 4 kernels
        (((1, 32, 32, 16), 1, 32, 2, 0), (544, 131072, 16384)),  # 256 windows of 16 numbers, 32 kernels
    ]
    names = ("parameters", "multiply_adds", "columns_bytes")
    for arguments, expected in cases:
        got = tuple(answer(*arguments))
        shape, kernel, O, stride, padding = arguments
        case = f"pictures {shape}, kernel {kernel}, {O} out, stride {stride}, padding {padding}"
        assert len(got) == 3, f"{case}: return three numbers, {names}, got {got}"
        assert got[0] != expected[0] - O, (
            f"{case}: {got[0]} parameters are the weights alone; each kernel has a bias too"
        )
        assert got[1] != expected[1] + expected[1] // (kernel * kernel * shape[3]), (
            f"{case}: you counted the bias among the multiply-adds"
        )
        assert got[1] * shape[0] != expected[1] or shape[0] == 1, (
            f"{case}: {got[1]} multiply-adds are those of one picture; the batch has {shape[0]}"
        )
        assert got[2] != expected[2] * O or O == 1, (
            f"{case}: the columns do not depend on the number of kernels; all kernels read the same ones"
        )
        assert got[2] * 4 != expected[2], f"{case}: these are the numbers of the columns; each has 4 bytes"
        for name, ours, theirs in zip(names, expected, got):
            assert theirs == ours, f"{case}: {name} must be {ours}, got {theirs}"
