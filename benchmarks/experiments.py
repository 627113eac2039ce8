"""The experiments of chapter 3: every case over many seeds on one split, so that they can be compared in pairs.

    make experiments                              all of them, two at a time: about an hour if both cores are free
    make experiments ARGS="--only case1 --seeds 0-9"
    python -m benchmarks.experiments --list       what there is, and how much of it is done

The results are in benchmarks/results/classification.json, written anew after each run: stop it whenever you like, and
the same command goes on where it was. Not here: tuning on the test part. The settings of case 3 come from the
experiments named `tune-…`, which never look at it, by `choose`.

Of each run is kept: every epoch's losses and accuracies, and the test part's predictions, one bit a review packed into
hex, once with the weights that the recipe ends with (`test`) and once with those of the epoch with the least
validation loss (`test_best`). `predictions(run["test"])` gives them back as a list.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is loaded: one thread a run, two runs at a time

import ast
import hashlib
import json
import multiprocessing
import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from solutions.classification import reviews
from solutions.classification.models import Case1, Case2, Case3
from solutions.classification.training import BATCH, EPOCHS, HIDDEN, RATE, Row, Vocabulary, evaluate, fit

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "classification.json"
CODE = [ROOT / "solutions" / "classification" / f"{name}.py" for name in ("models", "training")]
SEEDS, TUNING_SEEDS = range(10), range(100, 102)


@dataclass(frozen=True)
class Experiment:
    """A model and how it is trained."""

    says: str
    model: type[torch.nn.Module]
    options: dict[str, Any] = field(default_factory=dict)
    patience: int | None = None
    rate: float = RATE
    test: bool = True  # False: settings are being chosen, and the test part stays shut
    tuned: bool = False  # True: dropout and rate are those that `choose` found


PATIENCE = 3


def case3(says: str, patience: int | None = PATIENCE, **options: Any) -> Experiment:
    return Experiment(says, Case3, options, patience, tuned=True)


MAIN = {
    "case1": Experiment("as in the notes", Case1),
    "case2": Experiment("as in the notes: a norm after the pooling", Case2),
    "case3": case3("mask, positions, residuals, pre-norm block, dropout, early stopping"),
}
ABLATIONS = {
    "case1-mask": Experiment("case 1 with a mask", Case1, {"masked": True}),
    "no-mask": case3("case 3 without the mask", masked=False),
    "no-positions": case3("case 3 without positions", positions=False),
    "no-residual": case3("case 3 without residuals", residual=False),
    "no-norm": case3("case 3 without norms", norm="none"),
    "post-norm": case3("case 3 with the norms after the sums", norm="post"),
    "no-dropout": case3("case 3 without dropout", dropout=0.0),
    "no-stopping": case3("case 3 without early stopping", patience=None),
}
TUNING = {
    f"tune-dropout-{dropout}-rate-{rate:g}": Experiment(
        f"case 3, dropout {dropout}, learning rate {rate:g}", Case3, {"dropout": dropout}, PATIENCE, rate, test=False
    )
    for dropout in (0.3, 0.5)
    for rate in (3e-4, 1e-3)
}
EXPERIMENTS = TUNING | MAIN | ABLATIONS


def choose(runs: list[dict[str, Any]]) -> dict[str, float] | None:
    """The settings with the least mean validation loss, each run at its best epoch; None until all were tried."""
    means = {}
    for name in TUNING:
        least = {run["seed"]: min(row[3] for row in run["epochs"]) for run in runs if run["name"] == name}
        if not set(TUNING_SEEDS) <= set(least):
            return None
        means[name] = sum(least[seed] for seed in TUNING_SEEDS) / len(TUNING_SEEDS)
    best = TUNING[min(means, key=lambda name: means[name])]
    return {"dropout": best.options["dropout"], "rate": best.rate}


def settled(name: str, chosen: dict[str, float] | None) -> Experiment:
    """The experiment with its settings filled in."""
    experiment = EXPERIMENTS[name]
    if not experiment.tuned:
        return experiment
    if chosen is None:
        raise ValueError(f"{name} needs the settings that the experiments tune-… find: run those first")
    options = {"dropout": chosen["dropout"]} | experiment.options
    return replace(experiment, options=options, rate=chosen["rate"])


# --------------------------------------------------------------------------------------------------------------------
# One run
# --------------------------------------------------------------------------------------------------------------------


@cache
def data() -> tuple[Vocabulary, dict[str, list[Row]]]:
    """The reviews as word numbers. The vocabulary knows the training part only."""
    parts = reviews.split()
    vocabulary = Vocabulary.of([text for text, _ in parts["train"]], reviews.words)
    return vocabulary, {name: vocabulary.rows(rows, reviews.words) for name, rows in parts.items()}


def scores(predicted: list[int], rows: list[Row]) -> dict[str, Any]:
    """Accuracy, F1 of the positive reviews, and the predictions as hex, first review first."""
    labels = [label for _, label in rows]
    hits = sum(p == y for p, y in zip(predicted, labels, strict=True))
    both = sum(p and y for p, y in zip(predicted, labels, strict=True))
    f1 = 2 * both / (sum(predicted) + sum(labels)) if any(predicted) or any(labels) else 0.0
    return {"accuracy": hits / len(labels), "f1": f1, "count": len(labels), "bits": pack(predicted)}


def pack(bits: list[int]) -> str:
    whole = bits + [0] * (-len(bits) % 8)
    return bytes(int("".join(map(str, whole[i : i + 8])), 2) for i in range(0, len(whole), 8)).hex()


def predictions(scored: dict[str, Any]) -> list[int]:
    """The predictions of `scores`, a 0 or 1 for each review of the part."""
    bits = "".join(f"{byte:08b}" for byte in bytes.fromhex(scored["bits"]))
    return [int(bit) for bit in bits[: scored["count"]]]


def run(
    name: str, seed: int, chosen: dict[str, float] | None = None, epochs: int = EPOCHS, limit: int | None = None
) -> dict[str, Any]:
    """One run, the same whenever it is repeated. With a `limit`, on the first so many reviews of each part."""
    torch.set_num_threads(1)
    experiment, (vocabulary, parts) = settled(name, chosen), data()
    train, val, test = (parts[part][:limit] for part in ("train", "val", "test"))
    start, cpu = time.perf_counter(), time.process_time()
    torch.manual_seed(seed)
    model = experiment.model(len(vocabulary), HIDDEN, 2, **experiment.options)
    history = fit(model, train, val, seed=seed, epochs=epochs, rate=experiment.rate, patience=experiment.patience)
    found: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "best": history.best,
        "epochs": [[round(number, 6) for number in asdict(epoch).values()] for epoch in history.epochs],
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    if experiment.test:
        found["test"] = scores(evaluate(model, test)[2], test)
        model.load_state_dict(history.best_state)
        found["test_best"] = scores(evaluate(model, test)[2], test)
    seconds = {"seconds": round(time.perf_counter() - start, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
    return found | seconds


def baseline() -> dict[str, Any]:
    """TF-IDF and logistic regression on the same split and words. It has no seed; C is chosen on validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    parts, start = reviews.split(), time.perf_counter()
    vectors = TfidfVectorizer(tokenizer=reviews.words, lowercase=False, token_pattern=None, min_df=2)
    x = {"train": vectors.fit_transform([text for text, _ in parts["train"]])}
    x |= {part: vectors.transform([text for text, _ in parts[part]]) for part in ("val", "test")}
    y = {part: [label for _, label in rows] for part, rows in parts.items()}
    models = {
        c: LogisticRegression(C=c, max_iter=1000).fit(x["train"], y["train"]) for c in (0.3, 1.0, 3.0, 10.0, 30.0)
    }
    validation = {c: model.score(x["val"], y["val"]) for c, model in models.items()}
    c = max(validation, key=lambda c: (validation[c], -c))
    guesses = [int(label) for label in models[c].predict(x["test"])]
    scored = scores(guesses, [([], label) for label in y["test"]])
    seconds = {"seconds": round(time.perf_counter() - start, 1)}
    return {"name": "tf-idf", "C": c, "validation_accuracy": validation[c], "test": scored} | seconds


# --------------------------------------------------------------------------------------------------------------------
# All of them
# --------------------------------------------------------------------------------------------------------------------


def digest(name: str, chosen: dict[str, float] | None = None) -> str:
    """Of all that a result depends on: the code without its comments, the selection of reviews, the settings."""
    code = [ast.dump(ast.parse(path.read_text(encoding="utf-8"))) for path in CODE]
    settings = settled(name, chosen) if name in EXPERIMENTS else name
    return hashlib.sha256("".join([*code, reviews.SHA256, repr(settings)]).encode()).hexdigest()[:16]


def commit() -> str:
    """The commit that the code is at; a `+` says that it was changed since."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", *map(str, CODE), str(Path(__file__)))
    return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def facts() -> dict[str, Any]:
    """What the results stand on: the data, the settings, the machine."""
    vocabulary, parts = data()
    return {
        "selection": reviews.SHA256,
        "sizes": {part: len(rows) for part, rows in parts.items()},
        "test_labels": scores([label for _, label in parts["test"]], parts["test"])["bits"],
        "vocabulary": len(vocabulary),
        "settings": {"batch": BATCH, "epochs": EPOCHS, "hidden": HIDDEN, "rate": RATE, "patience": PATIENCE},
        "columns": ["train_loss", "train_accuracy", "last_batch_accuracy", "val_loss", "val_accuracy"],
        "experiments": {name: experiment.says for name, experiment in EXPERIMENTS.items()},
        "machine": {"python": platform.python_version(), "torch": torch.__version__, "processor": platform.machine()},
    }


def load(path: Path = RESULTS) -> dict[str, Any]:
    """What is stored; an empty frame if nothing is."""
    if not path.exists():
        return {"runs": []}
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def store(results: dict[str, Any], path: Path) -> None:
    """All or nothing: a run that is cut off leaves the last whole file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    results["runs"].sort(key=lambda run: (list(EXPERIMENTS).index(run["name"]), run["seed"]))
    head = {key: value for key, value in results.items() if key != "runs"}
    rows = ",\n".join(json.dumps(run, ensure_ascii=False) for run in results["runs"])  # one run a line
    text = json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ',\n "runs": [\n' + rows + "\n]\n}\n"
    beside = path.with_suffix(".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def wanted(only: list[str], seeds: range) -> Iterator[tuple[str, int]]:
    """What to run, in order: settings first, then the three cases seed by seed, then the ablations."""
    names = only or list(EXPERIMENTS)
    for group in (TUNING, MAIN, ABLATIONS):
        for seed in TUNING_SEEDS if group is TUNING else seeds:
            yield from ((name, seed) for name in group if name in names)


def span(text: str) -> range:
    """`3` or `0-9`."""
    first, _, last = text.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found:
        raise typer.BadParameter(f"--seeds takes a number or a span such as 0-9, not {text!r}")
    return found


def prepare() -> None:
    os.nice(19)
    data()


def overview(results: dict[str, Any]) -> Table:
    table = Table("experiment", "seeds", "test accuracy, mean", "lowest", "highest")
    for name in EXPERIMENTS:
        runs = [run for run in results["runs"] if run["name"] == name]
        found = [run["test"]["accuracy"] for run in runs if "test" in run]
        shown = [f"{n:.4f}" for n in (sum(found) / len(found), min(found), max(found))] if found else ["", "", ""]
        table.add_row(name, str(len(runs)), *shown)
    return table


def complete(
    todo: list[tuple[str, int]], chosen: dict[str, float] | None, workers: int, done: Callable[[dict[str, Any]], None]
) -> None:
    """All of these runs, `workers` at a time, each handed to `done` as it ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=prepare) as pool:
        for future in as_completed([pool.submit(run, name, seed, chosen) for name, seed in todo]):
            done(future.result())


def main(
    only: Annotated[list[str] | None, typer.Option(help="The experiments to run; all, if none is named.")] = None,
    seeds: Annotated[str, typer.Option(help="A seed or a span of them.")] = f"{SEEDS[0]}-{SEEDS[-1]}",
    again: Annotated[bool, typer.Option(help="Run those again whose code has changed since.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="How many runs at a time.")] = 2,
    show: Annotated[bool, typer.Option("--list", help="Say what is done, and run nothing.")] = False,
    out: Annotated[Path, typer.Option(help="Where the results are.")] = RESULTS,
) -> None:
    """Train every case over many seeds, and keep what is needed to compare them."""
    console, results = Console(), load(out)
    for name in only or []:
        if name not in EXPERIMENTS:
            raise typer.BadParameter(f"no experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    if show:
        console.print(overview(results))
        return

    def code(name: str) -> str:
        chosen = choose(results["runs"])
        return digest(name, chosen) if chosen or not EXPERIMENTS[name].tuned else ""

    old = [run for run in results["runs"] if run["code"] != code(run["name"])]
    if old and again:
        results["runs"] = [run for run in results["runs"] if run not in old]
    elif old:
        console.print(f"{len(old)} stored runs are of other code: --again runs them anew.")
    have = {(run["name"], run["seed"]) for run in results["runs"]}
    todo = [pair for pair in wanted(only or [], span(seeds)) if pair not in have]
    at = commit()
    kept = {key: results.get(key) for key in ("runs", "quick", "baseline")}
    results = facts() | {"chosen": choose(kept["runs"])} | kept
    if again or not results["quick"]:
        results["quick"] = run("case1", 0, epochs=1, limit=200) | {"commit": at, "code": code("case1")}
    if again or not results["baseline"]:
        results["baseline"] = baseline() | {"commit": at, "code": digest("tf-idf")}
    store(results, out)
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(todo))

        def keep(found: dict[str, Any]) -> None:
            results["runs"].append(found | {"commit": at, "code": code(found["name"])})
            results["chosen"] = choose(results["runs"])
            store(results, out)
            progress.update(task, description=f"{found['name']} seed {found['seed']}", advance=1)

        for group in ([pair for pair in todo if pair[0] in TUNING], [pair for pair in todo if pair[0] not in TUNING]):
            chosen = choose(results["runs"])
            missing = [name for name, _ in group if EXPERIMENTS[name].tuned and chosen is None]
            if missing:
                raise typer.BadParameter(f"{missing[0]} needs its settings first: run it without --only")
            if group:
                complete(group, chosen, workers, keep)
    console.print(overview(results))


if __name__ == "__main__":
    typer.run(main)
