"""What the tests of runs share."""

from __future__ import annotations

import signal

import pytest
from tiny_run import go


@pytest.fixture(autouse=True)
def signals_as_in_a_terminal():
    """Python's own handlers, also where the tests run in the background or under nohup: there some are ignored."""
    usual = {signal.SIGINT: signal.default_int_handler}
    usual |= {getattr(signal, name): signal.SIG_DFL for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def finished(tmp_path, tiny_dataset):
    """A run that nobody interrupted."""
    lines = []
    return *go(tmp_path / "whole", tiny_dataset, lines), lines
