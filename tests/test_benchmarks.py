"""The page of the benchmarks and the README's three lines are what the kept results give."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import HERE, NAMES, README, SECTIONS, kept, page, summary, with_summary

ROOT = Path(__file__).parent.parent


def test_the_page_is_written_from_what_is_kept() -> None:
    text = (HERE / "README.md").read_text(encoding="utf-8")
    assert text == page(kept(), text), "run make bench ARGS=--write"
    more = page(kept(), f"{text}\n## By hand\n\nA table.\n")
    assert more == f"{text}\n## By hand\n\nA table.\n", "what somebody wrote by hand stays"


def test_the_lines_of_the_readme_are_those_of_the_results() -> None:
    readme = README.read_text(encoding="utf-8")
    lines = summary(kept())
    assert len(lines) == 3 and all("times as fast" in line for line in lines.values())
    assert with_summary(readme, lines) == readme, "run make bench ARGS=--write"
    changed = with_summary(readme, {"training a tokenizer": "1 CPU s | nobody: 2"})
    assert "| training a tokenizer | 1 CPU s | nobody: 2 |" in changed and len(changed.splitlines()) == len(
        readme.splitlines()
    )
    with pytest.raises(SystemExit, match=r"README\.md: one line should begin with \| flying"):
        with_summary(readme, {"flying": "fast"})


def test_what_is_guessed_is_told_with_its_difference() -> None:
    row = {"text": "a poem", "prompt": 9, "tokens": 9, "plain": 20.0, "drafted": 50.0, "offered": 8, "stood": 6}
    results = {"model": "m", "layout": "layout rows", "bound": 25.0, "rows": [row | {"differs": None}]}
    told = SECTIONS["drafting"][2](results)
    assert "| a poem | 20.0 | 50.0 | 2.00 | 6 of 8 | yes |" in told
    results["rows"] = [row | {"differs": {"at": 4, "apart": 3e-5}}]
    assert "up to token 4, where two logits are 3e-05 apart" in SECTIONS["drafting"][2](results)


def test_an_unknown_benchmark_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--only", "poems"], cwd=ROOT, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 2 and "poems: there are" in done.stderr and all(name in done.stderr for name in NAMES)


@pytest.mark.slow
def test_the_benchmark_of_guesses_runs_on_a_small_model(tmp_path: Path) -> None:
    out = tmp_path / "drafting.json"
    words = ["--quick", "--checkpoint", "solutions/llama/trained/austen", "--out", str(out)]
    command = [sys.executable, "-m", "benchmarks.drafting", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    rows = json.loads(out.read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 5 and all(row["plain"] > 0 and row["drafted"] > 0 for row in rows)
    assert rows[-2]["offered"] == 0, "a guess is read though none has been right"
    assert rows[-1]["stood"] == 0 < rows[-1]["offered"], "those of the last row are wrong where they are read"
