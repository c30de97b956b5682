"""What tests of the command line share: a short training, and what a user's mistake looks like."""

from __future__ import annotations

TRAIN = ("train", "--epochs", 3, "--batch-size", 8, "--lr", 0.05, "--device", "cpu", "--run-dir", "run")


def is_one_message(result, *parts: str) -> bool:
    """Whether the command printed one error with these parts, however it is broken into lines, and nothing else."""
    message = " ".join(result.output.split())
    return (
        result.exit_code == 2
        and message.startswith("Error: ")
        and message.count("Error: ") == 1
        and "Traceback" not in message
        and all(part in message for part in parts)
    )
