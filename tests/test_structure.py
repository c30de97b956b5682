"""The house: a file imports only from lower floors, layers never import one another, and no file is long."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "resnet_scratch"
FLOORS = {
    0: ["__init__", "backend"],
    1: ["workspace", "products", "layer", "initializers"],
    2: ["windows"],
    3: ["layers", "losses", "optim", "schedules", "gradcheck", "data"],
    4: ["models", "checkpoint", "trace", "torch_twin"],
    5: ["selfcheck", "summary", "bench", "recipes", "train", "inference", "run", "session", "plots"],
    6: ["insight", "mistakes", "crosscheck", "peak_memory"],
    7: ["doctor", "exercises"],
    8: ["cli", "__main__"],
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
# on one floor, who may use whom: packages within themselves, and these
SAME_FLOOR = {("torch_twin", "models"), ("session", "plots"), ("session", "inference"), ("session", "run"),
              ("session", "train"), ("run", "inference"), ("run", "recipes"), ("__main__", "cli"),
              ("windows", "workspace"), ("bench", "summary"), ("bench", "train")}  # fmt: skip
MODULES = sorted(path.relative_to(ROOT).with_suffix("") for path in ROOT.rglob("*.py"))


def imports(path):
    """The package's own modules that a file imports, as paths relative to the package."""
    package = path.parent.parts
    for node in ast.walk(ast.parse((ROOT / path.with_suffix(".py")).read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1] + tuple(
                (node.module or "").split(".") if node.module else ()
            )
            for alias in node.names:
                full = Path(*base, alias.name)
                yield full if full in MODULES or (ROOT / full).is_dir() else Path(*base)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_file_imports_from_lower_floors_only(path):
    top = path.parts[0]
    assert top in FLOOR, f"{path} has no floor yet: add it to FLOORS here and to docs/design.md"
    for target in imports(path):
        name = target.parts[0] if target.parts else "__init__"
        if name != top and (top, name) not in SAME_FLOOR:
            assert FLOOR[name] < FLOOR[top], f"{path} (floor {FLOOR[top]}) imports {target} (floor {FLOOR[name]})"


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[0] == "layers" and p.name != "__init__"], ids=str)
def test_layers_never_import_one_another(path):
    assert not [target for target in imports(path) if target.parts[0] == "layers"]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_file_is_read_in_one_sitting(path):
    lines = (ROOT / path.with_suffix(".py")).read_text().splitlines()
    assert len(lines) <= (150 if path.name == "conv" else 210) and max(map(len, lines), default=0) <= 120


def test_only_the_backend_names_cupy():
    naming = {str(p) for p in MODULES if "import cupy" in (ROOT / p.with_suffix(".py")).read_text()}
    assert naming == {"backend"}


def test_importing_loads_numpy_and_nothing_heavy():
    heavy = {"matplotlib", "click", "tqdm", "PIL", "pooch", "safetensors", "cupy", "torch", "threadpoolctl"}
    code = (
        "import sys, resnet_scratch, resnet_scratch.layers, resnet_scratch.models, resnet_scratch.gradcheck, "
        "resnet_scratch.data, resnet_scratch.optim; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded and not heavy & set(loaded)
