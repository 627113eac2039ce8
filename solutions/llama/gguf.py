"""GGUF: metadata, a list of tensors, and their data."""

import math
import struct
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import regex

from solutions.llama.config import Config, Loaded, assemble, checked, every_tensor, fitting
from solutions.llama.numbers import Decode, Tensor, decoded
from solutions.llama.pieces import check_pieces
from solutions.llama.rope import linear_factors
from solutions.llama.vocabulary import (
    CONTROL,
    DIGITS_APART,
    LLAMA3,
    NORMAL,
    UNKNOWN,
    UNUSED,
    USER_DEFINED,
    Added,
    CheckpointError,
    Pieces,
    Vocabulary,
    byte_level,
    only_known,
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
KINDS = {
    0: ("F32", 1, 4),
    1: ("F16", 1, 2),
    2: ("Q4_0", 32, 18),
    3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24),
    8: ("Q8_0", 32, 34),
    12: ("Q4_K", 256, 144),
    13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
    30: ("BF16", 1, 2),
}
OTHER_KINDS = {9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
               20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64",
               28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0"}  # fmt: skip


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
            raise CheckpointError(path, name, f"is {OTHER_KINDS.get(kind, f'of kind {kind}')}; read are {kinds}")
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


# What the metadata may hold. What only describes the file, or how others like to sample from it, changes no number.
DESCRIBING = (
    r"general\.(type|name|author|version|organization|finetune|basename|description|quantized_by|size_label|license"
    r"|license\.name|license\.link|url|doi|uuid|repo_url|file_type|tags|languages|datasets|source\..+|base_model\..+"
    r"|dataset\..+|sampling\..+|source_url|repository)|llama\.rope\.scaling\.(finetuned|original_context_length)"
    r"|tokenizer\.ggml\.(unknown|seperator|separator|padding|mask|cls|prefix|suffix|middle"
    r"|fim_(pre|suf|mid|pad|rep|sep))_token_id|tokenizer\.chat_templates|quantize\.imatrix\..+|split\.tensors\.count"
)
SHAPE = {
    "dim": "embedding_length",
    "hidden": "feed_forward_length",
    "layers": "block_count",
    "heads": "attention.head_count",
    "kv_heads": "attention.head_count_kv",
    "max_len": "context_length",
    "rope_base": "rope.freq_base",
    "eps": "attention.layer_norm_rms_epsilon",
    "head_size": "attention.key_length",
}
READ = {"general.architecture", "general.alignment", *(f"llama.{name}" for name in SHAPE.values())}
READ |= {"llama.rope.scaling.type", "llama.rope.scaling.factor", "llama.rope.scale_linear"}
READ |= {f"tokenizer.ggml.{name}" for name in ("model", "pre", "tokens", "token_type", "scores", "merges")}
READ |= {f"tokenizer.ggml.{name}_token_id" for name in ("bos", "eos", "eot", "eom")}
READ |= {"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_space_prefix", "tokenizer.chat_template"}
# What is read only where it says this.
ONLY: dict[str, tuple[Any, ...]] = {
    "general.quantization_version": (2,),
    "llama.tensor_data_layout": ("Meta AI original pth",),
    "llama.expert_count": (0,),
    "llama.expert_used_count": (0,),
    "llama.use_parallel_residual": (False,),
    "llama.attention.causal": (True,),
    "tokenizer.ggml.token_type_count": (0, 1),
    "tokenizer.ggml.add_eos_token": (False,),
    "tokenizer.ggml.add_sep_token": (False,),
    "tokenizer.ggml.remove_extra_whitespaces": (False,),
    "split.no": (0,),
    "split.count": (0, 1),
}
ROPE_FACTORS = "rope_freqs.weight"


def check_metadata(path: Path, metadata: Mapping[str, Any]) -> None:
    """Refuse the keys that are not understood."""
    architecture = metadata.get("general.architecture")
    if architecture != "llama":
        raise CheckpointError(path, "general.architecture", f"expected llama, got {architecture!r}")
    for key, allowed in ONLY.items():
        if key in metadata and not any(metadata[key] == value for value in allowed):
            raise CheckpointError(path, key, f"{metadata[key]!r} is not built; read is only {allowed[-1]!r}")
    sizes = ("llama.vocab_size", "llama.rope.dimension_count", "llama.attention.value_length")  # checked with the shape
    templates = [key for key in metadata if key.startswith("tokenizer.chat_template.")]
    harmless = [key for key in metadata if regex.fullmatch(DESCRIBING, key)]
    only_known(metadata, {*READ, *ONLY, *sizes, *templates, *harmless}, path)


def rope_factors_of(
    path: Path, metadata: Mapping[str, Any], table: np.ndarray | None, head_dim: int
) -> tuple[float, ...] | None:
    """What slows down the pairs of RoPE: a factor for all, a table, or both."""
    kind = metadata.get("llama.rope.scaling.type", "linear")
    if kind not in ("none", "linear"):
        raise CheckpointError(path, "llama.rope.scaling.type", f"{kind!r} is not built, only linear")
    factor = metadata.get("llama.rope.scaling.factor", metadata.get("llama.rope.scale_linear", 0.0))
    if type(factor) not in (int, float) or not 0 <= factor < 1e6:
        raise CheckpointError(path, "llama.rope.scaling.factor", f"expected a number from 1, got {factor!r}")
    slower = 1.0 if kind == "none" or factor == 0 else float(factor)
    if table is None:
        return None if slower == 1 else linear_factors(head_dim, slower)
    return tuple((slower * table.astype(np.float64)).tolist())


def load_gguf(
    path: Path,
    data: np.ndarray,
    decode: Mapping[str, Decode],
    lazy: bool = False,
    given: Vocabulary | None = None,
) -> Loaded:
    metadata, found = read_gguf(path, data)
    check_metadata(path, metadata)

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
        head_size=get("attention.key_length", None),
    )
    names = {field: f"llama.{name}" for field, name in SHAPE.items()} | {"vocab": GGUF["embed"]}
    config = checked(config, path, names)
    for name, expected in (
        ("vocab_size", config.vocab),
        ("rope.dimension_count", config.head_dim),
        ("attention.value_length", config.head_dim),
    ):
        if get(name, expected) != expected:
            raise CheckpointError(path, f"llama.{name}", f"expected {expected}, got {get(name)!r}")
    used = {ROPE_FACTORS}
    table = None
    if ROPE_FACTORS in found:
        table = decoded(found[ROPE_FACTORS], ROPE_FACTORS, (config.head_dim // 2,))
    factors = rope_factors_of(path, metadata, table, config.head_dim)
    config = checked(replace(config, rope_factors=factors), path, names | {"rope_factors": ROPE_FACTORS})

    def read(name: str, layer: int, shape: tuple[int, ...]) -> np.ndarray:
        return decoded(found[GGUF[name].format(layer)], GGUF[name].format(layer), shape, decode)

    for name, layer, shape in every_tensor(config):
        there = GGUF[name].format(layer)
        used.add(there)
        if there not in found:
            raise CheckpointError(path, there, "missing")
        if found[there].shape != shape:
            raise CheckpointError(path, there, f"expected the shape {list(shape)}, got {list(found[there].shape)}")
    for name in found:
        if name not in used:
            raise CheckpointError(path, name, "a LLaMA of this config has no such tensor")
    vocabulary = vocabulary_of(path, metadata) if given is None else given
    return Loaded(config, assemble(config, read, lazy), fitting(vocabulary, config, path))


# --------------------------------------------------------------------------------------------------------------------
# The vocabulary, which is part of the metadata
# --------------------------------------------------------------------------------------------------------------------

# By the names that llama.cpp gives them: the pattern, and whether a part that is a token stays whole (ignore_merges).
GGUF_PATTERNS = {
    "gpt-2": (PATTERN, False),
    "smollm": (DIGITS_APART, False),
    "llama-bpe": (LLAMA3, True),
    "llama3": (LLAMA3, True),
    "llama-v3": (LLAMA3, True),
}


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
    for name in ("bos", "eos", "eot", "eom"):
        id = get(f"ggml.{name}_token_id", int)
        if id is not None and not 0 <= id < len(tokens):
            raise CheckpointError(path, f"tokenizer.ggml.{name}_token_id", f"{id}, but there are {len(tokens)} tokens")
        ends[name] = id
    pre = get("ggml.pre", str)
    # As llama.cpp has it where the file does not say.
    add_bos = get("ggml.add_bos_token", bool, default=model == "llama" or GGUF_PATTERNS.get(pre, ("", False))[1])
    begin = [ends["bos"]] if add_bos and ends["bos"] is not None else []
    end = [ends[name] for name in ("eos", "eot", "eom") if ends[name] is not None]
    found: Vocabulary
    if model == "gpt2":
        if pre not in GGUF_PATTERNS:
            problem = f"{pre!r}" if pre else "missing: how a text is cut is not said"
            raise CheckpointError(path, "tokenizer.ggml.pre", f"{problem}; read are {', '.join(GGUF_PATTERNS)}")
        added: list[Added] = []
        for id, (token, kind) in enumerate(zip(tokens, kinds, strict=True)):
            if kind not in (NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED):
                raise CheckpointError(
                    path, "tokenizer.ggml.token_type", f"{kind}, of token {id}, {token!r}, is unknown here"
                )
            if kind in (CONTROL, UNKNOWN, USER_DEFINED):
                added.append(Added(token, id, special=kind != USER_DEFINED))
            if kind != NORMAL and not token:
                raise CheckpointError(path, "tokenizer.ggml.tokens", f"token {id} is a special one with no name")
        if len({token.text for token in added}) < len(added):
            raise CheckpointError(path, "tokenizer.ggml.tokens", "a special token is there twice")
        ordinary = {id: token for id, token in enumerate(tokens) if kinds[id] == NORMAL}
        pairs = []
        for number, merge in enumerate(items("merges", str) or []):
            left, space, right = merge.partition(" ")
            if not (left and space and right):
                raise CheckpointError(path, "tokenizer.ggml.merges", f"merge {number}, {merge!r}, is no pair")
            pairs.append((left, right))
        names = ("tokenizer.ggml.tokens", "tokenizer.ggml.merges")
        pattern, whole = GGUF_PATTERNS[pre]
        found = byte_level(path, ordinary, pairs, added, pattern, begin, end, names, whole)
        found.bytes_of += [b""] * (len(tokens) - len(found.bytes_of))  # unused ones at the end
    elif model == "llama":
        scores = items("scores", float, len(tokens))
        if scores is None:
            raise CheckpointError(path, "tokenizer.ggml.scores", "missing")
        check_pieces(path, tokens, kinds, scores, "tokenizer.ggml.token_type")
        prefix = get("ggml.add_space_prefix", bool, default=True)
        found = Pieces(tokens, scores, kinds, begin, end, "always" if prefix else "never")
    else:
        raise CheckpointError(path, "tokenizer.ggml.model", f"{model!r} is not read, only gpt2 and llama")
    found.chat_template = get("chat_template", str)
    found.named = {
        f"{name}_token": tokens[id] for name, id in ends.items() if id is not None and name in ("bos", "eos")
    }
    return found
