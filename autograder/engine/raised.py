"""What can be said of an exception whose class is a student's own: its kinds and its text."""

from __future__ import annotations

MOST_KINDS = 12


def error_names(error: BaseException) -> list[str]:
    """The type of an exception and those that it is a kind of, by name."""
    return [kind.__name__ for kind in type(error).__mro__][:MOST_KINDS]


def text_of(error: BaseException) -> str:
    """An exception's text, whatever its own methods do."""
    try:
        text = str(error)
    except BaseException:
        return "(the error has no readable text)"
    return text if type(text) is str else str.__str__(text)
