# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 04 Batch normalisation
#
# In a ResNet, each convolution is followed by a batch norm. Its forward pass fits on one line. Its backward pass is
# the first one that most people get wrong, because every output depends on every number of its channel, in all images
# of the batch.
#
# By the end you will be able to
#
# * compute batch norm by hand, and derive its backward pass step by step and as one formula;
# * say what the formula means: which directions it removes from a gradient, and why;
# * explain how training and evaluation differ, and where the running statistics come from;
# * say what goes wrong with small batches, and with a batch of one image.
#
# **Needs:** 02 (computational graphs) and 03 (gradient checking).
# **Time:** 60 minutes to read and try, 75 minutes for the tasks. The cells run in about 20 seconds.

# %%
import inspect
import math

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.data import load, normalise
from resnet_scratch.exercises import task
from resnet_scratch.figures.batchnorm import (
    draw_circle,
    draw_jacobian,
    draw_modes,
    draw_running,
    draw_signals,
    draw_spread,
    draw_steps,
)
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, ReLU, Sequential
from resnet_scratch.layers.layer import restored
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import constant
from resnet_scratch.train import train
from resnet_scratch.verify.definitions import numerical_gradient
from resnet_scratch.verify.mistakes import MISTAKES, planted

AXES = (0, 1, 2)  # N, H and W: everything but the channels

# %% [markdown]
# ## What is it good for?
#
# Send images through 20 untrained convolutions, each followed by a ReLU. The library draws the weights with a standard
# deviation that keeps the size of the signal roughly the same from layer to layer (08). Here we also make all weights
# 1.4 times as large, and 0.7 times. **Predict, then run:** what becomes of the signal after 20 layers?

# %%
shapes = load()
images = normalise(shapes.test_images[:16, ::2, ::2], shapes.mean, shapes.std)  # every other pixel: (16, 16, 16, 3)


def sizes_by_depth(scale, with_norm, depth=20):
    """The standard deviation of the signal after each of `depth` convolutions."""
    rng = np.random.default_rng(0)
    x, sizes = images, []
    for k in range(depth):
        conv = Conv2d(3 if k == 0 else 16, 16, 3, padding=1, bias=False, rng=rng)
        conv.weight.value *= np.float32(scale)
        x, _ = conv.forward(x, training=True)
        if with_norm:
            x, _ = BatchNorm2d(16).forward(x, training=True)
        sizes.append(float(x.std()))
        x, _ = ReLU().forward(x, training=True)
    return sizes


sizes = {scale: (sizes_by_depth(scale, False), sizes_by_depth(scale, True)) for scale in (1.4, 1.0, 0.7)}
draw_signals({f"weights times {scale}": both for scale, both in sizes.items()})
plt.show()
for scale, (without, with_norm) in sizes.items():
    ratio = without[-1] / sizes[1.0][0][-1]
    print(f"weights times {scale}: after 20 layers, {ratio:9.2e} of the size for factor 1; "
          f"with batch norm {with_norm[-1]:.4f}")  # fmt: skip
    assert np.isclose(ratio, scale**20, rtol=1e-3), "without batch norm, the factors of all layers multiply"
    assert abs(with_norm[-1] - 1) < 0.01, "after a batch norm, the standard deviation is 1"

# %% [markdown]
# Without batch norm, the factors multiply: the signal ends up $1.4^{20}$ times as large, or $0.7^{20}$ times. With
# batch norm, the size of the weights does not matter. After each batch norm every channel has mean 0 and standard
# deviation 1, whatever came in. (On the right, the three lines lie on top of one another.)
#
# Why does that help training? Ioffe and Szegedy (2015) said that it reduces "internal covariate shift", which means
# that the inputs of each layer keep changing their distribution. Santurkar et al. (2018) added noise after each batch
# norm, which makes the distributions shift more, and training hardly suffered. They found that batch norm makes the
# loss a smoother function of the weights. The explanation is still debated. That it works is not.
#
# ## The forward pass by hand
#
# Take one channel of two images with 2x2 pixels each. That is eight numbers, say 1, 2, ..., 8. All eight share one mean
# and one variance. The mean is 4.5. **Compute the variance** before you run the cell: what is the mean of the squared
# distances from 4.5?

# %%
x = np.arange(1.0, 9.0)
mean = x.sum() / 8
var = ((x - mean) ** 2).sum() / 8
print(f"mean {mean}, variance {var}, standard deviation {math.sqrt(var):.4f}")
print("normalised:", ((x - mean) / math.sqrt(var)).round(3))
assert (mean, var) == (4.5, 5.25), "2 * (12.25 + 6.25 + 2.25 + 0.25) / 8 is 5.25"

# %% [markdown]
# As formulas, for each channel by itself, with $M = N \cdot H \cdot W$ numbers $x_1, \dots, x_M$ in it:
#
# $$ \mu = \frac{1}{M} \sum_i x_i, \qquad
#    \sigma^2 = \frac{1}{M} \sum_i (x_i - \mu)^2, \qquad
#    \hat{x}_i = \frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad
#    y_i = \gamma \hat{x}_i + \beta $$
#
# The small number $\varepsilon$, usually $10^{-5}$, prevents a division by zero if a channel is constant.
#
# The scale $\gamma$ and the shift $\beta$ are learned, one of each for every channel. The library calls them `weight`
# and `bias`, as PyTorch does. They give the network back what the normalisation took away. The network can choose the
# mean and the size of a channel freely, but now with two numbers, not through all the weights of the earlier layers.

# %% tags=["task"]
task("4.1")

# %% [markdown]
# The three channels below differ in mean and size, and the third has a weight and a bias of its own. **Predict, then
# run:** what are the mean and the variance of each channel of $y$? Is the variance exactly $\gamma^2$?

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((4, 5, 6, 3)) * [1, 5, 0.1] + [0, 10, -3]
norm = BatchNorm2d(3).astype(np.float64)
norm.weight.value, norm.bias.value = np.array([1.0, 1.0, 2.0]), np.array([0.0, 0.0, 7.0])
y, cache = norm.forward(x, training=True)
print("x: mean", x.mean(AXES).round(3), " variance", x.var(AXES).round(4))
print("y: mean", y.mean(AXES).round(3), " variance", y.var(AXES).round(4))
assert np.allclose(y.mean(AXES), norm.bias.value), "the mean of each channel is its bias"
exact = norm.weight.value**2 * x.var(AXES) / (x.var(AXES) + norm.eps)
assert np.allclose(y.var(AXES), exact, rtol=1e-9), "because of eps, the variance is a little less than weight**2"

# %% [markdown]
# The mean is $\beta$. The variance is $\gamma^2 \, \sigma^2 / (\sigma^2 + \varepsilon)$, a little less than $\gamma^2$.
# In the third channel you can see the difference, because its $\sigma^2$ is small.
#
# Here is the library's forward pass. Its last line combines the last two formulas: $y = (x - \mu) \cdot \gamma /
# \sqrt{\sigma^2 + \varepsilon} + \beta$. `over_batch` applies it to a few images at a time (01). `per_channel` prepares
# the C numbers of the channels for fast arithmetic with images (13). The lines about `group` belong to a variant,
# *ghost batch norm*, which normalises parts of a batch separately. Skip them, here and in the backward pass.
# `_batch_statistics` computes the mean and the variance. When `training` is false, running averages replace them; these
# come later in this tutorial.

# %%
print(inspect.getsource(BatchNorm2d.forward))

# %% [markdown]
# ## What batch norm does not see
#
# **Predict, then run:** you add 100 to every number of a channel, or multiply them all by 7, or by -1. What changes in
# the output? (Here $\gamma = 1$, $\beta = 0$ and $\varepsilon = 0$.)

# %%
plain = BatchNorm2d(3, eps=0.0).astype(np.float64)
before, _ = plain.forward(x, training=True)
changes = {}
for name, changed in (("x + 100", x + 100), ("7 x", 7 * x), ("-x", -x)):
    after, _ = plain.forward(changed, training=True)
    changes[name] = abs(after - before).max()
    print(f"{name:8}: y changes by up to {changes[name]:.1e}")
assert max(changes["x + 100"], changes["7 x"]) < 1e-10 and changes["-x"] > 1, "a shift and a positive factor are lost"

# %% [markdown]
# A shift and a positive factor change nothing. This has three consequences.
#
# * **A convolution before a batch norm needs no bias.** The mean is subtracted at once, and the bias with it. Its
#   gradient is zero. That is why the convolutions in the library's ResNets have `bias=False`.
# * **The size of the weights before it does not matter** for the output. It does for the gradient: if the weights are
#   10 times as large, their gradient is a tenth as large (section 3.3 of Ioffe and Szegedy's paper).
# * **The gradient with respect to x cannot ask for a shift or a stretch.** Neither would change the loss. Keep this in
#   mind; it is the key to the backward pass.

# %%
conv, norm = Conv2d(3, 4, 3, padding=1, rng=rng).astype(np.float64), BatchNorm2d(4).astype(np.float64)
inputs, g = rng.standard_normal((4, 5, 6, 3)), rng.standard_normal((4, 5, 6, 4))
norms = []
for factor in (1, 10):
    conv.weight.value *= factor
    signal, conv_cache = conv.forward(inputs, training=True)
    _, norm_cache = norm.forward(signal, training=True)
    conv.backward(norm.backward(g, norm_cache), conv_cache)
    norms.append(np.linalg.norm(conv.weight.grad))
    print(f"weights times {factor:2}: length of the gradient {norms[-1]:.4f}; of the bias "
          f"{np.linalg.norm(conv.bias.grad):.0e}")  # fmt: skip
    assert np.linalg.norm(conv.bias.grad) < 1e-12, "a bias before a batch norm has no gradient"
assert np.isclose(norms[0], 10 * norms[1], rtol=1e-3), "ten times the weights, a tenth of the gradient"

# %% [markdown]
# ## The backward pass, step by step
#
# Given the upstream gradient $g_i = \partial L / \partial y_i$, we look for $\partial L / \partial x_i$. Each channel
# is independent of the others, so one channel is enough.
#
# The last step, $y_i = \gamma \hat{x}_i + \beta$, is easy. The parameters are used by all $i$, so their gradients are
# sums:
#
# $$ \frac{\partial L}{\partial \gamma} = \sum_i g_i \hat{x}_i, \qquad
#    \frac{\partial L}{\partial \beta} = \sum_i g_i, \qquad
#    \frac{\partial L}{\partial \hat{x}_i} = \gamma g_i $$
#
# Now $x$. Take the forward pass apart into steps whose derivatives are obvious:
#
#     mean = sum(x) / M
#     d    = x - mean
#     var  = sum(d * d) / M
#     s    = (var + eps) ** -0.5
#     xhat = d * s
#
# This is their graph:

# %%
draw_steps(backward=False)
plt.show()

# %% [markdown]
# You need two rules from 02.
#
# * A value that is used in two places gets the **sum of two gradients**. Here `d` is used in `var` and in `xhat`, and
#   `x` is used in `mean` and in `d`.
# * A number that is used by all $i$, such as `mean` or `s`, gets a **sum over all $i$**.

# %% tags=["task"]
task("4.2")

# %% [markdown]
# Here is the answer in steps, from right to left through the graph. The orange arrows are the gradients.

# %%
draw_steps(backward=True)
plt.show()


def normalise_channel(x, eps=1e-5):
    d = x - x.mean()
    return d * ((d * d).mean() + eps) ** -0.5


def backward_in_steps(grad_xhat, x, eps=1e-5):
    """The gradient with respect to one channel x (M,), from that with respect to xhat (M,)."""
    M = len(x)
    d = x - x.mean()
    s = ((d * d).mean() + eps) ** -0.5

    grad_d = grad_xhat * s  # xhat = d * s: the first way to d
    grad_s = (grad_xhat * d).sum()  # xhat = d * s: s is used in every xhat
    grad_var = grad_s * -0.5 * s**3  # s = (var + eps) ** -0.5
    grad_d = grad_d + grad_var * 2 * d / M  # var = sum(d * d) / M: the second way to d
    grad_mean = -grad_d.sum()  # d = x - mean: the mean is used in every d
    return grad_d + grad_mean / M  # d = x - mean and mean = sum(x) / M: two ways to x


x, g, gamma = rng.standard_normal(8), rng.standard_normal(8), 2.0
by_steps = backward_in_steps(gamma * g, x)
slopes = numerical_gradient(lambda x: (gamma * normalise_channel(x) * g).sum(), x)
print("in steps: ", by_steps.round(5))
print("numerical:", slopes.round(5))
assert np.allclose(by_steps, slopes, atol=1e-8), "every step must be right for the whole to be right"

# %% [markdown]
# ## The backward pass as one formula
#
# The steps are right, but they do not tell you much. Combine them. An overline means the mean over the channel, and
# $s = 1 / \sqrt{\sigma^2 + \varepsilon}$, so $d_i = \hat{x}_i / s$.
#
# **The gradient of the variance.** The line for `grad_s` and the line for `grad_var` give
#
# $$ \frac{\partial L}{\partial \sigma^2} = -\frac{s^3}{2} \sum_j \frac{\partial L}{\partial \hat{x}_j} \, d_j
#    = -\frac{s^2}{2} \sum_j \frac{\partial L}{\partial \hat{x}_j} \, \hat{x}_j
#    = -\frac{s^2 M}{2} \; \overline{\frac{\partial L}{\partial \hat{x}} \hat{x}} $$
#
# **The gradient of d.** The first way contributes $s \, \partial L / \partial \hat{x}_i$. The second way contributes
# $\partial L / \partial \sigma^2$ times $2 d_i / M = 2 \hat{x}_i / (sM)$. Together:
#
# $$ \frac{\partial L}{\partial d_i}
#    = s \, \Big( \frac{\partial L}{\partial \hat{x}_i}
#      - \hat{x}_i \; \overline{\frac{\partial L}{\partial \hat{x}} \hat{x}} \Big) $$
#
# **The gradient of x.** The last two lines subtract the mean:
# $\partial L / \partial x_i = \partial L / \partial d_i - \overline{\partial L / \partial d}$. The mean of $\hat{x}$ is
# zero, so the mean of the second term vanishes, and
# $\overline{\partial L / \partial d} = s \, \overline{\partial L / \partial \hat{x}}$. Finally, substitute
# $\partial L / \partial \hat{x}_i = \gamma g_i$:
#
# $$ \boxed{ \frac{\partial L}{\partial x_i} = \frac{\gamma}{\sqrt{\sigma^2 + \varepsilon}}
#    \Big( g_i - \overline{g} - \hat{x}_i \, \overline{g \hat{x}} \Big) } $$
#
# There are three terms: the upstream gradient, minus its mean, minus its part along $\hat{x}$. If $\mu$ and $\sigma$
# were constants, only the first would be there.

# %%
s = 1 / np.sqrt(x.var() + 1e-5)
xhat = (x - x.mean()) * s
by_formula = gamma * s * (g - g.mean() - xhat * (g * xhat).mean())
print("formula:  ", by_formula.round(5))
assert np.allclose(by_formula, by_steps), "the formula is the steps, combined"

# %% [markdown]
# The library's backward pass is this formula. It needs two sums over the batch, and these are just the gradients of
# $\beta$ and $\gamma$. The cache holds $x$ and not $\hat{x}$, because the forward pass goes directly from $x$ to $y$
# and never stores $\hat{x}$. So $\hat{x}_i$ is written as $(x_i - \mu) \, s$. With the mean subtracted first, no large
# numbers cancel each other (03).

# %%
print(inspect.getsource(BatchNorm2d.backward))

# %% [markdown]
# ## What the formula means
#
# Write the formula as a Jacobian, for $\gamma = 1$. $\mathbf{1}$ is the vector of ones:
#
# $$ J = \frac{\partial \hat{x}}{\partial x}
#    = s \, \Big( I - \tfrac{1}{M} \mathbf{1} \mathbf{1}^T - \tfrac{1}{M} \hat{x} \hat{x}^T \Big) $$
#
# The vectors $\mathbf{1} / \sqrt{M}$ and $\hat{x} / \sqrt{M}$ have length 1 (the second one almost, because of
# $\varepsilon$). They are perpendicular, because $\sum_i \hat{x}_i = 0$. **Predict, then run:** what is $J \mathbf{1}$?
# What is $J \hat{x}$, almost? What are the eigenvalues of the bracket, the numbers by which it multiplies some vector?

# %%
M = len(x)
jacobian = s * (np.eye(M) - np.ones((M, M)) / M - np.outer(xhat, xhat) / M)
eigenvalues = np.linalg.eigvalsh(jacobian / s)
print(f"length of J 1: {np.linalg.norm(jacobian @ np.ones(M)):.1e}; of J xhat: {np.linalg.norm(jacobian @ xhat):.1e}")
print("eigenvalues of the bracket:", abs(eigenvalues.round(4)))
assert np.allclose(jacobian @ np.ones(M), 0), "adding a constant to x changes nothing"
assert np.allclose(jacobian @ xhat, s * xhat * 1e-5 / (x.var() + 1e-5)), "nor, but for eps, does stretching it"
assert np.allclose(eigenvalues, [0, 0] + 6 * [1], atol=1e-4), "two directions are removed, the rest stays"
draw_jacobian(jacobian, g, by_formula / gamma / s)
plt.show()

# %% [markdown]
# Two eigenvalues are 0, the others are 1. So the bracket is a **projection**: it removes the part of a vector along
# $\mathbf{1}$ and the part along $\hat{x}$, and leaves the rest as it is. $J$ is symmetric, so backward, which
# multiplies by $J^T$, does the same.
#
# Batch norm discards two facts about each channel, its mean and its size. So no gradient can ask for a change of these
# two. That is all the formula says.
#
# For $M = 3$ you can see it. Subtract the mean: three numbers with the sum 0 lie in a plane. Divide by the standard
# deviation: in this plane, they now lie on a circle of radius $\sqrt{3}$. So batch norm maps the whole space to a
# circle.

# %%
three_rng = np.random.default_rng(3)
triples, upstream = three_rng.standard_normal((2, 6, 3))
hats = (triples - triples.mean(1, keepdims=True)) / triples.std(1, keepdims=True)
grads = upstream - upstream.mean(1, keepdims=True) - hats * (upstream * hats).mean(1, keepdims=True)
draw_circle(triples, hats, grads)
plt.show()
assert np.allclose(np.linalg.norm(hats, axis=1), math.sqrt(3)), "the normalised triples lie on the circle"
assert np.allclose((grads * hats).sum(1), 0) and np.allclose(grads.sum(1), 0), "gradients are in the plane, and tangent"

# %% [markdown]
# Each green arrow is perpendicular to its dotted line, because moving along the dotted line would change nothing.
#
# **Predict:** what does this drawing look like for $M = 2$? We will come back to it.
#
# ## What people forget
#
# These are backward passes that people have written. They all look plausible. The gradient checker finds every one.

# %%
x = np.random.default_rng(1).standard_normal((3, 4, 5, 2))
for name in (name for name in MISTAKES if name.startswith("batchnorm-")):
    with planted(name) as mistake:
        report = gradcheck(BatchNorm2d(2).astype(np.float64), x)
    print(f"error {report.error:.0e}: {mistake.what}")
    assert not report and report.error > 1e-3, "the checker must find this mistake"
assert gradcheck(BatchNorm2d(2).astype(np.float64), x), "and it must pass the library's own backward"

# %% [markdown]
# How much is missing without the two terms? They are means, and a mean of many independent numbers around 0 is small.
# **Predict, then run:** for larger and larger $M$, does it matter less and less that they are missing? Look at two
# kinds of gradients: independent random numbers around 0, and independent random numbers around 1.

# %%
missing = {}
for M in (4, 32, 256, 2048):
    for kind, centre in (("around 0", 0), ("around 1", 1)):
        relative = []
        for values, noise in np.random.default_rng(0).standard_normal((50, 2, M)):
            xhat, upstream = (values - values.mean()) / values.std(), noise + centre
            right = upstream - upstream.mean() - xhat * (upstream * xhat).mean()
            relative.append(np.linalg.norm(upstream - right) / np.linalg.norm(right))
        missing[M, kind] = np.median(relative)
    print(f"M = {M:4}: error without the two terms, for g around 0: {missing[M, 'around 0']:4.0%}, "
          f"around 1: {missing[M, 'around 1']:4.0%}")  # fmt: skip
assert missing[2048, "around 0"] < 0.05, "for independent numbers around 0, the two terms become small"
assert missing[2048, "around 1"] > 0.8, "what the gradients have in common does not"

# %% [markdown]
# For gradients around 0 the terms do become small. But the gradients of a batch have something in common; that is what
# training is about. The two terms remove what the gradients have in common, which batch norm cannot see. Without them,
# training could push the mean of a channel further and further, and the loss would not change. Section 2 of Ioffe and
# Szegedy's paper describes how a bias grows without end in this way.
#
# ## Training and evaluation
#
# In training, the output for an image depends on the other images of its batch. Look at one pixel of one image, in
# three batches:

# %%
features, _ = Conv2d(3, 4, 3, padding=1, bias=False, rng=np.random.default_rng(0)).forward(images)
norm = BatchNorm2d(4)
for _ in range(50):
    norm.forward(features, training=True)  # this gives it running statistics
pixels = []
for name, others in (("the next 3", slice(1, 4)), ("3 others", slice(7, 10)), ("all 15 others", slice(1, 16))):
    batch = np.concatenate([features[:1], features[others]])
    in_training, in_evaluation = BatchNorm2d(4).forward(batch, training=True)[0], norm(batch)
    pixels.append((in_training[0, 8, 8], in_evaluation[0, 8, 8]))
    print(f"with {name:13}: in training {pixels[-1][0].round(3)}, in evaluation {pixels[-1][1].round(3)}")
assert not np.allclose(pixels[0][0], pixels[1][0], atol=0.1), "in training, the rest of the batch matters"
assert np.allclose(pixels[0][1], pixels[1][1]), "in evaluation, it does not"

# %% [markdown]
# In training this dependence acts as a little noise. When you *use* a network, it is not acceptable: what a network
# sees in an image must not depend on other images, and a single image must have an answer too. So in evaluation, fixed
# numbers replace the mean and the variance of the batch. They are **running averages**, updated with every training
# batch with a weight $m$ that is called the *momentum*:
#
# $$ \text{running} \leftarrow (1 - m) \cdot \text{running} + m \cdot \text{batch}, \qquad m = 0.1 $$
#
# Beware of the name. Here, as in PyTorch, $m$ is the weight of the *new* batch. In Keras it is the weight of the old
# average, so that 0.9 there is 0.1 here.
#
# ### Two variances
#
# If the sum of the squared distances is divided by $M$, the variance comes out too small on average. The mean was
# computed from these same $M$ numbers, so it is closer to them than the true mean is. For independent numbers, the
# average is $\frac{M - 1}{M}$ times the true variance. Dividing by $M - 1$ instead corrects that; the result is called
# the *unbiased* variance.

# %%
for M in (2, 4, 16, 256):
    samples = np.random.default_rng(0).standard_normal((20_000, M))  # of variance 1
    biased, unbiased = samples.var(1).mean(), samples.var(1, ddof=1).mean()
    print(f"M = {M:3}: biased {biased:.3f}, (M - 1) / M = {(M - 1) / M:.3f}, unbiased {unbiased:.3f}")
    assert abs(biased - (M - 1) / M) < 0.03 and abs(unbiased - 1) < 0.03, "on average, only one of them is right"

# %% [markdown]
# Batch norm uses both (algorithm 2 of the paper, and PyTorch). The **biased** variance normalises the batch in
# training. The **unbiased** variance goes into the running average, because that average is an estimate for other
# images.

# %% tags=["task"]
task("4.3")

# %% [markdown]
# Both variances are computed in this function of the library. Mean and variance are computed from sums over the whole
# batch, so the inner function returns three `Sum`s (02): of $d$, of $d^2$, and of how many numbers there are. The first
# two come from one pass over $x$: $\sigma^2 = \overline{d^2} - \overline{d}^2$ with $d = x - a$ holds for any number
# $a$, and a number near the mean avoids cancellation.

# %%
print(inspect.getsource(BatchNorm2d._batch_statistics))
x = np.array([1.0, 2, 3, 6], np.float32).reshape(4, 1, 1, 1)  # mean 3, squared distances 4 + 1 + 0 + 9 = 14
norm = BatchNorm2d(1, momentum=1.0)  # keeps the statistics of the last batch
_, (_, _, inverse_std, _) = norm.forward(x, training=True)
used, kept = 1 / inverse_std[0] ** 2 - norm.eps, norm.running_var.value[0]
print(f"variance used to normalise: {used:.4f}, kept: {kept:.4f}")
assert np.isclose(used, 14 / 4, rtol=1e-4) and np.isclose(kept, 14 / 3, rtol=1e-4), "biased, and unbiased"

# %% [markdown]
# The running averages start at mean 0 and variance 1, as if nothing had to be normalised. After $t$ batches, the start
# still has the weight $(1 - m)^t$. **Predict, then run:** after how many batches is that less than 1 %?

# %%
rng, norm = np.random.default_rng(0), BatchNorm2d(1)
means, variances = [0.0], [1.0]
for _ in range(100):
    norm.forward(rng.normal(3, 2, (32, 1, 1, 1)).astype(np.float32), training=True)
    means.append(float(norm.running_mean.value[0]))
    variances.append(float(norm.running_var.value[0]))
draw_running(means, variances, mean=3, var=4, momentum=0.1)
plt.show()
batches = math.ceil(math.log(0.01) / math.log(0.9))
print(f"after {batches} batches the weight of the start is {0.9**batches:.4f}")
assert abs(means[batches] - 3) < 0.35 and abs(variances[batches] - 4) < 1, "by then the start hardly counts"

# %% [markdown]
# ### When the two modes disagree
#
# Train a small network, and after every step compute the loss on the same 256 images in both modes. To keep it quick,
# the images are noise of four levels of brightness, and the level is the class.

# %%


def noise_images(count, seed):
    """Images (N, 8, 8, 1) of noise with variance 1, and their classes (N,), 0 to 3. The class is the noise's mean."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    return (rng.standard_normal((count, 8, 8, 1)) + labels[:, None, None, None]).astype(np.float32), labels


def small_network(momentum):
    """Two convolutions, each with batch norm and ReLU, then the classifier."""
    rng = np.random.default_rng(0)
    layers = []
    for channels in (1, 8):
        layers += [Conv2d(channels, 8, 3, padding=1, bias=False, rng=rng), BatchNorm2d(8, momentum=momentum), ReLU()]
    return Sequential(*layers, GlobalAvgPool2d(), Linear(8, 4, rng=rng))


def training_steps(network, batch_size, total_images, learning_rate):
    """Train the network on `total_images` images in all, and yield after every step."""
    steps = total_images // batch_size
    batches = (noise_images(batch_size, seed=100 + step) for step in range(steps))
    return train(network, SGD(network.parameters()), batches, constant(learning_rate), steps)


test_images, test_labels = noise_images(256, seed=1)


def losses_by_step(momentum):
    """(loss with the statistics of the batch, loss with the running averages) on the test images, after each step."""
    network, losses = small_network(momentum), []
    for _ in training_steps(network, 64, 120 * 64, learning_rate=0.05):
        with restored(network):  # a forward pass in training would change the running averages
            in_training, _ = network.forward(test_images, training=True)
        both = in_training, network(test_images)
        losses.append([float(softmax_cross_entropy(logits, test_labels)[0]) for logits in both])
    return np.array(losses).T


# %% [markdown]
# **Predict, then run:** which loss is lower while the network learns? And what if the momentum is 0.01 instead of 0.1,
# in a training run of 120 steps?

# %%
(batch_loss, running_loss), (_, slow_loss) = losses_by_step(momentum=0.1), losses_by_step(momentum=0.01)
curves = {
    "statistics of the batch": batch_loss,
    "running averages, momentum 0.1": running_loss,
    "running averages, momentum 0.01": slow_loss,
}
draw_modes(curves)
plt.show()
for name, losses in curves.items():
    print(f"{name:32}", *(f"after {step:3} steps {losses[step - 1]:6.3f} " for step in (30, 60, 120)))
assert batch_loss[29] < running_loss[29] < slow_loss[29], "running averages are late, and with 0.01 far too late"
assert running_loss[-1] < 0.1 < slow_loss[-1], "at the end, the averages with momentum 0.1 have caught up"

# %% [markdown]
# With the statistics of the batch the loss is lower at first, because these statistics always fit the current weights.
# Running averages come from earlier batches, when the weights were different. When the weights settle, the two losses
# meet.
#
# With a momentum of 0.01, the start still has a weight of $0.99^{120}$, or 30 %, when the training ends. The network
# has learned the task, and yet its loss in evaluation is still high. So *good in training, bad in evaluation* need not
# be overfitting, which is learning the training images by heart.
#
# ## What goes wrong with small batches
#
# The statistics of a batch are estimates, and those of a small batch are poor ones. How much does the normalised value
# of an image depend on which others are in its batch? Take a late layer of a network, where a channel has few pixels
# per image; here it has one.

# %%
population = np.random.default_rng(0).standard_normal(4096)
spread = {}
for N in (2, 4, 8, 32, 128):
    values = []
    for seed in range(200):
        batch = np.append(1.0, np.random.default_rng(seed).choice(population, N - 1))  # our image has the value 1
        y, _ = BatchNorm2d(1).astype(np.float64).forward(batch.reshape(N, 1, 1, 1), training=True)
        values.append(y[0, 0, 0, 0])
    spread[N] = np.array(values)
    print(f"batches of {N:3}: the value comes out between {spread[N].min():5.2f} and {spread[N].max():5.2f}")
draw_spread(spread, target=1)
plt.show()
deviations = [values.std() for values in spread.values()]
assert deviations == sorted(deviations, reverse=True), "the larger the batch, the smaller the spread"
assert np.mean(abs(abs(spread[2]) - 1) < 0.01) > 0.9, "of two numbers, one becomes 1 and the other -1"

# %% [markdown]
# Look at the batch of two. Of two numbers, the larger becomes 1 and the smaller becomes -1, however far apart they are.
# (Only if they are very close does $\varepsilon$ matter.) All that is left of an image is whether its number is the
# larger one.
#
# This is the drawing with the circle, for $M = 2$. With the mean subtracted, two numbers lie on a line, and the
# "circle" consists of two points. **Predict, then run:** what does the formula say about the gradient?

# %%
norm = BatchNorm2d(1, eps=0.0).astype(np.float64)
y, cache = norm.forward(np.array([0.3, 2.0]).reshape(2, 1, 1, 1), training=True)
grad_x = norm.backward(np.array([5.0, -3.0]).reshape(2, 1, 1, 1), cache)
print(f"forward {y.ravel()}, gradient {abs(grad_x).ravel().round(12)}")
assert np.allclose(grad_x, 0, atol=1e-12), "two dimensions, and two directions are removed: nothing is left"

# %% [markdown]
# There is no gradient at all. A single number is even worse: it is its own mean, so it would always become 0. The
# library refuses to normalise it, as PyTorch does:

# %%
try:
    BatchNorm2d(3).forward(np.zeros((1, 1, 1, 3), np.float32), training=True)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("one value per channel cannot be normalised")

# %% [markdown]
# ### A batch of one image
#
# A batch of one image is accepted if a channel has more than one pixel. Then the image is normalised by itself, which
# is called *instance normalisation*. But the class of our noise images is their brightness. What can a network learn if
# its first batch norm subtracts the mean of each image? **Predict, then run:** how accurate is it after training with
# batches of 1, 2, 4, 16 and 64 images, with the same number of images in total? (Smaller batches mean more steps, so
# each step is smaller: the learning rate is roughly in proportion to the batch size, see 08.)

# %%
accuracies = {}
for batch_size, learning_rate in ((1, 0.001), (2, 0.002), (4, 0.004), (16, 0.0125), (64, 0.05)):
    network = small_network(momentum=0.1)
    for _ in training_steps(network, batch_size, 3072, learning_rate):
        pass
    with restored(network):
        batches = np.split(test_images, 256 // batch_size)
        logits = np.concatenate([network.forward(batch, training=True)[0] for batch in batches])
    accuracies[batch_size] = [np.mean(z.argmax(1) == test_labels) for z in (logits, network(test_images))]
    print(f"batches of {batch_size:2}: accuracy {accuracies[batch_size][0]:4.0%} with the statistics of such batches, "
          f"{accuracies[batch_size][1]:4.0%} in evaluation")  # fmt: skip
assert accuracies[1][0] < 0.4 < 0.9 < accuracies[64][0], "with one image per batch, hardly any brightness is left"
assert accuracies[2][1] > accuracies[2][0], "with two, fixed averages serve better than the batch"

# %% [markdown]
# With one image per batch, the network does no better than guessing, which gets 25 %, because batch norm subtracts the
# brightness of each image. (A trace is left: with zero padding, the border of a bright image differs more from its
# middle, see 06. This network does not find it.) In evaluation the brightness gets through, but the network was never
# trained for that: it can do far worse than guessing. With two images, the network can only compare them. That is
# enough to learn what is bright, and in evaluation fixed averages serve it better. None of this raises an error. Real
# images differ in more than brightness, so there the effect is smaller, but it is the same effect.
#
# What helps? Use larger batches, if there is memory for them. With several devices, compute the statistics over the
# batches of all of them (*synchronised batch norm*). Or use a normalisation that does not look at the batch at all: over
# all channels of one image (*layer norm*), or over groups of them (*group norm*).

# %% tags=["task"]
task("4.4")

# %% [markdown]
# ## Questions to think about
#
# <details><summary>In evaluation, what is the backward pass of batch norm?</summary>
#
# Mean and variance are constants then, so only the first term is left:
# $\partial L / \partial x_i = \gamma g_i / \sqrt{\sigma^2 + \varepsilon}$. The cache says which mode the forward pass
# had, and the library's backward looks at it. `gradcheck(norm, x, training=False)` checks this case.
#
# </details>
#
# <details><summary>A network reaches 99 % on its training batches. In evaluation it is no better than guessing, even on
# the same images. What do you look at?</summary>
#
# On the same images it cannot be overfitting. Look at the running averages: are they updated at all, is the momentum
# far too small for the number of steps, were they saved and loaded with the weights? Then look at the batches: were
# they shuffled? If each training batch contained only one class, its statistics were those of that class. The
# running averages are then a mixture of all classes, and fit none.
#
# </details>
#
# <details><summary>What does batch norm cost in evaluation?</summary>
#
# Next to nothing. With fixed mean and variance it is one factor and one shift per channel. The convolution before it
# can take over both: its weights are multiplied by the factor, and the shift becomes its bias. This is called
# *folding*, and it is task 14.3.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `BatchNorm2d(C)` | `torch.nn.BatchNorm2d(C)`, channels first; the same `eps` and `momentum` |
# | `weight`, `bias` | the same names; $\gamma$ and $\beta$ in the paper |
# | `running_mean`, `running_var` | the same, also unbiased; and `num_batches_tracked` |
# | `forward(x, training=True)` | `model.train()`, then `model(x)` |
# | `layer(x)` | `model.eval()`, then `model(x)`; forgetting `eval` is a classic mistake |
# | ValueError for one value per channel | the same: "Expected more than 1 value per channel when training" |
# | folding, task 14.3 | `torch.nn.utils.fuse_conv_bn_eval` |
# | layer norm, task 4.4 | `torch.nn.LayerNorm` |
#
# ## Sources
#
# * Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift": algorithm 1 (forward), section 3 (backward, step by step), algorithm 2 (evaluation).
# * Santurkar, Tsipras, Ilyas and Madry 2018, "How Does Batch Normalization Help Optimization?".
# * Ba, Kiros and Hinton 2016, "Layer Normalization". Ulyanov, Vedaldi and Lempitsky 2016, "Instance Normalization".
# * Wu and He 2018, "Group Normalization": small batches, and what to do about them.
#
# Next: [05 ReLU, pooling, linear, loss](05_relu_pooling_linear_loss.py), the layers that are left, each with its
# gradient.
