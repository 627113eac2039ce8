"""tokenizer.json of Hugging Face: the byte-level BPE of GPT-2 and Llama 3, and LLaMA's converted sentencepiece.

The file is a chain of machines with settings. Each part of it is on a list here with the values that are built; what is
not on the list, and what has another value, is refused by name.
"""

from collections.abc import Iterable, Mapping, Sequence
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
    Added,
    CheckpointError,
    Pieces,
    Prefix,
    Vocabulary,
    byte_level,
    only_known,
    read_json,
)
from solutions.tokenization.bpe import PATTERN, byte_to_unicode

PARTS = (
    "version",
    "truncation",
    "padding",
    "added_tokens",
    "normalizer",
    "pre_tokenizer",
    "post_processor",
    "decoder",
    "model",
)
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
BPE = ("type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
       "ignore_merges", "vocab", "merges")  # fmt: skip


def read_tokenizer_json(path: Path) -> Vocabulary:
    said = read_json(path)
    only_known(said, PARTS, path)
    if said.get("version", "1.0") != "1.0":
        raise CheckpointError(path, "version", f"{said['version']!r}; only 1.0 is read")
    for name in ("truncation", "padding"):
        if said.get(name) is not None:
            raise CheckpointError(path, name, f"{said[name]!r} changes what a text becomes; only null is read")
    model = said.get("model")
    if not isinstance(model, dict) or model.get("type", "BPE") != "BPE":
        raise CheckpointError(path, "model", "only BPE is read")
    only_known(model, BPE, path, "model.")
    for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise CheckpointError(path, f"model.{name}", f"{model[name]!r} is not built; only null is read")
    for name in ("fuse_unk", "byte_fallback", "ignore_merges"):
        switch(model, name, path, "model.")
    vocabulary = model.get("vocab")
    if not isinstance(vocabulary, dict) or not all(type(id) is int and id >= 0 for id in vocabulary.values()):
        raise CheckpointError(path, "model.vocab", "expected {token: id}")
    added = added_tokens(path, said.get("added_tokens"), vocabulary)
    ids_of_added = {token.text: token.id for token in added}
    tokens = {id: token for token, id in vocabulary.items() if token not in ids_of_added}
    if taken := set(tokens) & set(ids_of_added.values()):
        raise CheckpointError(path, "added_tokens", f"the id {min(taken)} is taken by {tokens[min(taken)]!r}")
    if len(tokens) + len(set(vocabulary) & set(ids_of_added)) != len(vocabulary):
        raise CheckpointError(path, "model.vocab", "two tokens have the same id")
    size = len(tokens) + len(set(ids_of_added.values()))
    if (largest := max([*tokens, *ids_of_added.values()], default=-1)) >= 2 * size + 1000:
        raise CheckpointError(path, "model.vocab", f"the id {largest} is too large for {size} tokens")
    unknown = model.get("unk_token")
    if unknown is not None and (not isinstance(unknown, str) or unknown not in vocabulary.keys() | ids_of_added):
        raise CheckpointError(path, "model.unk_token", f"{unknown!r} is no token")
    begin, end = put_around(path, said.get("post_processor"), ids_of_added)
    pairs = merges_of(path, model.get("merges"))
    if model.get("byte_fallback"):
        return pieces_of(path, said, vocabulary, added, pairs, begin, end)
    if said.get("normalizer") not in (None, {"type": "Sequence", "normalizers": []}):
        raise CheckpointError(
            path, "normalizer", f"{said['normalizer']!r} is not built for a byte-level BPE, only null"
        )
    pattern = pattern_of(path, said.get("pre_tokenizer"))
    decoder_of_bytes(path, said.get("decoder"))
    names = ("model.vocab", "model.merges")
    found = byte_level(path, tokens, pairs, added, pattern, begin, end, names, bool(model.get("ignore_merges")))
    if unknown is not None and found.missing:
        raise CheckpointError(path, "model.unk_token", f"{unknown!r}, and {len(found.missing)} bytes are no tokens")
    spell_added(found, added)
    return found


def switch(said: Mapping[str, Any], name: str, path: Path, inside: str) -> bool:
    """A field that is true or false; where it is missing or null, false."""
    value = said.get(name)
    if value is not None and type(value) is not bool:
        raise CheckpointError(path, f"{inside}{name}", f"expected true or false, got {value!r}")
    return bool(value)


def added_tokens(path: Path, said: Any, vocabulary: Mapping[str, int]) -> list[Added]:
    """The tokens that are looked for as a whole, with their flags."""
    said = [] if said is None else said
    if not isinstance(said, list) or not all(isinstance(token, dict) for token in said):
        raise CheckpointError(path, "added_tokens", "expected a list of {id, content, and flags}")
    found: list[Added] = []
    for number, token in enumerate(said):
        inside = f"added_tokens[{number}]."
        only_known(token, ("id", "content", *FLAGS), path, inside)
        text, id = token.get("content"), token.get("id")
        if not isinstance(text, str) or not text:
            raise CheckpointError(path, f"{inside}content", f"expected a text, got {text!r}")
        if type(id) is not int or id < 0:
            raise CheckpointError(path, f"{inside}id", f"expected a whole number, got {id!r}")
        if vocabulary.get(text, id) != id:
            raise CheckpointError(
                path, f"{inside}id", f"{text!r} is {id} here and {vocabulary[text]} in the vocabulary"
            )
        if any(text == other.text for other in found):
            raise CheckpointError(path, f"{inside}content", f"{text!r} is there twice")
        found.append(Added(text, id, **{name: switch(token, name, path, inside) for name in FLAGS}))
    return found


def merges_of(path: Path, said: Any) -> list[tuple[str, str]]:
    """The merges in order, which are written as "a b" or as ["a", "b"]."""
    if not isinstance(said, list):
        raise CheckpointError(path, "model.merges", "expected a list")
    pairs = []
    for number, merge in enumerate(said):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(token, str) for token in pair):
            raise CheckpointError(path, "model.merges", f"merge {number} is no pair: {merge!r}")
        pairs.append((pair[0], pair[1]))
    if len(set(pairs)) < len(pairs):
        twice = next(pair for pair in pairs if pairs.count(pair) > 1)
        raise CheckpointError(path, "model.merges", f"{twice!r} is there twice: which rank counts is not said")
    return pairs


# --------------------------------------------------------------------------------------------------------------------
# Byte-level
# --------------------------------------------------------------------------------------------------------------------

BYTE_LEVEL = ("type", "add_prefix_space", "trim_offsets", "use_regex")


def pattern_of(path: Path, said: Any) -> str:
    """The one pattern that cuts as the pre-tokenizer does."""
    where = "pre_tokenizer"
    steps = [said]
    if isinstance(said, dict) and said.get("type") == "Sequence":
        only_known(said, ("type", "pretokenizers"), path, "pre_tokenizer.")
        steps, where = said.get("pretokenizers"), "pre_tokenizer.pretokenizers"
    if not isinstance(steps, list) or not steps or not all(isinstance(step, dict) for step in steps):
        raise CheckpointError(path, "pre_tokenizer", "expected ByteLevel, or a sequence that ends with it")
    *before, last = steps
    if last.get("type") != "ByteLevel" or len(before) > 1:
        kinds = [step.get("type") for step in steps]
        raise CheckpointError(path, where, f"{kinds} is not read: only ByteLevel, alone or after one Digits or Split")
    only_known(last, BYTE_LEVEL, path, "pre_tokenizer.ByteLevel.")
    if switch(last, "add_prefix_space", path, "pre_tokenizer.ByteLevel."):
        raise CheckpointError(path, "pre_tokenizer.ByteLevel.add_prefix_space", "is not built; only false is read")
    gpt2 = last.get("use_regex", True)
    if type(gpt2) is not bool:
        raise CheckpointError(path, "pre_tokenizer.ByteLevel.use_regex", f"expected true or false, got {gpt2!r}")
    if not before:
        if not gpt2:
            raise CheckpointError(
                path, "pre_tokenizer.ByteLevel.use_regex", "false with nothing before it is not built"
            )
        return PATTERN
    (first,) = before
    if first.get("type") == "Digits":
        only_known(first, ("type", "individual_digits"), path, "pre_tokenizer.Digits.")
        if first.get("individual_digits") is not True or not gpt2:
            raise CheckpointError(
                path, "pre_tokenizer.Digits", "only single digits before ByteLevel's own pattern are read"
            )
        return DIGITS_APART
    if first.get("type") != "Split":
        raise CheckpointError(path, where, f"{first.get('type')!r} is not read: only Digits or Split before ByteLevel")
    only_known(first, ("type", "pattern", "behavior", "invert"), path, "pre_tokenizer.Split.")
    if gpt2 or first.get("behavior") != "Isolated" or switch(first, "invert", path, "pre_tokenizer.Split."):
        raise CheckpointError(
            path, "pre_tokenizer.Split", "only Isolated, not inverted, without ByteLevel's pattern, is read"
        )
    given = first.get("pattern")
    if not isinstance(given, dict) or list(given) != ["Regex"] or not isinstance(given["Regex"], str):
        raise CheckpointError(path, "pre_tokenizer.Split.pattern", f"expected {{Regex: …}}, got {given!r}")
    try:
        if regex.compile(given["Regex"]).match(""):
            raise CheckpointError(path, "pre_tokenizer.Split.pattern", "it matches the empty string")
    except regex.error as error:
        raise CheckpointError(path, "pre_tokenizer.Split.pattern", f"cannot be compiled: {error}") from error
    return given["Regex"]


def decoder_of_bytes(path: Path, said: Any) -> None:
    if said is None:
        raise CheckpointError(path, "decoder", "missing: expected ByteLevel, which writes bytes again")
    if not isinstance(said, dict) or said.get("type") != "ByteLevel":
        raise CheckpointError(path, "decoder", f"{said!r} is not read, only ByteLevel")
    only_known(said, BYTE_LEVEL, path, "decoder.")


def spell_added(vocabulary: Vocabulary, added: Iterable[Added]) -> None:
    """ByteLevel's decoder takes an added token for printable characters, too, where all of its characters are some."""
    byte_of = {character: byte for byte, character in byte_to_unicode().items()}
    for token in added:
        if not token.special and all(character in byte_of for character in token.text):
            vocabulary.bytes_of[token.id] = bytes(byte_of[character] for character in token.text)


# --------------------------------------------------------------------------------------------------------------------
# What is put before and after a text
# --------------------------------------------------------------------------------------------------------------------


def put_around(path: Path, said: Any, ids: Mapping[str, int], nested: bool = False) -> tuple[list[int], list[int]]:
    """The special tokens that a post-processor puts before and after a text."""
    if said is None:
        return [], []
    kind = said.get("type") if isinstance(said, dict) else None
    if kind == "ByteLevel":
        only_known(said, BYTE_LEVEL, path, "post_processor.")
        return [], []
    if kind == "Sequence" and isinstance(said.get("processors"), list) and not nested:
        only_known(said, ("type", "processors"), path, "post_processor.")
        both = [put_around(path, step, ids, nested=True) for step in said["processors"]]
        return [id for begin, _ in both[::-1] for id in begin], [id for _, end in both for id in end]
    if kind != "TemplateProcessing" or not isinstance(said.get("single"), list):
        raise CheckpointError(path, "post_processor", "only ByteLevel and TemplateProcessing are read")
    only_known(said, ("type", "single", "pair", "special_tokens"), path, "post_processor.")
    spelt = said.get("special_tokens", {})
    if not isinstance(spelt, dict):
        raise CheckpointError(path, "post_processor.special_tokens", f"expected {{token: …}}, got {spelt!r}")
    for name, token in spelt.items():
        inside = f"post_processor.special_tokens.{name}."
        if not isinstance(token, dict):
            raise CheckpointError(path, inside, f"expected {{id, ids, tokens}}, got {token!r}")
        only_known(token, ("id", "ids", "tokens"), path, inside)
        if name not in ids or token.get("ids") != [ids[name]]:
            raise CheckpointError(
                path, f"{inside}ids", f"{token.get('ids')!r}; among the added tokens: {ids.get(name)}"
            )
    sides: list[list[int]] = [[]]
    for side in ("single", "pair"):
        for number, step in enumerate(said.get(side) or []):
            inside = f"post_processor.{side}[{number}]"
            kind = next(iter(step), None) if isinstance(step, dict) and len(step) == 1 else None
            what = step[kind] if kind in ("Sequence", "SpecialToken") else None
            if not isinstance(what, dict):
                raise CheckpointError(path, inside, f"expected a Sequence or a SpecialToken, got {step!r}")
            only_known(what, ("id", "type_id"), path, f"{inside}.{kind}.")
            if side == "pair":
                continue  # two texts at once are never encoded here
            if kind == "Sequence":
                sides.append([])
                continue
            token = what.get("id")
            if not isinstance(token, str) or token not in ids or token not in spelt:
                raise CheckpointError(path, inside, f"{token!r} is no special token")
            sides[-1].append(ids[token])
    if len(sides) != 2:
        raise CheckpointError(path, "post_processor.single", f"the text comes {len(sides) - 1} times, expected once")
    return sides[0], sides[1]


# --------------------------------------------------------------------------------------------------------------------
# LLaMA's sentencepiece, converted
# --------------------------------------------------------------------------------------------------------------------

PREPEND = {"type": "Prepend", "prepend": "▁"}
REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
BACK = [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
SCHEMES: dict[Any, Prefix] = {"always": "unless there", "first": "first unless there", "never": "never"}


def pieces_of(
    path: Path,
    said: Mapping[str, Any],
    vocabulary: Mapping[str, int],
    added: Sequence[Added],
    pairs: Sequence[tuple[str, str]],
    begin: Sequence[int],
    end: Sequence[int],
) -> Pieces:
    """A sentencepiece vocabulary that Hugging Face has converted: the order of the merges stands for the scores."""
    model = said["model"]
    if model.get("ignore_merges"):
        raise CheckpointError(path, "model.ignore_merges", "true is not built together with byte_fallback")
    prefix = prefix_of(path, said.get("normalizer"), said.get("pre_tokenizer"))
    decoder = said.get("decoder")
    if decoder not in ({"type": "Sequence", "decoders": steps} for steps in (BACK, [*BACK, STRIP])):
        raise CheckpointError(path, "decoder", f"only Replace, ByteFallback, Fuse and Strip are read, got {decoder!r}")
    size = max([*vocabulary.values(), *(token.id for token in added)], default=-1) + 1
    pieces, kinds = [""] * size, [UNUSED] * size
    unknown = model.get("unk_token")
    for piece, id in vocabulary.items():
        byte = regex.fullmatch("<0x[0-9A-F]{2}>", piece)
        pieces[id], kinds[id] = piece, BYTE if byte else UNKNOWN if piece == unknown else NORMAL
    for token in added:
        if token.text not in vocabulary or kinds[token.id] != BYTE:
            kinds[token.id] = UNKNOWN if token.text == unknown else CONTROL
        pieces[token.id] = token.text
    check_pieces(path, pieces, kinds, [], "model.vocab")
    if BYTE not in kinds and not model.get("fuse_unk"):
        raise CheckpointError(path, "model.fuse_unk", "false, with no tokens for bytes, is not built")
    rank: dict[tuple[str, str], float] = {}
    for number, (left, right) in enumerate(pairs):
        if left + right not in vocabulary:
            raise CheckpointError(path, "model.merges", f"merge {number}: {left + right!r} is no token")
        rank.setdefault((left, right), number)
    strip = decoder["decoders"][-1] == STRIP
    return Pieces(pieces, rank, kinds, begin, end, prefix, added, strip, unknown=unknown or "")


def prefix_of(path: Path, normalizer: Any, pre_tokenizer: Any) -> Prefix:
    """Where a space is put before a text: said by the normalizer in older files, by the pre-tokenizer in newer ones."""
    if normalizer is not None:
        steps = normalizer.get("normalizers") if isinstance(normalizer, dict) else None
        if normalizer == {"type": "Sequence", "normalizers": steps} and pre_tokenizer is None:
            if steps == [PREPEND, REPLACE]:
                return "always"
            if steps == [REPLACE]:
                return "never"
        raise CheckpointError(path, "normalizer", f"only Prepend and Replace, alone, are read, got {normalizer!r}")
    if not isinstance(pre_tokenizer, dict) or pre_tokenizer.get("type") != "Metaspace":
        raise CheckpointError(path, "pre_tokenizer", f"only Metaspace is read here, got {pre_tokenizer!r}")
    fields = ("type", "replacement", "prepend_scheme", "split", "add_prefix_space")
    only_known(pre_tokenizer, fields, path, "pre_tokenizer.")
    for name, right in (("replacement", "▁"), ("split", False)):
        if pre_tokenizer.get(name) != right or type(pre_tokenizer.get(name)) is not type(right):
            raise CheckpointError(
                path, f"pre_tokenizer.{name}", f"only {right!r} is read, got {pre_tokenizer.get(name)!r}"
            )
    scheme = pre_tokenizer.get("prepend_scheme", "always")
    if not isinstance(scheme, str) or scheme not in SCHEMES:
        raise CheckpointError(path, "pre_tokenizer.prepend_scheme", f"expected {', '.join(SCHEMES)}, got {scheme!r}")
    if pre_tokenizer.get("add_prefix_space", scheme != "never") is not (scheme != "never"):  # an older name of the same
        raise CheckpointError(path, "pre_tokenizer.add_prefix_space", f"does not go with the prepend_scheme {scheme!r}")
    return SCHEMES[scheme]
