"""A strict stand-in for CuPy, for machines without a GPU: what works on it should work on the real one.

Its arrays are no NumPy arrays and refuse to be taken for such, silently or by mixing; reductions give arrays of no
axes; only names that the real CuPy has are here, and only those that the library uses
(`tests/compute/test_cupy_audit.py` compares).
There are two devices; what lies on one cannot be computed with on the other. It counts what a GPU would make slow:
launches, transfers, waiting; and the devices' memory in use, and at its peak.
"""

from __future__ import annotations

import ctypes
import threading
import types
from typing import Any

import numpy as _np

float32, float64, int32, uint8, inf = _np.float32, _np.float64, _np.int32, _np.uint8, _np.inf


class _Counts:
    """What has happened on the device since `reset`. Not part of CuPy."""

    def __init__(self) -> None:
        self.in_use = 0
        self.reset()

    def reset(self) -> None:
        self.launches = self.to_device = self.to_host = self.waits = 0
        self.peak = self.in_use
        self.dtypes: set[str] = set()  # of everything that was computed


_counts = _Counts()


class _Current(threading.local):
    """The number of the current device, for each thread its own."""

    device = 0


_current = _Current()


class _Buffer:
    """Device memory, shared by an array and its views."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes, self.device = nbytes, _current.device
        _counts.in_use += nbytes
        _counts.peak = max(_counts.peak, _counts.in_use)

    def __del__(self) -> None:
        _counts.in_use -= self.nbytes


class ndarray:  # CuPy's name
    """An array on the device."""

    __array_ufunc__ = None  # NumPy's arrays leave operators to this class, and its functions raise TypeError

    def __init__(self, shape: Any, dtype: Any = float64) -> None:
        self._host = _np.empty(shape, dtype)
        self._buffer = _Buffer(self._host.nbytes)

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)
    device = property(lambda self: _Device(self._buffer.device))
    data = property(lambda self: types.SimpleNamespace(ptr=self._host.ctypes.data))
    T = property(lambda self: _view(self, self._host.T))

    def __array__(self, *arguments: Any, **keywords: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def __array_function__(self, function: Any, *arguments: Any) -> Any:
        raise TypeError(f"numpy.{function.__name__} was called with an array of the device")

    def get(self) -> _np.ndarray:
        """The array on the host; the host waits for it."""
        _counts.to_host += 1
        _counts.waits += 1
        return self._host.copy()

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    def __bool__(self) -> bool:
        return bool(self.get())

    def __len__(self) -> int:
        return len(self._host)

    def __repr__(self) -> str:
        return f"<array of the device, {self.shape}, {self.dtype}>"

    def __getitem__(self, index: Any) -> ndarray:
        found = _operand(self)[_indices(index)]
        if isinstance(found, _np.ndarray) and _np.may_share_memory(found, self._host):
            return _view(self, found)
        return _computed(found)

    def __setitem__(self, index: Any, value: Any) -> None:
        _counts.launches += 1
        _operand(self)[_indices(index)] = _operand(value)

    def reshape(self, *shape: Any) -> ndarray:
        new = self._host.reshape(*shape)
        return _view(self, new) if _np.may_share_memory(new, self._host) else _computed(new)

    def transpose(self, *axes: Any) -> ndarray:
        return _view(self, self._host.transpose(*axes))

    def swapaxes(self, axis1: int, axis2: int) -> ndarray:
        return _view(self, self._host.swapaxes(axis1, axis2))

    def astype(self, dtype: Any, *, copy: bool = True) -> ndarray:
        return self if not copy and self.dtype == dtype else _computed(_operand(self).astype(dtype))

    def copy(self) -> ndarray:
        return _computed(_operand(self).copy())

    def fill(self, value: Any) -> None:
        _counts.launches += 1
        _operand(self).fill(value)


def _operand(value: Any) -> Any:
    """What an operation on the device can take: arrays of the device, and numbers."""
    if isinstance(value, ndarray):
        if value._buffer.device != _current.device:
            raise RuntimeError(f"an array on GPU {value._buffer.device}, but the current one is {_current.device}")
        return value._host
    if isinstance(value, _np.ndarray) or not isinstance(value, (int, float, bool, _np.generic)):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


def _indices(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_indices, index))
    if isinstance(index, _np.ndarray):
        raise TypeError(f"Unsupported type {type(index)}: bring indices to the device first")
    return index._host if isinstance(index, ndarray) else index


def _new(host: _np.ndarray, buffer: _Buffer) -> ndarray:
    array = object.__new__(ndarray)
    array._host, array._buffer = host, buffer
    return array


def _view(of: ndarray, host: _np.ndarray) -> ndarray:
    return _new(host, of._buffer)


def _computed(result: Any) -> ndarray:
    """A result as an array of the device, also where NumPy gives a scalar."""
    _counts.launches += 1
    host = _np.asarray(result)
    _counts.dtypes.add(host.dtype.name)
    return _new(host, _Buffer(host.nbytes))


def _operator(name: str) -> Any:
    def operator(self: ndarray, other: Any) -> ndarray:
        return _computed(getattr(_operand(self), name)(_operand(other)))

    return operator


def _in_place(name: str) -> Any:
    def operator(self: ndarray, other: Any) -> ndarray:
        _counts.launches += 1
        getattr(_operand(self), name)(_operand(other))
        return self

    return operator


for _name in "add sub mul truediv floordiv mod pow matmul and or".split():
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
    setattr(ndarray, f"__r{_name}__", _operator(f"__r{_name}__"))
    if _name != "matmul":  # CuPy has no `@=` of its own
        setattr(ndarray, f"__i{_name}__", _in_place(f"__i{_name}__"))
for _name in "lt le gt ge eq ne".split():
    setattr(ndarray, f"__{_name}__", _operator(f"__{_name}__"))
for _name in "neg abs invert".split():
    setattr(ndarray, f"__{_name}__", lambda self, name=f"__{_name}__": _computed(getattr(self._host, name)()))


def _reduction(name: str) -> Any:
    def reduction(self: ndarray, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> ndarray:
        keywords = {"dtype": dtype} if dtype is not None else {}
        return _computed(getattr(_operand(self), name)(axis=axis, keepdims=keepdims, **keywords))

    return reduction


for _name in "sum mean std".split():
    setattr(ndarray, _name, _reduction(_name))


def _extreme(name: str) -> Any:
    def extreme(self: ndarray, axis: Any = None, *, keepdims: bool = False) -> ndarray:
        return _computed(getattr(_operand(self), name)(axis=axis, keepdims=keepdims))

    return extreme


for _name in "max min all any argmax".split():
    setattr(ndarray, _name, _extreme(_name))


def _ufunc(name: str) -> Any:
    function = getattr(_np, name)

    def ufunc(*arguments: Any, out: ndarray | None = None) -> ndarray:
        if not any(isinstance(a, ndarray) for a in arguments):
            given = ", ".join(str(type(a)) for a in arguments)
            raise TypeError(f"cupy.{name} needs an array of the device, got {given}")
        result = function(*map(_operand, arguments), out=None if out is None else _operand(out))
        if out is None:
            return _computed(result)
        _counts.launches += 1
        return out

    ufunc.__name__ = name
    return ufunc


maximum, matmul = map(_ufunc, ("maximum", "matmul"))
abs, exp, log, sqrt = map(_ufunc, ("abs", "exp", "log", "sqrt"))  # CuPy's names


def empty(shape: Any, dtype: Any = float) -> ndarray:
    return ndarray(shape, dtype)


def zeros(shape: Any, dtype: Any = float) -> ndarray:
    return _computed(_np.zeros(shape, dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> ndarray:
    return _computed(_np.full(shape, _operand(fill_value), dtype))


def zeros_like(a: ndarray, dtype: Any = None) -> ndarray:
    return _computed(_np.zeros_like(_operand(a), dtype))


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    return _computed(_np.arange(start, dtype=dtype) if stop is None else _np.arange(start, stop, step, dtype))


def asarray(a: Any, dtype: Any = None) -> ndarray:
    """The array on the device: copied there, unless it is there already."""
    if isinstance(a, ndarray) and a._buffer.device == _current.device:
        return a if dtype is None or a.dtype == dtype else a.astype(dtype)
    if isinstance(a, ndarray):  # from one GPU to another
        return _computed(a._host.astype(dtype or a.dtype))
    _counts.to_device += 1
    host = _np.array(a, dtype)
    return _new(host, _Buffer(host.nbytes))


def ascontiguousarray(a: ndarray, dtype: Any = None) -> ndarray:
    host = _operand(a)
    if host.flags.c_contiguous and dtype in (None, host.dtype):
        return a if host.ndim else a.reshape(1)
    return _computed(_np.ascontiguousarray(host, dtype))


def where(condition: ndarray, x: Any, y: Any) -> ndarray:
    return _computed(_np.where(_operand(condition), _operand(x), _operand(y)))


def concatenate(tup: Any, axis: int = 0) -> ndarray:
    return _computed(_np.concatenate([_operand(a) for a in tup], axis))


def _as_strided(x: ndarray, shape: Any = None, strides: Any = None) -> ndarray:
    return _view(x, _np.lib.stride_tricks.as_strided(_operand(x), shape, strides))


lib = types.SimpleNamespace(stride_tricks=types.SimpleNamespace(as_strided=_as_strided))


class _Device:
    """`with cupy.cuda.Device(0):`"""

    def __init__(self, device: int | None = None) -> None:
        device = _current.device if device is None else device
        if device not in (0, 1):
            raise ValueError(f"there are two devices, number 0 and 1; got {device}")
        self.id = device
        self.pci_bus_id = f"0000:0{device}:00.0"

    def use(self) -> None:
        _current.device = self.id

    def synchronize(self) -> None:
        _counts.waits += 1

    def __enter__(self) -> _Device:
        self._before = _current.device
        self.use()
        return self

    def __exit__(self, *arguments: Any) -> None:
        _current.device = self._before


def _get_device_count() -> int:
    return 2


def _get_device_properties(device: int) -> dict[str, Any]:
    return {"name": b"Stand-in", "totalGlobalMem": 16 * 10**9, "major": 7, "minor": 5}


def _driver_get_version() -> int:
    return 12080


def _runtime_get_version() -> int:
    return 12080


def _get_unique_id() -> bytes:
    return bytes([7]) * 128


def _group_start() -> None: ...


def _group_end() -> None: ...


def _memory(pointer: int, count: int, datatype: int) -> _np.ndarray:
    dtype = {2: _np.dtype("int32"), 4: _np.dtype("int64"), 7: _np.dtype("float32"), 8: _np.dtype("float64")}[datatype]
    return _np.frombuffer((ctypes.c_byte * (count * dtype.itemsize)).from_address(pointer), dtype)


class _NcclCommunicator:
    """Between the processes of MPI, whose messages it sends."""

    def __init__(self, ndev: int, commId: bytes, rank: int) -> None:  # CuPy's name
        from mpi4py import MPI

        if commId != _get_unique_id() or (ndev, rank) != (MPI.COMM_WORLD.size, MPI.COMM_WORLD.rank):
            raise RuntimeError(f"NCCL cannot bring together {ndev}, {commId}, {rank}")
        self._comm = MPI.COMM_WORLD.Dup()
        if len(set(self._comm.allgather(_current.device))) < min(ndev, 2):  # two devices on this machine
            raise RuntimeError("NCCL_ERROR_INVALID_USAGE: two processes on one GPU")

    def allReduce(  # CuPy's name
        self, sendbuf: int, recvbuf: int, count: int, datatype: int, op: int, stream: int
    ) -> None:
        if op != 0 or stream != 11:
            raise RuntimeError("no sum, or not in the current stream")
        _counts.launches += 1
        self._comm.Allreduce(_memory(sendbuf, count, datatype), _memory(recvbuf, count, datatype))

    def bcast(self, buff: int, count: int, datatype: int, root: int, stream: int) -> None:
        _counts.launches += 1
        self._comm.Bcast(_memory(buff, count, datatype), root)


def _get_current_stream() -> types.SimpleNamespace:
    return types.SimpleNamespace(ptr=11)


cuda = types.SimpleNamespace(
    Device=_Device,
    get_current_stream=_get_current_stream,
    nccl=types.SimpleNamespace(
        available=True,
        NCCL_SUM=0,
        NCCL_INT32=2,
        NCCL_INT64=4,
        NCCL_FLOAT32=7,
        NCCL_FLOAT64=8,
        NcclCommunicator=_NcclCommunicator,
        get_unique_id=_get_unique_id,
        groupStart=_group_start,
        groupEnd=_group_end,
    ),
    runtime=types.SimpleNamespace(
        getDeviceCount=_get_device_count,
        getDeviceProperties=_get_device_properties,
        driverGetVersion=_driver_get_version,
        runtimeGetVersion=_runtime_get_version,
    ),
)
