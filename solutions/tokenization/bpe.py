# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
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
from collections import Counter, defaultdict
from itertools import pairwise

import regex

# GPT-2's split pattern: contractions; letters, numbers or other signs, each with one space before them; then spaces.
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


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
# Hint 1 (a nudge): `regex.findall` gives the matches only, and for a pattern with a group it gives the groups. What
# tells you *where* a match was?
#
# Hint 2 (the approach): `regex.finditer` gives match objects with `.start()`, `.end()` and `.group()`. Remember where
# the last match ended; what lies between there and the next start was skipped.
#
# Hint 3 (the steps): Two things are appended for each match: what stands between the end of the last one and its start,
# and the match itself. Then its end is remembered. One more piece may follow the last match. At last leave out the
# empty strings.


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
    check(pretokenize, "The hotel's new, 酒店\n", gives=["The", " hotel", "'s", " new", ",", " 酒店", "\n"])
    check(pretokenize, "a  b\n\nc ")
    check(pretokenize, "so, new!", r"\w+", gives=["so", ", ", "new", "!"])
    check(pretokenize, "so, new!", r"(\w)+|(,)")
    ### BEGIN HIDDEN TESTS
    check(pretokenize, "", about="an empty text")
    check(pretokenize, "It's 3pm!? I'LL we'll", about="contractions, numbers and signs")
    check(pretokenize, " \t x\r\n", about="white space of every kind")
    check(pretokenize, "房间2间，很好🙂", about="Chinese and an emoji")
    check(pretokenize, "...", r"\w+", about="a pattern that fits nowhere")
    check(pretokenize, "-a-", r"(?:\w)", about="a pattern that skips both ends")
    check(pretokenize, "ab12", r"[a-z]+(?=\d)", about="a pattern that looks ahead")
    check(pretokenize, "ab12 b3", r"b|(?<=b)\d", about="a pattern that looks back")
    check(pretokenize, "ＡＢ e\u0301 Straße \x00\u200b\ufeffA", about="letters of other kinds, and signs that are not seen")
    check(pretokenize, "一二三四", r"(.)(.)", about="groups")
    check(pretokenize, "你好\n你", r".", about="a new line that the pattern skips")
    check(pretokenize, "aAbB", r"a|b", about="capital letters")
    check(pretokenize, "concat cat", r"\bcat\b", about="a pattern that looks at what is around")
    check(pretokenize, "aabc", r"(\w)\1", about="a pattern that speaks of its first group")
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): A character may need its neighbours: when must the bytes be together?
#
# Hint 2 (the approach): Make one `bytes` object of all ids, and decode it once.
#
# Hint 3 (the steps): `bytes` of a list makes one object of all the numbers. Its `.decode` takes the encoding and, by
# name, what to do about errors.


# %% nbgrader={"grade_id": "utf8_decode", "solution": true}
def utf8_decode(ids: list[int]) -> str:
    """The text that these bytes (0..255) spell; what is not UTF-8 becomes U+FFFD."""
    ### BEGIN SOLUTION
    return bytes(ids).decode("utf-8", errors="replace")
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_utf8_decode", "grade": true, "points": 1}
def test_utf8_decode():
    """Characters of several bytes are put together, and cut ones become U+FFFD."""
    check(utf8_decode, [72, 105, 0xE9, 0x85], gives="Hi�")
    check(utf8_decode, [0xE9, 0x85, 0x92, 0xE5, 0xBA, 0x97, 0xF0, 0x9F, 0x99, 0x82, 65])
    check(utf8_decode, [0xE9, 0x85, 72, 105, 0xFF])
    ### BEGIN HIDDEN TESTS
    check(utf8_decode, [], about="no bytes")
    check(utf8_decode, [0xE9], about="one byte of a character")
    check(utf8_decode, [101, 0xCC, 0x81, 13, 10], about="an accent that is a character of its own")
    check(utf8_decode, [0x92, 0xE5, 0xBA, 0x97, 0x80], about="bytes that begin no character")
    check(utf8_decode, [0xF0, 0x9F, 0x99, 0xE9, 0x85, 0x92], about="a cut character before a whole one")
    check(utf8_decode, [0xE0, 0x80, 0x41, 0xED, 0xA0, 0x80, 0xF4, 0x90, 0x80, 0x80, 0xC0, 0x80], about="forbidden bytes")
    check(utf8_decode, list(range(256)), about="every byte once")
    check(utf8_decode, [0xEF, 0xBB, 0xBF, 0, 0xC3, 0xA9, 0xEF, 0xBF, 0xBD, 32, 10], about="a byte order mark, a space at the end")
    ### END HIDDEN TESTS


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
# 127: `chr(289)`, `ġ`. So the bytes 10, 32 and 127 are written `ĊĠġ`.
#
# Hint 1 (a nudge): The character of one of the others depends on how many others came before it, not on the byte
# itself.
#
# Hint 2 (the approach): Go through the bytes in order with a counter that goes up with every one that does not stand
# for itself.
#
# Hint 3 (the steps): Two steps: first the bytes that stand for themselves, in three ranges (mind that the end of a
# `range` is left out); then all that are not yet in the table, numbered from 0 in increasing order.


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
def written(data):
    """How these bytes are written, and how many entries the table has."""
    table = byte_to_unicode()
    return "".join(table[byte] for byte in data), len(table)


def test_byte_to_unicode():
    """All 256 bytes have characters of their own, printable ones themselves, the others from 256 on."""
    check(written, b"\n \x7f", gives=("ĊĠġ", 256))
    check(written, b"\x00A")
    check(written, b"!~")
    check(written, b"\xa0\xa1\xac\xad\xae\xff")
    ### BEGIN HIDDEN TESTS
    check(written, bytes(range(256)), about="every byte once")
    check(written, " 酒店\n".encode(), about="a Chinese word")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `pair_counts`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# A long text has few distinct words, so each is kept once, with the number of times that it occurs.
#
# `pair_counts(words)` takes `{word: times}`, a word being a tuple of ids, and returns `{(left, right): count}`: how often
# each pair of **neighbours** occurs in the whole text. Every pair of neighbouring positions counts, so `(7, 7, 7)` holds
# the pair `(7, 7)` twice. Pairs that do not occur are not in the result. Every word occurs at least once; it may be of any
# length, even empty.
#
# By hand: `{(1, 2, 3): 5, (1, 2): 1, (4,): 9}` gives `{(1, 2): 6, (2, 3): 5}`.
#
# Hint 1 (a nudge): A word that occurs five times brings each of its pairs five times.
#
# Hint 2 (the approach): `pairwise(word)` gives the neighbours of one word, none for a word of one id.
#
# Hint 3 (the steps): Two loops, one in the other: over the words with their times, and over the pairs of each. What is
# added to a pair's count is how often the word occurs; a pair that is seen for the first time starts from 0.


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
    check(pair_counts, {(1, 2, 3): 5, (1, 2): 1, (4,): 9}, gives={(1, 2): 6, (2, 3): 5})
    check(pair_counts, {(1, 2, 1, 2, 5): 2, (2, 1): 3})
    check(pair_counts, {(7, 7, 7, 7): 1})
    check(pair_counts, {(9, 1): 1, (3, 9, 9, 9, 9): 2})
    ### BEGIN HIDDEN TESTS
    check(pair_counts, {}, about="no words")
    check(pair_counts, {(): 2, (5,): 1}, about="words without a pair")
    check(pair_counts, {(0, 1, 0): 2}, about="the id 0")
    check(pair_counts, {(1, 70_000, 1): 1}, about="large ids")
    check(pair_counts, {(300, 1, 300, 1, 300): 10_000, (1, 300): 7}, about="words that occur often")
    words = ["clean", "cleaner", "酒店", "酒", "aaaa", "哈哈哈哈"]
    check(pair_counts, {tuple(word.encode()): i + 1 for i, word in enumerate(words)}, about="words of bytes")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `merge`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# `merge(ids, pair, new_id)` returns the list of ids with every occurrence of the pair replaced by the new id: found **from
# left to right**, and an id that was used once is used up. The new id occurs neither in the list nor in the pair. The list
# that was given stays as it is. Do not use `given_merge` here: it is what you are building.
#
# By hand: `merge([1, 2, 3, 1, 2], (1, 2), 9)` is `[9, 3, 9]`. In `[7, 7, 7]` only the first two make a pair:
# `merge([7, 7, 7], (7, 7), 9)` is `[9, 7]`.
#
# Hint 1 (a nudge): After a match, how far does the position move?
#
# Hint 2 (the approach): A `while` loop with a position: at the pair, append the new id and go on by two; else append
# the id and go on by one. The last id has no right neighbour.
#
# Hint 3 (the steps): A position and an empty list. At each step one thing is appended, the new id or the id that stands
# there, and the position moves on by two or by one. Ask for the right neighbour only where there is one.


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


# %% nbgrader={"grade_id": "test_merge", "grade": true, "points": 2, "without": ["given_merge"]}
def test_merge():
    """Every occurrence is replaced, from left to right, and no id is used twice or lost."""
    check(merge, [1, 2, 3, 1, 2], (1, 2), 9, gives=[9, 3, 9])
    check(merge, [7, 7, 7], (7, 7), 9, gives=[9, 7])
    check(merge, [2, 1, 2, 3, 1], (1, 2), 9)
    check(merge, [1, 2, 4], (2, 1), 9)
    check(merge, [5, 1, 1, 1, 1, 1, 6], (1, 1), 9)
    ### BEGIN HIDDEN TESTS
    check(merge, [], (1, 2), 9, about="no ids")
    check(merge, [7], (7, 7), 9, about="one id")
    check(merge, [7, 7], (7, 7), 300, about="nothing but the pair")
    check(merge, [1, 2, 12, 1, 21, 2, 1], (1, 2), 999, about="ids whose digits look like the pair")
    check(merge, [300, 65, 300, 65, 65, 300], (300, 65), 1000, about="ids above 255")
    check(merge, [1, 1, 2, 1, 1, 1, 2, 2], (1, 2), 999, about="a pair inside repeated ids")
    check(merge, [0, 0, 0, 0, 1, 0], (0, 0), 2, about="the id 0")
    check(merge, [3, 4, 5], (6, 7), 9, about="a pair that does not occur")
    ### END HIDDEN TESTS


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
# The parts are those of `given_parts`: what the pattern skips is a part, too.
# It ends when there are `vocab_size` ids, the 256 bytes included, or earlier when **no pair is left**. A pair that occurs
# once is still a pair.
#
# By hand, on the eight words of the example: `n e` occurs 6 times (five times in new, newer and newest, once in cleaner)
# and wins: `(110, 101)` makes 256. Then `ne w`, 5 times: `(256, 119)`. Then `c l`, `l e` and `e a` all occur 4 times; their
# left ids are 99, 108 and 101, so `(99, 108)` makes 258.
#
# Hint 1 (a nudge): Keep each distinct part once, with the number of times that it occurs: `Counter(parts)`.
#
# Hint 2 (the approach): In a loop: count over all words, each pair as often as the word occurs; stop if there is none;
# choose; replace the pair in every word with `given_merge`; append it to the merges.
#
# Hint 3 (the steps): The best pair is a `min` over the counts, with a key of two: the count with a minus sign, and the
# pair itself. Then every word is replaced by what `given_merge` makes of it, and the counts are taken anew.


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
EXAMPLE = "clean clean clean cleaner new new newer newer newest 酒店 酒店 酒 干净".replace(" ", "\n")


def test_train_bpe():
    """The most frequent pair first, the smallest among equals, inside the parts only, until no pair is left."""
    check(train_bpe, EXAMPLE, 259, gives=[(110, 101), (256, 119), (99, 108)])
    check(train_bpe, EXAMPLE, 268)
    check(train_bpe, "xy ab yx ab cd cd", 260)
    check(train_bpe, "aaaa aaaa b b b b b", 300)
    check(train_bpe, "ba ca", 258)
    check(train_bpe, "ab-ab ab-ab", 258, r"\S+")
    check(train_bpe, "ab-cd--ab-cd--", 262, r"[\w]+")
    ### BEGIN HIDDEN TESTS
    check(train_bpe, "", 300, about="an empty text")
    check(train_bpe, "ababab", 256, about="no merges asked for")
    check(train_bpe, "ababab", 100, about="fewer ids than bytes")
    check(train_bpe, "a b c d", 300, r"\S|\s", about="parts of one byte")
    check(train_bpe, "a\n\n", 257, about="line ends")
    check(train_bpe, "a\r\n", 257, about="line ends")
    check(train_bpe, "e\u0301 e\u0301", 258, about="accents that are characters of their own")
    check(train_bpe, "a\n\n\nb", 257, about="line ends")
    check(train_bpe, "酒店很干净，酒店很好，房间也很干净。酒店🙂", 300, about="Chinese")
    check(train_bpe, "the hotel, the hotels; a hostel's hosts\n\nthe host " * 3, 330, about="English")
    check(train_bpe, "zb za zb za zc zc", 262, about="ties")
    check(train_bpe, "哈哈哈哈 哈哈哈 哈哈", 290, about="a character again and again")
    check(train_bpe, "New new NEW new", 270, about="capital letters")
    check(train_bpe, "abc bca cab abcabc cabcab bcabca aabbcc abab baba cc", 300, about="many ties")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `encode`
# *difficulty ●●○ · importance ●●● · 20 min*
#
# The rank (序号 rank) of a merge is its place in the list: the earlier it was learnt, the lower.
#
# `encode(text, merges, pattern=PATTERN)` cuts the text into parts by the pattern. In each part, which starts as its UTF-8
# bytes, it looks at all pairs of neighbours, applies the merge of the **lowest rank** among them, and looks again, until no
# pair of neighbours is a merge. Merge number `i` makes the id `256 + i`. The result is one list of ids for the whole text.
# The parts are those of `given_parts`: what the pattern skips is a part, too, and is encoded like the others. No pair is
# in the list of merges twice.
#
# By hand, with the merges of the example: `cleaner` starts as `c l e a n e r`. The lowest rank is `n e` (number 0), then
# `c l` (2), `e a` (3) and `cl ea` (4): `clea ne r`, the ids `[260, 256, 114]`. The token `clean` (number 8) exists, is
# longer, and is not used: its `n` is gone.
#
# Hint 1 (a nudge): Not the pair that comes first in the text, nor the one that makes the longest token: the one that
# was learnt first.
#
# Hint 2 (the approach): A dictionary from pair to rank. For each part: `while` some pair of neighbours is in it, take
# the one with the lowest rank and apply `given_merge`.
#
# Hint 3 (the steps): The pair to try is the `min` over the part's pairs by their rank, with a rank behind all others
# for what is no merge, and a `default` for a part of one byte. If the pair is no merge, the part is done; else merge
# it, and look again.


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
MERGES = [(110, 101), (256, 119), (99, 108), (101, 97), (258, 259), (133, 146)]
MERGES += [(233, 261), (257, 101), (260, 110), (186, 151), (229, 265), (262, 266)]


def test_encode():
    """In each part the merges are applied in the order of their ranks."""
    check(encode, "cleaner", MERGES, gives=[260, 256, 114])
    check(encode, "newest 酒店, 干净", MERGES)
    check(encode, "abab abc", [(97, 98), (256, 256), (256, 99)])
    check(encode, "abcde", [(98, 99), (97, 98), (99, 100), (100, 101), (97, 256)])
    check(encode, "aaaaa a", [(97, 97), (97, 32), (256, 256)])
    check(encode, "ab-ab", [(97, 98), (256, 45)], r"[\w-]+")
    check(encode, "ab--ab", [(45, 45), (97, 98)], r"\w+")
    ### BEGIN HIDDEN TESTS
    check(encode, "", MERGES, about="an empty text")
    check(encode, "abc", [], about="no merges")
    check(encode, "酒店很干净🙂\n\ncleanest, neat; new", MERGES, about="both languages")
    check(encode, "cleaner cleane ncleanew", MERGES, about="words that begin alike")
    check(encode, "a-b-a", [(97, 45), (45, 98), (256, 98)], r".+", about="a pattern of one part")
    check(encode, "abcd", [(99, 100), (98, 99), (97, 98)], about="merges in another order than the text")
    check(encode, "xxxxxxxxx", [(120, 120), (256, 256), (257, 256), (257, 120)], about="a byte again and again")
    check(encode, "é", [(195, 169)], about="a letter of two bytes")
    check(encode, "e\u0301\r\n", [(195, 169)], about="an accent of its own, and a line end of two bytes")
    check(encode, "abc", [(98, 99), (97, 98), (257, 99)], about="a token that the merges never reach")
    check(encode, "New NEW new", MERGES, about="capital letters")
    check(encode, "ab", [(97, 98)], about="one merge")
    check(encode, "ab", [], about="the same text without a merge")
    check(encode, " ab ", [], about="white space at the ends")
    check(encode, "ab\n", [(97, 98)], about="white space at the ends")
    later = [*((128 + i % 100, 128 + i // 100) for i in range(1200)), (97, 98)]
    check(encode, "abc", later, about="more than a thousand merges")
    some = [(97, 98), (99, 97), (256, 99), (98, 98), (257, 256), (258, 97), (98, 257), (256, 256)]
    check(encode, "abcabbcacabab bcabcabb cabcab", some, about="merges that overlap")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `decode`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# `decode(ids, merges)` returns the text. The bytes of an id below 256 are that byte; those of `256 + i` are the bytes of
# the left id of merge number `i`, followed by those of its right id. A token may end in the middle of a character, so **all
# bytes are joined first and decoded once**; what is then no UTF-8 becomes U+FFFD, as in `errors="replace"`.
#
# By hand, with the merges of the example: `[260, 256, 114]` is `clea`, `ne` and `r`: together `"cleaner"`. And `[233, 261]`
# is `E9`, `85 92`: together 酒. `[261]` alone is `"��"`.
#
# Hint 1 (a nudge): Which ids can a merge refer to? In what order do their bytes become known?
#
# Hint 2 (the approach): A list of `bytes`: 256 single ones, then for each merge the sum of two that are in the list
# already.
#
# Hint 3 (the steps): Each merge appends one entry to the list: the bytes of its left id, followed by those of its right
# id. Then the bytes of all ids are joined, and decoded once.


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
MERGES = [(110, 101), (256, 119), (99, 108), (101, 97), (258, 259), (133, 146), (233, 261)]


def test_decode():
    """Tokens give their bytes, and characters cut by a token border come back whole."""
    check(decode, [260, 256, 114], MERGES, gives="cleaner")
    check(decode, [233, 261, 262], MERGES)
    check(decode, [261, 65], MERGES)
    check(decode, [72, 105], [])
    ### BEGIN HIDDEN TESTS
    check(decode, [], MERGES, about="no ids")
    check(decode, [0, 32, 255, 10], [], about="the first byte and the last, white space at the end")
    check(decode, [240, 159, 256, 33], [(153, 130)], about="a character of four bytes")
    check(decode, [256, 257, 258, 258, 259], [(229, 186), (256, 151), (257, 257), (151, 229)], about="merges of merges")
    check(decode, [0xFF, 0xE9, 0x85, 0xE9, 0x85, 0x92, 0x80], MERGES, about="bytes that are no UTF-8")
    check(decode, [456], [(97, 97), *((256 + i, 98) for i in range(200))], about="a long chain of merges")
    check(decode, [259], [(97, 98), (98, 99), (256, 99), (97, 257), (100, 101)], about="two merges of the same bytes")
    check(decode, [260], [(97, 98), (98, 99), (256, 99), (97, 257), (100, 101)], about="two merges of the same bytes")
    check(decode, [0xEF, 0xBB, 0xBF, 65], [], about="U+FEFF in front")
    check(decode, [13, 10, 101, 0xCC, 0x81], [], about="a line end of two bytes, and an accent of its own")
    ### END HIDDEN TESTS


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
# Tokens are compared as they are written, capital letters, spaces and all. The text itself stays as it is: no space beside
# a token is lost.
#
# By hand, with `special = {"<|end|>": 300}`: `"new<|end|>"` becomes `[257, 300]` if `<|end|>` is allowed. With
# `allowed=set()` it is `given_encode("new<|end|>", merges)`, in which 300 does not occur.
#
# Hint 1 (a nudge): `regex.split` with a group in its pattern keeps what it split at.
#
# Hint 2 (the approach): Join the allowed tokens with `|`. Three traps: `|` occurs in the tokens themselves; a pattern
# of alternatives takes the first that fits, not the longest; and with nothing allowed the pattern is empty, and splits
# everywhere.
#
# Hint 3 (the steps): Escape each allowed token, put the longest first, join them with `|`, and put the whole in a
# group. Then go through the pieces that `regex.split` gives: a piece that is an allowed token has its id, any other is
# encoded. With nothing allowed there is nothing to split at.


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
MERGES = [(110, 101), (256, 119), (124, 62), (60, 124), (101, 110), (260, 100), (257, 101)]
SPECIAL = {"<|end|>": 300, "<|user|>": 301, "<|end|>\n": 302, "new": 303, "user": 304, "酒": 305}


def test_encode_special():
    """Allowed tokens act, the longest first; what is not allowed is ordinary text and cannot get a special id."""
    check(encode_special, "new<|end|>", MERGES, SPECIAL, {"<|end|>"}, gives=[257, 300])
    check(encode_special, "new<|end|>", MERGES, SPECIAL, set())
    check(encode_special, "a <|user|> b<|end|><|end|>", MERGES, SPECIAL, {"<|end|>"})
    check(encode_special, "new <|end|> new", MERGES, SPECIAL, {"<|end|>"})
    check(encode_special, "new<|end|>\nnew", MERGES, SPECIAL, {"<|end|>", "<|end|>\n"})
    check(encode_special, "new<|end|>\nnew", MERGES, SPECIAL, {"<|end|>"})
    check(encode_special, "renewed", MERGES, SPECIAL, {"<|end|>"})
    ### BEGIN HIDDEN TESTS
    check(encode_special, "", MERGES, SPECIAL, {"<|end|>", "<|user|>"}, about="an empty text")
    check(encode_special, "renewed <|end|>", MERGES, SPECIAL, set(), about="nothing allowed")
    check(encode_special, "<|user|>new", MERGES, SPECIAL, {"<|user|>", "user", "new"}, about="one token inside another")
    check(encode_special, "<|user|>new", MERGES, SPECIAL, {"user", "new"}, about="a longer one that is not allowed")
    check(encode_special, "<|end|>\n<|end|>", MERGES, SPECIAL, {"<|end|>\n"}, about="only the longer one allowed")
    check(encode_special, "酒店酒", MERGES, SPECIAL, {"酒"}, about="a token of one character")
    check(encode_special, "酒店酒", MERGES, SPECIAL, {"<|end|>"}, about="a token that is not allowed")
    check(encode_special, "<|END|> <|end |> New", MERGES, SPECIAL, {"<|end|>", "new"}, about="nearly a token")
    check(encode_special, "\n<|end|>  x\t<|end|> ", MERGES, SPECIAL, {"<|end|>"}, about="white space beside a token")
    check(encode_special, "abcd", [], {"ab": 256, "bcd": 300}, {"ab", "bcd"}, about="two tokens that overlap")
    check(encode_special, "<<|end|>|>", MERGES, SPECIAL, {"<|end|>"}, about="signs around a token")
    check(encode_special, "<|end|>", MERGES, SPECIAL, set(), about="a token alone that is not allowed")
    check(encode_special, "＜|end|＞", MERGES, SPECIAL, {"<|end|>"}, about="nearly a token")
    check(encode_special, "a.c abc", [], {"a.c": 256, "abc": 300}, {"a.c"}, about="signs that mean something in a pattern")
    ### END HIDDEN TESTS


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
# Hint 1 (a nudge): `special` leads from token to id; you need the way from id to token.
#
# Hint 2 (the approach): A special token has bytes too: those of its text. Then every id has bytes, and nothing else
# changes.
#
# Hint 3 (the steps): Turn `special` round, from id to the bytes of the token. Then look each id up there first, and in
# the vocabulary if it is not there; join, and decode once.


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
    check(decode_special, [72, 105, 300], [], {"<|end|>": 300}, gives="Hi<|end|>")
    check(decode_special, [0xE9, 256, 301, 260], [(0x85, 0x92)], {"<|user|>": 260, "<|end|>": 301})
    check(decode_special, [0xE9, 256, 257, 0xE9, 258, 65], [(0x85, 0x92)], {"<|end|>": 258, "<|user|>": 257})
    ### BEGIN HIDDEN TESTS
    check(decode_special, [], [], {}, about="no ids")
    check(decode_special, [104, 105, 10], [], {"<|end|>": 256}, about="no special id")
    check(decode_special, [256, 257, 258, 40_000, 65], [(110, 101), (256, 119)], {"酒": 40_000, "<s>": 258}, about="gaps")
    check(decode_special, [300, 300, 0xF0, 0x9F, 300, 0x99, 0x82], [], {"</s>": 300}, about="a token inside a character")
    check(decode_special, [32, 299, 32], [], {" ": 299}, about="spaces at the ends")
    check(decode_special, [0xEF, 0xBB, 0xBF, 65], [], {"<s>": 300}, about="U+FEFF in front")
    check(decode_special, [13, 10, 101, 0xCC, 0x81], [], {"<s>": 300}, about="a line end, and an accent of its own")
    check(decode_special, [300, 65, 0xE9], [], {"<s>": 300}, about="a cut character at the end")
    ### END HIDDEN TESTS


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
#   begin no character, so their `�` comes at once. (Of bytes that look like a beginning and are none, such as E0 80, the
#   `�` may come at once or with the next id.)
# - Each decoder has its own stream: two of them may be used in turns.
#
# By hand: the ids `E9 85 92` give `""`, `""`, `"酒"`. The ids `E9 41` give `""`, `"�A"`: with `A`, it is certain that
# nothing more will come to E9. The id `E9` and then `finish()` give `""`, `"�"`. If the merge `(0x68, 0x69)` makes 256, the
# ids 256, E9 and 41 and then `finish()` give `"hi"`, `""`, `"�A"` and `""`.
#
# How UTF-8 is written: 00–7F a character of one byte; C2–DF, E0–EF and F0–F4 begin one of two, three and four bytes; 80–BF
# continue it.
#
# Hint 1 (a nudge): The text so far may end in `�` for two reasons: a character that is cut, which may still be mended,
# and one that is broken, or that truly is U+FFFD. The text alone cannot tell; the bytes can.
#
# Hint 2 (the approach): Keep the bytes that are held back. To each new piece of bytes, put them in front; cut off the
# beginning of a character at the end, if there is one; decode the rest. The standard library has this too: see
# `codecs`.
#
# Hint 3 (the steps): The module `codecs` makes incremental decoders, which take `errors` and keep the beginning of a
# character until the rest comes, or until they hear that it was the last piece. By hand: look for a lead byte among the
# last three bytes, and see whether it wants more bytes than follow it.


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
def stream(ids, merges):
    """The pieces as they come, and what `finish` adds."""
    decoder = StreamDecoder(merges)
    return [*map(decoder.feed, ids), decoder.finish()]


def joined(ids, merges):
    """All that comes, in one text."""
    return "".join(stream(ids, merges))


def in_turns(ones, others):
    """Two decoders, fed in turns."""
    one, other = StreamDecoder([]), StreamDecoder([])
    return [(one.feed(a), other.feed(b)) for a, b in zip(ones, others)] + [(one.finish(), other.finish())]


def test_StreamDecoder():  # noqa: N802
    """Joined, the pieces are the whole text; no half character is shown, and no whole one is held back."""
    check(stream, [256, 0xE9, 0x41], [(0x68, 0x69)], gives=["hi", "", "�A", ""])
    check(stream, [0xE9, 0x85, 0x92, 33], [])
    check(stream, [0xE9, 0x85, 256, 257, 0x41], [(0x92, 0xE5), (0xBA, 0x97)])
    check(stream, [0xE9, 0x85], [])
    check(stream, [0xFF, 0x41, 0x80], [])
    check(stream, [0xEF, 0xBF, 0xBD, 0x41], [])
    check(stream, [0xE9, 0x85, 0xE9, 0x85, 0x92], [])
    check(in_turns, [0xE9, 0x85, 0x92], [0xF0, 0x41, 0x42])
    ### BEGIN HIDDEN TESTS
    check(stream, [], [], about="no ids")
    check(stream, [0xF0, 0x9F, 0x99, 0x82, 0xF0, 0x9F, 0x99], [], about="characters of four bytes")
    check(stream, [0xC3, 0xA9, 0xC3, 0x41, 0xF0, 0x9F, 0x41], [], about="cut characters of two and four bytes")
    check(stream, [259, 256, 257, 259], [(0x92, 0xE5), (0xBA, 0x97), (97, 98), (0xE9, 0x85)], about="tokens that cut")
    check(stream, [0xEF, 0xBB, 0xBF, 0x41], [], about="a byte order mark")
    check(stream, [0, 65, 0], [], about="the byte 0")
    check(stream, [13, 65, 256], [(13, 10)], about="line ends of one byte and of two")
    check(stream, list("酒店很干净🙂 né\ufffd!\n".encode()), [], about="a text byte by byte")
    check(stream, [256, 258, 32, 10], [(32, 0xE9), (0x85, 0x92), (257, 32)], about="spaces at the ends of tokens")
    check(joined, [0xE0, 0x80, 0x41, 0xED, 0xA0, 0x80, 0xF4, 0x90, 0x80, 0x80, 0xC0, 0x80, 0xF5, 0x41], [], about="forbidden")
    check(joined, [0xF4, 256, 0xE9, 257, 0xC3, 256, 0xF0], [(0x80, 0x92), (0xBF, 0xE0)], about="tokens of broken bytes")
    ### END HIDDEN TESTS


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
# `b a` loses 1, and `X X` gains 1. In ids, `count_changes([1, 2, 3, 4], (2, 3), 9)` is
# `{(1, 2): -1, (2, 3): -1, (3, 4): -1, (1, 9): 1, (9, 4): 1}`.
#
# Hint 1 (a nudge): Going by the neighbours of each occurrence is quick, and goes wrong where the neighbour is merged
# too.
#
# Hint 2 (the approach): A word is short. Count the pairs of the whole word before and after, and subtract.
#
# Hint 3 (the steps): Count the pairs of the merged word, and take those of the old word off with `Counter.subtract`,
# which keeps what is negative (the sign `-` between two Counters drops it). Then leave out the zeros.


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
    gone, new = {(1, 2): -1, (2, 3): -1, (3, 4): -1}, {(1, 9): 1, (9, 4): 1}
    check(count_changes, [1, 2, 3, 4], (2, 3), 9, gives=gone | new)
    check(count_changes, [1, 2, 1, 2], (1, 2), 9)
    check(count_changes, [8, 1, 2, 5, 8, 1, 2], (1, 2), 9)
    check(count_changes, [7, 7, 7], (7, 7), 9)
    check(count_changes, [4, 5, 1, 2], (1, 2), 9)
    ### BEGIN HIDDEN TESTS
    check(count_changes, [], (1, 2), 9, about="no ids")
    check(count_changes, [1, 2, 3], (2, 1), 9, about="a pair that does not occur")
    check(count_changes, [300, 1, 2, 70_000], (1, 2), 999, about="large ids")
    check(count_changes, [7, 7, 7, 7, 7, 8], (7, 7), 300, about="an id again and again")
    check(count_changes, [3, 1, 2, 1, 2, 1, 2, 3, 1], (1, 2), 300, about="occurrences that touch")
    check(count_changes, [1, 2, 3, 1, 2, 2, 3], (1, 2), 300, about="neighbours that stay")
    check(count_changes, list("哈哈哈哈".encode()), (0xE5, 0x93), 256, about="bytes")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `train_bpe_fast`
# *difficulty ●●● · importance ●●○ · 45 min*
#
# `train_bpe_fast(text, vocab_size, pattern=PATTERN)` returns the very merges of `train_bpe`: the most frequent pair,
# among equals the smallest pair of ids, until `vocab_size` ids or until no pair is left. But it counts all pairs **once**.
# After that it visits only the words that hold the winner, and in each one changes the counts by what was lost and gained,
# as often as the word occurs.
#
# By hand, in `"aaaa aaaa b"` the pair `a a` occurs 6 times: `(97, 97)` makes 256. Both words change, and `a a` is gone from
# them; `256 256` occurs twice: `(256, 256)` makes 257. Now `(32, 98)` and `(32, 257)` occur once each, and the smaller wins.
#
# The test can see your merges, not your work. Look at that yourself: the text below has about 3,000 distinct words, and
# `train_bpe` goes through all of them for each of its 344 merges.
#
# ```python
# import random
#
# text = " ".join("".join(random.choices("abcdefgh", k=8)) for _ in range(3000))
# %timeit -n1 -r1 train_bpe(text, 600)
# %timeit -n1 -r1 train_bpe_fast(text, 600)
# ```
#
# Hint 1 (a nudge): Beside the counts, keep for each pair the set of the words that hold it.
#
# Hint 2 (the approach): For each word that holds the winner: take its old pairs out of the counts, merge, put its new
# pairs in, each as often as the word occurs; and enter the word in the sets of its new pairs. A word may stay in a set
# of a pair that it has lost: a visit to it then changes nothing. A count that has come down to 0 must not win.
#
# Hint 3 (the steps): `where = defaultdict(set)` keeps, for each pair, the numbers of the words that hold it. For each
# word that held the winner: every pair of the new word gains what the word's times are, and gets the word's number;
# every pair of the old one loses as much. After that, a pair whose count is 0 is deleted.


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
EXAMPLE = "clean clean clean cleaner new new newer newer newest 酒店 酒店 酒 干净".replace(" ", "\n")


def test_train_bpe_fast():
    """The same merges as by counting anew each time."""
    check(train_bpe_fast, "aaaa aaaa b", 259, gives=[(97, 97), (256, 256), (32, 98)])
    check(train_bpe_fast, EXAMPLE, 268)
    check(train_bpe_fast, "ab ab ab abc abc bcd bcd bcd bc bc", 280)
    check(train_bpe_fast, "aaaa aaaa aaa aa ababab abab", 300)
    check(train_bpe_fast, "xy ab yx ab cd cd", 400)
    check(train_bpe_fast, "ab--ab--ab", 258, r"\w+")
    ### BEGIN HIDDEN TESTS
    check(train_bpe_fast, "", 300, about="an empty text")
    check(train_bpe_fast, "abcab", 256, about="no merges asked for")
    check(train_bpe_fast, "abcab", 100, about="fewer ids than bytes")
    check(train_bpe_fast, "ab-ab-ab", 257, r"\w+|-", about="another pattern")
    check(train_bpe_fast, "ab-ab ab-ab", 258, r"\S+", about="another pattern")
    check(train_bpe_fast, "a\n\n", 257, about="line ends")
    check(train_bpe_fast, "a\r\n", 257, about="line ends")
    check(train_bpe_fast, "e\u0301 e\u0301", 258, about="accents that are characters of their own")
    check(train_bpe_fast, "a\n\n\nb", 257, about="line ends")
    check(train_bpe_fast, "哈哈哈哈 哈哈哈 哈哈 哈哈哈哈哈", 300, about="a character again and again")
    check(train_bpe_fast, "the hotel, the hotels; a hostel's hosts\n\nthe host " * 3, 330, about="English")
    check(train_bpe_fast, "酒店很干净，酒店很好，房间也很干净。酒店🙂", 320, about="Chinese")
    check(train_bpe_fast, "abc bca cab abcabc cabcab bcabca aabbcc abab baba cc" * 2, 330, about="many ties")
    check(train_bpe_fast, "aabab abaab babaa aaabbb ababa bbaba aab abb ba baab", 340, about="pairs that come and go")
    ### END HIDDEN TESTS
