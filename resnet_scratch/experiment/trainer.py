"""Brings a run to its end, or to Ctrl-C: the training loop, and around it evaluation, log, checkpoints and figures."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Callable, Iterator

from .. import data
from ..compute.backend import to_numpy
from ..train import train
from . import plots
from .console import ProgressBar, epoch_line
from .evaluation import Evaluation, evaluate
from .log import LOG_FILE
from .run import STATE_FILE, Run, save
from .sums import EpochSums
from .weights import WEIGHTS_FILE


def finish(run: Run, echo: Callable[[str], None] = print) -> Evaluation | None:
    """Train to the end of the run; returns the last evaluation, or None when Ctrl-C came first. Saves it either way.

    `echo` prints a line per epoch. Raises RunError when the loss is no longer a number.
    """
    recipe = run.settings.recipe
    batches = data.training_batches(run.dataset, recipe.batch_size, run.settings.seed, run.step, recipe.augment)
    learning_rates = recipe.learning_rates(run.total_steps)
    steps = train(run.model, run.optimizer, batches, learning_rates, run.total_steps, run.step, recipe.label_smoothing)
    evaluation = None
    with closing(batches), _ctrl_c() as interrupted, closing(ProgressBar(run)) as bar:
        then = time.perf_counter()
        for step in steps:
            run.step = step.number
            run.sums.add(step)
            then = _count_time(run, then, training=True)
            bar.advance(run)
            epoch_over = run.step % run.steps_per_epoch == 0 or run.finished
            if epoch_over:
                bar.clear()
                means = run.training_means()
                evaluation = _evaluate(run)
                then = _count_time(run, then, training=False)
                _end_epoch(run, step.learning_rate, means, evaluation)
                echo(epoch_line(run))
                bar.begin_epoch(run)
            if epoch_over or interrupted.is_set():
                save(run)
            if interrupted.is_set():
                break
    if not run.finished:
        return None
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
    """Evaluate the run's model on the images that it does not train on."""
    dataset = run.dataset
    return evaluate(run.model, dataset.test_images, dataset.test_labels, dataset.mean, dataset.std)


def _count_time(run: Run, then: float, training: bool) -> float:
    """Add the time since `then` to the run's clocks; returns the time now."""
    now = time.perf_counter()
    run.seconds += now - then
    run.epoch_seconds += now - then if training else 0.0
    return now


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, so that the step can be finished; a second one stops at once, as usual."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed  # only the main thread receives signals
        return

    def handler(number: int, frame: object) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)
        os.write(2, b"\nCtrl-C: finishing this step and saving (once more to stop at once) ...\n")

    before = signal.signal(signal.SIGINT, handler)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def write_figures(run: Run, evaluation: Evaluation) -> list[Path]:
    """Draw the run's figures into its folder; returns the paths of all that the run has written there."""
    dataset = run.dataset
    figures = {
        "curves.png": plots.curves(run.history, run.evaluated_on),
        "confusion.png": plots.confusion(evaluation.labels, evaluation.predictions, dataset.classes),
        "predictions.png": plots.predictions(
            to_numpy(dataset.test_images), evaluation.labels, evaluation.probabilities, dataset.classes
        ),
    }
    for file, figure in figures.items():
        figure.savefig(run.folder / file)
    return [run.folder / file for file in (LOG_FILE, *figures, WEIGHTS_FILE, STATE_FILE)]
