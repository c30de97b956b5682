# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 08 Training
#
# A network with random weights, images with labels, and five steps that are repeated some thousand times. This
# tutorial goes through the five steps once by hand, then through every choice in them: how far to step, with what
# momentum, with what decay, from where to start. And it teaches the craft around them: what to try first, and how to
# read a loss curve.
#
# At the end you will be able to
#
# * carry out one step of training by hand, and predict how much the loss will fall;
# * say what momentum, weight decay, a schedule, augmentation and the initialisation each do, and show it;
# * find a learning rate in a minute, and recognise from a curve one that is too small or too large;
# * check a new network in the right order: first loss, one batch, small run, real run.
#
# **Needs:** 05 (softmax cross-entropy), 07 (building ResNets).
# **Time:** 60 minutes to read and try; about three minutes to run on two cores, most of it the real run at the end.

# %%
import inspect
import math
import os
from dataclasses import replace
from itertools import repeat

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.data import load, normalise, random_crop, random_flip, training_batches
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.layers.initializers import kaiming_normal
from resnet_scratch.insight.learning_rate import find_learning_rate
from resnet_scratch.layers.layer import Parameter
from resnet_scratch.layers import BatchNorm2d, Conv2d, ReLU, Sequential
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.experiment.recipe import RECIPES
from resnet_scratch.schedules import constant, cosine, multi_step, one_cycle, warmup
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
LINES = ("-", "--", "-.", ":")

# %% [markdown]
# ## The five steps
#
# This is the whole training loop. Logging, checkpoints and progress bars stand around it, in other files.
# `backward_to_parameters` is `backward` without the gradient with respect to the images, which training does not need.

# %%
print(inspect.getsource(train))

# %% [markdown]
# Now once by hand, on 32 images.

# %%
shapes = load()
x = normalise(shapes.train_images[:32], shapes.mean, shapes.std)
labels = shapes.train_labels[:32]

model = build("resnet8", classes=10, rng=np.random.default_rng(0))  # 1. initialise
logits, cache = model.forward(x, training=True)  # 2. forward
loss, grad_logits = softmax_cross_entropy(logits, labels)  # 3. loss
model.backward_to_parameters(grad_logits, cache)  # 4. backward

print(f"logits {logits.shape}, loss {loss:.3f}")
for name, parameter in list(model.named_parameters())[:4]:
    print(f"{name:22} value {parameter.value.shape}, gradient {parameter.grad.shape}")

# %% [markdown]
# Before anything else look at **the first loss**. A network that knows nothing should give each of ten classes about
# the same probability, and $-\log \frac{1}{10} = \log 10$.

# %%
print(f"first loss {loss:.3f}, log 10 = {math.log(10):.3f}")
assert abs(loss - math.log(10)) < 0.5, "a first loss far from log(classes): logits too large, or a bug"

# %% [markdown]
# The fifth step moves every weight a little against its gradient: $w \leftarrow w - \eta \, g$, where $\eta$ is the
# learning rate. How much will the loss fall? To first order, by the product of the gradient and the step:
#
# $$ L(w - \eta g) \approx L(w) - \eta \, \|g\|^2 $$
#
# **Predict:** for which $\eta$ will that be right, and for which wrong?

# %%
squared_norm = sum(float((p.grad**2).sum()) for p in model.parameters())
print("learning rate   loss falls by     predicted")
falls = {}
for learning_rate in (1e-4, 1e-3, 1e-2, 1e-1, 1.0):
    before = [p.value.copy() for p in model.parameters()]
    for parameter in model.parameters():
        parameter.value -= learning_rate * parameter.grad  # 5. update
    after, _ = softmax_cross_entropy(model.forward(x, training=True)[0], labels)
    for parameter, value in zip(model.parameters(), before):
        parameter.value = value
    falls[learning_rate] = float(loss - after)
    print(f"{learning_rate:13} {falls[learning_rate]:15.5f} {learning_rate * squared_norm:13.5f}")
assert abs(falls[1e-3] / (1e-3 * squared_norm) - 1) < 0.1, "for a small step the loss must fall as the gradient says"

# %% [markdown]
# For small steps to within a few per cent: that is a gradient check of the whole network at once. For large steps the
# straight line is no good guide any more. Learning rates live between: as large as they can be without leaving the
# range in which the gradient means something.
#
# ## Overfit one batch first
#
# The quickest test of a whole training program: give it the same 32 images again and again. It must learn them by
# heart.

# %%
STEPS_ON_ONE = 40
model = build("resnet8", rng=np.random.default_rng(0))
optimizer = SGD(model.parameters(), momentum=0.9)
one_batch = [float(step.loss) for step in train(model, optimizer, repeat((x, labels)), constant(0.1), STEPS_ON_ONE)]
print("every fifth loss:", np.round(one_batch[::5], 3), "last:", round(one_batch[-1], 4))
assert one_batch[-1] < 0.1, "a network that cannot learn one batch by heart has a bug"

# %% [markdown]
# If this fails, nothing larger will work: look for a wrong sign, a layer without gradient, a learning rate of zero,
# labels of the wrong shape. But know what the test does *not* find. **Predict:** we give every image the label of
# another one. Will the loss still go to zero?

# %%
shuffled = np.random.default_rng(1).permutation(labels)
model = build("resnet8", rng=np.random.default_rng(0))
optimizer = SGD(model.parameters(), momentum=0.9)
wrong = [float(step.loss) for step in train(model, optimizer, repeat((x, shuffled)), constant(0.1), STEPS_ON_ONE)]
print(f"{(shuffled != labels).mean():.0%} of the labels are wrong; last loss {wrong[-1]:.4f}")
assert wrong[-1] < 0.1

# %% [markdown]
# It learns nonsense by heart just as well. (Zhang et al. 2016 did this with all of CIFAR-10.) Nor does the test find a
# gradient that is a little wrong: gradient checks do (tutorial 03).
#
# ## How far to step
#
# What a learning rate does is easiest to see on a bowl, $L(w) = \frac12 (\lambda_1 w_1^2 + \lambda_2 w_2^2)$, flat
# along one axis ($\lambda_1 = 1$) and steep along the other ($\lambda_2 = 20$). The gradient is $(\lambda_1 w_1,
# \lambda_2 w_2)$, so each step multiplies $w_i$ by a number:
#
# $$ w_i \leftarrow w_i - \eta \lambda_i w_i = (1 - \eta \lambda_i) \, w_i $$
#
# It shrinks if $|1 - \eta \lambda_i| < 1$, that is if $\eta < 2 / \lambda_i$. **The steepest direction limits the
# learning rate; the flattest one then has to wait.** Here the limit is $2/20 = 0.1$. Predict the three pictures:
# 0.01, 0.09, 0.105.

# %%
CURVATURES = np.array([1.0, 20.0])


def roll(learning_rate, momentum=0.0, steps=30):
    """The way of the library's SGD down the bowl: (steps + 1, 2)."""
    w = Parameter(np.array([-2.0, 0.6]))
    optimizer = SGD([w], momentum=momentum)
    way = [w.value.copy()]
    for _ in range(steps):
        w.grad = CURVATURES * w.value
        optimizer.step(learning_rate)
        way.append(w.value.copy())
    return np.array(way)


runs = {"0.01": roll(0.01), "0.09": roll(0.09), "0.105": roll(0.105), "0.03, momentum 0.8": roll(0.03, 0.8)}
u, v = np.meshgrid(np.linspace(-2.2, 1.2, 80), np.linspace(-1.6, 1.6, 80))
height = (CURVATURES[0] * u**2 + CURVATURES[1] * v**2) / 2
fig, axes = plt.subplots(1, 4, figsize=(10, 2.6), layout="constrained", sharey=True)
for ax, (name, way) in zip(axes, runs.items()):
    ax.contour(u, v, height, levels=np.geomspace(0.05, 30, 9), colors="#bbbbbb", linewidths=0.8)
    ax.plot(*way.T, ".-", color=COLOURS[0], lw=1, ms=4)
    ax.plot(0, 0, "*", color=COLOURS[1], ms=9)
    ax.set(title=f"learning rate {name}", xlim=(-2.2, 1.2), ylim=(-1.6, 1.6), xlabel="$w_1$")
    ax.title.set_fontsize(9)
axes[0].set_ylabel("$w_2$")
plt.show()

expected = np.array([-2.0, 0.6]) * (1 - 0.09 * CURVATURES) ** 30
assert np.allclose(runs["0.09"][-1], expected), "each step multiplies w by 1 - learning_rate * curvature"
for name, way in runs.items():
    print(f"learning rate {name:20} after 30 steps w = ({way[-1, 0]:7.4f}, {way[-1, 1]:8.4f})")

# %% [markdown]
# * **0.01:** no danger, and after 30 steps still far away.
# * **0.09:** jumps from wall to wall along $w_2$, and gets there along $w_1$.
# * **0.105:** every jump along $w_2$ is longer than the last. This is what a diverging loss is.
# * **momentum:** the jumps from wall to wall cancel, the small steps along the valley add up.
#
# ## Momentum
#
# SGD with momentum keeps a velocity: $v \leftarrow \mu v + g$, and then $w \leftarrow w - \eta v$. Unroll it: the
# velocity is $g_t + \mu g_{t-1} + \mu^2 g_{t-2} + \dots$ Where the gradient stays the same, that sums to $g / (1 -
# \mu)$, so the steps become $1/(1-\mu)$ times as long: 10 times for $\mu = 0.9$. Where it changes sign at every step,
# the terms cancel, and the steps become shorter. On the bowl the limit for $\eta$ moves from $2 / \lambda$ to $2 (1 +
# \mu) / \lambda$.

# %%
print(inspect.getsource(SGD.update))

for momentum in (0.0, 0.5, 0.9):
    limit = 2 * (1 + momentum) / CURVATURES[1]
    ends = [np.abs(roll(factor * limit, momentum, steps=2000)[-1]).max() for factor in (0.99, 1.01)]
    print(f"momentum {momentum}: limit {limit:.3f}; 1 % below it ends at {ends[0]:.1e}, 1 % above at {ends[1]:.1e}")
    assert ends[0] < 1e-2 and ends[1] > 1e2, "below the limit it must converge, above it diverge"

# %% [markdown]
# Does a real network behave like that? For experiments that take seconds, here is a small problem: 512 of the
# training images, shrunk to 16x16 pixels. **Predict:** three runs, with the same $\eta / (1 - \mu) = 0.1$. Will their
# loss curves be alike?

# %%
SHORT = 40 if FAST else 120


def shrink(images):
    """uint8 (N, 32, 32, 3) -> (N, 16, 16, 3): the mean of each 2x2 pixels."""
    return images.reshape(len(images), 16, 2, 16, 2, 3).mean((2, 4)).round().astype(np.uint8)


small = replace(
    shapes,
    train_images=shrink(shapes.train_images[:512]),
    train_labels=shapes.train_labels[:512],
    test_images=shrink(shapes.test_images[:1000]),
    test_labels=shapes.test_labels[:1000],
)


def fit(learning_rate, steps=SHORT, momentum=0.9, weight_decay=0.0, seed=0):
    """Train a fresh ResNet-8 on the small problem; the loss of every step, up to the first that is no number."""
    model = build("resnet8", rng=np.random.default_rng(seed))
    optimizer = SGD(model.parameters(), momentum=momentum, weight_decay=weight_decay)
    batches = training_batches(small, 64, seed, augment=False)
    losses = []
    with np.errstate(all="ignore"):  # a diverging run overflows, which is what it is to show
        for step in train(model, optimizer, batches, constant(learning_rate), steps):
            losses.append(float(step.loss))
            if not math.isfinite(losses[-1]):
                break
    return losses


def smooth(losses, window=8):
    """The mean of the last `window` losses: single batches jump."""
    return np.convolve(losses, np.ones(window) / window, "valid")


pairs = ((0.1, 0.0), (0.05, 0.5), (0.01, 0.9))
curves = {(rate, momentum): fit(rate, momentum=momentum) for rate, momentum in pairs}
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
for ((rate, momentum), losses), colour, line in zip(curves.items(), COLOURS, LINES):
    ax.plot(smooth(losses), line, color=colour, label=f"learning rate {rate}, momentum {momentum}")
ax.set(xlabel="step", ylabel="training loss", title="the same learning rate / (1 - momentum)")
ax.legend(frameon=False, fontsize=8)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Nearly the same curve: at small learning rates momentum *is* a larger learning rate. What it gives beyond that comes
# at large rates, where it damps the jumps from wall to wall. In practice: 0.9, and then look for the learning rate.
#
# ## Finding a learning rate
#
# Begin far too small, raise the rate a little at every step, and watch: first nothing happens, then the loss falls,
# then it turns up (Smith 2015). One sweep of a hundred steps says roughly what many runs would.

# %%
model = build("resnet8", rng=np.random.default_rng(0))
optimizer = SGD(model.parameters(), momentum=0.9)
batches = training_batches(small, 64, 0, augment=False)
rates, sweep = find_learning_rate(model, optimizer, batches, low=1e-4, high=10.0, steps=100)
smoothed = smooth(sweep)
lowest = rates[7:][smoothed.argmin()]
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.semilogx(rates, sweep, color="#bbbbbb", lw=1, label="each batch")
ax.semilogx(rates[7:], smoothed, color=COLOURS[0], lw=2, label="mean of the last 8")
ax.axvline(lowest, color=COLOURS[1], ls="--", lw=1, label=f"lowest, at {lowest:.2g}")
ax.set(xlabel="learning rate", ylabel="training loss")
ax.legend(frameon=False, fontsize=8, loc="upper left")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
print(f"the loss was lowest at {lowest:.2g}; a third of that is {lowest / 3:.2g}")

# %% [markdown]
# At its lowest point the loss is about to turn, so take that rate or, safer, a third of it. (`find_learning_rate`
# puts the weights back to where they were; the sweep costs only its time.) Behind the turn the loss need not go on to
# infinity: batch norm has a part in that, as you will see below.
#
# Is the sweep right? Four real runs. **Predict** which curve is which before you read the legend.

# %%
tried = {rate: fit(rate) for rate in (0.001, 0.01, 0.1, 1.0)}
fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
for (rate, losses), colour, line in zip(tried.items(), COLOURS, LINES):
    ax.plot(smooth(losses), line, color=colour, lw=2, label=f"{rate}")
ax.axhline(math.log(10), color="grey", lw=0.8)
ax.text(SHORT - 8, math.log(10) + 0.12, "guessing: log 10", fontsize=8, color="grey", ha="right")
ax.set(xlabel="step", ylabel="training loss", ylim=(0.5, 3.2))
ax.legend(frameon=False, fontsize=8, title="learning rate", loc="lower left")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
for rate, losses in tried.items():
    print(f"learning rate {rate:5}: mean of the last 10 losses {np.mean(losses[-10:]):.3g}")
if not FAST:
    assert np.mean(tried[0.1][-10:]) < np.mean(tried[0.001][-10:]) - 0.5, "0.1 should be well ahead of 0.001 by now"

# %% [markdown]
# ### Reading a loss curve
#
# | what you see | what it may mean | what to do |
# |---|---|---|
# | a straight, slow descent from the first step on | learning rate too small | ten times as much |
# | a jump up at first, then flat near $\log$(classes) | too large: the first steps went far astray | a tenth; warm-up |
# | no longer a number | far too large, or a division by zero, or a log of zero | a tenth; look at the first batch |
# | flat at $\log$(classes) from the start | no gradient, or a rate near zero | one batch; gradient checks |
# | falls, but ends high | the rate does not go down at the end, or the network is too small | a schedule |
# | training loss falls, test loss rises | overfitting | more data, augmentation, decay |
#
# A curve of single batches is noisy, since every batch is another 64 images. Smooth it before you compare; exercise 8.5
# is about how.
#
# ## Schedules
#
# At the start large steps cover the ground. Near the end they only jump about in the valley, and smaller ones get
# down to its floor. A schedule is a function from the number of the step to the learning rate, and the library has
# these:

# %%
TOTAL = 1000
schedules = {
    "multi_step (the paper)": multi_step(0.1, (500, 750)),
    "cosine": cosine(0.1, TOTAL),
    "one_cycle": one_cycle(0.1, TOTAL),
    "warmup of cosine": warmup(cosine(0.1, TOTAL), 100),
}
fig, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
for (name, schedule), colour, line in zip(schedules.items(), COLOURS, LINES):
    ax.plot([schedule(step) for step in range(TOTAL)], line, color=colour, lw=2, label=name)
ax.set(xlabel="step", ylabel="learning rate")
ax.legend(frameon=False, fontsize=8)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# The paper divides by ten at half and at three quarters of 64,000 steps (section 4.2). Warm-up, a gentle beginning,
# helps where the first gradients are large or misleading: the paper needed it for 110 layers. `one_cycle` goes up and
# comes down again within a short run (Smith and Topin 2017). What they have in common, and what matters most: they
# end near zero.
#
# ## Weight decay, and what batch norm makes of it
#
# Weight decay adds $\delta w$ to each gradient, so that every step also shrinks the weights by the factor $1 - \eta
# \delta$. The textbook says: small weights make a smooth function, which overfits less. With batch norm that cannot
# be the reason. **Predict:** multiply the weights of every convolution by ten. What happens to the logits, and what
# to the gradients?

# %%
model = build("resnet8", rng=np.random.default_rng(0))


def forward_and_backward(model):
    """The logits, and (weight, gradient) of the first convolution of the last stage."""
    logits, cache = model.forward(x, training=True)
    model.backward(softmax_cross_entropy(logits, labels)[1], cache)
    weight = dict(model.named_parameters())["layer3.0.conv1.weight"]
    return logits, weight.value.copy(), weight.grad.copy()


logits, weight, grad = forward_and_backward(model)
for _, layer in model.named_layers():
    if isinstance(layer, Conv2d):
        layer.weight.value *= 10
logits_10, _, grad_10 = forward_and_backward(model)
print(f"largest change of a logit: {np.abs(logits_10 - logits).max():.1e}")
print(f"gradient norm before {np.linalg.norm(grad):.4f}, after {np.linalg.norm(grad_10):.5f}")
cosine_between = float((weight * grad).sum() / np.linalg.norm(weight) / np.linalg.norm(grad))
print(f"cosine of weight and gradient: {cosine_between:.1e}")
assert np.allclose(logits_10, logits, atol=1e-2) and abs(cosine_between) < 1e-3

# %% [markdown]
# The logits stay, because batch norm divides by whatever size the signal has. The gradients become a tenth. So a step
# of the same learning rate changes weights that are ten times as large by a tenth as much: relative to the weights it
# is a *hundredth*. And the gradient is at a right angle to the weights, since along them nothing changes; by
# Pythagoras every step makes the weights longer. Without decay they grow and grow, and the steps that count become
# smaller and smaller. Weight decay holds the length, and with it the **effective learning rate** $\eta / \|w\|^2$
# (van Laarhoven 2017). See it:

# %%
lengths = {}
for weight_decay in (0.0, 5e-3):
    model = build("resnet8", rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=weight_decay)
    weight = dict(model.named_parameters())["layer3.0.conv1.weight"]
    lengths[weight_decay] = [float(np.linalg.norm(weight.value))]
    batches = training_batches(small, 64, 0, augment=False)
    for _ in train(model, optimizer, batches, constant(0.1), SHORT):
        lengths[weight_decay].append(float(np.linalg.norm(weight.value)))

fig, ax = plt.subplots(figsize=(5.5, 2.5), layout="constrained")
for (weight_decay, length), colour, line in zip(lengths.items(), COLOURS, LINES):
    ax.plot(length, line, color=colour, lw=2, label=f"weight decay {weight_decay:g}")
ax.set(xlabel="step", ylabel="length of the weights", title="layer3.0.conv1")
ax.legend(frameon=False, fontsize=8)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
assert lengths[0.0][-1] > lengths[0.0][0] and lengths[5e-3][-1] < lengths[0.0][-1]

# %% [markdown]
# (The decay here is ten times the usual one, so that it shows within a short run.) Biases and the scales of batch norm
# are another matter: for them this argument does not hold, and some recipes leave them out of the decay,
# `decay_biases_and_norms=False`. The library's default decays everything, as PyTorch's does.
#
# ## Where the weights begin
#
# Why at random? **Predict:** every weight of a network begins at the same number. What do the filters of a layer learn?

# %%
model = build("resnet8", rng=np.random.default_rng(0))
for parameter in model.parameters():
    if parameter.value.ndim > 1:
        parameter.value[...] = 0.05
logits, cache = model.forward(x, training=True)
model.backward(softmax_cross_entropy(logits, labels)[1], cache)
grad = dict(model.named_parameters())["conv1.weight"].grad  # (3, 3, 3, 16): the last axis numbers the filters
difference = np.abs(grad - grad[..., :1]).max()
print(f"the gradients of the 16 first filters differ by at most {difference:.1e}; all logits of an image are the same:",
      bool(np.allclose(logits, logits[:, :1], atol=1e-4)))  # fmt: skip
assert difference < 1e-6

# %% [markdown]
# All filters are alike and get the same gradient, so they stay alike for ever: a network of width one. Random numbers
# break the symmetry. How large should they be? A sum over $n$ inputs (the fan) of weights with variance $\sigma^2$
# has $n \sigma^2$ times the mean square of the inputs, and ReLU halves what passes. So $\sigma^2 = 2 / n$ keeps the
# size of the signal (He et al. 2015, "Delving Deep into Rectifiers", equation 10). Ten layers, without batch norm, at
# half, once and twice that $\sigma$, and with batch norm:


# %%
def sizes(scale, batchnorm):
    """The root mean square behind each of ten layers of convolution (, batch norm) and ReLU, over the first input's."""
    rng = np.random.default_rng(0)
    h = rng.standard_normal((8, 16, 16, 16)).astype(np.float32)
    result = []
    for _ in range(10):
        conv = Conv2d(16, 16, 3, padding=1, bias=False, rng=rng)
        conv.weight.value = scale * kaiming_normal(conv.weight.value.shape, rng, "fan_in")
        layers = (conv, BatchNorm2d(16), ReLU()) if batchnorm else (conv, ReLU())
        h = Sequential(*layers).forward(h, training=True)[0]
        result.append(float(np.sqrt(np.mean(h**2))))
    return result


fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
for (scale, batchnorm), colour, line in zip(((0.5, False), (1.0, False), (2.0, False), (2.0, True)), COLOURS, LINES):
    label = f"{scale:g} x He{', batch norm' if batchnorm else ''}"
    ax.semilogy(range(1, 11), sizes(scale, batchnorm), line, color=colour, lw=2, label=label)
ax.set(xlabel="layer", ylabel="size of the signal", xticks=range(1, 11))
ax.legend(frameon=False, fontsize=8)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Half of it is a factor of $2^{-10}$ after ten layers, twice it one of $2^{10}$; with He's choice the size stays, but
# for what the padding with zeros takes away at the border. With batch norm the size of the weights does not matter to
# the signal. (Tutorial 09 follows this up, forward and backward, through fifty layers.)
#
# ## Augmentation
#
# An image that is moved by a few pixels, or mirrored, shows the same thing. The paper pads each by four pixels, cuts
# a random 32x32 window out again, and mirrors every second one (section 4.2). The network never sees exactly the same
# image twice. One image, eight times:

# %%
rng = np.random.default_rng(0)
star = shapes.train_images[shapes.train_labels == shapes.classes.index("star")][:1]
copies = random_flip(random_crop(np.repeat(star, 8, axis=0), 4, rng), rng)
fig, axes = plt.subplots(1, 9, figsize=(9, 1.3), layout="constrained")
for ax, image, title in zip(axes, [star[0], *copies], ["original"] + [""] * 8):
    ax.imshow(image)
    ax.set_title(title, fontsize=8)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# Mirror only what may be mirrored: a "b" becomes a "d". `Dataset.mirror` says whether it is allowed.
#
# **Predict** what the training loss and the test loss do on our 512 small images, without and with augmentation. Keep
# in mind that 512 images are few, and that the network has 75,000 weights.

# %%
LONG = 60 if FAST else 240
EVERY = 20 if FAST else 30
histories = {}
for augment in (False, True):
    model = build("resnet8", rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=5e-4)
    training, testing = [], []
    batches = training_batches(small, 64, 0, augment=augment)
    for step in train(model, optimizer, batches, one_cycle(0.1, LONG), LONG):
        training.append(float(step.loss))
        if step.number % EVERY == 0:
            result = evaluate(model, small.test_images, small.test_labels, small.mean, small.std)
            testing.append((step.number, result.loss, result.accuracy))
    histories[augment] = training, testing

fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.9), layout="constrained", sharey=True)
for ax, (augment, (training, testing)) in zip(axes, histories.items()):
    ax.plot(np.arange(7, LONG), smooth(training), color=COLOURS[0], lw=2, label="training")
    ax.plot([t[0] for t in testing], [t[1] for t in testing], "o--", color=COLOURS[1], label="test")
    ax.axhline(math.log(10), color="grey", lw=0.8)
    ax.set(xlabel="step", title=f"{'with' if augment else 'without'} augmentation")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("loss")
axes[0].legend(frameon=False, fontsize=8)
plt.show()
for augment, (training, testing) in histories.items():
    print(f"{'with' if augment else 'without':7} augmentation: training loss {np.mean(training[-8:]):.2f}, test loss "
          f"{testing[-1][1]:.2f}, test accuracy {testing[-1][2]:.1%}")  # fmt: skip
gaps = {augment: testing[-1][1] - np.mean(training[-8:]) for augment, (training, testing) in histories.items()}
assert gaps[True] < gaps[False], "augmentation should narrow the gap between training and test loss"

# %% [markdown]
# Without augmentation: the training loss goes to nothing, and the test loss rises far above that of guessing: the
# network is sure of itself, and wrong. With it the images cannot be learned by heart any more; training is harder and
# the gap is smaller. But neither is any good at new images. No trick replaces data: these were 512, and there are
# 10,000.
#
# Which also says how **not** to choose a learning rate or anything else: not by the training loss alone, and not by
# the test images either, or these are no longer unseen. Hold some training images out for that:

# %%
held_out = shapes.split(validation=1000, seed=0)
print(f"train on {len(held_out.train_images):,}, choose on {len(held_out.test_images):,}, "
      f"and keep the {len(shapes.test_images):,} test images for the end")  # fmt: skip

# %% [markdown]
# ## The real run
#
# All choices of a run stand in a recipe. This is the one of the built-in data set:

# %%
recipe = RECIPES["shapes"]
print(recipe)

# %% [markdown]
# And this is the run: everything from above, put together. On two cores it takes between two and three minutes.

# %%
steps_per_epoch = len(shapes.train_images) // recipe.batch_size
total = 12 if FAST else recipe.total_steps(steps_per_epoch)
model = build(recipe.model, len(shapes.classes), rng=np.random.default_rng(0))
optimizer = recipe.make_optimizer(model.parameters())
batches = training_batches(shapes, recipe.batch_size, seed=0, augment=recipe.augment)
training, testing, correct = [], [], 0
for step in train(model, optimizer, batches, recipe.learning_rates(total), total):
    training.append(float(step.loss))
    correct += int(step.correct)
    if step.number % steps_per_epoch == 0 or step.number == total:
        images, answers = (shapes.test_images[:200], shapes.test_labels[:200]) if FAST else (
            shapes.test_images, shapes.test_labels)  # fmt: skip
        result = evaluate(model, images, answers, shapes.mean, shapes.std)
        testing.append((step.number, result.loss, result.accuracy))
        seen = (step.number - 1) % steps_per_epoch + 1  # steps since the last line
        print(f"step {step.number:4}: learning rate {step.learning_rate:.4f}, training accuracy "
              f"{correct / seen / recipe.batch_size:.1%}, test accuracy {result.accuracy:.1%}")  # fmt: skip
        correct = 0
print(f"\nthe recipe says what to expect of a whole run: {recipe.expect}")

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.9), layout="constrained")
axes[0].plot(training, color="#cccccc", lw=0.8, label="each batch")
axes[0].plot(np.arange(7, len(training)), smooth(training), color=COLOURS[0], lw=2, label="training, mean of 8")
axes[0].plot([t[0] for t in testing], [t[1] for t in testing], "o--", color=COLOURS[1], label="test")
axes[0].set(xlabel="step", ylabel="loss", ylim=(0, 3))
axes[0].legend(frameon=False, fontsize=8)
axes[1].plot([t[0] for t in testing], [100 * t[2] for t in testing], "o--", color=COLOURS[1], label="test accuracy (%)")
scaled = [100 * recipe.learning_rates(total)(k) / recipe.learning_rate for k in range(total)]
axes[1].plot(scaled, color=COLOURS[2], lw=1.5, label="learning rate, % of its peak")
axes[1].set(xlabel="step", ylim=(0, 130))
axes[1].legend(frameon=False, fontsize=8, loc="upper right")
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
plt.show()
if not FAST:
    assert testing[-1][2] > 0.9, "the recipe should reach more than 90 %"

# %% [markdown]
# Read the curves with what you know now. While the learning rate is high the test loss jumps about, and may even rise
# while the training loss falls. Behind the peak both go down together, and most smoothly at the end, where the steps
# are small. How much of that is the schedule and how much is more training? The curves of one run cannot tell. Change
# one thing, here the schedule to `constant`, run again, and compare: that is the only way to know.
#
# Training and test stay close together at the end: 10,000 images with augmentation are enough for this problem. (The
# training loss is taken on augmented images, so it may even be the higher one of the two.)
#
# On the command line the same run is `resnet-scratch train`. It also writes a log, pictures, and checkpoints from
# which it goes on, to the same bits, after Ctrl-C.
#
# ## Exercises

# %% tags=["task"]
task("8.1")

# %% tags=["task"]
task("8.2")

# %% tags=["task"]
task("8.3")

# %% tags=["task"]
task("8.4")

# %% tags=["task"]
task("8.5")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `model.forward(x, training=True)` | `model.train()`, then `model(x)` |
# | `softmax_cross_entropy(logits, labels)` | `torch.nn.CrossEntropyLoss()(logits, labels)`, without the gradient |
# | `model.backward(grad_logits, cache)` | `loss.backward()` |
# | gradients are overwritten | gradients add up: `optimizer.zero_grad()` before each step |
# | `SGD(parameters, momentum, weight_decay)` | `torch.optim.SGD`, the same formulas |
# | `Adam(parameters, weight_decay=...)` | `torch.optim.AdamW`, the same formulas; without decay `torch.optim.Adam` |
# | `optimizer.step(learning_rate)` | `optimizer.step()`; a scheduler changes `param_groups[i]["lr"]` |
# | `multi_step`, `cosine`, `one_cycle` | `MultiStepLR`, `CosineAnnealingLR`, `OneCycleLR` (there with cosines) |
# | `decay_biases_and_norms=False` | two parameter groups, one with `weight_decay=0` |
# | `random_crop`, `random_flip`, `normalise` | `RandomCrop`, `RandomHorizontalFlip`, `Normalize` (torchvision) |
# | `training_batches` | `torch.utils.data.DataLoader(dataset, shuffle=True, drop_last=True)` |
#
# ## Sources
#
# * He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", section 4.2: the recipe for CIFAR-10.
# * He, Zhang, Ren, Sun 2015, "Delving Deep into Rectifiers", section 2.2, equations 10 and 14: initialisation.
# * Polyak 1964; Sutskever, Martens, Dahl, Hinton 2013, "On the importance of initialization and momentum in deep
#   learning".
# * Smith 2015, "Cyclical Learning Rates for Training Neural Networks", section 3.3: the sweep; Smith and Topin 2017,
#   "Super-Convergence": one cycle. Loshchilov and Hutter 2016, "SGDR": the cosine.
# * van Laarhoven 2017, "L2 Regularization versus Batch and Weight Normalization": the effective learning rate.
# * Zhang, Bengio, Hardt, Recht, Vinyals 2016, "Understanding deep learning requires rethinking generalization".
# * DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout" (exercise 8.3).
#
# Next, in 09, the question that all this was for: why did deep networks not train, before the shortcut?
