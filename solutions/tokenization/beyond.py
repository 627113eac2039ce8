# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
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
import random
from collections.abc import Iterator
from itertools import pairwise

PROBABILITIES = {
    "un": 0.12, "uns": 0.02, "suit": 0.06, "uit": 0.01, "ui": 0.01, "able": 0.10, "table": 0.04,
    "不": 0.20, "适": 0.02, "合": 0.04, "不适": 0.02, "适合": 0.06,
}  # fmt: skip


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
# shorter piece is tried in its place. The empty word gives `[]`.
#
# By hand, with the vocabulary `un, uns, ##suit, ##uit, ##able, table`: *unsuitable* starts with `un` and with `uns`; the
# longer one wins. The rest is *uitable*: `##uit` fits. The rest is *able*: `##able` fits. So `["uns", "##uit", "##able"]`.
# *able* alone gives `["[UNK]"]`, since the vocabulary has it only for inside a word.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two loops: where the next piece starts, and where it ends. In which order should the ends be tried?
#
# <details><summary>Hint 2: the approach</summary>
#
# From a start, try the ends from the last one down, and stop at the first piece that the vocabulary has. If no end is
# left, return at once.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `for end in range(len(word), start, -1):` with `piece = ("##" if start else "") + word[start:end]`. A `for` loop's `else`
# runs when no `break` happened.
#
# </details></details></details>


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
def test_wordpiece_encode():
    """Longest first, ## inside the word, and one unknown token for a word that gets stuck."""

    def walk(word, vocab, unk, first="", inside="##", longest=True, stuck="whole", bare=False):
        """The algorithm, or the one that a known mistake makes of it."""
        pieces, start = [], 0
        while start < len(word):
            prefix = inside if start else first
            ends = [e for e in range(start + 1, len(word) + 1) if prefix + word[start:e] in vocab]
            if not ends and stuck == "whole":
                return [unk]
            if not ends and stuck == "rest":
                return [*pieces, unk]
            if not ends and stuck == "silent":
                return pieces
            end = (max(ends) if longest else min(ends)) if ends else start + 1
            if ends:
                pieces.append(("" if bare else prefix) + word[start:end])
            elif stuck == "characters":
                pieces.append(unk)
            start = end
        return pieces

    def any_way(word, vocab, start=0):
        """The first way that goes back when it is stuck, longest pieces first; None if there is none."""
        if start == len(word):
            return []
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                rest = any_way(word, vocab, end)
                if rest is not None:
                    return [piece, *rest]
        return None

    def check(word, vocab, unk=None):
        call = f"wordpiece_encode({word!r}, …)"
        mark = "[UNK]" if unk is None else unk
        try:
            got = wordpiece_encode(word, set(vocab)) if unk is None else wordpiece_encode(word, set(vocab), unk)
        except (IndexError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise AssertionError(f"{call} raised {type(error).__name__}: {error}") from None
        expected = walk(word, vocab, mark)
        if got is not None and list(got) == expected:
            return
        known = {
            "the pieces before the stuck place were kept: the whole word becomes one unknown token": walk(
                word, vocab, mark, stuck="rest"
            ),
            "one unknown token for each character that does not fit: the whole word becomes one": walk(
                word, vocab, mark, stuck="characters"
            ),
            "what does not fit was left out: the whole word becomes one unknown token": walk(
                word, vocab, mark, stuck="skip"
            ),
            "it stopped at the place where nothing fits: the whole word becomes one unknown token": walk(
                word, vocab, mark, stuck="silent"
            ),
            "the shortest piece was taken, not the longest": walk(word, vocab, mark, longest=False),
            "the ## was looked up but left off in the result": walk(word, vocab, mark, bare=True),
            "inside the word a piece was looked up without its ##": walk(word, vocab, mark, inside=""),
            "the first piece was looked up with ## too: only pieces inside the word have it": walk(
                word, vocab, mark, first="##"
            ),
            "it went back to a shorter piece after it got stuck: WordPiece never looks back": any_way(word, vocab),
            "one unknown token a character: the whole word becomes one": [mark] * len(word),
        }
        bare = walk(word, vocab, mark, inside="")
        known["inside the word a piece was looked up without its ##, which was only written before it afterwards"] = [
            p if i == 0 or p == mark else "##" + p for i, p in enumerate(bare)
        ]
        known["the unknown token is not the one that was asked for"] = ["[UNK]"] if mark != "[UNK]" else None
        for mistake, wrong in known.items():
            assert wrong is None or got is None or list(got) != wrong, (
                f"{call}: expected {expected}, got {got}: {mistake}"
            )
        raise AssertionError(f"{call}: expected {expected}, got {got}")

    vocab = {"un", "uns", "##suit", "##uit", "##ui", "##able", "##table", "table", "suit", "不", "不适", "##适", "##合"}
    vocab |= {"##适合"}
    check("table", vocab)
    check("suitun", vocab)
    check("unsuitable", vocab)
    check("不适合", vocab)
    check("able", vocab)
    check("suittable", vocab)
    check("unsung", vocab)
    check("abcd", {"a", "ab", "abc", "##cd", "##d "})
    check("suitsuit", {"suit", "##s", "##t"})
    check("unsung", vocab, "<unk>")
    check("", vocab)
    ### BEGIN HIDDEN TESTS
    check("x", {"##x"})
    check("xx", {"x", "##x"})
    check("酒店🙂", {"酒店", "##🙂", "酒"})
    check("酒店🙂", {"酒店", "酒", "##店"})
    check("a##b", {"a", "##b", "####b"})
    check("ünï", {"ü", "##n", "##ï", "##nï"})
    check("x" * 90, {"x", "xx", "##x", "##xxx"})
    numbers = random.Random(3)
    for _ in range(150):
        parts = {"".join(numbers.choices("abc", k=numbers.randint(1, 3))) for _ in range(9)}
        some = {p if numbers.random() < 0.5 else "##" + p for p in parts} | {"a", "##b"}
        check("".join(numbers.choices("abc", k=numbers.randint(1, 8))), some)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_wordpiece_encode()


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
# unit `a` occurs three times and the pair `(a, a)` twice. Words of one unit count for their unit. No `##` is added or taken
# away.
#
# By hand: `{("t", "##h", "##e"): 8, ("t", "##o"): 4, ("q", "##u"): 2}`. The counts are t 12, ##h 8, ##e 8, ##o 4, q 2, ##u 2.
# The scores: (t, ##h) 8 / (12 · 8) = 0.083, (##h, ##e) 8 / (8 · 8) = 0.125, (t, ##o) 4 / (12 · 4) = 0.083,
# (q, ##u) 2 / (2 · 2) = 0.5. BPE joins *th* or *he* first, this score *qu*.
#
# <details><summary>Hint 1: a nudge</summary>
#
# You need two tables: one for units, one for pairs.
#
# <details><summary>Hint 2: the approach</summary>
#
# Go through the words once. Each unit adds the word's number of occurrences to the first table, each pair of neighbours to
# the second.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `pairwise(word)`, or `zip(word, word[1:])`, gives the pairs of neighbours. Afterwards, one dictionary comprehension over the second table.
#
# </details></details></details>


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

    def count(words, once_a_word=False, types=False):
        units, pairs = {}, {}
        for word, times in words.items():
            times = 1 if types else times
            neighbours = list(pairwise(word))
            for table, found in ((units, word), (pairs, neighbours)):
                for x in set(found) if once_a_word else found:
                    table[x] = table.get(x, 0) + times
        return units, pairs

    def same(a, b):
        return a.keys() == b.keys() and all(math.isclose(a[k], b[k], rel_tol=1e-9) for k in a)

    def check(words):
        call = f"wordpiece_score({words})"
        try:
            got = dict(wordpiece_score(dict(words)))
        except (KeyError, ZeroDivisionError, IndexError, TypeError, ValueError) as error:
            raise AssertionError(f"{call} raised {type(error).__name__}: {error}") from None
        units, pairs = count(words)
        expected = {(a, b): n / (units[a] * units[b]) for (a, b), n in pairs.items()}
        assert got.keys() == expected.keys(), (
            f"{call}: expected the pairs {sorted(expected)}, got {sorted(got, key=str)}: "
            "a key is the pair of neighbours as it stands in the word, left unit first"
        )
        if same(got, expected):
            return
        type_units, type_pairs = count(words, types=True)
        set_units, set_pairs = count(words, once_a_word=True)
        ends = {u: sum(n for p, n in pairs.items() for x in p if x == u) for u in units}
        inside = {u: sum(n for w, n in words.items() if len(w) > 1 for x in w if x == u) for u in units}
        total = sum(units.values())
        known = {
            "that is the pair's count, which is what BPE looks at: divide by the counts of both units": pairs,
            "every word was counted once, however often it occurs": {
                (a, b): n / (type_units[a] * type_units[b]) for (a, b), n in type_pairs.items()
            },
            "what a word has twice was counted once in it": {
                (a, b): n / (set_units[a] * set_units[b]) for (a, b), n in set_pairs.items()
            },
            "divided by the sum of the units' counts: take their product": {
                (a, b): n / (units[a] + units[b]) for (a, b), n in pairs.items()
            },
            "divided by the count of the first unit only": {(a, b): n / units[a] for (a, b), n in pairs.items()},
            "divided by the count of the second unit only": {(a, b): n / units[b] for (a, b), n in pairs.items()},
            "divided by the root of the product: this score takes the product itself": {
                (a, b): n / math.sqrt(units[a] * units[b]) for (a, b), n in pairs.items()
            },
            "that is the logarithm of the score": {k: math.log(v) for k, v in expected.items()},
            "the units were counted within pairs, so a unit between two others counts twice": {
                (a, b): n / (ends[a] * ends[b]) for (a, b), n in pairs.items()
            },
            "words of one unit were left out of the counts": {
                (a, b): n / (inside[a] * inside[b]) for (a, b), n in pairs.items() if inside[a] * inside[b]
            },
            "the counts were turned into shares first: the score is made of the counts": {
                (a, b): n / sum(pairs.values()) / (units[a] / total * units[b] / total) for (a, b), n in pairs.items()
            },
        }
        for mistake, wrong in known.items():
            assert not same(got, wrong), f"{call}: expected {expected}, got {got}: {mistake}"
        raise AssertionError(f"{call}: expected {expected}, got {got}")

    check({("t", "##h", "##e"): 8, ("t", "##o"): 4, ("q", "##u"): 2})
    check({("t", "##h", "##e"): 8, ("t", "##h"): 4, ("t",): 3, ("##h",): 1})
    check({("a", "a", "a"): 5, ("a", "b"): 2})
    check({("不", "适", "合"): 3, ("适", "合"): 4})
    check({("x",): 7})
    ### BEGIN HIDDEN TESTS
    check({})
    check({("a", "b"): 1})
    check({("a", "b"): 3, ("b", "a"): 5})
    numbers = random.Random(8)
    for _ in range(60):
        words = {tuple(numbers.choices("abcd", k=numbers.randint(1, 6))): numbers.randint(1, 30) for _ in range(8)}
        check(words)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_wordpiece_score()


# %% [markdown]
# ## `unigram_viterbi`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# A unigram model gives a segmentation the product of its pieces' probabilities. As logarithms, the product is a sum, and
# nothing gets too small to write down. The best segmentation has the largest sum. There are too many to try, but the best
# way to a place in the text is the best way to some earlier place, plus one piece: this is the Viterbi algorithm (维特比算法).
#
# `unigram_viterbi(text, log_probs, unknown=-20.0)` returns `(pieces, log_prob)`: the pieces of the best segmentation, left
# to right, and the sum of their log-probabilities. A **single character** that `log_probs` does not have may stand alone
# with the log-probability `unknown`; a piece that `log_probs` has always keeps its own. If several segmentations are best,
# any of them is right. The empty text gives `([], 0.0)`.
#
# By hand: 不适合 with the pieces of the example. 不 · 适合 has 0.20 · 0.06 = 0.012, 不适 · 合 has 0.02 · 0.04 = 0.0008,
# 不 · 适 · 合 has 0.20 · 0.02 · 0.04 = 0.00016. The best is 不 · 适合, with ln 0.012 = −4.423. The longest match from the left
# would have taken 不适. And 不🙂 is 不 · 🙂, with ln 0.20 − 20 = −21.609.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Suppose that you know the best log-probability of 不 and of 不适. Which pieces can end the best segmentation of 不适合?
#
# <details><summary>Hint 2: the approach</summary>
#
# For each end from 1 to `len(text)`, try each start before it: the best of `text[:start]`, plus the log-probability of
# `text[start:end]` if that is a piece. Remember the best sum and the start that gave it. At the end, follow the starts back
# from the last place, and turn the list round.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `best = [0.0] + [-math.inf] * len(text)` and `came_from = [0] * (len(text) + 1)`; in the inner loop,
# `log_prob = log_probs.get(piece, unknown if len(piece) == 1 else -math.inf)`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "unigram_viterbi", "solution": true}
def unigram_viterbi(text: str, log_probs: dict[str, float], unknown: float = -20.0) -> tuple[list[str], float]:
    """The pieces of a best segmentation and their log-probability; a character in no piece costs `unknown`."""
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

    def value(piece, log_probs, unknown):
        return log_probs.get(piece, unknown if len(piece) == 1 else -math.inf)

    def total(pieces, log_probs, unknown):
        return sum(value(p, log_probs, unknown) for p in pieces)

    def step_by_step(text, log_probs, unknown, key):
        """From the left, always the next piece that `key` likes best."""
        pieces, start = [], 0
        while start < len(text):
            ends = [e for e in range(start + 1, len(text) + 1) if text[start:e] in log_probs] or [start + 1]
            end = max(ends, key=lambda e: key(text[start:e]))
            pieces.append(text[start:end])
            start = end
        return pieces

    def check(text, log_probs, unknown=None, best=None):
        shown = text if len(text) < 30 else f"{text[:12]}… ({len(text)} characters)"
        call = f"unigram_viterbi({shown!r}, …)"
        u = -20.0 if unknown is None else unknown
        try:
            back = unigram_viterbi(text, dict(log_probs), *([] if unknown is None else [unknown]))
        except (KeyError, IndexError, ValueError, OverflowError, TypeError, RecursionError) as error:
            strange = [c for c in text if c not in log_probs]
            why = f": are {strange[:3]}, which no piece has, given the log-probability `unknown`?" if strange else ""
            if isinstance(error, ValueError) and "math" in str(error):
                why = ": is that the logarithm of a probability that became 0? Add log-probabilities instead"
            raise AssertionError(f"{call} raised {type(error).__name__}: {error}{why}") from None
        assert isinstance(back, tuple | list) and len(back) == 2, f"{call}: expected (pieces, log_prob), got {back!r}"
        pieces, score = list(back[0]), float(back[1])
        seen = pieces if len(pieces) < 12 else f"{len(pieces)} pieces"
        allowed = set(log_probs) | set(text)
        if best is None:
            ways = list(given_segmentations(text, allowed))
            expected = max(ways, key=lambda way: total(way, log_probs, u))
            best = total(expected, log_probs, u)
        else:
            ways, expected = [], "…"
        close = math.isclose(score, best, rel_tol=1e-9, abs_tol=1e-9)
        joined = "".join(pieces)
        if joined == text and close and math.isclose(total(pieces, log_probs, u), best, rel_tol=1e-9, abs_tol=1e-9):
            return
        assert joined == text or "".join(pieces[::-1]) != text, (
            f"{call}: the pieces come out from right to left: {seen}, expected {expected}: turn the list round"
        )
        lost = [c for c in text if c not in log_probs and c not in joined]
        assert not lost, f"{call}: {lost[:3]} got lost in {seen}: an unknown character stands alone as a piece"
        assert joined == text, f"{call}: the pieces {seen} do not make up the text"
        foreign = [p for p in pieces if p not in allowed]
        assert not foreign, (
            f"{call}: got {seen}, but {foreign[0]!r} is not a piece: only a single character may be unknown"
        )
        assert math.isfinite(score), (
            f"{call}: got the log-probability {score}, expected {best:.4f}: "
            "multiplied probabilities of a long text become 0; add log-probabilities, and give unknown characters `unknown`"
        )
        if ways:
            greedy = step_by_step(text, log_probs, u, len)
            likely = step_by_step(text, log_probs, u, lambda p: value(p, log_probs, u))
            worst = min(ways, key=lambda way: total(way, log_probs, u))
            fewest = min(ways, key=lambda way: (len(way), -total(way, log_probs, u)))
            mean = max(ways, key=lambda way: total(way, log_probs, u) / max(1, len(way)))
            for mistake, wrong in {
                "that is the longest match from the left, step by step": greedy,
                "that takes the most probable next piece, step by step, and cannot see what it leaves over": likely,
                "that is the least probable segmentation: larger log-probabilities are better": worst,
                "that is the best of those with the fewest pieces": fewest,
                "that is the best average for each piece: the sum counts": mean,
            }.items():
                right = math.isclose(total(wrong, log_probs, u), best, rel_tol=1e-9, abs_tol=1e-9)
                assert right or pieces != wrong, f"{call}: expected {expected}, got {seen}: {mistake}"
        mine = total(pieces, log_probs, u)
        logs = [value(p, log_probs, u) for p in pieces]
        for mistake, wrong in {
            "log-probabilities were multiplied: products of probabilities are sums of logarithms": math.prod(logs),
            "that is the probability: return its logarithm": math.exp(mine),
            "that is the mean for each piece: return the sum": mine / max(1, len(pieces)),
            "the sign is turned round": -mine,
        }.items():
            same = math.isclose(score, wrong, rel_tol=1e-9)
            assert not same or close, f"{call}: expected the log-probability {best:.4f}, got {score:.4f}: {mistake}"
        known = [p for p in pieces if len(p) == 1 and log_probs.get(p, 0) < u]
        assert not known or close, (
            f"{call}: expected the log-probability {best:.4f}, got {score:.4f}: "
            f"{known[0]!r} is a piece and keeps its own log-probability, even one below `unknown`"
        )
        assert math.isclose(mine, best, rel_tol=1e-9, abs_tol=1e-9), (
            f"{call}: expected {expected} with {best:.4f}, got {seen} with {mine:.4f}: not the most probable segmentation"
        )
        raise AssertionError(f"{call}: the pieces are right; expected the log-probability {best:.4f}, got {score:.4f}")

    logs = {piece: math.log(p) for piece, p in PROBABILITIES.items()}
    check("不适合", logs)
    check("unsuitable", logs)
    check("able", logs)
    check("不🙂", logs)
    check("🙂🙂不", logs)
    check("不适合", logs | {"不": -30.0, "不适": -35.0})
    check("abc", {"a": -1.0, "ab": -1.5, "abc": -9.0, "b": -2.0, "bc": -4.0, "c": -3.0, "zzzz": -0.1})
    check("abcd", {"abcd": -9.0, "a": -1.0, "b": -1.1, "c": -1.2, "d": -1.3, "bcd": -9.5})
    check("不适合" * 300, logs, best=300 * math.log(0.012))
    check("", logs)
    ### BEGIN HIDDEN TESTS
    check("x", {}, -3.0)
    check("xyz", {"xyz": -50.0}, -3.0)
    check("xyz", {"xyz": -5.0}, -3.0)
    check("aaaaaaa", {"a": -1.0, "aa": -1.4, "aaa": -2.9})
    check("酒店🙂", {"酒店": -3.0, "酒": -2.0, "店": -2.5}, -11.0)
    check("q" * 400, {"a": -1.0}, best=-8000.0)
    check("不适合unsuitable", {"不": -1500.0, "适合": -1200.0, "不适": -2800.0, "合": -1.0}, -700.0)
    numbers = random.Random(5)
    for _ in range(60):
        names = {"".join(numbers.choices("abc", k=numbers.randint(1, 4))) for _ in range(12)}
        some = {p: numbers.uniform(-12, -0.1) * len(p) ** 0.5 for p in names}
        check("".join(numbers.choices("abcd", k=numbers.randint(1, 9))), some, numbers.choice([-20.0, -6.0]))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unigram_viterbi()


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
# <details><summary>Hint 1: a nudge</summary>
#
# Let `total[end]` be the logarithm of the probability of `text[:end]`. Which earlier ones make it up?
#
# <details><summary>Hint 2: the approach</summary>
#
# For each end, collect `total[start] + log_probs[piece]` for each piece that ends there. Then take the logarithm of the sum of
# their exponentials, safely: the largest one is taken out first, as in softmax. With nothing collected, the result is −∞.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `top = max(ways)`, then `top + math.log(sum(math.exp(w - top) for w in ways))`, if there is a way and `top` is not −∞.
#
# </details></details></details>


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

    def check(text, log_probs, expected=None):
        shown = text if len(text) < 30 else f"{text[:12]}… ({len(text)} characters)"
        call = f"unigram_log_likelihood({shown!r}, …)"
        ways = []
        if expected is None:
            ways = [sum(log_probs[p] for p in way) for way in given_segmentations(text, log_probs)]
            top = max(ways, default=0.0)
            expected = top + math.log(sum(math.exp(w - top) for w in ways)) if ways else -math.inf
        try:
            got = float(unigram_log_likelihood(text, dict(log_probs)))
        except (KeyError, IndexError, ValueError, OverflowError, TypeError, RecursionError, ZeroDivisionError) as error:
            why = ""
            if expected == -math.inf:
                why = ": this text has no segmentation, so the answer is -math.inf"
            elif "empty" in str(error):
                why = ": where no piece ends, there is nothing to add up: the logarithm of that is -math.inf"
            elif isinstance(error, ValueError):
                why = ": is that log(0)? Take the largest way out before the exponentials"
            raise AssertionError(f"{call} raised {type(error).__name__}: {error}{why}") from None
        if got == expected or math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-9):
            return
        assert not math.isnan(got), f"{call}: got NaN: is -inf taken from -inf at a place that no piece reaches?"
        assert expected != -math.inf, f"{call}: no segmentation exists, so expected -inf, got {got}"
        assert got != -math.inf, (
            f"{call}: expected {expected:.4f}, got -inf: the probability was computed as a number and became 0 (underflow): "
            "stay with logarithms, and take the largest way out before the exponentials"
        )
        if ways:
            for mistake, wrong in {
                "that is the best segmentation alone: all of them count": max(ways),
                "log-probabilities of different segmentations were added: that multiplies them": sum(ways),
                "that is the probability: return its logarithm": math.exp(expected),
                "that is the mean over the segmentations: they add up": expected - math.log(len(ways)),
                "the sign is turned round": -expected,
                "that is not the natural logarithm": expected / math.log(2),
                "that is not the natural logarithm, but the one to base 10": expected / math.log(10),
                "that is the logarithm of the number of segmentations": math.log(len(ways)),
            }.items():
                assert not math.isclose(got, wrong, rel_tol=1e-9), (
                    f"{call}: expected {expected:.4f}, got {got:.4f}: {mistake}"
                )
        raise AssertionError(f"{call}: expected {expected:.4f}, got {got:.4f}")

    logs = {piece: math.log(p) for piece, p in PROBABILITIES.items()}
    check("不适合", logs)
    check("unsuitable", logs)
    check("table", logs)
    check("不x合", logs)
    check("不适合", logs | {"不": -1500.0, "不适": -1501.0})
    check("不适合" * 300, logs, 300 * math.log(0.01296))
    check("", logs)
    ### BEGIN HIDDEN TESTS
    check("x", {})
    check("", {})
    check("xx不", logs)
    check("不合x", logs)
    check("a" * 12, {"a": -0.7, "aa": -1.2, "aaa": -2.5})
    check("a" * 2, {"a": math.log(0.5), "aa": math.log(0.5)}, math.log(0.75))
    check("b" * 900, {"b": -800.0}, -720000.0)
    numbers = random.Random(6)
    for _ in range(60):
        names = {"".join(numbers.choices("abc", k=numbers.randint(1, 4))) for _ in range(12)}
        some = {p: numbers.uniform(-9, -0.1) for p in names}
        check("".join(numbers.choices("abc", k=numbers.randint(1, 10))), some)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_unigram_log_likelihood()


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
# <details><summary>Hint 1: a nudge</summary>
#
# Fix one piece at one place, from `start` to `end`. The segmentations that use it there are: anything before, the piece,
# anything behind.
#
# <details><summary>Hint 2: the approach</summary>
#
# Their summed probability is P(`text[:start]`) · P(piece) · P(`text[end:]`). So run the forward algorithm for all beginnings,
# and the same from the right for all ends (the backward algorithm). Divide by the probability of the whole text. The same
# piece may stand at several places: add.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `counts[piece] += math.exp(before[start] + log_probs[piece] + behind[end] - before[n])`, where `behind[start]` sums over the
# pieces that begin at `start`: `log_probs[piece] + behind[end]`.
#
# </details></details></details>


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
def test_expected_counts():
    """Every segmentation counts for its share, and a piece for each of its places."""

    def same(a, b):
        return all(math.isclose(a.get(k, 0.0), b.get(k, 0.0), rel_tol=1e-8, abs_tol=1e-10) for k in {*a, *b})

    def shown(counts):
        return {p: round(c, 4) for p, c in counts.items() if c > 1e-10}

    def check(text, log_probs, expected=None):
        name = text if len(text) < 30 else f"{text[:12]}… ({len(text)} characters)"
        call = f"expected_counts({name!r}, …)"
        try:
            got = {p: float(c) for p, c in dict(expected_counts(text, dict(log_probs))).items()}
        except (KeyError, IndexError, ValueError, OverflowError, ZeroDivisionError, RecursionError, TypeError) as error:
            why = ": did a probability become 0? Stay with logarithms until the end" if len(text) > 100 else ""
            raise AssertionError(f"{call} raised {type(error).__name__}: {error}{why}") from None
        known = {}
        if expected is None:
            ways = list(given_segmentations(text, log_probs))
            chances = [math.exp(sum(log_probs[p] for p in way)) for way in ways]
            whole = sum(chances)

            def weigh(weights, once=False):
                counts = {}
                for way, weight in zip(ways, weights):
                    for piece in set(way) if once else way:
                        counts[piece] = counts.get(piece, 0.0) + weight
                return counts

            def inside(part):
                return sum(math.exp(sum(log_probs[p] for p in way)) for way in given_segmentations(part, log_probs))

            expected = weigh([c / whole for c in chances])
            if same(got, expected):
                return
            best = max(chances)
            known["those are the counts of the best segmentation alone: each one counts for its share"] = weigh(
                [float(c == best) for c in chances]
            )
            known["not divided by the probability of the whole text"] = weigh(chances)
            known["every segmentation was counted alike: weigh each by its probability"] = weigh(
                [1 / len(ways)] * len(ways)
            )
            known["the segmentations were counted, not weighed"] = weigh([1.0] * len(ways))
            known["a piece that stands at several places counts at each of them: add"] = weigh(
                [c / whole for c in chances], once=True
            )
            last, front, shifted, back = {}, {}, {}, {}
            for start in range(len(text)):
                for end in range(start + 1, len(text) + 1):
                    piece = text[start:end]
                    if piece in log_probs:
                        chance = math.exp(log_probs[piece]) / whole
                        last[piece] = inside(text[:start]) * chance * inside(text[end:])
                        front[piece] = front.get(piece, 0.0) + inside(text[:start]) * chance
                        back[piece] = back.get(piece, 0.0) + chance * inside(text[end:])
                        shifted[piece] = shifted.get(piece, 0.0) + inside(text[:start]) * chance * inside(text[start:])
            known["a piece at a later place overwrote its earlier count: add them"] = last
            known["what comes behind the piece is left out: the backward sums are missing"] = front
            known["what comes before the piece is left out: the forward sums are missing"] = back
            known["behind the piece, go on from its end, not from its start"] = shifted
        if same(got, expected):
            return
        bad = [p for p, c in got.items() if not math.isfinite(c)]
        assert not bad, f"{call}: the count of {bad[0]!r} is {got[bad[0]]}: stay with logarithms until the end"
        assert any(c > 0 for c in got.values()), (
            f"{call}: every count is 0: did the text's probability become 0 (underflow)? Stay with logarithms until the end"
        )
        for mistake, wrong in known.items():
            assert not same(got, wrong), f"{call}: expected {shown(expected)}, got {shown(got)}: {mistake}"
        logs = {p: math.log(c) for p, c in expected.items() if c > 0}
        assert not same(got, logs), f"{call}: those are the logarithms of the counts"
        covered = sum(len(p) * c for p, c in got.items())
        raise AssertionError(
            f"{call}: expected {shown(expected)}, got {shown(got)}, which covers {covered:.4f} of {len(text)} characters"
        )

    logs = {piece: math.log(p) for piece, p in PROBABILITIES.items()}
    check("不适合", logs)
    check("unsuitable", logs)
    check("aaa", {"a": -0.7, "aa": -1.2})
    check("不适合不适", logs)
    part = {"不": 12.16, "适合": 12.0, "不适": 0.8, "合": 0.96, "适": 0.16}  # of 12.96
    check("不适合" * 300, logs, {p: 300 * c / 12.96 for p, c in part.items()})
    ### BEGIN HIDDEN TESTS
    check("b", {"b": -800.0}, {"b": 1.0})
    check("不", logs)
    check("abab", {"ab": -1.0, "a": -2.0, "b": -0.5, "aba": -1.5, "ba": -0.9})
    check("b" * 900, {"b": -3.0, "c": -0.1}, {"b": 900.0})
    numbers = random.Random(7)
    for _ in range(80):
        names = {"".join(numbers.choices("abc", k=numbers.randint(2, 4))) for _ in range(12)} | set("abc")
        some = {p: numbers.uniform(-7, -0.1) for p in names}
        check("".join(numbers.choices("abc", k=numbers.randint(1, 8))), some)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_expected_counts()


# %% [markdown]
# ## `byte_fallback`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# BERT gives up on a word that it cannot spell. LLaMA keeps 256 tokens in reserve, one for each byte (字节), named `<0x00>` to
# `<0xFF>`: what is in no piece is written as its UTF-8 bytes.
#
# `byte_fallback(pieces, vocab)` takes the pieces of a segmentation, in order, and a set with the ordinary pieces. A piece that
# the vocabulary has stays as it is. Each other piece is replaced **as a whole** by the tokens of its UTF-8 bytes: `<0x`, two
# digits in capital letters, `>`. The 256 byte tokens always exist; they need not be in `vocab`.
#
# By hand: with 酒店 in the vocabulary, `["酒店", "é"]` becomes `["酒店", "<0xC3>", "<0xA9>"]`: é is U+00E9, but in UTF-8 it has
# two bytes. 🙂 has four: `<0xF0> <0x9F> <0x99> <0x82>`. A line end is `<0x0A>`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `"é".encode("utf-8")` gives the bytes. What do you get when you go through them in a loop?
#
# <details><summary>Hint 2: the approach</summary>
#
# Numbers from 0 to 255. Format each one with two hexadecimal digits in capitals, with a leading zero where needed.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `f"<0x{byte:02X}>"` for each `byte` of `piece.encode("utf-8")`.
#
# </details></details></details>


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

    def spell(piece, digits="02X", coding="utf-8"):
        return [f"<0x{byte:{digits}}>" for byte in piece.encode(coding)]

    def check(pieces, vocab):
        call = f"byte_fallback({pieces}, {sorted(vocab)})"
        try:
            got = list(byte_fallback(list(pieces), set(vocab)))
        except (UnicodeError, ValueError, TypeError, KeyError, IndexError) as error:
            raise AssertionError(f"{call} raised {type(error).__name__}: {error}") from None
        expected = [t for p in pieces for t in ([p] if p in vocab else spell(p))]
        if got == expected:
            return
        unknown = [p for p in pieces if p not in vocab]

        def instead(rule):
            return [t for p in pieces for t in ([p] if p in vocab else rule(p))]

        characters = [t for p in pieces for c in ([p] if p in vocab else p) for t in ([c] if c in vocab else spell(c))]
        known = {
            "the digits are capital letters: <0xE9>, not <0xe9>": instead(lambda p: spell(p, "02x")),
            "a byte below 16 needs a leading zero: <0x0A>, not <0xA>": instead(lambda p: spell(p, "X")),
            "that is the character's number (ord), not its UTF-8 bytes": instead(
                lambda p: [f"<0x{ord(c):02X}>" for c in p]
            ),
            "those are UTF-16 bytes, not UTF-8": instead(lambda p: spell(p, coding="utf-16-be")),
            "those are UTF-16 bytes, not UTF-8, with a byte order mark": instead(lambda p: spell(p, coding="utf-16")),
            "the numbers are decimal: write them in hexadecimal": instead(lambda p: spell(p, "d")),
            "the unknown pieces are left out": [p for p in pieces if p in vocab],
            "every piece became bytes because one was unknown: only the unknown one does": (
                [t for p in pieces for t in spell(p)] if unknown else None
            ),
            "known pieces became bytes too: they stay as they are": [t for p in pieces for t in spell(p)],
            "nothing was replaced": list(pieces),
            "the bytes of one piece are one token each, not one long token": instead(lambda p: ["".join(spell(p))]),
            "an unknown piece falls back as a whole, even where the vocabulary has one of its characters": characters,
            "only the first byte of a piece was written": instead(lambda p: spell(p)[:1]),
            "the name is <0x41>: a small x after the 0": instead(lambda p: [t.replace("x", "X") for t in spell(p)]),
            "the unknown token is for models without byte fallback": instead(lambda p: ["<unk>"]),
        }
        for mistake, wrong in known.items():
            assert wrong is None or got != wrong, f"{call}: expected {expected}, got {got}: {mistake}"
        raise AssertionError(f"{call}: expected {expected}, got {got}")

    check(["▁a", "x", "▁a"], {"▁a", "x"})
    check(["酒店", "é"], {"酒店"})
    check(["▁", "酒店", "🙂", "\n"], {"酒店", "▁"})
    check(["酒店"], {"酒", "店"})
    check(["▁a", "x", "▁a"], {"▁a"})
    check([], {"a"})
    ### BEGIN HIDDEN TESTS
    check(["a", "b"], set())
    check(["\x00", "\x7f", "\t"], {"a"})
    check(["🙂", "🙂"], {"🙂"})
    check(["é", "é", "ﬁ", "㎡"], {"e"})
    check(["<0x41>"], {"<0x41>"})
    check(["酒", "店", "住宿"], {"酒", "宿"})
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_byte_fallback()


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
# Only a piece of exactly the form `<0x..>`, two capital hexadecimal digits, is a byte token.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What happens to each of the four bytes of 🙂 if it is decoded alone?
#
# <details><summary>Hint 2: the approach</summary>
#
# It is easier to have everything in bytes and to decode once: an ordinary piece, with its ▁ replaced, gives its own UTF-8 bytes.
# Take the first space away before you start.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `bytes([int(piece[3:5], 16)])` is a byte token's byte. `re.fullmatch(r"<0x[0-9A-F]{2}>", piece)` says whether it is one.
#
# </details></details></details>


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
    tokens = {f"<0x{byte:02X}>": bytes([byte]) for byte in range(256)}

    def back(pieces, join=True, errors="replace", strip=lambda s: s.removeprefix(" "), mark="▁"):
        parts = []
        for piece in pieces:
            if piece in tokens and join and parts and isinstance(parts[-1], bytes):
                parts[-1] += tokens[piece]
            else:
                parts.append(tokens.get(piece, piece.replace(mark, " ")))
        return strip("".join(p.decode("utf-8", errors) if isinstance(p, bytes) else p for p in parts))

    def check(pieces):
        call = f"decode_with_bytes({pieces if len(pieces) < 15 else f'{len(pieces)} pieces'})"
        expected = back(pieces)
        try:
            got = decode_with_bytes(list(pieces))
        except (UnicodeError, ValueError, TypeError, IndexError, KeyError) as error:
            why = (
                ": bytes that are not UTF-8 become U+FFFD (errors='replace')" if isinstance(error, UnicodeError) else ""
            )
            raise AssertionError(f"{call} raised {type(error).__name__}: {error}{why}") from None
        if got == expected:
            return
        known = {
            "every byte was decoded alone: neighbouring byte tokens belong together": back(pieces, join=False),
            "broken bytes were dropped: they become U+FFFD": back(pieces, errors="ignore"),
            "the space that metaspace added is still there": back(pieces, strip=str),
            "all spaces in front were taken away: only one was added": back(pieces, strip=lambda s: s.lstrip(" ")),
            "spaces at both ends were taken away: only one was added, in front": back(
                pieces, strip=lambda s: s.strip(" ")
            ),
            "white space at both ends was taken away: only one space was added, in front": back(
                pieces, strip=str.strip
            ),
            "white space in front was taken away: only one space was added": back(pieces, strip=str.lstrip),
            "the first character was taken away though it was no ▁": back(pieces, strip=lambda s: s[1:]),
            "every ▁ was taken away: it is a space": back(pieces, strip=lambda s: s.replace(" ", "")),
            "▁ (U+2581) is still there: it is a space": back(pieces, mark="\0", strip=lambda s: s.removeprefix("▁")),
            "▁ (U+2581) is still there: it is not the underscore": back(pieces, mark="_", strip=str),
            "the space of every piece that starts with ▁ was lost: only the first one was added": "".join(
                back([p.removeprefix("▁")], strip=str) for p in pieces
            ),
            "the byte tokens are still there, as text": "".join(p.replace("▁", " ") for p in pieces).removeprefix(" "),
            "the byte tokens were left out": back([p for p in pieces if p not in tokens]),
            "each byte became the character of that number (chr): decode them as UTF-8": back(
                [chr(tokens[p][0]) if p in tokens else p for p in pieces]
            ),
        }
        for mistake, wrong in known.items():
            assert got != wrong, f"{call}: expected {expected!r}, got {got!r}: {mistake}"
        raise AssertionError(f"{call}: expected {expected!r}, got {got!r}")

    check(["▁酒店", "<0xF0>", "<0x9F>", "<0x99>", "<0x82>"])
    check(["▁the", "▁▁hotel", "▁is", "▁clean"])
    check(["▁▁a", "▁"])
    check(["a", "▁b"])
    check(["<0xE9>", "a"])
    check(["▁snake_case"])
    check(["▁", "<0x0A>", "a", "<0x0A>"])
    check([])
    ### BEGIN HIDDEN TESTS
    check(["▁", "▁"])
    check(["▁"])
    check(["<0xC3>", "<0xA9>", "t", "<0xC3>", "<0xA9>"])
    check(["▁a", "<0xF0>", "<0x9F>"])
    check(["▁", "<0x09>", "x", "<0x0D>", "<0x0A>"])
    check(["▁<0x4", "1>", "<0xZZ>", "<0xe9>", "<0x041>"])
    check(["▁酒", "<0xE5>", "<0xBA>", "<0x97>", "▁▁", "店"])
    for text in ["酒店🙂", " two  spaces ", "\ttab\n", "é e\u0301 ﬁ ㎡", "", "a_b", "🙂" * 40]:
        pieces = [t for c in metaspace(text) for t in ([c] if c in "▁酒ab" else [f"<0x{b:02X}>" for b in c.encode()])]
        check(pieces)
        assert decode_with_bytes(pieces) == text, f"{text!r} went in and did not come back"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_decode_with_bytes()
