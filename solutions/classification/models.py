"""The models of the classification chapter: case 1, case 2, and case 3, which mends their faults one by one.

All take word numbers `ids` (B, T), with 0 for padding, and a `mask` (B, T), True = a real word; all return
(weights, logits), the attention weights (B, T, T) and the scores of the labels (B, num_labels).

Case 1 and case 2 take no mask: they read the padding like any other word. `masked=True` mends that.
Not here: several heads, several blocks. One head and one block are enough to compare.
"""

import math

import torch
from torch import Tensor, nn

__all__ = ["Case1", "Case2", "Case3", "SelfAttention", "masked_mean", "positions"]


class SelfAttention(nn.Module):
    """One head of self-attention over a whole sequence, as wide as the model."""

    def __init__(self, hidden_dim: int):
        super().__init__()
        self.query = nn.Linear(hidden_dim, hidden_dim)
        self.key = nn.Linear(hidden_dim, hidden_dim)
        self.value = nn.Linear(hidden_dim, hidden_dim)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (B, T, D), mask (B, T) -> output (B, T, D), weights (B, T, T)."""
        q, k, v = self.query(x), self.key(x), self.value(x)  # (B, T, D) each
        scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, T, T)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, :], -1e9)  # finite: a review without words gives no NaN
        weights = scores.softmax(dim=-1)  # (B, T, T)
        return weights @ v, weights


def masked_mean(h: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean over the words: all of T without a mask, the real ones with it. (B, T, D) -> (B, D)."""
    if mask is None:
        return h.mean(dim=1)
    real = mask[:, :, None].to(h.dtype)  # (B, T, 1)
    return (h * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)


def positions(T: int, D: int) -> Tensor:
    """Sines and cosines of the attention chapter, (T, D)."""
    angles = torch.arange(T)[:, None] / 10000 ** (torch.arange(0, D, 2) / D)  # (T, D/2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class Case1(nn.Module):
    """Embedding, one self-attention, average over the whole sequence, linear. The notes' own has masked=False."""

    def __init__(self, vocab_size: int, hidden_dim: int, num_labels: int, masked: bool = False):
        super().__init__()
        self.masked = masked
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = SelfAttention(hidden_dim)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mask = mask if self.masked else None
        h, weights = self.attention(self.embedding(ids), mask)  # (B, T, D), (B, T, T)
        return weights, self.classifier(self.pooled(h, mask))  # (B, num_labels)

    def pooled(self, h: Tensor, mask: Tensor | None) -> Tensor:
        return masked_mean(h, mask)  # (B, D)


class Case2(Case1):
    """Case 1 with a LayerNorm after the pooling."""

    def __init__(self, vocab_size: int, hidden_dim: int, num_labels: int, masked: bool = False):
        super().__init__(vocab_size, hidden_dim, num_labels, masked)
        self.norm = nn.LayerNorm(hidden_dim)

    def pooled(self, h: Tensor, mask: Tensor | None) -> Tensor:
        return self.norm(masked_mean(h, mask))  # (B, D)


class Case3(nn.Module):
    """A whole pre-norm block: positions, attention and feed-forward with residuals and norms, dropout; masked.

    Each argument after the first three takes one of them away, for the ablation. norm is "pre", "post" or "none".
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_dim: int,
        num_labels: int,
        *,
        masked: bool = True,
        positions: bool = True,
        residual: bool = True,
        norm: str = "pre",
        dropout: float = 0.3,
    ):
        super().__init__()
        if norm not in ("pre", "post", "none"):
            raise ValueError(f'norm is "pre", "post" or "none", not {norm!r}')
        self.masked, self.positions, self.residual, self.norm = masked, positions, residual, norm
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        self.attention = SelfAttention(hidden_dim)
        self.feed_forward = nn.Sequential(
            nn.Linear(hidden_dim, 4 * hidden_dim), nn.GELU(), nn.Linear(4 * hidden_dim, hidden_dim)
        )
        self.norm1, self.norm2, self.last_norm = (
            nn.LayerNorm(hidden_dim) if norm != "none" else nn.Identity() for _ in range(3)
        )
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(hidden_dim, num_labels)

    def forward(self, ids: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mask = mask if self.masked else None
        x = self.embedding(ids)  # (B, T, D)
        if self.positions:
            x = x + positions(*x.shape[1:])
        x = self.dropout(x)
        weights = x

        def attend(h: Tensor) -> Tensor:
            nonlocal weights
            h, weights = self.attention(h, mask)
            return h

        x = self.step(x, attend, self.norm1)
        x = self.step(x, self.feed_forward, self.norm2)
        if self.norm == "pre":
            x = self.last_norm(x)  # what a pre-norm block hands on has not been normed yet
        return weights, self.classifier(self.dropout(masked_mean(x, mask)))  # (B, num_labels)

    def step(self, x: Tensor, work, norm: nn.Module) -> Tensor:
        """One half of the block: the work, the residual round it, and the norm in its place."""
        if self.norm == "pre":
            done = self.dropout(work(norm(x)))
            return x + done if self.residual else done
        done = self.dropout(work(x))
        return norm(x + done if self.residual else done)  # "none" has an identity for its norm
