"""What the pages say a model costs is held to a count of what is really multiplied, and of what is really kept."""

import numpy as np
import pytest

from solutions.llama.model import Config, KVCache
from solutions.llama.sizes import MODELS, cache_bytes, multiplications, random_model

TINY = Config(dim=8, hidden=20, layers=2, heads=4, kv_heads=2, vocab=11, max_len=32)


class Counted(np.ndarray):
    """Arrays that count the multiplications of every matrix product that they take part in."""

    total = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        plain = [x.view(np.ndarray) if isinstance(x, Counted) else x for x in inputs]
        if out:
            options["out"] = tuple(x.view(np.ndarray) if isinstance(x, Counted) else x for x in out)
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            Counted.total += result.size * plain[0].shape[-1]
        return result.view(Counted) if isinstance(result, np.ndarray) else result

    def __array_function__(self, function, types, args, kwargs):
        result = super().__array_function__(function, types, args, kwargs)
        return result.view(Counted) if isinstance(result, np.ndarray) else result


@pytest.fixture
def counting():
    model = random_model(TINY)
    model.weights["embed"] = model.weights["embed"].view(Counted)
    return model


def test_multiplications_of_a_text_in_pieces(counting):
    """With a cache, logits of the last token only."""
    past, done = None, 0
    for piece in [3, 1, 1, 4]:
        Counted.total = 0
        _, past = counting.step(np.arange(done, done + piece)[None] % TINY.vocab, past)
        assert Counted.total == multiplications(TINY, done, piece)
        done += piece


def test_multiplications_with_all_logits(counting):
    Counted.total = 0
    counting.logits(np.arange(9)[None])
    assert Counted.total == multiplications(TINY, 0, 9, rows=9)


@pytest.mark.parametrize("name", MODELS)
def test_bytes_of_a_cache(name):
    c = MODELS[name]
    small = Config(c.dim, c.hidden, c.layers, c.heads, c.kv_heads, c.vocab, max_len=3)
    assert KVCache(small, dtype=np.float16).nbytes() == cache_bytes(c, 3)
