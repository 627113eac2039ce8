"""`softmax` and `log_softmax`, as SciPy computes them."""

from __future__ import annotations

import numpy as np


def softmax(x, axis=None):
    """exp(x) over its sum along `axis`; of all numbers, if there is none."""
    x = np.asarray(x)
    shifted = np.exp(x - np.amax(x, axis=axis, keepdims=True))
    return shifted / np.sum(shifted, axis=axis, keepdims=True)


def log_softmax(x, axis=None):
    """The logarithm of `softmax`, also where that is too small for a number."""
    x = np.asarray(x)
    top = np.amax(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0)
    shifted = x - top
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))
