"""Arrays on GPUs added over processes, or sent from one to all, by NCCL: each process has a GPU of its own.

Results are the same in all processes. NCCL chooses the order of a sum, so they equal those of one GPU up to rounding.
"""

from __future__ import annotations

import socket
from typing import Any

import numpy as np

from .backend import Array, DeviceError, array_module, load_nccl

_communicators: dict[int, Any] = {}  # NCCL's, by the handle of MPI's, which is never freed


def is_for_nccl(value: Any) -> bool:
    """Whether it is an array on a GPU whose dtype NCCL can add; the others go through the host."""
    if isinstance(value, (int, float, np.ndarray, np.generic)):
        return False
    return value.dtype.name in ("float32", "float64", "int32", "int64")


def all_sum(comm: Any, arrays: list[Array]) -> list[Array]:
    """Each of the arrays, added over all processes; `comm` is MPI's communicator of them. Does not wait for the GPU."""
    nccl, xp = load_nccl(), array_module(arrays[0])
    gpus = _communicator(comm, xp)
    sums = [xp.empty(array.shape, array.dtype) for array in arrays]
    arrays = [xp.ascontiguousarray(array) for array in arrays]  # it turns the shape () into (1,)
    stream = xp.cuda.get_current_stream().ptr
    nccl.groupStart()  # all of them in one launch
    for array, total in zip(arrays, sums):
        gpus.allReduce(array.data.ptr, total.data.ptr, array.size, _type(nccl, array), nccl.NCCL_SUM, stream)
    nccl.groupEnd()
    return sums


def broadcast(comm: Any, array: Array) -> Array:
    """The first process's `array`, which has the same shape and dtype in all. Does not wait for the GPU."""
    nccl, xp = load_nccl(), array_module(array)
    gpus = _communicator(comm, xp)
    result = array.copy()
    gpus.bcast(result.data.ptr, result.size, _type(nccl, result), 0, xp.cuda.get_current_stream().ptr)
    return result


def _communicator(comm: Any, xp: Any) -> Any:
    """NCCL's communicator of the processes, each with its current GPU. MPI sends the id by which they find one another.

    Raises DeviceError, in all of them, where two have the same GPU.
    """
    handle = comm.py2f()
    if handle not in _communicators:
        gpus = set(comm.allgather((socket.gethostname(), xp.cuda.Device().pci_bus_id)))
        if len(gpus) < comm.size:
            raise DeviceError(f"each process needs a GPU of its own, got {comm.size} processes on {len(gpus)}: start "
                              "as many processes as there are GPUs, or use device 'cpu'")  # fmt: skip
        nccl = load_nccl()
        meeting = comm.bcast(nccl.get_unique_id() if comm.rank == 0 else None)
        _communicators[handle] = nccl.NcclCommunicator(comm.size, meeting, comm.rank)
    return _communicators[handle]


def _type(nccl: Any, array: Array) -> int:
    types = {
        "float32": nccl.NCCL_FLOAT32,
        "float64": nccl.NCCL_FLOAT64,
        "int32": nccl.NCCL_INT32,
        "int64": nccl.NCCL_INT64,
    }
    return types[array.dtype.name]
