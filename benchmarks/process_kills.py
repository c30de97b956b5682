"""Does anything hang? One process of several that share a run is killed at random moments, and the run goes on.

    python benchmarks/process_kills.py --kills 30

Each time the run is started, or resumed, in 2 or 4 processes, and one of them is sent SIGKILL. All must end within ten
seconds. A run that finishes is compared, bit for bit, with that of one process without MPI, and the next one begins.
The runs save every few steps, so that some kills hit a write.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from interruptions import go_on, same_files

from resnet_scratch.compute.processes import INSTALL, find_mpiexec, processes

LONGEST_WAIT = 2.5  # seconds from the first step to the kill
LONGEST_END = 10.0  # seconds from the kill to the end of all


def train(folder: Path) -> None:
    """In each of the processes: start or resume the run in `folder`."""
    with processes():
        go_on(folder, train_images=96, batch_size=32, epochs=60, save_seconds=0.05)


def start(folder: Path, number: int) -> subprocess.Popen:
    """The run in `number` processes; a single one runs without MPI."""
    mpiexec = find_mpiexec()
    assert mpiexec, f"mpiexec is not installed: {INSTALL}"
    prefix = [mpiexec, "-n", str(number)] if number > 1 else []
    command = [*prefix, sys.executable, __file__, "--train", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_one(folder: Path, number: int, rng: random.Random) -> tuple[int, float, str]:
    """Let the run go on, and kill one of its processes. Returns (exit status, seconds until all had ended, output)."""
    import psutil

    job = start(folder, number)
    assert job.stdout is not None
    begins = job.stdout.readline()
    time.sleep(rng.uniform(0, LONGEST_WAIT))
    everyone = psutil.Process(job.pid).children(recursive=True) if job.poll() is None else []
    sharing = [process for process in everyone if "--train" in process.cmdline() and "-n" not in process.cmdline()]
    then = time.monotonic()
    if sharing:
        os.kill(rng.choice(sharing).pid, signal.SIGKILL)
    output, errors = job.communicate(timeout=60)
    gone, left = psutil.wait_procs(everyone, timeout=LONGEST_END)
    assert not left, f"still there: {left}"
    return job.returncode, time.monotonic() - then, begins + output + errors


def main(kills: int, seed: int) -> int:
    rng, times, runs, late = random.Random(seed), [], 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        whole, folder = Path(temporary, "whole"), Path(temporary, "run 0")
        assert start(whole, 1).wait() == 0, "the run that nobody interrupts does not finish"
        while len(times) < kills:
            status, seconds, output = kill_one(folder, rng.choice((2, 4)), rng)
            if status == 0:
                late += 1  # it had finished before
            elif seconds > LONGEST_END or "signal 9" not in output:
                print(f"status {status} after {seconds:.1f} s\n{output}")
                return 1
            else:
                times.append(seconds)
            if status == 0 or len(times) == kills:
                if start(folder, 1).wait() != 0 or not same_files(folder, whole):
                    print(f"{folder.name}: after {len(times)} kills in all, not the run of one process")
                    return 1
                runs, folder = runs + 1, Path(temporary, f"run {runs + 1}")
    print(f"all processes had ended at most {max(times):.1f} s after a kill; {late} kills came too late")
    print(f"{kills} kills of one process of 2 or 4; {runs} runs finished, equal bit for bit")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.exit(train(options.train) if options.train else main(options.kills, options.seed))
