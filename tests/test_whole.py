"""The whole LLaMA in one file: short, made of the exercises (a reader's, too), and right in every gradient."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from typer.testing import CliRunner

from solutions.capstone import assemble, glue

runner = CliRunner()
MINE = """def softmax(x, axis=-1):
    'Mine.'
    e = np.exp(x - np.max(x, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)
"""


@pytest.fixture(scope="module")
def app():
    import typer

    made = typer.Typer()
    made.command()(assemble.main)
    return made


def notebook(path, **answers):
    """A notebook in which these exercises are answered."""
    cells = [{"cell_type": "code", "source": "import numpy as np", "metadata": {}}]
    for name, source in answers.items():
        about = {"nbgrader": {"grade_id": name, "solution": True}}
        cells.append({"cell_type": "code", "source": source, "metadata": about})
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def test_it_has_at_most_200_lines_and_every_function_word_for_word():
    parts = assemble.ours()
    text = assemble.whole(parts)
    assert assemble.lines_of(text) <= 200
    for notebook_name, names in assemble.PARTS.items():
        source = (assemble.HERE.parent / f"{notebook_name}.py").read_text("utf-8")
        for name in names:
            lines = [line for line in parts[name].source.splitlines() if line.strip()]
            assert lines[0].startswith(f"def {name}(") and parts[name].source in text
            assert all(line in source for line in lines), name
    assert "solutions" not in text and "torch" not in text and "import numpy" in text


def torch_loss(w, x, y):
    """The same model, written with PyTorch's parts."""
    stream = w["embed"][x]
    T, d = x.shape[1], glue.D // glue.HEADS
    speeds = 10000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angles = torch.outer(torch.arange(T, dtype=torch.float64), speeds)
    turn = torch.polar(torch.ones_like(angles), angles)

    def heads(a):
        return a.unflatten(-1, (glue.HEADS, d)).transpose(1, 2)

    def turned(a):
        return torch.view_as_real(torch.view_as_complex(a.unflatten(-1, (-1, 2)).contiguous()) * turn).flatten(-2)

    for i in range(glue.BLOCKS):
        h = F.rms_norm(stream, (glue.D,), w[f"{i}.n1"], 1e-5)
        q, k, v = (heads(h @ w[f"{i}.W{n}"]) for n in "qkv")
        mixed = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True)
        stream = stream + mixed.transpose(1, 2).flatten(2) @ w[f"{i}.Wo"]
        h = F.rms_norm(stream, (glue.D,), w[f"{i}.n2"], 1e-5)
        stream = stream + (F.silu(h @ w[f"{i}.Wg"]) * (h @ w[f"{i}.Wu"])) @ w[f"{i}.Wd"]
    logits = F.rms_norm(stream, (glue.D,), w["norm"], 1e-5) @ w["embed"].T
    return F.cross_entropy(logits.flatten(0, 1), y.flatten())


def test_loss_and_every_gradient_are_pytorchs():
    names = {"__name__": "whole"}
    exec(assemble.whole(assemble.ours()), names)
    rng = np.random.default_rng(5)
    w = names["new_weights"](rng)
    x, y = rng.integers(0, 256, (2, 3, 17))
    logits, saved = names["forward"](w, x)
    mine = names["backward"](w, saved, names["loss_gradient"](logits, y))
    tensors = {name: torch.tensor(value, requires_grad=True) for name, value in w.items()}
    loss = torch_loss(tensors, torch.tensor(x), torch.tensor(y))
    assert names["lm_loss"](logits, y) == pytest.approx(loss.item(), abs=1e-9)
    theirs = dict(zip(tensors, torch.autograd.grad(loss, list(tensors.values())), strict=True))
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        np.testing.assert_allclose(value, theirs[name].numpy(), atol=1e-9, err_msg=name)


def test_the_file_trains_and_writes(app, tmp_path):
    """As its reader would run it, on a text that a few steps learn."""
    done = runner.invoke(app, ["--to", str(tmp_path / "whole.py")])
    assert done.exit_code == 0 and "0 of 22 functions are yours" in done.output.replace("\n", " ")
    (tmp_path / "text.txt").write_text("the cat sat on the mat. " * 200, encoding="utf-8")
    run = subprocess.run([sys.executable, "whole.py", "text.txt", "40"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    first, last = map(float, re.findall(r"\d+\.\d+", run.stdout.splitlines()[0]))
    assert first > 5 and last < 1
    assert "the cat sat" in run.stdout


def test_a_readers_function_is_taken(app, tmp_path):
    path = notebook(tmp_path / "mine.ipynb", softmax=MINE)
    done = runner.invoke(app, ["--from", str(path), "--to", str(tmp_path / "whole.py")])
    assert done.exit_code == 0 and "1 of 22 functions are yours: softmax" in " ".join(done.output.split())
    text = (tmp_path / "whole.py").read_text("utf-8")
    assert "e = np.exp(x - np.max(x, axis, keepdims=True))" in text and "Mine." not in text


def test_a_function_that_needs_more_than_the_file_has_is_told_and_left(app, tmp_path):
    own = "def softmax(x, axis=-1):\n    return my_helper(x, axis)"
    path = notebook(tmp_path / "mine.ipynb", softmax=own, draw="def draw(p, u):\n    raise NotImplementedError")
    done = runner.invoke(app, ["--from", str(path), "--to", str(tmp_path / "whole.py")])
    words = " ".join(done.output.split())
    assert done.exit_code == 0 and "softmax of mine.ipynb uses my_helper" in words and "0 of 22" in words


def test_what_is_no_notebook_is_refused_in_one_line(app, tmp_path):
    (tmp_path / "x.ipynb").write_text("no", encoding="utf-8")
    done = runner.invoke(app, ["--from", str(tmp_path / "x.ipynb"), "--to", str(tmp_path / "whole.py")])
    assert done.exit_code == 2 and "is no notebook" in done.output
    assert not (tmp_path / "whole.py").exists()
