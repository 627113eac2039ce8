"""The same LLaMA as in model.py, as fast as NumPy lets it be: the same numbers but for the last digits of float32.

    model = Llama(config, weights)
    logits, cache = model.prefill(ids)              the prompt, all its positions together; logits (V,) of the last one
    logits = model.step(id, cache)                  one more token
    logits, caches = model.prefill_batch(prompts)   several texts, of any lengths; logits (B, V)
    logits = model.step_batch(ids, caches)          one more token for each
    logits = model.look(ids, cache)                 some ids together, and the logits (T, V) after each of them

Writing one token reads every weight once and does little with it, so that the time is at least the size of the weights
over the speed of the memory. What this file does is stay out of the way of that:

- **float32 everywhere.** One float64 table, and everything it touches is twice as large and several times as slow.
- **Nothing is done that is not asked for.** Logits, and the whole last block beyond its keys and values, are computed
  for the last position of a prompt only.
- **Nothing is copied that is there.** Keys and values go into arrays that are larger than needed; the keys lie as
  (K, d, T), which is how the product with a query wants them. A column of ones beside the values sums up the softmax.
- **Few calls.** At small sizes a token costs as many microseconds as there are calls to NumPy. So one product gives
  queries, keys and values, and one gives gate and up; the gains of the norms and the 1/√d are multiplied into the
  weights beforehand; RoPE turns pairs by one multiplication of complex numbers, in place, queries and keys together.
- **Weights lie as they are read.** All are copied into one array, in the order in which they are used, so that the
  system can give it pages of 2 MB. In which order of its rows and columns a matrix is read fastest differs from machine
  to machine: layouts.py has the ways, and times them. Where a batch or a long prompt wants the other order, a second
  copy is made when it first comes, and twice the memory is taken.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from solutions.llama.config import Config
from solutions.llama.layouts import FASTEST, LAYOUTS, LINE, SEVERAL, Layout, fastest, few, fixed, lay, room_for
from solutions.llama.rope import frequencies

Array = np.ndarray
FEW = 256  # ids that nearly always hold the one that is drawn
CHUNK = 256  # positions of a prompt that go through the model together
FIRST_TURNS = 2048  # positions that RoPE is computed for at first
FIRST_ROOM = 256  # positions that a cache has room for at first; it doubles when it is full
IN_CACHE = 1 << 21  # bytes of weights that stay in a core's own cache


class Cache:
    """The keys (layers, K, d, T) and the values (layers, K, T, d + 1) of the positions so far; the last value is 1."""

    def __init__(self, config: Config, room: int = FIRST_ROOM) -> None:
        self.config = config
        self.length = 0
        self.room = 0
        self.reserve(min(room, config.max_len))

    def reserve(self, room: int) -> None:
        """Make room for so many positions, by doubling, so that each is copied about once."""
        config = self.config
        if room > config.max_len:
            raise ValueError(f"position {room - 1}: the model was made for {config.max_len} positions")
        if room <= self.room:
            return
        self.room = min(max(room, 2 * self.room), config.max_len)
        # 16 more than needed: rows whose distance is a power of two would all want the same place in the CPU's cache.
        keys = np.empty((config.layers, config.kv_heads, config.head_dim, self.room + LINE), np.float32)
        values = np.empty((config.layers, config.kv_heads, self.room, config.head_dim + 1), np.float32)
        if self.length:
            keys[..., : self.length] = self.keys[..., : self.length]
            values[:, :, : self.length] = self.values[:, :, : self.length]
        values[:, :, self.length :, -1] = 1
        self.keys, self.values = keys, values

    def truncate(self, length: int) -> None:
        """Forget all positions from `length` on."""
        if not 0 <= length <= self.length:
            raise ValueError(f"{self.length} positions cannot be cut to {length}")
        self.length = length


class Llama:
    """A LLaMA for writing text. It keeps copies of the weights (of the embedding only if that is the head, too).

    `layout`: one of LAYOUTS, or "fastest", which times them. Each gives the same numbers but for the last digits, so
    what has to come out the same on every machine uses a fixed one.
    """

    def __init__(self, config: Config, weights: Mapping[str, Any], layout: str = "rows") -> None:
        self.config = config
        D, F, d = config.dim, config.hidden, config.head_dim
        H, K = config.heads, config.kv_heads
        shapes = [((H + 2 * K) * d, D), (D, H * d), (2 * F, D), (D, F)]  # (outputs, inputs)
        self.layout = self.chosen(layout, shapes)
        self.keep(weights, shapes)
        self.norm = np.array(weights["norm"], np.float32)
        self.make_turns(0)
        self.later = np.triu(np.full((CHUNK, CHUNK), -np.inf, np.float32), 1)  # added to scores of later positions
        # Where one token's numbers go.
        self.x, self.h, self.added = (np.empty(D, np.float32) for _ in range(3))
        self.attended = np.empty((K, H // K, d), np.float32)
        self.qkv = np.empty((H + 2 * K) * d, np.float32)
        self.gu, self.silu = np.empty(2 * F, np.float32), np.empty(F, np.float32)
        self.sqrt_D, self.D_eps = float(D**0.5), float(D * config.eps)

    def chosen(self, layout: str, shapes: Sequence[tuple[int, int]]) -> Layout:
        config = self.config
        size = 4 * (config.layers * sum(rows * columns for rows, columns in shapes) + config.vocab * config.dim)
        if layout == FASTEST and size > IN_CACHE:
            return fastest([*shapes, (config.vocab, config.dim)], [*[config.layers] * len(shapes), 1])
        # Where all weights stay in a core's cache, reading is not what takes the time.
        return fixed("rows-blas" if size <= IN_CACHE and layout in (FASTEST, "rows") else layout)

    def keep(self, weights: Mapping[str, Any], shapes: Sequence[tuple[int, int]]) -> None:
        """Copy the weights of each block, in these shapes, and of the head into one array, in the order of the layout."""
        config = self.config
        in_columns = self.layout.name == "columns"
        self.product = LAYOUTS[self.layout.name]

        def lying(shape: tuple[int, int]) -> tuple[int, int]:
            return shape[::-1] if in_columns else shape

        laid = [lying(shape) for shape in shapes]
        self.memory, place = room_for([*laid * config.layers, lying((config.vocab, config.dim))])
        self.blocks = [tuple(map(place, laid)) for _ in range(config.layers)]
        self.head = place(lying((config.vocab, config.dim)))
        # The same as (outputs, inputs) and as (inputs, outputs): the one is a view of the other until `want` copies it.
        turned = [tuple(W.T for W in block) for block in self.blocks]
        self.rows, self.columns = (turned, list(self.blocks)) if in_columns else (list(self.blocks), turned)
        self.rows_head, self.columns_head = (self.head.T, self.head) if in_columns else (self.head, self.head.T)
        self.other: Array | None = None  # the memory of the second copy
        # The largest first, while the others are still room that nobody touched.
        lay(weights["head"] if in_columns else weights["head"].T, self.head)
        made = [np.empty(shape, np.float32) for shape in shapes] if in_columns else []
        for block, places in zip(weights["blocks"], self.blocks, strict=True):
            self.fill(block, *made or places)
            for W, place_of_W in zip(made, places if in_columns else (), strict=True):
                lay(W.T, place_of_W)
        self.embed = self.rows_head if config.tied else np.asarray(weights["embed"], np.float32)

    def fill(self, block: Mapping[str, Any], Wqkv: Array, Wo: Array, Wgu: Array, Wd: Array) -> None:
        """The weights of a block as (outputs, inputs), with the gains of the norms and the 1/√d in them."""
        H, K, d, F = self.config.heads, self.config.kv_heads, self.config.head_dim, self.config.hidden
        gain = np.asarray(block["attn_norm"], np.float32)
        np.multiply(block["Wq"].T, gain / np.float32(d**0.5), out=Wqkv[: H * d])
        np.multiply(block["Wk"].T, gain, out=Wqkv[H * d : (H + K) * d])
        np.multiply(block["Wv"].T, gain, out=Wqkv[(H + K) * d :])
        Wo[:] = block["Wo"].T
        gain = np.asarray(block["mlp_norm"], np.float32)
        np.multiply(block["Wg"].T, -gain, out=Wgu[:F])  # -gate: SiLU needs exp(-gate) …
        np.multiply(block["Wu"].T, -gain, out=Wgu[F:])  # … and the other minus takes the sign away again
        Wd[:] = block["Wd"].T

    def want(self, together: int) -> None:
        """Have the weights in the order in which so many x are best multiplied. Where it is the other one: a copy."""
        order = self.layout.several if together <= SEVERAL else "columns"
        blocks = self.rows if order == "rows" else self.columns
        if together == 1 or self.other is not None or blocks[0][0].flags.c_contiguous:
            return
        head = self.rows_head if order == "rows" else self.columns_head
        self.other, place = room_for([W.shape for block in [*blocks, (head,)] for W in block])
        blocks[:] = [tuple(lay(W, place(W.shape)) for W in block) for block in blocks]
        head = lay(head, place(head.shape))
        if order == "rows":
            self.rows_head = head
        else:
            self.columns_head = head

    def make_turns(self, positions: int) -> None:
        """One complex number for each position and pair of a head: to multiply by it is to turn by its angle."""
        config = self.config
        d, most = config.head_dim, min(max(FIRST_TURNS, 2 * positions), config.max_len)
        angles = np.outer(np.arange(most), frequencies(d, config.rope_base, config.rope_factors))
        self.turns = np.exp(1j * angles).astype(np.complex64)

    # ---- one text ----

    def prefill(self, ids: Sequence[int] | Array, cache: Cache | None = None) -> tuple[Array, Cache]:
        """Read the ids, after what is in the cache. The logits (V,) of what comes next, and the cache."""
        if cache is None:
            cache = Cache(self.config, max(FIRST_ROOM, len(ids)))
        return self.prefill_batch([ids], [cache])[0][0], cache

    def step(self, id: int, cache: Cache) -> Array:
        """Read one id more, and the logits (V,) of what comes next."""
        config, position = self.config, cache.length
        if not 0 <= id < config.vocab:
            raise ValueError(f"id {id}: the vocabulary has {config.vocab}")
        cache.reserve(position + 1)
        if position >= len(self.turns):
            self.make_turns(position + 1)
        H, K, d, F = config.heads, config.kv_heads, config.head_dim, config.hidden
        x, h, added, qkv, gu, silu, attended = self.x, self.h, self.added, self.qkv, self.gu, self.silu, self.attended
        product, exp, multiply, add, divide, matmul = self.product, np.exp, np.multiply, np.add, np.divide, np.matmul
        largest, sqrt_D, D_eps = np.maximum.reduce, self.sqrt_D, self.D_eps
        rotated = qkv[: (H + K) * d].view(np.complex64).reshape(H + K, d // 2)
        q, k, v = qkv[: H * d].reshape(K, H // K, d), qkv[H * d : (H + K) * d].reshape(K, d), qkv[(H + K) * d :]
        v = v.reshape(K, d)
        minus_gate, minus_up = gu[:F], gu[F:]
        attended_flat = attended.reshape(-1)
        turn = self.turns[position]
        keys, values = cache.keys[..., : position + 1], cache.values[:, :, : position + 1]
        new_keys, new_values = cache.keys[..., position], cache.values[:, :, position, :d]
        x[:] = self.embed[id]
        with np.errstate(over="ignore"):  # exp(-gate) may be infinite; divided by it, the gate is 0, as it should be
            for layer, (Wqkv, Wo, Wgu, Wd) in enumerate(self.blocks):
                multiply(x, sqrt_D / (float(x.dot(x)) + D_eps) ** 0.5, out=h)
                product(Wqkv, h, out=qkv)
                multiply(rotated, turn, out=rotated)
                new_keys[layer] = k
                new_values[layer] = v
                scores = matmul(q, keys[layer])  # (K, H/K, T)
                scores -= largest(scores, axis=2, keepdims=True)
                exp(scores, out=scores)
                summed = matmul(scores, values[layer])  # (K, H/K, d + 1)
                divide(summed[..., :d], summed[..., d:], out=attended)
                product(Wo, attended_flat, out=added)
                add(x, added, out=x)
                multiply(x, sqrt_D / (float(x.dot(x)) + D_eps) ** 0.5, out=h)
                product(Wgu, h, out=gu)
                exp(minus_gate, out=silu)
                silu += 1
                divide(minus_gate, silu, out=silu)
                multiply(silu, minus_up, out=silu)
                product(Wd, silu, out=added)
                add(x, added, out=x)
        cache.length += 1
        multiply(x, sqrt_D / (float(x.dot(x)) + D_eps) ** 0.5, out=h)
        multiply(h, self.norm, out=h)
        return product(self.head, h)

    # ---- several texts ----

    def prefill_batch(
        self, prompts: Sequence[Sequence[int] | Array], caches: Sequence[Cache] | None = None
    ) -> tuple[Array, list[Cache]]:
        """Read a prompt for each text, of any lengths. The logits (B, V) of what comes next in each, and their caches."""
        prompts = [self.checked(ids) for ids in prompts]
        if not all(map(len, prompts)):
            raise ValueError("a prompt needs at least one id")
        if caches is None:
            caches = [Cache(self.config, max(FIRST_ROOM, len(ids))) for ids in prompts]
        self.make_room(list(map(len, prompts)), caches)
        x = np.empty((len(prompts), self.config.dim), np.float32)
        size = max(1, CHUNK // len(prompts))
        for start in range(0, max(map(len, prompts)), size):
            rows = [row for row, ids in enumerate(prompts) if start < len(ids)]
            x[rows] = self.read([prompts[row][start : start + size] for row in rows], [caches[row] for row in rows])
        return self.logits(x), list(caches)

    def step_batch(self, ids: Sequence[int] | Array, caches: Sequence[Cache]) -> Array:
        """One id more for each text: the weights are read once for all of them. The logits are (B, V)."""
        ids = self.checked(ids)
        self.make_room([1] * len(ids), caches)
        self.want(len(ids))
        return self.logits(self.read(list(ids[:, None]), caches))

    def look(self, ids: Sequence[int] | Array, cache: Cache) -> Array:
        """Read some ids together, after what is in the cache. The logits (T, V) of what comes after each of them."""
        ids = self.checked(ids)
        self.make_room([len(ids)], [cache])
        self.want(len(ids))
        return self.logits(self.read([ids], [cache], every=True))

    def logits(self, x: Array) -> Array:
        return self.times(self.normed(x) * self.norm, self.rows_head, self.columns_head)

    def make_room(self, lengths: Sequence[int], caches: Sequence[Cache]) -> None:
        if len(lengths) != len(caches):
            raise ValueError(f"ids for {len(lengths)} texts, and {len(caches)} caches")
        if len({id(cache) for cache in caches}) < len(caches):
            raise ValueError("two texts have the same cache")
        for length, cache in zip(lengths, caches, strict=True):
            cache.reserve(cache.length + length)
            if cache.length + length > len(self.turns):
                self.make_turns(cache.length + length)

    def checked(self, ids: Sequence[int] | Array) -> Array:
        ids = np.asarray(ids, np.int64).reshape(-1)
        if len(ids) and not 0 <= ids.min() <= ids.max() < self.config.vocab:
            raise ValueError(f"ids from {ids.min()} to {ids.max()}: the vocabulary has {self.config.vocab}")
        return ids

    def normed(self, x: Array) -> Array:
        """RMSNorm of each row, without its gain."""
        squares = np.einsum("td,td->t", x, x)
        return x * (self.sqrt_D / np.sqrt(squares + np.float32(self.D_eps)))[:, None]

    def gated(self, gu: Array) -> Array:
        """SiLU(gate) × up, from -gate and -up side by side."""
        F = self.config.hidden
        silu = np.empty((len(gu), F), np.float32)
        with np.errstate(over="ignore"):
            np.exp(gu[:, :F], out=silu)
        silu += 1
        np.divide(gu[:, :F], silu, out=silu)
        silu *= gu[:, F:]
        return silu

    def times(self, x: Array, rows: Array, columns: Array) -> Array:
        """x @ W, where W is there as (outputs, inputs) and as (inputs, outputs)."""
        if len(x) == 1:
            return self.product(columns if self.layout.name == "columns" else rows, x[0])[None]
        if len(x) <= SEVERAL and self.layout.several == "rows" and rows.flags.c_contiguous:
            return few(x, rows)
        return x @ columns

    def read(self, pieces: Sequence[Array], caches: Sequence[Cache], every: bool = False) -> Array:
        """New ids of each text, all in the rows of one matrix. The stream (texts, D) at the last id of each, or at all."""
        H, K, d = self.config.heads, self.config.kv_heads, self.config.head_dim
        n = H // K
        ends = np.cumsum([len(ids) for ids in pieces])
        spans = [(end - len(ids), end, cache) for ids, end, cache in zip(pieces, ends.tolist(), caches, strict=True)]
        positions = [np.arange(cache.length, cache.length + stop - start) for start, stop, cache in spans]
        turns = self.turns[np.concatenate(positions)][:, None]
        x = self.embed[np.concatenate(pieces)]
        for layer, (rows_of, columns_of) in enumerate(zip(self.rows, self.columns, strict=True)):
            Wqkv, Wo, Wgu, Wd = zip(rows_of, columns_of, strict=True)
            qkv = self.times(self.normed(x), *Wqkv)
            rotated = qkv.view(np.complex64)[:, : (H + K) * d // 2].reshape(len(x), H + K, d // 2)
            np.multiply(rotated, turns, out=rotated)
            only_last = not every and layer == len(self.blocks) - 1  # of it, no more than the last id is asked for
            if only_last:
                x = x[ends - 1]
            attended = np.empty((len(x), H * d), np.float32)
            for row, (start, stop, cache) in enumerate(spans):
                P, T = cache.length, stop - start
                cache.keys[layer, :, :, P : P + T] = (
                    qkv[start:stop, H * d : (H + K) * d].reshape(T, K, d).transpose(1, 2, 0)
                )
                cache.values[layer, :, P : P + T, :d] = (
                    qkv[start:stop, (H + K) * d :].reshape(T, K, d).transpose(1, 0, 2)
                )
                first = stop - 1 if only_last else start
                rows = stop - first
                q = qkv[first:stop, : H * d].reshape(rows, K, n, d).transpose(1, 2, 0, 3).reshape(K, n * rows, d)
                scores = q @ cache.keys[layer, :, :, : P + T]  # (K, n × rows, P + T)
                if rows > 1:
                    scores.reshape(K, n, rows, P + T)[..., P:] += self.later[:T, :T]
                scores -= np.maximum.reduce(scores, axis=2, keepdims=True)
                np.exp(scores, out=scores)
                summed = scores @ cache.values[layer, :, : P + T]
                heads = (summed[..., :d] / summed[..., d:]).reshape(K, n, rows, d).transpose(2, 0, 1, 3)
                at = row if only_last else start
                attended[at : at + rows] = heads.reshape(rows, H * d)
            x = x + self.times(attended, *Wo)
            x += self.times(self.gated(self.times(self.normed(x), *Wgu)), *Wd)
        for start, stop, cache in spans:
            cache.length += stop - start
        return x


# --------------------------------------------------------------------------------------------------------------------
# Writing
# --------------------------------------------------------------------------------------------------------------------


def sample(
    logits: Array,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    rng: np.random.Generator | None = None,
) -> int:
    """Draw an id, as `sample` in generation.py does, and the same one, without sorting the whole vocabulary.

    What is drawn is nearly always among the likeliest few. Only where it is not, all are sorted.
    """
    if temperature == 0:
        return int(np.argmax(logits))
    assert rng is not None, "chance needs a source"
    temperature = min(max(temperature, 1e-30), 1e30)  # what float32 can hold
    p = np.exp((logits - logits.max()) / temperature)  # (V,), not yet divided by its sum
    most = len(p) if top_k is None else min(top_k, len(p))
    whole = float(p.sum(dtype=np.float64))
    u = None
    for count in (most,) if top_k is not None or most <= FEW else (FEW, most):
        ids = likeliest(p, count)
        mass = np.cumsum(p[ids], dtype=np.float64)
        total = float(mass[-1]) if count == most else whole
        if top_p is not None:
            if count < most and mass[-1] < top_p * total:
                continue
            kept = min(int(np.searchsorted(mass, top_p * total)) + 1, count)  # the one that reaches top_p stays
            ids, mass, total = ids[:kept], mass[:kept], float(mass[kept - 1])
        u = rng.random() if u is None else u
        if u * total < mass[-1] or count == most:
            return int(ids[min(int(np.searchsorted(mass, u * total, side="right")), len(ids) - 1)])
    raise AssertionError("the last round is with all ids")


def likeliest(p: Array, few: int) -> Array:
    """The ids of the `few` largest numbers, the largest first; of equal ones the lowest id first."""
    if few < len(p):
        least = np.partition(p, len(p) - few)[len(p) - few]
        ids = np.flatnonzero(p >= least)
        ids = ids[np.argsort(-p[ids], kind="stable")]
        return ids[:few]
    return np.argsort(-p, kind="stable")


class Reader:
    """The logits of what comes after some ids. What it has read before, it does not read again.

        next_logits = Reader(model)
        generate(next_logits, prompt, choose, max_new, end)          `generate` of the notebook generation

    Where the ids are more than the model was made for, it sees the last ones: at least half of what it can.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.ids: list[int] = []  # what is in the cache
        self.cache: Any = None

    def seen(self, ids: Sequence[int]) -> list[int]:
        """The ids that the model sees: all of them, or the last ones."""
        longest = self.model.config.max_len
        window = longest - longest // 2  # it goes on by so many at a time: then the cache serves for as many steps
        return list(ids)[max(0, -(-(len(ids) - longest) // window)) * window :]

    def __call__(self, ids: Sequence[int]) -> Array:
        ids = self.seen(ids)
        if self.cache is not None and self.cache.length > len(self.ids):
            self.cache.truncate(len(self.ids))  # it was interrupted in the middle
        if self.cache is not None and ids[:-1] == self.ids:
            logits = self.model.step(ids[-1], self.cache)
        else:
            same = next((at for at, (a, b) in enumerate(zip(ids, self.ids, strict=False)) if a != b), len(self.ids))
            same = min(same, len(ids) - 1)
            if self.cache is not None:
                self.cache.truncate(same)
            self.ids = ids[:same]
            logits, self.cache = self.model.prefill(ids[same:], self.cache)
        self.ids = ids
        return logits
