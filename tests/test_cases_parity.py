"""The cases against PyTorch's own parts; the course's training loop; the stored experiments."""

import json
import math
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import experiments
from solutions.classification import cases, models, outside, reviews, training

WORDS = 30


def batch(lengths: list[int], seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.randint(2, WORDS, mask.shape, generator=made) * mask, mask


@pytest.mark.parametrize("module", [cases, models], ids=["exercise", "module"])
@pytest.mark.parametrize("masked", [False, True])
def test_self_attention_is_torchs(module, masked: bool) -> None:
    torch.manual_seed(1)
    D, (_, mask) = 8, batch([5, 2, 4])
    ours, theirs = module.SelfAttention(D), nn.MultiheadAttention(D, 1, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.query.bias, ours.key.bias, ours.value.bias]))
        theirs.out_proj.weight.copy_(torch.eye(D))
        theirs.out_proj.bias.zero_()
    x = torch.randn(3, 5, D)
    output, weights = ours(x, mask if masked else None)
    expected, expected_weights = theirs(x, x, x, key_padding_mask=~mask if masked else None)
    torch.testing.assert_close(output, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(weights, expected_weights, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("scale", [1, 1000])
def test_cross_entropy_and_its_gradient(scale: int) -> None:
    torch.manual_seed(2)
    logits, y = (torch.randn(6, 3, dtype=torch.float64) * scale).requires_grad_(), torch.tensor([0, 1, 2, 0, 1, 2])
    ours, theirs = cases.cross_entropy(logits, y), nn.functional.cross_entropy(logits, y)
    torch.testing.assert_close(ours, theirs)
    (mine,), (other,) = torch.autograd.grad(ours, logits), torch.autograd.grad(theirs, logits)
    torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("eps", [1e-5, 0.1])
def test_layer_norm_and_its_gradient(eps: float) -> None:
    torch.manual_seed(3)
    x = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    gain, bias = torch.randn(2, 5, dtype=torch.float64)
    ours, theirs = cases.layer_norm(x, gain, bias, eps), nn.functional.layer_norm(x, (5,), gain, bias, eps)
    torch.testing.assert_close(ours, theirs)
    weigh = torch.randn(2, 3, 5, dtype=torch.float64)
    (mine,), (other,) = torch.autograd.grad((ours * weigh).sum(), x), torch.autograd.grad((theirs * weigh).sum(), x)
    torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_case_3_is_a_layer_of_torchs_encoder(norm: str) -> None:
    torch.manual_seed(4)
    D, (ids, mask) = 8, batch([6, 3])
    model = models.Case3(WORDS, D, 2, norm=norm).eval()
    layer = nn.TransformerEncoderLayer(
        D, 1, 4 * D, batch_first=True, norm_first=norm == "pre", activation="gelu"
    ).eval()
    a = model.attention
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(torch.cat([a.query.weight, a.key.weight, a.value.weight]))
        layer.self_attn.in_proj_bias.copy_(torch.cat([a.query.bias, a.key.bias, a.value.bias]))
        layer.self_attn.out_proj.weight.copy_(torch.eye(D))
        layer.self_attn.out_proj.bias.zero_()
    layer.linear1.load_state_dict(model.feed_forward[0].state_dict())
    layer.linear2.load_state_dict(model.feed_forward[2].state_dict())
    x = model.embedding(ids) + models.positions(6, D)
    with torch.enable_grad():  # with gradients, torch takes the plain path, which leaves padding as it is
        h = layer(x, src_key_padding_mask=~mask)
    h = model.last_norm(h) if norm == "pre" else h
    expected = model.classifier(models.masked_mean(h, mask))
    torch.testing.assert_close(model(ids, mask)[1], expected, atol=1e-5, rtol=1e-5)


def test_positions_are_those_of_chapter_1() -> None:
    from solutions.attention.heads import sinusoidal_positions

    expected = torch.tensor(sinusoidal_positions(7, 8), dtype=torch.float32)
    torch.testing.assert_close(models.positions(7, 8), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("made", [models.Case1, models.Case2, models.Case3])
def test_with_a_mask_padding_changes_nothing(made) -> None:
    torch.manual_seed(5)
    model = made(WORDS, 8, 2, masked=True).eval()
    ids, mask = batch([5, 2, 1])
    longer, more = nn.functional.pad(ids, (0, 4)), nn.functional.pad(mask, (0, 4))
    torch.testing.assert_close(model(ids, mask)[1], model(longer, more)[1], atol=1e-6, rtol=1e-5)


def test_without_a_mask_it_does_as_in_the_notes() -> None:
    torch.manual_seed(5)
    model = models.Case1(WORDS, 8, 2)
    ids, mask = batch([5, 2, 1])
    assert not torch.allclose(model(ids, mask)[1], model(nn.functional.pad(ids, (0, 4)))[1], atol=1e-3)


@pytest.mark.parametrize("made", [models.Case1, models.Case2, models.Case3])
def test_only_case_3_knows_the_order_of_the_words(made) -> None:
    torch.manual_seed(6)
    model = made(WORDS, 8, 2).eval()
    ids, mask = batch([6])
    same = torch.allclose(model(ids, mask)[1], model(ids.flip(1), mask)[1], atol=1e-5)
    assert same == (made is not models.Case3)


def test_case_3_refuses_a_norm_that_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="sideways"):
        models.Case3(WORDS, 8, 2, norm="sideways")


@pytest.mark.parametrize("made", [models.Case1, models.Case2, models.Case3])
def test_eight_reviews_are_learnt_by_heart(made) -> None:
    made_ids = torch.Generator().manual_seed(7)
    rows = [(torch.randint(2, WORDS, (length,), generator=made_ids).tolist(), length % 2) for length in range(3, 11)]
    torch.manual_seed(7)
    model = made(WORDS, 16, 2)
    training.fit(model, rows, rows, seed=7, epochs=150, rate=1e-2)
    assert training.evaluate(model, rows)[1] == 1.0


def test_the_exercise_trains_a_real_model_with_early_stopping() -> None:
    torch.manual_seed(8)
    model = cases.Case1(WORDS, 8, 2)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.05)
    ids, mask = batch([5, 2, 4, 3, 6, 1])
    y, other = torch.tensor([0, 1, 0, 1, 0, 1]), torch.tensor([1, 0, 0, 1, 1, 0])
    seen = []

    def validate(model: nn.Module) -> float:
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
        with torch.no_grad():
            return nn.functional.cross_entropy(model(ids, mask)[1], other).item()

    losses = cases.fit(model, lambda m: cases.train_step(m, optimiser, ids, mask, y), validate, 30, 3)
    best = losses.index(min(losses))
    assert len(losses) == best + 4 < 30
    for name, value in model.state_dict().items():
        assert torch.equal(value, seen[best][name])


class TestFit:
    rows = tuple(([2 + i % 5, 3, 4], i % 2) for i in range(10))

    def history(self, **options) -> tuple[training.History, nn.Module]:
        torch.manual_seed(9)
        model = models.Case1(WORDS, 4, 2)
        return training.fit(model, self.rows, self.rows[:5], seed=9, **options), model

    def test_stops_and_puts_the_best_weights_back(self) -> None:
        flipped = [(ids, 1 - label) for ids, label in self.rows]
        torch.manual_seed(9)
        model = models.Case1(WORDS, 4, 2)
        history = training.fit(model, self.rows, flipped, seed=9, epochs=40, rate=0.05, patience=2)
        losses = [epoch.val_loss for epoch in history.epochs]
        assert history.best == losses.index(min(losses)) and len(losses) == history.best + 3
        assert training.evaluate(model, flipped)[0] == pytest.approx(min(losses), abs=1e-6)

    def test_without_patience_keeps_the_last_weights(self) -> None:
        history, model = self.history(epochs=3)
        assert len(history.epochs) == 3
        assert training.evaluate(model, self.rows[:5])[0] == pytest.approx(history.epochs[-1].val_loss, abs=1e-6)

    def test_the_same_seed_gives_the_same_history(self) -> None:
        assert self.history(epochs=2)[0].epochs == self.history(epochs=2)[0].epochs

    def test_figures_are_over_all_reviews_not_over_batches(self) -> None:
        history, _ = self.history(epochs=1)
        assert (history.epochs[0].train_accuracy * 10) % 1 == pytest.approx(0, abs=1e-9)
        assert history.epochs[0].last_batch_accuracy in (0.0, 0.5, 1.0)  # 10 reviews in batches of 8 leave 2


def test_evaluation_mixes_its_batches_and_keeps_the_order_of_the_rows() -> None:
    """With rows sorted by label, batches of neighbours would hold one label each."""
    rows = [([2] * (1 + label), label) for label in [0] * 40 + [1] * 40]
    widths = []

    class ByLength(nn.Module):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            widths.append(len(set(mask.sum(1).tolist())))
            return mask, nn.functional.one_hot(mask.sum(1) - 1, 2).float()

    loss, accuracy, found = training.evaluate(ByLength(), rows)
    assert found == [label for _, label in rows] and accuracy == 1.0
    assert loss == pytest.approx(math.log(1 + math.exp(-1)), abs=1e-6)
    assert sum(width == 2 for width in widths) >= 8, "nearly every batch of 8 holds both labels"


def test_vocabulary_and_batches() -> None:
    vocabulary = training.Vocabulary.of(["a b b", "a c", "b"], str.split)
    assert vocabulary.number == {"b": 2, "a": 3} and len(vocabulary) == 4
    ids, mask, y = training.collate(vocabulary.rows([("a c b", 1), ("b", 0)], str.split))
    assert ids.tolist() == [[3, 1, 2], [2, 0, 0]] and mask.tolist() == [[True] * 3, [True, False, False]]
    assert y.tolist() == [1, 0]
    assert len(vocabulary.ids(["a"] * 1000)) == training.MAX_WORDS


# The experiments


@pytest.mark.parametrize("count", [1, 7, 8, 9, 21])
def test_packed_predictions_come_back(count: int) -> None:
    bits = [(i * i + i // 3) % 2 for i in range(count)]
    scored = experiments.scores(bits, [([], 1) for _ in bits])
    assert experiments.predictions(scored) == bits
    assert scored["accuracy"] == sum(bits) / count


def test_f1_of_a_known_case() -> None:
    scored = experiments.scores([1, 1, 1, 0], [([], label) for label in (1, 1, 0, 1)])
    assert scored["accuracy"] == 0.5 and scored["f1"] == pytest.approx(2 / 3)


def test_seeds_are_a_number_or_a_span() -> None:
    import typer

    assert list(experiments.span("3")) == [3] and list(experiments.span("0-2")) == [0, 1, 2]
    for bad in ("x", "5-3", ""):
        with pytest.raises(typer.BadParameter, match="number or a span"):
            experiments.span(bad)


def test_the_three_cases_take_turns_seed_by_seed() -> None:
    assert list(experiments.wanted(["case1", "case2", "no-mask"], range(2))) == [
        ("case1", 0),
        ("case2", 0),
        ("case1", 1),
        ("case2", 1),
        ("no-mask", 0),
        ("no-mask", 1),
    ]


def test_what_is_stored_is_all_that_is_usually_run_and_of_this_code() -> None:
    """So `make experiments` has nothing to do, and says nothing of other code."""
    stored = experiments.load()
    assert set(experiments.wanted([])) <= {(run["name"], run["seed"]) for run in stored["runs"]}
    chosen = experiments.choose(stored["runs"])
    assert [run["name"] for run in stored["runs"] if run["code"] != experiments.digest(run["name"], chosen)] == []


def test_what_only_people_read_makes_no_other_code() -> None:
    plain = "def f(x):\n    return x + 1\n"
    said = '"""A module."""\n\ndef f(x: int) -> int:\n    """One more."""\n    return x + 1  # why\n'
    assert experiments.what_runs(plain) == experiments.what_runs(said) != experiments.what_runs(plain + "f(1)\n")


def test_stored_results_are_whole_or_the_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    assert experiments.load(path) == {"runs": []}
    runs = [{"name": "case2", "seed": 0}, {"name": "case1", "seed": 1}, {"name": "case1", "seed": 0}]
    experiments.store({"sizes": {"train": 3}, "runs": runs}, path)
    found = experiments.load(path)
    assert [(run["name"], run["seed"]) for run in found["runs"]] == [("case1", 0), ("case1", 1), ("case2", 0)]
    assert found["sizes"] == {"train": 3} and [p.name for p in path.parent.iterdir()] == ["results.json"]


@cache
def results() -> dict:
    if not experiments.RESULTS.exists():
        pytest.skip("no results yet: make experiments")
    return json.loads(experiments.RESULTS.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_run_is_the_same_twice_and_as_stored() -> None:
    first, second = (experiments.run("case1", 0, epochs=1, limit=200) for _ in range(2))
    for key in ("epochs", "test", "test_best", "best", "parameters"):
        assert first[key] == second[key], key
    stored = results()["quick"]
    assert stored["parameters"] == first["parameters"]
    assert torch.allclose(torch.tensor(stored["epochs"]), torch.tensor(first["epochs"]), atol=2e-2)  # any processor


def test_stored_runs_say_what_they_hold() -> None:
    stored = results()
    labels = experiments.predictions({"bits": stored["test_labels"], "count": stored["sizes"]["test"]})
    assert labels == [label for _, label in experiments.reviews.split()["test"]]
    assert stored["selection"] == experiments.reviews.SHA256
    for run in stored["runs"]:
        experiment = experiments.EXPERIMENTS[run["name"]]
        assert re.fullmatch("[0-9a-f]{12}[+]?", run["commit"]) and re.fullmatch("[0-9a-f]{16}", run["code"])
        assert ("test" in run) == experiment.test, run["name"]
        assert all(math.isfinite(number) for row in run["epochs"] for number in row)
        assert run["best"] == min(range(len(run["epochs"])), key=lambda i: run["epochs"][i][3])
        for part in ("test", "test_best") if experiment.test else ():
            again = experiments.scores(experiments.predictions(run[part]), [([], label) for label in labels])
            assert again == run[part], (run["name"], run["seed"])
        if experiment.patience is not None:
            assert len(run["epochs"]) in (run["best"] + 1 + experiment.patience, experiments.EPOCHS)
            if experiment.test:
                assert run["test"] == run["test_best"]


def test_settings_are_chosen_on_validation_alone() -> None:
    def tried(losses: dict[str, float]) -> list[dict]:
        return [
            {"name": name, "seed": seed, "epochs": [[0, 0, 0, loss + seed / 1000, 0], [0, 0, 0, 9.0, 1.0]]}
            for name, loss in losses.items()
            for seed in experiments.TUNING_SEEDS
        ]

    names = list(experiments.TUNING)
    runs = tried({name: 0.5 - 0.1 * (name == names[2]) for name in names})
    best = experiments.TUNING[names[2]]
    assert experiments.choose(runs) == {"dropout": best.options["dropout"], "rate": best.rate}
    assert experiments.choose(runs[1:]) is None
    with pytest.raises(ValueError, match="run those first"):
        experiments.settled("case3", None)
    assert experiments.settled("no-dropout", {"dropout": 0.5, "rate": 0.1}).options["dropout"] == 0.0
    assert experiments.settled("case3", {"dropout": 0.5, "rate": 0.1}).rate == 0.1


def test_word_vectors_are_chosen_on_validation_once_the_rest_is() -> None:
    def tried(names: Iterable[str], best: str) -> list[dict]:
        return [
            {"name": name, "seed": seed, "epochs": [[0, 0, 0, 0.4 if name == best else 0.5, 0]]}
            for name in names
            for seed in experiments.TUNING_SEEDS
        ]

    first = tried(experiments.TUNING, "tune-dropout-0.5-rate-0.001")
    chosen = experiments.choose(first)
    assert experiments.can("case3-420", chosen) and experiments.can("tune-vectors-frozen", chosen)
    assert not experiments.can("pretrained", chosen) and not experiments.can("case3", None)
    assert experiments.can("case1", None)
    chosen = experiments.choose(first + tried(experiments.TUNING_VECTORS, "tune-vectors-trained-wide"))
    assert chosen == {"dropout": 0.5, "rate": 1e-3, "vectors": "trained", "wide": True}
    settled = experiments.settled("pretrained", chosen)
    assert (settled.vectors, settled.wide, settled.options) == ("trained", True, {"dropout": 0.5})
    assert experiments.digest("pretrained", chosen) != experiments.digest("pretrained", chosen | {"wide": False})
    assert experiments.settled("case3-420", chosen).vectors == ""


def test_the_stored_choice_follows_from_the_stored_runs() -> None:
    stored = results()
    assert stored["chosen"] == experiments.choose(stored["runs"])
    assert stored["chosen"] or not any(experiments.EXPERIMENTS[run["name"]].tuned for run in stored["runs"])


# More data


@cache
def held_out() -> set[str]:
    parts = reviews.split()
    return {reviews.normal(text) for part in ("val", "test") for text, _ in parts[part]}


@pytest.mark.parametrize("size", [420, 3360, 6720])
def test_a_draw_is_half_and_half_and_knows_nothing_of_validation_and_test(size: int) -> None:
    drawn, again, other = (experiments.draw(size, seed) for seed in (1, 1, 2))
    keys = {reviews.normal(text) for text, _ in drawn}
    assert len(drawn) == len(keys) == size and sum(label for _, label in drawn) == size // 2
    assert drawn == again
    assert set(drawn) != set(other) or size == 3360
    assert not keys & held_out()
    train = set(reviews.split()["train"])
    assert set(drawn) <= train if size <= len(train) else train <= set(drawn)


def test_no_text_outside_holds_a_tenth_of_one_that_is_kept_back() -> None:
    kept = {key[at : at + 12] for key in held_out() for at in range(len(key) - 11)}
    texts = [text for text, _ in outside.labelled()] + outside.unlabelled()
    assert len(outside.labelled()) > 10_000 and len(outside.unlabelled()) > 15_000
    for key in map(reviews.normal, texts):
        runs = {key[at : at + 12] for at in range(len(key) - 11)}
        assert key not in held_out() and (not runs or len(runs & kept) < len(runs) / 10), key
    for hotel in (True, False):
        group = [label for text, label in outside.labelled() if bool(reviews.HOTEL.search(text)) == hotel]
        assert 2 * sum(group) == len(group) > 0


def test_word_vectors_are_those_of_a_table_counted_by_hand() -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(list("abcdefgh"), size=int(n))) for n in rng.integers(1, 12, size=60)]
    vocabulary = training.Vocabulary.of(texts, str.split)
    found = outside.vectors(vocabulary, texts, str.split, 4)
    size = len(vocabulary)
    counts = np.zeros((size, size))
    for text in texts:
        row = [vocabulary.number[word] for word in text.split()]
        for i, a in enumerate(row):
            for j, b in enumerate(row):
                counts[a, b] += 0 < abs(i - j) <= 5
    p = counts / counts.sum()
    context = counts.sum(axis=0) ** 0.75
    chance = np.outer(p.sum(axis=1), context / context.sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ppmi = np.nan_to_num(np.maximum(np.log(p / chance), 0), nan=0.0, posinf=0.0, neginf=0.0)
    u, s, _ = np.linalg.svd(ppmi)
    expected = u[:, :4] * np.sqrt(s[:4])
    expected *= 2 / np.linalg.norm(expected, axis=1, keepdims=True).clip(1e-9)
    assert found.shape == (size, 4)
    np.testing.assert_allclose(found[2:] @ found[2:].T, expected[2:] @ expected[2:].T, atol=1e-6)
    assert np.allclose(found[0], 0, atol=1e-6), "padding has no neighbours"


@pytest.mark.slow
def test_a_frozen_embedding_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    made, fit = [], experiments.fit

    def watched(model, *rest, **more):
        made.append(model)
        return fit(model, *rest, **more)

    monkeypatch.setattr(experiments, "fit", watched)
    chosen = {"dropout": 0.3, "rate": 1e-3}
    few, many = (experiments.run(f"tune-vectors-{how}", 0, chosen, 1, 80) for how in ("frozen", "trained"))
    vocabulary, _ = experiments.data()
    vectors = outside.vectors(vocabulary, outside.unlabelled(), experiments.cut, training.HIDDEN)
    vectors = torch.from_numpy(vectors).float()
    same = [torch.allclose(model.embedding.weight, vectors, atol=1e-6) for model in made]
    assert same == [True, False]
    assert many["parameters"] - few["parameters"] == vectors.numel()


def test_the_stored_curve_is_scikit_learns() -> None:
    stored = results()
    curve = stored.get("curve")
    if not curve:
        pytest.skip("the curve has not been run")
    assert [(point["size"], point["seed"]) for point in curve] == [
        (size, seed) for size in experiments.SIZES for seed in experiments.CURVE_SEEDS
    ]
    again, point = experiments.baseline(840, 1), next(p for p in curve if (p["size"], p["seed"]) == (840, 1))
    assert again["C"] == point["C"]
    assert again["test"]["accuracy"] == pytest.approx(point["test"]["accuracy"], abs=2 / 960)
    assert stored["outside"]["labelled"] == len(outside.labelled())
