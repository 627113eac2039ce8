"""The shape of a LLaMA and its weights, whatever file they come from: what all readers of checkpoints share."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    head_size: int | None = None  # where a head is not as wide as dim / heads
    rope_factors: tuple[float, ...] | None = None  # (d/2,): what slows down each pair of RoPE; see rope.py

    @property
    def head_dim(self) -> int:  # d
        return self.head_size or self.dim // self.heads

    @property
    def plain(self) -> bool:
        """Whether it is the LLaMA of the notebooks: heads of dim / heads, and RoPE as it is."""
        return self.head_size is None and self.rope_factors is None


class Loaded(NamedTuple):
    config: Config
    weights: Mapping[str, Any]
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
    if config.head_size is not None and (type(config.head_size) is not int or not 0 < config.head_size < 1 << 16):
        raise wrong("head_size", f"expected a whole number from 1, got {config.head_size!r}")
    if config.head_size is None and config.dim % config.heads:
        raise wrong("heads", f"a width of {config.dim} does not divide among {config.heads} heads")
    if config.head_dim % 2:
        raise wrong("heads", f"a head has {config.head_dim} numbers, and RoPE turns pairs")
    if config.heads % config.kv_heads:
        raise wrong("kv_heads", f"{config.heads} query heads do not divide among {config.kv_heads} key/value heads")
    for field, most in (("rope_base", 1e12), ("eps", 1.0)):
        value = getattr(config, field)
        if type(value) not in (int, float) or not 0 < value <= most:
            raise wrong(field, f"expected a number between 0 and {most:g}, got {value!r}")
    if config.head_size is not None and config.head_size * config.heads == config.dim:
        config = replace(config, head_size=None)
    if config.rope_factors is not None:
        if len(config.rope_factors) != config.head_dim // 2:
            raise wrong("rope_factors", f"{len(config.rope_factors)} of them for {config.head_dim // 2} pairs")
        if not all(1e-6 < factor < 1e6 for factor in config.rope_factors):
            raise wrong("rope_factors", f"expected numbers above 0, got {config.rope_factors!r}")
        if all(factor == 1 for factor in config.rope_factors):
            config = replace(config, rope_factors=None)
    return config


BLOCK = ("attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wu", "Wd")


def block_shapes(config: Config) -> dict[str, tuple[int, ...]]:
    """The shapes in a block as files have them: (outputs, inputs)."""
    D, F = config.dim, config.hidden
    q, kv = config.heads * config.head_dim, config.kv_heads * config.head_dim
    shapes = [(D,), (q, D), (kv, D), (kv, D), (D, q), (D,), (F, D), (F, D), (D, F)]
    return dict(zip(BLOCK, shapes, strict=True))


def every_tensor(config: Config) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    """(name, layer or -1, shape) of all tensors that a checkpoint of this config must have."""
    yield "embed", -1, (config.vocab, config.dim)
    for layer in range(config.layers):
        for name, shape in block_shapes(config).items():
            yield name, layer, shape
    yield "norm", -1, (config.dim,)
    if not config.tied:
        yield "head", -1, (config.vocab, config.dim)


class Blocks(Sequence[dict[str, np.ndarray]]):
    """The weights of the blocks, made when they are looked at, and anew each time: nothing of them is kept."""

    def __init__(self, config: Config, read: Read) -> None:
        self.layers, self.shapes, self.read = config.layers, block_shapes(config), read

    def __len__(self) -> int:
        return self.layers

    def __getitem__(self, layer: Any) -> Any:
        if isinstance(layer, slice):
            return [self[at] for at in range(*layer.indices(self.layers))]
        if not -self.layers <= layer < self.layers:
            raise IndexError(layer)
        return {name: self.read(name, layer % self.layers, shape).T for name, shape in self.shapes.items()}


class Lazy(Mapping[str, Any]):
    """All weights in the same way: what is looked at is made anew, and only whoever looks keeps it."""

    def __init__(self, config: Config, read: Read) -> None:
        self.config, self.read, self.blocks = config, read, Blocks(config, read)

    def __getitem__(self, name: str) -> Any:
        if name == "blocks":
            return self.blocks
        if name == "norm":
            return self.read("norm", -1, (self.config.dim,))
        matrix = self.read("embed" if self.config.tied else name, -1, (self.config.vocab, self.config.dim))
        return matrix.T if name == "head" else matrix

    def __iter__(self) -> Iterator[str]:
        return iter(("embed", "blocks", "norm", "head"))

    def __len__(self) -> int:
        return 4


def assemble(config: Config, read: Read, lazy: bool = False) -> Mapping[str, Any]:
    """The weights in the form of the course. `lazy`: made when they are looked at, and anew each time."""
    if lazy:
        return Lazy(config, read)
    embed = read("embed", -1, (config.vocab, config.dim))
    norm = read("norm", -1, (config.dim,))
    head = embed if config.tied else read("head", -1, (config.vocab, config.dim))
    return {"embed": embed, "blocks": list(Blocks(config, read)), "norm": norm, "head": head.T}


def fitting(vocabulary: Vocabulary | None, config: Config, path: Path) -> Vocabulary | None:
    """The vocabulary, if the model knows all its ids. Ids beyond it, with which a model may be filled up, are empty."""
    if vocabulary is not None:
        if len(vocabulary) > config.vocab:
            raise CheckpointError(path, "tokens", f"{len(vocabulary)} of them, but the model has {config.vocab}")
        vocabulary.bytes_of += [b""] * (config.vocab - len(vocabulary))
    return vocabulary
