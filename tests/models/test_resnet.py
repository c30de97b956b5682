from dataclasses import replace

import numpy as np
import pytest

from resnet_scratch.errors import UserError
from resnet_scratch.layers import BatchNorm2d, Sequential
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import CONFIGS, NAMES, ResNetConfig, build
from resnet_scratch.models.blocks import BasicBlock
from resnet_scratch.models.resnet import BLOCKS
from resnet_scratch.optim import SGD

rng = np.random.default_rng(0)
COUNTS = {  # torchvision's and the usual CIFAR implementations' parameter counts
    ("resnet20", 10): 269_722, ("resnet56", 10): 853_018, ("resnet110", 10): 1_727_962,
    ("resnet18", 1000): 11_689_512, ("resnet34", 1000): 21_797_672, ("resnet50", 1000): 25_557_032,
    ("resnet101", 1000): 44_549_160, ("resnet152", 1000): 60_192_808,
}  # fmt: skip
IN_THE_PAPER = {"resnet32": 0.46e6, "resnet44": 0.66e6, "resnet1202": 19.4e6}  # He et al. 2015, table 6


def parameters(name, classes=10):
    return sum(parameter.value.size for parameter in build(name, classes, rng=rng).parameters())


@pytest.mark.parametrize("name, classes", COUNTS)
def test_parameter_counts_are_the_known_ones(name, classes):
    assert parameters(name, classes) == COUNTS[name, classes]


@pytest.mark.parametrize("name", IN_THE_PAPER)
def test_parameter_counts_round_to_the_papers(name):
    assert parameters(name) == pytest.approx(IN_THE_PAPER[name], rel=0.01)


@pytest.mark.parametrize("depth", [20, 56])
def test_option_a_costs_no_parameters(depth):
    assert parameters(f"plain{depth}") == parameters(f"resnet{depth}")


def test_names_are_torchvisions():
    model = build("resnet18", rng=rng)
    names = [name for name, _ in model.named_buffers()]
    assert names[:10] == [
        "conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
        "layer1.0.conv1.weight", "layer1.0.bn1.weight", "layer1.0.bn1.bias", "layer1.0.bn1.running_mean",
        "layer1.0.bn1.running_var",
    ]  # fmt: skip
    assert {"layer2.0.downsample.0.weight", "layer4.0.downsample.1.running_var", "fc.weight", "fc.bias"} < set(names)
    assert len(names) == 122 - 20  # torchvision's state dict, without its 20 counters of batches
    names = {name for name, _ in build("resnet50", rng=rng).named_buffers()}
    assert {"layer1.0.downsample.0.weight", "layer3.5.conv3.weight", "layer4.2.bn3.running_mean"} < names
    assert len(names) == 320 - 53


@pytest.mark.parametrize("name", ["resnet8", "plain8", "preact8", "article", "article-relu-after-add"])
def test_a_small_batch_goes_forward_and_back_in_float32(put, name):
    model = put(build(name, 7, rng=rng), np.float32)
    images = put(rng.standard_normal((3, 32, 32, 3)), np.float32)
    logits, cache = model.forward(images, training=True)
    assert logits.shape == (3, 7) and logits.dtype == np.float32
    grad = model.backward(logits, cache)
    assert grad.shape == images.shape and grad.dtype == np.float32
    for _, parameter in model.named_parameters():
        assert parameter.grad.shape == parameter.value.shape
        assert parameter.grad.dtype == parameter.value.dtype == np.float32


def test_the_articles_network_in_both_orders_differs_by_the_last_relu_only():
    before, after = (build(name, rng=np.random.default_rng(3)) for name in ("article", "article-relu-after-add"))
    assert [n for n, _ in before.named_buffers()] == [n for n, _ in after.named_buffers()]
    images = rng.standard_normal((2, 32, 32, 3), np.float32)
    assert not np.allclose(before(images), after(images))


@pytest.mark.parametrize("name, images, size", [("resnet18", 2, 64), ("resnet50", 2, 64), ("resnet110", 2, 32)])
def test_inference_is_the_evaluation_forward(name, images, size):
    model = build(name, rng=rng)
    x = rng.standard_normal((images, size, size, 3), np.float32)
    np.testing.assert_array_equal(model(x), model.forward(x, training=False)[0])


def test_the_same_generator_draws_the_same_weights():
    a, b, c = (build("resnet8", rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    same = [np.array_equal(p.value, q.value) for p, q in zip(a.parameters(), b.parameters())]
    other = [np.array_equal(p.value, q.value) for p, q in zip(a.parameters(), c.parameters()) if p.value.ndim > 1]
    assert all(same) and not any(other)


def test_with_zeroed_scales_every_block_begins_as_its_shortcut():
    config = ResNetConfig("zero", "basic", (2,), (4,), "cifar", "A", 8, zero_init=True)
    model = build(config, rng=rng)
    x = rng.standard_normal((2, 8, 8, 4), np.float32)
    for training in (True, False):
        np.testing.assert_array_equal(model.layer1.forward(x, training)[0], np.maximum(x, 0))


class Nested(BasicBlock):
    """A block with a batch norm of the same name in a layer of its own."""

    last_norm = "bn2"

    def __init__(self, in_channels, width, stride, shortcut, rng):
        super().__init__(in_channels, width, stride, shortcut, rng)
        self.gate = Sequential(bn2=BatchNorm2d(width))


def test_zero_init_zeroes_the_batch_norm_of_that_name_in_the_block_only(monkeypatch):
    rng = np.random.default_rng(0)
    config = ResNetConfig("zero", "nested", (2,), (4,), "cifar", "A", 8, zero_init=True)
    monkeypatch.setitem(BLOCKS, "nested", Nested)
    for last_norm, zeros in (("bn2", {"bn2"}), ("gate.bn2", {"gate.bn2"})):
        monkeypatch.setattr(Nested, "last_norm", last_norm)
        for block in build(config, rng=rng).layer1:
            norms = {name: layer for name, layer in block.named_layers() if isinstance(layer, BatchNorm2d)}
            assert norms.keys() == {"bn1", "bn2", "gate.bn2"}
            assert {name for name, norm in norms.items() if not norm.weight.value.any()} == zeros
    for wrong in ("bn3", "gate", "n2"):
        monkeypatch.setattr(Nested, "last_norm", wrong)
        with pytest.raises(UserError, match=f"last_norm must name a batch norm of the block 'nested', got '{wrong}'"):
            build(config, rng=rng)


@pytest.mark.parametrize("block", ["plain", "preact"])
def test_zeroed_scales_are_refused_where_they_would_cut_the_network(block):
    with pytest.raises(ValueError, match=f"zero_init .* got '{block}'"):
        build(ResNetConfig("zero", block, (1,), (4,), "cifar", "A", 8, zero_init=True), rng=rng)


def test_an_unknown_name_suggests_near_ones():
    with pytest.raises(ValueError, match="no model 'resnet19'; did you mean .*resnet18"):
        build("resnet19", rng=rng)


def test_a_network_needs_a_class():
    for wrong in (0, 2.5):
        with pytest.raises(ValueError, match=f"classes must be a whole number of at least 1, got {wrong}"):
            build("resnet8", wrong, rng=rng)


def test_an_unknown_shortcut_is_refused():
    with pytest.raises(ValueError, match="shortcut must be one of 'A', 'B', got 'C'"):
        build(ResNetConfig("c", "basic", (1, 1), (4, 8), "cifar", "C", 8), rng=rng)


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110, 1202])
def test_cifar_networks_have_the_depth_of_their_name(depth):
    """Layers with weights, shortcuts apart: He et al. 2015, section 4.2, 6n + 2."""
    config = CONFIGS[f"resnet{depth}"]
    assert 2 * sum(config.blocks) + 2 == depth and {f"plain{depth}", f"preact{depth}"} < set(NAMES)


@pytest.mark.parametrize("name", ["resnet8", "article"])
def test_it_can_memorise_sixteen_random_images(put, name):
    model = put(build(name, rng=np.random.default_rng(0)), np.float32)
    images, labels = put(rng.standard_normal((16, 16, 16, 3)), np.float32), put(np.arange(16) % 10, np.int64)
    optimizer = SGD(model.parameters(), momentum=0.9)
    for _ in range(30):
        logits, cache = model.forward(images, training=True)
        loss, grad_logits = softmax_cross_entropy(logits, labels)
        model.backward(grad_logits, cache)
        optimizer.step(0.05)
    assert (logits.argmax(1) == labels).all() and float(loss) < 0.1


@pytest.mark.parametrize("name, last", [("resnet8", "bn2"), ("article", "bn2"), ("resnet50", "bn3")])
def test_zeroed_scales_are_those_of_each_blocks_last_batch_norm(name, last):
    model = build(replace(CONFIGS[name], zero_init=True), rng=rng)
    norms = {n: layer for n, layer in model.named_layers() if isinstance(layer, BatchNorm2d)}
    zeroed = {n for n, norm in norms.items() if not norm.weight.value.any()}
    assert zeroed == {n for n in norms if n.endswith(f".{last}")} and len(zeroed) == sum(model.config.blocks)
