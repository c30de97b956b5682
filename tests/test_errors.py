import pytest

from resnet_scratch.errors import UserError, printable


@pytest.mark.parametrize(
    "text, expected",
    [
        ("plain, ümläut, 猫, 👩‍🔬, two\nlines", "plain, ümläut, 猫, 👩‍🔬, two\nlines"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb\x00\x7f\x9b", "a\\rb\\x00\\x7f\\x9b"),
        ("\ud800", "\\ud800"),
    ],
)
def test_control_characters_become_escapes(text, expected):
    assert printable(text) == expected == str(UserError(text))
