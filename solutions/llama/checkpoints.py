"""Checkpoints: the weights, the shape and the vocabulary of a LLaMA, as others have written them to files.

    config, weights, vocabulary = load("stories15M.bin")        llama2.c, version 0, with its tokenizer.bin beside it
    config, weights, vocabulary = load("solutions/llama/trained/austen")        a folder as Hugging Face writes it
    config, weights, vocabulary = load("SmolLM2-135M-Instruct.Q4_1.gguf")       GGUF: F32, F16, Q8_0 and Q4_1

Whatever the file, the weights come in the form of this course: float32, used as `x @ W`, with RoPE on neighbours, the
pairs (0, 1), (2, 3), … Three things differ between the files and are put right here:

- All of them hold a matrix as (outputs, inputs), so it is transposed: a view, no copy.
- Hugging Face turns the number i of a head with the number i + d/2, the others i with i + 1. The rows of Wq and Wk are
  put in the other order, once. (To mix the two up raises no error. The model only talks nonsense.)
- Numbers that are stored in fewer bits are made float32.

Files are mapped into memory, and what is float32 already stays there until it is used. Nothing is believed before it is
checked against the size of the file: what is cut off, foreign or inconsistent ends in a `CheckpointError`, which is one
line that names the file and the field.
"""

import math
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from solutions.llama import vocabulary as vocabularies
from solutions.llama.vocabulary import CheckpointError, Vocabulary, parse_json, read_bytes, read_json

__all__ = ["CheckpointError", "Config", "Loaded", "load"]


@dataclass(frozen=True)
class Config:
    """The shape of a LLaMA."""

    dim: int  # D, the width of the stream
    hidden: int  # F, the width inside the feed-forward part
    layers: int
    heads: int  # H, of queries
    kv_heads: int  # K, of keys and values; each serves H // K heads of queries
    vocab: int  # V
    max_len: int  # the longest text that it was made for
    rope_base: float = 10000.0
    eps: float = 1e-5
    tied: bool = False  # the head is the embedding again

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads


class Loaded(NamedTuple):
    config: Config
    weights: dict[str, Any]
    vocabulary: Vocabulary | None  # None where no tokenizer came with the weights


# How a file tells a matrix: (name in this course, layer or -1, shape as (outputs, inputs)) -> float32 of that shape.
Read = Callable[[str, int, tuple[int, ...]], np.ndarray]
Decode = Callable[[np.ndarray], np.ndarray]  # bytes -> float32, in one row


def load(path: str | Path, decode: Mapping[str, Decode] | None = None) -> Loaded:
    """Read a checkpoint: a llama2.c .bin, a Hugging Face folder, or a GGUF file.

    `decode`: other functions for the kinds of number in a GGUF file, such as {"Q8_0": …}, in place of those below.
    """
    path = Path(path)
    if path.is_dir():
        return load_hugging_face(path)
    data = mapped(path)
    start = data[:8].tobytes()
    if start[:4] == b"GGUF":
        return load_gguf(path, data, DECODE | dict(decode or {}))
    if path.name.endswith((".safetensors", ".safetensors.index.json")) or path.name == "config.json":
        return load_hugging_face(path.parent)
    # A llama2.c file may begin so, too: with a width of 128, 384, 640 …, whose upper bytes are 0.
    if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[2:4] != b"\0\0"):
        raise CheckpointError(path, "format", "a PyTorch pickle, which can hold any program, is not opened here")
    if start[:4] == b"24ka":
        raise CheckpointError(path, "version", "of llama2.c's formats only version 0, the first, is read")
    return load_llama2c(path, data)


def mapped(path: Path) -> np.ndarray:
    """The bytes of a file, in memory only where they are looked at."""
    try:
        if not path.stat().st_size:
            raise CheckpointError(path, "size", "the file is empty")
        return np.asarray(np.memmap(path, np.uint8, "r"))
    except (OSError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(path, "file", getattr(error, "strerror", None) or str(error)) from error


def checked(config: Config, path: Path, names: Mapping[str, str]) -> Config:
    """The config, if a model can have this shape. `names`: what the file calls each field."""

    def wrong(field: str, problem: str) -> CheckpointError:
        return CheckpointError(path, names.get(field, field), problem)

    for field in ("dim", "hidden", "layers", "heads", "kv_heads", "vocab", "max_len"):
        value = getattr(config, field)
        if type(value) is not int or not 0 < value < 1 << 31:
            raise wrong(field, f"expected a whole number from 1, got {value!r}")
    if config.dim % config.heads:
        raise wrong("heads", f"a width of {config.dim} does not divide among {config.heads} heads")
    if config.head_dim % 2:
        raise wrong("heads", f"a head has {config.head_dim} numbers, and RoPE turns pairs")
    if config.heads % config.kv_heads:
        raise wrong("kv_heads", f"{config.heads} query heads do not divide among {config.kv_heads} key/value heads")
    for field, most in (("rope_base", 1e12), ("eps", 1.0)):
        value = getattr(config, field)
        if type(value) not in (int, float) or not 0 < value <= most:
            raise wrong(field, f"expected a number between 0 and {most:g}, got {value!r}")
    return config


BLOCK = ("attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wu", "Wd")


def block_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The shapes in a block as files have them: (outputs, inputs)."""
    D, F, q, kv = config.dim, config.hidden, config.dim, config.kv_heads * config.head_dim
    shapes = [(D,), (q, D), (kv, D), (kv, D), (D, q), (D,), (F, D), (F, D), (D, F)]
    return dict(zip(BLOCK, shapes, strict=True))


def assemble(config: Config, read: Read) -> dict[str, Any]:
    """The weights in the form of the course."""
    embed = read("embed", -1, (config.vocab, config.dim))
    blocks = []
    for layer in range(config.layers):
        blocks.append({name: read(name, layer, shape).T for name, shape in block_shapes(config).items()})
    norm = read("norm", -1, (config.dim,))
    head = embed if config.tied else read("head", -1, (config.vocab, config.dim))
    return {"embed": embed, "blocks": blocks, "norm": norm, "head": head.T}


def fitting(vocabulary: Vocabulary | None, config: Config, path: Path) -> Vocabulary | None:
    """The vocabulary, if the model knows all its ids. Ids beyond it, with which a model may be filled up, are empty."""
    if vocabulary is not None:
        if len(vocabulary) > config.vocab:
            raise CheckpointError(path, "tokens", f"{len(vocabulary)} of them, but the model has {config.vocab}")
        vocabulary.bytes_of += [b""] * (config.vocab - len(vocabulary))
    return vocabulary


# --------------------------------------------------------------------------------------------------------------------
# llama2.c, version 0: seven numbers, then all weights in float32
# --------------------------------------------------------------------------------------------------------------------

LLAMA2C = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")


def load_llama2c(path: Path, data: np.ndarray) -> Loaded:
    """The sign of vocab_size says whether there is a classifier of its own at the end: negative, there is one."""
    if len(data) < 28:
        raise CheckpointError(path, "header", f"{len(data)} bytes, but a llama2.c file begins with 28")
    dim, hidden, layers, heads, kv_heads, vocab, length = (int(n) for n in data[:28].view("<i4"))
    sizes = (dim, hidden, layers, heads, kv_heads, abs(vocab), length)
    if min(sizes) <= 0 or max(sizes) > 1 << 24:
        raise CheckpointError(path, "header", f"is that of no known format (as llama2.c: dim {dim}, n_layers {layers})")
    config = Config(dim, hidden, layers, heads, kv_heads, abs(vocab), length, tied=vocab > 0)
    names = {"hidden": "hidden_dim", "layers": "n_layers", "heads": "n_heads", "kv_heads": "n_kv_heads"}
    checked(config, path, names | {"vocab": "vocab_size", "max_len": "seq_len"})

    def place(name: str, layers: int, shape: tuple[int, ...]) -> None:
        nonlocal at
        places[name] = (at, (layers, *shape))
        at += layers * math.prod(shape)

    places: dict[str, tuple[int, tuple[int, ...]]] = {}
    at = 0
    shapes = block_shapes(config)
    place("embed", 1, (config.vocab, dim))
    for name in ("attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"):
        place(name, layers, shapes[name])
    place("norm", 1, (dim,))
    place("freq_cis_real", 1, (length, config.head_dim // 2))
    place("freq_cis_imag", 1, (length, config.head_dim // 2))
    if not config.tied:
        place("head", 1, (config.vocab, dim))
    if len(data) != 28 + 4 * at:
        what = "cut off" if len(data) < 28 + 4 * at else "of another kind"
        raise CheckpointError(
            path, "size", f"{len(data):,} bytes, and its header asks for {28 + 4 * at:,}: it is {what}"
        )
    numbers = data[28:].view("<f4")

    def read(name: str, layer: int, shape: tuple[int, ...]) -> np.ndarray:
        start, (layers, *rest) = places[name]
        return numbers[start : start + layers * math.prod(rest)].reshape(layers, *rest)[max(layer, 0)]

    base = base_of(read("freq_cis_real", -1, ()), read("freq_cis_imag", -1, ()), path)
    config = checked(Config(**{**vars(config), "rope_base": base}), path, {"rope_base": "freq_cis_imag"})
    weights = assemble(config, read)
    for name in ("tokenizer.bin", f"tok{config.vocab}.bin"):
        if (beside := path.parent / name).is_file():
            return Loaded(config, weights, vocabularies.read_tokenizer_bin(beside, config.vocab))
    return Loaded(config, weights, None)


def base_of(cos: np.ndarray, sin: np.ndarray, path: Path) -> float:
    """The base of RoPE, from the angles of position 1, which are base ** (-2i / d)."""
    if cos.shape[1] < 2 or len(cos) < 2:
        return 10000.0
    angles = np.arctan2(sin[1].astype(np.float64), cos[1].astype(np.float64))
    for base in (10000.0, float(angles[1] ** -cos.shape[1]) if angles[1] > 0 else 0.0):
        expected = base ** (-np.arange(cos.shape[1]) / cos.shape[1]) if base else np.inf
        if np.allclose(angles, expected, rtol=1e-3, atol=1e-6):
            return base
    raise CheckpointError(path, "freq_cis_imag", "the angles of position 1 are not those of RoPE")


# --------------------------------------------------------------------------------------------------------------------
# Hugging Face: config.json, and weights in one or several .safetensors files
# --------------------------------------------------------------------------------------------------------------------

HUGGING_FACE = {
    "embed": "model.embed_tokens.weight",
    "attn_norm": "model.layers.{}.input_layernorm.weight",
    "Wq": "model.layers.{}.self_attn.q_proj.weight",
    "Wk": "model.layers.{}.self_attn.k_proj.weight",
    "Wv": "model.layers.{}.self_attn.v_proj.weight",
    "Wo": "model.layers.{}.self_attn.o_proj.weight",
    "mlp_norm": "model.layers.{}.post_attention_layernorm.weight",
    "Wg": "model.layers.{}.mlp.gate_proj.weight",
    "Wu": "model.layers.{}.mlp.up_proj.weight",
    "Wd": "model.layers.{}.mlp.down_proj.weight",
    "norm": "model.norm.weight",
    "head": "lm_head.weight",
}


class Tensor(NamedTuple):
    """A tensor as it lies in a file."""

    file: Path
    kind: str
    shape: tuple[int, ...]
    data: np.ndarray  # bytes


def load_hugging_face(folder: Path) -> Loaded:
    path = folder / "config.json"
    config = config_of(read_json(path), path)
    found = tensors_of(folder)
    expected = {HUGGING_FACE["embed"], HUGGING_FACE["norm"], HUGGING_FACE["head"]}

    def read(name: str, layer: int, shape: tuple[int, ...]) -> np.ndarray:
        name_there = HUGGING_FACE[name].format(layer)
        expected.add(name_there)
        if name_there not in found:
            raise CheckpointError(folder, name_there, "is in none of the .safetensors files")
        matrix = decoded(found[name_there], name_there, shape)
        if name in ("Wq", "Wk"):
            matrix = interleaved(matrix, config.head_dim)
        return matrix

    weights = assemble(config, read)
    for name, tensor in found.items():
        if name not in expected and not name.endswith("rotary_emb.inv_freq"):
            raise CheckpointError(tensor.file, name, "a LLaMA of this config has no such tensor")
    found_vocabulary: Vocabulary | None = None
    for name, reader in (
        ("tokenizer.json", vocabularies.read_tokenizer_json),
        ("tokenizer.model", vocabularies.read_tokenizer_model),
    ):
        if (beside := folder / name).is_file():
            found_vocabulary = fitting(reader(beside), config, beside)
            break
    if found_vocabulary is not None:
        found_vocabulary.end |= ends_of(folder, config)
        found_vocabulary.chat_template = template_of(folder)
    return Loaded(config, weights, found_vocabulary)


def interleaved(matrix: np.ndarray, head_dim: int) -> np.ndarray:
    """The rows of each head from RoPE on halves, 0 … d-1, to RoPE on neighbours: 0, d/2, 1, d/2 + 1, …"""
    rows, columns = matrix.shape
    return matrix.reshape(-1, 2, head_dim // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def config_of(said: Mapping[str, Any], path: Path) -> Config:
    """config.json, refused where it asks for something that is not built here."""
    if said.get("model_type") != "llama":
        raise CheckpointError(path, "model_type", f"expected 'llama', got {said.get('model_type')!r}")
    for name, allowed in (
        ("hidden_act", (None, "silu")),
        ("attention_bias", (None, False)),
        ("mlp_bias", (None, False)),
        ("rope_scaling", (None,)),
        ("quantization_config", (None,)),
    ):
        value = said.get(name)
        if name == "rope_scaling" and isinstance(value, dict) and rope_kind(value) == "default":
            continue
        if value not in allowed:
            raise CheckpointError(path, name, f"{value!r} is not built here")
    rope = said.get("rope_parameters") or {}
    if not isinstance(rope, dict) or rope_kind(rope) != "default":
        raise CheckpointError(path, "rope_parameters", f"{rope!r} is not built here")
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        if name not in said:
            raise CheckpointError(path, name, "missing")
    heads = said["num_attention_heads"]
    tied = said.get("tie_word_embeddings", False)
    if type(tied) is not bool:
        raise CheckpointError(path, "tie_word_embeddings", f"expected true or false, got {tied!r}")
    kv_heads = said.get("num_key_value_heads")
    config = Config(
        dim=said["hidden_size"],
        hidden=said["intermediate_size"],
        layers=said["num_hidden_layers"],
        heads=heads,
        kv_heads=heads if kv_heads is None else kv_heads,
        vocab=said["vocab_size"],
        max_len=said.get("max_position_embeddings", 2048),
        rope_base=rope.get("rope_theta", said.get("rope_theta", 10000.0)),
        eps=said.get("rms_norm_eps", 1e-6),
        tied=tied,
    )
    names = {"dim": "hidden_size", "hidden": "intermediate_size", "layers": "num_hidden_layers", "vocab": "vocab_size"}
    names |= {"heads": "num_attention_heads", "kv_heads": "num_key_value_heads", "max_len": "max_position_embeddings"}
    checked(config, path, names | {"rope_base": "rope_theta", "eps": "rms_norm_eps"})
    if said.get("head_dim") not in (None, config.head_dim):
        raise CheckpointError(
            path, "head_dim", f"{said['head_dim']!r}; only width / heads, {config.head_dim}, is built"
        )
    return config


def rope_kind(said: Mapping[str, Any]) -> Any:
    return said.get("rope_type", said.get("type", "default"))


def ends_of(folder: Path, config: Config) -> frozenset[int]:
    """The ids that end a text, as generation_config.json or config.json says."""
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        if not path.is_file():
            continue
        ids = read_json(path).get("eos_token_id")
        if ids is None:
            continue
        ids = ids if isinstance(ids, list) else [ids]
        if not all(type(id) is int and 0 <= id < config.vocab for id in ids):
            raise CheckpointError(path, "eos_token_id", f"expected ids below {config.vocab}, got {ids}")
        return frozenset(ids)
    return frozenset()


def template_of(folder: Path) -> str | None:
    if (path := folder / "chat_template.jinja").is_file():
        try:
            return read_bytes(path).decode()
        except UnicodeDecodeError as error:
            raise CheckpointError(path, "file", f"is no UTF-8: {error.reason}") from error
    if (path := folder / "tokenizer_config.json").is_file():
        template = read_json(path).get("chat_template")
        return template if isinstance(template, str) else None
    return None


def tensors_of(folder: Path) -> dict[str, Tensor]:
    """All tensors in the folder, by name."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file() or not index.is_file():
        return dict(safetensors(single))
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(index, "weight_map", "expected {tensor: file}")
    for name, file in weight_map.items():
        if not isinstance(file, str) or not file.endswith(".safetensors") or Path(file).name != file:
            raise CheckpointError(index, f"weight_map.{name}", f"expected a .safetensors file beside it, got {file!r}")
    found: dict[str, Tensor] = {}
    for file in sorted(set(weight_map.values())):
        found |= {name: tensor for name, tensor in safetensors(folder / file) if weight_map.get(name) == file}
    if missing := [name for name in weight_map if name not in found]:
        raise CheckpointError(folder / weight_map[missing[0]], missing[0], "the index says that it is here; it is not")
    return found


SAFETENSORS = {"F32": 4, "F16": 2, "BF16": 2}  # bytes a number


def safetensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The length of a header, the header, which is JSON, and the data."""
    data = mapped(path)
    if len(data) < 8:
        raise CheckpointError(path, "header", "the file is shorter than 8 bytes")
    length = int(data[:8].view("<u8")[0])
    if length > len(data) - 8 or length > 1 << 27:
        raise CheckpointError(
            path, "header", f"of {length:,} bytes, in a file of {len(data):,}: cut off, or of another kind"
        )
    header = parse_json(data[8 : 8 + length].tobytes(), path, "header")
    body = data[8 + length :]
    covered = 0
    for name, said in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(said, dict):
            raise CheckpointError(path, name, "expected {dtype, shape, data_offsets}")
        kind, shape, offsets = said.get("dtype"), said.get("shape"), said.get("data_offsets")
        for field, numbers in (("shape", shape), ("data_offsets", offsets)):
            if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 1 << 48 for n in numbers):
                raise CheckpointError(path, f"{name}.{field}", f"expected a list of whole numbers, got {numbers!r}")
        if len(offsets) != 2 or not offsets[0] <= offsets[1] <= len(body):
            raise CheckpointError(path, f"{name}.data_offsets", f"{offsets}, and there are {len(body):,} bytes of data")
        if not isinstance(kind, str) or kind not in SAFETENSORS:
            raise CheckpointError(path, f"{name}.dtype", f"{kind!r} is not read, only {', '.join(SAFETENSORS)}")
        if len(shape) > 8 or math.prod(shape) * SAFETENSORS[kind] != offsets[1] - offsets[0]:
            raise CheckpointError(
                path, f"{name}.shape", f"{kind} {shape} does not take {offsets[1] - offsets[0]:,} bytes"
            )
        covered += offsets[1] - offsets[0]
        yield name, Tensor(path, kind, tuple(shape), body[offsets[0] : offsets[1]])
    if covered != len(body):
        raise CheckpointError(path, "data_offsets", f"the tensors take {covered:,} bytes, and there are {len(body):,}")


# --------------------------------------------------------------------------------------------------------------------
# Numbers in fewer bits
# --------------------------------------------------------------------------------------------------------------------


def decoded(
    tensor: Tensor, name: str, shape: tuple[int, ...], decode: Mapping[str, Decode] | None = None
) -> np.ndarray:
    """The tensor in float32, if it has this shape."""
    if tensor.shape != shape:
        raise CheckpointError(tensor.file, name, f"expected the shape {list(shape)}, got {list(tensor.shape)}")
    return (decode or DECODE)[tensor.kind](tensor.data).reshape(shape)


def from_float32(data: np.ndarray) -> np.ndarray:
    numbers = data.view("<f4")
    return numbers if numbers.flags.aligned else numbers.copy()


def from_float16(data: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # numbers that are no numbers stay so
        return data.view("<f2").astype(np.float32)


def from_bfloat16(data: np.ndarray) -> np.ndarray:
    """A bfloat16 is the upper half of a float32."""
    return (data.view("<u2").astype(np.uint32) << 16).view(np.float32)


def from_q8_0(data: np.ndarray) -> np.ndarray:
    """Blocks of 32 numbers: a float16 scale, then 32 signed bytes. Each number is scale × byte."""
    blocks = data.reshape(-1, 34)
    scale = from_float16(blocks[:, :2])
    return scale * blocks[:, 2:].view(np.int8)


def from_q4_1(data: np.ndarray) -> np.ndarray:
    """Blocks of 32 numbers: a float16 scale, a float16 minimum, then 16 bytes. Each number is scale × half + minimum.

    The lower halves of the bytes are the first 16 numbers, the upper halves the last 16.
    """
    blocks = data.reshape(-1, 20)
    scale, minimum = from_float16(blocks[:, 0:2]), from_float16(blocks[:, 2:4])
    numbers = np.empty((len(blocks), 32), np.float32)
    numbers[:, :16] = blocks[:, 4:] & 15
    numbers[:, 16:] = blocks[:, 4:] >> 4
    with np.errstate(invalid="ignore", over="ignore"):
        numbers *= scale
        numbers += minimum
    return numbers


DECODE: dict[str, Decode] = {
    "F32": from_float32,
    "F16": from_float16,
    "BF16": from_bfloat16,
    "Q8_0": from_q8_0,
    "Q4_1": from_q4_1,
}

# --------------------------------------------------------------------------------------------------------------------
# GGUF: metadata, a list of tensors, and their data
# --------------------------------------------------------------------------------------------------------------------

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
    return Loaded(config, weights, fitting(vocabularies.read_gguf(path, metadata), config, path))
