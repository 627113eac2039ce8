"""Wrong solutions of the classification chapter by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

import copy
import math
import random
from collections import Counter

import numpy as np
import torch
from scipy import stats
from torch import nn

from autograder.course.bank import edit, right, wrong

# The notebook `data`


@wrong("clean_and_split")
def split_rows_as_they_come(rows, seed):
    """Nothing is cleaned: a text that comes twice may end up in the training part and in the test part. Clean first."""
    rows = list(rows)
    random.Random(seed).shuffle(rows)
    test, val = len(rows) // 5, len(rows) // 10
    return {"test": rows[:test], "val": rows[test : test + val], "train": rows[test + val :]}


@wrong("clean_and_split")
def split_then_clean_each_part(rows, seed):
    """Each part is cleaned by itself, after the split: the same text is still in two parts. Clean all rows first."""
    rows = list(rows)
    random.Random(seed).shuffle(rows)
    test, val = len(rows) // 5, len(rows) // 10
    parts = {"test": rows[:test], "val": rows[test : test + val], "train": rows[test + val :]}
    return {name: list({normal(text): (text, label) for text, label in part}.values()) for name, part in parts.items()}


split_exact_duplicates_only = edit(
    "clean_and_split",
    "Only texts that are equal sign by sign count as the same. Compare their normal forms: without white space, in "
    "lower "
    "case.",
    ("first.setdefault(normal(text), text)", "first.setdefault(text, text)"),
    ("labels.setdefault(normal(text), set())", "labels.setdefault(text, set())"),
)
split_ends_stripped_only = edit(
    "clean_and_split",
    "White space is taken off the ends only. Two texts are the same without any white space, in the middle, too.",
    ("first.setdefault(normal(text), text)", "first.setdefault(text.strip().lower(), text)"),
    ("labels.setdefault(normal(text), set())", "labels.setdefault(text.strip().lower(), set())"),
)
split_by_case = edit(
    "clean_and_split",
    "Capital and small letters keep two texts apart. Compare them in lower case.",
    ("first.setdefault(normal(text), text)", 'first.setdefault("".join(text.split()), text)'),
    ("labels.setdefault(normal(text), set())", 'labels.setdefault("".join(text.split()), set())'),
)
split_keeps_duplicates = edit(
    "clean_and_split",
    "The contradictions are gone, and texts that come twice are still there: of those that are the same, keep one.",
    ("first, labels = {}, {}\n    for text, label in rows:", "first, labels = [], {}\n    for text, label in rows:"),
    ("first.setdefault(normal(text), text)", "first.append((normal(text), text))"),
    ("in first.items()", "in first"),
)
split_duplicates_all_dropped = edit(
    "clean_and_split",
    "A text that comes more than once is dropped altogether. Drop it only where its labels differ; else keep the "
    "first.",
    ("first.setdefault(normal(text), text)", "first[normal(text)] = None if normal(text) in first else text"),
    ("if len(labels[key]) == 1:", "if text is not None and len(labels[key]) == 1:"),
)


@wrong("clean_and_split")
def split_without_strata(rows, seed):
    """All labels are shuffled and cut together, so that a label may have more than its share of a part. Cut each by
    itself."""
    first, labels = {}, {}
    for text, label in rows:
        first.setdefault(normal(text), text)
        labels.setdefault(normal(text), set()).add(label)
    clean = [(text, *labels[key]) for key, text in first.items() if len(labels[key]) == 1]
    random.Random(seed).shuffle(clean)
    test, val = len(clean) // 5, len(clean) // 10
    return {"test": clean[:test], "val": clean[test : test + val], "train": clean[test + val :]}


split_first_label_wins = edit(
    "clean_and_split",
    "A text that contradicts itself is still there, with one of its labels. Nobody knows which is right: drop all "
    "its rows.",
    (
        "if len(labels[key]) == 1:\n            (label,) = labels[key]\n            groups",
        "label = next(l for t, l in rows if normal(t) == key)\n        if label is not None:\n            groups",
    ),
)
split_last_label_wins = edit(
    "clean_and_split",
    "A text with two labels has kept its last one. Nobody knows which is right: drop all its rows.",
    ("labels.setdefault(normal(text), set()).add(label)", "labels[normal(text)] = {label}"),
)
split_commonest_label_wins = edit(
    "clean_and_split",
    "A text with two labels has kept its commonest one. The contract takes no vote: drop all its rows.",
    ("labels.setdefault(normal(text), set()).add(label)", "labels.setdefault(normal(text), []).append(label)"),
    (
        "if len(labels[key]) == 1:\n            (label,) = labels[key]",
        "if (votes := Counter(labels[key]).most_common()) and "
        "votes[0][1] not in [n for _, n in votes[1:]]:\n            label = votes[0][0]",
    ),
)
split_with_one_seed = edit(
    "clean_and_split",
    "Another seed gives the same parts. Make a generator with the seed, and shuffle each label's rows with it before "
    "you cut.",
    ("random.Random(seed)", "random.Random(42)"),
)
split_without_shuffling = edit(
    "clean_and_split",
    "Another seed gives the same parts. Make a generator with the seed, and shuffle each label's rows with it before "
    "you cut.",
    ("rng.shuffle(group)", "pass"),
)
split_with_the_global_generator = edit(
    "clean_and_split",
    "The same seed gives two splits: the rows are drawn from the global generator, which does not know the seed. "
    "Make one "
    "of your own with it.",
    ("rng.shuffle(group)", "random.shuffle(group)"),
)
split_shuffled_within_parts = edit(
    "clean_and_split",
    "Another seed gives the same parts. Make a generator with the seed, and shuffle each label's rows with it before "
    "you cut.",
    ("rng.shuffle(group)", "pass"),
    ("return parts", "for part in parts.values():\n        rng.shuffle(part)\n    return parts"),
)
split_normal_forms = edit(
    "clean_and_split",
    "The normal forms came back. They are for comparing only: keep each text as it was written.",
    (".append((text, label))", ".append((key, label))"),
)
split_keeps_the_last = edit(
    "clean_and_split",
    "Of texts that are the same the last was kept: a dictionary that is written again holds the newest. Keep the "
    "first.",
    ("first.setdefault(normal(text), text)", "first[normal(text)] = text"),
)
split_both_labels_kept = edit(
    "clean_and_split",
    "A text that comes with two labels is there twice, once with each. It contradicts itself: drop all its rows.",
    ("        if len(labels[key]) == 1:\n            (label,) = labels[key]\n", "        for label in labels[key]:\n"),
)
split_third_time_back = edit(
    "clean_and_split",
    "A text was dropped when its second label came, and was back with the next row. Know all rows before you decide "
    "on one.",
    (
        "labels.setdefault(normal(text), set()).add(label)",
        "labels[normal(text)] = {*labels.get(normal(text), ()), label} if "
        "len(labels.get(normal(text), ())) < 2 else {label}",
    ),
)
split_as_large_as_the_test_part = edit(
    "clean_and_split",
    "The validation part is as large as the test part. It is a tenth of a label's rows, not a fifth.",
    ("len(group) // 5, len(group) // 10", "len(group) // 5, len(group) // 5"),
)
split_without_a_dictionary = edit(
    "clean_and_split",
    "The three parts came back in a tuple or a list: return a dictionary with the keys train, val and test.",
    ("return parts", "return tuple(parts.values())"),
)
split_val_and_test_swapped = edit(
    "clean_and_split",
    "The shares of the test and the validation part are swapped: a fifth is for the test, a tenth for validation.",
    ("len(group) // 5, len(group) // 10", "len(group) // 10, len(group) // 5"),
)
split_val_of_the_rest = edit(
    "clean_and_split",
    "The validation part is a tenth of what the test part has left over. It is a tenth of all clean rows of a label.",
    ("len(group) // 5, len(group) // 10", "len(group) // 5, (len(group) - len(group) // 5) // 10"),
)
split_val_rounded = edit(
    "clean_and_split",
    "The size of the validation part is rounded to the nearest whole number: `//` rounds down.",
    ("len(group) // 10", "round(len(group) / 10)"),
)
split_rounded = edit(
    "clean_and_split",
    "The sizes of the parts are rounded to the nearest whole number: `//` rounds down, and the rest goes into "
    "training.",
    ("len(group) // 5, len(group) // 10", "round(len(group) * 0.2), round(len(group) * 0.1)"),
)
split_rounded_up = edit(
    "clean_and_split",
    "The sizes of the parts are rounded up: `//` rounds down, and the rest goes into training.",
    ("len(group) // 5, len(group) // 10", "-(-len(group) // 5), -(-len(group) // 10)"),
)
split_without_validation = edit(
    "clean_and_split",
    "The rows of the validation part are in the training part as well: the training part begins after both others.",
    ("group[test + val :]", "group[test:]"),
)
split_two_labels_only = edit(
    "clean_and_split",
    "Only the labels 0 and 1 are split, and there may be others: take the labels from the rows.",
    ("for group in groups.values():", "for group in [groups.get(0, []), groups.get(1, [])]:"),
    hidden=True,
)
split_texts_only = edit(
    "clean_and_split",
    "Texts came back without their labels: each part holds pairs of text and label.",
    ('parts["test"] += group[:test]', 'group = [text for text, _ in group]\n        parts["test"] += group[:test]'),
)


@right("clean_and_split")
def split_by_hashes(rows, seed):
    """The lot is a hash of seed and text, so that the order of the rows does not matter."""
    import hashlib

    seen = {}
    for text, label in rows:
        seen.setdefault(normal(text), []).append((text, label))
    clean = [same[0] for same in seen.values() if len({label for _, label in same}) == 1]
    parts = {"train": [], "val": [], "test": []}
    for label in {label for _, label in clean}:
        group = [row for row in clean if row[1] == label]
        group.sort(key=lambda row: hashlib.sha256(f"{seed}/{row[0]}".encode()).hexdigest())
        n = len(group)
        parts["val"] += group[: n // 10]
        parts["train"] += group[n // 10 : n - n // 5]
        parts["test"] += group[n - n // 5 :]
    return parts


@right("clean_and_split")
def split_by_numpy(rows, seed):
    """A permutation of NumPy; contradictions are found first; rows come back as lists."""
    keys = [normal(text) for text, _ in rows]
    pairs = {(key, label) for key, (_, label) in zip(keys, rows)}
    doubtful = {key for key, n in Counter(key for key, _ in pairs).items() if n > 1}
    clean = [rows[i] for i, key in enumerate(keys) if key not in doubtful and keys.index(key) == i]
    rng = np.random.default_rng(seed)
    train, val, test = [], [], []
    for label in sorted({label for _, label in clean}):
        group = [list(row) for row in clean if row[1] == label]
        order = rng.permutation(len(group))
        for place, i in enumerate(order):
            n = len(group)
            (test if place < n // 5 else val if place < n // 5 + n // 10 else train).append(group[i])
    return {"train": train, "val": val, "test": test}


split_by_the_seeded_global_generator = edit(
    "clean_and_split",
    "The global generator, once it has the seed.",
    ("rng = random.Random(seed)", "random.seed(seed)"),
    ("rng.shuffle(group)", "random.shuffle(group)"),
    right=True,
)

# --- build_vocab ---

vocab_ties_by_first_sight = edit(
    "build_vocab",
    "Equally common words are in the order in which they were met. They go by Python's `sorted`.",
    ("sorted(words, key=lambda word: (-counts[word], word))", "sorted(words, key=lambda word: -counts[word])"),
)
vocab_sorted_in_reverse = edit(
    "build_vocab",
    "Equally common words are in falling order: `reverse=True` turns the words round as well as the counts.",
    ("key=lambda word: (-counts[word], word))", "key=lambda word: (counts[word], word), reverse=True)"),
)
vocab_above_min_count = edit(
    "build_vocab",
    "Words that occur exactly `min_count` times are left out. At least means that they belong to the vocabulary.",
    ("n >= min_count", "n > min_count"),
)
vocab_counts_the_specials = edit(
    "build_vocab",
    "`<pad>` and `<unk>` in a text were counted as words and have new numbers. Theirs stay 0 and 1.",
    (" and word not in vocab", ""),
)
vocab_gaps_for_the_specials = edit(
    "build_vocab",
    "There are gaps among the numbers, where `<pad>` and `<unk>` stood as words. Number the words once they are gone.",
    (" and word not in vocab", ""),
    ("return vocab", 'vocab.update({"<pad>": 0, "<unk>": 1})\n    return vocab'),
)
vocab_counts_texts = edit(
    "build_vocab",
    "Each text counts a word once. It is the occurrences that count, in all texts together.",
    ("for word in text)", "for word in set(text))"),
)
vocab_without_specials = edit(
    "build_vocab",
    "The two special strings are not in the dictionary: `<pad>` is 0 and `<unk>` is 1.",
    ("return vocab", "return {word: number for word, number in vocab.items() if number > 1}"),
)
vocab_specials_swapped = edit(
    "build_vocab",
    "The two special strings are swapped: `<pad>` is 0 and `<unk>` is 1.",
    ('{"<pad>": 0, "<unk>": 1}', '{"<unk>": 0, "<pad>": 1}'),
)
vocab_of_everything = edit(
    "build_vocab",
    "Rare words are in: those that occur less than `min_count` times are left out.",
    ("if n >= min_count and word not in vocab", "if word not in vocab"),
)
vocab_rarest_first = edit(
    "build_vocab",
    "The rarest word comes first. The commonest does: which sign turns the order of the counts round, and not the "
    "words?",
    ("(-counts[word], word)", "(counts[word], word)"),
)
vocab_by_words_alone = edit(
    "build_vocab",
    "The words go by `sorted` alone: the commonest comes first, whatever it is called.",
    ("sorted(words, key=lambda word: (-counts[word], word))", "sorted(words)"),
)
vocab_by_first_sight_alone = edit(
    "build_vocab",
    "The words are in the order in which they were met: the commonest comes first.",
    ("sorted(words, key=lambda word: (-counts[word], word))", "words"),
)
vocab_from_zero = edit(
    "build_vocab",
    "The words are numbered from 0, which `<pad>` has: the first of them is 2.",
    ("start=2", "start=0"),
)
vocab_from_one = edit(
    "build_vocab",
    "The words are numbered from 1, which `<unk>` has: the first of them is 2.",
    ("start=2", "start=1"),
)
vocab_by_most_common = edit(
    "build_vocab",
    "`most_common` leaves ties in the order in which they were met, and counts `<pad>` and `<unk>` as words. Neither "
    "is wanted.",
    (" and word not in vocab", ""),
    ("sorted(words, key=lambda word: (-counts[word], word))", "sorted(words, key=lambda word: -counts[word])"),
)
vocab_without_angles = edit(
    "build_vocab",
    "Other words that look special were left out. Only the two strings `<pad>` and `<unk>` themselves are no words.",
    ("word not in vocab]", 'not word.startswith("<")]'),
    hidden=True,
)
vocab_is_a_list = edit(
    "build_vocab",
    "A list of words came back: return a dictionary from word to number.",
    ("return vocab", "return list(vocab)"),
)
vocab_turned_round = edit(
    "build_vocab",
    "The dictionary leads from number to word. It is turned round: from word to number.",
    ("return vocab", "return {number: word for word, number in vocab.items()}"),
)
vocab_in_lower_case = edit(
    "build_vocab",
    "The words were put into lower case. They are taken as they stand: `OK` and `ok` are two.",
    ("Counter(word for text", "Counter(word.lower() for text"),
    hidden=True,
)
vocab_of_counts = edit(
    "build_vocab",
    "These are the words' counts: the dictionary holds their numbers, one after the other from 2.",
    ("vocab[word] = number", "vocab[word] = counts[word]"),
)


@right("build_vocab")
def vocab_by_two_sorts(texts, min_count):
    """Sorts by word, and then by count, which keeps the order of ties."""
    counts = {}
    for text in texts:
        for word in text:
            counts[word] = counts.get(word, 0) + 1
    counts.pop("<pad>", None)
    counts.pop("<unk>", None)
    kept = sorted(word for word in counts if counts[word] >= min_count)
    kept.sort(key=counts.get, reverse=True)
    return dict(zip(["<pad>", "<unk>", *kept], range(len(kept) + 2)))


@right("build_vocab")
def vocab_by_buckets(texts, min_count):
    """One bucket for each count, from the fullest down."""
    counts = Counter()
    for text in texts:
        counts.update(word for word in text if not (word == "<pad>" or word == "<unk>"))
    buckets = {}
    for word, n in counts.items():
        buckets.setdefault(n, []).append(word)
    vocab = {"<unk>": 1, "<pad>": 0}
    for n in sorted(buckets, reverse=True):
        for word in sorted(buckets[n]) if n >= min_count else ():
            vocab[word] = len(vocab)
    return vocab


# --- encode_batch ---

encode_keeps_the_end = edit(
    "encode_batch",
    "The end of a long text was kept: a text that is too long keeps its first `max_len` words.",
    ("text[:max_len]", "text[-max_len:]"),
)
encode_mask_of_the_padding = edit(
    "encode_batch",
    "The mask is inverted: here, True stands on a word, not on padding.",
    ("torch.arange(T) < lengths", "torch.arange(T) >= lengths"),
)
encode_pads_with_unknown = edit(
    "encode_batch",
    "The padding is 1, the number of unknown words. Rows are filled up with 0.",
    ("[0] * (T", "[1] * (T"),
)
encode_pads_with_minus_one = edit(
    "encode_batch",
    "The padding is −1. Rows are filled up with 0, the number of `<pad>`.",
    ("[0] * (T", "[-1] * (T"),
)
encode_unknown_is_padding = edit(
    "encode_batch",
    "A word that is not known became 0, as if it were padding. It is 1: a word stands there, only nobody knows which.",
    ("vocab.get(word, 1)", "vocab.get(word, 0)"),
)
encode_unknown_becomes_padding = edit(
    "encode_batch",
    "A word that is not known became 0, and the mask hides it like padding. Its number is 1, and it is a real word.",
    ("vocab.get(word, 1)", "vocab.get(word, 0)"),
    ("torch.arange(T) < lengths[:, None]", "ids != 0"),
)
encode_always_max_len = edit(
    "encode_batch",
    "Every batch is `max_len` wide. T is the length of the longest text after the cut, which may be less.",
    ("T = int(lengths.max())", "T = max_len"),
)
encode_never_cut = edit(
    "encode_batch",
    "Long texts are not cut: each keeps its first `max_len` words.",
    ("text[:max_len]", "text"),
)
encode_cut_too_late = edit(
    "encode_batch",
    "T is the length of the longest text before the cut: cut first, and measure after.",
    ("T = int(lengths.max())", "T = max(map(len, texts))"),
)
encode_grows_the_vocabulary = edit(
    "encode_batch",
    "Words that are not known have entered the vocabulary, as if the test part had been there when it was built. "
    "They are 1.",
    ("vocab.get(word, 1)", "vocab.setdefault(word, len(vocab))"),
)
encode_numbers_of_their_own = edit(
    "encode_batch",
    "Words that are not known have got numbers of their own, which no model was trained on. They are all 1.",
    ("rows = [[vocab", "vocab = dict(vocab)\n    rows = [[vocab"),
    ("vocab.get(word, 1)", "vocab.setdefault(word, len(vocab))"),
)
encode_unknown_beyond_the_vocabulary = edit(
    "encode_batch",
    "A word that is not known has got a number beyond the vocabulary. It is 1.",
    ("vocab.get(word, 1)", "vocab.get(word, len(vocab))"),
)
encode_mask_first = edit(
    "encode_batch",
    "The pair is swapped: the ids come first, the mask second.",
    ("return ids, mask", "return mask, ids"),
)
encode_words_first = edit(
    "encode_batch",
    "The axes are swapped: a text is a row, and `pad_sequence` makes it a column unless it is told otherwise.",
    ("return ids, mask", "return ids.T, mask.T"),
)
encode_drops_unknown_words = edit(
    "encode_batch",
    "Words that are not known are dropped after the cut. They keep their place, with the number 1.",
    ("vocab.get(word, 1) for word in text[:max_len]", "vocab[word] for word in text[:max_len] if word in vocab"),
)
encode_drops_unknown_words_first = edit(
    "encode_batch",
    "Words that are not known are dropped, and others move up. They keep their place, with the number 1.",
    (
        "vocab.get(word, 1) for word in text[:max_len]",
        "vocab[word] for word in [w for w in text if w in vocab][:max_len]",
    ),
)
encode_masks_unknown_words = edit(
    "encode_batch",
    "The mask hides unknown words. They are real words, only their number is 1; it is padding that is hidden.",
    ("torch.arange(T) < lengths[:, None]", "ids > 1"),
)
encode_pads_on_the_left = edit(
    "encode_batch",
    "The padding comes before the words. It comes after them, up to the end of the row.",
    ("row + [0] * (T - len(row))", "[0] * (T - len(row)) + row"),
    ("torch.arange(T) < lengths[:, None]", "ids > 0"),
)
encode_pads_on_the_left_masks_on_the_right = edit(
    "encode_batch",
    "The padding comes before the words, and the mask is for padding after them. It comes after them.",
    ("row + [0] * (T - len(row))", "[0] * (T - len(row)) + row"),
)
encode_knows_every_word = edit(
    "encode_batch",
    "`vocab[word]` fails on a word that the vocabulary does not know. Such a word is 1.",
    ("vocab.get(word, 1)", "vocab[word]"),
)
encode_mask_of_numbers = edit(
    "encode_batch",
    "The mask holds numbers. It is boolean, of dtype `torch.bool`: True on a word.",
    ("torch.arange(T) < lengths[:, None]", "(torch.arange(T) < lengths[:, None]).float()"),
)
encode_mask_of_whole_numbers = edit(
    "encode_batch",
    "The mask holds the whole numbers 0 and 1. It is boolean, of dtype `torch.bool`: True on a word.",
    ("torch.arange(T) < lengths[:, None]", "(torch.arange(T) < lengths[:, None]).long()"),
)
encode_mask_everywhere = edit(
    "encode_batch",
    "The mask is True everywhere, on padding too. It is True where a word stands.",
    ("torch.arange(T) < lengths[:, None]", "torch.ones(ids.shape, dtype=torch.bool)"),
)
encode_short_integers = edit(
    "encode_batch",
    "The ids have another dtype than `torch.long`, which an embedding looks up.",
    ("for row in rows])  # (B, T)", "for row in rows], dtype=torch.int32)"),
)
encode_float_ids = edit(
    "encode_batch",
    "The ids are numbers with a fraction. A number of a word is whole, of dtype `torch.long`.",
    ("for row in rows])  # (B, T)", "for row in rows], dtype=torch.float32)"),
)
encode_lists = edit(
    "encode_batch",
    "Lists came back: ids and mask are both tensors.",
    ("return ids, mask", "return ids.tolist(), mask.tolist()"),
)
encode_ids_only = edit(
    "encode_batch",
    "The ids came back alone: return the pair of ids and mask.",
    ("return ids, mask", "return ids"),
)
encode_in_lower_case = edit(
    "encode_batch",
    "Words were put into lower case, or stripped, before they were looked up. They are taken as they stand.",
    ("vocab.get(word, 1)", "vocab.get(word.lower(), 1)"),
    hidden=True,
)


@right("encode_batch")
def encode_by_filling(texts, vocab, max_len):
    """Two tensors of zeros, filled row by row."""
    T = max(min(len(text), max_len) for text in texts)
    ids = torch.zeros(len(texts), T, dtype=torch.long)
    mask = torch.zeros(len(texts), T, dtype=torch.bool)
    for b, text in enumerate(texts):
        for t, word in enumerate(text):
            if t < max_len:
                ids[b, t] = vocab[word] if word in vocab else vocab["<unk>"]
                mask[b, t] = True
    return ids, mask


@right("encode_batch")
def encode_with_pad_sequence(texts, vocab, max_len):
    """torch's own pad_sequence."""
    from torch.nn.utils.rnn import pad_sequence

    rows = [torch.tensor([vocab.get(word, 1) for word in text][:max_len], dtype=torch.long) for text in texts]
    ids = pad_sequence(rows, batch_first=True)
    return [ids, pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in rows], batch_first=True)]


# --- masked_mean ---

mean_counts_vectors_that_are_not_0 = edit(
    "masked_mean",
    "A word whose vector is zero was not counted. The mask says which places hold words, whatever their vectors are.",
    ("real = mask[:, :, None].to(h.dtype)", "real = (mask & (h != 0).any(dim=-1))[:, :, None].to(h.dtype)"),
    hidden=True,
)
mean_divided_by_the_longest = edit(
    "masked_mean",
    "The sum over the real words is divided by T. Divide it by how many real words the row has.",
    ("real.sum(dim=1).clamp(min=1)", "h.shape[1]"),
)
mean_over_everything = edit(
    "masked_mean",
    "That is the mean over all of T, padding too: the mask is not used.",
    ("(h * real).sum(dim=1) / count", "h.mean(dim=1)"),
)
mean_of_an_empty_row = edit(
    "masked_mean",
    "A row without words is 0/0, which is NaN. Keep the count from being 0 before you divide.",
    (".clamp(min=1)", ""),
)
mean_of_the_padding = edit(
    "masked_mean",
    "The mask is inverted: this is the mean over the padding. True is a real word.",
    ("mask[:, :, None]", "(~mask)[:, :, None]"),
)
mean_without_division = edit(
    "masked_mean",
    "That is the sum over the real words. A mean is divided by how many there are.",
    (" / count", ""),
)
mean_with_padding_in_the_sum = edit(
    "masked_mean",
    "The count is masked, and the padding is still in the sum. Mask before you add.",
    ("(h * real).sum", "h.sum"),
)
mean_plus_one = edit(
    "masked_mean",
    "A 1 is added to every count, which makes all means too small. Only a count of 0 needs help.",
    (".clamp(min=1)", " + 1"),
)
mean_nan_replaced_afterwards = edit(
    "masked_mean",
    "The NaN of an empty row is replaced after the division, and its gradient is still NaN. Keep the count from "
    "being 0.",
    (".clamp(min=1)", ""),
    ("return (h * real).sum(dim=1) / count", "return torch.nan_to_num((h * real / count[:, None]).sum(dim=1))"),
)
mean_of_the_batch = edit(
    "masked_mean",
    "All rows have got the mean of the whole batch's words. Each text has a mean of its own.",
    ("return (h * real).sum(dim=1) / count", "return h[mask].mean(dim=0).expand(len(h), -1)"),
)
mean_of_an_empty_row_is_of_its_padding = edit(
    "masked_mean",
    "A row without words has got the mean of its padding. It gives zeros.",
    (
        "return (h * real).sum(dim=1) / count",
        "return torch.where(mask.any(dim=1)[:, None], (h * real).sum(dim=1) / count, h.mean(dim=1))",
    ),
)
mean_of_the_first_word = edit(
    "masked_mean",
    "The first vector of each row was taken. The mean is of all the row's real words.",
    ("(h * real).sum(dim=1) / count", "h[:, 0]"),
)
mean_is_a_maximum = edit(
    "masked_mean",
    "That is the largest number of each place, which is another pooling. Take the mean.",
    ("(h * real).sum(dim=1) / count", "(h * real).max(dim=1).values"),
)
mean_of_a_first_stretch = edit(
    "masked_mean",
    "As many vectors as there are real words are taken from the front. Real words may stand anywhere in the row.",
    ("real = mask[:, :, None]", "real = mask.sort(dim=1, descending=True).values[:, :, None]"),
)
mean_counts_the_batch = edit(
    "masked_mean",
    "The sum of a row is divided by the real words of the whole batch. Each row has a count of its own.",
    ("real.sum(dim=1)", "real.sum()"),
)
mean_of_what_is_not_zero = edit(
    "masked_mean",
    "The count is of numbers that are not 0. A real word may have zeros: it is the mask that says what counts.",
    ("real.sum(dim=1)", "(h * real != 0).sum(dim=1)"),
)
mean_changes_h = edit(
    "masked_mean",
    "The padding of `h` itself was overwritten. Leave the arguments as they are: multiply, or work on a copy.",
    ("real = mask", "h[~mask] = 0\n    real = mask"),
)
mean_over_the_width = edit(
    "masked_mean",
    "The mean runs over the width of the vectors. It runs over the words, the second axis.",
    ("(h * real).sum(dim=1) / count", "(h * real).mean(dim=2)"),
)
mean_with_epsilon = edit(
    "masked_mean",
    "A small number is added to the count. In half precision it is nothing, and 0/0 is NaN: keep the count at 1 or "
    "more.",
    (".clamp(min=1)", " + 1e-9"),
    hidden=True,
)
mean_in_single_precision = edit(
    "masked_mean",
    "The mean has the dtype of the mask's numbers, or of one that is fixed. It has the dtype of `h`.",
    (".to(h.dtype)", ".float()"),
    ("(h * real)", "(h.float() * real)"),
)
mean_in_at_least_single_precision = edit(
    "masked_mean",
    "The mask was turned into float32, and so were means of half precision. They have the dtype of `h`.",
    (".to(h.dtype)", ".float()"),
    hidden=True,
)
mean_without_gradient = edit(
    "masked_mean",
    "No gradient comes back to `h`: it was detached, or turned into NumPy, on the way.",
    ("(h * real)", "(h.detach() * real)"),
)


@right("masked_mean")
def mean_by_matrix_product(h, mask):
    """One row of weights a text, multiplied with its vectors."""
    share = mask.to(h.dtype)
    share = share / torch.maximum(share.sum(1, keepdim=True), torch.ones_like(share[:, :1]))
    return torch.bmm(share[:, None], h).squeeze(1)


@right("masked_mean")
def mean_row_by_row(h, mask):
    """A loop over the texts; a row of zeros does not hang on the graph."""
    zeros = torch.zeros(h.shape[2], dtype=h.dtype)
    return torch.stack([row[real].mean(0) if real.any() else zeros for row, real in zip(h, mask)])


# --- tf_idf ---

tf_idf_with_the_1_inside_the_logarithm = edit(
    "tf_idf",
    "The last 1 stands inside the logarithm. It is added to the logarithm, so that no word that occurs counts nothing.",
    ("np.log((1 + N) / (1 + df)) + 1", "np.log((1 + N) / (1 + df) + 1)"),
)
tf_idf_by_occurrences = edit(
    "tf_idf",
    "df counts occurrences. It counts the documents that have the word at all, however often.",
    ("(counts > 0).sum(axis=0)", "counts.sum(axis=0)"),
)
tf_idf_not_smoothed = edit(
    "tf_idf",
    "The two 1s inside the logarithm are missing: they count one more document, which has every word.",
    ("(1 + N) / (1 + df)", "N / np.maximum(df, 1)"),
)
tf_idf_smoothed_below_only = edit(
    "tf_idf",
    "The 1 above the line is missing: the additional document counts in N as well as in df.",
    ("(1 + N) / (1 + df)", "N / (1 + df)"),
)
tf_idf_without_the_last_one = edit(
    "tf_idf",
    "The 1 after the logarithm is missing: a word that every document has would weigh nothing.",
    ("(1 + df)) + 1", "(1 + df))"),
)
tf_idf_plain = edit(
    "tf_idf",
    "That is the plain ln(N / df), without any of the three 1s of the formula.",
    ("np.log((1 + N) / (1 + df)) + 1", "np.log(N / np.maximum(df, 1))"),
)
tf_idf_rows_sum_to_one = edit(
    "tf_idf",
    "The rows have sum 1. Their length is to be 1: divide by the root of the sum of squares.",
    ("np.linalg.norm(weighted, axis=1, keepdims=True)", "weighted.sum(axis=1, keepdims=True)"),
)
tf_idf_not_normalised = edit(
    "tf_idf",
    "The rows keep their lengths, so that a long review has larger numbers. Divide each by its length.",
    ("weighted / np.where(length > 0, length, 1)", "weighted"),
)
tf_idf_columns_normalised = edit(
    "tf_idf",
    "The columns are divided by their lengths. A document is a row: divide the rows.",
    ("np.linalg.norm(weighted, axis=1", "np.linalg.norm(weighted, axis=0"),
)
tf_idf_matrix_normalised = edit(
    "tf_idf",
    "One length served all documents. Each row has a length of its own.",
    ("np.linalg.norm(weighted, axis=1, keepdims=True)", "np.linalg.norm(weighted)"),
)
tf_idf_normalised_first = edit(
    "tf_idf",
    "The counts were divided before they were weighted, and the rows have lengths other than 1. Weigh first.",
    ("weighted = counts * idf", "weighted = counts.astype(float)"),
    ("np.where(length > 0, length, 1)", "np.where(length > 0, length, 1) * idf"),
)
tf_idf_of_an_empty_document = edit(
    "tf_idf",
    "An empty document has the length 0, and 0/0 is NaN. Such a row stays zeros: divide it by 1.",
    ("np.where(length > 0, length, 1)", "length"),
)
tf_idf_base_ten = edit(
    "tf_idf",
    "The logarithm has base 10. It is the natural one, `np.log`.",
    ("np.log(", "np.log10("),
)
tf_idf_base_two = edit(
    "tf_idf",
    "The logarithm has base 2. It is the natural one, `np.log`.",
    ("np.log(", "np.log2("),
)
tf_idf_binary = edit(
    "tf_idf",
    "A word counts once a document, and how often it occurs there is lost: multiply the counts.",
    ("weighted = counts * idf", "weighted = (counts > 0) * idf"),
)
tf_idf_frequency_alone = edit(
    "tf_idf",
    "That is the frequency alone. Multiply each count by its word's idf.",
    ("weighted = counts * idf", "weighted = counts.astype(float)"),
)
tf_idf_upside_down = edit(
    "tf_idf",
    "The fraction is upside down: words that many documents have got more weight, and should get less.",
    ("(1 + N) / (1 + df)", "(1 + df) / (1 + N)"),
)
tf_idf_words_for_documents = edit(
    "tf_idf",
    "N is the number of words. It is the number of documents, the rows.",
    ("N = counts.shape[0]", "N = counts.shape[1]"),
)
tf_idf_of_shares = edit(
    "tf_idf",
    "df is a share of the documents. The formula has the number of documents.",
    ("(counts > 0).sum(axis=0)", "(counts > 0).mean(axis=0)"),
)
tf_idf_in_whole_numbers = edit(
    "tf_idf",
    "The weights were written into an array of the counts' dtype, which cuts their fractions off. Floats are wanted.",
    ("weighted = counts * idf", "weighted = (counts * idf).astype(counts.dtype)"),
)
tf_idf_of_term_shares = edit(
    "tf_idf",
    "The counts were divided by the number of words in the document, and the rows keep their lengths. Here the counts "
    "themselves are weighted, and then each row is divided by its length.",
    ("weighted / np.where(length > 0, length, 1)", "weighted / np.maximum(counts.sum(axis=1, keepdims=True), 1)"),
)
tf_idf_by_squares = edit(
    "tf_idf",
    "The rows are divided by their sums of squares. The length is the root of that.",
    ("np.where(length > 0, length, 1)", "np.where(length > 0, length, 1) ** 2"),
)
tf_idf_written_into_counts = edit(
    "tf_idf",
    "The fractions were lost where they were written into an array of whole numbers: make one of floats.",
    (
        "return weighted / np.where(length > 0, length, 1)",
        "out = np.zeros_like(counts)\n    out[:] = weighted / np.where(length > 0, length, 1)\n    return out",
    ),
)
tf_idf_logarithm_of_counts = edit(
    "tf_idf",
    "The logarithm of the counts is weighted. Here the counts themselves are multiplied.",
    ("weighted = counts * idf", "weighted = np.log1p(counts) * idf"),
)


@right("tf_idf")
def tf_idf_row_by_row(counts):
    """Plain Python, row by row."""
    import math

    N, V = counts.shape
    df = [sum(1 for row in counts if row[v]) for v in range(V)]
    rows = []
    for row in counts:
        weighted = [float(row[v]) * (1 + math.log(1 + N) - math.log(1 + df[v])) for v in range(V)]
        length = math.hypot(*weighted) or 1.0
        rows.append([x / length for x in weighted])
    return np.array(rows)


@right("tf_idf")
def tf_idf_with_einsum(counts):
    """A diagonal matrix of weights; lengths by einsum."""
    idf = 1 - np.log1p(np.count_nonzero(counts, axis=0)) + np.log1p(counts.shape[0])
    weighted = np.asarray(counts, float) @ np.diag(idf)
    squares = np.einsum("nv,nv->n", weighted, weighted)
    return weighted / np.sqrt(np.where(squares > 0, squares, 1.0))[:, None]


# The notebook `cases`

attention_without_scale = edit(
    "SelfAttention",
    "The scores are not divided: they grow with D, and the softmax goes to one word alone. Divide them by √D.",
    (" / math.sqrt(q.shape[-1])", ""),
)
attention_over_d = edit(
    "SelfAttention",
    "The scores are divided by D. A sum of D products spreads like √D: divide by its root.",
    ("math.sqrt(q.shape[-1])", "q.shape[-1]"),
)
attention_over_the_length = edit(
    "SelfAttention",
    "The scores are divided by the root of T, the number of words. It is the width D whose root is wanted.",
    ("q.shape[-1]", "q.shape[-2]"),
)
attention_times_root = edit(
    "SelfAttention",
    "The scores are multiplied by √D. They are too large as they are: divide.",
    (" / math.sqrt(q.shape[-1])", " * math.sqrt(q.shape[-1])"),
)
attention_divided_after_the_softmax = edit(
    "SelfAttention",
    "The weights are divided by √D, after the softmax: the rows no longer sum to 1. Divide the scores, before.",
    (" / math.sqrt(q.shape[-1])", ""),
    ("scores.softmax(dim=-1)", "scores.softmax(dim=-1) / math.sqrt(q.shape[-1])"),
)
attention_masked_afterwards = edit(
    "SelfAttention",
    "The mask was applied after the softmax: the rows no longer sum to 1. Mask the scores, before.",
    ("            scores = scores.masked_fill(~mask[:, None, :], -1e9)", "            pass"),
    (
        "weights = scores.softmax(dim=-1)  # (B, T, T)",
        "weights = scores.softmax(dim=-1) * (1 if mask is None else mask[:, None, :])",
    ),
)
attention_masked_with_zero = edit(
    "SelfAttention",
    "The scores of padding are set to 0, and e⁰ is 1: padding still gets weight. Set them very low.",
    ("-1e9", "0.0"),
)
attention_masked_a_little = edit(
    "SelfAttention",
    "The scores of padding are not low enough: some weight is left on it. Fill in -inf, or -1e9.",
    ("-1e9", "-10.0"),
)
attention_mask_too_weak_for_large_scores = edit(
    "SelfAttention",
    "Padding whose scores are large still gets weight: -10,000 is not low enough. Fill in -inf, or -1e9.",
    ("-1e9", "-1e4"),
    hidden=True,
)
attention_mask_added_as_it_is = edit(
    "SelfAttention",
    "The mask itself is added to the scores: 1 on a real word and 0 on padding. That hardly changes a weight.",
    ("scores.masked_fill(~mask[:, None, :], -1e9)", "scores + mask[:, None, :]"),
)
attention_over_queries = edit(
    "SelfAttention",
    "The softmax runs over the queries: columns sum to 1, not rows. It belongs along the last axis, the keys.",
    ("softmax(dim=-1)", "softmax(dim=1)"),
)
attention_without_softmax = edit(
    "SelfAttention",
    "These weights are the plain scores: the softmax is missing, which makes each row sum to 1.",
    ("scores.softmax(dim=-1)", "scores"),
)
attention_of_swapped_roles = edit(
    "SelfAttention",
    "Query and key are swapped. The row is the word that asks: its query meets the keys of all.",
    ("self.query(x), self.key(x)", "self.key(x), self.query(x)"),
)
attention_with_one_layer_for_two = edit(
    "SelfAttention",
    "The query was used as the key, too. Each of the three layers has its own part.",
    ("self.query(x), self.key(x)", "self.query(x), self.query(x)"),
)
attention_without_mask = edit(
    "SelfAttention",
    "The mask was not used: padding has weight.",
    ("if mask is not None", "if mask is None and mask is not None"),
)
attention_to_padding = edit(
    "SelfAttention",
    "The mask is inverted: it says True on a real word, and it is the padding that must lose its weight.",
    ("~mask", "mask"),
)
attention_masked_queries = edit(
    "SelfAttention",
    "The mask lies on the queries, the rows. It belongs on the keys: nobody looks *at* padding.",
    ("[:, None, :]", "[:, :, None]"),
)
attention_masked_both_ways = edit(
    "SelfAttention",
    "Padding queries are masked, too. Mask the keys alone: a row of padding asks real words, as every row does.",
    ("~mask[:, None, :]", "~(mask[:, None, :] & mask[:, :, None])"),
)
attention_over_inputs = edit(
    "SelfAttention",
    "The weights mix x itself. They are to mix the values.",
    ("weights @ v", "weights @ x"),
)
attention_with_residual = edit(
    "SelfAttention",
    "x was added to the output. The residual comes later, in the block.",
    ("weights @ v", "x + weights @ v"),
)
attention_weights_first = edit(
    "SelfAttention",
    "Output and weights are the other way round: the output comes first.",
    ("weights @ v, weights", "weights, weights @ v"),
)
attention_without_bias = edit(
    "SelfAttention",
    "The query has no bias. Each of the three layers is an `nn.Linear` as it comes.",
    ("self.query = nn.Linear(hidden_dim, hidden_dim)", "self.query = nn.Linear(hidden_dim, hidden_dim, bias=False)"),
)
attention_with_one_layer_more = edit(
    "SelfAttention",
    "There is an output layer, which real attention has and this one has not: three layers are wanted.",
    ("super().__init__()", "super().__init__()\n        self.output = nn.Linear(hidden_dim, hidden_dim)"),
    ("return weights @ v", "return self.output(weights @ v)"),
)
attention_output_only = edit(
    "SelfAttention",
    "The output alone came back. A pair is wanted: the output, and the weights.",
    ("weights @ v, weights", "weights @ v"),
)


@right("SelfAttention")
class AttentionByEinsum(nn.Module):
    """einsum, and minus infinity."""

    def __init__(self, hidden_dim):
        super().__init__()
        self.value, self.key, self.query = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))
        self.scale = hidden_dim**-0.5

    def forward(self, x, mask=None):
        scores = torch.einsum("bqd,bkd->bqk", self.query(x) * self.scale, self.key(x))
        if mask is not None:
            scores = torch.where(mask.unsqueeze(1), scores, float("-inf"))
        weights = torch.softmax(scores, dim=2)
        return torch.einsum("bqk,bkd->bqd", weights, self.value(x)), weights


attention_by_addition = edit(
    "SelfAttention",
    "A mask of numbers is added to the scores, and the softmax is written out.",
    ("scores.masked_fill(~mask[:, None, :], -1e9)", "scores + (1.0 - mask.float())[:, None] * -1e30"),
    (
        "weights = scores.softmax(dim=-1)",
        "e = (scores - scores.amax(-1, keepdim=True)).exp()\n        weights = e / e.sum(-1, keepdim=True)",
    ),
    right=True,
)

case_one_with_softmax = edit(
    "Case1",
    "The logits went through a softmax. The loss does that itself: return plain scores.",
    ("self.classifier(pooled)", "self.classifier(pooled).softmax(-1)"),
)
case_one_with_log_softmax = edit(
    "Case1",
    "The logits went through a log-softmax. The loss does that itself: return plain scores.",
    ("self.classifier(pooled)", "self.classifier(pooled).log_softmax(-1)"),
)
case_one_with_sigmoid = edit(
    "Case1",
    "The logits went through a sigmoid. Return plain scores: the loss has all that it needs.",
    ("self.classifier(pooled)", "self.classifier(pooled).sigmoid()"),
)
case_one_guessing_a_mask = edit(
    "Case1",
    "Without a mask, the padding was left out all the same. Called with `ids` alone, every place counts.",
    ("h, weights =", "mask = ids != 0 if mask is None else mask\n        h, weights ="),
)
case_one_without_mask = edit(
    "Case1",
    "The mask was not used: the attention looks at padding, and the average takes it in.",
    ("(self.embedding(ids), mask)", "(self.embedding(ids))"),
    ("if mask is None:", "if True:"),
)
case_one_masked_once = edit(
    "Case1",
    "The attention got the mask, but the average takes in the padding.",
    ("if mask is None:", "if True:"),
)
case_one_divided_by_all = edit(
    "Case1",
    "The sum over the real words is divided by T, the padding counted: divide by their own number.",
    ("real.sum(dim=1)  #", "ids.shape[1]  #"),
)
case_one_divided_by_all_words = edit(
    "Case1",
    "The sum over a review's words is divided by the words of the whole batch. Each review has a count of its own.",
    ("real.sum(dim=1)  #", "real.sum()  #"),
)
case_one_masked_average = edit(
    "Case1",
    "The average got the mask, but the attention looks at padding.",
    ("(self.embedding(ids), mask)", "(self.embedding(ids))"),
)
case_one_inverted_average = edit(
    "Case1",
    "The mask is inverted in the average: it says True on a real word, and those are to be averaged.",
    ("mask[:, :, None].float()", "(~mask)[:, :, None].float().clamp(min=1e-9)"),
)
case_one_embeddings_zeroed = edit(
    "Case1",
    "The padding's embeddings are set to 0, and attention still looks at them. Give it the mask.",
    ("(self.embedding(ids), mask)", "(self.embedding(ids) * (1 if mask is None else mask[:, :, None]))"),
)
case_one_first_word = edit(
    "Case1",
    "The first word stands for the whole review. Case 1 takes the average over its words.",
    ("return weights, self.classifier(pooled)", "return weights, self.classifier(h[:, 0])"),
)
case_one_last_place = edit(
    "Case1",
    "The last place of the row stands for the whole review, and it may be padding. Case 1 takes the average.",
    ("return weights, self.classifier(pooled)", "return weights, self.classifier(h[:, -1])"),
)
case_one_summed = edit(
    "Case1",
    "The words were added up, so that a long review has larger numbers. Case 1 takes the average.",
    ("h.mean(dim=1)", "h.sum(dim=1)"),
    (" / real.sum(dim=1)", ""),
)
case_one_largest = edit(
    "Case1",
    "The largest number of each column was taken. Case 1 takes the average.",
    ("h.mean(dim=1)", "h.amax(dim=1)"),
    ("(h * real).sum(dim=1) / real.sum(dim=1)", "h.masked_fill(real == 0, -1e9).amax(dim=1)"),
)
case_one_averaged_over_reviews = edit(
    "Case1",
    "The average runs over the reviews of the batch. It belongs over the words, axis 1.",
    ("h.mean(dim=1)", "h.mean(dim=0)"),
    ("(h * real).sum(dim=1) / real.sum(dim=1)", "(h * real).sum(dim=0) / real.sum(dim=0)"),
)
case_one_averaged_over_the_width = edit(
    "Case1",
    "The average runs over the numbers of each vector. It belongs over the words, axis 1.",
    ("h.mean(dim=1)", "h.mean(dim=-1)"),
)
case_one_with_residual = edit(
    "Case1",
    "x was added to the attention's output. Case 1 has no residual.",
    ("# (B, T, D), (B, T, T)", "\n        h = h + self.embedding(ids)"),
)
case_one_without_attention = edit(
    "Case1",
    "The attention's output is thrown away: the average is of the embeddings.",
    ("# (B, T, D), (B, T, T)", "\n        h = self.embedding(ids)"),
)
case_one_classifies_first = edit(
    "Case1",
    "Each word has logits of its own. Average first: one vector a review, then the linear layer.",
    ("return weights, self.classifier(pooled)", "return weights, self.classifier(h)"),
)
case_one_with_relu = edit(
    "Case1",
    "A ReLU has cut off what is below 0. Case 1 has nothing between the average and the linear layer.",
    ("self.classifier(pooled)", "self.classifier(pooled.relu())"),
)
case_one_logits_first = edit(
    "Case1",
    "The weights come first, then the logits: these are the other way round.",
    ("return weights, self.classifier(pooled)", "return self.classifier(pooled), weights"),
)
case_one_logits_only = edit(
    "Case1",
    "The logits alone came back. A pair is wanted: first the attention's weights, then the logits.",
    ("return weights, self.classifier(pooled)", "return self.classifier(pooled)"),
)
case_one_by_shares_of_one = edit(
    "Case1",
    "The average as a weighted sum.",
    ("if mask is None:\n            pooled = h.mean(dim=1)  # (B, D)\n        else:", "if True:"),
    ("real = mask[:, :, None].float()  # (B, T, 1)", "real = torch.ones_like(ids).bool() if mask is None else mask"),
    ("(h * real).sum(dim=1) / real.sum(dim=1)", 'torch.einsum("bt,btd->bd", real / real.sum(dim=1, keepdim=True), h)'),
    right=True,
)


@right("Case1")
class CaseOneReviewByReview(nn.Module):
    """Each review is cut to its length before the mean."""

    def __init__(self, vocab_size, hidden_dim, num_labels):
        super().__init__()
        self.classifier = nn.Linear(hidden_dim, num_labels)
        self.attention = Attention(hidden_dim)
        self.embedding = nn.Embedding(vocab_size, hidden_dim, padding_idx=0)

    def forward(self, ids, mask=None):
        h, weights = self.attention(self.embedding(ids), mask)
        rows = [row if mask is None else row[real] for row, real in zip(h, ids if mask is None else mask)]
        return weights, self.classifier(torch.stack([row.mean(0) for row in rows]))


layer_norm_over_the_words = edit(
    "layer_norm",
    "Mean and variance run over axis 1, the words. Each vector is normalised by itself: along the last axis.",
    ("x.mean(dim=-1, keepdim=True)", "x.mean(dim=min(1, x.dim() - 1), keepdim=True)"),
    ("centred.square().mean(dim=-1, keepdim=True)", "centred.square().mean(dim=min(1, x.dim() - 1), keepdim=True)"),
)
norm_unbiased = edit(
    "layer_norm",
    "The variance was divided by D − 1, as `torch.var` does it. Divide by D: `correction=0`.",
    ("centred.square().mean(dim=-1, keepdim=True)", "x.var(dim=-1, keepdim=True)"),
)
norm_eps_outside = edit(
    "layer_norm",
    "eps stands outside the root. It belongs under it, with the variance.",
    ("(variance + eps).sqrt()", "(variance.sqrt() + eps)"),
)
norm_of_the_standard_deviation = edit(
    "layer_norm",
    "`std` divides by D − 1, and eps stands outside the root. Divide by D, add eps, then take the root.",
    ("(variance + eps).sqrt()", "(x.std(dim=-1, keepdim=True) + eps)"),
)
norm_of_the_batch = edit(
    "layer_norm",
    "The first axis was normed: that is a batch norm. Each vector of the last axis is normed alone.",
    ("x.mean(dim=-1, keepdim=True)", "x.mean(dim=0, keepdim=True)"),
    ("centred.square().mean(dim=-1, keepdim=True)", "centred.square().mean(dim=0, keepdim=True)"),
)
norm_over_the_words = edit(
    "layer_norm",
    "The axis before the last was normed, over the words. Each vector of the last axis is normed alone.",
    ("x.mean(dim=-1, keepdim=True)", "x.mean(dim=-min(2, x.dim()), keepdim=True)"),
    ("centred.square().mean(dim=-1, keepdim=True)", "centred.square().mean(dim=-min(2, x.dim()), keepdim=True)"),
)
norm_without_root = edit(
    "layer_norm",
    "Divided by the variance itself. Divide by its root.",
    ("(variance + eps).sqrt()", "(variance + eps)"),
)
norm_of_everything = edit(
    "layer_norm",
    "Mean and variance are of everything. Each vector has its own.",
    ("x - x.mean(dim=-1, keepdim=True)", "x - x.mean()"),
    ("centred.square().mean(dim=-1, keepdim=True)", "centred.square().mean()"),
)
norm_without_mean = edit(
    "layer_norm",
    "The mean was not taken away from what is divided.",
    ("return centred", "return x"),
)
norm_rms = edit(
    "layer_norm",
    "The mean square, without the mean taken away: that is an RMS norm. Take away the mean first.",
    ("x - x.mean(dim=-1, keepdim=True)", "x"),
)
norm_without_eps = edit("layer_norm", "eps was not used.", ("(variance + eps)", "variance"))
norm_eps_always_small = edit(
    "layer_norm",
    "eps is fixed at 1e-5. It is an argument: use the one that is given.",
    ("(variance + eps)", "(variance + 1e-5)"),
)
norm_bias_first = edit(
    "layer_norm",
    "The bias was added before the gain. First times the gain, then plus the bias.",
    ("centred / (variance + eps).sqrt() * gain + bias", "(centred / (variance + eps).sqrt() + bias) * gain"),
)
norm_plain = edit("layer_norm", "Gain and bias are missing.", (" * gain + bias", ""))
norm_without_bias = edit("layer_norm", "The bias is missing.", (" + bias", ""))
norm_bias_taken_away = edit("layer_norm", "The bias is taken away. Add it.", ("+ bias", "- bias"))
norm_by_absolute_distance = edit(
    "layer_norm",
    "The distances from the mean are not squared: that is no variance.",
    ("centred.square()", "centred.abs()"),
)
norm_in_place = edit(
    "layer_norm",
    "x itself is changed. Leave it as it is: `x - mean` in place of `x -= mean`.",
    ("centred = x - x.mean(dim=-1, keepdim=True)", "centred = x.sub_(x.mean(dim=-1, keepdim=True))"),
)
norm_by_var_mean = edit(
    "layer_norm",
    "torch.var_mean.",
    (
        "centred = x - x.mean(dim=-1, keepdim=True)",
        "variance, mean = torch.var_mean(x, -1, correction=0, keepdim=True)",
    ),
    ("variance = centred.square().mean(dim=-1, keepdim=True)", "centred = x - mean"),
    right=True,
)


@right("layer_norm")
def norm_by_moments(x, gain, bias, eps=1e-5):
    """The variance as mean of squares less square of mean."""
    mean = x.double().mean(-1, keepdim=True)
    variance = (x.double() ** 2).mean(-1, keepdim=True) - mean**2
    return torch.addcmul(bias, gain, ((x - mean) * torch.rsqrt(variance + eps)).to(x.dtype))


@right("layer_norm")
def norm_by_centring_matrix(x, gain, bias, eps=1e-5):
    """A matrix takes the mean away, in the rounding of the input."""
    D = x.shape[-1]
    centred = x @ (torch.eye(D, dtype=x.dtype) - torch.ones(D, D, dtype=x.dtype) / D)
    return centred * ((centred * centred).sum(-1, keepdim=True) / D + eps) ** -0.5 * gain + bias


case_two_without_norm = edit(
    "Case2",
    "The norm was not used: that is case 1.",
    ("self.norm(h.mean(dim=1))", "h.mean(dim=1)"),
)
case_two_norm_before_pooling = edit(
    "Case2",
    "The norm stands before the average, and sees each word. It belongs after, and sees one vector a review.",
    ("self.norm(h.mean(dim=1))", "self.norm(h).mean(dim=1)"),
)
case_two_norm_first = edit(
    "Case2",
    "The norm stands before the attention. It belongs after the average.",
    ("self.embedding(ids))", "self.norm(self.embedding(ids)))"),
    ("self.norm(h.mean(dim=1))", "h.mean(dim=1)"),
)
case_two_as_block = edit(
    "Case2",
    "A residual, and the norm before the average: that is a block. Case 2 norms the average.",
    ("self.norm(h.mean(dim=1))", "self.norm(h + self.embedding(ids)).mean(dim=1)"),
)
case_two_adds_the_embeddings = edit(
    "Case2",
    "The embeddings were added to the attention's output. Case 2 has no residual.",
    ("h.mean(dim=1)", "(h + self.embedding(ids)).mean(dim=1)"),
)
case_two_adds_the_average = edit(
    "Case2",
    "The average was added to its norm. Case 2 has no residual.",
    ("self.norm(h.mean(dim=1))", "self.norm(h.mean(dim=1)) + h.mean(dim=1)"),
)
case_two_norm_twice = edit(
    "Case2",
    "The norm was used twice, before the average and after it. It belongs after it alone.",
    ("self.norm(h.mean(dim=1))", "self.norm(self.norm(h).mean(dim=1))"),
)
case_two_with_softmax = edit(
    "Case2",
    "The logits went through a softmax. The loss does that itself: return plain scores.",
    ("self.norm(h.mean(dim=1)))", "self.norm(h.mean(dim=1))).softmax(-1)"),
)
case_two_with_tanh = edit(
    "Case2",
    "A tanh stands between the norm and the linear layer. Case 2 has nothing there.",
    ("self.norm(h.mean(dim=1))", "self.norm(h.mean(dim=1)).tanh()"),
)
case_two_first_word = edit(
    "Case2",
    "The first word stands for the whole review. Case 2 takes the average over the words.",
    ("h.mean(dim=1)", "h[:, 0]"),
)
case_two_logits_first = edit(
    "Case2",
    "The weights come first, then the logits: these are the other way round.",
    ("weights, self.classifier(self.norm(h.mean(dim=1)))", "self.classifier(self.norm(h.mean(dim=1))), weights"),
)
case_two_norm_of_the_logits = edit(
    "Case2",
    "The norm stands after the linear layer, of `num_labels` numbers. It belongs before it, of `hidden_dim` numbers.",
    ("nn.LayerNorm(hidden_dim)", "nn.LayerNorm(num_labels)"),
    ("self.classifier(self.norm(h.mean(dim=1)))", "self.norm(self.classifier(h.mean(dim=1)))"),
)
case_two_by_sum = edit("Case2", "The mean as a sum, divided.", ("h.mean(dim=1)", "h.sum(1) / ids.shape[1]"), right=True)
case_two_by_pooling = edit(
    "Case2",
    "avg_pool1d over the whole sequence, as in the notes.",
    ("h.mean(dim=1)", "nn.functional.avg_pool1d(h.transpose(1, 2), h.shape[1]).squeeze(2)"),
    right=True,
)

pre_without_residuals = edit(
    "pre_norm_block",
    "Both residuals are lost: nothing of x is added. Add to each half's work what it got.",
    ("x = x + attend", "x = attend"),
    ("return x + feed", "return feed"),
)
pre_as_post = edit(
    "pre_norm_block",
    "The norm is of the sum: that is a post-norm block. Norm what goes into the work, and add x as it was.",
    ("x = x + attend(norm1(x))", "x = norm1(x + attend(x))"),
    ("x + feed_forward(norm2(x))", "norm2(x + feed_forward(x))"),
)
pre_with_one_norm = edit("pre_norm_block", "norm1 was used twice. The second half has norm2.", ("norm2(x)", "norm1(x)"))
pre_with_swapped_norms = edit(
    "pre_norm_block",
    "The two norms are swapped: norm1 belongs to the attention, norm2 to the feed-forward network.",
    ("attend(norm1", "attend(norm2"),
    ("feed_forward(norm2", "feed_forward(norm1"),
)
pre_without_first_residual = edit(
    "pre_norm_block",
    "The residual round the attention is lost: add x to its work.",
    ("x = x + attend", "x = attend"),
)
pre_without_second_residual = edit(
    "pre_norm_block",
    "The residual round the feed-forward network is lost: add to its work what the first half gave.",
    ("return x + feed", "return feed"),
)
pre_with_normed_residual = edit(
    "pre_norm_block",
    "The norm of x was added, not x itself. Keep x, and norm only what goes into the work.",
    ("x = x + attend(norm1(x))", "x = norm1(x)\n    x = x + attend(x)\n    x = norm2(x)"),
    ("feed_forward(norm2(x))", "feed_forward(x)"),
)
pre_with_first_residual_normed = edit(
    "pre_norm_block",
    "In the first half the norm of x was added, not x itself.",
    ("x + attend", "norm1(x) + attend"),
)
pre_adding_the_first_x = edit(
    "pre_norm_block",
    "The second half adds the first x. Add the result of the first half.",
    ("x = x + attend(norm1(x))", "h = x + attend(norm1(x))"),
    ("norm2(x)", "norm2(h)"),
)
pre_norm_of_the_norm = edit(
    "pre_norm_block",
    "The second norm is of the first one's result. It is of what the first half gave.",
    ("x = x + attend(norm1(x))", "h = norm1(x)\n    x = x + attend(h)"),
    ("norm2(x)", "norm2(h)"),
)
pre_side_by_side = edit(
    "pre_norm_block",
    "Both halves work on x, side by side. The second works on the result of the first.",
    ("x = x + attend(norm1(x))", "h = x + attend(norm1(x))"),
    ("return x", "return h"),
)
pre_feed_forward_first = edit(
    "pre_norm_block",
    "The feed-forward network came first. Attention is the first half.",
    ("attend(norm1(x))", "feed_forward(norm2(x))"),
    ("return x + feed_forward(norm2(x))", "return x + attend(norm1(x))"),
)
pre_without_second_norm = edit("pre_norm_block", "The second norm is missing.", ("norm2(x)", "x"))
pre_without_first_norm = edit("pre_norm_block", "The first norm is missing.", ("norm1(x)", "x"))
pre_without_norms = edit("pre_norm_block", "There are no norms.", ("norm1(x)", "x"), ("norm2(x)", "x"))
pre_norms_after_the_work = edit(
    "pre_norm_block",
    "The norm stands after the work. Norm what goes into it.",
    ("attend(norm1(x))", "norm1(attend(x))"),
    ("feed_forward(norm2(x))", "norm2(feed_forward(x))"),
)
pre_with_a_last_norm = edit(
    "pre_norm_block",
    "There is a norm at the end, too. The model has one there; the block has not.",
    ("return x + feed_forward(norm2(x))", "return norm2(x + feed_forward(norm2(x)))"),
)
pre_first_half_only = edit(
    "pre_norm_block",
    "The second half is missing: the feed-forward network, with norm2.",
    ("return x + feed_forward(norm2(x))", "return x"),
)
pre_in_place = edit(
    "pre_norm_block",
    "x itself is changed: `x += …` writes into the tensor that was handed in. Write `x = x + …`.",
    ("x = x + attend", "x += attend"),
)


@right("pre_norm_block")
def pre_step_by_step(x, attend, feed_forward, norm1, norm2):
    """A loop over the halves."""
    for work, norm in ((attend, norm1), (feed_forward, norm2)):
        x = torch.add(work(norm(x)), x)
    return x


pre_as_a_sum = edit(
    "pre_norm_block",
    "Everything that was added, added at the end.",
    ("x = x + attend(norm1(x))", "first = attend(norm1(x))"),
    ("return x + feed_forward(norm2(x))", "return x + first + feed_forward(norm2(x + first))"),
    right=True,
)

post_as_pre = edit(
    "post_norm_block",
    "The norm is of the work's input: that is a pre-norm block. Norm the sum of input and work.",
    ("norm1(x + attend(x))", "x + attend(norm1(x))"),
    ("norm2(x + feed_forward(x))", "x + feed_forward(norm2(x))"),
)
post_norm_of_the_work = edit(
    "post_norm_block",
    "The norm is of the work alone. Norm the sum of input and work.",
    ("norm1(x + attend(x))", "x + norm1(attend(x))"),
    ("norm2(x + feed_forward(x))", "x + norm2(feed_forward(x))"),
)
post_first_norm_of_the_work = edit(
    "post_norm_block",
    "In the first half the norm is of the work alone. Norm the sum of input and work.",
    ("norm1(x + attend(x))", "x + norm1(attend(x))"),
)
post_norm_of_the_input = edit(
    "post_norm_block",
    "The work is added to the norm of x. Add it to x, and norm the sum.",
    ("norm1(x + attend(x))", "norm1(x) + attend(x)"),
    ("norm2(x + feed_forward(x))", "norm2(x) + feed_forward(x)"),
)
post_with_one_norm = edit("post_norm_block", "norm1 was used twice. The second half has norm2.", ("norm2(", "norm1("))
post_with_swapped_norms = edit(
    "post_norm_block",
    "The two norms are swapped: norm1 belongs to the attention, norm2 to the feed-forward network.",
    ("x = norm1(", "x = norm2("),
    ("return norm2(", "return norm1("),
)
post_without_residuals = edit(
    "post_norm_block",
    "Both residuals are lost: nothing of x is added. Norm the sum of each half's input and work.",
    ("x + attend", "attend"),
    ("x + feed", "feed"),
)
post_without_first_residual = edit(
    "post_norm_block", "The residual round the attention is lost: add x before the norm.", ("x + attend", "attend")
)
post_without_second_residual = edit(
    "post_norm_block",
    "The residual round the feed-forward network is lost: add what the first half gave, before the norm.",
    ("x + feed", "feed"),
)
post_adding_the_first_x = edit(
    "post_norm_block",
    "The second half adds the first x. Add the result of the first half.",
    ("x = norm1", "h = norm1"),
    ("feed_forward(x)", "feed_forward(h)"),
)
post_with_the_last_norm_only = edit(
    "post_norm_block", "The first norm is missing: each half ends in one.", ("norm1(x + attend(x))", "x + attend(x)")
)
post_with_the_first_norm_only = edit(
    "post_norm_block",
    "The second norm is missing: each half ends in one.",
    ("norm2(x + feed_forward(x))", "x + feed_forward(x)"),
)
post_feed_forward_first = edit(
    "post_norm_block",
    "The feed-forward network came first. Attention is the first half.",
    ("norm1(x + attend(x))", "norm2(x + feed_forward(x))"),
    ("return norm2(x + feed_forward(x))", "return norm1(x + attend(x))"),
)
post_in_place = edit(
    "post_norm_block",
    "x itself is changed: `x += …` writes into the tensor that was handed in. Write `x + …`.",
    ("x = norm1(x + attend(x))", "x += attend(x)\n    x = norm1(x)"),
)


@right("post_norm_block")
def post_step_by_step(x, attend, feed_forward, norm1, norm2):
    """A loop over the halves."""
    for work, norm in ((attend, norm1), (feed_forward, norm2)):
        x = norm(work(x).add(x))
    return x


post_in_one_line = edit(
    "post_norm_block",
    "Sums of stacks, and the first half has a name.",
    ("x = norm1(x + attend(x))", "first = norm1(torch.stack([x, attend(x)]).sum(0))"),
    ("norm2(x + feed_forward(x))", "norm2(torch.stack([first, feed_forward(first)]).sum(0))"),
    right=True,
)

entropy_of_softmax = edit(
    "cross_entropy",
    "Softmax twice. The logits are scores: the log-sum-exp is all the softmax that there is.",
    ("true = logits", "logits = logits.softmax(dim=-1)\n    true = logits"),
)
entropy_as_written = edit(
    "cross_entropy",
    "Exponentials of large logits overflow. Take the largest out first, as `logsumexp` does.",
    ("torch.logsumexp(logits, dim=-1)", "logits.exp().sum(dim=-1).log()"),
)
entropy_by_fractions = edit(
    "cross_entropy",
    "Exponentials of large logits overflow, and ∞ / ∞ is NaN. Subtract logarithms in place of dividing.",
    ("true = logits[torch.arange(len(y)), y]", "e = logits.exp()"),
    ("(torch.logsumexp(logits, dim=-1) - true).mean()", "-(e[torch.arange(len(y)), y] / e.sum(dim=-1)).log().mean()"),
)
entropy_by_log_of_softmax = edit(
    "cross_entropy",
    "A probability too small for a float is 0, and its logarithm is −∞. Never take the logarithm of a softmax: "
    "take logsumexp, or log_softmax.",
    ("(torch.logsumexp(logits, dim=-1) - true).mean()", "-logits.softmax(-1)[torch.arange(len(y)), y].log().mean()"),
)
entropy_with_a_floor = edit(
    "cross_entropy",
    "Something small is added to the probability, or it is cut off below. A very small one must count in full.",
    (
        "(torch.logsumexp(logits, dim=-1) - true).mean()",
        "-(logits.softmax(-1)[torch.arange(len(y)), y] + 1e-12).log().mean()",
    ),
)
entropy_clamped = edit(
    "cross_entropy",
    "The probabilities are cut off below. A very small one must count in full.",
    (
        "(torch.logsumexp(logits, dim=-1) - true).mean()",
        "-logits.softmax(-1)[torch.arange(len(y)), y].clamp(min=1e-8).log().mean()",
    ),
)
entropy_summed = edit("cross_entropy", "That is the sum over the batch. Take the mean.", (").mean()", ").sum()"))
entropy_each = edit(
    "cross_entropy", "There is a loss for each row. Their mean is wanted: one number, shape ().", (").mean()", ")")
)
entropy_of_the_wrong_sign = edit(
    "cross_entropy",
    "The sign is wrong: the mean of −ln p is wanted, which is never below 0.",
    ("torch.logsumexp(logits, dim=-1) - true", "true - torch.logsumexp(logits, dim=-1)"),
)
entropy_by_one_hot = edit(
    "cross_entropy",
    "The mean is over B times C cells, most of which are 0. Take the mean over the rows.",
    (").mean()", ").sum() / logits.numel()"),
)
entropy_over_the_batch = edit(
    "cross_entropy",
    "The softmax runs over the batch. It belongs over the labels, the last axis.",
    ("(torch.logsumexp(logits, dim=-1) - true).mean()", "-logits.log_softmax(0)[torch.arange(len(y)), y].mean()"),
)
entropy_of_one_softmax_for_all = edit(
    "cross_entropy",
    "There is one softmax for the whole batch. Each row has its own.",
    ("torch.logsumexp(logits, dim=-1)", "torch.logsumexp(logits.flatten(), dim=0)"),
)
entropy_from_the_largest = edit(
    "cross_entropy",
    "That is how far the true logit lies below the largest one. All labels belong to the sum of exponentials.",
    ("torch.logsumexp(logits, dim=-1)", "logits.amax(dim=-1)"),
)
entropy_of_the_mean = edit(
    "cross_entropy",
    "That is the logarithm of the mean. Take the logarithm of each row, then the mean.",
    (
        "(torch.logsumexp(logits, dim=-1) - true).mean()",
        "-logits.double().softmax(-1)[torch.arange(len(y)), y].mean().log()",
    ),
)
entropy_as_squared_error = edit(
    "cross_entropy",
    "That is the squared distance of the probabilities from 0 and 1. Take −ln p of the true label.",
    (
        "(torch.logsumexp(logits, dim=-1) - true).mean()",
        "(logits.softmax(-1) - torch.eye(logits.shape[-1], dtype=logits.dtype)[y]).square().sum(-1).mean()",
    ),
)
entropy_without_logarithm = edit(
    "cross_entropy",
    "The logarithm is missing: that is the mean of −p.",
    ("(torch.logsumexp(logits, dim=-1) - true).mean()", "-logits.softmax(-1)[torch.arange(len(y)), y].mean()"),
)
entropy_in_bits = edit(
    "cross_entropy",
    "The logarithm is to the base 2. Take the natural one.",
    (").mean()", ").mean() / math.log(2)"),
)
entropy_of_all_probabilities = edit(
    "cross_entropy",
    "That is the entropy of the model's own guess, which does not look at y. Take −ln p of the true label alone.",
    (
        "(torch.logsumexp(logits, dim=-1) - true).mean()",
        "-(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean()",
    ),
)
entropy_of_every_label = edit(
    "cross_entropy",
    "−ln p was averaged over all labels. Only that of the true one counts.",
    ("true = logits[torch.arange(len(y)), y]", "true = logits.mean(dim=-1)"),
)
entropy_of_the_best_guess = edit(
    "cross_entropy",
    "The probability of the likeliest label was taken. It is that of the true label y that counts.",
    ("logits[torch.arange(len(y)), y]", "logits.amax(dim=-1)"),
)
entropy_of_the_first_columns = edit(
    "cross_entropy",
    "`logits[:, y]` takes whole columns. One number a row is wanted: give a row for each label.",
    ("logits[torch.arange(len(y)), y]", "logits[:, y].mean(dim=-1)"),
)
entropy_as_a_number = edit(
    "cross_entropy",
    "A Python number came back, and no gradient flows through it. Return the tensor.",
    (".mean()", ".mean().item()"),
)
entropy_detached = edit(
    "cross_entropy",
    "No gradient flows: the loss is cut off from the logits. Leave out `detach`, `no_grad` and `.data`.",
    (".mean()", ".mean().detach()"),
)
entropy_by_log_softmax = edit(
    "cross_entropy",
    "log_softmax and gather.",
    (
        "(torch.logsumexp(logits, dim=-1) - true).mean()",
        "-torch.log_softmax(logits, 1).gather(1, y.unsqueeze(1)).mean()",
    ),
    right=True,
)


@right("cross_entropy")
def entropy_by_differences(logits, y):
    """The largest is taken away by hand."""
    shifted = logits - logits.max(dim=1, keepdim=True).values
    rows = shifted.exp().sum(1).log() - (shifted * torch.eye(logits.shape[1], dtype=logits.dtype)[y]).sum(1)
    return rows.sum() / len(y)


step_without_zero = edit(
    "train_step",
    "The gradients of an earlier step are used, too. `optimiser.zero_grad()` clears them, before `backward()`.",
    ("    optimiser.zero_grad()\n", ""),
)
step_cleared_afterwards = edit(
    "train_step",
    "The gradients are cleared after the step alone. What was there before this step still counts: clear first.",
    ("    optimiser.zero_grad()\n", ""),
    ("optimiser.step()", "optimiser.step()\n    optimiser.zero_grad()"),
)
step_in_eval_mode = edit(
    "train_step",
    "Dropout did not work: the forward pass ran in eval mode. Call `model.train()` before it.",
    ("    model.train()\n", ""),
)
step_mode_too_late = edit(
    "train_step",
    "Dropout did not work: `model.train()` comes after the forward pass. Call it first.",
    ("    model.train()\n", ""),
    ("loss.backward()", "model.train()\n    loss.backward()"),
)
step_put_into_eval_mode = edit(
    "train_step",
    "Dropout did not work: the forward pass ran in eval mode. Call `model.train()` before it.",
    ("model.train()", "model.eval()"),
)
step_without_backward = edit(
    "train_step",
    "No weight has moved. Are the gradients computed, then used by the optimiser, and not cleared in between?",
    ("    loss.backward()\n", ""),
)
step_without_step = edit(
    "train_step",
    "No weight has moved. Are the gradients computed, then used by the optimiser, and not cleared in between?",
    ("    optimiser.step()\n", ""),
)
step_cleared_too_late = edit(
    "train_step",
    "No weight has moved. Are the gradients computed, then used by the optimiser, and not cleared in between?",
    ("    optimiser.zero_grad()\n", ""),
    ("loss.backward()", "loss.backward()\n    optimiser.zero_grad()"),
)
step_before_backward = edit(
    "train_step",
    "No weight has moved. Are the gradients computed, then used by the optimiser, and not cleared in between?",
    ("    loss.backward()\n    optimiser.step()", "    optimiser.step()\n    loss.backward()"),
)
step_with_softmax = edit(
    "train_step",
    "There is a softmax before the loss. The loss has its own: give it logits.",
    ("cross_entropy(logits, y)", "cross_entropy(logits.softmax(-1), y)"),
)
step_uphill = edit(
    "train_step",
    "The weights went uphill: the loss has the wrong sign.",
    ("loss.backward()", "(-loss).backward()"),
)
step_on_the_sum = edit(
    "train_step",
    "The loss is a sum over the batch. Take the mean, as `cross_entropy` does by itself.",
    ("(logits, y)", '(logits, y, reduction="sum")'),
)
step_on_the_sum_in_secret = edit(
    "train_step",
    "The weights moved along the gradient of the sum over the batch. Take that of the mean.",
    ("loss.backward()", "(loss * len(y)).backward()"),
)
step_with_gradients_twice = edit(
    "train_step",
    "The gradients of this batch were counted twice: `backward()` adds them to those that are there.",
    ("loss.backward()", "loss.backward(retain_graph=True)\n    loss.backward()"),
)
step_twice = edit(
    "train_step",
    "One call took two steps.",
    ("optimiser.step()", "optimiser.step()\n    optimiser.step()"),
)
step_by_hand = edit(
    "train_step",
    "The weights moved along the plain gradient, whatever the optimiser is. Let it take its own step.",
    (
        "    optimiser.step()",
        "    with torch.no_grad():\n        for weight in model.parameters():\n"
        '            weight -= optimiser.param_groups[0]["lr"] * weight.grad',
    ),
    hidden=True,
)
step_with_clipping = edit(
    "train_step",
    "The gradients were clipped, which nobody asked for.",
    ("optimiser.step()", "nn.utils.clip_grad_norm_(model.parameters(), 0.1)\n    optimiser.step()"),
)
step_of_the_weights = edit(
    "train_step",
    "The loss is of the attention's weights. `model` returns weights first, then the logits.",
    ("_, logits = model", "logits, _ = model"),
    ("(logits, y)", "(logits[:, :2], y.clamp(max=logits.shape[1] - 1))"),
)
step_then_loss = edit(
    "train_step",
    "That is the loss after the step. The one from before it is wanted, which the gradients came from.",
    ("return loss.item()", "return nn.functional.cross_entropy(model(ids, mask)[1], y).item()"),
)
step_returning_a_tensor = edit(
    "train_step",
    "The loss came back as a tensor, which keeps its whole graph alive. Return a Python float: `loss.item()`.",
    ("loss.item()", "loss"),
)
step_returning_nothing = edit(
    "train_step", "Nothing came back. Return the loss as a Python float.", ("    return loss.item()\n", "")
)
step_clearing_at_the_end = edit(
    "train_step",
    "Clears before backward, through the model, and leaves it in eval mode.",
    ("    optimiser.zero_grad()\n", ""),
    (
        "nn.functional.cross_entropy(logits, y)",
        "nn.functional.nll_loss(logits.log_softmax(-1), y)\n    model.zero_grad()",
    ),
    ("return loss.item()", "model.eval()\n    return float(loss.detach())"),
    right=True,
)
step_with_a_loss_module = edit(
    "train_step",
    "nn.CrossEntropyLoss, and gradients cleared on both sides of the step.",
    ("zero_grad()", "zero_grad(set_to_none=False)"),
    ("nn.functional.cross_entropy(logits, y)", "nn.CrossEntropyLoss()(logits, y)"),
    ("optimiser.step()", "optimiser.step()\n    optimiser.zero_grad()"),
    right=True,
)

fit_takes_a_loss_of_0_for_none = edit(
    "fit",
    "A loss of 0 was taken for no loss at all: `not best` holds for both. Ask for `None`, or begin with infinity.",
    ("losses, best, kept, waited = [], math.inf, None, 0", "losses, best, kept, waited = [], None, None, 0"),
    ("if loss < best:", "if not best or loss < best:"),
    hidden=True,
)
fit_begins_with_a_best_of_1000 = edit(
    "fit",
    "The first loss was held against a number that it need not be below. The first epoch is always the best so far: "
    "begin with infinity.",
    ("best, kept, waited = [], math.inf, None, 0", "best, kept, waited = [], 1000, model.state_dict(), 0"),
    hidden=True,
)
fit_without_eval = edit(
    "fit",
    "validate was called in training mode, with dropout at work. Call `model.eval()` before it.",
    ("        model.eval()\n", ""),
)
fit_without_train = edit(
    "fit",
    "The model was never put into training mode after it was validated. Call `model.train()` before each epoch.",
    ("        model.train()\n", ""),
    ("losses, best", "model.eval()\n    losses, best"),
)
fit_trained_once_in_train_mode = edit(
    "fit",
    "From the second epoch on, train_epoch was called in eval mode. Call `model.train()` in every epoch.",
    ("        model.train()\n", ""),
    ("    for _", "    model.train()\n    for _"),
)
fit_with_the_last_weights = edit(
    "fit",
    "The best weights were not put back: the model has those of the last epoch.",
    ("    model.load_state_dict(kept)\n", ""),
)
fit_keeping_a_view = edit(
    "fit",
    "The weights that were kept went on changing: `state_dict()` is a view, also in a copy of its dictionary. Copy the "
    "tensors themselves, before the next epoch.",
    ("copy.deepcopy(model.state_dict())", "model.state_dict().copy()"),
)
fit_waiting_too_long = edit(
    "fit",
    "It waited one epoch too long: it stops once `patience` epochs in a row were without a new best loss.",
    ("waited == patience", "waited > patience"),
)
fit_waiting_too_little = edit(
    "fit",
    "It stopped one epoch too soon: it waits for `patience` epochs in a row without a new best loss.",
    ("None, 0", "None, 1"),
    ("copy.deepcopy(model.state_dict()), 0", "copy.deepcopy(model.state_dict()), 1"),
    ("waited == patience", "waited >= patience"),
)
fit_stopping_at_once = edit(
    "fit",
    "It stopped at the first epoch without a new best loss. `patience` says how many of them in a row it takes.",
    ("waited == patience", "waited"),
)
fit_never_counting_anew = edit(
    "fit",
    "All epochs without a new best loss were counted. Only those in a row count: the counter starts anew.",
    (
        "best, kept, waited = loss, copy.deepcopy(model.state_dict()), 0",
        "best, kept = loss, copy.deepcopy(model.state_dict())",
    ),
)
fit_to_the_end = edit(
    "fit",
    "It never stopped early.",
    ("break", "pass"),
)
fit_comparing_with_the_last = edit(
    "fit",
    "Each loss was compared with the one before it. Compare it with the best of all before.",
    ("            waited += 1", "            best, waited = loss, waited + 1"),
)
fit_comparing_across_the_patience = edit(
    "fit",
    "The loss was compared with that of `patience` epochs ago. Compare it with the best of all before, and count.",
    (
        "            waited += 1\n            if waited == patience:",
        "            if len(losses) > patience and loss > losses[-1 - patience]:",
    ),
)
fit_taking_ties = edit(
    "fit",
    "An equal loss replaced the weights. Only one that is less than every one before is a new best.",
    (
        "            waited += 1",
        "            kept, waited = copy.deepcopy(model.state_dict()) if loss == best else kept, waited + 1",
    ),
)
fit_counting_anew_at_ties = edit(
    "fit",
    "An equal loss counted as a new best. Only one that is less than every one before is one.",
    ("loss < best", "loss <= best"),
)
fit_for_the_largest = edit(
    "fit",
    "The largest loss was taken for the best. The best loss is the smallest.",
    ("math.inf", "-math.inf"),
    ("loss < best", "loss > best"),
)
fit_starting_at_a_hundred = edit(
    "fit",
    "The best loss begins at a number that real losses exceed. Begin at infinity, `math.inf`.",
    ("math.inf", "100.0"),
    ("    model.load_state_dict(kept)", "    if kept:\n        model.load_state_dict(kept)"),
)
fit_starting_at_zero = edit(
    "fit",
    "The best loss begins at 0, and no loss is less. Begin at infinity, `math.inf`.",
    ("math.inf, None", "0.0, copy.deepcopy(model.state_dict())"),
)
fit_noting_only_the_best = edit(
    "fit",
    "Only the losses that were a new best are in the list. Return one for each epoch that was run.",
    ("        losses.append(loss)\n", ""),
    ("        if loss < best:\n", "        if loss < best:\n            losses.append(loss)\n"),
)
fit_restoring_only_when_stopped = edit(
    "fit",
    "The best weights come back only where it stopped early. Put them back, too, when all epochs were run.",
    ("                break\n    model", "                model"),
    ("load_state_dict(kept)", "load_state_dict(kept)\n                break"),
)
fit_returning_the_best = edit(
    "fit",
    "The best loss came back. Return the list of all validation losses.",
    ("return losses", "return best"),
)
fit_returning_losses_to_the_best = edit(
    "fit",
    "The losses after the best epoch are missing. Return one for each epoch that was run.",
    ("return losses", "return losses[: losses.index(best) + 1]"),
)
fit_validating_first = edit(
    "fit",
    "The model was validated before it was trained. In each epoch, train first.",
    ("        train_epoch(model)\n", ""),
    ("losses.append(loss)", "losses.append(loss)\n        model.train()\n        train_epoch(model)"),
)


@right("fit")
def fit_looking_back(model, train_epoch, validate, epochs, patience):
    """Remembers the number of the best epoch, and keeps every epoch's weights."""
    losses, states = [], []
    while len(losses) < epochs:
        model.train()
        train_epoch(model)
        model.eval()
        losses.append(validate(model))
        states.append(copy.deepcopy(model.state_dict()))
        if len(losses) - 1 - losses.index(min(losses)) >= patience:
            break
    model.load_state_dict(states[losses.index(min(losses))])
    return losses


@right("fit")
def fit_counting_down(model, train_epoch, validate, epochs, patience):
    """The patience that is left counts down; each tensor is cloned."""
    losses, left = [], patience
    for _ in range(epochs):
        if left == 0:
            break
        model.train(True)
        train_epoch(model)
        model.train(False)
        loss = validate(model)
        left = patience if not losses or loss < min(losses) else left - 1
        if left == patience:
            kept = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        losses.append(loss)
    model.load_state_dict(kept)
    return losses


# The notebook `evidence`

confusion_transposed = edit(
    "evaluate",
    "Truth and prediction are swapped in the confusion matrix: the row is the truth, the column the prediction.",
    ("0.0, confusion", "0.0, confusion.T"),
)
confusion_praise_first = edit(
    "evaluate",
    "The classes are in the wrong order in the confusion matrix: row and column 0 belong to label 0.",
    ("0.0, confusion", "0.0, confusion[::-1, ::-1]"),
)
confusion_of_shares = edit(
    "evaluate",
    "The confusion matrix holds shares. It holds counts, whole numbers.",
    ("0.0, confusion", "0.0, confusion / len(labels)"),
)
confusion_of_row_shares = edit(
    "evaluate",
    "The rows of the confusion matrix are divided by their sums. It holds counts, whole numbers.",
    ("0.0, confusion", "0.0, confusion / np.maximum(confusion.sum(1, keepdims=True), 1)"),
)
f1_of_both_classes = edit(
    "evaluate",
    "That is the mean of both classes' F1 (macro F1). It is the F1 of the positive class alone that is wanted.",
    ("(_, fp)", "(tn, fp)"),
    ("float(2 * tp / whole) if whole else 0.0", "sum(t / (2 * t + fp + fn) if t + fp + fn else 0.0 for t in (tn, tp))"),
)
f1_of_all_together = edit(
    "evaluate",
    "That is micro F1, over both classes together, which is the accuracy once more. It is the F1 of label 1 that is "
    "wanted.",
    ("float(2 * tp / whole) if whole else 0.0", "float(accuracy)"),
)
f1_without_a_way_out = edit(
    "evaluate",
    "F1 is NaN where nothing is praise and nothing was taken for it: decide the case of 0/0 before you divide.",
    (" if whole else 0.0", ""),
)
f1_divides_by_zero = edit(
    "evaluate",
    "Without praise, precision or recall is a division by zero, which raises or gives NaN. Where F1 is 0/0, it is 0.0; "
    "counting TP, FP and FN avoids both.",
    ("float(2 * tp / whole) if whole else 0.0", "2 / ((int(tp) + int(fp)) / int(tp) + (int(tp) + int(fn)) / int(tp))"),
)
f1_by_precision_and_recall = edit(
    "evaluate",
    "Precision and recall are 0/0 where there is no praise, and NaN spreads. Where F1 is 0/0, return 0.0.",
    (
        "float(2 * tp / whole) if whole else 0.0",
        "2 * (tp / (tp + fp)) * (tp / (tp + fn)) / (tp / (tp + fp) + tp / (tp + fn))",
    ),
)
f1_of_nothing_is_one = edit(
    "evaluate",
    "Where F1 is 0/0 it was taken for 1. With no praise found and none there, return 0.0.",
    ("if whole else 0.0", "if whole else 1.0"),
)
f1_of_blame = edit(
    "evaluate",
    "That is the F1 of label 0. Praise, label 1, is the positive class.",
    ("(_, fp), (fn, tp) = confusion", "(tp, fn), (fp, _) = confusion"),
)
f1_as_arithmetic_mean = edit(
    "evaluate",
    "That is the plain mean of precision and recall. F1 is their harmonic mean, which the smaller of the two governs.",
    ("float(2 * tp / whole) if whole else 0.0", "(tp / max(tp + fp, 1) + tp / max(tp + fn, 1)) / 2"),
)
f1_is_precision = edit(
    "evaluate",
    "That is the precision, the share of praise among what was taken for praise. F1 counts what was missed as well.",
    ("float(2 * tp / whole) if whole else 0.0", "float(tp / max(tp + fp, 1))"),
)
f1_is_recall = edit(
    "evaluate",
    "That is the recall, the share of praise that was found. F1 counts what was wrongly taken for praise as well.",
    ("float(2 * tp / whole) if whole else 0.0", "float(tp / max(tp + fn, 1))"),
)
f1_counts_hits_once = edit(
    "evaluate",
    "That is TP / (TP + FP + FN), another score. In F1, TP counts twice, above the line and below.",
    ("float(2 * tp / whole)", "float(tp / (tp + fp + fn))"),
)
f1_weighted = edit(
    "evaluate",
    "Both classes' F1 are averaged by their sizes (weighted F1). It is the F1 of the positive class alone that is "
    "wanted.",
    ("(_, fp)", "(tn, fp)"),
    (
        "float(2 * tp / whole) if whole else 0.0",
        "sum(np.mean(labels == c) * 2 * t / (2 * t + fp + fn) if t + fp + fn else 0.0 for c, t in enumerate((tn, tp)))",
    ),
)
accuracy_of_praise = edit(
    "evaluate",
    "The accuracy counts praise only. Blame that was found is right as well.",
    ("np.trace(confusion) /", "tp /"),
)
accuracy_is_a_count = edit(
    "evaluate",
    "The accuracy is a count. It is a share, from 0 to 1.",
    ("np.trace(confusion) / len(labels)", "np.trace(confusion)"),
)
accuracy_in_percent = edit(
    "evaluate",
    "The accuracy is in per cent. It is a share, from 0 to 1.",
    ("np.trace(confusion) /", "100 * np.trace(confusion) /"),
)
accuracy_is_the_error = edit(
    "evaluate",
    "That is the share of wrong predictions. The accuracy is the share of right ones.",
    ("float(accuracy)", "float(1 - accuracy)"),
)
sums_of_small_numbers = edit(
    "evaluate",
    "The counts are kept in the dtype of the labels, and in bytes they overflow. Count in whole numbers of full size.",
    (
        "np.sum((labels == row) & (predictions == column))",
        "np.sum((labels == row) & (predictions == column), dtype=labels.dtype)",
    ),
    hidden=True,
)


@right("evaluate")
def evaluate_by_loop(predictions, labels):
    """One review after the other, plain lists."""
    confusion = [[0, 0], [0, 0]]
    for p, y in zip(predictions, labels, strict=True):
        confusion[int(y)][int(p)] += 1
    (tn, fp), (fn, tp) = confusion
    f1 = 0.0 if tp == 0 else 2 * tp / (2 * tp + fp + fn)
    return (tp + tn) / (tp + tn + fp + fn), f1, confusion


@right("evaluate")
def evaluate_by_bincount(predictions, labels):
    """Each pair as one number from 0 to 3, F1 from precision and recall."""
    confusion = np.bincount(2 * labels + predictions, minlength=4).reshape(2, 2)
    tp = confusion[1, 1]
    if not tp:
        return np.mean(labels == predictions), 0, confusion
    precision, recall = tp / confusion[:, 1].sum(), tp / confusion[1].sum()
    return np.mean(labels == predictions), 2 / (1 / precision + 1 / recall), confusion


# --- evaluate_batches ---

mean_of_batches = edit(
    "evaluate_batches",
    "That is the mean of the batches' accuracies, in which a review of a small batch counts more. Each review counts "
    "once.",
    ("np.sum(logits.argmax(axis=1) == labels)", "1e9 * np.mean(logits.argmax(axis=1) == labels)"),
    ("count += len(labels)", "count += 1"),
    ("right / count", "right / count / 1e9"),
)
sum_of_batches = edit(
    "evaluate_batches",
    "The batches' accuracies are added up. Count what is right and count the reviews, and divide once.",
    ("int(np.sum(logits.argmax(axis=1) == labels))", "np.mean(logits.argmax(axis=1) == labels)"),
    ("right / count", "right"),
)
last_batch = edit(
    "evaluate_batches",
    "That is the accuracy of the last batch only: the counts begin anew in each round. Carry them from batch to batch.",
    ("right +=", "right ="),
    ("count +=", "count ="),
)
first_batch = edit(
    "evaluate_batches",
    "That is the accuracy of the first batch only: the answer is returned inside the loop.",
    ("    return right / count", "        return right / count"),
)
best_batch = edit(
    "evaluate_batches",
    "That is the accuracy of the best batch. All reviews of all batches count.",
    (
        "right += int(np.sum(logits.argmax(axis=1) == labels))",
        "right = max(right, np.mean(logits.argmax(axis=1) == labels))",
    ),
    ("right / count", "right"),
)
batches_of_equal_size = edit(
    "evaluate_batches",
    "All batches were taken to be as large as the first. The sizes differ: count the reviews of each.",
    ("right = count = 0", "right = count = size = 0"),
    ("count += len(labels)", "size = size or len(labels)\n        count += size"),
)
batches_as_large_as_the_last = edit(
    "evaluate_batches",
    "All batches were taken to be as large as the last. The sizes differ: count the reviews of each.",
    ("count += len(labels)", "count += 1"),
    ("right / count", "right / (count * len(labels))"),
)
batches_with_a_length = edit(
    "evaluate_batches",
    "The batches come one at a time: there is no length to ask for, and no index. Walk through them in a loop.",
    ("right = count = 0", "right = count = 0 * len(batches)"),
)
batches_twice = edit(
    "evaluate_batches",
    "The batches can be walked through once only: the second time, nothing comes. Count both in the same loop.",
    ("right = count = 0", "right, count = 0, sum(len(labels) for _, labels in batches)"),
    ("        count += len(labels)\n", ""),
)
hits_are_a_count = edit(
    "evaluate_batches",
    "That is how many are right. The accuracy is their share of all reviews.",
    ("right / count", "right"),
)
share_of_misses = edit(
    "evaluate_batches",
    "That is the share of wrong predictions: count where prediction and label are equal.",
    ("argmax(axis=1) == labels", "argmax(axis=1) != labels"),
)
smallest_logit = edit(
    "evaluate_batches",
    "The smallest logit was taken. The predicted label is the one with the largest.",
    ("argmax", "argmin"),
)
positive_logit = edit(
    "evaluate_batches",
    "The last logit was compared with 0, or with one other. The predicted label is the one with the largest of all.",
    ("logits.argmax(axis=1)", "(logits[:, 1] > logits[:, 0])"),
)
logit_above_zero = edit(
    "evaluate_batches",
    "The last logit was compared with 0. The predicted label is the one with the largest logit, whatever its sign.",
    ("logits.argmax(axis=1)", "(logits[:, -1] > 0)"),
)
largest_of_the_batch = edit(
    "evaluate_batches",
    "Without an axis, `argmax` gives one place for the whole batch. Each review has a prediction of its own.",
    ("argmax(axis=1)", "argmax()"),
)
logits_counted = edit(
    "evaluate_batches",
    "The logits are counted, C of them for each review. Count the reviews.",
    ("len(labels)", "logits.size"),
)
best_row = edit(
    "evaluate_batches",
    "The largest logit was looked for down the columns. Each review is a row: go along the last axis.",
    (
        "int(np.sum(logits.argmax(axis=1) == labels))",
        "int(sum(logits.argmax(axis=0)[y] == i for i, y in enumerate(labels)))",
    ),
)


@right("evaluate_batches")
def batches_together(batches):
    """Puts everything together first."""
    logits, labels = zip(*batches, strict=True)
    return np.mean(np.concatenate(logits).argmax(1) == np.concatenate(labels))


@right("evaluate_batches")
def batches_weighed(batches):
    """A running mean, each batch with its weight."""
    mean, count = 0.0, 0
    for logits, labels in batches:
        count += len(labels)
        mean += (np.mean(logits.argmax(1) == labels) - mean) * len(labels) / count
    return mean


# --- paired_difference ---

best_against_best = edit(
    "paired_difference",
    "The best seed of each is compared. Luck decides which that is: take the mean over all shared seeds.",
    ("float(differences.mean())", "max(b.values()) - max(a.values())"),
)
best_shared_against_best = edit(
    "paired_difference",
    "The best shared seed of each is compared. Luck decides which that is: take the mean over all shared seeds.",
    ("float(differences.mean())", "max(b[s] for s in b if s in a) - max(a[s] for s in a if s in b)"),
)
largest_difference = edit(
    "paired_difference",
    "That is the largest difference. Take the mean over all shared seeds.",
    ("differences.mean()", "differences.max()"),
)
mean_with_lonely_seeds = edit(
    "paired_difference",
    "The mean counts seeds that have no partner. Take those that both have.",
    ("float(differences.mean())", "float(np.mean(list(b.values())) - np.mean(list(a.values())))"),
)
sum_of_differences = edit(
    "paired_difference",
    "That is the sum of the differences: divide it by how many there are.",
    ("differences.mean()", "differences.sum()"),
)
median_difference = edit(
    "paired_difference",
    "That is the median of the differences. The mean is wanted, whose error s/√n is.",
    ("differences.mean()", "np.median(differences)"),
)
size_of_differences = edit(
    "paired_difference",
    "The differences have lost their signs: a seed with which a is better counts against b.",
    ("b[seed] - a[seed]", "abs(b[seed] - a[seed])"),
)
unpaired_error = edit(
    "paired_difference",
    "The error is that of two samples without pairs. Use the spread of the differences, which the shared luck is not "
    "in.",
    ("differences.std(ddof=1)", "np.sqrt(sum(np.var([x[s] for s in a if s in b], ddof=1) for x in (a, b)))"),
)
deviation_for_error = edit(
    "paired_difference",
    "That is the standard deviation of single differences. The error of their mean is smaller: divide it by √n.",
    (" / math.sqrt(len(differences))", ""),
)
pairs_by_place = edit(
    "paired_difference",
    "The pairs were made by place. The dicts list their seeds in any order: look each seed up in both.",
    ("b[seed] - a[seed] for seed in a if seed in b", "y - x for x, y in zip(a.values(), b.values(), strict=False)"),
)
pairs_by_place_of_shared_seeds = edit(
    "paired_difference",
    "Lonely seeds are gone, and the pairs were made by place. Look each shared seed up in both dicts.",
    (
        "b[seed] - a[seed] for seed in a if seed in b",
        "y - x for x, y in zip([a[s] for s in a if s in b], [b[s] for s in b if s in a])",
    ),
)
error_with_n = edit(
    "paired_difference",
    "n stands below the sum of squares, as is NumPy's default. The standard deviation has n − 1 there: `ddof=1`.",
    ("ddof=1", "ddof=0"),
)
error_with_n_minus_one_twice = edit(
    "paired_difference",
    "n − 1 stands below the root as well. It belongs into the standard deviation; the mean's error divides that by √n.",
    ("math.sqrt(len(differences))", "math.sqrt(len(differences) - 1)"),
)
lonely_seeds_as_zeros = edit(
    "paired_difference",
    "A seed that one dict does not have counts as an accuracy of 0. Take the seeds that both have.",
    ("b[seed] - a[seed] for seed in a if seed in b", "b.get(seed, 0) - a.get(seed, 0) for seed in a | b"),
)
error_before_mean = edit(
    "paired_difference",
    "The pair is swapped: the mean comes first, its error second.",
    (
        "return float(differences.mean()), float(differences.std(ddof=1) / math.sqrt(len(differences)))",
        "return float(differences.std(ddof=1) / math.sqrt(len(differences))), float(differences.mean())",
    ),
)
error_over_n = edit(
    "paired_difference",
    "The standard deviation is divided by n. Divide it by the root of n.",
    ("math.sqrt(len(differences))", "len(differences)"),
)
variance_over_n = edit(
    "paired_difference",
    "That is the variance over n, the square of the error: take the root.",
    ("differences.std(ddof=1) / math.sqrt", "differences.var(ddof=1) / "),
)
half_an_interval = edit(
    "paired_difference",
    "That is half the width of an interval, 1.96 errors. The error itself is wanted.",
    ("differences.std(ddof=1)", "1.96 * differences.std(ddof=1)"),
)
error_of_b_alone = edit(
    "paired_difference",
    "That is the error of b's mean alone. Use the spread of the differences.",
    ("differences.std(ddof=1)", "np.std([b[s] for s in b if s in a], ddof=1)"),
)
error_counts_lonely_seeds = edit(
    "paired_difference",
    "The root is of the number of seeds in one dict. `n` is how many differences there are.",
    ("math.sqrt(len(differences))", "math.sqrt(len(a))"),
)
a_minus_b = edit(
    "paired_difference",
    "The sign is turned: it is b minus a, so that a positive number means that b is better.",
    ("b[seed] - a[seed]", "a[seed] - b[seed]"),
)
all_seeds_of_a = edit(
    "paired_difference",
    "A seed was looked up that the other dict does not have. Take the seeds that both have.",
    ("for seed in a if seed in b", "for seed in a"),
)
accuracy_zero_taken_for_missing = edit(
    "paired_difference",
    "An accuracy of 0 was taken for one that is missing. Ask whether the seed is in the dict, not whether its number "
    "is true.",
    ("if seed in b", "if b.get(seed) and a[seed]"),
    hidden=True,
)


@right("paired_difference")
def pairs_sorted(a, b):
    """Sorted shared seeds, SciPy's standard error."""
    shared = sorted(a.keys() & b.keys())
    d = np.subtract([b[s] for s in shared], [a[s] for s in shared])
    return np.mean(d), stats.sem(d)


@right("paired_difference")
def pairs_by_sums(a, b):
    """Plain Python."""
    d = [y - a[seed] for seed, y in b.items() if seed in a]
    mean = sum(d) / len(d)
    return mean, math.sqrt(sum((x - mean) ** 2 for x in d) / (len(d) - 1) / len(d))


# --- compare_seeds ---

bootstrap_unpaired = edit(
    "compare_seeds",
    "The seeds of a and of b are drawn independently, so that the luck of each comes in. A seed that is drawn brings "
    "both its "
    "accuracies.",
    (
        "means = differences[rng.integers(n, size=(count, n))].mean(axis=1)",
        "means = b[rng.integers(n, size=(count, n))].mean(1) - a[rng.integers(n, size=(count, n))].mean(1)",
    ),
)
bootstrap_of_the_best = edit(
    "compare_seeds",
    "The best seed of each is compared. The first number is the mean difference of all seeds.",
    ("float(differences.mean())", "float(b.max() - a.max())"),
    hidden=True,
)
largest_of_the_seeds = edit(
    "compare_seeds",
    "The first number is the largest difference. It is the mean over all seeds.",
    ("float(differences.mean())", "float(differences.max())"),
)
mean_of_the_draws = edit(
    "compare_seeds",
    "The first number is the mean of the draws, which is right only nearly. It is the mean difference of the seeds "
    "as they are.",
    ("float(differences.mean())", "float(means.mean())"),
)
bootstrap_of_one_case = edit(
    "compare_seeds",
    "That is the interval of b's own mean. Draw from the differences.",
    ("means = differences[", "means = b["),
)
bootstrap_of_a = edit(
    "compare_seeds",
    "That is the interval of a's own mean. Draw from the differences.",
    ("means = differences[", "means = a["),
)
bootstrap_of_a_minus_b = edit(
    "compare_seeds",
    "The sign is turned: it is b minus a, so that a positive number means that b is better.",
    ("differences = b - a", "differences = a - b"),
)
percentiles_of_the_differences = edit(
    "compare_seeds",
    "That is where single seeds lie. How far the mean might have come out elsewhere is asked: take the percentiles "
    "of many "
    "means.",
    ("np.percentile(means,", "np.percentile(differences,"),
)
single_draws = edit(
    "compare_seeds",
    "That is where single seeds lie. How far the mean might have come out elsewhere is asked: take the percentiles "
    "of many "
    "means.",
    (".mean(axis=1)", ".ravel()"),
)
bootstrap_without_replacement = edit(
    "compare_seeds",
    "Every draw holds each seed once, so that all means are the same. Draw with replacement.",
    (
        "differences[rng.integers(n, size=(count, n))].mean(axis=1)",
        "[rng.permutation(differences).mean() for _ in range(count)]",
    ),
)
ninety_per_cent = edit(
    "compare_seeds",
    "Those are the percentiles 5 and 95, which leave out a tenth. For 95 % leave out 2.5 on each side.",
    ("[2.5, 97.5]", "[5, 95]"),
)
lowest_and_highest = edit(
    "compare_seeds",
    "Those are the lowest and the highest draw. Take the percentiles 2.5 and 97.5.",
    ("[2.5, 97.5]", "[0, 100]"),
)
percent_as_shares = edit(
    "compare_seeds",
    "`np.percentile` counts to 100: 0.025 and 0.975 are hardly above the lowest draw. Take 2.5 and 97.5.",
    ("[2.5, 97.5]", "[0.025, 0.975]"),
)
high_before_low = edit(
    "compare_seeds",
    "The two ends of the interval are swapped: low comes before high.",
    ("float(low), float(high)", "float(high), float(low)"),
)
deviation_for_interval = edit(
    "compare_seeds",
    "That is one standard deviation of the differences to each side. Draw, and take the percentiles of the draws' "
    "means.",
    (
        "low, high = np.percentile(means, [2.5, 97.5])",
        "low, high = differences.mean() + differences.std(ddof=1) * np.array([-1, 1])",
    ),
)
two_deviations_for_interval = edit(
    "compare_seeds",
    "That is 1.96 standard deviations to each side: single seeds lie there. Draw, and take the percentiles of the "
    "means.",
    (
        "low, high = np.percentile(means, [2.5, 97.5])",
        "low, high = differences.mean() + differences.std(ddof=1) * np.array([-1.96, 1.96])",
    ),
)
one_error_for_interval = edit(
    "compare_seeds",
    "That is one standard error to each side, by a formula. The bootstrap draws, and takes percentiles.",
    (
        "low, high = np.percentile(means, [2.5, 97.5])",
        "low, high = differences.mean() + stats.sem(differences) * np.array([-1, 1])",
    ),
)
two_errors_for_interval = edit(
    "compare_seeds",
    "That is 1.96 standard errors to each side, by a formula, as if the means were spread evenly. The bootstrap "
    "draws, and "
    "takes percentiles.",
    (
        "low, high = np.percentile(means, [2.5, 97.5])",
        "low, high = differences.mean() + stats.sem(differences) * np.array([-1.96, 1.96])",
    ),
)
interval_mirrored = edit(
    "compare_seeds",
    "The interval is mirrored at the mean. The percentiles are taken as they are.",
    ("float(low), float(high)", "float(2 * differences.mean() - high), float(2 * differences.mean() - low)"),
)
medians_of_draws = edit(
    "compare_seeds",
    "The median of each draw was taken. Take its mean.",
    (".mean(axis=1)", "; means = np.median(means, axis=1)"),
)
best_of_draws = edit(
    "compare_seeds",
    "The best of each draw was taken. Take its mean.",
    (".mean(axis=1)", ".max(axis=1)"),
)
half_as_many_seeds = edit(
    "compare_seeds",
    "Fewer seeds than there are were drawn, and the interval is too wide. A draw has n of them.",
    ("size=(count, n)", "size=(count, n // 2)"),
)
last_seed_never_drawn = edit(
    "compare_seeds",
    "The last seed is never drawn: the end that `rng.integers` is given does not belong to what it draws.",
    ("rng.integers(n,", "rng.integers(n - 1,"),
    hidden=True,
)
draws_of_another_number = edit(
    "compare_seeds",
    "The number of draws is fixed in the code. `count` says how many.",
    ("size=(count, n)", "size=(2000, n)"),
    hidden=True,
)
bootstrap_from_elsewhere = edit(
    "compare_seeds",
    "With `rng` in the same state, other answers come: chance is drawn from a generator of one's own. All of it "
    "comes from "
    "`rng`.",
    ("rng.integers", "np.random.default_rng().integers"),
)
bootstrap_with_a_seed_of_its_own = edit(
    "compare_seeds",
    "Whatever `rng` is, the same answer comes: chance is drawn from a generator with a fixed seed. All of it comes "
    "from `rng`.",
    ("rng.integers", "np.random.default_rng(0).integers"),
    hidden=True,
)


@right("compare_seeds")
def bootstrap_by_choice(a, b, rng, count=2000):
    """Draws rows of pairs, and sorts the means by hand."""
    pairs = np.stack([a, b], axis=1)
    means = []
    for _ in range(count):
        drawn = rng.choice(pairs, size=len(pairs))
        means.append(drawn[:, 1].mean() - drawn[:, 0].mean())
    means.sort()
    return b.mean() - a.mean(), means[int(0.025 * count)], means[int(0.975 * count)]


@right("compare_seeds")
def bootstrap_by_counts(a, b, rng, count=2000):
    """How often each seed is drawn, from a multinomial."""
    n = len(a)
    means = rng.multinomial(n, np.full(n, 1 / n), size=count) @ (b - a) / n
    return np.mean(b - a), np.quantile(means, 0.025), np.quantile(means, 0.975)


# --- mcnemar ---

mcnemar_of_all_right = edit(
    "mcnemar",
    "Those are all that each gets right. Where both are right, nothing tells them apart: count where the other is "
    "wrong.",
    ("np.sum(right_a & ~right_b)", "np.sum(right_a)"),
    ("np.sum(right_b & ~right_a)", "np.sum(right_b)"),
)
mcnemar_of_praise = edit(
    "mcnemar",
    "Only reviews that are praise, or were taken for it, are counted. A model can be right about blame as well.",
    (
        "right_a, right_b = pred_a == labels, pred_b == labels",
        "right_a, right_b = (pred_a == 1) & (labels == 1), (pred_b == 1) & (labels == 1)",
    ),
)
mcnemar_of_predictions = edit(
    "mcnemar",
    "The predictions are compared with each other, and the labels are not looked at. Who is right?",
    ("pred_a == labels, pred_b == labels", "pred_a == 1, pred_b == 1"),
)
mcnemar_one_sided = edit(
    "mcnemar",
    "That is the chance on one side. The test is two-sided: twice that, and at most 1.",
    ("2 * tail", "tail"),
)
mcnemar_of_exactly_k = edit(
    "mcnemar",
    "That is the chance of exactly k heads, doubled. k or fewer are asked: add them up.",
    ("sum(math.comb(n, i) for i in range(k + 1))", "math.comb(n, k)"),
)
mcnemar_of_fewer_than_k = edit(
    "mcnemar",
    "k itself is left out: `range(k)` ends before it. k or fewer are asked.",
    ("range(k + 1)", "range(k)"),
)
mcnemar_of_the_larger = edit(
    "mcnemar",
    "The larger count was taken for k. It is the smaller of the two.",
    ("min(only_a, only_b)", "max(only_a, only_b)"),
)
mcnemar_of_all_reviews = edit(
    "mcnemar",
    "A coin is tossed for every review. Only those that exactly one model gets right are coins.",
    ("n, k = only_a + only_b,", "n, k = len(labels),"),
)
mcnemar_is_one_minus_p = edit(
    "mcnemar",
    "That is 1 − p. A small p speaks against equally good models.",
    ("min(1.0, 2 * tail)", "1 - min(1.0, 2 * tail)"),
)
mcnemar_mid_p = edit(
    "mcnemar",
    "The chance of exactly k is counted once on both sides together (that is a mid-p value). Double the whole tail.",
    ("min(1.0, 2 * tail)", "min(1.0, 2 * tail - math.comb(n, k) / 2**n)"),
)
mcnemar_of_different_predictions = edit(
    "mcnemar",
    "The counts are of all that each gets right. Only reviews that exactly one gets right are counted, and tossed.",
    ("np.sum(right_a & ~right_b)", "np.sum(right_a)"),
    ("np.sum(right_b & ~right_a)", "np.sum(right_b)"),
    ("n, k = only_a + only_b,", "n, k = int(np.sum(pred_a != pred_b)),"),
)
mcnemar_chi_square = edit(
    "mcnemar",
    "That is the chi-square approximation, which is for large counts. The exact p is wanted: add up the tosses.",
    ("min(1.0, 2 * tail)", "float(stats.chi2.sf((only_a - only_b) ** 2 / max(n, 1), 1))"),
)
mcnemar_corrected_chi_square = edit(
    "mcnemar",
    "That is the corrected chi-square approximation. The exact p is wanted: add up the tosses.",
    ("min(1.0, 2 * tail)", "float(stats.chi2.sf(max(abs(only_a - only_b) - 1, 0) ** 2 / max(n, 1), 1))"),
)


@wrong("mcnemar")
def two_shares(pred_a, pred_b, labels):
    """That compares two shares as if they were of different reviews. Both models read the same ones: use the pairs."""
    right_a, right_b, n = pred_a == labels, pred_b == labels, len(labels)
    a, b = int(np.sum(right_a & ~right_b)), int(np.sum(right_b & ~right_a))
    pooled = (right_a.mean() + right_b.mean()) / 2
    z = (right_a.mean() - right_b.mean()) / math.sqrt(2 * pooled * (1 - pooled) / n)
    return a, b, float(2 * stats.norm.sf(abs(z)))


mcnemar_without_a_limit = edit(
    "mcnemar",
    "p is above 1: where the two counts are close, the two tails overlap. It is never more than 1.",
    ("min(1.0, 2 * tail)", "2 * tail"),
)
mcnemar_of_nothing = edit(
    "mcnemar",
    "Where neither model is alone right, there is no coin, and a division by zero or NaN. There, p is 1.",
    ("min(1.0, 2 * tail)", "stats.binomtest(only_a, only_a + only_b).pvalue"),
)
mcnemar_of_nothing_is_zero = edit(
    "mcnemar",
    "Where neither model is alone right, p came out as 0. Nothing tells them apart there, so p is 1.",
    ("min(1.0, 2 * tail)", "min(1.0, 2 * tail) if n else 0.0"),
)
mcnemar_swapped = edit(
    "mcnemar",
    "The two counts are swapped: the first one is where a alone is right.",
    ("return only_a, only_b", "return only_b, only_a"),
)
mcnemar_p_alone = edit(
    "mcnemar",
    "The p-value came back alone. Return the triple of both counts and p.",
    ("return only_a, only_b, min", "return min"),
)
mcnemar_in_floats = edit(
    "mcnemar",
    "With many coins, numbers become too large or too small for a float on the way. Python's whole numbers have no "
    "limit: divide "
    "last.",
    ("sum(math.comb(n, i) for i in range(k + 1)) / 2**n", "sum(float(math.comb(n, i)) * 0.5**n for i in range(k + 1))"),
    hidden=True,
)


@right("mcnemar")
def mcnemar_by_scipy(pred_a, pred_b, labels):
    """Lets SciPy do the test."""
    better = (pred_a == labels).astype(int) - (pred_b == labels)
    a, b = np.count_nonzero(better > 0), np.count_nonzero(better < 0)
    return a, b, stats.binomtest(a, a + b).pvalue if a + b else 1


@right("mcnemar")
def mcnemar_by_pascal(pred_a, pred_b, labels):
    """Tosses one coin after the other, in plain Python."""
    a = b = 0
    for p, q, y in zip(pred_a, pred_b, labels, strict=True):
        a += p == y and q != y
        b += q == y and p != y
    chances = np.ones(1)
    for _ in range(int(a + b)):
        chances = (np.append(0.0, chances) + np.append(chances, 0.0)) / 2
    return int(a), int(b), min(1.0, 2 * float(sum(chances[: int(min(a, b)) + 1])))


# --- leave_one_out ---

weights_for_effects = edit(
    "leave_one_out",
    "Those are the attention weights. They say how much was read, not what came of it: take the word away, and look.",
    ("return [whole - model.score(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]", "return model.weights(ids)"),
)
weights_times_score = edit(
    "leave_one_out",
    "Those are the attention weights times the score. What was read is not what came of it: take the word away, and "
    "look.",
    (
        "[whole - model.score(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]",
        "[whole * w for w in model.weights(ids)]",
    ),
)
padding_for_removal = edit(
    "leave_one_out",
    "The word was replaced by 0. Taken out means that the list is one shorter.",
    ("ids[:i] + ids[i + 1 :]", "ids[:i] + [0] + ids[i + 1 :]"),
)
unknown_for_removal = edit(
    "leave_one_out",
    "The word was replaced by 1. Taken out means that the list is one shorter.",
    ("ids[:i] + ids[i + 1 :]", "ids[:i] + [1] + ids[i + 1 :]"),
)
shorter_minus_whole = edit(
    "leave_one_out",
    "The sign is turned: it is the whole minus the shorter one, so that a word which speaks for praise is positive.",
    ("whole - model.score(ids[:i] + ids[i + 1 :])", "model.score(ids[:i] + ids[i + 1 :]) - whole"),
)
word_removed_everywhere = edit(
    "leave_one_out",
    "A word that occurs twice was taken out everywhere. Take out one place at a time.",
    ("ids[:i] + ids[i + 1 :]", "[other for other in ids if other != ids[i]]"),
)
first_place_of_the_word = edit(
    "leave_one_out",
    "The first place that holds the word was taken out, as `remove` does. Take out this place.",
    ("ids[:i] + ids[i + 1 :]", "ids[: ids.index(ids[i])] + ids[ids.index(ids[i]) + 1 :]"),
)
keep_one_in = edit(
    "leave_one_out",
    "That is the score of each word alone. Leave one out, and keep all others.",
    ("whole - model.score(ids[:i] + ids[i + 1 :])", "model.score([ids[i]])"),
)
whole_minus_one_word = edit(
    "leave_one_out",
    "That is the whole minus the score of the word alone. Leave one out, and keep all others.",
    ("ids[:i] + ids[i + 1 :]", "[ids[i]]"),
)
score_without = edit(
    "leave_one_out",
    "That is the score without the word. Subtract it from the score of the whole.",
    ("whole - model", "model"),
)
size_of_the_change = edit(
    "leave_one_out",
    "The changes have lost their sign: a word that speaks for blame is negative.",
    ("whole - model.score(ids[:i] + ids[i + 1 :])", "abs(whole - model.score(ids[:i] + ids[i + 1 :]))"),
)
words_removed_for_good = edit(
    "leave_one_out",
    "The words were taken out one after the other, and none was put back. Begin with the whole list each time.",
    ("ids[:i] + ids[i + 1 :]", "ids[i + 1 :]"),
)
words_of_the_beginning = edit(
    "leave_one_out",
    "All that comes after the place was taken out as well. Put the words before it and those after it together.",
    ("ids[:i] + ids[i + 1 :]", "ids[:i]"),
)
neighbour_removed = edit(
    "leave_one_out",
    "The word's neighbour on the right was taken out: a slice ends before its last number.",
    ("ids[:i] + ids[i + 1 :]", "ids[: i + 1] + ids[i + 2 :]"),
)
changes_as_shares = edit(
    "leave_one_out",
    "The changes were divided by their sum. They are differences of two scores, as they are.",
    (
        "return [whole - model.score(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]",
        "found = [whole - model.score(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]\n"
        "    return [x / (sum(map(abs, found)) or 1) for x in found]",
    ),
)
changes_relative_to_the_whole = edit(
    "leave_one_out",
    "The changes were divided by the score of the whole. They are differences of two scores, as they are.",
    (
        "whole - model.score(ids[:i] + ids[i + 1 :])",
        "(whole - model.score(ids[:i] + ids[i + 1 :])) / (whole or 1)",
    ),
)
nothing_left_scores_zero = edit(
    "leave_one_out",
    "Where nothing is left, 0 was taken for the score. The model has a score for an empty list, too: ask it.",
    ("model.score(ids[:i] + ids[i + 1 :])", "(model.score(ids[:i] + ids[i + 1 :]) if len(ids) > 1 else 0)"),
)
removed_from_the_list_itself = edit(
    "leave_one_out",
    "The list that came in is changed: words were taken out of it. Work on a copy, and put nothing back.",
    (
        "[whole - model.score(ids[:i] + ids[i + 1 :]) for i in range(len(ids))]",
        "[whole - model.score(ids) for _ in range(len(ids)) if [ids.pop(0)]]",
    ),
)


@right("leave_one_out")
def removal_by_pop(model, ids):
    """Copies the list and pops."""
    changes = []
    for i in range(len(ids)):
        rest = list(ids)
        rest.pop(i)
        changes.append(model.score(list(ids)) - model.score(rest))
    return changes


@right("leave_one_out")
def removal_by_numpy(model, ids):
    """np.delete, and an array for an answer."""
    return model.score(ids) - np.array([model.score(np.delete(ids, i).tolist()) for i in range(len(ids))])


# --- rank_agreement ---

agreement_by_a_standard_deviation_of_0 = edit(
    "rank_agreement",
    "A list of equal numbers may have a standard deviation that is not quite 0: three times 0.1 has 1.4e-17. Then NaN "
    "comes back. Ask it of the ranks, which are exact.",
    ("    centred = []\n", "    if a.std() == 0 or b.std() == 0:\n        return 0.0\n    centred = []\n"),
    ("/ size if size else 0.0", "/ size if size else math.nan"),
    hidden=True,
)
pearson = edit(
    "rank_agreement",
    "That is the correlation of the numbers themselves. Take their ranks: only the order counts.",
    ("(x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) + 1) / 2", "x.astype(float)"),
)
one_argsort = edit(
    "rank_agreement",
    "`np.argsort` gives where the smallest number stands, which is no rank. A number's rank follows from how many "
    "are smaller.",
    ("(x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) + 1) / 2", 'np.argsort(x, kind="stable")'),
)
two_argsorts = edit(
    "rank_agreement",
    "Equal numbers have got different ranks, in the order in which they stand. They share the mean of their ranks.",
    (
        "(x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) + 1) / 2",
        'np.argsort(np.argsort(x, kind="stable"))',
    ),
)
ranks_from_the_bottom = edit(
    "rank_agreement",
    "Equal numbers have got the lowest of their ranks. They share the mean of the ranks that they take up together.",
    (" + ((x[:, None] == x).sum(axis=1) + 1) / 2", ""),
)
ranks_from_the_top = edit(
    "rank_agreement",
    "Equal numbers have got the highest of their ranks. They share the mean of the ranks that they take up together.",
    ("(x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) + 1) / 2", "(x[:, None] >= x).sum(axis=1)"),
)
ranks_without_gaps = edit(
    "rank_agreement",
    "After equal numbers the ranks go on without a gap. Equal numbers use up as many ranks as they are.",
    ("(x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) + 1) / 2", "np.unique(x, return_inverse=True)[1]"),
)
short_formula = edit(
    "rank_agreement",
    "The short formula with 6 and the squared differences is right only without ties. Take the correlation of the "
    "ranks.",
    (
        "float(r @ s) / size if size else 0.0",
        "1 - 6 * float((r - s) @ (r - s)) / (len(r) * (len(r) ** 2 - 1)) if size else 0.0",
    ),
)
short_formula_throughout = edit(
    "rank_agreement",
    "The short formula with 6 and the squared differences is right only without ties, and where a list is constant "
    "it is no "
    "answer at all. Take the correlation of the ranks.",
    (
        "float(r @ s) / size if size else 0.0",
        "1 - 6 * float((r - s) @ (r - s)) / (len(r) * (len(r) ** 2 - 1))",
    ),
)
two_argsorts_unless_constant = edit(
    "rank_agreement",
    "Equal numbers have got different ranks, in the order in which they stand. They share the mean of their ranks.",
    (
        "(x[:, None] > x).sum(axis=1) + ((x[:, None] == x).sum(axis=1) + 1) / 2",
        'np.argsort(np.argsort(x, kind="stable")) * (x.min() < x.max())',
    ),
)
kendalls_tau = edit(
    "rank_agreement",
    "That is Kendall's tau, which counts pairs. Spearman's is the correlation of the ranks.",
    ("float(r @ s) / size", "float(stats.kendalltau(r, s).statistic)"),
)
nothing_to_rank = edit(
    "rank_agreement",
    "NaN came back where all numbers of a list are equal. There is no order to compare: return 0.0.",
    ("float(r @ s) / size if size else 0.0", "float(np.float64(r @ s) / size)"),
)
nothing_to_rank_raises = edit(
    "rank_agreement",
    "A division by zero, where all numbers of a list are equal. There is no order to compare: return 0.0.",
    (" if size else 0.0", ""),
)
nothing_to_rank_is_one = edit(
    "rank_agreement",
    "Where all numbers of a list are equal, 1 came back. There is no order to compare: return 0.0.",
    ("if size else 0.0", "if size else 1.0"),
)
agreement_without_sign = edit(
    "rank_agreement",
    "The sign is lost: a reversed order gives −1.",
    ("float(r @ s)", "abs(float(r @ s))"),
)
agreement_turned = edit(
    "rank_agreement",
    "The sign is turned: the same order gives 1, the reverse −1. Are both ranked from the smallest up?",
    ("float(r @ s)", "-float(r @ s)"),
)
ranks_not_centred = edit(
    "rank_agreement",
    "The ranks are not centred: the mean rank is to be taken away before the products are added.",
    ("ranks - ranks.mean()", "ranks"),
)
agreement_not_divided = edit(
    "rank_agreement",
    "The products of the centred ranks are not divided by the sizes: a correlation is never above 1.",
    (" / size if size", " if size"),
)


@right("rank_agreement")
def ranks_by_scipy(a, b):
    """SciPy's Spearman, with its NaN replaced."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0
    return stats.spearmanr(a, b).statistic


@right("rank_agreement")
def ranks_by_sorting(a, b):
    """Plain Python: the mean place in the sorted list."""

    def ranks(x):
        ordered = sorted(x)
        return [ordered.index(v) + (1 + ordered.count(v)) / 2 for v in x]

    r, s = ranks(a.tolist()), ranks(b.tolist())
    mean = (len(r) + 1) / 2
    top = sum((p - mean) * (q - mean) for p, q in zip(r, s, strict=True))
    low = sum((p - mean) ** 2 for p in r) * sum((q - mean) ** 2 for q in s)
    return top / low**0.5 if low else 0.0


# The notebook `pretraining`

mask_padding_too = edit(
    "mask_tokens",
    "Padding is chosen, too. Nobody can guess it, and nothing is learned from it: choose among the words only.",
    (" & (ids != PADDING)", ""),
)
mask_always_a_gap = edit(
    "mask_tokens",
    "Every chosen place shows the gap. One in ten shows another word and one in ten its own, so that the model has to "
    "know something at every place.",
    ("np.where(chosen & (fate < 0.8), MASK, ids)", "np.where(chosen, MASK, ids)"),
    ("shown = np.where(chosen & (fate >= 0.8) & (fate < 0.9), other, shown)", "pass"),
)
mask_never_itself = edit(
    "mask_tokens",
    "No chosen place shows the word that was there. One in ten of them does.",
    (" & (fate < 0.9)", ""),
)
mask_no_other_word = edit(
    "mask_tokens",
    "No chosen place shows another word. One in ten of them does, so that no word can be trusted blindly.",
    ("shown = np.where(chosen & (fate >= 0.8) & (fate < 0.9), other, shown)", "pass"),
)
mask_asks_for_everything = edit(
    "mask_tokens",
    "Every place has a target. Where nothing is hidden the answer can be copied: ask for the chosen words only, and "
    "put -100 elsewhere.",
    ("np.where(chosen, ids, -100)", "np.where(ids != PADDING, ids, -100)"),
)
mask_asks_for_gaps_only = edit(
    "mask_tokens",
    "Only the gaps have a target. A chosen place is asked for whatever it shows: the gap, another word, or its own.",
    ("np.where(chosen, ids, -100)", "np.where(shown == MASK, ids, -100)"),
)
mask_targets_of_zero = edit(
    "mask_tokens",
    "Where nothing is asked, the target is 0: that asks for padding. The loss leaves out -100.",
    ("np.where(chosen, ids, -100)", "np.where(chosen, ids, 0)"),
)
mask_targets_shown = edit(
    "mask_tokens",
    "The targets are what is shown, so that the model is asked for the gap itself. They are the words that stood "
    "there.",
    ("np.where(chosen, ids, -100)", "np.where(chosen, shown, -100)"),
)
mask_one_column = edit(
    "mask_tokens",
    "All reviews have their gaps at the same places. Draw for each place of each review: an array of the shape of "
    "`ids`.",
    ("rng.random(ids.shape) < 0.15", "rng.random(ids.shape[1]) < 0.15"),
)
mask_one_chance_for_both = edit(
    "mask_tokens",
    "One random number decides both whether a place is chosen and what it shows. A chosen one is below 0.15, and so "
    "always below 0.8: draw a second number.",
    (
        "chosen = (rng.random(ids.shape) < 0.15) & (ids != PADDING)  # (B, T)\n    fate = rng.random(ids.shape)",
        "fate = rng.random(ids.shape)\n    chosen = (fate < 0.15) & (ids != PADDING)",
    ),
)
mask_generator_of_its_own = edit(
    "mask_tokens",
    "Each call hides the same places: it draws from a generator of its own. Draw from `rng`, and each reading of a "
    "review has other gaps.",
    ("chosen = (rng", "rng = np.random.default_rng(0)\n    chosen = (rng"),
)
mask_one_other_word = edit(
    "mask_tokens",
    "One word is drawn for the whole batch. Draw one for each place.",
    ("rng.integers(FIRST, VOCABULARY, ids.shape)", "rng.integers(FIRST, VOCABULARY)"),
)
mask_fifteen_gaps = edit(
    "mask_tokens",
    "15 % of the words are gaps. 15 % are chosen, and 80 % of those show the gap.",
    ("rng.random(ids.shape) < 0.15", "rng.random(ids.shape) < 0.15 / 0.8"),
)
mask_special_numbers = edit(
    "mask_tokens",
    "Padding and the gap are among the numbers that are drawn as other words. Words begin at `FIRST`.",
    ("rng.integers(FIRST, VOCABULARY, ids.shape)", "rng.integers(0, 40, ids.shape)"),
)


@wrong("mask_tokens")
def mask_in_place(ids, rng):
    """The gaps are written into `ids` itself, and the next reading would find them there. Work on a copy."""
    chosen = (rng.random(ids.shape) < 0.15) & (ids != PADDING)
    fate, other = rng.random(ids.shape), rng.integers(FIRST, VOCABULARY, ids.shape)
    targets = np.where(chosen, ids, -100)
    ids[chosen & (fate < 0.8)] = MASK
    drawn = chosen & (fate >= 0.8) & (fate < 0.9)
    ids[drawn] = other[drawn]
    return ids, targets


@right("mask_tokens")
def mask_place_by_place(ids, rng):
    """A loop over the places."""
    shown, targets = ids.copy(), np.full_like(ids, -100)
    for at in zip(*np.nonzero(ids), strict=True):
        if rng.random() < 0.15:
            targets[at] = ids[at]
            fate = rng.choice(3, p=[0.8, 0.1, 0.1])
            shown[at] = (MASK, rng.integers(FIRST, VOCABULARY), ids[at])[fate]
    return shown, targets


@right("mask_tokens")
def mask_by_one_number(ids, rng):
    """One number for each place, cut at 0.12, 0.135 and 0.15."""
    number = rng.random(ids.shape)
    number[ids == PADDING] = 1
    other = rng.integers(FIRST, VOCABULARY, ids.shape)
    return np.select([number < 0.12, number < 0.135], [MASK, other], ids), np.where(number < 0.15, ids, -100)


mask_one_fate_a_row = edit(
    "mask_tokens",
    "What happens to a chosen word was decided once for each review. Each place has a fate of its own.",
    ("fate = rng.random(ids.shape)  # (B, T)", "fate = rng.random((len(ids), 1))"),
    hidden=True,
)
mask_one_word_a_column = edit(
    "mask_tokens",
    "One word was drawn for each column, and all reviews show it there. Draw one for each place.",
    ("rng.integers(FIRST, VOCABULARY, ids.shape)", "rng.integers(FIRST, VOCABULARY, ids.shape[1])"),
    hidden=True,
)
mask_one_word_a_row = edit(
    "mask_tokens",
    "One word was drawn for each review, which shows it at every place. Draw one for each place.",
    ("rng.integers(FIRST, VOCABULARY, ids.shape)", "rng.integers(FIRST, VOCABULARY, (len(ids), 1))"),
    hidden=True,
)
mask_draws_from_the_first_words = edit(
    "mask_tokens",
    "The other words come from a part of the vocabulary only. Draw them evenly from `FIRST` to `VOCABULARY - 1`.",
    ("other = rng.integers(FIRST, VOCABULARY, ids.shape)  # (B, T)", "other = rng.integers(FIRST, 1000, ids.shape)"),
    hidden=True,
)


@wrong("freeze")
def freeze_the_module(model, what):
    """`requires_grad` was set at the module, where nobody reads it: the optimiser moves its parameters as before."""
    names = [name for name, _ in model.named_parameters()]
    for part in what:
        if not any(f"{name}.".startswith(f"{part}.") for name in names):
            raise ValueError(part)
        owner = model
        for step in part.split("."):
            owner = getattr(owner, step) if hasattr(owner, step) else owner[step]
        if isinstance(owner, nn.Module):
            owner.requires_grad = False
    return [name for name in names if not any(f"{name}.".startswith(f"{part}.") for part in what)]


freeze_in_eval_mode = edit(
    "freeze",
    "The parameters learn as before. Eval mode switches dropout off, and no gradient: each parameter has a switch of "
    "its own, `requires_grad_`.",
    ("parameter.requires_grad_(not fitting)", "model.eval()"),
    ("            parameter.grad = None\n", "            pass\n"),
)
freeze_with_zeros = edit(
    "freeze",
    "The gradients are set to 0 once. The next backward pass fills them again, and even at 0 AdamW would go on "
    "shrinking the parameters: switch them off by `requires_grad_`.",
    ("parameter.requires_grad_(not fitting)", "parameter.requires_grad_(True)"),
    ("parameter.grad = None", "parameter.grad = torch.zeros_like(parameter)"),
)
freeze_leaves_gradients = edit(
    "freeze",
    "A gradient that was there before the call is still there, and the optimiser takes its step by it. Set it to None.",
    ("            parameter.grad = None\n", "            pass\n"),
)
freeze_by_beginning = edit(
    "freeze",
    "`block1` froze `block10` as well: a name that only begins like it. Compare whole names, up to a dot.",
    ('f"{name}.".startswith(f"{part}.")', "name.startswith(part)"),
)
freeze_anywhere_in_the_name = edit(
    "freeze",
    "Whole parts only: a name fits at the start and up to a dot, not wherever its letters turn up.",
    ('f"{name}.".startswith(f"{part}.")', "part in name"),
)
freeze_all_else = edit(
    "freeze",
    "It is the wrong way round: what was named learns, and all else is frozen.",
    ("parameter.requires_grad_(not fitting)", "parameter.requires_grad_(bool(fitting))"),
    ("if fitting:", "if not fitting:"),
)
freeze_never_thaws = edit(
    "freeze",
    "What an earlier call had frozen stays frozen. Every parameter that is not named learns again.",
    ("parameter.requires_grad_(not fitting)", "parameter.requires_grad_(parameter.requires_grad and not fitting)"),
)
freeze_returns_the_frozen = edit(
    "freeze",
    "The names that came back are those of the frozen parameters. Return those that learn.",
    ("    return learning", "    return [name for name, _ in model.named_parameters() if name not in learning]"),
)
freeze_passes_over_unknown = edit(
    "freeze",
    "A name that fits nothing was passed over in silence. Somebody has mistyped it, and trains what was to be frozen: "
    "say so by a `ValueError`.",
    ("if unknown := set(what) - found:", "if False:"),
    ("{min(unknown)!r}", ""),
)
freeze_whole_names_only = edit(
    "freeze",
    "Only a parameter of exactly this name was frozen. The name of a part stands for all the parameters below it.",
    ('f"{name}.".startswith(f"{part}.")', "name == part"),
    ("set(what) - found", "set()"),
    ("min(unknown)", "unknown"),
)


freeze_by_the_first_name = edit(
    "freeze",
    "Only the first part of a name was looked at. `blocks.1` is a part as well: compare up to any dot.",
    ('f"{name}.".startswith(f"{part}.")', 'part in (name, name.split(".")[0])'),
    hidden=True,
)
freeze_by_the_last_owner = edit(
    "freeze",
    "Only the part that holds the parameter itself was looked at. What is named may lie further up: `blocks` stands "
    "for all the parameters of all its blocks.",
    ('f"{name}.".startswith(f"{part}.")', 'part in (name, name.rpartition(".")[0])'),
    hidden=True,
)
freeze_asks_for_a_beginning = edit(
    "freeze",
    "A name that is only the beginning of another one was taken for a part. `block` is no part where there is only "
    "`blocks`: that is a `ValueError`.",
    ("        found |= fitting\n", "        found |= {part for part in what if name.startswith(part)}\n"),
    hidden=True,
)
freeze_with_a_dot_at_the_top_alone = edit(
    "freeze",
    "`blocks.1` froze `blocks.10` as well. Every name ends with a dot or with the whole name, however deep.",
    (
        'f"{name}.".startswith(f"{part}.")',
        'part in (name, name.split(".")[0]) or ("." in part and name.startswith(part))',
    ),
    hidden=True,
)


@right("freeze")
def freeze_by_module(model, what):
    """Through the parts themselves: all on, then the named ones off."""
    parameters = dict(model.named_parameters())
    model.requires_grad_(True)
    for part in what:
        below = [part] if part in parameters else [name for name in parameters if name.startswith(part + ".")]
        if not below:
            raise ValueError(part)
        for name in below:
            parameters[name].requires_grad = False
            parameters[name].grad = None
    return [name for name, parameter in parameters.items() if parameter.requires_grad]


@right("freeze")
def freeze_by_steps_of_the_name(model, what):
    """Compares the steps of the names, between the dots."""
    asked = [part.split(".") for part in what]
    steps = {name: name.split(".") for name, _ in model.named_parameters()}
    if not all(any(name[: len(part)] == part for name in steps.values()) for part in asked):
        raise ValueError(what)
    learning = []
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not any(steps[name][: len(part)] == part for part in asked)
        if parameter.requires_grad:
            learning.append(name)
        else:
            parameter.grad = None
    return learning
