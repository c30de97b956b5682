# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 02 The backward pass of convolution
#
# Training needs to know, for each number in the network: if this grew a little, how would the loss change? For a
# convolution there are three ways to the answer. They look quite different and give the same numbers, and each of them
# teaches something that comes back in every other layer.
#
# At the end you will be able to
#
# * derive the gradients of a convolution by hand, at the picture, the weights and the bias;
# * say what the adjoint (the transpose) of a linear map is, test for it with two dot products, and read a backward pass
#   as the forward pass read upwards, each step transposed;
# * write col2im, and avoid the mistake that almost everybody makes with it first;
# * explain why the gradient of a convolution is a convolution with the flipped kernel, and what a stride changes.
#
# **Needs:** 01 (windows, im2col, the matrix A); derivatives of several variables and the chain rule.
# **Time:** 60 minutes to read and try; a few seconds to run.

# %%
import inspect
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from resnet_scratch.exercises import task
from resnet_scratch.measure.bench import race
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import col2im, im2col, pad, windows

BLUE, ORANGE = "#4477aa", "#cc5533"


def draw_numbers(ax, array, title="", frames=(), shade=False):
    """A small matrix, each number written into its cell; `frames` are ((row, column, height, width), colour)."""
    array = np.atleast_2d(array)
    for (row, column), value in np.ndenumerate(array):
        ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=9)
    limit = 2.5 * np.abs(array).max() if shade else 1
    ax.imshow(np.abs(array) if shade else np.zeros(array.shape), cmap="Blues", vmin=0, vmax=limit)
    ax.set_xticks(np.arange(array.shape[1] + 1) - 0.5, [])
    ax.set_yticks(np.arange(array.shape[0] + 1) - 0.5, [])
    ax.tick_params(length=0)
    ax.grid(color="#cccccc")
    ax.set_title(title, fontsize=10)
    for (row, column, height, width), colour in frames:
        frame = Rectangle((column - 0.5, row - 0.5), width, height, fill=False, edgecolor=colour, linewidth=3, zorder=3)
        ax.add_patch(frame).set_clip_on(False)


# %% [markdown]
# ## What is asked for
#
# Somewhere behind the convolution there is one number, the loss $L$. The layers in between have been gone through
# backwards already, and they hand us $g$, the gradient at the output: $g_q = \partial L / \partial y_q$, one number for
# each number of $y$. We have to find the gradients at what the convolution was made of: the picture $x$ (to hand it on
# to the layer before), the weights $w$ and the bias $b$ (to learn).
#
# The chain rule answers. When $x_p$ grows a little, each $y_q$ that looks at it changes, and each of them changes $L$:
#
# $$ \frac{\partial L}{\partial x_p} = \sum_q \frac{\partial L}{\partial y_q} \frac{\partial y_q}{\partial x_p}
#    = \sum_q g_q \frac{\partial y_q}{\partial x_p} $$
#
# ## By hand
#
# A picture of 3x3, a kernel of 2x2, so a result of 2x2. Small enough to write all of it down:
#
# $$ \begin{aligned}
# y_{00} &= x_{00} w_{00} + x_{01} w_{01} + x_{10} w_{10} + x_{11} w_{11} + b \\
# y_{01} &= x_{01} w_{00} + x_{02} w_{01} + x_{11} w_{10} + x_{12} w_{11} + b \\
# y_{10} &= x_{10} w_{00} + x_{11} w_{01} + x_{20} w_{10} + x_{21} w_{11} + b \\
# y_{11} &= x_{11} w_{00} + x_{12} w_{01} + x_{21} w_{10} + x_{22} w_{11} + b
# \end{aligned} $$
#
# **Take paper now.** In which of the four lines is the corner $x_{00}$? In which the middle $x_{11}$, and with which
# weight each time? In which $w_{00}$? Write down the three derivatives of $L$ before you read on.
#
# The corner is in the first line only. The middle is in all four, with another weight in each. The weight $w_{00}$ is
# in all four, and so is the bias:
#
# $$ \begin{aligned}
# \frac{\partial L}{\partial x_{00}} &= g_{00} w_{00} \\
# \frac{\partial L}{\partial x_{11}} &= g_{00} w_{11} + g_{01} w_{10} + g_{10} w_{01} + g_{11} w_{00} \\
# \frac{\partial L}{\partial w_{00}} &= g_{00} x_{00} + g_{01} x_{01} + g_{10} x_{10} + g_{11} x_{11} \\
# \frac{\partial L}{\partial b} &= g_{00} + g_{01} + g_{10} + g_{11}
# \end{aligned} $$
#
# Look at the second line: $g$ in reading order meets $w$ *backwards*, 11, 10, 01, 00. And at the third: $g$ is laid on
# the picture like a kernel. Both will come back.
#
# Now with numbers. The rule needs no paper: go through the forward once more, and at each product
# $x_p \cdot w_k$ that was added to $y_q$, send $g_q w_k$ to $x_p$ and $g_q x_p$ to $w_k$.

# %%
x = np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9]])
w = np.array([[1.0, 2], [3, 4]])
g = np.array([[1.0, 2], [0, -1]])  # what came back from behind


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
assert grad_x[0, 0] == g[0, 0] * w[0, 0], "the corner, by hand"
assert grad_x[1, 1] == g[0, 0] * w[1, 1] + g[0, 1] * w[1, 0] + g[1, 0] * w[0, 1] + g[1, 1] * w[0, 0], "the middle"
assert grad_w[0, 0] == g[0, 0] * x[0, 0] + g[0, 1] * x[0, 1] + g[1, 0] * x[1, 0] + g[1, 1] * x[1, 1], "the weight"

# %% [markdown]
# Here is what the loop does to `grad_x`, window by window. Forward, a window was *read*, and made one number. Backward,
# that number's $g$, times the kernel, is *added* to the same window.

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.8))
so_far = np.zeros((3, 3))
for ax, (oh, ow) in zip(axes, np.ndindex(2, 2)):
    so_far[oh : oh + 2, ow : ow + 2] += g[oh, ow] * w
    draw_numbers(ax, so_far, f"after window ({oh}, {ow}): g = {g[oh, ow]:g}", [((oh, ow, 2, 2), ORANGE)], shade=True)
plt.show()
assert np.array_equal(so_far, grad_x), "the last picture is grad_x"

# %% [markdown]
# Is that really how the loss changes? There is a way to ask without any derivation. Take as loss $L = \sum_q g_q y_q$,
# whose gradient at $y$ is $g$. Change one pixel by a little, run forward, and look at what $L$ does.

# %%
step = 1e-6
for p in [(0, 0), (1, 1), (2, 1)]:
    more, less = x.copy(), x.copy()
    more[p] += step
    less[p] -= step
    slope = ((forward(more, w) * g).sum() - (forward(less, w) * g).sum()) / (2 * step)
    print(f"pixel {p}: measured slope {slope:8.5f}, derived {grad_x[p]:8.5f}")
    assert abs(slope - grad_x[p]) < 1e-6, "the derivation says how the loss really changes"

# %% [markdown]
# That is the idea of tutorial 03, where it becomes a tool.
#
# ## First way: the adjoint
#
# In tutorial 01 a convolution was a matrix: $y = Ax$. Element $A_{qp}$ says how much pixel $p$ counts in place $q$: it
# *is* the derivative $\partial y_q / \partial x_p$. Put that into the chain rule:
#
# $$ \frac{\partial L}{\partial x_p} = \sum_q g_q A_{qp} = \sum_q (A^T)_{pq} \, g_q \qquad\text{so}\qquad
#    \text{grad}_x = A^T g $$
#
# Backward is the *transposed* matrix. In $A$, row $q$ lists the pixels that place $q$ reads. In $A^T$, row $p$ lists
# the places that read pixel $p$.

# %%
conv = Conv2d(1, 1, 2, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
conv.weight.value[:, :, 0, 0] = w
A = conv(np.eye(9).reshape(9, 3, 3, 1)).reshape(9, 4).T  # column p: what becomes of a picture with a single 1 at p

fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[9, 4])
middle = [((0, 4, 4, 1), ORANGE)]
draw_numbers(axes[0], A, "A: one row for each number of y", middle, shade=True)
axes[0].set(xlabel="pixel of x; number 4 is the middle", ylabel="place of y")
draw_numbers(axes[1], A.T, "its transpose", [((4, 0, 1, 4), ORANGE)], shade=True)
axes[1].set(xlabel="place of y", ylabel="pixel of x")
plt.show()

assert np.allclose(A @ x.ravel(), forward(x, w).ravel()), "A x is the convolution"
assert np.allclose(A.T @ g.ravel(), grad_x.ravel()), "its transpose times g is grad_x, derived by hand above"

# %% [markdown]
# The framed row of the transpose is the middle pixel: 4, 3, 2, 1, the kernel backwards, as on your paper.
#
# Nobody writes $A$ down for a real picture. But the transpose can be recognised without it, by a property that fixes
# it:
#
# $$ \langle Ax,\, m \rangle = \langle x,\, A^T m \rangle \qquad\text{for all } x \text{ and } m $$
#
# where $\langle a, b \rangle = \sum_i a_i b_i$. (Both sides are $\sum_{q,p} m_q A_{qp} x_p$.) A map with this property
# is called the *adjoint* of $A$. So to test whether a backward belongs to a linear forward, take random $x$ and $m$ and
# compare two numbers. If they agree, the backward is right for every $m$ (with probability one).

# %%
rng = np.random.default_rng(0)
some_x, some_m = rng.standard_normal(9), rng.standard_normal(4)
print(f"<A x, m> = {A @ some_x @ some_m:.12f}")
print(f"<x, A^T m> = {some_x @ (A.T @ some_m):.12f}")
assert np.isclose(A @ some_x @ some_m, some_x @ (A.T @ some_m)), "the property of the transpose"

# %% [markdown]
# **And the weights?** The convolution is linear in its weights just as well. With the windows as rows, the columns
# matrix $X$ of im2col, it is $y = Xw$. So the gradient at the weights is $X^T g$. No new derivation is needed: the
# chain rule asks for the transpose of whatever stands before the thing in question.

# %%
X = im2col(x.reshape(1, 3, 3, 1), kernel_size=2)  # (4, 4): a window a row
assert np.allclose(X.T @ g.ravel(), grad_w.ravel()), "the transposed columns times g are grad_w, derived by hand above"
print(X.T @ g.ravel())

# %% [markdown]
# ## Second way: transpose every step, and read upwards
#
# The forward goes in steps: pad the picture, copy the windows into rows (call that $R$), multiply by the weights. Each
# step is linear, and the transpose of a product is the product of the transposes in the opposite order:
#
# $$ y = W^T R \, P x \qquad\Longrightarrow\qquad \text{grad}_x = P^T R^T \, W g $$
#
# (with matrices that act on the whole picture written as one vector). So backward has the same steps from last to
# first, each of them transposed:
#
# | forward | backward |
# |---|---|
# | pad: put zeros around | crop: cut them off |
# | im2col: copy each pixel into every window that sees it | col2im: add up what comes back from these windows |
# | columns times weight | grad_y times the transposed weight |
#
# **Copying forward is adding backward.** That is the one sentence to keep. Look at im2col as a matrix: it has a single
# 1 in each row, "this number of the columns is a copy of that pixel". Transposed, a row says which copies a pixel has,
# and these are added up.

# %%
R = im2col(np.eye(9).reshape(9, 3, 3, 1), kernel_size=2).reshape(9, 16).T  # (numbers of the columns, pixels)
fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=[9, 16])
for ax, matrix, title, names in [
    (axes[0], R, "im2col", ("pixel", "number of the columns")),
    (axes[1], R.T, "its transpose, col2im", ("number of the columns", "pixel")),
]:
    ax.imshow(matrix, cmap="Blues", vmin=0, vmax=1.4)
    ax.set_xticks(np.arange(matrix.shape[1] + 1) - 0.5, [])
    ax.set_yticks(np.arange(matrix.shape[0] + 1) - 0.5, [])
    ax.tick_params(length=0)
    ax.grid(color="#dddddd")
    ax.set(title=title, xlabel=names[0], ylabel=names[1])
plt.show()
assert (R.sum(1) == 1).all(), "each number of the columns is a copy of one pixel"
print("copies of each pixel:\n", R.sum(0).reshape(3, 3).astype(int))

# %% [markdown]
# **Predict.** The middle of a 3x3 picture has four copies. Now 5x5 pixels and a 3x3 kernel: how many copies has each
# pixel with stride 1? With stride 2? With stride 1 and padding 1? `col2im` of columns full of ones counts them.

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.9))
for ax, stride, padding, size in zip(axes, (1, 2, 1, 2), (0, 0, 1, 0), (5, 5, 5, 6)):
    shape = (1, size, size, 1)
    ones = np.ones_like(im2col(np.zeros(shape), 3, stride, padding))
    title = f"{size}x{size}, stride {stride}, padding {padding}"
    draw_numbers(ax, col2im(ones, shape, 3, stride, padding)[0, :, :, 0], title, shade=True)
plt.show()

# %% [markdown]
# In the picture on the right, 6x6 with stride 2, the last row and column are in no window. Nothing depends on them, and
# their gradient is zero.
#
# The dot-product test for the real `im2col` and `col2im`, for several geometries:

# %%
for shape, kernel, stride, padding in [
    ((2, 5, 5, 3), (3, 3), 1, 0), ((1, 7, 6, 2), (3, 3), 2, 1), ((3, 4, 9, 1), (2, 5), (1, 3), (0, 2)),
]:  # fmt: skip
    picture = rng.standard_normal(shape)
    columns = im2col(picture, kernel, stride, padding)
    m = rng.standard_normal(columns.shape)
    left, right = (columns * m).sum(), (picture * col2im(m, shape, kernel, stride, padding)).sum()
    print(f"<im2col x, m> = {left:12.8f}   <x, col2im m> = {right:12.8f}")
    assert np.isclose(left, right), "col2im must be the adjoint of im2col"

# %% [markdown]
# ### How to write col2im
#
# The windows are a view, so why not add the columns to the view? It is the natural thing to try:

# %%
counts = np.zeros((1, 4, 4, 1))
view = windows(counts, (3, 3), (1, 1))
view += 1  # each window adds a one to each of its pixels
print(counts[0, :, :, 0])

# %% [markdown]
# **Wrong, and without a warning.** The middle pixels are in four windows and should count 4. NumPy reads numbers of the
# view, adds, and writes them back; that several of them are the same place in memory, it does not look for. Here one
# addition to each pixel survived. A view with overlaps is for reading.
#
# `np.add.at` is made for this: it adds one number after the other, and is right. The library turns the loops round
# instead. It does not go through the windows but through the KH x KW places *in* the kernel. For one place, say the top
# left one, the pixels that it meets in all the windows are all different, so a slice of the picture can be added to in
# one operation. Nine slice additions, and no pixel is hit twice within one of them.

# %%
print(inspect.getsource(col2im))

# %%
shape = (16, 32, 32, 16)
columns = rng.standard_normal((16 * 32 * 32, 9 * 16), np.float32)


def by_add_at():
    padded = np.zeros((16, 34, 34, 16), np.float32)
    oh, ow, kh, kw = np.ogrid[:32, :32, :3, :3]
    np.add.at(padded, (slice(None), oh + kh, ow + kw), columns.reshape(16, 32, 32, 3, 3, 16))
    return padded[:, 1:-1, 1:-1]


assert np.allclose(by_add_at(), col2im(columns, shape, 3, padding=1), atol=1e-4), "the same sums"
times = race({"np.add.at": by_add_at, "slices": lambda: col2im(columns, shape, 3, padding=1)}, 5)
for name, seconds in times.items():
    print(f"{name:<10} {1e3 * median(seconds):7.2f} ms")

# %% [markdown]
# Now the library's backward "by definition" is no more than the table above. Note what the forward handed over as
# cache: $x$, and not the columns. They are made again here, because keeping nine times $x$ for each layer would cost
# more.
#
# The function `kernel` gets a few images at a time, as in the forward, and returns two different things. `grad_x` has a
# row for each image. The gradient with respect to the weights has none: all images of the batch use the same weights,
# so their contributions are added up. `Sum(...)` tells `over_batch` to do so.

# %%
print(inspect.getsource(Conv2d._backward_by_definition))

# %%
gradient = conv._backward_by_definition(g.reshape(1, 2, 2, 1), x.reshape(1, 3, 3, 1))
print(gradient[0, :, :, 0])
assert np.allclose(gradient[0, :, :, 0], grad_x), "the library's grad_x is the one derived by hand"
assert np.allclose(conv.weight.grad[:, :, 0, 0], grad_w), "and so is its grad_w"

# %% [markdown]
# ## Third way: a convolution again
#
# So far each window *gave*: it added to the pixels that it had read. Now ask from the side of a pixel what it *gets*.
# In one dimension, with padding $P$, the forward is $y_i = \sum_k x_{i+k-P}\, w_k$. Pixel $h$ is met where $i + k - P =
# h$, that is at place $i = h + P - k$ through weight $k$:
#
# $$ \text{grad}_x[h] = \sum_k g[h + P - k] \; w[k] $$
#
# The sum goes through $w$ forwards and through $g$ backwards. Count the weights from the other end, $j = K - 1 - k$:
#
# $$ \text{grad}_x[h] = \sum_j g[h + j - (K - 1 - P)] \; w[K - 1 - j] $$
#
# Compare with the forward: that *is* a convolution. Of $g$ instead of $x$, padded by $K - 1 - P$ instead of $P$, with
# the kernel read from its end. In two dimensions both axes are reversed: the kernel is *flipped*. For our
# example, $P = 0$ and $K = 2$, so $g$ gets one row and column of zeros on every side:

# %%
padded_g = pad(g.reshape(1, 2, 2, 1), (1, 1))[0, :, :, 0]
flipped = w[::-1, ::-1]
answer = np.array([[(padded_g[h : h + 2, v : v + 2] * flipped).sum() for v in range(3)] for h in range(3)])

fig, axes = plt.subplots(1, 3, figsize=(9, 3))
draw_numbers(axes[0], padded_g, "g, padded by K - 1 = 1", [((1, 1, 2, 2), ORANGE), ((0, 0, 2, 2), BLUE)], shade=True)
draw_numbers(axes[1], flipped, "the kernel, flipped")
draw_numbers(axes[2], answer, "grad_x", [((1, 1, 1, 1), ORANGE), ((0, 0, 1, 1), BLUE)], shade=True)
plt.show()
assert np.array_equal(answer, grad_x), "the same grad_x for the third time"

# %% [markdown]
# With channels, forward went from C channels to O; backward goes from O to C. Every output channel that read an input
# channel sends back to it, so the two channel axes of the weight change places: (KH, KW, C, O) becomes (KH, KW, O, C).
#
# The library goes this way whenever the stride is 1, for a reason that the listing shows: the columns of $g$ are used
# twice, once for each gradient, and there is no col2im.

# %%
print(inspect.getsource(Conv2d._backward_as_convolution))

# %% [markdown]
# The second use is the gradient at the weights. By the first way it is $X^T g$, columns of $x$ times $g$. Which pairs
# of numbers does that multiply? For the weight at place $k$: each $x[h]$ with $g[h + P - k]$, the same pairs as above.
# So one may as well write out the columns of $g$ and multiply by $x$; only the positions come out in reverse order,
# and are reversed at the end.
#
# Both ways, for a layer with 16 channels. **Predict:** which is faster?

# %%
layer = Conv2d(16, 16, 3, padding=1, bias=False, rng=np.random.default_rng(0))
pictures = rng.standard_normal((16, 32, 32, 16), np.float32)
grad_y = rng.standard_normal((16, 32, 32, 16), np.float32)
ways = {"by definition": layer._backward_by_definition, "as a convolution": layer._backward_as_convolution}
results = {}
for name, way in ways.items():
    results[name] = way(grad_y, pictures), layer.weight.grad
for one, other in zip(*results.values()):
    assert np.allclose(one, other, rtol=1e-3, atol=1e-2), "float32 sums in another order: equal up to rounding"
times = race({name: lambda way=way: way(grad_y, pictures) for name, way in ways.items()}, 7)
for name, seconds in times.items():
    print(f"{name:<17} {1e3 * median(seconds):6.2f} ms")

# %% [markdown]
# ## What a stride changes
#
# With stride 2 the windows at every second place are missing. Put zeros where they would have been, and the case is one
# of stride 1 again: spread $g$ out with zeros between its numbers, then convolve with the flipped kernel.

# %%
strided = Conv2d(3, 4, 3, stride=2, padding=1, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
picture, grad_y = rng.standard_normal((1, 7, 7, 3)), rng.standard_normal((1, 4, 4, 4))
spread = np.zeros((1, 7, 7, 4))
spread[:, ::2, ::2] = grad_y  # places 0, 2, 4, 6 of what stride 1 would have had

dense = Conv2d(4, 3, 3, padding=1, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
dense.weight.value = np.ascontiguousarray(strided.weight.value[::-1, ::-1].swapaxes(2, 3))
assert np.allclose(dense(spread), strided.backward(grad_y, picture)), "zeros between, then the flipped kernel"

fig, axes = plt.subplots(1, 2, figsize=(6, 3))
draw_numbers(axes[0], grad_y[0, :, :, 0].round(1), "one channel of g", shade=True)
draw_numbers(axes[1], spread[0, :, :, 0].round(1), "spread out", shade=True)
plt.show()
print(f"{(spread[..., 0] == 0).mean():.0%} of what is multiplied is zero")

# %% [markdown]
# It is right, but most of its products are with a zero. So for larger strides the library goes by the definition.
#
# You may meet this map as a layer of its own, going forward: it makes a large picture from a small one, and is called
# *transposed convolution*, for the reason you know now (Dumoulin and Visin 2016, section 4).
#
# ## Is it right? And when would you not notice?
#
# The library's checker compares a backward with the forward numerically, at every input and every parameter. Tutorial
# 03 takes it apart; here it is used. First the real layer, then one with a typical mistake: the kernel is not flipped.


# %%
class NotFlipped(Conv2d):
    """A convolution whose backward forgot to flip the kernel."""

    def backward(self, grad_y, x):
        grad_x = super().backward(grad_y, x)  # for the gradients of weight and bias
        back = Conv2d(self.out_channels, self.in_channels, 3, padding=1, bias=False, rng=np.random.default_rng(0))
        back.weight.value = self.weight.value.swapaxes(2, 3).copy()
        return back(grad_y).astype(grad_x.dtype)


right, wrong = (
    kind(2, 3, 3, padding=1, rng=np.random.default_rng(0)).astype(np.float64) for kind in (Conv2d, NotFlipped)
)
picture = rng.standard_normal((2, 4, 5, 2))
for layer in (right, wrong):
    print(gradcheck(layer, picture), "\n")
assert gradcheck(right, picture), "the library's backward agrees with its forward"
assert not gradcheck(wrong, picture), "a kernel that was not flipped must be found"

# %% [markdown]
# **Predict.** What does the checker say about the wrong layer when all its weights are the same? When the kernel is a
# blur?

# %%
for name, kernel in [("all the same", np.ones((3, 3))), ("a blur", np.outer([1, 2, 1], [1, 2, 1]) / 16)]:
    wrong.weight.value[...] = kernel[:, :, None, None]
    passed = bool(gradcheck(wrong, picture))
    print(f"{name}: {'passed' if passed else 'failed'}")
    assert passed, "a kernel that looks the same when flipped cannot show the mistake"

# %% [markdown]
# Such kernels look the same when flipped, so the mistake does not show. A test is as good as its numbers: take random
# ones, and pictures whose height and width differ.
#
# ## Exercises

# %% tags=["task"]
task("2.1")

# %% tags=["task"]
task("2.2")

# %% tags=["task"]
task("2.3")

# %% tags=["task"]
task("2.4")

# %% tags=["task"]
task("2.5")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `layer.backward(grad_y, cache)` | `loss.backward()` calls `torch.ops.aten.convolution_backward` for you |
# | `col2im(columns, shape, 3, ...)` | `torch.nn.functional.fold(columns, output_size, 3, ...)` |
# | the gradient at x as a layer | `torch.nn.ConvTranspose2d`, `torch.nn.functional.conv_transpose2d` |
# | each gradient on its own | `torch.nn.grad.conv2d_input`, `torch.nn.grad.conv2d_weight` |
# | `DepthwiseConv2d` of the exercise | `torch.nn.Conv2d(C, C, 3, groups=C)` |
# | `np.add.at` | `Tensor.index_add_`, `Tensor.scatter_add_` |
#
# ## Sources
#
# * Goodfellow, Bengio and Courville 2016, "Deep Learning", section 9.5: the three operations that a convolution's
#   training needs, and the transpose of the matrix of a convolution.
# * Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, section 4:
#   transposed convolution, with padding and stride.
# * Chellapilla, Puri and Simard 2006, "High Performance Convolutional Neural Networks for Document Processing": forward
#   and backward as matrix products.
# * Claerbout 2014, "Geophysical Image Estimation by Example": the adjoint, and the dot-product test for it.
#
# In the next tutorial, 03, you take the gradient checker apart, and find planted mistakes with it.
