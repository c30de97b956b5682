"""Two machines in one: two network namespaces, joined by a cable as slow as you like. Needs Linux, root and `ip`.

    sudo .venv/bin/python benchmarks/two_machines.py bits     # a run on both has the weights of a run on one
    sudo .venv/bin/python benchmarks/two_machines.py cost     # what delays cost a step, predicted and measured

A network namespace has network devices, addresses and ports of its own, so processes of two namespaces can reach each
other by the cable only. The cable is this process: it reads the packets that one machine sends from a TUN device, holds
each for as long as a wire of that delay and rate would, and gives it to the other. (`tc netem` does that too, where the
kernel has it; many kernels of virtual machines have not.) Each machine has one processor to itself, if there are two.
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
from statistics import median

from resnet_scratch.compute.processes import INSTALL, find_mpiexec, is_first_process, processes, wait_for_all
from resnet_scratch.compute.threads import set_num_threads
from resnet_scratch.measure import bench, network
from resnet_scratch.table import format_table

NAMES, ADDRESSES = ("machine0", "machine1"), ("10.77.0.1", "10.77.0.2")
MTU = 65000  # bytes of a packet at most; large, because Python handles each
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # of linux/if_tun.h
TCP = {"MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp", "RESNET_SCRATCH_THREADS": "1", "OMP_NUM_THREADS": "1"}


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
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, env={**os.environ, **TCP})
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\nends with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
