"""Answers of transformers, PyTorch and plain loops to the exercises of the LLaMA chapter."""

from __future__ import annotations

import bisect
import functools
import math
import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice, takewhile

import gguf
import jinja2
import numpy as np
import sentencepiece
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from sentencepiece import sentencepiece_model_pb2
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


# ---- generation


@oracle("temperature_softmax")
def temperature_softmax(logits, temperature):
    """torch's softmax; at T = 0 one-hot at the lowest of the largest."""
    x = tensor(logits).double()
    if temperature == 0:
        return F.one_hot(torch.nonzero(x == x.max())[0, 0], len(x)).double().numpy()
    return torch.softmax(x / temperature, 0).numpy()


def falling(p: np.ndarray) -> list[int]:
    """The ids from the likeliest on, by torch's stable sort."""
    order: list[int] = torch.sort(tensor(p), descending=True, stable=True).indices.tolist()
    return order


def shared_out(p: np.ndarray, kept: Iterable[int]) -> np.ndarray:
    ids = set(kept)
    total = math.fsum(float(p[i]) for i in ids)
    return np.array([float(x) / total if i in ids else 0.0 for i, x in enumerate(p)])


@oracle("top_k_filter")
def top_k_filter(p, k):
    return shared_out(p, falling(p)[:k])


def nucleus(q: Sequence[float], top_p: float) -> int:
    """How many of falling probabilities stay: all before which the line is not reached yet."""
    return max(1, sum(before < top_p for before in [0.0, *accumulate(q)][: len(q)]))


@oracle("top_p_filter")
def top_p_filter(p, top_p):
    order = falling(p)
    return shared_out(p, order[: nucleus([float(p[i]) for i in order], top_p)])


@oracle("draw")
def draw(p, u):
    """A bisection of the sums."""
    place = bisect.bisect_right(list(accumulate(map(float, p))), u)
    return min(place, max(i for i, x in enumerate(p) if x))


@oracle("sample")
def sample(logits, temperature=1.0, top_k=None, top_p=None, rng=None):
    """Filters in torch, and one throw of a multinomial."""
    if temperature == 0:
        return int(torch.nonzero(tensor(logits) == tensor(logits).max())[0, 0])
    p = torch.softmax(tensor(logits).double() / temperature, 0).numpy()
    q = shared_out(p, falling(p)[: top_k or len(p)])
    if top_p is not None:
        order = falling(q)
        q = shared_out(q, order[: nucleus(q[order].tolist(), top_p)])
    return int(rng.multinomial(1, q).argmax())


@functools.lru_cache
def sentencepiece_of(vocab: tuple[tuple[str, float], ...]) -> sentencepiece.SentencePieceProcessor:
    """A vocabulary of the chapter as a sentencepiece model, as LLaMA's is set up."""
    kinds = sentencepiece_model_pb2.ModelProto.SentencePiece
    model = sentencepiece_model_pb2.ModelProto()
    for i, (piece, score) in enumerate(vocab):
        kind = kinds.UNKNOWN if i == 0 else kinds.CONTROL if i < 3 else kinds.BYTE if i < 259 else kinds.NORMAL
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = sentencepiece_model_pb2.TrainerSpec.BPE
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = False
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


@oracle("llama_encode")
def llama_encode(text, vocab):
    return sentencepiece_of(tuple(vocab)).encode(text)


@oracle("llama_decode")
def llama_decode(ids, vocab):
    """Bytes as lone surrogates within a text, which Python turns back into bytes."""

    def text_of(i: int) -> str:
        if i >= 259:
            return str(vocab[i][0]).translate({0x2581: " "})
        return bytes([i - 3]).decode("ascii", errors="surrogateescape") if i >= 3 else ""

    whole = "".join(map(text_of, ids)).encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
    return whole[whole.startswith(" ") :]


@oracle("stream_text")
def stream_text(ids, token_bytes):
    """Strict decoding says why it fails: what ends too early has to wait, and nothing else."""
    held = b""
    for i in ids:
        held += token_bytes[i]
        waits = next((n for n in range(len(held)) if is_cut(held[n:])), len(held))
        yield held[:waits].decode(errors="replace")
        held = held[waits:]
    yield held.decode(errors="replace")


def is_cut(data: bytes) -> bool:
    """Whether these bytes begin a character, and nothing else."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start == 0
    return False


@oracle("generate")
def generate(next_logits, prompt, choose, max_new, end):
    """By itertools alone."""
    so_far = list(prompt)

    def another() -> int:
        so_far.append(choose(next_logits(list(so_far))))
        return so_far[-1]

    return islice(takewhile(lambda i: i not in end, iter(another, None)), max_new)


@oracle("perplexity")
def perplexity(logits, ids):
    return F.cross_entropy(tensor(logits).double()[:-1], tensor(ids)[1:]).exp().item()


@oracle("bits_per_byte")
def bits_per_byte(losses, text):
    """Each probability's own bits."""
    return float(-np.log2(np.exp(-np.array(losses, dtype=float))).sum() / len(bytearray(text, "utf-8")))


def by_gguf(data: bytes, kind: gguf.GGMLQuantizationType) -> np.ndarray:
    raw = np.frombuffer(data, np.uint8).reshape(-1, gguf.GGML_QUANT_SIZES[kind][1])
    return gguf.dequantize(raw, kind).reshape(-1) if len(raw) else np.zeros(0, np.float32)


@oracle("dequantize_q8_0")
def dequantize_q8_0(data):
    return by_gguf(data, gguf.GGMLQuantizationType.Q8_0)


@oracle("dequantize_q4_1")
def dequantize_q4_1(data):
    return by_gguf(data, gguf.GGMLQuantizationType.Q4_1)


@oracle("quantize_int8")
def quantize_int8(weights, group):
    """In torch, whose own quantization takes one scale a row: each group is a row."""
    rows = tensor(weights).reshape(-1, group)
    scales = rows.abs().amax(1) / 127
    q = torch.quantize_per_channel(
        rows, torch.where(scales > 0, scales, 1.0).double(), torch.zeros(len(rows)), 0, torch.qint8
    )
    return q.int_repr().reshape(weights.shape).numpy(), scales.reshape(len(weights), -1).numpy()


@oracle("chat_prompt")
def chat_prompt(messages, encode, start, end):
    """By the published Jinja template, with marks that nobody types for the special tokens."""
    if {message["role"] for message in messages} - {"system", "user", "assistant"}:
        raise ValueError("a role")
    template = (
        "{% for m in messages %}{{ '\ue000' + m['role'] + '\n' + m['content'] + '\ue001' + '\n' }}{% endfor %}"
        "{{ '\ue000assistant\n' }}"
    )
    parts = re.split(
        "([\ue000\ue001])", jinja2.Template(template, keep_trailing_newline=True).render(messages=messages)
    )
    return [i for part in parts for i in {"\ue000": [start], "\ue001": [end]}.get(part) or encode(part)]
