"""What a LLaMA costs at any size: shapes that people use, multiplications, bytes of a cache. The pages draw from it.

    c = MODELS["Llama 3 8B"]
    multiplications(c, past=0, new=100)       for a prompt of 100 tokens, logits of the last one only
    cache_bytes(c, tokens=8192)               of keys and values, in float16
    model = random_model(c)                   small shapes only: the numbers mean nothing, the sizes are right
"""

from typing import Any

import numpy as np

from solutions.llama.model import Config, Model

_SHAPES: dict[str, tuple[Any, ...]] = {
    # the publishers': D, F, layers, H, K, V, length, base of RoPE, eps, head tied to the embedding
    "stories 260K": (64, 172, 5, 8, 4, 512, 512, 1e4, 1e-5, True),
    "stories 15M": (288, 768, 6, 6, 6, 32000, 256, 1e4, 1e-5, True),
    "stories 110M": (768, 2048, 12, 12, 12, 32000, 1024, 1e4, 1e-5, True),
    "SmolLM2 135M": (576, 1536, 30, 9, 3, 49152, 8192, 1e5, 1e-5, True),
    "Llama 2 7B": (4096, 11008, 32, 32, 32, 32000, 4096, 1e4, 1e-5),
    "Llama 3 8B": (4096, 14336, 32, 32, 8, 128256, 8192, 5e5, 1e-5),
}
MODELS = {name: Config(*numbers) for name, numbers in _SHAPES.items()}


def multiplications(c: Config, past: int, new: int, rows: int = 1) -> int:
    """Those of all matrix products for `new` tokens after `past` others, with logits for `rows` of the tokens.

    Scores and weighted sums are counted in full, as NumPy computes them: the masked ones, too.
    """
    heads = 2 * c.dim * c.head_dim * (c.heads + c.kv_heads)  # Wq, Wk, Wv, Wo
    scores = 2 * (past + new) * c.dim  # and the weighted sum
    token = heads + scores + 3 * c.dim * c.hidden
    return c.layers * new * token + rows * c.dim * c.vocab


def cache_bytes(c: Config, tokens: int, width: int = 2) -> int:
    """Keys and values of so many tokens, in numbers of `width` bytes; 2 for float16."""
    return 2 * c.layers * c.kv_heads * c.head_dim * tokens * width


def random_model(c: Config, seed: int = 0, dtype: Any = np.float32) -> Model:
    """A model with random weights of a sensible size."""
    rng = np.random.default_rng(seed)
    q, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (rng.normal(size=(rows, columns)) / np.sqrt(rows)).astype(dtype)

    def block() -> dict[str, np.ndarray]:
        gains = {"attn_norm": np.ones(c.dim, dtype), "mlp_norm": np.ones(c.dim, dtype)}
        heads = {"Wq": matrix(c.dim, q), "Wk": matrix(c.dim, kv), "Wv": matrix(c.dim, kv), "Wo": matrix(q, c.dim)}
        mlp = {"Wg": matrix(c.dim, c.hidden), "Wu": matrix(c.dim, c.hidden), "Wd": matrix(c.hidden, c.dim)}
        return gains | heads | mlp

    embed = matrix(c.vocab, c.dim) * np.sqrt(c.vocab).astype(dtype)
    head = embed.T / np.sqrt(c.dim).astype(dtype) if c.tied else matrix(c.dim, c.vocab)
    blocks = [block() for _ in range(c.layers)]
    return Model(c, {"embed": embed, "blocks": blocks, "norm": np.ones(c.dim, dtype), "head": head})
