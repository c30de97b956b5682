import pytest

from resnet_scratch.table import command_text, format_table, shorten, wrap


def test_a_small_table():
    columns = {"layer": "", "output": "", "weights": ",d", "ms": ".1f"}
    rows = [("conv1", (32, 32, 16), 1432, 0.25), ("relu", (32, 32, 16), None, "?")]
    assert format_table(columns, rows, total=("total", None, 1432, 0.25)).splitlines() == [
        "layer  output    weights   ms",
        "conv1  32x32x16    1,432  0.2",
        "relu   32x32x16             ?",
        "-----------------------------",
        "total              1,432  0.2",
    ]


def test_a_wide_table_has_narrow_gaps():
    """Two columns of 39 characters fit 80 with a gap of two; with 40 in one of them they need a gap of one."""
    for size, gap in ((39, "  "), (40, " ")):
        assert format_table({"a": "", "b": ""}, [("x" * size, "y" * 39)]).splitlines()[1] == "x" * size + gap + "y" * 39


def test_letters_that_take_two_columns_are_aligned():
    """A terminal shows each Chinese letter over two columns, and an accent of its own over the letter before it."""
    table = format_table({"class": "", "images": "d"}, [("\u732b\u732b\u732b", 12), ("cafe\u0301", 3), ("cat", 4)])
    assert table.splitlines() == [
        "class   images",
        "\u732b\u732b\u732b      12",
        "cafe\u0301         3",
        "cat          4",
    ]


def test_a_long_name_keeps_its_beginning_and_its_end():
    assert shorten("200.Common_Yellowthroat (female)", 20) == "200.Common\u2026 (female)"
    assert shorten("a name of 20 letters", 20) == "a name of 20 letters"
    assert shorten("\u732b" * 11, 20) == "\u732b" * 5 + "\u2026" + "\u732b" * 4


def test_without_rows_there_is_a_heading():
    assert format_table({"a": "", "b": "d"}, []) == "a  b"


def test_a_row_must_fill_its_columns():
    with pytest.raises(ValueError):
        format_table({"a": "", "b": "d"}, [("x",)])


def test_a_long_line_is_broken_at_spaces_and_keeps_its_indent():
    """Words of 9 and a space: seven of them are 69 columns, and 71 with the indent of two; an eighth would be 81."""
    lines = wrap("  " + " ".join(["123456789"] * 9)).splitlines()
    assert lines == ["  " + " ".join(["123456789"] * 7), "    123456789 123456789"]
    assert wrap("short") == "short"


def test_a_path_is_never_broken():
    path = "/a-long/" * 12 + "x"
    assert wrap(f"no such file: {path}").splitlines() == ["no such file:", f"  {path}"]


@pytest.mark.parametrize("system, expected", [
    ("posix", "train --resume 'my runs' 'C:\\x' plain"),
    ("nt", 'train --resume "my runs" C:\\x plain'),  # cmd.exe takes no single quotes
])  # fmt: skip
def test_a_command_is_quoted_as_the_system_s_shell_wants_it(monkeypatch, system, expected):
    with monkeypatch.context() as patch:
        patch.setattr("resnet_scratch.table.os.name", system)
        text = command_text("train", "--resume", "my runs", "C:\\x", "plain")
    assert text == expected
