"""Case 4: what its encoder reads, that it goes on where it was stopped, and the stored results."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import pretraining
from benchmarks.experiments import predictions
from benchmarks.pretraining import READINGS, Judging, Reading
from solutions.classification import outside, reviews
from solutions.classification.case4 import Case4, Encoder

ROOT = Path(__file__).parent.parent
CACHED = (
    pretraining.tokenizer,
    pretraining.word_ids,
    pretraining.library,
    pretraining.token_vectors,
    pretraining.started,
)


@pytest.fixture
def few_texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Only the first 120 reviews are there to be read, two times each."""
    texts = outside.unlabelled()[:120]
    for cached in CACHED:
        cached.cache_clear()
    monkeypatch.setattr(pretraining.outside, "unlabelled", lambda: texts)
    for name, reading in READINGS.items():
        monkeypatch.setitem(READINGS, name, Reading(reading.says, min(reading.epochs, 2), False, reading.next_token))
    yield
    for cached in CACHED:
        cached.cache_clear()


def runs_of_twelve(text: str) -> set[str]:
    return {text[at : at + 12] for at in range(len(text) - 11)}


@pytest.mark.slow
def test_no_review_of_validation_or_test_was_read() -> None:
    """What is read is turned back into text: none of it is one of these reviews, or shares a tenth with them all."""
    read = [pretraining.tokenizer().decode([id - pretraining.FIRST for id in ids]) for ids in pretraining.library()]
    parts = reviews.split()
    held = [reviews.normal(text) for part in ("val", "test") for text, _ in parts[part]]
    known = set().union(*map(runs_of_twelve, held))
    assert len(read) > 15_000 and len(held) == 1440
    for text in map(reviews.normal, read):
        mine = runs_of_twelve(text)
        assert text not in held and (not mine or len(mine & known) < len(mine) / 10), text[:30]
    trained = {reviews.normal(text) for text, _ in parts["train"]}
    assert len(trained & set(map(reviews.normal, read))) > 3000, "the training part may be read, and is"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["short", "next"])
def test_a_reading_that_was_stopped_goes_on_as_if_it_had_not_been(
    few_texts: None, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(READINGS, name, Reading("two rounds", 2, False, READINGS[name].next_token))
    whole = pretraining.read(name, tmp_path / "whole")
    asked, rounds = pretraining.batched, []

    def stopped(*arguments: object) -> list[list[int]]:
        rounds.append(arguments)
        if len(rounds) == 2:
            raise KeyboardInterrupt
        return asked(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(pretraining, "batched", stopped)
    with pytest.raises(KeyboardInterrupt):
        pretraining.read(name, tmp_path / "twice")
    assert [path.name for path in (tmp_path / "twice").iterdir()] == [f"{name}.part.pt"]
    monkeypatch.setattr(pretraining, "batched", asked)
    again = pretraining.read(name, tmp_path / "twice")
    assert again["losses"] == whole["losses"] and len(whole["losses"]) == 2 and whole["losses"][1] < whole["losses"][0]
    one, other = (torch.load(tmp_path / folder / f"{name}.pt") for folder in ("whole", "twice"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert [path.name for path in (tmp_path / "twice").iterdir()] == [f"{name}.pt"]


@pytest.mark.slow
def test_a_run_is_the_same_whenever_it_is_repeated(
    few_texts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretraining.read("short", tmp_path)
    monkeypatch.setitem(pretraining.JUDGINGS, "frozen", Judging("short", frozen=True))
    names = ("short", "short", "frozen")
    first, second, frozen = (pretraining.judge(name, 3, {"rate": 1e-3}, tmp_path, limit=40) for name in names)
    for found in (first, second, frozen):
        found.pop("cpu_seconds")
    assert first == second and first["test"]["count"] == 40
    assert frozen["val_loss"] != first["val_loss"]


def test_gaps_in_texts_that_nobody_read_are_filled_better_after_reading(
    few_texts: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretraining.read("short", tmp_path / "read")
    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "started", lambda name, folder: pretraining.fresh(READINGS["none"]).state_dict())
        before = pretraining.unseen("short", tmp_path, limit=40)
    assert pretraining.unseen("short", tmp_path / "read", limit=40) < before


def test_next_tokens_are_guessed_from_what_stands_before() -> None:
    """The target of a place is the token after it, and a causal encoder sees none of those after."""
    rows = [[5, 6, 7, 8, 9] * 40]
    ids, mask, targets = pretraining.question(rows, READINGS["next"], np.random.default_rng(0))
    asked = (targets >= 0).nonzero().tolist()
    assert ids.shape == (1, pretraining.MAX_TOKENS) and len(asked) > 5 and mask.all()
    assert all(targets[row, at] == ids[row, at + 1] for row, at in asked)
    torch.manual_seed(0)
    encoder = Encoder(20, 8, 2, 2, causal=True).eval()
    ids = torch.tensor([[5, 6, 7, 8]])
    _, h = encoder(ids, ids > 0)
    _, other = encoder(torch.tensor([[5, 6, 9, 9]]), ids > 0)
    assert torch.allclose(h[:, :2], other[:, :2], atol=1e-6) and not torch.allclose(h[:, 2:], other[:, 2:], atol=1e-3)


def test_case_4_does_not_read_padding() -> None:
    torch.manual_seed(0)
    model = Case4(Encoder(20, 8, 2, 2), 2).eval()
    ids = torch.tensor([[5, 6, 7, 0, 0, 0]])
    _, padded = model(ids, ids > 0)
    weights, alone = model(ids[:, :3], ids[:, :3] > 0)
    assert torch.allclose(padded, alone, atol=1e-5)
    assert weights.shape == (1, 2, 3, 3) and torch.allclose(weights.sum(-1), torch.ones(1, 2, 3))


def test_a_block_is_pytorchs_own() -> None:
    from torch import nn

    torch.manual_seed(0)
    block = pretraining.Encoder(20, 8, 1, 2).blocks[0].eval()
    theirs = nn.TransformerEncoderLayer(8, 2, 32, 0.0, "gelu", batch_first=True, norm_first=True).eval()
    state = theirs.state_dict()
    pairs = {"self_attn.in_proj_": "qkv.", "self_attn.out_proj.": "out.", "linear1.": "feed_forward.0."}
    pairs |= {"linear2.": "feed_forward.2.", "norm1.": "norm1.", "norm2.": "norm2."}
    own = block.state_dict()
    theirs.load_state_dict({a + kind: own[b + kind] for a, b in pairs.items() for kind in ("weight", "bias")} | {})
    assert len(state) == len(own)
    x, mask = torch.randn(3, 5, 8), torch.tensor([[True] * 5, [True] * 4 + [False], [True] * 2 + [False] * 3])
    bias = torch.zeros(3, 1, 1, 5).masked_fill(~mask[:, None, None], -1e9)
    found, expected = block(x, bias)[0], theirs(x, src_key_padding_mask=~mask)
    assert torch.allclose(found[mask], expected[mask], atol=1e-5)


def test_what_was_trained_on_the_reviews_is_not_shipped() -> None:
    ignored = subprocess.run(["git", "check-ignore", str(pretraining.ENCODERS / "read.pt")], cwd=ROOT, check=False)
    assert ignored.returncode == 0
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    assert not [file for file in files if file.endswith((".pt", ".pth", ".encoders"))]


@pytest.fixture
def stored() -> dict:
    if not pretraining.RESULTS.exists():
        pytest.skip("no results yet: make experiments")
    return pretraining.load()


def test_the_stored_results_say_where_they_come_from(stored: dict) -> None:
    assert stored["selection"] == reviews.SHA256
    assert {row["name"] for row in stored["readings"]} == {name for name, r in READINGS.items() if r.epochs}
    for row in stored["readings"]:
        assert len(row["losses"]) == READINGS[row["name"]].epochs and row["commit"] and row["cpu_seconds"] > 0
        assert row["tokens"] == stored["read"]["tokens"]
    for run in stored["runs"]:
        assert (
            run["commit"]
            and run["cpu_seconds"] > 0
            and run["code"] == pretraining.digest(run["name"], stored["chosen"])
        )


def test_the_settings_were_chosen_on_validation(stored: dict) -> None:
    tuning = [run for run in stored["runs"] if run["name"] in pretraining.TUNING]
    assert len(tuning) == len(pretraining.TUNING) * len(pretraining.TUNING_SEEDS)
    assert not any("test" in run for run in tuning)
    assert stored["chosen"] == pretraining.choose(stored["runs"]) is not None


def test_the_stored_scores_are_those_of_the_stored_verdicts(stored: dict) -> None:
    labels = np.array([label for _, label in reviews.split()["test"]])
    assert predictions({"bits": stored["test_labels"], "count": len(labels)}) == labels.tolist()
    rows = [run[kind] for run in stored["runs"] for kind in ("test", "both") if kind in run]
    rows += [row["test"] for row in stored["counting"]]
    assert len(rows) > 50
    assert all((np.array(predictions(row)) == labels).mean() == pytest.approx(row["accuracy"]) for row in rows)


def test_every_run_that_the_page_speaks_of_is_there(stored: dict) -> None:
    have = {(run["name"], run["seed"]) for run in stored["runs"]}
    for name in pretraining.MAIN:
        assert {(name, seed) for seed in pretraining.SEEDS} <= have
    for name in pretraining.CURVE | {"vectors": None, "next": None, "short": None}:
        assert (name, 0) in have, f"{name} is missing: make experiments goes on with it"
