"""Byte-pair encoding beside Hugging Face tokenizers, tiktoken and transformers, and properties that must hold.

Nothing is fetched: the libraries are trained here, or are built in memory from our own merges.
"""

import json
from collections import Counter
from functools import cache

import pytest
import regex
import tiktoken
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import bytes_to_unicode

from solutions.texts import chinese_reviews, english
from solutions.tokenization import bpe, fast

LANGUAGES = ["en", "zh"]
MOSTLY_ENGLISH = ["en", pytest.param("zh", marks=pytest.mark.slow)]  # Chinese takes several times as long
SPECIAL = {"<|end|>": 5000, "<|user|>": 5003, "<|tool call|>": 5001}
Merges = list[tuple[int, int]]


@cache
def text(language: str, characters: int, skip: int = 0) -> str:
    whole = english() if language == "en" else "\n".join(dict.fromkeys(chinese_reviews()))
    return whole[skip : skip + characters]


def words(language: str, characters: int) -> dict[bytes, int]:
    return {part.encode(): n for part, n in Counter(regex.findall(bpe.PATTERN, text(language, characters))).items()}


@cache
def merges_of(language: str) -> Merges:
    """Enough merges to hold whole words and phrases, in a moment."""
    return fast.train(words(language, 200_000), 2000)


def spelt(merges: Merges, byte_ids: list[int] | None = None) -> list[tuple[bytes, bytes]]:
    """Each merge as the bytes of its two halves, so that it can be compared between numberings."""
    byte_of = {i: b for b, i in enumerate(byte_ids or range(256))}
    vocabulary = [bytes([byte_of[i]]) for i in range(256)]
    pairs = []
    for left, right in merges:
        pairs.append((vocabulary[left], vocabulary[right]))
        vocabulary.append(vocabulary[left] + vocabulary[right])
    return pairs


def hugging_faces(sample: str, vocab_size: int) -> list[tuple[bytes, bytes]]:
    """The merges of `tokenizers`, trained on the text in one piece, as bytes."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([sample], trainer)
    byte_of = {character: byte for byte, character in bpe.byte_to_unicode().items()}
    found = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(bytes(byte_of[c] for c in half) for half in pair) for pair in found]


def first_tie(sample: str, merges: Merges) -> int:
    """The number of the first merge whose pair had an equal."""
    state = Counter(tuple(part.encode()) for part in regex.findall(bpe.PATTERN, sample))
    for number, pair in enumerate(merges):
        counts = Counter(bpe.pair_counts(state))
        (_, most), (_, second) = counts.most_common(2)
        if most == second:
            return number
        state = Counter({tuple(bpe.merge(list(w), pair, 256 + number)): n for w, n in state.items()})
    return len(merges)


def tiktokens(merges: Merges) -> tiktoken.Encoding:
    vocabulary = bpe.given_vocabulary(merges)
    ranks = {token: i for i, token in enumerate(vocabulary)}
    assert len(ranks) == len(vocabulary), "two ids spell the same bytes"
    return tiktoken.Encoding(name="ours", pat_str=bpe.PATTERN, mergeable_ranks=ranks, special_tokens=SPECIAL)


def hugging_face_encoder(merges: Merges) -> tokenizers.Tokenizer:
    letter = bpe.byte_to_unicode()
    written = ["".join(letter[b] for b in token) for token in bpe.given_vocabulary(merges)]
    tokenizer = tokenizers.Tokenizer(
        models.BPE(vocab={t: i for i, t in enumerate(written)}, merges=[(written[a], written[b]) for a, b in merges])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


# --- Training ---


@pytest.mark.parametrize("language", MOSTLY_ENGLISH)
def test_merges_are_hugging_faces_with_its_numbers_for_the_bytes(language: str) -> None:
    letters = bpe.byte_to_unicode()
    number = {letter: i for i, letter in enumerate(sorted(letters.values()))}
    byte_ids = [number[letters[byte]] for byte in range(256)]
    ours = fast.train(words(language, 300_000), 2000, byte_ids=byte_ids)
    assert spelt(ours, byte_ids) == hugging_faces(text(language, 300_000), 2000)


@pytest.mark.slow
@pytest.mark.parametrize(("language", "characters"), [("en", 300_000), ("zh", 80_000)])
def test_train_bpe_is_hugging_faces_up_to_the_first_tie(language: str, characters: int) -> None:
    sample = text(language, characters)
    n = first_tie(sample, fast.train(words(language, characters), 256 + 60))
    assert n >= 15
    assert spelt(bpe.train_bpe(sample, 256 + n)) == hugging_faces(sample, 256 + n)


def test_train_bpe_is_hugging_faces_on_words_without_ties() -> None:
    """酒 alone would tie inside itself; beside 酱, which begins with the same two bytes, it does not."""
    times = {"clean": 31, "lean": 4, "an": 9, "new": 17, "ne": 90, "酒": 200, "酱": 50}
    sample = "\n".join(word for word, n in times.items() for _ in range(n))
    n = first_tie(sample, bpe.train_bpe(sample, 300))
    assert n >= 5
    assert spelt(bpe.train_bpe(sample, 256 + n)) == hugging_faces(sample, 256 + n)


@pytest.mark.parametrize("language", MOSTLY_ENGLISH)
def test_all_trainers_of_the_course_agree(language: str) -> None:
    sample = text(language, 12_000)
    expected = bpe.train_bpe(sample, 456)
    assert bpe.train_bpe_fast(sample, 456) == expected
    assert fast.train(words(language, 12_000), 456) == expected


@settings(max_examples=150)
@given(st.lists(st.text(alphabet="ab酒", min_size=1, max_size=9), max_size=12).map(" ".join))
def test_all_trainers_agree_where_ties_and_overlaps_abound(sample: str) -> None:
    expected = bpe.train_bpe(sample, 400)
    assert bpe.train_bpe_fast(sample, 400) == expected
    assert fast.train({p.encode(): n for p, n in Counter(bpe.pretokenize(sample)).items()}, 400) == expected


@settings(max_examples=100)
@given(st.text(alphabet="ab酒 ", max_size=40), st.integers(0, 12))
def test_encoding_its_own_text_gives_what_training_left(sample: str, n: int) -> None:
    merges = bpe.train_bpe(sample, 256 + n)
    state = [list(part.encode()) for part in bpe.pretokenize(sample)]
    for number, pair in enumerate(merges):
        state = [bpe.merge(ids, pair, 256 + number) for ids in state]
    assert bpe.encode(sample, merges) == [i for ids in state for i in ids]


@given(st.lists(st.integers(0, 3), max_size=12), st.tuples(st.integers(0, 3), st.integers(0, 3)))
def test_count_changes_is_the_difference_of_the_counts(ids: list[int], pair: tuple[int, int]) -> None:
    before, after = ids, bpe.merge(ids, pair, 9)
    counts = Counter(bpe.pair_counts({tuple(before): 1}))
    counts.update(bpe.count_changes(ids, pair, 9))
    assert {p: n for p, n in counts.items() if n} == bpe.pair_counts({tuple(after): 1})


# --- Encoding and decoding ---


@pytest.mark.parametrize("language", MOSTLY_ENGLISH)
def test_encode_is_tiktokens_id_by_id(language: str) -> None:
    merges, sample = merges_of(language), text(language, 40_000, skip=300_000)
    ids = tiktokens(merges).encode_ordinary(sample)
    assert bpe.encode(sample, merges) == ids
    assert len(ids) < len(sample)


@pytest.mark.parametrize("language", LANGUAGES)
def test_encode_is_hugging_faces_id_by_id(language: str) -> None:
    merges, sample = merges_of(language), text(language, 40_000, skip=300_000)
    tokenizer = hugging_face_encoder(merges)
    ids = tokenizer.encode(sample).ids
    assert bpe.encode(sample, merges) == ids
    assert bpe.decode(ids, merges) == tokenizer.decode(ids) == sample


@settings(max_examples=200)
@given(st.sampled_from(LANGUAGES), st.text() | st.text(alphabet="the 酒店很 不错，n'ts\n 12🙂"))
def test_any_text_is_encoded_as_by_tiktoken_and_comes_back(language: str, sample: str) -> None:
    merges = merges_of(language)
    ids = bpe.encode(sample, merges)
    assert bpe.decode(ids, merges) == sample
    assert all(0 <= i < 256 + len(merges) for i in ids)
    if "".join(regex.findall(bpe.PATTERN, sample)) == sample:
        assert ids == tiktokens_of(language).encode_ordinary(sample)


@cache
def tiktokens_of(language: str) -> tiktoken.Encoding:
    return tiktokens(merges_of(language))


@settings(max_examples=200)
@given(st.text(), st.sampled_from([bpe.PATTERN, r"\w+", r"(\p{L})+|(\d)", r".", r"酒店|a|(?<=b)c"]))
def test_no_pattern_loses_anything(sample: str, pattern: str) -> None:
    parts = bpe.pretokenize(sample, pattern)
    assert "".join(parts) == sample
    assert "" not in parts
    assert bpe.decode(bpe.encode(sample, merges_of("en"), bpe.PATTERN), merges_of("en")) == sample


@pytest.mark.parametrize("language", LANGUAGES)
def test_parts_are_those_of_hugging_face(language: str) -> None:
    letter, sample = bpe.byte_to_unicode(), text(language, 60_000)
    expected = [part for part, _ in pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(sample)]
    assert ["".join(letter[b] for b in part.encode()) for part in bpe.pretokenize(sample)] == expected


def test_the_printable_alphabet_is_everybodys() -> None:
    assert bpe.byte_to_unicode() == bytes_to_unicode()
    assert set(bpe.byte_to_unicode().values()) == set(pre_tokenizers.ByteLevel.alphabet())


@given(st.binary(max_size=40))
def test_any_bytes_are_decoded(data: bytes) -> None:
    assert bpe.utf8_decode(list(data)) == data.decode("utf-8", "replace")
    assert bpe.decode(list(data), []) == data.decode("utf-8", "replace")


# --- A stream ---


def split_at(data: bytes, cuts: set[int]) -> tuple[list[int], Merges]:
    """Ids and merges such that each id holds the bytes between two cuts."""
    ids: list[int] = []
    merges: Merges = []
    for i, byte in enumerate(data):
        if i == 0 or i in cuts:
            ids.append(byte)
        else:
            merges.append((ids[-1], byte))
            ids[-1] = 255 + len(merges)
    return ids, merges


LETTERS = [b"a", "é".encode(), "酒".encode(), "🙂".encode(), "\ufffd".encode()]
BROKEN = [b"\xe9", b"\x85", b"\xf0\x9f", b"\xff", b"\xed\xa0", b"\xc0", b"\xf4\x90", b"\xe0\x80"]
UGLY = st.lists(st.sampled_from([*LETTERS, *BROKEN]), max_size=8).map(b"".join)


@settings(max_examples=300)
@given(st.binary(max_size=16) | st.text(max_size=8).map(str.encode) | UGLY, st.sets(st.integers(1, 30)))
def test_a_stream_shows_what_the_whole_shows_however_it_is_cut(data: bytes, cuts: set[int]) -> None:
    ids, merges = split_at(data, cuts)
    decoder = bpe.StreamDecoder(merges)
    pieces = [decoder.feed(i) for i in ids]
    assert "".join([*pieces, decoder.finish()]) == bpe.decode(ids, merges) == data.decode("utf-8", "replace")


@settings(max_examples=200)
@given(st.text(max_size=8), st.sets(st.integers(1, 30)))
def test_a_stream_holds_no_whole_character_back(sample: str, cuts: set[int]) -> None:
    ids, merges = split_at(sample.encode(), cuts)
    decoder, shown, data = bpe.StreamDecoder(merges), "", b""
    for i in ids:
        shown += decoder.feed(i)
        data += bpe.given_vocabulary(merges)[i]
        assert shown == data.decode("utf-8", "ignore")


# --- Special tokens ---

PIECES = st.lists(
    st.sampled_from([*SPECIAL, "<|end", "|>", " the hotel", "酒店", " ", "\n", "<", "|"]) | st.text(max_size=4),
    max_size=8,
)


@settings(max_examples=200)
@given(PIECES.map("".join), st.sets(st.sampled_from([*SPECIAL])))
def test_special_tokens_are_tiktokens_and_come_back(sample: str, allowed: set[str]) -> None:
    merges = merges_of("zh")
    ids = bpe.encode_special(sample, merges, SPECIAL, allowed)
    assert ids == tiktokens_of("zh").encode(sample, allowed_special=allowed, disallowed_special=())
    assert bpe.decode_special(ids, merges, SPECIAL) == tiktokens_of("zh").decode(ids) == sample


@settings(max_examples=200)
@given(PIECES.map("".join), st.sets(st.sampled_from([*SPECIAL])))
def test_what_is_not_allowed_cannot_be_injected(sample: str, allowed: set[str]) -> None:
    merges = merges_of("en")
    ids = bpe.encode_special(sample, merges, SPECIAL, allowed)
    assert set(ids) & set(SPECIAL.values()) <= {SPECIAL[token] for token in allowed}
    if not allowed:
        assert ids == bpe.encode(sample, merges)
