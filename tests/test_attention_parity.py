"""The attention chapter's reference solutions beside torch, autograd and properties that must hold."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st

from solutions.attention import cost, heads, weights
from solutions.attention.example import TOKENS, W_K, W_Q, K, Q, V, X


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


@settings(max_examples=100)
@given(st.lists(st.lists(SCORES, min_size=1, max_size=5), min_size=1, max_size=6))
def test_online_softmax_is_logsumexp_however_cut(tiles: list[list[float]]) -> None:
    top, total = -np.inf, 0.0
    for tile in tiles:
        top, total = cost.online_softmax(np.array(tile), top, total)
    row = torch.tensor([x for tile in tiles for x in tile], dtype=torch.float64)
    with np.errstate(divide="ignore"):
        assert top + np.log(total) == pytest.approx(float(torch.logsumexp(row, dim=0)), rel=1e-12, abs=1e-9)


@settings(max_examples=50)
@given(st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(1, 9), st.sampled_from([0.1, 1.0, 30.0, 3e3]))
def test_tiles_of_any_size_give_the_same_output(sizes: list[int], queries: int, spread: float) -> None:
    q, k, v = normal(queries, 4) * spread, normal(sum(sizes), 4, seed=1), normal(sum(sizes), 3, seed=2)
    state = None
    for stop, size in zip(np.cumsum(sizes), sizes, strict=True):
        out, state = cost.attention_tiled(q, k[stop - size : stop], v[stop - size : stop], state)
        expected = F.scaled_dot_product_attention(*[torch.tensor(a) for a in (q, k[:stop], v[:stop])])
        np.testing.assert_allclose(out, expected, atol=1e-10)


@settings(max_examples=30)
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


def written(*numbers: float, places: int = 3) -> str:
    """Numbers as the texts write them: (0.665, 0.090, 0.245), whole ones without places, minus as a sign."""
    texts = [f"{x:.0f}" if np.isclose(x, round(x), atol=1e-9) else f"{x:.{places}f}" for x in numbers]
    return "(" + ", ".join(text.replace("-", "−") for text in texts) + ")"


def source(name: str) -> str:
    """A notebook's source as one line a paragraph, so that numbers broken over two lines are found."""
    text = (Path(__file__).parent.parent / "solutions" / "attention" / f"{name}.py").read_text(encoding="utf-8")
    return text.replace("\n# ", " ")


def test_numbers_done_by_hand_in_the_weights_notebook() -> None:
    text = source("weights")
    scores = weights.scaled_scores(Q, K)
    for i, token in enumerate(TOKENS):
        assert f"| {token} | {written(*Q[i])} | {written(*K[i])} | {written(*V[i])} |" in text
        assert " ".join([token, *(f"{x:.0f}" for x in scores[i])]) in " ".join(text.split())
    dot, cosine = weights.dot_and_angle(Q[2], K[2])
    angle = np.degrees(np.arccos(cosine))
    assert f"the cosine is {dot:.0f} / {dot / cosine:.0f} = {cosine:.1f}: an angle of {angle:.0f} degrees" in text
    exps = np.exp(scores[2])
    assert f"{exps[0]:.3f}, {exps[1]:.0f} and {exps[2]:.3f}, with sum {exps.sum():.3f}" in text
    out, p = weights.attention(Q, K, V)
    assert f"{p[2, 0]:.3f}, {p[2, 1]:.3f} and {p[2, 2]:.3f}" in text
    assert f"weights of 干净 are {written(*p[2])}" in text
    assert f"0.245 · (0, 0, 4, 2) = {written(*out[2])}" in text
    out, p = weights.attention(Q, K, V, np.array([True, False, True]))
    assert f"{p[2, 0]:.3f} and {p[2, 2]:.3f}: the output is {written(*out[2])}" in text


def test_numbers_done_by_hand_in_the_heads_notebook() -> None:
    text = source("heads")
    out = heads.self_attention(X[None], W_Q, W_K, np.diag([4.0, 4, 4, 2]))[0, 2]
    assert f"≈ {written(*out, places=2)}" in text
    split = heads.split_heads(Q[None], 2)[0]
    for head in split:
        assert ", ".join(written(*row) for row in head) in text
    crossed = heads.cross_attention(X[None, 2:], X[None, :2], W_Q, W_K, np.diag([4.0, 4, 4, 2]))[0, 0]
    assert f"output about {written(*crossed)}" in text
    assert written(*weights.softmax(np.array([2.0, 0.0]))) in text
    first = heads.sinusoidal_positions(2, 4)[1]
    assert f"({first[0]:.4f}, {first[1]:.4f}, {first[2]:.4f}, {first[3]:.5f})" in text


def test_numbers_done_by_hand_in_the_cost_notebook() -> None:
    text = source("cost")
    p = weights.softmax(np.array([2.0, 0.0, 1.0]))
    assert f"its weights are {written(*p)}" in text
    assert f"scores is {written(*cost.softmax_backward(p, np.array([0.0, 1.0, 0.0])))}" in text
    dout = np.zeros((3, 4))
    dout[2, 0] = 1
    dq, dk, dv = cost.attention_backward(Q, K, V, dout)
    by_scores = cost.softmax_backward(p, V[:, 0])
    assert f"weights, {written(*dv[:, 0])}" in text
    assert f"becomes {written(*by_scores)} by the scaled scores, and half of that, {written(*by_scores / 2)}" in text
    assert f"`dq` of 干净: {written(*dq[2])}" in text
    np.testing.assert_allclose(dk[:, 0], by_scores)  # times the query's 2, times the scale
    m, ell = cost.online_softmax(np.array([0.0, 1.0]))
    assert f"`m = {m:.0f}` and `ell = ` $e^{{-1}} + e^0$ = {ell:.3f}" in text
    m, ell = cost.online_softmax(np.array([2.0]), m, ell)
    assert f"1.368 · {np.exp(-1):.3f} + 1 = {ell:.3f}" in text
    out, (_, ell, mix) = cost.attention_tiled(Q, K[:2], V[:2])
    assert f"= {ell[1, 0]:.3f}" in text
    assert f"= {written(*mix[1])}" in text
    assert f"output so far, {written(*out[1])}" in text
    out, (_, ell, mix) = cost.attention_tiled(Q, K[2:], V[2:], cost.attention_tiled(Q, K[:2], V[:2])[1])
    assert f"gives {ell[1, 0]:.3f} and {written(*mix[1])}, and the output is {written(*out[1])}" in text
