"""A bundle as one file: a tar of its plain files, for a stick or a line."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from appliance.errors import BundleError
from inference.bundles import MANIFEST, SIGNATURE, BundleInvalid, load_manifest

CHUNK = 1 << 20  # bytes
MOST_FILES = 64
END = bytes(2 * tarfile.BLOCKSIZE)
UNPACKING = "read a bundle's archive"


def names_in(folder: Path) -> list[str]:
    """Of its files, the manifest first; raises BundleError."""
    try:
        names = [MANIFEST, *load_manifest(folder).files]
    except BundleInvalid as error:
        raise BundleError("pack a bundle", str(error), "name a bundle's folder") from error
    return [*names, *([SIGNATURE] if (folder / SIGNATURE).is_file() else [])]


def pack(folder: Path, names: list[str]) -> Iterator[bytes]:
    """The archive, piece by piece; the same bytes for the same bundle."""
    for name in names:
        with (folder / name).open("rb") as file:
            head, padding = _around(folder / name)
            yield head
            while piece := file.read(CHUNK):
                yield piece
            yield padding
    yield END


def packed_size(folder: Path, names: list[str]) -> int:
    """Bytes of the archive, for who shows how far it is."""
    around = (sum(map(len, _around(folder / name))) for name in names)
    return sum(around) + sum((folder / name).stat().st_size for name in names) + len(END)


def _around(path: Path) -> tuple[bytes, bytes]:
    """What stands before and behind a file's content."""
    about = tarfile.TarInfo(path.name)
    about.size = path.stat().st_size
    return about.tobuf(tarfile.PAX_FORMAT), bytes(-about.size % tarfile.BLOCKSIZE)


def unpack(file: BinaryIO, folder: Path) -> None:
    """Into an empty folder; only plain files with plain names. Raises BundleError."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            for number, member in enumerate(archive):
                hidden = "/" in member.name or member.name.startswith(".")
                if hidden or not member.isreg() or number >= MOST_FILES:
                    cause = f"{member.name[:80]!r} is no plain file, or one too many"
                    raise BundleError(UNPACKING, cause, "make it by lingting models export")
                _copy(archive, member, folder / member.name)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise BundleError(UNPACKING, f"it is no whole archive: {error}", "send it again") from error


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    content = archive.extractfile(member)
    assert content is not None
    with target.open("xb") as file:
        left = member.size
        while piece := content.read(min(CHUNK, left)):
            file.write(piece)
            left -= len(piece)
    if left:
        raise EOFError(f"{member.name} ends {left} bytes early")
