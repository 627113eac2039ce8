"""The figure that says which words of a sentence count: the page's script judges as Python does, and only `make read`
hands it what was trained on the reviews."""

import functools
import http.server
import importlib.util
import json
import shutil
import subprocess
import threading
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import reviews_lab
from solutions.classification import reviews
from solutions.classification.models import Case1
from solutions.classification.training import Vocabulary

ROOT = Path(__file__).parent.parent
ASSETS = ROOT / "chapters" / "assets"
ODD = ["WiFi很慢，Room 302不干净! 10:30退房…", "我觉得😀还可以 ，𠮷野家很近。", "好", "A4纸和C++书，3.5星。"]
SENTENCES = [*reviews_lab.SENTENCES, *ODD]


@pytest.fixture(scope="module")
def read():
    spec = importlib.util.spec_from_file_location("read", ROOT / "chapters" / "extensions" / "read.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Two models that have learned nothing: numbers by chance, for the words of our own sentences; and their file."""
    vocabulary = Vocabulary.of(SENTENCES[:4], reviews.words, min_count=1)
    torch.manual_seed(3)
    model = Case1(len(vocabulary), 64, 2, masked=True).eval()
    rng = np.random.default_rng(0)
    known = [word for word in vocabulary.number if word != "干净"]
    idf, learned = ({word: float(rng.normal(3, 1)) for word in known} for _ in range(2))
    monkeypatch.setattr(reviews_lab, "attention", lambda: (vocabulary, {}, model))
    monkeypatch.setattr(reviews_lab, "counting", lambda: (idf, learned, -0.25))
    return reviews_lab.export(tmp_path / "lab" / "weights.json")


@pytest.fixture
def served(read, tmp_path, monkeypatch):
    """A book of one page as `make read` serves it: a function from the file of weights to the page's address."""
    book = tmp_path / "book"
    (book / "_static").mkdir(parents=True)
    for script in ("lab.js", "judge-lab.js"):
        shutil.copy(ASSETS / script, book / "_static" / script)
    servers = []

    def serve(weights: Path, sentences: list) -> str:
        data = json.dumps({"sentences": sentences, "label": "Which words count"}, ensure_ascii=False)
        (book / "page.html").write_text(
            '<!DOCTYPE html><meta charset="utf-8">'
            f'<judge-lab><script type="application/json">{data}</script></judge-lab>'
            '<script defer src="_static/lab.js"></script><script defer src="_static/judge-lab.js"></script>',
            encoding="utf-8",
        )
        monkeypatch.setattr(read, "REVIEWS_LAB", weights)
        pages = functools.partial(read.Pages, directory=str(book))
        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/page.html"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def shown(figure) -> dict:
    """What the figure says: each word with its three numbers, and both scores."""
    numbers = [
        [float(text.replace("−", "-").rstrip(" %")) for text in row.locator(".judge-number").all_inner_texts()]
        for row in figure.locator("tbody tr").all()
    ]
    scores = [float(text.split()[-1].replace("−", "-")) for text in figure.locator(".judge-verdict").all_inner_texts()]
    words = [text.removesuffix(" unknown") for text in figure.locator("tbody th").all_inner_texts()]
    text = figure.locator(".judge-verdicts").inner_text()
    return {"words": words, "numbers": numbers, "scores": scores, "text": text}


def test_a_sentence_of_ones_own_is_judged_as_python_judges_it(tiny, served, emptied):
    """Cut as jieba cuts it; what each word adds, is read and does; and both scores."""
    emptied.goto(served(tiny, [reviews_lab.judged(SENTENCES[0])]))
    figure = emptied.locator("judge-lab[data-ready]")
    for sentence in SENTENCES[1:]:
        figure.locator("input[type=text]").fill(sentence)
        expected = reviews_lab.judged(sentence)
        emptied.wait_for_function(
            "n => document.querySelectorAll('judge-lab tbody tr').length === n", arg=len(expected["words"])
        )
        found = shown(figure)
        assert found["words"] == [word.strip() for word in expected["words"]]
        columns = np.array([expected["adds"], expected["read"], expected["effect"]]).T * [1, 100, 1]
        assert np.abs(np.array(found["numbers"]) - columns).max() <= 0.51
        assert np.abs((np.array(found["numbers"]) - columns)[:, [0, 2]]).max() <= 0.0052
        assert found["scores"] == pytest.approx([expected["counted"], expected["attended"]], abs=0.0052)
        for side, score in zip(found["text"].split("says ")[1:], found["scores"], strict=True):
            assert side.startswith("praise" if score > 0 else "blame")
    assert figure.locator("input[type=radio]:checked").count() == 0
    figure.locator("input[type=text]").fill("  ")
    assert figure.locator(".lab-notes").inner_text() == "Write some words."


def test_recorded_sentences_are_shown_where_nothing_was_trained(tiny, served, emptied, tmp_path):
    """No field to write in, no word asked of the server, and the command that changes it."""
    asked = []
    emptied.on("request", lambda request: asked.append(request.url))
    emptied.goto(served(tmp_path / "none.json", [reviews_lab.judged(text) | {"text": text} for text in SENTENCES[:2]]))
    figure = emptied.locator("judge-lab[data-ready]")
    assert figure.locator("input[type=text]").count() == 0
    assert "make reviews-lab" in figure.inner_text()
    figure.locator("input[type=radio]").nth(1).check()
    assert shown(figure)["words"] == reviews.words(SENTENCES[1])
    assert len(asked) == 3, asked


def test_the_weights_are_served_from_their_own_folder(tiny, served):
    """By `make read` alone, and by no file of the book."""
    page = served(tiny, [])
    with urllib.request.urlopen(page) as answer:
        assert answer.headers["Server-Timing"] == "reviews-lab"
    with urllib.request.urlopen(page.replace("page.html", "reviews-lab/weights.json")) as answer:
        assert answer.read() == tiny.read_bytes()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(page.replace("page.html", "reviews-lab/other.json"))


def test_without_weights_nothing_is_served(served, tmp_path):
    page = served(tmp_path / "none.json", [])
    with urllib.request.urlopen(page) as answer:
        assert answer.headers["Server-Timing"] is None
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(page.replace("page.html", "reviews-lab/weights.json"))


def test_what_was_trained_on_the_reviews_is_in_no_repository_and_no_book(book):
    ignored = subprocess.run(["git", "check-ignore", str(reviews_lab.FILE)], cwd=ROOT, check=False)
    assert ignored.returncode == 0
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    assert not [file for file in files if "reviews-lab" in file]
    built = [path for path in book.rglob("*") if path.is_file()]
    assert not [path for path in built if "reviews-lab" in path.as_posix() or path.name == reviews_lab.FILE.name]
    marks = [b"embedding.weight", b'"f4"'] if not reviews_lab.FILE.exists() else [
        json.loads(reviews_lab.FILE.read_text(encoding="utf-8"))["attention"]["embedding.weight"]["f4"][:60].encode()
    ]  # fmt: skip
    for path in built:
        if path.suffix in (".html", ".js", ".json", ".txt"):
            text = path.read_bytes()
            assert not all(mark in text for mark in marks), path
