"""The attention chapter's reference solutions beside torch, autograd and properties that must hold."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from solutions.attention import cost, heads, weights


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("axis", [0, -1])
def test_softmax_is_torchs_even_at_ten_thousand(axis: int) -> None:
    x = normal(4, 5, 6) * 1e4
    np.testing.assert_allclose(weights.softmax(x, axis=axis), torch.softmax(torch.tensor(x), dim=axis), atol=1e-12)


def test_scaled_scores_have_variance_one() -> None:
    scores = weights.scaled_scores(normal(400, 64, seed=1), normal(400, 64, seed=2))
    assert 0.9 < scores.var() < 1.1


def test_attention_is_torchs_with_a_mask_and_other_widths() -> None:
    q, k, v = normal(2, 3, 5, 8), normal(2, 3, 7, 8, seed=1), normal(2, 3, 7, 4, seed=2)
    mask = np.tril(np.ones((5, 7), dtype=bool), k=2)
    out, _ = weights.attention(q, k, v, mask)
    tensors = [torch.tensor(a) for a in (q, k, v)]
    expected = F.scaled_dot_product_attention(*tensors, attn_mask=torch.tensor(mask))
    np.testing.assert_allclose(out, expected, atol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_multi_head_attention_is_torchs(causal: bool) -> None:
    B, T, D, H = 2, 5, 12, 3
    x, (wq, wk, wv, wo) = normal(B, T, D), normal(4, D, D, seed=1)
    layer = torch.nn.MultiheadAttention(D, H, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        layer.in_proj_weight.copy_(torch.tensor(np.concatenate([wq.T, wk.T, wv.T])))
        layer.out_proj.weight.copy_(torch.tensor(wo.T))
    blocked = torch.triu(torch.ones(T, T, dtype=torch.bool), diagonal=1) if causal else None
    expected, _ = layer(*[torch.tensor(x)] * 3, attn_mask=blocked)
    got = heads.multi_head_attention(x, wq, wk, wv, wo, H, causal=causal)
    np.testing.assert_allclose(got, expected.detach(), atol=1e-12)


def test_cross_attention_is_torchs() -> None:
    x, memory = normal(2, 4, 6), normal(2, 9, 5, seed=1)
    wq, wk, wv = normal(6, 8, seed=2), normal(5, 8, seed=3), normal(5, 3, seed=4)
    expected = F.scaled_dot_product_attention(*[torch.tensor(a) for a in (x @ wq, memory @ wk, memory @ wv)])
    np.testing.assert_allclose(heads.cross_attention(x, memory, wq, wk, wv), expected, atol=1e-12)


@pytest.mark.parametrize("lead", [(), (2,), (2, 3)])
def test_attention_gradients_are_autograds(lead: tuple[int, ...]) -> None:
    q, k = normal(*lead, 4, 6), normal(*lead, 5, 6, seed=1)
    v, dout = normal(*lead, 5, 3, seed=2), normal(*lead, 4, 3, seed=3)
    tensors = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    F.scaled_dot_product_attention(*tensors).backward(torch.tensor(dout))
    for got, tensor in zip(cost.attention_backward(q, k, v, dout), tensors, strict=True):
        np.testing.assert_allclose(got, tensor.grad, atol=1e-12)


def test_softmax_gradient_is_autograds() -> None:
    x, dp = torch.tensor(normal(3, 7), requires_grad=True), normal(3, 7, seed=1)
    p = torch.softmax(x, dim=-1)
    p.backward(torch.tensor(dp))
    np.testing.assert_allclose(cost.softmax_backward(p.detach().numpy(), dp), x.grad, atol=1e-12)


SCORES = st.one_of(st.floats(-1e3, 1e3), st.just(-np.inf))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(SCORES, min_size=1, max_size=5), min_size=1, max_size=6))
def test_online_softmax_is_logsumexp_however_cut(tiles: list[list[float]]) -> None:
    top, total = -np.inf, 0.0
    for tile in tiles:
        top, total = cost.online_softmax(np.array(tile), top, total)
    row = torch.tensor([x for tile in tiles for x in tile], dtype=torch.float64)
    with np.errstate(divide="ignore"):
        assert top + np.log(total) == pytest.approx(float(torch.logsumexp(row, dim=0)), rel=1e-12, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 9), st.sampled_from([0.1, 1.0, 30.0, 3e3]))
def test_tiles_of_any_size_give_the_same_output(sizes: list[int], queries: int, spread: float) -> None:
    q, k, v = normal(queries, 4) * spread, normal(sum(sizes), 4, seed=1), normal(sum(sizes), 3, seed=2)
    state = None
    for stop, size in zip(np.cumsum(sizes), sizes, strict=True):
        out, state = cost.attention_tiled(q, k[stop - size : stop], v[stop - size : stop], state)
        expected = F.scaled_dot_product_attention(*[torch.tensor(a) for a in (q, k[:stop], v[:stop])])
        np.testing.assert_allclose(out, expected, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)))
def test_self_attention_follows_a_permutation(order: list[int]) -> None:
    x, (wq, wk, wv) = normal(1, 6, 4), normal(3, 4, 4, seed=1)
    out = heads.self_attention(x, wq, wk, wv)
    np.testing.assert_allclose(heads.self_attention(x[:, order], wq, wk, wv), out[:, order], atol=1e-12)


def test_split_heads_gives_each_head_its_slice() -> None:
    x = normal(2, 5, 12)
    split = heads.split_heads(x, 3)
    for head in range(3):
        np.testing.assert_array_equal(split[:, head], x[..., 4 * head : 4 * head + 4])
    np.testing.assert_array_equal(heads.merge_heads(split), x)
