"""What grading costs, beside stock `nbgrader autograde`: `make bench-grader`.

One class, made from the bank, every submission different. Both graders run on this machine in one go, one after the
other; then ours alone on classes of 10 to 1,000. Where scores differ, the program says so and ends with an error.

CPU seconds are the figure to trust where the machine is shared. "The student's own computation" is what the same cells,
tests included, cost when they run by plain `exec` in one warm process: that has to be done by any grader.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from autograder.course.course import Course
from autograder.course.sample import make_sample_class
from autograder.notebook.file import read_cells

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results" / "grader.json"
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
out = Console()

Cost = dict[str, float]  # wall and CPU seconds, and the peak of memory in bytes
Scores = dict[str, float]


def memory_of(pid: int) -> int:
    """Bytes held by a process and all below it; pages that several share are divided among them."""
    total, waiting = 0, [pid]
    while waiting:
        now = waiting.pop()
        try:
            for line in Path(f"/proc/{now}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
            for task in Path(f"/proc/{now}/task").iterdir():
                waiting += [int(n) for n in (task / "children").read_text().split()]
        except OSError:
            continue
    return total


def measured(command: list[str], cwd: Path) -> Cost:
    """What a command costs with everything that it starts; it must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = [0]

    def watch() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], memory_of(process.pid))
            time.sleep(0.5)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    errors = process.communicate()[1]
    watcher.join()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command[:4])} … failed:\n{errors.decode()[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall": time.perf_counter() - started, "cpu": cpu, "memory": float(peak[0])}


def make_class(folder: Path, chapter: str, students: int) -> Path:
    """A class in which no two submissions are alike, so that nothing is run once for two."""
    make_sample_class(Course(ROOT), chapter, folder, students=students, seed=1)
    for path in (folder / "class").glob("*/*.ipynb"):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code" and not cell["metadata"].get("nbgrader", {}).get("grade"):
                cell["source"] = f"# {path.parent.name}\n" + "".join(cell["source"])
        path.write_text(json.dumps(notebook), encoding="utf-8")
    return folder / "class"


def ours(classroom: Path, chapter: str, root: Path) -> tuple[Cost, Scores]:
    command = [sys.executable, "-m", "autograder.commands", "grade", str(classroom), "--chapter", chapter]
    cost = measured([*command, "--into", str(root)], ROOT)
    results = json.loads((root / "results.json").read_text(encoding="utf-8"))
    return cost, {row["student"]: row["score"] for row in results["rows"]}


def stock(graded: Path, chapter: str, students: list[str], root: Path) -> tuple[Cost, Scores]:
    """The same submissions by nbgrader's own command, kernel and configuration."""
    from nbgrader.api import Gradebook

    for tree in ("source", "release", "submitted"):
        shutil.copytree(graded / tree, root / tree)
    options = [f"--CourseDirectory.root={root}", "--course=course"]
    measured([sys.executable, "-m", "nbgrader", "generate_assignment", chapter, "--force", *options], root)
    cost = measured([sys.executable, "-m", "nbgrader", "autograde", chapter, *options], root)
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "course") as gradebook:
        return cost, {name: gradebook.find_submission(chapter, name).score for name in students}


FLOOR = """
import contextlib, io, json, sys, time
import numpy, scipy.special
notebooks = json.load(sys.stdin)
start = time.process_time()
for cells in notebooks:
    names = {"__name__": "__main__"}
    for source in cells:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                exec(compile(source, "cell", "exec"), names)
            except BaseException:
                pass
print(time.process_time() - start)
"""


def floor(graded: Path, chapter: str, students: int) -> float:
    """CPU seconds a submission for the cells alone."""
    paths = sorted((graded / "autograded").glob(f"*/{chapter}/*.ipynb"))
    notebooks = [[cell.source for cell in read_cells(path) if cell.kind == "code"] for path in paths]
    command = [sys.executable, "-c", FLOOR]
    environment = os.environ | ONE_THREAD
    done = subprocess.run(
        command, input=json.dumps(notebooks), env=environment, capture_output=True, text=True, check=True
    )
    return float(done.stdout) / students


def beside_stock(chapter: str, students: int, folder: Path) -> dict[str, Any]:
    classroom = make_class(folder / "beside", chapter, students)
    cost, scores = ours(classroom, chapter, folder / "ours")
    (folder / "stock").mkdir()
    stock_cost, stock_scores = stock(folder / "ours", chapter, list(scores), folder / "stock")
    return {
        "students": students,
        "notebooks_each": len(list((folder / "ours" / "release" / chapter).glob("*.ipynb"))),
        "ours": cost,
        "stock": stock_cost,
        "own_cpu_a_submission": floor(folder / "ours", chapter, students),
        "different_scores": {n: [scores[n], stock_scores[n]] for n in scores if scores[n] != stock_scores[n]},
    }


def growth(chapter: str, sizes: list[int], folder: Path) -> list[dict[str, float]]:
    found = []
    for size in track(sizes, description="classes of growing size", console=out):
        classroom = make_class(folder / f"class{size}", chapter, size)
        cost, _ = ours(classroom, chapter, folder / f"graded{size}")
        again, _ = ours(classroom, chapter, folder / f"graded{size}")
        found.append({"students": size, **cost, "again_wall": again["wall"]})
    return found


def show(results: dict[str, Any]) -> None:
    beside = results["beside"]
    n = beside["students"]
    table = Table("", "wall s", "CPU s", "submissions a minute", "CPU s a submission", "peak memory")
    for key, name in (("stock", "nbgrader autograde"), ("ours", "autograder grade")):
        cost = beside[key]
        pace = f"{60 * n / cost['wall']:.1f}"
        table.add_row(name, f"{cost['wall']:.1f}", f"{cost['cpu']:.1f}", pace, f"{cost['cpu'] / n:.2f}", mib(cost))
    out.print(table)
    out.print(f"{n} submissions of {beside['notebooks_each']} notebooks; scores that differ: "
              f"{beside['different_scores'] or 'none'}")  # fmt: skip
    out.print(f"throughput: {beside['stock']['wall'] / beside['ours']['wall']:.1f} times that of stock, start included")
    out.print(f"the student's own computation: {beside['own_cpu_a_submission']:.3f} CPU s a submission")
    if results["growth"]:
        columns = ("wall s", "a minute", "times stock's pace", "CPU s each", "peak memory", "again, nothing changed: s")
        table = Table("submissions", *columns)
        for row in results["growth"]:
            size = row["students"]
            pace = size / row["wall"]
            times = f"{pace * beside['stock']['wall'] / n:.1f}"
            table.add_row(f"{size:.0f}", f"{row['wall']:.1f}", f"{60 * pace:.0f}", times, f"{row['cpu'] / size:.2f}",
                          mib(row), f"{row['again_wall']:.1f}")  # fmt: skip
        out.print(table)


def mib(cost: Cost) -> str:
    return f"{cost['memory'] / 2**20:.0f} MiB"


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return {
        "processor": next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "?"),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "nbgrader": version("nbgrader"),
        "numpy": version("numpy"),
        "date": time.strftime("%Y-%m-%d"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What grading costs, beside stock nbgrader.")
    parser.add_argument("--chapter", default="attention")
    parser.add_argument("--students", type=int, default=100, help="size of the class that both graders grade")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 100, 1000], help="classes for ours alone")
    parser.add_argument("--to", type=Path, default=RESULTS, help="where the figures go")
    options = parser.parse_args()
    results: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="bench-grader-") as folder:
        with out.status("the same class, both graders"):
            results["beside"] = beside_stock(options.chapter, options.students, Path(folder))
        results["growth"] = growth(options.chapter, options.sizes, Path(folder))
    options.to.parent.mkdir(parents=True, exist_ok=True)
    options.to.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    show(results)
    out.print(f"written to {options.to}")
    raise SystemExit(1 if results["beside"]["different_scores"] else 0)


if __name__ == "__main__":
    main()
