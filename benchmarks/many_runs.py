"""What the experiments with many runs share: each run, in its own folder, is finished unless it already has been."""

import argparse
import sys
from collections.abc import Callable
from math import nan
from pathlib import Path
from statistics import mean, stdev

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resnet_scratch.experiment import storage
from resnet_scratch.experiment.log import LOG_FILE, History, read_log
from resnet_scratch.experiment.recipe import Recipe
from resnet_scratch.experiment.run import STATE_FILE, Run, RunError, Settings
from resnet_scratch.experiment.trainer import finish

DIVERGED = "diverged.txt"  # a run whose numbers are no longer finite has ended too, and says so in this file


def bring_to_its_end(
    recipe: Recipe, seed: int, folder: Path, data_dir: str | None, begin: Callable[[Run], None] | None = None
) -> None:
    """Start this run, which `begin` may change before its first step, or continue it. Ctrl-C stops it within a step,
    saves it and ends the experiment."""
    if (folder / DIVERGED).exists():
        return
    begun = (folder / STATE_FILE).exists()
    run = storage.resume(folder) if begun else storage.start(Settings(recipe, seed, data_dir=data_dir), folder)
    if run.finished:
        return run.lock.release()
    if begin is not None and not begun:
        begin(run)
    print(f"{folder.name}: {recipe.model}, {run.total_steps} steps of {recipe.batch_size} images", flush=True)
    try:
        finish(run, lambda line: print(line, flush=True))
    except RunError as error:
        (folder / DIVERGED).write_text(f"{error}\n")
        return print(error, flush=True)
    if not run.finished:
        sys.exit(f"stopped after step {run.step}; the same command goes on from there")


def logs(runs: Path, name: str, epochs: int) -> list[History]:
    """The logs of the runs with this name, one for each seed, that have ended; an empty one for a run that diverged."""
    found: list[History] = []
    for folder in sorted(runs.glob(f"{name}-[0-9]*")):
        if (folder / DIVERGED).exists():
            found.append([])
        elif (folder / LOG_FILE).exists() and len(log := read_log(folder)) == epochs:
            found.append(log)
    return found


def spread(values: list[float], form: str) -> str:
    """Mean and standard deviation; of one value, the value."""
    if len(values) < 2:
        return format(values[0], form) if values else ""
    return f"{mean(values):{form}} +- {stdev(values):{form}}"


def draw_spreads(curves: dict[str, tuple[dict[int, list[float]], str, str]]) -> tuple[Figure, Axes]:
    """Curves of means, with error bars of one standard deviation where there are several seeds.

    For each label: the values of the seeds at each x, colour, line style.
    """
    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    for label, (values, colour, line) in curves.items():
        found = {x: of_seeds for x, of_seeds in values.items() if of_seeds}
        deviations = [stdev(of_seeds) if len(of_seeds) > 1 else nan for of_seeds in found.values()]
        axes.errorbar(
            list(found), list(map(mean, found.values())), deviations,
            color=colour, linestyle=line, marker="o", markersize=4, capsize=3, label=label,
        )  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure, axes


def parser(description: str | None, draws: bool = True) -> argparse.ArgumentParser:
    """The options that all these experiments have, with --figure for those that draw one."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("runs", type=Path)
    made.add_argument("--data-dir")
    made.add_argument("--seeds", type=int, default=3)
    if draws:
        made.add_argument("--figure", type=Path, help="draw what has been run, and train nothing")
    return made
