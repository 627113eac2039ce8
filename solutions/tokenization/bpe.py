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
# # Byte-pair encoding
#
# Start with single bytes. Count which two neighbours occur most often, make one new token of them, and begin again. This
# is byte-pair encoding (字节对编码 byte-pair encoding, BPE), and what it learns is a list of merges (合并 merge) in order.
# To encode a text, the same merges are applied again.
#
# **When you are done you can** train such a tokenizer, encode and decode with it, keep special tokens out of the hands of
# those who type them, print text while its bytes still arrive, and train it again without counting everything anew.
#
# **You need** lists, dictionaries, tuples and `bytes` in Python; regular expressions to read, not to write. No NumPy.
# Plan about four hours for all, a little over two without the last three exercises.
#
# **Ids.** The ids 0 to 255 are the single bytes. The first merge makes the id 256, the next one 257, and so on: a list of
# merges `[(a, b), ...]` is the whole tokenizer.
#
# **The example** runs through the page and this notebook: eight words, one on each line, some of them more than once.
#
# | word | clean | cleaner | new | newer | newest | 酒店 (hotel) | 酒 (wine) | 干净 (clean) |
# |---|---|---|---|---|---|---|---|---|
# | times | 3 | 1 | 2 | 2 | 1 | 2 | 1 | 1 |
#
# Each exercise stands alone: none of them needs your answer to another one. The functions named `given_...` do what
# earlier exercises do, in another way; use them wherever they help below.

# %%
import codecs
import random
from collections import Counter, defaultdict
from itertools import pairwise

import regex

# GPT-2's split pattern: contractions; letters, numbers or other signs, each with one space before them; then spaces.
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


# %% [markdown]
# ## `pretokenize`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# Before anything is counted, the text is cut into parts (预切分 pre-tokenization), about one for each word. A merge never
# reaches across a cut, so that no token holds the end of one word and the beginning of the next.
#
# `pretokenize(text, pattern=PATTERN)` returns the parts in order. **Nothing may be lost:** `"".join(parts) == text`, for
# any text and any pattern. Each match of the pattern is a part. What the pattern skips, between two matches or at either
# end, is a part too. No part is empty; an empty text has no parts. (You may rely on it that the pattern never matches
# the empty string. It may hold groups.)
#
# By hand: `"The hotel's new, 酒店\n"` becomes `["The", " hotel", "'s", " new", ",", " 酒店", "\n"]`: a space goes to the
# word after it. With the pattern `r"\w+"`, the text `"so, new!"` becomes `["so", ", ", "new", "!"]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `regex.findall` gives the matches only, and for a pattern with a group it gives the groups. What tells you *where* a
# match was?
#
# <details><summary>Hint 2: the approach</summary>
#
# `regex.finditer` gives match objects with `.start()`, `.end()` and `.group()`. Remember where the last match ended; what
# lies between there and the next start was skipped.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# For every match, append `text[end:match.start()]` and `match.group()`, and set `end = match.end()`. After the loop append
# `text[end:]`. At last leave out the empty strings.
#
# </details></details></details>


# %% nbgrader={"grade_id": "pretokenize", "solution": true}
def pretokenize(text: str, pattern: str = PATTERN) -> list[str]:
    """The parts of the text in order; together they are the text, and none is empty."""
    ### BEGIN SOLUTION
    parts, end = [], 0
    for match in regex.finditer(pattern, text):
        parts += [text[end : match.start()], match.group()]  # what was skipped, then what matched
        end = match.end()
    return [part for part in [*parts, text[end:]] if part]
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_pretokenize", "grade": true, "points": 2}
def test_pretokenize():
    """The parts are as the pattern says, and nothing of the text is lost."""

    def check(text, expected, *pattern):
        call = f"pretokenize({', '.join(map(repr, (text, *pattern)))})"
        parts = list(pretokenize(text, *pattern))
        assert all(isinstance(part, str) for part in parts), (
            f"{call}: expected a list of strings, got {parts}: "
            "for a pattern with groups, findall gives the groups; use finditer and match.group()"
        )
        if parts == expected:
            return
        got = f"{call}: expected {expected}, got {parts}"
        if pattern and parts == regex.findall(PATTERN, text):
            raise AssertionError(f"{got}: the pattern that was given is not used")
        if pattern and parts == regex.findall(*pattern, text):
            raise AssertionError(f"{got}: what the pattern skips is lost, or its groups came in place of its matches")
        if "" in parts:
            raise AssertionError(f"{got}: no part may be empty")
        if parts and expected[: len(parts)] == parts:
            raise AssertionError(f"{got}: the end is missing: something may follow the last match")
        joined = "".join(parts)
        if joined != text and "".join(joined.split()) == "".join(text.split()):
            raise AssertionError(f"{got}: spaces or newlines are lost: they belong to the text")
        if joined == text:
            raise AssertionError(
                f"{got}: nothing is lost, but the cuts are elsewhere: each match is one part, "
                "and so is each stretch that the pattern skips"
            )
        raise AssertionError(f"{got}: joined they give {joined!r}, which is not the text")

    check("The hotel's new, 酒店\n", ["The", " hotel", "'s", " new", ",", " 酒店", "\n"])
    check("a  b\n\nc ", ["a", " ", " b", "\n", "\n", "c", " "])
    check("", [])
    check("so, new!", ["so", ", ", "new", "!"], r"\w+")
    check("so, new!", ["so", ",", " ", "new", "!"], r"(\w)+|(,)")
    ### BEGIN HIDDEN TESTS
    check("It's 3pm!?", ["It", "'s", " 3", "pm", "!?"])
    check(" \t x\r\n", [" \t", " x", "\r\n"])
    check("房间2间，很好🙂", ["房间", "2", "间", "，", "很好", "🙂"])
    check("I'LL we'll", ["I", "'", "LL", " we", "'ll"])
    check("...", ["..."], r"\w+")
    check("-a-", ["-", "a", "-"], r"(?:\w)")
    check("ＡＢ e\u0301 Straße", ["ＡＢ", " e", "\u0301", " Straße"])
    check("一二三四", ["一二", "三四"], r"(.)(.)")
    check("你好\n", ["你", "好", "\n"], r".")
    check("\x00\u200b\ufeffA", ["\x00\u200b\ufeff", "A"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_pretokenize()


# %% [markdown]
# ## `utf8_decode`
# *difficulty ●○○ · importance ●●● · 5 min*
#
# In UTF-8 an ASCII character is one byte, 酒 is three, 🙂 is four. A byte alone is often no character at all.
#
# `utf8_decode(ids)` takes a list of bytes, each 0 to 255, and returns the text that they spell. What is no UTF-8, such as
# a character of which the end is missing, becomes U+FFFD `�` (替换字符 replacement character), as in Python's
# `errors="replace"`. It never raises.
#
# By hand: `[0xE9, 0x85, 0x92]` is `"酒"`; `[72, 105, 0xE9, 0x85]` is `"Hi�"`: the two bytes of a cut character make **one**
# sign.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A character may need its neighbours: when must the bytes be together?
#
# <details><summary>Hint 2: the approach</summary>
#
# Make one `bytes` object of all ids, and decode it once.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `bytes([0xE9, 0x85, 0x92])` is `b"\xe9\x85\x92"`; its `.decode` takes the encoding and what to do about errors.
#
# </details></details></details>


# %% nbgrader={"grade_id": "utf8_decode", "solution": true}
def utf8_decode(ids: list[int]) -> str:
    """The text that these bytes (0..255) spell; what is not UTF-8 becomes U+FFFD."""
    ### BEGIN SOLUTION
    return bytes(ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_utf8_decode", "grade": true, "points": 1}
def test_utf8_decode():
    """Characters of several bytes are put together, and cut ones become U+FFFD."""

    def check(ids):
        data = bytes(ids)
        call = f"the bytes {data.hex(' ')}" if ids else "no bytes"
        expected = data.decode("utf-8", errors="replace")
        try:
            text = utf8_decode(list(ids))
        except UnicodeDecodeError as error:
            raise AssertionError(
                f"{call}: expected {expected!r}, got an error ({error}): a cut character must not raise"
            ) from None
        known = {
            "each byte was taken for a character of its own (that is Latin-1)": data.decode("latin-1"),
            "each byte was decoded alone: join them first": "".join(bytes([b]).decode("utf-8", "replace") for b in ids),
            "what is not UTF-8 was dropped: it must show as U+FFFD": data.decode("utf-8", errors="ignore"),
            "what is not UTF-8 was escaped: it must show as U+FFFD": data.decode("utf-8", errors="backslashreplace"),
            "a question mark is not U+FFFD": expected.replace("\ufffd", "?"),
            "one bad byte spoiled the whole text": "\ufffd",
        }
        for mistake, wrong in known.items():
            assert wrong == expected or text != wrong, f"{call}: expected {expected!r}, got {text!r}: {mistake}"
        assert text == expected, f"{call}: expected {expected!r}, got {text!r}"

    check("酒店🙂 hotel".encode())
    check([72, 105, 0xE9, 0x85])
    check([0xE9, 0x85, 72, 105, 0xFF])
    check([])
    ### BEGIN HIDDEN TESTS
    check([0x92, 0xE5, 0xBA, 0x97, 0x80])
    check([0xF0, 0x9F, 0x99, 0xE9, 0x85, 0x92])
    check([0xE0, 0x80, 0x41, 0xED, 0xA0, 0x80, 0xF4, 0x90, 0x80, 0x80, 0xC0, 0x80])
    check(range(256))
    check("\ufeff\x00é\ufffd".encode())
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_utf8_decode()


# %% [markdown]
# ## `byte_to_unicode`
# *difficulty ●●○ · importance ●○○ · 10 min*
#
# A vocabulary file should be readable, and bytes such as 10 (newline) or 0x85 are not. GPT-2 therefore writes every byte
# as one printable character (可打印字母表 printable byte alphabet). The tokens `Ġhotel` and `éħĴ` that you may have seen
# are ` hotel` and `酒` in this alphabet.
#
# `byte_to_unicode()` returns the table `{byte: character}` with all 256 bytes:
# - the bytes from `!` to `~` (33 to 126), from `¡` to `¬` (161 to 172) and from `®` to `ÿ` (174 to 255) stand for
#   themselves: `chr(byte)`;
# - all others, in increasing order, get `chr(256)`, `chr(257)`, `chr(258)` … without a gap.
#
# By hand: 0 to 32 are the first others, so byte 10 is `chr(266)`, `Ċ`, and the space is `chr(288)`, `Ġ`. The next one is
# 127: `chr(289)`, `ġ`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# The character of one of the others depends on how many others came before it, not on the byte itself.
#
# <details><summary>Hint 2: the approach</summary>
#
# Go through the bytes in order with a counter that goes up with every one that does not stand for itself.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `kept = [*range(33, 127), *range(161, 173), *range(174, 256)]`: mind that the end of a `range` is left out.
#
# </details></details></details>


# %% nbgrader={"grade_id": "byte_to_unicode", "solution": true}
def byte_to_unicode() -> dict[int, str]:
    """GPT-2's printable character for each byte."""
    ### BEGIN SOLUTION
    kept = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {byte: chr(byte) for byte in kept}
    others = [byte for byte in range(256) if byte not in table]
    for i, byte in enumerate(others):
        table[byte] = chr(256 + i)
    return table
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_byte_to_unicode", "grade": true, "points": 2}
def test_byte_to_unicode():
    """All 256 bytes have characters of their own, printable ones themselves, the others from 256 on."""
    table = byte_to_unicode()
    assert isinstance(table, dict), f"expected a dict, got {type(table).__name__}"
    assert "!" not in table, "expected {byte: character}, got it the other way round"
    missing = sorted(set(range(256)) - set(table))
    assert not missing, f"expected all 256 bytes, these are missing: {missing}: does a range end one too early?"
    assert len(table) == 256, f"expected 256 entries, got {len(table)}"
    assert table[ord("A")] == "A", f"byte 65 is printable and stands for itself: expected 'A', got {table[65]!r}"
    assert table[32] != " ", "byte 32, the space, is an 'other' byte: expected 'Ġ', got a space"
    assert table[10] != "\n", (
        "byte 10, the newline, is an 'other' byte: expected 'Ċ', got a newline: was it kept as chr(10)?"
    )
    for byte, why in {
        0: "the first of the others gets chr(256)",
        32: "32 others come before the space",
        126: "'~' is the last of the first range: does the range end one too early?",
        161: "the second range begins at 161",
        172: "'¬' is the last of the second range: does the range end one too early?",
        255: "'ÿ' is the last of the third range: does the range end one too early?",
        127: "33 others come before byte 127: are they numbered by a counter that goes up by 1, without a gap?",
        173: "173, the soft hyphen, is the last of the others: it cannot be seen",
        160: "66 others come before byte 160: are they numbered by a counter that goes up by 1, without a gap?",
    }.items():
        kept = 33 <= byte <= 126 or 161 <= byte <= 172 or byte >= 174
        expected = byte if kept else 256 + {0: 0, 32: 32, 127: 33, 160: 66, 173: 67}[byte]
        got = table[byte]
        assert got == chr(expected), f"byte {byte}: expected {chr(expected)!r}, got {got!r}: {why}"
    ### BEGIN HIDDEN TESTS
    kept = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    expected = {b: chr(b) for b in kept}
    expected |= {b: chr(256 + i) for i, b in enumerate(sorted(set(range(256)) - set(kept)))}
    bad = [b for b in range(256) if table[b] != expected[b]]
    assert not bad, f"these bytes have another character than expected: {bad}"
    word = "".join(table[b] for b in " 酒店\n".encode())
    assert word == "ĠéħĴåºĹĊ", f"' 酒店' and a newline: expected ĠéħĴåºĹĊ, got {word}"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_byte_to_unicode()


# %% [markdown]
# ## `pair_counts`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# A long text has few distinct words, so each is kept once, with the number of times that it occurs.
#
# `pair_counts(words)` takes `{word: times}`, a word being a tuple of ids, and returns `{(left, right): count}`: how often
# each pair of **neighbours** occurs in the whole text. Every pair of neighbouring positions counts, so `(7, 7, 7)` holds
# the pair `(7, 7)` twice. Pairs that do not occur are not in the result.
#
# By hand: `{(1, 2, 3): 5, (1, 2): 1, (4,): 9}` gives `{(1, 2): 6, (2, 3): 5}`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A word that occurs five times brings each of its pairs five times.
#
# <details><summary>Hint 2: the approach</summary>
#
# `pairwise(word)` gives the neighbours of one word, none for a word of one id.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# For each word and its times, for each pair of it: `counts[pair] = counts.get(pair, 0) + times`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "pair_counts", "solution": true}
def pair_counts(words: dict[tuple[int, ...], int]) -> dict[tuple[int, int], int]:
    """How often each pair of neighbours occurs in all words, each word counted as often as it occurs."""
    ### BEGIN SOLUTION
    counts = {}
    for word, times in words.items():
        for pair in pairwise(word):
            counts[pair] = counts.get(pair, 0) + times
    return counts
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_pair_counts", "grade": true, "points": 2}
def test_pair_counts():
    """Each pair of neighbours counts as often as its words occur, and no pair crosses from word to word."""

    def check(words):
        def count(pairs_of, weigh=True):
            counts = {}
            for word, times in words.items():
                for pair in pairs_of(word):
                    counts[pair] = counts.get(pair, 0) + (times if weigh else 1)
            return counts

        def neighbours(word):
            return [word[i : i + 2] for i in range(len(word) - 1)]

        def without_overlap(word):
            found, i = [], 0
            while i < len(word) - 1:
                found.append(word[i : i + 2])
                i += 2 if word[i : i + 2] == word[i + 1 : i + 3] else 1
            return found

        stream = [i for word, times in words.items() for i in word * times]
        across = {}
        for pair in pairwise(stream):
            across[pair] = across.get(pair, 0) + 1
        expected = count(neighbours)
        try:
            got = dict(pair_counts(dict(words)))
        except IndexError as error:
            raise AssertionError(f"{words}: {error}: a word of n ids has n - 1 pairs of neighbours") from None
        call = f"pair_counts({words}): expected {expected}, got {got}"
        known = {
            "how often a word occurs was ignored: add its times, not 1": count(neighbours, weigh=False),
            "a pair that occurs twice in a word counts twice": count(lambda w: set(neighbours(w))),
            "(7, 7, 7) holds (7, 7) at two positions: every position counts": count(without_overlap),
            "a pair has an order: (1, 2) is not (2, 1)": count(lambda w: [tuple(sorted(p)) for p in neighbours(w)]),
            "the pairs overlap: after (1, 2) comes (2, 3)": count(lambda w: neighbours(w)[::2]),
            "the last pair of each word is missing": count(lambda w: neighbours(w)[:-1]),
            "pairs do not cross from one word to the next": across,
        }
        for mistake, wrong in known.items():
            assert wrong == expected or got != wrong, f"{call}: {mistake}"
        assert 0 not in got.values(), f"{call}: pairs that do not occur are left out"
        assert got == expected, call

    check({(1, 2, 3): 5, (1, 2): 1, (4,): 9})
    check({(1, 2, 1, 2, 5): 2, (2, 1): 3})
    check({(7, 7, 7, 7): 1})
    check({(9, 1): 1, (3, 9, 9, 9, 9): 2})
    check({})
    ### BEGIN HIDDEN TESTS
    check({(): 2, (5,): 1})
    check({(300, 1, 300, 1, 300): 10_000, (1, 300): 7})
    check(
        {tuple(word.encode()): i + 1 for i, word in enumerate(["clean", "cleaner", "酒店", "酒", "aaaa", "哈哈哈哈"])}
    )
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_pair_counts()


# %% [markdown]
# ## `merge`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# `merge(ids, pair, new_id)` returns the list of ids with every occurrence of the pair replaced by the new id: found **from
# left to right**, and an id that was used once is used up.
#
# By hand: `merge([1, 2, 3, 1, 2], (1, 2), 9)` is `[9, 3, 9]`. In `[7, 7, 7]` only the first two make a pair:
# `merge([7, 7, 7], (7, 7), 9)` is `[9, 7]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# After a match, how far does the position move?
#
# <details><summary>Hint 2: the approach</summary>
#
# A `while` loop with a position: at the pair, append the new id and go on by two; else append the id and go on by one.
# The last id has no right neighbour.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:` … `else:` …
#
# </details></details></details>


# %% nbgrader={"grade_id": "merge", "solution": true}
def merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with every occurrence of the pair replaced by new_id, from left to right, without overlap."""
    ### BEGIN SOLUTION
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            merged.append(new_id)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_merge", "grade": true, "points": 2}
def test_merge():
    """Every occurrence is replaced, from left to right, and no id is used twice or lost."""

    def check(ids, pair, new_id=999):
        def replaced(text):
            return [ord(c) for c in text.replace(chr(pair[0]) + chr(pair[1]), chr(new_id))]

        text = "".join(map(chr, ids))
        expected = replaced(text)
        call = f"merge({ids}, {pair}, {new_id})"
        try:
            got = list(merge(list(ids), pair, new_id))
        except IndexError as error:
            raise AssertionError(f"{call}: {error}: the last id has no right neighbour") from None
        hits = [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) == pair]
        known = {
            "the occurrences were taken from right to left": [
                ord(c) for c in text[::-1].replace(chr(pair[1]) + chr(pair[0]), chr(new_id))[::-1]
            ],
            "only the first occurrence was replaced": [
                ord(c) for c in text.replace(chr(pair[0]) + chr(pair[1]), chr(new_id), 1)
            ],
            "a pair has an order: the reversed pair was replaced too": [
                ord(c)
                for c in regex.sub(
                    "|".join(regex.escape(chr(x) + chr(y)) for x, y in (pair, pair[::-1])), chr(new_id), text
                )
            ],
            "the right id of the pair is still there: go on by two after a match": [
                new_id if i in hits else x for i, x in enumerate(ids)
            ],
            "an id was used twice: after a match both ids are used up": [
                new_id if i in hits else x for i, x in enumerate(ids) if i in hits or i - 1 not in hits
            ],
            "the last id is lost": expected[:-1],
        }
        for mistake, wrong in known.items():
            assert wrong == expected or got != wrong, f"{call}: expected {expected}, got {got}: {mistake}"
        assert got == expected, f"{call}: expected {expected}, got {got}"

    check([1, 2, 3, 1, 2], (1, 2), 9)
    check([7, 7, 7], (7, 7), 9)
    check([2, 1, 2, 3], (1, 2), 9)
    check([1, 2, 4], (2, 1), 9)
    check([5, 1, 1, 1, 1, 1, 6], (1, 1), 9)
    check([], (1, 2), 9)
    ### BEGIN HIDDEN TESTS
    check([7], (7, 7))
    check([7, 7], (7, 7))
    check([1, 2, 12, 1, 21, 2, 1], (1, 2))
    check([300, 65, 300, 65, 65, 300], (300, 65))
    check([1, 1, 2, 1, 1, 1, 2, 2], (1, 2))
    check([0, 0, 0, 0], (0, 0))
    check([3, 4, 5], (6, 7))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_merge()


# %% [markdown]
# ## Given: a split and a merge
#
# So that a slip above costs nothing below. `given_merge` writes every id as one character and lets `str.replace` do the
# work.


# %%
def given_parts(text: str, pattern: str) -> list[str]:
    """The text in parts, for a pattern without capturing groups; what it skips is a part too."""
    return [part for part in regex.split(f"({pattern})", text) if part]


def given_merge(ids: list[int], pair: tuple[int, int], new_id: int) -> list[int]:
    """The ids with every occurrence of the pair replaced by new_id."""
    text = "".join(map(chr, ids))
    return [ord(c) for c in text.replace(chr(pair[0]) + chr(pair[1]), chr(new_id))]


# %% [markdown]
# ## `train_bpe`
# *difficulty ●●● · importance ●●● · 30 min*
#
# `train_bpe(text, vocab_size, pattern=PATTERN)` returns the merges in order, as pairs of ids. The text is cut into parts
# by the pattern, each part becomes the list of its UTF-8 bytes, and then, again and again:
# - count the pairs of neighbours inside the parts;
# - take the **most frequent** pair. Ties (并列 tie): the **smallest** pair `(a, b)`, compared as Python compares tuples;
# - merge number `i` (from 0) makes the id `256 + i`, and replaces its pair everywhere.
#
# It ends when there are `vocab_size` ids, the 256 bytes included, or earlier when **no pair is left**. A pair that occurs
# once is still a pair.
#
# By hand, on the eight words of the example: `n e` occurs 6 times (five times in new, newer and newest, once in cleaner)
# and wins: `(110, 101)` makes 256. Then `ne w`, 5 times: `(256, 119)`. Then `c l`, `l e` and `e a` all occur 4 times; their
# left ids are 99, 108 and 101, so `(99, 108)` makes 258.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Keep each distinct part once, with the number of times that it occurs: `Counter(parts)`.
#
# <details><summary>Hint 2: the approach</summary>
#
# In a loop: count over all words, each pair as often as the word occurs; stop if there is none; choose; replace the pair
# in every word with `given_merge`; append it to the merges.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `min(counts, key=lambda pair: (-counts[pair], pair))` finds the largest count and, among equals, the smallest pair.
#
# </details></details></details>


# %% nbgrader={"grade_id": "train_bpe", "solution": true}
def train_bpe(text: str, vocab_size: int, pattern: str = PATTERN) -> list[tuple[int, int]]:
    """The merges in order; merge number i makes the id 256 + i. Ties: the smallest pair of ids."""
    ### BEGIN SOLUTION
    words = [(list(part.encode()), times) for part, times in Counter(given_parts(text, pattern)).items()]
    merges = []
    while 256 + len(merges) < vocab_size:
        counts = Counter()
        for ids, times in words:
            for pair in pairwise(ids):
                counts[pair] += times
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        words = [(given_merge(ids, best, 256 + len(merges)), times) for ids, times in words]
        merges.append(best)
    return merges
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_train_bpe", "grade": true, "points": 4}
def test_train_bpe():
    """The most frequent pair first, the smallest among equals, inside the parts only, until no pair is left."""

    def smallest(pair, seen, names):
        return ord(pair[0]), ord(pair[1])

    def train(parts, n, tie=smallest, weigh=True, twice=True, bytes_of=str.encode):
        words = [("".join(map(chr, bytes_of(part))), times) for part, times in Counter(parts).items()]
        found, names = [], [bytes([b]) for b in range(256)]
        while len(found) < n:
            counts = {}
            for word, times in words:
                pairs = [word[i : i + 2] for i in range(len(word) - 1)]
                for pair in pairs if twice else dict.fromkeys(pairs):
                    counts[pair] = counts.get(pair, 0) + (times if weigh else 1)
            if not counts:
                break
            seen = {pair: i for i, pair in enumerate(counts)}
            best = min(counts, key=lambda pair: (-counts[pair], tie(pair, seen, names)))
            words = [(word.replace(best, chr(256 + len(found))), times) for word, times in words]
            found.append((ord(best[0]), ord(best[1])))
            if bytes_of is str.encode:
                names.append(names[found[-1][0]] + names[found[-1][1]])
            if counts[best] == 1:
                alone.append(len(found) - 1)
        return found

    def check(text, vocab_size, *pattern):
        name = f"{text!r}" if len(text) < 60 else f"{text[:50]!r}… ({len(text)} characters)"
        call = f"train_bpe({', '.join([name, str(vocab_size), *map(repr, pattern)])})"
        parts, n = [p for p in regex.split(f"({(*pattern, PATTERN)[0]})", text) if p], vocab_size - 256
        alone.clear()
        expected = train(parts, n)
        before_alone = expected[: alone[0]] if alone else None
        try:
            found = train_bpe(text, vocab_size, *pattern)
            assert not isinstance(found, dict), f"{call}: expected the list of pairs, in order, got a dict"
            got = [tuple(pair) for pair in found]
        except (ValueError, IndexError, KeyError, AttributeError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__}: {error}: when no pair is left, training ends early, without an error"
            ) from None
        if got == expected:
            return
        first_counts = {}
        for part in parts:
            data = part.encode()
            for pair in pairwise(data):
                first_counts[pair] = first_counts.get(pair, 0) + 1
        known = {
            "the last merge is missing: the ids go up to vocab_size - 1": expected[:-1],
            "vocab_size counts all ids, the 256 bytes included": train(parts, vocab_size),
            "there is one merge too many": train(parts, n + 1),
            "it stopped at pairs that occur once: stop only when no pair is left": before_alone,
            "among equal counts the pair seen first won: take the smallest pair of ids": train(
                parts, n, lambda pair, seen, names: seen[pair]
            ),
            "among equal counts the pair seen last won: take the smallest pair of ids": train(
                parts, n, lambda pair, seen, names: -seen[pair]
            ),
            "among equal counts the largest pair won: take the smallest pair of ids": train(
                parts, n, lambda pair, seen, names: (-ord(pair[0]), -ord(pair[1]))
            ),
            "among equal counts the bytes of the tokens decided: compare their ids": train(
                parts, n, lambda pair, seen, names: (names[ord(pair[0])], names[ord(pair[1])])
            ),
            "among equal counts the right ids were compared first: compare (a, b)": train(
                parts, n, lambda pair, seen, names: (ord(pair[1]), ord(pair[0]))
            ),
            "the text was not cut into parts: no pair reaches from one part into the next": train([text], n),
            "the pattern that was given is not used": train(regex.findall(PATTERN, text), n),
            "how often a part occurs was ignored: its pairs count as often as it occurs": train(parts, n, weigh=False),
            "a pair that occurs twice in a part counts twice": train(parts, n, twice=False),
            "the counts were taken once: after each merge they must be taken anew": sorted(
                first_counts, key=lambda pair: (-first_counts[pair], pair)
            )[:n],
            "the ids are those of characters: start from UTF-8 bytes": train(
                parts, n, bytes_of=lambda part: map(ord, part)
            ),
            "the first merge makes the id 256, not 257": [tuple(i + (i > 255) for i in pair) for pair in expected],
        }
        for mistake, wrong in known.items():
            assert wrong in (None, expected) or got != wrong, f"{call}: expected {expected}, got {got}: {mistake}"
        where = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
        raise AssertionError(f"{call}: expected {expected}, got {got}: they part at merge number {where}")

    alone = []
    words = {"clean": 3, "cleaner": 1, "new": 2, "newer": 2, "newest": 1, "酒店": 2, "酒": 1, "干净": 1}
    example = "\n".join(word for word, times in words.items() for _ in range(times))
    check(example, 259)
    check(example, 268)
    check("xy ab yx ab cd cd", 260)
    check("aaaa aaaa b", 300)
    check("abc", 300)
    check("ab-ab-ab", 257, r"\w+|-")
    check("ab-cd-ab-cd", 260, r"[\w-]+")
    check("", 300)
    check("ababab", 256)
    ### BEGIN HIDDEN TESTS
    check("酒店很干净，酒店很好，房间也很干净。酒店🙂", 300)
    check("the hotel, the hotels; a hostel's hosts\n\nthe host " * 3, 330)
    check("zb za zb za zc zc", 262)
    check("哈哈哈哈 哈哈哈 哈哈", 290)
    rng = random.Random(3)
    for size in (258, 270, 400):
        check(" ".join("".join(rng.choices("abcd", k=rng.randint(1, 7))) for _ in range(60)), size)
    check("a b c d", 300, r"\S|\s")
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_train_bpe()


# %% [markdown]
# ## `encode`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# The rank (序号 rank) of a merge is its place in the list: the earlier it was learnt, the lower.
#
# `encode(text, merges, pattern=PATTERN)` cuts the text into parts by the pattern. In each part, which starts as its UTF-8
# bytes, it looks at all pairs of neighbours, applies the merge of the **lowest rank** among them, and looks again, until no
# pair of neighbours is a merge. Merge number `i` makes the id `256 + i`. The result is one list of ids for the whole text.
#
# By hand, with the merges of the example: `cleaner` starts as `c l e a n e r`. The lowest rank is `n e` (number 0), then
# `c l` (2), `e a` (3) and `cl ea` (4): `clea ne r`, the ids `[260, 256, 114]`. The token `clean` (number 8) exists, is
# longer, and is not used: its `n` is gone.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Not the pair that comes first in the text, nor the one that makes the longest token: the one that was learnt first.
#
# <details><summary>Hint 2: the approach</summary>
#
# A dictionary from pair to rank. For each part: `while` some pair of neighbours is in it, take the one with the lowest
# rank and apply `given_merge`.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `min(pairwise(ids), key=lambda pair: rank.get(pair, len(rank)), default=None)` is the pair to try; if it is not in
# `rank`, the part is done.
#
# </details></details></details>


# %% nbgrader={"grade_id": "encode", "solution": true}
def encode(text: str, merges: list[tuple[int, int]], pattern: str = PATTERN) -> list[int]:
    """The ids of a text: in each part, always the merge of the lowest rank that fits."""
    ### BEGIN SOLUTION
    rank = {pair: i for i, pair in enumerate(merges)}
    encoded = []
    for part in given_parts(text, pattern):
        ids = list(part.encode())
        while True:
            first = min(pairwise(ids), key=lambda pair: rank.get(pair, len(rank)), default=None)
            if first not in rank:
                break
            ids = given_merge(ids, first, 256 + rank[first])
        encoded += ids
    return encoded
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_encode", "grade": true, "points": 3}
def test_encode():
    """In each part the merges are applied in the order of their ranks."""

    def check(text, merges, *pattern):
        call = f"encode({', '.join(map(repr, (text, merges, *pattern)))})"
        parts = [p for p in regex.split(f"({(*pattern, PATTERN)[0]})", text) if p]
        rank = {pair: i for i, pair in enumerate(merges)}
        names = [bytes([b]) for b in range(256)]
        for a, b in merges:
            names.append(names[a] + names[b])

        def replay(part, order=1, base=256):
            word = "".join(map(chr, part.encode()))
            for i in range(len(merges))[::order]:
                word = word.replace(chr(merges[i][0]) + chr(merges[i][1]), chr(base + i))
            return [ord(c) for c in word]

        def longest(part):
            data, ids = part.encode(), []
            while data:
                ids.append(
                    max((i for i, name in enumerate(names) if data.startswith(name)), key=lambda i: len(names[i]))
                )
                data = data[len(names[ids[-1]]) :]
            return ids

        def left_to_right(part, choose=None):
            ids = list(part.encode())
            while found := [i for i in range(len(ids) - 1) if (ids[i], ids[i + 1]) in rank]:
                i = found[0] if choose is None else choose(found, key=lambda i: rank[ids[i], ids[i + 1]])
                ids[i : i + 2] = [256 + rank[ids[i], ids[i + 1]]]
            return ids

        def one_pass(part):
            ids, out = list(part.encode()), []
            for i in ids:
                if out and (out[-1], i) in rank:
                    out[-1] = 256 + rank[out[-1], i]
                else:
                    out.append(i)
            return out

        def one_merge(part):
            for i, pair in enumerate(merges):
                if (changed := replay_one(part, i, pair)) != list(part.encode()):
                    return changed
            return list(part.encode())

        def replay_one(part, i, pair):
            word = "".join(map(chr, part.encode()))
            return [ord(c) for c in word.replace(chr(pair[0]) + chr(pair[1]), chr(256 + i))]

        def every(how, parts=parts):
            return [i for part in parts for i in how(part)]

        expected = every(replay)
        try:
            got = list(encode(text, list(merges), *pattern))
        except (ValueError, IndexError, KeyError, TypeError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__}: {error}: a part may have one byte only, and pairs that are no merges"
            ) from None
        assert not any(isinstance(i, (list, tuple)) for i in got), f"{call}: expected one flat list of ids, got {got}"
        known = {
            "the leftmost pair was merged first, whatever its rank: lowest rank first": every(left_to_right),
            "the longest token was taken: lowest rank first": every(longest),
            "one pass from left to right is not enough: look for the lowest rank again after each merge": every(
                one_pass
            ),
            "the pattern that was given is not used": every(replay, regex.findall(PATTERN, text)),
            "the highest rank was taken first: lowest rank first": every(lambda part: left_to_right(part, max)),
            "the merges were replayed from the last to the first": every(lambda part: replay(part, -1)),
            "only one merge was applied to each part: go on until no pair is a merge": every(one_merge),
            "the text was not cut into parts: no merge reaches across": every(replay, [text]),
            "no merge was applied": every(str.encode),
            "merge number i makes the id 256 + i": [i - 256 if i > 255 else i for i in expected],
            "the ids begin with those of characters: start from UTF-8 bytes": [ord(c) for c in text],
        }
        for mistake, wrong in known.items():
            assert wrong == expected or got != wrong, f"{call}: expected {expected}, got {got}: {mistake}"
        assert got == expected, f"{call}: expected {expected}, got {got}"

    example = [(110, 101), (256, 119), (99, 108), (101, 97), (258, 259), (133, 146)]
    example += [(233, 261), (257, 101), (260, 110), (186, 151), (229, 265), (262, 266)]
    check("abcd", [(97, 98), (99, 100)])
    check("abab abc", [(97, 98), (256, 256), (256, 99)])
    check("abc", [(97, 98), (98, 99)])
    check("abc", [(97, 98), (98, 99), (97, 257)])
    check("abc", [(98, 99), (97, 98)])
    check("cleaner", example)
    check("newest 酒店, 干净", example)
    check("aaaaa", [(97, 97)])
    check("a a", [(97, 32)])
    check("ab-ab", [(97, 98), (256, 45)], r"[\w-]+")
    check("", example)
    ### BEGIN HIDDEN TESTS
    check("酒店很干净🙂\n\ncleanest, neat; new", example)
    check("cleaner cleane ncleanew", example)
    check("a-b-a", [(97, 45), (45, 98), (256, 98)], r".+")
    check("abcd", [(99, 100), (98, 99), (97, 98)])
    check("xxxxxxxxx", [(120, 120), (256, 256), (257, 256), (257, 120)])
    check("é", [(195, 169)])
    rng = random.Random(11)
    for _ in range(12):
        merges = []
        while len(merges) < 8:
            pair = tuple(rng.choice([97, 98, 99, *range(256, 256 + len(merges))]) for _ in range(2))
            merges += [pair] * (pair not in merges)
        check("".join(rng.choices("abc ", k=24)), merges)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_encode()


# %% [markdown]
# ## `decode`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# `decode(ids, merges)` returns the text. The bytes of an id below 256 are that byte; those of `256 + i` are the bytes of
# the left id of merge number `i`, followed by those of its right id. A token may end in the middle of a character, so **all
# bytes are joined first and decoded once**; what is then no UTF-8 becomes U+FFFD, as in `errors="replace"`.
#
# By hand, with the merges of the example: `[233, 261]` is `E9`, `85 92`: together 酒. `[261]` alone is `"��"`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which ids can a merge refer to? In what order do their bytes become known?
#
# <details><summary>Hint 2: the approach</summary>
#
# A list of `bytes`: 256 single ones, then for each merge the sum of two that are in the list already.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `b"".join(vocabulary[i] for i in ids)`, and then one `.decode("utf-8", errors="replace")`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "decode", "solution": true}
def decode(ids: list[int], merges: list[tuple[int, int]]) -> str:
    """The text of the ids: all bytes joined first, then decoded once, with U+FFFD for what is not UTF-8."""
    ### BEGIN SOLUTION
    vocabulary = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        vocabulary.append(vocabulary[left] + vocabulary[right])
    return b"".join(vocabulary[i] for i in ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_decode", "grade": true, "points": 2}
def test_decode():
    """Tokens give their bytes, and characters cut by a token border come back whole."""

    def check(ids, merges):
        call = f"decode({ids}, {merges})"
        names, turned = ([bytes([b]) for b in range(256)] for _ in range(2))
        for a, b in merges:
            names.append(names[a] + names[b])
            turned.append(turned[b] + turned[a])
        data = b"".join(names[i] for i in ids)
        expected = data.decode("utf-8", "replace")
        try:
            text = decode(list(ids), list(merges))
        except UnicodeDecodeError as error:
            raise AssertionError(
                f"{call}: expected {expected!r}, got an error ({error}): errors become U+FFFD"
            ) from None
        except (IndexError, KeyError, RecursionError, ValueError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__}: {error}: a merge may join ids that are themselves merges"
            ) from None
        known = {
            "each token was decoded alone: join all bytes first": "".join(
                names[i].decode("utf-8", "replace") for i in ids
            ),
            "what is not UTF-8 was dropped: it must show as U+FFFD": data.decode("utf-8", "ignore"),
            "bytes are no characters (that is Latin-1)": data.decode("latin-1"),
            "left and right of a merge are swapped": b"".join(turned[i] for i in ids).decode("utf-8", "replace"),
        }
        for mistake, wrong in known.items():
            assert wrong == expected or text != wrong, f"{call}: expected {expected!r}, got {text!r}: {mistake}"
        assert text == expected, f"{call}: expected {expected!r}, got {text!r}"

    example = [(110, 101), (256, 119), (99, 108), (101, 97), (258, 259), (133, 146), (233, 261)]
    check([260, 256, 114], example)
    check([233, 261, 262], example)
    check([261, 65], example)
    check([], example)
    check([72, 105], [])
    ### BEGIN HIDDEN TESTS
    check([240, 159, 256, 33], [(153, 130)])
    check([256, 257, 258, 258, 259], [(229, 186), (256, 151), (257, 257), (151, 229)])
    check([0xFF, 0xE9, 0x85, 0xE9, 0x85, 0x92, 0x80], example)
    deep = [(97, 97), *((256 + i, 98) for i in range(200))]
    check([456], deep)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_decode()


# %% [markdown]
# ## Given: an encoder and a vocabulary


# %%
def given_encode(text: str, merges: list[tuple[int, int]]) -> list[int]:
    """The ids of an ordinary text: the merges are replayed in each part, in their order."""
    encoded = []
    for part in regex.findall(PATTERN, text):
        ids = list(part.encode())
        for i, pair in enumerate(merges):
            ids = given_merge(ids, pair, 256 + i)
        encoded += ids
    return encoded


def given_vocabulary(merges: list[tuple[int, int]]) -> list[bytes]:
    """The bytes of every id: 256 single ones, then those of each merge."""
    vocabulary = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        vocabulary.append(vocabulary[left] + vocabulary[right])
    return vocabulary


# %% [markdown]
# ## `encode_special`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# A special token (特殊词元 special token) such as `<|end|>` is no text: the program puts it between texts, and it has one
# id of its own. A user who *types* `<|end|>` must not get that id, or they could end the system's turn and speak in its
# name (注入 injection). So the caller says for each piece of text which special tokens may act in it.
#
# `encode_special(text, merges, special, allowed)` takes `special`, `{token: id}`, and `allowed`, a set of some of its
# tokens, and returns a list of ids:
# - each **allowed** token in the text becomes its one id. The search goes from left to right; where two allowed tokens
#   begin at the same place, the **longest** one counts;
# - the stretches between them are ordinary text, each encoded by itself with `given_encode(stretch, merges)`;
# - a token that is **not allowed** is ordinary text, as if it were not in `special` at all.
#
# By hand, with `special = {"<|end|>": 300}`: `"new<|end|>"` becomes `[257, 300]` if `<|end|>` is allowed. With
# `allowed=set()` it is `given_encode("new<|end|>", merges)`, in which 300 does not occur.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `regex.split` with a group in its pattern keeps what it split at.
#
# <details><summary>Hint 2: the approach</summary>
#
# Join the allowed tokens with `|`. Three traps: `|` occurs in the tokens themselves; a pattern of alternatives takes the
# first that fits, not the longest; and with nothing allowed the pattern is empty, and splits everywhere.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `"|".join(map(regex.escape, sorted(allowed, key=len, reverse=True)))`, in a group. Then go through the pieces: a piece in
# `allowed` gives its id, any other its `given_encode`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "encode_special", "solution": true}
def encode_special(text: str, merges: list[tuple[int, int]], special: dict[str, int], allowed: set[str]) -> list[int]:
    """The ids of a text in which the allowed special tokens act; those not allowed are ordinary text."""
    ### BEGIN SOLUTION
    if not allowed:
        return given_encode(text, merges)
    longest_first = sorted(allowed, key=len, reverse=True)
    ids = []
    for piece in regex.split("(" + "|".join(map(regex.escape, longest_first)) + ")", text):
        ids += [special[piece]] if piece in allowed else given_encode(piece, merges)
    return ids
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_encode_special", "grade": true, "points": 3}
def test_encode_special():
    """Allowed tokens act, the longest first; what is not allowed is ordinary text and cannot get a special id."""
    merges = [
        (110, 101),
        (256, 119),
        (124, 62),
        (60, 124),
        (101, 110),
        (260, 100),
        (257, 101),
    ]  # ne new |> <| en end newe
    special = {"<|end|>": 300, "<|user|>": 301, "<|end|>\n": 302, "new": 303, "user": 304, "酒": 305}

    def plain(text):
        ids = []
        for part in regex.findall(PATTERN, text):
            word = "".join(map(chr, part.encode()))
            for i, (a, b) in enumerate(merges):
                word = word.replace(chr(a) + chr(b), chr(256 + i))
            ids += map(ord, word)
        return ids

    def check(text, allowed, expected, **known):
        """`expected`: strings are ordinary text, numbers are ids. `known`: what known mistakes make of it."""

        def flat(pieces):
            return [i for piece in pieces for i in (plain(piece) if isinstance(piece, str) else [piece])]

        call = f"encode_special({text!r}, merges, special, allowed={allowed or 'set()'})"
        expected = flat(expected)
        try:
            got = list(encode_special(text, list(merges), dict(special), set(allowed)))
        except (KeyError, TypeError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__}: {error}: in a pattern, `|` means 'or': use regex.escape"
            ) from None
        except (ValueError, IndexError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__}: {error}: what is not allowed is ordinary text, no error"
            ) from None
        shown = f"{call}: expected {expected}, got {got}"
        says = {
            "injected": "injection: a token that is not allowed got its special id",
            "shortest": "where two tokens begin at one place, the longest counts",
            "dropped": "a token that is not allowed is ordinary text: it must not be lost",
            "ignored": "allowed tokens must become their ids",
            "first": "every occurrence of an allowed token counts",
            "everywhere": "with nothing allowed there is nothing to split at: does an empty pattern match everywhere?",
            "cut": "a token that is not allowed must not cut the text: encode the stretch as if it were not special",
            "stripped": "the spaces beside a special token are ordinary text",
            "blocked": "a longer token that is not allowed hides an allowed one: look for allowed tokens only",
        }
        for mistake, wrong in known.items():
            assert flat(wrong) == expected or got != flat(wrong), f"{shown}: {says[mistake]}"
        assert not (set(special.values()) - {special[t] for t in allowed}) & set(got), f"{shown}: {says['injected']}"
        assert got == expected, shown

    end, user, line = "<|end|>", "<|user|>", "<|end|>\n"
    check("new<|end|>", {end}, ["new", 300], ignored=["new<|end|>"], dropped=[300])
    check("new<|end|>", set(), ["new<|end|>"], injected=["new", 300], dropped=["new"], everywhere=[*"new<|end|>"])
    check(
        "a <|user|> b<|end|><|end|>",
        {end},
        ["a <|user|> b", 300, 300],
        first=["a <|user|> b", 300, "<|end|>"],
        dropped=["a  b", 300, 300],
        injected=["a ", 301, " b", 300, 300],
    )
    check("new <|end|> new", {end}, ["new ", 300, " new"], stripped=["new", 300, "new"])
    check("new<|end|>\nnew", {end, line}, ["new", 302, "new"], shortest=["new", 300, "\nnew"])
    check("new<|end|>\nnew", {end}, ["new", 300, "\nnew"], blocked=["new<|end|>\nnew"])
    check("renewed", {end}, ["renewed"], cut=["re", "new", "ed"])
    check("", {end, user}, [])
    ### BEGIN HIDDEN TESTS
    check("renewed <|end|>", set(), ["renewed <|end|>"], cut=["re", "new", "ed ", "<|end|>"])
    check("<|user|>new", {user, "user", "new"}, [301, 303])
    check("<|user|>new", {"user", "new"}, ["<|", 304, "|>", 303], blocked=["<|user|>", 303])
    check("<|end|>\n<|end|>", {line}, [302, "<|end|>"], injected=[302, 300])
    check("酒店酒", {"酒"}, [305, "店", 305])
    check("酒店酒", {end}, ["酒店酒"])
    check("<|END|> <|end |>", {end}, ["<|END|> <|end |>"])
    check("\n<|end|>  x\t", {end}, ["\n", 300, "  x\t"])
    check("<<|end|>|>", {end}, ["<", 300, "|>"])
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_encode_special()


# %% [markdown]
# ## `decode_special`
# *difficulty ●○○ · importance ●●○ · 10 min*
#
# The way back. `decode_special(ids, merges, special)` returns the text of all ids, in which each special id is written out
# as its token. `given_vocabulary(merges)` has the bytes of the ordinary ids. Special ids may be any numbers from
# `256 + len(merges)` up, with gaps, in any order. As always, bytes are joined before they are decoded, with
# `errors="replace"`.
#
# By hand: `[72, 105, 300]` with `special = {"<|end|>": 300}` is `"Hi<|end|>"`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `special` leads from token to id; you need the way from id to token.
#
# <details><summary>Hint 2: the approach</summary>
#
# A special token has bytes too: those of its text. Then every id has bytes, and nothing else changes.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `written = {i: token.encode() for token, i in special.items()}`; take `written[i]` where it exists, else
# `vocabulary[i]`.
#
# </details></details></details>


# %% nbgrader={"grade_id": "decode_special", "solution": true}
def decode_special(ids: list[int], merges: list[tuple[int, int]], special: dict[str, int]) -> str:
    """The text of the ids, each special token written out in its place."""
    ### BEGIN SOLUTION
    vocabulary = given_vocabulary(merges)
    written = {i: token.encode() for token, i in special.items()}
    data = b"".join(written[i] if i in written else vocabulary[i] for i in ids)
    return data.decode("utf-8", errors="replace")
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_decode_special", "grade": true, "points": 1}
def test_decode_special():
    """Special ids come back as their tokens, and the characters around them whole."""

    def check(ids, merges, special):
        call = f"decode_special({ids}, {merges}, {special})"
        names = [bytes([b]) for b in range(256)]
        for a, b in merges:
            names.append(names[a] + names[b])
        written = {i: token.encode() for token, i in special.items()}

        def text_of(look):
            return b"".join(map(look, ids)).decode("utf-8", "replace")

        def by_place(i):
            return names[i] if i < len(names) else list(written.values())[(i - len(names)) % len(written)]

        expected = text_of(lambda i: written.get(i) or names[i])
        try:
            got = decode_special(list(ids), list(merges), dict(special))
        except UnicodeDecodeError as error:
            raise AssertionError(
                f"{call}: expected {expected!r}, got an error ({error}): errors become U+FFFD"
            ) from None
        except (KeyError, IndexError, ValueError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__}: {error}: a special id is none of the vocabulary: write out its token"
            ) from None
        known = {
            "the special tokens were forgotten: write them out": text_of(lambda i: b"" if i in written else names[i]),
            "the special tokens were taken in the order of the dict: go by their ids": text_of(by_place),
            "each id was decoded alone: join the bytes of the ordinary ids first": "".join(
                (written.get(i) or names[i]).decode("utf-8", "replace") for i in ids
            ),
            "what is not UTF-8 was dropped: it must show as U+FFFD": b"".join(
                written.get(i) or names[i] for i in ids
            ).decode("utf-8", "ignore"),
        }
        for mistake, wrong in known.items():
            assert wrong == expected or got != wrong, f"{call}: expected {expected!r}, got {got!r}: {mistake}"
        assert got == expected, f"{call}: expected {expected!r}, got {got!r}"

    check([72, 105, 300], [], {"<|end|>": 300})
    check([0xE9, 256, 301, 260], [(0x85, 0x92)], {"<|user|>": 260, "<|end|>": 301})
    check([0xE9, 256, 257, 0xE9, 258, 65], [(0x85, 0x92)], {"<|end|>": 258, "<|user|>": 257})
    check([], [], {})
    ### BEGIN HIDDEN TESTS
    check([256, 257, 258, 40_000, 65], [(110, 101), (256, 119)], {"酒": 40_000, "<s>": 258})
    check([300, 300, 0xF0, 0x9F, 300, 0x99, 0x82], [], {"": 299, "</s>": 300})
    check([104, 105], [], {"<|end|>": 256})
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_decode_special()


# %% [markdown]
# ## `StreamDecoder`
# *difficulty ●●● · importance ●●○ · 30 min*
#
# A model hands over one id at a time, and the reader wants to see the text at once. But an id may end in the middle of a
# character, and half a character must not be shown: 酒 would appear as `�`.
#
# `StreamDecoder(merges)` is a class. `feed(id)` takes the next id and returns the text that is now certain, often `""`.
# `finish()` ends the stream and returns what was still held back.
# - All that was returned, joined, is what `decode` gives for all the ids, **invalid bytes included** (each broken
#   character becomes U+FFFD as in `errors="replace"`).
# - A character that is complete is returned at once.
# - Held back is only the beginning of one character, at most three bytes. The bytes 0x80 to 0xBF by themselves and 0xFF
#   begin no character, so their `�` comes at once.
#
# By hand: the ids `E9 85 92` give `""`, `""`, `"酒"`. The ids `E9 41` give `""`, `"�A"`: with `A`, it is certain that
# nothing more will come to E9. The id `E9` and then `finish()` give `""`, `"�"`.
#
# How UTF-8 is written: 00–7F a character of one byte; C2–DF, E0–EF and F0–F4 begin one of two, three and four bytes; 80–BF
# continue it.
#
# <details><summary>Hint 1: a nudge</summary>
#
# The text so far may end in `�` for two reasons: a character that is cut, which may still be mended, and one that is
# broken, or that truly is U+FFFD. The text alone cannot tell; the bytes can.
#
# <details><summary>Hint 2: the approach</summary>
#
# Keep the bytes that are held back. To each new piece of bytes, put them in front; cut off the beginning of a character
# at the end, if there is one; decode the rest. The standard library has this too: see `codecs`.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `codecs.getincrementaldecoder("utf-8")(errors="replace")` makes an object with `decode(data, final=False)`. By hand: look
# for a lead byte among the last three bytes, and see whether it wants more bytes than follow it.
#
# </details></details></details>


# %% nbgrader={"grade_id": "StreamDecoder", "solution": true}
class StreamDecoder:
    """Text as the ids come: `feed` returns what has become certain, `finish` the rest."""

    def __init__(self, merges: list[tuple[int, int]]):
        ### BEGIN SOLUTION
        self.vocabulary = given_vocabulary(merges)
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")  # it keeps the beginning of a character
        ### END SOLUTION

    def feed(self, id: int) -> str:
        """The text that the next id makes certain."""
        ### BEGIN SOLUTION
        return self.decoder.decode(self.vocabulary[id])
        ### END SOLUTION

    def finish(self) -> str:
        """What was still held back."""
        ### BEGIN SOLUTION
        return self.decoder.decode(b"", final=True)
        ### END SOLUTION


# %% nbgrader={"grade_id": "test_StreamDecoder", "grade": true, "points": 4}
def test_StreamDecoder():  # noqa: N802
    """Joined, the pieces are the whole text; no half character is shown, and no whole one is held back."""

    def bytes_of(ids, merges):
        names = [bytes([b]) for b in range(256)]
        for a, b in merges:
            names.append(names[a] + names[b])
        return [names[i] for i in ids]

    def run(ids, merges):
        shown = " ".join(data.hex() for data in bytes_of(ids, merges))
        try:
            decoder = StreamDecoder(list(merges))
            pieces = [*(decoder.feed(i) for i in ids), decoder.finish()]
        except (UnicodeDecodeError, IndexError, KeyError, TypeError) as error:
            raise AssertionError(
                f"tokens {shown}: {type(error).__name__}: {error}: a cut or broken character is no error"
            ) from None
        assert all(isinstance(piece, str) for piece in pieces), (
            f'tokens {shown}: feed and finish always return a string, "" when nothing is certain; got {pieces}'
        )
        return pieces

    def check(ids, merges, *expected):
        """Without `expected`, only the joined text is looked at."""
        pieces, data = run(ids, merges), bytes_of(ids, merges)
        whole = b"".join(data).decode("utf-8", "replace")
        said = f"tokens {' '.join(d.hex() for d in data)}: expected {list(expected) or whole!r}, got {pieces!r}"
        text = "".join(pieces)
        if text != whole:
            alone = [d.decode("utf-8", "replace") for d in data]
            assert pieces[:-1] != alone or pieces[-1], (
                f"{said}: half a character was shown: each token was decoded alone"
            )
            assert not (whole.startswith(text) and text + "\ufffd" == whole), (
                f"{said}: the end is missing: finish() returns what was still held back"
            )
            assert text != b"".join(data).decode("utf-8", "ignore"), (
                f"{said}: what is not UTF-8 was dropped: it must show as U+FFFD"
            )
            assert "\ufffd" in whole or "\ufffd" not in text, (
                f"{said}: half a character was shown, and what is shown cannot be taken back"
            )
            assert len(text) <= len(whole), f"{said}: something came twice"
            raise AssertionError(f"{said}: joined it must be {whole!r}")
        for i in range(len(expected)):
            before, due = "".join(pieces[: i + 1]), "".join(expected[: i + 1])
            assert len(before) <= len(due), f"{said}: piece {i} came before it was certain"
            assert len(before) >= len(due), (
                f"{said}: piece {i} was held back though it was certain: hold back only the beginning of a character"
            )

    merges = [(0x92, 0xE5), (0xBA, 0x97), (97, 98), (0xE9, 0x85)]  # the first one ends 酒 and begins 店
    check([72, 105], [], "H", "i", "")
    check([0xE9, 0x85, 0x92, 33], [], "", "", "酒", "!", "")
    check([0xE9, 0x41], [], "", "�A", "")
    check([0xE9, 0x85, 256, 257, 258], merges, "", "", "酒", "店", "ab", "")
    check([0xE9, 0x85], [], "", "", "�")
    check([0xFF, 0x41, 0x80], [], "�", "A", "�", "")
    check([0xEF, 0xBF, 0xBD, 0x41], [], "", "", "\ufffd", "A", "")
    check([0xE9, 0x85, 0xE9, 0x85, 0x92], [], "", "", "�", "", "酒", "")
    check([], [], "")
    one, two = StreamDecoder([]), StreamDecoder([])
    pieces = [
        one.feed(0xE9),
        two.feed(0xF0),
        one.feed(0x85),
        two.feed(0x41),
        one.feed(0x92),
        one.finish(),
        two.finish(),
    ]
    assert pieces == ["", "", "", "�A", "酒", "", ""], (
        f"two decoders that take turns must not disturb each other, got {pieces}: is the buffer shared by all of them?"
    )
    ### BEGIN HIDDEN TESTS
    check([0xF0, 0x9F, 0x99, 0x82, 0xF0, 0x9F, 0x99], [], "", "", "", "🙂", "", "", "", "�")
    check([0xC3, 0xA9, 0xC3, 0x41, 0xF0, 0x9F, 0x41], [], "", "é", "", "�A", "", "", "�A", "")
    check([259, 256, 257, 259], merges, "", "酒", "店", "", "�")
    check([0xEF, 0xBB, 0xBF, 0x41], [], "", "", "\ufeff", "A", "")
    check([0xE0, 0x80, 0x41, 0xED, 0xA0, 0x80, 0xF4, 0x90, 0x80, 0x80, 0xC0, 0x80, 0xF5, 0x41], [])
    text = "酒店很干净🙂 né\ufffd!\n"
    ids, done, due = list(text.encode()), "", []
    for i in range(len(ids)):
        whole = bytes(ids[: i + 1]).decode("utf-8", "ignore")
        due.append(whole[len(done) :])
        done = whole
    check(ids, [], *due, "")
    rng = random.Random(8)
    some = [0x41, 0x80, 0x92, 0xBF, 0xC3, 0xE0, 0xE9, 0x85, 0xED, 0xA0, 0xF0, 0x9F, 0xF4, 0xF5, 0xFF]
    for _ in range(60):
        merges = [tuple(rng.choices([*some, *range(256, 256 + i)], k=2)) for i in range(6)]
        check(rng.choices([*some, *range(256, 262)], k=12), merges)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_StreamDecoder()


# %% [markdown]
# ## `count_changes`
# *difficulty ●●○ · importance ●●○ · 20 min*
#
# To count all pairs anew after each merge is what makes `train_bpe` slow: most words do not hold the pair at all, and in
# the others only the neighbourhood of the pair changes.
#
# `count_changes(ids, pair, new_id)` says what one merge does to the counts **of one word**: the counts after it minus the
# counts before it, `{pair: change}`, without the pairs whose change is 0. Every pair of neighbouring positions counts.
#
# By hand: `clean`, `c l e a n`, with `(l, e)` becoming X: `c X a n`. Gone are `c l`, `l e` and `e a`, new are `c X` and
# `X a`: three times −1 and twice +1. Take care where two occurrences touch: `a b a b` becomes `X X`, so that `a b` loses 2,
# `b a` loses 1, and `X X` gains 1.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Going by the neighbours of each occurrence is quick, and goes wrong where the neighbour is merged too.
#
# <details><summary>Hint 2: the approach</summary>
#
# A word is short. Count the pairs of the whole word before and after, and subtract.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `changes = Counter(pairwise(after))`, `changes.subtract(pairwise(ids))`, and then leave out the zeros. (A
# `Counter` that is subtracted with `-` drops what is negative.)
#
# </details></details></details>


# %% nbgrader={"grade_id": "count_changes", "solution": true}
def count_changes(ids: list[int], pair: tuple[int, int], new_id: int) -> dict[tuple[int, int], int]:
    """What a merge in one word does to its pair counts: after minus before, without the zeros."""
    ### BEGIN SOLUTION
    after = given_merge(ids, pair, new_id)
    changes = Counter(pairwise(after))
    changes.subtract(pairwise(ids))
    return {pair: change for pair, change in changes.items() if change}
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_count_changes", "grade": true, "points": 2}
def test_count_changes():
    """After minus before, also where occurrences touch or overlap, without zeros."""

    def check(ids, pair, new_id=999):
        word = "".join(map(chr, ids))
        after = [ord(c) for c in word.replace(chr(pair[0]) + chr(pair[1]), chr(new_id))]
        counts = [Counter(pairwise(seq)) for seq in (ids, after)]

        def without_zeros(changes):
            return {p: n for p, n in changes.items() if n}

        expected = without_zeros({p: counts[1][p] - counts[0][p] for p in [*counts[0], *counts[1]]})
        by_neighbours, pair_only = Counter(), Counter()
        hits, i = [], 0
        while i < len(ids) - 1:
            hits += [i] * ((ids[i], ids[i + 1]) == pair)
            i += 1 + ((ids[i], ids[i + 1]) == pair)
        for i in hits:
            by_neighbours[pair] -= 1
            pair_only[pair] -= 1
            if i > 0:
                by_neighbours[ids[i - 1], pair[0]] -= 1
                by_neighbours[ids[i - 1], new_id] += 1
            if i + 2 < len(ids):
                by_neighbours[pair[1], ids[i + 2]] -= 1
                by_neighbours[new_id, ids[i + 2]] += 1
        got = dict(count_changes(list(ids), pair, new_id))
        call = f"count_changes({ids}, {pair}, {new_id}): expected {expected}, got {got}"
        known = {
            "the sign is wrong: after minus before": {p: -n for p, n in expected.items()},
            "what is lost is missing: the old neighbours count one less": {p: n for p, n in expected.items() if n > 0},
            "what is gained is missing: the new id has neighbours too": {p: n for p, n in expected.items() if n < 0},
            "only the pair itself was counted: its neighbours lose and gain too": without_zeros(pair_only),
            "where two occurrences touch, the neighbour is merged too": without_zeros(by_neighbours),
            "that is the count after the merge, not the change": dict(counts[1]),
            "the change goes by how often a pair occurs, not by whether it occurs": {
                **{p: -1 for p in counts[0] if p not in counts[1]},
                **{p: 1 for p in counts[1] if p not in counts[0]},
            },
        }
        for mistake, wrong in known.items():
            assert wrong == expected or got != wrong, f"{call}: {mistake}"
        assert 0 not in got.values(), f"{call}: leave out the pairs whose change is 0"
        assert got == expected, call

    check([1, 2, 3, 4, 5], (2, 3), 9)
    check([1, 2, 1, 2], (1, 2), 9)
    check([8, 1, 2, 5, 8, 1, 2], (1, 2), 9)
    check([7, 7, 7], (7, 7), 9)
    check([1, 2], (1, 2), 9)
    check([1, 2, 3], (2, 1), 9)
    ### BEGIN HIDDEN TESTS
    check([7, 7, 7, 7, 7, 8], (7, 7))
    check([3, 1, 2, 1, 2, 1, 2, 3, 1], (1, 2))
    check([1, 2, 3, 1, 2, 2, 3], (1, 2))
    check([], (1, 2))
    check(list("哈哈哈哈".encode()), (0xE5, 0x93), 256)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_count_changes()


# %% [markdown]
# ## `train_bpe_fast`
# *difficulty ●●● · importance ●●○ · 45 min*
#
# `train_bpe_fast(text, vocab_size, pattern=PATTERN)` returns the very merges of `train_bpe`: the most frequent pair,
# among equals the smallest pair of ids, until `vocab_size` ids or until no pair is left. But it counts all pairs **once**.
# After that it visits only the words that hold the winner, and in each one changes the counts by what was lost and gained,
# as often as the word occurs.
#
# The test can see your merges, not your work. Look at that yourself: the text below has about 3,000 distinct words, and
# `train_bpe` goes through all of them for each of its 344 merges.
#
# ```python
# text = " ".join("".join(random.choices("abcdefgh", k=8)) for _ in range(3000))
# %timeit -n1 -r1 train_bpe(text, 600)
# %timeit -n1 -r1 train_bpe_fast(text, 600)
# ```
#
# <details><summary>Hint 1: a nudge</summary>
#
# Beside the counts, keep for each pair the set of the words that hold it.
#
# <details><summary>Hint 2: the approach</summary>
#
# For each word that holds the winner: take its old pairs out of the counts, merge, put its new pairs in, each as often as
# the word occurs; and enter the word in the sets of its new pairs. A word may stay in a set of a pair that it has lost: a
# visit to it then changes nothing. A count that has come down to 0 must not win.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `where = defaultdict(set)`; `for w in where.pop(best):` … `counts[pair] -= times[w]` for the old pairs,
# `counts[pair] += times[w]` and `where[pair].add(w)` for the new ones. After that, delete the pairs whose count is 0.
#
# </details></details></details>


# %% nbgrader={"grade_id": "train_bpe_fast", "solution": true}
def train_bpe_fast(text: str, vocab_size: int, pattern: str = PATTERN) -> list[tuple[int, int]]:
    """The merges of `train_bpe`, from counts that are kept up to date instead of taken anew."""
    ### BEGIN SOLUTION
    distinct = Counter(given_parts(text, pattern))
    words = [list(part.encode()) for part in distinct]
    times = list(distinct.values())
    counts, where = Counter(), defaultdict(set)  # pair -> how often; pair -> the words that hold it, or have held it
    for w, ids in enumerate(words):
        for pair in pairwise(ids):
            counts[pair] += times[w]
            where[pair].add(w)
    merges = []
    while counts and 256 + len(merges) < vocab_size:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for w in where.pop(best):
            old = words[w]
            new = words[w] = given_merge(old, best, 256 + len(merges))
            for pair in pairwise(new):
                counts[pair] += times[w]
                where[pair].add(w)
            for pair in pairwise(old):
                counts[pair] -= times[w]
                if counts[pair] == 0:
                    del counts[pair]
        merges.append(best)
    return merges
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_train_bpe_fast", "grade": true, "points": 4}
def test_train_bpe_fast():
    """The same merges as by counting anew each time."""

    def check(text, vocab_size, *pattern):
        name = f"{text!r}" if len(text) < 60 else f"{text[:50]!r}… ({len(text)} characters)"
        call = f"train_bpe_fast({', '.join([name, str(vocab_size), *map(repr, pattern)])})"
        parts = Counter(p for p in regex.split(f"({(*pattern, PATTERN)[0]})", text) if p)

        def anew(weigh=True):
            """The merges, and the counts before each: all pairs are counted anew each time."""
            words = [("".join(map(chr, part.encode())), times if weigh else 1) for part, times in parts.items()]
            merges, history = [], []
            while 256 + len(merges) < vocab_size:
                counts = {}
                for word, times in words:
                    for a, b in pairwise(word):
                        counts[ord(a), ord(b)] = counts.get((ord(a), ord(b)), 0) + times
                history.append(counts)
                if not counts:
                    break
                a, b = min(counts, key=lambda pair: (-counts[pair], pair))
                words = [(word.replace(chr(a) + chr(b), chr(256 + len(merges))), times) for word, times in words]
                merges.append((a, b))
            return merges, history

        expected, history = anew()
        try:
            got = [tuple(pair) for pair in train_bpe_fast(text, vocab_size, *pattern)]
        except (ValueError, IndexError, KeyError, AttributeError, RuntimeError) as error:
            raise AssertionError(
                f"{call}: {type(error).__name__}: {error}: expected {expected}; is a set or dict changed while it is "
                "gone through, or the best of no pairs looked for?"
            ) from None
        if got == expected:
            return
        k = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
        said = f"{call}: merge number {k}"
        if k == len(got):
            raise AssertionError(
                f"{said} is missing, expected {expected[k]}: it ends at vocab_size ids, or when no pair is left"
            )
        if k == len(expected):
            earlier = any(got[k] in counts for counts in history)
            why = "there is no pair left: is that a stale count of a pair that is gone?" if earlier else "is too many"
            raise AssertionError(f"{said}, {got[k]}: {why}")
        best, mine, now = expected[k], got[k], history[k]
        top, have = now[best], now.get(mine, 0)
        said = f"{said} should be {best}, which occurs {top} times; {mine}, which you took, occurs {have} times"
        if got == anew(weigh=False)[0]:
            raise AssertionError(f"{said}: count each pair as often as its word occurs, from the start")
        if have == top:
            raise AssertionError(f"{said}: among equals the smallest pair wins")
        if have == 0:
            raise AssertionError(
                f"{said}: that is a stale count: what a merge takes from the old neighbours must be taken off, and a "
                "neighbour that is merged itself must be counted once only"
            )
        if max(counts.get(mine, 0) for counts in history[: k + 1]) >= top:
            raise AssertionError(
                f"{said}: that is a stale count: what a merge takes from the old neighbours must be taken off, as often "
                "as the word occurs"
            )
        raise AssertionError(
            f"{said}: the pairs that a merge creates count too, as often as their word occurs, and their words must be "
            "found again"
        )

    words = {"clean": 3, "cleaner": 1, "new": 2, "newer": 2, "newest": 1, "酒店": 2, "酒": 1, "干净": 1}
    example = "\n".join(word for word, times in words.items() for _ in range(times))
    check(example, 268)
    check("ab ab ab abc abc bcd bcd bcd bc bc", 280)
    check("aaaa aaaa aaa aa ababab abab", 300)
    check("xy ab yx ab cd cd", 400)
    check("ab-ab-ab", 257, r"\w+|-")
    check("", 300)
    check("abcab", 256)
    ### BEGIN HIDDEN TESTS
    check("哈哈哈哈 哈哈哈 哈哈 哈哈哈哈哈", 300)
    check("the hotel, the hotels; a hostel's hosts\n\nthe host " * 3, 330)
    check("酒店很干净，酒店很好，房间也很干净。酒店🙂", 320)
    rng = random.Random(5)
    for letters, size in (("ab", 300), ("abc", 340), ("abcd", 400), ("ab酒店", 360)):
        check(" ".join("".join(rng.choices(letters, k=rng.randint(1, 9))) for _ in range(60)), size)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_train_bpe_fast()
