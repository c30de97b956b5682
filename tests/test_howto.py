"""Every recipe of docs/howto.md runs, and does what it promises."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from resnet_scratch import gradcheck
from resnet_scratch.cli import main
from resnet_scratch.layers import Layer
from resnet_scratch.models import build, resnet

PAGE = (Path(__file__).parent.parent / "docs" / "howto.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))  # heading: text
NEEDS = {
    "Use weights from PyTorch, and give them back": ("torch",),
    "Export to ONNX": ("onnx", "onnxruntime"),
}
PROMISES = {  # what a recipe must print, as far as it follows from what it says
    "Train on your own images": r"photos: 40 training and 8 test images\n32 x 32 .*\ncat.jpg: (cat|dog) ",
    "Train on arrays": r"\n30 .*\ntest accuracy (9\d|100)%",
    "Write your own layer": r"(\ninput [^\n]* ok\nslope [^\n]* ok\n.*){2}\Z",
    "Build your own network": r"\n20 0\.0",
    "Put your own block into a ResNet": r"\A.*\ninput [^\n]* ok\n.*\nbn2.se.factors.3.bias [^\n]* ok\nSequential\(\n  "
    r"\(norm\): BatchNorm2d\(16\)\n  \(se\): SqueezeExcite\(\n.*\Z",
    "Replace the activation everywhere": r"\ninput [^\n]* ok\nBasicBlock\(\n[^R]*\(relu1\): SiLU\(\)\n[^R]*\Z",
    "If you come from PyTorch": r"\A\Z",
    "Watch every layer in one step": r"\Alayer +output .*\nconv1 +16x16x16 .*\nfc +2 [^\n]*\n\Z",
    "Write your own optimizer": r"\n20 0\.0",
    "Save a network, and load it": r"\A\('cat', 'dog'\) \(32, 32\)\ncat.jpg: (cat|dog) .*"
    r"{'classes': \['cat', 'dog'\]} True\n\Z",
    "Fine-tune a network on other classes": r"\Aloss \d\.\d\d\nloss [12]\.\d\d\n\Z",
    "Compare learning rates": r"rate 0.001: mean.*\n.*rate 0.01: mean.*\n.*rate 0.1: mean.*\nlowest loss at a",
    "Draw a confusion matrix": r"\[\[ *\d+ +\d+\]\n \[ *\d+ +\d+\]\]",
    "Use weights from PyTorch, and give them back": r"\Aresnet20: basic .*\ncat.jpg: .*\nWritten: back.pth",
    "Export to ONNX": r"\AWritten: photos.onnx\n.*\n(cat|dog)\n\Z",
}


def run(recipe: str, names: dict | None = None) -> str:
    """What the blocks of a recipe print, run in the current folder: Python, and our commands. Adds what they define to
    `names`, which later blocks may use."""
    printed, names = io.StringIO(), {} if names is None else names
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", RECIPES[recipe], re.DOTALL | re.MULTILINE):
        if language == "python":
            assert block.count("\n") < 20, f"{recipe}: a recipe has less than 20 lines"
            with contextlib.redirect_stdout(printed):
                exec(compile(block, f"docs/howto.md, {recipe}", "exec"), names)
            continue
        for command in block.splitlines():
            program, *arguments = shlex.split(command)
            assert program == "resnet-scratch"
            result = CliRunner().invoke(main, arguments)
            assert result.exit_code == 0, f"{command}: {result.output}"
            printed.write(result.output)
    return printed.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the files are that the recipes name; runs/photos is trained, as in the first recipe."""
    folder = tmp_path_factory.mktemp("howto")
    rng = np.random.default_rng(0)
    for name, colour in (("cat", (180, 120, 60)), ("dog", (60, 60, 120))):
        (folder / "photos" / name).mkdir(parents=True)
        for k in range(24):
            pixels = rng.integers(0, 60, (30, 40, 3)) + colour
            Image.fromarray(pixels.astype(np.uint8)).save(folder / "photos" / name / f"{k}.png")
    Image.new("RGB", (50, 50), (200, 140, 80)).save(folder / "cat.jpg")
    (folder / "names.txt").write_text("".join(f"class {k}\n" for k in range(10)))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "printed.txt").write_text(run("Train on your own images"))
    return folder


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_works(recipe, folder, monkeypatch):
    for package in NEEDS.get(recipe, ()):
        pytest.importorskip(package, reason=f"the recipe {recipe!r} needs {package}")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(resnet, "BLOCKS", dict(resnet.BLOCKS))  # which a recipe adds to
    if "torch" in NEEDS.get(recipe, ()):
        import torch

        from resnet_scratch.models.torch_twin import twin

        torch.save(twin(build("resnet20", rng=np.random.default_rng(0))).state_dict(), "resnet20.th")
    first = recipe == "Train on your own images"
    printed = (folder / "printed.txt").read_text() if first else run(recipe)
    assert re.search(PROMISES[recipe], printed, re.DOTALL), printed


def test_the_fast_layer_works_on_every_device(put):
    names = {}
    run("Write your own layer", names)
    assert gradcheck(put(names["FastPReLU"]()), put(np.random.default_rng(1).standard_normal((3, 2, 2, 4))))


def test_the_dropout_of_the_page_on_trouble_passes_the_check_and_a_generator_that_goes_on_does_not():
    page = (Path(__file__).parent.parent / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert block.count("np.random.default_rng(0)") == 1
    x, reports = np.random.default_rng(1).standard_normal((2, 4, 4, 3)), []
    for code in (block, block.replace("np.random.default_rng(0)", "rng")):
        names = {"np": np, "rng": np.random.default_rng(0)}
        exec(code, names)
        dropout = type("Dropout", (Layer,), {way: names[way] for way in ("forward", "backward")})()
        reports.append(gradcheck(dropout, x))
        assert (dropout(x) == x).all() and (dropout.forward(x, training=True)[0] == 0).any()
        assert dropout.forward(x.astype(np.float32), training=True)[0].dtype == np.float32
    assert reports[0] and "not deterministic" in reports[1].tensors[0].problem


def test_the_contents_name_every_recipe():
    anchors = [re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in RECIPES]
    assert sorted(re.findall(r"\]\(#(.*?)\)", PAGE)) == sorted(anchors) and set(RECIPES) == set(PROMISES)
