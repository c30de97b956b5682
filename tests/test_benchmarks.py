"""The scripts that measure for the documentation: each still finds what it imports from the library."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
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


def test_every_idea_of_the_ladder_can_be_taken_out():
    """In a process of its own, because it changes the library. Without chunks, a batch is a single one."""
    code = "import ladder; [ladder.take_out(idea) for idea in list(ladder.RUNGS)[1:]]; "
    code += "from resnet_scratch.compute import batch; print(batch._number_of_chunks(128, 1e9))"
    result = subprocess.run([sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True)
    assert result.stdout == "1\n", result.stderr


def test_whitened_patches_vary_equally_and_independently(monkeypatch):
    """Patches without overlap, cut out by a reshape; neighbouring pixels and channels are alike, as in photographs."""
    monkeypatch.syspath_prepend(FOLDER)
    whitening = importlib.import_module("whitening")
    images = np.random.default_rng(0).standard_normal((50, 8, 8, 3)).cumsum(1).cumsum(2).cumsum(3)
    filters = whitening.whitening_filters(images, (2, 2), (2, 2), 10)
    patches = images.reshape(50, 4, 2, 4, 2, 3)
    responses = np.einsum("nhiwjc,ijco->nhwo", patches, filters).reshape(-1, 10)
    np.testing.assert_allclose(np.cov(responses[:, :5], rowvar=False), np.eye(5), atol=0.05)
    np.testing.assert_allclose(responses[:, 5:], -responses[:, :5])
