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
# are the same text with two labels: both go. `("好", 1)` and `("差", 0)` are left.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What must you know about **all** rows before you can decide whether to keep one?
#
# <details><summary>Hint 2: the approach</summary>
#
# One pass collects, for each normal form, its first text and the set of its labels. Then make one list for each label,
# shuffle it with a generator of your own, and cut it.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `first.setdefault(key, text)` keeps the first; `labels.setdefault(key, set()).add(label)` collects. Then
# `random.Random(seed).shuffle(group)`, and the slices `group[:test]`, `group[test:test + val]`, `group[test + val:]`.
#
# </details></details></details>


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
def test_clean_and_split():
    """Nothing leaks, every label has its share of every part, and the seed decides."""

    def same(text):
        return "".join(text.split()).lower()

    def check(rows, seed):
        call = f"clean_and_split of {len(rows)} rows, seed {seed}"
        parts = clean_and_split(list(rows), seed)
        assert isinstance(parts, dict) and set(parts) == {"train", "val", "test"}, (
            f"{call}: expected a dictionary with the keys train, val and test, got "
            f"{sorted(map(str, parts)) if isinstance(parts, dict) else type(parts).__name__}"
        )
        parts = {name: [(text, label) for text, label in parts[name]] for name in ("train", "val", "test")}
        labels, first = {}, {}
        for text, label in rows:
            labels.setdefault(same(text), set()).add(label)
            first.setdefault(same(text), (text, label))
        home = {}
        for name, part in parts.items():
            for text, _ in part:
                key = same(text)
                assert key in labels, f"{call}: {text!r} is none of the texts that came in"
                where = home.setdefault(key, name)
                assert where == name, (
                    f"{call}: {text!r} is in {where} and in {name}, leakage: remove duplicates before you split, and "
                    "compare the normal forms"
                )
        for name, part in parts.items():
            times = Counter(same(text) for text, _ in part)
            twice = [text for text, _ in part if times[same(text)] > 1]
            assert not twice, f"{call}: {twice[0]!r} is twice in {name}"
        for part in parts.values():
            for text, label in part:
                key = same(text)
                assert len(labels[key]) == 1, (
                    f"{call}: {text!r} comes with the labels {sorted(labels[key])}: it contradicts itself, so drop all its rows"
                )
                assert label in labels[key], f"{call}: {text!r} came with label {first[key][1]}, and left with {label}"
                if text != first[key][0]:
                    written = [t for t, _ in rows if same(t) == key]
                    assert text in written, (
                        f"{call}: expected the text as it was written, {first[key][0]!r}, got {text!r}"
                    )
                    raise AssertionError(f"{call}: of {written} keep the first, got {text!r}")
        kept = [first[key] for key in first if len(labels[key]) == 1]
        lost = [row for row in kept if same(row[0]) not in home]
        assert not lost, f"{call}: {len(lost)} of {len(kept)} clean rows are in no part, the first is {lost[0]}"
        for label in sorted({label for _, label in kept}):
            n = sum(other == label for _, other in kept)
            expected = {"train": n - n // 5 - n // 10, "val": n // 10, "test": n // 5}
            found = {name: sum(other == label for _, other in part) for name, part in parts.items()}
            if found != expected:
                sizes = sum(found.values())
                swapped = {"train": expected["train"], "val": expected["test"], "test": expected["val"]}
                assert found != swapped, f"{call}: the shares of val and test are swapped"
                total = {"train": 0, "val": 0, "test": 0}
                for other in {other for _, other in kept}:
                    m = sum(o == other for _, o in kept)
                    total["train"], total["val"] = total["train"] + m - m // 5 - m // 10, total["val"] + m // 10
                    total["test"] += m // 5
                near = all(abs(len(part) - total[name]) <= 3 for name, part in parts.items())
                hint = ": not stratified, cut each label by itself" if near else ""
                raise AssertionError(
                    f"{call}: of the {sizes} rows of label {label} expected {expected}, got {found}{hint}"
                )
        return {name: set(part) for name, part in parts.items()}

    rows = [(f"房间 {i}", 1) for i in range(60)] + [(f"Bad {i}", 0) for i in range(40)]
    rows += [(f"房间{i}", 1) for i in range(0, 60, 2)] + [(f"bad {i} ", 0) for i in range(0, 40, 3)]
    rows += [("还 行", 1), ("还 行", 1), ("还 行", 0), ("一般", 0), ("一 般", 1)]
    a, again, b = check(rows, 1), check(rows, 1), check(rows, 2)
    assert a == again, "seed 1 twice gave two splits: draw from a generator made with the seed, not from the global one"
    assert a["test"] != b["test"] or a["val"] != b["val"], "seeds 1 and 2 gave the same split: the seed is ignored"
    drawn = [text for text, label in a["test"] | b["test"] if label == 1]
    assert len(drawn) > 12, "seeds 1 and 2 drew the same test rows of label 1: shuffle before you cut"
    check([("好", 1), ("好 ", 1), ("OK", 1), ("ok", 0), ("差", 0)], 0)
    ### BEGIN HIDDEN TESTS
    rng = random.Random(7)
    for sizes in [(30, 200), (11, 9, 57), (10, 10), (0, 25)]:
        rows = [(f"{'AbC'[label]} {i}", label) for label, n in enumerate(sizes) for i in range(n)]
        rows += [(text.lower() + "\n", label) for text, label in rng.sample(rows, len(rows) // 2)]
        rows += [(f"x{i}", label) for i in range(5) for label in range(len(sizes)) for _ in range(rng.randint(1, 3))]
        rng.shuffle(rows)
        one, two = check(rows, 3), check(rows, 3)
        assert one == two, f"{len(rows)} rows: seed 3 twice gave two splits"
        others = [check(rows, seed) for seed in (4, 5)]
        assert any(other != one for other in others), f"{len(rows)} rows: seeds 3, 4 and 5 gave the same split"
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_clean_and_split()


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
# A text may contain the strings `"<pad>"` and `"<unk>"` themselves. They are no words: they are not counted, and their
# numbers stay 0 and 1.
#
# By hand: `[["干净", "很", "干净"], ["很", "好", "吵"]]` with `min_count=1`. 干净 and 很 occur twice, 吵 and 好 once. `sorted` puts
# 干净 before 很 and 吵 before 好, so the numbers are 干净 2, 很 3, 吵 4, 好 5. With `min_count=2`, only the first two are left.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two things decide the order. Can one sort key hold both, one falling and one rising?
#
# <details><summary>Hint 2: the approach</summary>
#
# Count with a `Counter`, drop the two special strings and the rare words, sort by `(-count, word)`, number from 2.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `sorted(words, key=lambda word: (-counts[word], word))`, then `enumerate(..., start=2)`.
#
# </details></details></details>


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
def test_build_vocab():
    """Specials first, rare words left out, and one order for everyone."""

    def check(texts, min_count):
        call = f"build_vocab({texts if len(str(texts)) < 120 else f'{len(texts)} texts'}, min_count={min_count})"
        vocab = build_vocab([list(text) for text in texts], min_count)
        assert isinstance(vocab, dict), f"{call}: expected a dictionary from word to number, got {type(vocab).__name__}"
        special = {"<pad>": 0, "<unk>": 1}
        counts = Counter(word for text in texts for word in text if word not in special)

        def numbered(words, start=2):
            return special | {word: i for i, word in enumerate(words, start)}

        words = [word for word, n in counts.items() if n >= min_count]
        ordered = sorted(words, key=lambda word: (-counts[word], word))
        expected = numbered(ordered)
        if vocab == expected:
            return
        for word, number in special.items():
            assert word in vocab, f"{call}: {word!r} is missing: it is number {number}"
            assert vocab[word] == number, (
                f"{call}: expected {word!r} to be {number}, got {vocab[word]}: special strings are not counted as words"
                if any(word in text for text in texts)
                else f"{call}: expected {word!r} to be {number}, got {vocab[word]}"
            )
        documents = Counter(word for text in texts for word in set(text))
        in_documents = {word for word in words if documents[word] >= min_count}
        found, wanted = set(vocab) - set(special), set(words)
        if found != wanted:
            assert found != {word for word in words if counts[word] > min_count}, (
                f"{call}: words with exactly {min_count} are left out: at least min_count means >="
            )
            assert found != set(counts), f"{call}: rare words are in: min_count is ignored"
            assert found != in_documents, f"{call}: the number of texts, not of occurrences, was counted"
            raise AssertionError(f"{call}: missing {sorted(wanted - found)[:5]}, too many {sorted(found - wanted)[:5]}")
        numbers = sorted(vocab[word] for word in found)
        assert numbers == list(range(2, len(numbers) + 2)), (
            f"{call}: expected the numbers 2 to {len(numbers) + 1} without gaps, got {numbers[:8]}: number the words "
            "after the rare and the special ones are gone"
        )
        seen = list(dict.fromkeys(word for text in texts for word in text if word in wanted))
        known = {
            "ties are in the order of first sight: equally common words go by sorted": sorted(
                seen, key=lambda word: -counts[word]
            ),
            "ties are in falling order: reverse=True turned the words round too": sorted(
                words, key=lambda word: (counts[word], word), reverse=True
            ),
            "the rarest word comes first": sorted(words, key=lambda word: (counts[word], word)),
            "the words are in the order of first sight": seen,
            "the words go by sorted alone, without their counts": sorted(words),
            "the order is by the number of texts, not of occurrences": sorted(
                words, key=lambda word: (-documents[word], word)
            ),
        }
        got = sorted(found, key=vocab.get)
        for mistake, order in known.items():
            assert order == ordered or got != order, f"{call}: {mistake}"
        a, b = next((a, b) for a, b in zip(got, ordered) if a != b)
        raise AssertionError(
            f"{call}: expected {b!r} (count {counts[b]}) as number {expected[b]}, got {a!r} (count {counts[a]}): is the order "
            "that of a set? It must be the same on every run"
        )

    check([["干净", "很", "干净"], ["很", "好", "吵"]], 1)
    check([["干净", "很", "干净"], ["很", "好", "吵"]], 2)
    check([["b", "b", "b", "a"], ["c", "d", "d"], ["d", "c", "f", "e", "e", "a"]], 2)
    check([["很", "好", "<unk>", "<unk>"], ["<pad>", "<unk>", "好", "好", "<pad>"]], 1)
    check([["x", "x", "x", "y"], ["y", "z"], ["y", "z"], ["q"]], 3)
    ### BEGIN HIDDEN TESTS
    check([], 1)
    check([[], ["<pad>"]], 1)
    rng = random.Random(11)
    letters = list("的了是很好不房间酒店干净吵ABCabc012，。")
    for size, min_count in [(3, 1), (20, 2), (60, 5), (60, 1), (5, 50)]:
        texts = [rng.choices(letters, k=rng.randint(0, 12)) for _ in range(size)]
        check(texts, min_count)
        check([[text[i] + text[i + 1] for i in range(len(text) - 1)] for text in texts], min_count)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_build_vocab()


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
# word.
#
# By hand, with 很 = 2, 干净 = 3, 吵 = 4 and `max_len=3`: `[["很", "干净"], ["浴室", "很", "吵", "啊"]]` gives
# `ids = [[2, 3, 0], [1, 2, 4]]` and `mask = [[True, True, False], [True, True, True]]`.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which comes first: finding the longest text, or cutting?
#
# <details><summary>Hint 2: the approach</summary>
#
# Cut every text, take the largest length, fill each row with zeros. The mask comes from the lengths.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `vocab.get(word, 1)` for a word; `row + [0] * (T - len(row))` for a row; and
# `torch.arange(T) < lengths[:, None]` is `(T,)` against `(B, 1)`, so `(B, T)`.
#
# </details></details></details>


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
def test_encode_batch():
    """The first words are kept, unknown is 1, padding is 0 and comes last, and the mask says True on words."""

    def check(texts, vocab, max_len):
        small = f"{texts}, vocab of {len(vocab)}" if len(str(texts)) < 120 else f"{len(texts)} texts"
        call = f"encode_batch({small}, max_len={max_len})"
        try:
            got = encode_batch([list(text) for text in texts], dict(vocab), max_len)
        except KeyError as error:
            raise AssertionError(f"{call}: KeyError {error}: a word that the vocabulary does not know is 1") from None
        assert isinstance(got, (tuple, list)) and len(got) == 2, f"{call}: expected the pair (ids, mask)"
        ids, mask = got
        for name, tensor in (("ids", ids), ("mask", mask)):
            assert isinstance(tensor, torch.Tensor), (
                f"{call}: expected a tensor for {name}, got {type(tensor).__name__}"
            )
        T, B = max(len(text[:max_len]) for text in texts), len(texts)
        longest = max(map(len, texts))
        if ids.shape != (B, T):
            assert ids.shape != (B, longest), f"{call}: T is {longest}: nothing was cut, or only after the filling up"
            assert ids.shape != (B, max_len), (
                f"{call}: T is max_len, {max_len}: expected {T}, the length of the longest text after the cut"
            )
            raise AssertionError(f"{call}: expected ids of shape {(B, T)}, got {tuple(ids.shape)}")
        assert mask.shape == (B, T), f"{call}: expected a mask of shape {(B, T)}, got {tuple(mask.shape)}"
        assert ids.dtype == torch.long, f"{call}: expected ids of dtype torch.long, got {ids.dtype}"

        def rows(keep, unknown=1, pad=0, left=False, numbers=vocab):
            made = []
            for text in texts:
                row = [numbers.get(word, unknown) for word in keep(text)]
                fill = [pad] * (T - len(row))
                made.append(fill + row if left else row + fill)
            return made

        def beginning(text):
            return text[:max_len]

        def ending(text):
            return text[-max_len:]

        grown = dict(vocab)
        for text in texts:
            for word in text:
                grown.setdefault(word, len(grown))
        known_only = [[vocab[word] for word in text if word in vocab][:max_len] for text in texts]
        expected, found = rows(beginning), ids.tolist()
        if found != expected:
            known = {
                "the end of a long text was kept: keep its first max_len words": rows(ending),
                "the padding is 1, the number of unknown words: it is 0": rows(beginning, pad=1),
                "the padding is -1: it is 0": rows(beginning, pad=-1),
                "a word that is not known became 0, which is padding: it is 1": rows(beginning, unknown=0),
                "the padding is on the left: it comes after the words": rows(beginning, left=True),
                "unknown words got numbers of their own: the vocabulary must not grow, they are all 1": rows(
                    beginning, numbers=grown
                ),
                "unknown words were dropped: they are 1": [row + [0] * (T - len(row)) for row in known_only],
                "unknown words were dropped after the cut: they are 1": [
                    row + [0] * (T - len(row))
                    for row in ([vocab[word] for word in text[:max_len] if word in vocab] for text in texts)
                ],
            }
            for mistake, wrong in known.items():
                assert wrong == expected or found != wrong, f"{call}: {mistake}"
            raise AssertionError(f"{call}: expected ids {expected}, got {found}")
        real = [[i < len(text[:max_len]) for i in range(T)] for text in texts]
        if mask.tolist() != real or mask.dtype != torch.bool:
            flags = mask.bool().tolist()
            assert flags != [[not flag for flag in row] for row in real], (
                f"{call}: the mask is inverted: True must mean a real word"
            )
            assert flags == real or flags != [[number > 1 for number in row] for row in expected], (
                f"{call}: unknown words are masked: they are real words, only their number is 1"
            )
            assert flags == real or not all(map(all, flags)), f"{call}: the mask is True everywhere, on padding too"
            assert flags == real, f"{call}: expected the mask {real}, got {flags}"
            raise AssertionError(f"{call}: expected a mask of dtype torch.bool, got {mask.dtype}")

    vocab = {"<pad>": 0, "<unk>": 1, "很": 2, "干净": 3, "吵": 4}
    check([["很", "干净"], ["很", "吵", "很", "干净"]], vocab, 8)
    check([["很", "干净"], ["浴室", "很", "吵", "啊"]], vocab, 3)
    check([["吵"], ["干净", "很", "吵"], []], vocab, 2)
    check([["电梯", "很", "吵"], ["浴室"]], vocab, 10)
    ### BEGIN HIDDEN TESTS
    rng = random.Random(19)
    words = [chr(0x4E00 + i) for i in range(40)]
    for B, longest, max_len in [(1, 1, 1), (1, 9, 4), (5, 7, 7), (8, 30, 12), (6, 5, 64)]:
        order = rng.sample(words, 25)
        vocab = {"<pad>": 0, "<unk>": 1} | {word: i for i, word in enumerate(order, start=2)}
        for _ in range(3):
            texts = [rng.choices(words, k=rng.randint(0, longest)) for _ in range(B)]
            texts[rng.randrange(B)] = rng.choices(words, k=longest)
            check(texts, vocab, max_len)
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_encode_batch()


# %% [markdown]
# ## `masked_mean`
# *difficulty ●○○ · importance ●●● · 10 min*
#
# One vector for a whole review: the mean (平均池化 mean pooling) of its words' vectors. Padding must not count, neither in
# the sum nor in the number that divides it. Otherwise the same review gets another vector when a longer one joins its batch.
#
# `masked_mean(h, mask)` takes `h (B, T, D)` and a boolean `mask (B, T)`, `True` = a real word, anywhere in the row. It
# returns `(B, D)`, of the dtype of `h`. A row **without any real word** gives zeros, never NaN; and no gradient of `h` is NaN
# either. The vectors under the padding are finite, and not always 0.
#
# By hand: the vectors (2, 0), (4, 2), (9, 9) with the mask `[True, True, False]` have the mean (3, 1).
#
# <details><summary>Hint 1: a nudge</summary>
#
# A mean is a sum divided by a count. Which of the two needs the mask?
#
# <details><summary>Hint 2: the approach</summary>
#
# Both. Turn the mask into numbers 0 and 1 with an axis more, multiply, sum over the words. Divide by the count, or by 1
# where the count is 0.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `mask[:, :, None].to(h.dtype)` is `(B, T, 1)`; its sum over `dim=1` is `(B, 1)`; `.clamp(min=1)` keeps it from being 0.
#
# </details></details></details>


# %% nbgrader={"grade_id": "masked_mean", "solution": true}
def masked_mean(h: Tensor, mask: Tensor) -> Tensor:
    """The mean over the real words: h (B, T, D), mask (B, T) -> (B, D); zeros for a row without words."""
    ### BEGIN SOLUTION
    real = mask[:, :, None].to(h.dtype)  # (B, T, 1)
    count = real.sum(dim=1).clamp(min=1)  # (B, 1)
    return (h * real).sum(dim=1) / count  # (B, D)
    ### END SOLUTION


# %% nbgrader={"grade_id": "test_masked_mean", "grade": true, "points": 2}
def test_masked_mean():
    """Padding counts neither above nor below the line, and an empty row is zero."""

    def check(h, mask):
        call = (
            f"masked_mean of h {tuple(h.shape)}, mask {mask.int().tolist() if mask.numel() < 20 else tuple(mask.shape)}"
        )
        try:
            got = masked_mean(h.clone(), mask.clone())
        except (RuntimeError, IndexError) as error:
            raise AssertionError(f"{call}: the shapes do not fit ({error}): the mask needs a third axis") from None
        B, T, D = h.shape
        assert isinstance(got, torch.Tensor), f"{call}: expected a tensor, got {type(got).__name__}"
        assert got.shape == (B, D), f"{call}: expected the shape {(B, D)}, got {tuple(got.shape)}"
        real = mask[:, :, None].to(h.dtype)
        count, total = real.sum(1), (h * real).sum(1)
        expected = total / count.clamp(min=1)

        def close(a, b):
            return torch.allclose(a, b.to(a.dtype), rtol=1e-4, atol=1e-5, equal_nan=True)

        if not close(got, expected):
            empty = count[:, 0] == 0
            assert not got[empty].isnan().any(), f"{call}: NaN for a row without words, which is 0/0: expected zeros"
            known = {
                "the sum was divided by T: divide by the number of real words": total / T,
                "that is the mean over all of T, padding too: the mask is ignored": h.mean(1),
                "the mask is inverted: True is a real word": (h * (1 - real)).sum(1) / (T - count).clamp(min=1),
                "that is the sum: divide by the number of real words": total,
                "the padding is in the sum: mask before you add": h.sum(1) / count.clamp(min=1),
                "1 was added to every count: only a count of 0 needs help": total / (count + 1),
                "the first word was taken, not the mean": h[:, 0],
                "that is the maximum, not the mean": (h * real).max(1).values,
                "that is the mean over the whole batch": total.sum(0) / count.sum().clamp(min=1) + 0 * total,
                "a row without words got its mean over the padding: expected zeros": torch.where(
                    count == 0, h.mean(1), expected
                ),
            }
            for mistake, wrong in known.items():
                assert close(wrong, expected) or not close(got, wrong), f"{call}: {mistake}"
            raise AssertionError(f"{call}: expected\n{expected}\ngot\n{got}")
        assert got.dtype == h.dtype, f"{call}: expected the dtype of h, {h.dtype}, got {got.dtype}"

    def gradient(h, mask):
        h = h.clone().requires_grad_(True)
        ask = torch.arange(1, h[:, 0].numel() + 1, dtype=h.dtype).reshape(h[:, 0].shape)  # (B, D)
        (masked_mean(h, mask) * ask).sum().backward()
        assert h.grad is not None, "no gradient flows to h"
        real = mask[:, :, None].to(h.dtype)
        expected = real / real.sum(1, keepdim=True).clamp(min=1) * ask[:, None]  # (B, T, D)
        assert not h.grad.isnan().any(), (
            "the gradient is NaN: 0/0 was computed and only then replaced; keep the count from being 0 instead"
        )
        assert torch.allclose(h.grad, expected, rtol=1e-4, atol=1e-5), (
            f"expected the gradient\n{expected}\ngot\n{h.grad}"
        )

    h = torch.tensor([[[2.0, 0.0], [4.0, 2.0], [9.0, 9.0]], [[1.0, 1.0], [5.0, 7.0], [3.0, 4.0]]])
    check(h, torch.tensor([[True, True, False], [True, False, False]]))
    check(h, torch.tensor([[True, False, True], [True, True, True]]))
    check(h, torch.tensor([[False, False, False], [False, True, True]]))
    gradient(h, torch.tensor([[True, True, False], [False, False, False]]))
    ### BEGIN HIDDEN TESTS
    made = torch.Generator().manual_seed(23)
    for B, T, D in [(1, 1, 1), (2, 5, 3), (4, 4, 4), (3, 7, 2)]:
        h = torch.randn(B, T, D, generator=made, dtype=torch.float64) * 5
        for share in (0.2, 0.6, 1.0):
            mask = torch.rand(B, T, generator=made) < share
            check(h, mask)
            check(h.float(), mask)
            gradient(h, mask)
        check(h, torch.zeros(B, T, dtype=torch.bool))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_masked_mean()


# %% [markdown]
# ## `tf_idf`
# *difficulty ●●○ · importance ●●○ · 15 min*
#
# The baseline (基线) of this chapter does not know attention. It gives each review a long row of numbers, one a word: the
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
# <details><summary>Hint 1: a nudge</summary>
#
# A word that occurs three times in one document is in how many documents?
#
# <details><summary>Hint 2: the approach</summary>
#
# `counts > 0` asks each cell whether the word is there. Its sum over the documents is `df`. All else broadcasts.
#
# <details><summary>Hint 3: nearly the code</summary>
#
# `np.linalg.norm(weighted, axis=1, keepdims=True)` is `(N, 1)`. Divide where it is above 0, or by 1 where it is 0.
#
# </details></details></details>


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

    def check(counts):
        shown = counts.tolist() if counts.size < 13 else f"counts of shape {counts.shape}"
        call = f"tf_idf({shown})"
        try:
            with np.errstate(all="ignore"):
                got = np.asarray(tf_idf(counts.copy()))
        except (ValueError, IndexError) as error:
            raise AssertionError(f"{call}: the shapes do not fit ({error}): idf is (V,), the lengths (N, 1)") from None
        N, V = counts.shape
        assert got.shape == (N, V), f"{call}: expected the shape {(N, V)}, got {got.shape}"

        def unit(rows, order=2):
            length = np.linalg.norm(rows, ord=order, axis=1, keepdims=True)
            return rows / np.where(length > 0, length, 1)

        def close(a, b):
            return np.allclose(a, b, rtol=1e-4, atol=1e-6)

        df = (counts > 0).sum(0)
        idf = np.log((1 + N) / (1 + df)) + 1
        expected = unit(counts * idf)
        if close(got, expected):
            return
        empty = counts.sum(1) == 0
        assert np.isfinite(got[empty]).all(), f"{call}: NaN in an empty document, whose length is 0: expected zeros"
        with np.errstate(all="ignore"):
            known = {
                "df counts occurrences: count the documents that have the word": unit(
                    counts * (np.log((1 + N) / (1 + counts.sum(0))) + 1)
                ),
                "the two 1s inside the logarithm are missing": unit(counts * (np.log(N / df) + 1)),
                "the 1 after the logarithm is missing": unit(counts * np.log((1 + N) / (1 + df))),
                "the plain ln(N / df) was used": unit(counts * np.log(N / df)),
                "the logarithm is not the natural one": unit(counts * (np.log10((1 + N) / (1 + df)) + 1)),
                "the logarithm has base 2: it is the natural one": unit(counts * (np.log2((1 + N) / (1 + df)) + 1)),
                "the rows have sum 1: divide by the root of the sum of squares": unit(counts * idf, order=1),
                "the rows were not divided by their lengths": counts * idf,
                "the columns were divided by their lengths: do the rows": unit((counts * idf).T).T,
                "the counts were divided before they were weighted: the rows have lengths other than 1": unit(counts)
                * idf,
                "a word counts once a document: its number of occurrences is lost": unit((counts > 0) * idf),
                "that is the frequency without its weights: idf is missing": unit(counts),
                "the fraction is upside down: frequent words got more weight": unit(
                    counts * (np.log((1 + df) / (1 + N)) + 1)
                ),
            }
            for mistake, wrong in known.items():
                if np.isfinite(wrong).all() and not close(wrong, expected):
                    assert not close(got, wrong), f"{call}: {mistake}"
        raise AssertionError(f"{call}: expected\n{expected}\ngot\n{got}")

    check(np.array([[1, 1], [2, 0]]))
    check(np.array([[3, 0, 1], [0, 2, 1], [1, 1, 1], [0, 4, 2]]))
    check(np.array([[1, 2, 0], [0, 0, 0], [2, 0, 1]]))
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(29)
    for N, V in [(1, 1), (1, 5), (6, 6), (8, 20), (30, 7)]:
        check(rng.poisson(0.7, size=(N, V)))
        check(rng.poisson(3.0, size=(N, V)).astype(float))
    check(np.array([[0, 1], [0, 2]]))
    check(np.zeros((2, 3), dtype=int))
    ### END HIDDEN TESTS


if __name__ == "__main__":
    test_tf_idf()
