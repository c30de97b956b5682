"""Trains a run to the end, or until a signal: the training loop, with evaluation, log, checkpoints and figures."""

from __future__ import annotations

import io
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np

from .. import data
from ..compute.backend import to_numpy, wait_for
from ..compute.processes import check_same, is_first_process, largest
from ..train import train
from . import plots
from .console import ProgressBar, epoch_line, heading
from .evaluation import Evaluation, evaluate
from .files import atomic_write
from .log import LOG_FILE
from .run import STATE_FILE, Run
from .storage import save
from .sums import EpochSums
from .weights import BEST_FILE, WEIGHTS_FILE

SAVE_SECONDS = 300  # within a long epoch the run is saved this often
STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def finish(run: Run, echo: Callable[[str], None] = print) -> Evaluation | signal.Signals:
    """Train to the end of the run; returns the last evaluation, or the signal (Ctrl-C is SIGINT) that stopped it
    before. Saves it either way, and after every epoch, and every few minutes.

    `echo` prints a heading, then a line per epoch. Raises RunError when a number is no longer finite; the state that
    was saved last is then kept.
    """
    check_same(run.identity)
    recipe = run.settings.recipe
    sizes = recipe.sizes_at(run.total_steps)
    batches = data.training_batches(
        run.dataset, recipe.batch_size, run.settings.seed, run.step, recipe.augment, sizes, recipe.crop_padding
    )
    learning_rates = recipe.learning_rates(run.total_steps)
    steps = train(run.model, run.optimizer, batches, learning_rates, run.total_steps, run.step, recipe.label_smoothing)
    evaluation = None
    quiet = np.errstate(over="ignore", invalid="ignore")  # of a run that diverges: `check_finite` says so, once
    with quiet, run.lock, closing(batches), _signals() as received, closing(ProgressBar(run)) as bar:
        if not run.finished:
            echo(heading(run))
            bar.begin_epoch(run)
        then = saved = time.perf_counter()
        for step in steps:
            run.step = step.number
            run.sums.add(step)
            epoch_over = run.step % run.steps_per_epoch == 0 or run.finished
            if epoch_over:
                wait_for(run.device)  # a GPU runs asynchronously: what it still has to do is training time
            then = _count_time(run, then, training=True)
            bar.advance(run)
            if epoch_over:
                bar.clear()
                check_same(run.identity)  # weights differ where a layer's sum is not a `Sum` over the whole batch
                run.check_finite()
                means = run.training_means()
                evaluation = _evaluate(run)
                then = _count_time(run, then, training=False)
                _end_epoch(run, step.learning_rate, means, evaluation)
            stop, look, due = largest(max(received, default=0), bar.is_due(), then - saved >= SAVE_SECONDS)
            if look and not epoch_over:
                bar.show_means(run)
            if epoch_over or stop or due:
                save(run)
                if stop:
                    return signal.Signals(stop)
                if epoch_over:  # printed after saving: printing raises if the lines have no reader any more
                    echo(epoch_line(run))
                    bar.begin_epoch(run)
                saved = then = _count_time(run, then, training=False)
    return evaluation or _evaluate(run)


def _end_epoch(run: Run, learning_rate: float, training_means: tuple[float, float], evaluation: Evaluation) -> None:
    """Add the epoch's row to the history; the sums begin at zero again."""
    train_loss, train_accuracy = training_means
    images = run.sums.steps * run.settings.recipe.batch_size
    row = {
        "epoch": len(run.history) + 1,
        "step": run.step,
        "learning_rate": learning_rate,
        "train_loss": train_loss,
        "train_accuracy": train_accuracy,
        "test_loss": evaluation.loss,
        "test_accuracy": evaluation.accuracy,
        "seconds": run.seconds,
        "images_per_second": images / run.epoch_seconds,
    }
    run.history.append(row)
    run.sums, run.epoch_seconds = EpochSums.zeros(run.device), 0.0


def _evaluate(run: Run) -> Evaluation:
    """Evaluate the run's model on the images that it does not train on, as large as those that it was last trained on.
    Raises RunError when the loss is not finite."""
    dataset, recipe = run.dataset, run.settings.recipe
    evaluation = evaluate(
        run.model,
        dataset.test_images,
        dataset.test_labels,
        dataset.mean,
        dataset.std,
        run.image_size,
        recipe.flip_in_evaluation and dataset.mirror,
    )
    if not math.isfinite(evaluation.loss):
        raise run.diverged(f"after step {run.step} the {run.evaluated_on} loss is {evaluation.loss}", run.step)
    return evaluation


def _count_time(run: Run, then: float, training: bool) -> float:
    """Add the time since `then` to the run's clocks; returns the time now."""
    now = time.perf_counter()
    run.seconds += now - then
    run.epoch_seconds += now - then if training else 0.0
    return now


@contextmanager
def _signals() -> Iterator[list[signal.Signals]]:
    """A list to which a signal that asks the run to stop is added, so that the step can be finished; a second Ctrl-C
    stops at once, as usual. What was ignored stays so: a closed terminal under nohup, Ctrl-C in the background.

    Only Ctrl-C has a second meaning: a terminal that closes, and `timeout`, may send their signal twice.
    """
    received: list[signal.Signals] = []

    def handler(number: int, frame: object) -> None:
        received.append(signal.Signals(number))
        name, more = received[-1].name, ""
        if number == signal.SIGINT:
            signal.signal(number, before[number])
            name, more = "Ctrl-C", " (once more to stop at once)"
        with suppress(OSError):  # the terminal is closed
            if is_first_process():
                os.write(2, f"\n{name}: finishing this step and saving{more} ...\n".encode())

    in_main_thread = threading.current_thread() is threading.main_thread()  # no other receives signals
    before = {number: signal.getsignal(number) for number in STOPPING if in_main_thread}
    before = {number: action for number, action in before.items() if action not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, handler)
        yield received
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def write_figures(run: Run, evaluation: Evaluation) -> list[Path]:
    """Draw the run's figures into its folder; returns the paths of its results there: all files but config.json."""
    dataset = run.dataset
    figures = {
        "curves.png": plots.curves(run.history, run.evaluated_on),
        "confusion.png": plots.confusion(evaluation.labels, evaluation.predictions, dataset.classes),
        "predictions.png": plots.predictions(
            to_numpy(dataset.test_images), evaluation.labels, evaluation.probabilities, dataset.classes
        ),
    }
    for file, figure in figures.items():
        content = io.BytesIO()
        figure.savefig(content, format="png")
        atomic_write(run.folder / file, content.getvalue())
    return [run.folder / file for file in (LOG_FILE, *figures, WEIGHTS_FILE, BEST_FILE, STATE_FILE)]
