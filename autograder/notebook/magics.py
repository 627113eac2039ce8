"""Cells with magics, as Python."""

from __future__ import annotations

import ast


def as_python(source: str) -> str:
    """A cell with its magics as calls; what is Python already is left as it is."""
    try:
        ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager  # a fifth of a second, for cells with magics

        return str(TransformerManager().transform_cell(source))
    return source
