# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 03 Is my gradient right?
#
# A wrong gradient raises no error, and often the loss still falls. So you cannot see from a training run whether a
# backward pass is right. You have to compare it with what the forward pass really does. This tutorial builds that
# comparison, shows how it can be fooled, and uses it to find planted mistakes.
#
# By the end you will be able to
#
# * differentiate any function numerically, with a step that is neither too large nor too small;
# * explain why a gradient check needs float64, central differences and a random upstream gradient;
# * tell a wrong gradient from rounding, from a kink, and from a check that compared nothing;
# * read a failing report and guess the mistake;
# * check the gradients of a layer of your own.
#
# **Needs:** 02 (backward passes, the upstream gradient, the Jacobian). Taylor's formula helps.
# **Time:** 50 minutes to read and try, 90 minutes for the tasks. The cells run in about ten seconds.

# %%
import codecs
import inspect

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.figures.differences import draw_errors, draw_kink, draw_portraits, draw_secants
from resnet_scratch.gradcheck import DIRECTIONS, MOST_SKIPPED, SMALL, STEPS, _compare, gradcheck
from resnet_scratch.layers import AvgPool2d, BatchNorm2d, Conv2d, Linear, ReLU
from resnet_scratch.layers.layer import Layer, Parameter
from resnet_scratch.models import ResNetConfig, build
from resnet_scratch.verify.definitions import numerical_gradient
from resnet_scratch.verify.mistakes import MISTAKES, failing_checks, planted

rng = np.random.default_rng(0)

# %% [markdown]
# ## A slope from two points
#
# The derivative says how much $f(x)$ changes when $x$ changes a little. So change $x$ by a small step $h$, and look.
# You can compare $f(x)$ with one neighbour, or compare the neighbours on both sides:
#
# $$ \text{forward difference: } \frac{f(x + h) - f(x)}{h} \qquad\qquad
#    \text{central difference: } \frac{f(x + h) - f(x - h)}{2h} $$
#
# **Predict, then run**, with pencil and paper: $f(x) = x^3$ has the derivative $3x^2 = 12$ at $x = 2$. For $h = 0.1$,
# how far off is each of the two? ($2.1^3 = 9.261$ and $1.9^3 = 6.859$.)


# %%
def cube(x):
    return x**3


for h in (0.1, 0.01, 0.001):
    forward = (cube(2 + h) - cube(2)) / h
    central = (cube(2 + h) - cube(2 - h)) / (2 * h)
    print(f"h = {h:5}   forward is off by {forward - 12:.7f}   central by {central - 12:.7f}")
    assert np.isclose(forward - 12, 6 * h + h**2), "forward: the error is 6h + h^2"
    assert np.isclose(central - 12, h**2, rtol=1e-3), "central: the error is h^2"
draw_secants(cube, 2, slope=12, h=0.6)
plt.show()

# %% [markdown]
# Each time $h$ becomes ten times smaller, the forward difference becomes about ten times better, and the central one a
# hundred times. Taylor's formula explains it. Expand both neighbours of $x$:
#
# $$ f(x \pm h) = f(x) \pm h f'(x) + \frac{h^2}{2} f''(x) \pm \frac{h^3}{6} f'''(x) + \dots $$
#
# Substitute this into the two fractions. In the central one, the terms with even powers of $h$ are the same on both
# sides and cancel:
#
# $$ \text{forward} = f'(x) + \frac{h}{2} f''(x) + \dots \qquad\qquad
#    \text{central} = f'(x) + \frac{h^2}{6} f'''(x) + \dots $$
#
# What is left over is called the **truncation error**, because the series was cut off there. For $x^3$ at 2 you get
# $12 + 6h + h^2$ and $12 + h^2$, as the cell asserts.
#
# The gradient of a function of many numbers consists of such slopes. Change one number at a time, and keep the others
# as they are:

# %% tags=["task"]
task("3.1")

# %% [markdown]
# Here is the library's version. It puts the old number back instead of adding $h$ again, which would leave a rounding
# error in $x$.

# %%
print(inspect.getsource(numerical_gradient))

# %% [markdown]
# ## How small a step?
#
# A smaller $h$ has been better so far. **Predict, then run:** what happens for $f = \sin$ at $x = 1$ when $h$ goes down
# to $10^{-15}$?

# %%
off = []
for h in 10.0 ** np.arange(0, -16, -3):
    central = (np.sin(1 + h) - np.sin(1 - h)) / (2 * h)
    off.append(abs(central - np.cos(1)))
    print(f"h = {h:.0e}   central {central:.12f}   off by {off[-1]:.1e}")
assert min(off) not in (off[0], off[-1]), "the best step is neither the largest nor the smallest"

# %% [markdown]
# The slope gets better, then worse again. A float64 number has about 16 digits. For a small $h$, the numbers
# $\sin(1 + h)$ and $\sin(1 - h)$ agree in most of them. The subtraction removes the digits that agree, and what remains
# is mostly rounding error. This is called **cancellation**.
#
# The rounding error of $f$ is about $\varepsilon |f|$, where $\varepsilon \approx 2.2 \cdot 10^{-16}$ for float64 and
# $1.2 \cdot 10^{-7}$ for float32. The difference quotient divides it by $h$. So there are two errors, and they pull in
# opposite directions:
#
# $$ \text{error of the central difference} \;\approx\;
#    \underbrace{\frac{h^2}{6} |f'''|}_{\text{truncation}} + \underbrace{\frac{\varepsilon |f|}{h}}_{\text{rounding}} $$
#
# With logarithmic axes, the first term is a line of slope 2 and the second a line of slope $-1$. Together they
# form a V.

# %%
steps = 10.0 ** np.arange(0, -15.01, -0.25)
measured, predicted = {}, {}
for dtype in (np.float32, np.float64):
    x, h = dtype(1), steps.astype(dtype)
    forward, central = (np.sin(x + h) - np.sin(x)) / h, (np.sin(x + h) - np.sin(x - h)) / (2 * h)
    measured[dtype.__name__] = abs(forward - np.cos(1.0)), abs(central - np.cos(1.0))
    predicted[dtype.__name__] = {
        r"$h\,|f''|/2$": steps / 2 * np.sin(1),
        r"$h^2\,|f'''|/6$": steps**2 / 6 * np.cos(1),
        r"$\varepsilon\,|f|/h$": np.finfo(dtype).eps * np.sin(1) / steps,
    }
draw_errors(steps, measured, predicted)
plt.show()
straight = (steps > 1e-3) & (steps < 0.2)  # here, in float64, rounding does not matter yet
for name, errors, power in zip(("forward", "central"), measured["float64"], (1, 2)):
    slope = np.polyfit(np.log10(steps[straight]), np.log10(errors[straight]), 1)[0]
    print(f"{name}: the truncation error is proportional to h^{slope:.2f}")
    assert abs(slope - power) < 0.1, f"the truncation error of the {name} difference should be like h^{power}"

# %% [markdown]
# On the left branch of each V the points scatter, because rounding errors vary from number to number. (In float32, $1 +
# h$ is exactly 1 if $h$ is very small. There the slope comes out as 0, and the points lie on a horizontal line.)
#
# Where is the bottom of the V? You can compute it.

# %% tags=["task"]
task("3.2")

# %% [markdown]
# The derivative of the error is zero where $\frac{h}{3} |f'''| = \frac{\varepsilon |f|}{h^2}$. Solve this for $h$:
#
# $$ \boxed{h = \sqrt[3]{3 \varepsilon \, |f| / |f'''|}} $$
#
# In practice nobody knows $f'''$. But the cube root makes the formula forgiving: if $|f| / |f'''|$ is off by a factor
# of 1000, the step is off by a factor of 10.

# %%
worst = {}
for dtype in (np.float32, np.float64):
    eps, name = np.finfo(dtype).eps, dtype.__name__
    forward = np.sqrt(2 * eps)  # the same derivation for h |f''| / 2 + eps |f| / h, where |f| = |f''|
    central = (3 * eps * np.sin(1) / np.cos(1)) ** (1 / 3)
    for difference, best, errors in zip(("forward", "central"), (forward, central), measured[name]):
        near = abs(np.log10(steps / best)) < 0.5  # rounding is a matter of luck, so look at several steps
        worst[name, difference] = errors[near].max()
        print(f"{name}, {difference}: best step {best:.0e}; near it, errors up to {worst[name, difference]:.0e}")
    assert worst[name, "central"] < worst[name, "forward"], "the central difference is better at its best"
assert worst["float64", "central"] < worst["float32", "central"] / 1e4, "and float64 is far better than float32"
assert min(STEPS) < central < 2 * max(STEPS), "the library's steps are near the best one for float64"
print("the library's steps:", STEPS)

# %% [markdown]
# Three things follow.
#
# * **Use central differences.** They are far more exact, for at most twice as many evaluations of $f$.
# * **Use float64.** In float32 even the best step leaves only four or five digits. A mistake in the sixth digit would
#   be invisible, and a badly chosen step would look like a mistake.
# * **Do not take the smallest step.** About $10^{-5}$ is right for central differences in float64.
#
# So the library trains in float32, but checks in float64. Its checker refuses anything else:

# %%
try:
    gradcheck(Linear(3, 2, rng=rng), rng.standard_normal((4, 3)).astype(np.float32))
except ValueError as error:
    print(error)
else:
    raise AssertionError("gradcheck must refuse float32")

# %% [markdown]
# ## From a slope to a layer
#
# A layer has many outputs, but only a function with a single output has a slope. So choose an upstream gradient $g$ of
# $y$'s shape, and keep it fixed. Then
#
# $$ L = \sum_q g_q \, y_q, \qquad\qquad
#    \frac{\partial L}{\partial x_p} = \sum_q g_q \frac{\partial y_q}{\partial x_p} $$
#
# is one number, and its gradient is $J^T g$: exactly what `backward(g, cache)` must return (02). $L$ depends on the
# weights in the same way, so their gradients can be checked by the same $L$. That is all you need for a gradient
# checker.

# %% tags=["task"]
task("3.3")

# %% [markdown]
# For the experiments below, the gradient with respect to the input is enough:


# %%
def input_gradients(layer, x, g):
    """The gradient with respect to x: (from backward, numerical)."""
    _, cache = layer.forward(x, training=True)
    analytic = layer.backward(g.copy(), cache)
    return analytic, numerical_gradient(lambda x: (layer.forward(x, training=True)[0] * g).sum(), x)


conv = Conv2d(2, 3, 3, stride=2, padding=1, rng=rng).astype(np.float64)
x = rng.standard_normal((2, 5, 4, 2))
g = rng.standard_normal(conv(x).shape)
analytic, numerical = input_gradients(conv, x, g)
print("from backward:", analytic.ravel()[:5].round(6))
print("numerical:    ", numerical.ravel()[:5].round(6))
assert np.allclose(analytic, numerical, atol=1e-8), "the library's convolution must pass"

# %% [markdown]
# ## Why g must be random
#
# The simplest $g$ is all ones. Then $L$ is the sum of the outputs, and many home-made checks use just that. Does it
# work? The library has a collection of wrong backward passes; `planted` swaps one in. In this one, the gradient of a
# batch norm lacks a term: the variance of the batch is treated as a constant. Batch norm, which 04 explains, brings
# each channel of a batch to mean 0 and variance 1.
#
# **Predict, then run:** does the check with ones see the mistake? Does a random $g$?

# %%
norm = BatchNorm2d(2).astype(np.float64)
x = rng.standard_normal((2, 3, 3, 2))
differences = {}
with planted("batchnorm-variance-constant"):
    for name, g in (("ones", np.ones_like(x)), ("random", rng.standard_normal(x.shape))):
        analytic, numerical = input_gradients(norm, x, g)
        differences[name] = abs(analytic - numerical).max()
        largest = abs(numerical).max()
        print(f"g = {name:6}: numerical gradient up to {largest:.0e}, difference up to {differences[name]:.0e}")
assert differences["ones"] < 1e-8, "with ones, the wrong backward passes"
assert differences["random"] > 0.01, "with a random g, it is found"

# %% [markdown]
# With ones, the mistake is invisible. The outputs of each channel have mean 0, whatever $x$ is, so their sum never
# changes. $L$ is constant, its true gradient is zero, and the wrong backward returns zero as well. Softmax (05) has the
# same property: it turns numbers into probabilities, which always sum to 1.
#
# In general, a backward with a wrong Jacobian $\tilde{J}$ goes unnoticed if $(\tilde{J} - J)^T g = 0$. If
# $\tilde{J} \ne J$, the vectors $g$ that satisfy this form a subspace of lower dimension. A vector of independent
# normal random numbers lies in it with probability zero. So draw $g$ at random. (In other texts $g$ is also called the
# *cotangent*.)
#
# ## How close is close enough?
#
# A difference of $10^{-5}$ is nothing if the gradient is 1000, and a disaster if it is $10^{-6}$. So divide by the size
# of the gradient. But by *which* size? **Predict, then run:** here backward is right, and the numerical gradient has
# rounding errors only. You divide each difference by the larger of the two numbers at its index. What comes out where
# the true gradient is zero?

# %%
a = np.array([2.0, -1.0, 0.0])  # from backward: exactly right
n = a + np.array([1e-10, -2e-10, 1e-11])  # numerical
own_size = abs(a - n) / np.maximum(abs(a), abs(n))
print("divided by the larger number at each index:", own_size)
assert own_size[2] == 1, "a rounding error, divided by itself"

# %% [markdown]
# The third difference is the smallest of the three, yet its relative error is 1: it was divided by itself. The remedy
# is a floor. Divide by at least the typical size of the whole gradient, for which the root mean square is a good
# measure.

# %% tags=["task"]
task("3.4")

# %% [markdown]
# The number that comes out is worth reading, because common mistakes have typical errors. **Predict, then run:** which
# error belongs to a gradient that is five times too large? To one with the wrong sign? To one that is zero?


# %%
def error_of(analytic, numerical):
    rms = np.sqrt((analytic**2).mean())
    size = np.maximum(np.maximum(abs(analytic), abs(numerical)), rms)
    return (abs(analytic - numerical) / np.where(size > 0, size, 1)).max()


typical = {}
for name, wrong in (("right, but rounded", n), ("5 times too large", 5 * a), ("wrong sign", -a), ("zero", 0 * a)):
    typical[name] = error_of(wrong, a)
    print(f"{name:20} error {typical[name]:.3g}")
assert typical["right, but rounded"] < 1e-9 and np.isclose(typical["5 times too large"], 1 - 1 / 5)
assert typical["wrong sign"] == 2 and typical["zero"] == 1

# %% [markdown]
# A factor of $k$ gives $1 - 1/k$, whether the gradient is $k$ times too large or too small, because the difference is
# divided by the larger number. A wrong sign gives 2, and a gradient of zeros gives 1.
#
# ## The library's checker
#
# `gradcheck` does all this at once: it draws a random $g$, and it compares the gradients of every input and every
# parameter. Its tolerance is $10^{-6}$. If the report is true (`assert report`), everything passed.

# %%
report = gradcheck(conv, rng.standard_normal((2, 5, 4, 2)))
print(report)
assert report and report.error < 1e-7, "the library's convolution must pass by a wide margin"

# %% [markdown]
# ### Large arrays: random directions
#
# Two forward passes for each number are fine for 50 numbers. One of the large convolutions of ResNet-20 has
# `3 * 3 * 64 * 64` weights. For arrays that large, change *all* numbers at once, along a random unit vector $v$. The
# slope of $L$ along $v$ must be the dot product of $v$ and the gradient, so a mistake in any number shows up:
#
# $$ \frac{L(x + hv) - L(x - hv)}{2h} \approx \sum_p v_p \frac{\partial L}{\partial x_p} $$
#
# **Predict, then run:** one of 10,000 numbers of a gradient is too large by 1. Does a random direction notice?

# %%
print(f"one by one: {2 * 3 * 3 * 64 * 64:,} forward passes; {DIRECTIONS} random directions: {2 * DIRECTIONS}")


class OneWrongNumber(Linear):
    def backward(self, grad_y, x):
        grad_x = super().backward(grad_y, x)
        self.weight.grad[12, 34] += 1
        return grad_x


report = gradcheck(OneWrongNumber(100, 100, rng=rng).astype(np.float64), rng.standard_normal((2, 100)))
print(report)
assert [tensor.name for tensor in report.tensors if tensor.problem] == ["weight"], "only the weights are wrong"

# %% [markdown]
# It does. A component of $v$ is about $1/\sqrt{10000}$, so the wrong number's share is about a hundredth. That is
# small, but thousands of times the tolerance. What you lose is the index: a direction says that something is wrong, not
# where. If a large array fails, build a smaller layer. `gradcheck` goes through arrays of up to 256 numbers one by one.
#
# ### Kinks
#
# ReLU, $y = \max(x, 0)$, has no derivative at 0. *Near* 0 there is another danger: the two points of a central
# difference may be on different sides of the kink. **Predict, then run:** for $x = 3 \cdot 10^{-6}$ the slope is 1.
# What slope does a step of $10^{-5}$ give?

# %%
slopes = [(max(3e-6 + h, 0) - max(3e-6 - h, 0)) / (2 * h) for h in STEPS]
for h, slope in zip(STEPS, slopes):
    print(f"h = {h:.0e}: slope {slope:.3f}")
draw_kink(3e-6, STEPS[:2])
plt.show()
assert np.allclose(slopes, [0.65, 1, 1]), "the largest step reaches across the kink: 13 millionths in 20"

# %% [markdown]
# The large step gives 0.65, and backward rightly says 1. That would be a false alarm. So where the two disagree,
# `gradcheck` tries smaller steps. It also looks at how much $L$ *bends*, $|L(x + h) - 2 L(x) + L(x - h)| / h$. For a
# smooth function this is close to 0. Across a kink it is large enough to explain the difference. Then the number is
# left out, and counted as skipped.

# %%
print(inspect.getsource(_compare))

# %% [markdown]
# Much of this chapter is in these lines. `direction` is an array of $x$'s shape: a single 1 among zeros, or the random
# $v$. `expected` is the slope along it according to backward. Find the central difference, the relative error with its
# floor, the bend, and the line that stops at the first step that agrees. Here is a ReLU with two inputs at 0, and one
# near it:

# %%
report = gradcheck(ReLU(), np.array([[1.0, -2, 0, 0.5, 4, -3], [3e-6, -1, 2, 0, 1.5, -0.5]]))
(tensor,) = report.tensors
print(f"{report}\n{tensor.compared} compared, {tensor.skipped} skipped")
assert report and tensor.skipped == 2, "the two zeros have no derivative; the number near zero has one"

# %% [markdown]
# If more than a quarter of the numbers are skipped, the check fails: it has shown too little.
#
# ### A check that compares nothing
#
# **Predict, then run:** this ReLU's backward always returns zeros. It gets inputs that are all negative, for which the
# true gradient is zero. Should the check pass?


# %%
class NoGradient(ReLU):
    def backward(self, grad_y, y):
        return np.zeros_like(grad_y)


report = gradcheck(NoGradient(), np.full((2, 3), -1.0))
print(report)
assert not report and "nothing was compared" in str(report), "zero equals zero, but that shows nothing"
assert SMALL == 256 and MOST_SKIPPED == 1 / 4, "the two limits that the text states"

# %% [markdown]
# Zero equals zero, and yet nothing was shown. So `gradcheck` fails a gradient that is zero everywhere. More generally,
# the inputs of a check should not be special. Do not use zeros, weights that are all equal, square images, or a single
# image. Make all sizes different, and try a stride above 1 and some padding. Each special case hides a mistake: a
# square image, for example, hides swapped axes.
#
# ### What no gradient check can see
#
# A gradient check shows that backward is the derivative of *this* forward. It does not show that this forward is what
# you meant: if both use the wrong padding, the check passes. For the forward you need an independent reference, such as
# a hand-worked example, slow loops, or another library.
#
# The forward must also be the same function every time. If it draws random numbers, as dropout does, a layer that sets
# random numbers to zero in training, it must draw the same ones in every call. `gradcheck` calls it twice with the same
# input, and fails it if the outputs differ.
#
# ## Portraits of mistakes
#
# When a check fails, do not stare at the code. Plot the gradient from backward against the numerical one, a point for
# each number. If all is right, the points lie on the diagonal.
#
# **Run the next cell, predict, then run the one after it.** The first draws six portraits in random order. Five belong to
# mistakes. Which is which?
#
# * nothing is wrong;
# * average pooling (05), which replaces a window of 2x2 by its mean: the gradient is not divided by four;
# * ReLU: the gradient also passes where $x$ was negative;
# * batch norm: a term is missing;
# * convolution: the kernel is not flipped;
# * convolution: the gradient is shifted by one row.

# %%
x = rng.standard_normal((2, 6, 4, 2))
relu, pool, conv = ReLU(), AvgPool2d(2), Conv2d(2, 2, 3, padding=1, rng=rng).astype(np.float64)
portraits = {}
for name in rng.permutation(
    ["avgpool-not-divided", "relu-passes-everything", "batchnorm-variance-constant", "conv-kernel-not-flipped",
     "conv-grad-x-shifted", "nothing"]
):  # fmt: skip
    kind = Conv2d if name == "nothing" else MISTAKES[name].kind
    layer = {ReLU: relu, AvgPool2d: pool, BatchNorm2d: norm, Conv2d: conv}[kind]
    g = rng.standard_normal(layer(x).shape)
    if name == "nothing":
        portraits[name] = input_gradients(layer, x, g)
    else:
        with planted(name):
            portraits[name] = input_gradients(layer, x, g)
draw_portraits(dict(zip("ABCDEF", portraits.values())))
plt.show()

# %%
for letter, (name, (analytic, numerical)) in zip("ABCDEF", portraits.items()):
    slope = np.polyfit(numerical.ravel(), analytic.ravel(), 1)[0]
    correlation = np.corrcoef(numerical.ravel(), analytic.ravel())[0, 1]
    print(f"{letter}: {name:28} slope {slope:5.2f}, correlation {correlation:5.2f}")
assert np.allclose(*portraits["nothing"], atol=1e-7), "the diagonal"
analytic, numerical = portraits["batchnorm-variance-constant"]
assert np.corrcoef(analytic.ravel(), numerical.ravel())[0, 1] > 0.9, "a thin cloud along the diagonal"
assert not np.allclose(analytic, numerical, atol=1e-3), "but not the diagonal itself"
analytic, numerical = portraits["avgpool-not-divided"]
assert np.allclose(analytic, 4 * numerical, atol=1e-7), "a factor: a line with another slope"
analytic, numerical = portraits["relu-passes-everything"]
assert np.allclose(analytic[x > 0], numerical[x > 0]) and not numerical[x < 0].any(), "a diagonal and a vertical line"
for name in ("conv-kernel-not-flipped", "conv-grad-x-shifted"):
    assert abs(np.corrcoef(*(gradient.ravel() for gradient in portraits[name]))[0, 1]) < 0.5, "a cloud"

# %% [markdown]
# * A straight line with the wrong slope is a **factor**: a mean instead of a sum, or a missing $1/N$. The slope says
#   which factor.
# * A diagonal with a vertical line at 0 means that some numbers **get a gradient that they should not get**.
# * A thin cloud along the diagonal means that **a small term is missing**.
# * A cloud without a direction means that the gradients have the right size, but are **at the wrong index**: they are
#   flipped, shifted, transposed or permuted. Two mistakes of this kind look alike. To tell them apart, let `grad_y`
#   have a single 1, and look at `grad_x` as an image.
#
# ## Find the mistakes
#
# Now do it without a list to choose from. Each of these four layers has one planted mistake. Their names are in rot13, so
# that you do not read them by accident. **Guess each mistake from its report**, then run the cell after it.

# %%
suspects = {}
for layer, x, secret in (
    (Linear(3, 2, rng=rng), rng.standard_normal((5, 3)), "yvarne-tenq-ovnf-nirentrq"),
    (AvgPool2d((2, 3)), rng.standard_normal((2, 4, 6, 2)), "nitcbby-abg-qvivqrq"),
    (Conv2d(2, 3, 3, padding=1, rng=rng), rng.standard_normal((2, 5, 4, 2)), "pbai-tenq-jrvtug-syvccrq"),
    (ReLU(), rng.standard_normal((5, 3)), "eryh-va-cynpr"),
):
    with planted(codecs.decode(secret, "rot13")):
        suspects[secret] = gradcheck(layer.astype(np.float64), x)
    print(f"{len(suspects)}. {type(layer).__name__}, x {x.shape}\n{suspects[secret]}\n")
    assert not suspects[secret], "each of the four must fail"

# %%
wrong = [next(tensor for tensor in report.tensors if tensor.problem) for report in suspects.values()]
for number, (secret, tensor) in enumerate(zip(suspects, wrong), 1):
    name = codecs.decode(secret, "rot13")
    print(f"{number}. {tensor.name}: error {tensor.error:.4f}; {MISTAKES[name].what}. Why? {MISTAKES[name].why}.")
assert [tensor.name for tensor in wrong] == ["bias", "input", "weight", "input"], "where each of the four fails"
assert np.isclose(wrong[0].error, 1 - 1 / 5), "a factor of 5, and the batch has 5 rows"
assert np.isclose(wrong[1].error, 1 - 1 / 6), "a factor of 6, and a window has 6 pixels"
assert wrong[2].error > 1, "no factor; the input is right, so the geometry is right, but the kernel's order is not"
assert "in place" in wrong[3].problem, "grad_y was changed"

# %% [markdown]
# The fourth layer returns the right numbers, and fails before any is compared, so its error counts as infinite. Alone,
# it would do no harm. Beside a shortcut, which is given the very same array (06), it would spoil the shortcut's
# gradient. `gradcheck` first checks whether a layer keeps such promises: see
# [`layers/protocol.py`](../resnet_scratch/layers/protocol.py).
#
# The library knows more mistakes. A test plants each of them and demands that some check fails. In other words, the
# test checks the checks.

# %%
caught = {name: len(failing_checks(name)) for name in MISTAKES}
for name, count in caught.items():
    print(f"{name:30} found by {count} of the library's checks")
assert all(caught.values()), "a mistake that no check finds means that a check is missing"

# %% [markdown]
# ## Your own layer
#
# Suppose you have read about PReLU, a ReLU whose negative side has a learned slope for each channel (He et al. 2015,
# "Delving Deep into Rectifiers", equation 1): $y = x$ where $x > 0$, else $y = ax$. You write it as a `Layer`, with the
# slopes as a `Parameter`, so that the checker finds them:


# %%
class PReLU(Layer):
    def __init__(self, channels):
        self.slope = Parameter(np.full(channels, 0.25, np.float32))  # networks train in float32

    def forward(self, x, training=False):
        return np.where(x > 0, x, self.slope.value * x), x

    def backward(self, grad_y, x):
        self.slope.grad = (grad_y * x).sum((0, 1, 2))
        return grad_y * np.where(x > 0, 1, self.slope.value)


images = rng.standard_normal((3, 5, 4, 2))
report = gradcheck(PReLU(2).astype(np.float64), images)
print(report)
assert [tensor.name for tensor in report.tensors if tensor.problem] == ["slope"], "the input passes, the slope does not"

# %% [markdown]
# `input` passes and `slope` fails, so you know which line to look at. **Predict** the correction before you read on.
#
# The slope counts only where $x$ is negative. There the derivative of $y$ with respect to it is $\partial y / \partial
# a = x$; elsewhere it is 0.


# %%
class CorrectedPReLU(PReLU):
    def backward(self, grad_y, x):
        self.slope.grad = (grad_y * np.minimum(x, 0)).sum((0, 1, 2))
        return grad_y * np.where(x > 0, 1, self.slope.value)


report = gradcheck(CorrectedPReLU(2).astype(np.float64), images)
print(report)
assert report, "now both gradients are right"

# %% [markdown]
# Note what helped: three images, height and width that differ, two channels, and random numbers.
#
# Now derive a backward pass yourself, and let the checker grade it.

# %% tags=["task"]
task("3.5")

# %% [markdown]
# ## A whole network at once
#
# A network is a layer too. Checking it tests every layer, the order of the backward pass, and the sums at the
# shortcuts. Here is a small residual network, with all its parameters:

# %%
network = build(ResNetConfig("small", "basic", (1, 1), (4, 8), "cifar", "A", 8), 3, rng=rng)
for _, layer in network.named_layers():
    if isinstance(layer, BatchNorm2d):  # 0 is a special value, and a check should have none
        layer.bias.value = rng.uniform(-0.5, 0.5, layer.channels)
report = gradcheck(network.astype(np.float64), rng.standard_normal((2, 8, 6, 3)))
print(report)
assert report, "every gradient of the network must agree with its forward pass"

# %% [markdown]
# On the command line, `resnet-scratch gradcheck` checks every layer, block and loss of the library in this way.
#
# ## Questions to think about
#
# <details><summary>What would the portraits of a wrong sign and of a lost border look like?</summary>
#
# A wrong sign gives a straight line of slope $-1$. If the pixels of the border get no gradient, their points lie on the
# horizontal line at 0, and the others on the diagonal. If the line is vertical instead, some numbers get a gradient
# although they should not.
#
# </details>
#
# <details><summary>Why not train with numerical gradients, and skip backward altogether?</summary>
#
# Because of the cost. Central differences need two forward passes for every weight. ResNet-20 has 0.27 million weights
# (He et al. 2015, "Deep Residual Learning", table 6), so one step would take more than half a million forward passes. A
# backward pass computes all gradients at about the cost of two or three (02).
#
# </details>
#
# <details><summary>Is there a way around the rounding error?</summary>
#
# For functions that accept complex numbers there is: the imaginary part of $f(x + ih)$, divided by $h$, approximates
# $f'(x)$ as well as a central difference does (Squire and Trapp 1998). Nothing is subtracted, so nothing cancels, and
# $h$ can be $10^{-100}$. But a comparison such as `x > 0` has no meaning for complex numbers, so ReLU and max pooling
# would need special treatment. That is why gradient checks of networks use central differences.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `gradcheck(layer, x)` | `torch.autograd.gradcheck(function, inputs)`, meant for float64 too |
# | the step, `STEPS = (1e-5, 1e-6, 1e-7)` | the argument `eps=1e-6`, which is a step, not a precision |
# | `tolerance=1e-6`, relative with a floor | `atol=1e-5, rtol=1e-3` |
# | a random $g$ | the whole Jacobian; with `fast_mode=True`, a random combination of its rows |
# | random directions for large arrays | `fast_mode=True` |
# | a forward that differs between two calls fails | `nondet_tol=0.0`: a backward that differs between two calls fails |
# | `layer.backward(g, cache)` | `torch.autograd.grad(y, x, g)` |
#
# In PyTorch, you need a gradient check whenever you write the backward of a `torch.autograd.Function`.
#
# ## Sources
#
# * Nocedal and Wright 2006, "Numerical Optimization", second edition, section 8.1: forward and central differences, and
#   their best steps.
# * Goldberg 1991, "What Every Computer Scientist Should Know About Floating-Point Arithmetic": rounding, cancellation.
# * Baydin, Pearlmutter, Radul and Siskind 2018, "Automatic Differentiation in Machine Learning: a Survey", section 2.1.
# * Karpathy and others, "CS231n: Convolutional Neural Networks for Visual Recognition", course notes on gradient
#   checks: relative errors, kinks, double precision.
# * He, Zhang, Ren and Sun 2015, "Delving Deep into Rectifiers", equation 1: PReLU. He, Zhang, Ren and Sun 2015, "Deep
#   Residual Learning for Image Recognition", table 6: the number of weights.
# * Squire and Trapp 1998, "Using Complex Variables to Estimate Derivatives of Real Functions".
#
# Next: [04 Batch normalisation](04_batchnorm.py), the layer whose gradient most people get wrong at first.
