"""Where things are in a course: chapters, exercise sources, bank, and nbgrader's own tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autograder.errors import CourseError


@dataclass(frozen=True)
class Course:
    """A folder that holds `solutions/` and, beside it, whatever is generated from it."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Course:
        """The course that `start` (default: the current folder) lies in."""
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / "solutions").is_dir():
                return cls(folder)
        raise CourseError(f"{here}: no folder `solutions` here or above: run this inside a course")

    def chapters(self) -> list[str]:
        """Every chapter that has at least one exercise notebook."""
        found = {source.parent.name for source in (self.root / "solutions").glob("*/*.py") if is_notebook(source)}
        return sorted(found)

    def sources(self, chapter: str) -> list[Path]:
        """The exercise notebooks of a chapter, as py:percent files, in alphabetical order."""
        found = [p for p in sorted((self.root / "solutions" / chapter).glob("*.py")) if is_notebook(p)]
        if not found:
            one = Path(chapter).stem
            homes = [home for home in self.chapters() if (self.root / "solutions" / home / f"{one}.py").is_file()]
            if homes:
                raise CourseError(f"{chapter}: is a notebook, not a chapter: name its chapter, {' or '.join(homes)}")
            known = ", ".join(self.chapters()) or "none"
            raise CourseError(f"solutions/{chapter}: no exercise notebooks there; chapters with some: {known}")
        return found

    def bank(self, chapter: str) -> Path:
        return self.root / "tests" / "misconceptions" / f"{chapter}.py"

    def record(self, chapter: str) -> Path:
        """What reference and bank answer to every question of a chapter, made by `autograder verify`."""
        return self.root / "tests" / "record" / f"{chapter}.json"

    def data(self, chapter: str) -> Path:
        """Files that are released beside the notebooks of a chapter, if it has any."""
        return self.root / "solutions" / chapter / "data"

    def student_notebooks(self, chapter: str) -> Path:
        return self.root / "chapters" / chapter / "exercises"


def is_notebook(source: Path) -> bool:
    """Whether a file under `solutions/` is a notebook (has a jupytext header) and not a plain module."""
    with source.open(encoding="utf-8") as lines:
        head = "".join(line for line, _ in zip(lines, range(12), strict=False))
    return head.startswith("# ---") and "jupytext" in head
