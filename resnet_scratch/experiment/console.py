"""What a run prints while it trains: a line per epoch, a progress bar, durations."""

from __future__ import annotations

import os
import sys
import time

from ..compute.processes import is_first_process
from .run import Run

COLUMNS_VARIABLE = "RESNET_SCRATCH_COLUMNS"  # the width of the terminal at the other end of standard output, a pipe
REFRESH_SECONDS = 0.5  # between two looks at the loss: each reads it from the device, which makes a GPU wait


def heading(run: Run) -> str:
    """The headings of the columns of `epoch_line`. Both lines are at most 80 characters wide."""
    evaluated_on = "val" if run.settings.validation else "test"
    return _line(run, ["epoch", "train loss", "accuracy", f"{evaluated_on} loss", "accuracy", "images/s", "left"])


def epoch_line(run: Run) -> str:
    """The last row of the log under its `heading`, and how long the rest of the run will take."""
    row = run.history[-1]
    seconds_left = run.seconds / run.step * (run.total_steps - run.step)
    return _line(run, [
        f"{row['epoch']}/{run.epochs}",
        _loss(row["train_loss"]),
        f"{row['train_accuracy']:.1%}",
        _loss(row["test_loss"]),
        f"{row['test_accuracy']:.1%}",
        f"{row['images_per_second']:.0f}",
        duration(seconds_left) if not run.finished else "",
    ])  # fmt: skip


def _loss(value: float) -> str:
    """At most nine characters, even where a run diverges."""
    return f"{value:.3f}" if value < 1e5 else f"{value:.2e}"


def _line(run: Run, cells: list[str]) -> str:
    widths = (max(5, 1 + 2 * len(str(run.epochs))), 10, 8, 9, 8, 8, 11)
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def duration(seconds: float) -> str:
    """`75` as "1 min 15 s"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


class ProgressBar:
    """The images of the current epoch as a bar in the terminal. In a log file it would be noise, so none is shown."""

    def __init__(self, run: Run) -> None:
        from tqdm import tqdm

        images = run.steps_per_epoch * run.settings.recipe.batch_size
        columns = int(width) if (width := os.environ.get(COLUMNS_VARIABLE, "")).isdecimal() else 0
        self._bar = tqdm(
            total=images,
            file=sys.stdout if columns else sys.stderr,  # two pipes would lose the order of bar and lines
            unit=" images",
            unit_scale=True,
            leave=False,
            delay=1e-9,  # shows nothing before an epoch begins
            disable=not is_first_process() or not (columns or sys.stderr.isatty()),
            ncols=columns - 1 if columns else None,  # the last column stays free, as tqdm has it
            dynamic_ncols=not columns,  # the terminal's width, also after it has changed
            bar_format="{desc} |{bar}| {remaining} left, {rate_fmt}{postfix}",  # leaves room for a bar in 80 columns
        )
        self._refreshed = time.perf_counter()

    def begin_epoch(self, run: Run) -> None:
        """Begin at the run's position in its epoch, which is not 0 in a run that was resumed."""
        if self._bar.disable or run.finished:
            return
        self._bar.set_description_str(f"epoch {len(run.history) + 1}/{run.epochs}", refresh=False)
        self._bar.set_postfix_str("", refresh=False)
        self._bar.reset()
        begin = run.step % run.steps_per_epoch * run.settings.recipe.batch_size
        self._bar.initial = self._bar.n = self._bar.last_print_n = begin  # or the rate would count what came before

    def advance(self, run: Run) -> None:
        """Move on by one batch."""
        self._bar.update(run.settings.recipe.batch_size)

    def is_due(self) -> bool:
        """Whether it is time to show the means again."""
        return time.perf_counter() - self._refreshed > REFRESH_SECONDS

    def show_means(self, run: Run) -> None:
        """Show the epoch's mean loss and accuracy so far. Raises RunError when the loss is no longer finite, even where
        nothing is shown."""
        self._bar.set_postfix_str("loss {:.3f}, accuracy {:.1%}".format(*run.training_means()))
        self._refreshed = time.perf_counter()

    def clear(self) -> None:
        """Remove the bar from the screen, before a line is printed."""
        self._bar.clear()

    def close(self) -> None:
        """Remove the bar from the screen."""
        self._bar.close()
