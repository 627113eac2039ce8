"""Independent answers to the exercises of the capstone: PyTorch's, brute force, and a file written field by field."""

from __future__ import annotations

import math
import struct

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  its usual name

from oracles import oracle


@oracle("get_batch")
def get_batch(ids, context, batch, rng):
    """Every window of the text is listed, and some are chosen from the list."""
    text = [int(id) for id in ids]
    windows = [text[at : at + context + 1] for at in range(len(text)) if at + context + 1 <= len(text)]
    chosen = rng.choice(np.array(windows, dtype=np.int64), size=batch)
    return np.delete(chosen, -1, axis=1), np.delete(chosen, 0, axis=1)


def mean_loss(logits, targets):
    logits = torch.tensor(np.asarray(logits, float), requires_grad=True)
    places = torch.as_tensor(np.asarray(targets, np.int64)).flatten()
    return logits, F.cross_entropy(logits.flatten(0, 1), places, ignore_index=-1)


@oracle("lm_loss")
def lm_loss(logits, targets):
    return mean_loss(logits, targets)[1].item()


@oracle("loss_gradient")
def loss_gradient(logits, targets):
    """By autograd."""
    logits, loss = mean_loss(logits, targets)
    return torch.autograd.grad(loss, logits)[0].numpy()


@oracle("clip_gradients")
def clip_gradients(grads, most):
    weights = [torch.nn.Parameter(torch.tensor(np.asarray(grad, float))) for grad in grads]
    for weight in weights:
        weight.grad = weight.detach().clone()
    norm = torch.nn.utils.clip_grad_norm_(weights, most)
    return [weight.grad.numpy() for weight in weights], norm.item()


@oracle("adamw_step")
def adamw_step(w, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    """PyTorch's optimiser, stopped before the step and let go."""
    weight = torch.nn.Parameter(torch.tensor(np.asarray(w, float)))
    weight.grad = torch.tensor(np.asarray(grad, float))
    optimizer = torch.optim.AdamW([weight], lr, (beta1, beta2), eps, weight_decay)
    means = (torch.tensor(np.asarray(mean, float)) for mean in (m, v))
    state = dict(zip(("step", "exp_avg", "exp_avg_sq"), (torch.tensor(step - 1.0), *means), strict=True))
    optimizer.state[weight] = state
    optimizer.step()
    return weight.detach().numpy(), state["exp_avg"].numpy(), state["exp_avg_sq"].numpy()


@oracle("cosine_with_warmup")
def cosine_with_warmup(step, steps, warmup, peak, floor):
    """PyTorch's two schedules, one after the other, walked through step by step."""
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=float(peak))
    if step < warmup:
        climb = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warmup, 1.0, max(1, warmup - 1))
        return walked(optimizer, climb, step) if warmup > 1 else peak
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps - warmup, floor)
    return walked(optimizer, fall, min(step, steps) - warmup)


def walked(optimizer, schedule, steps):
    for _ in range(steps):
        optimizer.step()
        schedule.step()
    return schedule.get_last_lr()[0]


@oracle("export_checkpoint")
def export_checkpoint(config, weights):
    """One number after the other, each found by its place: row, column, layer."""
    d = config.dim // config.heads
    vocab = config.vocab if config.tied else -config.vocab
    header = (config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len)
    found = [weights["embed"][token][i] for token in range(config.vocab) for i in range(config.dim)]
    for name in ("attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"):
        for block in weights["blocks"]:
            array = block[name]
            if array.ndim == 1:
                found += list(array)
                continue
            inputs, outputs = array.shape
            found += [array[i][o] for o in range(outputs) for i in range(inputs)]
    found += list(weights["norm"])
    for wave in (math.cos, math.sin):
        for position in range(config.max_len):
            found += [wave(position / config.rope_base ** (2 * pair / d)) for pair in range(d // 2)]
    if not config.tied:
        found += [weights["head"][i][token] for token in range(config.vocab) for i in range(config.dim)]
    return struct.pack(f"<7i{len(found)}f", *header, *found)


def by_autograd(forward, inputs, dout):
    """The gradients of `forward` by its inputs."""
    tensors = [torch.tensor(np.asarray(value, float), requires_grad=True) for value in inputs]
    out = forward(*tensors)
    return tuple(grad.numpy() for grad in torch.autograd.grad(out, tensors, torch.tensor(np.asarray(dout, float))))


@oracle("matmul_backward")
def matmul_backward(x, W, dout):
    return by_autograd(lambda x, W: x @ W, (x, W), dout)


@oracle("embed_backward")
def embed_backward(ids, dout, V):
    table, places = np.zeros((V, np.shape(dout)[-1])), torch.as_tensor(np.asarray(ids, np.int64))
    return by_autograd(lambda table: F.embedding(places, table), (table,), dout)[0]


@oracle("rms_norm_backward")
def rms_norm_backward(x, gain, dout, eps=1e-5):
    return by_autograd(lambda x, gain: F.rms_norm(x, (len(gain),), gain, eps), (x, gain), dout)


@oracle("swiglu_backward")
def swiglu_backward(x, Wg, Wu, Wd, dout):
    return by_autograd(lambda x, Wg, Wu, Wd: (F.silu(x @ Wg) * (x @ Wu)) @ Wd, (x, Wg, Wu, Wd), dout)
