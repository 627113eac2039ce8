"""The cell of a notebook that carries `check` and `run`: the modules themselves, and the record's visible part.

The source of a notebook has `from autograder.asking import check` in its place; a student has no package of ours, only
the notebook. The two functions live in a module of their own, so that no name of the student's gets in their way.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from autograder import asking, hints, plain

MODULES = (plain, hints, asking)  # each imports of ours only those before it

TEMPLATE = '''\
# The course's own: `check` and `run`, which ask the questions below, and what they know. Leave this cell as it is.
def _asking():
    import types

    module = types.ModuleType("asking")
    module.__dict__["__name__"] = "autograder.asking"
    exec(compile(SOURCE, "<asking>", "exec"), module.__dict__)
    module.load(RECORD)
    return module.check, module.run


SOURCE = r\'\'\'
{source}\'\'\'
RECORD = r\'\'\'{record}\'\'\'
check, run = _asking()
del _asking, SOURCE, RECORD
'''


def helper_cell(record: Mapping[str, Any]) -> str:
    """The text of the cell, with what a student may know of the record."""
    line = json.dumps(record, ensure_ascii=True, separators=(",", ":"), sort_keys=True).replace("'", "\\u0027")
    return TEMPLATE.format(source=_source(), record=line).rstrip("\n")


@functools.cache
def _source() -> str:
    """The modules as one, the same in every notebook."""
    return "from __future__ import annotations\n" + "".join(map(_standing_alone, MODULES))


def _standing_alone(module: ModuleType) -> str:
    """A module's text without what it imports of ours, which is in the same cell."""
    source = inspect.getsource(module)
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("__future__", "autograder")):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return "".join(lines)
