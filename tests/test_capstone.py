"""The capstone: what ships is what its record says, training can be interrupted, and the grammar's sums are exact."""

import hashlib
import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from tokenizers import Tokenizer
from transformers import LlamaForCausalLM

from solutions import texts
from solutions.capstone import grammar, own, pretrain, training
from solutions.capstone.pretrain import RECIPES, Data, Model, Recipe, prepare, texts_of
from solutions.llama.chat import ChatError
from solutions.llama.checkpoints import load
from solutions.llama.fast import Llama
from solutions.texts.complete_tang import is_regular, poems

ROOT = Path(__file__).parents[1]
TRAINED = ROOT / "solutions/llama/trained"
NAMES = ["austen", "tang"]
TINY = Recipe(300, 16, 24, 2, 4, 2, context=24, batch=3, steps=11, warmup=3)


# What ships


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def made(name: str) -> dict:
    return json.loads((TRAINED / name / "made.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def data(name: str) -> Data:
    return prepare(*texts_of(name), RECIPES[name].vocab)


@pytest.fixture(scope="module")
def oracle(name: str) -> LlamaForCausalLM:
    torch.set_num_threads(1)
    return LlamaForCausalLM.from_pretrained(TRAINED / name, dtype=torch.float32).eval()


def test_what_ships_is_small() -> None:
    files = [file for file in TRAINED.rglob("*") if file.is_file()]
    assert {file.parent.name for file in files} == set(NAMES)
    assert {file.name for file in files} == {"config.json", "model.safetensors", "tokenizer.json", "made.json"}
    assert sum(file.stat().st_size for file in files) <= 4_000_000


@pytest.mark.slow
def test_the_record_is_of_these_files(name: str, made: dict, data: Data, oracle: LlamaForCausalLM) -> None:
    weights = (TRAINED / name / "model.safetensors").read_bytes()
    assert made["weights_sha256"] == hashlib.sha256(weights).hexdigest()
    assert made["recipe"] == asdict(RECIPES[name]), "the recipe has changed since the checkpoint was made"
    assert made["command"] == f"python -m solutions.capstone.pretrain {name}"
    assert made["text_sha256"] == data.digest
    assert (made["train_tokens"], made["held_out_tokens"]) == (len(data.train), len(data.held_out))
    assert made["parameters"] == sum(w.numel() for w in oracle.parameters())
    assert made["curve"][-1]["step"] == RECIPES[name].steps
    assert made["bigram_bits_per_byte"] == pytest.approx(pretrain.bigram_bits_per_byte(data), rel=1e-9)


def test_training_the_tokenizer_again_gives_the_shipped_one(name: str, data: Data) -> None:
    shipped = json.loads((TRAINED / name / "tokenizer.json").read_text(encoding="utf-8"))
    assert pretrain.hugging_face_tokenizer(data.encoder) == shipped


def test_tokenizers_agree(name: str, data: Data) -> None:
    _, held_out = texts_of(name)
    held_out = held_out[:60_000] + " 🙂 naïve 酒店\r\n\t  1234 'll"
    ids = data.encoder.encode(held_out)
    theirs = Tokenizer.from_file(str(TRAINED / name / "tokenizer.json"))
    assert theirs.encode(held_out).ids == ids
    assert theirs.decode(ids) == held_out
    vocabulary = load(TRAINED / name).vocabulary
    assert vocabulary is not None
    assert list(vocabulary.encode(held_out)) == ids
    assert vocabulary.decode(ids) == held_out


@pytest.mark.slow
def test_the_stated_bits_per_byte_are_reached(made: dict, data: Data, oracle: LlamaForCausalLM) -> None:
    T, ids = RECIPES["austen"].context, data.held_out
    assert oracle.config.max_position_embeddings == T
    nats = 0.0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, T):
            window = torch.from_numpy(ids[start : start + T + 1])
            logits = oracle(window[None, :-1]).logits[0]
            nats += F.cross_entropy(logits, window[1:], reduction="sum").item()
    bits = nats / math.log(2) / sum(int(data.lengths[id]) for id in ids[1:])
    assert bits == pytest.approx(made["bits_per_byte"], rel=1e-3)
    assert nats / (len(ids) - 1) == pytest.approx(made["nats_per_token"], rel=1e-3)
    assert bits < 0.85 * made["bigram_bits_per_byte"], "a model that reads more than one token back should do better"


def test_numpy_gives_the_same_logits(name: str, data: Data, oracle: LlamaForCausalLM) -> None:
    loaded, ids = load(TRAINED / name), data.held_out[:200]
    model = Llama(loaded.config, loaded.weights)
    with torch.no_grad():
        theirs = oracle(torch.from_numpy(ids)[None]).logits[0].numpy()
    logits, cache = model.prefill(ids[:100].tolist())
    assert np.abs(logits - theirs[99]).max() < 1e-3
    for at in range(100, 110):
        assert np.abs(model.step(int(ids[at]), cache) - theirs[at]).max() < 1e-3


# Training


@pytest.fixture(scope="module")
def tiny() -> Data:
    return prepare(grammar.stories(60, seed=3), grammar.stories(5, seed=4), TINY.vocab)


def same_weights(a: Model, b: Model) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


def without_time(curve: list[dict]) -> list[dict]:
    return [{key: value for key, value in point.items() if key != "seconds"} for point in curve]


class Interrupted(Exception):  # noqa: N818, nothing is wrong
    pass


@pytest.mark.parametrize("at", [2, 5, 10])
def test_an_interrupted_run_ends_with_the_same_weights(tiny: Data, tmp_path: Path, at: int) -> None:
    whole, curve = pretrain.pretrain(TINY, tiny, measure_every=4)

    def stop(done: int, loss: float) -> None:
        if done == at:
            raise Interrupted

    saved = tmp_path / "unfinished.pt"
    with pytest.raises(Interrupted):
        pretrain.pretrain(TINY, tiny, saved, save_every=3, measure_every=4, report=stop)
    assert saved.exists() == (at > 3)
    steps: list[int] = []
    resumed, again = pretrain.pretrain(
        TINY, tiny, saved, save_every=3, measure_every=4, report=lambda done, loss: steps.append(done)
    )
    assert steps == list(range((at - 1) // 3 * 3 + 1, TINY.steps + 1)), "expected it to go on from the last save"
    assert same_weights(whole, resumed)
    assert without_time(curve) == without_time(again)


def test_a_seed_decides_everything(tiny: Data) -> None:
    torch.manual_seed(1)
    first, curve = pretrain.pretrain(TINY, tiny)
    torch.manual_seed(2)
    second, again = pretrain.pretrain(TINY, tiny)
    assert same_weights(first, second)
    assert without_time(curve) == without_time(again)
    other, _ = pretrain.pretrain(replace(TINY, seed=1), tiny)
    assert not same_weights(first, other)
    assert curve[-1]["bits_per_byte"] < curve[0]["bits_per_byte"], "eleven steps should teach it something"


def test_a_run_of_other_settings_is_not_taken_up(tiny: Data, tmp_path: Path) -> None:
    saved = tmp_path / "unfinished.pt"
    pretrain.pretrain(TINY, tiny, saved)
    with pytest.raises(ValueError, match="other settings or another text"):
        pretrain.pretrain(replace(TINY, lr=0.5), tiny, saved)
    with pytest.raises(ValueError, match="other settings or another text"):
        pretrain.pretrain(TINY, replace(tiny, digest="another"), saved)


def test_a_save_that_fails_leaves_the_last_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    pretrain.atomically(path, lambda p: p.write_bytes(b"old"))

    def torn(p: Path) -> None:
        p.write_bytes(b"ne")
        raise Interrupted

    with pytest.raises(Interrupted):
        pretrain.atomically(path, torn)
    assert path.read_bytes() == b"old"
    pretrain.atomically(path, lambda p: p.write_bytes(b"new"))
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_the_command_trains_on_any_text(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(grammar.stories(400, seed=5), encoding="utf-8")
    command = [sys.executable, "-m", "solutions.capstone.pretrain", str(tmp_path / "mine.txt"), "--steps", "2"]
    command += ["--vocab", "280", "--dim", "16", "--layers", "1", "--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bits per byte" in done.stdout
    found = {file.name for file in (tmp_path / "out").iterdir()}
    assert found == {"config.json", "model.safetensors", "tokenizer.json", "made.json"}
    made = json.loads((tmp_path / "out/made.json").read_text(encoding="utf-8"))
    assert made["recipe"]["steps"] == 2
    assert str(tmp_path) not in json.dumps(made), "the record should not hold the folders of one machine"
    loaded = load(tmp_path / "out")
    assert (loaded.config.dim, loaded.config.layers, loaded.config.vocab, loaded.config.tied) == (16, 1, 280, True)

    missing = subprocess.run([*command[:3], "nothing.txt"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert "neither one of" in missing.stderr
    assert "Traceback" not in missing.stderr


@pytest.mark.slow
@pytest.mark.timing
def test_a_killed_command_goes_on(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(grammar.stories(400, seed=5), encoding="utf-8")
    command = [sys.executable, "-m", "solutions.capstone.pretrain", str(tmp_path / "mine.txt"), "--steps", "250"]
    command += ["--vocab", "280", "--dim", "16", "--layers", "1", "--out"]
    saved = tmp_path / "killed/unfinished.pt"
    running = subprocess.Popen([*command, str(saved.parent)], cwd=ROOT, stdout=subprocess.DEVNULL)
    while not saved.exists() and running.poll() is None:
        time.sleep(0.01)
    running.kill()
    running.wait()
    assert saved.exists(), "it ended before it could be killed"
    assert torch.load(saved, weights_only=True)["step"] < 250
    for folder in (saved.parent, tmp_path / "whole"):
        subprocess.run([*command, str(folder)], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not saved.exists()


def test_what_was_exported_can_be_read_again(tiny: Data, tmp_path: Path) -> None:
    model, _ = pretrain.pretrain(TINY, tiny)
    made = pretrain.export(tmp_path, model, tiny, {"recipe": asdict(TINY), "prompts": []})
    again = pretrain.reload(tmp_path)
    assert pretrain.measure(again, tiny.held_out, tiny.lengths) == (made["bits_per_byte"], made["nats_per_token"])
    story = grammar.stories(1, seed=9)[:30]
    found = pretrain.bits_by_token(again, tiny.encoder, story)
    assert b"".join(token for token, _ in found).decode() == story
    ids = np.array(tiny.encoder.encode("\n" + story))
    bits, _ = pretrain.measure(again, ids, tiny.lengths)
    assert len(ids) <= TINY.context, "one window, so that both ways see the same"
    assert sum(cost for _, cost in found) == pytest.approx(bits * len(story), rel=1e-5)


def test_the_trained_model_is_hugging_faces(tiny: Data, tmp_path: Path) -> None:
    model = Model(replace(TINY, seed=3), len(tiny.lengths))
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_((weight * 8).half().float())  # large enough to matter, and exact in float16
    pretrain.export(tmp_path, model, tiny, {"prompts": ["Once"]})
    theirs = LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).eval()
    ids = torch.from_numpy(tiny.held_out[: TINY.context])[None]
    with torch.no_grad():
        assert (model(ids) - theirs(ids).logits).abs().max() < 1e-4


def test_muon_makes_steps_orthogonal() -> None:
    torch.manual_seed(0)
    for shape in [(2, 8, 20), (1, 20, 8), (3, 6, 6)]:
        values = torch.linalg.svdvals(pretrain.orthogonal(torch.randn(shape)))
        assert values.min() > 0.3, values
        assert values.max() < 1.4, values


def test_a_bigram_model_measured_by_hand() -> None:
    encoder = prepare("ab" * 50, "ab", 256).encoder
    ids = np.frombuffer(b"abab", np.uint8).astype(np.int64)
    data = Data(encoder, ids, ids[:2], np.ones(256, int), "")
    alone = (2 + 1) / (4 + 256)
    assert pretrain.bigram_bits_per_byte(data, prior=1.0) == pytest.approx(-math.log2((2 + alone) / (2 + 1)))


# The exercises against PyTorch, and against the readers of chapter 4


def test_losses_are_pytorchs() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(3, 5, 7)) * 3, rng.integers(0, 7, (3, 5))
    targets[1, 2:] = -1
    z = torch.tensor(logits, requires_grad=True)
    loss = F.cross_entropy(z.reshape(-1, 7), torch.from_numpy(targets.reshape(-1)), ignore_index=-1)
    loss.backward()
    assert training.lm_loss(logits, targets) == pytest.approx(loss.item(), abs=1e-12)
    assert np.abs(training.loss_gradient(logits, targets) - z.grad.numpy()).max() < 1e-15


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_is_pytorchs(decay: float) -> None:
    rng = np.random.default_rng(1)
    w, m, v = rng.normal(size=(4, 3)), np.zeros((4, 3)), np.zeros((4, 3))
    weight = torch.nn.Parameter(torch.from_numpy(w.copy()))
    optimizer = torch.optim.AdamW([weight], 0.02, (0.9, 0.95), 1e-3, decay)
    for step in range(1, 40):
        grad = rng.normal(size=(4, 3)) * 10.0 ** rng.integers(-4, 2)
        weight.grad = torch.from_numpy(grad)
        optimizer.step()
        w, m, v = training.adamw_step(w, grad, m, v, step, 0.02, 0.9, 0.95, 1e-3, decay)
        assert np.abs(w - weight.detach().numpy()).max() < 1e-13


def test_the_functions_of_the_exercises_are_those_that_train(tiny: Data) -> None:
    """Each is called in every step; AdamW by hand ends where PyTorch's does."""
    called: Counter[str] = Counter()

    def counted(name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            called[name] += 1
            return getattr(training, name)(*args)

        return call

    ours = own.Functions(**{name: counted(name) for name in own.NAMES})
    by_hand, _ = pretrain.pretrain(TINY, tiny, functions=ours)
    optimized = sum(w.ndim == 1 or "embed" in name for name, w in by_hand.named_parameters())
    assert called["get_batch"] == TINY.steps
    assert called["cosine_with_warmup"] >= TINY.steps
    assert called["adamw_step"] == optimized * TINY.steps

    def with_torch(model: Model, functions: own.Functions) -> list[torch.optim.Optimizer]:
        muon, mine = pretrain.muon_and_adamw(model, functions)
        (group,) = mine.param_groups
        return [muon, torch.optim.AdamW(group["params"], group["lr"], group["betas"], 1e-8, group["weight_decay"])]

    theirs, _ = pretrain.pretrain(TINY, tiny, make_optimizers=with_torch)
    for a, b in zip(by_hand.parameters(), theirs.parameters(), strict=True):
        assert (a - b).abs().max() < 1e-4


def notebook_with(path: Path, **answers: str) -> Path:
    cells = [{"cell_type": "code", "metadata": {}, "source": "import numpy as np\n"}]
    cells += [
        {"cell_type": "code", "metadata": {"nbgrader": {"grade_id": name}}, "source": source}
        for name, source in answers.items()
    ]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def test_a_readers_functions_train(tmp_path: Path, tiny: Data) -> None:
    """Those that are written are taken, those that fail on a little are named, the others are the course's own."""
    mine = notebook_with(
        tmp_path / "mine.ipynb",
        get_batch="def get_batch(ids, context, batch, rng):\n    raise NotImplementedError\n",
        cosine_with_warmup="def cosine_with_warmup(step, steps, warmup, peak, floor):\n    return 0.0\n",
        adamw_step="def adamw_step(w, grad, *rest):\n    return w - grad\n",
    )
    said: list[str] = []
    functions = own.from_notebook(mine, said.append)
    assert functions.sources == {"cosine_with_warmup": "mine.ipynb"}
    assert (functions.get_batch, functions.adamw_step) == (training.get_batch, training.adamw_step)
    assert any("adamw_step of mine.ipynb" in line and "the course's own is used" in line for line in said)
    assert said[-1] == "from mine.ipynb: cosine_with_warmup; the course's own: get_batch, adamw_step"
    still, _ = pretrain.pretrain(TINY, tiny, functions=functions)
    assert same_weights(still, Model(TINY, len(tiny.lengths))), "a rate of zero moves nothing"
    with pytest.raises(ChatError, match="is no notebook"):
        own.from_notebook(Path(__file__), said.append)


@pytest.mark.parametrize("tied", [True, False])
def test_an_exported_checkpoint_is_read_by_chapter_4(tied: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    config = training.Config(16, 24, 2, 4, 2, 30, 12, tied=tied)
    shapes = {"attn_norm": (16,), "Wq": (16, 16), "Wk": (16, 8), "Wv": (16, 8), "Wo": (16, 16)}
    shapes |= {"mlp_norm": (16,), "Wg": (16, 24), "Wu": (16, 24), "Wd": (24, 16)}
    embed = rng.normal(size=(30, 16)).astype(np.float32)
    blocks = [{n: rng.normal(size=s).astype(np.float32) for n, s in shapes.items()} for _ in range(2)]
    head = embed.T if tied else rng.normal(size=(16, 30)).astype(np.float32)
    weights = {"embed": embed, "blocks": blocks, "norm": rng.normal(size=16).astype(np.float32), "head": head}
    (tmp_path / "model.bin").write_bytes(training.export_checkpoint(config, weights))
    loaded = load(tmp_path / "model.bin")
    read = asdict(loaded.config)  # chapter 4 knows kinds of models, too, that this form has no fields for
    assert {name: read.pop(name) for name in asdict(config)} == asdict(config)
    assert not any(read.values()), read
    for name in ("embed", "norm", "head"):
        assert np.array_equal(loaded.weights[name], weights[name]), name
    for ours, theirs in zip(blocks, loaded.weights["blocks"], strict=True):
        for name in shapes:
            assert np.array_equal(ours[name], theirs[name]), name


def test_the_table_learns() -> None:
    losses = training.train_table(grammar.stories(200, seed=6), steps=150)
    assert losses[0] == pytest.approx(math.log(256))
    assert np.mean(losses[-10:]) < 2.4


# The grammar


def test_entropy_by_hand() -> None:
    toy = {
        "<story>": [(1, ["a", "<b>"]), (3, ["c", "<b>", "<b>"])],
        "<b>": [(1, ["x"]), (1, ["yy"])],
    }
    grammar.check(toy)
    choice = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert grammar.entropy(toy) == pytest.approx(choice + 0.25 * 1 + 0.75 * 2)
    assert grammar.expected_bytes(toy) == pytest.approx(0.25 * (2 + 2.5) + 0.75 * (2 + 2 * 2.5))
    assert grammar.count(toy) == 2 + 4
    assert grammar.log2_probability(toy, "c x yy") == pytest.approx(math.log2(0.75 / 4))
    assert grammar.bits_by_word(toy, "c x yy") == pytest.approx([math.log2(4 / 3), 1, 1])
    for impossible in ["", "c x", "c x x x", "a z", "x"]:
        assert grammar.log2_probability(toy, impossible) == -math.inf


@pytest.mark.parametrize("symbol", ["<home>", "<gives:key:hare:Mia>", "<end:frog:Tom>", "<seeks:ball:mouse:Ben>"])
def test_entropy_against_every_text(symbol: str) -> None:
    rules = grammar.story_grammar()
    found = [(p, " ".join(words)) for p, words in grammar.every(rules, symbol)]
    assert len({text for _, text in found}) == len(found) == grammar.count(rules, symbol)
    assert sum(p for p, _ in found) == pytest.approx(1)
    assert grammar.entropy(rules, symbol) == pytest.approx(-sum(p * math.log2(p) for p, _ in found))
    expected = sum(p * (len(text.encode()) + 1) for p, text in found)
    assert grammar.expected_bytes(rules, symbol) == pytest.approx(expected)


def test_entropy_against_random_stories() -> None:
    rules = grammar.story_grammar()
    grammar.check(rules)
    lines = grammar.stories(3000, seed=7).splitlines()
    bits = np.array([-grammar.log2_probability(rules, line) for line in lines])
    sizes = np.array([len(line.encode()) + 1 for line in lines])
    for values, exact in ((bits, grammar.entropy(rules)), (sizes, grammar.expected_bytes(rules))):
        assert abs(values.mean() - exact) < 4 * values.std() / len(lines) ** 0.5
    assert grammar.bits_per_byte(rules) == grammar.entropy(rules) / grammar.expected_bytes(rules)


def test_a_story_keeps_to_its_people() -> None:
    rules = grammar.story_grammar()
    for line in grammar.stories(300, seed=8).splitlines():
        assert sum(name in line for name, *_ in grammar.HEROES) == 1, line
        assert sum(animal in line for animal, _ in grammar.ANIMALS) == 1, line
        name = next(name for name, *_ in grammar.HEROES if name in line)
        other = "Tom" if name != "Tom" else "Mia"
        assert grammar.log2_probability(rules, line) > -math.inf
        for at in range(line.count(name)):  # one of the places, where the others still say who it is
            parts = line.split(name)
            swapped = name.join(parts[: at + 1]) + other + name.join(parts[at + 1 :])
            assert grammar.log2_probability(rules, swapped) == -math.inf, swapped


def test_grammars_without_exact_sums_are_refused() -> None:
    with pytest.raises(ValueError, match="back to itself"):
        grammar.check({"<a>": [(1, ["x"]), (1, ["y", "<b>"])], "<b>": [(1, ["z", "<a>"])]})
    with pytest.raises(ValueError, match="begin with 'x'"):
        grammar.check({"<a>": [(1, ["x", "y"]), (1, ["<b>"])], "<b>": [(1, ["x"])]})
    with pytest.raises(ValueError, match="has no alternatives"):
        grammar.check({"<a>": [(1, ["x", "<b>"])]})
    with pytest.raises(ValueError, match="weight above 0"):
        grammar.check({"<a>": [(0, ["x"])]})


def test_stories_depend_on_the_seed_alone() -> None:
    assert grammar.stories(5, seed=1) == grammar.stories(5, seed=1) != grammar.stories(5, seed=2)
    drawn = " ".join(grammar.derive(grammar.story_grammar(), Random(1)))
    assert grammar.stories(5, seed=1).startswith(drawn + "\n")


# The poems


def test_the_poems_are_the_ones_described() -> None:
    said = " ".join((Path(texts.__file__).parent / "README.md").read_text(encoding="utf-8").split())
    text, packed = texts.tang(), texts.TANG.read_bytes()
    assert hashlib.sha256(text.encode()).hexdigest() in said
    assert f"of `tang.txt.xz` ({len(packed):,} bytes): `{hashlib.sha256(packed).hexdigest()}`" in said
    each = [poem.split("\n") for poem in text.removesuffix("\n\n").split("\n\n")]
    poets = {poem[1] for poem in each}
    assert (
        f"{len(each):,} poems by {len(poets)} poets: {len(text.encode()):,} bytes of UTF-8, {len(text):,} characters, "
        f"of which {len(set(text)):,} are different"
    ) in said
    assert all(is_regular({"title": poem[0], "paragraphs": poem[2:]}) for poem in each)
    couplets = [couplet for poem in each for couplet in poem[2:]]
    assert {"李白", "杜甫", "王維"} <= poets
    assert len(couplets) - len(set(couplets)) < 10, "poems that share a couplet are left out"


def test_held_out_poems_are_not_trained_on() -> None:
    train, held_out = texts_of("tang")
    lines = set(train.split("\n"))
    assert [line for line in held_out.split("\n") if line.endswith("。") and line in lines] == []
    assert len(train) + len(held_out) == len(texts.tang())
    train, held_out = texts_of("austen")
    assert train + held_out == texts.english()


def test_poems_are_chosen_as_described(tmp_path: Path) -> None:
    folder = tmp_path / "dist/quantangshi"
    folder.mkdir(parents=True)
    numbers = [chr(0x4E00 + i) for i in range(400)]

    def poem(number: int, author: str = "甲", **changes: object) -> dict:
        lines = [f"{numbers[number]}一二三{numbers[i]}，一二三四五。" for i in range(2)]
        return {"author": author, "title": f"題{numbers[number]}", "paragraphs": lines} | changes

    kept = [poem(i) for i in range(150)]
    odd = [
        poem(200, paragraphs=["一二三四五，一二三四五。"] * 3),
        poem(201, paragraphs=["一二三四五，一二三四五。", "一二三四五六七，一二三四五六七。"]),
        poem(202, paragraphs=["一二□四五，一二三四五。", "一二三四六，一二三四五。"]),
        poem(203, title="題[一]"),
        poem(204, author="乙"),
        poem(3),
    ]
    for file, part in (("poet.tang.1000.json", kept[:70]), ("poet.tang.0.json", kept[70:] + odd)):
        (folder / file).write_text(json.dumps(part), encoding="utf-8")
    found = poems(tmp_path).removesuffix("\n\n").split("\n\n")
    assert [p.split("\n")[0] for p in found] == [p["title"] for p in [*kept[70:], poem(3), *kept[:3], *kept[4:70]]]
