"""Wrong solutions of the chapter on LLaMA by name, and right ones that look different.

Each entry runs as if it were typed into the notebook in place of the exercise: it sees the notebook's names.
"""

import numpy as np

from autograder.bank import right, wrong

# ---- parts


@wrong("rms_norm", says="mean was subtracted")
def rms_as_layer_norm(x, gain, eps=1e-5):
    """LayerNorm without its bias: the mean goes first."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    centred = wide - wide.mean(axis=-1, keepdims=True)
    return (centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="standard deviation")
def rms_by_standard_deviation(x, gain, eps=1e-5):
    """np.var takes the mean out, though x itself keeps it."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / np.sqrt(wide.var(axis=-1, keepdims=True) + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="outside the root")
def rms_eps_outside(x, gain, eps=1e-5):
    """eps is added to the root, as it often is elsewhere."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / (np.sqrt(np.mean(wide**2, axis=-1, keepdims=True)) + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="squares overflow")
def rms_overflows_in_float16(x, gain, eps=1e-5):
    """float16 is squared as it is: 300 * 300 is infinite, and the token becomes zero."""
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return (x / np.sqrt(mean_square + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="squares overflow")
def rms_cast_after_squaring(x, gain, eps=1e-5):
    """The cast to float32 comes one step too late."""
    mean_square = np.mean((x * x).astype(np.float64), axis=-1, keepdims=True)
    return (x / np.sqrt(mean_square + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="sum of squares")
def rms_by_the_length(x, gain, eps=1e-5):
    """Divides by the length of the vector."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / np.sqrt(np.sum(wide**2, axis=-1, keepdims=True) + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="root is missing")
def rms_without_root(x, gain, eps=1e-5):
    """Divides by the mean square itself."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / (np.mean(wide**2, axis=-1, keepdims=True) + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="whole array")
def rms_over_everything(x, gain, eps=1e-5):
    """One size for all tokens: a long text changes each token's numbers."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / np.sqrt(np.mean(wide**2) + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="keepdims")
def rms_without_keepdims(x, gain, eps=1e-5):
    """The mean loses its axis."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / np.sqrt(np.mean(wide**2, axis=-1) + eps) * gain).astype(x.dtype)


@wrong("rms_norm", says="gain is missing")
def rms_without_gain(x, gain, eps=1e-5):
    """The learnt gain is left out."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / np.sqrt(np.mean(wide**2, axis=-1, keepdims=True) + eps)).astype(x.dtype)


@wrong("rms_norm", says="1 was added to the gain")
def rms_with_one_plus_gain(x, gain, eps=1e-5):
    """Gemma stores the gain less 1; LLaMA does not."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / np.sqrt(np.mean(wide**2, axis=-1, keepdims=True) + eps) * (1 + gain)).astype(x.dtype)


@wrong("rms_norm", says="eps is always 1e-5")
def rms_hard_coded_eps(x, gain, eps=1e-5):
    """The argument is not used."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return (wide / np.sqrt(np.mean(wide**2, axis=-1, keepdims=True) + 1e-5) * gain).astype(x.dtype)


@wrong("rms_norm", says="dtype of x")
def rms_answers_in_float64(x, gain, eps=1e-5):
    """Right numbers in float64: everything after it is float64 too, and slow."""
    wide = x.astype(np.float64)
    return wide / np.sqrt(np.mean(wide**2, axis=-1, keepdims=True) + eps) * gain


@wrong("rms_norm", says="single precision only")
def rms_always_in_float32(x, gain, eps=1e-5):
    """float64 goes through float32, and nine of its digits are lost."""
    wide = x.astype(np.float32)
    size = np.sqrt(np.mean(wide**2, axis=-1, keepdims=True) + np.float32(eps))
    return (wide / size * gain).astype(x.dtype)


@right("rms_norm")
def rms_by_einsum(x, gain, eps=1e-5):
    """The mean square as a dot product of each token with itself, always in float64 inside."""
    wide = np.asarray(x, dtype=np.float64)
    mean_square = np.einsum("...i,...i->...", wide, wide) / x.shape[-1]
    return (wide * (mean_square + eps)[..., None] ** -0.5 * gain).astype(x.dtype)


@right("rms_norm")
def rms_by_linalg_norm(x, gain, eps=1e-5):
    """The length of the vector, over the root of its width; the cast before the gain, as Hugging Face does."""
    wide = x.astype(np.result_type(x.dtype, np.float32))
    mean_square = np.linalg.norm(wide, axis=-1, keepdims=True) ** 2 / wide.shape[-1]
    return ((wide / np.sqrt(mean_square + eps)).astype(x.dtype) * gain).astype(x.dtype)


@wrong("rope_tables", says="exponent is -i/d")
def tables_with_half_the_exponent(d, T, base=10000.0):
    """arange(d/2) in place of arange(0, d, 2): the slow pairs are a hundred times too fast."""
    angles = np.outer(np.arange(T), float(base) ** (-np.arange(d // 2) / d))
    return np.cos(angles), np.sin(angles)


@wrong("rope_tables", says="speeds grow")
def tables_growing(d, T, base=10000.0):
    """The minus in the exponent is missing."""
    angles = np.outer(np.arange(T), float(base) ** (np.arange(0, d, 2) / d))
    return np.cos(angles), np.sin(angles)


@wrong("rope_tables", says="every angle twice")
def tables_of_full_width(d, T, base=10000.0):
    """One column for each number, as Hugging Face keeps them for its half layout."""
    angles = np.outer(np.arange(T), float(base) ** (-np.arange(0, d, 2) / d))
    angles = np.concatenate([angles, angles], axis=-1)
    return np.cos(angles), np.sin(angles)


@wrong("rope_tables", says="start at 1")
def tables_from_place_one(d, T, base=10000.0):
    """Places 1 to T."""
    angles = np.outer(np.arange(1, T + 1), float(base) ** (-np.arange(0, d, 2) / d))
    return np.cos(angles), np.sin(angles)


@wrong("rope_tables", says="base is always 10000")
def tables_with_fixed_base(d, T, base=10000.0):
    """The argument is not used."""
    angles = np.outer(np.arange(T), 10000.0 ** (-np.arange(0, d, 2) / d))
    return np.cos(angles), np.sin(angles)


@wrong("rope_tables", says="swapped")
def tables_sine_first(d, T, base=10000.0):
    """The sine comes first, as in sinusoidal positions."""
    angles = np.outer(np.arange(T), float(base) ** (-np.arange(0, d, 2) / d))
    return np.sin(angles), np.cos(angles)


@wrong("rope_tables", says="float64")
def tables_in_float32(d, T, base=10000.0):
    """The angles in float32: at far places they are off by a thousandth and more."""
    speeds = np.float32(base) ** (-np.arange(0, d, 2, dtype=np.float32) / np.float32(d))
    angles = np.outer(np.arange(T, dtype=np.float32), speeds)
    return np.cos(angles), np.sin(angles)


@wrong("rope_tables", says="transposed")
def tables_transposed(d, T, base=10000.0):
    """A row for each pair."""
    angles = np.outer(float(base) ** (-np.arange(0, d, 2) / d), np.arange(T))
    return np.cos(angles), np.sin(angles)


@wrong("rope_tables", says="divisor is d, not d - 2")
def tables_down_to_one_over_base(d, T, base=10000.0):
    """A linspace that includes its end."""
    angles = np.outer(np.arange(T), float(base) ** -np.linspace(0, 1, d // 2))
    return np.cos(angles), np.sin(angles)


@wrong("rope_tables", says="an error")
def tables_of_whole_numbers(d, T, base=10000.0):
    """A whole base to a negative whole power is refused by NumPy: the base must be a float."""
    speeds = np.array([int(base) ** -np.arange(0, d, 2)]) / d
    angles = np.arange(T)[:, None] * speeds
    return np.cos(angles), np.sin(angles)


@right("rope_tables")
def tables_by_complex_power(d, T, base=10000.0):
    """A unit complex number for each place and pair."""
    speeds = np.exp(-np.log(base) * np.arange(d // 2) / (d // 2))
    turns = np.exp(1j * np.arange(T)[:, None] * speeds)
    return turns.real, turns.imag


@right("rope_tables")
def tables_by_loops(d, T, base=10000.0):
    """One number at a time."""
    cos, sin = np.empty((T, d // 2)), np.empty((T, d // 2))
    for t in range(T):
        for i in range(d // 2):
            angle = t / base ** (2 * i / d)
            cos[t, i], sin[t, i] = np.cos(angle), np.sin(angle)
    return cos, sin


@wrong("apply_rope", says="positions is ignored")
def rope_counts_from_zero(x, cos, sin, positions, layout="interleaved"):
    """The rows 0 … T-1 of the tables, wherever the tokens stand: wrong as soon as there is a cache."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    T, half = x.shape[-2], x.shape[-1] // 2
    c, s = cos[:T], sin[:T]
    first, second = np.s_[0::2, 1::2] if layout == "interleaved" else np.s_[:half, half:]
    out = np.empty_like(x)
    out[..., first] = x[..., first] * c - x[..., second] * s
    out[..., second] = x[..., first] * s + x[..., second] * c
    return out


@wrong("apply_rope", says="layout is ignored")
def rope_always_interleaved(x, cos, sin, positions, layout="interleaved"):
    """The word is checked and not followed."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    c, s = cos[positions], sin[positions]
    out = np.empty_like(x)
    out[..., 0::2] = x[..., 0::2] * c - x[..., 1::2] * s
    out[..., 1::2] = x[..., 0::2] * s + x[..., 1::2] * c
    return out


@wrong("apply_rope", says="other layout, 'half'")
def rope_layouts_exchanged(x, cos, sin, positions, layout="interleaved"):
    """Each word does what the other one should."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    first, second = np.s_[0::2, 1::2] if layout == "half" else np.s_[:half, half:]
    out = np.empty_like(x)
    out[..., first] = x[..., first] * c - x[..., second] * s
    out[..., second] = x[..., first] * s + x[..., second] * c
    return out


@wrong("apply_rope", says="put down in the other layout's order")
def rope_concatenates(x, cos, sin, positions, layout="interleaved"):
    """Neighbours are turned, and then all first numbers stand before all second ones."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    a, b = (x[..., 0::2], x[..., 1::2]) if layout == "interleaved" else (x[..., :half], x[..., half:])
    return np.concatenate([a * c - b * s, a * s + b * c], axis=-1).astype(x.dtype)


@wrong("apply_rope", says="turn backwards")
def rope_backwards(x, cos, sin, positions, layout="interleaved"):
    """The minus stands in the second number. The scores are the same; the cache of another program is not."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    first, second = np.s_[0::2, 1::2] if layout == "interleaved" else np.s_[:half, half:]
    out = np.empty_like(x)
    out[..., first] = x[..., first] * c + x[..., second] * s
    out[..., second] = x[..., second] * c - x[..., first] * s
    return out


@wrong("apply_rope", says="computed from the new first number")
def rope_overwrites(x, cos, sin, positions, layout="interleaved"):
    """In place: the second number is computed from a first one that has been turned already."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    first, second = np.s_[0::2, 1::2] if layout == "interleaved" else np.s_[:half, half:]
    out = x.copy()
    out[..., first] = out[..., first] * c - out[..., second] * s
    out[..., second] = out[..., first] * s + out[..., second] * c
    return out


@wrong("apply_rope", says="minus is missing")
def rope_without_minus(x, cos, sin, positions, layout="interleaved"):
    """rotate_half without its minus."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    first, second = np.s_[0::2, 1::2] if layout == "interleaved" else np.s_[:half, half:]
    out = np.empty_like(x)
    out[..., first] = x[..., first] * c + x[..., second] * s
    out[..., second] = x[..., first] * s + x[..., second] * c
    return out


@wrong("apply_rope", says="angles are spread over the numbers as in the other layout")
def rope_angles_of_the_other_layout(x, cos, sin, positions, layout="interleaved"):
    """Neighbours are paired, but their angles are laid out twice over, as for halves."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    if layout == "half":
        c, s = np.repeat(c, 2, axis=-1), np.repeat(s, 2, axis=-1)
        partner = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
    else:
        c, s = np.concatenate([c, c], axis=-1), np.concatenate([s, s], axis=-1)
        partner = np.stack([-x[..., 1::2], x[..., 0::2]], axis=-1).reshape(x.shape)
    return (x * c + partner * s).astype(x.dtype)


@wrong("apply_rope", says="nothing was turned")
def rope_does_nothing(x, cos, sin, positions, layout="interleaved"):
    """The turned numbers are made and dropped: the input comes back."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    return x


@wrong("apply_rope", says="only the cosine")
def rope_cosine_only(x, cos, sin, positions, layout="interleaved"):
    """Each number is scaled by the cosine: differences of places do matter, but lengths shrink."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    c = cos[positions]
    spread = np.repeat(c, 2, axis=-1) if layout == "interleaved" else np.concatenate([c, c], axis=-1)
    return (x * spread).astype(x.dtype)


@wrong("apply_rope", says="float64 tables")
def rope_answers_in_float64(x, cos, sin, positions, layout="interleaved"):
    """float32 times a float64 table is float64."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    if layout == "half":
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * c - b * s, a * s + b * c], axis=-1)
    a, b = x[..., 0::2], x[..., 1::2]
    return np.stack([a * c - b * s, a * s + b * c], axis=-1).reshape(x.shape)


@wrong("apply_rope", says="neither of the two words")
def rope_takes_any_word(x, cos, sin, positions, layout="interleaved"):
    """Whatever is not interleaved is taken for half: a misspelt word turns the wrong pairs."""
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    first, second = np.s_[0::2, 1::2] if layout == "interleaved" else np.s_[:half, half:]
    out = np.empty_like(x)
    out[..., first] = x[..., first] * c - x[..., second] * s
    out[..., second] = x[..., first] * s + x[..., second] * c
    return out


@wrong("apply_rope", says="heads were taken for tokens")
def rope_places_on_the_heads(x, cos, sin, positions, layout="interleaved"):
    """The tables are laid along the axis of the heads, as for arrays of (B, T, H, d)."""
    if layout not in ("interleaved", "half"):
        raise ValueError(layout)
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    if x.ndim > 2 and positions.ndim == 1:
        c, s = c[:, None, :], s[:, None, :]
    first, second = np.s_[0::2, 1::2] if layout == "interleaved" else np.s_[:half, half:]
    out = np.empty_like(x)
    out[..., first] = x[..., first] * c - x[..., second] * s
    out[..., second] = x[..., first] * s + x[..., second] * c
    return out


@right("apply_rope")
def rope_by_complex_numbers(x, cos, sin, positions, layout="interleaved"):
    """A pair is a complex number, a turn is a product."""
    turn = (cos + 1j * sin)[positions]
    if layout == "interleaved":
        pairs = (x[..., 0::2] + 1j * x[..., 1::2]) * turn
        out = np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)
    elif layout == "half":
        a, b = np.split(x, 2, axis=-1)
        pairs = (a + 1j * b) * turn
        out = np.concatenate([pairs.real, pairs.imag], axis=-1)
    else:
        raise ValueError(f"no such layout: {layout}")
    return out.astype(x.dtype)


@right("apply_rope")
def rope_by_partners(x, cos, sin, positions, layout="interleaved"):
    """x cos + partner sin, with every angle written twice."""
    half = x.shape[-1] // 2
    c, s = cos[positions], sin[positions]
    match layout:
        case "interleaved":
            c, s = np.repeat(c, 2, axis=-1), np.repeat(s, 2, axis=-1)
            partner = np.empty_like(x)
            partner[..., 0::2], partner[..., 1::2] = -x[..., 1::2], x[..., 0::2]
        case "half":
            c, s = np.concatenate([c, c], axis=-1), np.concatenate([s, s], axis=-1)
            partner = np.concatenate([-x[..., half:], x[..., :half]], axis=-1)
        case _:
            raise ValueError("layout")
    return x * c.astype(x.dtype) + partner * s.astype(x.dtype)


@right("apply_rope")
def rope_by_matrices(x, cos, sin, positions, layout="interleaved"):
    """A 2 x 2 matrix for each place and pair."""
    if layout not in {"interleaved", "half"}:
        raise ValueError(layout)
    c, s = cos[positions], sin[positions]
    matrix = np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2)
    *lead, d = x.shape
    pairs = x.reshape(*lead, d // 2, 2) if layout == "interleaved" else np.moveaxis(x.reshape(*lead, 2, d // 2), -2, -1)
    turned = (matrix @ pairs[..., None])[..., 0]
    if layout == "half":
        turned = np.moveaxis(turned, -1, -2)
    return turned.reshape(x.shape).astype(x.dtype)


@wrong("convert_rope_layout", says="other direction")
def convert_in_the_other_direction(W, heads, to="half"):
    """The inverse. For a head width of 4 the two are the same, so a small test does not notice."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    half = W.shape[-1] // heads // 2
    inside = (2, half) if to == "half" else (half, 2)
    return W.reshape(*W.shape[:-1], heads, *inside).swapaxes(-1, -2).reshape(W.shape)


@wrong("convert_rope_layout", says="other direction")
def convert_always_to_half(W, heads, to="half"):
    """The direction is checked and not followed."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    half = W.shape[-1] // heads // 2
    return W.reshape(*W.shape[:-1], heads, half, 2).swapaxes(-1, -2).reshape(W.shape)


@wrong("convert_rope_layout", says="over the whole width")
def convert_across_heads(W, heads, to="half"):
    """All even columns, then all odd ones: heads exchange their columns."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    half = W.shape[-1] // 2
    inside = (half, 2) if to == "half" else (2, half)
    return W.reshape(*W.shape[:-1], *inside).swapaxes(-1, -2).reshape(W.shape)


@wrong("convert_rope_layout", says="rows were moved")
def convert_rows(W, heads, to="half"):
    """As Hugging Face's own script does it, whose matrices are (out, in)."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    if W.ndim == 1 or W.shape[-2] % (2 * heads):
        half = W.shape[-1] // heads // 2
        inside = (half, 2) if to == "half" else (2, half)
        return W.reshape(*W.shape[:-1], heads, *inside).swapaxes(-1, -2).reshape(W.shape)
    half = W.shape[-2] // heads // 2
    inside = (half, 2) if to == "half" else (2, half)
    return W.reshape(*W.shape[:-2], heads, *inside, W.shape[-1]).swapaxes(-2, -3).reshape(W.shape)


@wrong("convert_rope_layout", says="head width taken from the last axis")
def convert_with_the_width_of_the_queries(W, heads, to="half"):
    """d = D / heads: right for the queries; keys have fewer heads, and their columns are too few."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    D = W.shape[0]
    half = D // heads // 2
    inside = (half, 2) if to == "half" else (2, half)
    return W.reshape(D, heads, *inside).swapaxes(-1, -2).reshape(W.shape)


@wrong("convert_rope_layout", says="over the whole width")
def convert_collects_halves(W, heads, to="half"):
    """The halves of all heads side by side: the swap goes past the axis of the heads."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    half = W.shape[-1] // heads // 2
    if to == "interleaved":
        return W.reshape(*W.shape[:-1], heads, 2, half).swapaxes(-1, -2).reshape(W.shape)
    pairs = W.reshape(*W.shape[:-1], heads, half, 2)
    return np.moveaxis(pairs, -1, -3).reshape(W.shape)


@wrong("convert_rope_layout", says="halves of each head were swapped")
def convert_swaps_halves(W, heads, to="half"):
    """As rotate_half does, without its minus."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    half = W.shape[-1] // heads // 2
    return W.reshape(*W.shape[:-1], heads, 2, half)[..., ::-1, :].reshape(W.shape)


@wrong("convert_rope_layout", says="second numbers of the pairs came first")
def convert_odd_first(W, heads, to="half"):
    """The odd columns before the even ones."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    d = W.shape[-1] // heads
    each = W.reshape(*W.shape[:-1], heads, d)
    if to == "half":
        return np.concatenate([each[..., 1::2], each[..., 0::2]], axis=-1).reshape(W.shape)
    return np.stack([each[..., d // 2 :], each[..., : d // 2]], axis=-1).reshape(W.shape)


@wrong("convert_rope_layout", says="nothing was moved")
def convert_forgets_the_swap(W, heads, to="half"):
    """Two reshapes that undo each other."""
    if to not in ("half", "interleaved"):
        raise ValueError(to)
    half = W.shape[-1] // heads // 2
    return W.reshape(*W.shape[:-1], heads, half, 2).reshape(W.shape)


@wrong("convert_rope_layout", says="neither of the two words")
def convert_takes_any_word(W, heads, to="half"):
    """Whatever is not half is taken for interleaved."""
    half = W.shape[-1] // heads // 2
    inside = (half, 2) if to == "half" else (2, half)
    return W.reshape(*W.shape[:-1], heads, *inside).swapaxes(-1, -2).reshape(W.shape)


@right("convert_rope_layout")
def convert_by_slices(W, heads, to="half"):
    """Even and odd columns, head by head."""
    parts = []
    for each in np.split(W, heads, axis=-1):
        d = each.shape[-1]
        if to == "half":
            parts += [each[..., 0::2], each[..., 1::2]]
        elif to == "interleaved":
            mixed = np.empty_like(each)
            mixed[..., 0::2], mixed[..., 1::2] = each[..., : d // 2], each[..., d // 2 :]
            parts.append(mixed)
        else:
            raise ValueError("to")
    return np.concatenate(parts, axis=-1)


@right("convert_rope_layout")
def convert_by_an_index(W, heads, to="half"):
    """One list of columns; its argsort is the way back."""
    d = W.shape[-1] // heads
    inside = [*range(0, d, 2), *range(1, d, 2)]
    columns = np.array([h * d + j for h in range(heads) for j in inside])
    if to == "interleaved":
        columns = np.argsort(columns)
    elif to != "half":
        raise ValueError(to)
    return np.take(W, columns, axis=-1)


@wrong("swiglu", says="gate and up are swapped")
def swiglu_swapped(x, Wg, Wu, Wd):
    """SiLU on the up projection."""
    gate, up = x @ Wu, x @ Wg
    return (gate / (1 + np.exp(-gate)) * up) @ Wd


@wrong("swiglu", says="overflow")
def swiglu_overflows(x, Wg, Wu, Wd):
    """exp(g) / (1 + exp(g)) is infinity over infinity for a large gate."""
    gate, up = x @ Wg, x @ Wu
    e = np.exp(gate)
    return (gate * e / (1 + e) * up) @ Wd


@wrong("swiglu", says="bare sigmoid")
def swiglu_with_sigmoid(x, Wg, Wu, Wd):
    """GLU: the sigmoid without its factor g."""
    gate, up = x @ Wg, x @ Wu
    return (up / (1 + np.exp(-gate))) @ Wd


@wrong("swiglu", says="GELU")
def swiglu_with_gelu(x, Wg, Wu, Wd):
    """GEGLU."""
    gate, up = x @ Wg, x @ Wu
    bent = 0.5 * gate * (1 + np.tanh((2 / np.pi) ** 0.5 * (gate + 0.044715 * gate**3)))
    return (bent * up) @ Wd


@wrong("swiglu", says="ReLU")
def swiglu_with_relu(x, Wg, Wu, Wd):
    """ReGLU."""
    return (np.maximum(x @ Wg, 0) * (x @ Wu)) @ Wd


@wrong("swiglu", says="up projection is missing")
def swiglu_without_up(x, Wg, Wu, Wd):
    """A plain feed-forward network with SiLU."""
    gate = x @ Wg
    return (gate / (1 + np.exp(-gate))) @ Wd


@wrong("swiglu", says="both projections")
def swiglu_bends_both(x, Wg, Wu, Wd):
    """SiLU on gate and up."""
    gate, up = x @ Wg, x @ Wu
    return (gate / (1 + np.exp(-gate)) * up / (1 + np.exp(-up))) @ Wd


@wrong("swiglu", says="on the product")
def swiglu_bends_the_product(x, Wg, Wu, Wd):
    """SiLU after the multiplication."""
    product = (x @ Wg) * (x @ Wu)
    return (product / (1 + np.exp(-product))) @ Wd


@wrong("swiglu", says="were added")
def swiglu_adds(x, Wg, Wu, Wd):
    """Gate and up are added."""
    gate, up = x @ Wg, x @ Wu
    return (gate / (1 + np.exp(-gate)) + up) @ Wd


@wrong("swiglu", says="residual belongs to the block")
def swiglu_adds_x(x, Wg, Wu, Wd):
    """The residual is added here already; the block adds it again."""
    gate, up = x @ Wg, x @ Wu
    return x + (gate / (1 + np.exp(-gate)) * up) @ Wd


@wrong("swiglu", says="sign in the sigmoid")
def swiglu_with_the_wrong_sign(x, Wg, Wu, Wd):
    """1 / (1 + exp(g)): the gate closes as it grows."""
    gate, up = x @ Wg, x @ Wu
    return (gate / (1 + np.exp(gate)) * up) @ Wd


@wrong("swiglu", says="clipped")
def swiglu_clips_the_gate(x, Wg, Wu, Wd):
    """A clip against the overflow that also caps the gate."""
    gate, up = np.clip(x @ Wg, -30, 30), x @ Wu
    return (gate / (1 + np.exp(-gate)) * up) @ Wd


@wrong("swiglu", says="dtype of x")
def swiglu_answers_in_float64(x, Wg, Wu, Wd):
    """One float64 array, and all that follows is float64."""
    gate, up = x @ Wg, x @ Wu
    sigmoid = 1 / (1 + np.exp(-gate.astype(np.float64)))
    return (gate * sigmoid * up) @ Wd


@right("swiglu")
def swiglu_by_tanh(x, Wg, Wu, Wd):
    """The sigmoid as half a hyperbolic tangent, which does not overflow."""
    gate = x @ Wg
    return (0.5 * gate * (1 + np.tanh(0.5 * gate)) * (x @ Wu)) @ Wd


@right("swiglu")
def swiglu_as_printed(x, Wg, Wu, Wd):
    """1 / (1 + exp(-g)): the overflow goes to infinity and its inverse to 0, which is right."""
    gate, up = np.matmul(x, Wg), np.matmul(x, Wu)
    with np.errstate(over="ignore"):
        return np.matmul(gate / (1 + np.exp(-gate)) * up, Wd)


@right("swiglu")
def swiglu_in_one_product(x, Wg, Wu, Wd):
    """Gate and up as one product, cut in two."""
    gate, up = np.split(x @ np.concatenate([Wg, Wu], axis=1), 2, axis=-1)
    return (gate * np.exp(-np.logaddexp(0, -gate)) * up) @ Wd


@wrong("repeat_kv", says="A B A B")
def repeat_by_tile(x, n):
    """np.tile, or concatenating: A B A B."""
    return np.concatenate([x] * n, axis=-3)


@wrong("repeat_kv", says="axis=-3")
def repeat_axis_one(x, n):
    """axis=1 is the heads only where there is exactly one batch axis."""
    return np.repeat(x, n, axis=1)


@wrong("repeat_kv", says="axis=-3")
def repeat_axis_zero(x, n):
    """axis=0 is the batch where there is one."""
    return np.repeat(x, n, axis=0)


@wrong("repeat_kv", says="how often each head is repeated")
def repeat_up_to_n(x, n):
    """n is taken for the number of query heads."""
    return np.repeat(x, max(1, n // x.shape[-3]), axis=-3)


@wrong("repeat_kv", says="tokens were repeated")
def repeat_tokens_and_reshape(x, n):
    """The right shape, made of repeated tokens."""
    *lead, K, T, d = x.shape
    return np.repeat(x, n, axis=-2).reshape(*lead, K * n, T, d)


@wrong("repeat_kv", says="axis=-3")
def repeat_the_tokens(x, n):
    """The token axis grows, not the heads."""
    return np.repeat(x, n, axis=-2)


@wrong("repeat_kv", says="axis=-3")
def repeat_from_the_shape(x, n):
    """Unpacks exactly four axes."""
    B, K, T, d = x.shape
    return np.broadcast_to(x[:, :, None], (B, K, n, T, d)).reshape(B, K * n, T, d)


@right("repeat_kv")
def repeat_by_broadcast(x, n):
    """A new axis, stretched, and merged with that of the heads."""
    *lead, K, T, d = x.shape
    stretched = np.broadcast_to(x[..., :, None, :, :], (*lead, K, n, T, d))
    return stretched.reshape(*lead, K * n, T, d)


@right("repeat_kv")
def repeat_by_index(x, n):
    """Head h of the answer is head h // n."""
    return x[..., np.arange(x.shape[-3] * n) // n, :, :]


@right("repeat_kv")
def repeat_by_list(x, n):
    """Head by head."""
    return np.stack([x[..., k, :, :] for k in range(x.shape[-3]) for _ in range(n)], axis=-3)


@wrong("rope_attention", says="values were turned too")
def rope_attention_turns_values(q, k, v, positions, base=10000.0):
    """All three are turned: what a token says then depends on where it stands."""
    n = q.shape[-3] // k.shape[-3]
    q, k, v = (rotate(a, positions, base) for a in (q, k, v))
    return causal_attend(q, np.repeat(k, n, axis=-3), np.repeat(v, n, axis=-3))


@wrong("rope_attention", says="only the queries were turned")
def rope_attention_turns_queries_only(q, k, v, positions, base=10000.0):
    """The keys stay as they are."""
    n = q.shape[-3] // k.shape[-3]
    return causal_attend(rotate(q, positions, base), np.repeat(k, n, axis=-3), np.repeat(v, n, axis=-3))


@wrong("rope_attention", says="places are ignored")
def rope_attention_without_places(q, k, v, positions, base=10000.0):
    """No rotation at all."""
    n = q.shape[-3] // k.shape[-3]
    return causal_attend(q, np.repeat(k, n, axis=-3), np.repeat(v, n, axis=-3))


@wrong("rope_attention", says="outputs were turned")
def rope_attention_turns_the_output(q, k, v, positions, base=10000.0):
    """The rotation comes after the attention."""
    n = q.shape[-3] // k.shape[-3]
    return rotate(causal_attend(q, np.repeat(k, n, axis=-3), np.repeat(v, n, axis=-3)), positions, base)


@wrong("rope_attention", says="A B A B")
def rope_attention_tiles(q, k, v, positions, base=10000.0):
    """Tiled heads: each query head looks at another group's keys."""
    n = q.shape[-3] // k.shape[-3]
    q, k = rotate(q, positions, base), rotate(k, positions, base)
    return causal_attend(q, np.concatenate([k] * n, axis=-3), np.concatenate([v] * n, axis=-3))


@wrong("rope_attention", says="counted from 0")
def rope_attention_counts(q, k, v, positions, base=10000.0):
    """arange in place of the places. Only gaps can tell: a common shift changes nothing."""
    n = q.shape[-3] // k.shape[-3]
    places = np.arange(q.shape[-2])
    q, k = rotate(q, places, base), rotate(k, places, base)
    return causal_attend(q, np.repeat(k, n, axis=-3), np.repeat(v, n, axis=-3))


@wrong("rope_attention", says="base is ignored")
def rope_attention_with_fixed_base(q, k, v, positions, base=10000.0):
    """The base is not handed on."""
    n = q.shape[-3] // k.shape[-3]
    q, k = rotate(q, positions), rotate(k, positions)
    return causal_attend(q, np.repeat(k, n, axis=-3), np.repeat(v, n, axis=-3))


@wrong("rope_attention", says="future is not hidden")
def rope_attention_sees_all(q, k, v, positions, base=10000.0):
    """No causal mask."""
    n = q.shape[-3] // k.shape[-3]
    q, k = rotate(q, positions, base), np.repeat(rotate(k, positions, base), n, axis=-3)
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True) @ np.repeat(v, n, axis=-3)


@right("rope_attention")
def rope_attention_by_groups(q, k, v, positions, base=10000.0):
    """Nothing is repeated: an axis for the group broadcasts instead."""
    *lead, H, T, d = q.shape
    K = k.shape[-3]
    grouped = rotate(q, positions, base).reshape(*lead, K, H // K, T, d)
    out = causal_attend(grouped, rotate(k, positions, base)[..., :, None, :, :], v[..., :, None, :, :])
    return out.reshape(*lead, H, T, d)


@right("rope_attention")
def rope_attention_shifted(q, k, v, positions, base=10000.0):
    """Places counted from the first token's, and heads repeated before they are turned."""
    n = q.shape[-3] // k.shape[-3]
    places = positions - positions[0]
    pick = np.arange(q.shape[-3]) // n
    k, v = k[..., pick, :, :], v[..., pick, :, :]
    return causal_attend(rotate(q, places, base), rotate(k, places, base), v)


# ---- model

# ---- generation
