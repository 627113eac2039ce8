"""What an instructor hands over, as a tree of names: a folder or a zip, looked at and not opened until asked.

Names come from students and files may be anything, so: links, pipes and devices are named and never opened; every byte
that is read is counted, whatever a zip says of itself; a name is never used as a path until `safe_id` or `safe_file`
has made it one.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from autograder.errors import CourseError, SubmissionError
from autograder.files import open_regular

MAX_ZIP = 50 * 2**20  # a zip that a student hands in
MAX_BYTES = 100 * 2**20  # all that is copied for one student, zips and what is in them
MAX_FILES = 2000  # files and folders looked at for one student
MAX_DEPTH = 12  # folders in folders
MAX_ENTRIES = 20_000  # in one folder on disk
MAX_MEMBERS = 200_000  # in the zip of a whole class
MAX_DIRECTORY = 2**20  # bytes of the table of contents of a student's zip
CHUNK = 2**16

ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, EOFError, ValueError, RuntimeError, NotImplementedError,
)  # fmt: skip
WINDOWS_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


# Names


def safe_id(name: str) -> str:
    """A name that is safe as a folder on any system and as nbgrader's student id; a safe name comes back unchanged.

    nbgrader keeps ids of up to 128 characters (`nbgrader.api.Student.id`), matches them as a glob
    (`CourseDirectory.student_id`), cuts folder names at `+` (`ExchangeCollect`) and lists of ids at `,`. A name that
    is too long, or has nothing safe in it, gets a mark made from the whole of it.
    """
    text = unicodedata.normalize("NFC", name).strip()
    text = "".join(_safe(c) for c in text).lstrip("-.").rstrip(".")
    if len(text) > 80 or len(text.encode()) > 180 or not text:
        text = f"{_cut(text, 70, 160) or 'student'}-{mark(name)}"
    return f"{text}_" if _is_device(text) else text


def mark(name: str) -> str:
    """Eight characters that stand for a name, the same on any day."""
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def safe_stem(stem: str) -> str:
    """A file's name, without its ending, that any system can hold; spaces and brackets stay."""
    text = unicodedata.normalize("NFC", stem)
    text = "".join("_" if c in '<>:"/\\|?*' else c for c in text if c.isprintable()).lstrip("-. ").rstrip(". ")
    text = _cut(text, 80, 180) or "unnamed"
    return f"{text}_" if _is_device(text) else text


def _safe(character: str) -> str:
    if character.isalnum() or character in "_-.@" or unicodedata.category(character) in ("Mn", "Mc"):
        return character
    return "_" if character.isprintable() else ""


def _cut(text: str, characters: int, size: int) -> str:
    return text[:characters].encode()[:size].decode("utf-8", "ignore").rstrip(". ")


def _is_device(name: str) -> bool:
    return name.split(".")[0].casefold() in WINDOWS_DEVICES


def is_junk(name: str) -> bool:
    """What systems and editors leave behind, of interest to nobody."""
    known = {".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".ipynb_checkpoints"}
    return name.casefold() in known or name.startswith("._")


# Trees


@dataclass(eq=False)
class Node:
    """A file or a folder. `refusal` says why it must not be opened, if so."""

    name: str
    is_folder: bool = False
    refusal: str = ""

    def children(self) -> list[Node]:
        """What is in a folder, by name; SubmissionError if it cannot be looked at."""
        return []

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The bytes of a file; SubmissionError in words for the row of the student whose file it is."""
        raise SubmissionError(self.refusal or "not a file")
        yield

    def has_suffix(self, *suffixes: str) -> bool:
        return not self.is_folder and self.name.casefold().endswith(suffixes)


@dataclass(eq=False)
class DiskNode(Node):
    """On disk."""

    path: Path = Path()

    @classmethod
    def at(cls, path: Path) -> DiskNode:
        mode = path.lstat().st_mode
        kinds = {stat.S_IFLNK: "a link: not followed", stat.S_IFREG: "", stat.S_IFDIR: ""}
        refusal = kinds.get(stat.S_IFMT(mode), "not a regular file (a pipe, a socket or a device): not opened")
        return cls(path.name, stat.S_ISDIR(mode), refusal, path)

    def children(self) -> list[Node]:
        if not self.is_folder:
            return []
        try:
            paths = list(itertools.islice(self.path.iterdir(), MAX_ENTRIES + 1))
            if len(paths) > MAX_ENTRIES:
                raise SubmissionError(f"more than {MAX_ENTRIES} files in one folder: not looked into")
            return [DiskNode.at(path) for path in sorted(paths)]
        except OSError as error:
            raise SubmissionError(f"cannot be looked into ({error.strerror})") from error

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        if self.refusal:
            raise SubmissionError(self.refusal)
        with open_regular(self.path) as file:
            yield file


class Spelling:
    """How the names in a zip are written.

    A zip that does not mark its names as UTF-8 has them in cp437 by the standard; in truth in UTF-8 (Macs), or in the
    code page of the Windows that made it, of which the Chinese one (GBK) is told from cp437 by the characters: cp437
    has frames and Greek where GBK has half of a Chinese character. What was guessed is said (`guessed`); an encoding
    that the instructor names decides.
    """

    def __init__(self, infos: list[zipfile.ZipInfo], encoding: str = "") -> None:
        self.guessed = ""
        self.unclear = False
        raw = [info.orig_filename.encode("cp437") for info in infos if not self._is_marked(info)]
        raw = [name for name in raw if not name.isascii()]
        self.encoding = encoding or self._guess(raw)

    @staticmethod
    def _is_marked(info: zipfile.ZipInfo) -> bool:
        return bool(info.flag_bits & 0x800)

    def _guess(self, raw: list[bytes]) -> str:
        if all(_decoded(name, "utf-8") is not None for name in raw):
            return "utf-8"
        if all(_is_latin(name.decode("cp437")) for name in raw if _decoded(name, "utf-8") is None):
            return "cp437"
        if _are_chinese([_decoded(name, "gb18030") for name in raw if _decoded(name, "utf-8") is None]):
            self.guessed = "gb18030"
            return "gb18030"
        self.unclear = True
        return "cp437"

    def of(self, info: zipfile.ZipInfo) -> str:
        """A member's name. What cannot be read in the zip's encoding is read as the standard says."""
        if self._is_marked(info):
            return info.orig_filename
        raw = info.orig_filename.encode("cp437")
        if raw.isascii():
            return info.orig_filename
        if (own := _unicode_path(info.extra, raw)) is not None:
            return own
        for encoding in ("utf-8", self.encoding) if self.guessed else (self.encoding, "utf-8"):
            if (name := _decoded(raw, encoding)) is not None:
                return name
        return info.orig_filename


def _decoded(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeError:
        return None


def _is_latin(name: str) -> bool:
    """Whether every letter beyond ASCII is one of Western Europe's."""
    return all(c.isascii() or "LATIN" in unicodedata.name(c, "") for c in name)


def _are_chinese(names: list[str | None]) -> bool:
    """Whether every character beyond ASCII is a Chinese one, or belongs between them, and most are common ones.

    Of letters with accents in another code page, GBK makes characters, too, but rare ones, which GB2312 does not have.
    """
    if None in names:
        return False
    beyond = [c for name in names for c in name or "" if not c.isascii()]
    marks = "·（）－—、，。：；！【】《》“”‘’　"
    common = sum(1 for c in beyond if c in marks or _in_gb2312(c))
    return 2 * common > len(beyond) and all(c in marks or "CJK UNIFIED" in unicodedata.name(c, "") for c in beyond)


def _in_gb2312(character: str) -> bool:
    try:
        return bool(character.encode("gb2312"))
    except UnicodeError:
        return False


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name in Info-ZIP's extra field 0x7075, if it is of this very name."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        body, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == 0x7075 and len(body) > 5 and struct.unpack_from("<BL", body) == (1, zlib.crc32(raw)):
            return _decoded(body[5:], "utf-8")
    return None


def note_guessed_encoding(tree: Node, notes: list[str]) -> None:
    """Say so where names were read in an encoding that nobody told, or that cannot be right."""
    spelling = tree.spelling if isinstance(tree, ZipNode) else None
    if spelling and spelling.guessed:
        notes.append("the names in the zip are read as Chinese (GBK): if they look wrong, say how with --encoding")
    elif spelling and spelling.unclear:
        notes.append("the names in the zip look wrong: say how they are written, as in --encoding cp850 or shift_jis")


def check_encoding(encoding: str) -> None:
    """CourseError where Python knows no such encoding of text."""
    try:
        "é".encode(encoding, "replace")
        b"x".decode(encoding)
    except (LookupError, UnicodeError, AttributeError) as error:
        raise CourseError(f"--encoding {encoding}: not known: write gbk, big5, shift_jis, euc-kr or cp1252") from error


@dataclass(eq=False)
class ZipNode(Node):
    """In a zip."""

    archive: zipfile.ZipFile | None = None
    info: zipfile.ZipInfo | None = None
    inside: list[Node] = field(default_factory=list)
    spelling: Spelling | None = None  # of the whole zip's names, in the node at the top

    def children(self) -> list[Node]:
        return sorted(self.inside, key=lambda node: node.name)

    @contextlib.contextmanager
    def open(self) -> Iterator[BinaryIO]:
        if self.refusal or self.archive is None or self.info is None:
            raise SubmissionError(self.refusal or "not a file")
        try:
            with self.archive.open(self.info) as file:
                yield file  # type: ignore[misc]  # IO[bytes], read as one
        except ZIP_ERRORS as error:
            raise SubmissionError("damaged in the zip: hand it in again") from error


def zip_tree(archive: zipfile.ZipFile, name: str, encoding: str = "") -> ZipNode:
    """The members of a zip as a tree. Two members of one name are two files; nothing is read yet."""
    spelling = Spelling(archive.infolist(), encoding)
    top = ZipNode(name, is_folder=True, spelling=spelling)
    folders: dict[tuple[str, ...], ZipNode] = {(): top}
    for info in archive.infolist():
        full = spelling.of(info)
        parts, refusal = _parts(full)
        is_folder = full.endswith(("/", "\\"))
        for depth in range(1, len(parts) + is_folder):
            here = tuple(parts[:depth])
            if here not in folders:
                folders[here] = ZipNode(here[-1], is_folder=True)
                folders[here[:-1]].inside.append(folders[here])
        if parts and not is_folder:
            file = ZipNode(parts[-1], False, refusal or _refusal(info), archive, info)
            folders[tuple(parts[:-1])].inside.append(file)
    return top


def _parts(name: str) -> tuple[list[str], str]:
    """The folders and the name of a member, of either system's separators; and why it is refused, if it is."""
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".", "..")]
    if name.startswith("/") or ".." in name.split("/") or re.match("[A-Za-z]:/", name):
        return parts, "its path leads out of the zip: not opened"
    if len(parts) > MAX_DEPTH:
        return [*parts[:1], parts[-1]], f"more than {MAX_DEPTH} folders deep: not opened"
    return parts, ""


def _refusal(info: zipfile.ZipInfo) -> str:
    """Why a member must not be read. Only plain and deflated ones can be read in bounded memory."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "a link: not followed"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "not a regular file (a pipe, a socket or a device): not opened"
    if info.flag_bits & 0x1:
        return "locked with a password: hand it in without one"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed in an unusual way: hand in an ordinary zip"
    return ""


@contextlib.contextmanager
def student_zip(file: BinaryIO, name: str) -> Iterator[ZipNode]:
    """A zip that a student made; SubmissionError if it is none or its table of contents is too long."""
    _check_directory(file)
    try:
        archive = zipfile.ZipFile(file)
    except ZIP_ERRORS as error:
        raise SubmissionError("not a zip that can be read: hand it in again") from error
    with archive:
        yield zip_tree(archive, name)


def _check_directory(file: BinaryIO) -> None:
    """Refuse a table of contents that would fill the memory, before `zipfile` reads it whole."""
    size = file.seek(0, os.SEEK_END)
    tail_size = min(size, 2**16 + 22)  # the end record, and the comment after it
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    plain = tail[-22:-18] == b"PK\x05\x06" and tail.endswith(b"\0\0")
    end = len(tail) - 22 if plain else tail.rfind(b"PK\x05\x06")  # found as `zipfile` finds it
    if end < 0 or end + 22 > len(tail):
        raise SubmissionError("not a zip that can be read: hand it in again")
    (directory,) = struct.unpack_from("<L", tail, end + 12)
    if directory > MAX_DIRECTORY or tail[:end][-20:].startswith(b"PK\x06\x07"):
        raise SubmissionError("too many files in it: hand in the notebooks alone")
    file.seek(0)


@contextlib.contextmanager
def source_tree(source: Path, encoding: str = "") -> Iterator[Node]:
    """The folder or zip that the instructor names; CourseError in one line if it is neither.

    `encoding` is that of names in a zip which does not mark them as UTF-8.
    """
    if encoding:
        check_encoding(encoding)
    if source.is_dir():
        yield DiskNode(source.name, True, "", source.resolve())
        return
    if not source.exists():
        raise CourseError(f"{source}: no such folder or zip")
    if source.suffix.casefold() == ".ipynb":
        raise CourseError(f"{source}: one notebook: give the folder or zip of the class, or use `autograder check`")
    with contextlib.ExitStack() as stack:
        yield zip_tree(_source_zip(source, stack), source.name, encoding)


def _source_zip(source: Path, stack: contextlib.ExitStack) -> zipfile.ZipFile:
    try:
        file = stack.enter_context(DiskNode.at(source.resolve()).open())
        archive = stack.enter_context(zipfile.ZipFile(file))
    except SubmissionError as error:
        raise CourseError(f"{source}: {error}") from error
    except ZIP_ERRORS as error:
        raise CourseError(f"{source}: not a whole zip: download it again, or give a folder") from error
    members = len(archive.infolist())
    if members == 0:
        raise CourseError(f"{source}: the zip is empty: download it again")
    if members > MAX_MEMBERS:
        raise CourseError(f"{source}: {members} files in it: is it the download of one assignment?")
    return archive


@dataclass
class Budget:
    """What may still be looked at and copied for one student."""

    bytes: int = MAX_BYTES
    files: int = MAX_FILES

    def look(self) -> None:
        self.files -= 1
        if self.files < 0:
            raise SubmissionError(f"more than {MAX_FILES} files: the rest was not looked at")

    def copy(self, node: Node, target: Path, limit: int) -> None:
        """Write a file's bytes to `target`, which must not exist; nothing is left behind if that fails."""
        with node.open() as file:
            try:
                with _no_fault_of_theirs(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    copy = target.open("xb", buffering=0)
                with copy:
                    self._pour(file, copy, limit)
            except BaseException:
                target.unlink(missing_ok=True)
                raise

    def _pour(self, file: BinaryIO, copy: FileIO, limit: int) -> None:
        size = 0
        while chunk := file.read(CHUNK):
            size += len(chunk)
            self.bytes -= len(chunk)
            if size > limit:
                raise SubmissionError(f"larger than {limit // 2**20} MiB: leave out data and outputs")
            if self.bytes < 0:
                raise SubmissionError(f"more than {MAX_BYTES // 2**20} MiB in all: hand in the notebooks alone")
            with _no_fault_of_theirs(Path(str(copy.name))):
                left = memoryview(chunk)
                while left:
                    left = left[copy.write(left) :]


@contextlib.contextmanager
def _no_fault_of_theirs(target: Path) -> Iterator[None]:
    """Where our own file cannot be written, no student is to blame."""
    try:
        yield
    except OSError as error:
        raise CourseError(f"{target}: cannot be written ({error.strerror}): free some room") from error
