"""Printed lines stay whole, however busy the machine is.

A kernel sends what a cell prints in pieces, a fifth of a second apart, and a piece may end in the middle of a line.
myst-nb ends each piece with a line break; here the pieces are joined as they are before it sees them.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def join_streams(outputs: list[Any]) -> list[Any]:
    """The outputs with each stream's pieces in one, at the place of the first."""
    joined: list[Any] = []
    first: dict[str, Any] = {}
    for output in outputs:
        name = output.get("name", "") if output["output_type"] == "stream" else ""
        if name in first:
            first[name]["text"] += output["text"]
        else:
            joined.append(output)
            if name:
                first[name] = output
    return joined


def setup(app: Sphinx) -> dict[str, Any]:
    from myst_nb.core import render

    merge = getattr(render.coalesce_streams, "__wrapped__", render.coalesce_streams)

    def coalesce_streams(outputs: list[Any]) -> list[Any]:
        return merge(join_streams(outputs))

    coalesce_streams.__wrapped__ = merge  # type: ignore[attr-defined]
    render.coalesce_streams = coalesce_streams
    return {"parallel_read_safe": True, "parallel_write_safe": True}
