"""Commands that run in this process, in an empty folder."""

from __future__ import annotations

import shutil
import sys

import pytest
from click.testing import CliRunner
from in_process import TRAIN

from resnet_scratch import data
from resnet_scratch.cli import main, tools


def runner(folder, dataset, patch):
    """What runs the command in `folder`, where every data set is `dataset`, until `patch` is undone."""
    patch.chdir(folder)
    patch.setattr(sys, "argv", ["resnet-scratch"])
    patch.setattr(data, "load", lambda *_, **__: dataset)
    patch.setattr(tools, "load", lambda *_, **__: dataset)
    return lambda *arguments: CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def invoke(tmp_path, tiny_dataset, monkeypatch):
    """Run the command in an empty folder, where every data set is the tiny one."""
    return runner(tmp_path, tiny_dataset, monkeypatch)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory, tiny_dataset):
    """What `TRAIN` printed, and the folder that it ran in: the tests get copies of the run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        result = runner(folder, tiny_dataset, patch)(*TRAIN)
    assert result.exit_code == 0, result.output
    return result.output, folder


@pytest.fixture
def trained(invoke, trained_once, tmp_path):
    """A run in the folder `run`, and what the command printed that made it."""
    printed, folder = trained_once
    shutil.copytree(folder / "run", tmp_path / "run")
    return printed
