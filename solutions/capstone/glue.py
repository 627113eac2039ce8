"""What holds the functions of the exercises together in the one file of `assemble.py`: the model, its way back, training.

It is part of that file, word for word, so it is short and calls nothing but exercises and NumPy. Tokens are bytes, the
head is the embedding turned on its side, and each query head has keys of its own.
"""

import numpy as np

from solutions.attention.cost import softmax_backward
from solutions.attention.heads import causal_mask, merge_heads, split_heads
from solutions.attention.weights import softmax
from solutions.capstone.training import (
    adamw_step,
    clip_gradients,
    cosine_with_warmup,
    get_batch,
    lm_loss,
    loss_gradient,
)
from solutions.capstone.whole import embed_backward, matmul_backward, rms_norm_backward, swiglu_backward
from solutions.llama.generation import draw, temperature_softmax, top_p_filter
from solutions.llama.parts import apply_rope, rms_norm, rope_tables, swiglu

# --- what follows goes into the file ---
BLOCKS, HEADS, D, F, V, CONTEXT = 2, 4, 64, 160, 256, 96
COS, SIN = rope_tables(D // HEADS, CONTEXT)


def new_weights(rng):
    block = {"n1": (D,), "Wq": (D, D), "Wk": (D, D), "Wv": (D, D), "Wo": (D, D),
             "n2": (D,), "Wg": (D, F), "Wu": (D, F), "Wd": (F, D)}  # fmt: skip
    shapes = {"embed": (V, D), "norm": (D,)} | {f"{i}.{k}": s for i in range(BLOCKS) for k, s in block.items()}
    return {k: np.ones(s) if len(s) == 1 else rng.normal(0, s[0] ** -0.5 / 2, s) for k, s in shapes.items()}


def forward(w, ids):
    x, saved, T = w["embed"][ids], [], ids.shape[1]  # (B, T, D)
    for i in range(BLOCKS):
        h = rms_norm(x, w[f"{i}.n1"])  # (B, T, D)
        q, k, v = (split_heads(h @ w[f"{i}.W{n}"], HEADS) for n in "qkv")  # (B, H, T, d)
        q, k = (apply_rope(a, COS, SIN, np.arange(T)) for a in (q, k))
        scores = q @ k.swapaxes(-1, -2) / np.sqrt(D // HEADS)  # (B, H, T, T)
        p = softmax(np.where(causal_mask(T, T), scores, -np.inf))
        o = merge_heads(p @ v)  # (B, T, D)
        y = x + o @ w[f"{i}.Wo"]
        h2 = rms_norm(y, w[f"{i}.n2"])
        saved.append((x, h, q, k, v, p, o, y, h2))
        x = y + swiglu(h2, w[f"{i}.Wg"], w[f"{i}.Wu"], w[f"{i}.Wd"])
    return rms_norm(x, w["norm"]) @ w["embed"].T, (ids, saved, x)  # (B, T, V)


def backward(w, saved, dlogits):
    (ids, saved, x), g = saved, {}
    dh, dhead = matmul_backward(rms_norm(x, w["norm"]), w["embed"].T, dlogits)
    dx, g["norm"] = rms_norm_backward(x, w["norm"], dh)
    for i in reversed(range(BLOCKS)):
        x, h, q, k, v, p, o, y, h2 = saved[i]
        ways = [w[f"{i}.W{n}"] for n in "gud"]
        dh, g[f"{i}.Wg"], g[f"{i}.Wu"], g[f"{i}.Wd"] = swiglu_backward(h2, *ways, dx)
        dy, g[f"{i}.n2"] = rms_norm_backward(y, w[f"{i}.n2"], dh)
        dx = dx + dy  # both ways: along the stream, and through the network
        do, g[f"{i}.Wo"] = matmul_backward(o, w[f"{i}.Wo"], dx)
        do = split_heads(do, HEADS)  # (B, H, T, d)
        ds = softmax_backward(p, do @ v.swapaxes(-1, -2)) / np.sqrt(D // HEADS)  # (B, H, T, T)
        dq, dk = (apply_rope(a, COS, -SIN, np.arange(ids.shape[1])) for a in (ds @ k, ds.swapaxes(-1, -2) @ q))
        dh = 0
        for name, a in [("Wq", dq), ("Wk", dk), ("Wv", p.swapaxes(-1, -2) @ do)]:
            back, g[f"{i}.{name}"] = matmul_backward(h, w[f"{i}.{name}"], merge_heads(a))
            dh = dh + back
        dy, g[f"{i}.n1"] = rms_norm_backward(x, w[f"{i}.n1"], dh)
        dx = dx + dy
    return g | {"embed": embed_backward(ids, dx, V) + dhead.T}


def train(text, steps=300, batch=8, peak=0.01, seed=0):
    ids, rng, losses = np.frombuffer(text.encode(), np.uint8), np.random.default_rng(seed), []
    w = new_weights(rng)
    m, v = ({k: np.zeros_like(a) for k, a in w.items()} for _ in range(2))
    for step in range(steps):
        x, y = get_batch(ids, CONTEXT, batch, rng)
        logits, saved = forward(w, x)
        losses.append(lm_loss(logits, y))
        g = backward(w, saved, loss_gradient(logits, y))
        lr = cosine_with_warmup(step, steps, 20, peak, peak / 10)
        for k, grad in zip(w, clip_gradients([g[k] for k in w], 1.0)[0]):
            w[k], m[k], v[k] = adamw_step(w[k], grad, m[k], v[k], step + 1, lr, 0.9, 0.95, 1e-8, 0.01)
    return w, losses


def write(w, text, count=200, temperature=0.7, top_p=0.95, seed=0):
    ids, rng = [*text.encode()], np.random.default_rng(seed)
    for _ in range(count):
        logits, _ = forward(w, np.array([ids[-CONTEXT:]]))
        ids.append(draw(top_p_filter(temperature_softmax(logits[0, -1], temperature), top_p), rng.random()))
    return bytes(ids).decode(errors="replace")
