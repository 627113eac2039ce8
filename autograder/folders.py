"""Folders that hostile code fills: measured while it does, and removed when it has ended.

Both go through any number of folders inside each other, with one open folder at a time: no recursion, no path that is
longer than the kernel takes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

INSIDE = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class _MovedError(OSError):
    """A folder is no longer where it was."""


def holds_more(folder: Path | str, size: int, files: int) -> bool | None:
    """Whether there are more bytes, or more entries, in a folder; None where it was moved about meanwhile."""
    total = 0
    try:
        for count, entry in enumerate(_entries(folder)):
            total += entry.st_blocks * 512
            if total > size or count >= files:
                return True
    except OSError:
        return None
    return False


def _entries(folder: Path | str) -> Iterator[os.stat_result]:
    """Every file and folder below one, by going down into it and up again."""
    here = os.open(folder, INSIDE)
    try:
        waiting, places = [_names(here)], [_place(here)]
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                places.pop()
                if waiting:
                    here = _step(here, "..")
                    if _place(here) != places[-1]:
                        raise _MovedError(folder)
                continue
            name = waiting[-1].pop()
            try:
                entry = os.stat(name, dir_fd=here, follow_symlinks=False)
                yield entry
                if stat.S_ISDIR(entry.st_mode):
                    here = _step(here, name)
                    waiting.append(_names(here))
                    places.append(_place(here))
            except (FileNotFoundError, PermissionError, NotADirectoryError):
                continue
    finally:
        os.close(here)


def _step(here: int, name: str) -> int:
    """Open a folder next to the open one, which is closed."""
    try:
        there = os.open(name, INSIDE, dir_fd=here)
    except PermissionError:
        there = _made_readable(here, name)
    os.close(here)
    return there


def _made_readable(here: int, name: str) -> int:
    """Open a folder that its owner, who is ours, may fill but not list. What it is cannot be exchanged meanwhile."""
    if sys.platform != "linux":
        raise PermissionError(name)
    found = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
    try:
        Path(f"/proc/self/fd/{found}").chmod(0o700)
        return os.open(f"/proc/self/fd/{found}", INSIDE & ~os.O_NOFOLLOW)
    finally:
        os.close(found)


def _names(descriptor: int) -> list[str]:
    with os.scandir(descriptor) as entries:
        return [entry.name for entry in entries]


def _place(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def remove(folder: Path | str) -> None:
    """Remove a folder with all that is in it, whatever was done in it to stay; nobody may be at work there any more."""
    empty(folder)
    with contextlib.suppress(OSError):
        Path(folder).rmdir()


def empty(folder: Path | str) -> None:
    """Remove all that is in a folder. Folders inside folders are moved up first, so that none is deep."""
    with contextlib.suppress(OSError):
        Path(folder).chmod(0o700)
        top = os.open(folder, INSIDE)
        try:
            _flatten(top)
        finally:
            os.close(top)


def _flatten(top: int) -> None:
    unlike = f".{secrets.token_hex(8)}"  # any name that is there already
    waiting, moved = _emptied(top, top, unlike, 0)
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(OSError):
            os.chmod(name, 0o700, dir_fd=top)
            inside = os.open(name, INSIDE, dir_fd=top)
            try:
                more, moved = _emptied(inside, top, unlike, moved)
                waiting += more
            finally:
                os.close(inside)
            os.rmdir(name, dir_fd=top)


def _emptied(folder: int, top: int, unlike: str, moved: int) -> tuple[list[str], int]:
    """Unlink what is no folder, move what is one to the top; the names there, and how many there have been."""
    names = []
    for name in _names(folder):
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                fresh = f"{unlike}-{moved}"
                moved += 1
                os.chmod(name, 0o700, dir_fd=folder)  # its entry for the folder above is written to
                os.rename(name, fresh, src_dir_fd=folder, dst_dir_fd=top)
                names.append(fresh)
            else:
                os.unlink(name, dir_fd=folder)
    return names, moved
