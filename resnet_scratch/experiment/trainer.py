"""One sitting of a run: from where it stands until it is finished, or until Ctrl-C.

Here is everything that hangs on the training loop from outside: the progress bar, the line and the log row of each
epoch, evaluation, checkpoints, and the pictures at the end.
"""

from __future__ import annotations

import math
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
from .evaluation import Evaluation, evaluate
from .run import LOG_FILE, STATE_FILE, WEIGHTS_FILE, Run, RunError, save

REFRESH_SECONDS = 0.5  # of the progress bar; each time, the loss is read from the device, which makes a GPU wait


def go_on(run: Run, echo: Callable[[str], None] = print) -> Evaluation | None:
    """Train to the end; then the last evaluation is returned. None when Ctrl-C came first: the run is saved either way.

    Raises RunError when the loss is no longer a number.
    """
    recipe = run.settings.recipe
    learning_rates = recipe.learning_rates(run.total_steps)
    batches = data.training_batches(run.dataset, recipe.batch_size, run.settings.seed, run.step, recipe.augment)
    steps = train(run.model, run.optimizer, batches, learning_rates, run.total_steps, run.step, recipe.label_smoothing)
    evaluation = None
    with closing(batches), _ctrl_c() as interrupted, _progress_bar(run) as bar:
        last = shown = time.perf_counter()
        for step in steps:
            run.step = step.number
            run.sums[0] += 1
            run.sums[1] += step.loss
            run.sums[2] += step.correct
            last = _count_time(run, last, training=True)
            bar.update(recipe.batch_size)
            if not bar.disable and last - shown > REFRESH_SECONDS:
                bar.set_postfix_str("loss {:.3f}, accuracy {:.1%}".format(*_means(run)))
                shown = last
            epoch_over = run.step % run.steps_per_epoch == 0 or run.finished
            if epoch_over:
                bar.clear()
                evaluation = _end_epoch(run, step.learning_rate)
                last = _count_time(run, last, training=False)
                run.history[-1]["seconds"] = run.seconds
                echo(_epoch_line(run))
                _begin_epoch(run, bar)
            if epoch_over or interrupted.is_set():
                save(run)
            if interrupted.is_set():
                break
    if not run.finished:
        return None
    return evaluation or evaluate_run(run)


def evaluate_run(run: Run) -> Evaluation:
    """How the network does now on the images that it does not train on."""
    dataset = run.dataset
    return evaluate(run.model, dataset.test_images, dataset.test_labels, dataset.mean, dataset.std)


def _means(run: Run) -> tuple[float, float]:
    """Mean loss and accuracy of the epoch so far, over the batches as they were when trained on."""
    steps, loss, correct = to_numpy(run.sums).tolist()
    if not math.isfinite(loss):
        raise RunError(f"the loss is no longer a number after step {run.step}: a lower --learning-rate may help")
    return loss / steps, correct / (steps * run.settings.recipe.batch_size)


def _end_epoch(run: Run, learning_rate: float) -> Evaluation:
    """Evaluate, and add a row to the history; its time is filled in by the caller."""
    train_loss, train_accuracy = _means(run)
    images = float(to_numpy(run.sums)[0]) * run.settings.recipe.batch_size
    evaluation = evaluate_run(run)
    run.history.append(
        {
            "epoch": len(run.history) + 1,
            "step": run.step,
            "learning_rate": learning_rate,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "test_loss": evaluation.loss,
            "test_accuracy": evaluation.accuracy,
            "images_per_second": images / run.epoch_seconds,
        }
    )
    run.sums[:] = 0
    run.epoch_seconds = 0.0
    return evaluation


def _count_time(run: Run, last: float, training: bool) -> float:
    """Add the time since `last` to the run's clocks; returns now."""
    now = time.perf_counter()
    run.seconds += now - last
    run.epoch_seconds += now - last if training else 0.0
    return now


def _epoch_line(run: Run) -> str:
    row, epochs = run.history[-1], math.ceil(run.total_steps / run.steps_per_epoch)
    left = run.seconds / run.step * (run.total_steps - run.step)
    return (
        f"epoch {row['epoch']:{len(str(epochs))}}/{epochs}: train loss {row['train_loss']:.3f}, "
        f"accuracy {row['train_accuracy']:6.1%}; {measured_on(run)} loss {row['test_loss']:.3f}, "
        f"accuracy {row['test_accuracy']:6.1%}; {row['images_per_second']:.0f} images/s"
        + (f"; {duration(left)} left" if not run.finished else "")
    )


def measured_on(run: Run) -> str:
    """What the images are called that the run is measured on."""
    return "validation" if run.settings.validation else "test"


def duration(seconds: float) -> str:
    """`75` as "1 min 15 s"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _progress_bar(run: Run):
    from tqdm import tqdm

    images = run.steps_per_epoch * run.settings.recipe.batch_size
    # disable=None: none unless the standard error is a terminal, where a bar would fill a log file
    bar = tqdm(total=images, unit=" images", unit_scale=True, leave=False, disable=None, dynamic_ncols=True)
    _begin_epoch(run, bar)
    return bar


def _begin_epoch(run: Run, bar) -> None:
    if bar.disable or run.finished:
        return
    done = run.step % run.steps_per_epoch
    epochs = math.ceil(run.total_steps / run.steps_per_epoch)
    bar.set_description_str(f"epoch {len(run.history) + 1}/{epochs}", refresh=False)
    bar.set_postfix_str("", refresh=False)
    bar.reset()
    bar.initial = bar.n = done * run.settings.recipe.batch_size


@contextmanager
def _ctrl_c() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets, so that the step can be finished; a second one stops at once, as usual."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed  # only the main thread can be told
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


def draw(run: Run, evaluation: Evaluation) -> list[Path]:
    """Draw the run's pictures into its folder; returns all files that the run has written."""
    dataset, name = run.dataset, measured_on(run)
    figures = {
        "curves.png": plots.curves(run.history, measured_on=name),
        "confusion.png": plots.confusion(evaluation.labels, evaluation.predictions, dataset.classes),
        "predictions.png": plots.predictions(
            to_numpy(dataset.test_images), evaluation.labels, evaluation.probabilities, dataset.classes
        ),
    }
    for file, figure in figures.items():
        figure.savefig(run.folder / file)
    return [run.folder / file for file in (LOG_FILE, *figures, WEIGHTS_FILE, STATE_FILE)]
