# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 04 Batch normalisation
#
# Behind each convolution of a ResNet stands a batch norm. Its forward fits into one line. Its backward is the first one
# that most people get wrong, because every number of the batch depends on every other.
#
# At the end you will be able to
#
# * work out batch norm by hand, and derive its backward in two ways: step by step, and as one formula;
# * see what the formula means: which directions in the gradient it takes away, and why;
# * explain the difference between training and evaluation, and where the running statistics come from;
# * say what goes wrong with small batches, and at batch size 1.
#
# **Needs:** 03 (gradient checking). The convolutions here are those of 01.
# **Time:** 60 minutes to read and try; about 10 seconds to run.

# %%
import inspect
import math

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.data import load, normalise
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import BatchNorm2d, Conv2d, GlobalAvgPool2d, Linear, ReLU, Sequential
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import constant
from resnet_scratch.measure.recorder import restored
from resnet_scratch.train import train

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"  # told apart by colour-blind readers as well

# %% [markdown]
# ## What is it good for?
#
# Send pictures through 20 convolutions with ReLUs, untrained. The weights are drawn with the size that the theory
# recommends, and once 30 % smaller and once 40 % larger. **Predict:** what becomes of the size of the signal?

# %%
shapes = load()
images = normalise(shapes.test_images[:16, ::2, ::2], shapes.mean, shapes.std)  # (16, 16, 16, 3): every other pixel


def sizes_by_depth(scale, with_norm, depth=20):
    """The standard deviation of the signal behind each of `depth` convolutions."""
    rng = np.random.default_rng(0)
    x, sizes = images, []
    for k in range(depth):
        conv = Conv2d(3 if k == 0 else 16, 16, 3, padding=1, rng=rng)
        conv.weight.value *= np.float32(scale)
        x, _ = conv.forward(x, training=True)
        if with_norm:
            x, _ = BatchNorm2d(16).forward(x, training=True)
        sizes.append(float(x.std()))
        x, _ = ReLU().forward(x, training=True)
    return sizes


fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.8), layout="constrained", sharey=True)
for scale, color, style in ((1.4, ORANGE, "--"), (1.0, BLUE, "-"), (0.7, GREEN, "-.")):
    for ax, with_norm in zip(axes, (False, True)):
        ax.semilogy(sizes_by_depth(scale, with_norm), style, color=color, lw=2, label=f"weights times {scale}")
axes[0].set(title="without batch norm", xlabel="layer", ylabel="standard deviation")
axes[1].set(title="with batch norm", xlabel="layer")
axes[0].legend(frameon=False, fontsize=8)
for ax in axes:
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_xticks(range(0, 20, 5))
plt.show()
assert max(sizes_by_depth(1.4, True)) < 1.01, "behind a batch norm the standard deviation is 1"

# %% [markdown]
# Without batch norm a factor of 1.4 a layer becomes $1.4^{20}$, and 0.7 becomes $0.7^{20}$. With it the size of the
# weights does not matter: behind each batch norm every channel has mean 0 and standard deviation 1, whatever came in.
# (On the right there are three lines, one upon the other.)
#
# Ioffe and Szegedy explained its success by a "reduced internal covariate shift". Santurkar et al. 2018 put noise
# behind each batch norm, which makes the distributions shift *more*, and training hardly suffered; they found that it
# makes the loss a smoother function of the weights. What is not in doubt is that it works.
#
# ## Forward, by hand
#
# One channel of two pictures with 2x2 pixels: eight numbers. All of them share one mean and one variance. **Work it
# out** for 1, 2, ..., 8 before you look: the mean is 4.5; what is the mean of the squared distances from it?

# %%
x = np.arange(1.0, 9.0).reshape(2, 2, 2, 1)  # (N, H, W, C)
mean = x.mean((0, 1, 2))
var = ((x - mean) ** 2).mean((0, 1, 2))
xhat = (x - mean) / np.sqrt(var)
print(f"mean {mean[0]}, variance {var[0]}, standard deviation {math.sqrt(var[0]):.4f}")
print("normalised:", xhat.ravel().round(3))
print(f"their mean {xhat.mean():.1e}, their mean square {(xhat**2).mean():.6f}")

# %% [markdown]
# In formulas, for each channel by itself, with $M = N \cdot H \cdot W$ numbers $x_1, \dots, x_M$ in it:
#
# $$ \mu = \frac{1}{M} \sum_i x_i, \qquad
#    \sigma^2 = \frac{1}{M} \sum_i (x_i - \mu)^2, \qquad
#    \hat{x}_i = \frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}}, \qquad
#    y_i = \gamma \hat{x}_i + \beta $$
#
# $\varepsilon = 10^{-5}$ is there for a channel that is constant, whose variance is 0. The scale $\gamma$ and the shift
# $\beta$ are learned; the library calls them `weight` and `bias`, as PyTorch does. Why have them, after just having
# scaled and shifted? So that the layer can undo the normalisation where that is better: the network chooses mean and
# size of each channel by two numbers of its own, and no longer by the interplay of all weights before.
#
# Which numbers belong together? All pixels of all images, but never two channels. (NHWC: the axes 0, 1 and 2.)

# %%
rng = np.random.default_rng(0)
x = rng.standard_normal((4, 5, 6, 3)) * [1, 5, 0.1] + [0, 10, -3]  # three channels with means and sizes of their own
norm = BatchNorm2d(3).astype(np.float64)
norm.weight.value, norm.bias.value = np.array([1.0, 1.0, 2.0]), np.array([0.0, 0.0, 7.0])
y, cache = norm.forward(x, training=True)
print("x: mean", x.mean((0, 1, 2)).round(3), " std", x.std((0, 1, 2)).round(3))
print("y: mean", y.mean((0, 1, 2)).round(3), " std", y.std((0, 1, 2)).round(3))
assert np.allclose(y.mean((0, 1, 2)), norm.bias.value), "the mean of each channel must be its bias"

# %% [markdown]
# (The last standard deviation is a little less than 2: there $\varepsilon$ is not quite nothing beside the variance,
# $0.1^2$.)
#
# Here is the library's forward. Its last line is the last two formulas in one: $y = (x - \mu) \cdot \gamma /
# \sqrt{\sigma^2 + \varepsilon} + \beta$. `over_batch` computes it for a few images at a time (01). `per_channel` only
# repeats C numbers, one for each channel, from pixel to pixel, which is a matter of speed (13).
#
# Mean and variance are sums over the whole batch, so the function that computes them returns each as a `Sum`. Both come
# from one pass over $x$: $\sigma^2 = E[d^2] - E[d]^2$ with $d = x - a$, for any number $a$.

# %%
print(inspect.getsource(BatchNorm2d.forward))
print(inspect.getsource(BatchNorm2d._batch_statistics))

# %% [markdown]
# ## What batch norm does not see
#
# **Predict:** you add 100 to a channel, or multiply it by 7. What changes in the output?

# %%
plain = BatchNorm2d(3, eps=0.0).astype(np.float64)
before, _ = plain.forward(x, training=True)
for name, changed in (("x + 100", x + 100), ("7 x", 7 * x), ("-x", -x)):
    after, _ = plain.forward(changed, training=True)
    print(f"{name:8}: y changes by up to {np.abs(after - before).max():.1e}")

# %% [markdown]
# A shift and a positive factor do nothing at all. Three things follow from that.
#
# * **A convolution before a batch norm needs no bias.** It would be taken off at once, and its gradient is zero. This
#   is why all convolutions in the library's ResNets have `bias=False`.
# * **The size of the weights before it does not matter** for the output (section 3.3 of the paper). But it does for the
#   gradient: with weights that are 10 times larger it is 10 times smaller.
# * **The gradient has nothing to say about these directions.** Hold on to that; it is the key to the backward.

# %%
conv, norm = Conv2d(3, 4, 3, padding=1, rng=rng).astype(np.float64), BatchNorm2d(4).astype(np.float64)
grad_y = rng.standard_normal((4, 5, 6, 4))
x = rng.standard_normal((4, 5, 6, 3))
for factor in (1, 10):
    conv.weight.value *= factor
    h, conv_cache = conv.forward(x, training=True)
    y, norm_cache = norm.forward(h, training=True)
    conv.backward(norm.backward(grad_y, norm_cache), conv_cache)
    print(f"weights times {factor:2}: gradient of the weights {np.linalg.norm(conv.weight.grad):.4f}, "
          f"of the bias {np.linalg.norm(conv.bias.grad):.0e}")  # fmt: skip
assert np.linalg.norm(conv.bias.grad) < 1e-12, "a bias in front of a batch norm has no gradient"

# %% [markdown]
# ## Backward, step by step
#
# Now derive it. Given $g_i = \partial L / \partial y_i$, we look for $\partial L / \partial x_i$. One channel is
# enough.
#
# **The parameters first.** From $y_i = \gamma \hat{x}_i + \beta$:
#
# $$ \frac{\partial L}{\partial \gamma} = \sum_i g_i \hat{x}_i, \qquad
#    \frac{\partial L}{\partial \beta} = \sum_i g_i, \qquad
#    \frac{\partial L}{\partial \hat{x}_i} = \gamma g_i $$
#
# **Then x.** Take the forward apart into steps so small that each derivative is obvious. With
# $s = 1 / \sqrt{\sigma^2 + \varepsilon}$:
#
#     mean = sum(x) / M
#     d    = x - mean
#     var  = sum(d * d) / M
#     s    = (var + eps) ** -0.5
#     xhat = d * s
#
# and go through it from bottom to top. Two rules are enough. Something that is used in two places gets the **sum** of
# what comes back from both: here `d` is used twice (in `xhat` and in `var`). Something that is **spread** over all
# $i$ forward (`s`, `mean`) collects a **sum over all i** backward.

# %%


def backward_in_steps(grad_xhat, x, eps):
    """The gradient at x of one channel, x (M,), one line back for each line forward."""
    M = len(x)
    mean = x.sum() / M
    d = x - mean
    var = (d * d).sum() / M
    s = (var + eps) ** -0.5

    grad_d = grad_xhat * s  # xhat = d * s, as far as d is concerned
    grad_s = (grad_xhat * d).sum()  # xhat = d * s, as far as s is concerned: s is in every xhat
    grad_var = grad_s * -0.5 * s**3  # s = (var + eps) ** -0.5
    grad_d = grad_d + grad_var * 2 * d / M  # var = sum(d * d) / M: the second way to d
    grad_mean = -grad_d.sum()  # d = x - mean: the mean is in every d
    return grad_d + grad_mean / M  # d = x - mean, and mean = sum(x) / M: two ways to x


x = rng.standard_normal(8)
g = rng.standard_normal(8)  # the gradient at xhat


def loss(x, eps=1e-5):
    d = x - x.mean()
    return (g * d / np.sqrt((d * d).mean() + eps)).sum()


numerical = np.array([(loss(x + 1e-5 * e) - loss(x - 1e-5 * e)) / 2e-5 for e in np.eye(8)])
by_steps = backward_in_steps(g, x, 1e-5)
print("in steps :", by_steps.round(6))
print("numerical:", numerical.round(6))
assert np.allclose(by_steps, numerical, atol=1e-8)

# %% [markdown]
# ## Backward, as one formula
#
# It is right, but it tells nothing. Put the lines into each other, with $g_i$ for the gradient at $\hat{x}_i$ and an
# overline for the mean over the channel. The second way to $d$ is, with $d_i = \hat{x}_i / s$,
#
# $$ \text{grad\_var} \cdot \frac{2 d_i}{M}
#    = -\frac{s^3}{2} \Big( \sum_j g_j d_j \Big) \frac{2 d_i}{M}
#    = -s \, \hat{x}_i \, \frac{1}{M} \sum_j g_j \hat{x}_j
#    = -s \, \hat{x}_i \, \overline{g \hat{x}} $$
#
# so that all of it is $\text{grad\_d}_i = s \, (g_i - \hat{x}_i \, \overline{g \hat{x}})$. The last line takes the mean
# of that off. The mean of $\hat{x}$ is zero, so only $s \, \overline{g}$ is left of it. With $\gamma$ put back in:
#
# $$ \boxed{ \frac{\partial L}{\partial x_i} = \frac{\gamma}{\sqrt{\sigma^2 + \varepsilon}}
#    \Big( g_i - \overline{g} - \hat{x}_i \, \overline{g \hat{x}} \Big) },
#    \qquad g_i = \frac{\partial L}{\partial y_i} $$
#
# Three terms: what comes in; *its mean, taken off*; *its part along $\hat{x}$, taken off*. The first one alone would be
# right if $\mu$ and $\sigma$ were constants.

# %%
xhat = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
by_formula = (g - g.mean() - xhat * (g * xhat).mean()) / np.sqrt(x.var() + 1e-5)
print("formula  :", by_formula.round(6))
assert np.allclose(by_formula, by_steps), "the formula is the seven lines, put together"

# %% [markdown]
# The library's backward is this formula as it is: two sums over the batch, which are also the gradients of $\beta$ and
# $\gamma$, then the three terms, in the last `kernel`. It never stores $\hat{x}$: the cache holds $x$, which the
# convolution before it has made anyway, and $\hat{x} \, \overline{g \hat{x}}$ is `(x - mean) * slope`.

# %%
print(inspect.getsource(BatchNorm2d.backward))

# %% [markdown]
# ## What the formula means
#
# Look at the derivatives of all outputs with respect to all inputs. From the formula, with $\gamma = 1$:
#
# $$ J = \frac{\partial \hat{x}}{\partial x}
#    = s \, \Big( I - \tfrac{1}{M} \mathbf{1} \mathbf{1}^T - \tfrac{1}{M} \hat{x} \hat{x}^T \Big) $$
#
# $\mathbf{1}$ is the vector of ones. Both $\mathbf{1} / \sqrt{M}$ and (up to $\varepsilon$) $\hat{x} / \sqrt{M}$ are of
# length 1, and they are at right angles, as $\sum_i \hat{x}_i = 0$. So the bracket is a **projection**: it takes away
# the part along $\mathbf{1}$ and the part along $\hat{x}$, and leaves the rest as it is. **Predict:** what is
# $J \mathbf{1}$? And $J \hat{x}$?

# %%
M = len(x)
s = 1 / np.sqrt(x.var() + 1e-5)
jacobian = s * (np.eye(M) - np.ones((M, M)) / M - np.outer(xhat, xhat) / M)
print(f"|J 1| = {np.linalg.norm(jacobian @ np.ones(M)):.1e}   (adding a constant changes nothing)")
print(f"|J xhat| = {np.linalg.norm(jacobian @ xhat):.1e}   (a longer x changes nothing, up to eps)")
eigenvalues = np.linalg.eigvalsh(jacobian / s)
print("eigenvalues of the bracket:", np.abs(eigenvalues.round(4)))

fig, axes = plt.subplots(1, 2, figsize=(7, 2.9), layout="constrained")
limit = np.abs(jacobian).max()
drawn = axes[0].imshow(jacobian, cmap="PuOr", vmin=-limit, vmax=limit)
axes[0].set(title="J: each output depends on each input", xlabel="input j", ylabel="output i")
axes[0].title.set_fontsize(9)
fig.colorbar(drawn, ax=axes[0], shrink=0.8)
axes[1].bar(np.arange(M) - 0.2, g, 0.4, color=GREY, label="gradient at xhat")
axes[1].bar(np.arange(M) + 0.2, by_formula / s, 0.4, color=BLUE, label="gradient at x, divided by s")
axes[1].axhline(0, color="k", lw=0.8)
axes[1].set(title="what is left of a gradient", xlabel="number i")
axes[1].title.set_fontsize(9)
axes[1].legend(frameon=False, fontsize=7)
axes[1].spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# Two eigenvalues are 0 and the others 1. Batch norm throws two facts about each channel away, its mean and its size, so
# no gradient can ask for a change of these. That is the whole formula.
#
# With $M = 3$ it can be drawn. Take off the mean: three numbers that sum to zero lie in a plane. Divide by the standard
# deviation: in that plane they lie on a circle of radius $\sqrt{3}$. So batch norm maps all of space onto a circle, and
# every gradient at $x$ is tangent to it.

# %%
u, v = np.array([1, -1, 0]) / math.sqrt(2), np.array([1, 1, -2]) / math.sqrt(6)  # two axes of the plane
three_rng = np.random.default_rng(3)
fig, ax = plt.subplots(figsize=(4.2, 4.2), layout="constrained")
angle = np.linspace(0, 2 * math.pi, 200)
ax.plot(math.sqrt(3) * np.cos(angle), math.sqrt(3) * np.sin(angle), color=GREY, lw=1)
for k in range(6):
    three = 1.2 * three_rng.standard_normal(3)
    centred = three - three.mean()
    hat = centred / centred.std()
    grad = three_rng.standard_normal(3)
    left = (grad - grad.mean() - hat * (grad * hat).mean()) / centred.std()
    left *= 0.9 / np.linalg.norm(left)  # the direction is what matters here
    ax.plot([centred @ u, hat @ u], [centred @ v, hat @ v], color=GREY, lw=0.8, ls=":")
    ax.plot(centred @ u, centred @ v, "o", color=ORANGE, label="x, its mean taken off" if k == 0 else None)
    ax.plot(hat @ u, hat @ v, "s", color=BLUE, ms=5, label="normalised" if k == 0 else None)
    ax.annotate("", (centred @ u + left @ u, centred @ v + left @ v), (centred @ u, centred @ v),
                arrowprops={"arrowstyle": "->", "color": GREEN, "lw": 1.5})  # fmt: skip
ax.plot([], [], color=GREEN, label="direction of a gradient at x")
ax.set(aspect="equal", xlim=(-4, 4), ylim=(-4, 4.6))
ax.legend(frameon=False, fontsize=8, loc="upper center", ncols=2)
ax.set_axis_off()
plt.show()

# %% [markdown]
# Each green arrow stands at a right angle on its dotted line: moving along the dotted line would change nothing.
#
# **Predict** from this picture: what does it look like with $M = 2$? We come back to it.
#
# ## What people forget
#
# Each of these is a backward that somebody has written. All look plausible; the check knows.


# %%
def norm_with(backward):
    """A batch norm for two channels whose gradient at x is backward(g, xhat, scale)."""

    class Spoiled(BatchNorm2d):
        def backward(self, grad_y, cache):
            super().backward(grad_y, cache)
            x, mean, inverse_std, _ = cache
            return backward(grad_y, (x - mean) * inverse_std, self.weight.value * inverse_std)

    return Spoiled(2).astype(np.float64)


def over(a, axes=(0, 1, 2)):
    return a.mean(axes, keepdims=True)


x = np.random.default_rng(1).standard_normal((3, 4, 5, 2))
attempts = {
    "mean and variance as constants": lambda g, xhat, scale: scale * g,
    "variance as a constant": lambda g, xhat, scale: scale * (g - over(g)),
    "mean as a constant": lambda g, xhat, scale: scale * (g - xhat * over(g * xhat)),
    "means over the batch only": lambda g, xhat, scale: scale * (g - over(g, 0) - xhat * over(g * xhat, 0)),
    "the variance's term added": lambda g, xhat, scale: scale * (g - over(g) + xhat * over(g * xhat)),
    "the formula": lambda g, xhat, scale: scale * (g - over(g) - xhat * over(g * xhat)),
}
for name, backward in attempts.items():
    report = gradcheck(norm_with(backward), x)
    print(f"{name:32} error {report.error:.0e}  {'right' if report else 'wrong'}")
    assert bool(report) == (name == "the formula")

# %% [markdown]
# How wrong is the first one in a large batch? The two terms are means, and means of many independent numbers are
# small. **Predict:** does forgetting them matter less and less for larger $M$, so that one may as well leave them out?

# %%
for M in (4, 32, 256, 2048):
    trials = np.random.default_rng(0).standard_normal((50, 2, M))  # of 50 random x and g
    relative = []
    for x, g in trials:
        xhat = (x - x.mean()) / x.std()
        right = g - g.mean() - xhat * (g * xhat).mean()
        relative.append(np.linalg.norm(g - right) / np.linalg.norm(right))
    print(f"M = {M:4}: a random g is off by {np.mean(relative):5.1%} without the two terms")

# %% [markdown]
# For random $g$ that is so. But gradients in training are not random: it is what they have *in common* over the batch
# that the loss wants, and this is what the two terms are about. Without them nothing stops the loss from pushing a
# channel's mean up and up, although the forward takes no notice. (Section 2 of the paper tells of just that: a bias
# that grows without end, while the loss stays where it is.)
#
# ## Training and evaluation
#
# In training the output for an image depends on the other images of the batch. Watch one image in three batches:

# %%
features, _ = Conv2d(3, 4, 3, padding=1, bias=False, rng=np.random.default_rng(0)).forward(images)
norm = BatchNorm2d(4)
for _ in range(50):
    norm.forward(features, training=True)  # gets its running statistics
for name, others in (("the next 3", slice(1, 4)), ("another 3", slice(7, 10)), ("all 15 others", slice(1, 16))):
    batch = np.concatenate([features[:1], features[others]])
    in_training, _ = BatchNorm2d(4).forward(batch, training=True)
    in_evaluation = norm(batch)
    pixel, fixed = in_training[0, 8, 8].round(3), in_evaluation[0, 8, 8].round(3)
    print(f"with {name:13}: in training {pixel}  in evaluation {fixed}")

# %% [markdown]
# For training that is a little noise, which does no harm and even acts as a regulariser. For *using* a network it will
# not do: what is in a picture must not depend on who else is asking, and a single picture must have an answer. So in
# evaluation fixed numbers take the place of the batch's mean and variance: running averages, kept during training.
#
# $$ \text{running} \leftarrow (1 - m) \cdot \text{running} + m \cdot \text{batch}, \qquad m = 0.1 $$
#
# They start at 0 (mean) and 1 (variance), as if nothing were to be normalised. After $t$ batches the start still counts
# $(1 - m)^t$. **Predict:** after how many batches is it below 1 %?

# %%
true_mean, true_std = 3.0, 2.0
rng = np.random.default_rng(0)
norm = BatchNorm2d(1)
means, variances = [0.0], [1.0]
for _ in range(100):
    norm.forward(rng.normal(true_mean, true_std, (32, 1, 1, 1)).astype(np.float32), training=True)
    means.append(float(norm.running_mean.value[0]))
    variances.append(float(norm.running_var.value[0]))

t = np.arange(101)
fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.6), layout="constrained")
for ax, seen, start, target, title in (
    (axes[0], means, 0.0, true_mean, "running mean"),
    (axes[1], variances, 1.0, true_std**2, "running variance"),
):
    ax.plot(t, seen, color=BLUE, lw=2, label="kept by the layer")
    ax.plot(t, target + (start - target) * 0.9**t, color=GREY, ls="--", label="expected")
    ax.axhline(target, color=GREY, lw=0.8, ls=":")
    ax.set(title=title, xlabel="batches")
    ax.spines[["top", "right"]].set_visible(False)
axes[0].legend(frameon=False, fontsize=8)
plt.show()
print(f"the start counts less than 1 % after {math.ceil(math.log(0.01) / math.log(0.9))} batches")

# %% [markdown]
# Mind the meaning of *momentum*: here, and in PyTorch, it is the share of the **new** batch. In other libraries (Keras)
# it is the share of the old average, 0.9 or 0.99 for the same thing.
#
# ### Two variances
#
# The batch's variance, divided by $M$, is on average too small: the mean that it is measured from was itself taken
# from these $M$ numbers, and so lies closer to them than the true mean does. On average it comes out as
# $\frac{M - 1}{M} \sigma^2$. Dividing by $M - 1$ mends that; it is called the *unbiased* variance.

# %%
rng = np.random.default_rng(0)
for M in (2, 4, 16, 256):
    samples = rng.standard_normal((20_000, M))  # of variance 1
    print(f"M = {M:3}: biased {samples.var(1).mean():.3f}, (M - 1) / M = {(M - 1) / M:.3f}, "
          f"unbiased {samples.var(1, ddof=1).mean():.3f}")  # fmt: skip

# %% [markdown]
# Batch norm uses both (algorithm 2 of the paper, and PyTorch): the **biased** one to normalise the batch in training,
# as then the output has variance 1 exactly; the **unbiased** one for the running average, which is to be an estimate
# for images not yet seen. Whoever mixes them up gets almost the same results, and wonders about the last digits.

# %%
x = np.array([1.0, 2.0, 3.0, 6.0], np.float32).reshape(4, 1, 1, 1)
norm = BatchNorm2d(1, momentum=1.0)  # takes the batch's numbers as they are
y, (_, _, inverse_std, _) = norm.forward(x, training=True)
print(f"used to normalise: {1 / inverse_std[0] ** 2 - norm.eps:.4f}  (14 / 4)")
print(f"kept             : {norm.running_var.value[0]:.4f}  (14 / 3)")
assert abs(norm.running_var.value[0] - 14 / 3) < 1e-5 and abs(1 / inverse_std[0] ** 2 - 14 / 4) < 1e-3

# %% [markdown]
# ### When the two modes disagree
#
# Train a small network, and look again and again at the loss on the same 256 pictures in both modes. So that it takes a
# second only, the pictures are noise of four levels of brightness, and the level is the class.

# %%


def pictures(count, seed):
    """(N, 8, 8, 1) of noise, and the class (N,): 0, 1, 2 or 3, which is the mean that the noise has."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    return (rng.standard_normal((count, 8, 8, 1)) + labels[:, None, None, None]).astype(np.float32), labels


def small_network(momentum):
    """Two convolutions, each with batch norm and ReLU."""
    rng = np.random.default_rng(0)
    layers = []
    for channels_in in (1, 8):
        layers += [Conv2d(channels_in, 8, 3, padding=1, bias=False, rng=rng), BatchNorm2d(8, momentum=momentum), ReLU()]
    return Sequential(*layers, GlobalAvgPool2d(), Linear(8, 4, rng=rng))


def in_both_modes(network, images, labels):
    """(loss with the batch's statistics, loss with the running ones); the running ones stay as they are."""
    with restored(network):
        in_training, _ = network.forward(images, training=True)
    return tuple(float(softmax_cross_entropy(logits, labels)[0]) for logits in (in_training, network(images)))


test_images, test_labels = pictures(256, seed=1)


def steps_on(network, batch_size, images, learning_rate):
    """Trains the network on so many images; comes back after every step."""
    steps = images // batch_size
    batches = (pictures(batch_size, seed=100 + step) for step in range(steps))
    return train(network, SGD(network.parameters()), batches, constant(learning_rate), steps)


def losses_by_step(momentum):
    """What `in_both_modes` says after each of 120 steps."""
    network = small_network(momentum)
    steps = steps_on(network, 64, 120 * 64, learning_rate=0.05)
    return np.array([in_both_modes(network, test_images, test_labels) for _ in steps])


# %% [markdown]
# **Predict:** which is lower while the network learns? And what if the momentum is 0.01 in place of 0.1, in a
# training of 120 steps?

# %%
history, slow = losses_by_step(momentum=0.1), losses_by_step(momentum=0.01)
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.semilogy(history[:, 0], color=BLUE, lw=2, label="statistics of the batch")
ax.semilogy(history[:, 1], color=ORANGE, lw=2, ls="--", label="running averages, momentum 0.1")
ax.semilogy(slow[:, 1], color=GREEN, lw=1.5, ls="-.", label="running averages, momentum 0.01")
ax.set(xlabel="training steps", ylabel="loss on 256 pictures")
ax.legend(frameon=False, fontsize=8)
ax.spines[["top", "right"]].set_visible(False)
plt.show()
for step in (30, 60, 120):
    batch_loss, running_loss = history[step - 1]
    print(f"after {step:3} steps: {batch_loss:.3f} with the batch's statistics, {running_loss:.3f} with running "
          f"averages, {slow[step - 1, 1]:.3f} with those of momentum 0.01")  # fmt: skip
assert history[29, 0] < history[29, 1] < slow[29, 1], "averages of old batches do not suit the weights of now"

# %% [markdown]
# With the batch's own statistics (blue) the network is better: they always suit the weights of the moment. The running
# averages lag behind weights that change. When the weights settle, the two meet. With a momentum of 0.01 the averages
# are still full of their start when the training is over: the network has learned all there is, and in evaluation it is
# of no use. Remember the picture: *good in training, bad in evaluation* need not be overfitting.
#
# ## What goes wrong with small batches
#
# The statistics of a batch are estimates, and those of a small batch are bad ones. How far is the normalised value of
# one and the same image, as a function of who else is in the batch? Take a layer late in a network, where a channel
# has only few pixels; here one.

# %%
population = np.random.default_rng(0).standard_normal((4096, 1, 1, 1))
one = np.full((1, 1, 1, 1), 1.0)  # one standard deviation above the mean: 1 is the right answer
spread = {}
for N in (2, 4, 8, 32, 128):
    answers = []
    for k in range(200):
        others = np.random.default_rng(k).choice(population, N - 1)
        y, _ = BatchNorm2d(1).astype(np.float64).forward(np.concatenate([one, others]), training=True)
        answers.append(y[0, 0, 0, 0])
    spread[N] = np.array(answers)
    print(f"batches of {N:3}: the image comes out between {spread[N].min():5.2f} and {spread[N].max():5.2f}")

fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
jitter = np.random.default_rng(0).uniform(-0.25, 0.25, 200)
for k, answers in enumerate(spread.values()):
    ax.plot(k + jitter, answers, ".", color=BLUE, ms=3)
ax.axhline(1, color=ORANGE, lw=1.5)
ax.set_xticks(range(len(spread)), map(str, spread))
ax.set(xlabel="images in the batch", ylabel="the same image, normalised")
ax.spines[["top", "right"]].set_visible(False)
plt.show()
print(f"batches of 2: {np.mean(np.abs(np.abs(spread[2]) - 1) < 0.01):.0%} come out as 1 or -1, but for a hundredth")
assert np.mean(np.abs(np.abs(spread[2]) - 1) < 0.01) > 0.9, "of two numbers one comes out as 1 and the other as -1"

# %% [markdown]
# Look at the batch of two. There is next to nothing between: of any two numbers the larger becomes 1 and the smaller
# -1, however far apart they were (unless they are so near that $\varepsilon$ counts). All that is left of the image
# is whether it is above the other one. That is the picture with $M = 2$: after the mean is taken off, a line; and on
# it the "circle" is two points. **Predict** the gradient then, before you run this. What does the formula say?

# %%
pair = np.array([0.3, 2.0]).reshape(2, 1, 1, 1)
norm = BatchNorm2d(1, eps=0.0).astype(np.float64)
y, cache = norm.forward(pair, training=True)
grad_x = norm.backward(np.array([5.0, -3.0]).reshape(2, 1, 1, 1), cache)
print(f"forward {y.ravel()}, gradient {np.abs(grad_x).ravel().round(12)}")
assert np.allclose(grad_x, 0, atol=1e-12), "two points have no tangent: nothing is left of any gradient"

# %% [markdown]
# No gradient at all: two dimensions, and two directions are taken away. And a single number, one image of one pixel, is
# its own mean; it would come out as 0, always. The library refuses that, as PyTorch does:

# %%
try:
    BatchNorm2d(3).forward(np.zeros((1, 1, 1, 3), np.float32), training=True)
except ValueError as error:
    print(f"ValueError: {error}")
else:
    raise AssertionError("one value per channel cannot be normalised")

# %% [markdown]
# A batch of one *picture* is not refused, as long as a channel has more than one pixel: then the picture is
# normalised by itself (this is called instance normalisation). But the class of our pictures is their brightness, and
# what does a network see whose first batch norm takes each picture's own mean off? **Predict** the accuracies for
# batches of 1, 2, 4, 16 and 64 pictures, each trained on the same number of pictures.

# %%
accuracies = {}
for batch_size, learning_rate in ((1, 0.001), (2, 0.002), (4, 0.004), (16, 0.0125), (64, 0.05)):
    network = small_network(momentum=0.1)
    for _ in steps_on(network, batch_size, 3072, learning_rate):
        pass
    with restored(network):
        batches = [slice(k, k + batch_size) for k in range(0, 256, batch_size)]
        logits = np.concatenate([network.forward(test_images[b], training=True)[0] for b in batches])
    as_trained, in_evaluation = (np.mean(z.argmax(1) == test_labels) for z in (logits, network(test_images)))
    accuracies[batch_size] = as_trained
    print(f"batches of {batch_size:2}: {as_trained:4.0%} right in batches of {batch_size:2} with their own statistics, "
          f"{in_evaluation:4.0%} in evaluation")  # fmt: skip
assert accuracies[1] < 0.4 < 0.9 < accuracies[64], "with one picture a batch nothing of its brightness is left"

# %% [markdown]
# With one picture a batch the network guesses: what it should learn is taken away in front of its eyes; and in
# evaluation, where brightness is let through again, it is worse than guessing, for that is another function than the
# one it was trained as. With two it can only compare them, which is enough to learn which is the brighter one; fixed
# averages then serve it better than its own batches. There is no error message for any of this. Real pictures are not
# told apart by brightness alone, so there it is less plain, but it is the same effect.
#
# What helps: larger batches; the statistics of several machines put together ("synchronised" batch norm); or a
# normalisation that does not look at the batch at all, over the channels of one image (layer norm) or groups of them
# (group norm). Where dozens of images fit into memory, batch norm does well; where one or two do, group norm is the
# usual choice.
#
# ## In evaluation it costs nothing
#
# With fixed mean and variance batch norm is one factor and one shift for each channel. So is, for each output
# channel, the weight and the bias of the convolution before it: the two can be made one. Whoever runs a trained
# network on a telephone does that; it is exercise 14.2.
#
# ## Exercises

# %% tags=["task"]
task("4.1")

# %% tags=["task"]
task("4.2")

# %% tags=["task"]
task("4.3")

# %% tags=["task"]
task("4.4")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `BatchNorm2d(C)` | `torch.nn.BatchNorm2d(C)`, channels first; same `eps`, same `momentum` |
# | `weight`, `bias` | the same names; $\gamma$ and $\beta$ in the paper |
# | `running_mean`, `running_var` | the same, with the same unbiased variance; besides `num_batches_tracked` |
# | `forward(x, training=True)` | `model.train()`, then `model(x)` |
# | `layer(x)` | `model.eval()`, then `model(x)`: forgetting it is a classic |
# | ValueError for one value per channel | the same: "Expected more than 1 value per channel when training" |
# | folding, exercise 14.2 | `torch.nn.utils.fuse_conv_bn_eval` |
# | layer norm, exercise 4.4 | `torch.nn.LayerNorm` |
#
# ## Sources
#
# * Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
#   Shift": algorithm 1 (forward), section 3 (backward, step by step), algorithm 2 (evaluation).
# * Santurkar, Tsipras, Ilyas, Madry 2018, "How Does Batch Normalization Help Optimization?": the experiment with noise.
# * Ba, Kiros, Hinton 2016, "Layer Normalization"; Wu and He 2018, "Group Normalization": what to do with small batches.
#
# Next: [05 ReLU, pooling, linear, loss](05_relu_pooling_linear_loss.py), the layers that are left, each with its
# gradient.
