"""The tokenizer bench: it shows what the course's own functions cut, and answers mouse, touch and keyboard."""

import json
import os
import random

import pytest
import regex
from lab_page import ASSETS, put

from solutions.tokenization import bench
from solutions.tokenization.bench import learn_bpe, learn_unigram, learn_wordpiece, trainings
from solutions.tokenization.beyond import byte_fallback, unigram_viterbi, wordpiece_encode
from solutions.tokenization.bpe import encode, given_vocabulary, pretokenize
from solutions.tokenization.granularity import word_tokenize
from solutions.tokenization.training import BERT

TRAINING = trainings()["austen"][:3000]
MOST = 60
METHODS = ["words", "characters", "bytes", "bpe", "wordpiece", "unigram"]
TEXTS = [
    "The rooms weren't clean, but every gentleman admired it.",
    "房间不太干净，但是早餐非常好。",
    "  two  spaces,\n\ttabs \r\n and   more  ",
    "The 酒店 was great 🙂👍🏽 1811!",
    "cafe\u0301 naïve \u3000x",
    " ",
    "a",
    "",
]


def asked(text: str, methods: list[str] = METHODS, training: str = TRAINING, **more) -> dict:
    question = {"training": training, "text": text, "methods": methods, "most": MOST, **more}
    return json.loads(bench.bench(json.dumps(question)))


def cut(row: dict, text: str, n: int) -> list[bytes]:
    """The tokens of a row with n pieces; what is dropped is left out."""
    ends: set[int] = set()
    for at, *changed in row["cuts"]:
        if at <= n:
            ends ^= set(changed)
    start, found = 0, []
    for end in sorted(ends):
        if start not in row.get("gone", []):
            found.append(text.encode()[start:end])
        start = end
    return found


# ---- what Python says


@pytest.mark.parametrize("text", TEXTS)
def test_words_characters_and_bytes(text) -> None:
    rows = asked(text)["rows"]
    assert cut(rows["words"], text, 0) == [word.encode() for word, _ in word_tokenize(text) if word]
    assert cut(rows["characters"], text, 0) == [character.encode() for character in text]
    assert cut(rows["bytes"], text, 0) == [bytes([byte]) for byte in text.encode()]


@pytest.mark.parametrize("text", TEXTS)
def test_bpe_is_the_courses_encoder_with_so_many_merges(text) -> None:
    row, (merges, counts) = asked(text)["rows"]["bpe"], learn_bpe(TRAINING, MOST)
    vocabulary = given_vocabulary(merges)
    for n in range(MOST + 1):
        assert cut(row, text, n) == [vocabulary[i] for i in encode(text, merges[:n])]
    assert [count for _, count in row["next"]] == counts == sorted(counts, reverse=True)


@pytest.mark.parametrize("text", TEXTS)
def test_wordpiece_takes_the_longest_pieces_of_so_many(text) -> None:
    row, (letters, joined) = asked(text)["rows"]["wordpiece"], learn_wordpiece(TRAINING, MOST)
    words = regex.findall(BERT, text)
    for n in (0, 1, 7, MOST):
        vocab = letters | {a + b.removeprefix("##") for a, b, _ in joined[:n]}
        ways = [wordpiece_encode(word, vocab) for word in words]
        expected = [[word] if way == ["[UNK]"] else way for word, way in zip(words, ways, strict=True)]
        assert cut(row, text, n) == [piece.removeprefix("##").encode() for way in expected for piece in way]
        assert len(row["unknown"]) == sum(way == ["[UNK]"] for way in ways)
    assert len(row["starts"]) == len(words)


@pytest.mark.parametrize("text", TEXTS)
def test_unigram_takes_the_most_probable_way_of_so_many(text) -> None:
    row, rounds = asked(text)["rows"]["unigram"], learn_unigram(TRAINING, MOST)
    for n in (0, 1, 20, MOST):
        logs, ranked = [(logs, ranked) for logs, ranked in rounds if len(ranked) >= n][-1]
        pieces = {p: x for p, x in logs.items() if len(p) == 1} | {p: logs[p] for p, _ in ranked[:n]}
        parts = [part.replace(" ", "▁") for part in pretokenize(text)]
        tokens = [t for part in parts for t in byte_fallback(unigram_viterbi(part, pieces)[0], pieces)]
        found = cut(row, text, n)
        assert len(found) == len(tokens) and b"".join(found) == text.encode()
        whole = [token.replace("▁", " ").encode() for token in tokens if not token.startswith("<0x")]
        assert [token for token in found if token in whole] == whole


def test_each_piece_more_comes_with_what_speaks_for_it() -> None:
    found = asked("the room", pairs=True)
    for method in ("bpe", "wordpiece", "unigram"):
        assert len(found["rows"][method]["next"]) == found["most"] == MOST
    row = found["rows"]["bpe"]
    for n, (names, times) in enumerate(row["next"]):
        assert row["pairs"][n]["pairs"][0] == [*names, times], "the pair in front is the one that is merged"
        assert row["made"][n] == "".join(names)


def test_chinese_stands_alone_in_wordpiece_and_begins_as_bytes_in_bpe() -> None:
    text = "明月山月"
    rows = asked(text, training=trainings()["tang"])["rows"]
    assert rows["wordpiece"]["next"] == []
    assert cut(rows["wordpiece"], text, 0) == cut(rows["wordpiece"], text, MOST) == [c.encode() for c in text]
    assert len(cut(rows["bpe"], text, 0)) == 12


@pytest.mark.parametrize(
    ("training", "text", "why"),
    [(" \n", "x", "The training text is empty"), ("x" * 20_001, "x", "20,000"), ("ab", "x" * 401, "400 are as many")],
)
def test_what_is_too_long_or_empty_is_refused_in_words(training, text, why) -> None:
    assert why in asked(text, training=training)["refused"]


def test_a_text_that_can_be_joined_no_more() -> None:
    found = asked("ab ab", training="ab ab ab")
    assert found["most"] < MOST and cut(found["rows"]["bpe"], "ab ab", found["most"]) == [b"ab", b" ab"]


# ---- what the figure shows


def shown(page, data: dict, where: str = "about:blank"):
    page.set_content(
        f'<token-bench><script type="application/json">{json.dumps(data)}</script><p>In words.</p></token-bench>'
    )
    for script in ("lab.js", "token-bench.js"):
        page.add_script_tag(content=f"{(ASSETS / script).read_text(encoding='utf-8')}")
    page.locator("token-bench[data-ready]").wait_for()
    return page.locator("token-bench")


def data_for(text: str, methods: list[str], start: int = 0) -> dict:
    one = {"name": "English", "learn": "austen", "says": "Some Austen.", "text": text, "found": asked(text, methods)}
    return {"methods": methods, "start": start, "trainings": [one]}


@pytest.fixture
def scripted(emptied):
    """A page in which a script knows where it came from, as the figure asks to."""
    emptied.add_init_script(
        "Object.defineProperty(Document.prototype, 'currentScript', {get: () => ({src: 'http://x/y.js'})})"
    )
    emptied.goto("about:blank")
    return emptied


def chips(lab, method: str) -> list[str]:
    return lab.locator(f"[data-cut={method}] .bench-chip").all_text_contents()


@pytest.mark.parametrize("text", TEXTS[:5])
def test_the_figure_shows_the_cuts(scripted, text) -> None:
    data = data_for(text, METHODS)
    lab, rows = shown(scripted, data), data["trainings"][0]["found"]["rows"]
    for n in (0, 13, MOST):
        put(lab, n)
        for method in METHODS:
            tokens = cut(rows[method], text, n)
            assert len(chips(lab, method)) == len(tokens)
            assert lab.locator(f"[data-cut={method}] .bench-count").inner_text() == str(len(tokens))
            for chip, token in zip(chips(lab, method), tokens, strict=True):
                if token.isalpha() and chip != "[UNK]":
                    assert chip.removeprefix("##").replace("▁", "") == token.decode()


def test_no_text_does_no_harm(scripted) -> None:
    lab = shown(scripted, data_for("", ["bpe", "wordpiece", "unigram"]))
    assert chips(lab, "bpe") == []
    lab.get_by_text("There is no text").wait_for()


def test_markup_stays_text(scripted) -> None:
    lab = shown(scripted, data_for("<b>&amp;</b>", ["characters", "bpe"]))
    assert lab.locator("b").count() == 0 and chips(lab, "characters")[0] == "<"


def same(lab, method: str) -> list[str]:
    return lab.locator(f"[data-cut={method}] .bench-same").all_text_contents()


def test_pointing_at_a_token_marks_its_characters_in_the_other_rows(scripted) -> None:
    lab = shown(scripted, data_for("The room was 酒", ["bpe", "wordpiece", "unigram"], MOST))
    lab.locator("[data-cut=wordpiece] .bench-chip").first.hover()
    assert same(lab, "wordpiece") == [chips(lab, "wordpiece")[0]]
    for method in ("bpe", "unigram"):
        assert "".join(same(lab, method)).startswith(chips(lab, "wordpiece")[0])
    lab.locator("[data-cut=bpe] .bench-chip").last.click()
    assert "".join(same(lab, "wordpiece")) == "[UNK]" and len(same(lab, "unigram")) == 3 == len(same(lab, "bpe"))
    assert "The same characters in WordPiece: [UNK]" in lab.locator("[aria-live=polite]").inner_text()


def test_the_keyboard_goes_through_the_tokens_and_the_rows(scripted) -> None:
    lab = shown(scripted, data_for("The room", ["bpe", "wordpiece", "unigram"], 5))
    assert lab.locator(".bench-chip[tabindex='0']").count() == 3, "one stop in each row"
    lab.locator("[data-cut=bpe] .bench-chip").first.focus()
    scripted.keyboard.press("ArrowRight")
    assert same(lab, "bpe") == [chips(lab, "bpe")[1]]
    scripted.keyboard.press("End")
    assert same(lab, "bpe") == [chips(lab, "bpe")[-1]]
    scripted.keyboard.press("ArrowDown")
    assert scripted.evaluate("document.activeElement.closest('[data-cut]').dataset.cut") == "wordpiece"
    assert same(lab, "wordpiece")[0] in [c for c in chips(lab, "wordpiece")[-4:]]
    scripted.keyboard.press("Escape")
    assert lab.locator(".bench-same").count() == 0


def test_the_slider_and_its_buttons_say_what_comes_next(scripted) -> None:
    data = data_for("The room", ["bpe", "unigram"])
    lab, row = shown(scripted, data), data["trainings"][0]["found"]["rows"]["bpe"]
    for n in range(4):
        (a, b), times = row["next"][n]
        said = lab.locator("[data-cut=bpe] .bench-next").inner_text()
        assert all(name.replace(" ", "␣") in said for name in (a, b)) and f"{times} times" in said
        assert lab.locator(".bench-slider output").inner_text() == f"{n} of {MOST}"
        lab.get_by_role("button", name="Next").click()
    lab.get_by_text("With 4 pieces: BPE").wait_for()
    put(lab, MOST)
    assert lab.get_by_role("button", name="Next").get_attribute("aria-disabled") == "true"
    lab.get_by_role("button", name="Back").click()
    assert lab.locator(".bench-slider output").inner_text() == f"{MOST - 1} of {MOST}"


def test_words_that_learn_from_themselves_show_the_pairs(scripted) -> None:
    text = "new\nnew\nnewer"
    found = asked(text, ["bpe"], text, pairs=True)
    lab = shown(
        scripted,
        {"methods": ["bpe"], "pairs": True, "self": True, "trainings": [{"name": "w", "text": text, "found": found}]},
    )
    assert lab.get_by_label("Words").input_value() == "new new newer"
    assert chips(lab, "bpe") == [*"newnewnewer"], "line ends are not shown"
    assert lab.locator(".bench-winner .bench-times").inner_text() == "3"
    lab.get_by_role("button", name="Next").click()
    assert lab.locator(".bench-made .bench-piece").all_inner_texts() == found["rows"]["bpe"]["made"][:1]


# ---- in the book


BEYOND = "chapters/tokenization/beyond"


@pytest.fixture
def python_in_the_book(book):
    if not (book / "_static" / "solve" / "bench.json").is_file():
        why = "the book was built without Python in the page: `make page-python`"
        pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)


SETTLED = "() => document.querySelector('token-bench .bench-status').textContent === ''"


@pytest.mark.slow
def test_the_pages_python_cuts_the_readers_text(page, site, python_in_the_book) -> None:
    page.goto(f"{site}/{BEYOND}.html")
    lab = page.locator("token-bench[data-ready]")
    text = "An unsuitable gentleman 酒店🙂"
    lab.get_by_label("Your text").fill(text)
    page.wait_for_function("() => document.querySelector('token-bench .bench-status').textContent !== ''")
    page.wait_for_function(SETTLED, timeout=180_000)
    expected = json.loads(
        bench.bench(json.dumps({"training": trainings()["austen"], "text": text, "methods": METHODS[3:]}))
    )
    n = int(lab.locator("input[type=range]").input_value())
    for method in METHODS[3:]:
        assert len(chips(lab, method)) == len(cut(expected["rows"][method], text, n))
    lab.get_by_label("a text of your own").check()
    lab.get_by_text("Bring a text to learn from").wait_for()
    lab.get_by_label("A text to learn from").fill("unsuitable " * 20)
    lab.get_by_role("button", name="Learn from it").click()
    page.wait_for_function(SETTLED, timeout=180_000)
    expected = json.loads(bench.bench(json.dumps({"training": "unsuitable " * 20, "text": text, "methods": ["bpe"]})))
    n = int(lab.locator("input[type=range]").input_value())
    assert len(chips(lab, "bpe")) == len(cut(expected["rows"]["bpe"], text, n))


@pytest.mark.parametrize("name", ["granularity", "bpe", "beyond"])
def test_a_page_that_is_opened_as_a_file_shows_what_was_recorded(browser, book, name) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto((book / f"chapters/tokenization/{name}.html").as_uri())
    lab = page.locator("token-bench[data-ready]")
    assert "make read" in lab.inner_text() and lab.locator("textarea").last.get_attribute("readonly") is not None
    before = len(chips(lab, "bpe"))
    put(lab, 0)
    assert len(chips(lab, "bpe")) >= before
    if name != "bpe":
        lab.get_by_label("Chinese").check()
        lab.get_by_text("Li Bai").wait_for()
        assert lab.get_by_label("a text of your own").is_hidden()
    context.close()


@pytest.mark.parametrize("name", ["granularity", "bpe", "beyond"])
def test_without_scripts_there_is_a_table(browser, site, name) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/chapters/tokenization/{name}.html")
    assert page.locator("token-bench tbody tr").count() >= 1
    context.close()


@pytest.mark.parametrize("width", [360, 390, 1280])
@pytest.mark.parametrize("name", ["granularity", "bpe", "beyond"])
def test_the_bench_fits_the_screen(browser, site, width, name) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    page.goto(f"{site}/chapters/tokenization/{name}.html")
    lab = page.locator("token-bench[data-ready]")
    put(lab, 0)
    box = lab.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width
    assert lab.evaluate("node => node.scrollWidth <= node.clientWidth")
    context.close()


def test_random_texts_lose_nothing() -> None:
    rng = random.Random(1)
    pieces = ["the", " the", "room", "酒店", "很", "🙂", "'ll", "n't", "42", " ", "  ", "\n", "\t", "--", "\u0301"]
    for _ in range(25):
        text = "".join(rng.choice(pieces) for _ in range(rng.randint(1, 25)))
        rows = asked(text)["rows"]
        for n in (0, rng.randint(1, MOST)):
            assert b"".join(cut(rows["bpe"], text, n)) == text.encode() == b"".join(cut(rows["unigram"], text, n))
            assert b"".join(cut(rows["wordpiece"], text, n)).decode() == "".join(text.split())
