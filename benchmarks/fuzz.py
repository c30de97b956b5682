"""Damaged and hostile files for each reader: only errors that the user is meant to see may come out.

    python benchmarks/fuzz.py --seconds 60             all readers, a minute in total, as CI does
    python benchmarks/fuzz.py --cases 20000 weights    this many files for one reader
    python benchmarks/fuzz.py --seed 7 --cases 1       the files are a function of the seed and the case's number

Each case is a small valid file with one to eight mutations: bits flipped, bytes set, cut, doubled, removed, moved, or
replaced by a piece of another valid file. What a checksum covers (an archive's members, a PNG's chunks) is also mutated
before the checksum is computed, so that the code after the check is reached. A worker process per reader has a limit on
memory; a case has a limit on time. If a case fails, the exit status is 1, and the output says where its file is.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from fuzz_cases import READERS, archives, cifar10

from resnet_scratch.errors import UserError

MEMORY = 3 * 2**30  # bytes of address space, of which Python with NumPy's threads takes one
SECONDS = 10  # for one file


class TooSlow(BaseException):
    """Not an Exception, which a reader may take for a damaged file."""


def _stop(*_: object) -> None:
    raise TooSlow(f"more than {SECONDS} seconds")


def fuzz(name: str, seed: int, cases: int, seconds: float, kept: Path, answers) -> None:
    """In a process of its own: `cases` cases, or as many as the time allows."""
    cifar10.CIFAR10 = archives.CIFAR10
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGALRM, _stop)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff reports there what it stumbles over
    folder = kept / name
    folder.mkdir()
    make, read = READERS[name](folder)
    end, refused, failed, tried = time.monotonic() + seconds, 0, 0, 0
    while tried < cases and time.monotonic() < end:
        content = make(random.Random(f"{seed} {name} {tried}"))
        (kept / f"{name}-last").write_bytes(content)  # stays if the process dies
        signal.alarm(SECONDS)
        try:
            read(content)
        except UserError:
            refused += 1
        except BaseException:
            failed += 1
            (kept / f"{name}-{tried}").write_bytes(content)
            print(f"{name}, case {tried}: {traceback.format_exc(limit=-4)}", flush=True)
        finally:
            signal.alarm(0)
        tried += 1
    (kept / f"{name}-last").unlink(missing_ok=True)
    answers.put((tried, refused, failed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", default=list(READERS), metavar="reader", help=", ".join(READERS))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="for all readers together")
    parser.add_argument(
        "--cases", type=int, default=None, help="for each reader  [default: 20000, or what --seconds allow]"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cases = options.cases or (20_000 if options.seconds == float("inf") else sys.maxsize)
    kept, bad = Path(tempfile.mkdtemp(prefix="fuzz-")), 0
    for name in options.readers:
        answers = multiprocessing.get_context("spawn").SimpleQueue()
        arguments = (name, options.seed, cases, options.seconds / len(options.readers), kept, answers)
        process = multiprocessing.get_context("spawn").Process(target=fuzz, args=arguments)
        process.start()
        process.join()
        if process.exitcode or answers.empty():
            print(f"{name}: the process died with {process.exitcode}; see {kept / f'{name}-last'}")
            bad += 1
            continue
        tried, refused, failed = answers.get()
        print(f"{name:<10} {tried:8,} files: {refused:,} refused, {tried - refused - failed:,} read, {failed:,} FAILED")
        bad += failed
    if bad:
        print(f"the files that failed are in {kept}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
