"""Whatever a checkpoint says that is not understood is refused by name: a field, a flag, a key, a part, anywhere."""

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import sentencepiece
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_llama import random_llama
from test_checkpoints import (
    KINDS,
    TINY,
    add_tokens,
    byte_level_tokenizer,
    pieces_as_json,
    refused,
    sentencepiece_model,
    write_gguf,
)
from test_llama_family import ROPE_3, llama_3_tokenizer
from tokenizers import AddedToken
from transformers import GenerationConfig, PreTrainedTokenizerFast

from solutions.llama import gguf as gguf_reader
from solutions.llama import huggingface
from solutions.llama.checkpoints import load, read_tokenizer
from solutions.llama.pieces import protobuf
from solutions.llama.vocabulary import CheckpointError

FUZZ = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def dictionaries(said: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The ways to all objects in a JSON file that are no tables of tokens."""
    if isinstance(said, dict):
        yield way
    inside = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    for key, value in inside:
        if key not in ("vocab", "merges"):
            yield from dictionaries(value, (*way, key))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three folders as transformers and tokenizers write them, whose files have all that may be nested in them."""
    made = {}
    for name, tokenizer in (
        ("llama 3", llama_3_tokenizer()),
        ("gpt-2", byte_level_tokenizer(size=400)),
        ("pieces", pieces_as_json(sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model()))),
    ):
        folder = tmp_path_factory.mktemp("folder") / name.replace(" ", "-")
        tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
        PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
        flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
        padding = {"content": tokenizer.id_to_token(tokenizer.get_vocab_size() - 1)} | flags  # as older folders have it
        (folder / "special_tokens_map.json").write_text(json.dumps({"pad_token": padding}))
        config = replace(TINY, vocab=tokenizer.get_vocab_size())
        random_llama(config, rope=ROPE_3 if name == "llama 3" else None).save_pretrained(folder, max_shard_size="40KB")
        assert load(folder).vocabulary is not None
        made[name] = folder
    return made


NAMES = st.text("abcdefghijklmnop_", min_size=4, max_size=12).map("x_".__add__) | st.sampled_from(
    ["X", "é", "", "type "]
)
ANYTHING = st.sampled_from([None, False, True, 0, 1, 2.5, "", "text", [], {}, [1], {"a": 1}])
FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
         "model.safetensors.index.json")  # fmt: skip
FREE = ("metadata",)  # of an index of tensors: said by whoever wrote it, about its size


@pytest.mark.parametrize("name", ["llama 3", "gpt-2", "pieces"])
@pytest.mark.parametrize("file", FILES)
@FUZZ
@given(data=st.data())
def test_an_unknown_field_anywhere_is_refused(
    folders: dict[str, Path], tmp_path: Path, name: str, file: str, data: st.DataObject
) -> None:
    folder = tmp_path / "copy"
    if not folder.exists():
        shutil.copytree(folders[name], folder)
    said = json.loads((folders[name] / file).read_text())
    ways = [way for way in dictionaries(said) if not set(way) & set(FREE)]
    inner = said
    for key in data.draw(st.sampled_from(ways)):
        inner = inner[key]
    field = data.draw(NAMES.filter(lambda name: name not in inner))
    inner[field] = data.draw(ANYTHING)
    (folder / file).write_text(json.dumps(said))
    refused(folder, file)
    (folder / file).write_bytes((folders[name] / file).read_bytes())


@pytest.mark.parametrize("name", ["llama 3", "gpt-2", "pieces"])
def test_each_part_of_a_tokenizer_that_is_turned_over_changes_ids_or_is_refused(
    folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """Every true or false in the file, one by one. What may stay the same is a list, with the reason."""
    said = json.loads((folders[name] / "tokenizer.json").read_text())
    # No offsets are computed here; `fuse_unk` is for tokenizers without bytes; without a normalizer all are normal.
    same = {"trim_offsets", "fuse_unk", "normalized"}
    same |= {"add_prefix_space", "use_regex"}  # of a post-processor and a decoder, which do not cut
    if name == "gpt-2":  # whose merges lead to all of its tokens
        same |= {"ignore_merges"}
    texts = [" whatever", "a <tool> b<tool>c", "the house's 12345", " x<tool> y", "酒店", "_<tool>_"]
    before = read_tokenizer(folders[name])
    names = list(before.special)
    seen = [before.encode(text + names[0] + " " + text, names) for text in texts]
    shown = before.decode([token.id for token in before.added])
    path = tmp_path / "tokenizer.json"
    for *way, last in list(booleans(said)):
        inner = said
        for key in way:
            inner = inner[key]
        inner[last] = not inner[last]
        path.write_text(json.dumps(said))
        inner[last] = not inner[last]
        try:
            after = read_tokenizer(path)
        except CheckpointError:
            continue
        different = list(after.special) != names or after.decode([token.id for token in after.added]) != shown
        different = different or [after.encode(text + names[0] + " " + text, names) for text in texts] != seen
        flag = any(getattr(a, str(last), 0) != getattr(b, str(last), 0) for a, b in zip(after.added, before.added))  # noqa: B905
        assert different or flag or last in same, (way, last)


def booleans(said: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(said, bool):
        yield way
    inside = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    for key, value in inside:
        if key not in ("vocab", "merges"):
            yield from booleans(value, (*way, key))


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("config.json", {"architectures": ["LlamaForSequenceClassification"]}, ["architectures"]),
        ("config.json", {"sliding_window": 4096}, ["sliding_window"]),
        ("config.json", {"rope_interleaved": True}, ["rope_interleaved"]),
        ("config.json", {"attention_bias": 0}, ["attention_bias"]),
        ("config.json", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, ["rope_scaling.rope_type", "yarn"]),
        ("config.json", {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, ["rope_scaling.rope_type"]),
        ("config.json", {"rope_scaling": {"rope_type": "linear", "factor": -2.0}}, ["rope_scaling.factor"]),
        ("config.json", {"rope_scaling": {"type": "linear", "factor": 2.0}}, ["rope_scaling", "rope_parameters"]),
        ("config.json", {"rope_theta": 20000.0}, ["rope_theta", "more than once"]),
        (
            "config.json",
            {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}},
            ["partial_rotary"],
        ),
        ("config.json", {"rope_parameters": ROPE_3 | {"low_freq_factor": 4.0}}, ["low_freq_factor"]),
        ("generation_config.json", {"suppress_tokens": [5]}, ["suppress_tokens", "[5]"]),
        ("generation_config.json", {"stop_strings": ["\n"]}, ["stop_strings"]),
        ("generation_config.json", {"forced_eos_token_id": 2}, ["forced_eos_token_id"]),
        ("generation_config.json", {"eos_token_id": [1, 1000]}, ["eos_token_id", "1000"]),
        ("tokenizer.json", {"truncation": {"max_length": 8}}, ["truncation"]),
        ("tokenizer.json", {"padding": {"length": 8}}, ["padding"]),
        ("tokenizer.json", {"version": "2.0"}, ["version"]),
        ("tokenizer.json", {"normalizer": {"type": "NFC"}}, ["normalizer"]),
        ("tokenizer.json", {"decoder": None}, ["decoder"]),
        ("tokenizer.json", {"decoder": {"type": "WordPiece"}}, ["decoder"]),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"7": {"content": "<new>"}}},
            ["added_tokens_decoder.7", "<new>"],
        ),
        (
            "tokenizer_config.json",
            {"chat_template": [{"name": "tools", "template": "x"}]},
            ["chat_template", "default"],
        ),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a.B", None]}}, ["auto_map"]),
        ("tokenizer_config.json", {"pad_token": "[PAD]"}, ["pad_token", "'[PAD]' is no such token"]),
        ("tokenizer_config.json", {"additional_special_tokens": ["<|end|>", "<new>"]}, ["additional", "<new>"]),
        ("tokenizer_config.json", {"extra_special_tokens": {"image_token": "<new>"}}, ["extra_special", "<new>"]),
        ("tokenizer_config.json", {"add_prefix_space": True}, ["add_prefix_space", "otherwise"]),
        ("tokenizer_config.json", {"add_bos_token": True}, ["add_bos_token", "otherwise"]),
        ("tokenizer_config.json", {"add_eos_token": True}, ["add_eos_token", "otherwise"]),
        ("tokenizer_config.json", {"split_special_tokens": True}, ["split_special_tokens"]),
        ("tokenizer_config.json", {"errors": "ignore"}, ["errors"]),
        ("special_tokens_map.json", {"mask_token": "<new>"}, ["mask_token", "<new>"]),
    ],
)
def test_what_is_known_and_not_built(
    folders: dict[str, Path], tmp_path: Path, file: str, change: dict[str, Any], words: list[str]
) -> None:
    folder = shutil.copytree(folders["gpt-2"], tmp_path / "copy")
    said = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps(said | change))
    refused(folder, file, *words)


def test_what_changes_nothing_is_read(folders: dict[str, Path], tmp_path: Path) -> None:
    """A config.json as Llama 3.2's and SmolLM2's publishers write it."""
    folder = shutil.copytree(folders["llama 3"], tmp_path / "copy")
    path = folder / "config.json"
    said = json.loads(path.read_text())
    said |= {
        "_name_or_path": "somewhere",
        "torch_dtype": "bfloat16",
        "transformers_version": "4.45.0.dev0",
        "use_cache": True,
    }
    said |= {"attention_dropout": 0.0, "initializer_range": 0.02, "pretraining_tp": 1, "bos_token_id": 1}
    said |= {"is_llama_config": True, "rope_interleaved": False, "mlp_bias": False, "pad_token_id": None}
    said |= {"transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16"}}}
    path.write_text(json.dumps(said))
    drawing = {
        "do_sample": True,
        "temperature": 0.6,
        "top_p": 0.9,
        "_from_model_config": True,
        "eos_token_id": [702, 705],
    }
    (folder / "generation_config.json").write_text(json.dumps(drawing | {"transformers_version": "4.45.0.dev0"}))
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text())
    said |= {
        "clean_up_tokenization_spaces": True,
        "model_max_length": 131072,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    said |= {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "add_bos_token": True, "pad_token": None}
    path.write_text(json.dumps(said))
    read = load(folder)
    assert read.config == load(folders["llama 3"]).config and read.vocabulary.end == {702, 705}
    assert read.vocabulary.named["eos_token"] == "<|eot_id|>"


def test_tokens_that_lie_beside_the_tokenizer_are_its_own(folders: dict[str, Path], tmp_path: Path) -> None:
    """added_tokens.json, of older folders: what is in it and not in the tokenizer, transformers adds."""
    folder = shutil.copytree(folders["gpt-2"], tmp_path / "copy")
    (folder / "added_tokens.json").write_text(json.dumps({"<tool>": 400, "<|end|>": 0}))
    assert load(folder).vocabulary is not None
    for wrong in ({"<tool>": 399}, {"<new>": 401}, {"<tool>": "400"}):
        (folder / "added_tokens.json").write_text(json.dumps(wrong))
        refused(folder, "added_tokens.json", next(iter(wrong)))


def test_an_adapter_beside_the_weights_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    """transformers would put it on top of them."""
    folder = shutil.copytree(folders["gpt-2"], tmp_path / "copy")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 8}))
    refused(folder, "adapter_config.json", "merge")


def test_what_transformers_can_say_of_generation_is_on_a_list() -> None:
    known = {*huggingface.DRAWING, *huggingface.FORCING, "eos_token_id"}
    assert set(GenerationConfig().to_dict()) <= known and not set(huggingface.DRAWING) & set(huggingface.FORCING)


# --------------------------------------------------------------------------------------------------------------------
# GGUF
# --------------------------------------------------------------------------------------------------------------------


def with_key(path: Path, key: str, value: Any, kind: gguf.GGUFValueType) -> None:
    tokens = [*(f"<{number}>" for number in range(3)), *map(chr, range(33, 127))]
    merges = ["a b"]
    more = {"tokenizer_model": "gpt2", "tokenizer_pre": "smollm", "token_merges": merges}
    config = replace(TINY, vocab=len(tokens) + 1)

    def add(writer: gguf.GGUFWriter) -> None:
        add_tokens([*tokens, "ab"], [3] * 3 + [1] * (len(tokens) - 2), **more)(writer)
        for data in writer.kv_data:
            data.pop(key, None)
        writer.add_key_value(key, value, kind)

    write_gguf(path, random_llama(config), config, KINDS.F32, add)


TYPE = gguf.GGUFValueType


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["", "general.", "llama.", "llama.attention.", "llama.rope.", "llama.rope.scaling.", "tokenizer.",
                     "tokenizer.ggml.", "split."]),
    st.text("abcdefgh_", min_size=3, max_size=9),
    st.sampled_from([(1, TYPE.UINT32), (0.5, TYPE.FLOAT32), ("x", TYPE.STRING), (False, TYPE.BOOL)]),
)  # fmt: skip
def test_an_unknown_key_is_refused(tmp_path: Path, inside: str, name: str, value: tuple[Any, Any]) -> None:
    path, key = tmp_path / "model.gguf", f"{inside}x{name}"
    with_key(path, key, *value)
    refused(path, "model.gguf", key)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("general.quantization_version", 1, TYPE.UINT32),
        ("llama.expert_count", 8, TYPE.UINT32),
        ("llama.attention.sliding_window", 512, TYPE.UINT32),
        ("llama.attention.scale", 0.5, TYPE.FLOAT32),
        ("llama.rope.dimension_count", 4, TYPE.UINT32),
        ("llama.rope.scaling.attn_factor", 1.5, TYPE.FLOAT32),
        ("llama.logit_scale", 0.5, TYPE.FLOAT32),
        ("llama.embedding_scale", 0.5, TYPE.FLOAT32),
        ("llama.final_logit_softcapping", 30.0, TYPE.FLOAT32),
        ("tokenizer.ggml.add_eos_token", True, TYPE.BOOL),
        ("tokenizer.ggml.remove_extra_whitespaces", True, TYPE.BOOL),
        ("tokenizer.ggml.precompiled_charsmap", "x", TYPE.STRING),
        ("tokenizer.huggingface.json", "{}", TYPE.STRING),
        ("tokenizer.ggml.pre", "tekken", TYPE.STRING),
        ("split.count", 3, TYPE.UINT16),
    ],
)
def test_a_key_that_is_known_and_not_built(tmp_path: Path, key: str, value: Any, kind: TYPE) -> None:
    with_key(tmp_path / "model.gguf", key, value, kind)
    refused(tmp_path / "model.gguf", key)


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("general.quantization_version", 2, TYPE.UINT32),
        ("general.base_model.0.repo_url", "x", TYPE.STRING),
        ("general.file_type", 7, TYPE.UINT32),
        ("general.license", "apache-2.0", TYPE.STRING),
        ("general.sampling.temp", 0.7, TYPE.FLOAT32),
        ("quantize.imatrix.entries_count", 7, TYPE.INT32),
        ("tokenizer.ggml.padding_token_id", 1, TYPE.UINT32),
        ("tokenizer.chat_template.tool_use", "x", TYPE.STRING),
    ],
)
def test_a_key_that_changes_nothing_is_read(tmp_path: Path, key: str, value: Any, kind: TYPE) -> None:
    with_key(tmp_path / "model.gguf", key, value, kind)
    assert load(tmp_path / "model.gguf").vocabulary is not None


def test_no_key_is_on_two_lists() -> None:
    for reader in (gguf_reader, huggingface):
        assert not set(reader.READ) & set(reader.ONLY)
    assert not set(huggingface.HARMLESS) & {*huggingface.READ, *huggingface.ONLY}


# --------------------------------------------------------------------------------------------------------------------
# sentencepiece
# --------------------------------------------------------------------------------------------------------------------


def field(number: int, value: int | bytes) -> bytes:
    def varint(rest: int) -> bytes:
        return bytes([rest]) if rest < 128 else bytes([rest & 127 | 128]) + varint(rest >> 7)

    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda spec, norm: (spec + field(3, 1), norm), "model_type"),
        (lambda spec, norm: (spec + field(24, 1), norm), "treat_whitespace_as_suffix"),
        (lambda spec, norm: (spec + field(35, 0), norm), "byte_fallback"),
        (lambda spec, norm: (spec + field(99, 1), norm), "trainer_spec, field 99"),
        (lambda spec, norm: (spec, norm + field(2, b"map")), "precompiled_charsmap"),
        (lambda spec, norm: (spec, norm + field(5, 0)), "escape_whitespaces"),
        (lambda spec, norm: (spec, norm + field(9, 1)), "normalizer_spec, field 9"),
    ],
)
def test_a_setting_of_sentencepiece_that_is_not_built(
    tmp_path: Path, change: Callable[[bytes, bytes], tuple[bytes, bytes]], words: str
) -> None:
    path = tmp_path / "tokenizer.model"
    parts = list(protobuf(sentencepiece_model(), path, "file"))
    spec, norm = change(dict(parts)[2], dict(parts)[3])
    path.write_bytes(b"".join(field(n, {2: spec, 3: norm}.get(n, value)) for n, value in parts))
    with pytest.raises(CheckpointError, match=words):
        read_tokenizer(path)
    path.write_bytes(sentencepiece_model() + field(8, b"more"))
    with pytest.raises(CheckpointError, match="field 8"):
        read_tokenizer(path)


def test_tensors_on_top_of_one_another_are_refused(tmp_path: Path) -> None:
    random_llama(TINY).save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    one, two = (f"model.layers.0.{name}_layernorm.weight" for name in ("input", "post_attention"))
    header[two]["data_offsets"] = header[one]["data_offsets"]
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
    refused(tmp_path, "data_offsets")
    assert np.isfinite(np.frombuffer(data[8 + length :][:64], "<f4")).all()
