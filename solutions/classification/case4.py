"""Case 4: an encoder that can read before it is asked to judge, and the classifier on top of it.

    encoder = Encoder(8194, 128, blocks=2, heads=4)
    weights, h = encoder(ids, mask)          a vector for each token, (B, T, D)
    encoder.word_logits(h[asked])            which token belongs there: what it learns while it reads
    weights, logits = Case4(encoder, 2)(ids, mask)

Ids are (B, T), with 0 for padding; mask (B, T), True = a real token. Beside case 3 there are several heads and blocks, and
the classifier sees the maximum over the review beside the mean.
"""

import math

import torch
from torch import Tensor, nn

from solutions.classification.models import masked_mean, positions

__all__ = ["Block", "Case4", "Encoder"]


class Block(nn.Module):
    """A pre-norm block with H heads. x (B, T, D), bias (B, 1, T, T) of 0 and -1e9 -> x (B, T, D), weights (B, H, T, T)."""

    def __init__(self, hidden_dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(hidden_dim), nn.LayerNorm(hidden_dim)
        self.qkv = nn.Linear(hidden_dim, 3 * hidden_dim)
        self.out = nn.Linear(hidden_dim, hidden_dim)
        self.feed_forward = nn.Sequential(
            nn.Linear(hidden_dim, 4 * hidden_dim), nn.GELU(), nn.Linear(4 * hidden_dim, hidden_dim)
        )
        for last in (self.out, self.feed_forward[2]):
            nn.init.normal_(last.weight, std=0.02)  # a fresh block hardly changes what comes in

    def forward(self, x: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        B, T, D = x.shape
        parts = self.qkv(self.norm1(x)).view(B, T, 3, self.heads, D // self.heads)
        q, k, v = parts.permute(2, 0, 3, 1, 4)  # (B, H, T, d) each
        scores = q @ k.transpose(-2, -1) / math.sqrt(D // self.heads)  # (B, H, T, T)
        weights = (scores + bias).softmax(dim=-1).to(v.dtype)  # (B, H, T, T)
        mixed = (weights @ v).transpose(1, 2).reshape(B, T, D)
        x = x + self.out(mixed)
        return x + self.feed_forward(self.norm2(x)), weights


class Encoder(nn.Module):
    """What case 4 reads with: a vector for each token that knows its neighbours. `causal`: those before it alone."""

    def __init__(self, vocab_size: int, hidden_dim: int, blocks: int, heads: int, causal: bool = False):
        super().__init__()
        self.causal = causal
        self.embedding = nn.Embedding(vocab_size, hidden_dim)
        nn.init.normal_(self.embedding.weight, std=hidden_dim**-0.5)
        self.blocks = nn.ModuleList(Block(hidden_dim, heads) for _ in range(blocks))
        self.norm = nn.LayerNorm(hidden_dim)
        self.guess = nn.Linear(hidden_dim, hidden_dim)
        self.frequency = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """ids, mask (B, T) -> weights of the last block (B, H, T, T), h (B, T, D)."""
        T, D = ids.shape[1], self.embedding.embedding_dim
        x = self.embedding(ids) + positions(T, D) * D**-0.5  # (B, T, D)
        may = mask[:, None, None, :]  # (B, 1, 1, T)
        if self.causal:
            may = may & torch.ones(T, T, dtype=torch.bool).tril()  # (B, 1, T, T)
        bias = torch.zeros(may.shape).masked_fill(~may, -1e9)
        weights = bias
        for block in self.blocks:
            x, weights = block(x, bias)
        return weights, self.norm(x)

    def word_logits(self, h: Tensor) -> Tensor:
        """h (N, D) -> (N, vocab_size): how well each token fits there. The embedding is used once more, as in GPT-2."""
        return nn.functional.linear(self.guess(h), self.embedding.weight, self.frequency)


class Case4(nn.Module):
    """An encoder, the mean and the maximum over its vectors, dropout, linear."""

    def __init__(self, encoder: Encoder, num_labels: int, dropout: float = 0.3):
        super().__init__()
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(2 * encoder.embedding.embedding_dim, num_labels)

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        weights, h = self.encoder(ids, mask)
        h = h.float()
        most = h.masked_fill(~mask[:, :, None], -1e9).max(dim=1).values  # (B, D)
        pooled = torch.cat([masked_mean(h, mask), most], dim=-1)  # (B, 2 D)
        return weights, self.classifier(self.dropout(pooled))
