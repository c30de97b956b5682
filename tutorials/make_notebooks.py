"""Makes `notebooks/*.ipynb` of the tutorials, which are plain Python files with cells (jupytext's percent format).

    python tutorials/make_notebooks.py            write them
    python tutorials/make_notebooks.py --check    say which are not up to date, and fail if one is not

The same tutorial always gives the same notebook, to the byte: no outputs, cell ids by position, no versions of tools.
"""

import argparse
import sys
from pathlib import Path

import jupytext
import nbformat

HERE = Path(__file__).resolve().parent
SETUP = """# Brings the library, where it is not installed yet, from the folder that this notebook lies in.
# On Colab first fetch that folder:  !git clone ADDRESS_OF_THE_REPOSITORY
import importlib.util
from pathlib import Path

if importlib.util.find_spec("resnet_scratch") is None:
    near = [Path.cwd(), *Path.cwd().parents, *Path.cwd().glob("*/")]
    found = [folder for folder in near if (folder / "resnet_scratch" / "layers" / "conv.py").exists()]
    if not found:
        raise ImportError("resnet_scratch is not here: put its folder beside this notebook, then run this cell again")
    %pip install -q {found[0]}"""


def notebook(tutorial: Path) -> str:
    """The notebook of a tutorial, as text."""
    made = jupytext.read(tutorial, fmt="py:percent")
    made.metadata.pop("jupytext", None)  # it names the version that read it
    made.cells.insert(1, nbformat.v4.new_code_cell(SETUP))  # behind the title
    for k, cell in enumerate(made.cells):
        cell["id"] = f"cell-{k:03}"
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key == "tags"}
    made["nbformat"], made["nbformat_minor"] = 4, 5
    nbformat.validate(made)
    return nbformat.writes(made) + "\n"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="write nothing; fail if one is not up to date")
    check = arguments.parse_args().check
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
