# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 14 To PyTorch and back
#
# What you have learned here applies beyond this library. In PyTorch the same network takes a few lines. With the same
# weights it computes the same logits and the same gradients, and weights can be exchanged in both directions.
#
# By the end you will be able to
#
# * read a PyTorch model and say which forward and backward pass each line stands for;
# * move weights in both directions, and say how their axes are permuted;
# * compare two implementations: in which precision, with which tolerance, and what a kink does to the comparison;
# * write a small autograd yourself, and say what autograd does for you and what it does not.
#
# **Needs:** 06 and 07, and the chain rule from 02. PyTorch: `pip install torch`; the CPU version is enough. This is the
# only tutorial that uses it.
# **Time:** 40 minutes to read, a few seconds to run; 85 minutes for the tasks.

# %%
import inspect
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

try:
    import torch
except ImportError:
    sys.exit("This tutorial compares with PyTorch, which is not installed here: pip install torch, then start again.")

from resnet_scratch.exercises import task
from resnet_scratch.experiment.checkpoint import load_weights, save_weights
from resnet_scratch.figures.style import BLUE, ORANGE
from resnet_scratch.layers import Conv2d
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build, torch_layout
from resnet_scratch.models.blocks import BasicBlock
from resnet_scratch.models.torch_twin import twin
from resnet_scratch.optim import SGD

torch.set_num_threads(1)
print(f"PyTorch {torch.__version__}, NumPy {np.__version__}")

# %% [markdown]
# ## One layer in both
#
# The two libraries compute the same functions, but they order the axes of their arrays differently:
#
# | | here | PyTorch |
# |---|---|---|
# | images and activations | (N, H, W, C) | (N, C, H, W) |
# | weight of a convolution | (KH, KW, C, O) | (O, C, KH, KW) |
# | weight of a linear layer | (in, out) | (out, in) |
#
# PyTorch's convolution is a cross-correlation, as ours is: neither flips the kernel. So to compare a layer, you only
# have to permute axes.

# %% tags=["task"]
task("14.1")

# %%
rng = np.random.default_rng(0)
conv = Conv2d(3, 4, kernel_size=3, stride=2, padding=1, rng=rng).astype(np.float64)
x = rng.standard_normal((2, 7, 7, 3))
y, cache = conv.forward(x)

theirs = torch.nn.Conv2d(3, 4, kernel_size=3, stride=2, padding=1).double()
with torch.no_grad():
    theirs.weight.copy_(torch.from_numpy(conv.weight.value.transpose(3, 2, 0, 1)))
    theirs.bias.copy_(torch.from_numpy(conv.bias.value))
images = torch.from_numpy(x.transpose(0, 3, 1, 2)).requires_grad_()
output = theirs(images)

print(f"ours {y.shape}, theirs {tuple(output.shape)}")
difference = abs(y - output.detach().numpy().transpose(0, 2, 3, 1)).max()
print(f"largest difference: {difference:.1e}")
assert difference < 1e-12, "in float64 two correct convolutions differ only by rounding"

# %% [markdown]
# **Predict, then run.** Our `backward` takes the gradient with respect to the output and returns the gradient with
# respect to the input. `y.backward()` in PyTorch takes no argument if $y$ is a single number. What must you pass to it
# if $y$ is an array, and where do you find the result?

# %%
grad_y = rng.standard_normal(y.shape)
grad_x = conv.backward(grad_y, cache)

output.backward(torch.from_numpy(grad_y.transpose(0, 3, 1, 2).copy()))

pairs = {
    "input": (grad_x, images.grad.numpy().transpose(0, 2, 3, 1)),
    "weight": (conv.weight.grad, theirs.weight.grad.numpy().transpose(2, 3, 1, 0)),
    "bias": (conv.bias.grad, theirs.bias.grad.numpy()),
}
for name, (ours, other) in pairs.items():
    print(f"gradient w.r.t. {name:6} {str(ours.shape):14} differs by {abs(ours - other).max():.1e}")
    assert np.allclose(ours, other, rtol=1e-10), f"the gradient with respect to {name} is not PyTorch's"

# %% [markdown]
# You pass the upstream gradient, and PyTorch computes the vector-Jacobian product of tutorial 02. The results are in
# `.grad` of the tensors that asked for them.
#
# ## A block in both
#
# In this library a block spells out its backward pass. Read it next to its forward pass:

# %%
print(inspect.getsource(BasicBlock.forward))
print(inspect.getsource(BasicBlock.backward))


# %% [markdown]
# In PyTorch the same block consists of its forward pass alone:


# %%
class TorchBlock(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = torch.nn.BatchNorm2d(channels)

    def forward(self, x):
        h = torch.relu(self.bn1(self.conv1(x)))
        h = self.bn2(self.conv2(h))
        return torch.relu(h + x)


names = [name for name, _ in BasicBlock(4, 4, 1, "A", rng).named_parameters()]
print(names)
assert names == [name for name, _ in TorchBlock(4).named_parameters()], "the names of the parameters are the same"

# %% [markdown]
# The names agree on purpose: this library names its layers as torchvision does.
#
# ## A whole network
#
# To compare the gradients of a network, you need a number that says how far two sets of arrays differ.

# %% tags=["task"]
task("14.2")

# %% [markdown]
# `twin(model)` builds the same network from PyTorch's layers and copies the weights. The next cell runs one batch
# through ResNet-20 in both libraries, and compares the loss and the gradient with respect to every parameter.

# %%
model = build("resnet20", rng=np.random.default_rng(0)).astype(np.float64)
theirs = twin(model).double()
images, labels = rng.standard_normal((8, 32, 32, 3)), rng.integers(0, 10, 8)

logits, cache = model.forward(images, training=True)
loss, grad_logits = softmax_cross_entropy(logits, labels)
model.backward(grad_logits, cache)

theirs.train()
their_logits = theirs(torch.from_numpy(images.transpose(0, 3, 1, 2).copy()))
their_loss = torch.nn.functional.cross_entropy(their_logits, torch.from_numpy(labels))
their_loss.backward()

print(f"loss {float(loss):.12f} here, {their_loss.item():.12f} there")
AXES = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}  # of their parameters, in our order


def relative_differences(model, theirs):
    """max |a - b| / max |b| of each parameter's gradient, in the order of the layers."""
    result = {}
    for (name, ours), other in zip(model.named_parameters(), theirs.parameters(), strict=True):
        b = other.grad.numpy().transpose(AXES[other.ndim])
        result[name] = abs(ours.grad - b).max() / abs(b).max()
    return result


in_float64 = relative_differences(model, theirs)
print(f"{len(in_float64)} gradients; the largest relative difference is {max(in_float64.values()):.1e}")
assert max(in_float64.values()) < 1e-8, "in float64 the two networks must agree, except for rounding"

# %% [markdown]
# ## The same in float32
#
# Networks are trained in float32. How closely do two correct implementations agree then? **Predict, then run.** A
# float32 number has about 7 decimal digits, and the gradients have passed through 20 layers. Do they agree to 6 digits?
# To 3?

# %%
model32 = build("resnet20", rng=np.random.default_rng(0))
theirs32 = twin(model32).train()
images32 = images.astype(np.float32)
logits32, cache32 = model32.forward(images32, training=True)
model32.backward(softmax_cross_entropy(logits32, labels)[1], cache32)
their_logits32 = theirs32(torch.from_numpy(images32.transpose(0, 3, 1, 2).copy()))
torch.nn.functional.cross_entropy(their_logits32, torch.from_numpy(labels)).backward()
in_float32 = relative_differences(model32, theirs32)

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.semilogy(list(in_float32.values()), "s", color=ORANGE, label="float32", markersize=4)
ax.semilogy(list(in_float64.values()), "o", color=BLUE, label="float64", markersize=4)
ax.set_xlabel("parameter, from the first layer to the last")
ax.set_ylabel("relative difference")
ax.legend(frameon=False)
plt.show()
worst, median = max(in_float32.values()), np.median(list(in_float32.values()))
print(f"float32: largest {worst:.1e}, median {median:.1e}")
assert worst < 0.05, "they should agree to a few per cent at the very least"
assert worst > 1000 * max(in_float64.values()), "float32 is far less precise than float64"

# %% [markdown]
# Rounding errors grow on their way through the layers. A second effect is rarer and larger: a number may be so close to
# zero that one implementation rounds it to a positive and the other to a negative number. ReLU then passes a gradient in
# one and not in the other. Neither is wrong.
#
# So compare in float64 to find out whether a backward pass is *correct*. Compare in float32, with a tolerance, to find
# out whether it is *accurate enough to train with*. The tests of this library do both (`tests/oracle/`).
#
# ## Ten steps of training
#
# The same weights, the same batch and the same optimizer must give the same losses. `torch.optim.SGD` documents the
# formulas that `resnet_scratch/optim.py` implements:

# %%
optimizer = SGD(model.parameters(), momentum=0.9, weight_decay=1e-4)
their_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
their_images, their_labels = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()), torch.from_numpy(labels)
print("step  loss here       loss there")
for step in range(10):
    logits, cache = model.forward(images, training=True)
    loss, grad_logits = softmax_cross_entropy(logits, labels)
    model.backward(grad_logits, cache)
    optimizer.step(0.05)

    their_loss = torch.nn.functional.cross_entropy(theirs(their_images), their_labels)
    their_optimizer.zero_grad()
    their_loss.backward()
    their_optimizer.step()
    print(f"{step:4}  {float(loss):.10f}    {their_loss.item():.10f}")
    assert abs(float(loss) - their_loss.item()) < 1e-6, f"the two runs diverge at step {step}"

# %% [markdown]
# Why does PyTorch need `zero_grad`? Its `backward()` *adds* to `.grad`. Within one backward pass that is what you want:
# if a tensor was used twice, the gradients of both uses are added. But the sum also continues from one call of
# `backward()` to the next, until you reset it:

# %%
weight = torch.tensor(3.0, requires_grad=True)
(weight * weight).backward()  # used twice: 3 + 3
print(f"after one backward pass:  {weight.grad.item()}")
(weight * weight).backward()
print(f"after another one:        {weight.grad.item()}")
assert weight.grad.item() == 12, "6 from each backward pass"

# %% [markdown]
# Here, a layer's `backward` overwrites the gradients of its parameters, so there is nothing to reset. The price is that
# a layer with parameters can be used only once in a network.
#
# ## Exchanging weights
#
# This library's weight files have PyTorch's names and PyTorch's layout, so PyTorch reads them as they are. Weights
# trained in PyTorch come back in the same way. This is the whole translation:

# %%
print(inspect.getsource(torch_layout.to_torch))

# %%
from safetensors.torch import load_file, save_file

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "ours.safetensors"
    save_weights(path, model32, {"made by": "tutorial 14"})
    state = load_file(path)
    print(f"{len(state)} arrays; conv1.weight {tuple(state['conv1.weight'].shape)}, ", end="")
    print(f"fc.weight {tuple(state['fc.weight'].shape)}")

    there = twin(build("resnet20", rng=np.random.default_rng(1)))  # other weights
    there.load_state_dict(state, strict=False)  # PyTorch's counters of batches are not in the file

    back = build("resnet20", rng=np.random.default_rng(2))  # other weights again
    save_file(there.state_dict(), Path(folder) / "theirs.safetensors")
    load_weights(Path(folder) / "theirs.safetensors", back)

there.eval()
with torch.no_grad():
    their_logits = there(torch.from_numpy(images32.transpose(0, 3, 1, 2).copy())).numpy()
print(f"logits here and there differ by {abs(model32(images32) - their_logits).max():.1e}")
print(f"logits before and after the round trip differ by {abs(model32(images32) - back(images32)).max():.1e}")
assert np.allclose(model32(images32), their_logits, atol=1e-4), "the weights did not arrive"
assert (model32(images32) == back(images32)).all(), "the round trip must not change a bit"

# %% [markdown]
# `resnet-scratch export` and `resnet-scratch import` do this in a terminal, also for networks from torchvision.
#
# ## Folding batch norm
#
# Tools that prepare a network for use often remove its batch norms. In evaluation, a batch norm multiplies each channel
# by a constant and adds a constant. The convolution before it can do that too.

# %% tags=["task"]
task("14.3")

# %% [markdown]
# ## What autograd does for you
#
# Autograd records the operations of the forward pass. For each one it keeps what its backward pass will need: the
# `cache` of this library, hidden from view. `backward()` then walks through the record in reverse order and calls the
# backward function of each operation. The formulas are those of these tutorials, and they were written by people (in
# `derivatives.yaml`); most of the C++ around them is generated. Where a tensor was used twice, the gradients are added.
#
# PyTorch shows you the record. `grad_fn` is the last operation, and `next_functions` are the ones before it:

# %%
node, chain = their_loss.grad_fn, []
while node is not None and len(chain) < 8:
    chain.append(node.name().removesuffix("0"))
    parents = [parent for parent, _ in node.next_functions if parent is not None]
    node = next((parent for parent in parents if "Accumulate" not in parent.name()), None)
print(" <- ".join(chain))
assert chain[0].startswith("NllLoss"), "the last operation is the loss"

# %% [markdown]
# Now write one yourself. In thirty lines, you can have autograd for sums, products and ReLU:

# %% tags=["task"]
task("14.4")

# %% [markdown]
# Autograd saves you from writing the backward pass of a block, and new combinations of known operations need no work.
# Some things it does not do. If you write a new operation, you must make its gradient right (`torch.autograd.gradcheck`
# is there for that). It does not tell you that a gradient vanishes, that batch norm is still in training mode, or that
# you detached a tensor by mistake. To notice those, you have to know what should come back. Now you do.
#
# ## Questions to think about
#
# <details><summary>You load weights with the axes KH and KW exchanged. Every shape fits. How would you notice?
# </summary>
#
# The network now treats an image as the right network treats its transpose, with rows and columns exchanged. So its
# accuracy is that on transposed images: much lower for photographs, perhaps hardly lower for shapes that are rotated
# and mirrored at random anyway. Comparing logits with those of the original network shows it at once. A comparison of
# shapes never does.
#
# </details>
#
# <details><summary>Why does the float32 comparison use the ratio max |a - b| / max |b| of each array, and not the ratio
# of each element?</summary>
#
# Some elements are almost zero because large terms cancel. Their absolute errors are as large as those of the others, so
# their relative errors are huge and say nothing.
#
# </details>
#
# <details><summary>Folding batch norm changes no output in evaluation. Why not train the folded network?</summary>
#
# In training, batch norm uses the statistics of each batch, and its gradient depends on them. The folded convolution has
# the constants of one moment. It computes the same function at that moment, but its training behaves differently: it is
# a network without batch norm.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `forward` returns `(y, cache)` | `torch.autograd.Function.forward`, `ctx.save_for_backward` |
# | `backward(grad_y, cache)` | `torch.autograd.Function.backward` |
# | `training=True` | `module.train()`, `module.eval()` |
# | inference, `model(x)` | `with torch.inference_mode():` |
# | `model.named_buffers()`, learned or not | `module.state_dict()` |
# | `save_weights`, `load_weights` | `safetensors.torch.save_file`, `load_file`; `torch.save` |
# | gradients overwritten | gradients accumulated, `optimizer.zero_grad()` |
#
# ## Sources
#
# * Paszke et al. 2019, "PyTorch: An Imperative Style, High-Performance Deep Learning Library".
# * Baydin et al. 2018, "Automatic Differentiation in Machine Learning: a Survey", section 3.2 (the reverse mode).
# * PyTorch's documentation, "Autograd mechanics" and `torch.optim.SGD`.
#
# Next: [15 One batch, many machines](15_many_machines.py), where several processes share a batch.
