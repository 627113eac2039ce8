"""Answers of transformers, PyTorch and plain loops to the exercises of the LLaMA chapter."""

from __future__ import annotations

import bisect
import functools
import json
import math
import re
import struct
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice, takewhile, zip_longest
from types import SimpleNamespace

import gguf
import jinja2
import numpy as np
import safetensors
import safetensors.torch
import sentencepiece
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from transformers import DynamicCache
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaForCausalLM, LlamaRotaryEmbedding, apply_rotary_pos_emb
from transformers.models.llama.modeling_llama import repeat_kv as hugging_repeat_kv

from oracles import oracle


def tensor(x: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
    return torch.as_tensor(np.array(x), dtype=dtype)


# ---- block


@oracle("embed")
def embed(ids, table, places):
    """torch's embedding, one for the tokens and one for the places; it refuses what is not in its table."""
    try:
        tokens = F.embedding(tensor(ids).long(), tensor(table))
        return (tokens + F.embedding(torch.arange(ids.shape[-1]), tensor(places))).numpy()
    except IndexError as error:
        raise ValueError(str(error)) from error


@oracle("feed_forward")
def feed_forward(x, W1, b1, W2, b2):
    """torch's linear maps and ReLU."""
    x, W1, b1, W2, b2 = (tensor(a).double() for a in (x, W1, b1, W2, b2))
    return F.linear(F.relu(F.linear(x, W1.T, b1)), W2.T, b2).numpy()


@oracle("decoder_block")
def decoder_block(x, block, heads, post=False):
    """torch's encoder layer with a causal mask; its attention has biases, which are 0 here."""
    w = {name: tensor(a).double() for name, a in block.items()}
    D, width = w["W1"].shape
    layer = torch.nn.TransformerEncoderLayer(
        D, heads, width, dropout=0.0, activation="relu", batch_first=True, norm_first=not post, dtype=torch.float64
    ).eval()
    zeros = torch.zeros(D, dtype=torch.float64)
    attention = {
        "in_proj_weight": torch.cat([w["Wq"].T, w["Wk"].T, w["Wv"].T]), "in_proj_bias": torch.cat([zeros] * 3),
        "out_proj.weight": w["Wo"].T, "out_proj.bias": zeros,
    }  # fmt: skip
    layer.load_state_dict(
        {f"self_attn.{name}": a for name, a in attention.items()}
        | {"linear1.weight": w["W1"].T, "linear1.bias": w["b1"], "linear2.weight": w["W2"].T, "linear2.bias": w["b2"]}
        | {f"norm{i}.{ours}": w[name] for i in (1, 2) for ours, name in (("weight", f"gain{i}"), ("bias", f"bias{i}"))}
    )
    T = x.shape[-2]
    hidden = torch.ones(T, T).triu(1).bool()  # True = may not look, in torch
    with torch.no_grad():
        out = layer(tensor(x).double().reshape(-1, T, D), src_mask=hidden)
    return out.reshape(x.shape).numpy()


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


def field(number: int, value: int | float | bytes) -> bytes:
    """One field of a protobuf message: a small whole number, a float, or bytes."""
    if isinstance(value, int):
        return bytes([*varint(number << 3), *varint(value)])
    if isinstance(value, float):
        return bytes(varint(number << 3 | 5)) + struct.pack("<f", value)
    return bytes([*varint(number << 3 | 2), *varint(len(value))]) + value


def varint(number: int) -> list[int]:
    return [number] if number < 128 else [number & 127 | 128, *varint(number >> 7)]


@functools.lru_cache
def sentencepiece_of(vocab: tuple[tuple[str, float], ...]) -> sentencepiece.SentencePieceProcessor:
    """A vocabulary of the chapter as a sentencepiece model (sentencepiece_model.proto), set up as LLaMA's is."""
    unknown, control, byte, normal, bpe = 2, 3, 6, 1, 2
    data = b""
    for i, (piece, score) in enumerate(vocab):
        kind = unknown if i == 0 else control if i < 3 else byte if i < 259 else normal
        data += field(1, field(1, piece.encode()) + field(2, float(score)) + field(3, kind))
    data += field(2, field(3, bpe) + field(35, 1))  # model_type, byte_fallback
    data += field(3, field(1, b"identity") + field(3, 1) + field(4, 0))  # add_dummy_prefix, remove_extra_whitespaces
    return sentencepiece.SentencePieceProcessor(model_proto=data)


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


@oracle("accept_draft")
def accept_draft(draft, logits):
    """Plain greedy writing, token by token, which sees a row only if the draft and its own text agree so far."""
    said = {tuple(draft[:read]): torch.as_tensor(np.array(row, float)) for read, row in enumerate(logits)}
    written: list[int] = []
    while tuple(written) in said:
        ids, largest = range(logits.shape[1]), said[tuple(written)]
        written.append(min(ids, key=lambda i: (-largest[i].item(), i)))
    return len(written) - 1, written[-1]


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
    """In torch: each group is a row."""
    rows = tensor(weights).reshape(-1, group)
    scales = rows.abs().amax(1) / 127
    q = torch.round(rows / torch.where(scales > 0, scales, 1.0)[:, None])
    return q.to(torch.int8).reshape(weights.shape).numpy(), scales.reshape(len(weights), -1).numpy()


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


# ---- model


@oracle("count_parameters")
def count_parameters(config):
    """The parameters of a model of transformers that is never filled."""
    settings = LlamaConfig(
        hidden_size=config.dim, intermediate_size=config.hidden, num_hidden_layers=config.layers,
        num_attention_heads=config.heads, num_key_value_heads=config.kv_heads, vocab_size=config.vocab,
        tie_word_embeddings=config.tied,
    )  # fmt: skip
    with torch.device("meta"):
        model = LlamaForCausalLM(settings)
    return sum(p.numel() for name, p in model.named_parameters() if not (config.tied and name == "lm_head.weight"))


def turned(x: torch.Tensor, places: torch.Tensor, base: float) -> torch.Tensor:
    """Meta's rotation (..., T, d): neighbours as complex numbers."""
    d = x.shape[-1]
    speeds = torch.exp(-torch.arange(0, d, 2).double() / d * math.log(base))
    angles = torch.outer(places.double(), speeds)
    pairs = torch.view_as_complex(x.double().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten(-2)


@oracle("attention_with_cache")
def attention_with_cache(x, block, config, past):
    """torch's grouped attention in float64; the mask is the lower right end of the whole text's."""
    wide = {name: tensor(W).double() for name, W in block.items()}
    heads = [tensor(x).double() @ wide[f"W{n}"] for n in "qkv"]
    q, k, v = (y.unflatten(-1, (-1, config.head_dim)).movedim(1, 2) for y in heads)
    start = 0 if past is None else past[0].shape[2]
    places = torch.arange(start, start + x.shape[1])
    q, k = (turned(y, places, config.rope_base) for y in (q, k))
    if past is not None:
        k, v = (torch.cat([tensor(old).double(), new], dim=2) for old, new in zip(past, (k, v), strict=True))
    mask = torch.ones(k.shape[2], k.shape[2], dtype=torch.bool).tril()[start:]
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True).movedim(1, 2).flatten(2) @ wide["Wo"]
    return y.numpy().astype(x.dtype), (k.numpy().astype(x.dtype), v.numpy().astype(x.dtype))


@oracle("llama_attention")
def llama_attention(x, block, config):
    return attention_with_cache(x, block, config, None)[0]


def normed(x: np.ndarray, gain: np.ndarray, eps: float) -> torch.Tensor:
    return F.rms_norm(tensor(x).double(), x.shape[-1:], tensor(gain).double(), eps)


@oracle("llama_block")
def llama_block(x, block, config, attention):
    z = x + np.asarray(attention(normed(x, block["attn_norm"], config.eps).numpy()))
    h = normed(z, block["mlp_norm"], config.eps)
    return z + swiglu(h.numpy(), block["Wg"], block["Wu"], block["Wd"])


@oracle("llama_forward")
def llama_forward(ids, weights, config, run_block):
    x = F.embedding(tensor(ids), tensor(weights["embed"])).numpy()
    x = functools.reduce(run_block, weights["blocks"], x)
    return F.linear(normed(x, weights["norm"], config.eps), tensor(weights["head"].T).double()).numpy()


@oracle("forward_with_cache")
def forward_with_cache(ids, weights, config, run_block, past):
    kept = []

    def step(x, pair):
        y, p = run_block(x, *pair)
        kept.append(p)
        return y

    x = F.embedding(tensor(ids), tensor(weights["embed"])).numpy()
    last = functools.reduce(step, zip_longest(weights["blocks"], past or []), x)[:, -1]
    return F.linear(normed(last, weights["norm"], config.eps), tensor(weights["head"].T).double()).numpy(), kept


@oracle("huggingface_weights")
def huggingface_weights(tensors, config):
    """Row by row: place 2i of a head is row i of it, place 2i + 1 is row d/2 + i."""
    d, half = config.head_dim, config.head_dim // 2
    widths = {"q": config.heads * d, "k": config.kv_heads * d, "v": config.kv_heads * d}

    def named(name: str, *shape: int) -> np.ndarray:
        found = tensors.get(f"{name}.weight")
        if found is None or found.shape != shape:
            raise ValueError(f"{name}.weight: {shape}")
        return found

    def columns(W: np.ndarray) -> np.ndarray:
        rows = [W[h * d + i + odd * half] for h in range(len(W) // d) for i in range(half) for odd in (0, 1)]
        return np.stack(rows, axis=1)

    blocks = []
    for p in (f"model.layers.{i}" for i in range(config.layers)):
        q, k, v = (named(f"{p}.self_attn.{n}_proj", widths[n], config.dim) for n in "qkv")
        gate, up = (named(f"{p}.mlp.{n}_proj", config.hidden, config.dim) for n in ("gate", "up"))
        norms = [named(f"{p}.{n}_layernorm", config.dim) for n in ("input", "post_attention")]
        block = {"attn_norm": norms[0], "mlp_norm": norms[1], "Wq": columns(q), "Wk": columns(k), "Wv": v.T}
        block |= {"Wo": named(f"{p}.self_attn.o_proj", config.dim, widths["q"]).T, "Wg": gate.T, "Wu": up.T}
        blocks.append(block | {"Wd": named(f"{p}.mlp.down_proj", config.dim, config.hidden).T})
    embed = named("model.embed_tokens", config.vocab, config.dim)
    head = embed if config.tied else named("lm_head", config.vocab, config.dim)
    return {"embed": embed, "blocks": blocks, "norm": named("model.norm", config.dim), "head": head.T}


@oracle("read_safetensors")
def read_safetensors(path):
    """The library's own reader. Its errors know no file and no names, so all that could be meant are told."""
    content = path.read_bytes()
    try:
        found = safetensors.deserialize(content)
        if any(entry["dtype"] not in ("F32", "F16", "BF16") for _, entry in found):
            raise ValueError("another dtype")
        return {name: entry.float().numpy() for name, entry in safetensors.torch.load(content).items()}
    except Exception as error:
        names = re.findall(r"\w+", content.decode("latin-1"))
        raise ValueError(f"{path.name}: header, dtype or data_offsets of {names}: {error}") from None


@oracle("KVCache")
class KVCache:
    """transformers' cache, with the limits around it."""

    def __init__(self, config, batch=1, dtype=np.float32):
        self.room = torch.from_numpy(np.zeros((batch, config.kv_heads, config.max_len, config.head_dim), dtype))
        self.cache, self.layers = DynamicCache(), config.layers
        empty = self.room[:, :, :0]
        for layer in range(config.layers):
            self.cache.update(empty, empty, layer)

    def append(self, layer, k, v):
        batch, heads, room, d = self.room.shape
        if k.shape != v.shape or k.shape != (batch, heads, *k.shape[2:3], d):
            raise ValueError("the shapes do not fit")
        if self.length(layer) + k.shape[2] > room:
            raise ValueError("there is no room")
        kept = self.cache.update(tensor(k).to(self.room), tensor(v).to(self.room), layer)
        return tuple(one.numpy() for one in kept)

    def length(self, layer):
        return self.cache.get_seq_length(layer)

    def truncate(self, n):
        if n < 0 or n > min(map(self.length, range(self.layers))):
            raise ValueError("a block holds fewer")
        for layer in self.cache.layers:
            layer.keys, layer.values = layer.keys[:, :, :n], layer.values[:, :, :n]

    def nbytes(self):
        return 2 * self.layers * self.room.numel() * self.room.element_size()


@oracle("load_llama2c")
def load_llama2c(path):
    """Strided views into one row of all numbers: a matrix (out, in) is (in, out) with its strides exchanged."""
    data = path.read_bytes()
    names = ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "vocab_size", "seq_len")
    if len(data) < 28:
        raise ValueError(f"{path.name}: header")
    header = dict(zip(names, struct.unpack_from("<7i", data), strict=True))
    for name, value in header.items():
        if value == 0 or (value < 0 and name != "vocab_size"):
            raise ValueError(f"{path.name}: {name}")
    D, F, L, H, K, vocab, T = header.values()
    if D % (2 * H) or H % K:
        raise ValueError(f"{path.name}: n_heads")
    V, q, kv, half = abs(vocab), D, D // H * K, D // H // 2
    shapes = {"token_embedding": (1, V, D), "rms_att": (L, 1, D), "wq": (L, q, D), "wk": (L, kv, D), "wv": (L, kv, D)}
    shapes |= {"wo": (L, D, q), "rms_ffn": (L, 1, D), "w1": (L, F, D), "w2": (L, D, F), "w3": (L, F, D)}
    shapes |= {"rms_final": (1, 1, D), "freqs_cos": (1, T, half), "freqs_sin": (1, T, half)}
    shapes |= {"wcls": (1, V, D)} if vocab < 0 else {}
    ends = list(accumulate(map(math.prod, shapes.values())))
    for name, end in zip(shapes, ends, strict=True):
        if 28 + 4 * end > len(data):
            raise ValueError(f"{path.name}: {name}")
    if 28 + 4 * ends[-1] != len(data):
        raise ValueError(path.name)
    numbers = torch.frombuffer(bytearray(data), dtype=torch.float32, offset=28)
    starts = dict(zip(shapes, [0, *ends], strict=False))

    def turned_round(name: str, i: int = 0) -> np.ndarray:
        _, rows, columns = shapes[name]
        return numbers.as_strided((columns, rows), (1, columns), starts[name] + i * rows * columns).numpy()

    ours = {"attn_norm": "rms_att", "Wq": "wq", "Wk": "wk", "Wv": "wv", "Wo": "wo", "mlp_norm": "rms_ffn"}
    ours |= {"Wg": "w1", "Wd": "w2", "Wu": "w3"}
    blocks = [
        {mine: turned_round(name, i).squeeze(1 if "norm" in mine else ()) for mine, name in ours.items()}
        for i in range(L)
    ]
    config = SimpleNamespace(
        dim=D, hidden=F, layers=L, heads=H, kv_heads=K, vocab=V, max_len=T, rope_base=10000.0, eps=1e-5, tied=vocab > 0
    )
    head = turned_round("token_embedding" if config.tied else "wcls")
    embed, norm = turned_round("token_embedding").T, turned_round("rms_final")[:, 0]
    return config, {"embed": embed, "blocks": blocks, "norm": norm, "head": head}


@oracle("read_config")
def read_config(folder):
    """transformers' own reading of the keys, once they have been found right."""
    try:
        found = json.loads((folder / "config.json").read_bytes())
        broken = {"rope_scaling"} if found.get("rope_scaling") is not None else set()
        needed = {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"}
        broken |= (needed | {"max_position_embeddings", "rms_norm_eps"}) - found.keys()
        broken |= {"model_type"} if found.get("model_type") != "llama" else set()
        newer = (found.get("rope_parameters") or {}).get("rope_type", "default")
        broken |= {"rope_type"} if newer != "default" else set()
        heads = found.get("num_attention_heads", 1)
        if found.get("hidden_size", 0) % heads or heads % found.get("num_key_value_heads", heads):
            broken.add("num_attention_heads")
        if broken:
            raise ValueError(broken)
    except (ValueError, AttributeError) as error:
        raise ValueError(f"config.json: {error}") from None
    theirs = LlamaConfig(**{key: value for key, value in found.items() if value is not None})
    names = {"dim": "hidden_size", "hidden": "intermediate_size", "layers": "num_hidden_layers", "eps": "rms_norm_eps"}
    names |= {"heads": "num_attention_heads", "kv_heads": "num_key_value_heads", "max_len": "max_position_embeddings"}
    names |= {"vocab": "vocab_size", "tied": "tie_word_embeddings"}
    values = {mine: getattr(theirs, name) for mine, name in names.items()}
    return SimpleNamespace(**values, rope_base=theirs.rope_parameters["rope_theta"])


# ---- published


@oracle("rope_scaling_llama3")
def rope_scaling_llama3(frequencies, config):
    """transformers' own, for a model whose pairs turn as fast; it is asked for one pair of each base.

    A base of f ** -2 gives the pair 1 of a head of 4 numbers the frequency f ** 1; a frequency of 1 is that of pair 0.
    """
    found = []
    for frequency in np.asarray(frequencies, np.float64).tolist():
        rope = {"rope_type": "llama3", "rope_theta": frequency**-2, **config}
        model = LlamaConfig(hidden_size=4, num_attention_heads=1, rope_parameters=rope)
        speeds, _ = ROPE_INIT_FUNCTIONS["llama3"](model, "cpu")
        found.append(float(speeds[1]))
    return np.array(found)


@oracle("six_bits")
def six_bits(packed):
    """gguf's own."""
    scales, minima = gguf.quants.Q4_K.get_scale_min(np.ascontiguousarray(packed).reshape(-1, 12))
    return scales.reshape(-1, 8), minima.reshape(-1, 8)


@oracle("dequantize_q4_k")
def dequantize_q4_k(data, unpack):
    """gguf's own, of the same blocks with the scales and minima laid down in their bytes."""
    if len(data) % 144:
        raise ValueError(f"{len(data)} bytes")
    blocks = np.frombuffer(data, np.uint8).reshape(-1, 144).copy()
    scales, minima = (np.asarray(part, np.uint8).reshape(-1, 8) for part in unpack(blocks[:, 4:16].copy()))
    blocks[:, 4:8] = scales[:, :4] + 64 * (scales[:, 4:] // 16)
    blocks[:, 8:12] = minima[:, :4] + 64 * (minima[:, 4:] // 16)
    blocks[:, 12:16] = scales[:, 4:] % 16 + 16 * (minima[:, 4:] % 16)
    if not data:
        return np.zeros(0, np.float32)  # which gguf does not take
    return gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType.Q4_K).reshape(-1).astype(np.float32)
