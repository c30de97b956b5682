"""Is anything lost? A small run is stopped by signals at random moments, and resumed, until it is finished.

    python benchmarks/interruptions.py --kills 100

The signals come in turn: SIGKILL, SIGTERM, SIGHUP, SIGINT. A run that finishes is compared, bit for bit, with one that
was not interrupted, and the next one begins. Between epochs the runs save every few steps, so that many kills hit a
write.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
FILES = ("model.safetensors", "best.safetensors")
LONGEST_WAIT = 1.2  # seconds from the first step to the signal


def train(folder: Path) -> int:
    """In a process of its own: start or resume the run in `folder`; the exit status is the command line's."""
    result = go_on(folder, train_images=48, batch_size=8, epochs=24, save_seconds=0.01)
    return 128 + result if isinstance(result, signal.Signals) else 0


def go_on(folder: Path, train_images: int, batch_size: int, epochs: int, save_seconds: float) -> Any:
    """Start or resume a small run in `folder`, print "begins", and return what `trainer.finish` does."""
    import numpy as np

    from resnet_scratch import data
    from resnet_scratch.experiment import storage, trainer
    from resnet_scratch.experiment.recipe import Recipe
    from resnet_scratch.experiment.run import STATE_FILE, Settings

    trainer.SAVE_SECONDS = save_seconds
    rng, N = np.random.default_rng(0), train_images
    images, labels = rng.integers(0, 256, (N + 20, 8, 8, 3), np.uint8), rng.integers(0, 4, N + 20)
    dataset = data.Dataset("noise", tuple("abcd"), images[:N], labels[:N], images[N:], labels[N:], mirror=True)
    recipe = Recipe(
        "tiny", "resnet8", "shapes", "", batch_size=batch_size, epochs=epochs, schedule="cosine", learning_rate=0.02
    )
    if (folder / STATE_FILE).exists():
        run = storage.resume(folder, "cpu", dataset=dataset)
    else:
        run = storage.start(Settings(recipe), folder, "cpu", dataset)
    print("begins", flush=True)
    return trainer.finish(run, lambda line: None)


def child(folder: Path) -> subprocess.Popen:
    command = [sys.executable, __file__, "--train", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def interrupt(folder: Path, number: signal.Signals, wait: float) -> tuple[int, str]:
    """Let the run in `folder` go on, and send it the signal after `wait` seconds. Returns (exit status, errors)."""
    process = child(folder)
    process.stdout.readline()  # from here on a signal stops a run, not an interpreter that starts
    time.sleep(wait)
    process.send_signal(number)
    errors = process.communicate()[1]
    return process.returncode, errors


def same_files(folder: Path, other: Path) -> bool:
    return all((folder / name).read_bytes() == (other / name).read_bytes() for name in FILES)


def main(kills: int, seed: int) -> int:
    for number in SIGNALS[1:]:  # a shell in the background, or nohup, may have told us to ignore them
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    rng, seen, runs, remains = random.Random(seed), Counter(), 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        whole, folder = Path(temporary, "whole"), Path(temporary, "run 0")
        assert child(whole).wait() == 0, "the run that nobody interrupts does not finish"
        for kill in range(kills):
            number = SIGNALS[kill % len(SIGNALS)]
            status, errors = interrupt(folder, number, rng.uniform(0, LONGEST_WAIT))
            remains += len(list(folder.glob(".*.tmp")))
            expected = -number if number == signal.SIGKILL else 128 + number
            late = status in (0, -number)  # finished before; or the signal came when the handlers were off again
            if status != expected and not late:
                print(f"{number.name}: status {status}, expected {expected}\n{errors}")
                return 1
            seen[number.name, "stopped" if status == expected else f"status {status}"] += 1
            if status == 0 or kill == kills - 1:
                if child(folder).wait() != 0 or not same_files(folder, whole):
                    print(f"{folder.name}: after {kill + 1} interruptions in all, differs from the uninterrupted run")
                    return 1
                runs, folder = runs + 1, Path(temporary, f"run {runs + 1}")
    for (name, what), count in sorted(seen.items()):
        print(f"{name}: {count} {what}")
    print(f"{kills} interruptions, {remains} during the write of a file; {runs} runs finished, equal bit for bit")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.exit(train(options.train) if options.train else main(options.kills, options.seed))
