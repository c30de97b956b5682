"""Right answers in several styles to the tasks of tutorial 13, and wrong ones that people give."""

from __future__ import annotations

from functools import reduce

import numpy as np

from resnet_scratch.exercises import ch13_fast_numpy as solved
from resnet_scratch.layers.windows import crop, im2col, pad, window_slices


def sliding(image, kernel_size, stride):
    return np.lib.stride_tricks.sliding_window_view(image, kernel_size)[::stride, ::stride]


def all_windows_first(image, kernel_size, stride):
    (KH, KW), (H, W) = kernel_size, image.shape
    every = np.lib.stride_tricks.as_strided(image, (H - KH + 1, W - KW + 1, KH, KW), image.strides * 2)
    return every[::stride, ::stride]


def by_two_axes(image, kernel_size, stride):
    """First the rows of the windows, then their columns."""
    rows = np.lib.stride_tricks.sliding_window_view(image, kernel_size[0], axis=0)[::stride]
    return np.lib.stride_tricks.sliding_window_view(rows, kernel_size[1], axis=1)[:, ::stride]


def view(copy=False, from_shape=False, inside=False, outside=False, stride_used=True):
    def answer(image, kernel_size, stride):
        image = image.copy() if copy else image
        row, column = (image.shape[1] * image.itemsize, image.itemsize) if from_shape else image.strides
        counts = ((size - k) // stride + 1 for size, k in zip(image.shape, kernel_size))
        step = stride if stride_used else 1
        between = (column, row) if outside else (row, column)
        within = (column, row) if inside else (row, column)
        strides = step * between[0], step * between[1], *within
        return np.lib.stride_tricks.as_strided(image, (*counts, *kernel_size), strides)

    return answer


def one_window_too_few(image, kernel_size, stride):
    return solved.view_of_windows(image, kernel_size, stride)[:-1, :-1]


def slices(edges):
    return [slice(start, stop) for start, stop in zip(edges, edges[1:])]


def chunk_count(images, size, budget):
    return len(solved.cut(images, size, budget))


def cut_in_halves(images, size, budget):
    """Halves all chunks until they fit."""
    edges = [0, images]
    while images * size / (len(edges) - 1) > budget and 2 * (len(edges) - 1) <= images:
        edges = [images * k // (2 * len(edges) - 2) for k in range(2 * len(edges) - 1)]
    return slices(edges)


def cut_with_larger_ones_first(images, size, budget):
    parts = np.array_split(np.arange(images), chunk_count(images, size, budget))
    return [slice(int(part[0]), int(part[-1]) + 1) for part in parts]


def with_open_ends(images, size, budget):
    chunks = solved.cut(images, size, budget)
    return [slice(chunk.start or None, None if chunk.stop == images else chunk.stop) for chunk in chunks]


def cut_by_logarithms(images, size, budget):
    needed = max(0, int(np.ceil(np.log2(images * size / budget))))
    count = 2 ** min(needed, images.bit_length() - 1)
    return slices(np.linspace(0, images, count + 1).astype(int).tolist())


def as_many_as_fit(images, size, budget):
    most = max(1, budget // size)
    return slices([*range(0, images, most), images])


def not_a_power(images, size, budget):
    count = min(images, -(-images * size // budget))
    return slices([images * k // count for k in range(count + 1)])


def doubles_once_too_often(images, size, budget):
    count = 1
    while images * size >= count * budget and 2 * count <= images:
        count *= 2
    return slices([images * k // count for k in range(count + 1)])


def until_the_largest_fits(images, size, budget):
    count = 1
    while -(-images // count) * size > budget and 2 * count <= images:
        count *= 2
    return slices([images * k // count for k in range(count + 1)])


def until_the_smallest_fits(images, size, budget):
    count = 1
    while images // count * size > budget and 2 * count <= images:
        count *= 2
    return slices([images * k // count for k in range(count + 1)])


def more_chunks_than_images(images, size, budget):
    count = 1
    while images * size > count * budget:
        count *= 2
    return slices([images * k // count for k in range(count + 1)])


def the_rest_is_lost(images, size, budget):
    count = chunk_count(images, size, budget)
    return slices([images // count * k for k in range(count + 1)])


def the_rest_in_the_last(images, size, budget):
    count = chunk_count(images, size, budget)
    return slices([*(images // count * k for k in range(count)), images])


def halved_too_few_times(images, size, budget):
    return slices([0, images])


def tree_by_recursion(arrivals, chunks):
    found = {k: part for k, part in arrivals}

    def total(start, stop):
        middle = (start + stop) // 2
        return found[start] if stop - start == 1 else total(start, middle) + total(middle, stop)

    return total(0, chunks)


def tree_as_they_arrive(arrivals, chunks):
    """Adds two neighbours as soon as both are there, and keeps few sums."""
    waiting = {}
    for k, value in arrivals:
        nodes = chunks
        while nodes > 1 and (nodes, k ^ 1) in waiting:
            value = waiting.pop((nodes, k ^ 1)) + value
            nodes, k = nodes // 2, k // 2
        waiting[nodes, k] = value
    return waiting[1, 0]


def tree_with_arrays(arrivals, chunks):
    level = np.stack([part for _, part in sorted(arrivals, key=lambda pair: pair[0])])
    while len(level) > 1:
        level = level[::2] + level[1::2]
    return level[0]


def tree_by_steps(arrivals, chunks):
    """Adds into copies, at distances 1, 2, 4, ..."""
    sums = [part.copy() for _, part in sorted(arrivals, key=lambda pair: pair[0])]
    distance = 1
    while distance < chunks:
        for k in range(0, chunks, 2 * distance):
            sums[k] += sums[k + distance]
        distance *= 2
    return sums[0]


def as_they_arrive(arrivals, chunks):
    return reduce(np.add, [part for _, part in arrivals])


def in_order(arrivals, chunks):
    found = dict(arrivals)
    return reduce(np.add, [found[k] for k in range(chunks)])


def in_halves(arrivals, chunks):
    level = np.stack([part for _, part in sorted(arrivals, key=lambda pair: pair[0])])
    while len(level) > 1:
        level = level[: len(level) // 2] + level[len(level) // 2 :]
    return level[0]


def arrived_neighbours(arrivals, chunks):
    sums = [part for _, part in arrivals]
    while len(sums) > 1:
        sums = [a + b for a, b in zip(sums[::2], sums[1::2])]
    return sums[0]


def in_float64(arrivals, chunks):
    return sum(part.astype(np.float64) for _, part in arrivals)


def into_the_first(arrivals, chunks):
    found = dict(arrivals)
    for k in range(1, chunks):
        found[0] += found[k]
    return found[0]


def all_but_the_last(arrivals, chunks):
    return solved.tree_sum([(k, part if k < chunks - 1 or k == 0 else 0 * part) for k, part in arrivals], chunks)


def convolve_by_slices(x, weight, stride, padding):
    y = 0
    for pixels, w in zip(
        window_slices(pad(x, (padding, padding)), weight.shape[:2], (stride, stride)),
        weight.reshape(-1, *weight.shape[2:]),
    ):
        y = y + pixels @ w
    return y


def convolve_by_einsum(x, weight, stride, padding):
    (KH, KW), padded = weight.shape[:2], np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    last_row, last_column = padded.shape[1] - KH, padded.shape[2] - KW
    return sum(
        np.einsum(
            "nhwc,co->nhwo", padded[:, i : i + last_row + 1 : stride, j : j + last_column + 1 : stride], weight[i, j]
        )
        for i in range(KH)
        for j in range(KW)
    )


def convolve_by_tensordot(x, weight, stride, padding):
    padded = pad(x, (padding, padding))
    KH, KW, _, O = weight.shape
    OH, OW = (padded.shape[1] - KH) // stride + 1, (padded.shape[2] - KW) // stride + 1
    y = np.zeros((len(x), OH, OW, O), x.dtype)
    for kh in range(KH):
        for kw in range(KW):
            moved = padded[:, kh:, kw:][:, ::stride, ::stride][:, :OH, :OW]
            y += np.tensordot(moved, weight[kh, kw], 1)
    return y


def with_columns(x, weight, stride, padding):
    y = solved.shifted_convolution(x, weight, stride, padding)
    columns = im2col(x, weight.shape[:2], stride, padding)
    return (columns @ weight.reshape(-1, weight.shape[3])).reshape(y.shape)


def all_products_at_once(x, weight, stride, padding):
    positions = window_slices(pad(x, (padding, padding)), weight.shape[:2], (stride, stride))
    return sum([pixels @ w for pixels, w in zip(list(positions), weight.reshape(-1, *weight.shape[2:]))])


def columns_of_one_image(x, weight, stride, padding):
    return np.concatenate([with_columns(x[n : n + 1], weight, stride, padding) for n in range(len(x))])


def only_the_last(x, weight, stride, padding):
    positions = window_slices(pad(x, (padding, padding)), weight.shape[:2], (stride, stride))
    for pixels, w in zip(positions, weight.reshape(-1, *weight.shape[2:])):
        y = pixels @ w
    return y


def gradients(add=True, cut=True, columns=False, swap=False, flipped=False, in_place=False):
    def answer(grad_y, x, weight, stride, padding):
        KH, KW, C, O = weight.shape
        padded = pad(x, (padding, padding))
        grad_padded, grad_weight = np.zeros_like(padded), np.empty_like(weight)
        positions = [window_slices(a, (KH, KW), (stride, stride)) for a in (padded, grad_padded)]
        for position, pixels, grad_pixels in zip(np.ndindex(KH, KW), *positions):
            back = grad_y @ weight[position].T
            grad_pixels[...] = grad_pixels + back if add else back
            grad_weight[position] = pixels.reshape(-1, C).T @ grad_y.reshape(-1, O)
        if columns:
            grad_weight = im2col(x, (KH, KW), stride, padding).T @ grad_y.reshape(-1, O)
        if in_place:
            grad_y *= 2
        grad_weight = grad_weight.reshape(weight.shape)[:: -1 if flipped else 1]
        result = crop(grad_padded, (padding, padding)) if cut else grad_padded, grad_weight
        return result[::-1] if swap else result

    return answer


def gradients_of_one_image(grad_y, x, weight, stride, padding):
    pairs = [gradients(columns=True)(g[None], image[None], weight, stride, padding) for g, image in zip(grad_y, x)]
    return np.concatenate([grad_x for grad_x, _ in pairs]), sum(grad_weight for _, grad_weight in pairs)


def gradients_by_einsum(grad_y, x, weight, stride, padding):
    (KH, KW), (_, H, W, _), (OH, OW) = weight.shape[:2], x.shape, grad_y.shape[1:3]
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    grad_padded, grad_weight = np.zeros_like(padded), np.zeros_like(weight)
    for i in range(KH):
        rows = slice(i, i + stride * (OH - 1) + 1, stride)
        for j in range(KW):
            columns = slice(j, j + stride * (OW - 1) + 1, stride)
            grad_weight[i, j] = np.einsum("nhwc,nhwo->co", padded[:, rows, columns], grad_y)
            grad_padded[:, rows, columns] += np.einsum("nhwo,co->nhwc", grad_y, weight[i, j])
    return grad_padded[:, padding : padding + H, padding : padding + W], grad_weight


def gradients_in_two_passes(grad_y, x, weight, stride, padding):
    """grad_x image by image, grad_weight with tensordot."""
    geometry = weight.shape[:2], (stride, stride)
    grad_x = np.empty_like(x)
    for n, g in enumerate(grad_y):
        padded = pad(np.zeros_like(x[n : n + 1]), (padding, padding))
        for pixels, w in zip(window_slices(padded, *geometry), weight.reshape(-1, *weight.shape[2:])):
            pixels += g @ w.T
        grad_x[n] = crop(padded, (padding, padding))[0]
    products = [
        np.tensordot(pixels, grad_y, ([0, 1, 2], [0, 1, 2]))
        for pixels in window_slices(pad(x, (padding, padding)), *geometry)
    ]
    return grad_x, np.stack(products).reshape(weight.shape)


RIGHT: list = [
    ("13.1", sliding),
    ("13.1", all_windows_first),
    ("13.1", by_two_axes),
    ("13.1", view()),
    ("13.2", with_open_ends),
    ("13.2", cut_in_halves),
    ("13.2", cut_with_larger_ones_first),
    ("13.2", cut_by_logarithms),
    ("13.3", tree_by_recursion),
    ("13.3", tree_as_they_arrive),
    ("13.3", tree_with_arrays),
    ("13.3", tree_by_steps),
    ("13.4", convolve_by_slices),
    ("13.4", convolve_by_einsum),
    ("13.4", convolve_by_tensordot),
    ("13.5", gradients()),
    ("13.5", gradients_by_einsum),
    ("13.5", gradients_in_two_passes),
    ("13.5", lambda *arguments: list(solved.shifted_gradients(*arguments))),
    ("13.5", lambda g, x, w, *geometry: solved.shifted_gradients(*map(np.float32, (g, x, w)), *geometry)),
    ("13.4", lambda *arguments: list(solved.shifted_convolution(*arguments))),
    ("13.5", lambda *arguments: list(map(list, solved.shifted_gradients(*arguments)))),
]

WRONG = [
    ("13.1", view(copy=True), "this is a copy"),
    ("13.1", view(inside=True), "inside the windows are exchanged"),
    ("13.1", view(outside=True), "between the windows are exchanged"),
    ("13.1", view(from_shape=True), "do not compute them from the shape"),
    ("13.1", view(stride_used=False), "from window to window"),
    ("13.1", one_window_too_few, "the view must be"),
    ("13.2", as_many_as_fit, "power of two"),
    ("13.2", not_a_power, "power of two"),
    ("13.2", doubles_once_too_often, "are enough"),
    ("13.2", until_the_largest_fits, "are enough"),
    ("13.2", until_the_smallest_fits, "more than the budget"),
    ("13.2", more_chunks_than_images, "without images"),
    ("13.2", the_rest_is_lost, "must stop at"),
    ("13.2", the_rest_in_the_last, "not even"),
    ("13.2", halved_too_few_times, "more than the budget"),
    ("13.2", lambda *arguments: solved.cut(*arguments)[::-1], "must start at 0"),
    ("13.2", lambda *arguments: [(s.start, s.stop) for s in solved.cut(*arguments)], "wanted slices"),
    ("13.3", as_they_arrive, "order of arrival"),
    ("13.3", in_order, "not the tree's"),
    ("13.3", in_halves, "half of the list apart"),
    ("13.3", arrived_neighbours, "last digits"),
    ("13.3", in_float64, "must give float32"),
    ("13.3", into_the_first, "was changed"),
    ("13.3", all_but_the_last, "not the sum of all"),
    ("13.4", with_columns, "at a time"),
    ("13.4", all_products_at_once, "at a time"),
    ("13.4", columns_of_one_image, "at a time"),
    ("13.4", only_the_last, "only the product of the last"),
    ("13.4", lambda x, w, s, p: solved.shifted_convolution(x.astype(np.float64), w, s, p), "float32 result"),
    ("13.4", lambda x, w, s, p: solved.shifted_convolution(x, w, s, p).astype(np.float32), "dtype of x"),
    ("13.4", lambda x, w, s, p: solved.shifted_convolution(x, w[::-1, ::-1], s, p), "wrong way"),
    ("13.4", lambda x, w, s, p: solved.shifted_convolution(x, w, 1, p), "y must be"),
    ("13.4", lambda x, w, s, p: 2 * solved.shifted_convolution(x, w, s, p), "y at"),
    ("13.5", gradients(add=False), "only the last was kept"),
    ("13.5", gradients(cut=False), "padding cut off"),
    ("13.5", gradients(columns=True), "at a time"),
    ("13.5", gradients_of_one_image, "at a time"),
    ("13.5", gradients(swap=True), "grad_x must be"),
    ("13.5", gradients(flipped=True), "grad_weight at"),
    ("13.5", gradients(in_place=True), "grad_y was changed"),
    ("13.5", lambda *arguments: solved.shifted_gradients(*arguments)[0], "return two arrays"),
    (
        "13.1",
        lambda image, *rest: solved.view_of_windows(image, *rest).tolist(),
        r"returned \[\[.*, which the check cannot",
    ),
    ("13.5", lambda *arguments: (solved.shifted_gradients(*arguments)[0], None), r"grad_weight must be .*, got \(\)"),
]
