"""The state of a run in its file: weights and optimizer, every bit, and what is refused. Damage: `test_damage.py`."""

from __future__ import annotations

import numpy as np
import pytest
from lopsided import lopsided, values
from safetensors.numpy import load_file

from resnet_scratch.compute.backend import to_device, to_numpy
from resnet_scratch.experiment import checkpoint
from resnet_scratch.experiment.checkpoint import CheckpointError, load_state, read_state, save_state, save_weights
from resnet_scratch.layers import Linear, Sequential
from resnet_scratch.optim import SGD, Adam


def load(path, model, optimizer) -> np.ndarray:
    return load_state(path, read_state(path)[0], model, optimizer)


@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_state_brings_back_every_bit(tmp_path, device, kind):
    model = lopsided(0).to(device)
    optimizer = kind(model.parameters())
    rng = np.random.default_rng(5)
    for array in (array for state in optimizer.states for array in state.values()):
        array[...] = to_device(rng.standard_normal(array.shape), device)
    optimizer.scalars = dict.fromkeys(optimizer.scalars, 7)
    sums = np.array([3, 1 / 3, 17])
    save_state(tmp_path / "s", model, optimizer, sums, {"step": 4})

    other = lopsided(1).to(device)
    other_optimizer = kind(other.parameters())
    np.testing.assert_array_equal(load(tmp_path / "s", other, other_optimizer), sums, strict=True)
    assert other_optimizer.scalars == optimizer.scalars
    for ours, theirs in zip(optimizer.states, other_optimizer.states, strict=True):
        assert ours and ours.keys() == theirs.keys()
        for name in ours:
            np.testing.assert_array_equal(to_numpy(theirs[name]), to_numpy(ours[name]), strict=True)
    for name, value in values(model).items():
        np.testing.assert_array_equal(values(other)[name], value, strict=True)
    assert read_state(tmp_path / "s")[1] == {"step": 4}


def test_the_names_in_a_state_say_what_each_array_is(tmp_path):
    model = Sequential(fc=Linear(6, 7, rng=np.random.default_rng(0)))
    names = {"model.fc.weight", "model.fc.bias", "epoch_sums"}
    save_state(tmp_path / "sgd", model, SGD(model.parameters()), np.zeros(3), {})
    assert load_file(tmp_path / "sgd").keys() == names | {"velocity.fc.weight", "velocity.fc.bias"}
    save_state(tmp_path / "adam", model, Adam(model.parameters()), np.zeros(3), {})
    moments = {f"{moment}.fc.{name}" for moment in ("first_moment", "second_moment") for name in ("weight", "bias")}
    assert load_file(tmp_path / "adam").keys() == names | moments | {"optimizer.steps"}
    assert load_file(tmp_path / "adam")["first_moment.fc.weight"].shape == (7, 6)  # torch's layout here too


def test_a_state_of_another_optimizer_is_refused_and_changes_nothing(tmp_path):
    model, other = lopsided(0), lopsided(1)
    before = values(other)
    save_state(tmp_path / "s", model, SGD(model.parameters()), np.zeros(3), {})
    with pytest.raises(CheckpointError, match="does not fit the optimizer: missing: optimizer.steps"):
        load(tmp_path / "s", other, Adam(other.parameters()))
    save_state(tmp_path / "s", model, Adam(model.parameters()), np.zeros(3), {})
    with pytest.raises(CheckpointError, match="missing: velocity.bn.bias"):
        load(tmp_path / "s", other, SGD(other.parameters()))
    assert all(np.array_equal(before[name], value) for name, value in values(other).items())


@pytest.mark.parametrize("value", [True, 2**63, -(2**63) - 1, "7", None, 1j, np.bool_(True), [1]])
def test_a_scalar_that_could_not_be_resumed_is_refused_before_anything_is_written(tmp_path, value):
    model = lopsided()
    optimizer = Adam(model.parameters())
    save_state(tmp_path / "s", model, optimizer, np.zeros(3), {})
    old = (tmp_path / "s").read_bytes()
    optimizer.scalars["steps"] = value
    with pytest.raises(CheckpointError, match=r"scalars\['steps'\] must be a float or a 64-bit int, got"):
        save_state(tmp_path / "s", model, optimizer, np.zeros(3), {})
    assert (tmp_path / "s").read_bytes() == old


@pytest.mark.parametrize("value", [7, 2**63 - 1, -(2**63), 0.1, 1e300, np.float64(0.1)])
def test_a_scalar_comes_back_as_it_was(tmp_path, value):
    model = lopsided()
    optimizer, other = Adam(model.parameters()), Adam(model.parameters())
    optimizer.scalars["rate"], other.scalars["rate"] = value, type(value)(0)
    save_state(tmp_path / "s", model, optimizer, np.zeros(3), {})
    load(tmp_path / "s", model, other)
    assert other.scalars == {"steps": 0, "rate": value} and isinstance(value, type(other.scalars["rate"]))


def test_a_float64_state_is_not_rounded(tmp_path):
    model, other = lopsided(0).astype(np.float64), lopsided(1).astype(np.float64)
    model.fc.bias.value[:] = 1 / 3  # float32 has not these digits
    save_state(tmp_path / "s", model, SGD(model.parameters()), np.zeros(3), {})
    load(tmp_path / "s", other, SGD(other.parameters()))
    assert (other.fc.bias.value == 1 / 3).all()


def test_weights_alone_are_no_state(tmp_path):
    model = lopsided()
    save_weights(tmp_path / "w", model, {})
    with pytest.raises(CheckpointError, match="cannot be resumed"):
        load(tmp_path / "w", model, SGD(model.parameters()))


def test_a_state_is_read_from_one_file_even_if_another_takes_its_name(tmp_path, monkeypatch):
    models = [lopsided(0), lopsided(1)]
    for k, model in enumerate(models):
        save_state(tmp_path / f"{k}", model, SGD(model.parameters()), np.zeros(3), {"step": k})
    opened, real = [], checkpoint._open

    def open_and_replace(path):
        opened.append(path)
        file = real(path)
        (tmp_path / "1").replace(tmp_path / "0")
        return file

    monkeypatch.setattr(checkpoint, "_open", open_and_replace)
    arrays, about = read_state(tmp_path / "0")
    assert about == {"step": 0} and len(opened) == 1
    np.testing.assert_array_equal(arrays["model.bn.bias"], models[0].bn.bias.value)
