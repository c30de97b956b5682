"""What a run prints while it trains: a line per epoch, a progress bar, durations."""

from __future__ import annotations

import time

from .run import Run

REFRESH_SECONDS = 0.5  # between two looks at the loss: each reads it from the device, which makes a GPU wait


def epoch_line(run: Run) -> str:
    """The last row of the log as a sentence, and how long the rest of the run will take."""
    row, epochs = run.history[-1], run.epochs
    seconds_left = run.seconds / run.step * (run.total_steps - run.step)
    return (
        f"epoch {row['epoch']:{len(str(epochs))}}/{epochs}: train loss {row['train_loss']:.3f}, "
        f"accuracy {row['train_accuracy']:6.1%}; {run.evaluated_on} loss {row['test_loss']:.3f}, "
        f"accuracy {row['test_accuracy']:6.1%}; {row['images_per_second']:.0f} images/s"
        + (f"; {duration(seconds_left)} left" if not run.finished else "")
    )


def duration(seconds: float) -> str:
    """`75` as "1 min 15 s"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


class ProgressBar:
    """The images of the current epoch as a bar on the standard error. It shows nothing unless that is a terminal: in a
    log file it would be noise."""

    def __init__(self, run: Run) -> None:
        from tqdm import tqdm

        images = run.steps_per_epoch * run.settings.recipe.batch_size
        # disable=None: disabled unless the standard error is a terminal
        self._bar = tqdm(total=images, unit=" images", unit_scale=True, leave=False, disable=None, dynamic_ncols=True)
        self._refreshed = time.perf_counter()
        self.begin_epoch(run)

    def begin_epoch(self, run: Run) -> None:
        """Begin at the run's position in its epoch, which is not 0 in a run that was resumed."""
        if self._bar.disable or run.finished:
            return
        self._bar.set_description_str(f"epoch {len(run.history) + 1}/{run.epochs}", refresh=False)
        self._bar.set_postfix_str("", refresh=False)
        self._bar.reset()
        self._bar.initial = self._bar.n = run.step % run.steps_per_epoch * run.settings.recipe.batch_size

    def advance(self, run: Run) -> None:
        """Move on by one batch; now and then, show the epoch's mean loss and accuracy so far.

        Raises RunError when the loss is no longer finite, also where nothing is shown.
        """
        self._bar.update(run.settings.recipe.batch_size)
        now = time.perf_counter()
        if now - self._refreshed > REFRESH_SECONDS:
            self._bar.set_postfix_str("loss {:.3f}, accuracy {:.1%}".format(*run.training_means()))
            self._refreshed = now

    def clear(self) -> None:
        """Remove the bar from the screen, before a line is printed."""
        self._bar.clear()

    def close(self) -> None:
        self._bar.close()
