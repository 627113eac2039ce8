"""WordPiece, unigram and byte fallback beside the libraries that people use, and beside brute force."""

import itertools
import math
import random
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from solutions.texts import chinese_reviews, english
from solutions.tokenization import beyond

ENGLISH = english()[:60_000]
CHINESE = "\n".join(dict.fromkeys(chinese_reviews()[:600]))
STRANGE = ["", "🙂", "酒店🙂", "naïve", "ﬁ", "x" * 99, "##able", "[UNK]", "a##b", "\u0301e", "<0x41>"]
SPACES = ["a", " a", "a ", "  a  b ", "酒店 很干净", "酒店🙂", "é e\u0301 ﬁ", "\ttab\nline", "a_b", "", " "]

# --- WordPiece ---


def pieces_of(text: str, size: int) -> list[str]:
    """The most frequent substrings of the text's words, with and without ##, and two thirds of its characters."""
    counts = Counter()
    for word, times in Counter(re.findall(r"[^\s，。！？、,.!?；：]+|\S", text)).items():
        for start, end in itertools.combinations(range(min(len(word), 12) + 1), 2):
            counts[("##" if start else "") + word[start:end]] += times
    return [piece for piece, _ in counts.most_common(size)]


@pytest.mark.parametrize(("text", "size"), [(ENGLISH, 900), (CHINESE, 4000)])
def test_wordpiece_is_hugging_faces(text: str, size: int) -> None:
    vocab = ["[UNK]", *pieces_of(text, size)]
    theirs = Tokenizer(models.WordPiece(dict(zip(vocab, range(len(vocab)), strict=True)), unk_token="[UNK]"))
    cut = re.findall(r"[^\s，。！？、,.!?；：]+|\S", text)  # Chinese has no spaces
    words = [w for w in [*dict.fromkeys(cut), *STRANGE] if len(w) <= 100]  # theirs gives up beyond
    assert len(words) > 500
    ours = [beyond.wordpiece_encode(w, set(vocab)) for w in words]
    assert ours == [theirs.encode(w).tokens for w in words]
    stuck = sum(pieces == ["[UNK]"] for pieces in ours)
    assert 0 < stuck < len(words)


def test_hugging_faces_wordpiece_trainer_takes_the_most_frequent_pair() -> None:
    """The page says so: its first merges are those with the largest count, not with the largest score."""
    words = Counter(ENGLISH.split())
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    alphabet = set(ENGLISH) - set(" \n") | {"##" + c for word in words for c in word[1:]}
    trainer = trainers.WordPieceTrainer(vocab_size=len(alphabet) + 4, special_tokens=["[UNK]"], show_progress=False)
    tokenizer.train_from_iterator([ENGLISH], trainer)
    theirs = set(tokenizer.get_vocab()) - alphabet - {"[UNK]"}
    assert len(theirs) == 3

    splits = {word: tuple(("##" if i else "") + c for i, c in enumerate(word)) for word in words}
    found = {"count": [], "score": []}
    for rule, merged in found.items():
        rows = Counter()
        for word, times in words.items():
            rows[splits[word]] += times
        for _ in range(3):
            value = Counter()
            for row, times in rows.items():
                for pair in itertools.pairwise(row):
                    value[pair] += times
            if rule == "score":
                value = beyond.wordpiece_score(rows)
            best = max(value, key=value.get)
            merged.append(best[0] + best[1].removeprefix("##"))
            rows = Counter({join(row, best, merged[-1]): times for row, times in rows.items()})
    assert theirs == set(found["count"])
    assert not theirs & set(found["score"])


def join(row: tuple[str, ...], pair: tuple[str, str], new: str) -> tuple[str, ...]:
    joined = []
    for unit in row:
        if joined and (joined[-1], unit) == pair:
            joined[-1] = new
        else:
            joined.append(unit)
    return tuple(joined)


# --- the unigram model ---


def test_unigram_is_hugging_faces() -> None:
    """Theirs rates an unknown character 10 below the least probable piece, and joins neighbouring unknowns."""
    rng = random.Random(1)
    names = [p for p in pieces_of(ENGLISH, 700) + pieces_of(CHINESE, 900) if not p.startswith("##")]
    logs = {piece: rng.uniform(-14, -2) for piece in dict.fromkeys(names)}
    theirs = Tokenizer(models.Unigram([("<unk>", 0.0), *logs.items()], unk_id=0))
    texts = [line[:60] for line in ENGLISH.splitlines() + CHINESE.splitlines() if line.strip()] + STRANGE
    unknowns = 0
    for text in texts:
        pieces, _ = beyond.unigram_viterbi(text, logs, min(logs.values()) - 10)
        unknowns += any(p not in logs for p in pieces)
        assert join_unknown(pieces, logs) == theirs.encode(text).tokens
    assert 0 < unknowns < len(texts)


def join_unknown(pieces: list[str], known: dict[str, float]) -> list[str]:
    """Neighbouring unknown characters become one piece."""
    runs = itertools.groupby(pieces, key=lambda p: p in known)
    return [piece for ours, run in runs for piece in (run if ours else ["".join(run)])]


MODELS = st.dictionaries(st.text("abc", min_size=1, max_size=4), st.floats(-12, -0.01), min_size=1, max_size=12)


@settings(max_examples=200)
@given(st.text("abcd", max_size=9), MODELS)
def test_best_path_and_sum_are_those_of_all_segmentations(text: str, logs: dict[str, float]) -> None:
    all_logs = logs | {c: -20.0 for c in text if c not in logs}
    sums = [sum(all_logs[p] for p in way) for way in beyond.given_segmentations(text, all_logs)]
    pieces, log_prob = beyond.unigram_viterbi(text, logs)
    assert "".join(pieces) == text
    assert log_prob == pytest.approx(max(sums)) == pytest.approx(sum(all_logs[p] for p in pieces))
    expected = math.log(math.fsum(map(math.exp, sums)))
    assert beyond.unigram_log_likelihood(text, all_logs) == pytest.approx(expected)
    possible = any(True for _ in beyond.given_segmentations(text, logs))
    assert math.isfinite(beyond.unigram_log_likelihood(text, logs)) is possible


@settings(max_examples=100)
@given(st.text("abc", min_size=1, max_size=9), MODELS)
def test_expected_counts_are_the_slopes_of_the_log_likelihood(text: str, logs: dict[str, float]) -> None:
    logs = {c: -3.0 for c in "abc"} | logs
    counts = beyond.expected_counts(text, logs)
    assert sum(len(p) * c for p, c in counts.items()) == pytest.approx(len(text))
    for piece, count in counts.items():
        up, down = (beyond.unigram_log_likelihood(text, logs | {piece: logs[piece] + d}) for d in (1e-5, -1e-5))
        assert count == pytest.approx((up - down) / 2e-5, abs=1e-5)


def test_em_never_makes_a_corpus_less_probable() -> None:
    words = Counter(ENGLISH.split()).most_common(300)
    logs = dict.fromkeys(pieces_of(" ".join(w for w, _ in words), 400), -6.0)
    logs |= {c: -6.0 for w, _ in words for c in w}
    seen = []
    for _ in range(5):
        seen.append(sum(n * beyond.unigram_log_likelihood(w, logs) for w, n in words))
        counts = Counter()
        for word, times in words:
            for piece, count in beyond.expected_counts(word, logs).items():
                counts[piece] += times * count
        logs = {piece: math.log(count / counts.total()) for piece, count in counts.items() if count > 0}
    assert seen == sorted(seen)
    assert seen[-1] > seen[0] + 100


# --- SentencePiece: spaces and bytes ---


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory):
    """Trains a small SentencePiece model on the two languages."""
    folder: Path = tmp_path_factory.mktemp("sentencepiece")
    text = folder / "text.txt"
    text.write_text("\n".join([*ENGLISH.splitlines(), *CHINESE.splitlines()]), encoding="utf-8")

    def make(name: str, **options: object) -> sentencepiece.SentencePieceProcessor:
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(folder / name), vocab_size=2500, character_coverage=0.99,
            num_threads=1, minloglevel=2, **options,
        )  # fmt: skip
        return sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.model"))

    return make


LLAMA = {"byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False}


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_spaces_and_bytes_are_sentencepieces(train, kind: str) -> None:
    """LLaMA's settings: our metaspace is its input, our decoder reads its pieces, and nothing is lost."""
    model = train(f"llama-{kind}", model_type=kind, **LLAMA)
    texts = [t for t in SPACES + ENGLISH.splitlines()[:300] + CHINESE.splitlines()[:100] if t]
    byte_tokens = 0
    for text in texts:
        pieces = model.encode(text, out_type=str)
        byte_tokens += sum(p.startswith("<0x") for p in pieces)
        assert beyond.metaspace(text) == model.normalize(text)
        assert beyond.decode_with_bytes(pieces) == model.decode(pieces) == text
    assert byte_tokens > 100
    assert model.decode(model.encode("a▁b")) == "a b"  # the one thing that it loses


def test_unigram_with_byte_fallback_is_sentencepieces(train) -> None:
    """The whole way with our own functions: spaces, best path, bytes."""
    model = train("whole", model_type="unigram", split_by_whitespace=False, **LLAMA)
    ordinary = [i for i in range(model.get_piece_size()) if not (model.is_byte(i) or model.is_unknown(i))]
    logs = {model.id_to_piece(i): model.get_score(i) for i in ordinary if not model.is_control(i)}
    for text in [t for t in SPACES + ENGLISH.splitlines()[:300] + CHINESE.splitlines()[:100] if t]:
        pieces, _ = beyond.unigram_viterbi(beyond.metaspace(text), logs, min(logs.values()) - 10)
        tokens = beyond.byte_fallback(join_unknown(pieces, logs), set(logs))
        assert tokens == model.encode(text, out_type=str)
        assert beyond.decode_with_bytes(tokens) == text


def test_what_the_page_says_of_lossless_holds_in_the_libraries(train) -> None:
    """Default SentencePiece and BERT's normalizer lose what the page's own short versions of them lose."""
    default = train("default", model_type="unigram")
    for text, survives in {"two  spaces": False, " front": False, "ﬁ": False, "Ａ": False, "one space": True}.items():
        assert (default.normalize(text).replace("▁", " ").removeprefix(" ") == text) is survives, text
        assert (" ".join(unicodedata.normalize("NFKC", text).split()) == text) is survives, text
    bert = normalizers.BertNormalizer(lowercase=True)
    assert bert.normalize_str("Café 酒店") == "cafe  酒  店 "
    split = pre_tokenizers.BertPreTokenizer().pre_tokenize_str(bert.normalize_str("Don't  酒店"))
    assert [part for part, _ in split] == ["don", "'", "t", "酒", "店"]


def test_vocabulary_sizes_of_the_table() -> None:
    """What the libraries' own defaults say."""
    from tiktoken_ext import openai_public
    from transformers import BertConfig, GPT2Config, LlamaConfig, XLNetConfig
    from transformers.models.llama.tokenization_llama import LlamaTokenizer
    from transformers.models.t5.tokenization_t5 import T5Tokenizer
    from transformers.models.xlnet.tokenization_xlnet import XLNetTokenizer

    sizes = [config().vocab_size for config in (GPT2Config, BertConfig, XLNetConfig, LlamaConfig)]
    assert sizes == [50_257, 30_522, 32_000, 32_000]
    assert [t.model for t in (T5Tokenizer, XLNetTokenizer, LlamaTokenizer)] == [models.Unigram] * 2 + [models.BPE]
    assert "cl100k_base" in openai_public.ENCODING_CONSTRUCTORS
