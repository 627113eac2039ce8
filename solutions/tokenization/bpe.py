# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Byte-pair encoding

# %%
from collections import Counter

import regex

# GPT-2's split pattern: contractions, then letters, numbers or other signs with one space before them, then spaces.
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


# %% nbgrader={"grade_id": "pretokenize", "solution": true}
def pretokenize(text: str, pattern: str = PATTERN) -> list[str]:
    """The parts of the text in order; together they are the text. No part is empty."""
    ### BEGIN SOLUTION
    parts, end = [], 0
    for match in regex.finditer(pattern, text):
        parts += [text[end : match.start()], match.group()]  # what the pattern skipped, then what it matched
        end = match.end()
    return [part for part in [*parts, text[end:]] if part]
    ### END SOLUTION


# %% nbgrader={"grade_id": "utf8_decode", "solution": true}
def utf8_decode(ids: list[int]) -> str:
    """The text that these bytes (0..255) spell; what is not UTF-8 becomes U+FFFD."""
    ### BEGIN SOLUTION
    return bytes(ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %% nbgrader={"grade_id": "byte_to_unicode", "solution": true}
def byte_to_unicode() -> dict[int, str]:
    """GPT-2's printable character for each byte."""
    ### BEGIN SOLUTION
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {byte: chr(byte) for byte in printable}
    for byte in range(256):
        if byte not in printable:
            table[byte] = chr(256 + len(table) - len(printable))  # 256, 257, ... in the order of the bytes
    return table
    ### END SOLUTION


# %% nbgrader={"grade_id": "pair_counts", "solution": true}
def pair_counts(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbours occurs, over all words, each counted as often as the word occurs."""
    ### BEGIN SOLUTION
    counts = {}
    for word, times in words.items():
        for pair in zip(word, word[1:]):
            counts[pair] = counts.get(pair, 0) + times
    return counts
    ### END SOLUTION


# %% nbgrader={"grade_id": "merge", "solution": true}
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with each occurrence of the pair replaced by new_id, from left to right, without overlap."""
    ### BEGIN SOLUTION
    merged, i = [], 0
    while i < len(ids):
        if (*ids[i : i + 2],) == tuple(pair):
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
    ### END SOLUTION


# %%
def given_parts(text: str, pattern: str) -> list[str]:
    """The text in parts, as the pattern splits it."""
    return [part for part in regex.split(f"({pattern})", text) if part]


def given_merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """One merge in a list of ids, by way of `str.replace`: each id is written as one character."""
    text = "".join(map(chr, ids))
    return [ord(c) for c in text.replace(chr(pair[0]) + chr(pair[1]), chr(new_id))]


def given_vocabulary(merges: list[tuple[int, int]]) -> list[bytes]:
    """The bytes of every id: 256 single bytes, then one entry for each merge."""
    vocabulary = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        vocabulary.append(vocabulary[left] + vocabulary[right])
    return vocabulary


# %% nbgrader={"grade_id": "train_bpe", "solution": true}
def train_bpe(text: str, vocab_size: int, pattern: str = PATTERN) -> list[tuple[int, int]]:
    """The merges in order; merge number i makes the id 256 + i. Ties: the smallest pair of ids."""
    ### BEGIN SOLUTION
    words = [(list(part.encode()), times) for part, times in Counter(given_parts(text, pattern)).items()]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter()
        for ids, times in words:
            for pair in zip(ids, ids[1:]):
                counts[pair] += times
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [(given_merge(ids, best, 256 + len(merges)), times) for ids, times in words]
        merges.append(best)
    return merges
    ### END SOLUTION


# %% nbgrader={"grade_id": "encode", "solution": true}
def encode(text: str, merges: list[tuple[int, int]], pattern: str = PATTERN) -> list[int]:
    """The ids of a text: in each part, always the merge of the lowest rank that fits."""
    ### BEGIN SOLUTION
    rank = {pair: i for i, pair in enumerate(merges)}
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        while True:
            first = min(zip(ids, ids[1:]), key=lambda pair: rank.get(pair, len(rank)), default=None)
            if first not in rank:
                break
            ids = given_merge(ids, first, 256 + rank[first])
        encoded += ids
    return encoded
    ### END SOLUTION


# %% nbgrader={"grade_id": "decode", "solution": true}
def decode(ids: list[int], merges: list[tuple[int, int]]) -> str:
    """The text of the ids: all their bytes joined first, then decoded once, with U+FFFD for what is not UTF-8."""
    ### BEGIN SOLUTION
    vocabulary = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        vocabulary.append(vocabulary[left] + vocabulary[right])
    return b"".join(vocabulary[i] for i in ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %%
def given_encode(text: str, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of an ordinary text, part by part: the merges are replayed in their order."""
    encoded = []
    for part in regex.findall(PATTERN, text):
        ids = list(part.encode())
        for i, pair in enumerate(merges):
            ids = given_merge(ids, pair, 256 + i)
        encoded += ids
    return encoded


# %% nbgrader={"grade_id": "encode_special", "solution": true}
def encode_special(
    text: str, merges: list[tuple[int, int]], special: dict[str, int], allowed: set[str]
) -> list[int]:
    """The ids of a text in which the allowed special tokens stand for themselves; the others are ordinary text."""
    ### BEGIN SOLUTION
    longest_first = sorted(allowed, key=len, reverse=True)
    if not longest_first:
        return given_encode(text, merges)
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, longest_first)) + ")", text):
        ids += [special[piece]] if piece in allowed else given_encode(piece, merges)
    return ids
    ### END SOLUTION


# %% nbgrader={"grade_id": "decode_special", "solution": true}
def decode_special(ids: list[int], merges: list[tuple[int, int]], special: dict[str, int]) -> str:
    """The text of the ids, with each special token written out in its place."""
    ### BEGIN SOLUTION
    name = {i: token.encode() for token, i in special.items()}
    vocabulary = given_vocabulary(merges)
    return b"".join(name[i] if i in name else vocabulary[i] for i in ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %% nbgrader={"grade_id": "count_changes", "solution": true}
def count_changes(ids: list[int], pair: tuple[int, int], new_id: int) -> dict[tuple[int, int], int]:
    """What one merge in one word does to the pair counts: after minus before, for the pairs where that is not 0."""
    ### BEGIN SOLUTION
    changes = Counter()
    merged = given_merge(ids, pair, new_id)
    changes.update(zip(merged, merged[1:]))
    changes.subtract(zip(ids, ids[1:]))
    return {p: change for p, change in changes.items() if change}
    ### END SOLUTION


# %% nbgrader={"grade_id": "train_bpe_fast", "solution": true}
def train_bpe_fast(text: str, vocab_size: int, pattern: str = PATTERN) -> list[tuple[int, int]]:
    """The merges of `train_bpe`, with counts that are kept up to date instead of taken anew."""
    ### BEGIN SOLUTION
    distinct = Counter(given_parts(text, pattern))
    words = [list(part.encode()) for part in distinct]  # each distinct word once
    times = list(distinct.values())  # and how often it occurs
    counts, where = Counter(), {}  # pair -> how often; pair -> the words that hold it, or once held it
    for w, ids in enumerate(words):
        for pair in zip(ids, ids[1:]):
            counts[pair] += times[w]
            where.setdefault(pair, set()).add(w)
    merges = []
    while 256 + len(merges) < vocab_size and counts:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for w in where.pop(best):  # no other word changes
            before = words[w]
            after = words[w] = given_merge(before, best, 256 + len(merges))
            for pair in zip(before, before[1:]):
                counts[pair] -= times[w]
            for pair in zip(after, after[1:]):
                counts[pair] += times[w]
                where.setdefault(pair, set()).add(w)
            for pair in zip(before, before[1:]):
                if counts[pair] == 0:
                    counts.pop(pair)
        merges.append(best)
    return merges
    ### END SOLUTION


# %% nbgrader={"grade_id": "StreamDecoder", "solution": true}
class StreamDecoder:
    """Text as the ids come: `feed` returns what has become certain, `finish` the rest."""

    def __init__(self, merges: list[tuple[int, int]]):
        ### BEGIN SOLUTION
        self.vocabulary = given_vocabulary(merges)
        self.held = b""  # the beginning of a character, at most three bytes
        ### END SOLUTION

    def feed(self, id: int) -> str:
        """The text that this id completes."""
        ### BEGIN SOLUTION
        data = self.held + self.vocabulary[id]
        cut = len(data)
        for back in range(1, min(3, len(data)) + 1):  # the last lead byte, if it wants more than is there
            byte = data[-back]
            if byte >= 0xC0:
                wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
                cut = len(data) - back if back < wanted else len(data)
                break
            if byte < 0x80:
                break
        self.held = data[cut:]
        return data[:cut].decode("utf-8", errors="replace")
        ### END SOLUTION

    def finish(self) -> str:
        """What is still held back, as the end of the text."""
        ### BEGIN SOLUTION
        rest, self.held = self.held, b""
        return rest.decode("utf-8", errors="replace")
        ### END SOLUTION
