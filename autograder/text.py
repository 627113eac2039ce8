"""Text from elsewhere, made clean where it enters: what is written of it is always UTF-8 that can be read again."""

from __future__ import annotations

import re
import unicodedata

SURROGATES = re.compile("[\ud800-\udfff]")
CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
NO_TERMINAL = re.compile("[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\ud800-\udfff]")  # leaves \b, \r, escapes
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def clean(text: str) -> str:
    """For people: without halves of characters, and without control characters but tabs and ends of lines."""
    return CONTROLS.sub(REPLACEMENT, text)


def clean_page(text: str) -> str:
    """For a page: also without marks that turn the direction of text."""
    return UNSEEN.sub(REPLACEMENT, text)


def clean_output(text: str) -> str:
    """What a cell printed: progress bars and colours are left to whoever shows it."""
    return NO_TERMINAL.sub(REPLACEMENT, text)


def clean_source(text: str) -> str:
    """The source of a cell, as far as it can be one: Python itself takes no half of a character, and no NUL."""
    return SURROGATES.sub(REPLACEMENT, text).replace("\0", REPLACEMENT)


def shown(name: str, length: int = 80) -> str:
    """A name as a person may see it: no control characters, nothing that turns the direction of text, not endless."""
    text = unicodedata.normalize("NFC", name)
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= length else text[: length - 1] + "…"
