"""The fast LLaMA gives the numbers of Hugging Face's, and of the clear one that students build, however it is used."""

import functools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_llama import random_llama
from transformers import LlamaForCausalLM

from solutions.llama import generation, layouts, model
from solutions.llama.checkpoints import Config
from solutions.llama.fast import CHUNK, FEW, FIRST_ROOM, FIRST_TURNS, Cache, Llama, Reader, likeliest, sample
from solutions.llama.huggingface import interleaved
from solutions.llama.layouts import LAYOUTS, ROUNDS, SEVERAL, few, piece

TINY = Config(dim=32, hidden=56, layers=3, heads=4, kv_heads=2, vocab=97, max_len=600)
SHAPES = {
    "grouped, untied": TINY,
    "grouped, tied, base 500000": replace(TINY, tied=True, rope_base=500000.0),
    "all heads": replace(TINY, kv_heads=4, eps=1e-6),
    "one key/value head": replace(TINY, kv_heads=1, tied=True),
    "one head, one layer": replace(TINY, heads=1, kv_heads=1, layers=1),
    "pairs only": replace(TINY, dim=16, heads=8, kv_heads=4),
}
SAME = 5e-5  # what rounding may do to logits near 10 in two ways of computing them


@functools.cache
def both(config: Config) -> tuple[LlamaForCausalLM, dict[str, Any]]:
    """A model of Hugging Face's with logits near 10, and its weights in the form of the course."""
    theirs = random_llama(config, seed=1, spread=0.3)
    state = {name: tensor.detach().numpy() for name, tensor in theirs.state_dict().items()}
    names = {"Wq": "self_attn.q_proj", "Wk": "self_attn.k_proj", "Wv": "self_attn.v_proj", "Wo": "self_attn.o_proj"}
    names |= {"Wg": "mlp.gate_proj", "Wu": "mlp.up_proj", "Wd": "mlp.down_proj"}
    names |= {"attn_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
    blocks = []
    for layer in range(config.layers):
        block = {name: state[f"model.layers.{layer}.{there}.weight"] for name, there in names.items()}
        for name in ("Wq", "Wk"):
            block[name] = interleaved(block[name], config.head_dim)
        blocks.append({name: array.T for name, array in block.items()})
    embed, norm, head = (state[f"{name}.weight"] for name in ("model.embed_tokens", "model.norm", "lm_head"))
    return theirs, {"embed": embed, "blocks": blocks, "norm": norm, "head": head.T}


@functools.cache
def fast(config: Config) -> Llama:
    return Llama(config, both(config)[1])


def some_ids(config: Config, count: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(config.vocab, size=count).tolist()


def greedy(logits: np.ndarray) -> int:
    return int(logits.argmax())


def every_logits(config: Config, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        return both(config)[0](torch.tensor([ids])).logits[0].numpy()


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max())


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_the_logits_are_hugging_faces(config: Config) -> None:
    for count in (1, 2, 33, CHUNK + 1, 2 * CHUNK + 5):
        ids = some_ids(config, count, seed=count)
        logits, _ = fast(config).prefill(ids)
        assert largest_difference(logits, every_logits(config, ids)[-1]) < 1e-4


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_every_step_is_hugging_faces(config: Config) -> None:
    ids = some_ids(config, FIRST_ROOM + 80)  # so that the cache grows once
    expected = every_logits(config, ids)
    assert np.abs(expected).max() > 4
    logits, cache = fast(config).prefill(ids[:1], Cache(config))
    for position, id in enumerate(ids[1:]):
        assert largest_difference(logits, expected[position]) < 1e-4, position
        logits = fast(config).step(id, cache)
    assert largest_difference(logits, expected[-1]) < 1e-4


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_greedy_writing_is_that_of_the_clear_model(config: Config) -> None:
    clear = model.Model(config, both(config)[1])
    for seed in range(3):
        prompt = some_ids(config, 5 + seed, seed)
        logits, past = clear.step([prompt])
        expected = []
        for _ in range(70):
            expected.append(int(logits[0].argmax()))
            logits, past = clear.step([[expected[-1]]], past)
        assert list(generation.generate(Reader(fast(config)), prompt, greedy, 70, set())) == expected


@settings(max_examples=40)
@given(st.sampled_from(list(SHAPES)), st.lists(st.integers(1, 90) | st.just(CHUNK + 1), min_size=1, max_size=4))
def test_cached_is_uncached_however_the_prompt_is_cut(shape: str, lengths: list[int]) -> None:
    config = SHAPES[shape]
    ids = some_ids(config, min(sum(lengths), config.max_len), seed=sum(lengths))
    whole, _ = fast(config).prefill(ids)
    cache, start = None, 0
    for length in lengths:
        if start < len(ids):
            logits, cache = fast(config).prefill(ids[start : start + length], cache)
            start += length
    assert cache.length == len(ids)
    assert largest_difference(logits, whole) < SAME


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_a_batch_is_its_texts_one_by_one(config: Config) -> None:
    prompts = [some_ids(config, length, seed=length) for length in (1, 7, 40, FIRST_ROOM, 3)]
    llama = fast(config)
    logits, caches = llama.prefill_batch(prompts)
    alone = [llama.prefill(prompt) for prompt in prompts]
    assert largest_difference(logits, np.array([row for row, _ in alone])) < SAME
    more = [some_ids(config, length, seed=50 + length) for length in (2, CHUNK, 1, 9, 100)]
    logits, _ = llama.prefill_batch(more, caches)
    alone = [llama.prefill(ids, cache) for ids, (_, cache) in zip(more, alone, strict=True)]
    assert largest_difference(logits, np.array([row for row, _ in alone])) < SAME
    for step in range(6):
        ids = some_ids(config, len(prompts), seed=100 + step)
        logits = llama.step_batch(ids, caches)
        assert logits.shape == (len(prompts), config.vocab)
        for row, id, (_, cache) in zip(logits, ids, alone, strict=True):
            assert largest_difference(row, llama.step(id, cache)) < SAME
    assert llama.step_batch(ids[1:3], caches[1:3]).shape == (2, config.vocab)


def test_what_a_model_could_read_costs_nothing_until_it_is_read() -> None:
    """A config may allow for a billion positions: tables and caches grow with what is there."""
    config = replace(TINY, layers=1, max_len=1 << 30)
    llama = Llama(config, both(config)[1])
    ids = some_ids(config, FIRST_TURNS + 3)
    expected = every_logits(config, ids)[-3:]
    logits, cache = llama.prefill(ids[:-2])
    assert largest_difference(logits, expected[0]) < 1e-4
    assert len(llama.turns) < 5 * FIRST_TURNS and cache.room < 5 * FIRST_TURNS
    fresh = Llama(config, both(config)[1])  # whose table is too short for the next step
    for id, row in zip(ids[-2:], expected[1:], strict=True):
        assert largest_difference(fresh.step(id, cache), row) < 1e-4


class Watched(np.ndarray):
    """An array that remembers of what kind all arrays were that came of it."""

    kinds: ClassVar[set[str]] = set()

    def __array_finalize__(self, _other: object) -> None:
        self.kinds.add(self.dtype.name)


def test_float32_everywhere() -> None:
    config = SHAPES["grouped, untied"]
    llama = Llama(config, both(config)[1])
    for name, array in vars(llama).items():
        if isinstance(array, np.ndarray):
            assert array.dtype in (np.float32, np.complex64), name
            setattr(llama, name, array.view(Watched))
    llama.blocks, llama.rows, llama.columns = (
        [tuple(array.view(Watched) for array in block) for block in blocks]
        for blocks in (llama.blocks, llama.rows, llama.columns)
    )
    Watched.kinds.clear()
    ids = some_ids(config, CHUNK + 3)
    logits, cache = llama.prefill(ids)
    cache.keys, cache.values = cache.keys.view(Watched), cache.values.view(Watched)
    more = llama.step(5, cache)
    batch = llama.step_batch([5, 6], llama.prefill_batch([ids[:3], ids[:4]])[1])
    assert logits.dtype == more.dtype == batch.dtype == np.float32
    assert {"float32", "complex64"} <= Watched.kinds <= {"float32", "complex64", "bool"}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_weights_lie_in_one_array_in_the_order_of_their_use(layout: str) -> None:
    llama = Llama(TINY, both(TINY)[1], layout)
    many = SEVERAL + 1  # which want columns, while a few want what the layout has
    for together in (2, many):
        llama.step_batch([1] * together, llama.prefill_batch([[1]] * together)[1])
        second = together == many and layout != "columns"
        assert (llama.other is not None) == second, "a second copy is made when there is a batch that wants it"
    kept = [(llama.memory, llama.blocks, llama.head)]
    if layout != "columns":
        kept.append((llama.other, llama.columns, llama.columns_head))
    for memory, blocks, head in kept:
        before = memory.ctypes.data - 1
        for array in [*(array for block in blocks for array in block), head]:
            assert array.flags.c_contiguous and np.shares_memory(array, memory)
            assert before < array.ctypes.data and array.ctypes.data % 64 == 0
            before = array.ctypes.data + array.nbytes - 1
        assert before < memory.ctypes.data + memory.nbytes
    again = llama.other
    llama.step_batch([1] * many, llama.prefill_batch([[1]] * many)[1])
    assert llama.other is again
    tied = replace(TINY, tied=True)
    llama = Llama(tied, both(tied)[1], layout)
    assert np.shares_memory(llama.embed, llama.memory) and llama.embed.shape == (TINY.vocab, TINY.dim)


@pytest.mark.parametrize("several", ["rows", "columns"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("config", [TINY, replace(TINY, tied=True)], ids=["untied", "tied"])
def test_every_layout_gives_the_same_numbers(config: Config, layout: str, several: str) -> None:
    """One text and several, a step and a look at some ids together, whichever way the weights lie."""
    ids = some_ids(config, 60)
    expected = every_logits(config, ids)
    llama = Llama(config, both(config)[1], layout)
    llama.layout = replace(llama.layout, several=several)
    _, cache = llama.prefill(ids[:1])
    assert largest_difference(llama.step(ids[1], cache), expected[1]) < 1e-4
    at = 2
    for together in (2, 1, 3, SEVERAL, SEVERAL + 1, 8):
        rows = llama.look(ids[at : at + together], cache)
        assert rows.shape == (together, config.vocab)
        assert largest_difference(rows, expected[at : at + together]) < 1e-4, together
        at += together
    batch = llama.step_batch([ids[at]] * 3, [cache, *(llama.prefill(ids[:at])[1] for _ in range(2))])
    assert largest_difference(batch, np.array([expected[at]] * 3)) < 1e-4


@settings(max_examples=60)
@given(st.integers(1, SEVERAL), st.integers(1, 300), st.integers(1, 70) | st.just(2048))
def test_a_few_rows_are_multiplied_block_by_block(n: int, outputs: int, inputs: int) -> None:
    rng = np.random.default_rng(n)
    x, W = (rng.standard_normal(shape, dtype=np.float32) for shape in ((n, inputs), (outputs, inputs)))
    assert np.allclose(few(x, W), x.astype(float) @ W.T.astype(float), rtol=1e-4, atol=1e-3)


def test_the_layout_is_the_one_that_took_the_least_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock on which each way takes as long as we say, on a model that is too large for a core's cache."""
    config = replace(TINY, vocab=20_000, layers=1)
    weights = both(config)[1]
    for best in LAYOUTS:
        for several in ("rows", "columns"):
            ways = [*LAYOUTS, "several by rows", "several by columns"]
            durations = [1.0 if way in (best, f"several by {several}") else 2.0 for way in ways]
            ticks = [tick for duration in durations for tick in (0.0, duration)] * ROUNDS
            monkeypatch.setattr(layouts, "clock", iter(ticks).__next__)
            llama = Llama(config, weights, "fastest")
            assert (llama.layout.name, llama.layout.several) == (best, several)
            assert f"layout {best}" in str(llama.layout) and f"{best} 1.00" in str(llama.layout)
            monkeypatch.undo()


def test_columns_are_taken_where_nothing_is_better_by_more_than_two_hundredths(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt is read by columns: with another layout, a tie would cost it a tenth of its pace for nothing."""
    for rows, columns, taken in ((1.0, 1.01, "columns"), (1.0, 1.03, "rows"), (1.0, 0.9, "columns")):
        durations = [{"rows": rows, "columns": columns}.get(way, 2.0) for way in [*LAYOUTS, "by rows", "by columns"]]
        ticks = [tick for duration in durations for tick in (0.0, duration)] * ROUNDS
        monkeypatch.setattr(layouts, "clock", iter(ticks).__next__)
        assert layouts.fastest([(64, 64), (8, 64)], [2, 1]).name == taken


def test_of_a_large_model_a_part_is_timed_with_its_shares() -> None:
    assert piece(6, (864, 288), 1.0) == (6, (864, 288)), "a model that is not large: all of it"
    assert piece(24, (1000, 64), 0.5) == (12, (1000, 64)), "half of a model: half of its matrices"
    assert piece(1, (32_000, 64), 0.25) == (1, (8_000, 64)), "of the head, a quarter of its rows"
    assert piece(2, (1000, 64), 0.001) == (1, (2, 64))
    for count, outputs, share in ((16, 2048, 0.3), (1, 128_256, 0.3), (80, 28_672, 0.002)):
        number, (rows, inputs) = piece(count, (outputs, 8192), share)
        assert inputs == 8192 and number * rows == pytest.approx(count * outputs * share, rel=0.01)


@pytest.mark.timing
def test_the_layout_that_is_chosen_writes_about_as_fast_as_the_best() -> None:
    """On a model of 60 MB, where a way that is best for matrices in the CPU's cache may take twice the time."""
    config = Config(dim=288, hidden=768, layers=6, heads=6, kv_heads=6, vocab=32_000, max_len=256, tied=True)
    weights = both(config)[1]
    chosen = Llama(config, weights, "fastest")
    readers = {name: Reader(chosen if name == chosen.layout.name else Llama(config, weights, name)) for name in LAYOUTS}
    texts: dict[str, list[int]] = {name: [1] for name in LAYOUTS}
    times: dict[str, list[float]] = {name: [] for name in LAYOUTS}
    for _ in range(40):
        for name, reader in readers.items():  # in turns: what else the machine does meets all of them
            start = layouts.clock()
            texts[name].append(int(np.argmax(reader(texts[name]))))
            times[name].append(layouts.clock() - start)
    seconds = {name: np.median(each) for name, each in times.items()}
    assert seconds[chosen.layout.name] <= 1.5 * min(seconds.values()), (seconds, str(chosen.layout))


def test_a_layout_that_is_fixed_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "clock", lambda: pytest.fail("timed"))
    for name in LAYOUTS:
        assert Llama(TINY, both(TINY)[1], name).layout.seconds == {}
    assert "not timed" in str(Llama(TINY, both(TINY)[1], "fastest").layout), "so small a model stays in the cache"
    with pytest.raises(ValueError, match="layout 'diagonal': it is one of rows, rows-blas, columns, or fastest"):
        Llama(TINY, both(TINY)[1], "diagonal")


def test_numbers_that_overflow_do_no_harm() -> None:
    """A gate of -1000, whose exp(1000) is infinite, and scores in the thousands."""
    weights = both(TINY)[1]
    blocks = [block | {"Wg": 400 * block["Wg"], "Wq": 300 * block["Wq"]} for block in weights["blocks"]]
    llama = Llama(TINY, weights | {"blocks": blocks})
    ids = some_ids(TINY, 30)
    with np.errstate(all="raise", under="ignore"):
        logits, cache = llama.prefill(ids)
        more = llama.step(3, cache)
        batch = llama.step_batch([3], [llama.prefill(ids)[1]])
    assert np.isfinite(logits).all() and np.isfinite(more).all() and np.isfinite(batch).all()


def test_what_cannot_be_is_refused() -> None:
    llama, few = fast(TINY), replace(TINY, max_len=8)
    with pytest.raises(ValueError, match="at least one"):
        llama.prefill([])
    for wrong in (-1, TINY.vocab):
        with pytest.raises(ValueError, match=f"{wrong}.*{TINY.vocab}"):
            llama.prefill([1, wrong])
        with pytest.raises(ValueError, match=f"{wrong}.*{TINY.vocab}"):
            llama.step(wrong, llama.prefill([1])[1])
        with pytest.raises(ValueError, match=f"{wrong}.*{TINY.vocab}"):
            llama.step_batch([wrong], [llama.prefill([1])[1]])
    short = Llama(few, both(TINY)[1])
    with pytest.raises(ValueError, match="8 positions"):
        short.prefill(range(9))
    _, cache = short.prefill(range(8))
    with pytest.raises(ValueError, match="8 positions"):
        short.step(1, cache)
    assert cache.length == 8
    with pytest.raises(ValueError, match="same cache"):
        llama.step_batch([1, 2], [cache, cache])
    with pytest.raises(ValueError, match="2 texts, and 1 caches"):
        llama.step_batch([1, 2], [cache])


def test_the_reader_reads_nothing_twice() -> None:
    """Whatever it is asked, the logits are those of the whole; what they have in common is kept."""
    llama, reader, read = fast(TINY), Reader(fast(TINY)), []

    class Counted:
        config = TINY

        def prefill(self, ids: list[int], cache: Cache | None) -> tuple[np.ndarray, Cache]:
            read.append(len(ids))
            return llama.prefill(ids, cache)

        def step(self, id: int, cache: Cache) -> np.ndarray:
            read.append(1)
            return llama.step(id, cache)

    reader = Reader(Counted())
    for ids, new in (
        ([1, 2, 3], 3),
        ([1, 2, 3, 4], 1),
        ([1, 2, 3, 4, 5, 6], 2),
        ([1, 2, 3, 9], 1),
        ([1, 2], 1),
        ([1, 2], 1),
        ([7], 1),
        ([7, 8, 9, 1, 2, 3], 5),
    ):
        assert largest_difference(reader(ids), llama.prefill(ids)[0]) < SAME
        assert read.pop() == new and not read, ids


def test_a_reader_that_was_interrupted_goes_on_rightly() -> None:
    class Interrupted(Llama):
        rest = -1

        def read(self, pieces: list[np.ndarray], caches: list[Cache]) -> np.ndarray:
            self.rest -= 1
            if self.rest == 0:
                raise KeyboardInterrupt
            return super().read(pieces, caches)

    llama = Interrupted(TINY, both(TINY)[1])
    ids = some_ids(TINY, 2 * CHUNK + 10)
    for before in ([], ids[:3], [*ids[:2], 0, 0, 0]):
        reader = Reader(llama)
        if before:
            reader(before)
        llama.rest = 2  # in its second piece
        with pytest.raises(KeyboardInterrupt):
            reader(ids)
        assert largest_difference(reader(ids[:4]), fast(TINY).prefill(ids[:4])[0]) < SAME
        assert largest_difference(reader(ids), fast(TINY).prefill(ids)[0]) < SAME


@pytest.mark.parametrize("longest", [1, 2, 7, 8])
def test_a_text_may_grow_longer_than_the_model_was_made_for(longest: int) -> None:
    short = Llama(replace(TINY, max_len=longest), both(TINY)[1])
    text = [1, 2, 3]
    read, prefills = Reader(short), []
    for new in generation.generate(read, text.copy(), greedy, 40, set()):
        seen = read.ids
        assert (text[-len(seen) :] == seen and longest // 2 < len(seen) <= longest) or seen == text
        assert new == short.prefill(seen)[0].argmax()
        prefills.append(len(seen))
        text.append(new)
    assert len(text) == 43 and max(prefills) == longest


@pytest.mark.parametrize("options", [{}, {"top_k": 5}, {"top_p": 0.7}, {"top_k": 400, "top_p": 0.95}, {"top_p": 1.0}])
@pytest.mark.parametrize("temperature", [0.0, 0.3, 1.0, 2.5])
def test_sampling_is_that_of_the_notebook(options: dict[str, Any], temperature: float) -> None:
    """The same ids for the same seed, whether the likeliest few suffice or not, and with many equal logits."""
    for seed, width in enumerate([0.1, 3.0, 10.0]):
        rng = np.random.default_rng(seed)
        logits = (rng.normal(size=3 * FEW) * width).round(1).astype(np.float32)
        ours, theirs = np.random.default_rng(seed), np.random.default_rng(seed)
        drawn = [sample(logits, temperature, **options, rng=ours) for _ in range(60)]
        assert drawn == [generation.sample(logits, temperature, **options, rng=theirs) for _ in range(60)]


def test_the_coldest_and_the_hottest() -> None:
    logits, rng = np.array([1, 3, 2], np.float32), np.random.default_rng(0)
    with np.errstate(all="raise", under="ignore"):
        assert {sample(logits, temperature, rng=rng) for temperature in (1e-300, 1e-40, 1e-8) for _ in range(9)} == {1}
        assert {sample(logits, 1e300, rng=rng) for _ in range(60)} == {0, 1, 2}


def test_the_likeliest_are_in_order_and_ties_go_to_the_lowest() -> None:
    p = np.array([1, 3, 2, 3, 1, 3, 0], np.float32)
    assert [likeliest(p, few).tolist() for few in (1, 2, 4, 5, 7)] == [
        [1],
        [1, 3],
        [1, 3, 5, 2],
        [1, 3, 5, 2, 0],
        [1, 3, 5, 2, 0, 4, 6],
    ]


@pytest.mark.slow
def test_the_benchmark_runs_and_all_write_the_same(tmp_path: Path) -> None:
    out = tmp_path / "llama.json"
    command = [sys.executable, "-m", "benchmarks.llama", "--quick", "--only", "260K", "--out", str(out)]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0, done.stderr
    results = json.loads(out.read_text())
    assert results["quick"] is True and results["machine"]["numpy"] == np.__version__ and results["machine"]["blas"]
    tools = {(row["group"], row["tool"], row["batch"]) for row in results["rows"]}
    assert len(tools) == len(results["rows"]) == 22
    for row in results["rows"]:
        assert row["same_as_ours"] and row["tokens"] >= 4, row
        assert row["prefill"] > 0 and row["decode"] > 0
    assert all(bound > 0 for bound in results["bound_tokens_per_second"]["260K"].values())
    assert "ours" in done.stdout and "habits of ports" in done.stdout
