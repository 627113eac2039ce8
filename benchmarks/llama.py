"""How fast does it write? Tokens a second of ours and of its peers, on the same random weights, in one run.

    python -m benchmarks.llama               twenty minutes on a quiet machine; writes benchmarks/results/llama.json
    python -m benchmarks.llama --quick       half a minute: the small shapes, one round: shows that it works, no more
    python -m benchmarks.llama --threads 2   on the clock, not in CPU seconds

The shapes are those of llama2.c's story models. Reading a prompt (prefill) and writing on (decode) are timed apart, one
text and eight at once. All write greedily after the same prompt, and what each writes is compared with ours, token by
token, before its time is believed. They take turns, and medians are given, in CPU seconds of this process.

Writing reads every weight once for each token, so the memory sets a bound: the time for reading all weights once. The
time for the products alone, by NumPy's BLAS and with nothing between them, is given beside it.

The peers: the clear model of the notebook; what ports to NumPy do when they let NumPy choose (tables and caches in
float64, which then spreads to all that they touch; a cache that is joined anew for each token), written anew; plain
PyTorch with a cache of fixed size; Hugging Face's LlamaForCausalLM. Then ours in each layout of the weights, and the
steps from the slowest to ours, in order.
"""

import os
import sys

WORDS = " ".join(sys.argv).replace("=", " ").split()
THREADS = next((WORDS[at + 1] for at, word in enumerate(WORDS[:-1]) if word == "--threads"), "1")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # before the libraries are loaded
    os.environ[name] = THREADS
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import gc
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import transformers
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from threadpoolctl import threadpool_info
from torch.nn import functional

from solutions.llama.checkpoints import Config
from solutions.llama.fast import Llama
from solutions.llama.layouts import FASTEST, LAYOUTS
from solutions.llama.model import Model as Notebook

RESULTS = Path(__file__).parent / "results" / "llama.json"
SHAPES = {
    "260K": Config(dim=64, hidden=172, layers=5, heads=8, kv_heads=4, vocab=512, max_len=512, tied=True),
    "15M": Config(dim=288, hidden=768, layers=6, heads=6, kv_heads=6, vocab=32_000, max_len=256, tied=True),
    "110M": Config(dim=768, hidden=2048, layers=12, heads=12, kv_heads=12, vocab=32_000, max_len=1024, tied=True),
}
BATCH = 8
PROMPT = 128
ENOUGH = 60  # seconds: what has taken so long does not take another turn
Array = np.ndarray


def random_weights(config: Config) -> dict[str, Any]:
    """Weights whose products keep the size of what they are given, so that no logit stands out and none overflows."""
    rng = np.random.default_rng(0)

    def matrix(rows: int, columns: int) -> Array:
        return rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(rows**0.5)

    D, F, kv = config.dim, config.hidden, config.kv_heads * config.head_dim
    shapes = {"Wq": (D, D), "Wk": (D, kv), "Wv": (D, kv), "Wo": (D, D), "Wg": (D, F), "Wu": (D, F), "Wd": (F, D)}
    ones = np.ones(D, np.float32)
    embed = rng.standard_normal((config.vocab, D), dtype=np.float32)
    blocks = [
        {"attn_norm": ones, "mlp_norm": ones} | {name: matrix(*shape) for name, shape in shapes.items()}
        for _ in range(config.layers)
    ]
    return {"embed": embed, "blocks": blocks, "norm": ones, "head": embed.T}


# --------------------------------------------------------------------------------------------------------------------
# Who takes part: `read` a prompt (B, T), then `write` ids (B,), each giving logits (B, V)
# --------------------------------------------------------------------------------------------------------------------


class Ours:
    """solutions/llama/fast.py, in the layout that it takes for the fastest, or in the one that is given."""

    def __init__(self, config: Config, weights: dict[str, Any], layout: str = FASTEST) -> None:
        self.llama = Llama(config, weights, layout)

    def read(self, ids: Array) -> Array:
        logits, self.caches = self.llama.prefill_batch(ids)
        return logits

    def write(self, ids: Array) -> Array:
        if len(ids) > 1:
            return self.llama.step_batch(ids, self.caches)
        return self.llama.step(int(ids[0]), self.caches[0])[None]


class Clear:
    """What a student writes in the notebook."""

    def __init__(self, config: Config, weights: dict[str, Any]) -> None:
        self.model = Notebook(config, weights)

    def read(self, ids: Array) -> Array:
        logits, self.past = self.model.step(ids)
        return logits

    def write(self, ids: Array) -> Array:
        logits, self.past = self.model.step(ids[:, None], self.past)
        return logits


class Steps:
    """The same in plain NumPy, with each habit to be chosen."""

    def __init__(
        self,
        config: Config,
        weights: dict[str, Any],
        float64: bool = False,
        room: bool = False,
        fused: bool = False,
        by_input: bool = False,
        last_only: bool = False,
        by_row: bool = False,
    ) -> None:
        self.config, self.room, self.fused, self.last_only, self.by_row = config, room, fused, last_only, by_row
        d = config.head_dim
        angles = np.outer(np.arange(config.max_len), config.rope_base ** (-np.arange(0, d, 2) / d))
        self.kind = np.float64 if float64 else np.float32
        self.cos, self.sin = np.cos(angles).astype(self.kind), np.sin(angles).astype(self.kind)

        made = weights.setdefault("made", {})  # copies that others can use too

        def laid(names: tuple[str, ...], parts: Mapping[str, Array], layer: int = -1) -> Array:
            key = (layer, names, by_input)
            if key not in made:
                W = np.hstack([parts[name] for name in names])
                made[key] = np.ascontiguousarray(W) if by_input else np.ascontiguousarray(W.T).T
            return made[key]

        self.embed, self.norm, self.head = weights["embed"], weights["norm"], laid(("head",), weights)
        groups = [("Wq", "Wk", "Wv"), ("Wg", "Wu")] if fused else [(name,) for name in ("Wq", "Wk", "Wv", "Wg", "Wu")]
        groups += [("Wo",), ("Wd",)]
        self.blocks = [
            block | {"".join(group): laid(group, block, layer) for group in groups}
            for layer, block in enumerate(weights["blocks"])
        ]

    def normed(self, x: Array, gain: Array) -> Array:
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.config.eps) * gain

    def turned(self, x: Array, P: int) -> Array:
        T = x.shape[1]
        cos, sin = self.cos[P : P + T, None], self.sin[P : P + T, None]
        out = np.empty(x.shape, np.result_type(x, cos))
        even, odd = x[..., 0::2], x[..., 1::2]
        out[..., 0::2], out[..., 1::2] = even * cos - odd * sin, even * sin + odd * cos
        return out

    def kept(self, layer: int, name: str, new: Array, P: int) -> Array:
        """All keys or values up to the new ones: joined anew each time, or in an array with room for all."""
        if not self.room:
            self.cache[layer, name] = np.concatenate([self.cache[layer, name], new], axis=1) if P else new
            return self.cache[layer, name]
        if P == 0:
            self.cache[layer, name] = np.empty((len(new), self.config.max_len, *new.shape[2:]), self.kind)
        self.cache[layer, name][:, P : P + new.shape[1]] = new
        return self.cache[layer, name][:, : P + new.shape[1]]

    def product(self, x: Array, W: Array) -> Array:
        """x @ W; for a single x, as a dot product for each output if so wished."""
        if self.by_row and x.size == x.shape[-1]:
            return np.vecdot(W.T, x.reshape(-1)).reshape(*x.shape[:-1], -1)
        return x @ W

    def forward(self, ids: Array) -> Array:
        config, P = self.config, self.length
        H, K, d, F = config.heads, config.kv_heads, config.head_dim, config.hidden
        B, T = ids.shape
        x = self.embed[ids]  # (B, T, D)
        for layer, block in enumerate(self.blocks):
            h = self.normed(x, block["attn_norm"])
            if self.fused:
                q, k, v = np.split(self.product(h, block["WqWkWv"]), [H * d, (H + K) * d], axis=-1)
            else:
                q, k, v = self.product(h, block["Wq"]), self.product(h, block["Wk"]), self.product(h, block["Wv"])
            q, k, v = q.reshape(B, T, H, d), k.reshape(B, T, K, d), v.reshape(B, T, K, d)
            q, k = self.turned(q, P), self.turned(k, P)
            keys = np.repeat(self.kept(layer, "k", k, P), H // K, axis=2) if K < H else self.kept(layer, "k", k, P)
            values = np.repeat(self.kept(layer, "v", v, P), H // K, axis=2) if K < H else self.kept(layer, "v", v, P)
            scores = q.transpose(0, 2, 1, 3) @ keys.transpose(0, 2, 3, 1) / np.float32(d**0.5)  # (B, H, T, P + T)
            if T > 1:
                scores += np.triu(np.full((T, P + T), -np.inf, np.float32), P + 1)
            e = np.exp(scores - scores.max(axis=-1, keepdims=True))
            heads = e / e.sum(axis=-1, keepdims=True) @ values.transpose(0, 2, 1, 3)
            x = x + self.product(heads.transpose(0, 2, 1, 3).reshape(B, T, H * d), block["Wo"])
            h = self.normed(x, block["mlp_norm"])
            if self.fused:
                gate, up = np.split(self.product(h, block["WgWu"]), [F], axis=-1)
            else:
                gate, up = self.product(h, block["Wg"]), self.product(h, block["Wu"])
            x = x + self.product(gate / (1 + np.exp(-gate)) * up, block["Wd"])
        self.length += T
        if self.last_only:
            x = x[:, -1:]
        return self.product(self.normed(x, self.norm), self.head)[:, -1]

    def read(self, ids: Array) -> Array:
        self.length, self.cache = 0, {}
        return self.forward(ids)

    def write(self, ids: Array) -> Array:
        return self.forward(ids[:, None])


class OneByOne(Steps):
    """A prompt token by token."""

    def read(self, ids: Array) -> Array:
        self.length, self.cache = 0, {}
        for column in ids.T:
            logits = self.forward(column[:, None])
        return logits


class Torch:
    """Plain PyTorch: a cache of fixed size, its own fused attention and norm, RoPE on complex numbers."""

    def __init__(self, config: Config, weights: dict[str, Any]) -> None:
        self.config = config
        d = config.head_dim
        angles = np.outer(np.arange(config.max_len), config.rope_base ** (-np.arange(0, d, 2) / d))
        self.turns = torch.from_numpy(np.exp(1j * angles).astype(np.complex64))

        def outputs_first(W: Array) -> torch.Tensor:  # as torch.nn.Linear holds them
            return torch.from_numpy(np.ascontiguousarray(W.T))

        self.embed = torch.from_numpy(weights["embed"])
        self.norm, self.head = torch.from_numpy(weights["norm"]), outputs_first(weights["head"])
        self.blocks = []
        for block in weights["blocks"]:
            qkv = outputs_first(np.hstack([block["Wq"], block["Wk"], block["Wv"]]))
            gu = outputs_first(np.hstack([block["Wg"], block["Wu"]]))
            norms = torch.from_numpy(block["attn_norm"]), torch.from_numpy(block["mlp_norm"])
            self.blocks.append((*norms, qkv, outputs_first(block["Wo"]), gu, outputs_first(block["Wd"])))

    @torch.inference_mode()
    def forward(self, ids: torch.Tensor) -> Array:
        config, P = self.config, self.length
        H, K, d, F = config.heads, config.kv_heads, config.head_dim, config.hidden
        B, T = ids.shape
        x = self.embed[ids]
        turns = self.turns[P : P + T, None]
        for layer, (attn_norm, mlp_norm, Wqkv, Wo, Wgu, Wd) in enumerate(self.blocks):
            h = functional.rms_norm(x, (config.dim,), attn_norm, config.eps)
            qkv = functional.linear(h, Wqkv).view(B, T, H + 2 * K, d)
            turned = torch.view_as_complex(qkv[:, :, : H + K].reshape(B, T, H + K, d // 2, 2)) * turns
            q, k = torch.view_as_real(turned).reshape(B, T, H + K, d).split([H, K], dim=2)
            keys, values = self.cache[layer]
            keys[:, :, P : P + T], values[:, :, P : P + T] = k.transpose(1, 2), qkv[:, :, H + K :].transpose(1, 2)
            heads = functional.scaled_dot_product_attention(
                q.transpose(1, 2), keys[:, :, : P + T], values[:, :, : P + T], is_causal=T > 1, enable_gqa=K < H
            )
            x = x + functional.linear(heads.transpose(1, 2).reshape(B, T, H * d), Wo)
            gate, up = functional.linear(functional.rms_norm(x, (config.dim,), mlp_norm, config.eps), Wgu).split(F, -1)
            x = x + functional.linear(functional.silu(gate) * up, Wd)
        self.length += T
        return functional.linear(functional.rms_norm(x[:, -1], (config.dim,), self.norm, config.eps), self.head).numpy()

    def read(self, ids: Array) -> Array:
        config, self.length = self.config, 0
        shape = (2, len(ids), config.kv_heads, config.max_len, config.head_dim)
        self.cache = [torch.empty(shape) for _ in range(config.layers)]
        return self.forward(torch.from_numpy(ids))

    def write(self, ids: Array) -> Array:
        return self.forward(torch.from_numpy(ids[:, None]))


class HuggingFace:
    """transformers' LlamaForCausalLM."""

    def __init__(self, config: Config, weights: dict[str, Any]) -> None:
        shape = transformers.LlamaConfig(
            hidden_size=config.dim,
            intermediate_size=config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            vocab_size=config.vocab,
            max_position_embeddings=config.max_len,
            rope_theta=config.rope_base,
            rms_norm_eps=config.eps,
            tie_word_embeddings=config.tied,
        )

        def on_halves(W: Array) -> Array:  # RoPE on neighbours -> on halves
            rows = W.T.reshape(-1, config.head_dim // 2, 2, config.dim).swapaxes(1, 2)
            return rows.reshape(W.shape[::-1]).T

        state = {"model.embed_tokens.weight": weights["embed"], "model.norm.weight": weights["norm"]}
        for layer, block in enumerate(weights["blocks"]):
            for name, there, change in (
                ("attn_norm", "input_layernorm", np.asarray),
                ("Wq", "self_attn.q_proj", on_halves),
                ("Wk", "self_attn.k_proj", on_halves),
                ("Wv", "self_attn.v_proj", np.asarray),
                ("Wo", "self_attn.o_proj", np.asarray),
                ("mlp_norm", "post_attention_layernorm", np.asarray),
                ("Wg", "mlp.gate_proj", np.asarray),
                ("Wu", "mlp.up_proj", np.asarray),
                ("Wd", "mlp.down_proj", np.asarray),
            ):
                state[f"model.layers.{layer}.{there}.weight"] = change(block[name]).T
        self.model = transformers.LlamaForCausalLM(shape).eval()
        tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()}
        self.model.load_state_dict(tensors, strict=False)
        self.model.tie_weights()

    @torch.inference_mode()
    def forward(self, ids: torch.Tensor) -> Array:
        said = self.model(ids, past_key_values=self.past, use_cache=True, logits_to_keep=1)
        self.past = said.past_key_values
        return said.logits[:, -1].numpy()

    def read(self, ids: Array) -> Array:
        self.past = None
        return self.forward(torch.from_numpy(ids))

    def write(self, ids: Array) -> Array:
        return self.forward(torch.from_numpy(ids[:, None]))


OURS, PORTS, NOTEBOOK, PYTORCH, HF = "ours", "habits of ports", "the notebook's", "PyTorch", "Hugging Face"
TOOLS: dict[str, Callable[[Config, dict[str, Any]], Any]] = {
    OURS: Ours,
    NOTEBOOK: Clear,
    PORTS: lambda config, weights: Steps(config, weights, float64=True),
    PYTORCH: Torch,
    HF: HuggingFace,
}
# Ours in each layout that it may take.
FORCED: dict[str, Callable[[Config, dict[str, Any]], Any]] = {name: partial(Ours, layout=name) for name in LAYOUTS}
# Each step with those before it. The last is ours.
LADDER: dict[str, Callable[[Config, dict[str, Any]], Any]] = {
    "float64 slips in": lambda config, weights: OneByOne(config, weights, float64=True),
    "float32 everywhere": lambda config, weights: OneByOne(config, weights),
    "cache with room": lambda config, weights: OneByOne(config, weights, room=True),
    "prompt as one matrix": lambda config, weights: Steps(config, weights, room=True),
    "logits of the last only": lambda config, weights: Steps(config, weights, room=True, last_only=True),
    "fused projections": lambda config, weights: Steps(config, weights, room=True, last_only=True, fused=True),
    "weights by input, x @ W": lambda config, weights: Steps(
        config, weights, room=True, last_only=True, fused=True, by_input=True
    ),
    "by output, a dot product each": lambda config, weights: Steps(
        config, weights, room=True, last_only=True, fused=True, by_row=True
    ),
    "few calls (ours)": Ours,
}

# --------------------------------------------------------------------------------------------------------------------
# Measuring
# --------------------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """One tool on one shape: tokens a second, of all texts together."""

    group: str  # peers or steps
    shape: str
    tool: str
    batch: int
    prefill: float
    decode: float
    prefill_runs: list[float]
    decode_runs: list[float]
    tokens: int  # written in each run by the one that wrote least
    same_as_ours: bool


clock = time.process_time if THREADS == "1" else time.perf_counter


@dataclass
class Run:
    """What one turn of one tool gave."""

    prefill: float = 0.0  # seconds a token
    decode: float = 0.0
    written: list[list[int]] = field(default_factory=list)


def turn(tool: Any, prompt: Array, most: int, seconds: float) -> Run:
    """Read the prompt, then write greedily: so many tokens, or until the time is over, but three at least."""
    run = Run()
    gc.collect()
    start = clock()
    logits = tool.read(prompt)
    run.prefill = (clock() - start) / prompt.size
    ids = logits.argmax(axis=-1)
    run.written.append(ids.tolist())
    start, steps = clock(), 0
    while steps < most and (steps < 3 or clock() - start < seconds):
        ids = tool.write(ids).argmax(axis=-1)
        run.written.append(ids.tolist())
        steps += 1
    run.decode = (clock() - start) / (steps * len(prompt))
    return run


def agree(mine: Sequence[list[int]], ours: Sequence[list[int]]) -> bool:
    return all(a == b for a, b in zip(mine, ours, strict=False))


READ, PRODUCT = "reading the weights once", "the products alone"


class Bound:
    """Seconds for going through the weights once: multiplying with them, and reading them, the fastest way of three.

    Some CPUs read several rows at once faster than one straight line. So the products count as a way of reading, too.
    It takes its turns with the tools: what neighbours leave of the memory's speed changes from minute to minute.
    """

    def __init__(self, llama: Llama) -> None:
        memory = llama.memory
        matrices = [*(matrix for block in llama.blocks for matrix in block), llama.head]
        shapes = [matrix.shape[::-1] if llama.layout.name == "columns" else matrix.shape for matrix in matrices]
        x = np.ones(max(inputs for _, inputs in shapes), np.float32)
        outs = [np.empty(outputs, np.float32) for outputs, _ in shapes]

        def products() -> None:
            for matrix, (_, inputs), out in zip(matrices, shapes, outs, strict=True):
                llama.product(matrix, x[:inputs], out=out)

        self.ways: dict[str, Callable[[], object]] = {
            PRODUCT: products,
            "dot": lambda: np.dot(memory, memory),
            "max": lambda: np.maximum.reduce(memory),
        }
        self.repeats = max(1, int(3e8 / memory.nbytes))
        self.times: dict[str, list[float]] = {name: [] for name in self.ways}

    def take_turn(self) -> None:
        for name, way in self.ways.items():
            way()  # as a tool's first token: what another one left in the cache is gone
            start = clock()
            for _ in range(self.repeats):
                way()
            self.times[name].append((clock() - start) / self.repeats)

    def seconds(self) -> dict[str, float]:
        medians = {name: statistics.median(times) for name, times in self.times.items()}
        return {READ: min(medians.values()), PRODUCT: medians[PRODUCT]}


def measure(
    group: str,
    shape: str,
    tools: dict[str, Any],
    ours: Any,
    batch: int,
    rounds: int,
    limits: tuple[int, int, float],
    tick: Callable[[str], None],
    bound: Bound | None = None,
) -> list[Row]:
    """All tools in turn, and the bound before and after ours."""
    prompt_length, most, seconds = limits
    config = SHAPES[shape]
    prompt = np.random.default_rng(1).integers(config.vocab, size=(batch, prompt_length))
    expected = turn(ours, prompt, most, seconds=1e9).written
    runs: dict[str, list[Run]] = {tool: [] for tool in tools}
    for tool in tools.values():  # once before, so that all is loaded
        turn(tool, prompt[:, :8], 3, 0)
    spent = dict.fromkeys(tools, 0.0)
    for _ in range(rounds):
        for name, tool in tools.items():
            if bound is not None and tool is ours:
                bound.take_turn()
            if spent[name] < ENOUGH:
                start = clock()
                runs[name].append(turn(tool, prompt, most, seconds))
                spent[name] += clock() - start
            if bound is not None and tool is ours:
                bound.take_turn()
            tick(f"{shape}, {batch} at once: {name}")
    return [
        Row(
            group,
            shape,
            name,
            batch,
            1 / statistics.median(run.prefill for run in several),
            1 / statistics.median(run.decode for run in several),
            [1 / run.prefill for run in several],
            [1 / run.decode for run in several],
            min(len(run.written) for run in several),
            all(agree(run.written, expected) for run in several),
        )
        for name, several in runs.items()
    ]


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    cpus = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    pools = threadpool_info()
    blas = [f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip() for pool in pools]
    return {
        "cpu": cpus[0] if cpus else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": blas,
        "torch": torch.__version__,
        "transformers": version("transformers"),
        "threads": int(THREADS),
        "clock": "CPU seconds" if THREADS == "1" else "seconds",
        "date": date.today().isoformat(),
    }


# --------------------------------------------------------------------------------------------------------------------
# Telling
# --------------------------------------------------------------------------------------------------------------------


class Rows(list[Row]):
    def row(self, shape: str, tool: str, batch: int = 1) -> Row:
        return next(row for row in self if (row.group, row.shape, row.tool, row.batch) == ("peers", shape, tool, batch))


def targets(rows: Rows, bounds: dict[str, dict[str, float]], taken: dict[str, str]) -> list[dict[str, Any]]:
    """What we set out to reach, and what was measured."""
    goals: list[dict[str, Any]] = []

    def goal(what: str, least: float, measured: float) -> None:
        goals.append({"target": f"{what} ≥ {least:g}", "measured": measured, "met": measured >= least})

    for shape in ("15M", "110M"):
        ours, torches = rows.row(shape, OURS), rows.row(shape, PYTORCH)
        goal(f"{shape} decode / {READ}", 0.85, ours.decode / bounds[shape][READ])
        goal(f"{shape} decode / PyTorch", 1, ours.decode / torches.decode)
        best = max(row.decode for row in rows if (row.group, row.shape) == ("layouts", shape))
        chosen = next(row for row in rows if (row.group, row.shape, row.tool) == ("layouts", shape, taken[shape]))
        goal(f"{shape} the layout that was chosen / the best", 0.97, chosen.decode / best)
        goal(f"{shape} decode / {PORTS}", 15, ours.decode / rows.row(shape, PORTS).decode)
        goal(f"{shape} prefill / PyTorch", 0.9, ours.prefill / torches.prefill)
        batch = rows.row(shape, OURS, BATCH).decode / rows.row(shape, PYTORCH, BATCH).decode
        goal(f"{shape} decode, batch {BATCH} / PyTorch", 1.0, batch)
    return goals


def show(console: Console, rows: Rows, bounds: dict[str, dict[str, float]], goals: list[dict[str, Any]]) -> None:
    shapes = list(bounds)

    def figure(number: float) -> str:
        return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"

    for group, title in (("peers", "Tokens a second"), ("layouts", "Ours in each layout"), ("steps", "Step by step")):
        for batch in sorted({row.batch for row in rows if row.group == group}):
            columns = [f"{shape}\n{what}" for shape in shapes for what in ("prefill", "decode")]
            several = f", {batch} texts at once, all together" if batch > 1 else ""
            table = Table("", *columns, title=f"{title}{several}", title_justify="left")
            if group == "peers" and batch == 1:
                for name in (READ, PRODUCT):
                    table.add_row(name, *(cell for shape in shapes for cell in ("", figure(bounds[shape][name]))))
            for tool in dict.fromkeys(row.tool for row in rows if (row.group, row.batch) == (group, batch)):
                cells = []
                for shape in shapes:
                    key = (group, shape, tool, batch)
                    row = next(row for row in rows if (row.group, row.shape, row.tool, row.batch) == key)
                    wrong = "" if row.same_as_ours else " (other text!)"
                    cells += [figure(row.prefill), figure(row.decode) + wrong]
                table.add_row(tool, *cells)
            console.print(table)
    if goals:
        told = Table("target", "measured", "", title="Targets", title_justify="left")
        for goal in goals:
            told.add_row(goal["target"], f"{goal['measured']:.2f}", "met" if goal["met"] else "missed")
        console.print(told)


def main(
    quick: Annotated[bool, typer.Option(help="The small shapes, one round: shows that it works.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="260K, 15M or 110M; may be given again.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each takes its turn.")] = 5,
    threads: Annotated[int, typer.Option(min=1, help="For BLAS and PyTorch; with more than one, by the clock.")] = 1,
    out: Annotated[Path, typer.Option(help="Where to write the results.")] = RESULTS,
) -> None:
    """Tokens a second of the fast LLaMA and of its peers, in turn, on the same weights."""
    torch.set_num_threads(threads)
    transformers.utils.logging.disable_progress_bar()
    facts = machine()
    shapes = [shape for shape in SHAPES if shape in (only or (["260K", "15M"] if quick else SHAPES))]
    rounds = 1 if quick else rounds
    console = Console(width=None if Console().is_terminal else 120)
    rows, bounds, weights_bytes, layouts = Rows(), {}, {}, {}
    with Progress(
        TextColumn("{task.description:<44}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        task = progress.add_task("", total=len(shapes) * rounds * (2 * len(TOOLS) + len(FORCED) + len(LADDER)))

        def tick(description: str) -> None:
            progress.update(task, description=description, advance=1)

        for shape in shapes:
            config = SHAPES[shape]
            weights = random_weights(config)
            ours = Ours(config, weights)
            bound = Bound(ours.llama)
            weights_bytes[shape] = ours.llama.memory.nbytes
            layouts[shape] = ours.llama.layout
            limits = (16, 8, 0.5) if quick else (PROMPT, 100, 4.0)
            tools = {name: ours if make is Ours else make(config, weights) for name, make in TOOLS.items()}
            for batch in (1, BATCH):
                rows += measure("peers", shape, tools, ours, batch, rounds, limits, tick, bound if batch == 1 else None)
            bounds[shape] = {name: 1 / seconds for name, seconds in bound.seconds().items()}
            del tools
            forced = {name: make(config, weights) for name, make in FORCED.items()}
            rows += measure("layouts", shape, forced, ours, 1, rounds, limits, tick)
            del forced
            steps = {name: ours if make is Ours else make(config, weights) for name, make in LADDER.items()}
            rows += measure("steps", shape, steps, ours, 1, rounds, limits, tick)
            del steps

    goals = [] if quick or only else targets(rows, bounds, {shape: layout.name for shape, layout in layouts.items()})
    facts["load_after"] = os.getloadavg()[0]
    out.parent.mkdir(parents=True, exist_ok=True)
    results = {
        "quick": quick,
        "rounds": rounds,
        "machine": facts,
        "shapes": {shape: asdict(SHAPES[shape]) for shape in shapes},
        "bound_tokens_per_second": bounds,
        "weights_bytes": weights_bytes,
        "layouts": {shape: str(layout) for shape, layout in layouts.items()},
        "targets": goals,
        "rows": [asdict(row) for row in rows],
    }
    out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load_before']:.1f} before and {facts['load_after']:.1f} "
        f"after; {threads} thread(s), {facts['clock']}; Python {facts['python']}, NumPy {facts['numpy']} "
        f"({', '.join(facts['blas']) or 'no BLAS'}), PyTorch {facts['torch']}, transformers {facts['transformers']}; "
        f"{facts['date']}"
    )
    for shape, layout in layouts.items():
        console.print(f"{shape}: {layout}")
    show(console, rows, bounds, goals)


if __name__ == "__main__":
    typer.run(main)
