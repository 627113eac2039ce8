"""llama2.c: versions 0 and 1, all weights in float32, and version 2, in signed bytes with a scale for each few.

version 0   seven numbers, then the weights, and tables for RoPE
version 1   "ak42", the version, seven numbers, one flag, zeros up to byte 256, then the weights
version 2   the same with the size of a group; the norms in float32, the matrices in int8
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from solutions.llama.config import Config, Loaded, assemble, block_shapes, checked, fitting
from solutions.llama.pieces import read_tokenizer_bin, read_tokenizer_model
from solutions.llama.vocabulary import CheckpointError, Pieces, Vocabulary

NAMES = {"hidden": "hidden_dim", "layers": "n_layers", "heads": "n_heads", "kv_heads": "n_kv_heads"}
NAMES |= {"vocab": "vocab_size", "max_len": "seq_len"}
HEADER = 256  # bytes, from version 1 on


def load_llama2c(path: Path, data: np.ndarray, lazy: bool = False, given: Vocabulary | None = None) -> Loaded:
    if data[:4].tobytes() == b"24ka":
        config, weights = newer(path, data, lazy)
    else:
        config, weights = first_version(path, data, lazy)
    vocabulary = given if given is not None else beside(path, config)
    return Loaded(config, weights, fitting(vocabulary, config, path))


def shape_of(path: Path, data: np.ndarray, tied: bool | None) -> Config:
    """Seven numbers. Where `tied` is not said, the sign of vocab_size tells: negative, the head is a matrix of its own."""
    dim, hidden, layers, heads, kv_heads, vocab, length = (int(n) for n in data[:28].view("<i4"))
    sizes = (dim, hidden, layers, heads, kv_heads, abs(vocab) if tied is None else vocab, length)
    if min(sizes) <= 0 or max(sizes) > 1 << 24:
        raise CheckpointError(path, "header", f"is that of no known format (as llama2.c: dim {dim}, n_layers {layers})")
    tied = vocab > 0 if tied is None else tied
    return checked(Config(dim, hidden, layers, heads, kv_heads, abs(vocab), length, tied=tied), path, NAMES)


@dataclass
class Places:
    """Where each array begins, counted in numbers. Arrays of all layers follow one another."""

    at: int = 0

    def __post_init__(self) -> None:
        self.of: dict[str, tuple[int, tuple[int, ...]]] = {}

    def put(self, name: str, layers: int, shape: Sequence[int]) -> None:
        self.of[name] = (self.at, (layers, *shape))
        self.at += layers * math.prod(shape)

    def slice(self, name: str, layer: int) -> tuple[slice, tuple[int, ...]]:
        """The place of one layer, and its shape. Layer -1: there is but one."""
        start, (_, *shape) = self.of[name]
        size = math.prod(shape)
        start += max(layer, 0) * size
        return slice(start, start + size), tuple(shape)


def check_size(path: Path, data: np.ndarray, expected: int) -> None:
    if len(data) != expected:
        what = "cut off" if len(data) < expected else "of another kind"
        raise CheckpointError(path, "size", f"{len(data):,} bytes, and its header asks for {expected:,}: it is {what}")


# --------------------------------------------------------------------------------------------------------------------
# Version 0
# --------------------------------------------------------------------------------------------------------------------


def first_version(path: Path, data: np.ndarray, lazy: bool) -> tuple[Config, dict]:
    if len(data) < 28:
        raise CheckpointError(path, "header", f"{len(data)} bytes, but a llama2.c file begins with 28")
    config = shape_of(path, data, None)
    places, shapes, layers = Places(), block_shapes(config), config.layers
    places.put("embed", 1, (config.vocab, config.dim))
    for name in ("attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"):
        places.put(name, layers, shapes[name])
    places.put("norm", 1, (config.dim,))
    places.put("freq_cis_real", 1, (config.max_len, config.head_dim // 2))
    places.put("freq_cis_imag", 1, (config.max_len, config.head_dim // 2))
    if not config.tied:
        places.put("head", 1, (config.vocab, config.dim))
    check_size(path, data, 28 + 4 * places.at)
    numbers = data[28:].view("<f4")

    def read(name: str, layer: int, shape: tuple[int, ...]) -> np.ndarray:
        place, there = places.slice(name, layer)
        return numbers[place].reshape(there)

    base = base_of(read("freq_cis_real", -1, ()), read("freq_cis_imag", -1, ()), path)
    config = checked(replace(config, rope_base=base), path, {"rope_base": "freq_cis_imag"})
    return config, assemble(config, read, lazy)


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
# Versions 1 and 2
# --------------------------------------------------------------------------------------------------------------------

NORMS = ("attn_norm", "mlp_norm", "norm")
MATRICES = ("embed", "Wq", "Wk", "Wv", "Wo", "Wg", "Wd", "Wu", "head")


def newer(path: Path, data: np.ndarray, lazy: bool) -> tuple[Config, dict]:
    if len(data) < HEADER:
        raise CheckpointError(
            path, "header", f"{len(data)} bytes, but a llama2.c file from version 1 on begins with 256"
        )
    (version,) = struct.unpack_from("<i", data, 4)
    if version not in (1, 2):
        raise CheckpointError(path, "version", f"{version}; of llama2.c's formats 0, 1 and 2 are read")
    shared, group = struct.unpack_from("<Bi", data, 36)
    if shared > 1:
        raise CheckpointError(path, "shared_classifier", f"expected 0 or 1, got {shared}")
    if data[41 if version == 2 else 37 : HEADER].any():
        raise CheckpointError(
            path, "header", f"version {version} has zeros after its fields, this file has more fields"
        )
    config = shape_of(path, data[8:], bool(shared))
    shapes = block_shapes(config) | {"norm": (config.dim,)}
    shapes |= dict.fromkeys(("embed", "head"), (config.vocab, config.dim))
    norms, matrices = Places(), Places()
    for places, names in ((norms, NORMS), (norms if version == 1 else matrices, MATRICES)):
        for name in names:
            if name != "head" or not config.tied:
                places.put(name, 1 if name in ("norm", "embed", "head") else config.layers, shapes[name])
    if version == 1:
        check_size(path, data, HEADER + 4 * norms.at)
    numbers = data[HEADER : HEADER + 4 * norms.at].view("<f4")

    def read(name: str, layer: int, shape: tuple[int, ...]) -> np.ndarray:
        if name in matrices.of:
            return in_bytes(name, max(layer, 0))
        place, there = norms.slice(name, layer)
        return numbers[place].reshape(there)

    if version == 1:
        return config, assemble(config, read, lazy)
    sizes = {name: math.prod(shape[1:]) for name, (_, shape) in matrices.of.items()}
    if group <= 0 or any(size % group for size in sizes.values()):
        raise CheckpointError(path, "group_size", f"{group} does not divide each of the matrices")
    check_size(path, data, HEADER + 4 * norms.at + matrices.at + 4 * (matrices.at // group))
    body = data[HEADER + 4 * norms.at :]
    spans = scales_of(path, body, matrices, group)

    def in_bytes(name: str, layer: int) -> np.ndarray:
        """Each number is its byte times the scale of its group."""
        (start, scales), size = spans[name, layer], sizes[name]
        whole = body[start : start + size].view(np.int8).reshape(-1, group)
        scale = body[scales : scales + 4 * (size // group)].copy().view("<f4")[:, None]
        return (whole * scale).reshape(matrices.of[name][1][1:])

    return config, assemble(config, read, lazy)


def scales_of(path: Path, body: np.ndarray, matrices: Places, group: int) -> dict[tuple[str, int], tuple[int, int]]:
    """Where the bytes and the scales of each matrix begin.

    Two programs wrote version 2: the one puts each matrix's scales right after it, as llama2.c's runq.c reads them; an
    older one puts all scales at the end. A scale is finite and not negative, so the bytes tell which of them it was.
    """
    beside, apart = {}, {}
    at, end = 0, matrices.at
    for name, (_, (layers, *shape)) in matrices.of.items():
        size = math.prod(shape)
        for layer in range(layers):
            scales = 4 * (size // group)
            beside[name, layer] = (at + at // group * 4, at + at // group * 4 + size)
            apart[name, layer] = (at, end)
            at, end = at + size, end + scales
    fitting_ones = []
    for places in (beside, apart):
        sound = True
        for (name, _), (_, start) in places.items():
            scales = body[start : start + 4 * (math.prod(matrices.of[name][1][1:]) // group)].copy().view("<f4")
            sound = sound and bool(np.isfinite(scales).all() and (scales >= 0).all())
        if sound:
            fitting_ones.append(places)
    if not fitting_ones:
        raise CheckpointError(
            path, "scales", "some are negative or no numbers: the file is damaged, or of another kind"
        )
    return fitting_ones[0]


# --------------------------------------------------------------------------------------------------------------------
# The tokenizer, which is a file of its own
# --------------------------------------------------------------------------------------------------------------------


def beside(path: Path, config: Config) -> Vocabulary | None:
    """Of the tokenizers in the folder the one that fits the model: as many tokens, or the most that are fewer.

    A vocabulary may be filled up for the sake of round numbers, so fewer is right, but less than half is another's.
    """
    folder = path.parent
    names = {file.name for pattern in ("tok*.bin", "tok*.model") for file in folder.glob(pattern) if file != path}
    named = [f"tok{config.vocab}.bin", f"tok{config.vocab}.model", "tokenizer.bin", "tokenizer.model"]
    names_in_order = [name for name in named if name in names] + sorted(names - {*named})
    found: list[tuple[Path, Pieces]] = []
    for name in names_in_order:
        file = folder / name
        found.append((file, read_tokenizer_model(file) if name.endswith(".model") else read_tokenizer_bin(file)))
    fits = [(file, one) for file, one in found if config.vocab < 2 * len(one) and len(one) <= config.vocab]
    if not fits:
        if found:
            sizes = ", ".join(f"{file.name}: {len(one):,}" for file, one in found)
            raise CheckpointError(path, "vocab_size", f"{config.vocab:,}, and no tokenizer beside it fits ({sizes})")
        return None
    most = max(len(one) for _, one in fits)
    best = [(file, one) for file, one in fits if len(one) == most]
    for file, one in best[1:]:
        if one.pieces != best[0][1].pieces:
            problem = f"fits as well as {best[0][0].name}, and they differ: name the right one with --tokenizer"
            raise CheckpointError(file, "tokens", problem)
    return best[0][1]
