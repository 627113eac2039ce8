"""A whole LLaMA in one file of NumPy, which trains and writes, put together word for word from the exercises: `make whole`.

    python -m solutions.capstone.assemble                                the course's own functions
    python -m solutions.capstone.assemble --from chapters/*/exercises/*.ipynb      yours, where you have written them
    python whole.py my_text.txt 1000                                     trains on a text, and goes on from its beginning

Taken are the functions of `PARTS`, without their docstrings, and behind them what holds them together (glue.py). A
function of a notebook is taken if it uses nothing but NumPy, `math` and the other parts; the command says which were.
"""

from __future__ import annotations

import ast
import builtins
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from solutions.llama.chat import ChatError, run_notebook

HERE = Path(__file__).parent
PARTS = {
    "attention/weights": ["softmax"],
    "attention/heads": ["causal_mask", "split_heads", "merge_heads"],
    "attention/cost": ["softmax_backward"],
    "llama/parts": ["rms_norm", "rope_tables", "apply_rope", "swiglu"],
    "llama/generation": ["temperature_softmax", "top_p_filter", "draw"],
    "capstone/training": [
        "get_batch", "lm_loss", "loss_gradient", "clip_gradients", "adamw_step", "cosine_with_warmup",
    ],
    "capstone/whole": ["matmul_backward", "embed_backward", "rms_norm_backward", "swiglu_backward"],
}  # fmt: skip
GLUE_BEGINS = "# --- what follows goes into the file ---\n"
HEAD = '''"""A LLaMA that trains and writes, in NumPy: python whole.py TEXT STEPS"""
import sys

import numpy as np
'''
RUN = """if __name__ == "__main__":
    text = open(sys.argv[1], encoding="utf-8").read()
    weights, losses = train(text, steps=int(sys.argv[2]))
    print(f"{losses[0]:.2f} nats per byte at first, {losses[-1]:.2f} at last\\n{write(weights, text[:40])}")
"""
KNOWN = {"np", "math", *vars(builtins)}


@dataclass(frozen=True)
class Part:
    """A function as it goes into the file."""

    name: str
    source: str  # without its docstring
    origin: str  # the chapter's notebook, or the reader's file


def without_docstring(source: str, node: ast.FunctionDef) -> str:
    """A function as it was written, but for its docstring and the marks of the solution."""
    lines = source.splitlines()
    first = node.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        assert first.end_lineno is not None
        del lines[first.lineno - 1 : first.end_lineno]
    kept = lines[node.lineno - 1 :]
    return "\n".join(line.rstrip() for line in kept if line.strip() and not line.strip().startswith("### ")) + "\n"


def function_in(source: str, name: str) -> ast.FunctionDef | None:
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name]
    return found[-1] if found else None


def one_function(source: str, name: str, origin: str) -> Part | None:
    """The function of this name in a piece of Python, or None."""
    node = function_in(source, name)
    if node is None:
        return None
    assert node.end_lineno is not None
    text = "\n".join(source.splitlines()[: node.end_lineno])
    return Part(name, without_docstring(text, node), origin)


def foreign(part: Part, names: Iterable[str]) -> list[str]:
    """The names that a function uses and that the file will not have."""
    tree = ast.parse(part.source)
    nodes = list(ast.walk(tree))
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return sorted(used - own - KNOWN - set(names))


def ours() -> dict[str, Part]:
    """The course's own functions, by name, in the order of the file."""
    parts = {}
    for notebook, names in PARTS.items():
        source = (HERE.parent / f"{notebook}.py").read_text(encoding="utf-8")
        for name in names:
            part = one_function(source, name, notebook)
            assert part is not None, f"{notebook} has no {name}"
            parts[name] = part
    return parts


def from_notebook(path: Path, names: Iterable[str]) -> Iterator[Part | str]:
    """The parts that a reader has written in a notebook, and a line for each that cannot be taken.

    Raises solutions.llama.chat.ChatError where `path` is no notebook.
    """
    wanted = set(names)
    written = run_notebook(path, wanted).written
    for cell in json.loads(path.read_bytes())["cells"]:
        name = cell.get("metadata", {}).get("nbgrader", {}).get("grade_id")
        if name not in written:
            continue
        part = one_function("".join(cell["source"]), name, str(path))
        if part is None:
            yield f"{name} of {path.name} is no function: the course's own is taken"
        elif missing := foreign(part, wanted):
            yield f"{name} of {path.name} uses {', '.join(missing)}, which the file has not: the course's own is taken"
        else:
            yield part


def whole(parts: dict[str, Part]) -> str:
    """The file: its head, the parts, what holds them together, and what it does when it is run."""
    glue = (HERE / "glue.py").read_text(encoding="utf-8").partition(GLUE_BEGINS)[2]
    glue = re.sub(r"  # fmt: skip$", "", glue, flags=re.MULTILINE)
    sources = [part.source for part in parts.values()]
    uses_math = any(
        "math" in {node.id for node in ast.walk(ast.parse(s)) if isinstance(node, ast.Name)} for s in sources
    )
    pieces = [HEAD.replace("import sys", "import math\nimport sys") if uses_math else HEAD, *sources, glue, RUN]
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(piece.strip("\n") for piece in pieces)) + "\n"


def lines_of(text: str) -> int:
    """Its lines, without the empty ones."""
    return sum(bool(line.strip()) for line in text.splitlines())


def main(
    notebooks: Annotated[
        list[Path] | None, typer.Option("--from", help="a notebook with your answers; several times")
    ] = None,
    to: Annotated[Path, typer.Option(help="the file to write")] = Path("whole.py"),
) -> None:
    """Put a whole LLaMA together from the exercises, in one file that trains and writes."""
    parts = ours()
    for path in notebooks or []:
        try:
            for found in from_notebook(path, parts):
                if isinstance(found, Part):
                    parts[found.name] = found
                else:
                    typer.echo(found)
        except ChatError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(2) from None
    text = whole(parts)
    to.write_text(text, encoding="utf-8")
    own = [part.name for part in parts.values() if part.origin not in PARTS]
    said = f"{len(own)} of {len(parts)} functions are yours" + (f": {', '.join(own)}" if own else "")
    typer.echo(f"{to}: {lines_of(text)} lines. {said}")


if __name__ == "__main__":
    typer.run(main)
