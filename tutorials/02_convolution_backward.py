# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 02 The chain rule, and the backward pass of convolution
#
# Training asks one question of every number in a network: if this number grew a little, how would the loss change? The
# chain rule answers it. This tutorial starts with the chain rule on single numbers, goes on to arrays, and then derives
# the gradients of a convolution. At the end, a network learns with the convolution that you wrote.
#
# By the end you will be able to
#
# * draw a computational graph, and compute gradients backward through it;
# * say what forward, cache and backward promise each other, and why gradients add where a value forks;
# * recognise a backward pass as a vector-Jacobian product, and test it with two dot products;
# * derive the gradients of a convolution with respect to the images, the weights and the bias;
# * write col2im, and explain where the flipped kernel comes from and what a stride changes.
#
# **Needs:** 01 (windows, im2col, the matrix A) and its task 1.4; derivatives, partial derivatives.
# **Time:** 75 minutes to read, 2 hours for the tasks; it runs for about two minutes.

# %%
import inspect
import os
from statistics import median

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import solutions, task
from resnet_scratch.exercises.milestones import milestone
from resnet_scratch.figures.graphs import draw_graph
from resnet_scratch.figures.numbers import draw_numbers
from resnet_scratch.figures.style import BACKWARD, BLUE, ORANGE
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import col2im, im2col, pad, windows
from resnet_scratch.measure.bench import race
from resnet_scratch.verify.definitions import numerical_gradient
from resnet_scratch.verify.mistakes import planted

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests

# %% [markdown]
# ## The chain rule on a graph
#
# Take two numbers, $x = 2$ and $w = 3$, and compute $L = (wx + x - 5)^2$ in small steps: $u = wx$, then $s = u + x$,
# then $e = s - 5$, then $L = e^2$. A *computational graph* has a box for each value and an arrow from each value to
# those computed from it.
#
# To find out how $L$ changes with every value, go backward from $L$. The *local derivative* of a step says how its
# output changes with its input; for $L = e^2$ it is $2e$. The chain rule multiplies the gradient of the output, which
# is known already, by the local derivative:
#
# $$ \frac{\partial L}{\partial e} = 2e, \qquad
#    \frac{\partial L}{\partial s} = \frac{\partial L}{\partial e} \cdot 1, \qquad
#    \frac{\partial L}{\partial u} = \frac{\partial L}{\partial s} \cdot 1, \qquad
#    \frac{\partial L}{\partial w} = \frac{\partial L}{\partial u} \cdot x $$
#
# **Predict** the four gradients, and also $\partial L / \partial x$. Careful: $x$ is used twice. Write your numbers
# into the next cell.

# %%
prediction = None  # your gradients with respect to e, s, u, w and x, such as [1, 2, 3, 4, 5]

x, w = 2.0, 3.0
u = w * x
s = u + x
e = s - 5
L = e**2

grad_e = 2 * e
grad_s = grad_e
grad_u = grad_s
grad_w = grad_u * x
grad_x = grad_u * w + grad_s  # from the product, and from the sum
gradients = [grad_e, grad_s, grad_u, grad_w, grad_x]
print(f"L = {L:g}; gradients with respect to e, s, u, w, x: {gradients}")
if prediction is not None:
    print("your prediction is right" if np.allclose(prediction, gradients) else "your prediction is off: where?")
slopes = numerical_gradient(lambda v: (v[1] * v[0] + v[0] - 5) ** 2, np.array([x, w]))
assert np.allclose([grad_x, grad_w], slopes), "the slopes that are measured by changing x and w a little"

# %% [markdown]
# Here is the graph. Blue arrows carry values forward, orange ones carry gradients backward.

# %%
boxes = {"x": (0, 2.2), "w": (0, 0), "u": (2.6, 0), "s": (5, 2.2), "e": (7, 2.2), "L": (9, 2.2)}
labels = {"u": "u = w x", "s": "s = u + x", "e": "e = s - 5", "L": "L = e²"}
forward_arrows = [
    ("x", "u", "2"), ("w", "u", "3"), ("u", "s", "6"), ("x", "s", "2"), ("s", "e", "8"), ("e", "L", "3"),
]  # fmt: skip
backward_arrows = [
    ("u", "x", "6 · w = 18"), ("u", "w", "6 · x = 12"), ("s", "u", "6"), ("s", "x", "6"), ("e", "s", "6"),
    ("L", "e", "2 e = 6"),
]  # fmt: skip
fig, ax = plt.subplots(figsize=(10, 3.6))
draw_graph(ax, boxes, forward_arrows, labels=labels, bend={arrow[:2]: 0.15 for arrow in forward_arrows})
draw_graph(ax, boxes, backward_arrows, BACKWARD, labels=labels, bend={arrow[:2]: 0.15 for arrow in backward_arrows})
plt.show()

# %% [markdown]
# ### Gradients add where a value forks
#
# Two orange arrows end at $x$, with 18 and 6. When $x$ grows by a small $\delta$, the product $u$ grows by $w\delta$,
# and the sum $s$ grows by $w\delta$ through $u$ and by $\delta$ directly. Small changes add, so
# $\partial L / \partial x = 18 + 6 = 24$. In general, a value that is used in several places gets a gradient from each
# of them, and its gradient is their sum. You will see this rule again in this tutorial, where a pixel is in several
# windows, and in tutorial 06, where a shortcut leads around a block.
#
# ### What forward, cache and backward promise each other
#
# No step had to know the whole graph. That makes it possible to write a network as *layers*, each with a forward and a
# backward. All layers of this library keep the same contract:
#
# * `forward(x, training)` returns `(y, cache)`. The cache holds whatever backward will need. For $L = e^2$ that is
#   $e$. (Most layers ignore `training`. It is for those that work differently in training, such as batch norm (04).)
# * `backward(grad_y, cache)` receives `grad_y`, the gradient of the loss with respect to the layer's output $y$. It has
#   $y$'s shape. We also write $g$ for it: the *upstream gradient*.
# * It returns `grad_x`, the gradient with respect to the layer's input $x$. It has $x$'s shape. If the layer has
#   weights, it also stores their gradients.
# * It never changes `grad_y`, because another layer may be given the same array: the sum $s = u + x$ passes it to
#   two.
#
# Why backward, and not forward? You could also follow a change of $w$ forward to $L$. That takes one pass per weight. A
# backward pass computes the gradients of all weights at once, at about the cost of two or three forward passes
# (Griewank and Walther 2008, section 3.3). This is *reverse-mode differentiation*, or *backpropagation*.

# %% tags=["task"]
task("2.1")

# %% [markdown]
# ### From numbers to arrays: vector-Jacobian products
#
# Let a layer turn $n$ numbers $x_p$ into $m$ numbers $y_q$. Its local derivatives form a matrix of $m$ rows and $n$
# columns, the *Jacobian*, $J_{qp} = \partial y_q / \partial x_p$. When $x_p$ grows a little, every $y_q$ that depends on
# it changes, and each of them changes $L$. The paths add:
#
# $$ \frac{\partial L}{\partial x_p} = \sum_q \frac{\partial L}{\partial y_q} \frac{\partial y_q}{\partial x_p}
#    = \sum_q g_q J_{qp} \qquad\text{or}\qquad \text{grad}_x = J^T g $$
#
# This is a *vector-Jacobian product*. **Every backward pass is one.** But no layer ever stores its Jacobian. Take
# $y = \tanh(x)$: each $y_q$ depends on one $x_q$ only, so $J$ is diagonal, and the product is elementwise.

# %%
rng = np.random.default_rng(0)
x, g = rng.standard_normal(4), rng.standard_normal(4)
J = np.stack([numerical_gradient(lambda v, q=q: np.tanh(v)[q], x) for q in range(4)])  # row q: the gradient of y_q
print(J.round(3))
assert np.allclose(J.T @ g, g * (1 - np.tanh(x) ** 2), atol=1e-8), "the product with J, and the backward of tanh"
numbers = 32 * 32 * 16  # of x, and of y, in a convolution of ResNet-20
print(f"the Jacobian of one convolution, for one image: {numbers**2:,} numbers, {4 * numbers**2 / 2**30:.0f} GiB")

# %% [markdown]
# ## A convolution by hand
#
# Now the convolution. A 3x3 image and a 2x2 kernel give a 2x2 output, which is small enough to write down:
#
# $$ \begin{aligned}
# y_{00} &= x_{00} w_{00} + x_{01} w_{01} + x_{10} w_{10} + x_{11} w_{11} + b \\
# y_{01} &= x_{01} w_{00} + x_{02} w_{01} + x_{11} w_{10} + x_{12} w_{11} + b \\
# y_{10} &= x_{10} w_{00} + x_{11} w_{01} + x_{20} w_{10} + x_{21} w_{11} + b \\
# y_{11} &= x_{11} w_{00} + x_{12} w_{01} + x_{21} w_{10} + x_{22} w_{11} + b
# \end{aligned} $$
#
# **Take a sheet of paper.** Which of the four lines contain the corner $x_{00}$? Which contain the centre $x_{11}$, and
# with which weight? Which contain $w_{00}$? Write down the three derivatives of $L$ before you read on.
#
# The corner is in the first line only. The centre is in all four, each time with a different weight. The weight
# $w_{00}$ is in all four, and so is the bias. These values fork, so their gradients add:
#
# $$ \begin{aligned}
# \frac{\partial L}{\partial x_{00}} &= g_{00} w_{00} \\
# \frac{\partial L}{\partial x_{11}} &= g_{00} w_{11} + g_{01} w_{10} + g_{10} w_{01} + g_{11} w_{00} \\
# \frac{\partial L}{\partial w_{00}} &= g_{00} x_{00} + g_{01} x_{01} + g_{10} x_{10} + g_{11} x_{11} \\
# \frac{\partial L}{\partial b} &= g_{00} + g_{01} + g_{10} + g_{11}
# \end{aligned} $$
#
# In the second line, $g$ in reading order meets $w$ in reverse order: 11, 10, 01, 00. In the third, $g$ is laid on the
# image like a kernel. You will meet both again.
#
# In code, go through the forward pass once more. For each product $x_p w_k$ that was added to $y_q$, send $g_q w_k$ back
# to $x_p$ and $g_q x_p$ back to $w_k$.

# %%
x = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
w = np.array([[1.0, 2], [3, 4]])
g = np.array([[1.0, 2], [0, -1]])  # the upstream gradient


def forward(x, w):
    y = np.zeros((2, 2))
    for oh, ow in np.ndindex(2, 2):
        for kh, kw in np.ndindex(2, 2):
            y[oh, ow] += x[oh + kh, ow + kw] * w[kh, kw]
    return y


def backward(g, x, w):
    grad_x, grad_w = np.zeros(x.shape), np.zeros(w.shape)
    for oh, ow in np.ndindex(2, 2):
        for kh, kw in np.ndindex(2, 2):
            grad_x[oh + kh, ow + kw] += g[oh, ow] * w[kh, kw]
            grad_w[kh, kw] += g[oh, ow] * x[oh + kh, ow + kw]
    return grad_x, grad_w


grad_x, grad_w = backward(g, x, w)
print("grad_x\n", grad_x, "\ngrad_w\n", grad_w)
assert grad_x[1, 1] == g[0, 0] * w[1, 1] + g[0, 1] * w[1, 0] + g[1, 0] * w[0, 1] + g[1, 1] * w[0, 0], "by hand"
assert grad_w[0, 0] == g[0, 0] * x[0, 0] + g[0, 1] * x[0, 1] + g[1, 0] * x[1, 0] + g[1, 1] * x[1, 1], "by hand"
slopes = numerical_gradient(lambda x: (forward(x, w) * g).sum(), x.copy())  # L = sum of g_q y_q has the gradient g
assert np.allclose(grad_x, slopes, atol=1e-6), "the slopes that are measured by changing each pixel a little"

# %% [markdown]
# The figure shows what the loop does to `grad_x`, window by window. In the forward pass, a window was *read* to make one
# number. In the backward pass, that number's $g$, times the kernel, is *added* to the same window.

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.8))
so_far = np.zeros((3, 3))
for ax, (oh, ow) in zip(axes, np.ndindex(2, 2)):
    so_far[oh : oh + 2, ow : ow + 2] += g[oh, ow] * w
    draw_numbers(ax, so_far, f"after window ({oh}, {ow}): g = {g[oh, ow]:g}", [((oh, ow, 2, 2), ORANGE)], shade=True)
plt.show()
assert np.array_equal(so_far, grad_x), "the last image is grad_x"

# %% [markdown]
# Start with the weights. In tutorial 01 the forward pass became a matrix product, $y = Xw$, with a window in each row of
# $X$. The same $X$ gives you the gradient of $w$.

# %% tags=["task"]
task("2.2")

# %% [markdown]
# ## First way to grad_x: the adjoint
#
# In tutorial 01 a convolution was a matrix, $y = Ax$. The element $A_{qp}$ says how much pixel $p$ contributes to
# output $q$. So $A$ is the Jacobian, and the backward pass is the *transposed* matrix:
#
# $$ \text{grad}_x = A^T g $$
#
# Row $q$ of $A$ lists the pixels that output $q$ reads. Row $p$ of $A^T$ lists the outputs that read pixel $p$.

# %%
conv = Conv2d(1, 1, 2, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
conv.weight.value[:, :, 0, 0] = w
A = conv(np.eye(9).reshape(9, 3, 3, 1)).reshape(9, 4).T  # column p: the output for an image with a single 1 at p

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[9, 4])
draw_numbers(axes[0], A, "A", [((0, 4, 4, 1), ORANGE)], shade=True)
axes[0].set(xlabel="pixel of x, counted from 0; 4 is the centre", ylabel="element of y")
draw_numbers(axes[1], A.T, "its transpose", [((4, 0, 1, 4), ORANGE)], shade=True)
axes[1].set(xlabel="element of y", ylabel="pixel of x")
plt.show()
assert np.allclose(A @ x.ravel(), forward(x, w).ravel()), "A x is the convolution"
assert np.allclose(A.T @ g.ravel(), grad_x.ravel()), "its transpose times g is grad_x, as derived by hand"
X = im2col(x.reshape(1, 3, 3, 1), kernel_size=2)  # the convolution is linear in its weights too: y = X w
assert np.allclose(X.T @ g.ravel(), grad_w.ravel()), "so grad_w is the transpose of X times g"

# %% [markdown]
# The framed row of the transpose is the centre pixel: 4, 3, 2, 1, the kernel in reverse order, as on your paper.
#
# Nobody stores $A$ for a real image. But you can recognise its transpose without it, by a property that only the
# transpose has:
#
# $$ \langle Ax,\, m \rangle = \langle x,\, A^T m \rangle \qquad\text{for all } x \text{ and } m,
#    \qquad\text{where } \langle a, b \rangle = \sum_i a_i b_i $$
#
# A map with this property is called the *adjoint* of $A$. To test whether a backward pass matches a linear forward
# pass, draw random $x$ and $m$ and compare the two sides. This is the *dot-product test*. You can use it below, for
# `col2im`.
#
# ## Second way: transpose every step
#
# The forward pass has three steps: pad the images, copy the windows into rows, multiply by the weights. Each step is
# linear. The transpose of a product is the product of the transposes in reverse order, so the backward pass transposes
# each step, from the last to the first:
#
# | forward | backward |
# |---|---|
# | pad: add zeros around the image | crop: cut them off |
# | im2col: copy each pixel into every window that contains it | col2im: add what comes back from these windows |
# | columns times weight | grad_y times the transposed weight |
#
# **Copying forward is adding backward.** Copying is a fork, and gradients add where a value forks.
#
# **Predict.** The centre of a 3x3 image has four copies in 2x2 windows. Now take 5x5 pixels and a 3x3 kernel: how many
# copies does each pixel have with stride 1? With stride 2? With stride 1 and padding 1? `col2im` of columns full of ones
# counts them:

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.9))
for ax, stride, padding, size in zip(axes, (1, 2, 1, 2), (0, 0, 1, 0), (5, 5, 5, 6)):
    shape = (1, size, size, 1)
    ones = np.ones_like(im2col(np.zeros(shape), 3, stride, padding))
    copies = col2im(ones, shape, 3, stride, padding)[0, :, :, 0]
    draw_numbers(ax, copies, f"{size}x{size}, stride {stride}, padding {padding}", shade=True)
plt.show()
assert not copies[-1].any() and not copies[:, -1].any(), "6x6 with stride 2: the last row and column are in no window"

# %% [markdown]
# In the image on the right, the last row and column are in no window. Nothing depends on them, so their gradient is zero.
#
# ### How to write col2im
#
# The windows are a view. Why not add the columns to the view? It is the natural thing to try:

# %%
counts = np.zeros((1, 4, 4, 1))
view = windows(counts, (3, 3), (1, 1))
view += 1  # each window adds a one to each of its pixels
print(counts[0, :, :, 0])
assert counts.max() < 4, "the centre pixels are in four windows; their sums are wrong"

# %% [markdown]
# **This is wrong, and there is no warning.** The centre pixels are in four windows and should count 4. NumPy first
# computes all the sums, each from the old number, and then writes them into the view. Sums that belong to the same
# memory overwrite one another, so all but one of the additions are lost. If a view has overlaps, only read from it.
#
# `np.add.at` adds one number after another and gives the right result, slowly. There is a better way.

# %% tags=["task"]
task("2.3")

# %% [markdown]
# The library's version loops over the KH x KW positions *in* the kernel. At one position, no two windows read the same
# pixel, so one slice addition is safe. A 3x3 kernel takes nine of them, whatever the size of the image.

# %%
print(inspect.getsource(col2im))

for shape, kernel, stride, padding in [
    ((2, 5, 5, 3), (3, 3), 1, 0), ((1, 7, 6, 2), (3, 3), 2, 1), ((3, 4, 9, 1), (2, 5), (1, 3), (0, 2)),
]:  # fmt: skip
    images = rng.standard_normal(shape)
    columns = im2col(images, kernel, stride, padding)
    m = rng.standard_normal(columns.shape)
    left, right = (columns * m).sum(), (images * col2im(m, shape, kernel, stride, padding)).sum()
    print(f"<im2col x, m> = {left:12.8f}   <x, col2im m> = {right:12.8f}")
    assert np.isclose(left, right), "col2im must be the adjoint of im2col"

# %% [markdown]
# The library's backward pass "by definition" follows the table above for `grad_x`, and uses the product of task 2.2 for
# the weights. (Before that, `backward` has summed `grad_y` for the bias.) The forward pass kept $x$ as its cache,
# not the columns: they are computed again, because keeping them would take nine times the memory of $x$ in each layer.
#
# The inner function gets a few images at a time, as in the forward pass, and returns two different things. `grad_x` has
# a row for each image. The gradient of the weights does not: all images use the same weights, so their contributions
# add. `Sum(...)` tells `over_batch` to do so.

# %%
print(inspect.getsource(Conv2d._backward_by_definition))
answer = conv._backward_by_definition(g.reshape(1, 2, 2, 1), x.reshape(1, 3, 3, 1))[0, :, :, 0]
assert np.allclose(answer, grad_x), "the library's grad_x is the one derived by hand"
assert np.allclose(conv.weight.grad[:, :, 0, 0], grad_w), "and so is its grad_w"

# %% [markdown]
# ## Third way: a convolution again
#
# So far each window *gave*: it added to the pixels that it had read. Now ask what a pixel *receives*. In one dimension,
# with padding $P$ and stride 1, the forward pass is $y_i = \sum_k x_{i+k-P}\, w_k$. Pixel $h$ is read where
# $i + k - P = h$, which is at output $i = h + P - k$ through weight $k$:
#
# $$ \text{grad}_x[h] = \sum_k g[h + P - k] \; w[k] $$
#
# The sum goes forward through $w$ and in reverse through $g$. Count the weights from the other end, $j = K - 1 - k$:
#
# $$ \text{grad}_x[h] = \sum_j g[h + j - (K - 1 - P)] \; w[K - 1 - j] $$
#
# Compare this with the forward pass: it *is* a convolution. Its input is $g$ instead of $x$, its padding is $K - 1 - P$
# instead of $P$, and its kernel is read from the end. In two dimensions both axes are reversed: the kernel is *flipped*.

# %% tags=["task"]
task("2.4")

# %% [markdown]
# For our example, $P = 0$ and $K = 2$, so $g$ gets one row and one column of zeros on every side:

# %%
padded_g = pad(g.reshape(1, 2, 2, 1), (1, 1))[0, :, :, 0]
flipped = w[::-1, ::-1]
answer = np.array([[(padded_g[i : i + 2, j : j + 2] * flipped).sum() for j in range(3)] for i in range(3)])

fig, axes = plt.subplots(1, 3, figsize=(9, 3))
draw_numbers(axes[0], padded_g, "g, padded by K - 1 = 1", [((1, 1, 2, 2), ORANGE), ((0, 0, 2, 2), BLUE)], shade=True)
draw_numbers(axes[1], flipped, "the kernel, flipped")
draw_numbers(axes[2], answer, "grad_x", [((1, 1, 1, 1), ORANGE), ((0, 0, 1, 1), BLUE)], shade=True)
plt.show()
assert np.array_equal(answer, grad_x), "the same grad_x for the third time"

# %% [markdown]
# With channels, the forward pass goes from C channels to O, and the backward pass from O to C. So the two channel axes
# of the weight are swapped as well.
#
# With stride 1 the library does it this way, because it can use the columns of $g$ twice and needs no col2im. The
# second use is the gradient of the weights: $X^T g$ multiplies each $x[h]$ by $g[h + P - k]$, and the columns of $g$
# hold these same numbers in reverse order of $k$.

# %%
print(inspect.getsource(Conv2d._backward_as_convolution))

# %% [markdown]
# **Predict, then run:** how many times as fast as the definition is it, for a layer with 16 channels? (`race` runs both
# in turn, seven times each.)

# %%
layer = Conv2d(16, 16, 3, padding=1, bias=False, rng=np.random.default_rng(0))
images, grad_y = (rng.standard_normal((16, 32, 32, 16), np.float32) for _ in range(2))
ways = {"by definition": layer._backward_by_definition, "as a convolution": layer._backward_as_convolution}
one, other = (way(grad_y, images) for way in ways.values())
assert np.allclose(one, other, rtol=1e-3, atol=1e-3), "sums of float32 in another order: equal up to rounding"
times = race({name: lambda way=way: way(grad_y, images) for name, way in ways.items()}, 7)
for name, seconds in times.items():
    print(f"{name:<17} {1e3 * median(seconds):6.2f} ms")
assert median(times["as a convolution"]) < median(times["by definition"]), "one im2col, and no col2im"

# %% [markdown]
# The convolution is faster. It makes columns once, uses them twice, and has no results to add back.
#
# ### What a stride changes
#
# With stride 2, every second window is missing along each axis, so about three quarters of them are missing. Put zeros
# where their gradients would be, and you are back at stride 1: spread $g$ out with zeros between its numbers, then
# convolve with the flipped kernel.

# %%
strided = Conv2d(3, 4, 3, stride=2, padding=1, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
images, grad_y = rng.standard_normal((1, 7, 7, 3)), rng.standard_normal((1, 4, 4, 4))
spread = np.zeros((1, 7, 7, 4))
spread[:, ::2, ::2] = grad_y  # outputs 0, 2, 4, 6 of what stride 1 would have had

dense = Conv2d(4, 3, 3, padding=1, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
dense.weight.value = np.ascontiguousarray(strided.weight.value[::-1, ::-1].swapaxes(2, 3))
assert np.allclose(dense(spread), strided.backward(grad_y, images)), "zeros between, then the flipped kernel"
print(f"{(spread[..., 0] == 0).mean():.0%} of the numbers that are multiplied are zero")

# %% [markdown]
# This is right, but most of the products are with a zero. So for larger strides the library uses the definition. As a
# layer of its own, going forward, the same map makes a large image from a small one and is called *transposed
# convolution* (Dumoulin and Visin 2016, section 4).
#
# ## Is it right? And when would you not notice?
#
# The gradient checker compares a backward pass with the forward pass numerically. Tutorial 03 takes it apart. Here it
# looks for a typical mistake: the kernel is not flipped.
#
# **Predict.** Does the checker notice the mistake if all weights are the same? If the kernel is a blur?

# %%
layer = Conv2d(2, 3, 3, padding=1, rng=np.random.default_rng(0)).astype(np.float64)
images = rng.standard_normal((2, 4, 5, 2))
assert gradcheck(layer, images), "the library's backward agrees with its forward"
kernels = {
    "random": layer.weight.value.copy(),
    "all the same": np.ones((3, 3, 1, 1)),
    "a blur": (np.outer([1, 2, 1], [1, 2, 1]) / 16)[:, :, None, None],
}
with planted("conv-kernel-not-flipped"):
    for name, kernel in kernels.items():
        layer.weight.value[...] = kernel
        passed = bool(gradcheck(layer, images))
        print(f"{name:<13} {'the mistake is not noticed' if passed else 'the mistake is found'}")
        assert passed == (name != "random"), "a kernel that is the same when flipped cannot show the mistake"

# %% [markdown]
# Both kernels are the same after a rotation by 180 degrees, so the mistake does not show. Test with random numbers, and
# with images whose height and width differ.

# %% tags=["task"]
task("2.5")

# %% [markdown]
# In your depthwise convolution, each number of the output is a sum of $K^2$ products. In a convolution that sums over
# the channels, too, there are $C$ times as many. Each layer reports its own cost: `summarise` (07) lists and adds up
# what the layers' `multiply_adds` methods return. Your layer has one. A layer without one counts as 0, as ReLU does.
#
# ## Your own convolution learns the shapes
#
# A milestone: a small ResNet learns to tell circles, stripes and checkers apart, and every convolution in it runs on
# your answers to tasks 1.4, 2.2 and 2.3. For the first steps the library's own network runs beside it, and the losses
# must agree. It takes one to two minutes.

# %%
milestone(2, solutions(), steps=20 if FAST else 400)

# %% [markdown]
# ## Questions to think about
#
# <details><summary>A layer passes its input on unchanged, to two receivers. What is its backward pass? And what is the
# backward pass of a sum of two inputs?</summary>
#
# A fork copies, so its backward adds the two gradients. A sum adds, so its backward copies the gradient to both inputs.
# Each is the transpose of the other.
#
# </details>
#
# <details><summary>The gradient of the bias is the sum of $g$ over the batch and all positions. Which of the rules of
# this tutorial says so?</summary>
#
# Gradients add where a value forks. The forward pass copies each bias to all N x OH x OW outputs of its channel
# (NumPy calls that broadcasting). The transpose of broadcasting is summing.
#
# </details>
#
# <details><summary>Why does the backward pass of tanh need a cache, when that of a sum needs none?</summary>
#
# The local derivative of tanh is $1 - y^2$, which depends on the input of the forward pass. A sum is linear, so its
# Jacobian is the same everywhere. A product is linear in each factor, but the derivative with respect to one is the
# other, so it has to keep both.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `layer.backward(grad_y, cache)` | `loss.backward()` calls `torch.ops.aten.convolution_backward` for you |
# | the cache | `ctx.save_for_backward` in a `torch.autograd.Function` |
# | a vector-Jacobian product | `torch.func.vjp`, `torch.autograd.grad(y, x, grad_outputs=g)` |
# | `col2im(columns, shape, 3, ...)` | `torch.nn.functional.fold(columns, output_size, 3, ...)` |
# | the gradient with respect to x, as a layer | `torch.nn.ConvTranspose2d` |
# | `DepthwiseConv2d` of task 2.5 | `torch.nn.Conv2d(C, C, 3, groups=C, bias=False)` |
#
# ## Sources
#
# * Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors".
# * Griewank and Walther 2008, "Evaluating Derivatives": forward and reverse mode, and what they cost.
# * Goodfellow, Bengio and Courville 2016, "Deep Learning", section 6.5 (computational graphs, backpropagation) and 9.5
#   (the gradients of a convolution).
# * Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, section 4.
# * Chellapilla, Puri and Simard 2006, "High Performance Convolutional Neural Networks for Document Processing".
# * Claerbout 2014, "Geophysical Image Estimation by Example": the adjoint, and the dot-product test for it.
#
# In the next tutorial, 03, you take the gradient checker apart, and find planted mistakes with it.
