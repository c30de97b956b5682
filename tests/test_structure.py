"""The house rules that a reader of the code relies on: who may import whom, and how long a file may be."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import resnet_scratch

ROOT = Path(resnet_scratch.__file__).parent
FILES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))

# The floors of docs/design.md. A file imports only from lower ones. Where files of one floor lean on each other, the
# floor has half-landings, in which the same rule holds.
FLOORS = {
    0: "__init__ backend",
    1: "workspace products layer initializers",
    2: "windows",
    3: """layers/activation layers/batchnorm layers/conv layers/linear layers/pooling layers/residual layers/sequential
          losses optim schedules gradcheck data/dataset data/augment""",
    3.1: "layers/__init__ data/shapes data/cifar10 data/batches",
    3.2: "data/__init__ trace",
    4: "models/configs models/blocks checkpoint recipes train",
    4.1: "models/resnet",
    4.2: "models/__init__",
    5: "selfcheck summary torch_twin plots inference",
    5.1: "bench run",
    5.2: "session",
    6: "cli/options",
    6.1: "cli/tools cli/train",
    6.2: "cli/__init__",
    6.3: "__main__",
}
FLOOR = {f"{name}.py": floor for floor, names in FLOORS.items() for name in names.split()}
LONGEST = {"layers/conv.py": 160, "models/blocks.py": 260}  # blocks.py: five blocks, each written out both ways
HEAVY = ("matplotlib", "click", "tqdm", "PIL", "pooch", "safetensors", "cupy", "threadpoolctl", "torch")


def imported(file, source=None):
    """The files of the package that `file` imports, anywhere in it."""
    path = ROOT / file
    folder = path.parent
    for node in ast.walk(ast.parse(source or path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("resnet_scratch") for alias in node.names), f"{file}: import relatively"
        elif isinstance(node, ast.ImportFrom):
            assert not (node.module or "").startswith("resnet_scratch"), f"{file}: import relatively"
            if node.level:
                start = folder if node.level == 1 else folder.parents[node.level - 2]
                target = start.joinpath(*(node.module or "").split("."))
                for name in (alias.name for alias in node.names):
                    for found in (target / f"{name}.py", target / name / "__init__.py", target.with_suffix(".py")):
                        if found.exists():
                            break
                    else:
                        found = target / "__init__.py"
                    yield found.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_only_from_lower_floors(file):
    assert file in FLOOR, f"{file} needs a floor: add it to docs/design.md and here"
    for other in imported(file):
        assert FLOOR[other] < FLOOR[file], f"{file} (floor {FLOOR[file]}) imports {other} (floor {FLOOR[other]})"


def test_the_parser_sees_every_way_to_import():
    source = "from ..layer import Layer\ndef f():\n    from . import conv\nfrom .. import data\nfrom ..models import build, configs"
    expected = ["layer.py", "layers/conv.py", "data/__init__.py", "models/__init__.py", "models/configs.py"]
    assert sorted(imported("layers/pooling.py", source)) == sorted(expected)
    with pytest.raises(AssertionError, match="import relatively"):
        list(imported("layers/pooling.py", "import resnet_scratch.layer"))


def test_layers_never_import_one_another():
    for file in FILES:
        if file.startswith("layers/") and file != "layers/__init__.py":
            assert not [other for other in imported(file) if other.startswith("layers/")], file


def test_only_the_ground_floor_names_cupy():
    for file in set(FILES) - {"backend.py"}:
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.startswith("cupy") for name in names), file


@pytest.mark.parametrize("file", FILES)
def test_files_are_short_enough_to_be_read_in_one_sitting(file):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= LONGEST.get(file, 220)


@pytest.mark.parametrize("module", ["resnet_scratch", "resnet_scratch.models", "resnet_scratch.optim"])
def test_importing_the_library_loads_nothing_heavy(module):
    script = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
