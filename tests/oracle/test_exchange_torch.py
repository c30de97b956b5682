"""Weights from PyTorch and back: the imported network computes what the torch module computes."""

import zipfile

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from networks import Basic, Bottleneck, Net, option_a, option_b
from torch import nn

from resnet_scratch.cli import main
from resnet_scratch.experiment.checkpoint import CheckpointError
from resnet_scratch.experiment.exchange import export_model, import_model
from resnet_scratch.experiment.weights import load_model
from resnet_scratch.models import build
from resnet_scratch.models.torch_twin import twin


def drawn(module):
    """The module with batch norms that are not as new, in evaluation mode."""
    generator = torch.Generator().manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for array in (layer.weight.data, layer.running_var):
                array.uniform_(0.5, 1.5, generator=generator)
            for array in (layer.bias.data, layer.running_mean):
                array.normal_(0, 0.1, generator=generator)
    return module.eval()


def akamaster(state):
    """A checkpoint as its trainer.py writes it, from a module in DataParallel."""
    return {"state_dict": {f"module.{k.replace('fc.', 'linear.')}": v for k, v in state.items()}, "best_prec1": 91.7}


def kuangliu(state):
    renamed = {k.replace("fc.", "linear.").replace("downsample", "shortcut"): v for k, v in state.items()}
    return {"net": {f"module.{k}": v for k, v in renamed.items()}, "acc": 95.1, "epoch": 3}


TORCHVISION = (64, 128, 256, 512)
CASES = {
    "akamaster's resnet20": (Basic, (3, 3, 3), (16, 32, 64), option_a, False, akamaster, "resnet20"),
    "chenyaofo's resnet20": (Basic, (3, 3, 3), (16, 32, 64), option_b, False, dict, "resnet20-cifar-16-B"),
    "kuangliu's ResNet18": (Basic, (2, 2, 2, 2), TORCHVISION, option_b, False, kuangliu, "resnet18-cifar-64-B"),
    "kuangliu's ResNet50": (Bottleneck, (3, 4, 6, 3), TORCHVISION, option_b, False, kuangliu, "resnet50-cifar-64-B"),
    "torchvision's resnet18": (Basic, (2, 2, 2, 2), TORCHVISION, option_b, True, dict, "resnet18"),
    "torchvision's resnet34": (Basic, (3, 4, 6, 3), TORCHVISION, option_b, True, dict, "resnet34"),
    "torchvision's resnet50": (Bottleneck, (3, 4, 6, 3), TORCHVISION, option_b, True, dict, "resnet50"),
}


@pytest.mark.parametrize("block, blocks, widths, shortcut, imagenet, written, name", CASES.values(), ids=CASES)
def test_an_imported_network_computes_the_same(tmp_path, block, blocks, widths, shortcut, imagenet, written, name):
    torch.manual_seed(0)
    module = drawn(Net(block, blocks, widths, shortcut, imagenet, classes=7))
    torch.save(written(module.state_dict()), tmp_path / "file.pth")
    model, about, new_last_layer = import_model(tmp_path / "file.pth")
    assert (model.config.name, about.classes, new_last_layer) == (name, tuple("0123456"), False)
    size = 64 if imagenet else 32
    x = np.random.default_rng(1).standard_normal((2, size, size, 3)).astype(np.float32)
    theirs = module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(model(x), theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


def test_without_the_last_layer_the_rest_is_theirs_and_it_is_new(tmp_path):
    module = drawn(Net(Basic, (1, 1, 1), (16, 32, 64), option_b, False))
    state = {name: value for name, value in module.state_dict().items() if not name.startswith("fc.")}
    torch.save(state, tmp_path / "body.pt")
    model, about, new_last_layer = import_model(tmp_path / "body.pt", classes=["cat", "dog"])
    assert new_last_layer and about.classes == ("cat", "dog") and model.fc.weight.value.shape == (64, 2)
    assert model.fc.weight.value.std() > 0.01
    np.testing.assert_array_equal(model.layer3[0].conv2.weight.value[1, 2, 3, 4],
                                  module.layer3[0].conv2.weight[4, 3, 1, 2].detach().numpy())  # fmt: skip
    with pytest.raises(ValueError, match="no last layer .*classes"):
        import_model(tmp_path / "body.pt")


def test_what_is_exported_is_what_the_twin_loads(tmp_path):
    model = build("resnet8", 10, rng=np.random.default_rng(3))
    torch.save(drawn(twin(model)).state_dict(), tmp_path / "a.pth")
    model, about, _ = import_model(tmp_path / "a.pth")
    export_model(tmp_path / "b.pth", model, about)
    module = twin(build("resnet8", 10, rng=np.random.default_rng(4))).eval()
    module.load_state_dict(torch.load(tmp_path / "b.pth", weights_only=True), strict=True)
    x = np.random.default_rng(1).standard_normal((2, 32, 32, 3)).astype(np.float32)
    theirs = module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(model(x), theirs, atol=1e-5)


def test_the_commands_go_to_pytorch_and_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = drawn(Net(Basic, (1, 1, 1), (16, 32, 64), option_a, False, classes=3))
    torch.save(akamaster(module.state_dict()), "mine.th")
    (tmp_path / "names.txt").write_text("cat\ndog\nfrog\n")
    numbers = "0.5,0.5,0.5,0.2,0.3,0.4"
    result = CliRunner().invoke(main, ["import", "mine.th", "--class-names", "names.txt", "--normalisation", numbers])
    assert result.exit_code == 0 and "resnet8: basic blocks 1-1-1" in result.output, result.output
    _, about = load_model("runs/mine")
    assert (about.classes, about.mean, about.std) == (("cat", "dog", "frog"), (0.5, 0.5, 0.5), (0.2, 0.3, 0.4))
    assert "exists already" in CliRunner().invoke(main, ["import", "mine.th"]).output
    assert CliRunner().invoke(main, ["export", "runs/mine", "back.pth"]).exit_code == 0
    state = torch.load("back.pth", weights_only=True)
    for name, value in module.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(state[name], value), name
    assert "must end in .onnx, .safetensors" in CliRunner().invoke(main, ["export", "runs/mine", "back.h5"]).output


WANTED = r"; it must be what torch.save\(model.state_dict\(\), path\) writes$"
NOT_TORCH = "file.pth was not written by torch.save" + WANTED
MORE = "file.pth holds more than weights, perhaps a whole model, whose code could do anything" + WANTED
DAMAGED = "file.pth is damaged or incomplete" + WANTED


def cut(path, **how):
    torch.save(nn.Linear(20, 20).state_dict(), path, **how)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize("content, message", [
    (lambda path: path.write_bytes(b"nonsense"), NOT_TORCH),
    (lambda path: path.write_bytes(b""), NOT_TORCH),
    (lambda path: path.write_bytes(b"\x08\x08\x12\x0eresnet_scratch\x1a\x050.1.0:\xff"), NOT_TORCH),  # as ONNX begins
    (lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "hello"), NOT_TORCH),
    (lambda path: torch.save(nn.Linear(2, 2), path), MORE),  # a module, which is a pickle of code
    (lambda path: torch.save(nn.Linear(2, 2), path, _use_new_zipfile_serialization=False), MORE),
    (lambda path: torch.jit.script(nn.Linear(2, 2)).save(path), MORE),
    (lambda path: cut(path), DAMAGED),
    (lambda path: cut(path, _use_new_zipfile_serialization=False), DAMAGED),
    (lambda path: torch.save({"epoch": 3, "loss": torch.ones(2)}, path), "must hold a state dict.*epoch, loss"),
    (lambda path: torch.save([1, 2], path), "must hold a state dict.*list"),
    (lambda path: None, "no such file"),
])  # fmt: skip
def test_other_files_are_refused(tmp_path, content, message):
    content(tmp_path / "file.pth")
    with pytest.raises(CheckpointError, match=message):
        import_model(tmp_path / "file.pth")
