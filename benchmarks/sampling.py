"""Record what the chat model would say next, again and again, for the figure on the page *Writing text*.

    python -m benchmarks.sampling                    some minutes; `make sampling-record` installs the model first

Writes benchmarks/results/sampling.json: for each beginning a tree. A node is a text so far; it holds the likeliest next
tokens with their logits, what all the others have together, and which of its tokens lead on to another node. The
likeliest token is followed to the end of the sentence or of the answer, then the texts that are drawn most often.
"""

import heapq
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import typer

from solutions.llama import chat
from solutions.llama.checkpoints import load
from solutions.llama.fast import Llama, Reader
from solutions.llama.templates import Template

RESULTS = Path(__file__).parent / "results" / "sampling.json"
LEAST, MOST, COVER = 6, 20, 0.85  # tokens of a node with a logit of their own: until they have this share
WIDE = 6.0  # of the bins that the others are counted in
BEGINNINGS: list[dict[str, Any]] = [
    {"text": "The room was very", "nodes": 90, "greedy": 24},
    {"ask": "What makes a good hotel?", "nodes": 190, "greedy": 46},
]


def node(logits: np.ndarray) -> dict[str, Any]:
    """The likeliest tokens, their logits below the largest in hundredths, and the others, counted by theirs.

    A bin is a number of tokens and the logit that all of them would have, if they were alike and had the same sum.
    """
    order = np.argsort(-logits, kind="stable")
    below = logits[order].astype(float) - float(logits[order[0]])
    e = np.exp(below)
    told = int(np.searchsorted(np.cumsum(e / e.sum()), COVER)) + 1
    told = min(max(told, LEAST), MOST)
    rest = below[told:]
    place = ((rest[0] - rest) // WIDE).astype(int)
    others = []
    for at in range(int(place[-1]) + 1):
        some = rest[place == at]
        if len(some):
            others += [len(some), round(100 * float(np.log(np.exp(some).mean())))]
    return {"ids": order[:told].tolist(), "logits": [round(100 * x) for x in below[:told].tolist()], "others": others}


def shares(found: dict[str, Any], temperature: float) -> np.ndarray:
    """What a node's tokens get of all."""
    e = np.exp(np.array(found["logits"]) / 100 / temperature)
    others = np.array(found["others"]).reshape(-1, 2)
    part: np.ndarray = e / (e.sum() + (others[:, 0] * np.exp(others[:, 1] / 100 / temperature)).sum())
    return part


def grow(read: Any, ids: list[int], nodes: int, greedy: int, end: set[int]) -> list[dict[str, Any]]:
    """The tree: first the likeliest tokens, one after the other, then the texts most often drawn at T = 0.8."""
    tree: list[dict[str, Any]] = []
    waiting: list[tuple[float, int, int, list[int]]] = []

    def add(path: list[int], probability: float) -> dict[str, Any]:
        found = node(read(ids + path))
        number = len(tree)
        tree.append(found | {"next": {}})
        for rank, (id, p) in enumerate(zip(found["ids"], shares(found, 0.8), strict=True)):
            if id not in end:
                heapq.heappush(waiting, (-probability * float(p), number, rank, [*path, id]))
        return tree[-1]

    path: list[int] = []
    probability = 1.0
    done = set()
    for _ in range(greedy):
        found = add(path, probability)
        if found["ids"][0] in end or len(tree) == greedy:
            break
        done.add((len(tree) - 1, 0))
        found["next"]["0"] = len(tree)
        probability *= float(shares(found, 0.8)[0])
        path = [*path, found["ids"][0]]
    while len(tree) < nodes and waiting:
        negative, parent, rank, path = heapq.heappop(waiting)
        if (parent, rank) not in done:
            tree[parent]["next"][str(rank)] = len(tree)
            add(path, -negative)
    return tree


def main() -> None:
    start = time.process_time()
    path = chat.chat_model()
    config, weights, vocabulary = load(path, lazy=True)
    assert vocabulary is not None
    model = Llama(config, weights)
    template = Template(vocabulary)
    named: dict[int, int] = {}
    made = []
    for beginning in BEGINNINGS:
        if "ask" in beginning:
            ids = template.prompt([{"role": "user", "content": beginning["ask"]}])
        else:
            ids = vocabulary.encode(beginning["text"])
        tree = grow(Reader(model), list(ids), beginning["nodes"], beginning["greedy"], set(vocabulary.end))
        for found in tree:
            found["ids"] = [named.setdefault(id, len(named)) for id in found["ids"]]
        said = {key: beginning[key] for key in ("text", "ask") if key in beginning}
        made.append(said | {"tree": [[f["ids"], f["logits"], f["others"], f["next"]] for f in tree]})
        typer.echo(f"{beginning}: {len(tree)} nodes, {time.process_time() - start:.0f} s")
    names = [vocabulary.bytes_of[id].decode("utf-8", "replace") if id not in vocabulary.end else "" for id in named]
    results = {
        "command": "python -m benchmarks.sampling", "model": path.name, "tokens": len(vocabulary),
        "names": names, "beginnings": made,
    }  # fmt: skip
    RESULTS.write_text(json.dumps(results, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    typer.echo(f"{RESULTS.name}: {RESULTS.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
