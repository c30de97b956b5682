"""Weights from elsewhere without torch: safetensors files. With torch: tests/oracle/test_exchange_torch.py."""

import sys

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from resnet_scratch.experiment.checkpoint import CheckpointError
from resnet_scratch.experiment.exchange import export_model, import_model
from resnet_scratch.experiment.weights import load_model, save_model
from resnet_scratch.models import build
from resnet_scratch.models.torch_layout import to_torch


@pytest.fixture
def arrays():
    """resnet8's, as akamaster/pytorch_resnet_cifar10 names them."""
    model = build("resnet8", 4, rng=np.random.default_rng(5))
    return {name.replace("fc.", "linear."): to_torch(buffer.value) for name, buffer in model.named_buffers()}


def test_a_safetensors_file_becomes_a_run(arrays, tmp_path):
    save_file(arrays, tmp_path / "theirs.safetensors")
    model, about, _ = import_model(tmp_path / "theirs.safetensors")
    assert about.mean == (0.4914, 0.4822, 0.4465) and about.image_size == (32, 32)
    assert model.conv1.weight.value[0, 1, 2, 3] == arrays["conv1.weight"][3, 2, 0, 1]
    save_model(tmp_path / "model.safetensors", model, about)
    again, _ = load_model(tmp_path)
    export_model(tmp_path / "back.safetensors", again, about)
    back = load_file(tmp_path / "back.safetensors")
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name.replace("linear.", "fc.")], array)


def test_what_does_not_fit_is_named(arrays, tmp_path):
    del arrays["layer2.0.bn1.bias"]
    save_file(arrays, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="missing: layer2.0.bn1.bias"):
        import_model(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="classes must be 4, .* got 3"):
        import_model(tmp_path / "a.safetensors", classes=3)


def test_pth_needs_torch_and_says_so(arrays, tmp_path, monkeypatch):
    save_file(arrays, tmp_path / "a.safetensors")
    model, about, _ = import_model(tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ValueError, match="needs PyTorch .pip install torch"):
        export_model(tmp_path / "a.pth", model, about)
    (tmp_path / "b.pth").write_bytes(b"")
    with pytest.raises(ValueError, match="needs PyTorch .pip install torch"):
        import_model(tmp_path / "b.pth")


def test_onnx_needs_onnx_and_says_so(arrays, tmp_path, monkeypatch):
    save_file(arrays, tmp_path / "a.safetensors")
    model, about, _ = import_model(tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ValueError, match="needs onnx .pip install onnx"):
        export_model(tmp_path / "a.onnx", model, about)
    assert not (tmp_path / "a.onnx").exists()
