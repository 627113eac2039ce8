"""The three functions of a training run that its reader writes, and how PyTorch's loop calls them.

`Functions()` are the chapter's own; `from_notebook` takes those that are written in a reader's notebook, tried on a
little each. What this does not do: judge them. A wrong schedule trains a wrong model, and that can be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from solutions.capstone import training
from solutions.llama.chat import in_one_line, run_notebook


@dataclass(frozen=True)
class Functions:
    """What is called in every step: the batch, the learning rate, the move of a weight."""

    get_batch: Callable[..., Any] = training.get_batch
    cosine_with_warmup: Callable[..., Any] = training.cosine_with_warmup
    adamw_step: Callable[..., Any] = training.adamw_step
    sources: dict[str, str] = field(default_factory=dict)  # name of a function -> the notebook that it comes from


OURS = Functions()
EPS = 1e-8
NAMES = tuple(found.name for found in fields(Functions) if found.name != "sources")


def _batch(get_batch: Callable[..., Any]) -> bool:
    x, y = get_batch(np.arange(9), 3, 2, np.random.default_rng(0))
    return np.shape(x) == np.shape(y) == (2, 3)


def _rate(cosine_with_warmup: Callable[..., Any]) -> bool:
    return bool(np.isfinite([cosine_with_warmup(step, 10, 2, 1.0, 0.2) for step in range(10)]).all())


def _move(adamw_step: Callable[..., Any]) -> bool:
    ones = np.ones((2, 3), np.float32)
    moved = adamw_step(ones, ones, 0 * ones, 0 * ones, 1, 0.1, 0.9, 0.99, 1e-8, 0.0)
    return [np.shape(array) for array in moved] == 3 * [(2, 3)]


TRIALS: dict[str, tuple[Callable[[Callable[..., Any]], bool], str]] = {
    "get_batch": (_batch, "gives no two arrays of shape (batch, context)"),
    "cosine_with_warmup": (_rate, "gives no numbers"),
    "adamw_step": (_move, "gives no three arrays of the weights' shape"),
}


def from_notebook(path: Path, say: Callable[[str], None]) -> Functions:
    """The functions that are written in a notebook, and the chapter's own in place of the others; `say` tells which.

    Raises solutions.llama.chat.ChatError where `path` is no notebook.
    """
    notebook = run_notebook(path, NAMES)
    for note in notebook.notes:
        say(f"{note}: this cell is left out")
    own: dict[str, Callable[..., Any]] = {}
    for name in NAMES:
        if name not in notebook.written:
            continue
        function = vars(notebook.module)[name]
        trial, wrong = TRIALS[name]
        try:
            fault = "" if trial(function) else wrong
        except Exception as error:  # whatever a student's function may raise
            fault = in_one_line(error)
        if fault:
            say(f"{name} of {path.name} {fault}: the course's own is used")
        else:
            own[name] = function
    yours = ", ".join(own) or "none of them"
    others = ", ".join(name for name in NAMES if name not in own)
    say(f"from {path.name}: {yours}" + (f"; the course's own: {others}" if others else ""))
    return replace(OURS, **own, sources=dict.fromkeys(own, path.name))


class AdamW(torch.optim.Optimizer):
    """`adamw_step`, called for each weight in turn, on PyTorch's numbers."""

    def __init__(
        self,
        weights: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float],
        weight_decay: float,
        adamw_step: Callable[..., Any] = training.adamw_step,
    ) -> None:
        self.adamw_step = adamw_step
        super().__init__(list(weights), {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state.update(steps=0, m=torch.zeros_like(weight), v=torch.zeros_like(weight))
                state["steps"] += 1
                old = [tensor.numpy() for tensor in (weight, weight.grad, state["m"], state["v"])]
                new = self.adamw_step(*old, state["steps"], group["lr"], beta1, beta2, EPS, group["weight_decay"])
                for tensor, array in zip((weight, state["m"], state["v"]), new, strict=True):
                    tensor.copy_(torch.from_numpy(np.array(array, np.float32)))
