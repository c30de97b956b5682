"""Checks of the tasks of tutorial 15."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from ..ch15_many_machines import Messages
from .compare import compare, number


def task_15_1(answer: Callable) -> None:
    """`ring_all_reduce`: sums of whole numbers, which are exact, and who sent how much to whom."""
    for k, n in ((3, 12), (4, 8), (4, 10), (5, 23), (2, 8), (1, 3)):
        rng = np.random.default_rng(k)
        parts = [rng.integers(-50, 50, n).astype(float) for _ in range(k)]
        case = f"{k} processes with arrays of {n} numbers"
        got, messages = _run(answer, parts, case)
        wanted: Any = sum(parts)
        pieces = [slice(piece[0], piece[-1] + 1) for piece in np.array_split(np.arange(n), k)]
        right = np.array([[np.array_equal(own[piece], wanted[piece]) for piece in pieces] for own in got])
        hint = ""
        if right.any(0).all():  # every total is in some process
            hint = "\nin the second half of the rounds a total replaces the receiver's piece, and is not added"
            if len(messages.sent) <= k * (k - 1):
                hint = f"\neach total is in one process only; send the totals round the ring again, in {k - 1} rounds"
        for r, own in enumerate(got):
            assert np.array_equal(own, wanted), f"{case}: process {r} must have\n{wanted}\ngot\n{own}{hint}"
        away = [(r, t) for r, t, _ in messages.sent if t != (r + 1) % k]
        assert not away, f"{case}: process {away[0][0]} sent to {away[0][1]}, which is not its right neighbour"
        _count(messages, k, 2 * (k - 1), case)
        largest = max((size for *_, size in messages.sent), default=0)
        assert largest <= -(-n // k), f"{case}: {largest} numbers in a message; send one piece, of at most {-(-n // k)}"


def task_15_2(answer: Callable) -> None:
    """`doubling_all_reduce`: trees written out, bit for bit, and who sent how much to whom."""
    rng = np.random.default_rng(2)
    values = (rng.standard_normal((8, 40)) * 10.0 ** rng.integers(-3, 4, (8, 40))).astype(np.float32)
    s = list(values)
    four = (s[0] + s[1]) + (s[2] + s[3])
    trees = {2: s[0] + s[1], 4: four, 8: four + ((s[4] + s[5]) + (s[6] + s[7])), 1: s[0]}
    for k, wanted in trees.items():
        case = f"{k} processes"
        got, messages = _run(answer, s[:k], case)
        for r, own in enumerate(got):
            _same_sum(case, r, own, wanted, s[:k])
        partners = {(r, r ^ (1 << j)) for r in range(k) for j in range(k.bit_length() - 1)}
        wrong = [(r, t) for r, t, _ in messages.sent if (r, t) not in partners]
        assert not wrong, f"{case}: process {wrong[0][0]} sent to {wrong[0][1]}, which is never its partner"
        _count(messages, k, k.bit_length() - 1, case)


def _same_sum(case: str, r: int, own: np.ndarray, wanted: np.ndarray, s: list[np.ndarray]) -> None:
    """Raises AssertionError unless process r's sum has the bits of the tree."""
    close = np.allclose(own, wanted, rtol=1e-3, atol=1e-3)
    assert close or not np.allclose(own, s[r]), f"{case}: process {r} has only its own part"
    late = s[1] + (s[0] + s[1]) if len(s) > 1 else wanted
    assert close or not (len(s) == 2 and np.allclose(own, late, rtol=1e-3, atol=1e-3)), (
        f"{case}: a part is counted twice: a partner must send what it had before the round, not its new sum"
    )
    assert close, f"{case}: process {r} does not have the sum of all parts"
    assert own.dtype == np.float32, f"{case}: parts of float32 must give float32, got {own.dtype}"
    if not np.array_equal(own, wanted):
        level = np.stack(s)
        while len(level) > 1:
            level = level[: len(level) // 2] + level[len(level) // 2 :]
        mistakes = {
            "the largest distance came first; start with neighbours": level[0],
            "you added one part after the other": reduce(np.add, s),
        }
        for message, result in mistakes.items():
            assert not np.array_equal(own, result), f"{case}, process {r}: {message}"
        raise AssertionError(f"{case}, process {r}: the last digits are not those of ((s0 + s1) + (s2 + s3)) + ...")


def _run(answer: Callable, parts: Sequence[np.ndarray], case: str) -> tuple[list[np.ndarray], Messages]:
    """What an all-reduce returns for these parts, and the messages that were sent."""
    given, messages = [part.copy() for part in parts], Messages()
    got: Any = answer(given, messages.send)
    assert all(map(np.array_equal, given, parts)), f"{case}: a part was changed; write a = a + b, not a += b"
    assert isinstance(got, (list, tuple, np.ndarray)) and len(got) == len(parts), (
        f"{case}: return a list with an array for each process"
    )
    got = [np.asarray(own) for own in got]
    for own in got:
        assert own.shape == parts[0].shape, f"{case}: each process has an array {parts[0].shape}, got {own.shape}"
    return got, messages


def _count(messages: Messages, k: int, wanted: int, case: str) -> None:
    """Raises AssertionError unless each process has sent so many messages."""
    numbers = Counter(sender for sender, *_ in messages.sent)
    for r in range(k):
        assert numbers[r] == wanted, f"{case}: process {r} must send {wanted} message(s), it sent {numbers[r]}"


def task_15_3(answer: Callable) -> None:
    """`whole_batch_statistics`: against the values themselves, in float64, and where the mean is large, in float32."""
    rng = np.random.default_rng(3)
    values = [rng.standard_normal((n, 3)) + shift for n, shift in ((30, 0), (10, 2), (4, -1), (1, 5))]
    together = np.concatenate(values)
    wanted = together.mean(0), together.var(0)
    counts = [len(own) for own in values]
    means, variances = np.array([own.mean(0) for own in values]), np.array([own.var(0) for own in values])
    got = _two(answer([(len(own), own.mean(0), own.var(0)) for own in values]))
    between = np.average((means - wanted[0]) ** 2, axis=0, weights=counts)
    mistakes = {"a process with more values counts for more: weight the means by the counts": means.mean(0)}
    compare(got[0], wanted[0], mistakes, f"for {counts} values in 4 processes the mean")
    mistakes = {
        "this is the mean of the variances; the means of the processes differ too": wanted[1] - between,
        "this is the spread of the means only; the values within a process differ too": between,
        "a process with more values counts for more: weight the variances by the counts": variances.mean(0),
        "the variances must be biased: divide by the number of all values": wanted[1] * 45 / 44,
    }
    compare(got[1], wanted[1], mistakes, f"for {counts} values in 4 processes the variance")
    far = [(4096 + 0.5 * rng.standard_normal((n, 2))).astype(np.float32) for n in (60, 40)]
    exact = [own.astype(np.float64) for own in far]
    mean, var = _two(answer([(len(own), *(f(own, 0).astype(np.float32) for f in (np.mean, np.var))) for own in exact]))
    wanted = np.concatenate(exact).mean(0), np.concatenate(exact).var(0)
    assert mean.dtype == var.dtype == np.float32, f"float32 must give float32, got {mean.dtype} and {var.dtype}"
    assert np.allclose(var, wanted[1], rtol=0.01), (
        f"for values around 4096 in float32 the variance is {wanted[1].round(4)}, got {var}; the mean of the squares "
        "minus the square of the mean loses it in rounding: add up squared distances from the overall mean"
    )
    assert np.allclose(mean, wanted[0], rtol=1e-6), f"in float32 the mean must be {wanted[0]}, got {mean}"


def _two(out: Any) -> tuple[np.ndarray, np.ndarray]:
    assert isinstance(out, (tuple, list)) and len(out) == 2, "return two arrays, (mean, variance)"
    return np.asarray(out[0]), np.asarray(out[1])


def task_15_4(answer: Callable) -> None:
    """`scaled_learning_rate`: at steps whose rates are computed by hand."""
    cases = [  # (step, base, k, warmup_steps): learning rate
        ((0, 0.1, 9, 4), 0.1),
        ((2, 0.1, 9, 4), 0.5),
        ((4, 0.1, 9, 4), 0.9),
        ((1000, 0.1, 9, 4), 0.9),
        ((0, 0.2, 16, 0), 3.2),
        ((3, 0.5, 1, 10), 0.5),
    ]
    told = "for (step, base, k, warmup_steps)"
    try:
        got = [number(answer(*given)) for given, _ in cases]
    except ZeroDivisionError:
        raise AssertionError(f"{told} = {cases[4][0]} you divide by zero: warmup_steps is 0") from None

    def rates(curve: Callable) -> list[float]:
        """The rates that another formula gives: `curve(step, k, warmup_steps)`, as multiples of base."""
        return [b * (curve(step, k, w) if w else k) for (step, b, k, w), _ in cases]

    mistakes = {
        "the rate is not scaled: k times the batch, k times the rate": [b for (_, b, _, _), _ in cases],
        "the linear rule multiplies by k, not by the square root of k": [
            b * (1 + (k**0.5 - 1) * (min(1, step / w) if w else 1)) for (step, b, k, w), _ in cases
        ],
        "the warm-up is missing": rates(lambda step, k, w: k),
        "the warm-up must start at base, not at 0": rates(lambda step, k, w: k * min(1, step / w)),
        "the rate must rise by the same amount in every step, not by the same factor": rates(
            lambda step, k, w: k ** min(1, step / w)
        ),
        "after the warm-up the rate stays; yours goes on rising": rates(lambda step, k, w: 1 + (k - 1) * step / w),
        "at step 0 the rate is base; yours has risen already": rates(
            lambda step, k, w: 1 + (k - 1) * min(1, (step + 1) / w)
        ),
    }
    for (given, rate), mine in zip(cases, got):
        if not np.isclose(mine, rate):
            compare(got, [r for _, r in cases], mistakes, f"{told} = {given} the rate is {rate}, got {mine:.4g}; all")


def task_15_5(answer: Callable) -> None:
    """`step_time`, on round numbers: doubling is faster for small messages, and the ring for large ones."""
    cases = [  # (k, compute, size, latency, bandwidth): seconds, by hand
        ((1, 8.0, 100.0, 1.0, 10.0), 8.0),
        ((2, 8.0, 10.0, 1.0, 10.0), 4 + 2.0),  # doubling: one message of 1 + 1; the ring: two of 1 + 1/2
        ((4, 8.0, 800.0, 1.0, 100.0), 2 + 18.0),  # the ring: 6 of 1 + 2; doubling: 2 of 1 + 8, as much
        ((8, 8.0, 8.0, 1.0, 8.0), 1 + 6.0),  # doubling: 3 of 1 + 1; the ring: 14 of 1 + 1/8
        ((8, 8.0, 800.0, 1.0, 10.0), 1 + 154.0),  # the ring: 14 of 1 + 10; doubling: 3 of 1 + 80
    ]
    told = "for (k, compute, size, latency, bandwidth)"
    got = [number(answer(*given)) for given, _ in cases]

    def times(
        ring: Callable, doubling: Callable, choose: Callable = min, compute: Callable = lambda c, k: c / k
    ) -> list[float]:
        return [compute(c, k) + choose(ring(k, s, a, b), doubling(k, s, a, b)) for (k, c, s, a, b), _ in cases]

    def ring(k: int, s: float, a: float, b: float) -> float:
        return 2 * (k - 1) * (a + s / k / b)

    def doubling(k: int, s: float, a: float, b: float) -> float:
        return float(np.log2(k)) * (a + s / b)

    mistakes = {
        "each process has only a share of the images: divide by k": times(ring, doubling, compute=lambda c, k: c),
        "this is the slower of the two all-reduces": times(ring, doubling, max),
        "every message incurs the latency, not only the first": times(
            lambda k, s, a, b: a * (k > 1) + 2 * (k - 1) * s / k / b,
            lambda k, s, a, b: a * (k > 1) + np.log2(k) * s / b,
        ),
        "the ring goes around twice: 2 (k - 1) rounds": times(lambda *given: ring(*given) / 2, doubling),
        "doubling has log2(k) rounds": times(ring, lambda k, s, a, b: (k - 1) * (a + s / b)),
        "this is the ring only; for short messages doubling is faster": times(ring, ring),
        "this is doubling only; for long messages the ring is faster, with pieces of size / k bytes": times(
            doubling, doubling
        ),
        "messages are sent only after the gradients are computed: add the times": [
            max(c / k, min(ring(k, s, a, b), doubling(k, s, a, b))) for (k, c, s, a, b), _ in cases
        ],
    }
    for (given, seconds), mine in zip(cases, got):
        if not np.isclose(mine, seconds):
            compare(got, [t for _, t in cases], mistakes, f"{told} = {given} it is {seconds} s, got {mine:.4g} s; all")
