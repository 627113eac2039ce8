"""Hugging Face: config.json, and weights in one or several .safetensors files."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from solutions.llama.config import Config, Loaded, assemble, checked, fitting, mapped
from solutions.llama.numbers import Tensor, decoded
from solutions.llama.pieces import read_tokenizer_model
from solutions.llama.tokenizer_json import read_tokenizer_json
from solutions.llama.vocabulary import CheckpointError, Vocabulary, parse_json, read_bytes, read_json

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
        ("tokenizer.json", read_tokenizer_json),
        ("tokenizer.model", read_tokenizer_model),
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
