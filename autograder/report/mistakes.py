"""Which misconception of the bank a failing message points to.

A wrong entry of the bank carries `says`, a part of the message that rejects it. So the same words name the
mistake when a student makes it. Words can fit several entries, and then the honest answer is all of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from autograder.course.bank import Entry


def name_mistake(exercise: str, message: str, bank: Iterable[Entry]) -> Entry | None:
    """The wrong entry of `exercise` whose `says` is in `message`; None where no entry fits.

    Words that stand in the message whole go before words that only end or begin inside a longer one ("i/D"
    in "4i/D"), and words that contain those of another entry go before them. Where several entries are left,
    the answer is one entry that stands for all: its name lists theirs, its summary theirs, and it has no source.
    """
    fitting = [e for e in bank if e.exercise == exercise and not e.is_right and e.says and e.says in message]
    whole = [e for e in fitting if _stands_whole(e.says, message)] or fitting
    best = [e for e in whole if not any(e.says in other.says and e.says != other.says for other in whole)]
    if len(best) < 2:
        return best[0] if best else None
    return dataclasses.replace(
        best[0],
        name=" or ".join(e.name for e in best),
        says=" · ".join(dict.fromkeys(e.says for e in best)),
        hidden=all(e.hidden for e in best),
        source="",
        summary=" Or: ".join(dict.fromkeys(e.summary or e.name for e in best)),
    )


def as_result(mistake: Entry) -> dict[str, str]:
    """What `results.json` says of a named mistake."""
    return {"name": mistake.name, "summary": mistake.summary or mistake.name.replace("_", " ")}


def _stands_whole(words: str, message: str) -> bool:
    """Whether `words` stand somewhere in `message` without a letter or digit that goes on before or after."""
    start = message.find(words)
    while start >= 0:
        end = start + len(words)
        begins = not (words[0].isalnum() and message[start - 1 : start].isalnum())
        ends = not (words[-1].isalnum() and message[end : end + 1].isalnum())
        if begins and ends:
            return True
        start = message.find(words, start + 1)
    return False
