"""The course's own models run in the page: what the site carries for it, in `_static/solve/`.

slots.json      the places in the model that an exercise can take, each with the digest of what is asked there
model.json      the Python modules of the model: path → text
models/NAME/    the checkpoints that come with the course, as they are
bench.json      the Python modules of the tokenizer bench, and the texts that it learns from
"""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ENTRY = "solutions/llama/in_page.py"  # it imports all the rest
BENCH = "solutions/tokenization/bench.py"  # and this, all that the bench needs
MODELS = Path("solutions", "llama", "trained")
OF_A_MODEL = ("config.json", "model.safetensors", "tokenizer.json")


def modules_of(root: Path, entry: str = ENTRY) -> dict[str, str]:
    """The course's modules that a module imports, itself among them, and theirs: path → text."""
    found: dict[str, str] = {}
    wanted = [entry]
    while wanted:
        path = wanted.pop()
        if path in found or not (root / path).is_file():
            continue
        found[path] = (root / path).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(found[path])):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "solutions":
                folder = node.module.replace(".", "/")
                wanted += [f"{folder}.py", *(f"{folder}/{alias.name}.py" for alias in node.names)]
    return dict(sorted(found.items()))


def slots(asked: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """The places in the model, in order. `asked`: for each page, its notebook and the digests of what it asks."""
    from solutions.llama.in_the_model import SLOTS

    digests = {page["notebook"]: page["asked"] for page in asked.values()}
    return [{"name": name, "notebook": slot.notebook, "does": slot.does, "within": slot.within,
             "asked": digests.get(slot.notebook, {}).get(name, "")}
            for name, slot in SLOTS.items()]  # fmt: skip


def bench_files(root: Path) -> dict[str, dict[str, str]]:
    """The modules of the bench, path → text, and its texts to learn from."""
    from solutions.tokenization.bench import trainings

    return {"files": modules_of(root, BENCH), "texts": trainings()}


def copy_into(folder: Path, root: Path, asked: Mapping[str, Mapping[str, Any]]) -> None:
    """All that the pages need, beside the scripts that use it."""
    (folder / "slots.json").write_text(json.dumps(slots(asked), ensure_ascii=False), encoding="utf-8")
    (folder / "model.json").write_text(json.dumps(modules_of(root), ensure_ascii=False), encoding="utf-8")
    (folder / "bench.json").write_text(json.dumps(bench_files(root), ensure_ascii=False), encoding="utf-8")
    for model in sorted(path for path in (root / MODELS).iterdir() if path.is_dir()):
        target = folder / "models" / model.name
        target.mkdir(parents=True, exist_ok=True)
        for name in OF_A_MODEL:
            shutil.copy(model / name, target / name)
