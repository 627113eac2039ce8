"""The parts of a LLaMA beside transformers and PyTorch, and numbers worked by hand.

Nothing is fetched: the layers of transformers are built here with random weights.
"""

import numpy as np
import pytest
import torch
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import (
    LlamaMLP,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
)
from transformers.models.llama.modeling_llama import repeat_kv as hugging_repeat_kv

from solutions.llama.parts import (
    apply_rope,
    convert_rope_layout,
    repeat_kv,
    rms_norm,
    rope_attention,
    rope_tables,
    rotate,
    swiglu,
)

LAYOUTS = ["interleaved", "half"]


def config(**changes) -> LlamaConfig:
    settings = {"hidden_size": 32, "intermediate_size": 44, "num_attention_heads": 4, "num_key_value_heads": 2}
    settings |= {"num_hidden_layers": 1, "vocab_size": 50, "max_position_embeddings": 4096, **changes}
    return LlamaConfig(**settings)


def hugging_tables(base: float, d: int, positions: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """transformers' cosines and sines of a row of places, each angle twice: (1, T, d)."""
    rotary = LlamaRotaryEmbedding(
        config(hidden_size=4 * d, rope_parameters={"rope_type": "default", "rope_theta": base})
    )
    return rotary(torch.zeros(1), torch.from_numpy(positions)[None])


# ---------- RMSNorm ----------


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("eps", [1e-6, 1e-5, 0.5])
def test_rms_norm_is_that_of_transformers(dtype, eps):
    torch.manual_seed(0)
    norm = LlamaRMSNorm(32, eps=eps).to(dtype)
    norm.weight.data.uniform_(0.5, 2)
    for scale in (1e-3, 1, 300):  # 300 squared is more than float16 can hold
        x = (torch.randn(2, 5, 32) * scale + scale).to(dtype)
        ours = rms_norm(x.numpy(), norm.weight.detach().numpy(), eps)
        assert ours.dtype == x.numpy().dtype
        rough = 1e-6 if dtype == torch.float32 else 2e-3
        np.testing.assert_allclose(ours, norm(x).detach().numpy(), rtol=rough, atol=rough)


def test_rms_norm_is_that_of_torch_in_float64():
    rng = np.random.default_rng(1)
    x, gain = rng.normal(2.0, 3.0, size=(4, 16)), rng.normal(size=16)
    theirs = torch.nn.functional.rms_norm(torch.from_numpy(x), (16,), torch.from_numpy(gain), 0.1).numpy()
    np.testing.assert_allclose(rms_norm(x, gain, 0.1), theirs, rtol=1e-13)


def test_rms_norm_by_hand():
    assert rms_norm(np.array([1.0, 7.0]), np.array([1.0, 0.5]), 0.0).tolist() == [0.2, 0.7]
    assert rms_norm(np.array([1.0, 1.0]), np.ones(2), 3.0).tolist() == [0.5, 0.5], "eps stands under the root"


# ---------- rotary positions ----------


@pytest.mark.parametrize("base", [10_000.0, 500_000.0])
@pytest.mark.parametrize("d", [2, 8, 64])
def test_tables_are_those_of_transformers(base, d):
    places = np.arange(300)
    cos, sin = rope_tables(d, 300, base)
    for ours, theirs in zip((cos, sin), hugging_tables(base, d, places), strict=True):
        half = theirs[0].numpy()[:, : d // 2]
        np.testing.assert_allclose(ours, half, atol=5e-5)  # theirs are float32 throughout


@pytest.mark.parametrize("base", [10_000.0, 500_000.0])
def test_half_layout_is_that_of_transformers(base):
    rng = np.random.default_rng(2)
    B, H, K, T, d = 2, 4, 2, 7, 16
    q, k = rng.normal(size=(B, H, T, d)).astype(np.float32), rng.normal(size=(B, K, T, d)).astype(np.float32)
    for places in (np.arange(T), np.array([3, 9, 10, 40, 41, 50, 90])):
        cos, sin = rope_tables(d, 100, base)
        theirs = apply_rotary_pos_emb(torch.from_numpy(q), torch.from_numpy(k), *hugging_tables(base, d, places))
        for x, turned in zip((q, k), theirs, strict=True):
            ours = apply_rope(x, cos, sin, places, layout="half")
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours, turned.numpy(), atol=3e-5)


def test_interleaved_layout_is_a_product_of_complex_numbers():
    """As in Meta's own code: neighbours as real and imaginary part."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 3, 6, 8))
    places = np.array([0, 1, 5, 6, 20, 21])
    speeds = 10_000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    turns = torch.polar(torch.ones(6, 4, dtype=torch.float64), torch.outer(torch.from_numpy(places).double(), speeds))
    pairs = torch.view_as_complex(torch.from_numpy(x).reshape(2, 3, 6, 4, 2))
    theirs = torch.view_as_real(pairs * turns).flatten(-2).numpy()
    np.testing.assert_allclose(apply_rope(x, *rope_tables(8, 30), places), theirs, atol=1e-12)
    np.testing.assert_allclose(rotate(x, places), theirs, atol=1e-12)


def test_rope_by_hand():
    """Place 1 is a quarter of a turn, place 2 a half."""
    cos, sin = np.array([[1, 1], [0, 0], [-1, -1]]), np.array([[0, 0], [1, 1], [0, 0]])
    x = np.array([[1.0, 2, 3, 4], [1, 2, 3, 4]])
    places = np.array([1, 2])
    assert apply_rope(x, cos, sin, places).tolist() == [[-2, 1, -4, 3], [-1, -2, -3, -4]]
    assert apply_rope(x, cos, sin, places, layout="half").tolist() == [[-3, -4, 1, 2], [-1, -2, -3, -4]]
    cos, sin = rope_tables(4, 4, 100)
    np.testing.assert_allclose(cos[3], [np.cos(3), np.cos(0.3)])
    np.testing.assert_allclose(sin[3], [np.sin(3), np.sin(0.3)])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scores_depend_on_the_difference_and_lengths_stay(layout):
    rng = np.random.default_rng(4)
    cos, sin = rope_tables(16, 2000)
    q, k = rng.normal(size=(2, 1, 16))

    def at(x, place):
        return apply_rope(x, cos, sin, np.array([place]), layout=layout)[0]

    scores = {m - n: at(q, m) @ at(k, n) for m, n in [(1, 0), (5, 2), (9, 3), (100, 0)]}
    for apart, score in scores.items():
        for start in (1, 17, 900, 1850):
            np.testing.assert_allclose(at(q, start + apart) @ at(k, start), score, atol=1e-10)
    assert np.ptp(list(scores.values())) > 0.1, "the same at every difference: nothing was turned"
    np.testing.assert_allclose(np.linalg.norm(at(q, 1234)), np.linalg.norm(q))


# ---------- from one layout to the other ----------


@pytest.mark.parametrize(("heads", "d"), [(1, 2), (4, 4), (3, 6), (2, 64)])
def test_conversion_and_back(heads, d):
    W = np.random.default_rng(5).normal(size=(20, heads * d))
    half = convert_rope_layout(W, heads)
    assert np.array_equal(convert_rope_layout(half, heads, to="interleaved"), W)
    assert np.array_equal(half, W) == (d == 2), "with one pair there is nothing to move"


def test_conversion_is_that_of_the_published_scripts():
    """They work on (out, in) matrices: rows as (heads, pairs, 2) become (heads, 2, pairs)."""
    W = np.random.default_rng(6).normal(size=(24, 4 * 6))
    rows = torch.from_numpy(W.T.copy()).unflatten(0, (4, 3, 2))
    theirs = rows.movedim(2, 1).flatten(0, 2).T.numpy()
    assert np.array_equal(convert_rope_layout(W, 4, to="half"), theirs)


def test_converted_weights_give_the_same_scores_for_queries_and_fewer_keys():
    rng = np.random.default_rng(7)
    T, D, H, K, d = 6, 20, 4, 2, 10
    x, Wq, Wk = rng.normal(size=(T, D)), rng.normal(size=(D, H * d)), rng.normal(size=(D, K * d))
    cos, sin = rope_tables(d, T)

    def scores(Wq, Wk, layout):
        q, k = ((x @ W).reshape(T, -1, d).transpose(1, 0, 2) for W in (Wq, Wk))
        q, k = (apply_rope(a, cos, sin, np.arange(T), layout=layout) for a in (q, k))
        return q @ repeat_kv(k, H // K).swapaxes(-1, -2)

    before = scores(Wq, Wk, "interleaved")
    moved = convert_rope_layout(Wq, H), convert_rope_layout(Wk, K)
    np.testing.assert_allclose(scores(*moved, "half"), before, atol=1e-12)
    assert np.abs(scores(Wq, Wk, "half") - before).max() > 1, "the layouts must differ, or this shows nothing"


# ---------- feed-forward, grouped heads, attention ----------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_swiglu_is_that_of_transformers(dtype):
    torch.manual_seed(1)
    mlp = LlamaMLP(config()).to(torch.from_numpy(np.zeros(0, dtype)).dtype)
    Wg, Wu, Wd = (w.weight.detach().numpy().T for w in (mlp.gate_proj, mlp.up_proj, mlp.down_proj))
    rough = 1e-5 if dtype == np.float32 else 1e-12
    for scale in (0.01, 1, 30_000):
        x = np.random.default_rng(8).normal(size=(2, 3, 32)).astype(dtype) * dtype(scale)
        with np.errstate(over="raise", invalid="raise"):
            ours = swiglu(x, Wg, Wu, Wd)
        theirs = mlp(torch.from_numpy(x)).detach().numpy()
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, rtol=rough, atol=rough * np.abs(theirs).max())


def test_swiglu_by_hand():
    y = swiglu(np.array([1.0, 2.0]), np.array([[1.0], [0.5]]), np.array([[1.0], [1.0]]), np.array([[1.0, -1.0]]))
    np.testing.assert_allclose(y, [6 / (1 + np.exp(-2)), -6 / (1 + np.exp(-2))])
    np.testing.assert_allclose(y, [5.285, -5.285], atol=5e-4)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_repeat_kv_is_that_of_transformers(n):
    x = np.random.default_rng(9).normal(size=(2, 3, 4, 5))
    assert np.array_equal(repeat_kv(x, n), hugging_repeat_kv(torch.from_numpy(x), n).numpy())
    assert np.array_equal(repeat_kv(x[0], n), repeat_kv(x, n)[0])


@pytest.mark.parametrize(("H", "K"), [(4, 4), (6, 3), (8, 2), (5, 1)])
@pytest.mark.parametrize("base", [10_000.0, 500_000.0])
def test_attention_is_that_of_torch_with_enable_gqa(H, K, base):
    rng = np.random.default_rng(10)
    B, T, d = 2, 9, 8
    q, k, v = rng.normal(size=(B, H, T, d)), rng.normal(size=(B, K, T, d)), rng.normal(size=(B, K, T, d))
    places = np.arange(30, 30 + T)
    cos, sin = rope_tables(d, 64, base)
    turned = [torch.from_numpy(apply_rope(x, cos, sin, places)) for x in (q, k)]
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *turned, torch.from_numpy(v), is_causal=True, enable_gqa=True
    ).numpy()
    np.testing.assert_allclose(rope_attention(q, k, v, places, base), theirs, atol=1e-12)
    tiled = np.concatenate([v] * (H // K), axis=1)
    assert K in (1, H) or not np.allclose(repeat_kv(v, H // K), tiled), "tiled heads are other heads"
