"""PyTorch's answers to the exercises of the attention chapter."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  its usual name

from oracles import oracle


def double(x: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(x), dtype=torch.float64)


@oracle("softmax")
def softmax(x, axis=-1):
    return torch.softmax(double(x), axis).numpy()


@oracle("scaled_scores")
def scaled_scores(q, k):
    return (torch.matmul(double(q), double(k).transpose(-1, -2)) / q.shape[-1] ** 0.5).numpy()


@oracle("attention")
def attention(q, k, v, mask=None):
    """By torch's own attention; the weights are what it makes of one-hot values. A row without any key is all zeros."""
    q, k, v = double(q), double(k), double(v)
    allowed = None if mask is None else torch.as_tensor(mask).broadcast_to(*q.shape[:-1], k.shape[-2])
    one_hot = torch.eye(k.shape[-2], dtype=torch.float64).expand(*k.shape[:-2], -1, -1)
    both = [F.scaled_dot_product_attention(q, k, values, attn_mask=allowed) for values in (v, one_hot)]
    if allowed is not None:
        both = [torch.where(allowed.any(-1, keepdim=True), one, 0.0) for one in both]
    return tuple(one.numpy() for one in both)
