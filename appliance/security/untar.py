"""Unpack a tar that may come from anybody: plain files below one folder, nothing else."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path, PurePosixPath


class UnsafeArchive(ValueError):
    """It holds a link, a device, or a name that leads outside; nothing after it was unpacked."""


def untar(archive: tarfile.TarFile, target: Path) -> None:
    """Raises UnsafeArchive. (tarfile's own filters are not in Debian 12's Python.)"""
    for member in archive:
        name = PurePosixPath(member.name)
        if member.isdir():
            continue
        if not member.isfile() or name.is_absolute() or ".." in name.parts:
            raise UnsafeArchive(f"{member.name[:80]!r} is no plain file of it")
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        source = archive.extractfile(member)
        assert source is not None
        with path.open("xb") as file:
            path.chmod(0o600)
            shutil.copyfileobj(source, file)
