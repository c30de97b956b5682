# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 07 Building ResNets
#
# A ResNet is a line of configuration and some thirty lines of code that stack blocks. This tutorial goes from the
# line to the network, and then counts: layers, parameters, multiplications, memory, and how much of the image each
# layer sees.
#
# At the end you will be able to
#
# * read a configuration, say how many layers it makes, and write one of your own;
# * count parameters and multiply-adds by hand and find the paper's numbers, from ResNet-20 to ResNet-152;
# * say where a network's parameters are, where its time goes and where its memory (three different places);
# * work out the receptive field of every layer, and measure it with one backward pass.
#
# **Needs:** 01 (convolution), 06 (the residual connection).
# **Time:** 40 minutes to read and try; about 15 seconds to run.

# %%
import inspect
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.insight.receptive import receptive_fields
from resnet_scratch.layers import Conv2d, Linear, Sequential
from resnet_scratch.models import CONFIGS, ResNet, ResNetConfig, build
from resnet_scratch.models.blocks import BasicBlock, Bottleneck
from resnet_scratch.measure.summary import format_summary, summarise

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
STAGE_COLOURS = ("#332288", "#44AA99", "#DDCC77", "#CC6677")

# %% [markdown]
# ## From a line to a network
#
# All that distinguishes one ResNet from another:

# %%
for name in ("resnet20", "resnet110", "resnet18", "resnet152"):
    print(CONFIGS[name])

# %% [markdown]
# Read one: `block` is what is stacked (`"basic"`: two 3x3 convolutions; `"bottleneck"`: three, of 1x1, 3x3 and 1x1);
# `blocks` says how many of it each **stage** has, `widths` how many channels; `stem` is what comes before the first
# stage. Between two stages the image is halved and the channels are doubled.
#
# And this makes a network of it:

# %%
print(inspect.getsource(ResNet.__init__))

# %% [markdown]
# Everything else is inherited: a `ResNet` is a `Sequential` of named layers. Here is the smallest one. (The weights
# come from a random generator that *you* hand in. The same seed makes the same network.)

# %%
model = build("resnet8", classes=10, rng=np.random.default_rng(0))
for name, layer in model.children():
    print(f"{name:8} {type(layer).__name__}")

again = build("resnet8", classes=10, rng=np.random.default_rng(0))
same = all((a.value == b.value).all() for a, b in zip(model.parameters(), again.parameters()))
print("the same seed, the same weights:", same)
assert same, "all randomness comes from the generator"

# %% [markdown]
# One forward pass shows what each layer makes of a 32x32 image. `summarise` runs it and writes everything down.
#
# **Predict** before you look: what is the shape behind `layer2.0.conv1`? Which layer has the most parameters?

# %%
rows = summarise(model, image_size=32)
print(format_summary(rows))

# %% [markdown]
# ## How deep is it?
#
# By custom one counts the layers with weights on the longest way through: convolutions and the linear layer. Batch
# norm does not count, nor do shortcuts. A CIFAR network has one convolution in the stem, three stages of $n$ blocks
# with two convolutions each, and the linear layer: $1 + 3 \cdot 2n + 1 = 6n + 2$ (paper, section 4.2). So the depths
# are 8, 14, 20, 32, 44, 56, 110 ... and there is no ResNet-50 of basic blocks for CIFAR-10.


# %%
def count_layers(model):
    """Convolutions and linear layers, without those on shortcuts."""
    return sum(isinstance(layer, (Conv2d, Linear)) for name, layer in model.named_layers() if "downsample" not in name)


for name in ("resnet8", "resnet20", "resnet110", "resnet18", "resnet50"):
    layers = count_layers(build(name, rng=np.random.default_rng(0)))
    print(f"{name:10} {layers:4} layers, blocks {CONFIGS[name].blocks}")
    assert layers == int(name.removeprefix("resnet")), "the number in the name is the number of layers"

# %% [markdown]
# ## Counting parameters
#
# A convolution with $K \times K$ windows from $C$ to $O$ channels, without a bias, has $K^2 C O$ weights. A batch
# norm has two numbers per channel. (Its running averages are not learned and do not count.) So a basic block that
# keeps its shape has $2 (9 C^2 + 2 C)$. **Predict** for $C = 16$, then compare.

# %%
block = BasicBlock(16, 16, 1, "A", np.random.default_rng(0))
counted = sum(p.value.size for p in block.parameters())
print(f"by the formula {2 * (9 * 16**2 + 2 * 16)}, counted {counted}")
assert counted == 2 * (9 * 16**2 + 2 * 16)

# %% [markdown]
# All of a CIFAR network, with option A and ten classes. Its three stages have 16, 32 and 64 channels:


# %%
def cifar_parameters(n):
    """Parameters of the network with 6n + 2 layers, by hand."""
    total = 9 * 3 * 16 + 2 * 16  # the stem
    channels = 16
    for width in (16, 32, 64):
        for _ in range(n):
            total += 9 * channels * width + 2 * width  # the first convolution of a block, and its batch norm
            total += 9 * width * width + 2 * width  # the second
            channels = width
    return total + 64 * 10 + 10  # the linear layer and its bias


TABLE_6 = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7, 1202: 19.4}  # millions; He et al. 2015, table 6
for depth, paper in TABLE_6.items():
    by_hand = cifar_parameters((depth - 2) // 6)
    counted = sum(p.value.size for p in build(f"resnet{depth}", rng=np.random.default_rng(0)).parameters())
    print(f"ResNet-{depth:<5} by hand {by_hand:>10,}   counted {counted:>10,}   paper {paper} M")
    assert by_hand == counted, "the formula must count what is there"
    assert abs(counted / 1e6 / paper - 1) < 0.03, "and it must be the paper's network"

# %% [markdown]
# ## Counting work
#
# Every number of a convolution's output is a sum of $K^2 C$ products. There are $H' W' O$ such numbers, so the work is
#
# $$ H' W' \cdot O \cdot K^2 C \quad \text{multiply-adds for each image.} $$
#
# The paper calls this FLOPs; others count the multiplication and the addition separately and get twice as much. Batch
# norm, ReLU and additions are left out by custom: they do a few operations per number, not hundreds.
#
# Why are the channels doubled where the image is halved? Compare the layers *within* each stage.

# %%
rows = summarise(build("resnet20", rng=np.random.default_rng(0)), 32)
for row in rows:
    if row.name.endswith(".1.conv2"):
        print(f"{row.name}: output {row.output_shape}, {row.parameters:,} weights, {row.multiply_adds:,} multiply-adds")

# %% [markdown]
# A quarter of the pixels, times twice the channels in, times twice the channels out: the work per layer stays the
# same. That is the paper's second design rule (section 3.3). The parameters grow fourfold each time, and the
# activations, which must be kept in memory for the backward pass, are halved. So the three costs lie in three
# different places:


# %%
def by_stage(rows, field):
    """The sum of a field over each stage: {"layer1": ..., ...}."""
    stages = sorted({row.name.split(".")[0] for row in rows if row.name.startswith("layer")})
    return {stage: sum(getattr(r, field) for r in rows if r.name.startswith(stage)) for stage in stages}


fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.8), layout="constrained", sharey=True)
for ax, (name, size) in zip(axes, (("resnet20", 32), ("resnet50", 224))):
    stage_rows = summarise(build(name, rng=np.random.default_rng(0)), size)
    for k, field in enumerate(("memory", "multiply_adds", "parameters")):
        sums = by_stage(stage_rows, field)
        left = 0.0
        for j, (stage, value) in enumerate(sums.items()):
            share = 100 * value / sum(sums.values())
            ax.barh(k, share, left=left, color=STAGE_COLOURS[j], label=stage if k == 0 else None)
            if share > 8:
                light = j in (0, 3)
                ax.text(left + share / 2, k, f"{share:.0f}", ha="center", va="center", color="w" if light else "k")
            left += share
    ax.set(title=f"{name}, {size}x{size}", xlabel="% of all stages", xlim=(0, 100))
    ax.legend(ncols=4, fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.22), handlelength=1)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_yticks(range(3), ["memory", "multiply-adds", "parameters"])
plt.show()

# %% [markdown]
# Memory at the front, parameters at the back, work spread over all. (ResNet-50 works most in its third stage, which
# has the most blocks.) To fit a network into less memory one looks at the first stage; to make the file of its
# weights smaller, at the last one.
#
# ## The networks for ImageNet
#
# A photograph of 224x224 pixels is too large for a first stage at full size. The stem, a 7x7 convolution with stride
# 2 and a 3x3 max-pool with stride 2, brings it down to 56x56, and four stages follow. From 50 layers on the block is
# the **bottleneck**: 1x1 down to a quarter of the channels, 3x3 there, 1x1 up again. Why? Count.

# %%
rng = np.random.default_rng(0)
two_wide = BasicBlock(256, 256, 1, "B", rng)
bottleneck = Bottleneck(256, 64, 1, "B", rng)
two_narrow = BasicBlock(64, 64, 1, "B", rng)
for label, block in (
    ("two 3x3 convolutions, 256 channels", two_wide),
    ("a bottleneck, 256 channels, 64 inside", bottleneck),
    ("two 3x3 convolutions, 64 channels", two_narrow),
):
    weights = sum(layer.weight.value.size for _, layer in block.named_layers() if isinstance(layer, Conv2d))
    print(f"{label:40} {weights:>9,} weights, as many multiply-adds per pixel")

# %% [markdown]
# The bottleneck hands on 256 channels for the price of a basic block with 64. (For a convolution with stride 1, weights
# and multiply-adds per pixel are the same number. Can you say why?)
#
# Now the paper's table 1. **Predict:** which of these numbers will not fit?

# %%
# multiply-adds in units of 10^9: He et al. 2015, table 1; parameters: torchvision's documentation of its models
TABLE_1 = {"resnet18": 1.8, "resnet34": 3.6, "resnet50": 3.8, "resnet101": 7.6, "resnet152": 11.3}
TORCHVISION = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
}
names = ("resnet18", "resnet50") if FAST else tuple(TABLE_1)
imagenet = {name: summarise(build(name, classes=1000, rng=np.random.default_rng(0)), 224) for name in names}
for name, rows in imagenet.items():
    work, parameters = sum(row.multiply_adds for row in rows) / 1e9, sum(row.parameters for row in rows)
    print(f"{name:10} {parameters:>10,} parameters   {work:6.2f} G multiply-adds   paper {TABLE_1[name]:4} G")
    assert parameters == TORCHVISION[name], "as many parameters as torchvision's network"

# %% [markdown]
# ResNet-18 and 34 fit to two per cent. The networks of bottlenecks take some 0.2 G too much. Here is why: where a
# stage begins, the paper has the stride in the first 1x1 convolution of the block, and we, like torchvision, have it
# in the 3x3. The 1x1 then runs at the full size of the image: four times as many places. Take three quarters of these
# few layers off again:

# %%
for name, rows in imagenet.items():
    if CONFIGS[name].block == "bottleneck":
        at_full_size = [row for row in rows if row.name in ("layer2.0.conv1", "layer3.0.conv1", "layer4.0.conv1")]
        work = sum(row.multiply_adds for row in rows) - 0.75 * sum(row.multiply_adds for row in at_full_size)
        print(f"{name:10} with the stride in the first 1x1: {work / 1e9:6.2f} G, paper {TABLE_1[name]} G")
        assert abs(work / 1e9 / TABLE_1[name] - 1) < 0.02, "now it must be the paper's number"

# %% [markdown]
# A 1x1 convolution with stride 2 looks at one pixel of four and throws the others away, so our version sees more. It is
# known as ResNet v1.5.
#
# ## Memory
#
# While a network trains it keeps, for every parameter, the value, the gradient and the velocity of SGD: three numbers
# of four bytes. And for every image of the batch it keeps what the backward pass will need: the caches. Which is
# more?

# %%
for name, batch in (("resnet20", 128), ("resnet110", 128), ("resnet50", 32)):
    size = CONFIGS[name].image_size
    memory_rows = summarise(build(name, rng=np.random.default_rng(0)), size)
    weights = 3 * 4 * sum(row.parameters for row in memory_rows) / 1e6
    caches = batch * sum(row.memory for row in memory_rows) / 1e6
    print(f"{name:10} batch of {batch:3} at {size}x{size}: {weights:6.1f} MB for weights, {caches:7.1f} MB for caches")

# %% [markdown]
# The caches, by far. That is why a batch that is too large runs out of memory, why inference (which keeps no caches)
# needs so much less, and why some programs throw caches away and compute them again on the way back (Chen et al.
# 2016).
#
# ## What does a layer see? The receptive field
#
# One output number of a 3x3 convolution depends on 3x3 pixels. One of a second such layer depends on 3x3 numbers of
# the first, and so on 5x5 pixels. Work out the size $r$ layer by layer, together with the **jump** $j$, how many
# pixels of the image lie between two neighbours of this layer's output. Before the first layer, $r = 1$ and $j = 1$.
# Then, for a window of $K$ and a stride of $S$:
#
# $$ r \leftarrow r + (K - 1) \, j, \qquad j \leftarrow j \cdot S $$
#
# A window of $K$ reaches over $K - 1$ gaps, and each gap is $j$ pixels wide. **Predict:** three 3x3 convolutions, the
# second with stride 2. How large is the field behind each?

# %%
size, jump = 1, 1
for kernel, stride in ((3, 1), (3, 2), (3, 1)):
    size, jump = size + (kernel - 1) * jump, jump * stride
    print(f"3x3 with stride {stride}: receptive field {size}x{size}, jump {jump}")
assert (size, jump) == (9, 2)

# %% [markdown]
# The library does that along the branches of a whole network (a shortcut sees less: the field of a block is the
# largest of its ways).

# %%
resnet20 = build("resnet20", rng=np.random.default_rng(0))
fields = receptive_fields(resnet20)
for field in fields:
    if field.name == "conv1" or field.name.endswith("2.conv2"):
        print(f"{field.name:16} {field.size:3}x{field.size:<3}  jump {field.jump}")


def convolution_fields(network):
    """The sizes of the receptive fields of all convolutions on the main path."""
    return [field.size for field in receptive_fields(network) if "conv" in field.name]


fig, ax = plt.subplots(figsize=(7.5, 3), layout="constrained")
for name, style in (("resnet8", ":"), ("resnet20", "-"), ("resnet56", "--"), ("resnet18", "-.")):
    sizes = convolution_fields(build(name, rng=np.random.default_rng(0)))
    ax.plot(np.linspace(0, 1, len(sizes)), sizes, style, lw=2, label=name)
ax.axhline(32, color="grey", lw=0.8)
ax.text(0.005, 34, "a 32x32 image", color="grey", fontsize=8)
ax.set(xlabel="where in the network (0: first layer, 1: last)", ylabel="receptive field (pixels)", yscale="log")
ax.set_yticks([3, 10, 32, 100, 300], ["3", "10", "32", "100", "300"])
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Is it so? A backward pass can tell. Send a gradient back from a *single* output pixel: where the gradient at the
# image is not zero, that pixel sees. We do it behind the first two stages of ResNet-20, on images of 96x96 random
# numbers (nothing in the network minds another size).
#
# One thing to think about first: with `training=True` the answer would be "everything". **Why?**


# %%
def seen(layers, images):
    """|gradient| at the images (H, W), summed over images and colours, of one output pixel in the middle."""
    trunk = Sequential(**layers)
    y, cache = trunk.forward(images, training=False)
    grad_y = np.zeros_like(y)
    grad_y[:, y.shape[1] // 2, y.shape[2] // 2] = np.random.default_rng(0).standard_normal(y.shape[3])
    return np.abs(trunk.backward(grad_y, cache)).sum((0, 3))


def extent(gradient):
    """How many rows there are from the first to the last with a gradient."""
    rows = np.flatnonzero(gradient.any(axis=1))
    return int(rows[-1] - rows[0] + 1)


noise = np.random.default_rng(0).standard_normal((8, 96, 96, 3)).astype(np.float32)
children = dict(resnet20.children())
for last, name in (("layer1", "layer1.2.conv2"), ("layer2", "layer2.2.conv2")):
    used = {key: children[key] for key in list(children)[: list(children).index(last) + 1]}
    computed = next(field.size for field in fields if field.name == name)
    measured = extent(seen(used, noise))
    print(f"behind {last}: computed {computed}, measured {measured}")
    assert computed == measured, "the gradient must reach as far as the formula says, and no further"

# %% [markdown]
# (With `training=True` batch norm takes the mean over the whole batch, so every pixel of *every image* has an
# influence, though a small one, on every output.)
#
# Seeing is not the same as caring. Look at how *much* each pixel counts:

# %%
fig, axes = plt.subplots(1, 3, figsize=(8.5, 2.8), layout="constrained", width_ratios=(1, 1, 1.3))
for ax, name, colour, style in zip(axes, ("plain20", "resnet20"), ("#D55E00", "#0072B2"), ("--", "-")):
    network = build(name, rng=np.random.default_rng(0))
    used = {key: layer for key, layer in network.children() if key not in ("layer3", "avgpool", "fc")}
    gradient = seen(used, noise)
    gradient /= gradient.sum()
    ax.imshow(np.sqrt(gradient), cmap="magma")
    ax.set_title(f"{name}, behind layer2", fontsize=9)
    ax.set_axis_off()
    axes[2].plot(gradient.sum(0), style, color=colour, label=name, lw=1.8)
axes[2].set(xlabel="column of the image", title="share of each column")
axes[2].title.set_fontsize(9)
axes[2].legend(frameon=False, fontsize=8)
axes[2].spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# The middle of the field counts most, its rim hardly: there are many ways through the windows to the middle, and one
# to each corner. Luo et al. 2016 call the part that counts the *effective* receptive field. In the residual network
# it is more peaked than in the plain one: the shortcuts carry a pixel straight up, past all windows. (Both are
# untrained here. Training changes this: Luo et al. find that it grows.)
#
# ## A network of your own
#
# To make another network, write another line. Say that it should cost what ResNet-20 does, and be wider or deeper:

# %%
base = CONFIGS["resnet20"]
candidates = [
    base,
    replace(base, name="wide and shallow", blocks=(1, 1, 1), widths=(29, 58, 116)),
    replace(base, name="narrow and deep", blocks=(12, 12, 12), widths=(8, 16, 32)),
    ResNetConfig("bottlenecks", "bottleneck", (3, 3, 3), (15, 30, 60), "cifar", "B", 32),
]
print(f"{'':18} {'layers':>6} {'parameters':>11} {'multiply-adds':>14} {'memory':>8} {'sees':>5}")
for config in candidates:
    network = build(config, rng=np.random.default_rng(0))
    rows = summarise(network, 32)
    parameters, work, memory = (sum(getattr(r, f) for r in rows) for f in ("parameters", "multiply_adds", "memory"))
    print(f"{config.name:18} {count_layers(network):6} {parameters:11,} {work / 1e6:12.1f} M {memory / 1e6:5.2f} MB "
          f"{convolution_fields(network)[-1]:5}")  # fmt: skip

# %% [markdown]
# The same work, and very different parameters, memory and fields. Which one is best is a question for an experiment,
# not for a table: in tutorial 08 you train.
#
# ## Exercises

# %% tags=["task"]
task("7.1")

# %% tags=["task"]
task("7.2")

# %% tags=["task"]
task("7.3")

# %% tags=["task"]
task("7.4")

# %% tags=["task"]
task("7.5")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch, torchvision |
# |---|---|
# | `build("resnet18", classes=1000, rng=rng)` | `torchvision.models.resnet18(num_classes=1000)`; the seed is global |
# | `ResNetConfig.blocks` | the argument `layers` of `torchvision.models.ResNet` |
# | `ResNetConfig.widths` | fixed to 64, 128, 256, 512 (`width_per_group` widens the inside of bottlenecks) |
# | `block.expansion` | `block.expansion` |
# | `build("resnet20")`, for CIFAR-10 | not in torchvision |
# | `summarise` | not in PyTorch itself; the packages `torchinfo`, `fvcore` and others do it |
# | `layer1.0.conv1` | the same name |
#
# ## Sources
#
# * He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition": section 3.3 (design rules), table 1
#   (configurations and FLOPs), figure 5 (bottleneck), section 4.2 (6n + 2), table 6 (parameters).
# * torchvision's documentation of `resnet18` to `resnet152`: numbers of parameters; its note on the bottleneck's
#   stride.
# * Araujo, Norris, Sim 2019, "Computing Receptive Fields of Convolutional Neural Networks", Distill: the recurrence.
# * Luo, Li, Urtasun, Zemel 2016, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks".
# * Chen, Xu, Zhang, Guestrin 2016, "Training Deep Nets with Sublinear Memory Cost".
#
# Next, in 08, the network is trained: five steps, and how to see what goes wrong in them.
