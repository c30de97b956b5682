import pytest

from resnet_scratch.table import format_table


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


def test_without_rows_there_is_a_heading():
    assert format_table({"a": "", "b": "d"}, []) == "a  b"


def test_a_row_must_fill_its_columns():
    with pytest.raises(ValueError):
        format_table({"a": "", "b": "d"}, [("x",)])
