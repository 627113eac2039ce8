"""What a test's questions have for answers, in a hidden region of the test's own cell.

nbgrader's own engine knows nothing but the notebook, so the answers to hidden questions stand where nbgrader keeps
hidden tests: in `source/` and in its gradebook, never in what is released. Our engine takes them out again, for its
judge alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

TEMPLATE = """\
### BEGIN HIDDEN TESTS
import json  # the answers to what is asked above and not in the student's notebook

run.__self__.record.update(json.loads(r'''{}'''))
### END HIDDEN TESTS
"""
REGION = re.compile(re.escape(TEMPLATE).replace(re.escape("{}"), "([^']*)") + "?")


def with_answers(source: str, exercise: str, known: Mapping[str, Any]) -> str:
    """A test cell's text with what is recorded for its exercise, above its last line, which asks."""
    above, last = source.rstrip().rsplit("\n", 1)
    line = json.dumps({exercise: known}, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return f"{above}\n{TEMPLATE.format(line.replace(chr(39), chr(92) + 'u0027'))}{last}"


def split_answers(source: str) -> tuple[str, Mapping[str, Any]]:
    """A test cell's text without that region, and what was recorded in it."""
    found = REGION.search(source)
    return (REGION.sub("", source), dict(json.loads(found[1]))) if found else (source, {})
