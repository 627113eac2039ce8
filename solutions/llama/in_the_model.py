"""Your functions in the model: the clear LLaMA with your answers in their places, beside the course's own.

    parts = Parts(run_answers({"apply_rope": "def apply_rope(…): …"}))
    for event in compare(load(path), parts, "The room was", Settings(seed=3)):
        …                                       a piece of your text, a piece of the course's
    event["words"]                              the last event says what your functions did, and where the text differs

Each exercise of `SLOTS` has a place in the model. Where you put nothing, the reference's function stands. The model is the
clear one of the notebook `model`; its attention is taken apart, so that heads, mask and softmax have places of their own.
Beside it writes the fast model (fast.py) with the same seed, so both texts are the same for as long as your functions
give what they should. It is slower than fast.py, and plain: heads of dim / heads numbers, RoPE as it is.

This file runs in the browser, too, and so imports nothing but NumPy and the course.
"""

import linecache
import math
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from solutions.attention import heads, weights
from solutions.llama import generation, model, parts
from solutions.llama.chat import OwnEncoding, printable, run_notebook
from solutions.llama.checkpoints import load
from solutions.llama.config import Config, Loaded
from solutions.llama.fast import Llama, Reader, sample
from solutions.llama.vocabulary import ByteLevel, Vocabulary
from solutions.tokenization import bpe

Array = np.ndarray
Event = dict[str, Any]
CLOSE = {"rtol": 2e-4, "atol": 2e-5}  # float32 in another order of sums; a mistake is larger
WATCHED, NOW_AND_THEN = 8, 16  # the calls for so many tokens are held against the reference's; then those of every 16th
FAR = np.float32(-1e30)  # the score of a key that is hidden
ROUNDING = 1e-3  # logits that are nearer than this differ by rounding alone


class Slot(NamedTuple):
    """The place of an exercise in the model."""

    notebook: str
    does: str  # what the model has it for
    within: str = ""  # the exercise that does its work, too, where that is put in
    alike: bool = True  # the same arguments give the same answer, so its calls can be held against the reference's


SLOTS = {
    "encode": Slot("tokenization/bpe", "cuts your beginning into tokens", alike=False),
    "rms_norm": Slot("llama/parts", "brings the stream to one size before each part reads it"),
    "rope_tables": Slot("llama/parts", "says how far each pair turns at each place"),
    "apply_rope": Slot("llama/parts", "turns queries and keys by their places"),
    "repeat_kv": Slot("llama/parts", "lends each head of keys to several heads of queries"),
    "swiglu": Slot("llama/parts", "lets each token think alone"),
    "softmax": Slot("attention/weights", "makes attention weights of scores"),
    "causal_mask": Slot("attention/heads", "hides what comes later", "attention_with_cache"),
    "split_heads": Slot("attention/heads", "cuts the width into heads", "attention_with_cache"),
    "merge_heads": Slot("attention/heads", "puts the heads side by side again", "attention_with_cache"),
    "attention_with_cache": Slot("llama/model", "is the attention of each block, whole"),
    "llama_block": Slot("llama/model", "adds what attention and the network found", alike=False),
    "KVCache": Slot("llama/model", "keeps the keys and values of earlier tokens", alike=False),
    "forward_with_cache": Slot("llama/model", "leads from ids through all blocks to logits", alike=False),
    "temperature_softmax": Slot("llama/generation", "makes chances of logits", "sample"),
    "top_k_filter": Slot("llama/generation", "keeps the k likeliest tokens", "sample"),
    "top_p_filter": Slot("llama/generation", "keeps the likeliest that sum to p", "sample"),
    "draw": Slot("llama/generation", "chooses a token by its chance", "sample"),
    "sample": Slot("llama/generation", "does these four steps in one", alike=False),
    "generate": Slot("llama/generation", "asks for one token after the other", alike=False),
    "stream_text": Slot("llama/generation", "makes text of the tokens as they come", alike=False),
}
UNASKED = {"top_k_filter": ": no top-k is set", "top_p_filter": ": no top-p is set"}  # why one does not run
STEPS = ("temperature_softmax", "top_k_filter", "top_p_filter", "draw")
NOTEBOOKS: dict[str, ModuleType] = {
    "attention/heads": heads, "attention/weights": weights, "llama/generation": generation, "llama/model": model,
    "llama/parts": parts, "tokenization/bpe": bpe,
}  # fmt: skip


@dataclass(frozen=True)
class Settings:
    """How a text is written."""

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = 0.95
    seed: int = 0
    tokens: int = 100


# --------------------------------------------------------------------------------------------------------------------
# The functions
# --------------------------------------------------------------------------------------------------------------------


def room_of(module: ModuleType) -> dict[str, Any]:
    """All names of a notebook's module, its functions with these names around them: what is put there, they use."""
    names = dict(vars(module))
    for name, it in vars(module).items():
        if isinstance(it, FunctionType) and it.__module__ == module.__name__:
            moved = FunctionType(it.__code__, names, name, it.__defaults__)
            moved.__kwdefaults__ = it.__kwdefaults__
            names[name] = moved
    return names


@dataclass
class Own:
    """The reader's functions, and the names around them."""

    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    rooms: list[dict[str, Any]] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)  # name → why the answer defines nothing


def run_answers(answers: Mapping[str, str]) -> Own:
    """Run answers (exercise → code), each among what its notebook gives."""
    own = Own()
    rooms = {name: room_of(module) for name, module in NOTEBOOKS.items()}
    for name, code in answers.items():
        room, file = rooms[SLOTS[name].notebook], f"<your {name}>"
        linecache.cache[file] = (len(code), None, code.splitlines(keepends=True), file)
        room.pop(name, None)
        try:
            exec(compile(code, file, "exec", dont_inherit=True), room)
        except Exception as error:  # whatever an answer may raise
            own.failed[name] = in_a_line(error)
            continue
        if name not in room:
            own.failed[name] = f"it does not define {name}"
            continue
        own.functions[name] = room[name]
    own.rooms = list(rooms.values())
    return own


def run_notebooks(paths: Iterable[Path], say: Callable[[str], None]) -> Own:
    """The answers in a reader's own notebooks, whose code is run as it is. Of two to an exercise the later one counts."""
    own = Own()
    for notebook in (run_notebook(path, SLOTS) for path in paths):
        for note in notebook.notes:
            say(f"{note}: this cell is left out")
        own.rooms.append(vars(notebook.module))
        own.functions |= {name: vars(notebook.module)[name] for name in SLOTS if name in notebook.written}
    return own


def in_a_line(error: BaseException) -> str:
    """The error, and the line of an answer that raised it."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno} is not Python: {error.msg}"
    places = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<your ")]
    places = places or [frame for frame in traceback.extract_tb(error.__traceback__) if ".ipynb, " in frame.filename]
    where = f" ({places[-1].filename.strip('<>')}, line {places[-1].lineno})" if places else ""
    return " ".join(f"{type(error).__name__}: {error}{where}".split())


@dataclass
class Place:
    """Where in the text and in the model something is being computed."""

    token: int = 0  # 0 while the beginning is read
    block: int = 0  # from 1; 0 outside the blocks
    asking: bool = False  # the reference is asked: nothing of this is the reader's doing

    def watched(self) -> bool:
        return self.token < WATCHED or self.token % NOW_AND_THEN == 0

    def __str__(self) -> str:
        when = f"at token {self.token}" if self.token else "while the beginning was read"
        return f"in block {self.block}, {when}" if self.block else when


class Part:
    """A reader's function in its place: counts its calls, and holds some of them against the reference's answers."""

    def __init__(self, name: str, call: Callable[..., Any], reference: Callable[..., Any], place: Place) -> None:
        self.name, self.call, self.reference, self.place = name, call, reference, place
        self.calls = 0
        self.at_token: dict[int, int] = {}  # calls for each token
        self.watching = SLOTS[name].alike
        self.first = ""  # the first call whose answer is another one, in words

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.place.asking:
            return self.call(*args, **options)
        self.count()
        if not self.watching or self.first or not self.place.watched():
            return self.call(*args, **options)
        self.place.asking = True
        try:
            expected = self.reference(*args, **options)  # first: it leaves its arguments as they are
        finally:
            self.place.asking = False
        number, where = self.calls, str(self.place)
        got = self.call(*args, **options)
        if difference := apart(expected, got):
            self.first = f"in its call {number:,}, {where}: {difference}"
        return got

    def count(self) -> None:
        self.calls += 1
        self.at_token[self.place.token] = self.at_token.get(self.place.token, 0) + 1


class CountedCache:
    """A reader's cache, whose `append` is counted."""

    def __init__(self, part: Part, cache: Any) -> None:
        self.part, self.cache = part, cache

    def append(self, layer: int, k: Array, v: Array) -> tuple[Array, Array]:
        self.part.count()
        kept: tuple[Array, Array] = self.cache.append(layer, k, v)
        return kept

    def truncate(self, n: int) -> None:
        self.cache.truncate(n)


def apart(expected: Any, got: Any) -> str:
    """How an answer differs from the reference's, in words; "" where it does not."""
    if isinstance(expected, tuple):
        if not isinstance(got, tuple | list) or len(got) != len(expected):
            return f"{len(expected)} things are expected, and {type(got).__name__} came"
        return next((said for pair in zip(expected, got, strict=True) if (said := apart(*pair))), "")
    expected = np.asarray(expected)
    try:
        got = np.asarray(got, float) if expected.dtype.kind == "f" else np.asarray(got)
    except (TypeError, ValueError):
        return f"numbers are expected, and {type(got).__name__} came"
    if got.dtype.kind not in "biuf":
        return f"numbers are expected, and {'nothing' if got.size == 1 and got.item() is None else got.dtype} came"
    if got.shape != expected.shape:
        return f"the shape {expected.shape} is expected, and {got.shape} came"
    wrong = ~np.isclose(got, expected, **CLOSE)
    if not wrong.any():
        return ""
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    where = f" at {at}" if at else ""
    share = f" ({int(wrong.sum()):,} of {wrong.size:,} numbers differ)" if wrong.size > 1 else ""
    return f"{expected[at]:.4g} is expected{where}, and {got[at]:.4g} came{share}".replace("-", "−")


class Parts:
    """Every function of the model by its name: the reader's where there is one, else the reference's."""

    def __init__(self, own: Own | None = None) -> None:
        own = own or Own()
        self.place = Place()
        rooms = {name: room_of(module) for name, module in NOTEBOOKS.items()}
        references = {name: rooms[slot.notebook][name] for name, slot in SLOTS.items()}
        references["attention_with_cache"] = self.attention
        self.own = {name: Part(name, call, references[name], self.place) for name, call in own.functions.items()}
        self.named: dict[str, Callable[..., Any]] = references | self.own
        if "KVCache" in self.own:
            part = self.own["KVCache"]
            self.named["KVCache"] = lambda *shape: CountedCache(part, part.call(*shape))
        self.tables: dict[tuple[int, float, bool], Any] = {}
        put = {name: self.named[name] for name in SLOTS if name != "KVCache"}
        put |= {"rope": self.rope, "given_softmax": self.named["softmax"]}
        for room in [*rooms.values(), *own.rooms]:
            room.update({name: it for name, it in put.items() if name in room})

    def rope(self, x: Array, positions: Array, base: float) -> Array:
        """`rope` of the notebook `model`, by `apply_rope`; the tables are made once."""
        d, last = x.shape[-1], int(positions[-1])
        key = (d, base, self.place.asking)
        if key not in self.tables or len(self.tables[key][0]) <= last:
            self.tables[key] = self.named["rope_tables"](d, max(256, 2 * last), base)
        turned: Array = self.named["apply_rope"](x, *self.tables[key], positions)
        return turned

    def attention(self, x: Array, block: dict[str, Array], config: Config, past: Any) -> tuple[Array, Any]:
        """`attention_with_cache` of the notebook `model`, by smaller exercises: x (B, T, D)."""
        do = self.named
        H, K, d = config.heads, config.kv_heads, config.head_dim
        P, T = 0 if past is None else past[0].shape[2], x.shape[1]
        positions = P + np.arange(T)
        q = do["split_heads"](x @ block["Wq"], H)  # (B, H, T, d)
        k = do["split_heads"](x @ block["Wk"], K)  # (B, K, T, d)
        v = do["split_heads"](x @ block["Wv"], K)  # (B, K, T, d)
        q, k = self.rope(q, positions, config.rope_base), self.rope(k, positions, config.rope_base)
        if past is not None:
            k, v = np.concatenate([past[0], k], axis=2), np.concatenate([past[1], v], axis=2)  # (B, K, P+T, d)
        scores = q @ do["repeat_kv"](k, H // K).transpose(0, 1, 3, 2) / math.sqrt(d)  # (B, H, T, P+T)
        scores = np.where(
            do["causal_mask"](T, P + T), scores, FAR
        )  # not -inf: of two of these a softmax may see the difference
        mixed = do["softmax"](scores) @ do["repeat_kv"](v, H // K)  # (B, H, T, d)
        return do["merge_heads"](mixed) @ block["Wo"], (k, v)  # (B, T, D)

    def choose(self, settings: Settings) -> Callable[[Array], int]:
        """What chooses the next id: `sample`, or its four steps where one of them is the reader's and `sample` is not."""
        rng = np.random.default_rng(settings.seed)
        steps = "sample" not in self.own and any(name in self.own for name in STEPS)
        return partial(self._in_steps if steps else self._at_once, settings=settings, rng=rng)

    def _at_once(self, logits: Array, settings: Settings, rng: np.random.Generator) -> int:
        known = self.named["sample"] if "sample" in self.own else sample  # the fast one draws the same
        return as_id(known(logits, settings.temperature, settings.top_k, settings.top_p, rng), "sample", len(logits))

    def _in_steps(self, logits: Array, settings: Settings, rng: np.random.Generator) -> int:
        p = self.named["temperature_softmax"](logits.astype(float), settings.temperature)  # (V,)
        if settings.top_k is not None:
            p = self.named["top_k_filter"](p, settings.top_k)
        if settings.top_p is not None:
            p = self.named["top_p_filter"](p, settings.top_p)
        return as_id(self.named["draw"](p, rng.random()), "draw", len(logits))


class InTheModelError(Exception):
    """What the functions gave cannot go on, in a line."""


def as_id(it: Any, name: str, size: int) -> int:
    try:
        id = int(it)
    except (TypeError, ValueError):
        raise InTheModelError(f"{name} should give a whole number, and {type(it).__name__} came") from None
    if not 0 <= id < size:
        raise InTheModelError(f"{name} gave the id {id}, and there are {size}")
    return id


# --------------------------------------------------------------------------------------------------------------------
# The model
# --------------------------------------------------------------------------------------------------------------------


class Past:
    """What the clear model keeps of a text, behind the interface of `fast.Cache`."""

    def __init__(self, store: Any) -> None:
        self.store = store  # a KVCache
        self.kept: list[tuple[Array, Array]] | None = None
        self.length = 0

    def truncate(self, length: int) -> None:
        self.store.truncate(length)
        self.kept = [(k[:, :, :length], v[:, :, :length]) for k, v in self.kept] if self.kept and length else None
        self.length = length


class ClearModel:
    """The model of the notebooks, from any functions, behind the interface of `fast.Llama`."""

    def __init__(self, config: Config, weights: Mapping[str, Any], parts: Parts) -> None:
        self.config, self.parts = config, parts
        self.weights = {**weights, "blocks": list(weights["blocks"])}
        self.number = {id(block): number for number, block in enumerate(self.weights["blocks"])}

    def prefill(self, ids: Sequence[int], cache: Past | None = None) -> tuple[Array, Past]:
        do = self.parts.named
        past = cache or Past(do["KVCache"](self.config, 1, np.float32))
        run_block = partial(self.run_block, past)
        logits, past.kept = do["forward_with_cache"](np.array([ids]), self.weights, self.config, run_block, past.kept)
        past.length += len(ids)
        logits = np.asarray(logits)
        if logits.shape != (1, self.config.vocab):
            raise InTheModelError(f"logits of shape {(1, self.config.vocab)} are expected, and {logits.shape} came")
        if not np.isfinite(logits).all():
            raise InTheModelError("the logits are no numbers any more (NaN or infinity): no token can be chosen")
        return logits[0], past

    def step(self, id: int, cache: Past) -> Array:
        return self.prefill([id], cache)[0]

    def run_block(self, past: Past, x: Array, block: dict[str, Array], p: Any) -> tuple[Array, Any]:
        """One block, for `forward_with_cache`. What is new of keys and values goes through the cache."""
        do, layer, kept = self.parts.named, self.number[id(block)], []
        self.parts.place.block = layer + 1

        def attention(h: Array) -> Array:
            y, (k, v) = do["attention_with_cache"](h, block, self.config, p)
            before = 0 if p is None else p[0].shape[2]
            kept.append(past.store.append(layer, k[:, :, before:], v[:, :, before:]))
            return y  # type: ignore[no-any-return]

        x = do["llama_block"](x, block, self.config, attention)
        self.parts.place.block = 0
        if not kept:
            raise InTheModelError("llama_block did not ask attention, so nothing is kept of the token")
        return x, kept[0]


# --------------------------------------------------------------------------------------------------------------------
# Writing
# --------------------------------------------------------------------------------------------------------------------


class Text:
    """A text that is being written: its pieces, one by one."""

    def __init__(self, model: Any, parts: Parts, vocabulary: Vocabulary, ids: list[int], settings: Settings) -> None:
        self.ids: list[int] = []  # of what is new
        self.logits: list[Array] = []  # that each was chosen by
        self.told = ""
        self.seconds = 0.0  # for the tokens after the first, which waits until the beginning is read
        self.reader, self.place = Reader(model), parts.place
        self.place.token = 0
        new = parts.named["generate"](
            self.next_logits, ids, parts.choose(settings), settings.tokens, set(vocabulary.end)
        )
        self.pieces = iter(parts.named["stream_text"](self.noted(new), vocabulary.bytes_of))

    def next_logits(self, ids: Sequence[int]) -> Array:
        logits = self.reader(ids)
        self.place.token += 1  # what chooses belongs to the token that comes
        self.logits.append(np.array(logits))
        return logits

    def noted(self, new: Iterable[int]) -> Iterator[int]:
        for id in new:
            self.ids.append(id)
            yield id

    def more(self) -> str | None:
        """The next piece, or None at the end."""
        began, first = time.perf_counter(), not self.ids
        with np.errstate(all="ignore"):
            piece = next(self.pieces, None)
        if not first:
            self.seconds += time.perf_counter() - began
        if piece is not None:
            piece = printable(str(piece))
            self.told += piece
        return piece

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return (len(self.ids) - 1) / self.seconds if len(self.ids) > 1 and self.seconds else 0.0


@dataclass
class Report:
    """What came of it."""

    tokens: int  # of the reader's text
    rate: float  # tokens a second, of the reader's functions
    course_rate: float
    calls: dict[str, dict[str, Any]]  # of each of the reader's functions: in all, for each token, the first difference
    differs: dict[str, Any] | None  # where the text first does, if it does
    logits: float  # the largest difference of the logits while the texts were the same
    broke: str  # the error that ended the reader's text
    failed: dict[str, str]


def beginning(vocabulary: Vocabulary, text: str) -> list[int]:
    ids = [*vocabulary.begin, *vocabulary.encode(text)]
    if not ids:
        raise InTheModelError("Give it a beginning: a model goes on from something.")
    return ids


def write(loaded: Loaded, text: str, settings: Settings) -> Iterator[Event]:
    """The course's model alone, and fast: pieces, and at last how many tokens a second."""
    config, weights, vocabulary = loaded
    assert vocabulary is not None
    course = Text(Llama(config, weights), Parts(), vocabulary, beginning(vocabulary, text), settings)
    while (piece := course.more()) is not None:
        yield {"course": piece, "tokens": len(course.ids)}
    yield {"tokens": len(course.ids), "rate": course.rate, "done": True}


def compare(loaded: Loaded, own: Own, text: str, settings: Settings) -> Iterator[Event]:
    """The model with the reader's functions, and beside it the course's: pieces of both, and at last the report."""
    config, weights, vocabulary = loaded
    assert vocabulary is not None
    if not config.plain:
        raise InTheModelError(
            "the clear model has no RoPE that is stretched, and no heads of another size than dim / heads"
        )
    parts, broke = Parts(own), ""
    ids = mine_ids = beginning(vocabulary, text)
    steps = any(name in own.functions for name in STEPS) and "sample" not in own.functions
    course_parts = Parts()
    if steps:  # the reference in the same four steps: they draw by id, `sample` by rank
        course_parts.choose = lambda settings: partial(  # type: ignore[method-assign]
            course_parts._in_steps, settings=settings, rng=np.random.default_rng(settings.seed)
        )
    course = Text(Llama(config, weights), course_parts, vocabulary, ids, settings)
    mine: Text | None = None
    try:
        if "encode" in own.functions:
            mine_ids = encoded_by(parts.own["encode"], vocabulary, text)
        if mine_ids == ids:
            mine = Text(ClearModel(config, weights, parts), parts, vocabulary, ids, settings)
            while True:
                piece = mine.more()
                if piece is None:
                    break
                yield {"yours": piece, "tokens": len(mine.ids)}
                while len(course.ids) < len(mine.ids) and (other := course.more()) is not None:
                    yield {"course": other, "tokens": len(mine.ids)}
    except Exception as error:  # whatever a reader's function, or the model on what it gave, may raise
        broke = str(error) if isinstance(error, InTheModelError) else in_a_line(error)
    while (other := course.more()) is not None:
        yield {"course": other, "tokens": len(course.ids)}
    report = Report(
        tokens=len(mine.ids) if mine else 0,
        rate=mine.rate if mine else 0.0,
        course_rate=course.rate,
        calls={name: counted(part) for name, part in parts.own.items()},
        differs=where_it_differs(mine, course, vocabulary) if mine else other_ids(vocabulary, mine_ids, ids),
        logits=logits_apart(mine, course),
        broke=broke,
        failed=own.failed,
    )
    yield {
        "done": True,
        "tokens": report.tokens,
        "rate": report.rate,
        "report": vars(report),
        "words": in_words(report),
    }


def encoded_by(encode: Callable[..., Any], vocabulary: Vocabulary, text: str) -> list[int]:
    if not isinstance(vocabulary, ByteLevel) or vocabulary.encoder.whole:
        raise InTheModelError("encode: this checkpoint's tokenizer is not the one of the tokenization chapter")
    return [*vocabulary.begin, *OwnEncoding(vocabulary, encode)(text)]


def counted(part: Part) -> dict[str, Any]:
    """How often a part ran: in all, and for each token but the first and the last, where that is always the same number."""
    last = max(part.at_token, default=0)
    steps = {n for token, n in part.at_token.items() if 1 <= token < last}
    return {"in_all": part.calls, "per_token": steps.pop() if len(steps) == 1 else None, "first": part.first}


def where_it_differs(mine: Text, course: Text, vocabulary: Vocabulary) -> dict[str, Any] | None:
    """The first token that is another one, or the place in the text where the same tokens were told otherwise."""
    pairs = zip(mine.ids, course.ids, strict=False)
    at = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(mine.ids), len(course.ids)))
    if at < max(len(mine.ids), len(course.ids)):
        said = [vocabulary.decode(ids[at : at + 1]) if at < len(ids) else None for ids in (mine.ids, course.ids)]
        logits = (
            float(np.abs(mine.logits[at] - course.logits[at]).max())
            if at < min(len(mine.logits), len(course.logits))
            else 0.0
        )
        return {"token": at + 1, "yours": said[0], "course": said[1], "logits": logits}
    if mine.told != course.told:
        same = next((n for n, (a, b) in enumerate(zip(mine.told, course.told, strict=False)) if a != b),
                    min(len(mine.told), len(course.told)))  # fmt: skip
        return {"character": same + 1, "yours": mine.told[same : same + 12], "course": course.told[same : same + 12]}
    return None


def other_ids(vocabulary: Vocabulary, mine: list[int], course: list[int]) -> dict[str, Any] | None:
    if mine == course:
        return None
    said = [[vocabulary.decode([id]) for id in ids] for ids in (mine, course)]
    return {"beginning": True, "yours": said[0], "course": said[1]}


def logits_apart(mine: Text | None, course: Text) -> float:
    """How far the logits are apart at most, for as long as the texts were the same."""
    largest = 0.0
    for at, (a, b) in enumerate(zip(mine.logits, course.logits, strict=False)) if mine else ():
        if mine and mine.ids[:at] != course.ids[:at]:
            break
        largest = max(largest, float(np.abs(a - b).max()))
    return largest


# --------------------------------------------------------------------------------------------------------------------
# In words, the same in the page and in the terminal
# --------------------------------------------------------------------------------------------------------------------


def in_words(report: Report) -> list[str]:
    """The report in sentences; names of functions stand between backquotes."""
    said = [f"Your `{name}` is not in the model: {why}." for name, why in report.failed.items()]
    if not report.calls:
        return said
    said.append(the_text(report))
    if report.broke:
        said.append(f"Your text stopped after {some(report.tokens, 'token')}: {report.broke.rstrip('.')}.")
    first = {name: counts["first"] for name, counts in report.calls.items() if counts["first"]}
    said += [f"Your `{name}` gave something else for the first time {where}." for name, where in first.items()]
    if first and not report.differs and not report.broke:
        said.append("A mistake of this size can hide in a text. *Check* at the exercise says more.")
    return said + [how_often(name, counts, report.calls) for name, counts in report.calls.items()]


def the_text(report: Report) -> str:
    differs = report.differs
    if differs is None:
        if report.broke:
            return "Up to there the text is the same as the course's." if report.tokens else "It wrote nothing."
        rounding = report.logits < ROUNDING
        more = f"The logits are at most {report.logits:.1g} apart{', which is rounding' if rounding else ''}."
        return f"The text is the same as the course's, all {some(report.tokens, 'token')}. {more}"
    if "beginning" in differs:
        yours, course = (" | ".join(map(quoted, differs[side])) for side in ("yours", "course"))
        return f"Your `encode` cuts the beginning otherwise, so nothing was written: {yours}. The course's: {course}."
    yours, course = (quoted(differs[side]) for side in ("yours", "course"))
    if "character" in differs:
        return f"The tokens are the same, but from character {differs['character']} on the text is not: yours has {yours}, the course's {course}."
    if report.broke and differs["yours"] is None:
        return "Up to there the text is the same as the course's." if report.tokens else "It wrote nothing."
    place = f"The text is another one from token {differs['token']} on: yours has {yours}, the course's {course}."
    if differs["logits"] < ROUNDING:
        choosing = [name for name in (*STEPS, "sample", "generate") if name in report.calls]
        place += (
            f" The logits are the same there: {'the choice was another' if choosing else 'rounding decided a tie'}."
        )
        if choosing == ["sample"]:
            place += " A right `sample` that uses chance in another way writes another text, too."
    return place


def how_often(name: str, counts: dict[str, Any], calls: Mapping[str, Any]) -> str:
    if not counts["in_all"]:
        whole = SLOTS[name].within
        why = f": your `{whole}` does its work itself" if whole in calls else UNASKED.get(name, "")
        return f"Your `{name}` did not run{why}."
    if counts["in_all"] == 1:
        return f"Your `{name}` ran once."
    times = "once" if counts["per_token"] == 1 else f"{counts['per_token']} times"
    each = f"{times} for each token, " if counts["per_token"] else ""
    return f"Your `{name}` ran {each}{some(counts['in_all'], 'time')} in all."


def some(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def quoted(text: str | None) -> str:
    return "nothing" if text is None else f"“{text}”".replace(" ", "␣").replace("\n", "⏎")


TRAINED = Path(__file__).parent / "trained"


def trained(name: str) -> Loaded:
    """One of the checkpoints that come with the course: "austen" or "tang"."""
    return load(TRAINED / name)
