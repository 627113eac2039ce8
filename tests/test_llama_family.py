"""The LLaMA family as it is published: stretched RoPE, heads of any size, kinds of number, llama2.c's forms.

The oracles are transformers, tokenizers, sentencepiece and the package gguf, on tiny models and tokenizers made here.
"""

import io
import json
import random
import shutil
import struct
import tracemalloc
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import sentencepiece
import tokenizers
import torch
from random_llama import random_llama
from test_checkpoints import (
    KINDS,
    TEXTS,
    TINY,
    add_tokens,
    byte_level_tokenizer,
    check_logits,
    meta_state,
    pieces_as_json,
    refused,
    sentencepiece_model,
    write_gguf,
    write_llama2c,
    write_tokenizer_bin,
)
from tokenizers import decoders, models, pre_tokenizers, processors
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from solutions.llama.chat import printable, reference_engine
from solutions.llama.checkpoints import CheckpointError, Config, load, read_tokenizer
from solutions.llama.eight_bits import COST, EightBits, Rows
from solutions.llama.fast import Llama, Reader
from solutions.llama.llama2c import MATRICES, NORMS
from solutions.llama.numbers import DECODE
from solutions.llama.rope import llama3_factors
from solutions.llama.tokenizer_json import read_tokenizer_json
from solutions.llama.vocabulary import LLAMA3
from solutions.texts import english

ROOT = Path(__file__).parent.parent
ROPE_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
LINEAR = {"rope_type": "linear", "factor": 4.0}


def odd_texts(count: int, seed: int = 0) -> list[str]:
    """Texts that no one writes, of words, spaces, signs, digits, scripts, and characters that are hard to cut."""
    rng = random.Random(seed)
    words = english()[20_000:40_000].split()
    odd = [
        *(" ", "  ", "\t", "\n", "\n\n", "\r\n", "'s", "'LL", "ſ", "…", "酒店", "很", "123", "4567", "½", "②", "é"),
        *("e\u0301", "🙂", "\u200d", "\u00a0", "\u3000", "\u2028", "\x1c", "\x7f", "_", "__init__", "<", "|", ">"),
        *("ß", "İ", "Ǆ", "١٢٣", "עברית", "हिन्दी", "\U0001f468\u200d\U0001f469", "\ud7ff", "\ue000", "~!@#", "a1b2"),
        *("<s>", "▁"),
    ]
    texts = []
    for _ in range(count):
        parts = [rng.choice(words) if rng.random() < 0.5 else rng.choice(odd) for _ in range(rng.randint(1, 12))]
        texts.append(rng.choice(["", " "]).join(parts))
    return texts


# --------------------------------------------------------------------------------------------------------------------
# Shapes
# --------------------------------------------------------------------------------------------------------------------

ROPES = {
    "llama3": (replace(TINY, rope_base=50000.0), ROPE_3),
    "llama3, heads of 16, tied": (replace(TINY, head_size=16, tied=True), ROPE_3),
    "linear": (TINY, LINEAR),
    "heads of 16 with a width of 32": (replace(TINY, head_size=16), None),
    "heads of 6": (replace(TINY, head_size=6, kv_heads=1), None),
}


@pytest.mark.parametrize(("config", "rope"), ROPES.values(), ids=ROPES)
def test_the_logits_are_those_of_transformers(tmp_path: Path, config: Config, rope: dict[str, Any] | None) -> None:
    model = random_llama(config, rope=rope)
    model.save_pretrained(tmp_path)
    read = load(tmp_path).config
    assert read.head_size == config.head_size and (read.rope_factors is None) == (rope is None)
    check_logits(tmp_path, model)
    if rope:  # as folders were written before transformers 5
        path = tmp_path / "config.json"
        said = json.loads(path.read_text())
        del said["rope_parameters"]
        for name in ("rope_type", "type") if rope["rope_type"] == "linear" else ("rope_type",):
            older = {key: value for key, value in rope.items() if key != "rope_type"} | {name: rope["rope_type"]}
            path.write_text(json.dumps(said | {"rope_scaling": older, "rope_theta": config.rope_base}))
            assert load(tmp_path).config == read
    write_gguf(tmp_path / "model.gguf", model, read, KINDS.F32)
    check_logits(tmp_path / "model.gguf", model)


def test_a_llama_3_folder_writes_what_transformers_writes(tmp_path: Path) -> None:
    """All of it at once, far beyond the length that RoPE was first made for: ids, text, and where the text ends."""
    tokenizer = llama_3_tokenizer()
    names = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
    theirs = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)
    theirs.save_pretrained(tmp_path)
    config = replace(TINY, vocab=len(theirs), head_size=16, rope_base=500000.0, max_len=256)
    model = random_llama(config, rope=ROPE_3)
    model.generation_config.eos_token_id = [theirs.convert_tokens_to_ids("<|eot_id|>"), *range(0, 700, 50)]
    model.to(torch.bfloat16).save_pretrained(tmp_path, max_shard_size="40KB")
    model = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    engine = reference_engine(tmp_path)
    ended, written_ids = 0, set()
    for text in odd_texts(12, seed=5):
        prompt = theirs(text, return_tensors="pt")
        with torch.no_grad():
            expected = model.generate(**prompt, max_new_tokens=120, do_sample=False, pad_token_id=0)[0].tolist()
        ids, new = prompt["input_ids"][0].tolist(), []
        assert [*engine.vocabulary.begin, *engine.vocabulary.encode(text)] == ids
        written = "".join(engine.write(Reader(engine.model), ids, lambda logits: int(np.argmax(logits)), 120, new))
        ended += len(new) < 120
        written_ids |= {*new}
        stop = expected[-1:] if len(new) < 120 else []  # which transformers keeps
        assert [*ids, *new, *stop] == expected
        assert written == printable(theirs.decode(new, skip_special_tokens=True))
    assert 0 < ended < 12 and len(written_ids) > 50


def test_linear_scaling_in_a_gguf_file(tmp_path: Path) -> None:
    model, path = random_llama(TINY, rope=LINEAR), tmp_path / "model.gguf"

    def add(writer: gguf.GGUFWriter) -> None:
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(4.0)

    write_gguf(path, model, TINY, KINDS.F32, add)
    check_logits(path, model)
    write_gguf(path, model, TINY, KINDS.F32, lambda writer: writer.add_float32("llama.rope.scale_linear", 4.0))
    check_logits(path, model)
    write_gguf(path, model, TINY, KINDS.F32, lambda writer: writer.add_rope_scaling_type(gguf.RopeScalingType.YARN))
    refused(path, "llama.rope.scaling.type", "yarn")


def test_llama_3s_factors_are_those_that_llama_cpp_would_write() -> None:
    """Llama 3.2's own numbers: the first pairs as they were, the last ones 32 times slower."""
    factors = llama3_factors(64, 500_000.0, ROPE_3 | {"factor": 32.0, "original_max_position_embeddings": 8192})
    assert factors[:14] == (1.0,) * 14 and factors[-14:] == pytest.approx((32.0,) * 14)
    between = [factor for factor in factors if 1 < factor < 31.99]
    assert between == sorted(between) and between


def test_tied_bfloat16_in_several_files(tmp_path: Path) -> None:
    config = replace(TINY, tied=True, head_size=16)
    model = random_llama(config, rope=ROPE_3).to(torch.bfloat16)
    model.save_pretrained(tmp_path, max_shard_size="30KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    check_logits(tmp_path, LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32))


def test_a_tied_head_that_is_another_matrix_is_refused(tmp_path: Path) -> None:
    random_llama(TINY).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tie_word_embeddings": True}))
    refused(tmp_path, "lm_head.weight", "tied")


# --------------------------------------------------------------------------------------------------------------------
# Numbers
# --------------------------------------------------------------------------------------------------------------------


def theirs_of(kind: str, data: np.ndarray) -> np.ndarray:
    theirs = getattr(gguf.GGMLQuantizationType, kind)
    raw = data.view({"F32": "<f4", "F16": "<f2"}.get(kind, "u1")).reshape(1, -1)
    with np.errstate(all="ignore"):
        return gguf.quants.dequantize(raw, theirs).reshape(-1).astype(np.float32)


@pytest.mark.parametrize("kind", DECODE)
def test_random_blocks_are_what_the_package_gguf_makes_of_them(kind: str) -> None:
    """Every bit, scales that are infinite or no numbers included."""
    numbers, size = gguf.GGML_QUANT_SIZES[getattr(gguf.GGMLQuantizationType, kind)]
    data = np.random.default_rng(1).integers(256, size=3000 * size, dtype=np.uint8)
    ours = DECODE[kind](data)
    assert ours.dtype == np.float32 and ours.size == 3000 * numbers
    assert np.array_equal(ours.reshape(-1), theirs_of(kind, data), equal_nan=True)


@pytest.mark.parametrize("kind", [kind for kind in DECODE if kind.startswith("Q")])
@pytest.mark.parametrize("scale", [0x0000, 0x8000, 0x0001, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00])
def test_edges_of_the_scales(kind: str, scale: int) -> None:
    """0, -0, the least, the largest, infinite and no number, in each place where a block has a float16."""
    _, size = gguf.GGML_QUANT_SIZES[getattr(gguf.GGMLQuantizationType, kind)]
    for rest in (0, 0x5A, 0xFF):
        for other in (0x3C00, scale):
            block = np.full((1, size), rest, np.uint8)
            block[0, -2:] = np.array([scale], "<u2").view(np.uint8)  # Q6_K's
            if kind != "Q6_K":
                block[0, :4] = np.array([scale, other], "<u2").view(np.uint8)
            ours = DECODE[kind](block.reshape(-1))
            assert np.array_equal(ours.reshape(-1), theirs_of(kind, block.reshape(-1)), equal_nan=True)


K_QUANTS = {"Q4_K": 144, "Q5_K": 176, "Q6_K": 210}


@pytest.mark.parametrize("kind", ["Q4_0", "Q5_0", "Q5_1", *K_QUANTS])
def test_a_gguf_file_in_each_kind(tmp_path: Path, kind: str) -> None:
    """The package writes the simple kinds; blocks of the others are drawn, and read back by the package."""
    config = Config(dim=256, hidden=256, layers=1, heads=4, kv_heads=4, vocab=64, max_len=32)
    model, path = random_llama(config), tmp_path / "model.gguf"
    theirs = getattr(gguf.GGMLQuantizationType, kind)
    rng, drawn = np.random.default_rng(2), {}

    def some_blocks(array: np.ndarray, _kind: Any) -> np.ndarray:
        if array.ndim == 1:
            return array
        data = rng.integers(256, size=(len(array), K_QUANTS[kind]), dtype=np.uint8)
        places = (208,) if kind == "Q6_K" else (0, 2)
        for at in places:
            data[:, at : at + 2] = np.array([0.0004], "<f2").view(np.uint8)
        return data

    with pytest.MonkeyPatch.context() as patch:
        if kind in K_QUANTS:
            patch.setattr(gguf.quants, "quantize", some_blocks)
        drawn = write_gguf(path, model, config, theirs)
    weights = load(path).weights
    assert np.array_equal(weights["embed"], drawn["model.embed_tokens.weight"])
    assert np.array_equal(weights["blocks"][0]["Wo"], drawn["model.layers.0.self_attn.o_proj.weight"].T)
    assert np.abs(weights["blocks"][0]["Wo"]).max() > 0


def test_a_kind_that_is_not_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(path, random_llama(TINY), TINY, KINDS.F32)
    data = path.read_bytes()
    name = b"blk.0.attn_q.weight"
    at = data.index(name) + len(name) + 4 + 16  # after its name, its two dimensions
    for number, said in ((10, "Q2_K"), (20, "IQ4_NL"), (99, "of kind 99")):
        path.write_bytes(data[:at] + struct.pack("<I", number) + data[at + 4 :])
        refused(path, "blk.0.attn_q.weight", said, "Q4_K")


# --------------------------------------------------------------------------------------------------------------------
# llama2.c
# --------------------------------------------------------------------------------------------------------------------


def in_groups(array: np.ndarray, group: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 and scales, as llama2.c's export makes them."""
    rows = array.reshape(-1, group).astype(np.float32)
    scale = np.abs(rows).max(axis=1) / np.float32(127)
    return np.rint(rows / scale[:, None]).astype(np.int8), scale.astype("<f4")


def write_newer(path: Path, model: LlamaForCausalLM, config: Config, version: int, scales_last: bool = False) -> dict:
    """llama2.c's version 1 or 2. Returns the matrices as they are in the file."""
    state = meta_state(model, config)
    there = {"attn_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}
    there |= {"Wq": "self_attn.q_proj", "Wk": "self_attn.k_proj", "Wv": "self_attn.v_proj", "Wo": "self_attn.o_proj"}
    there |= {"Wg": "mlp.gate_proj", "Wu": "mlp.up_proj", "Wd": "mlp.down_proj"}
    alone = {"norm": "model.norm", "embed": "model.embed_tokens", "head": "lm_head"}

    def arrays(name: str) -> list[np.ndarray]:
        if name in alone:
            return [state[f"{alone[name]}.weight"]]
        return [state[f"model.layers.{layer}.{there[name]}.weight"] for layer in range(config.layers)]

    group, kept, late = 16, {}, b""
    with path.open("wb") as file:
        sizes = (config.dim, config.hidden, config.layers, config.heads, config.kv_heads, config.vocab, config.max_len)
        file.write(struct.pack("<4si7iB", b"24ka", version, *sizes, config.tied))
        file.write(struct.pack("<i", group) if version == 2 else b"")
        file.write(bytes(256 - file.tell()))
        for name in (*NORMS, *MATRICES):
            for layer, array in enumerate(arrays(name) if name != "head" or not config.tied else []):
                if version == 1 or name in NORMS:
                    file.write(np.ascontiguousarray(array, "<f4").tobytes())
                    continue
                whole, scale = in_groups(array, group)
                file.write(whole.tobytes())
                if scales_last:
                    late += scale.tobytes()
                else:
                    file.write(scale.tobytes())
                kept[name, layer] = (whole * scale[:, None]).reshape(array.shape)
        file.write(late)
    return kept


@pytest.mark.parametrize("config", [TINY, replace(TINY, tied=True)], ids=["untied", "tied"])
def test_llama2cs_version_1(tmp_path: Path, config: Config) -> None:
    model, path = random_llama(config), tmp_path / "model.bin"
    write_newer(path, model, config, 1)
    assert load(path).config == config
    check_logits(path, model)
    data = path.read_bytes()
    for at, byte, words in ((4, 3, "version"), (36, 2, "shared_classifier"), (200, 1, "more fields")):
        path.write_bytes(data[:at] + bytes([byte]) + data[at + 1 :])
        refused(path, words)
    path.write_bytes(data[:-4])
    refused(path, "cut off")


@pytest.mark.parametrize("scales_last", [False, True])
@pytest.mark.parametrize("config", [TINY, replace(TINY, tied=True)], ids=["untied", "tied"])
def test_llama2cs_version_2(tmp_path: Path, config: Config, scales_last: bool) -> None:
    """In both orders that llama2.c's export has written."""
    model, path = random_llama(config), tmp_path / "model.bin"
    kept = write_newer(path, model, config, 2, scales_last)
    weights = load(path).weights
    assert np.array_equal(weights["embed"], kept["embed", 0])
    for layer, block in enumerate(weights["blocks"]):
        for name in ("Wq", "Wk", "Wv", "Wo", "Wg", "Wu", "Wd"):
            assert np.array_equal(block[name].T, kept[name, layer]), name
    assert np.array_equal(weights["head"].T, kept["embed" if config.tied else "head", 0])
    check_logits(path, model, tolerance=0.5)  # what eight bits cost this tiny model


def tokenizer_of_size(size: int) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=llama2cs_tokenizer(size))


@cache
def llama2cs_tokenizer(size: int) -> bytes:
    """With the settings of llama2.c's tinystories.py: spaces at the ends and in a row go, which is the default."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(english()[:150_000].splitlines()),
        model_writer=made,
        vocab_size=size,
        model_type="bpe",
        character_coverage=1.0,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        byte_fallback=True,
        unk_surface=r" \342\201\207 ",
        normalization_rule_name="identity",
        minloglevel=2,
    )
    return made.getvalue()


def test_llama2cs_own_tokenizer_model(tmp_path: Path) -> None:
    theirs, path = tokenizer_of_size(512), tmp_path / "tok512.model"
    path.write_bytes(llama2cs_tokenizer(512))
    ours = read_tokenizer(path)
    for text in [*TEXTS, *odd_texts(1000, 1), "  two  ends  ", "▁", " ▁ ", "a ▁", "\u3000 a"]:
        text = text.replace("\x00", "")
        ids = ours.encode(text)
        assert ids == theirs.encode(text), text
        assert ours.decode(ids) == theirs.decode(ids), text


def test_of_several_tokenizers_the_one_that_fits(tmp_path: Path) -> None:
    """As in a clone of llama2.c: a tokenizer.bin for the large models, and one that a small model was made with."""
    small, large = tokenizer_of_size(400), tokenizer_of_size(800)
    config, path = replace(TINY, vocab=400), tmp_path / "model.bin"
    write_llama2c(path, random_llama(config), config)
    write_tokenizer_bin(tmp_path / "tokenizer.bin", large)
    refused(path, "vocab_size", "tokenizer.bin: 800", "400")
    write_tokenizer_bin(tmp_path / "tok400.bin", small)
    text = "the house of her sister"
    assert load(path).vocabulary.encode(text) == small.encode(text)
    (tmp_path / "tok400.bin").rename(tmp_path / "tok_mine.bin")
    (tmp_path / "tok400.model").write_bytes(llama2cs_tokenizer(400))
    assert load(path).vocabulary.encode(text) == small.encode(text)
    (tmp_path / "tok400.model").unlink()
    assert load(path).vocabulary.encode(text) == small.encode(text)
    (tmp_path / "tok_mine.bin").unlink()
    (tmp_path / "elsewhere").mkdir()
    write_tokenizer_bin(tmp_path / "elsewhere" / "named.bin", small)
    assert load(path, tokenizer=tmp_path / "elsewhere" / "named.bin").vocabulary.encode(text) == small.encode(text)
    with pytest.raises(CheckpointError, match="800 of them, but the model has 400"):
        load(path, tokenizer=tmp_path / "tokenizer.bin")


def test_two_tokenizers_that_fit_and_differ_are_refused(tmp_path: Path) -> None:
    config, path = replace(TINY, vocab=512), tmp_path / "model.bin"
    write_llama2c(path, random_llama(config), config)
    write_tokenizer_bin(tmp_path / "tokenizer.bin", tokenizer_of_size(512))
    (tmp_path / "tokenizer.model").write_bytes(llama2cs_tokenizer(512))
    assert load(path).vocabulary is not None, "the same tokenizer, in its two forms"
    other = bytearray((tmp_path / "tokenizer.bin").read_bytes())
    at = other.index(b"her")
    other[at : at + 3] = b"HER"
    (tmp_path / "tok_other.bin").write_bytes(other)
    refused(path, "tok_other.bin", "--tokenizer")


def test_a_vocabulary_that_is_filled_up(tmp_path: Path) -> None:
    """More rows than tokens, for the sake of round numbers: the ids beyond are empty."""
    theirs = tokenizer_of_size(500)
    config, path = replace(TINY, vocab=512), tmp_path / "model.bin"
    for write in (lambda: write_llama2c(path, random_llama(config), config),
                  lambda: write_newer(path, random_llama(config), config, 2)):  # fmt: skip
        write()
        write_tokenizer_bin(tmp_path / "tokenizer.bin", theirs)
        ours = load(path).vocabulary
        assert len(ours) == 512 and ours.decode([505, *ours.encode("a text"), 511]) == "a text"
        assert ours.encode("a text") == theirs.encode("a text")


# --------------------------------------------------------------------------------------------------------------------
# Tokenizers
# --------------------------------------------------------------------------------------------------------------------


def llama_3_tokenizer(ignore_merges: bool = True) -> tokenizers.Tokenizer:
    """As Llama 3's: its pattern, tokens that no merge makes, special tokens after all others, a template."""
    split = pre_tokenizers.Split(tokenizers.Regex(LLAMA3), behavior="isolated")
    said = json.loads(byte_level_tokenizer(split, regex=False).to_str())
    vocabulary = {token: id - 3 for token, id in said["model"]["vocab"].items() if id >= 3}
    for whole in ("Ġwhatever", "酒", "Ġsisterly", "!!!!"):
        spelt = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(whole)[0][0]
        vocabulary.setdefault(whole if whole.startswith("Ġ") else spelt, len(vocabulary))
    merges = [tuple(merge) for merge in said["model"]["merges"]]
    tokenizer = tokenizers.Tokenizer(models.BPE(vocabulary, merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer.add_special_tokens([tokenizers.AddedToken(name, special=True, normalized=False) for name in names])
    begin = tokenizer.token_to_id(names[0])
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(single=f"{names[0]} $A", special_tokens=[(names[0], begin)]),
        ]
    )
    return tokenizer


@pytest.mark.parametrize("ignore_merges", [True, False])
def test_llama_3s_tokenizer_on_a_thousand_odd_texts(tmp_path: Path, ignore_merges: bool) -> None:
    theirs = llama_3_tokenizer(ignore_merges)
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = read_tokenizer_json(tmp_path / "tokenizer.json")
    whole = theirs.token_to_id("Ġwhatever")
    assert (ours.encode(" whatever") == [whole]) == ignore_merges
    for text in [*TEXTS, *odd_texts(1000), " whatever, sisterly!!!!", "酒"]:
        assert [*ours.begin, *ours.encode(text)] == theirs.encode(text).ids, text
        assert ours.decode(ours.encode(text)) == text


def test_llama_bpe_in_a_gguf_file(tmp_path: Path) -> None:
    theirs, path = llama_3_tokenizer(), tmp_path / "model.gguf"
    said = json.loads(theirs.to_str())["model"]
    size = theirs.get_vocab_size()
    merges = [" ".join(merge) for merge in said["merges"]]
    kinds = [3 if id >= size - 5 else 1 for id in range(size)]
    more = {"tokenizer_model": "gpt2", "token_merges": merges, "bos_token_id": size - 5, "eos_token_id": size - 4}
    tokens = [theirs.id_to_token(id) for id in range(size)]
    config = replace(TINY, vocab=size)
    write_gguf(
        path, random_llama(config), config, KINDS.F16, add_tokens(tokens, kinds, tokenizer_pre="llama-bpe", **more)
    )
    ours = load(path).vocabulary
    assert ours.begin == [size - 5], "llama.cpp begins Llama 3's texts so, where the file does not say"
    assert ours.named == {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>"}
    for text in odd_texts(300, 2):
        assert [*ours.begin, *ours.encode(text)] == theirs.encode(text).ids, text
    for pre, words in (("default", "'default'"), (None, "missing"), ("tekken", "tekken")):
        some = {} if pre is None else {"tokenizer_pre": pre}
        write_gguf(path, random_llama(config), config, KINDS.F16, add_tokens(tokens, kinds, **some, **more))
        refused(path, "tokenizer.ggml.pre", words)


FLAGS = {
    "plain": {},
    "lstrip": {"lstrip": True},
    "rstrip": {"rstrip": True},
    "both": {"lstrip": True, "rstrip": True},
    "single word": {"single_word": True},
    "normalized": {"normalized": True},
}


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_added_tokens_that_are_not_special(tmp_path: Path, flags: dict[str, bool]) -> None:
    """They act in every text, and are part of the decoded one."""
    theirs = byte_level_tokenizer(size=500)
    for text in ("<tool>", "<tool>call", "café", "  "):
        theirs.add_tokens([tokenizers.AddedToken(text, **({"normalized": False} | flags))])
    theirs.add_special_tokens([tokenizers.AddedToken("<mask>", **({"normalized": False} | flags))])
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = read_tokenizer_json(tmp_path / "tokenizer.json")
    rng = random.Random(3)
    words = ["<tool>", "<tool>call", "café", " ", "  ", "\n", "a", "word", ".", "_", "<", "酒", "\x1c", "<mask>", "1"]
    for _ in range(1000):
        text = "".join(rng.choices(words, k=rng.randint(1, 9)))
        ids = ours.encode(text, list(ours.special))
        assert ids == theirs.encode(text).ids, text
        assert ours.decode(ids) == theirs.decode(ids), text
    assert ours.decode(ours.encode("a<tool>b")) == "a<tool>b"


def test_user_defined_tokens_in_a_gguf_file(tmp_path: Path) -> None:
    said = json.loads(byte_level_tokenizer(size=400).to_str())["model"]
    tokens = [*sorted(said["vocab"], key=said["vocab"].__getitem__), "<tool>", "[PAD401]"]
    kinds = [3] * 3 + [1] * (len(tokens) - 5) + [4, 5]
    more = {"tokenizer_model": "gpt2", "tokenizer_pre": "gpt-2", "token_merges": [" ".join(m) for m in said["merges"]]}
    config, path = replace(TINY, vocab=len(tokens)), tmp_path / "model.gguf"
    write_gguf(path, random_llama(config), config, KINDS.F16, add_tokens(tokens, kinds, **more))
    ours = load(path).vocabulary
    ids = ours.encode("a<tool>b[PAD401]")
    assert ids[1] == len(tokens) - 2 and len(tokens) - 1 not in ids
    assert ours.decode(ids) == "a<tool>b[PAD401]" and ours.decode([len(tokens) - 1]) == ""


@pytest.mark.parametrize("scheme", ["always", "first", "never", None])
@pytest.mark.parametrize("normalized", [False, True])
def test_converted_sentencepiece_in_each_form(tmp_path: Path, scheme: str | None, normalized: bool) -> None:
    """Metaspace, as transformers writes it now, and the normalizer Prepend, as it did before (None)."""
    theirs = pieces_as_json(sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model()))
    said = json.loads(theirs.to_str())
    for token in said["added_tokens"]:
        token["normalized"] = normalized
    if scheme:
        said["normalizer"] = None
        said["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": False}
    if scheme == "never":
        said["decoder"]["decoders"].pop()
    theirs = tokenizers.Tokenizer.from_str(json.dumps(said))
    theirs.add_tokens([tokenizers.AddedToken("<tool>", normalized=normalized)])
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = read_tokenizer_json(tmp_path / "tokenizer.json")
    texts = ["", " ", "a", " a", "  a", "<s>a", "<s> a", " <s>a</s> b", "a <tool> b", "<tool>", "a<tool> <tool>b"]
    for text in [*texts, *odd_texts(1000, 4)]:
        ids = ours.encode(text, list(ours.special))
        assert ids == theirs.encode(text).ids, text
        ids = [id for id in ids if id not in ours.special.values()]
        assert ours.decode(ids) == theirs.decode(ids), text


# --------------------------------------------------------------------------------------------------------------------
# Memory
# --------------------------------------------------------------------------------------------------------------------


def test_lazy_weights_are_the_same_and_are_not_kept(tmp_path: Path) -> None:
    config = replace(TINY, head_size=16)
    random_llama(config).to(torch.float16).save_pretrained(tmp_path)
    (_, lazy, _), (_, eager, _) = load(tmp_path, lazy=True), load(tmp_path)
    assert len(lazy["blocks"]) == len(eager["blocks"]) == 2 and lazy["blocks"][-1].keys() == eager["blocks"][-1].keys()
    for ours, theirs in zip(lazy["blocks"], eager["blocks"], strict=True):
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    assert (
        lazy["blocks"][0]["Wd"] is not lazy["blocks"][0]["Wd"] and eager["blocks"][0]["Wd"] is eager["blocks"][0]["Wd"]
    )
    with pytest.raises(IndexError):
        lazy["blocks"][2]
    llama, same = Llama(config, lazy), Llama(config, eager)
    assert np.array_equal(llama.prefill([1, 2, 3])[0], same.prefill([1, 2, 3])[0])


def test_a_model_is_in_memory_once(tmp_path: Path) -> None:
    """While it is made from a file of 16 bits there are, besides it, one matrix or two blocks in float32 at most."""
    config = replace(TINY, dim=64, hidden=256, layers=24, vocab=1000, tied=True)
    random_llama(config).to(torch.float16).save_pretrained(tmp_path)
    peaks = {}
    for lazy in (True, False):
        tracemalloc.start()
        llama = Llama(config, load(tmp_path, lazy=lazy).weights)
        peaks[lazy] = tracemalloc.get_traced_memory()[1] / llama.memory.nbytes
        tracemalloc.stop()
    assert peaks[True] < 1.25 and peaks[False] > 1.8, peaks


def test_rows_in_eight_bits_are_within_half_a_step() -> None:
    W = np.random.default_rng(0).standard_normal((300, 500), dtype=np.float32)
    W[7] = 0
    rows = Rows(W)
    step = np.abs(W).max(axis=1, keepdims=True) / 127
    assert (np.abs(rows[:] - W) <= step * 0.5001).all() and rows.bytes.nbytes * 4 == W.nbytes


@pytest.mark.parametrize("tied", [True, False])
def test_eight_bits_in_steps_prefill_and_batches_are_one_model(tied: bool, tmp_path: Path) -> None:
    config = replace(TINY, tied=tied)
    random_llama(config).save_pretrained(tmp_path)
    model = EightBits(config, load(tmp_path).weights)
    ids = [3, 1, 4, 1, 5, 9, 2, 6]
    whole, _ = model.prefill(ids)
    logits, cache = model.prefill(ids[:3])
    for id in ids[3:]:
        logits = model.step(id, cache)
    assert np.abs(logits - whole).max() < 1e-4
    _, caches = model.prefill_batch([ids[:-1], ids[:3]])
    assert np.abs(model.step_batch([ids[-1], 7], caches)[0] - whole).max() < 1e-4
    exact, _ = Llama(config, load(tmp_path).weights).prefill(ids)
    assert 0 < np.abs(whole - exact).max() < 1


def test_what_eight_bits_cost() -> None:
    folder = ROOT / "solutions" / "llama" / "trained" / "austen"
    config, weights, vocabulary = load(folder)
    novels = english()
    ids = vocabulary.encode(novels[len(novels) * 95 // 100 :][:6_000])
    perplexities = []
    for model in (Llama(config, weights), EightBits(config, weights)):
        nats = []
        for start in range(0, 1000, 200):
            logits, cache = model.prefill(ids[start : start + 1])
            for id in ids[start + 1 : start + 200]:
                exact = logits.astype(np.float64)
                nats.append(np.logaddexp.reduce(exact) - exact[id])
                logits = model.step(id, cache)
        perplexities.append(np.exp(np.mean(nats)))
    assert perplexities[0] != perplexities[1]
    assert abs(perplexities[1] / perplexities[0] - 1) < 0.005 and "0.5 %" in COST


def test_a_folder_of_pickles_is_told_what_to_do(tmp_path: Path) -> None:
    random_llama(TINY).save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").rename(tmp_path / "model" / "pytorch_model.bin")
    refused(tmp_path / "model", "pytorch_model.bin", ".safetensors")
    shutil.rmtree(tmp_path / "model")
