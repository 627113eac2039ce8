"""How fast is the tokenizer? CPU seconds of ours and of its peers on the same texts, in one run, on one thread.

    python -m benchmarks.bpe              ten minutes; writes benchmarks/results/bpe.json
    python -m benchmarks.bpe --full 512   runs the slow trainers whole up to 512 tokens: half an hour
    python -m benchmarks.bpe --quick      a few seconds on a little text: shows that the benchmark works, no more

The peers take turns, and medians are given. CPU seconds are those of this process, all its threads, and its children.
Every result is compared with ours before its time is believed.

Two trainers are slow: the plain one of the chapter, and minbpe's algorithm. Unless told otherwise we time their first
merges only, and go on from there: one merge goes through all tokens, so its time is taken to be in proportion to the
number of tokens that are left, which we know. Such figures are marked `~`, and flatter the slow: as the lists are built
anew they scatter over the memory, so that a merge becomes dearer even while the tokens become fewer. With --full both
figures are had: see `estimate` beside `cpu_seconds` in the results.
"""

import os

for name in ("OMP_NUM_THREADS", "RAYON_NUM_THREADS"):  # before the libraries are loaded
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import gc
import json
import platform
import resource
import statistics
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib.metadata import version
from itertools import chain, pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import regex
import tiktoken
import tokenizers
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from threadpoolctl import threadpool_info

from solutions.texts import chinese_reviews, english
from solutions.tokenization.bpe import PATTERN, byte_to_unicode, encode, train_bpe
from solutions.tokenization.fast import Encoder, count_words, printable_order, train, train_numpy

RESULTS = Path(__file__).parent / "results" / "bpe.json"
Merges = list[tuple[int, int]]

# --------------------------------------------------------------------------------------------------------------------
# The peers
# --------------------------------------------------------------------------------------------------------------------


def count_in(ids: list[int], counts: dict[tuple[int, int], int]) -> dict[tuple[int, int], int]:
    for pair in pairwise(ids):
        counts[pair] = counts.get(pair, 0) + 1
    return counts


def merged(ids: list[int], pair: tuple[int, int], new: int) -> list[int]:
    out = []
    at = 0
    while at < len(ids):
        if ids[at] == pair[0] and at + 1 < len(ids) and ids[at + 1] == pair[1]:
            out.append(new)
            at += 2
        else:
            out.append(ids[at])
            at += 1
    return out


def train_as_minbpe(text: str, vocab_size: int) -> Merges:
    """minbpe's algorithm: each part of the text is a list of its own, and each merge counts all pairs anew.

    Written anew after https://github.com/karpathy/minbpe. Among equals the pair that is seen first wins.
    """
    parts = [list(part.encode()) for part in regex.findall(PATTERN, text)]
    merges: Merges = []
    while 256 + len(merges) < vocab_size:
        counts: dict[tuple[int, int], int] = {}
        for ids in parts:
            count_in(ids, counts)
        best = max(counts, key=counts.__getitem__)
        parts = [merged(ids, best, 256 + len(merges)) for ids in parts]
        merges.append(best)
    return merges


def encode_as_minbpe(text: str, new_id: Mapping[tuple[int, int], int]) -> list[int]:
    """minbpe's algorithm: in each part, count the pairs, and replace the one of the lowest rank everywhere."""
    encoded: list[int] = []
    for part in regex.findall(PATTERN, text):
        ids = list(part.encode())
        while len(ids) > 1:
            best = min(count_in(ids, {}), key=lambda pair: new_id.get(pair, 1 << 60))
            if best not in new_id:
                break
            ids = merged(ids, best, new_id[best])
        encoded += ids
    return encoded


def huggingface() -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    return tokenizer


def train_huggingface(pieces: list[str], vocab_size: int) -> tokenizers.Tokenizer:
    tokenizer = huggingface()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=1, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(pieces, trainer)
    return tokenizer


# --------------------------------------------------------------------------------------------------------------------
# Measuring
# --------------------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """One tool on one text."""

    what: str
    language: str
    tool: str
    vocab_size: int
    bytes: int
    cpu_seconds: float
    runs: list[float]
    same_as_ours: bool
    merges: int | None = None
    merges_done: int | None = None
    extrapolated: bool = False
    estimate: float | None = None  # what the first merges would have made us say, where the whole was run
    megabytes_per_second: float = field(init=False)

    def __post_init__(self) -> None:
        self.megabytes_per_second = self.bytes / 1e6 / self.cpu_seconds


def cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds and result. What lives already is hidden from the garbage collector, as in a fresh process."""
    gc.collect()
    gc.freeze()
    start = cpu()
    result = function()
    seconds = cpu() - start
    gc.unfreeze()
    return seconds, result


@dataclass
class Text:
    language: str
    text: str
    pieces: list[str] = field(init=False)  # cut at line ends, in such a way that the parts are those of the whole
    words: Counter[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.pieces = regex.findall(r"\s*[^\n]+|\s+", self.text)
        self.words = count_words([self.text])
        if count_words(self.pieces) != self.words or "".join(self.pieces) != self.text:
            raise AssertionError(f"{self.language}: the pieces are not the text")

    @property
    def size(self) -> int:
        return len(self.text.encode())

    def tenth(self) -> str:
        """Every tenth line: for what is too slow to encode the whole."""
        return "".join(self.text.splitlines(keepends=True)[::10])


def tokens_left(merges: Merges, ids: np.ndarray) -> np.ndarray:
    """How many tokens there are before each merge, from the ids that are there after the last one.

    A token was made as often as it is there, and as often as it went into others: so count from the last one down.
    """
    made = np.bincount(ids, minlength=256 + len(merges)).astype(np.int64)
    left = np.zeros(len(merges), np.int64)
    there = len(ids)
    for number in reversed(range(len(merges))):
        count = made[256 + number]
        there += count
        left[number] = there
        for id in merges[number]:
            made[id] += count
    return left


def tie_or_same(theirs: Merges, ours: Merges, words: Counter[bytes]) -> bool:
    """Whether merges are ours, up to the first one that is a matter of taste because its count is shared."""
    for number, (their, our) in enumerate(zip(theirs, ours, strict=False)):
        if their != our:
            encoder = Encoder.from_merges(ours[:number])
            counts: Counter[tuple[int, int]] = Counter()
            for word, times in words.items():
                for pair in pairwise(encoder.encode(word.decode())):
                    counts[pair] += times
            return counts[their] == counts[our]
    return True


def measure_training(text: Text, sizes: list[int], rounds: int, tick: Callable[[str], None]) -> list[Row]:
    """The fast trainers, whole and in turn."""
    tools: dict[str, Callable[[int], Any]] = {
        "pure Python": lambda size: train(count_words(text.pieces), size),
        "NumPy": lambda size: train_numpy(count_words(text.pieces), size),
        "tokenizers": lambda size: train_huggingface(text.pieces, size),
    }
    rows = []
    for size in sizes:
        ours = train(text.words, size)
        in_their_order = train(text.words, size, printable_order())
        printable = byte_to_unicode()
        token = Encoder.from_merges(in_their_order, printable_order()).vocabulary
        spelt = {id: "".join(map(printable.__getitem__, data)) for id, data in token.items()}
        expected = [[spelt[a], spelt[b]] for a, b in in_their_order]
        seconds: dict[str, list[float]] = {tool: [] for tool in tools}
        same = dict.fromkeys(tools, True)
        for _ in range(rounds):
            for tool, run in tools.items():
                spent, result = timed(lambda run=run, size=size: run(size))
                seconds[tool].append(spent)
                if tool == "tokenizers":
                    same[tool] &= [list(pair) for pair in json.loads(result.to_str())["model"]["merges"]] == expected
                else:
                    same[tool] &= result == ours
                del result
                tick(f"train {text.language} {size} {tool}")
        for tool, runs in seconds.items():
            median = statistics.median(runs)
            row = Row("train", text.language, tool, size, text.size, median, runs, same[tool], len(ours), len(ours))
            rows.append(row)
    return rows


def measure_slow_training(
    text: Text, sizes: list[int], first: int, full: int, rounds: int, tick: Callable[[str], None]
) -> list[Row]:
    """The slow trainers: their first merges in turn, and the whole up to `full` tokens, once."""
    tools: dict[str, Callable[[str, int], Merges]] = {"plain": train_bpe, "minbpe's algorithm": train_as_minbpe}
    ours = train(text.words, max(sizes))
    encoder = Encoder.from_merges(ours)
    left = {
        "plain": tokens_left(ours, np.fromiter(chain(*(encoder.encode(w.decode()) for w in text.words)), np.int64)),
        "minbpe's algorithm": tokens_left(ours, np.asarray(encoder.encode(text.text))),
    }
    seconds: dict[str, list[tuple[float, float]]] = {tool: [] for tool in tools}
    same = dict.fromkeys(tools, True)
    for _ in range(rounds):
        for tool, run in tools.items():
            before, _none = timed(lambda run=run: run(text.text, 256))
            some, merges = timed(lambda run=run: run(text.text, 256 + first))
            seconds[tool].append((before, some - before))
            same[tool] &= tie_or_same(merges, ours, text.words)
            tick(f"train {text.language} {tool}, {first} merges")
    rows = []
    for size in sizes:
        number = min(size - 256, len(ours))
        for tool, run in tools.items():
            share = left[tool][:number].sum() / left[tool][:first].sum()
            runs = [float(before + loop * share) for before, loop in seconds[tool]]
            row = Row("train", text.language, tool, size, text.size, statistics.median(runs), runs, same[tool], number)
            row.merges_done, row.extrapolated = first, number > first
            if size <= full:
                tick(f"train {text.language} {size} {tool}, whole: be patient")
                spent, merges = timed(lambda run=run, size=size: run(text.text, size))
                same_whole = len(merges) == number and tie_or_same(merges, ours, text.words)
                whole = Row("train", text.language, tool, size, text.size, spent, [spent], same_whole, number, number)
                whole.estimate = row.cpu_seconds
                row = whole
            rows.append(row)
    return rows


def measure_encoding(text: Text, size: int, rounds: int, tick: Callable[[str], None]) -> list[Row]:
    """Text to ids, with nothing remembered from before; the slow ones on every tenth line."""
    merges = train(text.words, size)
    tenth = text.tenth()
    new_id = {pair: 256 + number for number, pair in enumerate(merges)}
    ranks = Encoder.from_merges(merges).ranks()
    printable = byte_to_unicode()
    vocabulary = {"".join(map(printable.__getitem__, token)): id for token, id in ranks.items()}
    spelt = {id: token for token, id in vocabulary.items()}

    def fresh_huggingface() -> tokenizers.Tokenizer:
        tokenizer = huggingface()
        tokenizer.model = tokenizers.models.BPE(vocabulary, [(spelt[a], spelt[b]) for a, b in merges])
        return tokenizer

    def encode_huggingface(tokenizer: tokenizers.Tokenizer) -> list[int]:
        return [id for encoding in tokenizer.encode_batch_fast(text.pieces) for id in encoding.ids]

    tools: dict[str, tuple[str, Callable[[], Any], Callable[[Any], list[int]]]] = {
        "ours": (text.text, lambda: Encoder.from_merges(merges), lambda encoder: encoder.encode(text.text)),
        "tiktoken": (
            text.text,
            lambda: tiktoken.Encoding("ours", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={}),
            lambda encoding: encoding.encode_ordinary(text.text),
        ),
        "tokenizers": (text.text, fresh_huggingface, encode_huggingface),
        "plain": (tenth, lambda: None, lambda _: encode(tenth, merges)),
        "minbpe's algorithm": (tenth, lambda: None, lambda _: encode_as_minbpe(tenth, new_id)),
    }
    ours = {given: Encoder.from_merges(merges).encode(given) for given in (text.text, tenth)}
    seconds: dict[str, list[float]] = {tool: [] for tool in tools}
    same = dict.fromkeys(tools, True)
    for _ in range(rounds):
        for tool, (given, prepare, run) in tools.items():
            prepared = prepare()
            spent, ids = timed(lambda run=run, prepared=prepared: run(prepared))
            seconds[tool].append(spent)
            same[tool] &= ids == ours[given]
            del ids
            tick(f"encode {text.language} {size} {tool}")
    return [
        Row(
            "encode", text.language, tool, size, len(tools[tool][0].encode()), statistics.median(runs), runs, same[tool]
        )
        for tool, runs in seconds.items()
    ]


def machine() -> dict[str, Any]:
    cpus = [line.split(":")[1].strip() for line in lines_of("/proc/cpuinfo") if line.startswith("model name")]
    blas = [f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}" for pool in threadpool_info()]
    return {
        "cpu": cpus[0] if cpus else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_before": os.getloadavg()[0],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": blas,
        "tokenizers": version("tokenizers"),
        "tiktoken": version("tiktoken"),
        "regex": version("regex"),
        "date": date.today().isoformat(),
    }


def lines_of(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else []


# --------------------------------------------------------------------------------------------------------------------
# Telling
# --------------------------------------------------------------------------------------------------------------------


class Rows(list[Row]):
    def row(self, what: str, language: str, tool: str, vocab_size: int) -> Row:
        key = (what, language, tool, vocab_size)
        return next(row for row in self if (row.what, row.language, row.tool, row.vocab_size) == key)

    def times(self, what: str, language: str, size: int, fast: str, slow: str) -> float:
        """How many times as fast `fast` is as `slow`, in bytes a second."""
        pair = (self.row(what, language, tool, size).megabytes_per_second for tool in (fast, slow))
        return next(pair) / next(pair)


def targets(rows: Rows) -> list[dict[str, Any]]:
    """What we set out to reach, and what was measured."""
    slow, goals = "minbpe's algorithm", []

    def at_least(bound: float, language: str, what: str, size: int, fast: str, other: str) -> None:
        measured = rows.times(what, language, size, fast, other)
        factor = "" if bound == 1 else f"{bound:g} times "
        name = f"{what} {language} {size}: {fast} at least {factor}as fast as {other}"
        goals.append({"target": name, "measured": measured, "met": measured >= bound})

    at_least(400, "en", "train", 512, "pure Python", slow)
    at_least(50, "zh", "train", 512, "pure Python", slow)
    at_least(100, "zh", "train", 512, "NumPy", slow)
    for language in ("en", "zh"):
        at_least(1, language, "train", 4096, "NumPy", "tokenizers")
        at_least(8, language, "encode", 4096, "ours", slow)
    at_least(0.3, "en", "encode", 4096, "ours", "tiktoken")
    at_least(0.12, "zh", "encode", 4096, "ours", "tiktoken")
    at_least(0.12, "zh once", "encode", 4096, "ours", "tiktoken")
    small = rows.row("train", "en 133 kB", "pure Python", 500).cpu_seconds
    goals.append({"target": "train en 133 kB 500: pure Python in 0.3 s", "measured": small, "met": small <= 0.3})
    return goals


def show(console: Console, rows: Rows, goals: list[dict[str, Any]]) -> None:
    def table(what: str, title: str, cell: Callable[[Row], str]) -> Table:
        columns = list(dict.fromkeys((row.language, row.vocab_size) for row in rows if row.what == what))
        table = Table("", *(f"{language}\n{size}" for language, size in columns), title=title, title_justify="left")
        for tool in dict.fromkeys(row.tool for row in rows if row.what == what):
            cells = {(r.language, r.vocab_size): cell(r) for r in rows if (r.what, r.tool) == (what, tool)}
            table.add_row(tool, *(cells.get(column, "") for column in columns))
        return table

    def seconds(row: Row) -> str:
        wrong = "" if row.same_as_ours else " (other merges!)"
        return f"{'~' if row.extrapolated else ''}{row.cpu_seconds:,.{1 if row.cpu_seconds > 10 else 2}f}{wrong}"

    def speed(row: Row) -> str:
        return f"{row.megabytes_per_second:.2f}{'' if row.same_as_ours else ' (other ids!)'}"

    console.print(table("train", "Training, CPU seconds (~ from the first merges: rather too small)", seconds))
    console.print(table("encode", "Encoding, megabytes a CPU second", speed))
    for row in rows:
        if row.estimate:
            console.print(
                f"{row.tool} {row.language} {row.vocab_size}: {row.cpu_seconds:.1f} s whole; "
                f"from its first merges we would have said {row.estimate:.1f} s"
            )
    if goals:
        told = Table("target", "measured", "", title="Targets", title_justify="left")
        for goal in goals:
            told.add_row(goal["target"], f"{goal['measured']:.2f}", "met" if goal["met"] else "missed")
        console.print(told)


def main(
    quick: Annotated[bool, typer.Option(help="A little text and one round: shows that it works.")] = False,
    full: Annotated[int, typer.Option(help="Run the slow trainers whole up to this many tokens.")] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="How often each tool takes its turn.")] = 5,
    out: Annotated[Path, typer.Option(help="Where to write the results.")] = RESULTS,
) -> None:
    """CPU seconds of our tokenizer and of its peers, in turn, on one thread."""
    facts = machine()
    reviews = chinese_reviews()
    novels = english()
    if quick:
        rounds, reviews, novels = 1, reviews[:150], novels[:20_000]
    sizes = [300, 320] if quick else [512, 1024, 4096]
    first, slow_rounds = (3, 1) if quick else (8, min(rounds, 3))
    en, zh = Text("en", novels), Text("zh", "\n".join(reviews) + "\n")
    once = Text("zh once", "\n".join(dict.fromkeys(reviews)) + "\n")  # half of the reviews are repeats
    small = Text("en 133 kB", novels[:133_000])

    console = Console(width=None if Console().is_terminal else 120)
    rows = Rows()
    with Progress(
        TextColumn("{task.description:<52}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    ) as progress:
        steps = rounds * (2 * 3 * len(sizes) + 3 + 3 * 5) + 2 * slow_rounds * 2 + 4 * sum(s <= full for s in sizes)
        task = progress.add_task("", total=steps)

        def tick(description: str) -> None:
            progress.update(task, description=description, advance=1)

        for text in (en, zh):
            rows += measure_training(text, sizes, rounds, tick)
            rows += measure_slow_training(text, sizes, first, full, slow_rounds, tick)
        rows += measure_training(small, [500], rounds, tick)
        for text in (en, zh, once):
            rows += measure_encoding(text, sizes[-1], rounds, tick)

    goals = [] if quick else targets(rows)
    facts["load_after"] = os.getloadavg()[0]
    out.parent.mkdir(parents=True, exist_ok=True)
    results = {"quick": quick, "rounds": rounds, "machine": facts, "targets": goals, "rows": [asdict(r) for r in rows]}
    out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    console.print(
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load_before']:.1f} before and {facts['load_after']:.1f} "
        f"after; Python {facts['python']}, NumPy {facts['numpy']} ({', '.join(facts['blas']) or 'no BLAS'}), "
        f"tokenizers {facts['tokenizers']}, tiktoken {facts['tiktoken']}; {facts['date']}"
    )
    show(console, rows, goals)


if __name__ == "__main__":
    typer.run(main)
