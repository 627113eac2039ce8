"""llama2.c, version 0: seven numbers, then all weights in float32."""

import math
from pathlib import Path

import numpy as np

from solutions.llama import pieces
from solutions.llama.config import Config, Loaded, assemble, block_shapes, checked
from solutions.llama.vocabulary import CheckpointError

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
            return Loaded(config, weights, pieces.read_tokenizer_bin(beside, config.vocab))
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
