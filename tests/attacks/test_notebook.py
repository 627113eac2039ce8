"""Notebooks that were tampered with: flags, tags, points, tests, order, ids, formats, kernels, magics.

Half of the exercises are answered rightly. Whatever else was done to the notebook, that half is what it earns.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from attacks.gallery import ALL, GOOD, NONE, Gallery
from attacks.tampering import LOSSES, NO_NOTEBOOKS, TRICKS

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


@pytest.mark.parametrize("name", NO_NOTEBOOKS)
def test_files_that_are_no_notebooks(tmp_path: Path, name: str) -> None:
    """Refused in one line, in bounded time, or read as a notebook without cells."""
    path = tmp_path / "tools.ipynb"
    path.write_bytes(NO_NOTEBOOKS[name])
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
