"""sentencepiece's vocabularies: tokenizer.model, and llama2.c's tokenizer.bin, which is made from one."""

import math
import struct
from collections.abc import Iterator, Sequence
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
