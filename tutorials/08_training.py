# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 08 Training
#
# Training has five steps: you initialise the weights once, and repeat the other four several thousand times. This
# tutorial carries out all five once by hand. Then it examines each choice in them: the learning rate, momentum, the
# batch size, the optimizer, the schedule, weight decay, the initial weights and augmentation. It also teaches the
# craft: what to try first, and how to read a loss curve.
#
# By the end you will be able to
#
# * carry out one step of training by hand, and predict how much the loss will fall;
# * derive the largest stable learning rate of SGD, with and without momentum;
# * find a learning rate in a minute, and adapt it to another batch size or optimizer;
# * recognise from a loss curve what is wrong;
# * check a new network in the right order: first loss, one batch, short run, real run.
#
# **Needs:** 05 (softmax cross-entropy) and 07 (building ResNets); for the milestone, your answers from
# 00 to 02 and from 04 to 06.
# **Time:** 90 minutes to read and try, and 95 minutes for the tasks. All cells together run for about
# five minutes on two cores; most of that is the real run and the milestone at the end.

# %%
import inspect
import math
import os
from dataclasses import replace
from itertools import repeat

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.data import load, normalise, random_crop, random_flip, training_batches
from resnet_scratch.exercises import solutions, task
from resnet_scratch.exercises.milestones import milestone
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.recipe import RECIPES
from resnet_scratch.figures.training import moving_average, plot_curves, plot_paths, plot_rates, plot_run, show_images
from resnet_scratch.insight.learning_rate import find_learning_rate
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.layer import Parameter
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build
from resnet_scratch.optim import SGD, Adam
from resnet_scratch.schedules import constant, cosine, multi_step, one_cycle, warmup
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests

# %% [markdown]
# ## The five steps
#
# This is the whole training loop. Logging, checkpoints and progress bars surround it, in other files. (`_check` and
# `_pair` look for wrong arguments. `backward_to_parameters` is `backward` without the gradient with respect to the
# images, which training does not need.)

# %%
print(inspect.getsource(train))

# %% [markdown]
# Here are the first four steps by hand, on 32 images.

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
# Look at **the first loss** before anything else. A network that knows nothing should give each of ten classes about
# the same probability, and $-\log \frac{1}{10} = \log 10$.

# %%
print(f"first loss {loss:.3f}, log 10 = {math.log(10):.3f}")
assert abs(loss - math.log(10)) < 0.5, "a first loss far from log(classes): logits too large, or a bug"

# %% [markdown]
# The fifth step moves every weight a little against its gradient: $w \leftarrow w - \eta \, \nabla L$, where $\eta$ is
# the learning rate, and $\nabla L$ the gradient with respect to all weights, as one vector. Its length is
# $\|\nabla L\|$. To first order, the loss falls by the product of the gradient and the step:
#
# $$ L(w - \eta \nabla L) \approx L(w) - \eta \, \|\nabla L\|^2 $$
#
# **Predict:** for which of the five learning rates below will this estimate be right to within a tenth?

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
right = [rate for rate, fall in falls.items() if abs(fall / (rate * squared_norm) - 1) < 0.1]
print("within a tenth:", right)
assert 1e-3 in right and 1.0 not in right, "the prediction must hold for small steps, and fail for large ones"

# %% [markdown]
# For small steps the prediction holds. That is a rough gradient check of the whole network at once. For large steps the
# loss is no longer close to a straight line. A good learning rate is as large as possible while the gradient still
# means something.
#
# ### Batches and epochs
#
# Each step uses a **batch** of images. An **epoch** is one pass over all training images, in a new random order. If the
# batch size does not divide the number of images, the library skips the few that are left over.

# %%
for name, images in (("shapes", 10_000), ("paper", 50_000)):
    recipe = RECIPES[name]
    epoch = images // recipe.batch_size
    print(f"{name:6}: {images:6,} images in batches of {recipe.batch_size} are {epoch} steps per epoch; "
          f"{recipe.total_steps(epoch):6,} steps are {recipe.total_steps(epoch) / epoch:.0f} epochs")  # fmt: skip

# %% [markdown]
# (The paper chose the 64,000 steps with 45,000 of these images, and kept 5,000 for validation. Its results are from
# runs on all 50,000: section 4.2.) Other papers give the length of a run in epochs, and the schedules here count steps.
# Always say which one you mean.
#
# ## Overfit one batch first
#
# This is the quickest test of a whole training program. Give the network the same 32 images again and again. It must
# memorise them.

# %%
STEPS_ON_ONE = 40
model = build("resnet8", rng=np.random.default_rng(0))
optimizer = SGD(model.parameters(), momentum=0.9)
one_batch = [float(step.loss) for step in train(model, optimizer, repeat((x, labels)), constant(0.1), STEPS_ON_ONE)]
print("every fifth loss:", np.round(one_batch[::5], 3), "last:", round(one_batch[-1], 4))
assert one_batch[-1] < 0.1, "a network that cannot memorise one batch has a bug"

# %% [markdown]
# If this fails, nothing larger will work. Look for a wrong sign, a layer without a gradient, a learning rate of zero,
# or labels of the wrong shape. But know what this test does *not* find. **Predict:** if every image gets the label of
# another one, will the loss still go to zero?

# %%
shuffled = np.random.default_rng(1).permutation(labels)
model = build("resnet8", rng=np.random.default_rng(0))
optimizer = SGD(model.parameters(), momentum=0.9)
wrong = [float(step.loss) for step in train(model, optimizer, repeat((x, shuffled)), constant(0.1), STEPS_ON_ONE)]
print(f"{(shuffled != labels).mean():.0%} of the labels are wrong; last loss {wrong[-1]:.4f}")
assert wrong[-1] < 0.1

# %% [markdown]
# The network memorises nonsense just as well. (Zhang et al. 2016 did this with all of CIFAR-10.) The test does not
# find a slightly wrong gradient either; gradient checks do (tutorial 03).
#
# ## How far to step
#
# The effect of a learning rate is easiest to see on a bowl, $L(w) = \frac12 (\lambda_1 w_1^2 + \lambda_2 w_2^2)$. It is
# flat along one axis ($\lambda_1 = 1$) and steep along the other ($\lambda_2 = 20$). The gradient is $(\lambda_1 w_1,
# \lambda_2 w_2)$, so each step multiplies $w_i$ by a number:
#
# $$ w_i \leftarrow w_i - \eta \lambda_i w_i = (1 - \eta \lambda_i) \, w_i $$
#
# So $w_i$ shrinks if $|1 - \eta \lambda_i| < 1$, that is, if $\eta < 2 / \lambda_i$. **The steepest direction limits
# the learning rate, and the flattest one has to wait.** Here the limit is $2/20 = 0.1$. **Predict:** what will the
# paths look like for $\eta$ = 0.01, 0.09 and 0.105?

# %%
CURVATURES = np.array([1.0, 20.0])


def roll(learning_rate, momentum=0.0, steps=30):
    """The path of the library's SGD down the bowl: (steps + 1, 2)."""
    w = Parameter(np.array([-2.0, 0.6]))
    optimizer = SGD([w], momentum=momentum)
    path = [w.value.copy()]
    for _ in range(steps):
        w.grad = CURVATURES * w.value
        optimizer.step(learning_rate)
        path.append(w.value.copy())
    return np.array(path)


paths = {f"learning rate {rate}": roll(rate) for rate in (0.01, 0.09, 0.105)}
fig, axes = plt.subplots(1, 3, figsize=(8, 2.6), layout="constrained", sharey=True)
plot_paths(axes, paths, CURVATURES)
plt.show()
for name, path in paths.items():
    print(f"{name:20}: after 30 steps w = ({path[-1, 0]:7.4f}, {path[-1, 1]:8.4f})")
expected = np.array([-2.0, 0.6]) * (1 - 0.09 * CURVATURES) ** 30
assert np.allclose(paths["learning rate 0.09"][-1], expected), "a step multiplies w by 1 - learning_rate * curvature"

# %% [markdown]
# * **0.01:** safe, but after 30 steps $w_1$ is still far from 0.
# * **0.09:** $w_2$ jumps from wall to wall, and $w_1$ gets close to 0.
# * **0.105:** every jump along $w_2$ is longer than the one before. This is what a diverging loss looks like.
#
# ## Momentum
#
# SGD with momentum $\mu$ keeps a **velocity** $v$, and moves by $-\eta v$. The velocity is a sum of all gradients so
# far, in which old ones fade: $\nabla L_t + \mu \nabla L_{t-1} + \mu^2 \nabla L_{t-2} + \dots$
#
# * Where the gradient stays the same, the sum tends to $\nabla L / (1 - \mu)$. For $\mu = 0.9$ the steps become 10
#   times as long. That is why $\eta / (1 - \mu)$ is called the **effective learning rate**.
# * Where the gradient changes its sign at every step, the terms cancel, and the steps become shorter.

# %% tags=["task"]
task("8.1")

# %% [markdown]
# This is the library's update of one parameter. It works in place, which saves memory. With `nesterov` it moves along
# $g + \mu v$ instead of $v$. This is what the next velocity will be if the gradient stays the same.

# %%
print(inspect.getsource(SGD.update))

# %% [markdown]
# What does momentum do beyond making the steps longer? A fair comparison gives all runs the same effective learning
# rate. Let it be 0.25, which is above the limit of 0.1. **Predict:** which of the three paths will reach the minimum?

# %%
pairs = ((0.25, 0.0), (0.125, 0.5), (0.05, 0.8))
paths = {f"learning rate {rate}, momentum {momentum}": roll(rate, momentum) for rate, momentum in pairs}
fig, axes = plt.subplots(1, 3, figsize=(8, 2.6), layout="constrained", sharey=True)
plot_paths(axes, paths, CURVATURES)
plt.show()
distances = [float(np.linalg.norm(path[-1])) for path in paths.values()]
for name, distance in zip(paths, distances):
    print(f"{name:33}: distance from the minimum {distance:.2g}")
assert distances[0] > 1e6 and max(distances[1:]) < 0.1, "only momentum survives an effective rate above the limit"

# %% [markdown]
# Along the flat direction all three runs move alike. Along the steep one the jumps of plain SGD grow. With momentum 0.5
# they shrink, although 0.125 is above that limit too. So with momentum the limit must be a different one. Find it:

# %% tags=["task"]
task("8.4")

# %% [markdown]
# The derivation takes two lines. In one direction, $v_{t+1} = \mu v_t + \lambda w_t$ and $w_{t+1} = w_t - \eta
# v_{t+1}$. Eliminating $v$ gives
#
# $$ w_{t+1} = (1 + \mu - \eta\lambda) \, w_t - \mu \, w_{t-1}, \qquad\text{and}\quad w_t = z^t \quad\text{solves it if}
# \quad p(z) = z^2 - (1 + \mu - \eta\lambda) \, z + \mu = 0. $$
#
# Every solution is a combination of powers of the two roots (with $t z^t$ if they are equal), so $w_t$ tends to 0 from
# every start exactly if $|z| < 1$ for both. For a small $\eta$ that holds: the roots are close to 1 and $\mu$, and both
# are below 1. When does a root leave the unit circle, $|z| = 1$, as $\eta$ grows? The product of the roots is
# $\mu < 1$. So two complex roots, which have the same absolute value, stay inside, and a real root can leave only
# through $1$ or $-1$. But $p(1) = \eta\lambda > 0$, and $p(-1) = 2 (1 + \mu) - \eta\lambda$ is positive exactly if
#
# $$ \boxed{\eta < \frac{2 (1 + \mu)}{\lambda}} $$
#
# For $\mu = 0.9$ the limit on $\eta$ is 1.9 times as high, and the limit on the effective rate, $\eta / (1 - \mu)$, is
# 19 times as high.

# %%
for momentum in (0.0, 0.5, 0.9):
    limit = 2 * (1 + momentum) / CURVATURES[1]
    ends = [np.abs(roll(factor * limit, momentum, steps=2000)[-1]).max() for factor in (0.99, 1.01)]
    print(f"momentum {momentum}: limit {limit:.3f}; 1 % below it ends at {ends[0]:.1e}, 1 % above at {ends[1]:.1e}")
    assert ends[0] < 1e-2 and ends[1] > 1e2, "below the limit it must converge, above it diverge"

# %% [markdown]
# Does a real network behave like a bowl? For experiments that take seconds, here is a small problem: 512 of the
# training images, shrunk to 16x16 pixels.

# %%
SHORT = 16 if FAST else 120


def shrink(images):
    """uint8 (N, 32, 32, 3) -> (N, 16, 16, 3): the mean of each block of 2x2 pixels."""
    return images.reshape(len(images), 16, 2, 16, 2, 3).mean((2, 4)).round().astype(np.uint8)


small = replace(
    shapes,
    train_images=shrink(shapes.train_images[:512]),
    train_labels=shapes.train_labels[:512],
    test_images=shrink(shapes.test_images[:1000]),
    test_labels=shapes.test_labels[:1000],
)


def fit(learning_rate, steps=SHORT, batch_size=64, make_optimizer=SGD, **options):
    """Train a fresh ResNet-8 on the small problem. The loss of every step, up to the first that is not finite."""
    model = build("resnet8", rng=np.random.default_rng(0))
    optimizer = make_optimizer(model.parameters(), **options)
    batches = training_batches(small, batch_size, seed=0, augment=False)
    losses = []
    with np.errstate(all="ignore"):  # a diverging run overflows, which is what we want to see
        for step in train(model, optimizer, batches, constant(learning_rate), steps):
            losses.append(float(step.loss))
            if not math.isfinite(losses[-1]):
                break
    return losses


# %% [markdown]
# **Predict:** two groups of three runs. Within a group the effective learning rate $\eta / (1 - \mu)$ is the same: 0.1
# in the first group, 1 in the second. In which group will the three curves be alike?

# %%
ends = {}
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.9), layout="constrained", sharey=True)
for ax, effective in zip(axes, (0.1, 1.0)):
    curves = {f"momentum {mu}": fit(effective * (1 - mu), momentum=mu) for mu in (0.0, 0.5, 0.9)}
    plot_curves(ax, curves)
    ax.set_title(f"effective learning rate {effective}", fontsize=10)
    ends[effective] = [float(np.mean(losses[-10:])) for losses in curves.values()]
    print(f"effective rate {effective}: mean of the last 10 losses", np.round(ends[effective], 2))
plt.show()
if not FAST:
    assert max(ends[0.1]) - min(ends[0.1]) < 0.2, "at a small effective rate, momentum is only a larger learning rate"
    assert ends[1.0][2] < ends[1.0][0] - 0.5, "at a large one, momentum must keep the run stable"

# %% [markdown]
# At a small effective rate the curves are alike: there momentum *is* a larger learning rate, and nothing else. At a
# large one plain SGD jumps from wall to wall, as on the bowl, and momentum damps the jumps. In practice, use 0.9 and
# then look for the learning rate.

# %% [markdown]
# ## Finding a learning rate
#
# Start with a rate that is far too small and raise it a little at every step. At first nothing happens, then the loss
# falls, then it rises again (Smith 2015). One sweep of a hundred steps says roughly what many runs would.

# %%
model = build("resnet8", rng=np.random.default_rng(0))
optimizer = SGD(model.parameters(), momentum=0.9)
batches = training_batches(small, 64, 0, augment=False)
rates, sweep = find_learning_rate(model, optimizer, batches, low=1e-4, high=10.0, steps=100)
averaged = moving_average(sweep)
lowest = rates[-len(averaged) :][averaged.argmin()]
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
plot_rates(ax, {"mean of 8 steps": dict(zip(rates[-len(averaged) :], averaged))})
plt.show()
print(f"the loss was lowest at {lowest:.2g}; a third of that is {lowest / 3:.2g}")

# %% [markdown]
# At the marked point the loss is about to rise. Take that rate or, to be safe, a third of it. (`find_learning_rate`
# restores the weights, so a sweep costs only its time.)
#
# Is the sweep right? Here are four real runs. **Predict** which curve is which before you read the legend.

# %%
tried = {rate: fit(rate) for rate in (0.001, 0.01, 0.1, 1.0)}
fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
plot_curves(ax, {str(rate): losses for rate, losses in tried.items()}, legend="learning rate")
ax.axhline(math.log(10), color="grey", lw=0.8)
ax.set_ylim(0, 3.2)
plt.show()
for rate, losses in tried.items():
    print(f"learning rate {rate:5}: mean of the last 10 losses {np.mean(losses[-10:]):.3g}")
if not FAST:
    assert np.mean(tried[0.1][-10:]) < np.mean(tried[0.001][-10:]) - 0.5, "0.1 should be well ahead of 0.001 by now"

# %% [markdown]
# The grey line is $\log 10$, the loss of guessing.
#
# ### Reading a loss curve
#
# | what you see | what it may mean | what to do |
# |---|---|---|
# | a straight, slow descent from the first step on | the learning rate is too small | raise it tenfold |
# | a jump up at first, then flat near $\log$(classes) | too large: the first steps went astray | a tenth; warm-up |
# | not a number | far too large; a division by zero; a log of zero | a tenth; look at the first batch |
# | flat at $\log$(classes) from the start | no gradient, or a rate near zero | one batch; gradient checks |
# | falls, but ends high | the rate does not go down, or the network is too small | a schedule; a larger network |
# | training loss falls, test loss rises | overfitting | more data, augmentation, weight decay |
#
# The losses of individual batches are noisy, because every batch contains other images. The figures above average the
# last eight. A running average needs no window:

# %% tags=["task"]
task("8.5")

# %% [markdown]
# ## Batch size, and its learning rate
#
# The gradient of a batch is the mean of the gradients of its images. It is a noisy estimate of the gradient of the
# whole training set. The mean of B independent terms has a standard deviation that is $\sqrt{B}$ times smaller than
# that of one, so larger batches have less noise. For the same number of epochs, they also take fewer steps.
#
# If the gradient hardly changes within $k$ steps, then $k$ steps of rate $\eta$ with batches of B images do about the
# same as one step of rate $k \eta$ with the $k$B images together. This is the **linear scaling rule**: multiply the
# batch size by $k$, and the learning rate too (Goyal et al. 2017, section 2.1).
#
# **Predict:** we train for the same 12 epochs with batches of 16, 64 and 256. Which learning rate is best for each, and
# which batch size reaches the lowest loss?

# %%
EPOCHS = 1 if FAST else 12
by_batch = {}
for batch_size in (16, 64, 256):
    epoch = 512 // batch_size  # in steps
    losses = {rate: fit(rate, EPOCHS * epoch, batch_size) for rate in (0.003, 0.01, 0.03, 0.1, 0.3)}
    by_batch[batch_size] = {rate: float(np.mean(values[-epoch:])) for rate, values in losses.items()}
best = {size: min(results, key=results.__getitem__) for size, results in by_batch.items()}
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
plot_rates(ax, {str(size): results for size, results in by_batch.items()}, legend="batch size")
plt.show()
for size, rate in best.items():
    print(f"batches of {size:3}: lowest loss {by_batch[size][rate]:.2f}, with a learning rate of {rate}")
if not FAST:
    assert best[16] < best[64] < best[256], "larger batches need larger learning rates"

# %% [markdown]
# The best rate grows with the batch size. The rule predicts a factor of 4 from curve to curve; on this coarse grid, the
# factor is between 3 and 10. A rate that is good for one batch size is bad for another, so **never compare batch sizes
# at one learning rate**.
#
# The largest batch ends highest even at its best rate. It takes only 24 steps, and to make up for that, each would have
# to be too large: the rule holds only as long as the gradient stays the same over the steps that are merged. Shallue et
# al. (2019) measured this on many problems. At first, doubling the batch halves the number of steps; then it helps
# less; in the end, not at all.

# %% [markdown]
# ## Adam beside SGD
#
# A step of SGD is proportional to the gradient. **Adam** (Kingma and Ba 2015) keeps two running averages for every
# weight, of the gradient and of its square. It divides the first by the square root of the second. Both averages start
# at 0, so they are corrected as in task 8.5.

# %%
print(inspect.getsource(Adam.update))

# %% [markdown]
# **Predict:** the gradient becomes 100 times as large, because somebody has multiplied the loss by 100. What happens to
# the first step of SGD, and to that of Adam?

# %%
for make_optimizer in (SGD, Adam):
    steps = []
    for factor in (1, 100):
        w = Parameter(np.zeros(3))
        w.grad = factor * np.array([0.5, -0.01, 2.0])
        make_optimizer([w]).step(0.1)
        steps.append(w.value)
        print(f"{make_optimizer.__name__:4}: gradient {w.grad}, step {w.value.round(4)}")
assert np.allclose(steps, 0.1 * np.array([-1, 1, -1])), "Adam's first step is the learning rate, against the sign"

# %% [markdown]
# For Adam the size of the gradient does not matter: every weight moves by about the learning rate. So the two
# optimizers need very different rates.

# %%
by_optimizer = {"SGD with momentum": {}, "Adam": {}}
for rate in (0.003, 0.01, 0.03, 0.1, 0.3):
    by_optimizer["SGD with momentum"][rate] = float(np.mean(fit(rate)[-10:]))
for rate in (0.0003, 0.001, 0.003, 0.01, 0.1):
    by_optimizer["Adam"][rate] = float(np.mean(fit(rate, make_optimizer=Adam)[-10:]))
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
plot_rates(ax, by_optimizer)
plt.show()
for name, results in by_optimizer.items():
    rate = min(results, key=results.__getitem__)
    print(f"{name:17}: lowest loss {results[rate]:.2f}, with a learning rate of {rate}")
if not FAST:
    assert min(by_optimizer["Adam"], key=by_optimizer["Adam"].get) < 0.03, "Adam wants a much smaller rate than SGD"

# %% [markdown]
# In this short run without a schedule Adam reaches a lower training loss. That says little about a long run, and
# nothing about the test accuracy. Wilson et al. (2017) found that adaptive methods often fit the training images as
# fast and generalise worse. Choi et al. (2019) found that with enough tuning they are never worse. Residual networks
# are usually trained by SGD with momentum, as in the paper, and Transformers by AdamW: Adam with **decoupled** weight
# decay, which is not divided by the root of the squares (Loshchilov and Hutter 2019). The library's `Adam` does the
# same.

# %% [markdown]
# ## Schedules
#
# Early in training, large steps make quick progress. Near the end they only jump about in the valley, and smaller
# steps reach its floor. A **schedule** is a function from the step number to the learning rate.

# %% tags=["task"]
task("8.2")

# %% [markdown]
# These are the library's schedules:

# %%
TOTAL = 1000
schedules = {
    "multi_step (the paper)": multi_step(0.1, (500, 750)),
    "cosine": cosine(0.1, TOTAL),
    "one_cycle": one_cycle(0.1, TOTAL),
    "warmup of cosine": warmup(cosine(0.1, TOTAL), 100),
}
fig, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
rates = {name: [schedule(step) for step in range(TOTAL)] for name, schedule in schedules.items()}
plot_curves(ax, rates, y="learning rate", average=False)
plt.show()

# %% [markdown]
# The paper divides the rate by ten after half of its 64,000 steps, and again after three quarters (section 4.2).
# `one_cycle` rises and falls within a short run (Smith and Topin 2017). What all have in common is that they end near
# zero.
#
# A **warm-up** starts with a lower rate, and helps where the first gradients are large or misleading. The paper trains
# its 110-layer network with a rate of 0.01 until the training error is below 80 %, about 400 steps, because 0.1 "is
# slightly too large to start converging". It is often said that the network cannot be trained without warm-up. The
# paper says otherwise: its footnote 5 reports that with 0.1 from the start it begins to converge after several epochs,
# "but still reaches similar accuracy".
#
# ## Weight decay, and what batch norm makes of it
#
# Weight decay adds $\frac{\delta}{2} \|w\|^2$ to the loss, so each gradient gets the term $\delta w$, and each step
# shrinks the weights by the factor $1 - \eta \delta$. The textbook reason is that small weights make a smooth function,
# which overfits less. With batch norm that cannot be the reason. **Predict:** multiply the weights of every convolution
# by ten. What happens to the logits, and to the gradients?

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
norm, norm_10 = np.linalg.norm(grad), np.linalg.norm(grad_10)
cosine_between = float((weight * grad).sum() / np.linalg.norm(weight) / norm)
print(f"largest change of a logit: {np.abs(logits_10 - logits).max():.1e}")
print(f"gradient norm before {norm:.4f}, after {norm_10:.5f}")
print(f"cosine of the angle between weight and gradient: {cosine_between:.1e}")
assert np.allclose(logits_10, logits, atol=1e-2) and abs(norm_10 / norm - 0.1) < 0.01 and abs(cosine_between) < 1e-3

# %% [markdown]
# The logits stay the same, because batch norm divides by the size of the signal. The gradients shrink to a tenth. So
# with the same learning rate, a step changes weights that are ten times as large by a tenth as much: relative to the
# weights, by a *hundredth*.
#
# The gradient is at a right angle to the weights, because along them the loss does not change. By Pythagoras every step
# of SGD without momentum makes the weights longer. (With momentum they grow too, as you will see.) Without decay they
# keep growing, and the relative steps become smaller and smaller. Weight decay limits the length. So it keeps
# $\eta / \|w\|^2$ from falling. Van Laarhoven (2017) calls this ratio the effective learning rate of a normalised
# layer. (It is not the $\eta / (1 - \mu)$ from above, which has the same name.)

# %%
lengths = {}
for weight_decay in (0.0, 5e-3):  # ten times the usual decay, so that a short run shows its effect
    model = build("resnet8", rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=weight_decay)
    weight = dict(model.named_parameters())["layer3.0.conv1.weight"]
    length = [float(np.linalg.norm(weight.value))]
    for _ in train(model, optimizer, training_batches(small, 64, 0, augment=False), constant(0.1), SHORT):
        length.append(float(np.linalg.norm(weight.value)))
    lengths[f"weight decay {weight_decay:g}"] = length

fig, ax = plt.subplots(figsize=(5.5, 2.5), layout="constrained")
plot_curves(ax, lengths, y="length of layer3.0.conv1", average=False)
plt.show()
free, decayed = lengths.values()
assert free[-1] > free[0] and decayed[-1] < free[-1], "without decay the weights grow, with it less"

# %% [markdown]
# For biases, and for the weights of batch norm, this argument does not hold. Some recipes leave them out of the decay:
# `decay_biases_and_norms=False`. The library's default decays everything, as PyTorch's does.
#
# ## Where the weights begin
#
# Why do weights start at random? **Predict:** the weights of every convolution start at the same number, and only the
# classifier's are random. We train for 20 steps. How many different filters will each convolution have?

# %%
model = build("resnet8", rng=np.random.default_rng(0)).astype(np.float64)
convolutions = {name: p for name, p in model.named_parameters() if p.value.ndim == 4}
for parameter in convolutions.values():
    parameter.value[...] = 0.05
optimizer = SGD(model.parameters(), momentum=0.9)
batches = ((x.astype(np.float64), labels) for x, labels in training_batches(small, 64, 0, augment=False))
for _ in train(model, optimizer, batches, constant(0.1), 20):
    pass


def different_filters(weight):
    """How many of the filters of a weight (KH, KW, C, O) differ from one another by more than rounding."""
    filters = weight.reshape(-1, weight.shape[-1]).T
    return len(np.unique((filters / np.abs(filters).max()).round(6), axis=0))


counts = {name: different_filters(p.value) for name, p in convolutions.items()}
for name, parameter in convolutions.items():
    largest = np.abs(parameter.grad).max()
    print(f"{name:22} {counts[name]:2} of {parameter.value.shape[-1]} filters differ; largest gradient {largest:.1e}")
    assert largest > 1e-6, "the gradients must not be zero, or nothing is shown"
    inside = name.endswith("0.conv1.weight")
    assert counts[name] == (1 if inside else parameter.value.shape[-1])

# %% [markdown]
# Two filters with the same weights, and the same weights in the layers after them, get the same gradient. They stay the
# same for ever: the first convolution of every block is one filter, computed 16, 32 or 64 times.
#
# What broke the symmetry elsewhere? The random classifier. It sends a different gradient back to each channel, and the
# shortcuts carry these gradients through the network, channel by channel. So every convolution whose output is *added*
# to the shortcut, or starts it, gets different gradients for its filters. Inside a branch nothing distinguishes the
# channels. (If the classifier starts at one number too, the gradient with respect to the features is a sum of $p_k -
# [k = t]$ over the classes, which is 0: no convolution learns anything at first.) Random filters break the symmetry
# everywhere.

# %% [markdown]
# How large should the random numbers be? Let the weights be independent, with mean 0 and variance $\sigma^2$. Then the
# mean square of a weighted sum over $n$ inputs is $n \sigma^2$ times that of the inputs, and ReLU halves the mean
# square. So $\sigma^2 = 2 / n$ keeps the size of the signal (He et al. 2015, "Delving Deep into Rectifiers", equation
# 10). The library's convolutions take for $n$ the number of outputs that an input reaches, $K^2 O$, as torchvision's
# ResNets do. That keeps the size of the gradients (equation 14), and is the same where $C = O$. Tutorial 09 follows
# this through fifty layers, forward and backward.
#
# ## Augmentation
#
# An image that is moved by a few pixels, or mirrored, shows the same thing. The paper pads each image by four pixels,
# crops a random 32x32 window, and mirrors half of the images (section 4.2). That makes $9 \cdot 9 \cdot 2 = 162$
# versions of each image, so in a run of ten epochs few of them come up twice. Here is one image, augmented eight times:

# %%
rng = np.random.default_rng(0)
star = shapes.train_images[shapes.train_labels == shapes.classes.index("star")][:1]
copies = random_flip(random_crop(np.repeat(star, 8, axis=0), 4, rng), rng)
fig, axes = plt.subplots(1, 9, figsize=(9, 1.3), layout="constrained")
show_images(axes, [star[0], *copies], ["original"] + [""] * 8)
plt.show()

# %% [markdown]
# A crop needs no loop over the images. For a kernel as large as the image, `windows` (01) is a view of all $9 \cdot 9$
# crops of every padded image, without a copied pixel. The last line copies one of them for each image:

# %%
print(inspect.getsource(random_crop))

# %% [markdown]
# Mirror only what may be mirrored: a "b" becomes a "d". `Dataset.mirror` says whether it is allowed. There are other
# ways to augment, for example:

# %% tags=["task"]
task("8.3")

# %% [markdown]
# **Predict:** what will the training loss and the test loss do on our 512 small images, with and without augmentation?
# Keep in mind that 512 images are few, and that the network has 75,000 weights.

# %%
LONG = 60 if FAST else 240
EVERY = 20 if FAST else 30
histories = {}
for name, augment in (("without augmentation", False), ("with augmentation", True)):
    model = build("resnet8", rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=5e-4)
    training, tests = [], {}
    batches = training_batches(small, 64, 0, augment=augment)
    for step in train(model, optimizer, batches, one_cycle(0.1, LONG), LONG):
        training.append(float(step.loss))
        if step.number % EVERY == 0:
            result = evaluate(model, small.test_images, small.test_labels, small.mean, small.std)
            tests[step.number] = result.loss
    histories[name] = training, tests
    print(f"{name:20}: training loss {np.mean(training[-8:]):.2f}, test loss {result.loss:.2f}, "
          f"test accuracy {result.accuracy:.1%}")  # fmt: skip

fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.9), layout="constrained", sharey=True)
for ax, (name, (training, tests)) in zip(axes, histories.items()):
    plot_run(ax, training, tests, name)
plt.show()
gap_without, gap_with = (tests[LONG] - np.mean(training[-8:]) for training, tests in histories.values())
assert gap_with < gap_without, "augmentation should narrow the gap between training and test loss"

# %% [markdown]
# Without augmentation the training loss goes to almost nothing, and the test loss rises far above that of guessing: the
# network is confident, and wrong. With augmentation it cannot memorise the images any more. Training is harder, and the
# gap is smaller. But neither network is any good on new images. No trick replaces data: these were 512 images, and the
# data set has 10,000.
#
# This also says how **not** to choose a learning rate or anything else. Do not choose it by the training loss alone,
# and do not choose it by the test images either, or they are no longer unseen. Hold some training images out for that:

# %%
held_out = shapes.split(validation=1000, seed=0)
print(f"train on {len(held_out.train_images):,}, choose on {len(held_out.test_images):,}, "
      f"and keep the {len(shapes.test_images):,} test images for the end")  # fmt: skip

# %% [markdown]
# ## The real run
#
# A recipe contains all choices of a run. This is the one for the built-in data set:

# %%
recipe = RECIPES["shapes"]
print(recipe)

# %% [markdown]
# And this is the run, with everything from above. On two cores it takes between two and three minutes.

# %%
steps_per_epoch = len(shapes.train_images) // recipe.batch_size
total = 8 if FAST else recipe.total_steps(steps_per_epoch)
model = build(recipe.model, len(shapes.classes), rng=np.random.default_rng(0))
optimizer = recipe.make_optimizer(model.parameters())
batches = training_batches(shapes, recipe.batch_size, seed=0, augment=recipe.augment)
test_images, test_labels = shapes.test_images[: 200 if FAST else None], shapes.test_labels[: 200 if FAST else None]
training, tests, correct = [], {}, []
for step in train(model, optimizer, batches, recipe.learning_rates(total), total):
    training.append(float(step.loss))
    correct.append(int(step.correct))
    if step.number % steps_per_epoch == 0 or step.number == total:  # at the end of an epoch, or of the run
        result = evaluate(model, test_images, test_labels, shapes.mean, shapes.std)
        tests[step.number] = result.loss
        accuracy = np.mean(correct[-steps_per_epoch:]) / recipe.batch_size
        print(f"step {step.number:4}: learning rate {step.learning_rate:.4f}, training accuracy {accuracy:.1%}, "
              f"test accuracy {result.accuracy:.1%}")  # fmt: skip
print(f"\nthe recipe says what to expect of a whole run: {recipe.expect}")
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.9), layout="constrained")
plot_run(axes[0], training, tests)
rates = [recipe.learning_rates(total)(k) for k in range(total)]
plot_curves(axes[1], {"one_cycle": rates}, y="learning rate", average=False)
plt.show()
if not FAST:
    assert result.accuracy > 0.9, "the recipe should reach more than 90 %"

# %% [markdown]
# Now you can read these curves. While the learning rate is high, the test loss jumps about. After the peak both losses
# fall together, and most smoothly at the end, where the steps are small. How much of that is due to the schedule, and
# how much to more training? One run cannot tell. Change one thing, here the schedule to `constant`, run again, and
# compare. There is no other way to know.
#
# Training and test loss stay close together: 10,000 images with augmentation are enough for this problem. (The
# training loss is measured on augmented images, so it may even be the higher of the two.)
#
# On the command line the same run is `resnet-scratch train`. It also writes a log, figures, and checkpoints from which
# it can be resumed after Ctrl-C, bit for bit.
#
# ## Milestone: your own ResNet learns the shapes
#
# Now the main parts are yours: convolution, batch norm, ReLU, the residual block, softmax, the gradient of the loss,
# and the update. (Average pooling, the linear layer, the initial weights and the schedule are the library's.)
# `milestone` puts your answers into a small ResNet and trains it to tell circles, stripes and checkers apart. The
# library's own network takes the first five steps alongside it, from the same weights. This takes about a minute.

# %%
milestone(8, solutions(), steps=10 if FAST else 400)

# %% [markdown]
# ## Questions to think about
#
# <details><summary>The loss of your run is not a number after 50 steps. What do you do, and in what order?</summary>
#
# Find the first step at which it happens, and print the largest weight and gradient before it. If they grow from step
# to step, the learning rate is too high: use a tenth, or a warm-up. If they are harmless, look for a division by zero
# or the logarithm of zero at that step. Then train on one batch, and gradient-check the layers that you wrote.
#
# </details>
#
# <details><summary>You double the batch size and the learning rate, and train for the same number of epochs. What
# else changes?</summary>
#
# There are half as many steps, so a schedule or a warm-up that counts steps must be shortened too. Weight decay acts
# once per step with the factor $1 - \eta\delta$: half as many steps with twice the rate decay about as much. Batch
# norm's statistics come from more images and are less noisy; its running averages are updated half as often.
#
# </details>
#
# <details><summary>A colleague has compared SGD at a rate of 0.1 with Adam at 0.1 and concludes that Adam does not
# work. What is wrong with the experiment?</summary>
#
# The two rates do not mean the same thing. SGD's step is proportional to the gradient; Adam's is about the rate itself,
# for every weight. Each optimizer has to be compared at its own best rate, found with the same effort and on
# images held out from the training set, and with several seeds.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `model.forward(x, training=True)` | `model.train()`, then `model(x)` |
# | `softmax_cross_entropy(logits, labels)` | `torch.nn.CrossEntropyLoss()(logits, labels)`, without the gradient |
# | `model.backward(grad_logits, cache)` | `loss.backward()` |
# | gradients are overwritten | gradients add up: `optimizer.zero_grad()` before each step |
# | `SGD(parameters, momentum=0.9, weight_decay=1e-4)` | `torch.optim.SGD`, the same formulas |
# | `Adam(parameters, weight_decay=...)` | `torch.optim.AdamW`, the same formulas; without decay `torch.optim.Adam` |
# | `optimizer.step(learning_rate)` | `optimizer.step()`; a scheduler changes `param_groups[i]["lr"]` |
# | `multi_step`, `cosine`, `one_cycle` | `MultiStepLR`, `CosineAnnealingLR`, `OneCycleLR` (by default with cosines) |
# | `decay_biases_and_norms=False` | two parameter groups, one with `weight_decay=0` |
# | `random_crop`, `random_flip`, `normalise` | `RandomCrop`, `RandomHorizontalFlip`, `Normalize` (torchvision) |
# | `training_batches` | `torch.utils.data.DataLoader(dataset, shuffle=True, drop_last=True)` |
#
# ## Sources
#
# * He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition", section 4.2 and its footnote 5.
# * He, Zhang, Ren, Sun 2015, "Delving Deep into Rectifiers", section 2.2, equation 10: initialisation.
# * Polyak 1964; Sutskever, Martens, Dahl, Hinton 2013, "On the importance of initialization and momentum in deep
#   learning". Goh 2017, "Why Momentum Really Works", Distill: the roots of $p(z)$, drawn.
# * Smith 2015, "Cyclical Learning Rates for Training Neural Networks", section 3.3: the sweep; Smith and Topin 2017,
#   "Super-Convergence": one cycle. Loshchilov and Hutter 2016, "SGDR": the cosine.
# * Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 2.1: the linear scaling rule; Shallue et al. 2019,
#   "Measuring the Effects of Data Parallelism on Neural Network Training": its limits.
# * Kingma and Ba 2015, "Adam"; Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization"; Wilson et al. 2017,
#   "The Marginal Value of Adaptive Gradient Methods"; Choi et al. 2019, "On Empirical Comparisons of Optimizers".
# * van Laarhoven 2017, "L2 Regularization versus Batch and Weight Normalization": the effective learning rate.
# * Zhang, Bengio, Hardt, Recht, Vinyals 2016, "Understanding deep learning requires rethinking generalization".
# * DeVries and Taylor 2017, "Improved Regularization of Convolutional Neural Networks with Cutout" (task 8.3).
#
# Next: [09 Why depth was hard](09_why_depth_was_hard.py), the question that all this was for.
