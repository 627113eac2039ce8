"""How austen.txt.xz was made: from the folder of the R package janeaustenr, with the standard library alone.

    python -m solutions.texts.austen /usr/lib/R/site-library/janeaustenr [WHERE]

R keeps a package's data in two files. `Rdata.rdx` says where each object lies (compressed with gzip). `Rdata.rdb` holds
them: four bytes of length, then the object, compressed with zlib. Both are in R's serialization format, in its XDR form
(big-endian). This reads the few types that occur: vectors of strings and of integers, lists, and their names.
"""

import gzip
import lzma
import struct
import sys
import zlib
from pathlib import Path

# In the order of their publication.
NOVELS = ("sensesensibility", "prideprejudice", "mansfieldpark", "emma", "northangerabbey", "persuasion")


class Serialized:
    """A cursor over one serialized R object."""

    def __init__(self, data: bytes) -> None:
        if data[:2] != b"X\n":
            raise ValueError(f"expected R's XDR serialization, which starts with X and a line end, got {data[:2]!r}")
        self.data, self.at, self.symbols = data, 2, []
        version, _written_by, _readable_from = self.integers(3)
        if version == 3:  # names the encoding that was in force
            self.take(self.integers(1)[0])

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def integers(self, count: int) -> list[int]:
        return list(struct.unpack(f">{count}i", self.take(4 * count)))

    def item(self):
        """The next object as (value, attributes) for vectors, as plain Python for the rest."""
        (flags,) = self.integers(1)
        kind = flags & 0xFF
        if kind == 254:  # NULL, which also ends a list of pairs
            return None
        if kind == 255:  # a symbol seen before
            return self.symbols[(flags >> 8) - 1]
        if kind == 1:  # a symbol
            self.symbols.append(self.item())
            return self.symbols[-1]
        if kind == 2:  # a list of pairs: here always tagged
            pairs = {self.item(): self.item()}
            return pairs | (self.item() or {})
        if kind == 9:  # one string
            return self.take(self.integers(1)[0]).decode("utf-8")
        (length,) = self.integers(1)
        if kind in (10, 13):  # truth values, integers
            value = self.integers(length)
        elif kind in (16, 19):  # strings, or a list of anything
            value = [self.item() for _ in range(length)]
        else:
            raise ValueError(f"R type {kind} is not among those that this reader knows")
        return value, self.item() if flags & 0x200 else {}


def novels(package: Path) -> str:
    """The six novels, each line ended by "\\n", with nothing between them."""
    index, _ = Serialized(gzip.decompress((package / "data/Rdata.rdx").read_bytes())).item()
    entries, attributes = index[0]
    where = dict(zip(attributes["names"][0], (span for span, _ in entries)))
    store = (package / "data/Rdata.rdb").read_bytes()
    text = ""
    for name in NOVELS:
        start, length = where[name]
        lines, _ = Serialized(zlib.decompress(store[start + 4 : start + length])).item()
        text += "".join(line + "\n" for line in lines)
    return text


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit("usage: python -m solutions.texts.austen FOLDER_OF_JANEAUSTENR [WHERE]")
    target = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(__file__).with_name("austen.txt.xz")
    target.write_bytes(lzma.compress(novels(Path(sys.argv[1])).encode("utf-8"), preset=9 | lzma.PRESET_EXTREME))
