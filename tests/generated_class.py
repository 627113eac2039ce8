"""A class made by chance from a seed: right, wrong, odd, broken and hostile work, with the row that each deserves.

What a row deserves is known from how the submission was made, never from the grader. `make fuzz-grader` grades such a
class of any size by the command itself, compares every row, and looks for what was left behind.
"""

from __future__ import annotations

import argparse
import copy
import csv
import itertools
import json
import os
import random
import re
import socket
import stat
import subprocess
import sys
import tempfile
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from attacks.gallery import ALL, ALWAYS, AREA, GOOD, LIED, LOUD, NONE, POINTS, mark, named, submissions, write_course
from attacks.tampering import LOSSES, NO_NOTEBOOKS, TRICKS

from autograder import folders
from autograder.course.release import build_student_notebooks
from autograder.engine import sandbox
from benchmarks.grader import memory_of

CHAPTER = "tools"
DUE = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
SECONDS = 30  # for one notebook
MARKER = "GENERATED_CLASS"  # in the environment of all that is started to grade the class
ROOT = Path(__file__).parents[1]
PAUSE = 0.5  # seconds between two looks at the memory

Notebook = dict[str, Any]


# ---- answers, by exercise

RIGHT: dict[str, list[str]] = {
    "area": [
        "area = lambda width, height: width * height\n",
        "def area(width, height):\n    total = height\n    total *= width\n    return total\n",
        "import operator\narea = operator.mul\n",
    ],
    "shares": [
        "def shares(counts):\n    return (counts / counts.sum()).tolist()\n",
        "def shares(counts):\n    total = 0\n    for count in counts.ravel():\n        total += count\n"
        "    return np.divide(counts, total)\n",
        "def shares(counts):\n    counts = counts.astype(float)\n    counts /= counts.sum()\n    return counts\n",
    ],
    "apply": [
        "def apply(function, items):\n    return list(map(function, items))\n",
        "def apply(function, items):\n    found = []\n    for item in items:\n        found.append(function(item))\n"
        "    return found\n",
        "def apply(f, xs):\n    return tuple(f(x) for x in xs)\n",
    ],
    "running": [
        "def running(stream):\n    from itertools import accumulate\n    return accumulate(stream)\n",
        "class running:\n    def __init__(self, stream):\n        self.stream, self.total = iter(stream), 0\n"
        "    def __iter__(self):\n        return self\n    def __next__(self):\n"
        "        self.total += next(self.stream)\n        return self.total\n",
    ],
    "Tally": [
        "class Tally:\n    def __init__(self, start):\n        self.counts = {**start}\n"
        "    def add(self, word):\n        self.counts.setdefault(word, 0)\n        self.counts[word] += 1\n"
        "        return self.counts[word]\n    def __len__(self):\n        return len(self.counts.keys())\n",
        "from collections import Counter\nclass Tally:\n    def __init__(self, start):\n"
        "        self.counts = Counter(start)\n    def add(self, word):\n        self.counts.update([word])\n"
        "        return self.counts[word]\n    __len__ = lambda self: len(self.counts)\n",
    ],
    "draw": [
        "def draw(rng, count):\n    drawn = rng.random(count)\n    drawn.sort()\n    return drawn\n",
        "def draw(rng, count):\n    return sorted(rng.random() for _ in range(count))\n",
    ],
    "squeeze": [
        "def squeeze(text):\n    words = text.split()\n    return ' '.join(words)\n",
        "def squeeze(text):\n    found = ''\n    for word in text.split():\n"
        "        found += (' ' if found else '') + word\n    return found\n",
    ],
}
WRONG: dict[str, list[str]] = {
    "area": [
        "def area(width, height):\n    return width + height\n",
        "def area(width, height):\n    return int(width * height)\n",
        "def area(width, height):\n    print(width * height)\n",
        "def area(width, height):\n    return 2 * (width + height)\n",
        "def area(width, height):\n    return str(width * height)\n",
        "def area(width, height):\n    return [width * height]\n",
    ],
    "shares": [
        "def shares(counts):\n    return counts / len(counts)\n",
        "def shares(counts):\n    return counts / counts.sum(axis=0)\n",
        "def shares(counts):\n    return counts / counts.max()\n",
        "def shares(counts):\n    return counts // counts.sum()\n",
        "def shares(counts):\n    return (counts / counts.sum()).ravel()[::-1]\n",
    ],
    "apply": [
        "def apply(function, items):\n    return [function(item) for item in reversed(items)]\n",
        "def apply(function, items):\n    return [function(item) for item in items for _ in range(2)][::2]\n",
        "def apply(function, items):\n    return [function] * len(items)\n",
        "def apply(function, items):\n    return [2 * item + 1 for item in items]\n",
        "def apply(function, items):\n    function(items)\n",
    ],
    "running": [
        "def running(stream):\n    all = list(stream)\n    return [sum(all[:n + 1]) for n in range(len(all))]\n",
        "def running(stream):\n    sum = 0\n    for number in stream:\n        yield sum\n        sum += number\n",
        "def running(stream):\n    return stream\n",
        "def running(stream):\n    return sum(stream)\n",
    ],
    "Tally": [
        GOOD["Tally"].replace("        return self.counts[word]\n", ""),
        GOOD["Tally"].replace("dict(start)", "{}"),
        GOOD["Tally"].replace("len(self.counts)", "sum(self.counts.values())"),
        GOOD["Tally"].replace("+ 1", "+ 2"),
        GOOD["Tally"].replace("self.counts", "self.seen"),
    ],
    "draw": [
        "def draw(rng, count):\n    return rng.random(count)\n",
        "def draw(rng, count):\n    return np.sort(rng.random(count))[::-1]\n",
        "def draw(rng, count):\n    return np.sort(np.random.default_rng(1).random(count))\n",
        "def draw(rng, count):\n    return np.sort(rng.random(count + 1)[:count])\n",
        "def draw(rng, count):\n    return np.sort(rng.normal(size=count))\n",
    ],
    "squeeze": [
        "def squeeze(text):\n    return text.strip()\n",
        "def squeeze(text):\n    return text.replace('  ', ' ')\n",
        "def squeeze(text):\n    return ' '.join(text.split(' '))\n",
        "def squeeze(text):\n    return ' '.join(str(text).split())\n",
        "def squeeze(text):\n    return '' if not text else ' '.join(text.split())\n",
    ],
}
# Worth nothing as any exercise's answer, and no other exercise's business. {0} is the name.
BROKEN = [
    "def {0}(:\n    return 1\n",
    "def {0}(*args):\nreturn 1\n",
    "def {0}（x）：\n    return x\n",
    "def {0}(*args):\n    return 'never ended\n",
    "def {0}(*args):\n    if args:\n\treturn 1\n        return 2\n",
    "raise ValueError('{0}')\n",
    "raise ValueError('\ud800 {0} \\ud800')\n",
    "def {0}(*args):\n    raise ValueError('\\ud800\\0\\x1b[31m')\n",
    "def {0}(*args):\n    return undefined_{0}(*args)\n",
    "def my_{0}(*args):\n    return 1\n",
    "def {0}(*args):\n    return {0}(*args)\n",
    "def {0}(*args):\n    import sys\n    sys.exit(0)\n",
    "def {0}(*args):\n    raise KeyboardInterrupt\n",
    "def {0}(*args):\n    import os\n    os._exit(0)\n",
    "import os\nos._exit(0)\n",
    "import sys\nsys.exit(0)\n",
    "{0} = None\n",
    "{0} = 12\n",
    "import no_such_module\ndef {0}(*args):\n    return 1\n",
    "%no_such_magic\n1 /\n",
    "\0",
    "# nothing but a comment\n",
    "I did not know how to do this one.\n",
    "<<<<<<< HEAD\ndef {0}(*args): return 1\n=======\n>>>>>>> mine\n",
    "def {0}(*args):\n    return input('what? ')\n",
    "class E(BaseException): pass\ndef {0}(*args):\n    raise E()\n",
    "def {0}(*args):\n    x = []\n    x.append(x)\n    return x\n",
    "def {0}(*args):\n    return type('Odd', (), {{'__eq__': lambda a, b: True}})()\n",
    "def {0}(*args):\n    return ...\n",
    "def {0}(*args):\n    ### BEGIN SOLUTION\n    pass\n    ### END SOLUTION\n",
]


# ---- one submission, and what it deserves


@dataclass
class Due:
    """The row that a submission deserves. `least` and `most` differ where an attack may cost its own author points."""

    least: frozenset[str] = NONE  # exercises earned for certain
    most: frozenset[str] = NONE  # those that may be earned at all
    statuses: frozenset[str] = frozenset({"graded"})
    late: bool = False
    time_unknown: bool = False

    def wrongs(self, row: Mapping[str, Any]) -> list[str]:
        """What is not as deserved in a row of `results.json`."""
        got = {e["exercise"]: e["points"] for e in row["exercises"]}
        earned = frozenset(name for name, points in got.items() if points)
        found = [f"points for {sorted(earned - self.most)}"] if earned - self.most else []
        found += [f"no points for {sorted(self.least - earned)}"] if self.least - earned else []
        found += [f"{got[name]} points for {name}" for name in earned if got[name] != POINTS.get(name)]
        found += [f"status {row['status']}"] if row["status"] not in self.statuses else []
        if got.keys() != ALL and not (row["status"] == "refused" and not got):
            found.append(f"exercises {sorted(got)}")
        late = any(i["kind"] == "late" for i in row["incidents"])
        wanted = 0 if self.late else sum(got.values())  # `zero` is the penalty
        found += [f"a score of {row['score']}, not {wanted}"] if row["score"] != wanted else []
        if row["status"] == "refused":
            found += [] if row["note"] else ["refused without a word"]
        else:
            found += [f"late: {late}"] if late is not self.late else []
            found += [] if ("not known" in row["note"]) is self.time_unknown else ["not told whether its time is known"]
        return found


@dataclass
class Made:
    """One student's delivery."""

    name: str  # as the folder on disk is called
    shown: str  # as a person sees it
    story: list[str] = field(default_factory=list)
    due: Due = field(default_factory=Due)


class Deck:
    """Deals all of its cards before any of them again, so that a large class meets everything."""

    def __init__(self, rng: random.Random, cards: Iterable[Any]) -> None:
        self.rng, self.cards, self.left = rng, list(cards), []

    def deal(self) -> Any:
        if not self.left:
            self.left = self.rng.sample(self.cards, len(self.cards))
        return self.left.pop()


HONEST = [(group, name) for group in ("noise", "notebooks", "broken cells", "styles", "types", "the machine")
          for name in submissions("honest", group)]  # fmt: skip
SHARED = {"multiprocessing", "a process pool", "queues and locks", "shared memory"}  # shut off without namespaces
TRICKY = [(group, name) for group in ("interpreter", "libraries", "liars", "exceptions")
          for name in submissions("tricks", group)]  # fmt: skip
HOARDS = [("cells", name) for name, attack in submissions("resources", "cells").items()
          if attack.note == "out of memory"]  # fmt: skip
LOADS = [(group, name) for group in ("cells", "calls") for name in submissions("resources", group)
         if (group, name) not in HOARDS]  # fmt: skip
KINDS = {
    "ordinary": 33, "garbled": 5, "scratched": 3, "mangled": 4, "honest": 14, "tampered": 10, "lossy": 2, "tricky": 12,
    "load": 4, "hoard": 1, "no_notebook": 4, "no_file": 4, "versions": 4, "format": 5,
}  # fmt: skip
FIRST = [kind for kind in KINDS if kind != "hoard"]  # one of each, but for those that take long
ANY = frozenset({"graded", "timed out", "crashed"})


class Generator:
    """Makes a class, one student after another, from a seed."""

    def __init__(self, blank: Path, folder: Path, seed: int) -> None:
        self.blank: Notebook = json.loads(blank.read_text(encoding="utf-8"))
        for cell in self.blank["cells"]:
            cell["source"] = "".join(cell["source"])
        self.folder = folder
        self.rng = random.Random(seed)
        self.kinds = Deck(self.rng, [kind for kind, count in KINDS.items() for _ in range(count)])
        self.kinds.left = self.rng.sample(FIRST, len(FIRST))
        self.decks: dict[str, Deck] = {}
        self.count = 0

    def deck(self, name: str, cards: Iterable[Any]) -> Any:
        """The next card of a deck that is made when it is first dealt from."""
        if name not in self.decks:
            self.decks[name] = Deck(self.rng, cards)
        return self.decks[name].deal()

    # One student.

    def student(self) -> list[Made]:
        """One delivery; or two, of students whose names are nearly the same."""
        self.count += 1
        found = [Made(name, shown) for name, shown in self.names()]
        for made in found:
            kind = self.kinds.deal()
            made.story.append(kind)
            getattr(self, f"make_{kind}")(made)
        return found

    def names(self) -> list[tuple[str, str]]:
        """A name that no other student has, as a folder's name and as it is shown; at times two that are twins."""
        n = f"{self.count:05d}"
        plain = f"student{n}"
        twins = (
            [(f"Ada{n}", f"Ada{n}"), (f"ada{n}", f"ada{n}")],
            [(unicodedata.normalize(form, f"Zoë{n}"), f"Zoë{n}") for form in ("NFC", "NFD")],
            [(f"Å{n}", f"Å{n}"), (f"å{n}", f"å{n}")],
            [(f"li wei {n}", f"li wei {n}"), (f"li_wei_{n}", f"li_wei_{n}")],
        )
        gbk = os.fsdecode(f"张伟{n}".encode("gbk"))
        one = (
            (gbk, "".join(c if c.isprintable() else "\ufffd" for c in gbk)),
            (f"张伟{n}", f"张伟{n}"),
            (f"Łukasz Żółć {n}", f"Łukasz Żółć {n}"),
            (f"محمد {n}", f"محمد {n}"),
            (f"🙂{n}", f"🙂{n}"),
            (f"O'Neill, Shaun ({n})", f"O'Neill, Shaun ({n})"),
            (f"a+b+{n}", f"a+b+{n}"),
            (f"-rf {n}", f"-rf {n}"),
            (f"{n}...", f"{n}..."),
            (f"<b>{n}<script>", f"<b>{n}<script>"),
            (f"=1+{n}", f"=1+{n}"),
            (f"%s{{{n}}}*?[a]", f"%s{{{n}}}*?[a]"),
            (f"con.{n}", f"con.{n}"),
            (f"new\nline\x1b[31m{n}", f"new\ufffdline\ufffd[31m{n}"),
            (f"right\u202eleft{n}", f"right\ufffdleft{n}"),
            (f"{n}.ipynb", f"{n}.ipynb"),
            (f"{n}" + "x" * 200, f"{n}" + "x" * 74 + "…"),
            (f"{n}" + "长" * 80, f"{n}" + "长" * 74 + "…"),
            (f"{n}@example.org", f"{n}@example.org"),
            (f" {n} ", f" {n} "),
            (f"tools {n}", f"tools {n}"),
            (f"C:\\{n}", f"C:\\{n}"),
            *((name, name) for name in (f"{n}_assignsubmission_file", f"{n}+{CHAPTER}+2026-11-01 10:00:00 UTC")),
            *((name, name) for name in (f"ada_{n}_{n}_{CHAPTER}", f"Ada_{n}_assignsubmission_file_")),
        )
        draw = self.rng.random()
        if draw < 0.05:
            return twins[self.deck("twins", range(len(twins)))]
        return [one[self.deck("names", range(len(one)))] if draw < 0.35 else (plain, plain)]

    # Where the files go, and when they came.

    def place(self, made: Made) -> Path:
        """The folder for a student's files: their own, or one in it with nbgrader's note of the time."""
        folder = self.folder / made.name
        folder.mkdir()
        made.due.time_unknown = True
        if self.rng.random() < 0.4:
            if self.rng.random() < 0.7:
                folder = folder / CHAPTER
                folder.mkdir()
            self.time(made, folder)
        return folder

    def time(self, made: Made, folder: Path) -> None:
        """A timestamp.txt, in a zone that is understood or not."""
        file = folder / "timestamp.txt"
        if self.rng.random() < 0.25:
            text = self.deck("garbage", GARBAGE)
            made.story.append(f"time {text[:40]!r}")
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
            return
        seconds = self.rng.choice([-400_000, -86_400, -3_700, -61, -2, 2, 61, 3_700, 86_400, 400_000])
        moment = DUE + timedelta(seconds=seconds)
        text = self.deck("zones", ZONES)(moment)
        made.story.append(f"time {text!r}")
        file.write_text(text, encoding="utf-8")
        made.due.time_unknown, made.due.late = False, seconds > 0

    # Notebooks.

    def filled(self, answers: Mapping[str, str], before: str = "", after: str = "") -> Notebook:
        """The blank notebook with these answers, a cell at the top and one at the end."""
        notebook = copy.deepcopy(self.blank)
        for cell in notebook["cells"]:
            name = cell["metadata"].get("nbgrader", {}).get("grade_id")
            cell["source"] = answers.get(name, cell["source"])
        notebook["cells"][:0] = [code_cell(before, "before")] if before else []
        notebook["cells"] += [code_cell(after, "after")] if after else []
        if self.rng.random() < 0.9:  # the others' work is the same as somebody else's, to the letter
            notebook["cells"].append(code_cell(f"# student {self.count}\n", "own"))
        return notebook

    def answers(self, broken: bool = True) -> tuple[dict[str, str], frozenset[str]]:
        """An answer to most exercises, and which are right."""
        found, earned = {}, set()
        for name in GOOD:
            draw = self.rng.random()
            if draw < 0.6:
                found[name] = self.deck(f"right {name}", [GOOD[name], *RIGHT[name]])
                earned.add(name)
            elif draw < 0.75:
                found[name] = self.deck(f"wrong {name}", WRONG[name])
            elif draw < 0.9 and broken:
                found[name] = self.deck("broken", BROKEN).format(name)
        return found, frozenset(earned)

    def garbled(self, text: str) -> str:
        """A text in which some characters are another, doubled or lost."""
        for _ in range(self.rng.randint(1, 3)):
            place = self.rng.randrange(len(text))
            put = self.rng.choice(["", text[place] * 2, *" \n\t()[]:=+'\"0x_é好\u200b\u2028\0"])
            text = text[:place] + put + text[place + 1 :]
        return text

    def write(self, made: Made, notebook: Notebook, due: Due | None = None) -> None:
        """A notebook, in one of the ways in which one is handed in."""
        if due:
            made.due.least, made.due.most, made.due.statuses = due.least, due.most, due.statuses
        text = json.dumps(notebook)
        way = self.deck("ways", WAYS)
        made.story.append(f"handed in as {way}")
        if way == "a zip":
            made.due.time_unknown = True
            with zipfile.ZipFile(self.folder / f"{made.name}.zip", "w") as archive:
                archive.writestr(self.rng.choice(["tools.ipynb", "my work/tools.ipynb"]), text)
            return
        folder = self.place(made)
        if way == "a zip in the folder":
            with zipfile.ZipFile(folder / "work.zip", "w") as archive:
                archive.writestr("tools.ipynb", text)
                archive.writestr("../../escaped.ipynb", text)
        elif way == "a name of its own":
            (folder / "homework (final) ✓.ipynb").write_text(text, encoding="utf-8")
        else:
            (folder / "tools.ipynb").write_text(text, encoding="utf-8")
        if way == "files beside it":
            (folder / "notes.txt").write_text("x", encoding="utf-8")
            (folder / ".DS_Store").write_bytes(b"\0\0")
            os.mkfifo(folder / "pipe.ipynb")
            (folder / "elsewhere.ipynb").symlink_to("/etc/passwd")
            (folder / "tools.py").write_text("import os\nos._exit(0)\n", encoding="utf-8")
            (folder / ".ipynb_checkpoints").mkdir()
            (folder / ".ipynb_checkpoints" / "tools-checkpoint.ipynb").write_text("{", encoding="utf-8")

    # The kinds of submissions.

    def make_ordinary(self, made: Made) -> None:
        answers, earned = self.answers()
        made.story.append(f"answers {answers}")
        self.write(made, self.filled(answers), Due(earned, earned))

    def make_garbled(self, made: Made) -> None:
        """One answer has slips of the pen in it: nobody knows what it is worth, and it costs no other its points."""
        answers, earned = self.answers(broken=False)
        name = self.deck("garbled", GOOD)
        answers[name] = self.garbled(GOOD[name])
        made.story.append(f"{name} garbled, answers {answers}")
        self.write(made, self.filled(answers), Due(earned - {name}, earned | {name}, ANY))

    def make_scratched(self, made: Made) -> None:
        """Some characters of the file are others: it is refused or graded, and nothing else is known."""
        text = self.garbled(json.dumps(self.filled(self.answers()[0])))
        made.story.append("scratched")
        (self.place(made) / "tools.ipynb").write_text(text, encoding="utf-8")
        made.due.most, made.due.statuses = ALL, ANY | {"refused"}

    def mangled(self, notebook: Notebook) -> Any:
        """A notebook with something else, or in another place, or twice, at some places of its structure."""
        for _ in range(self.rng.choice([1, 1, 2, 5])):
            *way, last = self.rng.choice(list(places(notebook)))
            inside = notebook
            for step in way:
                inside = inside[step]
            draw = self.rng.random()
            if draw < 0.8:
                inside[last] = copy.deepcopy(self.rng.choice(ODD_VALUES))
            elif isinstance(inside, list):
                inside.insert(0, copy.deepcopy(inside[last]))
            else:
                inside[self.rng.choice(FIELDS)] = inside.pop(last)
        return notebook

    def make_mangled(self, made: Made) -> None:
        """The structure of the file is another; what that is worth is not known."""
        notebook = self.filled(self.answers(broken=False)[0])
        if self.rng.random() < 0.5:
            TRICKS["format_3"](notebook)
        text = json.dumps(self.mangled(notebook))
        made.story.append("mangled")
        (self.place(made) / "tools.ipynb").write_text(text, encoding="utf-8")
        made.due.most, made.due.statuses = ALL, ANY | {"refused"}

    def make_honest(self, made: Made) -> None:
        group, name = self.deck("honest", HONEST)
        made.story.append(f"{group}: {name}")
        work = submissions("honest", group)[name]
        lost = frozenset(work.answers or ALL) if name in SHARED and not sandbox.probe().namespaces else NONE
        self.write(made, self.filled(GOOD | work.answers, work.before, work.after), Due(ALL - lost, ALL))

    def make_tampered(self, made: Made) -> None:
        name = self.deck("tampered", TRICKS)
        answers, earned = self.answers(broken=False)
        answers |= {one: GOOD[one] for one in earned}
        made.story.append(f"{name}, answers {answers}")
        notebook = self.filled(answers)
        TRICKS[name](notebook)
        if name == "plain_cells_deleted":  # the import of numpy among them, without which the student's own run fails
            earned -= {one for one in earned if "np." in answers[one]}
        self.write(made, notebook, Due(earned, earned))

    def make_lossy(self, made: Made) -> None:
        name = self.deck("lossy", LOSSES)
        made.story.append(name)
        notebook = self.filled(GOOD)
        LOSSES[name](notebook)
        # Without cells of ours and without our name, nobody can tell what it is.
        self.write(made, notebook, Due(statuses=frozenset({"graded", "refused"} if name == "no_cells" else {"graded"})))

    def make_tricky(self, made: Made) -> None:
        group, name = self.deck("tricky", TRICKY)
        made.story.append(f"{group}: {name}")
        trick = submissions("tricks", group)[name]
        lies = group in ("liars", "exceptions")
        answers = {"area": GOOD["area"], **(LIED if lies else {}), **trick.answers}
        before = (ALWAYS if group == "liars" else "") + trick.before
        least = NONE if trick.note == "may lose area" else AREA
        self.write(made, self.filled(answers, before, trick.after), Due(least, AREA, ANY))

    def make_load(self, made: Made) -> None:
        self._attack(made, *self.deck("loads", LOADS))

    def make_hoard(self, made: Made) -> None:
        self._attack(made, *self.deck("hoards", HOARDS))

    def _attack(self, made: Made, group: str, name: str) -> None:
        """An attack on the machine in a cell, or in the answer to `apply`; all else is right."""
        made.story.append(f"{group}: {name}")
        attack = submissions("resources", group)[name]
        due = ALL if group == "cells" else ALL - {"apply"}
        self.write(made, self.filled(GOOD | attack.answers, LOUD + attack.before), Due(due, due, ANY))

    def make_no_notebook(self, made: Made) -> None:
        """A file that is called a notebook and is none: refused, or graded as one without cells."""
        name = self.deck("no notebooks", [*NO_NOTEBOOKS, "cut"])
        made.story.append(name)
        content = NO_NOTEBOOKS.get(name)
        if content is None:
            whole = json.dumps(self.filled(GOOD)).encode()
            content = whole[: self.rng.randrange(2, len(whole) - 2)]
        (self.place(made) / "tools.ipynb").write_bytes(content)
        made.due.statuses = frozenset({"refused"} if name in REFUSED else {"refused", "graded"})

    def make_no_file(self, made: Made) -> None:
        """Something that is not even a file, or a folder without a notebook."""
        what = self.deck("no files", NO_FILES)
        made.story.append(what)
        folder = self.place(made)
        file = folder / "tools.ipynb"
        if what == "link":
            file.symlink_to(ROOT / "tests" / "attacks" / "gallery.py")
        elif what == "link to a right one":
            good = self.folder.parent / "good.ipynb"
            good.write_text(json.dumps(self.filled(GOOD)), encoding="utf-8")
            file.symlink_to(good)
        elif what == "link to itself":
            file.symlink_to("tools.ipynb")
        elif what == "link to a folder":
            file.symlink_to("/proc/self", target_is_directory=True)
        elif what == "pipe":
            os.mkfifo(file)
        elif what == "socket":
            self._socket(folder)
        elif what == "device":
            if os.geteuid() == 0:
                os.mknod(file, stat.S_IFCHR | 0o666, os.makedev(1, 5))
            else:
                file.symlink_to("/dev/zero")
        elif what == "folder":
            file.mkdir()
        elif what == "text":
            (folder / "answers.txt").write_text("42", encoding="utf-8")
        elif what == "script":
            (folder / "tools.py").write_text(GOOD["area"], encoding="utf-8")
        elif what == "broken zip":
            (folder / "work.zip").write_bytes(b"PK\x03\x04" + bytes(50))
        elif what == "zip of links":
            with zipfile.ZipFile(folder / "work.zip", "w") as archive:
                info = zipfile.ZipInfo("tools.ipynb")
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(info, "/etc/passwd")
        elif what == "zip that leads out":
            with zipfile.ZipFile(folder / "work.zip", "w") as archive:
                archive.writestr("../../../tools.ipynb", json.dumps(self.filled(GOOD)))
        elif what == "deep folders":
            deep = folder / "/".join("d" * 20)
            deep.mkdir(parents=True)
            (deep / "tools.ipynb").write_text(json.dumps(self.filled(GOOD)), encoding="utf-8")
        made.due.statuses = frozenset({"refused"})

    def _socket(self, folder: Path) -> None:
        listening = socket.socket(socket.AF_UNIX)
        here = os.open(folder, os.O_RDONLY)  # a socket's name must be short
        listening.bind(f"/proc/self/fd/{here}/tools.ipynb")
        os.close(here)
        listening.close()  # its name stays

    def make_versions(self, made: Made) -> None:
        """Several files of one notebook. The name without a counter counts, unless it cannot be read."""
        first, other = self.answers(), self.answers()
        names = ["tools.ipynb", *self.rng.sample(["tools-1.ipynb", "tools (2).ipynb", "tools-Copy3.ipynb"], 2)]
        folder = self.place(made)
        cut = self.rng.random() < 0.4
        made.story.append(f"versions {names}{', the first cut' if cut else ''}: {first[0]}, then {other[0]}")
        text = json.dumps(self.filled(first[0]))
        (folder / names[0]).write_text(text[: len(text) // 2] if cut else text, encoding="utf-8")
        for name in names[1:]:
            (folder / name).write_text(json.dumps(self.filled(other[0])), encoding="utf-8")
        made.due.least = made.due.most = other[1] if cut else first[1]

    def make_format(self, made: Made) -> None:
        """A notebook of an older or later format, of another program, or in another encoding."""
        what = self.deck("formats", FORMATS)
        answers, earned = self.answers(broken=False)
        made.story.append(f"{what}, answers {answers}")
        notebook = self.filled(answers)
        encoding = "utf-8"
        if what.startswith("4."):
            notebook["nbformat_minor"] = int(what[2:])
            for cell in notebook["cells"]:
                del cell["id"]
        elif what == "3":
            TRICKS["format_3"](notebook)
        elif what.startswith("utf"):
            encoding = what
        elif what == "metadata lost":
            for cell in notebook["cells"]:
                cell["metadata"] = {}
        elif what == "large outputs":
            output = {"output_type": "stream", "name": "stdout", "text": "x" * 3_000_000}
            notebook["cells"][-1]["outputs"] = [output]
        elif what == "lines":
            TRICKS["sources_in_lines"](notebook)
        elif what == "not escaped":
            notebook["cells"].append(code_cell("x = '好 ñ 🙂'\n", "late"))
        elif what == "other kernel":
            notebook["metadata"]["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
        text = json.dumps(notebook, ensure_ascii=what != "not escaped", indent=1)
        (self.place(made) / "tools.ipynb").write_text(text, encoding=encoding)
        made.due.least = made.due.most = earned


UNCLEAN = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\u202a-\u202e\u2066-\u2069]|<script>alert|<img src=x")
WAYS = ["a folder"] * 12 + ["a zip", "a zip in the folder", "a name of its own", "files beside it"]
NO_FILES = [
    "link", "link to a right one", "link to itself", "link to a folder", "pipe", "socket", "device", "folder", "text",
    "script", "nothing", "broken zip", "zip of links", "zip that leads out", "deep folders",
]  # fmt: skip
FORMATS = [
    "3", "4.0", "4.1", "4.2", "4.3", "4.4", "utf-8-sig", "utf-16", "metadata lost", "large outputs", "lines",
    "not escaped", "other kernel",
]  # fmt: skip
REFUSED = {"nothing", "spaces", "noughts", "a number", "a list", "null", "cut short", "cut", "deep", "HTML", "a zip",
           "a PNG", "Latin-1", "half a surrogate in UTF-16", "too large"}  # fmt: skip
GARBAGE = [
    "tomorrow", "2026-13-01 00:00:00 UTC", "2026-11-01 25:00 UTC", "2026-11-01", "2026-11-01T00:00:00 zzz",
    "2026-11-01 00:00:00 +9959", "0001-01-01 00:00:00 Japan", "9999-12-31 23:59:59 -1200", "2026-11-01 00:00:00 CST",
    "2026-11-01 00:00:00 ../../etc/passwd", "\0", "x" * 5000, "\ud800", "2026-11-01 00:00 UTC UTC", "",
    "٢٠٢٦-11-01 00:00", "1e400", "2026-11-01 00:00:00 America",
]  # fmt: skip


def _in(zone: str) -> Callable[[datetime], str]:
    return lambda moment: f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S.%f} {zone}"


def _by_hours(hours: int, form: str) -> Callable[[datetime], str]:
    return lambda moment: f"{moment + timedelta(hours=hours):%Y-%m-%d %H:%M:%S} " + form


ZONES: list[Callable[[datetime], str]] = [
    lambda moment: f"{moment:%Y-%m-%d %H:%M:%S.%f} UTC",
    lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}Z",
    lambda moment: f"  {moment:%Y-%m-%d %H:%M:%S}\n",
    lambda moment: f"{moment:%Y-%m-%d %H:%M:%S} GMT",
    *map(_in, ("America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati")),
    _by_hours(2, "+0200"),
    _by_hours(-8, "-08"),
    _by_hours(14, "+14:00"),
    _by_hours(-12, "-1200"),
]


ODD_VALUES: list[Any] = [
    None, 0, -1, 1e308, 2**70, True, False, float("nan"), "", "x", "\ud800", "\0", "x" * 300, "test_area", "area",
    "code", "markdown", "raw", "heading", [], {}, [[]], [None], ["a", 5, None], {"a": 1}, {"cells": 5}, [{"cells": 5}],
    {"cell_type": "code", "source": "1"},
]  # fmt: skip
FIELDS = ["source", "input", "cell_type", "metadata", "nbgrader", "cells", "worksheets", "grade_id", "points", "id"]


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a value of JSON."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, found in inside:
        yield (*way, step)
        yield from places(found, (*way, step))


def code_cell(source: str, name: str) -> dict[str, Any]:
    return {"cell_type": "code", "id": name, "metadata": {}, "source": source, "outputs": [], "execution_count": None}


# ---- a class, graded and compared


@dataclass
class Class:
    """Students' deliveries on disk, and the course that they are for."""

    root: Path
    students: list[Made]

    @property
    def folder(self) -> Path:
        return self.root / "class"


def make_class(root: Path, students: int, seed: int) -> Class:
    """A course, and a class of (at least) so many students, from a seed."""
    course = write_course(root / "course")
    blank = build_student_notebooks(course, CHAPTER, root / "blank")[0]
    (root / "class").mkdir()
    generator = Generator(blank, root / "class", seed)
    made: list[Made] = []
    while len(made) < students:
        made += generator.student()
    return Class(root, made)


@dataclass
class Graded:
    """What came of grading a class: what is not as deserved, what was left behind, and what it took."""

    code: int
    output: str
    wrongs: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    memory: int = 0  # bytes, at the most, with all processes of the students'
    own: int = 0  # bytes, at the most, of the grading process itself

    @property
    def fine(self) -> bool:
        return self.code == 0 and not self.wrongs and not self.left


def grade(made: Class, workers: int | None = None) -> Graded:
    """Grade a class by the command; all that it needs for a while has a place of its own, which must be empty after."""
    into, scratch = made.root / "graded", made.root / "scratch"
    into.mkdir()
    scratch.mkdir()
    (into / "nbgrader_config.py").write_text(
        (ROOT / "nbgrader_config.py").read_text(encoding="utf-8")
        + '\nget_config().LateSubmissionPlugin.penalty_method = "zero"\n',
        encoding="utf-8",
    )
    sign = str(made.root)
    environment = os.environ | {"TMPDIR": str(scratch), MARKER: sign, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "autograder.commands", "grade", str(made.folder), "--chapter", CHAPTER]
    command += ["--into", str(into), "--due", f"{DUE:%Y-%m-%d %H:%M} UTC", "--seconds", str(SECONDS)]
    command += ["--workers", str(workers)] if workers else []
    mounts = mounted()
    started = time.monotonic()
    with (made.root / "output").open("w+b") as output:
        process = subprocess.Popen(command, cwd=made.root / "course", env=environment, stdout=output, stderr=output)
        memory = own = 0
        while process.poll() is None:
            memory, own = max(memory, memory_of(process.pid)), max(own, peak_of(process.pid))
            time.sleep(PAUSE)
        seconds = time.monotonic() - started
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
        if process.returncode == 0:
            command = [sys.executable, "-m", "autograder.commands", "report", str(into / "results.json")]
            done = subprocess.run(command, cwd=made.root / "course", env=environment, capture_output=True, text=True)
            process.returncode, said = done.returncode, said + done.stdout + done.stderr
    left = [f"process {line}" for line in bearing(sign)] + named(mark())
    left += [f"mount {line}" for line in mounted() - mounts if sign in line or "autograder" in line]
    left += [str(path) for path in scratch.iterdir()]
    found = Graded(process.returncode, said, left=left, seconds=seconds, memory=memory, own=own)
    if process.returncode == 0:
        results = json.loads((into / "results.json").read_text(encoding="utf-8"))
        found.statuses.update(row["status"] for row in results["rows"])
        found.wrongs = [*compare(made.students, results["rows"]), *disagreements(into, results["rows"])]
        found.wrongs += [f"{page.relative_to(into)}: {said}" for page in pages(into) for said in unclean(page)]
    return found


def compare(students: Sequence[Made], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which rows are not as deserved. Where two names look the same, their rows may be either's."""
    due: dict[str, list[Made]] = {}
    for made in students:
        due.setdefault(made.shown, []).append(made)
    got: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        got.setdefault(row.get("display_name", f"of nobody: {row['student']}"), []).append(row)
    wrongs = [f"{name}: {len(found)} rows, not {len(due.get(name, []))}: {found[0]['note']}"
              for name, found in got.items() if len(found) != len(due.get(name, []))]  # fmt: skip
    wrongs += [f"{name}: no row" for name in due if name not in got]
    ids = Counter(row["student"] for row in rows)
    wrongs += [f"{one}: {count} rows of this id" for one, count in ids.items() if count > 1]
    for name in due.keys() & got.keys():
        orders = itertools.permutations(got[name], len(due[name]))
        ways = [itertools.chain(*map(_told, due[name], order)) for order in orders]
        wrongs += min(map(list, ways), key=len, default=[])
    return wrongs


def _told(made: Made, row: Mapping[str, Any]) -> list[str]:
    return [f"{made.shown}: {wrong}: {' | '.join(made.story)}: {row['note'][:300]}" for wrong in made.due.wrongs(row)]


def disagreements(into: Path, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where the gradebook or the table say something else than `results.json`."""
    from nbgrader.api import Gradebook

    scores = {row["student"]: row["score"] for row in rows if row["status"] != "refused"}
    with Gradebook(f"sqlite:///{into / 'gradebook.db'}", "course") as gradebook:
        book = {one["student"]: one["score"] for one in gradebook.submission_dicts(CHAPTER)}
        penalties = {s.student_id: sum(n.late_submission_penalty or 0 for n in s.notebooks)
                     for s in gradebook.assignment_submissions(CHAPTER)}  # fmt: skip
    with (into / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        table = {line["student"]: float(line["score"] or 0) for line in csv.DictReader(file)}
    found = [f"the gradebook has {book.get(s)} less {penalties.get(s)} for {s}, not {score}"
             for s, score in scores.items() if max(0, book.get(s, -1) - penalties.get(s, 0)) != score]  # fmt: skip
    return found + [f"results.csv has {table.get(s)} for {s}, not {score}" for s, score in scores.items()
                    if table.get(s) != score]  # fmt: skip


def pages(into: Path) -> Iterator[Path]:
    """What people open: the report, the table, and every student's feedback."""
    yield from (into / "report.html", into / "results.csv")
    yield from (path for path in (into / "feedback").rglob("*.html") if path.is_file())


def unclean(page: Path) -> list[str]:
    """What must not stand in a file that a person opens, whoever wrote the notebook."""
    try:
        text = page.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        return [str(error)]
    found = UNCLEAN.search(text)
    return [f"has {found[0]!r} in it"] if found else []


def peak_of(pid: int) -> int:
    """Bytes that a process has held at the most."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def bearing(sign: str) -> list[str]:
    """Living processes that were started to grade a class."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                if f"{MARKER}={sign}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(f"{entry.name} {(entry / 'comm').read_text(errors='replace').strip()}")
            except OSError:
                continue
    return found


def mounted() -> set[str]:
    return set(Path("/proc/self/mounts").read_text(errors="replace").splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description="Grade a generated class and compare every row with what it deserves.")
    parser.add_argument("--students", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, help="notebooks at a time (default: one a core)")
    parser.add_argument("--keep", action="store_true", help="leave the class and its grades where they are")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="generated-class-"))
    made = make_class(root, options.students, options.seed)
    print(f"{len(made.students)} students, seed {options.seed}, in {made.folder}", flush=True)
    found = grade(made, options.workers)
    print(f"{found.seconds:.0f} s, {60 * len(made.students) / found.seconds:.0f} a minute; {dict(found.statuses)}")
    print(
        f"at the most {found.memory / 2**20:.0f} MiB in all, {found.own / 2**20:.0f} MiB in the grading process itself"
    )
    for line in (*found.wrongs, *(f"left behind: {one}" for one in found.left)):
        print(line)
    if found.code != 0:
        print(f"ended with {found.code}:\n{found.output[-3000:]}")
    print(f"{len(found.wrongs)} rows or scores are not as deserved, {len(found.left)} things were left behind")
    if not options.keep:
        folders.remove(root)
    raise SystemExit(0 if found.fine else 1)


if __name__ == "__main__":
    main()
