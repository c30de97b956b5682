"""The ladder of docs/performance.md: one training step of ResNet-20, from textbook NumPy to this library, idea by idea.

    python benchmarks/ladder.py

Each rung takes back fewer of the library's ideas than the one before. Rungs run in processes of their own, because an
allocator, once told, stays told; all rungs are run in turn, several times, and medians are printed.
"""

import subprocess
import sys
from statistics import median

ROUNDS = 3
RUNGS = [  # (what is new on this rung, the ideas that are still taken back)
    ("textbook: the whole batch at once, BLAS on all threads", "chunks once blocks memory threads"),
    ("chunks of the batch that stay in the cache", "once blocks memory threads"),
    ("freed memory is kept", "once blocks threads"),
    ("backward makes columns once, and scatters nothing", "blocks threads"),
    ("tall products as stacks of small ones", "threads"),
    ("chunks side by side, on all threads", ""),
]


def take_back(idea: str) -> None:
    """Turn one idea off, from outside."""
    from contextlib import nullcontext

    from resnet_scratch import layers
    from resnet_scratch.compute import batch as workspace
    from resnet_scratch.compute import products

    if idea == "chunks":
        workspace.CHUNK_BYTES = 1 << 60
        workspace.limit_blas_threads = lambda threads: nullcontext()
    elif idea == "memory":
        workspace.keep_freed_memory = lambda: None
    elif idea == "once":
        layers.Conv2d._backward_as_convolution = layers.Conv2d._backward_by_scattering
    elif idea == "blocks":
        products.SMALL_PRODUCT = 0
    elif idea == "threads":
        workspace.set_num_threads(1)


def seconds(ideas: list[str]) -> float:
    """The median time of a training step without these ideas."""
    for idea in ideas:
        take_back(idea)
    from resnet_scratch.measure import bench

    step = bench.numpy_jobs(bench.Workload("resnet20", 128, 32))["training step"]
    return median(bench.race({"step": step}, 5)["step"])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(seconds(sys.argv[2:]))
    else:
        times = [[] for _ in RUNGS]
        for _ in range(ROUNDS):
            for taken, (_, ideas) in zip(times, RUNGS):
                run = subprocess.run(
                    [sys.executable, __file__, "without", *ideas.split()], stdout=-1, check=True, text=True
                )
                taken.append(float(run.stdout))
        print(f"{'':<58}{'images/s':>9}{'x textbook':>12}{'x rung before':>15}")
        for k, (name, _) in enumerate(RUNGS):
            first, before = (median(a / b for a, b in zip(times[j], times[k])) for j in (0, max(k - 1, 0)))
            print(f"{name:<58}{128 / median(times[k]):>9.0f}{first:>12.2f}{before:>15.2f}")
