"""Wrong answers that people give to the tasks of tutorial 13, and a word of what each must be told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed

import numpy as np

from resnet_scratch.exercises import ch13_fast_numpy as tasks
from resnet_scratch.layers.windows import crop, im2col, pad, window_slices


def with_columns(x, weight, stride, padding):
    y = tasks.shifted_convolution(x, weight, stride, padding)
    columns = im2col(x, weight.shape[:2], stride, padding)
    return (columns @ weight.reshape(-1, weight.shape[3])).reshape(y.shape)


def all_products_at_once(x, weight, stride, padding):
    places = window_slices(pad(x, (padding, padding)), weight.shape[:2], (stride, stride))
    return sum([pixels @ w for pixels, w in zip(list(places), weight.reshape(-1, *weight.shape[2:]))])


def in_float64(x, weight, stride, padding):
    return tasks.shifted_convolution(x.astype(np.float64), weight, stride, padding)


def gradients(add=True, cut=True, columns=False, swap=False, flipped=False, in_place=False):
    def answer(grad_y, x, weight, stride, padding):
        KH, KW, C, O = weight.shape
        padded = pad(x, (padding, padding))
        grad_padded, grad_weight = np.zeros_like(padded), np.empty_like(weight)
        places = [window_slices(a, (KH, KW), (stride, stride)) for a in (padded, grad_padded)]
        for place, pixels, grad_pixels in zip(np.ndindex(KH, KW), *places):
            back = grad_y @ weight[place].T
            grad_pixels[...] = grad_pixels + back if add else back
            grad_weight[place] = pixels.reshape(-1, C).T @ grad_y.reshape(-1, O)
        if columns:
            grad_weight = im2col(x, (KH, KW), stride, padding).T @ grad_y.reshape(-1, O)
        if in_place:
            grad_y *= 2
        grad_weight = grad_weight.reshape(weight.shape)[:: -1 if flipped else 1]
        result = crop(grad_padded, (padding, padding)) if cut else grad_padded, grad_weight
        return result[::-1] if swap else result

    return answer


def view(copy=False, from_shape=False, exchanged=False, stride_used=True):
    def answer(image, kernel, stride):
        image = image.copy() if copy else image
        row, column = (image.shape[1] * image.itemsize, image.itemsize) if from_shape else image.strides
        shape = *((size - kernel) // stride + 1 for size in image.shape), kernel, kernel
        step = stride if stride_used else 1
        within = (column, row) if exchanged else (row, column)
        return np.lib.stride_tricks.as_strided(image, shape, (step * row, step * column, *within))

    return answer


def cut(edges):
    def answer(images, size, budget):
        places = edges(images, max(1, budget // size))
        return [slice(a, b) for a, b in zip(places, places[1:])]

    return answer


def uneven(images, most):
    return [*range(0, images, most), images]


def one_after_the_other(share, chunks, threads):
    return sum(map(share, chunks))


def as_they_finish(share, chunks, threads):
    with ThreadPoolExecutor(threads) as pool:
        return sum(future.result() for future in as_completed([pool.submit(share, chunk) for chunk in chunks]))


def into_the_first(share, chunks, threads):
    with ThreadPoolExecutor(threads) as pool:
        total, *others = pool.map(share, chunks)
    for other in others:
        total += other
    return total


def errors_lost(share, chunks, threads):
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(share, chunk) for chunk in chunks]
    return sum(future.result() for future in futures if future.exception() is None)


def all_but_the_last(share, chunks, threads):
    return tasks.sum_in_threads(share, chunks[:-1], threads)


RIGHT: list = []

WRONG = [
    ("13.1", with_columns, "at a time"),
    ("13.1", all_products_at_once, "at a time"),
    ("13.1", in_float64, "float32 result"),
    ("13.1", lambda x, w, s, p: tasks.shifted_convolution(x, w[::-1, ::-1], s, p), "wrong way"),
    ("13.1", lambda x, w, s, p: tasks.shifted_convolution(x, w, 1, p), "y must be"),
    ("13.1", lambda x, w, s, p: 2 * tasks.shifted_convolution(x, w, s, p), "y at"),
    ("13.2", gradients(add=False), "only the last was kept"),
    ("13.2", gradients(cut=False), "padding cut off"),
    ("13.2", gradients(columns=True), "at a time"),
    ("13.2", gradients(swap=True), "grad_x must be"),
    ("13.2", gradients(flipped=True), "grad_weight at"),
    ("13.2", gradients(in_place=True), "grad_y was changed"),
    ("13.3", view(copy=True), "this is a copy"),
    ("13.3", view(exchanged=True), "are exchanged"),
    ("13.3", view(from_shape=True), "do not work them out from the shape"),
    ("13.3", view(stride_used=False), "from window to window"),
    ("13.4", cut(uneven), "not even"),
    ("13.4", cut(lambda images, most: list(range(images + 1))), "are enough"),
    ("13.4", cut(lambda images, most: [0, images]), "over the budget"),
    ("13.4", cut(lambda images, most: [*range(0, images, most)]), "must end at"),
    ("13.4", lambda images, size, budget: [slice(0, 0), *tasks.cut(images, size, budget)], "without images"),
    ("13.5", one_after_the_other, "one after the other"),
    ("13.5", as_they_finish, "order of the chunks"),
    ("13.5", into_the_first, "share was changed"),
    ("13.5", errors_lost, "was lost"),
    ("13.5", all_but_the_last, "worked on once"),
]
