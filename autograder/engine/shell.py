"""An IPython shell that runs cells in this process, and shows nothing by itself.

IPython is imported when a shell is made: half a second that a judge seldom needs.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from typing import Any

Namespace = dict[str, Any]  # the names of a notebook that runs, and what they stand for


def make_shell(namespace: Namespace | None = None) -> Any:
    """An IPython shell without a terminal, a history or a trace on the screen; magics and top-level await work.

    It takes a while to make, so the warm parent makes it, and every student inherits it with an empty `__main__`. A
    judge makes one on its own `namespace`, for a course that uses magics in its own cells.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.core.profiledir import ProfileDir
    from traitlets.config import Config

    module = types.ModuleType("__main__")
    if namespace is None:
        sys.modules["__main__"] = module
        namespace = module.__dict__
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    with tempfile.TemporaryDirectory(prefix="autograder-shell-") as folder:
        shell = InteractiveShell(
            config=config,
            ipython_dir=folder,
            profile_dir=ProfileDir.create_profile_dir(folder),
            user_module=module,
            user_ns=namespace,
        )
    InteractiveShell._instance = shell
    quiet: Callable[..., None] = lambda *a, **k: None  # noqa: E731
    shell.enable_gui = quiet
    shell.system = functools.partial(_run_command, shell)
    shell.showtraceback = shell.showsyntaxerror = shell.showindentationerror = shell._showtraceback = quiet
    shell.transform_cell = functools.partial(_as_python, shell, shell.transform_cell)
    shell.run_cell("None", store_history=False, silent=False)  # its first cell imports more
    return shell


def _as_python(shell: Any, transform: Callable[[str], str], source: str) -> str:
    """A cell with its magics as calls. What is Python already has none, which is told sooner than by its tokens."""
    if not shell.input_transformers_post:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            ast.parse(source)
            return source if source.endswith("\n") else source + "\n"
    return transform(source)


def _run_command(shell: Any, command: str) -> None:
    """`!command`, with its output in the cell; IPython's own way needs a terminal."""
    done = subprocess.run(
        ["/bin/sh", "-c", shell.var_expand(command, depth=1)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    print(done.stdout.decode("utf-8", "replace"), end="")
    shell.user_ns["_exit_code"] = done.returncode
