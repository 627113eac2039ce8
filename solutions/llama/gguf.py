"""GGUF: metadata, a list of tensors, and their data."""

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from solutions.llama.config import Config, Loaded, assemble, checked, fitting
from solutions.llama.numbers import Decode, Tensor, decoded
from solutions.llama.pieces import check_pieces
from solutions.llama.vocabulary import (
    DIGITS_APART,
    NORMAL,
    CheckpointError,
    Pieces,
    Vocabulary,
    byte_level,
)
from solutions.tokenization.bpe import PATTERN

GGUF = {
    "embed": "token_embd.weight",
    "attn_norm": "blk.{}.attn_norm.weight",
    "Wq": "blk.{}.attn_q.weight",
    "Wk": "blk.{}.attn_k.weight",
    "Wv": "blk.{}.attn_v.weight",
    "Wo": "blk.{}.attn_output.weight",
    "mlp_norm": "blk.{}.ffn_norm.weight",
    "Wg": "blk.{}.ffn_gate.weight",
    "Wu": "blk.{}.ffn_up.weight",
    "Wd": "blk.{}.ffn_down.weight",
    "norm": "output_norm.weight",
    "head": "output.weight",
}
# The kind of a value, by its number, and of a tensor: (name, numbers in a block, bytes of a block).
VALUES = {0: "<u1", 1: "<i1", 2: "<u2", 3: "<i2", 4: "<u4", 5: "<i4", 6: "<f4", 10: "<u8", 11: "<i8", 12: "<f8"}
BOOL, STRING, ARRAY = 7, 8, 9
KINDS = {0: ("F32", 1, 4), 1: ("F16", 1, 2), 3: ("Q4_1", 32, 20), 8: ("Q8_0", 32, 34), 30: ("BF16", 1, 2)}
OTHER_KINDS = {2: "Q4_0", 6: "Q5_0", 7: "Q5_1", 10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K"}


class Cursor:
    """Reads on and on in the head of a GGUF file, and never beyond its end."""

    def __init__(self, path: Path, data: np.ndarray) -> None:
        self.path, self.data, self.at = path, data, 0

    def take(self, count: int, field: str) -> np.ndarray:
        if count > len(self.data) - self.at:
            raise CheckpointError(self.path, field, f"needs {count:,} bytes at byte {self.at:,}: the file ends before")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form: str, field: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form), field).tobytes())[0])

    def string(self, field: str) -> str:
        data = self.take(self.number("<Q", field), field).tobytes()
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise CheckpointError(self.path, field, f"is no UTF-8: {error.reason}") from error

    def value(self, kind: int, field: str) -> Any:
        if kind == STRING:
            return self.string(field)
        if kind != ARRAY:
            return self.values(kind, 1, field)[0]
        kind, count = self.number("<I", field), self.number("<Q", field)
        if kind == STRING:
            if 8 * count > len(self.data) - self.at:
                raise CheckpointError(self.path, field, f"{count:,} strings: the file ends before")
            return [self.string(field) for _ in range(count)]
        return self.values(kind, count, field)

    def values(self, kind: int, count: int, field: str) -> list[Any]:
        if kind == BOOL:
            numbers = self.take(count, field)
            if (numbers > 1).any():
                raise CheckpointError(self.path, field, "expected true or false, 1 or 0")
            return numbers.astype(bool).tolist()
        if kind not in VALUES:
            raise CheckpointError(self.path, field, f"is of the unknown kind {kind}")
        form = np.dtype(VALUES[kind])
        return self.take(count * form.itemsize, field).view(form).tolist()


def read_gguf(path: Path, data: np.ndarray) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The metadata and the tensors of a GGUF file."""
    cursor = Cursor(path, data)
    cursor.take(4, "magic")
    version = cursor.number("<I", "version")
    if version not in (2, 3):
        raise CheckpointError(path, "version", f"{version}; only 2 and 3, little-endian, are read")
    tensor_count, metadata_count = cursor.number("<Q", "tensor_count"), cursor.number("<Q", "metadata_kv_count")
    metadata: dict[str, Any] = {}
    for number in range(metadata_count):
        key = cursor.string(f"key {number}")
        if key in metadata:
            raise CheckpointError(path, key, "is there twice")
        metadata[key] = cursor.value(cursor.number("<I", key), key)
    said: list[tuple[str, str, int, tuple[int, ...], int, int]] = []
    for number in range(tensor_count):
        name = cursor.string(f"name of tensor {number}")
        dimensions = cursor.number("<I", name)
        if dimensions > 4:
            raise CheckpointError(path, name, f"{dimensions} dimensions")
        shape = tuple(cursor.number("<Q", name) for _ in range(dimensions))[::-1]
        kind, offset = cursor.number("<I", name), cursor.number("<Q", name)
        if kind not in KINDS:
            kinds = ", ".join(known for known, _, _ in KINDS.values())
            raise CheckpointError(path, name, f"is {OTHER_KINDS.get(kind, f'of kind {kind}')}; read are only {kinds}")
        label, numbers, size = KINDS[kind]
        if not shape or shape[-1] % numbers:
            raise CheckpointError(path, name, f"{label} has blocks of {numbers}, which {list(shape)} does not fill")
        said.append((name, label, math.prod(shape) // numbers * size, shape, offset, len(said)))
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 1 << 20 or alignment % 8:
        raise CheckpointError(path, "general.alignment", f"expected a multiple of 8, got {alignment!r}")
    body = data[-(-cursor.at // alignment) * alignment :]
    tensors: dict[str, Tensor] = {}
    for name, label, size, shape, offset, _ in said:
        if name in tensors:
            raise CheckpointError(path, name, "is there twice")
        if offset % alignment or offset + size > len(body):
            raise CheckpointError(path, name, f"takes {size:,} bytes from {offset:,}, and there are {len(body):,}")
        tensors[name] = Tensor(path, label, shape, body[offset : offset + size])
    end = 0
    for name, _, size, _, offset, _ in sorted(said, key=lambda tensor: tensor[4]):
        if offset < end:
            raise CheckpointError(path, name, f"begins at {offset:,}, within the tensor before it")
        end = offset + size
    return metadata, tensors


def load_gguf(path: Path, data: np.ndarray, decode: Mapping[str, Decode]) -> Loaded:
    metadata, found = read_gguf(path, data)
    if metadata.get("general.architecture") != "llama":
        raise CheckpointError(
            path, "general.architecture", f"expected llama, got {metadata.get('general.architecture')!r}"
        )

    def get(name: str, *default: Any) -> Any:
        if not default and f"llama.{name}" not in metadata:
            raise CheckpointError(path, f"llama.{name}", "missing")
        return metadata.get(f"llama.{name}", *default)

    embed = found.get(GGUF["embed"])
    if embed is None or len(embed.shape) != 2:
        raise CheckpointError(path, GGUF["embed"], "missing, or no matrix")
    heads = get("attention.head_count")
    config = Config(
        dim=get("embedding_length"),
        hidden=get("feed_forward_length"),
        layers=get("block_count"),
        heads=heads,
        kv_heads=get("attention.head_count_kv", heads),
        vocab=embed.shape[0],
        max_len=get("context_length"),
        rope_base=get("rope.freq_base", 10000.0),
        eps=get("attention.layer_norm_rms_epsilon"),
        tied=GGUF["head"] not in found,
    )
    names = {"dim": "embedding_length", "hidden": "feed_forward_length", "layers": "block_count"}
    names |= {"heads": "attention.head_count", "kv_heads": "attention.head_count_kv", "max_len": "context_length"}
    names |= {"rope_base": "rope.freq_base", "eps": "attention.layer_norm_rms_epsilon"}
    checked(config, path, {field: f"llama.{name}" for field, name in names.items()} | {"vocab": GGUF["embed"]})
    for name, expected in (
        ("vocab_size", config.vocab),
        ("rope.dimension_count", config.head_dim),
        ("attention.key_length", config.head_dim),
        ("attention.value_length", config.head_dim),
        ("rope.scaling.type", "none"),
        ("expert_count", 0),
    ):
        if get(name, expected) != expected:
            raise CheckpointError(path, f"llama.{name}", f"expected {expected}, got {get(name)!r}")
    used = set()

    def read(name: str, layer: int, shape: tuple[int, ...]) -> np.ndarray:
        name_there = GGUF[name].format(layer)
        used.add(name_there)
        if name_there not in found:
            raise CheckpointError(path, name_there, "missing")
        return decoded(found[name_there], name_there, shape, decode)

    weights = assemble(config, read)
    for name in found:
        if name not in used:
            raise CheckpointError(path, name, "a LLaMA of this config has no such tensor")
    return Loaded(config, weights, fitting(vocabulary_of(path, metadata), config, path))


# --------------------------------------------------------------------------------------------------------------------
# The vocabulary, which is part of the metadata
# --------------------------------------------------------------------------------------------------------------------

GGUF_PATTERNS = {"smollm": DIGITS_APART, "gpt-2": PATTERN, "gpt2": PATTERN, "default": PATTERN, None: PATTERN}


def vocabulary_of(path: Path, metadata: Mapping[str, Any]) -> Vocabulary | None:
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
