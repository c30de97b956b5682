"""Weights from elsewhere without torch: safetensors files. With torch: tests/oracle/test_exchange_torch.py."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from resnet_scratch.cli import main
from resnet_scratch.errors import UserError
from resnet_scratch.experiment.checkpoint import CheckpointError, save_weights
from resnet_scratch.experiment.exchange import NORMALISATIONS, export_model, import_model
from resnet_scratch.experiment.weights import load_model, save_model
from resnet_scratch.models import build
from resnet_scratch.models.torch_layout import to_torch

CIFAR = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)  # as most training scripts have them
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # as torchvision documents them


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


@pytest.mark.parametrize("name, normalisation, size", [
    ("resnet8", CIFAR, 32),
    ("resnet8-wide", CIFAR, 32),  # its first convolution is 4x4
    ("resnet18", IMAGENET, 224),
])  # fmt: skip
def test_normalisation_and_size_are_imagenet_s_after_a_7x7_convolution_only(tmp_path, name, normalisation, size):
    model = build(name, 4, rng=np.random.default_rng(0))
    save_file({name: to_torch(buffer.value) for name, buffer in model.named_buffers()}, tmp_path / "a.safetensors")
    about = import_model(tmp_path / "a.safetensors").about
    assert (about.mean, about.std) == normalisation and about.image_size == (size, size)


def test_cifar100_s_normalisation_is_the_usual_one():
    assert NORMALISATIONS["cifar100"] == ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762))


def test_a_normalisation_that_no_run_could_have_is_refused(arrays, tmp_path):
    save_file(arrays, tmp_path / "a.safetensors")
    with pytest.raises(UserError, match=r"mean must be three numbers from 0 to 1, got \(123.7, 116.3, 103.5\)"):
        import_model(tmp_path / "a.safetensors", normalisation=((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)))
    half = np.full(3, 0.5, np.float32)
    assert import_model(tmp_path / "a.safetensors", normalisation=(half, half)).about.std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("arguments, message", [
    ({"classes": "cat"}, "classes must be names or their number, got 'cat'"),
    ({"classes": 4.0}, "classes must be names or their number, got 4.0"),
    ({"classes": True}, "classes must be a whole number of at least 1, got True"),
    ({"classes": 0}, "classes must be a whole number of at least 1, got 0"),
    ({"normalisation": (0.5,) * 6}, r"normalisation must be \(mean, std\), three numbers each, got \(0.5, 0.5,"),
    ({"normalisation": "cifar10"}, "normalisation must be .* got 'cifar10'"),
    ({"normalisation": ("abc", "def")}, r"normalisation must be .* got \('abc', 'def'\)"),
    ({"normalisation": 0.5}, "normalisation must be .* got 0.5"),
    ({"seed": -1}, "seed must be a whole number of at least 0, got -1"),
    ({"seed": None}, "seed must be a whole number of at least 0, got None"),
])  # fmt: skip
def test_wrong_arguments_are_named(arrays, tmp_path, arguments, message):
    save_file(arrays, tmp_path / "theirs.safetensors")
    model, about, _ = import_model(tmp_path / "theirs.safetensors")
    save_model(tmp_path / "ours.safetensors", model, about)
    for name in ("theirs", "ours"):
        with pytest.raises(UserError, match=f"^{message}"):
            import_model(tmp_path / f"{name}.safetensors", **arguments)


def test_numpy_s_numbers_are_arguments_too(arrays, tmp_path):
    save_file(arrays, tmp_path / "a.safetensors")
    halves = np.full((2, 3), 0.5)
    about = import_model(tmp_path / "a.safetensors", np.int64(4), halves, np.int64(3), np.int64(20)).about
    assert (about.classes, about.seed, about.image_size) == (("0", "1", "2", "3"), 3, (20, 20))
    assert about.mean == about.std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("ending", ["onnx", "pth", "safetensors"])
def test_what_is_said_of_a_network_is_checked_before_it_is_exported(arrays, tmp_path, ending):
    save_file(arrays, tmp_path / "theirs.safetensors")
    model, about, _ = import_model(tmp_path / "theirs.safetensors")
    with pytest.raises(UserError, match="^mean must be three numbers from 0 to 1, got"):
        export_model(tmp_path / f"ours.{ending}", model, replace(about, mean=(0.5,) * 6))


def test_names_of_classes_from_a_file(arrays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file(arrays, "a.safetensors")

    def run(content, out):
        Path("names.txt").write_bytes(content)
        arguments = ["import", "a.safetensors", "--class-names", "names.txt", "--out", out]
        result = CliRunner().invoke(main, arguments)
        return result.exit_code, " ".join(result.output.split())

    assert run("é\r\nb\n\nc\nd\n".encode("utf-8-sig"), "run")[0] == 0  # as Windows' editor writes it
    assert load_model("run")[1].classes == ("é", "b", "c", "d")
    code, message = run(b"n01440764\ttench\nb\nc\nd\n", "no-run")
    assert code == 2 and "names.txt must have names without control characters, got 'n01440764\\ttench'" in message
    for content in ("é\nb\nc\nd".encode("utf-16"), "é\nb\nc\nd".encode("latin-1")):
        status, output = run(content, "other")
        assert status == 2 and "names.txt must be a text file in UTF-8" in output
    status, output = run(b"\n", "other")
    assert status == 2 and "names.txt must have a class's name per line, got none" in output


def test_what_does_not_fit_is_named(arrays, tmp_path):
    del arrays["layer2.0.bn1.bias"]
    save_file(arrays, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="missing: layer2.0.bn1.bias"):
        import_model(tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="has a last layer of 4 outputs, got 3 classes"):
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


def test_a_file_of_ours_says_what_it_is(arrays, tmp_path):
    save_file(arrays, tmp_path / "theirs.safetensors")
    names, half = ("cat", "dog", "owl", "bat"), ((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    model, about, _ = import_model(tmp_path / "theirs.safetensors", names, half, image_size=20)
    export_model(tmp_path / "ours.safetensors", model, about)
    _, again, new_last_layer = import_model(tmp_path / "ours.safetensors")
    assert (again.classes, again.image_size) == (names, (20, 20)) and not new_last_layer
    assert (again.mean, again.std) == half
    changed = import_model(tmp_path / "ours.safetensors", ("a", "b", "c", "d"), image_size=24).about
    assert (changed.classes, changed.image_size, changed.mean) == (("a", "b", "c", "d"), (24, 24), half[0])
    with pytest.raises(UserError, match="has a last layer of 4 outputs, got 3 classes"):
        import_model(tmp_path / "ours.safetensors", classes=3)


def test_a_file_whose_network_is_not_known_is_named(arrays, tmp_path):
    save_file({name: array for name, array in arrays.items() if "layer2" not in name}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="x.safetensors: layer2.0.conv2.weight is missing"):
        import_model(tmp_path / "x.safetensors")


def test_weights_that_say_something_else_are_recognised_by_their_shapes(arrays, tmp_path):
    save_file(arrays, tmp_path / "theirs.safetensors")
    save_weights(tmp_path / "noted.safetensors", import_model(tmp_path / "theirs.safetensors").model, {"note": "mine"})
    assert import_model(tmp_path / "noted.safetensors").about.classes == ("0", "1", "2", "3")


def test_the_size_of_the_images_can_be_told(arrays, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_file(arrays, "a.safetensors")
    result = CliRunner().invoke(main, ["import", "a.safetensors", "--image-size", "20", "--out", "out"])
    assert result.exit_code == 0 and "for images of 20x20" in " ".join(result.output.split())
    assert load_model("out")[1].image_size == (20, 20)


def test_a_folder_is_no_file_of_weights(tmp_path):
    with pytest.raises(CheckpointError, match="is a folder: name the file"):
        import_model(tmp_path)
