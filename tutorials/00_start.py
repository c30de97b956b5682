# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 00 Five minutes to a trained ResNet
#
# In the next few minutes you train a residual network on your own machine. Every line that trains it is Python you can
# open and read: there is no autograd and no compiled layer. The tutorials after this one take it apart, piece by piece.
#
# By the end you will have
#
# * trained a network and measured how well it does on images it has never seen;
# * read the five steps of training in the library's own code;
# * checked a gradient numerically, broken a layer on purpose, and watched the check catch it;
# * solved your first three tasks.
#
# **Needs:** Python 3.10 or newer and this repository; some Python and NumPy; some linear algebra.
# **Time:** 15 minutes to read, two of them while the network trains; 20 minutes for the tasks.
# **Words** that are new to you may be in the [glossary](../docs/notation.md#glossary).
#
# To set up, run this in a terminal in the repository's folder (on Windows, write `py` instead of `python3` and
# `.venv\Scripts\` instead of `.venv/bin/`):
#
#     python3 -m venv .venv
#     .venv/bin/pip install -e ".[tutorials,test]"
#     .venv/bin/jupyter notebook tutorials/notebooks/00_start.ipynb
#
# You can also open `tutorials/00_start.py` in an editor that understands cells (VS Code, Spyder, PyCharm), or run the
# whole file with `.venv/bin/python tutorials/00_start.py`. Commands in the text leave out `.venv/bin/`: for them, run
# `source .venv/bin/activate` (on Windows `.venv\Scripts\activate`) once in each new terminal. The file shows each task
# with the library's answer; the notebook leaves the answers to you.

# %%
import inspect
import os
from contextlib import closing

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.data import load, training_batches
from resnet_scratch.exercises import task
from resnet_scratch.experiment.evaluation import evaluate
from resnet_scratch.experiment.recipe import find
from resnet_scratch.figures.start import draw_loss, draw_one_of_each, draw_predictions
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import Conv2d
from resnet_scratch.measure.summary import summarise
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.train import train
from resnet_scratch.verify.mistakes import planted

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests

# %% [markdown]
# ## The images
#
# The library draws its own data set, so there is nothing to download. Each image is 32 by 32 pixels and shows one of
# ten shapes or textures. Colour, size, rotation and background are random, and half of the images are partly hidden by
# a bar. Only the shape, or the texture, tells you the class.

# %%
dataset = load("shapes")
print(f"{len(dataset.train_images):,} training images, {len(dataset.test_images):,} test images")
print(
    f"each has the shape {dataset.train_images.shape[1:]} (height, width, channels) and is {dataset.train_images.dtype}"
)
draw_one_of_each(dataset)
plt.show()

# %% [markdown]
# ## The network
#
# ResNet-8 is one convolution, then three blocks of two convolutions, each with a shortcut around it, then a linear
# layer. An image goes in and ten numbers come out, one for each class. The class with the largest number is the
# network's answer. (The 8 in the name counts the convolutions and the linear layer. The next cell counts every layer,
# and the *multiply-adds*: each is a multiplication followed by an addition.)

# %%
model = build("resnet8", len(dataset.classes), rng=np.random.default_rng(0))
rows = summarise(model, 32)
print(f"{sum(row.parameters for row in rows):,} parameters in {len(rows)} layers")
print(f"{sum(row.multiply_adds for row in rows) / 1e6:.1f} million multiply-adds per image")

before = evaluate(model, dataset.test_images[:500], dataset.test_labels[:500], dataset.mean, dataset.std)
print(f"accuracy before training: {before.accuracy:.1%}; guessing gets {1 / len(dataset.classes):.0%}")
assert before.accuracy < 0.3, "an untrained network can only guess"

# %% [markdown]
# ## The five steps
#
# The parameters, or **weights**, are the numbers that the layers compute with. They start out random, and training
# changes them. It takes some images at a time, a **batch**, and measures how wrong the answers are: the **loss**, a
# single number. How the loss would change with each weight is the **gradient**. Each weight then takes a small step
# against its gradient, and the **learning rate** says how small.
#
# So training has five steps. You initialise the weights once. Then you repeat four steps for each batch of images:
# forward, loss, backward, update. The next cell prints the library's training loop; its comments number the steps.
# (`_check` and `_pair` look for wrong arguments. `over_batch` counts the right answers here; 01 explains it.
# `backward_to_parameters` is `backward` without the gradient with respect to the images, which training does not need.)

# %%
print(inspect.getsource(train))

# %% [markdown]
# **Predict, then run.** The loss is the mean of $-\log p$, where $p$ is the probability that the network gives to the
# true class. Suppose it gives the same probability to all ten classes. What is the loss? Write the number down.
#
# An untrained network comes close to that, but it is a little worse: its weights are random, so it prefers some classes
# for no reason. The next cell computes both losses, and says whether your prediction is right.

# %%
prediction = None  # your prediction, such as 1.5

recipe = find("shapes")
with closing(training_batches(dataset, recipe.batch_size, seed=0)) as batches:
    first = next(train(model, SGD(model.parameters()), batches, lambda step: 0.0, total_steps=1))  # rate 0: no update
uniform = np.log(len(dataset.classes))
print(f"all classes equally likely: {uniform:.2f}; loss of the first batch: {float(first.loss):.2f}")
if prediction is not None:
    right = abs(prediction - uniform) < 0.05
    print(
        "your prediction is right" if right else "your prediction is off: what is p if all classes are equally likely?"
    )
assert uniform - 0.1 < float(first.loss) < uniform + 1, "an untrained network is close to guessing, and rather worse"

# %% [markdown]
# Now train. The recipe `shapes` says how large the steps are and how many to take: it goes through all the training
# images 12 times, which takes about two minutes.

# %%
full = recipe.total_steps(len(dataset.train_images) // recipe.batch_size)
steps = 25 if FAST else full
optimizer = SGD(model.parameters(), momentum=recipe.momentum, weight_decay=recipe.weight_decay)  # 08 explains both
losses = []
with closing(training_batches(dataset, recipe.batch_size, seed=0)) as batches:
    for step in train(model, optimizer, batches, recipe.learning_rates(steps), steps):
        losses.append(float(step.loss))
        if step.number % max(1, steps // 8) == 0:
            print(f"step {step.number:4} of {steps}: loss {np.mean(losses[-10:]):.2f}")
draw_loss(losses, guessing=uniform)
plt.show()

# %% [markdown]
# ## How good is it?
#
# What counts is the accuracy on images the network was not trained on. (`evaluate` subtracts from each colour the mean
# of the training images, and divides by their standard deviation, as `training_batches` did.)

# %%
result = evaluate(model, dataset.test_images, dataset.test_labels, dataset.mean, dataset.std)
print(f"test accuracy: {result.accuracy:.1%} of {len(result.labels):,} images")
if FAST:
    print(f"({steps} steps are too few; the full mode takes {full})")
else:
    assert result.accuracy > 0.9, "it should know nearly all shapes by now; was it trained in the cell above?"
draw_predictions(dataset, result.predictions)
plt.show()

# %% [markdown]
# The same recipe is one command in a terminal. It shows a progress bar and leaves a log, plots and the trained weights
# in a folder. `resnet-scratch --help` lists the other commands.
#
#     resnet-scratch train
#
# ## A gradient, checked
#
# Training works because `backward` computes how the loss changes with each weight. Here every `backward` is written by
# hand. How do you know that it is right? You change one number a little, observe how the output changes, and compare
# that with the gradient. The library does it for every number:

# %%
conv = Conv2d(2, 3, kernel_size=3, padding=1, rng=np.random.default_rng(0)).astype(np.float64)
x = np.random.default_rng(1).standard_normal((2, 5, 4, 2))
report = gradcheck(conv, x)
print(report)
assert report, "the library's own convolution passes; if it does not, somebody has changed it"

# %% [markdown]
# ## A layer, broken
#
# The backward pass of a convolution needs its kernel flipped along both axes. The forward pass does not, so the flip is
# easy to forget. A network with this mistake still learns: trained as above, with the same seed and all 936 steps, it
# ends at about 34 % instead of 96 %. (To see that, build the network again and train it within
# `with planted("conv-kernel-not-flipped"):`.) If you had never seen the 96 %, you might blame the recipe. The gradient
# check tells you where the mistake is:

# %%
with planted("conv-kernel-not-flipped") as mistake:
    print(f"planted: {mistake.what}\n")
    broken = gradcheck(conv, x)
print(broken)
assert not broken, "a broken backward must not pass"
assert gradcheck(conv, x), "after the with block the layer is right again"

# %% [markdown]
# `resnet-scratch break` lists the mistakes you can plant like this. Or break something yourself: open
# `resnet_scratch/layers/conv.py`, change a sign, and run `resnet-scratch gradcheck`.
#
# ## Your first tasks
#
# Every tutorial has tasks, placed where you can solve them. A task has one to three stars, an estimate of the time, two
# folded hints and, in most copies, the folded answer. `check` tells you whether your answer is right and, if not, what
# is wrong with it. Right answers are kept in the folder `my-answers`; in tutorials 02, 05 and 08 you will train
# networks made of them. The text after a task often builds on the answer, so solve the task before you scroll on.
#
# The first two tasks are a layer: ReLU, the *rectified linear unit*, which replaces negative numbers by zero.

# %% tags=["task"]
task("0.1")

# %% [markdown]
# For the backward pass, think of one number. If $x > 0$, then $y = x$, and $y$ changes exactly as $x$ does. If $x < 0$,
# then $y = 0$, and $y$ does not change at all. At $x = 0$ there is no derivative; by convention, it is taken as 0.

# %% tags=["task"]
task("0.2")

# %% tags=["task"]
task("0.3")

# %% [markdown]
# If you prefer your own editor to a notebook, `resnet-scratch exercises my-exercises` writes all tasks without their
# solutions into a folder. `python -m pytest -m task0_1` there checks the first one.
#
# ## Questions to think about
#
# <details><summary>The network gives a probability to each class. What is the loss for an image if the network is
# certain and wrong?</summary>
#
# If the true class gets the probability $p \to 0$, then $-\log p \to \infty$: there is no limit to how bad a single
# image can be. And $-\log$ is convex: where the true class gets less than 1/10, the loss grows by more than it falls
# where the true class gets as much more. That is why an untrained network that prefers some classes at random has a
# larger loss than one that gives each class 1/10, although both are right equally often.
#
# </details>
#
# <details><summary>Why do we measure the accuracy on images the network was not trained on?</summary>
#
# A network can memorise its training images. What you want to know is how it does on new ones. For the same reason you
# must not use the test images to choose between networks, or they become part of the training.
#
# </details>
#
# <details><summary>With the broken layer, the loss still falls. Why, if the gradient is wrong?</summary>
#
# A convolution that is given the right upstream gradient computes the right gradient of its own kernel. So the last
# convolution and the layers after it are still right. But each convolution passes a wrong gradient on to the layers
# before it. The network learns only a part of what it could. Without a check, such a mistake is hard to notice.
#
# </details>
#
# ## What comes next
#
# | | |
# |---|---|
# | 01, 02 | convolution as one matrix product; the chain rule, and the gradient of a convolution |
# | 03 | the gradient check itself |
# | 04, 05 | batch norm, ReLU, pooling, the loss, each with its gradient |
# | 06, 07 | the residual connection; whole networks |
# | 08, 09 | training; why depth was hard, and what the shortcut changes |
# | 10, 11 | CIFAR-10; what the network sees |
# | 12, 13, 14 | the GPU; fast NumPy; PyTorch and back |
# | 15 | one batch on several processes or machines |
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `y, cache = layer.forward(x)`, `layer.backward(grad_y, cache)` | `y = layer(x)`; `y.backward(grad_y)` |
# | `parameter.value`, `parameter.grad` | `parameter`, `parameter.grad` |
# | `softmax_cross_entropy(logits, labels)` | `torch.nn.functional.cross_entropy` |
# | `optimizer.step(learning_rate)` | `optimizer.zero_grad()`, `optimizer.step()` and a scheduler |
# | `gradcheck(layer, x)`, of the input and all parameters | `torch.autograd.gradcheck(layer, x)`, of the input only |
# | (N, H, W, C) | (N, C, H, W), or the same memory order with `channels_last` |
#
# ## Sources
#
# * He, Zhang, Ren and Sun 2015, "Deep Residual Learning for Image Recognition": the residual network.
# * Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors": the backward pass.
#
# Next: [01 Convolution](01_convolution.py), the layer that does nearly all of the work.
