"""The shape of a LLaMA and its weights, whatever file they come from: what all readers of checkpoints share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from solutions.llama.vocabulary import CheckpointError, Vocabulary


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
