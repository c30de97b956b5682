# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 09 Why depth was hard
#
# Deeper networks can compute more. But before 2015, a network of plain layers got worse when it was made deeper than
# about twenty layers. The residual connection ended that. This tutorial repeats the experiment and then looks for the
# cause. There are three suspects, and each of them gets the same three questions:
#
# 1. Is the effect there at the start of training?
# 2. Does it persist while the network fails to learn?
# 3. If you remove it, does the network learn?
#
# The answers do not convict one suspect and clear the others. This is a tutorial about what measurements can and cannot
# tell you.
#
# By the end you will be able to
#
# * show degradation: a deeper plain network has a higher error **on its own training images**;
# * predict how a signal and a gradient grow or shrink through 50 layers, with batch norm and without;
# * measure whether similar images get similar gradients, and how far each layer moves in a step;
# * test an explanation with a control experiment, and say what the control shows and what it does not;
# * say what three papers claim about depth, and which questions are open.
#
# **Needs:** 04 (batch norm), 06 (the residual connection), 08 (training; above all what batch norm makes of weight
# decay).
# **Time:** 75 minutes to read and try, and 65 minutes for the tasks. The cells run for about five minutes on two cores.

# %%
import copy
import inspect
import math
import os
import warnings
from dataclasses import dataclass, field, replace

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.data import load, normalise, training_batches
from resnet_scratch.exercises import solutions, task
from resnet_scratch.figures.depth import plot_errors, plot_losses, plot_moments, plot_scales, plot_slices, plot_steps
from resnet_scratch.figures.training import show_images
from resnet_scratch.insight.landscape import filter_normalised_direction, loss_slice
from resnet_scratch.insight.passes import record
from resnet_scratch.layers import BatchNorm2d, Conv2d, ReLU, Sequential
from resnet_scratch.layers.layer import restored
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import CONFIGS, build
from resnet_scratch.models.blocks import BasicBlock, PlainBlock
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import one_cycle
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
DEPTHS = (8, 20) if FAST else (8, 20, 56)
STEPS = 45 if FAST else 200
DEEPEST = DEPTHS[-1]
NAMES = {"plain": "plain", "resnet": "residual"}

# %% [markdown]
# ## A deeper network can always do what a shallower one does
#
# He et al. put the puzzle like this (section 1). Take a trained network. Add layers that change nothing. The result is
# deeper and exactly as good. So among all settings of the deeper network's weights, there is one that is at least as
# good as the shallow network. Training only has to find it, or a better one.
#
# Are there layers that change nothing? A ReLU does not change numbers that are not negative, so it changes nothing
# after another ReLU. For the convolution, find the weights yourself:

# %% tags=["task"]
task("9.1")

# %% [markdown]
# **Predict, then run:** an image passes through a hundred such layers, each a convolution and a ReLU. How much of it is
# left?

# %%
conv, relu = Conv2d(1, 1, 3, padding=1, bias=False, rng=np.random.default_rng(0)), ReLU()
conv.weight.value[...] = 0
conv.weight.value[1, 1] = 1  # the centre of the window

image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
y = image
for _ in range(100):
    y = relu(conv(y))
print(y[0, :, :, 0])
assert np.array_equal(y, image), "a hundred such layers must change nothing"

# %% [markdown]
# So a deep network that is no worse **exists**. Whether gradient descent **finds** it is the question of this tutorial.
#
# ## The experiment
#
# The two kinds of network differ in one thing. Here are the layers of their blocks, and the residual block's forward
# pass. (A plain block is a `Sequential`: each layer gets the output of the one before.) Look for the difference:

# %%
for block_class in (PlainBlock, BasicBlock):
    block = block_class(8, 8, 1, "A", np.random.default_rng(0))
    print(f"{block_class.__name__:10}", ", ".join(name for name, _ in block.children()))
print(inspect.getsource(BasicBlock.forward))

# %% [markdown]
# Both have the same convolutions, batch norms, ReLUs and number of weights. The residual block computes one addition
# more. (`downsample` is the shortcut. It has no weights here.)
#
# The claim is about the *training* error. Augmentation, test images and overfitting would only blur it. So we take 256
# images and let each network memorise them. To make it quick, the images are shrunk to 16x16 pixels, and the networks
# have half of the paper's channels (8, 16 and 32).

# %%
shapes = load()
IMAGES = 256


def shrink(images):
    """uint8 (N, 32, 32, 3) -> (N, 16, 16, 3): the mean of each block of 2x2 pixels, rounded down."""
    return images.reshape(len(images), 16, 2, 16, 2, 3).mean((2, 4)).astype(np.uint8)


small = replace(shapes, train_images=shrink(shapes.train_images[:IMAGES]), train_labels=shapes.train_labels[:IMAGES])
x = normalise(small.train_images, small.mean, small.std)  # (256, 16, 16, 3), what the networks are given
labels = small.train_labels

fig, axes = plt.subplots(1, 8, figsize=(8, 1.4))
show_images(axes, small.train_images[:8], [shapes.classes[label] for label in labels[:8]])
plt.show()


# %%
def network(kind, depth, seed=0):
    """A plain or a residual network for these images: the paper's, with half of its channels."""
    config = replace(CONFIGS[f"{kind}{depth}"], widths=(8, 16, 32))
    return build(config, rng=np.random.default_rng(seed))


for depth in DEPTHS:
    sizes = {kind: sum(p.value.size for p in network(kind, depth).parameters()) for kind in ("plain", "resnet")}
    print(f"depth {depth:2}: {sizes['plain']:,} weights without shortcuts, {sizes['resnet']:,} with them")
    assert sizes["plain"] == sizes["resnet"], "a shortcut has no weights"

# %% [markdown]
# `fit` trains a network. We will want to look at it later, so `fit` also keeps copies of it at four moments. And at
# every step it records, for every convolution, the length of its weights and how far they moved relative to that
# length.

# %%
MOMENTS = (0, 5, 20, STEPS)


@dataclass
class Run:
    losses: list = field(default_factory=list)  # of every step
    networks: dict = field(default_factory=dict)  # {step: the network after it}
    lengths: list = field(default_factory=list)  # norms of the weights before every step: (steps, convolutions)
    relative: list = field(default_factory=list)  # norm of the step / norm of the weights: (steps, convolutions)


def fit(model, learning_rate=0.1, make_optimizer=SGD):
    """Train `model` on the 256 images, for `STEPS` steps, or until the loss is no longer a number."""
    run = Run(networks={0: copy.deepcopy(model)})
    weights = [layer.weight for _, layer in model.named_layers() if isinstance(layer, Conv2d)]
    optimizer = make_optimizer(model.parameters(), momentum=0.9, weight_decay=1e-4)
    batches = training_batches(small, 64, seed=0, augment=False)
    before = [w.value.copy() for w in weights]
    for step in train(model, optimizer, batches, one_cycle(learning_rate, STEPS), STEPS):
        run.losses.append(float(step.loss))
        if not math.isfinite(run.losses[-1]):
            break
        run.lengths.append(np.array([np.linalg.norm(w) for w in before]))
        moved = np.array([np.linalg.norm(w.value - old) for w, old in zip(weights, before)])
        run.relative.append(moved / run.lengths[-1])
        before = [w.value.copy() for w in weights]
        if step.number in MOMENTS:
            run.networks[step.number] = copy.deepcopy(model)
    return run


def training_error(model):
    """The share of the 256 images that are classified wrongly. Batch norm uses the batch's statistics."""
    with restored(model):
        logits, _ = model.forward(x, training=True)
    return float((logits.argmax(1) != labels).mean())


# %% [markdown]
# **Predict.** Every network has enough weights to memorise 256 images. All are trained with the same images in the same
# order, and with the same learning rates. Write down, for each depth, which of the two kinds will have the lower
# training error.

# %%
runs, errors = {}, {}
for depth in DEPTHS:
    for kind in ("plain", "resnet"):
        model = network(kind, depth)
        runs[kind, depth] = fit(model)
        errors[kind, depth] = training_error(model)
    print(f"depth {depth:2}, training error: plain {errors['plain', depth]:5.1%}, "
          f"residual {errors['resnet', depth]:5.1%}")  # fmt: skip
deep = {kind: runs[kind, DEEPEST] for kind in ("plain", "resnet")}  # the two that we examine

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
plot_losses(axes[0], {key: run.losses for key, run in runs.items()})
plot_errors(axes[1], errors)
plt.show()
assert errors["plain", DEEPEST] > errors["resnet", DEEPEST] + 0.2, "the deep plain network should have learned less"

# %% [markdown]
# That is **degradation**, figures 1 and 6 of the paper. (The grey line is the loss of guessing.) It is not overfitting,
# because the error is on the training images. And plain blocks are able to learn: the networks of 8 and 20
# layers do. The paper conjectures that deep plain networks have "exponentially low convergence rates" (section 4.1),
# and leaves the reason open. On photographs it looks the same: [results](../docs/results.md#with-and-without-shortcuts)
# has plain and residual networks of 20 to 56 layers on a copy of CIFAR-10.
#
# Is the learning rate to blame? Here is the deep plain network with a fifth of it:

# %%
model = network("plain", DEEPEST)
fit(model, learning_rate=0.02)
slow_error = training_error(model)
print(f"plain, {DEEPEST} layers, highest learning rate 0.02: training error {slow_error:.1%}")
if not FAST:
    assert slow_error > 0.5, "a smaller learning rate should not help within so few steps"

# %% [markdown]
# It is not that simple. (With 0.01 and 0.03, too, we measured training errors above 80 %.)
#
# ## Suspect 1: the size of the gradients
#
# The usual story says that the gradients vanish: on its way back, the gradient is multiplied by a factor below one at
# each layer, so that almost nothing reaches the first. The story dates from before batch norm, so we begin without it.

# %% tags=["task"]
task("9.2")

# %% [markdown]
# Here is the calculation. Let $h$ enter a ReLU and then a weighted sum over $n$ inputs ($n = 9C$ for a 3x3
# convolution), with independent weights of mean 0 and variance $\sigma^2$. The ReLU leaves half of $E[h^2]$. The sum
# multiplies by $n\sigma^2$:
#
# $$ E[h_{\text{next}}^2] = \frac{n \sigma^2}{2} E[h^2] $$
#
# Backward, the gradient passes through the same weights and the same ReLU. The gradient of each sum goes back to its
# $n$ inputs, each time multiplied by a weight. That multiplies the squared norm by $n\sigma^2$, and ReLU halves it. So
# it gets the same factor:
#
# $$ \left\| \frac{\partial L}{\partial h} \right\|^2 = \frac{n \sigma^2}{2}
#    \left\| \frac{\partial L}{\partial h_{\text{next}}} \right\|^2 $$
#
# With $\sigma^2 = 2/n$ both factors are one (He et al. 2015, "Delving Deep into Rectifiers", section 2.2). The library
# draws with $\sigma^2 = 2 / (9O)$ for $O$ output channels, which is the same but for the two layers that double the
# channels. With weights that are $s$ times as large, each layer multiplies the norm by $s$, and D layers multiply it by
# $s^D$. So the gradient does vanish or explode exponentially, but the reason is the initialisation.
#
# In small images one more thing counts: at the border, a part of the window lies on the zeros of the padding. Along an
# axis of $H$ pixels, the $H$ windows, each three pixels wide, cover $3H$ positions in all, and $3H - 2$ of them are
# inside the image. The squared norm is multiplied by this share once for each of the two axes. So per layer the norm,
# its root, is multiplied by $s (3H - 2) / 3H$. $H$ is 16, 8 and 4 in our three stages.
#
# Now measure. `record` runs one forward and one backward pass, and notes the norm of the gradient with respect to the
# input of every layer, $\| \partial L / \partial x \|$. We read it at the last ReLU of each block.


# %%
def without_batchnorm(layer):
    """The same network, with every batch norm replaced by the identity, an empty `Sequential`."""
    for name, child in list(layer.children()):
        if isinstance(child, BatchNorm2d):
            setattr(layer, name, Sequential())
        else:
            without_batchnorm(child)
    return layer


def scale_weights(model, scale):
    """The same network, with all weights of its convolutions multiplied by `scale`."""
    for _, layer in model.named_layers():
        if isinstance(layer, Conv2d):
            layer.weight.value *= scale
    return model


def gradient_norms(model):
    """The norm of the gradient at the last ReLU of each block, in the order of the forward pass."""
    return np.array([r.grad_norm for r in record(model, x[:64], labels[:64]) if r.name.endswith("relu2")])


# %% [markdown]
# **Predict:** without batch norm and with $s = 0.7$, what is left of the gradient in the deep plain network? And in the
# residual network?

# %%
SCALES = (1.0, 0.7, 0.5)
untrained = {}
for batchnorm in (False, True):
    for kind in ("plain", "resnet"):
        for scale in SCALES:
            model = scale_weights(network(kind, DEEPEST), scale)
            untrained[batchnorm, kind, scale] = model if batchnorm else without_batchnorm(model)


def plot_all(norms, ylabel):
    """One panel without batch norm and one with it, for {(batchnorm, kind, scale): norms}."""
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for ax, batchnorm in zip(axes, (False, True)):
        chosen = {(kind, scale): norms[batchnorm, kind, scale] for kind in ("plain", "resnet") for scale in SCALES}
        plot_scales(ax, chosen, f"{'with' if batchnorm else 'without'} batch norm, {DEEPEST} layers")
    axes[0].get_legend().remove()  # it is that of the other panel
    axes[0].set_ylabel(ylabel)
    plt.show()


measured = {key: gradient_norms(model) for key, model in untrained.items()}
plot_all(measured, r"$\|\partial L / \partial x\|$")


# %%
def per_layer(norms):
    """The factor by which the gradient grows at each layer on its way back; there are two layers in a block."""
    return (norms[0] / norms[-1]) ** (1 / (2 * (len(norms) - 1)))


border = math.prod((3 * H - 2) / (3 * H) for H in (16, 8, 4)) ** (1 / 3)  # the mean of the three stages
for scale in SCALES:
    factor = per_layer(measured[False, "plain", scale])
    print(f"plain, no batch norm, s = {scale}: a factor of {factor:.3f} per layer, predicted {scale * border:.3f}; "
          f"{factor ** (DEEPEST - 4):.1e} in all")  # fmt: skip
    assert abs(factor / scale / border - 1) < 0.1, "without batch norm, each layer should multiply by s times border"
growing = measured[False, "resnet", 1.0]
print(f"residual, no batch norm, s = 1: the gradient grows {growing[0] / growing[-1]:.2g} times")
assert growing[0] > 2 * growing[-1], "in the residual network it must grow at s = 1"

# %% [markdown]
# Read the left figure from right to left, the way the gradient goes.
#
# * **Plain:** the prediction holds. With weights that start too small, the gradient vanishes.
# * **Residual:** the shortcut keeps the gradient alive when the weights are small. But at $s = 1$ the gradient
#   **grows** with every block. So does the signal, because each block adds its branch to what the shortcut carries.
#   (More on that in the last control.)
#
# ### With batch norm
#
# In the right figure the three lines of each kind lie on top of one another. Batch norm divides by the size of the
# signal, so the size of the weights does not matter. (A few per cent may remain from batch norm's `eps`.)
#
# But the plain network's gradient does not vanish: it **grows** at every layer on its way back. Why? Batch norm gives
# $h$ the mean 0 and the variance 1 over the batch. After the ReLU, for normally distributed $h$,
#
# $$ E[\mathrm{relu}(h)^2] = \tfrac12, \qquad E[\mathrm{relu}(h)] = \tfrac{1}{\sqrt{2\pi}}, \qquad
#    \mathrm{Var}[\mathrm{relu}(h)] = \tfrac12 - \tfrac1{2\pi} = \frac{\pi - 1}{2\pi} $$
#
# The next batch norm subtracts the mean, and divides by the root of $n\sigma^2 \frac{\pi-1}{2\pi}$. Backward, the
# squared norm is multiplied by $n\sigma^2$ (the sum) and by $\tfrac12$ (the ReLU), and divided by that variance:
#
# $$ n\sigma^2 \cdot \frac12 \cdot \frac{2\pi}{n\sigma^2 (\pi - 1)} = \frac{\pi}{\pi - 1} $$
#
# The variance of the weights has cancelled, and the rest is larger than one. The ReLU stops half of the squared
# gradient. But less than half of the signal's variance is left, and batch norm divides by that. Yang et al. 2019 derive
# this rigorously. The short form treats the batch's statistics as constants and all numbers as independent.
#
# It also ignores the padding. After a ReLU the mean is not 0, so the zeros around an image add a frame to each channel
# (06). The frame adds to the variance, and batch norm divides by that, too. Let $P$ be the share of positions at which
# a weight meets a pixel inside the image: 1 for the weight at the centre of the window, and $((H - 1) / H)^2$ at its
# corners. What a weight meets has the mean square $P / 2$ and the mean $P / \sqrt{2\pi}$, so the variance
# $P / 2 - P^2 / (2\pi)$. Backward, only the share $P$ of the squared gradient that passes through the weight reaches a
# pixel (the rest falls on the padding), and ReLU lets half of that through. Summed over the nine weights, the factor is
#
# $$ \frac{\frac12 \sum P}{\sum \left( \frac12 P - \frac1{2\pi} P^2 \right)}
#    = \frac{\pi \sum P}{\pi \sum P - \sum P^2} $$


# %%
def growth(H):
    """The predicted factor of the norm per layer, in images of HxH pixels."""
    along_an_axis = [1 - 1 / H, 1, 1 - 1 / H]
    P = np.outer(along_an_axis, along_an_axis)
    return math.sqrt(math.pi * P.sum() / (math.pi * P.sum() - (P**2).sum()))


for kind in ("plain", "resnet"):
    norms = measured[True, kind, 1.0]
    print(f"{kind:6}: a factor of {per_layer(norms):.3f} per layer, {norms[0] / norms[-1]:.3g} in all")
    change = np.abs(measured[True, kind, 0.5] / norms - 1).max()
    assert change < 0.15, "with batch norm the scale of the weights must not matter"
predicted = math.prod(map(growth, (16, 8, 4))) ** (1 / 3)  # the three stages have equally many layers
print(f"predicted for plain: {predicted:.3f}; without padding {math.sqrt(math.pi / (math.pi - 1)):.3f}")
assert abs(per_layer(measured[True, "plain", 1.0]) / predicted - 1) < 0.03, "the plain network's gradient must grow so"

# %% [markdown]
# ### The gradients of the weights
#
# So much for the gradient that passes through the layers. The optimizer uses another one, $\partial L / \partial w$. A
# convolution computes it from its input and from the gradient of its output, as sums of products of the two.
# **Predict:** does its norm differ as much from layer to layer, without batch norm and with it?


# %%
def weight_gradient_norms(model):
    """The norm of the gradient of the weights of each block's second convolution, in the order of the forward pass."""
    return np.array([r.grad_weight_norm for r in record(model, x[:64], labels[:64]) if r.name.endswith("conv2")])


of_weights = {key: weight_gradient_norms(model) for key, model in untrained.items()}
plot_all(of_weights, r"$\|\partial L / \partial w\|$")
print("first block / last block, of the gradients of x and of w")
for (batchnorm, kind, scale), norms in of_weights.items():
    of_x = measured[batchnorm, kind, scale]
    print(f"{kind:6} {'with' if batchnorm else 'without':7} batch norm, s = {scale}: {of_x[0] / of_x[-1]:8.2g} "
          f"{norms[0] / norms[-1]:8.2g}   (largest / smallest of w: {norms.max() / norms.min():.2g})")  # fmt: skip
    assert batchnorm or norms.max() < 30 * norms.min(), "without batch norm they should differ little"
if not FAST:
    norms = of_weights[True, "plain", 1.0]
    assert norms[0] > 100 * norms[-1], "with batch norm, those of the plain network should differ much"

# %% [markdown]
# **Without batch norm** the lines are nearly level. In the plain network with $s = 0.5$, the gradient with respect to
# $x$ loses a factor of more than $10^{17}$ from the last block to the first. The gradients of the weights differ by a
# factor of 20 at most. Each layer multiplies the signal by $s$ in the forward pass, and the gradient by $s$ in the
# backward pass. A weight gradient is a product of the two, so it has the factors of all other layers, whichever layer
# it belongs to. That the gradient vanishes does not mean that the last layers learn and the first do not: all weights
# alike get tiny gradients, and only $\partial L / \partial x$ shows what happens on the way.
#
# **With batch norm** the signal has the same size in every layer, so in the plain network the weights' gradients follow
# that of $x$: those of the first block are about a thousand times as large as those of the last (at $s = 1$). In the
# residual network it is a factor of 3.
#
# **Question 1: is it there at the start?** Yes: the first layers of the deep plain network get a gradient that is not
# too small, but far too *large*.
#
# **Question 2: does it persist?** Here are the norms in the networks that we kept. **Predict** first: after how many
# steps will the lines of the plain network be level?

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
spread = {}
for ax, kind in zip(axes, ("plain", "resnet")):
    norms = {step: gradient_norms(model) for step, model in deep[kind].networks.items()}
    plot_moments(ax, norms, f"{NAMES[kind]}, {DEEPEST} layers")
    spread[kind] = {step: values[0] / values[-1] for step, values in norms.items()}
    print(f"{kind:6}: first block / last block", {step: float(f"{value:.3g}") for step, value in spread[kind].items()})
axes[0].set_ylabel(r"$\|\partial L / \partial x\|$")
plt.show()
if not FAST:
    assert spread["plain"][0] > 500, "at the start the first block's gradient must be far larger"
    assert 0.1 < spread["plain"][20] < 10, "after 20 steps the plain network's gradients should have evened out"

# %% [markdown]
# It does not persist. Within some twenty steps the gradients of the plain network even out, and they stay that way
# while it fails to learn. (Yang et al. report that batch-normalised networks reach such a state within a single step.
# The paper on ResNets, too, finds "healthy norms with BN" in section 4.1.)
#
# Does that clear the suspect? Not yet: a cause can act for a few steps and leave lasting damage. Question 3 has to wait
# for the control, below. And whatever standard we apply here, we must apply to the other two.
#
# ## Suspect 2: gradients that have nothing in common
#
# A gradient can have the right length and still be useless. Take an image and a copy of it with a little noise. If the
# network's gradient is completely different for the two, then a step that helps with one says nothing about the other.
# Balduzzi et al. 2017 call this **shattered gradients**: with depth, the gradient of a plain network, as a function of
# its input, comes to look like white noise. This happens far less in a residual network.
#
# We measure the cosine between the gradients of an image and its copy, with respect to the pixels. For comparison, we
# do the same for two different images.

# %%
noise = 0.05 * np.random.default_rng(1).standard_normal(x[:64].shape).astype(np.float32)
pairs = np.concatenate([x[:64], x[:64] + noise])  # image k, and its copy at k + 64


def gradient_cosines(model):
    """The mean cosine between the gradients of (an image and its copy, two different images)."""
    with restored(model):
        logits, cache = model.forward(pairs, training=True)
        grad_x = model.backward(softmax_cross_entropy(logits, np.tile(labels[:64], 2))[1], cache).reshape(128, -1)
    unit = grad_x / np.linalg.norm(grad_x, axis=1, keepdims=True)
    cosines = unit[:64] @ unit[64:].T
    return float(np.diag(cosines).mean()), float(cosines[~np.eye(64, dtype=bool)].mean())


# %% [markdown]
# **Predict:** which of the two networks gives an image and its copy similar gradients at the start? And will that still
# be so after 5 steps, after 20, and at the end?

# %%
cosines = {kind: {step: gradient_cosines(m) for step, m in deep[kind].networks.items()} for kind in deep}
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
curves = {
    "plain, image and copy": {step: pair[0] for step, pair in cosines["plain"].items()},
    "residual, image and copy": {step: pair[0] for step, pair in cosines["resnet"].items()},
    "plain, different images": {step: pair[1] for step, pair in cosines["plain"].items()},
    "residual, different images": {step: pair[1] for step, pair in cosines["resnet"].items()},
}
plot_steps(ax, curves, "cosine of two gradients")
plt.show()
for name, values in curves.items():
    print(f"{name:26}", {step: round(value, 2) for step, value in values.items()})
if not FAST:
    assert abs(cosines["plain"][0][0]) < 0.15, "at the start the plain network's gradients should be shattered"
    assert cosines["resnet"][0][0] > 0.2, "those of the residual network should not be"
    assert cosines["plain"][20][0] > 0.6, "after 20 steps image and copy should have similar gradients"

# %% [markdown]
# **Question 1:** yes. At the start, the plain network's gradients for an image and its copy have nothing in common.
# Those of the residual network are far more alike.
#
# **Question 2:** no. After twenty steps the plain network, too, gives both nearly the same gradient, and it still does
# not learn. This effect fades about as fast as the first one. If fading were proof of innocence, it would clear both.
#
# ## Suspect 3: steps of very different lengths
#
# A convolution before a batch norm has a property that you know from 08. Multiply its weights by $c$, and the output of
# the batch norm stays the same. Two things follow: the gradient is multiplied by $1/c$, and it is at a right angle to
# the weights. So the steps make the weights longer, and the longer they are, the less a step turns them. What counts is
# the **relative step**, $\|\Delta w\| / \|w\|$.
#
# Now put this together with suspect 1. The first layers get enormous gradients at the start. **Predict:** what happens
# to the length of their weights? And if it becomes 10 times what it was, what happens to their relative steps?

# %%
first, middle = 20, STEPS // 2
grown = {kind: {step: run.lengths[step] / run.lengths[0] for step in (5, first, middle)} for kind, run in deep.items()}
relative = {kind: {step: run.relative[step - 1] for step in (1, first, middle)} for kind, run in deep.items()}
fig, axes = plt.subplots(2, 2, figsize=(9, 5.2), layout="constrained", sharex=True, sharey="row")
for k, kind in enumerate(deep):
    plot_moments(axes[0, k], grown[kind], f"{NAMES[kind]}: length of the weights / at the start", every_layer=True)
    plot_moments(axes[1, k], relative[kind], f"{NAMES[kind]}: relative step", every_layer=True)
    axes[0, k].set_xlabel("")
plt.show()
for kind in deep:
    print(f"{kind:6}: by step {first} the first convolution's weights grow {grown[kind][first][0]:.1f} times; "
          f"relative steps of the first {relative[kind][1][0]:.1e} at step 1, {relative[kind][middle][0]:.1e} "
          f"at step {middle}; of the last {relative[kind][1][-1]:.1e}, {relative[kind][middle][-1]:.1e}")  # fmt: skip
if not FAST:
    assert growth["plain"][first][0] > 5 > growth["resnet"][first][0], "only the plain network's first weights grow"
    assert deep["plain"].lengths[-1][0] > 5 * deep["plain"].lengths[0][0], "and stay long until the end"
    assert relative["plain"][1][0] > 100 * relative["plain"][1][-1], "the first layers move far at first"
    assert relative["plain"][middle][0] < relative["plain"][middle][-1] / 3, "and hardly at all later"

# %% [markdown]
# The gradient of weights that have become 10 times as long is a tenth as large. And relative to them, a step of the
# same length is a tenth as large, too. So their relative step is a hundredth of what it was.
#
# **Question 1:** yes. In its first steps, the plain network in effect replaces the weights of its first layers: a step
# is more than half as long as the weights. At the same time, the last layers hardly move.
#
# **Question 2:** yes, and only for this suspect. The weights of the first layers stay long until the end. By the middle
# of the run their relative steps are far below those of the last layers, so whatever the huge first steps did to the
# first layers can hardly be changed any more. Van Laarhoven (2017) calls $\eta / \|w\|^2$ the effective learning rate.
# Here it has collapsed, and only in the first layers.
#
# By the standard of persistence, this suspect would be guilty. That is why there is a third question.
#
# ## Question 3: controls
#
# ### Equal steps for every convolution
#
# Let us decide how far each convolution moves, regardless of its gradient and of the length of its weights:

# %% tags=["task"]
task("9.3")

# %% [markdown]
# LARS (You et al. 2017) uses this idea to train with very large batches. Here is a simple version. Each step of each
# convolution is at most 0.003 times as long as its weights; the schedule scales that as it scales the learning rate.
# All other parameters move as before.
#
# This control removes suspect 3. It also removes the effect of suspect 1, because the length of a step no longer
# depends on the size of the gradient. And it must be harmless by itself, so we apply it to the residual network too.
# **Predict** both training errors.


# %%
class EqualSteps(SGD):
    """SGD in which every convolution makes steps of the same length, relative to its weights."""

    fraction = 0.003  # of the length of the weights, when the learning rate is 0.1

    def update(self, w, g, state, learning_rate):
        if w.ndim < 4:
            return super().update(w, g, state, learning_rate)
        v = state["velocity"]
        v *= self.momentum
        v += g
        w -= learning_rate / 0.1 * self.fraction * np.linalg.norm(w) / np.linalg.norm(v) * v


equal, equal_errors, alike = {}, {}, {}
for kind in ("plain", "resnet"):
    model = network(kind, DEEPEST)
    equal[kind], equal_errors[kind] = fit(model, make_optimizer=EqualSteps), training_error(model)
    print(f"{kind:6}, equal relative steps: training error {equal_errors[kind]:.1%}, the first convolution's weights "
          f"grow {equal[kind].lengths[-1][0] / equal[kind].lengths[0][0]:.2f} times")  # fmt: skip
    alike[kind] = {step: gradient_cosines(m)[0] for step, m in equal[kind].networks.items()}
    print("        cosine of image and copy", {step: round(value, 2) for step, value in alike[kind].items()})
relative_steps = np.array(equal["plain"].relative)
assert np.allclose(relative_steps, relative_steps[:, :1], rtol=1e-2), "all convolutions must move by the same fraction"
if not FAST:
    assert equal_errors["resnet"] < 0.2, "the control itself must not keep a network from learning"
    assert equal_errors["plain"] > 0.6, "the plain network should fail all the same"

# %% [markdown]
# The residual network learns as well as before. The plain network still gets most of the images wrong, although no
# layer moves too far and none stands still. We chose the fraction that was best for the plain network: with 0.001, 0.01
# and 0.03 we measured higher training errors. So unequal steps alone do not explain the failure: suspect 3 is not the
# only cause. Neither is suspect 1, and not because the effect fades, but because removing its consequences hardly helps.
# Either may still be a part of the cause.
#
# Look at the cosines, too. In this run they stay near 0 for much longer than before. So it was the huge first steps
# that made suspect 2 fade so soon. They did not repair the gradients; they replaced the first layers.
#
# ### Like gradients for like images
#
# Is there a plain network whose gradients are not shattered? A linear network is one: its derivative is the same for
# all images. But a linear network would be of no use. Balduzzi et al. found initial weights with which a network with
# ReLUs starts as a linear one. Note that
#
# $$ \mathrm{relu}(z) - \mathrm{relu}(-z) = z $$
#
# Let half of the channels be the negatives of the others before each ReLU. If the next convolution subtracts the two
# halves from each other, then ReLU and convolution together are linear: the network **looks linear**. Only the initial
# weights are special. As soon as training changes the halves in different ways, it is an ordinary plain network.
#
# For the linear map we take a random orthogonal matrix at the centre of the window and zeros elsewhere. That is the
# layer of task 9.1, rotated: it neither stretches nor shrinks anything.


# %%
def look_linear(model, rng):
    """The same network, with weights that make it linear: the next convolution subtracts mirrored halves."""
    for _, layer in model.named_layers():
        if isinstance(layer, Conv2d):
            C, O = layer.weight.value.shape[2:]  # input and output channels
            layer.weight.value[...] = 0
            if C == 3:  # an image has no halves yet
                half = rng.standard_normal((3, 3, C, O // 2)) * math.sqrt(2 / (9 * C))
                layer.weight.value[...] = np.concatenate([half, -half], axis=-1)
            else:
                half = np.linalg.qr(rng.standard_normal((O // 2, O // 2)))[0][: C // 2]
                layer.weight.value[1, 1] = np.block([[half, -half], [-half, half]])
    return model


z = np.random.default_rng(0).standard_normal(1000)
assert np.array_equal(np.maximum(z, 0) - np.maximum(-z, 0), z), "the difference of the two halves must be the identity"

# %% [markdown]
# The network is the plain one, with batch norm. It is trained with equal steps, as the plain network of the last
# control was, so the two runs differ in nothing but the initial weights. **Predict:** how similar are the gradients of
# image and copy at the start? And will this plain network learn?

# %%
model = look_linear(network("plain", DEEPEST), np.random.default_rng(0))
linear, linear_error = fit(model, make_optimizer=EqualSteps), training_error(model)
norms = gradient_norms(linear.networks[0])
print(f"plain, equal steps: training error {equal_errors['plain']:.1%} from the usual weights, "
      f"{linear_error:.1%} from weights that look linear")  # fmt: skip
print(f"first block / last block at the start: {norms[0] / norms[-1]:.2f}")
linear_cosines = {step: gradient_cosines(m)[0] for step, m in linear.networks.items()}
for name, values in (("usual weights", alike["plain"]), ("looks linear", linear_cosines)):
    print(f"cosine of image and copy, {name:13}", {step: round(value, 2) for step, value in values.items()})
assert linear_cosines[0] > 0.8 and 0.3 < norms[0] / norms[-1] < 3, "it must start unshattered, with level norms"
if not FAST:
    assert linear_error < equal_errors["plain"] - 0.3, "with these initial weights, the plain network should learn"

# %% [markdown]
# A plain network of 56 layers, without a single shortcut, memorises nearly all of the images. So this control helps,
# where the other one alone did not. But what has it shown? Look closely:
#
# * At the start the gradients are not shattered. That was the aim. But they do not stay so: while the network learns,
#   the cosine falls far below that of the residual network. So dissimilar gradients for similar images cannot be the
#   only thing that keeps a network from learning.
# * The norms of the gradients are level at the start as well, so suspect 1 has been removed for a second time.
# * The whole *function* is different: close to linear, while the usual one is far from it. Any cause that has to do with
#   the function, and not with its gradients, has been removed too.
#
# With plain SGD these weights are more fragile. With a learning rate of 0.02 we measured errors of about 10 % and 25 %
# (two seeds), but with 0.1 about 80 %.
#
# ### A residual network without batch norm
#
# The residual network has both batch norm and shortcuts. Which does it need? Without batch norm the signal grows from
# block to block. De and Smith (2020) propose a remedy, **SkipInit**: multiply each branch by a number that starts at 0
# and is learned. Then every block starts as the identity (up to its last ReLU).

# %% tags=["task"]
task("9.5")

# %% [markdown]
# **Predict:** the deep residual network without batch norm, as it is and with SkipInit. Will it learn? (SkipInit gets a
# learning rate of 0.3. With 0.1 it learned too slowly for 200 steps: about 60 % of the images were still wrong.)


# %%
def blocks(model):
    """All blocks of a network, in the order of the forward pass."""
    return [block for name, stage in model.children() if name.startswith("layer") for block in stage]


residual_errors = {}
for name, learning_rate in (("as it is", 0.1), ("SkipInit", 0.1 if FAST else 0.3)):
    model = without_batchnorm(network("resnet", DEEPEST))
    if name == "SkipInit":
        for block in blocks(model):
            block.add = solutions()["9.5"]()  # the answer to task 9.5
    with warnings.catch_warnings():  # the first one overflows, which is what we want to see
        warnings.simplefilter("ignore", RuntimeWarning)
        run, residual_errors[name] = fit(model, learning_rate), training_error(model)
    print(f"no batch norm, {name:8}: {len(run.losses):3} steps, first loss {run.losses[0]:.3g}, last "
          f"{run.losses[-1]:.3g}; training error {residual_errors[name]:.1%}")  # fmt: skip
if not FAST:
    assert residual_errors["SkipInit"] < 0.3 < residual_errors["as it is"], "only with SkipInit should it learn"

# %% [markdown]
# As it is, the network's loss is no longer a number after a few steps. (It is the same with a learning rate of 0.01.)
# With SkipInit it memorises the images. So the shortcut alone is not enough, and batch norm is not necessary: here, a
# good start did the same.
#
# ## The verdict
#
# | suspect | there at the start? | persists? | does removing it help? |
# |---|---|---|---|
# | 1. the first layers' gradients are too large | yes | no: level after 20 steps | not alone (equal steps) |
# | 2. similar images have unlike gradients | yes | no; longer with equal steps | at the start, yes (but more changes) |
# | 3. the first layers jump, then hardly move | yes | yes | not alone (equal steps) |
#
# The effect that persists is not the cause, or not the only one. One that fades may be part of the cause. So
# persistence was a poor standard for all of them, and what counts is a control. But even a control is better at
# clearing a suspect than at convicting one, because it nearly always changes more than one thing.
#
# ### What is claimed, and what is open
#
# * **Yang et al. 2019** derive, for wide fully connected networks with batch norm, that before training gradients grow
#   exponentially with depth, whatever the variance of the weights and the activation function. They conclude that such
#   networks, with the usual initial weights and without shortcuts, cannot be trained at large depth. They also find
#   that there is less growth close to the linear regime, where training is easier, and that one step of training makes
#   the range of the gradients far smaller. You measured the growth, and how it fades. You also found that removing the
#   effect of the growth on the steps was not enough.
# * **Balduzzi et al. 2017** show that in plain networks the correlation of gradients decays exponentially with depth,
#   and in residual networks far more slowly. Their looks-linear weights prevent that, and their deep plain networks
#   then learn; they call these experiments preliminary. You measured the same on one small problem. You also saw such a
#   network go on learning when its gradients were no longer alike.
# * **De and Smith 2020** explain why *residual* networks need batch norm: at the start it makes the branches small
#   beside the shortcut, by about the root of the depth, so that each block is close to the identity. Anything else that
#   does so should work as well, and SkipInit does. Their claim is about residual networks, not about plain ones.
#
# All three have something in common. The *deep* networks that learn start **close to the identity, or to a linear
# map**: by shortcuts and batch norm, by shortcuts and SkipInit, or by weights that look linear. In such a network the
# gradients grow less and shatter less, the steps of all layers are of similar size, and the function is simple. Which
# of these is *the* reason, if it is only one, is open. You have also seen only 256 images and 200 steps, one width and
# one or two seeds. How much of this carries over to real training is another question.
#
# ## The loss around the weights
#
# The last instrument makes figures that you will find in many talks. Take the trained weights and a random direction in
# the space of all weights, and draw the loss along it. With batch norm, weights that are ten times as large give the
# same network, but a step of the same length has a tenth of the effect. So each filter of the direction must be
# rescaled:

# %% tags=["task"]
task("9.4")

# %%
print(inspect.getsource(filter_normalised_direction))
alphas = np.linspace(-1, 1, 21)
slices = {}
for kind in ("plain", "resnet"):
    model = deep[kind].networks[STEPS]
    directions = [filter_normalised_direction(model, np.random.default_rng(seed)) for seed in range(2 if FAST else 4)]
    slices[kind] = [loss_slice(model, x[:64], labels[:64], direction, alphas) for direction in directions]
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
plot_slices(ax, alphas, slices)
plt.show()
if not FAST:
    assert min(map(min, slices["resnet"])) < 0.2 < min(map(min, slices["plain"])), "only one of them sits in a valley"

# %% [markdown]
# The residual network is at the bottom of a bowl. The plain one is on a plateau near the loss of guessing (the grey
# line), and none of these directions leads far down.
#
# The figure does not show *why*. These are a few random directions among many thousands, and the two networks are
# compared at points of very different loss: one has learned, the other has not. Li et al. 2018 compare networks that
# were trained to the end, and deep ones without shortcuts have a rugged loss there. Such a figure describes; it does
# not explain, because it comes without a control.
#
# ## What is said, and what you measured
#
# | it is said | what you measured |
# |---|---|
# | deep plain networks overfit | no: their *training* error is higher |
# | their gradients vanish | without batch norm, if the weights start too small; with batch norm they *grow* |
# | large gradients at the start are to blame | they fade in 20 steps; with equal steps the network still fails |
# | shattered gradients are to blame | weights that avoid them at the start help, but they change more than that |
# | the effective learning rate collapses | yes, in the first layers; but preventing it was not enough |
# | batch norm makes depth possible | no: the plain networks here have it |
# | without batch norm a residual network cannot be trained | it can, if its blocks start as the identity |
# | without shortcuts a deep network cannot be trained | it can, if it starts close to a linear map |
#
# ## Questions to think about
#
# <details><summary>An effect fades within 20 of 200 steps. How can it still be the cause of the failure? And how would
# you test that?</summary>
#
# It can leave damage. Here, the first steps replace the weights of the first layers, and later steps can hardly change
# them. To test it, remove the effect in those steps only: train with equal relative steps for the first 20 steps, and
# with plain SGD from there on. The control in this chapter is stronger, because it removes the unequal steps
# throughout.
#
# </details>
#
# <details><summary>Why did the residual network have to go through the control with equal steps as well?</summary>
#
# If it had failed too, the control itself would have kept networks from learning, and the failure of the plain network
# would have said nothing. A control needs a control.
#
# </details>
#
# <details><summary>You want to separate suspect 2 from "the function is close to linear". Which experiment could do
# that?</summary>
#
# You need a network that is far from linear at the start, and whose gradients are not shattered; or one that is close
# to linear and whose gradients are. Both are hard to find, because both properties depend on how fast the layers drive
# nearby points apart. That is one reason why the question is open. A start would be to change the two gradually, for
# instance by weights that are partly mirrored and partly independent, and to see which of the two measures predicts
# the training error better.
#
# </details>
#
# To go on: `record(model, x, labels)` also has the standard deviation of each output, the "layer responses" of figure 7
# of the paper. After tutorial 10 you will have a network that was trained for long enough to look at them.
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `network("plain", 56)` | no such model in torchvision; write the block without `out += identity` |
# | `record(model, x, labels)` | `register_forward_hook` and `register_full_backward_hook` on every module |
# | `without_batchnorm(model)` | replace the modules by `torch.nn.Identity()` |
# | He's initial weights | `torch.nn.init.kaiming_normal_(w, nonlinearity="relu")` |
# | `look_linear`, orthogonal part | `torch.nn.init.orthogonal_` for the matrix; the rest by hand |
# | `ScaledAdd`'s alpha | `torch.nn.Parameter(torch.zeros(1))` |
# | `EqualSteps` | no such optimizer in `torch.optim`; some libraries have LARS |
#
# ## Sources
#
# * He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition": section 1 (degradation, the added
#   identity layers), section 4.1 (healthy norms, the conjecture), figures 1 and 6.
# * He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers", section 2.2 (initial weights).
# * Yang, Pennington, Rao, Sohl-Dickstein and Schoenholz 2019, "A Mean Field Theory of Batch Normalization", ICLR.
# * Balduzzi, Frean, Leary, Lewis, Ma and McWilliams 2017, "The Shattered Gradients Problem: If resnets are the answer,
#   then what is the question?", ICML.
# * De and Smith 2020, "Batch Normalization Biases Residual Blocks Towards the Identity Function in Deep Networks",
#   NeurIPS.
# * Van Laarhoven 2017, "L2 Regularization versus Batch and Weight Normalization".
# * You, Gitman and Ginsburg 2017, "Large Batch Training of Convolutional Networks" (LARS).
# * Li, Xu, Taylor, Studer and Goldstein 2018, "Visualizing the Loss Landscape of Neural Nets", NeurIPS, section 4.
#
# Next: [10 CIFAR-10 for real](10_cifar10.py), where the residual network meets photographs.
