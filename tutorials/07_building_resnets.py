# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 07 Building ResNets
#
# A ResNet is described by one line of configuration, and some thirty lines of code stack its blocks. In this tutorial
# you go from the line to the network. Then you count: layers, parameters, multiply-adds, memory, and how much of the
# image each layer sees.
#
# By the end you will be able to
#
# * read a configuration, say how many layers it has, and write your own;
# * count parameters and multiply-adds by hand, and reproduce the paper's numbers from ResNet-20 to ResNet-152;
# * say where in a network the parameters, the work and the memory are (the three are spread differently);
# * compute the receptive field of every layer, and measure it with one backward pass.
#
# **Needs:** 01 (convolution), 06 (the residual connection).
# **Time:** 40 minutes to read, about 15 seconds to run; 70 minutes for the tasks.

# %%
import inspect
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.figures.architecture import draw_architecture
from resnet_scratch.figures.costs import draw_fields, draw_seen, draw_shares
from resnet_scratch.insight.receptive import receptive_fields
from resnet_scratch.layers import Conv2d, Linear, Sequential
from resnet_scratch.measure.summary import format_summary, summarise
from resnet_scratch.models import CONFIGS, ResNet, ResNetConfig, build
from resnet_scratch.models.blocks import BasicBlock, Bottleneck

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests

# %% [markdown]
# ## From a line to a network
#
# These lines contain everything that distinguishes one ResNet from another:

# %%
for name in ("resnet20", "resnet110", "resnet18", "resnet152"):
    print(CONFIGS[name])

# %% [markdown]
# `block` is what is stacked: a `"basic"` block has two 3x3 convolutions, a `"bottleneck"` has three convolutions of
# 1x1, 3x3 and 1x1. `blocks` is the number of blocks in each **stage**, and `widths` is the number of channels of the
# 3x3 convolutions in each stage; a bottleneck's output has four times as many. `stem` is what comes before the first
# stage. From one stage to the next, the height and width of the image are halved and the channels are doubled.
#
# This code turns a configuration into a network. (`expansion` is 4 for bottlenecks and 1 for other blocks. `norm_first`
# is true for the pre-activation blocks of 06. With these, the stem's batch norm and ReLU move to after the last block.)

# %%
print(inspect.getsource(ResNet.__init__))

# %% [markdown]
# The next cell draws what it builds for ResNet-20, the smallest network that the paper trains on CIFAR-10. **Predict,
# then run:** what is the shape of the output of each stage, for an image of 32x32 pixels?

# %%
draw_architecture(build("resnet20", classes=10, rng=np.random.default_rng(0)))
plt.show()

# %% [markdown]
# Read it row by row. A box gives the window of a convolution, its number of channels, and "/2" if its stride is 2. The
# green line over a block is its shortcut: solid for the identity, dashed where the shape changes. The cuboids on the
# right show the output of each row, with its height, width and channels to scale. From row to row, the output gets
# smaller and deeper.
#
# Everything else is inherited: a `ResNet` is a `Sequential` of named layers. Here is ResNet-8, the smallest one in this
# library. Its weights are drawn by a random generator that *you* pass in, so the same seed gives the same network.

# %%
model = build("resnet8", classes=10, rng=np.random.default_rng(0))
for name, layer in model.children():
    print(f"{name:8} {type(layer).__name__}")

again = build("resnet8", classes=10, rng=np.random.default_rng(0))
same = all((a.value == b.value).all() for a, b in zip(model.parameters(), again.parameters()))
print("the same seed gives the same weights:", same)
assert same, "all randomness comes from the generator"

# %% [markdown]
# **Predict, then run.** The next cell sends one 32x32 image through the network and prints the shape after each layer.
# What is the shape after `layer2.0.conv1`? Which layer has the most parameters? (The last column is the memory that a
# layer's cache adds. A convolution keeps only its input, which is there anyway, so it adds nothing.)

# %%
rows = summarise(model, image_size=32)
print(format_summary(rows))
shapes = {row.name: row.output_shape for row in rows}
assert shapes["layer2.0.conv1"] == (16, 16, 32), "half of the height and width, twice the channels"
assert max(rows, key=lambda row: row.parameters).name == "layer3.0.conv2", "64 channels in, 64 channels out"

# %% [markdown]
# ## How deep is it?
#
# The depth of a network is, by convention, the number of layers with weights on the longest path through it:
# convolutions and linear layers. Batch norms do not count, and neither do the convolutions of shortcuts. Every network
# has one convolution in its stem (7x7 for ImageNet, 3x3 for CIFAR-10) and one linear layer at its end. (The library
# also has a stem of 4x4 patches: see 10.)

# %% tags=["task"]
task("7.1")

# %% [markdown]
# A CIFAR network has three stages of $n$ basic blocks, so its depth is $1 + 3 \cdot 2n + 1 = 6n + 2$ (paper, section
# 4.2). The paper uses $n = 3, 5, 7, 9, 18$ and 200, which gives depths of 20, 32, 44, 56, 110 and 1202. Depths of 26,
# 38 or 50 are possible too; the paper just skips them.


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
# A convolution with $K \times K$ windows, $C$ input channels and $O$ output channels has $K^2 C O$ weights if it has no
# bias. A batch norm learns two numbers per channel. (Its running averages are not learned, so they do not count.)

# %% tags=["task"]
task("7.2")

# %% [markdown]
# A basic block that keeps its shape has $2\,(9 C^2 + 2 C)$ parameters. Compute this for $C = 16$, then compare.

# %%
block = BasicBlock(16, 16, 1, "A", np.random.default_rng(0))
counted = sum(p.value.size for p in block.parameters())
print(f"by the formula {2 * (9 * 16**2 + 2 * 16)}, counted {counted}")
assert counted == 2 * (9 * 16**2 + 2 * 16) == 4672

# %% [markdown]
# The same for a whole CIFAR network, with option A and ten classes. Its three stages have 16, 32 and 64 channels:


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
for layers, paper in TABLE_6.items():
    by_hand = cifar_parameters((layers - 2) // 6)
    counted = sum(p.value.size for p in build(f"resnet{layers}", rng=np.random.default_rng(0)).parameters())
    print(f"ResNet-{layers:<5} by hand {by_hand:>10,}   counted {counted:>10,}   paper {paper} M")
    assert by_hand == counted, "the formula and the network must agree"
    assert abs(counted / 1e6 / paper - 1) < 0.03, "and it must be the paper's network"

# %% [markdown]
# ## Counting multiply-adds
#
# A convolution spends its time on multiplications, each followed by an addition. So the usual measure of a
# network's cost is the number of these *multiply-adds* for one image.

# %% tags=["task"]
task("7.3")

# %% [markdown]
# Each number in a convolution's output is a sum of $K^2 C$ products, and there are $OH \cdot OW \cdot O$ such numbers.
# So the cost is
#
# $$ OH \cdot OW \cdot O \cdot K^2 C \quad \text{multiply-adds per image.} $$
#
# The paper calls this number FLOPs. Others count the multiplication and the addition separately and get twice as much.
# Batch norm, ReLU and the residual addition are left out by convention, because they take a few operations per number
# and not hundreds.
#
# Why are the channels doubled where the image is halved? Compare one layer of each stage:

# %%
rows = summarise(build("resnet20", rng=np.random.default_rng(0)), 32)
for row in rows:
    if row.name.endswith(".1.conv2"):
        print(f"{row.name}: output {row.output_shape}, {row.parameters:,} weights, {row.multiply_adds:,} multiply-adds")
work = [row.multiply_adds for row in rows if row.name.endswith(".1.conv2")]
assert work[0] == work[1] == work[2], "each stage does the same work per layer"

# %% [markdown]
# Each stage has a quarter of the pixels of the stage before, twice the input channels and twice the output channels, so
# the cost per layer stays the same. This is the paper's second design rule (section 3.3). The parameters grow fourfold
# from stage to stage. The activations, which the backward pass needs, are halved. So the three costs are spread over
# the stages in three different ways:

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.8), layout="constrained", sharey=True)
stage_rows = summarise(build("resnet50", rng=np.random.default_rng(0)), 224)
draw_shares(axes[0], rows, "resnet20, 32x32")
draw_shares(axes[1], stage_rows, "resnet50, 224x224")
plt.show()

# %% [markdown]
# Most of the memory is in the first stages, most of the parameters are in the last one, and the work is spread over all.
# (ResNet-50 works hardest in its third stage, which has the most blocks.) To fit a network into less memory, look at its
# first stage. To make its file of weights smaller, look at its last stage.
#
# ## The networks for ImageNet
#
# An image of 224x224 pixels is too large for a first stage at full resolution. The stem, a 7x7 convolution with stride 2
# and a 3x3 max-pooling layer with stride 2, reduces it to 56x56. Four stages follow. This is ResNet-18:

# %%
draw_architecture(build("resnet18", classes=1000, rng=np.random.default_rng(0)))
plt.show()

# %% [markdown]
# From 50 layers on, the block is the **bottleneck**: a 1x1 convolution reduces the channels to a quarter, a 3x3
# convolution works on these, and another 1x1 convolution expands them again. Apart from the third convolution, its
# batch norm and the ReLU before it, the forward pass is that of the basic block:

# %%
print(inspect.getsource(Bottleneck.forward))

# %% [markdown]
# Why these three? Count:

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
# The bottleneck handles 256 channels for the price of a basic block with 64. (For a convolution with stride 1, the number
# of weights equals the number of multiply-adds per pixel. Can you say why?)
#
# Now compare our multiply-adds with the paper's table 1. **Predict, then run:** for which networks will they not agree:
# those with basic blocks (18 and 34 layers), or those with bottlenecks (50 and more)?

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
# ResNet-18 and 34 agree with the paper to within two per cent. The networks with bottlenecks need 0.2 to 0.3 billion
# multiply-adds more than the paper says. Most of that comes from the first block of each stage but the first. The paper
# gives the stride to its first 1x1 convolution; this library and torchvision give it to the 3x3 convolution. Our first
# 1x1 convolution then runs at full resolution, at four times as many positions. Subtract three quarters of its cost:

# %%
for name, rows in imagenet.items():
    if CONFIGS[name].block == "bottleneck":
        at_full_size = [row for row in rows if row.name in ("layer2.0.conv1", "layer3.0.conv1", "layer4.0.conv1")]
        work = sum(row.multiply_adds for row in rows) - 0.75 * sum(row.multiply_adds for row in at_full_size)
        print(f"{name:10} with the stride in the first 1x1: {work / 1e9:6.2f} G, paper {TABLE_1[name]} G")
        assert abs(work / 1e9 / TABLE_1[name] - 1) < 0.02, "now it must be the paper's number"

# %% [markdown]
# A 1x1 convolution with stride 2 looks at one pixel in four and ignores the others, so our version sees more. It is
# known as ResNet v1.5.
#
# ## Memory
#
# During training, a network keeps three numbers for every parameter: the value, the gradient, and the velocity, which is
# SGD's running sum of gradients (08). Each takes four bytes. For every image of the batch it also keeps the caches of
# all layers, which the backward pass will need. **Predict, then run.** Which takes more memory?

# %%
for name, batch in (("resnet20", 128), ("resnet110", 128), ("resnet50", 32)):
    size = CONFIGS[name].image_size
    memory_rows = summarise(build(name, rng=np.random.default_rng(0)), size)
    weights = 3 * 4 * sum(row.parameters for row in memory_rows) / 1e6
    caches = batch * sum(row.memory for row in memory_rows) / 1e6
    print(f"{name:10} batch of {batch:3} at {size}x{size}: {weights:6.1f} MB for values, gradients and velocities, "
          f"{caches:7.1f} MB for caches")  # fmt: skip
    assert caches > 5 * weights, "the caches take most of the memory"

# %% [markdown]
# The caches, by far. That is why training runs out of memory if the batch is too large, and why inference, which keeps
# no caches, needs so much less. Some programs discard caches and recompute them in the backward pass (Chen et al. 2016).
#
# ## What does a layer see? The receptive field
#
# One output of a 3x3 convolution depends on 3x3 pixels of its input. One output of a second such layer depends on 3x3
# outputs of the first, and these overlap, so it depends on 5x5 pixels. This region is the **receptive field**. A stride
# makes it grow faster: after a layer with stride 2, neighbouring outputs are two pixels apart.

# %% tags=["task"]
task("7.4")

# %% [markdown]
# The usual way is to compute two numbers layer by layer: the size $r$ of the field and the **jump** $j$, the distance
# in pixels between neighbouring outputs. Before the first layer, $r = 1$ and $j = 1$. Then, for a window of size $K$ and
# a stride $s$,
#
# $$ r \leftarrow r + (K - 1) \, j, \qquad j \leftarrow j \cdot s. $$
#
# A window of size $K$ has $K - 1$ gaps between its elements, and each gap is $j$ pixels wide. **Predict, then run.** What
# are the fields after each of three 3x3 convolutions, if the second has stride 2?

# %%
size, jump = 1, 1
for kernel, stride in ((3, 1), (3, 2), (3, 1)):
    size, jump = size + (kernel - 1) * jump, jump * stride
    print(f"3x3 with stride {stride}: receptive field {size}x{size}, jump {jump}")
assert (size, jump) == (9, 2)

# %% [markdown]
# The library does this for a whole network. Where paths join, as in a residual block, the largest field counts; the
# shortcut sees less than the branch.

# %%
resnet20 = build("resnet20", rng=np.random.default_rng(0))
fields = receptive_fields(resnet20)
for field in fields:
    if field.name == "conv1" or field.name.endswith("2.conv2"):
        print(f"{field.name:16} {field.size:3}x{field.size:<3}  jump {field.jump}")


def convolution_fields(network):
    """The sizes of the receptive fields of all convolutions on the main path."""
    return [field.size for field in receptive_fields(network) if "conv" in field.name]


names = ("resnet8", "resnet20", "resnet56", "resnet18")
draw_fields({name: convolution_fields(build(name, rng=np.random.default_rng(0))) for name in names}, image_size=32)
plt.show()

# %% [markdown]
# Is the formula right? A backward pass can tell you. Send back a gradient from a *single* position of the output. That
# position sees the pixels where the gradient with respect to the image is not zero. The next cell does this after the
# first two stages of ResNet-20, with random images of 96x96 pixels. (The network accepts images of any size.)
#
# Before you run it: why would `training=True` make every pixel count?


# %%
def seen(layers, images):
    """|gradient with respect to the images| (H, W), summed over images and colours, of one position in the middle."""
    trunk = Sequential(**layers)
    y, cache = trunk.forward(images, training=False)
    grad_y = np.zeros_like(y)
    grad_y[:, y.shape[1] // 2, y.shape[2] // 2] = np.random.default_rng(0).standard_normal(y.shape[3])
    return np.abs(trunk.backward(grad_y, cache)).sum((0, 3))


def extent(gradient):
    """The number of rows from the first to the last that has a gradient."""
    rows = np.flatnonzero(gradient.any(axis=1))
    return int(rows[-1] - rows[0] + 1)


noise = np.random.default_rng(0).standard_normal((8, 96, 96, 3)).astype(np.float32)
children = dict(resnet20.children())
for last, name in (("layer1", "layer1.2.conv2"), ("layer2", "layer2.2.conv2")):
    used = {key: children[key] for key in list(children)[: list(children).index(last) + 1]}
    computed = next(field.size for field in fields if field.name == name)
    measured = extent(seen(used, noise))
    print(f"after {last}: computed {computed}, measured {measured}")
    assert computed == measured, "the gradient must reach as far as the formula says, and no further"

# %% [markdown]
# (With `training=True`, batch norm uses the mean over the whole batch. Then every pixel of *every image* influences every
# output a little.)
#
# Being inside the receptive field is not the same as being important. Here is how *much* each pixel counts:

# %%
gradients = {}
for name in ("plain20", "resnet20"):
    network = build(name, rng=np.random.default_rng(0))
    used = {key: layer for key, layer in network.children() if key not in ("layer3", "avgpool", "fc")}
    gradients[name] = seen(used, noise)
draw_seen(gradients)
plt.show()


def share_of_middle(gradient):
    """The share of the 9x9 pixels around the position with the largest gradient."""
    row, column = np.unravel_index(gradient.argmax(), gradient.shape)
    return gradient[row - 4 : row + 5, column - 4 : column + 5].sum() / gradient.sum()


shares = {name: share_of_middle(gradient) for name, gradient in gradients.items()}
print({name: f"{share:.0%} of the gradient in the middle 9x9 pixels" for name, share in shares.items()})
assert shares["resnet20"] > shares["plain20"], "the residual network's gradient is more concentrated"

# %% [markdown]
# The middle of the field counts most and its rim hardly at all: many paths lead through the windows to the middle, and
# only one leads to each corner. Luo et al. 2016 call the part that counts the *effective* receptive field. In the
# residual network it is more concentrated than in the plain one, because the shortcuts carry a pixel straight up, past
# all windows. (Both networks are untrained. Luo et al. find that the effective field grows during training.)
#
# ## A network of your own
#
# To make another network, write another configuration. Here are three that cost as much as ResNet-20 but are wider,
# deeper, or made of bottlenecks:

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
    parameters = sum(row.parameters for row in rows)
    work, memory = sum(row.multiply_adds for row in rows), sum(row.memory for row in rows)
    print(f"{config.name:18} {count_layers(network):6} {parameters:11,} {work / 1e6:12.1f} M {memory / 1e6:5.2f} MB "
          f"{convolution_fields(network)[-1]:5}")  # fmt: skip

# %% [markdown]
# They do about the same work with about as many parameters, but their depths, memory and receptive fields are very
# different. Which one is best is a question for an experiment: in tutorial 08 you train. First, design one yourself.

# %% tags=["task"]
task("7.5")

# %% [markdown]
# ## Questions to think about
#
# <details><summary>For a convolution with stride 1, and padding that keeps the size, why is the number of weights equal
# to the number of multiply-adds per pixel?</summary>
#
# At each output position, every weight of every kernel is used exactly once.
#
# </details>
#
# <details><summary>You double all widths of a network. What happens to its parameters, its multiply-adds, and the memory
# of its caches?</summary>
#
# The weights of a convolution are $K^2 C O$, so parameters and multiply-adds grow about fourfold (the first layer, with
# its 3 input channels, and the classifier, with its fixed number of classes, only twofold). The caches have one number
# per pixel and channel, so they double.
#
# </details>
#
# <details><summary>The last convolution of ResNet-56 has a receptive field far larger than a 32x32 image. Are its last
# layers wasted?</summary>
#
# No. A larger field is one thing that a layer adds, but each layer also computes a further function of what it sees. And
# the effective field is much smaller than the theoretical one.
#
# </details>
#
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
# Next: [08 Training](08_training.py), the five steps, and how to see what goes wrong in them.
