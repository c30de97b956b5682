"""What a run prints while it trains."""

from __future__ import annotations

import io
import sys

from tiny_run import go

from resnet_scratch.experiment import console


def test_a_terminal_gets_a_progress_bar(tmp_path, tiny_dataset, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setattr(console, "REFRESH_SECONDS", 0)
    monkeypatch.setenv("COLUMNS", "120")
    go(tmp_path / "run", tiny_dataset)
    shown = sys.stderr.getvalue()
    assert all(part in shown for part in ("epoch 1/3", "epoch 3/3", "48.0/48.0", "images/s", "loss ", "accuracy "))


def test_times_are_readable():
    assert [console.duration(s) for s in (0.4, 59, 75, 3600, 7384)] == [
        "0 s",
        "59 s",
        "1 min 15 s",
        "1 h 0 min",
        "2 h 3 min",
    ]
