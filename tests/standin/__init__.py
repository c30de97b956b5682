"""The stand-in for CuPy as a module that calls itself `cupy`, beside a real one that may be installed."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("cupy", Path(__file__).parent / "cupy.py")
STANDIN = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(STANDIN)
