"""Folders for what is needed for a while. Those of a process that was killed go when the next one starts."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autograder import folders

PREFIX = "autograder-held-"  # of folders with a lock, and of no others: what is not locked is swept
_HELD: dict[str, int] = {}


@contextlib.contextmanager
def scratch_folder(kind: str = "") -> Iterator[Path]:
    """A folder of this process's own, locked for as long as it is in use; it goes, whatever was done in it to stay."""
    folder = make_folder(kind)
    try:
        yield folder
    finally:
        remove_folder(folder)


def make_folder(kind: str = "") -> Path:
    """As `scratch_folder`, for `remove_folder` to take away; the lock goes with the process, however that ends."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-" if kind else PREFIX))
        descriptor = _lock(folder, wait=True)
        if descriptor is None:  # a system without locks
            return folder
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), folder.stat()):
                _HELD[str(folder)] = descriptor
                return folder
        os.close(descriptor)  # swept away between the two calls


def remove_folder(folder: Path) -> None:
    folders.remove(folder)
    descriptor = _HELD.pop(str(folder), None)
    if descriptor is not None:
        os.close(descriptor)


def sweep() -> list[Path]:
    """Remove what processes that are gone have left in the temporary folder; says what."""
    swept = []
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if not hasattr(os, "getuid") or folder.is_symlink() or not folder.is_dir():
            continue
        with contextlib.suppress(OSError):
            if folder.stat().st_uid != os.getuid() and os.getuid() != 0:
                continue
            descriptor = _lock(folder, wait=False)
            if descriptor is not None:
                folders.remove(folder)
                swept.append(folder)
                os.close(descriptor)
    return swept


def _lock(folder: Path, *, wait: bool) -> int | None:
    """A descriptor that holds the folder's lock; None where somebody else has it."""
    try:
        import fcntl  # a folder's own lock, so no `filelock`
    except ImportError:  # Windows
        return None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None if not wait else _lock_failed(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _lock_failed(folder: Path) -> int:
    """The folder was swept before it could be opened: something that is no lock on it."""
    return os.open(folder.parent, os.O_RDONLY)
