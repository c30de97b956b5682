import numpy as np
import pytest

import reference
from reference import assert_same, pair
from resnet_scratch import windows
from resnet_scratch.windows import as_pair, col2im, im2col, output_size, window_slices

GEOMETRIES = [
    ((4, 4), 3, 1, 0), ((5, 3), (2, 3), (2, 1), (1, 0)), ((6, 7), 3, 2, 1), ((3, 3), 1, 1, 0), ((4, 5), 1, 3, 2),
    ((7, 2), (3, 1), (3, 2), 2), ((1, 9), (1, 5), (1, 3), (0, 4)),
]  # fmt: skip
geometries = pytest.mark.parametrize("size, kernel_size, stride, padding", GEOMETRIES)


def test_the_worked_example_of_the_docstring(put):
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    assert_same(
        im2col(put(x), 3),
        [
            [0, 1, 2, 4, 5, 6, 8, 9, 10],
            [1, 2, 3, 5, 6, 7, 9, 10, 11],
            [4, 5, 6, 8, 9, 10, 12, 13, 14],
            [5, 6, 7, 9, 10, 11, 13, 14, 15],
        ],
        0,
    )
    counts = col2im(put(np.ones((4, 9))), (1, 4, 4, 1), 3)
    assert_same(counts[0, :, :, 0], [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]], 0)
    for row in "1 2 2 1", "4  5  6   8  9 10  12 13 14":
        assert row in windows.__doc__


@geometries
def test_rows_are_windows_in_reading_order(put, rng, size, kernel_size, stride, padding):
    x = rng.standard_normal((2, *size, 3))
    padded, (KH, KW) = reference.pad(x, padding), pair(kernel_size)
    rows = [
        padded[n, top : top + KH, left : left + KW].ravel()
        for n in range(2)
        for _, (top, left) in reference.corners(padded.shape, kernel_size, stride)
    ]
    assert_same(im2col(put(x), kernel_size, stride, padding), rows, 0)
    reused = im2col(put(x), kernel_size, stride, padding, reuse=True)
    assert_same(reused, rows, 0)


@geometries
def test_col2im_is_the_transpose_of_im2col(put, rng, size, kernel_size, stride, padding):
    x = put(rng.standard_normal((2, *size, 3)))
    columns = im2col(x, kernel_size, stride, padding)
    m = put(rng.standard_normal(columns.shape))
    back = col2im(m, x.shape, kernel_size, stride, padding)
    assert back.shape == x.shape
    assert float((columns * m).sum()) == pytest.approx(float((x * back).sum()), rel=1e-12)


@geometries
def test_slices_are_the_windows_the_other_way_round(put, rng, size, kernel_size, stride, padding):
    padded = put(reference.pad(rng.standard_normal((2, *size, 3)), padding))
    places = list(window_slices(padded, pair(kernel_size), pair(stride)))
    columns = im2col(padded, kernel_size, stride)
    assert_same(np.stack(places, 3).reshape(columns.shape), columns, 0)


def test_memory_is_used_again_only_when_asked_for(put, rng):
    x, other = put(rng.standard_normal((2, 1, 5, 5, 1)))
    kept = im2col(x, 3)
    im2col(other, 3)
    assert_same(im2col(x, 3), kept, 0)
    reused = im2col(x, (3, 3), (1, 1), (1, 1), reuse=True)
    again = im2col(other, (3, 3), (1, 1), (1, 1), reuse=True)
    assert again is reused or np.shares_memory(again, reused)
    assert_same(again, im2col(other, 3, 1, 1), 0)  # with clean zeros around
    assert_same(im2col(put(x, np.float32), (3, 3), (1, 1), (1, 1), reuse=True), im2col(put(x, np.float32), 3, 1, 1), 0)


@geometries
def test_output_size_is_the_number_of_windows_that_fit(size, kernel_size, stride, padding):
    padded = reference.pad(np.zeros((1, *size, 1)), padding)
    (oh, ow), _ = reference.corners(padded.shape, kernel_size, stride)[-1]
    assert output_size(size, pair(kernel_size), pair(stride), pair(padding)) == (oh + 1, ow + 1)


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match=r"kernel_size \(3, 6\) does not fit into an image of \(4, 3\) padded by \(0, 1\)"):
        output_size((4, 3), (3, 6), (1, 1), (0, 1))


def test_columns_of_another_image_are_refused():
    with pytest.raises(ValueError, match=r"columns must be \(4, 9\) for an image of \(1, 4, 4, 1\), got \(9, 4\)"):
        col2im(np.zeros((9, 4)), (1, 4, 4, 1), 3)


def test_a_pair_is_an_int_for_both_or_two_ints():
    assert as_pair("stride", 2, 1) == (2, 2) and as_pair("stride", [1, 3], 1) == (1, 3)


@pytest.mark.parametrize("value", [0, (1, 0), (1,), (1, 2, 3), (1.0, 2), "ab"])
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(ValueError, match="stride must be an int or a pair of ints, each at least 1, got"):
        as_pair("stride", value, 1)
