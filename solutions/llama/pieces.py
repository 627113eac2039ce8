"""sentencepiece's vocabularies: tokenizer.model, and llama2.c's tokenizer.bin, which is made from one."""

import math
import struct
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import regex

from solutions.llama.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, CheckpointError, Pieces, read_bytes


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


def read_tokenizer_bin(path: Path) -> Pieces:
    """The longest token, and to the end of the file for each token its score, its length and its bytes."""
    data = read_bytes(path)
    if len(data) < 4:
        raise CheckpointError(path, "max_token_length", "the file ends here")
    at, pieces, scores, kinds, lengths = 4, [], [], [], []
    while at < len(data):
        id = len(pieces)
        if at + 8 > len(data):
            raise CheckpointError(path, f"token {id}", "the file ends here")
        score, length = struct.unpack_from("<fi", data, at)
        at += 8
        if not 0 <= length <= len(data) - at:
            raise CheckpointError(path, f"length of token {id}", f"{length}, and {len(data) - at} bytes are left")
        try:
            piece = data[at : at + length].decode()
        except UnicodeDecodeError as error:
            raise CheckpointError(path, f"token {id}", f"is no UTF-8: {error.reason}") from error
        at += length
        lengths.append(length)
        kind = UNKNOWN if id == 0 else CONTROL if id in (1, 2) else NORMAL
        if kind == NORMAL and regex.fullmatch("<0x[0-9A-F]{2}>", piece):
            kind = BYTE
        pieces.append(piece.strip("\n") if kind == CONTROL else piece.replace(" ", "▁"))
        scores.append(score)
        kinds.append(kind)
    (longest,) = struct.unpack_from("<i", data)
    if longest != max(lengths, default=0):
        raise CheckpointError(
            path, "max_token_length", f"{longest}, but the longest token has {max(lengths, default=0)}"
        )
    if len(pieces) < 3:
        raise CheckpointError(path, "tokens", f"{len(pieces)}; the first three are <unk>, <s> and </s>")
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


# The fields of sentencepiece's messages. What was asked for in training changes nothing afterwards, but for the named.
PIECE = {1: "piece", 2: "score", 3: "type"}
MODEL = {1: "pieces", 2: "trainer_spec", 3: "normalizer_spec", 4: "self_test_data", 5: "denormalizer_spec"}
TRAINER = {3: "model_type", 24: "treat_whitespace_as_suffix", 35: "byte_fallback", 40: "unk_id", 41: "bos_id",
           42: "eos_id", 44: "unk_surface"}  # fmt: skip
ONLY_TRAINING = {1, 2, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 25, 26, 30, 31, 32, 33, 34,
                 36, 43, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55}  # fmt: skip
NORMALIZER = {1: "name", 2: "precompiled_charsmap", 3: "add_dummy_prefix", 4: "remove_extra_whitespaces",
              5: "escape_whitespaces", 6: "normalization_rule_tsv"}  # fmt: skip


def message(data: Any, path: Path, name: str, known: Collection[int]) -> dict[int, Any]:
    """The fields of a message, the last of each."""
    found = dict(protobuf(data, path, name))
    for number in found:
        if number not in known:
            raise CheckpointError(
                path, f"{name}, field {number}", "is not known here, so what it changes would be missed"
            )
    return found


def read_tokenizer_model(path: Path) -> Pieces:
    pieces: list[str] = []
    scores: list[float] = []
    kinds: list[int] = []
    trainer: dict[int, Any] = {}
    normalizer: dict[int, Any] = {}
    for number, value in protobuf(read_bytes(path), path, "file"):
        if number not in MODEL or not isinstance(value, bytes):
            raise CheckpointError(path, f"field {number}", "is none of a sentencepiece model's: is this one?")
        if number == 1:
            piece = {1: b"", 2: 0.0, 3: NORMAL} | message(value, path, f"piece {len(pieces)}", PIECE)
            try:
                pieces.append(piece[1].decode())
            except (UnicodeDecodeError, AttributeError) as error:
                raise CheckpointError(path, f"piece {len(pieces)}", "its text is no UTF-8") from error
            if not isinstance(piece[2], float) or not isinstance(piece[3], int):
                raise CheckpointError(path, f"piece {len(kinds)}", "its score or its kind is no number")
            scores.append(piece[2])
            kinds.append(piece[3])
        elif number == 2:
            trainer |= message(value, path, "trainer_spec", TRAINER.keys() | ONLY_TRAINING)
        elif number == 3:
            normalizer |= message(value, path, "normalizer_spec", NORMALIZER)
        elif number == 5 and message(value, path, "denormalizer_spec", NORMALIZER).get(2):
            raise CheckpointError(
                path, "denormalizer_spec.precompiled_charsmap", "text that is changed back is not built"
            )
    if not pieces:
        raise CheckpointError(path, "pieces", "there are none: is this a sentencepiece model?")
    if trainer.get(3, 1) != 2:
        raise CheckpointError(path, "trainer_spec.model_type", f"{trainer.get(3, 1)}; only 2, BPE, is read")
    if trainer.get(24, 0):
        raise CheckpointError(path, "trainer_spec.treat_whitespace_as_suffix", "only spaces before words are read")
    if normalizer.get(2):
        raise CheckpointError(path, "normalizer_spec.precompiled_charsmap", "only the normaliser `identity` is read")
    if not normalizer.get(5, 1):
        raise CheckpointError(
            path, "normalizer_spec.escape_whitespaces", "only texts whose spaces are escaped are read"
        )
    if bool(trainer.get(35, 0)) != (BYTE in kinds):
        raise CheckpointError(path, "trainer_spec.byte_fallback", "there are pieces for bytes, or it is said; not both")
    check_pieces(path, pieces, kinds, scores, "pieces")
    begin, end = trainer.get(41, 1), trainer.get(42, 2)
    for name, id in (("bos_id", begin), ("eos_id", end)):
        if not isinstance(id, int) or (id < 1 << 31 and id >= len(pieces)):
            raise CheckpointError(path, f"trainer_spec.{name}", f"{id}, but there are {len(pieces)} pieces")
    try:
        unknown = trainer.get(44, " \u2047 ".encode()).decode()
    except (UnicodeDecodeError, AttributeError) as error:
        raise CheckpointError(path, "trainer_spec.unk_surface", "is no UTF-8") from error
    squeeze, prefix = bool(normalizer.get(4, 1)), bool(normalizer.get(3, 1))
    return Pieces(
        pieces,
        scores,
        kinds,
        begin=[begin] if begin < len(pieces) else [],  # -1, written as a huge number: there is none
        end=[end] if end < len(pieces) else [],
        prefix="always" if prefix else "never",
        strip=prefix or squeeze,
        squeeze=squeeze,
        unknown=unknown,
    )
