import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.layers.windows import col2im, im2col, output_size, pad, window_slices
from resnet_scratch.verify import definitions

IMAGE = np.arange(16.0).reshape(1, 4, 4, 1)
COLUMNS = [[0, 1, 2, 4, 5, 6, 8, 9, 10], [1, 2, 3, 5, 6, 7, 9, 10, 11],
           [4, 5, 6, 8, 9, 10, 12, 13, 14], [5, 6, 7, 9, 10, 11, 13, 14, 15]]  # fmt: skip
GEOMETRIES = [
    ((6, 5), 3, 1, 1), ((6, 5), 3, 2, 1), ((7, 7), (2, 3), (3, 1), (0, 2)), ((5, 5), 1, 1, 0), ((5, 5), 1, 2, 0),
    ((4, 4), 4, 1, 0), ((5, 6), 3, 4, 1), ((3, 3), 2, 1, 3),
]  # fmt: skip


def test_the_worked_example(put):
    assert im2col(put(IMAGE), 3).tolist() == COLUMNS
    counts = col2im(put(np.ones((4, 9))), (1, 4, 4, 1), 3)
    assert counts[0, :, :, 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [2, 4, 4, 2], [1, 2, 2, 1]]


def test_padding_is_zero_and_stride_skips(put):
    columns = im2col(put(IMAGE + 1), 3, 2, 1)  # windows centred on pixels (0, 0), (0, 2), (2, 0), (2, 2)
    assert columns[0].tolist() == [0, 0, 0, 0, 1, 2, 0, 5, 6]
    assert columns[3].tolist() == [6, 7, 8, 10, 11, 12, 14, 15, 16]


def test_channels_stay_together_within_a_row_of_the_window():
    x = np.arange(2 * 3 * 4 * 2.0).reshape(2, 3, 4, 2)
    columns = im2col(x, 2)
    assert columns.shape == (2 * 2 * 3, 2 * 2 * 2)
    np.testing.assert_array_equal(columns[7], x[1, 0:2, 1:3].ravel())  # image 1, window (0, 1)


@pytest.mark.parametrize("size, kernel, stride, padding", GEOMETRIES)
def test_every_window_is_a_row(rng, put, size, kernel, stride, padding):
    x = rng.standard_normal((2, *size, 3))
    assert_same(im2col(put(x), kernel, stride, padding), definitions.im2col(x, kernel, stride, padding), 0)


@pytest.mark.parametrize("size, kernel, stride, padding", GEOMETRIES)
def test_col2im_is_the_transpose_of_im2col(put, size, kernel, stride, padding):
    rng = np.random.default_rng(0)
    x = put(rng.standard_normal((2, *size, 3)))
    columns = im2col(x, kernel, stride, padding)
    m = put(rng.standard_normal(columns.shape))
    there, back = (columns * m).sum(), (x * col2im(m, x.shape, kernel, stride, padding)).sum()
    assert float(there) == pytest.approx(float(back), rel=1e-12)


def test_columns_are_the_callers_own(put):
    first = im2col(put(IMAGE), 3, 1, 1)
    again = first.copy()
    im2col(put(IMAGE + 1), 3, 1, 1)
    assert_same(first, again, 0)


def test_window_slices_come_in_reading_order():
    slices = list(window_slices(IMAGE, (2, 2), (2, 2)))
    assert [s[0, :, :, 0].tolist() for s in slices] == [
        [[0, 2], [8, 10]], [[1, 3], [9, 11]], [[4, 6], [12, 14]], [[5, 7], [13, 15]]]  # fmt: skip


def test_pad_with_a_value(put):
    assert pad(put(IMAGE)[:, :1, :1], (1, 0), -np.inf)[0, :, 0, 0].tolist() == [-np.inf, 0, -np.inf]


@pytest.mark.parametrize(
    "kernel, stride, padding, expected", [(3, 1, 1, (7, 9)), (3, 2, 1, (4, 5)), (7, 2, 3, (4, 5)), (2, 2, 0, (3, 4))]
)
def test_output_size(kernel, stride, padding, expected):
    """Counted on squared paper for a 7x9 image."""
    assert output_size((7, 9), (kernel, kernel), (stride, stride), (padding, padding)) == expected


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match=r"kernel_size \(5, 5\) does not fit into an image of \(4, 4\)"):
        im2col(IMAGE, 5)
    for name, wrong in (("kernel_size", 0), ("stride", 0), ("padding", -1)):
        message = f"^{name} must be an int or a pair of ints, each at least {wrong + 1}, got {wrong}$"
        with pytest.raises(ValueError, match=message):
            im2col(IMAGE, **{"kernel_size": 3, name: wrong})
        with pytest.raises(ValueError, match=message):
            col2im(np.ones((4, 9)), IMAGE.shape, **{"kernel_size": 3, name: wrong})
    with pytest.raises(ValueError, match=r"columns must be \(4, 9\) .* got \(4, 8\)"):
        col2im(np.ones((4, 8)), (1, 4, 4, 1), 3)
