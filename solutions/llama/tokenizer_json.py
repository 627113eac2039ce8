"""tokenizer.json of Hugging Face."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import regex

from solutions.llama.pieces import check_pieces
from solutions.llama.vocabulary import (
    BYTE,
    CONTROL,
    DIGITS_APART,
    NORMAL,
    UNKNOWN,
    UNUSED,
    CheckpointError,
    Pieces,
    Vocabulary,
    byte_level,
    read_json,
)
from solutions.tokenization.bpe import PATTERN


def read_tokenizer_json(path: Path) -> Vocabulary:
    said = read_json(path)
    model = said.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise CheckpointError(path, "model", "only BPE is read")
    if model.get("ignore_merges") or model.get("dropout") or model.get("continuing_subword_prefix"):
        raise CheckpointError(path, "model", "ignore_merges, dropout and continuing_subword_prefix are not read")
    vocabulary, merges = model.get("vocab"), model.get("merges")
    if not isinstance(vocabulary, dict) or not all(type(id) is int and id >= 0 for id in vocabulary.values()):
        raise CheckpointError(path, "model.vocab", "expected {token: id}")
    added = said.get("added_tokens") or []
    if not isinstance(added, list) or not all(
        isinstance(token, dict)
        and isinstance(token.get("content"), str)
        and token["content"]
        and type(token.get("id")) is int
        and token["id"] >= 0
        for token in added
    ):
        raise CheckpointError(path, "added_tokens", "expected a list of {content, id}")
    special = {token["content"]: token["id"] for token in added}
    for token, id in special.items():
        if vocabulary.get(token, id) != id:
            raise CheckpointError(
                path, "added_tokens", f"{token!r} is {id} here and {vocabulary[token]} in the vocabulary"
            )
    tokens = {id: token for token, id in vocabulary.items() if token not in special}
    if taken := set(tokens) & set(special.values()):
        raise CheckpointError(path, "added_tokens", f"the id {min(taken)} is taken by {tokens[min(taken)]!r}")
    if len(tokens) + len(set(vocabulary) & set(special)) != len(vocabulary):
        raise CheckpointError(path, "model.vocab", "two tokens have the same id")
    size = len(tokens) + len(set(special.values()))
    if (largest := max([*tokens, *special.values()], default=-1)) >= 2 * size + 1000:
        raise CheckpointError(path, "model.vocab", f"the id {largest} is too large for {size} tokens")
    begin, end = template(path, said.get("post_processor"), special)
    if not isinstance(merges, list):
        raise CheckpointError(path, "model.merges", "expected a list")
    pairs = []
    for number, merge in enumerate(merges):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(token, str) for token in pair):
            raise CheckpointError(path, "model.merges", f"merge {number} is no pair: {merge!r}")
        pairs.append((pair[0], pair[1]))
    if model.get("byte_fallback"):
        return pieces_of(path, said, vocabulary, special, pairs, begin, end)
    if said.get("normalizer"):
        raise CheckpointError(path, "normalizer", "is not read for a byte-level BPE")
    pattern = pattern_of(path, said.get("pre_tokenizer"))
    return byte_level(path, tokens, pairs, special, pattern, begin, end, ("model.vocab", "model.merges"))


def pattern_of(path: Path, said: Any) -> str:
    """The one pattern that cuts as the pre-tokenizer does."""
    steps = said.get("pretokenizers") if isinstance(said, dict) and said.get("type") == "Sequence" else [said]
    if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
        raise CheckpointError(path, "pre_tokenizer", "expected ByteLevel, or a sequence that ends with it")
    *before, last = steps
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        raise CheckpointError(path, "pre_tokenizer", "expected ByteLevel without add_prefix_space at the end")
    gpt2 = last.get("use_regex", True)
    if not before and gpt2:
        return PATTERN
    if len(before) == 1:
        kind = before[0].get("type")
        if kind == "Digits" and before[0].get("individual_digits") and gpt2:
            return DIGITS_APART
        given = before[0].get("pattern")
        split = kind == "Split" and before[0].get("behavior") == "Isolated" and not before[0].get("invert")
        if split and not gpt2 and isinstance(given, dict) and isinstance(given.get("Regex"), str):
            try:
                if regex.compile(given["Regex"]).match(""):
                    raise CheckpointError(path, "pre_tokenizer.pattern", "it matches the empty string")
            except regex.error as error:
                raise CheckpointError(path, "pre_tokenizer.pattern", f"cannot be compiled: {error}") from error
            return given["Regex"]
    kinds = [step.get("type") for step in steps]
    raise CheckpointError(path, "pre_tokenizer", f"{kinds} is not read: only ByteLevel, alone or after Digits or Split")


def template(path: Path, said: Any, special: Mapping[str, int], nested: bool = False) -> tuple[list[int], list[int]]:
    """The special tokens that a post-processor puts before and after a text."""
    if said is None or (isinstance(said, dict) and said.get("type") == "ByteLevel"):
        return [], []
    sequence = isinstance(said, dict) and said.get("type") == "Sequence" and isinstance(said.get("processors"), list)
    if sequence and not nested:
        both = [template(path, step, special, nested=True) for step in said["processors"]]
        return [id for begin, _ in both for id in begin], [id for _, end in both for id in end]
    if (
        not isinstance(said, dict)
        or said.get("type") != "TemplateProcessing"
        or not isinstance(said.get("single"), list)
    ):
        raise CheckpointError(path, "post_processor", "only ByteLevel and TemplateProcessing are read")
    begin: list[int] = []
    end: list[int] = []
    ids = begin
    for step in said["single"]:
        if isinstance(step, dict) and "Sequence" in step:
            ids = end
            continue
        token = step.get("SpecialToken", {}) if isinstance(step, dict) else {}
        token = token.get("id") if isinstance(token, dict) else None
        if not isinstance(token, str) or token not in special:
            raise CheckpointError(path, "post_processor.single", f"{token!r} is no special token")
        ids.append(special[token])
    return begin, end


def pieces_of(
    path: Path,
    said: Mapping[str, Any],
    vocabulary: Mapping[str, int],
    special: Mapping[str, int],
    pairs: Sequence[tuple[str, str]],
    begin: Sequence[int],
    end: Sequence[int],
) -> Pieces:
    """A sentencepiece vocabulary that Hugging Face has converted: the order of the merges stands for the scores."""
    prepend = {"type": "Prepend", "prepend": "▁"}
    replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    normalizer, pre_tokenizer = said.get("normalizer"), said.get("pre_tokenizer")
    metaspace = {"type": "Metaspace", "replacement": "▁", "split": False}
    if normalizer == {"type": "Sequence", "normalizers": [prepend, replace]} and pre_tokenizer is None:
        prefix = True
    elif normalizer is None and isinstance(pre_tokenizer, dict) and metaspace.items() <= pre_tokenizer.items():
        prefix = pre_tokenizer.get("prepend_scheme") != "never"
    else:
        raise CheckpointError(path, "normalizer", "only the two forms of LLaMA's own tokenizer are read")
    size = max([*vocabulary.values(), *special.values()], default=-1) + 1
    pieces, kinds = [""] * size, [UNUSED] * size
    unknown = said["model"].get("unk_token")
    for piece, id in vocabulary.items():
        byte = regex.fullmatch("<0x[0-9A-Fa-f]{2}>", piece)
        pieces[id], kinds[id] = piece, BYTE if byte else UNKNOWN if piece == unknown else NORMAL
    for piece, id in special.items():
        pieces[id], kinds[id] = piece, UNKNOWN if piece == unknown else CONTROL
    check_pieces(path, pieces, kinds, [], "model.vocab")
    rank: dict[tuple[str, str], float] = {}
    for number, (left, right) in enumerate(pairs):
        if left + right not in vocabulary:
            raise CheckpointError(path, "model.merges", f"merge {number}: {left + right!r} is no token")
        rank.setdefault((left, right), number)
    return Pieces(pieces, rank, kinds, begin, end, prefix)
