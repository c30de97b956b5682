# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 14 To PyTorch and back
#
# What you have learned here is not about this library. The same network stands in PyTorch in a few lines, gives the
# same logits and the same gradients from the same weights, and weights go over both ways.
#
# At the end you will be able to
#
# * read a PyTorch model and say which forward and backward each line stands for;
# * carry weights over in both directions, and know why axes move;
# * compare two implementations honestly: in which precision, to which tolerance, and what a kink does to it;
# * say what autograd does for you, and what it does not.
#
# **Needs:** 06 and 07. PyTorch: `pip install torch` (the CPU version is enough). It is used in this tutorial only.
# **Time:** 40 minutes to read and try; seconds to run.

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

from resnet_scratch.experiment.checkpoint import load_weights, save_weights
from resnet_scratch.layers import Conv2d
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.models import build, torch_layout
from resnet_scratch.models.blocks import BasicBlock
from resnet_scratch.optim import SGD
from resnet_scratch.models.torch_twin import twin

torch.set_num_threads(1)
print(f"PyTorch {torch.__version__}, NumPy {np.__version__}")

# %% [markdown]
# ## One layer in both
#
# Where this library has (N, H, W, C), PyTorch has (N, C, H, W); a convolution's weight is (KH, KW, C, O) here and
# (O, C, KH, KW) there. Nothing else is different, so one layer is compared in a few lines.

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
assert difference < 1e-12, "in float64 two right convolutions differ by rounding only"

# %% [markdown]
# **Predict, then run:** here `backward` takes the gradient at the output and returns the one at the input. How does one
# ask PyTorch for the same? (`y.backward()` alone works for a single number only.)

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
    print(f"gradient at {name:6} {str(ours.shape):14} differs by {abs(ours - other).max():.1e}")
    assert np.allclose(ours, other, rtol=1e-10), f"the gradient at {name} is not PyTorch's"

# %% [markdown]
# ## A block in both
#
# Our block says in `backward` what happens on the way back. Read it next to its forward:

# %%
print(inspect.getsource(BasicBlock.forward))
print(inspect.getsource(BasicBlock.backward))


# %% [markdown]
# In PyTorch the same block is its forward alone:


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


print([name for name, _ in TorchBlock(4).named_parameters()])
print([name for name, _ in BasicBlock(4, 4, 1, "A", rng).named_parameters()])

# %% [markdown]
# The names are the same on purpose: the library names its layers as torchvision does.
#
# ## A whole network
#
# `twin(model)` builds the same network out of `torch.nn`'s layers and copies the weights. ResNet-20, one batch, the
# same loss; then every parameter's gradient is compared.

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
ours = {name: p.grad for name, p in model.named_parameters()}
other = {name: p.grad.numpy().transpose(AXES[p.ndim]) for name, p in theirs.named_parameters()}


def differences(ours, other):
    """max |a - b| / max |b| of each parameter's gradient, in the order of the layers."""
    return {name: abs(ours[name] - other[name]).max() / abs(other[name]).max() for name in ours}


in_float64 = differences(ours, other)
print(f"{len(ours)} gradients, the largest difference is {max(in_float64.values()):.1e}")
assert max(in_float64.values()) < 1e-8, "in float64 the two networks must agree but for rounding"

# %% [markdown]
# ## The same in float32
#
# Training is float32. How near are two right implementations then? **Predict, then run:** float32 has about 7 digits.
# The gradients have come through 20 layers; do they still agree to 6 digits? To 3?

# %%
model32 = build("resnet20", rng=np.random.default_rng(0))
theirs32 = twin(model32).train()
images32 = images.astype(np.float32)
logits32, cache32 = model32.forward(images32, training=True)
model32.backward(softmax_cross_entropy(logits32, labels)[1], cache32)
torch.nn.functional.cross_entropy(
    theirs32(torch.from_numpy(images32.transpose(0, 3, 1, 2).copy())), torch.from_numpy(labels)
).backward()
in_float32 = differences(
    {name: p.grad for name, p in model32.named_parameters()},
    {name: p.grad.numpy().transpose(AXES[p.ndim]) for name, p in theirs32.named_parameters()},
)

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for values, label, colour in ((in_float32, "float32", "#cc5533"), (in_float64, "float64", "#4477aa")):
    ax.semilogy(list(values.values()), ".", color=colour, label=label)
ax.set_xlabel("parameter, from the first layer to the last")
ax.set_ylabel("relative difference")
ax.legend(frameon=False)
plt.show()
print(f"float32: largest {max(in_float32.values()):.1e}, median {np.median(list(in_float32.values())):.1e}")
assert max(in_float32.values()) < 0.05, "they should agree to a few per cent at the very least"

# %% [markdown]
# Rounding grows on its way through the layers. And there is a second effect, a rarer and larger one: a number so near
# to zero that one implementation rounds it to above and the other to below. ReLU then lets a gradient pass here and not
# there. Neither is wrong. So compare in float64 to see whether a backward is *right*, and in float32, with a tolerance,
# to see whether it is *useful*. That is how this library's own tests do it (`tests/oracle/`).
#
# ## Ten steps of training
#
# Same weights, same batch, same SGD. `torch.optim.SGD` computes the very formulas of `resnet_scratch/optim.py`:

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
    assert abs(float(loss) - their_loss.item()) < 1e-6, f"the two runs part at step {step}"

# %% [markdown]
# Why `zero_grad`? Autograd *adds* to `.grad`, because a parameter can be used twice. Here a layer's backward overwrites
# it, and whoever uses a layer twice has to add.
#
# ## Weights over, weights back
#
# A file of weights here has PyTorch's names and layout, so it goes over without any translation; what was trained there
# comes back the same way.

# %%
print(inspect.getsource(torch_layout.to_torch))

# %%
from safetensors.torch import load_file, save_file

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "ours.safetensors"
    save_weights(path, model32, {"made by": "tutorial 14"})
    state = load_file(path)
    print(f"{len(state)} arrays, such as conv1.weight {tuple(state['conv1.weight'].shape)}, fc.weight "
          f"{tuple(state['fc.weight'].shape)}")  # fmt: skip

    there = twin(build("resnet20", rng=np.random.default_rng(1)))  # other weights
    there.load_state_dict(state, strict=False)  # their counters of batches are not in the file

    back = build("resnet20", rng=np.random.default_rng(2))  # other weights again
    save_file(there.state_dict(), Path(folder) / "theirs.safetensors")
    load_weights(Path(folder) / "theirs.safetensors", back)

there.eval()
with torch.no_grad():
    their_logits = there(torch.from_numpy(images32.transpose(0, 3, 1, 2).copy())).numpy()
print(f"logits of ours and of the twin differ by {abs(model32(images32) - their_logits).max():.1e}")
print(f"logits of ours and of what came back differ by {abs(model32(images32) - back(images32)).max():.1e}")
assert np.allclose(model32(images32), their_logits, atol=1e-4), "the weights did not arrive"
assert (model32(images32) == back(images32)).all(), "there and back must change no bit"

# %% [markdown]
# ## What autograd does for you
#
# It writes down every operation of the forward pass, and what each needs for its backward: the `cache` of this library,
# kept out of sight. Then it goes back through that list, calling a backward for each, written by hand in C++, with the
# formulas of these tutorials, and adds up where a tensor was used twice. So you never write a block's backward, and a
# new combination of known operations needs nothing.
#
# What it does not do: make a new operation's gradient right that you wrote yourself (`torch.autograd.gradcheck` is
# there for that), tell you that a gradient vanishes, know that batch norm should be in evaluation mode, or notice a
# tensor that was detached by mistake. To see those, one has to know what should come back. Now you do.

# %%
print(f"the last operation of the loss: {their_loss.grad_fn.name()}")
node, chain = their_loss.grad_fn, []
while node is not None and len(chain) < 9:
    chain.append(node.name().removesuffix("0"))
    parents = [parent for parent, _ in node.next_functions if parent is not None]
    node = next((parent for parent in parents if "Accumulate" not in parent.name()), None)
print(" <- ".join(chain))

# %% [markdown]
# ## Exercises
#
# Task 14.3 is the best of all: autograd, written by you, in some thirty lines.

# %%
from resnet_scratch.exercises import ch14_pytorch as tasks
from resnet_scratch.exercises import check, show

show(tasks.to_torch_layout)

# %%
answer = tasks.to_torch_layout  # your turn: replace this by your own function
check("14.1", answer)

# %%
show(tasks.fold_batchnorm)

# %%
answer = tasks.fold_batchnorm  # your turn: replace this by your own function
check("14.2", answer)

# %%
show(tasks.Value)

# %%
answer = tasks.Value  # your turn: replace this by your own class
check("14.3", answer)

# %%
show(tasks.largest_difference)

# %%
answer = tasks.largest_difference  # your turn: replace this by your own function
check("14.4", answer)

# %% [markdown]
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
# This was the last one. What now? Break something, build something: [the README](../README.md) says what there is.
