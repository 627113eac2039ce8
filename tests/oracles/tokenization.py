"""Other libraries' answers to the exercises of the tokenization chapter, and those of plain arithmetic."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import regex
import spacy
import tiktoken
import torch
from sklearn.feature_extraction.text import CountVectorizer
from spacy.tokenizer import Tokenizer
from tokenizers import Regex
from tokenizers import Tokenizer as Tokenizers
from tokenizers.decoders import ByteLevel
from tokenizers.models import BPE, Unigram, WordPiece
from tokenizers.pre_tokenizers import ByteLevel as PreByteLevel
from tokenizers.pre_tokenizers import Sequence, Split
from transformers.convert_slow_tokenizer import bytes_to_unicode

from oracles import oracle
from solutions.tokenization import bpe
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


# The notebook `bpe`

LETTER = bytes_to_unicode()


def letters(data: bytes) -> str:
    return "".join(LETTER[byte] for byte in data)


def lossy(data: bytes) -> str:
    """Decoded by Rust, which has its own reading of broken UTF-8."""
    return ByteLevel().decode([letters(data)])


def spelt(merges) -> list[bytes]:
    names = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        names.append(names[left] + names[right])
    return names


@oracle("pretokenize")
def pretokenize(text, pattern=bpe.PATTERN):
    """The splitter of `tokenizers`, which keeps each match and each stretch between two."""
    return [part for part, _ in Split(Regex(pattern), "isolated").pre_tokenize_str(text)]


@oracle("utf8_decode")
def utf8_decode(ids):
    return lossy(bytes(ids))


@oracle("byte_to_unicode")
def byte_to_unicode():
    return dict(LETTER)


@oracle("pair_counts")
def pair_counts(words):
    """NumPy's `unique` on all pairs, each word as often as it occurs."""
    pairs = [np.lib.stride_tricks.sliding_window_view(np.repeat([word], times, 0), 2, 1).reshape(-1, 2)
             for word, times in words.items() if len(word) > 1]  # fmt: skip
    if not pairs:
        return {}
    found, counts = np.unique(np.concatenate(pairs), axis=0, return_counts=True)
    return {tuple(map(int, pair)): int(count) for pair, count in zip(found, counts, strict=True)}


@oracle("merge")
def merge(ids, pair, new_id):
    """A substitution in text, an id being a character."""
    pattern = re.escape(chr(pair[0]) + chr(pair[1]))
    return [ord(c) for c in re.sub(pattern, lambda _: chr(new_id), "".join(map(chr, ids)), flags=re.DOTALL)]


@oracle("train_bpe")
@oracle("train_bpe_fast")
def train(text, vocab_size, pattern=bpe.PATTERN):
    """Brute force: every part by itself, its ids written between bars, all pairs counted one by one."""
    parts = ["".join(f"|{byte}|" for byte in part.encode()) for part in pretokenize(text, pattern)]
    merges = []
    while 256 + len(merges) < vocab_size:
        pairs = [pair for part in parts for pair in re.findall(r"(?=\|(\d+)\|\|(\d+)\|)", part)]
        counts = sorted((-pairs.count(pair), *map(int, pair)) for pair in set(pairs))
        if not counts:
            break
        _, left, right = counts[0]
        parts = [part.replace(f"|{left}||{right}|", f"|{256 + len(merges)}|") for part in parts]
        merges.append((left, right))
    return merges


def byte_level(merges, pattern=bpe.PATTERN) -> Tokenizers:
    """The tokenizer of `tokenizers` with these merges."""
    names = [letters(name) for name in spelt(merges)]
    pairs = [(names[left], names[right]) for left, right in merges]
    tokenizer = Tokenizers(BPE(vocab={name: number for number, name in enumerate(names)}, merges=pairs))
    tokenizer.pre_tokenizer = Sequence([Split(Regex(pattern), "isolated"), PreByteLevel(False, use_regex=False)])
    return tokenizer


@oracle("encode")
def encode(text, merges, pattern=bpe.PATTERN):
    return byte_level(merges, pattern).encode(text).ids


@oracle("decode")
def decode(ids, merges):
    names = spelt(merges)
    return lossy(b"".join(names[number] for number in ids))


@oracle("encode_special")
def encode_special(text, merges, special, allowed):
    """Stretches by `tokenizers`; tokens by the POSIX rule of `regex`, the longest of those that begin first."""
    if not allowed:
        return encode(text, merges)
    ids = []
    pattern = "(?p)(" + "|".join(map(regex.escape, sorted(allowed))) + ")"
    for number, piece in enumerate(regex.split(pattern, text)):
        ids += [special[piece]] if number % 2 else encode(piece, merges)
    return ids


@oracle("decode_special")
def decode_special(ids, merges, special):
    ranks = {name: number for number, name in enumerate(spelt(merges))}
    theirs = tiktoken.Encoding("ours", pat_str=bpe.PATTERN, mergeable_ranks=ranks, special_tokens=special)
    return theirs.decode(ids, errors="replace")


PREFIXES_OF_CHARACTERS = {
    chr(point).encode("utf-8", "surrogatepass")[:size]
    for point in range(0x80, 0x110000, 64)
    if not 0xD800 <= point < 0xE000
    for size in range(1, len(chr(point).encode("utf-8", "surrogatepass")))
}


@oracle("StreamDecoder")
class StreamDecoder:
    """Holds back what begins some character of Unicode: all beginnings are in a table."""

    def __init__(self, merges):
        self.names, self.held = spelt(merges), b""

    def feed(self, id):
        data = self.held + self.names[id]
        size = next((n for n in (3, 2, 1) if data[-n:] in PREFIXES_OF_CHARACTERS and n <= len(data)), 0)
        self.held = data[len(data) - size :]
        return lossy(data[: len(data) - size])

    def finish(self):
        return lossy(self.held)


@oracle("count_changes")
def count_changes(ids, pair, new_id):
    """By the two oracles above."""
    before, after = (pair_counts({tuple(word): 1}) for word in (ids, merge(ids, pair, new_id)))
    changes = {key: after.get(key, 0) - before.get(key, 0) for key in [*before, *after]}
    return {key: change for key, change in changes.items() if change}


# The notebook `beyond`


@oracle("wordpiece_encode")
def wordpiece_encode(word, vocab, unk="[UNK]"):
    numbers = {piece: number for number, piece in enumerate(sorted({unk, *vocab}))}
    model = WordPiece(numbers, unk_token=unk, max_input_chars_per_word=10**6)
    return [token.value for token in model.tokenize(word)]


@oracle("wordpiece_score")
def wordpiece_score(words):
    """scikit-learn's counts, a row for each word, weighted by how often it occurs."""
    if not any(len(word) > 1 for word in words):
        return {}
    times = np.array(list(words.values()))
    tables = []
    for parts in (list, lambda word: list(itertools.pairwise(word))):
        counter = CountVectorizer(analyzer=parts)
        rows = counter.fit_transform(words)
        totals = times @ rows
        tables.append({part: totals[column] for part, column in counter.vocabulary_.items()})
    units, pairs = tables
    return {(a, b): float(count / units[a] / units[b]) for (a, b), count in pairs.items()}


@oracle("unigram_viterbi")
def unigram_viterbi(text, log_probs, unknown=-20.0):
    """The Unigram model of `tokenizers`, to which the unknown characters are told as pieces."""
    pieces = dict.fromkeys(text, unknown) | log_probs
    best = [token.value for token in Unigram([("[UNK]", -1e9), *pieces.items()], unk_id=0).tokenize(text)]
    return best, math.fsum(pieces[piece] for piece in best)


def log_likelihood(text, log_probs):
    """By torch, from the right; None where there is no way, so that no gradient is NaN."""
    behind = [None] * len(text) + [torch.tensor(0.0, dtype=torch.float64)]
    longest = max(map(len, log_probs), default=0)
    for start in reversed(range(len(text))):
        ends = range(start + 1, min(start + longest, len(text)) + 1)
        ways = [log_probs[text[start:end]] + behind[end] for end in ends
                if text[start:end] in log_probs and behind[end] is not None]  # fmt: skip
        behind[start] = torch.logsumexp(torch.stack(ways), 0) if ways else None
    return behind[0]


@oracle("unigram_log_likelihood")
def unigram_log_likelihood(text, log_probs):
    found = log_likelihood(text, {piece: torch.tensor(p, dtype=torch.float64) for piece, p in log_probs.items()})
    return -math.inf if found is None else found.item()


@oracle("expected_counts")
def expected_counts(text, log_probs):
    """The gradient of the log-likelihood in the log-probabilities."""
    leaves = {piece: torch.tensor(p, dtype=torch.float64, requires_grad=True) for piece, p in log_probs.items()}
    log_likelihood(text, leaves).backward()
    return {piece: leaf.grad.item() for piece, leaf in leaves.items() if leaf.grad is not None}


BYTES = Unigram([("<unk>", 0.0), *((f"<0x{byte:02X}>", 0.0) for byte in range(256))], unk_id=0, byte_fallback=True)


@oracle("byte_fallback")
def byte_fallback(pieces, vocab):
    """What `tokenizers` falls back to, character by character."""
    rows = ([piece] if piece in vocab else [t.value for c in piece for t in BYTES.tokenize(c)] for piece in pieces)
    return list(itertools.chain.from_iterable(rows))


@oracle("decode_with_bytes")
def decode_with_bytes(pieces):
    """All in hexadecimal digits, decoded by Rust."""
    first, rest = "".join(pieces[:1]), pieces[1:]
    marked = [first[1:] if first.startswith("▁") else first, *rest]
    token = re.compile(r"<0x([0-9A-F]{2})>")
    digits = (m[1] if (m := token.fullmatch(p)) else " ".join(p.split("▁")).encode().hex() for p in marked)
    return lossy(bytes.fromhex("".join(digits)))
