"""The folder of a new run: its name, and what must not be in it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ..table import command_text
from .log import LOG_FILE
from .recipe import RECIPES, Recipe
from .run import STATE_FILE, RunError
from .weights import BEST_FILE, SETTINGS_FILE, WEIGHTS_FILE

FIGURES = ("curves.png", "confusion.png", "predictions.png")  # `trainer.write_figures` draws them
FILES = (STATE_FILE, SETTINGS_FILE, LOG_FILE, WEIGHTS_FILE, BEST_FILE, *FIGURES)  # all that a run writes


def make_folder(recipe: Recipe, folder: Path | None) -> Path:
    """The folder, made if it is not there; None: a new one in runs/, named after the recipe, or after other data
    than the recipe's. Raises RunError where there are too many of that name."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    known = RECIPES.get(recipe.name)
    first = recipe.name if known is None or known.dataset == recipe.dataset else Path(recipe.dataset).name
    name = f"{first}-{recipe.model}-{time.strftime('%Y%m%d-%H%M%S')}"
    for suffix in ("", *(f"-{k}" for k in range(2, 100))):  # several runs may start within one second
        folder = Path("runs") / (name + suffix)
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise RunError(f"there are too many runs named {name} already")


def check_new(folder: Path) -> None:
    """Raise RunError when a run's files would overwrite something."""
    if (folder / STATE_FILE).exists():
        resume = command_text("--resume", folder)
        raise RunError(f"{folder} holds a run already: continue it with {resume}, or choose another folder")
    for name in FILES:
        if (folder / name).exists() and not (name == SETTINGS_FILE and _are_settings(folder / name)):
            raise RunError(f"{folder} has a {name} but no run, and a new run would overwrite it: choose another folder")


def _are_settings(file: Path) -> bool:
    """Whether a config.json is a run's: one that ended before there was a state to save."""
    try:
        return {"recipe", "seed"} <= json.loads(file.read_bytes()).keys()
    except (OSError, ValueError, AttributeError):
        return False
