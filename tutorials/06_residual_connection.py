# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 06 The residual connection
#
# One addition made it easy to train networks of more than a hundred layers. This tutorial examines it: what it computes,
# what its gradient is, and why it matters which layers come after it. By the end you will have written a residual block
# of your own.
#
# By the end you will be able to
#
# * explain why a deeper network should not be worse than a shallow one, and how shortcuts let it copy the shallow one;
# * derive the gradient of $y = x + F(x)$, and show that it does not vanish even where $F$ passes nothing on;
# * write the forward and the backward pass of a residual block, and check both;
# * fit a shortcut where the shape changes (the paper's options A and B), and say what each costs;
# * predict what a signal and a gradient do over many blocks, for each position of the last ReLU.
#
# **Needs:** 02 (chain rule, convolution backward), 03 (gradient checking), 04 (batch norm), 05 (ReLU).
# **Time:** 60 minutes to read and try, and 100 minutes for the tasks. The cells run for about fifteen seconds.

# %%
import inspect
import math

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.data import load, normalise
from resnet_scratch.exercises import task
from resnet_scratch.figures.blocks import draw_block, draw_classes, draw_ideas, draw_orders, draw_shortcuts
from resnet_scratch.figures.residual import draw_frames, draw_gradients, draw_maps, draw_signals
from resnet_scratch.gradcheck import gradcheck
from resnet_scratch.layers import Add, BatchNorm2d, Conv2d, ReLU, Sequential, SubsamplePad
from resnet_scratch.layers.residual import add_gradients
from resnet_scratch.models import build
from resnet_scratch.models.blocks import BasicBlock, PlainBlock, make_shortcut
from resnet_scratch.models.variants import PreActBlock, ReluBeforeAddBlock
from resnet_scratch.verify.mistakes import planted

# %% [markdown]
# In this chapter $g = \partial L / \partial y$ is the upstream gradient, which `backward` is given as `grad_y`.
#
# ## A deeper network should not be worse
#
# In 2015, He et al. trained plain networks of 20 and of 56 layers on CIFAR-10, small photographs in ten classes (their
# figure 1). The deeper one was worse, and not only on the test images: its *training* error was higher, too. So this
# was not overfitting. The deeper network had more weights, and fitted the data less well.
#
# Think of all the functions that a network can compute, over all values of its weights. Call this set $\mathcal{F}_1$ for
# a shallow network, and $\mathcal{F}_2$ and $\mathcal{F}_3$ for deeper ones:

# %%
draw_classes()
plt.show()

# %% [markdown]
# If the sets are *nested*, as on the right, each contains the one before. Then more depth can only bring the network
# closer to the best function. If they are not nested, as on the left, more depth can lead away from it.
#
# A deeper network contains the shallower one if the added layers can do nothing, that is, compute the identity. For a
# plain block $y = F(x)$ this is possible in principle, but only with very special weights: filters that copy their input,
# and a batch norm that undoes itself. Training would have to find these among all others. A **residual block** computes
#
# $$ y = x + F(x) $$
#
# and it does nothing if $F(x) = 0$. That is easy to reach: it is enough that the scale and the bias of the last batch
# norm are zero. (This makes the deeper network *able* to copy the shallow one. How well each trains is another question,
# for tutorial 09.)
#
# **Predict, then run.** We insert one more block into a network and set the scale of its last batch norm to zero. What
# are the logits then, with a plain block and with a residual block?

# %%
shapes = load()
images = normalise(shapes.test_images[:32, ::2, ::2], shapes.mean, shapes.std)  # (32, 16, 16, 3): every other pixel
shallow = build("resnet8", rng=np.random.default_rng(0))
logits = shallow(images)
for block_class in (PlainBlock, BasicBlock):
    extra = block_class(16, 16, 1, "A", np.random.default_rng(1))
    extra.bn2.weight.value[:] = 0  # its bias is 0 from the start
    layers = {}
    for name, layer in shallow.children():
        layers[name] = layer
        if name == "layer1":
            layers["extra"] = extra
    deeper = Sequential(**layers)(images)
    same, forgotten = np.array_equal(deeper, logits), (deeper == deeper[0]).all()
    print(f"{block_class.__name__:10} the same logits as before: {same},  the same for every image: {forgotten}")
    assert (same, forgotten) == ((True, False) if block_class is BasicBlock else (False, True))

# %% [markdown]
# The plain block outputs zeros and has forgotten the images. The residual block passes its input on. (`BasicBlock` ends
# with a ReLU, as you will see. It changes nothing here, because its input comes from a ReLU and is never negative.)
# From there it can learn small changes. Some training recipes start like this on purpose (Goyal et al. 2017, section
# 5.1). In this library it is the option `zero_init` of `ResNetConfig`.
#
# ## The gradient, in one dimension
#
# Take single numbers, and a branch of two weights with a ReLU between them:
#
# $$ y = x + a \cdot \mathrm{relu}(b x), \qquad
#    \frac{dy}{dx} = 1 + \begin{cases} ab & \text{if } bx > 0 \\ 0 & \text{otherwise} \end{cases} $$
#
# **Predict, then run.** Let $x = 2$ and $a = 3$, once with $b = 0.5$ and once with $b = -0.5$. What are $y$ and $dy/dx$?
# And what would they be without the shortcut?


# %%
def residual(x, a, b):
    """One number through one residual block."""
    return x + a * max(b * x, 0.0)


delta = 1e-6
for b in (0.5, -0.5):
    y = residual(2.0, 3.0, b)
    slope = (residual(2.0 + delta, 3.0, b) - residual(2.0 - delta, 3.0, b)) / (2 * delta)
    print(f"b = {b:4}:  y = {y},  dy/dx = {slope:.4f},  without the shortcut y = {y - 2.0}, dy/dx = {slope - 1:.4f}")
    assert math.isclose(slope, 1 + 3.0 * max(b, 0), rel_tol=1e-6), "the slope must be 1 + ab where the ReLU is active"

# %% [markdown]
# In the second line the ReLU is inactive. Without the shortcut, nothing would get through in either direction. With it,
# the signal and the gradient pass as if the block were not there.
#
# ## The fork and the addition
#
# A residual block has two special spots: the fork, where $x$ goes both into the branch and into the shortcut, and the
# addition, where the two meet again.
#
# **The addition.** Write $y_i = f_i + c_i$ for every number $i$ of the branch $f$ and of the shortcut $c$. Then
# $\partial L / \partial f_i = \partial L / \partial c_i = g_i$. Both get the whole gradient; it is not divided between
# them.
#
# **The fork.** Gradients add where a value forks (02). So the gradient of $x$ is the sum of what comes back from both:
#
# $$ \frac{\partial L}{\partial x} =
#    \underbrace{\;g\;}_{\text{shortcut}} + \underbrace{J_F^T \, g}_{\text{branch}}
#    = (I + J_F)^T \, g $$
#
# where $J_F$ is the Jacobian of $F$. The two rules are mirror images: *a sum forward is a copy backward; a copy forward
# is a sum backward.*

# %% tags=["task"]
task("6.1")

# %% [markdown]
# Here is the addition as a layer of the library.

# %%
print(inspect.getsource(Add.forward))
print(inspect.getsource(Add.backward))
grad_y = np.array([[1.0, -2.0]])
grad_branch, grad_shortcut = Add().backward(grad_y, grad_y.shape)
print(grad_branch, grad_shortcut, "one and the same array:", grad_branch is grad_shortcut)
assert grad_branch is grad_y and grad_shortcut is grad_y

# %% [markdown]
# `backward` returns the same array twice, without a copy. That is fast, but it is safe only because of a rule of this
# library: **backward must not change `grad_y`.** Let us break the rule. This batch norm writes its result into the array
# that it was given.
#
# **Predict, then run.** Which gradients of the block will be wrong: those of some parameters, or that of the input?


# %%
class CarelessBatchNorm(BatchNorm2d):
    """Computes the right numbers, but overwrites grad_y with them."""

    def backward(self, grad_y, cache):
        grad_y[...] = super().backward(grad_y, cache)
        return grad_y


rng = np.random.default_rng(0)
block = BasicBlock(3, 3, 1, "A", rng)
block.bn2 = CarelessBatchNorm(3)
x = rng.standard_normal((2, 4, 5, 3))
report = gradcheck(block.astype(np.float64), x)
print(report)
wrong = [tensor.name for tensor in report.tensors if tensor.problem]
assert wrong == ["input"], "the mistake must show in the gradient of the input, and only there"

# %% [markdown]
# Every parameter of the block has the right gradient, but the input has a wrong one. By the time the shortcut's gradient
# is added, the batch norm has overwritten it. A check of the batch norm alone finds the mistake too, because `gradcheck`
# compares the `grad_y` that it passed in with a copy:

# %%
careless = gradcheck(CarelessBatchNorm(3).astype(np.float64), x)
print(careless.tensors[0])
assert "in place" in careless.tensors[0].problem, "gradcheck must say that grad_y was changed"

# %% [markdown]
# ## A relative: highway networks
#
# A few months before ResNets, Srivastava, Greff and Schmidhuber (2015) had trained very deep networks with shortcuts of
# another kind. Their **highway networks** have a *gate* $T(x)$ with values between 0 and 1, a sigmoid with weights of its
# own. The gate decides, for each number, how much comes from the branch and how much from the shortcut:
#
# $$ y = F(x) \cdot T(x) + x \cdot (1 - T(x)) $$
#
# (They write $H$ for $F$.) A residual block has no gate: it always takes all of both.

# %%
draw_ideas()
plt.show()

# %% [markdown]
# In a highway layer $x$ forks three ways, so its gradient is a sum of three. In one dimension, the product rule gives
#
# $$ \frac{dy}{dx} = \underbrace{F' \, T}_{\text{branch}} + \underbrace{(F - x) \, T'}_{\text{gate}} +
#    \underbrace{(1 - T)}_{\text{shortcut}} $$
#
# On the shortcut, the gradient is multiplied by $1 - T$ in every layer. **Predict, then run.** Let the gate be 0.1
# everywhere, so that 90 % of the signal takes the shortcut. How much of the gradient is left on the shortcut after 54
# layers?

# %%
for gate in (0.5, 0.1, 0.01, 0.0):
    print(f"gate {gate:4}: after 54 layers, the shortcut passes on {(1 - gate) ** 54:.2g} of the gradient")


def highway(x):
    """A branch tanh(2 x) and a gate sigmoid(x - 1)."""
    gate = 1 / (1 + math.exp(1 - x))
    return math.tanh(2 * x) * gate + x * (1 - gate)


x0 = 0.7
F, T = math.tanh(2 * x0), 1 / (1 + math.exp(1 - x0))
by_hand = 2 * (1 - F**2) * T + (F - x0) * T * (1 - T) + (1 - T)
measured = (highway(x0 + delta) - highway(x0 - delta)) / (2 * delta)
print(f"dy/dx at x = {x0}: by hand {by_hand:.6f}, measured {measured:.6f}")
assert math.isclose(by_hand, measured, rel_tol=1e-6), "the three parts must add up to the slope"

# %% [markdown]
# With a gate of 0.1, less than half a per cent is left. Highway networks therefore start with gates that are nearly
# closed: the bias of the gate is negative. The shortcut of a residual block has the factor 1, so nothing is lost. He et
# al. (2016, section 3) compare several gated and scaled shortcuts in a ResNet-110, and find the plain identity best.
#
# ## The block, step by step
#
# A **basic block** has seven steps: convolution, batch norm, ReLU, convolution, batch norm, addition, ReLU. The green
# line is the shortcut. Every array on the way has the shape of $x$, because the convolutions have as many kernels as $x$
# has channels, a stride of 1 and a padding of 1.

# %%
draw_block()
plt.show()

# %% [markdown]
# Now write it. In the task, the shortcut is a layer as well, called `downsample`. Where the shape stays the same, it is
# an empty `Sequential`, which returns its input. Where the shape changes, it is one of two layers that you will meet
# below: one without parameters, or a small convolution with a batch norm. You will need this block for the milestone at
# the end of tutorial 08, where a ResNet of your own layers learns. (The task has the number 6.5; tasks 6.2 to 6.4 come
# later.)

# %% tags=["task"]
task("6.5")

# %% [markdown]
# Here is the library's forward pass. Each step returns its output and its cache, and the block's own cache is the tuple
# of them.

# %%
print(inspect.getsource(BasicBlock.forward))

# %% [markdown]
# Take the steps one at a time, for 32 images of the built-in data set. A first convolution with 16 kernels, batch norm
# and ReLU turn the three colours into 16 channels.
#
# **Predict, then run.** After which steps is the mean 0? After which are no numbers negative?

# %%
rng = np.random.default_rng(0)
stem = Sequential(Conv2d(3, 16, 3, padding=1, bias=False, rng=rng), BatchNorm2d(16), ReLU())
x, _ = stem.forward(images, training=True)
block = BasicBlock(16, 16, 1, "A", rng)

steps = {"x": x}
for name in ("conv1", "bn1", "relu1", "conv2", "bn2"):
    previous = list(steps.values())[-1]
    steps[name], _ = getattr(block, name).forward(previous, training=True)
steps["add"], _ = block.add.forward(steps["bn2"], x)
steps["relu2"], _ = block.relu2.forward(steps["add"])

print(f"{'':6} {'shape':18} {'mean':>6} {'std':>6} {'min':>6} {'negative':>9}")
for name, values in steps.items():
    statistics = f"{values.mean():6.2f} {values.std():6.2f} {values.min():6.2f} {(values < 0).mean():9.0%}"
    print(f"{name:6} {str(values.shape):18} {statistics}")
assert np.array_equal(steps["relu2"], block.forward(x, training=True)[0]), "the seven steps are the block"
for name in ("bn1", "bn2"):
    assert abs(steps[name].mean()) < 1e-3 and abs(steps[name].std() - 1) < 1e-3, "batch norm gives mean 0 and std 1"

# %% [markdown]
# Batch norm gives every channel a mean of 0 and a standard deviation of 1, so many of its outputs are negative. The
# branch has mean 0, so the mean of the sum is that of $x$. The last ReLU sets what is still negative to zero, and that
# raises the mean. Remember this: *every untrained block of this kind raises the mean.*
#
# And here is one channel of one image: $x$, what the branch adds to it, and the output of the block.

# %%
image, channel = 1, int(np.argmax(x[1].std((0, 1))))
titles = {"x": "x", "bn2": "F(x), the branch", "relu2": "relu(x + F(x))"}
draw_maps(shapes.test_images[image], {title: steps[name][image, :, :, channel] for name, title in titles.items()})
plt.show()

# %% [markdown]
# The branch is untrained. What it adds varies more than the signal, and means nothing yet. Still you can recognise the
# shape in the output, because $x$ is part of it.
#
# ## The backward pass
#
# Read the forward pass from its last line to its first. **Predict, then run:** write down which gradient arrives at
# `relu2`, at `bn2`, at the shortcut and at $x$. The orange arrows of the next drawing are the gradients.

# %%
draw_block(backward=True)
plt.show()

# %%
print(inspect.getsource(BasicBlock.backward))
print(inspect.getsource(add_gradients))

# %% [markdown]
# There are eight lines forward and eight lines backward, in the opposite order. At `add`, the gradient goes two ways. The
# ninth line belongs to the fork, which has no line of its own in the forward pass: there `x` is simply used twice. Its
# backward is the sum, `add_gradients`.
#
# Follow the size of the gradient through the block. **Predict:** the branch's part and the shortcut's part are added. Is
# the size of the sum the sum of the two sizes?

# %%
y, cache = block.forward(x, training=True)
conv1, bn1, relu1, conv2, bn2, downsample, add, relu2 = cache
grad_y = np.random.default_rng(5).standard_normal(y.shape).astype(np.float32)


def size(gradient):
    """The length of the gradient as one long vector."""
    return float(np.linalg.norm(gradient))


print(f"{'grad_y':24} {size(grad_y):7.1f}")
grad_sum = block.relu2.backward(grad_y, relu2)
print(f"{'after relu2, grad_sum':24} {size(grad_sum):7.1f}")
grad_branch, grad_shortcut = block.add.backward(grad_sum, add)
for name, its_cache in (("bn2", bn2), ("conv2", conv2), ("relu1", relu1), ("bn1", bn1), ("conv1", conv1)):
    grad_branch = getattr(block, name).backward(grad_branch, its_cache)
    print(f"{'after ' + name:24} {size(grad_branch):7.1f}")
grad_x = add_gradients(grad_branch, grad_shortcut)
print(f"{'shortcut':24} {size(grad_shortcut):7.1f}\n{'grad_x, the sum':24} {size(grad_x):7.1f}")
assert np.array_equal(grad_x, block.backward(grad_y, cache)), "step by step, it must be the block's backward"
root = math.hypot(size(grad_branch), size(grad_shortcut))
print(f"{'root of sum of squares':24} {root:7.1f}")
assert abs(size(grad_x) / root - 1) < 0.1, "the two parts are nearly orthogonal"

# %% [markdown]
# No. The two parts point in nearly orthogonal directions, so the squares of their sizes add, as in Pythagoras' theorem.
#
# Is the backward pass right? The numerical derivative says so, for the input and for every parameter:

# %%
small = BasicBlock(3, 4, 2, "B", np.random.default_rng(2)).astype(np.float64)
report = gradcheck(small, np.random.default_rng(3).standard_normal((2, 5, 6, 3)))
print(report)
assert report, "the block's backward must agree with its forward"

# %% [markdown]
# **Predict, then run.** Forget the shortcut in backward, and return the branch's gradient only. Which lines of the report
# will fail? Would a network with this mistake still learn?


# %%
block = BasicBlock(3, 3, 1, "A", np.random.default_rng(2)).astype(np.float64)
with planted("block-forgets-shortcut"):
    report = gradcheck(block, np.random.default_rng(3).standard_normal((2, 5, 6, 3)))
print("\n".join(f"{t.name:12} {'FAILED' if t.problem else 'ok'}" for t in report.tensors))
failed = [t.name for t in report.tensors if t.problem]
assert failed == ["input"], "only the gradient with respect to the input is wrong"

# %% [markdown]
# Only the input fails. All weights of this block get the right gradient, and it learns. The blocks *before* it get a
# wrong one. Such a network trains, is worse than it should be, and nobody sees why. A loss that falls does not show that
# the gradients are right.
#
# ## Where the shape changes
#
# $x + F(x)$ needs two arrays of the same shape. A ResNet consists of **stages**, and within a stage the shape stays the
# same. In the first block of every stage but the first, the branch halves the height and the width (its first
# convolution has stride 2, written "/2" here) and doubles the channels. So the shortcut must change the shape in the
# same way. The paper has two ways to do it (section 3.3):

# %%
draw_shortcuts()
plt.show()

# %% [markdown]
# **Option A** takes every second pixel and fills the new channels with zeros, here half of them before the old channels
# and half after them. It has no parameters. Take an image of 4x4 pixels with one channel; the output has 2x2 pixels and
# three channels.
#
# **Predict, then run.** Let every gradient of the output be 1. What is the gradient with respect to the 16 pixels?

# %%
pixels = np.arange(16.0).reshape(1, 4, 4, 1)
shortcut_a = SubsamplePad(in_channels=1, out_channels=3, stride=2)
y, cache = shortcut_a.forward(pixels)
print("x:\n", pixels[0, :, :, 0], "\n")
for c in range(3):
    print(f"y, channel {c}:\n", y[0, :, :, c])
grad = shortcut_a.backward(np.ones_like(y), cache)
print("\ngradient with respect to x:\n", grad[0, :, :, 0])
assert grad.sum() == 4, "four of the sixteen pixels were taken, so four get a gradient"

# %% [markdown]
# Three out of four pixels do not pass through the shortcut, in either direction. For them the branch is the only path. A
# shortcut that averages uses all of them:

# %% tags=["task"]
task("6.2")

# %% [markdown]
# Compare your layer with option A in the library:

# %%
print(inspect.getsource(SubsamplePad.forward))
print(inspect.getsource(SubsamplePad.backward))

# %% [markdown]
# Both methods use the same two slices, but on opposite sides of the equals sign. That is the transpose again: what
# was read is written, and what was not read stays 0.
#
# **Option B** is a 1x1 convolution with stride 2, and a batch norm. It takes the same pixels as option A, but its
# channels are weighted sums of the old ones.

# %%
shortcut_b = make_shortcut("B", 1, 3, 2, np.random.default_rng(0))
for name, layer in shortcut_b.children():
    shapes_of_parameters = {key: parameter.value.shape for key, parameter in layer.named_parameters()}
    print(f"{name}: {type(layer).__name__:12} {shapes_of_parameters}")

# %% [markdown]
# What does it cost? **Predict, then run.** A network has one such shortcut for each change of shape. A 1x1 convolution
# from 16 to 32 channels has $16 \cdot 32$ weights, and its batch norm $2 \cdot 32$. How many parameters is that for
# ResNet-20, with 16, 32 and 64 channels? (The cell also counts ResNet-18, for ImageNet: photographs in 1,000 classes.)

# %%
for network, widths in (("resnet20, on CIFAR-10", (16, 32, 64)), ("resnet18, on ImageNet", (64, 128, 256, 512))):
    for option in "AB":
        rng = np.random.default_rng(0)
        shortcuts = [make_shortcut(option, c, o, 2, rng) for c, o in zip(widths, widths[1:])]
        parameters = sum(p.value.size for s in shortcuts for p in s.parameters())
        print(f"{network}, option {option}: {parameters:>8,} parameters in {len(shortcuts)} shortcuts")
        by_hand = sum(c * o + 2 * o for c, o in zip(widths, widths[1:]))
        assert parameters == (by_hand if option == "B" else 0), "the weights of the convolutions and of the batch norms"

# %% [markdown]
# Does the choice matter? For ResNet-34 on ImageNet, the paper (table 3) has these top-1 errors, the share of validation
# images whose most probable class is wrong. (The probabilities are averaged over ten crops of each image.)
#
# | shortcut | error |
# |---|---|
# | none (plain network) | 28.54 % |
# | A where the shape changes | 25.03 % |
# | B where the shape changes | 24.52 % |
# | C: a convolution on *every* shortcut | 24.19 % |
#
# So having a shortcut matters a lot, and which kind matters little. The paper uses A on CIFAR-10. On ImageNet it uses B
# from 50 layers on, and A in its comparison of 18 and 34 layers (table 2). Here all networks for ImageNet use B, as in
# torchvision.
#
# ## Where does the last ReLU go?
#
# In the paper of 2015 the block ends with **add, relu**. Many write-ups have **relu, add** instead. Three months
# later, the same authors compared several orders of the same layers (He et al. 2016, figure 4; the letters are theirs):

# %%
draw_orders()
plt.show()

# %% [markdown]
# Look at the green line, and at what it meets on its way to $y$. In (a) this is a ReLU. Block (b) *moves* the second
# batch norm to after the addition, where it changes the shortcut's signal too. In (c) and (e) nothing is in the way. In
# (c), however, the branch ends with a ReLU, and in (e) with a convolution. In this library, (a) is `BasicBlock`, (c) is
# `ReluBeforeAddBlock` and (e) is `PreActBlock`. Compare (e) with the forward pass of (a) above: which line is the last?

# %%
print(inspect.getsource(PreActBlock.forward))

# %% [markdown]
# It is the addition, and the shortcut gets $x$ itself: batch norm and ReLU are on the branch only.
#
# The backward pass of (b) is a good test of whether you know where the gradients go.

# %% tags=["task"]
task("6.3")

# %% [markdown]
# ### The mean of the signal
#
# Send a signal through many untrained blocks of the kind (c). What happens to its mean can be computed by hand:

# %% tags=["task"]
task("6.4")

# %% [markdown]
# With a scale of 1, the last batch norm of the branch outputs numbers $z$ with mean 0 and variance 1. If they are
# normally distributed, then
#
# $$ E[\mathrm{relu}(z)] = \int_0^\infty z \, \frac{e^{-z^2/2}}{\sqrt{2\pi}} \, dz
#    = \frac{1}{\sqrt{2\pi}} \approx 0.4 $$
#
# So each block of the kind (c) raises the mean by 0.4, and nothing ever lowers it. After $D$ blocks it has risen by
# $D / \sqrt{2\pi}$.
#
# **Predict, then run.** We send the images through 54 untrained blocks of each kind, as many as ResNet-110 has. What
# happens to the mean of the signal in (a) and (e), and to its standard deviation?

# %%
BLOCKS = 54
KINDS = {"(a) ReLU after": BasicBlock, "(c) ReLU before": ReluBeforeAddBlock, "(e) pre-activation": PreActBlock}


def send_through(block_class, x, count=BLOCKS, seed=1):
    """(blocks, their caches, the signal before the first block and after each) of `count` untrained blocks."""
    rng = np.random.default_rng(seed)
    blocks = [block_class(x.shape[3], x.shape[3], 1, "A", rng) for _ in range(count)]
    caches, signals = [], [x]
    for block in blocks:
        y, cache = block.forward(signals[-1], training=True)
        caches.append(cache)
        signals.append(y)
    return blocks, caches, signals


runs = {kind: send_through(block_class, x) for kind, block_class in KINDS.items()}
means = {kind: [float(signal.mean()) for signal in signals] for kind, (_, _, signals) in runs.items()}
deviations = {kind: [float(signal.std()) for signal in signals] for kind, (_, _, signals) in runs.items()}
predicted = float(x.mean()) + np.arange(BLOCKS + 1) / math.sqrt(2 * math.pi)
draw_signals(means, deviations, predicted)
plt.show()

raised = means["(c) ReLU before"][-1] - means["(c) ReLU before"][0]
print(f"{BLOCKS} blocks of the kind (c) raise the mean by {raised:.1f}; predicted {predicted[-1] - predicted[0]:.1f}")
assert abs(raised * math.sqrt(2 * math.pi) / BLOCKS - 1) < 0.2, "the mean should rise by about 0.4 per block"
assert abs(means["(e) pre-activation"][-1]) < means["(a) ReLU after"][-1] < means["(c) ReLU before"][-1]

# %% [markdown]
# In (e) the branch ends in a convolution, whose outputs are as often negative as positive, so the mean hardly moves. In
# (a) the branch has both signs too, and the ReLU after the addition removes only what falls below zero, so the mean
# rises more slowly than in (c). The standard deviation grows in all three, because every branch adds something.
#
# A block of the kind (c) can only add, never subtract. Count how often: at what share of all positions does a block
# make the signal smaller?

# %%
shares = {}
for kind, (_, _, signals) in runs.items():
    shares[kind] = np.mean([(after < before).mean() for before, after in zip(signals, signals[1:])])
    print(f"{kind:20} a block makes the signal smaller at {shares[kind]:4.0%} of all positions")
assert shares["(c) ReLU before"] == 0, "relu(...) is never negative"

# %% [markdown]
# ### Does the growing mean do harm?
#
# The next batch norm subtracts the mean of every channel, so you might think that the growing mean does no harm. But
# consider what a convolution with zero padding does to a large constant. In the middle of the image, all nine weights
# meet the constant. At the border, some of them meet zeros. The result is a frame around the image. It is the same in
# every image, and it is stronger the larger the constant is.
#
# So ask how much of the output of the last block's first convolution tells one image from another. We split its variance
# into a part *between the images*, at the same position, and a part that is the same in all images.


# %%
def share_between_images(block, signal):
    """How much of the variance of the output of the block's first convolution differs between images, from 0 to 1."""
    if isinstance(block, PreActBlock):  # there, batch norm and ReLU come first
        signal, _ = block.bn1.forward(signal, training=True)
        signal, _ = block.relu1.forward(signal, training=True)
    h, _ = block.conv1.forward(signal, training=True)
    return float(h.var(axis=0).mean() / h.var(axis=(0, 1, 2)).mean()), h


between, frames = {}, {}
for kind, (blocks, _, signals) in runs.items():
    between[kind], h = share_between_images(blocks[-1], signals[-2])
    print(f"{kind:20} {between[kind]:.0%} of the variance tells images apart")
    h = (h - h.mean((0, 1, 2))) / h.std((0, 1, 2))
    frames[kind] = np.abs(h.mean(0)).mean(-1)  # the mean over all images, its size averaged over the channels: (16, 16)
draw_frames(frames)
plt.show()
assert between["(c) ReLU before"] < between["(e) pre-activation"] - 0.1, "the frame should take its share"

# %% [markdown]
# There is the frame. In (c), a large part of what batch norm receives, and scales to variance 1, is the outline of the
# padding. This is no disaster: an untrained network has time to learn, and training changes these numbers. But it leaves
# less room for the signal.
#
# He et al. 2016 trained all of these on CIFAR-10 (table 2; ResNet-110, test error):
#
# | order | error |
# |---|---|
# | (a) ReLU after the addition | 6.61 % |
# | (b) batch norm after the addition | 8.17 % |
# | (c) ReLU before the addition | 7.84 % |
# | (e) pre-activation | 6.37 % |
#
# They explain (c) as you have seen: the branch is never negative, so the forward signal only grows, and this "may
# impact the representational ability". Two small networks of this library differ only in where the last ReLU is:
# `article` has it before the addition, as in (c), and `article-relu-after-add` after it, as in (a). Train each with
# `resnet-scratch train --model`; then `resnet-scratch compare` draws both runs in one figure.
#
# ## The way back through many blocks
#
# Where nothing is in the shortcut's way, in (c) and (e), the forward pass of $D$ blocks is a sum:
#
# $$ x_D = x_0 + F_1(x_0) + F_2(x_1) + \dots + F_D(x_{D-1}) $$
#
# By the chain rule, the gradient is a sum too (He et al. 2016, equations 4 and 5):
#
# $$ \frac{\partial L}{\partial x_0} = \frac{\partial L}{\partial x_D} \;+\;
#    \Bigl( \frac{\partial}{\partial x_0} \sum_{k=1}^{D} F_k(x_{k-1}) \Bigr)^{\!T} \frac{\partial L}{\partial x_D} $$
#
# The gradient at the end arrives at the start *unchanged*, plus what the branches contribute. You can check the forward
# sum: run every branch layer by layer and add up the results. For (e), the total must be $x_D$ up to rounding. For (a) it
# cannot be, because a ReLU is in the way.

# %%
BRANCHES = {
    "(e) pre-activation": ("bn1", "relu1", "conv1", "bn2", "relu2", "conv2"),
    "(a) ReLU after": ("conv1", "bn1", "relu1", "conv2", "bn2"),
}
for kind, names in BRANCHES.items():
    blocks, _, signals = runs[kind]
    total = signals[0].astype(np.float64)
    for block, h in zip(blocks, signals):
        for name in names:
            h, _ = getattr(block, name).forward(h, training=True)
        total += h
    difference = np.abs(total - signals[-1]).max() / np.abs(signals[-1]).max()
    print(f"{kind:20} x_0 + sum of branches differs from x_D by at most {difference:.1e} of the largest number")
    assert (difference < 1e-5) == (kind == "(e) pre-activation"), "only a free shortcut makes the network a sum"

# %% [markdown]
# In (a), a gradient gets through the shortcut only where the ReLU after the addition is active, in every block.
# **Predict, then run.** At what share of all positions are all 54 ReLUs active? (If each were inactive at half of the
# positions, at random, it would be one in $2^{54}$.)

# %%
signals = runs["(a) ReLU after"][2]
active = np.logical_and.accumulate([signal > 0 for signal in signals[1:]])
for count in (1, 2, 5, 20, 54):
    print(f"active in the first {count:2} blocks: {active[count - 1].mean():6.1%}")
assert 0.01 < active[-1].mean() < 0.5, "far more than chance, but most positions are blocked somewhere"

# %% [markdown]
# The share is far above $2^{-54}$, because a signal that has grown is not easily made negative by a branch of size 1. But
# most of the positions are blocked somewhere. (He et al. 2016, section 4.2, saw the effect in training: it does little
# harm at 164 layers, and more at 1001.)
#
# Now send a gradient back through all 54 blocks. See how its size changes, and how much of the *last* gradient is left in
# it. The measure for that is the cosine between the two: 1 for the same direction, 0 if they have nothing in common. We
# also try plain blocks, without shortcuts. **Predict:** will their gradient vanish?


# %%
def send_back(blocks, caches, grad_y):
    """The gradients with respect to the input of each block, from the first to the last, and `grad_y` itself."""
    gradients = [grad_y]
    for block, cache in zip(reversed(blocks), reversed(caches)):
        gradients.append(block.backward(gradients[-1], cache))
    return gradients[::-1]


def cosine(a, b):
    return float((a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b))


runs["no shortcut"] = send_through(PlainBlock, x)
grad_last = np.random.default_rng(5).standard_normal(x.shape).astype(np.float32)
cosines, norms = {}, {}
for kind, (blocks, caches, _) in runs.items():
    gradients = send_back(blocks, caches, grad_last)
    norms[kind] = [size(gradient) / size(grad_last) for gradient in gradients]
    cosines[kind] = [cosine(gradient, grad_last) for gradient in gradients]
    print(f"{kind:20} at the first block: size x {norms[kind][0]:9.3g}, cosine {cosines[kind][0]:6.3f}")
draw_gradients(norms, cosines, chance=2 / math.sqrt(x.size))  # two standard deviations, for random directions
plt.show()
assert norms["no shortcut"][0] > 1e4 * norms["(e) pre-activation"][0], "without shortcuts the gradient explodes"
assert cosines["(e) pre-activation"][0] > 5 * abs(cosines["no shortcut"][0]), "a free shortcut keeps the direction"

# %% [markdown]
# Read both plots from right to left, as the gradient goes.
#
# * **Without shortcuts**, but with batch norm, the gradient of an untrained network does not vanish. It *grows* by
#   about the same factor in every block, which is a straight line on this axis. After a block or two, nothing of its
#   direction is left.
# * **With shortcuts** it grows too, but hardly in the late blocks, and mostly near the first. Batch norm divides what
#   comes back through a branch by the size of the signal there, and in the late blocks the signal is large.
# * **With a free shortcut**, in (c) and (e), you can still find the last gradient in the first one. With a ReLU in the
#   way, in (a), it is as good as gone: at the first block it is inside the grey band, which is what two random
#   directions have in common.
#
# Tutorial 09 asks which of these is the reason why deep plain networks train badly. It also looks at trained networks.
#
# ## Questions to think about
#
# <details><summary>A residual block starts as the identity, because the scale of its last batch norm is zero. Can it
# learn at all? Which of its parameters get a gradient at the first step?</summary>
#
# Yes. The output of `bn2` is `weight * xhat + bias` with a weight of 0. The gradient of that weight is the sum of
# `grad_sum * xhat`, which is not zero, and neither is that of the bias. Everything before `bn2` on the branch gets a
# gradient multiplied by the weight, so it is zero at the first step. After that step the weight is no longer zero, and
# from then on the convolutions learn too.
#
# </details>
#
# <details><summary>Somebody scales both paths, y = (x + F(x)) / 2, so that the signal does not grow. What happens to the
# gradient after 54 blocks?</summary>
#
# On the shortcut, the gradient is multiplied by 1/2 in every block, so $2^{-54}$ of it is left. The signal $x_0$ has the
# same share in $x_{54}$. This is a highway network with a gate of one half everywhere. He et al. 2016, section 3.1, is
# about such factors.
#
# </details>
#
# <details><summary>Would a shortcut around a single layer, y = x + W x, help as much?</summary>
#
# It is $y = (I + W) x$, again a linear layer. It computes nothing that a linear layer without a shortcut could not
# compute, and only its starting point is different. The branch needs something nonlinear. He et al. 2015, section 3.2,
# note that they saw no advantage in such shortcuts.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch, torchvision |
# |---|---|
# | `BasicBlock` | `torchvision.models.resnet.BasicBlock`, with the same attribute names |
# | `Add` | no layer: `out += identity` |
# | `block.downsample` (option B) | `block.downsample`, `nn.Sequential(conv1x1(...), nn.BatchNorm2d(...))` |
# | an empty `Sequential` as shortcut | `downsample=None` |
# | `block.relu1`, `block.relu2` | one `block.relu`, used twice |
# | `add_gradients`, at the fork | autograd adds the gradients of a tensor that was used twice |
# | `zero_init=True` | `zero_init_residual=True` |
#
# `out += identity` changes its left side in place. PyTorch's autograd keeps count of such changes, and raises an error if
# backward needs an array that has been changed.
#
# ## Sources
#
# * He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition": figure 1 (deeper is worse), equation 1 and
#   figure 2 (the block), section 3.3 (options A and B), table 3 (their errors).
# * Srivastava, Greff, Schmidhuber 2015, "Highway Networks", section 2.
# * He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks": equations 4 and 5, section 3 (scaled and
#   gated shortcuts), figure 4 and sections 4.1 and 4.2 (the order of the layers), table 2.
# * Zhang, Lipton, Li, Smola, "Dive into Deep Learning", the section on ResNet: nested function classes.
# * Goyal et al. 2017, "Accurate, Large Minibatch SGD", section 5.1 (blocks that start as the identity).
# * He, Zhang, Zhang, Zhang, Xie, Li 2018, "Bag of Tricks for Image Classification with Convolutional Neural Networks",
#   section 4.2 (averaging on the shortcut, task 6.2).
#
# Next: [07 Building ResNets](07_building_resnets.py), where these blocks become whole networks, and you count what they
# cost.
