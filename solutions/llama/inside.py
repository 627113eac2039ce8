"""What goes on inside the small model that comes with the course: the stream after each block, and who looks at whom.

    model = Small()                          the one that has read Jane Austen
    seen = model.read("I am very glad to")   seen.tokens, seen.stream (one array a block), seen.maps (weights by head)
    p = model.chances(seen.stream[-1])       a probability for each token of the vocabulary, at each place

The pages draw from it. It computes with the clear model of model.py, one text at a time.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from solutions.llama.checkpoints import load
from solutions.llama.model import llama_attention, repeat_kv, rms_norm, rope, softmax, swiglu

AUSTEN = Path(__file__).parent / "trained" / "austen"


class Inside(NamedTuple):
    ids: np.ndarray  # (T,)
    tokens: list[str]  # as a table shows them
    stream: list[np.ndarray]  # (T, D) before the first block, and after each
    maps: list[np.ndarray]  # (H, T, T) for each block


class Small:
    """A checkpoint, and what can be seen in it."""

    def __init__(self, path: Path = AUSTEN) -> None:
        self.config, self.weights, self.vocabulary = load(path)

    def said(self, token: int) -> str:
        """A token as a table shows it: ␣ for the space at its front, ⏎ for the end of a line."""
        return self.vocabulary.decode([int(token)]).replace(" ", "␣").replace("\n", "⏎")

    def read(self, text: str, attend: bool = True) -> Inside:
        """A text on its way through the model; with `attend=False`, attention adds nothing."""
        ids = np.array(self.vocabulary.encode(text))
        x = self.weights["embed"][ids][None]  # (1, T, D)
        stream, maps = [x[0]], []
        for block in self.weights["blocks"]:
            h = rms_norm(x, block["attn_norm"], self.config.eps)
            maps.append(self._weights(h, block))
            if attend:
                x = x + llama_attention(h, block, self.config)
            h = rms_norm(x, block["mlp_norm"], self.config.eps)
            x = x + swiglu(h, block["Wg"], block["Wu"], block["Wd"])
            stream.append(x[0])
        return Inside(ids, [self.said(i) for i in ids], stream, maps)

    def chances(self, x: np.ndarray) -> np.ndarray:
        """What the head makes of vectors of the stream (T, D): probabilities (T, V)."""
        return softmax(rms_norm(x, self.weights["norm"], self.config.eps) @ self.weights["head"])

    def _weights(self, h: np.ndarray, block: dict[str, np.ndarray]) -> np.ndarray:
        """The attention weights (H, T, T) of a block that reads h (1, T, D)."""
        c, T = self.config, h.shape[1]
        q, k = ((h @ block[name]).reshape(1, T, -1, c.head_dim).transpose(0, 2, 1, 3) for name in ("Wq", "Wk"))
        q, k = (rope(a, np.arange(T), c.rope_base) for a in (q, k))  # (1, H or K, T, d)
        scores = q @ repeat_kv(k, c.heads // c.kv_heads).transpose(0, 1, 3, 2) / np.sqrt(c.head_dim)
        return softmax(np.where(np.tri(T, dtype=bool), scores, -np.inf))[0]


def likeliest(p: np.ndarray, n: int = 5) -> np.ndarray:
    """The n likeliest of the probabilities p (V,), the best first."""
    return np.argsort(-p, kind="stable")[:n]
