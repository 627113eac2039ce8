"""What a page asks of the course's models: JSON in, JSON out (chapters/assets/solve/model-worker.js calls it)."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from solutions.llama.config import Loaded
from solutions.llama.in_the_model import TRAINED, InTheModelError, Settings, compare, run_answers, trained, write
from solutions.llama.inside import Small


@cache
def model(name: str) -> Loaded:
    return trained(name)


@cache
def inside(name: str) -> Small:
    return Small(TRAINED / name)


def writing(question: str) -> Iterator[str]:
    """{"model", "text", "settings", "own": exercise → code} → the events of `write` or `compare`, one by one."""
    asked = json.loads(question)
    settings = Settings(**asked["settings"])
    try:
        own = asked.get("own")
        loaded = model(asked["model"])
        events = (
            compare(loaded, run_answers(own), asked["text"], settings)
            if own
            else write(loaded, asked["text"], settings)
        )
        yield from map(plain, events)
    except InTheModelError as error:
        yield plain({"refused": str(error)})


def looking(question: str) -> str:
    """{"model", "text"} → what the live figure shows."""
    asked = json.loads(question)
    try:
        return plain(inside(asked["model"]).figure(asked["text"]))
    except ValueError as error:
        return plain({"refused": str(error)})


def plain(it: Any) -> str:
    return json.dumps(it, ensure_ascii=False)
