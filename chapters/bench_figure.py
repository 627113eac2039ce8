"""The figure <token-bench> of the pages: what it begins with comes from the functions that the page runs, too."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any

from IPython.display import HTML

from solutions.tokenization.bench import bench, shown, trainings

NAMES = {"words": "words", "characters": "characters", "bytes": "bytes", "bpe": "BPE", "wordpiece": "WordPiece",
         "unigram": "unigram"}  # fmt: skip
LEARN = {  # what the bench can learn from: its name there, and what it is
    "austen": ("English", "12,000 characters of Jane Austen."),
    "tang": ("Chinese", "12,000 characters of Li Bai (李白), of the eighth century, in traditional characters."),
    "python": ("Python", "12,000 characters of this course's own code."),
}


def found(training: str, text: str, methods: Sequence[str], **more: Any) -> dict[str, Any]:
    """What the bench says of a text."""
    question = {"training": training, "text": text, "methods": methods, **more}
    return json.loads(bench(json.dumps(question)))


def tokens(row: dict[str, Any], text: str, n: int) -> list[str]:
    """The tokens of a row with n pieces, as text where they are text; what is dropped is left out."""
    ends: set[int] = set()
    for at, *changed in row["cuts"]:
        if at <= n:
            ends ^= set(changed)
    data, start, pieces = text.encode(), 0, []
    for end in sorted(ends):
        if start not in row.get("gone", []):
            pieces.append("[UNK]" if start in row.get("unknown", []) else shown(data[start:end]))
        start = end
    return pieces


def token_bench(texts: dict[str, str], methods: Sequence[str], start: int, label: str, recorded: Sequence[str]) -> HTML:
    """The bench, with a text for each thing that it may learn from, or one that the reader brings.

    The page is heavier by what is `recorded`; for the others Python is asked when they are chosen.
    """
    given = trainings()
    listed: list[dict[str, Any]] = []
    for learn, text in texts.items():
        listed.append({"name": LEARN[learn][0], "learn": learn, "says": LEARN[learn][1], "text": text})
        if learn in recorded:
            listed[-1]["found"] = found(given[learn], text, methods)
    listed.append({"name": "a text of your own", "own": True, "says": "Paste it below."})
    return figure({"label": label, "methods": methods, "start": start, "trainings": listed})


def figure(data: dict[str, Any]) -> HTML:
    """The element, with a table in it for those who have no scripts."""
    first, methods, n = data["trainings"][0], data["methods"], data["start"]
    rows = ""
    for m in methods:
        cut = [token for token in tokens(first["found"]["rows"][m], first["text"], n) if token != "\n"]
        said = html.escape(" | ".join(cut))
        rows += f'<tr><th scope="row">{NAMES[m]}</th><td>{len(cut)}</td><td>{said}</td></tr>'
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return HTML(f'<token-bench><script type="application/json">{text}</script><table class="dataframe result">'
                f"<thead><tr><td></td><th>Tokens</th><th>with {n} pieces</th></tr></thead><tbody>{rows}</tbody></table>"
                "</token-bench>")  # fmt: skip
