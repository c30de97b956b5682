"""The floor under docs/performance.md: what a training step of ResNet-20 costs if all but its convolutions were free.

    python benchmarks/floor.py

Times, in turn: our step; the matrix products of its convolutions alone, on columns that are never written; the same with
the columns written; and, where PyTorch is installed, its step. All on the library's chunks and threads.
"""

from statistics import median

import numpy as np

from resnet_scratch.compute.batch import for_each_chunk, scratch
from resnet_scratch.compute.products import multiply, multiply_transposed
from resnet_scratch.layers import Conv2d
from resnet_scratch.layers.windows import im2col
from resnet_scratch.measure import bench
from resnet_scratch.measure.recorder import observe

WORKLOAD, REPEATS = bench.Workload("resnet20", 128, 32), 10


def convolutions():
    """(layer, an input, an output) of every convolution of the network."""
    seen = []

    def keep(event):
        if isinstance(event.layer, Conv2d):
            seen.append((event.layer, np.ones_like(event.inputs[0]), np.ones_like(event.outputs[0])))

    model = WORKLOAD.network()
    with observe(model, keep):
        model.forward(WORKLOAD.batch()[0], training=True)
    return seen


def products(layer, x, y, write_columns):
    """The three products of one convolution, forward and backward; backward on the columns of grad_y where the stride
    is 1, as the library has it."""
    KH, KW, C, O = layer.weight.value.shape
    places = y.shape[1] * y.shape[2]

    def columns(image, channels, stride):
        if write_columns:
            return im2col(image, layer.kernel_size, stride, layer.padding, reuse=True)
        shape = len(image) * places, KH * KW * channels
        return scratch(("floor", shape), lambda: np.ones(shape, np.float32))

    def forward(chunk):
        multiply(columns(x[chunk], C, layer.stride), layer.weight.value.reshape(-1, O), y[chunk].reshape(-1, O))

    def backward_as_convolution(chunk):
        of_grad = columns(y[chunk], O, (1, 1))
        flipped = np.ones((KH * KW * O, C), np.float32)
        multiply(of_grad, flipped, np.empty((of_grad.shape[0], C), np.float32))
        return multiply_transposed(of_grad, x[chunk].reshape(-1, C))

    def backward_with_stride(chunk):
        of_x, grad = columns(x[chunk], C, layer.stride), y[chunk].reshape(-1, O)
        multiply(grad, np.ones((O, KH * KW * C), np.float32), np.empty_like(of_x))
        return multiply_transposed(of_x, grad)

    size = 4 * places * KH * KW * max(C, O)
    for_each_chunk(x, forward, size)
    for_each_chunk(x, backward_as_convolution if layer.stride == (1, 1) else backward_with_stride, size)


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
        print("PyTorch is not installed: without its step\n")
    seconds = bench.race(jobs, REPEATS)
    rivals = [name for name in jobs if name.startswith("PyTorch")]
    print(f"{'':<28}{'ms':>8}" + "".join(f"{'x of ' + rival:>28}" for rival in rivals))
    for name, times in seconds.items():
        ratios = (median(a / b for a, b in zip(times, seconds[rival])) for rival in rivals)
        print(f"{name:<28}{1e3 * median(times):>8.0f}" + "".join(f"{ratio:>28.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
