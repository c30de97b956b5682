from dataclasses import replace

import numpy as np
import pytest

from reference import assert_same
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import ResNetConfig, build
from resnet_scratch.models.configs import NAMES, find
from resnet_scratch.optim import SGD


class Zeros:
    """A random generator that draws zeros: for counting, where the values do not matter and there are millions."""

    def standard_normal(self, shape):
        return np.broadcast_to(np.float64(0), shape)

    def uniform(self, low, high, shape):
        return np.broadcast_to(np.float64(0), shape)


def names(model):
    return [name for name, _ in model.named_buffers()]


def train_step(model, x, labels, optimizer, rate):
    logits, cache = model.forward(x, training=True)
    loss, grad_logits = softmax_cross_entropy(logits, labels)
    grad_x = model.backward(grad_logits, cache)
    optimizer.step(rate)
    return logits, loss, grad_x


@pytest.mark.parametrize(
    "name, classes, count",  # as torchvision and the common CIFAR implementations have them
    [
        ("resnet20", 10, 269_722), ("resnet56", 10, 853_018), ("resnet110", 10, 1_727_962),
        ("plain20", 10, 269_722), ("resnet18", 1000, 11_689_512), ("resnet34", 1000, 21_797_672),
        ("resnet50", 1000, 25_557_032), ("resnet101", 1000, 44_549_160), ("resnet152", 1000, 60_192_808),
    ],
)  # fmt: skip
def test_parameter_counts_are_the_known_ones(name, classes, count):
    assert sum(p.value.size for p in build(name, classes, rng=Zeros()).parameters()) == count


@pytest.mark.parametrize(
    "name, millions", [("resnet20", "0.27"), ("resnet32", "0.46"), ("resnet44", "0.66"), ("resnet1202", "19.4")]
)
def test_parameter_counts_are_those_of_the_papers_table_6(name, millions):
    count = sum(p.value.size for p in build(name, rng=Zeros()).parameters())
    assert f"{count / 1e6:.{len(millions.partition('.')[2])}f}" == millions


NORM = ("weight", "bias", "running_mean", "running_var")


def test_resnet18_has_torchvisions_names_in_torchvisions_order():
    expected = ["conv1.weight", *(f"bn1.{n}" for n in NORM)]
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            for k in (1, 2):
                prefix = f"layer{stage}.{block}."
                expected += [f"{prefix}conv{k}.weight", *(f"{prefix}bn{k}.{n}" for n in NORM)]
            if stage > 1 and block == 0:
                expected += [f"{prefix}downsample.0.weight", *(f"{prefix}downsample.1.{n}" for n in NORM)]
    assert names(build("resnet18", rng=Zeros())) == [*expected, "fc.weight", "fc.bias"]


def test_resnet50_has_torchvisions_names_and_shapes():
    shapes = {name: buffer.value.shape for name, buffer in build("resnet50", 1000, rng=Zeros()).named_buffers()}
    known = {  # torchvision's, in our layout
        "conv1.weight": (7, 7, 3, 64), "layer1.0.conv1.weight": (1, 1, 64, 64), "layer1.0.conv3.weight": (1, 1, 64, 256),
        "layer1.0.downsample.0.weight": (1, 1, 64, 256), "layer1.0.downsample.1.running_var": (256,),
        "layer1.2.bn3.running_mean": (256,), "layer3.5.conv2.weight": (3, 3, 256, 256), "layer4.2.bn3.weight": (2048,),
        "layer4.0.downsample.0.weight": (1, 1, 1024, 2048), "fc.weight": (2048, 1000), "fc.bias": (1000,),
    }  # fmt: skip
    assert {name: shapes[name] for name in known} == known
    assert "layer1.1.downsample.0.weight" not in shapes and "layer1.0.conv1.bias" not in shapes


def test_preact_normalises_behind_the_last_block():
    model = build("preact20", rng=Zeros())
    assert [name for name, _ in model.children()] == [
        "conv1", "layer1", "layer2", "layer3", "bn1", "relu", "avgpool", "fc",
    ]  # fmt: skip
    assert model.bn1.channels == 64


@pytest.mark.parametrize("kind", ["resnet", "plain", "preact"])
@pytest.mark.parametrize("depth", [8, 14, 20, 110])
def test_depth_counts_convolutions_and_the_classifier(kind, depth):
    weights = [name for name in names(build(f"{kind}{depth}", rng=Zeros())) if name.endswith(".weight")]
    assert sum("conv" in name for name in weights) + 1 == depth


@pytest.mark.parametrize("name", ["article", "article-relu-after-add", "resnet8", "plain8", "preact8"])
def test_small_networks_run_both_ways_and_move_every_parameter(rng, name):
    model = build(name, rng=rng)
    before = {name: parameter.value.copy() for name, parameter in model.named_parameters()}
    x = rng.standard_normal((4, 32, 32, 3)).astype(np.float32)
    logits, loss, grad_x = train_step(model, x, np.arange(4), SGD(model.parameters()), 0.1)
    assert logits.shape == (4, 10) and grad_x.shape == x.shape and np.isfinite(loss) and np.abs(grad_x).max() > 0
    for parameter_name, parameter in model.named_parameters():
        assert not np.array_equal(parameter.value, before[parameter_name]), parameter_name


def test_the_articles_two_orders_differ_where_they_should(rng):
    """With ReLU before the addition nothing is ever taken away; with ReLU after it the block's output is cut."""
    before, after = (build(name, rng=np.random.default_rng(0)) for name in ("article", "article-relu-after-add"))
    assert names(before) == names(after) and [p.value.shape for p in before.parameters()][0] == (7, 7, 3, 64)
    x = rng.standard_normal((2, 8, 8, 64)).astype(np.float32) - 2
    block = getattr(before.layer1, "0")
    assert (block(x) >= x).all() and (block(x) < 0).any()
    assert (getattr(after.layer1, "0")(x) >= 0).all()


@pytest.mark.parametrize("name", ["resnet8", "resnet18"])
def test_a_training_step_stays_in_float32(rng, name):
    model = build(name, rng=rng)
    optimizer = SGD(model.parameters(), weight_decay=1e-4, nesterov=True)
    x = rng.standard_normal((4, 64, 64, 3)).astype(np.float32)
    found = [*train_step(model, x, np.arange(4), optimizer, 0.01), model(x), *optimizer.velocities]
    found += [buffer.value for _, buffer in model.named_buffers()] + [p.grad for p in model.parameters()]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}


def test_the_same_seed_draws_the_same_weights_and_another_others():
    first, again, other = (build("resnet8", rng=np.random.default_rng(seed)) for seed in (3, 3, 4))
    for a, b in zip(first.parameters(), again.parameters()):
        assert_same(a.value, b.value, 0)
    assert not np.array_equal(first.conv1.weight.value, other.conv1.weight.value)


@pytest.mark.parametrize("name, last", [("resnet8", "bn2"), ("article", "bn2"), ("resnet50", "bn3")])
def test_zero_init_zeroes_the_last_scale_of_each_block_only(name, last):
    model = build(replace(find(name), zero_init=True), rng=Zeros())
    scales = {
        n: p.value.max() for n, p in model.named_parameters() if n.endswith(".weight") and ("bn" in n or "downsample.1" in n)
    }
    zero = {n for n, scale in scales.items() if scale == 0}
    assert zero == {n for n in scales if n.endswith(f".{last}.weight")} and len(zero) == sum(model.config.blocks)
    assert {scales[n] for n in set(scales) - zero} == {1}


@pytest.mark.parametrize("name", ["plain8", "preact8"])
def test_zero_init_is_refused_where_it_would_kill_the_signal(name):
    with pytest.raises(ValueError, match="zero_init needs blocks that end in a batch norm beside a shortcut"):
        build(replace(find(name), zero_init=True), rng=Zeros())


def test_a_configuration_of_ones_own(rng):
    config = ResNetConfig("mine", "bottleneck", (1, 2), (4, 6), "cifar", "B", 8)
    model = build(config, 3, rng=rng)
    assert model(np.zeros((2, 8, 6, 3), np.float32)).shape == (2, 3)
    assert model.config is config and [name for name, _ in model.layer2.children()] == ["0", "1"]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="no model 'resnet19'; did you mean .*resnet18"):
        build("resnet19", rng=Zeros())
    with pytest.raises(ValueError, match="classes must be at least 1, got 0"):
        build("resnet20", 0, rng=Zeros())


@pytest.mark.parametrize("name", NAMES)
def test_every_name_builds_with_any_number_of_classes(name):
    assert build(name, 7, rng=Zeros()).fc.weight.value.shape[1] == 7


def test_resnet8_learns_sixteen_random_images_by_heart(rng):
    model = build("resnet8", rng=rng)
    x, labels = rng.standard_normal((16, 16, 16, 3)).astype(np.float32), rng.integers(0, 10, 16)
    optimizer = SGD(model.parameters())
    losses = [float(train_step(model, x, labels, optimizer, 0.05)[1]) for _ in range(40)]
    assert losses[-1] < 0.05 < 1.5 < losses[0]
    assert (model.forward(x, training=True)[0].argmax(1) == labels).all()
