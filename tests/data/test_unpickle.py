from __future__ import annotations

import os
import pickle
import struct

import archives
import numpy as np
import pytest

from resnet_scratch.data.unpickle import UnpickleError, as_bytes_array, unpickle

VALUES = [{b"a": [1, -1, 300, 70_000, 2**40], b"b": (), b"c": (1,), b"d": (1, 2), b"e": (1, 2, 3), b"f": (1, 2, 3, 4)},
          [], [None, True, False], {"text": b"x" * 300}, [b"again", [b"again"]], {}]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
def test_plain_values_come_back(value):
    assert unpickle(archives.pickled(value), 100) == value
    for protocol in (3, 4, 5):
        assert unpickle(pickle.dumps(value, protocol), 100) == value


@pytest.mark.parametrize("order", "CF")
def test_arrays_of_bytes_come_back(order):
    array = np.asarray(np.arange(6).reshape(2, 3), np.uint8, order=order)
    np.testing.assert_array_equal(as_bytes_array(unpickle(archives.pickled(array), 100), (2, 3)), array)
    with pytest.raises(UnpickleError, match=r"shape \(3, 2\) expected"):
        as_bytes_array(unpickle(archives.pickled(array), 100), (3, 2))


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("function", [os.system, eval, print, np.load, getattr])
def test_nothing_is_called(tmp_path, function, protocol):
    witness = tmp_path / "witness"
    with pytest.raises(UnpickleError, match="which no CIFAR file needs"):
        unpickle(pickle.dumps(Calls(function, f"touch {witness}"), protocol), 100)
    assert not witness.exists()


def nested(depth: int) -> bytes:
    """A tuple of a tuple of ... twice each: 2**depth elements, if anything ever looks at them all."""
    return b"\x80\x02)" + b"q\x00h\x00\x86" * depth


@pytest.mark.parametrize(
    "program",
    [
        b"",
        b"\x80\x02",
        b"\x80\x02K\x01",  # it does not end
        b"\x80\x02.",  # nothing to return
        b"\x80\x02e.",
        b"\x80\x02a.",
        b"\x80\x02(K\x01K\x02u.",
        b"\x80\x02}]K\x01s.",  # a list as a key
        b"\x80\x02}" + nested(60)[2:] + b"K\x01s.",  # its hash would take for ever
        b"\x80\x02K\x01K\x01R.",
        b"\x80\x02K\x01)R.",
        b"\x80\x02K\x01)b.",
        b"\x80\x02h\x07.",
        b"\x80\x04K\x01K\x02\x93.",
        b"\x80\x02T\xff\xff\xff\x7f.",  # 2 GB that are not there
        b"\x80\x02T\xff\xff\xff\xff.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".",
        b"I" + b"9" * 100_000 + b"\n.",
        b"\x80\x02" + b"]" * 700 + b".",  # too many instructions
        b"\x80\x02c" + b"\xff\n\xff\n.",
    ],
)
def test_damaged_and_hostile_programs_are_refused_at_once(program):
    with pytest.raises(UnpickleError):
        unpickle(program, 600)


def test_a_large_index_costs_no_memory():
    assert unpickle(b"\x80\x02K\x05r\xff\xff\xff\xffj\xff\xff\xff\xff.", 10) == 5


def test_an_array_of_the_wrong_kind_is_not_printed():
    array = archives.pickled(np.zeros(3, np.uint8))
    for shape in (b"K\x02\x85", nested(60)[2:]):  # printing the second would take for ever
        with pytest.raises(UnpickleError, match=r"shape \(3,\) expected, got"):
            as_bytes_array(unpickle(array.replace(b"K\x03\x85", shape, 1), 1000), (3,))
