"""Other libraries' answers to the exercises of the tokenization chapter, and those of plain arithmetic."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import spacy
import torch
from spacy.tokenizer import Tokenizer
from tokenizers.models import Unigram, WordPiece

from oracles import oracle
from solutions.tokenization.granularity import EXCEPTIONS, INFIXES, PREFIXES, SUFFIXES

# The notebook `granularity`


def any_of(table: list[str]) -> str:
    return "(?:" + "|".join(map(re.escape, table)) + ")"


SPACY = Tokenizer(  # prefixes, suffixes and exceptions; no infixes
    spacy.blank("en").vocab,
    rules={whole: [{"ORTH": part} for part in parts] for whole, parts in EXCEPTIONS.items()},
    prefix_search=re.compile("^" + any_of(PREFIXES)).search,
    suffix_search=re.compile(any_of(SUFFIXES) + "$").search,
)


@oracle("word_tokenize")
def word_tokenize(text):
    """spaCy's machine with the notebook's tables, on each part between infixes."""
    pairs = []
    for stretch, white in re.findall(r"(\S+)|(\s+)", text):
        if white:
            pairs = [*pairs[:-1], (pairs[-1][0], white)] if pairs else [("", white)]
        for part in re.split(f"({any_of(INFIXES)})", stretch):
            tokens = [part] if part in INFIXES else [token.text for token in SPACY(part)]
            pairs += [(token, "") for token in tokens]
    return pairs


@oracle("coverage")
def coverage(train_counts, test_counts, sizes):
    """NumPy's lexsort, and sums of the test counts behind each size."""
    words = np.array(list(train_counts), dtype=object)
    order = np.lexsort((np.argsort(np.argsort(words)), -np.array(list(train_counts.values()), dtype=int)))
    rank = {word: place for place, word in enumerate(words[order])}
    ranks = np.array([rank.get(word, 10**9) for word in test_counts])
    counts = np.array(list(test_counts.values()))
    return [counts[ranks >= size].sum() / counts.sum() for size in sizes]


@oracle("embedding_bytes")
def embedding_bytes(V, D, dtype="float32"):
    """What torch says of a matrix without memory; half bytes are packed by NumPy."""
    if dtype == "int4":
        return len(np.packbits(np.zeros(V * D * 4, dtype=bool)))
    return torch.empty(V, D, dtype=getattr(torch, dtype), device="meta").nbytes


@oracle("max_match")
def max_match(text, lexicon):
    """The WordPiece model of `tokenizers`, whose pieces have no mark, with every character in its vocabulary."""
    vocabulary = {piece: number for number, piece in enumerate(sorted({"[UNK]", *lexicon, *text}))}
    model = WordPiece(vocabulary, unk_token="[UNK]", continuing_subword_prefix="", max_input_chars_per_word=10**6)
    return [token.value for token in model.tokenize(text)]


@oracle("segment_dag")
def segment_dag(text, freq):
    """The Unigram model of `tokenizers`, with every character in its vocabulary."""
    total = sum(freq.values())
    pieces = [(piece, math.log(freq.get(piece, 1) / total)) for piece in sorted({*freq, *text})]
    return [token.value for token in Unigram([("[UNK]", -1e9), *pieces], unk_id=0).tokenize(text)]


@oracle("fertility")
def fertility(tokenizer, text):
    """Lengths by the code points' sizes in UTF-32 and UTF-8."""
    points = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    size = len(points) + sum((points > limit).sum() for limit in (0x7F, 0x7FF, 0xFFFF))
    count = len(list(itertools.chain(tokenizer(text))))
    return count / len(points), count / int(size)
