# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 13 Fast NumPy
#
# The seven loops that define a convolution are thousands of times slower than this library's layer. Both are written in
# Python and NumPy. In this tutorial you climb from one to the other, rung by rung, on your own machine. At each rung
# you measure the gain and look for the reason: the number of calls, the order in memory, the cache, BLAS, the threads.
#
# By the end you will be able to
#
# * time code so that you can trust the result;
# * say whether a piece of NumPy code waits for Python, for memory or for arithmetic;
# * view all windows of an image without a copy, and cut a batch into chunks that fit into the cache;
# * explain why floating-point sums depend on their order, and add in threads with the same bits every time;
# * write a convolution and its gradients as sums of shifted matrix products, and say when that pays.
#
# **Needs:** 01 (windows, im2col, why one matrix product is fast) and 02 (the gradients of a convolution).
# **Time:** 60 minutes to read, 85 minutes for the tasks; the cells run in under a minute. You are measuring, so close
# other programs first.

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

from resnet_scratch.compute.batch import CHUNK_BYTES, Sum, over_batch
from resnet_scratch.compute.channels import channel_sum, per_channel
from resnet_scratch.compute.products import SMALL_PRODUCT, matmul
from resnet_scratch.compute.threads import limit_blas_threads, num_threads, set_num_threads
from resnet_scratch.exercises import task
from resnet_scratch.figures.speed import draw_curve, draw_ladder, draw_pairs
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import crop, im2col, pad
from resnet_scratch.measure.bench import race, sgemm_peak
from resnet_scratch.verify.definitions import convolution

FAST = "RESNET_SCRATCH_FAST" in os.environ  # shorter runs, for automatic tests
REPEATS = 3 if FAST else 9
ALL_THREADS = num_threads()
set_num_threads(1)  # one core until rung 6, to see one thing at a time
print(f"NumPy {np.__version__}, {ALL_THREADS} processor core(s) to use")

# %% [markdown]
# ## Measuring
#
# A measured time belongs to a machine and a moment. The clock speed changes, other programs use the cache, and the
# first run of a function pays for work that later runs find already done. Four habits help:
#
# * **Compare results before times.** A wrong answer can be very fast.
# * **Warm up.** The first rounds do not count.
# * **Take turns.** Run A B A B A B, not A A A B B B. Whatever disturbs the machine then disturbs both.
# * **Use medians**, and look at the spread before you believe a difference.
#
# The library's `race` does the second and the third, and leaves the medians to us:

# %%
print(inspect.getsource(race))

# %% [markdown]
# **Predict, then run:** the two jobs are the same. How far apart will their times be?

# %%
numbers = np.random.default_rng(0).standard_normal(10**6)
same = race({"a sort": lambda: np.sort(numbers), "the same sort": lambda: np.sort(numbers)}, REPEATS)
for name, seconds in same.items():
    low, middle, high = (1e3 * f(seconds) for f in (min, median, max))
    print(f"{name:<14} median {middle:6.2f} ms, from {low:6.2f} to {high:6.2f}")
assert len(same["a sort"]) == REPEATS, "the rounds that warm up do not count"

# %% [markdown]
# A difference of that size means nothing on your machine today. Keep it in mind below.
#
# ## The job
#
# The job is a 3x3 convolution with 16 channels in and 16 out, the most frequent one of ResNet-20, on a batch of 128
# images of 32x32. We count its multiply-adds, and two floating-point operations for each. GFLOP/s are billions of
# operations per second.
#
# How fast could it be? Hardly anything runs closer to the limit of a processor than a large matrix product, which
# `sgemm_peak` measures.

# %%
N, H, W, C, O = 128, 32, 32, 16, 16
rng = np.random.default_rng(0)
x = rng.standard_normal((N, H, W, C), np.float32)
conv = Conv2d(C, O, 3, padding=1, bias=False, rng=rng)
weight = conv.weight.value
matrix = weight.reshape(-1, O)  # (KH*KW*C, O)
OPERATIONS = 2 * N * H * W * weight.size
assert OPERATIONS == 2 * N * conv.multiply_adds((H, W, O)), "every pixel of y meets every weight once"

peak = 2 * sgemm_peak(1024)
print(f"the job: {OPERATIONS / 1e9:.2f} billion operations")
print(f"one core, in a large matrix product: {peak / 1e9:.0f} GFLOP/s")
print(f"the job at that speed: {1e3 * OPERATIONS / peak:.1f} ms")

# %% [markdown]
# `compare` first checks the result of each job, and then lets the jobs race. Until rung 6, all use one core.

# %%
expected = conv(x)


def compare(jobs):
    """Race the jobs, after checking what they return; prints and returns their milliseconds."""
    with limit_blas_threads(1):
        for name, job in jobs.items():
            assert np.allclose(job(), expected, atol=1e-3), f"{name} does not compute the convolution"
        milliseconds = {name: 1e3 * median(seconds) for name, seconds in race(jobs, REPEATS).items()}
    first = next(iter(milliseconds.values()))
    for name, t in milliseconds.items():
        print(f"{name:<34} {t:8.2f} ms  {OPERATIONS / t / 1e6:7.1f} GFLOP/s  {first / t:5.2f} x the first")
    return milliseconds


rungs = {}

# %% [markdown]
# ## Rung 0: seven loops
#
# This is the definition from tutorial 01. It runs on one small image, without padding. The time of the whole job
# follows from the number of multiply-adds.

# %%
small = x[:1, :6, :6]
begin = time.perf_counter()
result = convolution(small, weight)
elapsed = time.perf_counter() - begin
loops = elapsed * OPERATIONS / (2 * result.size // O * weight.size)
assert np.allclose(result, expected[:1, 1:5, 1:5], atol=1e-3), "the inside of the padded convolution"
print(f"seven loops need about {loops:.0f} s for the whole job: {OPERATIONS / loops / 1e9:.4f} GFLOP/s")

# %% [markdown]
# Python spends that time on indices and objects, not on arithmetic. Nothing below has a loop over pixels.
#
# ## Rungs 1 to 3: three ways to write the columns
#
# The next three rungs use im2col: write each window as a row of a matrix, the *columns*, and multiply once. They differ
# in how they tell NumPy what to copy.
#
# 1. *Fancy indexing.* Arrays of row and column numbers say where each number of the columns comes from.
# 2. *Slices.* At each of the nine kernel positions, the pixels of all windows are a slice.
# 3. *A view.* All windows are one view of the image, and a single `reshape` copies it.
#
# For the third way you need the view. Tutorial 01 used the library's. Now write one, for an image that need not be
# contiguous in memory:

# %% tags=["task"]
task("13.1")

# %% [markdown]
# **Predict, then run:** which of the three is the fastest, and which the slowest?


# %%
def columns_by_fancy_indexing(x):
    padded = pad(x, (1, 1))
    oh, ow, kh, kw = np.ogrid[:H, :W, :3, :3]
    return padded[:, oh + kh, ow + kw].reshape(-1, 9 * C)


def columns_by_slices(x):
    padded = pad(x, (1, 1))
    columns = np.empty((len(x), H, W, 9, C), x.dtype)
    for k, (kh, kw) in enumerate(np.ndindex(3, 3)):
        columns[:, :, :, k] = padded[:, kh : kh + H, kw : kw + W]
    return columns.reshape(-1, 9 * C)


def columns_by_view(x):
    return im2col(x, 3, padding=1)  # the library's: pad, view, reshape


def convolve(x, columns=columns_by_view):
    return (columns(x) @ matrix).reshape(-1, H, W, O)


rungs |= {
    "1 fancy indexing": lambda: convolve(x, columns_by_fancy_indexing),
    "2 slices": lambda: convolve(x, columns_by_slices),
    "3 a view of all windows": lambda: convolve(x, columns_by_view),
}
_ = compare(rungs)

# %% [markdown]
# All three make the same columns. They differ in how the numbers are copied. Channels come last here. So in the view, a
# row of a window, 3 x 16 numbers, is contiguous both in the image and in the columns. Slices and fancy indexing copy
# pieces of 16, and fancy indexing also looks up two indices for each piece. Copying in **long runs** is the second rule
# of speed in NumPy; making few calls on large arrays is the first. The difference is not due to the size of the batch:
# it shows for four images, too.

# %%
writers = (columns_by_fancy_indexing, columns_by_slices, columns_by_view)
times = race({f.__name__: lambda f=f: f(x[:4]) for f in writers}, 5 * REPEATS)
for name, seconds in times.items():
    print(f"{name:<26} {1e6 * median(seconds):7.0f} microseconds for 4 images")
assert all(np.array_equal(f(x[:4]), im2col(x[:4], 3, padding=1)) for f in writers), "the same columns three times"

# %% [markdown]
# Fancy indexing has another problem, which is easy to miss. Look at the order in which its result lies in memory:

# %%
padded = pad(x[:4], (1, 1))
oh, ow, kh, kw = np.ogrid[:H, :W, :3, :3]
gathered = padded[:, oh + kh, ow + kw]
print("shape  ", gathered.shape)
print("strides", gathered.strides)
print("does reshape make a view?", np.shares_memory(gathered, gathered.reshape(-1, 9 * C)))
assert gathered.strides[0] == 4 * C, "neighbours in memory belong to different images"
assert not np.shares_memory(gathered, gathered.reshape(-1, 9 * C)), "reshape has to copy"

# %% [markdown]
# If the result lay in the order of its axes, the last stride would be 4 bytes, the one before it 4 x 16 = 64 bytes, and
# each one further left would be larger. Here it is the first axis that has a stride of 64: neighbours in memory belong
# to different images. So `reshape` cannot make a view. It silently copies everything once more.
#
# ## Rung 4: stay in the cache
#
# The columns are nine times as large as the images:

# %%
columns_bytes = im2col(x[:1], 3, padding=1).nbytes * N
print(f"images {x.nbytes / 1e6:.1f} MB, columns {columns_bytes / 1e6:.1f} MB")
assert columns_bytes == 9 * x.nbytes, "as many windows as pixels, and nine numbers in each, padding included"

# %% [markdown]
# They are written once and read once. Where are they in between? A processor has a small, fast memory, the **cache**,
# in two or three levels. What does not fit goes out to main memory and has to be fetched again. To find the levels of
# your machine, copy arrays of growing size, each many times, and look at the bytes per second.

# %%
speeds = {}
for size in (2**k for k in range(11, 25 if FAST else 27)):
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    copies = max(1, 2**23 // size)
    seconds = race({"copy": lambda: [np.copyto(target, source) for _ in range(copies)]}, 5)["copy"]
    speeds[size] = copies * size / median(seconds) / 1e9

draw_curve(speeds, "bytes in the array", "copied, GB/s", {"a chunk of this library": CHUNK_BYTES}, {})
plt.show()

# %% [markdown]
# On the left, most of the time is the price of a call (tutorial 01). Then both arrays fit into the cache, and the curve
# is at its highest. To the right it falls, as one level after the other becomes too small. The columns of the whole
# batch, 75 MB, lie beyond the last point.
#
# The remedy is to take a few images at a time: write their columns, multiply, and go on. The arithmetic is the same;
# only its order changes. How many images should a chunk have? The library has a budget of 2.6 MB per chunk, the dashed
# line.

# %% tags=["task"]
task("13.2")

# %%
chunks = 1
while columns_bytes > chunks * CHUNK_BYTES and 2 * chunks <= N:
    chunks *= 2
print(f"{chunks} chunks of {N // chunks} images")
assert chunks == 32, "75.5 MB of columns, at most 2.6 MB in a chunk: 32 is the first power of two that is enough"


def in_chunks(convolve):
    """Convolve a few images at a time."""
    y = np.empty_like(expected)
    for k in range(chunks):
        here = slice(N * k // chunks, N * (k + 1) // chunks)
        y[here] = convolve(x[here])
    return y


rungs["4 in chunks"] = lambda: in_chunks(convolve)
_ = compare({name: rungs[name] for name in ("3 a view of all windows", "4 in chunks")})

# %% [markdown]
# **Predict, then run:** what is the shape of the curve? (The images here are 8x8, so that a chunk can be really small.)

# %%
tiny = rng.standard_normal((1024, 8, 8, C), np.float32)
tiny_y = np.empty((1024, 8, 8, O), np.float32)


def convolve_tiny(images):
    for begin in range(0, len(tiny), images):
        here = slice(begin, begin + images)
        tiny_y[here] = (im2col(tiny[here], 3, padding=1) @ matrix).reshape(-1, 8, 8, O)


with limit_blas_threads(1):
    times = race({count: lambda count=count: convolve_tiny(count) for count in (2**k for k in range(11))}, REPEATS)
image_bytes = im2col(tiny[:1], 3, padding=1).nbytes
speeds = {image_bytes * count: 2 * tiny_y.size * 9 * C / median(t) / 1e9 for count, t in times.items()}
label = "a chunk of this library"
draw_curve(speeds, "bytes of columns in a chunk", "GFLOP/s", {label: CHUNK_BYTES}, {})
plt.show()

# %% [markdown]
# The smallest chunks pay for their calls, and the largest ones for the trip to memory. In between, the size matters
# little. The library's chunks are at the upper end of that range, because a call costs more when several threads run
# (rung 6, and `docs/performance.md`).
#
# ### Memory that is kept
#
# Where do the columns of a chunk get their memory? What `np.empty` gets is only a promise: the system provides each
# page of memory, often 4096 bytes, only when it is first touched, and has to fill it with zeros then. So the first
# touch is expensive. `mmap` asks the system for untouched pages, which makes the price visible:

# %%
size = 2**24
touched = np.ones(size, np.uint8)
first, again = [], []
for _ in range(REPEATS):
    with mmap.mmap(-1, size) as fresh:
        begin = time.perf_counter()
        np.frombuffer(fresh, np.uint8)[:] = 1
        first.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    touched[:] = 1
    again.append(time.perf_counter() - begin)
print(f"write to {size / 1e6:.0f} MB for the first time: {1e3 * median(first):6.2f} ms")
print(f"write to as much once more:        {1e3 * median(again):6.2f} ms")

# %% [markdown]
# A new array may or may not pay this price. The allocator decides whether freed memory goes back to the system or is kept
# for the next array. On Linux the library asks glibc's allocator to keep it (`compute/allocator.py`). It asks once,
# when it first cuts a batch into chunks, which in this tutorial happened at `expected = conv(x)`. So all rungs profit
# from it, and it is not a rung of its own.
#
# ## Rung 5: what BLAS likes
#
# NumPy hands a matrix product to a library called BLAS. For a large product, OpenBLAS first copies both matrices, block
# by block, into the order in which its inner loop will read them (Goto and van de Geijn 2008). Two square matrices have
# $2n^2$ numbers, for $n^3$ multiply-adds, so for large $n$ the copying hardly counts. Our columns are tall and narrow.
# Each of their numbers takes part in only 16 multiply-adds, so the copying may matter.
#
# For processors with AVX-512, OpenBLAS also has *small kernels*, for products of up to a million multiply-adds. They
# read the matrices in place. Which kernels does your NumPy use?


# %%
def blas_kernels():
    """What computes NumPy's matrix products here, as far as threadpoolctl knows."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "threadpoolctl is not installed, so the BLAS is not known"
    found = [entry for entry in threadpool_info() if entry["user_api"] == "blas"]
    names = [f"{b['internal_api']} {b['version']}, kernels for {b.get('architecture', 'unknown')}" for b in found]
    return "; ".join(names) or "a BLAS that threadpoolctl does not know"


print(blas_kernels())
SMALL_ROWS = SMALL_PRODUCT // matrix.size
print(f"a million multiply-adds are {SMALL_ROWS} rows of our columns")

# %% [markdown]
# Of OpenBLAS's names for x86 kernels, SkylakeX, Cooperlake and SapphireRapids use AVX-512; Haswell and Zen use AVX2.
#
# **Predict, then run:** the cell multiplies the same tall matrix in pieces of more and more rows. Will the speed drop
# where a piece is no longer small?

# %%
tall = rng.standard_normal((2**15, 9 * C), np.float32)
out = np.empty((2**15, O), np.float32)


def multiply_in_pieces(rows):
    for begin in range(0, len(tall), rows):
        np.matmul(tall[begin : begin + rows], matrix, out=out[begin : begin + rows])


with limit_blas_threads(1):
    times = race({rows: lambda rows=rows: multiply_in_pieces(rows) for rows in (2**k for k in range(4, 16))}, REPEATS)
    stack = median(race({"stack": lambda: matmul(tall, matrix)}, REPEATS)["stack"])
assert np.allclose(matmul(tall, matrix), tall @ matrix, atol=1e-3), "the same product"
operations = 2 * tall.size * O
speeds = {rows: operations / median(seconds) / 1e9 for rows, seconds in times.items()}
levels = {"the library's matmul: one call, a stack of small products": operations / stack / 1e9}
draw_curve(speeds, "rows in one product", "GFLOP/s", {"no longer small": SMALL_ROWS}, levels)
plt.show()
print("; ".join(f"{rows} rows: {speeds[rows]:.0f} GFLOP/s" for rows in (256, 1024, 32768)))

# %% [markdown]
# On the far left you see the price of a call again. The rest depends on the machine.
#
# * **There is a cliff** at the dashed line: small products are faster, because nothing is copied. On an Intel Xeon with
#   AVX-512, the speed fell from 86 to 70 GFLOP/s there. On an AMD EPYC with AVX-512 it was 112 for small products and
#   79 for one large one (`docs/performance.md`).
# * **There is none**, because your BLAS has no small kernels. On the same Xeon, but with the kernels for AVX2, the
#   curve only rose, up to 54 GFLOP/s. (On Linux you can repeat that: `OPENBLAS_CORETYPE=Haswell python
#   tutorials/13_fast_numpy.py`.)
#
# How can you have small products without the price of many calls? NumPy's `matmul` also takes a *stack* of matrices,
# (B, rows, K) @ (K, O), and goes through it in C. A tall matrix can be handed over as a stack without a copy: it is the
# same memory with a different shape. On that Xeon a stack ran at 92 GFLOP/s, and one tall product at 74. With the kernels
# for AVX2 the stack cost a little: 49 instead of 54.

# %%
print(inspect.getsource(matmul))


# %%
def kernel(x):
    return matmul(im2col(x, 3, padding=1), matrix).reshape(-1, H, W, O)


rungs["5 stacks of small products"] = lambda: in_chunks(kernel)
_ = compare({name: rungs[name] for name in ("4 in chunks", "5 stacks of small products")})

# %% [markdown]
# ## Rung 6: all cores
#
# Python's global interpreter lock lets only one thread at a time run Python code. (There are builds of Python without
# it.) Are threads any use, then? Below, two threads do the work of one, first with a Python loop and then with NumPy.
# **Predict, then run:** which of the two gets faster?


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
        one, two = (1e3 * median(seconds[key]) for key in ("one", "two"))
        print(f"{name:<23} twice in one thread {one:6.2f} ms, once in each of two {two:6.2f} ms")

# %% [markdown]
# NumPy releases the lock while it copies, adds and multiplies large arrays. So with two free cores the time on the
# second line is nearly halved, and the time on the first is not.
#
# The pieces for the threads are there already: the chunks. For the forward pass that is all. For the backward pass
# there is a trap, because the gradient of the weights is a *sum* over all chunks. Rounding makes a sum depend on its
# order:

# %%
print(f"(0.1 + 0.2) + 0.3 = {(0.1 + 0.2) + 0.3}")
print(f"0.1 + (0.2 + 0.3) = {0.1 + (0.2 + 0.3)}")
assert (0.1 + 0.2) + 0.3 != 0.1 + (0.2 + 0.3), "floating-point addition is not associative"

# %% [markdown]
# **Predict, then run:** threads add 1000 numbers to a total, each as it finishes. How many different totals do 20 runs
# give?

# %%
parts = rng.standard_normal(1000).astype(np.float32)
totals = set()
for _ in range(20):
    total = np.float32(0)
    for k in rng.permutation(len(parts)):  # the order in which the threads happen to finish
        total += parts[k]
    totals.add(float(total))
print(f"20 runs, {len(totals)} different totals, from {min(totals):.6f} to {max(totals):.6f}")
assert len(totals) > 1, "a sum in the order of arrival differs from run to run"

# %% [markdown]
# A difference in the last digit of one gradient changes the next weights, and after some steps the whole run. Such a
# run cannot be reproduced, and a bug in it is hard to find. The remedy is to fix the order of the additions. A **binary
# tree** does that, and lets neighbours be added as soon as both have arrived:
#
# $$ \big((s_0 + s_1) + (s_2 + s_3)\big) + \big((s_4 + s_5) + (s_6 + s_7)\big) $$
#
# If the number of chunks is a power of two, the tree is complete, and each half of the batch is one half of the tree.

# %% tags=["task"]
task("13.3")

# %% [markdown]
# `over_batch` puts it all together. Each thread takes the next chunk that no other thread has taken, and calls the
# function that it was given, the *kernel*. Rows that the kernel returns are written to the chunk's own part of the
# result, and a `Sum` goes into the tree. BLAS would start threads of its own in each of ours, so it is limited to one.
# `footprint` is the size of the columns as a multiple of the images, here 9. The number of chunks follows from it and
# from the size of the batch; the number of threads has no part in it.

# %%
print(inspect.getsource(over_batch))

# %% [markdown]
# You have reached the top. The library's layer is the kernel of rung 5, run by `over_batch`:

# %%
print(inspect.getsource(Conv2d.forward))
assert np.array_equal(over_batch(kernel, x, footprint=9), conv(x)), "the layer is this kernel, run by over_batch"


# %%
def on_all_cores():
    set_num_threads(ALL_THREADS)
    y = over_batch(kernel, x, footprint=9)
    set_num_threads(1)
    return y


rungs["6 all cores: the library"] = on_all_cores
_ = compare({name: rungs[name] for name in ("5 stacks of small products", "6 all cores: the library")})

# %% [markdown]
# Two cores do not give twice the speed. All threads fetch from the same memory, and between its large operations each
# thread needs the lock for Python's own steps. The lock is the other reason why chunks must not be too small.
#
# **Predict, then run:** do the gradients change with the number of threads?

# %%
grad_y = rng.standard_normal(expected.shape, np.float32)
results = {}
for count in (1, 2, 3):
    set_num_threads(count)
    results[count] = conv.backward(grad_y, x), conv.weight.grad
set_num_threads(1)
same = all(np.array_equal(a, b) for count in (2, 3) for a, b in zip(results[1], results[count]))
print("gradients with 1, 2 and 3 threads have the same bits:", same)
assert same, "sums over chunks must not depend on the threads"

# %% [markdown]
# ## The ladder
#
# Here are all rungs in one race, and the loops for comparison.

# %%
milliseconds = {"0 seven loops": 1e3 * loops} | compare(rungs)
draw_ladder(milliseconds, 1e3 * OPERATIONS / peak, "one core at the speed of a large matrix product")
plt.show()
gain = milliseconds["0 seven loops"] / milliseconds["6 all cores: the library"]
print(f"from the bottom to the top: {gain:,.0f} times as fast")
assert gain > 300, "the library must be hundreds of times as fast as the loops, on any machine"

# %% [markdown]
# That was the forward pass of one layer. `python benchmarks/ladder.py` does the same for a whole training step of
# ResNet-20, and `docs/performance.md` has a table of it. The backward pass adds an idea of its own: one set of columns
# serves for both gradients (tutorial 02).
#
# How far is it from the limit? How much of rung 5 is arithmetic, and how much is writing columns?

# %%
chunk = x[: N // chunks]
chunk_columns = im2col(chunk, 3, padding=1)
with limit_blas_threads(1):
    jobs = {"writing columns": lambda: im2col(chunk, 3, padding=1), "products": lambda: matmul(chunk_columns, matrix)}
    parts = {name: 1e3 * chunks * median(seconds) for name, seconds in race(jobs, 10 * REPEATS).items()}
parts["all of rung 5"] = milliseconds["5 stacks of small products"]
parts["the job at the speed of a large product"] = 1e3 * OPERATIONS / peak
for name, t in parts.items():
    print(f"{name:<40} {t:6.2f} ms")

# %% [markdown]
# The first two were measured on one chunk, again and again, so everything was in the cache. Rung 5 also has to fetch
# each image from memory and to write each result back.
#
# ## No columns at all
#
# Columns are copies. Are they needed? Group the terms of a convolution by the kernel position:
#
# $$ y[n, i, j, :] = \sum_{h, w} \;
#    \underbrace{x[n,\, i + h,\, j + w,\, :] \; W[h, w]}_{\text{a vector times a matrix}} $$
#
# For one position $(h, w)$, every pixel of the image, moved by $(h, w)$, is a vector of C numbers. It is multiplied by
# the same C x O matrix $W[h, w]$. That is a convolution with a 1x1 kernel. So a 3x3 convolution is the sum of nine 1x1
# convolutions of shifted images. And a shifted image is a slice.

# %% tags=["task"]
task("13.4")

# %% [markdown]
# For a 3x3 kernel with stride 1 and padding 1 it is this:


# %%
def shifted_products(x, weight):
    N, H, W, _ = x.shape
    padded, y = pad(x, (1, 1)), np.zeros((N, H, W, weight.shape[3]), x.dtype)
    for kh, kw in np.ndindex(3, 3):
        y += padded[:, kh : kh + H, kw : kw + W] @ weight[kh, kw]
    return y


def peak_memory(job):
    """The largest number of bytes that the job has in use at a time."""
    tracemalloc.start()
    job()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


assert np.allclose(shifted_products(x, weight), expected, atol=1e-3), "nine shifted products are the convolution"
peaks = {"columns": peak_memory(lambda: convolve(x)), "shifted": peak_memory(lambda: shifted_products(x, weight))}
for name, most in peaks.items():
    print(f"{name:<8} {most / 1e6:6.1f} MB at the peak, for the whole batch at once")
assert peaks["shifted"] < peaks["columns"] / 2, "without columns it needs far less memory"

# %% [markdown]
# It needs far less memory. What about time? Each of the nine products sums over C numbers only, instead of 9 C, and
# each makes a pass over the whole result to add to it. **Predict, then run:** for which of the 3x3 convolutions of
# ResNet-20 do shifted products win? Both ways run on the same chunks and on one core.

# %%
LAYERS = [(3, 16, 32), (16, 16, 32), (32, 32, 16), (64, 64, 8)]  # C, O, and height and width of the image
NAMES = [f"{C} to {O} channels\n{size}x{size}" for C, O, size in LAYERS]


def race_over_layers(jobs_of):
    """The milliseconds of both ways, layer by layer; `jobs_of(conv, images, grad_y)` makes the two jobs."""
    pairs = {"columns": [], "shifted": []}
    for C, O, size in LAYERS:
        layer = Conv2d(C, O, 3, padding=1, bias=False, rng=rng)
        images, grad_y = (rng.standard_normal((N, size, size, channels), np.float32) for channels in (C, O))
        jobs = jobs_of(layer, images, grad_y)
        for one, other in zip(jobs["columns"](), jobs["shifted"]()):
            assert np.allclose(one, other, rtol=1e-3, atol=1e-2), "both ways give the same, up to rounding"
        for name, seconds in race(jobs, REPEATS).items():
            pairs[name].append(1e3 * median(seconds))
    return pairs


def forward_jobs(layer, images, grad_y):
    def shifted():
        return over_batch(lambda x: shifted_products(x, layer.weight.value), images, footprint=9)

    return {"columns": lambda: layer(images), "shifted": shifted}


draw_pairs(NAMES, race_over_layers(forward_jobs), "milliseconds, forward")
plt.show()

# %% [markdown]
# With three channels a product sums over three numbers, and the nine passes over the result cost more than the columns
# of so small an input. With more channels the two ways are close, or the shifted products are ahead. So why does the
# library write columns? Look at the backward pass first.

# %% tags=["task"]
task("13.5")


# %%
def gradients_by_shifts(grad_y, x, weight):
    """3x3, stride 1, padding 1."""
    (_, H, W, C), O = x.shape, grad_y.shape[3]
    padded = pad(x, (1, 1))
    grad_padded, grad_weight = np.zeros_like(padded), np.empty_like(weight)
    for kh, kw in np.ndindex(3, 3):
        here = np.s_[:, kh : kh + H, kw : kw + W]
        grad_padded[here] += grad_y @ weight[kh, kw].T
        grad_weight[kh, kw] = padded[here].reshape(-1, C).T @ grad_y.reshape(-1, O)
    return crop(grad_padded, (1, 1)), Sum(grad_weight)


def backward_jobs(layer, images, grad_y):
    def columns():
        grad_x = layer.backward(grad_y, images)
        return grad_x, layer.weight.grad

    def shifted():
        return over_batch(lambda g, x: gradients_by_shifts(g, x, layer.weight.value), grad_y, images, footprint=9)

    return {"columns": columns, "shifted": shifted}


draw_pairs(NAMES, race_over_layers(backward_jobs), "milliseconds, backward")
plt.show()

# %% [markdown]
# In the backward pass, one set of columns serves for both gradients, with two products. Without columns it takes
# eighteen products and nine copies, each a call that takes Python's lock. In our runs it took 1.5 to 2 times as long.
# So backward needs columns. Forward could do without them, but it would gain little, and only for some layers. The
# library has one way for both, because that is easier to read.
#
# PyTorch leaves most convolutions on a processor to oneDNN, which has kernels that need no columns.
# `resnet-scratch bench resnet20 --against torch` compares the two libraries on your machine. `docs/performance.md` has
# results, and a list of what was tried and left out.
#
# ## Not only convolutions
#
# Long runs matter for every layer. Batch norm multiplies each channel by a scale of its own. NumPy broadcasts the 16
# scales over the images, and its inner loop is then 16 numbers long. If the scales are repeated to the length of a row
# or of a whole image, the arithmetic is the same and the inner loop is long. `per_channel` repeats them.
#
# A sum over all but the channels, as in batch norm's statistics, has the same problem: NumPy adds rows of 16 numbers. A
# matrix product also adds rows, if the other factor is a row of ones, and BLAS does that in long runs:

# %%
print(inspect.getsource(channel_sum))

scales = rng.standard_normal(C).astype(np.float32)
images, target = x[:4], np.empty_like(x[:4])  # few enough to stay in the cache
long_scales = per_channel(scales, images.shape)  # (H, W, C): the 16 scales for each pixel
with limit_blas_threads(1):
    jobs = {
        "multiply, rows of C numbers": lambda: [np.multiply(images, scales, out=target) for _ in range(50)],
        "multiply, rows of H*W*C numbers": lambda: [np.multiply(images, long_scales, out=target) for _ in range(50)],
        "NumPy's sum": lambda: [images.sum((0, 1, 2)) for _ in range(50)],
        "a row of ones times the images": lambda: [channel_sum(images) for _ in range(50)],
    }
    times = race(jobs, REPEATS)
for name, seconds in times.items():
    print(f"{name:<32} {50 * images.size / median(seconds) / 1e9:6.2f} billion numbers/s")
assert np.array_equal(images * scales, images * long_scales), "the same numbers"
assert np.allclose(channel_sum(images), images.sum((0, 1, 2)), atol=1e-2), "the same sums, up to rounding"
set_num_threads(ALL_THREADS)  # as it was

# %% [markdown]
# ## The rules
#
# Here they are, in the order in which they usually pay off. Before each of them, measure where the time goes.
#
# 1. Make few calls on large arrays. *(The loops waited for Python.)*
# 2. Keep runs long: the axis that is worked on comes last and is contiguous. Avoid hidden copies.
# 3. Do all the work on a piece while it is in the cache. *(Rung 3 waited for memory.)*
# 4. Keep freed memory, because the first touch of a new page is expensive.
# 5. Know what the library below you likes, here BLAS, and hand it that.
# 6. Then share the work among threads, with sums in a fixed order.
#
# ## Questions to think about
#
# <details><summary>On your machine, rung 4 is hardly faster than rung 3. What could be the reason?</summary>
#
# Chunks help only if the whole batch does not fit into the cache and a chunk does. Server processors may have a last
# level of a hundred megabytes or more, in which all 75 MB of columns fit. The curve of copying speeds tells you: look
# for the step between 2.6 MB and 75 MB. A smaller step means a smaller gain.
#
# </details>
#
# <details><summary>Why does the number of chunks not depend on the number of threads? With 4 threads, 4 chunks would
# need the fewest calls.</summary>
#
# For two reasons. Each of 4 chunks would have 19 MB of columns, too large for most caches. And a different number of
# chunks means a different tree of sums, so the gradients would change in their last digits with the number of threads.
#
# </details>
#
# <details><summary>Which of the rungs matter for a 1x1 convolution with stride 1?</summary>
#
# Its columns are the images themselves: `im2col` returns a view, and nothing is written. Rungs 1 and 2 would copy every
# image for nothing, and rung 3 is free. Chunks save less. There is only one kernel position, so the convolution *is*
# its one shifted product. What BLAS likes still matters, and so do the threads.
#
# </details>

# %%
assert np.shares_memory(im2col(x, 1), x), "the last answer: the columns of a 1x1 convolution are the images themselves"

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `race` | `torch.utils.benchmark.Timer(...).blocked_autorange()` |
# | `set_num_threads(2)` | `torch.set_num_threads(2)` |
# | `over_batch` | `at::parallel_for` and `at::parallel_reduce`, in the C++ source |
# | channels last, (N, H, W, C) | `x.to(memory_format=torch.channels_last)` |
# | `windows`, a view | `torch.as_strided`, `Tensor.unfold` |
# | convolutions without columns | the kernels of oneDNN (`torch.backends.mkldnn`) and cuDNN |
# | sums in a fixed order | none; `torch.use_deterministic_algorithms(True)` gives equal bits on one set-up |
# | freed memory is kept | the caching allocator of `torch.cuda` |
#
# ## Sources
#
# * Chellapilla, Puri and Simard 2006, "High Performance Convolutional Neural Networks for Document Processing": im2col.
# * Vasudevan, Anderson and Gregg 2017, "Parallel Multi Channel Convolution using General Matrix Multiplication",
#   arXiv:1704.04428: the sum of shifted products.
# * Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication", ACM Transactions on Mathematical
#   Software 34(3): why BLAS copies its operands.
# * OpenBLAS, `interface/gemm.c` and `kernel/x86_64/sgemm_small_kernel_permit_skylakex.c`: which products are small.
# * Williams, Waterman and Patterson 2009, "Roofline: An Insightful Visual Performance Model for Multicore
#   Architectures", Communications of the ACM 52(4): waiting for memory, or for arithmetic.
# * Goldberg 1991, "What Every Computer Scientist Should Know About Floating-Point Arithmetic", ACM Computing Surveys
#   23(1): why the order of a sum matters.
# * `docs/performance.md` of this library, with its measurements.
#
# Next: [14 To PyTorch and back](14_pytorch.py), where the network goes to PyTorch and returns.
