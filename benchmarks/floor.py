"""The floor under docs/performance.md: what a ResNet-20 training step would cost if all but its convolutions were free.

    python benchmarks/floor.py

Times, in turn: our step; the matrix products of its convolutions alone, on columns that are never written; the same
with the columns written; and, where PyTorch is installed, its step. All on the library's chunks and threads.
"""

from functools import cache
from statistics import median

import numpy as np

from resnet_scratch.compute.batch import Sum, over_batch
from resnet_scratch.compute.products import matmul, matmul_transposed
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import im2col
from resnet_scratch.measure import bench
from resnet_scratch.measure.recorder import observe

WORKLOAD, REPEATS = bench.Workload("resnet20", 128, 32), 10


def convolutions():
    """(layer, an input, an output, is it the first one) for every convolution of the network."""
    seen = []

    def keep(event):
        if isinstance(event.layer, Conv2d):
            seen.append((event.layer, np.ones_like(event.inputs[0]), np.ones_like(event.outputs[0]), not seen))

    model = WORKLOAD.network()
    with observe(model, keep):
        model.forward(WORKLOAD.batch()[0], training=True)
    return seen


@cache
def ones(rows, numbers):
    """Columns that are there already; the threads share them, as nobody writes to them."""
    return np.ones((rows, numbers), np.float32)


def products(layer, x, y, first, write_columns):
    """The matrix products of one convolution, forward and backward. Backward is as the library has it: on the columns
    of grad_y where the stride is 1, and without the gradient with respect to the images in the first layer."""
    KH, KW, C, O = layer.weight.value.shape
    places = y.shape[1] * y.shape[2]
    weight, flipped = layer.weight.value.reshape(-1, O), np.ones((KH * KW * O, C), np.float32)

    def columns(images, stride):
        if write_columns:
            return im2col(images, layer.kernel_size, stride, layer.padding)
        return ones(len(images) * places, KH * KW * images.shape[3])

    def forward(x):
        matmul(columns(x, layer.stride), weight)

    def backward_as_convolution(y, x):
        of_grad = columns(y, 1)
        matmul(of_grad, flipped)
        return Sum(matmul_transposed(of_grad, x.reshape(-1, C)))

    def backward_by_definition(y, x):
        rows = y.reshape(-1, O)
        if not first:
            rows @ weight.T
        return Sum(matmul_transposed(columns(x, layer.stride), rows))

    as_convolution = layer.stride == (1, 1) and not first
    over_batch(forward, x, footprint=KH * KW)
    over_batch(backward_as_convolution if as_convolution else backward_by_definition, y, x, footprint=KH * KW)


def main():
    layers = convolutions()
    jobs = {
        "this library's step": bench.numpy_jobs(WORKLOAD)["training step"],
        "its matrix products alone": lambda: [products(*layer, write_columns=False) for layer in layers],
        "products and columns": lambda: [products(*layer, write_columns=True) for layer in layers],
    }
    try:
        for name, channels_last in (("PyTorch NCHW", False), ("PyTorch channels_last", True)):
            jobs[name] = bench.torch_jobs(WORKLOAD, channels_last)["training step"]
    except ImportError:
        print("PyTorch is not installed, so its step is left out\n")
    seconds = bench.race(jobs, REPEATS)
    rivals = [name for name in jobs if name.startswith("PyTorch")]
    print(f"{'':<28}{'ms':>8}" + "".join(f"{'x of ' + rival:>28}" for rival in rivals))
    for name, times in seconds.items():
        ratios = (median(a / b for a, b in zip(times, seconds[rival])) for rival in rivals)
        print(f"{name:<28}{1e3 * median(times):>8.0f}" + "".join(f"{ratio:>28.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
