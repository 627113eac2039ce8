"""All figures with one command, `make bench`, which writes benchmarks/README.md and three lines of the README.

python -m benchmarks            a quarter of an hour on a quiet machine
python -m benchmarks --quick    three minutes: little texts, small shapes, a class of four; the pages stay as they are
python -m benchmarks --write    measures nothing, and writes the pages from what is kept under benchmarks/results/
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
NAMES = ("bpe", "llama", "drafting", "grader")
FULL = {
    "bpe": ["-m", "benchmarks.bpe", "--rounds", "3"],
    "llama": ["-m", "benchmarks.llama", "--rounds", "2"],
    "drafting": ["-m", "benchmarks.drafting"],
    "grader": ["benchmarks/grader.py", "--students", "40", "--sizes", "10", "200"],
}
QUICK = {
    "bpe": ["-m", "benchmarks.bpe", "--quick"],
    "llama": ["-m", "benchmarks.llama", "--quick", "--only", "260K"],
    "drafting": ["-m", "benchmarks.drafting", "--quick"],
    "grader": ["benchmarks/grader.py", "--students", "4", "--sizes", "4"],
}
OURS_BPE = ("pure Python", "NumPy", "tokenizers", "minbpe's algorithm")
PEERS = ("ours", "the notebook's", "habits of ports", "PyTorch", "Hugging Face")
Results = dict[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def figure(number: float) -> str:
    """Three digits."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"


def where(machine: Results) -> str:
    """The machine, its load and the day, in a line."""
    cpu = machine.get("cpu") or machine.get("processor")
    load = f", load {machine['load_before']:.1f} when it began" if "load_before" in machine else ""
    threads = f", {machine['threads']} thread" if "threads" in machine else ""
    return f"{cpu}, {machine['cores']} cores{load}{threads}; Python {machine['python']}; {machine['date']}"


def bpe(results: Results) -> str:
    rows = {(row["what"], row["language"], row["tool"], row["vocab_size"]): row for row in results["rows"]}
    columns = [(language, size) for language in ("en", "zh") for size in (512, 4096)]

    def seconds(tool: str, language: str, size: int) -> str:
        row = rows.get(("train", language, tool, size))
        return "" if row is None else ("~" if row.get("extrapolated") else "") + figure(row["cpu_seconds"])

    trained = [[tool, *(seconds(tool, *column) for column in columns)] for tool in OURS_BPE]
    paces = {(what, language, tool): row["bytes"] / row["cpu_seconds"] / 1e6
             for (what, language, tool, _), row in rows.items() if what == "encode"}  # fmt: skip
    tools = ("ours", "tiktoken", "tokenizers", "minbpe's algorithm")
    encoded = [[tool, *(figure(paces["encode", language, tool]) for language in ("en", "zh"))] for tool in tools]
    return "\n\n".join((
        "CPU seconds for training on 4.0 MB of English and 7.4 MB of Chinese. With `~`, the first merges were timed, "
        "and the rest worked out from the tokens that were left.",
        table(["training", *(f"{language} {size:,}" for language, size in columns)], trained),
        "Megabytes a CPU second for encoding, with 4,096 tokens:",
        table(["encoding", "en", "zh"], encoded),
    ))  # fmt: skip


def llama(results: Results) -> str:
    rows = {(row["group"], row["shape"], row["tool"], row["batch"]): row for row in results["rows"]}
    shapes, bounds = list(results["shapes"]), results["bound_tokens_per_second"]

    def line(group: str, tool: str, batch: int, name: str) -> list[str]:
        cells = [name]
        for shape in shapes:
            row = rows.get((group, shape, tool, batch))
            cells += [figure(row["prefill"]), figure(row["decode"])] if row else ["", ""]
        return cells

    bound = ["reading the weights once"]
    for shape in shapes:
        bound += ["", figure(bounds[shape][bound[0]])]
    lines = [bound, *(line("peers", tool, 1, tool) for tool in PEERS)]
    lines += [line("layouts", tool, 1, f"ours, {tool}") for tool in ("rows", "rows-blas", "columns")
              if ("layouts", shapes[0], tool, 1) in rows]  # fmt: skip
    lines += [line("peers", tool, 8, f"{tool}, 8 texts") for tool in ("ours", "PyTorch")]
    told = [
        table(["tokens a second", *(f"{shape} {what}" for shape in shapes for what in ("prefill", "decode"))], lines)
    ]
    if results["targets"]:
        goals = [[goal["target"], f"{goal['measured']:.2f}", "met" if goal["met"] else "missed"]
                 for goal in results["targets"]]  # fmt: skip
        told.append(table(["ratio in the same run, and what we aim at", "measured", ""], goals))
    if "layouts" in results:
        told.append("\n".join(f"- {shape}: {layout}." for shape, layout in results["layouts"].items()))
    return "\n\n".join(told)


def drafting(results: Results) -> str:
    def same(row: Results) -> str:
        other = row["differs"]
        return "yes" if other is None else f"up to token {other['at']}, where two logits are {other['apart']:.0e} apart"

    bound = results["bound"]
    lines = [[row["text"], figure(row["plain"]), figure(row["drafted"]), f"{row['drafted'] / bound:.2f}",
              f"{row['stood']} of {row['offered']}", same(row)] for row in results["rows"]]  # fmt: skip
    head = ["tokens a second", "plain", "with guesses", "of the bound", "guesses that stood", "the same text"]
    said = f"{results['model']}, {results['layout']}. Reading the weights once: {figure(bound)} a second."
    return f"{said}\n\n{table(head, lines)}"


def grader(results: Results) -> str:
    beside, notebooks = results["beside"], results["beside"]["notebooks_each"]
    count, stock = beside["students"], beside["stock"]

    def line(name: str, students: int, cost: Results) -> list[str]:
        pace = 60 * students / cost["wall"]
        times = pace / (60 * count / stock["wall"])
        return [name, figure(cost["wall"]), f"{pace:,.0f}", f"{times:.1f}", f"{cost['cpu'] / students:.2f}"]

    lines = [line(f"`nbgrader autograde`, {count} submissions", count, stock),
             line(f"`autograder grade`, the same {count}", count, beside["ours"])]  # fmt: skip
    lines += [line(f"`autograder grade`, {row['students']:,}", row["students"], row) for row in results["growth"]]
    equal = (
        "the same scores" if not beside["different_scores"] else f"other scores for {len(beside['different_scores'])}"
    )
    return "\n\n".join((
        f"The attention chapter, {notebooks} notebooks a submission, no two alike. Both gave {equal}.",
        table(["", "seconds", "submissions a minute", "times stock's pace", "CPU s each"], lines),
        f"Of the CPU seconds, {beside['own_cpu_a_submission']:.2f} are the students' own.",
    ))  # fmt: skip


SECTIONS = {
    "bpe": ("Tokenizers", "make bench-bpe", bpe),
    "llama": ("Writing text", "make bench-llama", llama),
    "drafting": ("Guessing ahead", "make bench-drafting", drafting),
    "grader": ("Grading a class", "make bench-grader", grader),
}
HEAD = """# What was measured, and how

`make bench` measures what is on this page and writes it, in a quarter of an hour. Each section has a command of
its own, too. Every table comes from one file under `results/`, from which the book's pages and the course's README
draw. Where a machine is shared, trust the ratios: peers take turns in one run, and what they give is compared.
"""


def by_hand(old: str) -> list[str]:
    """The sections of the page that no function here writes: they stay as they are, at its end."""
    titles = [title for title, _, _ in SECTIONS.values()]
    sections = re.split(r"^(?=## )", old, flags=re.MULTILINE)[1:]
    return [section.rstrip() + "\n" for section in sections if section.splitlines()[0][3:] not in titles]


def page(kept: dict[str, Results], old: str) -> str:
    parts = [HEAD]
    for name, results in kept.items():
        title, command, tell = SECTIONS[name]
        parts.append(f"## {title}\n\n`{command}`: {where(results['machine'])}\n\n{tell(results)}\n")
    return "\n".join([*parts, *by_hand(old)])


def summary(kept: dict[str, Results]) -> dict[str, str]:
    """The lines of README.md, by how they begin."""
    trained = {row["tool"]: row["cpu_seconds"] for row in kept["bpe"]["rows"]
               if (row["what"], row["language"], row["vocab_size"]) == ("train", "en", 4096)}  # fmt: skip
    paces = {row["tool"]: row["decode"] for row in kept["llama"]["rows"]
             if (row["group"], row["shape"], row["batch"]) == ("peers", "15M", 1)}  # fmt: skip
    ours, theirs = trained["NumPy"], trained["tokenizers"]
    mine, torches = paces["ours"], paces["PyTorch"]
    beside = kept["grader"]["beside"]
    grading, stock = beside["ours"]["wall"], beside["stock"]["wall"]
    return {
        "training a tokenizer, 4.0 MB of English, 4,096 tokens": f"{ours:.2f} CPU s | Hugging Face tokenizers: "
        f"{theirs:.2f} | {theirs / ours:.1f} times as fast",
        "writing with a model of 15M numbers, one text": f"{mine:.0f} tokens a CPU second | PyTorch: {torches:.0f} | "
        f"{mine / torches:.1f} times as fast",
        f"grading {beside['students']} submissions of three notebooks": f"{grading:.1f} s | `nbgrader autograde`: "
        f"{stock:.0f} s | {stock / grading:.1f} times as fast",
    }


def with_summary(readme: str, lines: dict[str, str]) -> str:
    """The README with these lines in place of those that begin with the same word."""
    for start, rest in lines.items():
        pattern = rf"^\| {start.split()[0]} .*\|$"
        if len(re.findall(pattern, readme, re.MULTILINE)) != 1:
            raise SystemExit(f"README.md: one line should begin with | {start.split()[0]}")
        readme = re.sub(pattern, lambda _, line=f"| {start} | {rest} |": line, readme, flags=re.MULTILINE)
    return readme


def with_pace(readme: str, beside: Results) -> str:
    """The README with the pace of grading in its sentence about it."""
    return re.sub(
        r"about \d+ times the pace",
        f"about {beside['stock']['wall'] / beside['ours']['wall']:.0f} times the pace",
        readme,
    )


def kept() -> dict[str, Results]:
    files = {name: HERE / "results" / f"{name}.json" for name in NAMES}
    return {name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.exists()}


def main(
    quick: Annotated[bool, typer.Option(help="A little of each, to see that it works. Nothing is kept.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Write the pages from what is kept.")] = False,
    only: Annotated[list[str] | None, typer.Option(help=f"{', '.join(NAMES)}; may be given again.")] = None,
) -> None:
    """Measure everything, and write benchmarks/README.md."""
    if unknown := set(only or ()) - set(NAMES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    with tempfile.TemporaryDirectory() as folder:
        for name in () if write else only or NAMES:
            words = (QUICK if quick else FULL)[name]
            if quick:
                words = [*words, "--to" if name == "grader" else "--out", f"{folder}/{name}.json"]
            print(f"\n== {SECTIONS[name][0]}: python {' '.join(words)}", flush=True)
            done = subprocess.run([sys.executable, *words], cwd=HERE.parent, check=False)
            if done.returncode:
                print(f"{name}: ended with {done.returncode}; what was kept of it stays", file=sys.stderr)
    if not quick:
        results = kept()
        file = HERE / "README.md"
        file.write_text(page(results, file.read_text(encoding="utf-8")), encoding="utf-8")
        readme = with_summary(README.read_text(encoding="utf-8"), summary(results))
        README.write_text(with_pace(readme, results["grader"]["beside"]), encoding="utf-8")
        print("\nwritten: benchmarks/README.md, and in README.md three lines and the pace of grading")


if __name__ == "__main__":
    typer.run(main)
