"""What the reviews outside the selection are good for: more labels, and word vectors without any.

    labelled()                    [(text, label)], half and half, of no part of the split: mostly books and computers
    unlabelled()                  every text but those of validation and test, with no label
    vectors(vocabulary, texts, words, width)   a vector for each number, from which words stand near which

A text counts as one of validation or test where it is the same as one of them (`reviews.normal`), or where a tenth of
its runs of twelve characters is found in them: paragraphs of one review are in our source more than once.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from solutions.classification import reviews
from solutions.classification.training import Vocabulary
from solutions.texts import chinese_labelled, chinese_reviews

__all__ = ["LONG", "SHARE", "WINDOW", "labelled", "unlabelled", "vectors"]

LONG, SHARE = 12, 0.1  # characters, and how much of them may be known
WINDOW = 5  # words to each side


def runs(key: str) -> set[str]:
    """The runs of twelve characters of a text."""
    return {key[at : at + LONG] for at in range(len(key) - LONG + 1)}


@cache
def _held() -> tuple[frozenset[str], frozenset[str]]:
    """The texts of validation and test, and all their runs."""
    parts = reviews.split()
    keys = frozenset(reviews.normal(text) for part in ("val", "test") for text, _ in parts[part])
    return keys, frozenset(run for key in keys for run in runs(key))


def held_out(text: str) -> bool:
    """Whether the text is one of validation or test, or holds a good part of one."""
    keys, known = _held()
    key = reviews.normal(text)
    found = runs(key)
    return key in keys or (bool(found) and len(found & known) >= SHARE * len(found))


@cache
def _labelled() -> tuple[tuple[str, int], ...]:
    selected = {reviews.normal(text) for text, _ in reviews.load()}
    groups: dict[tuple[bool, int], list[str]] = defaultdict(list)
    for text, label in chinese_labelled():
        key = reviews.normal(text)
        if key not in selected and len(text) in reviews.LENGTHS and not held_out(text):
            selected.add(key)
            groups[bool(reviews.HOTEL.search(text)), label].append(text)
    rows = []
    for hotel in (True, False):  # as many of praise as of blame among each, or the subject would tell the label
        pair = [sorted(groups[hotel, label], key=_shuffled) for label in (0, 1)]
        count = min(map(len, pair))
        rows += [(text, label) for label, texts in enumerate(pair) for text in texts[:count]]
    return tuple(rows)


def _shuffled(text: str) -> bytes:
    return hashlib.sha256(f"{reviews.SEED}:{text}".encode()).digest()


def labelled() -> list[tuple[str, int]]:
    """Labelled lines of no part of the split: those about hotels first."""
    return list(_labelled())


@cache
def _unlabelled() -> tuple[str, ...]:
    texts: dict[str, str] = {}
    for text in chinese_reviews():
        texts.setdefault(reviews.normal(text), text)
    return tuple(text for text in texts.values() if not held_out(text))


def unlabelled() -> list[str]:
    """The texts without their labels, once each; the training part is among them, validation and test are not."""
    return list(_unlabelled())


def vectors(
    vocabulary: Vocabulary, texts: Iterable[str], words: Callable[[str], list[str]], width: int
) -> np.ndarray:
    """A vector for each number of the vocabulary, (len(vocabulary), width): positive PMI, cut down by an SVD.

    How much more often do two words stand within five words of each other than by chance? The logarithm of that, or 0
    where it is less often; of this square table the `width` directions that say most. Number 1 stands for all unknown
    words; padding is 0. Each row has the length √width, which is that of a fresh embedding's rows.
    """
    size = len(vocabulary)
    rows = [[vocabulary.number.get(word, 1) for word in words(text)] for text in texts]
    flat = np.array([number for row in rows for number in row])
    of = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    counts = scipy.sparse.csr_array((size, size))
    for apart in range(1, WINDOW + 1):
        near = of[:-apart] == of[apart:]  # of one text
        pair = flat[:-apart][near], flat[apart:][near]
        counts = counts + scipy.sparse.csr_array((np.ones(near.sum()), pair), shape=(size, size))
    counts = (counts + counts.T).tocoo()
    total = counts.sum(axis=1)
    context = total**0.75  # the usual smoothing: a rare neighbour is no great surprise
    chance = total[counts.coords[0]] * context[counts.coords[1]] / context.sum()
    table = scipy.sparse.csr_array((np.maximum(np.log(counts.data / chance), 0), counts.coords), shape=(size, size))
    u, s, _ = scipy.sparse.linalg.svds(table, k=width, v0=np.ones(size))
    found = u * np.sqrt(s)  # (size, width)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.sqrt(width) * found / np.where(length > 1e-9, length, 1)
