"""Pages are executed side by side, before Sphinx reads them, and what came out is kept for as long as it holds.

What a page gave is kept in `_build/.pages`, with what it depends on: the text of its code cells, the versions of the
locked packages, and every file of the course that it read while it ran, modules of ours included. It is executed again
when one of these differs, and only then; a changed sentence is no reason. A file that only code written in C opens
goes unseen.

Reading is quick, so no page is trusted to be still right: each is resolved and written anew in every build, and a link
that another page broke is found. A build that fails takes the site with it; a page that fails to run leaves the site as
it was. Either way the next build begins from the kept pages alone.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

from myst_nb.core.execute import ExecutionError, NotebookClientBase
from myst_nb.core.read import is_myst_markdown_notebook, read_myst_markdown_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode, from_dict
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util import logging

LOCK = "requirements.lock"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
SIDE_BY_SIDE = 2
logger = logging.getLogger(__name__)


class PageError(SphinxError):
    """Pages that could not be executed, a line each."""

    category = "The book is as it was"


def watch(root: str, log: str) -> None:
    """Write down each file under `root` that this process reads, once, and the digest that it has at that moment.

    Runs in the page's kernel, and so imports what it needs itself.
    """
    import hashlib
    import importlib.util
    import os
    import sys

    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    seen = set()

    def note(event: str, args: tuple) -> None:  # type: ignore[type-arg]
        if event != "open" or isinstance(args[0], int) or args[2] & os.O_ACCMODE != os.O_RDONLY:
            return
        path = os.path.abspath(os.fsdecode(args[0]))  # noqa: PTH100  (a link stays the name that it is read by)
        if not path.startswith(root + os.sep) or path in seen:
            return
        seen.add(path)
        if path.endswith(".pyc"):  # what a module was compiled from
            path = importlib.util.source_from_cache(path)
        try:
            with open(path, "rb") as file:  # noqa: PTH123
                digest = hashlib.sha256(file.read()).hexdigest()
        except OSError:
            digest = "missing"
        os.write(out, f"{digest} {os.path.relpath(path, root)}\n".encode())

    sys.addaudithook(note)


class WatchedClient(NotebookClient):
    """Executes a notebook, and has its kernel write down what it reads."""

    def __init__(self, notebook: NotebookNode, root: Path, log: Path, **settings: Any) -> None:
        super().__init__(notebook, **settings)
        self.watching = f"{inspect.getsource(watch)}\nwatch({str(root)!r}, {str(log)!r})\ndel watch"

    async def async_start_new_kernel_client(self) -> Any:
        client = await super().async_start_new_kernel_client()
        client.execute(self.watching, silent=True, store_history=False)
        return client


def digest_of(path: Path) -> str:
    """The digest of a file's content; `missing` where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "missing"


def locked_versions(lock: Path) -> list[str]:
    """The installed versions of the packages that the lock names, and Python's."""
    names = re.findall(r"^([\w.-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE) if lock.is_file() else []
    found = [platform.python_version()]
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} is missing")
    return found


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@dataclass
class Page:
    """A page with code, and where its results are kept."""

    path: Path
    notebook: NotebookNode
    kept: Path
    setting: list[str]  # what all pages depend on

    @property
    def code(self) -> str:
        """The digest of all that is executed, and of what it is executed with."""
        cells = [[cell.source, cell.metadata.get("tags", [])] for cell in code_cells(self.notebook)]
        kernel = self.notebook.metadata.get("kernelspec", {}).get("name", "")
        return hashlib.sha256(json.dumps([cells, kernel, self.setting]).encode()).hexdigest()

    def record(self) -> dict[str, Any] | None:
        """What is kept of the page, where it still holds."""
        try:
            record: dict[str, Any] = json.loads(self.kept.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if record["code"] == self.code else None

    def is_fresh(self, root: Path) -> bool:
        """Whether the page would give again what is kept of it."""
        record = self.record()
        return record is not None and all(digest_of(root / name) == seen for name, seen in record["files"].items())

    def execute(self, root: Path, timeout: int) -> str | None:
        """Run the page and keep what came out; or say in one line where it failed."""
        began, started = time.monotonic(), [-1]
        code = self.code
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder, "read")
            client = WatchedClient(
                self.notebook, root, log, timeout=timeout, kernel_name=self.notebook.metadata.kernelspec.name,
                resources={"metadata": {"path": str(self.path.parent)}}, record_timing=False,
                extra_arguments=["--IPKernelApp.log_level=ERROR"],
                on_cell_start=lambda cell, cell_index: started.append(cell_index),
            )  # fmt: skip
            try:
                client.execute()
            except Exception as error:  # a cell's own, a dead kernel, a time-out
                return self._failure(root, started[-1], error)
            lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        # A module is noted for its compiled form, and again where that was too old and it was compiled: the last holds.
        files = {name: digest for digest, name in (line.split(" ", 1) for line in lines)}
        record = {
            "code": code,
            "files": dict(sorted(files.items())),
            "seconds": round(time.monotonic() - began, 1),
            "cells": [[cell.execution_count, cell.outputs] for cell in code_cells(self.notebook)],
        }
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        draft = self.kept.with_suffix(".draft")
        draft.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
        draft.replace(self.kept)
        return None

    def _failure(self, root: Path, index: int, error: Exception) -> str:
        """Page, line, cell and error, on one line."""
        where = f"{self.path.relative_to(root)}"
        if index >= 0:
            number = sum(cell.cell_type == "code" for cell in self.notebook.cells[: index + 1])
            where += f", line {self.notebook.metadata.source_map[index] + 1}, code cell {number}"
        what = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else repr(error)
        return f"{where}: {' '.join(COLOURS.sub('', what).split())[:300]}"

    def seconds(self) -> float:
        """How long the page ran last; unknown ones, taken for long, come first."""
        try:
            return float(json.loads(self.kept.read_text(encoding="utf-8"))["seconds"])
        except (OSError, ValueError):
            return float("inf")


def find_pages(root: Path, docnames: Iterable[str], keep: Path) -> dict[str, Page]:
    """The pages that have code cells, by name."""
    setting = locked_versions(root / LOCK)
    pages = {}
    for docname in docnames:
        path = root / f"{docname}.md"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        if is_myst_markdown_notebook(text):
            notebook = read_myst_markdown_notebook(text, add_source_map=True, path=path)
            pages[docname] = Page(path, notebook, keep / f"{docname}.json", setting)
    return pages


def execute_stale(pages: dict[str, Page], root: Path, timeout: int) -> tuple[list[str], list[str]]:
    """Execute the pages whose results hold no longer, the longest first; gives their names and what failed."""
    stale = [name for name, page in pages.items() if not page.is_fresh(root)]
    stale.sort(key=lambda name: -pages[name].seconds())
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        failed = list(pool.map(lambda name: pages[name].execute(root, timeout), stale))
    return stale, [line for line in failed if line]


class KeptClient(NotebookClientBase):
    """Gives a page the outputs that are kept of it."""

    kept: ClassVar[dict[Path, Page]] = {}

    def start_client(self) -> None:
        page = self.kept.get(self.path) if self.path else None
        record = page.record() if page else None
        cells = code_cells(self.notebook)
        if record is None or len(record["cells"]) != len(cells):
            raise ExecutionError(f"{self.path}: its code changed while the book was built; build it again")
        for cell, (count, outputs) in zip(cells, record["cells"], strict=True):
            cell.execution_count, cell.outputs = count, [from_dict(output) for output in outputs]


def bring_up_to_date(app: Sphinx, env: Any, added: set[str], changed: set[str], removed: set[str]) -> list[str]:
    """Execute what is stale; Sphinx reads these pages again."""
    root, keep = Path(app.srcdir), Path(app.doctreedir).parent / ".pages"
    pages = find_pages(root, env.found_docs, keep)
    KeptClient.kept = {page.path: page for page in pages.values()}
    stale, failed = execute_stale(pages, root, app.config.nb_execution_timeout)
    for name in stale:
        logger.info("executed %s in %.0f s", name, pages[name].seconds())
    if failed:
        raise PageError("\n".join(failed))
    return stale


def write_all(app: Sphinx, env: Any) -> list[str]:
    """Every page, so that none keeps a link, a number or a warning of yesterday; until then the site has no index."""
    Path(app.outdir, "index.html").unlink(missing_ok=True)
    return sorted(env.found_docs)


def clear_failed(app: Sphinx, exception: Exception | None) -> None:
    """No site that is half new, and no page that is passed over because it was read when it last failed."""
    if isinstance(exception, PageError):
        return
    if exception is not None or ((app.warningiserror or app.keep_going) and app._warncount):
        shutil.rmtree(app.outdir, ignore_errors=True)
        shutil.rmtree(app.doctreedir, ignore_errors=True)


def code_of_the_build(root: Path) -> str:
    """The digest of the extensions and of what they import: when one changes, Sphinx reads everything again."""
    here = Path(__file__).parent
    files = [*here.glob("*.py"), *here.glob("templates/*"), *(root / "autograder").rglob("*.py")]
    return hashlib.sha256("".join(f"{path}{digest_of(path)}" for path in sorted(files)).encode()).hexdigest()


def setup(app: Sphinx) -> dict[str, Any]:
    import myst_nb.sphinx_

    def create_client(notebook: Any, source: str, config: Any, log: Any, read_fmt: Any = None) -> KeptClient:
        return KeptClient(notebook, Path(source), config, log)

    myst_nb.sphinx_.create_client = create_client  # type: ignore[assignment]
    app.add_config_value("code_of_the_build", code_of_the_build(Path(app.srcdir)), "env", str)
    app.connect("env-get-outdated", bring_up_to_date)
    app.connect("env-updated", write_all)
    app.connect("build-finished", clear_failed, priority=999)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
