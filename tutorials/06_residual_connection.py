# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 06 The residual connection
#
# One addition made networks of a hundred layers trainable. This tutorial takes that addition apart: what it computes,
# what its gradient is, and why the place of one ReLU beside it matters more than it looks.
#
# At the end you will be able to
#
# * walk through the seven steps of a residual block, forward and backward, and say what each does to the numbers;
# * derive the gradient of $y = x + F(x)$ and show that it is there even when $F$ is shut;
# * fit a shortcut where the shape changes (the paper's options A and B), and say what each costs;
# * put the last ReLU before the addition, after it, or at the start of the branch, and predict what that does to a
#   signal over many blocks.
#
# **Needs:** 02 (convolution backward), 03 (gradient checking), 04 (batch norm), 05 (ReLU).
# **Time:** 45 minutes to read and try; about 10 seconds to run.

# %%
import inspect
import math

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.data import load, normalise
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import Add, BatchNorm2d, Conv2d, ReLU, Sequential, SubsamplePad
from resnet_scratch.layers.residual import add_gradients
from resnet_scratch.models.blocks import BasicBlock, PlainBlock, make_shortcut
from resnet_scratch.models.variants import PreActBlock, ReluBeforeAddBlock

# %% [markdown]
# ## The idea: learn the change, not the result
#
# A plain block computes $y = F(x)$. If the best thing that it could do is to leave $x$ alone, its weights have to
# find the identity, through two convolutions and a ReLU. A residual block computes
#
# $$ y = x + F(x) $$
#
# where leaving $x$ alone means $F = 0$. **Predict:** set the last batch norm's scale to zero in a plain block and in a
# residual block. What comes out of each?

# %%
x = np.maximum(np.random.default_rng(0).standard_normal((2, 4, 4, 3)), 0)  # >= 0, as behind a ReLU
for block_class in (PlainBlock, BasicBlock):
    block = block_class(3, 3, 1, "A", np.random.default_rng(1)).astype(np.float64)
    block.bn2.weight.value[:] = 0
    y, _ = block.forward(x, training=True)
    print(f"{block_class.__name__:10}  y is all zero: {not y.any()},  y equals x: {np.array_equal(y, x)}")

# %% [markdown]
# The plain block has forgotten its input. The residual block hands it on, and from there it can learn small changes.
# (Some recipes begin like this on purpose: Goyal et al. 2017, section 5.1. `ResNetConfig(zero_init=True)` does it
# here.)
#
# ## The gradient, in one dimension
#
# Take numbers in place of images, and a branch of two weights with a ReLU between them:
#
# $$ y = x + a \cdot \mathrm{relu}(b x), \qquad
#    \frac{dy}{dx} = 1 + \begin{cases} ab & bx > 0 \\ 0 & \text{otherwise} \end{cases} $$
#
# **Predict:** $x = 2$, $a = 3$, once with $b = 0.5$ and once with $b = -0.5$. What are $y$ and $dy/dx$? And what
# would they be without the shortcut?


# %%
def residual(x, a, b):
    """One number through one residual block."""
    return x + a * max(b * x, 0.0)


h = 1e-6
for b in (0.5, -0.5):
    y = residual(2.0, 3.0, b)
    slope = (residual(2.0 + h, 3.0, b) - residual(2.0 - h, 3.0, b)) / (2 * h)
    print(f"b = {b:4}:  y = {y},  dy/dx = {slope:.4f},  without the shortcut y = {y - 2.0}, dy/dx = {slope - 1:.4f}")
    assert math.isclose(slope, 1 + 3.0 * max(b, 0), rel_tol=1e-6), "the slope must be 1 + ab where the ReLU is open"

# %% [markdown]
# In the second line the ReLU is shut. Without the shortcut nothing would get through, in either direction. With it, the
# signal and the gradient pass as if the block were not there.
#
# ## The addition as a layer
#
# Here is all of it, from the library.

# %%
print(inspect.getsource(Add.forward))
print(inspect.getsource(Add.backward))

# %% [markdown]
# Why is the backward one line? Write $y_i = f_i + s_i$ for every number $i$ of the branch $f$ and the shortcut $s$.
# Then $\partial L / \partial f_i = \partial L / \partial y_i$, and the same for $s_i$: each gets the whole gradient.
# It is not shared out between the two. And where $x$ goes two ways forward, into the branch and into the shortcut,
# its gradient is the **sum** of what comes back from both:
#
# $$ \frac{\partial L}{\partial x} =
#    \underbrace{\frac{\partial L}{\partial y}}_{\text{shortcut}} +
#    \underbrace{J_F^T \, \frac{\partial L}{\partial y}}_{\text{branch}}
#    = (I + J_F)^T \, \frac{\partial L}{\partial y} $$
#
# where $J_F$ is the matrix of all derivatives of $F$. Two rules to remember: *a sum forward copies backward; a copy
# forward sums backward.*

# %%
grad_y = np.array([[1.0, -2.0]])
grad_branch, grad_shortcut = Add().backward(grad_y, grad_y.shape)
print(grad_branch, grad_shortcut, "one and the same array:", grad_branch is grad_shortcut)

# %% [markdown]
# One and the same array: no copy is made. That is fast, and it has a price, which is a rule of this library: **a
# backward must not change `grad_y`.** Let us break it and see. This batch norm writes its result over the gradient it
# was handed.
#
# **Predict:** which gradients of the block will be wrong?


# %%
class CarelessBatchNorm(BatchNorm2d):
    """Right numbers, wrong place: overwrites its grad_y."""

    def backward(self, grad_y, cache):
        grad_y[...] = super().backward(grad_y, cache)
        return grad_y


rng = np.random.default_rng(0)
block = BasicBlock(3, 3, 1, "A", rng)
block.bn2 = CarelessBatchNorm(3)
x = rng.standard_normal((2, 4, 5, 3))
report = gradcheck(block.astype(np.float64), x)
print(report)
assert not report, "this mistake must not pass"

# %% [markdown]
# Every parameter of the block has the right gradient. The one at the *input* is wrong: by the time that the
# shortcut's gradient was to be added, the batch norm had written over it. The block's own check shows it; the check
# of the batch norm alone does too, because `gradcheck` looks whether the gradient that it handed in came back
# changed:

# %%
careless = gradcheck(CarelessBatchNorm(3).astype(np.float64), x)
print(careless.tensors[0])
assert "in place" in careless.tensors[0].problem

# %% [markdown]
# ## The seven steps of a block
#
# convolution, batch norm, ReLU, convolution, batch norm, addition, ReLU. The code says exactly that. Each step hands
# back its output and its cache, and the block's own cache is the tuple of them.

# %%
print(inspect.getsource(BasicBlock.forward))

# %% [markdown]
# Let us take the steps one at a time, with 32 pictures of the built-in data set. The first layers of a network make
# channels out of colours; here a convolution with 16 filters, batch norm and ReLU do.

# %%
shapes = load()
images = normalise(shapes.test_images[:32, ::2, ::2], shapes.mean, shapes.std)  # (32, 16, 16, 3): every other pixel
rng = np.random.default_rng(0)
stem = Sequential(Conv2d(3, 16, 3, padding=1, bias=False, rng=rng), BatchNorm2d(16), ReLU())
x, _ = stem.forward(images, training=True)
block = BasicBlock(16, 16, 1, "A", rng)

steps = [("x", x)]
for name in ("conv1", "bn1", "relu1", "conv2", "bn2"):
    h, _ = getattr(block, name).forward(steps[-1][1], training=True)
    steps.append((name, h))
steps.append(("add", block.add.forward(steps[-1][1], x)[0]))
steps.append(("relu2", block.relu2.forward(steps[-1][1])[0]))

print(f"{'':6} {'shape':18} {'mean':>6} {'std':>6} {'min':>6} {'negative':>9}")
for name, h in steps:
    print(f"{name:6} {str(h.shape):18} {h.mean():6.2f} {h.std():6.2f} {h.min():6.2f} {(h < 0).mean():9.0%}")
assert np.array_equal(steps[-1][1], block.forward(x, training=True)[0]), "the seven steps are the block"

# %% [markdown]
# Read down the table. Batch norm brings every channel to mean 0 and standard deviation 1, so half of what it hands on
# is negative. The addition puts $x \ge 0$ on top, so its mean is that of $x$; what is still negative the last ReLU
# cuts off, and the mean goes up. Hold on to that: the mean goes up at every block.
#
# And here is one image on its way: what is $x$, what the branch adds to it, and what comes out.

# %%
values = dict(steps)
image, channel = 1, int(np.argmax(x[1].std((0, 1))))
fig, axes = plt.subplots(1, 4, figsize=(8, 2.4), layout="constrained")
axes[0].imshow(shapes.test_images[image])
axes[0].set_title("image", fontsize=9)
limit = float(np.abs([values[name][image, :, :, channel] for name in ("x", "bn2", "relu2")]).max())
for ax, name, title in zip(axes[1:], ("x", "bn2", "relu2"), ("x", "F(x), the branch", "relu(x + F(x))")):
    drawn = ax.imshow(values[name][image, :, :, channel], cmap="RdBu_r", vmin=-limit, vmax=limit)
    ax.set_title(title, fontsize=9)
for ax in axes:
    ax.set_axis_off()
fig.colorbar(drawn, ax=axes, shrink=0.7)
plt.show()

# %% [markdown]
# The branch is untrained. What it adds is as large as the signal and means nothing yet; still what comes out shows the
# shape, because $x$ itself is in it.
#
# ## Backward: read the forward upwards

# %%
print(inspect.getsource(BasicBlock.backward))
print(inspect.getsource(add_gradients))

# %% [markdown]
# Eight lines forward, eight lines backward, in the opposite order; at `add` the gradient goes two ways. The ninth line
# belongs to a step of the forward that has no line of its own: there $x$ was used twice. A copy forward sums backward,
# and that sum is `add_gradients`. Follow the size of the gradient:

# %%
y, cache = block.forward(x, training=True)
conv1, bn1, relu1, conv2, bn2, downsample, add, relu2 = cache
grad_y = np.random.default_rng(5).standard_normal(y.shape).astype(np.float32)

g = block.relu2.backward(grad_y, relu2)
print(f"{'grad_y':8} {np.linalg.norm(grad_y):7.1f}\n{'relu2':8} {np.linalg.norm(g):7.1f}")
g, grad_shortcut = block.add.backward(g, add)
for name, layer_cache in (("bn2", bn2), ("conv2", conv2), ("relu1", relu1), ("bn1", bn1), ("conv1", conv1)):
    g = getattr(block, name).backward(g, layer_cache)
    print(f"{name:8} {np.linalg.norm(g):7.1f}")
print(f"{'branch':8} {np.linalg.norm(g):7.1f}\n{'shortcut':8} {np.linalg.norm(grad_shortcut):7.1f}")
grad_x = add_gradients(g, grad_shortcut)
print(f"{'grad_x':8} {np.linalg.norm(grad_x):7.1f}")
assert np.array_equal(grad_x, block.backward(grad_y, cache)), "step by step is the block's backward"

# %% [markdown]
# Is it right? Not because it looks right: because the numerical derivative says so, for the input and every parameter.

# %%
small = BasicBlock(3, 4, 2, "B", np.random.default_rng(2)).astype(np.float64)
report = gradcheck(small, np.random.default_rng(3).standard_normal((2, 5, 6, 3)))
print(report)
assert report, "the block's backward must agree with its forward"

# %% [markdown]
# **Predict.** Leave the shortcut out on the way back, and return the branch's gradient only. Which lines of the report
# will fail? Would a network with this mistake still learn?


# %%
class ShortcutForgotten(BasicBlock):
    """A planted mistake: backward forgets that x also went through the shortcut."""

    def backward(self, grad_y, cache):
        through_both = super().backward(grad_y, cache)
        return through_both - self.relu2.backward(grad_y, cache[-1])


wrong = ShortcutForgotten(3, 3, 1, "A", np.random.default_rng(2)).astype(np.float64)
report = gradcheck(wrong, np.random.default_rng(3).standard_normal((2, 5, 6, 3)))
print("\n".join(f"{t.name:12} {'FAILED' if t.problem else 'ok'}" for t in report.tensors))
assert [t.name for t in report.tensors if t.problem] == ["input"], (
    "only the gradient handed to the block before is wrong"
)

# %% [markdown]
# Only the input. All of this block's own weights get the right gradient, and it learns; the blocks *before* it get a
# wrong one. Such a network trains, and is worse than it should be, and nobody sees why. A loss that falls does not
# show that the gradients are right.
#
# ## Where shapes change
#
# $x + F(x)$ needs two arrays of one shape. At the start of a stage the branch halves the image (stride 2) and doubles
# the channels. The paper has two ways to make the shortcut fit (section 3.3).
#
# **Option A** takes every second pixel and fills the new channels with zeros. It has no parameters. On a picture of 4x4
# pixels with one channel, going to three:

# %%
picture = np.arange(16.0).reshape(1, 4, 4, 1)
shortcut_a = SubsamplePad(in_channels=1, out_channels=3, stride=2)
y, cache = shortcut_a.forward(picture)
print("x:\n", picture[0, :, :, 0], "\n")
for c in range(3):
    print(f"y, channel {c}:\n", y[0, :, :, c])
grad = shortcut_a.backward(np.ones_like(y), cache)
print("\ngradient at x, when every gradient at y is 1:\n", grad[0, :, :, 0])
assert grad.sum() == 4, "four of the sixteen pixels were taken, so four get a gradient"

# %% [markdown]
# Three pixels of four do not pass the shortcut, in either direction: for these the branch is the only way. (Exercise
# 6.2 mends that.)
#
# **Option B** is a convolution with a window of 1x1 and stride 2, and a batch norm: the same four pixels, with new
# channels that are weighted sums of the old ones.

# %%
shortcut_b = make_shortcut("B", 1, 3, 2, np.random.default_rng(0))
for name, layer in shortcut_b.children():
    shapes_of_parameters = {key: parameter.value.shape for key, parameter in layer.named_parameters()}
    print(f"{name}: {type(layer).__name__:12} {shapes_of_parameters}")

# %% [markdown]
# What do they cost? A network has few of these shortcuts, one for each change of shape.

# %%
for network, widths in (("resnet20, on CIFAR-10", (16, 32, 64)), ("resnet18, on ImageNet", (64, 128, 256, 512))):
    for option in "AB":
        rng = np.random.default_rng(0)
        shortcuts = [make_shortcut(option, c, o, 2, rng) for c, o in zip(widths, widths[1:])]
        parameters = sum(p.value.size for s in shortcuts for p in s.parameters())
        print(f"{network}, option {option}: {parameters:>8,} parameters in {len(shortcuts)} shortcuts")

# %% [markdown]
# Does it matter? For ResNet-34 on ImageNet the paper (table 3) has 25.03 % error with A, 24.52 % with B, and 24.19 %
# with C, where *every* shortcut is a convolution; the plain network has 28.54 %. So having a shortcut counts, and its
# kind hardly. The paper uses A on CIFAR-10 and B on ImageNet, and so do the networks here.
#
# ## Where does the last ReLU go?
#
# Many write-ups list the steps of a block as conv, bn, relu, conv, bn, **relu, add**. The paper has **add, relu**. A
# year later the same authors moved everything to the front. Three orders of the same parts:
#
#     after the addition       x ---> conv bn relu conv bn ---> (+) ---> relu ---> y      BasicBlock
#     (2015)                   \________________________________/
#
#     before the addition      x ---> conv bn relu conv bn relu ---> (+) ---> y           ReluBeforeAddBlock
#     (many write-ups)         \_____________________________________/
#
#     pre-activation           x ---> bn relu conv bn relu conv ---> (+) ---> y           PreActBlock
#     (2016)                   \_____________________________________/
#
# Each has the same number of weights. **Predict** before you run: we send the pictures through 54 untrained blocks of
# each kind (as many as ResNet-110 has). What happens to the mean of the signal, and to its spread?
#
# A part of that can be worked out. Behind the last batch norm the numbers have mean 0 and variance 1; say that they are
# normally distributed. Then the branch of `ReluBeforeAddBlock` ends with $\mathrm{relu}(z)$, and
#
# $$ E[\mathrm{relu}(z)] = \int_0^\infty z \, \frac{e^{-z^2/2}}{\sqrt{2\pi}} \, dz
#    = \frac{1}{\sqrt{2\pi}} \approx 0.4 $$
#
# It can never be negative. So each block lifts the mean by 0.4, and nothing ever brings it down: after $L$ blocks it
# has gone up by $L / \sqrt{2\pi}$. In `PreActBlock` the branch ends in a convolution, whose output is as often
# negative as positive: the mean should stay. In `BasicBlock` the branch has both signs, and the ReLU behind the
# addition cuts only what falls below zero.

# %%
BLOCKS = 54
KINDS = {
    "after the addition": BasicBlock,
    "before the addition": ReluBeforeAddBlock,
    "pre-activation": PreActBlock,
}
STYLES = {
    "after the addition": dict(color="#0072B2", ls="-"),
    "before the addition": dict(color="#D55E00", ls="--"),
    "pre-activation": dict(color="#009E73", ls="-."),
    "no shortcut": dict(color="#666666", ls=":"),
}


def send_through(block_class, x, count=BLOCKS, seed=1):
    """(blocks, their caches, the signal before the first block and after each) of `count` untrained blocks."""
    rng = np.random.default_rng(seed)
    blocks = [block_class(x.shape[3], x.shape[3], 1, "A", rng) for _ in range(count)]
    caches, signals = [], [x]
    for block in blocks:
        y, cache = block.forward(signals[-1], training=True)
        caches.append(cache)
        signals.append(y)
    return blocks, caches, signals


runs = {kind: send_through(block_class, x) for kind, block_class in KINDS.items()}

fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
for kind, (_, _, signals) in runs.items():
    axes[0].plot([float(s.mean()) for s in signals], label=kind, lw=2, **STYLES[kind])
    axes[1].plot([float(s.std()) for s in signals], lw=2, **STYLES[kind])
axes[0].plot(float(x.mean()) + np.arange(BLOCKS + 1) / math.sqrt(2 * math.pi), "k", lw=0.8, label=r"$L / \sqrt{2 \pi}$")
axes[0].set(xlabel="block", title="mean of the signal")
axes[1].set(xlabel="block", title="standard deviation", ylim=(0, None))
axes[0].legend(frameon=False, fontsize=8)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

lifted = float(runs["before the addition"][2][-1].mean() - x.mean())
print(f"{BLOCKS} blocks with the ReLU before the addition lift the mean by {lifted:.1f}; "
      f"predicted {BLOCKS / math.sqrt(2 * math.pi):.1f}")  # fmt: skip
assert abs(lifted * math.sqrt(2 * math.pi) / BLOCKS - 1) < 0.2, "the mean should rise by 0.4 a block"

# %% [markdown]
# With the ReLU before the addition, a block can only add, never take away. Count it: at how many places does a block
# make the signal smaller?

# %%
for kind, (_, _, signals) in runs.items():
    smaller = np.mean([(after < before).mean() for before, after in zip(signals, signals[1:])])
    print(f"{kind:20} a block makes the signal smaller at {smaller:4.0%} of all places")

# %% [markdown]
# ### Does the growing mean do harm?
#
# The next batch norm takes every channel's mean off, so one might say: no. But look what a convolution with zero
# padding makes of a large constant. In the middle of the image all nine weights meet the constant; at the border some
# meet zeros. The difference is an edge all around the image, the same in every image, and the larger the constant the
# stronger.
#
# So ask: of what the convolution of the last block hands on, how much tells one image from another? We split the
# variance of its output into a part *between the images* at the same place, and a part that is the same for all
# images.


# %%
def share_between_images(block, signal):
    """How much of the variance of the output of the block's first convolution differs from image to image, 0 to 1."""
    if isinstance(block, PreActBlock):  # there, batch norm and ReLU come first
        signal = block.relu1.forward(block.bn1.forward(signal, True)[0], True)[0]
    h, _ = block.conv1.forward(signal, True)
    return float(h.var(axis=0).mean() / h.var(axis=(0, 1, 2)).mean()), h


fig, axes = plt.subplots(1, 3, figsize=(7.5, 2.7), layout="constrained")
shares = {}
for ax, (kind, (blocks, _, signals)) in zip(axes, runs.items()):
    shares[kind], h = share_between_images(blocks[-1], signals[-2])
    print(f"{kind:20} {shares[kind]:.0%} of the variance tells images apart")
    h = (h - h.mean((0, 1, 2))) / h.std((0, 1, 2))
    same = np.abs(h.mean(0)).mean(-1)  # what is the same for all images, averaged over the channels: (16, 16)
    drawn = ax.imshow(same, cmap="magma", vmin=0, vmax=1.5)
    ax.set_title(kind, fontsize=9)
    ax.set_axis_off()
fig.colorbar(drawn, ax=axes, shrink=0.8, label="same in all images")
plt.show()
assert shares["before the addition"] < shares["pre-activation"] - 0.1, "the frame should take its share"

# %% [markdown]
# There is the frame. With the ReLU before the addition a large part of what the batch norm gets, and scales to
# variance 1, is the outline of the padding. It is not a disaster: an untrained network has time to learn, and
# training changes these numbers. But it is room that the signal does not have.
#
# He et al. 2016 trained all of these on CIFAR-10 (their table 2; ResNet-110, test error):
#
# | order | error |
# |---|---|
# | ReLU after the addition (2015) | 6.61 % |
# | ReLU before the addition | 7.84 % |
# | batch norm after the addition as well | 8.17 % |
# | pre-activation | 6.37 % |
#
# Their explanation of the second line is the one that you have seen: the branch's output is never negative, so the
# forward signal only grows, and this "may impact the representational ability". In a network of eight layers you will
# hardly notice. `resnet-scratch compare` trains any two for you; `article` and `article-relu-after-add` differ in
# this only.
#
# ## The way back through many blocks
#
# Where nothing stands on the shortcut's way (before the addition, pre-activation) the forward is a sum:
#
# $$ x_L = x_0 + F_1(x_0) + F_2(x_1) + \dots + F_L(x_{L-1}) $$
#
# and by the chain rule the gradient is one too (He et al. 2016, equations 4 and 5):
#
# $$ \frac{\partial L}{\partial x_0} = \frac{\partial L}{\partial x_L} \;+\;
#    \frac{\partial L}{\partial x_L} \frac{\partial}{\partial x_0} \sum_l F_l $$
#
# The gradient at the end arrives at the start, *as it is*, plus what the branches contribute. With the ReLU after the
# addition, a number gets through only where that ReLU is open: at every block. **Predict:** at what share of all places
# are all 54 ReLUs on the shortcut's way open? (If each shut half of the places at random it would be one in $2^{54}$.)

# %%
signals = runs["after the addition"][2]
open_so_far = np.logical_and.accumulate([s > 0 for s in signals[1:]])
for k in (1, 2, 5, 20, 54):
    print(f"open through {k:2} blocks: {open_so_far[k - 1].mean():6.1%}")

# %% [markdown]
# Far from $2^{-54}$, since a signal that has grown is not easily made negative by a branch of size 1. But most of the
# way is shut. (The 2016 paper, section 4.2, sees this as well: harmless at 164 layers, costly at 1001.)
#
# Now send a gradient back through all 54, and see how its size changes and how much of the *last* gradient there is
# in it: the cosine between the two, 1 for the same direction, 0 for nothing in common.


# %%
def send_back(blocks, caches, grad_y):
    """The gradients at the input of each block, from the first to the last, and `grad_y` itself behind them."""
    gradients = [grad_y]
    for block, cache in zip(reversed(blocks), reversed(caches)):
        gradients.append(block.backward(gradients[-1], cache))
    return gradients[::-1]


runs["no shortcut"] = send_through(PlainBlock, x)
grad_last = np.random.default_rng(5).standard_normal(x.shape).astype(np.float32)
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), layout="constrained")
cosines, norms = {}, {}
for kind, (blocks, caches, _) in runs.items():
    gradients = send_back(blocks, caches, grad_last)
    norms[kind] = [float(np.linalg.norm(g) / np.linalg.norm(grad_last)) for g in gradients]
    cosines[kind] = [float((g * grad_last).sum() / np.linalg.norm(g) / np.linalg.norm(grad_last)) for g in gradients]
    axes[0].semilogy(norms[kind], label=kind, lw=2, **STYLES[kind])
    axes[1].plot(cosines[kind], lw=2, **STYLES[kind])
axes[0].set(xlabel="block", title="size of dL/dx, against the last one's")
axes[1].axhspan(-2 / math.sqrt(x.size), 2 / math.sqrt(x.size), color="#dddddd")  # of random directions: 2 deviations
axes[1].set(xlabel="block", title="cosine with the last one")
axes[1].set_yscale("symlog", linthresh=0.01)
axes[0].legend(frameon=False, fontsize=8)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
for kind in runs:
    print(f"{kind:20} at the first block: size x {norms[kind][0]:9.3g}, cosine {cosines[kind][0]:6.3f}")
assert norms["no shortcut"][0] > 1e4 * norms["pre-activation"][0]

# %% [markdown]
# Read both from right to left, as the gradient goes.
#
# * **Without shortcuts** (but with batch norm) an untrained network's gradient does not vanish: it *grows*, by a factor
#   per block, so a straight line on this axis. And after one block nothing of the direction is left.
# * **With shortcuts** it grows too, but hardly at the late blocks, and more only near the first. Batch norm divides
#   what comes through a branch by the size of the signal there, and the late blocks have a large signal. So what was
#   a constant factor per block has become one that gets closer and closer to 1 with depth.
# * Where the shortcut is **clear**, the last gradient can still be found in the first one. With a ReLU on the way it
#   is all but gone, near the grey band, which is what two directions drawn at random have in common.
#
# Tutorial 09 asks which of these is the reason that deep plain networks train badly, and looks at trained networks too.
#
# You can check the sum itself. Run every branch by hand, layer by layer, and add up what they say. In a chain of
# pre-activation blocks that must make $x_L$, to rounding; with a ReLU on the way it cannot.

# %%
BRANCH = {
    "pre-activation": ("bn1", "relu1", "conv1", "bn2", "relu2", "conv2"),
    "after the addition": ("conv1", "bn1", "relu1", "conv2", "bn2"),
}
for kind, names in BRANCH.items():
    blocks, _, signals = runs[kind]
    total = signals[0].astype(np.float64)
    for block, h in zip(blocks, signals):
        for name in names:
            h, _ = getattr(block, name).forward(h, True)
        total += h
    difference = np.abs(total - signals[-1]).max() / np.abs(signals[-1]).max()
    print(f"{kind:20} x_0 + sum of branches differs from x_L by at most {difference:.1e} of the largest number")
    assert (difference < 1e-5) == (kind == "pre-activation"), "only a clear shortcut makes the network a sum"

# %% [markdown]
# ## Exercises
#
# In the notebook, every task has a cell for your answer and a check that tells you whether it is right. (This file, run
# as a script, shows each task and checks the library's answer.)

# %% tags=["task"]
task("6.1")

# %% tags=["task"]
task("6.2")

# %% tags=["task"]
task("6.3")

# %% tags=["task"]
task("6.4")

# %% [markdown]
# The last task is the block itself. You will need it for the milestone at the end of tutorial 08, where a ResNet made of
# your own layers learns.

# %% tags=["task"]
task("6.5")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch, torchvision |
# |---|---|
# | `BasicBlock` | `torchvision.models.resnet.BasicBlock`, with the same attribute names |
# | `Add` | no layer: `out += identity` |
# | `block.downsample` (option B) | `block.downsample`, `nn.Sequential(conv1x1(...), nn.BatchNorm2d(...))` |
# | an empty `Sequential` as shortcut | `downsample=None` |
# | `block.relu1`, `block.relu2` | one `block.relu`, used twice |
# | the last line of `backward`, the sum | autograd adds up what comes back to a tensor that was used twice |
# | `zero_init=True` | `zero_init_residual=True` |
#
# `out += identity` changes its input in place, which here would be a mistake. PyTorch's autograd keeps count of such
# changes, and raises an error when a changed array is needed for backward.
#
# ## Sources
#
# * He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition": equation 1 and figure 2 (the block),
#   section 3.3 (options A and B), table 3 (their errors).
# * He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks": equations 4 and 5, figure 4, sections 4.1
#   and 4.2, table 2.
# * Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 5.1 (blocks that begin as the identity).
# * He, Zhang, Zhang, Zhang, Xie, Li 2018, "Bag of Tricks for Image Classification with Convolutional Neural Networks",
#   section 4.2 (averaging on the shortcut, exercise 6.2).
#
# Next, in 07, these blocks are put together to whole networks, and you count what they cost.
