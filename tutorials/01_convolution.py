# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 01 Convolution
#
# Nearly all the work of a residual network is one operation: a small window slides over a picture, and at every place
# the numbers in the window are multiplied by weights and added up. Here you take that operation apart, and put it
# together again as one matrix product.
#
# At the end you will be able to
#
# * compute a convolution by hand, with padding, stride and channels, and read its definition, seven loops;
# * see every window of a picture without copying one number, and lay the windows out as the rows of a matrix (im2col);
# * read `resnet_scratch/layers/conv.py` forward, line by line;
# * say why the matrix product is so much faster than the loops, and what it costs in memory: measured here.
#
# **Needs:** 00 (set-up); Python, NumPy indexing, the matrix product.
# **Time:** 45 minutes to read and try; under half a minute to run.

# %%
import inspect
import time
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from resnet_scratch.exercises import task
from resnet_scratch.measure.bench import race
from resnet_scratch.data import load
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import im2col, output_size, pad, windows
from resnet_scratch.compute.threads import limit_blas_threads
from resnet_scratch.verify.definitions import convolution

BLUE, ORANGE = "#4477aa", "#cc5533"


def draw_numbers(ax, array, title="", frames=()):
    """A small matrix, each number written into its cell; `frames` are ((row, column, height, width), colour)."""
    array = np.atleast_2d(array)
    for (row, column), value in np.ndenumerate(array):
        ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=9)
    ax.imshow(np.zeros(array.shape), cmap="Greys", vmin=0, vmax=1)
    ax.set_xticks(np.arange(array.shape[1] + 1) - 0.5, [])
    ax.set_yticks(np.arange(array.shape[0] + 1) - 0.5, [])
    ax.tick_params(length=0)
    ax.grid(color="#cccccc")
    ax.set_title(title, fontsize=10)
    for (row, column, height, width), colour in frames:
        frame = Rectangle((column - 0.5, row - 0.5), width, height, fill=False, edgecolor=colour, linewidth=3, zorder=3)
        ax.add_patch(frame).set_clip_on(False)


# %% [markdown]
# ## A window that slides
#
# The picture below has four rows and four columns: dark on the left (0), bright on the right (9). The kernel has three
# rows and three columns of weights. Lay the kernel on the top left corner of the picture: nine numbers of the picture
# lie under nine weights. Multiply each pair, add the nine products, and write the sum down. Move one to the right, and
# again. There are two places side by side and two below one another, so the result has two rows and two columns.

# %%
edge = np.array([[0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 0, 0]])
kernel = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])

window = edge[0:3, 0:3]  # the top left one
print(window)
print(window * kernel)
print("sum:", (window * kernel).sum())

# %% [markdown]
# **Predict** the other three sums before you run the next cell. Which are smaller than the first, and why?

# %%
result = np.zeros((2, 2), int)
for row in range(2):
    for column in range(2):
        result[row, column] = (edge[row : row + 3, column : column + 3] * kernel).sum()

fig, axes = plt.subplots(1, 3, figsize=(8, 2.8))
draw_numbers(axes[0], edge, "picture", [((0, 0, 3, 3), BLUE), ((1, 1, 3, 3), ORANGE)])
draw_numbers(axes[1], kernel, "kernel")
draw_numbers(axes[2], result, "result", [((0, 0, 1, 1), BLUE), ((1, 1, 1, 1), ORANGE)])
plt.show()
assert result.tolist() == [[27, 27], [18, 18]], "27 = 3 rows x 9; the lower windows see only two bright rows"

# %% [markdown]
# This kernel takes what is on the right minus what is on the left. It answers where the picture gets brighter from left
# to right, and gives zero where nothing changes. A network does not get such kernels from us. It learns them.
#
# One word on the name. In mathematics a *convolution* turns the kernel by 180 degrees first; without the turn it is a
# *cross-correlation*. The field says convolution and does not flip, and so does this library. The flipped kernel comes
# back in tutorial 02, where it is needed.
#
# ## What kernels see
#
# Four kernels on a picture of the built-in data set. The layer `Conv2d` does the work. Its weight is
# (KH, KW, C, O): height and width of the kernel, channels in, channels out. A picture is (N, H, W, C): number of
# pictures, height, width, channels. We take the mean of red, green and blue, so C = 1; four kernels make O = 4.

# %%
shapes = load()
grey = shapes.test_images[2:3].mean(3, keepdims=True).astype(np.float32) / 255  # (1, 32, 32, 1)
kernels = {
    "unchanged": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "mean of nine": np.full((3, 3), 1 / 9),
    "right minus left": [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]],
    "below minus above": [[-1, -1, -1], [0, 0, 0], [1, 1, 1]],
}
four = Conv2d(1, 4, 3, padding=1, bias=False, rng=np.random.default_rng(0))
four.weight.value[:, :, 0, :] = np.stack(list(kernels.values()), axis=-1)
seen = four(grey)
print("picture", grey.shape, "weight", four.weight.value.shape, "result", seen.shape)

fig, axes = plt.subplots(1, 4, figsize=(9, 2.6))
for o, (ax, name) in enumerate(zip(axes, kernels)):
    signed = seen[..., o].min() < -0.01
    limit = np.abs(seen[..., o]).max()
    ax.imshow(seen[0, :, :, o], cmap="RdBu_r" if signed else "gray", vmin=-limit if signed else 0, vmax=limit)
    ax.set_title(name, fontsize=10)
    ax.set_axis_off()
plt.show()
assert np.allclose(seen[0, :, :, 0], grey[0, :, :, 0]), "a one in the middle leaves the picture as it is"

# %% [markdown]
# In the two on the right, white is zero, red is positive, blue is negative.
#
# **Look at the borders.** The picture went in with 32 rows and came out with 32, although a window of three rows does
# not fit around the first row. That is padding. It makes false edges, too: beyond the border there are zeros, which is
# black, and the two kernels on the right see the picture begin.
#
# ## Padding and stride: how many windows fit?
#
# *Padding* puts rows and columns of zeros around the picture. *Stride* is how far the window moves from one place to
# the next. With a picture of size $S$ (its height, or its width), a kernel $K$, a padding $P$ on both sides and a
# stride $D$, the first window begins at 0 and the last may begin at $S + 2P - K$ at most. So there are
#
# $$ \left\lfloor \frac{S + 2P - K}{D} \right\rfloor + 1 $$
#
# windows. The division rounds down: where a whole step no longer fits, the last pixels are in no window.

# %%
cases = [(5, 3, 1, 0), (5, 3, 1, 1), (5, 3, 2, 0), (6, 3, 2, 0)]
fig, axes = plt.subplots(1, 4, figsize=(10, 2.6), layout="constrained")
for ax, (S, K, D, P) in zip(axes, cases):
    count = output_size((S, S), (K, K), (D, D), (P, P))[0]
    for pixel in range(-P, S + P):
        label, face, ink = (pixel, "#ccddee", "black") if 0 <= pixel < S else (0, "white", "#888888")
        ax.add_patch(Rectangle((pixel, 0), 1, 1, facecolor=face, edgecolor="#888888"))
        ax.text(pixel + 0.5, 0.5, label, ha="center", va="center", color=ink)
    for place in range(count):
        begin, down = place * D - P, -0.45 - 0.4 * place
        ax.plot([begin + 0.08, begin + K - 0.08], [down, down], color=ORANGE, linewidth=4, solid_capstyle="butt")
    ax.set(xlim=(-1.3, 6.3), ylim=(-2.4, 1.2))
    ax.set_title(f"size {S}, kernel {K},\nstride {D}, padding {P}:\n{count} windows", fontsize=9)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# **Predict.** In the last case, size 6 and stride 2: which pixel is in no window? And what are the sizes after the
# layers that a residual network is made of, for a picture of 32?

# %%
for K, D, P in [(3, 1, 1), (3, 2, 1), (1, 2, 0), (7, 2, 3)]:  # kernel, stride, padding
    size = output_size((32, 32), (K, K), (D, D), (P, P))[0]
    print(f"{K}x{K}, stride {D}, padding {P}: 32 -> {size}")
    assert size == (32 + 2 * P - K) // D + 1, "the formula above"

# %% [markdown]
# With an odd kernel, stride 1 and padding $(K-1)/2$ the size stays. With stride 2 it halves.
#
# ## Channels, and seven loops
#
# Pictures have three channels, and inside a network there are 16, 32, 64. Then a window has KH x KW x C numbers, and so
# has a kernel: a sum runs over all channels, and each kernel makes one channel of the result. With padding $P$, stride
# $D$ and a bias $b$ for each kernel,
#
# $$ y[n, i, j, o] = b[o] + \sum_{h, w, c} x[n,\; iD + h - P,\; jD + w - P,\; c] \; W[h, w, c, o] $$
#
# where pixels beyond the border count as zero. Every index is a loop: four that say which number of $y$ is computed,
# three that say what is added up. In the code the indices have the names that the whole library uses: (oh, ow) is the
# place in $y$, (kh, kw) the place in the kernel.
#
# The library's tests compare its layer with this function:

# %%
print(inspect.getsource(convolution))

# %%
rng = np.random.default_rng(0)
layer = Conv2d(3, 4, 3, stride=2, padding=1, rng=rng).astype(np.float64)  # 3 channels in, 4 out
layer.bias.value[:] = rng.standard_normal(4)
x = rng.standard_normal((2, 7, 6, 3))
expected = convolution(x, layer.weight.value, layer.bias.value, stride=2, padding=1)
print("x", x.shape, "-> y", expected.shape, "   largest difference:", np.abs(layer(x) - expected).max())
assert np.allclose(layer(x), expected), "the library's layer and the definition must agree"

# %% [markdown]
# The loops say what is meant; the layer is what we want to understand. It has no loop over pixels at all. It takes
# two ideas to get there.
#
# ## First idea: all windows, and nothing copied
#
# A NumPy array is a piece of memory and a rule: to go one down along an axis, go so many bytes further. That number
# is the axis's *stride* in memory (the same word as above for another thing).

# %%
numbers = np.arange(16, dtype=np.float64).reshape(1, 4, 4, 1)  # one picture, 4x4, one channel
print(numbers[0, :, :, 0])
print("shape", numbers.shape, "  bytes from one to the next along each axis:", numbers.strides)

# %% [markdown]
# The next pixel is 8 bytes further, the next row 4 x 8 = 32. Now the trick: nothing forbids a rule under which the same
# piece of memory is met several times. The windows of the picture need two axes for the place of the window, and
# two for the place within it. One window further down is one row further; one row further down within the window is one
# row further as well. So *two* axes get the stride 32, and two get 8.

# %%
view = windows(numbers, kernel_size=(3, 3), stride=(1, 1))  # (N, OH, OW, KH, KW, C)
print("shape", view.shape, "  strides", view.strides)
print("window (1, 0):")
print(view[0, 1, 0, :, :, 0])
assert np.shares_memory(view, numbers), "a view: the windows are where the picture is"
assert np.array_equal(view[0, 1, 0, :, :, 0], numbers[0, 1:4, 0:3, 0]), "window (1, 0) begins in row 1, column 0"

# %%
print(inspect.getsource(windows))

# %% [markdown]
# **Predict.** The view has four windows of nine numbers, but there are only sixteen numbers in memory. Number 5 is
# changed to 500 below. How often will 500 be seen in the view?

# %%
numbers[0, 1, 1, 0] = 500
print((view == 500).sum())
assert (view == 500).sum() == 4, "pixel (1, 1) is in all four windows"
numbers[0, 1, 1, 0] = 5

# %% [markdown]
# ## Second idea: each window a row, the kernel a column
#
# "Multiply pairs and add up" is a dot product. So write each window as one row of a matrix, the kernel as one column,
# and the whole convolution is a matrix times a vector. With O kernels it has O columns: matrix times matrix. Writing
# the windows out as rows is called **im2col** ("image to columns": in the layout of the first programs the windows were
# the columns).

# %%
columns = im2col(numbers, kernel_size=3)
print(columns.astype(int), "  shape", columns.shape)

# %%
two_weights = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 2]])  # only two, so that you can follow in your head
product = columns @ two_weights.reshape(9, 1)

for place, colour in [((0, 0), BLUE), ((1, 1), ORANGE)]:
    k = place[0] * 2 + place[1]  # the row of this window
    fig, axes = plt.subplots(1, 4, figsize=(11, 2.9), width_ratios=[4, 9, 1.6, 2.2])
    draw_numbers(axes[0], numbers[0, :, :, 0], f"picture, window {place}", [((*place, 3, 3), colour)])
    draw_numbers(axes[1], columns, f"columns: the window is row {k}", [((k, 0, 1, 9), colour)])
    draw_numbers(axes[2], two_weights.reshape(9, 1), "kernel", [((0, 0, 9, 1), colour)])
    draw_numbers(axes[3], product.reshape(2, 2), f"result, place {place}", [((*place, 1, 1), colour)])
    plt.show()
assert product.ravel().tolist() == [1 + 2 * 10, 2 + 2 * 11, 5 + 2 * 14, 6 + 2 * 15], "by hand"

# %% [markdown]
# With channels nothing changes: a row gets KH x KW x C numbers, in the order in which they lie in memory. The weight
# (KH, KW, C, O) is in that order too, so the matrix is `weight.reshape(-1, O)`, and not one number is moved. Here is
# the whole convolution for the layer and the pictures of the seven loops:

# %%
x_columns = im2col(x, kernel_size=3, stride=2, padding=1)  # (N*OH*OW, KH*KW*C)
matrix = layer.weight.value.reshape(-1, 4)  # (KH*KW*C, O)
y = (x_columns @ matrix + layer.bias.value).reshape(expected.shape)
print(f"{x_columns.shape} @ {matrix.shape} -> {(x_columns @ matrix).shape} -> {y.shape}")
assert np.shares_memory(matrix, layer.weight.value), "the weight is that matrix already"
assert np.allclose(y, expected), "one matrix product gives what seven loops give"

# %% [markdown]
# Seven loops became: pad, look at the windows, copy them into rows, multiply. Here is all of it that the library has.

# %%
print(inspect.getsource(im2col))

# %%
print(inspect.getsource(Conv2d.forward))

# %% [markdown]
# Read it with what you know. `im2col` pads and takes the view of all windows; the `reshape` in its last line cannot
# make a view of that, so it copies. `forward` defines a function of some images, `kernel`: columns, one product, the
# bias. (Here *kernel* is the word of GPU programming, for a function that runs on piece after piece of the data.) Every
# layer of the library is written in this way. `over_batch` runs the function on a few images at a time and puts the
# results together. No image of a convolution depends on another, so it does not matter how many are convolved at a
# time. How many that is, what `footprint` has to do with it, and why there is `matmul(columns, weight)` instead of
# `columns @ weight`, are questions of speed, for tutorial 13. They do not change the result.
#
# ## Why is it fast?
#
# One layer of ResNet-20 on one picture: 32x32 pixels, 16 channels in and out. Every number of $y$ takes
# KH x KW x C multiplications, each followed by an addition. We count such pairs, *multiply-adds*.
#
# **Predict.** How many times as fast as the loops is the matrix product: 10 times, 100, 1000 or more?


# %%
def window_by_window(x, weight, bias, stride, padding):
    """Two loops: over the places of the window. All else is one NumPy operation."""
    padded, O = pad(x, (padding, padding)), weight.shape[-1]
    view = windows(padded, weight.shape[:2], (stride, stride))
    N, OH, OW = view.shape[:3]
    y = np.empty((N, OH, OW, O), x.dtype)
    for oh in range(OH):
        for ow in range(OW):
            y[:, oh, ow] = view[:, oh, ow].reshape(N, -1) @ weight.reshape(-1, O) + bias
    return y


def one_product(x, weight, bias, stride, padding):
    """No loop."""
    KH, KW, _, O = weight.shape
    OH, OW = output_size(x.shape[1:3], (KH, KW), (stride, stride), (padding, padding))
    return (im2col(x, (KH, KW), stride, padding) @ weight.reshape(-1, O) + bias).reshape(len(x), OH, OW, O)


layer = Conv2d(16, 16, 3, padding=1, rng=np.random.default_rng(0))
x = np.random.default_rng(1).standard_normal((1, 32, 32, 16), np.float32)
arguments = (x, layer.weight.value, layer.bias.value, 1, 1)
multiply_adds = x[..., 0].size * layer.weight.value.size  # every pixel of y meets every weight once

begin = time.perf_counter()
slow = convolution(*arguments)
seconds = {"seven loops": time.perf_counter() - begin}
with limit_blas_threads(1):  # one processor core for each, to compare like with like
    jobs = {"window by window": lambda: window_by_window(*arguments), "one product": lambda: one_product(*arguments)}
    seconds |= {name: median(times) for name, times in race(jobs, 7).items()}
for name, job in jobs.items():
    assert np.allclose(job(), slow, atol=1e-4), f"{name} must give what the loops give"

print(f"{multiply_adds:,} multiply-adds")
for name, t in seconds.items():
    speed, gain = multiply_adds / t / 1e6, seconds["seven loops"] / t
    print(f"{name:<18}{1e3 * t:9.2f} ms {speed:10.1f} million multiply-adds/s {gain:8.0f} x the loops")

# %% [markdown]
# Two things happened.
#
# **Python stepped back.** For each single multiply-add of the loops Python fetches two numbers by four indices each,
# makes objects of them and looks at their types. For an operation on a whole array it does that once, and machine code
# does the rest. How much is "once"? Add two arrays of one number, and two larger ones:

# %%
small = {size: np.ones(size, np.float32) for size in (1, 10, 100, 1000, 10000)}
for size, array in small.items():
    call = 1e6 * median(race({"add": lambda: [array + array for _ in range(1000)]}, 5)["add"]) / 1000
    print(f"{size:>6} numbers: {call:6.2f} microseconds, {1000 * call / size:8.2f} nanoseconds a number")

places = x.shape[1] * x.shape[2]
print(f"window by window: {1e6 * seconds['window by window'] / places:.2f} microseconds for each of {places} windows")

# %% [markdown]
# A call costs nearly the same for one number and for a hundred. Window by window, NumPy is called a few times for each
# place; compare the last line with the price of a call. **Few calls on large arrays**: that is the first rule of speed
# in NumPy, and im2col makes one call out of all windows.
#
# **Numbers are used many times once they are there.** A processor multiplies faster than memory delivers. In a matrix
# product each number of the columns meets O weights, and each weight meets every row. So a number that was fetched once
# can do a lot of work.
#
# You can see that on its own. Take the columns of a batch, and vary the number of kernels O. The columns are the same,
# and are read once in each case. With O = 1 each number that comes from memory does one multiply-add; with O = 64, it
# does 64.
#
# **Predict.** From O = 1 to O = 64 the work grows 64 times. The time?

# %%
batch = np.random.default_rng(1).standard_normal((16, 32, 32, 16), np.float32)
columns = im2col(batch, 3, padding=1)
outputs = [1, 2, 4, 8, 16, 32, 64]
weights = {O: np.random.default_rng(O).standard_normal((columns.shape[1], O), np.float32) for O in outputs}
with limit_blas_threads(1):
    times = race({O: lambda w=w: columns @ w for O, w in weights.items()}, 7)
milliseconds = [1e3 * median(times[O]) for O in outputs]
speeds = [columns.size * O / t / 1e6 for O, t in zip(outputs, milliseconds)]  # 10^9 multiply-adds/s
print(f"time, O = 64 against O = 1: {milliseconds[-1] / milliseconds[0]:.1f} times")

fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for ax, values, label, colour in [
    (axes[0], milliseconds, "milliseconds", ORANGE),
    (axes[1], speeds, r"$10^9$ multiply-adds/s", BLUE),
]:
    ax.plot(outputs, values, "o-", color=colour)
    ax.set_xscale("log", base=2)
    ax.set_xticks(outputs, outputs)
    ax.set_ylim(bottom=0)
    ax.set(xlabel="kernels O", ylabel=label)
    ax.grid(alpha=0.3)
plt.show()

# %% [markdown]
# ## What it costs
#
# A pixel is copied into every window that it is in: nine times, for a 3x3 kernel with stride 1. The columns are nine
# times as large as the picture, and writing them takes time too.

# %%
columns_bytes, batch_bytes = columns.nbytes, batch.nbytes
with limit_blas_threads(1):
    parts = race({"im2col": lambda: im2col(batch, 3, padding=1), "product": lambda: columns @ weights[16]}, 7)
copying, multiplying = (1e3 * median(parts[name]) for name in ("im2col", "product"))
print(f"the pictures {batch_bytes / 2**20:.1f} MiB, their columns {columns_bytes / 2**20:.1f} MiB")
print(f"writing the columns {copying:.1f} ms, multiplying them by 16 kernels {multiplying:.1f} ms")
assert columns_bytes == 9 * batch_bytes, "stride 1 and padding 1: nine windows for each pixel"

# %% [markdown]
# So im2col pays with memory, and with time that computes nothing, for the speed of the matrix product. That is a good
# bargain, but one can bargain on: tutorial 13 does.
#
# ## One matrix for the whole convolution
#
# One more way to look at it, which tutorial 02 will need. Each number of $y$ is a sum of numbers of $x$ times weights:
# a convolution is a *linear map*, so there is a matrix $A$ with $y = Ax$, when $x$ and $y$ are written as vectors.
# Column $p$ of $A$ is what becomes of a picture that is 1 at pixel $p$ and 0 elsewhere.

# %%
single = Conv2d(1, 1, 3, bias=False, rng=np.random.default_rng(0)).astype(np.float64)
single.weight.value[:, :, 0, 0] = np.arange(1, 10).reshape(3, 3)  # weights 1 to 9, so that we recognise them
units = np.eye(16).reshape(16, 4, 4, 1)  # 16 pictures, each with a single 1
A = single(units).reshape(16, 4).T  # (4 places, 16 pixels)

fig, ax = plt.subplots(figsize=(8, 2.6))
draw_numbers(ax, A, "y = A x for a 4x4 picture and a 3x3 kernel with the weights 1 to 9")
ax.imshow(np.ma.masked_equal(A, 0), cmap="Blues", vmin=0, vmax=18)
ax.set(xlabel="pixel of x (rows 0, 1, 2, 3 one after the other)", ylabel="place of y")
plt.show()
picture = rng.standard_normal((1, 4, 4, 1))
assert np.allclose(A @ picture.ravel(), single(picture).ravel()), "A times the picture is the convolution"

# %% [markdown]
# Every row has the same nine weights, moved along. A layer that connects everything with everything (`Linear`) would
# have a weight of its own in each cell. A convolution leaves most cells empty (a pixel of $y$ looks at its
# neighbourhood only) and shares the rest (it looks for the same thing everywhere). How much is saved?

# %%
H, W, C = 32, 32, 16
print(f"{H}x{W}x{C} -> {H}x{W}x{C}: everything with everything {(H * W * C) ** 2:,} weights, convolution {9 * C * C:,}")

# %% [markdown]
# And because it looks for the same thing everywhere, it finds the same thing elsewhere: move the picture, and the
# result moves along (*equivariance*). That holds away from the border, where the padding is seen.

# %%
moved = np.roll(grey, 4, axis=2)  # four pixels to the right; what falls out on the right comes in on the left
same = np.isclose(np.roll(four(grey), 4, axis=2), four(moved)).all(axis=(0, 3))
print("columns that differ:", np.flatnonzero(~same.all(axis=0)))
assert same[:, 5:-1].all(), "away from the borders, moving first or convolving first is the same"

# %% [markdown]
# Columns 0 and 31 are the borders of the moved picture, 3 and 4 those of the picture before it was moved.

# %% [markdown]
# ## Exercises
#
# In the notebook, every task has a cell for your answer and a check that tells you whether it is right. (This file, run
# as a script, shows each task and checks the library's answer.)

# %% tags=["task"]
task("1.1")

# %% tags=["task"]
task("1.2")

# %% tags=["task"]
task("1.3")

# %% tags=["task"]
task("1.4")

# %% tags=["task"]
task("1.5")

# %% [markdown]
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `Conv2d(C, O, 3, stride=2, padding=1, rng=rng)` | `torch.nn.Conv2d(C, O, 3, stride=2, padding=1)` |
# | pictures (N, H, W, C) | (N, C, H, W); `memory_format=torch.channels_last` lays them out as here |
# | weight (KH, KW, C, O) | (O, C, KH, KW) |
# | `im2col(x, 3, 1, 1)`, a window is a row | `torch.nn.functional.unfold(x, 3, padding=1)`, a window is a column |
# | `windows(padded, (3, 3), (1, 1))` | `padded.unfold(1, 3, 1).unfold(2, 3, 1)`, or `torch.as_strided` |
# | no turn of the kernel (cross-correlation) | the same |
#
# ## Sources
#
# * LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document Recognition", section II.A:
#   local receptive fields, shared weights.
# * Chellapilla, Puri and Simard 2006, "High Performance Convolutional Neural Networks for Document Processing":
#   convolution unrolled into one matrix product.
# * Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, section 2: sizes
#   with padding and stride.
# * Goodfellow, Bengio and Courville 2016, "Deep Learning", section 9.1 (the turn of the kernel) and 9.2 (sparse
#   connections, shared weights, equivariance).
#
# In the next tutorial, 02, the convolution runs backwards: three ways to the same gradient.
