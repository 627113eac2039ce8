"""Guessing ahead changes nothing but the time: greedily the same ids, by chance the same draws, right or wrong."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from solutions.llama import generation
from solutions.llama.checkpoints import Config, load
from solutions.llama.drafting import FIRST, MOST, PROOFS, DraftingReader, Lookup
from solutions.llama.fast import Llama, Reader, sample
from solutions.llama.generation import accept_draft

TRAINED = Path(__file__).parent.parent / "solutions" / "llama" / "trained"
NEAR = 1e-4  # two logits that are as close as this may change places
TINY = Config(dim=32, hidden=56, layers=3, heads=4, kv_heads=2, vocab=97, max_len=600)


def random_weights(config: Config) -> dict[str, Any]:
    """Weights of chance, of which come logits near 10."""
    rng = np.random.default_rng(1)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.standard_normal((rows, columns), dtype=np.float32) * np.float32(2 / rows**0.5)

    D, F, kv, ones = config.dim, config.hidden, config.kv_heads * config.head_dim, np.ones(config.dim, np.float32)
    shapes = {"Wq": (D, D), "Wk": (D, kv), "Wv": (D, kv), "Wo": (D, D), "Wg": (D, F), "Wu": (D, F), "Wd": (F, D)}
    norms = {"attn_norm": ones, "mlp_norm": ones}
    blocks = [norms | {name: matrix(*shape) for name, shape in shapes.items()} for _ in range(config.layers)]
    return {"embed": matrix(config.vocab, D), "blocks": blocks, "norm": ones, "head": matrix(D, config.vocab)}


@cache
def fast(config: Config) -> Llama:
    return Llama(config, random_weights(config))


def some_ids(config: Config, count: int) -> list[int]:
    return np.random.default_rng(0).integers(config.vocab, size=count).tolist()


def greedy(logits: np.ndarray) -> int:
    return int(logits.argmax())


@cache
def shipped(name: str) -> tuple[Llama, Any]:
    config, weights, vocabulary = load(TRAINED / name)
    return Llama(config, weights), vocabulary


def write(reader: Any, prompt: list[int], count: int, choose: Any = greedy) -> list[int]:
    return list(generation.generate(reader, prompt, choose, count, set()))


def differ_only_where_two_are_near(llama: Llama, prompt: list[int], plain: list[int], drafted: list[int]) -> bool:
    """The first two tokens that differ have logits that rounding may order either way: for the best, and for a draw."""
    at = next((at for at, (a, b) in enumerate(zip(plain, drafted, strict=True)) if a != b), None)
    if at is None:
        return True
    logits = Reader(llama)([*prompt, *plain[:at]])
    return bool(abs(logits[plain[at]] - logits[drafted[at]]) < NEAR)


@pytest.mark.parametrize("name", ["austen", "tang"])
def test_fifty_prompts_of_each_shipped_model_are_written_as_without_guesses(name: str) -> None:
    llama, vocabulary = shipped(name)
    samples = json.loads((TRAINED / name / "made.json").read_text(encoding="utf-8"))["samples"]
    ids = [id for sample in samples for id in vocabulary.encode(sample["text"])]
    stood = 0
    for at in range(50):
        prompt = [ids[(7 * at + step) % len(ids)] for step in range(1 + at % 9)]
        reader = DraftingReader(llama)
        drafted, plain = write(reader, prompt, 40), write(Reader(llama), prompt, 40)
        assert differ_only_where_two_are_near(llama, prompt, plain, drafted), prompt
        stood += reader.stood
    assert stood > 20, "hardly a guess stood, so nothing was compared"


@settings(max_examples=40)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.integers(0, 2**31), st.integers(0, 3))
@example([0, 5], 231, 0)  # the draw falls on one of two tokens whose logits differ by 2e-6
def test_whatever_is_guessed_the_text_is_the_same(prompt: list[int], seed: int, right: int) -> None:
    """Guesses by chance, of which `right` of 4 are what will be chosen; greedily and drawn by the same seed."""
    rng = np.random.default_rng(seed)

    def drawing() -> Any:
        return partial(sample, temperature=0.7, rng=np.random.default_rng(seed))

    for make in (lambda: greedy, drawing):
        expected = write(Reader(fast(TINY)), prompt, 30, make())
        text = prompt + expected

        class Guessing(DraftingReader):
            def guess(self, ids: list[int], most: int, text: list[int] = text) -> list[int]:
                coming = text[len(ids) : len(ids) + most]
                return [id if rng.random() * 4 < right else (id + 1) % TINY.vocab for id in coming]

        reader = Guessing(fast(TINY))
        reader.wanted = 0  # the first guess is read, right or wrong
        drafted = write(reader, prompt, 30, make())
        if drafted != expected:  # from there on, two texts are written
            assert differ_only_where_two_are_near(fast(TINY), prompt, expected, drafted)
            continue
        assert 0 <= reader.stood <= reader.offered and reader.offered > 0
        if right == 0:
            assert reader.stood == 0
        assert reader.cache.length >= len(text) - 1


def test_drawn_tokens_have_the_probabilities_of_the_model() -> None:
    """800 draws beside a guess, and of the token after it where it stands: each as likely as without a guess."""
    llama, prompt = fast(TINY), some_ids(TINY, 12)
    logits = np.array(Reader(llama)(prompt), float)
    likely = int(logits.argmax())
    for temperature in (3.0, 1.5, 0.7, 0.4, 0.2, 0.1):  # until the guess stands about every other time
        p = generation.temperature_softmax(logits, temperature)
        if p[likely] > 0.3:
            break
    assert 0.3 < p[likely] < 0.8
    after = generation.temperature_softmax(np.array(Reader(llama)([*prompt, likely]), float), temperature)
    rng = np.random.default_rng(5)

    class One(DraftingReader):
        def guess(self, ids: list[int], most: int) -> list[int]:
            return [likely]

    first, second = Counter[int](), Counter[int]()
    reader = One(llama)
    for _ in range(800):
        reader.on = False
        reader(prompt[:-1])  # without a guess, so that the last id and its guess are read together
        reader.on, reader.wanted = True, 0
        drawn = sample(reader(prompt), temperature, rng=rng)
        first[drawn] += 1
        if drawn == likely:
            second[sample(reader([*prompt, drawn]), temperature, rng=rng)] += 1
    assert reader.offered == 800 and reader.stood == first[likely] == second.total()
    for counts, expected in ((first, p), (second, after)):
        n = counts.total()
        assert all(abs(counts[id] - n * expected[id]) < 4.5 * np.sqrt(n * expected[id] + 1) for id in range(TINY.vocab))


def test_it_writes_what_accept_draft_says() -> None:
    """The exercise's function in a loop by hand, on guesses that a lookup makes."""
    llama, prompt = fast(TINY), [3, 1, 4, 1, 5]
    lookup, ids = Lookup(), list(prompt)
    _, cache = llama.prefill(ids[:-1])
    while len(ids) < 65:
        draft = lookup.guess(ids, 4)
        stand, after = accept_draft(draft, llama.look([ids[-1], *draft], cache))
        ids += [*draft[:stand], after]
        cache.truncate(len(ids) - 1)
    assert ids[5:65] == write(DraftingReader(llama), prompt, 60) == write(Reader(llama), prompt, 60)


def test_the_lookup_knows_what_came_next_the_last_time() -> None:
    lookup = Lookup()
    assert lookup.guess([1, 2, 3, 4], 3) == []
    assert lookup.guess([1, 2, 3, 4, 9, 1, 2, 3], 3) == [4, 9, 1]
    assert lookup.guess([1, 2, 3, 4, 9, 1, 2, 3, 5, 2, 3], 2) == [5, 2], "of two places the later one"
    assert lookup.guess([1, 2, 3, 4, 9, 8, 2, 3], 3) == [4, 9, 8], "another text: what was said before is forgotten"
    assert lookup.guess([7, 8, 7, 8, 7, 8], 5) == [7, 8, 7, 8, 7], "a text that goes in circles goes on"
    assert lookup.guess([6, 6], 5) == [] and lookup.guess([], 5) == []


class Counted(Llama):
    """How many ids were read together, each time."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.calls: list[int] = []

    def step(self, id: int, cache: Any) -> np.ndarray:
        self.calls.append(1)
        return super().step(id, cache)

    def look(self, ids: list[int], cache: Any) -> np.ndarray:
        self.calls.append(len(ids))
        return super().look(ids, cache)


def looks_of(llama: Counted, guess: Callable[[DraftingReader, list[int]], int]) -> list[int]:
    """How many ids were read together, each time 150 are written; `guess` says how far each guess is off."""
    expected = write(Reader(fast(TINY)), [1, 2], 150)

    class Oracle(DraftingReader):
        def guess(self, ids: list[int], most: int) -> list[int]:
            coming = expected[len(ids) - 2 : len(ids) - 2 + most]
            return [(id + guess(self, ids)) % TINY.vocab for id in coming]

    llama.calls.clear()
    assert write(Oracle(llama), [1, 2], 150) == expected
    return list(llama.calls)


def test_it_guesses_more_where_guesses_stand_and_reads_none_where_none_does() -> None:
    llama = Counted(TINY, random_weights(TINY))
    right = looks_of(llama, lambda reader, ids: 0)
    assert max(right) == MOST + 1 and len(right) < 22
    assert looks_of(llama, lambda reader, ids: 1) == [1] * 149, "a guess is read though none has proved right"


def test_guesses_that_are_right_until_they_are_read_cost_little() -> None:
    """The worst case: each reading is in vain, and each time more guesses have to prove right before the next one."""
    llama = Counted(TINY, random_weights(TINY))
    calls = looks_of(llama, lambda reader, ids: int(reader.proved >= reader.wanted))
    places = [place for place, count in enumerate(calls) if count > 1]
    assert [calls[place] for place in places] == [FIRST + 1] * len(places)
    pauses = [after - before - 1 for before, after in pairwise(places)]
    assert pauses == [3, 64, 64] and PROOFS == (1, 3, 64)


def test_a_failure_after_a_success_asks_for_one_proof() -> None:
    llama = Counted(TINY, random_weights(TINY))
    calls = looks_of(llama, lambda reader, ids: int(len(ids) == 40))
    assert len(calls) < 30, "after one wrong guess among right ones it hardly guesses"


def test_at_the_end_of_what_a_model_can_read() -> None:
    short = Llama(replace(TINY, max_len=20), random_weights(TINY))
    assert write(DraftingReader(short), [1, 2, 1, 2, 1], 60) == write(Reader(short), [1, 2, 1, 2, 1], 60)


def test_it_can_be_switched_and_interrupted() -> None:
    llama = fast(TINY)
    reader = DraftingReader(llama, on=False)
    ids = write(reader, [1, 2, 1, 2], 30)
    assert reader.offered == 0
    reader.on, reader.wanted = True, 0
    assert write(reader, [1, 2, 1, 2], 30) == ids and reader.offered > 0
    text = [1, 2, 1, 2, *ids]
    _, reader.cache = llama.prefill([text[-1]], reader.cache)  # as an interruption leaves it: more was read than noted
    assert np.abs(reader(text[:20]) - Reader(llama)(text[:20])).max() < NEAR
    assert np.abs(reader(text[:21]) - Reader(llama)(text[:21])).max() < NEAR
