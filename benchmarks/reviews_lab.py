"""Two models of the chapter that judge a sentence, and which of its words count: for the page on explanation.

    make reviews-lab            trains both, some ten seconds to a minute, and writes .reviews-lab/weights.json

The one counts words (TF-IDF and logistic regression), the other is case 1 with a mask: one head of attention, a mean,
two labels. What was trained on the reviews is not shipped: the folder is ignored by git, no build of the book copies
it, and only `make read`, which serves the book to this machine alone, hands it to the page. There one can type a
sentence of one's own. Everywhere else the page shows the verdicts on the sentences below.
"""

from __future__ import annotations

import base64
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.experiments import data
from solutions.classification import evidence, reviews
from solutions.classification.models import Case1
from solutions.classification.training import MAX_WORDS, Vocabulary, collate, fit

FOLDER = Path(__file__).parents[1] / ".reviews-lab"
FILE = FOLDER / "weights.json"
SENTENCES = {  # written for this page
    "房间很干净，服务员很热情，下次还会来。": "The room was very clean, the staff very friendly, we will come again.",
    "位置不错，可是房间太脏，不会再来。": "The place is not bad, but the room was too dirty; we will not come back.",
    "没有异味，没有噪音，也不贵。": "No smell, no noise, and not dear either.",
    "房间不大，价格很贵。": "The room is not large, the price is very high.",
    "价格不贵，房间很大。": "The price is not high, the room is very large.",
}


@cache
def attention() -> tuple[Vocabulary, dict[str, list[Any]], Case1]:
    """Case 1 with a mask after two epochs, its vocabulary, and the parts as word numbers."""
    vocabulary, parts = data()
    torch.manual_seed(0)
    model = Case1(len(vocabulary), 64, 2, masked=True)
    fit(model, parts["train"], parts["val"], seed=0, epochs=2)
    model.eval()
    return vocabulary, parts, model


class Reader:
    """Scores, attention weights and values of lists of word numbers of any length."""

    def __init__(self, model: Case1) -> None:
        self.model = model
        self.side = (model.classifier.weight[1] - model.classifier.weight[0]).detach()  # (D,): where praise lies
        no, yes = model.classifier.bias.tolist()
        self.bias = yes - no

    @torch.no_grad()
    def score(self, ids: list[int]) -> float:
        """Praise less blame; above 0 is praise."""
        _, logits = self.model(*collate([(ids, 0)])[:2])
        return float(logits[0, 1] - logits[0, 0])

    @torch.no_grad()
    def map(self, ids: list[int]) -> np.ndarray:
        return self.model(*collate([(ids, 0)])[:2])[0][0].numpy()  # (T, T)

    def weights(self, ids: list[int]) -> np.ndarray:
        """How much each word is read: the mean of its column."""
        return self.map(ids).mean(axis=0)  # (T,), sum 1

    @torch.no_grad()
    def said(self, ids: list[int]) -> np.ndarray:
        """How far each word's value points to praise, before it is weighed."""
        v = self.model.attention.value(self.model.embedding(torch.tensor(ids)))  # (T, D)
        return (v @ self.side).numpy()


@cache
def counting() -> tuple[dict[str, float], dict[str, float], float]:
    """Of TF-IDF and logistic regression: each word's idf, its learned number, and the intercept."""
    model, vectors = counted()
    words = vectors.get_feature_names_out()
    idf = dict(zip(words, vectors.idf_.tolist(), strict=True))
    return idf, dict(zip(words, model.coef_[0].tolist(), strict=True)), float(model.intercept_[0])


@cache
def counted() -> tuple[Any, Any]:
    """The model and the vectoriser that the page on the data has: C is 3, chosen on validation."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    train = reviews.split()["train"]
    vectors = TfidfVectorizer(min_df=2, analyzer=reviews.words)
    x = vectors.fit_transform([text for text, _ in train])
    return LogisticRegression(C=3, max_iter=1000).fit(x, [label for _, label in train]), vectors


def by_counting(words: list[str]) -> tuple[list[float], float]:
    """What each word adds to the score, each time that it stands there; and the score itself."""
    idf, learned, intercept = counting()
    counts = {word: words.count(word) for word in words if word in idf}
    length = math.sqrt(sum((n * idf[word]) ** 2 for word, n in counts.items())) or 1.0
    adds = [idf[word] * learned[word] / length if word in idf else 0.0 for word in words]
    return adds, sum(adds) + intercept


def judged(sentence: str) -> dict[str, Any]:
    """Of a sentence: its words, which of them each model knows, and what each word does in both."""
    vocabulary, _, model = attention()
    reader, words = Reader(model), reviews.words(sentence)[:MAX_WORDS]
    ids = vocabulary.ids(words)
    adds, counted = by_counting(words)
    numbers = {"adds": adds, "read": reader.weights(ids).tolist(), "effect": evidence.leave_one_out(reader, ids)}
    return {
        "words": words,
        "known": [int(word in counting()[0]) for word in words],
        "seen": [int(i != 1) for i in ids],
        "counted": round(counted, 4),
        "attended": round(reader.score(ids), 4),
    } | {name: [round(x, 4) for x in row] for name, row in numbers.items()}


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array of float32 as text."""
    array = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "f4": base64.b64encode(array.tobytes()).decode("ascii")}


def jiebas_words() -> str:
    """The lexicon that jieba cuts by, a word and how often it stands, one a line."""
    import jieba

    jieba.dt.initialize()
    return "\n".join(f"{word} {count}" for word, count in jieba.dt.FREQ.items() if count)


def export(file: Path = FILE) -> Path:
    """All that the page needs to judge a sentence, in one file."""
    vocabulary, _, model = attention()
    idf, learned, intercept = counting()
    state = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    made = {
        "words": [*vocabulary.number],
        "attention": {name: packed(value) for name, value in state.items()},
        "counting": {word: [round(idf[word], 6), round(learned[word], 6)] for word in idf},
        "intercept": intercept,
        "lexicon": jiebas_words(),
    }
    file.parent.mkdir(exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(made, ensure_ascii=False), encoding="utf-8")
    draft.replace(file)
    return file


def main() -> None:
    """Train both, and write the file."""
    file = export()
    for sentence in SENTENCES:
        found = judged(sentence)
        print(f"{found['counted']:+.2f} counting, {found['attended']:+.2f} attention: {sentence}")
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB. Now make read, and the page on explanation lets you type.")


if __name__ == "__main__":
    main()
