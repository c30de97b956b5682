# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
#   accelerator: GPU
#   colab: {gpuType: T4}
# ---

# %% [markdown]
# # 12 The GPU: one line changes
#
# CuPy is a library that looks like NumPy and computes on an NVIDIA GPU. This library's layers are written so that they
# take arrays of either: the same `conv.py` runs on both. What changes is one word.
#
# At the end you will be able to
#
# * move a network and its data to a GPU, and say how the layers know;
# * name what is different there: what waits for what, what is copied, which float64 slips in;
# * measure on a GPU without fooling yourself;
# * say beforehand whether arithmetic or memory will be the limit (the roofline).
#
# **Needs:** 01 and 08. A GPU is *not* needed: every cell runs without one and says what it could not show.
# **Time:** 30 minutes to read and try; seconds to run.
#
# **On Colab:** Runtime, Change runtime type, T4 GPU. Its GPU image brings CuPy; do not install another one beside it,
# two CuPy packages break each other. On a machine of your own: `pip install -e ".[cuda12x]"` or `".[cuda13x]"`,
# whichever your driver's CUDA is. `resnet-scratch doctor` says what works. ([docs/gpu.md](../docs/gpu.md) has more.)

# %%
import inspect
import time
from contextlib import closing
from statistics import median

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.compute.backend import array_module, devices, resolve_device, to_numpy
from resnet_scratch.measure.bench import race, sgemm_peak
from resnet_scratch.verify.crosscheck import crosscheck, format_differences, first_difference
from resnet_scratch.data import load, training_batches
from resnet_scratch.insight.passes import record
from resnet_scratch.layers import ReLU
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import constant
from resnet_scratch.measure.summary import summarise
from resnet_scratch.train import train

print(f"devices that work here: {', '.join(devices())}")
DEVICE = resolve_device("auto")
GPU = DEVICE != "cpu"
print(f"this tutorial runs on {DEVICE}" + ("" if GPU else ": no GPU here, so what needs one is told, not shown"))

# %% [markdown]
# ## How a layer knows
#
# It asks its input. Nowhere in `layers/` is a device chosen; `compute/backend.py` is the only file that names CuPy.
# `over_batch` asks as well. On a processor it runs the layer's function on a few images at a time (01, 13), on a GPU on
# the whole batch at once: there one call with much to do is best.

# %%
print(inspect.getsource(array_module))
print(inspect.getsource(ReLU.forward))
x = np.array([-1.0, 2.0], np.float32)
print(f"array_module of a NumPy array: {array_module(x).__name__}")
assert array_module(x) is np, "a NumPy array belongs to NumPy"

# %% [markdown]
# **Predict, then run:** what does it say of a list? Should it not just convert it?

# %%
try:
    array_module([1.0, 2.0])
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("silent conversion would hide that data travels between devices, at every call")

# %% [markdown]
# ## The line that changes
#
# `.to(device)` moves a network or a data set. On the command line it is `resnet-scratch train --device cuda`.

# %%
dataset = load("shapes").to(DEVICE)
model = build("resnet8", rng=np.random.default_rng(0)).to(DEVICE)
optimizer = SGD(model.parameters(), momentum=0.9)
print(f"weights are {type(model.conv1.weight.value).__module__} arrays; pictures are {dataset.train_images.dtype}")

losses = []
with closing(training_batches(dataset, 64, seed=0)) as batches:
    for step in train(model, optimizer, batches, constant(0.05), total_steps=8):
        losses.append(step.loss)  # an array of no axes, still on the device: nobody has waited for it
print("losses:", " ".join(f"{float(to_numpy(loss)):.3f}" for loss in losses))
assert float(to_numpy(losses[-1])) < 4, "eight steps in, the loss should be a small number"

# %% [markdown]
# The data set went over once, as uint8: a quarter of the room of float32. Crops, flips and normalisation then happen
# where the data are. Random numbers are an exception: they are drawn on the host, so that a run on a GPU starts from
# the same weights and sees the same batches as one on the processor.
#
# ## What waits for what
#
# A call to a GPU returns before the work is done; the next call is queued behind it. That is fast as long as nobody
# asks for a number. `float(loss)` asks: the processor stands still until the GPU has done everything up to that loss.
# Once per step, and the GPU idles while Python prepares the next. So the library's loop yields the loss as an array,
# and the progress bar reads it twice a second.
#
# For the same reason this is a wrong way to time something on a GPU:
#
#     start = time.perf_counter()
#     y = conv(x)                                  # queued, not done
#     print(time.perf_counter() - start)
#
# A right one waits before it stops the clock, and warms up first: the first call compiles.


# %%
def seconds(job, repeats=5):
    """The median time of `job`, which returns an array, until that array is there."""
    to_numpy(job())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        to_numpy(job())  # brings the result over, and so waits for it
        times.append(time.perf_counter() - start)
    return median(times)


images = next(iter_batches := training_batches(dataset, 64, seed=0))[0]
iter_batches.close()
print(f"inference on {DEVICE}: {64 / seconds(lambda: model(images)):.0f} images/s")
if not GPU:
    print("(on a GPU, leave out the waiting and see how absurdly fast it seems)")

# %% [markdown]
# ## A float64 slips in
#
# A GPU of the kind in a laptop or on Colab does float64 many times more slowly than float32, and twice the memory
# travels. **Predict, then run:** which of these are float64?

# %%
a = np.ones(3, np.float32)
cases = {
    "a * 0.5": a * 0.5,
    "a * np.sqrt(2)": a * np.sqrt(2),
    "a * np.float32(2) ** 0.5": a * np.float32(2) ** 0.5,
    "a / len(a)": a / len(a),
    "a + np.arange(3)": a + np.arange(3),
    "a + np.zeros(3)": a + np.zeros(3),
    "a.sum() / 3": a.sum() / 3,
}
for expression, value in cases.items():
    print(f"{expression:26} {value.dtype}")
assert (a * np.sqrt(2)).dtype == np.float64, "np.sqrt of a Python number is a NumPy float64, which since NumPy 2 counts"

# %% [markdown]
# A Python number takes the array's dtype; a NumPy *scalar* has one of its own (NumPy 2; NEP 50). So the library turns
# such factors into Python floats, or gives every array it makes a dtype. Here is the check that a training step stays
# float32, every activation and every gradient of it:

# %%
labels = np.arange(8) % 10
network = build("resnet8", rng=np.random.default_rng(0))
logits, cache = network.forward(np.ones((8, 32, 32, 3), np.float32), training=True)
grad_images = network.backward(logits / 8, cache)
found = {p.grad.dtype.name for p in network.parameters()} | {logits.dtype.name, grad_images.dtype.name}
print(f"dtypes of logits and gradients: {found}")
assert found == {"float32"}, "somewhere a float64 slipped in"

# %% [markdown]
# ## Arithmetic or memory? The roofline
#
# A device can do so many operations a second, and move so many bytes a second. What does few operations for each byte
# waits for memory, however fast the arithmetic is. Operations per byte are called arithmetic intensity. Measured here,
# for the processor that you sit at:

# %%
peak = 2 * sgemm_peak(1024)  # a multiply-add is two operations
source = np.ones(1 << 24, np.float32)
target = np.empty_like(source)
copy = median(race({"copy": lambda: np.copyto(target, source)}, 5)["copy"])
bandwidth = 2 * source.nbytes / copy  # read and written
print(f"arithmetic {peak / 1e9:.0f} GFLOP/s, memory {bandwidth / 1e9:.1f} GB/s (one thread copies)")
print(f"to be bound by arithmetic one needs {peak / bandwidth:.0f} operations per byte")

# %% [markdown]
# Now each layer of ResNet-20: its operations, and the bytes of its input, output and weights, for a batch of 128.

# %%
rows = summarise(build("resnet20", rng=np.random.default_rng(0)), 32)
BATCH = 128
points, before = [], 32 * 32 * 3
for row in rows:
    outputs = int(np.prod(row.output_shape))
    moved = 4 * (BATCH * (before + outputs) + row.parameters)
    operations = 2 * row.multiply_adds * BATCH or outputs * BATCH  # about one operation a number, where none multiplies
    points.append((row.kind, operations / moved))
    before = outputs

fig, ax = plt.subplots(figsize=(7, 3.6))
intensity = np.geomspace(0.05, 500, 200)
ax.loglog(intensity, np.minimum(peak, bandwidth * intensity) / 1e9, color="#333333")
ax.text(500, peak / 1e9 * 0.7, "limit: arithmetic", fontsize=8, color="#333333", ha="right", va="top")
ax.text(0.4, bandwidth * 0.4 / 1e9 * 1.6, "limit: memory", fontsize=8, color="#333333", ha="right")
for kinds, colour, marker in (("Conv2d", "#4477aa", "o"), ("Linear", "#777777", "D"),
                              ("BatchNorm2d, ReLU, Add", "#cc5533", "s")):  # fmt: skip
    its = [value for kind, value in points if kind in kinds]
    ax.plot(its, [min(peak, bandwidth * value) / 1e9 for value in its], marker, color=colour, label=kinds, alpha=0.7)
ax.set_xlabel("operations per byte")
ax.set_ylabel("at best, GFLOP/s")
ax.legend(frameon=False, fontsize=8)
fig.tight_layout()
plt.show()
convolutions = [value for kind, value in points if kind == "Conv2d"]
others = [value for kind, value in points if kind in ("BatchNorm2d", "ReLU", "Add")]
print(f"convolutions {min(convolutions):.0f} to {max(convolutions):.0f} operations per byte, the others at most "
      f"{max(others):.2f}")  # fmt: skip
assert min(convolutions) > max(others), "convolutions do more with each byte than the layers around them"

# %% [markdown]
# Batch norm, ReLU and addition do next to nothing with what they load: they wait for memory, on every device. It is
# why they take a good part of a step though they hardly compute, and why frameworks fuse them into their neighbours.
# For the T4 that Colab lends NVIDIA gives 8.1 TFLOP/s in float32 and about 300 GB/s: the corner is at 27 operations
# per byte.
#
# Where does the time go here, on this machine? A trace of one step:

# %%
small = build("resnet20", rng=np.random.default_rng(0))
records = record(small, np.random.default_rng(0).standard_normal((32, 32, 32, 3), np.float32), np.arange(32) % 10)
times = {}
for r in records:
    times[r.kind] = times.get(r.kind, 0) + r.forward_ms + r.backward_ms
for kind, milliseconds in sorted(times.items(), key=lambda item: -item[1]):
    print(f"{kind:16} {milliseconds:7.1f} ms  {milliseconds / sum(times.values()):6.1%}")

# %% [markdown]
# ## Is it the same network there?
#
# Sums on a GPU are added up in another order, so the last digits differ. Compare in float64, where that is all: the
# same weights, the same batch, forward and backward, layer by layer, and the largest difference of each. On the command
# line it is `resnet-scratch crosscheck resnet8 --device cuda`; and `resnet-scratch gradcheck --device cuda` runs the
# gradient checks there.

# %%
if GPU:
    batch = np.random.default_rng(1).standard_normal((4, 32, 32, 3), np.float32)
    differences = crosscheck(build("resnet8", rng=np.random.default_rng(0)), batch, np.arange(4), DEVICE)
    print(format_differences(differences))
    assert first_difference(differences) is None, "the same code must compute the same but for rounding"
else:
    print("no GPU here: nothing to compare. On Colab this cell compares the two.")

# %% [markdown]
# ## Exercises

# %%
from resnet_scratch.exercises import ch12_gpu as tasks
from resnet_scratch.exercises import check, show

show(tasks.leaky_relu)

# %%
answer = tasks.leaky_relu  # your turn: replace this by your own function
check("12.1", answer)

# %%
show(tasks.mean_loss)

# %%
answer = tasks.mean_loss  # your turn: replace this by your own function
check("12.2", answer)

# %%
show(tasks.training_bytes)

# %%
answer = tasks.training_bytes  # your turn: replace this by your own function
check("12.3", answer)

# %%
show(tasks.roofline_seconds)

# %%
answer = tasks.roofline_seconds  # your turn: replace this by your own function
check("12.4", answer)

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `model.to("cuda")` | `model.to("cuda")` |
# | `devices()` | `torch.cuda.is_available()`, `torch.cuda.device_count()` |
# | `to_numpy(x)` | `x.cpu().numpy()` |
# | waiting by bringing a result over | `torch.cuda.synchronize()` |
# | reading the loss now and then | the same: `loss.item()` waits |
# | float32 everywhere | the same; then `torch.autocast` for half precision |
#
# ## Sources
#
# * Okuta et al. 2017, "CuPy: A NumPy-Compatible Library for NVIDIA GPU Calculations".
# * Williams, Waterman and Patterson 2009, "Roofline: An Insightful Visual Performance Model".
# * NumPy Enhancement Proposal 50, "Promotion rules for Python scalars".
# * NVIDIA, "T4 Tensor Core GPU" data sheet, 2019: peak float32 speed and memory bandwidth.
#
# Next: [13 Fast NumPy](13_fast_numpy.py), for the processor again: what makes NumPy fast.
