"""Files of weights: torch's layout and names, every bit, and what is refused. States of runs: `test_state.py`."""

from __future__ import annotations

import os

import numpy as np
import pytest
from lopsided import lopsided, values
from safetensors.numpy import load_file, save_file

from resnet_scratch.experiment.checkpoint import CheckpointError, load_weights, read_about, save_weights
from resnet_scratch.models import build


def test_a_file_has_torchs_layout_element_by_element(tmp_path, device):
    model = lopsided()
    save_weights(tmp_path / "w", lopsided().to(device), {})
    file = load_file(tmp_path / "w")
    assert file["conv.weight"].shape == (3, 2, 4, 5) and file["fc.weight"].shape == (7, 6)
    for kh, kw, c, o in np.ndindex(4, 5, 2, 3):
        assert file["conv.weight"][o, c, kh, kw] == model.conv.weight.value[kh, kw, c, o]
    for i, o in np.ndindex(6, 7):
        assert file["fc.weight"][o, i] == model.fc.weight.value[i, o]
    assert all(array.dtype == np.float32 for array in file.values())


def test_loading_gives_back_every_bit(tmp_path, device):
    model, other = lopsided(0).to(device), lopsided(1).to(device)
    save_weights(tmp_path / "w", model, {"a": [1, 2]})
    load_weights(tmp_path / "w", other)
    for name, value in values(model).items():
        np.testing.assert_array_equal(values(other)[name], value, strict=True)
    assert all(buffer.value.flags.c_contiguous for _, buffer in other.named_buffers())
    assert read_about(tmp_path / "w") == {"a": [1, 2]}


def test_weights_of_half_precision_become_the_models_dtype(tmp_path):
    save_weights(tmp_path / "w", lopsided(0), {})
    halves = {name: array.astype(np.float16) for name, array in load_file(tmp_path / "w").items()}
    save_file(halves, tmp_path / "h")
    model = lopsided(1)
    load_weights(tmp_path / "h", model)
    assert model.fc.bias.value.dtype == np.float32
    np.testing.assert_array_equal(model.fc.bias.value, halves["fc.bias"])


def test_resnet18_has_torchvisions_names(tmp_path):
    save_weights(tmp_path / "w", build("resnet18", 1000, rng=np.random.default_rng(0)), {})
    shapes = {name: array.shape for name, array in load_file(tmp_path / "w").items()}
    assert len(shapes) == 122 - 20  # torchvision's state dict has 122 entries, 20 of them num_batches_tracked
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer1.0.conv1.weight"] == (64, 64, 3, 3)
    assert shapes["layer2.0.downsample.0.weight"] == (128, 64, 1, 1)
    assert shapes["layer2.0.downsample.1.running_var"] == (128,)
    assert shapes["layer4.1.bn2.bias"] == (512,)
    assert shapes["fc.weight"] == (1000, 512) and shapes["fc.bias"] == (1000,)


def test_torch_computes_the_same_from_the_file(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file as load_for_torch

    ours = lopsided()
    ours.bn.running_var.value[...] = np.abs(ours.bn.running_var.value) + 0.5
    save_weights(tmp_path / "w", ours, {})
    theirs = torch.nn.ModuleDict(
        dict(conv=torch.nn.Conv2d(2, 3, (4, 5)), bn=torch.nn.BatchNorm2d(3), fc=torch.nn.Linear(6, 7))
    )
    theirs.load_state_dict(load_for_torch(tmp_path / "w"), strict=True)
    theirs.eval()
    x = np.random.default_rng(3).standard_normal((2, 9, 8, 2)).astype(np.float32)
    with torch.no_grad():
        expected = theirs["bn"](theirs["conv"](torch.from_numpy(x).permute(0, 3, 1, 2))).permute(0, 2, 3, 1).numpy()
        rows = theirs["fc"](torch.from_numpy(x.reshape(-1, 6))).numpy()
    np.testing.assert_allclose(ours.bn(ours.conv(x)), expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours.fc(x.reshape(-1, 6)), rows, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda file: file.pop("fc.bias"), "missing: fc.bias"),
        (lambda file: file.update(spare=np.zeros(1, np.float32)), "not in the model: spare"),
        (
            lambda file: file.update({"fc.weight": np.zeros((6, 7), np.float32)}),
            r"wrong shape: fc.weight \(6, 7\), the model has \(7, 6\)",
        ),
    ],
)
def test_a_file_that_does_not_fit_is_refused_by_name_and_changes_nothing(tmp_path, change, message):
    save_weights(tmp_path / "w", lopsided(0), {})
    file = load_file(tmp_path / "w")
    change(file)
    save_file(file, tmp_path / "w")
    model = lopsided(1)
    before = values(model)
    with pytest.raises(CheckpointError, match=message):
        load_weights(tmp_path / "w", model)
    assert all(np.array_equal(before[name], value) for name, value in values(model).items())


def test_torchs_batch_counters_are_passed_over(tmp_path):
    save_weights(tmp_path / "w", lopsided(0), {})
    save_file({**load_file(tmp_path / "w"), "bn.num_batches_tracked": np.array(5)}, tmp_path / "w")
    model = lopsided(1)
    load_weights(tmp_path / "w", model)
    assert np.array_equal(model.fc.weight.value, lopsided(0).fc.weight.value)


def test_missing_damaged_and_foreign_files_are_told_apart(tmp_path):
    with pytest.raises(CheckpointError, match="no such file"):
        read_about(tmp_path / "nothing")
    save_weights(tmp_path / "w", lopsided(), {})
    (tmp_path / "cut").write_bytes((tmp_path / "w").read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged"):
        load_weights(tmp_path / "cut", lopsided())
    save_file({"a": np.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="not written by resnet_scratch"):
        read_about(tmp_path / "foreign")


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    save_weights(tmp_path / "w", lopsided(0), {})
    old = (tmp_path / "w").read_bytes()

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match=f"no space left.*{tmp_path}/w"):
        save_weights(tmp_path / "w", lopsided(1), {})
    assert (tmp_path / "w").read_bytes() == old
    assert os.listdir(tmp_path) == ["w"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e300])  # the last one is finite in float64 only
def test_weights_that_nobody_could_load_do_not_replace_a_file(tmp_path, value):
    model = lopsided().astype(np.float64)
    save_weights(tmp_path / "w", model, {})
    old = (tmp_path / "w").read_bytes()
    model.fc.bias.value[1] = model.bn.running_mean.value[0] = value
    with pytest.raises(CheckpointError, match="w was not written: not finite .* float32: bn.running_mean, fc.bias"):
        save_weights(tmp_path / "w", model, {})
    assert (tmp_path / "w").read_bytes() == old


def test_the_same_weights_give_the_same_file(tmp_path):
    for name in "ab":
        save_weights(tmp_path / name, lopsided(), {"one": 1, "two": [2.5]})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
