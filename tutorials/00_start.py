# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 00 Five minutes to a trained ResNet
#
# A residual network learns to tell shapes apart, on this machine, now. Every line of what trains it is Python that you
# can open: no autograd, no compiled layers. The tutorials behind this one take it apart, piece by piece.
#
# At the end you will
#
# * have trained a network, and know how well it does on pictures that it has never seen;
# * have seen the five steps of training, as they stand in the library;
# * have checked a gradient, broken a layer, and seen the check catch it;
# * know what is ahead, and how the exercises work.
#
# **Needs:** Python 3.10 or newer and this repository; some Python and NumPy, some linear algebra.
# **Time:** 15 minutes to read; it trains for two minutes.
#
# Set-up, in a terminal, in the folder of the repository (on Windows `py` for `python3` and `.venv\Scripts\` for
# `.venv/bin/`):
#
#     python3 -m venv .venv
#     .venv/bin/pip install -e ".[tutorials,test]"
#     .venv/bin/jupyter notebook tutorials/notebooks/00_start.ipynb
#
# Or open this very file, `tutorials/00_start.py`, in an editor that knows cells (VS Code, Spyder, PyCharm), or run it
# as a whole with `.venv/bin/python tutorials/00_start.py`.

# %%
import inspect
import os
from contextlib import closing

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.data import load, training_batches
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.layers import Conv2d
from resnet_scratch.verify.mistakes import planted
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.experiment.recipe import find
from resnet_scratch.measure.summary import summarise
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests

# %% [markdown]
# ## The pictures
#
# The library draws its own data set, so nothing needs to be downloaded: 32 by 32 pixels, ten shapes, in all colours, on
# all grounds, with noise and a line across. Only the shape tells the class.

# %%
dataset = load("shapes")
print(f"{len(dataset.train_images):,} pictures to learn from, {len(dataset.test_images):,} to be tested on")
print(f"each is {dataset.train_images.shape[1:]} (height, width, colours), {dataset.train_images.dtype}")

fig, axes = plt.subplots(2, 5, figsize=(7, 3.2))
for label, ax in enumerate(axes.flat):
    ax.imshow(dataset.train_images[dataset.train_labels == label][0])
    ax.set_title(dataset.classes[label], fontsize=9)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# ## The network
#
# ResNet-8: one convolution, three blocks of two convolutions each with a shortcut around them, a linear layer. An image
# goes in, ten numbers come out, one for each class: the largest is its answer.

# %%
model = build("resnet8", len(dataset.classes), rng=np.random.default_rng(0))
rows = summarise(model, 32)
print(f"{sum(row.parameters for row in rows):,} numbers to learn, in {len(rows)} layers")
print(f"{sum(row.multiply_adds for row in rows) / 1e6:.1f} million multiplications for one picture")

before = evaluate(model, dataset.test_images[:500], dataset.test_labels[:500], dataset.mean, dataset.std)
print(f"before training it gets {before.accuracy:.1%} right; guessing gets {1 / len(dataset.classes):.0%}")
assert before.accuracy < 0.3, "an untrained network knows nothing: did you run this cell after training?"

# %% [markdown]
# ## The five steps
#
# Initialise, then again and again: forward, loss, backward, update. This is all of it, the library's own loop.
# (`backward_to_parameters` is `backward` without the gradient with respect to the images, which nobody changes.)

# %%
print(inspect.getsource(train))

# %% [markdown]
# **Predict, then run:** the loss is the mean of $-\log p$, where $p$ is the probability that the network gives to the
# true class. What is it, before training, if all ten classes get the same? Write the number down; the next cell prints
# it, then trains.
#
# The recipe `shapes` says how fast to learn and for how long: 12 times through all pictures, some two minutes.

# %%
recipe = find("shapes")
print(f"the loss of guessing is -log(1/10) = {np.log(10):.2f}")
full = recipe.total_steps(len(dataset.train_images) // recipe.batch_size)
steps = 25 if FAST else full
optimizer = SGD(model.parameters(), recipe.momentum, recipe.weight_decay)
losses = []
with closing(training_batches(dataset, recipe.batch_size, seed=0)) as batches:
    for step in train(model, optimizer, batches, recipe.learning_rates(steps), steps):
        losses.append(float(step.loss))
        if step.number % max(1, steps // 8) == 0:
            print(f"step {step.number:4} of {steps}: loss {np.mean(losses[-10:]):.2f}")

# %%
fig, ax = plt.subplots(figsize=(6, 2.8))
ax.plot(losses, color="#4477aa", linewidth=1)
ax.axhline(np.log(10), color="#999999", linewidth=1, linestyle="--")
ax.text(len(losses), np.log(10), "guessing", ha="right", va="bottom", fontsize=8, color="#666666")
ax.set_xlabel("step")
ax.set_ylabel("loss")
ax.set_ylim(bottom=0)
fig.tight_layout()
plt.show()

# %% [markdown]
# ## How good is it?
#
# On pictures that it has not seen:

# %%
result = evaluate(model, dataset.test_images, dataset.test_labels, dataset.mean, dataset.std)
print(f"{result.accuracy:.1%} of {len(result.labels):,} test pictures are right")
if FAST:
    print(f"({steps} steps are too few for more; the full mode makes {full})")
else:
    assert result.accuracy > 0.9, "it should know nearly all shapes by now; was it trained in the cell above?"

fig, axes = plt.subplots(2, 6, figsize=(8, 3.4))
for k, ax in enumerate(axes.flat):
    said, true = dataset.classes[result.predictions[k]], dataset.classes[result.labels[k]]
    ax.imshow(dataset.test_images[k])
    right = said == true
    ax.set_title(said if right else f"{said},\nis {true}", fontsize=8, color="#227733" if right else "#bb2222")
    ax.set_axis_off()
fig.tight_layout()
plt.show()

# %% [markdown]
# The whole recipe, with a progress bar, a log, plots and a file of weights at the end, is one command, and
# `resnet-scratch --help` lists the others:
#
#     .venv/bin/resnet-scratch train
#
# ## A gradient, checked
#
# Training works because `backward` says how the loss changes with each weight. Each layer's backward is written by
# hand, so how do we know that it is right? We change a number a little, look how the output changes, and compare:

# %%
conv = Conv2d(2, 3, kernel_size=3, padding=1, rng=np.random.default_rng(0)).astype(np.float64)
x = np.random.default_rng(1).standard_normal((2, 5, 5, 2))
report = gradcheck(conv, x)
print(report)
assert report, "the library's own convolution passes; if not, somebody has changed it"

# %% [markdown]
# ## A layer, broken
#
# The backward of a convolution needs its kernel flipped along both axes; forward does not, so it is easily forgotten.
# The loss still falls then: trained like above (the same seed, all 936 steps) the network ends at 30.2 % instead of
# 97.1 %. Somebody who has never seen the 97.1 would take it for a poor recipe. The check takes it for what it is:

# %%
with planted("conv-kernel-not-flipped") as mistake:
    print(f"planted: {mistake.what}\n")
    broken = gradcheck(conv, x)
print(broken)
assert not broken, "a broken backward must not pass"
assert gradcheck(conv, x), "and after the with block the layer is right again"

# %% [markdown]
# `resnet-scratch break` lists the mistakes that can be planted like this. Or break something yourself: open
# `resnet_scratch/layers/conv.py`, change a sign, and run `resnet-scratch gradcheck`.
#
# ## What is ahead
#
# | | |
# |---|---|
# | 01, 02 | convolution as one matrix product, and its gradient |
# | 03 | the gradient check itself |
# | 04, 05 | batch norm, ReLU, pooling, the loss, each with its gradient |
# | 06, 07 | the residual connection; whole networks |
# | 08, 09 | training; why depth was hard, and what the shortcut changes |
# | 10, 11 | CIFAR-10; what the network sees |
# | 12, 13, 14 | the GPU; fast NumPy; PyTorch and back |
#
# ## Exercises
#
# Each tutorial ends with some. `show` prints a task, `check` says whether an answer is right, and if not, why. Here the
# answer is the library's own; put yours in its place:

# %%
from resnet_scratch.exercises import ch00_start as tasks
from resnet_scratch.exercises import check, show

show(tasks.relu_forward)

# %%
answer = tasks.relu_forward  # your turn: replace this by your own function
check("0.1", answer)

# %%
show(tasks.relu_backward)

# %%
answer = tasks.relu_backward  # your turn: replace this by your own function
check("0.2", answer)

# %%
show(tasks.accuracy)

# %%
answer = tasks.accuracy  # your turn: replace this by your own function
check("0.3", answer)

# %% [markdown]
# Or solve them as files, with your editor and pytest: `resnet-scratch exercises my-exercises` writes all tasks of all
# tutorials, without the solutions, into a folder; `pytest -m task0_1` there checks the first.
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `y, cache = layer.forward(x)`, `layer.backward(grad_y, cache)` | `y = layer(x)`; `y.backward(grad_y)` |
# | `parameter.value`, `parameter.grad` | `parameter`, `parameter.grad` |
# | `softmax_cross_entropy(logits, labels)` | `torch.nn.functional.cross_entropy` |
# | `optimizer.step(learning_rate)` | `optimizer.zero_grad()`, `optimizer.step()` and a scheduler |
# | `gradcheck(layer, x)` | `torch.autograd.gradcheck(layer, x)` |
# | (N, H, W, C) | (N, C, H, W), or the same memory order with `channels_last` |
#
# ## Sources
#
# * He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition": the residual network.
# * Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors": backward.
#
# Next: [01 Convolution](01_convolution.py), where nearly all of the work is done.
