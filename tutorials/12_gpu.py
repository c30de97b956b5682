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
# CuPy is a library with the interface of NumPy that computes on an NVIDIA GPU. The layers of this project accept arrays
# of either library: the same `conv.py` runs on both. To move a network to the GPU, you change one word.
#
# By the end you will be able to
#
# * move a network and its data to a GPU, and explain how the layers know where to compute;
# * explain why calls to a GPU return early, and what makes the processor (the CPU) wait;
# * find a float64 that slipped into float32 code;
# * predict whether a layer is limited by arithmetic or by memory (the roofline model).
#
# **Needs:** 07 (parameters and multiply-adds) and 08 (training). You do *not* need a GPU: every cell runs without one,
# and says what it could not show.
# **Time:** 30 minutes to read, a few seconds to run; 40 minutes for the tasks.
#
# **On Colab:** choose Runtime, Change runtime type, T4 GPU. The GPU image comes with CuPy. Do not install another CuPy
# package, because two of them break each other. **On your own machine:** `pip install -e ".[cuda12x]"` or
# `".[cuda13x]"`, depending on the CUDA version of your driver. `resnet-scratch doctor` reports what works, and
# [docs/gpu.md](../docs/gpu.md) has more.

# %%
import inspect
import time
from contextlib import closing
from statistics import median

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.compute.backend import array_module, devices, resolve_device, to_device, to_numpy
from resnet_scratch.compute.threads import num_threads, set_num_threads
from resnet_scratch.data import load, training_batches
from resnet_scratch.exercises import task
from resnet_scratch.figures.roofline import draw_roofline
from resnet_scratch.insight.passes import record
from resnet_scratch.measure.bench import race, sgemm_peak
from resnet_scratch.measure.summary import summarise
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import constant
from resnet_scratch.train import train
from resnet_scratch.verify.crosscheck import crosscheck, first_difference, format_differences

print(f"devices that work here: {', '.join(devices())}")
DEVICE = resolve_device("auto")
GPU = DEVICE != "cpu"
print(f"this tutorial runs on {DEVICE}" + ("" if GPU else "; cells that need a GPU say so"))

# %% [markdown]
# ## How a layer knows
#
# A layer asks its input. `array_module(x)` returns the library that x belongs to: NumPy or CuPy. A layer then calls
# functions of that library, usually under the name `xp`. No layer ever chooses a device.

# %%
x = np.array([-1.0, 2.0], np.float32)
print(f"array_module of a NumPy array: {array_module(x).__name__}")
assert array_module(x) is np, "a NumPy array belongs to NumPy"

# %% [markdown]
# **Predict, then run.** What does `array_module` do with a list? It could convert the list to an array.

# %%
try:
    array_module([1.0, 2.0])
except TypeError as error:
    print(f"TypeError: {error}")
else:
    raise AssertionError("a list must be an error")

# %% [markdown]
# It refuses. A silent conversion would hide the transfer of data between the processor and the GPU at every call. CuPy
# follows the same rule: it never converts a NumPy array implicitly. Here is the function:

# %%
print(inspect.getsource(array_module))

# %% [markdown]
# Note that it never imports CuPy. It looks up the library that the array's own class comes from, which must have been
# imported already. So it works, at no cost, on a machine without CuPy.
#
# Now write a layer's function yourself. *Leaky ReLU* multiplies negative numbers by a small slope, where ReLU sets them
# to 0. (If you have no GPU, the check tries your answer with a strict imitation of CuPy's arrays.)

# %% tags=["task"]
task("12.1")

# %% [markdown]
# ## The line that changes
#
# `.to(device)` moves a network or a data set. (In a terminal, it is `resnet-scratch train --device cuda`.) The method
# calls `to_device` for every array. Look at the last two lines of that function: they make the move.

# %%
print(inspect.getsource(to_device))

# %%
dataset = load("shapes").to(DEVICE)
model = build("resnet8", rng=np.random.default_rng(0)).to(DEVICE)
optimizer = SGD(model.parameters(), momentum=0.9)
print(f"weights: arrays of {type(model.conv1.weight.value).__module__}; images: {dataset.train_images.dtype}")

losses = []
with closing(training_batches(dataset, 64, seed=0)) as batches:
    for step in train(model, optimizer, batches, constant(0.05), total_steps=8):
        losses.append(step.loss)  # an array with no axes, still on the device
print("losses:", " ".join(f"{float(to_numpy(loss)):.3f}" for loss in losses))
assert float(to_numpy(losses[-1])) < 4, "eight steps in, the loss must not have exploded"

# %% [markdown]
# The data set is copied to the device once, as uint8, which takes a quarter of the memory of float32. Crops, flips and
# normalisation then happen on the device. Random numbers are the exception: they are drawn on the processor
# (`data/augment.py`, `layers/initializers.py`), so that a run on a GPU starts from the same weights and sees the same
# batches as a run on the processor.
#
# ## What waits for what
#
# A call to a GPU returns before its work is done. The next call is queued after it, and the processor runs ahead. That
# is fast as long as nobody asks for a number. `float(loss)` asks for one: the processor waits until the GPU has
# finished everything up to that loss, and then the GPU waits until Python has queued new work.
#
# So the training loop yields the loss as an array and never looks at it. The progress bar of `resnet-scratch train`
# looks at most twice a second (`REFRESH_SECONDS` in `experiment/console.py`).

# %% tags=["task"]
task("12.2")

# %% [markdown]
# For the same reason, this is a wrong way to time a layer on a GPU:
#
#     start = time.perf_counter()
#     y = conv(x)                                  # queued, not done
#     print(time.perf_counter() - start)
#
# Correct timing waits for the result before it stops the clock. It also warms up first, because CuPy compiles each
# kernel (a function that runs on the GPU) when it is first used.


# %%
def seconds(job, repeats=5):
    """The median time until the array that `job` returns has been computed."""
    to_numpy(job())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        to_numpy(job())  # copies the result to the processor, and so waits for it
        times.append(time.perf_counter() - start)
    return median(times)


with closing(training_batches(dataset, 64, seed=0)) as batches:
    images = next(batches)[0]
print(f"inference on {DEVICE}: {64 / seconds(lambda: model(images)):.0f} images/s")

# %% [markdown]
# ## A float64 slips in
#
# The T4 that Colab lends computes float64 at 1/32 of the speed of float32, and float64 doubles the memory traffic.
# **Predict, then run.** Which of these results are float64?

# %%
a = np.ones(3, np.float32)
results = {
    "a * 0.5": a * 0.5,
    "a * np.sqrt(2)": a * np.sqrt(2),
    "a * float(np.sqrt(2))": a * float(np.sqrt(2)),
    "a / len(a)": a / len(a),
    "a + np.arange(3)": a + np.arange(3),
    "a + np.zeros(3)": a + np.zeros(3),
    "a.sum() / 3": a.sum() / 3,
}
for expression, value in results.items():
    print(f"{expression:24} {value.dtype}")
wide = [expression for expression, value in results.items() if value.dtype == np.float64]
assert wide == ["a * np.sqrt(2)", "a + np.arange(3)", "a + np.zeros(3)"], "these three are float64, and only these"

# %% [markdown]
# A Python number adopts the array's dtype. A NumPy *scalar*, such as `np.sqrt(2)`, has a dtype of its own, and so has a
# new array (NumPy 2; NEP 50): `np.zeros(3)` is float64. `np.arange(3)` is int64, and together with float32 that gives
# float64, because float32 cannot hold every large integer. The remedy is to convert factors to Python floats and to
# name the dtype of new arrays.
#
# Here is a check that a forward and a backward pass stay in float32:

# %%
network = build("resnet8", rng=np.random.default_rng(0))
logits, cache = network.forward(np.ones((8, 32, 32, 3), np.float32), training=True)
grad_images = network.backward(logits / 8, cache)
dtypes = {p.grad.dtype.name for p in network.parameters()} | {logits.dtype.name, grad_images.dtype.name}
print(f"dtypes of the logits and of all gradients: {dtypes}")
assert dtypes == {"float32"}, "a float64 slipped in"

# %% [markdown]
# ## Will it fit?
#
# A GPU has less memory than the computer around it, and a training run that does not fit stops with an error. You can
# compute the memory beforehand. `resnet-scratch summary` lists a network's parameters and activations.

# %% tags=["task"]
task("12.3")

# %% [markdown]
# ## Arithmetic or memory?
#
# A device performs a limited number of operations per second and moves a limited number of bytes per second. If a
# computation does few operations for each byte it moves, it waits for memory, however fast the arithmetic is. The
# number of operations per byte is called *arithmetic intensity*.

# %% tags=["task"]
task("12.4")

# %% [markdown]
# The *roofline model* (Williams et al. 2009) draws this as a figure: the best possible speed against the arithmetic
# intensity. On the left the line rises, because memory is the limit. On the right it is flat, because arithmetic is.
# Here are the two limits of one core of the processor in front of you. GFLOP/s are billions of floating-point
# operations per second, and a multiply-add counts as two of them (07 counts it as one):

# %%
threads = num_threads()
set_num_threads(1)
peak = 2 * sgemm_peak(1024)  # a multiply-add is two operations
set_num_threads(threads)
source = np.ones(1 << 24, np.float32)
target = np.empty_like(source)
copy = median(race({"copy": lambda: np.copyto(target, source)}, 5)["copy"])
bandwidth = 2 * source.nbytes / copy  # read and written
corner = peak / bandwidth
print(f"one core: arithmetic {peak / 1e9:.0f} GFLOP/s, memory {bandwidth / 1e9:.1f} GB/s")
print(f"below {corner:.0f} operations per byte, memory is the limit")

# %% [markdown]
# And here are the layers of ResNet-20 for a batch of 128: the operations of each, divided by the bytes of its input,
# its output and its weights. Layers without multiply-adds are counted with one operation per output.

# %%
BATCH = 128
intensities, inputs, weight_shares = {}, 32 * 32 * 3, []
for row in summarise(build("resnet20", rng=np.random.default_rng(0)), 32):
    outputs = int(np.prod(row.output_shape))
    operations = BATCH * (2 * row.multiply_adds or outputs)
    read = 2 * outputs if row.kind == "Add" else inputs  # an addition has two inputs
    moved = 4 * (BATCH * (read + outputs) + row.parameters)
    intensities.setdefault(row.kind, []).append(operations / moved)
    if row.kind == "Conv2d":
        weight_shares.append(4 * row.parameters / moved)
    inputs = outputs
draw_roofline(intensities, peak, bandwidth)
plt.show()

convolutions = intensities["Conv2d"]
others = [value for kind in ("BatchNorm2d", "ReLU", "Add") for value in intensities[kind]]
print(f"operations per byte: convolutions {min(convolutions):.0f} to {max(convolutions):.0f}, others {max(others):.2f}")
assert min(convolutions) > 10 * max(others), "convolutions do far more with each byte than the layers around them"
assert max(others) < corner, "batch norm, ReLU and addition are limited by memory here"
T4 = 8.1e12 / 300e9  # operations per byte at its corner, from NVIDIA's data sheet
waiting = sum(value < T4 for value in convolutions)
print(f"the corner of a T4: {T4:.0f} operations per byte, above {waiting} of the convolutions")
assert max(others) < min(convolutions) and waiting == 2, "the one with 3 channels, and the first with stride 2"
print(f"weights are at most {max(weight_shares):.1%} of the bytes that a convolution moves")
assert max(weight_shares) < 0.05, "at this batch size the weights hardly count"

# %% [markdown]
# Batch norm, ReLU and addition do almost nothing with each number they load, so they wait for memory. It is the same on
# a GPU: for the T4, NVIDIA states 8.1 TFLOP/s in float32 and more than 300 GB/s, so its corner is at about 27
# operations per byte. For this reason compilers for neural networks fuse such layers into their neighbours (Chen et al.
# 2018, section 3): each number is then loaded once for several of them.
#
# For the convolutions, the figure counts the bytes that *must* move. On a processor, the columns of a chunk stay in the
# cache (13), so little else moves. On a GPU the whole batch is one chunk: this library writes the columns to memory and
# reads them back, nine numbers for each number of the input. That leaves 3.6 operations per byte with 16 channels, and
# 14 with 64, so on a T4 all convolutions of ResNet-20 wait for memory. Kernels that write no columns avoid that.
#
# How much of a training step does each kind of layer take here, on the processor?

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
# A GPU adds the terms of a sum in a different order, so the last digits of a result differ. In float64 that must be the
# only difference, and it must be less than 1e-9 of the largest number (`TOLERANCE` in `verify/crosscheck.py`).
# `crosscheck` runs the same weights and the same batch on two devices, forward and backward, and compares them layer by
# layer. In a terminal, it is `resnet-scratch crosscheck resnet8 --device cuda`. You can also run the gradient checks on
# the GPU: `resnet-scratch gradcheck --device cuda`.

# %%
if GPU:
    batch = np.random.default_rng(1).standard_normal((4, 32, 32, 3), np.float32)
    differences = crosscheck(build("resnet8", rng=np.random.default_rng(0)), batch, np.arange(4), DEVICE)
    print(format_differences(differences))
    assert first_difference(differences) is None, "the two devices must agree, except for rounding"
else:
    print("no GPU here, so there is nothing to compare; on Colab this cell compares the two devices")

# %% [markdown]
# ## Questions to think about
#
# <details><summary>You double the batch size. Which layers of ResNet-20 change their arithmetic intensity?</summary>
#
# Only those whose weights are a considerable part of what they move. Operations, inputs and outputs all double, so
# their ratio stays the same; only the weights are loaded once per batch, however large it is. For the convolutions here
# the weights are small compared with the images, so little changes. For a large linear layer, a lot does.
#
# </details>
#
# <details><summary>Your GPU is only 20 % busy while ResNet-8 trains with batch size 16. What could be the reason?
# </summary>
#
# The layers are so small that the GPU finishes each one before Python has queued the next. The time of a step is then
# the time of the calls, not of the arithmetic. A larger batch gives each call more to do. Another suspect is code that
# waits for a number in each step.
#
# </details>
#
# <details><summary>Would Winograd's algorithm, which needs fewer multiplications, speed up a 1x1 convolution of 16
# channels?</summary>
#
# No. For $m$ outputs of a kernel of length $r$ it needs $m + r - 1$ multiplications instead of $mr$ (Lavin and Gray
# 2016, section 4), and for $r = 1$ these are equal. Nor is arithmetic the limit. Per pixel, the layer does $2 \cdot 16
# \cdot 16 = 512$ operations and moves $4 \cdot (16 + 16) = 128$ bytes. That is 4 operations per byte, far below the
# T4's 27.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `model.to("cuda")` | `model.to("cuda")` |
# | `devices()` | `torch.cuda.is_available()`, `torch.cuda.device_count()` |
# | `to_numpy(x)` | `x.cpu().numpy()` |
# | waiting by copying a result | `torch.cuda.synchronize()` |
# | reading the loss now and then | the same: `loss.item()` waits |
# | float32 everywhere | the same; then `torch.autocast` for half precision |
#
# ## Sources
#
# * Okuta et al. 2017, "CuPy: A NumPy-Compatible Library for NVIDIA GPU Calculations".
# * CuPy's user guide, "Performance Best Practices": kernels are compiled at first use; how to benchmark.
# * Williams, Waterman and Patterson 2009, "Roofline: An Insightful Visual Performance Model for Multicore
#   Architectures".
# * Chen et al. 2018, "TVM: An Automated End-to-End Optimizing Compiler for Deep Learning", section 3: fusion.
# * Lavin and Gray 2016, "Fast Algorithms for Convolutional Neural Networks", section 4: Winograd's algorithm.
# * NumPy Enhancement Proposal 50, "Promotion rules for Python scalars".
# * NVIDIA, "T4 Tensor Core GPU" data sheet, 2019: speed and bandwidth; "Turing GPU Architecture" white paper, 2018:
#   the ratio of float64 to float32.
#
# Next: [13 Fast NumPy](13_fast_numpy.py), which returns to the processor: what makes NumPy fast.
