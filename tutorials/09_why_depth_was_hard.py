# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 09 Why depth was hard
#
# In 2015 everybody knew that deeper networks see better, and that beyond some twenty layers they get worse. The
# residual connection ended that. This tutorial repeats the experiment, and then looks for the reason with a ruler in
# hand: much of what is told about it ("the gradients vanish") is not what you will measure.
#
# At the end you will be able to
#
# * show degradation: a deeper plain network that has a higher error **on its own training images**;
# * predict how a signal and a gradient grow or shrink through 50 layers, with batch norm and without, and check it;
# * say what batch norm repairs, what it breaks, and what the shortcut does that batch norm cannot;
# * draw the loss around a trained network, and say what such a picture shows and what it does not.
#
# **Needs:** 04 (batch norm), 06 (the residual connection), 08 (training).
# **Time:** 50 minutes to read and try; three to four minutes to run on two cores.

# %%
import inspect
import math
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import solutions, task
from resnet_scratch.data import load, normalise, training_batches
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.insight.landscape import filter_normalised_direction, loss_slice, loss_surface
from resnet_scratch.insight.passes import record
from resnet_scratch.insight.pictures import draw_surface
from resnet_scratch.layers import BatchNorm2d, Conv2d, ReLU, Sequential
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import CONFIGS, build
from resnet_scratch.models.blocks import BasicBlock, PlainBlock
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import multi_step, one_cycle
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
DEPTHS = (8, 20) if FAST else (8, 20, 32, 56)
STEPS = 60 if FAST else 200
DEEPEST = DEPTHS[-1]
COLOURS = {"plain": "#cc5533", "resnet": "#4477aa"}
MARKERS = {"plain": "s", "resnet": "o"}
NAMES = {"plain": "plain", "resnet": "residual"}

# %% [markdown]
# ## A deeper network can always do what a shallower one does
#
# Here is the puzzle, as He et al. put it (section 1). Take a trained network. Put more layers on top that change
# nothing. The result is deeper and exactly as good. So among the settings of the deeper network's weights there is one
# that is at least as good as the shallow network: training has only to find it, or something better.
#
# Are there layers that change nothing? A 3x3 convolution whose kernel is a one in the middle takes every pixel as it
# is. And ReLU changes nothing where nothing is negative, which is so behind any other ReLU.

# %%
rng = np.random.default_rng(0)
conv, relu = Conv2d(1, 1, 3, padding=1, bias=False, rng=rng), ReLU()
conv.weight.value[...] = 0
conv.weight.value[1, 1] = 1  # the middle of the window

picture = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
once = relu(conv(picture))
hundred_times = picture
for _ in range(100):
    hundred_times = relu(conv(hundred_times))
print(hundred_times[0, :, :, 0])
assert np.array_equal(once, picture) and np.array_equal(hundred_times, picture), "a hundred such layers change nothing"

# %% [markdown]
# So a deep network that is no worse **exists**. Whether gradient descent **finds** it is the question of this tutorial.
#
# ## The experiment
#
# Two networks that differ in one thing. Look for it:

# %%
print(inspect.getsource(PlainBlock.__init__))
print(inspect.getsource(BasicBlock.forward))

# %% [markdown]
# The same convolutions, the same batch norm, the same ReLU, the same number of weights: the residual block computes one
# addition more.
#
# What do we train on? The claim is about the *training* error, so augmentation, test images and overfitting would only
# blur it. We take 256 pictures, and ask each network to learn these 256 by heart. To make it quick the pictures are
# shrunk to 16x16 and the networks have half the paper's channels (8, 16, 32); the depths are the paper's.

# %%
shapes = load()
IMAGES = 256


def shrink(images):
    """uint8 (N, 32, 32, 3) -> (N, 16, 16, 3): the mean of each 2x2 pixels."""
    return images.reshape(len(images), 16, 2, 16, 2, 3).mean((2, 4)).astype(np.uint8)


small = replace(shapes, train_images=shrink(shapes.train_images[:IMAGES]), train_labels=shapes.train_labels[:IMAGES])
x = normalise(small.train_images, small.mean, small.std)  # (256, 16, 16, 3), what the networks are fed
labels = small.train_labels

fig, axes = plt.subplots(1, 8, figsize=(8, 1.4))
for ax, image, label in zip(axes, small.train_images, labels):
    ax.imshow(image)
    ax.set_title(shapes.classes[label], fontsize=8)
    ax.set_axis_off()
plt.show()


# %%
def network(kind, depth, seed=0):
    """A plain or a residual network for these pictures: the paper's, with half of its channels."""
    config = replace(CONFIGS[f"{kind}{depth}"], widths=(8, 16, 32))
    return build(config, rng=np.random.default_rng(seed))


for depth in DEPTHS:
    sizes = {kind: sum(p.value.size for p in network(kind, depth).parameters()) for kind in ("plain", "resnet")}
    print(f"depth {depth:2}: {sizes['plain']:,} weights without shortcuts, {sizes['resnet']:,} with them")
    assert sizes["plain"] == sizes["resnet"], "a shortcut has no weights"

# %% [markdown]
# **Predict.** Every network has enough weights to learn 256 pictures by heart. All are trained with the same images,
# the same order, the same learning rates. Write down, for each depth, which of the two will have the lower training
# error.


# %%
def fit(model, steps=STEPS, learning_rate=0.1, seed=0):
    """Train on the 256 pictures; returns the loss of every step."""
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=1e-4)
    batches = training_batches(small, 64, seed, augment=False)
    return [float(step.loss) for step in train(model, optimizer, batches, one_cycle(learning_rate, steps), steps)]


def training_error(model):
    """The share of the 256 pictures that are classified wrongly, with the statistics of the batch, as in training."""
    logits, _ = model.forward(x, training=True)
    return float((logits.argmax(1) != labels).mean())


trained, losses, errors = {}, {}, {}
for depth in DEPTHS:
    for kind in ("plain", "resnet"):
        model = network(kind, depth)
        losses[kind, depth] = fit(model)
        trained[kind, depth] = model
        errors[kind, depth] = training_error(model)
    print(f"depth {depth:2}, training error: plain {errors['plain', depth]:5.1%}, "
          f"residual {errors['resnet', depth]:5.1%}")  # fmt: skip

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
WINDOW = 8
for (kind, depth), curve in losses.items():
    smooth = np.convolve(curve, np.ones(WINDOW) / WINDOW, "valid")
    shade = 0.35 + 0.65 * (DEPTHS.index(depth) + 1) / len(DEPTHS)
    left.plot(np.arange(len(smooth)) + WINDOW, smooth, color=COLOURS[kind], alpha=shade, lw=0.8 + 1.6 * shade,
              ls="--" if kind == "plain" else "-")  # fmt: skip
    if kind == "plain":
        left.annotate(f"{depth}", (len(curve), smooth[-1]), (4, 0), textcoords="offset points", fontsize=8,
                      color=COLOURS[kind], va="center")  # fmt: skip
left.set(xlabel="step", ylabel="training loss", title="dashed: plain (depth at the end), solid: residual")
left.axhline(math.log(10), color="grey", lw=0.8, ls=":")
left.text(STEPS, math.log(10) + 0.03, "guessing", fontsize=8, ha="right", va="bottom", color="grey")
left.set_ylim(0, None)
for kind in ("plain", "resnet"):
    right.plot(DEPTHS, [100 * errors[kind, depth] for depth in DEPTHS], marker=MARKERS[kind], color=COLOURS[kind],
               ls="--" if kind == "plain" else "-", label=NAMES[kind])  # fmt: skip
right.set(xlabel="layers", ylabel="training error (%)", ylim=(-3, 100), xticks=DEPTHS, title="after the last step")
right.legend(frameon=False)
for ax in (left, right):
    ax.title.set_fontsize(10)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

assert errors["plain", DEEPEST] > errors["resnet", DEEPEST] + 0.2, "the deep plain network should be far behind"

# %% [markdown]
# That is **degradation**, figure 1 and figure 6 of the paper, on your own machine. Three things to note:
#
# * It is no overfitting: the error is on the images that were trained on.
# * The plain network of 8 layers has no trouble. The *same* plain blocks, more of them, do.
# * It is also not the case that a deep plain network cannot learn at all. Give it more steps, and the one of 20 or 32
#   layers gets there. It is *slow*, and slower the deeper it is. The paper conjectures "exponentially low convergence
#   rates" (section 4.1) and leaves the reason open.
#
# Could it be a badly chosen learning rate? A fair question to any comparison, so here is the answer for the middle of
# our depths.

# %%
middle = DEPTHS[len(DEPTHS) // 2]  # 32, when all four depths are run
for learning_rate in (0.03,) if FAST else (0.01, 0.3):
    pair = {kind: network(kind, middle) for kind in ("plain", "resnet")}
    last = {kind: np.mean(fit(model, learning_rate=learning_rate)[-16:]) for kind, model in pair.items()}
    print(f"{middle} layers, highest learning rate {learning_rate}: loss at the end, "
          f"plain {last['plain']:.3f}, residual {last['resnet']:.3f}")  # fmt: skip
    assert last["resnet"] < last["plain"], "the residual network is ahead at every learning rate"

# %% [markdown]
# ## Suspect 1: do the gradients vanish?
#
# The usual story: on its way back through many layers the gradient is multiplied by something below one at each, so
# that nothing arrives at the first. First without batch norm, where the story comes from.
#
# ### What one layer does, on paper
#
# Forward: let $h$ enter a ReLU, and then a weighted sum over $n$ inputs ($n = 9C$ for a 3x3 convolution), with
# independent weights of mean 0 and variance $\sigma^2$. As often as not $h$ is negative, so ReLU leaves half of
# $E[h^2]$; the sum multiplies by $n\sigma^2$:
#
# $$ E[h_{\text{next}}^2] = \frac{n \sigma^2}{2} E[h^2] $$
#
# Backward: the sum hands back $n \sigma^2$ times as much (as many terms, the same weights), ReLU lets half of it
# through:
#
# $$ \left\| \frac{\partial L}{\partial h} \right\|^2 = \frac{n \sigma^2}{2}
#    \left\| \frac{\partial L}{\partial h_{\text{next}}} \right\|^2 $$
#
# With $\sigma^2 = 2/n$ (He et al. 2015, "Delving Deep into Rectifiers", equations 10 and 14) both factors are one. With
# weights $s$ times that size each layer multiplies the norm by $s$, and $L$ layers by $s^L$. Exponential, yes, but a
# matter of initialisation.
#
# One thing that the formula forgets matters in small pictures: at the border a part of the window lies outside, on
# zeros. Along an axis of $H$ pixels, $3H - 2$ of the $3H$ places that a 3x3 window touches are inside. So per layer the
# norm is multiplied by $s (3H - 2) / 3H$, and $H$ is 16, 8 and 4 in our three stages.
#
# **Predict.** For $s = 0.7$ and as many layers as our deepest network has, what is left of the gradient?

# %%
layers = DEEPEST - 2  # between the first convolution and the last
border = math.prod((3 * H - 2) / (3 * H) for H in (16, 8, 4)) ** (1 / 3)  # per layer, the mean of the three stages
for scale in (1.0, 0.7, 0.5):
    print(f"s = {scale}: each layer leaves {scale * border:.3f}, {layers} layers {(scale * border) ** layers:.0e}")

# %% [markdown]
# Now measure. `record` runs one forward and one backward pass, and writes down for every layer the norm of the gradient
# **at its input**, $\| \partial L / \partial x \|$. (The gradients at the *weights* would hide it: each is the gradient
# that arrives times the signal that is there, and where both shrink from layer to layer, the early layers have the
# large signals and the small gradients, the late ones the reverse: the product is the same everywhere.) Every block,
# plain or residual, ends in a ReLU; we read the norm there.


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
    """(number of the layer, norm of the gradient there) at the last ReLU of each block, in forward order."""
    norms = [r.grad_norm for r in record(model, x[:64], labels[:64]) if r.name.endswith("relu2")]
    return 2 * np.arange(1, len(norms) + 1) + 1, np.array(norms)


SCALES = {1.0: "-", 0.7: "--", 0.5: ":"}
measured = {}
for batchnorm in (False, True):
    for kind in ("plain", "resnet"):
        for scale in SCALES:
            model = scale_weights(network(kind, DEEPEST), scale)
            measured[batchnorm, kind, scale] = gradient_norms(model if batchnorm else without_batchnorm(model))

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, batchnorm in zip(axes, (False, True)):
    for kind in ("plain", "resnet"):
        for scale, style in SCALES.items():
            where, norms = measured[batchnorm, kind, scale]
            ax.semilogy(where, norms, style, color=COLOURS[kind], lw=1.8,
                        label=f"{NAMES[kind]}, s = {scale}")  # fmt: skip
    ax.set(xlabel="layer", title=f"{'with' if batchnorm else 'without'} batch norm, {DEEPEST} layers")
    ax.title.set_fontsize(10)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("norm of dL/dx")
axes[0].legend(frameon=False, fontsize=8, loc="lower right")
plt.show()

# %% [markdown]
# Read the left picture first, from right to left, the way the gradient goes.
#
# * **Plain:** the prediction holds. At $s = 1$ the line falls a little, for the border's sake; at 0.7 and 0.5 it falls
#   fast, and straight on this logarithmic axis. So the gradients of a plain net do vanish, without batch norm, *when
#   the weights start too small*.
# * **Residual:** the shortcut does keep a network with small weights alive. But at $s = 1$ the gradient **grows**,
#   again by a factor per block, and so does the signal: each block adds its branch to what the shortcut carries. That
#   is fine for 20 layers; the factor, to the power of a hundred blocks, is an explosion.

# %%
for scale in SCALES:
    where, norms = measured[False, "plain", scale]
    per_layer = (norms[0] / norms[-1]) ** (1 / (where[-1] - where[0]))
    print(f"plain, no batch norm, s = {scale}: each layer multiplies the gradient by {per_layer:.3f}, "
          f"predicted {scale * border:.3f}")  # fmt: skip
    assert abs(per_layer / scale / border - 1) < 0.1, "one layer should multiply the gradient by s, but for the border"

blocks = (DEEPEST - 2) // 2
output = [r.std for r in record(without_batchnorm(network("resnet", DEEPEST)), x[:64], labels[:64])
          if r.name.endswith("add")]  # fmt: skip
each = (output[-1] / output[0]) ** (1 / (blocks - 1))
print(
    f"\nresidual, no batch norm, s = 1: {blocks} blocks bring the signal from {output[0]:.2f} to {output[-1]:.3g}, "
    f"{each:.2f} per block; a hundred such blocks would make {each**100:.0e}"
)

# %% [markdown]
# ### With batch norm
#
# Now the right picture. The lines for $s = 1$, 0.7 and 0.5 lie on one another: batch norm divides by whatever size the
# signal has, so the size of the weights does not matter, to the signal or to the gradient at $x$. (It does to the
# gradient at the weights, which is $1/s$ times as large: the same step to a smaller weight turns it further.) The few
# per cent that may be left are batch norm's `eps`, which is not scaled with the rest, and whose tiny effect grows from
# layer to layer.

# %%
for kind in ("plain", "resnet"):
    reference, smaller = (measured[True, kind, scale][1] for scale in (1.0, 0.5))
    difference = np.abs(smaller / reference - 1).max()
    print(f"{kind}: halving all weights changes no gradient norm by more than {difference:.2%}")
    assert difference < 0.15, "with batch norm the scale of the weights must not matter"

# %% [markdown]
# And the plain network's gradient does not vanish: on its way back it **grows**, at every layer. Why? Here are the same
# two lines of paper, with batch norm. It makes $h$ have mean 0 and variance 1 over the batch. Behind ReLU, for normal
# $h$:
#
# $$ E[\mathrm{relu}(h)^2] = \tfrac12, \qquad E[\mathrm{relu}(h)] = \tfrac{1}{\sqrt{2\pi}}, \qquad
#    \mathrm{Var}[\mathrm{relu}(h)] = \tfrac12 - \tfrac1{2\pi} = \frac{\pi - 1}{2\pi} $$
#
# The mean is the same for all images of the batch, so the next batch norm takes it off again; what it divides by is the
# root of $n\sigma^2 \frac{\pi-1}{2\pi}$. Backward, the squared norm is multiplied by $n\sigma^2$ (the sum), by
# $\tfrac12$ (ReLU), and divided by that variance:
#
# $$ n\sigma^2 \cdot \frac12 \cdot \frac{2\pi}{n\sigma^2 (\pi - 1)} = \frac{\pi}{\pi - 1} $$
#
# The weights' variance has dropped out, and what is left is larger than one: ReLU throws half of the gradient away, but
# batch norm finds less than half of the signal's *variance* left and divides by it. (Yang et al. 2019 derive this with
# all its conditions; the short form here treats the batch's statistics as constants and the numbers as independent.)

# %%
predicted = math.sqrt(math.pi / (math.pi - 1))
for kind in ("plain", "resnet"):
    where, norms = measured[True, kind, 1.0]
    per_layer = (norms[0] / norms[-1]) ** (1 / (where[-1] - where[0]))
    print(f"{kind:6}: each layer multiplies the gradient by {per_layer:.3f}, {where[-1] - where[0]} layers by "
          f"{norms[0] / norms[-1]:.3g}")  # fmt: skip
print(f"predicted for plain, wide layers: {predicted:.3f}")
growth = (measured[True, "plain", 1.0][1][0] / measured[True, "plain", 1.0][1][-1]) ** (1 / (DEEPEST - 4))
assert 1.1 < growth < 1.25, "with batch norm a plain network's gradient grows on its way back"

# %% [markdown]
# So at the start the first layers of a deep plain network with batch norm get a gradient that is not too small but too
# *large*. The residual network's grows as well, but slowly: its stream gets larger with every block, batch norm divides
# each branch by that, and so the branches add ever less to the gradient (De and Smith 2020).
#
# Is *that* the reason, then? Look at the same norms again after training has begun.

# %%
SNAPSHOTS = (0, 5, 20, STEPS)
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
for ax, kind in zip(axes, ("plain", "resnet")):
    model = network(kind, DEEPEST)
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=1e-4)
    snapshots = {0: gradient_norms(model)}
    for step in train(model, optimizer, training_batches(small, 64, 0, augment=False), one_cycle(0.1, STEPS), 20):
        if step.number in SNAPSHOTS:
            snapshots[step.number] = gradient_norms(model)
    snapshots[STEPS] = gradient_norms(trained[kind, DEEPEST])
    for (number, (where, norms)), shade in zip(snapshots.items(), (0.3, 0.5, 0.75, 1)):
        ax.semilogy(where, norms, color=COLOURS[kind], alpha=shade, lw=1 + shade, label=f"after {number} steps")
        print(f"{kind:6} after {number:3} steps: from last layer to first the norm changes by a factor of "
              f"{norms[0] / norms[-1]:.3g}")  # fmt: skip
    ax.set(xlabel="layer", title=f"{NAMES[kind]}, {DEEPEST} layers")
    ax.title.set_fontsize(10)
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("norm of dL/dx")
plt.show()

# %% [markdown]
# Within some twenty steps the plain network's gradients have evened out. (That batch-normalised networks come to rest
# like this almost at once is also in Yang et al.) This is what the paper reports: "we also verify that the backward
# propagated gradients exhibit healthy norms with BN" (section 4.1). The plain network has well-sized gradients for
# nearly all of its training, and still hardly learns. *The size of the gradients is not the answer.*
#
# ## Suspect 2: do the gradients still mean anything?
#
# A gradient can have the right length and point nowhere in particular. Take an image and a copy with a little noise on
# it. A useful network treats the two alike, and wants the same changes for both. Follow the pair up through an
# untrained network: how far apart are the two, compared with how far apart different images are?


# %%
def block_outputs(model, images):
    """What every block puts out, in training mode."""
    outputs = []
    for name, layer in model.children():
        for _, part in layer.children() if name.startswith("layer") else [(name, layer)]:
            images, _ = part.forward(images, training=True)
            if name.startswith("layer"):
                outputs.append(images)
    return outputs


noise = 0.05 * np.random.default_rng(1).standard_normal(x[:64].shape).astype(np.float32)
pairs = np.concatenate([x[:64], x[:64] + noise])  # each image, and 64 places further its copy

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for kind in ("plain", "resnet"):
    apart = []
    for output in block_outputs(network(kind, DEEPEST), pairs):
        flat = output.reshape(128, -1)
        copies = np.linalg.norm(flat[:64] - flat[64:], axis=1).mean()
        strangers = np.linalg.norm(flat[:64] - np.roll(flat[:64], 1, axis=0), axis=1).mean()
        apart.append(copies / strangers)
    left.plot(2 * np.arange(1, len(apart) + 1) + 1, apart, color=COLOURS[kind], marker=MARKERS[kind], ms=3,
              label=NAMES[kind])  # fmt: skip
    print(f"{kind:6}: a noisy copy is {apart[0]:.2f} of the way to another image after the first block, "
          f"{apart[-1]:.2f} after the last")  # fmt: skip

    model = network(kind, DEEPEST)
    logits, cache = model.forward(pairs, training=True)
    grad_x = model.backward(softmax_cross_entropy(logits, np.tile(labels[:64], 2))[1], cache).reshape(128, -1)
    unit = grad_x / np.linalg.norm(grad_x, axis=1, keepdims=True)
    cosines = (unit[:64] * unit[64:]).sum(1)
    right.hist(cosines, np.linspace(-0.2, 1, 31), color=COLOURS[kind], alpha=0.7,
               label=NAMES[kind])  # fmt: skip
    print(f"        cosine between the two gradients at the pixels: {cosines.mean():.2f} on average")
left.set(xlabel="layer", ylabel="distance of copies / of strangers", ylim=(0, 1.05), title="on the way up")
right.set(xlabel="cosine of the gradients of image and copy", ylabel="images", title="back at the pixels")
for ax in (left, right):
    ax.title.set_fontsize(10)
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# There is a difference at last. In the deep plain network a copy with a little noise ends up about as far away as any
# other image, and its gradient points somewhere else: what is learned from one image says little about the next one. In
# the residual network the pair stays a pair, because the shortcuts carry it past the layers.
#
# It is the same calculation as before, run forward: what multiplies small gradients multiplies small differences.
# Balduzzi et al. 2017 call it *shattered gradients*: with depth, the gradient of a plain network as a function of the
# image comes to look like noise, that of a residual network far less. It is a good explanation of what we see, not a
# proof, and not the only one on offer.
#
# ## What the layers do: the size of their responses
#
# Another of the paper's measurements, figure 7: the standard deviation of each layer's output behind batch norm. There
# the trained residual networks had smaller responses than the plain ones, and the deeper the network the smaller: each
# block changes the signal a little. Before you measure it here: what must the standard deviation be at the start?

# %%
fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for kind in ("plain", "resnet"):
    for model, style, when in ((network(kind, DEEPEST), ":", "at the start"), (trained[kind, DEEPEST], "-", "trained")):
        responses = [r.std for r in record(model, x, labels) if r.kind == "BatchNorm2d"]
        ax.plot(responses, style, color=COLOURS[kind], label=f"{NAMES[kind]}, {when}")
        print(f"{kind:6} {when:12}: median {np.median(responses):.3f}, "
              f"from {min(responses):.3f} to {max(responses):.3f}")  # fmt: skip
        if style == ":":
            assert np.allclose(responses, 1, atol=1e-2), "batch norm begins with weight 1 and bias 0"
ax.set(xlabel="layer", ylabel="std behind batch norm", ylim=(0, None))
ax.legend(frameon=False, fontsize=8, ncols=2)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# At the start it is 1 everywhere, whatever the network: that is what batch norm is for. What figure 7 shows is
# therefore entirely *learned*, by batch norm's own weights, and it took the paper 64,000 steps. In our few steps most
# responses have hardly moved (if the first layers of the plain network stand out, remember what large gradients they
# got at the start); do not read the paper's figure into this one. Even weight decay alone, which multiplies every
# weight by (1 - learning rate * decay / (1 - momentum)) at each step, roughly, has had no time:

# %%
for steps, rates in ((STEPS, one_cycle(0.1, STEPS)), (64_000, multi_step(0.1, (32_000, 48_000)))):
    shrunk = math.exp(-sum(rates(k) for k in range(steps)) * 1e-4 / (1 - 0.9))
    print(f"{steps:6} steps: weight decay alone would shrink a weight to {shrunk:.2f} of its size")

# %% [markdown]
# (The second line is the paper's schedule, its section 4.2.) After tutorial 10 you will have a network that was
# trained for longer: run the cell above on it.
#
# ## The loss around the weights
#
# The last instrument is a picture. Take the trained weights, a random direction in the space of all weights, and draw
# the loss along it. One care is needed: with batch norm, weights ten times as large make the same network, in which a
# step of the same length is ten times as small. So each filter of the direction gets the norm of the filter that it
# will be added to (Li et al. 2018, section 4).

# %%
print(inspect.getsource(filter_normalised_direction))

# %%
alphas = np.linspace(-1, 1, 21)
fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained", sharey=True)
for ax, kind in zip(axes, ("plain", "resnet")):
    model = trained[kind, DEEPEST]
    for seed in range(2 if FAST else 5):
        direction = filter_normalised_direction(model, np.random.default_rng(seed))
        ax.plot(alphas, loss_slice(model, x[:64], labels[:64], direction, alphas), color=COLOURS[kind], alpha=0.7)
    ax.axhline(math.log(10), color="grey", lw=0.8, ls=":")
    ax.set(xlabel="step along a random direction", title=f"{NAMES[kind]}, {DEEPEST} layers")
    ax.title.set_fontsize(10)
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("loss")
axes[1].text(1, math.log(10) + 0.03, "guessing", fontsize=8, ha="right", va="bottom", color="grey")
plt.show()

# %% [markdown]
# And in two directions at once, as contour lines. The numbers on the lines are losses; the cross is where training
# ended.

# %%
grid = np.linspace(-1, 1, 7 if FAST else 17)
fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.9), layout="constrained")
for ax, kind in zip(axes, ("plain", "resnet")):
    model = trained[kind, DEEPEST]
    rng = np.random.default_rng(0)
    one, other = (filter_normalised_direction(model, rng) for _ in range(2))
    surface = loss_surface(model, x[:64], labels[:64], one, other, grid)
    draw_surface(ax, grid, surface)
    ax.plot(0, 0, "x", color="black", ms=8, mew=2)
    ax.set_title(f"{NAMES[kind]}: loss {surface.min():.2f} to {surface.max():.2f}", fontsize=10)
plt.show()

# %% [markdown]
# What is to be seen: the residual network sits at the bottom of a wide, smooth bowl. The plain one sits on a plain:
# near the loss of guessing, and hardly any direction leads down.
#
# What is *not* to be seen: why. These are two random directions among many thousands, and the two networks are compared
# at places of very different loss. Li et al. show the same for networks that were trained to the end (their figures 1
# and 5), where the loss of a deep network without shortcuts is rugged around its minimum. A picture of two dimensions
# is a good servant: it shows that there is something to explain.
#
# ## What is so, and what is told
#
# | it is said | what you measured |
# |---|---|
# | deep plain networks overfit | no: their *training* error is higher |
# | their gradients vanish (without batch norm) | yes if the weights start too small; at He's initialisation, no |
# | their gradients vanish (with batch norm) | no: at the start they *grow*, by a sixth per layer, and then even out |
# | shortcuts keep gradients from vanishing | with small weights and without batch norm, yes; at He's, they explode |
# | batch norm alone makes depth possible | no: the plain networks here have it |
# | a deep plain network cannot learn | it can, slowly, the more slowly the deeper |
# | what shortcuts change | like images stay alike through all layers, and so do their gradients |
#
# ## Exercises

# %% tags=["task"]
task("9.1")

# %% tags=["task"]
task("9.2")

# %% tags=["task"]
task("9.3")

# %% tags=["task"]
task("9.4")

# %% tags=["task"]
task("9.5")

# %% [markdown]
# A block does not mind which addition it holds: it hands `add` two arrays forward, and gets two gradients back. The
# gradients of the branch and of the shortcut meet in `add_gradients`, which has no alpha, because $x$ was used twice as
# it is. So a whole block with your addition must pass the gradient check:

# %%
block = BasicBlock(3, 4, 2, "B", np.random.default_rng(0))
block.add = solutions()["9.5"]()
block.add.alpha.value[:] = 0.7  # with 0 the branch would get no gradient at all
report = gradcheck(block.astype(np.float64), np.random.default_rng(1).standard_normal((2, 5, 6, 3)))
print(report)
assert report, "a block with a scaled addition must pass the gradient check"

# %% [markdown]
# To go on: build the deepest residual network **without** batch norm twice, once as it is and once with your
# `ScaledAdd` in place of `add` in every block (`block.add = ScaledAdd()`), and train both with `fit`. What becomes of
# the loss of each? Remember what you measured about the signal under suspect 1.
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `network("plain", 56)` | no such model in torchvision; write the block without `out += identity` |
# | `record(model, x, labels)` | `register_forward_hook` and `register_full_backward_hook` on every module |
# | the norm of dL/dx | `x.retain_grad()`, then `x.grad.norm()` |
# | `without_batchnorm(model)` | set the modules to `torch.nn.Identity()` |
# | `filter_normalised_direction`, `loss_slice` | the package `loss-landscapes`, or Li et al.'s own code |
# | weights scaled by s | `torch.nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu")`, then `w.mul_(s)` |
#
# ## Sources
#
# * He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition": section 1 (degradation, the
#   construction by identity layers), section 4.1 (healthy norms, the conjecture), section 4.2 with figures 6 and 7.
# * He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers", section 2.2, equations 10 and 14.
# * Yang, Pennington, Rao, Sohl-Dickstein and Schoenholz 2019, "A Mean Field Theory of Batch Normalization", ICLR.
# * De and Smith 2020, "Batch Normalization Biases Residual Blocks Towards the Identity Function in Deep Networks",
#   NeurIPS.
# * Balduzzi, Frean, Leary, Lewis, Ma and McWilliams 2017, "The Shattered Gradients Problem", ICML.
# * Li, Xu, Taylor, Studer and Goldstein 2018, "Visualizing the Loss Landscape of Neural Nets", NeurIPS, section 4.
#
# In the next tutorial, 10, the residual network meets photographs: CIFAR-10.
