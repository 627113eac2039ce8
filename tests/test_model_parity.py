"""The model of chapter 4 beside transformers, beside a plain PyTorch model, and beside itself with a cache.

Nothing is fetched: every model is small, random, and made here.
"""

import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from solutions.llama import model as ours

TRAINED = Path(ours.__file__).parent / "trained"
KINDS = {  # query heads, key/value heads, tied, rope base
    "plain": (4, 4, False, 10000.0),
    "tied": (4, 4, True, 10000.0),
    "grouped": (6, 2, False, 500000.0),
    "grouped and tied": (6, 3, True, 500000.0),
    "one head for keys": (4, 1, True, 10000.0),
}


def made(kind: str, dtype: torch.dtype = torch.float32) -> transformers.LlamaForCausalLM:
    """A random LLaMA with logits near 10, as real ones have."""
    heads, kv_heads, tied, base = KINDS[kind]
    config = transformers.LlamaConfig(
        hidden_size=16 * heads,
        intermediate_size=88,
        num_hidden_layers=3,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        vocab_size=97,
        max_position_embeddings=256,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": base},
        initializer_range=0.12,
        attn_implementation="eager",
    )
    torch.manual_seed(len(kind))
    theirs = transformers.LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if "norm" in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
        theirs.model.norm.weight.mul_(3)
    return theirs.to(dtype)


@cache
def pair(kind: str) -> tuple[transformers.LlamaForCausalLM, ours.Model]:
    """Theirs, and ours from the tensors that theirs has."""
    theirs = made(kind)
    heads, kv_heads, tied, base = KINDS[kind]
    config = ours.Config(16 * heads, 88, 3, heads, kv_heads, 97, 256, base, 1e-5, tied)
    tensors = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    return theirs, ours.Model(config, ours.huggingface_weights(tensors, config))


def doubled(weights: dict) -> dict:
    return {
        name: [doubled(block) for block in value] if name == "blocks" else value.astype(np.float64)
        for name, value in weights.items()
    }


@cache
def double(kind: str) -> ours.Model:
    single = pair(kind)[1]
    return ours.Model(single.config, doubled(single.weights))


def ids_of(batch: int, length: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 97, (batch, length))


def theirs_of(model: transformers.LlamaForCausalLM, ids: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return model(torch.from_numpy(ids)).logits.float().numpy()


def plain_torch(weights: dict, c: ours.Config, ids: np.ndarray) -> np.ndarray:
    """A LLaMA in float64 PyTorch, written from the paper: rotations as complex numbers, heads by SDPA."""
    x = torch.from_numpy(weights["embed"])[torch.from_numpy(ids)]
    batch, length, _ = x.shape
    rates = c.rope_base ** (-torch.arange(0, c.head_dim, 2, dtype=torch.float64) / c.head_dim)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), rates)
    turns = torch.polar(torch.ones_like(angles), angles)  # (T, d/2)

    def norm(x: torch.Tensor, gain: np.ndarray) -> torch.Tensor:
        return torch.nn.functional.rms_norm(x, (c.dim,), torch.from_numpy(gain), c.eps)

    def heads(x: torch.Tensor, W: np.ndarray, n: int, rotate: bool) -> torch.Tensor:
        y = (x @ torch.from_numpy(W)).view(batch, length, n, c.head_dim).transpose(1, 2)
        if rotate:
            z = torch.view_as_complex(y.reshape(batch, n, length, c.head_dim // 2, 2).contiguous()) * turns
            y = torch.view_as_real(z).flatten(3)
        return y.repeat_interleave(c.heads // n, dim=1)

    for block in weights["blocks"]:
        h = norm(x, block["attn_norm"])
        q, k = heads(h, block["Wq"], c.heads, rotate=True), heads(h, block["Wk"], c.kv_heads, rotate=True)
        v = heads(h, block["Wv"], c.kv_heads, rotate=False)
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + y.transpose(1, 2).flatten(2) @ torch.from_numpy(block["Wo"])
        h = norm(x, block["mlp_norm"])
        gate = torch.nn.functional.silu(h @ torch.from_numpy(block["Wg"]))
        x = x + (gate * (h @ torch.from_numpy(block["Wu"]))) @ torch.from_numpy(block["Wd"])
    return (norm(x, weights["norm"]) @ torch.from_numpy(np.ascontiguousarray(weights["head"]))).numpy()


# ---------- the same numbers ----------


@pytest.mark.parametrize("length", [1, 7, 40, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_transformers(kind: str, length: int) -> None:
    theirs, mine = pair(kind)
    ids = ids_of(2, length)
    expected, got = theirs_of(theirs, ids), mine.logits(ids)
    assert got.dtype == np.float32
    assert 3 < np.abs(expected).max() < 50  # of the size at which 1e-4 means something
    assert np.abs(got - expected).max() < 1e-4


@pytest.mark.parametrize("length", [1, 7, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_a_plain_model_in_float64(kind: str, length: int) -> None:
    mine, ids = double(kind), ids_of(2, length, 1)
    expected, got = plain_torch(mine.weights, mine.config, ids), mine.logits(ids)
    assert got.dtype == np.float64
    assert np.abs(got - expected).max() < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_writing_greedily_gives_the_ids_of_transformers(kind: str) -> None:
    theirs, mine = pair(kind)
    prompt = ids_of(1, 9, 2)
    expected = theirs.generate(
        torch.from_numpy(prompt), attention_mask=torch.ones(1, 9, dtype=torch.long), max_new_tokens=64,
        do_sample=False, eos_token_id=None, pad_token_id=0,
    )[0, 9:].tolist()  # fmt: skip
    logits, past = mine.step(prompt)
    written = []
    for _ in range(64):
        written.append(int(logits[0].argmax()))
        logits, past = mine.step(np.array([[written[-1]]]), past)
    assert written == expected


@pytest.mark.parametrize("kind", KINDS)
def test_parameters_are_counted_as_transformers_counts_them(kind: str) -> None:
    theirs, mine = pair(kind)
    assert ours.count_parameters(mine.config) == sum(p.numel() for p in theirs.parameters())


def test_a_mixed_up_layout_shows() -> None:
    """Without the reordering of rows the logits are far off: the parity above is no accident."""
    theirs, mine = pair("grouped")
    tensors = theirs.state_dict()
    blocks = [
        block | {f"W{n}": tensors[f"model.layers.{i}.self_attn.{n}_proj.weight"].numpy().T for n in "qk"}
        for i, block in enumerate(mine.weights["blocks"])
    ]
    ids = ids_of(1, 20)
    mixed = ours.Model(mine.config, mine.weights | {"blocks": blocks}).logits(ids)
    assert np.abs(mixed - theirs_of(theirs, ids)).max() > 1


# ---------- files ----------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["plain", "grouped and tied"])
def test_a_folder_that_transformers_saved(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    stored = made(kind, dtype)
    stored.save_pretrained(tmp_path)
    theirs = transformers.LlamaForCausalLM.from_pretrained(tmp_path, dtype=torch.float32, attn_implementation="eager")
    config, weights = ours.load_checkpoint(tmp_path)
    heads, kv_heads, tied, base = KINDS[kind]
    assert (config.heads, config.kv_heads, config.tied, config.rope_base) == (heads, kv_heads, tied, base)
    ids = ids_of(1, 12)
    assert np.abs(ours.Model(config, weights).logits(ids) - theirs_of(theirs, ids)).max() < 1e-4


@pytest.mark.parametrize("folder", sorted(TRAINED.glob("*/model.safetensors")), ids=lambda path: path.parent.name)
def test_a_folder_that_ships_with_the_course(folder: Path) -> None:
    config, weights = ours.load_checkpoint(folder.parent)
    theirs = transformers.LlamaForCausalLM.from_pretrained(
        folder.parent, dtype=torch.float32, attn_implementation="eager"
    )
    ids = np.random.default_rng(5).integers(0, config.vocab, (2, 60))
    assert np.abs(ours.Model(config, weights).logits(ids) - theirs_of(theirs, ids)).max() < 1e-4
    assert ours.count_parameters(config) == sum(p.numel() for p in theirs.parameters())


def test_tensors_of_all_kinds_come_back_from_safetensors(tmp_path: Path) -> None:
    torch.manual_seed(3)
    tensors = {
        f"{dtype}-{len(shape)}".removeprefix("torch."): torch.randn(shape).to(dtype)
        for dtype in (torch.float32, torch.float16, torch.bfloat16)
        for shape in ((), (5,), (3, 4), (2, 0, 3), (2, 3, 4))
    }
    path = tmp_path / "some.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    found = ours.read_safetensors(path)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], tensor.float().numpy()), name


def llama2c(mine: ours.Model) -> bytes:
    """What llama2.c's export writes for version 0."""
    c, w = mine.config, mine.weights
    header = struct.pack(
        "<7i", c.dim, c.hidden, c.layers, c.heads, c.kv_heads, c.vocab * (1 if c.tied else -1), c.max_len
    )
    angles = np.outer(np.arange(c.max_len), c.rope_base ** (-np.arange(0, c.head_dim, 2) / c.head_dim))
    parts = [w["embed"]]
    for name in ("attn_norm", "Wq", "Wk", "Wv", "Wo", "mlp_norm", "Wg", "Wd", "Wu"):
        parts += [block[name].T for block in w["blocks"]]
    parts += [w["norm"], np.cos(angles), np.sin(angles)] + [w["head"].T] * (not c.tied)
    return header + b"".join(np.ascontiguousarray(part, "<f4").tobytes() for part in parts)


@pytest.mark.parametrize("kind", ["plain", "tied", "one head for keys"])
def test_the_same_model_as_a_llama2c_file(kind: str, tmp_path: Path) -> None:
    theirs, mine = pair(kind)
    path = tmp_path / "model.bin"
    path.write_bytes(llama2c(mine))
    config, weights = ours.load_checkpoint(path)
    assert config == mine.config
    ids = ids_of(2, 15)
    assert np.array_equal(ours.Model(config, weights).logits(ids), mine.logits(ids))
    assert np.abs(ours.Model(config, weights).logits(ids) - theirs_of(theirs, ids)).max() < 1e-4


@settings(max_examples=200)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_by_name(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Cut anywhere it is refused; with a changed byte in its header it is read or refused; never another error."""
    whole = llama2c(pair("tied")[1])
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    if data.draw(st.booleans(), label="cut"):
        path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        with pytest.raises(ValueError, match=r"damaged\.bin"):
            ours.load_llama2c(path)
        return
    place, byte = data.draw(st.integers(0, 27)), data.draw(st.integers(0, 255))
    path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
    text = path.name
    try:
        ours.load_llama2c(path)
    except ValueError as error:
        text = str(error)
    assert path.name in text


# ---------- the cache ----------


@settings(max_examples=40)
@given(
    kind=st.sampled_from(list(KINDS)),
    batch=st.integers(1, 3),
    pieces=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    seed=st.integers(0, 999),
)
def test_any_way_of_cutting_a_text_gives_the_same(kind: str, batch: int, pieces: list[int], seed: int) -> None:
    mine, ids = double(kind), ids_of(batch, sum(pieces), seed)
    whole = mine.logits(ids)
    past, done = None, 0
    for piece in pieces:
        logits, past = mine.step(ids[:, done : done + piece], past)
        done += piece
        assert np.abs(logits - whole[:, done - 1]).max() < 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_seventy_tokens_one_by_one(kind: str) -> None:
    """Float64 to rounding, float32 within its own error, at every one of 70 positions after a prompt of 5."""
    ids = ids_of(2, 75, 7)
    for mine, tolerance in ((double(kind), 1e-10), (pair(kind)[1], 1e-4)):
        whole = mine.logits(ids)
        logits, past = mine.step(ids[:, :5])
        for t in range(5, 75):
            logits, past = mine.step(ids[:, t : t + 1], past)
            assert np.abs(logits - whole[:, t]).max() < tolerance


def test_a_batch_gives_what_its_texts_give_alone() -> None:
    mine, ids = double("grouped"), ids_of(5, 21, 8)
    together = mine.logits(ids)
    _, past = mine.step(ids[:, :9])
    cached, _ = mine.step(ids[:, 9:], past)
    for b in range(5):
        alone = mine.logits(ids[b : b + 1])[0]
        assert np.abs(together[b] - alone).max() < 1e-10
        assert np.abs(cached[b] - alone[-1]).max() < 1e-10


@settings(max_examples=60)
@given(pieces=st.lists(st.integers(1, 12), min_size=1, max_size=9), keep=st.integers(0, 40))
def test_the_preallocated_cache_holds_what_concatenation_holds(pieces: list[int], keep: int) -> None:
    c = ours.Config(24, 8, 2, 6, 3, 9, 40)
    room, rng, held = ours.KVCache(c, 2, np.float64), np.random.default_rng(1), [None, None]
    for number, piece in enumerate(pieces):
        for layer in range(2):
            new = rng.normal(size=(2, 2, c.kv_heads, piece, c.head_dim))
            before = room.length(layer)
            if before + piece > c.max_len:
                with pytest.raises(ValueError, match="do not fit"):
                    room.append(layer, *new)
                assert room.length(layer) == before
                continue
            held[layer] = new if held[layer] is None else np.concatenate([held[layer], new], axis=3)
            got = room.append(layer, *new)
            assert np.array_equal(got, held[layer])
        if number == 2 and keep <= min(room.length(0), room.length(1)):
            room.truncate(keep)
            held = [part[:, :, :, :keep] for part in held]
