"""Checkpoints: the weights, the shape and the vocabulary of a LLaMA, as others have written them to files.

    config, weights, vocabulary = load("stories15M.bin")        llama2.c, with its tokenizer beside it (llama2c.py)
    config, weights, vocabulary = load("solutions/llama/trained/austen")    a folder of Hugging Face's (huggingface.py)
    config, weights, vocabulary = load("SmolLM2-135M-Instruct.Q4_1.gguf")   GGUF, in eleven kinds of number (gguf.py)

Whatever the file, the weights come in the form of this course: float32, used as `x @ W`, with RoPE on neighbours, the
pairs (0, 1), (2, 3), … Three things differ between the files and are put right:

- All of them hold a matrix as (outputs, inputs), so it is transposed: a view, no copy.
- Hugging Face turns the number i of a head with the number i + d/2, the others i with i + 1. The rows of Wq and Wk are
  put in the other order, once. (To mix the two up raises no error. The model only talks nonsense.)
- Numbers that are stored in fewer bits are made float32 (numbers.py).

Files are mapped into memory, and what is float32 already stays there until it is used. Nothing is believed before it is
checked against the size of the file, and no field is passed over: each is on a list of those that are understood, or of
those that change nothing. What is cut off, foreign, inconsistent or unknown ends in a `CheckpointError`, which is one
line that names the file and the field.
"""

from collections.abc import Mapping
from pathlib import Path

from solutions.llama.config import Config, Loaded, mapped
from solutions.llama.gguf import load_gguf
from solutions.llama.huggingface import load_hugging_face
from solutions.llama.llama2c import load_llama2c
from solutions.llama.numbers import DECODE, Decode
from solutions.llama.pieces import read_tokenizer_bin, read_tokenizer_model
from solutions.llama.tokenizer_json import read_tokenizer_json
from solutions.llama.vocabulary import CheckpointError, Vocabulary

__all__ = ["CheckpointError", "Config", "Loaded", "load", "read_tokenizer"]


def load(
    path: str | Path,
    decode: Mapping[str, Decode] | None = None,
    tokenizer: str | Path | None = None,
    lazy: bool = False,
) -> Loaded:
    """Read a checkpoint: a llama2.c .bin, a Hugging Face folder, or a GGUF file.

    `decode`: other functions for the kinds of number in a GGUF file, such as {"Q8_0": …}, in place of ours.
    `tokenizer`: the file to take in place of what lies beside the weights. `lazy`: the weights of a block are made when
    they are looked at, and anew each time; for a model that fits into the memory only once.
    """
    path = Path(path)
    given = None if tokenizer is None else read_tokenizer(Path(tokenizer))
    return read_checkpoint(path, DECODE | dict(decode or {}), lazy, given)


def read_checkpoint(path: Path, decode: Mapping[str, Decode], lazy: bool, given: Vocabulary | None) -> Loaded:
    """What kind of file it is, and what that one's reader makes of it."""
    if path.is_dir():
        return load_hugging_face(path, lazy, given)
    data = mapped(path)
    start = data[:8].tobytes()
    if start[:4] == b"GGUF":
        return load_gguf(path, data, decode, lazy, given)
    if path.name.endswith((".safetensors", ".safetensors.index.json")) or path.name == "config.json":
        return load_hugging_face(path.parent, lazy, given)
    # A llama2.c file may begin so, too: with a width of 128, 384, 640 …, whose upper bytes are 0.
    if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[2:4] != b"\0\0"):
        raise CheckpointError(path, "format", "a PyTorch pickle, which can hold any program, is not opened here")
    return load_llama2c(path, data, lazy, given)


def read_tokenizer(path: Path) -> Vocabulary:
    """A tokenizer's file, or a folder with one: Hugging Face's, sentencepiece's or llama2.c's, as its name says."""
    if path.is_dir():
        name = next((name for name in ("tokenizer.json", "tokenizer.model") if (path / name).is_file()), None)
        if name is None:
            raise CheckpointError(path, "tokenizer", "there is no tokenizer.json or tokenizer.model in it")
        path /= name
    for ending, reader in (
        (".json", read_tokenizer_json),
        (".model", read_tokenizer_model),
        (".bin", read_tokenizer_bin),
    ):
        if path.name.endswith(ending):
            return reader(path)
    raise CheckpointError(path, "name", "expected a tokenizer: a .json, a .model or a .bin")
