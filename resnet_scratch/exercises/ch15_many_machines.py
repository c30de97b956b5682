"""Tasks of tutorial 15: sums over processes, statistics over processes, larger batches, and what more machines cost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

Send = Callable[[int, int, np.ndarray], np.ndarray]


class Messages:
    """Processes that exist only as entries of lists, and what they send each other."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int, int]] = []  # (sender, receiver, how many numbers), in order

    def send(self, sender: int, receiver: int, numbers: np.ndarray) -> np.ndarray:
        """What the receiver gets: a copy of the numbers, as they are now."""
        self.sent.append((sender, receiver, numbers.size))
        return numbers.copy()


def ring_all_reduce(parts: Sequence[np.ndarray], send: Send) -> list[np.ndarray]:
    """Task 15.1 (***, 30 minutes): an all-reduce around a ring

    TODO: Process r has the array `parts[r]`, of shape (n,). Return a list with the sum of all parts for each of the k
        processes. Process r can pass numbers to process t only by `send(r, t, numbers)`, which returns what t receives.
        Process r sends to its right neighbour only, which is process `(r + 1) % k`. It sends 2 (k - 1) messages, each
        of at most n / k numbers, rounded up. n need not be a multiple of k. Leave the parts unchanged.
    QUESTION: Cut every array into k pieces. In round 0, process r sends its piece r to the right, where it is added.
        Which piece can it send in round 1, so that the sums grow by one part in every round? After how many rounds is
        the first sum complete, and who has it?
    POINTER: In every round t = 0, 1, ..., 2 (k - 1) - 1, process r sends its piece `(r - t) % k`. In the first k - 1
        rounds the receiver adds it to its own piece. After them each process has the total of one piece, and in the
        other k - 1 rounds the receiver puts what it gets in place of its own piece. `np.array_split(part, k)` cuts an
        array into k pieces, and `np.concatenate` joins them.
    """
    ### BEGIN SOLUTION
    k = len(parts)
    pieces = [np.array_split(part, k) for part in parts]
    for t in range(2 * (k - 1)):
        for r in range(k):
            right, piece = (r + 1) % k, (r - t) % k
            received = send(r, right, pieces[r][piece])
            pieces[right][piece] = pieces[right][piece] + received if t < k - 1 else received
    return [np.concatenate(own) for own in pieces]
    ### END SOLUTION


def doubling_all_reduce(parts: Sequence[np.ndarray], send: Send) -> list[np.ndarray]:
    """Task 15.2 (**, 20 minutes): an all-reduce by recursive doubling

    TODO: As in 15.1, for a number of processes k that is a power of two, but with log2(k) messages from each process.
        In every round, partners exchange all that they have, and both add the two. Partners are first neighbours, 0 and
        1, 2 and 3, and so on, then processes at a distance of 2, then of 4, ... Every process must end with the same
        bits: those of ((parts[0] + parts[1]) + (parts[2] + parts[3])) + ...
    QUESTION: After the first round, processes 0 and 1 both have parts[0] + parts[1]. Whom must each of them meet next,
        so that both get the sum of four parts?
    POINTER: `r ^ distance` is the partner of process r at a distance that is a power of two. In a round, both partners
        send what they had *before* the round. So put the new sums into a new list, and replace the old list when the
        round is over.
    """
    ### BEGIN SOLUTION
    sums, distance = [part.copy() for part in parts], 1
    while distance < len(parts):
        sums = [own + send(r ^ distance, r, sums[r ^ distance]) for r, own in enumerate(sums)]
        distance *= 2
    return sums
    ### END SOLUTION


def whole_batch_statistics(parts: Sequence[tuple[int, np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Task 15.3 (**, 20 minutes): mean and variance of a batch that is spread over several processes

    TODO: Each entry of `parts` is what one process knows of its own values: how many it has per channel, their mean
        (C,) and their variance (C,). Return (mean, variance) of the values of all processes together, in the dtype of
        the means. All variances are biased: a mean of squared distances from the mean. Where the means are thousands
        of times the standard deviation, the variance must still be right to within 1 %, in float32 too.
    QUESTION: Two processes have values with variance 0, but one has only ones and the other has only threes. What is
        the variance of all? So what must be added to the mean of the variances?
    POINTER: The mean is the sum of count * mean, divided by the sum of the counts. A value's squared distance from that
        mean is, on average over a process, its own variance plus the squared distance of its mean from the mean of all.
        Do not compute the mean of the squares minus the square of the mean, because two large numbers cancel there.
    """
    ### BEGIN SOLUTION
    N = sum(count for count, _, _ in parts)
    mean = sum(count * own for count, own, _ in parts) / N
    var = sum(count * (own_var + (own - mean) ** 2) for count, own, own_var in parts) / N
    return mean, var
    ### END SOLUTION


def scaled_learning_rate(step: int, base: float, k: int, warmup_steps: int) -> float:
    """Task 15.4 (*, 10 minutes): the linear scaling rule with a gradual warm-up (Goyal et al. 2017, section 2.2)

    TODO: `base` is a good learning rate for one process. Now k processes share batches that are k times as large.
        Return the learning rate at `step`, which counts from 0. It is `base` at step 0 and rises by the same amount in
        every step. At step `warmup_steps` it reaches the rate of the linear scaling rule, and stays there.
        `warmup_steps` may be 0.
    QUESTION: What is the rate after the warm-up? What fraction of the way to it is done at `step`?
    POINTER: The rate goes from `base` to `k * base`. The fraction that is done is `step / warmup_steps`, but never more
        than 1. If there is no warm-up, you must not divide by its length.
    """
    ### BEGIN SOLUTION
    if step >= warmup_steps:
        return k * base
    return base + (k * base - base) * step / warmup_steps
    ### END SOLUTION


def step_time(k: int, compute: float, size: float, latency: float, bandwidth: float) -> float:
    """Task 15.5 (*, 10 minutes): how long a step takes with k processes

    TODO: One process alone computes a step in `compute` seconds. k processes, a power of two, share the images evenly,
        and then add up their gradients, which are `size` bytes. A message of b bytes takes `latency + b / bandwidth`
        seconds. A process can send one message and receive another at the same time, but it cannot send two at once, or
        receive two. Return the time of a step in seconds, with the ring (15.1) or recursive doubling (15.2), whichever
        is faster. Adding numbers takes no time.
    QUESTION: Which of the three is divided by k: computing, latency or sending? The table in tutorial 15 has the times
        of both ways. What are alpha, beta and n in terms of `latency`, `bandwidth` and `size`?
    POINTER: The ring has 2 (k - 1) rounds with messages of size / k bytes, doubling has log2(k) rounds with messages of
        `size` bytes. With one process both are 0 rounds.
    """
    ### BEGIN SOLUTION
    ring = 2 * (k - 1) * (latency + size / k / bandwidth)
    doubling = math.log2(k) * (latency + size / bandwidth)
    return compute / k + min(ring, doubling)
    ### END SOLUTION
