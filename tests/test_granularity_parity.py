"""The first tokenization notebook beside spaCy, Moses, jieba and brute force; and the figures of its page."""

import itertools
import logging
import math
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solutions.texts import chinese_reviews, english
from solutions.tokenization import granularity
from solutions.tokenization.granularity import EXCEPTIONS, INFIXES, PREFIXES, SUFFIXES, max_match, segment_dag

jieba = pytest.importorskip("jieba")
spacy = pytest.importorskip("spacy")
sacremoses = pytest.importorskip("sacremoses")

# Where all three cut alike.
ALIKE = [
    "Clean, quiet.",
    '("Yes!")',
    "It costs $3.14 in the U.S. today.",
    "(the U.S.), Mr. Smith",
    "I'm sure you're right; they'll say Mary's room was clean!",
    "20% off at 9 a.m.",
    "_Emma_, she'd say",
    "the sisters' room",
    "e.g. this",
    "St. James's",
]
# Where they differ: ours, spaCy's blank English, Moses.
DIFFERENT = [
    ("don't", "do n't", "do n't", "don 't"),
    ("cannot", "can not", "can not", "cannot"),
    ("'Tis", "' Tis", "' Tis", "'Tis"),
    ("well-known", "well-known", "well - known", "well-known"),
    ("and/or", "and / or", "and/or", "and / or"),
    ("she said--no", "she said -- no", "she said -- no", "she said--no"),
    ("it,--and", "it , -- and", "it,--and", "it , --and"),
    ("酒店很干净，服务也好。", "酒店很干净，服务也好。", "酒店很干净，服务也好 。", "酒 店 很 干 净 ， 服 务 也 好 。"),
]


def ours(text: str) -> list[str]:
    return [token for token, _ in granularity.word_tokenize(text)]


@pytest.fixture(scope="module")
def spacy_english():
    return spacy.blank("en")


@pytest.fixture(scope="module")
def moses():
    return sacremoses.MosesTokenizer("en")


@pytest.mark.parametrize("text", ALIKE)
def test_words_are_spacys_and_moses_where_the_rules_coincide(text, spacy_english, moses) -> None:
    assert ours(text) == [token.text for token in spacy_english(text)] == moses.tokenize(text, escape=False)


@pytest.mark.parametrize(("text", "mine", "spacys", "mosess"), DIFFERENT)
def test_words_differ_where_the_page_says_so(text, mine, spacys, mosess, spacy_english, moses) -> None:
    assert ours(text) == mine.split()
    assert [token.text for token in spacy_english(text)] == spacys.split()
    assert moses.tokenize(text, escape=False) == mosess.split()


def test_the_pages_table_is_the_one_above() -> None:
    page = (Path(__file__).parent.parent / "chapters/tokenization/granularity.md").read_text(encoding="utf-8")
    table = [line for line in page.split("\n") if line.startswith("| `")]
    rows = [[f"`{text}`", *(" ".join(f"`{token}`" for token in cut.split()) for cut in cuts)]
            for text, *cuts in DIFFERENT]  # fmt: skip
    assert table == ["| " + " | ".join(row) + " |" for row in rows]


@pytest.fixture(scope="module")
def spacy_with_our_tables():
    """spaCy's own machine, filled with the notebook's tables."""
    from spacy.tokenizer import Tokenizer

    def any_of(table):
        return "(?:" + "|".join(map(re.escape, table)) + ")"

    return Tokenizer(
        spacy.blank("en").vocab,
        rules={whole: [{"ORTH": part} for part in parts] for whole, parts in EXCEPTIONS.items()},
        prefix_search=re.compile("^" + any_of(PREFIXES)).search,
        suffix_search=re.compile(any_of(SUFFIXES) + "$").search,
        infix_finditer=re.compile(any_of(INFIXES)).finditer,
    )


word = st.sampled_from(["room", "Emma", "3.14", "don't", "we'll", "Mary's", "and/or", "said--no", "酒店", *EXCEPTIONS])
affixes = [st.lists(st.sampled_from(table), max_size=3).map("".join) for table in (PREFIXES, [*"\"')],;:!?%_"])]


@settings(max_examples=300)
@given(st.lists(st.tuples(affixes[0], word, affixes[1]).map("".join), min_size=1, max_size=5))
def test_words_are_those_of_spacys_machine_with_our_tables(spacy_with_our_tables, pieces: list[str]) -> None:
    """Infixes stand between plain words here: spaCy cuts them last, and does not look at the parts again."""
    text = " ".join(pieces)
    doc = spacy_with_our_tables(text)
    assert granularity.word_tokenize(text) == [(token.text, token.whitespace_) for token in doc]


@settings(max_examples=300)
@given(st.text(max_size=60) | st.text(alphabet="ab.'\"-/ \n\t(_$酒🙂\u3000", max_size=40))
def test_words_and_spaces_make_up_the_text(text: str) -> None:
    assert "".join(token + space for token, space in granularity.word_tokenize(text)) == text


def test_no_word_of_the_novels_loses_a_character() -> None:
    text = english()[:400_000]
    assert "".join(token + space for token, space in granularity.word_tokenize(text)) == text


@pytest.fixture(scope="module")
def dictionary() -> dict[str, int]:
    """jieba's own dictionary, without the prefixes that it keeps beside the words."""
    jieba.setLogLevel(logging.ERROR)
    jieba.initialize()
    return {word: count for word, count in jieba.dt.FREQ.items() if count}


@pytest.mark.slow
def test_segment_dag_is_jiebas_without_its_hmm(dictionary) -> None:
    """On runs of Chinese characters; ours cuts them all in one text, where each line end is a token of its own."""
    reviews = dict.fromkeys(chinese_reviews())
    runs = [run for review in itertools.islice(reviews, 2500) for run in re.findall(r"[\u4e00-\u9fd5]+", review)]
    assert len(runs) > 10_000
    tokens = segment_dag("\n".join(runs), dictionary)
    mine = [t for t in tokens if t != "\n"]
    assert mine == [token for run in runs for token in jieba.cut(run, HMM=False)]


def test_segment_dag_is_jiebas_with_a_lexicon_of_our_own(tmp_path) -> None:
    """A small dictionary that knows every single character: there the two rules for unknown characters are one."""
    counts = {a: 3 for a in "一二三四"} | {"一二": 9, "二三四": 2, "三四": 40, "一二三": 5, "四一": 1, "四一二三": 3}
    path = tmp_path / "dict.txt"
    path.write_text("".join(f"{word} {count}\n" for word, count in counts.items()), encoding="utf-8")
    theirs = jieba.Tokenizer(str(path))
    theirs.tmp_dir = str(tmp_path)
    jieba.setLogLevel(logging.ERROR)
    total = sum(counts.values())
    for letters in itertools.product("一二三四", repeat=6):
        text = "".join(letters)
        scores = [sum(math.log(counts[t] / total) for t in tokens)
                  for tokens in (segment_dag(text, counts), theirs.lcut(text, HMM=False))]  # fmt: skip
        assert scores[0] == pytest.approx(scores[1], abs=1e-9)


def test_where_segment_dag_and_jieba_part(tmp_path) -> None:
    """A character that the lexicon does not know may stand alone with us; with jieba, only if no word starts there."""
    counts = {"甲乙": 1, "乙丙丁": 90, "丙": 4, "丁": 5}
    path = tmp_path / "dict.txt"
    path.write_text("".join(f"{word} {count}\n" for word, count in counts.items()), encoding="utf-8")
    theirs = jieba.Tokenizer(str(path))
    theirs.tmp_dir = str(tmp_path)
    assert segment_dag("甲乙丙丁", counts) == ["甲", "乙丙丁"]
    assert theirs.lcut("甲乙丙丁", HMM=False) == ["甲乙", "丙", "丁"]


def all_cuts(text: str):
    """Every way to cut a text, by the places where it is cut."""
    for bits in itertools.product([False, True], repeat=max(0, len(text) - 1)):
        places = [0, *(i + 1 for i, cut in enumerate(bits) if cut), len(text)]
        yield [text[a:b] for a, b in itertools.pairwise(places)]


lexicons = st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=4), st.integers(1, 50), min_size=1, max_size=12)


@settings(max_examples=200)
@given(st.text(alphabet="abcd", min_size=1, max_size=9), lexicons)
def test_segment_dag_is_the_best_of_all_cuts(text: str, freq: dict[str, int]) -> None:
    total = sum(freq.values())

    def score(tokens):
        return sum(math.log(freq.get(t, 1) / total) for t in tokens)

    allowed = [cut for cut in all_cuts(text) if all(len(t) == 1 or t in freq for t in cut)]
    got = segment_dag(text, freq)
    assert got in allowed
    assert score(got) == pytest.approx(max(map(score, allowed)), abs=1e-9)


@settings(max_examples=200)
@given(st.text(alphabet="abcd", min_size=1, max_size=9), lexicons)
def test_max_match_is_the_greedy_one_of_all_cuts(text: str, freq: dict[str, int]) -> None:
    """Of all allowed cuts, the one whose first word is longest, then the second, and so on."""
    allowed = [cut for cut in all_cuts(text) if all(len(t) == 1 or t in freq for t in cut)]
    assert max_match(text, set(freq)) == max(allowed, key=lambda cut: [len(t) for t in cut])


def test_coverage_is_numpys() -> None:
    np = pytest.importorskip("numpy")
    words = english()[:300_000].split()
    train, test = Counter(words[:40_000]), Counter(words[40_000:])
    rank = {word: i for i, word in enumerate(sorted(train, key=lambda w: (-train[w], w)))}
    ranks = np.array([rank.get(word, 10**9) for word in words[40_000:]])
    sizes = [0, 10, 1000, 5000, 10**6]
    expected = [(ranks >= size).mean() for size in sizes]
    np.testing.assert_allclose(granularity.coverage(train, test, sizes), expected, atol=1e-12)


def test_the_pages_models_are_those_of_transformers() -> None:
    """Vocabulary sizes and widths that the page prints, for the models that are this library's defaults."""
    transformers = pytest.importorskip("transformers")
    expected = {"BertConfig": (30_522, 768), "GPT2Config": (50_257, 768), "LlamaConfig": (32_000, 4_096),
                "Gemma2Config": (256_000, 2_304)}  # fmt: skip
    for name, figures in expected.items():
        config = getattr(transformers, name)()
        assert (config.vocab_size, config.hidden_size) == figures
