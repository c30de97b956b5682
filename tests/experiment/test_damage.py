"""Bits of a state file that flip are noticed, wherever they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from resnet_scratch.experiment.checkpoint import METADATA_KEY, CheckpointError, read_state, save_state
from resnet_scratch.layers import BatchNorm2d, Linear, Sequential
from resnet_scratch.optim import Adam

ABOUT = {"settings": {"seed": 3, "recipe": {"name": "tiny", "peak": 0.3}}, "step": 12, "history": [{"loss": 1 / 3}]}


@pytest.fixture
def state(tmp_path):
    """A state file of 5 kB, about half of it header, so that random bits fall everywhere."""
    rng = np.random.default_rng(0)
    model = Sequential(fc=Linear(17, 16, rng=rng), bn=BatchNorm2d(16))
    save_state(tmp_path / "state", model, Adam(model.parameters()), np.array([3, 1 / 3, 17]), ABOUT)
    return tmp_path / "state"


def same(state, other) -> bool:
    """Whether two states are the same to the bit."""
    bits = [{name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()} for arrays, _ in (state, other)]
    return bits[0] == bits[1] and state[1] == other[1]


def test_600_flipped_bits_are_each_refused_or_harmless(state):
    content, expected = state.read_bytes(), read_state(state)
    header = 8 + int.from_bytes(content[:8], "little")
    rng = np.random.default_rng(1)
    parts = ((0, 64, 20), (64, 8 * header, 280), (8 * header, 8 * len(content), 300))  # length, header, arrays
    refused = 0
    for bit in map(int, np.concatenate([rng.choice(np.arange(a, b), n, False) for a, b, n in parts])):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        state.write_bytes(damaged)
        try:
            assert same(read_state(state), expected), f"bit {bit} was accepted"
        except CheckpointError:
            refused += 1
    assert refused >= 590  # harmless are spaces between the header's words, if anything


def test_arrays_that_change_places_are_noticed(state):
    arrays, metadata = load_file(state), safe_open(state, "numpy").metadata()
    arrays["model.bn.weight"], arrays["model.bn.bias"] = arrays["model.bn.bias"], arrays["model.bn.weight"]
    save_file(arrays, state, metadata)
    with pytest.raises(CheckpointError, match="does not have the checksum"):
        read_state(state)


def test_metadata_that_change_are_noticed(state):
    metadata = safe_open(state, "numpy").metadata()
    about = json.loads(metadata[METADATA_KEY])
    assert about["step"] == 12 and len(about["checksum"]) == 64
    save_file(load_file(state), state, {METADATA_KEY: json.dumps({**about, "step": 13})})
    with pytest.raises(CheckpointError, match="does not have the checksum"):
        read_state(state)
    save_file(load_file(state), state, {METADATA_KEY: json.dumps(ABOUT)})
    with pytest.raises(CheckpointError, match="no checksum: it is damaged, or of an earlier version"):
        read_state(state)
    save_file(load_file(state), state, {METADATA_KEY: "{"})
    with pytest.raises(CheckpointError, match="is not JSON"):
        read_state(state)


def test_a_state_is_still_a_safetensors_file(state):
    assert load_file(state)["model.fc.weight"].shape == (16, 17)
