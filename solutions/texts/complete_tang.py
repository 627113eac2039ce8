"""How tang.txt.xz was made: from the folder of the npm package chinese-poetry, with the standard library alone.

    npm pack chinese-poetry@2.0.1 && tar xzf chinese-poetry-2.0.1.tgz
    python -m solutions.texts.complete_tang package [WHERE]

The package holds the Complete Tang Poems in 58 files. This keeps the regular poems of the poets who left many of them:
four or eight lines, all of five or all of seven characters, in couplets.
"""

import json
import lzma
import re
import sys
from collections import Counter
from pathlib import Path

MANY = 150  # regular poems, from which on a poet is kept
UNKNOWN = ("不詳", "無名氏")  # not a poet, but many
HAN = "[\u3400-\u9fff]"
COUPLET = re.compile(f"{HAN}{{5}}，{HAN}{{5}}。|{HAN}{{7}}，{HAN}{{7}}。")
TITLE = re.compile(f"{HAN}[{HAN[1:-1]} ]{{0,19}}")


def is_regular(poem: dict) -> bool:
    """Two or four couplets of the same length, nothing lost, and a title of at most twenty characters."""
    couplets = poem["paragraphs"]
    return (
        len(couplets) in (2, 4)
        and all(COUPLET.fullmatch(couplet) for couplet in couplets)
        and len(set(map(len, couplets))) == 1
        and TITLE.fullmatch(poem["title"]) is not None
    )


def poems(package: Path) -> str:
    """For each poem its title, its poet and its couplets, a line each, and an empty line after them."""
    files = sorted((package / "dist/quantangshi").glob("poet.tang.*.json"), key=lambda f: int(f.name.split(".")[2]))
    regular = [poem for file in files for poem in json.loads(file.read_text(encoding="utf-8")) if is_regular(poem)]
    many = {poet for poet, count in Counter(p["author"] for p in regular).items() if count >= MANY} - {*UNKNOWN}
    text, seen = "", set()
    for poem in regular:
        couplets = poem["paragraphs"]
        # What shares a couplet with a poem before it is left out: some are handed down twice, under two names.
        if poem["author"] in many and seen.isdisjoint(couplets):
            text += "\n".join([poem["title"], poem["author"], *couplets]) + "\n\n"
            seen.update(couplets)
    return text


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python -m solutions.texts.complete_tang FOLDER_OF_CHINESE_POETRY [WHERE]")
    target = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).with_name("tang.txt.xz")
    target.write_bytes(lzma.compress(poems(Path(sys.argv[1])).encode("utf-8"), preset=9 | lzma.PRESET_EXTREME))
