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
import math
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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


def check_pieces(path: Path, pieces: Sequence[str], kinds: Sequence[int], scores: Sequence[float], field: str) -> None:
    """Whether `Pieces` can work with these."""
    seen_bytes = set()
    for id, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)):
        if kind not in range(NORMAL, BYTE + 1):
            raise CheckpointError(path, field, f"piece {id}, {piece!r}, is of the unknown kind {kind}")
        if kind == BYTE:
            if not regex.fullmatch("<0x[0-9A-Fa-f]{2}>", piece):
                raise CheckpointError(path, field, f"piece {id}, {piece!r}, should name a byte, such as <0x0A>")
            seen_bytes.add(int(piece[1:-1], 16))
    if seen_bytes and len(seen_bytes) < 256:
        raise CheckpointError(path, field, f"pieces for only {len(seen_bytes)} of the 256 bytes")
    if not seen_bytes and UNKNOWN not in kinds:
        raise CheckpointError(path, field, "neither bytes nor an unknown piece: some texts could not be written")
    if any(math.isnan(score) for score in scores):
        raise CheckpointError(path, field, "a score is not a number")


# --------------------------------------------------------------------------------------------------------------------
# tokenizer.bin of llama2.c
# --------------------------------------------------------------------------------------------------------------------


def read_tokenizer_bin(path: Path, size: int) -> Pieces:
    """The longest token, and for each token its score, its length and its bytes. How many there are, only the model says."""
    data = read_bytes(path)
    if len(data) < 4:
        raise CheckpointError(path, "max_token_length", "the file ends here")
    at, pieces, scores, kinds = 4, [], [], []
    for id in range(size):
        if at + 8 > len(data):
            raise CheckpointError(path, f"token {id}", f"the file ends here; the model has {size} tokens")
        score, length = struct.unpack_from("<fi", data, at)
        at += 8
        if not 0 <= length <= len(data) - at:
            raise CheckpointError(path, f"length of token {id}", f"{length}, and {len(data) - at} bytes are left")
        try:
            piece = data[at : at + length].decode()
        except UnicodeDecodeError as error:
            raise CheckpointError(path, f"token {id}", f"is no UTF-8: {error.reason}") from error
        at += length
        kind = UNKNOWN if id == 0 else CONTROL if id in (1, 2) else NORMAL
        if kind == NORMAL and regex.fullmatch("<0x[0-9A-F]{2}>", piece):
            kind = BYTE
        pieces.append(piece.strip("\n") if kind == CONTROL else piece.replace(" ", "▁"))
        scores.append(score)
        kinds.append(kind)
    if at != len(data):
        raise CheckpointError(path, "size", f"{len(data) - at} bytes are left after the model's {size} tokens")
    check_pieces(path, pieces, kinds, scores, "tokens")
    return Pieces(pieces, scores, kinds, begin=[1], end=[1, 2])


# --------------------------------------------------------------------------------------------------------------------
# tokenizer.model of sentencepiece: a protocol buffer
# --------------------------------------------------------------------------------------------------------------------


def protobuf(data: bytes, path: Path, field: str) -> Iterator[tuple[int, Any]]:
    """(number of the field, its value) one after the other: an int, a float for 4 bytes, or bytes."""

    def varint(at: int) -> tuple[int, int]:
        value = 0
        for number, byte in enumerate(data[at : at + 10]):
            value |= (byte & 127) << 7 * number
            if byte < 128:
                return value, at + number + 1
        raise CheckpointError(path, field, "a number has no end")

    at = 0
    while at < len(data):
        key, at = varint(at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(at)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(wire)
        if wire == 2:
            length, at = varint(at)
        if length is None:
            raise CheckpointError(path, field, f"holds a field {number} of the unknown wire type {wire}")
        if length > len(data) - at:
            raise CheckpointError(path, field, f"ends within its field {number}")
        value = data[at : at + length]
        at += length
        yield number, struct.unpack("<f", value)[0] if wire == 5 else value


def read_tokenizer_model(path: Path) -> Pieces:
    pieces: list[str] = []
    scores: list[float] = []
    kinds: list[int] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, value in protobuf(read_bytes(path), path, "file"):
        if number in (1, 2, 3) and not isinstance(value, bytes):
            raise CheckpointError(path, f"field {number}", "expected a message: is this a sentencepiece model?")
        if number == 1:
            piece = {1: b"", 2: 0.0, 3: NORMAL} | dict(protobuf(value, path, f"piece {len(pieces)}"))
            try:
                pieces.append(piece[1].decode())
            except (UnicodeDecodeError, AttributeError) as error:
                raise CheckpointError(path, f"piece {len(pieces)}", "its text is no UTF-8") from error
            if not isinstance(piece[2], float) or not isinstance(piece[3], int):
                raise CheckpointError(path, f"piece {len(kinds)}", "its score or its kind is no number")
            scores.append(piece[2])
            kinds.append(piece[3])
        elif number == 2:
            trainer.update(protobuf(value, path, "trainer_spec"))
        elif number == 3:
            normalizer.update(protobuf(value, path, "normalizer_spec"))
    if not pieces:
        raise CheckpointError(path, "pieces", "there are none: is this a sentencepiece model?")
    if trainer.get(3, 1) != 2:
        raise CheckpointError(path, "trainer_spec.model_type", f"{trainer.get(3, 1)}; only 2, BPE, is read")
    if trainer.get(24, 0):
        raise CheckpointError(path, "trainer_spec.treat_whitespace_as_suffix", "is not read")
    if normalizer.get(2):
        raise CheckpointError(path, "normalizer_spec.precompiled_charsmap", "only the normaliser `identity` is read")
    if normalizer.get(4, 1) or not normalizer.get(5, 1):
        raise CheckpointError(path, "normalizer_spec", "only texts whose white space is kept and escaped are read")
    check_pieces(path, pieces, kinds, scores, "pieces")
    begin, end = trainer.get(41, 1), trainer.get(42, 2)
    for name, id in (("bos_id", begin), ("eos_id", end)):
        if id < 1 << 31 and id >= len(pieces):
            raise CheckpointError(path, f"trainer_spec.{name}", f"{id}, but there are {len(pieces)} pieces")
    return Pieces(
        pieces,
        scores,
        kinds,
        begin=[begin] if begin < len(pieces) else [],  # -1, written as a huge number: there is none
        end=[end] if end < len(pieces) else [],
        prefix=bool(normalizer.get(3, 1)),
    )


# --------------------------------------------------------------------------------------------------------------------
# tokenizer.json of Hugging Face
# --------------------------------------------------------------------------------------------------------------------


def read_tokenizer_json(path: Path) -> Vocabulary:
    said = read_json(path)
    model = said.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise CheckpointError(path, "model", "only BPE is read")
    if model.get("ignore_merges") or model.get("dropout") or model.get("continuing_subword_prefix"):
        raise CheckpointError(path, "model", "ignore_merges, dropout and continuing_subword_prefix are not read")
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, dict) or not all(type(id) is int and id >= 0 for id in vocabulary.values()):
        raise CheckpointError(path, "model.vocab", "expected {token: id}")
    added = said.get("added_tokens") or []
    if not isinstance(added, list) or not all(
        isinstance(token, dict)
        and isinstance(token.get("content"), str)
        and token["content"]
        and type(token.get("id")) is int
        and token["id"] >= 0
        for token in added
    ):
        raise CheckpointError(path, "added_tokens", "expected a list of {content, id}")
    special = {token["content"]: token["id"] for token in added}
    for token, id in special.items():
        if vocabulary.get(token, id) != id:
            raise CheckpointError(
                path, "added_tokens", f"{token!r} is {id} here and {vocabulary[token]} in the vocabulary"
            )
    tokens = {id: token for token, id in vocabulary.items() if token not in special}
    if taken := set(tokens) & set(special.values()):
        raise CheckpointError(path, "added_tokens", f"the id {min(taken)} is taken by {tokens[min(taken)]!r}")
    if len(tokens) + len(set(vocabulary) & set(special)) != len(vocabulary):
        raise CheckpointError(path, "model.vocab", "two tokens have the same id")
    size = len(tokens) + len(set(special.values()))
    if (largest := max([*tokens, *special.values()], default=-1)) >= 2 * size + 1000:
        raise CheckpointError(path, "model.vocab", f"the id {largest} is too large for {size} tokens")
    begin, end = template(path, said.get("post_processor"), special)
    if not isinstance(merges, list):
        raise CheckpointError(path, "model.merges", "expected a list")
    pairs = []
    for number, merge in enumerate(merges):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(token, str) for token in pair):
            raise CheckpointError(path, "model.merges", f"merge {number} is no pair: {merge!r}")
        pairs.append((pair[0], pair[1]))
    if model.get("byte_fallback"):
        return pieces_of(path, said, vocabulary, special, pairs, begin, end)
    if said.get("normalizer"):
        raise CheckpointError(path, "normalizer", "is not read for a byte-level BPE")
    pattern = pattern_of(path, said.get("pre_tokenizer"))
    return byte_level(path, tokens, pairs, special, pattern, begin, end, ("model.vocab", "model.merges"))


def pattern_of(path: Path, said: Any) -> str:
    """The one pattern that cuts as the pre-tokenizer does."""
    steps = said.get("pretokenizers") if isinstance(said, dict) and said.get("type") == "Sequence" else [said]
    if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
        raise CheckpointError(path, "pre_tokenizer", "expected ByteLevel, or a sequence that ends with it")
    *before, last = steps
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        raise CheckpointError(path, "pre_tokenizer", "expected ByteLevel without add_prefix_space at the end")
    gpt2 = last.get("use_regex", True)
    if not before and gpt2:
        return PATTERN
    if len(before) == 1:
        kind = before[0].get("type")
        if kind == "Digits" and before[0].get("individual_digits") and gpt2:
            return DIGITS_APART
        given = before[0].get("pattern")
        split = kind == "Split" and before[0].get("behavior") == "Isolated" and not before[0].get("invert")
        if split and not gpt2 and isinstance(given, dict) and isinstance(given.get("Regex"), str):
            try:
                if regex.compile(given["Regex"]).match(""):
                    raise CheckpointError(path, "pre_tokenizer.pattern", "it matches the empty string")
            except regex.error as error:
                raise CheckpointError(path, "pre_tokenizer.pattern", f"cannot be compiled: {error}") from error
            return given["Regex"]
    kinds = [step.get("type") for step in steps]
    raise CheckpointError(path, "pre_tokenizer", f"{kinds} is not read: only ByteLevel, alone or after Digits or Split")


def template(path: Path, said: Any, special: Mapping[str, int], nested: bool = False) -> tuple[list[int], list[int]]:
    """The special tokens that a post-processor puts before and after a text."""
    if said is None or (isinstance(said, dict) and said.get("type") == "ByteLevel"):
        return [], []
    sequence = isinstance(said, dict) and said.get("type") == "Sequence" and isinstance(said.get("processors"), list)
    if sequence and not nested:
        both = [template(path, step, special, nested=True) for step in said["processors"]]
        return [id for begin, _ in both for id in begin], [id for _, end in both for id in end]
    if (
        not isinstance(said, dict)
        or said.get("type") != "TemplateProcessing"
        or not isinstance(said.get("single"), list)
    ):
        raise CheckpointError(path, "post_processor", "only ByteLevel and TemplateProcessing are read")
    begin: list[int] = []
    end: list[int] = []
    ids = begin
    for step in said["single"]:
        if isinstance(step, dict) and "Sequence" in step:
            ids = end
            continue
        token = step.get("SpecialToken", {}) if isinstance(step, dict) else {}
        token = token.get("id") if isinstance(token, dict) else None
        if not isinstance(token, str) or token not in special:
            raise CheckpointError(path, "post_processor.single", f"{token!r} is no special token")
        ids.append(special[token])
    return begin, end


def pieces_of(
    path: Path,
    said: Mapping[str, Any],
    vocabulary: Mapping[str, int],
    special: Mapping[str, int],
    pairs: Sequence[tuple[str, str]],
    begin: Sequence[int],
    end: Sequence[int],
) -> Pieces:
    """A sentencepiece vocabulary that Hugging Face has converted: the order of the merges stands for the scores."""
    prepend = {"type": "Prepend", "prepend": "▁"}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    normalizer, pre_tokenizer = said.get("normalizer"), said.get("pre_tokenizer")
    metaspace = {"type": "Metaspace", "replacement": "▁", "split": False}
    if normalizer == {"type": "Sequence", "normalizers": [prepend, replace]} and pre_tokenizer is None:
        prefix = True
    elif normalizer is None and isinstance(pre_tokenizer, dict) and metaspace.items() <= pre_tokenizer.items():
        prefix = pre_tokenizer.get("prepend_scheme") != "never"
    else:
        raise CheckpointError(path, "normalizer", "only the two forms of LLaMA's own tokenizer are read")
    size = max([*vocabulary.values(), *special.values()], default=-1) + 1
    pieces, kinds = [""] * size, [UNUSED] * size
    unknown = said["model"].get("unk_token")
    for piece, id in vocabulary.items():
        byte = regex.fullmatch("<0x[0-9A-Fa-f]{2}>", piece)
        pieces[id], kinds[id] = piece, BYTE if byte else UNKNOWN if piece == unknown else NORMAL
    for piece, id in special.items():
        pieces[id], kinds[id] = piece, UNKNOWN if piece == unknown else CONTROL
    check_pieces(path, pieces, kinds, [], "model.vocab")
    rank: dict[tuple[str, str], float] = {}
    for number, (left, right) in enumerate(pairs):
        if left + right not in vocabulary:
            raise CheckpointError(path, "model.merges", f"merge {number}: {left + right!r} is no token")
        rank.setdefault((left, right), number)
    return Pieces(pieces, rank, kinds, begin, end, prefix)


# --------------------------------------------------------------------------------------------------------------------
# The metadata of a GGUF file
# --------------------------------------------------------------------------------------------------------------------

GGUF_PATTERNS = {"smollm": DIGITS_APART, "gpt-2": PATTERN, "gpt2": PATTERN, "default": PATTERN, None: PATTERN}


def read_gguf(path: Path, metadata: Mapping[str, Any]) -> Vocabulary | None:
    """None where the file holds no tokenizer."""

    def get(name: str, kind: type, default: Any = None) -> Any:
        value = metadata.get(f"tokenizer.{name}", default)
        if value is not default and type(value) is not kind:
            raise CheckpointError(path, f"tokenizer.{name}", f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    def items(name: str, kind: type, size: int | None = None) -> list[Any] | None:
        values = get(f"ggml.{name}", list)
        if values is not None and not all(type(value) is kind for value in values):
            raise CheckpointError(path, f"tokenizer.ggml.{name}", f"expected a list of {kind.__name__}")
        if values is not None and size is not None and len(values) != size:
            raise CheckpointError(path, f"tokenizer.ggml.{name}", f"{len(values)} values for {size} tokens")
        return values

    model = get("ggml.model", str)
    if model is None or model == "no_vocab":
        return None
    tokens = items("tokens", str)
    if not tokens:
        raise CheckpointError(path, "tokenizer.ggml.tokens", "there are none")
    kinds = items("token_type", int, len(tokens)) or [NORMAL] * len(tokens)
    ends = {}
    for name in ("bos", "eos", "eot"):
        id = get(f"ggml.{name}_token_id", int)
        if id is not None and not 0 <= id < len(tokens):
            raise CheckpointError(path, f"tokenizer.ggml.{name}_token_id", f"{id}, but there are {len(tokens)} tokens")
        ends[name] = id
    add_bos = get("ggml.add_bos_token", bool, default=model == "llama")
    begin = [ends["bos"]] if add_bos and ends["bos"] is not None else []
    end = [ends[name] for name in ("eos", "eot") if ends[name] is not None]
    found: Vocabulary
    if model == "gpt2":
        pre = get("ggml.pre", str)
        if pre not in GGUF_PATTERNS:
            raise CheckpointError(path, "tokenizer.ggml.pre", f"{pre!r} is not read, only smollm and gpt-2")
        special = {token: id for id, token in enumerate(tokens) if kinds[id] != NORMAL}
        ordinary = {id: token for id, token in enumerate(tokens) if kinds[id] == NORMAL}
        if "" in special:
            raise CheckpointError(path, "tokenizer.ggml.tokens", f"token {special['']} is a special one with no name")
        pairs = []
        for number, merge in enumerate(items("merges", str) or []):
            left, space, right = merge.partition(" ")
            if not (left and space and right):
                raise CheckpointError(path, "tokenizer.ggml.merges", f"merge {number}, {merge!r}, is no pair")
            pairs.append((left, right))
        names = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
        found = byte_level(path, ordinary, pairs, special, GGUF_PATTERNS[pre], begin, end, names)
    elif model == "llama":
        scores = items("scores", float, len(tokens))
        if scores is None:
            raise CheckpointError(path, "tokenizer.ggml.scores", "missing")
        check_pieces(path, tokens, kinds, scores, "tokenizer.ggml.token_type")
        prefix = get("ggml.add_space_prefix", bool, default=True)
        found = Pieces(tokens, scores, kinds, begin, end, prefix)
    else:
        raise CheckpointError(path, "tokenizer.ggml.model", f"{model!r} is not read, only gpt2 and llama")
    found.chat_template = get("chat_template", str)
    return found
