"""Checks of the tasks of tutorial 01."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...layers import windows
from ...verify.definitions import convolution, im2col
from .traces import calls, python_steps


def task_1_1(answer: Callable) -> None:
    """`design_kernels`: on random images, against images that were moved by slicing."""
    weight = np.asarray(answer())
    assert weight.shape == (3, 3, 1, 3), f"the weight must be (KH, KW, C, O) = (3, 3, 1, 3), got {weight.shape}"
    for seed in (0, 1):
        image = np.random.default_rng(seed).standard_normal((5, 6))
        around = np.zeros((7, 8))
        around[1:-1, 1:-1] = image

        def moved(down: int, right: int) -> np.ndarray:
            """The image moved; zeros come in at the border."""
            return around[1 - down : 6 - down, 1 - right : 7 - right]

        right, mean, fall = np.moveaxis(convolution(image[None, :, :, None], weight, padding=1)[0], 2, 0)
        assert not np.allclose(right, moved(0, -1)), (
            "channel 0 moves the image to the left: the kernel is not flipped, so a weight on the right reads the "
            "pixel on the right"
        )
        assert not np.allclose(right, moved(1, 0)) and not np.allclose(right, moved(-1, 0)), (
            "channel 0 moves the image up or down: the first axis of the weight is the row, the second the column"
        )
        assert np.allclose(right, moved(0, 1)), "channel 0 does not move the image one pixel to the right"
        nine = sum(moved(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1))
        assert not np.allclose(mean, nine), "channel 1 is the sum of the nine pixels; their mean is a ninth of it"
        assert np.allclose(mean, nine / 9), "channel 1 is not the mean of nine: each of the nine weights must be 1/9"
        assert not np.allclose(fall, image - moved(-1, 0)), (
            "channel 2 has the wrong sign: it must be the pixel below MINUS the pixel itself"
        )
        assert not np.allclose(fall, moved(1, 0) - image), (
            "channel 2 takes the pixel above instead of below: row 0 of a kernel reads the row above"
        )
        assert not np.allclose(fall, moved(-1, 0) - moved(1, 0)), (
            "channel 2 is below minus above; it must be below minus the pixel itself, which is in the middle"
        )
        assert np.allclose(fall, moved(-1, 0) - image), "channel 2 is not the pixel below minus the pixel itself"


def task_1_2(answer: Callable) -> None:
    """`count_windows`: against counting the windows that fit."""
    cases = [(4, 3, 1, 0), (5, 5, 1, 0), (32, 3, 1, 1), (32, 3, 2, 1), (6, 3, 2, 0), (7, 3, 3, 0), (224, 7, 2, 3)]
    mistakes: list[tuple[Callable, str]] = [  # (what such a mistake would answer, what to say)
        (lambda s, k, d, p: (s + 2 * p - k) // d, "the first window needs no step, so add 1 for it"),
        (lambda s, k, d, p: (s + p - k) // d + 1, "the padding is on both sides, so it counts twice"),
        (lambda s, k, d, p: -(-(s + 2 * p - k) // d) + 1, "round down: your last window reaches beyond the image"),
    ]
    got = [answer(*case) for case in cases]
    hints = [hint for mistake, hint in mistakes if got == [mistake(*case) for case in cases]]
    for (size, kernel, stride, padding), count in zip(cases, got):
        case = f"size {size}, kernel {kernel}, stride {stride}, padding {padding}"
        assert isinstance(count, (int, np.integer)), f"{case}: a count is a whole number (int), got {count!r}; use //"
        end = size + 2 * padding
        expected = len([begin for begin in range(0, end, stride) if begin + kernel <= end])
        assert count == expected, "; ".join([f"{case}: {expected} windows fit, got {count}", *hints])


def task_1_3(answer: Callable) -> None:
    """`columns_of`: number by number, from the image's own indices; and by itself."""
    example = np.arange(16.0).reshape(4, 4, 1)
    for image, kernel_size, stride, padding in [
        (example, (3, 3), 1, 0),
        (np.arange(1, 61, dtype=np.float32).reshape(4, 5, 3), (2, 3), 1, 0),
        (np.arange(1, 71, dtype=np.float64).reshape(5, 7, 2), (3, 3), 2, 1),
        (np.arange(1, 13, dtype=np.float32).reshape(3, 2, 2), (1, 1), 2, 0),
    ]:
        got = np.asarray(answer(image, kernel_size, stride, padding))
        case = f"image {image.shape}, kernel {kernel_size}, stride {stride}, padding {padding}"
        expected = im2col(image[None], kernel_size, stride, padding)
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
            f"{case}: row {row}, column {column} of the matrix must be {expected[row, column]:g}, got "
            f"{got[row, column]:g}; {'is the border zero? ' if padding else ''}does the window start at oh * stride?"
        )
    assert windows.im2col.__code__ not in calls(answer, example, (3, 3), 1, 0), (
        "the columns are right, but they are the library's im2col: write your own"
    )


def task_1_4(answer: Callable) -> None:
    """`convolution`: against the seven loops of the definition, and without a loop of its own."""
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
        assert not like(expected), f"{case}: the bias is missing: bias[o] is added to every number of channel o"
        flipped = convolution(x, weight[::-1, ::-1], bias, stride, padding)
        assert not like(flipped), f"{case}: your kernel is flipped; here it is used as it is"
        flat = weight.transpose(3, 0, 1, 2).reshape(-1, O).reshape(weight.shape)
        assert not like(convolution(x, flat, bias, stride, padding)), (
            f"{case}: you transposed the weight before reshaping it; reshape alone gives the matrix (KH*KW*C, O)"
        )
        N, OH, OW, _ = expected.shape
        mixed = (expected + bias).reshape(N, -1, O).swapaxes(1, 2).reshape(expected.shape)
        assert not like(mixed), (
            f"{case}: pixels and channels of y are mixed up; reshape the product (N*OH*OW, O) without a transposition"
        )
        wanted = expected + bias
        where = tuple(np.argwhere(~np.isclose(got, wanted, rtol=1e-4, atol=1e-4))[0].tolist())
        raise AssertionError(f"{case}: y{list(where)} must be {wanted[where]:.5f}, got {got[where]:.5f}")
    _refuse_loops(answer)


SMALL = {"N": 2, "H": 12, "W": 12, "C": 2, "KH": 2, "KW": 2, "O": 2}
LARGER = {"N": 32, "H": 42, "W": 42, "C": 32, "KH": 12, "KW": 12, "O": 32}
LOOPS_OVER = {"N": "images", "H": "windows", "W": "windows", "C": "channels", "KH": "rows of the kernel",
              "KW": "columns of the kernel", "O": "kernels"}  # fmt: skip


def _refuse_loops(answer: Callable) -> None:
    """A convolution must take as many steps of the Python interpreter for large arrays as for small ones.

    Steps are counted, so the machine's speed does not matter. Each iteration of a loop takes more than two steps.
    """

    def steps(sizes: dict[str, int]) -> int:
        x = np.ones([sizes[name] for name in ("N", "H", "W", "C")])
        weight, bias = np.ones([sizes[name] for name in ("KH", "KW", "C", "O")]), np.ones(sizes["O"])
        return min(python_steps(answer, x, weight, bias, 1, 1) for _ in range(2))

    steps(SMALL)  # Python 3.12 does not count the very first run
    few = steps(SMALL)
    for name, size in LARGER.items():
        more = steps({**SMALL, name: size})
        assert more - few < 2 * (size - SMALL[name]), (
            f"y is right, but there is a loop over the {LOOPS_OVER[name]}: Python took {few} steps with {name} = "
            f"{SMALL[name]}, and {more} with {name} = {size}. Let one matrix product do it all"
        )


def task_1_5(answer: Callable) -> None:
    """`cost`: computed by hand."""
    cases = [  # (arguments, (parameters, multiply-adds, bytes of the columns))
        (((1, 4, 4, 1), 3, 1, 1, 0), (10, 36, 144)),  # 4 windows of 9 numbers
        (((2, 4, 6, 3), 3, 5, 1, 1), (140, 6480, 5184)),  # 48 windows of 27 numbers, 5 kernels
        (((1, 5, 5, 2), 3, 4, 2, 1), (76, 648, 648)),  # 9 windows of 18 numbers, 4 kernels
        (((1, 32, 32, 16), 1, 32, 2, 0), (544, 131072, 16384)),  # 256 windows of 16 numbers, 32 kernels
    ]
    names = ("parameters", "multiply_adds", "columns_bytes")
    for arguments, expected in cases:
        got = answer(*arguments)
        shape, kernel, O, stride, padding = arguments
        case = f"images {shape}, kernel {kernel}, {O} out, stride {stride}, padding {padding}"
        assert np.shape(got) == (3,), f"{case}: return three numbers, {names}, got {got!r}"
        for name, number in zip(names, got):
            assert isinstance(number, (int, np.integer)), f"{case}: {name} must be an int, got {number!r}; use //"
        parameters, multiply_adds, columns_bytes = got
        assert parameters != expected[0] - O, (
            f"{case}: {parameters} parameters are the weights alone; each kernel has a bias too"
        )
        numbers = kernel * kernel * shape[3]
        everywhere = shape[0] * shape[1] * shape[2] * numbers * O
        assert multiply_adds != everywhere or everywhere == expected[1], (
            f"{case}: you counted a window for each pixel of the images; how many windows fit (task 1.2)?"
        )
        assert multiply_adds != expected[1] + expected[1] // numbers, (
            f"{case}: you counted the bias among the multiply-adds"
        )
        assert multiply_adds * shape[0] != expected[1] or shape[0] == 1, (
            f"{case}: {multiply_adds} multiply-adds are those of one image; the batch has {shape[0]}"
        )
        assert columns_bytes != expected[2] * O or O == 1, (
            f"{case}: the columns do not depend on the number of kernels; all kernels read the same ones"
        )
        assert columns_bytes * 4 != expected[2], (
            f"{case}: the columns have {columns_bytes} numbers, of 4 bytes each; return the number of bytes"
        )
        for name, number, wanted in zip(names, got, expected):
            assert number == wanted, f"{case}: {name} must be {wanted}, got {number}"
