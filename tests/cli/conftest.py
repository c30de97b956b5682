"""Commands that run in this process, in an empty folder."""

from __future__ import annotations

import sys

import pytest
from click.testing import CliRunner
from in_process import TRAIN

from resnet_scratch import data
from resnet_scratch.cli import main, tools


@pytest.fixture
def invoke(tmp_path, tiny_dataset, monkeypatch):
    """Run the command in an empty folder, where every data set is the tiny one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["resnet-scratch"])
    monkeypatch.setattr(data, "load", lambda *_, **__: tiny_dataset)
    monkeypatch.setattr(tools, "load", lambda *_, **__: tiny_dataset)

    def run(*arguments: str):
        return CliRunner().invoke(main, [str(a) for a in arguments])

    return run


@pytest.fixture
def trained(invoke, tmp_path):
    result = invoke(*TRAIN)
    assert result.exit_code == 0, result.output
    return result.output
