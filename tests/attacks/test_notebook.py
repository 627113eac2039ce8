"""Notebooks that were tampered with: flags, tags, points, tests, order, ids, formats, kernels, magics.

Half of the exercises are answered rightly. Whatever else was done to the notebook, that half is what it earns.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from attacks.gallery import ALL, GOOD, NONE, Gallery
from attacks.tampering import LOSSES, TRICKS

from autograder.errors import SubmissionError
from autograder.notebook.file import read_cells

HALF = {name: GOOD[name] for name in ("area", "apply", "Tally", "squeeze")}
EARNS = frozenset(HALF)


@pytest.mark.parametrize("name", TRICKS)
def test_a_notebook_that_was_tampered_with(gallery: Gallery, tmp_path: Path, name: str) -> None:
    notebook = gallery.notebook(HALF)
    TRICKS[name](notebook)
    path = tmp_path / "tools.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    outcome = gallery.run_file(path)
    assert outcome.earned == EARNS, (outcome.earned, outcome.messages, outcome.errors())


@pytest.mark.parametrize("name", LOSSES)
def test_without_answers(gallery: Gallery, tmp_path: Path, name: str) -> None:
    notebook = gallery.notebook(HALF)
    LOSSES[name](notebook)
    path = tmp_path / "tools.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert gallery.run_file(path).earned == NONE


def test_the_rest_is_told_of(gallery: Gallery, tmp_path: Path) -> None:
    notebook = gallery.notebook(GOOD)
    TRICKS["tests_deleted"](notebook)
    path = tmp_path / "tools.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    outcome = gallery.run_file(path)
    assert outcome.earned == ALL
    assert outcome.notes == [f"the cell test_{name} was missing" for name in GOOD]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_encodings(gallery: Gallery, tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "tools.ipynb"
    path.write_text(json.dumps(gallery.notebook(HALF)), encoding=encoding)
    if encoding == "utf-16-le":  # without a mark nobody can tell
        with pytest.raises(SubmissionError):
            read_cells(path)
    else:
        assert gallery.run_file(path).earned == EARNS


FILES = {
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


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_notebooks(tmp_path: Path, name: str) -> None:
    """Refused in one line, in bounded time, or read as a notebook without cells."""
    path = tmp_path / "tools.ipynb"
    path.write_bytes(FILES[name])
    start = time.process_time()
    said, cells = "", []
    try:
        cells = read_cells(path)
    except SubmissionError as error:
        said = str(error)
    assert cells == []
    assert len(said) < 200
    assert "\n" not in said
    assert time.process_time() - start < 5
