"""Byte-pair encoding at full size: the same merges and the same ids as in bpe.py, hundreds of times faster.

    words = count_words(open("book.txt", encoding="utf-8"))      how often each part occurs
    merges = train(words, 4096)                                  or train_numpy, for long parts such as Chinese ones
    encoder = Encoder.from_merges(merges)
    encoder.encode("The hotel's new")

Three ideas carry it:

- **Do things once.** A text repeats itself. What is done for a part is done once for all its copies, in training (a part
  with the number of times that it occurs) and in encoding (a memory of what has been encoded).
- **Change only what changes.** A merge touches few words. The words that hold each pair are known, and so are the counts;
  a merge corrects both where it acts.
- **Let C do the inner loop.** In `train` a word is a string in which each character is a token, so that `str.replace` is
  the merge; in `train_numpy` one merge is a few operations on arrays, at all its places at once.

What it does not do: patterns whose parts run from ink into white space (see `count_words`), and more than one core.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import chain, pairwise, repeat
from operator import add
from random import Random
from typing import Any, Literal, Self, get_args

import numpy as np
import regex

from solutions.tokenization.bpe import PATTERN, byte_to_unicode, pretokenize

BYTES = range(256)

# --------------------------------------------------------------------------------------------------------------------
# Splitting a text, or a stream of it, into parts
# --------------------------------------------------------------------------------------------------------------------

# White space, then ink (whatever is not white space). `re` is faster here than `regex`, but counts four control
# characters as white space that the pattern, which is written for `regex`, does not.
STRETCH = re.compile(r"[^\S\x1c-\x1f]*[\S\x1c-\x1f]+|[^\S\x1c-\x1f]+")
LAST_STRETCH = regex.compile(r"(?r)(?<=\S)\s")  # searched backwards
BLOCK = 1 << 16  # characters that are looked at together


def splitter(pattern: str) -> Callable[[str], list[str]]:
    """`pretokenize` with this pattern, faster for PATTERN: it has no groups and skips nothing, so its matches are all."""
    return regex.compile(pattern).findall if pattern == PATTERN else partial(pretokenize, pattern=pattern)


def stretches_suffice(pattern: str) -> bool:
    """Whether a text may be cut where ink ends and white space begins, and still have the same parts. (A trial.)"""
    split, trial = splitter(pattern), "".join(Random(1).choices("aZ19.,'!酒。 \n\t\r", k=3000))
    return split(trial) == [part for stretch in STRETCH.findall(trial) for part in split(stretch)]


def blocks(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in blocks of about BLOCK characters, each of which ends where ink ends, before white space."""
    held: list[str] = []
    size, enough = 0, BLOCK
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= enough:
            text = "".join(held)
            if cut := LAST_STRETCH.search(text):
                yield text[: cut.start()]
                held, enough = [text[cut.start() :]], BLOCK
            else:  # no place to cut so far: look again when there is twice as much
                held, enough = [text], 2 * size
            size = len(held[0])
    yield "".join(held)


def count_words(pieces: Iterable[str], pattern: str = PATTERN) -> Counter[bytes]:
    """How often each part of a text occurs, as bytes. The text comes in pieces, such as the lines of an open file.

    The pieces are joined as they are, and where they are cut makes no difference: a part may begin in one and end in
    the next. (So give separate documents a newline each.) Of the text itself no more is held than a few blocks, or the
    longest stretch without white space; the result holds each different part once.

    The text is cut before white space, and equal stretches are split into parts once for all. This is right for
    PATTERN and its kin, in which no part runs from ink into white space. Other patterns are refused.
    """
    if not stretches_suffice(pattern):
        raise ValueError(
            f"with the pattern {pattern!r} a part may run from ink into white space, so a stream has no safe place to "
            "cut: count in memory, with Counter(part.encode() for part in pretokenize(text, pattern))"
        )
    split = splitter(pattern)
    parts: Counter[str] = Counter()
    stretches: Counter[str] = Counter()
    size = 0

    def split_stretches() -> None:
        for stretch, times in stretches.items():
            for part in split(stretch):
                parts[part] += times
        stretches.clear()

    for block in blocks(pieces):
        stretches.update(STRETCH.findall(block))
        size += len(block)
        if size > 64 * BLOCK:
            split_stretches()
            size = 0
    split_stretches()
    return Counter({part.encode(): times for part, times in parts.items()})


# --------------------------------------------------------------------------------------------------------------------
# Training
# --------------------------------------------------------------------------------------------------------------------


Key = Callable[[Any], Any]  # a pair -> what decides among equally frequent ones: the smallest comes first


class PairCounts:
    """How often each pair occurs, with the most frequent one at hand; among equals the one with the smallest key.

    The heap holds every pair with a count that it had at some time. Counts only fall, but for the pairs of a new token,
    which get theirs once; and a key only grows. So an entry may promise too much, never too little: when it comes to the
    top, it is either true, or goes back with what is true.
    """

    def __init__(self, counts: dict[Any, int], key: Key) -> None:
        self.counts, self.key = counts, key
        self.heap = [(-count, key(pair), pair) for pair, count in counts.items()]
        heapify(self.heap)

    def add(self, pair: Any, count: int) -> None:
        self.counts[pair] = count
        heappush(self.heap, (-count, self.key(pair), pair))

    def reduce(self, pair: Any, count: int) -> None:
        self.counts[pair] -= count

    def pop(self) -> Any | None:
        """Take out the most frequent pair; None if there is no pair left."""
        while self.heap:
            promised, promised_key, pair = heappop(self.heap)
            count = self.counts[pair]
            if not count:
                continue
            key = self.key(pair)
            if (count, key) == (-promised, promised_key):
                return pair
            heappush(self.heap, (-count, key, pair))
        return None


Ties = Literal["smallest", "huggingface", "minbpe", "cs336"]


class Order:
    """The keys of tokens for a rule of ties that looks at the tokens only; `made` is told of each new one."""

    def __init__(self, ties: Ties, byte_ids: Sequence[int]) -> None:
        self.ties = ties
        ranks = printable_order()
        self.bytes_of = {id: bytes([byte]) for byte, id in enumerate(byte_ids)}
        self.of: dict[int, Any] = {id: self.token(id, ranks[byte]) for byte, id in enumerate(byte_ids)}

    def token(self, id: int, rank: int) -> Any:
        if self.ties == "huggingface":
            return rank
        if self.ties == "cs336":  # the greatest bytes first: each turned round, and the end after all that goes on
            return "".join(chr(255 - byte) for byte in self.bytes_of[id]) + chr(256)
        return id

    def made(self, id: int, left: int, right: int) -> None:
        if self.ties == "cs336":
            self.bytes_of[id] = self.bytes_of[left] + self.bytes_of[right]
        self.of[id] = self.token(id, id)

    def pair(self, left: int, right: int) -> Any:
        return self.of[left], self.of[right]


def printable_order() -> list[int]:
    """The byte ids of Hugging Face's tokenizers, which number GPT-2's printable characters in their own order."""
    printable = byte_to_unicode()
    return [sorted(printable.values()).index(printable[byte]) for byte in BYTES]


def check_byte_ids(byte_ids: Sequence[int]) -> None:
    if sorted(byte_ids) != list(BYTES):
        raise ValueError(f"byte_ids must give each of the 256 bytes an id of its own from 0 to 255, got {byte_ids!r}")


def check_ties(ties: str) -> None:
    if ties not in get_args(Ties):
        raise ValueError(f"ties: expected one of {', '.join(get_args(Ties))}, got {ties!r}")


def train(
    words: Mapping[bytes, int], vocab_size: int, byte_ids: Sequence[int] = BYTES, ties: Ties = "smallest"
) -> list[tuple[int, int]]:
    """The merges in order; merge number i makes the id 256 + i.

    `words` says how often each part occurs, in the order in which they first do; `byte_ids[b]` is the id of byte b.
    `ties` says which of several equally frequent pairs is merged:

        smallest      the smallest pair of ids
        huggingface   the same, with the bytes in the order of GPT-2's printable characters, as in the library tokenizers
        minbpe        the one that comes first in the text, as it stands by then
        cs336         the greatest pair of byte strings, as Stanford's course CS336 asks

    A word is a string with one character for each token, chr(id), and a pair is a string of two. Strings compare by
    their characters' numbers, so the smallest string is the smallest pair of ids.
    """
    check_byte_ids(byte_ids)
    check_ties(ties)
    order = Order(ties, byte_ids)
    id_of_byte = dict(enumerate(byte_ids))
    texts = [word.decode("latin-1").translate(id_of_byte) for word in words]
    times = list(words.values())

    where = defaultdict(list)  # pair -> numbers of the words that hold it, or held it once, as often as they hold it
    for number, text in enumerate(texts):
        for pair in map(add, text, text[1:]):
            where[pair].append(number)

    def total(numbers: list[int]) -> int:
        return sum(map(times.__getitem__, numbers))

    size_of = dict.fromkeys(map(chr, range(256)), 1)  # bytes of a token

    def first(pair: str) -> tuple[int, int]:
        """Where a pair comes first: the number of the word, and the byte in it."""
        numbers = where[pair]
        number = next(number for number in numbers[passed[pair] :] if pair in texts[number])
        passed[pair] = bisect_left(numbers, number)
        return number, sum(map(size_of.__getitem__, texts[number][: texts[number].index(pair)]))

    passed: dict[str, int] = defaultdict(int)  # so many of a pair's words are known to hold it no more
    keys: dict[str, Key] = {"smallest": lambda pair: pair, "minbpe": first}
    key = keys.get(ties, lambda pair: order.pair(*map(ord, pair)))
    pairs = PairCounts({pair: total(numbers) for pair, numbers in where.items()}, key)
    merges: list[tuple[int, int]] = []
    while 256 + len(merges) < vocab_size and (best := pairs.pop()):
        a, b = best
        new = chr(256 + len(merges))
        merges.append((ord(a), ord(b)))
        order.made(ord(new), ord(a), ord(b))
        size_of[new] = size_of[a] + size_of[b]

        before, after = defaultdict(list), defaultdict(list)  # neighbour of the new token -> numbers of words
        for number in where.pop(best):
            text = texts[number]
            at = text.find(best)
            if at < 0:  # no longer there
                continue
            text = texts[number] = text.replace(best, new)
            while at >= 0:
                if at:
                    before[text[at - 1]].append(number)
                after[text[at + 1 : at + 2]].append(number)
                at = text.find(new, at + 1)
        after.pop("", None)  # the end of a word
        after.pop(new, None)  # two new tokens side by side: counted in `before`

        # Each pair with the new token takes the place of one that is gone: x a b -> x new, a b y -> new y.
        for x, numbers in before.items():
            where[x + new] = numbers
            count = total(numbers)
            pairs.add(x + new, count)
            pairs.reduce((b if x == new else x) + a, count)
        for y, numbers in after.items():
            where[new + y] = numbers
            count = total(numbers)
            pairs.add(new + y, count)
            pairs.reduce(b + y, count)
    return merges


def train_numpy(
    words: Mapping[bytes, int], vocab_size: int, byte_ids: Sequence[int] = BYTES, ties: Ties = "smallest"
) -> list[tuple[int, int]]:
    """The same merges as `train`, each carried out at all its places at once.

    All words stand in one array, with an END before, between and after them. A merge writes the new id at the place of
    the left token and strikes out the place of the right one; two arrays lead from each place to the next and back.
    """
    check_byte_ids(byte_ids)
    check_ties(ties)
    order = Order(ties, byte_ids)
    if not words:
        return []
    END = -1
    text = np.frombuffer(b"".join(words), np.uint8)
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    place = np.arange(len(text)) + np.repeat(np.arange(len(words)), lengths) + 1
    ids = np.full(len(text) + len(words) + 1, END, np.int32)
    ids[place] = np.asarray(byte_ids, np.int32)[text]
    times = np.zeros(len(ids), np.int64)
    times[place] = np.repeat(np.fromiter(words.values(), np.int64, len(words)), lengths)
    index = np.int32 if len(ids) < 2**31 else np.int64
    following = np.arange(1, len(ids) + 1, dtype=index)
    preceding = np.arange(-1, len(ids) - 1, dtype=index)

    def grouped(keys: np.ndarray, places: np.ndarray) -> Iterator[tuple[int, np.ndarray, int]]:
        """Each key with its places, in order, and how often they count. Keys below 0 are left out."""
        kept = keys >= 0
        keys, places = keys[kept], places[kept]
        if not len(keys):
            return
        order = keys.argsort(kind="stable")
        keys, places = keys[order], places[order]
        starts = np.flatnonzero(np.diff(keys, prepend=END))
        totals = np.add.reduceat(times[places], starts)
        ends = [*starts[1:].tolist(), len(keys)]
        for key, start, end, count in zip(keys[starts].tolist(), starts.tolist(), ends, totals.tolist()):
            yield key, places[start:end], count

    where, counts = {}, {}
    left, right = ids[:-1], ids[1:]
    keys = np.where((left == END) | (right == END), END, 256 * left + right)
    for key, places, count in grouped(keys, np.arange(len(keys), dtype=index)):
        pair = divmod(key, 256)
        where[pair], counts[pair] = places, count

    def first(pair: tuple[int, int]) -> int:
        """The first place that still holds the pair. Those before it are forgotten: they never will again."""
        places = where[pair]
        for start in range(0, len(places), 64):
            some = places[start : start + 64]
            holds = (ids[some] == pair[0]) & (ids[following[some]] == pair[1])
            if holds.any():
                where[pair] = places[start + int(holds.argmax()) :]
                return int(where[pair][0])
        raise AssertionError("a pair that counts has a place")

    keys: dict[str, Key] = {"smallest": lambda pair: pair, "minbpe": first}
    pairs = PairCounts(counts, keys.get(ties, lambda pair: order.pair(*pair)))
    merges: list[tuple[int, int]] = []
    while 256 + len(merges) < vocab_size and (best := pairs.pop()):
        a, b = best
        new = 256 + len(merges)
        merges.append(best)
        order.made(new, a, b)

        at = where.pop(best)
        at = at[(ids[at] == a) & (ids[following[at]] == b)]  # drop the places that held the pair once
        if a == b:
            at = every_other(at, following)
        gone = following[at]
        beyond = following[gone]
        ids[at], ids[gone] = new, END
        following[at], preceding[beyond] = beyond, at

        # Each pair with the new token takes the place of one that is gone: x a b -> x new, a b y -> new y.
        before = preceding[at]
        for x, places, count in grouped(ids[before], before):
            where[x, new] = places
            pairs.add((x, new), count)
            pairs.reduce((b if x == new else x, a), count)
        for y, places, count in grouped(ids[beyond], at):
            if y != new:  # two new tokens side by side were counted above
                where[new, y] = places
                pairs.add((new, y), count)
                pairs.reduce((b, y), count)
    return merges


def every_other(at: np.ndarray, following: np.ndarray) -> np.ndarray:
    """Of places of a pair (a, a): the first, third, … in each run, since aaaa holds it at three and merges at two."""
    number = np.arange(len(at))
    starts_run = np.ones(len(at), bool)
    starts_run[1:] = following[at[:-1]] != at[1:]
    start = np.maximum.accumulate(np.where(starts_run, number, 0))
    return at[(number - start) % 2 == 0]


# --------------------------------------------------------------------------------------------------------------------
# Encoding
# --------------------------------------------------------------------------------------------------------------------


class Memory(dict[str, Any]):
    """A dictionary that computes what it does not hold. It starts afresh when it is full, and keeps no long keys."""

    LONGEST = 64

    def __init__(self, compute: Callable[[str], Any], size: int) -> None:
        self.compute, self.size = compute, size

    def __missing__(self, key: str) -> Any:
        value = self.compute(key)
        if len(key) <= self.LONGEST:
            if len(self) >= self.size:
                self.clear()
            self[key] = value
        return value


class Encoder:
    """Text to ids and back, in bounded memory.

    A text is cut three times, each time into pieces that repeat more often, and what has been encoded is remembered:

        stretches   before white space: cheap to find
        parts       as the pattern says
        pieces      between two characters that no token holds side by side

    The last cut is exact, since a merge across it would make a token that holds both. It matters for Chinese, in which
    a part is a whole clause and seldom comes twice, while most of its pieces are words of one or two characters.

    As in `train`, tokens are characters, chr(id), until they are handed out: joining strings is what Python does best.
    """

    NEVER = 1 << 60  # the rank of a pair that is not merged
    LONG = 256  # tokens, from which on a heap is faster

    def __init__(
        self,
        vocabulary: Mapping[int, bytes],
        merges: Mapping[tuple[int, int], int],
        special: Mapping[str, int] | None = None,
        pattern: str = PATTERN,
        cache_size: int = 1 << 16,
        ignore_merges: bool = False,
    ) -> None:
        """`vocabulary`: id -> bytes, without special tokens; `merges`: pair -> the id it makes, in the order of rank.

        `ignore_merges`: a part that is a token as a whole is that token, though the merges may lead elsewhere. So it is
        in Llama 3's vocabulary, which was made for another encoder (tiktoken) than the one that merges.
        """
        self.vocabulary = dict(vocabulary)
        self.special = dict(special or {})
        for token, id in self.special.items():
            if not token:
                raise ValueError("a special token cannot be the empty string")
            if id in self.vocabulary:
                raise ValueError(f"special token {token!r}: its id {id} belongs to {self.vocabulary[id]!r}")
        self.bytes_of = self.vocabulary | {id: token.encode() for token, id in self.special.items()}
        self.token_of_byte = {token[0]: chr(id) for id, token in self.vocabulary.items() if len(token) == 1}
        self.rank = {chr(a) + chr(b): rank for rank, (a, b) in enumerate(merges)}
        self.made = list(map(chr, merges.values()))
        self.pattern, self.split = pattern, splitter(pattern)
        self.by_stretch = stretches_suffice(pattern)
        self.whole = {token: id for id, token in self.vocabulary.items()} if ignore_merges else {}

        self.joined, self.ragged = seams(self.vocabulary.values())
        self.neighbours = Memory(self._find_neighbours, cache_size)
        self.stretches = Memory(self._encode_stretch, cache_size)
        self.parts = Memory(self._encode_part, cache_size)
        self.pieces = Memory(self._encode_piece, cache_size)

    @classmethod
    def from_merges(
        cls,
        merges: Sequence[tuple[int, int]],
        byte_ids: Sequence[int] = BYTES,
        special: Mapping[str, int] | None = None,
        pattern: str = PATTERN,
        cache_size: int = 1 << 16,
    ) -> Self:
        """From what `train` returns: `byte_ids[b]` is the id of byte b, merge number i makes the id 256 + i."""
        check_byte_ids(byte_ids)
        vocabulary = {id: bytes([byte]) for byte, id in enumerate(byte_ids)}
        for id, (a, b) in enumerate(merges, 256):
            vocabulary[id] = vocabulary[a] + vocabulary[b]
        made = {(a, b): id for id, (a, b) in enumerate(merges, 256)}
        return cls(vocabulary, made, special, pattern, cache_size)

    def ranks(self) -> dict[bytes, int]:
        """{token: id}, without special tokens: tiktoken's `mergeable_ranks` (a later merge must have a larger id)."""
        return {token: id for id, token in self.vocabulary.items()}

    def encode(self, text: str, allowed: Collection[str] = ()) -> list[int]:
        """The ids of a text. Special tokens act only where they are allowed; others are ordinary text."""
        if not allowed:
            return [*map(ord, self._encode_text(text))]
        ids: list[int] = []
        for piece in regex.split(self._either(allowed), text):
            ids += [self.special[piece]] if piece in allowed else map(ord, self._encode_text(piece))
        return ids

    def encode_stream(self, pieces: Iterable[str], allowed: Collection[str] = ()) -> Iterator[int]:
        """The ids of a text that comes in pieces, cut anywhere: what `encode` gives for the whole, one after the other.

        Into an array, without a list in between: `np.fromiter(encoder.encode_stream(file), np.uint16)`.
        """
        if not self.by_stretch:
            raise ValueError(f"with the pattern {self.pattern!r} a stream has no safe place to cut: use `encode`")
        if spaced := [token for token in allowed if regex.search(r"\s", token)]:
            raise ValueError(f"a stream is cut at white space, and these special tokens hold some: {spaced}")
        return chain.from_iterable(self.encode(block, allowed) for block in blocks(pieces))

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids, special tokens written out; bytes that are not UTF-8 become U+FFFD."""
        return b"".join(map(self.bytes_of.__getitem__, ids)).decode("utf-8", errors="replace")

    def _either(self, allowed: Collection[str]) -> str:
        """A pattern that finds the allowed special tokens, and the longest where several begin."""
        if unknown := [token for token in allowed if token not in self.special]:
            raise ValueError(f"allowed, but not among the special tokens: {unknown}")
        return "(" + "|".join(map(regex.escape, sorted(allowed, key=len, reverse=True))) + ")"

    def _encode_text(self, text: str) -> str:
        """Ordinary text to tokens, as all that follow."""
        if not self.by_stretch:
            return self._encode_stretch(text)
        return "".join(map(self.stretches.__getitem__, STRETCH.findall(text)))

    def _encode_stretch(self, stretch: str) -> str:
        return "".join(map(self.parts.__getitem__, self.split(stretch)))

    def _encode_part(self, part: str) -> str:
        if (whole := self.whole.get(part.encode()) if self.whole else None) is not None:
            return chr(whole)
        tokens, start = [], 0
        characters, heads = self.neighbours[part[0]]
        for at, character in enumerate(part[1:], 1):
            if character not in characters and not (heads and character.encode()[:1] in heads):
                tokens.append(self.pieces[part[start:at]])
                start = at
            characters, heads = self.neighbours[character]
        tokens.append(self.pieces[part[start:]])
        return "".join(tokens)

    def _find_neighbours(self, character: str) -> tuple[set[str], set[bytes]]:
        """What may follow a character within a token: characters, and bytes with which one may begin."""
        data = character.encode()
        heads = set().union(*(self.ragged.get(data[i:], ()) for i in range(len(data))))
        return self.joined.get(character, set()), heads

    def _encode_piece(self, piece: str) -> str:
        """Merge the pair of the lowest rank, the leftmost among equals, until there is none."""
        tokens = [self.token_of_byte[byte] for byte in piece.encode()]
        if len(tokens) > self.LONG:
            return self._encode_long(tokens)
        rank, NEVER = self.rank.get, self.NEVER
        ranks = list(map(rank, map(add, tokens, tokens[1:]), repeat(NEVER)))
        while ranks and (lowest := min(ranks)) < NEVER:
            at = ranks.index(lowest)
            tokens[at : at + 2] = [self.made[lowest]]
            del ranks[at]
            if at:
                ranks[at - 1] = rank(tokens[at - 1] + tokens[at], NEVER)
            if at < len(ranks):
                ranks[at] = rank(tokens[at] + tokens[at + 1], NEVER)
        return "".join(tokens)

    def _encode_long(self, tokens: list[str]) -> str:
        """The same in n log n steps: a heap of ranks with their places, and for each place the next one and the last."""
        GONE, rank = "", self.rank.get
        tokens = [*tokens, GONE]  # the end, which is also what comes before the first: the places form a ring
        following, preceding = [*range(1, len(tokens)), 0], [*range(-1, len(tokens) - 1)]
        pairs = map(add, tokens, tokens[1:])
        heap = [(found, at) for at, pair in enumerate(pairs) if (found := rank(pair)) is not None]
        heapify(heap)
        while heap:
            lowest, at = heappop(heap)
            right = following[at]
            if rank(tokens[at] + tokens[right]) != lowest:  # one of the two has been merged since
                continue
            tokens[at], tokens[right] = self.made[lowest], GONE
            following[at] = beyond = following[right]
            preceding[beyond] = at
            for left in (preceding[at], at):
                if (found := rank(tokens[left] + tokens[following[left]])) is not None:
                    heappush(heap, (found, left))
        return "".join(tokens)


def seams(tokens: Iterable[bytes]) -> tuple[dict[str, set[str]], dict[bytes, set[bytes]]]:
    """Where tokens run from one character into the next.

    First, for whole characters: the left one -> those to its right. Second, where the token begins inside the left
    one, or ends inside the right one: the bytes that it holds of the left one -> first bytes of the right one.
    """
    joined, ragged = defaultdict(set), defaultdict(set)
    for token in tokens:
        try:
            for left, right in pairwise(token.decode()):
                joined[left].add(right)
        except UnicodeDecodeError:
            for left, right in pairwise(re.findall(rb"[^\x80-\xbf][\x80-\xbf]*|^[\x80-\xbf]+", token)):
                ragged[left].add(right[:1])
    return dict(joined), dict(ragged)
