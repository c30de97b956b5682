"""Makes a WebAssembly program smaller: it leaves out the names of its functions, and empties functions nobody calls."""

from collections.abc import Iterator

# The numbers that the WebAssembly specification gives to sections.
CUSTOM, TYPES, IMPORTS, FUNCTIONS, CODE = 0, 1, 2, 3, 10
RETURN_NOTHING = b"\x02\x00\x0b"  # a body of two bytes: no local variables, end
TRAP = b"\x03\x00\x00\x0b"  # no local variables, unreachable, end


def without_functions(program: bytes, first: str, last: str) -> bytes:
    """`program` with the bodies of some functions emptied, and without the section of names.

    A linker writes the functions of each library one after another. Those from the first whose name contains `first`
    to the last whose name contains `last` are emptied. An emptied function without arguments and results does nothing
    (C++ constructors are of this kind, and run when the program starts); calling any other ends the program.
    Raises ValueError if there is no such range.
    """
    sections = dict(_sections(program))
    begin = _first_of_program(program, sections)
    names = _names(program, *sections["name"])
    emptied = range(
        min((k for k, name in names.items() if first in name), default=0),
        max((k for k, name in names.items() if last in name), default=0) + 1,
    )
    if emptied.start < begin or not emptied:
        raise ValueError(f"no functions from {first!r} to {last!r} in this program")
    types, nothing = _vector_of_numbers(program, sections[FUNCTIONS][0]), _type_of_nothing(program, sections[TYPES][0])
    out = [program[:8]]
    for number, (start, end) in sections.items():
        if number == "name":
            continue
        content = program[start:end]
        if number == CODE:
            bodies = list(_bodies(program, start))
            for k in range(len(bodies)):
                if begin + k in emptied:
                    bodies[k] = RETURN_NOTHING if types[k] == nothing else TRAP
            content = _encode(len(bodies)) + b"".join(bodies)
        out += [bytes([number if isinstance(number, int) else CUSTOM]), _encode(len(content)), content]
    return b"".join(out)


def _sections(program: bytes) -> Iterator[tuple[int | str, tuple[int, int]]]:
    """(number, or name of a custom one; where its content begins and ends) of each section."""
    at = 8  # after the magic number and the version
    while at < len(program):
        number = program[at]
        size, start = _decode(program, at + 1)
        key: int | str = number
        if number == CUSTOM:
            length, text = _decode(program, start)
            key = program[text : text + length].decode()
            if key == "name":
                yield key, (text + length, start + size)
                at = start + size
                continue
        yield key, (start, start + size)
        at = start + size


def _decode(data: bytes, at: int) -> tuple[int, int]:
    """The number (unsigned LEB128) that begins at `at`, and where it ends."""
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return number, at


def _encode(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _vector_of_numbers(data: bytes, at: int) -> list[int]:
    count, at = _decode(data, at)
    numbers = []
    for _ in range(count):
        number, at = _decode(data, at)
        numbers.append(number)
    return numbers


def _bodies(data: bytes, at: int) -> Iterator[bytes]:
    """The functions of the code section, each with its size before it."""
    count, at = _decode(data, at)
    for _ in range(count):
        size, start = _decode(data, at)
        yield data[at : start + size]
        at = start + size


def _names(data: bytes, at: int, end: int) -> dict[int, str]:
    """Number and name of each function: subsection 1 of the section of names."""
    names = {}
    while at < end:
        kind, (size, start) = data[at], _decode(data, at + 1)
        at = start + size
        if kind == 1:
            count, here = _decode(data, start)
            for _ in range(count):
                number, here = _decode(data, here)
                length, here = _decode(data, here)
                names[number] = data[here : here + length].decode(errors="replace")
                here += length
    return names


def _first_of_program(data: bytes, sections: dict) -> int:
    """The number of the first function that is not imported: imports come first, and here all imports are functions."""
    return _decode(data, sections[IMPORTS][0])[0]


def _type_of_nothing(data: bytes, at: int) -> int:
    """The number of the first type () -> ()."""
    count, at = _decode(data, at)
    for number in range(count):
        if data[at : at + 3] == b"\x60\x00\x00":  # a function, no arguments, no results
            return number
        if data[at] != 0x60:
            break
        at += 1
        for _ in range(2):
            length, at = _decode(data, at)
            for _ in range(length):
                at += 2 if data[at] in (0x63, 0x64) else 1  # a reference is followed by what it refers to
    raise ValueError("no function without arguments and results before the first other type")
