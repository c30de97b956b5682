import pytest

torch = pytest.importorskip("torch", reason="the comparison with PyTorch needs torch")
torch.set_num_threads(
    1
)  # two of its threads wait for each other by spinning: 40 times slower on processors that are busy
