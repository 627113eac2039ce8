"""What guessing ahead wins: the 135M chat model on texts that repeat themselves, beside plain writing, in one run.

    python -m benchmarks.drafting            two minutes; writes benchmarks/results/drafting.json
    python -m benchmarks.drafting --quick    a few tokens of each, once: shows that it works

Three texts of which the beginning is given twice, so that the model may go on as before: a poem up to its refrain, a
file of code, a passage of a novel that is quoted. It writes greedily, without guesses and with them in turn, in CPU
seconds. Both texts must be equal, or first differ where the two best logits are within 1e-4, and then it is said. Two
more rows are for a text on which no guess stands: no guess is ever right, and, as bad as can be, each is right until it
is read. Needs the chat model (make chat-model); with another, --checkpoint.
"""

from benchmarks.llama import READ, Bound, clock, machine  # first: it sets the threads

# isort: split
import gc
import json
import statistics
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from solutions.llama.chat import chat_model, reference_engine
from solutions.llama.drafting import DraftingReader
from solutions.llama.fast import Reader
from solutions.texts import english

RESULTS = Path(__file__).parent / "results" / "drafting.json"
CODE = Path(__file__).parent.parent / "solutions" / "llama" / "rope.py"
NEAR = 1e-4
NEVER_RIGHT, WRONG_WHEN_READ = "guesses that are never right", "guesses that are right until they are read"
REFRAIN = """For auld lang syne, my jo,
For auld lang syne,
We'll tak a cup o' kindness yet,
For auld lang syne.
"""
POEM = f"""Should auld acquaintance be forgot,
And never brought to mind?
Should auld acquaintance be forgot,
And auld lang syne!

{REFRAIN}
And surely ye'll be your pint stowp!
And surely I'll be mine!
And we'll tak a cup o' kindness yet,
For auld lang syne.

"""


def texts() -> dict[str, str]:
    code, novel = CODE.read_text(encoding="utf-8"), english()
    start = novel.index(". ", len(novel) // 3) + 2
    quoted = " ".join(novel[start : start + 700].split())
    return {
        "a poem with a refrain (Burns)": POEM + POEM + REFRAIN[:27],
        "a file of code": code + "\n\n" + code[:200],
        "a quoted passage of a novel": f'She read: "{quoted}"\n\nHe read it again: "{quoted[:90]}',
    }


def write(reader: Reader, prompt: list[int], count: int) -> tuple[list[int], float]:
    """`count` ids, greedily, and the seconds for each."""
    reader(prompt[:-1])
    gc.collect()
    ids, start = list(prompt), clock()
    for _ in range(count):
        ids.append(int(reader(ids).argmax()))
    return ids[len(prompt) :], (clock() - start) / count


class Wrong(DraftingReader):
    """Guesses what will not be written: always, or only where the guess is read."""

    def __init__(self, model: Any, text: list[int], always: bool) -> None:
        super().__init__(model)
        self.text, self.always = text, always

    def guess(self, ids: list[int], most: int) -> list[int]:
        wrong = int(self.always or self.proved >= self.wanted)
        return [(id + wrong) % self.model.config.vocab for id in self.text[len(ids) : len(ids) + most]]


def first_difference(model: Any, prompt: list[int], plain: list[int], drafted: list[int]) -> dict[str, float] | None:
    """Where two texts part, and how far apart the two best logits are there."""
    at = next((at for at, (a, b) in enumerate(zip(plain, drafted, strict=True)) if a != b), None)
    if at is None:
        return None
    second, first = np.sort(Reader(model)([*prompt, *plain[:at]]))[-2:]
    return {"at": at, "apart": float(first - second)}


def measure(model: Any, name: str, prompt: list[int], count: int, rounds: int, bound: Bound) -> dict[str, Any]:
    plain, expected = Reader(model), write(Reader(model), prompt, count)[0]
    make: Any = DraftingReader
    if name in (NEVER_RIGHT, WRONG_WHEN_READ):
        make = partial(Wrong, text=prompt + expected, always=name == NEVER_RIGHT)
    times: dict[str, list[float]] = {"plain": [], "drafted": []}
    for _ in range(rounds):
        bound.take_turn()
        times["plain"].append(write(plain, prompt, count)[1])
        reader = make(model)
        reader.ids, reader.cache = prompt[:-3], plain.cache  # both have one cache, so that the prompt is read once
        written, seconds = write(reader, prompt, count)
        plain.ids = prompt[:-3]
        times["drafted"].append(seconds)
    return {
        "text": name,
        "prompt": len(prompt),
        "tokens": count,
        "plain": 1 / statistics.median(times["plain"]),
        "drafted": 1 / statistics.median(times["drafted"]),
        "offered": reader.offered,
        "stood": reader.stood,
        "differs": first_difference(model, prompt, expected, written),
    }


def show(console: Console, results: dict[str, Any]) -> None:
    bound = results["bound"]
    table = Table("tokens a second", "plain", "with guesses", "of the bound", "guesses that stood", "the same text")
    for row in results["rows"]:
        stood = f"{row['stood']} of {row['offered']}"
        other = row["differs"]
        same = "yes" if other is None else f"up to {other['at']}, where two logits are {other['apart']:.0e} apart"
        share = f"{row['drafted'] / bound:.2f}"
        table.add_row(row["text"], f"{row['plain']:.1f}", f"{row['drafted']:.1f}", share, stood, same)
    console.print(f"{results['layout']}; {READ}: {bound:.1f} a second")
    console.print(table)


def main(
    quick: Annotated[bool, typer.Option(help="A few tokens, once: shows that it works.")] = False,
    checkpoint: Annotated[Path | None, typer.Option(help="Another model than SmolLM2-135M-Instruct.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each takes its turn.")] = 3,
    out: Annotated[Path, typer.Option(help="Where to write the results.")] = RESULTS,
) -> None:
    """Tokens a second with guesses and without, on texts that repeat themselves."""
    facts = machine()
    engine = reference_engine(checkpoint or chat_model(), layout="fastest")
    model, encode = engine.model, engine.vocabulary.encode
    prompts = {name: encode(text)[-(model.config.max_len // 2) :] for name, text in texts().items()}
    prompts |= dict.fromkeys((NEVER_RIGHT, WRONG_WHEN_READ), next(iter(prompts.values())))
    count, rounds = (12, 1) if quick else (96, rounds)
    bound = Bound(model)
    rows = [measure(model, name, prompt, count, rounds, bound) for name, prompt in prompts.items()]
    results = {
        "quick": quick,
        "rounds": rounds,
        "machine": facts,
        "model": (checkpoint or chat_model()).name,
        "layout": str(model.layout),
        "bound": 1 / bound.seconds()[READ],
        "rows": rows,
    }
    out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    show(Console(width=None if Console().is_terminal else 120), results)
    wrong = [row["text"] for row in rows if row["differs"] and row["differs"]["apart"] > NEAR]
    if wrong:
        raise SystemExit(f"another text than without guesses: {', '.join(wrong)}")


if __name__ == "__main__":
    typer.run(main)
