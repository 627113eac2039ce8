"""The reader's functions in the model: what they do there, what is said of them, and the same in the terminal."""

import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest

from autograder.course.bank import load_bank, references
from autograder.course.course import Course
from solutions.llama import model as reference
from solutions.llama.fast import Llama
from solutions.llama.in_the_model import (
    NOTEBOOKS,
    SLOTS,
    STEPS,
    ClearModel,
    InTheModelError,
    Own,
    Parts,
    Settings,
    Slot,
    compare,
    in_a_line,
    run_answers,
    trained,
    write,
)
from solutions.llama.inside import Small

ROOT = Path(__file__).parent.parent
COURSE = Course(ROOT)
CHAPTERS = ("attention", "tokenization", "llama")
BANK = [entry for chapter in CHAPTERS for entry in load_bank(COURSE.bank(chapter)) if entry.exercise in SLOTS]
RIGHT = {name: code for chapter in CHAPTERS for name, code in references(COURSE.bank(chapter)).items() if name in SLOTS}
WRONG = {entry.name: entry for entry in BANK if not entry.is_right}
BEGINNING = "The room was"
AUSTEN, TANG = trained("austen"), trained("tang")
# Six tokens of Austen show most mistakes; a cut character shows where characters have several bytes.
MADE_VISIBLE = {"stream_text": {"tokens": 60, "loaded": TANG, "text": "月夜\n李白\n", "seed": 3}}
CHOOSES_OTHERWISE = {"sample"}  # a right one may use chance in another way


def told(answers: dict[str, str], tokens: int = 10, loaded=AUSTEN, text: str = BEGINNING, seed: int = 2) -> dict:
    """The last event, with both texts in it."""
    top_k = 40 if "top_k_filter" in answers else None
    mine = theirs = ""
    for event in compare(loaded, run_answers(answers), text, Settings(seed=seed, tokens=tokens, top_k=top_k)):
        mine, theirs = mine + event.get("yours", ""), theirs + event.get("course", "")
    return event | {"mine": mine, "theirs": theirs}


def said(event: dict) -> str:
    return "\n".join(event["words"])


# ---------- the clear model ----------


def test_the_clear_model_is_the_model_of_the_notebook_and_the_fast_one():
    """The same logits, read at once, in pieces and token by token, after a step back, too."""
    config, weights, vocabulary = AUSTEN
    ids = vocabulary.encode("The room was small, but it was clean and")
    clear, fast = ClearModel(config, weights, Parts()), Llama(config, weights)
    small = reference.Config(
        config.dim, config.hidden, config.layers, config.heads, config.kv_heads, config.vocab, config.max_len
    )
    whole = reference.Model(small, weights).logits(np.array([ids]))[0]
    first, past = clear.prefill(ids[:3])
    found = [first, clear.prefill(ids[3:6], past)[0], *(clear.step(id, past) for id in ids[6:])]
    for at, logits in zip([2, 5, *range(6, len(ids))], found, strict=True):
        np.testing.assert_allclose(logits, whole[at], atol=1e-3)
        np.testing.assert_allclose(logits, fast.prefill(ids[: at + 1])[0], atol=1e-3)
    past.truncate(4)
    np.testing.assert_allclose(clear.prefill(ids[4:], past)[0], whole[-1], atol=1e-3)


@pytest.mark.parametrize("name", SLOTS)
def test_a_right_answer_changes_nothing_and_is_counted(name):
    event = told({name: RIGHT[name]})
    report = event["report"]
    assert report["differs"] is None and not report["broke"] and not report["failed"]
    assert event["mine"] == event["theirs"] and event["tokens"] == 10
    assert report["logits"] < 1e-3
    counts = report["calls"][name]
    assert counts["in_all"] > 0 and not counts["first"], f"{name} has no place in the model"
    layers = AUSTEN.config.layers
    per_token = {"rms_norm": 2 * layers + 1, "apply_rope": 2 * layers, "repeat_kv": 2 * layers, "swiglu": layers,
                 "split_heads": 3 * layers, "softmax": layers, "KVCache": layers, "llama_block": layers,
                 "forward_with_cache": 1, "sample": 1}  # fmt: skip
    if name in per_token:
        assert counts["per_token"] == per_token[name]
    if name in ("encode", "rope_tables", "generate", "stream_text"):
        assert f"Your `{name}` ran once." in event["words"]


def test_all_of_them_together_are_a_model_from_end_to_end():
    """Those whose work another does are told not to have run; without these two, every one runs."""
    event = told(RIGHT, loaded=TANG, text="明月")
    idle = {name for name, counts in event["report"]["calls"].items() if not counts["in_all"]}
    assert idle == {name for name, slot in SLOTS.items() if slot.within}
    assert "Your `draw` did not run: your `sample` does its work itself." in event["words"]
    event_ = told(
        {name: code for name, code in RIGHT.items() if name not in ("sample", "attention_with_cache")},
        loaded=TANG,
        text="明月",
    )
    assert all(counts["in_all"] for counts in event_["report"]["calls"].values())
    for it in (event, event_):
        assert it["mine"] == it["theirs"] and it["report"]["differs"] is None


@pytest.mark.slow
@pytest.mark.parametrize("entry", [entry for entry in BANK if entry.is_right], ids=lambda entry: entry.name)
def test_every_right_answer_of_the_bank_leaves_the_text_as_it_is(entry):
    event = told({entry.exercise: entry.source})
    assert not event["report"]["broke"] and not event["report"]["failed"]
    if entry.exercise in CHOOSES_OTHERWISE:
        assert event["report"]["differs"] is None or "A right `sample`" in said(event)
        return
    assert event["mine"] == event["theirs"], said(event)
    assert not event["report"]["calls"][entry.exercise]["first"], "a right answer is told to be another one"


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOTS)
def test_some_wrong_answer_of_each_exercise_is_seen(name):
    """In the text, or in a call that is held against the reference's."""
    seen = 0
    for entry in [entry for entry in BANK if entry.exercise == name and not entry.is_right]:
        report = told({name: entry.source}, **MADE_VISIBLE.get(name, {"tokens": 6}))["report"]
        seen += bool(report["differs"] or report["broke"] or report["failed"] or report["calls"][name]["first"])
        if seen == 2:
            return
    assert seen >= 2


def test_a_wrong_apply_rope_is_told_with_the_first_place_that_differs():
    event = told({"apply_rope": WRONG["rope_counts_from_zero"].source}, tokens=20)
    assert event["report"]["differs"]["token"] == 2, (
        "the first token is chosen while all places are counted from 0 anyway"
    )
    assert "The text is another one from token 2 on: yours has “st”, the course's “␣the”." in event["words"]
    assert "in its call 9, in block 1, at token 1:" in said(event)
    right = told({"apply_rope": RIGHT["apply_rope"]}, tokens=20)
    assert event["theirs"] == right["theirs"] == right["mine"] != event["mine"]


def test_a_mistake_that_the_text_hides_is_told_all_the_same():
    code = RIGHT["swiglu"].replace("gate * sigmoid", "gate * sigmoid * 1.0005")
    assert code != RIGHT["swiglu"]
    event = told({"swiglu": code}, tokens=20)
    assert event["mine"] == event["theirs"]
    assert (
        "Your `swiglu` gave something else for the first time in its call 1, in block 1, while the beginning was read"
        in said(event)
    )
    assert "A mistake of this size can hide in a text." in said(event)


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("rms_norm", "def rms_norm(x, gain, eps)\n    return x", "line 1 is not Python: expected ':'"),
        ("rms_norm", "def rms(x, gain, eps):\n    return x", "it does not define rms_norm"),
        ("rms_norm", "1 / 0", "ZeroDivisionError: division by zero (your rms_norm, line 1)"),
    ],
)
def test_an_answer_that_defines_nothing_is_told_why(name, code, why):
    event = told({name: code}, tokens=3)
    assert event["words"] == [f"Your `{name}` is not in the model: {why}."]


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("rms_norm", "def rms_norm(x, gain, eps):\n    y = x\n    return y[7]", "(your rms_norm, line 3)"),
        ("rms_norm", "def rms_norm(x, gain, eps):\n    return x * np.nan", "no numbers any more"),
        ("rms_norm", "def rms_norm(x, gain, eps):\n    pass", "stopped after 0 tokens"),
        ("llama_block", "def llama_block(x, block, config, attention):\n    return x", "did not ask attention"),
        ("forward_with_cache",
         "def forward_with_cache(ids, weights, config, run_block, past):\n    return np.zeros((1, 3)), past",
         "logits of shape (1, 1024) are expected, and (1, 3) came"),
        ("sample", "def sample(logits, temperature, top_k, top_p, rng):\n    return None",
         "sample should give a whole number, and NoneType came"),
        ("draw", "def draw(p, u):\n    return 9000", "draw gave the id 9000, and there are 1024"),
        ("softmax", "def softmax(x, axis=-1):\n    raise SystemError('no')", "SystemError: no (your softmax, line 2)"),
    ],
)  # fmt: skip
def test_what_breaks_the_model_ends_the_text_with_its_line(name, code, why):
    event = told({name: code}, tokens=5)
    assert event["tokens"] == 0 and event["mine"] == "" and event["theirs"], "the course's text goes on"
    assert why in said(event), said(event)


def test_an_answer_that_changes_its_arguments_is_not_compared_with_what_it_changed():
    code = (
        RIGHT["rms_norm"]
        + "\nright = rms_norm\ndef rms_norm(x, gain, eps=1e-5):\n    x[:] = right(x, gain, eps)\n    return x"
    )
    event = told({"rms_norm": code}, tokens=4)
    assert event["report"]["differs"] is not None, "the stream itself was changed"
    assert not event["report"]["calls"]["rms_norm"]["first"], "its answers are right"


def test_a_filter_that_is_not_asked_for_is_told_why():
    own = run_answers({"top_k_filter": RIGHT["top_k_filter"]})
    *_, event = compare(AUSTEN, own, BEGINNING, Settings(tokens=3))
    assert event["words"][-1] == "Your `top_k_filter` did not run: no top-k is set."


def test_a_text_that_stream_text_spoils_is_told_by_its_character():
    code = "def stream_text(ids, token_bytes):\n    for i in ids:\n        yield token_bytes[i].decode().upper()"
    event = told({"stream_text": code})
    assert event["report"]["differs"]["character"] == 2
    assert "The tokens are the same, but from character 2 on the text is not" in event["words"][0]


def test_the_beginning_that_encode_cuts_otherwise_is_shown():
    event = told({"encode": WRONG["encode_leftmost"].source})
    assert event["mine"] == "" and event["theirs"]
    assert "cuts the beginning otherwise" in event["words"][0] and "“␣room”" in event["words"][0]


def test_an_empty_beginning_is_refused():
    with pytest.raises(InTheModelError, match="a model goes on from something"):
        next(compare(AUSTEN, Own(), "", Settings()))
    with pytest.raises(InTheModelError, match="a model goes on from something"):
        next(write(AUSTEN, "", Settings()))


def test_the_text_may_be_longer_than_the_model_can_read():
    """The clear model forgets what the fast one forgets."""
    event = told({"rms_norm": RIGHT["rms_norm"]}, tokens=AUSTEN.config.max_len + 20)
    assert event["tokens"] == AUSTEN.config.max_len + 20 and event["report"]["differs"] is None


def test_each_place_is_an_exercise_of_its_notebook():
    for name, slot in SLOTS.items():
        assert isinstance(slot, Slot) and slot.notebook in NOTEBOOKS
        source = ROOT / "solutions" / f"{slot.notebook}.py"
        assert f'"grade_id": "{name}", "solution": true' in source.read_text(encoding="utf-8")
        assert not slot.within or slot.within in SLOTS
    assert set(STEPS) <= set(SLOTS) and len(SLOTS) >= 10


def test_a_line_names_the_place_in_an_answer():
    own = run_answers({"repeat_kv": "def repeat_kv(x, n):\n    return x.nothing"})
    with pytest.raises(AttributeError) as raised:
        own.functions["repeat_kv"](np.zeros(2), 2)
    assert in_a_line(raised.value).endswith("(your repeat_kv, line 2)")


# ---------- the inside ----------


def test_the_figure_is_what_the_model_does():
    small = Small()
    seen = small.figure("I am very glad to")
    config = small.config
    T = len(seen["tokens"])
    assert np.shape(seen["maps"]) == (config.layers, config.heads, T, T)
    np.testing.assert_allclose(np.sum(seen["maps"], axis=-1), 1, atol=0.01)
    assert np.shape(seen["sizes"]) == (T, config.layers, 3)
    assert len(seen["likeliest"]) == T and {len(sums) for sums in seen["likeliest"]} == {2 * config.layers + 1}
    logits, _ = Llama(config, small.weights).prefill(small.vocabulary.encode("I am very glad to"))
    p = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    best = seen["likeliest"][-1][-1]
    assert [token for token, _ in best] == [small.said(i) for i in np.argsort(-p)[:5]]
    np.testing.assert_allclose([share for _, share in best], np.sort(p)[::-1][:5], atol=1e-3)
    stream = small.read("I am very glad to").stream
    np.testing.assert_allclose(seen["sizes"][-1][1][0], np.linalg.norm(stream[1][-1]), atol=0.01)


def test_a_long_text_is_cut_and_an_empty_one_refused():
    seen = Small().figure("the room was " * 20)
    assert seen["cut"] and len(seen["tokens"]) == 24
    with pytest.raises(ValueError, match="nothing to read"):
        Small().figure("")


def test_the_model_begins_where_python_has_no_clock_of_a_thread(monkeypatch):
    """As in a page: what the models stand on asks for nothing that is not there."""

    def no_clock(name: str) -> None:
        raise ValueError("unknown clock")

    monkeypatch.setattr(time, "get_clock_info", no_clock)
    source = ROOT / "solutions" / "llama" / "layouts.py"
    names = {"__name__": "layouts_in_a_page"}
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec", dont_inherit=True), names)
    assert names["clock"] is time.perf_counter


# ---------- in the terminal ----------


def filled(path: Path, name: str, **changed: str) -> Path:
    """The student notebook with the references' answers, and others where they are given."""
    notebook = nbformat.read(ROOT / "chapters" / "llama" / "exercises" / f"{name}.ipynb", as_version=4)
    answers = references(COURSE.bank("llama")) | changed
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution"):
            cell.source = answers[about["grade_id"]]
    nbformat.write(notebook, path / f"{name}.ipynb")
    return path / f"{name}.ipynb"


def command(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "solutions.llama", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_terminal_says_the_same_as_the_page(tmp_path):
    code = WRONG["rope_counts_from_zero"].source
    done = command(
        BEGINNING,
        "--in-the-model",
        "--seed",
        2,
        "--tokens",
        20,
        "--from",
        filled(tmp_path, "parts", apply_rope=code),
        filled(tmp_path, "generation"),
    )
    assert done.returncode == 0, done.stderr
    expected = told({"apply_rope": code}, tokens=20)
    assert done.stdout == f"{BEGINNING}{expected['mine']}\n"
    assert f"The course's text: {BEGINNING}{expected['theirs']}" in done.stderr
    assert (
        expected["words"][0] in done.stderr
        and "apply_rope gave something else for the first time in its call 9" in done.stderr
    )
    assert "Your swiglu ran 4 times for each token" in done.stderr and "Your generate ran once." in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ([BEGINNING, "--in-the-model"], "--in-the-model goes with a text and --from NOTEBOOK"),
        (
            [BEGINNING, "--in-the-model", "--from", "chapters/llama/exercises/parts.ipynb"],
            "parts.ipynb: no exercise of the model is answered there",
        ),
    ],
)
def test_the_terminal_refuses_in_one_line(words, why):
    done = command(*words)
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert why in " ".join(done.stderr.replace("│", "").split())
