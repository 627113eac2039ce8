"""The fast tokenizer beside a naive one, the chapter's reference, Hugging Face's tokenizers and tiktoken."""

import json
import random
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from solutions.texts import chinese_reviews, english
from solutions.tokenization import bpe, fast
from solutions.tokenization.bpe import PATTERN
from solutions.tokenization.fast import Encoder, count_words, printable_order, train, train_numpy

HERE = Path(__file__).parents[1]
TRAINERS = pytest.mark.parametrize("trainer", [train, train_numpy])
SMOL = r"\p{N}|" + PATTERN  # digits one by one, as in SmolLM
LIKE_GPT_4 = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

SHUFFLED = random.Random(4).sample(range(256), 256)
# Characters of one, two, three and four bytes, some of which share bytes, and white space that `re` and `regex` judge
# differently.
CHARACTERS = "aaabbc'ls 1.\n\t \x1c\x85\u3000é酒店很酓酔哈哈🙂🙃"
texts = st.text(st.sampled_from(CHARACTERS), max_size=80)


@pytest.fixture(scope="module")
def slices() -> dict[str, str]:
    """Enough text for merges of every kind, and little enough for the slow."""
    return {"en": english()[1_000_000:1_250_000], "zh": "\n".join(chinese_reviews()[3_000:4_000]) + "\n"}


def naive(words: dict[bytes, int], vocab_size: int, byte_ids: Iterable[int] = range(256)) -> list[tuple[int, int]]:
    """Count all pairs anew for each merge."""
    table = list(byte_ids)
    texts = [([table[byte] for byte in word], times) for word, times in words.items()]
    merges: list[tuple[int, int]] = []
    while 256 + len(merges) < vocab_size:
        counts: Counter[tuple[int, int]] = Counter()
        for ids, times in texts:
            for pair in pairwise(ids):
                counts[pair] += times
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for ids, _ in texts:
            at = 0
            while at < len(ids) - 1:
                if (ids[at], ids[at + 1]) == best:
                    ids[at : at + 2] = [256 + len(merges)]
                at += 1
        merges.append(best)
    return merges


def cut(text: str, seed: int) -> Iterator[str]:
    """The text in pieces of 0 to 7 characters."""
    rng, at = random.Random(seed), 0
    while at < len(text):
        size = rng.randint(0, 7)
        yield text[at : at + size]
        at += size


# --- Counting --------------------------------------------------------------------------------------------------------


@given(texts, st.integers(0, 9))
def test_the_words_are_those_of_the_whole_text_wherever_the_stream_is_cut(text: str, seed: int) -> None:
    expected = Counter(part.encode() for part in bpe.pretokenize(text))
    assert count_words([text]) == expected
    assert count_words(cut(text, seed)) == expected


@pytest.mark.parametrize("block", [1, 7, 100])
def test_the_words_do_not_depend_on_the_size_of_a_block(
    monkeypatch: pytest.MonkeyPatch, slices: dict[str, str], block: int
) -> None:
    monkeypatch.setattr(fast, "BLOCK", block)
    for text in (slices["en"][:30_000], slices["zh"][:10_000], "a" * 500 + " " * 500 + "\n" * 500 + "b" * 500):
        assert count_words(cut(text, 1)) == Counter(part.encode() for part in bpe.pretokenize(text))
        assert "".join(fast.blocks(cut(text, 2))) == text


def test_white_space_is_what_the_pattern_takes_for_it() -> None:
    everything = [chr(i) for i in range(sys.maxunicode + 1)]
    first, *others = fast.STRETCH.findall("a" + "a".join(everything))
    assert first == "a" + "a".join(everything[:9]) + "a"
    assert [stretch[0] for stretch in others] == regex.findall(r"\s", "".join(everything))


@pytest.mark.parametrize("pattern", [LIKE_GPT_4, r"\w+", r".+"])
def test_a_pattern_with_no_safe_place_to_cut_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="into white space"):
        count_words(["a b"], pattern)


@given(texts)
def test_digits_one_by_one_are_counted_as_well(text: str) -> None:
    assert count_words([text], SMOL) == Counter(part.encode() for part in bpe.pretokenize(text, SMOL))


def peak(function: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def some_lines(count: int) -> Iterator[str]:
    """Lines of the same few words in ever new order, every other one without a space."""
    rng = random.Random(0)
    words = sorted(set(english()[:20_000].split()))
    return (" ,"[i % 2].join(rng.choices(words, k=8)) + "\n" for i in range(count))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "BLOCK", 1 << 10)  # so that a short text has many
    english()  # held once and for all
    encoder = Encoder.from_merges(train(count_words(some_lines(1_000)), 400), cache_size=1 << 10)
    for run in (count_words, lambda lines: sum(1 for _ in encoder.encode_stream(lines))):
        run(some_lines(1_000))  # whatever is made once
        few, many = (peak(lambda run=run, n=n: run(some_lines(n))) for n in (2_000, 20_000))
        assert many < 1.3 * few, f"expected a peak near {few:,} bytes for ten times as many lines, got {many:,}"
        whole = peak(lambda: "".join(some_lines(20_000)))
        assert many < whole, f"expected less than the text itself takes ({whole:,} bytes), got {many:,}"


# --- Training --------------------------------------------------------------------------------------------------------

words = st.dictionaries(st.text("aab酒店", min_size=1, max_size=12).map(str.encode), st.integers(1, 4), max_size=8)


@TRAINERS
@settings(max_examples=300)
@given(words=words, byte_ids=st.sampled_from([range(256), SHUFFLED]))
def test_the_merges_are_the_naive_ones(trainer: Callable, words: dict[bytes, int], byte_ids: list[int]) -> None:
    """Few letters: so there are ties, and runs such as aaa in which a pair overlaps itself."""
    assert trainer(words, 300, byte_ids) == naive(words, 300, byte_ids)


def by_minbpe(text: str, vocab_size: int) -> list[tuple[int, int]]:
    """As minbpe does it: all parts in the order of the text, and of the most frequent pairs the one seen first."""
    parts = [list(part.encode()) for part in bpe.pretokenize(text)]
    merges: list[tuple[int, int]] = []
    while 256 + len(merges) < vocab_size:
        counts: dict[tuple[int, int], int] = {}
        for ids in parts:
            for pair in pairwise(ids):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = max(counts, key=counts.__getitem__)
        parts = [merged(ids, best, 256 + len(merges)) for ids in parts]
        merges.append(best)
    return merges


def by_cs336(text: str, vocab_size: int) -> list[tuple[bytes, bytes]]:
    """As CS336 asks it: tokens are bytes, and of the most frequent pairs the greatest is merged."""
    parts = [[bytes([byte]) for byte in part.encode()] for part in bpe.pretokenize(text)]
    merges: list[tuple[bytes, bytes]] = []
    while 256 + len(merges) < vocab_size:
        counts = Counter(pair for tokens in parts for pair in pairwise(tokens))
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        parts = [merged(tokens, best, best[0] + best[1]) for tokens in parts]
        merges.append(best)
    return merges


def merged(tokens: list, pair: tuple, new: object) -> list:
    made, at = [], 0
    while at < len(tokens):
        both = tuple(tokens[at : at + 2]) == pair
        made.append(new if both else tokens[at])
        at += 2 if both else 1
    return made


def in_bytes(merges: list[tuple[int, int]], byte_ids: Iterable[int] = range(256)) -> list[tuple[bytes, bytes]]:
    vocabulary = {id: bytes([byte]) for byte, id in enumerate(byte_ids)}
    told = []
    for id, (a, b) in enumerate(merges, 256):
        told.append((vocabulary[a], vocabulary[b]))
        vocabulary[id] = vocabulary[a] + vocabulary[b]
    return told


@TRAINERS
@given(texts | st.text("aab \n", max_size=60), st.sampled_from([range(256), SHUFFLED]))
def test_ties_are_minbpes_or_cs336s(trainer: Callable, text: str, byte_ids: list[int]) -> None:
    """On short texts of few letters most pairs are as frequent as others."""
    words = count_words([text])
    first = trainer(words, 300, byte_ids, ties="minbpe")
    table = {id: byte for byte, id in enumerate(byte_ids)}
    assert [(table.get(a, a), table.get(b, b)) for a, b in first] == by_minbpe(text, 300)
    assert in_bytes(trainer(words, 300, byte_ids, ties="cs336"), byte_ids) == by_cs336(text, 300)


@pytest.mark.slow
@TRAINERS
@pytest.mark.parametrize("language", ["en", "zh"])
def test_ties_on_the_courses_own_texts(trainer: Callable, slices: dict[str, str], language: str) -> None:
    text = slices[language][:8_000]
    words = count_words([text])
    found = {ties: trainer(words, 420, ties=ties) for ties in ("smallest", "huggingface", "minbpe", "cs336")}
    assert found["minbpe"] == by_minbpe(text, 420)
    assert in_bytes(found["cs336"]) == by_cs336(text, 420)
    table = {id: byte for byte, id in enumerate(printable_order())}
    numbered = trainer(words, 420, printable_order())
    assert found["huggingface"] == [(table.get(a, a), table.get(b, b)) for a, b in numbered]
    assert len({tuple(merges) for merges in found.values()}) >= 3, "the rules differ where pairs are as frequent"


@TRAINERS
def test_ties_in_the_published_examples(trainer: Callable) -> None:
    """CS336's handout prints the merges of its four words, in which s t and e s, o w and l o … are as frequent.

    minbpe's test prints what becomes of Wikipedia's example, aaabdaaabac, after three merges: X d X a c.
    """
    words = {b"low": 5, b"lower": 2, b"widest": 3, b"newest": 6}
    told = ["s t", "e st", "o w", "l ow", "w est", "n e", "ne west", "w i", "wi d", "wid est", "low e", "lowe r"]
    expected = [tuple(part.encode() for part in pair.split()) for pair in told]
    assert in_bytes(trainer(words, 300, ties="cs336")) == expected
    assert in_bytes(trainer(words, 262, ties="cs336")) == expected[:6]
    assert in_bytes(trainer(words, 300)) != expected != in_bytes(trainer(words, 300, ties="minbpe"))
    ids = list(b"aaabdaaabac")
    for new, pair in enumerate(trainer({b"aaabdaaabac": 1}, 259, ties="minbpe"), 256):
        ids = merged(ids, pair, new)
    assert ids == [258, 100, 258, 97, 99]


@TRAINERS
def test_a_rule_for_ties_that_there_is_not(trainer: Callable) -> None:
    with pytest.raises(ValueError, match="ties: expected one of smallest, huggingface, minbpe, cs336, got 'largest'"):
        trainer({b"abc": 1}, 300, ties="largest")


@TRAINERS
@pytest.mark.parametrize("word", [b"a" * n for n in range(1, 12)] + [b"ababab", b"aabaab", b"abbb" * 3, b"baaab"])
def test_a_word_that_overlaps_itself(trainer: Callable, word: bytes) -> None:
    assert trainer({word: 3, b"ab": 2}, 400) == naive({word: 3, b"ab": 2}, 400)


@TRAINERS
def test_it_ends_where_it_should(trainer: Callable) -> None:
    assert trainer({}, 300) == []
    assert trainer({b"": 2, b"a": 5}, 300) == []
    assert trainer({b"abc": 1}, 256) == trainer({b"abc": 1}, 0) == []
    assert trainer({b"abc": 1}, 257) == [(97, 98)]
    assert trainer({b"abc": 1}, 300) == [(97, 98), (256, 99)], "a pair that occurs once is still a pair"
    with pytest.raises(ValueError, match="byte_ids"):
        trainer({b"abc": 1}, 300, [0] * 256)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_merges_are_those_of_the_chapter(slices: dict[str, str], language: str) -> None:
    text = slices[language][:25_000]
    expected = bpe.train_bpe(text, 400)
    assert len(expected) == 400 - 256
    for trainer in (train, train_numpy):
        assert trainer(count_words([text]), 400) == expected


@pytest.fixture(scope="module")
def trained(slices: dict[str, str]) -> dict[str, list[tuple[int, int]]]:
    return {language: train(count_words([text]), 2_048) for language, text in slices.items()}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_merges_are_hugging_faces(slices: dict[str, str], language: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    theirs.pre_tokenizer = level
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=2_048, min_frequency=1, initial_alphabet=level.alphabet(), show_progress=False
    )
    theirs.train_from_iterator([slices[language]], trainer)
    expected = [tuple(pair) for pair in json.loads(theirs.to_str())["model"]["merges"]]

    merges = train(count_words([slices[language]]), 2_048, printable_order())
    assert train_numpy(count_words([slices[language]]), 2_048, printable_order()) == merges
    printable = bpe.byte_to_unicode()
    encoder = Encoder.from_merges(merges, printable_order())
    spelt = {id: "".join(printable[byte] for byte in token) for id, token in encoder.vocabulary.items()}
    assert len(merges) == 2_048 - 256
    assert [(spelt[a], spelt[b]) for a, b in merges] == expected
    assert {spelt[id]: id for id in spelt} == theirs.get_vocab()
    assert encoder.encode(slices[language]) == theirs.encode(slices[language]).ids


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_trainers_agree_on_more_text(trained: dict, slices: dict[str, str], language: str) -> None:
    assert train_numpy(count_words([slices[language]]), 2_048) == trained[language]


# --- Encoding --------------------------------------------------------------------------------------------------------


def tiktoken_of(encoder: Encoder) -> object:
    tiktoken = pytest.importorskip("tiktoken")
    return tiktoken.Encoding(
        "ours", pat_str=encoder.pattern, mergeable_ranks=encoder.ranks(), special_tokens=encoder.special
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_ids_are_tiktokens(trained: dict, slices: dict[str, str], language: str) -> None:
    encoder = Encoder.from_merges(trained[language])
    theirs = tiktoken_of(encoder)
    for text in slices.values():
        ids = encoder.encode(text)
        assert ids == theirs.encode_ordinary(text)
        assert encoder.decode(ids) == text


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("byte_ids", [range(256), printable_order()])
def test_the_ids_of_any_text_are_tiktokens(trained: dict, slices: dict, language: str, byte_ids: list[int]) -> None:
    encoder = Encoder.from_merges(train(count_words([slices[language]]), 1_024, byte_ids), byte_ids)
    theirs = tiktoken_of(encoder)

    @given(st.text(max_size=60) | texts)
    def check(text: str) -> None:
        ids = encoder.encode(text)
        assert ids == theirs.encode_ordinary(text)
        assert encoder.decode(ids) == text

    check()


@given(texts, texts)
def test_the_ids_are_those_of_the_chapter(known: str, text: str) -> None:
    """Trained on so little, tokens begin and end inside characters."""
    merges = train(count_words([known]), 330)
    encoder = Encoder.from_merges(merges)
    for each in (known, text):
        assert encoder.encode(each) == bpe.encode(each, merges)
    assert encoder.decode(encoder.encode(text)) == text


def test_tokens_that_hold_half_a_character_are_found_across_the_cut() -> None:
    """酓 and 酔 share two bytes, and 店 begins and ends as many others do."""
    for pair in ((0x92, 0xE5), (0x85, 0x92)):
        for text in ("酒店酒店", "酒酒店店", "很酒店酓店", "酒"):
            assert Encoder.from_merges([pair]).encode(text) == bpe.encode(text, [pair]), (pair, text)
    merges = [(0x92, 0xE5), (0xBA, 0x97), (256, 257), (0x85, 258)]  # at last: the end of 酒 and all of 店
    assert Encoder.from_merges(merges).encode("酒店酒店") == [0xE9, 259, 0xE9, 259]


@given(texts)
def test_a_heap_merges_as_the_loop_does(text: str) -> None:
    merges = train(count_words([text]), 330)
    loop, heap = Encoder.from_merges(merges), Encoder.from_merges(merges)
    heap.LONG = 0
    assert heap.encode(text * 2) == loop.encode(text * 2) == bpe.encode(text * 2, merges)


def test_a_part_of_a_million_letters_is_no_trouble(trained: dict) -> None:
    encoder = Encoder.from_merges(trained["en"])
    text = "a" * 100_000 + "the" * 30_000
    assert encoder.decode(encoder.encode(text)) == text
    assert not any(len(key) > 64 for memory in (encoder.stretches, encoder.parts, encoder.pieces) for key in memory)


def test_the_memory_is_bounded_and_makes_no_difference(trained: dict, slices: dict[str, str]) -> None:
    small, large = (Encoder.from_merges(trained["zh"], cache_size=size) for size in (5, 1 << 16))
    text = slices["zh"][:20_000]
    assert small.encode(text) == large.encode(text) == large.encode(text)
    assert all(len(memory) <= 5 for memory in (small.stretches, small.parts, small.pieces, small.neighbours))
    assert len(large.pieces) > 100


@pytest.mark.parametrize("pattern", [LIKE_GPT_4, r"\w+", SMOL])
def test_other_patterns_are_encoded_as_in_the_chapter(slices: dict[str, str], pattern: str) -> None:
    text = slices["en"][:3_000] + "酒店，很好。\n\n 123 4567\r\n"
    merges = bpe.train_bpe(text, 300, pattern)
    assert Encoder.from_merges(merges, pattern=pattern).encode(text) == bpe.encode(text, merges, pattern)


# --- Streams and special tokens --------------------------------------------------------------------------------------

SPECIAL = {"<|end|>": 400, "<|end|>>": 401, "|": 402}
MERGES = [(110, 101), (256, 119), (60, 124), (0x92, 0xE5)]
marked = st.lists(st.sampled_from([*SPECIAL, "new", "<|", "酒店", " ", "\n", ">", "end"]), max_size=15).map("".join)


@given(marked | texts, st.sets(st.sampled_from(sorted(SPECIAL))), st.integers(0, 9))
def test_special_tokens_act_as_in_the_chapter_and_streams_as_whole_texts(text: str, allowed: set, seed: int) -> None:
    encoder = Encoder.from_merges(MERGES, special=SPECIAL)
    ids = encoder.encode(text, allowed)
    assert ids == bpe.encode_special(text, MERGES, SPECIAL, allowed)
    assert encoder.decode(ids) == bpe.decode_special(ids, MERGES, SPECIAL) == text
    assert list(encoder.encode_stream(cut(text, seed), allowed)) == ids


def test_special_tokens_are_tiktokens() -> None:
    special = {"<|end|>": 400, "<|user|>": 401}
    encoder = Encoder.from_merges(MERGES, special=special)
    text = "new<|user|> new  <|end|>\n\n<|end|>new"
    for allowed in (set(), {"<|end|>"}, set(special)):
        assert encoder.encode(text, allowed) == tiktoken_of(encoder).encode(
            text, allowed_special=allowed, disallowed_special=()
        )


@pytest.mark.parametrize("block", [1, 50])
def test_a_stream_gives_the_ids_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, trained: dict, slices: dict[str, str], block: int
) -> None:
    monkeypatch.setattr(fast, "BLOCK", block)
    for language, text in slices.items():
        encoder, text = Encoder.from_merges(trained[language]), text[:20_000]
        ids = np.fromiter(encoder.encode_stream(text.splitlines(keepends=True)), np.uint16)
        assert ids.tolist() == encoder.encode(text)
    assert list(encoder.encode_stream([])) == []


def test_a_stream_pulls_only_what_it_needs(trained: dict) -> None:
    pulled = 0

    def lines() -> Iterator[str]:
        nonlocal pulled
        for pulled in range(1, 1_000_000):  # noqa: B007
            yield "the same line again\n"

    ids = Encoder.from_merges(trained["en"]).encode_stream(lines())
    assert next(ids) >= 0
    assert pulled * 20 < 2 * fast.BLOCK + 20


def test_what_cannot_work_is_refused_in_words() -> None:
    encoder = Encoder.from_merges(MERGES, special={"<|a b|>": 300})
    with pytest.raises(ValueError, match="hold some"):
        encoder.encode_stream(["x"], {"<|a b|>"})
    with pytest.raises(ValueError, match="not among the special tokens"):
        encoder.encode("x", {"<|c|>"})
    with pytest.raises(ValueError, match="no safe place"):
        Encoder.from_merges(MERGES, pattern=r"\w+").encode_stream(["x"])
    with pytest.raises(ValueError, match="belongs to"):
        Encoder.from_merges(MERGES, special={"<|c|>": 65})
    with pytest.raises(ValueError, match="empty string"):
        Encoder.from_merges(MERGES, special={"": 300})
    with pytest.raises(ValueError, match="byte_ids"):
        Encoder.from_merges(MERGES, byte_ids=[1, 2, 3])


def test_ids_may_be_numbered_in_any_way(trained: dict, slices: dict[str, str]) -> None:
    """As in a checkpoint that has its special tokens first, and ids above those that fit into two bytes."""
    ours = Encoder.from_merges(trained["en"])
    moved = {id: 70_000 - 3 * id for id in ours.vocabulary}
    encoder = Encoder(
        {moved[id]: token for id, token in ours.vocabulary.items()},
        {(moved[a], moved[b]): moved[id] for id, (a, b) in enumerate(trained["en"], 256)},
        special={"<|end|>": 0},
    )
    text = slices["en"][:20_000]
    assert encoder.encode(text + "<|end|>", {"<|end|>"}) == [*(moved[id] for id in ours.encode(text)), 0]
    assert encoder.decode(encoder.encode(text)) == text


# --- The benchmark ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_benchmark_works(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    pytest.importorskip("tiktoken")
    out = tmp_path / "bpe.json"
    command = [sys.executable, "-m", "benchmarks.bpe", "--quick", "--out", str(out)]
    run = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    assert run.returncode == 0, run.stderr
    results = json.loads(out.read_text(encoding="utf-8"))
    assert results["quick"] is True and results["machine"]["cpu"] and results["machine"]["numpy"] == np.__version__
    rows = {(row["what"], row["language"], row["tool"], row["vocab_size"]): row for row in results["rows"]}
    for language in ("en", "zh"):
        for what, tools in {
            "train": ["plain", "pure Python", "NumPy", "minbpe's algorithm", "tokenizers"],
            "encode": ["plain", "ours", "minbpe's algorithm", "tokenizers", "tiktoken"],
        }.items():
            for tool in tools:
                row = next(row for key, row in rows.items() if key[:3] == (what, language, tool))
                assert row["cpu_seconds"] > 0 and row["bytes"] > 0
                assert tool in run.stdout
    assert all(row["same_as_ours"] for row in results["rows"])
    slow = [row for row in results["rows"] if row["tool"] == "minbpe's algorithm" and row["what"] == "train"]
    assert slow and all(row["extrapolated"] == (row["merges_done"] < row["merges"]) for row in slow)
