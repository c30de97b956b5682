from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resnet_scratch.experiment.checkpoint import CheckpointError, save_weights
from resnet_scratch.experiment.evaluation import predict
from resnet_scratch.experiment.weights import About, load_model, save_model
from resnet_scratch.models import ResNetConfig, build

OLD_FILE = Path(__file__).with_name("weights_57ce254.safetensors")
# written by commit 57ce254, with widths 3 and 5 so that no transposition goes unseen; what that commit computed from it
OLD_CONFIG = ResNetConfig("small", "basic", (1, 1), (3, 5), "cifar", "B", 6)
OLD_KERNEL = [-0.22523656, -0.29719868, 0.0045599]  # conv1.weight[0, 1, :, 2]
OLD_PROBABILITIES = [[0.15855381, 0.0940364, 0.5591818, 0.18822794], [0.17359753, 0.09239751, 0.52915037, 0.20485456]]


def test_weights_that_an_old_version_wrote_still_load_and_predict_the_same():
    model, about = load_model(OLD_FILE)
    assert model.config == OLD_CONFIG and about.classes == ("red", "green", "blue", "grey")
    assert (about.image_size, about.mean, about.std) == ((6, 6), (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    assert (about.dataset, about.recipe, about.seed, about.step) == ("tiny", "none", 57, 12)
    assert model.conv1.weight.value[0, 1, :, 2] == pytest.approx(OLD_KERNEL, abs=1e-8)
    images = np.arange(2 * 6 * 6 * 3).reshape(2, 6, 6, 3).astype(np.uint8)
    images[1] = images[1, ::-1, ::-1]
    np.testing.assert_allclose(predict(model, images, about), OLD_PROBABILITIES, atol=1e-6)


def test_what_is_saved_is_loaded_on_any_device(tmp_path, device):
    model, about = load_model(OLD_FILE)
    save_model(tmp_path / "model.safetensors", model, about)
    again, about_again = load_model(tmp_path, device)  # a folder: the file of that name in it
    assert about_again == about and about_again.normalisation()[0].dtype == np.float32
    images = np.arange(6 * 6 * 3, dtype=np.uint8).reshape(1, 6, 6, 3)
    np.testing.assert_allclose(
        predict(again, images, about_again, device), predict(model, images, about), rtol=0, atol=1e-6
    )


def test_a_run_describes_its_model(tiny_dataset):
    model = build("resnet8", 4, rng=np.random.default_rng(0))
    about = About.of(model, tiny_dataset, "paper", seed=3, step=7)
    assert about.config["name"] == "resnet8" and about.image_size == (8, 8)
    assert (about.dataset, about.recipe, about.seed, about.step) == ("tiny", "paper", 3, 7)


def test_files_that_do_not_describe_a_model_are_refused(tmp_path):
    save_weights(tmp_path / "w", build("resnet8", rng=np.random.default_rng(0)), {"colour": "red"})
    with pytest.raises(CheckpointError, match="another version of resnet_scratch .*colour"):
        load_model(tmp_path / "w")
    with pytest.raises(CheckpointError, match="no such file: .*model.safetensors"):
        load_model(tmp_path)
