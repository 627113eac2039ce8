"""What each part of a small LLaMA is worth: norms, rotation, gate and AdamW, each taken away alone.

    make experiments                           these after the classification chapter's; they go on where they stopped
    python -m benchmarks.ablations             these alone: four minutes of one core
    python -m benchmarks.ablations --list      what there is, and how much of it is done

The model is the capstone's (`solutions/capstone/pretrain.py`), trained for 200 steps on stories from a grammar whose
entropy is known, so that each curve can be held against a floor that no model goes below. AdamW is the exercise's and
moves all the weights; gradients are clipped to a length of 1. Whatever is taken away, the learning rate is chosen anew
among three, with the first of the seeds. Where the gate is taken away, the network becomes wider, so that
the number of weights stays what it was; nothing else is tuned, and the starting weights are those of the whole model.

Each run is kept in benchmarks/results/ablations.json: its curve on held-out stories, the length of its gradient before
clipping, what it writes. The file is written anew after each run.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import ast
import hashlib
import inspect
import json
import platform
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.nn.functional as F  # noqa: N812, as everybody calls it
import typer
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.experiments import commit, stored_in
from solutions.capstone import grammar, own, pretrain, training

RESULTS = Path(__file__).parent / "results" / "ablations.json"
RECIPE = replace(pretrain.RECIPES["grammar"], steps=200, warmup=20)
SEEDS = (100, 0, 1)
TUNING_SEED, SHOWN_SEED = SEEDS[0], SEEDS[1]  # which chooses the rate, and which says what it writes
MARKS = (0, 5, 10, 20, 30, 40, 60, 80, 100, 120, 140, 160, 180, 200)  # steps at which held-out stories are measured
CLIP = 1.0
TOLD = 60  # tokens


@dataclass(frozen=True)
class Ablation:
    """What is taken away, what stands in its place, and the learning rates to choose from."""

    says: str
    instead: str
    rates: tuple[float, ...] = (0.01, 0.03, 0.1)


WHOLE = "whole"
ABLATIONS = {
    WHOLE: Ablation("nothing", "the whole model"),
    "norms": Ablation("the norms", "each token goes on at the length that it has"),
    "rotation": Ablation("the rotation", "queries and keys are not turned, whatever their place"),
    "gate": Ablation("the gate", "SiLU alone, in a network half as wide again, with as many weights"),
    "adamw": Ablation("AdamW", "plain gradient descent", (0.3, 1.0, 3.0)),
}


# --------------------------------------------------------------------------------------------------------------------
# One run
# --------------------------------------------------------------------------------------------------------------------


class Ungated(nn.Module):
    """The network of a block without its gate: two matrices for three, of as many weights together."""

    def __init__(self, r: pretrain.Recipe) -> None:
        super().__init__()
        self.up_proj = nn.Linear(r.dim, r.hidden * 3 // 2, bias=False)
        self.down_proj = nn.Linear(r.hidden * 3 // 2, r.dim, bias=False)
        nn.init.normal_(self.up_proj.weight, std=0.02)
        nn.init.normal_(self.down_proj.weight, std=0.02 / (2 * r.layers) ** 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down_proj(F.silu(self.up_proj(x)))


@cache
def data() -> pretrain.Data:
    return pretrain.prepare(grammar.stories(8000, seed=1), grammar.stories(80, seed=2), RECIPE.vocab)


def build(part: str, seed: int) -> pretrain.Model:
    """The model without this part."""
    recipe = replace(RECIPE, seed=seed)
    model = pretrain.Model(recipe, len(data().lengths))
    if part == "norms":
        model.norm = nn.Identity()
    if part == "rotation":
        model.turn = torch.ones_like(model.turn[0]), torch.zeros_like(model.turn[1])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for block in model.layers:
            if part == "norms":
                block.input_layernorm, block.post_attention_layernorm = nn.Identity(), nn.Identity()
            if part == "gate":
                block.mlp = Ungated(recipe)
    return model


def train(part: str, rate: float, seed: int, stop: int = RECIPE.steps) -> tuple[pretrain.Model, dict[str, Any]]:
    """The model after its training, or after the first steps of it, and what was seen on the way."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model, known = build(part, seed), data()
    weights = list(model.parameters())
    optimizer: torch.optim.Optimizer
    if part == "adamw":
        optimizer = torch.optim.SGD(weights, lr=rate)
    else:
        optimizer = own.AdamW(weights, rate, (0.9, 0.95), weight_decay=0.0)
    curve, lengths = [], []
    for step in range(stop + 1):
        if step in MARKS:
            bits = pretrain.measure(model, known.held_out, known.lengths)[0]
            curve.append([step, round(bits, 4)])
        if step == stop:
            break
        for group in optimizer.param_groups:
            group["lr"] = rate * pretrain.rate_at(step, model.recipe)
        loss = pretrain.loss_of(model, *pretrain.batch_at(step, known.train, model.recipe))
        optimizer.zero_grad()
        loss.backward()
        lengths.append(float(f"{nn.utils.clip_grad_norm_(weights, CLIP).item():.3g}"))
        optimizer.step()
    return model, {"curve": curve, "gradient": lengths}


def run(part: str, rate: float, seed: int) -> dict[str, Any]:
    """One run, the same whenever it is repeated."""
    data()
    start = time.process_time()
    model, seen = train(part, rate, seed)
    seconds = round(time.process_time() - start, 1)
    found = {"part": part, "rate": rate, "seed": seed, "cpu_seconds": seconds, "curve": seen["curve"]}
    if seed == SHOWN_SEED:
        found["parameters"] = sum(weight.numel() for weight in model.parameters())
        found["gradient"] = seen["gradient"]
        found["writes"] = pretrain.sample(model, data().encoder, "Once upon a time", TOLD, seed=1).split("\n")[0]
    return found


# --------------------------------------------------------------------------------------------------------------------
# All of them
# --------------------------------------------------------------------------------------------------------------------

DECIDES: list[Callable[..., Any] | type] = [
    Ungated, data, build, train, pretrain.prepare, pretrain.Norm, pretrain.Attention, pretrain.Mlp, pretrain.Block,
    pretrain.Model, pretrain.rotate, pretrain.loss_of, pretrain.rate_at, pretrain.batch_at, pretrain.measure, own.AdamW,
    training.get_batch, training.cosine_with_warmup, training.adamw_step, grammar.story_grammar, grammar.derive,
    grammar.stories,
]  # fmt: skip


def code_of(thing: Callable[..., Any] | type) -> str:
    """What a function or a class does, without its docstrings and comments."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing))))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


@cache
def digest() -> str:
    """Of all that a result depends on: the code that trains, and the settings."""
    settings = [asdict(RECIPE), MARKS, CLIP]
    return hashlib.sha256("".join([*map(code_of, DECIDES), repr(settings)]).encode()).hexdigest()[:16]


def facts() -> dict[str, Any]:
    """What the results stand on."""
    return {
        "command": "python -m benchmarks.ablations",
        "recipe": asdict(RECIPE),
        "clip": CLIP,
        "floor": grammar.bits_per_byte(grammar.story_grammar()),
        "ablations": {name: asdict(ablation) for name, ablation in ABLATIONS.items()},
        "machine": {"python": platform.python_version(), "torch": torch.__version__, "processor": platform.machine()},
    }


def load(path: Path = RESULTS) -> dict[str, Any]:
    return stored_in(path, "runs")


def store(results: dict[str, Any], path: Path) -> None:
    """All or nothing: a run that is cut off leaves the last whole file. One run a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = list(ABLATIONS)
    results["runs"].sort(key=lambda r: (r["seed"] != TUNING_SEED, names.index(r["part"]), r["seed"], r["rate"]))
    head = {key: value for key, value in results.items() if key != "runs"}
    rows = ",\n".join(json.dumps(run, ensure_ascii=False) for run in results["runs"])
    text = json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "runs": [\n' + rows + "\n]\n}\n"
    pretrain.atomically(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def chosen(runs: list[dict[str, Any]], part: str) -> float | None:
    """The learning rate that ended lowest with the first seed; None until all were tried."""
    last = {run["rate"]: run["curve"][-1][1] for run in runs if run["part"] == part and run["seed"] == TUNING_SEED}
    if set(last) != set(ABLATIONS[part].rates):
        return None
    return min(last, key=lambda rate: last[rate])


def seeds_of(results: dict[str, Any]) -> list[int]:
    """The seeds with which every part has been run at its chosen rate: only these are compared."""
    rates = {part: chosen(results["runs"], part) for part in ABLATIONS}
    done = {(run["part"], run["seed"]) for run in results["runs"] if run["rate"] == rates[run["part"]]}
    return [seed for seed in SEEDS if all((part, seed) in done for part in ABLATIONS)]


def runs_of(results: dict[str, Any], part: str) -> list[dict[str, Any]]:
    """The runs that count, those with the chosen rate and with seeds that all parts have, in the order of the seeds."""
    rate, seeds = chosen(results["runs"], part), seeds_of(results)
    found = [run for run in results["runs"] if run["part"] == part and run["seed"] in seeds and run["rate"] == rate]
    return sorted(found, key=lambda run: SEEDS.index(run["seed"]))


def complete(results: dict[str, Any], path: Path, say: Callable[[str], Any]) -> None:
    """Run what is missing or was made by other code, and store each result at once."""
    results["runs"] = [
        run for run in results["runs"] if run["code"] == digest() and run["rate"] in ABLATIONS[run["part"]].rates
    ]

    def need(part: str, rate: float, seed: int) -> None:
        if any((r["part"], r["rate"], r["seed"]) == (part, rate, seed) for r in results["runs"]):
            return
        found = run(part, rate, seed) | {"commit": commit([Path(__file__), *SOURCES]), "code": digest()}
        results["runs"].append(found)
        results.update(facts(), runs=results["runs"])
        store(results, path)
        say(f"without {ABLATIONS[part].says}, rate {rate:g}, seed {seed}: {found['curve'][-1][1]:.4f} bits per byte")

    for part, ablation in ABLATIONS.items():
        for rate in ablation.rates:
            need(part, rate, TUNING_SEED)
    for seed in SEEDS:
        for part in ABLATIONS:
            rate = chosen(results["runs"], part)
            assert rate is not None
            need(part, rate, seed)


SOURCES = [Path(pretrain.__file__).parent / f"{name}.py" for name in ("pretrain", "own", "training", "grammar")]


def overview(results: dict[str, Any]) -> Table:
    table = Table("taken away", "rate", "seeds", "bits per byte, mean", "lowest", "highest")
    for part, ablation in ABLATIONS.items():
        last = [run["curve"][-1][1] for run in runs_of(results, part)]
        shown = [f"{n:.4f}" for n in (sum(last) / len(last), min(last), max(last))] if last else ["", "", ""]
        table.add_row(ablation.says, str(chosen(results["runs"], part) or ""), str(len(last)), *shown)
    return table


def main(
    show: Annotated[bool, typer.Option("--list", help="Say what there is, and run nothing.")] = False,
    out: Annotated[Path, typer.Option(help="Where the results are.")] = RESULTS,
) -> None:
    """Train the capstone's model whole and without one of its parts; what is done is not done again."""
    console, results = Console(), load(out)
    if not show:
        os.nice(10)
        complete(results, out, lambda text: console.print(text, highlight=False))
    console.print(overview(results))


if __name__ == "__main__":
    typer.run(main)
