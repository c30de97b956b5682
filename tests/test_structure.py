"""The house: rooms import only from the rooms below, no circles, layers never import one another, no file is long."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "resnet_scratch"
# the rooms from the ground up; a room imports only from rooms below it, and the files of a room may import one another
ROOMS = [
    "errors", "table",
    "compute", "checks", "layers", "losses", "optim", "schedules", "gradcheck", "data", "models", "train", "experiment",
    "measure", "verify", "insight", "figures", "exercises", "cli", "__main__",
]  # fmt: skip
MODULES = sorted(path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py"))


def imports(path):
    """The package's own modules that a file imports (not for types only), as paths relative to the package."""
    package = path.parent.parts
    tree = ast.parse((ROOT / path.with_suffix(".py")).read_text())
    for_types = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    ignored = {inner for node in for_types for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if node not in ignored and isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + tuple(
                (node.module or "").split(".") if node.module else ()
            )
            for alias in node.names:
                full = Path(*base, alias.name)
                yield full if full in MODULES or (ROOT / full).is_dir() else Path(*base)


@pytest.mark.parametrize("path", [p for p in MODULES if p.name != "__init__" or len(p.parts) > 1], ids=str)
def test_a_file_imports_from_rooms_below_only(path):
    room = path.parts[0]
    assert room in ROOMS, f"{path} has no room yet: add it to ROOMS here and to docs/design.md"
    for target in imports(path):
        if target.parts and target.parts[0] != room:
            assert ROOMS.index(target.parts[0]) < ROOMS.index(room), f"{path} imports {target}, which is not below it"


def test_no_files_import_one_another_in_a_circle():
    def file(target):
        return target if target in MODULES else target / "__init__"

    graph = {path: {file(target) for target in imports(path)} - {path} for path in MODULES}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


# the files of layers/ that are no operation
SHARED = {"__init__", "layer", "windows", "initializers", "groups", "protocol"}
OPERATIONS = [path for path in MODULES if path.parts[0] == "layers" and path.name not in SHARED]


@pytest.mark.parametrize("path", OPERATIONS, ids=str)
def test_operations_never_import_one_another(path):
    assert not [target for target in imports(path) if target in OPERATIONS]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_file_is_read_in_one_sitting(path):
    lines = (ROOT / path.with_suffix(".py")).read_text().splitlines()
    assert len(lines) <= (150 if path.name == "conv" else 220) and max(map(len, lines), default=0) <= 120


def test_only_the_backend_names_cupy():
    naming = {str(p) for p in MODULES if "import cupy" in (ROOT / p.with_suffix(".py")).read_text()}
    assert naming == {"compute/backend"}


def test_importing_loads_numpy_and_nothing_heavy():
    heavy = {"matplotlib", "click", "tqdm", "PIL", "pooch", "safetensors", "cupy", "torch", "threadpoolctl", "mpi4py"}
    code = (
        "import sys, resnet_scratch, resnet_scratch.layers, resnet_scratch.models, resnet_scratch.gradcheck, "
        "resnet_scratch.data, resnet_scratch.optim; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded and not heavy & set(loaded)


def test_every_module_is_in_the_reference():
    """All but what the tutorials and the command line are made of, and the smallest tools."""
    inside = {"cli", "figures", "exercises", "errors", "table", "checks", "__main__", "__init__"}
    public = {".".join(p.parts) for p in MODULES if p.parts[0] not in inside and p.name != "__init__"}
    pages = (ROOT.parent / "docs" / "reference").glob("*.md")
    listed = {name for page in pages for name in re.findall(r"automodule:: resnet_scratch\.(\S+)", page.read_text())}
    assert listed == public
