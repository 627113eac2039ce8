"""A class made from the bank, so that the expected score of every submission is known.

Two of its students have the same answers to the longest exercises, which nobody else has: one took the other's, and
gave the variables other names. The class report finds them.
"""

from __future__ import annotations

import ast
import json
import random
import re
from pathlib import Path

from autograder.course.bank import Entry, load_bank
from autograder.course.course import Course
from autograder.course.release import build_student_notebooks
from autograder.notebook.file import cells_in
from autograder.notebook.graded import read_template
from autograder.notebook.points import test_points
from autograder.notebook.source import exercise_of, read_source

MARKER = re.compile(r"^[ \t]*### (BEGIN|END) SOLUTION[^\n]*\n?", re.M)
COPIED = 3  # answers that the pair has in common
WORDS = ("step", "part")  # how each of the two calls what is on the way to the result


def make_sample_class(course: Course, chapter: str, target: Path, *, students: int = 20, seed: int = 0) -> None:
    """Write `students` folders of notebooks, and what each should score, to `target`/expected.json."""
    rng = random.Random(seed)
    bank = load_bank(course.bank(chapter))
    blank = {p: read_template(p) for p in build_student_notebooks(course, chapter, target / "blank")}
    answers = {path.stem: _answers(path) for path in course.sources(chapter)}
    names = [f"student{number:02d}" for number in range(1, students + 1)]
    pair = dict(zip(random.Random(seed).sample(names, min(2, students)), WORDS, strict=False)) if students > 1 else {}
    longest = sorted((text for known in answers.values() for text in known.values()), key=len)[-COPIED:]
    expected: dict[str, dict[str, float]] = {}
    for student in names:
        skill = rng.random()
        expected[student] = {}
        folder = target / "class" / student
        folder.mkdir(parents=True, exist_ok=True)
        for path, notebook in blank.items():
            tests = test_points(cells_in(notebook, path.name))
            points = {exercise_of(test): worth for test, worth in tests.items()}
            cells = []
            for cell in notebook["cells"]:
                name = cell["metadata"].get("nbgrader", {}).get("grade_id")
                if name in points:
                    known = answers[path.stem]
                    source, correct = _attempt(name, cell["source"], known, bank, skill, rng)
                    if student in pair and known[name] in longest:
                        source, correct = spelled_out(known[name], pair[student]), True
                    expected[student][name] = points[name] if correct else 0.0
                    cell = cell | {"source": source}
                cells.append(cell)
            text = json.dumps(notebook | {"cells": cells}, indent=1, ensure_ascii=False)
            (folder / path.name).write_text(text, encoding="utf-8")
    (target / "expected.json").write_text(json.dumps(expected, indent=1), encoding="utf-8")


def _answers(source: Path) -> dict[str, str]:
    cells = read_source(source).cells
    solutions = {
        c.metadata.nbgrader.grade_id: c.source for c in cells if c.metadata.get("nbgrader", {}).get("solution")
    }
    return {name: MARKER.sub("", text) for name, text in solutions.items()}


def _attempt(
    name: str, stub: str, answers: dict[str, str], bank: list[Entry], skill: float, rng: random.Random
) -> tuple[str, bool]:
    """What a student of this skill writes for an exercise, and whether it is right."""
    mine = [entry for entry in bank if entry.exercise == name]
    right = [answers[name], *(as_typed(entry.source) for entry in mine if entry.is_right)]
    wrong = [stub, *(as_typed(entry.source) for entry in mine if not entry.is_right)]
    if rng.random() < 0.25 + 0.75 * skill:
        return rng.choice(right), True
    return rng.choice(wrong), False


def as_typed(source: str) -> str:
    """An entry of the bank without its docstring: it says what is wrong, and no student writes that above an answer."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        said = node.body[0] if isinstance(node, ast.FunctionDef | ast.ClassDef) else None
        alone = said is not None and len(node.body) == 1  # type: ignore[attr-defined]
        if isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant) and said.end_lineno and not alone:
            return "\n".join(lines[: said.lineno - 1] + lines[said.end_lineno :])
    return source


# ---- one answer, written in two ways that come to the same


def spelled_out(answer: str, word: str) -> str:
    """An answer that does the same, with a name, made from `word`, for each step on the way."""
    tree = ast.parse(answer)
    _Steps(word).visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


class _Steps(ast.NodeTransformer):
    """Takes statements apart: what an operation or a call works on gets a line of its own before it."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.count = 0

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        return self._apart(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        return self._apart(node)

    def visit_Return(self, node: ast.Return) -> list[ast.stmt]:
        return self._apart(node)

    def _apart(self, statement: ast.Assign | ast.AugAssign | ast.Return) -> list[ast.stmt]:
        if any(isinstance(node, ast.NamedExpr | ast.Yield | ast.YieldFrom) for node in ast.walk(statement)):
            return [statement]  # what stands there has to be done in its place
        before: list[ast.stmt] = []
        if statement.value is not None:
            self._name_operands(statement.value, before)
        return [*before, statement]

    def _name_operands(self, node: ast.AST, before: list[ast.stmt]) -> None:
        for field in OPERANDS.get(type(node), ()):
            found = getattr(node, field)
            if isinstance(found, list):
                setattr(node, field, [self._named(one, before) for one in found])
            else:
                setattr(node, field, self._named(found, before))

    def _named(self, node: ast.AST, before: list[ast.stmt]) -> ast.AST:
        """A name for an operation; its own operands have theirs first, in the order in which all are reckoned."""
        self._name_operands(node, before)
        if not isinstance(node, ast.BinOp | ast.Call | ast.Subscript):
            return node
        self.count += 1
        name = f"{self.word}{self.count}"
        before.append(ast.Assign([ast.Name(name, ast.Store())], node))
        return ast.Name(name, ast.Load())


OPERANDS: dict[type[ast.AST], tuple[str, ...]] = {
    ast.BinOp: ("left", "right"),
    ast.UnaryOp: ("operand",),
    ast.Call: ("func", "args", "keywords"),
    ast.keyword: ("value",),
    ast.Attribute: ("value",),
    ast.Subscript: ("value",),
    ast.Tuple: ("elts",),
}
