# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 05 ReLU, pooling, linear, loss
#
# These are the small layers, and the loss. Each is a few lines forward and a few lines backward. Each also has one spot
# where it is easy to go wrong: a kink, a tie, a transpose, an overflow.
#
# By the end you will be able to
#
# * derive the backward pass of ReLU, of max and average pooling, and of a linear layer;
# * say what happens at a kink and at a tie, and why it hardly matters;
# * derive the gradient of softmax with cross-entropy, and say why the two belong together;
# * compute both for logits of any size without overflow.
#
# **Needs:** 02 (backward passes) and 03 (gradient checking); for the milestone, your answers to tasks 0.1, 0.2, 1.4,
# 2.2, 2.3 and 4.1 to 4.3. **Time:** 60 minutes to read and try, and 80 minutes for the tasks. The cells run in a few
# seconds, and the milestone in about a minute.

# %%
import inspect
import os
import warnings

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch import losses
from resnet_scratch.exercises import solutions, task
from resnet_scratch.exercises.milestones import milestone
from resnet_scratch.figures.functions import plot_functions
from resnet_scratch.figures.graphs import draw_graph
from resnet_scratch.figures.numbers import draw_numbers
from resnet_scratch.figures.style import BACKWARD, BLACK
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import AvgPool2d, GlobalAvgPool2d, Linear, MaxPool2d, ReLU

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
rng = np.random.default_rng(0)

# %% [markdown]
# In this chapter $g = \partial L / \partial y$ is the upstream gradient, which `backward` is given as `grad_y`.
#
# ## ReLU
#
# $y = \max(x, 0)$. Where $x > 0$, the output changes as $x$ does. Where $x < 0$, the output does not change:
#
# $$\frac{\partial L}{\partial x_i} = g_i \cdot [x_i > 0]$$
#
# (The bracket is 1 if the condition holds, else 0.) **Predict, then run:** which of the five gradients get through?

# %%
x = np.array([-2.0, -0.1, 0.0, 0.1, 2.0])
relu = ReLU()
y, cache = relu.forward(x)
grad_x = relu.backward(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), cache)
print("x       ", x)
print("y       ", y)
print("grad_x  ", grad_x)
assert grad_x.tolist() == [0, 0, 0, 4, 5] and cache is y
print()
print(inspect.getsource(ReLU.forward))
print(inspect.getsource(ReLU.backward))

# %% [markdown]
# The mathematics is in the function that `over_batch` is given, here a lambda. `over_batch` runs it on a few images at
# a time (01). The cache is the output. That is enough, because $y > 0$ exactly where $x > 0$, and it costs no
# memory, because the next layer keeps it anyway.
#
# At $x = 0$ there is no derivative: it is 1 from the right and 0 from the left. Every number from 0 to 1 is a
# **subgradient**. The library takes 0, as PyTorch does. It hardly matters, because a computed number is rarely exactly
# 0. The gradient checker leaves such points out, and says how many:

# %%
report = gradcheck(ReLU(), np.array([[-1.0, 0.0, 2.0, 3.0, -4.0, 0.5, 1.5, -0.5]]))
print(report)
print(f"left out at the kink: {report.tensors[0].skipped}")
assert report and report.tensors[0].skipped == 1, "only the one zero lies on the kink"

# %% [markdown]
# ### Saturation
#
# Before ReLU there was the sigmoid, $\sigma(x) = 1 / (1 + e^{-x})$, which maps every number to a value in (0, 1).

# %% tags=["task"]
task("5.1")

# %% [markdown]
# The derivative is $\sigma' = \sigma (1 - \sigma)$. **Predict:** how large is it at most, and what is then left of a
# gradient after it has passed back through ten sigmoids?

# %%
t = np.linspace(-6, 6, 241)
s = 1 / (1 + np.exp(-t))
fig, axes = plt.subplots(1, 2, figsize=(7.5, 2.8), layout="constrained")
plot_functions(axes[0], t, {"ReLU": np.maximum(t, 0), "sigmoid": s}, "x", "forward")
plot_functions(axes[1], t, {"ReLU": t > 0, "sigmoid": s * (1 - s)}, "x", "derivative")
axes[0].set_ylim(-0.1, 3)
plt.show()
largest = (s * (1 - s)).max()
print(f"the largest derivative of the sigmoid is {largest}; to the tenth power {largest**10:.1e}")
assert largest == 0.25, "y (1 - y) is largest at y = 1/2"

# %% [markdown]
# Far from 0 the sigmoid is flat: it **saturates**, and almost no gradient gets through. ReLU has a derivative of
# exactly 1 for every positive input. Its drawback is on the other side. A unit whose input is negative for every image
# gets no gradient at all, and never recovers by itself (a "dead ReLU"). Batch norm before the ReLU (04) makes that
# rare: its outputs are positive about half of the time.
#
# ## Max pooling
#
# Each output is the largest number in its window. It changes with that pixel and with no other, so that pixel
# gets the whole gradient. Here is an image of 4x4 pixels, and windows of 2x2:

# %%
image = np.array([[1, 2, 0, 0], [4, 3, 0, 7], [5, 5, 9, 8], [5, 5, 6, 9]], float)
pool = MaxPool2d(2)
y, cache = pool.forward(image.reshape(1, 4, 4, 1))
grad_y = np.array([[10.0, 20], [30, 40]])
windows = [((row, column, 2, 2), BLACK) for row in (0, 2) for column in (0, 2)]
fig, axes = plt.subplots(1, 3, figsize=(7, 2.5), layout="constrained")
draw_numbers(axes[0], image, "x", windows, shade=True)
draw_numbers(axes[1], y[0, :, :, 0], "y", shade=True)
draw_numbers(axes[2], grad_y, "grad_y", shade=True, gradient=True)
plt.show()

# %% [markdown]
# **Predict:** what is `grad_x`? In the two lower windows there are ties: four fives, and two nines. Giving the whole
# gradient to each of them would multiply it; sharing it among them would be a subgradient too. PyTorch and the library
# give it to the first in reading order.

# %% tags=["task"]
task("5.2")

# %%
grad_x = pool.backward(grad_y.reshape(1, 2, 2, 1), cache)[0, :, :, 0]
fig, ax = plt.subplots(figsize=(2.5, 2.5), layout="constrained")
draw_numbers(ax, grad_x, "grad_x", windows, shade=True, gradient=True)
plt.show()
assert grad_x[2, 0] == 30 and grad_x[2, 2] == 40, "the first of several equal pixels gets it all"
assert grad_x.sum() == grad_y.sum(), "nothing is lost or added on the way back"
print(inspect.getsource(MaxPool2d.backward))

# %% [markdown]
# **Predict, then run:** a window reaches over the border into the padding, and all pixels are negative. What must the
# padding be filled with, so that the maximum stays right? What would come out with zeros?

# %%
negative = -np.ones((1, 2, 2, 1))
y = MaxPool2d(3, stride=2, padding=1)(negative)
with_zeros = MaxPool2d(3, stride=2)(np.pad(negative, ((0, 0), (1, 1), (1, 1), (0, 0))))
print("padded with minus infinity:", y.ravel(), " padded with zeros:", with_zeros.ravel())
assert y == -1 and with_zeros == 0, "the padding of a maximum must never win"
print()
print(inspect.getsource(MaxPool2d.forward))

# %% [markdown]
# `pad` gets minus infinity. The loop takes one position in the window at a time, for all windows at once, and records
# in `winner` the position of each window's largest value, which backward compares with `k`. Because of the strict `>`,
# a later value that is only as large as an earlier one does not win. (`first` matters only if a whole window is minus
# infinity.)
#
# ## Average pooling
#
# If one of $n$ numbers changes, their mean changes by $1/n$ of that. So each pixel of a window gets $1/n$ of its
# gradient. In a ResNet the mean is over the whole image, once, before the classifier:

# %%
average = GlobalAvgPool2d()
y, cache = average.forward(image.reshape(1, 4, 4, 1))
grad_x = average.backward(np.array([[16.0]]), cache)[0, :, :, 0]
print(f"the mean of the image is {y.item()}; a gradient of 16 comes back as\n{grad_x}")
assert (grad_x == 1).all(), "each of the 16 pixels gets a sixteenth"
for layer in (MaxPool2d(2), AvgPool2d(2), GlobalAvgPool2d()):
    report = gradcheck(layer, rng.standard_normal((2, 4, 6, 3)))
    print(f"{type(layer).__name__:16} largest relative error {report.error:.1e}")
    assert report, f"{type(layer).__name__} has a wrong gradient:\n{report}"

# %% [markdown]
# ## Linear
#
# $Y = X W + b$, with $X$ of shape (N, in), $W$ of shape (in, out) and $b$ of shape (out). One number of $Y$ is
# $y_{no} = \sum_i x_{ni} w_{io} + b_o$. With $g_{no} = \partial L / \partial y_{no}$,
#
# $$\frac{\partial L}{\partial w_{io}} = \sum_n x_{ni} \, g_{no}, \qquad
# \frac{\partial L}{\partial x_{ni}} = \sum_o g_{no} \, w_{io}, \qquad
# \frac{\partial L}{\partial b_o} = \sum_n g_{no}$$
#
# As matrices these are $X^T G$, $G W^T$, and the sum of the rows of $G$. The first and the last are sums over the
# batch; in the library's code each is a `Sum`.
#
# **Check yourself:** if N, in and out all differ, there is only one way to multiply (N, in) and (N, out) that gives
# (in, out): the shapes tell you the formula. If two of the sizes are equal, a wrong product may fit, too. That is why
# tests should use sizes that are all different.

# %%
linear = Linear(3, 2, rng=rng).astype(np.float64)
x = rng.standard_normal((4, 3))
y, cache = linear.forward(x)
g = rng.standard_normal(y.shape)
grad_x = linear.backward(g, cache)
assert np.allclose(linear.weight.grad, x.T @ g), "grad_w is x transposed times grad_y"
assert np.allclose(grad_x, g @ linear.weight.value.T), "grad_x is grad_y times the weights transposed"
assert np.allclose(linear.bias.grad, g.sum(0)), "the bias is added to every row, so its gradient is their sum"
print(inspect.getsource(Linear.backward))

# %% [markdown]
# ## Softmax and cross-entropy on one page
#
# The network's outputs $z_1, \dots, z_K$, the **logits**, become probabilities by **softmax**:
#
# $$ p_k = \frac{e^{z_k}}{\sum_j e^{z_j}} $$
#
# They are positive and sum to 1. Only the differences between logits count: adding the same number to all of them
# multiplies numerator and denominator by the same factor. **Predict, then run:** what does the formula give, as it
# stands, for logits of 1000?

# %%
large = np.array([[1000.0, 999.0, 0.0]])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    naive = np.exp(large) / np.exp(large).sum()
print("by the formula:", naive[0], [str(w.message) for w in caught])
assert np.isnan(naive).any(), "infinity divided by infinity is not a number"

# %% tags=["task"]
task("5.3")

# %% [markdown]
# You can avoid the overflow: subtract the largest logit of each row from all logits of the row. That changes no
# probability. The largest exponent is then 0, so nothing overflows, and the sum is at least 1.
#
# The library computes the logarithm of the probabilities, by the same trick: $\log p_k = z_k - \log\sum_j e^{z_j}$, the
# **log-sum-exp** form. The loss needs that logarithm. Taking the logarithm of the finished softmax would be too late:
# a probability of $e^{-1000}$ has been rounded to 0, and its logarithm is minus infinity.

# %%
print(inspect.getsource(losses.log_softmax))
with np.errstate(divide="ignore"):
    print("log(softmax(z)):", np.log(losses.softmax(large))[0])
print("log_softmax(z): ", losses.log_softmax(large)[0])
assert np.isfinite(losses.log_softmax(large)).all(), "log_softmax keeps what softmax rounds to 0"

# %% [markdown]
# The loss of one image with the true class $t$ is minus the logarithm of the probability that $t$ got:
#
# $$ L = -\log p_t $$
#
# It is called the **cross-entropy**, and it is 0 only if the network is certain and right. The loss of a batch is the
# mean over its N images.

# %% tags=["task"]
task("5.4")

# %% [markdown]
# **The derivation.** Substitute softmax into the loss: the logarithm undoes the exponential of the numerator.
#
# $$ L = -z_t + \log \sum_j e^{z_j} $$
#
# Differentiate with respect to $z_k$. The first term gives $-1$ if $k = t$, else 0. The second gives
# $e^{z_k} / \sum_j e^{z_j}$, which is $p_k$ again:
#
# $$ \boxed{\frac{\partial L}{\partial z_k} = p_k - [k = t]} $$
#
# It is what the network thinks, minus what is true: the **one-hot** label, 1 for the true class and 0 for the others.
# (For a batch, whose loss is a mean, it is divided by N.) The chain rule gives the same, in two factors. The logarithm
# has the gradient $\partial L / \partial p_k = -[k = t] / p_t$, and softmax the Jacobian
# $\partial p_k / \partial z_j = p_k ([k = j] - p_j)$. Their product is $-([j = t] - p_j)$: the $p_t$ cancels.

# %%
fig, ax = plt.subplots(figsize=(7.5, 2.2), layout="constrained")
boxes = {"z": (0, 0), "p": (3, 0), "L": (6, 0)}
draw_graph(ax, boxes, [("z", "p", "softmax"), ("p", "L", "-log p[t]")])
backward = {("L", "p"): "-1 / p[t]", ("p", "z"): "p - one-hot"}
draw_graph(ax, boxes, [(*edge, "") for edge in backward], colour=BACKWARD, bend=dict.fromkeys(backward, -0.4))
for (start, end), text in backward.items():
    ax.text((boxes[start][0] + boxes[end][0]) / 2, -0.85, text, color=BACKWARD, ha="center")
ax.set_ylim(-1.3, 0.8)
plt.show()

# %%
logits, labels = np.array([[2.0, 1.0, -1.0]]), np.array([0])
p, one_hot = losses.softmax(logits), np.eye(3)[labels]
loss, grad = losses.softmax_cross_entropy(logits, labels)
print(f"loss {loss:.4f} = -log {p[0, 0]:.4f}")
print("gradient     ", grad[0].round(4))
print("p - one-hot  ", (p - one_hot)[0].round(4))
jacobian = np.diag(p[0]) - np.outer(p[0], p[0])
assert np.allclose(grad, p - one_hot), "the gradient is p minus the one-hot label"
assert np.allclose(grad[0], jacobian @ (-one_hot / p)[0]), "and the chain rule says the same"
assert np.isclose(grad.sum(), 0), "p sums to 1 and so does the label: the gradient sums to 0"

# %% [markdown]
# That is why softmax and the logarithm are one function here, not two layers. As two layers, the backward pass would
# multiply $-1/p_t$, which is enormous when the network is confident and wrong, by a Jacobian that is tiny there. In
# floating point this can be infinity times zero. Together, they leave a number between -1 and 1.

# %%
print(inspect.getsource(losses.softmax_cross_entropy))

# %% [markdown]
# The mathematics is in `kernel`, the function that `over_batch` calls (13), not a kernel of weights. With
# `label_smoothing` at 0, `q` is the one-hot label. Of the three values that it returns, the first is the loss and the
# second the gradient, your answer to task 5.4. Both come from one `log_p`, and both are divided by $N$, the third, at
# the very end.
#
# The gradient is also largest where the answer is most wrong. A sigmoid with a squared error does not have that
# property:

# %%
z = np.linspace(-10, 10, 201)  # the logit of the true class, against one other class at 0
p = 1 / (1 + np.exp(-z))
cross_entropy, squared_error = abs(p - 1), abs(2 * (p - 1) * p * (1 - p))
fig, ax = plt.subplots(figsize=(6, 2.8), layout="constrained")
gradients = {"cross-entropy, $|p - 1|$": cross_entropy, "squared error, $|2 (p - 1) p (1 - p)|$": squared_error}
plot_functions(
    ax, z, gradients, "logit of the true class: wrong on the left, right on the right", "size of the gradient"
)
plt.show()
print(f"confident and wrong, at z = -10: {cross_entropy[0]:.4f} against {squared_error[0]:.4f}")
assert cross_entropy[0] > 0.99 and squared_error[0] < 0.001, "only cross-entropy corrects a confident mistake"

# %% [markdown]
# ### The first loss
#
# A network that knows nothing gives each of K classes the probability 1/K, so its loss is log K. It is the first number
# to look at in any training run. If it is far higher, the initial weights are too large. **Predict** it for 10 classes.

# %%
for classes in (10, 100, 1000):
    loss, _ = losses.softmax_cross_entropy(np.zeros((4, classes)), np.zeros(4, int))
    print(f"{classes:5} classes: {float(loss):.3f}")
    assert np.isclose(loss, np.log(classes)), "equal logits give equal probabilities"

# %% [markdown]
# ## Milestone: your own layers learn the shapes
#
# Convolution, batch norm, ReLU, softmax and the gradient of the loss are now yours. `milestone` builds a small ResNet
# whose layers and loss call your answers to tasks 0.1, 0.2, 1.4, 2.2, 2.3, 4.1 to 4.3, 5.3 and 5.4, and trains it to
# tell circles, stripes and checkers apart. The library's own network takes the first five steps alongside it, from the
# same weights. (The residual block and the update are still the library's, until tutorial 08.)

# %%
milestone(5, solutions(), steps=20 if FAST else 400)

# %% [markdown]
# ## Questions to think about
#
# <details><summary>Why can a network of linear layers without activations do no more than a single linear
# layer?</summary>
#
# $(X W_1 + b_1) W_2 + b_2 = X (W_1 W_2) + (b_1 W_2 + b_2)$ is again a linear layer. Without something nonlinear between
# them, any number of layers can be merged into one. The same holds for convolutions, which are linear in their input.
#
# </details>
#
# <details><summary>A network is certain of the true class: p = 1. What is the gradient? And what does that mean for
# training on images that it has already learned?</summary>
#
# The gradient $p - \text{one-hot}$ is 0. Images that are already classified with confidence hardly move the weights;
# the ones that are wrong or doubtful do. For the same reason the loss never quite reaches 0: that would take infinitely
# large differences between logits. Label smoothing (Szegedy et al. 2015, section 7) stops the logits from growing.
#
# </details>
#
# <details><summary>You gradient-check a max pooling layer on an image of 8-bit integers, converted to float64. The
# check fails. Is the layer wrong?</summary>
#
# Probably not. Integer images contain many equal neighbours, so many windows have ties. At a tie the maximum has a
# kink: central differences give each of the tied pixels half of the slope, and backward gives all of it to one. The
# library's checker leaves such pixels out, and fails if they are more than a quarter (03). Check with random real
# numbers, which have no ties, and test the rule for ties by itself.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `ReLU()` | `torch.nn.ReLU()`, also in place |
# | `MaxPool2d(3, 2, 1)` | `torch.nn.MaxPool2d(3, 2, 1)` |
# | `AvgPool2d(2)` | `torch.nn.AvgPool2d(2)` |
# | `GlobalAvgPool2d()`, (N, C) | `torch.nn.AdaptiveAvgPool2d(1)`, (N, C, 1, 1), then `torch.flatten(y, 1)` |
# | `Linear(3, 2, rng=rng)`, weight (in, out) | `torch.nn.Linear(3, 2)`, weight (out, in) |
# | `log_softmax(logits)` | `torch.log_softmax(logits, 1)` |
# | `softmax_cross_entropy(logits, labels)` | `torch.nn.functional.cross_entropy(logits, labels)` |
#
# ## Sources
#
# * Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines".
# * Goodfellow, Bengio and Courville 2016, "Deep Learning", section 6.2.2.3 (softmax), 6.3.1 (ReLU), 4.1 (overflow).
# * Szegedy, Vanhoucke, Ioffe, Shlens and Wojna 2015, "Rethinking the Inception Architecture for Computer Vision",
#   section 7 (label smoothing).
# * Lin, Chen and Yan 2013, "Network in Network", section 3.2 (global average pooling).
#
# Next: [06 The residual connection](06_residual_connection.py), where the layers become a block.
