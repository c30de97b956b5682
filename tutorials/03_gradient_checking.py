# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 03 Is my gradient right?
#
# A wrong gradient raises no error, and often the loss still falls. So a backward pass is never believed: it is compared
# with what the forward pass really does. This tutorial builds that comparison from nothing, learns where it can be
# fooled, and then uses it to find planted mistakes.
#
# At the end you will be able to
#
# * differentiate any function numerically, and choose a step size that is neither too large nor too small;
# * say why the check runs in float64, with central differences and a random gradient at the output;
# * tell a wrong gradient from a kink, from rounding, and from a check that saw nothing;
# * read a failing report, and guess the mistake from the picture that it leaves.
#
# **Needs:** 01 and 02 (a convolution, forward and backward).
# **Time:** 45 minutes to read and try; about 5 seconds to run.

# %%
import inspect

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.verify.cases import cases
from resnet_scratch.gradcheck import DIRECTIONS, _compare, gradcheck
from resnet_scratch.layers import AvgPool2d, BatchNorm2d, Conv2d, Linear, ReLU
from resnet_scratch.models import ResNetConfig, build

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"  # told apart by colour-blind readers as well

# %% [markdown]
# ## A slope from two points
#
# The derivative says how much $f(x)$ changes when $x$ changes a little. So change $x$ a little, by $h$, and look. There
# are two ways to do it: go one step forward from $x$, or go half to each side.
#
# $$ \text{forward: } \frac{f(x + h) - f(x)}{h} \qquad\qquad \text{central: } \frac{f(x + h) - f(x - h)}{2h} $$
#
# **Predict**, with pencil and paper: for $f(x) = x^3$ at $x = 2$ the derivative is $3x^2 = 12$. With $h = 0.1$, how far
# off is each? ($2.1^3 = 9.261$ and $1.9^3 = 6.859$.)


# %%
def forward_difference(f, x, h):
    """The slope from x to x + h."""
    return (f(x + h) - f(x)) / h


def central_difference(f, x, h):
    """The slope from x - h to x + h."""
    return (f(x + h) - f(x - h)) / (2 * h)


def cube(x):
    return x**3


for h in (0.1, 0.01, 0.001):
    forward, central = forward_difference(cube, 2.0, h), central_difference(cube, 2.0, h)
    print(f"h = {h:5}   forward is off by {forward - 12:.7f}   central by {central - 12:.7f}")

# %% [markdown]
# Each time $h$ gets ten times smaller, the forward difference gets ten times better and the central one a hundred
# times. Taylor's formula says why. Write out both neighbours of $x$:
#
# $$ f(x \pm h) = f(x) \pm h f'(x) + \frac{h^2}{2} f''(x) \pm \frac{h^3}{6} f'''(x) + \dots $$
#
# Put them into the two fractions. In the central one everything with an even power of $h$ is on both sides and
# cancels:
#
# $$ \text{forward} = f'(x) + \frac{h}{2} f''(x) + \dots \qquad\qquad
#    \text{central} = f'(x) + \frac{h^2}{6} f'''(x) + \dots $$
#
# For $x^3$ at 2 these are $12 + 6h + h^2$ and $12 + h^2$: look at the table again. What is left over is called the
# *truncation error*, as the series was cut off there.

# %%
x = np.linspace(0.6, 2.9, 100)
fig, axes = plt.subplots(1, 2, figsize=(7.5, 3), layout="constrained", sharey=True)
for ax, title, points, color in (
    (axes[0], "forward", (2.0, 2.6), ORANGE),
    (axes[1], "central", (1.4, 2.6), BLUE),
):
    ax.plot(x, cube(x), color=GREY, lw=2)
    ax.plot(x, 8 + 12 * (x - 2), color="k", lw=1, ls=":", label="the true slope at 2")
    slope = (cube(points[1]) - cube(points[0])) / (points[1] - points[0])
    ax.plot(x, cube(points[0]) + slope * (x - points[0]), color=color, lw=2, ls="--", label="through the two points")
    ax.plot(points, [cube(p) for p in points], "o", color=color)
    ax.set(title=f"{title} difference, h = 0.6", xlabel="x", ylim=(-6, 26))
    ax.legend(frameon=False, fontsize=8, loc="upper left")
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Smaller is better, until it is not
#
# So take $h = 10^{-15}$ and be done? **Predict** what happens before you run the next cell: $f = \sin$, $x = 1$, and
# $h$ from 1 down to $10^{-15}$.

# %%
for h in 10.0 ** np.arange(0, -16, -3):
    central = central_difference(np.sin, 1.0, h)
    print(f"h = {h:.0e}   central {central:.12f}   off by {abs(central - np.cos(1.0)):.1e}")

# %% [markdown]
# It gets better, then worse again, and at the end most of the digits are gone. A computer keeps about 16 digits of a
# number in float64. $\sin(1 + h)$ and $\sin(1 - h)$ are nearly equal; where they agree, the subtraction throws their
# digits away, and only what is different is left over, with all of its rounding. That is called *cancellation*. The
# rounding is of size $\varepsilon |f|$, with $\varepsilon \approx 2.2 \cdot 10^{-16}$ in float64 and
# $1.2 \cdot 10^{-7}$ in float32, and it is divided by $h$. So the two errors pull in opposite directions:
#
# $$ \text{error of the central difference} \;\approx\;
#    \underbrace{\frac{h^2}{6} |f'''|}_{\text{truncation}} + \underbrace{\frac{\varepsilon |f|}{h}}_{\text{rounding}} $$
#
# On paper where both axes are logarithmic the first is a line that rises by 2 decades a decade, the second one that
# falls by 1. Together they are a V.

# %%
steps = 10.0 ** np.arange(0, -15.01, -0.25)
truth = np.cos(1.0)
errors = {}
for dtype in (np.float32, np.float64):
    for difference in (forward_difference, central_difference):
        slopes = [float(difference(np.sin, dtype(1), dtype(h))) for h in steps]
        errors[dtype.__name__, difference.__name__] = np.maximum(np.abs(np.array(slopes) - truth), 1e-17)

fig, axes = plt.subplots(1, 2, figsize=(8.5, 3.6), layout="constrained", sharey=True)
for ax, dtype in zip(axes, (np.float32, np.float64)):
    name, eps = dtype.__name__, np.finfo(dtype).eps
    ax.loglog(steps, errors[name, "forward_difference"], "s", ms=4, color=ORANGE, label="forward")
    ax.loglog(steps, errors[name, "central_difference"], "o", ms=4, color=BLUE, label="central")
    ax.loglog(steps, steps / 2 * np.sin(1), color=ORANGE, lw=0.8, label=r"$h\,|f''|/2$")
    ax.loglog(steps, steps**2 / 6 * np.cos(1), color=BLUE, lw=0.8, label=r"$h^2\,|f'''|/6$")
    ax.loglog(steps, eps * np.sin(1) / steps, color=GREY, lw=1, ls="--", label=r"$\varepsilon\,|f|/h$")
    ax.set(title=name, xlabel="step h", ylim=(1e-13, 10))
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("error of the slope")
axes[1].legend(frameon=False, fontsize=8, loc="lower left")
plt.show()

for dtype in (np.float32, np.float64):
    eps, f, f2, f3 = np.finfo(dtype).eps, np.sin(1), np.sin(1), np.cos(1)  # sizes of f, f'' and f'''
    valley = steps[(steps**2 / 6 * f3 + eps * f / steps).argmin()]
    print(f"{dtype.__name__}: by the formula the best central step is near {valley:.0e}, "
          f"with an error of {valley**2 / 6 * f3 + eps * f / valley:.0e}; "
          f"forward gets to {(steps / 2 * f2 + eps * f / steps).min():.0e}")  # fmt: skip

# %% [markdown]
# The points on the left scatter, as rounding is a matter of luck, and the formula is what it may be at worst. (In
# float32 with a very small $h$, $1 + h$ is $1$: the slope comes out as 0, and the error is the slope itself.) Read
# three things off this picture.
#
# * **Central beats forward** by far more than the one extra evaluation that it costs.
# * **float32 is no good for this.** Even at its best only the first four or five digits can be relied on, and only when
#   the step is chosen well. `gradcheck` refuses float32.
# * **The best step is where both errors are of one size.** Setting the derivative of the formula above to zero gives
#   $h = \sqrt[3]{3 \varepsilon |f| / |f'''|}$, some $10^{-5}$ in float64. (Exercise 3.3.)
#
# The slopes of the straight parts tell that the theory is the right one. Let us measure them.

# %%
straight = (steps > 1e-3) & (steps < 0.2)  # there truncation is all there is, in float64
for difference, power in (("forward_difference", 1), ("central_difference", 2)):
    slope = np.polyfit(np.log10(steps[straight]), np.log10(errors["float64", difference][straight]), 1)[0]
    print(f"{difference:18}: the error shrinks as h^{slope:.2f}")
    assert abs(slope - power) < 0.1, f"truncation of the {difference} should shrink as h^{power}"

# %% [markdown]
# (There is a way around the rounding for functions that take complex numbers: $\mathrm{Im} f(x + ih) / h$ subtracts
# nothing. A ReLU or a maximum does not know what to do with complex numbers, so for layers we stay with the V.)

# %%
h = 1e-100
print(f"complex step, h = {h}: off by {abs(np.sin(1 + 1j * h).imag / h - truth):.1e}")

# %% [markdown]
# ## A layer has many derivatives
#
# A layer makes many numbers out of many. A convolution of a 4x4 picture with a 3x3 kernel makes 4 numbers out of 16,
# and so has $4 \cdot 16$ derivatives $J_{ij} = \partial y_i / \partial x_j$. We can have them all: move each pixel up
# and down, and write down what every output does.

# %%
rng = np.random.default_rng(0)
conv = Conv2d(1, 1, 3, bias=False, rng=rng).astype(np.float64)
picture = rng.standard_normal((1, 4, 4, 1))


def numerical_jacobian(layer, x, h=1e-5):
    """(outputs, inputs): column j says how every output moves when input j does."""
    columns = []
    for j in range(x.size):
        moved = np.zeros(x.size)
        moved[j] = h
        moved = moved.reshape(x.shape)
        above, _ = layer.forward(x + moved, training=True)
        below, _ = layer.forward(x - moved, training=True)
        columns.append(((above - below) / (2 * h)).ravel())
    return np.stack(columns, axis=1)


jacobian = numerical_jacobian(conv, picture)
limit = np.abs(jacobian).max()
fig, axes = plt.subplots(1, 2, figsize=(8, 2), layout="constrained", width_ratios=[1, 4])
axes[0].imshow(conv.weight.value[:, :, 0, 0], cmap="PuOr", vmin=-limit, vmax=limit)
axes[0].set_title("the kernel", fontsize=9)
drawn = axes[1].imshow(jacobian, cmap="PuOr", vmin=-limit, vmax=limit)
axes[1].set_title("its Jacobian: how output i depends on pixel j", fontsize=9)
axes[1].set(xlabel="pixel j", ylabel="output i", yticks=range(4))
axes[0].set_axis_off()
fig.colorbar(drawn, ax=axes)
plt.show()

# %% [markdown]
# Each row holds the kernel's nine numbers, laid over the pixels that this output sees; the rest is zero. Backward never
# builds this matrix. It gets $g = \partial L / \partial y$, one number for each output, and returns
# $\partial L / \partial x_j = \sum_i g_i J_{ij}$, which is $J^T g$. So there is our first check:

# %%
y, cache = conv.forward(picture, training=True)
g = rng.standard_normal(y.shape)
by_backward = conv.backward(g, cache).ravel()
by_jacobian = jacobian.T @ g.ravel()
print("backward :", by_backward[:6].round(6))
print("J^T g    :", by_jacobian[:6].round(6))
print(f"largest difference {np.abs(by_backward - by_jacobian).max():.0e}")
assert np.allclose(by_backward, by_jacobian, atol=1e-8), "backward must be the transposed Jacobian times g"

# %% [markdown]
# ## One number is enough: L = sum(y * g)
#
# We need not keep the matrix. Fix $g$ and look at the one number $L(x) = \sum_i g_i \, y_i(x)$. Its derivative with
# respect to $x_j$ is $\sum_i g_i J_{ij}$: precisely what backward returns when it is handed $g$. So a gradient check is
# a few lines, and works for each layer there is.


# %%
def my_gradcheck(layer, x, g, h=1e-5):
    """(what backward returns, what the forward does), both in the shape of x, for a gradient g at the output."""
    _, cache = layer.forward(x, training=True)
    analytic = layer.backward(g, cache)
    numerical = np.zeros_like(x)
    for place in np.ndindex(x.shape):
        kept = x[place]
        x[place] = kept + h
        above = (layer.forward(x, training=True)[0] * g).sum()
        x[place] = kept - h
        below = (layer.forward(x, training=True)[0] * g).sum()
        x[place] = kept
        numerical[place] = (above - below) / (2 * h)
    return analytic, numerical


analytic, numerical = my_gradcheck(conv, picture, g)
print(f"largest difference {np.abs(analytic - numerical).max():.0e}")
assert np.allclose(analytic, numerical, atol=1e-8)

# %% [markdown]
# Note `x[place] = kept` at the end. A check that leaves its input moved spoils all that comes after.
#
# ## Why g must be random
#
# The easiest $g$ is all ones: then $L$ is the sum of the outputs. Many home-made checks do that. Here is a batch norm
# (tutorial 04) whose backward lacks a term. **Predict:** does the check with ones see it?


# %%
class BatchNormWithoutATerm(BatchNorm2d):
    """A planted mistake: the variance is taken for a constant that does not depend on x."""

    def backward(self, grad_y, cache):
        super().backward(grad_y, cache)  # for the gradients of weight and bias
        _, _, inverse_std, _ = cache
        return self.weight.value * inverse_std * (grad_y - grad_y.mean((0, 1, 2)))


norm = BatchNormWithoutATerm(2).astype(np.float64)
x = rng.standard_normal((2, 3, 3, 2))
for name, g in (("ones", np.ones_like(x)), ("random", rng.standard_normal(x.shape))):
    analytic, numerical = my_gradcheck(norm, x, g)
    apart = np.abs(analytic - numerical).max()
    print(f"g = {name:6}: gradient up to {np.abs(numerical).max():.0e}, difference up to {apart:.0e}")
    assert np.allclose(analytic, numerical, atol=1e-8) == (name == "ones")

# %% [markdown]
# With ones the check sees nothing, although the backward is wrong. A batch norm brings every channel to mean 0, so the
# sum of its outputs is the same whatever $x$ is: $L$ is constant, and all gradients are 0, right and wrong alike. The
# same happens to softmax (its outputs sum to 1). And with equal $g_i$ nobody sees two outputs that were mixed up.
#
# In general a wrong Jacobian $\tilde{J}$ escapes only if $(\tilde{J} - J)^T g = 0$. If $\tilde{J} \ne J$, the vectors
# $g$ with this property are a subspace of lower dimension, and a random $g$ lies in it with probability zero. So the
# gradient at the output, which is also called a *cotangent*, is drawn at random. (And not from the same random numbers
# as $x$: with $g = x$, the batch norm is in trouble again. Can you see why? It is in the formula of tutorial 04.)
#
# ## How equal is equal?
#
# A difference of $10^{-5}$ is nothing where the gradient is 1000, and everything where it is $10^{-6}$. So we divide
# by the size of the gradient. But of *which* number? **Predict** what dividing by $\max(|a|, |n|)$, element by
# element, does where the true gradient is zero, and backward got it right.

# %%
a = np.array([2.0, -1.0, 0.0])  # backward, all right
n = a + np.array([1e-10, -2e-10, 1e-11])  # central differences, with some rounding
with np.errstate(invalid="ignore"):
    own_size = np.abs(a - n) / np.maximum(np.abs(a), np.abs(n))
rms = np.sqrt((a**2).mean())  # root mean square: the typical size in this array
floored = np.abs(a - n) / np.maximum(np.maximum(np.abs(a), np.abs(n)), rms)
print("divided by its own size:                     ", own_size)
print("its own size, but at least the typical size: ", floored)

# %% [markdown]
# The third one is off by $10^{-11}$, which is as good as central differences get, and its own size makes a relative
# error of 1 out of it. With the typical size of the whole tensor as a floor, rounding stays rounding. This is how the
# library does it. Here is the heart of it:

# %%
print(inspect.getsource(_compare))

# %% [markdown]
# Two things are new in there. The first is `direction`: it need not be a single element. The second is the business
# with several steps and `bend`; we come to both.
#
# ## Large tensors: random directions
#
# Element by element costs two forward passes for each number. That is fine for 50 numbers. The weights of one large
# convolution of ResNet-20 are `3 * 3 * 64 * 64`:

# %%
print(f"element by element: {2 * 3 * 3 * 64 * 64:,} forward passes")
print(f"{DIRECTIONS} random directions: {2 * DIRECTIONS}")

# %% [markdown]
# Instead of one element, move *all* of them at once, along a random direction $v$. The slope of $L$ along $v$ must be
# the dot product of $v$ with the gradient, so a mistake anywhere has its share in it:
#
# $$ \frac{L(x + hv) - L(x - hv)}{2h} \approx \sum_j v_j \frac{\partial L}{\partial x_j} $$
#
# **Predict:** one of 10,000 numbers of the gradient is wrong, by as much as the numbers are large. Among so many, does
# a random direction notice?

# %%
big = rng.standard_normal((100, 100))
true_gradient = np.cos(big)  # of L = sum(sin(x))
for wrong in (False, True):
    gradient = true_gradient.copy()
    gradient[12, 34] += wrong
    errors_seen = []
    for _ in range(DIRECTIONS):
        v = rng.standard_normal(big.shape)
        v /= np.linalg.norm(v)
        slope = (np.sin(big + 1e-5 * v).sum() - np.sin(big - 1e-5 * v).sum()) / 2e-5
        size = np.sqrt((true_gradient**2).mean())
        errors_seen.append(abs(slope - (gradient * v).sum()) / max(abs(slope), size))
    print(f"one wrong number: {wrong!s:5}  largest error of {len(errors_seen)} directions {max(errors_seen):.0e}")
    assert (max(errors_seen) > 1e-6) == wrong

# %% [markdown]
# It does: its share is small, and still far above the rounding. What is lost is the *place*: a direction tells that
# something is wrong, an element tells where. `gradcheck` goes element by element up to 256 numbers, and takes
# directions beyond. When a large tensor fails, build a smaller layer.
#
# ## Kinks
#
# At $x = 0$ a ReLU has no derivative. Worse: *near* 0 the two points of a central difference may lie on different
# sides of the corner. **Predict:** for $x = 3 \cdot 10^{-6}$ the derivative is 1. What does a step of $10^{-5}$ say?

# %%
x = 3e-6
for h in (1e-5, 1e-6, 1e-7):
    slope = central_difference(lambda t: max(t, 0.0), x, h)
    print(f"h = {h:.0e}: slope {slope:.3f}")

fig, ax = plt.subplots(figsize=(5, 2.6), layout="constrained")
t = np.linspace(-1.2e-5, 1.6e-5, 200)
ax.plot(t * 1e6, np.maximum(t, 0) * 1e6, color=GREY, lw=2, label="ReLU")
for h, color, style in ((1e-5, ORANGE, "o--"), (1e-6, BLUE, "s-")):
    ends = np.array([x - h, x + h])
    ax.plot(ends * 1e6, np.maximum(ends, 0) * 1e6, style, color=color, ms=5, label=f"h = {h:.0e}")
ax.set(xlabel="x, in millionths", ylabel="y, in millionths")
ax.legend(frameon=False, fontsize=8)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# The large step reports 0.65 where backward rightly says 1. This is a false alarm. The step was too large for this
# place. So `gradcheck` tries a smaller one when a larger one disagrees, and looks at the *bend*
# $|L(x+h) - 2 L(x) + L(x-h)| / h$: smooth functions have next to none; at a corner it is as large as the corner. Where
# a bend explains the difference, the place is left out and counted as skipped, not as right.

# %%
x = np.array([[1.0, -2.0, 0.0, 0.5], [3e-6, -1.0, 2.0, 0.0]])
report = gradcheck(ReLU(), x)
print(report)
tensor = report.tensors[0]
print(f"{tensor.compared} compared, {tensor.skipped} skipped")
assert report and tensor.skipped == 2, "the two exact zeros have no derivative; the number close to zero has one"

# %% [markdown]
# ## A check that saw nothing
#
# **Predict:** all inputs of a ReLU are negative. Its backward is broken: it returns zeros, whatever comes. Its forward
# and its backward agree. Should that pass?


# %%
class DeadBackward(ReLU):
    """A planted mistake: no gradient ever gets through."""

    def backward(self, grad_y, y):
        return np.zeros_like(grad_y)


report = gradcheck(DeadBackward(), np.full((2, 3), -1.0))
print(report)
assert not report and "nothing was compared" in str(report)

# %% [markdown]
# Zero equals zero, and nothing was shown. A check should be hard to please, so `gradcheck` fails a gradient that is
# zero everywhere. For the same reason a good test case is not a special one: no zeros, no ones for weights, no square
# images (they hide mixed-up axes), not only a stride of 1, more than one image, different numbers of channels in and
# out. Look at what the library checks itself with (`resnet-scratch gradcheck` runs all of it):

# %%
source = inspect.getsource(cases)
print(source[: source.index('yield Case("ReLU"')])

# %% [markdown]
# Two more ways to be fooled, both about the forward. It must be the *same function* each time that it is called: random
# numbers in it, as in dropout, must be the same numbers; running averages must not feed back into the output. And if
# forward and backward make the same mistake (a wrong padding in both, say), the check passes: it shows that backward is
# the derivative of *this* forward, not that this forward is what you meant. For that you need an independent
# reference: a hand-worked example, slow loops, or another library.
#
# ## Portraits of mistakes
#
# Now break things. When a check fails, do not stare at the code; plot the numerical gradient against the one from
# backward. Right ones lie on the diagonal, and many mistakes have a face of their own.


# %%
class Planted(Conv2d):
    """A convolution with a planted mistake in its backward: what `spoil` makes of the right gradient."""

    def __init__(self, spoil, **options):
        super().__init__(2, 2, 3, padding=1, rng=np.random.default_rng(1), **options)
        self.spoil = spoil

    def backward(self, grad_y, cache):
        return self.spoil(super().backward(grad_y, cache), grad_y, self)


def border_lost(grad_x, grad_y, layer):
    grad_x[:, 0], grad_x[:, :, 0] = 0, 0
    return grad_x


def kernel_not_flipped(grad_x, grad_y, layer):
    """Backward as a convolution of grad_y, with the kernel as it is in place of flipped."""
    straight = Conv2d(2, 2, 3, padding=1, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
    straight.weight.value = layer.weight.value.swapaxes(2, 3)
    return straight(grad_y)


SPOILERS = {
    "A": lambda grad_x, *_: grad_x,
    "B": lambda grad_x, *_: -grad_x,
    "C": lambda grad_x, *_: grad_x / 2,
    "D": border_lost,
    "E": kernel_not_flipped,
    "F": lambda grad_x, *_: grad_x.swapaxes(1, 2),
}
x = np.random.default_rng(2).standard_normal((2, 5, 5, 2))
fig, axes = plt.subplots(2, 3, figsize=(7.5, 5), layout="constrained", sharex=True, sharey=True)
for ax, (name, spoil) in zip(axes.flat, SPOILERS.items()):
    layer = Planted(spoil).astype(np.float64)
    analytic, numerical = my_gradcheck(layer, x, np.random.default_rng(3).standard_normal(x.shape))
    ax.plot([-3, 3], [-3, 3], color=GREY, lw=0.8)
    ax.plot(numerical.ravel(), analytic.ravel(), "o", ms=3, color=BLUE)
    ax.set_title(name)
    ax.spines[["top", "right"]].set_visible(False)
fig.supxlabel("numerical gradient")
fig.supylabel("from backward")
plt.show()

# %% [markdown]
# **Guess** which portrait is which, before you read on: a factor, a wrong sign, a lost border, rows and columns mixed
# up, the kernel not flipped, no mistake.
#
# * A line through zero with another slope (C) is a **factor**: a mean in place of a sum, a missing 1/N, a learning rate
#   that slipped in. The slope tells which one.
# * A line that falls (B) is a **sign**.
# * A diagonal with a flat line (D) means that most is right and **some places get nothing**: a border, a last window, a
#   case of the stride.
# * A cloud (E, F) has the right size in the wrong places: something is **transposed, shifted, flipped or permuted**. E
#   is the kernel that was not flipped, F rows and columns mixed up. To tell them apart, look at a picture of 3x3 with
#   a single 1 in `grad_y`.
#
# ## Find the mistakes
#
# Four layers, each with one planted mistake. The names of the classes give nothing away, and the reports say only what
# `gradcheck` sees. **Guess each one from its report**, and only then look at the code below.

# %%
# The mistakes stand here. Do not read on: run the cell, and go to the next one.


class Layer1(Linear):
    def backward(self, grad_y, x):
        grad_x = super().backward(grad_y, x)
        self.bias.grad = grad_y.mean(0)
        return grad_x


class Layer2(AvgPool2d):
    def backward(self, grad_y, shape):
        return super().backward(grad_y, shape) * self.kernel_size[0] * self.kernel_size[1]


class Layer3(Conv2d):
    def backward(self, grad_y, x):
        grad_x = super().backward(grad_y, x)
        self.weight.grad = self.weight.grad[::-1, ::-1]
        return grad_x


class Layer4(Linear):
    def backward(self, grad_y, x):
        grad_x = super().backward(grad_y, x)
        grad_y -= grad_y.mean()
        return grad_x


rng = np.random.default_rng(4)
suspects = [
    (Layer1(3, 2, rng=rng), rng.standard_normal((5, 3))),
    (Layer2((2, 3)), rng.standard_normal((2, 4, 6, 2))),
    (Layer3(2, 3, 3, padding=1, rng=rng), rng.standard_normal((2, 5, 4, 2))),
    (Layer4(3, 2, rng=rng), rng.standard_normal((5, 3))),
]

# %%
reports = []
for layer, x in suspects:
    reports.append(gradcheck(layer.astype(np.float64), x))
    kind = type(layer).__bases__[0].__name__
    print(f"{type(layer).__name__}, a {kind} with x {x.shape}\n{reports[-1]}\n")
assert not any(reports), "each of the four must fail"

# %% [markdown]
# What the report tells:
#
# 1. Only `bias` is wrong. Its error is $0.8 = 1 - 1/5$, and 5 is the batch: a **mean in place of a sum** over the
#    batch.
# 2. The error is $0.83 = 1 - 1/6$ and the same everywhere; a window has 6 pixels. Backward **does not divide** by the
#    size of the window. (The error is divided by the larger of the two numbers, so a factor of 6 and one of 1/6 look
#    alike.)
# 3. Only `weight` is wrong, and the input is right: not the geometry as such, but the weights' own part. The kernel's
#    middle (1, 1) stays where it is when the kernel is flipped: the gradient was **flipped**.
# 4. The numbers are right, and it fails all the same: backward **changed the array that it was given**. Alone it does
#    no harm. Beside a shortcut, which gets the very same array (tutorial 06), it does.
#
# Let us make sure that these are no fairy tales.

# %%
for number, name, factor in ((0, "bias", 5), (1, "input", 6)):
    tensor = next(t for t in reports[number].tensors if t.name == name)
    print(f"{name:6} error {tensor.error:.4f}, and 1 - 1/{factor} = {1 - 1 / factor:.4f}")
    assert abs(tensor.error - (1 - 1 / factor)) < 1e-6
layer, x = suspects[2]
y, cache = layer.forward(x, training=True)
layer.backward(y, cache)
wrong = layer.weight.grad
Conv2d.backward(layer, y, cache)
difference = np.abs(wrong - layer.weight.grad).max((2, 3))
print("layer 3: largest difference at each place of the kernel\n", difference.round(1))
assert difference[1, 1] == 0 and np.count_nonzero(difference) == 8, "only the middle stays where it is"

# %% [markdown]
# ## A whole network at once
#
# A network is a layer too, so it can be checked in one go. Every layer, the order of the backward and the additions
# are all in it. Here is a small residual network, with all of its parameters:

# %%
config = ResNetConfig("small", "basic", (1, 1), (4, 8), "cifar", "A", 8)
network = build(config, 3, rng=rng)
for _, layer in network.named_layers():
    if isinstance(layer, BatchNorm2d):  # shifts of exactly 0 would put exact zeros on the kinks of the ReLUs
        layer.bias.value = rng.uniform(-0.5, 0.5, layer.channels)
report = gradcheck(network.astype(np.float64), rng.standard_normal((2, 8, 8, 3)))
print(report)
assert report, "every gradient of the network must agree with its forward"

# %% [markdown]
# Every backward in this library has been through this. When you write your own in the exercises, you grade yourself.
#
# ## Exercises
#
# In the notebook, every task has a cell for your answer and a check that tells you whether it is right. (This file, run
# as a script, shows each task and checks the library's answer.)

# %% tags=["task"]
task("3.1")

# %% tags=["task"]
task("3.2")

# %% tags=["task"]
task("3.3")

# %% tags=["task"]
task("3.4")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `gradcheck(layer, x)` | `torch.autograd.gradcheck(function, inputs)`, float64 as well |
# | `tolerance=1e-6` | `eps=1e-6, atol=1e-5, rtol=1e-3` |
# | random directions for large tensors | `fast_mode=True` |
# | `L = sum(y * g)`, random $g$ | the full Jacobian, or one random direction with `fast_mode` |
# | `layer.backward(g, cache)` | `y.backward(g)`, or `torch.autograd.grad(y, x, g)`: a vector-Jacobian product |
# | running the check twice with the same `seed` | `nondet_tol` allows for a backward that is not deterministic |
#
# You need it there too: for each `torch.autograd.Function` whose backward you write yourself.
#
# ## Sources
#
# * Nocedal and Wright 2006, "Numerical Optimization", second edition, section 8.1: forward and central differences and
#   their best step sizes.
# * Goldberg 1991, "What Every Computer Scientist Should Know About Floating-Point Arithmetic": rounding and
#   cancellation.
# * Baydin, Pearlmutter, Radul, Siskind 2018, "Automatic Differentiation in Machine Learning: a Survey", section 2.1,
#   with the V-shaped curve as its figure 3.
# * Squire and Trapp 1998, "Using Complex Variables to Estimate Derivatives of Real Functions": the complex step.
#
# Next: [04 Batch normalisation](04_batchnorm.py), the layer with the most surprising gradient.
