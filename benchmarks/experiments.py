"""The classification chapter's experiments: each case over many seeds on one split, to be compared in pairs.

    make experiments                              all of them, two at a time: about an hour if both cores are free
    make experiments ARGS="--only case1 --seeds 0-9"
    python -m benchmarks.experiments --list       what there is, and how much of it is done

The results are in benchmarks/results/classification.json, written anew after each run: stop it whenever you like, and
the same command goes on where it was. Not here: tuning on the test part. The settings of case 3 come from the
experiments named `tune-…`, which never look at it, by `choose`.

Two experiments ask what more data would do. `case3-420` and its like train on so many labelled reviews, each seed on
its own draw of them, beside TF-IDF on the same draws (`curve`); `pretrained` starts case 3 from word vectors that were
made of the reviews without their labels.

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
import random
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from solutions.classification import outside, reviews
from solutions.classification.models import Case1, Case2, Case3
from solutions.classification.training import BATCH, EPOCHS, HIDDEN, RATE, Row, Vocabulary, evaluate, fit
from solutions.texts import chinese_reviews

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "classification.json"
CODE = [ROOT / "solutions" / "classification" / f"{name}.py" for name in ("models", "training")]
OUTSIDE = ROOT / "solutions" / "classification" / "outside.py"
SEEDS, FEW_SEEDS, CURVE_SEEDS, TUNING_SEEDS = range(10), range(5), range(5), range(100, 102)
SIZES = (420, 840, 1680, 6720, 13440)  # labelled reviews; between them is the training part itself, with 3,360


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


@dataclass(frozen=True)
class Further(Experiment):
    """One that changes what the model is given, not how it is trained."""

    size: int = 0  # labelled reviews; 0 is the training part
    vectors: str = ""  # the embedding starts from word vectors, and is "frozen" or "trained"; "chosen" on validation
    wide: bool = False  # True: the vocabulary knows the words of the unlabelled reviews, too


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


def further(says: str, test: bool = True, **given: Any) -> Further:
    return Further(says, Case3, {}, PATIENCE, test=test, tuned=True, **given)


TUNING_VECTORS = {
    f"tune-vectors-{vectors}{'-wide' * wide}": further(
        f"case 3 from word vectors, {vectors}, {'all their words' if wide else 'words of the training part'}",
        test=False,
        vectors=vectors,
        wide=wide,
    )
    for vectors in ("frozen", "trained")
    for wide in (False, True)
}
PRETRAINED = {"pretrained": further("case 3 from word vectors of unlabelled reviews", vectors="chosen")}
CURVE = {f"case3-{size}": further(f"case 3 on {size} reviews", size=size) for size in SIZES} | {
    f"pretrained-{size}": further(f"case 3 from word vectors, on {size} reviews", vectors="chosen", size=size)
    for size in SIZES
}
EXPERIMENTS = TUNING | TUNING_VECTORS | MAIN | PRETRAINED | ABLATIONS | CURVE
# What is run where nothing is asked for: what the pages show. The largest draws of the curve take longest.
USUAL = (
    dict.fromkeys(EXPERIMENTS, FEW_SEEDS) | dict.fromkeys(MAIN, SEEDS)
    | {name: range(3) for name in CURVE}
    | {"case3-6720": range(2), "pretrained-6720": range(2), "case3-13440": range(4, 5), "pretrained-13440": range(0)}
)  # fmt: skip
Chosen = dict[str, Any]


def least_loss(runs: list[dict[str, Any]], names: Iterable[str]) -> str | None:
    """The name with the least mean validation loss, each run at its best epoch; None until all were tried."""
    means = {}
    for name in names:
        least = {run["seed"]: min(row[3] for row in run["epochs"]) for run in runs if run["name"] == name}
        if not set(TUNING_SEEDS) <= set(least):
            return None
        means[name] = sum(least[seed] for seed in TUNING_SEEDS) / len(TUNING_SEEDS)
    return min(means, key=lambda name: means[name])


def choose(runs: list[dict[str, Any]]) -> Chosen | None:
    """The settings as far as they are known: None, then dropout and rate, then those of the word vectors, too."""
    name = least_loss(runs, TUNING)
    if name is None:
        return None
    chosen = {"dropout": TUNING[name].options["dropout"], "rate": TUNING[name].rate}
    name = least_loss(runs, TUNING_VECTORS)
    if name is not None:
        chosen |= {"vectors": TUNING_VECTORS[name].vectors, "wide": TUNING_VECTORS[name].wide}
    return chosen


def can(name: str, chosen: Chosen | None) -> bool:
    """Whether all the settings of an experiment are known."""
    experiment = EXPERIMENTS[name]
    if isinstance(experiment, Further) and experiment.vectors == "chosen":
        return chosen is not None and "vectors" in chosen
    return chosen is not None or not experiment.tuned


def settled(name: str, chosen: Chosen | None) -> Experiment:
    """The experiment with its settings filled in."""
    experiment = EXPERIMENTS[name]
    if not can(name, chosen):
        raise ValueError(f"{name} needs the settings that the experiments tune-… find: run those first")
    if not experiment.tuned or chosen is None:
        return experiment
    options = {"dropout": chosen["dropout"]} | experiment.options
    if isinstance(experiment, Further) and experiment.vectors == "chosen":
        experiment = replace(experiment, vectors=chosen["vectors"], wide=chosen["wide"])
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


cut = cache(reviews.words)


def draw(size: int, seed: int) -> list[tuple[str, int]]:
    """So many labelled reviews, half of praise. Beyond the training part, that and lines from outside the selection."""
    train, order = reviews.split()["train"], random.Random(seed)
    first, pool = ([], train) if size <= len(train) else (train, outside.labelled())
    drawn = list(first)
    for label in (0, 1):
        rows = [row for row in pool if row[1] == label]
        drawn += order.sample(rows, (size - len(first)) // 2)
    return drawn


@cache
def wide_vocabulary() -> Vocabulary:
    return Vocabulary.of(outside.unlabelled(), cut, min_count=3)


@cache
def wide_vectors() -> np.ndarray:
    return outside.vectors(wide_vocabulary(), outside.unlabelled(), cut, HIDDEN)


def given(experiment: Experiment, seed: int) -> tuple[Vocabulary, dict[str, list[Row]], np.ndarray | None]:
    """The vocabulary, the parts as word numbers, and the vectors that the embedding starts from, if any."""
    if not isinstance(experiment, Further):
        return *data(), None
    parts = reviews.split()
    if experiment.size:
        parts["train"] = draw(experiment.size, seed)
    vocabulary = wide_vocabulary() if experiment.wide else Vocabulary.of([text for text, _ in parts["train"]], cut)
    rows = {part: vocabulary.rows(found, cut) for part, found in parts.items()}
    if not experiment.vectors:
        return vocabulary, rows, None
    if experiment.wide:
        return vocabulary, rows, wide_vectors()
    return vocabulary, rows, outside.vectors(vocabulary, outside.unlabelled(), cut, HIDDEN)


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
    name: str, seed: int, chosen: Chosen | None = None, epochs: int = EPOCHS, limit: int | None = None
) -> dict[str, Any]:
    """One run, the same whenever it is repeated. With a `limit`, on the first so many reviews of each part."""
    torch.set_num_threads(1)
    experiment = settled(name, chosen)
    vocabulary, parts, vectors = given(experiment, seed)
    train, val, test = (parts[part][:limit] for part in ("train", "val", "test"))
    start, cpu = time.perf_counter(), time.process_time()
    torch.manual_seed(seed)
    model = experiment.model(len(vocabulary), HIDDEN, 2, **experiment.options)
    if vectors is not None:
        model.embedding.weight.data.copy_(torch.from_numpy(vectors))
        model.embedding.weight.requires_grad_(experiment.vectors != "frozen")
    history = fit(model, train, val, seed=seed, epochs=epochs, rate=experiment.rate, patience=experiment.patience)
    found: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "best": history.best,
        "epochs": [[round(number, 6) for number in asdict(epoch).values()] for epoch in history.epochs],
        "parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
    if experiment.test:
        found["test"] = scores(evaluate(model, test)[2], test)
        model.load_state_dict(history.best_state)
        found["test_best"] = scores(evaluate(model, test)[2], test)
    seconds = {"seconds": round(time.perf_counter() - start, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
    return found | seconds


def count_words(parts: dict[str, list[tuple[str, int]]], **options: Any) -> tuple[Any, dict[str, Any], float]:
    """TF-IDF and logistic regression: the model, each part's table of counts, and the validation accuracy.

    C is chosen on validation. `options` are TfidfVectorizer's.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    vectors = TfidfVectorizer(tokenizer=cut, lowercase=False, token_pattern=None, min_df=2, **options)
    x = {"train": vectors.fit_transform([text for text, _ in parts["train"]])}
    x |= {part: vectors.transform([text for text, _ in parts[part]]) for part in ("val", "test")}
    y = {part: [label for _, label in rows] for part, rows in parts.items()}
    models = {
        c: LogisticRegression(C=c, max_iter=1000).fit(x["train"], y["train"]) for c in (0.3, 1.0, 3.0, 10.0, 30.0)
    }
    validation = {c: model.score(x["val"], y["val"]) for c, model in models.items()}
    c = max(validation, key=lambda c: (validation[c], -c))
    return models[c], x, validation[c]


def baseline(size: int = 0, seed: int = 0) -> dict[str, Any]:
    """TF-IDF and logistic regression on the same split and words.

    With a `size`, on the same draw of reviews as case 3 of this seed. Else there is nothing that a seed could change.
    """
    parts, start = reviews.split(), time.perf_counter()
    if size:
        parts["train"] = draw(size, seed)
    model, x, validation = count_words(parts)
    guesses = [int(label) for label in model.predict(x["test"])]
    scored = scores(guesses, [([], label) for _, label in parts["test"]])
    seconds = {"seconds": round(time.perf_counter() - start, 1)}
    which = {"size": size, "seed": seed} if size else {}
    return {"name": "tf-idf"} | which | {"C": model.C, "validation_accuracy": validation, "test": scored} | seconds


# --------------------------------------------------------------------------------------------------------------------
# All of them
# --------------------------------------------------------------------------------------------------------------------


def what_runs(source: str) -> str:
    """The tree of a module without what only people and type checkers read: comments, docstrings, annotations."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    return ast.dump(tree)


def digest(name: str, chosen: Chosen | None = None) -> str:
    """Of all that a result depends on: the code that runs, the selection of reviews, the settings."""
    settings = replace(settled(name, chosen), says="") if name in EXPERIMENTS else name
    paths = [*CODE, OUTSIDE] if isinstance(settings, Further) or name == "curve" else CODE
    code = [what_runs(path.read_text(encoding="utf-8")) for path in paths]
    return hashlib.sha256("".join([*code, reviews.SHA256, repr(settings)]).encode()).hexdigest()[:16]


def commit(paths: Iterable[Path] = (*CODE, Path(__file__))) -> str:
    """The commit that the code is at; a `+` says that it was changed since."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--", *map(str, paths))
    return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")


def facts() -> dict[str, Any]:
    """What the results stand on: the data, the settings, the machine."""
    vocabulary, parts = data()
    return {
        "selection": reviews.SHA256,
        "sizes": {part: len(rows) for part, rows in parts.items()},
        "outside": {
            "labelled": len(outside.labelled()),
            "hotel": sum(bool(reviews.HOTEL.search(text)) for text, _ in outside.labelled()),
            "unlabelled": len(outside.unlabelled()),
            "left_out": len({reviews.normal(text) for text in chinese_reviews()}) - len(outside.unlabelled()),
            "wide_vocabulary": len(wide_vocabulary()),
        },
        "test_labels": scores([label for _, label in parts["test"]], parts["test"])["bits"],
        "vocabulary": len(vocabulary),
        "settings": {"batch": BATCH, "epochs": EPOCHS, "hidden": HIDDEN, "rate": RATE, "patience": PATIENCE},
        "columns": ["train_loss", "train_accuracy", "last_batch_accuracy", "val_loss", "val_accuracy"],
        "experiments": {name: experiment.says for name, experiment in EXPERIMENTS.items()},
        "machine": {"python": platform.python_version(), "torch": torch.__version__, "processor": platform.machine()},
    }


def stored_in(path: Path, *lists: str) -> dict[str, Any]:
    """What is stored; an empty frame of these lists if nothing is."""
    if not path.exists():
        return {name: [] for name in lists}
    stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def load(path: Path = RESULTS) -> dict[str, Any]:
    return stored_in(path, "runs")


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


def wanted(only: list[str], seeds: range | None = None) -> Iterator[tuple[str, int]]:
    """What to run, in order: settings first, then the three cases seed by seed, then what was asked of case 3.

    Without seeds, those that each experiment usually has.
    """
    names = only or list(EXPERIMENTS)
    for group in (TUNING, TUNING_VECTORS, MAIN, PRETRAINED, CURVE, ABLATIONS):
        if group in (TUNING, TUNING_VECTORS):
            yield from ((name, seed) for seed in TUNING_SEEDS for name in group if name in names)
        else:
            asked = {name: USUAL[name] if seeds is None else seeds for name in group if name in names}
            yield from ((name, seed) for seed in seeds or SEEDS for name in asked if seed in asked[name])


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
    todo: list[tuple[str, int]], chosen: Chosen | None, workers: int, done: Callable[[dict[str, Any]], None]
) -> None:
    """All of these runs, `workers` at a time, each handed to `done` as it ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=prepare) as pool:
        for future in as_completed([pool.submit(run, name, seed, chosen) for name, seed in todo]):
            done(future.result())


def main(
    only: Annotated[list[str] | None, typer.Option(help="The experiments to run; all, if none is named.")] = None,
    seeds: Annotated[str, typer.Option(help="A seed or a span of them; else as many as the pages show.")] = "",
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
        return digest(name, chosen) if can(name, chosen) else ""

    old = [run for run in results["runs"] if run["code"] != code(run["name"])]
    if old and again:
        results["runs"] = [run for run in results["runs"] if run not in old]
    elif old:
        console.print(f"{len(old)} stored runs are of other code: --again runs them anew.")
    have = {(run["name"], run["seed"]) for run in results["runs"]}
    todo = [pair for pair in wanted(only or [], span(seeds) if seeds else None) if pair not in have]
    at = commit()
    kept = {key: results.get(key) for key in ("runs", "quick", "baseline", "curve")}
    results = facts() | {"chosen": choose(kept["runs"])} | kept
    if again or not results["quick"]:
        results["quick"] = run("case1", 0, epochs=1, limit=200) | {"commit": at, "code": code("case1")}
    if again or not results["baseline"]:
        results["baseline"] = baseline() | {"commit": at, "code": digest("tf-idf")}
    if again or not results["curve"]:
        pairs = [(size, seed) for size in SIZES for seed in CURVE_SEEDS]
        results["curve"] = [baseline(*pair) | {"commit": at, "code": digest("curve")} for pair in pairs]
    store(results, out)
    columns = (TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=len(todo))

        def keep(found: dict[str, Any]) -> None:
            results["runs"].append(found | {"commit": at, "code": code(found["name"])})
            results["chosen"] = choose(results["runs"])
            store(results, out)
            progress.update(task, description=f"{found['name']} seed {found['seed']}", advance=1)

        while todo:
            chosen = choose(results["runs"])
            ready = [pair for pair in todo if can(pair[0], chosen)]
            # what settings hang on comes first, and by itself
            ready = [pair for pair in ready if pair[0].startswith("tune-")] or ready
            if not ready:
                raise typer.BadParameter(f"{todo[0][0]} needs its settings first: run it without --only")
            complete(ready, chosen, workers, keep)
            todo = [pair for pair in todo if pair not in ready]
    console.print(overview(results))


if __name__ == "__main__":
    typer.run(main)
