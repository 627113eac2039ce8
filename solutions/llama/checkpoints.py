"""Checkpoints: the weights, the shape and the vocabulary of a LLaMA, as others have written them to files.

    config, weights, vocabulary = load("stories15M.bin")        llama2.c, version 0, with its tokenizer.bin beside it
    config, weights, vocabulary = load("solutions/llama/trained/austen")        a folder as Hugging Face writes it
    config, weights, vocabulary = load("SmolLM2-135M-Instruct.Q4_1.gguf")       GGUF: F32, F16, Q8_0 and Q4_1

Whatever the file, the weights come in the form of this course: float32, used as `x @ W`, with RoPE on neighbours, the
pairs (0, 1), (2, 3), … Three things differ between the files and are put right here:

- All of them hold a matrix as (outputs, inputs), so it is transposed: a view, no copy.
- Hugging Face turns the number i of a head with the number i + d/2, the others i with i + 1. The rows of Wq and Wk are
  put in the other order, once. (To mix the two up raises no error. The model only talks nonsense.)
- Numbers that are stored in fewer bits are made float32.

Files are mapped into memory, and what is float32 already stays there until it is used. Nothing is believed before it is
checked against the size of the file: what is cut off, foreign or inconsistent ends in a `CheckpointError`, which is one
line that names the file and the field.
"""

from collections.abc import Mapping
from pathlib import Path

from solutions.llama.config import Config, Loaded, mapped
from solutions.llama.gguf import load_gguf
from solutions.llama.huggingface import load_hugging_face
from solutions.llama.llama2c import load_llama2c
from solutions.llama.numbers import DECODE, Decode
from solutions.llama.vocabulary import CheckpointError

__all__ = ["CheckpointError", "Config", "Loaded", "load"]


def load(path: str | Path, decode: Mapping[str, Decode] | None = None) -> Loaded:
    """Read a checkpoint: a llama2.c .bin, a Hugging Face folder, or a GGUF file.

    `decode`: other functions for the kinds of number in a GGUF file, such as {"Q8_0": …}, in place of those below.
    """
    path = Path(path)
    if path.is_dir():
        return load_hugging_face(path)
    data = mapped(path)
    start = data[:8].tobytes()
    if start[:4] == b"GGUF":
        return load_gguf(path, data, DECODE | dict(decode or {}))
    if path.name.endswith((".safetensors", ".safetensors.index.json")) or path.name == "config.json":
        return load_hugging_face(path.parent)
    # A llama2.c file may begin so, too: with a width of 128, 384, 640 …, whose upper bytes are 0.
    if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[2:4] != b"\0\0"):
        raise CheckpointError(path, "format", "a PyTorch pickle, which can hold any program, is not opened here")
    if start[:4] == b"24ka":
        raise CheckpointError(path, "version", "of llama2.c's formats only version 0, the first, is read")
    return load_llama2c(path, data)
