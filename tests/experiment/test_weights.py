from __future__ import annotations

import json
import math
import struct
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from resnet_scratch.errors import UserError
from resnet_scratch.experiment.checkpoint import METADATA_KEY, CheckpointError, load_weights, read_about, save_weights
from resnet_scratch.experiment.evaluation import predict
from resnet_scratch.experiment.exchange import export_model
from resnet_scratch.experiment.weights import About, load_model, recorded_data_dir, save_model
from resnet_scratch.layers import Flatten, Linear, ReLU, Sequential
from resnet_scratch.models import ResNetConfig, build
from resnet_scratch.models.blocks import PlainBlock
from resnet_scratch.models.resnet import BLOCKS

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
    np.testing.assert_allclose(predict(again, images, about_again), predict(model, images, about), rtol=0, atol=1e-6)


def test_a_run_describes_its_model(tiny_dataset):
    model = build("resnet8", 4, rng=np.random.default_rng(0))
    about = About.of(model, tiny_dataset, "paper", seed=3, step=7)
    assert about.config["name"] == "resnet8" and about.image_size == (8, 8)
    assert (about.dataset, about.recipe, about.seed, about.step) == ("tiny", "paper", 3, 7)


class GELU(ReLU):
    """Its subclass, even: another function."""


def change_activation(model):
    model.layer1[0].relu1 = GELU()


def drop_shortcut(model):
    del model.layer2[0].downsample


def add_dropout(model):
    model.layer1[0].dropout = GELU()


def enlarge_classifier(model):
    model.fc = Linear(64, 7, rng=np.random.default_rng(0))


def change_stride(model):
    model.conv1.stride = (2, 2)


CONV = "a Conv2d with kernel_size .3, 3., stride {}, padding .1, 1."


@pytest.mark.parametrize("change, difference", [
    (enlarge_classifier, r"fc.weight is an array \(64, 7\), where load_model would build an array \(5, 4\);"),
    (change_stride, f"conv1 is {CONV.format('.2, 2.')}, where load_model would build {CONV.format('.1, 1.')};"),
    (change_activation, "layer1.0.relu1 is a GELU of test_weights, where load_model would build a ReLU;"),
    (drop_shortcut, "layer2.0.downsample is nothing, where load_model would build a Sequential;"),
    (add_dropout, "layer1.0.dropout is a GELU of test_weights, where load_model would build nothing;"),
])  # fmt: skip
@pytest.mark.parametrize(
    "save, ending", [(save_model, "safetensors"), (export_model, "safetensors"), (export_model, "pth")]
)
def test_a_network_that_was_changed_is_not_saved_as_another(tmp_path, change, difference, save, ending):
    model, about = load_model(OLD_FILE)
    change(model)
    with pytest.raises(UserError, match=f"^{difference} save_weights and load_weights of .* any network$"):
        save(tmp_path / f"file.{ending}", model, about)
    assert not list(tmp_path.iterdir())
    save_weights(tmp_path / "w", model, {})
    load_weights(tmp_path / "w", model)


def test_the_classes_must_be_as_many_as_the_network_s(tmp_path):
    model, about = load_model(OLD_FILE)
    with pytest.raises(UserError, match="about must name 4 classes, as many as model has, got 2"):
        save_model(tmp_path / "w", model, replace(about, classes=("cat", "dog")))


@pytest.mark.parametrize("field, value", [
    ("seed", None), ("seed", -1), ("step", 1.0), ("step", np.bool_(True)), ("mean", (0.5, 0.5)), ("std", (0, 0, 0)),
    ("image_size", (6, 6, 6)), ("classes", ("a", "b", "c", 1)), ("dataset", None),
])  # fmt: skip
def test_what_load_model_would_refuse_is_not_written(tmp_path, field, value):
    model, about = load_model(OLD_FILE)
    save_model(tmp_path / "w", model, about)
    before = (tmp_path / "w").read_bytes()
    with pytest.raises(UserError, match=f"^{field} must be "):
        save_model(tmp_path / "w", model, replace(about, **{field: value}))
    assert (tmp_path / "w").read_bytes() == before


def test_numpy_s_numbers_are_saved_as_numbers(tmp_path):
    blocks, widths = (np.int64(1), 1), (np.int32(3), np.int8(5))
    config = ResNetConfig("small", "basic", blocks, widths, "cifar", "B", np.int64(6), np.False_)
    model, about = load_model(OLD_FILE)
    model.config = config
    numbers = dict(seed=np.int64(57), step=np.uint8(12), image_size=(np.int64(6), np.int64(6)))
    floats = dict(mean=tuple(np.array([0.5, 0.25, 0.125])), std=tuple(np.float32([0.5, 0.25, 0.125])))
    save_model(tmp_path / "w", model, replace(about, config=asdict(config), **numbers, **floats))
    again, said = load_model(tmp_path / "w")
    assert (said.seed, said.step, said.image_size) == (57, 12, (6, 6)) and again.config == OLD_CONFIG
    assert said.mean == said.std == (0.5, 0.25, 0.125)


def test_what_matters_in_training_only_may_be_changed(tmp_path):
    model, about = load_model(OLD_FILE)
    model.bn1.group, model.bn1.momentum = 4, 0.5
    save_model(tmp_path / "w", model, about)


def test_a_network_without_a_configuration_is_told_how_it_is_saved(tiny_dataset, tmp_path):
    model = Sequential(Flatten(), Linear(192, 4, rng=np.random.default_rng(0)))
    with pytest.raises(UserError, match="model must be a ResNet, got Sequential; save_weights and load_weights of"):
        About.of(model, tiny_dataset, "mine", seed=0, step=0)
    with pytest.raises(UserError, match="^model is a Sequential, where load_model would build a ResNet; save_weights"):
        save_model(tmp_path / "w", model, load_model(OLD_FILE)[1])


def test_a_block_of_ones_own_is_loaded_where_it_is_known(tmp_path, monkeypatch):
    class Doubled(PlainBlock):
        def forward(self, x, training=False):
            y, cache = super().forward(x, training)
            return 2 * y, cache

    model, about = load_model(OLD_FILE)
    with monkeypatch.context() as known:
        known.setitem(BLOCKS, "doubled", Doubled)
        about = replace(about, config={**about.config, "block": "doubled"})
        model = build(replace(OLD_CONFIG, block="doubled"), 4, rng=np.random.default_rng(0))
        save_model(tmp_path / "w", model, about)
        assert type(load_model(tmp_path / "w")[0].layer1[0]) is Doubled
    with pytest.raises(CheckpointError, match="does not describe a model: block must be .*, got 'doubled'; .*BLOCKS"):
        load_model(tmp_path / "w")


def test_files_that_do_not_describe_a_model_are_refused(tmp_path):
    save_weights(tmp_path / "w", build("resnet8", rng=np.random.default_rng(0)), {"colour": "red"})
    with pytest.raises(CheckpointError, match="another version of resnet_scratch .*colour"):
        load_model(tmp_path / "w")
    with pytest.raises(CheckpointError, match="no such file: .*model.safetensors"):
        load_model(tmp_path)


def altered(path: Path, change_about=lambda about: None, change_arrays=lambda arrays: None) -> Path:
    """The old file, changed, under `path`."""
    arrays = load_file(OLD_FILE)
    about = read_about(OLD_FILE)
    change_arrays(arrays)
    about = change_about(about) or about
    save_file(arrays, path, {METADATA_KEY: about if isinstance(about, str) else json.dumps(about)})
    return path


NUMBERS = [None, True, -1, 0.5, 10**30, 1e300, math.nan, math.inf, "1", [], [[]], {}, {"a": []}]
WRONG = [
    *((name, value) for name in ("seed", "step") for value in NUMBERS if value not in (0, 10**30)),
    *((name, value) for name in ("mean", "std") for value in (*NUMBERS, [0, 0, 0, 0], [0.5, 0.5], [0.5, 0.5, "x"],
      [math.nan] * 3, [-1, 0, 0], [2, 2, 2], [0.5, 0.5, [0.5]], [True] * 3)),
    ("std", [0.5, 0, 0.5]),
    *(("image_size", value) for value in (*NUMBERS, [6], [6, 6, 6], [0, 6], [-6, 6], [10**9, 6], [6.0, 6], [True, 6])),
    *(("classes", value) for value in (*NUMBERS, [""] * 0, [1, 2], ["a", None], ["a\x1b[31m"], ["a\nb"], ["\ud800"],
      ["a\x9b"], ["a\x00"], {"a": 1})),
    *((name, value) for name in ("dataset", "recipe") for value in (*NUMBERS[:8], ["a"], {}, "a\x1b]0;x\x07")),
    *(("config", value) for value in (*NUMBERS, ["name"], {"name": "x"})),
]  # fmt: skip


@pytest.mark.parametrize("name, value", [(n, v) for n, v in WRONG if not (n in ("dataset", "recipe") and v == "1")])
def test_a_wrong_field_is_named(tmp_path, name, value):
    path = altered(tmp_path / "w", lambda about: about.update({name: value}))
    with pytest.raises(CheckpointError, match=f"{name} must be |of resnet_scratch" if name == "config" else name) as e:
        load_model(path)
    assert not set("\n\x1b\x9b\x00\x07") & set(str(e.value)) and len(str(e.value)) < 400


@pytest.mark.parametrize("name, value", [
    *((name, value) for name in ("blocks", "widths") for value in (*NUMBERS, [0, 1], [1, -1], [1, 2.0], [True, 1], [1],
      [1, 1, 1], [1, [1]])),
    *((name, value) for name in ("block", "stem", "shortcut", "name") for value in (*NUMBERS[:8], [], {})),
    *(("block", "basik"), ("stem", "cifarr"), ("shortcut", "C"), ("zero_init", 1), ("zero_init", "no")),
    *(("image_size", value) for value in NUMBERS if value != 10**30),
])  # fmt: skip
def test_a_wrong_field_of_the_config_is_named(tmp_path, name, value):
    path = altered(tmp_path / "w", lambda about: about["config"].update({name: value}))
    with pytest.raises(CheckpointError, match="does not describe a model: .*|another version") as error:
        load_model(path)
    assert name in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.pop("std"),
        lambda a: a.update(extra=1),
        lambda a: a["config"].pop("stem"),
        lambda a: a["config"].update(extra=1),
    ],
)
def test_missing_and_extra_fields_are_refused(tmp_path, change):
    with pytest.raises(CheckpointError, match="another version .*(std|extra|stem)"):
        load_model(altered(tmp_path / "w", lambda about: change(about) and None))


@pytest.mark.parametrize("text", ["", "{", "null", "3", "[]", '"a"', "[" * 100_000, "9" * 5000, '{"a":' * 50_000])
def test_metadata_that_are_no_object_are_refused(tmp_path, text):
    with pytest.raises(CheckpointError, match="says about its model"):
        load_model(altered(tmp_path / "w", lambda about: text or "{"))


@pytest.mark.parametrize("change", [
    dict(blocks=[10**7, 1]), dict(blocks=[10**7] * 50, widths=[1] * 50), dict(widths=[10**9, 1]),
    dict(widths=[3, 10**6]),
    dict(blocks=[10**7, 1], block="preact"), dict(blocks=[10**7, 1], block="plain"), dict(widths=[10**5, 10**5]),
    dict(widths=[10**6, 1], block="bottleneck"), dict(widths=[10**200, 1]),
])  # fmt: skip
def test_nothing_larger_than_the_file_is_built(tmp_path, change):
    path = altered(tmp_path / "w", lambda about: about["config"].update(change))
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="more weights than it holds"):
        load_model(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e6


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    def change(arrays):
        arrays["fc.bias"] = np.array([0, 0, value, 0], np.float64)

    with pytest.raises(CheckpointError, match="not finite numbers: fc.bias"):
        load_model(altered(tmp_path / "w", change_arrays=change))


def test_a_negative_variance_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="bn1.running_var has a variance below 0"):
        load_model(altered(tmp_path / "w", change_arrays=lambda arrays: arrays["bn1.running_var"].fill(-1)))


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.bool_, np.uint16])
def test_weights_that_are_not_floating_point_are_refused(tmp_path, dtype):
    def change(arrays):
        arrays["fc.bias"] = arrays["fc.bias"].astype(dtype)

    with pytest.raises(CheckpointError, match="not floating-point numbers: fc.bias|other than .*: fc.bias"):
        load_model(altered(tmp_path / "w", change_arrays=change))


@pytest.mark.parametrize("dtype, size", [("BF16", 2), ("F8_E4M3", 1), ("F8_E5M2", 1), ("F4", 1), ("C64", 8), ("X9", 4)])
def test_dtypes_that_numpy_lacks_are_refused(tmp_path, dtype, size):
    about = json.dumps(read_about(OLD_FILE))
    header = json.dumps({"__metadata__": {METADATA_KEY: about}, "evil\x1b[2J": {"dtype": dtype, "shape": [8 // size],
                         "data_offsets": [0, 8]}}).encode()  # fmt: skip
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(CheckpointError) as error:
        load_weights(tmp_path / "w", build("resnet8", rng=np.random.default_rng(0)))
    assert dtype in str(error.value) or "damaged" in str(error.value)
    assert "\x1b" not in str(error.value)


def test_the_data_dir_of_a_run_is_remembered(tmp_path):
    assert recorded_data_dir(tmp_path) is None
    for text, expected in [('{"data_dir": "/data"}', "/data"), ('{"data_dir": null}', None), ("[]", None), ("{", None),
                           ('{"data_dir": 3}', None), ('{"data_dir": "a\\u0000"}', None), ("\xff", None)]:  # fmt: skip
        (tmp_path / "config.json").write_text(text, "latin-1")
        assert recorded_data_dir(tmp_path) == recorded_data_dir(tmp_path / "model.safetensors") == expected
