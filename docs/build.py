"""Builds the site into docs/_build/site: `python docs/build.py`.

To read it, run `python -m http.server --directory docs/_build/site`, and open http://localhost:8000 (a browser runs
the scripts of the interactive pages only if they come from a server).

It needs `pip install -e ".[docs]"` and, the first time, npm for the packages that the site includes. It makes: the
tutorials as pages (executed, in about twenty minutes; `--fast` runs them shortened), the reference from the
docstrings, what the page that trains downloads (engine.py), and all else in this folder. A warning is an error.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import npm

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILT = HERE / "_build"
VENDOR = HERE / "_static" / "vendor"
PACKAGES = {"mathjax@3.2.2": {"es5/tex-svg.js": "mathjax.js", "LICENSE": "mathjax-LICENSE.txt"}}
sys.path += [str(ROOT / "tutorials"), str(HERE), str(HERE / "_ext")]


def fetch_packages() -> None:
    """Files of npm packages that the pages use, into _static/vendor."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    for package, files in PACKAGES.items():
        if all((VENDOR / name).exists() for name in files.values()):
            continue
        content = npm.package_files(package)
        for member, name in files.items():
            (VENDOR / name).write_bytes(content[member])


def write_tutorials() -> None:
    """The tutorials as notebooks, each task with its folded hints and answer, into tutorials/ beside this file."""
    import jupytext
    import links
    from make_notebooks import as_text, task_cells, tasks_of

    folder = HERE / "tutorials"
    folder.mkdir(exist_ok=True)
    for tutorial in sorted((ROOT / "tutorials").glob("[0-9]*.py")):
        made = jupytext.read(tutorial, fmt="py:percent")
        cells = []
        for cell in made.cells:
            if numbers := tasks_of(cell):
                cells += [task_cells(number)[0] for number in numbers]
                continue
            if cell["cell_type"] == "markdown":
                cell["source"] = links.of_tutorial(cell["source"])
            cells.append(cell)
        cells[0]["source"] += "\n\n" + buttons(tutorial.stem)
        if tutorial.stem == "14_pytorch" and find_spec("torch") is None:
            print("tutorial 14 is shown without results: it needs PyTorch", file=sys.stderr)
            made.metadata["mystnb"] = {"execution_mode": "off"}
        write_if_changed(folder / f"{tutorial.stem}.ipynb", as_text(made, cells))
    for old in folder.glob("*.ipynb"):
        if not (ROOT / "tutorials" / f"{old.stem}.py").exists():
            old.unlink()
    shutil.rmtree(HERE / "_static" / "notebooks", ignore_errors=True)
    shutil.copytree(ROOT / "tutorials" / "notebooks", HERE / "_static" / "notebooks")


def write_sources() -> None:
    """What the last commit holds, as the zip file that the front page offers; without git, that link leads nowhere."""
    archive = HERE / "_static" / "resnet_scratch.zip"
    command = ["git", "archive", "--format=zip", "--prefix=resnet_scratch/", "HEAD"]
    made = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE) if shutil.which("git") else None
    if made is not None and made.returncode == 0:
        archive.write_bytes(made.stdout)
    else:
        archive.unlink(missing_ok=True)
        print(f"{archive} could not be written: that needs git, and a clone of the repository", file=sys.stderr)


def write_recordings() -> None:
    """What the interactive pages replay, from the library: recordings/NAME.py makes _static/explore/NAME.json."""
    sys.path.append(str(HERE / "recordings"))
    for module in sorted((HERE / "recordings").glob("*.py")):
        made = import_module(module.stem).record()
        write_if_changed(HERE / "_static" / "explore" / f"{module.stem}.json", json.dumps(made, allow_nan=False))


def buttons(stem: str) -> str:
    """Links to the notebook that a student works in: to download and, if the site has an address for it, on Colab."""
    from conf import repository

    links = [f'<a class="button" href="../_static/notebooks/{stem}.ipynb" download>Download the notebook</a>']
    if repository:
        address = f"https://colab.research.google.com/github/{repository}/blob/main/tutorials/notebooks/{stem}.ipynb"
        links.append(f'<a class="button" href="{address}">Open in Colab</a>')
    return f'<p class="buttons">{" ".join(links)}</p>'


def prepare_results() -> None:
    """An empty store for the tutorials' results, unless it is there: several processes would all make it. Those of
    other versions of the library are deleted."""
    from conf import nb_execution_cache_path
    from jupyter_cache import get_cache

    store = Path(nb_execution_cache_path)
    for old in set(BUILT.glob(store.name[:-12] + 12 * "?")) - {store}:
        shutil.rmtree(old)
    get_cache(store).list_cache_records()  # makes its database


def write_if_changed(path: Path, text: str) -> None:
    """Write a file, unless it is there with this text already: Sphinx reads again what has changed."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--fast", action="store_true", help="shortened runs of the tutorials, as in their tests")
    if fast := arguments.parse_args().fast:
        one_thread = dict.fromkeys(("RESNET_SCRATCH_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        os.environ.update(RESNET_SCRATCH_FAST="1", **one_thread)
    os.environ.setdefault("PYTHONWARNINGS", "ignore:FigureCanvasAgg is non-interactive")
    fetch_packages()
    write_sources()
    write_tutorials()
    write_recordings()
    import_module("engine").write_engine()
    prepare_results()
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-b", "html", "-d", BUILT / "doctrees"]
    command += ["-j", "auto"] if fast else []  # whole tutorials measure times, so nothing runs beside them
    shutil.rmtree(BUILT / "site", ignore_errors=True)  # it may have pages that are there no more
    sys.exit(subprocess.run([*command, HERE, BUILT / "site"]).returncode)


if __name__ == "__main__":
    main()
