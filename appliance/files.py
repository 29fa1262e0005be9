"""Files that are whole or not there, whenever the power goes."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

OWNER_ONLY, FOR_ALL = 0o600, 0o644


@contextlib.contextmanager
def drafting(path: Path, mode: int = FOR_ALL) -> Iterator[BinaryIO]:
    """A file to write to: on the disk, and in the place of `path`, once the block ends well; gone
    otherwise. Raises OSError."""
    draft = _draft(path)
    try:
        with _create(draft, mode) as file:
            yield file
            _sync(file)
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes, mode: int = FOR_ALL) -> None:
    """`data` in the place of what `path` held; on the disk when this returns. Raises OSError."""
    with drafting(path, mode) as file:
        file.write(data)


def write_new(path: Path, data: bytes, mode: int = OWNER_ONLY) -> None:
    """The same for a file that must not be there yet; raises FileExistsError, OSError."""
    draft = _draft(path)
    try:
        with _create(draft, mode) as file:
            file.write(data)
            _sync(file)
        os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Its entries are on the disk when this returns."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private(folder: Path) -> None:
    """A folder for its owner alone, from its first moment on, with those above it."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            each.mkdir(mode=0o700)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")


def _create(path: Path, mode: int) -> BinaryIO:
    """Nothing that is there is followed or written to: others may own the folder."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with contextlib.suppress(PermissionError):  # a stick may know no modes
        os.fchmod(handle, mode)  # whatever the mask
    return os.fdopen(handle, "wb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
