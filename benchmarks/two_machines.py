"""Two machines in one: two network namespaces, joined by a cable as slow as you like. Needs Linux, root and `ip`.

    sudo .venv/bin/python benchmarks/two_machines.py bits     # a run on both has the weights of a run on one
    sudo .venv/bin/python benchmarks/two_machines.py cost     # what delays cost a step, predicted and measured

A network namespace has network devices, addresses and ports of its own, so processes of two namespaces can reach each
other by the cable only. The cable is this process: it reads the packets that one machine sends from a TUN device, holds
each for as long as a wire of that delay and rate would, and gives it to the other. (`tc netem` does that too, where the
kernel has it; the kernels of many virtual machines do not.) Each machine has one processor to itself, if there are two.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import heapq
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from resnet_scratch.compute.processes import INSTALL, alone, find_mpiexec, largest, processes, wait_for_all
from resnet_scratch.measure import bench
from resnet_scratch.measure.link import Link, communication_seconds, measure_link, messages_of_step
from resnet_scratch.models import configs
from resnet_scratch.table import format_table

NAMES, ADDRESSES = ("machine0", "machine1"), ("10.77.0.1", "10.77.0.2")
MTU = 65000  # bytes of a packet at most; large, because Python handles each
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # of linux/if_tun.h
ENVIRONMENT = {
    "MPIR_CVAR_CH4_NETMOD": "ofi",  # of MPICH: by libfabric,
    "FI_PROVIDER": "tcp",  # and that by TCP: left alone, both find out that this is one machine
    "FI_TCP_MAX_INJECT": "65536",  # longer messages wait until the other side asks for them, which is a second delay
    "RESNET_SCRATCH_THREADS": "1",
}


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


@contextmanager
def two_machines(delay: float, rate: float) -> Iterator[list[str]]:
    """Two namespaces and the cable; yields the command that starts a program in both: mpiexec and its arguments.

    delay: seconds that a packet travels, one way. rate: bytes per second, in each direction.
    """
    ends = []
    try:
        for name, address, other in zip(NAMES, ADDRESSES, reversed(ADDRESSES)):
            ip("netns", "add", name)
            ends.append(os.open("/dev/net/tun", os.O_RDWR))
            fcntl.ioctl(ends[-1], TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
            ip("link", "set", name, "netns", name)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "address", "add", address, "peer", other, "dev", name)
            ip("-n", name, "link", "set", name, "up", "mtu", str(MTU))
        cable = os.fork()
        if cable == 0:
            carry(ends, delay, rate)
        with tempfile.TemporaryDirectory() as folder:
            try:
                yield mpiexec_of_both(Path(folder, "launcher"))
            finally:
                os.kill(cable, signal.SIGKILL)
                os.waitpid(cable, 0)
    finally:
        for end in ends:
            os.close(end)
        for name in NAMES:
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)


def carry(ends: list[int], delay: float, rate: float) -> None:
    """Be the cable until killed. A packet leaves when the one before it has left, and arrives a delay later."""
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))  # a wire waits for no processor
    free = {end: 0.0 for end in ends}
    underway: list[tuple[float, int, int, bytes]] = []  # (when it arrives, its number, where, what)
    numbers = count()
    while True:
        patience = max(0.0, underway[0][0] - time.monotonic()) if underway else None
        for end in select.select(ends, [], [], patience)[0]:
            packet = os.read(end, MTU)
            free[end] = max(free[end], time.monotonic()) + len(packet) / rate
            other = ends[1 - ends.index(end)]
            heapq.heappush(underway, (free[end] + delay, next(numbers), other, packet))
        while underway and underway[0][0] <= time.monotonic():
            *_, other, packet = heapq.heappop(underway)
            with suppress(OSError):  # a wire loses what it cannot deliver; TCP sends it again
                os.write(other, packet)


def mpiexec_of_both(launcher: Path) -> list[str]:
    """The command, up to the program. mpiexec runs on the first machine, and reaches the second as if by ssh."""
    mpiexec = find_mpiexec()
    assert mpiexec, f"mpiexec is not installed: {INSTALL}"
    first, last = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
    launcher.write_text(
        "#!/bin/sh\n"  # called as ssh would be: [-x] host command ...
        'while [ "${1#-}" != "$1" ]; do shift; done; shift\n'
        f'exec ip netns exec {NAMES[1]} taskset -c {last} sh -c "$*"\n'
    )
    launcher.chmod(0o755)
    return [
        *["ip", "netns", "exec", NAMES[0], "taskset", "-c", str(first), mpiexec],
        *[
            "-launcher",
            "ssh",
            "-launcher-exec",
            str(launcher),
            "-localhost",
            ADDRESSES[0],
            "-hosts",
            ",".join(ADDRESSES),
        ],
    ]


def output(command: list[str]) -> str:
    """What a program prints. Ends with its errors where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env={**os.environ, **ENVIRONMENT})
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nends with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def bits(epochs: int) -> int:
    """Train on both machines and on one, without MPI, and compare the weights."""
    with tempfile.TemporaryDirectory() as temporary, two_machines(delay=2e-4, rate=125e6) as both:
        train = [sys.executable, "-m", "resnet_scratch", "train", "--epochs", str(epochs), "--run-dir"]
        hashes = {}
        for name, command in (("one machine", []), ("two machines", both)):
            folder = Path(temporary, name)
            start = time.monotonic()
            output([*command, *train, str(folder)])
            hashes[name] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
            print(f"{name}: sha256 of the weights {hashes[name]}, {time.monotonic() - start:.0f} s")
        print(f"{bytes_sent(NAMES[0]) / 1e6:.0f} MB were sent from the first machine to the second")
    return 0 if len(set(hashes.values())) == 1 else 1


def bytes_sent(name: str) -> int:
    """Through the cable, by one machine."""
    path = f"/sys/class/net/{name}/statistics/tx_bytes"
    return int(subprocess.run(["ip", "netns", "exec", name, "cat", path], capture_output=True, check=True).stdout)


def cost(delays: list[float], rate: float, model: str, batch_size: int, repeats: int) -> int:
    """What a step takes at each delay, and what the model predicts from the link and from what a process computes."""
    lines = []
    for delay in delays:
        with two_machines(delay, rate) as both:
            step = [sys.executable, __file__, "step", "--model", model]
            step += ["--batch-size", str(batch_size), "--repeats", str(repeats)]
            alone, latency, bandwidth, measured = map(float, output([*both, *step]).split())
        link = Link(latency, bandwidth)
        workload = bench.Workload(model, batch_size, configs.find(model).image_size)
        messages = messages_of_step(workload.network(), workload.image_size)
        predicted = alone + communication_seconds(messages, 2, link)
        row = (delay, latency, alone, predicted, measured)
        lines.append((*(1e3 * seconds for seconds in row), bandwidth / 1e6, measured / predicted - 1))
    print(f"{model}, {len(messages)} messages a step, {batch_size} images on two machines, {8 * rate / 1e6:.0f} Mbit/s")
    columns = {"delay ms": ".2f", "alpha ms": ".2f", "alone ms": ".0f", "predicted ms": ".0f", "measured ms": ".0f"}
    print(format_table({**columns, "MB/s": ".0f", "error": "+.0%"}, lines))
    return 0


def step(model: str, batch_size: int, repeats: int) -> None:
    """In both machines: the first prints seconds of a step alone, latency, bandwidth, seconds of a step of both."""
    workload = bench.Workload(model, batch_size // 2, configs.find(model).image_size)
    with processes():
        job = bench.numpy_jobs(workload)["training step"]

        def job_alone() -> None:
            with alone():
                job()

        link = measure_link(repeats)
        seconds = bench.race({"wait": wait_for_all, "alone": job_alone, "again": wait_for_all, "both": job}, repeats)
        (slower,) = largest(int(1e6 * min(seconds["alone"])))  # microseconds; the other waits for the slower one
        print(slower / 1e6, link.latency, link.bandwidth, min(seconds["both"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("bits", "cost", "step"), help="step is what cost runs on each machine")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--delays", type=float, nargs="+", default=[0, 0.25, 0.5, 1, 2, 5], help="ms, one way")
    parser.add_argument("--rate", type=float, default=1000, help="Mbit/s")
    parser.add_argument("--model", default="resnet20")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    if options.what == "step":
        step(options.model, options.batch_size, options.repeats)
        return 0
    if sys.platform != "linux" or os.geteuid() != 0 or not all(map(shutil.which, ("ip", "taskset"))):
        sys.exit("network namespaces need Linux, root, and the commands ip (iproute2) and taskset (util-linux)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started ends, too
    if options.what == "bits":
        return bits(options.epochs)
    delays, rate = [delay / 1e3 for delay in options.delays], options.rate * 1e6 / 8
    return cost(delays, rate, options.model, options.batch_size, options.repeats)


if __name__ == "__main__":
    sys.exit(main())
