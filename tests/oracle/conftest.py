import pytest

pytest.importorskip("torch", reason="the comparison with PyTorch needs torch")
