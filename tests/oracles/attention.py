"""Independent answers to the exercises of the attention chapter: PyTorch's, SciPy's, and brute force."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from scipy.spatial.distance import cosine as cosine_distance

from oracles import oracle


def double(x: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.asarray(x), dtype=torch.float64)


@oracle("dot_and_angle")
def dot_and_angle(u, v):
    """SciPy has the distance, one minus the cosine, and NaN where there is no direction."""
    u, v = np.asarray(u, float), np.asarray(v, float)
    return math.fsum(u * v), 1 - cosine_distance(u, v) if u.any() and v.any() else 0.0


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


@oracle("causal_mask")
def causal_mask(q_len, k_len):
    """Query i, of the last q_len tokens, stands at a place of the whole text; it may look at places up to its own."""
    places = range(k_len - q_len, k_len)
    return np.array([[key <= place for key in range(k_len)] for place in places])


@oracle("padding_mask")
def padding_mask(lengths, T):
    """Sentences of ones, padded with zeros by torch."""
    sentences = [torch.ones(int(n), dtype=torch.bool) for n in lengths]
    padded = torch.nn.utils.rnn.pad_sequence([*sentences, torch.ones(T, dtype=torch.bool)], batch_first=True)
    return padded[:-1, None, None].numpy()


@oracle("self_attention")
def self_attention(x, Wq, Wk, Wv):
    return cross_attention(x, x, Wq, Wk, Wv)


@oracle("cross_attention")
def cross_attention(x, memory, Wq, Wk, Wv):
    q, k, v = double(x) @ double(Wq), double(memory) @ double(Wk), double(memory) @ double(Wv)
    return F.scaled_dot_product_attention(q, k, v).numpy()


@oracle("split_heads")
def split_heads(x, H):
    """Torch cuts the last axis in two."""
    return double(x).unflatten(-1, (H, -1)).transpose(1, 2).numpy()


@oracle("merge_heads")
def merge_heads(x):
    return torch.cat(double(x).unbind(1), dim=-1).numpy()


@oracle("multi_head_attention")
def multi_head_attention(x, Wq, Wk, Wv, Wo, H, causal=False):
    """Torch's layer with the same matrices, which it stores transposed; its mask is True where nothing may be seen."""
    T, D = x.shape[1:]
    layer = torch.nn.MultiheadAttention(D, H, bias=False, batch_first=True, dtype=torch.float64)
    blocked = torch.ones(T, T, dtype=torch.bool).triu(1) if causal else None
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.cat([double(W).T for W in (Wq, Wk, Wv)]))
        layer.out_proj.weight.copy_(double(Wo).T)
        return layer(*[double(x)] * 3, attn_mask=blocked, need_weights=False)[0].numpy()


@oracle("sinusoidal_positions")
def sinusoidal_positions(T, D, base=10000.0):
    """Each pair is turned by one fixed rotation from a position to the next, beginning at (0, 1)."""
    table = np.zeros((T, D))
    for pair in range(D // 2):
        angle = base ** (-2 * pair / D)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        now = np.array([0.0, 1.0])
        for position in range(T):
            table[position, 2 * pair : 2 * pair + 2] = now
            now = turn @ now
    return table


@oracle("softmax_backward")
def softmax_backward(p, dp):
    """Autograd, through the softmax of the weights' logarithms; a weight of 0 has the logarithm −∞ and no gradient."""
    scores = double(p).log().requires_grad_()
    torch.softmax(scores, -1).backward(double(dp))
    return scores.grad.numpy()


@oracle("softmax_backward")
def softmax_backward_measured(p, dp):
    """Finite differences of softmax: each score is moved a little up and a little down."""
    with np.errstate(divide="ignore"):
        scores = np.maximum(np.log(np.asarray(p, float)), -80)
    steps = 1e-5 * np.eye(scores.size).reshape(scores.size, *scores.shape)
    moved = (torch.softmax(double(scores + steps), -1) - torch.softmax(double(scores - steps), -1)).numpy() * dp
    return moved.reshape(scores.size, -1).sum(-1).reshape(scores.shape) / 2e-5


@oracle("attention_backward")
def attention_backward(q, k, v, dout):
    """Autograd."""
    tensors = [double(a).requires_grad_() for a in (q, k, v)]
    F.scaled_dot_product_attention(*tensors).backward(double(dout))
    return tuple(tensor.grad.numpy() for tensor in tensors)


@oracle("online_softmax")
def online_softmax(tile, m=-np.inf, ell=0.0):
    """By logsumexp of all so far: the earlier scores are known by their sum alone, so they count as one score."""
    row = torch.cat([double(tile), double([m]) + torch.log(double([ell]))])
    top = max(m, float(np.max(tile)))
    return top, float(torch.exp(torch.logsumexp(row, 0) - top)) if top > -math.inf else 0.0


@oracle("attention_tiled")
def attention_tiled(q, k_tile, v_tile, state=None):
    """The tile and all before it as two keys: attention over them is attention over their log-sums."""
    scores = double(q) @ double(k_tile).T / q.shape[-1] ** 0.5
    log = torch.logsumexp(scores, -1, keepdim=True)
    out = F.scaled_dot_product_attention(double(q), double(k_tile), double(v_tile))
    if state is not None:
        logs = torch.cat([double(state[0]), log], -1)
        share = torch.softmax(logs, -1)
        out, log = share[:, :1] * double(state[1]) + share[:, 1:] * out, torch.logsumexp(logs, -1, keepdim=True)
    return out.numpy(), (log.numpy(), out.numpy())
