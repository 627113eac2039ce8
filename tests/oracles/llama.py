"""Answers of transformers, PyTorch and plain loops to the exercises of the LLaMA chapter."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb
from transformers.models.llama.modeling_llama import repeat_kv as hugging_repeat_kv

from oracles import oracle


def tensor(x: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
    return torch.as_tensor(np.array(x), dtype=dtype)


# ---- parts


@oracle("rms_norm")
def rms_norm(x, gain, eps=1e-5):
    """torch's, in float64 inside."""
    wide = F.rms_norm(tensor(x).double(), x.shape[-1:], tensor(gain).double(), eps)
    return wide.numpy().astype(x.dtype)


@oracle("rope_tables")
def rope_tables(d, T, base=10000.0):
    """The powers of one turn: place t is the t-th power of a unit complex number, by logarithms in torch."""
    places = torch.arange(T, dtype=torch.float64)[:, None]
    angles = places * torch.exp(-torch.arange(d // 2).double() * 2 / d * torch.log(torch.tensor(float(base)).double()))
    turns = torch.polar(torch.ones_like(angles), angles)
    return turns.real.numpy(), turns.imag.numpy()


@oracle("apply_rope")
def apply_rope(x, cos, sin, positions, layout="interleaved"):
    """Half by transformers' own function; interleaved as in Meta's code, by complex tensors."""
    cos, sin = (tensor(table)[tensor(positions)].double() for table in (cos, sin))
    wide = tensor(x).double()
    if layout == "half":
        twice = [torch.cat([table, table], dim=-1) for table in (cos, sin)]
        turned = apply_rotary_pos_emb(wide, wide, *twice, unsqueeze_dim=0)[0].reshape(x.shape)
    elif layout == "interleaved":
        pairs = torch.view_as_complex(wide.unflatten(-1, (-1, 2)).contiguous())
        turned = torch.view_as_real(pairs * torch.complex(cos, sin)).flatten(-2)
    else:
        raise ValueError(layout)
    return turned.numpy().astype(x.dtype)


@oracle("convert_rope_layout")
def convert_rope_layout(W, heads, to="half"):
    """As the published scripts do it, on (out, in) matrices: rows as (heads, pairs, 2) become (heads, 2, pairs)."""
    rows = tensor(np.moveaxis(W, -1, 0))
    half = W.shape[-1] // heads // 2
    inside = {"half": (heads, half, 2), "interleaved": (heads, 2, half)}
    if to not in inside:
        raise ValueError(to)
    moved = rows.unflatten(0, inside[to]).movedim(2, 1).flatten(0, 2)
    return np.moveaxis(moved.numpy(), 0, -1)


@oracle("swiglu")
def swiglu(x, Wg, Wu, Wd):
    """torch's SiLU."""
    x, Wg, Wu, Wd = map(tensor, (x, Wg, Wu, Wd))
    return ((F.silu(x @ Wg) * (x @ Wu)) @ Wd).numpy()


@oracle("repeat_kv")
def repeat_kv(x, n):
    """transformers', which knows one batch axis."""
    flat = tensor(x).reshape(-1, *x.shape[-3:]) if x.size else tensor(x).reshape(1, *x.shape)
    return hugging_repeat_kv(flat, n).reshape(*x.shape[:-3], x.shape[-3] * n, *x.shape[-2:]).numpy()


@oracle("rope_attention")
def rope_attention(q, k, v, positions, base=10000.0):
    """torch's grouped attention, after transformers' rotation; in its layout the numbers of a head stand otherwise."""
    d = q.shape[-1]
    settings = {"hidden_size": d, "num_attention_heads": 1, "num_hidden_layers": 1, "max_position_embeddings": 4096}
    rotary = LlamaRotaryEmbedding(LlamaConfig(**settings, rope_parameters={"rope_type": "default", "rope_theta": base}))
    cos, sin = (table[0].double() for table in rotary(torch.zeros(1), tensor(positions)[None]))
    halves = [tensor(x).double().unflatten(-1, (-1, 2)).transpose(-1, -2).flatten(-2) for x in (q, k)]
    turned = [apply_rotary_pos_emb(x, x, cos, sin, unsqueeze_dim=0)[0].reshape(x.shape) for x in halves]
    values = tensor(v).double()
    lead = q.shape[:-3]
    flat = [x.reshape(-1, *x.shape[-3:]) for x in (*turned, values)]
    out = F.scaled_dot_product_attention(*flat, is_causal=True, enable_gqa=True)
    return out.reshape(*lead, *q.shape[-3:]).numpy()
