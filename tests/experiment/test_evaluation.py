"""What a user may hand to `predict`, and what the command `evaluate` says of a network from elsewhere."""

import dataclasses
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from resnet_scratch.cli import main
from resnet_scratch.errors import UserError
from resnet_scratch.experiment import evaluation
from resnet_scratch.experiment.evaluation import Evaluation, evaluate, predict
from resnet_scratch.experiment.exchange import UNKNOWN
from resnet_scratch.experiment.weights import About, save_model
from resnet_scratch.models import build


@pytest.fixture
def trained(tiny_dataset):
    model = build("resnet8", 4, rng=np.random.default_rng(0))
    return model, About.of(model, tiny_dataset, "shapes", 0, 0)


def test_an_evaluation_shows_what_it_comes_to():
    labels = np.array([0, 1, 1])
    evaluation = Evaluation(1.17114, 2 / 3, np.eye(2, dtype=np.float32)[[0, 1, 0]], labels)
    assert repr(evaluation) == "Evaluation(accuracy 66.67%, loss 1.1711, 3 images)"


def test_a_grey_image_is_one_with_three_equal_channels(trained):
    model, about = trained
    grey = np.random.default_rng(0).integers(0, 256, (2, 8, 9), dtype=np.uint8)
    colour = np.stack([grey, grey, grey], axis=-1)
    for images in (grey, grey[..., None]):
        np.testing.assert_array_equal(predict(model, images, about), predict(model, colour, about))


def test_predict_takes_so_many_images_at_once_that_memory_is_bounded(trained, monkeypatch):
    model, about = trained
    images = np.random.default_rng(0).integers(0, 256, (7, 8, 10, 3), dtype=np.uint8)
    sizes = []
    monkeypatch.setattr(type(model), "__call__", lambda model, x: sizes.append(len(x)) or model.forward(x)[0])
    whole = predict(model, images, about)
    monkeypatch.setattr(evaluation, "PIXELS_AT_ONCE", 3 * 8 * 10 + 79)
    parts = predict(model, images, about)
    assert sizes == [7, 3, 3, 1] and parts.dtype == np.float32
    np.testing.assert_allclose(parts, whole, rtol=1e-4)
    monkeypatch.setattr(evaluation, "PIXELS_AT_ONCE", 1)
    assert predict(model, images[:2], about).shape == (2, 4) and sizes[4:] == [1, 1]


@pytest.mark.parametrize("shape, dtype, message", [
    ((8, 8, 3), np.uint8, r"got \(8, 8, 3\) uint8; a single image is image\[None\]"),
    ((8, 8, 1), np.uint8, r"a single image is image\[None\]"),
    ((8, 8), np.uint8, r"images must be \(N, H, W, 3\) uint8, or grey \(N, H, W\), got \(8, 8\) uint8$"),
    ((2, 3, 8, 8), np.uint8, r"got \(2, 3, 8, 8\)"),
    ((2, 8, 8, 3), np.float32, r"got \(2, 8, 8, 3\) float32"),
])  # fmt: skip
def test_other_images_are_refused(trained, shape, dtype, message):
    with pytest.raises(UserError, match=message):
        predict(*trained[:1], np.zeros(shape, dtype), trained[1])


def test_no_image_is_refused(trained):
    with pytest.raises(ValueError, match=r"images must be non-empty, got \(0, 8, 8, 3\)"):
        predict(trained[0], np.zeros((0, 8, 8, 3), np.uint8), trained[1])


def test_the_loss_is_the_mean_over_the_images_however_they_are_divided(trained, monkeypatch):
    model, about = trained
    images, labels = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8), np.arange(7) % 4
    whole = evaluate(model, images, labels, *about.normalisation())
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 3)  # 3, 3 and 1
    divided = evaluate(model, images, labels, *about.normalisation())
    np.testing.assert_allclose(divided.probabilities, whole.probabilities, rtol=1e-4)
    expected = -np.log(whole.probabilities[np.arange(7), labels].astype(np.float64)).mean()
    assert divided.loss == pytest.approx(expected, rel=1e-4)


def test_with_flips_the_logits_are_those_of_an_image_and_its_mirror_image_on_average(trained):
    model, about = trained
    images, labels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8), np.arange(3)
    statistics = about.normalisation()
    mirror_images = np.ascontiguousarray(images[:, :, ::-1])
    once, mirrored = (np.log(evaluate(model, i, labels, *statistics).probabilities) for i in (images, mirror_images))
    result = evaluate(model, images, labels, *statistics, flip=True)
    expected = np.exp((once + mirrored) / 2)  # log-probabilities are logits up to a constant of each image
    np.testing.assert_allclose(result.probabilities, expected / expected.sum(1, keepdims=True), rtol=1e-4)
    assert abs(once - mirrored).max() > 1e-3


@pytest.mark.parametrize("dataset, message", [
    (UNKNOWN, "a b does not say what it was trained on: name a data set with --data, for example "
              "resnet-scratch evaluate 'a b' --data FOLDER_OF_IMAGES"),
    ("/moved", "a b was trained on '/moved', which is not here: name"),
])  # fmt: skip
def test_evaluate_asks_for_data_that_it_cannot_know(trained, tmp_path, monkeypatch, dataset, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["resnet-scratch"])
    model, about = trained
    (tmp_path / "a b").mkdir()
    save_model("a b/model.safetensors", model, dataclasses.replace(about, dataset=dataset))
    result = CliRunner().invoke(main, ["evaluate", "a b"])
    assert result.exit_code == 2 and " ".join(result.output.split()).startswith(f"Error: {message}")


def test_the_command_evaluate_refuses_a_network_for_images_that_are_no_square(trained, tmp_path):
    model, about = trained
    save_model(tmp_path / "m.safetensors", model, dataclasses.replace(about, dataset="shapes", image_size=(8, 12)))
    result = CliRunner().invoke(main, ["evaluate", str(tmp_path / "m.safetensors")])
    message = "is for images of height 8 and width 12; evaluate takes data sets of square images only"
    assert result.exit_code == 2 and message in " ".join(result.output.split())


def test_evaluate_suggests_the_data_set_that_has_as_many_classes(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model, about = build("resnet8", 100, rng=np.random.default_rng(0)), trained[1]
    about = dataclasses.replace(about, dataset=UNKNOWN, classes=tuple(map(str, range(100))))
    save_model("m.safetensors", model, about)
    output = CliRunner().invoke(main, ["evaluate", "m.safetensors"]).output
    assert "evaluate m.safetensors --data cifar100" in " ".join(output.split())
