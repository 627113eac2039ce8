"""What the pages of the book take too long to compute: results that are kept, and the command that makes them.

    make page-results                                computes them all anew, some minutes
    make page-results ARGS=tokenization/beyond       those of one page

A page writes `kept = Kept("tokenization/beyond")`, and then `kept(function, *arguments)` where it would call
`function(*arguments)`: the function stands on the page, and its result in benchmarks/results/pages/, under the call as
it is written. `kept.again(function, *arguments)` calls it as well, and is for a slice of the work, a shorter text or
fewer steps: the page fails, and with it the book, as soon as its code no longer gives what is kept.

Kept are numbers, and texts that may be shared: nothing that was trained on the reviews goes into a file.
"""

import json
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "pages"
DRAFT = "COURSE_RESULTS_DRAFT"  # the file that a page which is computed anew writes its results to


class KeptError(Exception):
    """A result that is missing, or is no longer what the page computes; one line with the command that mends it."""


def agree(one: Any, other: Any, within: float) -> bool:
    """Whether two results are the same, numbers up to a share of `within`."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(agree(a, b, within) for a, b in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(agree(one[key], other[key], within) for key in one)
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=within)
    return type(one) is type(other) and bool(one == other)


class Kept:
    """The results of one page, such as `tokenization/beyond`."""

    def __init__(self, page: str, folder: Path = RESULTS) -> None:
        self.page, self.path = page, folder / f"{page}.json"
        self.draft = Path(os.environ[DRAFT]) if DRAFT in os.environ else None
        source = self.draft or self.path
        self.results: dict[str, Any] = {}
        if source.exists():
            self.results = json.loads(source.read_text(encoding="utf-8"))["results"]

    def __call__(self, function: Callable[..., Any], *arguments: str | float) -> Any:
        """What the call gave when the results were made: lists for tuples, and names of keys as texts."""
        call = f"{function.__name__}({', '.join(map(repr, arguments))})"
        if call not in self.results:
            if self.draft is None:
                raise self._error(call, "is not kept")
            self._compute(self.draft, call, function, arguments)
        return self.results[call]["value"]

    def again(self, function: Callable[..., Any], *arguments: str | float, within: float = 1e-6) -> Any:
        """The same, and computed once more: it must be what is kept."""
        value = self(function, *arguments)
        found = as_stored(function(*arguments))
        if not agree(found, value, within):
            call = f"{function.__name__}({', '.join(map(repr, arguments))})"
            raise self._error(call, f"is kept as {value!r:.80} and gives {found!r:.80} now")
        return value

    def _error(self, call: str, what: str) -> KeptError:
        return KeptError(f"{self.path.name}: {call} {what}: run make page-results ARGS={self.page}")

    def _compute(
        self, draft: Path, call: str, function: Callable[..., Any], arguments: tuple[str | float, ...]
    ) -> None:
        start = time.process_time()
        value = as_stored(function(*arguments))
        self.results[call] = {"cpu_seconds": round(time.process_time() - start, 1), "value": value}
        machine = {"python": platform.python_version(), "processor": platform.machine()}
        write(draft, {"command": f"make page-results ARGS={self.page}", "machine": machine, "results": self.results})


def write(path: Path, made: dict[str, Any]) -> None:
    """A result a line."""
    head = {key: value for key, value in made.items() if key != "results"}
    rows = (
        f"  {json.dumps(call, ensure_ascii=False)}: {json.dumps(row, ensure_ascii=False)}"
        for call, row in made["results"].items()
    )
    text = json.dumps(head, indent=1)[:-2] + ',\n "results": {\n' + ",\n".join(rows) + "\n }\n}\n"
    path.write_text(text, encoding="utf-8")


def as_stored(value: Any) -> Any:
    """What comes back when a value has been written to a file."""
    return json.loads(json.dumps(value))


def pages() -> list[str]:
    """The pages that keep results, by the name that they give."""
    names = []
    for path in sorted((ROOT / "chapters").glob("*/*.md")):
        name = path.relative_to(ROOT / "chapters").with_suffix("").as_posix()
        if f'Kept("{name}")' in path.read_text(encoding="utf-8"):
            names.append(name)
    return names


def make(page: str) -> None:
    """Run a page with everything computed, and put its results into their place once it has come to its end."""
    path, place = ROOT / "chapters" / f"{page}.md", RESULTS / f"{page}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    notebook = read_myst_markdown_notebook(path.read_text(encoding="utf-8"))
    client = NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(path.parent)}})
    try:
        client.execute(env=os.environ | {DRAFT: str(draft)})
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)


def main(only: Annotated[list[str] | None, typer.Argument(help="The pages; all, if none is named.")] = None) -> None:
    """Compute what the pages keep."""
    known = pages()
    for page in only or known:
        if page not in known:
            raise typer.BadParameter(f"no page {page!r} keeps results; there are {', '.join(known)}")
    for page in only or known:
        make(page)
        typer.echo(f"{page}: written")


if __name__ == "__main__":
    typer.run(main)
