"""What the cost model of `measure/link.py` predicts for 8 to 1,024 processes: the figure of docs/processes.md.

    python benchmarks/cluster_figure.py docs/images/cluster.svg

Measured here, with one thread each: a training step of every network, and what the program does for a message, between
two processes on this machine. Assumed: the networks below, each process with a cable to itself, none late.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from matplotlib.figure import Figure

from resnet_scratch.compute.processes import INSTALL, find_mpiexec, processes
from resnet_scratch.compute.threads import set_num_threads
from resnet_scratch.figures.style import BLACK, BLUE, GREY, ORANGE
from resnet_scratch.measure.bench import Workload, numpy_jobs, race
from resnet_scratch.measure.link import Link, communication_seconds, measure_link, messages_of_step
from resnet_scratch.models import build
from resnet_scratch.table import format_table

NETWORKS = {
    "Ethernet, 10 Gbit/s, 30 µs": Link(30e-6, 10e9 / 8),
    "InfiniBand, 100 Gbit/s, 2 µs": Link(2e-6, 100e9 / 8),
}
MODELS = {"resnet20": Workload("resnet20", 32, 32), "resnet110": Workload("resnet110", 32, 32)}
MODELS["resnet50"] = Workload("resnet50", 8, 224)
CLASSES = {"resnet50": 1000}  # the others have ten
PROCESSES = [1 << k for k in range(3, 11)]
IN_TABLE = (8, 64, 1024)
EACH, ALL = 32, 1024  # images: of each process in weak scaling, of the whole batch in strong scaling
REPEATS = 5


def program() -> Link:
    """What packing, sending within this machine and adding take: the part of every message that is not the network."""
    mpiexec = find_mpiexec()
    assert mpiexec, f"mpiexec is not installed: {INSTALL}"
    command = [mpiexec, "-n", "2", sys.executable, __file__, "link"]
    printed = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    return Link(*map(float, printed.split()))


def main(path: str) -> None:
    set_num_threads(1)
    here, rows = program(), []
    print(f"the program: {1e6 * here.latency:.0f} us a message, {here.bandwidth / 1e6:.0f} MB/s")
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    axes = figure.subplots(2, 3, sharex=True, sharey="row")
    for column, (name, workload) in enumerate(MODELS.items()):
        image = min(race({name: numpy_jobs(workload)["training step"]}, REPEATS)[name]) / workload.batch_size
        model = build(name, CLASSES.get(name, 10), rng=np.random.default_rng(0))
        messages = messages_of_step(model, min(64, workload.image_size))
        about = f"{name}: {len(messages)} messages, {sum(message.size for message in messages) / 1e6:.1f} MB a step"
        print(f"{about}, {1e3 * image:.1f} ms an image")
        axes[0, column].set_title(about.replace(": ", "\n"), fontsize=10)
        for (network, link), colour, line in zip(NETWORKS.items(), (BLUE, ORANGE), ("o-", "s--")):
            sent = [communication_seconds(messages, k, link.then(here)) for k in PROCESSES]
            weak = [EACH * image / (EACH * image + seconds) for seconds in sent]
            strong = [ALL * image / (ALL * image / k + seconds) for k, seconds in zip(PROCESSES, sent)]
            axes[0, column].plot(PROCESSES, [100 * share for share in weak], line, color=colour, label=network, ms=4)
            axes[1, column].plot(PROCESSES, strong, line, color=colour, ms=4)
            rows += [
                (name, network, k, 1e3 * seconds, *gains)
                for k, seconds, *gains in zip(PROCESSES, sent, weak, strong)
                if k in IN_TABLE
            ]
        axes[1, column].plot(PROCESSES, PROCESSES, ":", color=GREY)
        axes[1, column].set(xscale="log", yscale="log", xlabel="processes")
        axes[1, column].set_xticks([8, 32, 128, 512], ["8", "32", "128", "512"], minor=False)
        axes[1, column].minorticks_off()
        for row in (0, 1):
            axes[row, column].spines[["top", "right"]].set_visible(False)
    axes[0, 0].set(ylim=(0, 105), ylabel=f"% of ideal speed,\n{EACH} images for each")
    axes[1, 0].set(ylabel=f"times as fast as one,\n{ALL:,} images for all")
    axes[1, 0].set_yticks([10, 100, 1000], ["10", "100", "1,000"])
    axes[1, 0].text(16, 24, "ideal", color=BLACK, fontsize=8, rotation=38)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path)
    columns = {"": "", "network": "", "processes": ",d", "messages ms": ",.0f", "weak": ".0%", "strong": ",.0f"}
    print(format_table(columns, rows))


def link() -> None:
    """In both processes: print alpha and beta."""
    with processes():
        measured = measure_link()
        print(measured.latency, measured.bandwidth)


if __name__ == "__main__":
    if sys.argv[1] == "link":
        link()
    else:
        main(sys.argv[1])
