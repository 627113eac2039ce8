"""What people, programs and cheats do to a notebook between its release and its return, on its JSON."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

Notebook = dict[str, Any]
TRICKS: dict[str, Callable[[Notebook], Any]] = {}


def trick(act: Callable[[Notebook], Any]) -> Callable[[Notebook], Any]:
    TRICKS[act.__name__] = act
    return act


def graded(notebook: Notebook) -> list[Notebook]:
    return [cell for cell in notebook["cells"] if cell["metadata"].get("nbgrader")]


def tests_of(notebook: Notebook) -> list[Notebook]:
    return [cell for cell in graded(notebook) if cell["metadata"]["nbgrader"]["grade"]]


def solutions_of(notebook: Notebook) -> list[Notebook]:
    return [cell for cell in graded(notebook) if cell["metadata"]["nbgrader"]["solution"]]


# ---- flags, tags, points


@trick
def tags_that_skip(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution", "raises-exception", "remove-cell", "nbgrader-skip"]


@trick
def points(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["metadata"]["nbgrader"]["points"] = 1e9


@trick
def points_that_are_none(notebook: Notebook) -> None:
    for cell, points in zip(tests_of(notebook), [None, "x", -5, [1], {}, True, 1e308], strict=True):
        cell["metadata"]["nbgrader"]["points"] = points


@trick
def flags_turned_over(notebook: Notebook) -> None:
    for cell in graded(notebook):
        flags = cell["metadata"]["nbgrader"]
        for flag in ("grade", "solution", "locked", "task"):
            flags[flag] = not flags[flag]


@trick
def everything_a_solution(notebook: Notebook) -> None:
    for cell in graded(notebook):
        cell["metadata"]["nbgrader"] |= {"grade": True, "solution": True}


@trick
def graded_by_hand(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["metadata"]["nbgrader"] |= {"solution": True, "schema_version": 3}


@trick
def other_schema_versions(notebook: Notebook) -> None:
    for number, cell in enumerate(graded(notebook)):
        cell["metadata"]["nbgrader"]["schema_version"] = (0, 1, 2, 99, None, "x")[number % 6]


@trick
def flags_that_are_no_flags(notebook: Notebook) -> None:
    for cell in graded(notebook):
        cell["metadata"]["nbgrader"] |= {"grade": "yes", "solution": [], "locked": {"a": 1}}


@trick
def read_only_and_collapsed(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["metadata"] |= {"editable": False, "deletable": False, "jupyter": {"source_hidden": True}}


# ---- tests


@trick
def tests_that_pass(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["source"] = "pass"


@trick
def tests_that_do_evil(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["source"] = "import os\nos._exit(0)"


@trick
def tests_deleted(notebook: Notebook) -> None:
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in tests_of(notebook)]


@trick
def tests_doubled(notebook: Notebook) -> None:
    notebook["cells"] += copy.deepcopy(tests_of(notebook))


@trick
def tests_doubled_and_passing_first(notebook: Notebook) -> None:
    doubles = copy.deepcopy(tests_of(notebook))
    for cell in doubles:
        cell["source"] = "pass"
    notebook["cells"] = doubles + notebook["cells"]


@trick
def tests_as_text(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["cell_type"] = "markdown"


@trick
def tests_as_raw_cells(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["cell_type"] = "raw"


@trick
def tests_of_no_known_kind(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["cell_type"] = "heading" if cell["id"] == "id3" else "zz"


@trick
def tests_without_source(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        del cell["source"]


@trick
def tests_without_marks(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["metadata"] = {}


@trick
def tests_renamed(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["metadata"]["nbgrader"]["grade_id"] += "_mine"


@trick
def tests_named_after_an_easy_one(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["metadata"]["nbgrader"]["grade_id"] = "test_area"


@trick
def extra_tests(notebook: Notebook) -> None:
    flags = {"grade": True, "solution": False, "locked": True, "schema_version": 3, "task": False, "points": 100}
    for number in range(20):
        extra = {"nbgrader": flags | {"grade_id": f"test_extra{number}"}}
        notebook["cells"].append({"cell_type": "code", "id": f"x{number}", "metadata": extra, "source": "pass"})


@trick
def outputs_made_up(notebook: Notebook) -> None:
    for cell in tests_of(notebook):
        cell["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "99"}, "metadata": {}}]
        cell["execution_count"] = 1


# ---- order, copies, names


@trick
def tests_before_everything(notebook: Notebook) -> None:
    tests = tests_of(notebook)
    notebook["cells"] = tests + [cell for cell in notebook["cells"] if cell not in tests]


@trick
def upside_down(notebook: Notebook) -> None:
    imports = [cell for cell in notebook["cells"] if cell["source"] == "import numpy as np"]
    notebook["cells"] = imports + [cell for cell in reversed(notebook["cells"]) if cell not in imports]


@trick
def answers_before_everything(notebook: Notebook) -> None:
    answers = solutions_of(notebook)
    notebook["cells"] = answers + [cell for cell in notebook["cells"] if cell not in answers]


@trick
def answers_after_everything(notebook: Notebook) -> None:
    answers = solutions_of(notebook)
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in answers] + answers


@trick
def answers_doubled(notebook: Notebook) -> None:
    notebook["cells"] += copy.deepcopy(solutions_of(notebook))


@trick
def ids_doubled(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["id"] = "same"


@trick
def ids_that_are_none(notebook: Notebook) -> None:
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = (None, 5, "", "x" * 1000, ["a"], {})[number % 6]


@trick
def cells_of_another_notebook(notebook: Notebook) -> None:
    flags = {"grade": True, "solution": False, "locked": True, "schema_version": 3, "task": False, "points": 2}
    for name in ("portions", "test_portions", "double"):
        other = {"nbgrader": flags | {"grade_id": name}}
        notebook["cells"].insert(0, {"cell_type": "code", "id": name, "metadata": other, "source": "pass"})


@trick
def plain_cells_deleted(notebook: Notebook) -> None:
    notebook["cells"] = graded(notebook)


@trick
def names_that_are_odd(notebook: Notebook) -> None:
    odd = ["../../etc/passwd", "x" * 100_000, "", "\0", "<script>", "free-0", "free-1", "=cmd()", "\ud800"]
    for name in odd:
        flags = {"nbgrader": {"grade_id": name, "grade": True, "solution": True, "points": 5}}
        notebook["cells"].append({"cell_type": "code", "id": "y", "metadata": flags, "source": "x = 1"})


# ---- formats


@trick
def format_3(notebook: Notebook) -> None:
    cells = notebook.pop("cells")
    for cell in cells:
        cell["input"] = cell.pop("source")
        cell["language"] = "python"
        cell["prompt_number"] = 1
    for cell in cells:
        if cell["cell_type"] == "markdown":
            cell["source"] = cell.pop("input")
    notebook |= {"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells, "metadata": {}}]}


@trick
def a_format_to_come(notebook: Notebook) -> None:
    notebook |= {"nbformat": 99, "nbformat_minor": "x"}


@trick
def no_format(notebook: Notebook) -> None:
    del notebook["nbformat"], notebook["nbformat_minor"], notebook["metadata"]


@trick
def metadata_gone_from_plain_cells(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        if not cell["metadata"]:
            del cell["metadata"]


@trick
def metadata_that_is_none(notebook: Notebook) -> None:
    notebook["metadata"] = [1]
    for number, cell in enumerate(c for c in notebook["cells"] if not c["metadata"]):
        cell["metadata"] = (None, [], "x", 5, {"nbgrader": []}, {"nbgrader": {"grade_id": [1]}})[number % 6]


@trick
def sources_in_lines(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)


@trick
def cells_that_are_none(notebook: Notebook) -> None:
    notebook["cells"][:0] = [None, 5, "x", [], {}, {"cell_type": "code"}, {"cell_type": ["code"], "source": "x"}]


@trick
def sources_that_are_none(notebook: Notebook) -> None:
    for source in (None, 5, [1, 2, 3], {"a": 1}, [["x"]], True):
        notebook["cells"].append({"cell_type": "code", "id": "z", "metadata": {}, "source": source})


@trick
def cells_within_cells(notebook: Notebook) -> None:
    notebook["cells"].append({"cell_type": "code", "cells": notebook["cells"][:1], "metadata": {}, "source": ""})
    notebook["worksheets"] = [{"cells": []}]


@trick
def windows_line_ends(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")


@trick
def spaces_at_every_end(notebook: Notebook) -> None:
    for cell in notebook["cells"]:
        cell["source"] = "\n\n" + cell["source"].replace("\n", "  \n") + "\n\n   \n"


@trick
def surrogates(notebook: Notebook) -> None:
    notebook["cells"].append({"cell_type": "code", "id": "s", "metadata": {}, "source": "x = '\ud800'"})
    notebook["cells"].append({"cell_type": "markdown", "id": "t", "metadata": {}, "source": "\udfff\u202e\0"})


@trick
def attachments_and_widgets(notebook: Notebook) -> None:
    notebook["metadata"]["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {"x": 1}}}
    notebook["cells"][0]["attachments"] = {"x.png": {"image/png": "zz"}}


# ---- kernels and magics


@trick
def another_kernel(notebook: Notebook) -> None:
    notebook["metadata"] = {"kernelspec": {"name": "bash", "language": "bash"}, "language_info": {"name": "R"}}


@trick
def a_kernel_of_its_own(notebook: Notebook) -> None:
    notebook["metadata"]["kernelspec"] = {"name": "../../evil", "argv": ["/bin/sh", "-c", "touch /tmp/attacked"]}


def cell_of(source: str) -> Callable[[Notebook], None]:
    def act(notebook: Notebook) -> None:
        notebook["cells"].insert(0, {"cell_type": "code", "id": "m", "metadata": {}, "source": source})

    return act


MAGICS = {
    "%%script python": "%%script python3\nprint('x')",
    "%%script false": "%%script false --no-raise-error\nx",
    "%%bash that kills": "%%bash\nkill -9 $PPID; kill -9 -1; true",
    "!cat of the course": "!cat /work/*/solutions/*/*.py ../source/*/*.ipynb ~/.ssh/* /etc/shadow /root/.bash_history",
    "%run of a source": "%run ../../source/tools/tools.ipynb",
    "%load": "%load ../../source/tools/tools.ipynb",
    "%%writefile outside": "%%writefile ../../gradebook.db\nx",
    "%reset": "%reset -f",
    "%%capture for ever": "%%capture\nimport sys\nsys.stdout = sys.stderr = None",
    "%config": "%config InteractiveShell.ast_node_interactivity = 'none'",
    "%alias": "%alias print echo\n%alias_magic t timeit\n%automagic on",
    "%debug and %pdb": "%pdb on\n1 / 0",
    "%autoawait off": "%autoawait off",
    "%gui": "%gui qt",
    "%store, %history, %save": "%history\n%save x 1\n%notebook x.ipynb",
    "%cd away": "%cd /",
}
TRICKS |= {f"magic {name}": cell_of(source) for name, source in MAGICS.items()}


# ---- what costs the answers themselves


def answers_deleted(notebook: Notebook) -> None:
    answers = solutions_of(notebook)
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in answers]


def answers_as_text(notebook: Notebook) -> None:
    for cell in solutions_of(notebook):
        cell["source"] = "Some words, not code."


def answers_without_source(notebook: Notebook) -> None:
    for cell in solutions_of(notebook):
        del cell["source"]


def no_cells(notebook: Notebook) -> None:
    notebook["cells"] = []


def exchanged(notebook: Notebook) -> None:
    """Each test carries the marks of its answer, and each answer those of its test."""
    for test, answer in zip(tests_of(notebook), solutions_of(notebook), strict=True):
        test["metadata"], answer["metadata"] = answer["metadata"], test["metadata"]


LOSSES = {act.__name__: act for act in (answers_deleted, answers_as_text, answers_without_source, no_cells, exchanged)}


# ---- files that are no notebooks

NO_NOTEBOOKS = {
    "nothing": b"",
    "spaces": b" \n\t " * 1000,
    "noughts": bytes(10_000),
    "a number": b"5",
    "a list": b"[]",
    "null": b"null",
    "an empty object": b"{}",
    "cells that are a number": b'{"cells": 5}',
    "cells that are an object": b'{"cells": {"a": 1}}',
    "worksheets that are text": b'{"worksheets": "x"}',
    "worksheets with cells that are a number": b'{"worksheets": [{"cells": 5}, {"cells": true}, {"cells": "x"}, 5]}',
    "cut short": b'{"cells": [{"cell_type": "code", "sour',
    "deep": b"[" * 500_000,
    "deep and whole": b"[" * 50_000 + b"]" * 50_000,
    "deep in a cell": b'{"cells": [' + b'{"cells": [' * 20_000,
    "a number without end": b'{"cells": [' + b"9" * 100_000 + b"]}",
    "an infinite exponent": b'{"cells": 1e999999999}',
    "NaN": b'{"cells": NaN}',
    "HTML": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "a zip": b"PK\x03\x04" + bytes(100),
    "a PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
    "Latin-1": '{"cells": [{"cell_type": "code", "source": "é"}]}'.encode("latin-1"),
    "half a surrogate in UTF-16": b"\xff\xfe\x00\xd8",
    "very many cells": b'{"cells": [' + b'{"cell_type":"code","source":""},' * 100_000 + b"1]}",
    "very many things that are no cells": b'{"cells": [' + b"0," * 500_000 + b"0]}",
    "very many empty lists": b'{"cells": [' + b"[]," * 300_000 + b"0]}",
    "too large": b" " * (21 << 20),
}
