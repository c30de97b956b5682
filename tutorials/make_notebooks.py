"""Makes `notebooks/*.ipynb` of the tutorials, which are plain Python files with cells (jupytext's percent format).

    python tutorials/make_notebooks.py            write them
    python tutorials/make_notebooks.py --check    say which are not up to date, and fail if one is not
    python tutorials/make_notebooks.py --without-answers FOLDER    write them into FOLDER, for graded work

The same tutorial always gives the same notebook, to the byte: no outputs, cell ids by position, no versions of tools.

A tutorial shows a task together with the library's answer: `task("2.1")` in a cell with the tag "task". In the notebook
that cell becomes what to do, with folded hints, a cell for the student's answer, and its check; `milestone(2,
solutions())` becomes `milestone(2, my_answers())`; a link to a tutorial leads to its notebook; and a last cell says what
is still to do.
"""

import argparse
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

from resnet_scratch.exercises.tasks import FOLDER, find_task, solution, stub

HERE = Path(__file__).resolve().parent
SETUP = """# Brings the library, where it is not installed yet, from the folder that this notebook lies in.
# On Colab first fetch that folder:  !git clone ADDRESS_OF_THE_REPOSITORY
# and, to find your answers again in later notebooks, mount Google Drive and name a folder there for them:
#     from google.colab import drive; drive.mount("/content/drive")
#     %env RESNET_SCRATCH_ANSWERS=/content/drive/MyDrive/my-answers
import importlib.util
from pathlib import Path

if importlib.util.find_spec("resnet_scratch") is None:
    near = [Path.cwd(), *Path.cwd().parents, *Path.cwd().glob("*/")]
    found = [folder for folder in near if (folder / "resnet_scratch" / "layers" / "conv.py").exists()]
    if not found:
        raise ImportError("resnet_scratch is not here: put its folder beside this notebook, then run this cell again")
    %pip install -q {found[0]}

from resnet_scratch.exercises import check, my_answers, progress"""
TASK_IMPORT = re.compile(r"^from resnet_scratch\.exercises import (.*\btask)$", re.MULTILINE)
MILESTONE = re.compile(r"^milestone\((\d+), solutions\(\)", re.MULTILINE)


def notebook(tutorial: Path, answers: bool = True) -> str:
    """The notebook of a tutorial, as text, with or without a folded answer to each task."""
    made = jupytext.read(tutorial, fmt="py:percent")
    title, *cells = made.cells
    cells = [*unsolved(title), new_code_cell(SETUP), *(new for cell in cells for new in unsolved(cell, answers))]
    return as_text(made, [*cells, new_code_cell(f"progress({int(tutorial.name[:2])})")])


def as_text(made, cells: list) -> str:
    """A notebook that was read from a tutorial, with these cells, as text. Nothing in it depends on when it was made."""
    made.metadata.pop("jupytext", None)  # it names the version that read it
    made.cells = cells
    for k, cell in enumerate(cells):
        cell["id"] = f"cell-{k:03}"
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key == "tags"}
    made["nbformat"], made["nbformat_minor"] = 4, 5
    nbformat.validate(made)
    return nbformat.writes(made) + "\n"


def tasks_of(cell) -> list[str]:
    """The numbers of the tasks in a cell with the tag "task"; none for other cells."""
    tagged = "task" in cell["metadata"].get("tags", [])
    return re.findall(r'^task\("(.*)"\)$', cell["source"], re.MULTILINE) if tagged else []


def unsolved(cell, answers: bool = True) -> list:
    """The cells that a student gets in place of one of the tutorial's."""
    if numbers := tasks_of(cell):
        return [new for number in numbers for new in task_cells(number, answers)]
    if cell["cell_type"] == "markdown":
        cell["source"] = links_from_notebooks(cell["source"])
    if cell["cell_type"] == "code":
        cell["source"] = MILESTONE.sub(r"milestone(\1, my_answers()", TASK_IMPORT.sub(_without_task, cell["source"]))
    return [cell]


def links_from_notebooks(text: str) -> str:
    """A tutorial's text with links that suit its notebook, which is one folder further down, among the other notebooks."""
    return re.sub(r"\]\((\d\d_\w+)\.py\)", r"](\1.ipynb)", text.replace("](../", "](../../"))


def _without_task(line: re.Match) -> str:
    """The import of the exercises as a notebook needs it: its first cell has imported `check` and the rest already."""
    names = [name for name in line[1].split(", ") if name != "task"]
    return f"from resnet_scratch.exercises import {', '.join(names)}" if names else ""


def task_cells(number: str, answers: bool = True) -> list:
    """A task with its hints and perhaps its answer, a cell to answer it, and its check."""
    module, task = find_task(number)
    source = (FOLDER / f"{module}.py").read_text(encoding="utf-8")
    stars = task.stars * "★" + (3 - task.stars) * "☆"
    text = [f"### Task {number} {stars} about {task.minutes} minutes: {task.title}", task.todo]
    folded = {"Hint: a question": task.question, "Hint: a pointer": task.pointer}
    if answers:
        folded["The answer"] = f"```python\n{solution(source, task, module)}\n```"
    for summary, hint in folded.items():
        text.append(f"<details><summary>{summary}</summary>\n\n{hint}\n\n</details>")
    return [
        new_markdown_cell("\n\n".join(text)),
        new_code_cell(stub(source, task, module)),
        new_code_cell(f'check("{number}", {task.name})'),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="write nothing; fail if one is not up to date")
    arguments.add_argument("--without-answers", metavar="FOLDER", type=Path, help="write them here, without answers")
    chosen = arguments.parse_args()
    check, folder = chosen.check, chosen.without_answers
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(HERE.glob("[0-9]*.py")):
            (folder / f"{path.stem}.ipynb").write_text(notebook(path, answers=False), encoding="utf-8")
        return print(f"written to {folder}")
    wanted = {HERE / "notebooks" / f"{path.stem}.ipynb": notebook(path) for path in sorted(HERE.glob("[0-9]*.py"))}
    there = {path: path.read_text(encoding="utf-8") for path in (HERE / "notebooks").glob("*.ipynb")}
    stale = [path for path in sorted({*wanted, *there}) if wanted.get(path) != there.get(path)]
    if check and stale:
        sys.exit(f"not up to date: {', '.join(path.name for path in stale)}; run python {Path(__file__).name}")
    for path in [] if check else stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8") if path in wanted else path.unlink()
    print(f"{len(wanted)} notebooks, " + ("all up to date" if check else f"{len(stale)} written or removed"))


if __name__ == "__main__":
    main()
