# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 05 ReLU, pooling, linear, loss
#
# The small layers. Each is a few lines forward and a few lines backward, and each has one place where it is easy to be
# wrong: a kink, a tie, a transpose, an overflow.
#
# At the end you will be able to
#
# * derive the backward of ReLU, maximum and average pooling, and a linear layer, and find it in the library;
# * say what happens at a kink and at a tie, and why it hardly matters;
# * derive the gradient of softmax with cross-entropy, and see why the two belong together;
# * compute both for logits of any size without overflow.
#
# **Needs:** 02 (backward passes), 03 (gradient checking).
# **Time:** 45 minutes to read and try; a few seconds to run.

# %%
import inspect
import warnings

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import AvgPool2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU
from resnet_scratch.losses import log_softmax, softmax, softmax_cross_entropy

BLUE, ORANGE, GREEN = "#4477aa", "#cc5533", "#228833"
rng = np.random.default_rng(0)

# %% [markdown]
# ## ReLU
#
# $y = \max(x, 0)$. Where $x > 0$ the output moves as $x$ moves, where $x < 0$ it does not move:
#
# $$\frac{\partial L}{\partial x_i} = \frac{\partial L}{\partial y_i} \cdot [x_i > 0]$$
#
# **Predict, then run:** which of the five gradients come through?

# %%
x = np.array([-2.0, -0.1, 0.0, 0.1, 2.0])
relu = ReLU()
y, cache = relu.forward(x)
print("x       ", x)
print("y       ", y)
print("grad_x  ", relu.backward(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), cache))
print()
print(inspect.getsource(ReLU.forward))
print(inspect.getsource(ReLU.backward))
assert cache is y, "the cache is the output: y > 0 just where x > 0, and the next layer keeps y in any case"

# %% [markdown]
# The mathematics is what `over_batch` is handed, here as a lambda: a function of some images, run on a few of them at a
# time (01).
#
# At $x = 0$ there is no derivative: from the right it is 1, from the left 0. Any number between them is a subgradient;
# the library takes 0, as PyTorch does. The gradient checker leaves such places out and says how many it left out:

# %%
report = gradcheck(ReLU(), np.array([[-1.0, 0.0, 2.0, 3.0, -4.0, 0.5, 1.5, -0.5]]))
print(report)
print(f"left out at the kink: {report.tensors[0].skipped}")
assert report and report.tensors[0].skipped == 1, "just the one zero lies on the kink"

# %% [markdown]
# ### Saturation
#
# Before ReLU there was the sigmoid, $\sigma(x) = 1 / (1 + e^{-x})$, with the derivative $\sigma (1 - \sigma)$. Its
# largest value is a quarter. **Predict:** what is left of a gradient behind ten sigmoids, at best?

# %%
t = np.linspace(-6, 6, 241)
s = 1 / (1 + np.exp(-t))
fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.8), layout="constrained")
for ax, curves, title in ((axes[0], (np.maximum(t, 0), s), "forward"), (axes[1], (t > 0, s * (1 - s)), "derivative")):
    for values, colour, label in zip(curves, (BLUE, ORANGE), ("ReLU", "sigmoid")):
        ax.plot(t, values, color=colour, label=label)
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("x")
    ax.legend(frameon=False)
axes[0].set_ylim(-0.1, 3)
plt.show()
print(f"the largest derivative of the sigmoid is {(s * (1 - s)).max()}; to the tenth power {0.25**10:.1e}")
assert (s * (1 - s)).max() <= 0.25, "y (1 - y) is largest at y = 1/2"

# %% [markdown]
# ReLU's price is the other side: a unit whose input is negative for every image gets no gradient from anywhere, and
# stays so. Batch norm in front of it (04) makes that rare: its outputs are positive about half the time.
#
# ## Maximum pooling
#
# The largest number of each window. It moves with its largest pixel and with no other, so the whole gradient goes
# there. A 4x4 picture, windows of 2x2:

# %%
picture = np.array([[1, 2, 0, 0], [4, 3, 0, 7], [5, 5, 9, 8], [5, 5, 6, 9]], float).reshape(1, 4, 4, 1)
pool = MaxPool2d(2)
y, cache = pool.forward(picture)
grad_y = np.array([[10.0, 20], [30, 40]]).reshape(1, 2, 2, 1)
grad_x = pool.backward(grad_y, cache)

fig, axes = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained")
for ax, array, title in zip(axes, (picture, y, grad_y, grad_x), ("x", "y", "grad_y", "grad_x")):
    numbers = array[0, :, :, 0]
    ax.imshow(numbers, cmap="Blues" if title in "xy" else "Oranges", vmin=0, vmax=numbers.max() * 1.6)
    for (i, j), value in np.ndenumerate(numbers):
        ax.text(j, i, f"{value:g}", ha="center", va="center")
    if len(numbers) == 4:
        ax.axhline(1.5, color="#333333")
        ax.axvline(1.5, color="#333333")
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %% [markdown]
# Below, twice, there are ties: four fives, two nines. The first in reading order takes all, here as in PyTorch. To
# give it to each of them would multiply the gradient; to share it out would be a subgradient too.

# %%
assert grad_x[0, 2, 0, 0] == 30 and grad_x[0, 2, 2, 0] == 40, "the first of equal pixels takes it all"
assert grad_x.sum() == grad_y.sum(), "nothing is lost and nothing is added on the way back"
print(inspect.getsource(MaxPool2d.backward))

# %% [markdown]
# **Predict, then run:** a border of padding. What must it be filled with, so that an all-negative picture keeps its
# maximum? What would happen with zeros?

# %%
negative = -np.ones((1, 2, 2, 1))
print(MaxPool2d(3, stride=2, padding=1)(negative).ravel(), "is the maximum; with zeros around it would be 0")
assert (MaxPool2d(3, stride=2, padding=1)(negative) == -1).all(), "the padding of a maximum is minus infinity"

# %% [markdown]
# ## Average pooling
#
# A mean of $n$ numbers moves by $1/n$ of what each moves. So each pixel of a window gets $1/n$ of its gradient. In a
# ResNet the mean is over the whole picture, once, before the classifier:

# %%
average = GlobalAvgPool2d()
y, cache = average.forward(picture)
print(f"the mean of the picture is {y.item()}; a gradient of 16 comes back as")
print(average.backward(np.full(y.shape, 16.0), cache)[0, :, :, 0])
for layer in (MaxPool2d(2), AvgPool2d(2), GlobalAvgPool2d()):
    report = gradcheck(layer, rng.standard_normal((2, 4, 4, 3)))
    print(f"{type(layer).__name__:16} largest relative error {report.error:.1e}")
    assert report, f"{type(layer).__name__} has a wrong gradient:\n{report}"

# %% [markdown]
# ## Linear
#
# $Y = X W + b$, with $X$ of (N, in), $W$ of (in, out), $b$ of (out). One number of $Y$ is
# $y_{no} = \sum_i x_{ni} w_{io} + b_o$. So
#
# $$\frac{\partial L}{\partial w_{io}} = \sum_n x_{ni} \frac{\partial L}{\partial y_{no}}, \qquad
# \frac{\partial L}{\partial x_{ni}} = \sum_o \frac{\partial L}{\partial y_{no}} w_{io}, \qquad
# \frac{\partial L}{\partial b_o} = \sum_n \frac{\partial L}{\partial y_{no}}$$
#
# As matrices: $X^T G$, $G W^T$, and the sum of the rows of $G$. The first and the last are sums over the batch; in the
# library's code each is a `Sum`. **Check yourself:** there is only one way to multiply
# (N, in) with (N, out) to get (in, out). The shapes tell the formula, unless in = out; that is why tests use sizes that
# are all different.

# %%
linear = Linear(3, 2, rng=rng).astype(np.float64)
x = rng.standard_normal((4, 3))
y, cache = linear.forward(x)
g = rng.standard_normal(y.shape)
grad_x = linear.backward(g, cache)
assert np.allclose(linear.weight.grad, x.T @ g), "grad_weight is x transposed times grad_y"
assert np.allclose(grad_x, g @ linear.weight.value.T), "grad_x is grad_y times the weights transposed"
assert np.allclose(linear.bias.grad, g.sum(0)), "the bias is added to every row, so its gradient is their sum"
print(inspect.getsource(Linear.backward))

# %% [markdown]
# ## Softmax
#
# The network's ten outputs, the logits $z$, become probabilities: $p_k = e^{z_k} / \sum_j e^{z_j}$. They are positive,
# they sum to 1, and only differences of logits count.

# %%
logits = np.array([[2.0, 1.0, -1.0]])
print("softmax of", logits[0], "is", softmax(logits)[0].round(3))
print("and of   ", logits[0] + 100, "is", softmax(logits + 100)[0].round(3))
assert np.allclose(softmax(logits), softmax(logits + 100)), "adding one number to all logits must change nothing"

# %% [markdown]
# **Predict, then run:** the formula as it stands, for logits of 1000.

# %%
large = np.array([[1000.0, 999.0, 0.0]])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    naive = np.exp(large) / np.exp(large).sum()
print("by the formula:", naive[0], [str(w.message) for w in caught])
print("by the library:", softmax(large)[0])
assert np.isnan(naive).any() and np.isfinite(softmax(large)).all(), "infinity divided by infinity is no number"
print(inspect.getsource(log_softmax))

# %% [markdown]
# The largest logit is taken off first: all exponents are then at most 0, the largest is exactly 0, so the sum lies
# between 1 and the number of classes. And the logarithm of the probabilities comes out directly,
# $\log p_k = z_k - \log\sum_j e^{z_j}$ ("log-sum-exp"). To take the logarithm of softmax's result instead would be too
# late: a probability of $e^{-1000}$ has become 0, and its logarithm minus infinity.

# %%
with np.errstate(divide="ignore"):
    print("log(softmax(z)):", np.log(softmax(large))[0])
print("log_softmax(z): ", log_softmax(large)[0])
assert np.isfinite(log_softmax(large)).all(), "log_softmax keeps what softmax has rounded to 0"

# %% [markdown]
# ## Cross-entropy, and the formula to remember
#
# The loss of one picture is minus the logarithm of the probability that its true class $t$ got:
#
# $$L = -\log p_t = -z_t + \log \sum_j e^{z_j}$$
#
# Differentiate by $z_k$. The first part gives $-1$ if $k = t$, else 0. The second gives $e^{z_k} / \sum_j e^{z_j} =
# p_k$:
#
# $$\frac{\partial L}{\partial z_k} = p_k - [k = t]$$
#
# What the network thinks, minus what is true. For a batch it is the mean, so everything is divided by N.

# %%
labels = np.array([0])
loss, grad = softmax_cross_entropy(logits, labels)
print(f"loss {loss:.4f} = -log {softmax(logits)[0, 0]:.4f}")
print("gradient     ", grad[0].round(4))
print("p - one-hot  ", (softmax(logits) - np.eye(3)[labels])[0].round(4))
assert np.allclose(grad, softmax(logits) - np.eye(3)[labels]), "it is p minus the one-hot label"
assert np.isclose(grad.sum(), 0), "p sums to 1 and so does the label: the gradient's sum is 0"

# %% [markdown]
# Why are softmax and logarithm one function here, not two layers? Chained, the backward would first be $-1/p_t$,
# which is enormous when the network is surely wrong, times a derivative of softmax that is tiny there: infinity times
# zero. Taken together, what is left is a number between -1 and 1. And, other than behind a sigmoid with a squared
# loss, the gradient is largest just where the answer is most wrong:

# %%
z = np.linspace(-10, 10, 201)  # the logit of the true class, against one other class at 0
p = 1 / (1 + np.exp(-z))
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
ax.plot(z, abs(p - 1), color=BLUE, label="cross-entropy: |p - 1|")
ax.plot(z, abs(2 * (p - 1) * p * (1 - p)), color=ORANGE, label="squared error: |2 (p - 1) p (1 - p)|")
ax.set_xlabel("logit of the true class: wrong on the left, right on the right")
ax.set_ylabel("size of the gradient")
ax.legend(frameon=False, fontsize=8)
plt.show()
print(f"surely wrong, at z = -10: {abs(p - 1)[0]:.4f} against {abs(2 * (p - 1) * p * (1 - p))[0]:.4f}")
assert abs(p - 1)[0] > 0.99, "a surely wrong answer must be told so"

# %% [markdown]
# ### The first loss
#
# A network that knows nothing gives each of K classes 1/K, so its loss is log K. It is the first number to look at in
# any training run: far above means weights that are too large at the start.

# %%
for classes in (10, 100, 1000):
    loss, _ = softmax_cross_entropy(np.zeros((4, classes)), np.zeros(4, int))
    print(f"{classes:5} classes: {float(loss):.3f}")
    assert np.isclose(loss, np.log(classes)), "equal logits give equal probabilities"

# %% [markdown]
# ## Exercises

# %% tags=["task"]
task("5.1")

# %% tags=["task"]
task("5.2")

# %% tags=["task"]
task("5.3")

# %% tags=["task"]
task("5.4")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `ReLU()` | `torch.nn.ReLU()`, also in place |
# | `MaxPool2d(3, 2, 1)` | `torch.nn.MaxPool2d(3, 2, 1)` |
# | `AvgPool2d(2)`, `GlobalAvgPool2d()` | `torch.nn.AvgPool2d(2)`, `torch.nn.AdaptiveAvgPool2d(1)` |
# | `Linear(3, 2)`, weight (in, out) | `torch.nn.Linear(3, 2)`, weight (out, in) |
# | `log_softmax(logits)` | `torch.log_softmax(logits, 1)` |
# | `softmax_cross_entropy(logits, labels)` | `torch.nn.functional.cross_entropy(logits, labels)` |
#
# ## Sources
#
# * Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".
# * Goodfellow, Bengio and Courville 2016, "Deep Learning", section 6.2.2.3 (softmax), 6.3.1 (ReLU), 4.1 (overflow).
# * Lin, Chen and Yan 2013, "Network in Network", section 3.2 (global average pooling).
#
# Next: [06 The residual connection](06_residual_connection.py), where the layers become a block.
