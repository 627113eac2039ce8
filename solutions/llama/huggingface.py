"""Hugging Face: config.json, and weights in one or several .safetensors files."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from solutions.llama.config import Config, Loaded, assemble, checked, every_tensor, fitting, mapped
from solutions.llama.numbers import Tensor, decoded
from solutions.llama.pieces import read_tokenizer_model
from solutions.llama.rope import linear_factors, llama3_factors
from solutions.llama.tokenizer_json import read_tokenizer_json
from solutions.llama.vocabulary import (
    CheckpointError,
    Pieces,
    Vocabulary,
    only_known,
    parse_json,
    read_bytes,
    read_json,
)

HUGGING_FACE = {
    "embed": "model.embed_tokens.weight",
    "attn_norm": "model.layers.{}.input_layernorm.weight",
    "Wq": "model.layers.{}.self_attn.q_proj.weight",
    "Wk": "model.layers.{}.self_attn.k_proj.weight",
    "Wv": "model.layers.{}.self_attn.v_proj.weight",
    "Wo": "model.layers.{}.self_attn.o_proj.weight",
    "mlp_norm": "model.layers.{}.post_attention_layernorm.weight",
    "Wg": "model.layers.{}.mlp.gate_proj.weight",
    "Wu": "model.layers.{}.mlp.up_proj.weight",
    "Wd": "model.layers.{}.mlp.down_proj.weight",
    "norm": "model.norm.weight",
    "head": "lm_head.weight",
}


def load_hugging_face(folder: Path, lazy: bool = False, given: Vocabulary | None = None) -> Loaded:
    path = folder / "config.json"
    config = config_of(read_json(path), path)
    if (adapter := folder / "adapter_config.json").is_file():
        problem = "an adapter, which changes the weights beside it, is not built: merge it into them first"
        raise CheckpointError(adapter, "file", problem)
    found = tensors_of(folder)
    expected = {HUGGING_FACE["head"]}
    for name, layer, shape in every_tensor(config):
        there = HUGGING_FACE[name].format(layer)
        expected.add(there)
        if there not in found:
            raise CheckpointError(folder, there, "is in none of the .safetensors files")
        if found[there].shape != shape:
            tensor = found[there]
            raise CheckpointError(tensor.file, there, f"expected the shape {list(shape)}, got {list(tensor.shape)}")
    for name, tensor in found.items():
        if name not in expected and not name.endswith("rotary_emb.inv_freq"):
            raise CheckpointError(tensor.file, name, "a LLaMA of this config has no such tensor")
    head, embed = found.get(HUGGING_FACE["head"]), found[HUGGING_FACE["embed"]]
    if config.tied and head is not None and not np.array_equal(head.data, embed.data):
        raise CheckpointError(
            head.file, HUGGING_FACE["head"], "is another matrix than the embedding that it is tied to"
        )

    def read(name: str, layer: int, shape: tuple[int, ...]) -> np.ndarray:
        there = HUGGING_FACE[name].format(layer)
        matrix = decoded(found[there], there, shape)
        return interleaved(matrix, config.head_dim) if name in ("Wq", "Wk") else matrix

    vocabulary = given if given is not None else vocabulary_of(folder, config)
    if vocabulary is not None:
        fitting(vocabulary, config, folder)
        vocabulary.end |= ends_of(folder, config)
        if vocabulary.chat_template is None:
            vocabulary.chat_template, vocabulary.named = template_of(folder, vocabulary)
    return Loaded(config, assemble(config, read, lazy), vocabulary)


def vocabulary_of(folder: Path, config: Config) -> Vocabulary | None:
    """tokenizer.json, as Hugging Face's own library prefers it, or tokenizer.model: the first that fits the model."""
    sizes = []
    for name, reader in (("tokenizer.json", read_tokenizer_json), ("tokenizer.model", read_tokenizer_model)):
        if (path := folder / name).is_file():
            found = reader(path)
            if len(found) <= config.vocab:
                return found
            sizes.append((path, len(found)))
    if sizes:
        path, size = sizes[0]
        raise CheckpointError(path, "tokens", f"{size} of them, but the model has {config.vocab}")
    return None


def interleaved(matrix: np.ndarray, head_dim: int) -> np.ndarray:
    """The rows of each head from RoPE on halves, 0 … d-1, to RoPE on neighbours: 0, d/2, 1, d/2 + 1, …"""
    rows, columns = matrix.shape
    return matrix.reshape(-1, 2, head_dim // 2, columns).swapaxes(1, 2).reshape(rows, columns)


# What config.json may say. What concerns training, storing or the library that wrote it changes no number here.
HARMLESS = ("_name_or_path", "name_or_path", "_commit_hash", "_attn_implementation_autoset", "attn_implementation",
            "attention_dropout", "bos_token_id", "dtype", "finetuning_task", "initializer_range", "label2id", "id2label",
            "max_length", "num_return_sequences", "output_attentions", "output_hidden_states", "pad_token_id",
            "pretraining_tp", "problem_type", "return_dict", "task_specific_params", "tokenizer_class", "torch_dtype",
            "torchscript", "transformers.js_config", "transformers_version", "unk_token_id", "unsloth_fixed",
            "unsloth_version", "use_cache", "do_sample", "temperature", "top_k", "top_p")  # fmt: skip
SHAPE = {
    "dim": "hidden_size",
    "hidden": "intermediate_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "vocab": "vocab_size",
    "max_len": "max_position_embeddings",
    "rope_base": "rope_theta",
    "eps": "rms_norm_eps",
    "head_size": "head_dim",
}
READ = {*SHAPE.values(), "eos_token_id", "tie_word_embeddings", "rope_scaling", "rope_parameters"}
# What is read only where it says this.
ONLY: dict[str, tuple[Any, ...]] = {
    "model_type": ("llama",),
    "architectures": (None, ["LlamaForCausalLM"]),
    "hidden_act": (None, "silu", "swish"),
    "attention_bias": (None, False),
    "mlp_bias": (None, False),
    "quantization_config": (None,),
    "rope_interleaved": (None, False),
    "is_llama_config": (None, True),
    "is_encoder_decoder": (None, False),
    "is_decoder": (None, True, False),
    "add_cross_attention": (None, False),
    "cross_attention_hidden_size": (None,),
    "chunk_size_feed_forward": (None, 0),
    "pruned_heads": (None, {}),
    "tie_encoder_decoder": (None, False),
    "sliding_window": (None,),
    "use_sliding_window": (None, False),
    "auto_map": (None,),
    "prefix": (None,),
}
ROPE_FIELDS = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
}


def config_of(said: Mapping[str, Any], path: Path) -> Config:
    """config.json, refused where it asks for something that is not built here."""
    only_these(said, ONLY, path)
    only_known(said, {*HARMLESS, *READ, *ONLY}, path)
    for name in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size"):
        if name not in said:
            raise CheckpointError(path, name, "missing")
    heads, kv_heads = said["num_attention_heads"], said.get("num_key_value_heads")
    tied = said.get("tie_word_embeddings", False)
    if type(tied) is not bool:
        raise CheckpointError(path, "tie_word_embeddings", f"expected true or false, got {tied!r}")
    config = Config(
        dim=said["hidden_size"],
        hidden=said["intermediate_size"],
        layers=said["num_hidden_layers"],
        heads=heads,
        kv_heads=heads if kv_heads is None else kv_heads,
        vocab=said["vocab_size"],
        max_len=said.get("max_position_embeddings", 2048),
        rope_base=rope_base_of(said, path),
        eps=said.get("rms_norm_eps", 1e-6),
        tied=tied,
        head_size=said.get("head_dim"),
    )
    config = checked(config, path, SHAPE)
    return checked(replace(config, rope_factors=rope_factors_of(said, config, path)), path, SHAPE)


def only_these(said: Mapping[str, Any], allowed: Mapping[str, tuple[Any, ...]], path: Path) -> None:
    """Refuse a field of the table that says something else than it may."""
    for name, rights in allowed.items():
        value = said.get(name)
        if not any(value == right and type(value) is type(right) for right in rights):
            expected = " or ".join(repr(right) for right in rights if right is not None) or "none"
            raise CheckpointError(path, name, f"{value!r} is not built here; expected {expected}")


def rope_base_of(said: Mapping[str, Any], path: Path) -> Any:
    """rope_theta, at the top in older files, in rope_parameters in newer ones."""
    found = []
    for holder in (said.get("rope_parameters"), said.get("rope_scaling"), said):
        if isinstance(holder, dict) and "rope_theta" in holder:
            found.append(holder["rope_theta"])
    if any(base != found[0] for base in found):
        raise CheckpointError(path, "rope_theta", f"is there more than once, as {found[0]!r} and {found[-1]!r}")
    return found[0] if found else 10000.0


def rope_factors_of(said: Mapping[str, Any], config: Config, path: Path) -> tuple[float, ...] | None:
    """What slows down the pairs of RoPE: rope_scaling in older files, rope_parameters in newer ones."""
    found = []
    for field in ("rope_parameters", "rope_scaling"):
        rope = said.get(field)
        if rope is None:
            continue
        if not isinstance(rope, dict):
            raise CheckpointError(path, field, f"expected {{rope_type: …}}, got {rope!r}")
        kind = rope.get("rope_type", rope.get("type", "default"))
        if not isinstance(kind, str) or kind not in ROPE_FIELDS or rope.get("type", kind) != kind:
            kinds = ", ".join(ROPE_FIELDS)
            raise CheckpointError(path, f"{field}.rope_type", f"{kind!r} is not built here; read are {kinds}")
        fields = ROPE_FIELDS[kind]
        only_known(rope, ("rope_type", "type", "rope_theta", *fields), path, f"{field}.")
        for name in fields:
            value = rope.get(name)
            if type(value) not in (int, float) or not 0 < value < 1e9:
                raise CheckpointError(path, f"{field}.{name}", f"expected a number above 0, got {value!r}")
        if kind == "linear":
            found.append(linear_factors(config.head_dim, rope["factor"]))
        elif kind == "llama3":
            low, high = rope["low_freq_factor"], rope["high_freq_factor"]
            if low >= high:
                raise CheckpointError(
                    path, f"{field}.low_freq_factor", f"{low} should be below high_freq_factor, {high}"
                )
            found.append(llama3_factors(config.head_dim, config.rope_base, rope))
        elif rope:
            found.append(None)
    if any(factors != found[0] for factors in found):
        raise CheckpointError(path, "rope_scaling", "says something else than rope_parameters")
    return found[0] if found else None


# What generation_config.json may say: how its makers like to draw from the model, and how fast. Here the command says it.
DRAWING = ("_from_model_config", "assistant_confidence_threshold", "assistant_early_exit", "assistant_ensemble_weight",
           "assistant_lookbehind", "bos_token_id", "cache_config", "cache_implementation", "compile_config",
           "continuous_batching_config", "disable_compile", "diversity_penalty", "do_sample", "dola_layers",
           "early_stopping", "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "epsilon_cutoff", "eta_cutoff",
           "is_assistant", "length_penalty", "low_memory", "max_cache_len", "max_length", "max_matching_ngram_size",
           "max_new_tokens", "max_time", "min_p", "no_repeat_ngram_size", "num_assistant_tokens",
           "num_assistant_tokens_schedule", "num_beam_groups", "num_beams", "num_return_sequences", "output_attentions",
           "output_hidden_states", "output_logits", "output_scores", "pad_token_id", "penalty_alpha",
           "prefill_chunk_size", "prompt_lookup_num_tokens", "remove_invalid_values", "renormalize_logits",
           "repetition_penalty", "return_dict_in_generate", "speculation_type", "target_lookbehind", "temperature",
           "top_h", "top_k", "top_p", "transformers_version", "trust_remote_code", "typical_p", "use_cache",
           "use_mtp")  # fmt: skip
# What must or must not be written is no matter of taste, and none of it is built.
FORCING: dict[str, tuple[Any, ...]] = {
    "bad_words_ids": (None,),
    "begin_suppress_tokens": (None,),
    "constraints": (None,),
    "decoder_start_token_id": (None,),
    "exponential_decay_length_penalty": (None,),
    "force_words_ids": (None,),
    "forced_bos_token_id": (None,),
    "forced_decoder_ids": (None,),
    "forced_eos_token_id": (None,),
    "guidance_scale": (None, 1, 1.0),
    "min_length": (None, 0),
    "min_new_tokens": (None, 0),
    "sequence_bias": (None,),
    "stop_strings": (None,),
    "suppress_tokens": (None,),
    "token_healing": (None, False),
    "watermarking_config": (None,),
}


def ends_of(folder: Path, config: Config) -> frozenset[int]:
    """The ids that end a text, as generation_config.json or config.json says."""
    for name in ("generation_config.json", "config.json"):
        path = folder / name
        if not path.is_file():
            continue
        said = read_json(path)
        if name == "generation_config.json":
            only_these(said, FORCING, path)
            only_known(said, {*DRAWING, *FORCING, "eos_token_id"}, path)
        ids = said.get("eos_token_id")
        if ids is None:
            continue
        ids = ids if isinstance(ids, list) else [ids]
        if not all(type(id) is int and 0 <= id < config.vocab for id in ids):
            raise CheckpointError(path, "eos_token_id", f"expected ids below {config.vocab}, got {ids}")
        return frozenset(ids)
    return frozenset()


# What tokenizer_config.json may say: how transformers wraps a tokenizer, which is read from tokenizer.json itself.
WRAPPING = ("added_tokens_decoder", "backend", "chat_template", "clean_up_tokenization_spaces", "device_map", "fast",
            "from_slow", "is_local", "legacy", "local_files_only", "max_length", "model_input_names",
            "model_max_length", "name_or_path", "pad_to_multiple_of", "pad_token_type_id", "padding_side", "padding",
            "processor_class", "return_token_type_ids", "spaces_between_special_tokens", "special_tokens_map_file",
            "stride", "tokenizer_class", "tokenizer_file", "truncation", "truncation_side", "truncation_strategy",
            "use_default_system_prompt", "use_fast", "vocab_size", "add_bos_token", "add_eos_token", "add_prefix_space",
            "init_inputs", "__type", "trust_remote_code")  # fmt: skip
ONLY_WRAPPING: dict[str, tuple[Any, ...]] = {
    "auto_map": (None,),
    "errors": (None, "replace"),
    "sp_model_kwargs": (None, {}),
    "split_special_tokens": (None, False),
}
NAMED = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
FLAGS = ("lstrip", "normalized", "rstrip", "single_word", "special")
MORE_NAMED = ("additional_special_tokens", "extra_special_tokens", "model_specific_special_tokens")


def template_of(folder: Path, vocabulary: Vocabulary) -> tuple[str | None, dict[str, str]]:
    """The chat template, and what it calls some of the special tokens."""
    path = folder / "tokenizer_config.json"
    said = read_json(path) if path.is_file() else {}
    only_these(said, ONLY_WRAPPING, path)
    only_known(said, {*WRAPPING, *ONLY_WRAPPING, *NAMED, *MORE_NAMED}, path)
    check_added(said.get("added_tokens_decoder"), vocabulary, path)
    check_settings(said, vocabulary, path)
    named = {}
    for place in (folder / "special_tokens_map.json", path):
        tokens = read_json(place) if place.is_file() else {}
        if place != path:
            only_known(tokens, (*NAMED, *MORE_NAMED), place)
        named |= named_tokens(tokens, vocabulary, place)
    if (beside := folder / "added_tokens.json").is_file():  # {text: id}, of older folders
        for text, id in read_json(beside).items():
            if not is_token(text, vocabulary, id):
                raise CheckpointError(beside, text, f"{id!r} is not its id in the tokenizer beside it")
    if (alone := folder / "chat_template.jinja").is_file():
        try:
            return read_bytes(alone).decode(), named
        except UnicodeDecodeError as error:
            raise CheckpointError(alone, "file", f"is no UTF-8: {error.reason}") from error
    template = said.get("chat_template")
    if isinstance(template, list):  # several of them, by name
        several = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = several.get("default")
        if template is None:
            raise CheckpointError(path, "chat_template", f"none of {sorted(map(str, several))} is called default")
    if template is not None and not isinstance(template, str):
        raise CheckpointError(path, "chat_template", f"expected a text, got {template!r}")
    return template, named


def check_settings(said: Mapping[str, Any], vocabulary: Vocabulary, path: Path) -> None:
    """Refuse a setting that contradicts the tokenizer: versions of transformers differ in which of the two they follow."""
    with_space = isinstance(vocabulary, Pieces) and vocabulary.prefix != "never"
    facts = {"add_bos_token": bool(vocabulary.begin), "add_eos_token": False, "add_prefix_space": with_space}
    for name, fact in facts.items():
        if said.get(name) not in (None, fact):
            raise CheckpointError(path, name, f"{said[name]!r}, and the tokenizer beside it says otherwise")


def is_token(text: str, vocabulary: Vocabulary, id: Any = None) -> bool:
    """Whether the tokenizer looks for the text as a whole, or it is one of sentencepiece's own, such as <unk>."""
    ids = {token.text: token.id for token in vocabulary.added}
    if isinstance(vocabulary, Pieces):
        ids = {piece: number for number, piece in enumerate(vocabulary.pieces)} | ids
    return text in ids and id in (None, ids[text])


def named_tokens(said: Mapping[str, Any], vocabulary: Vocabulary, path: Path) -> dict[str, str]:
    """bos_token and the others that have a name. What the tokenizer does not have, transformers would add to it."""
    named: dict[str, str] = {}
    asked: list[tuple[str, Any]] = [(name, said.get(name)) for name in NAMED]
    for name in MORE_NAMED:
        several = said.get(name) or []
        if not isinstance(several, (list, dict)):
            raise CheckpointError(path, name, f"expected a list of tokens, got {several!r}")
        asked += [(name, token) for token in (several.values() if isinstance(several, dict) else several)]
    for name, token in asked:
        text = token.get("content") if isinstance(token, dict) else token
        if text is None and token is None:
            continue
        if not isinstance(text, str):
            raise CheckpointError(path, name, f"expected the text of a token, got {token!r}")
        if not is_token(text, vocabulary):
            raise CheckpointError(path, name, f"{text!r} is no such token of the tokenizer beside it")
        if isinstance(token, dict):
            only_known(token, ("content", *FLAGS, "__type"), path, f"{name}.")
        if name in NAMED:
            named[name] = text
    return named


def check_added(said: Any, vocabulary: Vocabulary, path: Path) -> None:
    """Refuse tokens that only transformers would add to the tokenizer, or would give other flags."""
    if said is None:
        return
    if not isinstance(said, dict):
        raise CheckpointError(path, "added_tokens_decoder", f"expected {{id: token}}, got {said!r}")
    added = {token.id: token for token in vocabulary.added}
    for id, token in said.items():
        inside = f"added_tokens_decoder.{id}"
        if not isinstance(token, dict):
            raise CheckpointError(path, inside, f"expected {{content: …}}, got {token!r}")
        only_known(token, ("content", *FLAGS, "__type"), path, f"{inside}.")
        number = int(id) if id.isascii() and id.isdecimal() else -1
        known = added.get(number)
        own = dict(enumerate(vocabulary.pieces)) if isinstance(vocabulary, Pieces) and known is None else {}
        if number in own and own[number] == token.get("content"):
            continue  # one of sentencepiece's own, such as the unknown piece
        if known is None or known.text != token.get("content"):
            raise CheckpointError(path, inside, f"{token.get('content')!r} is no such token of the tokenizer beside it")
        for flag in ("lstrip", "rstrip", "single_word", "special"):
            if token.get(flag, getattr(known, flag)) != getattr(known, flag):
                raise CheckpointError(
                    path, f"{inside}.{flag}", f"{token[flag]!r}, and the tokenizer beside it says otherwise"
                )


def tensors_of(folder: Path) -> dict[str, Tensor]:
    """All tensors in the folder, by name."""
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file() or not index.is_file():
        if not single.is_file() and (pickles := sorted(folder.glob("pytorch_model*.bin"))):
            problem = "a PyTorch pickle, which can hold any program, is not opened here: save it as .safetensors"
            raise CheckpointError(pickles[0], "format", problem)
        return dict(safetensors(single))
    said = read_json(index)
    only_known(said, ("metadata", "weight_map"), index)
    weight_map = said.get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(index, "weight_map", "expected {tensor: file}")
    for name, file in weight_map.items():
        if not isinstance(file, str) or not file.endswith(".safetensors") or Path(file).name != file:
            raise CheckpointError(index, f"weight_map.{name}", f"expected a .safetensors file beside it, got {file!r}")
    found: dict[str, Tensor] = {}
    for file in sorted(set(weight_map.values())):
        for name, tensor in safetensors(folder / file):
            if weight_map.get(name) != file:
                raise CheckpointError(folder / file, name, f"is here, and {index.name} does not say so")
            found[name] = tensor
    if missing := [name for name in weight_map if name not in found]:
        raise CheckpointError(folder / weight_map[missing[0]], missing[0], "the index says that it is here; it is not")
    return found


SAFETENSORS = {"F32": 4, "F16": 2, "BF16": 2}  # bytes a number


def safetensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The length of a header, the header, which is JSON, and the data."""
    data = mapped(path)
    if len(data) < 8:
        raise CheckpointError(path, "header", "the file is shorter than 8 bytes")
    length = int(data[:8].view("<u8")[0])
    if length > len(data) - 8 or length > 1 << 27:
        raise CheckpointError(
            path, "header", f"of {length:,} bytes, in a file of {len(data):,}: cut off, or of another kind"
        )
    header = parse_json(data[8 : 8 + length].tobytes(), path, "header")
    body = data[8 + length :]
    covered = 0
    spans: list[tuple[int, int, str]] = []
    for name, said in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(said, dict):
            raise CheckpointError(path, name, "expected {dtype, shape, data_offsets}")
        only_known(said, ("dtype", "shape", "data_offsets"), path, f"{name}.")
        kind, shape, offsets = said.get("dtype"), said.get("shape"), said.get("data_offsets")
        for field, numbers in (("shape", shape), ("data_offsets", offsets)):
            if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 1 << 48 for n in numbers):
                raise CheckpointError(path, f"{name}.{field}", f"expected a list of whole numbers, got {numbers!r}")
        if len(offsets) != 2 or not offsets[0] <= offsets[1] <= len(body):
            raise CheckpointError(path, f"{name}.data_offsets", f"{offsets}, and there are {len(body):,} bytes of data")
        if not isinstance(kind, str) or kind not in SAFETENSORS:
            raise CheckpointError(path, f"{name}.dtype", f"{kind!r} is not read, only {', '.join(SAFETENSORS)}")
        if len(shape) > 8 or math.prod(shape) * SAFETENSORS[kind] != offsets[1] - offsets[0]:
            raise CheckpointError(
                path, f"{name}.shape", f"{kind} {shape} does not take {offsets[1] - offsets[0]:,} bytes"
            )
        covered += offsets[1] - offsets[0]
        spans.append((offsets[0], offsets[1], name))
        yield name, Tensor(path, kind, tuple(shape), body[offsets[0] : offsets[1]])
    if covered != len(body):
        raise CheckpointError(path, "data_offsets", f"the tensors take {covered:,} bytes, and there are {len(body):,}")
    for (_, end, _), (start, _, name) in pairwise(sorted(spans)):
        if start < end:
            raise CheckpointError(path, f"{name}.data_offsets", f"begins at {start:,}, within the tensor before it")
