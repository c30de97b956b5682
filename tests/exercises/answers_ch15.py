"""Right answers in several styles to the tasks of tutorial 15, and wrong ones that people give."""

from __future__ import annotations

import math

import numpy as np

from resnet_scratch.exercises import ch15_many_machines as solved


def ring(parts, send, rounds=None, second=True, add_always=False, direction=1, whole=False, in_place=False):
    """Two passes, in each of which all messages of a round are sent before any is taken."""
    k = len(parts)
    edges = [len(parts[0]) * c // k for c in range(k + 1)]
    arrays = [part if in_place else part.copy() for part in parts]
    for t in range(2 * (k - 1) if second else k - 1):
        arriving = []
        for r in range(k):
            c = (r - direction * t) % k
            piece = slice(edges[c], edges[c + 1])
            sent = send(r, (r + direction) % k, arrays[r] if whole else arrays[r][piece])
            arriving.append(((r + direction) % k, piece, sent[piece] if whole else sent))
        for r, piece, values in arriving:
            arrays[r][piece] = arrays[r][piece] + values if t < k - 1 or add_always else values
    return arrays


def ring_with_dictionaries(parts, send):
    k = len(parts)
    own = [dict(enumerate(np.array_split(part, k))) for part in parts]
    for t in range(k - 1):
        for r in range(k):
            c, right = (r - t) % k, (r + 1) % k
            own[right][c] = send(r, right, own[r][c]) + own[right][c]
    for t in range(k - 1):
        for r in range(k):
            c = (r + 1 - t) % k
            own[(r + 1) % k][c] = send(r, (r + 1) % k, own[r][c])
    return [np.concatenate([pieces[c] for c in range(k)]) for pieces in own]


def ring_piece_by_piece(parts, send):
    """Each piece travels from its first process all the way around, twice."""
    k = len(parts)
    result = [np.empty_like(part) for part in parts]
    for c, piece in enumerate(np.array_split(np.arange(len(parts[0])), k)):
        carried = parts[c][piece]
        for t in range(k - 1):
            r = (c + t) % k
            carried = parts[(r + 1) % k][piece] + send(r, (r + 1) % k, carried)
        result[(c + k - 1) % k][piece] = carried
        for t in range(k - 1, 2 * (k - 1)):
            r = (c + t) % k
            carried = send(r, (r + 1) % k, carried)
            result[(r + 1) % k][piece] = carried
    return result


def through_the_first(parts, send):
    total = parts[0].copy()
    for r in range(1, len(parts)):
        total = total + send(r, 0, parts[r])
    return [total, *(send(0, r, total) for r in range(1, len(parts)))]


def without_messages(parts, send):
    return [sum(parts) for _ in parts]


def around_in_a_chain(parts, send):
    """One total that goes around, whole."""
    k, total = len(parts), parts[0].copy()
    for r in range(k - 1):
        total = parts[r + 1] + send(r, r + 1, total)
    result = [None] * (k - 1) + [total]
    for r in range(k - 1):
        result[r] = total = send((r - 1) % k, r, total)
    return result


def doubling_in_rounds(parts, send):
    k, sums = len(parts), list(parts)
    for j in range(k.bit_length() - 1):
        received = [send(r ^ 2**j, r, sums[r ^ 2**j]) for r in range(k)]
        sums = [a + b for a, b in zip(sums, received)]
    return [np.array(own) for own in sums]


def doubling_in_pairs(parts, send):
    sums, distance = {r: part.copy() for r, part in enumerate(parts)}, 1
    while distance < len(parts):
        for r in range(len(parts)):
            if r % (2 * distance) < distance:
                to_right, to_left = send(r, r + distance, sums[r]), send(r + distance, r, sums[r + distance])
                sums[r], sums[r + distance] = sums[r] + to_left, to_right + sums[r + distance]
        distance *= 2
    return list(sums.values())


def doubling_by_recursion(parts, send, first=0):
    k = len(parts)
    if k == 1:
        return [parts[0].copy()]
    halves = [doubling_by_recursion(half, send, first + shift)
              for half, shift in ((parts[: k // 2], 0), (parts[k // 2 :], k // 2))]  # fmt: skip
    left, right = halves
    pairs = list(enumerate(zip(left, right), first))
    return [a + send(r + k // 2, r, b) for r, (a, b) in pairs] + [send(r, r + k // 2, a) + b for r, (a, b) in pairs]


def too_late(parts, send):
    sums, distance = [part.copy() for part in parts], 1
    while distance < len(parts):
        for r in range(len(parts)):
            sums[r] = sums[r] + send(r ^ distance, r, sums[r ^ distance])
        distance *= 2
    return sums


def farthest_first(parts, send):
    sums, distance = [part.copy() for part in parts], len(parts) // 2
    while distance:
        sums = [own + send(r ^ distance, r, sums[r ^ distance]) for r, own in enumerate(sums)]
        distance //= 2
    return sums


def everyone_to_everyone(parts, send):
    k, result = len(parts), []
    for r in range(k):
        received = [parts[t] if t == r else send(t, r, parts[t]) for t in range(k)]
        while len(received) > 1:
            received = [a + b for a, b in zip(received[::2], received[1::2])]
        result.append(received[0].copy())
    return result


def doubling_in_place(parts, send):
    distance = 1
    while distance < len(parts):
        received = [send(r ^ distance, r, parts[r ^ distance]) for r in range(len(parts))]
        for own, other in zip(parts, received):
            own += other
        distance *= 2
    return list(parts)


def one_round_only(parts, send):
    return [part + send(r ^ 1, r, parts[r ^ 1]) for r, part in enumerate(parts)] if len(parts) > 1 else list(parts)


def statistics(weigh_means=True, within=True, between=True, unbiased=False, weigh_variances=True):
    def answer(parts):
        counts, means, variances = (np.array(column) for column in zip(*parts))
        counts = counts.astype(means.dtype)
        mean = np.average(means, axis=0, weights=counts if weigh_means else None).astype(means.dtype)
        squares = (means - mean) ** 2
        var = 0 * mean
        if within:
            var = var + np.average(variances, axis=0, weights=counts if weigh_variances else None)
        if between:
            var = var + np.average(squares, axis=0, weights=counts)
        if unbiased:
            var = var * (counts.sum() / (counts.sum() - 1))
        return mean, var.astype(means.dtype)

    return answer


def two_at_a_time(parts):
    """Chan, Golub and LeVeque 1983: the statistics of two parts, and so on."""
    n, mean, var = parts[0]
    for m, other, other_var in parts[1:]:
        d, total = other - mean, n + m
        var = (n * var + m * other_var + d**2 * (n * m / total)) / total
        n, mean = total, mean + d * (m / total)
    return mean, var


def from_the_first_mean(parts):
    """As the library does it: sums of distances from a number near the mean, and of their squares."""
    a = parts[0][1]
    N = sum(n for n, _, _ in parts)
    d = sum(n * (mean - a) for n, mean, _ in parts) / N
    d2 = sum(n * (var + (mean - a) ** 2) for n, mean, var in parts) / N
    return a + d, d2 - d**2


def in_float64(parts):
    N = sum(n for n, _, _ in parts)
    mean = sum(n * mean.astype(np.float64) for n, mean, _ in parts) / N
    square = sum(n * (var + mean.astype(np.float64) ** 2) for n, mean, var in parts) / N
    dtype = parts[0][1].dtype
    return mean.astype(dtype), (square - mean**2).astype(dtype)


def cancels(parts):
    N = sum(n for n, _, _ in parts)
    mean = sum(n * mean for n, mean, _ in parts) / N
    return mean, sum(n * (var + own**2) for n, own, var in parts) / N - mean**2


def rate_with_min(step, base, k, warmup_steps):
    part = min(1.0, step / warmup_steps) if warmup_steps else 1.0
    return base * (1 + (k - 1) * part)


def rate_by_steps(step, base, k, warmup_steps):
    rate = base if warmup_steps else k * base
    for _ in range(min(step, warmup_steps)):
        rate += (k - 1) * base / warmup_steps
    return rate


def rate_by_interpolation(step, base, k, warmup_steps):
    return float(np.interp(step, [0, warmup_steps], [base, k * base])) if warmup_steps else k * base


def seconds(ring=True, double=True, divide=True, choose=min, pieces=True, together=False, latencies=True, rounds=None):
    def answer(k, compute, size, latency, bandwidth):
        def message(count, length):
            return (count if latencies else min(count, 1)) * latency + count * length / bandwidth

        around = message(2 * (k - 1), size / k if pieces else size)
        doubled = message(math.log2(k) if rounds is None else rounds(k), size)
        sending = choose([around] * ring + [doubled] * double)
        own = compute / k if divide else compute
        return max(own, sending) if together else own + sending

    return answer


def seconds_by_rounds(k, compute, size, latency, bandwidth):
    doubling, distance = 0.0, 1
    while distance < k:
        doubling, distance = doubling + latency + size / bandwidth, 2 * distance
    ring = sum(latency + size / k / bandwidth for _ in range(2 * k - 2))
    return compute / k + (ring if ring < doubling else doubling)


def seconds_with_bits(k, compute, size, latency, bandwidth):
    options = [(2 * k - 2, size / k), (k.bit_length() - 1, size)]
    return compute / k + float(np.min([n * (latency + bytes_ / bandwidth) for n, bytes_ in options]))


RIGHT: list = [
    ("15.1", ring),
    ("15.1", ring_with_dictionaries),
    ("15.1", ring_piece_by_piece),
    ("15.2", doubling_in_rounds),
    ("15.2", doubling_in_pairs),
    ("15.2", doubling_by_recursion),
    ("15.3", statistics()),
    ("15.3", two_at_a_time),
    ("15.3", from_the_first_mean),
    ("15.3", in_float64),
    ("15.4", rate_with_min),
    ("15.4", rate_by_steps),
    ("15.4", rate_by_interpolation),
    ("15.5", seconds()),
    ("15.5", seconds_by_rounds),
    ("15.5", seconds_with_bits),
]

WRONG = [
    ("15.1", lambda parts, send: ring(parts, send, second=False), "in one process only"),
    ("15.1", lambda parts, send: ring(parts, send, add_always=True), "and is not added"),
    ("15.1", lambda parts, send: ring(parts, send, direction=-1), "not its right neighbour"),
    ("15.1", lambda parts, send: ring(parts, send, whole=True), "send one piece"),
    ("15.1", lambda parts, send: ring(parts, send, in_place=True), "a part was changed"),
    ("15.1", lambda parts, send: [part.copy() for part in parts], "must have"),
    ("15.1", lambda parts, send: ring(parts, send)[:1], "an array for each process"),
    ("15.1", lambda parts, send: [own[:-1] for own in ring(parts, send)], "each process has an array"),
    ("15.1", through_the_first, "not its right neighbour"),
    ("15.1", around_in_a_chain, "it sent 2"),
    ("15.1", without_messages, "must send 4 message"),
    ("15.2", too_late, "before the round"),
    ("15.2", farthest_first, "start with neighbours"),
    ("15.2", through_the_first, "one part after the other"),
    ("15.2", everyone_to_everyone, "never its partner"),
    ("15.2", doubling_in_place, "a part was changed"),
    ("15.2", one_round_only, "does not have the sum of all"),
    ("15.2", lambda parts, send: [part.copy() for part in parts], "only its own part"),
    ("15.2", lambda parts, send: solved.ring_all_reduce(parts, send), "must send 1 message"),
    ("15.2", lambda parts, send: [
        own.astype(float) for own in solved.doubling_all_reduce(parts, send)
    ], "must give float32"),
    ("15.3", statistics(weigh_means=False), "weight the means"),
    ("15.3", statistics(weigh_variances=False, between=False), "weight the variances"),
    ("15.3", statistics(between=False), "mean of the variances"),
    ("15.3", statistics(within=False), "spread of the means"),
    ("15.3", statistics(unbiased=True), "biased"),
    ("15.3", cancels, "loses it"),
    ("15.3", lambda parts: [a.astype(np.float64) for a in statistics()(parts)], "must give float32"),
    ("15.3", lambda parts: statistics()(parts)[0], "return two arrays"),
    ("15.4", lambda step, base, k, w: base, "is not scaled"),
    ("15.4", lambda step, base, k, w: rate_with_min(step, base, math.sqrt(k), w), "square root"),
    ("15.4", lambda step, base, k, w: k * base, "warm-up is missing"),
    ("15.4", lambda step, base, k, w: k * base * (min(1, step / w) if w else 1), "not at 0"),
    ("15.4", lambda step, base, k, w: base * k ** (min(1, step / w) if w else 1), "same factor"),
    ("15.4", lambda step, base, k, w: base + (k - 1) * base * step / w if w else k * base, "goes on rising"),
    ("15.4", lambda step, base, k, w: rate_with_min(step + 1, base, k, w), "has risen already"),
    ("15.4", lambda step, base, k, w: base * (1 + (k - 1) * min(1, step / w)), "divide by zero"),
    ("15.5", seconds(divide=False), "divide by k"),
    ("15.5", seconds(choose=max), "the slower"),
    ("15.5", seconds(pieces=False), "pieces of size / k"),
    ("15.5", seconds(latencies=False), "not only the first"),
    ("15.5", seconds(ring=False), "doubling only"),
    ("15.5", seconds(double=False), "the ring only"),
    ("15.5", seconds(together=True), "add the times"),
    ("15.5", seconds(rounds=lambda k: k - 1), "log2"),
]  # fmt: skip
