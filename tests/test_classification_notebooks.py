"""A solved notebook of the classification chapter runs from top to bottom, by itself and in less than a minute."""

from pathlib import Path

import jupytext
import nbclient
import nbformat
import pytest

from autograder.course.course import Course

COURSE = Course.find(Path(__file__).parent)
SOURCES = sorted((COURSE.root / "solutions" / "classification").glob("*.py"))
NOTEBOOKS = [source for source in SOURCES if "jupytext:" in source.read_text(encoding="utf-8")[:200]]
pytestmark = pytest.mark.slow

CLOCK = "import time\nprint(time.process_time())"


def test_there_are_notebooks() -> None:
    assert [source.stem for source in NOTEBOOKS] == ["cases", "data", "evidence", "pretraining"]


@pytest.mark.parametrize("source", NOTEBOOKS, ids=lambda source: source.stem)
def test_a_solved_notebook_runs_in_a_minute(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor's seconds, which do not hang on what else the machine does; the kernel has one thread."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    notebook = jupytext.read(source)
    notebook.cells.append(nbformat.v4.new_code_cell(CLOCK))
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    tests = [cell for cell in notebook.cells if cell.cell_type == "code" and "### BEGIN HIDDEN TESTS" in cell.source]
    assert tests and all(cell.execution_count for cell in tests)
    assert not list(tmp_path.iterdir()), "a notebook leaves nothing behind"
    seconds = float(notebook.cells[-1].outputs[0].text)
    assert seconds < 60, f"{source.stem} took {seconds:.0f} seconds of the processor"
    print(f"{source.stem}: {seconds:.1f} seconds")
