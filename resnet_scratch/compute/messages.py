"""Arrays and numbers added over processes, or sent from one to all. `comm` is MPI's communicator of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import gpus
from .backend import array_module, to_numpy


def all_sum(comm: Any, values: list[Any]) -> list[Any]:
    """Each of the values (arrays or numbers), added over all processes: in every process the same, bit for bit.

    This is recursive doubling. Partners exchange what they have, and both add the two: first neighbours, then processes
    at distance 2, 4, ... With v0, v1, ... of processes 0, 1, ... that is ((v0 + v1) + (v2 + v3)) + ..., a binary tree,
    and each round doubles the number of processes that a value is the sum of. (MPI's own Allreduce may add in any
    order.) Where the number of processes is not a power of two, those beyond the largest power give their values to
    others first, and are given the result at the end.

    Arrays on GPUs are added by NCCL, in an order that it chooses: see `gpus.py`.
    """
    if any(on_gpu := [gpus.is_for_nccl(value) for value in values]):
        there = iter(gpus.all_sum(comm, [value for value, is_there in zip(values, on_gpu) if is_there]))
        others = [value for value, is_there in zip(values, on_gpu) if not is_there]
        here = iter(all_sum(comm, others) if others else ())
        return [next(there) if is_there else next(here) for is_there in on_gpu]
    size, rank = comm.size, comm.rank
    power = 1 << (size.bit_length() - 1)  # the largest power of two of processes
    if rank >= power:
        comm.Send(_packed(values), rank - power)
        return _received(comm, rank - power, values)
    if rank + power < size:
        values = _add(values, _received(comm, rank + power, values))
    for distance in (1 << k for k in range(power.bit_length() - 1)):
        values = _add(values, _exchanged(comm, rank ^ distance, values))
    if rank + power < size:
        comm.Send(_packed(values), rank + power)
    return values


def broadcast(comm: Any, value: Any) -> Any:
    """The first process's `value`, which has the same type and shape in all."""
    if gpus.is_for_nccl(value):
        return gpus.broadcast(comm, value)
    message = _packed([value])
    comm.Bcast(message)
    return _unpacked(message, [value])[0]


def _add(values: list[Any], others: list[Any]) -> list[Any]:
    return [value + other for value, other in zip(values, others)]  # both partners get the same: a + b == b + a


def _exchanged(comm: Any, partner: int, values: list[Any]) -> list[Any]:
    """The partner's values, in exchange for these."""
    message = _packed(values)
    answer = np.empty_like(message)
    comm.Sendrecv(message, partner, recvbuf=answer, source=partner)
    return _unpacked(answer, values)


def _received(comm: Any, sender: int, like: list[Any]) -> list[Any]:
    answer = np.empty_like(_packed(like))
    comm.Recv(answer, sender)
    return _unpacked(answer, like)


def _packed(values: list[Any]) -> np.ndarray:
    """The bytes of all values as one message: each message costs time, however short it is."""
    return np.concatenate([np.frombuffer(_on_host(value).tobytes(), np.uint8) for value in values])


def _unpacked(message: np.ndarray, like: list[Any]) -> list[Any]:
    """What `_packed` packed, with the types and shapes of the values `like`, and on their devices."""
    values, begin = [], 0
    for value in like:
        host = _on_host(value)
        array = np.frombuffer(message, host.dtype, host.size, begin).reshape(host.shape)
        begin += host.nbytes
        is_scalar = _is_number(value) or isinstance(value, np.generic)
        values.append(type(value)(array) if is_scalar else array_module(value).asarray(array))
    return values


def _on_host(value: Any) -> np.ndarray:
    return np.asarray(value if _is_number(value) else to_numpy(value))


def _is_number(value: Any) -> bool:
    """Whether it is a Python number, which must stay one: a NumPy integer would turn float32 into float64."""
    return isinstance(value, (int, float))
