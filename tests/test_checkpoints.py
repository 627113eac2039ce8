"""Checkpoints of llama2.c, Hugging Face and GGUF, and their tokenizers, beside the libraries that write and read them.

Nothing is fetched. Hugging Face's folders are written by transformers and tokenizers, GGUF files by the package gguf,
tokenizer.model by sentencepiece; llama2.c's files are written here, field after field as its export does it.
"""

import io
import json
import shutil
import struct
from collections.abc import Callable
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
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from random_llama import random_llama
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import LlamaForCausalLM

from solutions.capstone.training import export_checkpoint
from solutions.llama.checkpoints import CheckpointError, Config, load
from solutions.llama.fast import Llama
from solutions.llama.huggingface import interleaved
from solutions.llama.pieces import read_tokenizer_model
from solutions.llama.tokenizer_json import read_tokenizer_json
from solutions.texts import english

TINY = Config(dim=32, hidden=64, layers=2, heads=4, kv_heads=2, vocab=400, max_len=64, rope_base=10000.0)
TEXTS = [
    "Once upon a time",
    "",
    " ",
    "  two  spaces and a tab\there\n\n\n",
    "his sister's",
    "酒店很干净，1024间 rooms",
    "\N{FAMILY}\N{ZERO WIDTH JOINER} né́e 𝔘 \x00\x07",
    "<s></s><unk><|im_end|> <0x41> 3.14159",
    "a▁b ▁ c",
    english()[5000:6500],
]

# --------------------------------------------------------------------------------------------------------------------
# Files, as their own programs write them
# --------------------------------------------------------------------------------------------------------------------


def logits_of(model: LlamaForCausalLM, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        return model.float()(torch.tensor([ids])).logits[0, -1].numpy()


def check_logits(path: Path, model: LlamaForCausalLM, tolerance: float = 1e-4) -> None:
    config, weights, _ = load(path)
    ids = [int(id) for id in np.random.default_rng(0).integers(config.vocab, size=40)]
    logits, _ = Llama(config, weights).prefill(ids)
    assert np.abs(logits - logits_of(model, ids)).max() < tolerance


def meta_state(model: LlamaForCausalLM, config: Config) -> dict[str, np.ndarray]:
    """The tensors of a model of Hugging Face's under their names, Q and K as Meta, llama2.c and GGUF have them."""
    state = {name: tensor.detach().float().numpy() for name, tensor in model.state_dict().items()}
    for name, tensor in state.items():
        if "q_proj" in name or "k_proj" in name:
            state[name] = interleaved(tensor, config.head_dim)
    return state


def write_llama2c(path: Path, model: LlamaForCausalLM, config: Config) -> None:
    state = meta_state(model, config)

    def layers(name: str) -> list[np.ndarray]:
        return [state[f"model.layers.{layer}.{name}.weight"] for layer in range(config.layers)]

    angles = np.outer(
        np.arange(config.max_len), config.rope_base ** (-np.arange(0, config.head_dim, 2) / config.head_dim)
    )
    vocab = config.vocab if config.tied else -config.vocab
    with path.open("wb") as file:
        numbers = (config.dim, config.hidden, config.layers, config.heads, config.kv_heads, vocab, config.max_len)
        file.write(struct.pack("<7i", *numbers))
        for array in (
            state["model.embed_tokens.weight"],
            *layers("input_layernorm"),
            *layers("self_attn.q_proj"),
            *layers("self_attn.k_proj"),
            *layers("self_attn.v_proj"),
            *layers("self_attn.o_proj"),
            *layers("post_attention_layernorm"),
            *layers("mlp.gate_proj"),
            *layers("mlp.down_proj"),
            *layers("mlp.up_proj"),
            state["model.norm.weight"],
            np.cos(angles),
            np.sin(angles),
            *([] if config.tied else [state["lm_head.weight"]]),
        ):
            file.write(np.ascontiguousarray(array, "<f4").tobytes())


KINDS = gguf.GGMLQuantizationType


def write_gguf(
    path: Path, model: LlamaForCausalLM, config: Config, kind: Any, add: Callable[[gguf.GGUFWriter], Any] | None = None
) -> dict[str, np.ndarray]:
    """Returns the tensors as `gguf` itself reads them back, under Hugging Face's names."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_len)
    writer.add_embedding_length(config.dim)
    writer.add_block_count(config.layers)
    writer.add_feed_forward_length(config.hidden)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_layer_norm_rms_eps(config.eps)
    writer.add_rope_freq_base(config.rope_base)
    if add:
        add(writer)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.layers)
    if config.head_size:
        writer.add_key_length(config.head_size)
        writer.add_value_length(config.head_size)
    if config.rope_factors:
        writer.add_tensor("rope_freqs.weight", np.array(config.rope_factors, np.float32))
    read_back = {}
    for name, array in meta_state(model, config).items():
        if name == "lm_head.weight" and config.tied:
            continue
        kind_here = KINDS.F32 if array.ndim == 1 else kind
        data = gguf.quants.quantize(array, kind_here)
        read_back[name] = gguf.quants.dequantize(data, kind_here).reshape(array.shape)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), data, raw_dtype=kind_here)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return read_back


SHAPES = {
    "grouped, untied": TINY,
    "tied": replace(TINY, tied=True),
    "one key/value head, base 500000": replace(TINY, kv_heads=1, rope_base=500000.0),
    "all heads, one layer": replace(TINY, kv_heads=4, layers=1, eps=1e-3),
}

# --------------------------------------------------------------------------------------------------------------------
# Right
# --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_a_hugging_face_folder_gives_hugging_faces_logits(tmp_path: Path, config: Config) -> None:
    model = random_llama(config)
    model.save_pretrained(tmp_path)
    assert load(tmp_path).config == config
    check_logits(tmp_path, model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_hugging_face_in_sixteen_bits(tmp_path: Path, dtype: torch.dtype) -> None:
    model = random_llama(TINY).to(dtype)
    model.save_pretrained(tmp_path)
    weights = load(tmp_path).weights
    assert weights["embed"].dtype == np.float32
    assert np.array_equal(weights["embed"], model.model.embed_tokens.weight.detach().float().numpy())
    check_logits(tmp_path, LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32))


def test_hugging_face_in_several_files(tmp_path: Path) -> None:
    model = random_llama(TINY)
    model.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    check_logits(tmp_path, model)
    lost = sorted(tmp_path.glob("*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(CheckpointError, match=lost.name):
        load(tmp_path)


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
def test_llama2c_gives_the_same_logits(tmp_path: Path, config: Config) -> None:
    model, path = random_llama(config), tmp_path / "model.bin"
    write_llama2c(path, model, config)
    read = load(path)
    assert replace(read.config, rope_base=config.rope_base, eps=config.eps) == config
    assert read.config.rope_base == pytest.approx(config.rope_base, rel=1e-3)
    assert read.config.eps == 1e-5, "llama2.c has no other"
    assert read.vocabulary is None
    if config.eps == 1e-5:
        check_logits(path, model)


@pytest.mark.parametrize("config", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", [KINDS.F32, KINDS.F16, KINDS.BF16, KINDS.Q8_0, KINDS.Q4_1], ids=lambda kind: kind.name)
def test_gguf_gives_the_numbers_of_the_package_gguf(tmp_path: Path, config: Config, kind: Any) -> None:
    model, path = random_llama(config), tmp_path / "model.gguf"
    theirs = write_gguf(path, model, config, kind)
    read = load(path)
    assert replace(read.config, eps=config.eps) == config
    assert read.config.eps == pytest.approx(config.eps)
    block = read.weights["blocks"][-1]
    layer = f"model.layers.{config.layers - 1}"
    assert np.array_equal(read.weights["embed"], theirs["model.embed_tokens.weight"])
    assert np.array_equal(block["Wq"], theirs[f"{layer}.self_attn.q_proj.weight"].T)
    assert np.array_equal(block["Wg"], theirs[f"{layer}.mlp.gate_proj.weight"].T)
    assert np.array_equal(block["Wd"], theirs[f"{layer}.mlp.down_proj.weight"].T)
    assert np.array_equal(block["mlp_norm"], theirs[f"{layer}.post_attention_layernorm.weight"])
    if kind == KINDS.F32:
        check_logits(path, model)


def test_every_form_gives_the_same_weights(tmp_path: Path) -> None:
    model = random_llama(TINY)
    model.save_pretrained(tmp_path)
    write_llama2c(tmp_path / "model.bin", model, TINY)
    write_gguf(tmp_path / "model.gguf", model, TINY, KINDS.F32)
    one, two, three = (load(path).weights for path in (tmp_path, tmp_path / "model.bin", tmp_path / "model.gguf"))
    for name in ("embed", "norm", "head"):
        assert np.array_equal(one[name], two[name]) and np.array_equal(one[name], three[name])
    for mine, bin, quant in zip(one["blocks"], two["blocks"], three["blocks"], strict=True):
        for name, array in mine.items():
            assert array.dtype == bin[name].dtype == quant[name].dtype == np.float32
            assert np.array_equal(array, bin[name]) and np.array_equal(array, quant[name]), name


def test_what_is_float32_stays_in_the_file(tmp_path: Path) -> None:
    write_llama2c(tmp_path / "model.bin", random_llama(TINY), TINY)
    weights = load(tmp_path / "model.bin").weights
    for array in (weights["embed"], weights["blocks"][1]["Wd"]):
        assert not array.flags.owndata and not array.flags.writeable
        while isinstance(array, np.ndarray) and not isinstance(array, np.memmap):
            array = array.base
        assert isinstance(array, np.memmap)


# --------------------------------------------------------------------------------------------------------------------
# Tokenizers
# --------------------------------------------------------------------------------------------------------------------


@cache
def sentencepiece_model(byte_fallback: bool = True, prefix: bool = True) -> bytes:
    """As LLaMA's own: BPE, digits apart, the text left as it is."""
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter([*english()[:150_000].splitlines(), *["酒店很干净，很好"] * 30]),
        model_writer=made,
        vocab_size=800 if byte_fallback else 500,
        model_type="bpe",
        byte_fallback=byte_fallback,
        add_dummy_prefix=prefix,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        user_defined_symbols=["<user>", "<us"],
        character_coverage=0.9995,
        minloglevel=2,
    )
    return made.getvalue()


def write_tokenizer_bin(path: Path, model: sentencepiece.SentencePieceProcessor) -> None:
    """As llama2.c's tokenizer.py does it."""
    tokens = []
    for id in range(model.vocab_size()):
        text = model.id_to_piece(id)
        text = "\n<s>\n" if id == model.bos_id() else "\n</s>\n" if id == model.eos_id() else text
        tokens.append((model.get_score(id), text.replace("▁", " ").encode()))
    with path.open("wb") as file:
        file.write(struct.pack("<I", max(len(data) for _, data in tokens)))
        for score, data in tokens:
            file.write(struct.pack("<fI", score, len(data)) + data)


@pytest.mark.parametrize("byte_fallback", [True, False], ids=["bytes", "unknown"])
@pytest.mark.parametrize("prefix", [True, False], ids=["prefix", "no prefix"])
def test_tokenizer_model_agrees_with_sentencepiece(tmp_path: Path, byte_fallback: bool, prefix: bool) -> None:
    data = sentencepiece_model(byte_fallback, prefix)
    theirs = sentencepiece.SentencePieceProcessor(model_proto=data)
    (tmp_path / "tokenizer.model").write_bytes(data)
    ours = read_tokenizer_model(tmp_path / "tokenizer.model")
    assert (ours.begin, ours.end, len(ours)) == ([1], {2}, theirs.vocab_size())
    for text in [*TEXTS, *english()[:60_000].split("\n"), "see <user> and <us, <user", *"aé酒𝔘"]:
        text = text.replace("\x00", "")  # where sentencepiece takes the text to end
        ids = ours.encode(text)
        assert ids == theirs.encode(text), text
        assert ours.decode(ids) == theirs.decode(ids)
        if byte_fallback:
            assert ours.decode([1, *ids]) == text.replace("▁", " ")
    assert ours.encode("a<s>b", ["<s>"]) == [*ours.encode("a"), 1, *ours.encode("b")]


def test_tokenizer_bin_agrees_with_sentencepiece(tmp_path: Path) -> None:
    theirs = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model())
    config = replace(TINY, vocab=theirs.vocab_size())
    write_llama2c(tmp_path / "model.bin", random_llama(config), config)
    write_tokenizer_bin(tmp_path / "tokenizer.bin", theirs)
    ours = load(tmp_path / "model.bin").vocabulary
    assert ours.begin == [1]
    for text in TEXTS:
        text = text.replace("\x00", "").replace("▁", "")  # llama2.c has made spaces of them
        assert ours.encode(text) == theirs.encode(text)
        assert ours.decode(ours.encode(text)) == text
    (tmp_path / "tokenizer.bin").rename(tmp_path / f"tok{config.vocab}.bin")
    assert load(tmp_path / "model.bin").vocabulary.encode(TEXTS[0]) == theirs.encode(TEXTS[0])


def byte_level_tokenizer(*before: Any, size: int = 700, regex: bool = True) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.BPE())
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*before, last]) if before else last
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|end|>", "<|im_start|>", "<|im_end|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator([english()[:100_000] + "酒店很干净，1024间" * 30], trainer)
    return tokenizer


def ordinary(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The same without special tokens in texts: what `encode` without `allowed` should give."""
    said = json.loads(tokenizer.to_str())
    said["added_tokens"] = []
    return tokenizers.Tokenizer.from_str(json.dumps(said))


LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITTERS: dict[str, Callable[[], tokenizers.Tokenizer]] = {
    "ByteLevel": lambda: byte_level_tokenizer(),
    "Digits": lambda: byte_level_tokenizer(pre_tokenizers.Digits(individual_digits=True)),
    "Split": lambda: byte_level_tokenizer(
        pre_tokenizers.Split(tokenizers.Regex(LLAMA3), behavior="isolated"), regex=False
    ),
}


@pytest.mark.parametrize("kind", SPLITTERS)
def test_tokenizer_json_agrees_with_tokenizers(tmp_path: Path, kind: str) -> None:
    theirs = SPLITTERS[kind]()
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours, plain = read_tokenizer_json(tmp_path / "tokenizer.json"), ordinary(theirs)
    assert len(ours) == theirs.get_vocab_size() and ours.begin == []
    for text in [*TEXTS, *english()[:60_000].split("\n"), "12  345 6\n 7\t 8", " 9", "a  1"]:
        ids = ours.encode(text)
        assert ids == plain.encode(text).ids, text
        assert ours.decode(ids) == text
        with_special = f"<|im_start|>{text}<|im_end|><|end|>"
        ids = ours.encode(with_special, ["<|im_start|>", "<|im_end|>", "<|end|>"])
        assert ids[0] == 1 and ids[-2:] == [2, 0] and ours.decode(ids) == text.replace("<|im_end|>", "")
        if "<|im_end|>" not in text:
            assert ids == theirs.encode(with_special).ids


@settings(max_examples=60)
@given(st.text(max_size=40), st.text("0 9a'\n\t酒.", max_size=30))
@example("▁", "")
def test_any_text_goes_there_and_back(some: str, other: str) -> None:
    for kind in ("ByteLevel", "Digits", "pieces"):
        ours, theirs = both(kind)
        for text in (some, other):
            ids = ours.encode(text)
            back = text.replace("▁", " ") if kind == "pieces" else text  # pieces have one sign for both
            assert ours.decode(ids) == back
            assert ids == (theirs.encode(text).ids if kind != "pieces" else theirs.encode(text)) or "\x00" in text
            stream = ours.stream()
            assert "".join([*map(stream.push, ids), stream.end()]) == back
            for cut in range(len(ids)):
                stream = ours.stream(after=ids[:cut])
                told = "".join([*map(stream.push, ids[cut:]), stream.end()])
                assert back.endswith(told) or "\ufffd" in told


@cache
def both(kind: str) -> tuple[Any, Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        if kind == "pieces":
            path = Path(folder) / "tokenizer.model"
            path.write_bytes(sentencepiece_model())
            return read_tokenizer_model(path), sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model())
        path = Path(folder) / "tokenizer.json"
        theirs = SPLITTERS[kind]()
        theirs.save(str(path))
        return read_tokenizer_json(path), ordinary(theirs)


def test_bytes_that_a_vocabulary_lacks_are_left_out(tmp_path: Path) -> None:
    """As in SmolLM2's, whose tokens do not hold all 256 bytes."""
    theirs = byte_level_tokenizer()
    said = json.loads(theirs.to_str())
    lost = {pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(c)[0][0] for c in "\x04\x05"}
    kept = [token for token in said["model"]["vocab"] if token not in lost]
    said["model"]["vocab"] = {token: id for id, token in enumerate(kept)}
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(said))
    ours, theirs = read_tokenizer_json(path), ordinary(tokenizers.Tokenizer.from_file(str(path)))
    for text in ("the\x04re", "th\x05\x04e\x05 house", "\x04", "a\x04 b", "plain"):
        assert ours.encode(text) == theirs.encode(text).ids, text


def test_a_template_says_what_a_text_begins_with(tmp_path: Path) -> None:
    theirs = byte_level_tokenizer()
    theirs.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|im_start|>:0 $A:0 <|end|>:0", special_tokens=[("<|im_start|>", 1), ("<|end|>", 0)]
            ),
        ]
    )
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = read_tokenizer_json(tmp_path / "tokenizer.json")
    assert [*ours.begin, *ours.encode("a text"), 0] == theirs.encode("a text").ids


def pieces_as_json(model: sentencepiece.SentencePieceProcessor) -> tokenizers.Tokenizer:
    """What transformers makes of a tokenizer.model of LLaMA's."""
    vocabulary = {model.id_to_piece(id): id for id in range(model.vocab_size())}
    merges = []
    for piece, id in vocabulary.items():
        if not (model.is_control(id) or model.is_byte(id) or model.is_unknown(id)):
            cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
            cuts = [(a, b) for a, b in cuts if a in vocabulary and b in vocabulary]
            merges += [(id, *cut) for cut in sorted(cuts, key=lambda cut: (vocabulary[cut[0]], vocabulary[cut[1]]))]
    merges.sort(key=lambda merge: (-model.get_score(merge[0]), merge[0]))
    tokenizer = tokenizers.Tokenizer(
        models.BPE(vocabulary, [(a, b) for _, a, b in merges], unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def test_a_converted_sentencepiece_model_agrees_with_tokenizers(tmp_path: Path) -> None:
    theirs = pieces_as_json(sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model()))
    theirs.save(str(tmp_path / "tokenizer.json"))
    ours = read_tokenizer_json(tmp_path / "tokenizer.json")
    for text in TEXTS:
        if "<s>" not in text:
            assert ours.encode(text) == theirs.encode(text).ids, text
            assert ours.decode(ours.encode(text)) == text.replace("▁", " ")


def add_tokens(tokens: list[str], kinds: list[int], **more: Any) -> Callable[[gguf.GGUFWriter], None]:
    def add(writer: gguf.GGUFWriter) -> None:
        writer.add_token_list(tokens)
        writer.add_token_types(kinds)
        for name, value in more.items():
            getattr(writer, f"add_{name}")(value)

    return add


def test_the_tokenizers_in_a_gguf_file_agree(tmp_path: Path) -> None:
    theirs = SPLITTERS["Digits"]()
    said = json.loads(theirs.to_str())
    tokens = sorted(said["model"]["vocab"], key=said["model"]["vocab"].__getitem__)
    merges = [" ".join(merge) for merge in said["model"]["merges"]]
    config = replace(TINY, vocab=len(tokens))
    path = tmp_path / "model.gguf"
    more = {"tokenizer_model": "gpt2", "tokenizer_pre": "smollm", "token_merges": merges, "eos_token_id": 2}
    add = add_tokens(tokens, [3] * 3 + [1] * (len(tokens) - 3), **more, chat_template="a template")
    write_gguf(path, random_llama(config), config, KINDS.F16, add)
    ours, plain = load(path).vocabulary, ordinary(theirs)
    assert (ours.begin, ours.end, ours.chat_template) == ([], {2}, "a template")
    assert ours.special == {"<|end|>": 0, "<|im_start|>": 1, "<|im_end|>": 2}
    for text in TEXTS:
        assert ours.encode(text) == plain.encode(text).ids
        assert ours.decode([0, *ours.encode(text), 2]) == text

    model = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model())
    size = model.vocab_size()
    kinds = [
        2 if model.is_unknown(i) else 3 if model.is_control(i) else 6 if model.is_byte(i) else 1 for i in range(size)
    ]
    kinds = [4 if model.id_to_piece(i) in ("<user>", "<us") else kind for i, kind in enumerate(kinds)]
    add = add_tokens(
        [model.id_to_piece(i) for i in range(size)],
        kinds,
        tokenizer_model="llama",
        token_scores=[model.get_score(i) for i in range(size)],
        bos_token_id=1,
        eos_token_id=2,
    )
    config = replace(TINY, vocab=size)
    write_gguf(path, random_llama(config), config, KINDS.F16, add)
    ours = load(path).vocabulary
    assert (ours.begin, ours.end) == ([1], {2})
    for text in TEXTS:
        text = text.replace("\x00", "")
        assert ours.encode(text) == model.encode(text)


# --------------------------------------------------------------------------------------------------------------------
# Wrong
# --------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound checkpoints of each form, small ones, with tokenizers."""
    folder = tmp_path_factory.mktemp("sound")
    tokenizer = byte_level_tokenizer(size=300)
    config = Config(dim=8, hidden=32, layers=1, heads=2, kv_heads=1, vocab=tokenizer.get_vocab_size(), max_len=8)
    model = random_llama(config)
    model.save_pretrained(folder / "hf")
    tokenizer.save(str(folder / "hf" / "tokenizer.json"))
    pieces = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model())
    (folder / "c").mkdir()
    for_pieces = replace(config, vocab=pieces.vocab_size())
    write_llama2c(folder / "c" / "model.bin", random_llama(for_pieces), for_pieces)
    write_tokenizer_bin(folder / "c" / "tokenizer.bin", pieces)
    (folder / "c" / "tokenizer.model").write_bytes(sentencepiece_model())
    said = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(said["vocab"], key=said["vocab"].__getitem__)
    merges = [" ".join(merge) for merge in said["merges"]]
    more = {"tokenizer_model": "gpt2", "tokenizer_pre": "smollm", "token_merges": merges, "eos_token_id": 2}
    add = add_tokens(tokens, [3] * 3 + [1] * (len(tokens) - 3), **more)
    config = replace(config, dim=32, tied=True)
    write_gguf(folder / "model.gguf", random_llama(config), config, KINDS.Q4_1, add)
    return folder


def refused(path: Path, *words: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        load(path)
    said = str(caught.value)
    assert "\n" not in said and len(said) <= 500, said
    for word in words:
        assert word in said, said


def copy(sound: Path, to: Path) -> Path:
    shutil.copytree(sound, to / "copy")
    return to / "copy"


def test_no_file_and_foreign_files(tmp_path: Path) -> None:
    refused(tmp_path / "nothing.bin", "nothing.bin", "No such file")
    refused(tmp_path, "config.json", "No such file")
    for content, words in (
        (b"", ["empty"]),
        (b"PK\x03\x04" + bytes(100), ["pickle"]),
        (b"24ka" + bytes(300), ["version"]),
        (b"hello", ["header"]),
        (b"<!DOCTYPE html>" * 20, ["header"]),
        (bytes(200), ["header"]),
        (b"GGUF", ["version"]),
        (b"GGUF" + struct.pack(">I", 3) + bytes(50), ["version"]),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60), ["key 0"]),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 0), ["general.architecture"]),
    ):
        path = tmp_path / "some.file"
        path.write_bytes(content)
        refused(path, "some.file", *words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "gpt2"}, ["model_type", "gpt2"]),
        ({"hidden_size": None}, ["hidden_size"]),
        ({"hidden_size": 8.0}, ["hidden_size"]),
        ({"hidden_size": True}, ["hidden_size"]),
        ({"num_attention_heads": 3, "head_dim": None}, ["num_attention_heads", "divide"]),
        ({"num_attention_heads": 3}, ["q_proj", "[12, 8]"]),
        ({"num_key_value_heads": 4}, ["num_key_value_heads"]),
        ({"num_hidden_layers": 2}, ["model.layers.1.input_layernorm.weight"]),
        ({"num_hidden_layers": 10**9}, ["model.layers.1."]),
        ({"vocab_size": 301}, ["embed_tokens", "[301, 8]", "[300, 8]"]),
        ({"intermediate_size": 16}, ["gate_proj", "[16, 8]"]),
        ({"rms_norm_eps": "small"}, ["rms_norm_eps"]),
        ({"rms_norm_eps": float("nan")}, ["rms_norm_eps"]),
        ({"hidden_act": "gelu"}, ["hidden_act"]),
        ({"attention_bias": True}, ["attention_bias"]),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8}}, ["rope_scaling", "low_freq_factor"]),
        ({"rope_parameters": {"rope_type": "yarn"}}, ["rope_parameters", "yarn"]),
        ({"rope_parameters": {"rope_theta": -1}}, ["rope_theta"]),
        ({"head_dim": 16}, ["q_proj", "[32, 8]"]),
        ({"head_dim": 3}, ["num_attention_heads", "pairs"]),
        ({"eos_token_id": 1000}, ["eos_token_id"]),
        ({"quantization_config": {"bits": 4}}, ["quantization_config"]),
    ],
)
def test_a_config_that_does_not_fit(sound: Path, tmp_path: Path, changes: dict[str, Any], words: list[str]) -> None:
    folder = copy(sound / "hf", tmp_path)
    (folder / "generation_config.json").unlink()
    said = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(said | changes))
    refused(folder, *words)


def test_tensors_that_do_not_fit(sound: Path, tmp_path: Path) -> None:
    folder = copy(sound / "hf", tmp_path)
    path = folder / "model.safetensors"
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    norm, embed = "model.norm.weight", "model.embed_tokens.weight"

    def with_header(changed: dict[str, Any], words: list[str]) -> None:
        text = json.dumps(header | changed).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + body)
        refused(folder, "model.safetensors", *words)

    with_header({norm: header[norm] | {"shape": [9]}}, [norm, "shape"])
    with_header({norm: header[norm] | {"shape": [-8]}}, [norm, "shape"])
    with_header({norm: header[norm] | {"dtype": "I64"}}, [norm, "dtype", "I64"])
    with_header({norm: header[norm] | {"dtype": ["F32"]}}, [norm, "dtype"])
    with_header({norm: header[norm] | {"data_offsets": [0, 1 << 40]}}, [norm, "data_offsets"])
    with_header({norm: 5}, [norm])
    with_header(
        {"model.layers.0.self_attn.q_proj.bias": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}, ["bias"]
    )
    with_header({embed: header[embed] | {"shape": header[embed]["shape"][::-1]}}, [embed, "[300, 8]", "[8, 300]"])
    path.write_bytes(struct.pack("<Q", 1 << 50) + data[8:])
    refused(folder, "header")
    path.write_bytes(struct.pack("<Q", 40_000) + b"[" * 40_000)
    refused(folder, "header")
    path.unlink()
    refused(folder, "model.safetensors", "No such file")


def test_an_index_cannot_lead_out_of_its_folder(sound: Path, tmp_path: Path) -> None:
    folder = copy(sound / "hf", tmp_path)
    (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.norm.weight": "../outside.safetensors"}}))
    refused(folder, "weight_map", "../outside.safetensors")


def test_tokenizers_that_do_not_fit(sound: Path, tmp_path: Path) -> None:
    folder = copy(sound / "hf", tmp_path)
    path = folder / "tokenizer.json"
    said = json.loads(path.read_text())

    def with_model(words: list[str], changed: dict[str, Any], **more: Any) -> None:
        path.write_text(json.dumps(said | more | {"model": said["model"] | changed}))
        refused(folder, "tokenizer.json", *words)

    vocabulary = said["model"]["vocab"]
    with_model(["model"], {"type": "WordPiece"})
    with_model(["model.vocab"], {"vocab": [1, 2]})
    with_model(["model.vocab"], {"vocab": vocabulary | {"ab": 300.5}})
    with_model(["tokens", "301"], {"vocab": vocabulary | {"abcde": 300}})
    with_model(["model.vocab", "too large"], {"vocab": vocabulary | {"abcde": 10**9}})
    with_model(["model.vocab", "same id"], {"vocab": vocabulary | {"abcde": 20}})
    with_model(["model.merges", "merge 0", "qqq"], {"merges": [["qqq", "a"]]})
    with_model(["model.merges"], {"merges": ["a b c"]})
    with_model(["normalizer"], {}, normalizer={"type": "NFKC"})
    with_model(["pre_tokenizer"], {}, pre_tokenizer={"type": "Whitespace"})
    with_model(["pre_tokenizer"], {}, pre_tokenizer=None)
    with_model(["added_tokens"], {}, added_tokens=[{"id": 5}])
    with_model(["added_tokens"], {}, added_tokens=[{"id": 5, "content": "<x>"}])
    with_model(["post_processor"], {}, post_processor={"type": "BertProcessing"})
    deep: dict[str, Any] = {"type": "ByteLevel"}
    for _ in range(200):
        deep = {"type": "Sequence", "processors": [deep]}
    with_model(["post_processor"], {}, post_processor=deep)
    path.write_text("{")
    refused(folder, "tokenizer.json", "JSON")


def test_a_tokenizer_of_another_size(sound: Path, tmp_path: Path) -> None:
    folder = copy(sound / "c", tmp_path)
    data = (folder / "tokenizer.bin").read_bytes()
    (folder / "tokenizer.bin").write_bytes(data[:-30])
    refused(folder / "model.bin", "tokenizer.bin", "token")
    (folder / "tokenizer.bin").write_bytes(data + b"more")
    refused(folder / "model.bin", "tokenizer.bin", "token 800")


def numbers_of(config: Config, weights: dict[str, Any]) -> int:
    arrays = [weights["embed"], weights["norm"], weights["head"], *(a for b in weights["blocks"] for a in b.values())]
    assert all(array.dtype == np.float32 for array in arrays)
    assert weights["embed"].shape == (config.vocab, config.dim) and weights["head"].shape == (config.dim, config.vocab)
    assert len(weights["blocks"]) == config.layers
    return sum(array.size for array in arrays)


FILES = ["hf/model.safetensors", "hf/config.json", "hf/tokenizer.json", "c/model.bin", "c/tokenizer.bin",
         "c/tokenizer.model", "model.gguf"]  # fmt: skip


def opened(path: Path) -> None:
    """Either refused in one line, or read to the end. Nothing is larger than the file lets it be."""
    limit = 20 * max(1 << 16, path.stat().st_size)
    try:
        if path.name == "tokenizer.model":
            vocabulary = read_tokenizer_model(path)
        else:
            where = path.parent if path.suffix in (".json", ".safetensors") else path.parent / "model.bin"
            config, weights, vocabulary = load(path if path.suffix == ".gguf" else where)
            assert numbers_of(config, weights) < limit
        if vocabulary is not None:
            assert len(vocabulary) < limit
            vocabulary.decode(vocabulary.encode("A text, 12 times 酒店."))
    except CheckpointError as error:
        said = str(error)
    else:
        return
    assert "\n" not in said and len(said) <= 500


FUZZ = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def ends_of_tokens(content: bytes) -> set[int]:
    """Where a tokenizer.bin may end, having kept its longest token."""
    (longest,) = struct.unpack_from("<I", content)
    at, found, seen = 4, set(), 0
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at + 4)
        at, seen = at + 8 + length, max(seen, length)
        if seen == longest:
            found.add(at)
    return found


@pytest.mark.parametrize("name", FILES)
@FUZZ
@given(data=st.data())
def test_a_file_that_is_cut_off_is_refused(sound: Path, tmp_path: Path, name: str, data: st.DataObject) -> None:
    folder = tmp_path / "cut"
    if not folder.exists():
        shutil.copytree(sound, folder)
    content = (sound / name).read_bytes().rstrip(b"\n")
    cut = data.draw(st.integers(0, min(3000, len(content) - 1)) | st.integers(0, len(content) - 1))
    (folder / name).write_bytes(content[:cut])
    if name == "c/tokenizer.model":  # a list of records, of which some are whole
        opened(folder / name)
    elif name == "c/tokenizer.bin" and cut in ends_of_tokens(content):
        opened(folder / name)  # a model may have more tokens than its tokenizer: then the rest of them are empty
    elif name == "c/tokenizer.bin":
        refused(folder / "c/model.bin", "tokenizer.bin")
    else:
        refused(folder / ("hf" if name.startswith("hf") else name), Path(name).name)


@pytest.mark.parametrize("name", FILES)
@FUZZ
@given(data=st.data())
def test_a_file_with_other_bytes_is_refused_or_read(
    sound: Path, tmp_path: Path, name: str, data: st.DataObject
) -> None:
    folder = tmp_path / "flipped"
    if not folder.exists():
        shutil.copytree(sound, folder)
    content = bytearray((sound / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, min(200, len(content) - 1)) | st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(content) - 1))
        del content[at : at + data.draw(st.integers(1, 40))]
    (folder / name).write_bytes(content)
    opened(folder / name)


def leaves(said: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values in a JSON file, but for the insides of long lists."""
    inside = said.items() if isinstance(said, dict) else enumerate(said) if isinstance(said, list) else ()
    return [path, *(leaf for key, value in list(inside)[:30] for leaf in leaves(value, (*path, key)))]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats()
    | st.text(max_size=5)
    | st.just("Sequence"),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["type", "id", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.mark.parametrize("name", ["hf/config.json", "hf/tokenizer.json"])
@FUZZ
@given(data=st.data())
def test_other_values_anywhere_in_json_are_refused_or_read(
    sound: Path, tmp_path: Path, name: str, data: st.DataObject
) -> None:
    folder = tmp_path / "changed"
    if not folder.exists():
        shutil.copytree(sound, folder)
    said = json.loads((sound / name).read_text())
    *way, last = data.draw(st.sampled_from(leaves(said)[1:]))
    inner = said
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(VALUES)
    (folder / name).write_text(json.dumps(said))
    opened(folder / name)


@FUZZ
@given(data=st.data())
def test_other_values_in_a_safetensors_header_are_refused_or_read(
    sound: Path, tmp_path: Path, data: st.DataObject
) -> None:
    folder = tmp_path / "changed"
    if not folder.exists():
        shutil.copytree(sound, folder)
    content = (sound / "hf/model.safetensors").read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    *way, last = data.draw(st.sampled_from(leaves(header)[1:]))
    inner = header
    for key in way:
        inner = inner[key]
    inner[last] = data.draw(VALUES)
    text = json.dumps(header).encode()
    (folder / "hf/model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    opened(folder / "hf/model.safetensors")


def test_a_width_that_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    """128 begins with the byte that a pickle begins with; so does the shipped model, once it is exported."""
    shipped = load(Path(__file__).parent.parent / "solutions" / "llama" / "trained" / "austen")
    path = tmp_path / "austen.bin"
    path.write_bytes(export_checkpoint(shipped.config, shipped.weights))
    again = load(path)
    assert again.config.dim == shipped.config.dim == 128
    assert np.array_equal(again.weights["embed"], shipped.weights["embed"])
    path.write_bytes(b"\x80\x02}q\x00" + bytes(100))
    with pytest.raises(CheckpointError, match="pickle"):
        load(path)
