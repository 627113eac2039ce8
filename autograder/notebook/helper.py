"""The cell of a notebook that carries `check` and `run`: `autograder.asking` itself, and the record's visible part.

The source of a notebook has `from autograder.asking import check` in its place; a student has no package of ours, only
the notebook. The two functions live in a module of their own, so that no name of the student's gets in their way.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from autograder import asking

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
    return TEMPLATE.format(source=inspect.getsource(asking), record=line).rstrip("\n")
