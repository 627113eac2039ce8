"""Train a small LLaMA on the CPU, in minutes, and export it for the NumPy model and for Hugging Face transformers.

    python -m solutions.capstone.pretrain austen             Jane Austen's novels, as it was done for the course
    python -m solutions.capstone.pretrain tang               poems of the Tang
    python -m solutions.capstone.pretrain grammar            stories from a small grammar, in about a minute
    python -m solutions.capstone.pretrain my_own_text.txt    anything you like, in UTF-8
    … --from chapters/capstone/exercises/training.ipynb      with your own batches, schedule and AdamW

It trains byte-level BPE on the text, then a LLaMA in PyTorch, in float32, on one thread. The batches, the learning rate
and AdamW's step are the exercises of this chapter. Then it writes a folder in the form that Hugging Face uses, with a
record of how it was made. A run that was interrupted goes on where it stopped, and ends with the very same weights; the
same seed gives the same weights on the same machine.

A part of the text is held out: neither the tokenizer nor the model sees it, and it measures the result.

What it does not do: more than one core, a graphics card, a text that does not fit into memory.
"""

import hashlib
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812, as everybody calls it
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import nn

from solutions.capstone.own import OURS, AdamW, Functions, from_notebook
from solutions.llama.chat import ChatError
from solutions.texts import english, tang
from solutions.tokenization.bpe import byte_to_unicode
from solutions.tokenization.fast import Encoder, count_words, train_numpy

# --------------------------------------------------------------------------------------------------------------------
# What is trained on what
# --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, but for the text."""

    vocab: int
    dim: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    context: int  # tokens that the model sees at once
    batch: int  # pieces of text of this length in one step
    steps: int
    warmup: int
    lr: float = 0.015  # Muon, for the matrices of the blocks
    lr_adamw: float = 0.01  # AdamW, for the embedding and the norms
    weight_decay: float = 0.05
    rope_base: float = 10000.0
    eps: float = 1e-5
    seed: int = 0


RECIPES = {
    "austen": Recipe(1024, 128, 352, 4, 4, 2, context=256, batch=8, steps=1800, warmup=100),
    "tang": Recipe(2560, 128, 288, 4, 4, 2, context=256, batch=6, steps=1000, warmup=60),
    "grammar": Recipe(384, 64, 160, 2, 4, 2, context=192, batch=6, steps=1500, warmup=40),
}


def split_tail(text: str) -> tuple[str, str]:
    """The first 95 % of the characters, and the rest."""
    cut = len(text) * 95 // 100
    return text[:cut], text[cut:]


def split_poems(text: str) -> tuple[str, str]:
    """Every twentieth poem is held out, so that every poet is in both parts."""
    poems = [poem + "\n\n" for poem in text.split("\n\n") if poem]
    return "".join(poem for i, poem in enumerate(poems, 1) if i % 20), "".join(poems[19::20])


def texts_of(what: str) -> tuple[str, str]:
    """The text to train on and the text held out, of a recipe or of a file."""
    if what == "austen":
        return split_tail(english())
    if what == "tang":
        return split_poems(tang())
    if what == "grammar":
        from solutions.capstone.grammar import stories

        return stories(20000, seed=1), stories(1000, seed=2)
    return split_tail(Path(what).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Data:
    """A text as ids: what is trained on, what is held out, and how to go back."""

    encoder: Encoder
    train: np.ndarray
    held_out: np.ndarray
    lengths: np.ndarray  # the bytes of each token
    digest: str  # SHA-256 of both texts


def prepare(train_text: str, held_out_text: str, vocab: int) -> Data:
    """Learn the tokens from the text to train on, and encode both texts with them."""
    encoder = Encoder.from_merges(train_numpy(count_words([train_text]), vocab))
    lengths = np.array([len(encoder.vocabulary[id]) for id in range(len(encoder.vocabulary))])
    train, held_out = (np.array(encoder.encode(text)) for text in (train_text, held_out_text))
    digest = hashlib.sha256(train_text.encode() + b"\0" + held_out_text.encode()).hexdigest()
    return Data(encoder, train, held_out, lengths, digest)


# --------------------------------------------------------------------------------------------------------------------
# The model, with the names and the half-split RoPE of Hugging Face, so that its weights are exported as they are
# --------------------------------------------------------------------------------------------------------------------


class Norm(nn.Module):
    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    def __init__(self, r: Recipe) -> None:
        super().__init__()
        self.d = r.dim // r.heads
        self.q_proj = nn.Linear(r.dim, r.heads * self.d, bias=False)
        self.k_proj = nn.Linear(r.dim, r.kv_heads * self.d, bias=False)
        self.v_proj = nn.Linear(r.dim, r.kv_heads * self.d, bias=False)
        self.o_proj = nn.Linear(r.heads * self.d, r.dim, bias=False)

    def forward(self, x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        B, T, _ = x.shape
        q, k, v = (f(x).view(B, T, -1, self.d).transpose(1, 2) for f in (self.q_proj, self.k_proj, self.v_proj))
        q, k = rotate(q, *turn), rotate(k, *turn)  # (B, H, T, d), (B, K, T, d)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)  # (B, H, T, d)
        return self.o_proj(out.transpose(1, 2).reshape(B, T, -1))


class Mlp(nn.Module):
    def __init__(self, r: Recipe) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(r.dim, r.hidden, bias=False)
        self.up_proj = nn.Linear(r.dim, r.hidden, bias=False)
        self.down_proj = nn.Linear(r.hidden, r.dim, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, r: Recipe) -> None:
        super().__init__()
        self.input_layernorm, self.self_attn = Norm(r.dim, r.eps), Attention(r)
        self.post_attention_layernorm, self.mlp = Norm(r.dim, r.eps), Mlp(r)

    def forward(self, x: torch.Tensor, turn: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        x = x + self.self_attn(self.input_layernorm(x), turn)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    """LLaMA with a tied head: the logits are products with the rows of the embedding."""

    def __init__(self, r: Recipe, vocab: int) -> None:
        super().__init__()
        self.recipe = r
        self.embed_tokens = nn.Embedding(vocab, r.dim)
        self.layers = nn.ModuleList(Block(r) for _ in range(r.layers))
        self.norm = Norm(r.dim, r.eps)
        d = r.dim // r.heads
        angles = torch.outer(torch.arange(r.context), r.rope_base ** (-torch.arange(0, d, 2) / d))  # (T, d/2)
        self.turn = angles.cos(), angles.sin()
        with torch.random.fork_rng():
            torch.manual_seed(r.seed)
            for name, weight in self.named_parameters():
                if weight.ndim == 2:
                    last = name.endswith(("o_proj.weight", "down_proj.weight"))  # these add to the stream
                    nn.init.normal_(weight, std=0.02 / math.sqrt(2 * r.layers) if last else 0.02)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Ids (B, T) to logits (B, T, V)."""
        turn = tuple(table[: ids.shape[1]] for table in self.turn)
        x = self.embed_tokens(ids)  # (B, T, D)
        for block in self.layers:
            x = block(x, turn)
        return F.linear(self.norm(x), self.embed_tokens.weight)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """RoPE, half-split: number i is turned together with number i + d/2."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def loss_of(model: Model, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy in nats of what the model says after each of x at the tokens y that came. Both (B, T)."""
    logits = model(x)  # (B, T, V)
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())


# --------------------------------------------------------------------------------------------------------------------
# Training
# --------------------------------------------------------------------------------------------------------------------


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal: every direction in which a matrix may change gets the same share.

    K. Jordan and others, 2024. It learns faster than AdamW here, and is meant for matrices between hidden layers only.
    """

    def __init__(self, matrices: list[nn.Parameter], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        groups: dict[torch.Size, list[nn.Parameter]] = {}
        for matrix in matrices:
            groups.setdefault(matrix.shape, []).append(matrix)  # equal shapes are treated together, for speed
        settings = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__([{"params": same} for same in groups.values()], settings)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            moved = []
            for weight in group["params"]:
                state = self.state[weight]
                average = state.setdefault("average", torch.zeros_like(weight))
                average.lerp_(weight.grad, 1 - group["momentum"])
                moved.append(weight.grad.lerp(average, group["momentum"]))
            rows, columns = moved[0].shape
            rate = group["lr"] * max(1, rows / columns) ** 0.5
            for weight, step in zip(group["params"], orthogonal(torch.stack(moved))):
                weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(step, alpha=rate)


def orthogonal(x: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """Matrices (n, rows, columns) with the same singular vectors and singular values near 1: Newton-Schulz rounds."""
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if tall else x


def muon_and_adamw(model: Model, functions: Functions = OURS) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, the AdamW of `functions` for the embedding and the norms."""
    recipe = model.recipe
    matrices = [w for name, w in model.named_parameters() if w.ndim == 2 and "embed" not in name]
    others = [w for name, w in model.named_parameters() if w.ndim == 1 or "embed" in name]
    return [
        Muon(matrices, recipe.lr, recipe.weight_decay),
        AdamW(others, recipe.lr_adamw, (0.9, 0.95), weight_decay=0.0, adamw_step=functions.adamw_step),
    ]


def rate_at(step: int, recipe: Recipe, functions: Functions = OURS) -> float:
    """The share of the learning rate: up in a line during warm-up, then down along a cosine, to a hundredth."""
    return float(functions.cosine_with_warmup(step, recipe.steps, recipe.warmup, 1.0, 0.01))


def batch_at(
    step: int, ids: np.ndarray, recipe: Recipe, functions: Functions = OURS
) -> tuple[torch.Tensor, torch.Tensor]:
    """The batch of one step, twice (B, T). It depends on the seed and the step alone, not on the steps before."""
    rng = np.random.default_rng([recipe.seed, step])
    x, y = functions.get_batch(ids, recipe.context, recipe.batch, rng)
    return torch.from_numpy(np.array(x, np.int64)), torch.from_numpy(np.array(y, np.int64))


def measure(model: Model, ids: np.ndarray, lengths: np.ndarray) -> tuple[float, float]:
    """Bits per byte and nats per token of a text, cut into windows of the length that the model was trained on.

    Each window begins with the last token of the one before, so that each token but the very first is predicted once.
    """
    T = model.recipe.context
    whole = (len(ids) - 1) // T * T
    windows = [ids[start : start + T + 1] for start in range(0, whole, T)]
    batches = [np.stack(windows[at : at + 16]) for at in range(0, len(windows), 16)]
    if len(ids) - 1 > whole:
        batches.append(ids[None, whole:])
    with torch.no_grad():
        pieces = [torch.from_numpy(batch) for batch in batches]  # (B, T + 1) each
        nats = sum(loss_of(model, p[:, :-1], p[:, 1:]).item() * p[:, 1:].numel() for p in pieces)
    return nats / math.log(2) / int(lengths[ids[1:]].sum()), nats / (len(ids) - 1)


def bits_by_token(model: Model, encoder: Encoder, text: str) -> list[tuple[bytes, float]]:
    """Each token of a short text that follows a line end, with the bits that it costs."""
    ids = torch.tensor([encoder.encode("\n" + text)])
    with torch.no_grad():
        logs = model(ids[:, :-1])[0].log_softmax(dim=-1)
    bits = -logs.gather(1, ids[0, 1:, None])[:, 0].numpy() / math.log(2)
    return [(encoder.vocabulary[id], float(cost)) for id, cost in zip(ids[0, 1:].tolist(), bits)]


def bigram_bits_per_byte(data: Data, prior: float = 100.0) -> float:
    """The same measure for a model that knows pairs of tokens only.

    p(b | a) = (count of ab + prior * p(b)) / (count of a + prior), and p(b) = (count of b + 1) / (all + V).
    """
    V, ids, held_out = len(data.lengths), data.train, data.held_out
    alone = (np.bincount(ids, minlength=V) + 1) / (len(ids) + V)
    first = np.bincount(ids[:-1], minlength=V)
    pairs = np.bincount(ids[:-1] * V + ids[1:], minlength=V * V)
    a, b = held_out[:-1], held_out[1:]
    p = (pairs[a * V + b] + prior * alone[b]) / (first[a] + prior)
    return float(-np.log2(p).sum() / data.lengths[b].sum())


def atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file beside its place and then move it there: whoever looks finds the old one or the new one, whole."""
    beside = path.with_name(path.name + ".part")
    write(beside)
    beside.replace(path)


def pretrain(
    recipe: Recipe,
    data: Data,
    saved: Path | None = None,
    save_every: int = 100,
    measure_every: int | None = None,
    report: Callable[[int, float], Any] = lambda step, loss: None,
    make_optimizers: Callable[[Model, Functions], list[torch.optim.Optimizer]] = muon_and_adamw,
    functions: Functions = OURS,
) -> tuple[Model, list[dict[str, float]]]:
    """The trained model and its learning curve. With `saved`, a file, the run can be interrupted and taken up again.

    `report` is called after each step with the number of steps done and a running mean of the loss.
    """
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if len(data.train) <= recipe.context:
        raise ValueError(f"the text has {len(data.train)} tokens, and a context of {recipe.context} needs more")
    model = Model(recipe, len(data.lengths))
    optimizers = make_optimizers(model, functions)
    peaks = [[group["lr"] for group in optimizer.param_groups] for optimizer in optimizers]
    measure_every = measure_every or max(1, recipe.steps // 24)
    sample = data.held_out[: 64 * recipe.context + 1]
    start, mean, seconds, curve = 0, math.nan, 0.0, []
    settings = {"recipe": asdict(recipe), "text": data.digest, "functions": functions.sources}

    if saved is not None and saved.exists():
        old = torch.load(saved, weights_only=True)
        if old["settings"] != settings:
            raise ValueError(f"{saved} is of a run with other settings or another text: remove it to start afresh")
        start, mean, seconds, curve = old["step"], old["mean"], old["seconds"], old["curve"]
        model.load_state_dict(old["model"])
        for optimizer, state in zip(optimizers, old["optimizers"]):
            optimizer.load_state_dict(state)

    clock = time.process_time() - seconds
    for step in range(start, recipe.steps):
        if step == 0:
            curve.append({"step": 0, "seconds": 0.0, "bits_per_byte": measure(model, sample, data.lengths)[0]})
        for optimizer, tops in zip(optimizers, peaks):
            for group, top in zip(optimizer.param_groups, tops):
                group["lr"] = top * rate_at(step, recipe, functions)
        loss = loss_of(model, *batch_at(step, data.train, recipe, functions))
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        value, done = loss.item(), step + 1
        mean = value if math.isnan(mean) else 0.98 * mean + 0.02 * value
        report(done, mean)
        if done % measure_every == 0 or done == recipe.steps:
            held_out = measure(model, sample, data.lengths)[0]
            now = round(time.process_time() - clock, 1)
            curve.append({"step": done, "seconds": now, "bits_per_byte": held_out, "loss": mean})
        if saved is not None and (done % save_every == 0 or done == recipe.steps):
            state = {
                "settings": settings,
                "step": done,
                "mean": mean,
                "seconds": time.process_time() - clock,
                "curve": curve,
                "model": model.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in optimizers],
            }
            atomically(saved, lambda path, state=state: torch.save(state, path))
    return model, curve


def sample(model: Model, encoder: Encoder, prompt: str, tokens: int, seed: int, temperature: float = 0.8) -> str:
    """The prompt and what the model makes of it. (The plain way: the cache is the LLaMA chapter's.)"""
    rng, ids = np.random.default_rng(seed), encoder.encode(prompt)
    with torch.no_grad():
        for _ in range(tokens):
            logits = model(torch.tensor([ids[-model.recipe.context :]]))[0, -1].double().numpy() / temperature
            p = np.exp(logits - logits.max())
            ids.append(int(rng.choice(len(p), p=p / p.sum())))
    return encoder.decode(ids)


# --------------------------------------------------------------------------------------------------------------------
# Export
# --------------------------------------------------------------------------------------------------------------------


def weights_of(model: Model) -> dict[str, np.ndarray]:
    """What is exported: Hugging Face's names, float16."""
    return {f"model.{name}": w.detach().numpy().astype(np.float16) for name, w in model.state_dict().items()}


def safetensors(tensors: dict[str, np.ndarray]) -> bytes:
    """The file format: the header's length in eight bytes, the header in JSON, the numbers."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F16", "shape": tensor.shape, "data_offsets": [end, end + tensor.nbytes]}
        end += tensor.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(tensor.tobytes() for tensor in tensors.values())


def reload(folder: Path) -> Model:
    """The model of an exported folder, in PyTorch again."""
    recipe = Recipe(**json.loads((folder / "made.json").read_text(encoding="utf-8"))["recipe"])
    packed = (folder / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(packed[:8], "little")
    weights = {}
    for name, said in json.loads(packed[8:start]).items():
        if name != "__metadata__":
            begin, end = said["data_offsets"]
            numbers = np.frombuffer(packed[start + begin : start + end], "<f2").reshape(said["shape"])
            weights[name.removeprefix("model.")] = torch.from_numpy(numbers.astype(np.float32))
    model = Model(recipe, len(weights["embed_tokens.weight"]))
    model.load_state_dict(weights)
    return model


def hugging_face_config(r: Recipe, vocab: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": r.dim,
        "intermediate_size": r.hidden,
        "num_hidden_layers": r.layers,
        "num_attention_heads": r.heads,
        "num_key_value_heads": r.kv_heads,
        "head_dim": r.dim // r.heads,
        "vocab_size": vocab,
        "max_position_embeddings": r.context,
        "rope_theta": r.rope_base,
        "rms_norm_eps": r.eps,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": None,
        "eos_token_id": None,
        "torch_dtype": "float16",
    }


def hugging_face_tokenizer(encoder: Encoder) -> dict[str, Any]:
    """What Hugging Face's `tokenizers` reads. Its ByteLevel splits as GPT-2 does, which is the pattern of the tokenization chapter."""
    printable = byte_to_unicode()
    written = {id: "".join(printable[byte] for byte in token) for id, token in encoder.vocabulary.items()}
    pairs = [(ord(pair[0]), ord(pair[1])) for pair in encoder.rank]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: id for id, token in written.items()},
            "merges": [f"{written[a]} {written[b]}" for a, b in pairs],
        },
    }


def export(folder: Path, model: Model, data: Data, made: dict[str, Any]) -> dict[str, Any]:
    """Write the folder, and return its record, measured on the float16 weights that were written."""
    weights = weights_of(model)
    rounded = Model(model.recipe, len(data.lengths))
    rounded.load_state_dict({name[6:]: torch.from_numpy(w.astype(np.float32)) for name, w in weights.items()})
    bits, nats = measure(rounded, data.held_out, data.lengths)
    packed = safetensors(weights)
    made = made | {
        "parameters": sum(w.size for w in weights.values()),
        "train_tokens": len(data.train),
        "train_bytes": int(data.lengths[data.train].sum()),
        "held_out_tokens": len(data.held_out),
        "held_out_bytes": int(data.lengths[data.held_out].sum()),
        "text_sha256": data.digest,
        "weights_sha256": hashlib.sha256(packed).hexdigest(),
        "bits_per_byte": bits,
        "nats_per_token": nats,
        "bigram_bits_per_byte": bigram_bits_per_byte(data),
    }
    made["samples"] = [
        {"prompt": prompt, "seed": seed, "temperature": 0.8, "text": sample(rounded, data.encoder, prompt, 160, seed)}
        for seed, prompt in enumerate(made.pop("prompts"), 1)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    config = hugging_face_config(model.recipe, len(data.lengths))
    tokenizer = json.dumps(hugging_face_tokenizer(data.encoder), ensure_ascii=False, separators=(",", ":"))
    for name, content in {
        "model.safetensors": packed,
        "tokenizer.json": tokenizer.encode(),
        "config.json": (json.dumps(config, indent=1) + "\n").encode(),
        "made.json": (json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode(),
    }.items():
        atomically(folder / name, lambda path, content=content: path.write_bytes(content))
    return made


# --------------------------------------------------------------------------------------------------------------------
# The command
# --------------------------------------------------------------------------------------------------------------------

PROMPTS = {
    "austen": ["It is a truth", '"Oh!" said Emma', "CHAPTER 1\n\n\n"],
    "tang": ["春望\n杜甫\n", "靜夜思\n李白\n", "明月"],
    "grammar": ["One day", "Once upon a time"],
}
STEPS_BETWEEN_LINES = 100  # where the output is a file, which cannot show a bar


def main(
    what: Annotated[str, typer.Argument(help="austen, tang, grammar, or a text file in UTF-8")],
    out: Annotated[Path | None, typer.Option(help="folder to write  [default: trained/NAME]")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="more steps: better, and longer")] = None,
    vocab: Annotated[int | None, typer.Option(min=256, help="tokens")] = None,
    dim: Annotated[int | None, typer.Option(min=8, help="width; a multiple of twice the number of heads")] = None,
    layers: Annotated[int | None, typer.Option(min=1)] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    notebook: Annotated[
        Path | None, typer.Option("--from", help="your notebook: its get_batch, cosine_with_warmup and adamw_step")
    ] = None,
) -> None:
    """Train a small LLaMA on a text and export it. Interrupted, the same command goes on where it stopped."""
    console = Console()
    if what not in RECIPES and not Path(what).is_file():
        raise typer.BadParameter(f"{what!r} is neither one of {', '.join(RECIPES)} nor a file")
    name = what if what in RECIPES else Path(what).stem
    changes = {"steps": steps, "vocab": vocab, "dim": dim, "layers": layers, "seed": seed}
    changed = {key: value for key, value in changes.items() if value is not None}
    if dim is not None:
        changed["hidden"] = 8 * dim // 3 // 8 * 8
    if steps is not None:
        changed["warmup"] = max(1, min(100, steps // 20))
    recipe = replace(RECIPES.get(what, RECIPES["austen"]), **changed)
    if recipe.dim % (2 * recipe.heads):
        raise typer.BadParameter(f"--dim {recipe.dim} must be a multiple of {2 * recipe.heads}")
    try:
        functions = from_notebook(notebook, partial(console.print, markup=False, highlight=False)) if notebook else OURS
    except ChatError as error:
        raise typer.BadParameter(str(error)) from None
    folder = out or Path("trained", name)
    folder.mkdir(parents=True, exist_ok=True)
    saved = folder / "unfinished.pt"

    console.print(f"{what}: learning {recipe.vocab:,} tokens and encoding …", highlight=False)
    data = prepare(*texts_of(what), recipe.vocab)
    console.print(f"{len(data.train):,} tokens to train on, {len(data.held_out):,} held out", highlight=False)
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()]
    columns += [TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()]
    clock = time.monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task, begun = progress.add_task("loss", total=recipe.steps), False

        def report(done: int, loss: float) -> None:
            nonlocal begun
            if not begun:  # where a run goes on, what was done before says nothing about the speed
                progress.reset(task, completed=done)
                begun = True
            progress.update(task, completed=done, description=f"loss {loss:.3f}")
            if not console.is_terminal and done % STEPS_BETWEEN_LINES == 0:
                seconds = time.monotonic() - clock
                console.print(f"{done}/{recipe.steps} loss {loss:.3f} {seconds:.0f} s", highlight=False)

        try:
            model, curve = pretrain(recipe, data, saved, report=report, functions=functions)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        except KeyboardInterrupt:
            console.print("stopped: the same command goes on from the last save", highlight=False)
            raise typer.Exit(130) from None
    console.print("measuring on what was held out …", highlight=False)
    options = "".join(f" --{key} {value}" for key, value in changes.items() if value is not None)
    made = {
        "command": f"python -m solutions.capstone.pretrain {what if what in RECIPES else Path(what).name}{options}",
        "recipe": asdict(recipe),
        "functions": functions.sources,
        "cpu_seconds": curve[-1]["seconds"],
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "curve": curve,
        "prompts": PROMPTS.get(what, [data.encoder.decode(data.held_out[:4])]),
    }
    made = export(folder, model, data, made)
    saved.unlink()
    console.print(
        f"{made['parameters']:,} parameters, {made['bits_per_byte']:.3f} bits per byte "
        f"(pairs of tokens: {made['bigram_bits_per_byte']:.3f}) in {made['cpu_seconds']:.0f} s: {folder}",
        highlight=False,
    )
    for text in made["samples"]:
        console.print("\n" + text["text"], markup=False, highlight=False)


if __name__ == "__main__":
    typer.run(main)
