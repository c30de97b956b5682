"""The scripts that measure for the documentation: each still finds what it imports from the library."""

import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.skipif(sys.platform == "win32", reason="two_machines needs Linux")
@pytest.mark.parametrize("script", SCRIPTS)
def test_it_can_be_imported(monkeypatch, script):
    if script == "pytorch_recipe":
        pytest.importorskip("torch")
    monkeypatch.syspath_prepend(FOLDER)
    importlib.import_module(script)
