# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 15 One batch, many machines
#
# Large networks are trained on many machines at once. The first idea is simple: every machine works on a part of the
# batch, and then all of them add up their gradients. In this tutorial you carry that out by hand. You also find out what
# it costs, where it changes the result, and when another machine no longer helps. (The very largest networks do not fit
# into the memory of one machine, so the network is divided, too. That is not part of this tutorial.)
#
# You need only one machine. The processes of most cells are entries of a list, so you can look into all of them. One
# cell starts real processes, if MPI, the usual library for messages between processes, is installed.
#
# By the end you will be able to
#
# * say which parts of a training step are per image, and which need messages;
# * write an all-reduce in two ways, and count its messages;
# * explain why the same sum has different bits on a different number of machines, and how to prevent it;
# * keep batch norm exact over several machines, forward and backward, and say when that matters;
# * adapt the learning rate to a larger batch, and say where that stops working;
# * predict from four numbers how much faster k machines are.
#
# **Needs:** 04 (batch norm) and 08 (training, the linear scaling rule); 13 explains sums in a fixed order. For the one
# cell with real processes: `pip install "resnet_scratch[mpi]"`.
# **Time:** 60 minutes to read and try, and 90 minutes for the tasks. The cells run for about two minutes on two cores.

# %%
import hashlib
import importlib.util
import inspect
import math
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.compute.messages import all_sum
from resnet_scratch.compute.processes import INSTALL, find_mpiexec
from resnet_scratch.data import load, normalise, training_batches
from resnet_scratch.exercises import solutions, task
from resnet_scratch.exercises.ch15_many_machines import Messages
from resnet_scratch.figures.graphs import draw_graph
from resnet_scratch.figures.processes import all_reduce_times, draw_messages, draw_ring, draw_scaling
from resnet_scratch.layers import BatchNorm2d, Conv2d
from resnet_scratch.losses import softmax_cross_entropy
from resnet_scratch.measure.summary import summarise
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import constant
from resnet_scratch.train import train

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests

# %% [markdown]
# ## The same model, different parts of the batch
#
# In **data parallelism**, each of k processes holds a copy of the whole model. Of every batch, it gets its own part of
# the images. A process is a running program with a memory of its own, on the same machine or on another one. It can
# learn what another process knows only through a message.

# %%
K = 4
boxes = {"batch": (0, 1.5), "sum": (4.4, 1.5)} | {f"model {r}": (2.2, 3 - r) for r in range(K)}
fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
draw_graph(ax, boxes, [arrow for r in range(K) for arrow in (("batch", f"model {r}", ""), (f"model {r}", "sum", ""))])
ax.text(1.0, 3, "images", ha="center", fontsize=9)
ax.text(3.5, 3, "gradients", ha="center", fontsize=9)
plt.show()

# %% [markdown]
# Why may the gradients be added? The loss of a batch is the mean of the losses $\ell_i$ of its N images, and the
# gradient of a sum is the sum of the gradients. Let process $r$ have the $n_r$ images of the part $P_r$, and let $L_r$
# be the mean loss of these. Then
#
# $$ \nabla L = \frac1N \sum_{i} \nabla \ell_i
#    = \sum_r \frac{1}{N} \sum_{i \in P_r} \nabla \ell_i = \sum_r \frac{n_r}{N} \nabla L_r $$
#
# Here are the steps of training with four processes, by hand. We compute in float64, so that rounding stays out of the
# way. For now batch norm uses its running statistics, `training=False`. You will soon see why.

# %%
shapes = load()
x = normalise(shapes.train_images[:64], shapes.mean, shapes.std).astype(np.float64)
labels = shapes.train_labels[:64]


def fresh_model():
    """1. Initialise. Every process draws the same weights, because it uses the same seed: no message is needed."""
    return build("resnet8", rng=np.random.default_rng(0)).astype(np.float64)


def gradient(model, x, labels, training=False):
    """2. Forward, 3. loss, 4. backward: the gradient of the mean loss, all parameters in one array."""
    logits, cache = model.forward(x, training)
    _, grad_logits = softmax_cross_entropy(logits, labels)
    model.backward_to_parameters(grad_logits, cache)
    return np.concatenate([parameter.grad.ravel() for parameter in model.parameters()])


def difference(a, b):
    """The distance of two arrays, relative to the size of the second."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


one = gradient(fresh_model(), x, labels)
models = [fresh_model() for _ in range(K)]
grads = [gradient(*process) for process in zip(models, np.split(x, K), np.split(labels, K))]
print(f"each gradient has {one.size:,} numbers")
print(f"process 0 alone against the whole batch: relative difference {difference(grads[0], one):.2f}")
print(f"mean of the four against the whole batch: relative difference {difference(sum(grads) / K, one):.1e}")
assert difference(sum(grads) / K, one) < 1e-12 < difference(grads[0], one), "the mean of the parts is the whole"

# %% [markdown]
# **Predict, then run:** the parts need not have the same size. Let 50 images be divided into 20, 15, 10 and 5. Is the
# mean of the four gradients still right?

# %%
edges = [0, 20, 35, 45, 50]
parts = [slice(begin, end) for begin, end in zip(edges, edges[1:])]
whole = gradient(fresh_model(), x[:50], labels[:50])
grads = [gradient(fresh_model(), x[part], labels[part]) for part in parts]
weighted = sum((part.stop - part.start) / 50 * grad for part, grad in zip(parts, grads))
print(f"mean of the four: relative difference {difference(sum(grads) / 4, whole):.1e}")
print(f"weighted by images: relative difference {difference(weighted, whole):.1e}")
assert difference(weighted, whole) < 1e-12 < difference(sum(grads) / 4, whole), "each image must count the same"

# %% [markdown]
# The plain mean lets an image of a small part count for more. The library avoids the question: each process divides by
# the number of images of the *whole* batch, so that the gradients only have to be added.
#
# The fifth step is the update. Every process gets the same sum and has the same weights, so every process makes the
# same update. The copies stay equal, although no weights are ever sent.

# %%
steps = [slice(k, k + 16) for k in (0, 16, 32)]
single, models = fresh_model(), [fresh_model() for _ in range(K)]
optimizers = [SGD(model.parameters(), momentum=0.9) for model in (single, *models)]


def take(model, gradient):
    """Give each parameter its piece of a gradient that is one array."""
    begin = 0
    for parameter in model.parameters():
        parameter.grad = gradient[begin : begin + parameter.value.size].reshape(parameter.value.shape)
        begin += parameter.value.size


for step in steps:
    take(single, gradient(single, x[step], labels[step]))
    grads = [gradient(*process) for process in zip(models, np.split(x[step], K), np.split(labels[step], K))]
    total = sum(grads) / K  # this line needs messages
    for model in models:
        take(model, total)
    for optimizer in optimizers:
        optimizer.step(0.1)  # 5. update


def weights(model):
    return np.concatenate([parameter.value.ravel() for parameter in model.parameters()])


equal = all(np.array_equal(weights(model), weights(models[0])) for model in models)
print("after three steps, all four copies have the same bits:", equal)
print(
    f"against one process with whole batches: relative difference {difference(weights(models[0]), weights(single)):.1e}"
)
assert equal and difference(weights(models[0]), weights(single)) < 1e-12, "four processes must train as one does"

# %% [markdown]
# So one line of the whole loop needs messages. Most of this chapter is about that line.
#
# **Predict, then run:** with `training=True`, batch norm uses the statistics of the images that it is given. Is the
# mean of the four gradients still that of the whole batch?

# %%
one = gradient(fresh_model(), x, labels, training=True)
grads = [gradient(fresh_model(), *part, training=True) for part in zip(np.split(x, K), np.split(labels, K))]
print(f"with batch norm in training mode: relative difference {difference(sum(grads) / K, one):.2f}")
assert difference(sum(grads) / K, one) > 0.01, "batch norm makes the images of a batch depend on one another"

# %% [markdown]
# It is not. The derivation assumed that the loss of an image depends on that image only, and batch norm breaks this. We
# will come back to this below. First, the line that needs messages.
#
# ## All-reduce
#
# Each of k processes has an array of n numbers, its gradient. Afterwards each needs the sum of all. This is called an
# **all-reduce**. The obvious way is that all send their array to process 0, which adds them up and sends the sum back.
# Then process 0 receives $k - 1$ arrays and sends $k - 1$, while the others wait.
#
# A simple model says how long a message takes. Its first number arrives after a **latency** $\alpha$, and each number
# takes $\beta$ more: $\alpha + \beta n$ seconds for n numbers. A process can send one message and receive another at
# the same time, but it cannot send two at once, or receive two. The obvious way then takes
#
# $$ 2 \, (k - 1) \, (\alpha + \beta n) $$
#
# The time grows in proportion to $k - 1$. There are two better ways, and both are yours to write.
#
# ### Around a ring
#
# Arrange the processes in a ring. Cut every array into k pieces. Then all links of the ring can be busy at once, each
# with a different piece.

# %% tags=["task"]
task("15.1")

# %% [markdown]
# Here is what each process has, round by round. A row is a process, and a column is one of four pieces. A cell says
# whose parts are in the sum.

# %%
holds = [[{r} for _ in range(K)] for r in range(K)]  # process r has its own part of every piece
rounds = [holds]
for t in range(2 * (K - 1)):
    after = [list(pieces) for pieces in holds]
    for r in range(K):
        right, piece = (r + 1) % K, (r - t) % K
        after[right][piece] = holds[right][piece] | holds[r][piece]
    holds = after
    rounds.append(holds)
draw_ring(rounds)
plt.show()
complete = [sum(parts == set(range(K)) for pieces in holds for parts in pieces) for holds in rounds]
print("complete sums after each round:", complete)
assert complete == [0, 0, 0, 4, 8, 12, 16], "the first half completes one piece per process, the second passes them on"

# %% [markdown]
# The first half of the rounds is called a **reduce-scatter**: afterwards each process has the total of one piece. The
# second half is an **all-gather**: the totals go around once more.
#
# ### By doubling
#
# The other way is **recursive doubling**. Partners exchange all that they have. In every round, the number of parts in
# each sum doubles.

# %% tags=["task"]
task("15.2")

# %% [markdown]
# **Predict, then run:** with eight processes, which of the two finishes first? Each is drawn twice, with a small and
# with a large latency. Time runs downwards, and a horizontal line is the end of a round. The unit of time is the same
# in all four drawings: the time that the n numbers of an array take without the latency.

# %%
ring, doubling = solutions()["15.1"], solutions()["15.2"]


def messages_of(all_reduce, k, n):
    """What k processes send to add up arrays of n numbers, after a check that the sum is right."""
    parts = [np.random.default_rng(r).integers(0, 100, n).astype(float) for r in range(k)]
    messages = Messages()
    for result in all_reduce(parts, messages.send):
        assert np.array_equal(result, sum(parts)), "every process must have the sum"
    return messages.sent


fig, axes = plt.subplots(1, 4, figsize=(10, 4.2), layout="constrained", sharey=True)
ends = {}
for ax, (latency, name) in zip(axes, [(low, name) for low in (0.02, 0.3) for name in ("ring", "doubling")]):
    sent = messages_of({"ring": ring, "doubling": doubling}[name], 8, 800)
    ends[latency, name] = draw_messages(ax, sent, 800, latency, f"{name}\nlatency {latency}")
    print(f"latency {latency:4}, {name:8}: {ends[latency, name]:.2f}")
axes[0].set_ylim(max(ends.values()) + 0.2, 0)
axes[0].set_ylabel("time (down)")
plt.show()
assert ends[0.02, "ring"] < ends[0.02, "doubling"] and ends[0.3, "doubling"] < ends[0.3, "ring"]

# %% [markdown]
# The ring sends many short messages, and doubling sends few long ones. So a small latency favours the ring, and a large
# one favours doubling. Count what each process sends:

# %%
n = 960  # a multiple of every k below
print(" k   ring: messages, numbers   doubling: messages, numbers   at process 0, the obvious way: numbers")
for k in (2, 4, 8, 16, 32):
    counts = {}
    for name, all_reduce in (("ring", ring), ("doubling", doubling)):
        own = [numbers for sender, _, numbers in messages_of(all_reduce, k, n) if sender == 0]
        counts[name] = len(own), sum(own)
    print(f"{k:2} {counts['ring'][0]:16} {counts['ring'][1]:8} {counts['doubling'][0]:20} {counts['doubling'][1]:8} "
          f"{(k - 1) * n:42}")  # fmt: skip
    assert counts["ring"] == (2 * (k - 1), 2 * (k - 1) * n / k), "2 (k - 1) pieces of n / k numbers"
    assert counts["doubling"] == (math.log2(k), n * math.log2(k)), "one whole array per round"

# %% [markdown]
# | | rounds | numbers sent by each process | time |
# |---|---|---|---|
# | ring | $2(k-1)$ | $2 \frac{k-1}{k} n$ | $2(k-1) \, \alpha + 2 \frac{k-1}{k} \, n \beta$ |
# | recursive doubling | $\log_2 k$ | $n \log_2 k$ | $\log_2 k \; (\alpha + n \beta)$ |
#
# The ring sends the fewest numbers possible (Patarasuk and Yuan 2009). However many processes there are, each sends
# fewer than $2n$.
#
# **Predict, then run:** 16 machines add up arrays of more and more bytes. Above what size is the ring faster?

# %%
LATENCY, BANDWIDTH = 50e-6, 125e6  # an assumption: 50 microseconds, and 125 million bytes per second (1 Gb/s)
sizes = [4 * 4**j for j in range(14)]

times = all_reduce_times(16, sizes, LATENCY, BANDWIDTH)
fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
draw_scaling(ax, times, "bytes", "seconds")
plt.show()
crossing = next(size for size in sizes if times["ring"][size] < times["doubling"][size])
print(f"among these sizes, the ring is faster at {crossing:,} bytes and above")
assert times["doubling"][4] < times["ring"][4] and times["ring"][sizes[-1]] < times["doubling"][sizes[-1]]

# %% [markdown]
# MPI libraries choose by size in the same manner. MPICH uses recursive doubling for short arrays. For long ones it uses
# a reduce-scatter and an all-gather in $\log_2 k$ rounds each, which send as little as the ring (Rabenseifner 2004;
# Thakur, Rabenseifner and Gropp 2005).
#
# ## A sum must have an order
#
# Floating-point addition is not associative (13). Here are four float32 numbers; near $10^8$, neighbouring float32
# numbers are 8 apart. **Predict, then run:** what is the sum if they are added one after the other? And in a tree?

# %%
a, b, c, d = np.array([1e8, 1, -1e8, 1], np.float32)
print(f"one after the other: {((a + b) + c) + d};  as a tree: {(a + b) + (c + d)};  exact: 2")
assert ((a + b) + c) + d == 1 and (a + b) + (c + d) == 0, "both are wrong, and not equally"

# %% [markdown]
# Does that happen to gradients? Let eight chunks of a batch have a gradient each, in float32. With k processes, each
# has $8/k$ of the chunks. It adds its own chunks in a binary tree, and then an all-reduce adds the processes' sums. We
# look at the SHA-256 hash of the result, which changes if a single bit does. **Predict:** which of the eight hashes are
# equal?

# %%
float32 = build("resnet8", rng=np.random.default_rng(0))
chunks = [gradient(float32, x[j : j + 8].astype(np.float32), labels[j : j + 8]) for j in range(0, 64, 8)]
assert chunks[0].dtype == np.float32


def tree(values):
    """((v0 + v1) + (v2 + v3)) + ..., for a power of two of values."""
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], values[1::2])]
    return values[0]


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()[:12]


hashes = {"ring": [], "doubling": []}
print("processes   tree, then ring   tree, then doubling")
for k in (1, 2, 4, 8):
    own = [tree(chunks[r * 8 // k : (r + 1) * 8 // k]) for r in range(k)]
    for name, all_reduce in (("ring", ring), ("doubling", doubling)):
        results = [digest(result) for result in all_reduce(own, Messages().send)]
        assert len(set(results)) == 1, "either way, all processes agree"
        hashes[name].append(results[0])
    print(f"{k:9}   {hashes['ring'][-1]:15}   {hashes['doubling'][-1]}")
assert len(set(hashes["doubling"])) == 1, "doubling continues the tree, so the number of processes does not show"
assert hashes["ring"][0] == hashes["ring"][1] and len(set(hashes["ring"])) == 3, "with four processes or more it does"

# %% [markdown]
# Doubling continues the binary tree over the chunks. So the tree is always the same, and the number of processes only
# decides which of its branches are added where. The ring adds piece $c$ in the order in which it comes around: it
# starts at process $c$. With two processes, the only difference from the tree is that some sums are $b + a$ in place of
# $a + b$, and these are equal bit for bit. With four, the terms are grouped differently: piece 0 is
# $((p_0 + p_1) + p_2) + p_3$, where the tree has $(p_0 + p_1) + (p_2 + p_3)$.
#
# Does it matter? Both results are about equally accurate. But a run that gives the same bits on one machine and on
# eight can be checked, continued elsewhere and debugged. That is why the library uses doubling on processors. (Arrays
# on GPUs are added by NCCL, NVIDIA's library for messages between GPUs, which chooses its own order.)

# %%
print(inspect.getsource(all_sum))

# %% [markdown]
# The number of processes need not be a power of two. If it is not, the extra processes hand their values to others
# first. The sum is then a different tree.
#
# ## The real thing
#
# This script is all that a training run on several processes takes. Inside `processes()`, `training_batches` gives each
# process its part of every batch, and each `Sum` over a batch (13) ends with an `all_sum`. No layer knows about it.
#
# MPI starts the processes: `mpiexec -n 2 python script.py`. The script prints a hash of all weights after a few steps.

# %%
SCRIPT = """
import hashlib
import numpy as np
from resnet_scratch.compute.processes import number_of_processes, part_of_batch, processes
from resnet_scratch.data import load, training_batches
from resnet_scratch.models import build
from resnet_scratch.optim import SGD
from resnet_scratch.schedules import constant
from resnet_scratch.train import train

with processes():
    model = build("resnet8", rng=np.random.default_rng(0))
    optimizer = SGD(model.parameters(), momentum=0.9)
    batches = training_batches(load(), 64, seed=0)
    for step in train(model, optimizer, batches, constant(0.1), total_steps=4):
        pass
    weights = b"".join(buffer.value.tobytes() for _, buffer in model.named_buffers())
    part = part_of_batch(64)
    print(f"{number_of_processes()} process(es), {part.stop - part.start} images each: "
          f"loss {float(step.loss):.6f}, weights {hashlib.sha256(weights).hexdigest()[:16]}")
"""
mpiexec = find_mpiexec()
numbers = (1, 2) if FAST else (1, 2, 4)
if mpiexec is None or importlib.util.find_spec("mpi4py") is None:
    print(f"MPI is not installed here, so one process has to do; to see more: {INSTALL}")
    numbers = (1,)

outputs = []
with tempfile.TemporaryDirectory() as folder:
    script = Path(folder, "script.py")
    script.write_text(SCRIPT, encoding="utf-8")
    for number in numbers:
        command = [*([mpiexec, "-n", str(number)] if number > 1 else []), sys.executable, str(script)]
        one_thread = {**os.environ, "RESNET_SCRATCH_THREADS": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, env=one_thread, timeout=300)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout.strip())
        print(outputs[-1])
assert len({output.split(": ")[1] for output in outputs}) == 1, "the number of processes must not change a single bit"

# %% [markdown]
# On the command line the same is `resnet-scratch train --processes 2`. On several machines it is, with MPICH,
# `mpiexec -n 4 -hosts first,second resnet-scratch train`. With 2, 4 or 8 processes the result has the same bits as with
# one, provided that all have the same number of images, and at least 8 (`compute/batch.py`).
#
# ## Batch norm over several machines
#
# Now back to the layer that does not treat each image on its own. Batch norm in training divides by the standard
# deviation of the batch. A process knows its own images only. So there are two possibilities:
#
# * **Local statistics.** Each process uses the mean and variance of its own part. That needs no message, and is a
#   different computation: for batch norm, and only for it, the batch is then $N/k$ images large.
# * **Whole-batch statistics.** The processes exchange sums. The result is that of one process, and each layer has to
#   wait for messages.
#
# **Predict, then run:** how far is the gradient with local statistics from that of the whole batch, when 64 images are
# divided among more and more processes?

# %%
one = gradient(fresh_model(), x, labels, training=True)
local = {}
for k in (2, 4, 8, 16, 32):
    grads = [gradient(fresh_model(), *part, training=True) for part in zip(np.split(x, k), np.split(labels, k))]
    local[k] = difference(sum(grads) / k, one)
    print(f"{k:2} processes with {64 // k:2} images each: relative difference {local[k]:.2f}")
assert local[2] < local[8] < local[32], "the fewer images a process has, the further its statistics are off"

# %% [markdown]
# The more images a process has, the smaller the difference. It need not be harmful: Ioffe and Szegedy (2015, section
# 3.4) found that the noise of batch statistics regularises. Goyal et al. (2017, section 2.3) trained with 256 GPUs and
# *wanted* local statistics over 32 images each, because the loss that is minimised then does not change with the number
# of GPUs. With two images per GPU, as in object detection, local statistics are too noisy. Peng et al. (2018, "MegDet")
# computed them over several GPUs. Group normalisation avoids the question, since it uses one image only (Wu and He
# 2018).
#
# What has to be sent? Each process can compute how many values it has per channel, their mean and their variance.

# %% tags=["task"]
task("15.3")

# %% [markdown]
# The task's formula is that of Chan, Golub and LeVeque (1983): the mean of the variances, plus the variance of the
# means, both weighted by the number of values in each process. **Predict, then run:** why not simply send $\sum x$ and
# $\sum x^2$? Here is the variance of values around 1000, in float32:

# %%
values = (1000 + np.random.default_rng(0).standard_normal(4096)).astype(np.float32).reshape(4, 1024, 1)
known = [(len(own), own.mean(0), own.var(0)) for own in values]
total = sum(len(own) for own in values)
squares, mean = sum((own**2).sum(0) for own in values) / total, sum(own.sum(0) for own in values) / total
exact = values.astype(np.float64).var()
combined = solutions()["15.3"](known)[1]
print(f"exact {exact:.5f};  sum of squares {(squares - mean**2)[0]:.5f};  combined variances {combined[0]:.5f}")
assert abs(combined[0] / exact - 1) < 1e-4 < abs((squares - mean**2)[0] / exact - 1), "large squares cancel"

# %% [markdown]
# The library subtracts a number near the mean first, the mean of the first image, which process 0 sends to all. After
# that the two sums are small, and nothing cancels (`layers/batchnorm.py`). Either way a layer sends a few numbers per
# channel.
#
# The backward pass needs sums as well. Tutorial 04 derived
#
# $$ \frac{\partial L}{\partial x_i} = \gamma s \, \Big( g_i - \frac1M \sum_j g_j
#    - \hat x_i \frac1M \sum_j g_j \hat x_j \Big) $$
#
# with $s = 1 / \sqrt{\sigma^2 + \varepsilon}$ and $M$ values per channel in the whole batch. The two sums over $j$ are
# over all of these values, too. Here are both passes with eight processes, against the library's layer with one.

# %%
features = Conv2d(3, 4, 3, padding=1, bias=False, rng=np.random.default_rng(0)).astype(np.float64)(x)
norm = BatchNorm2d(4).astype(np.float64)
y, cache = norm.forward(features, training=True)
grad_y = np.random.default_rng(1).standard_normal(y.shape)
grad_x = norm.backward(grad_y, cache)

parts, grad_parts = np.split(features, 8), np.split(grad_y, 8)
pixels = (0, 1, 2)  # the axes of images, rows and columns
known = [(part[..., 0].size, part.mean(pixels), part.var(pixels)) for part in parts]
mean, var = solutions()["15.3"](known)  # messages: three numbers per channel
s = 1 / np.sqrt(var + norm.eps)
hats = [(part - mean) * s for part in parts]  # per image (gamma is 1 and beta is 0)

M = features[..., 0].size
sum_g = sum(g.sum(pixels) for g in grad_parts)  # messages: two numbers per channel
sum_g_hat = sum((g * hat).sum(pixels) for g, hat in zip(grad_parts, hats))
back = [s * (g - sum_g / M - hat * sum_g_hat / M) for g, hat in zip(grad_parts, hats)]  # per image
print(f"forward:  relative difference {difference(np.concatenate(hats), y):.1e}")
print(f"backward: relative difference {difference(np.concatenate(back), grad_x):.1e}")
assert difference(np.concatenate(hats), y) < 1e-12 and difference(np.concatenate(back), grad_x) < 1e-12

# %% [markdown]
# The two sums of the backward pass must be sent anyway: they are the gradients of batch norm's own parameters, $\beta$
# and $\gamma$.
#
# These messages are small, but there are many of them: at least two for every batch norm in every step, and no process
# can continue before they have arrived. Whether that is much depends on the latency. We will compute it at the end.

# %% [markdown]
# ## More machines, larger batches
#
# Each process needs enough images to be busy. So with more machines one usually uses larger batches, and takes fewer
# steps per epoch. What learning rate does that need? Compare k steps with batches $B_0, \dots, B_{k-1}$ and the rate
# $\eta$ with one step of all k batches together, at the rate $\hat\eta$. Here $L_j$ is the mean loss of $B_j$:
#
# $$ w_k = w_0 - \eta \sum_{j < k} \nabla L_j(w_j), \qquad
#    \hat w = w_0 - \hat\eta \, \frac1k \sum_{j < k} \nabla L_j(w_0) $$
#
# If the gradient hardly changes on the way, $\nabla L_j(w_j) \approx \nabla L_j(w_0)$, then both arrive at the same
# weights for $\hat\eta = k \eta$. This is the **linear scaling rule**: *multiply the batch by k, and the learning rate
# too* (Goyal et al. 2017, section 2.1; tutorial 08).
#
# **Predict, then run:** how far apart are $w_k$ and $\hat w$, relative to the distance from $w_0$ to $w_k$, for small
# and for large $\eta$? We take eight batches of 16 images. In both cases batch norm uses the statistics of each batch
# of 16.


# %%
def shrink(images):
    """uint8 (N, 32, 32, 3) -> (N, 16, 16, 3): the mean of each block of 2x2 pixels."""
    return images.reshape(len(images), 16, 2, 16, 2, 3).mean((2, 4)).round().astype(np.uint8)


small = replace(shapes, train_images=shrink(shapes.train_images[:512]), train_labels=shapes.train_labels[:512])
small_x, small_labels = normalise(small.train_images, small.mean, small.std), small.train_labels
batches = [(small_x[j : j + 16], small_labels[j : j + 16]) for j in range(0, 128, 16)]


def two_ways(learning_rate):
    """How far k steps and one k-times larger step lead: two arrays of all weights, minus those at the start."""
    model = build("resnet8", rng=np.random.default_rng(0))
    optimizer, start = SGD(model.parameters(), momentum=0.0), weights(model)
    together = sum(gradient(model, *batch, training=True) for batch in batches)  # all at the first weights
    for batch in batches:
        gradient(model, *batch, training=True)  # at the weights as they are by now
        optimizer.step(learning_rate)
    return weights(model) - start, -learning_rate * together


apart = {}
for rate in (0.0003, 0.003, 0.03, 0.3):
    small_steps, large_step = two_ways(rate)
    apart[rate] = difference(large_step, small_steps)
    cosine = small_steps @ large_step / np.linalg.norm(small_steps) / np.linalg.norm(large_step)
    print(f"learning rate {rate:6}: the two ends differ by {apart[rate]:4.0%} of the distance; "
          f"with the best length of the large step, still by {math.sqrt(1 - cosine**2):3.0%}")  # fmt: skip
assert apart[0.0003] < 0.05 and apart[0.3] > 0.5, "the rule holds as long as the gradient hardly changes on the way"

# %% [markdown]
# For small rates the two ends are almost the same. For large rates they are not, and no choice of $\hat\eta$ repairs
# that, because the large step points in a different direction. So the product $k \eta$ is limited, and with it $k$.
#
# Goyal et al. (section 2.2) found the rule to fail early in training, when the network changes rapidly. So they start
# with the rate $\eta$ of one machine, and let it grow to $k \eta$ over the first five epochs, by the same amount in
# each step. This is a **warm-up** (08).

# %% tags=["task"]
task("15.4")

# %% [markdown]
# Does the rule work? We train a ResNet-8 on 512 small images for the same number of epochs: with batches of 32, and
# with batches that are 4 and 16 times as large. Each is tried with the rate of the small batches, with the linear rule,
# and with the linear rule and a warm-up over the first third of the steps. One run proves nothing (10), so there are
# three seeds. **Predict:** which of the losses will be close to that of the small batches?

# %%
EPOCHS, BASE = (1 if FAST else 8), 0.05
SEEDS = range(1 if FAST else 3)
linear_rule = solutions()["15.4"]


def final_loss(k, schedule, steps, seed):
    """The mean training loss of the last epoch, with batches of 32 k images."""
    model = build("resnet8", rng=np.random.default_rng(seed))
    optimizer = SGD(model.parameters(), momentum=0.0)
    batches = training_batches(small, 32 * k, seed, augment=False)
    losses = [float(step.loss) for step in train(model, optimizer, batches, schedule, steps)]
    return float(np.mean(losses[-(512 // (32 * k)) :]))


losses = {}
for k in (1, 4, 16):
    steps = EPOCHS * (512 // (32 * k))
    schedules = {"the same rate": constant(BASE)}
    if k > 1:  # with k = 1 all three are the same
        schedules["linear rule"] = constant(k * BASE)
        schedules["linear rule, warm-up"] = lambda step, k=k, steps=steps: linear_rule(step, BASE, k, steps // 3)
    for name, schedule in schedules.items():
        runs = losses[k, name] = [final_loss(k, schedule, steps, seed) for seed in SEEDS]
        print(f"batches of {32 * k:3}, {steps:3} steps, {name:21}: loss {np.mean(runs):.2f}, "
              f"from {min(runs):.2f} to {max(runs):.2f}")  # fmt: skip
if not FAST:
    mean_loss = {key: np.mean(runs) for key, runs in losses.items()}
    assert mean_loss[4, "linear rule"] < mean_loss[4, "the same rate"] - 0.03, "the rate must grow with the batch"
    assert mean_loss[4, "linear rule"] < mean_loss[16, "linear rule"] - 0.03, "but the rule breaks for large k"

# %% [markdown]
# Compare every line with the first. (Guessing has a loss of 2.30, so all these networks have only begun to learn.)
# Where the loss is about the same, $1/k$ of the steps have done the same work. The batches of 512 allow only one step
# per epoch. The rule makes these steps 16 times as long, and the experiment before this one shows what happens to long
# steps. Eight steps leave a warm-up little time. In runs of 96 and 192 steps it helps much more
# ([processes](../docs/processes.md#large-batches)).
#
# Shallue et al. (2019) measured on many problems how far one can go. Up to some batch size, twice the batch needs half
# the steps. After that it helps less and less, and in the end not at all.
#
# ## When do more machines help?
#
# A step of k processes takes the time of the computation divided by k, plus the time of the messages. Everything that
# is not divided by k limits the gain. If a fraction s of the work cannot be divided, then k machines are at most $1/s$
# times as fast, however many there are (**Amdahl's law**).

# %% tags=["task"]
task("15.5")

# %% [markdown]
# Now predict the gain for two networks of the ResNet paper. The library knows what they cost: the gradient has four
# bytes for each parameter. A training step takes about three times as many multiply-adds as the forward pass, one third
# for each of y, grad_x and grad_weight. A multiply-add is two operations.
#
# The speeds are assumptions: a processor core with Gigabit Ethernet, and a GPU with a fast network. **Change them** to
# those of your machines.

# %%
networks = {}
for name, size, classes in (("resnet20", 32, 10), ("resnet50", 224, 1000)):
    rows = summarise(build(name, classes, rng=np.random.default_rng(0)), size)
    networks[name] = {
        "bytes": 4 * sum(row.parameters for row in rows),
        "operations": 6 * sum(row.multiply_adds for row in rows),  # of one image
        "norms": sum(row.kind == "BatchNorm2d" for row in rows),
    }
    print(
        f"{name}: {networks[name]['bytes'] / 1e6:6.1f} MB of gradients, "
        f"{networks[name]['operations'] / 1e9:6.2f} billion operations per image, {networks[name]['norms']} batch norms"
    )

MACHINES = {  # operations per second, latency in seconds, bytes per second: assumptions
    "core, 1 Gb/s": (50e9, 50e-6, 125e6),
    "GPU, 100 Gb/s": (10e12, 5e-6, 12.5e9),
}
modelled_time = solutions()["15.5"]


def seconds(network, machine, k, images):
    """The modelled time of a step of `images` images in all, shared by k processes."""
    (speed, latency, bandwidth), cost = MACHINES[machine], networks[network]
    return modelled_time(k, images * cost["operations"] / speed, cost["bytes"], latency, bandwidth)


# %% [markdown]
# **Predict:** the gradients of ResNet-50 have about 95 times as many bytes as those of ResNet-20. Which of the two
# gains less from more machines? On the left a batch has 1,024 images, however many machines share it. On the right each
# machine has 32 images, so the batch grows with their number.

# %%
COUNTS = [2**j for j in range(11)]
shared, growing = {}, {}
for machine in MACHINES:
    for network in networks:
        alone, label = seconds(network, machine, 1, 1024), f"{network}, {machine}"
        shared[label] = {k: alone / seconds(network, machine, k, 1024) for k in COUNTS}
        growing[label] = {
            k: k * seconds(network, machine, 1, 32) / seconds(network, machine, k, 32 * k) for k in COUNTS
        }

fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
ideal = {k: k for k in COUNTS}
draw_scaling(axes[0], shared, "processes", "times as many images per second", ideal)
axes[0].set_title("one batch of 1,024 images", fontsize=10)
draw_scaling(axes[1], growing, "processes", "", ideal)
axes[1].set_title("32 images for each process", fontsize=10)
plt.show()
for label, values in shared.items():
    best = max(values, key=values.__getitem__)
    print(f"{label:23}: a batch of 1,024 is fastest with {best:5,} processes, {values[best]:4.0f} times as fast as one")

# %% [markdown]
# With a fixed batch, each curve leaves the ideal line, and most of them fall again in the end: the total latency of the
# messages grows with k, while the computation has almost vanished. With a batch that grows, the curves go on rising,
# but then you depend on the linear scaling rule.
#
# ResNet-20 gains less, although it sends far fewer bytes. ResNet-50 also computes about a hundred times as much, so both
# do about the same number of operations for each byte that they send. Without latency, their limits would be nearly the
# same:

# %%
for name, cost in networks.items():
    print(f"{name}: {cost['operations'] / cost['bytes']:.0f} operations per image for each byte of gradients")
    for machine, (speed, _, bandwidth) in MACHINES.items():
        limit = 1024 * cost["operations"] / speed / (2 * cost["bytes"] / bandwidth)
        print(f"    {machine:14}: at most {limit:4.0f} times as fast with 1,024 images, without any latency")
        assert max(shared[f"{name}, {machine}"].values()) <= max(1, limit)

# %% [markdown]
# The rest of the difference is latency. A message has the same latency in both networks, and this latency is a large
# part of ResNet-20's short step, but a small part of ResNet-50's. The limit itself is Amdahl's law. For large k, each
# process sends almost $2n$ numbers, and their time is not divided by k: so the fraction s of Amdahl's law is $2 n
# \beta$ divided by the time that one machine needs for the computation. A rule of thumb follows. When the computation
# of one machine's part takes as long as sending the gradient twice, you have half of the limit. Twice as many machines
# then gain only a third.
#
# And batch norm? Whole-batch statistics add at least two small all-reduces per layer. **Predict, then run:** for which
# of the four does that matter, with 64 processes and a batch of 1,024?

# %%
for machine, (_, latency, _) in MACHINES.items():
    for name, cost in networks.items():
        local = seconds(name, machine, 64, 1024)
        extra = 2 * cost["norms"] * math.log2(64) * latency  # doubling; the few bytes hardly count
        print(f"{name}, {machine:14}: a step takes {1e3 * local:8.2f} ms with local statistics, "
              f"{1e3 * (local + extra):8.2f} ms with those of the whole batch")  # fmt: skip

# %% [markdown]
# Where steps are short, waiting for batch norm can cost more than all else. The library pays that price, because then
# any number of processes computes the same function, and a run can be checked against one process. PyTorch uses local
# statistics unless it is told otherwise.
#
# ## Questions to think about
#
# <details><summary>You have one machine, and a paper uses batches that need the memory of eight. Can you take the same
# steps?</summary>
#
# Yes, if the loss of each image depends on that image only: compute the gradients of eight small batches one after the
# other, add them up, and make one update. This is called *gradient accumulation*, and it is data parallelism in time
# instead of space. Batch norm then has the statistics of the small batches. That is what eight machines with local
# statistics compute.
#
# </details>
#
# <details><summary>Could the processes average their weights after the update, instead of their gradients before it?
# </summary>
#
# After one step it is the same: the update of SGD is linear in the gradient, also with momentum and weight decay, if
# all began with the same weights and velocities. For Adam it is not, because it divides by the root of a running mean
# of the squared gradients. Some methods let each process take several steps before they average. That needs fewer
# messages and is a different algorithm.
#
# </details>
#
# <details><summary>With local statistics, which running mean and variance belong to the trained network?</summary>
#
# Every process has its own, and the copies of the model are no longer equal. One can save those of process 0, or
# average them. With whole-batch statistics the question does not arise.
#
# </details>
#
# <details><summary>Augmentation draws random numbers. What must the processes do so that eight of them see the same
# images as one?</summary>
#
# The random numbers must not depend on the number of processes. The library draws those of the whole batch in every
# process, as a function of the seed and the step, and each process uses its part (`data/batches.py`).
#
# </details>
#
# <details><summary>Can an all-reduce send as little as the ring and still have the bits of the tree?</summary>
#
# Yes. Let partners at distance 1 exchange *halves* of their arrays, so that each adds one half. Then partners at
# distance 2 exchange quarters, and so on. Each piece is added in the order of the tree. The totals go back the same
# way. It takes $2 \log_2 k$ messages. The cell below does it.
#
# </details>


# %%
def halving_all_reduce(parts, send):
    """A reduce-scatter and an all-gather between the partners of recursive doubling."""
    k, sums = len(parts), [part.copy() for part in parts]
    owned, rounds = [slice(0, part.size) for part in parts], []  # what each process is adding up
    for distance in (2**j for j in range(k.bit_length() - 1)):
        rounds.append((distance, owned))
        middles = [(own.start + own.stop) // 2 for own in owned]
        owned = [
            slice(middle, own.stop) if r & distance else slice(own.start, middle)
            for r, (own, middle) in enumerate(zip(owned, middles))
        ]
        received = [send(r ^ distance, r, sums[r ^ distance][owned[r]]) for r in range(k)]
        for r in range(k):
            sums[r][owned[r]] += received[r]
    for distance, before in reversed(rounds):
        received = [send(r ^ distance, r, sums[r ^ distance][owned[r ^ distance]]) for r in range(k)]
        for r in range(k):
            sums[r][owned[r ^ distance]] = received[r]
        owned = before
    return sums


messages = Messages()
results = {digest(result) for result in halving_all_reduce(chunks, messages.send)}
share = sum(size for sender, _, size in messages.sent if sender == 0) / chunks[0].size
print(f"the bits of the tree: {results == {hashes['doubling'][0]}}; process 0 sent {share:.2f} n numbers")
assert results == {hashes["doubling"][0]} and abs(share - 2 * 7 / 8) < 0.01, "the ring's cost, and the tree's bits"

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `mpiexec -n 4 python script.py` | `torchrun --nproc-per-node 4 script.py` |
# | `with processes():` | `torch.distributed.init_process_group()`, and `DistributedDataParallel(model)` |
# | `process_number()`, `number_of_processes()` | `torch.distributed.get_rank()`, `get_world_size()` |
# | `all_sum` | `torch.distributed.all_reduce`, by NCCL on GPUs or Gloo on processors |
# | `training_batches` gives each process its part | `torch.utils.data.distributed.DistributedSampler` |
# | a `Sum` in each layer's backward | gradients in buckets, sent while backward goes on |
# | batch norm over all processes | `torch.nn.SyncBatchNorm`; `BatchNorm2d` uses local statistics |
#
# `DistributedDataParallel` averages the gradients of the processes. If the parts differ in size, the result is the
# plain mean, as with the parts of 20, 15, 10 and 5 images above, and not the gradient of the whole batch.
#
# ## Sources
#
# * Rabenseifner 2004, "Optimization of Collective Reduction Operations", ICCS 2004, LNCS 3036: reduce-scatter by
#   halving, all-gather by doubling.
# * Thakur, Rabenseifner and Gropp 2005, "Optimization of Collective Communication Operations in MPICH", International
#   Journal of High Performance Computing Applications 19(1): the cost model, and which algorithm for which size.
# * Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations", Journal of Parallel
#   and Distributed Computing 69(2): the ring.
# * Goyal et al. 2017, "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour", arXiv:1706.02677, section 2.
# * Chan, Golub and LeVeque 1983, "Algorithms for Computing the Sample Variance", The American Statistician 37(3).
# * Ioffe and Szegedy 2015, "Batch Normalization". Peng et al. 2018, "MegDet: A Large Mini-Batch Object Detector",
#   arXiv:1711.07240. Wu and He 2018, "Group Normalization", arXiv:1803.08494.
# * Shallue et al. 2019, "Measuring the Effects of Data Parallelism on Neural Network Training", arXiv:1811.03600.
# * Amdahl 1967, "Validity of the single processor approach to achieving large scale computing capabilities".
#
# This was the last tutorial. What now? Break something, build something: [the README](../README.md) says what there is.
