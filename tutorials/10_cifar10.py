# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 10 CIFAR-10 for real
#
# 60,000 photographs of 32x32 pixels, ten classes, and the network that you have built. Training takes one command and
# half an hour; understanding the result takes longer, and is what this tutorial is about. "84 % accuracy" is the
# beginning of an answer.
#
# At the end you will be able to
#
# * read a training recipe, and say beforehand what it will cost on your machine;
# * give an accuracy together with how sure it is;
# * find out *what* a network gets wrong: which classes it takes for which, and on which images it is wrong and certain;
# * measure whether its confidence can be believed (reliability diagram, calibration error), and repair it with one
#   number.
#
# **Needs:** 07 (building ResNets), 08 (training).
# **Time:** 40 minutes to read and try; two to three minutes to run. The real training, if you do it, takes half an hour
# on two cores, in the background.

# %%
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.experiment import plots
from resnet_scratch.data import load, test_batches, training_batches
from resnet_scratch.data.cifar10 import DATA_VARIABLE, downloaded
from resnet_scratch.exercises import ch10_cifar10 as tasks
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.log import read_log
from resnet_scratch.experiment.recipe import RECIPES, find
from resnet_scratch.experiment.weights import load_model
from resnet_scratch.losses import softmax, softmax_cross_entropy
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
RUN = os.environ.get("RESNET_SCRATCH_RUN")  # the folder of a finished run; without one, a small network is trained here

# %% [markdown]
# ## The data
#
# The library looks for CIFAR-10 in the folder (or the archive) that the environment variable `RESNET_SCRATCH_DATA`
# names, and otherwise downloads its 170 MB once. A tutorial should not download without asking, so here it is used only
# if it is on this machine already. To fetch it, run `resnet-scratch data --data cifar10` once.


# %%
def on_this_machine():
    """Whether CIFAR-10 can be loaded without downloading it."""
    return DATA_VARIABLE in os.environ or bool(downloaded())


if RUN:
    model, about = load_model(RUN)
    dataset = load(about.dataset)
else:
    dataset = load("cifar10" if on_this_machine() else "shapes")
if dataset.name != "cifar10" and not RUN:
    print("CIFAR-10 is not on this machine: everything below runs on the BUILT-IN SHAPES instead.")
    print("The steps are the same; the mistakes that you will see are other ones.\n")
print(f"{dataset.name}: {len(dataset.train_images):,} images to train on, {len(dataset.test_images):,} to test on")
print("classes:", ", ".join(dataset.classes))

# %% [markdown]
# What does the network get to see? Each channel is scaled to mean 0 and standard deviation 1 over the training images.
# In training each image is moved by up to four pixels in any direction and mirrored at random (He et al. 2015,
# section 4.2), so that in many epochs no image is seen twice in quite the same way. The test images stay as they are.

# %%
batches = training_batches(dataset, 8, seed=0)
with closing(batches):
    images, labels = next(batches)
fig, axes = plt.subplots(1, 8, figsize=(9, 1.5), layout="constrained")
for ax, image, label in zip(axes, images, labels):
    ax.imshow(np.clip(image * dataset.std + dataset.mean, 0, 1))  # normalisation undone
    ax.set_title(dataset.classes[label], fontsize=8)
    ax.set_axis_off()
plt.show()
print(f"a batch: {images.shape}, {images.dtype}, mean {images.mean():.2f}, std {images.std():.2f}")

# %% [markdown]
# And the images as they are, the first of each class. How many of them could *you* name at this size?

# %%
plots.contact_sheet(dataset.train_images, dataset.train_labels, dataset.classes, columns=8)

# %% [markdown]
# ## Two recipes
#
# A recipe is all choices of a run under one name. The paper's takes 64,000 steps. The short one has the same network
# and the same batches, but one rise and fall of the learning rate, and a stronger weight decay.

# %%
for name in ("paper", "cifar10-fast"):
    recipe = find(name)
    steps = recipe.total_steps(50_000 // recipe.batch_size)
    print(f"{name}: {recipe.model}, {steps:,} steps of {recipe.batch_size} images "
          f"({steps * recipe.batch_size / 50_000:.0f} epochs), {recipe.schedule}, learning rate up to "
          f"{recipe.learning_rate}, momentum {recipe.momentum}, weight decay {recipe.weight_decay}")  # fmt: skip
    print(f"    expect {recipe.expect}\n")

# %%
fig, axes = plt.subplots(1, 2, figsize=(8.5, 2.6), layout="constrained", sharey=True)
for ax, name in zip(axes, ("paper", "cifar10-fast")):
    recipe = RECIPES[name]
    steps = recipe.total_steps(50_000 // recipe.batch_size)
    rates = recipe.learning_rates(steps)
    where = np.linspace(0, steps - 1, 500).astype(int)
    ax.plot(where, [rates(k) for k in where], color="#4477aa")
    ax.set_title(name, fontsize=10)
    ax.set_xlabel("step")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("learning rate")
plt.show()

# %% [markdown]
# **Predict.** What will the two recipes cost on your machine? Measure a few steps, then multiply.

# %%
recipe = find("cifar10-fast")
rng = np.random.default_rng(0)
candidate = build(recipe.model, rng=rng)
x = rng.standard_normal((recipe.batch_size, 32, 32, 3)).astype(np.float32)
y = rng.integers(0, 10, recipe.batch_size)
optimizer = SGD(candidate.parameters())


def step():
    logits, cache = candidate.forward(x, training=True)
    candidate.backward(softmax_cross_entropy(logits, y)[1], cache)
    optimizer.step(0.01)


step()  # the first one also fetches memory
REPEATS = 2 if FAST else 5
start = time.perf_counter()
for _ in range(REPEATS):
    step()
seconds = (time.perf_counter() - start) / REPEATS
print(f"{recipe.model}: {seconds:.2f} s a step here, {recipe.batch_size / seconds:.0f} images a second")
for name in ("cifar10-fast", "paper"):
    steps = find(name).total_steps(50_000 // recipe.batch_size)
    print(f"    {name}: {steps:,} steps, about {steps * seconds / 3600:.1f} hours")

# %% [markdown]
# ## The real thing is a command
#
# In a terminal, in the folder of the project:
#
# ```sh
# resnet-scratch train --recipe cifar10-fast --run-dir runs/cifar10
# ```
#
# It prints a line for every epoch; Ctrl-C stops and saves, `--resume runs/cifar10` goes on. When it is done, run this
# tutorial on the result:
#
# ```sh
# RESNET_SCRATCH_RUN=runs/cifar10 python tutorials/10_cifar10.py
# ```
#
# (in a notebook: set `RUN` in the second cell). On a GPU, tutorial 12, the paper's recipe is within reach, too:
# `--recipe paper --device cuda`.
#
# Without a finished run we make do with less: ResNet-8 instead of 20, and a small part of the steps, with the short
# recipe's schedule stretched to them.

# %%
STEPS = 60 if FAST else 800

if RUN:
    history = read_log(Path(RUN))
    mean, std = about.normalisation()
    print(f"{RUN}: {about.config['name']} on {about.dataset}, recipe {about.recipe}, after {about.step:,} steps")
else:
    short = replace(recipe, model="resnet8", epochs=None, steps=STEPS)
    model = build(short.model, len(dataset.classes), rng=np.random.default_rng(0))
    optimizer = short.make_optimizer(model.parameters())
    batches = training_batches(dataset, short.batch_size, seed=0)
    losses, correct = [], []
    with closing(batches):
        for step_done in train(model, optimizer, batches, short.learning_rates(STEPS), STEPS):
            losses.append(float(step_done.loss))
            correct.append(int(step_done.correct))
    mean, std = dataset.mean, dataset.std
    last = STEPS // 10
    epochs = STEPS * short.batch_size / len(dataset.train_images)
    print(f"{short.model} on {dataset.name}, {STEPS} steps ({epochs:.1f} epochs): "
          f"training accuracy of the last {last} steps {np.mean(correct[-last:]) / short.batch_size:.1%}")  # fmt: skip

# %%
if RUN:
    epochs = [row["epoch"] for row in history]
    curves = {"training (augmented)": "train_loss", "test": "test_loss"}
    across, curves = epochs, {name: [row[column] for row in history] for name, column in curves.items()}
else:
    smooth = np.convolve(losses, np.ones(10) / 10, "valid")
    across, curves = np.arange(len(smooth)) + 10, {"training (augmented), mean of 10 steps": smooth}
fig, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
for (name, values), colour in zip(curves.items(), ("#4477aa", "#cc5533")):
    ax.plot(across, values, color=colour, label=name)
ax.set(xlabel="epoch" if RUN else "step", ylabel="cross-entropy loss", ylim=(0, None))
ax.legend(frameon=False, fontsize=8)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# In a whole run with this schedule the loss often looks disappointing while the learning rate is high, and falls fast
# when it comes down at the end: judge a one-cycle run by its end only.
#
# ## How good is it, and how sure is that?
#
# From here on we look at the test images only, which the network has never seen.

# %%
TEST = 1000 if FAST else len(dataset.test_images)
test_images, test_labels = dataset.test_images[:TEST], dataset.test_labels[:TEST]
result = evaluate(model, test_images, test_labels, mean, std)
right = int((result.predictions == test_labels).sum())
low, high = tasks.accuracy_interval(right, TEST)
print(f"{right:,} of {TEST:,} right: accuracy {result.accuracy:.2%}, 95 % interval {low:.2%} to {high:.2%}; "
      f"loss {result.loss:.3f}")  # fmt: skip
assert result.accuracy > 0.13, "the network should do better than guessing, which gets 10 %"

# %% [markdown]
# The interval says what *another sample of test images* could have given (Wilson 1927; exercise 10.1). It does not say
# what *another seed* would have given. Both are part of an honest comparison: the paper trains its ResNet-110 five
# times and reports "best (mean +- std)", table 6.
#
# **Think.** One network has 83.8 %, another 83.7 %, each on 10,000 test images. Which one is better?

# %%
for accuracy in (0.837, 0.838):
    low, high = tasks.accuracy_interval(round(accuracy * 10_000), 10_000)
    print(f"{accuracy:.1%} of 10,000: {low:.2%} to {high:.2%}")

# %% [markdown]
# ## What does it take for what?
#
# The confusion matrix: a row for each true class, a column for each answer.

# %%
plots.confusion(test_labels, result.predictions, dataset.classes)

# %%
counts = tasks.confusion_counts(test_labels, result.predictions, len(dataset.classes))
recall = counts.diagonal() / counts.sum(1)  # of the images of a class, how many are found
precision = counts.diagonal() / np.maximum(counts.sum(0), 1)  # of the answers, how many are right
for k in np.argsort(recall):
    print(f"{dataset.classes[k]:>11}: {recall[k]:4.0%} of them found; of the answers {dataset.classes[k]!r}, "
          f"{precision[k]:4.0%} are right")  # fmt: skip

# %%
off = counts - np.diag(counts.diagonal())
first, second = np.triu_indices(len(off), 1)
mixed_up = off[first, second] + off[second, first]  # of each pair of classes, in both directions
for k in np.argsort(-mixed_up, kind="stable")[:5]:
    one, other = dataset.classes[first[k]], dataset.classes[second[k]]
    print(f"{mixed_up[k]:4} mistakes: {one} taken for {other} {off[first[k], second[k]]} times, "
          f"{other} for {one} {off[second[k], first[k]]} times")  # fmt: skip
print(f"the three worst pairs make up {np.sort(mixed_up)[-3:].sum() / off.sum():.0%} of all mistakes")

# %% [markdown]
# Look for two things. Is a mistake *symmetric* (cats for dogs as often as dogs for cats: the two look alike to the
# network), or does one class act as a magnet that draws in what is unclear? And are the classes that are mixed up alike
# to *you*? A mistake that you would make too is a good sign.
#
# ## The worst mistakes
#
# Wrong, and sure of it. In these images is more to learn than in any number: a label that is debatable, a typical
# background with the wrong thing in front, a pose or a crop that is rare.

# %%
plots.predictions(test_images, test_labels, result.probabilities, dataset.classes)

# %%
worst = tasks.worst_mistakes(result.probabilities, test_labels, 5)
for k in worst:
    p = result.probabilities[k]
    print(f"test image {k}: is {dataset.classes[test_labels[k]]} ({p[test_labels[k]]:.1%}), "
          f"taken for {dataset.classes[p.argmax()]} ({p.max():.1%})")  # fmt: skip

# %% [markdown]
# Some of the labels themselves are wrong: Northcutt, Athalye and Mueller 2021 searched ten well-known test sets,
# CIFAR-10's among them, let people judge what looked suspicious, and published the list. The nearer a network gets to
# 100 %, the more of what is left is that.
#
# ## Can its confidence be believed?
#
# The network gives probabilities. Of all the images on which it says "80 %", are 80 % right? If that is so at every
# level, it is called *calibrated*. The reliability diagram shows it: cut the confidences into intervals, and compare,
# in each, the mean confidence with the accuracy.


# %%
def draw_reliability(axes, probabilities, labels, bins=15):
    """Accuracy against confidence; the size of a point shows how many images are behind it."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    number = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    filled = [k for k in range(bins) if (number == k).any()]
    said = [confidence[number == k].mean() for k in filled]
    was = [right[number == k].mean() for k in filled]
    share = np.bincount(number, minlength=bins) / len(labels)
    axes.plot([0, 1], [0, 1], ":", color="black", lw=1, label="calibrated")
    axes.plot(said, was, color="#4477aa", lw=1, label="network (size: images)")
    axes.scatter(said, was, 12 + 300 * share[filled], color="#4477aa")
    error = tasks.expected_calibration_error(probabilities, labels, bins)
    axes.set(xlabel="confidence", xlim=(0, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    title = f"accuracy {right.mean():.1%}, mean confidence {confidence.mean():.1%}\ncalibration error {error:.3f}"
    axes.set_title(title, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


fig, ax = plt.subplots(figsize=(4.2, 4.8), layout="constrained")
draw_reliability(ax, result.probabilities, test_labels)
ax.set_ylabel("accuracy")
ax.legend(frameon=False, fontsize=8, loc="upper left")
plt.show()

# %% [markdown]
# Points below the dotted line: too sure. Above it: not sure enough. (Small points have few images behind them, and jump
# about by chance.) The *expected calibration error* puts it into a
# number, the mean distance from the line, each interval $B_m$ of the $M$ counted by its images (Guo et al. 2017,
# section 2; exercise 10.4):
#
# $$ \text{ECE} = \sum_{m=1}^{M} \frac{|B_m|}{N} \left| \text{acc}(B_m) - \text{conf}(B_m) \right| $$
#
# Guo et al. found modern networks too sure of themselves. A network trained as briefly as ours need not be: look at
# your diagram rather than at the headline.
#
# ### One number repairs it
#
# Divide all logits by one temperature $T$ before the softmax. $T > 1$ makes the network less sure, $T < 1$ more; the
# largest logit stays the largest, so **no prediction changes**. $T$ is fitted by the loss, on images that are then not
# used to measure the result: here, one half of the test images to fit and the other to measure. (In a real project one
# takes validation images: `resnet-scratch train --validation 5000`.)

# %%
logits = np.concatenate([model(x) for x, _ in test_batches(test_images, test_labels, 256, mean, std)])
fit, measure = slice(0, None, 2), slice(1, None, 2)
T = tasks.fit_temperature(logits[fit], test_labels[fit])
before, after = softmax(logits[measure]), softmax(logits[measure] / T)
assert (before.argmax(1) == after.argmax(1)).all(), "a temperature changes no prediction"

fig, axes = plt.subplots(1, 2, figsize=(8, 4.9), layout="constrained", sharey=True)
for ax, probabilities, when in zip(axes, (before, after), ("T = 1", f"T = {T:.2f}")):
    draw_reliability(ax, probabilities, test_labels[measure])
    ax.set_xlabel(f"confidence, {when}")
axes[0].set_ylabel("accuracy")
axes[0].legend(frameon=False, fontsize=8, loc="upper left")
plt.show()
for when, z in (("before", logits[measure]), ("after", logits[measure] / T)):
    print(f"{when:6}: loss {float(softmax_cross_entropy(z, test_labels[measure])[0]):.4f}, calibration error "
          f"{tasks.expected_calibration_error(softmax(z), test_labels[measure]):.4f}")  # fmt: skip

# %% [markdown]
# ### What confidence is good for
#
# A network that may answer "I don't know" can be right more often. Let it answer only where it is most sure:

# %%
order = np.argsort(-result.probabilities.max(1), kind="stable")
right_so_far = np.cumsum((result.predictions == test_labels)[order]) / np.arange(1, TEST + 1)
fig, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
share = np.arange(1, TEST + 1) / TEST
ax.plot(100 * share[TEST // 50 :], 100 * right_so_far[TEST // 50 :], color="#4477aa")
ax.axhline(100 * result.accuracy, color="grey", lw=0.8, ls=":")
ax.set(xlabel="answers given (% of the images, the surest first)", ylabel="of these right (%)", ylim=(None, 101))
ax.spines[["top", "right"]].set_visible(False)
plt.show()
for part in (0.25, 0.5, 0.75):
    print(f"the surer {part:.0%} of the answers: {right_so_far[int(part * TEST) - 1]:.1%} right; "
          f"all: {result.accuracy:.1%}")  # fmt: skip
assert right_so_far[TEST // 2 - 1] > result.accuracy, "the surer half should be right more often than the whole"

# %% [markdown]
# ## And better?
#
# Where the next per cent comes from, in the order in which to try:
#
# 1. **Train longer.** The paper's recipe is the same network with more than sixteen times the steps:

# %%
print("paper recipe, expect:", RECIPES["paper"].expect)

# %% [markdown]
# 2. **Deeper or wider.** `--model resnet56`: more of the same blocks, at a price in proportion.
# 3. **More variety.** Augmentation beyond crops and mirroring keeps a longer training from learning the images by
#    heart.
# 4. **Look at the mistakes first.** If a third of them is one pair of classes, that says where to look.
#
# And do not choose by the test images. Each time that you keep what looked better on them, they become a little more
# like training images. `--validation 5000` holds out training images for that; the test images are for the end.
#
# ## Exercises

# %% tags=["task"]
task("10.1")

# %% tags=["task"]
task("10.2")

# %% tags=["task"]
task("10.3")

# %% tags=["task"]
task("10.4")

# %% tags=["task"]
task("10.5")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `load("cifar10")` | `torchvision.datasets.CIFAR10(root, train=True, download=True)` |
# | `training_batches`: crop, mirror, normalise | `transforms.RandomCrop(32, padding=4)`, `RandomHorizontalFlip()` |
# | ... and batches | `transforms.Normalize(mean, std)`, `torch.utils.data.DataLoader` |
# | `recipe.learning_rates(steps)` | `torch.optim.lr_scheduler.MultiStepLR`, `OneCycleLR` |
# | `evaluate(model, images, labels, mean, std)` | `model.eval()`, `torch.no_grad()`, a loop over the test loader |
# | `plots.confusion` | `torchmetrics.ConfusionMatrix` |
# | `expected_calibration_error` | `torchmetrics.classification.MulticlassCalibrationError` |
#
# ## Sources
#
# * Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images": CIFAR-10.
# * He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", section 4.2 and table 6.
# * Smith and Topin 2017, "Super-Convergence": one rise and fall of the learning rate.
# * Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
#   Statistical Association 22.
# * Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", ICML, sections 2 and 4.2.
# * Northcutt, Athalye and Mueller 2021, "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks",
#   NeurIPS datasets and benchmarks.
#
# You know now *what* the network answers. In the next tutorial, 11, you look into it: what does it see?
