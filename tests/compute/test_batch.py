"""`over_batch`: every image once and in order, and sums over one binary tree."""

import re
import threading
import time

import numpy as np
import pytest
from reference import assert_same

from resnet_scratch.compute import batch
from resnet_scratch.compute.batch import Sum, over_batch
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build

EVERY_NUMBER = pytest.mark.parametrize("threads", [1, 2, 3, 7])


def chunks_of(images, bytes_per_image, footprint=1.0):
    """The chunks that a kernel is given, as lists of image numbers, in order."""
    chunks = []
    numbers, wide = np.arange(images), np.zeros((images, bytes_per_image), np.uint8)
    over_batch(lambda numbers, wide: chunks.append(numbers.tolist()), numbers, wide, footprint=footprint)
    return sorted(chunks)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("images, bytes_per_image, footprint, expected", [
    (1, 5000, 9, 1), (8, 100, 1, 1), (10, 100, 1, 1), (8, 100, 2, 2), (20, 100, 1, 2), (21, 100, 1, 4),
    (3, 10**4, 1, 2), (10, 1000, 1, 8), (13, 1000, 9, 8), (128, 100, 9, 128), (129, 100, 2.5, 64), (97, 200, 1, 32),
])  # fmt: skip
def test_how_many_chunks(monkeypatch, set_threads, threads, images, bytes_per_image, footprint, expected):
    """By hand, for chunks of 1000 bytes: 129 images of 250 bytes are 32,250, so 64 chunks (32 would be too few)."""
    monkeypatch.setattr(batch, "CHUNK_BYTES", 1000)
    set_threads(threads)
    assert len(chunks_of(images, bytes_per_image, footprint)) == expected


@EVERY_NUMBER
@pytest.mark.parametrize("images", [1, 2, 3, 4, 5, 7, 8, 9, 13, 31, 32, 33, 64, 97, 100, 129])
@pytest.mark.parametrize("chunk_bytes", [1, 100, 10**6])
def test_every_image_is_in_one_chunk_in_order(monkeypatch, set_threads, threads, images, chunk_bytes):
    monkeypatch.setattr(batch, "CHUNK_BYTES", chunk_bytes)
    set_threads(threads)
    chunks = chunks_of(images, 8)
    assert [number for chunk in chunks for number in chunk] == list(range(images))
    lengths = {len(chunk) for chunk in chunks}
    assert min(lengths) >= 1 and max(lengths) - min(lengths) <= 1
    assert len(chunks) in (1, 2, 4, 8, 16, 32, 64, 128)
    numbers = np.arange(images)
    assert over_batch(lambda n: n * 10, numbers).tolist() == list(range(0, 10 * images, 10))


@pytest.mark.parametrize("chunk_bytes", [1, 10**6])
def test_what_a_kernel_may_return(xp, monkeypatch, chunk_bytes):
    monkeypatch.setattr(batch, "CHUNK_BYTES", chunk_bytes)
    x, scale = xp.asarray([[1.0, 2], [3, 4], [5, 6]]), xp.asarray([10, 100, 1000])
    y = over_batch(lambda x, scale: x * scale[:, None], x, scale)
    assert y.tolist() == [[10, 20], [300, 400], [5000, 6000]] and type(y) is type(x)
    assert over_batch(lambda x: Sum(x.sum(0)), x).tolist() == [9, 12]
    y, total, positive = over_batch(lambda x: (x + 1, Sum(x.sum()), x > 2), x)
    assert y.tolist() == [[2, 3], [4, 5], [6, 7]] and float(total) == 21
    assert positive.tolist() == [[False, False], [True, True], [True, True]] and positive.dtype == bool
    alone = over_batch(lambda x: (x.astype("float32"),), x)
    assert isinstance(alone, tuple) and alone[0].dtype == "float32" and alone[0].tolist() == x.tolist()

    def double(x):
        x *= 2

    assert over_batch(double, x) is None and x.tolist() == [[2, 4], [6, 8], [10, 12]]


# by hand, in float32, where numbers near 1e8 are multiples of 8
TREES = [
    ([1e8, 1, -1e8, 1], 0),  # (1e8 + 1) + (-1e8 + 1) = 1e8 - 1e8; one after another it would be 1
    ([1e8, -1e8, 1, 1], 2),  # 0 + 2; with the even and the odd ones apart it would be 0
    # ((1e8 - 1e8) + (3 + 1e8)) + ((5 - 1e8) + (7 + 11)) = 1e8 + (-99999992 + 18 = -99999976); in order it would be 18
    ([1e8, -1e8, 3, 1e8, 5, -1e8, 7, 11], 24),
]


@EVERY_NUMBER
@pytest.mark.parametrize("values, expected", TREES)
def test_a_sum_is_that_of_the_tree(small_chunks, set_threads, threads, values, expected):
    """Chunks end in another order each time: the later ones first, then all at once."""
    set_threads(threads)
    x = np.float32(values)
    for pause in (0.003, 0, 0):

        def kernel(x, k, pause=pause):
            time.sleep(pause * (len(values) - float(k[0])))
            return Sum(x.sum())

        total = over_batch(kernel, x, np.arange(len(x)))
        assert float(total) == expected and total.dtype == np.float32


def test_the_sum_waits_for_a_chunk_that_comes_last(small_chunks, set_threads):
    set_threads(2)
    last_is_done = threading.Event()

    def kernel(x, k):
        if k[0] == 0:
            assert last_is_done.wait(20)
        elif k[0] == 3:
            last_is_done.set()
        return Sum(x[0])

    assert over_batch(kernel, np.float32([1e8, -1e8, 1, 1]), np.arange(4)) == 2


@pytest.mark.parametrize("images", [2, 4, 6, 10, 12, 48, 64, 100, 128])
@pytest.mark.parametrize("chunk_bytes", [1, 150])
def test_the_sum_over_a_batch_is_the_sum_of_its_halves_to_the_bit(rng, monkeypatch, images, chunk_bytes):
    """Where there is more than one chunk: so halves can be computed by two processes."""
    monkeypatch.setattr(batch, "CHUNK_BYTES", chunk_bytes)
    x = (10.0 ** rng.integers(-4, 5, (images, 40)) * rng.standard_normal((images, 40))).astype(np.float32)
    halves = x[: images // 2], x[images // 2 :]
    whole, first, second = (over_batch(lambda x: Sum(x.sum(0)), part) for part in (x, *halves))
    np.testing.assert_array_equal(whole, first + second)
    in_order = np.add.accumulate(x)[-1]
    assert images <= 4 or (whole != in_order).any()  # so these numbers can tell


def test_a_sum_that_is_a_view_of_the_batch_leaves_it_as_it_was(small_chunks):
    x = np.float64([[1, 2], [10, 20], [100, 200], [1000, 2000]])
    before = x.copy()
    assert over_batch(lambda x: Sum(x[0]), x).tolist() == [1111, 2222]
    np.testing.assert_array_equal(x, before)


def training_step():
    model = build("resnet8", rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    images, labels = rng.standard_normal((24, 32, 32, 3), np.float32), rng.integers(0, 10, 24)
    logits, cache = model.forward(images, training=True)
    loss, grad_logits = softmax_cross_entropy(logits, labels)
    grad_images = model.backward(grad_logits, cache)
    buffers = [buffer.value for _, buffer in model.named_buffers()]
    return [logits, loss, grad_images, *buffers, *(p.grad for p in model.parameters())]


def test_a_training_step_is_the_same_to_the_bit_for_any_number_of_threads(monkeypatch, set_threads):
    monkeypatch.setattr(batch, "CHUNK_BYTES", 1 << 15)
    set_threads(1)
    one = training_step()
    for threads in (2, 3, 5):
        set_threads(threads)
        assert all(np.array_equal(a, b) for a, b in zip(one, training_step(), strict=True))


def test_batches_that_do_not_fit_are_refused(xp):
    three, none = xp.asarray(np.zeros((3, 2))), xp.asarray(np.zeros((0, 2)))
    for batches, shapes in [((three, three[:2]), r"\(3, 2\), \(2, 2\)"), ((none,), r"\(0, 2\)"), ((three, none), "")]:
        with pytest.raises(ValueError, match=f"batches must have the same number of images, at least 1, got .{shapes}"):
            over_batch(lambda *batches: batches[0], *batches)


def test_on_a_gpu_the_whole_batch_is_one_chunk(gpu, small_chunks, set_threads):
    set_threads(3)
    x, calls = gpu.asarray(np.arange(6.0).reshape(3, 2)), []

    def kernel(x):
        calls.append((threading.get_ident(), x.shape))
        return x + 1, Sum(x.sum(0))

    y, total = over_batch(kernel, x)
    assert calls == [(threading.get_ident(), (3, 2))]
    assert_same(y, np.arange(1.0, 7).reshape(3, 2), 0)
    assert type(total) is gpu.ndarray and total.tolist() == [6, 9]


@pytest.mark.parametrize("wrong, got", [
    (lambda x: x[:1], (1, 2)), (lambda x: x.sum(0, keepdims=True), (1, 2)), (lambda x: x.sum(), ()),
    (lambda x: (x, x.sum(0)), (2,)), (lambda x: len(x), ()), (lambda x: (None, x), ()),
])  # fmt: skip
def test_a_kernel_that_does_not_return_a_row_per_image_is_refused(xp, monkeypatch, set_threads, wrong, got):
    """In one chunk too, and on a GPU: otherwise it would be found with large batches only."""
    set_threads(1)
    message = "^a kernel must return a Sum, or a row for each of its . images, got "
    for chunk_bytes in (10**6, 1):
        monkeypatch.setattr(batch, "CHUNK_BYTES", chunk_bytes)
        with pytest.raises(ValueError, match=message + re.escape(f"{got}")):
            over_batch(wrong, xp.asarray(np.zeros((6, 2))))


@pytest.mark.parametrize("others", [1, 3])
def test_a_kernel_that_returns_more_or_less_for_another_chunk_is_refused(small_chunks, set_threads, others):
    set_threads(1)
    parts = iter([2, others])
    with pytest.raises(ValueError, match="zip"):
        over_batch(lambda x: (x,) * next(parts), np.zeros((2, 3)))
