"""Compare an answer with what is right and, if it is wrong, with what common mistakes give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


class ArgumentChanged(AssertionError):
    """An answer changed an array that it was given."""


def compare(got: Any, wanted: Any, mistakes: Mapping[str, Any], what: str, only_mistakes: bool = False) -> None:
    """Raise AssertionError if an answer is wrong. The message names the first of the `mistakes` (what to tell the
    student, and the result of that mistake) with the same result, and gives the numbers. `what` says what these are.

    With `only_mistakes`, an answer that is wrong in another way passes: it is examined more closely later.
    """
    assert np.shape(got) == np.shape(wanted), f"{what} must have the shape {np.shape(wanted)}, got {np.shape(got)}"
    if np.allclose(got, wanted):
        return
    numbers = f"{what} must be\n{np.squeeze(wanted)}\ngot\n{np.squeeze(got)}"
    for message, result in mistakes.items():
        assert not np.allclose(got, result, rtol=1e-4), f"{message}\n{numbers}"
    assert only_mistakes, numbers


def number(got: Any) -> float:
    """An answer that must be a single number. Raises AssertionError for anything else."""
    try:
        return float(got)
    except (TypeError, ValueError):
        raise AssertionError(f"a single number is wanted, got {got!r}") from None
