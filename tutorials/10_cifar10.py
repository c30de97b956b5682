# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 10 CIFAR-10 for real
#
# CIFAR-10 is 60,000 photographs of 32x32 pixels in ten classes. Training a ResNet on it takes one command. This chapter
# is about what comes next. "84 % accuracy" is only the beginning of an answer: how sure is that number, is it better
# than another, what does the network get wrong, and can you believe it when it says that it is certain?
#
# By the end you will be able to
#
# * say beforehand what a training run will cost on your machine;
# * give an accuracy with its uncertainty, and say which kinds of uncertainty that leaves out;
# * test whether one of two classifiers is better than the other;
# * find out what a network gets wrong: which classes it confuses, and on which images it is wrong and certain;
# * measure whether its confidence can be believed, and repair it with one number;
# * say which ideas make up a faster route to the same accuracy, and what each of them contributes.
#
# **Needs:** 07 (building ResNets) and 08 (training).
# **Time:** 45 minutes to read and try, and 85 more for the five tasks. The cells run for two to five minutes. The real
# training is optional, and runs in the background.

# %%
import inspect
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.data import load, test_batches, training_batches
from resnet_scratch.data.cifar import DATA_VARIABLE
from resnet_scratch.data.cifar10 import CIFAR10
from resnet_scratch.exercises import task
from resnet_scratch.experiment import metrics, plots
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.log import read_log
from resnet_scratch.experiment.recipe import find
from resnet_scratch.experiment.weights import load_model, recorded_data_dir
from resnet_scratch.figures.evaluation import plot_coverage, plot_intervals, plot_reliability
from resnet_scratch.figures.training import plot_curves, show_images
from resnet_scratch.losses import softmax, softmax_cross_entropy
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
RUN = os.environ.get("RESNET_SCRATCH_RUN")  # the folder of a finished run; without one, a small network is trained here

# %% [markdown]
# ## The data
#
# The library looks for CIFAR-10 in the folder or archive that the environment variable `RESNET_SCRATCH_DATA` names, and
# then among what it has downloaded before. A tutorial should not download 170 MB without asking. So if the data is not
# on this machine, everything below runs on the built-in shapes, which also have ten classes. To fetch CIFAR-10 once, run
# `resnet-scratch data --data cifar10` in a terminal.

# %%
if RUN:
    model, about = load_model(RUN)
    dataset = load(about.dataset, data_dir=recorded_data_dir(RUN), image_size=about.image_size[0])
elif DATA_VARIABLE in os.environ or CIFAR10.downloaded():
    dataset = load("cifar10")
else:
    dataset = load("shapes")
    print("CIFAR-10 is not on this machine, so everything below runs on the BUILT-IN SHAPES.\n")
print(f"{dataset.name}: {len(dataset.train_images):,} images to train on, {len(dataset.test_images):,} to test on")
print("classes:", ", ".join(dataset.classes))

# %%
plots.contact_sheet(dataset.train_images, dataset.train_labels, dataset.classes, columns=8)

# %% [markdown]
# The network sees them differently. Each channel is normalised to mean 0 and standard deviation 1 over the training
# images. In training, each image is also shifted by up to four pixels and flipped left to right at random (He et al.
# 2015, section 4.2). Test images are only normalised. Here is a training batch, with the normalisation undone:

# %%
with closing(training_batches(dataset, 8, seed=0)) as batches:
    images, labels = next(batches)
shown = (255 * np.clip(images * dataset.std + dataset.mean, 0, 1)).astype(np.uint8)
fig, axes = plt.subplots(1, 8, figsize=(9, 1.5), layout="constrained")
show_images(axes, shown, [dataset.classes[label] for label in labels])
plt.show()
print(f"a batch: {images.shape}, {images.dtype}, mean {images.mean():.2f}, std {images.std():.2f}")

# %% [markdown]
# ## The run
#
# A recipe collects all the choices of a run under one name. **Predict:** how long will `cifar10-fast` (ten epochs) and
# the paper's recipe (64,000 steps), both with ResNet-20 and batches of 128, take on your machine? Measure a few steps,
# then multiply.

# %%
recipe = find("cifar10-fast")
REPEATS = 2 if FAST else 5


def seconds_a_step(model_name, batch_size, size=32):
    rng = np.random.default_rng(0)
    network = build(model_name, rng=rng)
    optimizer = SGD(network.parameters())
    x = rng.standard_normal((batch_size, size, size, 3)).astype(np.float32)
    y = rng.integers(0, 10, batch_size)
    times = []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        logits, cache = network.forward(x, training=True)
        network.backward_to_parameters(softmax_cross_entropy(logits, y)[1], cache)
        optimizer.step(0.01)
        times.append(time.perf_counter() - start)
    return min(times)  # the first step also allocates memory, and other programs may disturb any


seconds = seconds_a_step(recipe.model, recipe.batch_size)
print(f"{recipe.model}: {seconds:.2f} s a step here\n")
for name in ("cifar10-fast", "paper"):
    plan = find(name)
    steps = plan.total_steps(50_000 // plan.batch_size)
    print(
        f"{name}: {steps:,} steps of {plan.batch_size} images, {plan.schedule}, about {steps * seconds / 3600:.1f} hours"
    )
    print(f"    test accuracy to expect: {plan.expect}\n")

# %% [markdown]
# The real thing is a command, in a terminal:
#
# ```sh
# resnet-scratch train --recipe cifar10-fast --run-dir runs/cifar10
# RESNET_SCRATCH_RUN=runs/cifar10 python tutorials/10_cifar10.py     # this chapter, on the result
# ```
#
# The first line prints a row for every epoch. Ctrl-C stops and saves, and `--resume runs/cifar10` continues. In a
# notebook, set `RUN` in the first cell with imports.
#
# Without a finished run we make do with less: a ResNet-8, and the same schedule squeezed into a few hundred steps. The
# network will be worse. That is no drawback here, because it makes more mistakes to study.

# %%
STEPS = 45 if FAST else 600

if RUN:
    mean, std = about.normalisation()
    print(f"{RUN}: {about.config['name']} on {about.dataset}, recipe {about.recipe}, after {about.step:,} steps")
else:
    mean, std = dataset.mean, dataset.std
    short = replace(recipe, model="resnet8", epochs=None, steps=STEPS)
    model = build(short.model, len(dataset.classes), rng=np.random.default_rng(0))
    optimizer = short.make_optimizer(model.parameters())
    with closing(training_batches(dataset, short.batch_size, seed=0)) as batches:
        losses = [float(done.loss) for done in train(model, optimizer, batches, short.learning_rates(STEPS), STEPS)]
    fig, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
    plot_curves(ax, {"resnet8": losses})
    plt.show()
    print(f"{short.model} on {dataset.name}: {STEPS * short.batch_size / len(dataset.train_images):.1f} epochs")

# %%
plots.curves(read_log(Path(RUN))) if RUN else None

# %% [markdown]
# The loss falls fastest at first. But with this schedule it goes on falling until the end, when the learning rate comes
# down. In a whole run the test accuracy gains several points there. (If `RUN` is set, the curves show it.) So judge
# such a run by its end only.
#
# ## How good is it, and how sure is that?
#
# From here on we use the test images, which the network has never seen.

# %%
TEST = 1000 if FAST else len(dataset.test_images)
test_images, test_labels = dataset.test_images[:TEST], dataset.test_labels[:TEST]
result = evaluate(model, test_images, test_labels, mean, std)
right = result.predictions == test_labels
print(f"{right.sum():,} of {TEST:,} right: accuracy {result.accuracy:.2%}, loss {result.loss:.3f}")
assert result.accuracy > 0.13, "the network should do better than guessing, which gets 10 %"

# %% [markdown]
# These images are a sample. Think of all the images that could have been drawn in the same way. This network classifies
# some share $p$ of them correctly: its **true accuracy**. The measured accuracy $q$ is an estimate of $p$. It varies
# around $p$ with the standard deviation $\sqrt{p (1 - p) / n}$, as the share of heads in $n$ tosses of a coin does.
# Which values of $p$ are consistent with what you have measured?

# %% tags=["task"]
task("10.1")

# %% [markdown]
# This is Wilson's interval (1927). It never extends beyond 0 or 1, and it does not shrink to a point for 10 of 10. With
# 1.96 standard deviations it is a 95 % interval. But 95 % of what? A simulation can tell, because there we know the
# true accuracy. Let it be 83.4 %, and draw 10,000 test sets of 10,000 images.
#
# **Predict, then run:** about 95 % of the intervals should contain the true accuracy. How many contain the accuracy
# that is measured on the *next* test set?

# %%
TRUE = 0.834
correct = np.random.default_rng(0).binomial(10_000, TRUE, size=10_001)
low, high = np.array([metrics.accuracy_interval(int(k), 10_000) for k in correct[:-1]]).T
contain_true = np.mean((low <= TRUE) & (TRUE <= high))
contain_next = np.mean((low <= correct[1:] / 10_000) & (correct[1:] / 10_000 <= high))
print(f"the intervals that contain the true accuracy:             {contain_true:.1%}")
print(f"... that contain the accuracy measured on another sample: {contain_next:.1%}")
assert abs(contain_true - 0.95) < 0.02, "a 95 % interval contains the true accuracy 95 times in 100"
assert 0.79 < contain_next < 0.88, "another sample varies too, so it is missed more often"

# %% [markdown]
# The second number is lower because the other sample varies too. The difference of two such accuracies has a standard
# deviation that is $\sqrt 2$ times as large, and $1.96 / \sqrt 2 = 1.39$ standard deviations cover about 83 %. To be
# precise: the interval is about the **true accuracy of this one network, on images drawn like these**. It says nothing
# about
#
# * another sample's measured accuracy, as you have just seen;
# * **another seed**: training again from other initial weights gives another network, with its own true accuracy;
# * **other images**: a camera, a country or a season that is not in the test set.
#
# How large is the second of these? The paper trained its ResNet-110 five times and reports the error as "best (mean ±
# std)", 6.43 (6.61 ± 0.16) %, in table 6. Compare:

# %%
low, high = metrics.accuracy_interval(10_000 - 643, 10_000)
print(f"an error of 6.43 % of 10,000 images: 95 % interval {1 - high:.2%} to {1 - low:.2%}")
print(f"five seeds, 1.96 standard deviations on each side: {6.61 - 1.96 * 0.16:.2f} % to {6.61 + 1.96 * 0.16:.2f} %")
low, high = metrics.accuracy_interval(int(right.sum()), TEST)
print(f"\nthis network: accuracy {result.accuracy:.2%}, 95 % interval {low:.2%} to {high:.2%}")

# %% [markdown]
# The two are of similar size. The sample of test images and the seed are two sources of uncertainty, and an honest
# comparison of *methods* has to deal with both.
#
# This is the function that the cells have called. Compare it with your answer to task 10.1: `q` and `spread` are the
# only quantities in it, and `half` is the square root in the quadratic formula. (The last line corrects rounding only:
# without it, the upper end for 10 of 10 could be a little above 1.)

# %%
print(inspect.getsource(metrics.accuracy_interval))

# %% [markdown]
# ## Which of two is better?
#
# Let us make a second classifier without training anything. It asks the same network twice: about the image, and about
# the image flipped left to right. Its answer is the mean of the two probabilities. (This is called **test-time
# augmentation**.)

# %%
flipped = evaluate(model, np.ascontiguousarray(test_images[:, :, ::-1]), test_labels, mean, std)
averaged = (result.probabilities + flipped.probabilities) / 2
right_averaged = averaged.argmax(1) == test_labels
intervals = {}
for name, is_right in (("image alone", right), ("image and flipped image", right_averaged)):
    low, high = metrics.accuracy_interval(int(is_right.sum()), TEST)
    intervals[name] = (low, is_right.mean(), high)
fig, ax = plt.subplots(figsize=(6.5, 1.8), layout="constrained")
plot_intervals(ax, intervals)
plt.show()
overlap = max(low for low, _, _ in intervals.values()) < min(high for _, _, high in intervals.values())
print("the intervals overlap" if overlap else "the intervals do not overlap")

# %% [markdown]
# If the intervals overlap, is the difference chance? That does not follow. Both classifiers were given the *same*
# images, and hard images are hard for both. Each interval contains the luck of the sample, but that luck is shared, and
# cancels in the difference. A **paired** test makes use of it. It looks only at the images on which exactly one of the
# two is right.

# %%
only_alone, only_averaged = int((right & ~right_averaged).sum()), int((right_averaged & ~right).sum())
print(f"both right:            {(right & right_averaged).sum():6,}")
print(f"only 'image alone':    {only_alone:6,}")
print(f"only 'image and flip': {only_averaged:6,}")
print(f"both wrong:            {(~right & ~right_averaged).sum():6,}")

# %% tags=["task"]
task("10.2")

# %% [markdown]
# **Predict, then run:** look at the two numbers in the middle. Could a fair coin have done that?

# %%
p_value = metrics.mcnemar(right, right_averaged)
print(f"McNemar's exact test: p = {p_value:.2g}")
if not (FAST or RUN):
    assert only_averaged > only_alone and p_value < 0.01, "averaging over the flip should clearly help this network"

# %% [markdown]
# A small p-value says that two equally accurate classifiers would hardly ever disagree so one-sidedly. A large one does
# *not* say that they are equally good, only that these images cannot tell. And like the interval, the test is about
# these two classifiers. Whether a *method* is better is a question about many seeds (Dietterich 1998 compares such
# tests). If you have one run of each method, a small p-value may show no more than a lucky seed.
#
# And here is the test. Notice what it leaves out: the images that both get right, or both get wrong, appear nowhere.

# %%
print(inspect.getsource(metrics.mcnemar))

# %% [markdown]
# ## What does it confuse?
#
# An accuracy is one number for ten classes. The **confusion matrix** has a row for each true class and a column for each
# answer.

# %% tags=["task"]
task("10.3")

# %%
plots.confusion(test_labels, result.predictions, dataset.classes)

# %% [markdown]
# Two summaries of it have names. **Recall** is the share of a class's images that are found. **Precision** is the share
# of a class's answers that are right. **Predict, then run:** if a network answers with one class too often, which of
# the two is low for that class?

# %%
counts = plots.confusion_matrix(test_labels, result.predictions, len(dataset.classes))
recall = counts.diagonal() / counts.sum(1)
answers = counts.sum(0)
precision = counts.diagonal() / np.maximum(answers, 1)
print("      class  answered    recall  precision")
for k in np.argsort(-answers, kind="stable"):
    print(f"{dataset.classes[k]:>11} {answers[k]:9,} {recall[k]:9.0%} {precision[k]:10.0%}")
assert (counts.sum(1) == np.bincount(test_labels, minlength=len(counts))).all(), "a row for each true class"

# %% [markdown]
# It is precision. Both have the same numerator, the images of the class that are found, but precision divides it by the
# number of answers, which here is larger than the number of images. Which pairs of classes make up the most mistakes?

# %%
first, second = np.triu_indices(len(counts), 1)
confused = counts[first, second] + counts[second, first]  # in both directions
for k in np.argsort(-confused, kind="stable")[:5]:
    i, j = first[k], second[k]
    print(f"{confused[k]:4} mistakes: {dataset.classes[i]} taken for {dataset.classes[j]} {counts[i, j]} times, "
          f"{dataset.classes[j]} for {dataset.classes[i]} {counts[j, i]} times")  # fmt: skip
share = np.sort(confused)[-3:].sum() / confused.sum()
print(f"the three worst of {len(confused)} pairs make up {share:.0%} of all mistakes")

# %% [markdown]
# Look for two things. Is a confusion *symmetric*, or does one class attract whatever is unclear? And would *you* confuse
# these classes? A mistake that people would make too is a good sign.
#
# ## The worst mistakes
#
# You can learn more from individual images than from any summary. Look first at those on which the network is wrong but
# certain.

# %%
plots.predictions(test_images, test_labels, result.probabilities, dataset.classes)

# %% [markdown]
# Ask of each image: is the object cut off, tiny or seen from an unusual angle? Is the background typical of the other
# class? Or is the *label* wrong? Northcutt, Athalye and Mueller (2021) searched ten well-known test sets, CIFAR-10's
# among them, and found wrong labels in all of them. The closer a network gets to 100 %, the more of its mistakes are of
# that kind.
#
# ## Can you believe its confidence?
#
# The network gives probabilities. Of all the images on which it says "80 %", are 80 % right? If that holds at every
# level, the network is **calibrated**. A **reliability diagram** shows it. Divide the confidences into intervals, and in
# each compare the mean confidence with the accuracy. The **expected calibration error** sums that up, with $B_m$ for the
# images in interval $m$ (Guo et al. 2017, section 2):
#
# $$ \text{ECE} = \sum_m \frac{|B_m|}{N} \left| \text{acc}(B_m) - \text{conf}(B_m) \right| $$

# %% tags=["task"]
task("10.4")

# %%
found = metrics.reliability(result.probabilities, test_labels)
fig, ax = plt.subplots(figsize=(4.2, 4.6), layout="constrained")
plot_reliability(ax, found, f"calibration error {found.error:.3f}")
plt.show()
confidence = result.probabilities.max(1)
print(f"accuracy {result.accuracy:.1%}, mean confidence {confidence.mean():.1%}: "
      f"on the whole {'over' if confidence.mean() > result.accuracy else 'under'}confident")  # fmt: skip
assert found.error >= abs(confidence.mean() - result.accuracy) - 1e-6, "the intervals' gaps cannot add up to less"

# %% [markdown]
# Below the dotted line the network is overconfident, above it underconfident. Small points represent few images, and
# lie off the line by chance. Guo et al. found that modern networks are overconfident. A network that was trained as
# briefly as ours need not be.
#
# ### One number repairs it
#
# Divide all logits by a **temperature** $T$ before the softmax. $T > 1$ lowers the confidence and $T < 1$ raises it. The
# largest logit stays the largest, so no prediction changes. $T$ is fitted on different images from those on which you
# measure the result. Here we fit on one half of the test images and measure on the other. (In a project of your own,
# use validation images: `resnet-scratch train --validation 5000`.)

# %% tags=["task"]
task("10.5")

# %% [markdown]
# **Predict, then run:** will $T$ be above or below 1 for this network? Look at the diagram above.

# %%
logits = np.concatenate([model(x) for x, _ in test_batches(test_images, test_labels, 256, mean, std)])
fit, measure = slice(0, None, 2), slice(1, None, 2)
T = metrics.fit_temperature(logits[fit], test_labels[fit])
before, after = softmax(logits[measure]), softmax(logits[measure] / T)
assert (before.argmax(1) == after.argmax(1)).all(), "a temperature changes no prediction"

fig, axes = plt.subplots(1, 2, figsize=(8, 4.5), layout="constrained")
for ax, when, probabilities, z in zip(axes, ("T = 1", f"T = {T:.2f}"), (before, after), (logits, logits / T)):
    found = metrics.reliability(probabilities, test_labels[measure])
    plot_reliability(ax, found, f"{when}: calibration error {found.error:.3f}")
    print(f"{when:8}: loss {float(softmax_cross_entropy(z[measure], test_labels[measure])[0]):.4f}, "
          f"calibration error {found.error:.4f}, mean confidence {probabilities.max(1).mean():.1%}")  # fmt: skip
plt.show()

# %% [markdown]
# If $T$ is close to 1, there was little to repair, and the calibration error may even rise a little by chance: it is
# computed from few images, and $T$ was chosen for the loss.
#
# ### What confidence is good for
#
# A network that may say "I don't know" is right more often when it does answer. **Predict:** how accurate is the surer
# half of its answers?

# %%
fig, ax = plt.subplots(figsize=(5.5, 2.8), layout="constrained")
plot_coverage(ax, confidence, right)
plt.show()
surest_first = right[np.argsort(-confidence, kind="stable")]
for part in (0.25, 0.5, 0.75, 1):
    print(f"the surest {part:4.0%} of the answers: {surest_first[: int(part * TEST)].mean():.1%} right")
if TEST >= 1000:  # fewer images tell too little
    assert surest_first[: TEST // 2].mean() > result.accuracy, "the surer half should be right more often"

# %% [markdown]
# ## The same accuracy in less time
#
# The recipe `cifar10-fast` is ResNet-20 and a simple schedule. Is there a shorter way to the same accuracy? With a
# fixed target, this is a game: change one thing, train, and keep what helps. The recipe `cifar10-quick` is where it
# led. Each row of the table adds one idea to the row above. All runs have ten epochs, on the copy of CIFAR-10 that
# [results](../docs/results.md) describes. The numbers are the mean and standard deviation over seeds 0 to 2. The last
# column is for the answer from the image and the flipped image together.
#
# | | accuracy (%) | with flips (%) |
# |---|---:|---:|
# | `cifar10-fast`, ResNet-20 | 83.4 ± 0.1 | 84.4 ± 0.1 |
# | 1: another network | 80.9 ± 0.1 | 81.6 ± 0.1 |
# | 2: batches of 256, a rate that peaks early, at 0.6 | 80.3 ± 0.2 | 81.1 ± 0.3 |
# | 3: Nesterov, no decay of biases and norms | 81.8 ± 0.1 | 82.8 ± 0.1 |
# | 4: smoothed labels | 81.9 ± 0.2 | 82.9 ± 0.4 |
# | 5: smaller shifts | 83.0 ± 0.2 | 83.8 ± 0.1 |
# | 6: smaller images at first, `cifar10-quick` | 82.9 ± 0.2 | 84.0 ± 0.4 |
#
# The network costs two and a half points. The rest wins back all but half a point, and most of it costs no time at all:
#
# 1. **The network.** Most of ResNet-20's time goes into its first stage, on 32x32 positions, and into operations that
#    move much data and compute little. `resnet8-wide` has twice the channels in a third of the blocks (Zagoruyko and
#    Komodakis 2016). Its stem takes patches of 4x4 pixels with a stride of 2, so no layer after it works on more than
#    16x16 positions.
# 2. **The rate.** Steps of 256 images cost less per image, because each operation has more to do at a time. Twice
#    the images call for a higher rate (08). The schedule reaches it after a fifth of the run, and then falls.
# 3. **The optimizer.** Nesterov's momentum looks one step ahead (08). Weight decay is for weights. Biases and batch norms
#    have few numbers, and a decay would only pull them away from the values that fit.
# 4. **The loss.** With its labels smoothed (Szegedy et al. 2015), the network aims at 91 % for the right class and 1 %
#    for each other, so it stops pushing once it is sure.
# 5. **The crops.** In ten epochs a network sees each image only ten times, mostly in different positions, and has no
#    time to overfit. So the augmentation may be weaker: shifts of up to two pixels, not four.
# 6. **The size.** The first four epochs see the images scaled down to 24x24 pixels (Howard 2018). Convolutions and
#    global pooling take any size.
# 7. **The answer.** The network is asked twice, as above. Here the logits are averaged, not the probabilities. It needs
#    no training.
#
# What does that cost on your machine? Accuracy hardly depends on the machine, but time does. **Predict** how much of
# the time of `cifar10-fast` the others take.

# %%
resnet20, wide, larger_batch, smaller_images = (
    seconds_a_step(*workload)
    for workload in [("resnet20", 128), ("resnet8-wide", 128), ("resnet8-wide", 256), ("resnet8-wide", 256, 24)]
)
minutes = {  # ten epochs: 390 steps each with 128 images, 195 with 256
    "cifar10-fast": 3900 * resnet20 / 60,
    "the network": 3900 * wide / 60,
    "... with 256 images": 1950 * larger_batch / 60,
    "... and 24x24 at first": (780 * smaller_images + 1170 * larger_batch) / 60,
}
for name, value in minutes.items():
    print(f"{name:24} {value:5.1f} minutes, {value / minutes['cifar10-fast']:4.0%}")
assert minutes["the network"] < 0.7 * minutes["cifar10-fast"], "a third of the multiply-adds"

# %% [markdown]
# The network takes about a quarter of ResNet-20's time, and an image of 24x24 pixels about two thirds of that of 32x32.
#
# Each row can be reproduced: `python benchmarks/quick_ladder.py runs/ladder --data-dir DIR --runs-of model` trains row
# 1. Not every idea helped. What was tried and left out is in [results](../docs/results.md), too.
#
# Now question the table, using what this chapter has taught. From seed to seed, the accuracy of one recipe varies by
# tenths of a point. So rows 3 and 5 are real improvements. The smoothed labels may do nothing here: with seed 0 they
# gave 0.3 points, but that gain vanished with two more seeds. Row 6 saves time, and three seeds cannot say what it does
# to the accuracy. The recipe was chosen on *test* images, and from short runs of one seed each, so the last row is a
# little too good. And all rows were measured on the same test images, so for any two of their networks a paired test
# could tell more than the two accuracies do.
#
# In another order, the rows would look different. So ask from the other end, too: what does the finished recipe lose
# without one of the ideas? With flips it gets 84.0 %. Without row 3 it gets 82.7 %, and without row 5 82.8 %, so it
# needs both. Row 2 cost accuracy when it was added, but without it the finished recipe is no better: it gets 83.7 %.
# One idea may need another. ([Results](../docs/results.md#idea-by-idea) has the spread.)
#
# ## And better?
#
# The next per cent comes from a longer run: `cifar10-quick` gets 80.6 % after 5 epochs, 84.0 % after 10, 86.1 % after
# 23 and 87.8 % after 68, which take 4, 9, 20 and 60 minutes on two cores. (Each is a run of its own, because the
# learning rate's cycle is as long as the run.) The paper's recipe trains the network of `cifar10-fast` for 164 epochs,
# not 10, and reaches 91 %. Then come a deeper or wider network (`--model resnet56`) and stronger augmentation. But look
# at the mistakes first: if a third of them are one pair of classes, you know where to start.
#
# And do not choose by the test images. Each time you keep what looked better on them, your choice learns a little about
# them, and the accuracy that you report becomes too good. `--validation 5000` holds out training images for choosing.
#
# ## Questions to think about
#
# <details><summary>You try 20 ideas that in fact change nothing, and test each against the old network with McNemar's
# test. How many will have p below 0.05?</summary>
#
# About one of the 20, if each p-value were below 0.05 with a probability of exactly 5 %. (For the exact test it is a
# little lower, because counts are discrete.) But two networks from different seeds really are different, so there will
# be more. The best of 20 is also the luckiest of 20. Choose on validation images, and test the one that you have chosen
# once, on images that had no part in the choice.
#
# </details>
#
# <details><summary>On new images, collected in the same way as CIFAR-10's, published networks lost 4 to 10 percentage
# points (Recht et al. 2018). A 95 % interval is far narrower. Was it wrong?</summary>
#
# It answered another question. It covers chance in drawing from *one* distribution of images. The new images followed
# the old instructions, but they came from a distribution that was slightly different, and slightly harder. No formula
# for the old images can know about that.
#
# </details>
#
# <details><summary>A network answers 10 % for each of ten equally common classes, whatever the image. Is it calibrated?
# Is it useful?</summary>
#
# It is perfectly calibrated: it says 10 %, and is right on 10 %. It is useless. Calibration says that confidence means
# what it says, not that it tells images apart. The cross-entropy rewards both, which is why $T$ is fitted by it and not
# by the calibration error.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `load("cifar10")` | `torchvision.datasets.CIFAR10(root, train=True, download=True)` |
# | `training_batches`: shift, flip, normalise | `RandomCrop(32, padding=4)`, `RandomHorizontalFlip()`, `Normalize(mean, std)` |
# | `evaluate(model, images, labels, mean, std)` | `model.eval()`, `torch.no_grad()`, a loop over the test loader |
# | `plots.confusion_matrix` | `torchmetrics.ConfusionMatrix` |
# | `metrics.reliability(probabilities, labels).error` | `torchmetrics.classification.MulticlassCalibrationError` |
# | `metrics.accuracy_interval` | `statsmodels.stats.proportion.proportion_confint(..., method="wilson")` |
# | `metrics.mcnemar` | `statsmodels.stats.contingency_tables.mcnemar(table, exact=True)` |
#
# ## Sources
#
# * Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images": CIFAR-10.
# * He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition", section 4.2 and table 6.
# * Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference", Journal of the American
#   Statistical Association 22.
# * McNemar 1947, "Note on the sampling error of the difference between correlated proportions or percentages",
#   Psychometrika 12; Dietterich 1998, "Approximate Statistical Tests for Comparing Supervised Classification Learning
#   Algorithms", Neural Computation 10.
# * Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks", ICML, sections 2 and 4.2.
# * Northcutt, Athalye and Mueller 2021, "Pervasive Label Errors in Test Sets Destabilize Machine Learning Benchmarks".
# * Zagoruyko and Komodakis 2016, "Wide Residual Networks"; Szegedy et al. 2015, "Rethinking the Inception Architecture
#   for Computer Vision", section 7: smoothed labels; Howard 2018, "Training Imagenet in 3 hours for USD 25": growing
#   images.
# * Recht, Roelofs, Schmidt and Shankar 2018, "Do CIFAR-10 Classifiers Generalize to CIFAR-10?".
#
# Next: [11 What does it see?](11_what_does_it_see.py), where you look into the network.
