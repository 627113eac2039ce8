"""What goes on inside the small model that comes with the course: the stream after each block, and who looks at whom.

    model = Small()                          the one that has read Jane Austen
    seen = model.read("I am very glad to")   seen.tokens, seen.stream (one array a block), seen.maps (weights by head)
    p = model.chances(seen.stream[-1])       a probability for each token of the vocabulary, at each place

The pages draw from it. It computes with the clear model of model.py, one text at a time.
"""

from pathlib import Path
from typing import Any, NamedTuple

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
        stream, maps, _, _ = self._pass(ids, attend)
        return Inside(ids, [self.said(i) for i in ids], stream, maps)

    def _pass(self, ids: np.ndarray, attend: bool = True) -> tuple[list[np.ndarray], ...]:
        """The stream before and after the blocks; of each block its maps, what attention adds, what the network adds."""
        x = self.weights["embed"][ids][None]  # (1, T, D)
        stream, maps, found, made = [x[0]], [], [], []
        for block in self.weights["blocks"]:
            h = rms_norm(x, block["attn_norm"], self.config.eps)
            maps.append(self._weights(h, block))
            found.append(llama_attention(h, block, self.config)[0] if attend else np.zeros_like(x[0]))  # (T, D)
            x = x + found[-1]
            h = rms_norm(x, block["mlp_norm"], self.config.eps)
            made.append(swiglu(h, block["Wg"], block["Wu"], block["Wd"])[0])  # (T, D)
            x = x + made[-1]
            stream.append(x[0])
        return stream, maps, found, made

    def chances(self, x: np.ndarray) -> np.ndarray:
        """What the head makes of vectors of the stream (T, D): probabilities (T, V)."""
        return softmax(rms_norm(x, self.weights["norm"], self.config.eps) @ self.weights["head"])

    def figure(self, text: str, most: int = 24) -> dict[str, Any]:
        """What the live figure shows of a text, cut off after so many tokens: plain lists, for JSON.

        maps[layer][head][query][key]; sizes[token][layer] = the lengths of the stream before the block, of what attention
        adds and of what the network adds; likeliest[token][sum] = five pairs of token and chance: of the embedding, and then
        after each sum, two in a block.
        """
        ids = np.array(self.vocabulary.encode(text))
        if not len(ids):
            raise ValueError("Give it a text: there is nothing to read.")
        cut, ids = len(ids) > most, ids[:most]
        stream, maps, found, made = self._pass(ids)

        def lengths(vectors: list[np.ndarray]) -> np.ndarray:
            return np.linalg.norm(np.array(vectors), axis=-1)  # (layers, T)

        sizes = np.stack([lengths(stream[:-1]), lengths(found), lengths(made)])  # (3, layers, T)
        halves = [x for before, added, after in zip(stream, found, stream[1:], strict=False) for x in (before + added, after)]
        chances = [self.chances(x) for x in (stream[0], *halves)]  # (T, V) each
        return {
            "text": text,
            "tokens": [self.said(i) for i in ids],
            "cut": cut,
            "maps": [np.round(block.astype(float), 3).tolist() for block in maps],
            "sizes": np.round(sizes.astype(float).transpose(2, 1, 0), 2).tolist(),
            "likeliest": [
                [[[self.said(i), round(float(p[token, i]), 3)] for i in likeliest(p[token])] for p in chances]
                for token in range(len(ids))
            ],
        }

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
