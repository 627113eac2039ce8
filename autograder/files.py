"""Files: opening what may be anything, and writing so that a file is there whole or not at all.

Every file that somebody else has written, or could have put there, is opened here. Folders are `autograder.folders`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from autograder.errors import SubmissionError

MAX_NOTEBOOK = 20 * 2**20  # bytes
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@contextlib.contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """A regular file's bytes: a link is not followed, a pipe not waited for.

    Raises SubmissionError, in words to follow the file's name.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError as error:
        raise SubmissionError("there is no such file") from error
    except OSError as error:
        if path.is_symlink():
            raise SubmissionError("not a regular file (a link): hand in the notebook itself") from error
        raise SubmissionError(f"cannot be read ({error.strerror})") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SubmissionError("not a regular file (a folder, a pipe or a device)")
        try:
            yield file
        except OSError as error:
            raise SubmissionError(f"cannot be read ({error.strerror})") from error


def read_regular(path: Path, most: int = MAX_NOTEBOOK) -> bytes:
    """The content of a regular file of at most so many bytes. Raises SubmissionError, one line that names the file."""
    try:
        with open_regular(path) as file:
            content = file.read(most + 1)
    except SubmissionError as error:
        raise SubmissionError(f"{path.name}: {error}") from error
    if len(content) > most:
        raise SubmissionError(f"{path.name}: larger than {most / 2**20:g} MiB: clear its outputs and save it again")
    return content


def write_whole(path: Path, content: str) -> None:
    """Write a file so that it is there whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="\n") as file:
            file.write(content)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def digest(value: Any) -> str:
    """A digest of plain data."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
