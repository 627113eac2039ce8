"""Similar code is found through a disguise, and two people who work alone are left in peace."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder.course.bank import load_bank
from autograder.course.course import Course
from autograder.grading.similarity import K, W, known_answers, similar_pairs, tokens
from autograder.notebook.rebuild import ours_from
from autograder.notebook.source import read_source

COURSE = Course(Path(__file__).parent.parent)

RELEASED = '''
def summarise(rows, width=3):
    """Counts, means and spreads of the rows."""
    raise NotImplementedError  # your code here
'''
ORIGINAL = '''
def summarise(rows, width=3):
    """Counts, means and spreads of the rows."""
    table = np.asarray(rows, dtype=float)
    counts = np.zeros(width, dtype=int)
    for row in table:
        counts[np.argmax(row)] += 1
    means = table.mean(axis=0, keepdims=True)
    centred = table - means
    spread = np.sqrt((centred ** 2).sum(axis=0) / max(len(table) - 1, 1))
    order = np.argsort(-counts, kind="stable")
    smallest, largest = table.min(), table.max()
    return {"counts": counts[order], "means": means[0][order], "spread": spread[order], "range": largest - smallest}
'''
# The same with other names, comments, layout and quotes, and the independent statements in another order.
DISGUISED = """
def summarise(rows, width=3):
    'Own work.'
    d = np.asarray( rows,
                    dtype = float )   # to an array
    mu = d.mean(axis=0, keepdims=True);  diff = d - mu
    lo, hi = d.min(), d.max()
    # now the deviations
    sd = np.sqrt( (diff**2).sum(axis=0) / max(len(d)-1, 1) )
    how_many = np.zeros(width, dtype=int)
    for one in d:
        how_many[np.argmax(one)] += 1     # one more
    rank = np.argsort(-how_many, kind='stable')
    return {'counts': how_many[rank], 'means': mu[0][rank], 'spread': sd[rank], 'range': hi-lo}
"""
# Another way to the same answer.
INDEPENDENT = """
def summarise(rows, width=3):
    n = len(rows)
    columns = list(zip(*rows))
    winners = [max(range(width), key=lambda j: row[j]) for row in rows]
    tally = {j: winners.count(j) for j in range(width)}
    ranked = sorted(tally, key=tally.get, reverse=True)
    averages = [sum(column) / n for column in columns]
    deviations = []
    for column, average in zip(columns, averages):
        variance = sum((x - average) ** 2 for x in column) / max(n - 1, 1)
        deviations.append(variance ** 0.5)
    flat = [x for row in rows for x in row]
    return dict(
        counts=np.array([tally[j] for j in ranked]),
        means=np.array([averages[j] for j in ranked]),
        spread=np.array([deviations[j] for j in ranked]),
        range=max(flat) - min(flat),
    )
"""


def pairs(answers: dict[str, str], **more: object) -> list[tuple[str, ...]]:
    found = similar_pairs({s: {"summarise": text} for s, text in answers.items()}, {"summarise": RELEASED}, **more)
    return [pair.students for pair in found]


def test_a_copy_is_found_through_names_comments_layout_and_order() -> None:
    found = similar_pairs(
        {"ann": {"summarise": ORIGINAL}, "bob": {"summarise": DISGUISED}, "cat": {"summarise": INDEPENDENT}},
        {"summarise": RELEASED},
    )
    assert [(pair.students, pair.exercises) for pair in found] == [(("ann", "bob"), ("summarise",))]
    assert 0.75 <= found[0].share < 1, "another order breaks the fingerprints that reach over its seams"


def test_padding_a_copy_does_not_hide_it() -> None:
    padded = ORIGINAL.replace("    order =", "    unused = [i * i for i in range(10) if i % 2]\n    order =")
    assert pairs({"ann": ORIGINAL, "bob": padded}) == [("ann", "bob")]


def test_what_was_released_or_is_known_counts_for_nobody() -> None:
    assert pairs({"ann": RELEASED, "bob": RELEASED}) == []
    assert pairs({"ann": ORIGINAL, "bob": ORIGINAL}) == [("ann", "bob")]
    assert pairs({"ann": ORIGINAL, "bob": ORIGINAL}, known={"summarise": [DISGUISED, ORIGINAL]}) == []
    given = similar_pairs({"ann": {"x": ORIGINAL}, "bob": {"x": ORIGINAL}}, {"x": ORIGINAL})
    assert given == [], "the answer was in the notebook that everybody got"


def test_short_obvious_functions_do_not_count() -> None:
    short = "def mean(x):\n    total = np.sum(x, axis=-1, keepdims=True)\n    return total / x.shape[-1]\n"
    assert similar_pairs({"ann": {"mean": short}, "bob": {"mean": short}}, {}) == []


def test_what_half_the_class_shares_counts_for_nobody() -> None:
    others = {f"s{i}": INDEPENDENT for i in range(2)}
    many = {f"t{i}": ORIGINAL for i in range(8)}
    assert [pair for pair in pairs(others | many) if pair[0] in many] == []
    assert pairs(others | many) == [("s0", "s1")]


def test_what_many_share_counts_less_than_what_two_share() -> None:
    """Two who agree stand before five who agree; a third of a large class is not a pair."""
    rng = random.Random(0)
    alone = {f"x{i}": invented(rng) for i in range(40)}
    five = {f"five{i}": ORIGINAL for i in range(5)}
    found = pairs(alone | five | {"two0": INDEPENDENT, "two1": INDEPENDENT})
    assert found[0] == ("two0", "two1")
    assert len(found) == 1 + 10
    assert pairs(alone | {f"ring{i}": ORIGINAL for i in range(20)}) == []


def solutions(notebooks: Iterable[Any]) -> dict[str, str]:
    cells = [
        cell for notebook in notebooks for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("solution")
    ]
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in cells}


def test_independent_right_answers_are_not_flagged() -> None:
    """The reference and the bank's right answers of the attention chapter, as if different students wrote them."""
    released = solutions(nbformat.read(p, as_version=4) for p in COURSE.student_notebooks("attention").glob("*.ipynb"))
    reference = solutions(map(read_source, COURSE.sources("attention")))
    bank = load_bank(COURSE.bank("attention"))
    answers = {e: [text, *(b.source for b in bank if b.exercise == e and b.is_right)] for e, text in reference.items()}
    assert set(released) == set(answers)
    most = max(map(len, answers.values()))
    assert most >= 3
    students = {f"s{i}": {e: texts[i] for e, texts in answers.items() if i < len(texts)} for i in range(most)}
    assert similar_pairs(students, released) == []


def test_a_known_mistake_made_twice_is_not_flagged() -> None:
    """A class that wrote what is in the bank, each answer typed by several, holds no pair to look at."""
    rng = random.Random(0)
    ours = [ours_from(read_source(path), path.stem) for path in COURSE.sources("attention")]
    known = known_answers(ours, COURSE.bank("attention"))
    assert min(map(len, known.values())) >= 6
    students = {f"s{i}": {e: rng.choice(texts) for e, texts in known.items()} for i in range(30)}
    assert similar_pairs(students, {}, known) == []


def test_tokens_are_what_a_disguise_leaves() -> None:
    one = tokens('def f(x, axis=-1):\n    """Say."""\n    e = np.exp(x)  # why\n    return e.sum(axis=axis)')
    other = tokens("def f(y,axis=-1):\n  z=np . exp( y );return z.sum( axis = axis )")
    assert one == other
    assert tokens("a.min()") != tokens("a.max()"), "a method cannot be renamed"
    assert tokens("self.cache = 1") == tokens("self.store = 1"), "an attribute of one's own class can"
    assert tokens("f(axis=0)") != tokens("f(keepdims=0)")
    assert tokens("x = 1.5e-9j") == ["name", "=", "1.5e-9j"]


@pytest.mark.parametrize(
    "text",
    ["", "\\", '"""', "'", '"""\\', "%time f()\n!ls", "def (((", "\x00\ud800", "f'{x!r:>{w}}'", "重み = 1", ")))" * 50],
    ids=repr,
)
def test_any_text_can_be_read(text: str) -> None:
    tokens(text)
    assert pairs({"ann": text, "bob": text}) == []


def test_a_hostile_text_costs_no_time() -> None:
    texts = ['"""\\' * 20_000, "'\\" * 100_000, "1e-" * 100_000, "(" * 500_000, '"' * 99_999, "#" * 500_000]
    started = time.process_time()
    pairs({str(i): text for i, text in enumerate(texts)})
    assert time.process_time() - started < 5


def test_a_shared_run_of_tokens_is_never_missed() -> None:
    """Winnowing's promise: K + W - 1 tokens in common are a fingerprint in common."""
    from autograder.grading.similarity import _Fingerprints

    rng = random.Random(0)
    words = ["+", "-", "*", "/", "(", ")", "if", "for", "1", "2", "3"]
    run = " ".join(rng.choices(words, k=K + W - 1))
    prints = _Fingerprints()
    for _ in range(200):
        one, other = (" ".join([*rng.choices(words, k=9), run, *rng.choices(words, k=9)]) for _ in range(2))
        assert prints.of(one) & prints.of(other)


def test_nobody_and_one_student() -> None:
    assert similar_pairs({}, {}) == []
    assert pairs({"ann": ORIGINAL}) == []
    assert similar_pairs({"ann": {}, "bob": {"summarise": ORIGINAL}}, {}) == []


def test_the_answer_does_not_depend_on_the_order_or_the_process() -> None:
    import subprocess
    import sys

    there = {"bob": DISGUISED, "ann": ORIGINAL, "cat": INDEPENDENT}
    assert pairs(there) == pairs(dict(reversed(there.items())))
    code = f"from autograder.grading.similarity import _Fingerprints; print(sorted(_Fingerprints().of({ORIGINAL!r})))"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 1


def invented(rng: random.Random, lines: int = 25) -> str:
    """An answer that nobody else has, in the language that everybody uses."""
    calls = ["np.exp", "np.sum", "np.dot", "np.where", "len", "max", "sorted", "zip", "range", "np.tanh"]
    names = "abcdefgh"

    def term() -> str:
        return rng.choice(
            [
                f"{rng.choice(calls)}({rng.choice(names)}, axis={rng.randrange(-2, 3)})",
                f"{rng.choice(names)}[{rng.choice(names)}:{rng.randrange(9)}]",
                f"{rng.choice(names)}.{rng.choice(['sum', 'mean', 'max', 'T', 'shape', 'copy'])}",
                f"({rng.choice(names)} {rng.choice(['+', '-', '*', '/', '@', '//'])} {rng.randrange(10)})",
            ]
        )

    body = [f"    {rng.choice(names)} = {term()} {rng.choice('+-*/@')} {term()}" for _ in range(lines)]
    return "\n".join(["def work(rows):", *body, f"    return {rng.choice(names)}"])


@pytest.mark.slow
def test_a_class_of_a_thousand_takes_seconds() -> None:
    """1,000 students, 15 exercises of 17 lines (more than the longest of the course), three pairs that copied."""
    rng = random.Random(0)
    students = {f"s{i:04}": {f"e{j}": invented(rng, lines=15) for j in range(15)} for i in range(1000)}
    copied = [("s0003", "s0700"), ("s0100", "s0101"), ("s0500", "s0999")]
    for n, (one, other) in enumerate(copied):
        for j in range(2 + n):
            students[other][f"e{j}"] = re.sub(r"\b[a-h]\b", r"\g<0>_", students[one][f"e{j}"])
    started = time.process_time()
    found = similar_pairs(students, {})
    seconds = time.process_time() - started
    assert [(pair.students, len(pair.exercises)) for pair in found] == [
        (pair, 2 + n) for n, pair in reversed(list(enumerate(copied)))
    ]
    assert seconds < 20, f"{seconds:.1f} CPU seconds, four times what it should take"
