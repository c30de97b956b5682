"""A run in its folder: started, saved, resumed, and given another length.

A run that `resume` continues is bit for bit what it would be without the interruption.
"""

from __future__ import annotations

import dataclasses
import json
import math
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .. import data
from ..compute.processes import by_first_process
from .checkpoint import State, load_state, read_state, save_state, save_weights
from .files import FolderLock, atomic_write, remove_unfinished
from .log import write_log
from .new_folder import FILES, check_new, make_folder
from .recipe import Recipe
from .run import STATE_FILE, EarlierLength, Run, RunError, Settings, build_run
from .sums import EpochSums
from .weights import BEST_FILE, SETTINGS_FILE, WEIGHTS_FILE, About


def start(
    settings: Settings, folder: Path | None = None, device: str = "auto", dataset: data.Dataset | None = None
) -> Run:
    """A new run at step 0. The folder defaults to runs/<recipe>-<model>-<date>-<time>, or runs/<data>-... with
    other data than the recipe's.

    `dataset` replaces the one that the recipe names. Raises RunError when the folder holds a run already, or when the
    settings do not suit the data.
    """
    run = build_run(settings, FolderLock(Path()), device, dataset)
    run.lock = FolderLock(by_first_process(lambda: make_folder(settings.recipe, folder)))
    with ExitStack() as unless_all_is_well:
        unless_all_is_well.callback(run.lock.release)
        by_first_process(lambda: _begin_in(run))
        unless_all_is_well.pop_all()  # the run keeps the lock
    return run


def resume(
    folder: Path,
    device: str = "auto",
    data_dir: str | None = None,
    dataset: data.Dataset | None = None,
    data_name: str | None = None,
) -> Run:
    """The run in `folder`, as it was last saved. The other files are written anew from the state: a run that was killed
    may have left older ones. `data_name` is where a folder of images is now, if it has moved.

    Raises RunError when there is no run, when the data have changed or the state is impossible; FolderInUse; and
    CheckpointError for a damaged state.
    """
    lock = FolderLock(folder)
    with ExitStack() as unless_all_is_well:
        unless_all_is_well.callback(lock.release)
        state = by_first_process(lambda: _read_locked(lock))
        run = _restore(lock, state, device, data_dir, dataset, data_name)
        _write_settings(run)
        if data_dir is None and data_name is None:
            _write_results(run)
        else:
            save(run)  # where the data are now is in the state, too
        unless_all_is_well.pop_all()  # the run keeps the lock
    return run


def set_epochs(run: Run, epochs: int) -> None:
    """Give a run that was resumed another length, and save it. What it has done stays as it was; from the next step on,
    the learning rates are those of its schedule over all `epochs`.

    It is then not the run that would have been started with this length, except for a constant schedule. The settings
    record the change, in the state and in config.json. Raises RunError, and changes nothing, when the run has done
    more, or has ended within an epoch.
    """
    settings, done = run.settings, math.ceil(run.step / run.steps_per_epoch)
    if epochs < done:
        raise RunError(f"epochs must be at least {done}: the run in {run.folder} has begun that many; got {epochs}")
    total_steps = epochs * run.steps_per_epoch
    if total_steps == run.total_steps:
        return
    if run.finished and run.step % run.steps_per_epoch:
        raise RunError(
            f"the run in {run.folder} cannot be extended: it has ended with step {run.step}, within epoch {done}"
        )
    run.settings = dataclasses.replace(
        settings,
        recipe=dataclasses.replace(settings.recipe, epochs=epochs, steps=None),
        earlier_lengths=(*settings.earlier_lengths, EarlierLength(run.step, run.total_steps)),
    )
    save(run)
    _write_settings(run)


def save(run: Run) -> None:
    """Write the state (all that `resume` needs), and from it the weights alone (what others load) and the log.

    Each file is written atomically. Raises RunError, and writes nothing, when the run's numbers are no longer finite.
    """
    run.check_finite()
    about = {
        "settings": dataclasses.asdict(run.settings),
        "data_checksums": run.data_checksums,
        "step": run.step,
        "seconds": run.seconds,
        "epoch_seconds": run.epoch_seconds,
        "history": run.history,
    }
    save_state(run.folder / STATE_FILE, run.model, run.optimizer, run.sums.to_array(), about)
    _write_results(run)


def _write_settings(run: Run) -> None:
    """Write config.json for people to read: the state holds the same."""
    atomic_write(run.folder / SETTINGS_FILE, (json.dumps(dataclasses.asdict(run.settings), indent=2) + "\n").encode())


def _write_results(run: Run) -> None:
    """Write what follows from the state: the weights (after the best epoch so far, also as BEST_FILE), and the log."""
    recipe, seed = run.settings.recipe.name, run.settings.seed
    about = dataclasses.asdict(About.of(run.model, run.dataset, recipe, seed, run.step, run.image_size))
    save_weights(run.folder / WEIGHTS_FILE, run.model, about)  # without `save_model`'s check: the run built its model
    accuracies = [row["test_accuracy"] for row in run.history]
    after_an_epoch = bool(run.history) and run.history[-1]["step"] == run.step
    if after_an_epoch and accuracies[-1] > max(accuracies[:-1], default=-1):
        save_weights(run.folder / BEST_FILE, run.model, about)
    write_log(run.folder, run.history)


def _begin_in(run: Run) -> None:
    """Take the run's folder into use."""
    run.lock.acquire()
    check_new(run.folder)
    remove_unfinished(run.folder, FILES)
    _write_settings(run)


def _read_locked(lock: FolderLock) -> State:
    """The state of the run in the folder, which is then locked."""
    folder = lock.folder
    if not (folder / STATE_FILE).is_file():
        raise RunError(f"{folder} holds no run that could be resumed: there is no {STATE_FILE} in it")
    lock.acquire()
    remove_unfinished(folder, FILES)
    return read_state(folder / STATE_FILE)


def _restore(
    lock: FolderLock,
    state: State,
    device: str,
    data_dir: str | None,
    dataset: data.Dataset | None,
    data_name: str | None,
) -> Run:
    folder, (arrays, about) = lock.folder, state
    try:
        choices: dict[str, Any] = about["settings"]["recipe"]
        choices = {k: tuple(v) if isinstance(v, list) else v for k, v in choices.items()}
        recipe = Recipe(**{**choices, "dataset": data_name or choices["dataset"]})
        lengths = tuple(EarlierLength(**length) for length in about["settings"].get("earlier_lengths", ()))
        settings = Settings(**{**about["settings"], "recipe": recipe, "earlier_lengths": lengths})
        checksums = about["data_checksums"]
    except (TypeError, KeyError) as error:
        raise RunError(f"the run in {folder} was started by another version of resnet_scratch ({error})") from None
    if data_dir is not None:
        settings = dataclasses.replace(settings, data_dir=data_dir)
    run = build_run(settings, lock, device, dataset)
    if changed := [name for name, value in run.data_checksums.items() if checksums.get(name) != value]:
        raise RunError(
            f"the {run.dataset.name} data are not those that the run in {folder} was started with: "
            f"different {', '.join(changed)}"
        )
    run.sums = EpochSums.from_array(load_state(folder / STATE_FILE, arrays, run.model, run.optimizer), run.device)
    run.step, run.history = about["step"], about["history"]
    run.seconds, run.epoch_seconds = about["seconds"], about["epoch_seconds"]
    wanted = (run.epochs, 0) if run.finished else divmod(run.step, run.steps_per_epoch)
    if not 0 < run.step <= run.total_steps or (len(run.history), run.sums.steps) != wanted:
        raise RunError(
            f"the state in {folder} is impossible: step {run.step} of {run.total_steps}, {run.steps_per_epoch} to an "
            f"epoch, {len(run.history)} epochs in the log and {run.sums.steps} steps since"
        )
    return run
