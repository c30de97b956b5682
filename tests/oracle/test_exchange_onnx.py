"""ONNX Runtime computes what the network computes, for every kind of block, shortcut and stem."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from resnet_scratch.cli import main
from resnet_scratch.errors import UserError
from resnet_scratch.experiment.evaluation import predict
from resnet_scratch.experiment.exchange import export_model
from resnet_scratch.experiment.weights import About, save_model
from resnet_scratch.layers import AvgPool2d, Flatten, Linear, ReLU, Sequential
from resnet_scratch.models import ResNetConfig, build

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
CLASSES = ("cat", "dog", "crème brûlée")


def network(block="basic", stem="cifar", shortcut="A", size=15):
    """A small network of two stages whose batch norms and biases are not as new, and what its file says of it."""
    config = ResNetConfig("small", block, (2, 1), (5, 8), stem, shortcut, size)
    model, rng = build(config, len(CLASSES), rng=np.random.default_rng(0)), np.random.default_rng(1)
    for name, buffer in model.named_buffers():
        if buffer.value.ndim == 1:
            low, high = (0.5, 1.5) if name.endswith(("weight", "var")) else (-0.5, 0.5)
            buffer.value[:] = rng.uniform(low, high, buffer.value.shape)
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    about = About(dataclasses.asdict(config), CLASSES, (size, size + 2), mean, std, "unknown", "imported", 0, 0)
    return model, about


@pytest.mark.parametrize("stem", ["cifar", "patch", "imagenet"])
@pytest.mark.parametrize("block, shortcut", [
    ("basic", "A"), ("basic", "B"), ("bottleneck", "A"), ("bottleneck", "B"), ("preact", "A"), ("preact", "B"),
    ("relu_before_add", "A"), ("relu_before_add", "B"), ("plain", "A"),
])  # fmt: skip
def test_it_computes_the_same(tmp_path, block, shortcut, stem):
    assert_same(*network(block, stem, shortcut), tmp_path)


def test_layers_that_no_network_of_ours_has(tmp_path):
    model, about = network()
    model.avgpool = Sequential(AvgPool2d(2, 1, 1), Flatten())  # 8x9 pixels become 9x10
    model.fc = Linear(9 * 10 * 8, len(CLASSES), rng=np.random.default_rng(0))
    assert_same(model, about, tmp_path)


def test_a_layer_without_arrays_may_be_used_twice(tmp_path):
    class Block(Sequential):
        def __call__(self, x):
            return self[1](self[0](self[1](x)))

    model, about = network()
    model.fc = Sequential(Block(Linear(8, 8, rng=np.random.default_rng(0)), ReLU()), model.fc)
    assert_same(model, about, tmp_path)


def test_a_formula_takes_layers_of_a_row_by_their_index(tmp_path):
    class Twice(Sequential):
        def __call__(self, x):
            return self[0](self[-1](x))

    model, about = network()
    model.fc = Sequential(Twice(Linear(8, 8, rng=np.random.default_rng(0)), ReLU()), model.fc)
    assert_same(model, about, tmp_path)


def assert_same(model, about, tmp_path):
    """The network and the file that is exported give the same logits for the same images."""
    export_model(tmp_path / "small.onnx", model, about)
    session = onnxruntime.InferenceSession(tmp_path / "small.onnx")
    for N in (1, 3):
        x = np.random.default_rng(2).standard_normal((N, 15, 17, 3)).astype(np.float32)
        (logits,) = session.run(["logits"], {"images": x.transpose(0, 3, 1, 2)})
        assert logits.shape == (N, 3) and logits.std() > 0.1
        np.testing.assert_allclose(model(x), logits, rtol=1e-4, atol=1e-4)


def test_the_command_s_file_has_all_that_its_user_needs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, about = network()
    save_model("model.safetensors", model, about)
    result = CliRunner().invoke(main, ["export", ".", "small.onnx"])
    assert result.exit_code == 0 and "(N, 3, 15, 17) float32" in result.output, result.output
    session = onnxruntime.InferenceSession("small.onnx")
    metadata = {name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}
    assert session.get_inputs()[0].shape == ["N", 3, 15, 17] and metadata["classes"] == list(CLASSES)
    pixels = np.random.default_rng(3).integers(0, 256, (2, 15, 17, 3), dtype=np.uint8)
    x = (pixels / 255 - metadata["mean"]) / metadata["std"]
    (logits,) = session.run(None, {"images": x.transpose(0, 3, 1, 2).astype(np.float32)})
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(predict(model, pixels, about), probabilities, atol=1e-5)


def test_a_layer_without_a_form_in_onnx_is_named(tmp_path):
    class LeakyReLU(ReLU):
        pass

    model, about = network()
    model.layer1[0].relu2 = LeakyReLU()
    with pytest.raises(UserError, match="layer1.0.relu2 \\(LeakyReLU\\) has no form in ONNX"):
        export_model(tmp_path / "small.onnx", model, about)


def test_classes_of_another_number_than_the_outputs_are_refused(tmp_path):
    model, about = network()
    with pytest.raises(UserError, match="^about does not fit the network, which has other outputs or images"):
        export_model(tmp_path / "small.onnx", model, dataclasses.replace(about, classes=("cat", "dog")))
    assert not list(tmp_path.iterdir())
