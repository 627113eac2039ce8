"""From text to ids and back, as the tokenizers that come with LLaMA checkpoints do it.

    vocabulary.encode("The hotel's new")            ordinary text: never a special token, whatever the text says
    vocabulary.encode("<|end|>", ["<|end|>"])       special tokens only where they are asked for
    vocabulary.decode(ids)                          special tokens are left out
    stream = vocabulary.stream()                    letter by letter, for ids that come one by one:
    stream.push(id), …, stream.end()                together the same as `decode`, and no character is cut in two

There are two families. `ByteLevel` is the byte-pair encoding of chapter 2 (GPT-2, LLaMA 3, SmolLM2). `Pieces` is that of
the library sentencepiece (LLaMA 1 and 2, llama2.c): its tokens are made of characters, a character that no token holds
falls back to its bytes, and a space is put before the text.

They are read from `tokenizer.json` (Hugging Face), `tokenizer.model` (sentencepiece), `tokenizer.bin` (llama2.c), and
from the metadata of a GGUF file. What cannot be read rightly is refused, in one line that names the file and the field.
"""

import codecs
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from pathlib import Path
from typing import Any

import regex

from solutions.tokenization.bpe import PATTERN, byte_to_unicode
from solutions.tokenization.fast import Encoder

# Every digit is a part of its own, and then GPT-2's pattern in what lies between: both in one.
DIGITS_APART = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+"

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)  # the kinds of piece, as sentencepiece numbers them


class CheckpointError(ValueError):
    """A file that cannot be read rightly: one line that names the file and the field."""

    def __init__(self, file: Path | str, field: str, problem: str) -> None:
        line = " ".join(f"{file}: {field}: {problem}".split())
        super().__init__(line if len(line) <= 500 else line[:499] + "…")


class Stream:
    """Text out of ids that come one by one. What is held back is the beginning of a character, until its end comes."""

    def __init__(self, vocabulary: "Vocabulary", after: Iterable[int] = ()) -> None:
        self.bytes_of = vocabulary.bytes_of
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.begun = not vocabulary.begins_with_space
        for id in after:
            self.push(id)

    def push(self, id: int) -> str:
        """The characters that are complete with this id: none, one or many."""
        data = self.bytes_of[id]
        if data and not self.begun:
            self.begun, data = True, data.removeprefix(b" ")  # the space that `encode` had put there
        return self.decoder.decode(data)

    def end(self) -> str:
        """What is left: U+FFFD if a character was not completed."""
        return self.decoder.decode(b"", True)


class Vocabulary:
    """What both families share."""

    begins_with_space = False

    def __init__(self, bytes_of: Sequence[bytes], special: Mapping[str, int], begin: Sequence[int], end: Iterable[int]):
        self.bytes_of = list(bytes_of)  # id -> bytes; of special tokens, none
        self.special = dict(special)  # text -> id
        self.begin = list(begin)  # ids that the model wants before a text
        self.end = frozenset(end)  # ids that end one
        self.chat_template: str | None = None

    def __len__(self) -> int:
        return len(self.bytes_of)

    def encode(self, text: str, allowed: Collection[str] = ()) -> list[int]:
        """The ids of a text. Special tokens act only where they are allowed; others are ordinary text."""
        if unknown := [token for token in allowed if token not in self.special]:
            raise ValueError(f"allowed, but not among the special tokens: {unknown}")
        if not allowed:
            return self.encode_ordinary(text)
        either = "|".join(map(regex.escape, sorted(allowed, key=len, reverse=True)))
        ids: list[int] = []
        for piece in regex.split(f"({either})", text):
            ids += [self.special[piece]] if piece in allowed else self.encode_ordinary(piece)
        return ids

    def encode_ordinary(self, text: str) -> list[int]:
        raise NotImplementedError

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids. Special tokens are left out; bytes that are not UTF-8 become U+FFFD."""
        stream = self.stream()
        return "".join([*map(stream.push, ids), stream.end()])

    def stream(self, after: Iterable[int] = ()) -> Stream:
        """Decode id by id; `after` are ids whose text has been told already."""
        return Stream(self, after)


class ByteLevel(Vocabulary):
    """The byte-pair encoding of chapter 2, with the ids of a checkpoint."""

    def __init__(
        self,
        tokens: Mapping[int, bytes],
        merges: Mapping[tuple[int, int], int],
        special: Mapping[str, int],
        pattern: str = PATTERN,
        begin: Sequence[int] = (),
        end: Iterable[int] = (),
    ) -> None:
        size = max([*tokens, *special.values()], default=-1) + 1
        bytes_of = [b""] * size
        for id, data in tokens.items():
            bytes_of[id] = data
        super().__init__(bytes_of, special, begin, end)
        self.encoder = Encoder(tokens, merges, pattern=pattern)
        self.id_of_byte = {data[0]: id for id, data in tokens.items() if len(data) == 1}
        self.merges, self.order = merges, {pair: number for number, pair in enumerate(merges)}
        self.missing = bytes(byte for byte in range(256) if byte not in self.id_of_byte)

    def encode_ordinary(self, text: str) -> list[int]:
        """Bytes that the vocabulary lacks are left out: a few rare ones in SmolLM2's."""
        data = text.encode()
        if len(data.translate(None, self.missing)) == len(data):
            return self.encoder.encode(text)
        return [
            id for part in self.encoder.split(text) for id in self.merge(part.encode().translate(None, self.missing))
        ]

    def merge(self, data: bytes) -> list[int]:
        """The merges in one part, the plain way: which bytes are side by side is seen only when some are left out."""
        ids = [self.id_of_byte[byte] for byte in data]
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
        prefix: bool = True,
    ) -> None:
        """`rank`: the scores of the pieces (the largest is merged first), or {pair: rank} (the smallest first)."""
        self.begins_with_space = prefix
        special = {piece: id for id, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)) if kind == CONTROL}
        bytes_of, self.byte_ids = [], {}
        for id, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)):
            if kind == BYTE:
                byte = int(piece[1:-1], 16)
                self.byte_ids[byte] = id
                bytes_of.append(bytes([byte]))
            elif kind == UNKNOWN:
                bytes_of.append(" \u2047 ".encode())  # what sentencepiece writes for it
                self.unknown = id
            else:
                bytes_of.append(b"" if kind in (CONTROL, UNUSED) else piece.replace("▁", " ").encode())
        super().__init__(bytes_of, special, begin, end)
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

    def encode_ordinary(self, text: str) -> list[int]:
        if not text:
            return []
        text = ("▁" if self.begins_with_space else "") + text.replace(" ", "▁")
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
    special: Mapping[str, int],
    pattern: str,
    begin: Sequence[int],
    end: Iterable[int],
    names: tuple[str, str],
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
    return ByteLevel(token_bytes, made, special, pattern, begin, end)
