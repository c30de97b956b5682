"""Networks recognised by names and shapes. The names are torchvision's, written by hand; no torch is needed."""

import numpy as np
import pytest

from resnet_scratch.models import CONFIGS, ResNetConfig, build
from resnet_scratch.models.recognise import UnknownNetworkError, recognise, torchvision_names
from resnet_scratch.models.torch_layout import to_torch


def norm(name, channels):
    return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}


def torchvision_resnet18():
    """Names and shapes as `torchvision.models.resnet18().state_dict()` has them."""
    shapes, channels = {"conv1.weight": (64, 3, 7, 7), **norm("bn1", 64)}, 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        for k in (0, 1):
            block = f"layer{stage}.{k}"
            shapes |= {f"{block}.conv1.weight": (width, channels, 3, 3), **norm(f"{block}.bn1", width)}
            shapes |= {f"{block}.conv2.weight": (width, width, 3, 3), **norm(f"{block}.bn2", width)}
            if channels != width:
                shapes |= {f"{block}.downsample.0.weight": (width, channels, 1, 1)}
                shapes |= norm(f"{block}.downsample.1", width)
            channels = width
    return {**shapes, "fc.weight": (1000, 512), "fc.bias": (1000,)}


def test_torchvision_s_resnet18():
    assert recognise(torchvision_resnet18()) == CONFIGS["resnet18"]


AMBIGUOUS = {"article", *(name for name in CONFIGS if name.startswith("plain"))}  # they share arrays with others
LARGE = {"resnet1202", "preact1202"}


@pytest.mark.parametrize("name", sorted(CONFIGS.keys() - AMBIGUOUS - LARGE))
def test_every_network_with_arrays_of_its_own_is_recognised(name):
    arrays = build(name, 7, rng=np.random.default_rng(0)).named_buffers()
    assert recognise({key: to_torch(buffer.value).shape for key, buffer in arrays}) == CONFIGS[name]


def test_a_network_that_is_not_in_the_table_is_described():
    shapes = torchvision_resnet18()
    shapes["conv1.weight"] = (64, 3, 3, 3)  # as kuangliu/pytorch-cifar has it
    widths, blocks = (64, 128, 256, 512), (2, 2, 2, 2)
    assert recognise(shapes) == ResNetConfig("resnet18-cifar-64-B", "basic", blocks, widths, "cifar", "B", 32)


def test_names_become_torchvision_s():
    theirs = {"module.linear.bias": 1, "module.layer1.0.shortcut.0.weight": 2, "module.bn1.num_batches_tracked": 3}
    assert torchvision_names(theirs) == {"fc.bias": 1, "layer1.0.downsample.0.weight": 2}
    assert torchvision_names({}) == {}


@pytest.mark.parametrize("name, shape, message", [
    ("conv1.weight", (64, 3, 5, 5), "conv1.weight must be a 3x3, a 4x4 or a 7x7"),
    ("conv1.weight", (), "conv1.weight must be a 3x3, a 4x4 or a 7x7"),
    ("conv1.weight", (32, 3, 3, 3), r"conv1.weight must have the shape \(64, 3, 3, 3\), got \(32, 3, 3, 3\)"),
    ("layer2.1.conv2.weight", (128, 4, 3, 3), r"layer2.1.conv2.weight must have the shape \(128, 128, 3, 3\)"),
    ("layer2.0.conv2.weight", (), "layer2.0.conv2.weight must have the shape"),
    ("layer2.0.conv2.weight", (10**6, 128, 3, 3), "layer2.0.conv2.weight must have the shape"),
    ("layer2.7.conv2.weight", (128, 128, 3, 3), "layer2.2.conv2.weight is missing"),
    ("layer6.0.conv2.weight", (128, 128, 3, 3), "layer5.0.conv2.weight is missing; a ResNet.s stages"),
    ("layer05.0.conv2.weight", (512, 512, 3, 3), "layer5.0.conv2.weight must have the shape"),
    ("fc.weight", (1000, 500), r"fc.weight must have the shape \(1000, 512\)"),
    ("fc.weight", (), "fc.weight must have the shape"),
])  # fmt: skip
def test_what_cannot_be_built_is_refused_before_anything_is_built(name, shape, message):
    with pytest.raises(UnknownNetworkError, match=message):
        recognise({**torchvision_resnet18(), name: shape})


def test_a_stage_that_is_missing_is_named():
    shapes = {name: shape for name, shape in torchvision_resnet18().items() if not name.startswith("layer2.")}
    with pytest.raises(UnknownNetworkError, match="layer2.0.conv2.weight is missing"):
        recognise(shapes)


def test_what_is_no_resnet_is_refused():
    with pytest.raises(UnknownNetworkError, match="got features.0.weight, features.0.bias, fc.bias and 1 more"):
        recognise({"features.0.weight": (1,), "features.0.bias": (1,), "fc.bias": (1,), "fc.weight": (1,)})
    with pytest.raises(UnknownNetworkError, match="got none"):
        recognise({})


def test_one_array_under_two_names_is_refused():
    message = "two arrays would have the same name, such as linear.weight and fc.weight"
    with pytest.raises(UnknownNetworkError, match=message):
        torchvision_names({"fc.weight": np.ones((2, 3)), "linear.weight": np.zeros((2, 3))})
