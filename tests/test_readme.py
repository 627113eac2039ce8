"""What the README says in numbers stands in the results that are kept, and its links lead somewhere."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"


def rows(name: str) -> list[dict]:
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]


def line(start: str) -> str:
    found = [text for text in README.splitlines() if text.startswith(f"| {start}")]
    assert len(found) == 1, f"{len(found)} lines of the README begin with {start}"
    return found[0]


def test_training_a_tokenizer():
    timed = {row["tool"]: row["cpu_seconds"] for row in rows("bpe")
             if (row["what"], row["language"], row.get("vocab_size")) == ("train", "en", 4096)}  # fmt: skip
    said = [f"{timed[name]:.2f}" for name in ("NumPy", "tokenizers")]
    assert re.findall(r"\d\.\d\d", line("training a tokenizer")) == said


def test_writing():
    paces = {row["tool"]: row["decode"] for row in rows("llama")
             if (row.get("group"), row["shape"], row["batch"]) == ("peers", "15M", 1)}  # fmt: skip
    said = [f"{paces[name]:.0f}" for name in ("ours", "PyTorch")]
    assert re.findall(r"\b\d{3}\b", line("writing with a model")) == said


def test_grading():
    beside = json.loads((RESULTS / "grader.json").read_text(encoding="utf-8"))["beside"]
    assert f"{beside['students']} submissions" in line("grading")
    assert f"{beside['ours']['wall']:.1f} s" in line("grading")
    assert f"{beside['stock']['wall']:.0f} s" in line("grading")
    assert f"about {beside['stock']['wall'] / beside['ours']['wall']:.0f} times the pace" in README


def test_every_path_and_notebook_is_there():
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert len(links) >= 4
    assert not [link for link in links if not (ROOT / link).exists()]
    notebooks = re.findall(r"^\| (\w+) \| (`.+?`) \|", README, re.MULTILINE)
    said = {(part, name) for part, names in notebooks for name in re.findall(r"`(\w+)`", names)}
    there = {(path.parent.parent.name, path.stem) for path in ROOT.glob("chapters/*/exercises/*.ipynb")}
    assert said == there


def test_the_first_screen_has_what_is_needed():
    """The book, for whom, two commands and three ways in, before the first heading of a section."""
    first = README.split("\n## ")[0]
    wanted = ["make course", "make test", "It is for people", "**Read.**", "**Solve.**", "**Teach.**"]
    assert [text for text in wanted if text not in first] == []
