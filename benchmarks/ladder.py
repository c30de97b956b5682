"""The ladder of docs/performance.md: one training step of ResNet-20, from textbook NumPy to this library, idea by idea.

    python benchmarks/ladder.py

Each rung adds one idea to the rung before it; the ideas above it are taken out of the library, from outside. Rungs run
in processes of their own, because an allocator keeps a setting. All rungs are run in turn, several times, and
medians are printed: of the speeds, and of the speeds as multiples of the textbook's in the same round.
"""

import subprocess
import sys
from contextlib import nullcontext
from statistics import median

ROUNDS = 3
RUNGS = {  # idea: what is new on its rung
    "textbook": "textbook: the whole batch at once, BLAS on all threads",
    "chunks": "chunks of the batch that stay in the cache",
    "blas": "BLAS on one thread: from here on one core works, up to the last rung",
    "memory": "freed memory is kept",
    "once": "backward makes columns once, and needs no col2im",
    "blocks": "tall products as stacks of small ones",
    "rows": "one number per channel, repeated to long rows",
    "sums": "sums per channel by BLAS",
    "images": "no gradient with respect to the images",
    "threads": "chunks side by side, on all threads",
}


def take_out(idea: str) -> None:
    """Replace one idea of the library by what a textbook does."""
    from resnet_scratch.compute import batch, products, threads
    from resnet_scratch.layers import Conv2d, Sequential, batchnorm
    from resnet_scratch.layers.layer import Layer

    def replace(owner: object, name: str, value: object) -> None:
        getattr(owner, name)  # an AttributeError if the library has changed
        setattr(owner, name, value)

    if idea == "chunks":
        replace(batch, "CHUNK_BYTES", 1 << 60)
        replace(batch, "FEWEST_CHUNKS", 1)
    elif idea == "blas":
        replace(threads, "_one_thread_for_blas", nullcontext())
    elif idea == "memory":
        replace(batch, "keep_freed_memory", lambda: None)
    elif idea == "once":
        replace(Conv2d, "_backward_as_convolution", Conv2d._backward_by_definition)
    elif idea == "blocks":
        replace(products, "SMALL_PRODUCT", 0)
    elif idea == "rows":
        replace(batchnorm, "per_channel", lambda values, shape: values)
    elif idea == "sums":
        replace(batchnorm, "channel_sum", lambda x: x.sum((0, 1, 2)))
    elif idea == "images":
        replace(Sequential, "backward_to_parameters", Layer.backward_to_parameters)
    elif idea == "threads":
        threads.set_num_threads(1)


def seconds(without: list[str]) -> float:
    """The median time of a training step without these ideas."""
    for idea in without:
        take_out(idea)
    from resnet_scratch.measure import bench

    step = bench.numpy_jobs(bench.Workload("resnet20", 128, 32))["training step"]
    return median(bench.race({"step": step}, 5)["step"])


def main() -> None:
    ideas = list(RUNGS)
    times: list[list[float]] = [[] for _ in ideas]
    for _ in range(ROUNDS):
        for k, taken in enumerate(times):
            command = [sys.executable, __file__, "without", *ideas[k + 1 :]]
            taken.append(float(subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout))
    print(f"{'':<58}{'images/s':>9}{'x textbook':>12}{'x rung before':>15}")
    before = 1.0
    for idea, taken in zip(ideas, times):
        gain = median(textbook / this for textbook, this in zip(times[0], taken))  # each round with its own textbook
        print(f"{RUNGS[idea]:<58}{128 / median(taken):>9.0f}{gain:>12.2f}{gain / before:>15.2f}")
        before = gain


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(seconds(sys.argv[2:]))
    else:
        main()
