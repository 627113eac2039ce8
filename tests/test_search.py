"""The book's search: the page that is about a word comes first, in each spelling and in Chinese, while one types."""

import hashlib
import json
import random
import re

import pytest
from bs4 import BeautifulSoup
from test_book import ASSETS, PAGES, open_page

# Words that a reader may type, and the pages of which one should come first.
WANTED = {
    "attention/weights": (
        "softmax, dot product, query, scaled dot product, attention weights, "
        "scaled_scores, 点积, 注意力权重, 查询"
    ),
    "attention/heads": (
        "multi-head attention, causal mask, padding mask, cross-attention, "
        "split_heads, 多头注意力, 因果掩码, 填充掩码"
    ),
    "attention/positions": "sinusoidal_positions, sine and cosine",
    "attention/gradients": "jacobian, softmax_backward, 雅可比矩阵",
    "attention/cost": "online softmax, tile, attention_tiled, 分块",
    "tokenization/granularity": (
        "subword, fertility, out of vocabulary, OOV, 子词, 未登录词"
    ),
    "tokenization/bpe": (
        "byte pair, byte-pair encoding, BPE, merge, special tokens, 字节对编码, "
        "train_bpe"
    ),
    "tokenization/beyond": (
        "wordpiece, unigram, viterbi, byte fallback, EM, "
        "expectation maximisation, subword regularisation, 维特比算法"
    ),
    "classification/data": "TF-IDF, stratified, duplicates, near duplicates, 词频",
    "classification/cases": "dropout, early stopping, overfitting, 早停, 过拟合",
    "llama/block": (
        "transformer block, residual stream, decoder-only, feed-forward network, "
        "ReLU, 残差流, post-norm, feed_forward"
    ),
    "llama/parts": (
        "RoPE, rotary, rotary position embedding, RMSNorm, swiglu, GQA, "
        "grouped-query attention, repeat_kv, 旋转位置编码"
    ),
    "llama/model": "llama_forward, llama_block",
    "llama/files": "safetensors, llama2.c, load_llama2c",
    "llama/cache": "KV cache, key/value cache, KVCache, 键值缓存",
    "llama/generation": (
        "temperature, top-k, top-p, nucleus sampling, perplexity, bits per byte, "
        "min-p, 温度, 困惑度, greedy"
    ),
    "llama/chat": "chat template, llama_encode, 对话模板",
    "llama/quantization": "quantization, quantisation, int8, 量化",
    "llama/published": "Q4_K, rope scaling, generation_config.json",
    "capstone/training": (
        "adamw, cosine schedule, warm-up, learning rate, entropy, cross-entropy, "
        "weight decay, get_batch, clip_gradients"
    ),
    "capstone/own": "muon, chat model, conversation",
}
QUERIES = [(word, f"chapters/{page}.html") for page, words in WANTED.items() for word in words.split(", ")]
SAME = [("tokeniser", "tokenizer"), ("normalisation", "normalization"), ("quantised", "quantized"), ("colour", "color"),
        ("neighbours", "neighbor"), ("modelling", "modeling"), ("behaviour", "behavior"), ("Tokenisers", "tokenizer"),
        ("optimiser", "optimizer"), ("centre", "center"), ("mask", "Masks"), ("softmax", "SOFTMAX")]  # fmt: skip
SEARCH = """([query, most]) => courseSearch(query, most).then((found) => found.map(
    (section) => ({title: section.title, anchor: section.anchor, text: `${section.heading} ${section.text}`})))"""


@pytest.fixture(scope="module")
def titles(book):
    """The title of each page, by its address."""
    found = {}
    for page in PAGES:
        heading = BeautifulSoup((book / f"{page}.html").read_text("utf-8"), "html.parser").find("h1").get_text()
        found[f"{page}.html"] = re.sub(r"^\d+\. |#$", "", heading).strip()
    return found


@pytest.fixture(scope="module")
def asked(browser, book):
    """Asks the search, on a page that was opened from disk: the sections found, best first."""
    page = browser.new_page()
    page.goto((book / "chapters/welcome.html").as_uri())
    yield lambda query, most=10: page.evaluate(SEARCH, [query, most])
    page.close()


def rank(found, title):
    """The place of a page among those that were found; the glossary does not count, since it explains every word."""
    pages = list(dict.fromkeys(section["title"] for section in found if section["title"] != "Glossary"))
    return pages.index(title) + 1 if title in pages else len(pages) + 1


def test_the_page_that_is_about_a_word_comes_first(asked, titles):
    ranks = {word: rank(asked(word), titles[page]) for word, page in QUERIES}
    assert len(ranks) > 100
    assert max(ranks.values()) <= 3, {word: place for word, place in ranks.items() if place > 3}
    late = [word for word, place in ranks.items() if place > 1]
    assert len(late) <= len(ranks) / 20, late


def test_chinese_from_inside_a_sentence_finds_its_page(asked, titles, book):
    """A hundred pieces of four to eight characters, cut out of the running text wherever they fall."""
    rng, pieces = random.Random(1), []
    for page in PAGES:
        article = BeautifulSoup((book / f"{page}.html").read_text("utf-8"), "html.parser").find("article")
        for code in article.select("pre, script, style, svg, .solve-list, .used-on"):
            code.decompose()
        blocks = [block.get_text() for block in article.find_all(["p", "td", "dt", "figcaption"])]
        for run in re.findall(r"[\u4e00-\u9fff]{4,}", "\n".join(blocks)):
            size = min(len(run), rng.randint(4, 8))
            start = rng.randint(0, len(run) - size)
            pieces.append(run[start : start + size])
    chosen = rng.sample(sorted(set(pieces)), 100)
    for piece in chosen:
        found = asked(piece)
        assert found and piece in re.sub(r"\s", "", found[0]["text"]), piece


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_and_plurals_are_the_same(asked, one, other):
    found = asked(one)
    assert found and found == asked(other)


def test_an_abbreviation_finds_the_glossary_too(asked):
    for word in ["RoPE", "GQA", "BPE", "OOV", "SVD"]:
        assert "Glossary" in [section["title"] for section in asked(word)[:3]], word


def test_a_word_that_is_not_finished_or_mistyped_finds_something(asked, titles):
    typed = {"quantiz": "llama/quantization", "perplexi": "llama/generation", "perplexty": "llama/generation"}
    for word, page in typed.items():
        assert rank(asked(word), titles[f"chapters/{page}.html"]) <= 2, word
    assert asked("sofmtax")
    assert asked("xyzzyx") == [] == asked("  ") == asked("!?")


@pytest.mark.parametrize("where", ["served", "from disk"])
def test_results_come_while_one_types(page, site, book, where):
    """In the box, each with a line of text; arrows lead through them, and Enter to the page of all results."""
    open_page(page, site if where == "served" else book.as_uri(), PAGES[1])
    page.keyboard.press("Control+k")
    page.keyboard.type("causal ma")
    page.wait_for_selector(".search-found li")
    page.keyboard.type("sk")
    page.wait_for_selector(".search-found li mark:has-text('mask')")
    first = page.locator(".search-found li").first
    assert "Many heads and masks" in first.inner_text()
    assert page.locator(".search-found li .context").first.inner_text().strip()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.matches('.search-found a')")
    page.keyboard.press("Enter")
    page.wait_for_url("**/chapters/attention/heads.html*")


def test_a_query_is_text_and_not_markup(page, site):
    page.goto(f"{site}/search.html?q=%3Cimg%20src%3Dx%20onerror%3Ddocument.title%3D1%3E%20zzzz")
    page.wait_for_selector("#search-results .search-status, #search-results li", state="attached")
    assert page.locator("#search-results img").count() == 0


def test_the_engine_is_the_bundle_that_its_readme_names():
    folder = ASSETS / "search"
    digest = hashlib.sha256((folder / "minisearch.js").read_bytes()).hexdigest()
    assert digest in (folder / "README.md").read_text("utf-8")
    package = json.loads((folder / "package.json").read_text("utf-8"))
    versions = [*package["dependencies"].values(), *package["devDependencies"].values()]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    assert "Permission is hereby granted" in (folder / "LICENSE.txt").read_text("utf-8")
