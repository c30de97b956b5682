"""Two interruptions of a run in a process of its own; `benchmarks/interruptions.py` makes as many as you like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "interruptions.py"


@pytest.mark.skipif(os.name == "nt", reason="Windows has not these signals")
def test_a_run_that_is_interrupted_again_and_again_is_the_same_to_the_bit():
    result = subprocess.run([sys.executable, SCRIPT, "--kills", "2"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    last = result.stdout.splitlines()[-1]
    assert last.startswith("2 interruptions") and last.endswith("equal bit for bit")
    assert " stopped" in result.stdout  # not all came too late
