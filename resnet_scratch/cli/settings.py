"""What is trained, and on what: the options that choose data, and the settings of a run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from ..data import NAMES as DATASETS
from ..experiment.recipe import find as find_recipe
from ..experiment.run import Settings
from ..experiment.weights import LARGEST_IMAGE
from .options import Integer, Name, option


class DataSet(Name):
    """The name of a data set, or the path of a folder of images."""

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        folder = os.path.expanduser(value)
        if value in self.names or not os.path.isdir(folder):
            return super().convert(value, param, context)
        return os.path.realpath(folder)  # a run may be resumed from another folder

    def shell_complete(self, context: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return super().shell_complete(context, param, incomplete) or [CompletionItem(incomplete, type="dir")]


def data_option(default: str | None, otherwise: str = "") -> Callable:
    """--data, the name of a data set; without a default, `otherwise` says in the help what is taken."""
    text = f"{', '.join(DATASETS)}, or a folder with a folder of images for each class."
    text += f"  [default: {otherwise}]" if otherwise else ""
    kind = DataSet("data set", DATASETS, f"{', '.join(DATASETS)}, or a folder that exists")
    return option("--data", type=kind, default=default, metavar="NAME|FOLDER", help=text)


data_dir_option = option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the data set's files or archive are."
)
image_size_option = option(
    "--image-size",
    type=Integer(min=1, max=LARGEST_IMAGE),
    help="Height and width of images from a folder.  [default: 32]",
)


mirror_option = click.option("--mirror", is_flag=True, help="Let training flip a folder's images left to right.")


def size_of_images(data: str, chosen: int | None) -> int:
    """The --image-size. It is a mistake to choose one where it has no effect."""
    if chosen is not None and data in DATASETS:
        raise click.UsageError(
            f"--image-size is for images from a folder; those of {data} keep their size: leave it out"
        )
    return chosen or 32


def check_mirror(data: str, mirror: bool) -> None:
    """--mirror is a mistake where it has no effect."""
    if mirror and data in DATASETS:
        raise click.UsageError(f"--mirror is for images from a folder; {data} decides that itself: leave it out")


def settings_of(
    recipe: str,
    data: str | None,
    data_dir: Path | None,
    seed: int,
    validation: int,
    image_size: int | None,
    mirror: bool,
    **choices: Any,
) -> Settings:
    """The settings of a run: the recipe, with what was chosen differently."""
    names = ("model", "batch_size", "learning_rate", "momentum", "weight_decay", "epochs", "optimizer",
             "batch_norm_group")  # fmt: skip
    changes = {name: choices[name] for name in names if choices[name] is not None}
    if data is not None:
        changes["dataset"] = data
    if "epochs" in changes:
        changes["steps"] = None
    original = find_recipe(recipe)
    if changes.get("optimizer", original.optimizer) != original.optimizer and "learning_rate" not in changes:
        raise click.UsageError(
            f"--optimizer {changes['optimizer']} needs --lr: the learning rate of the recipe {recipe}, "
            f"{original.learning_rate}, is for {original.optimizer}; adam wants 0.001 to 0.01, sgd more"
        )
    if changes.get("optimizer", "sgd") != "sgd" or changes.get("momentum") == 0:
        changes["nesterov"] = False  # it is a form of sgd's momentum
    chosen = dataclasses.replace(original, **changes)
    if chosen != original:
        chosen = dataclasses.replace(chosen, expect="")  # which was measured with the recipe as it is
    if image_size is not None and chosen.image_sizes:
        sizes = " and ".join(map(str, chosen.image_sizes))
        raise click.UsageError(f"the recipe {recipe} trains at {sizes} pixels; leave out --image-size")
    check_mirror(chosen.dataset, mirror)
    folder = str(data_dir.resolve()) if data_dir else None  # absolute: a run may be resumed from another folder
    return Settings(chosen, seed, validation, folder, size_of_images(chosen.dataset, image_size), mirror)
