"""From text to ids and back, as the tokenizers that come with LLaMA checkpoints do it.

    vocabulary.encode("The hotel's new")            ordinary text: never a special token, whatever the text says
    vocabulary.encode("<|end|>", ["<|end|>"])       special tokens only where they are asked for
    vocabulary.decode(ids)                          special tokens are left out
    stream = vocabulary.stream()                    letter by letter, for ids that come one by one:
    stream.push(id), …, stream.end()                together the same as `decode`, and no character is cut in two

There are two families. `ByteLevel` is the byte-pair encoding of the tokenization chapter (GPT-2, LLaMA 3, SmolLM2). `Pieces`
is that of the library sentencepiece (LLaMA 1 and 2, llama2.c): its tokens are made of characters, a character that no token holds
falls back to its bytes, and a space is put before the text.

They are read from `tokenizer.json` (Hugging Face; tokenizer_json.py), `tokenizer.model` (sentencepiece) and
`tokenizer.bin` (llama2.c; both pieces.py), and from the metadata of a GGUF file (gguf.py). What cannot be read rightly is
refused, in one line that names the file and the field.
"""

import codecs
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import regex

from solutions.tokenization.bpe import PATTERN, byte_to_unicode
from solutions.tokenization.fast import Encoder

# Llama 3's pattern: words with the sign before them, digits in threes from the left, signs with the line ends after them.
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Every digit is a part of its own, and then GPT-2's pattern in what lies between: both in one.
DIGITS_APART = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+"

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # the kinds of piece, as sentencepiece numbers them


# Where a space is put before a text. sentencepiece and LLaMA's first tokenizer.json: always; Hugging Face's Metaspace:
# where the text does not begin with one, and in its way "first" only where no added token stands before.
Prefix = Literal["always", "never", "unless there", "first unless there"]


class CheckpointError(ValueError):
    """A file that cannot be read rightly: one line that names the file and the field."""

    def __init__(self, file: Path | str, field: str, problem: str) -> None:
        line = " ".join(f"{file}: {field}: {problem}".split())
        super().__init__(line if len(line) <= 500 else line[:499] + "…")


def only_known(said: Iterable[str], known: Collection[str], file: Path | str, inside: str = "") -> None:
    """Refuse what is not on the list. It may change numbers or ids, and nobody would see it."""
    for name in said:
        if name not in known:
            problem = "is not known here, so what it changes would be missed; take it out only if it changes nothing"
            raise CheckpointError(file, f"{inside}{name}", problem)


@dataclass(frozen=True)
class Added:
    """A token that is looked for in a text before anything else, as a whole."""

    text: str
    id: int
    special: bool = True  # acts only where it is allowed, and is left out of decoded text
    lstrip: bool = False  # takes the white space before it with it
    rstrip: bool = False  # … and after it
    single_word: bool = False  # only where no letter, digit or _ stands before or after it
    normalized: bool = False  # looked for after those that are not

    def span(self, text: str, start: int, end: int, since: int) -> tuple[int, int] | None:
        """What it takes of a text that has it from `start` to `end`; `since`: where the last one ended. None: nothing."""
        if self.single_word and (WORD.match(text[start - 1 : start]) or WORD.match(text[end : end + 1])):
            return None
        while self.lstrip and start > since and SPACE.match(text[start - 1]):
            start -= 1
        if self.lstrip:
            start = max(start, since)
        while self.rstrip and end < len(text) and SPACE.match(text[end]):
            end += 1
        return start, end


WORD, SPACE = regex.compile(r"\w"), regex.compile(r"\s")


class Stream:
    """Text out of ids that come one by one. What is held back is the beginning of a character, until its end comes."""

    def __init__(self, vocabulary: "Vocabulary", after: Iterable[int] = ()) -> None:
        self.bytes_of = vocabulary.bytes_of
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.begun, self.squeeze = not vocabulary.begins_with_space, vocabulary.squeeze
        for id in after:
            self.push(id)

    def push(self, id: int) -> str:
        """The characters that are complete with this id: none, one or many."""
        data = self.bytes_of[id]
        if data and not self.begun:
            data = (
                data.lstrip(b" ") if self.squeeze else data.removeprefix(b" ")
            )  # the space that `encode` had put there
            self.begun = not self.squeeze or bool(data)
        return self.decoder.decode(data)

    def end(self) -> str:
        """What is left: U+FFFD if a character was not completed."""
        return self.decoder.decode(b"", True)


class Vocabulary:
    """What both families share."""

    begins_with_space = False
    squeeze = False

    def __init__(
        self, bytes_of: Sequence[bytes], added: Sequence[Added], begin: Sequence[int], end: Iterable[int]
    ) -> None:
        self.bytes_of = list(bytes_of)  # id -> bytes; of special tokens, none
        self.added = list(added)
        self.special = {token.text: token.id for token in added if token.special}
        self.begin = list(begin)  # ids that the model wants before a text
        self.end = frozenset(end)  # ids that end one
        self.chat_template: str | None = None
        self.named: dict[str, str] = {}  # bos_token, eos_token, …: what a template calls some of the special tokens

    def __len__(self) -> int:
        return len(self.bytes_of)

    def encode(self, text: str, allowed: Collection[str] = (), stand_ins: Mapping[int, str] | None = None) -> list[int]:
        """The ids of a text. Special tokens act only where they are allowed; others are ordinary text.

        `stand_ins`: characters that stand for others until the tokens have been found (see templates.py).
        """
        if unknown := [token for token in allowed if token not in self.special]:
            raise ValueError(f"allowed, but not among the special tokens: {unknown}")
        active = [token for token in self.added if not token.special or token.text in allowed]
        raw = {token.text: token for token in active if not token.normalized}
        normal = {self.normal(token.text): token for token in active if token.normalized}
        ids: list[int] = []
        for at, part in cut_out(text, raw):
            if isinstance(part, Added):
                ids.append(part.id)
                continue
            for within, piece in cut_out(self.normal(part), normal):
                if isinstance(piece, Added):
                    ids.append(piece.id)
                else:
                    ids += self.encode_normal(piece.translate(stand_ins or {}), at + within == 0)
        return ids

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of a text in which nothing is an added token."""
        return self.encode_normal(self.normal(text))

    def normal(self, text: str) -> str:
        """What is done to a text before the tokens that are `normalized` are looked for in it."""
        return text

    def encode_normal(self, text: str, first: bool = True) -> list[int]:
        """The ids of a normal text without added tokens. `first`: nothing stands before it."""
        raise NotImplementedError

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids. Special tokens are left out; bytes that are not UTF-8 become U+FFFD."""
        stream = self.stream()
        return "".join([*map(stream.push, ids), stream.end()])

    def stream(self, after: Iterable[int] = ()) -> Stream:
        """Decode id by id; `after` are ids whose text has been told already."""
        return Stream(self, after)


def cut_out(text: str, tokens: Mapping[str, Added]) -> Iterator[tuple[int, str | Added]]:
    """The tokens in a text and what lies between them, each with its place; of two at one place the longer."""
    since = 0
    if tokens:
        either = "|".join(map(regex.escape, sorted(tokens, key=len, reverse=True)))
        for found in regex.finditer(either, text):
            token = tokens[found[0]]
            span = token.span(text, found.start(), found.end(), since)
            if span is None or span[0] >= span[1]:
                continue
            if since < span[0]:
                yield since, text[since : span[0]]
            yield span[0], token
            since = span[1]
    if since < len(text):
        yield since, text[since:]


class ByteLevel(Vocabulary):
    """The byte-pair encoding of the tokenization chapter, with the ids of a checkpoint."""

    def __init__(
        self,
        tokens: Mapping[int, bytes],
        merges: Mapping[tuple[int, int], int],
        added: Sequence[Added],
        pattern: str = PATTERN,
        begin: Sequence[int] = (),
        end: Iterable[int] = (),
        ignore_merges: bool = False,
    ) -> None:
        """`ignore_merges`: a part that is a token is that token, whatever the merges would make of it."""
        size = max([*tokens, *(token.id for token in added)], default=-1) + 1
        bytes_of = [b""] * size
        for id, data in tokens.items():
            bytes_of[id] = data
        for token in added:
            bytes_of[token.id] = b"" if token.special else token.text.encode()
        super().__init__(bytes_of, added, begin, end)
        self.encoder = Encoder(tokens, merges, pattern=pattern, ignore_merges=ignore_merges)
        self.id_of_byte = {data[0]: id for id, data in tokens.items() if len(data) == 1}
        self.merges, self.order = merges, {pair: number for number, pair in enumerate(merges)}
        self.missing = bytes(byte for byte in range(256) if byte not in self.id_of_byte)

    def encode_normal(self, text: str, first: bool = True) -> list[int]:
        """Bytes that the vocabulary lacks are left out: a few rare ones in SmolLM2's."""
        data = text.encode()
        if len(data.translate(None, self.missing)) == len(data):
            return self.encoder.encode(text)
        return [id for part in self.encoder.split(text) for id in self.merge(part.encode())]

    def merge(self, data: bytes) -> list[int]:
        """The merges in one part, the plain way: which bytes are side by side is seen only when some are left out."""
        if (whole := self.encoder.whole.get(data)) is not None:
            return [whole]
        ids = [self.id_of_byte[byte] for byte in data.translate(None, self.missing)]
        while pairs := [pair for pair in pairwise(ids) if pair in self.merges]:
            best = min(pairs, key=self.order.__getitem__)
            at = next(at for at, pair in enumerate(pairwise(ids)) if pair == best)
            ids[at : at + 2] = [self.merges[best]]
        return ids


class Pieces(Vocabulary):
    """sentencepiece's byte-pair encoding: of all neighbours that a piece could join, the best piece, leftmost first."""

    def __init__(
        self,
        pieces: Sequence[str],
        rank: Mapping[tuple[str, str], float] | Sequence[float],
        kinds: Sequence[int],
        begin: Sequence[int] = (),
        end: Iterable[int] = (),
        prefix: Prefix = "always",
        added: Sequence[Added] | None = None,
        strip: bool | None = None,
        squeeze: bool = False,
        unknown: str = " \u2047 ",
    ) -> None:
        """`rank`: the scores of the pieces (the largest is merged first), or {pair: rank} (the smallest first).

        `prefix`: where a space is put before a text; `strip`: whether `decode` takes one away at the beginning.
        `squeeze`: spaces at both ends go, and of several in a row one stays. `unknown`: the text of the unknown piece.
        """
        self.pieces, self.prefix, self.squeeze = list(pieces), prefix, squeeze
        self.begins_with_space = prefix != "never" if strip is None else strip
        if added is None:
            added = [
                Added(piece, id) for id, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)) if kind == CONTROL
            ]
        bytes_of, self.byte_ids = [], {}
        for id, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)):
            if kind == BYTE:
                byte = int(piece[1:-1], 16)
                self.byte_ids[byte] = id
                bytes_of.append(bytes([byte]))
            elif kind == UNKNOWN:
                bytes_of.append(unknown.encode())
                self.unknown = id
            else:
                bytes_of.append(b"" if kind in (CONTROL, UNUSED) else piece.replace("▁", " ").encode())
        for token in added:
            text = self.normal(token.text) if token.normalized else token.text
            bytes_of[token.id] = b"" if token.special else text.replace("▁", " ").encode()
        super().__init__(bytes_of, added, begin, end)
        self.id_of: dict[str, int] = {}
        for id, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)):
            if kind in (NORMAL, USER_DEFINED):
                self.id_of.setdefault(piece, id)
        user_defined = [piece for piece, kind in zip(pieces, kinds, strict=True) if kind == USER_DEFINED and piece]
        either = "|".join(map(regex.escape, sorted(user_defined, key=len, reverse=True)))
        self.user_defined = regex.compile(f"({either})") if user_defined else None
        self.pairs = rank if isinstance(rank, Mapping) else None
        self.scores = [] if isinstance(rank, Mapping) else list(rank)

    def rank(self, left: str, right: str) -> float | None:
        """Where the merge of these two stands: the smallest is done first. None: they do not go together."""
        if self.pairs is not None:
            return self.pairs.get((left, right))
        id = self.id_of.get(left + right)
        return None if id is None else -self.scores[id]

    def normal(self, text: str) -> str:
        if self.squeeze:
            text = regex.sub(" +", " ", text.strip(" ")).rstrip("▁ ")
        if self.prefix in ("always", "never"):
            return ("▁" if text and self.prefix == "always" else "") + text.replace(" ", "▁")
        return text

    def encode_normal(self, text: str, first: bool = True) -> list[int]:
        if self.prefix in ("unless there", "first unless there"):
            text = text.replace(" ", "▁")
            if text and not text.startswith("▁") and (first or self.prefix == "unless there"):
                text = "▁" + text
        ids: list[int] = []
        for number, part in enumerate(self.user_defined.split(text) if self.user_defined else [text]):
            for piece in [part] if number % 2 else self.merge(part):
                if piece in self.id_of:
                    ids.append(self.id_of[piece])
                elif self.byte_ids:
                    ids += [self.byte_ids[byte] for byte in piece.encode()]
                elif not ids or ids[-1] != self.unknown:  # unknown characters in a row are one unknown piece
                    ids.append(self.unknown)
        return ids

    def merge(self, text: str) -> list[str]:
        """The pieces of a text: each is a place in a list, joined with the next one until nothing joins."""
        pieces = list(text)
        following = list(range(1, len(pieces) + 1))
        before = list(range(-1, len(pieces) - 1))
        waiting = []
        for at in range(len(pieces) - 1):
            rank = self.rank(pieces[at], pieces[at + 1])
            if rank is not None:
                waiting.append((rank, at, pieces[at], pieces[at + 1]))
        heapify(waiting)
        while waiting:
            _, at, left, right = heappop(waiting)
            after = following[at]
            if pieces[at] != left or after >= len(pieces) or pieces[after] != right:
                continue  # one of the two has gone into another piece since
            pieces[at], pieces[after] = left + right, ""
            following[at] = after = following[after]
            if after < len(pieces):
                before[after] = at
                if (rank := self.rank(pieces[at], pieces[after])) is not None:
                    heappush(waiting, (rank, at, pieces[at], pieces[after]))
            if (at_left := before[at]) >= 0 and (rank := self.rank(pieces[at_left], pieces[at])) is not None:
                heappush(waiting, (rank, at_left, pieces[at_left], pieces[at]))
        return [piece for piece in pieces if piece]


# --------------------------------------------------------------------------------------------------------------------
# What all readers check
# --------------------------------------------------------------------------------------------------------------------


def read_bytes(path: Path, most: int = 1 << 28) -> bytes:
    """The whole of a small file."""
    try:
        if path.stat().st_size > most:
            raise CheckpointError(path, "size", f"{path.stat().st_size:,} bytes are too many for such a file")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(path, "file", error.strerror or str(error)) from error


def read_json(path: Path) -> dict[str, Any]:
    return parse_json(read_bytes(path), path, "file")


def parse_json(data: bytes, path: Path, field: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(path, field, f"is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise CheckpointError(path, field, "expected a JSON object")
    return found


def byte_level(
    path: Path,
    tokens: Mapping[int, str],
    merges: Iterable[tuple[str, str]],
    added: Sequence[Added],
    pattern: str,
    begin: Sequence[int],
    end: Iterable[int],
    names: tuple[str, str],
    ignore_merges: bool = False,
) -> ByteLevel:
    """From tokens in GPT-2's printable characters. `names`: what the file calls tokens and merges."""
    byte_of = {character: byte for byte, character in byte_to_unicode().items()}
    token_bytes: dict[int, bytes] = {}
    id_of: dict[str, int] = {}
    for id, token in tokens.items():
        if not token or not all(character in byte_of for character in token):
            raise CheckpointError(path, names[0], f"token {id}, {token!r}, is not spelt in GPT-2's 256 characters")
        if token in id_of:
            raise CheckpointError(path, names[0], f"{token!r} is there twice, as {id_of[token]} and {id}")
        token_bytes[id] = bytes(byte_of[character] for character in token)
        id_of[token] = id
    made: dict[tuple[int, int], int] = {}
    for number, (left, right) in enumerate(merges):
        for token in (left, right, left + right):
            if token not in id_of:
                raise CheckpointError(path, names[1], f"merge {number}, {left!r} + {right!r}: {token!r} is no token")
        made.setdefault((id_of[left], id_of[right]), id_of[left + right])
    return ByteLevel(token_bytes, made, added, pattern, begin, end, ignore_merges)
