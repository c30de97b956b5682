# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 13 Fast NumPy
#
# Between the loops that define a convolution and the layer of this library lie some orders of magnitude, and not one
# line of C. Here you climb that ladder rung by rung, on your own machine, and at each rung look for the reason: how
# many calls, which memory, what BLAS likes, who waits for whom.
#
# At the end you will be able to
#
# * measure so that you can believe it: warmed up, in turn, medians, results compared first;
# * say, before you measure, whether a piece of NumPy waits for Python, for memory or for arithmetic;
# * keep work in the processor's cache, keep memory, hand BLAS what it likes, and share work out to threads;
# * convolve without writing any columns, as a sum of KH x KW shifted matrix products, and say when that pays.
#
# **Needs:** 01 (im2col, and why one matrix product is fast), 02 (the backward pass).
# **Time:** 60 minutes to read and try; under a minute to run. Close what else is running: you are measuring.

# %%
import inspect
import mmap
import os
import threading
import time
import tracemalloc
from statistics import median

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.exercises import task
from resnet_scratch.compute.batch import CHUNK_BYTES, over_batch
from resnet_scratch.compute.channels import channel_sum, per_channel
from resnet_scratch.compute.products import matmul
from resnet_scratch.compute.threads import limit_blas_threads, num_threads, set_num_threads
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import im2col, pad
from resnet_scratch.measure.bench import race, sgemm_peak
from resnet_scratch.verify.definitions import convolution

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
REPEATS = 3 if FAST else 9
BLUE, ORANGE, FAINT = "#4477aa", "#cc5533", "#999999"
print(f"NumPy {np.__version__}, {num_threads()} processor core(s) to use")

# %% [markdown]
# ## Measuring
#
# A time is a fact about a machine at a moment. The clock speed goes up and down, other programs want the cache, and the
# first run pays for things that later ones find done. Four habits keep you from fooling yourself:
#
# * **Compare results before times.** A wrong answer can be very fast.
# * **Warm up.** The first rounds do not count.
# * **In turn.** A B A B A B, not A A A B B B: what disturbs the machine then disturbs both.
# * **Medians.** One slow round says nothing. And look at the spread before you believe a difference.
#
# The library's benchmark does the last three, in a few lines:

# %%
print(inspect.getsource(race))

# %% [markdown]
# **Predict.** How far apart will two jobs be that are the same job?

# %%
numbers = np.random.default_rng(0).standard_normal(10**6)
same = race({"one": lambda: np.sort(numbers), "the same again": lambda: np.sort(numbers)}, REPEATS)
for name, seconds in same.items():
    low, middle, high = (1e3 * f(seconds) for f in (min, median, max))
    print(f"{name:<15} median {middle:6.2f} ms, from {low:6.2f} to {high:6.2f}")

# %% [markdown]
# Differences of that size mean nothing on your machine today. Keep them in mind below.
#
# ## The job
#
# The most frequent layer of ResNet-20: 16 channels in, 16 out, 3x3, on a batch of 128 pictures of 32x32. What is the
# least time it can take? The arithmetic has to be done, and little that a machine does comes nearer to its highest
# speed than a large matrix product. `sgemm_peak` measures that.

# %%
N, S, C, O = 128, 32, 16, 16
rng = np.random.default_rng(0)
x = rng.standard_normal((N, S, S, C), np.float32)
conv = Conv2d(C, O, 3, padding=1, bias=False, rng=rng)
weight = conv.weight.value
WORK = N * S * S * weight.size  # multiply-adds

threads = num_threads()
set_num_threads(1)
peak = sgemm_peak(1024)
set_num_threads(threads)
print(f"the job: {WORK / 1e6:.0f} million multiply-adds")
print(f"one core, in a large matrix product: {peak / 1e9:.0f} billion a second")
print(f"at that speed one core would need {1e3 * WORK / peak:.1f} ms")

# %% [markdown]
# All rungs but the last use one core, so that we see one thing at a time. `compare` checks each result, and then lets
# the jobs race.

# %%
expected = conv(x)


def compare(jobs):
    """Race the jobs on one core, after checking what they return; prints and returns their milliseconds."""
    with limit_blas_threads(1):
        for name, job in jobs.items():
            assert np.allclose(job(), expected, atol=1e-3), f"{name} does not compute the convolution"
        milliseconds = {name: 1e3 * median(seconds) for name, seconds in race(jobs, REPEATS).items()}
    first = next(iter(milliseconds.values()))
    for name, t in milliseconds.items():
        print(f"{name:<34} {t:8.2f} ms  {WORK / t / 1e6:7.1f} billion multiply-adds/s  x {first / t:.2f}")
    return milliseconds


rungs = {}

# %% [markdown]
# ## Rung 0: seven loops
#
# The definition, from tutorial 01. We run it on one small picture, without padding; the time for the whole job follows
# from the amount of work.

# %%
small = x[:1, :6, :6]
begin = time.perf_counter()
result = convolution(small, weight)
seconds_of_loops = (time.perf_counter() - begin) * WORK / (result.size // O * weight.size)
assert np.allclose(result, expected[:1, 1:5, 1:5], atol=1e-3), "the inside of the padded convolution"
print(f"the whole job would take {seconds_of_loops:.0f} s")

# %% [markdown]
# Python spends its time on indices and objects. Nothing below has a loop over pixels.
#
# ## Rungs 1 to 3: three ways to write the columns
#
# All three pad, write the windows as rows, and multiply once. They differ in how they tell NumPy what to copy.
#
# * *Fancy indexing*: arrays of row and column numbers say where each number of the columns is.
# * *Slices*: for each of the nine places in the kernel, the pixels that it meets are a slice (as in `col2im`).
# * *A view*: the windows as a view with six axes, copied in one go (`im2col`).
#
# **Predict** their order.


# %%
def by_fancy_indexing(x):
    padded = pad(x, (1, 1))
    oh, ow, kh, kw = np.ogrid[:S, :S, :3, :3]
    columns = padded[:, oh + kh, ow + kw].reshape(-1, 9 * C)
    return (columns @ weight.reshape(-1, O)).reshape(-1, S, S, O)


def by_slices(x):
    padded = pad(x, (1, 1))
    columns = np.empty((len(x), S, S, 9, C), x.dtype)
    for k, (kh, kw) in enumerate(np.ndindex(3, 3)):
        columns[:, :, :, k] = padded[:, kh : kh + S, kw : kw + S]
    return (columns.reshape(-1, 9 * C) @ weight.reshape(-1, O)).reshape(-1, S, S, O)


def by_view(x):
    return (im2col(x, 3, padding=1) @ weight.reshape(-1, O)).reshape(-1, S, S, O)


rungs |= {
    "1 fancy indexing": lambda: by_fancy_indexing(x),
    "2 slices": lambda: by_slices(x),
    "3 one view of all windows": lambda: by_view(x),
}
_ = compare(rungs)

# %% [markdown]
# All three write the same columns. What differs is how many numbers NumPy copies between two looks at its bookkeeping.
# Channels come last here, so in the view a row of a window, 3 x 16 numbers, lies in one piece in the picture *and* in
# the columns. A slice of one place has pieces of 16 in the columns. **Long runs**: that is the second rule of speed in
# NumPy, after few calls on large arrays.
#
# And fancy indexing? It gathers well, but look in which order its result lies in memory:

# %%
padded = pad(x, (1, 1))
oh, ow, kh, kw = np.ogrid[:S, :S, :3, :3]
gathered = padded[:, oh + kh, ow + kw]
print("shape  ", gathered.shape)
print("strides", gathered.strides, "   in one piece, in this order:", gathered.flags.c_contiguous)
assert not gathered.flags.c_contiguous, "NumPy's own choice of an order, and not the one that the matrix needs"
del gathered

# %% [markdown]
# In one piece, and in the order of the axes, each stride would be the size of all that comes behind it: 4 bytes for the
# channels, 4 x 16 = 64 for the kernel's columns, and so on to the left. Here 64 is the stride of the first axis: in
# memory the pictures of the batch are neighbours. So `reshape` cannot make a view, and without a word it copies
# everything once more. (`np.shares_memory` tells.)
#
# ## Rung 4: stay in the cache
#
# The columns of the batch are nine times the batch:

# %%
columns_bytes = im2col(x[:1], 3, padding=1).nbytes * N
print(f"pictures {x.nbytes / 1e6:.0f} MB, columns {columns_bytes / 1e6:.0f} MB")

# %% [markdown]
# They are written once and read once. Where are they in between? A processor has a little fast memory, the cache, in
# two or three levels; what does not fit goes out to the main memory and must be fetched back. See where the steps are
# on your machine: copy arrays of growing size, again and again, and look at the bytes per second.

# %%
sizes = [2**k for k in range(11, 25 if FAST else 27)]
speeds = []
for size in sizes:
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    times = max(1, 2**23 // size)
    seconds = race({"copy": lambda: [np.copyto(target, source) for _ in range(times)]}, 5)["copy"]
    speeds.append(times * size / median(seconds) / 1e9)

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(sizes, speeds, "o-", color=BLUE)
ax.set_xscale("log", base=2)
ax.set_ylim(bottom=0)
ax.set(xlabel="bytes in the array", ylabel=r"copied, $10^9$ bytes/s")
ax.axvline(CHUNK_BYTES, color=ORANGE, linestyle="--")
ax.text(CHUNK_BYTES, ax.get_ylim()[1] * 0.93, " a chunk of this library", color=ORANGE)
ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# On the left the price of a call is most of the time (tutorial 01); then comes a height, while both arrays are in the
# cache; and each step down is a level of the cache left behind. The columns of the whole batch are far to the right.
#
# So do a few pictures at a time: write their columns, multiply, and write the next ones over them. The arithmetic is
# the same, the order of it is not.


# %%
def in_chunks(convolve, pictures):
    """Convolve so many pictures at a time."""
    y = np.empty_like(expected)
    for begin in range(0, N, pictures):
        y[begin : begin + pictures] = convolve(x[begin : begin + pictures])
    return y


FEW = CHUNK_BYTES // (columns_bytes // N)  # as many as have 2.6 MB of columns
rungs["4 in chunks"] = lambda: in_chunks(by_view, FEW)
print(f"{FEW} pictures at a time")
_ = compare({name: rungs[name] for name in ("3 one view of all windows", "4 in chunks")})

# %% [markdown]
# How large should a chunk be? Small ones are many calls, large ones leave the cache. **Predict** the shape of the
# curve, then look at it. (The pictures here are 8x8, so that a chunk can be really small.)

# %%
tiny = rng.standard_normal((1024, 8, 8, C), np.float32)
tiny_y = np.empty((1024, 8, 8, O), np.float32)


def tiny_job(pictures):
    for begin in range(0, len(tiny), pictures):
        chunk = slice(begin, begin + pictures)
        tiny_y[chunk] = (im2col(tiny[chunk], 3, padding=1) @ weight.reshape(-1, O)).reshape(-1, 8, 8, O)


counts = [2**k for k in range(11)]
with limit_blas_threads(1):
    times = race({count: lambda count=count: tiny_job(count) for count in counts}, REPEATS)
chunk_bytes = [im2col(tiny[:1], 3, padding=1).nbytes * count for count in counts]

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(chunk_bytes, [1e3 * median(times[count]) for count in counts], "o-", color=BLUE)
ax.set_xscale("log", base=2)
ax.set_ylim(bottom=0)
ax.set(xlabel="bytes of columns in a chunk", ylabel="milliseconds for all pictures")
ax.axvline(CHUNK_BYTES, color=ORANGE, linestyle="--")
ax.text(CHUNK_BYTES, 0.1, " a chunk of this library", color=ORANGE)
ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# Very small chunks pay for their calls, very large ones for the way to memory. In between there is room. The library's
# chunks are at the upper end of it: with several threads the calls cost more (`docs/performance.md`).
#
# ## Memory that is kept
#
# `np.empty` does not get memory. It gets a promise: the system hands out a page (often 4096 bytes) when it is first
# touched, and fills it with zeros first. That first touch is expensive. `mmap` asks the system for pages that nobody
# has touched, so the price can be seen:

# %%
size = 2**24
touched = np.zeros(size, np.uint8)
first, again = [], []
for _ in range(REPEATS):
    with mmap.mmap(-1, size) as fresh:
        begin = time.perf_counter()
        np.frombuffer(fresh, np.uint8)[:] = 1
        first.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    touched[:] = 1
    again.append(time.perf_counter() - begin)
print(f"write to {size / 1e6:.0f} MB for the first time: {1e3 * median(first):.2f} ms")
print(f"write to as much again:           {1e3 * median(again):.2f} ms")

# %% [markdown]
# Every temporary array may pay that, or none: it depends on the allocator, which may return freed memory to the system
# or keep it for the next array. On Linux the library asks glibc's allocator to keep it (`compute/allocator.py`), once,
# when it first cuts a batch into chunks. In this process that was at `expected = conv(x)` above, so all rungs already
# have it. `python benchmarks/ladder.py` has a step without it; glibc keeps a part of what is freed in any case.
#
# One could also keep the memory oneself: one array for the columns, made once and written over by each chunk. An
# earlier version of this library did so. Measured against columns that are new arrays each time, from an allocator that
# keeps freed memory, it gained between 0 and 3 %. That was not worth an `im2col` that hands out an array which the next
# call overwrites. So `im2col` is a function like any other, and there is no rung here.
#
# ## Rung 5: what BLAS likes
#
# NumPy hands a matrix product to a library, BLAS. Such a library first copies the two matrices into an order of its
# own, block by block, because then its inner loop runs through memory in one direction (Goto and van de Geijn 2008).
# For large square matrices the copying is a small part: $n^2$ numbers for $n^3$ multiply-adds. Our matrix is tall and
# narrow: each number of the columns is used for 16 multiply-adds only, and the copying shows.
#
# OpenBLAS has other kernels for small products, which read the matrices where they lie. So, the same product with more
# and more rows: **predict** the speed.

# %%
tall = rng.standard_normal((2**15, 9 * C), np.float32)
out = np.empty((2**15, O), np.float32)
matrix = weight.reshape(-1, O)
heights = [2**k for k in range(4, 16)]


def product_of(rows):
    for begin in range(0, len(tall), rows):
        np.matmul(tall[begin : begin + rows], matrix, out=out[begin : begin + rows])


with limit_blas_threads(1):
    times = race({rows: lambda rows=rows: product_of(rows) for rows in heights}, REPEATS)
    stacked = race({"stacked": lambda: matmul(tall, matrix)}, REPEATS)["stacked"]

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.plot(heights, [out.size * 9 * C / median(times[rows]) / 1e9 for rows in heights], "o-", color=BLUE)
ax.axhline(out.size * 9 * C / median(stacked) / 1e9, color=ORANGE, linestyle="--")
ax.text(
    heights[0],
    out.size * 9 * C / median(stacked) / 1e9,
    "matmul of this library: one call, a stack of small ones",
    color=ORANGE,
    va="bottom",
)
ax.set_xscale("log", base=2)
ax.set_ylim(bottom=0, top=1.2 * out.size * 9 * C / median(stacked) / 1e9)
ax.set(xlabel="rows in one product", ylabel=r"$10^9$ multiply-adds/s")
ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# If your BLAS is OpenBLAS, the curve has a cliff where the products are no longer small. Left of it the price of a call
# shows again. NumPy's `matmul` takes a *stack* of matrices, (B, rows, K) @ (K, N), and goes through it without coming
# back to Python. So the tall matrix is handed over as a stack of small ones: the same memory, read with another shape.

# %%
print(inspect.getsource(matmul))


# %%
def kernel(x):
    return matmul(im2col(x, 3, padding=1), matrix).reshape(-1, S, S, O)


rungs["5 stacks of small products"] = lambda: in_chunks(kernel, FEW)
_ = compare({name: rungs[name] for name in ("4 in chunks", "5 stacks of small products")})

# %% [markdown]
# ## Rung 6: all cores
#
# Python has a lock, the GIL: only one thread at a time runs Python. Threads are good for nothing, then? Two threads
# that do the same work as one, once with Python's loop and once with NumPy:


# %%
def python_loop():
    total = 0
    for k in range(200_000):
        total += k


square = rng.standard_normal((400, 400), np.float32)


def numpy_products():
    for _ in range(5):
        square @ square


def in_two_threads(work):
    both = [threading.Thread(target=work) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()


with limit_blas_threads(1):
    for name, work in [("a Python loop", python_loop), ("NumPy's matrix product", numpy_products)]:
        seconds = race({"one": lambda: (work(), work()), "two": lambda: in_two_threads(work)}, REPEATS)
        in_a_row, at_once = 1e3 * median(seconds["one"]), 1e3 * median(seconds["two"])
        print(f"{name:<23} twice in a row {in_a_row:6.2f} ms, in two threads {at_once:6.2f} ms")

# %% [markdown]
# NumPy lets go of the lock while it copies, adds and multiplies large arrays. So if you have more than one core, the
# second line is (nearly) halved and the first is not. The pieces to be done at the same time are there already: chunks.
# `over_batch` hands them out. Each thread takes the next chunk that nobody has taken, runs the kernel on it, and writes
# what it returns to its own part of the result. BLAS, which would start threads of its own in each of them, is held to
# one. `footprint` says how many times larger than the images the columns are; from that follows the number of chunks.

# %%
print(inspect.getsource(over_batch))

# %% [markdown]
# Now we have arrived: the library's own layer is the kernel of rung 5, run by `over_batch`. Compare with its forward.

# %%
print(inspect.getsource(Conv2d.forward))
assert np.array_equal(over_batch(kernel, x, footprint=9), conv(x)), "the layer is this kernel run by over_batch"

# %%
rungs["6 over_batch, all cores (the library)"] = lambda: over_batch(kernel, x, footprint=9)
last_two = list(rungs)[-2:]
_ = compare({name: rungs[name] for name in last_two})

# %% [markdown]
# Two cores do not give twice the speed: between the large operations each thread needs the lock for Python's own steps,
# and both fetch from the same memory. That is the other reason why chunks must not be too small.
#
# **One trap.** Rounding makes addition depend on the order. When threads add their shares to a sum as they finish, the
# result changes from run to run in the last digits, and with it the whole training.

# %%
shares = rng.standard_normal(1000).astype(np.float32)
sums = set()
for _ in range(20):
    total = np.float32(0)
    for k in rng.permutation(len(shares)):  # as they finish
        total += shares[k]
    sums.add(float(total))
print(f"20 orders, {len(sums)} different sums, from {min(sums):.6f} to {max(sums):.6f}")
assert len(sums) > 1, "float32 addition is not associative"

# %% [markdown]
# So `over_batch` adds up in a fixed binary tree, ((s0 + s1) + (s2 + s3)) + ..., whoever finishes first, and how the
# batch is cut does not depend on the number of threads. Then training on one core and on sixteen is the same, to the
# bit. (The order of the chunks, as in exercise 13.5, would do as well. A tree can add up neighbours as soon as both are
# there, so that few sums wait; and as the number of chunks is a power of two, half of the batch is half of the tree.)

# %%
grad_y = rng.standard_normal(expected.shape, np.float32)
results = {}
for count in (1, 2, 3):
    set_num_threads(count)
    results[count] = conv.backward(grad_y, x), conv.weight.grad
set_num_threads(threads)
same = all(np.array_equal(a, b) for count in (2, 3) for a, b in zip(results[1], results[count]))
print("gradients with 1, 2 and 3 threads are the same to the bit:", same)
assert same, "sums over chunks must not depend on the threads"

# %% [markdown]
# ## The ladder
#
# All rungs in one race, and the loops for comparison.

# %%
milliseconds = {"0 seven loops": 1e3 * seconds_of_loops} | compare(rungs)

fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
names = list(milliseconds)[::-1]
ax.barh(names, [milliseconds[name] for name in names], color=[ORANGE if "library" in name else BLUE for name in names])
for k, name in enumerate(names):
    ax.text(milliseconds[name], k, f" {milliseconds[name]:,.1f}", va="center", fontsize=9)
ax.axvline(1e3 * WORK / peak, color=FAINT, linestyle="--")
ax.set_title("dashed: one core, if all of it ran like a large matrix product", fontsize=9, color="#666666")
ax.set_xscale("log")
ax.set_xlim(1, 10 * max(milliseconds.values()))
ax.set(xlabel="milliseconds for 128 pictures (logarithmic)")
plt.show()
print(f"from the bottom to the top: {milliseconds['0 seven loops'] / milliseconds[list(rungs)[-1]]:,.0f} times")

# %% [markdown]
# That was the forward pass of one layer. `python benchmarks/ladder.py` does the same for a whole training step of
# ResNet-20, and `docs/performance.md` has a table of it. The backward pass has an idea of its own, columns that serve
# twice; you met and measured it in tutorial 02.
#
# ## No columns at all
#
# Columns are copies. Are they needed? Take the sums of a convolution apart by the place in the kernel:
#
# $$ y[n, i, j, :] = \sum_{h, w} \;
#    \underbrace{x[n,\, i + h,\, j + w,\, :] \; W[h, w]}_{\text{a vector times a matrix}} $$
#
# For one place (h, w) that is: the picture, moved by (h, w), each pixel a vector of C numbers, times the matrix W[h, w]
# of C x O. A convolution with a 1x1 kernel! So a 3x3 convolution is the sum of nine 1x1 convolutions of moved pictures.
# And a moved picture is a slice.


# %%
def shifted_products(x, weight):
    """3x3, stride 1, padding 1: nine matrix products, no columns."""
    (n, H, W, _), O = x.shape, weight.shape[-1]
    padded, y = pad(x, (1, 1)), np.empty((n, H, W, O), x.dtype)
    share = np.empty_like(y)
    for k, (kh, kw) in enumerate(np.ndindex(3, 3)):
        np.matmul(padded[:, kh : kh + H, kw : kw + W], weight[kh, kw], out=share if k else y)
        if k:
            y += share
    return y


def peak_memory(job):
    """The most bytes that the job has in use at a time."""
    tracemalloc.start()
    job()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


assert np.allclose(shifted_products(x, weight), expected, atol=1e-3), "nine shifted products are the convolution"
for name, job in [("columns", lambda: by_view(x)), ("shifted products", lambda: shifted_products(x, weight))]:
    print(f"{name:<17} {peak_memory(job) / 1e6:6.1f} MB at the peak, the result included")

# %% [markdown]
# Less memory by far. And time? The price: nine products are shallower, C deep instead of 9 C, and each of the nine
# passes over the result reads and writes it. **Predict**, for the layers of ResNet-20 from wide pictures with few
# channels to small pictures with many: where do the shifted products win against columns in chunks (rung 5)? Both get
# chunks, and one core.

# %%
LAYERS = [(3, 16, 32), (16, 16, 32), (32, 32, 16), (64, 64, 8)]  # channels in, channels out, size of the picture


def forward_jobs(channels, kernels, size):
    pictures = rng.standard_normal((N, size, size, channels), np.float32)
    w = rng.standard_normal((3, 3, channels, kernels), np.float32)
    y = np.empty((N, size, size, kernels), np.float32)
    step = max(1, CHUNK_BYTES // (size * size * 9 * channels * 4))
    chunks = [slice(begin, min(begin + step, N)) for begin in range(0, N, step)]

    def with_columns():
        for chunk in chunks:
            rows = matmul(im2col(pictures[chunk], 3, padding=1), w.reshape(-1, kernels))
            y[chunk] = rows.reshape(-1, size, size, kernels)
        return y

    def without():
        for chunk in chunks:
            y[chunk] = shifted_products(pictures[chunk], w)
        return y

    assert np.allclose(with_columns().copy(), without(), rtol=1e-3, atol=1e-3), "the same convolution"
    return {"columns": with_columns, "shifted": without}


bars = {"columns": [], "shifted": []}
with limit_blas_threads(1):
    for layer in LAYERS:
        for name, seconds in race(forward_jobs(*layer), REPEATS).items():
            bars[name].append(1e3 * median(seconds))

fig, ax = plt.subplots(figsize=(7, 3), layout="constrained")
for shift, (name, colour) in zip((-0.2, 0.2), (("columns", BLUE), ("shifted", ORANGE))):
    places = np.arange(len(LAYERS)) + shift
    ax.bar(places, bars[name], width=0.4, color=colour, label={"shifted": "shifted products"}.get(name, name))
    for place, t in zip(places, bars[name]):
        ax.text(place, t, f"{t:.1f}", ha="center", va="bottom", fontsize=8)
ax.set_xticks(range(len(LAYERS)), [f"{c} -> {o}\n{size}x{size}" for c, o, size in LAYERS])
ax.set(ylabel="milliseconds, forward")
ax.set_ylim(top=1.15 * max(map(max, bars.values())))
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# With three channels a product is only three deep, and nine passes over the result cost more than the columns of a
# small input. With many channels the product outweighs the passes, and columns are the larger burden. In between the
# two are close.
#
# Why then does the library write columns? One form has to serve all layers and both directions. Backward, one set of
# columns gives two gradients; without columns it is eighteen products instead of two, each a call that takes the lock.
# You will write it yourself below (13.2): measure it against `conv.backward`, on one core and on all.
#
# ## Not only convolutions
#
# Long runs matter for all the layers. Batch norm multiplies each channel by a scale of its own. NumPy stretches the 16
# scales over the picture (broadcasting), and then its inner loop is 16 numbers long. With the scales repeated to the
# length of a whole picture it is long, at the same arithmetic. `per_channel` in `compute/channels.py` repeats them:

# %%
scales = rng.standard_normal(C).astype(np.float32)
pictures, target = x[:4], np.empty_like(x[:4])  # few, so that they stay in the cache
long_scales = per_channel(scales, pictures.shape)  # (H, W, C): the 16 scales for each pixel

times = race(
    {
        "rows of C numbers": lambda: [np.multiply(pictures, scales, out=target) for _ in range(50)],
        "rows of H*W*C numbers": lambda: [np.multiply(pictures, long_scales, out=target) for _ in range(50)],
    },
    REPEATS,
)
for name, seconds in times.items():
    print(f"{name:<22} {50 * pictures.size / median(seconds) / 1e9:6.2f} billion numbers/s")
assert np.array_equal(pictures * scales, pictures * long_scales), "the same numbers"

# %% [markdown]
# A sum for each channel, as in batch norm's statistics, has the same trouble: NumPy adds rows of 16 numbers. A matrix
# product adds rows too, when the other matrix is a row of ones, and BLAS does so in long runs. That is `channel_sum`:

# %%
print(inspect.getsource(channel_sum))
with limit_blas_threads(1):
    times = race(
        {
            "NumPy's sum": lambda: [pictures.sum((0, 1, 2)) for _ in range(50)],
            "ones @ pictures": lambda: [channel_sum(pictures) for _ in range(50)],
        },
        REPEATS,
    )
for name, seconds in times.items():
    print(f"{name:<22} {50 * pictures.size / median(seconds) / 1e9:6.2f} billion numbers/s")
assert np.allclose(channel_sum(pictures), pictures.sum((0, 1, 2)), atol=1e-2), "equal up to rounding"

# %% [markdown]
# ## How far from the top?
#
# Of the time of rung 5, how much is arithmetic at full speed, how much is writing columns?

# %%
chunk = x[:FEW]
chunk_columns = im2col(chunk, 3, padding=1)
jobs = {"writing columns": lambda: im2col(chunk, 3, padding=1), "products": lambda: matmul(chunk_columns, matrix)}
with limit_blas_threads(1):
    parts = race(jobs, 10 * REPEATS)
for name, seconds in parts.items():
    print(f"{name:<35} {1e3 * median(seconds) * N / FEW:6.2f} ms")
print(f"{'all of rung 5':<35} {milliseconds['5 stacks of small products']:6.2f} ms")
print(f"{'at the speed of a large product':<35} {1e3 * WORK / peak:6.2f} ms")

# %% [markdown]
# (The two parts were measured on one chunk, again and again, so all of it lay in the cache. Rung 5 has to fetch each
# picture from memory and to write each result back; that is the rest.)
#
# PyTorch's convolutions write no columns and have kernels made for these shapes; `docs/performance.md` has the
# comparison (`resnet-scratch bench resnet20 --against torch` makes it on your machine), and a list of what was tried
# and left out: Winograd's algorithm, fused layers, more threads than cores. It also says how near ResNet-20's training
# comes to PyTorch's speed, in a language that you can read.
#
# The rules, in the order in which they usually pay:
#
# 1. Few calls on large arrays.
# 2. Long runs: the axis that is worked on lies last, in one piece; and no hidden copies.
# 3. Finish with a piece while it is in the cache.
# 4. Keep freed memory: the first touch of a new page is expensive.
# 5. Know what the library below likes (here BLAS), and hand it that.
# 6. Then share out to threads, with sums in a fixed order.
#
# And before each of them: measure where the time goes.
#
# ## Exercises

# %% tags=["task"]
task("13.1")

# %% tags=["task"]
task("13.2")

# %% tags=["task"]
task("13.3")

# %% tags=["task"]
task("13.4")

# %% tags=["task"]
task("13.5")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `race` | `torch.utils.benchmark.Timer(...).blocked_autorange()` |
# | `set_num_threads(2)` | `torch.set_num_threads(2)` |
# | `over_batch` | `at::parallel_for` and `at::parallel_reduce`, in the C++ source |
# | channels last, (N, H, W, C) | `x.to(memory_format=torch.channels_last)` |
# | no columns | the kernels of oneDNN (`torch.backends.mkldnn`) and cuDNN, chosen by shape |
# | sums in a fixed order | `torch.use_deterministic_algorithms(True)` |
# | freed memory is kept | the caching allocator of `torch.cuda` |
#
# ## Sources
#
# * Chellapilla, Puri and Simard 2006, "High Performance Convolutional Neural Networks for Document Processing".
# * Vasudevan, Anderson and Gregg 2017, "Parallel Multi Channel Convolution using General Matrix Multiplication",
#   arXiv:1704.04428: the sum of shifted products.
# * Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication", ACM Transactions on Mathematical
#   Software 34(3): why BLAS packs its operands.
# * Williams, Waterman and Patterson 2009, "Roofline: An Insightful Visual Performance Model for Multicore
#   Architectures", Communications of the ACM 52(4): waiting for memory, or for arithmetic.
# * Goldberg 1991, "What Every Computer Scientist Should Know About Floating-Point Arithmetic", ACM Computing Surveys
#   23(1).
# * `docs/performance.md` of this library, with all its measurements.
#
# In the next tutorial, 14, the network goes to PyTorch and comes back.
