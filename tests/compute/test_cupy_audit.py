"""The library's calls against the stand-in, and the stand-in against the real CuPy where that is installed: importing
it needs no GPU. So no name or argument is used that CuPy lacks."""

import ast
import inspect
import re
from contextlib import suppress
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from standin import STANDIN

from resnet_scratch.compute.backend import DeviceError, load_nccl

LIBRARY = Path(__file__).parents[2] / "resnet_scratch"
FILES = sorted(path for path in LIBRARY.rglob("*.py") if path.parent.name not in ("exercises", "checks"))
ROOTS = {"xp", "cupy"}  # what the library calls the module that it gets from `array_module`, or imports


def dotted(node):
    """`xp.lib.stride_tricks.as_strided` as ["lib", "stride_tricks", "as_strided"]; None for anything else."""
    names = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if names and isinstance(node, ast.Name) and node.id == "nccl":  # what `load_nccl` returns
        return ["cuda", "nccl", *names]
    of_module = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "array_module"
    return names if names and (of_module or isinstance(node, ast.Name) and node.id in ROOTS) else None


def uses(source):
    """(the dotted name, how many positional arguments, which keywords) of all that is taken from `xp`."""
    tree = ast.parse(source)
    calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        names = dotted(node) if isinstance(node, ast.Attribute) and id(node) not in inner else None
        if names:
            call = calls.get(id(node))
            yield ".".join(names), call and ([None] * len(call.args), [k.arg for k in call.keywords])


def complaint(name, arguments):
    """What the stand-in has against such a use; "" when nothing."""
    thing = STANDIN
    for part in name.split("."):
        if not hasattr(thing, part):
            return f"{name}: no such name"
        thing = getattr(thing, part)
    if arguments and not isinstance(thing, type):
        try:
            inspect.signature(thing).bind(*arguments[0], **dict.fromkeys(arguments[1]))
        except TypeError as error:
            return f"{name}: {error}"
    return ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(LIBRARY)))
def test_whatever_the_library_takes_from_xp_the_stand_in_has(path):
    assert [c for c in (complaint(*use) for use in uses(path.read_text())) if c] == []


def test_the_scan_sees_uses_and_mistakes():
    seen = {name for path in FILES for name, _ in uses(path.read_text())}
    assert {"lib.stride_tricks.as_strided", "matmul", "concatenate", "asarray", "cuda.runtime.getDeviceCount"} <= seen
    planted = "xp.sliding(x)\narray_module(x).zeros(3, chunks=2)\nxp.where(a, b, c, d)\nxp.zeros((2, 2), x.dtype)"
    assert [complaint(*use).partition(":")[0] for use in uses(planted)] == ["sliding", "zeros", "where", ""]


def test_the_stand_in_offers_only_what_somebody_takes():
    """The library, that is, or the tests."""
    library = {name.partition(".")[0] for path in FILES for name, _ in uses(path.read_text())} | {"ndarray"}
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.parent.rglob("test_*.py"))
    for name in public(STANDIN):
        assert name in library or re.search(rf"\b(xp|gpu|two_gpus)\.{name}\b", tests), f"nobody takes {name}"


# the stand-in against the real one


def public(module):
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name not in ("annotations", "Any")
    }


def pairs(standin, real, path=""):
    """(name, the stand-in's, the real one's) of every public name, in namespaces too."""
    for name, value in public(standin).items():
        assert hasattr(real, name), f"CuPy has no {path}{name}"
        if isinstance(value, SimpleNamespace):
            if getattr(getattr(real, name), "available", True):  # CuPy's names of NCCL are there only with NCCL
                yield from pairs(value, getattr(real, name), f"{path}{name}.")
        else:
            yield f"{path}{name}", value, getattr(real, name)


def parameters(function):
    """The parameters of one of CuPy's functions; of compiled ones, as the first line of the docstring gives them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        text = re.search(r"\((.*?)\)(?: ->|$)", function.__doc__.replace("\\*", "*").split("\n")[0])[1]
    parts = [part.strip() for part in text.split(",")]
    words = [re.sub(r"^[\w.]+ (?=\w)", "", part) for part in parts if part not in ("", "self")]
    scope = {}
    exec(f"def f({', '.join(words)}): pass", scope)  # a line of CuPy's documentation
    return list(inspect.signature(scope["f"]).parameters.values())


def check_signature(name, standin, real):
    theirs = parameters(real)
    kinds = {p.kind for p in theirs}
    positional = [p for p in theirs if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    ours = [p for p in inspect.signature(standin).parameters.values() if p.name != "self"]
    for k, p in enumerate(ours):
        if p.kind == p.VAR_POSITIONAL:
            assert p.VAR_POSITIONAL in kinds or positional, f"{name} takes no such arguments"
        elif p.kind == p.KEYWORD_ONLY:
            found = [q for q in theirs if q.name == p.name]
            assert found and p.default in (p.empty, found[0].default), f"{name}: {p} against {theirs}"
        elif p.VAR_POSITIONAL not in kinds:
            assert k < len(positional), f"{name}: CuPy takes {len(positional)} positional arguments"
            same = positional[k].kind == p.POSITIONAL_ONLY or positional[k].name == p.name
            assert same and p.default in (p.empty, positional[k].default), f"{name}: {p} against {positional[k]}"


@pytest.fixture(scope="module")
def cupy():
    cupy = pytest.importorskip("cupy")
    with suppress(DeviceError):
        load_nccl()  # so that `cupy.cuda.nccl` is there
    return cupy


def test_every_name_of_the_stand_in_is_cupys(cupy):
    checked = 0
    for name, standin, real in pairs(STANDIN, cupy):
        if isinstance(standin, type) or not callable(standin):
            assert type(standin) is type or standin == real, name  # dtypes and inf are the very same; classes: below
        else:
            check_signature(name, standin, real)
            checked += 1
    assert checked > 20


@pytest.mark.parametrize("kind", ["ndarray", "cuda.Device", "cuda.nccl.NcclCommunicator"])
def test_every_method_of_the_stand_ins_classes_is_cupys(cupy, kind):
    standin, real = STANDIN, cupy
    if "nccl" in kind and not cupy.cuda.nccl.available:
        pytest.skip("nvidia-nccl-cu12 is not installed")
    for part in kind.split("."):
        standin, real = getattr(standin, part), getattr(real, part)
    own = {n: v for n, v in vars(standin).items() if re.fullmatch(r"[a-zA-Z]\w*|__\w+__", n) and not hasattr(object, n)}
    for name in own.keys() - {"__dict__", "__weakref__", "__module__"}:
        assert hasattr(real, name), f"CuPy's {kind} has no {name}"
        if callable(own[name]) and not name.startswith("__"):
            check_signature(f"{kind}.{name}", own[name], getattr(real, name))


def test_the_check_of_signatures_can_fail(cupy):
    def zeros(shape, order="C", dtype=float): ...  # the real one has them the other way round

    def full(shape, fill_value, dtype=None, *, device=0): ...  # no such keyword there

    def arange(start, stop=None, step=1, dtype=None, like=None): ...  # one too many

    for wrong in (zeros, full, arange):
        with pytest.raises(AssertionError, match=wrong.__name__):
            check_signature(wrong.__name__, wrong, getattr(cupy, wrong.__name__))
