# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # WordPiece, unigram, and what LLaMA does
#
# A vocabulary of pieces does not say yet how a word is cut: *unsuitable* may be `un` + `suit` + `able` or `uns` + `uit` +
# `able`. WordPiece takes the longest piece that fits and never looks back. A unigram model (一元语言模型 unigram language
# model) gives each piece a probability and takes the most probable way. LLaMA adds a last resort: what is in no piece is
# spelt in bytes (字节回退 byte fallback).
#
# **When you are done you can** encode with WordPiece, find the best path through all segmentations (切分 segmentation),
# sum over all of them, say how often each piece is expected, and turn any text into tokens and back without loss.
#
# **You need** plain Python: strings, dictionaries, logarithms. Plan about 115 minutes.
#
# **The example.** These pieces belong to a larger vocabulary; 不适合 means *unsuitable*, 不 *not*, 适合 *to suit*, 不适
# *unwell*.
#
# | piece | un | uns | suit | uit | ui | able | table | 不 | 适 | 合 | 不适 | 适合 |
# |---|---|---|---|---|---|---|---|---|---|---|---|---|
# | probability | 0.12 | 0.02 | 0.06 | 0.01 | 0.01 | 0.10 | 0.04 | 0.20 | 0.02 | 0.04 | 0.02 | 0.06 |
#
# Each exercise stands alone: none of them needs your answer to another one.

# %%
import math
from collections.abc import Iterator
from itertools import pairwise

PROBABILITIES = {
    "un": 0.12, "uns": 0.02, "suit": 0.06, "uit": 0.01, "ui": 0.01, "able": 0.10, "table": 0.04,
    "不": 0.20, "适": 0.02, "合": 0.04, "不适": 0.02, "适合": 0.06,
}  # fmt: skip
LOGS = {piece: math.log(p) for piece, p in PROBABILITIES.items()}

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


# %% [markdown]
# **Given**: all segmentations of a *short* text, one by one. There may be $2^{n-1}$ of them for $n$ characters, so this is
# for looking and for checking, not for solving: the tests also use texts of hundreds of characters.
#
# And what SentencePiece does with spaces: one more space in front of the text, then every space becomes the visible
# character ▁ (U+2581, not the underscore).


# %%
def given_segmentations(text: str, pieces: object) -> Iterator[list[str]]:
    """Every way to write the text as a row of pieces; `pieces` answers to `in`."""
    if not text:
        yield []
    for end in range(1, len(text) + 1):
        if text[:end] in pieces:
            for rest in given_segmentations(text[end:], pieces):
                yield [text[:end], *rest]


def metaspace(text: str) -> str:
    """The text with a space before it and every space made visible."""
    return (" " + text).replace(" ", "▁")


# %% [markdown]
# ## `wordpiece_encode`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# BERT cuts each word from the left: take the **longest** piece of the vocabulary that the rest of the word starts with,
# then go on behind it. A piece that does not start the word is written with `##` in front, in the vocabulary and in the
# result: `##able` and `able` are two different pieces.
#
# `wordpiece_encode(word, vocab, unk="[UNK]")` takes one word and a set of pieces and returns the list of pieces. If at
# some place **no** piece fits, the whole word becomes one unknown token, `[unk]`: what was found before is dropped, and no
# shorter piece is tried in its place. The empty word gives `[]`. A word may be of any length, and is looked up as it is
# written, capital letters and all; it does not begin with `##` itself.
#
# By hand, with the vocabulary `un, uns, ##suit, ##uit, ##able, table`: *unsuitable* starts with `un` and with `uns`; the
# longer one wins. The rest is *uitable*: `##uit` fits. The rest is *able*: `##able` fits. So `["uns", "##uit", "##able"]`.
# *able* alone gives `["[UNK]"]`, since the vocabulary has it only for inside a word.
#
# Hint 1 (a nudge): Two loops: where the next piece starts, and where it ends. In which order should the ends be tried?
#
# Hint 2 (the approach): From a start, try the ends from the last one down, and stop at the first piece that the
# vocabulary has. If no end is left, return at once.
#
# Hint 3 (the steps): The outer loop goes on while something of the word is left, the inner one over the ends, from the
# last down. What is looked up has its `##` wherever the start is not 0. A `for` loop's `else` runs when no `break`
# happened: then nothing fits.


# %% nbgrader={"grade_id": "wordpiece_encode", "solution": true}
def wordpiece_encode(word: str, vocab: set[str], unk: str = "[UNK]") -> list[str]:
    """The longest pieces from the left, ## before all but the first; [unk] for a word that cannot be finished."""
    ### BEGIN SOLUTION
    pieces, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):  # longest first
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [unk]
        pieces.append(piece)
        start = end
    return pieces
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_wordpiece_encode", "grade": true, "points": 2}
VOCAB = {"un", "uns", "##suit", "##uit", "##ui", "##able", "##table", "table", "suit", "不", "不适", "##适", "##合", "##适合"}


def test_wordpiece_encode():
    """Longest first, ## inside the word, and one unknown token for a word that gets stuck."""
    check(wordpiece_encode, "unsuitable", VOCAB, gives=["uns", "##uit", "##able"])
    check(wordpiece_encode, "able", VOCAB, gives=["[UNK]"])
    check(wordpiece_encode, "table", VOCAB)
    check(wordpiece_encode, "suittable", VOCAB)
    check(wordpiece_encode, "suitun", VOCAB)
    check(wordpiece_encode, "unsung", VOCAB, "<unk>")
    check(wordpiece_encode, "abcd", {"a", "ab", "abc", "##cd", "##d "})
    ### BEGIN HIDDEN TESTS
    check(wordpiece_encode, "", VOCAB, about="the empty word")
    check(wordpiece_encode, "不适合", VOCAB, about="Chinese")
    check(wordpiece_encode, "suitsuit", {"suit", "##s", "##t"}, about="a word that gets stuck inside")
    check(wordpiece_encode, "x", {"##x"}, about="one character")
    check(wordpiece_encode, "xx", {"x", "##x"}, about="one character twice")
    check(wordpiece_encode, "酒店🙂", {"酒店", "##🙂", "酒"}, about="an emoji")
    check(wordpiece_encode, "酒店🙂", {"酒店", "酒", "##店"}, about="an emoji that no piece has")
    check(wordpiece_encode, "a##b", {"a", "##b", "####b"}, about="marks in the word itself")
    check(wordpiece_encode, "Table", VOCAB, about="capital letters")
    check(wordpiece_encode, "x" * 130, {"x", "xx", "##x", "##xxx"}, about="a long word")
    check(wordpiece_encode, "unsuitabletable" * 2, {"unsuitabletableunsuitabletable", "un"}, about="a long piece")
    check(wordpiece_encode, "x", set(), "?", about="no pieces at all")
    check(wordpiece_encode, "x", set(), "", about="an unknown token of no characters")
    check(wordpiece_encode, "e\u0301", {"é"}, about="an accent that is a character of its own")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `wordpiece_score`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# BPE joins the most frequent pair of neighbours. WordPiece is usually described with another rule: join the pair that is
# most frequent **for how frequent its two units are**.
#
# $$\mathrm{score}(a, b) = \frac{\mathrm{count}(ab)}{\mathrm{count}(a)\cdot\mathrm{count}(b)}$$
#
# `wordpiece_score(words)` takes `{(unit, unit, …): how often the word occurs}` and returns `{(a, b): score}` for every pair
# of neighbours that occurs. Every occurrence counts: a word that occurs 8 times counts 8 times, and in a word `a a a` the
# unit `a` occurs three times and the pair `(a, a)` twice. Words of one unit count for their unit. Every word occurs at least
# once. No `##` is added or taken away.
#
# By hand: `{("t", "##h", "##e"): 8, ("t", "##o"): 4, ("q", "##u"): 2}`. The counts are t 12, ##h 8, ##e 8, ##o 4, q 2, ##u 2.
# The scores: (t, ##h) 8 / (12 · 8) = 0.083, (##h, ##e) 8 / (8 · 8) = 0.125, (t, ##o) 4 / (12 · 4) = 0.083,
# (q, ##u) 2 / (2 · 2) = 0.5. BPE joins *th* or *he* first, this score *qu*.
#
# Hint 1 (a nudge): You need two tables: one for units, one for pairs.
#
# Hint 2 (the approach): Go through the words once. Each unit adds the word's number of occurrences to the first table,
# each pair of neighbours to the second.
#
# Hint 3 (the steps): `pairwise(word)` gives the pairs of neighbours. Both tables are complete only when all words have
# been gone through; then each pair of the second is divided by the product of two entries of the first.


# %% nbgrader={"grade_id": "wordpiece_score", "solution": true}
def wordpiece_score(words: dict[tuple[str, ...], int]) -> dict[tuple[str, str], float]:
    """count(ab) / (count(a) · count(b)) for every pair of neighbours in the words."""
    ### BEGIN SOLUTION
    units, pairs = {}, {}
    for word, times in words.items():
        for unit in word:
            units[unit] = units.get(unit, 0) + times
        for pair in pairwise(word):
            pairs[pair] = pairs.get(pair, 0) + times
    return {(a, b): count / (units[a] * units[b]) for (a, b), count in pairs.items()}
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_wordpiece_score", "grade": true, "points": 2}
def test_wordpiece_score():
    """A pair's count over the product of its units' counts, every occurrence counted."""
    words = {("t", "##h", "##e"): 8, ("t", "##o"): 4, ("q", "##u"): 2}
    scores = {("t", "##h"): 0.083, ("##h", "##e"): 0.125, ("t", "##o"): 0.083, ("q", "##u"): 0.5}
    check(wordpiece_score, words, gives=scores)
    check(wordpiece_score, {("t", "##h", "##e"): 8, ("t", "##h"): 4, ("t",): 3, ("##h",): 1})
    check(wordpiece_score, {("a", "a", "a"): 5, ("a", "b"): 2})
    check(wordpiece_score, {("a", "b"): 3, ("b", "a"): 5})
    ### BEGIN HIDDEN TESTS
    check(wordpiece_score, {}, about="no words")
    check(wordpiece_score, {("x",): 7}, about="a word of one unit")
    check(wordpiece_score, {("a", "b"): 1}, about="one pair")
    check(wordpiece_score, {("##a", "b"): 1, ("##a", "##b"): 2}, about="units with a mark in front")
    check(wordpiece_score, {("a", "##a"): 2, ("a", "##b"): 3, ("b", "##a"): 4}, about="a unit with and without its mark")
    check(wordpiece_score, {("不", "适", "合"): 3, ("适", "合"): 4}, about="Chinese")
    check(wordpiece_score, {("A", "b", "a", "b"): 3, ("b", "b", "A"): 20, ("a",): 9, ("B", "a"): 2}, about="capital letters")
    check(wordpiece_score, {("a", "b"): 300_000, ("b", "c", "b"): 70_000}, about="words that occur often")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `unigram_viterbi`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# A unigram model gives a segmentation the product of its pieces' probabilities. As logarithms, the product is a sum, and
# nothing gets too small to write down. The best segmentation has the largest sum. There are too many to try, but the best
# way to a place in the text is the best way to some earlier place, plus one piece: this is the Viterbi algorithm (维特比算法).
#
# `unigram_viterbi(text, log_probs, unknown=-20.0)` returns `(pieces, log_prob)`: the pieces of the best segmentation, left
# to right, and the sum of their log-probabilities. Pieces may be of any length. A **single character** that `log_probs` does not have may stand alone
# with the log-probability `unknown`; a piece that `log_probs` has always keeps its own. If several segmentations are best,
# any of them is right. The empty text gives `([], 0.0)`.
#
# By hand: 不适合 with the pieces of the example. 不 · 适合 has 0.20 · 0.06 = 0.012, 不适 · 合 has 0.02 · 0.04 = 0.0008,
# 不 · 适 · 合 has 0.20 · 0.02 · 0.04 = 0.00016. The best is 不 · 适合, with ln 0.012 = −4.423. The longest match from the left
# would have taken 不适. And 不🙂 is 不 · 🙂, with ln 0.20 − 20 = −21.609.
#
# Hint 1 (a nudge): Suppose that you know the best log-probability of 不 and of 不适. Which pieces can end the best
# segmentation of 不适合?
#
# Hint 2 (the approach): For each end from 1 to `len(text)`, try each start before it: the best of `text[:start]`, plus
# the log-probability of `text[start:end]` if that is a piece. Remember the best sum and the start that gave it. At the
# end, follow the starts back from the last place, and turn the list round.
#
# Hint 3 (the steps): Two lists, both one longer than the text: the best sum for each place, 0 for the start and −∞ for
# all others at first; and the start from which it was reached. The log-probability of what lies between is the piece's
# own, else `unknown` for a single character, else −∞.


# %% nbgrader={"grade_id": "unigram_viterbi", "solution": true}
def unigram_viterbi(text: str, log_probs: dict[str, float], unknown: float = -20.0) -> tuple[list[str], float]:
    """The pieces of a best segmentation and their log-probability; an unknown character costs `unknown`."""
    ### BEGIN SOLUTION
    best = [0.0] + [-math.inf] * len(text)  # best[end]: the largest log-probability of text[:end]
    came_from = [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        for start in range(end):
            log_prob = log_probs.get(text[start:end], unknown if end - start == 1 else -math.inf)
            if best[start] + log_prob > best[end]:
                best[end] = best[start] + log_prob
                came_from[end] = start
    pieces, end = [], len(text)
    while end > 0:
        pieces.append(text[came_from[end] : end])
        end = came_from[end]
    return pieces[::-1], best[-1]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_unigram_viterbi", "grade": true, "points": 3}
def test_unigram_viterbi():
    """The most probable of all segmentations, log-probabilities added, single unknown characters allowed."""
    check(unigram_viterbi, "不适合", LOGS, gives=(["不", "适合"], -4.423))
    check(unigram_viterbi, "不🙂", LOGS, gives=(["不", "🙂"], -21.609))
    check(unigram_viterbi, "unsuitable", LOGS)
    check(unigram_viterbi, "不适合", LOGS | {"不": -30.0, "不适": -35.0})
    check(unigram_viterbi, "abc", {"a": -1.0, "ab": -1.5, "abc": -9.0, "b": -2.0, "bc": -4.0, "c": -3.0, "zzzz": -0.1})
    check(unigram_viterbi, "abcd", {"abcd": -9.0, "a": -1.0, "b": -1.1, "c": -1.2, "d": -1.3, "bcd": -9.5})
    check(unigram_viterbi, "xyz", {"xyz": -50.0, "xy": 0.0}, -3.0)
    check(unigram_viterbi, "不适合" * 300, LOGS)
    ### BEGIN HIDDEN TESTS
    check(unigram_viterbi, "", LOGS, about="an empty text")
    check(unigram_viterbi, "x", {}, -3.0, about="no pieces at all")
    check(unigram_viterbi, "x", {}, 0.0, about="unknown characters that cost nothing")
    check(unigram_viterbi, "xy", {}, -1e7, about="unknown characters that cost very much")
    check(unigram_viterbi, "ab", {"a": -math.inf, "b": -1.0, "ab": -50.0}, about="a piece with the probability 0")
    check(unigram_viterbi, "able", LOGS, about="one piece")
    check(unigram_viterbi, "🙂🙂不", LOGS, about="unknown characters side by side")
    check(unigram_viterbi, "xyz", {"xyz": -5.0}, -3.0, about="a cheap unknown")
    check(unigram_viterbi, "aaaaaa", {"a": -1.0, "aa": -1.4, "aaa": -2.9}, about="a character again and again")
    check(unigram_viterbi, "酒店🙂", {"酒店": -3.0, "酒": -2.0, "店": -2.5}, -11.0, about="another price of the unknown")
    check(unigram_viterbi, "q" * 400, {"a": -1.0}, about="a long text of unknown characters")
    small = {"不": -1500.0, "适合": -1200.0, "不适": -2800.0, "合": -1.0}
    check(unigram_viterbi, "不适合unsuitable", small, -700.0, about="very small probabilities")
    long = "incomprehensibilities"
    check(unigram_viterbi, "Un" + long, {long: -9.0, "un": -1.0, "in": -2.0}, about="a long piece, and a capital letter")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `unigram_log_likelihood`
# *difficulty ●●○ · importance ●●○ · 15 min*
#
# How probable is a text, however it is cut? The probabilities of all its segmentations add up. The same walk as before does
# it: where the best path keeps the **largest** of the ways to a place, the forward algorithm (前向算法) keeps their **sum**.
#
# `unigram_log_likelihood(text, log_probs)` returns the natural logarithm of that sum. There are no unknown characters here:
# a text that cannot be segmented has probability 0, so the result is `-math.inf`, never NaN. The empty text has one
# segmentation, with no piece, so the result is 0.0. Texts may have hundreds of characters: their probability is far below the
# smallest float, but its logarithm is an ordinary number.
#
# By hand: 不适合 has 0.012 + 0.0008 + 0.00016 = 0.01296, so the result is ln 0.01296 = −4.346.
#
# Hint 1 (a nudge): Let `total[end]` be the logarithm of the probability of `text[:end]`. Which earlier ones make it up?
#
# Hint 2 (the approach): For each end, collect `total[start] + log_probs[piece]` for each piece that ends there. Then
# take the logarithm of the sum of their exponentials, safely: the largest one is taken out first, as in softmax. With
# nothing collected, the result is −∞.
#
# Hint 3 (the steps): The largest of the ways, plus the logarithm of the sum of what the exponentials are once it is
# taken off each of them: no exponent is above 0 then. Where there is no way, or the largest is −∞, the place keeps its
# −∞.


# %% nbgrader={"grade_id": "unigram_log_likelihood", "solution": true}
def unigram_log_likelihood(text: str, log_probs: dict[str, float]) -> float:
    """The logarithm of the summed probability of all segmentations; -inf if there is none."""
    ### BEGIN SOLUTION
    total = [0.0] + [-math.inf] * len(text)  # total[end]: of text[:end]
    for end in range(1, len(text) + 1):
        ways = [total[start] + log_probs[text[start:end]] for start in range(end) if text[start:end] in log_probs]
        top = max(ways, default=-math.inf)
        if top > -math.inf:
            total[end] = top + math.log(sum(math.exp(way - top) for way in ways))
    return total[-1]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_unigram_log_likelihood", "grade": true, "points": 2}
def test_unigram_log_likelihood():
    """All segmentations count, in a text of any length."""
    check(unigram_log_likelihood, "不适合", LOGS, gives=-4.346)
    check(unigram_log_likelihood, "unsuitable", LOGS)
    check(unigram_log_likelihood, "table", LOGS)
    check(unigram_log_likelihood, "不x合", LOGS, gives=-math.inf)
    check(unigram_log_likelihood, "不适合", LOGS | {"不": -1500.0, "不适": -1501.0})
    check(unigram_log_likelihood, "不适合" * 300, LOGS)
    ### BEGIN HIDDEN TESTS
    check(unigram_log_likelihood, "", LOGS, about="an empty text")
    check(unigram_log_likelihood, "x", {}, about="no pieces at all")
    check(unigram_log_likelihood, "xx不", LOGS, about="a text that cannot begin")
    check(unigram_log_likelihood, "不合x", LOGS, about="a text that cannot end")
    check(unigram_log_likelihood, "a" * 12, {"a": -0.7, "aa": -1.2, "aaa": -2.5}, about="many segmentations")
    check(unigram_log_likelihood, "ab", {"a": 0.0, "b": 0.0, "ab": -1.0}, about="a probability of 1")
    check(unigram_log_likelihood, "b" * 900, {"b": -800.0}, about="very small probabilities")
    check(unigram_log_likelihood, "Able", LOGS, about="capital letters")
    check(unigram_log_likelihood, "ab", {"a": -1.0, "b": -1.0, "ab": -800.0}, about="very small probabilities")
    long = "incomprehensibilities"
    check(unigram_log_likelihood, long, {long: -9.0} | dict.fromkeys(long, -0.5), about="a long piece")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `expected_counts`
# *difficulty ●●● · importance ●●○ · 25 min*
#
# To train a unigram model, you need to know how often each piece is used, but a text does not come cut. So count each
# segmentation for its share of the text's probability: this is the E-step of expectation maximisation (期望最大化 EM).
#
# $$\mathrm{count}(p) = \sum_{\text{segmentations } s} \frac{P(s)}{P(\text{text})}\cdot(\text{how often } s \text{ uses } p)$$
#
# `expected_counts(text, log_probs)` returns `{piece: expected count}`. Pieces that no segmentation uses may be left out or be
# 0. The text has at least one segmentation; it may have hundreds of characters.
#
# By hand: 不适合. The three segmentations have the shares 0.012, 0.0008 and 0.00016 over 0.01296, that is 0.926, 0.062 and
# 0.012. So 不 has 0.926 + 0.012 = 0.938, 适合 0.926, 不适 0.062, 合 0.062 + 0.012 = 0.074, 适 0.012. A check that always
# holds: each count times the piece's length, added up, is the length of the text.
#
# Hint 1 (a nudge): Fix one piece at one place, from `start` to `end`. The segmentations that use it there are: anything
# before, the piece, anything behind.
#
# Hint 2 (the approach): Their summed probability is P(`text[:start]`) · P(piece) · P(`text[end:]`). So run the forward
# algorithm for all beginnings, and the same from the right for all ends (the backward algorithm). Divide by the
# probability of the whole text. The same piece may stand at several places: add.
#
# Hint 3 (the steps): Four terms make the logarithm of one share: the forward sum at the start, the piece itself, the
# backward sum at the end, and, taken off, that of the whole text. The backward sum at a place is over the pieces that
# begin there. `given_log_sum` adds what is given as logarithms.


# %%
def given_log_sum(logs: list[float]) -> float:
    """log(exp(a) + exp(b) + …), without overflow or underflow; -inf for nothing."""
    top = max(logs, default=-math.inf)
    return top if top == -math.inf else top + math.log(sum(math.exp(x - top) for x in logs))


# %% nbgrader={"grade_id": "expected_counts", "solution": true}
def expected_counts(text: str, log_probs: dict[str, float]) -> dict[str, float]:
    """How often each piece is used on average, each segmentation weighed by its share of the probability."""
    ### BEGIN SOLUTION
    n, spans = len(text), []  # the pieces in their places: start, end, log-probability
    for start in range(n):
        ends = range(start + 1, n + 1)
        spans += [(start, end, log_probs[text[start:end]]) for end in ends if text[start:end] in log_probs]
    reaching, leaving = [[] for _ in range(n + 1)], [[] for _ in range(n + 1)]
    for start, end, log_prob in spans:
        reaching[end].append((start, log_prob))
        leaving[start].append((end, log_prob))
    before, behind = [0.0] * (n + 1), [0.0] * (n + 1)  # of text[:place] and of text[place:]
    for place in range(1, n + 1):
        before[place] = given_log_sum([before[start] + log_prob for start, log_prob in reaching[place]])
    for place in reversed(range(n)):
        behind[place] = given_log_sum([log_prob + behind[end] for end, log_prob in leaving[place]])
    counts = {}
    for start, end, log_prob in spans:
        share = math.exp(before[start] + log_prob + behind[end] - before[n])
        counts[text[start:end]] = counts.get(text[start:end], 0.0) + share
    return counts
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_expected_counts", "grade": true, "points": 3}
def used(log_probs, text):
    """The expected counts of the pieces that are used at all."""
    counts = expected_counts(text, log_probs)
    return counts and {piece: count for piece, count in counts.items() if count != 0}


def test_expected_counts():
    """Every segmentation counts for its share, and a piece for each of its places."""
    check(used, LOGS, "不适合", gives={"不": 0.938, "适合": 0.926, "不适": 0.062, "合": 0.074, "适": 0.012})
    check(used, LOGS, "unsuitable")
    check(used, {"a": -0.7, "aa": -1.2}, "aaa")
    check(used, LOGS, "不适合不适")
    check(used, LOGS, "不适合" * 300)
    ### BEGIN HIDDEN TESTS
    check(used, LOGS, "不", about="one character")
    check(used, {"ab": -1.0, "b": -1.0}, "ab", about="a piece that no segmentation can reach")
    check(used, {"ab": -1.0, "a": -1.0}, "ab", about="a piece after which no segmentation goes on")
    check(used, {"b": -800.0}, "b", about="a very small probability")
    check(used, {"ab": -1.0, "a": -2.0, "b": -0.5, "aba": -1.5, "ba": -0.9}, "abab", about="pieces that overlap")
    check(used, {"ab": 0.0, "a": -2.0, "b": -0.5, "c": -1.0, "abc": -0.5, "bca": -2.0}, "abcab", about="a probability of 1")
    check(used, {"b": -3.0, "c": -0.1}, "b" * 900, about="a long text")
    check(used, {"a": -1.0, "A": -2.0, "aA": -2.5}, "aAaA", about="capital letters")
    long = "incomprehensibilities"
    check(used, {long: -9.0} | dict.fromkeys(long, -0.5), long, about="a long piece")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `byte_fallback`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# BERT gives up on a word that it cannot spell. LLaMA keeps 256 tokens in reserve, one for each byte (字节), named `<0x00>` to
# `<0xFF>`: what is in no piece is written as its UTF-8 bytes.
#
# `byte_fallback(pieces, vocab)` takes the pieces of a segmentation, in order, and a set with the ordinary pieces. A piece that
# the vocabulary has stays as it is. Each other piece is replaced **as a whole** by the tokens of its UTF-8 bytes: `<0x`, two
# digits in capital letters, `>`. The 256 byte tokens always exist; they need not be in `vocab`. (A piece comes from a text: if
# somebody typed `<0x41>` there, it is a piece like any other.)
#
# By hand: with 酒店 in the vocabulary, `["酒店", "é"]` becomes `["酒店", "<0xC3>", "<0xA9>"]`: é is U+00E9, but in UTF-8 it has
# two bytes. 🙂 has four: `<0xF0> <0x9F> <0x99> <0x82>`. A line end is `<0x0A>`.
#
# Hint 1 (a nudge): `"é".encode("utf-8")` gives the bytes. What do you get when you go through them in a loop?
#
# Hint 2 (the approach): Numbers from 0 to 255. Format each one with two hexadecimal digits in capitals, with a leading
# zero where needed.
#
# Hint 3 (the steps): Whether a piece is known decides for the whole piece. If it is not, each of its bytes becomes one
# token; a format such as `{number:03d}` fills up with zeros, and the letter for hexadecimal digits comes in two sizes.


# %% nbgrader={"grade_id": "byte_fallback", "solution": true}
def byte_fallback(pieces: list[str], vocab: set[str]) -> list[str]:
    """The pieces, with each one that the vocabulary lacks spelt in byte tokens such as <0xE9>."""
    ### BEGIN SOLUTION
    tokens = []
    for piece in pieces:
        if piece in vocab:
            tokens.append(piece)
        else:
            tokens.extend(f"<0x{byte:02X}>" for byte in piece.encode("utf-8"))
    return tokens
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_byte_fallback", "grade": true, "points": 2}
def test_byte_fallback():
    """Known pieces stay, each unknown one becomes its UTF-8 bytes, two capital digits a byte."""
    check(byte_fallback, ["酒店", "é"], {"酒店"}, gives=["酒店", "<0xC3>", "<0xA9>"])
    check(byte_fallback, ["▁", "酒店", "🙂", "\n"], {"酒店", "▁"})
    check(byte_fallback, ["酒店"], {"酒", "店"})
    check(byte_fallback, ["▁a", "x", "▁a"], {"▁a"})
    check(byte_fallback, ["▁a", "x", "▁a"], {"▁a", "x"})
    ### BEGIN HIDDEN TESTS
    check(byte_fallback, [], {"a"}, about="no pieces")
    check(byte_fallback, ["a", "b"], set(), about="an empty vocabulary")
    check(byte_fallback, ["\x00", "\x7f", "\t"], {"a"}, about="bytes below 16")
    check(byte_fallback, ["🙂", "🙂"], {"🙂"}, about="a piece twice")
    check(byte_fallback, ["é", "e\u0301", "ﬁ", "㎡"], {"e"}, about="letters that look alike, and signs of one piece")
    check(byte_fallback, ["<0x41>"], {"<0x41>"}, about="a piece that looks like a byte token")
    check(byte_fallback, ["<0x41>"], {"A"}, about="an unknown piece that looks like a byte token")
    check(byte_fallback, ["Hotel", "hotel"], {"hotel"}, about="capital letters")
    check(byte_fallback, ["▁é", "▁x"], {"a"}, about="unknown pieces with a ▁")
    check(byte_fallback, ["▁x"], {"▁"}, about="a piece of known and unknown characters")
    check(byte_fallback, ["▁a", "a"], {"a"}, about="a piece that is known without its ▁")
    check(byte_fallback, [" ", "a "], set(), about="spaces")
    check(byte_fallback, ["酒", "店", "住宿"], {"酒", "宿"}, about="a piece of known and unknown characters")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `decode_with_bytes`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# The way back: from the tokens to the text. `decode_with_bytes(pieces)` takes ordinary pieces and byte tokens, in order, and
# returns the text.
#
# - Each ▁ of an ordinary piece is a space.
# - **Neighbouring byte tokens belong together**: collect them, then decode, since a character may need up to four. Bytes that are
#   not UTF-8 become U+FFFD, as in `bytes.decode("utf-8", errors="replace")`.
# - `metaspace` put one space in front of the text. If the first piece starts with ▁, that **one** space is taken away, and no
#   other: the spaces of the text itself stay.
#
# By hand: `["▁酒店", "<0xF0>", "<0x9F>", "<0x99>", "<0x82>"]` is 酒店🙂. The text "␣a" (a space before a) became `["▁▁a"]`, and
# becomes "␣a" again. `["<0xE9>", "a"]` is "�a", since E9 alone is not UTF-8.
#
# Only a piece of exactly the form `<0x..>`, two capital hexadecimal digits, is a byte token. What the bytes spell stays as it
# is, be it a space, a line end or a ▁.
#
# Hint 1 (a nudge): What happens to each of the four bytes of 🙂 if it is decoded alone?
#
# Hint 2 (the approach): It is easier to have everything in bytes and to decode once: an ordinary piece, with its ▁
# replaced, gives its own UTF-8 bytes. Take the first space away before you start.
#
# Hint 3 (the steps): Hexadecimal digits become a number by `int` with the base 16. Whether the first piece starts with
# ▁ is asked of that piece, not of the text at the end; and ▁ is replaced in each ordinary piece, not in what the bytes
# spell.


# %% nbgrader={"grade_id": "decode_with_bytes", "solution": true}
def decode_with_bytes(pieces: list[str]) -> str:
    """The text: ▁ is a space, byte tokens are decoded together, the one space that metaspace added is taken away."""
    ### BEGIN SOLUTION
    byte_tokens = {f"<0x{byte:02X}>": bytes([byte]) for byte in range(256)}
    data = b""
    for i, piece in enumerate(pieces):
        if piece in byte_tokens:
            data += byte_tokens[piece]
        else:
            data += (piece.removeprefix("▁") if i == 0 else piece).replace("▁", " ").encode("utf-8")
    return data.decode("utf-8", errors="replace")
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_decode_with_bytes", "grade": true, "points": 2}
def test_decode_with_bytes():
    """Bytes are decoded together, and exactly one space is taken away, at the front."""
    check(decode_with_bytes, ["▁酒店", "<0xF0>", "<0x9F>", "<0x99>", "<0x82>"], gives="酒店🙂")
    check(decode_with_bytes, ["▁the", "▁▁hotel", "▁is_clean"])
    check(decode_with_bytes, ["▁▁a", "▁"])
    check(decode_with_bytes, ["a", "▁b"])
    check(decode_with_bytes, ["<0xE9>", "a"])
    check(decode_with_bytes, ["<0x20>", "<0xE2>", "<0x96>", "<0x81>", "a", "<0x0A>"])
    ### BEGIN HIDDEN TESTS
    check(decode_with_bytes, [], about="no pieces")
    check(decode_with_bytes, ["▁"], about="one space")
    check(decode_with_bytes, ["▁", "▁"], about="two spaces")
    check(decode_with_bytes, ["▁", "<0x0A>", "a", "<0x0D>", "<0x0A>"], about="line ends")
    check(decode_with_bytes, ["<0xC3>", "<0xA9>", "t", "<0xC3>", "<0xA9>"], about="bytes at both ends")
    check(decode_with_bytes, ["▁a", "<0xF0>", "<0x9F>"], about="a cut character")
    nearly = ["▁<0x4", "1>", "<0xZZ>", "<0xe9>", "<0x041>", "<0x41>\n", "▁<0x41>"]
    check(decode_with_bytes, nearly, about="nearly byte tokens")
    check(decode_with_bytes, ["▁酒", "<0xE5>", "<0xBA>", "<0x97>", "▁▁", "店"], about="bytes between pieces")
    check(decode_with_bytes, ["<0x20>", "▁a"], about="a space that is spelt as a byte, in front")
    check(decode_with_bytes, ["<0xEF>", "<0xBB>", "<0xBF>", "a"], about="U+FEFF in front")
    check(decode_with_bytes, ["a", "<0x+5>", "<0x 5>", "<0x5>", "<0x4１>"], about="nearly byte tokens")
    check(decode_with_bytes, ["a", "<0x00>", "e", "\u0301"], about="the byte 0, and an accent of its own")
    text = metaspace(" two  spaces 🙂\té_ ")
    spelt = [[c] if c < "~" or c == "▁" else [f"<0x{byte:02X}>" for byte in c.encode()] for c in text]
    check(decode_with_bytes, [piece for row in spelt for piece in row], about="a text")
    ### END HIDDEN TESTS
