# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py, format_name: percent}
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # 01 Convolution
#
# Nearly all the work of a residual network is one operation. A small window slides over an image. At every position the
# numbers in the window are multiplied by weights, and the products are added up. In this tutorial you take the
# operation apart, and then write it as one matrix product.
#
# By the end you will be able to
#
# * compute a convolution by hand, with padding, stride and channels;
# * say how large its output is, and how many parameters and multiply-adds it takes;
# * write the windows of an image as the rows of a matrix (im2col), and a whole convolution as one matrix product;
# * read the forward pass in `resnet_scratch/layers/conv.py`, line by line;
# * explain why the matrix product is so much faster than loops, and what it costs in memory.
#
# **Needs:** 00 (installation); Python, NumPy indexing, the matrix product.
# **Time:** 50 minutes to read and try, 80 minutes for the tasks. All cells together run in less than half a minute.

# %%
import inspect
import time
from statistics import median

import matplotlib.pyplot as plt
import numpy as np

from resnet_scratch.compute.batch import over_batch
from resnet_scratch.compute.threads import limit_blas_threads
from resnet_scratch.data import load
from resnet_scratch.exercises import task
from resnet_scratch.figures.convolution import draw_channels, draw_gliding, draw_im2col, draw_reuse, draw_windows
from resnet_scratch.figures.numbers import draw_numbers
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import im2col, output_size, pad, windows
from resnet_scratch.measure.bench import race
from resnet_scratch.verify import definitions

rng = np.random.default_rng(0)

# %% [markdown]
# ## A window that slides
#
# The image below has four rows and four columns. It is dark (0) on the left and at the bottom, and bright (9) on the
# right. The **kernel** has three rows and three columns of weights. Lay the kernel on the top left corner of the image:
# nine pixels now lie under nine weights. Multiply each pixel by its weight, and add the nine products. This sum is one
# number of the result.

# %%
image = np.array([[0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 9, 9], [0, 0, 0, 0]])
kernel = np.array([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]])
print(image, "\n")

window = image[0:3, 0:3]  # the top left one
print(window * kernel)
print("sum:", (window * kernel).sum())
assert (window * kernel).sum() == 27, "three rows, each with 9 * 1"

# %% [markdown]
# Now move the kernel by one pixel, to the right or down. There is room for two positions across and two down, so the
# result has two rows and two columns. **Predict, then run:** what are the other three sums? Write them into the next
# cell.

# %%
prediction = None  # the sums at the top right, bottom left and bottom right, such as [1, 2, 3]

y = np.zeros((2, 2), int)
for i in range(2):
    for j in range(2):
        y[i, j] = (image[i : i + 3, j : j + 3] * kernel).sum()
draw_gliding(image, kernel, y)
plt.show()
if prediction is not None:
    for name, predicted, computed in zip(("top right", "bottom left", "bottom right"), prediction, y.ravel()[1:]):
        print(f"{name}: {'right' if predicted == computed else f'you said {predicted}, it is {computed}'}")
by_loops = definitions.convolution(image[None, :, :, None], kernel[:, :, None, None])
assert np.array_equal(y, by_loops[0, :, :, 0]), "the loops that the library is tested with say the same"

# %% [markdown]
# This kernel subtracts what is on the left from what is on the right. Its result is large where the image gets brighter
# from left to right, and zero where nothing changes. In a network nobody chooses such kernels: the network learns them.
#
# **A note on the name.** In mathematics, a *convolution* rotates the kernel by 180 degrees first. Without the rotation
# it is called a *cross-correlation*. Deep learning says convolution and does not rotate, and neither does this library.
# The rotated kernel, called *flipped*, comes back in tutorial 02, where the backward pass needs it.
#
# ## What kernels see
#
# Next, apply some kernels to an image of the built-in data set. The layer `Conv2d` does the work. Remember two shapes:
#
# * images are (N, H, W, C): number of images, height, width, channels;
# * the weight is (KH, KW, C, O): height and width of the kernel, channels in, channels out.
#
# We average red, green and blue, so C = 1. Three kernels make three channels, so O = 3. The layer adds a border of
# zeros around the image, one pixel wide (`padding=1`), so that the window also fits around the pixels at the edge.

# %%
shapes = load()
grey = shapes.test_images[2:3].mean(3, keepdims=True).astype(np.float32) / 255  # (1, 32, 32, 1)


def layer_of(*kernels):
    """A convolution with these 3x3 kernels, from one channel to one for each."""
    layer = Conv2d(1, len(kernels), 3, padding=1, bias=False, rng=np.random.default_rng(0))
    layer.weight.value[:, :, 0, :] = np.stack(kernels, axis=-1)
    return layer


unchanged = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
right_minus_left = [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]
below_minus_above = [[-1, -1, -1], [0, 0, 0], [1, 1, 1]]
edges = layer_of(unchanged, right_minus_left, below_minus_above)
seen = edges(grey)
print("images", grey.shape, "weight", edges.weight.value.shape, "result", seen.shape)
draw_channels(dict(zip(["unchanged", "right minus left", "below minus above"], np.moveaxis(seen[0], 2, 0))))
plt.show()
assert np.allclose(seen[..., 0], grey[..., 0]), "a single 1 in the middle leaves the image as it is"

# %% [markdown]
# In the two channels on the right, red is positive, blue is negative, and white is zero. Each of them shows the edges
# of one direction. Now design some kernels yourself.

# %% tags=["task"]
task("1.1")

# %% [markdown]
# **Predict:** the next cell moves the image down, replaces each pixel by the mean of a cross of five, and subtracts each
# pixel from the one on its right. The image has zeros around it. Where will you see them in the three results?

# %%
move_down = [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
mean_of_cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]) / 5
right_minus_itself = [[0, 0, 0], [0, -1, 1], [0, 0, 0]]
changed = layer_of(move_down, mean_of_cross, right_minus_itself)(grey)[0]
draw_channels(dict(zip(["moved down", "mean of a cross", "right minus itself"], np.moveaxis(changed, 2, 0))))
plt.show()
assert not changed[0, :, 0].any(), "zeros come in at the top"
assert np.allclose(changed[:, -1, 2], -grey[0, :, -1, 0]), "right of the last column there is zero: 0 - pixel"
there = [grey[0, 0, 0, 0], grey[0, 0, 1, 0], grey[0, 1, 0, 0]]
corner = changed[0, 0, 1] / np.mean(there)
print(f"mean of a cross, top left corner: {corner:.3f} times the mean of the three pixels that exist")
assert np.isclose(corner, 3 / 5), "three pixels and two zeros, divided by five"

# %% [markdown]
# To a kernel, the zeros are a black frame around the image. They darken the border of the blurred image, and they make
# edges that are not in the scene. A network sees such false edges too.
#
# ## Padding and stride: how many windows fit?
#
# **Padding** is the border of zeros. **Stride** is how far the window moves from one position to the next. The drawing
# shows one row of an image. The blue cells are its pixels, labelled with their indices, and the white ones are padding,
# with its zeros. Each orange bar is a window.

# %%
fig, axes = plt.subplots(1, 4, figsize=(10, 2.6), layout="constrained")
for ax, geometry in zip(axes, [(5, 3, 1, 0), (5, 3, 1, 1), (5, 3, 2, 0), (6, 3, 2, 0)]):
    draw_windows(ax, *geometry)
plt.show()

# %% [markdown]
# **Predict, then run:** in the drawing on the right, one pixel is in no window. Which one? What happens to it?

# %%
starts = [2 * k for k in range(output_size((6, 6), (3, 3), (2, 2), (0, 0))[0])]
in_a_window = {start + k for start in starts for k in range(3)}
print("pixels in no window:", set(range(6)) - in_a_window)
assert set(range(6)) - in_a_window == {5}, "a third window, from 4, would need a pixel 6"

# %% [markdown]
# Pixel 5 has no influence on the result. The next window would start at pixel 4 and reach beyond the image, so it is
# left out.

# %% tags=["task"]
task("1.2")

# %% [markdown]
# Along one axis, let $H$ be the size, $K$ the kernel, $s$ the stride and $p$ the padding on each side. Counted along
# the padded row, the first window starts at 0, and the last one starts at $H + 2p - K$ at the latest. In between, the
# window takes one step for every whole stride that fits:
#
# $$ OH = \left\lfloor \frac{H + 2p - K}{s} \right\rfloor + 1 $$
#
# With an odd kernel, stride 1 and padding $(K - 1)/2$, the size stays the same. **Predict, then run:** the next cell
# lists the three kinds of layers with stride 2 in a ResNet. What output size do they give for 32 pixels? And for 7?

# %%
for name, K, p in [("3x3, padding 1", 3, 1), ("1x1, padding 0", 1, 0), ("7x7, padding 3", 7, 3)]:
    sizes = {H: output_size((H, H), (K, K), (2, 2), (p, p))[0] for H in range(1, 65)}
    print(f"{name}, stride 2:  32 -> {sizes[32]},  7 -> {sizes[7]}")
    assert all(OH == (H + 1) // 2 for H, OH in sizes.items()), "half of the size, rounded up"
print("3x3, padding 0, stride 2:  32 ->", output_size((32, 32), (3, 3), (2, 2), (0, 0))[0])

# %% [markdown]
# All three halve the size and round up, for odd sizes as well as for even ones. That matters: in a residual block with
# stride 2, the outputs of a 3x3 and of a 1x1 convolution are added, so they must have the same size (tutorial 06).
# Without padding, a 3x3 kernel leaves less than half.
#
# ## Channels, and seven loops
#
# A colour image has three channels. Inside ResNet-20 there are 16, 32 or 64. A window then contains KH x KW x C
# numbers, and so does a kernel: the sum runs over all input channels. Each kernel makes *one* channel of the output,
# and has a bias $b$ of its own.
#
# $$ y[n, oh, ow, o] = b[o] + \sum_{kh, kw, c} x[n,\; s \cdot oh + kh - p,\; s \cdot ow + kw - p,\; c]
# \cdot w[kh, kw, c, o] $$
#
# Pixels beyond the border count as zero. (oh, ow) is a position in the output, and (kh, kw) a position in the kernel.
# Every index is a loop: four of them say which number of $y$ is computed, and three say what is added up. The library's
# tests compare its layer with this function:

# %%
print(inspect.getsource(definitions.convolution))

# %% [markdown]
# **Predict, then run:** two images of 7x6 pixels with three channels are convolved with four 3x3 kernels, with stride 2
# and padding 1. What is the shape of $y$? How many numbers does one kernel have?

# %%
prediction = None  # the shape of y and the number of weights in one kernel, such as ((1, 2, 3, 4), 5)

layer = Conv2d(3, 4, 3, stride=2, padding=1, rng=rng).astype(np.float64)
layer.bias.value[:] = rng.standard_normal(4)
x = rng.standard_normal((2, 7, 6, 3))
by_loops = definitions.convolution(x, layer.weight.value, layer.bias.value, stride=2, padding=1)
facts = by_loops.shape, layer.weight.value[..., 0].size
print("y", facts[0], "; weights in one kernel:", facts[1])
if prediction is not None:
    print("your prediction is right" if prediction == facts else "your prediction is off: where?")
print("largest difference between the layer and the loops:", np.abs(layer(x) - by_loops).max())
assert np.allclose(layer(x), by_loops), "the library's layer must agree with the definition"

# %% [markdown]
# The loops define the operation, but they are far too slow. The library's layer has no loop over pixels. Two ideas lead
# from the loops to the layer.
#
# ## First idea: each window a row, the kernel a column
#
# Multiplying pairs of numbers and adding up the products gives a *dot product*. So write every window as a row of a
# matrix, and the kernel as a column. Then the whole convolution is a matrix times a column. Writing the windows in this
# way is called **im2col**, "image to columns". (In many programs each window is a column, which explains the name.)
#
# Here are an image of 4x4 pixels and a kernel with only two weights that are not zero, so that you can check the sums
# in your head. The first and the last window are framed.

# %%
numbers = np.arange(16, dtype=np.float64).reshape(1, 4, 4, 1)  # one image, one channel
two_weights = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 2]])
columns = im2col(numbers, kernel_size=3)
y = (columns @ two_weights.reshape(9, 1)).reshape(2, 2)
draw_im2col(numbers[0, :, :, 0], columns, two_weights, y, marked=[(0, 0), (1, 1)])
plt.show()
assert y.ravel().tolist() == [1 + 2 * 10, 2 + 2 * 11, 5 + 2 * 14, 6 + 2 * 15], "computed by hand"

# %% [markdown]
# Most pixels occur in several rows. With channels nothing changes: a row gets KH x KW x C numbers, in the order kernel
# row, kernel column, channel. With a batch, the windows of the next image follow below.

# %% tags=["task"]
task("1.3")

# %% [markdown]
# ## Second idea: all windows, and nothing copied
#
# Your loops cut out one window after another. NumPy can give you all of them at once. An array is a piece of memory and
# a rule: to go one step along an axis, move a fixed number of bytes. That number is the *stride* of the axis. (The
# window's stride is something else.)

# %%
print(numbers[0, :, :, 0])
print("shape", numbers.shape, "  strides in bytes:", numbers.strides)

# %% [markdown]
# A number takes 8 bytes, so the next pixel is 8 bytes away, and the next row is 4 x 8 = 32 bytes away.
#
# Different indices may reach the same memory. To see all windows, we need six axes, (N, OH, OW, KH, KW, C):
# two say which window, two say where in the window. **Predict, then run:** the stride of N stays 128 bytes, and that of
# C stays 8. What are the strides of OH, OW, KH and KW? (The window moves by one pixel.)

# %%
prediction = None  # the strides of OH, OW, KH and KW in bytes, such as (1, 2, 3, 4)

view = windows(numbers, kernel_size=(3, 3), stride=(1, 1))
print("shape", view.shape, "  strides in bytes:", view.strides)
if prediction is not None:
    print("your prediction is right" if tuple(prediction) == view.strides[1:5] else "your prediction is off: where?")
print("window (1, 0):")
print(view[0, 1, 0, :, :, 0])
assert np.shares_memory(view, numbers), "a view: the windows are where the image is"
assert np.array_equal(view[0, 1, 0, :, :, 0], numbers[0, 1:4, 0:3, 0]), "window (1, 0) starts in row 1, column 0"

# %% [markdown]
# The view has 36 numbers, and there are only 16 in memory. **Predict, then run:** the next cell changes the number 5 to
# 500, in the image. How often does 500 occur in the view?

# %%
numbers[0, 1, 1, 0] = 500
print("500 occurs", (view == 500).sum(), "times")
assert (view == 500).sum() == 4, "pixel (1, 1) is in all four windows"
numbers[0, 1, 1, 0] = 5

# %% [markdown]
# This is how the library computes the strides. `SH` and `SW` are the strides of the window. (`array_module(x)`, often
# called `xp`, is NumPy here, and CuPy for an array on a GPU (12). Both `return`s make the same view.)

# %%
print(inspect.getsource(windows))

# %% [markdown]
# `im2col` pads the images, takes this view, and reshapes it. A matrix has only two strides, and the six of the view
# cannot be merged into two. So the `reshape` in the last line copies, and every pixel is written once for each of its
# windows.

# %%
print(inspect.getsource(im2col))
assert np.array_equal(im2col(numbers, 3), view.reshape(4, 9)), "a reshape of the view is all there is to it"

# %% [markdown]
# ## The whole convolution
#
# With O kernels, the matrix on the right has O columns, one for each kernel. The product then has a row for each
# window, and a column for each output channel. You have all the parts now:

# %% tags=["task"]
task("1.4")

# %% [markdown]
# Here it is for the images that went through the seven loops. The weight (KH, KW, C, O) lies in memory in just the
# right order, so `reshape` turns it into the matrix without moving a number. This is why the library keeps weights in
# this shape.

# %%
x_columns = im2col(x, kernel_size=3, stride=2, padding=1)  # (N*OH*OW, KH*KW*C)
matrix = layer.weight.value.reshape(-1, 4)  # (KH*KW*C, O)
product = x_columns @ matrix + layer.bias.value  # (N*OH*OW, O)
y = product.reshape(by_loops.shape)
print(f"{x_columns.shape} @ {matrix.shape} -> {product.shape} -> {y.shape}")
assert np.shares_memory(matrix, layer.weight.value), "no number of the weight was moved"
assert np.allclose(y, by_loops), "one matrix product gives what seven loops give"

# %% [markdown]
# And here is the library's layer. `matmul` is `@`, computed in blocks, which is faster (tutorial 13).

# %%
print(inspect.getsource(Conv2d.forward))

# %% [markdown]
# ### A few images at a time
#
# In this code, only `over_batch` is new. (`check_images` looks for a wrong shape. The second thing returned, `x`, is
# what the backward pass will need. It is called the layer's *cache*: see 02.) The inner function `convolve` works for
# any number of images. In a convolution, each image is handled independently of the others, so it does not matter
# whether `convolve` gets the whole batch at once, or a few images at a time. `over_batch` calls it on a few at a time,
# and puts the results together. In essence it is this:


# %%
def few_at_a_time(function, batch, images):
    """`function(batch)`, computed for `images` images at a time."""
    return np.concatenate([function(batch[k : k + images]) for k in range(0, len(batch), images)])


sixteen = Conv2d(16, 16, 3, padding=1, bias=False, rng=rng)  # as in ResNet-20
batch = rng.standard_normal((64, 32, 32, 16), np.float32)
calls = []


def convolve(x):
    calls.append(len(x))
    return (im2col(x, 3, padding=1) @ sixteen.weight.value.reshape(-1, 16)).reshape(x.shape)


at_once, four_at_a_time = convolve(batch), few_at_a_time(convolve, batch, images=4)
calls.clear()
by_the_library = over_batch(convolve, batch, footprint=9)
print(f"over_batch: {len(calls)} calls with {sorted(set(calls))} images each, {sum(calls)} together")
assert np.allclose(at_once, four_at_a_time, atol=1e-4), "the chunks do not change the result"
assert np.allclose(at_once, by_the_library, atol=1e-4), "nor do those of over_batch"
assert sum(calls) == len(batch), "every image is computed once"

# %% [markdown]
# Why? For speed. What is computed from a few images stays in the processor's own cache (a small, fast memory, which has
# nothing to do with the layer's), and different threads can take different images. `footprint` says how much memory the
# function needs, as a multiple of the images: the columns of a 3x3 kernel are 9 times as large. From this `over_batch`
# chooses how many images to take.
#
# All layers of the library are written in this way: a plain function of some images, and `over_batch` to run it. So in
# the layers you can read the mathematics, and forget about chunks and threads.
#
# ## What does it cost?
#
# You can tell before it runs. A multiplication followed by an addition is called a **multiply-add**.

# %% tags=["task"]
task("1.5")

# %% [markdown]
# Every number of $y$ takes one multiply-add for each weight of its kernel. Take the layer above, on one image.
# **Predict, then run:** how many times as fast as the loops is the matrix product: 10 times, 100 or 1000?


# %%
def window_by_window(x, weight):
    """Two loops, over the windows; the rest is NumPy. Stride 1, padding 1, no bias."""
    view = windows(pad(x, (1, 1)), weight.shape[:2], (1, 1))
    N, OH, OW = view.shape[:3]
    y = np.empty((N, OH, OW, weight.shape[3]), x.dtype)
    for oh in range(OH):
        for ow in range(OW):
            y[:, oh, ow] = view[:, oh, ow].reshape(N, -1) @ weight.reshape(-1, weight.shape[3])
    return y


one, weight = batch[:1], sixteen.weight.value
multiply_adds = one.size * weight[..., 0].size  # y is as large as x here; each number takes 9 * 16
begin = time.perf_counter()
slow = definitions.convolution(one, weight, padding=1)
seconds = {"seven loops": time.perf_counter() - begin}
jobs = {"window by window": lambda: window_by_window(one, weight), "one product": lambda: convolve(one)}
for name, job in jobs.items():
    assert np.allclose(job(), slow, atol=1e-4), f"{name} must give what the loops give"
with limit_blas_threads(1):  # one processor core for each, so that the comparison is fair; 7 times each, in turn
    seconds |= {name: median(times) for name, times in race(jobs, 7).items()}

print(f"{multiply_adds:,} multiply-adds")
for name, t in seconds.items():
    speed, gain = multiply_adds / t / 1e6, seconds["seven loops"] / t
    print(f"{name:<18}{1e3 * t:9.2f} ms {speed:10.1f} million multiply-adds/s {gain:8.0f} x the loops")
assert seconds["seven loops"] > 100 * seconds["one product"], "the matrix product must be faster by orders of magnitude"
assert seconds["one product"] < seconds["window by window"], "one call must be faster than one for each window"

# %% [markdown]
# There are two reasons.
#
# **Python has less to do.** In the loops, Python finds two numbers by four indices each, makes objects of them, and
# looks up what `*` and `+` mean for these. It does so for every multiply-add. An operation on a whole array pays such
# costs once, and compiled code does the rest. How high are they? **Predict, then run:** how much longer does it take to
# add arrays of 100 numbers than arrays of one?

# %%
arrays = {size: np.ones(size, np.float32) for size in (1, 10, 100, 1000, 10000)}
call = {}
for size, array in arrays.items():

    def add_1000_times():
        for _ in range(1000):
            array + array

    call[size] = 1000 * median(race({"add": add_1000_times}, 5)["add"])  # ms for 1000 calls: microseconds for one
    print(f"{size:>6} numbers: {call[size]:6.2f} microseconds, {1000 * call[size] / size:8.2f} nanoseconds per number")
per_window = 1e6 * seconds["window by window"] / (32 * 32)
print(f"100 numbers take {call[100] / call[1]:.1f} times as long as one")
print(f"window by window: {per_window:.2f} microseconds for each window")
assert call[100] < 5 * call[1], "100 times the work must cost far less than 100 times the time"

# %% [markdown]
# A call costs about the same for one number as for a hundred. Window by window, NumPy is called a few times for each
# window; compare the last line with the cost of one call. **Few calls on large arrays** is the first rule of fast
# NumPy, and im2col turns all windows into one call.
#
# **Numbers are used many times once they are loaded.** A processor multiplies faster than memory delivers. In the
# matrix product, each number of the columns meets O weights. So a number that has been loaded once can do a lot of
# work.
#
# You can see this effect by itself: take the columns of 16 images, and vary the number of kernels O. **Predict, then
# run:** from O = 1 to O = 64 there are 64 times as many multiply-adds. How many times as long does it take?

# %%
columns = im2col(batch[:16], 3, padding=1)
outputs = [1, 2, 4, 8, 16, 32, 64]
weights = {O: rng.standard_normal((columns.shape[1], O), np.float32) for O in outputs}
with limit_blas_threads(1):
    times = race({O: lambda w=w: columns @ w for O, w in weights.items()}, 7)
milliseconds = [1e3 * median(times[O]) for O in outputs]
speeds = [columns.size * O / t / 1e6 for O, t in zip(outputs, milliseconds)]  # 10^9 multiply-adds/s
print(f"O = 64 takes {milliseconds[-1] / milliseconds[0]:.1f} times as long as O = 1")
draw_reuse(outputs, milliseconds, speeds)
plt.show()
assert milliseconds[-1] < 50 * milliseconds[0], "a number that is loaded once must do more work with more kernels"

# %% [markdown]
# The speed has a price. With a 3x3 kernel and stride 1, almost every pixel is copied into nine windows. So the columns
# are nine times as large as the images, and writing them takes time as well:

# %%
with limit_blas_threads(1):
    parts = race({"im2col": lambda: im2col(batch[:16], 3, padding=1), "product": lambda: columns @ weights[16]}, 7)
copying, multiplying = (1e3 * median(parts[name]) for name in ("im2col", "product"))
print(f"16 images: {batch[:16].nbytes / 2**20:.1f} MiB, their columns: {columns.nbytes / 2**20:.1f} MiB")
print(f"writing the columns: {copying:.1f} ms, multiplying them by 16 kernels: {multiplying:.1f} ms")
assert columns.nbytes == 9 * batch[:16].nbytes, "a window of nine pixels for every pixel"

# %% [markdown]
# So im2col pays for the speed of the matrix product with memory, and with time in which nothing is computed. It is a
# good bargain, and tutorial 13 improves it.
#
# ## One matrix for the whole convolution
#
# There is one more way to see a convolution, which tutorial 02 needs. Every number of $y$ is a sum of pixels times
# weights. So a convolution without a bias is a *linear map*: if you write $x$ and $y$ as vectors, there is a matrix $A$
# with $y = Ax$. Column $p$ of $A$ is the result for an image that is 1 at pixel $p$ and 0 elsewhere. That is how the
# next cell finds it, for an image of 4x4 pixels and the weights 1 to 9.

# %%
single = Conv2d(1, 1, 3, bias=False, rng=rng).astype(np.float64)
single.weight.value[:, :, 0, 0] = np.arange(1, 10).reshape(3, 3)
units = np.eye(16).reshape(16, 4, 4, 1)  # 16 images, each with a single 1
A = single(units).reshape(16, 4).T  # (4 numbers of y, 16 pixels)

fig, ax = plt.subplots(figsize=(8, 2.6), layout="constrained")
draw_numbers(ax, A, "A", shade=True)
ax.set(xlabel="pixel of x, in reading order", ylabel="number of y")
plt.show()
random_image = rng.standard_normal((1, 4, 4, 1))
assert np.allclose(A @ random_image.ravel(), single(random_image).ravel()), "A times the image is the convolution"

# %% [markdown]
# Every row contains the same nine weights, in different positions. A layer that connects every pixel with every number of
# the output (`Linear`) would have a weight of its own in each cell. A convolution has a zero wherever the pixel is
# outside the output's window: in 7 of the 16 cells of a row here, and in nearly all for a larger image. It shares the
# other weights, because it looks for the same thing everywhere. **Predict, then run:** how many weights does that save
# in a layer of ResNet-20?

# %%
H, W, C = 32, 32, 16
print(
    f"{H}x{W}x{C} -> {H}x{W}x{C}: {(H * W * C) ** 2:,} weights if everything is connected, {9 * C * C:,} in the convolution"
)
assert sixteen.weight.value.size == 9 * C * C, "one weight for each position in the kernel, each input and each output"

# %% [markdown]
# A convolution looks for the same thing everywhere. So if you move the image, the result moves with it. This is called
# **equivariance**. **Predict, then run:** we move the image by four pixels to the right, before or after the
# convolution. What leaves on the right comes back in on the left. In which columns will
# the two results differ?

# %%
moved_after = np.roll(edges(grey), 4, axis=2)
moved_before = edges(np.roll(grey, 4, axis=2))
same = np.isclose(moved_after, moved_before).all(axis=(0, 1, 3))
print("columns that differ:", np.flatnonzero(~same))
assert set(np.flatnonzero(~same)) <= {0, 3, 4, 31}, "away from the borders the two must agree"

# %% [markdown]
# Only the padding breaks the rule. Columns 0 and 31 are next to the zeros if you move first. If you convolve first, the
# columns next to the zeros move on to 4 and 3.
#
# ## Questions to think about
#
# <details><summary>What does a 1x1 convolution compute? Is it of any use?</summary>
#
# Its window is one pixel, and its columns are the image itself, as a matrix (N x H x W, C). So it is a linear layer
# that is applied to each pixel separately: every output channel is a weighted sum of the input channels. It changes the
# number of channels without looking at neighbours. ResNets use it in shortcuts and in bottleneck blocks (tutorial 07).
#
# </details>
#
# <details><summary>Two 3x3 convolutions follow one another, with stride 1 and nothing between them. How many pixels of
# the image does one number of the result depend on? Could one convolution do the same?</summary>
#
# A number of the result depends on 3x3 numbers of the first convolution's output, and these depend on 5x5 pixels of the
# image. Both maps are linear, so together they are one matrix, the product of their matrices $A$. It is the matrix of a
# 5x5 convolution (except near the border, if there is padding). With one channel, two 3x3 kernels have 18 weights and a
# 5x5 kernel has 25, so two small kernels cannot make every large one. With a ReLU between them, as in a ResNet, they
# can also compute what no single convolution can.
#
# </details>
#
# <details><summary>`over_batch` works because no image depends on another. But batch norm divides by the spread of the
# whole batch, and the gradient of the weights is a sum over all images. Can they use it too?</summary>
#
# Yes, with one addition. A sum over the batch is the sum of the sums of its parts. So a function may return `Sum(...)`
# instead of rows, and `over_batch` then adds the parts up. The mean and the spread of a batch can be computed from such
# sums. You will see `Sum` in the backward pass of `Conv2d` in tutorial 02.
#
# </details>
#
# ## What PyTorch calls this
#
# | here | PyTorch |
# |---|---|
# | `Conv2d(C, O, 3, stride=2, padding=1, rng=rng)` | `torch.nn.Conv2d(C, O, 3, stride=2, padding=1)` |
# | images (N, H, W, C) | (N, C, H, W); with `memory_format=torch.channels_last` they lie in memory as here |
# | weight (KH, KW, C, O) | (O, C, KH, KW) |
# | `im2col(x, 3, 1, 1)`: (N x OH x OW, KH x KW x C) | `torch.nn.Unfold(3, padding=1)(x)`: (N, C x KH x KW, OH x OW) |
# | a window is a row: kernel row, kernel column, channel | a window is a column: channel, kernel row, kernel column |
# | `windows(padded, (3, 3), (1, 1))` | `padded.unfold(1, 3, 1).unfold(2, 3, 1)`, for `padded` (N, H, W, C) too |
# | its axes are N, OH, OW, KH, KW, C | its axes are N, OH, OW, C, KH, KW |
# | the kernel is not flipped (cross-correlation) | the same |
#
# ## Sources
#
# * LeCun, Bottou, Bengio and Haffner 1998, "Gradient-Based Learning Applied to Document Recognition", section II.A:
#   local receptive fields, shared weights.
# * Chellapilla, Puri and Simard 2006, "High Performance Convolutional Neural Networks for Document Processing":
#   convolution unrolled into one matrix product.
# * Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285, section 2: sizes
#   with padding and stride.
# * Goodfellow, Bengio and Courville 2016, "Deep Learning", section 9.1 (flipping the kernel) and 9.2 (sparse
#   connections, shared weights, equivariance).
#
# Next: [02 The chain rule, and the backward pass of convolution](02_convolution_backward.py), where you derive the
# gradients of all this.
