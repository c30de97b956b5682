"""docs/wasm.py: what it empties, and what it leaves as it is, as a browser runs it."""

import pytest
import wasm


def section(number, content):
    return bytes([number, len(content)]) + content


def text(name):
    return bytes([len(name)]) + name.encode()


# One imported function and four of its own: two numbers that are wanted, and between them, of a library named lib,
# one that takes and returns nothing, and one number. All sizes are below 128, so each is one byte.
NAMES = ["host_call", "first", "lib_constructor", "lib_number", "last"]
NOTHING, NUMBER = b"\x60\x00\x00", b"\x60\x00\x01\x7f"  # types: () -> (), () -> i32
UNREACHABLE, CONSTANT = b"\x03\x00\x00\x0b", b"\x04\x00\x41%c\x0b"
PROGRAM = b"".join(
    [
        b"\0asm\1\0\0\0",
        section(1, b"\x02" + NOTHING + NUMBER),
        section(2, b"\x01" + text("host") + text("call") + b"\x00\x00"),
        section(3, b"\x04\x01\x00\x01\x01"),
        section(7, b"\x04" + b"".join(text(name) + bytes([0, k]) for k, name in enumerate(NAMES) if k)),
        section(10, b"\x04" + CONSTANT % 7 + UNREACHABLE + CONSTANT % 8 + CONSTANT % 9),
        section(0, text("name") + section(1, b"\x05" + b"".join(bytes([k]) + text(n) for k, n in enumerate(NAMES)))),
        section(0, text("producers") + b"\x00"),
    ]
)
CALL = """
const module = new WebAssembly.Module(new Uint8Array(arguments[0]));
const { exports } = new WebAssembly.Instance(module, { host: { call() {} } });
const call = (name) => { try { return exports[name]() ?? null; } catch (error) { return error.message; } };
return [arguments[1].slice(1).map(call), WebAssembly.Module.customSections(module, "producers").length];
"""


def test_empties_a_library_and_nothing_else(browser):
    driver = browser("index.html")
    before, producers = driver.execute_script(CALL, list(PROGRAM), NAMES)
    assert before == [7, "unreachable", 8, 9] and producers == 1  # the program above is what it says
    smaller = wasm.without_functions(PROGRAM, "lib_c", "lib_n")
    after, producers = driver.execute_script(CALL, list(smaller), NAMES)
    assert after == [7, None, "unreachable", 9] and producers == 1
    assert b"lib_constructor" in smaller  # an export's name; the section of names is gone
    assert smaller.count(b"host_call") == PROGRAM.count(b"host_call") - 1 == 0


def test_refuses_a_program_without_the_library():
    with pytest.raises(ValueError, match="no functions from 'other' to 'lib'"):
        wasm.without_functions(PROGRAM, "other", "lib")
    with pytest.raises(ValueError, match="no functions"):
        wasm.without_functions(PROGRAM, "lib", "other")
