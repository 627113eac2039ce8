# ---
# jupyter:
#   jupytext: {text_representation: {extension: .py, format_name: percent}}
# ---

# %% [markdown]
# # From reviews to batches
#
# Before a model sees a review, the review has been cleaned, put into one of three parts, numbered and filled up. Each of
# these steps can spoil the result without an error message. This notebook builds them, and the arithmetic of the baseline.
#
# **When you are done you can** split labelled texts so that nothing leaks, build a vocabulary from the training part,
# make batches with a mask, average over real words only, and compute the TF-IDF of scikit-learn by hand.
#
# **You need** Python's dictionaries and sorting, and axes and broadcasting in PyTorch and NumPy. Plan about 80 minutes.
#
# **Shapes.** `B` texts in a batch, `T` words in the longest of them, `D` width of a word's vector, `N` documents, `V` words
# of the vocabulary. A text is a list of words where words are needed. A `mask (B, T)` is boolean, `True` = a real word.
#
# Each exercise stands alone: none of them needs your answer to another one.

# %%
import random
from collections import Counter

import numpy as np
import torch
from torch import Tensor

# %% nbgrader={"grade_id": "check"}
from autograder.asking import check


# %% [markdown]
# ## `clean_and_split`
# *difficulty ●●○ · importance ●●● · 25 min*
#
# A text that is both in the training part and in the test part has been seen before the exam (数据泄漏 data leakage). So
# clean first, and split after.
#
# `clean_and_split(rows, seed)` takes pairs `(text, label)` and returns the dictionary
# `{"train": [...], "val": [...], "test": [...]}` of such pairs.
#
# 1. **Clean.** Two texts are the same if they are equal once all white space is removed and the rest is in lower case:
#    the helper `normal`, given below. Of texts that are the same keep the **first, as it was written**. If the same text
#    comes with **different labels**, drop all of its rows: nobody knows which label is right.
# 2. **Split, each label by itself** (分层抽样 stratified sampling). Of the `n` cleaned rows of a label, `n // 5` go into
#    the test part, `n // 10` into the validation part, and the rest into the training part.
# 3. **By lot.** Which rows go where depends on `seed`: the same seed gives the same parts, another seed gives others.
#    The order within a part is free.
#
# By hand: `("好", 1), ("好 ", 1), ("OK", 1), ("ok", 0), ("差", 0)`. The second is the first again. The third and the fourth
# are the same text with two labels: both go. `("好", 1)` and `("差", 0)` are left. And of 33 clean rows with the label 1 and
# 8 with the label 0, 6 + 1 go into the test part, 3 + 0 into the validation part, and the other 31 into the training part.
#
# Hint 1 (a nudge): What must you know about **all** rows before you can decide whether to keep one?
#
# Hint 2 (the approach): One pass collects, for each normal form, its first text and the set of its labels. Then make
# one list for each label, shuffle it with a generator of your own, and cut it.
#
# Hint 3 (the tools): A dictionary's `setdefault` keeps what came first, and makes an empty set where there is none yet.
# `random.Random(seed)` is a generator of your own, with a method `shuffle`. A shuffled list is cut at two places, by
# three slices.


# %%
def normal(text: str) -> str:
    """What two texts must share to count as the same: no white space, lower case."""
    return "".join(text.split()).lower()


# %% nbgrader={"grade_id": "clean_and_split", "solution": true}
def clean_and_split(rows: list[tuple[str, int]], seed: int) -> dict[str, list[tuple[str, int]]]:
    """The parts train, val and test: no text twice, none with two labels, each label cut by itself."""
    ### BEGIN SOLUTION
    first, labels = {}, {}
    for text, label in rows:
        first.setdefault(normal(text), text)
        labels.setdefault(normal(text), set()).add(label)
    groups = {}
    for key, text in first.items():
        if len(labels[key]) == 1:
            (label,) = labels[key]
            groups.setdefault(label, []).append((text, label))
    parts = {"train": [], "val": [], "test": []}
    rng = random.Random(seed)
    for group in groups.values():
        rng.shuffle(group)
        test, val = len(group) // 5, len(group) // 10
        parts["test"] += group[:test]
        parts["val"] += group[test : test + val]
        parts["train"] += group[test + val :]
    return parts
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_clean_and_split", "grade": true, "points": 3}
TWICE = [("房间 大", 1), ("Good", 1), ("房间大", 1), ("还 行", 0), ("good ", 1), ("还行", 1), ("脏", 0), ("还 行", 0)]
CLEAN = [(f"大 {i}", 1) for i in range(33)] + [(f"bad {i}", 0) for i in range(8)]


def kept(rows, seed):
    """The rows of all three parts together, sorted."""
    return sorted((text, label) for part in clean_and_split(rows, seed).values() for text, label in part)


def sizes(rows, seed):
    """How many rows each part has."""
    return {name: len(part) for name, part in sorted(clean_and_split(rows, seed).items())}


def alike(rows, seed, other):
    """Whether two seeds put the same rows there, for each part."""
    one, two = clean_and_split(rows, seed), clean_and_split(rows, other)
    return {name: sorted(map(list, one[name])) == sorted(map(list, two[name])) for name in sorted(one)}


def test_clean_and_split():
    """Nothing leaks, every label has its share of every part, and the seed decides."""
    check(kept, [("好", 1), ("好 ", 1), ("OK", 1), ("ok", 0), ("差", 0)], 0, gives=[("好", 1), ("差", 0)])
    check(kept, TWICE, 0)
    check(sizes, CLEAN, 0, gives={"test": 7, "train": 31, "val": 3})
    check(alike, CLEAN, 1, 1, gives={"test": True, "train": True, "val": True})
    check(alike, CLEAN, 1, 2)

    ### BEGIN HIDDEN TESTS
    def shares(rows, seed):
        """Whether each label, none of whose texts comes twice, has its share of test and validation."""
        parts, labels = clean_and_split(rows, seed), [label for _, label in rows]
        cuts = [(part, label, labels.count(label) // by) for part, by in (("test", 5), ("val", 10)) for label in labels]
        return all(sum(other == label for _, other in parts[name]) == n for name, label, n in cuts)

    three = [(f"{'abc'[label % 3]} {i}", label) for label, n in ((2, 23), (0, 39), (7, 11)) for i in range(n)]
    mixed = [three[i] for i in np.random.default_rng(7).random(len(three)).argsort()]
    again = [("", 0), ("\n", 0), ("DIRTY\n", 0), ("dir ty", 0), ("可以", 1), ("可 以", 1), ("可以", 0)]
    check(kept, TWICE * 2 + again, 3, about="rows that come again")
    others = [("一般", 2), ("一 般", 0), ("一般 ", 2), ("行", 7), ("OK", 0), ("oK", 2)]
    check(kept, others, 1, about="other labels than 0 and 1")
    check(kept, three[15:40] + three[20:30], 4, about="three labels")
    check(sizes, three, 0, about="three labels")
    check(sizes, CLEAN[:1], 0, about="one row")
    check(sizes, [(f"a{i}", 1) for i in range(5)] + [("a0", 1)] * 5, 0, about="rows that come again")
    check(kept, [("Straße", 1), ("STRASSE", 0)], 0, about="letters that are the same only when they are large")
    check(sizes, [], 0, about="no rows")
    check(shares, mixed, 5, about="each label's share")
    check(shares, CLEAN, 6, about="each label's share")
    check(alike, mixed, 0, 0, about="the same seed twice")
    check(alike, [row for row in mixed if row[1] == 0], 0, 1, about="one label, two seeds")
    check(alike, CLEAN[:33], 3, 4, about="one label, two seeds")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `build_vocab`
# *difficulty ●○○ · importance ●●● · 15 min*
#
# A model reads numbers. The vocabulary (词表) gives one to each word that it knows. It is built from the **training part
# alone**: a word that only the test part has must be as unknown as a word of next year.
#
# `build_vocab(texts, min_count)` takes texts, each a list of words, and returns a dictionary from word to number:
#
# - `"<pad>"` is 0 and `"<unk>"` is 1, always;
# - then come, from 2 on and without gaps, the words that occur **at least** `min_count` times in all texts together:
#   commonest first, and equally common words in the order of Python's `sorted`.
#
# Words are taken as they stand: `OK` and `ok` are two. A text may contain the strings `"<pad>"` and `"<unk>"` themselves. They are no words: they are not counted, and their
# numbers stay 0 and 1.
#
# By hand: `[["干净", "很", "干净"], ["很", "好", "吵"]]` with `min_count=1`. 干净 and 很 occur twice, 吵 and 好 once. `sorted` puts
# 干净 before 很 and 吵 before 好, so the numbers are 干净 2, 很 3, 吵 4, 好 5. With `min_count=2`, only the first two are left.
#
# Hint 1 (a nudge): Two things decide the order. Can one sort key hold both, one falling and one rising?
#
# Hint 2 (the approach): Count with a `Counter`, drop the two special strings and the rare words, sort by `(-count,
# word)`, number from 2.
#
# Hint 3 (the tools): `sorted` takes a `key`, a function of a word; pairs are compared by their first part, and where
# that is equal by the second. `enumerate` can begin at another number than 0.


# %% nbgrader={"grade_id": "build_vocab", "solution": true}
def build_vocab(texts: list[list[str]], min_count: int) -> dict[str, int]:
    """Numbers for words: <pad> 0, <unk> 1, then those with at least min_count, by falling count, then by word."""
    ### BEGIN SOLUTION
    counts = Counter(word for text in texts for word in text)
    vocab = {"<pad>": 0, "<unk>": 1}
    words = [word for word, n in counts.items() if n >= min_count and word not in vocab]
    for number, word in enumerate(sorted(words, key=lambda word: (-counts[word], word)), start=2):
        vocab[word] = number
    return vocab
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_build_vocab", "grade": true, "points": 2}
QUIET = [["干净", "很", "干净"], ["很", "好", "吵"]]


def test_build_vocab():
    """Specials first, rare words left out, and one order for everyone."""
    special = {"<pad>": 0, "<unk>": 1}
    check(build_vocab, QUIET, 1, gives=special | {"干净": 2, "很": 3, "吵": 4, "好": 5})
    check(build_vocab, QUIET, 2, gives=special | {"干净": 2, "很": 3})
    check(build_vocab, [["b", "b", "b", "a"], ["c", "d", "d"], ["d", "c", "f", "e", "e", "a"]], 2)
    check(build_vocab, [["很", "好", "<unk>", "<unk>"], ["<pad>", "<unk>", "好", "好", "<pad>"]], 1)
    check(build_vocab, [["x", "x", "x", "y"], ["y", "z"], ["y", "z"], ["q"]], 3)
    ### BEGIN HIDDEN TESTS
    check(build_vocab, [], 1, about="no texts")
    check(build_vocab, [[], ["<pad>"]], 1, about="no words but the special ones")
    check(build_vocab, [["OK", "ok", "Ok", "ok"], ["ＯＫ", "OK"]], 1, about="upper and lower case")
    check(build_vocab, [["<PAD>", "<unk>", "<pad>", "pad", "unk", "<PAD>"]], 1, about="words like the special ones")
    check(build_vocab, QUIET * 3, 7, about="no word that is common enough")
    rng = np.random.default_rng(11)
    letters = list("的了是很好不房间酒店干净吵ABCabc012，。")
    check(build_vocab, [[letters[i] for i in rng.random(len(letters)).argsort()]], 1, about="all words equally common")
    for size, min_count in [(3, 1), (20, 6), (40, 10), (5, 2)]:
        texts = [[letters[i] for i in rng.integers(len(letters), size=rng.integers(12))] for _ in range(size)]
        check(build_vocab, texts, min_count, about=f"{size} texts, min_count = {min_count}")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `encode_batch`
# *difficulty ●●○ · importance ●●● · 15 min*
#
# Reviews differ in length, and a tensor is a rectangle. So short reviews are filled up (填充 padding), long ones are cut,
# and a mask (掩码) remembers which places are real.
#
# `encode_batch(texts, vocab, max_len)` takes texts as lists of words and a dictionary from word to number with `"<pad>"` 0
# and `"<unk>"` 1. It returns a pair of tensors:
#
# - `ids (B, T)` of dtype `torch.long`: the words' numbers, `1` for a word that the vocabulary does not know, and then `0`
#   up to the end of the row;
# - `mask (B, T)` of dtype `torch.bool`: `True` where a word stands, known or not, `False` on padding.
#
# A text of more than `max_len` words keeps its **first** `max_len`. `T` is the length of the longest text **after** that
# cut, which may be less than `max_len`. A text without words is a row of padding; at least one text of the batch has a
# word. No text holds the string `"<pad>"`, and the vocabulary does not grow.
#
# By hand, with 很 = 2, 干净 = 3, 吵 = 4 and `max_len=3`: `[["很", "干净"], ["浴室", "很", "吵", "啊"]]` gives
# `ids = [[2, 3, 0], [1, 2, 4]]` and `mask = [[True, True, False], [True, True, True]]`.
#
# Hint 1 (a nudge): Which comes first: finding the longest text, or cutting?
#
# Hint 2 (the approach): Cut every text, take the largest length, fill each row with zeros. The mask comes from the
# lengths.
#
# Hint 3 (the shapes): A dictionary's `get` takes a value for words that it does not know. `torch.arange(T)` has the
# places, `(T,)`; compared with the lengths as a column, `(B, 1)`, it gives `(B, T)`.


# %% nbgrader={"grade_id": "encode_batch", "solution": true}
def encode_batch(texts: list[list[str]], vocab: dict[str, int], max_len: int) -> tuple[Tensor, Tensor]:
    """ids (B, T) long, filled up with 0, and mask (B, T) bool, True = a word. T = longest text after the cut."""
    ### BEGIN SOLUTION
    rows = [[vocab.get(word, 1) for word in text[:max_len]] for text in texts]
    lengths = torch.tensor([len(row) for row in rows])  # (B,)
    T = int(lengths.max())
    ids = torch.tensor([row + [0] * (T - len(row)) for row in rows])  # (B, T)
    mask = torch.arange(T) < lengths[:, None]  # (T,) against (B, 1) -> (B, T)
    return ids, mask
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_encode_batch", "grade": true, "points": 3}
VOCAB = {"<pad>": 0, "<unk>": 1, "很": 2, "干净": 3, "吵": 4}


def types(texts, vocab, max_len):
    """The dtypes of ids and mask."""
    ids, mask = encode_batch(texts, vocab, max_len)
    return [str(ids.dtype), str(mask.dtype)]


def test_encode_batch():
    """The first words are kept, unknown is 1, padding is 0 and comes last, and the mask says True on words."""
    ids, mask = [[2, 3, 0], [1, 2, 4]], [[True, True, False], [True, True, True]]
    check(encode_batch, [["很", "干净"], ["浴室", "很", "吵", "啊"]], VOCAB, 3, gives=(ids, mask))
    check(encode_batch, [["很", "干净"], ["很", "吵", "很", "干净"]], VOCAB, 8)
    check(encode_batch, [["吵"], ["干净", "很", "吵"], []], VOCAB, 2)
    check(encode_batch, [["电梯", "很", "吵"], ["浴室"]], VOCAB, 10)
    check(types, [["很", "电梯"], ["吵"]], VOCAB, 4, gives=["torch.int64", "torch.bool"])
    ### BEGIN HIDDEN TESTS
    check(encode_batch, [["很"]], VOCAB, 1, about="one word")
    check(encode_batch, [["new york", "很"]], VOCAB | {"new york": 5}, 4, about="a word with a space")
    check(encode_batch, [["啊", "啊"], []], VOCAB, 64, about="unknown words only")
    special = {"<pad>": 0, "<unk>": 1}
    check(encode_batch, [["很", "啊", "吵"], ["啊", "干净", "啊", "很"]], special, 3, about="an empty vocabulary")
    check(encode_batch, [["OK", "ok", "Ok "], ["<unk>", "OK"]], special | {"ok": 2}, 5, about="upper and lower case")
    check(types, [["啊"]], VOCAB, 1, about="dtypes")
    rng = np.random.default_rng(19)
    words = [chr(0x4E00 + i) for i in range(40)]
    vocab = {"<unk>": 1, "<pad>": 0} | {word: i for i, word in enumerate(words[::-2], start=2)}
    for B, longest, max_len in [(1, 9, 4), (5, 7, 7), (6, 20, 12), (4, 5, 64)]:
        lengths = [longest, *rng.integers(longest, size=B - 1)]
        texts = [[words[i] for i in rng.integers(40, size=length)] for length in lengths]
        check(encode_batch, texts, vocab, max_len, about=f"{B} texts of up to {longest} words, max_len = {max_len}")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `masked_mean`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# One vector for a whole review: the mean (平均池化 mean pooling) of its words' vectors. Padding must not count, neither in
# the sum nor in the number that divides it. Otherwise the same review gets another vector when a longer one joins its batch.
#
# `masked_mean(h, mask)` takes `h (B, T, D)` and a boolean `mask (B, T)`, `True` = a real word, anywhere in the row. It
# returns `(B, D)`, of the dtype of `h`, whichever that is. A row **without any real word** gives zeros, never NaN; the
# gradient of `h` there is 0, and not NaN either. The vectors under the padding are finite, and not always 0.
#
# By hand: the vectors (2, 0), (4, 2), (9, 9) with the mask `[True, True, False]` have the mean (3, 1).
#
# Hint 1 (a nudge): A mean is a sum divided by a count. Which of the two needs the mask?
#
# Hint 2 (the approach): Both. Turn the mask into numbers 0 and 1 with an axis more, multiply, sum over the words.
# Divide by the count, or by 1 where the count is 0.
#
# Hint 3 (the shapes): With a third axis, the mask is `(B, T, 1)`, and its sum over the words `(B, 1)`. A tensor's `to`
# gives it another dtype, and `clamp` keeps numbers from being too small.


# %% nbgrader={"grade_id": "masked_mean", "solution": true}
def masked_mean(h: Tensor, mask: Tensor) -> Tensor:
    """The mean over the real words: h (B, T, D), mask (B, T) -> (B, D); zeros for a row without words."""
    ### BEGIN SOLUTION
    real = mask[:, :, None].to(h.dtype)  # (B, T, 1)
    count = real.sum(dim=1).clamp(min=1)  # (B, 1)
    return (h * real).sum(dim=1) / count  # (B, D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_masked_mean", "grade": true, "points": 2}
H = torch.tensor([[[2.0, 0.0], [4.0, 2.0], [9.0, 9.0]], [[1.0, 1.0], [5.0, 7.0], [3.0, 4.0]]])


def gradient(h, mask, weights):
    """How the means, each times its weight, move with each number of h: (B, T, D)."""
    h = h.clone().requires_grad_(True)
    total = (masked_mean(h, mask) * weights).sum()
    if total.requires_grad:  # with no word anywhere, it may not hang on h at all
        total.backward()
    return torch.zeros_like(h) if h.grad is None else h.grad


def dtype(h, mask):
    """The dtype of the means."""
    return str(masked_mean(h, mask).dtype)


def test_masked_mean():
    """Padding counts neither above nor below the line, and an empty row is zero."""
    check(masked_mean, H[:1], torch.tensor([[True, True, False]]), gives=[[3.0, 1.0]])
    check(masked_mean, H, torch.tensor([[True, True, False], [True, False, False]]))
    check(masked_mean, H, torch.tensor([[True, False, True], [True, True, True]]))
    check(masked_mean, H, torch.tensor([[False, False, False], [False, True, True]]))
    check(gradient, H, torch.tensor([[True, True, False], [False, False, False]]), torch.tensor([[1.0, 2.0]]))
    check(dtype, H.double(), torch.tensor([[True, True, False], [True, False, False]]), gives="torch.float64")
    ### BEGIN HIDDEN TESTS
    check(masked_mean, H.half(), torch.tensor([[True, True, False], [False, False, False]]), about="half precision")
    check(dtype, H.half(), torch.tensor([[True, True, False], [False, False, False]]), about="half precision")
    check(dtype, H, torch.tensor([[True, True, False], [False, False, False]]), about="single precision")
    check(gradient, H, torch.zeros(2, 3, dtype=torch.bool), torch.ones(2, 2), about="no word at all")
    words = torch.tensor([[[0.0, 0.0], [4.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]])
    check(masked_mean, words, torch.ones(2, 2, dtype=torch.bool), about="a word whose vector is zero")
    large = torch.tensor([[[1e300], [0.0]]], dtype=torch.float64)
    check(masked_mean, large, torch.ones(1, 2, dtype=torch.bool), about="numbers too large for single precision")
    rng = np.random.default_rng(23)
    for B, T, D in [(1, 1, 1), (2, 5, 3), (4, 4, 4), (3, 7, 2)]:
        h = torch.tensor(rng.random((B, T, D)) * 20 - 10)
        weights = torch.tensor(rng.random((B, D)) + 1)
        for share in (0.3, 1.0):
            mask = torch.tensor(rng.random((B, T)) < share)
            check(masked_mean, h, mask, about=f"B = {B}, T = {T}, D = {D}")
            check(gradient, h, mask, weights, about=f"a gradient, B = {B}, T = {T}, D = {D}")
        check(masked_mean, h.float(), torch.zeros(B, T, dtype=torch.bool), about="no word at all")
    ### END HIDDEN TESTS


# %% [markdown]
# ## `tf_idf`
# *difficulty ●●○ · importance ●●○ · 15 min*
#
# The baseline (基线) of this chapter does not know attention. It gives each review a long row of numbers, one for each word: the
# term frequency (词频) times the inverse document frequency (逆文档频率). A word that stands in every review says little.
#
# `tf_idf(counts)` takes `counts (N, V)`, how often word `v` occurs in document `n`, and returns an array `(N, V)` of
# floats, by the formula of scikit-learn's defaults:
#
# 1. `df`, `(V,)`: in how many **documents** each word occurs at all.
# 2. $\mathrm{idf} = \ln\dfrac{1 + N}{1 + \mathrm{df}} + 1$, with the natural logarithm.
# 3. Multiply each count by its word's idf.
# 4. Divide each row by its length, the root of its sum of squares. A row of zeros stays zeros.
#
# By hand: two documents with the counts `[1, 1]` and `[2, 0]`. The first word is in both, so its idf is ln(3/3) + 1 = 1; the
# second is in one, so its idf is ln(3/2) + 1 = 1.405. The first row is (1, 1.405) divided by 1.725: (0.580, 0.815). The
# second is (2, 0) divided by 2: (1, 0).
#
# Hint 1 (a nudge): A word that occurs three times in one document is in how many documents?
#
# Hint 2 (the approach): `counts > 0` asks each cell whether the word is there. Its sum over the documents is `df`. All
# else broadcasts.
#
# Hint 3 (the shapes): `np.linalg.norm` takes an `axis`, and `keepdims` makes its answer `(N, 1)`. Divide where it is
# above 0, or by 1 where it is 0: `np.where` chooses.


# %% nbgrader={"grade_id": "tf_idf", "solution": true}
def tf_idf(counts: np.ndarray) -> np.ndarray:
    """Counts (N, V) weighted by smoothed inverse document frequency, each row of length 1 (or 0). Shape (N, V)."""
    ### BEGIN SOLUTION
    N = counts.shape[0]
    df = (counts > 0).sum(axis=0)  # (V,)
    idf = np.log((1 + N) / (1 + df)) + 1  # (V,)
    weighted = counts * idf  # (N, V)
    length = np.linalg.norm(weighted, axis=1, keepdims=True)  # (N, 1)
    return weighted / np.where(length > 0, length, 1)  # (N, V)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_tf_idf", "grade": true, "points": 2}
def test_tf_idf():
    """A word in many documents counts less, and every row that is not empty has length 1."""
    check(tf_idf, np.array([[1, 1], [2, 0]]), gives=[[0.5797, 0.8148], [1.0, 0.0]])
    check(tf_idf, np.array([[3, 0, 1], [0, 2, 1], [1, 1, 1], [0, 4, 2]]))
    check(tf_idf, np.array([[1, 2, 0], [0, 0, 0], [2, 0, 1]]))
    ### BEGIN HIDDEN TESTS
    check(tf_idf, np.array([[0, 1], [0, 2]]), about="a word that no document has")
    check(tf_idf, np.zeros((2, 3), dtype=int), about="empty documents only")
    check(tf_idf, np.array([[5]]), about="one document of one word")
    check(tf_idf, np.array([[1, 1]] + [[1, 0]] * 255), about="256 documents")
    check(tf_idf, np.array([[2, 0, 1, 7]]), about="one document")
    check(tf_idf, np.array([[1.0, 0.0, 3.0], [0.0, 0.0, 2.0]], np.float32), about="single precision")
    check(tf_idf, np.array([[1, 0, 200], [0, 0, 100]], np.uint8), about="small whole numbers")
    rng = np.random.default_rng(29)
    for N, V in [(6, 6), (8, 12), (15, 5)]:
        counts = np.floor(4 * rng.random((N, V)) ** 3)
        check(tf_idf, counts, about=f"{N} documents, {V} words")
        check(tf_idf, counts.astype(int) * 3, about=f"{N} documents, {V} words, whole numbers")
    ### END HIDDEN TESTS
