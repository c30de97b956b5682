"""A run's log.csv: one row per epoch, as a spreadsheet opens it."""

from __future__ import annotations

import csv
import io
import warnings
from pathlib import Path

from ..errors import UserError
from .files import atomic_write

LOG_FILE = "log.csv"
COLUMNS = (
    "epoch",  # from 1
    "step",  # steps since the start of the run
    "learning_rate",  # of the epoch's last step
    "train_loss",  # means over the epoch's batches, each computed before its update
    "train_accuracy",  # 0 to 1
    "test_loss",  # after the epoch, on the test images or those held out for validation
    "test_accuracy",
    "seconds",  # since the start of the run, evaluation included
    "images_per_second",  # of training
)
History = list[dict[str, float]]  # the rows, each with these columns


class LogError(UserError):
    """A log.csv that is missing or cannot be read."""


def write_log(folder: Path, history: History) -> None:
    """Write log.csv, atomically: a header, and a row per epoch; whole numbers as they are, others to six digits.

    Only warns where the file cannot be replaced, as on Windows while a spreadsheet has it open: the run goes on, and
    writes all rows again after its next epoch.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in history:
        writer.writerow([row[c] if isinstance(row[c], int) else format(row[c], ".6g") for c in COLUMNS])
    try:
        atomic_write(folder / LOG_FILE, text.getvalue().encode())
    except PermissionError as error:
        warnings.warn(
            f"{folder / LOG_FILE} is not up to date: {error.strerror}; is it open in another program?", stacklevel=2
        )


def read_log(folder: str | Path) -> History:
    """The rows of a run's log.csv, as floats; `folder` is the run's, or the file itself. Raises LogError when there is
    none, or none that can be read."""
    path = Path(folder)
    path = path if path.is_file() else path / LOG_FILE
    if not path.is_file():
        raise LogError(f"{folder} is not the folder of a run: there is no {LOG_FILE} in it")
    with open(path, newline="") as file:
        try:
            return [{column: float(row[column]) for column in COLUMNS} for row in csv.DictReader(file)]
        except (KeyError, TypeError, ValueError, csv.Error):
            raise LogError(f"{path} is not a log of a run: it must have the columns {', '.join(COLUMNS)}") from None
